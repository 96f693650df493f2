/*
 * What a client makes of errors that decide by what came before them: a sequence that the broker
 * does not want, a leader that moved while a batch is under way, a fenced member. Each test names
 * the rule of client/README.md that it shows.
 */
#include <stdlib.h>
#include <string.h>

#include "client_watch.h"
#include "wire/errors.h"
#include "wire/messages.h"

/* ---- idempotence ---- */

/* One record a batch, and so a sequence number a request. */
static int idempotent(struct kdesk *k)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.enable_idempotence = 1;
    c.batch_num_messages = 1;
    c.socket_timeout_ms = 4000;
    c.topic_metadata_refresh_interval_ms = 500;
    int p = kdesk_client(k, &c);
    kdesk_send(k, p, "t", 0, "warm");
    kdesk_run(k, 3 * SECOND);
    return p;
}

static bool has_failed_for_good(const struct kdesk *k, int client)
{
    size_t count;
    const struct said *s = kdesk_said(k, &count);
    for (size_t i = 0; i < count; i++)
        if (s[i].client == client && s[i].kind == KL_OUT_ERROR && s[i].fatal)
            return true;
    return false;
}

/* Rule duplicate-sequence: the record is there, only its offset is not known; nothing is sent
 * again. */
START_TEST(a_duplicate_is_delivered_without_an_offset)
{
    struct kdesk *k = three();
    int p = idempotent(k), c = client_of(k, KL_CONSUMER);
    struct forge *f = forge_next(k, WIRE_API_PRODUCE, WIRE_ERROR_DUPLICATE_SEQUENCE_NUMBER, 1);
    uint32_t produced = kdesk_requests(k, p, WIRE_API_PRODUCE);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(f->left, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->persisted, KL_PERSISTED);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->offset, -1);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), produced + 1);
    uint64_t b = kdesk_send(k, p, "t", 0, "b"); /* the next number is the right one */
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, 0);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    kdesk_run(k, 3 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "warm@0 a@1 b@2");
    kdesk_free(k);
    free(f);
}
END_TEST

/* Rule unknown-producer-id: a record that was sent once can be sent anew, one that was sent twice
   may be there already: fatal. */
START_TEST(an_unknown_id_is_fatal_where_a_record_may_be_there)
{
    for (int lost = 0; lost <= 1; lost++) {
        struct kdesk *k = three();
        int p = idempotent(k);
        struct forge *f = forge_next(k, WIRE_API_PRODUCE, WIRE_ERROR_UNKNOWN_PRODUCER_ID, 1);
        kdesk_lose(k, WIRE_API_PRODUCE, lost);
        uint64_t a = kdesk_send(k, p, "t", 0, "a");
        kdesk_run(k, 5 * SECOND);
        ck_assert_int_eq(f->left, 0);
        ck_assert_ptr_nonnull(kdesk_delivery(k, p, a));
        ck_assert_int_eq(has_failed_for_good(k, p), lost);
        ck_assert_int_eq(kdesk_delivery(k, p, a)->error != 0, lost);
        kdesk_free(k);
        free(f);
    }
}
END_TEST

/* Rule implicit-ack: the answer about a was an error that asks for another try; b was taken, which
   no broker does without a. So a is there, and is not sent again. */
START_TEST(a_later_success_acknowledges_what_was_before_it)
{
    struct kdesk *k = three();
    int p = idempotent(k);
    struct forge *f = forge_next(k, WIRE_API_PRODUCE, WIRE_ERROR_REQUEST_TIMED_OUT, 1);
    uint32_t produced = kdesk_requests(k, p, WIRE_API_PRODUCE);
    uint64_t a = kdesk_send(k, p, "t", 0, "a"), b = kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 3 * SECOND);
    ck_assert_int_eq(f->left, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->persisted, KL_PERSISTED);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->offset, -1);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->offset, 2);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), produced + 2);
    kdesk_free(k);
    free(f);
}
END_TEST

static void led_by_two(void *context, int client, int16_t api, void *m)
{
    (void)context;
    (void)client;
    if (api != WIRE_API_METADATA)
        return;
    struct wire_metadata_response *r = m;
    struct wire_metadata_response_topic *t = (void *)((uint8_t *)m + r->topics.at);
    struct wire_metadata_response_partition *p = (void *)((uint8_t *)m + t->partitions.at);
    for (int32_t i = 0; r->topics.count > 0 && i < t->partitions.count; i++)
        p[i].leader_id = 2;
}

