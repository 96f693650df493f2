/*
 * The trace: what the world records, each record with its cause.
 *
 *     world, node ──► recorder ──► records 1..n in memory ──► NDJSON (sim_trace_write)
 *                        │                 ▲                      │
 *                     digest            reading  ◄── sim_trace_read
 *
 * A record is {n, t, at, k, by, mute}, fields of its kind, and `set`: the facts that it changed.
 * `by` is the record that caused it (0: the scenario), always smaller than n; where the cause is
 * that *nothing* came (an expired session, a timeout), `mute` is the fault that silenced it.
 * A fact (a key with a value: "zn:/controller", "ps.1.orders-0") changes only through `set`, so the
 * state at any moment is the last value of every key (facts.h).
 *
 * Recorded and read traces are the same structure; whatever works on one works on the other. Kinds
 * and fields are two closed tables (below); a field that a kind does not have is a mistake
 * (asserted), or an error with its line when read from a file. There is no text in a trace but that
 * of `log`: sentences come from narrate.h.
 *
 * Writing costs no allocation per record: records are appended to one buffer that doubles. Where
 * the trace is off, each call costs one branch and returns the cause it was given, so that code
 * which threads causes through need not know.
 *
 * Numbers of records: one record may be open at a time; a second one that begins while the first is
 * open ("nested") gets the next number, must end before the first does, and stands behind it.
 * Thread: one. Determinism: the bytes follow from the calls alone; the digest is XXH3-64 over them.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "broker/replicas.h"
#include "controller/controller.h"
#include "wire/coord.h"
#include "wire/messages.h"
#include "zookeeper/server.h"

#define SIM_TRACE_SCHEMA "kcsim.trace/1"

/* ---- kinds and fields ---- */

/* name in the file, what it records */
#define SIM_KIND_MAP(X)                                                                            \
    X(META, "meta", "first record: schema, version, seed, scenario")                               \
    X(GIVEN, "given", "the initial state, as `set`")                                               \
    X(FAULT, "fault", "a step of the scenario acts")                                               \
    X(SEND, "send", "a request or an answer leaves")                                               \
    X(RECV, "recv", "a request or an answer arrives and is handled")                               \
    X(DROP, "drop", "a message is lost")                                                           \
    X(ZREQ, "zreq", "a client sends an operation to ZooKeeper")                                    \
    X(ZAP, "zap", "ZooKeeper applies or refuses an operation")                                     \
    X(ZREP, "zrep", "the reply of ZooKeeper reaches the client")                                   \
    X(WATCH, "watch", "a watch fires at ZooKeeper and is used up")                                 \
    X(NOTIFY, "notify", "the event of a watch reaches the client")                                 \
    X(SESSION, "session", "a ZooKeeper session changes")                                           \
    X(ZNODE, "znode", "somebody outside changes a znode")                                          \
    X(QUEUE, "queue", "the controller's event queue")                                              \
    X(FLOW, "flow", "a step of a controller flow begins")                                          \
    X(DECIDE, "decide", "an election")                                                             \
    X(MOVE, "move", "a state machine moves, or refuses to")                                        \
    X(LEARN, "learn", "what a controller believes changes")                                        \
    X(REPLICA, "replica", "what a broker makes of its replica: its part, its ISR, its log")        \
    X(APPEND, "append", "a log grows")                                                             \
    X(TRUNCATE, "truncate", "a log is cut")                                                        \
    X(HW, "hw", "a high watermark moves, and the last stable offset with it")                      \
    X(WAIT, "wait", "a request waits in its purgatory")                                            \
    X(BATCH, "batch", "a batch of requests is complete")                                           \
    X(CLOSE, "close", "a controller closes its channel to a broker")                               \
    X(ACK, "ack", "a producer learns what became of records")                                      \
    X(READ, "read", "a consumer hands records to its application")                                 \
    X(TXN, "txn", "a transaction, as its producer sees it")                                        \
    X(GROUP, "group", "a group, as its member sees it")                                            \
    X(CLIENT, "client", "a client starts, learns or tries again")                                  \
    X(TIMER, "timer", "a timer is armed, fires or is cancelled")                                   \
    X(LOG, "log", "a line of controller.log or state-change.log")                                  \
    X(CHECK, "check", "a check was made")                                                          \
    X(MARK, "mark", "a label of the scenario")                                                     \
    X(FINISH, "finish", "last record: verdict, counts, digest")

