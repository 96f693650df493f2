/*
 * Pairing from causes to effects.
 *
 *     children   records by cause (counting sort): what came of record p stands together
 *     queue      pairs whose children are still to be paired; begins with (0, 0), the scenario
 *
 * Among the children of a pair both sides are sorted by (subject, content, number); a merge pairs
 * what is equal, a second one by (subject, number) what is left. When the queue is empty, records
 * that came because nothing came and have no partner are paired by subject, in order, each followed
 * by what came of it.
 */
#include "sim/align.h"

#include <assert.h>
#include <stdlib.h>

#include "sim/align_same.h"
#include "sim/allocate.h"
#include "sim/keys.h"

/* A record as it is compared. */
struct item {
    uint64_t subject, content, n;
};

struct forest {
    uint64_t *start;    /* [p]: its first child, of count + 2 */
    struct item *items; /* children of 0, of 1, … */
};

struct aligner {
    struct sim_align *align;
    struct forest forest[2];
    uint64_t *queue; /* records of side 0 that are paired */
    uint64_t taken, put;
    struct item *room[2]; /* children of one pair, sorted */
    size_t room_capacity[2];
};

/* ---- the forests ---- */

static struct sim_record record_of(const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r = {0};
    bool has = n != 0 && sim_trace_get(trace, n, &r);
    assert(has || n == 0);
    (void)has;
    return r;
}

static void grow_forest(struct forest *f, const struct sim_align_side *s)
{
    f->start = sim_alloc((s->count + 3) * sizeof(*f->start));
    f->items = sim_alloc((s->count + 1) * sizeof(*f->items));
    for (uint64_t n = 1; n <= s->count; n++)
        f->start[record_of(s->trace, n).by + 2]++;
    for (uint64_t p = 1; p <= s->count + 2; p++)
        f->start[p] += f->start[p - 1];
    for (uint64_t n = 1; n <= s->count; n++) {
        struct sim_record r = record_of(s->trace, n);
        int64_t delay_us = r.t - record_of(s->trace, r.by).t;
        f->items[f->start[r.by + 1]++] =
            (struct item){.subject = sim_align_subject(&r),
                          .content = r.kind == SIM_K_META ? 0 : sim_align_content(&r, delay_us),
                          .n = n};
    }
}

/* ---- pairing ---- */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_content(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = compare(a->subject, b->subject);
    if (order == 0)
        order = compare(a->content, b->content);
    return order != 0 ? order : compare(a->n, b->n);
}

static int by_subject(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = compare(a->subject, b->subject);
    return order != 0 ? order : compare(a->n, b->n);
}

static void pair(struct aligner *a, const struct item *left, const struct item *right)
{
    struct sim_align_side *side = a->align->side;
    bool equal = left->content == right->content;
    side[0].other[left->n] = right->n;
    side[1].other[right->n] = left->n;
    side[0].state[left->n] = side[1].state[right->n] = equal ? SIM_ALIGN_SAME : SIM_ALIGN_CHANGED;
    a->queue[a->put++] = left->n;
}

/* The children of p that have no partner, sorted; returns how many. */
static size_t gather(struct aligner *a, int side, uint64_t p,
                     int (*order)(const void *, const void *))
{
    const struct forest *f = &a->forest[side];
    uint64_t begin = f->start[p], end = f->start[p + 1];
    size_t count = 0;
    a->room[side] =
        sim_grow(a->room[side], &a->room_capacity[side], end - begin + 1, sizeof(*a->room[side]));
    for (uint64_t i = begin; i < end; i++)
        if (a->align->side[side].other[f->items[i].n] == 0)
            a->room[side][count++] = f->items[i];
    if (count > 1)
        qsort(a->room[side], count, sizeof(*a->room[side]), order);
    return count;
}

