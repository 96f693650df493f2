/*
 * Fetch: by followers up to the log's end, by consumers up to the high watermark or the last stable
 * offset.
 *
 *     read every item ──► note how far the follower is ──► enough bytes, an error, no time to wait?
 *                              │ joins the ISR                  yes: answer what was read
 *                              │ raises the high watermark      no: wait, then read again
 *
 * What is answered was read before the follower's own progress was noted, so that a high watermark
 * which this very fetch has raised is told with the next one. A follower learns of it late, and
 * never too much. Only the first reading notes progress; reading again after a wait does not.
 *
 * Source: Kafka ReplicaManager.fetchMessages, readFromLocalLog, updateFollowerFetchState;
 * Partition.readRecords, getLocalLog; DelayedFetch; Log.read; TransactionIndex.collectAbortedTxns.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

int32_t kb_row_error(const struct kb_replicas *r, uint32_t row, int32_t unknown,
                     int32_t current_epoch, bool only_leader)
{
    const struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);

    if (unknown != 0) {
        return unknown == 1 ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION : unknown;
    }
    if (p == NULL || p->hosted == KB_NOT_HOSTED) {
        return WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
    }
    if (p->hosted == KB_OFFLINE) {
        return WIRE_ERROR_KAFKA_STORAGE_ERROR;
    }
    if (current_epoch != -1 && current_epoch != p->leader_epoch &&
        !kb_defect(r, SM_DEFECT_FENCED_BY_RECORD)) {
        return current_epoch < p->leader_epoch ? WIRE_ERROR_FENCED_LEADER_EPOCH
                                               : WIRE_ERROR_UNKNOWN_LEADER_EPOCH;
    }
    if (!p->attached || (only_leader && p->leader != r->config.broker_id)) {
        return WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
    }
    return WIRE_ERROR_NONE;
}

/* ---- one request, read ---- */

/* The terms of a fetch: the same when it comes and when it has waited. */
struct terms {
    int32_t replica_id;
    int32_t min_bytes;
    bool only_leader, committed;
};

struct reading {
    struct kb_fetch_result *results;
    uint32_t count, capacity;
    int64_t bytes, bytes_left;
    bool error;
    bool rolled; /* what may be read goes on in another segment */
};

static bool is_broker(int32_t replica_id)
{
    return replica_id >= 0;
}

static int64_t bound_of(const struct kb_replicas *r, const struct kb_row *row, struct terms t)
{
    if (is_broker(t.replica_id)) {
        return row->log_end;
    }
    return t.committed ? kb_log_stable(r, row) : row->hw;
}

/* In which segment a reading began: whether the log has begun another since. */
static uint32_t segment_of(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    return (uint32_t)kb_segment_base(r, row, offset);
}

/* What may be read ends in another segment than that in which the offset was: the answer is given
   as it is. Source: DelayedFetch.tryComplete, case F. */
static bool has_rolled(const struct kb_replicas *r, const struct kb_row *row, struct terms t,
                       int64_t offset, uint32_t segment)
{
    int64_t bound = bound_of(r, row, t);

    return bound != offset && segment_of(r, row, bound) != segment;
}

static bool overlaps(const struct kb_transaction *t, int64_t from, int64_t to)
{
    return t->aborted != 0 && t->last_offset >= from && t->first_offset < to;
}

/* The aborted transactions that reach into what was read, by their first offset. Without room for
   them nothing was read, this time; for one partition alone there is always room (replica_needs.c).
 */
static bool collect_aborted(struct kb_replicas *r, const struct kb_row *row, int64_t from,
                            struct kb_fetch_result *result)
{
    const struct kb_batch *last = &result->batches[result->batch_count - 1];
    int64_t to = kb_batch_end(last);
    struct kb_aborted *list = kb_scratch(r, row->transactions.count * sizeof(struct kb_aborted));

    if (list == NULL) {
        result->batches = NULL;
        result->batch_count = 0;
        return false;
    }
    for (uint32_t i = 0; i < row->transactions.count; i++) {
        const struct kb_transaction *t =
            kb_extent_see(r, KB_POOL_TRANSACTIONS, &row->transactions, i);
        uint32_t at = result->aborted_count;
        if (!overlaps(t, from, to)) {
            continue;
        }
        for (; at > 0 && list[at - 1].first_offset > t->first_offset; at--) {
            list[at] = list[at - 1];
        }
        list[at] = (struct kb_aborted){t->producer_id, t->first_offset};
        result->aborted_count++;
    }
    result->aborted = list;
    return true;
}

