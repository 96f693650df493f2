/*
 * The trace of a live process: the simulator's, written as it grows.
 *
 *     node ──► outputs ─┐                        ┌─► FILE, a line a record
 *     ZooKeeper replies ├─► sim/trace.h (digest) ┤
 *     brokers' answers ─┘                        └─► nothing is kept but the last record
 *
 * What a live process does not see is left out: the other side of each message. Two things stand
 * in: zap      stands before the reply that told of it, at the time of the reply; `zn:` facts are
 * what the reply said, so the tree that `kcsim zk` shows is what this process has seen of it; znode
 * stands before the event of a watch: somebody changed what the watch was on. Times count from the
 * start of the process; `wall` in the first record says when that was.
 *
 * The file is flushed by live_trace_flush; a process that is killed leaves a trace that was cut
 * off, which all readers take. A number of a record fits 32 bits: before that the trace ends with a
 * note.
 */
#ifndef LIVE_TRACE_H
#define LIVE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"

struct live_trace;

/* Returns an owned trace; file NULL: one that is off. NULL with errno set where the file cannot be
   made. start_us: the clock of all calls below at the start of the process, µs since 1970. */
struct live_trace *live_trace_open(const char *file, int32_t id, const char *title,
                                   int64_t start_us);
/* Ends it with `finish`; false where something could not be written. NULL is fine. */
bool live_trace_close(struct live_trace *t, int64_t now_us, const char *verdict);
void live_trace_flush(struct live_trace *t);
bool live_trace_is_on(const struct live_trace *t);

/* Each returns the number of its record, which later ones carry as their cause; 0 where it is off.
 */
uint64_t live_trace_start(struct live_trace *t, int64_t now_us);
uint64_t live_trace_controller(struct live_trace *t, int64_t now_us, const struct kc_output *o);
uint64_t live_trace_session(struct live_trace *t, int64_t now_us, const struct kn_output *o);
uint64_t live_trace_timer(struct live_trace *t, int64_t now_us, uint32_t timer, uint64_t armed,
                          int64_t due_us);
uint64_t live_trace_event(struct live_trace *t, int64_t now_us, uint32_t type, const char *path);
uint64_t live_trace_answer(struct live_trace *t, int64_t now_us, int32_t broker_id, int32_t api,
                           uint64_t send, const struct wire_answer *answer);
uint64_t live_trace_send_failed(struct live_trace *t, int64_t now_us, uint64_t send,
                                const char *why);
uint64_t live_trace_request(struct live_trace *t, int64_t now_us, int16_t api);

/* What goes to ZooKeeper and comes back, in order: a reply belongs to the oldest request. */
void live_trace_zk_sent(struct live_trace *t, int64_t now_us, const struct kn_output *o);
uint64_t live_trace_zk_reply(struct live_trace *t, int64_t now_us,
                             const struct wire_zk_reply *reply);
/* The connection is gone: what was sent has no reply any more, and is sent again. */
void live_trace_zk_lost(struct live_trace *t);

#endif
