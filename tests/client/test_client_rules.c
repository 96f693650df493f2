/*
 * Rules of which the outcome alone says nothing: when a client asks, whom, and what it says when it
 * does. Each test names the rule of client/README.md that it shows, and holds the moments and the
 * contents of requests against it; answers are changed on the way where no broker would err.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_watch.h"
#include "wire/errors.h"
#include "wire/messages.h"

/* ---- connections ---- */

/* Rule reconnect-backoff: 100 ms, 200, 400, … each −25 … +50 %, never more than the most. */
START_TEST(the_pause_before_a_dead_broker_is_tried_again_doubles)
{
    struct kdesk *k = three();
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.reconnect_backoff_max_ms = 2000;
    int p = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    struct moments *of = moments_of(k, WIRE_API_API_VERSIONS);
    for (int node = 1; node <= 3; node++)
        kdesk_kill(k, node);
    kdesk_run(k, 12 * SECOND);
    for (int node = 1; node <= 3; node++) {
        int64_t before = -1, pause = 100 * MS;
        size_t tries = 0;
        for (size_t i = 0; i < of->count; i++) {
            if (of->node[i] != node)
                continue;
            int64_t gap = of->at_us[i] - before;
            if (before >= 0) {
                /* Who is due may wait for its turn: one is tried every 50 ms. */
                int64_t most = pause * 3 / 2 < 2 * SECOND ? pause * 3 / 2 : 2 * SECOND;
                ck_assert_int_ge(gap, pause * 3 / 4);
                ck_assert_int_le(gap, most + 200 * MS);
                pause = pause * 2 < 2 * SECOND ? pause * 2 : 2 * SECOND;
            }
            before = of->at_us[i];
            tries++;
        }
        ck_assert_uint_ge(tries, 6);
        ck_assert_uint_le(tries, 15);
    }
    free(of);
    kdesk_free(k);
}
END_TEST

/* Rule connect-any: who does not answer keeps nobody: another one is tried after half a backoff. */
START_TEST(while_one_does_not_answer_another_is_tried)
{
    struct kdesk *k = three();
    for (int node = 1; node <= 3; node++)
        kdesk_swallow(k, WIRE_API_API_VERSIONS, node, true);
    struct moments *of = moments_of(k, WIRE_API_API_VERSIONS);
    int64_t begin = kdesk_now(k);
    int p = client_of(k, KL_PRODUCER);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_uint_eq(of->count, 3);
    ck_assert_int_eq(of->node[0] + of->node[1] + of->node[2], 6); /* each once */
    for (int i = 0; i < 3; i++)
        ck_assert(of->at_us[i] >= begin + i * 50 * MS && of->at_us[i] <= begin + i * 50 * MS + MS);
    free(of);
    kdesk_free(k);
}
END_TEST

/* ---- metadata ---- */

/* Rule metadata-refresh: of all topics, every topic.metadata.refresh.interval.ms. */
START_TEST(all_topics_are_asked_for_every_interval)
{
    struct kdesk *k = three();
    kdesk_topic(k, "u", 1, 2, 3, NULL);
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.topic_metadata_refresh_interval_ms = 5000;
    int p = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_send(k, p, "u", 0, "b");
    int64_t begin = kdesk_now(k);
    kdesk_run(k, 3 * SECOND);
    struct moments *of = moments_of(k, WIRE_API_METADATA);
    kdesk_run(k, 18 * SECOND);
    ck_assert_uint_eq(of->count, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert(was_asked_at(of, begin + (i + 1) * 5 * SECOND));
        ck_assert_int_eq(of->topics[i], 2);
    }
    free(of);
    kdesk_free(k);
}
END_TEST

/* Rule metadata-scan: a topic that is not there is asked for once a second, and no more when it is.
 */