/* With the first try of KIP-320: whether the follower's last record is the leader's too. It does
   not tell whether the follower is in the leader's epoch, and so may yet truncate it. */
static bool is_of_another_log(const struct kb_replicas *r, struct terms t, const struct kb_row *row,
                              const struct kb_fetch_item *item)
{
    return kb_defect(r, SM_DEFECT_FENCED_BY_RECORD) && t.replica_id >= 0 && item->offset > 0 &&
           (item->offset > row->log_end ||
            kb_epochs_at(r, row, item->offset - 1) != item->current_leader_epoch);
}

/* Reads one item into the next result. */
static struct kb_fetch_result *read_item(struct kb_replicas *r, struct terms t,
                                         struct reading *reading, uint32_t row,
                                         const struct kb_fetch_item *item)
{
    struct kb_fetch_result *result = &reading->results[reading->count++];
    const struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);
    int64_t limit = item->max_bytes < reading->bytes_left ? item->max_bytes : reading->bytes_left;
    struct kb_read read = {0};

    assert(reading->count <= reading->capacity);
    *result = (struct kb_fetch_result){.topic = item->topic,
                                       .partition = item->partition,
                                       .hw = -1,
                                       .last_stable = -1,
                                       .log_start = -1};
    result->error = kb_row_error(r, row, item->unknown, item->current_leader_epoch, t.only_leader);
    if (result->error == WIRE_ERROR_NONE && is_of_another_log(r, t, p, item)) {
        result->error = WIRE_ERROR_FENCED_LEADER_EPOCH;
    }
    if (result->error == WIRE_ERROR_NONE) {
        read = kb_log_read(r, p, item->offset, bound_of(r, p, t), limit, reading->bytes == 0);
        result->error = read.error;
    }
    if (result->error != WIRE_ERROR_NONE) {
        reading->error = true;
        return result;
    }
    result->hw = p->hw;
    result->last_stable = kb_log_stable(r, p);
    result->log_start = p->log_start;
    result->batches = read.batches;
    result->batch_count = read.count;
    if (t.committed && read.count > 0 && !collect_aborted(r, p, item->offset, result)) {
        return result;
    }
    reading->rolled =
        reading->rolled || (p->segments.count > 0 &&
                            has_rolled(r, p, t, item->offset, segment_of(r, p, item->offset)));
    reading->bytes += read.bytes;
    reading->bytes_left = reading->bytes_left > read.bytes ? reading->bytes_left - read.bytes : 0;
    return result;
}

static struct kb_fetch_item item_of_remote(const struct kb_replicas *r, const struct kb_row *row,
                                           const struct kb_remote *remote)
{
    return (struct kb_fetch_item){.topic = kb_row_topic(r, row),
                                  .partition = row->partition,
                                  .current_leader_epoch = remote->epoch,
                                  .max_bytes = remote->max_bytes,
                                  .offset = remote->offset,
                                  .log_start = remote->log_start};
}

static struct kb_fetch_item item_of_wait(const struct kb_replicas *r, const struct kb_wait *wait)
{
    return (struct kb_fetch_item){.topic = kb_topic_name(kb_topic(r, wait->topic - 1)),
                                  .partition = wait->partition,
                                  .current_leader_epoch = wait->epoch,
                                  .max_bytes = wait->max_bytes,
                                  .offset = wait->offset,
                                  .log_start = wait->log_start};
}

/* Room for `loose` results and as many dirty rows as fit into half of the scratch; what does not
   fit stays dirty. */
static struct reading reading_begin(struct kb_replicas *r, uint32_t session, uint32_t loose,
                                    int32_t max_bytes)
{
    uint32_t dirty = session == KB_NO_ROW ? 0 : kb_session(r, session)->dirty_count;
    size_t room = kb_scratch_room(r) / 2 / sizeof(struct kb_fetch_result);
    struct reading reading = {.bytes_left = max_bytes};

    dirty = dirty > room ? (uint32_t)room : dirty;
    reading.capacity = loose + dirty;
    reading.results = kb_scratch(r, reading.capacity * sizeof *reading.results);
    assert(reading.results != NULL);
    return reading;
}

