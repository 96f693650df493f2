/*
 * Rows of process functions in a snapshot.
 *
 *     key's type | states: name, kind, type, map key's type, time to live | are there timers
 *     | count of rows | rows
 *     row:    key | present | state | state …      those that are present
 *             | count of timers of event time | timers | the same of processing time
 *     timer:  time | place in the order in which they were set
 *
 * Rows in a database (rocks_rows.h) are written in the same way; where there is a time to live,
 * what is behind the key begins with the time when all of it is over, so that the database may drop
 * it unasked. They may be whole in the section, or files whose rows have the states that the
 * section says.
 *
 * What is over is not written. All of it is written beside the flow, by a view of the operator
 * (frozen.h): what writes here changes nothing. A state whose time to live has been taken away
 * since is read without; one that has been given one begins to live at the restore. A state that
 * the operator has no more is read by what is written of its types, and left (-n).
 */
#include <stdlib.h>

#include "stream/gone.h"
#include "stream/op_process.h"

static const st_state *state_of(const struct process *p, uint32_t s)
{
    return p->op.node->options.states[s];
}

/* ------------------------------------------------------------------------------------- Writing */

static void write_list(struct process *p, uint32_t s, struct bytes *to)
{
    const struct list *list = slot_of(p, s);
    const struct layout *layout = &p->layouts[s];
    uint32_t count = 0;
    size_t count_at = bytes_reserve_u32(to);
    for (uint32_t e = 0; e < list->count; e++) {
        if (list->times != NULL && keyed_state_is_over(state_of(p, s), list->times[e], p->now_ms)) {
            continue;
        }
        bytes_record(to, layout, list->elements + (size_t)e * layout->size);
        if (state_of(p, s)->ttl_ms > 0) {
            bytes_i64(to, list->times[e]);
        }
        count++;
    }
    bytes_set_u32(to, count_at, count);
}

static void write_map(struct process *p, uint32_t s, struct bytes *to)
{
    const struct map *map = &p->maps[s];
    const struct map_head *head = slot_of(p, s);
    uint32_t count = 0;
    size_t count_at = bytes_reserve_u32(to);
    for (uint32_t entry = head->first; entry != 0; entry = map_behind(map, head, entry)) {
        if (keyed_state_is_over(map->state, map_touched(map, entry), p->now_ms)) {
            continue;
        }
        bytes_record(to, &map->key, map_key(map, entry));
        bytes_record(to, &map->value, map_value(map, entry));
        if (map->state->ttl_ms > 0) {
            bytes_i64(to, map_touched(map, entry));
        }
        count++;
    }
    bytes_set_u32(to, count_at, count);
}

static void write_state(struct process *p, uint32_t s, struct bytes *to)
{
    switch (state_of(p, s)->kind) {
    case ST_STATE_LIST_OF:
        write_list(p, s, to);
        break;
    case ST_STATE_MAP_OF:
        write_map(p, s, to);
        break;
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        bytes_record(to, &p->layouts[s], slot_of(p, s));
        if (state_of(p, s)->ttl_ms > 0) {
            bytes_i64(to, *touched_of(p, s));
        }
        break;
    }
}

/* When a state that is present was touched the last time; of one with a time to live. */
static int64_t last_touched(struct process *p, uint32_t s)
{
    int64_t last = ST_TIME_MIN;
    switch (state_of(p, s)->kind) {
    case ST_STATE_LIST_OF: {
        const struct list *list = slot_of(p, s);
        for (uint32_t e = 0; e < list->count; e++) {
            last = list->times[e] > last ? list->times[e] : last;
        }
        return last;
    }
    case ST_STATE_MAP_OF: {
        const struct map *map = &p->maps[s];
        const struct map_head *head = slot_of(p, s);
        for (uint32_t entry = head->first; entry != 0; entry = map_behind(map, head, entry)) {
            last = map_touched(map, entry) > last ? map_touched(map, entry) : last;
        }
        return last;
    }
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        break;
    }
    return *touched_of(p, s);
}

