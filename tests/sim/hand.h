/*
 * A trace made by hand, for tests of what reads traces: three brokers, controller 2; broker 1 is
 * killed at 1 s, its session expires at 7 s, broker 2 becomes leader of orders-0.
 */
#ifndef TESTS_SIM_HAND_H
#define TESTS_SIM_HAND_H

#include <stdint.h>

#include "sim/trace.h"

/* Records of the hand-made trace that tests name. */
struct hand {
    uint64_t given, fault, expired, watch, notify, put, start, decide, zreq, zap, learn, batch,
        send, recv;
};

/* Returns an owned trace. finish: with its last record. */
struct sim_trace *hand_made(struct hand *hand, bool finish);

/* Returns the NDJSON of a trace, owned, NUL-terminated; *size without the NUL. */
char *hand_text(const struct sim_trace *trace, size_t *size);

/* Sets the fact of a znode whose stat is made up: versions 0, zxid `zxid`, times 0. */
void hand_znode(struct sim_trace *trace, const char *path, const char *data, int64_t zxid,
                int64_t owner);

#endif