/* ---- what a follower's fetch tells the leader ---- */

static void forget_progress(const struct kb_step *s, struct kb_row *row, struct kb_remote *remote)
{
    if (kb_defect(s->r, SM_DEFECT_FAILED_READ) && kb_leads(s->r, row)) {
        remote->log_end = remote->log_end < 0 ? remote->log_end : KB_FORGOTTEN;
        kb_note_lagging(s, row);
    }
}

static void note_remote(const struct kb_step *s, struct kb_row *row, struct kb_remote *remote,
                        const struct kb_fetch_result *result)
{
    if (result->error != WIRE_ERROR_NONE) {
        forget_progress(s, row, remote);
    } else {
        kb_remote_fetched(s, row, remote, remote->offset, remote->log_start, row->log_end);
    }
}

/* A broker that is not assigned hears nothing and is told nothing (KAFKA-13837); the repair tells
   it that it knows too much. */
static void note_unassigned(const struct kb_step *s, uint32_t row, int32_t replica_id,
                            struct kb_fetch_result *result, struct reading *reading)
{
    struct kb_output o;

    if (result->error != WIRE_ERROR_NONE || row == KB_NO_ROW) {
        return;
    }
    if (!kb_defect(s->r, SM_DEFECT_UNKNOWN_REPLICA_FETCH)) {
        result->error = WIRE_ERROR_UNKNOWN_LEADER_EPOCH;
        reading->error = true;
    }
    if ((s->r->config.notes & KB_NOTE_FACT) != 0) {
        o = kb_output_of(s->r, KB_OUT_FACT, kb_row(s->r, row));
        o.what = KB_FACT_UNKNOWN_REPLICA;
        o.broker_id = replica_id;
        o.error = result->error;
        kb_put(s, &o);
    }
    for (uint32_t i = 0; i < result->batch_count; i++) {
        reading->bytes -= result->batches[i].size;
    }
    result->batches = NULL;
    result->batch_count = 0;
}

/* ---- answers ---- */

static void put_results(const struct kb_step *s, uint64_t call_id, int32_t error,
                        int32_t session_id, const struct kb_fetch_result *results, uint32_t count)
{
    struct kb_output o = {.kind = KB_OUT_FETCH_ANSWER,
                          .broker_id = -1,
                          .call_id = call_id,
                          .error = error,
                          .session_id = session_id,
                          .items = results,
                          .count = count};
    kb_put(s, &o);
}

static bool in_isr(const struct kb_row *row, int32_t id)
{
    for (uint32_t i = 0; i < row->isr_count; i++) {
        if (kb_isr(row)[i] == id) {
            return true;
        }
    }
    return false;
}

/* Whether the result says something new; and whether the row may rest until something happens. */
static bool settle_remote(struct kb_replicas *r, struct kb_row *row, struct kb_remote *remote,
                          const struct kb_fetch_result *result)
{
    bool news = result->error != WIRE_ERROR_NONE || result->batch_count > 0 ||
                result->hw != remote->sent_hw || result->log_start != remote->sent_start;
    bool at_end = result->batch_count > 0 || remote->offset >= row->log_end;

    remote->sent_hw = result->hw;
    remote->sent_start = result->log_start;
    if (result->error == WIRE_ERROR_NONE && at_end && in_isr(row, remote->id) &&
        row->hw == result->hw) {
        kb_session_clean(r, row, remote);
    }
    return news;
}

/* Of the results of a session only the news are answered; those of other fetches all are. The first
   `cached` results belong to the session's dirty rows, in their order. */
static void answer(const struct kb_step *s, uint64_t call_id, uint32_t session,
                   struct reading *reading, uint32_t cached)
{
    struct kb_replicas *r = s->r;
    uint32_t place = session == KB_NO_ROW ? 0 : kb_session(r, session)->first_dirty;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < reading->count; i++) {
        bool news = true;
        if (i < cached) {
            struct kb_row *row;
            struct kb_remote *remote = kb_remote_of_place(r, place, &row);
            place = remote->next_dirty;
            news = settle_remote(r, row, remote, &reading->results[i]);
        }
        if (news) {
            reading->results[kept++] = reading->results[i];
        }
    }
    put_results(s, call_id, WIRE_ERROR_NONE, session == KB_NO_ROW ? 0 : kb_session(r, session)->id,
                reading->results, kept);
}

