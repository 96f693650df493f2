/*
 * Clients in the trace: what they send and hear, are acknowledged, read and decide.
 *
 * Fetch and Heartbeat are not recorded, for they never stop: what a fetch brought is a `read`,
 * whose cause is that of the broker's answer. As everywhere, each function returns the number of
 * its record, or the cause it was given where nothing is recorded.
 */
#ifndef SIM_TRACE_CLIENT_H
#define SIM_TRACE_CLIENT_H

#include "client/client.h"
#include "sim/trace.h"
#include "wire/messages.h"

struct sim_world;
struct sim_client;
struct sim_client_run;

/* Returns whether messages of this API are recorded. */
bool sim_trace_client_tells(enum wire_api api);
/* send: a client's request leaves; its number is the message's. Produce: what is in it. */
uint64_t sim_trace_client_send(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               sim_lane to, enum wire_api api, const void *message);
/* recv: message m of `from` is taken; re: request that it answers, 0: it is a request. */
uint64_t sim_trace_client_recv(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               uint64_t m, sim_lane from, enum wire_api api, uint64_t re);
/* send: a broker answers request `re`; *m is the number of the message, 0: not recorded. */
uint64_t sim_trace_client_answer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                                 uint64_t re, sim_lane to, enum wire_api api, const void *message,
                                 uint64_t *m);
/* ack, read: neighbouring records of one partition. */
uint64_t sim_trace_client_run(struct sim_world *w, const struct sim_client *c, uint64_t by,
                              const struct sim_client_run *run);
/* client, txn, group: ASSIGN, REVOKE, ERROR, FACT, and the end of a transaction. */
uint64_t sim_trace_client_says(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               const struct kl_output *o);
/* client: the process starts for the first time. */
uint64_t sim_trace_client_begins(struct sim_trace *trace, int64_t t, sim_lane at, const char *name);
/* Name of an error of Kafka or of librdkafka's own: "NOT_LEADER_OR_FOLLOWER", "_MSG_TIMED_OUT". */
const char *sim_client_error_name(int32_t error);

#endif
