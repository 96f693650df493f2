/*
 * Connections of clients: what shares one, and what a broker learns of who is at its other end.
 *
 * Goal (rule coordinator-connection): a fetch that waits for records holds up nothing that is for
 * the coordinator on the same broker. Method: one broker that leads all; nobody writes, so that
 * every fetch waits fetch.wait.max.ms. The time from a request of the member to its answer is read
 * out of the trace.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "judged_run.h"
#include "sim/client_state.h"
#include "sim/trace.h"
#include "sim/world_state.h"

static const char text[] =
    "title: t\n"
    "cluster: {nodes: [1], properties: {offsets.topic.replication.factor: 1}}\n"
    "topics: {t: {assignment: {0: [1]}}}\n"
    "clients: [{produce: t, count: 20, rate: 1/s}, {consume: t, group: g, name: member,\n"
    "  properties: {fetch.wait.max.ms: 500, auto.commit.interval.ms: 770}}]\n"
    "until: 30s\n";

START_TEST(a_waiting_fetch_holds_up_no_coordinator)
{
    enum { ROUND_TRIP_US = 20000 };
    struct run r = run_text(text, SIM_ENDED_AT_UNTIL);
    struct sim_record record, answered;
    uint32_t commits = 0;
    for (uint64_t n = 1; n <= sim_trace_count(r.trace); n++) {
        ck_assert(sim_trace_get(r.trace, n, &record));
        const char *api = sim_record_text(&record, SIM_F_API);
        const int64_t re = sim_record_int(&record, SIM_F_RE, 0);
        if (record.kind != SIM_K_RECV || api == NULL || re == 0 ||
            (strcmp(api, "OffsetCommit") != 0 && strcmp(api, "SyncGroup") != 0))
            continue;
        ck_assert(sim_trace_get(r.trace, (uint64_t)re, &answered));
        ck_assert_msg(record.t - answered.t < ROUND_TRIP_US, "%s took %lld us", api,
                      (long long)(record.t - answered.t));
        commits += strcmp(api, "OffsetCommit") == 0;
    }
    ck_assert_uint_ge(commits, 10);
    end_run(&r);
}
END_TEST

/* Goal: a broker knows its members by client.id and host, as Kafka's tools show them: the id that
   it gives a member begins with its client.id. */
START_TEST(a_broker_knows_who_asks)
{
    struct run r = run_text(text, SIM_ENDED_AT_UNTIL);
    const struct sim_client *c = r.world->clients->client[1];
    ck_assert_str_eq(c->spec->name, "member");
    ck_assert_msg(strncmp(kl_client_member(c->kl).id, "member-", strlen("member-")) == 0, "%s",
                  kl_client_member(c->kl).id);
    end_run(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_connections");
    TCase *tcase = tcase_create("connections");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_waiting_fetch_holds_up_no_coordinator);
    tcase_add_test(tcase, a_broker_knows_who_asks);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