static uint32_t read_dirty(struct kb_replicas *r, struct terms t, struct reading *reading,
                           uint32_t session, uint32_t loose)
{
    uint32_t place = session == KB_NO_ROW ? 0 : kb_session(r, session)->first_dirty;

    while (place != 0 && reading->count + loose < reading->capacity) {
        struct kb_row *row;
        struct kb_remote *remote = kb_remote_of_place(r, place, &row);
        struct kb_fetch_item item = item_of_remote(r, row, remote);
        remote->segment = segment_of(r, row, remote->offset);
        read_item(r, t, reading, kb_row_index(r, row), &item);
        place = remote->next_dirty;
    }
    return reading->count;
}

/* ---- sessions ---- */

/* Opens or continues the session; false where the fetch was refused. *session: KB_NO_ROW without.
 */
static bool take_session(const struct kb_step *s, const struct kb_input *in,
                         const struct kb_fetch *fetch, uint32_t *session)
{
    struct kb_replicas *r = s->r;
    uint32_t known = kb_session_find(r, fetch->session_id);
    int32_t error = WIRE_ERROR_NONE;

    *session = KB_NO_ROW;
    if (!is_broker(fetch->replica_id) || fetch->session_epoch == -1) {
        return true;
    }
    if (known != KB_NO_ROW && kb_session(r, known)->operation != 0) {
        kb_operation_free(r, kb_session(r, known)->operation - 1); /* its asker has gone */
    }
    if (fetch->session_epoch == 0) {
        if (known != KB_NO_ROW) {
            kb_session_drop(s, known);
        }
        *session = kb_session_new(s, fetch->replica_id);
        return true;
    }
    if (known == KB_NO_ROW || kb_session(r, known)->replica_id != fetch->replica_id) {
        error = WIRE_ERROR_FETCH_SESSION_ID_NOT_FOUND;
    } else if (kb_session(r, known)->epoch != fetch->session_epoch) {
        error = WIRE_ERROR_INVALID_FETCH_SESSION_EPOCH;
    }
    if (error != WIRE_ERROR_NONE) {
        put_results(s, in->call_id, error, 0, NULL, 0);
        return false;
    }
    *session = known;
    kb_session(r, known)->epoch = fetch->session_epoch == INT32_MAX ? 1 : fetch->session_epoch + 1;
    return true;
}

static struct kb_remote *cacheable(const struct kb_replicas *r, uint32_t row, int32_t replica_id,
                                   int32_t unknown)
{
    return row == KB_NO_ROW || unknown != 0 ? NULL : kb_remote_find(r, kb_row(r, row), replica_id);
}

static void forget_items(struct kb_replicas *r, const struct kb_fetch *fetch, uint32_t session)
{
    for (uint32_t i = 0; i < fetch->forgotten_count; i++) {
        uint32_t row = kb_row_find(r, fetch->forgotten[i].topic, fetch->forgotten[i].partition);
        struct kb_remote *remote = cacheable(r, row, fetch->replica_id, 0);
        if (remote != NULL && remote->session == session + 1) {
            kb_session_remove(r, kb_row(r, row), remote);
        }
    }
}

/* Takes the named items into the session. Returns how many have no place there. */
static uint32_t name_items(struct kb_replicas *r, const struct kb_fetch *fetch, uint32_t session)
{
    uint32_t loose = 0;

    for (uint32_t i = 0; i < fetch->count; i++) {
        const struct kb_fetch_item *item = &fetch->items[i];
        uint32_t row = kb_row_find(r, item->topic, item->partition);
        struct kb_remote *remote =
            session == KB_NO_ROW ? NULL : cacheable(r, row, fetch->replica_id, item->unknown);
        if (remote == NULL) {
            loose++;
            continue;
        }
        kb_session_add(r, session, kb_row(r, row), remote);
        remote->epoch = item->current_leader_epoch;
        remote->offset = item->offset;
        remote->max_bytes = item->max_bytes;
        remote->log_start = item->log_start;
        kb_session_mark(r, kb_row(r, row), remote);
    }
    return loose;
}

/* ---- the story ---- */

