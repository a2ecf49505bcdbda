#include "leadctl/read_file.h"

#include <stdio.h>
#include <string.h>

struct buf *read_file(const char *path, struct error *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    struct buf *text = buf_new(65536);
    size_t got;

    if (file == NULL) {
        error_errno(err, "cannot open %s", path);
        buf_free(&text);
        return NULL;
    }
    while ((got = fread(buf_reserve(text, 65536), 1, 65536, file)) > 0 && text->len <= READ_FILE_BYTES_MOST)
        text->len += got;
    if (ferror(file))
        error_errno(err, "cannot read %s", path);
    else if (text->len > READ_FILE_BYTES_MOST)
        error_set(err, "%s is over %d MiB", path, READ_FILE_BYTES_MOST >> 20);
    if (ferror(file) || text->len > READ_FILE_BYTES_MOST)
        buf_free(&text);
    if (file != stdin)
        fclose(file);
    return text;
}
