/*
 * The transaction coordinator alone: what producers are told, what is written, whom markers go to.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/broker/txn_desk.h"

enum { MINUTE = 60000 };

static const int32_t one[] = {1, -1}, two[] = {1, 2, -1}, both[] = {0, 1, -1};

/* A producer that has its id and epoch. */
static struct desk_producer producer(struct desk *d, const char *id)
{
    struct desk_producer p = {.id = id};
    ck_assert_int_eq(desk_inited(d, desk_init(d, id, MINUTE, -1, -1, 4), &p), 0);
    return p;
}

static struct desk_producer ongoing(struct desk *d, const char *id, const int32_t *partitions)
{
    struct desk_producer p = producer(d, id);
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", partitions, 2)), 0);
    return p;
}

/* ---- ids and epochs ---- */

START_TEST(a_new_id_has_a_new_producer_id_and_later_ones_raise_its_epoch)
{
    struct desk *d = desk_new();
    struct desk_producer a = producer(d, "id"), b = producer(d, "id"), c = producer(d, "other");

    ck_assert_int_eq(a.producer_id, 1000);
    ck_assert_int_eq(a.epoch, 0);
    ck_assert_int_eq(b.producer_id, 1000);
    ck_assert_int_eq(b.epoch, 1);
    ck_assert_int_eq(c.producer_id, 1001);
    ck_assert_int_eq(desk_added(d, desk_add(d, &a, "a", one, 2)), WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(desk_added(d, desk_add(d, &a, "a", one, 1)),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(desk_error(d, desk_end(d, &a, true, 2)), WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(desk_error(d, desk_end(d, &a, true, 1)), WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(desk_error(d, desk_add_offsets(d, &a, "g", 1)),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    c.producer_id = 1000;
    ck_assert_int_eq(desk_added(d, desk_add(d, &c, "a", one, 2)),
                     WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING);
    c.id = "unknown";
    ck_assert_int_eq(desk_error(d, desk_end(d, &c, true, 2)),
                     WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING);
    desk_free(d);
}
END_TEST

START_TEST(malformed_requests_are_refused)
{
    struct desk *d = desk_new();
    struct desk_producer empty = {.id = ""};

    ck_assert_int_eq(desk_inited(d, desk_init(d, "", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "i", 0, -1, -1, 4), NULL),
                     WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "i", 15 * MINUTE + 1, -1, -1, 4), NULL),
                     WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "i", MINUTE, 5, -1, 4), NULL),
                     WIRE_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "i", MINUTE, -1, 5, 4), NULL),
                     WIRE_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(desk_added(d, desk_add(d, &empty, "a", one, 2)), WIRE_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(desk_error(d, desk_end(d, &empty, true, 2)), WIRE_ERROR_INVALID_REQUEST);
    ck_assert_uint_eq(d->log_count, 0);
    desk_free(d);
}
END_TEST

START_TEST(without_a_transactional_id_each_call_has_its_own_producer_id)
{
    struct desk *d = desk_new();
    struct desk_producer a = {0}, b = {0};

    ck_assert_int_eq(desk_inited(d, desk_init(d, NULL, 0, -1, -1, 4), &a), 0);
    ck_assert_int_eq(desk_inited(d, desk_init(d, NULL, 0, -1, -1, 4), &b), 0);
    ck_assert_int_eq(a.producer_id, 1000);
    ck_assert_int_eq(b.producer_id, 1001);
    ck_assert_int_eq(b.epoch, 0);
    ck_assert_uint_eq(d->log_count, 0);
    desk_free(d);
}
END_TEST

START_TEST(where_no_producer_id_is_at_hand_nothing_happens_until_one_is)
{
    struct desk *d = desk_new();

    d->no_id = true;
    uint64_t call = desk_init(d, "id", MINUTE, -1, -1, 4);
    ck_assert(d->starved);
    ck_assert_ptr_null(desk_answer(d, call));
    ck_assert_str_eq(desk_state(d, "id"), "none");
    d->no_id = false;
    producer(d, "id");
    d->no_id = true;
    producer(d, "id"); /* an id that is known needs none */
    ck_assert(!d->starved);
    desk_free(d);
}
END_TEST

/* KIP-360. */
START_TEST(a_producer_may_raise_its_own_epoch_and_ask_twice)
{
    struct desk *d = desk_new();
    struct desk_producer p = producer(d, "id"), q = p, r = p;

    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id, p.epoch, 4), &q), 0);
    ck_assert_int_eq(q.epoch, 1);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id, p.epoch, 4), &r), 0);
    ck_assert_int_eq(r.epoch, 1); /* the first answer was not heard */
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id + 7, 1, 4), NULL),
                     WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id, 9, 4), NULL),
                     WIRE_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id, 9, 3), NULL),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    producer(d, "id"); /* somebody new: what was remembered of the one before is void */
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, p.producer_id, 1, 4), NULL),
                     WIRE_ERROR_PRODUCER_FENCED);
    /* Of an id that nobody knows, whatever a producer says of itself is taken. */
    ck_assert_int_eq(desk_inited(d, desk_init(d, "new", MINUTE, 77, 5, 4), &q), 0);
    ck_assert_int_eq(q.epoch, 0);
    desk_free(d);
}
END_TEST

