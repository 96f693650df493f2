/*
 * What a window holds of a key, and how a window becomes output: a folded cell (reduce, sum …,
 * aggregate), or the list of its elements (st_process_window). Used by all kinds of windows.
 *
 *     bytes of a cell:   | accumulator or record |      or      | struct elements |
 *
 * A snapshot may look at elements while more are added behind them (frozen.h).
 */
#ifndef STREAM_CELLS_H
#define STREAM_CELLS_H

#include "stream/fold.h"

struct elements {
    char *records;
    uint32_t count, capacity;
};

struct cells {
    struct op *op;
    bool lists; /* elements are kept; otherwise they are folded */
    struct fold fold;
    struct layout layout;  /* of a cell */
    struct layout element; /* of an element */
    bool row_is_cell;
};

void cells_init(struct cells *cells, struct op *op);
/* Takes record k into cells[k]; fresh[k]: the cell was made (as zeros) for it. */
void cells_add(const struct cells *cells, char *const *to, const uint8_t *fresh,
               const void *records, uint32_t count);
/* Puts out the result of a cell for op->window_start/_end and op->key; `time`: its timestamp. */
void cells_emit(const struct cells *cells, char *cell, int64_t time);
/* Takes what `from` holds into `to`, behind what is there; `from` is then empty. */
void cells_merge(const struct cells *cells, char *to, char *from);
/* Gives up what a cell holds. Records under way may view it until the step ends. */
void cells_drop(const struct cells *cells, char *cell);
/* Before the elements of a list are changed that are there: a copy that no snapshot looks at. */
void cells_own_elements(const struct cells *cells, struct elements *list);
/* A cell into a snapshot, and back into an empty cell; false: damaged. */
void cells_write(const struct cells *cells, const char *cell, struct bytes *to);
bool cells_read(const struct cells *cells, char *cell, struct reader *from);
/* What a section says of its cells' type, and the check of it. */
void cells_write_type(const struct cells *cells, struct bytes *to);
void cells_read_type(const struct cells *cells, struct reader *from);
/* A late record: to the side output if the windows have one; counted otherwise. */
void late_record(struct op *op, const void *record, int64_t time);

/* The place of a window among the merged ones in the Java set that Flink collects them in: the
 * first of them keeps its state, and the others' elements come behind it. */
uint32_t window_set_place(int64_t start, int64_t end);

/* floor(a / b) * b for b > 0 */
static inline int64_t floor_to(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return a - (rest < 0 ? rest + b : rest);
}

/* How far from both ends of time a record must be for all arithmetic of its windows. */
static inline int64_t windows_margin(int64_t size, int64_t slide)
{
    int64_t both = time_plus(size, slide);
    return time_plus(both, both);
}

static inline bool time_is_within(int64_t time, int64_t margin)
{
    return time >= ST_TIME_MIN + margin && time <= ST_TIME_MAX - margin;
}

/* Has it windows? What count and global windows put out has the last time there is (ST_TIME_MAX),
 * and its windows end in the past, for the sum wraps around: they fire at the first watermark, and
 * are over behind it. Other times as near to an end of time have none.
 * Source: Flink TimeWindow.maxTimestamp, TumblingEventTimeWindows.assignWindows, WindowOperator
 * .isWindowLate. */
static inline bool time_has_windows(int64_t time, int64_t margin)
{
    return time == ST_TIME_MAX || time_is_within(time, margin);
}

/* The start of the last window that begins at or before `time`. */
static inline int64_t window_start(int64_t time, int64_t offset, int64_t slide)
{
    int64_t rest = time_wrap(time, -offset) % slide;
    return time - (rest < 0 ? rest + slide : rest);
}

/* Has a session an end? As time_has_windows. */
static inline bool session_has_end(int64_t start, int64_t end)
{
    return start == ST_TIME_MAX || (end > start && end != ST_TIME_MAX);
}

/* Are two sessions one? One at the end of time, which ends before it begins, touches its like only.
 * Source: Flink TimeWindow.intersects. */
static inline bool sessions_touch(int64_t a_start, int64_t a_end, int64_t b_start, int64_t b_end)
{
    return (a_start <= b_end && a_end >= b_start) || (a_start == b_start && a_end == b_end);
}

/* A record whose windows are all over: late, if its time is too. Nothing is said of one that lies
 * between windows; one at the end of time is counted.
 * Source: Flink WindowOperator.isElementLate. */
void record_is_over(struct op *op, const void *record, int64_t time);
/* A record whose time has no windows: one without a timestamp is a failure, any other is late where
 * its time, the lateness added, wraps around; else it is only counted. */
void record_out_of_time(struct op *op, const void *record, int64_t time);

/* By the clock a window that ends at a millisecond still takes the records of that millisecond: the
 * clock takes the watermark's place one millisecond later, and what is to happen at `time_ms` is
 * woken then. Source: Flink ProcessingTimeServiceUtil.getProcessingTimeDelay. */
static inline int64_t clock_watermark(int64_t now_ms)
{
    return now_ms - 1;
}
static inline int64_t clock_wakeup(int64_t time_ms)
{
    return time_plus(time_ms, 1);
}

#endif