static struct terms terms_of(const struct kb_fetch *fetch)
{
    return (struct terms){.replica_id = fetch->replica_id,
                          .min_bytes = fetch->min_bytes,
                          .only_leader = is_broker(fetch->replica_id) || !fetch->any_replica,
                          .committed = !is_broker(fetch->replica_id) && fetch->committed};
}

static void read_loose(struct kb_replicas *r, const struct kb_fetch *fetch, struct reading *reading,
                       uint32_t session)
{
    for (uint32_t i = 0; i < fetch->count; i++) {
        const struct kb_fetch_item *item = &fetch->items[i];
        uint32_t row = kb_row_find(r, item->topic, item->partition);
        if (session == KB_NO_ROW || cacheable(r, row, fetch->replica_id, item->unknown) == NULL) {
            read_item(r, terms_of(fetch), reading, row, item);
        }
    }
}

/* Followers without a session, and partitions that the asker is not assigned to. */
static void note_loose(const struct kb_step *s, const struct kb_fetch *fetch,
                       struct reading *reading, uint32_t session, uint32_t cached)
{
    for (uint32_t i = cached; i < reading->count; i++) {
        struct kb_fetch_result *result = &reading->results[i];
        uint32_t row = kb_row_find(s->r, result->topic, result->partition);
        struct kb_remote *remote =
            session != KB_NO_ROW ? NULL : cacheable(s->r, row, fetch->replica_id, 0);
        if (remote == NULL) {
            note_unassigned(s, row, fetch->replica_id, result, reading);
            continue;
        }
        const struct kb_fetch_item *item = &fetch->items[i]; /* no session: all are loose */
        remote->offset = item->offset;
        remote->log_start = item->log_start;
        note_remote(s, kb_row(s->r, row), remote, result);
    }
}

/* Noting does not change which rows are dirty before the last of those read: marks go to the end.
 */
static void note_cached(const struct kb_step *s, uint32_t session, const struct reading *reading,
                        uint32_t cached)
{
    uint32_t place = session == KB_NO_ROW ? 0 : kb_session(s->r, session)->first_dirty;

    for (uint32_t i = 0; i < cached; i++) {
        struct kb_row *row;
        struct kb_remote *remote = kb_remote_of_place(s->r, place, &row);
        note_remote(s, row, remote, &reading->results[i]);
        place = remote->next_dirty;
    }
}

static void wait(const struct kb_step *s, const struct kb_input *in, const struct kb_fetch *fetch,
                 uint32_t session, uint32_t loose)
{
    struct kb_replicas *r = s->r;
    struct kb_operation of = {.call_id = in->call_id,
                              .due_us = s->now_us + fetch->max_wait_us,
                              .kind = KB_OP_FETCH,
                              .committed = fetch->committed != 0,
                              .any_replica = fetch->any_replica != 0,
                              .replica_id = fetch->replica_id,
                              .min_bytes = fetch->min_bytes,
                              .max_bytes = fetch->max_bytes};
    uint32_t operation = kb_operation_new(r, &of, loose);
    struct kb_operation *op = kb_operation(r, operation);
    uint32_t next = 0;

    if (session != KB_NO_ROW) {
        op->session = session + 1;
        kb_session(r, session)->operation = operation + 1;
    }
    for (uint32_t i = 0; i < fetch->count; i++) {
        const struct kb_fetch_item *item = &fetch->items[i];
        uint32_t row = kb_row_find(r, item->topic, item->partition);
        struct kb_wait *wait;
        if (session != KB_NO_ROW && cacheable(r, row, fetch->replica_id, item->unknown) != NULL) {
            continue;
        }
        wait = kb_wait_at(r, op, next);
        wait->topic = kb_topic_take(r, item->topic) + 1;
        wait->partition = item->partition;
        wait->offset = item->offset;
        wait->log_start = item->log_start;
        wait->epoch = item->current_leader_epoch;
        wait->max_bytes = item->max_bytes;
        wait->base_offset = kb_segment_base(r, kb_row(r, row), item->offset);
        kb_wait_watch(r, operation, next++, row);
    }
}

