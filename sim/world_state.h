/*
 * Inside the world. Internal to sim/world*.c.
 *
 *     process ──(zk_conn)── ZooKeeper                each connection: two links, one per direction
 *        │
 *        └──(channel)── process                      a controller's connection to a broker
 *
 * A link is FIFO: a message arrives no earlier than the one before it. A message that a rule holds
 * waits in its link, and everything behind it with it.
 *
 * Whatever a step of a process or of ZooKeeper wants goes to the outbox first, in order, among it
 * the marks where a step of the scenario has to act. When the step is over the outbox is worked
 * off, so that a fault may fall between two messages of one step, and what a process that it killed
 * had not yet sent is never sent.
 *
 * Processes, connections and channels are never moved and never freed before the world is: messages
 * and events point to them, and find by incarnation and `up` whether they are still meant.
 */
#ifndef SIM_WORLD_STATE_H
#define SIM_WORLD_STATE_H

#include "node/node.h"
#include "sim/allocate.h"
#include "sim/event_queue.h"
#include "sim/keeper.h"
#include "sim/pattern.h"
#include "sim/random.h"
#include "sim/world.h"
#include "sim/world_wire.h"

enum { SIM_NOBODY = -1 }; /* beside ids of processes, as SIM_ENSEMBLE (sim/scenario.h) */

struct sim_message;
struct sim_process;
struct sim_client;
struct sim_clients;
struct sim_client_conn;

struct sim_link {
    struct sim_process *from, *to; /* NULL: ZooKeeper */
    int64_t last_us;               /* arrival of the last message */
    struct sim_message *held, *held_last;
};

struct sim_zk_conn {
    uint32_t number;
    bool up;
    bool server_open; /* the server has it */
    bool client_open; /* the client has not given it up */
    struct sim_process *process;
    uint32_t incarnation;
    int64_t session;
    struct sim_zk_conn *previous;    /* of the same process */
    struct sim_message *undelivered; /* events, and replies that arm a watch; newest first */
    struct sim_link to_server, to_client;
};

struct sim_pipe {
    struct sim_process *controller, *broker;
    uint32_t life; /* rises when the connection ends: answers to what was sent before are lost */
    uint32_t lost_life; /* what was sent in this life or before it is lost */
    bool in_flight;
    bool deadline_set;
    uint64_t correlation; /* of the request in flight */
    uint64_t m;           /* its trace record */
    uint64_t mute;        /* fault that keeps its answer away, 0 unknown */
    enum wire_api api;
    int64_t deadline_us;
    int64_t broker_free_us; /* the broker handles the requests of one connection one by one */
    struct sim_link request, answer;
};

/* A copy of a batch of one controller; kept while messages refer to it, and a little longer. */
struct sim_stored_batch {
    struct sim_stored_batch *next;          /* of the same bucket */
    struct sim_stored_batch *older, *newer; /* of those that nobody refers to */
    uint32_t references;
    struct sim_process *owner;
    uint32_t incarnation;
    struct wire_batch *batch;
    struct sim_stored_batch *sent; /* --wire: what this one was read from, referred to; else NULL */
};

enum sim_message_kind {
    SIM_M_ZK_CONNECT,
    SIM_M_ZK_REQUEST,
    SIM_M_ZK_PING,
    SIM_M_ZK_CLOSE,
    SIM_M_ZK_HANG_UP, /* the client's end is closed */
    SIM_M_ZK_CONNECTED,
    SIM_M_ZK_REPLY,
    SIM_M_ZK_EVENT,
    SIM_M_ZK_PONG,
    SIM_M_ZK_CLOSED, /* the server's end is closed */
    SIM_M_REQUEST,
    SIM_M_ANSWER,
    SIM_M_BROKEN, /* the channel broke; tells the controller */
    SIM_M_CALL,
    SIM_M_CALL_ANSWER,
    SIM_M_PEER_REQUEST, /* a follower's to its leader */
    SIM_M_PEER_RESPONSE,
    SIM_M_PEER_BROKEN, /* no response will come; tells the follower */
    SIM_M_CLIENT_REQUEST,
    SIM_M_CLIENT_RESPONSE,
    SIM_M_CLIENT_BROKEN, /* the connection is gone; tells the client */
};