enum sim_kind {
    SIM_K_NONE,
#define X(name, text, what) SIM_K_##name,
    SIM_KIND_MAP(X)
#undef X
        SIM_K_END
};

/* Names of fields, of records and of the objects inside them. name in the file, meaning */
#define SIM_FIELD_MAP(X)                                                                           \
    X(SET, "set", "[[key, value]…]: facts that this record changed")                               \
    X(REFS, "refs", "records whose facts a decision read")                                         \
    X(OK, "ok", "1 done, 0 refused")                                                               \
    X(CODE, "code", "why it was refused: an error name")                                           \
    X(RULE, "rule", "the rule that decided")                                                       \
    X(HAVE, "have", "what was there")                                                              \
    X(WANT, "want", "what was expected")                                                           \
    X(BENIGN, "benign", "1: this refusal is part of normal work")                                  \
    X(SCHEMA, "schema", "version of this form")                                                    \
    X(VERSION, "version", "of the tool; of a znode's data")                                        \
    X(SEED, "seed", "of the random generator")                                                     \
    X(FILE, "file", "name of the scenario file")                                                   \
    X(SCENARIO, "scenario", "text of the scenario")                                                \
    X(TITLE, "title", "of the scenario")                                                           \
    X(PROFILE, "profile", "Kafka version that is simulated")                                       \
    X(PROPS, "props", "properties of the cluster")                                                 \
    X(LANES, "lanes", "[{id, node, role}…]")                                                       \
    X(TOPICS, "topics", "topics at the start")                                                     \
    X(EXPECT, "expect", "expectations; at the end what became of each")                            \
    X(LESSON, "lesson", "stops and questions")                                                     \
    X(CHOICES, "choices", "choice log")                                                            \
    X(DIGEST, "digest", "XXH3-64, 16 hexadecimal digits")                                          \
    X(GENERATE, "generate", "rules that give the initial state of a large world")                  \
    X(VERB, "verb", "of a fault or a step: kill, restart, …")                                      \
    X(TARGET, "target", "as the scenario writes it")                                               \
    X(HIT, "hit", "ids that the target meant at this moment")                                      \
    X(LABEL, "label", "name given by the scenario")                                                \
    X(UNTIL, "until", "µs: when the fault ends by itself")                                         \
    X(STEP, "step", "line of the scenario")                                                        \
    X(TEXT, "text", "words of the scenario's or the log's author")                                 \
    X(M, "m", "number of the message: that of the record that sent it")                            \
    X(TO, "to", "lane that it goes to; state that is entered")                                     \
    X(FRM, "frm", "lane that it comes from")                                                       \
    X(API, "api", "Kafka API: LeaderAndIsr, …")                                                    \
    X(RE, "re", "number of the request that this answers")                                         \
    X(CE, "ce", "controller epoch")                                                                \
    X(BE, "be", "broker epoch")                                                                    \
    X(BATCH, "batch", "record of the batch that the body is in")                                   \
    X(BODY, "body", "partitions, each once")                                                       \
    X(LEN, "len", "bytes")                                                                         \
    X(CORR, "corr", "correlation id of a controller's channel")                                    \
    X(ERROR, "error", "Kafka error code of the whole")                                             \
    X(CODES, "codes", "[[partition, error]…] of those that differ from the whole")                 \
    X(WHY, "why", "reason: link, closed, full, hold, dropped; age, size; a refused move's text")   \
    X(OP, "op", "ZooKeeper operation: create, setData, multi, …")                                  \
    X(OPS, "ops", "operations of a multi")                                                         \
    X(PATH, "path", "znode")                                                                       \
    X(CHECK, "check", "znode that a multi checks")                                                 \
    X(ZXID, "zxid", "ZooKeeper transaction")                                                       \
    X(RESULTS, "results", "error name per operation")                                              \
    X(ARM, "arm", "watch armed: data, exists, child")                                              \
    X(VALUE, "value", "data of a znode, names of children, value of a timer or call")              \
    X(STAT, "stat", "of a znode: see the fact zn:PATH")                                            \
    X(TYPE, "type", "of a watch: data, child; of an election")                                     \
    X(EVENT, "event", "NodeCreated, NodeDeleted, NodeDataChanged, NodeChildrenChanged")            \
    X(SESSION, "session", "ZooKeeper session id")                                                  \
    X(NODE, "node", "id of the process")                                                           \
    X(WHAT, "what", "which of the things that this kind records")                                  \
    X(TIMEOUT, "timeout", "µs")                                                                    \
    X(SEEN, "seen", "server or client: on whose side")                                             \
    X(WHO, "who", "who did it: operator, broker N")                                                \
    X(NAME, "name", "of an event, a flow, a check, a timer")                                       \
    X(ID, "id", "of an event, a batch, a timer, a session, a replica")                             \
    X(DEPTH, "depth", "events waiting")                                                            \
    X(WAITED, "waited", "µs in the queue")                                                         \
    X(ROW, "row", "step of a flow")                                                                \
    X(PARTITION, "partition", "TOPIC-PARTITION")                                                   \
    X(REPLICA, "replica", "broker id of a replica")                                                \
    X(CANDIDATES, "candidates", "[{id, live, insync, verdict}…] in the order of the election")     \
    X(LIVE, "live", "1: online for this partition")                                                \
    X(INSYNC, "insync", "1: member of the ISR")                                                    \
    X(VERDICT, "verdict", "of a candidate; of the run")                                            \
    X(CHOSEN, "chosen", "new leader, -1 none")                                                     \
    X(ISR, "isr", "in-sync replicas, in order")                                                    \
    X(LEADER, "leader", "broker id; -1 none, -2 being deleted")                                    \
    X(EPOCH, "epoch", "leader epoch")                                                              \
    X(UNCLEAN, "unclean", "1: the new leader was not in sync")                                     \
    X(MACHINE, "machine", "partition or replica")                                                  \
    X(FROM, "from", "state that is left")                                                          \
    X(DIRECT, "direct", "1: put there at start-up, no transition")                                 \
    X(TOPIC, "topic", "name of a topic")                                                           \
    X(REPLICAS, "replicas", "broker ids, in order")                                                \
    X(ADDING, "adding", "replicas that a reassignment adds")                                       \
    X(REMOVING, "removing", "replicas that a reassignment removes")                                \
    X(OFFLINE, "offline", "replicas that are offline")                                             \
    X(ZKVERSION, "zkversion", "data version of the partition's state znode")                       \
    X(NEW, "new", "brokers for which the replica is new")                                          \
    X(DELETE, "delete", "brokers that must delete the replica's log")                              \
    X(LEADER_AND_ISR, "leaderandisr", "{to, body} of a batch")                                     \
    X(UPDATE_METADATA, "updatemetadata", "{to, body} of a batch")                                  \
    X(STOP_REPLICA, "stopreplica", "{to, body} of a batch")                                        \
    X(BROKERS, "brokers", "[{id, be}…] that a batch names as live")                                \
    X(DUE, "due", "µs: when a timer fires")                                                        \
    X(LEVEL, "level", "TRACE, DEBUG, INFO, WARN, ERROR")                                           \
    X(STREAM, "stream", "controller or state-change")                                              \
    X(DEFECT, "defect", "known defect that explains it")                                           \
    X(COUNTS, "counts", "[[kind, records]…]")                                                      \
    X(DATA, "data", "of a znode; null is a null payload")                                          \
    X(CZXID, "czxid", "of a znode")                                                                \
    X(MZXID, "mzxid", "of a znode")                                                                \
    X(PZXID, "pzxid", "of a znode, when this was set; its children may have changed since")        \
    X(CTIME, "ctime", "ms")                                                                        \
    X(MTIME, "mtime", "ms")                                                                        \
    X(CVERSION, "cversion", "of a znode, as pzxid")                                                \
    X(OWNER, "owner", "session that owns an ephemeral znode, 0 none")                              \
    X(STATE, "state", "live, expired, closed; up, down, paused, blocked")                          \
    X(INCARNATION, "incarnation", "how often the process was started")                             \
    X(QUESTION, "question", "what the scenario asks")                                              \
    X(ROLE, "role", "of a lane: zookeeper, controller, broker, …")                                 \
    X(RECORDS, "records", "how many, this one included")                                           \
    X(KEY, "key", "of a property or fact")                                                         \
    X(UNDECIDED, "undecided", "1: could not be decided")                                           \
    X(COUNT, "count", "how many")                                                                  \
    X(WALL, "wall", "of a live run: ms since 1970 at time 0")                                      \
    X(OFFSET, "offset",                                                                            \
      "of the first record; of a log: where it ends now; what is asked for, what must be "         \
      "committed")                                                                                 \
    X(BASE, "base", "offset of the first of these records")                                        \
    X(BATCHES, "batches", "handles of record batches; equal handles are equal records")            \
    X(LOST, "lost", "handles of the batches that are gone")                                        \
    X(HW, "hw", "high watermark")                                                                  \
    X(LSO, "lso", "last stable offset, where it is not the high watermark")                        \
    X(CODEC, "codec", "of the last of these batches, where it is packed: gzip, …")                 \
    X(SAY, "say", "of a lesson: what a stop tells, what a choice says")                            \
    X(WORDS, "words", "of a lesson: [{name, text}…], what words mean")                             \
    X(ASK, "ask", "of a lesson: the question")                                                     \
    X(ANSWER, "answer", "of a lesson: {value, record, key, field, id}: the right one")             \
    X(BECAUSE, "because", "of a lesson: why it is so")                                             \
    X(WRONG, "wrong", "of a choice: why it is wrong")                                              \
    X(SHOW, "show", "of a lesson: [{text, key, record}…], what to look at")                        \
    X(FIELD, "field", "of a fact: the part of it that is meant")                                   \
    X(RECORD, "record", "number of a record")                                                      \
    X(INFERRED, "inferred", "1: of an import: no line states this record, it follows from others") \
    X(FILES, "files", "[[path, text]…] of the files that the scenario names")