/* Does a state that is present hold something that is not over? */
static bool holds(struct process *p, uint32_t s)
{
    const st_state *state = state_of(p, s);
    return state->ttl_ms == 0 || !keyed_state_is_over(state, last_touched(p, s), p->now_ms);
}

/* The present states of a row that hold something at now_ms: bits, by state. */
static uint32_t states_that_hold(struct process *p)
{
    uint32_t present = head_of(p)->present;
    for (uint32_t s = 0; p->has_ttl && s < p->state_count; s++) {
        if ((present >> s & 1) != 0 && !holds(p, s)) {
            present &= ~(1u << s);
        }
    }
    return present;
}

/* Has the row at hand a timer, or a state that is not over? */
static bool row_is_full(struct process *p)
{
    return head_of(p)->timers > 0 || states_that_hold(p) != 0;
}

/* When all of the row will be over, if nobody touches it; ST_TIME_MAX: never, or who knows. */
static int64_t over_at(struct process *p)
{
    const struct row_head *head = head_of(p);
    int64_t last = head->timers > 0 ? ST_TIME_MAX : ST_TIME_MIN;
    for (uint32_t s = 0; s < p->state_count && last < ST_TIME_MAX; s++) {
        const int64_t ttl_ms = state_of(p, s)->ttl_ms;
        if ((head->present >> s & 1) != 0) {
            int64_t over = ttl_ms > 0 ? time_plus(last_touched(p, s), ttl_ms) : ST_TIME_MAX;
            last = over > last ? over : last;
        }
    }
    return last;
}

static bool has_timers(const struct process *p)
{
    return p->op.node->options.on_timer != NULL;
}

static void begin_writing(struct process *p)
{
    for (int kind = 0; kind < DUE_KINDS && has_timers(p); kind++) {
        p->by_row[kind] = timers_by_row(&p->timers[kind], p->table.row_end);
    }
}

static void end_writing(struct process *p)
{
    for (int kind = 0; kind < DUE_KINDS && has_timers(p); kind++) {
        timers_by_row_free(&p->by_row[kind]);
    }
}

/* What is behind the key of the row at hand. */
static void write_body(struct process *p, struct bytes *to)
{
    uint32_t present = states_that_hold(p);
    bytes_u32(to, present);
    for (uint32_t s = 0; s < p->state_count; s++) {
        if ((present >> s & 1) != 0) {
            write_state(p, s, to);
        }
    }
    for (int kind = 0; kind < DUE_KINDS && has_timers(p); kind++) {
        timers_write(&p->by_row[kind], p->row, to);
    }
}

static void write_states(struct process *p, struct bytes *to)
{
    bytes_u32(to, p->state_count);
    for (uint32_t s = 0; s < p->state_count; s++) {
        const st_state *state = state_of(p, s);
        bytes_text(to, state->name);
        bytes_u32(to, (uint32_t)state->kind);
        bytes_type(to, state->type);
        if (state->kind == ST_STATE_MAP_OF) {
            bytes_type(to, state->key_type);
        }
        bytes_i64(to, state->ttl_ms);
    }
    bytes_u32(to, has_timers(p) ? 1 : 0);
}

/* The rows of a table that has them all; of the operator or of a view of it. */
static void write_all(void *view, struct bytes *to)
{
    struct process *p = view;
    uint8_t *live = table_live_rows(&p->table);
    int64_t count = 0;
    size_t count_at = bytes_reserve_i64(to);
    begin_writing(p);
    for (p->row = 0; p->row < p->table.row_end; p->row++) {
        if (live[p->row] != 0 && row_is_full(p)) {
            bytes_record(to, &p->readers[0].layout, table_row(&p->table, p->row));
            write_body(p, to);
            count++;
        }
    }
    end_writing(p);
    bytes_set_i64(to, count_at, count);
    free(live);
}

/* All tables, for a view of the operator. Returns the view's rows. */
static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct process *p = process_of(op), *view = f->view;
    table_freeze_for(f, &p->table, &view->table);
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        table_freeze_for(f, &p->timers[kind].set, &view->timers[kind].set);
    }
    for (uint32_t s = 0; s < p->state_count; s++) {
        if (state_of(p, s)->kind == ST_STATE_MAP_OF) {
            table_freeze_for(f, &p->maps[s].entries, &view->maps[s].entries);
        }
    }
    return &view->table;
}