START_TEST(an_unknown_topic_is_asked_for_once_a_second)
{
    struct kdesk *k = three();
    int p = client_of(k, KL_PRODUCER);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    struct moments *of = moments_of(k, WIRE_API_METADATA);
    int64_t begin = kdesk_now(k);
    kdesk_send(k, p, "late", 0, "a");
    kdesk_run(k, 4500 * MS);
    ck_assert_uint_eq(of->count, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert(was_asked_at(of, begin + i * SECOND));
        ck_assert_int_eq(of->topics[i], 1);
    }
    kdesk_topic(k, "late", 1, 1, 3, NULL); /* takes a second */
    kdesk_run(k, SECOND);
    size_t count = of->count;
    kdesk_run(k, 5 * SECOND);
    ck_assert_uint_eq(of->count, count);
    free(of);
    kdesk_free(k);
}
END_TEST

static void leaderless(void *context, int client, int16_t api, void *m)
{
    const bool *on = context;
    (void)client;
    if (api != WIRE_API_METADATA || !*on)
        return;
    struct wire_metadata_response *r = m;
    struct wire_metadata_response_topic *t = (void *)((uint8_t *)m + r->topics.at);
    for (int32_t i = 0; i < r->topics.count; i++) {
        struct wire_metadata_response_partition *p = (void *)((uint8_t *)m + t[i].partitions.at);
        for (int32_t n = 0; n < t[i].partitions.count; n++)
            p[n].leader_id = -1;
    }
}

/* Rule leader-unavailable: 250 ms after a refusal, then after 500, 1000, … until all are led. (In
   between the scan of every second asks, too.) */
START_TEST(a_leader_that_is_none_is_asked_for_at_longer_and_longer_intervals)
{
    struct kdesk *k = three();
    int p = client_of(k, KL_PRODUCER);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    struct forge *f = forge_next(k, WIRE_API_PRODUCE, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, 1);
    struct moments *of = moments_of(k, WIRE_API_METADATA);
    kdesk_send(k, p, "t", 0, "b");
    for (int i = 0; i < 100 && f->first_us == 0; i++)
        kdesk_run(k, MS);
    ck_assert_int_gt(f->first_us, 0);
    ck_assert_uint_eq(of->count, 0);
    bool nobody = true;
    kdesk_on_response(k, leaderless, &nobody);
    kdesk_run(k, 9 * SECOND);
    int64_t at = f->first_us;
    ck_assert_int_ge(of->at_us[0], at + 250 * MS);
    for (int64_t pause = 250 * MS; pause <= 4 * SECOND; pause *= 2) {
        at += pause;
        ck_assert_msg(was_asked_at(of, at), "not after %d ms", (int)((at - f->first_us) / MS));
    }
    ck_assert(!was_asked_at(of, f->first_us + 500 * MS));
    nobody = false;
    kdesk_run(k, 2 * SECOND);
    size_t count = of->count;
    kdesk_run(k, 30 * SECOND);
    ck_assert_uint_eq(of->count, count);
    free(f);
    free(of);
    kdesk_free(k);
}
END_TEST

/* ---- consuming ---- */

/* Rule list-offsets-errors: a stale leader is asked again after 500 ms; what will not change is
   told, and the partition begins where auto.offset.reset says. */
START_TEST(an_offset_that_cannot_be_had_now_is_asked_for_again)
{
    struct kdesk *k = three();
    int p = client_of(k, KL_PRODUCER), c = client_of(k, KL_CONSUMER);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    static const int temporary[] = {WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
                                    WIRE_ERROR_OFFSET_NOT_AVAILABLE,
                                    WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION};
    for (size_t i = 0; i < 3; i++) {
        struct forge *f = forge_next(k, WIRE_API_LIST_OFFSETS, temporary[i], 1);
        struct moments *of = moments_of(k, WIRE_API_LIST_OFFSETS);
        kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
        kdesk_run(k, 3 * SECOND);
        ck_assert_uint_eq(of->count, 2);
        ck_assert(was_asked_at(of, f->first_us + 500 * MS));
        ck_assert_uint_eq(kdesk_count(k, c, KL_OUT_ERROR, 0), 0);
        free(f);
        free(of);
    }
    struct forge *f = forge_next(k, WIRE_API_LIST_OFFSETS, WIRE_ERROR_INVALID_REQUEST, 1);
    struct moments *of = moments_of(k, WIRE_API_LIST_OFFSETS);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    kdesk_run(k, 3 * SECOND);
    ck_assert_uint_eq(kdesk_count(k, c, KL_OUT_ERROR, 0), 1);
    ck_assert(was_asked_at(of, f->first_us + 100 * MS));           /* rule offset-reset */
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0 a@0 a@0 a@0"); /* each assignment reads it */
    free(f);
    free(of);
    kdesk_free(k);
}
END_TEST