enum sim_field {
    SIM_F_NONE,
#define X(name, text, what) SIM_F_##name,
    SIM_FIELD_MAP(X)
#undef X
        SIM_F_END
};

/* Static strings; the reverse give SIM_K_NONE, SIM_F_NONE where there is none. */
const char *sim_kind_name(enum sim_kind kind);
const char *sim_kind_text(enum sim_kind kind);
enum sim_kind sim_kind_named(const char *name);
const char *sim_field_name(enum sim_field field);
const char *sim_field_text(enum sim_field field);
enum sim_field sim_field_named(const char *name);
/* Returns whether records of `kind` may have `field`. */
bool sim_kind_has(enum sim_kind kind, enum sim_field field);

/* ---- lanes: where something happens ---- */

/* zk, c2 (controller of node 2), b2 (broker of node 2), o (operator), w (world); clients p1, u1 */
typedef uint64_t sim_lane;
#define SIM_LANE(letter, id)    ((uint64_t)(uint8_t)(letter) << 56 | (uint32_t)(id))
#define SIM_LANE_ZK             SIM_LANE('z', 0)
#define SIM_LANE_WORLD          SIM_LANE('w', 0)
#define SIM_LANE_OPERATOR       SIM_LANE('o', 0)
#define SIM_LANE_CONTROLLER(id) SIM_LANE('c', id)
#define SIM_LANE_BROKER(id)     SIM_LANE('b', id)
static inline char sim_lane_letter(sim_lane lane)
{
    return (char)(lane >> 56);
}
static inline int32_t sim_lane_id(sim_lane lane)
{
    return (int32_t)(uint32_t)lane;
}
/* Clients have ids below those of nodes, so that targets, links and faults name them as they name
   nodes: p1 is -18, u1 -19, p2 -20, … */