void keyed_rows_snapshot(struct process *p, struct bytes *to)
{
    p->now_ms = p->has_ttl ? job_now(p->op.task->job) : 0;
    rows_pass_time(&p->rows, p->now_ms);
    bytes_type(to, &p->readers[0].type);
    write_states(p, to);
    if (p->rows.op != NULL) {
        rows_snapshot(&p->rows, to);
    } else if (p->table.frozen == NULL) {
        (void)freeze(&p->op, view_freeze(p, sizeof *p, write_all, &p->op.task->frozen, to));
    } else { /* by an earlier checkpoint that is still written */
        write_all(p, to);
    }
}

/* ----------------------------------------------------------------------------------- Restoring */

#define STATE_GONE UINT32_MAX

/* What the section says of its states: which of ours each is (STATE_GONE: none), and its time to
 * live, 0: none. */
struct states_said {
    uint32_t count;
    uint32_t ours[STATES_MAX];
    struct gone gone[STATES_MAX];
    int64_t ttl_ms[STATES_MAX];
    bool expires; /* one of them has one */
    bool timers;
    int64_t now_ms;     /* for those that have none */
    void *record, *key; /* room for one of any type */
};

static uint32_t find_state(const struct process *p, st_str name)
{
    for (uint32_t s = 0; s < p->state_count; s++) {
        if (st_str_equal(name, st_str_of(state_of(p, s)->name))) {
            return s;
        }
    }
    return STATE_GONE;
}

/* Are the kind and types that are written those of our state? */
static void check_state(struct process *p, const st_state *state, uint32_t kind,
                        struct reader *from)
{
    if (kind != (uint32_t)state->kind) {
        restore_fail(&p->op, "state %s was of another kind", state->name);
    }
    restore_type(&p->op, from, state->type);
    if (state->kind == ST_STATE_MAP_OF) {
        restore_type(&p->op, from, state->key_type);
    }
}

static void read_states(struct process *p, const struct section *section, struct reader *from,
                        struct states_said *said)
{
    said->count = read_u32(from);
    from->bad |= said->count > STATES_MAX;
    for (uint32_t i = 0; i < said->count && !from->bad; i++) {
        st_str name = read_text(from);
        uint32_t kind = read_u32(from);
        if (from->bad) {
            break;
        }
        said->ours[i] = find_state(p, name);
        if (said->ours[i] == STATE_GONE) {
            restore_without(&p->op, section, "state %.*s", (int)name.size, name.data);
            gone_read(&said->gone[i], kind, from);
        } else {
            check_state(p, state_of(p, said->ours[i]), kind, from);
        }
        said->ttl_ms[i] = read_i64(from);
        said->expires |= said->ttl_ms[i] != 0;
    }
    said->timers = read_u32(from) != 0;
    said->count = from->bad ? 0 : said->count;
    if (said->timers && !has_timers(p) && !from->bad) {
        restore_without(&p->op, section, "timers");
    }
}

static int64_t read_touched(const struct states_said *said, uint32_t i, struct reader *from)
{
    return said->ttl_ms[i] != 0 ? read_i64(from) : said->now_ms;
}

static bool read_value(struct process *p, uint32_t s, bool own, const struct states_said *said,
                       uint32_t i, struct reader *from)
{
    const st_state *state = state_of(p, s);
    void *record = said->record;
    bool ok = read_record(from, &p->layouts[s], record);
    int64_t touched = read_touched(said, i, from);
    if (ok && own) {
        if (p->layouts[s].text_count > 0 && !record_own_text(&p->layouts[s], record)) {
            abort();
        }
        task_free_text(p->op.task, &p->layouts[s],
                       slot_of(p, s)); /* of a key that is there twice */
        memcpy(slot_of(p, s), record, state->type->size);
        if (state->ttl_ms > 0) {
            *touched_of(p, s) = touched;
        }
    }
    return ok;
}

