/*
 * Transactions through whole nodes: coordinators, leaders, logs and groups of three brokers, told
 * by messages of the protocol; consumers that read what is committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_desk.h"
#include "wire/errors.h"
#include "wire/record_batch.h"

#define SECOND ((int64_t)1000000)

enum { PARTITIONS = 3, TRIES = 100 };

static const char *topic = "t"; /* that all is about; each test runs in a process of its own */

/* A producer or consumer of the test. */
struct producer {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence[PARTITIONS];
};

/* ---- asking ---- */

static const void *ask(struct desk *d, int node, struct wire_flat *w, int16_t api, int16_t version)
{
    uint64_t call = desk_send(d, node, w, api, version);
    for (int i = 0; i < TRIES && desk_response(d, call) == NULL; i++)
        desk_run(d, SECOND / 10);
    ck_assert_ptr_nonnull(desk_response(d, call));
    return desk_response(d, call);
}

/* Topic t: partition p is led by broker p + 1, and is on all three; topic solo is on broker 3. */
static void create(struct desk *d, const char *name, int32_t count)
{
    struct wire_flat w;
    struct wire_create_topics_request *q = desk_begin(d, &w, WIRE_API_CREATE_TOPICS);
    q->timeout_ms = 10000;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_topic));
    struct wire_create_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, name);
    t->num_partitions = t->replication_factor = -1;
    t->assignments =
        wire_flat_array(&w, count, sizeof(struct wire_create_topics_request_assignment));
    for (int32_t p = 0; p < count; p++) {
        struct wire_create_topics_request_assignment *a = wire_flat_at(&w, t->assignments.at);
        const int32_t ids[] = {p + 1, (p + 1) % 3 + 1, (p + 2) % 3 + 1};
        a[p].partition_index = p;
        a[p].broker_ids = count > 1 ? wire_flat_ids(&w, ids, 3) : wire_flat_ids(&w, &ids[2], 1);
    }
    const struct wire_create_topics_response *r = ask(d, 1, &w, WIRE_API_CREATE_TOPICS, 4);
    ck_assert_int_eq(WIRE_ITEMS(r, r->topics, struct wire_create_topics_response_topic)->error_code,
                     0);
}

static struct desk *three_with_topic(void)
{
    struct desk *d = desk_new(3);
    desk_run(d, SECOND);
    create(d, "t", PARTITIONS);
    create(d, "solo", 1);
    return d;
}

/* Type 0: of a group, 1: of a transactional id. `at`: a node that is alive. */
static int coordinator(struct desk *d, int at, const char *key, int8_t type)
{
    for (int i = 0; i < TRIES; i++) {
        struct wire_flat w;
        struct wire_find_coordinator_request *q = desk_begin(d, &w, WIRE_API_FIND_COORDINATOR);
        q->key = wire_flat_string(&w, key);
        q->key_type = type;
        const struct wire_find_coordinator_response *r =
            ask(d, at, &w, WIRE_API_FIND_COORDINATOR, 2);
        if (r->error_code == 0)
            return r->node_id;
        ck_assert_int_eq(r->error_code, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE);
        desk_run(d, SECOND);
    }
    ck_abort_msg("no coordinator");
    return -1;
}

static bool is_for_later(int32_t error)
{
    return error == WIRE_ERROR_CONCURRENT_TRANSACTIONS ||
           error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
           error == WIRE_ERROR_COORDINATOR_NOT_AVAILABLE || error == WIRE_ERROR_NOT_COORDINATOR;
}

static int32_t init_once(struct desk *d, int node, struct producer *p)
{
    struct wire_flat w;
    struct wire_init_producer_id_request *q = desk_begin(d, &w, WIRE_API_INIT_PRODUCER_ID);
    q->transactional_id = wire_flat_string(&w, p->id);
    q->transaction_timeout_ms = 30000;
    const struct wire_init_producer_id_response *r = ask(d, node, &w, WIRE_API_INIT_PRODUCER_ID, 4);
    if (r->error_code == 0)
        *p = (struct producer){p->id, r->producer_id, r->producer_epoch, {0}};
    return r->error_code;
}

static struct producer init(struct desk *d, int at, const char *id)
{
    struct producer p = {.id = id};
    for (int i = 0; i < TRIES; i++) {
        int32_t error = init_once(d, coordinator(d, at, id, 1), &p);
        if (error == 0)
            return p;
        ck_assert_msg(is_for_later(error), "error %d", error);
        desk_run(d, SECOND / 5);
    }
    ck_abort_msg("no producer id");
    return p;
}