/* ---- records ---- */

static void put(uint8_t **at, int64_t n, int size)
{
    for (int i = size - 1; i >= 0; i--) {
        *(*at)++ = (uint8_t)(n >> 8 * i);
    }
}

struct made {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    int8_t state;
    const int32_t *partitions; /* of topic a; NULL: none */
    int64_t start_ms, update_ms;
};

/* Writes a record by hand into the log, as Kafka's schemas say. */
static void log_record(struct desk *d, const struct made *m)
{
    uint8_t *key = malloc(64), *value = malloc(256), *k = key, *v = value;
    struct kb_log_record *r = calloc(1, sizeof *r);
    int32_t count = 0;

    ck_assert(key != NULL && value != NULL && r != NULL);
    put(&k, 0, 2);
    put(&k, (int64_t)strlen(m->id), 2);
    memcpy(k, m->id, strlen(m->id));
    k += strlen(m->id);
    put(&v, 0, 2);
    put(&v, m->producer_id, 8);
    put(&v, m->epoch, 2);
    put(&v, MINUTE, 4);
    put(&v, m->state, 1);
    put(&v, m->partitions == NULL ? (m->state == KB_TXN_EMPTY ? -1 : 0) : 1, 4);
    if (m->partitions != NULL) {
        put(&v, 1, 2);
        *v++ = 'a';
        while (m->partitions[count] >= 0) {
            count++;
        }
        put(&v, count, 4);
        for (int32_t i = 0; i < count; i++) {
            put(&v, m->partitions[i], 4);
        }
    }
    put(&v, m->update_ms, 8);
    put(&v, m->start_ms, 8);
    *r = (struct kb_log_record){.key = key,
                                .value = value,
                                .key_size = (int32_t)(k - key),
                                .value_size = (int32_t)(v - value)};
    d->log = realloc(d->log, sizeof *d->log * (d->log_count + 1));
    ck_assert(d->log != NULL);
    d->log[d->log_count++] =
        (struct desk_batch){.partition = kb_coordinator_partition(m->id, DESK_PARTITIONS),
                            .batch = {.producer_id = -1, .count = 1, .records = r}};
}

static void expect_record(const struct desk *d, uint32_t at, const struct made *m)
{
    struct desk other = {0};

    ck_assert_uint_lt(at, d->log_count);
    log_record(&other, m);
    const struct kb_log_record *is = d->log[at].batch.records, *wanted = other.log->batch.records;
    ck_assert_int_eq(is->key_size, wanted->key_size);
    ck_assert_mem_eq(is->key, wanted->key, (size_t)wanted->key_size);
    ck_assert_int_eq(is->value_size, wanted->value_size);
    ck_assert_mem_eq(is->value, wanted->value, (size_t)wanted->value_size);
    free((void *)(uintptr_t)wanted->key);
    free((void *)(uintptr_t)wanted->value);
    free((void *)(uintptr_t)wanted);
    free(other.log);
}

