/*
 * html.h - text in a page. Pure.
 */
#ifndef LEADLINE_GATEWAY_HTML_H
#define LEADLINE_GATEWAY_HTML_H

#include "common/buf.h"
#include "common/span.h"

/* Writes the text so that a browser shows it as it is: as content, or between the double quotes of an attribute. */
void html_add(struct buf *out, struct span text);

#endif
