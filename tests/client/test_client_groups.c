/*
 * Members of consumer groups before real coordinators. Each test names the rule of client/README.md
 * that it shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)

static struct kl_config member_config(enum kl_assignor assignor)
{
    struct kl_config c = kl_config_default(KL_CONSUMER);
    c.group_id = "g";
    c.assignor = assignor;
    c.auto_offset_reset = KL_RESET_EARLIEST;
    c.session_timeout_ms = 6000;
    c.heartbeat_interval_ms = 1000;
    c.auto_commit_interval_ms = 1000;
    return c;
}

static void subscribe(struct kdesk *k, int client, const char *topic)
{
    const char *topics[] = {topic};
    kdesk_command(
        k, client,
        (struct kl_input){.kind = KL_IN_SUBSCRIBE, .topics = topics, .topic_count = topic != NULL});
}

static int member(struct kdesk *k, enum kl_assignor assignor)
{
    struct kl_config c = member_config(assignor);
    int client = kdesk_client(k, &c);
    subscribe(k, client, "t");
    return client;
}

/* How many of the topic's partitions the member fetches now. */
static int held(struct kdesk *k, int client, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += kl_client_position(kdesk_of(k, client), "t", i) >= 0;
    return n;
}

static struct kdesk *desk(int partitions)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", partitions, 1, 3, NULL);
    kdesk_rebalance_at_once(k, true);
    return k;
}

static int producer(struct kdesk *k)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    return kdesk_client(k, &c);
}

/* Rule rebalance, join-errors (a member id is asked for first) */
START_TEST(members_share_what_they_subscribe)
{
    for (int assignor = KL_RANGE; assignor <= KL_COOPERATIVE_STICKY; assignor++) {
        struct kdesk *k = desk(5);
        int a = member(k, (enum kl_assignor)assignor);
        kdesk_run(k, 15 * SECOND);
        ck_assert_int_eq(kl_client_group_state(kdesk_of(k, a)), KL_GROUP_STABLE);
        ck_assert_int_eq(held(k, a, 5), 5);
        int b = member(k, (enum kl_assignor)assignor);
        kdesk_run(k, 15 * SECOND);
        ck_assert_int_eq(held(k, a, 5) + held(k, b, 5), 5);
        ck_assert_int_ge(held(k, b, 5), 2);
        ck_assert_int_ge(held(k, a, 5), 2);
        kdesk_command(k, b, (struct kl_input){.kind = KL_IN_CLOSE});
        kdesk_run(k, 15 * SECOND);
        ck_assert_int_eq(held(k, a, 5), 5);
        kdesk_free(k);
    }
}
END_TEST

/* Rule rebalance: a cooperative member gives up only what goes to others. */
START_TEST(a_cooperative_member_keeps_what_it_has)
{
    struct kdesk *k = desk(4);
    int a = member(k, KL_COOPERATIVE_STICKY);
    kdesk_run(k, 15 * SECOND);
    member(k, KL_COOPERATIVE_STICKY);
    kdesk_run(k, 15 * SECOND);
    size_t count;
    uint32_t revoked = 0;
    const struct said *s = kdesk_said(k, &count);
    for (size_t i = 0; i < count; i++)
        if (s[i].client == a && s[i].kind == KL_OUT_REVOKE)
            revoked += s[i].count;
    ck_assert_uint_eq(revoked, 2);
    kdesk_free(k);
}
END_TEST

/* Rule commit-on-revoke, unstable-offset: who comes next begins where the last one ended. */
START_TEST(positions_are_committed_and_found)
{
    struct kdesk *k = desk(1);
    int p = producer(k), a = member(k, KL_RANGE);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 15 * SECOND);
    ck_assert_str_eq(kdesk_read(k, a, "t", 0), "a@0");
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 900 * MS);
    kdesk_command(k, a, (struct kl_input){.kind = KL_IN_CLOSE});
    int b = member(k, KL_RANGE);
    kdesk_run(k, 15 * SECOND);
    kdesk_send(k, p, "t", 0, "c");
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, a, "t", 0), "a@0 b@1");
    ck_assert_str_eq(kdesk_read(k, b, "t", 0), "c@2");
    kdesk_free(k);
}
END_TEST