START_TEST(each_move_is_a_record_as_kafka_writes_it)
{
    struct desk *d = desk_new();
    const int64_t t = 1600000000000;
    struct desk_producer p = ongoing(d, "id", two);

    desk_pass(d, 5);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    ck_assert_uint_eq(d->log_count, 4);
    expect_record(d, 0, &(struct made){"id", 1000, 0, KB_TXN_EMPTY, NULL, -1, t});
    expect_record(d, 1, &(struct made){"id", 1000, 0, KB_TXN_ONGOING, two, t, t});
    expect_record(d, 2, &(struct made){"id", 1000, 0, KB_TXN_PREPARE_COMMIT, two, t, t + 5});
    expect_record(d, 3, &(struct made){"id", 1000, 0, KB_TXN_COMPLETE_COMMIT, NULL, t, t + 5});
    desk_free(d);
}
END_TEST

/* 32766 is the last epoch of a producer; 32767 only fences. */
START_TEST(exhausted_epochs_begin_anew_under_another_producer_id)
{
    struct desk *d = desk_new();
    struct desk_producer p = {.id = "id"}, q = p;

    log_record(d, &(struct made){"id", 7, 32764, KB_TXN_EMPTY, NULL, -1, 1600000000000});
    desk_elect(d, 1);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, 7, 32764, 4), &p), 0);
    ck_assert_int_eq(p.epoch, 32765);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, 7, 32765, 4), &p), 0);
    ck_assert_int_eq(p.epoch, 32766);
    d->no_id = true;
    desk_init(d, "id", MINUTE, 7, 32766, 4);
    ck_assert(d->starved);
    d->no_id = false;
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, 7, 32766, 4), &q), 0);
    ck_assert_int_eq(q.producer_id, 1000);
    ck_assert_int_eq(q.epoch, 0);
    /* The same again: it was not heard. */
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, 7, 32766, 4), &q), 0);
    ck_assert_int_eq(q.producer_id, 1000);
    ck_assert_int_eq(q.epoch, 0);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, 7, 5, 4), NULL),
                     WIRE_ERROR_PRODUCER_FENCED);
    desk_free(d);
}
END_TEST

START_TEST(records_that_cannot_be_read_are_passed_over)
{
    struct desk *d = desk_new();

    log_record(d, &(struct made){"good", 7, 3, KB_TXN_EMPTY, NULL, -1, 1600000000000});
    log_record(d, &(struct made){"bad", 7, 3, 12, NULL, -1, 1600000000000});
    log_record(d, &(struct made){"good", -5, 3, KB_TXN_EMPTY, NULL, -1, 1600000000000});
    log_record(d, &(struct made){"cut", 8, 3, KB_TXN_ONGOING, two, 5, 1600000000000});
    ((struct kb_log_record *)(uintptr_t)d->log[3].batch.records)->value_size -= 9;
    desk_elect(d, 1);
    ck_assert_str_eq(desk_state(d, "good"), "Empty");
    ck_assert_str_eq(desk_state(d, "bad"), "none");
    ck_assert_str_eq(desk_state(d, "cut"), "none");
    desk_free(d);
}
END_TEST

/* Method: sound records with bytes changed, cut, by a fixed sequence of chance. The desk asserts
   the invariants of the block behind every step, and every state goes on from what was read. */
START_TEST(a_log_may_hold_anything)
{
    struct desk *d = desk_new();
    uint32_t random = 1;

    for (int round = 0; round < 400; round++) {
        log_record(d,
                   &(struct made){"id", 7, 3, (int8_t)(round % 8), round % 2 ? two : NULL, 5, 5});
        struct kb_log_record *r =
            (struct kb_log_record *)(uintptr_t)d->log[d->log_count - 1].batch.records;
        for (int n = round % 5; n >= 0; n--) {
            random = random * 1664525u + 1013904223u;
            bool of_key = random >> 30 == 0;
            uint8_t *bytes = (uint8_t *)(uintptr_t)(of_key ? r->key : r->value);
            bytes[(random >> 8) % (uint32_t)(of_key ? r->key_size : r->value_size)] =
                (uint8_t)(random >> 20);
        }
        if (round % 7 == 0) {
            r->value_size = (int32_t)(random % (uint32_t)r->value_size);
        }
        desk_elect(d, round + 1);
        if (d->log_count >= 8) { /* begin anew */
            desk_free(d);
            d = desk_new();
        }
    }
    desk_free(d);
}
END_TEST

/* ---- a transaction ---- */

