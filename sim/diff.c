/*
 * Two traces in words. One value has one encoding, so records are the same to the byte or are
 * looked into; what differs in a pair is told field by field and fact by fact (diff_values.c).
 */
#include "sim/diff.h"

#include <inttypes.h>
#include <string.h>

#include "sim/moment.h"
#include "sim/narrate.h"
#include "sim/why.h"

/* ---- to the byte ---- */

static bool is_same(const struct sim_record *a, const struct sim_record *b)
{
    return a->t == b->t && a->at == b->at && a->by == b->by && a->mute == b->mute &&
           a->kind == b->kind && a->size == b->size && memcmp(a->payload, b->payload, a->size) == 0;
}

uint64_t sim_diff_first(const struct sim_trace *a, const struct sim_trace *b, uint64_t from)
{
    struct sim_record left, right;
    for (uint64_t n = from;; n++) {
        bool has_left = sim_trace_get(a, n, &left), has_right = sim_trace_get(b, n, &right);
        if (!has_left && !has_right)
            return 0;
        if (has_left != has_right || !is_same(&left, &right))
            return n;
    }
}

static bool have_metas(const struct sim_trace *a, const struct sim_trace *b,
                       struct sim_record *left, struct sim_record *right)
{
    return sim_trace_get(a, 1, left) && sim_trace_get(b, 1, right) && left->kind == SIM_K_META &&
           right->kind == SIM_K_META;
}

uint64_t sim_diff_parted(const struct sim_trace *a, const struct sim_trace *b)
{
    struct sim_record left, right;
    return sim_diff_first(a, b, have_metas(a, b, &left, &right) ? 2 : 1);
}

/* ---- how they were made ---- */

/* A text line by line, between what both begin and end with. */
struct lines {
    const char *at, *end;
};

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline != NULL ? newline : end;
}

static void skip_common(struct lines *a, struct lines *b)
{
    while (a->at < a->end && b->at < b->end) {
        const char *left = line_end(a->at, a->end), *right = line_end(b->at, b->end);
        if (left - a->at != right - b->at || memcmp(a->at, b->at, (size_t)(left - a->at)) != 0)
            break;
        a->at = left < a->end ? left + 1 : left;
        b->at = right < b->end ? right + 1 : right;
    }
    while (a->at < a->end && b->at < b->end && a->end[-1] == b->end[-1]) {
        a->end--;
        b->end--;
    }
    while (a->end > a->at && a->end[-1] != '\n' && *a->end != '\n' && *a->end != '\0')
        a->end++; /* what is left of a line is told whole */
    while (b->end > b->at && b->end[-1] != '\n' && *b->end != '\n' && *b->end != '\0')
        b->end++;
}

static void print_lines(FILE *out, struct lines l, const char *name)
{
    enum { SHOWN = 6 };
    int count = 0;
    for (; l.at < l.end && count < SHOWN; count++) {
        const char *end = line_end(l.at, l.end);
        fprintf(out, "    %s: %.*s\n", name, (int)(end - l.at), l.at);
        l.at = end < l.end ? end + 1 : end;
    }
    if (l.at < l.end)
        fprintf(out, "    %s: …\n", name);
}

/* The texts of the scenarios as lines, the rest as values. */
static void compare_metas(FILE *out, const struct sim_trace *a, const struct sim_trace *b,
                          const char *const names[2])
{
    struct sim_record left, right;
    struct sim_value from, to;
    if (!have_metas(a, b, &left, &right) || is_same(&left, &right))
        return;
    fputs("The runs were made differently:\n", out);
    sim_diff_values(out, &left, &right, "    ", "\n");
    if (!sim_record_get(&left, SIM_F_SCENARIO, &from) ||
        !sim_record_get(&right, SIM_F_SCENARIO, &to) || sim_value_equal(&from, &to))
        return;
    struct lines x = {from.text, from.text + from.size}, y = {to.text, to.text + to.size};
    skip_common(&x, &y);
    print_lines(out, x, names[0]);
    print_lines(out, y, names[1]);
}

/* ---- where a difference begins ---- */

static void print_cause(FILE *out, const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    char sentence[400];
    if (n == 0 || !sim_trace_get(trace, n, &r)) {
        fputs("nothing", out);
        return;
    }
    sim_narrate(&r, sentence, sizeof(sentence));
    fprintf(out, "record %" PRIu64 " (%s)", n, sentence);
}

static void explain_pair(FILE *out, const struct sim_align *align, const char *const names[2],
                         const struct sim_record r[2])
{
    const uint64_t *other = align->side[0].other;
    uint64_t cause[2] = {sim_why_next(&r[0]), sim_why_next(&r[1])};
    if ((cause[0] != 0 ? other[cause[0]] : 0) != cause[1]) {
        fprintf(out, "Both have it, from other causes: %s because of ", names[0]);
        print_cause(out, align->side[0].trace, cause[0]);
        fprintf(out, ", %s because of ", names[1]);
        print_cause(out, align->side[1].trace, cause[1]);
        fputc('.', out);
        return;
    }
    if (r[0].kind == SIM_K_FAULT && r[0].t != r[1].t && cause[0] == 0) {
        fputs("Both scenarios ask for it, at another time.", out);
        return;
    }
    fputs("Both have it, and not the same", out);
    if (cause[0] != 0) {
        fputs(", though both have what it comes of: ", out);
        print_cause(out, align->side[0].trace, cause[0]);
    }
    fputc('.', out);
}