enum { SIM_CLIENT_FIRST = -18 };
static inline bool sim_id_is_client(int32_t id)
{
    return id <= SIM_CLIENT_FIRST;
}
static inline int32_t sim_client_id(bool is_consumer, int32_t number)
{
    return SIM_CLIENT_FIRST - 2 * (number - 1) - is_consumer;
}
/* The lane of a client's id. */
static inline sim_lane sim_client_lane(int32_t id)
{
    int32_t place = SIM_CLIENT_FIRST - id;
    return SIM_LANE(place % 2 == 0 ? 'p' : 'u', place / 2 + 1);
}
enum { SIM_LANE_TEXT = 24 };
/* Writes "zk", "c2", … into `out` (SIM_LANE_TEXT bytes); returns out. */
const char *sim_lane_text(char *out, sim_lane lane);
/* Returns the lane of that name, 0 where it is none. */
sim_lane sim_lane_named(const char *text);

/* ---- the trace ---- */

struct sim_trace_store;
struct sim_trace {
    bool on; /* read only */
    struct sim_trace_store *store;
};

enum sim_trace_mode {
    SIM_TRACE_OFF,    /* records nothing; every call returns at once */
    SIM_TRACE_DIGEST, /* digests every record, keeps only the last */
    SIM_TRACE_KEEP,   /* keeps all */
};

