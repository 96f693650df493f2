/*
 * Connections, metadata, plain producers, consumers with assigned partitions. Each test names the
 * rule of client/README.md that it shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)

static int producer(struct kdesk *k, int acks)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.acks = acks;
    return kdesk_client(k, &c);
}

static int consumer(struct kdesk *k, enum kl_reset reset)
{
    struct kl_config c = kl_config_default(KL_CONSUMER);
    c.auto_offset_reset = reset;
    return kdesk_client(k, &c);
}

static struct kdesk *three(const char *min_isr)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", 3, 1, 3, min_isr);
    return k;
}

START_TEST(what_is_sent_is_delivered_and_read)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1), c = consumer(k, KL_RESET_EARLIEST);
    kdesk_assign(k, c, "t", 3, KL_OFFSET_BEGINNING);
    uint64_t a = kdesk_send(k, p, "t", 0, "a"), b = kdesk_send(k, p, "t", 0, "b");
    uint64_t x = kdesk_send(k, p, "t", 1, "x");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->offset, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->offset, 1);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->persisted, KL_PERSISTED);
    ck_assert_int_eq(kdesk_delivery(k, p, x)->partition, 1);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0 b@1");
    ck_assert_str_eq(kdesk_read(k, c, "t", 1), "x@0");
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), 2); /* one a partition: linger */
    ck_assert(kl_client_is_idle(kdesk_of(k, p)));
    ck_assert_int_eq(kl_client_position(kdesk_of(k, c), "t", 0), 2);
    kdesk_free(k);
}
END_TEST

/* Rule acks-0 */
START_TEST(without_acks_what_was_sent_is_delivered)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, 0), c = consumer(k, KL_RESET_EARLIEST);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->offset, -1);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->persisted, KL_POSSIBLY_PERSISTED);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    kdesk_free(k);
}
END_TEST

/* Rule linger */
START_TEST(a_batch_waits_for_linger_or_goes_when_full)
{
    struct kdesk *k = three(NULL);
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.linger_ms = 1000;
    config.batch_num_messages = 3;
    int p = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "warm");
    kdesk_run(k, 3 * SECOND);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), 1);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 900 * MS);
    ck_assert_ptr_null(kdesk_delivery(k, p, a));
    kdesk_run(k, 200 * MS);
    ck_assert_ptr_nonnull(kdesk_delivery(k, p, a));
    kdesk_send(k, p, "t", 0, "b");
    kdesk_send(k, p, "t", 0, "c");
    uint64_t d = kdesk_send(k, p, "t", 0, "d");
    kdesk_run(k, 100 * MS);
    ck_assert_ptr_nonnull(kdesk_delivery(k, p, d));
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), 3);
    kdesk_send(k, p, "t", 0, "e");
    uint64_t flush = kdesk_command(k, p, (struct kl_input){.kind = KL_IN_FLUSH});
    ck_assert_ptr_null(kdesk_ending(k, p, flush));
    kdesk_run(k, 100 * MS);
    ck_assert_int_eq(kdesk_ending(k, p, flush)->error, 0);
    kdesk_free(k);
}
END_TEST

/* Rule broker-down, leader-unavailable, produce-retry */
START_TEST(a_leader_dies_and_the_next_one_is_found)
{
    struct kdesk *k = three("2");
    int p = producer(k, -1), c = consumer(k, KL_RESET_EARLIEST);
    kdesk_assign(k, c, "t", 3, KL_OFFSET_BEGINNING);
    kdesk_send(k, p, "t", 1, "a");
    kdesk_run(k, 2 * SECOND);
    uint64_t b = kdesk_send(k, p, "t", 1, "b");
    kdesk_run(k, 6 * MS);
    kdesk_kill(k, 2);
    uint64_t d = kdesk_send(k, p, "t", 1, "d");
    kdesk_run(k, 10 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, d)->error, 0);
    ck_assert_ptr_nonnull(strstr(kdesk_read(k, c, "t", 1), "d@"));
    kdesk_free(k);
}
END_TEST