/* Rule commit-errors */
START_TEST(offsets_are_committed_by_command)
{
    struct kdesk *k = desk(2);
    struct kl_config config = member_config(KL_RANGE);
    config.enable_auto_commit = 0;
    int p = producer(k), a = kdesk_client(k, &config);
    subscribe(k, a, "t");
    uint64_t none = kdesk_command(k, a, (struct kl_input){.kind = KL_IN_COMMIT_OFFSETS});
    ck_assert_int_eq(kdesk_ending(k, a, none)->error, KL_ERR_NO_OFFSET);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 15 * SECOND);
    struct kl_offset one = {.topic = "t", .partition = 0, .leader_epoch = -1, .offset = 1};
    uint64_t tag = kdesk_command(
        k, a, (struct kl_input){.kind = KL_IN_COMMIT_OFFSETS, .offsets = &one, .count = 1});
    kdesk_run(k, SECOND);
    ck_assert_int_eq(kdesk_ending(k, a, tag)->error, 0);
    kdesk_command(k, a, (struct kl_input){.kind = KL_IN_CLOSE});
    int b = member(k, KL_RANGE);
    kdesk_run(k, 15 * SECOND);
    ck_assert_str_eq(kdesk_read(k, b, "t", 0), "b@1");
    kdesk_free(k);
}
END_TEST

/* Rule group-errors, coordinator-down, session-timeout: the coordinator dies, another takes over.
 */
START_TEST(a_group_survives_its_coordinator)
{
    struct kdesk *k = desk(3);
    int p = producer(k), a = member(k, KL_RANGE);
    kdesk_run(k, 15 * SECOND);
    int coordinator = 0;
    size_t count;
    const struct said *s = kdesk_said(k, &count);
    for (size_t i = 0; i < count; i++)
        if (s[i].client == a && s[i].kind == KL_OUT_FACT && s[i].what == KL_FACT_COORDINATOR)
            coordinator = s[i].broker;
    ck_assert_int_gt(coordinator, 0);
    kdesk_kill(k, coordinator);
    kdesk_run(k, 40 * SECOND);
    ck_assert_int_eq(kl_client_group_state(kdesk_of(k, a)), KL_GROUP_STABLE);
    ck_assert_int_eq(held(k, a, 3), 3);
    for (int i = 0; i < 3; i++)
        kdesk_send(k, p, "t", i, "x");
    kdesk_run(k, 10 * SECOND);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(kdesk_read(k, a, "t", i), "x@0");
    kdesk_free(k);
}
END_TEST

/* Rule static-member: it comes back under another id and has what it had, without a rebalance. */
START_TEST(a_static_member_comes_back)
{
    struct kdesk *k = desk(2);
    struct kl_config config = member_config(KL_RANGE);
    config.group_instance_id = "one";
    config.session_timeout_ms = 30000;
    int a = kdesk_client(k, &config);
    subscribe(k, a, "t");
    int b = member(k, KL_RANGE);
    kdesk_run(k, 20 * SECOND);
    ck_assert_int_eq(held(k, a, 2) + held(k, b, 2), 2);
    size_t before = kdesk_count(k, b, KL_OUT_REVOKE, 0);
    kdesk_command(k, a, (struct kl_input){.kind = KL_IN_CLOSE});
    ck_assert_uint_eq(kdesk_requests(k, a, WIRE_API_LEAVE_GROUP), 0);
    int again = kdesk_client(k, &config);
    subscribe(k, again, "t");
    kdesk_run(k, 10 * SECOND);
    ck_assert_int_eq(held(k, again, 2), 1);
    ck_assert_uint_eq(kdesk_count(k, b, KL_OUT_REVOKE, 0), before);
    kdesk_free(k);
}
END_TEST

