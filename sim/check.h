/*
 * Checks: what must hold in every run, looked at after every event.
 *
 *     world ──► hooks (sim_checks_…) ──► rows that were touched ──► checks ──► violations
 *      │   a znode is written, a broker or controller tells a note,      │         │
 *      │   a request is handled, a process starts or ends                ▼         ▼
 *      └── the event is over: sim_checks_event ───────────────────► `check` records, verdict
 *
 * Each check has a row in one table (SIM_CHECK_MAP): number, name, sentence. Safety (S…) is judged
 * after each event, on what the event touched and on nothing else: no event costs time in
 * proportion to the cluster. sim_checks_whole judges everything there is, slowly; it must not find
 * what the checks on the way have missed. Liveness (V…) is judged once, after `heal`: faults stop,
 * a core is well again, and within a bound in virtual time the cluster has to come to rest; else
 * the obligation that is open is named.
 *
 * Checks look at the truth: the tree of the embedded ZooKeeper, the memory of controllers, the logs
 * of brokers. Where brokers are scripted there are no logs, and checks that need them are silent.
 * The first violation of a check is told with its text; later ones of the same check are counted.
 *
 * Beside what must always hold stands what should be seen once in a while (SIM_SOMETIMES_MAP): a
 * campaign in which nobody ever lost a conditional write proves nothing about conditional writes.
 *
 * Memory: from the heap, grows with the partitions that were touched and with the batches of
 * records in logs. Thread: one. Checks read the world and never change it: a run with them has the
 * trace of one without, but for `check` records of violations.
 *
 * Numbers S1…S19 and V1…V12 follow the list in docs/checks.md.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/replicas.h"
#include "controller/controller.h"
#include "statemachine/profile.h"
#include "wire/coord.h"
#include "zookeeper/server.h"

struct sim_world;
struct sim_scenario;
struct sim_checks; /* opaque */

/* enumerator, name, sentence. The sentence says what must be true. */
#define SIM_CHECK_MAP(X)                                                                           \
    X(S1, "one-leader-per-epoch", "no two brokers lead a partition in the same leader epoch")      \
    X(S2, "leader-epochs-rise",                                                                    \
      "the leader epoch in ZooKeeper never falls, rises with every change of leader, and each "    \
      "write raises the znode's version")                                                          \
    X(S3, "isr-within-replicas",                                                                   \
      "the ISR is not empty and names assigned replicas only, the leader is one of it, or "        \
      "none, and takes in no broker that it believes dead; what a deposed controller says does "   \
      "not count")                                                                                 \
    X(S4, "clean-election",                                                                        \
      "a new leader comes from the ISR, or unclean election is allowed for the topic")             \
    X(S5, "controller-writes-fenced",                                                              \
      "the controller epoch rises with every controller, and no write of an older one is applied") \
    X(S6, "stale-requests-refused",                                                                \
      "a broker follows no request of an older controller, of its own earlier life, or of an "     \
      "older leader epoch")                                                                        \
    X(S7, "acknowledged-records-kept",                                                             \
      "a record acknowledged with acks=all is in the log of every later leader that was elected "  \
      "cleanly, at the same offset")                                                               \
    X(S8, "high-watermark-bounded",                                                                \
      "a high watermark is within its log, a leader's within the logs of its ISR, and what "       \
      "consumers could read stays readable, unless a machine was lost, the directory with the "    \
      "checkpoint failed, or a disk had kept the log of a deleted namesake")                       \
    X(S9, "logs-match",                                                                            \
      "the same offset and leader epoch hold the same record in every log, behind the same "       \
      "records, and epochs do not fall along a log; nothing is said of logs that were mixed with " \
      "one that a dead broker had kept of a deleted namesake")                                     \
    X(S10, "isr-writes-conditional",                                                               \
      "only the leader changes an ISR, on the znode version that it knows, and it drops "          \
      "none that has all of its records")                                                          \
    X(S11, "machines-agree",                                                                       \
      "replicas and partitions move along legal edges, an online partition has a leader, "         \
      "and the controller counts right what it knows")                                             \
    X(S12, "deleted-topics-stay-deleted",                                                          \
      "a deletion that is complete leaves no znode and no log, none begins while a replica "       \
      "is offline or moving, a topic that waits for its deletion does not grow, and a "            \
      "request for a deleted topic does not touch its namesake; a late one, about a replica that " \
      "had been given up, may make a log and delete it again, as long as none stays")              \
    X(S13, "reassignment-keeps-replicas",                                                          \
      "an old replica goes only when all new ones are in sync, a cancelled reassignment "          \
      "leaves the original replicas and no other, and none begins that nobody asks for")           \
    X(S14, "metadata-as-sent",                                                                     \
      "what a broker's metadata cache says was said by a controller, and never grows older where " \
      "no deposed controller has told it")                                                         \
    X(S15, "changes-noticed",                                                                      \
      "whoever watches a znode is told of its change, or has read it since")                       \
    X(S16, "requests-in-order",                                                                    \
      "a batch names a partition once per broker, and requests reach a broker in the order of "    \
      "their batches")                                                                             \
    X(S17, "broker-epoch-is-registration",                                                         \
      "a broker's epoch is the czxid of its registration, and an id has one living registration")  \
    X(S18, "zookeeper-consistent",                                                                 \
      "zxids rise, versions rise by one, ephemerals go with their session and not before")         \
    X(S19, "memory-returned", "a topic that is created and deleted leaves nothing in memory")      \
    X(V1, "one-active-controller", "after the heal there is exactly one active controller")        \
    X(V2, "partitions-online",                                                                     \
      "after the heal every partition with a live member of its ISR has a live leader, and "       \
      "no dead broker is named as one")                                                            \
    X(V3, "isr-grows", "after the heal every live replica gets into the ISR")                      \
    X(V4, "metadata-catches-up",                                                                   \
      "after the heal the caches of all brokers say what ZooKeeper says")                          \
    X(V5, "deletions-finish",                                                                      \
      "after the heal deletions finish, unless a replica is on a dead broker")                     \
    X(V6, "reassignments-finish",                                                                  \
      "after the heal reassignments finish, or wait for a dead broker or for a partition that "    \
      "nobody can lead, and none that was asked for is forgotten, but one that was replaced, "     \
      "cancelled, or asked of a topic that was deleted")                                           \
    X(V7, "preferred-leaders-return",                                                              \
      "with automatic rebalancing preferred replicas lead again within its interval, and "         \
      "none is tried that is not in the ISR")                                                      \
    X(V8, "shutdowns-end", "a controlled shutdown ends within its retries")                        \
    X(V9, "producers-progress", "after the heal a producer with acks=all gets acknowledgements")   \
    X(V10, "no-livelock", "after the heal the controllers come to rest")                           \
    X(V11, "events-handled", "every controller event is handled, or dropped by a resignation")     \
    X(V12, "no-deadlock", "nobody waits for an answer that cannot come")

