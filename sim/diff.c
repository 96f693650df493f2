/*
 * Comparing two traces record by record. One value has one encoding, so records are compared as
 * bytes; only the one that differs is looked into.
 */
#include "sim/diff.h"

#include <inttypes.h>
#include <string.h>

#include "sim/moment.h"
#include "sim/narrate.h"

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

/* ---- fields that differ ---- */

static void print_or_absent(FILE *out, const struct sim_value *v)
{
    if (v == NULL)
        fputs("absent", out);
    else
        sim_value_print(out, v);
}

/* Shows the first pairs, counts the rest. */
enum { PAIRS_SHOWN = 12 };

struct pairs {
    FILE *out;
    int count;
};

static void print_pair(struct pairs *pairs, const char *name, const struct sim_value *a,
                       const struct sim_value *b)
{
    FILE *out = pairs->out;
    if (pairs->count++ >= PAIRS_SHOWN)
        return;
    fprintf(out, "    %s: ", name);
    print_or_absent(out, a);
    fputs(" | ", out);
    print_or_absent(out, b);
    fputc('\n', out);
}

static bool find_set(const struct sim_record *r, const char *key, struct sim_value *value)
{
    struct sim_walk walk = {0};
    const char *found;
    while (sim_record_next_set(r, &walk, &found, value))
        if (strcmp(found, key) == 0)
            return true;
    return false;
}

/* Facts of `a` that `b` does not set alike; with both ways round, all that differ. */
static void print_sets(struct pairs *out, const struct sim_record *a, const struct sim_record *b,
                       bool swapped)
{
    struct sim_walk walk = {0};
    struct sim_value mine, other;
    const char *key;
    while (sim_record_next_set(a, &walk, &key, &mine)) {
        bool has = find_set(b, key, &other);
        if (has && (swapped || sim_value_equal(&mine, &other)))
            continue;
        const struct sim_value *right = has ? &other : NULL;
        print_pair(out, key, swapped ? right : &mine, swapped ? &mine : right);
    }
}

static void print_fields(struct pairs *out, const struct sim_record *a, const struct sim_record *b,
                         bool swapped)
{
    struct sim_walk walk = {0};
    struct sim_value mine, other;
    enum sim_field field;
    while (sim_record_next(a, &walk, &field, &mine)) {
        bool has = sim_record_get(b, field, &other);
        if (field == SIM_F_SET || (has && (swapped || sim_value_equal(&mine, &other))))
            continue;
        const struct sim_value *right = has ? &other : NULL;
        print_pair(out, sim_field_name(field), swapped ? right : &mine, swapped ? &mine : right);
    }
}

static void print_differences(FILE *out, const struct sim_record *a, const struct sim_record *b)
{
    struct pairs pairs = {.out = out};
    print_fields(&pairs, a, b, false);
    print_fields(&pairs, b, a, true);
    print_sets(&pairs, a, b, false);
    print_sets(&pairs, b, a, true);
    if (pairs.count > PAIRS_SHOWN)
        fprintf(out, "    and %d more\n", pairs.count - PAIRS_SHOWN);
}

static void print_heads(FILE *out, const struct sim_record *a, const struct sim_record *b)
{
    char left[SIM_LANE_TEXT], right[SIM_LANE_TEXT];
    if (a->t != b->t)
        fprintf(out, "    t: %" PRId64 " | %" PRId64 "\n", a->t, b->t);
    if (a->at != b->at)
        fprintf(out, "    at: %s | %s\n", sim_lane_text(left, a->at), sim_lane_text(right, b->at));
    if (a->kind != b->kind)
        fprintf(out, "    k: %s | %s\n", sim_kind_name(a->kind), sim_kind_name(b->kind));
    if (a->by != b->by)
        fprintf(out, "    by: %" PRIu64 " | %" PRIu64 "\n", a->by, b->by);
    if (a->mute != b->mute)
        fprintf(out, "    mute: %" PRIu64 " | %" PRIu64 "\n", a->mute, b->mute);
}

/* ---- the report ---- */

static void print_side(FILE *out, const char *name, const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    char sentence[400], time[SIM_TIME_TEXT];
    if (!sim_trace_get(trace, n, &r)) {
        fprintf(out, "%s: has no record %" PRIu64 "\n", name, n);
        return;
    }
    sim_narrate(&r, sentence, sizeof(sentence));
    fprintf(out, "%s: %s  %s\n", name, sim_time_text(time, r.t), sentence);
    if (r.by != 0 && sim_trace_get(trace, r.by, &r)) {
        sim_narrate(&r, sentence, sizeof(sentence));
        fprintf(out, "    because of #%" PRIu64 ": %s\n", r.n, sentence);
    }
}

/* Says how the metas differ; returns where the comparison begins. */
static uint64_t compare_metas(FILE *out, const struct sim_trace *a, const struct sim_trace *b)
{
    struct sim_record left, right;
    if (!sim_trace_get(a, 1, &left) || !sim_trace_get(b, 1, &right) || left.kind != SIM_K_META ||
        right.kind != SIM_K_META)
        return 1;
    if (!is_same(&left, &right)) {
        fputs("The runs were made differently:\n", out);
        print_differences(out, &left, &right);
    }
    return 2;
}

bool sim_diff_print(FILE *out, const struct sim_trace *a, const struct sim_trace *b,
                    const char *name_a, const char *name_b)
{
    struct sim_record left, right;
    uint64_t n = sim_diff_first(a, b, compare_metas(out, a, b));
    if (n == 0) {
        fprintf(out, "Equal: %" PRIu64 " records.\n", sim_trace_count(a));
        return true;
    }
    fprintf(out, "The first record that differs is #%" PRIu64 ".\n", n);
    print_side(out, name_a, a, n);
    print_side(out, name_b, b, n);
    if (sim_trace_get(a, n, &left) && sim_trace_get(b, n, &right)) {
        fprintf(out, "What differs (%s | %s):\n", name_a, name_b);
        print_heads(out, &left, &right);
        print_differences(out, &left, &right);
    }
    return false;
}
