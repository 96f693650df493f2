/*
 * The tables of the grammar: see grammar.h. Their order is that of the documentation.
 */
#include "sim/grammar.h"

#include <string.h>

#include "sim/client_properties.h"

static const char *const versions[] = {"2.8", "2.8-fixed", "0.9", "0.8.2", NULL};
static const char *const roles[] = {"both", "broker", "controller", NULL};
static const char *const behaviours[] = {"scripted", "full", NULL};
static const char *const election_types[] = {"preferred", "unclean", NULL};
static const char *const ways[] = {"znode", "request", NULL};
static const char *const losses[] = {"unflushed", NULL};
static const char *const leavings[] = {"ephemerals", NULL};
static const char *const outcomes[] = {"normal", "drop", "hang", NULL};
static const char *const acts[] = {"set", "create", "delete", NULL};
static const char *const sides[] = {"after", "before", "applied-reply-lost", NULL};
static const char *const acks[] = {"0", "1", "all", NULL};
static const char *const outputs[] = {"failure-free", NULL};
static const char *const sinces[] = {"stop", "start", NULL};
static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">=", NULL};

#define ROW(s, n, f, ...)                                                                          \
    {                                                                                              \
        .shape = SIM_SHAPE_##s, .name = n, .form = SIM_FORM_##f, __VA_ARGS__                       \
    }
#define V(verb)             SIM_VERB_BIT(SIM_VERB_##verb)
#define VERB(id, n, f, ...) ROW(STEP, n, f, .verb = SIM_VERB_##id, __VA_ARGS__)

