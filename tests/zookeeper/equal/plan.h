/*
 * A random sequence of requests of three sessions, the same for both servers.
 *
 *   step  step  step | step  step | CUT  step step  (away: step step) | step ...
 *   `-- session 1 --'  `- sess 0 -'  `- in flight -' `- others' -----'
 *
 * Neighbouring steps of one session are sent without waiting (a group); the harness waits for the
 * replies before another session's turn, so that the order of all requests is known. RAW is a multi
 * that the C client cannot send: reads, or a mixture. CUT breaks the
 * connection of session 2 while its next `in_flight` requests are under way, and the `away`
 * requests after them, of the other sessions, happen before it is connected again. EXPIRE ends
 * session 2.
 */
#ifndef TESTS_ZOOKEEPER_EQUAL_PLAN_H
#define TESTS_ZOOKEEPER_EQUAL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/coord.h"

enum { SESSIONS = 3, VICTIM = 2, OPS_MAX = 5, STEPS_MAX = 128, PATH_SIZE = 96, DATA_SIZE = 1200 };

enum plan_fault { PLAN_PLAIN, PLAN_CUT, PLAN_EXPIRE };

struct plan_op {
    enum wire_zk_opcode opcode;
    uint8_t flags;
    bool watch;
    int32_t version;
    char path[PATH_SIZE]; /* below the sequence's own root; "" is that root */
    int32_t size;         /* of data; -1: null */
    char data[DATA_SIZE];
};

enum step_kind { STEP_REQUEST, STEP_RAW, STEP_CUT, STEP_EXPIRE };
enum cut_mode { CUT_NOW, CUT_REPLIES, CUT_REQUESTS }; /* what is lost for sure */

struct plan_step {
    enum step_kind kind;
    int session;
    bool multi;
    int count;
    struct plan_op ops[OPS_MAX];
    int in_flight, away; /* CUT: how many of the next steps */
    enum cut_mode mode;
};

struct plan {
    uint64_t seed;
    enum plan_fault fault;
    int count;
    struct plan_step steps[STEPS_MAX];
};

void plan_draw(struct plan *plan, uint64_t seed, enum plan_fault fault);
void plan_print(const struct plan *plan);

#endif
