/*
 * Sessions with a trigger: windows that grow and merge.
 *
 *     key  ──►  session  ◄─►  session  ◄─►  …      rows of the table of windows, in order of start
 *
 * A session that grows is another window: it has a row of its own, to which the trigger's state
 * goes by on_merge, and the cell as it is. The row that it was goes with the last of its timers,
 * which are passed over (a trigger that has .clear leaves none). Whether a record is late, and when
 * the session goes, is a matter of the session as merged.
 *
 * Source: Flink WindowOperator.processElement (the branch of MergingWindowAssigner), onEventTime
 * ("timer firing for non-existent window"), MergingWindowSet.addWindow, retireWindow.
 */
#include "stream/op_triggered.h"

#define TOUCHED_MAX 2 /* each is at least a gap long, and so is a record's own window at most */

/* The rows of the sessions that a record's own window touches, and what they become. */
struct touched {
    uint32_t rows[TOUCHED_MAX], count;
    int64_t start, end;
};

void sessions_put_in(struct triggered *t, int64_t start, int64_t end)
{
    uint32_t before = ROW_NONE, next = first_window_of(t, window_key_row(t));
    while (next != ROW_NONE && window_head_at(t, next)->start < start) {
        before = next;
        next = window_head_at(t, next)->next;
    }
    window_head_of(t)->start = start;
    window_head_of(t)->end = end;
    triggered_put_in(t, before);
}

static struct touched find_touched(struct triggered *t, uint32_t key_row, int64_t start,
                                   int64_t end)
{
    struct touched found = {.start = start, .end = end};
    for (uint32_t row = first_window_of(t, key_row); row != ROW_NONE;
         row = window_head_at(t, row)->next) {
        const struct window_head *one = window_head_at(t, row);
        if (sessions_touch(one->start, one->end, start, end) && found.count < TOUCHED_MAX) {
            found.rows[found.count++] = row;
            found.start = one->start < found.start ? one->start : found.start;
            found.end = one->end > found.end ? one->end : found.end;
        }
    }
    if (found.count == 2) { /* in the order of the Java set */
        const struct window_head *a = window_head_at(t, found.rows[0]),
                                 *b = window_head_at(t, found.rows[1]);
        if (window_set_place(b->start, b->end) < window_set_place(a->start, a->end)) {
            uint32_t first = found.rows[0];
            found.rows[0] = found.rows[1];
            found.rows[1] = first;
        }
    }
    return found;
}

/* A new session is then the window at hand. */
static void make_session(struct triggered *t, uint32_t key_row, int64_t start, int64_t end)
{
    (void)triggered_make(t, key_row, t->next_id++);
    sessions_put_in(t, start, end);
}

/* What the session at hand had goes to the merged one, and it is no window any more. */
static void move_to(struct triggered *t, uint32_t merged)
{
    uint32_t own = t->at;
    char *cell = window_cell_of(t);
    bool filled = window_head_of(t)->filled != 0;
    triggered_enter(t);
    triggered_timer(&t->op, triggered_cleanup_time(t), !t->by_clock, false);
    triggered_clear(t);
    window_head_of(t)->filled = 0;
    t->at = merged;
    if (filled && window_head_of(t)->filled != 0) {
        cells_merge(&t->cells, window_cell_of(t), cell);
    } else if (filled) {
        memcpy(window_cell_of(t), cell, t->cells.layout.size);
        window_head_of(t)->filled = 1;
    }
    t->at = own;
    memset(window_cell_of(t), 0, t->cells.layout.size);
    triggered_leave(t);
    t->at = merged;
}

/* One session out of those that are touched; it is then the window at hand. */
static void merge_sessions(struct triggered *t, uint32_t key_row, const struct touched *all)
{
    make_session(t, key_row, all->start, all->end);
    uint32_t merged = t->at;
    triggered_enter(t);
    for (uint32_t i = 0; i < all->count; i++) {
        const void *state = window_head_at(t, all->rows[i]) + 1;
        t->trigger->functions->on_merge(&t->op.ctx, window_trigger_state(t), t->trigger->argument,
                                        state);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        t->at = all->rows[i];
        move_to(t, merged);
    }
}

void sessions_add(struct triggered *t, const char *record, int64_t time)
{
    bool is_new;
    int64_t start = t->op.node->windows.processing_time ? job_now(t->op.task->job) : time;
    int64_t end = time_wrap(start, t->gap);
    if (!session_has_end(start, end)) {
        record_out_of_time(&t->op, record, time);
        return;
    }
    uint32_t key_row = table_find_or_insert(&t->keys, &t->reader, record, &is_new);
    struct touched all = find_touched(t, key_row, start, end);
    if (all.count == 0 && !t->by_clock &&
        time_plus(time_wrap(end, -1), t->lateness) <= t->op.watermark) {
        triggered_drop_key(t, key_row);
        record_is_over(&t->op, record, time);
        return;
    }
    if (all.count == 0) {
        make_session(t, key_row, start, end);
    } else if (all.count == 1 && window_head_at(t, all.rows[0])->start == all.start &&
               window_head_at(t, all.rows[0])->end == all.end) {
        t->at = all.rows[0];
    } else {
        merge_sessions(t, key_row, &all);
    }
    triggered_take(t, record, time);
}
