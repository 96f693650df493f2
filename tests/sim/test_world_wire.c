/*
 * --wire: messages that do not survive their bytes are found, and told with message, field, record.
 *
 * Method: one scenario with clients, a failover and a call. The linker puts functions of this file
 * before the codec's (--wrap); each spoils one thing that one API says. Without, the run has the
 * same records with --wire and without.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "wire/batch_codec.h"
#include "wire/call_codec.h"
#include "wire/schema.h"

/* ---- sabotage ---- */

enum sabotage { NOTHING, FETCH, LEADER_AND_ISR, PARTITION_LOST, ANSWER, CALL };
static enum sabotage sabotage;

enum sm_err __real_wire_decode(enum wire_direction direction, int16_t api, int16_t version,
                               const uint8_t *bytes, size_t size, void *message, size_t capacity,
                               size_t *used);
enum sm_err __wrap_wire_decode(enum wire_direction direction, int16_t api, int16_t version,
                               const uint8_t *bytes, size_t size, void *message, size_t capacity,
                               size_t *used);
enum sm_err __wrap_wire_decode(enum wire_direction direction, int16_t api, int16_t version,
                               const uint8_t *bytes, size_t size, void *message, size_t capacity,
                               size_t *used)
{
    enum sm_err err =
        __real_wire_decode(direction, api, version, bytes, size, message, capacity, used);
    const struct wire_fetch_response *r = message;
    if (err != SM_ERR_OK || sabotage != FETCH || direction != WIRE_RESPONSE ||
        api != WIRE_API_FETCH || r->responses.count == 0)
        return err;
    struct wire_fetch_response_response *topic =
        (void *)((uint8_t *)message + r->responses.at); /* to be changed */
    ((struct wire_fetch_response_partition_response *)(void *)((uint8_t *)message +
                                                               topic->partition_responses.at))
        ->high_watermark++;
    return err;
}

enum sm_err __real_wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                                     const uint8_t *bytes, size_t size, void *batch,
                                     size_t capacity, size_t *used);
enum sm_err __wrap_wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                                     const uint8_t *bytes, size_t size, void *batch,
                                     size_t capacity, size_t *used);
enum sm_err __wrap_wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                                     const uint8_t *bytes, size_t size, void *batch,
                                     size_t capacity, size_t *used)
{
    enum sm_err err =
        __real_wire_batch_decode(api, version, broker_id, bytes, size, batch, capacity, used);
    struct wire_batch *b = batch;
    if (err != SM_ERR_OK || api != WIRE_API_LEADER_AND_ISR)
        return err;
    struct wire_record *first = (void *)((uint8_t *)batch + b->records);
    if (sabotage == LEADER_AND_ISR)
        first->leader_epoch++;
    if (sabotage == PARTITION_LOST)
        first->kind = WIRE_RECORD_DEAD;
    return err;
}

enum sm_err __real_wire_answer_encode(const struct wire_batch_request *q,
                                      const struct wire_answer *answer, uint8_t *bytes,
                                      size_t capacity, size_t *used);
enum sm_err __wrap_wire_answer_encode(const struct wire_batch_request *q,
                                      const struct wire_answer *answer, uint8_t *bytes,
                                      size_t capacity, size_t *used);
enum sm_err __wrap_wire_answer_encode(const struct wire_batch_request *q,
                                      const struct wire_answer *answer, uint8_t *bytes,
                                      size_t capacity, size_t *used)
{
    static int32_t calls;
    struct wire_answer other = *answer;
    if (sabotage == ANSWER && q->kind == WIRE_RECORD_UPDATE_METADATA)
        other.error = ++calls;
    return __real_wire_answer_encode(q, &other, bytes, capacity, used);
}

enum sm_err __real_wire_call_of_message(enum wire_direction direction, enum wire_api api,
                                        const void *message, void *call, size_t capacity,
                                        size_t *used);
enum sm_err __wrap_wire_call_of_message(enum wire_direction direction, enum wire_api api,
                                        const void *message, void *call, size_t capacity,
                                        size_t *used);
enum sm_err __wrap_wire_call_of_message(enum wire_direction direction, enum wire_api api,
                                        const void *message, void *call, size_t capacity,
                                        size_t *used)
{
    enum sm_err err = __real_wire_call_of_message(direction, api, message, call, capacity, used);
    if (err == SM_ERR_OK && sabotage == CALL)
        ((struct wire_call *)call)->election_type ^= 1;
    return err;
}

/* ---- runs ---- */

static const char text[] =
    "title: t\n"
    "cluster: {nodes: [1, 2, 3], properties: {auto.leader.rebalance.enable: false}}\n"
    "topics:\n"
    "  t: {assignment: {0: [2, 3], 1: [3, 2]}}\n"
    "  u: {assignment: {0: [2, 3], 1: [2, 1]}}\n"
    "clients: [{produce: t, rate: 5/s, count: 20}, {consume: t}]\n"
    "steps:\n"
    "  - {at: 2s, bounce: 2}\n"
    "  - {at: 20s, elect-leaders: [t-0, u-1]}\n"
    "until: 30s\n";

static struct sim_scenario *scenario;

/* Returns why the world stopped ("" where it did not), and the digest of its trace. */
static const char *play(bool wire, enum sabotage how, uint64_t *digest)
{
    static char error[256];
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.trace = trace;
    options.wire = wire;
    sabotage = how;
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, scenario);
    sim_world_run(w, 30000000);
    snprintf(error, sizeof(error), "%s", sim_world_error(w) == NULL ? "" : sim_world_error(w));
    *digest = sim_trace_finish(trace, sim_world_now(w), "");
    sim_world_free(w);
    sim_trace_free(trace);
    sabotage = NOTHING;
    return error;
}

START_TEST(a_run_is_the_same_over_bytes)
{
    uint64_t plain, wire;
    ck_assert_str_eq(play(false, NOTHING, &plain), "");
    ck_assert_str_eq(play(true, NOTHING, &wire), "");
    ck_assert_uint_eq(plain, wire);
}
END_TEST

/* Without --wire none of these functions has a say. */
START_TEST(what_does_not_survive_is_named)
{
    static const struct {
        enum sabotage how;
        const char *error;
    } rows[] = {
        {FETCH, "--wire: Fetch response version 11, field "
                "responses[0].partition_responses[0].high_watermark: "
                "what is read is not what was written (record "},
        {LEADER_AND_ISR, "--wire: LeaderAndIsr request version 4, field "
                         "topic_states[0].partition_states[0].leader_epoch: "
                         "what is read is not what was written (record "},
        {PARTITION_LOST, "--wire: LeaderAndIsr request version 4, field "},
        {ANSWER, "--wire: UpdateMetadata response version 6, field error_code: "},
        {CALL, "--wire: ElectLeaders request version 2, field election_type: "},
    };
    uint64_t digest;
    const char *plain = play(false, rows[_i].how, &digest);
    ck_assert_str_eq(plain, "");
    const char *error = play(true, rows[_i].how, &digest);
    ck_assert_msg(strncmp(error, rows[_i].error, strlen(rows[_i].error)) == 0, "%s", error);
}
END_TEST

int main(void)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    scenario = sim_scenario_parse("t.yaml", text, strlen(text), &d);
    sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    Suite *suite = suite_create("world_wire");
    TCase *tcase = tcase_create("wire");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_run_is_the_same_over_bytes);
    tcase_add_loop_test(tcase, what_does_not_survive_is_named, 0, 5);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    sim_scenario_free(scenario);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
