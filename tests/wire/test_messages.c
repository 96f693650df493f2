/*
 * The flat records: what is written is read back, and damaged bytes end a walk.
 *
 * The batches here are put together by hand, byte by byte as messages.h lays them out, since their
 * writer is the controller, one rank up.
 */
#include "wire/messages.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 2, HEAD = (sizeof(struct wire_record) + 7) / 8 * 8 };

/* A batch under construction. */
struct box {
    uint64_t words[512];
    uint32_t size;
};

static struct wire_batch *head_of(struct box *box)
{
    return (struct wire_batch *)(void *)box->words;
}

static struct sm_broker broker_named(int32_t id, const char *rack)
{
    struct sm_broker b = {.id = id, .endpoint_count = 2};
    for (int32_t i = 0; i < 2; i++) {
        struct sm_endpoint *e = &b.endpoint[i];
        e->port = 9092 + i;
        snprintf(e->listener, sizeof e->listener, "L%d", (int)i);
        snprintf(e->protocol, sizeof e->protocol, "PLAINTEXT");
        snprintf(e->host, sizeof e->host, "host-%d", (int)id);
    }
    snprintf(b.rack, sizeof b.rack, "%s", rack);
    return b;
}

static void add_broker(struct box *box, uint32_t index, const struct sm_broker *b)
{
    uint8_t *bytes = (uint8_t *)box->words;
    wire_broker_encode((struct wire_broker *)(void *)(bytes + box->size), index, 100 + index, b);
    box->size += wire_broker_size(b);
}

static void add_record(struct box *box, enum wire_record_kind kind, int32_t partition,
                       uint64_t to_low, const char *topic)
{
    uint8_t *start = (uint8_t *)box->words + box->size;
    struct wire_record *r = (struct wire_record *)(void *)start;
    r->kind = (uint8_t)kind;
    r->partition = partition;
    r->isr_count = 1;
    r->replica_count = 2;
    r->offline_count = 1;
    r->topic_size = (uint16_t)(strlen(topic) + 1);
    uint8_t *at = start + HEAD;
    if (kind != WIRE_RECORD_UPDATE_METADATA) {
        uint64_t sets[2 * WORDS] = {to_low, 0, to_low & 1, 0};
        memcpy(at, sets, sizeof sets);
        at += sizeof sets;
    }
    int32_t ids[4] = {7, 8, 9, 10};
    memcpy(at, ids, sizeof ids);
    memcpy(at + sizeof ids, topic, r->topic_size);
    size_t size = (size_t)(at + sizeof ids - start) + r->topic_size;
    r->size = (uint32_t)((size + 7) / 8 * 8);
    box->size += r->size;
}

/* Brokers 1 (bit 0) and 5 (bit 70); two LeaderAndIsr records, one of metadata, one stop, one dead.
 */
static void fill(struct box *box)
{
    memset(box, 0, sizeof *box);
    struct wire_batch *b = head_of(box);
    *b = (struct wire_batch){.broker_count = 2, .set_words = WORDS, .controller_epoch = 4};
    b->sets = sizeof *b;
    uint64_t *sets = &box->words[sizeof *b / 8];
    sets[0] = 1;      /* LeaderAndIsr to bit 0 */
    sets[3] = 1 << 6; /* UpdateMetadata to bit 70 */
    sets[4] = 1;      /* StopReplica to bit 0 */
    b->brokers = b->sets + 3 * WORDS * 8;
    box->size = b->brokers;
    struct sm_broker one = broker_named(1, ""), five = broker_named(5, "east");
    add_broker(box, 0, &one);
    add_broker(box, 70, &five);
    b->records = box->size;
    add_record(box, WIRE_RECORD_LEADER_AND_ISR, 0, 1, "orders");
    add_record(box, WIRE_RECORD_UPDATE_METADATA, 0, 0, "orders");
    add_record(box, WIRE_RECORD_LEADER_AND_ISR, 1, 1, "t");
    uint32_t dead = box->size;
    add_record(box, WIRE_RECORD_LEADER_AND_ISR, 2, 1, "gone");
    ((struct wire_record *)(void *)((uint8_t *)box->words + dead))->kind = WIRE_RECORD_DEAD;
    add_record(box, WIRE_RECORD_STOP_REPLICA, 3, 1, "orders");
    b->record_bytes = box->size - b->records;
    b->size = box->size;
}

START_TEST(a_walk_gives_the_live_records_of_one_kind_in_order)
{
    struct box box;
    fill(&box);
    struct wire_batch *b = head_of(&box);
    struct wire_record_view v = {0};
    ck_assert(wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v));
    ck_assert_str_eq(v.topic, "orders");
    ck_assert_int_eq(v.record->partition, 0);
    ck_assert_int_eq(v.isr[0], 7);
    ck_assert_int_eq(v.replicas[0], 8);
    ck_assert_int_eq(v.replicas[1], 9);
    ck_assert_int_eq(v.offline[0], 10);
    ck_assert_uint_eq(v.to[0], 1);
    ck_assert_uint_eq(v.flag[0], 1);
    ck_assert(wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v));
    ck_assert_str_eq(v.topic, "t");
    ck_assert(!wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v));
}
END_TEST

