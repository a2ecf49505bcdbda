/*
 * export.c - prints the configuration as a document; applying that changes nothing.
 */
#include "leadctl/command.h"
#include "leadctl/configuration.h"

#include <stdio.h>

int command_export(int argc, char **argv)
{
    struct options options;
    struct json *document;
    struct db_wait *db;
    struct buf *text;
    struct error err;

    if (options_read(&options, argc, argv, 0, 0) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    document = db != NULL ? configuration_read(db, &err) : NULL;
    if (document == NULL) {
        command_failed(argv[0], db, &err);
        db_wait_close(&db);
        return EXIT_FAILED;
    }
    text = buf_new(65536);
    json_print_pretty(document, text);
    puts(buf_text(text));
    buf_free(&text);
    json_free(&document);
    db_wait_close(&db);
    return EXIT_OK;
}