struct sim_trace_options {
    enum sim_trace_mode mode;
    uint64_t without;      /* bit per enum sim_kind that is left out; its cause passes through */
    bool without_metadata; /* no facts b.N.md.TP: they are partitions × brokers */
    bool without_bodies;   /* no bodies of batches */
};

/* Returns an owned, empty trace (abort()s where memory is short, as everywhere in sim/). */
struct sim_trace *sim_trace_new(const struct sim_trace_options *options);
void sim_trace_free(struct sim_trace *trace);

/* Calls `function` at the end of every record (SIM_TRACE_OFF: never); NULL: none. It may read, not
   write. Nested records are told after the record that they were nested in. */
struct sim_record;
void sim_trace_listen(struct sim_trace *trace,
                      void (*function)(void *context, const struct sim_record *record),
                      void *context);

/* ---- recording: begin, fields and facts in any order, end ---- */

/* Begins a record and returns true; false where the trace is off or the kind is left out: then no
   field, no set and no end. by and mute: 0 or a smaller number (asserted). */
bool sim_trace_begin(struct sim_trace *trace, enum sim_kind kind, int64_t t, sim_lane at,
                     uint64_t by, uint64_t mute);
/* Ends the record that began last; returns its number. */
uint64_t sim_trace_end(struct sim_trace *trace);
/* Returns the number that the record begun last has. */
uint64_t sim_trace_open_number(const struct sim_trace *trace);

/* Fields of the open record. Inside sim_trace_list_begin … list_end pass SIM_F_NONE as the field;
   inside object_begin … object_end the member. Strings are copied. */
void sim_trace_int(struct sim_trace *trace, enum sim_field field, int64_t value);
void sim_trace_text(struct sim_trace *trace, enum sim_field field, const char *text);
void sim_trace_bytes(struct sim_trace *trace, enum sim_field field, const void *bytes, size_t size);
void sim_trace_null(struct sim_trace *trace, enum sim_field field);
void sim_trace_lane(struct sim_trace *trace, enum sim_field field, sim_lane lane);
void sim_trace_partition(struct sim_trace *trace, enum sim_field field, const char *topic,
                         int32_t partition); /* "orders-0" */
void sim_trace_ids(struct sim_trace *trace, enum sim_field field, const int32_t *ids, size_t count);
void sim_trace_list_begin(struct sim_trace *trace, enum sim_field field);
void sim_trace_list_end(struct sim_trace *trace);
void sim_trace_object_begin(struct sim_trace *trace, enum sim_field field);
void sim_trace_object_end(struct sim_trace *trace);

/* Facts changed by the open record. A composite value: set_begin, then one value (field
   SIM_F_NONE), then set_end. Keys are copied. */
void sim_trace_set_int(struct sim_trace *trace, const char *key, int64_t value);
void sim_trace_set_text(struct sim_trace *trace, const char *key, const char *text);
void sim_trace_set_ids(struct sim_trace *trace, const char *key, const int32_t *ids, size_t count);
void sim_trace_set_null(struct sim_trace *trace, const char *key);
void sim_trace_set_begin(struct sim_trace *trace, const char *key);
void sim_trace_set_end(struct sim_trace *trace);
/* The fact zn:PATH; stat NULL: the znode is gone. data NULL: null payload. */
void sim_trace_set_znode(struct sim_trace *trace, const char *path, const void *data, size_t size,
                         const struct wire_zk_stat *stat);