void kb_on_fetch(const struct kb_step *s, const struct kb_input *in)
{
    struct kb_replicas *r = s->r;
    const struct kb_fetch *fetch = in->request;
    uint32_t session, loose, cached;
    struct reading reading;

    if (!take_session(s, in, fetch, &session)) {
        return;
    }
    if (session != KB_NO_ROW) {
        kb_session(r, session)->last_fetch_us = s->now_us;
        forget_items(r, fetch, session);
    }
    loose = name_items(r, fetch, session);
    reading = reading_begin(r, session, loose, fetch->max_bytes);
    cached = read_dirty(r, terms_of(fetch), &reading, session, loose);
    read_loose(r, fetch, &reading, session);
    if (is_broker(fetch->replica_id)) {
        note_cached(s, session, &reading, cached);
        note_loose(s, fetch, &reading, session, cached);
    }
    if (fetch->max_wait_us <= 0 || reading.bytes >= fetch->min_bytes || reading.error ||
        reading.rolled ||
        (loose == 0 && (session == KB_NO_ROW || kb_session(r, session)->cached_count == 0))) {
        answer(s, in->call_id, session, &reading, cached);
    } else {
        wait(s, in, fetch, session, loose);
    }
}

/* ---- having waited ---- */

static int64_t available(const struct kb_replicas *r, const struct kb_row *row, struct terms t,
                         const struct kb_fetch_item *item)
{
    if (item->offset < row->log_start || item->offset > row->log_end) {
        return 0;
    }
    return kb_log_read(r, row, item->offset, bound_of(r, row, t),
                       t.min_bytes < item->max_bytes ? t.min_bytes : item->max_bytes, true)
        .bytes;
}

static struct terms terms_of_operation(const struct kb_operation *op)
{
    return (struct terms){.replica_id = op->replica_id,
                          .min_bytes = op->min_bytes,
                          .only_leader = is_broker(op->replica_id) || !op->any_replica,
                          .committed = !is_broker(op->replica_id) && op->committed};
}

bool kb_fetch_may_end(struct kb_replicas *r, const struct kb_operation *op)
{
    struct terms t = terms_of_operation(op);
    uint32_t place = op->session == 0 ? 0 : kb_session(r, op->session - 1)->first_dirty;
    int64_t bytes = 0;

    for (uint32_t i = 0; i < op->items.count; i++) {
        const struct kb_wait *wait = kb_wait_at(r, op, i);
        struct kb_fetch_item item = item_of_wait(r, wait);
        uint32_t row = wait->row == 0 ? KB_NO_ROW : wait->row - 1;
        if (kb_row_error(r, row, 0, item.current_leader_epoch, t.only_leader) != WIRE_ERROR_NONE ||
            has_rolled(r, kb_row(r, row), t, item.offset, (uint32_t)wait->base_offset)) {
            return true;
        }
        bytes += available(r, kb_row(r, row), t, &item);
    }
    while (place != 0 && bytes < op->min_bytes) {
        struct kb_row *row;
        const struct kb_remote *remote = kb_remote_of_place(r, place, &row);
        struct kb_fetch_item item = item_of_remote(r, row, remote);
        if (kb_row_error(r, kb_row_index(r, row), 0, item.current_leader_epoch, true) !=
                WIRE_ERROR_NONE ||
            has_rolled(r, row, t, item.offset, remote->segment)) {
            return true;
        }
        bytes += available(r, row, t, &item);
        place = remote->next_dirty;
    }
    return bytes >= op->min_bytes;
}

void kb_fetch_finish(const struct kb_step *s, uint32_t operation)
{
    struct kb_replicas *r = s->r;
    const struct kb_operation *op = kb_operation(r, operation);
    uint32_t session = op->session == 0 ? KB_NO_ROW : op->session - 1;
    uint32_t mark = r->scratch_used;
    struct reading reading = reading_begin(r, session, op->items.count, op->max_bytes);
    uint32_t cached = read_dirty(r, terms_of_operation(op), &reading, session, op->items.count);

    for (uint32_t i = 0; i < op->items.count; i++) {
        const struct kb_wait *item = kb_wait_at(r, op, i);
        struct kb_fetch_item as = item_of_wait(r, item);
        read_item(r, terms_of_operation(op), &reading, item->row == 0 ? KB_NO_ROW : item->row - 1,
                  &as);
    }
    answer(s, op->call_id, session, &reading, cached);
    memset(kb_place(r, r->at.scratch + mark), 0, r->scratch_used - mark);
    r->scratch_used = mark;
    kb_operation_free(r, operation);
}
