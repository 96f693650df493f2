/*
 * One log and its segments against a naive twin that keeps every batch with its segment and looks
 * at all of them each time: appends of any size and time, roll, truncation, DeleteRecords, a high
 * watermark that trails, changes of settings, and checks. After each word both have the same start,
 * end, segments; and nothing of the twin's is due before the log's own lower bound says so.
 *
 *     KC_SEED=7   that seed only;   KC_DEEP=1   2,000 seeds
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "broker/replica_state.h"

enum { TWIN_MAX = 4096, STEPS = 400 };

struct twin_batch {
    int64_t base, end, bytes, ms, newest, segment; /* segment: its base */
};
struct twin {
    struct twin_batch b[TWIN_MAX]; /* deleted ones of a segment that is still there, too */
    int count;
    int64_t start, end, hw, open; /* open: base of the open segment */
};

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return (*random >> 33) % below;
}

/* ---- the twin ---- */

static int64_t bytes_in(const struct twin *t, int64_t segment)
{
    int64_t bytes = 0;
    for (int i = 0; i < t->count; i++) {
        bytes += segment < 0 || t->b[i].segment == segment ? t->b[i].bytes : 0;
    }
    return bytes;
}

static int64_t newest_in(const struct twin *t, int64_t segment)
{
    int64_t newest = -1;
    for (int i = 0; i < t->count; i++) {
        newest = t->b[i].segment == segment && t->b[i].newest > newest ? t->b[i].newest : newest;
    }
    return newest;
}

static int64_t first_in(const struct twin *t, int64_t segment)
{
    for (int i = 0; i < t->count; i++) {
        if (t->b[i].segment == segment) {
            return t->b[i].ms;
        }
    }
    return -1;
}

/* Base of the next segment: that of the next batch which is in another, or the open one. */
static int64_t next_of(const struct twin *t, int64_t segment)
{
    for (int i = 0; i < t->count; i++) {
        if (t->b[i].segment > segment) {
            return t->b[i].segment;
        }
    }
    return t->open > segment ? t->open : -1;
}

static int64_t first_segment(const struct twin *t)
{
    return t->count > 0 ? t->b[0].segment : t->open;
}

static int segments_of(const struct twin *t)
{
    int n = 1;
    for (int64_t s = first_segment(t); (s = next_of(t, s)) >= 0;) {
        n++;
    }
    return n;
}

static void drop_segment(struct twin *t, int64_t segment)
{
    int kept = 0;
    for (int i = 0; i < t->count; i++) {
        if (t->b[i].segment != segment) {
            t->b[kept++] = t->b[i];
        }
    }
    t->count = kept;
}

static void set_start(struct twin *t, int64_t offset)
{
    t->start = offset > t->start ? offset : t->start;
}

static void settle(struct twin *t)
{
    while (next_of(t, first_segment(t)) >= 0 && next_of(t, first_segment(t)) <= t->start) {
        drop_segment(t, first_segment(t));
    }
}

static void append(struct twin *t, const struct kb_log_config *c, int64_t count, int64_t bytes,
                   int64_t ms)
{
    int64_t in_open = bytes_in(t, t->open);
    if (in_open > 0 &&
        (in_open + bytes > c->segment_bytes || ms - first_in(t, t->open) > c->segment_ms)) {
        t->open = t->end;
    }
    ck_assert_int_lt(t->count, TWIN_MAX);
    t->b[t->count++] = (struct twin_batch){t->end, t->end + count, bytes, ms, ms, t->open};
    t->end += count;
}

/* What is cut into and has deleted batches does not know their times any more: the newest is that
   of the others, or what it was where there are none. */
static void forget_times(struct twin *t, int64_t newest)
{
    bool any = t->count > 0 && t->b[t->count - 1].end > t->start;
    for (int i = 0; i < t->count; i++) {
        if (t->b[i].segment == t->open && (!any || t->b[i].end <= t->start)) {
            t->b[i].newest = any ? -1 : newest;
        }
    }
}

static void cut(struct twin *t, int64_t offset)
{
    int64_t newest;

    if (offset < t->start) {
        *t = (struct twin){.start = offset, .end = offset, .hw = offset, .open = offset};
        return;
    }
    while (t->open > offset) { /* what is left of its predecessor is the open one now */
        int64_t before = 0;
        for (int i = 0; i < t->count; i++) {
            before = t->b[i].segment < t->open ? t->b[i].segment : before;
        }
        t->open = before;
    }
    newest = newest_in(t, t->open);
    while (t->count > 0 && t->b[t->count - 1].end > offset) {
        t->count--;
    }
    forget_times(t, newest);
    t->end = offset;
    t->hw = t->hw < offset ? t->hw : offset;
}

/* Deletes the first segment where `old` or `much` says so; returns whether it did. */
static bool delete_one(struct twin *t, const struct kb_log_config *c, int64_t now_ms, bool by_age)
{
    int64_t first = first_segment(t), next = next_of(t, first), bytes = bytes_in(t, first);
    int64_t behind = next < 0 ? t->end : next;
    bool old = c->retention_ms >= 0 && now_ms - newest_in(t, first) > c->retention_ms;
    bool much = c->retention_bytes >= 0 && bytes_in(t, -1) - bytes >= c->retention_bytes;

    if (bytes == 0 || t->hw < behind || !(by_age ? old : much)) {
        return false;
    }
    drop_segment(t, first);
    t->open = next < 0 ? t->end : t->open;
    t->start = behind > t->start ? behind : t->start;
    return true;
}