/* Rule leader-change: while a is under way to the old leader, nothing goes to the new one. */
START_TEST(a_new_leader_gets_nothing_before_the_old_one_is_done)
{
    struct kdesk *k = three();
    int p = idempotent(k);
    kdesk_swallow(k, WIRE_API_PRODUCE, 1, true);
    struct moments *of = moments_of(k, WIRE_API_PRODUCE);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 200 * MS);
    ck_assert_uint_eq(of->count, 1);
    kdesk_on_response(k, led_by_two, NULL);
    kdesk_run(k, SECOND); /* metadata every 500 ms */
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 8 * SECOND);
    ck_assert_uint_ge(of->count, 2);
    for (size_t i = 1; i < of->count; i++)
        ck_assert_int_ge(of->at_us[i], of->at_us[0] + 4 * SECOND); /* its request has timed out */
    ck_assert_int_eq(of->node[1], 2);
    kdesk_free(k);
    free(of);
}
END_TEST

/* ---- transactions ---- */

/* Sends a record in a transaction, and has the first answers of its commit say an error. */
static struct ending ending_fails(int error, int times, size_t requests)
{
    struct kdesk *k = three();
    int p = transactional(k, "tx");
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS).error, 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN).error, 0);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    struct forge *f = forge_next(k, WIRE_API_END_TXN, error, times);
    struct moments *of = moments_of(k, WIRE_API_END_TXN);
    struct ending ended = call(k, p, KL_IN_COMMIT);
    ck_assert_int_eq(f->left, 0);
    ck_assert_uint_eq(of->count, requests);
    for (size_t i = 1; i < of->count; i++)
        ck_assert_int_ge(of->at_us[i], of->at_us[i - 1] + 100 * MS); /* retry.backoff.ms */
    kdesk_free(k);
    free(f);
    free(of);
    return ended;
}

/* Rule end-txn-errors */
START_TEST(an_end_is_asked_for_again_or_is_over)
{
    ck_assert_int_eq(ending_fails(WIRE_ERROR_CONCURRENT_TRANSACTIONS, 3, 4).error, 0);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS, 1, 2).error, 0);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_NOT_COORDINATOR, 1, 2).error, 0);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_UNKNOWN_PRODUCER_ID, 1, 1).remedy, KL_REMEDY_ABORT);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_INVALID_REQUEST, 1, 1).remedy, KL_REMEDY_ABORT);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_PRODUCER_FENCED, 1, 1).remedy, KL_REMEDY_NONE_LEFT);
    ck_assert_int_eq(ending_fails(WIRE_ERROR_INVALID_TXN_STATE, 1, 1).remedy, KL_REMEDY_NONE_LEFT);
}
END_TEST

/* ---- groups ---- */

static int member(struct kdesk *k)
{
    static const char *const topics[] = {"t"};
    struct kl_config c = kl_config_default(KL_CONSUMER);
    c.group_id = "g";
    c.auto_offset_reset = KL_RESET_EARLIEST;
    c.session_timeout_ms = 6000;
    c.heartbeat_interval_ms = 1000;
    c.enable_auto_commit = 0;
    int client = kdesk_client(k, &c);
    kdesk_rebalance_at_once(k, true);
    kdesk_command(k, client,
                  (struct kl_input){.kind = KL_IN_SUBSCRIBE, .topics = topics, .topic_count = 1});
    kdesk_run(k, 15 * SECOND);
    ck_assert_int_eq(kl_client_group_state(kdesk_of(k, client)), KL_GROUP_STABLE);
    return client;
}

/* Rule group-errors: another generation joins anew, and so does who is unknown; who is fenced is
 * done. */
