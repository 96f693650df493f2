/*
 * Expectations: judged while a run goes on.
 *
 *     records ──► sim_expect_record ─┐
 *     moments ──► sim_expect_moment ─┼─► one outcome per expectation: met, failed, undecided
 *     the end ──► sim_expect_end    ─┘
 *
 * Patterns are judged record by record; statements about states ("partition orders-0 is …") at
 * moments: after each event of the world, at the times that `at` and `by` name, and at the end.
 * What a statement looks at: leader, isr, epochs, versions and replicas in ZooKeeper; states in the
 * state machines of the active controller.
 *
 *     always     met: held at every moment       failed: at the first where not
 *     never      met: no record matched          failed: at the first that did
 *     sometimes  met: at the first               failed: never; undecided where the run was cut
 *     by T       met: true at T, or at the end before T
 *     at T, end  as it is then
 *
 * A moment without an active controller says nothing about states in its machines: `always` skips
 * it, `at` and `by` fail there. An expectation whose time never came is undecided.
 */
#ifndef SIM_EXPECT_H
#define SIM_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/controller.h"
#include "sim/check.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "zookeeper/server.h"

/* How the world shows itself; every pointer is borrowed for the call. */
struct sim_view {
    void *context;
    const struct kz_server *zookeeper;
    /* The controller of a node, NULL where it is down or has none. */
    const struct kc_controller *(*controller)(void *context, int32_t node);
    /* The node whose controller is active and that /controller names; -1 none. */
    int32_t (*active)(void *context);
    bool (*is_up)(void *context, int32_t node);
    /* A property of a client (kcsim explain is-client): a number, or a text in *text. */
    int64_t (*client)(void *context, int32_t id, const char *name, const char **text);
    const struct sim_trace *trace;
    const struct sim_check_result *checked; /* NULL: nothing was checked */
};

enum sim_outcome { SIM_UNDECIDED, SIM_MET, SIM_FAILED };

/* Judgement of one expectation. */
struct sim_judgement {
    enum sim_outcome outcome;
    int64_t t_us;                    /* when it was decided */
    uint64_t record;                 /* the record that decided it, 0 none: where `why` begins */
    char expected[240], actual[240]; /* one line each; for FAILED and UNDECIDED */
};

struct sim_expectations; /* opaque */

/* Returns an owned judge over the expectations of `scenario` (borrowed, must outlive it). */
struct sim_expectations *sim_expect_new(const struct sim_scenario *scenario);
void sim_expect_free(struct sim_expectations *e);

/* After every record. Cheap where no pattern is open. */
void sim_expect_record(struct sim_expectations *e, const struct sim_trace *trace,
                       const struct sim_record *record);
/* After every event of the world, before time moves on; `last` is the number of the last record. */
void sim_expect_moment(struct sim_expectations *e, int64_t now_us, uint64_t last,
                       const struct sim_view *view);
/* Returns the next time at which sim_expect_moment must be called, SIM_FOREVER: none. Call it when
   all events up to and at that time are done. */
int64_t sim_expect_next(const struct sim_expectations *e, int64_t now_us);

/* More records than that, and a run that is to become quiet is taken for one that never does: a
   controller that fails and stands again every few milliseconds writes them in a minute, the largest
   run of scenarios/ a sixth. A number of records and not of seconds, so that every machine says the
   same. */
enum { SIM_HORIZON_RECORDS = 2000000 };

enum sim_ending {
    SIM_ENDED_QUIET,      /* nothing was left to do */
    SIM_ENDED_AT_UNTIL,   /* the time that the scenario names */
    SIM_ENDED_AT_HORIZON, /* not quiet within the scenario's time or SIM_HORIZON_RECORDS */
    SIM_ENDED_INTERRUPTED,
};
/* The run is over. A quiet end stands for all time to come: what `by` and `at` name later is judged
   by the last state. */
void sim_expect_end(struct sim_expectations *e, int64_t now_us, uint64_t last,
                    const struct sim_view *view, enum sim_ending ending);

/* Returns the judgement of expectation `index`; lives as long as `e`. */
const struct sim_judgement *sim_expect_judgement(const struct sim_expectations *e, uint32_t index);

#endif
