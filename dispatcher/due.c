#include "dispatcher/due.h"

#include "common/must.h"

#include <stdlib.h>

struct due *due_new(const struct delivery *delivery, int64_t lease_until_ms, struct lane *lane, const struct format *format)
{
    struct due *due = must_zalloc(sizeof *due);

    due->id = delivery->id;
    due->lead_id = delivery->lead_id;
    due->attempt = (int)delivery->attempt;
    due->lease_until_ms = lease_until_ms;
    due->sold_at_ms = delivery->sold_at_ms;
    due->is_event = delivery->event.ptr != NULL;
    due->lane = lane;
    if (delivery->confirm_ms > 0)
        due->ask = must_zalloc(sizeof *due->ask);
    if (lane != NULL)
        due->webhook = webhook_new(format, delivery);
    return due;
}

int due_turn(const struct due *due)
{
    return due->attempt - due->attempts_before + 1;
}

void due_drop_webhook(struct due *due)
{
    webhook_free(&due->webhook);
}

void result_clear(struct result *result)
{
    free((char *)result->answer.ptr);
    free((char *)result->reference.ptr);
    free((char *)result->redirect_url.ptr);
    *result = (struct result){.price_cents = -1};
}

void due_free(struct due **due)
{
    if (*due != NULL) {
        due_drop_webhook(*due);
        result_clear(&(*due)->result);
        if ((*due)->ask != NULL)
            result_clear(&(*due)->ask->late);
        free((*due)->ask);
        free(*due);
        *due = NULL;
    }
}

struct result *due_result(struct due *due)
{
    return due->ask != NULL && due->ask->is_over ? &due->ask->late : &due->result;
}

size_t due_bytes(const struct due *due)
{
    return sizeof *due + (due->webhook != NULL ? due->webhook->bytes : 0) + due->result.answer.len + due->result.reference.len +
           due->result.redirect_url.len;
}

void due_append(struct due_list *list, struct due *due)
{
    due->next = NULL;
    if (list->last != NULL)
        list->last->next = due;
    else
        list->first = due;
    list->last = due;
    list->count++;
}

void due_prepend(struct due_list *list, struct due *due)
{
    due->next = list->first;
    list->first = due;
    if (list->last == NULL)
        list->last = due;
    list->count++;
}

struct due *due_shift(struct due_list *list)
{
    struct due *due = list->first;

    if (due != NULL) {
        list->first = due->next;
        if (list->first == NULL)
            list->last = NULL;
        list->count--;
        due->next = NULL;
    }
    return due;
}

void due_insert(struct due_list *list, struct due *before, struct due *due)
{
    if (before == NULL) {
        due_prepend(list, due);
    } else if (before == list->last) {
        due_append(list, due);
    } else {
        due->next = before->next;
        before->next = due;
        list->count++;
    }
}

void due_remove(struct due_list *list, struct due *due)
{
    struct due *before = list->first;

    if (before == due) {
        due_shift(list);
        return;
    }
    while (before->next != due)
        before = before->next;
    before->next = due->next;
    if (list->last == due)
        list->last = before;
    list->count--;
    due->next = NULL;
}