START_TEST(a_transaction_is_answered_when_its_end_is_written_and_markers_follow)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", both);

    ck_assert_int_eq(desk_error(d, desk_add_offsets(d, &p, "g", 2)), 0);
    ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
    d->hold = d->hold_markers = true;
    uint64_t call = desk_end(d, &p, true, 2);
    ck_assert_ptr_null(desk_answer(d, call));
    ck_assert_str_eq(desk_state(d, "id"), "Ongoing>PrepareCommit");
    ck_assert_uint_eq(d->sent_count, 0); /* not before it is decided */
    desk_end_append(d, 0, false);
    ck_assert_int_eq(desk_error(d, call), 0);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    ck_assert_uint_eq(d->sent_count, 2); /* brokers 1 and 2 */
    const struct wire_write_txn_markers_request *r = d->sent[0].message;
    ck_assert_int_eq(d->sent[0].broker, 1);
    ck_assert_int_eq(r->markers.count, 1);
    const struct wire_write_txn_markers_request_marker *m =
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_request_marker);
    ck_assert_int_eq(m->producer_id, p.producer_id);
    ck_assert_int_eq(m->producer_epoch, p.epoch);
    ck_assert(m->transaction_result);
    ck_assert_int_eq(m->coordinator_epoch, 0);
    ck_assert_int_eq(m->topics.count, 2);
    const struct wire_write_txn_markers_request_topic *t =
        WIRE_ITEMS(r, m->topics, struct wire_write_txn_markers_request_topic);
    ck_assert_str_eq(wire_text(r, t[0].name), "a");
    ck_assert_str_eq(wire_text(r, t[1].name), "__consumer_offsets");
    ck_assert_int_eq(*WIRE_ITEMS(r, t[1].partition_indexes, int32_t),
                     kb_coordinator_partition("g", 50));
    desk_end_markers(d, 0);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    ck_assert_uint_eq(d->held_count, 0); /* one is still to be told */
    desk_end_markers(d, 0);
    ck_assert_uint_eq(d->held_count, 1);
    desk_end_append(d, 0, false);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

/* Method: row by row as in the table of EndTxn, commit and abort. */
START_TEST(what_ending_says_depends_on_the_state)
{
    static const struct {
        int8_t state;
        int32_t commit, abort;
    } rows[] = {
        {KB_TXN_EMPTY, WIRE_ERROR_INVALID_TXN_STATE, WIRE_ERROR_INVALID_TXN_STATE},
        {KB_TXN_ONGOING, 0, 0},
        {KB_TXN_COMPLETE_COMMIT, 0, WIRE_ERROR_INVALID_TXN_STATE},
        {KB_TXN_COMPLETE_ABORT, WIRE_ERROR_INVALID_TXN_STATE, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int commit = 0; commit < 2; commit++) {
            struct desk *d = desk_new();
            struct desk_producer p = {"id", 7, 3};
            log_record(d, &(struct made){"id", 7, 3, rows[i].state,
                                         rows[i].state == KB_TXN_ONGOING ? two : NULL, 5, 5});
            desk_elect(d, 1);
            ck_assert_int_eq(desk_error(d, desk_end(d, &p, commit != 0, 2)),
                             commit ? rows[i].commit : rows[i].abort);
            desk_free(d);
        }
    }
}
END_TEST

START_TEST(while_a_move_is_under_way_all_are_told_to_come_again)
{
    struct desk *d = desk_new();
    struct desk_producer p = producer(d, "id");

    d->hold = true;
    uint64_t first = desk_add(d, &p, "a", one, 2);
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", two, 2)),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    desk_end_append(d, 0, false);
    ck_assert_int_eq(desk_added(d, first), 0);
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", one, 2)), 0); /* is in: no record */
    ck_assert_uint_eq(d->held_count, 0);
    d->hold = false;
    d->hold_markers = true;
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, false, 2)), 0);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, false, 2)), WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", one, 2)),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    desk_end_markers(d, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA}); /* lets the append end */
    ck_assert_str_eq(desk_state(d, "id"), "CompleteAbort");
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", one, 2)), 0);
    desk_free(d);
}
END_TEST

