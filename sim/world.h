/*
 * The world: one deterministic run of processes, a ZooKeeper and the network between them.
 *
 *     heap of events (time, number) ──► one at a time ──► a step of a process or of ZooKeeper
 *            ▲                                                      │
 *            └── messages with a delay, timers, steps of a scenario ┘
 *
 * Time is virtual, in µs from 0. Events of one time happen in the order in which they were made.
 * Nothing but the seed decides what is open: delays where they are drawn, targets `any` and
 * `minority`, random faults. Same calls, same seed: same trace.
 *
 * A process is a node (session, controller, and a broker that answers as scripted) or a scripted
 * broker alone (a session that registers, and answers). Connections are FIFO and may break; what
 * was under way in a connection that breaks is lost, and whoever asked learns only that it broke. A
 * process that is killed leaves its ZooKeeper session behind, which expires when its time is over.
 *
 * Memory: the world owns everything but the trace and the scenario, and abort()s where the machine
 * has no memory left. Blocks (server, controllers, sessions) grow by doubling the limit that is
 * short; SIM_BLOCK_BYTES_MAX bounds them, and reaching it ends the run with sim_world_error.
 * Thread: one.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"
#include "sim/check.h"
#include "sim/expect.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "statemachine/assignment.h"
#include "wire/coord.h"
#include "wire/messages.h"
#include "zookeeper/server.h"

struct sim_world; /* opaque */

/* A block may not grow beyond it: offsets inside blocks are 32 bits. */
#define SIM_BLOCK_BYTES_MAX ((uint64_t)1 << 34)
/* No limit of a block may be raised above it. */
#define SIM_LIMIT_MAX ((uint32_t)1 << 31)
/* Steps at one instant, after which something turns in circles and the run ends with an error. */
#define SIM_STEPS_PER_INSTANT_MAX 100000000u

/* Until then delays are never drawn, so that everybody is there when the first controller looks. */
#define SIM_START_US 100000

/* What the network costs, one way, µs. Drawn: uniformly from half to one and a half of it. */
struct sim_delays {
    int64_t zookeeper_us; /* a process and ZooKeeper */
    int64_t network_us;   /* two processes */
    int64_t answer_us;    /* a scripted broker thinks */
    bool drawn;
};

/* One request has reached a scripted broker, is handled now, and answered so. Pointers are borrowed
   for the call. */
struct sim_request {
    int32_t broker_id;
    int32_t controller; /* id of the process that sent it */
    enum wire_api api;
    const struct wire_batch *batch;
    const struct wire_broker *receiver; /* entry of the broker in the batch */
    const char *told; /* what the broker was told to do: "error 77", "dropped", NULL: nothing */
};

struct sim_hooks {
    void *context;
    void (*request)(void *context, const struct sim_request *request); /* may be NULL */
    /* the controller's answer to sim_world_call; NULL: the connection broke */
    void (*answer)(void *context, uint64_t call_id, const struct wire_call *answer);
};

struct sim_world_options {
    uint64_t seed;
    struct sim_trace *trace; /* borrowed, or NULL */
    struct sim_delays delays;
    struct sim_hooks hooks;
    int64_t tick_us;             /* ZooKeeper's tickTime; sessions last 2 to 20 of them */
    uint32_t history;            /* kz_limits.history */
    uint32_t notes;              /* enum kc_notes, of every controller */
    enum sim_checks_mode checks; /* sim/check.h; OFF */
    bool wire;                   /* messages travel as bytes of the Kafka protocol */
    /* It can be copied (sim/image.h). Then `trace` is NULL, and the world makes one of its own, a
       part of its state: sim_world_trace. Its memory is bounded (SIM_HEAP_SPACE): for small worlds.
     */
    bool copies;
    enum sim_trace_mode own_trace; /* of that trace; OFF by default */
};
/* Returns fixed delays of 500 µs, a tick of 2 s, all notes where there is a trace. */
struct sim_world_options sim_world_options_default(void);

/* Returns an owned world at time 0: ZooKeeper with Kafka's persistent paths, no process. */
struct sim_world *sim_world_new(const struct sim_world_options *options);
void sim_world_free(struct sim_world *w); /* NULL is fine */

/* Puts up what a scenario says: znodes of its dump, its topics and given states, its processes, its
   steps. Once, at time 0. The scenario is borrowed and must outlive the world. */
void sim_world_load(struct sim_world *w, const struct sim_scenario *scenario);

/* ---- time ---- */

