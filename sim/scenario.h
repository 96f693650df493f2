/*
 * A scenario: what a scenario file says, checked, as plain structs.
 *
 *     file.yaml ──► sim_yaml (tree with marks) ──► sim_scenario_load ──► struct sim_scenario
 *                                                        └──► struct sim_diagnostics (errors)
 *
 * A struct sim_scenario that sim_scenario_load returns is right: every name in it exists, every
 * time is in range, every label is resolved to the index of its step, every topic has its
 * assignment rule. Whoever executes it asserts and never reports. Only what a moment decides is
 * left open: the roles ("leader of orders-0") are resolved when the step fires.
 *
 * Memory: arrays and strings belong to the scenario, and one call frees them all. They live until
 * then and do not move. Thread: none. Times are µs of virtual time.
 *
 * Source: design of scenario files, docs/scenarios.md.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "sim/chaos.h"
#include "statemachine/list.h"
#include "statemachine/profile.h"
#include "wire/coord.h"
#include "wire/messages.h"

struct sim_diagnostics;
struct sim_dump;
struct sim_lesson_spec;

/* Where something stands in the file: 1-based, columns count code points; line 0: nowhere (a
   default). */
struct sim_place {
    uint32_t line, column;
    uint32_t length; /* columns to underline; 0 as 1 */
};

#define SIM_FOREVER INT64_MAX

/* ---- settings: Kafka's properties that are modelled, resolved, with Kafka's defaults ---- */

/* What brokers get as they are, in Kafka's names (sim/properties.c); -1: Kafka's default. */
struct sim_coordinator_settings {
    int32_t offsets_partitions, offsets_replicas;
    int32_t txns_partitions, txns_replicas, txns_min_isr;
    int32_t initial_rebalance_ms, min_session_ms, max_session_ms;
    int32_t txn_max_ms, txn_cleanup_ms;
    int32_t txn_expiration_ms, txn_expiration_check_ms;
};

/* Logs: as they stand in a file, one key each. */
struct sim_log_settings {
    int64_t retention_ms, retention_minutes, retention_hours; /* the first that is not 0 */
    int64_t roll_ms, roll_hours;                              /* likewise */
    int64_t retention_bytes;
    int64_t retention_check_us;
    int64_t timestamp_difference_ms;
    int64_t segment_bytes;
    int32_t cleanup;         /* bits of enum kb_cleanup */
    int32_t log_append_time; /* log.message.timestamp.type: 1 LogAppendTime */
};

struct sim_settings {
    int64_t session_timeout_us;        /* zookeeper.session.timeout.ms */
    int64_t connection_timeout_us;     /* zookeeper.connection.timeout.ms; 0: the session timeout */
    int64_t leader_imbalance_check_us; /* leader.imbalance.check.interval.seconds */
    int64_t controlled_shutdown_retry_us; /* controlled.shutdown.retry.backoff.ms */
    int64_t socket_timeout_us;            /* controller.socket.timeout.ms */
    int64_t replica_lag_us;               /* replica.lag.time.max.ms */
    int64_t replica_fetch_wait_us;        /* replica.fetch.wait.max.ms */
    int64_t replica_fetch_backoff_us;     /* replica.fetch.backoff.ms */
    int64_t replica_socket_timeout_us;    /* replica.socket.timeout.ms */
    int64_t hw_checkpoint_us;             /* replica.high.watermark.checkpoint.interval.ms */
    int32_t controlled_shutdown_retries;  /* controlled.shutdown.max.retries */
    int32_t leader_imbalance_percentage;  /* leader.imbalance.per.broker.percentage */
    int32_t num_partitions;               /* num.partitions */
    int32_t default_replication_factor;   /* default.replication.factor */
    int32_t min_insync_replicas;          /* min.insync.replicas */
    int32_t replica_fetchers;             /* num.replica.fetchers */
    int32_t flush_messages;               /* log.flush.interval.messages; 0: never */
    int32_t log_dirs;                     /* how many log.dirs names */
    int32_t compression;                  /* compression.type: enum kb_compression */
    int32_t zk_in_flight;                 /* zookeeper.max.in.flight.requests */
    int32_t zk_write_group;               /* kcsim.zookeeper.write.group */
    int32_t zk_read_group;                /* kcsim.zookeeper.read.group */
    struct sim_coordinator_settings coordinators;
    struct sim_log_settings logs;
    bool unclean_leader_election; /* unclean.leader.election.enable */
    bool delete_topic;            /* delete.topic.enable */
    bool auto_leader_rebalance;   /* auto.leader.rebalance.enable */
    bool controlled_shutdown;     /* controlled.shutdown.enable */
};