struct sim_message {
    struct sim_message *next; /* in a held queue, an inbox, the pool */
    uint32_t kind;            /* enum sim_message_kind */
    uint32_t incarnation;     /* of the process that it goes to, or of the sender for the server */
    struct sim_process *process; /* that it goes to (to ZooKeeper: that it comes from) */
    struct sim_link *link;       /* NULL: none */
    struct sim_zk_conn *conn;
    struct sim_pipe *channel;
    uint32_t life; /* of the channel */
    enum wire_api api;
    uint64_t m;  /* trace record that sent it */
    uint64_t re; /* answers: record of the request */
    uint64_t by;
    uint64_t mute;
    uint64_t correlation;
    uint64_t call_id;
    int64_t delay_us; /* beside that of the network */
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    int64_t zxid;
    uint32_t event_type;
    uint32_t
        watches; /* EVENT, REPLY: enum kz_watch_kind bits of `path`; while in conn->undelivered */
    char *path;  /* REPLY: owned */
    struct sim_message *older, *newer; /* in conn->undelivered */
    uint32_t lost_step;   /* a request and its answer: it is lost, then that step acts (+ 1) */
    uint32_t held_by;     /* in a held queue: number of the rule, 0: it is behind another */
    bool periodic;        /* a ping, a Fetch that says nothing: quiet does not wait for it */
    bool says;            /* PEER_…: sim_message_says */
    sim_lane lane;        /* ZK_REQUEST, REPLY: who asks */
    int32_t writer_epoch; /* ZK_REQUEST: of the controller that asks, -1: a broker part */
    bool uncounted;       /* quiet does not wait for it: periodic, or of a client */
    bool silent;          /* CLIENT_REQUEST: no response is expected */
    bool untaken; /* its client had given the connection up: kept in conn->undelivered alone */
    struct sim_client_conn *client; /* CLIENT_…: counted in its references */
    struct wire_answer answer;
    struct wire_answer_item item;
    struct sim_stored_batch *batch;
    struct sim_peer *peer; /* PEER_… */
    uint32_t asker;        /* PEER_…: incarnation of peer->from that asked */
    int32_t version;       /* PEER_… */
    size_t size;           /* PEER_…: of bytes */
    void *bytes;           /* request, reply, path, call, items of an answer, message: owned */
    void *room;            /* that `bytes` may lie in; stays with the message in the pool */
    size_t room_size;
};

/* A request that has left and is not answered. */
struct sim_peer_wait {
    uint64_t correlation;
    uint64_t by;         /* what made it ask */
    int64_t deadline_us; /* replica.socket.timeout.ms after it */
};

/* From one full broker to another: the connections of its fetchers and of its sender of markers. */
struct sim_peer {
    struct sim_process *from, *to;
    struct sim_peer_wait *waits; /* at most one a fetcher, and one for markers */
    uint32_t wait_count, wait_room;
    int64_t alarm_us; /* of the event that looks at them, 0: none */
    uint32_t asker;   /* incarnation of `from` that waits */
    struct sim_link request, answer;
};

struct sim_timer {
    uint32_t id;
    uint32_t generation;
    int64_t due_us; /* -1: not armed */
    uint64_t record;
};

struct sim_rule_entry {
    struct sim_answer_rule rule;
    uint32_t number;
    char topic[SM_TOPIC_NAME_MAX + 1];
};

/* Zero: it goes as the world's. */
struct sim_clock {
    int64_t own_us, world_us; /* what it showed when it was last set, and when that was */
    int64_t offset_us;        /* of the date */
    int32_t rate_ppm;         /* 1,000,000: right; 0: it was never wrong */
    uint32_t unused;
};

enum sim_life { SIM_DOWN, SIM_UP, SIM_PAUSED };