const struct sim_key sim_keys[] = {
    ROW(FILE, "title", TEXT, .text = "one line: what happens"),
    ROW(FILE, "question", TEXT, .text = "what the reader should ask himself before running it"),
    ROW(FILE, "source", TEXT, .text = "the test, JIRA or section that it mirrors"),
    ROW(FILE, "kafka", ENUM, .words = versions, .text = "which Kafka is simulated; 2.8"),
    ROW(FILE, "defects", SWITCHES, .text = "defects of that version switched off (or on)"),
    ROW(FILE, "seed", INT, .text = "of all that is drawn; 1"),
    ROW(FILE, "until", UNTIL, .text = "when the run ends; quiet"),
    ROW(FILE, "cluster", OBJECT, .of = SIM_SHAPE_CLUSTER, .text = "processes and ZooKeeper"),
    ROW(FILE, "topics", TOPICS, .of = SIM_SHAPE_TOPIC,
        .text = "topics that exist before the first process starts, by name or pattern"),
    ROW(FILE, "given", GIVENS, .of = SIM_SHAPE_GIVEN,
        .text = "state znodes before the start, by TOPIC-PARTITION"),
    ROW(FILE, "clients", LIST, .of = SIM_SHAPE_CLIENT, .text = "producers and consumers"),
    ROW(FILE, "steps", LIST, .of = SIM_SHAPE_STEP, .text = "what is done to the cluster, and when"),
    ROW(FILE, "random", OBJECT, .of = SIM_SHAPE_RANDOM, .text = "faults that the seed draws"),
    ROW(FILE, "expect", LIST, .of = SIM_SHAPE_EXPECT, .text = "what must come of it"),
    ROW(FILE, "lesson", LIST, .of = SIM_SHAPE_LESSON, .text = "stops and questions for learners"),
    ROW(FILE, "jobs", LIST, .of = SIM_SHAPE_JOB, .text = "stream jobs", .later = true),
    ROW(FILE, "heal", OBJECT, .of = SIM_SHAPE_HEAL,
        .text = "when faults stop; then liveness is checked (kcsim explain checks)"),
    ROW(FILE, "explore", OBJECT, .of = SIM_SHAPE_EXPLORE, .text = "searching all interleavings",
        .later = true),

    ROW(CLUSTER, "nodes", NODES, .of = SIM_SHAPE_NODE,
        .text = "the processes, in the order in which they start: ids, or mappings with an id"),
    ROW(CLUSTER, "from", TEXT, .text = "a dump of znodes that the cluster starts from"),
    ROW(CLUSTER, "behaviour", ENUM, .words = behaviours,
        .text =
            "of every broker: full (hosts logs, follows, keeps the ISR; this is the default) or "
            "scripted (answers without error, does nothing by itself)"),
    ROW(CLUSTER, "properties", PROPERTIES, .text = "Kafka's server.properties, or such a file"),
    ROW(CLUSTER, "zookeeper", OBJECT, .of = SIM_SHAPE_ZOOKEEPER, .text = "the ensemble"),

    ROW(NODE, "id", INT, .text = "broker.id"),
    ROW(NODE, "role", ENUM, .words = roles,
        .text = "both: a broker that may become controller, as in Kafka"),
    ROW(NODE, "behaviour", ENUM, .words = behaviours, .text = "of this broker"),
    ROW(NODE, "rack", TEXT, .text = "broker.rack"),
    ROW(NODE, "down", BOOL, .text = "it is not running at the start"),
    ROW(NODE, "properties", PROPERTIES, .text = "over those of the cluster"),

    ROW(ZOOKEEPER, "servers", INT, .text = "size of the ensemble; 1"),
    ROW(ZOOKEEPER, "lag", TIME, .text = "how old a read may be; 0s"),

    ROW(TOPIC, "assignment", ASSIGNMENT, .text = "replicas of each partition, the preferred first"),
    ROW(TOPIC, "partitions", INT, .text = "how many, placed by Kafka's rule"),
    ROW(TOPIC, "replication-factor", INT, .text = "with partitions"),
    ROW(TOPIC, "config", CONFIG, .text = "topic configuration in Kafka's names"),

    ROW(GIVEN, "leader", VALUE, .text = "broker id, or none"),
    ROW(GIVEN, "isr", IDS, .text = "in-sync replicas, in order"),
    ROW(GIVEN, "epoch", INT, .text = "leader epoch; 0"),
    ROW(GIVEN, "zk-version", INT, .text = "data version of the znode; 0"),
    ROW(GIVEN, "controller-epoch", INT, .text = "epoch of the controller that wrote it; 1"),
    ROW(GIVEN, "log", LOGS, .text = "records of each replica: {1: [a@0, b@0]}, VALUE@EPOCH"),
    ROW(GIVEN, "hw", INT, .text = "high watermark; as far as all logs of the ISR reach"),

    ROW(CLIENT, "produce", NAMES, .text = "a producer: the topic, or topics in turn"),
    ROW(CLIENT, "consume", NAMES, .text = "a consumer: the topic, or topics"),
    ROW(CLIENT, "transform", TEXT,
        .text = "IN -> OUT: reads IN in a group and writes OUT, in transactions that commit the "
                "offsets, too"),
    ROW(CLIENT, "name", TEXT,
        .text = "for steps and expectations; p1, p2, …, u1, u2, …, t1, t2, …"),
    ROW(CLIENT, "from", TIME, .text = "the process starts; 100ms"),
    ROW(CLIENT, "until", TIME, .text = "it stops producing, or reading; never"),
    ROW(CLIENT, "rate", RATE, .text = "records per time: 100/s (the default), 5/ms, 30/m"),
    ROW(CLIENT, "count", INT, .text = "so many records, then no more; without end"),
    ROW(CLIENT, "keys", INT, .text = "so many distinct keys, in turn; no keys"),
    ROW(CLIENT, "size", INT, .text = "bytes of a value; as short as its name (p1#17)"),
    ROW(CLIENT, "partition", INT, .text = "every record into this partition"),
    ROW(CLIENT, "acks", ENUM, .words = acks,
        .text = "who must have a record: all in-sync replicas (the default), the leader, nobody"),
    ROW(CLIENT, "idempotent", BOOL,
        .text = "enable.idempotence: retries make no duplicates; false"),
    ROW(CLIENT, "transactional-id", TEXT, .text = "the producer works in transactions"),
    ROW(CLIENT, "commit-every", TIME, .text = "with transactional-id: how long one lasts; 100ms"),
    ROW(CLIENT, "abort-every", INT, .text = "with transactional-id: every n-th is aborted; none"),
    ROW(CLIENT, "timeout", TIME,
        .text =
            "with transactional-id: of init, offsets, commit and abort, which then end as timed "
            "out and are called again; none"),
    ROW(CLIENT, "group", TEXT, .text = "member of this group; without one: all partitions"),
    ROW(CLIENT, "members", INT, .text = "so many such processes; 1"),
    ROW(CLIENT, "assign", NAMES, .text = "partitions without a group: all, or a list of T-P"),
    ROW(CLIENT, "assignor", ENUM, .words = sim_assignor_words,
        .text = "how the group divides partitions; range"),
    ROW(CLIENT, "static", BOOL,
        .text = "a static member: its name is its group.instance.id; false"),
    ROW(CLIENT, "isolation", ENUM, .words = sim_isolation_words,
        .text = "read_committed (librdkafka's default) or read_uncommitted"),
    ROW(CLIENT, "reset", ENUM, .words = sim_reset_words,
        .text = "where it begins without a committed offset: earliest (the default here), latest"),
    ROW(CLIENT, "properties", CLIENT_PROPERTIES,
        .text = "librdkafka's: {linger.ms: 5, enable.idempotence: true}"),

    ROW(STEP, "at", TIME, .text = "acts at this time"),
    ROW(STEP, "every", TIME, .text = "acts again and again, [from, until] a time"),
    ROW(STEP, "from", TIME, .text = "with every: first time; one period after the start"),
    ROW(STEP, "until", TIME, .text = "with every: not after it; the end of the run"),
    ROW(STEP, "when", OBJECT, .of = SIM_SHAPE_PATTERN, .text = "acts when a record matches"),
    ROW(STEP, "after", AFTER, .text = "acts when the step of this label has acted, +T later"),
    ROW(STEP, "as", TEXT, .text = "label of this step"),
    ROW(STEP, "for", TIME, .text = "the fault is undone after this time",
        .verbs = V(KILL) | V(PAUSE) | V(PARTITION) | V(DEGRADE) | V(HOLD) | V(DROP) | V(ANSWER) |
                 V(DISCONNECT) | V(LOSE_QUORUM) | V(DELAY) | V(BLOCK) | V(FAIL_LOG_DIR) |
                 V(CLOCK_SKEW)),
    VERB(KILL, "kill", TARGET, .text = "ends processes at once; their sessions expire later"),
    VERB(RESTART, "restart", TARGET, .text = "starts processes that are down"),
    VERB(BOUNCE, "bounce", TARGET,
         .text = "replaces processes so fast that only the broker epoch shows it"),
    VERB(SHUTDOWN, "shutdown", TARGET,
         .text = "controlled shutdown: asks the controller, then leaves"),
    VERB(STOP, "stop", TARGET,
         .text = "clean stop: the session is closed, the controller not asked"),
    VERB(PAUSE, "pause", TARGET, .text = "processes stand still, as in a long garbage collection"),
    VERB(RESUME, "resume", TARGET, .text = "paused processes go on"),
    VERB(PARTITION, "partition", GROUPS,
         .text = "no message passes between these groups (zookeeper may be in one)"),
    VERB(DEGRADE, "degrade", OBJECT, .of = SIM_SHAPE_CHANNEL,
         .text = "messages take longer, or get lost"),
    VERB(HOLD, "hold", OBJECT, .of = SIM_SHAPE_CHANNEL, .text = "messages wait until released"),
    VERB(RELEASE, "release", TARGET, .text = "what the step of this label holds goes on"),
    VERB(DROP, "drop", OBJECT, .of = SIM_SHAPE_CHANNEL,
         .text = "messages are lost, their connection breaks"),
    VERB(ANSWER, "answer", TARGET, .text = "scripted brokers answer as told"),
    VERB(FAIL_LOG_DIR, "fail-log-dir", TARGET, .text = "a log directory of these brokers fails"),
    VERB(EXPIRE, "expire", TARGET, .text = "ZooKeeper expires the sessions of these nodes"),
    VERB(DISCONNECT, "disconnect", TARGET,
         .text = "the connections of these nodes to ZooKeeper break"),
    VERB(LOSE_QUORUM, "lose-quorum", TRUE, .text = "ZooKeeper answers nobody"),
    VERB(DELAY, "delay", TARGET, .text = "ZooKeeper's replies to these nodes take longer"),
    VERB(FAIL, "fail", TARGET,
         .text = "the next ZooKeeper request of these nodes: outcome unknown"),
    VERB(BLOCK, "block", TARGET, .text = "the controller event threads of these nodes stand still"),
    VERB(UNBLOCK, "unblock", TARGET, .text = "they go on"),
    VERB(CLOCK_SKEW, "clock-skew", TARGET,
         .text = "the clocks of these machines are wrong, or run too fast or too slow"),
    VERB(CREATE_TOPIC, "create-topic", TEXT, .text = "as kafka-topics.sh --create"),
    VERB(ADD_PARTITIONS, "add-partitions", TEXT, .text = "as kafka-topics.sh --alter --partitions"),
    VERB(DELETE_TOPIC, "delete-topic", NAMES,
         .text = "as kafka-topics.sh --delete, in one transaction"),
    VERB(ALTER_CONFIG, "alter-config", TEXT, .text = "as kafka-configs.sh --alter on a topic"),
    VERB(ELECT_LEADERS, "elect-leaders", KAFKA_JSON,
         .text = "as kafka-leader-election.sh, with its JSON"),
    VERB(REASSIGN, "reassign", KAFKA_JSON,
         .text = "as kafka-reassign-partitions.sh --execute, with its JSON"),
    VERB(CANCEL_REASSIGNMENT, "cancel-reassignment", NAMES,
         .text = "as kafka-reassign-partitions.sh --cancel"),
    VERB(MOVE_CONTROLLER, "move-controller", TRUE, .text = "deletes /controller"),
    VERB(SET_ISR, "set-isr", ISRS, .text = "what leaders do: write another ISR, then tell of it"),
    VERB(ZNODE, "znode", TEXT, .text = "somebody outside writes this znode"),
    VERB(NONE, "savepoint", TARGET, .text = "of a stream job", .later = true),
    VERB(NONE, "cancel", TARGET, .text = "of a stream job", .later = true),
    ROW(STEP, "oneway", BOOL, .verbs = V(PARTITION),
        .text = "only from the first group to the others"),
    ROW(STEP, "latency", TIME, .verbs = V(DEGRADE) | V(DELAY) | V(ANSWER), .text = "added to each"),
    ROW(STEP, "offset", OFFSET, .verbs = V(CLOCK_SKEW), .text = "of the date: 2s, -500ms"),
    ROW(STEP, "rate", FACTOR, .verbs = V(CLOCK_SKEW),
        .text = "how fast time passes there: 1.01; 1 is right"),
    ROW(STEP, "jitter", TIME, .verbs = V(DEGRADE),
        .text = "up to this much more, drawn by the seed"),
    ROW(STEP, "loss", PERCENT, .verbs = V(DEGRADE), .text = "how many are lost: 10%"),
    ROW(STEP, "api", TEXT, .verbs = V(ANSWER),
        .text = "requests of this API only: LeaderAndIsr, …"),
    ROW(STEP, "error", TEXT, .verbs = V(ANSWER),
        .text = "of the whole answer: STALE_BROKER_EPOCH, …"),
    ROW(STEP, "partition-error", TEXT, .verbs = V(ANSWER),
        .text = "of partitions: KAFKA_STORAGE_ERROR, …"),
    ROW(STEP, "outcome", ENUM, .words = outcomes, .verbs = V(ANSWER),
        .text = "normal: without error again; drop: the connection breaks; hang: no answer"),
    ROW(STEP, "count", INT, .verbs = V(ANSWER), .text = "so many answers only"),
    ROW(STEP, "partitions", PARTITIONS,
        .verbs = V(ANSWER) | V(FAIL_LOG_DIR) | V(CREATE_TOPIC) | V(ADD_PARTITIONS),
        .text = "a count, or which partitions"),
    ROW(STEP, "replication-factor", INT, .verbs = V(CREATE_TOPIC),
        .text = "with a count of partitions"),
    ROW(STEP, "assignment", ASSIGNMENT, .verbs = V(CREATE_TOPIC) | V(ADD_PARTITIONS),
        .text = "replicas of each (new) partition"),
    ROW(STEP, "config", CONFIG, .verbs = V(CREATE_TOPIC), .text = "topic configuration"),
    ROW(STEP, "set", CONFIG, .verbs = V(ALTER_CONFIG), .text = "configuration that is set"),
    ROW(STEP, "remove", NAMES, .verbs = V(ALTER_CONFIG), .text = "configuration that is removed"),
    ROW(STEP, "election-type", ENUM, .words = election_types, .verbs = V(ELECT_LEADERS),
        .text = "preferred (the default) or unclean"),
    ROW(STEP, "via", ENUM, .words = ways, .verbs = V(ELECT_LEADERS) | V(REASSIGN),
        .text = "by writing the znode, or by request to the controller"),
    ROW(STEP, "timeout", TIME, .verbs = V(ELECT_LEADERS) | V(REASSIGN) | V(CANCEL_REASSIGNMENT),
        .text = "how long the tool waits for its answer in all; 60s"),
    ROW(STEP, "stale-epoch", BOOL, .verbs = V(SHUTDOWN),
        .text = "asks with the epoch of an earlier life"),
    ROW(STEP, "lose", ENUM, .words = losses, .verbs = V(KILL),
        .text = "unflushed: the machine goes, with all that its disks had not taken yet"),
    ROW(STEP, "leave", ENUM, .words = leavings, .verbs = V(EXPIRE),
        .text = "ephemerals: ZooKeeper forgets to delete them (ZOOKEEPER-2985)"),
    ROW(STEP, "request-only", BOOL, .verbs = V(SHUTDOWN), .text = "asks, and does not leave"),
    ROW(STEP, "applied", BOOL, .verbs = V(FAIL),
        .text = "ZooKeeper applies it, only the reply is lost"),
    ROW(STEP, "notify", BOOL, .verbs = V(SET_ISR),
        .text = "an /isr_change_notification follows; true"),
    ROW(STEP, "do", ENUM, .words = acts, .verbs = V(ZNODE),
        .text = "set (the default), create or delete"),
    ROW(STEP, "data", TEXT, .verbs = V(ZNODE), .text = "the data to write"),
    ROW(STEP, "version", INT, .verbs = V(ZNODE), .text = "the data version expected"),

    ROW(CHANNEL, "from", TARGET, .text = "who sends; anybody"),
    ROW(CHANNEL, "to", TARGET, .text = "who receives; anybody"),
    ROW(CHANNEL, "api", TEXT,
        .text = "only this API: LeaderAndIsr, UpdateMetadata, StopReplica, …"),
    ROW(CHANNEL, "nth", INT, .text = "only the n-th message from now on"),

    ROW(PATTERN, "event", TEXT, .text = "kind of the record: see kcsim explain events"),
    ROW(PATTERN, "nth", INT, .text = "the n-th that matches; 1"),
    ROW(PATTERN, "side", ENUM, .words = sides,
        .text = "act after it (default), before it takes effect, or (zreq) apply it and lose the "
                "reply"),

    ROW(RANDOM, "faults", OBJECT_OR_ALL, .of = SIM_SHAPE_FAULTS,
        .text = "how many of each class, or all: a few of every class"),
    ROW(RANDOM, "from", TIME, .text = "not before; 0s"),
    ROW(RANDOM, "until", TIME, .text = "not after; 60s"),
    ROW(RANDOM, "swarm", BOOL, .text = "the seed switches each class off with probability 1/2"),

#define X(id, name, all, what) ROW(FAULTS, name, INT, .text = what),
    SIM_CHAOS_MAP(X)
#undef X

        ROW(HEAL, "at", TIME,
            .text = "when; steps and drawn faults do not act any more from then on"),
    ROW(HEAL, "core", TARGET,
        .text = "who is started again if it is down: all (default), random (more than half of the "
                "nodes, drawn by the seed), or ids"),

    ROW(EXPECT, "always", OBJECT, .of = SIM_SHAPE_STATEMENT, .text = "true at every moment"),
    ROW(EXPECT, "never", OBJECT, .of = SIM_SHAPE_STATEMENT,
        .text = "no such record, or never true"),
    ROW(EXPECT, "sometimes", OBJECT, .of = SIM_SHAPE_STATEMENT, .text = "at least once"),
    ROW(EXPECT, "by", TIME, .text = "true at this time at the latest, and still at it"),
    ROW(EXPECT, "at", TIME, .text = "true at this time"),
    ROW(EXPECT, "end", OBJECT, .of = SIM_SHAPE_STATEMENT, .text = "true at the end"),
    ROW(EXPECT, "after", OBJECT, .of = SIM_SHAPE_PATTERN, .text = "counts only behind this record"),

    ROW(STATEMENT, "partition", TEXT, .text = "TOPIC-PARTITION"),
    ROW(STATEMENT, "replica", TEXT, .text = "TOPIC-PARTITION-BROKER"),
    ROW(STATEMENT, "controller", VALUE, .text = "id of the active controller, any, or none"),
    ROW(STATEMENT, "broker", INT, .text = "id"),
    ROW(STATEMENT, "topic", TEXT, .text = "name"),
    ROW(STATEMENT, "client", TEXT, .text = "name: p1, u1, …; of several in one row: their sum"),
    ROW(STATEMENT, "znode", TEXT, .text = "path"),
    ROW(STATEMENT, "metric", TEXT, .text = "of the active controller: OfflinePartitionsCount, …"),
    ROW(STATEMENT, "all", TEXT, .text = "partitions [of T], replicas [of T] [on B]: each of them"),
    ROW(STATEMENT, "any", TEXT, .text = "at least one of them"),
    ROW(STATEMENT, "count", TEXT, .text = "how many of them; with op and value"),
    ROW(STATEMENT, "is", IS, .text = "what it must be, or absent"),
    ROW(STATEMENT, "op", ENUM, .words = ops, .text = "with metric and count; =="),
    ROW(STATEMENT, "value", INT, .text = "with metric and count"),
    ROW(STATEMENT, "output of", TEXT, .text = "output of a stream job", .later = true),
    ROW(STATEMENT, "equals", ENUM, .words = outputs,
        .text = "with output of: what a run without faults writes", .later = true),

    ROW(IS_PARTITION, "state", VALUE,
        .text = "OnlinePartition, OfflinePartition, NewPartition, NonExistentPartition"),
    ROW(IS_PARTITION, "leader", VALUE, .text = "broker id, or none"),
    ROW(IS_PARTITION, "isr", VALUE, .text = "in-sync replicas, in order"),
    ROW(IS_PARTITION, "epoch", VALUE, .text = "leader epoch"),
    ROW(IS_PARTITION, "zk-version", VALUE, .text = "data version of the state znode"),
    ROW(IS_PARTITION, "controller-epoch", VALUE, .text = "in the state znode"),
    ROW(IS_PARTITION, "replicas", VALUE, .text = "in the topic znode, the preferred first"),
    ROW(IS_PARTITION, "adding", VALUE, .text = "replicas that a reassignment adds"),
    ROW(IS_PARTITION, "removing", VALUE, .text = "replicas that a reassignment removes"),
    ROW(IS_PARTITION, "reassigning", VALUE, .text = "true while the controller reassigns it"),

    ROW(IS_REPLICA, "state", VALUE,
        .text = "OnlineReplica, OfflineReplica, ReplicaDeletionIneligible, …"),
    ROW(IS_REPLICA, "in-sync", VALUE, .text = "true where it is in the ISR"),

    ROW(IS_CONTROLLER, "epoch", VALUE, .text = "controller epoch"),
    ROW(IS_CONTROLLER, "zk-version", VALUE, .text = "of /controller_epoch, as it believes"),

    ROW(IS_BROKER, "state", VALUE, .text = "up or down: the process"),
    ROW(IS_BROKER, "registered", VALUE, .text = "true where /brokers/ids has it"),
    ROW(IS_BROKER, "live", VALUE, .text = "true where the active controller thinks so"),

    ROW(IS_TOPIC, "partitions", VALUE, .text = "how many the topic znode has"),
    ROW(IS_TOPIC, "deletion", VALUE,
        .text = "none, queued, started or ineligible (in the controller)"),

    ROW(IS_CLIENT, "state", VALUE, .text = "up or down: the process"),
    ROW(IS_CLIENT, "sent", VALUE, .text = "records that a producer was given"),
    ROW(IS_CLIENT, "acked", VALUE, .text = "of these: acknowledged"),
    ROW(IS_CLIENT, "failed", VALUE, .text = "of these: failed, and in no log"),
    ROW(IS_CLIENT, "possibly", VALUE, .text = "of these: failed, but possibly written"),
    ROW(IS_CLIENT, "open", VALUE, .text = "of these: no word yet"),
    ROW(IS_CLIENT, "retries", VALUE, .text = "batches sent again"),
    ROW(IS_CLIENT, "kept", VALUE, .text = "acknowledged records that the leader has (end, at, by)"),
    ROW(IS_CLIENT, "lost", VALUE, .text = "acknowledged records that it has not (end, at, by)"),
    ROW(IS_CLIENT, "committed", VALUE, .text = "transactions"),
    ROW(IS_CLIENT, "aborted", VALUE, .text = "transactions"),
    ROW(IS_CLIENT, "read", VALUE, .text = "records that a consumer was handed"),
    ROW(IS_CLIENT, "duplicates", VALUE, .text = "of these: handed to it, or its group, before"),
    ROW(IS_CLIENT, "gaps", VALUE, .text = "records that it passed over"),
    ROW(IS_CLIENT, "unread", VALUE,
        .text = "acknowledged records there that it was not handed (end, at, by)"),
    ROW(IS_CLIENT, "outputs", VALUE,
        .text = "of a transform: committed records that its group wrote (end, at, by)"),
    ROW(IS_CLIENT, "missing", VALUE,
        .text = "of a transform: committed inputs without a committed output (end, at, by)"),
    ROW(IS_CLIENT, "doubled", VALUE,
        .text = "of a transform: committed inputs with more than one (end, at, by)"),
    ROW(IS_CLIENT, "transaction", VALUE,
        .text = "none, ready, open, committing, aborting, abortable or fatal"),
    ROW(IS_CLIENT, "group", VALUE, .text = "none, joining, syncing or stable"),
    ROW(IS_CLIENT, "error", VALUE, .text = "that ended its work: _FENCED, …, or none"),

    ROW(IS_ZNODE, "data", JSON_VALUE,
        .text = "the whole as text (* and ? are wild), or fields of its JSON"),
    ROW(IS_ZNODE, "version", VALUE, .text = "data version"),
    ROW(IS_ZNODE, "ephemeral", VALUE, .text = "true where a session owns it"),
    ROW(IS_ZNODE, "children", VALUE, .text = "how many"),

    ROW(LESSON, "at", TIME, .text = "stops at this time"),
    ROW(LESSON, "when", OBJECT, .of = SIM_SHAPE_PATTERN,
        .text = "stops at the first such record behind the stop before"),
    ROW(LESSON, "after", AFTER, .text = "stops when the step of that label has acted, or T later"),
    ROW(LESSON, "end", TRUE, .text = "stops when the run ends"),
    ROW(LESSON, "say", TEXT, .text = "tells; {leader of T-P} is its value then"),
    ROW(LESSON, "words", TEXTS, .text = "words that are used here first: what each means"),
    ROW(LESSON, "ask", TEXT, .text = "asks"),
    ROW(LESSON, "choices", CHOICES, .of = SIM_SHAPE_CHOICE,
        .text = "answers to choose from; brokers: all ids, and none; left out: any text is taken"),
    ROW(LESSON, "answer", OBJECT, .of = SIM_SHAPE_READING,
        .text = "how the right one is read from the trace; left out where choices have an if"),
    ROW(LESSON, "let", READINGS, .of = SIM_SHAPE_READING,
        .text = "names for values that the texts of this stop use in braces"),
    ROW(LESSON, "because", TEXT, .text = "why it is so; {…} as it is where the answer was read"),
    ROW(LESSON, "show", NAMES, .text = "what to look at then: leader of T-P, or the key of a fact"),

    ROW(CHOICE, "say", TEXT, .text = "what stands there; its value, where left out"),
    ROW(CHOICE, "is", VALUE, .text = "its value"),
    ROW(CHOICE, "value", OBJECT, .of = SIM_SHAPE_READING, .text = "its value, read from the trace"),
    ROW(CHOICE, "if", OBJECT, .of = SIM_SHAPE_READING, .text = "it is right where this holds"),
    ROW(CHOICE, "wrong", TEXT, .text = "what is said to whoever chooses it wrongly"),

    ROW(READING, "read", TEXT,
        .text = "leader of T-P, isr of T-P, epoch of T-P, state of T-P, state of replica B of T-P, "
                "controller, controller epoch, or the key of a fact"),
    ROW(READING, "field", TEXT,
        .text = "read: path inside the fact (data.leader); first: field of the record (t: its time)"),
    ROW(READING, "count", OBJECT, .of = SIM_SHAPE_PATTERN,
        .text = "how many such records there are from the stop to the moment"),
    ROW(READING, "first", OBJECT, .of = SIM_SHAPE_PATTERN,
        .text = "the first such record behind the stop; with field"),
    ROW(READING, "seconds", OBJECT, .of = SIM_SHAPE_PATTERN,
        .text = "seconds from the stop to the first such record; the nearest choice is right"),
    ROW(READING, "records", TEXT,
        .text = "lost of T-P, acknowledged of T-P, kept of T-P: of producers, by name"),
    ROW(READING, "since", ENUM, .words = sinces,
        .text = "count, first: from where on; the stop (default), or the start of the run"),
    ROW(READING, "at", TIME, .text = "as it is at this time; else as it is at the next stop"),
    ROW(READING, "when", OBJECT, .of = SIM_SHAPE_PATTERN,
        .text = "as it is at the first such record behind the stop"),
    ROW(READING, "after", AFTER, .text = "as it is when that step has acted, or T later"),
    ROW(READING, "now", TRUE, .text = "as it is at the stop"),
    ROW(READING, "end", TRUE, .text = "as it is when the run ends"),
    ROW(READING, "is", VALUE, .text = "as a condition: it must be so; of a count: > 0"),

    ROW(JOB, "name", TEXT, .text = "for steps and expectations"),

    ROW(EXPLORE, "from", OBJECT, .of = SIM_SHAPE_PATTERN, .text = "it begins at this record"),
    ROW(EXPLORE, "budgets", OBJECT, .of = SIM_SHAPE_FAULTS, .text = "how many of each fault"),
    ROW(EXPLORE, "depth", INT, .text = "so many choices"),
    {.name = NULL},
};

