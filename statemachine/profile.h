/*
 * Profiles of Kafka versions, and defects as switches.
 *
 * A profile is a set of *rules* (how this version works) and of *defects* (what this version does
 * wrong, each with the JIRA that names it). The state machines and the controller ask for a rule
 * or a defect by name, never for a version, so that one truth stands here.
 */
#ifndef STATEMACHINE_PROFILE_H
#define STATEMACHINE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

enum sm_version {
    SM_VERSION_NONE,
    SM_VERSION_2_8,       /* "2.8": Kafka 2.8.2 at protocol level 2.6, defects and all */
    SM_VERSION_2_8_FIXED, /* "2.8-fixed": the same without its defects */
    SM_VERSION_0_9,       /* "0.9": Kafka 0.9.0.1 */
    SM_VERSION_0_8_2,     /* "0.8.2": Kafka 0.8.2.2, of the notes on ReplicaStateMachine */
    SM_VERSION_END
};

/*
 * Rules: how a version works, one bit each. Enumerator, name, versions that have it (2.8 stands for
 * 2.8-fixed too), what it says.
 */
#define SM_RULE_MAP(X)                                                                             \
    X(FENCED_WRITES, "fenced-writes", "2.8", "writes are a multi with check(/controller_epoch)")   \
    X(BROKER_EPOCHS, "broker-epochs", "2.8",                                                       \
      "the czxid of the registration travels in requests (KIP-380)")                               \
    X(RESET_ON_RESIGNATION, "reset-on-resignation", "2.8",                                         \
      "the context is cleared on resignation (KAFKA-5310)")                                        \
    X(METADATA_FIRST, "metadata-first", "2.8", "failover begins with UpdateMetadata (KAFKA-4443)") \
    X(OFFLINE_AT_STARTUP, "offline-at-startup", "2.8",                                             \
      "replicas on dead brokers go Offline at start-up (KAFKA-3143)")                              \
    X(KEEP_LAST_ISR, "keep-last-isr", "2.8",                                                       \
      "the last ISR member stays also with unclean election on")                                   \
    X(STOP_REPLICA_EPOCH, "stop-replica-epoch", "2.8",                                             \
      "StopReplica carries leader epochs (KIP-570)")                                               \
    X(EPOCH_IN_CREATE, "epoch-in-create", "2.8",                                                   \
      "/controller_epoch starts at 0 and the election multi raises it")                            \
    X(ISR_NOTIFICATION, "isr-notification", "2.8, 0.9", "/isr_change_notification is watched")     \
    X(REASSIGNMENT_IN_TOPIC, "reassignment-in-topic", "2.8",                                       \
      "adding and removing replicas live in the topic znode (KIP-455)")                            \
    X(METADATA_TO_ALL_ON_STARTUP, "metadata-to-all-on-startup", "2.8, 0.9",                        \
      "a broker's start-up is told to every broker, not to the new ones only")                     \
    X(METADATA_ON_FAILURE, "metadata-on-failure", "2.8, 0.9",                                      \
      "a broker's failure ends with UpdateMetadata")                                               \
    X(INELIGIBLE_FROM_OFFLINE, "ineligible-from-offline", "2.8",                                   \
      "Offline -> ReplicaDeletionIneligible is legal")                                             \
    X(DELETION_EVENTS, "deletion-events", "2.8", "answers to StopReplica are controller events")   \
    X(BATCHED_CHANGES, "batched-changes", "2.8",                                                   \
      "one state-change call handles many replicas at once")                                       \
    X(EMPTY_METADATA_IS_NONE, "empty-metadata-is-none", "2.8",                                     \
      "UpdateMetadata of no partitions carries none (before: all)")                                \
    X(OFFLINE_NEEDS_LEADERSHIP, "offline-needs-leadership", "0.8.2",                               \
      "Offline throws where the partition has no leadership info")                                 \
    X(SHUTDOWN_IN_ASSIGNMENT_ORDER, "shutdown-in-assignment-order", "2.8",                         \
      "controlled shutdown elects in assignment order, and only the living (before: the head "     \
      "of the ISR left, KAFKA-3670)")                                                              \
    X(REELECT_PREFERRED, "reelect-preferred", "2.8",                                               \
      "electing a preferred replica that leads already is done again (before: not needed)")