START_TEST(an_append_that_fails_leaves_the_state_and_says_why)
{
    static const int32_t errors[][2] = {
        {WIRE_ERROR_NOT_ENOUGH_REPLICAS, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE},
        {WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE},
        {WIRE_ERROR_REQUEST_TIMED_OUT, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE},
        {WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE},
        {WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, WIRE_ERROR_NOT_COORDINATOR},
        {WIRE_ERROR_KAFKA_STORAGE_ERROR, WIRE_ERROR_NOT_COORDINATOR},
        {WIRE_ERROR_MESSAGE_TOO_LARGE, WIRE_ERROR_UNKNOWN_SERVER_ERROR},
    };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct desk *d = desk_new();
        struct desk_producer p = ongoing(d, "id", one);
        struct kb_txn_view v;
        d->error = errors[i][0];
        ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", two, 2)), errors[i][1]);
        ck_assert(desk_see(d, "id", &v));
        ck_assert_uint_eq(v.parts, 1);
        ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), errors[i][1]);
        ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
        d->error = 0;
        ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
        ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
        desk_free(d);
    }
}
END_TEST

/* As in Kafka: no partitions are a subset of none, but only an Ongoing transaction is let be. */
START_TEST(adding_nothing_begins_a_transaction_too)
{
    struct desk *d = desk_new();
    struct desk_producer p = producer(d, "id");
    const int32_t none[] = {-1};

    desk_add(d, &p, "a", none, 2);
    ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

START_TEST(partitions_unknown_to_the_metadata_refuse_the_whole_request)
{
    struct desk *d = desk_new();
    struct desk_producer p = producer(d, "id");
    _Alignas(8) uint8_t bytes[512];
    struct wire_flat f;
    struct wire_add_partitions_to_txn_request *r = wire_flat_begin(&f, bytes, 512, sizeof *r);
    const uint8_t unknown[2] = {0, 1};

    r->transactional_id = wire_flat_string(&f, p.id);
    r->producer_id = p.producer_id;
    r->topics = wire_flat_array(&f, 1, sizeof(struct wire_add_partitions_to_txn_request_topic));
    struct wire_add_partitions_to_txn_request_topic *t = wire_flat_at(&f, r->topics.at);
    t->name = wire_flat_string(&f, "a");
    t->partitions = wire_flat_ids(&f, two, 2);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_REQUEST,
                                        .call_id = ++d->call,
                                        .api = WIRE_API_ADD_PARTITIONS_TO_TXN,
                                        .version = 2,
                                        .message = bytes,
                                        .message_size = (uint32_t)wire_flat_end(&f),
                                        .unknown = unknown});
    const struct wire_add_partitions_to_txn_response *a = desk_answer(d, d->call);
    const struct wire_add_partitions_to_txn_response_topic_result *at =
        WIRE_ITEMS(a, a->results, struct wire_add_partitions_to_txn_response_topic_result);
    const struct wire_add_partitions_to_txn_response_partition_result *ap =
        WIRE_ITEMS(a, at->results, struct wire_add_partitions_to_txn_response_partition_result);
    ck_assert_int_eq(ap[0].error_code, WIRE_ERROR_OPERATION_NOT_ATTEMPTED);
    ck_assert_int_eq(ap[1].error_code, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_str_eq(desk_state(d, "id"), "Empty");
    desk_free(d);
}
END_TEST

/* ---- fencing ---- */

START_TEST(a_new_producer_aborts_what_the_old_one_left_open)
{
    struct desk *d = desk_new();
    struct desk_producer old = ongoing(d, "id", two), new = {.id = "id"};

    d->hold_markers = true;
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareAbort>CompleteAbort");
    const struct wire_write_txn_markers_request *r = d->sent[0].message;
    const struct wire_write_txn_markers_request_marker *m =
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_request_marker);
    ck_assert(!m->transaction_result);
    ck_assert_int_eq(m->producer_epoch, old.epoch + 1); /* it fences the partitions, too */
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    d->hold_markers = false;
    desk_end_markers(d, 0);
    desk_end_markers(d, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), &new), 0);
    ck_assert_int_eq(new.epoch, old.epoch + 2);
    ck_assert_int_eq(desk_error(d, desk_end(d, &old, true, 2)), WIRE_ERROR_PRODUCER_FENCED);
    desk_free(d);
}
END_TEST

START_TEST(a_fence_that_is_not_written_raises_the_epoch_only_once)
{
    struct desk *d = desk_new();
    struct desk_producer old = ongoing(d, "id", one);
    struct kb_txn_view v;

    d->error = WIRE_ERROR_NOT_ENOUGH_REPLICAS;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                         WIRE_ERROR_COORDINATOR_NOT_AVAILABLE);
        ck_assert(desk_see(d, "id", &v));
        ck_assert_int_eq(v.epoch, old.epoch + 1);
        ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
    }
    ck_assert_int_eq(desk_error(d, desk_end(d, &old, true, 2)), WIRE_ERROR_PRODUCER_FENCED);
    d->error = 0;
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteAbort");
    desk_free(d);
}
END_TEST

