/* test_map.c - common/map.c, also against a plain array that does the same slowly. */
#include "common/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void putting_and_taking(void **state)
{
    struct map *map = map_new();
    int one = 1, two = 2;
    size_t at = 0;

    (void)state;
    assert_null(map_get(map, SPAN("a")));
    assert_null(map_remove(map, SPAN("a")));
    assert_null(map_next(map, &at));
    assert_null(map_put(map, SPAN("a"), &one));
    assert_null(map_put(map, SPAN(""), &two));
    assert_ptr_equal(map_get(map, SPAN("a")), &one);
    assert_ptr_equal(map_get(map, (struct span){NULL, 0}), &two);
    assert_ptr_equal(map_put(map, SPAN("a"), &two), &one);
    assert_int_equal(map_count(map), 2);
    assert_ptr_equal(map_remove(map, SPAN("a")), &two);
    assert_null(map_get(map, SPAN("a")));
    assert_int_equal(map_count(map), 1);
    map_free(&map);
    assert_null(map);
    map_free(&map);
}

static void keys_are_bytes(void **state)
{
    struct map *map = map_new();
    int one = 1, two = 2;

    (void)state;
    map_put(map, SPAN("a\0b"), &one);
    map_put(map, SPAN("a\0c"), &two);
    assert_ptr_equal(map_get(map, SPAN("a\0b")), &one);
    assert_ptr_equal(map_get(map, SPAN("a\0c")), &two);
    assert_null(map_get(map, SPAN("a")));
    map_free(&map);
}

enum { KEYS = 700, STEPS = 200000 };

static struct { char text[8]; int value; bool is_in; } model[KEYS];

static void assert_same(const struct map *map, size_t count)
{
    size_t at = 0, seen = 0;
    int *value;

    assert_int_equal(map_count(map), count);
    while ((value = map_next(map, &at)) != NULL) {
        size_t i = (size_t)(*value);

        assert_true(i < KEYS && model[i].is_in && value == &model[i].value);
        seen++;
    }
    assert_int_equal(seen, count);
    for (size_t i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(map, span_of(model[i].text)), model[i].is_in ? &model[i].value : NULL);
}

/* The share of puts wanders, so that the map is full, empties, and is crossed by removals at every filling. */
static void like_the_model(void **state)
{
    struct map *map = map_new();
    size_t count = 0;

    (void)state;
    srand(1);
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(model[i].text, sizeof model[i].text, "k%zu", i);
        model[i].value = (int)i;
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)rand() % KEYS;
        bool puts = rand() % 100 < (step / 10000 % 2 == 0 ? 70 : 30);
        void *before = puts ? map_put(map, span_of(model[i].text), &model[i].value) : map_remove(map, span_of(model[i].text));

        assert_ptr_equal(before, model[i].is_in ? &model[i].value : NULL);
        count += puts && !model[i].is_in;
        count -= !puts && model[i].is_in;
        model[i].is_in = puts;
        if (step % 1000 == 0)
            assert_same(map, count);
    }
    for (size_t i = 0; i < KEYS; i++) {
        map_remove(map, span_of(model[i].text));
        count -= model[i].is_in;
        model[i].is_in = false;
    }
    assert_same(map, 0);
    map_free(&map);
}

static void the_hash_is_for_ever(void **state)
{
    (void)state;
    /* rendezvous in other processes, also of other versions, depends on these */
    assert_true(map_hash(SPAN(""), 0) == UINT64_C(0xecba3df2c3383c52));
    assert_true(map_hash(SPAN("campaign_abc123"), 0) != map_hash(SPAN("campaign_abc123"), 1));
    assert_true(map_hash(SPAN("campaign_abc123"), 0) != map_hash(SPAN("campaign_abc124"), 0));
    assert_true(map_hash(SPAN("campaign_abc123"), 0) == UINT64_C(0xbe6b39a2af7c2f95));
}

static void hashes_spread(void **state)
{
    enum { BINS = 64, HASHES = 64000 };
    int bins[BINS] = {0};
    char text[24];

    (void)state;
    for (int i = 0; i < HASHES; i++) {
        snprintf(text, sizeof text, "campaign_%d", i);
        bins[map_hash(span_of(text), 0) % BINS]++;
    }
    for (int i = 0; i < BINS; i++)
        assert_in_range(bins[i], HASHES / BINS * 8 / 10, HASHES / BINS * 12 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(putting_and_taking), cmocka_unit_test(keys_are_bytes), cmocka_unit_test(like_the_model),
        cmocka_unit_test(the_hash_is_for_ever), cmocka_unit_test(hashes_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