static bool read_list(struct process *p, uint32_t s, bool own, const struct states_said *said,
                      uint32_t i, struct reader *from)
{
    const st_state *state = state_of(p, s);
    void *record = said->record;
    for (uint32_t left = read_u32(from); left > 0; left--) {
        bool ok = read_record(from, &p->layouts[s], record);
        int64_t touched = read_touched(said, i, from);
        if (!ok) {
            return false;
        }
        if (own) {
            list_add(p->op.task, slot_of(p, s), &p->layouts[s], record);
        }
        if (own && state->ttl_ms > 0) {
            list_touch_last(p->op.task, slot_of(p, s), touched);
        }
    }
    return true;
}

static bool read_map(struct process *p, uint32_t s, bool own, const struct states_said *said,
                     uint32_t i, struct reader *from)
{
    struct map *map = &p->maps[s];
    for (uint32_t left = read_u32(from); left > 0; left--) {
        bool ok =
            read_record(from, &map->key, said->key) && read_record(from, &map->value, said->record);
        int64_t touched = read_touched(said, i, from);
        if (!ok) {
            return false;
        }
        if (own) {
            map_put(map, slot_of(p, s), p->row, said->key, said->record, touched);
        }
    }
    return true;
}

static bool read_state(struct process *p, uint32_t s, bool own, const struct states_said *said,
                       uint32_t i, struct reader *from)
{
    if (own) {
        head_of(p)->present |= 1u << s; /* what a damaged one has before its end is freed too */
    }
    switch (state_of(p, s)->kind) {
    case ST_STATE_LIST_OF:
        return read_list(p, s, own, said, i, from);
    case ST_STATE_MAP_OF:
        return read_map(p, s, own, said, i, from);
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        break;
    }
    return read_value(p, s, own, said, i, from);
}

/* The states and timers of a row; of a row that is not ours they are read and left. */
static bool read_row(struct process *p, bool own, const struct states_said *said,
                     struct reader *from)
{
    uint32_t present = read_u32(from);
    for (uint32_t i = 0; i < said->count; i++) {
        uint32_t s = said->ours[i];
        if ((present >> i & 1) == 0) {
            continue;
        }
        if (!(s == STATE_GONE ? gone_skip(&said->gone[i], said->ttl_ms[i] != 0, said->record, from)
                              : read_state(p, s, own, said, i, from))) {
            return false;
        }
    }
    bool sets = own && has_timers(p);
    for (int kind = 0; kind < DUE_KINDS && said->timers; kind++) {
        uint32_t added = timers_read(&p->timers[kind], sets ? p->row : ROW_NONE, from);
        if (sets) {
            head_of(p)->timers += added;
        }
    }
    return !from->bad;
}

/* ------------------------------------------------------------------------- Rows in a database */

static void rows_begin(struct op *op)
{
    begin_writing(process_of(op));
}

static void rows_end(struct op *op)
{
    end_writing(process_of(op));
}

static bool is_full(struct op *op, uint32_t row)
{
    process_of(op)->row = row;
    return row_is_full(process_of(op));
}

static void row_write(struct op *op, uint32_t row, struct bytes *to)
{
    struct process *p = process_of(op);
    p->row = row;
    if (p->written->expires) {
        bytes_i64(to, over_at(p));
    }
    write_body(p, to);
}

static int64_t row_due(struct op *op, uint32_t row, enum due_kind kind)
{
    struct process *p = process_of(op);
    return has_timers(p) ? timers_first_of(&p->by_row[kind], row) : ST_TIME_MAX;
}

static bool row_read(struct op *op, uint32_t row, struct reader *from)
{
    struct process *p = process_of(op);
    p->row = row;
    if (p->said->expires) {
        (void)read_i64(from);
    }
    return read_row(p, true, p->said, from);
}

/* One that all of what it had has been dropped of is none. */
static bool row_restore(struct op *op, uint32_t row, struct reader *from)
{
    bool ok = row_read(op, row, from);
    if (ok) {
        drop_row_if_empty(process_of(op));
    }
    return ok;
}

static void row_drop(struct op *op, uint32_t row)
{
    process_of(op)->row = row;
    keyed_state_drop(process_of(op));
}