START_TEST(an_open_transaction_that_is_too_old_is_aborted_at_the_next_check)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", two);

    desk_pass(d, MINUTE); /* open for exactly its timeout: not yet */
    ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
    desk_pass(d, 9999);
    ck_assert_str_eq(desk_state(d, "id"), "Ongoing");
    desk_pass(d, 1);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteAbort");
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), WIRE_ERROR_PRODUCER_FENCED);
    desk_free(d);
}
END_TEST

START_TEST(no_timer_is_armed_while_nobody_is_known)
{
    struct desk *d = desk_new();

    ck_assert_int_eq(d->timer_us, -1);
    struct desk_producer p = producer(d, "id");
    ck_assert_int_eq(d->timer_us, 3600ll * 1000000);
    ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", one, 2)), 0);
    ck_assert_int_eq(d->timer_us, 10ll * 1000000);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    ck_assert_int_eq(d->timer_us, 3600ll * 1000000);
    desk_resign(d, 1);
    ck_assert_int_eq(d->timer_us, -1);
    desk_free(d);
}
END_TEST

START_TEST(ids_that_nobody_uses_for_a_week_are_forgotten)
{
    struct desk *d = desk_new();
    const int64_t week = 7ll * 24 * 3600 * 1000;

    producer(d, "old");
    producer(d, "older");
    struct desk_producer busy = ongoing(d, "busy", one);
    desk_pass(d, week - 1);
    ck_assert_str_eq(desk_state(d, "old"), "Empty");
    ck_assert_str_eq(desk_state(d, "busy"), "CompleteAbort");
    producer(d, "older"); /* not any more */
    uint32_t before = d->log_count;
    desk_pass(d, 2 * 3600 * 1000);
    ck_assert_str_eq(desk_state(d, "old"), "none");
    ck_assert_str_eq(desk_state(d, "older"), "Empty");
    ck_assert_uint_gt(d->log_count, before);
    ck_assert_int_eq(d->log[before].batch.records[0].value_size, -1);
    ck_assert_int_eq(desk_error(d, desk_end(d, &busy, true, 2)),
                     WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING);
    desk_elect(d, 1);
    ck_assert_str_eq(desk_state(d, "old"), "none");
    desk_free(d);
}
END_TEST

START_TEST(a_tombstone_that_is_not_written_leaves_the_id)
{
    struct desk *d = desk_new();
    const int64_t week = 7ll * 24 * 3600 * 1000;

    producer(d, "old");
    d->error = WIRE_ERROR_NOT_ENOUGH_REPLICAS;
    desk_pass(d, week + 3600 * 1000);
    ck_assert_str_eq(desk_state(d, "old"), "Empty");
    d->error = 0;
    desk_pass(d, 3600 * 1000);
    ck_assert_str_eq(desk_state(d, "old"), "none");
    desk_free(d);
}
END_TEST

/* ---- markers ---- */

START_TEST(markers_follow_a_leader_that_moves)
{
    static const int32_t errors[] = {WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
                                     WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                                     WIRE_ERROR_NOT_ENOUGH_REPLICAS,
                                     WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                                     WIRE_ERROR_REQUEST_TIMED_OUT,
                                     WIRE_ERROR_KAFKA_STORAGE_ERROR,
                                     -1};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct desk *d = desk_new();
        struct desk_producer p = ongoing(d, "id", one);
        d->hold_markers = true;
        desk_end(d, &p, true, 2);
        ck_assert_int_eq(d->sent[0].broker, 2);
        d->leader[1] = 3;
        desk_end_markers(d, errors[i]);
        ck_assert_uint_eq(d->sent_count, 0);
        desk_pass(d, 50);
        ck_assert_uint_eq(d->sent_count, 1);
        ck_assert_int_eq(d->sent[0].broker, 3);
        desk_end_markers(d, 0);
        desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
        ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
        desk_free(d);
    }
}
END_TEST