/* Formats a key; the string lives until the next call of this function. */
const char *sim_trace_key(struct sim_trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns the record that set `key` last (also to null), 0 where none did. */
uint64_t sim_trace_last_setter(const struct sim_trace *trace, const char *key);
/* refs: adds last setters (0 is ignored) between refs_begin and refs_end; double ones are left out.
 */
void sim_trace_refs_begin(struct sim_trace *trace);
void sim_trace_ref(struct sim_trace *trace, uint64_t n);
void sim_trace_refs_end(struct sim_trace *trace);

/* ---- recording: what the parts of the world say. Each returns the number of its record, or `by`
        where nothing is recorded ---- */

/* meta: begins it with schema, version of the tool, seed and profile (NULL: none); add fields, end.
 */
bool sim_trace_meta_begin(struct sim_trace *trace, uint64_t seed, const char *profile);

/* fault: a step of the scenario acts. hit: ids that the target meant (NULL for none). Left open for
   facts (node.N): call sim_trace_end; false where nothing is recorded. until_us < 0: none. */
struct sim_fault_note {
    const char *verb, *target, *label; /* label may be NULL */
    const int32_t *hit;
    size_t hit_count;
    int64_t until_us;
    int32_t step; /* line of the scenario, 0 unknown */
};
bool sim_trace_fault_begin(struct sim_trace *trace, int64_t t, uint64_t by,
                           const struct sim_fault_note *note);
/* The fact node.N: state "up", "down", "paused", "blocked". "down" also sets to null what the
   process had in memory (ctx., role., bel., ps., rs., b.N. keys of that node). */
void sim_trace_set_node(struct sim_trace *trace, int32_t node, const char *state,
                        int32_t incarnation);

/* The fact node.p1 of a client, likewise. */
void sim_trace_set_client(struct sim_trace *trace, sim_lane client, const char *state,
                          int32_t incarnation);

/* One output of controller `node` (all kinds of enum kc_output_kind); the result is what
   kc_outputs.put returns. Facts that follow each other with one cause share a `learn` record. */
uint64_t sim_trace_controller(struct sim_trace *trace, int64_t t, int32_t node,
                              const struct kc_output *output);

/* One step of the ZooKeeper server. Usage:

       struct sim_zk_step z = {.by = …, .m = …, …};
       sim_zk_step_begin(trace, &z, t, input);
       kz_server_step(…)  with put: n = sim_zk_step_output(trace, &z, output)
       sim_zk_step_end(trace, &z);

   A request gives one `zap` with all znodes that it changed; an expiry or a close one `session`
   with the ephemerals it took along; each event one `watch`. `output` returns the number of the
   record that what is delivered stands for: `watch` for EVENT, `zap` for REPLY, `session` for
   CONNECTED, CLOSED; the open record's for the notes. */
struct sim_zk_step {
    /* given by the caller */
    uint64_t by;   /* zreq for a request, fault for an expiry, … */
    uint64_t mute; /* where nothing arrived */
    uint64_t m;    /* message number of the request: its zreq */
    sim_lane from; /* who asks; 0 none */
    /* Tells the node of a session, and for an expiry by time its cause; NULL: none, by and mute. */
    int32_t (*node_of)(void *context, int64_t session); /* -1 unknown */
    void (*cause_of)(void *context, int64_t session, uint64_t *by, uint64_t *mute);
    void *context;
    /* internal, zero */
    int64_t t, session;
    const struct kz_input *input;
    uint64_t record;
    bool open, has_reply, applied;
    int64_t zxid;
};
void sim_zk_step_begin(struct sim_trace *trace, struct sim_zk_step *z, int64_t t,
                       const struct kz_input *input);
uint64_t sim_zk_step_output(struct sim_trace *trace, struct sim_zk_step *z,
                            const struct kz_output *output);
uint64_t sim_zk_step_end(struct sim_trace *trace, struct sim_zk_step *z);

/* zreq for requests that no controller output made (a broker's, an operator's); m is the result. */
uint64_t sim_trace_zreq(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                        const struct wire_zk_request *request);
/* zrep: the reply to message m reaches `at`; by: its zap. `code` overrides the reply's (connection
   loss: reply NULL, code WIRE_ZK_CONNECTION_LOSS, mute the fault). */
uint64_t sim_trace_zrep(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by, uint64_t mute,
                        uint64_t m, const struct wire_zk_reply *reply, int32_t code);
/* notify: the event reaches the client; by: its watch. */
uint64_t sim_trace_notify(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                          uint32_t type, const char *path);
/* session as the client sees it: what is "created", "connected", "disconnected", "expired",
   "closed". Sets sess.N.client. */
uint64_t sim_trace_session_client(struct sim_trace *trace, int64_t t, int32_t node, uint64_t by,
                                  uint64_t mute, const char *what, int64_t session,
                                  int64_t timeout_us);

/* recv: broker `broker_id` handles the request of `api` out of `batch` that was message m (its
   send), answering `answer`. Sets b.N.ce, b.N.be, b.N.TP.{leader,epoch,isr}, b.N.md.TP. accepted:
   false where the broker refuses the whole (stale epoch): then nothing is set. answer NULL: a
   broker that hosts logs will decide; what becomes of its replicas it tells itself
   (sim_trace_replica). */
uint64_t sim_trace_recv_request(struct sim_trace *trace, int64_t t, int32_t broker_id, uint64_t by,
                                uint64_t m, sim_lane from, enum wire_api api,
                                const struct wire_batch *batch, const struct wire_answer *answer,
                                bool accepted);
/* send: the answer of a broker to message `re` leaves; its own number is that of the record. */
uint64_t sim_trace_send_answer(struct sim_trace *trace, int64_t t, int32_t broker_id, uint64_t by,
                               uint64_t re, sim_lane to, enum wire_api api,
                               const struct wire_batch *batch, const struct wire_answer *answer);
/* recv: the answer (message m) to request `re` reaches the controller. */
uint64_t sim_trace_recv_answer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               uint64_t m, uint64_t re, sim_lane from, enum wire_api api,
                               const struct wire_answer *answer);
