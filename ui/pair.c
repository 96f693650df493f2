/*
 * The page of two traces: the alignment as JSON and varints, and the template.
 */
#include "ui/pair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/verdict.h"
#include "sim/branch.h"
#include "sim/diff.h"
#include "sim/narrate.h"
#include "ui/packed.h"
#include "ui/template.h"

struct source {
    const struct sim_align *align;
    const char *const *names;
};

static const struct sim_trace *trace_of(const struct source *s, int side)
{
    return s->align->side[side].trace;
}

/* ---- the alignment ---- */

static FILE *open_text(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (out == NULL)
        abort();
    return out;
}

static const char *verdict_of(const struct sim_trace *trace)
{
    struct sim_record last;
    const char *verdict = NULL;
    if (sim_trace_get(trace, sim_trace_count(trace), &last) && last.kind == SIM_K_FINISH)
        verdict = sim_record_text(&last, SIM_F_VERDICT);
    return verdict != NULL ? verdict : "unfinished";
}

static void print_pair(FILE *out, const struct sim_align *align,
                       const struct sim_align_begin *begin)
{
    uint64_t n[2];
    n[begin->side] = begin->n;
    n[1 - begin->side] = align->side[begin->side].other[begin->n];
    fprintf(out, "[%" PRIu64 ",%" PRIu64 "]", n[0], n[1]);
}

static void print_first(FILE *out, const struct source *s)
{
    const struct sim_align *align = s->align;
    struct sim_record r;
    char say[400], *why = NULL;
    size_t size = 0;
    fputs(",\"first\":", out);
    if (align->begin_count == 0 ||
        !sim_trace_get(trace_of(s, align->begins[0].side), align->begins[0].n, &r)) {
        fputs("null", out);
        return;
    }
    FILE *memory = open_text(&why, &size);
    sim_diff_explain(memory, align, s->names, &align->begins[0]);
    fclose(memory);
    sim_narrate(&r, say, sizeof(say));
    fprintf(out, "{\"side\":%d,\"t\":%" PRId64 ",\"n\":", align->begins[0].side,
            align->begins[0].t);
    print_pair(out, align, &align->begins[0]);
    fputs(",\"say\":", out);
    ui_print_json(out, say);
    fputs(",\"why\":", out);
    ui_print_json(out, why);
    fputc('}', out);
    free(why);
}

static void print_begins(FILE *out, const struct sim_align *align)
{
    fputs(",\"begins\":[", out);
    for (size_t i = 0; i < align->begin_count; i++) {
        fputs(i > 0 ? "," : "", out);
        print_pair(out, align, &align->begins[i]);
    }
    fputc(']', out);
}

/* What differs in each pair that differs. */
static void print_values(FILE *out, const struct sim_align *align)
{
    const struct sim_align_side *a = &align->side[0];
    bool first = true;
    fputs(",\"values\":[", out);
    for (uint64_t n = 1; n <= a->count; n++) {
        struct sim_record left, right;
        char *text = NULL;
        size_t size = 0;
        if (a->state[n] != SIM_ALIGN_CHANGED || !sim_trace_get(a->trace, n, &left) ||
            !sim_trace_get(align->side[1].trace, a->other[n], &right))
            continue;
        FILE *memory = open_text(&text, &size);
        sim_diff_values(memory, &left, &right, "", "\n");
        fclose(memory);
        fprintf(out, "%s[%" PRIu64 ",", first ? "" : ",", n);
        ui_print_json(out, text);
        fputc(']', out);
        free(text);
        first = false;
    }
    fputc(']', out);
}

static void print_ended(FILE *out, const struct source *s)
{
    struct sim_facts *left = sim_facts_new(trace_of(s, 0)), *right = sim_facts_new(trace_of(s, 1));
    struct sim_branch_rows rows = {0};
    uint64_t parted = sim_branch_parted(trace_of(s, 0), trace_of(s, 1));
    if (parted != 0)
        rows = sim_branch_compare(left, right, parted);
    fputs(",\"ended\":[", out);
    for (size_t i = 0; i < rows.count; i++) {
        const struct sim_branch_row *row = &rows.rows[i];
        fputs(i > 0 ? ",{\"what\":" : "{\"what\":", out);
        ui_print_json(out, row->what);
        fputs(",\"values\":[", out);
        ui_print_json(out, row->before);
        fputc(',', out);
        ui_print_json(out, row->after);
        fprintf(out, "],\"t\":%" PRId64 ",\"n\":%" PRIu64 ",\"side\":%d}", row->t_us, row->record,
                row->in_branch);
    }
    fprintf(out, "],\"passing\":%zu", rows.passing);
    sim_branch_rows_free(&rows);
    sim_facts_free(left);
    sim_facts_free(right);
}