static int32_t add(struct desk *d, int node, const struct producer *p, const int32_t *ids,
                   int32_t count)
{
    struct wire_flat w;
    struct wire_add_partitions_to_txn_request *q =
        desk_begin(d, &w, WIRE_API_ADD_PARTITIONS_TO_TXN);
    q->transactional_id = wire_flat_string(&w, p->id);
    q->producer_id = p->producer_id;
    q->producer_epoch = p->epoch;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_add_partitions_to_txn_request_topic));
    struct wire_add_partitions_to_txn_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partitions = wire_flat_ids(&w, ids, count);
    const struct wire_add_partitions_to_txn_response *r =
        ask(d, node, &w, WIRE_API_ADD_PARTITIONS_TO_TXN, 2);
    const struct wire_add_partitions_to_txn_response_topic_result *rt =
        WIRE_ITEMS(r, r->results, struct wire_add_partitions_to_txn_response_topic_result);
    return WIRE_ITEMS(r, rt->results, struct wire_add_partitions_to_txn_response_partition_result)
        ->error_code;
}

static int32_t add_offsets(struct desk *d, int node, const struct producer *p, const char *group)
{
    struct wire_flat w;
    struct wire_add_offsets_to_txn_request *q = desk_begin(d, &w, WIRE_API_ADD_OFFSETS_TO_TXN);
    q->transactional_id = wire_flat_string(&w, p->id);
    q->producer_id = p->producer_id;
    q->producer_epoch = p->epoch;
    q->group_id = wire_flat_string(&w, group);
    return ((const struct wire_add_offsets_to_txn_response *)ask(d, node, &w,
                                                                 WIRE_API_ADD_OFFSETS_TO_TXN, 2))
        ->error_code;
}

static uint64_t send_end(struct desk *d, int node, const struct producer *p, bool commit)
{
    struct wire_flat w;
    struct wire_end_txn_request *q = desk_begin(d, &w, WIRE_API_END_TXN);
    q->transactional_id = wire_flat_string(&w, p->id);
    q->producer_id = p->producer_id;
    q->producer_epoch = p->epoch;
    q->committed = commit;
    return desk_send(d, node, &w, WIRE_API_END_TXN, 2);
}

static int32_t end(struct desk *d, int node, const struct producer *p, bool commit)
{
    uint64_t call = send_end(d, node, p, commit);
    for (int i = 0; i < TRIES && desk_response(d, call) == NULL; i++)
        desk_run(d, SECOND / 10);
    ck_assert_ptr_nonnull(desk_response(d, call));
    return ((const struct wire_end_txn_response *)desk_response(d, call))->error_code;
}

/* One record, of one letter. */
static int32_t produce_as(struct desk *d, int node, struct producer *p, int32_t partition,
                          char letter, bool is_transactional)
{
    uint8_t bytes[256];
    struct wire_record_batch_writer b;
    const struct wire_record_batch head = {.leader_epoch = -1,
                                           .base_timestamp = 1000,
                                           .producer_id = p == NULL ? -1 : p->producer_id,
                                           .producer_epoch = p == NULL ? -1 : p->epoch,
                                           .base_sequence = p == NULL ? -1 : p->sequence[partition],
                                           .transactional = is_transactional};
    wire_record_batch_begin(&b, bytes, sizeof bytes, &head);
    wire_record_batch_add(
        &b,
        &(struct wire_log_record){
            .timestamp = 1000, .key_size = -1, .value = (const uint8_t *)&letter, .value_size = 1},
        NULL);
    struct wire_flat w;
    struct wire_produce_request *q = desk_begin(d, &w, WIRE_API_PRODUCE);
    q->acks = -1;
    q->timeout_ms = 5000;
    q->topic_data = wire_flat_array(&w, 1, sizeof(struct wire_produce_request_topic_data));
    struct wire_produce_request_topic_data *t = wire_flat_at(&w, q->topic_data.at);
    t->name = wire_flat_string(&w, topic);
    t->partition_data = wire_flat_array(&w, 1, sizeof(struct wire_produce_request_partition_data));
    struct wire_produce_request_partition_data *to = wire_flat_at(&w, t->partition_data.at);
    to->index = partition;
    to->records = wire_flat_bytes(&w, bytes, wire_record_batch_end(&b));
    const struct wire_produce_response *r = ask(d, node, &w, WIRE_API_PRODUCE, 8);
    const struct wire_produce_response_response *rt =
        WIRE_ITEMS(r, r->responses, struct wire_produce_response_response);
    int32_t error =
        WIRE_ITEMS(r, rt->partition_responses, struct wire_produce_response_partition_response)
            ->error_code;
    if (error == 0 && p != NULL)
        p->sequence[partition]++;
    return error;
}