int64_t sim_world_now(const struct sim_world *w);
/* Returns the time of the next event, or SIM_FOREVER. */
int64_t sim_world_next(const struct sim_world *w);
/* Does the next event; false where there is none or the world has failed. */
bool sim_world_step(struct sim_world *w);
/* Does all events up to and at `until_us`, and sets the time to it; false where the world failed.
 */
bool sim_world_run(struct sim_world *w, int64_t until_us);
/* From now on chance goes by another seed, and delays of messages are drawn even where the scenario
   leaves them fixed: what has happened stays, what is planned (faults that were drawn, too) is done,
   with other timings. */
void sim_world_reseed(struct sim_world *w, uint64_t seed);
/* Nothing is under way: no message, no queued event, no running flow, no session that has to
   expire, no timer but periodic ones and retries against dead brokers. */
bool sim_world_is_quiet(const struct sim_world *w);
/* Quiet, no step of the scenario is ahead that a time alone will bring, and every live follower is
   in the ISR of its leader. */
bool sim_world_is_over(struct sim_world *w);
/* NULL, or why the world cannot go on (a limit, with its value). Static until it is freed. */
const char *sim_world_error(const struct sim_world *w);

/* ---- looking ---- */

const struct kz_server *sim_world_zookeeper(const struct sim_world *w);
/* NULL where the process is down, stands still, or has no controller. */
const struct kc_controller *sim_world_controller(const struct sim_world *w, int32_t id);
bool sim_world_is_up(const struct sim_world *w, int32_t id);
/* Returns the id of the process that /controller names and that believes it, -1 none. */
int32_t sim_world_active(const struct sim_world *w);
/* Returns the id that /controller names, -1 none. */
int32_t sim_world_named_controller(const struct sim_world *w);
struct sim_view sim_world_view(struct sim_world *w);
/* Returns the trace, borrowed: that of the options, or the world's own. Never NULL. */
const struct sim_trace *sim_world_trace(const struct sim_world *w);
/* Counts of what has happened. */
struct sim_world_counts {
    uint64_t events, messages, requests /* handled by brokers */, zk_requests;
    uint64_t memory; /* bytes of all blocks */
};
struct sim_world_counts sim_world_counts(const struct sim_world *w);
/* Returns the number (1…) of the registration of scripted broker `id` whose czxid is `epoch`, 0
 * none. */
uint32_t sim_world_registration(const struct sim_world *w, int32_t id, int64_t epoch);
/* Returns the czxid of the last registration of scripted broker `id`, -1 none. */
int64_t sim_world_last_epoch(const struct sim_world *w, int32_t id);
/* Index + 1 of the first step of the scenario that waits for a pattern, or for such a step; 0 none.
 */
uint32_t sim_world_never_fired(const struct sim_world *w);

/* Returns what the checks have found so far; NULL where they are off. Lives as long as the world.
 */
const struct sim_check_result *sim_world_checked(const struct sim_world *w);
/* The run is over: the last checks are made. quiet: as sim_world_is_over. */
void sim_world_checks_end(struct sim_world *w);

/* ---- processes; `by` is the trace record that causes it, 0: the scenario ---- */

struct sim_process_options {
    int32_t id;
    /* BOTH, CONTROLLER: a node. BROKER: scripted alone, or, if full, a node that never stands for
       election. */
    enum sim_node_role role;
    bool registers;   /* a node registers itself under /brokers/ids */
    bool full;        /* not CONTROLLER, registers: its broker hosts logs (broker/replicas.h) */
    const char *rack; /* NULL or "": none */
    struct sm_profile profile;
    struct sim_settings settings;
};
/* Returns the disks of a full broker, also of one that is down; NULL where it is none. */
const struct kb_replicas *sim_world_replicas(const struct sim_world *w, int32_t id);
/* Makes a process, down. */
void sim_world_add(struct sim_world *w, const struct sim_process_options *options);
bool sim_world_has(const struct sim_world *w, int32_t id);
/* Other settings from its next start on. */
void sim_world_configure(struct sim_world *w, int32_t id, const struct sim_settings *settings,
                         const char *rack);

enum sim_session_end {
    SIM_SESSION_EXPIRES, /* as when a process dies */
    SIM_SESSION_CLOSED,  /* at once, as the recording harness ends its brokers */
};
void sim_world_start(struct sim_world *w, int32_t id, uint64_t by);
void sim_world_kill(struct sim_world *w, int32_t id, enum sim_session_end session, uint64_t by);
void sim_world_stop(struct sim_world *w, int32_t id, uint64_t by);
void sim_world_pause(struct sim_world *w, int32_t id, uint64_t by);
void sim_world_resume(struct sim_world *w, int32_t id, uint64_t by);
/* Replaces the process by one of the same id. A scripted broker's registration is deleted and made
   in one transaction of its new session. */
