/*
 * Following: one fetcher per leader, one request in flight.
 *
 *        a row is followed ─► TRUNCATING ──── epochs agree ────► FETCHING ──┐
 *                              │  ▲                               │  ▲      │ records
 *                    ask the leader where my                      │  └──────┘
 *                    latest epoch ended                           │ out of range: ask for its
 * offsets └── an error: after a while again ─┘ FENCED_LEADER_EPOCH in my own epoch ─► failed:
 * silent until the next LeaderAndIsr
 *
 * The fetcher's turn, as on Kafka's thread: rows that truncate are asked for in one request; then
 * rows that may be fetched are fetched in one request; and again. While one is in flight nothing
 * else goes to this leader. A row that has no epochs at all truncates to where it began to follow,
 * its high watermark, without asking.
 *
 * A fetch names what changed since the last one (replica_sessions.c holds the other end). Whatever
 * leaves the fetcher makes the next fetch name all again; what only pauses is named as forgotten.
 *
 * Source: Kafka AbstractFetcherThread.doWork, maybeTruncate, maybeFetch, addPartitions,
 * removePartitions, delayPartitions; AbstractFetcherManager; FetchSessionHandler.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

/* ---- which fetcher ---- */

static int32_t java_hash(const char *text)
{
    uint32_t h = 0;
    for (; *text != '\0'; text++) {
        h = 31 * h + (uint8_t)*text;
    }
    return (int32_t)h;
}

/* AbstractFetcherManager.getFetcherId: Utils.abs keeps the low 31 bits of the smallest number, 0.
 */
static int32_t fetcher_number(const struct kb_replicas *r, const struct kb_row *row)
{
    uint32_t h = 31u * (uint32_t)java_hash(kb_row_topic(r, row)) + (uint32_t)row->partition;
    int32_t n = (int32_t)h;

    n = n == INT32_MIN ? 0 : n < 0 ? -n : n;
    return n % r->config.fetchers_per_leader;
}

static uint32_t fetcher_get(struct kb_replicas *r, int32_t leader, int32_t number)
{
    uint32_t free = KB_NO_ROW;
    struct kb_fetcher *f;

    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        f = kb_fetcher(r, i);
        if (f->used && f->leader == leader && f->number == number) {
            return i;
        }
        free = !f->used && free == KB_NO_ROW ? i : free;
    }
    assert(free != KB_NO_ROW);
    f = kb_fetcher(r, free);
    memset(f, 0, sizeof *f);
    f->used = 1;
    f->leader = leader;
    f->number = number;
    f->delay_us = KB_NEVER;
    f->armed_us = -1;
    return free;
}

/* ---- where a row stands ---- */

static bool is_ready(const struct kb_row *row)
{
    return row->fetch_state == KB_FETCHING &&
           (row->queue == KB_QUEUE_NONE || row->queue == KB_QUEUE_CHANGED);
}

/* The only place that moves a row: counts, queues and what is to be forgotten follow from it. */
void kb_fetch_set(struct kb_replicas *r, uint32_t row, enum kb_fetch_state state,
                  enum kb_queue queue)
{
    struct kb_row *p = kb_row(r, row);
    struct kb_fetcher *f = kb_fetcher(r, p->fetcher - 1);
    bool before = is_ready(p);

    if (p->queue != KB_QUEUE_NONE) {
        kb_list_remove(r, KB_LIST_QUEUE, &f->queue[p->queue], row);
    }
    p->fetch_state = (uint8_t)state;
    p->queue = (uint8_t)queue;
    if (queue != KB_QUEUE_NONE) {
        kb_list_add(r, KB_LIST_QUEUE, &f->queue[queue], row);
    }
    f->ready += (uint32_t)is_ready(p) - (uint32_t)before;
    if (before && !is_ready(p) && p->in_session) {
        kb_list_add(r, KB_LIST_FORGET, &f->forget, row);
    } else if (is_ready(p)) {
        kb_list_remove(r, KB_LIST_FORGET, &f->forget, row);
    }
}

void kb_fetcher_queue(struct kb_replicas *r, uint32_t row, enum kb_queue queue)
{
    kb_fetch_set(r, row, kb_row(r, row)->fetch_state, queue);
}

