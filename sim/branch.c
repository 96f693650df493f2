/*
 * Two runs side by side: for each thing that is asked about, its two histories behind the record at
 * which the runs part; where the values at the same place differ, they differ since then.
 */
#include "sim/branch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diff.h"
#include "sim/why.h"
#include "statemachine/znode.h"

/* ---- where they part ---- */

/* The same record but for the line of the scenario that it names. */
static bool is_same_but_line(const struct sim_record *a, const struct sim_record *b)
{
    struct sim_walk left = {0}, right = {0};
    struct sim_value v, w;
    enum sim_field f, g;
    if (a->kind != b->kind || a->t != b->t || a->at != b->at || a->by != b->by ||
        a->mute != b->mute)
        return false;
    for (;;) {
        bool has_left = sim_record_next(a, &left, &f, &v);
        bool has_right = sim_record_next(b, &right, &g, &w);
        if (!has_left || !has_right)
            return has_left == has_right;
        if (f != g || (f != SIM_F_STEP && !sim_value_equal(&v, &w)))
            return false;
    }
}

uint64_t sim_branch_parted(const struct sim_trace *a, const struct sim_trace *b)
{
    struct sim_record left, right;
    uint64_t n = 1;
    while ((n = sim_diff_first(a, b, n + 1)) != 0)
        if (!sim_trace_get(a, n, &left) || !sim_trace_get(b, n, &right) ||
            !is_same_but_line(&left, &right))
            return n;
    return 0;
}

/* ---- histories ---- */

struct value {
    uint64_t n;
    char text[120];
};

struct history {
    struct value *values; /* oldest first; what was the same value again is left out */
    size_t count, capacity;
};

static void history_add(struct history *h, uint64_t n, const char *text)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 16 : h->capacity * 2;
        h->values = realloc(h->values, h->capacity * sizeof(*h->values));
        if (h->values == NULL)
            abort();
    }
    struct value *v = &h->values[h->count++];
    v->n = n;
    snprintf(v->text, sizeof(v->text), "%.100s", text);
}

/* Of {"state":"up","incarnation":2} the state: how often a process was started tells itself. */
static void without_incarnation(char *text)
{
    static const char before[] = "{\"state\":\"";
    char *end = strncmp(text, before, sizeof(before) - 1) == 0
                    ? strchr(text + sizeof(before) - 1, '"')
                    : NULL;
    if (end == NULL)
        return;
    *end = '\0';
    memmove(text, text + sizeof(before) - 1, (size_t)(end - text) - sizeof(before) + 2);
}

/* All values from the end back to the record before `parted`, put in order. */
static struct history history_of(const struct sim_facts *facts, const struct sim_effect *what,
                                 uint64_t parted)
{
    struct history h = {0};
    char text[1024];
    uint64_t at = UINT64_MAX, setter;
    while (sim_why_value(facts, what, at, text, sizeof(text), &setter)) {
        without_incarnation(text);
        history_add(&h, setter, text);
        if (setter < parted || setter <= 1)
            break;
        at = setter - 1;
    }
    for (size_t i = 0; i < h.count / 2; i++) {
        struct value swapped = h.values[i];
        h.values[i] = h.values[h.count - 1 - i];
        h.values[h.count - 1 - i] = swapped;
    }
    return h;
}

static const char *last_text(const struct history *h)
{
    return h->count == 0 ? "-" : h->values[h->count - 1].text;
}

static int64_t time_of(const struct sim_facts *facts, uint64_t n)
{
    struct sim_record r;
    return sim_trace_get(sim_facts_trace(facts), n, &r) ? r.t : 0;
}

/* ---- rows ---- */

struct comparison {
    const struct sim_facts *a, *b;
    uint64_t parted;
    struct sim_branch_rows rows;
    size_t capacity;
};