/* Returns Kafka's defaults for `version`. */
struct sim_settings sim_settings_default(enum sm_version version);

/* ---- cluster ---- */

enum sim_node_role { SIM_NODE_BOTH, SIM_NODE_BROKER, SIM_NODE_CONTROLLER };
enum sim_behaviour { SIM_BEHAVIOUR_SCRIPTED, SIM_BEHAVIOUR_FULL };

struct sim_node {
    int32_t id; /* broker.id, >= 0 */
    enum sim_node_role role;
    enum sim_behaviour behaviour; /* of its broker; a controller alone has none */
    bool down;                    /* starts down: has to be restarted by a step */
    char *rack;                   /* "" for none */
    struct sim_settings settings; /* those of the cluster, with the node's own over them */
    struct sim_place place;
};

struct sim_zookeeper {
    int32_t servers; /* quorum size; told, and the number of servers that may lag */
    int64_t lag_us;  /* how old a read may be, 0: never lags */
};

/* ---- topics ---- */

struct sim_config_entry {
    char *key, *value; /* Kafka's topic config, value as text */
    struct sim_place place;
};

struct sim_topic {
    char *name;
    int32_t partition_count;
    int32_t replication_factor; /* of the generated rule; 0 where `assignment` is given */
    struct sm_list *assignment; /* [partition_count], or NULL: generated, see sim_topic_replicas */
    struct sim_config_entry *config;
    uint32_t config_count;
    struct sim_place place;
};

struct sim_given_record {
    char *value;
    int32_t epoch; /* leader epoch in which it was written */
};
struct sim_given_log {
    int32_t broker;
    struct sim_given_record *records; /* [count]: at offsets 0 … count - 1 */
    uint32_t count;
};

/* What stands in a state znode before the first controller starts. Partitions that are not given
   have no state znode then (unless a dump brings one), so that the first controller elects. */
struct sim_given {
    uint32_t topic; /* index into sim_scenario.topics, or UINT32_MAX: a topic of the dump */
    char *topic_name;
    int32_t partition;
    int32_t leader; /* SM_NO_LEADER for none */
    struct sm_list isr;
    int32_t leader_epoch;       /* 0 where absent */
    int32_t zk_version;         /* 0 where absent */
    int32_t controller_epoch;   /* 1 where absent; /controller_epoch is made at least the largest */
    struct sim_given_log *logs; /* of some of its replicas; the others are empty */
    uint32_t log_count;
    int64_t hw; /* that every replica has checkpointed, as far as its log reaches */
    struct sim_place place;
};

/* ---- clients ---- */

enum sim_client_kind { SIM_CLIENT_PRODUCES, SIM_CLIENT_CONSUMES };