void kb_follow(const struct kb_step *s, uint32_t row, int32_t leader)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, row);
    uint32_t fetcher;

    if (p->fetcher != 0) {
        return; /* kept, with the defect */
    }
    fetcher = fetcher_get(r, leader, fetcher_number(r, p));
    p->fetcher = fetcher + 1;
    p->fetch_epoch = p->leader_epoch;
    p->fetch_offset = p->hw;
    p->sent_epoch = -1;
    kb_list_add(r, KB_LIST_FETCHER, &kb_fetcher(r, fetcher)->all, row);
    if (kb_defect(r, SM_DEFECT_FENCED_BY_RECORD) && p->log_end > 0) { /* until it is told to */
        p->fetch_offset = p->log_end;
        kb_fetch_set(r, row, KB_FETCHING, KB_QUEUE_CHANGED);
    } else {
        kb_fetch_set(r, row, KB_TRUNCATING, KB_QUEUE_TRUNCATE);
    }
    if (kb_fetcher(r, fetcher)->idle) {
        kb_fetcher(r, fetcher)->idle = 0;
        kb_fetcher(r, fetcher)->delay_us = KB_NEVER;
    }
}

void kb_unfollow(const struct kb_step *s, uint32_t row)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, row);
    struct kb_fetcher *f;

    if (p->fetcher == 0) {
        p->fetch_state = KB_NOT_FETCHING; /* or failed: over with the next LeaderAndIsr */
        return;
    }
    f = kb_fetcher(r, p->fetcher - 1);
    kb_fetch_set(r, row, KB_NOT_FETCHING, KB_QUEUE_NONE);
    kb_list_remove(r, KB_LIST_FORGET, &f->forget, row);
    kb_list_remove(r, KB_LIST_FETCHER, &f->all, row);
    f->renew = f->renew || p->in_session;
    p->in_session = p->earliest = 0;
    p->fetcher = 0;
    p->fetch_epoch = p->sent_epoch = 0;
    p->fetch_offset = p->sent_offset = p->due_us = 0;
}

void kb_fetch_delay(const struct kb_step *s, uint32_t row)
{
    kb_row(s->r, row)->due_us = s->now_us + s->r->config.fetch_backoff_us;
    kb_fetcher_queue(s->r, row, KB_QUEUE_DELAYED);
}

void kb_fetch_fail(const struct kb_step *s, uint32_t row)
{
    kb_unfollow(s, row);
    kb_row(s->r, row)->fetch_state = KB_FETCH_FAILED;
    kb_fact(s, KB_FACT_FAILED, kb_row(s->r, row), kb_row(s->r, row)->leader_epoch,
            kb_row(s->r, row)->log_end);
}

static void arm(const struct kb_step *s, uint32_t fetcher, int64_t due_us)
{
    struct kb_fetcher *f = kb_fetcher(s->r, fetcher);
    struct kb_output o = {.kind = KB_OUT_TIMER,
                          .broker_id = f->leader,
                          .timer = KB_TIMER_FETCHER + fetcher,
                          .due_us = due_us};

    if (f->armed_us != due_us) {
        f->armed_us = due_us;
        kb_put(s, &o);
    }
}

void kb_fetchers_shut_idle(const struct kb_step *s)
{
    for (uint32_t i = 0; i < s->r->limits.fetchers; i++) {
        struct kb_fetcher *f = kb_fetcher(s->r, i);
        if (f->used && f->all.count == 0) {
            arm(s, i, -1);
            memset(f, 0, sizeof *f);
        }
    }
}

/* ---- sending ---- */

static void launch(const struct kb_step *s, uint32_t fetcher, enum kb_flight flight,
                   struct kb_output *o)
{
    struct kb_fetcher *f = kb_fetcher(s->r, fetcher);

    f->flight = (uint8_t)flight;
    f->correlation = s->r->next_correlation++;
    arm(s, fetcher, -1);
    o->broker_id = f->leader;
    o->correlation = f->correlation;
    kb_put(s, o);
}

/* How many items of `size` fit; what does not fit waits for the next request. */
static uint32_t fitting(const struct kb_replicas *r, uint32_t wanted, size_t size)
{
    size_t most = kb_scratch_room(r) / 2 / size;

    assert(most > 0);
    return wanted < most ? wanted : (uint32_t)most;
}

/* Which epoch a request says that it follows. Before KIP-320 it said none (-1), and a leader that
   had not heard of its successor yet, or had only just become one, answered. */
static int32_t said_epoch(const struct kb_replicas *r, const struct kb_row *row)
{
    bool unfenced =
        kb_defect(r, SM_DEFECT_UNFENCED_FETCH) || kb_defect(r, SM_DEFECT_FENCED_BY_RECORD);
    return unfenced ? -1 : row->fetch_epoch;
}

/* In the first try of KIP-320 a fetch said instead which epoch wrote the record before it. */
static int32_t fetched_epoch(const struct kb_replicas *r, const struct kb_row *row)
{
    return kb_defect(r, SM_DEFECT_FENCED_BY_RECORD) ? kb_epochs_at(r, row, row->fetch_offset - 1)
                                                    : said_epoch(r, row);
}