START_TEST(a_request_without_an_answer_counts_as_lost)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", one);

    d->hold_markers = true;
    desk_end(d, &p, true, 2);
    uint64_t correlation = d->sent[0].correlation;
    d->leader[1] = 1;
    desk_pass(d, 29999);
    ck_assert_uint_eq(d->sent_count, 1);
    desk_pass(d, 51);
    ck_assert_uint_eq(d->sent_count, 2);
    ck_assert_int_eq(d->sent[1].broker, 1);
    ck_assert_uint_ne(d->sent[1].correlation, correlation);
    desk_end_markers(d, 0); /* of the lost one: too late, it counts for nothing */
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    desk_end_markers(d, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

START_TEST(a_partition_without_a_leader_waits_and_one_that_is_gone_is_left_out)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", two);

    d->leader[1] = KB_TXNS_NO_LEADER;
    d->leader[2] = KB_TXNS_NO_PARTITION;
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    d->leader[1] = 2;
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    /* All of them gone. */
    p = ongoing(d, "other", two);
    d->leader[1] = KB_TXNS_NO_PARTITION;
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, false, 2)), 0);
    ck_assert_str_eq(desk_state(d, "other"), "CompleteAbort");
    desk_free(d);
}
END_TEST

START_TEST(one_request_is_under_way_to_a_broker_and_the_next_carries_all_that_wait)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "p", one), q = ongoing(d, "q", one),
                         r = ongoing(d, "r", one);

    d->hold_markers = true;
    desk_end(d, &p, true, 2);
    desk_end(d, &q, false, 2);
    desk_end(d, &r, true, 2);
    ck_assert_uint_eq(d->sent_count, 1);
    desk_end_markers(d, 0);
    ck_assert_uint_eq(d->sent_count, 1);
    ck_assert_int_eq(d->sent[0].message->markers.count, 2);
    desk_end_markers(d, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_str_eq(desk_state(d, "p"), "CompleteCommit");
    ck_assert_str_eq(desk_state(d, "q"), "CompleteAbort");
    ck_assert_str_eq(desk_state(d, "r"), "CompleteCommit");
    desk_free(d);
}
END_TEST

/* So it is in Kafka: whoever is newer ends it; and this one knows no more than that. */
START_TEST(markers_that_a_newer_coordinator_fenced_are_not_sent_again)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", one);

    d->marker_error = WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED;
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    d->marker_error = 0;
    desk_pass(d, MINUTE);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    desk_resign(d, 1);
    desk_elect(d, 2);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

START_TEST(the_record_of_the_end_is_written_until_it_is_there)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", one);

    d->hold = true;
    desk_end(d, &p, true, 2);
    desk_end_append(d, 0, false);
    desk_end_markers(d, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(d->held_count, 1);
        desk_end_append(d, WIRE_ERROR_NOT_ENOUGH_REPLICAS, true);
        ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
        desk_pass(d, 50);
    }
    desk_end_append(d, 0, false);
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

/* ---- leadership ---- */

START_TEST(only_the_leader_of_the_partition_answers_and_only_once_it_has_read_it)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", one);
    int32_t partition = kb_coordinator_partition("id", DESK_PARTITIONS);
    uint64_t digest = kb_txns_digest(d->x, partition);

    desk_resign(d, 1);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", MINUTE, -1, -1, 4), NULL),
                     WIRE_ERROR_NOT_COORDINATOR);
    desk_elect_begin(d, partition, 2);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)),
                     WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS);
    desk_elect_end(d, partition);
    ck_assert_uint_eq(kb_txns_digest(d->x, partition), digest);
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_SHUTDOWN});
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), WIRE_ERROR_NOT_COORDINATOR);
    desk_free(d);
}
END_TEST

START_TEST(what_was_prepared_is_ended_by_whoever_leads_next)
{
    struct desk *d = desk_new();
    struct desk_producer p = ongoing(d, "id", two);

    d->hold_markers = true;
    ck_assert_int_eq(desk_error(d, desk_end(d, &p, true, 2)), 0);
    ck_assert_uint_eq(d->sent_count, 2);
    desk_resign(d, 5);
    ck_assert_str_eq(desk_state(d, "id"), "none");
    desk_end_markers(d, 0); /* answers to one that is no coordinator */
    desk_end_markers(d, 0);
    desk_elect(d, 6);
    ck_assert_str_eq(desk_state(d, "id"), "PrepareCommit>CompleteCommit");
    ck_assert_uint_eq(d->sent_count, 2);
    const struct wire_write_txn_markers_request *r = d->sent[0].message;
    ck_assert_int_eq(
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_request_marker)->coordinator_epoch,
        6);
    desk_end_markers(d, 0);
    desk_end_markers(d, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    ck_assert_str_eq(desk_state(d, "id"), "CompleteCommit");
    desk_free(d);
}
END_TEST