enum sm_rule {
#define X(id, name, versions, text) SM_RULE_##id,
    SM_RULE_MAP(X)
#undef X
        SM_RULE_END
};

/*
 * Defects that Kafka has had. Enumerator, JIRA or name, releases that have it, what it breaks. Each
 * is a switch. Profile 2.8 has those on that 2.8.2 has, 2.8-fixed has none; the others are mistakes
 * of earlier releases, kept so that one can see what their repair is good for.
 */
#define SM_DEFECT_MAP(X)                                                                           \
    /* the controller's */                                                                         \
    X(STUCK_BATCH, "KAFKA-2300", "0.8.0..",                                                        \
      "an error inside a state machine's call leaves its request batch dirty; every later call "   \
      "on that machine fails until the process restarts")                                          \
    X(METADATA_SKIPPED, "KAFKA-13225", "0.9.0..3.0",                                               \
      "UpdateMetadata about a dead broker is skipped while any partition has no live leader")      \
    X(ISR_OUTSIDE_REPLICAS, "KAFKA-9672", "0.8.0..2.8",                                            \
      "a completing reassignment leaves removed replicas in the ISR until they are stopped")       \
    X(IMBALANCE_NEGATIVE, "KAFKA-13572", "2.4..3.2.0",                                             \
      "queueing a topic for deletion again subtracts its imbalance again")                         \
    X(POISON_PREFERRED, "kcsim-poison-preferred", "2.8",                                           \
      "a preferred election naming a partition without leadership info spins the controller role") \
    X(CANCEL_DELETES_ONLY_COPY, "KAFKA-14424", "2.4..",                                            \
      "cancelling a reassignment may stop and delete the only in-sync replica")                    \
    X(UNCLEAN_CONSIDERS_UNASSIGNED, "kcsim-leaderless-though-unclean", "0.8.0..",                  \
      "an unclean election is not considered while an ISR member outside the assignment lives")    \
    X(DELETE_WHILE_REASSIGNING, "kcsim-delete-while-reassigning", "2.8",                           \
      "a topic under reassignment is deleted at once and its reassignment strikes its namesake")   \
    /* the brokers' */                                                                             \
    X(STRAY_REPLICA, "KAFKA-13972", "2.6..3.4.0",                                                  \
      "StopReplica at the partition's own leader epoch is refused: after a cancelled "             \
      "reassignment the added replica stays")                                                      \
    X(UNKNOWN_REPLICA_FETCH, "KAFKA-13837", "0.8.0..3.2",                                          \
      "a fetch from a replica that is not assigned is answered empty and without error")           \
    X(OFFLINE_REPLICA_JOINS, "KAFKA-14140", "0.8.0..3.2",                                          \
      "a late fetch of a replica whose broker is gone from the metadata takes it into the ISR")    \
    X(HW_TRUNCATION, "KAFKA-1211", "0.8.0..0.10.2",                                                \
      "a follower truncates to its high watermark: committed records are lost (KIP-101)")          \
    X(EPOCH_ANSWER, "KAFKA-6361", "0.11.0..1.1",                                                   \
      "OffsetForLeaderEpoch answers the start of the next epoch only: logs diverge (KIP-279)")     \
    X(JOINS_BELOW_EPOCH, "KAFKA-7128", "0.10.2..2.0.0",                                            \
      "a follower at the high watermark joins the ISR though below the leader's epoch")            \
    X(EPOCH_NOT_RECORDED, "KAFKA-7415", "0.11.0..2.0.0",                                           \
      "a new leader notes its epoch with the first append only: followers truncate too far")       \
    X(SAME_LEADER_SKIPPED, "KAFKA-7164", "0.8.0..2.0.0",                                           \
      "a follower that keeps its leader in a new epoch truncates nothing")                         \
    X(ISR_REPLY_LOST, "KAFKA-1382", "0.8.0..0.8.1",                                                \
      "an ISR write whose reply is lost is taken for a failed one, for ever")                      \
    X(EQUAL_EPOCH_ACCEPTED, "KAFKA-2721", "0.8.0..0.8.2",                                          \
      "LeaderAndIsr at the partition's own leader epoch is followed once more")                    \
    X(STOP_WITHOUT_EPOCH, "KAFKA-9539", "0.8.0..2.5",                                              \
      "StopReplica is not compared with the leader epoch: a late one deletes a live replica")      \
    X(BOUNCE_INVISIBLE, "KAFKA-7235", "0.8.0..2.1",                                                \
      "a broker follows requests that were meant for its previous life (KIP-380)")                 \
    X(IDLE_LEAVES_ISR, "KAFKA-7152", "0.9.0..2.0",                                                 \
      "a replica at the leader's end leaves the ISR when its broker was slow to ask")              \
    X(STALE_EPOCH_ANSWER, "KAFKA-7786", "2.1.0",                                                   \
      "a late refusal of an older epoch's question stops the new epoch's fetching")                \
    X(FAILED_READ, "KAFKA-8400", "2.2..2.3",                                                       \
      "a follower's refused fetch makes the leader forget how far it was")                         \
    X(EPOCH_AT_END_KEPT, "KAFKA-10706", "0.11.0..2.6",                                             \
      "truncating at the log's end keeps an epoch that starts there: truncation never ends")       \
    X(HW_NOT_CHECKPOINTED, "KAFKA-1647", "0.8.0..0.8.1",                                           \
      "a follower whose leader was away loses its high watermark at the next checkpoint")          \
    X(STOP_KEEPS_WAITERS, "KAFKA-9198", "0.8.0..2.3",                                              \
      "stopping a leader does not answer who waits on it")