/* Rule max-poll */
START_TEST(who_does_not_poll_is_taken_out)
{
    struct kdesk *k = desk(2);
    struct kl_config config = member_config(KL_RANGE);
    config.max_poll_interval_ms = 10000;
    int a = kdesk_client(k, &config);
    subscribe(k, a, "t");
    kdesk_command(k, a, (struct kl_input){.kind = KL_IN_POLL});
    kdesk_run(k, 9 * SECOND);
    ck_assert_int_eq(held(k, a, 2), 2);
    kdesk_run(k, 5 * SECOND);
    ck_assert_uint_eq(kdesk_count(k, a, KL_OUT_ERROR, 0), 1);
    ck_assert_int_eq(held(k, a, 2), 0);
    kdesk_command(k, a, (struct kl_input){.kind = KL_IN_POLL});
    kdesk_run(k, 9 * SECOND);
    ck_assert_int_eq(held(k, a, 2), 2);
    kdesk_free(k);
}
END_TEST

/* Rule unstable-offset: an offset in a transaction is waited for. */
START_TEST(an_offset_of_an_open_transaction_is_waited_for)
{
    struct kdesk *k = desk(1);
    struct kl_config writer = kl_config_default(KL_PRODUCER), config = member_config(KL_RANGE);
    struct kl_offset one = {.topic = "t", .partition = 0, .leader_epoch = -1, .offset = 1};
    writer.transactional_id = "x";
    config.enable_auto_commit = 0;
    int p = producer(k), x = kdesk_client(k, &writer), c = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_send(k, p, "t", 0, "b");
    kdesk_command(k, x, (struct kl_input){.kind = KL_IN_INIT_TRANSACTIONS});
    kdesk_run(k, 5 * SECOND);
    kdesk_command(k, x, (struct kl_input){.kind = KL_IN_BEGIN});
    uint64_t sent = kdesk_command(
        k, x,
        (struct kl_input){.kind = KL_IN_SEND_OFFSETS, .group = "g", .offsets = &one, .count = 1});
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_ending(k, x, sent)->error, 0);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_STORED);
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kl_client_position(kdesk_of(k, c), "t", 0), -1);
    ck_assert_uint_gt(kdesk_requests(k, c, WIRE_API_OFFSET_FETCH), 2);
    kdesk_command(k, x, (struct kl_input){.kind = KL_IN_COMMIT});
    kdesk_run(k, 5 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "b@1");
    kdesk_free(k);
}
END_TEST

/* Rule metadata-rejoin: new partitions are noticed by a refresh, and shared. */
START_TEST(new_partitions_are_shared)
{
    struct kdesk *k = desk(1);
    struct kl_config config = member_config(KL_RANGE);
    config.topic_metadata_refresh_interval_ms = 3000;
    int a = kdesk_client(k, &config);
    subscribe(k, a, "t");
    kdesk_run(k, 10 * SECOND);
    ck_assert_int_eq(held(k, a, 3), 1);
    struct wire_flat w;
    struct wire_create_partitions_request *q =
        desk_begin(kdesk_nodes(k), &w, WIRE_API_CREATE_PARTITIONS);
    q->timeout_ms = 5000;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_partitions_request_topic));
    struct wire_create_partitions_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->count = 3;
    t->assignments = WIRE_NULL_ARRAY;
    desk_send(kdesk_nodes(k), 1, &w, WIRE_API_CREATE_PARTITIONS, 0);
    kdesk_run(k, 15 * SECOND);
    ck_assert_int_eq(held(k, a, 3), 3);
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client groups");
    TCase *c = tcase_create("groups");
    tcase_add_test(c, members_share_what_they_subscribe);
    tcase_add_test(c, a_cooperative_member_keeps_what_it_has);
    tcase_add_test(c, positions_are_committed_and_found);
    tcase_add_test(c, offsets_are_committed_by_command);
    tcase_add_test(c, a_group_survives_its_coordinator);
    tcase_add_test(c, a_static_member_comes_back);
    tcase_add_test(c, who_does_not_poll_is_taken_out);
    tcase_add_test(c, an_offset_of_an_open_transaction_is_waited_for);
    tcase_add_test(c, new_partitions_are_shared);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