static void put_header(struct ui_bytes *bytes, const struct source *s)
{
    const struct sim_align *align = s->align;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_text(&text, &size);
    fputs("{\"names\":[", out);
    ui_print_json(out, s->names[0]);
    fputc(',', out);
    ui_print_json(out, s->names[1]);
    fputs("],\"verdicts\":[", out);
    ui_print_json(out, verdict_of(trace_of(s, 0)));
    fputc(',', out);
    ui_print_json(out, verdict_of(trace_of(s, 1)));
    fprintf(out,
            "],\"counts\":{\"same\":%" PRIu64 ",\"moved\":%" PRIu64 ",\"changed\":%" PRIu64
            ",\"only\":[%" PRIu64 ",%" PRIu64 "]}",
            align->same, align->moved, align->changed, align->only[0], align->only[1]);
    print_first(out, s);
    print_begins(out, align);
    print_values(out, align);
    print_ended(out, s);
    fputc('}', out);
    if (fclose(out) != 0)
        abort();
    ui_bytes_frame(bytes, &(struct ui_bytes){.at = (uint8_t *)text, .size = size});
    free(text);
}

static void put_pairs(struct ui_bytes *bytes, const struct sim_align *align)
{
    const struct sim_align_side *a = &align->side[0];
    struct ui_bytes body = {0};
    uint64_t expected = 1;
    for (uint64_t n = 1; n <= a->count; n++) {
        if (a->other[n] == 0) {
            ui_bytes_varint(&body, 0);
            continue;
        }
        int64_t off = (int64_t)(a->other[n] - expected);
        uint64_t zigzag = (uint64_t)off << 1 ^ (off < 0 ? UINT64_MAX : 0);
        ui_bytes_varint(&body, 1 + 2 * zigzag + (a->state[n] == SIM_ALIGN_CHANGED));
        expected = a->other[n] + 1;
    }
    ui_bytes_frame(bytes, &body);
    free(body.at);
}

static void put_alignment(FILE *out, const void *context)
{
    const struct source *s = context;
    struct ui_bytes bytes = {0};
    ui_bytes_put(&bytes, UI_PAIR_SCHEMA "\n", strlen(UI_PAIR_SCHEMA "\n"));
    put_header(&bytes, s);
    put_pairs(&bytes, s->align);
    ui_bytes_end(&bytes);
    ui_put_data(out, "alignment", &bytes);
    free(bytes.at);
}

/* ---- the page ---- */

static void put_trace(FILE *out, const struct source *s, int side, const char *id)
{
    struct ui_bytes packed = {0};
    ui_packed_write(trace_of(s, side), NULL, &packed);
    ui_put_data(out, id, &packed);
    free(packed.at);
}

static void put_first_trace(FILE *out, const void *context)
{
    put_trace(out, context, 0, "trace");
}

static void put_other_trace(FILE *out, const void *context)
{
    put_trace(out, context, 1, "other");
}

static void put_title(FILE *out, const void *context)
{
    const struct source *s = context;
    fputs("<title>", out);
    ui_put_title(out, trace_of(s, 0), NULL);
    fputs(": two runs - kcsim</title>", out);
}

static void put_policy(FILE *out, const void *context)
{
    (void)context;
    ui_put_policy(out, ui_part_pair_style_hash(), ui_part_pair_script_hash(), NULL);
}

static void put_style(FILE *out, const void *context)
{
    (void)context;
    ui_put_style(out, ui_part_pair_style());
}

static void put_script(FILE *out, const void *context)
{
    (void)context;
    ui_put_script(out, ui_part_pair_script());
}

/* What kcsim diff prints. */
static void put_summary(FILE *out, const void *context)
{
    const struct source *s = context;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_text(&text, &size);
    sim_diff_print(memory, trace_of(s, 0), trace_of(s, 1), s->names[0], s->names[1]);
    fclose(memory);
    fputs("<noscript>\n<pre>", out);
    sim_print_xml(out, text);
    fputs("</pre>\n</noscript>", out);
    free(text);
}

/* What stands in web/pair.html. */
static const struct ui_mark marks[] = {
    {"<!-- policy -->", put_policy},
    {"<title>kcsim</title>", put_title},
    {"<link rel=\"stylesheet\" href=\"pair.css\">", put_style},
    {"<script type=\"module\" src=\"pair.js\"></script>", put_script},
    {"<noscript></noscript>", put_summary},
    {"<script type=\"application/octet-stream\" id=\"alignment\"></script>", put_alignment},
    {"<script type=\"application/octet-stream\" id=\"trace\"></script>", put_first_trace},
    {"<script type=\"application/octet-stream\" id=\"other\"></script>", put_other_trace},
};

bool ui_pair_write(FILE *out, const struct sim_align *align, const char *const names[2])
{
    const struct source source = {.align = align, .names = names};
    return ui_template_write(out, ui_part_pair(), marks, sizeof(marks) / sizeof(marks[0]), &source);
}