/* send / recv of a message about records between brokers, or of a client: Produce, Fetch,
   ListOffsets, OffsetForLeaderEpoch with a body, others without. */
struct sim_message_note {
    enum sim_kind kind; /* SEND, RECV */
    bool is_response;
    int64_t t;
    sim_lane at, peer; /* peer: the other side */
    uint64_t by;
    uint64_t m;  /* RECV: record of the send, 0: it was not recorded */
    uint64_t re; /* responses: record of the request, 0: it was not recorded */
    enum wire_api api;
    const void *message; /* flat; NULL: none */
};
uint64_t sim_trace_message(struct sim_trace *trace, const struct sim_message_note *note);
/* Returns whether a message is worth a record: a Fetch within a session that names no partition is
   not, for nothing has changed, nor is such an answer. */
bool sim_message_says(enum wire_api api, bool is_response, const void *message);
/* replica, append, truncate, hw, wait: a note of broker `broker` (KB_OUT_HW, KB_OUT_FACT). view: of
   the partition that it names, as it is now; NULL where it names none. */
uint64_t sim_trace_replica(struct sim_trace *trace, int64_t t, int32_t broker, uint64_t by,
                           uint64_t mute, const struct kb_output *note,
                           const struct kb_partition_view *view);
/* send / recv of a call to the controller (kind SIM_K_SEND or SIM_K_RECV); `peer` is the other
 * side. */
uint64_t sim_trace_call(struct sim_trace *trace, enum sim_kind kind, int64_t t, sim_lane at,
                        uint64_t by, uint64_t m, sim_lane peer, const struct wire_call *call);
/* client, timed-out: whoever made a call waits no longer for its answer. */
uint64_t sim_trace_call_ends(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                             enum wire_api api);
/* drop: message m is lost; mute: the fault that did it. why: "link", "closed", "dropped", "dead", …
 */
uint64_t sim_trace_drop(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by, uint64_t mute,
                        uint64_t m, const char *why);
/* timer fires (what "fire"), is armed or cancelled outside a controller. */
uint64_t sim_trace_timer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                         uint64_t mute, const char *what, const char *name, uint64_t id,
                         int64_t due_us);
uint64_t sim_trace_mark(struct sim_trace *trace, int64_t t, uint64_t by, const char *label,
                        const char *text);
uint64_t sim_trace_check(struct sim_trace *trace, int64_t t, uint64_t by, const char *name, bool ok,
                         const char *defect, const uint64_t *refs, size_t ref_count);
/* finish: the last record; carries counts per kind and the digest over all before it. Returns the
   digest. */
uint64_t sim_trace_finish(struct sim_trace *trace, int64_t t, const char *verdict);
/* The same, left open for fields (what became of expectations): call sim_trace_end; false where
   nothing is recorded. */
bool sim_trace_finish_begin(struct sim_trace *trace, int64_t t, const char *verdict,
                            uint64_t *digest);