START_TEST(a_walk_over_all_kinds_leaves_out_the_dead)
{
    struct box box;
    fill(&box);
    struct wire_record_view v = {0};
    int32_t count = 0;
    while (wire_batch_next(head_of(&box), WIRE_RECORD_DEAD, &v)) {
        ck_assert_str_ne(v.topic, "gone");
        count++;
    }
    ck_assert_int_eq(count, 4);
}
END_TEST

START_TEST(metadata_records_have_no_sets_and_go_to_all_that_get_metadata)
{
    struct box box;
    fill(&box);
    struct wire_batch *b = head_of(&box);
    struct wire_record_view v = {0};
    ck_assert(wire_batch_next_for(b, WIRE_RECORD_UPDATE_METADATA, 70, &v));
    ck_assert_ptr_null(v.to);
    ck_assert_ptr_null(v.flag);
    ck_assert(!wire_batch_next_for(b, WIRE_RECORD_UPDATE_METADATA, 70, &v));
    struct wire_record_view other = {0};
    ck_assert(!wire_batch_next_for(b, WIRE_RECORD_UPDATE_METADATA, 0, &other));
}
END_TEST

START_TEST(recipients_are_answered_by_bit_and_beyond_the_set_is_nobody)
{
    struct box box;
    fill(&box);
    struct wire_batch *b = head_of(&box);
    ck_assert(wire_batch_is_for(b, WIRE_RECORD_LEADER_AND_ISR, 0));
    ck_assert(!wire_batch_is_for(b, WIRE_RECORD_LEADER_AND_ISR, 70));
    ck_assert(wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, 70));
    ck_assert(wire_batch_is_for(b, WIRE_RECORD_STOP_REPLICA, 0));
    ck_assert(!wire_batch_is_for(b, WIRE_RECORD_STOP_REPLICA, 4000000000u));
    struct wire_record_view v = {0};
    ck_assert(!wire_batch_next_for(b, WIRE_RECORD_LEADER_AND_ISR, 1, &v));
}
END_TEST

START_TEST(brokers_are_walked_and_decoded_whole)
{
    struct box box;
    fill(&box);
    struct wire_batch *b = head_of(&box);
    const struct wire_broker *first = wire_batch_next_broker(b, NULL);
    ck_assert_int_eq(first->id, 1);
    const struct wire_broker *second = wire_batch_next_broker(b, first);
    ck_assert_ptr_eq(second, wire_batch_broker(b, 5));
    ck_assert_ptr_null(wire_batch_next_broker(b, second));
    ck_assert_ptr_null(wire_batch_broker(b, 2));
    ck_assert_int_eq(second->epoch, 170);
    struct sm_broker want = broker_named(5, "east"), got;
    wire_broker_decode(second, &got);
    ck_assert_mem_eq(&got, &want, sizeof got);
    want = broker_named(1, "");
    wire_broker_decode(first, &got);
    ck_assert_mem_eq(&got, &want, sizeof got);
}
END_TEST

static void walk_everything(const struct wire_batch *b)
{
    for (uint32_t kind = WIRE_RECORD_DEAD; kind <= WIRE_RECORD_STOP_REPLICA; kind++) {
        struct wire_record_view v = {0};
        uint64_t sum = 0;
        while (wire_batch_next(b, kind, &v)) {
            sum += strlen(v.topic);
            for (uint32_t i = 0; i < v.record->isr_count; i++)
                sum += (uint64_t)v.isr[i];
            for (uint32_t i = 0; i < v.record->offline_count; i++)
                sum += (uint64_t)v.offline[i];
        }
        for (uint32_t index = 0; index < 200; index += 50) {
            struct wire_record_view w = {0};
            while (wire_batch_next_for(b, kind, index, &w))
                sum++;
        }
        ck_assert(sum < UINT64_MAX);
    }
    const struct wire_broker *broker = NULL;
    while ((broker = wire_batch_next_broker(b, broker)) != NULL) {
        struct sm_broker out;
        wire_broker_decode(broker, &out);
        ck_assert_int_le(out.endpoint_count, SM_ENDPOINTS_MAX);
    }
}

/* A small generator of its own: the damage must be the same in each run. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Goal: no reader leaves the record, whatever its bytes. Method: change some bytes of a sound
   batch, but for its size, copy it to a block of exactly that size, walk all (the sanitizers
   watch). */
