/*
 * What room an input takes, asked before anything is changed.
 *
 * A block has fixed tables. A step that found one full half-way would have to undo; so each step
 * first asks whether what it may do fits, and where not says which limit is too small. Bounds are
 * those of the worst case: whatever is refused later has still been counted.
 *
 * Scratch: an answer to n items takes n results, and while it is made, requests that wait may be
 * answered on top. Each of those asked, when it came, that a quarter of the scratch would do.
 */
#include "broker/replica_state.h"

#include <string.h>

/* Bytes of scratch that one item takes at most, with the room that others need meanwhile. */
enum { PER_ITEM = 512, PER_RECORD = 32, BASE = 8192 };

static const char *scratch_for(const struct kb_replicas *r, uint64_t items, uint64_t each)
{
    return items * each + BASE > r->limits.scratch_bytes ? "scratch_bytes" : NULL;
}

static const char *name_fits(const struct kb_replicas *r, const char *topic)
{
    return strlen(topic) >= r->limits.topic_name ? "topic_name" : NULL;
}

static uint32_t topics_left(const struct kb_replicas *r)
{
    uint32_t left = r->limits.topics - r->topic_count;

    for (uint32_t at = r->free_topic; at != 0; at = kb_topic(r, at - 1)->next_hash) {
        left++;
    }
    return left;
}

static const char *first_of(const char *a, const char *b)
{
    return a != NULL ? a : b;
}

/* ---- the controller's requests ---- */

static uint32_t members(const struct wire_record_view *v)
{
    uint32_t count = v->record->replica_count;

    for (uint32_t i = 0; i < v->record->isr_count; i++) {
        uint32_t k = 0;
        while (k < v->record->replica_count && v->replicas[k] != v->isr[i]) {
            k++;
        }
        count += k == v->record->replica_count;
    }
    return count;
}

/* Every broker alive may be followed, beside those that are followed and dead. */
static const char *fetchers_fit(const struct kb_replicas *r)
{
    uint32_t needed = r->live_count * (uint32_t)r->config.fetchers_per_leader;

    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        needed += kb_fetcher(r, i)->used && !kb_is_live(r, kb_fetcher(r, i)->leader);
    }
    return needed > r->limits.fetchers ? "fetchers" : NULL;
}

static const char *leader_and_isr(const struct kb_replicas *r, const struct kb_input *in)
{
    struct kb_need need = {0};
    const char *topic = "", *short_of = NULL;
    uint32_t rows = 0, topics = 0;

    for (struct wire_record_view v = {0};
         wire_batch_next_for(in->batch, WIRE_RECORD_LEADER_AND_ISR, in->broker_index, &v);) {
        uint32_t row = kb_row_find(r, v.topic, v.record->partition);
        short_of = first_of(short_of, name_fits(r, v.topic));
        if (members(&v) > r->limits.replicas) {
            short_of = "replicas";
        }
        rows += row == KB_NO_ROW;
        topics += kb_topic_find(r, v.topic) == KB_NO_ROW && strcmp(topic, v.topic) != 0;
        topic = v.topic;
        kb_need_add(&need, KB_POOL_EPOCHS, row == KB_NO_ROW ? NULL : &kb_row(r, row)->epochs, 1);
    }
    if (r->row_count + rows > r->limits.partitions) {
        return "partitions";
    }
    short_of = first_of(short_of, topics > topics_left(r) ? "topics" : NULL);
    short_of = first_of(short_of, scratch_for(r, in->batch->count[0], PER_RECORD));
    short_of = first_of(short_of, fetchers_fit(r));
    return first_of(short_of, kb_need_check(r, &need));
}

/* ---- produce and fetch ---- */

static void need_append(const struct kb_replicas *r, struct kb_need *need, uint32_t row,
                        const struct kb_batch *batches, uint32_t count, bool as_leader)
{
    const struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);
    struct kb_append_room room;

    if (p == NULL) {
        return;
    }
    room = kb_append_room(r, p, batches, count);
    kb_need_add(need, KB_POOL_BATCHES, &p->batches, room.batches);
    kb_need_add(need, KB_POOL_SEGMENTS, &p->segments, room.segments);
    kb_need_add(need, KB_POOL_EPOCHS, &p->epochs, as_leader ? 1 : room.epochs);
    kb_need_add(need, KB_POOL_PRODUCERS, &p->producers, room.producers);
    kb_need_add(need, KB_POOL_TRANSACTIONS, &p->transactions, room.transactions);
}

/* The list of aborted transactions of one partition must always fit. */
static const char *transactions_fit(const struct kb_replicas *r, uint32_t row, uint32_t more)
{
    uint64_t count = row == KB_NO_ROW ? 0 : kb_row(r, row)->transactions.count + (uint64_t)more;
    return count == 0 ? NULL : scratch_for(r, count, 8 * sizeof(struct kb_aborted));
}

static const char *operation_fits(const struct kb_replicas *r)
{
    return r->operation_count >= r->limits.operations ? "operations" : NULL;
}