/* Runs a consumer into one error of Fetch and back; how many Metadata requests that led to. */
static size_t fetch_fails(int error, int times, size_t told, int64_t again_us)
{
    struct kdesk *k = three();
    int p = client_of(k, KL_PRODUCER), c = client_of(k, KL_CONSUMER);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    kdesk_run(k, 4 * SECOND);
    size_t before = kdesk_requests(k, c, WIRE_API_METADATA);
    struct forge *f = forge_next(k, WIRE_API_FETCH, error, times);
    struct moments *of = moments_of(k, WIRE_API_FETCH);
    for (int i = 0; i < 2000 && f->first_us == 0; i++)
        kdesk_run(k, MS);
    ck_assert_int_gt(f->first_us, 0);
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 4 * again_us);
    for (size_t i = 0; i < of->count; i++)
        ck_assert(of->at_us[i] < f->first_us || of->at_us[i] >= f->first_us + again_us);
    ck_assert(was_asked_at(of, f->first_us + again_us));
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0 b@1");
    ck_assert_uint_eq(kdesk_count(k, c, KL_OUT_ERROR, 0), told);
    size_t asked = kdesk_requests(k, c, WIRE_API_METADATA) - before;
    free(f);
    free(of);
    kdesk_free(k);
    return asked;
}

/* Rule fetch-errors: what is stale is asked for and nobody told, what is unknown is told, a refusal
   is told once and waits ten times as long; all wait 500 ms. */
START_TEST(a_fetch_that_fails_waits_and_says_what_matters)
{
    static const int stale[] = {WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, WIRE_ERROR_KAFKA_STORAGE_ERROR,
                                WIRE_ERROR_FENCED_LEADER_EPOCH,
                                WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION};
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        ck_assert_uint_eq(fetch_fails(stale[i], 1, 0, 500 * MS), 1);
    ck_assert_uint_eq(fetch_fails(WIRE_ERROR_OFFSET_NOT_AVAILABLE, 1, 0, 500 * MS), 0);
    ck_assert_uint_eq(fetch_fails(WIRE_ERROR_CORRUPT_MESSAGE, 1, 1, 500 * MS), 0);
    ck_assert_uint_eq(fetch_fails(WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED, 2, 1, 5 * SECOND), 0);
}
END_TEST

static void look_at_fetch(void *context, int client, int node, int16_t api, const void *m)
{
    size_t *count = context;
    (void)client;
    (void)node;
    if (api != WIRE_API_FETCH)
        return;
    const struct wire_fetch_request *q = m;
    ck_assert_int_eq(q->replica_id, -1);
    ck_assert_int_eq(q->session_id, 0);
    ck_assert_int_eq(q->session_epoch, -1);
    ck_assert_int_eq(q->forgotten_topics_data.count, 0);
    const struct wire_fetch_request_topic *t =
        WIRE_ITEMS(q, q->topics, struct wire_fetch_request_topic);
    ck_assert_int_ge(q->topics.count, 1); /* always whole: there is no session to leave it out of */
    const struct wire_fetch_request_partition *p =
        WIRE_ITEMS(q, t->partitions, struct wire_fetch_request_partition);
    for (int32_t i = 0; i < t->partitions.count; i++)
        ck_assert_int_eq(p[i].current_leader_epoch, -1);
    ++*count;
}

/* Rule no-fetch-sessions */
START_TEST(a_fetch_has_no_session_and_no_leader_epoch)
{
    struct kdesk *k = three();
    size_t count = 0;
    kdesk_on_request(k, look_at_fetch, &count);
    int p = client_of(k, KL_PRODUCER), c = client_of(k, KL_CONSUMER);
    kdesk_assign(k, c, "t", 3, KL_OFFSET_BEGINNING);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_uint_ge(count, 5);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    kdesk_free(k);
}
END_TEST