struct sim_process {
    int32_t id;
    uint32_t index;
    uint32_t incarnation; /* number of its starts */
    uint32_t killed; /* the last incarnation that was killed: what it had not sent is not sent */
    uint32_t life;   /* enum sim_life */
    struct sim_stalled *stalled; /* inputs that met a pause; owned */
    bool has_node;               /* session and controller; else a session that registers */
    bool registers;
    bool blocked;
    bool is_bouncing;   /* scripted: registers by replacing */
    bool is_registered; /* scripted */
    bool stopping;
    struct sim_client *client; /* not NULL: a client's shell (sim/client_state.h) */
    bool is_full;              /* its broker hosts logs; has_node, registers */
    bool never_elected;        /* has_node: it does not stand for election */
    bool loses_unflushed;      /* is_full: its machine is lost with what no disk has taken */
    bool in_core;              /* heal has acted, and starts it if it is down */
    bool dirs_repaired;        /* is_full: failed log directories work again in its next life */
    bool dir_failed;           /* a log directory of it has failed, and does not work again yet */
    struct sim_clock clock;    /* of its machine: goes on while the process is down */
    char rack[SM_RACK_MAX];
    struct sm_profile profile;
    struct sim_settings settings;
    struct kn_node node;           /* has_node */
    struct kn_session *session;    /* scripted alone */
    uint32_t xid;                  /* of its own requests */
    struct sim_zk_conn *conn;      /* present connection, NULL none */
    struct sim_zk_conn *last_conn; /* the last one made, this or an earlier */
    struct sim_zk_conn *old_conn;  /* bouncing: closed when the new registration stands */
    uint64_t life_record;          /* fault that started, killed or paused it */
    uint64_t fail_record;          /* zookeeper: fail: of the fault */
    bool fail_next, fail_applied;
    int64_t zk_delay_us;        /* zookeeper: delay */
    struct sim_pipe **channels; /* [process index of the broker], NULL: never used */
    uint32_t channel_count;
    struct sim_stored_batch *batches[64]; /* by id */
    struct sim_timer *timers;
    uint32_t timer_count;
    /* is_full */
    struct kb_replicas *replicas; /* its disks: they outlive the process */
    struct sim_peer **peers;      /* [process index], NULL: never used */
    uint32_t peer_count;
    struct sim_message *pending; /* requests that its broker part has not answered */
    struct sim_message *locked;  /* controllers' requests that wait for an ISR write, in order */
    struct sim_timer *broker_timers;
    uint32_t broker_timer_count;
    struct sim_message *inbox, *inbox_last; /* while it stands still */
    struct sim_rule_entry *rules;
    uint32_t rule_count;
    int64_t given_session; /* that it takes over at its first start, 0 none */
    uint64_t given_password;
    uint64_t shutdown_call; /* controlled shutdown under way: its call, 0 none */
    uint64_t shutdown_record;
    uint32_t shutdown_tries;
    int64_t *epochs; /* czxids of its registrations (scripted) */
    uint32_t epoch_count;
};

/* A call of an operator, kept until it is answered. */
struct sim_call {
    struct sim_call *next;
    uint64_t id;
    int32_t to; /* -1: the controller */
    uint64_t record;
    uint64_t sent;    /* record of the last send */
    int64_t until_us; /* whoever asked waits until then: default.api.timeout.ms */
    uint64_t tries;
    struct sim_process *process; /* asked now, NULL: waits for another try */
    uint32_t incarnation;
    struct sim_process *asker; /* a broker that asks for its own shutdown, NULL: an operator */
    uint32_t asker_incarnation;
    uint32_t lost_step; /* sim_message.lost_step of the call that was taken up */
    bool is_given_up;   /* nobody waits; it is kept, for what was asked may still be done */
    struct wire_call *call;
};

enum sim_event_kind {
    SIM_E_MESSAGE,      /* p */
    SIM_E_TIMER,        /* process, a timer id, b generation << 32 | incarnation */
    SIM_E_ZK_TICK,      /* a: generation */
    SIM_E_DEADLINE,     /* p channel */
    SIM_E_HANDLE,       /* p message: a scripted broker that was delayed */
    SIM_E_STEP,         /* a step index, b occurrence */
    SIM_E_UNDO,         /* a undo index */
    SIM_E_CALL,         /* a: number of the call: another try; b: the try whose time is up */
    SIM_E_LAG,          /* a: zxid that lagging servers have reached */
    SIM_E_PEER,         /* p peer: its deadline */
    SIM_E_STALLED,      /* process, b incarnation: what met its pause */
    SIM_E_HEAL,         /* a 0: faults stop; 1: the time in which the cluster has to rest is over */
    SIM_E_CLIENT_START, /* process: index of the client */
    SIM_E_CLIENT_TIMER, /* process: index of the client, a generation */
    SIM_E_CLIENT_WORK,  /* process: index of the client, a generation */
    SIM_E_SHUTDOWN,     /* process, a incarnation: asks for a controlled shutdown again */
};

enum sim_outbox_kind { SIM_OUT_MESSAGE, SIM_OUT_FIRE };

struct sim_outbox_entry {
    uint32_t kind;
    uint32_t incarnation;       /* of `sender` */
    struct sim_process *sender; /* NULL: ZooKeeper, nobody */
    struct sim_message *message;
    uint32_t step;   /* FIRE */
    uint64_t record; /* FIRE: that it matched */
};

/* A rule on messages: hold, drop, degrade, partition. */
struct sim_net_rule {
    uint32_t number;
    enum sim_verb verb; /* HOLD, DROP, DEGRADE */
    enum wire_api api;
    uint32_t nth; /* 0: all */
    uint32_t seen;
    bool any_from, any_to;
    int32_t *from, *to; /* ids; SIM_ENSEMBLE for ZooKeeper */
    uint32_t from_count, to_count;
    int64_t delay_us, jitter_us;
    int32_t loss_percent;
    uint64_t record;
};