enum sim_check {
#define X(id, name, text) SIM_CHECK_##id,
    SIM_CHECK_MAP(X)
#undef X
        SIM_CHECK_END
};

/* Return the number as text ("S7"), the name and the sentence; static. */
const char *sim_check_number(enum sim_check check);
const char *sim_check_name(enum sim_check check);
const char *sim_check_text(enum sim_check check);
/* Where it comes from: a method of Kafka, a KIP, a paper; static. */
const char *sim_check_source(enum sim_check check);
static inline bool sim_check_is_liveness(enum sim_check check)
{
    return check >= SIM_CHECK_V1;
}
/* Returns the check of that name or number, or SIM_CHECK_END. */
enum sim_check sim_check_named(const char *name);
/* Writes docs/checks.md (NULL-ended FILE is the caller's). */
void sim_checks_document(void *file);

/* enumerator, name, what was seen */
#define SIM_SOMETIMES_MAP(X)                                                                       \
    X(UNCLEAN_ELECTION, "unclean-election", "a leader from outside the ISR was elected")           \
    X(ZOMBIE_WRITE_REFUSED, "zombie-write-refused",                                                \
      "a write of a deposed controller failed the check of the epoch")                             \
    X(ISR_CAS_LOST, "isr-write-refused", "a leader's ISR write met a newer version")               \
    X(EXPIRY_BEFORE_EPOCH, "expiry-before-epoch",                                                  \
      "a session ended between the creation of /controller and the new epoch")                     \
    X(MOVE_IN_DELETION, "controller-moved-in-deletion",                                            \
      "another controller took over while a topic was being deleted")                              \
    X(MOVE_IN_REASSIGNMENT, "controller-moved-in-reassignment",                                    \
      "another controller took over while a reassignment was under way")                           \
    X(WATCH_AFTER_EXPIRY, "watch-after-expiry",                                                    \
      "an event of a watch reached a client whose session had ended")                              \
    X(DUPLICATE_IGNORED, "duplicate-request-refused",                                              \
      "a broker refused a request whose epoch it had seen, or of an older life")                   \
    X(MULTI_FAILED, "multi-failed", "a transaction of several operations was refused whole")

enum sim_sometimes {
#define X(id, name, text) SIM_SOMETIMES_##id,
    SIM_SOMETIMES_MAP(X)
#undef X
        SIM_SOMETIMES_END
};
const char *sim_sometimes_name(enum sim_sometimes s); /* "unclean-election"; static */
const char *sim_sometimes_text(enum sim_sometimes s); /* static */

/* What an expectation may name: returns enum sim_check, or SIM_CHECK_END + enum sim_sometimes, or
   -1 where nothing has that name. */
int32_t sim_check_expected(const char *name);
/* Stores all these names and a NULL; static. */
void sim_check_names(const char *words[SIM_CHECK_END + SIM_SOMETIMES_END + 1]);

/* ---- what a run came to ---- */

enum { SIM_CHECK_DETAIL = 240 };