/* Method: an EndTxn whose append ends when leadership went, while the log is read anew, and after
   it has been. */
START_TEST(an_append_of_an_earlier_leadership_changes_nothing)
{
    for (int when = 0; when < 3; when++) {
        struct desk *d = desk_new();
        struct desk_producer p = ongoing(d, "id", two);
        int32_t partition = kb_coordinator_partition("id", DESK_PARTITIONS);
        d->hold = true;
        uint64_t call = desk_end(d, &p, true, 2);
        desk_resign(d, 1);
        if (when >= 1) {
            desk_elect_begin(d, partition, 2);
        }
        if (when == 2) {
            desk_elect_end(d, partition);
        }
        desk_end_append(d, 0, true);
        ck_assert_int_eq(desk_error(d, call), when == 1 ? WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS
                                                        : WIRE_ERROR_NOT_COORDINATOR);
        ck_assert_str_eq(desk_state(d, "id"), when == 2 ? "Ongoing" : "none");
        ck_assert_uint_eq(d->sent_count, 0);
        desk_free(d);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("transactions");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_new_id_has_a_new_producer_id_and_later_ones_raise_its_epoch);
    tcase_add_test(tc, malformed_requests_are_refused);
    tcase_add_test(tc, without_a_transactional_id_each_call_has_its_own_producer_id);
    tcase_add_test(tc, where_no_producer_id_is_at_hand_nothing_happens_until_one_is);
    tcase_add_test(tc, a_producer_may_raise_its_own_epoch_and_ask_twice);
    tcase_add_test(tc, each_move_is_a_record_as_kafka_writes_it);
    tcase_add_test(tc, exhausted_epochs_begin_anew_under_another_producer_id);
    tcase_add_test(tc, records_that_cannot_be_read_are_passed_over);
    tcase_add_test(tc, a_log_may_hold_anything);
    tcase_add_test(tc, a_transaction_is_answered_when_its_end_is_written_and_markers_follow);
    tcase_add_test(tc, what_ending_says_depends_on_the_state);
    tcase_add_test(tc, while_a_move_is_under_way_all_are_told_to_come_again);
    tcase_add_test(tc, an_append_that_fails_leaves_the_state_and_says_why);
    tcase_add_test(tc, adding_nothing_begins_a_transaction_too);
    tcase_add_test(tc, partitions_unknown_to_the_metadata_refuse_the_whole_request);
    tcase_add_test(tc, a_new_producer_aborts_what_the_old_one_left_open);
    tcase_add_test(tc, a_fence_that_is_not_written_raises_the_epoch_only_once);
    tcase_add_test(tc, an_open_transaction_that_is_too_old_is_aborted_at_the_next_check);
    tcase_add_test(tc, no_timer_is_armed_while_nobody_is_known);
    tcase_add_test(tc, ids_that_nobody_uses_for_a_week_are_forgotten);
    tcase_add_test(tc, a_tombstone_that_is_not_written_leaves_the_id);
    tcase_add_test(tc, markers_follow_a_leader_that_moves);
    tcase_add_test(tc, a_request_without_an_answer_counts_as_lost);
    tcase_add_test(tc, a_partition_without_a_leader_waits_and_one_that_is_gone_is_left_out);
    tcase_add_test(tc, one_request_is_under_way_to_a_broker_and_the_next_carries_all_that_wait);
    tcase_add_test(tc, markers_that_a_newer_coordinator_fenced_are_not_sent_again);
    tcase_add_test(tc, the_record_of_the_end_is_written_until_it_is_there);
    tcase_add_test(tc, only_the_leader_of_the_partition_answers_and_only_once_it_has_read_it);
    tcase_add_test(tc, what_was_prepared_is_ended_by_whoever_leads_next);
    tcase_add_test(tc, an_append_of_an_earlier_leadership_changes_nothing);
    Suite *s = suite_create("transactions");
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