static void check(struct twin *t, const struct kb_log_config *c, int64_t now_ms)
{
    while (delete_one(t, c, now_ms, true)) {
    }
    while (delete_one(t, c, now_ms, false)) {
    }
}

/* ---- both ---- */

struct both {
    struct twin t;
    struct kb_replicas *r;
    struct kb_row *row;
    struct kb_step s;
    struct kb_outputs out;
    uint64_t random;
};

static void append_both(struct both *b)
{
    int64_t ms = b->s.wall_ms + (int64_t)draw(&b->random, 4000) - 3000;
    struct kb_batch batch = {.base_offset = b->row->log_end,
                             .last_offset_delta = (int32_t)draw(&b->random, 3),
                             .size = (uint32_t)draw(&b->random, 90) + 10,
                             .first_timestamp = ms,
                             .max_timestamp = ms,
                             .producer_id = -1};
    append(&b->t, &b->r->config.log, batch.last_offset_delta + 1, batch.size, ms);
    kb_append_reserve(b->r, b->row, kb_append_room(b->r, b->row, &batch, 1));
    kb_segments_roll(&b->s, b->row, &batch, 1, b->row->log_end);
    kb_segments_take(&b->s, b->row, &batch, 1);
    kb_log_append(&b->s, b->row, &batch);
}

static int64_t an_offset(struct both *b, int64_t low, int64_t high)
{
    return low + (int64_t)draw(&b->random, (uint64_t)(high - low) + 1);
}

/* To the beginning of a batch: within one Kafka's log keeps an end without records. */
static int64_t a_boundary(struct both *b)
{
    uint32_t n = b->row->batches.count;
    return n == 0 ? b->row->log_end : kb_log_batches(b->r, b->row)[draw(&b->random, n)].base_offset;
}

static void one_step(struct both *b)
{
    int64_t offset;

    b->s.wall_ms += (int64_t)draw(&b->random, 200);
    switch (draw(&b->random, 14)) {
    case 0:
        offset = a_boundary(b);
        cut(&b->t, offset);
        kb_log_truncate(&b->s, b->row, offset);
        break;
    case 1:
        offset = an_offset(b, b->row->log_start, b->row->hw);
        set_start(&b->t, offset);
        kb_log_set_start(&b->s, b->row, offset, KB_START_ASKED);
        break;
    case 2:
        check(&b->t, &b->r->config.log, b->s.wall_ms);
        kb_retention_check(&b->s);
        break;
    case 3:
    case 4:
    case 5:
        b->t.hw = an_offset(b, b->row->hw, b->row->log_end);
        kb_log_set_hw(&b->s, b->row, b->t.hw);
        break;
    case 6:
        b->r->config.log.retention_bytes = (int64_t)draw(&b->random, 1200) - 100;
        b->r->config.log.retention_ms = (int64_t)draw(&b->random, 12000) - 1000;
        b->r->retention_due_ms = 0;
        break;
    default:
        append_both(b);
        break;
    }
}

static void compare(struct both *b, int step)
{
    int64_t now = b->s.wall_ms;
    settle(&b->t);
    struct twin later = b->t;

    if (b->row->log_start != b->t.start || b->row->log_end != b->t.end ||
        b->row->segments.count + 1 != (uint32_t)segments_of(&b->t) ||
        b->row->open.base != b->t.open || b->row->open.bytes != bytes_in(&b->t, b->t.open) ||
        b->row->closed_bytes + b->row->open.bytes != bytes_in(&b->t, -1)) {
        ck_abort_msg("step %d: start %ld %ld end %ld %ld open %ld %ld segments %u %d", step,
                     (long)b->row->log_start, (long)b->t.start, (long)b->row->log_end,
                     (long)b->t.end, (long)b->row->open.base, (long)b->t.open,
                     b->row->segments.count + 1, segments_of(&b->t));
    }
    check(&later, &b->r->config.log, now);
    if (later.start != b->t.start || later.open != b->t.open) {
        ck_assert_int_le(b->r->retention_due_ms, now);
    }
    kb_replicas_check(b->r);
}

static void play(uint64_t seed)
{
    struct kb_limits l = kb_limits_default();
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    static struct both b;

    l.batches = 8192;
    l.segments = 8192;
    config.log.segment_bytes = 250;
    config.log.segment_ms = 2500;
    config.log.retention_ms = 5000;
    b = (struct both){.random = seed * 977 + 5, .r = aligned_alloc(8, kb_replicas_size(&l))};
    kb_replicas_init(b.r, &l, &config);
    b.row = kb_row(b.r, kb_row_get(b.r, "t", 0));
    b.row->has_log = 1;
    b.s = (struct kb_step){.r = b.r, .out = &b.out, .wall_ms = 1000000};
    for (int step = 0; step < STEPS; step++) {
        one_step(&b);
        compare(&b, step);
    }
    free(b.r);
}

START_TEST(a_log_and_its_naive_twin_delete_the_same)
{
    const char *one = getenv("KC_SEED"), *deep = getenv("KC_DEEP");
    uint64_t seeds = deep != NULL ? 2000 : 100;

    for (uint64_t seed = 1; one == NULL && seed <= seeds; seed++) {
        play(seed);
    }
    if (one != NULL) {
        play(strtoull(one, NULL, 10));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker: segments, chance");
    TCase *tc = tcase_create("segments");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, a_log_and_its_naive_twin_delete_the_same);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