/* Transactional where there is a producer. */
static int32_t produce(struct desk *d, int node, struct producer *p, int32_t partition, char letter)
{
    return produce_as(d, node, p, partition, letter, p != NULL);
}

static int32_t commit_offset(struct desk *d, int node, const struct producer *p, const char *group,
                             int64_t offset)
{
    struct wire_flat w;
    struct wire_txn_offset_commit_request *q = desk_begin(d, &w, WIRE_API_TXN_OFFSET_COMMIT);
    q->transactional_id = wire_flat_string(&w, p->id);
    q->group_id = wire_flat_string(&w, group);
    q->producer_id = p->producer_id;
    q->producer_epoch = p->epoch;
    q->generation_id = -1;
    q->member_id = wire_flat_string(&w, "");
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_txn_offset_commit_request_topic));
    struct wire_txn_offset_commit_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_txn_offset_commit_request_partition));
    struct wire_txn_offset_commit_request_partition *to = wire_flat_at(&w, t->partitions.at);
    to->committed_offset = offset;
    to->committed_leader_epoch = -1;
    to->committed_metadata = wire_flat_string(&w, "");
    const struct wire_txn_offset_commit_response *r =
        ask(d, node, &w, WIRE_API_TXN_OFFSET_COMMIT, 3);
    const struct wire_txn_offset_commit_response_topic *rt =
        WIRE_ITEMS(r, r->topics, struct wire_txn_offset_commit_response_topic);
    return WIRE_ITEMS(r, rt->partitions, struct wire_txn_offset_commit_response_partition)
        ->error_code;
}

/* The committed offset; -1 none, -100 - error. */
static int64_t committed_offset(struct desk *d, int node, const char *group)
{
    struct wire_flat w;
    struct wire_offset_fetch_request *q = desk_begin(d, &w, WIRE_API_OFFSET_FETCH);
    const int32_t zero = 0;
    q->group_id = wire_flat_string(&w, group);
    q->require_stable = true;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_offset_fetch_request_topic));
    struct wire_offset_fetch_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partition_indexes = wire_flat_ids(&w, &zero, 1);
    const struct wire_offset_fetch_response *r = ask(d, node, &w, WIRE_API_OFFSET_FETCH, 7);
    if (r->error_code != 0)
        return -100 - r->error_code;
    const struct wire_offset_fetch_response_topic *rt =
        WIRE_ITEMS(r, r->topics, struct wire_offset_fetch_response_topic);
    const struct wire_offset_fetch_response_partition *p =
        WIRE_ITEMS(r, rt->partitions, struct wire_offset_fetch_response_partition);
    return p->error_code != 0 ? -100 - p->error_code : p->committed_offset;
}

/* ---- a consumer that reads what is committed ---- */

/* Letters of the partition's records from its start to the last stable offset, as KIP-98 has
   clients do it: an aborted transaction is passed over from its first offset to its marker. */
static const char *read_committed(struct desk *d, int node, int32_t partition)
{
    static char text[256];
    struct wire_flat w;
    struct wire_fetch_request *q = desk_begin(d, &w, WIRE_API_FETCH);
    q->replica_id = -1;
    q->max_bytes = 1 << 20;
    q->isolation_level = 1;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_fetch_request_topic));
    struct wire_fetch_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->topic = wire_flat_string(&w, topic);
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_fetch_request_partition));
    struct wire_fetch_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->partition = partition;
    p->current_leader_epoch = p->last_fetched_epoch = -1;
    p->log_start_offset = -1;
    p->partition_max_bytes = 1 << 20;
    const struct wire_fetch_response *r = ask(d, node, &w, WIRE_API_FETCH, 11);
    const struct wire_fetch_response_response *rt =
        WIRE_ITEMS(r, r->responses, struct wire_fetch_response_response);
    const struct wire_fetch_response_partition_response *rp =
        WIRE_ITEMS(r, rt->partition_responses, struct wire_fetch_response_partition_response);
    ck_assert_int_eq(rp->error_code, 0);
    ck_assert_int_le(rp->last_stable_offset, rp->high_watermark);
    const struct wire_fetch_response_aborted_transaction *aborted =
        WIRE_ITEMS(r, rp->aborted_transactions, struct wire_fetch_response_aborted_transaction);
    int64_t aborting[16];
    int open = 0, next = 0, n = 0;
    const uint8_t *at = wire_data(r, rp->record_set);
    struct wire_record_batch b;
    for (size_t left = (size_t)rp->record_set.size;
         left > 0 && wire_record_batch_read(at, left, &b) == SM_ERR_OK;
         left -= b.size, at += b.size) {
        struct wire_log_walk walk;
        struct wire_log_record record;
        bool skip = false;
        for (; next < rp->aborted_transactions.count &&
               aborted[next].first_offset <= b.base_offset + b.last_offset_delta;
             next++)
            aborting[open++] = aborted[next].producer_id;
        for (int i = 0; i < open; i++)
            if (aborting[i] == b.producer_id && b.transactional) {
                skip = true;
                aborting[i] = b.control ? aborting[--open] : aborting[i];
            }
        wire_log_walk_begin(&walk, &b, b.records, b.records_size);
        while (!skip && !b.control && wire_log_record_next(&walk, &record) == SM_ERR_OK)
            text[n++] = (char)record.value[0];
    }
    text[n] = 0;
    return text;
}