struct sim_violation {
    uint64_t count;                /* of this check, 0: it held */
    int64_t t_us;                  /* of the first one */
    uint64_t record;               /* `check` record of the first one, 0 without a trace */
    char object[64];               /* "orders-0", "broker 3": with the check, what a failure is */
    char detail[SIM_CHECK_DETAIL]; /* one line: what is the case */
};

struct sim_check_result {
    struct sim_violation violations[SIM_CHECK_END];
    enum sim_check first; /* to be violated; SIM_CHECK_END: none was */
    uint64_t seen[SIM_SOMETIMES_END];
    uint64_t events;   /* after which checks were made */
    bool liveness;     /* V… were judged */
    int64_t healed_us; /* `heal` acted, -1: it has not */
    int64_t rested_us; /* first moment after it at which all V… held, -1: none */
};

/* Returns whether what an expectation names (sim_check_expected) holds or was seen; `actual`
   (appended to, or cut) says how it is. */
bool sim_check_answer(const struct sim_check_result *result, int32_t expected, char *actual,
                      size_t capacity);

/* ---- life: the world makes, feeds and frees it (sim_world_options.checks) ---- */

/* What controllers have to note for them, with and without a trace. */
#define SIM_CHECKS_NOTES ((uint32_t)(KC_NOTE_QUEUE | KC_NOTE_MOVE | KC_NOTE_DECIDE | KC_NOTE_FACT))

enum sim_checks_mode {
    SIM_CHECKS_OFF,
    SIM_CHECKS_ON,
    SIM_CHECKS_WHOLE, /* tests: everything after each of the first 4,096 events as well, then after
                         every 64th; slow */
};

/* Returns an owned object that looks at `w` (borrowed). */
struct sim_checks *sim_checks_new(struct sim_world *w, enum sim_checks_mode mode);
void sim_checks_free(struct sim_checks *c); /* NULL is fine */
/* Lives as long as `c`. */
const struct sim_check_result *sim_checks_result(const struct sim_checks *c);
/* Judges everything there is now, once; where it finds what the checks on the way did not, that is
   a violation as any other, and the text says so. */
void sim_checks_whole(struct sim_checks *c);

/* ---- hooks. `c` is never NULL: SIM_CHECKED(w, call) asks. ---- */

#define SIM_CHECKED(w, call)                                                                       \
    do {                                                                                           \
        if ((w)->checks != NULL)                                                                   \
            call;                                                                                  \
    } while (0)

/* Process `id` exists; full: its broker hosts logs. */
void sim_checks_process(struct sim_checks *c, int32_t id, bool full);
/* It starts, or has ended (killed, stopped, its start-up failed). */
void sim_checks_life(struct sim_checks *c, int32_t id, bool up);
/* ZooKeeper is about to handle what `id` asks (-1: an operator). epoch: the controller epoch that
   the asking controller had when it asked, -1: its broker part asks, or nobody's controller. */
void sim_checks_zk_asks(struct sim_checks *c, int32_t id, int32_t epoch,
                        const struct wire_zk_request *request);
/* request NULL: it has been handled. */
/* It says: KZ_OUT_APPLIED, EXPIRED, REPLY, EVENT, CLOSED; others are passed over. */
void sim_checks_zk_says(struct sim_checks *c, const struct kz_output *o);
/* The event of a watch reaches process `id`; late: its session had ended there. */
void sim_checks_notified(struct sim_checks *c, int32_t id, const char *path, bool late);
/* The controller of `id` says. */
void sim_checks_controller(struct sim_checks *c, int32_t id, const struct kc_output *o);
/* The broker of `id` notes. */
void sim_checks_replica(struct sim_checks *c, int32_t id, const struct kb_output *o);
/* Broker `id` (full) handles a request of a controller now; and has answered it. */
void sim_checks_request(struct sim_checks *c, int32_t id, enum wire_api api,
                        const struct wire_batch *batch);
void sim_checks_answered(struct sim_checks *c, int32_t id, enum wire_api api,
                         const struct wire_batch *batch, const struct wire_answer *answer);
/* The machine of `id` was lost with what its disks had not flushed. */
void sim_checks_machine_lost(struct sim_checks *c, int32_t id);
/* A producer with acks=all was told that its record is at `offset` (-1: not where), written in
   leader epoch `epoch` (-1 unknown); a consumer was given the record at `offset`. Called from the
   ledger (sim/world_client.h), after each event. */
void sim_checks_acknowledged(struct sim_checks *c, const char *topic, int32_t partition,
                             int64_t offset, int32_t epoch);
void sim_checks_consumed(struct sim_checks *c, const char *topic, int32_t partition,
                         int64_t offset);
/* The faults have stopped. Returns until when (µs) the cluster has to be at rest. */
int64_t sim_checks_heal(struct sim_checks *c);
/* The event of the world is over. */
void sim_checks_event(struct sim_checks *c);
/* The run is over; quiet: nothing is under way. Liveness is judged if `heal` has acted. */
void sim_checks_end(struct sim_checks *c, bool quiet);

#endif