/* Both are sorted: pairs what has the same subject, and the same content where that counts. */
static void merge(struct aligner *a, size_t left_count, size_t right_count, bool exact)
{
    const struct item *left = a->room[0], *right = a->room[1];
    for (size_t i = 0, j = 0; i < left_count && j < right_count;) {
        int order = compare(left[i].subject, right[j].subject);
        if (order == 0 && exact)
            order = compare(left[i].content, right[j].content);
        if (order == 0)
            pair(a, &left[i], &right[j]);
        i += order <= 0;
        j += order >= 0;
    }
}

static void pair_children(struct aligner *a, uint64_t p, uint64_t q)
{
    size_t left = gather(a, 0, p, by_content), right = gather(a, 1, q, by_content);
    if (left == 0 || right == 0)
        return;
    merge(a, left, right, true);
    left = gather(a, 0, p, by_subject);
    right = gather(a, 1, q, by_subject);
    merge(a, left, right, false);
}

static void work(struct aligner *a)
{
    while (a->taken < a->put) {
        uint64_t n = a->queue[a->taken++];
        pair_children(a, n, a->align->side[0].other[n]);
    }
}

/* ---- what came because nothing came ---- */

/* Kinds that stand for themselves though their cause is an absence: of a lost message the absence
   is not the point. */
static bool is_of_absence(const struct sim_record *r)
{
    return r->mute != 0 &&
           (r->kind == SIM_K_SESSION || r->kind == SIM_K_TIMER || r->kind == SIM_K_REPLICA);
}

/* All such records without partner, sorted; owned. */
static struct item *absences(struct aligner *a, int side, size_t *count)
{
    const struct sim_align_side *s = &a->align->side[side];
    struct item *found = NULL;
    size_t capacity = 0;
    *count = 0;
    for (uint64_t i = 0; i < s->count; i++) {
        const struct item *item = &a->forest[side].items[i];
        struct sim_record r = record_of(s->trace, item->n);
        if (s->other[item->n] != 0 || !is_of_absence(&r))
            continue;
        found = sim_grow(found, &capacity, *count + 1, sizeof(*found));
        found[(*count)++] = *item;
    }
    if (*count > 1)
        qsort(found, *count, sizeof(*found), by_subject);
    return found;
}

static void pair_absences(struct aligner *a)
{
    size_t left_count, right_count;
    struct item *left = absences(a, 0, &left_count), *right = absences(a, 1, &right_count);
    for (size_t i = 0, j = 0; i < left_count && j < right_count;) {
        bool taken = a->align->side[0].other[left[i].n] != 0;
        bool given = a->align->side[1].other[right[j].n] != 0; /* by what an earlier pair led to */
        int order = compare(left[i].subject, right[j].subject);
        if (order == 0 && !taken && !given) {
            pair(a, &left[i], &right[j]);
            work(a);
        }
        i += taken || (!given && order <= 0);
        j += given || (!taken && order >= 0);
    }
    sim_free(left);
    sim_free(right);
}

/* ---- what came of it ---- */

/* The causes of a pair agree where they are pairs. */
static bool has_other_cause(const struct sim_align *align, const struct sim_record *left,
                            const struct sim_record *right)
{
    const uint64_t *other = align->side[0].other;
    return (left->by != 0 ? other[left->by] : 0) != right->by ||
           (left->mute != 0 ? other[left->mute] : 0) != right->mute;
}

static void judge(struct sim_align *align)
{
    struct sim_align_side *a = &align->side[0], *b = &align->side[1];
    for (uint64_t n = 1; n <= a->count; n++) {
        uint64_t m = a->other[n];
        align->only[0] += m == 0;
        if (m == 0)
            continue;
        struct sim_record left = record_of(a->trace, n), right = record_of(b->trace, m);
        if (has_other_cause(align, &left, &right))
            a->state[n] = SIM_ALIGN_CHANGED;
        else if (a->state[n] == SIM_ALIGN_SAME && left.t != right.t)
            a->state[n] = SIM_ALIGN_MOVED;
        b->state[m] = a->state[n];
        align->same += a->state[n] == SIM_ALIGN_SAME;
        align->moved += a->state[n] == SIM_ALIGN_MOVED;
        align->changed += a->state[n] == SIM_ALIGN_CHANGED;
    }
    for (uint64_t m = 1; m <= b->count; m++)
        align->only[1] += b->other[m] == 0;
}