/* Rule produce-retry: without idempotence an answer that is lost means twice. */
START_TEST(a_lost_answer_makes_a_duplicate)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1), c = consumer(k, KL_RESET_EARLIEST);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    kdesk_lose(k, WIRE_API_PRODUCE, 1);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0 a@1");
    ck_assert_uint_gt(kdesk_count(k, p, KL_OUT_FACT, KL_FACT_RETRY), 0);
    kdesk_free(k);
}
END_TEST

/* Rule message-timeout */
START_TEST(what_waits_too_long_has_timed_out)
{
    struct kdesk *k = three(NULL);
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.message_timeout_ms = 3000;
    int p = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, SECOND);
    for (int i = 1; i <= 3; i++)
        kdesk_swallow(k, WIRE_API_PRODUCE, i, true);
    uint64_t b = kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 2900 * MS);
    ck_assert_ptr_null(kdesk_delivery(k, p, b));
    kdesk_run(k, 4 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, KL_ERR_MSG_TIMED_OUT);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->persisted, KL_POSSIBLY_PERSISTED);
    uint64_t none = kdesk_send(k, p, "none", 0, "c");
    kdesk_run(k, 4 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, none)->error, KL_ERR_MSG_TIMED_OUT);
    kdesk_free(k);
}
END_TEST

/* Rule socket-timeout */
START_TEST(a_request_without_an_answer_costs_the_connection)
{
    struct kdesk *k = three(NULL);
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.socket_timeout_ms = 2000;
    int p = kdesk_client(k, &config);
    kdesk_swallow(k, WIRE_API_PRODUCE, 1, true);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 1500 * MS);
    uint32_t connected = kdesk_requests(k, p, WIRE_API_API_VERSIONS);
    kdesk_swallow(k, WIRE_API_PRODUCE, 1, false); /* the one under way stays unanswered */
    kdesk_run(k, 400 * MS);
    ck_assert_ptr_null(kdesk_delivery(k, p, a));
    kdesk_run(k, 3 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_API_VERSIONS), connected + 1);
    kdesk_free(k);
}
END_TEST

/* Rule unassigned, topic-propagation */
START_TEST(a_topic_that_does_not_exist_is_waited_for_then_given_up)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1);
    uint64_t a = kdesk_send(k, p, "late", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_ptr_null(kdesk_delivery(k, p, a));
    kdesk_topic(k, "late", 1, 1, 3, NULL);
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    uint64_t b = kdesk_send(k, p, "late", 7, "b"), c = kdesk_send(k, p, "never", 0, "c");
    kdesk_run(k, 40 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, KL_ERR_UNKNOWN_PARTITION);
    ck_assert_int_eq(kdesk_delivery(k, p, c)->error, KL_ERR_UNKNOWN_TOPIC);
    ck_assert_int_eq(kdesk_delivery(k, p, c)->persisted, KL_NOT_PERSISTED);
    kdesk_free(k);
}
END_TEST

/* Rule partitioner */
START_TEST(a_key_has_its_partition)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1);
    uint64_t tags[8];
    for (int i = 0; i < 8; i++)
        tags[i] = kdesk_command(k, p,
                                (struct kl_input){.kind = KL_IN_SEND,
                                                  .topic = "t",
                                                  .partition = -1,
                                                  .key = i % 2 == 0 ? "a" : "bb",
                                                  .key_size = i % 2 == 0 ? 1 : 2,
                                                  .value = "v",
                                                  .value_size = 1});
    kdesk_run(k, 2 * SECOND);
    for (int i = 2; i < 8; i++)
        ck_assert_int_eq(kdesk_delivery(k, p, tags[i])->partition,
                         kdesk_delivery(k, p, tags[i - 2])->partition);
    /* CRC-32 of "a" is 0xe8b7be43, of "bb" 0x1c22bb4c... by 3 */
    ck_assert_int_eq(kdesk_delivery(k, p, tags[0])->partition, (int)(0xe8b7be43u % 3));
    kdesk_free(k);
}
END_TEST

