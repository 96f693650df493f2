/*
 * Profiles of Kafka versions, and defects as switches.
 *
 * A profile is a set of *rules* (how this version works) and of *defects* (what this version does
 * wrong, each with the JIRA that names it; defect.h lists them). The state machines and the
 * controller ask for a rule or a defect by name, never for a version, so that one truth stands
 * here.
 */
#ifndef STATEMACHINE_PROFILE_H
#define STATEMACHINE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "statemachine/defect.h"

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

/* Return the name of a rule ("fenced-writes") and its sentence; static. */
const char *sm_rule_name(enum sm_rule rule);
const char *sm_rule_text(enum sm_rule rule);

#endif
