/*
 * What differs in a pair of records: fields, then facts, each as "name: of a | of b". What counts
 * as the same is align_same.h's: numbers and times that move with everything are left out.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */

#include "sim/diff.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/align_same.h"

/* Shows the first, counts the rest. */
enum { PAIRS_SHOWN = 12, LONGEST = 160 };

struct pairs {
    FILE *out;
    const char *before, *after;
    int count;
};

static void print_or_absent(FILE *out, const struct sim_value *v)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = v != NULL ? open_memstream(&text, &size) : NULL;
    if (memory == NULL) {
        fputs("absent", out);
        return;
    }
    sim_value_print(memory, v);
    fclose(memory);
    size_t shown = size <= LONGEST ? size : LONGEST;
    while (shown < size && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--; /* no character is cut in two */
    fprintf(out, "%.*s%s", (int)shown, text, shown < size ? "…" : "");
    free(text);
}

static void print_pair(struct pairs *pairs, const char *name, const struct sim_value *a,
                       const struct sim_value *b)
{
    FILE *out = pairs->out;
    if (pairs->count++ >= PAIRS_SHOWN)
        return;
    fprintf(out, "%s%s: ", pairs->before, name);
    print_or_absent(out, a);
    fputs(" | ", out);
    print_or_absent(out, b);
    fputs(pairs->after, out);
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
        if (!sim_align_has_fact(a->kind, key, &mine) ||
            (has && (swapped || sim_align_equal(key, &mine, &other))))
            continue;
        const struct sim_value *right = has ? &other : NULL;
        print_pair(out, key, swapped ? right : &mine, swapped ? &mine : right);
    }
}

/* The text of the scenario is told by lines (diff.c). */
static void print_fields(struct pairs *out, const struct sim_record *a, const struct sim_record *b,
                         bool swapped)
{
    struct sim_walk walk = {0};
    struct sim_value mine, other;
    enum sim_field field;
    while (sim_record_next(a, &walk, &field, &mine)) {
        bool has = sim_record_get(b, field, &other);
        if (!sim_align_has_field(a->kind, field) || field == SIM_F_SCENARIO ||
            (has && (swapped || sim_align_equal(NULL, &mine, &other))))
            continue;
        const struct sim_value *right = has ? &other : NULL;
        print_pair(out, sim_field_name(field), swapped ? right : &mine, swapped ? &mine : right);
    }
}

/* Two faults that are alike act at two times. */
static void print_times(struct pairs *out, const struct sim_record *a, const struct sim_record *b)
{
    if (a->kind != SIM_K_FAULT || a->t == b->t)
        return;
    struct sim_value left = {.type = SIM_V_INT, .number = a->t};
    struct sim_value right = {.type = SIM_V_INT, .number = b->t};
    print_pair(out, "t", &left, &right);
}

void sim_diff_values(FILE *out, const struct sim_record *a, const struct sim_record *b,
                     const char *before, const char *after)
{
    struct pairs pairs = {.out = out, .before = before, .after = after};
    print_times(&pairs, a, b);
    print_fields(&pairs, a, b, false);
    print_fields(&pairs, b, a, true);
    print_sets(&pairs, a, b, false);
    print_sets(&pairs, b, a, true);
    if (pairs.count > PAIRS_SHOWN)
        fprintf(out, "%sand %d more%s", before, pairs.count - PAIRS_SHOWN, after);
}