static struct kb_fetch_item fetch_item(const struct kb_replicas *r, struct kb_row *row)
{
    row->in_session = 1;
    row->sent_offset = row->fetch_offset;
    row->sent_epoch = row->fetch_epoch;
    return (struct kb_fetch_item){.topic = kb_row_topic(r, row),
                                  .partition = row->partition,
                                  .current_leader_epoch = fetched_epoch(r, row),
                                  .max_bytes = r->config.fetch_max_bytes,
                                  .offset = row->fetch_offset,
                                  .log_start = row->log_start};
}

/* A new session: all that is ready has to be named, as many as fit now. */
static void renew_session(struct kb_replicas *r, struct kb_fetcher *f)
{
    while (f->forget.first != 0) {
        kb_list_remove(r, KB_LIST_FORGET, &f->forget, f->forget.first - 1);
    }
    f->session_epoch = 0;
    f->renew = 0;
    for (uint32_t at = f->all.first; at != 0;) {
        struct kb_row *row = kb_row(r, at - 1);
        row->in_session = 0;
        if (is_ready(row) && row->queue != KB_QUEUE_CHANGED) {
            kb_fetcher_queue(r, at - 1, KB_QUEUE_CHANGED);
        }
        at = row->link[KB_LIST_FETCHER].next;
    }
}

static uint32_t name_forgotten(struct kb_replicas *r, struct kb_fetcher *f,
                               struct kb_partition_name *names, uint32_t most)
{
    uint32_t count = 0;

    while (f->forget.first != 0 && count < most) {
        uint32_t row = f->forget.first - 1;
        struct kb_row *p = kb_row(r, row);
        names[count++] =
            (struct kb_partition_name){.topic = kb_row_topic(r, p), .partition = p->partition};
        p->in_session = 0;
        kb_list_remove(r, KB_LIST_FORGET, &f->forget, row);
    }
    return count;
}

static void send_fetch(const struct kb_step *s, uint32_t fetcher)
{
    struct kb_replicas *r = s->r;
    struct kb_fetcher *f = kb_fetcher(r, fetcher);
    uint32_t mark = r->scratch_used, most, gone;
    struct kb_fetch_item *items;
    struct kb_partition_name *names;
    struct kb_fetch fetch = {.max_wait_us = r->config.fetch_wait_us,
                             .replica_id = r->config.broker_id,
                             .min_bytes = r->config.fetch_min_bytes,
                             .max_bytes = r->config.fetch_response_bytes};
    struct kb_output o = {.kind = KB_OUT_FETCH, .request = &fetch};

    if (f->session_epoch == 0 || f->renew) {
        renew_session(r, f);
    }
    most = fitting(r, f->queue[KB_QUEUE_CHANGED].count, sizeof *items);
    items = kb_scratch(r, most * sizeof *items);
    gone = fitting(r, f->forget.count, sizeof *names);
    names = kb_scratch(r, gone * sizeof *names);
    fetch.session_id = f->session_id;
    fetch.session_epoch = f->session_epoch;
    fetch.forgotten_count = name_forgotten(r, f, names, gone);
    while (fetch.count < most) {
        uint32_t row = f->queue[KB_QUEUE_CHANGED].first - 1;
        items[fetch.count++] = fetch_item(r, kb_row(r, row));
        kb_fetcher_queue(r, row, KB_QUEUE_NONE);
    }
    fetch.items = items;
    fetch.forgotten = names;
    launch(s, fetcher, KB_FLIGHT_FETCH, &o);
    memset(kb_place(r, r->at.scratch + mark), 0, r->scratch_used - mark);
    r->scratch_used = mark;
}

static void send_epochs(const struct kb_step *s, uint32_t fetcher)
{
    struct kb_replicas *r = s->r;
    struct kb_fetcher *f = kb_fetcher(r, fetcher);
    uint32_t mark = r->scratch_used;
    struct kb_epochs_item *items;
    struct kb_output o = {.kind = KB_OUT_EPOCHS};
    uint32_t most = fitting(r, f->queue[KB_QUEUE_TRUNCATE].count, sizeof *items);

    items = kb_scratch(r, most * sizeof *items);
    while (o.count < most) {
        uint32_t row = f->queue[KB_QUEUE_TRUNCATE].first - 1;
        struct kb_row *p = kb_row(r, row);
        p->sent_epoch = p->fetch_epoch;
        items[o.count++] = (struct kb_epochs_item){.topic = kb_row_topic(r, p),
                                                   .partition = p->partition,
                                                   .current_leader_epoch = said_epoch(r, p),
                                                   .leader_epoch = kb_epochs_latest(r, p)};
        kb_fetcher_queue(r, row, KB_QUEUE_ASKED);
    }
    o.items = items;
    launch(s, fetcher, KB_FLIGHT_EPOCHS, &o);
    memset(items, 0, most * sizeof *items);
    r->scratch_used = mark;
}