/* One client process: a row of `clients`, or one member of it. */
struct sim_client_spec {
    enum sim_client_kind kind;
    int32_t number; /* of its lane: p1, p2, …; u1, u2, … */
    char *name;     /* as written, or that of its lane; several of one row: NAME-1, NAME-2, … */
    char *row;      /* name of the row: NULL where it has none */
    char **topics;  /* one or more */
    uint32_t topic_count;
    int32_t partition; /* produce: always this one; -1: the client's partitioner chooses */
    int64_t from_us;   /* the process starts */
    int64_t until_us;  /* it stops producing, or reading; SIM_FOREVER: never */
    int64_t rate_count, rate_us; /* so many records in that time */
    int64_t count;               /* records to produce; INT64_MAX: no end */
    int32_t keys;                /* number of distinct keys, 0: records without a key */
    int32_t size;                /* bytes of a value at least */
    int64_t commit_us;           /* transactional: a transaction is ended so long after its begin */
    int32_t call_timeout_ms;     /* transactional: of init, offsets, commit, abort; 0: no end */
    int32_t abort_every;         /* every n-th transaction is aborted; 0: none */
    bool assign_all;             /* consume: all partitions of its topics, no group */
    struct sim_partition_arg *assign; /* consume: these */
    uint32_t assign_count;
    bool transforms;         /* half of a transform: a consumer, and a producer of its outputs */
    uint32_t other;          /* index of the other half */
    struct kl_config config; /* texts live with the scenario */
    struct sim_place place;
};

/* ---- patterns: which trace records are meant ---- */

enum sim_side {
    SIM_SIDE_AFTER,              /* the step acts right behind the record (default) */
    SIM_SIDE_BEFORE,             /* the step acts before what the record tells takes effect */
    SIM_SIDE_APPLIED_REPLY_LOST, /* of a request (zreq, send): it is applied, its answer lost with
                                    the connection, and then the step acts */
};

enum sim_op { SIM_OP_EQ, SIM_OP_NE, SIM_OP_LT, SIM_OP_LE, SIM_OP_GT, SIM_OP_GE };

/* One condition on a field of a record; fields are the trace's own. */
struct sim_condition {
    const char *field; /* static: the trace's name of the field ("to", "api", "name", "what", …), or
                          broker, node, at: whom the record is about */
    enum sim_op op;    /* EQ unless the text says otherwise (field: ">= 3") */
    bool is_number;
    bool is_list; /* list of ids, compared in order */
    bool is_glob; /* text holds * or ?: a shell pattern */
    int64_t number;
    char *text; /* as a text: always there */
    struct sm_list list;
    struct sim_place place;
};

struct sim_pattern {
    const char *kind; /* static: the trace's name of the kind ("send", "queue", "session", …) */
    struct sim_condition *conditions;
    uint32_t condition_count;
    uint32_t nth; /* counts matching records; 1 = the first, the default */
    enum sim_side side;
    struct sim_place place;
};

/* Matching is in pattern.h. */

/* ---- steps ---- */

enum { SIM_ENSEMBLE = -2 }; /* ZooKeeper, in a list of ids */

enum sim_target_kind {
    SIM_TARGET_NONE,
    SIM_TARGET_IDS,        /* ids */
    SIM_TARGET_ALL,        /* every node */
    SIM_TARGET_ANY,        /* one living node, drawn by the seed */
    SIM_TARGET_MINORITY,   /* (n-1)/2 of the living nodes, drawn by the seed */
    SIM_TARGET_CONTROLLER, /* the node that /controller names */
    SIM_TARGET_LEADER,     /* of topic-partition, by its state znode */
    SIM_TARGET_ISR,
    SIM_TARGET_FOLLOWERS,               /* members of the ISR but the leader */
    SIM_TARGET_GROUP_COORDINATOR,       /* leader of the partition in which group `key` lies */
    SIM_TARGET_TRANSACTION_COORDINATOR, /* likewise, of transactional id `key` */
    SIM_TARGET_LABEL,                   /* whom step `step` hit (nobody before it fired) */
    SIM_TARGET_ZOOKEEPER,               /* the ensemble; in partition groups and channels only */
};

struct sim_target {
    enum sim_target_kind kind;
    uint32_t id_count;
    int32_t *ids; /* IDS, ascending as written */
    char *topic;  /* LEADER, ISR, FOLLOWERS */
    int32_t partition;
    char *key;     /* GROUP_COORDINATOR, TRANSACTION_COORDINATOR */
    uint32_t step; /* LABEL: index into sim_scenario.steps */
    char *text;    /* as written: "leader of orders-0" */
    struct sim_place place;
};