/* Rule offset-reset */
START_TEST(a_consumer_begins_where_it_is_told)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1);
    for (int i = 0; i < 4; i++)
        kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    int end = consumer(k, KL_RESET_LATEST), third = consumer(k, KL_RESET_NONE),
        beyond = consumer(k, KL_RESET_EARLIEST), lost = consumer(k, KL_RESET_NONE);
    kdesk_assign(k, end, "t", 1, KL_OFFSET_END);
    kdesk_assign(k, third, "t", 1, 2);
    kdesk_assign(k, beyond, "t", 1, 99);
    kdesk_assign(k, lost, "t", 1, 99);
    kdesk_run(k, 2 * SECOND);
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, end, "t", 0), "b@4");
    ck_assert_str_eq(kdesk_read(k, third, "t", 0), "a@2 a@3 b@4");
    ck_assert_str_eq(kdesk_read(k, beyond, "t", 0), "a@0 a@1 a@2 a@3 b@4");
    ck_assert_str_eq(kdesk_read(k, lost, "t", 0), "");
    ck_assert_uint_eq(kdesk_count(k, lost, KL_OUT_ERROR, 0), 1);
    ck_assert_uint_eq(kdesk_count(k, beyond, KL_OUT_FACT, KL_FACT_TRUNCATED), 1);
    kdesk_free(k);
}
END_TEST

/* Rule pause */
START_TEST(a_paused_partition_is_silent_and_loses_nothing)
{
    struct kdesk *k = three(NULL);
    int p = producer(k, -1), c = consumer(k, KL_RESET_EARLIEST);
    struct kl_offset one = {.topic = "t", .partition = 0};
    kdesk_assign(k, c, "t", 2, KL_OFFSET_BEGINNING);
    kdesk_run(k, SECOND);
    kdesk_command(k, c, (struct kl_input){.kind = KL_IN_PAUSE, .offsets = &one, .count = 1});
    kdesk_send(k, p, "t", 0, "a");
    kdesk_send(k, p, "t", 1, "x");
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "");
    ck_assert_str_eq(kdesk_read(k, c, "t", 1), "x@0");
    kdesk_command(k, c, (struct kl_input){.kind = KL_IN_RESUME, .offsets = &one, .count = 1});
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    kdesk_free(k);
}
END_TEST

/* Rule admin-not-controller */
START_TEST(a_tool_finds_the_controller)
{
    struct kdesk *k = three(NULL);
    struct kl_config config = kl_config_default(KL_ADMIN);
    int a = kdesk_client(k, &config);
    kdesk_run(k, SECOND);
    kdesk_kill(k, 1);
    struct wire_flat w;
    struct wire_delete_topics_request *q = desk_begin(kdesk_nodes(k), &w, WIRE_API_DELETE_TOPICS);
    q->timeout_ms = 10000;
    q->topic_names = wire_flat_array(&w, 1, sizeof(struct wire_string));
    *(struct wire_string *)wire_flat_at(&w, q->topic_names.at) = wire_flat_string(&w, "no");
    uint64_t tag = kdesk_command(k, a,
                                 (struct kl_input){.kind = KL_IN_ADMIN,
                                                   .api = WIRE_API_DELETE_TOPICS,
                                                   .version = 1,
                                                   .message = w.bytes,
                                                   .size = wire_flat_end(&w)});
    kdesk_run(k, 10 * SECOND);
    ck_assert_ptr_nonnull(kdesk_ending(k, a, tag));
    ck_assert_int_eq(kdesk_ending(k, a, tag)->error, 0);
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client core");
    TCase *c = tcase_create("core");
    tcase_add_test(c, what_is_sent_is_delivered_and_read);
    tcase_add_test(c, without_acks_what_was_sent_is_delivered);
    tcase_add_test(c, a_batch_waits_for_linger_or_goes_when_full);
    tcase_add_test(c, a_leader_dies_and_the_next_one_is_found);
    tcase_add_test(c, a_lost_answer_makes_a_duplicate);
    tcase_add_test(c, what_waits_too_long_has_timed_out);
    tcase_add_test(c, a_request_without_an_answer_costs_the_connection);
    tcase_add_test(c, a_topic_that_does_not_exist_is_waited_for_then_given_up);
    tcase_add_test(c, a_key_has_its_partition);
    tcase_add_test(c, a_consumer_begins_where_it_is_told);
    tcase_add_test(c, a_paused_partition_is_silent_and_loses_nothing);
    tcase_add_test(c, a_tool_finds_the_controller);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
