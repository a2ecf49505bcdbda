/*
 * keyring.h - the keys of ping ids, as they are in the database, and what time it is there.
 *
 * Read again and again, so that every router has a key well before another one seals with it: a key seals from a minute of age on.
 */
#ifndef LEADLINE_ROUTER_KEYRING_H
#define LEADLINE_ROUTER_KEYRING_H

#include "proto/ping_token.h"
#include "proto/stage.h"

#include <stdbool.h>
#include <stdint.h>

struct keyring;

/* The statement that reads them, for keyring_take(). */
extern const char keyring_sql[];

/* Makes keys of its rows: the one that seals is the youngest that is a minute old. */
void keyring_take(struct ping_keys *keys, const struct db_rows *rows);

enum { KEYRING_EVERY_S = 20, KEYRING_LEAST_MS = 100 };

/* Called when keys were read, or could not be. */
typedef void keyring_fn(void *ctx);

/* No keys yet; begins to read them. on_read is called after each reading. */
struct keyring *keyring_new(struct stage *stage, keyring_fn *on_read, void *ctx);
void keyring_free(struct keyring **keyring);

/* The keys of now, borrowed; none before the first reading. */
const struct ping_keys *keyring_keys(const struct keyring *keyring);

/*
 * An id was sealed with a key that is not there: reads again, unless that was done less than KEYRING_LEAST_MS ago.
 * Returns true when a reading is under way: on_read will be called.
 */
bool keyring_refresh(struct keyring *keyring);

/* Every second. */
void keyring_sweep(struct keyring *keyring);

/* About the database's clock, in milliseconds since 1970 UTC: for offers, which bind nobody to the millisecond. */
int64_t keyring_now_ms(const struct keyring *keyring);

#endif