static void explain_only(FILE *out, const struct sim_align *align, const char *const names[2],
                         int side, const struct sim_record *r)
{
    uint64_t cause = sim_why_next(r);
    bool scripted = r->kind == SIM_K_FAULT && r->by == 0;
    if (cause == 0) {
        fprintf(out,
                scripted ? "The scenario of %s asks for it, that of %s does not."
                         : "Nothing caused it in %s, and %s has nothing like it.",
                names[side], names[1 - side]);
        return;
    }
    fprintf(out, "Both have what it comes of, ");
    print_cause(out, align->side[side].trace, cause);
    fprintf(out, "; in %s nothing like it followed.", names[1 - side]);
}

void sim_diff_explain(FILE *out, const struct sim_align *align, const char *const names[2],
                      const struct sim_align_begin *begin)
{
    const struct sim_align_side *s = &align->side[begin->side];
    struct sim_record r[2] = {0};
    uint64_t there = s->other[begin->n];
    if (!sim_trace_get(s->trace, begin->n, &r[begin->side]))
        return;
    if (there == 0)
        explain_only(out, align, names, begin->side, &r[begin->side]);
    else if (sim_trace_get(align->side[1 - begin->side].trace, there, &r[1 - begin->side]))
        explain_pair(out, align, names, r);
}

/* ---- the report ---- */

static void print_record(FILE *out, const struct sim_trace *trace, uint64_t n, const char *name)
{
    struct sim_record r;
    char sentence[400], time[SIM_TIME_TEXT];
    if (!sim_trace_get(trace, n, &r))
        return;
    sim_narrate(&r, sentence, sizeof(sentence));
    fprintf(out, "  %s: %s  #%" PRIu64 " %s\n", name, sim_time_text(time, r.t), n, sentence);
}

static void print_first(FILE *out, const struct sim_align *align, const char *const names[2])
{
    const struct sim_align_begin *first = &align->begins[0];
    const struct sim_align_side *s = &align->side[first->side];
    struct sim_record r, there;
    char time[SIM_TIME_TEXT];
    uint64_t other = s->other[first->n];
    fprintf(out, "\nThe first difference, at %s:\n", sim_time_text(time, first->t));
    print_record(out, s->trace, first->n, names[first->side]);
    if (other != 0)
        print_record(out, align->side[1].trace, other, names[1]);
    else
        fprintf(out, "  %s: nothing\n", names[1 - first->side]);
    sim_diff_explain(out, align, names, first);
    fputc('\n', out);
    if (other != 0 && sim_trace_get(s->trace, first->n, &r) &&
        sim_trace_get(align->side[1].trace, other, &there)) {
        fprintf(out, "What differs (%s | %s):\n", names[0], names[1]);
        sim_diff_values(out, &r, &there, "    ", "\n");
    }
    if (sim_trace_get(s->trace, first->n, &r) && sim_why_next(&r) != 0) {
        fprintf(out, "\nWhy, in %s:\n", names[first->side]);
        sim_why_print(out, s->trace, first->n, &(struct sim_why_options){0});
    }
}

/* Log lines say what other records are. */
static bool is_log(const struct sim_align *align, const struct sim_align_begin *begin)
{
    struct sim_record r;
    return sim_trace_get(align->side[begin->side].trace, begin->n, &r) && r.kind == SIM_K_LOG;
}

static void print_begins(FILE *out, const struct sim_align *align, const char *const names[2])
{
    enum { SHOWN = 12 };
    size_t more = 0, shown = 0;
    for (size_t i = 1; i < align->begin_count; i++) {
        const struct sim_align_begin *b = &align->begins[i];
        const struct sim_align_side *s = &align->side[b->side];
        if (is_log(align, b) || shown == SHOWN) {
            more++;
            continue;
        }
        if (shown++ == 0)
            fputs("\nWhere else they part: what these records come of is the same in both.\n", out);
        print_record(out, s->trace, b->n, s->other[b->n] != 0 ? "both" : names[b->side]);
    }
    if (more > 0 && shown > 0)
        fprintf(out, "  and %zu more\n", more);
}

/* The first that came at another time in both: all later ones may have moved along. */
static void print_moved(FILE *out, const struct sim_align *align, const char *const names[2])
{
    const struct sim_align_side *s = &align->side[0];
    for (uint64_t n = 1; n <= s->count; n++)
        if (s->state[n] == SIM_ALIGN_MOVED) {
            fputs("\nNothing differs but times. The first that moved:\n", out);
            print_record(out, s->trace, n, names[0]);
            print_record(out, align->side[1].trace, s->other[n], names[1]);
            return;
        }
    fputs("Nothing differs but numbers.\n", out);
}

bool sim_diff_print(FILE *out, const struct sim_trace *a, const struct sim_trace *b,
                    const char *name_a, const char *name_b)
{
    const char *const names[2] = {name_a, name_b};
    compare_metas(out, a, b, names);
    uint64_t parted = sim_diff_parted(a, b);
    if (parted == 0) {
        fprintf(out, "Equal: %" PRIu64 " records.\n", sim_trace_count(a));
        return true;
    }
    struct sim_align *align = sim_align_new(a, b);
    fprintf(out,
            "By cause: %" PRIu64 " records are the same, %" PRIu64 " came at another time, %" PRIu64
            " differ; only in %s: %" PRIu64 ", only in %s: %" PRIu64
            ".\nTo the byte they are the same up to record %" PRIu64 ".\n",
            align->same, align->moved, align->changed, name_a, align->only[0], name_b,
            align->only[1], parted - 1);
    if (align->begin_count == 0) {
        print_moved(out, align, names);
    } else {
        print_first(out, align, names);
        print_begins(out, align, names);
    }
    sim_align_free(align);
    return false;
}
