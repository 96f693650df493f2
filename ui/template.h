/*
 * Filling a page: what is marked in a template is replaced, and the parts that all pages have.
 * Internal to ui/.
 *
 *     page.html   one trace        pair.html   two of them
 *
 * The policy (Content-Security-Policy) names the hashes of the one style and the one script;
 * nothing else runs, and nothing is loaded.
 */
#ifndef UI_TEMPLATE_H
#define UI_TEMPLATE_H

#include <stdbool.h>
#include <stdio.h>

#include "ui/packed.h"
#include "ui/page.h"

/* What stands in a template, and what takes its place. */
struct ui_mark {
    const char *text;
    void (*put)(FILE *out, const void *context);
};

/* Writes the template with its marks replaced: each is there once (asserted), in this order.
   Returns false where writing failed (errno). */
bool ui_template_write(FILE *out, struct ui_part page, const struct ui_mark *marks, size_t count,
                       const void *context);

/* The parts. live: what the page is told of its own server, which it may ask; NULL: there is none.
 */
void ui_put_policy(FILE *out, struct ui_part style_hash, struct ui_part script_hash,
                   const char *live);
void ui_put_style(FILE *out, struct ui_part style);
void ui_put_script(FILE *out, struct ui_part script);
/* A data block: bytes in base64, in an element with that id. */
void ui_put_data(FILE *out, const char *id, const struct ui_bytes *bytes);
/* The title of a trace, escaped: its own, `name` where it has none; NULL: "A run". */
void ui_put_title(FILE *out, const struct sim_trace *trace, const char *name);

#endif