/* What a step of the scenario has to undo when its time is over. */
struct sim_undo {
    uint32_t step;
    bool done;
    enum sim_verb verb;
    uint32_t *rules; /* numbers of net rules, or of answer rules */
    uint32_t rule_count;
    int32_t *hit;
    uint32_t hit_count;
    uint64_t record;
};

struct sim_step_state {
    uint64_t matches; /* of its pattern */
    bool fired;
    int64_t fired_us;
    uint64_t record;
    int32_t *hit; /* whom it hit */
    uint32_t hit_count;
};

struct sim_session_entry {
    int64_t session; /* 0: free, -1: was used */
    struct sim_process *process;
    uint64_t by, mute; /* why nothing was heard of it */
    bool is_ghost;     /* nobody uses it any more: it will expire */
};

struct sim_world {
    struct sim_world_options options;
    struct sim_heap *heap;   /* options.copies: all of this world lies in it; else NULL */
    struct sim_trace *trace; /* never NULL: one that is off stands in */
    struct sim_trace *own_trace;
    const struct sim_scenario *scenario;
    struct sim_checks *checks; /* NULL: off */
    struct sim_wire *wire;     /* NULL: messages travel as they are */
    bool is_healed;            /* no step and no drawn fault acts any more */
    struct sim_plan *plan;     /* what the seed has drawn, NULL: nothing */
    struct sim_random_state random;
    struct sim_event_queue queue;
    int64_t now_us;
    int64_t instant_us;
    uint64_t steps_at_instant;
    struct sim_world_counts counts;
    char error[256];

    uint64_t told;        /* requests of controllers that full brokers have heard */
    int64_t settled_zxid; /* when is_settled was found (world_settled.c) */
    uint64_t settled_told;
    int64_t settled_us;
    bool is_settled;

    struct kz_server *zk;
    size_t zk_size;
    void *zk_scratch;
    size_t zk_scratch_size;
    struct sim_zk_conn **conns; /* [number] */
    uint32_t conn_count;
    int64_t tick_at_us;
    uint64_t tick_generation;
    bool in_zk_step;
    bool quorum_lost;
    int32_t zk_servers;   /* processes are spread over them, by index */
    int64_t zk_lag_us;    /* of all servers but the first; 0: none */
    int64_t zk_lag_zxid;  /* that the lagging ones have reached */
    int64_t zk_seen_zxid; /* of the last change that is on its way to them */
    uint64_t quorum_record;
    struct sim_session_entry *sessions; /* open addressing, a power of two */
    uint32_t session_count, session_capacity;
    int32_t blamed; /* sessions with a known reason for their silence */

    struct sim_process **processes; /* in the order in which they were added */
    uint32_t process_count;
    struct sim_keeper *keeper; /* bytes of all batches of all full brokers, NULL: none is full */
    struct kb_payloads payloads;
    void *broker_scratch;
    size_t broker_scratch_size;
    uint64_t broker_calls;                  /* given to broker parts so far */
    struct kc_limits needed;                /* the most that any controller has grown to */
    struct kb_broker_limits brokers_needed; /* of uint32_t alone, like the next */
    struct kb_limits replicas_needed;
    struct sim_process **by_id;  /* ascending */
    struct sim_clients *clients; /* NULL: the scenario has none */
    uint32_t ghosts;             /* sessions that have to expire */
    uint64_t in_flight;          /* messages that are not periodic */

    struct sim_message *pool;
    struct sim_stored_batch *idle_first, *idle_last; /* oldest first */
    uint32_t idle_count;

    struct sim_outbox_entry *outbox;
    size_t outbox_count, outbox_done, outbox_capacity; /* done: of those, worked off */
    bool in_flush;

    struct sim_net_rule *rules;
    uint32_t rule_count, rule_capacity, rule_number;
    uint32_t answer_rule_number;
    struct sim_undo *undos;
    uint32_t undo_count;

    struct sim_step_state *steps; /* [scenario->step_count] */
    struct {
        uint32_t step;
        uint64_t record;
    } * matched; /* by the listener, not yet in the outbox */
    uint32_t matched_count, matched_capacity;
    uint32_t open_patterns; /* steps that still wait for a record */
    uint32_t timed_ahead;   /* SIM_E_STEP and SIM_E_UNDO events in the queue */

    struct sim_call *calls; /* of operators */
    uint64_t call_number;

    void *operator_bytes; /* last request and reply of an operator */
    size_t operator_size;
    struct wire_zk_reply *operator_reply;
    uint32_t operator_xid;