/* Messages meant by hold, release, drop, degrade. */
struct sim_channel {
    struct sim_target from, to; /* kind NONE: anybody */
    enum wire_api api;          /* WIRE_API_NONE: any */
    uint32_t nth;               /* only the n-th such message from now on; 0: every one */
};

/* name in files, what it takes, what it does. The third column is documentation. */
#define SIM_VERB_MAP(X)                                                                            \
    X(KILL, "kill", "the process ends at once; its ZooKeeper session expires later")               \
    X(RESTART, "restart", "a process that is down starts again")                                   \
    X(BOUNCE, "bounce", "the process is replaced so fast that only the broker epoch shows it")     \
    X(SHUTDOWN, "shutdown", "controlled shutdown: asks the controller, then leaves cleanly")       \
    X(STOP, "stop", "clean stop without asking the controller: the session is closed")             \
    X(PAUSE, "pause", "the process stands still (SIGSTOP, a long garbage collection)")             \
    X(RESUME, "resume", "a paused process goes on")                                                \
    X(PARTITION, "partition", "no message passes between the groups")                              \
    X(DEGRADE, "degrade", "messages of a channel take longer, or some are lost")                   \
    X(HOLD, "hold", "messages of a channel wait until released")                                   \
    X(RELEASE, "release", "messages held by a step go on")                                         \
    X(DROP, "drop", "messages of a channel are lost, and the connection with them")                \
    X(ANSWER, "answer", "a scripted broker answers as told, not without error")                    \
    X(FAIL_LOG_DIR, "fail-log-dir", "a broker reports a failed log directory")                     \
    X(EXPIRE, "expire", "ZooKeeper expires the session of a node")                                 \
    X(DISCONNECT, "disconnect", "the connection of a node to ZooKeeper breaks")                    \
    X(LOSE_QUORUM, "lose-quorum", "ZooKeeper answers nobody")                                      \
    X(DELAY, "delay", "ZooKeeper's replies to a node take longer")                                 \
    X(FAIL, "fail", "a ZooKeeper request of a node ends with an unknown outcome")                  \
    X(BLOCK, "block", "the controller's event thread takes no event")                              \
    X(CLOCK_SKEW, "clock-skew", "the clock of a machine is wrong, or runs too fast or too slow")   \
    X(UNBLOCK, "unblock", "the controller's event thread goes on")                                 \
    X(CREATE_TOPIC, "create-topic", "a topic is created as kafka-topics.sh does")                  \
    X(ADD_PARTITIONS, "add-partitions", "a topic gets more partitions")                            \
    X(DELETE_TOPIC, "delete-topic", "topics are marked for deletion, in one transaction")          \
    X(ALTER_CONFIG, "alter-config", "a topic's configuration is changed, and the change told")     \
    X(ELECT_LEADERS, "elect-leaders", "an election is asked for (Kafka's JSON)")                   \
    X(REASSIGN, "reassign", "a reassignment is asked for (Kafka's JSON)")                          \
    X(CANCEL_REASSIGNMENT, "cancel-reassignment", "reassignments are cancelled, by request")       \
    X(MOVE_CONTROLLER, "move-controller", "the /controller znode is deleted")                      \
    X(SET_ISR, "set-isr", "what a leader does: writes another ISR into the state znode")           \
    X(ZNODE, "znode", "somebody outside writes a znode")

enum sim_verb {
    SIM_VERB_NONE,
#define X(name, text, what) SIM_VERB_##name,
    SIM_VERB_MAP(X)
#undef X
        SIM_VERB_END
};
const char *sim_verb_name(enum sim_verb verb); /* "kill"; static */
const char *sim_verb_text(enum sim_verb verb); /* what it does; static */