enum sm_defect {
#define X(name, jira, versions, text) SM_DEFECT_##name,
    SM_DEFECT_MAP(X)
#undef X
        SM_DEFECT_END
};

/* What is on: by value, 16 bytes, no padding. */
struct sm_profile {
    uint32_t version; /* enum sm_version */
    uint32_t rules;   /* bit per enum sm_rule */
    uint64_t defects; /* bit per enum sm_defect */
};

/* Returns the profile of `version` (asserts that it is one). */
struct sm_profile sm_profile_of(enum sm_version version);

/* Returns the version called `name` ("2.8", "2.8-fixed", "0.9", "0.8.2"), or SM_VERSION_NONE. */
enum sm_version sm_version_named(const char *name);

/* Returns the name of `version`; static. */
const char *sm_version_name(enum sm_version version);

static inline bool sm_rule_on(const struct sm_profile *p, enum sm_rule rule)
{
    return (p->rules >> rule & 1u) != 0;
}

static inline bool sm_defect_on(const struct sm_profile *p, enum sm_defect defect)
{
    return (p->defects >> defect & 1u) != 0;
}

/* Returns the defect named by its JIRA or name ("KAFKA-13225"), or SM_DEFECT_END. */
enum sm_defect sm_defect_named(const char *jira);

/* Return the JIRA (or name), the releases ("0.8.0..2.5"; open: still there) and the sentence of a
   defect; static. */
const char *sm_defect_jira(enum sm_defect defect);
const char *sm_defect_versions(enum sm_defect defect);
const char *sm_defect_text(enum sm_defect defect);

/* Return the name of a rule ("fenced-writes") and its sentence; static. */
const char *sm_rule_name(enum sm_rule rule);
const char *sm_rule_text(enum sm_rule rule);

#endif
