/*
 * Calls to the controller become messages and come back, through the bytes of the protocol.
 */
#include "wire/call_codec.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/schema.h"

enum { ROOM = 1 << 16 };

static uint64_t call_room[ROOM / 8], message_room[ROOM / 8], again_room[ROOM / 8];
static uint8_t bytes[ROOM];

static const struct sm_assignment lists = {
    .replicas = {2, {1, 2}}, .adding = {1, {2}}, .removing = {1, {3}}};
static const struct sm_assignment replicas_only = {.replicas = {3, {4, 5, 6}}};

static const struct wire_call *call_of(struct wire_call head, bool with_lists, int32_t error)
{
    struct wire_call_builder b;
    wire_call_begin(&b, call_room, sizeof call_room, &head);
    bool alters = head.api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS && error == 0;
    const struct sm_assignment *a = with_lists ? &lists : alters ? &replicas_only : NULL;
    if (!head.all) {
        wire_call_add(&b, "orders", 0, error, false, a);
        wire_call_add(&b, "orders", 1, 0, alters, alters ? NULL : a);
        wire_call_add(&b, "t", 7, error, false, a);
    }
    return wire_call_end(&b);
}

/* call -> message -> bytes -> message -> call; asserts that the two calls are the same bytes. */
static void goes_round(enum wire_direction direction, const struct wire_call *call, int16_t version)
{
    const struct wire_call_extra extra = {.timeout_ms = 4321};
    int16_t api = (int16_t)call->api;
    size_t used, size;
    ck_assert_int_eq(wire_call_to_message(direction, call, &extra, message_room, 8, &used),
                     SM_ERR_LIMIT);
    void *room = malloc(used);
    ck_assert_int_eq(wire_call_to_message(direction, call, &extra, room, used, &used), SM_ERR_OK);
    ck_assert_int_eq(wire_encode(direction, api, version, room, bytes, sizeof bytes, &size),
                     SM_ERR_OK);
    free(room);
    ck_assert_int_eq(
        wire_decode(direction, api, version, bytes, size, again_room, sizeof again_room, &used),
        SM_ERR_OK);
    ck_assert_int_eq(wire_call_of_message(direction, call->api, again_room, message_room, 0, &used),
                     SM_ERR_LIMIT);
    ck_assert_uint_eq(used, call->size);
    ck_assert_int_eq(wire_call_of_message(direction, call->api, again_room, message_room,
                                          sizeof message_room, &used),
                     SM_ERR_OK);
    ck_assert_mem_eq(message_room, call, call->size);
}

START_TEST(requests_go_round)
{
    struct wire_call head = {
        .api = WIRE_API_CONTROLLED_SHUTDOWN, .broker_id = 3, .broker_epoch = 99};
    struct wire_call_builder b;
    wire_call_begin(&b, call_room, sizeof call_room, &head);
    goes_round(WIRE_REQUEST, wire_call_end(&b), 3);

    head = (struct wire_call){.api = WIRE_API_ELECT_LEADERS, .broker_id = -1, .broker_epoch = -1};
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 0);
    head.election_type = 1;
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 2);
    head.all = 1;
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 2);

    head = (struct wire_call){
        .api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS, .broker_id = -1, .broker_epoch = -1};
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 0);

    head.api = WIRE_API_LIST_PARTITION_REASSIGNMENTS;
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 0);
    head.all = 1;
    goes_round(WIRE_REQUEST, call_of(head, false, 0), 0);
}
END_TEST

START_TEST(answers_go_round)
{
    struct wire_call head = {.api = WIRE_API_CONTROLLED_SHUTDOWN, .error = 77};
    goes_round(WIRE_RESPONSE, call_of(head, false, 0), 2);
    head = (struct wire_call){.api = WIRE_API_ELECT_LEADERS};
    goes_round(WIRE_RESPONSE, call_of(head, false, WIRE_ERROR_PREFERRED_LEADER_NOT_AVAILABLE), 0);
    head.error = WIRE_ERROR_NOT_CONTROLLER;
    goes_round(WIRE_RESPONSE, call_of(head, false, 41), 2);
    head = (struct wire_call){.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS, .error = 41};
    goes_round(WIRE_RESPONSE, call_of(head, false, 85), 0);
    head = (struct wire_call){.api = WIRE_API_LIST_PARTITION_REASSIGNMENTS};
    goes_round(WIRE_RESPONSE, call_of(head, true, 0), 0);
}
END_TEST