static void rows_forget(struct op *op)
{
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        timers_clear(&process_of(op)->timers[kind]);
    }
}

void keyed_rows_open(struct process *p)
{
    static const struct row_codec codec = {.begin = rows_begin,
                                           .end = rows_end,
                                           .is_full = is_full,
                                           .write = row_write,
                                           .due = row_due,
                                           .read = row_read,
                                           .drop = row_drop,
                                           .forget = rows_forget,
                                           .freeze = freeze};
    bool varies = false;
    if (!rows_are_stored(&p->op)) {
        return;
    }
    struct states_said *own = must_calloc(1, sizeof *own);
    own->count = p->state_count;
    own->timers = has_timers(p);
    own->expires = p->has_ttl;
    own->record = must_calloc(1, ST_RECORD_SIZE_MAX);
    own->key = must_calloc(1, ST_RECORD_SIZE_MAX);
    for (uint32_t s = 0; s < p->state_count; s++) {
        own->ours[s] = s;
        own->ttl_ms[s] = state_of(p, s)->ttl_ms;
        varies |= state_of(p, s)->kind != ST_STATE_VALUE_OF || p->layouts[s].text_count > 0;
    }
    p->written = p->said = own;
    rows_open(&p->rows, &p->op, &p->table, &p->readers[0], &codec, varies);
    p->rows.expires = own->expires;
}

void keyed_rows_close(struct process *p)
{
    rows_close(&p->rows);
    if (p->written != NULL) {
        free(p->written->record);
        free(p->written->key);
        free(p->written);
    }
    p->written = p->said = NULL;
}

/* Are rows that say so read as ours are? Of states of ours that they do not have none is present.
 */
static bool is_as_written(const struct process *p, const struct states_said *said)
{
    bool same = p->written != NULL && said->timers == p->written->timers;
    for (uint32_t i = 0; i < said->count && same; i++) {
        same = said->ours[i] == i && said->ttl_ms[i] == p->written->ttl_ms[i];
    }
    return same;
}

/* Takes the rows of a section's files. */
static void restore_files(struct process *p, struct states_said *said, struct reader *from)
{
    struct rows_said files;
    if (rows_read_said(&files, from)) {
        p->said = said;
        rows_restore(&p->rows, &files, &p->op, is_as_written(p, said), row_restore);
        p->said = p->written;
    }
}

/* ----------------------------------------------------------------------------------- A section */

static bool read_rows(struct process *p, const struct states_said *said, int64_t row_count,
                      struct reader *from)
{
    struct op *op = &p->op;
    char *key = arena_alloc(&op->task->arena, p->readers[0].layout.size);
    bool ok = true;
    for (int64_t r = 0; r < row_count && ok; r++) {
        bool is_new;
        ok = read_record(from, &p->readers[0].layout, key);
        bool own = ok && op_owns(op, &p->readers[0], key);
        p->row = own ? table_find_or_insert_key(&p->table, key, &is_new) : ROW_NONE;
        ok = ok && read_row(p, own, said, from);
        if (own && ok) {
            drop_row_if_empty(p);
            rows_make_room(&p->rows);
        }
    }
    return ok;
}

void keyed_rows_restore(struct process *p, struct section *section)
{
    struct op *op = &p->op;
    struct reader *from = &section->state;
    p->now_ms = p->has_ttl ? job_now(op->task->job) : 0;
    struct states_said said = {.now_ms = p->now_ms,
                               .record = arena_alloc(&op->task->arena, ST_RECORD_SIZE_MAX),
                               .key = arena_alloc(&op->task->arena, ST_RECORD_SIZE_MAX)};
    if (from->at == from->end) {
        return; /* it had none then */
    }
    restore_type(op, from, &p->readers[0].type);
    read_states(p, section, from, &said);
    int64_t row_count = read_i64(from);
    if (row_count == ROWS_IN_FILES && !from->bad) {
        restore_files(p, &said, from);
        row_count = 0;
    }
    if (from->bad || row_count < 0 || row_count > from->end - from->at) {
        from->bad = true;
        return;
    }
    from->bad |= !read_rows(p, &said, row_count, from);
}