enum sim_via { SIM_VIA_DEFAULT, SIM_VIA_ZNODE, SIM_VIA_REQUEST };
enum sim_znode_act { SIM_ZNODE_NONE, SIM_ZNODE_SET, SIM_ZNODE_CREATE, SIM_ZNODE_DELETE };

struct sim_partition_arg {
    char *topic;
    int32_t partition;
    bool has_replicas;
    struct sm_list replicas; /* reassign: the target; add-partitions, create-topic: the assignment;
                                set-isr: the ISR */
    struct sim_place place;
};

enum sim_when {
    SIM_WHEN_AT,      /* at_us */
    SIM_WHEN_EVERY,   /* at_us, at_us + every_us, … while <= until_us */
    SIM_WHEN_PATTERN, /* pattern */
    SIM_WHEN_AFTER,   /* at_us after step `after` has fired */
};

/* A step, and the arguments of its verb; those that a verb does not take are zero. */
struct sim_step {
    enum sim_when when;
    enum sim_verb verb;
    int64_t at_us, every_us, until_us;
    int64_t for_us; /* the fault is undone after it; SIM_FOREVER: never */
    uint32_t after; /* index of a step, always another one */
    struct sim_pattern pattern;
    char *label; /* NULL for none */

    /* kill restart bounce shutdown stop pause resume answer fail-log-dir expire disconnect delay
       fail block unblock */
    struct sim_target target;

    struct sim_target *groups; /* PARTITION: two or more; every group is cut off from every other */
    uint32_t group_count;
    bool oneway; /* PARTITION: only from the first group to the others */

    struct sim_channel channel; /* DEGRADE HOLD DROP RELEASE (RELEASE: or target, a label) */
    int64_t delay_us;           /* DEGRADE, DELAY, ANSWER: added to each */
    int64_t jitter_us;          /* DEGRADE: 0 … jitter more, drawn by the seed */
    int32_t loss_percent;       /* DEGRADE */

    /* ANSWER: requests of `api` (NONE: any) get `error`; else partitions named (none named: all)
       get `partition_error`. drop: the connection breaks; hang: no answer. `count` of them, 0:
       until another `answer` or the end of `for`. */
    enum wire_api api;
    int32_t error, partition_error;
    bool drop, hang, clear; /* clear: back to answers without error */
    uint32_t count;

    int64_t offset_us; /* CLOCK_SKEW: of the date, may be negative */
    int32_t rate_ppm;  /* CLOCK_SKEW: 1,000,000 is right */

    bool stale_epoch;      /* SHUTDOWN: the request carries the epoch of an earlier life */
    bool request_only;     /* SHUTDOWN: asks, and does not leave */
    bool lose_unflushed;   /* KILL: the machine is lost, not the process alone */
    bool leave_ephemerals; /* EXPIRE: they outlive the session */
    bool applied;          /* FAIL: applied, and only the reply lost (else not applied) */

    char **topics; /* CREATE_TOPIC (1), ADD_PARTITIONS (1), DELETE_TOPIC, ALTER_CONFIG (1) */
    uint32_t topic_count;
    int32_t partition_count; /* CREATE_TOPIC, ADD_PARTITIONS without an assignment: the new total */
    int32_t replication_factor; /* CREATE_TOPIC, likewise */
    struct sim_config_entry
        *config; /* CREATE_TOPIC, ALTER_CONFIG; value NULL: the key is removed */
    uint32_t config_count;
    struct sim_partition_arg *partitions; /* as struct sim_partition_arg says; ANSWER, FAIL_LOG_DIR:
                                             which partitions */
    uint32_t partition_arg_count;
    bool unclean;        /* ELECT_LEADERS: type unclean (else preferred) */
    bool all_partitions; /* ELECT_LEADERS: no partitions named, all */
    enum sim_via via;    /* ELECT_LEADERS, REASSIGN: DEFAULT is what 2.8's tools do (request), for
                            0.9 and before the znode */
    int64_t timeout_us;  /* ELECT_LEADERS, REASSIGN, CANCEL_REASSIGNMENT by request: how long the
                            tool  waits in all; 0: as it does by default */
    bool notify;         /* SET_ISR: an /isr_change_notification follows (default true) */

