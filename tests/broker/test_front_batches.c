/*
 * What a node without data says to controllers, its own and others': LeaderAndIsr, UpdateMetadata,
 * StopReplica.
 */
#include <stdio.h>
#include <string.h>

#include "front_batch.h"
#include "front_desk.h"
#include "statemachine/znode.h"
#include "wire/errors.h"

#define OWN "/brokers/ids/0"

static const int32_t on_it[] = {0, 1};
static const struct {
    int16_t api;
    uint8_t kind;
    int32_t partition_error; /* of a node without data */
} apis[] = {{WIRE_API_LEADER_AND_ISR, WIRE_RECORD_LEADER_AND_ISR, WIRE_ERROR_KAFKA_STORAGE_ERROR},
            {WIRE_API_UPDATE_METADATA, WIRE_RECORD_UPDATE_METADATA, 0},
            {WIRE_API_STOP_REPLICA, WIRE_RECORD_STOP_REPLICA, 0}};
enum { APIS = sizeof apis / sizeof apis[0] };

static struct front_answer said(struct front *f, int which, int32_t controller_epoch,
                                int64_t broker_epoch)
{
    struct front_batch spec = {.kind = apis[which].kind,
                               .broker_epoch = broker_epoch,
                               .controller_epoch = controller_epoch,
                               .topic = "foreign",
                               .ids = on_it,
                               .count = 2};
    return front_hear(f, apis[which].api, front_batch_of(&spec));
}

#define ck_answer(a, code, partition_code)                                                         \
    do {                                                                                           \
        struct front_answer answer_ = (a);                                                         \
        ck_assert_int_eq(answer_.count, 1);                                                        \
        ck_assert_int_eq(answer_.error, (code));                                                   \
        ck_assert_int_eq(answer_.partition_error, (partition_code));                               \
    } while (0)

static bool knows_it(struct front *f)
{
    const struct kb_cache *c = kb_broker_cache(front_node(f)->broker);
    return kb_cache_topic(c, "foreign", 7) != KB_NO_TOPIC;
}

/* Source: KafkaApis.handleLeaderAndIsrRequest and its like; ReplicaManager. */
START_TEST(a_foreign_controller_is_heard_and_replicas_are_refused)
{
    struct front *f = front_new(NULL, 1);
    ck_answer(said(f, _i, 5, front_czxid(f, OWN)), 0, apis[_i].partition_error);
    ck_assert_int_eq(knows_it(f), apis[_i].api == WIRE_API_UPDATE_METADATA);
    front_free(f);
}
END_TEST

START_TEST(an_earlier_controller_is_refused)
{
    struct front *f = front_new(NULL, 1);
    int64_t epoch = front_czxid(f, OWN);
    for (int newer = 0; newer < APIS; newer++) { /* whichever told of the newer one */
        ck_answer(said(f, newer, 5 + newer, epoch), 0, apis[newer].partition_error);
        ck_answer(said(f, _i, 4 + newer, epoch), WIRE_ERROR_STALE_CONTROLLER_EPOCH, 0);
    }
    ck_answer(said(f, _i, 7, epoch), 0, apis[_i].partition_error);
    front_free(f);
}
END_TEST

START_TEST(what_is_for_an_earlier_life_is_refused)
{
    struct front *f = front_new(NULL, 1);
    int64_t epoch = front_czxid(f, OWN);
    ck_answer(said(f, _i, 5, epoch - 1), WIRE_ERROR_STALE_BROKER_EPOCH, 0);
    ck_assert(!knows_it(f));
    /* A refused one tells nothing, not even of its controller. */
    ck_answer(said(f, _i, 4, epoch), 0, apis[_i].partition_error);
    ck_answer(said(f, _i, 3, epoch - 1), WIRE_ERROR_STALE_BROKER_EPOCH, 0); /* looked at first */
    /* -1: a controller that does not know epochs. A later life: one that this node has not heard
       of yet, but the controller has. */
    ck_answer(said(f, _i, 4, -1), 0, apis[_i].partition_error);
    ck_answer(said(f, _i, 4, epoch + 1), 0, apis[_i].partition_error);
    front_free(f);
}
END_TEST

START_TEST(a_new_session_begins_a_new_life)
{
    struct front *f = front_new(NULL, 1);
    int64_t epoch = front_czxid(f, OWN);
    front_expire(f);
    front_advance(f, 10 * (int64_t)1000000);
    ck_assert_int_gt(front_czxid(f, OWN), epoch);
    ck_answer(said(f, _i, 5, epoch), WIRE_ERROR_STALE_BROKER_EPOCH, 0);
    ck_answer(said(f, _i, 5, front_czxid(f, OWN)), 0, apis[_i].partition_error);
    front_free(f);
}
END_TEST

/* Goal: the registration was made, but nobody heard of it; the second one finds the first. */
START_TEST(a_registration_that_finds_itself_knows_its_epoch)
{
    struct front *f = front_cold(NULL);
    front_lose_reply(f, OWN);
    front_start(f);
    front_advance(f, 5 * (int64_t)1000000);
    int64_t epoch = front_czxid(f, OWN);
    ck_assert_int_gt(epoch, 0);
    ck_answer(said(f, _i, 5, epoch - 1), WIRE_ERROR_STALE_BROKER_EPOCH, 0);
    ck_answer(said(f, _i, 5, epoch), 0, apis[_i].partition_error);
    front_free(f);
}
END_TEST

/* ---- the mark in a registration ---- */

static const struct {
    const char *mark; /* behind the other fields */
    int32_t without_data;
} marks[] = {
    {"", 0},
    {",\"kcsim.data\":false", 1},
    {",\"kcsim.data\":true", 0},
    {",\"kcsim.data\":null", 0},
    {",\"kcsim.data\":\"false\"", 0},
    {",\"kcsim.data\":[false]", 0},
    {",\"kcsim\":{\"data\":false}", 0},
    {",\"kcsim.data\":false,\"later\":1", 1},
};

START_TEST(a_registration_says_whether_there_is_data)
{
    char text[512], again[512];
    struct sm_broker b;
    int size = snprintf(text, sizeof text,
                        "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},"
                        "\"endpoints\":[\"PLAINTEXT://h:1\"],\"jmx_port\":-1,\"port\":1,"
                        "\"host\":\"h\",\"version\":4,\"timestamp\":\"9\"%s}",
                        marks[_i].mark);
    ck_assert_int_eq(sm_znode_decode_broker(text, (size_t)size, 3, &b), SM_ERR_OK);
    ck_assert_int_eq(b.without_data, marks[_i].without_data);
    size_t used = sm_znode_encode_broker(again, sizeof again, &b, 9);
    again[used] = '\0';
    ck_assert_int_eq(strstr(again, "kcsim") != NULL, marks[_i].without_data);
    if (_i < 2)
        ck_assert_str_eq(again, text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("front batches");
    TCase *c = tcase_create("batches");
    tcase_add_loop_test(c, a_foreign_controller_is_heard_and_replicas_are_refused, 0, APIS);
    tcase_add_loop_test(c, an_earlier_controller_is_refused, 0, APIS);
    tcase_add_loop_test(c, what_is_for_an_earlier_life_is_refused, 0, APIS);
    tcase_add_loop_test(c, a_new_session_begins_a_new_life, 0, APIS);
    tcase_add_loop_test(c, a_registration_that_finds_itself_knows_its_epoch, 0, APIS);
    tcase_add_loop_test(c, a_registration_says_whether_there_is_data, 0,
                        (int)(sizeof marks / sizeof marks[0]));
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