/* ---- transactions ---- */

/* Begins a transaction, has its first AddPartitionsToTxn fail, and commits. */
static struct ending adding_fails(int error, int64_t again_us)
{
    struct kdesk *k = three();
    int p = transactional(k, "tx");
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS).error, 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN).error, 0);
    struct forge *f = forge_next(k, WIRE_API_ADD_PARTITIONS_TO_TXN, error, 1);
    struct moments *of = moments_of(k, WIRE_API_ADD_PARTITIONS_TO_TXN);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_gt(f->first_us, 0);
    if (again_us > 0) {
        ck_assert_uint_eq(of->count, 2);
        ck_assert(was_asked_at(of, f->first_us + again_us));
    } else {
        ck_assert_uint_eq(of->count, 1);
    }
    struct ending ended = call(k, p, KL_IN_COMMIT);
    free(f);
    free(of);
    kdesk_free(k);
    return ended;
}

/* Rule add-partitions-errors */
START_TEST(partitions_that_cannot_be_added_now_are_added_later)
{
    ck_assert_int_eq(adding_fails(WIRE_ERROR_CONCURRENT_TRANSACTIONS, 20 * MS).error, 0);
    ck_assert_int_eq(adding_fails(WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS, 500 * MS).error, 0);
    ck_assert_int_eq(adding_fails(WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, 500 * MS).error, 0);
    ck_assert_int_eq(adding_fails(WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED, 0).remedy,
                     KL_REMEDY_ABORT);
    ck_assert_int_eq(adding_fails(WIRE_ERROR_UNKNOWN_PRODUCER_ID, 0).remedy, KL_REMEDY_ABORT);
    ck_assert_int_eq(adding_fails(WIRE_ERROR_INVALID_PRODUCER_EPOCH, 0).remedy,
                     KL_REMEDY_NONE_LEFT);
}
END_TEST

/* Rule purge-base: what waits when a transaction is aborted has no sequence number, so that the
   next record has the one that the broker wants. */
START_TEST(what_an_abort_gives_up_leaves_no_hole)
{
    struct kdesk *k = three();
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.transactional_id = "tx";
    config.linger_ms = 3000;
    int p = kdesk_client(k, &config), c = client_of(k, KL_CONSUMER);
    kdesk_assign(k, c, "t", 1, KL_OFFSET_BEGINNING);
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS).error, 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN).error, 0);
    kdesk_send(k, p, "t", 0, "a");
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT).error, 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN).error, 0);
    uint64_t b = kdesk_send(k, p, "t", 0, "b");
    kdesk_send(k, p, "t", 0, "c");
    kdesk_run(k, 100 * MS);
    uint32_t produced = kdesk_requests(k, p, WIRE_API_PRODUCE);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT).error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->persisted, KL_NOT_PERSISTED);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), produced);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN).error, 0);
    kdesk_send(k, p, "t", 0, "d");
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT).error, 0);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), produced + 1);
    kdesk_run(k, 2 * SECOND);
    ck_assert_ptr_nonnull(strstr(kdesk_read(k, c, "t", 0), "d@"));
    ck_assert_ptr_null(strstr(kdesk_read(k, c, "t", 0), "b@"));
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client rules");
    TCase *c = tcase_create("rules");
    tcase_add_test(c, the_pause_before_a_dead_broker_is_tried_again_doubles);
    tcase_add_test(c, while_one_does_not_answer_another_is_tried);
    tcase_add_test(c, all_topics_are_asked_for_every_interval);
    tcase_add_test(c, an_unknown_topic_is_asked_for_once_a_second);
    tcase_add_test(c, a_leader_that_is_none_is_asked_for_at_longer_and_longer_intervals);
    tcase_add_test(c, an_offset_that_cannot_be_had_now_is_asked_for_again);
    tcase_add_test(c, a_fetch_that_fails_waits_and_says_what_matters);
    tcase_add_test(c, a_fetch_has_no_session_and_no_leader_epoch);
    tcase_add_test(c, partitions_that_cannot_be_added_now_are_added_later);
    tcase_add_test(c, what_an_abort_gives_up_leaves_no_hole);
    tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
