/*
 * Parts of pages, each where its mark stands.
 */
#include "ui/template.h"

#include <assert.h>
#include <string.h>

#include "sim/verdict.h"

static void put_part(FILE *out, struct ui_part part)
{
    fwrite(part.at, 1, part.size, out);
}

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

void ui_put_data(FILE *out, const char *id, const struct ui_bytes *bytes)
{
    fprintf(out, "<script type=\"application/octet-stream\" id=\"%s\">", id);
    put_base64(out, bytes->at, bytes->size);
    fputs("</script>", out);
}

void ui_put_policy(FILE *out, struct ui_part style_hash, struct ui_part script_hash,
                   const char *live)
{
    fputs("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-",
          out);
    put_part(out, style_hash);
    fputs("'; script-src 'sha256-", out);
    put_part(out, script_hash);
    if (live == NULL) {
        fputs("'\">", out);
        return;
    }
    fputs("'; connect-src 'self'\"><meta name=\"kcsim-live\" content=\"", out);
    sim_print_xml(out, live);
    fputs("\">", out);
}

void ui_put_style(FILE *out, struct ui_part style)
{
    fputs("<style>", out);
    put_part(out, style);
    fputs("</style>", out);
}

void ui_put_script(FILE *out, struct ui_part script)
{
    fputs("<script type=\"module\">", out);
    put_part(out, script);
    fputs("</script>", out);
}

void ui_put_title(FILE *out, const struct sim_trace *trace, const char *name)
{
    struct sim_record meta;
    const char *title = sim_trace_get(trace, 1, &meta) ? sim_record_text(&meta, SIM_F_TITLE) : NULL;
    if (title == NULL)
        title = name;
    sim_print_xml(out, title != NULL ? title : "A run");
}

static const char *find(const char *at, const char *end, const char *text)
{
    size_t size = strlen(text);
    for (; (size_t)(end - at) >= size; at++)
        if (memcmp(at, text, size) == 0)
            return at;
    return NULL;
}

bool ui_template_write(FILE *out, struct ui_part page, const struct ui_mark *marks, size_t count,
                       const void *context)
{
    const char *at = page.at, *end = page.at + page.size;
    for (size_t i = 0; i < count; i++) {
        const char *mark = find(at, end, marks[i].text);
        assert(mark != NULL);
        fwrite(at, 1, (size_t)(mark - at), out);
        marks[i].put(out, context);
        at = mark + strlen(marks[i].text);
    }
    fwrite(at, 1, (size_t)(end - at), out);
    return fflush(out) == 0 && ferror(out) == 0;
}