void sim_world_bounce(struct sim_world *w, int32_t id, uint64_t by);
/* Several scripted brokers die in one ZooKeeper transaction. */
void sim_world_kill_together(struct sim_world *w, const int32_t *ids, uint32_t count, uint64_t by);
bool sim_world_is_registered(const struct sim_world *w, int32_t id);

/* What a scripted broker is told to do with requests; the first that fits counts. */
enum sim_told {
    SIM_TOLD_ERROR,
    SIM_TOLD_PARTITION_ERROR,
    SIM_TOLD_DELAY,
    SIM_TOLD_DROP,
    SIM_TOLD_HANG
};
struct sim_answer_rule {
    enum wire_api api; /* NONE: any */
    enum sim_told told;
    int32_t error;
    int64_t delay_us;
    const char *topic; /* PARTITION_ERROR: of this partition; NULL: of all. Copied */
    int32_t partition;
    uint32_t count;  /* so many requests; 0: for ever */
    uint64_t record; /* trace record of the fault, 0 none */
};
/* Returns a number by which the rule may be taken back. */
uint32_t sim_world_tell(struct sim_world *w, int32_t id, const struct sim_answer_rule *rule);
void sim_world_tell_off(struct sim_world *w, int32_t id, uint32_t rule); /* 0: all */

/* ---- what operators and tools do ---- */

/* Applies a request as an operator's client does, at once. The reply lives until the next call. */
const struct wire_zk_reply *sim_world_operate(struct sim_world *w,
                                              const struct wire_zk_request *request, uint64_t by);
/* Single operations of that kind; they return the error. */
int32_t sim_world_znode_create(struct sim_world *w, const char *path, const void *data, size_t size,
                               uint32_t flags, uint64_t by);
int32_t sim_world_znode_set(struct sim_world *w, const char *path, const void *data, size_t size,
                            int32_t version, uint64_t by);
int32_t sim_world_znode_delete(struct sim_world *w, const char *path, int32_t version, uint64_t by);

struct sim_new_topic {
    const char *name;
    const int32_t *partitions;      /* [count]: numbers */
    const struct sm_list *replicas; /* [count] */
    uint32_t count;
    const struct sim_config_entry *config;
    uint32_t config_count;
    bool with_states; /* also the state znodes, led by the first replica (epoch 0, controller 1) */
    bool by_request;  /* more partitions: refused while one of the topic moves, as brokers do */
};
/* As AdminZkClient: the configuration, then the topic. Returns ZooKeeper's error. */
int32_t sim_world_create_topic(struct sim_world *w, const struct sim_new_topic *topic, uint64_t by);
/* Rewrites the topic znode with more partitions. BAD_ARGUMENTS: by_request, and one moves. Source:
   ZkAdminManager.createPartitions. */
int32_t sim_world_add_partitions(struct sim_world *w, const struct sim_new_topic *more,
                                 uint64_t by);
/* One transaction. */
int32_t sim_world_delete_topics(struct sim_world *w, char *const *names, uint32_t count,
                                uint64_t by);
/* Writes exactly `config` (merge: over what is there; value NULL removes), and the notification. */
int32_t sim_world_alter_config(struct sim_world *w, const char *topic,
                               const struct sim_config_entry *config, uint32_t count, bool merge,
                               uint64_t by);
/* /admin/preferred_replica_election, /admin/reassign_partitions. */
int32_t sim_world_elect_by_znode(struct sim_world *w, const struct sim_partition_arg *partitions,
                                 uint32_t count, uint64_t by);
int32_t sim_world_reassign_by_znode(struct sim_world *w, const struct sim_partition_arg *partitions,
                                    uint32_t count, uint64_t by);
/* What leaders do: state znodes, then one notification. */
int32_t sim_world_set_isr(struct sim_world *w, const struct sim_partition_arg *partitions,
                          uint32_t count, bool notify, uint64_t by);
int32_t sim_world_log_dir_event(struct sim_world *w, int32_t broker_id, uint64_t by);

/* Sends a call to process `id` (-1: whoever /controller names, retried for as long as there is none
   or it answers NOT_CONTROLLER). Returns its number; the answer comes by hooks.answer. */
uint64_t sim_world_call(struct sim_world *w, int32_t id, const struct wire_call *call, uint64_t by);
/* Returns the broker epoch of a registered broker, -1 none. */
int64_t sim_world_broker_epoch(const struct sim_world *w, int32_t id);

#endif
