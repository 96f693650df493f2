/*
 * Filling the template.
 *
 *     records ──► ui_packed_write ──► base64 ──► the data block, last in the file
 *
 * The data block is last so that a page whose end was torn off still has its script, which then
 * says what is missing.
 */
#include "ui/page.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ui/packed.h"

struct writer {
    FILE *out;
    const struct sim_trace *trace;
    const struct ui_page_options *options;
};

/* ---- the data block ---- */

static void put_base64(FILE *out, const uint8_t *at, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                         (left > 2 ? at[i + 2] : 0);
        char text[4];
        for (size_t k = 0; k < 4; k++)
            text[k] = k <= left ? digits[group >> (18 - 6 * k) & 63] : '=';
        fwrite(text, 1, sizeof(text), out);
    }
}

static void put_trace(const struct writer *w)
{
    struct ui_bytes packed = {0};
    if (w->options->packing != NULL)
        ui_packing_write(w->options->packing, w->trace, &packed);
    else
        ui_packed_write(w->trace, w->options->remark, &packed);
    fputs("<script type=\"application/octet-stream\" id=\"trace\">", w->out);
    put_base64(w->out, packed.at, packed.size);
    fputs("</script>", w->out);
    free(packed.at);
}

/* ---- the other parts ---- */

static void put_part(const struct writer *w, struct ui_part part)
{
    fwrite(part.at, 1, part.size, w->out);
}

static void put_title(const struct writer *w)
{
    struct sim_record meta;
    const char *title =
        sim_trace_get(w->trace, 1, &meta) ? sim_record_text(&meta, SIM_F_TITLE) : NULL;
    if (title == NULL)
        title = w->options->name;
    fputs("<title>", w->out);
    ui_escape(w->out, title != NULL ? title : "A run");
    fputs(" - kcsim</title>", w->out);
}

static void put_policy(const struct writer *w)
{
    fputs("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-",
          w->out);
    put_part(w, ui_part_style_hash());
    fputs("'; script-src 'sha256-", w->out);
    put_part(w, ui_part_script_hash());
    if (w->options->live == NULL) {
        fputs("'\">", w->out);
        return;
    }
    fputs("'; connect-src 'self'\"><meta name=\"kcsim-live\" content=\"", w->out);
    ui_escape(w->out, w->options->live);
    fputs("\">", w->out);
}

static void put_style(const struct writer *w)
{
    fputs("<style>", w->out);
    put_part(w, ui_part_style());
    fputs("</style>", w->out);
}

static void put_script(const struct writer *w)
{
    fputs("<script type=\"module\">", w->out);
    put_part(w, ui_part_script());
    fputs("</script>", w->out);
}

static void put_summary(const struct writer *w)
{
    fputs("<noscript>\n", w->out);
    ui_summary_print(w->out, w->trace, w->options);
    fputs("</noscript>", w->out);
}

/* What stands in web/page.html, and what takes its place; each once, in this order. A test holds
   the template to it. */
static const struct mark {
    const char *text;
    void (*put)(const struct writer *writer);
} marks[] = {
    {"<!-- policy -->", put_policy},
    {"<title>kcsim</title>", put_title},
    {"<link rel=\"stylesheet\" href=\"style.css\">", put_style},
    {"<script type=\"module\" src=\"main.js\"></script>", put_script},
    {"<noscript></noscript>", put_summary},
    {"<script type=\"application/octet-stream\" id=\"trace\"></script>", put_trace},
};

static const char *find(const char *at, const char *end, const char *text)
{
    size_t size = strlen(text);
    for (; (size_t)(end - at) >= size; at++)
        if (memcmp(at, text, size) == 0)
            return at;
    return NULL;
}

bool ui_page_write(FILE *out, const struct sim_trace *trace, const struct ui_page_options *options)
{
    const struct writer writer = {.out = out, .trace = trace, .options = options};
    struct ui_part page = ui_part_page();
    const char *at = page.at, *end = page.at + page.size;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *mark = find(at, end, marks[i].text);
        assert(mark != NULL);
        fwrite(at, 1, (size_t)(mark - at), out);
        marks[i].put(&writer);
        at = mark + strlen(marks[i].text);
    }
    fwrite(at, 1, (size_t)(end - at), out);
    return fflush(out) == 0 && ferror(out) == 0;
}