static struct sim_branch_row *row_add(struct comparison *c)
{
    if (c->rows.count == c->capacity) {
        c->capacity = c->capacity == 0 ? 16 : c->capacity * 2;
        c->rows.rows = realloc(c->rows.rows, c->capacity * sizeof(*c->rows.rows));
        if (c->rows.rows == NULL)
            abort();
    }
    struct sim_branch_row *row = &c->rows.rows[c->rows.count++];
    *row = (struct sim_branch_row){0};
    return row;
}

/* The first place at which the histories differ; false: they are the same. */
static bool first_difference(const struct history *a, const struct history *b, size_t *place)
{
    size_t shorter = a->count < b->count ? a->count : b->count;
    for (*place = 0; *place < shorter; ++*place)
        if (strcmp(a->values[*place].text, b->values[*place].text) != 0)
            return true;
    return a->count != b->count;
}

static void compare_one(struct comparison *c, const char *what)
{
    struct sim_effect target;
    char ignored[512];
    if (!sim_why_target(c->a, what, UINT64_MAX, &target, ignored, sizeof(ignored)) &&
        !sim_why_target(c->b, what, UINT64_MAX, &target, ignored, sizeof(ignored)))
        return;
    struct history a = history_of(c->a, &target, c->parted);
    struct history b = history_of(c->b, &target, c->parted);
    size_t place;
    bool differ = first_difference(&a, &b, &place);
    if (differ && strcmp(last_text(&a), last_text(&b)) == 0) {
        c->rows.passing++;
    } else if (differ) {
        struct sim_branch_row *row = row_add(c);
        snprintf(row->what, sizeof(row->what), "%s", what);
        snprintf(row->before, sizeof(row->before), "%s", last_text(&a));
        snprintf(row->after, sizeof(row->after), "%s", last_text(&b));
        row->in_branch = place < b.count;
        row->record = row->in_branch ? b.values[place].n : a.values[place].n;
        row->t_us = time_of(row->in_branch ? c->b : c->a, row->record);
    }
    free(a.values);
    free(b.values);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), more = strlen(end);
    return size >= more && strcmp(text + size - more, end) == 0;
}

/* Compares what a key of either run stands for. */
static void compare_key(struct comparison *c, const char *key)
{
    char topic[SM_TOPIC_NAME_MAX + 1], what[400];
    int32_t partition;
    if (strncmp(key, "zn:", 3) == 0 && sm_path_is_partition_state(key + 3, topic, &partition)) {
        snprintf(what, sizeof(what), "leader of %s-%" PRId32, topic, partition);
        compare_one(c, what);
        snprintf(what, sizeof(what), "isr of %s-%" PRId32, topic, partition);
        compare_one(c, what);
    } else if (strcmp(key, "zn:/controller") == 0) {
        compare_one(c, "controller");
    } else if (strncmp(key, "node.", 5) == 0 ||
               (strncmp(key, "p.", 2) == 0 &&
                (ends_with(key, ".acked") || ends_with(key, ".failed")))) {
        compare_one(c, key);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct sim_branch_row *a = left, *b = right;
    if (a->t_us != b->t_us)
        return a->t_us < b->t_us ? -1 : 1;
    return strcmp(a->what, b->what);
}

struct sim_branch_rows sim_branch_compare(const struct sim_facts *a, const struct sim_facts *b,
                                          uint64_t parted)
{
    struct comparison c = {.a = a, .b = b, .parted = parted};
    size_t i = 0, j = 0;
    while (i < sim_facts_count(a) || j < sim_facts_count(b)) {
        const char *left = i < sim_facts_count(a) ? sim_facts_key(a, i) : NULL;
        const char *right = j < sim_facts_count(b) ? sim_facts_key(b, j) : NULL;
        int order = left == NULL ? 1 : right == NULL ? -1 : strcmp(left, right);
        compare_key(&c, order <= 0 ? left : right);
        i += order <= 0;
        j += order >= 0;
    }
    if (c.rows.count > 0)
        qsort(c.rows.rows, c.rows.count, sizeof(*c.rows.rows), by_time);
    return c.rows;
}

void sim_branch_rows_free(struct sim_branch_rows *rows)
{
    free(rows->rows);
    *rows = (struct sim_branch_rows){0};
}