    enum sim_znode_act act; /* ZNODE */
    char *path;
    char *data; /* NULL: null payload */
    size_t data_size;
    int32_t version; /* expected, or WIRE_ZK_ANY_VERSION */

    /* The seed wrote it (world_random.c): a pattern is looked for from at_us to until_us only, and
       `for` ends by until_us. */
    bool is_drawn;

    struct sim_place place; /* of the step */
    struct sim_place verb_place;
};

/* Faults and operations that the seed draws. */
struct sim_random {
    int32_t count[SIM_CHAOS_END]; /* how many of each class */
    int64_t from_us, until_us;    /* all begin and end between them */
    bool is_on;
    bool swarm; /* the seed switches each class off with probability 1/2 */
    struct sim_place place;
};

/* ---- heal: two phases, faults and then none ---- */

enum sim_core { SIM_CORE_ALL, SIM_CORE_RANDOM, SIM_CORE_IDS };

/* At at_us all faults stop, and the nodes of the core that are down start. */
struct sim_heal {
    bool is_on;
    enum sim_core core; /* RANDOM: more than half of the nodes, drawn by the seed */
    int32_t *ids;       /* IDS */
    uint32_t id_count;
    int64_t at_us;
    struct sim_place place;
};

/* ---- expectations ---- */

enum sim_modality {
    SIM_ALWAYS, /* from the first moment it can hold to the end */
    SIM_NEVER,
    SIM_SOMETIMES, /* at least once */
    SIM_BY,        /* true at some moment not later than time_us, and from then to time_us */
    SIM_AT,        /* true at time_us */
    SIM_END,       /* true when the run ends */
};

enum sim_subject {
    SIM_SUBJECT_PATTERN,    /* pattern: records */
    SIM_SUBJECT_PARTITION,  /* topic, partition */
    SIM_SUBJECT_REPLICA,    /* topic, partition, broker */
    SIM_SUBJECT_CONTROLLER, /* node */
    SIM_SUBJECT_BROKER,     /* node */
    SIM_SUBJECT_TOPIC,      /* topic */
    SIM_SUBJECT_ZNODE,      /* path */
    SIM_SUBJECT_CLIENT,     /* clients */
    SIM_SUBJECT_METRIC,     /* metric, op, number */
    SIM_SUBJECT_EACH,       /* all | any | count of a selection */
    SIM_SUBJECT_CHECK,      /* check: a name of check.h holds, or was seen */
};

enum sim_quantifier { SIM_ALL, SIM_ANY, SIM_COUNT };
enum sim_selection { SIM_PARTITIONS, SIM_REPLICAS };

/* One property that a subject must have: see docs/scenarios.md for each name. */
struct sim_property {
    const char *name; /* static: "state", "leader", "isr", "epoch", "zk-version", … */
    enum sim_op op;
    bool is_number, is_list;
    int64_t number;
    char *text;
    struct sm_list list; /* is_list */
    struct sim_place place;
};

struct sim_expect {
    enum sim_modality modality;
    enum sim_subject subject;
    int64_t time_us; /* BY, AT */
    struct sim_pattern pattern;
    bool has_after; /* counts only behind the first record that meets `after` */
    struct sim_pattern after;
    char *topic;
    int32_t partition;
    int32_t node; /* REPLICA, BROKER: broker id; CONTROLLER: node id, -1: none must be active */
    char *path;
    int32_t *clients; /* ids */
    uint32_t client_count;
    const char *metric; /* static */
    int32_t check;      /* CHECK: enum sim_check, or SIM_CHECK_END + enum sim_sometimes */
    enum sim_op op;     /* METRIC; EACH with COUNT */
    int64_t number;
    bool absent; /* is: absent */
    enum sim_quantifier quantifier;
    enum sim_selection selection;
    int32_t on; /* EACH: replicas on this broker; -1: on any */
    struct sim_property *properties;
    uint32_t property_count;
    char *text; /* one line, as written, for reports */
    struct sim_place place;
};