START_TEST(a_member_that_is_refused_joins_anew_unless_it_is_fenced)
{
    static const struct {
        int error;
        bool fatal, joins, revoked;
    } rows[] = {{WIRE_ERROR_REBALANCE_IN_PROGRESS, false, true, true},
                {WIRE_ERROR_ILLEGAL_GENERATION, false, true, true},
                {WIRE_ERROR_UNKNOWN_MEMBER_ID, false, true, true},
                {WIRE_ERROR_FENCED_INSTANCE_ID, true, false, true},
                {WIRE_ERROR_NOT_COORDINATOR, false, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kdesk *k = three();
        int m = member(k);
        size_t revoked = kdesk_count(k, m, KL_OUT_REVOKE, 0);
        uint32_t joins = kdesk_requests(k, m, WIRE_API_JOIN_GROUP),
                 looked = kdesk_requests(k, m, WIRE_API_FIND_COORDINATOR);
        struct forge *f = forge_next(k, WIRE_API_HEARTBEAT, rows[i].error, 1);
        kdesk_run(k, 10 * SECOND);
        ck_assert_int_eq(f->left, 0);
        ck_assert_msg(has_failed_for_good(k, m) == rows[i].fatal, "error %d", rows[i].error);
        ck_assert_msg((kdesk_requests(k, m, WIRE_API_JOIN_GROUP) > joins) == rows[i].joins,
                      "error %d", rows[i].error);
        ck_assert_msg((kdesk_count(k, m, KL_OUT_REVOKE, 0) > revoked) == rows[i].revoked,
                      "error %d", rows[i].error);
        if (rows[i].error == WIRE_ERROR_NOT_COORDINATOR)
            ck_assert_uint_gt(kdesk_requests(k, m, WIRE_API_FIND_COORDINATOR), looked);
        kdesk_free(k);
        free(f);
    }
}
END_TEST

/* Rule commit-errors: a coordinator that loads or moved is asked again; who is none any more has
 * lost. */
START_TEST(a_commit_waits_for_its_coordinator)
{
    static const struct {
        int error;
        bool again;
    } rows[] = {{WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS, true},
                {WIRE_ERROR_NOT_COORDINATOR, true},
                {WIRE_ERROR_ILLEGAL_GENERATION, false},
                {WIRE_ERROR_UNKNOWN_MEMBER_ID, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kdesk *k = three();
        int m = member(k);
        size_t revoked = kdesk_count(k, m, KL_OUT_REVOKE, 0);
        struct kl_offset one = {.topic = "t", .partition = 0, .offset = 0, .leader_epoch = -1};
        struct forge *f = forge_next(k, WIRE_API_OFFSET_COMMIT, rows[i].error, 1);
        uint64_t tag = kdesk_command(
            k, m, (struct kl_input){.kind = KL_IN_COMMIT_OFFSETS, .offsets = &one, .count = 1});
        kdesk_run(k, 5 * SECOND);
        ck_assert_int_eq(f->left, 0);
        ck_assert_ptr_nonnull(kdesk_ending(k, m, tag));
        ck_assert_int_eq(kdesk_ending(k, m, tag)->error, rows[i].again ? 0 : rows[i].error);
        ck_assert_uint_eq(kdesk_requests(k, m, WIRE_API_OFFSET_COMMIT), rows[i].again ? 2 : 1);
        ck_assert_msg((kdesk_count(k, m, KL_OUT_REVOKE, 0) > revoked) == !rows[i].again, "error %d",
                      rows[i].error);
        kdesk_free(k);
        free(f);
    }
}
END_TEST

/* ---- tools ---- */

/* Rule admin-not-controller: metadata, then once more. */
START_TEST(a_tool_asks_again_who_the_controller_is)
{
    struct kdesk *k = three();
    int a = client_of(k, KL_ADMIN);
    kdesk_run(k, SECOND);
    struct forge *f = forge_next(k, WIRE_API_DELETE_TOPICS, WIRE_ERROR_NOT_CONTROLLER, 1);
    uint32_t asked = kdesk_requests(k, a, WIRE_API_METADATA);
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
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(f->left, 0);
    ck_assert_ptr_nonnull(kdesk_ending(k, a, tag));
    ck_assert_int_eq(kdesk_ending(k, a, tag)->error, 0);
    ck_assert_uint_eq(kdesk_requests(k, a, WIRE_API_DELETE_TOPICS), 2);
    ck_assert_uint_gt(kdesk_requests(k, a, WIRE_API_METADATA), asked);
    kdesk_free(k);
    free(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client errors");
    TCase *c = tcase_create("errors");
    tcase_add_test(c, a_duplicate_is_delivered_without_an_offset);
    tcase_add_test(c, an_unknown_id_is_fatal_where_a_record_may_be_there);
    tcase_add_test(c, a_later_success_acknowledges_what_was_before_it);
    tcase_add_test(c, a_new_leader_gets_nothing_before_the_old_one_is_done);
    tcase_add_test(c, an_end_is_asked_for_again_or_is_over);
    tcase_add_test(c, a_member_that_is_refused_joins_anew_unless_it_is_fenced);
    tcase_add_test(c, a_commit_waits_for_its_coordinator);
    tcase_add_test(c, a_tool_asks_again_who_the_controller_is);
    tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
