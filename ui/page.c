/*
 * The page of one trace.
 *
 *     records ──► ui_packed_write ──► base64 ──► the data block, last in the file
 *
 * The data block is last so that a page whose end was torn off still has its script, which then
 * says what is missing.
 */
#include "ui/page.h"

#include <stdlib.h>

#include "ui/packed.h"
#include "ui/template.h"

struct source {
    const struct sim_trace *trace;
    const struct ui_page_options *options;
};

static void put_trace(FILE *out, const void *context)
{
    const struct source *s = context;
    struct ui_bytes packed = {0};
    if (s->options->packing != NULL)
        ui_packing_write(s->options->packing, s->trace, &packed);
    else
        ui_packed_write(s->trace, s->options->remark, &packed);
    ui_put_data(out, "trace", &packed);
    free(packed.at);
}

static void put_title(FILE *out, const void *context)
{
    const struct source *s = context;
    fputs("<title>", out);
    ui_put_title(out, s->trace, s->options->name);
    fputs(" - kcsim</title>", out);
}

static void put_policy(FILE *out, const void *context)
{
    const struct source *s = context;
    ui_put_policy(out, ui_part_style_hash(), ui_part_script_hash(), s->options->live);
}

static void put_style(FILE *out, const void *context)
{
    (void)context;
    ui_put_style(out, ui_part_style());
}

static void put_script(FILE *out, const void *context)
{
    (void)context;
    ui_put_script(out, ui_part_script());
}

static void put_summary(FILE *out, const void *context)
{
    const struct source *s = context;
    fputs("<noscript>\n", out);
    ui_summary_print(out, s->trace, s->options);
    fputs("</noscript>", out);
}

/* What stands in web/page.html. A test holds the template to it. */
static const struct ui_mark marks[] = {
    {"<!-- policy -->", put_policy},
    {"<title>kcsim</title>", put_title},
    {"<link rel=\"stylesheet\" href=\"style.css\">", put_style},
    {"<script type=\"module\" src=\"main.js\"></script>", put_script},
    {"<noscript></noscript>", put_summary},
    {"<script type=\"application/octet-stream\" id=\"trace\"></script>", put_trace},
};

bool ui_page_write(FILE *out, const struct sim_trace *trace, const struct ui_page_options *options)
{
    const struct source source = {.trace = trace, .options = options};
    return ui_template_write(out, ui_part_page(), marks, sizeof(marks) / sizeof(marks[0]), &source);
}