/* ---- the whole ---- */

/* A file that a scenario names: a dump, properties, a reassignment. */
struct sim_scenario_file {
    char *path; /* as the scenario writes it */
    char *text; /* its bytes, NUL-terminated */
    size_t size;
};

struct sim_scenario {
    char *file; /* name as given to load */
    char *text; /* the file's bytes, NUL-terminated */
    size_t text_size;
    struct sim_scenario_file *files; /* that were read, in this order */
    uint32_t file_count;
    char *title, *question, *source; /* NULL where absent */
    enum sm_version version;
    struct sm_profile profile; /* of version, with `defects` applied */
    uint64_t seed;
    int64_t until_us;             /* end of the run; with until_quiet the horizon */
    bool until_quiet;             /* ends when quiet and nothing of the scenario is ahead */
    struct sim_settings settings; /* of the cluster */
    enum sim_behaviour behaviour; /* of nodes that do not say another */
    struct sim_zookeeper zookeeper;
    struct sim_node *nodes; /* in the order of the file: processes start in this order */
    uint32_t node_count;
    struct sim_topic *topics; /* in the order of the file, patterns expanded */
    uint32_t topic_count;
    struct sim_given *given;
    uint32_t given_count;
    struct sim_client_spec *clients; /* in the order of the file */
    uint32_t client_count;
    struct sim_dump *dump; /* cluster.from, or NULL: the znodes before the first process starts */
    struct sim_step *steps;
    uint32_t step_count;
    struct sim_random random;
    struct sim_heal heal;
    struct sim_expect *expect;
    uint32_t expect_count;
    const struct sim_lesson_spec *lesson; /* sim/lesson_spec.h; NULL: it is no lesson */
    void *memory;                         /* the scenario's own */
};

/* Loads the file, or a text under the name `file`. Returns an owned scenario, or NULL with at least
   one error in `diagnostics` (which also gets warnings of a good file). Paths in a scenario are
   relative to its folder. */
struct sim_scenario *sim_scenario_load(const char *file, struct sim_diagnostics *diagnostics);
struct sim_scenario *sim_scenario_parse(const char *file, const char *text, size_t size,
                                        struct sim_diagnostics *diagnostics);
/* The same with `beside` (borrowed for the call): what it has of the files that the text names is
   taken from there, and not from the folder. */
struct sim_scenario *sim_scenario_parse_with(const char *file, const char *text, size_t size,
                                             const struct sim_scenario_file *beside, uint32_t count,
                                             struct sim_diagnostics *diagnostics);
/* Returns an empty scenario to be filled by another reader; sim_scenario_text gives memory that
   lives as long as it. */
struct sim_scenario *sim_scenario_new(const char *file);
char *sim_scenario_text(struct sim_scenario *scenario, const char *text); /* copies */
/* Whether an elect-leaders or reassign step asks by znode. */
bool sim_step_is_by_znode(const struct sim_scenario *scenario, const struct sim_step *step);
void sim_scenario_free(struct sim_scenario *scenario); /* NULL is fine */

/* Returns the node, or NULL. */
const struct sim_node *sim_scenario_node(const struct sim_scenario *scenario, int32_t id);

/* Stores the replicas of a partition: the explicit list, or Kafka's rule without racks over the ids
   of the brokers, ascending, with start index and shift 0 (Kafka draws both).
   Source: AdminUtils.assignReplicasToBrokersRackUnaware. */
void sim_topic_replicas(const struct sim_scenario *scenario, const struct sim_topic *topic,
                        int32_t partition, struct sm_list *replicas);
/* The same rule for any count of brokers `ids` (ascending), for create-topic and add-partitions. */
void sim_assign_replicas(const int32_t *ids, uint32_t id_count, int32_t partition,
                         int32_t replication_factor, struct sm_list *replicas);

#endif