static const char *txn_state(struct desk *d, int node, const char *id)
{
    struct kb_txn_view v;
    const struct kb_txns *x = kb_broker_txns(desk_node(d, node)->broker);
    for (uint32_t at = 0; kb_txns_next(x, &at, &v);)
        if (strcmp(v.id, id) == 0)
            return kb_txn_state_name((enum kb_txn_state)v.state);
    return "none";
}

/* ---- tests ---- */

static const int32_t all[] = {0, 1, 2};

START_TEST(a_transaction_over_partitions_and_offsets_is_seen_whole_or_not_at_all)
{
    struct desk *d = three_with_topic();
    struct producer p = init(d, 1, "id");
    int c = coordinator(d, 1, "id", 1), g = coordinator(d, 1, "g", 0);

    for (int round = 0; round < 2; round++) {
        bool commit = round == 1;
        char letter = (char)('a' + round);
        ck_assert_int_eq(add(d, c, &p, all, 2), 0);
        ck_assert_int_eq(add_offsets(d, c, &p, "g"), 0);
        ck_assert_int_eq(produce(d, 1, &p, 0, letter), 0);
        ck_assert_int_eq(produce(d, 2, &p, 1, letter), 0);
        ck_assert_int_eq(commit_offset(d, g, &p, "g", 10 + round), 0);
        ck_assert_int_eq(produce(d, 1, NULL, 0, 'x'), 0); /* behind what is open */
        ck_assert_str_eq(read_committed(d, 1, 0), commit ? "x" : "");
        ck_assert_int_eq(committed_offset(d, g, "g"), -100 - WIRE_ERROR_UNSTABLE_OFFSET_COMMIT);
        ck_assert_int_eq(end(d, c, &p, commit), 0);
        desk_run(d, SECOND);
        ck_assert_str_eq(txn_state(d, c, "id"), commit ? "CompleteCommit" : "CompleteAbort");
        ck_assert_str_eq(read_committed(d, 1, 0), commit ? "xbx" : "x");
        ck_assert_str_eq(read_committed(d, 2, 1), commit ? "b" : "");
        ck_assert_int_eq(committed_offset(d, g, "g"), commit ? 11 : -1);
    }
    ck_assert_uint_gt(desk_peer_requests(d, WIRE_API_WRITE_TXN_MARKERS), 0);
    desk_free(d);
}
END_TEST

/* Method: the node that coordinates goes down with Prepare in its log and no marker sent: nothing
   of what it sends after the answer to EndTxn comes out. */
START_TEST(what_was_prepared_survives_its_coordinator)
{
    struct desk *d = three_with_topic();
    struct producer p = init(d, 1, "id");
    int c = coordinator(d, 1, "id", 1), other = c % 3 + 1;

    ck_assert_int_eq(add(d, c, &p, all, 3), 0);
    for (int32_t i = 0; i < 3; i++)
        ck_assert_int_eq(produce(d, i + 1, &p, i, 'a'), 0);
    desk_mute(d, WIRE_API_WRITE_TXN_MARKERS, true);
    ck_assert_int_eq(end(d, c, &p, true), 0);
    ck_assert_str_eq(txn_state(d, c, "id"), "PrepareCommit");
    ck_assert_str_eq(read_committed(d, 1, 0), "");
    desk_kill(d, c);
    desk_mute(d, WIRE_API_WRITE_TXN_MARKERS, false);
    desk_run(d, 20 * SECOND);
    int next = coordinator(d, other, "id", 1);
    ck_assert_int_ne(next, c);
    ck_assert_str_eq(txn_state(d, next, "id"), "CompleteCommit");
    desk_start(d, c);
    desk_run(d, 20 * SECOND);
    for (int32_t i = 0; i < 3; i++) {
        int leader = i + 1 == c ? c % 3 + 1 : i + 1; /* the next of its replicas */
        ck_assert_str_eq(read_committed(d, leader, i), "a");
    }
    desk_free(d);
}
END_TEST