bool sim_align_alike(const struct sim_align *align, int side, uint64_t n)
{
    return n == 0 || align->side[side].state[n] <= SIM_ALIGN_MOVED;
}

static bool has_alike_causes(const struct sim_align *align, int side, const struct sim_record *r)
{
    return sim_align_alike(align, side, r->by) && sim_align_alike(align, side, r->mute);
}

/* Of a pair, side 0 speaks. */
static bool begins(const struct sim_align *align, int side, const struct sim_record *r)
{
    uint64_t other = align->side[side].other[r->n];
    if (sim_align_alike(align, side, r->n) || !has_alike_causes(align, side, r))
        return false;
    if (other == 0)
        return true;
    struct sim_record there = record_of(align->side[1 - side].trace, other);
    return side == 0 && has_alike_causes(align, 1, &there);
}

static void add_begin(struct sim_align *align, size_t *capacity, int side,
                      const struct sim_record *r)
{
    uint64_t other = align->side[side].other[r->n];
    int64_t t = other != 0 ? record_of(align->side[1 - side].trace, other).t : r->t;
    align->begins =
        sim_grow(align->begins, capacity, align->begin_count + 1, sizeof(*align->begins));
    align->begins[align->begin_count++] = (struct sim_align_begin){
        .side = side, .n = r->n, .t = t < r->t ? t : r->t, .is_fault = r->kind == SIM_K_FAULT};
}

static int by_time(const void *left, const void *right)
{
    const struct sim_align_begin *a = left, *b = right;
    if (a->t != b->t)
        return a->t < b->t ? -1 : 1;
    int order = b->is_fault - a->is_fault;
    if (order == 0)
        order = a->side - b->side;
    return order != 0 ? order : compare(a->n, b->n);
}

static void find_begins(struct sim_align *align)
{
    size_t capacity = 0;
    for (int side = 0; side < 2; side++)
        for (uint64_t n = 1; n <= align->side[side].count; n++) {
            struct sim_record r = record_of(align->side[side].trace, n);
            if (begins(align, side, &r))
                add_begin(align, &capacity, side, &r);
        }
    if (align->begin_count > 1)
        qsort(align->begins, align->begin_count, sizeof(*align->begins), by_time);
}

/* ---- all of it ---- */

static void side_init(struct sim_align_side *s, const struct sim_trace *trace)
{
    s->trace = trace;
    s->count = sim_trace_count(trace);
    s->other = sim_alloc((s->count + 1) * sizeof(*s->other));
    s->state = sim_alloc(s->count + 1);
    for (uint64_t n = 1; n <= s->count; n++)
        s->state[n] = SIM_ALIGN_ONLY;
}

struct sim_align *sim_align_new(const struct sim_trace *a, const struct sim_trace *b)
{
    struct sim_align *align = sim_alloc(sizeof(*align));
    side_init(&align->side[0], a);
    side_init(&align->side[1], b);
    struct aligner aligner = {.align = align};
    for (int side = 0; side < 2; side++)
        grow_forest(&aligner.forest[side], &align->side[side]);
    aligner.queue = sim_alloc((align->side[0].count + 1) * sizeof(*aligner.queue));
    pair_children(&aligner, 0, 0);
    work(&aligner);
    pair_absences(&aligner);
    judge(align);
    find_begins(align);
    for (int side = 0; side < 2; side++) {
        sim_free(aligner.forest[side].start);
        sim_free(aligner.forest[side].items);
        sim_free(aligner.room[side]);
    }
    sim_free(aligner.queue);
    return align;
}

void sim_align_free(struct sim_align *align)
{
    if (align == NULL)
        return;
    for (int side = 0; side < 2; side++) {
        sim_free(align->side[side].other);
        sim_free(align->side[side].state);
    }
    sim_free(align->begins);
    sim_free(align);
}