START_TEST(errors_come_with_the_texts_of_kafka)
{
    struct wire_call head = {.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS};
    const struct wire_call_extra extra = {0};
    size_t used;
    ck_assert_int_eq(wire_call_to_message(WIRE_RESPONSE, call_of(head, false, 85), &extra,
                                          message_room, sizeof message_room, &used),
                     SM_ERR_OK);
    char line[1024];
    wire_print(WIRE_RESPONSE, WIRE_API_ALTER_PARTITION_REASSIGNMENTS, 0, message_room, line,
               sizeof line);
    ck_assert_str_eq(line,
                     "{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":null,\"responses\":["
                     "{\"name\":\"orders\",\"partitions\":[{\"partitionIndex\":0,\"errorCode\":85,"
                     "\"errorMessage\":\"No partition reassignment is in progress.\"},"
                     "{\"partitionIndex\":1,\"errorCode\":0,\"errorMessage\":null}]},"
                     "{\"name\":\"t\",\"partitions\":[{\"partitionIndex\":7,\"errorCode\":85,"
                     "\"errorMessage\":\"No partition reassignment is in progress.\"}]}]}");
}
END_TEST

START_TEST(an_election_of_all_answers_only_where_something_happened)
{
    struct wire_call head = {.api = WIRE_API_ELECT_LEADERS};
    const struct wire_call_extra extra = {.asked_for_all = true};
    size_t used;
    const struct wire_call *call = call_of(head, false, WIRE_ERROR_ELECTION_NOT_NEEDED);
    ck_assert_int_eq(
        wire_call_to_message(WIRE_RESPONSE, call, &extra, message_room, sizeof message_room, &used),
        SM_ERR_OK);
    const struct wire_elect_leaders_response *m = (const void *)message_room;
    ck_assert_int_eq(m->replica_election_results.count, 1);
    ck_assert_int_eq(WIRE_ITEMS(m, m->replica_election_results,
                                struct wire_elect_leaders_response_replica_election_result)
                         ->partition_result.count,
                     1);
}
END_TEST

START_TEST(what_a_call_cannot_hold_is_refused)
{
    struct wire_flat f;
    int32_t ids[SM_REPLICAS_MAX + 1] = {0};
    size_t used;
    struct wire_alter_partition_reassignments_request *m =
        wire_flat_begin(&f, message_room, sizeof message_room, sizeof *m);
    m->topics =
        wire_flat_array(&f, 1, sizeof(struct wire_alter_partition_reassignments_request_topic));
    struct wire_alter_partition_reassignments_request_topic *topic = wire_flat_at(&f, m->topics.at);
    topic->name = wire_flat_string(&f, "t");
    topic->partitions =
        wire_flat_array(&f, 1, sizeof(struct wire_alter_partition_reassignments_request_partition));
    struct wire_alter_partition_reassignments_request_partition *p =
        wire_flat_at(&f, topic->partitions.at);
    p->replicas = wire_flat_ids(&f, ids, SM_REPLICAS_MAX + 1);
    ck_assert_uint_gt(wire_flat_end(&f), 0);
    ck_assert_int_eq(wire_call_of_message(WIRE_REQUEST, WIRE_API_ALTER_PARTITION_REASSIGNMENTS, m,
                                          call_room, sizeof call_room, &used),
                     SM_ERR_RANGE);
    p->replicas.count = 2;
    topic->name = wire_flat_string_of(&f, "a\0b", 3);
    ck_assert_int_eq(wire_call_of_message(WIRE_REQUEST, WIRE_API_ALTER_PARTITION_REASSIGNMENTS, m,
                                          call_room, sizeof call_room, &used),
                     SM_ERR_RANGE);
    ck_assert_int_eq(wire_call_of_message(WIRE_REQUEST, WIRE_API_METADATA, m, call_room,
                                          sizeof call_room, &used),
                     SM_ERR_RANGE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("call codec");
    TCase *t = tcase_create("call codec");
    tcase_add_test(t, requests_go_round);
    tcase_add_test(t, answers_go_round);
    tcase_add_test(t, errors_come_with_the_texts_of_kafka);
    tcase_add_test(t, an_election_of_all_answers_only_where_something_happened);
    tcase_add_test(t, what_a_call_cannot_hold_is_refused);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