static const char *produce(const struct kb_replicas *r, const struct kb_produce *request)
{
    struct kb_need need = {0};
    const char *short_of = scratch_for(r, request->count, PER_ITEM), *topic = "";
    uint32_t topics = 0;

    for (uint32_t i = 0; i < request->count; i++) {
        const struct kb_produce_item *item = &request->items[i];
        uint32_t row = kb_row_find(r, item->topic, item->partition);
        if (kb_topic_find(r, item->topic) == KB_NO_ROW) { /* who waits keeps the names of all */
            topics += strcmp(item->topic, topic) != 0;
            topic = item->topic;
            short_of = first_of(short_of, name_fits(r, item->topic));
        }
        need_append(r, &need, row, item->batches, item->batch_count, true);
        short_of = first_of(short_of, transactions_fit(r, row, item->batch_count));
    }
    kb_need_add(&need, KB_POOL_WAITS, NULL, request->count);
    short_of = first_of(short_of, topics > topics_left(r) ? "topics" : NULL);
    short_of = first_of(short_of, operation_fits(r));
    return first_of(short_of, kb_need_check(r, &need));
}

/* A place, or an older session of the same follower to put out. */
static const char *session_fits(const struct kb_replicas *r, const struct kb_fetch *request)
{
    if (request->replica_id < 0 || request->session_epoch != 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < r->limits.sessions; i++) {
        const struct kb_session *session = kb_session(r, i);
        if (session->id == 0 || session->replica_id == request->replica_id) {
            return NULL;
        }
    }
    return "sessions";
}

/* What a session holds needs no item of its own to wait with. */
static uint32_t loose_items(const struct kb_replicas *r, const struct kb_fetch *request)
{
    uint32_t loose = 0;

    if (request->replica_id < 0 || request->session_epoch == -1) {
        return request->count;
    }
    for (uint32_t i = 0; i < request->count; i++) {
        const struct kb_fetch_item *item = &request->items[i];
        uint32_t row = kb_row_find(r, item->topic, item->partition);
        loose += row == KB_NO_ROW || item->unknown != 0 ||
                 kb_remote_find(r, kb_row(r, row), request->replica_id) == NULL;
    }
    return loose;
}

static const char *fetch(const struct kb_replicas *r, const struct kb_fetch *request)
{
    struct kb_need need = {0};
    const char *short_of = scratch_for(r, request->count, PER_ITEM);

    kb_need_add(&need, KB_POOL_WAITS, NULL, loose_items(r, request));
    short_of = first_of(short_of, operation_fits(r));
    short_of = first_of(short_of, session_fits(r, request));
    return first_of(short_of, kb_need_check(r, &need));
}

static const char *fetch_answer(const struct kb_replicas *r, const struct kb_input *in)
{
    const struct kb_fetch_result *results = in->items;
    struct kb_need need = {0};
    const char *short_of = NULL;

    for (uint32_t i = 0; in->error == 0 && i < in->count; i++) {
        uint32_t row = kb_row_find(r, results[i].topic, results[i].partition);
        need_append(r, &need, row, results[i].batches, results[i].batch_count, false);
        short_of = first_of(short_of, transactions_fit(r, row, results[i].batch_count));
    }
    return first_of(short_of, kb_need_check(r, &need));
}

/* ---- the rest ---- */

static const char *topic_config(const struct kb_replicas *r, const char *topic)
{
    if (kb_topic_find(r, topic) == KB_NO_ROW && topics_left(r) == 0) {
        return "topics";
    }
    return name_fits(r, topic);
}

static const char *timer(const struct kb_replicas *r, uint32_t which)
{
    return which == KB_TIMER_ISR_NOTIFY
               ? scratch_for(r, r->changed.count, 2 * (r->limits.topic_name + 48))
               : NULL;
}

/* Each batch may begin an epoch; a row and a topic more. */
static const char *found_log(const struct kb_replicas *r, const struct kb_found_log *found)
{
    struct kb_need need = {0};
    const char *short_of = name_fits(r, found->topic);

    kb_need_add(&need, KB_POOL_BATCHES, NULL, found->count);
    kb_need_add(&need, KB_POOL_EPOCHS, NULL, found->count);
    short_of = first_of(short_of, r->row_count >= r->limits.partitions ? "partitions" : NULL);
    short_of = first_of(short_of, topics_left(r) == 0 ? "topics" : NULL);
    return first_of(short_of, kb_need_check(r, &need));
}

const char *kb_short_of(const struct kb_replicas *r, const struct kb_input *in)
{
    switch ((enum kb_input_kind)in->kind) {
    case KB_IN_UPDATE_METADATA:
        return in->batch->broker_count > r->limits.live ? "live" : NULL;
    case KB_IN_LEADER_AND_ISR:
        return leader_and_isr(r, in);
    case KB_IN_STOP_REPLICA:
        return scratch_for(r, in->batch->count[2], PER_RECORD);
    case KB_IN_PRODUCE:
        return produce(r, in->request);
    case KB_IN_FETCH:
        return fetch(r, in->request);
    case KB_IN_EPOCHS:
    case KB_IN_OFFSETS:
    case KB_IN_DELETE_RECORDS:
        return scratch_for(r, in->count, PER_ITEM);
    case KB_IN_FETCH_ANSWER:
        return fetch_answer(r, in);
    case KB_IN_LOG:
        return found_log(r, in->request);
    case KB_IN_TOPIC_CONFIG:
        return topic_config(r, in->topic);
    case KB_IN_TIMER:
        return timer(r, in->timer);
    case KB_IN_NONE:
    case KB_IN_START:
    case KB_IN_REGISTERED:
    case KB_IN_EPOCHS_ANSWER:
    case KB_IN_OFFSETS_ANSWER:
    case KB_IN_SEND_FAILED:
    case KB_IN_ZK_REPLY:
    case KB_IN_DIR_FAILED:
    case KB_IN_SHUTTING_DOWN:
        break;
    }
    return NULL;
}
