/*
 * key.c - makes an API key for a supplier. The key is printed once; the database has its SHA-256 only.
 */
#include "common/buf.h"
#include "common/digest.h"
#include "leadctl/command.h"
#include "leadctl/configuration.h"

#include <stdio.h>

enum { KEY_BYTES = 32 };

static const char FIND[] = "SELECT keys_listed FROM supplier WHERE id = $1";
static const char ADD[] = "INSERT INTO api_key (sha256, supplier_id) VALUES (decode($1, 'hex'), $2)";

static struct buf *make_key(char hex[DIGEST_HEX_BYTES])
{
    uint8_t random[KEY_BYTES], sha256[DIGEST_BYTES];
    struct buf *key = buf_new(64);

    digest_random(random, sizeof random);
    buf_add_text(key, "sk_");
    digest_base64url((struct span){(const char *)random, sizeof random}, key);
    digest_sha256(buf_span(key), sha256);
    digest_hex(sha256, sizeof sha256, hex);
    return key;
}

/* Returns 0 with whether the document lists the supplier's keys, or -1 with *err. */
static int find_supplier(struct db_wait *db, const char *id, bool *is_listed, struct error *err)
{
    struct db_answer *found = db_wait_ask(db, FIND, DB_PARAMS(id), err);
    int rc = 0;

    if (found == NULL)
        return -1;
    if (db_answer_rows(found) == 0)
        rc = error_set(err, "there is no supplier %s", id);
    else
        *is_listed = db_answer_bool(found, 0, 0);
    db_answer_free(&found);
    return rc;
}

static int store_key(struct db_wait *db, const char *supplier_id, const char *hex, bool *is_listed, struct error *err)
{
    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 || db_wait_do(db, CONFIGURATION_FENCE, DB_NO_PARAMS, err) < 0)
        return -1;
    if (find_supplier(db, supplier_id, is_listed, err) != 0)
        return -1;
    if (db_wait_do(db, ADD, DB_PARAMS(hex, supplier_id), err) < 0 || db_wait_do(db, CONFIGURATION_BUMP, DB_NO_PARAMS, err) < 0)
        return -1;
    return db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0 ? -1 : 0;
}

static int key_new(const char *name, struct db_wait *db, const char *supplier_id)
{
    char hex[DIGEST_HEX_BYTES];
    struct buf *key = make_key(hex);
    bool is_listed = false;
    struct error err;
    int rc = EXIT_OK;

    if (store_key(db, supplier_id, hex, &is_listed, &err) == 0) {
        puts(buf_text(key));
        fflush(stdout);
        configuration_wait(name, db);
        if (is_listed)
            fprintf(stderr, "%s: the document lists this supplier's keys: add {\"sha256\": \"%s\"} to it, or the next apply removes this one\n",
                    name, hex);
    } else {
        rc = command_failed(name, db, &err);
    }
    buf_free(&key);
    return rc;
}

int command_key_new(int argc, char **argv)
{
    struct options options;
    struct db_wait *db;
    struct error err;
    int rc;

    if (options_read(&options, argc, argv, 1, 0) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    if (db == NULL)
        return command_failed(argv[0], NULL, &err);
    rc = key_new(argv[0], db, options.operands[0]);
    db_wait_close(&db);
    return rc;
}