START_TEST(a_zombie_writes_no_more_and_ends_nothing)
{
    struct desk *d = three_with_topic();
    struct producer old = init(d, 1, "id");
    int c = coordinator(d, 1, "id", 1);

    ck_assert_int_eq(add(d, c, &old, all, 2), 0);
    ck_assert_int_eq(produce(d, 1, &old, 0, 'z'), 0);
    struct producer new = init(d, 1, "id");
    ck_assert_int_eq(new.producer_id, old.producer_id);
    ck_assert_int_eq(new.epoch, old.epoch + 2);
    ck_assert_int_eq(produce(d, 1, &old, 0, 'z'), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(produce(d, 2, &old, 1, 'z'), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(end(d, c, &old, true), WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(add(d, c, &old, all, 1), WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(add(d, c, &new, all, 1), 0);
    ck_assert_int_eq(produce(d, 1, &new, 0, 'n'), 0);
    ck_assert_int_eq(end(d, c, &new, true), 0);
    desk_run(d, SECOND);
    ck_assert_str_eq(read_committed(d, 1, 0), "n");
    desk_free(d);
}
END_TEST

START_TEST(a_transaction_that_nobody_ends_is_aborted)
{
    struct desk *d = three_with_topic();
    struct producer p = init(d, 1, "id");
    int c = coordinator(d, 1, "id", 1);

    ck_assert_int_eq(add(d, c, &p, all, 1), 0);
    ck_assert_int_eq(produce(d, 1, &p, 0, 'a'), 0);
    ck_assert_int_eq(produce(d, 1, NULL, 0, 'x'), 0);
    desk_run(d, 25 * SECOND);
    ck_assert_str_eq(read_committed(d, 1, 0), "");
    desk_run(d, 20 * SECOND);
    ck_assert_str_eq(read_committed(d, 1, 0), "x");
    ck_assert_int_eq(produce(d, 1, &p, 0, 'b'), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(end(d, c, &p, true), WIRE_ERROR_PRODUCER_FENCED);
    desk_free(d);
}
END_TEST

/* Method: the leader of one partition is down when the transaction ends; it comes back. */
START_TEST(markers_wait_for_a_leader)
{
    struct desk *d = three_with_topic();
    struct producer p = init(d, 1, "id");
    int c = coordinator(d, 1, "id", 1);
    int down = c % 3 + 1; /* not the coordinator */

    ck_assert_int_eq(add(d, c, &p, all, 3), 0);
    for (int32_t i = 0; i < 3; i++)
        ck_assert_int_eq(produce(d, i + 1, &p, i, 'a'), 0);
    desk_kill(d, down);
    ck_assert_int_eq(end(d, c, &p, true), 0);
    desk_run(d, 20 * SECOND);
    ck_assert_str_eq(txn_state(d, c, "id"), "CompleteCommit");
    int leader = down % 3 + 1;
    ck_assert_str_eq(read_committed(d, leader, down - 1), "a");
    desk_free(d);
}
END_TEST

/* One marker for partitions of t, by hand. Returns the error of the first; the request has a second
   marker, of nobody, to partition 0 of a topic that is not there. */
static int32_t write_marker(struct desk *d, int node, const struct producer *p, int32_t epoch,
                            const int32_t *ids, int32_t count)
{
    struct wire_flat w;
    struct wire_write_txn_markers_request *q = desk_begin(d, &w, WIRE_API_WRITE_TXN_MARKERS);
    q->markers = wire_flat_array(&w, 2, sizeof(struct wire_write_txn_markers_request_marker));
    for (int i = 0; i < 2; i++) {
        struct wire_write_txn_markers_request_marker *m = wire_flat_at(&w, q->markers.at);
        m[i].producer_id = i == 0 ? p->producer_id : 77;
        m[i].producer_epoch = p->epoch;
        m[i].coordinator_epoch = epoch;
        m[i].topics = wire_flat_array(&w, 1, sizeof(struct wire_write_txn_markers_request_topic));
        struct wire_write_txn_markers_request_topic *t = wire_flat_at(&w, m[i].topics.at);
        t->name = wire_flat_string(&w, i == 0 ? topic : "none");
        t->partition_indexes = i == 0 ? wire_flat_ids(&w, ids, count) : wire_flat_ids(&w, ids, 1);
    }
    const struct wire_write_txn_markers_response *r =
        ask(d, node, &w, WIRE_API_WRITE_TXN_MARKERS, 0);
    ck_assert_int_eq(r->markers.count, 2);
    int32_t errors[2];
    for (int i = 0; i < 2; i++) {
        const struct wire_write_txn_markers_response_marker *m =
            &WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_response_marker)[i];
        const struct wire_write_txn_markers_response_topic *t =
            WIRE_ITEMS(r, m->topics, struct wire_write_txn_markers_response_topic);
        ck_assert_int_eq(t->partitions.count, i == 0 ? count : 1);
        errors[i] = WIRE_ITEMS(r, t->partitions, struct wire_write_txn_markers_response_partition)
                        ->error_code;
    }
    ck_assert_int_eq(errors[1], WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    return errors[0];
}

/* Method: the one replica is down when the transaction ends, and comes back. */
START_TEST(a_marker_waits_while_its_partition_has_no_leader)
{
    struct desk *d = three_with_topic();
    const char *const ids[] = {"id", "id2", "id3", "id4", "id5", "id6"};
    struct producer p;
    int c = 3;

    topic = "solo";
    for (int i = 0; c == 3; i++) { /* one that broker 3 does not coordinate */
        ck_assert_int_lt(i, 6);
        p = init(d, 1, ids[i]);
        c = coordinator(d, 1, p.id, 1);
    }
    ck_assert_int_eq(add(d, c, &p, all, 1), 0);
    ck_assert_int_eq(produce(d, 3, &p, 0, 'a'), 0);
    ck_assert_int_eq(produce_as(d, 3, &p, 0, 'b', false), WIRE_ERROR_INVALID_TXN_STATE);
    desk_kill(d, 3);
    desk_run(d, 20 * SECOND);
    ck_assert_int_eq(end(d, c, &p, true), 0);
    desk_run(d, 20 * SECOND);
    ck_assert_str_eq(txn_state(d, c, p.id), "PrepareCommit");
    desk_start(d, 3);
    desk_run(d, 20 * SECOND);
    ck_assert_str_eq(txn_state(d, c, p.id), "CompleteCommit");
    ck_assert_str_eq(read_committed(d, 3, 0), "a");
    desk_free(d);
}
END_TEST

START_TEST(markers_are_judged_by_their_epochs)
{
    struct desk *d = three_with_topic();
    struct producer p = init(d, 1, "id"), old = p;
    int c = coordinator(d, 1, "id", 1);
    const int32_t twice[] = {0, 0}, wrong[] = {1};

    ck_assert_int_eq(add(d, c, &p, all, 1), 0);
    ck_assert_int_eq(produce(d, 1, &p, 0, 'a'), 0);
    ck_assert_int_eq(write_marker(d, 1, &p, 5, wrong, 1), WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(write_marker(d, 1, &p, 5, twice, 2), WIRE_ERROR_INVALID_REQUEST);
    ck_assert_str_eq(read_committed(d, 1, 0), "");
    p.epoch = 7;
    ck_assert_int_eq(write_marker(d, 1, &p, 5, all, 1), 0); /* aborts, and fences */
    ck_assert_int_eq(write_marker(d, 1, &p, 4, all, 1), WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED);
    ck_assert_int_eq(write_marker(d, 1, &old, 9, all, 1), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(produce(d, 1, &old, 0, 'b'), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(produce(d, 1, NULL, 0, 'x'), 0);
    ck_assert_str_eq(read_committed(d, 1, 0), "x");
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transactions through whole nodes");
    TCase *tc = tcase_create("transactions");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_transaction_over_partitions_and_offsets_is_seen_whole_or_not_at_all);
    tcase_add_test(tc, what_was_prepared_survives_its_coordinator);
    tcase_add_test(tc, a_zombie_writes_no_more_and_ends_nothing);
    tcase_add_test(tc, a_transaction_that_nobody_ends_is_aborted);
    tcase_add_test(tc, markers_wait_for_a_leader);
    tcase_add_test(tc, a_marker_waits_while_its_partition_has_no_leader);
    tcase_add_test(tc, markers_are_judged_by_their_epochs);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