/* Returns the digest over all records so far. */
uint64_t sim_trace_digest(const struct sim_trace *trace);

/* ---- reading ---- */

enum sim_value_type { SIM_V_NULL, SIM_V_INT, SIM_V_TEXT, SIM_V_LIST, SIM_V_OBJECT };

/* A value; aliases the trace until the next record is written. */
struct sim_value {
    uint32_t type;    /* enum sim_value_type */
    uint32_t size;    /* TEXT: bytes without the NUL that follows; LIST, OBJECT: bytes of `items` */
    int64_t number;   /* INT */
    const char *text; /* TEXT, NUL-terminated */
    const uint8_t *items;
};

struct sim_record {
    uint64_t n;
    int64_t t; /* µs */
    sim_lane at;
    uint64_t by, mute;
    enum sim_kind kind;
    uint32_t size;
    const uint8_t *payload; /* aliases the trace until the next record is written */
};

/* Returns how many records are complete. */
uint64_t sim_trace_count(const struct sim_trace *trace);
/* Gives record n; false where there is none (DIGEST: only the last). */
bool sim_trace_get(const struct sim_trace *trace, uint64_t n, struct sim_record *record);
/* Returns the number of the last record at or before time t (µs), 0 where none. Binary search. */
uint64_t sim_trace_at_time(const struct sim_trace *trace, int64_t t);

/* A field of a record; false where it has none. The common fields n, t, by, mute, at, k are members
   of the struct. */
bool sim_record_get(const struct sim_record *record, enum sim_field field, struct sim_value *value);
int64_t sim_record_int(const struct sim_record *record, enum sim_field field, int64_t otherwise);
/* NULL where the field is absent or no text. */
const char *sim_record_text(const struct sim_record *record, enum sim_field field);
/* The broker or node that the record is about: its field node or replica, the broker that a send
   goes to, else the node of its lane; -1 none. What a pattern calls `broker`. */
int32_t sim_record_broker(const struct sim_record *record);

/* Walks the fields of a record: start with {0}; false at the end. */
struct sim_walk {
    uint32_t at;
};
bool sim_record_next(const struct sim_record *record, struct sim_walk *walk, enum sim_field *field,
                     struct sim_value *value);
/* Walks a list, or the members of an object (`field` NULL for a list). */
bool sim_list_next(const struct sim_value *list, struct sim_walk *walk, struct sim_value *value);
bool sim_object_next(const struct sim_value *object, struct sim_walk *walk, enum sim_field *field,
                     struct sim_value *value);
bool sim_object_get(const struct sim_value *object, enum sim_field field, struct sim_value *value);
/* Walks what a record set. */
bool sim_record_next_set(const struct sim_record *record, struct sim_walk *walk, const char **key,
                         struct sim_value *value);
/* Copies the ints of a list into `ids`; returns how many there are (may exceed capacity). */
size_t sim_value_ids(const struct sim_value *list, int32_t *ids, size_t capacity);
bool sim_value_equal(const struct sim_value *a, const struct sim_value *b);
/* Returns whether the bytes of a TEXT are UTF-8; sim_value_print gives others in hexadecimal. */
bool sim_value_is_utf8(const struct sim_value *value);
/* Prints a value as JSON. */
void sim_value_print(FILE *out, const struct sim_value *value);

/* ---- NDJSON ---- */

/* Prints one record as a line. */
void sim_record_print(FILE *out, const struct sim_record *record);
/* Writes all records. Returns false where writing failed (errno). */
bool sim_trace_write(const struct sim_trace *trace, FILE *out);

struct sim_trace_error {
    uint32_t line, column; /* 1.. */
    char text[240];
};
/* Reads NDJSON of schema kcsim.trace/1. Returns an owned trace, or NULL and *error. Any bytes are
   answered with one of the two. *cut: true where `finish` is missing (the run was cut off) or a
   last line is incomplete (left out); false: complete, and the digest is right (else an error). */
struct sim_trace *sim_trace_read(const char *bytes, size_t size, bool *cut,
                                 struct sim_trace_error *error);
/* The same from a file ("-": standard input), whole. `error->line` 0: the file could not be read.
 */
struct sim_trace *sim_trace_open(const char *file, bool *cut, struct sim_trace_error *error);

#endif
