/*
 * Inside a live process. Internal to live/process*.c, brokers.c, serve.c.
 */
#ifndef LIVE_PROCESS_STATE_H
#define LIVE_PROCESS_STATE_H

#include <uv.h>

#include "live/channel.h"
#include "live/listener.h"
#include "live/logs.h"
#include "live/metrics.h"
#include "live/process.h"
#include "live/serve.h"
#include "live/trace.h"
#include "live/zookeeper.h"
#include "node/node.h"

/* An input that waits, with all that it points to behind it. */
struct live_waiting {
    struct live_waiting *next;
    struct kn_input in;
    struct wire_answer answer;
    uint64_t bytes[];
};

struct live_timer {
    int64_t due_us; /* < 0: not armed */
    uint64_t record;
};

/* The last UpdateMetadata, for those that it still has to go to. */
struct live_shared {
    uint64_t batch_id; /* 0: none */
    struct live_body *body;
    size_t epoch_at;
    uint32_t left; /* recipients that have not had it */
};

/* Making the persistent paths, before the node knows of its session. */
struct live_prepare {
    bool is_done;
    bool is_running;
    uint32_t asked, answered;
    struct live_zk_input connected; /* what the node is told afterwards */
    char cluster_id[32];
};

enum { LIVE_SIGNALS = 4 };

struct live_process {
    struct live_options options;
    uv_loop_t loop;
    int32_t id;
    struct live_address advertised;
    struct kn_node node;
    struct live_zookeeper *zookeeper;
    struct live_channels *channels;
    struct live_listener *listener;
    struct live_serve *serve;
    struct live_logs *logs;
    struct live_trace *trace;
    struct live_metrics *metrics;
    struct live_prepare prepare;
    struct live_shared shared;

    int64_t start_us;      /* µs since 1970 */
    uint64_t start_hrtime; /* ns, of uv_hrtime */
    uint64_t start_record;

    struct live_waiting *first, *last;
    uint64_t more_record;
    bool is_held;  /* inputs wait: a standby before its election */
    bool has_more; /* the node has said `more` */
    bool in_step;
    struct kn_outputs out; /* of the step in work */
    uv_idle_t work;        /* runs while there is something left to do */
    bool is_working;

    struct live_timer *timers; /* by number + 2 */
    uint32_t timer_count;
    uv_timer_t clock;
    int64_t clock_us; /* when it fires; < 0: not armed */

    uv_signal_t signals[LIVE_SIGNALS];
    uv_prepare_t flush;
    uv_timer_t second;   /* flushes the trace, takes metrics */
    uv_timer_t patience; /* start: the connection timeout; stop: the most that it may take */
    uv_timer_t hold;
    uv_timer_t end;
    int64_t connect_until_us;
    bool has_told_waiting;
    bool is_stopping, has_stopped, is_ending;
    bool is_connected; /* there has been a session */
    int exit_code;
    int signal;
};

/* ---- process.c ---- */
/* µs since 1970 at the start, and from then on a clock that never goes back. */
int64_t live_now(const struct live_process *p);
/* Gives an input to the node, now or in its turn; copies what it points to. */
void live_take(struct live_process *p, const struct kn_input *in);
/* Whether an input would be stepped at once. */
bool live_is_free(const struct live_process *p);
/* From now on inputs wait, for so long. */
void live_hold(struct live_process *p, int64_t for_us);
void live_arm(struct live_process *p, uint32_t timer, int64_t due_us, uint64_t record);
/* Ends the process with that code: closes what is open; the loop ends when all is closed. */
void live_end(struct live_process *p, int exit_code);
/* One output of the node (kn_outputs.put). */
uint64_t live_put(void *context, const struct kn_output *o);

/* ---- prepare.c ---- */
/* The session exists: makes what is missing. `connected` is told to the node when all is there. */
void live_prepare_begin(struct live_process *p, const struct live_zk_input *connected);
/* Takes a reply while it is running. */
void live_prepare_reply(struct live_process *p, const struct wire_zk_reply *reply);
/* What ZooKeeper says to the node. */
void live_from_zookeeper(struct live_process *p, const struct live_zk_input *in);

/* ---- brokers.c ---- */
void live_brokers_open(struct live_process *p);
void live_brokers_send(struct live_process *p, const struct kc_output *o, uint64_t record);
void live_brokers_close(struct live_process *p, int32_t broker_id);

#endif