static void send_offsets(const struct kb_step *s, uint32_t fetcher)
{
    struct kb_replicas *r = s->r;
    struct kb_fetcher *f = kb_fetcher(r, fetcher);
    uint32_t mark = r->scratch_used;
    struct kb_offsets_item *items;
    struct kb_output o = {.kind = KB_OUT_OFFSETS};
    uint32_t most = fitting(r, f->queue[KB_QUEUE_OFFSETS].count, sizeof *items);

    items = kb_scratch(r, most * sizeof *items);
    while (o.count < most) {
        uint32_t row = f->queue[KB_QUEUE_OFFSETS].first - 1;
        struct kb_row *p = kb_row(r, row);
        p->sent_epoch = p->fetch_epoch;
        items[o.count++] =
            (struct kb_offsets_item){.topic = kb_row_topic(r, p),
                                     .partition = p->partition,
                                     .current_leader_epoch = said_epoch(r, p),
                                     .timestamp = p->earliest ? KB_EARLIEST : KB_LATEST};
        kb_fetcher_queue(r, row, KB_QUEUE_ASKED);
    }
    o.items = items;
    launch(s, fetcher, KB_FLIGHT_OFFSETS, &o);
    memset(items, 0, most * sizeof *items);
    r->scratch_used = mark;
}

/* ---- the turn ---- */

static void end_delays(const struct kb_step *s, struct kb_fetcher *f)
{
    while (f->queue[KB_QUEUE_DELAYED].first != 0) {
        uint32_t row = f->queue[KB_QUEUE_DELAYED].first - 1;
        struct kb_row *p = kb_row(s->r, row);
        if (p->due_us > s->now_us) {
            break;
        }
        p->due_us = 0;
        kb_fetcher_queue(s->r, row,
                         p->fetch_state == KB_TRUNCATING ? KB_QUEUE_TRUNCATE : KB_QUEUE_CHANGED);
    }
}

/* What has no epoch to ask for begins where it was committed. With KAFKA-1211 everybody does. */
static void truncate_unasked(const struct kb_step *s, struct kb_fetcher *f)
{
    struct kb_replicas *r = s->r;

    for (uint32_t at = f->queue[KB_QUEUE_TRUNCATE].first; at != 0;) {
        uint32_t row = at - 1;
        struct kb_row *p = kb_row(r, row);
        at = p->link[KB_LIST_QUEUE].next;
        if (p->epochs.count == 0 || kb_defect(r, SM_DEFECT_HW_TRUNCATION)) {
            kb_log_truncate(s, p, p->fetch_offset);
            p->fetch_offset = p->log_end < p->fetch_offset ? p->log_end : p->fetch_offset;
            kb_fetch_set(r, row, KB_FETCHING, KB_QUEUE_CHANGED);
        }
    }
}

static void arm_next(const struct kb_step *s, uint32_t fetcher)
{
    const struct kb_fetcher *f = kb_fetcher(s->r, fetcher);
    uint32_t first = f->queue[KB_QUEUE_DELAYED].first;
    int64_t due = first == 0 ? -1 : kb_row(s->r, first - 1)->due_us;

    arm(s, fetcher, f->delay_us > s->now_us ? f->delay_us : due);
}

static void take_turn(const struct kb_step *s, uint32_t fetcher)
{
    struct kb_fetcher *f = kb_fetcher(s->r, fetcher);

    if (f->queue[KB_QUEUE_OFFSETS].count > 0) {
        send_offsets(s, fetcher);
        return;
    }
    if (!f->fetch_next) {
        truncate_unasked(s, f);
        f->fetch_next = 1;
        if (f->queue[KB_QUEUE_TRUNCATE].count > 0) {
            send_epochs(s, fetcher);
            return;
        }
    }
    f->fetch_next = 0;
    if (f->ready > 0 || (f->forget.count > 0 && f->session_epoch > 0 && !f->renew)) {
        send_fetch(s, fetcher);
        return;
    }
    if (f->queue[KB_QUEUE_TRUNCATE].count > 0) { /* answered, and has to ask again */
        f->idle = 1;
        f->delay_us = s->now_us + s->r->config.fetch_backoff_us;
    }
    arm_next(s, fetcher);
}

void kb_fetchers_go(const struct kb_step *s)
{
    for (uint32_t i = 0; i < s->r->limits.fetchers; i++) {
        struct kb_fetcher *f = kb_fetcher(s->r, i);
        if (!f->used || f->flight != KB_FLIGHT_NONE) {
            continue;
        }
        if (f->delay_us > s->now_us) {
            arm_next(s, i);
            continue;
        }
        f->delay_us = KB_NEVER;
        f->idle = 0;
        end_delays(s, f);
        take_turn(s, i);
    }
}