const struct sim_key *sim_key_find(enum sim_shape shape, const char *name)
{
    for (const struct sim_key *key = sim_keys; key->name != NULL; key++) {
        if (key->shape == shape && strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

const char *sim_shape_name(enum sim_shape shape)
{
    static const char *const names[] = {
#define X(name, text, what) [SIM_SHAPE_##name] = text,
        SIM_SHAPE_MAP(X)
#undef X
    };
    return names[shape];
}

const char *sim_shape_text(enum sim_shape shape)
{
    static const char *const texts[] = {
#define X(name, text, what) [SIM_SHAPE_##name] = what,
        SIM_SHAPE_MAP(X)
#undef X
    };
    return texts[shape];
}

const char *sim_verb_name(enum sim_verb verb)
{
    static const char *const names[] = {[SIM_VERB_NONE] = "none",
#define X(name, text, what) [SIM_VERB_##name] = text,
                                        SIM_VERB_MAP(X)
#undef X
    };
    return verb < SIM_VERB_END ? names[verb] : "none";
}

const char *sim_verb_text(enum sim_verb verb)
{
    static const char *const texts[] = {[SIM_VERB_NONE] = "does nothing",
#define X(name, text, what) [SIM_VERB_##name] = what,
                                        SIM_VERB_MAP(X)
#undef X
    };
    return verb < SIM_VERB_END ? texts[verb] : "does nothing";
}