    uint8_t *builder; /* for requests of the world itself */
    size_t builder_size;
};

/* Until the end of the block memory is that of this world. In each function that others may call
   between two events, and that may take or give memory. */
#define SIM_IN(w)                                                                                  \
    __attribute__((cleanup(sim_heap_leave))) struct sim_heap *sim_was = sim_heap_enter((w)->heap); \
    (void)sim_was

/* ---- world.c ---- */
void sim_world_fail(struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct sim_process *sim_find(const struct sim_world *w, int32_t id); /* NULL: none */
static inline void sim_push(struct sim_world *w, int64_t t_us, struct sim_event event)
{
    event.t_us = t_us < w->now_us ? w->now_us : t_us;
    sim_event_push(&w->queue, event);
}

/* ---- world_clock.c ---- */
/* Returns the process's time, and its date (what it writes into records and znodes); µs. */
int64_t sim_clock_now(const struct sim_world *w, const struct sim_process *p);
int64_t sim_clock_date(const struct sim_world *w, const struct sim_process *p);
/* Returns the world's time at which the process's is own_us, or is us more than now. */
int64_t sim_clock_when(const struct sim_process *p, int64_t own_us);
int64_t sim_clock_after(const struct sim_world *w, const struct sim_process *p, int64_t us);
/* From now on its date is offset_us wrong, and its time runs at rate_ppm / 1,000,000 (> 0). */
void sim_clock_skew(struct sim_world *w, struct sim_process *p, int64_t offset_us,
                    int32_t rate_ppm);
void sim_clock_mend(struct sim_world *w, struct sim_process *p); /* right again */

/* ---- world_targets.c ---- */
/* Ids of processes, each once. */
struct sim_ids {
    int32_t *id; /* owned */
    uint32_t count;
};
void sim_ids_add(struct sim_ids *ids, int32_t id);
/* Returns whom the target means now; free its id. Those whom the seed draws are drawn now. */
struct sim_ids sim_target_resolve(struct sim_world *w, const struct sim_target *t);
/* Returns how many partitions the topic's znode has, 0 where there is none. */
uint32_t sim_partitions_of(const struct sim_world *w, const char *topic);

/* ---- world_zookeeper.c ---- */
void sim_zk_init(struct sim_world *w);
/* Steps the server; what it says goes to the outbox (conn NULL: no messages for it are expected).
   m: number of the request's record; from: lane of who asks. */
void sim_zk_server(struct sim_world *w, struct kz_input in, uint64_t by, uint64_t mute, uint64_t m,
                   sim_lane from);
/* From now on reads by processes of all servers but the first are as old as lag_us (0: not). */
void sim_zk_lag(struct sim_world *w, int32_t servers, int64_t lag_us);
void sim_zk_catch_up(struct sim_world *w, int64_t zxid);
/* Makes a session that a process will take over. */
void sim_zk_given_session(struct sim_world *w, struct sim_process *p);
/* The same, unrecorded, by an operator: the reply is kept in w->operator_reply. */
void sim_zk_operate(struct sim_world *w, const struct wire_zk_request *request, uint64_t by,
                    uint64_t m);
/* Puts a znode before the run begins; stat NULL: made now. */
void sim_zk_put(struct sim_world *w, const char *path, const void *data, size_t size,
                const struct wire_zk_stat *stat);
void sim_zk_free(struct sim_world *w);
void sim_zk_arrive(struct sim_world *w, struct sim_message *message); /* at the server; takes it */
void sim_zk_tick(struct sim_world *w, uint64_t generation);
struct sim_zk_conn *sim_zk_connect(struct sim_world *w, struct sim_process *p);
/* Breaks a connection in the middle: both ends see it, nothing under way arrives. */
void sim_zk_break(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by);
/* The client's end goes; what it has sent still arrives. */
void sim_zk_hang_up(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by);
/* What the client will never get is told to the server, newest first. */
void sim_zk_lose(struct sim_world *w, struct sim_zk_conn *conn);
/* It has reached its client, or is freed. */
void sim_zk_unlink(struct sim_message *m);
/* The client has given the connection of `m` up, which arrives all the same. Takes m: where it says
   something of watches it is kept until the server is told what was lost. */
void sim_zk_untaken(struct sim_world *w, struct sim_message *m);
/* Closes the session of a connection at once. */
void sim_zk_close(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by);
/* The process is gone, its session lives on until it expires. */
void sim_zk_orphan(struct sim_world *w, int64_t session, uint64_t by);
/* Returns the fault that silences a session, 0 none. */
uint64_t sim_zk_blamed(const struct sim_world *w, int64_t session);
void sim_zk_blame(struct sim_world *w, int64_t session, uint64_t by, uint64_t mute);

/* ---- world_network.c ---- */
struct sim_message *sim_message_new(struct sim_world *w, enum sim_message_kind kind);
void sim_message_free(struct sim_world *w, struct sim_message *m);
/* Sends it now over its link: rules, delay, FIFO. Takes it. */
void sim_message_send(struct sim_world *w, struct sim_message *m);
/* It is lost, and takes its connection with it; record: what did it. Takes it. */
void sim_message_lose(struct sim_world *w, struct sim_message *m, uint64_t record);
void sim_message_drop(struct sim_world *w, struct sim_message *m, uint64_t mute, const char *why);
void sim_outbox_message(struct sim_world *w, struct sim_process *sender, struct sim_message *m);
/* Marks where matched steps act; sides: those with that side (AFTER: also APPLIED_REPLY_LOST). */
void sim_outbox_fire(struct sim_world *w, enum sim_side side);
void sim_outbox_flush(struct sim_world *w);
/* A step acts, at record, within an event. */
void sim_outbox_act(struct sim_world *w, uint32_t step, uint64_t record);
void sim_net_rule_add(struct sim_world *w, struct sim_net_rule rule);
void sim_net_rule_remove(struct sim_world *w, uint32_t number);
void sim_net_release_all(struct sim_world *w);
struct sim_pipe *sim_pipe_of(struct sim_world *w, struct sim_process *controller,
                             struct sim_process *broker);
/* Closes it; the controller learns it if `tell`. */
void sim_pipe_break(struct sim_world *w, struct sim_pipe *c, bool tell, uint64_t by);
void sim_pipes_break_at_broker(struct sim_world *w, struct sim_process *broker, uint64_t by);
struct sim_stored_batch *sim_batch_store(struct sim_world *w, struct sim_process *p,
                                         const struct wire_batch *batch);
/* Returns what a recipient reads out of the bytes of `sent`, whose reference it takes over; with
   one reference. */
struct sim_stored_batch *sim_batch_received(struct sim_stored_batch *sent, const void *batch,
                                            size_t size);
void sim_batch_release(struct sim_world *w, struct sim_stored_batch *b);
/* In this order, inboxes emptied between: messages, idle batches, connections and the pool. */
void sim_network_free(struct sim_world *w);
void sim_network_free_batches(struct sim_world *w);
void sim_network_free_pool(struct sim_world *w);

/* ---- world_process.c ---- */
/* ---- world_stall.c ---- */
void sim_stall(struct sim_process *p, const struct kn_input *in); /* copied; for when it goes on */
void sim_stalled_go_on(struct sim_world *w, struct sim_process *p);
void sim_stalled_free(struct sim_process *p);

static inline void sim_wait_in_inbox(struct sim_process *p, struct sim_message *m)
{
    m->next = NULL;
    if (p->inbox == NULL)
        p->inbox = m;
    else
        p->inbox_last->next = m;
    p->inbox_last = m;
}
void sim_process_deliver(struct sim_world *w, struct sim_message *m); /* takes it */
void sim_process_timer(struct sim_world *w, struct sim_process *p, uint32_t id, uint32_t generation,
                       uint32_t incarnation);
void sim_process_step(struct sim_world *w, struct sim_process *p, struct kn_input in);
/* The record of `in` is complete: steps that wait for it act, then it is taken, or waits (stall).
 */
void sim_process_hear(struct sim_world *w, struct sim_process *p, struct kn_input in);
void sim_process_arm(struct sim_world *w, struct sim_process *p, uint32_t id, int64_t due_us,
                     uint64_t record);
void sim_process_empty_inbox(struct sim_world *w, struct sim_process *p);
void sim_process_free(struct sim_process *p);
bool sim_process_is_quiet(const struct sim_world *w, const struct sim_process *p);
void sim_process_block(struct sim_world *w, struct sim_process *p, bool on, uint64_t by);
sim_lane sim_process_lane(const struct sim_process *p);

/* Returns the fault that keeps messages away from this link, 0 none. */
uint64_t sim_net_blamed(const struct sim_world *w, const struct sim_link *link);
/* Copies what it carries into room that it keeps. */
void sim_message_carry(struct sim_message *m, const void *bytes, size_t size);
/* From now on quiet waits for it. */
void sim_message_matters(struct sim_world *w, struct sim_message *m);
/* It has arrived; that it may be waited with is the broker's business. */
void sim_message_matters_no_more(struct sim_world *w, struct sim_message *m);

/* ---- world_full.c ---- */
/* The log directories of these partitions fail, or the first one. */
void sim_full_fail_dirs(struct sim_world *w, struct sim_process *p,
                        const struct sim_partition_arg *partitions, uint32_t count, uint64_t by);
/* Records a note of its broker part; returns its record. */
uint64_t sim_full_note(struct sim_world *w, struct sim_process *p, const struct kn_output *o);
/* Records that its broker part hears the controller of the same node; returns the record. */
uint64_t sim_full_own_request(struct sim_world *w, struct sim_process *p, const struct kc_output *o,
                              uint64_t by);
/* Returns what caused a request of its broker part to ZooKeeper, `by` where nothing better is
 * known.
 */
uint64_t sim_full_cause(struct sim_world *w, const struct sim_process *p,
                        const struct wire_zk_request *request, uint64_t by);
/* Its disks, empty, and the keeper of all bytes; where they are not there yet. */
void sim_full_disks(struct sim_world *w, struct sim_process *p);
void sim_full_make(struct sim_world *w, struct sim_process *p); /* its node gets a broker part */
void sim_full_gone(struct sim_world *w, struct sim_process *p, bool clean);
/* Between two lives: its failed log directories work again. */
void sim_full_repair(struct sim_process *p);
void sim_full_forget(struct sim_world *w, struct sim_process *p); /* requests that wait */
void sim_full_free(struct sim_process *p);
bool sim_full_grow(struct sim_world *w, struct kn_node *n, enum kn_block block,
                   const char *short_of, size_t scratch_needed);
void sim_full_request(struct sim_world *w, struct sim_message *m); /* takes it */
void sim_full_unlock(struct sim_world *w, struct sim_process *p);  /* after a step: who may go on? */
void sim_full_output(struct sim_world *w, struct sim_process *p, const struct kn_output *o);
/* A request waits for its broker part under a number (m->call_id), and is taken out by it (NULL: it
   is gone). */
void sim_full_pend(struct sim_world *w, struct sim_process *p, struct sim_message *m);
struct sim_message *sim_full_take(struct sim_process *p, uint64_t call_id);
/* Steps it, and does what steps of the scenario want before and behind. */
void sim_full_step(struct sim_world *w, struct sim_process *p, struct kn_input in);

/* ---- world_given.c ---- */
void sim_world_put_logs(struct sim_world *w); /* those that the scenario gives */

/* ---- world_peers.c ---- */
void sim_full_deliver(struct sim_world *w, struct sim_message *m);    /* PEER_…; takes it */
void sim_full_lost(struct sim_world *w, const struct sim_message *m); /* PEER_…, on its way */
void sim_peer_request(struct sim_world *w, struct sim_process *p, const struct kn_output *o);
void sim_peer_deadline(struct sim_world *w, struct sim_peer *peer);
/* What keeps messages away between two processes, 0 unknown. */
uint64_t sim_peer_silencer(const struct sim_world *w, int32_t at, int32_t of);
void sim_peer_response(struct sim_world *w, struct sim_process *p, const struct kn_output *o);

/* A request of a client reaches the broker part; it is answered through sim_client_answered. */
void sim_full_client_request(struct sim_world *w, struct sim_process *p, struct sim_message *m,
                             struct kn_input in);
/* Takes a request out of those that the broker part has not answered; false: it has. */
bool sim_full_forget_request(struct sim_process *p, struct sim_message *m);

/* ---- world_client.c ---- */
void sim_clients_load(struct sim_world *w); /* makes those of the scenario; down */
void sim_clients_free(struct sim_world *w);
void sim_clients_start(struct sim_world *w);                                 /* each at its time */
struct sim_process *sim_client_shell(const struct sim_world *w, int32_t id); /* NULL: none */
void sim_client_deliver(struct sim_world *w, struct sim_message *m); /* CLIENT_…; takes it */
/* The broker's answer to `request`, which is freed. */
void sim_client_answered(struct sim_world *w, struct sim_process *p, struct sim_message *request,
                         const struct kn_output *o);
/* A message of it is lost on the way: the connection breaks. */
void sim_client_lost(struct sim_world *w, struct sim_client_conn *conn, uint64_t by);
void sim_client_unrefer(struct sim_client_conn *conn);
void sim_clients_broker_gone(struct sim_world *w, struct sim_process *broker, uint64_t by);
void sim_clients_release(struct sim_world *w,
                         void (*release)(struct sim_world *, struct sim_link *));
/* A fault acts on a client: kill restart bounce shutdown stop pause resume. */
void sim_client_fault(struct sim_world *w, int32_t id, enum sim_verb verb, uint64_t by);
void sim_client_rearm(struct sim_world *w, struct sim_client *c); /* its clock was set */
void sim_client_begin(struct sim_world *w, uint32_t index);
void sim_client_timer(struct sim_world *w, uint32_t index, uint64_t generation);
void sim_client_work(struct sim_world *w, uint32_t index, uint64_t generation);
bool sim_clients_are_quiet(const struct sim_world *w);
/* A broker notes something of a log (record: the trace's). */
void sim_clients_replica(struct sim_world *w, int32_t broker_id, const struct kb_output *o,
                         uint64_t record);

/* ---- world_settled.c ---- */
/* Every live follower is in the ISR of its leader. */
bool sim_followers_are_back(struct sim_world *w);

/* ---- world_reply.c ---- */
/* Marks the request that `record` sends, where the step waits for the loss of its answer; else
 * false. */
bool sim_reply_mark(struct sim_world *w, uint32_t step, uint64_t record);
void sim_reply_takes_over(struct sim_message *answer, const struct sim_message *request);
/* Whether the message was an answer to be lost; then it has taken it, and the step has acted. */
bool sim_reply_lose(struct sim_world *w, struct sim_message *m);

/* ---- world_scripted.c ---- */
void sim_answer_send(struct sim_world *w, struct sim_message *request, uint64_t record);
void sim_scripted_session(struct sim_world *w, struct sim_process *p, struct kn_session_input in,
                          uint64_t by);
void sim_scripted_request(struct sim_world *w, struct sim_message *m); /* takes it */
void sim_scripted_handle(struct sim_world *w, struct sim_message *m);  /* takes it */
void sim_scripted_timer(struct sim_world *w, struct sim_process *p, uint32_t id);
void sim_scripted_start(struct sim_world *w, struct sim_process *p, uint64_t by);
struct sm_broker sim_registration_of(const struct sim_process *p);

/* ---- world_operate.c ---- */
void sim_call_deliver(struct sim_world *w, uint64_t id);               /* asks, or asks again */
void sim_call_timeout(struct sim_world *w, uint64_t id, uint64_t try); /* if unanswered still */
/* What the answer takes over: that, and the record of the call. */
void sim_call_taken_up(struct sim_world *w, const struct sim_message *m);
void sim_call_marks(struct sim_world *w, struct sim_message *answer);
void sim_call_answered(struct sim_world *w, struct sim_message *m); /* takes it */
void sim_calls_lost(struct sim_world *w, const struct sim_process *p);
/* Call `id` is `asker`'s own, of the life that it has now: nobody repeats it in another. */
bool sim_calls_wait(const struct sim_world *w); /* whether anybody waits for an answer */
/* Its asker waits so long only, from now on. */
void sim_call_limit(struct sim_world *w, uint64_t id, int64_t timeout_us);
void sim_call_asked_by(struct sim_world *w, uint64_t id, struct sim_process *asker);
void *sim_builder(struct sim_world *w, size_t size);
/* Returns an owned topic znode of these partitions, in the order given, and its size. */
char *sim_topic_znode(const int32_t *partitions, const struct sm_list *replicas, uint32_t count,
                      size_t *size);
/* Returns an owned {"version":1,"config":{…}}; entries without a value are left out. */
char *sim_config_znode(const struct sim_config_entry *config, uint32_t count, size_t *size);

/* ---- world_heal.c ---- */
void sim_heal_load(struct sim_world *w);
void sim_heal_due(struct sim_world *w, uint64_t is_over);
/* ---- world_random.c ---- */
/* Returns the scenario with the steps that the world's seed draws for it behind its own: itself, or
   a copy that lives as long as the world. */
const struct sim_scenario *sim_random_plan(struct sim_world *w, const struct sim_scenario *s);
void sim_random_free(struct sim_world *w);

/* ---- world_steps.c ---- */
void sim_steps_load(struct sim_world *w);
void sim_step_fire(struct sim_world *w, uint32_t step, uint64_t by);
void sim_step_due(struct sim_world *w, uint32_t step, uint64_t occurrence);
void sim_step_undo(struct sim_world *w, uint32_t undo);
/* The answer to call `call`, if it is a broker's that wants to leave. */
void sim_shutdown_answered(struct sim_world *w, uint64_t call, const struct wire_call *answer);
/* Its start-up has failed; recorded before it goes. */
void sim_process_failed(struct sim_world *w, struct sim_process *p, uint64_t by);
void sim_shutdown_again(struct sim_world *w, struct sim_process *p, uint64_t incarnation);
void sim_steps_listen(void *context, const struct sim_record *record);
void sim_steps_free(struct sim_world *w);

#endif