START_TEST(damaged_batches_end_the_walk)
{
    uint64_t random = 7;
    for (int32_t round = 0; round < 20000; round++) {
        struct box box;
        fill(&box);
        uint8_t *bytes = (uint8_t *)box.words;
        uint64_t hits = 1 + next_random(&random) % 4;
        for (uint64_t i = 0; i < hits; i++)
            bytes[4 + next_random(&random) % (box.size - 4)] = (uint8_t)next_random(&random);
        void *exact = malloc(box.size);
        memcpy(exact, bytes, box.size);
        walk_everything(exact);
        free(exact);
    }
}
END_TEST

static const struct wire_call *example_call(void *bytes, size_t capacity)
{
    struct wire_call_builder b;
    struct wire_call head = {.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS, .broker_epoch = -1};
    struct sm_assignment a = {.replicas = {2, {3, 1}}, .adding = {1, {3}}, .removing = {1, {2}}};
    wire_call_begin(&b, bytes, capacity, &head);
    wire_call_add(&b, "orders", 4, 0, false, &a);
    wire_call_add(&b, "t", 0, WIRE_ERROR_NO_REASSIGNMENT_IN_PROGRESS, true, NULL);
    return wire_call_end(&b);
}

START_TEST(a_call_is_read_back_as_written)
{
    uint64_t bytes[64];
    const struct wire_call *c = example_call(bytes, sizeof bytes);
    ck_assert_uint_eq(c->count, 2);
    ck_assert_int_eq(c->broker_epoch, -1);
    struct wire_call_view v = {0};
    ck_assert(wire_call_next(c, &v));
    ck_assert_str_eq(v.topic, "orders");
    ck_assert_int_eq(v.item->partition, 4);
    ck_assert_int_eq(v.replicas[0], 3);
    ck_assert_int_eq(v.replicas[1], 1);
    ck_assert_int_eq(v.adding[0], 3);
    ck_assert_int_eq(v.removing[0], 2);
    ck_assert(wire_call_next(c, &v));
    ck_assert_str_eq(v.topic, "t");
    ck_assert(v.item->cancel);
    ck_assert_int_eq(v.item->error, 85);
    ck_assert(!wire_call_next(c, &v));
}
END_TEST

START_TEST(a_call_that_does_not_fit_is_null_at_every_capacity_below_its_size)
{
    uint64_t bytes[64];
    uint32_t size = example_call(bytes, sizeof bytes)->size;
    for (uint32_t capacity = 0; capacity < size; capacity++)
        ck_assert_ptr_null(example_call(bytes, capacity));
    ck_assert_ptr_nonnull(example_call(bytes, size));
}
END_TEST

START_TEST(damaged_calls_end_the_walk)
{
    uint64_t random = 11;
    for (int32_t round = 0; round < 20000; round++) {
        uint64_t words[64];
        uint32_t size = example_call(words, sizeof words)->size;
        uint8_t *bytes = (uint8_t *)words;
        for (uint64_t i = 0; i < 2; i++)
            bytes[4 + next_random(&random) % (size - 4)] = (uint8_t)next_random(&random);
        struct wire_call *exact = malloc(size);
        memcpy(exact, bytes, size);
        struct wire_call_view v = {0};
        int64_t sum = 0;
        while (wire_call_next(exact, &v))
            for (uint32_t i = 0; i < v.item->removing_count; i++)
                sum += v.removing[i] + (int64_t)strlen(v.topic);
        ck_assert(sum < INT64_MAX);
        free(exact);
    }
}
END_TEST

START_TEST(names_of_apis_and_errors_are_those_of_kafka)
{
    ck_assert_str_eq(wire_api_name(WIRE_API_LEADER_AND_ISR), "LeaderAndIsr");
    ck_assert_int_eq(wire_api_named("ListPartitionReassignments"), 46);
    ck_assert_int_eq(wire_api_named("Produce"), 0);
    ck_assert_int_eq(wire_api_named("Vote"), WIRE_API_NONE);
    ck_assert_str_eq(wire_error_name(0), "NONE");
    ck_assert_str_eq(wire_error_name(-1), "UNKNOWN_SERVER_ERROR");
    ck_assert_str_eq(wire_error_name(77), "STALE_BROKER_EPOCH");
    ck_assert_str_eq(wire_error_name(999), "ERROR");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("messages");
    TCase *t = tcase_create("messages");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_walk_gives_the_live_records_of_one_kind_in_order);
    tcase_add_test(t, a_walk_over_all_kinds_leaves_out_the_dead);
    tcase_add_test(t, metadata_records_have_no_sets_and_go_to_all_that_get_metadata);
    tcase_add_test(t, recipients_are_answered_by_bit_and_beyond_the_set_is_nobody);
    tcase_add_test(t, brokers_are_walked_and_decoded_whole);
    tcase_add_test(t, damaged_batches_end_the_walk);
    tcase_add_test(t, a_call_is_read_back_as_written);
    tcase_add_test(t, a_call_that_does_not_fit_is_null_at_every_capacity_below_its_size);
    tcase_add_test(t, damaged_calls_end_the_walk);
    tcase_add_test(t, names_of_apis_and_errors_are_those_of_kafka);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
