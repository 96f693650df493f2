/*
 * Four versions, each a set of rules and of defects: the only place where a version is a version.
 *
 * 2.8 and 2.8-fixed differ in defects only. 0.9 and 0.8.2 have the rules of their time; of the
 * defects they have those whose code they share with 2.8 (their own, such as the last ISR member
 * that goes, are rules here, because they were how those versions worked).
 *
 * Source: tags 2.8.2, 0.9.0.1 and 0.8.2.2 of apache/kafka.
 */
#include "statemachine/profile.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct sm_profile) == 16, "a profile is compared and hashed as bytes");
_Static_assert(SM_RULE_END <= 32, "rules are bits of 32");
_Static_assert(SM_DEFECT_END <= 64, "defects are bits of 64");

#define RULE(name)   (1u << SM_RULE_##name)
#define DEFECT(name) (UINT64_C(1) << SM_DEFECT_##name)

#define ALL_RULES ((UINT32_C(1) << SM_RULE_END) - 1)

/* What 2.8.2 has: the controller's, and of the brokers' those that 3.x repaired. */
#define DEFECTS_2_8                                                                                \
    (DEFECT(STUCK_BATCH) | DEFECT(METADATA_SKIPPED) | DEFECT(ISR_OUTSIDE_REPLICAS) |               \
     DEFECT(IMBALANCE_NEGATIVE) | DEFECT(POISON_PREFERRED) | DEFECT(CANCEL_DELETES_ONLY_COPY) |    \
     DEFECT(UNCLEAN_CONSIDERS_UNASSIGNED) | DEFECT(DELETE_WHILE_REASSIGNING) |                     \
     DEFECT(GONE_UNNOTICED) | DEFECT(OWN_STATE_REFUSED) | DEFECT(TOLD_TOO_EARLY) |                 \
     DEFECT(HELD_UP_UNLED) | DEFECT(INELIGIBLE_KEPT) | DEFECT(CANCEL_HALF_DONE) |                  \
     DEFECT(UNLED_UNWATCHED) | DEFECT(JOINED_UNSTARTED) | DEFECT(COMPLETED_UNLED) |                \
     DEFECT(STOPPED_UNLED) | DEFECT(UNRESIGNED) | DEFECT(REQUEST_DELETED_TWICE) |                  \
     DEFECT(STRAY_REPLICA) | DEFECT(UNKNOWN_REPLICA_FETCH) | DEFECT(OFFLINE_REPLICA_JOINS) |       \
     DEFECT(ISR_PENDING_FOR_EVER) | DEFECT(MISSED_EPOCHS) | DEFECT(NEVER_TOLD) |                   \
     DEFECT(FORMER_ANSWER))

#define RULES_2_8 (ALL_RULES & ~RULE(OFFLINE_NEEDS_LEADERSHIP))
#define RULES_0_9                                                                                  \
    (RULE(ISR_NOTIFICATION) | RULE(METADATA_TO_ALL_ON_STARTUP) | RULE(METADATA_ON_FAILURE))
#define RULES_0_8_2 RULE(OFFLINE_NEEDS_LEADERSHIP)

#define BROKER_DEFECTS_OLD                                                                         \
    (DEFECT(UNKNOWN_REPLICA_FETCH) | DEFECT(OFFLINE_REPLICA_JOINS) | DEFECT(HW_TRUNCATION) |       \
     DEFECT(SAME_LEADER_SKIPPED) | DEFECT(STOP_WITHOUT_EPOCH) | DEFECT(BOUNCE_INVISIBLE) |         \
     DEFECT(IDLE_LEAVES_ISR) | DEFECT(STOP_KEEPS_WAITERS) | DEFECT(UNFENCED_FETCH) |               \
     DEFECT(NEVER_TOLD))

/* Those whose code the old versions share with 2.8. Others are rules there: they write unfenced,
   keep their context, send metadata last. */
#define CONTROLLER_DEFECTS_OLD                                                                     \
    (DEFECT(BUMP_NOT_KEPT) | DEFECT(GROWS_IN_DELETION) | DEFECT(ZNODE_FROM_MEMORY) |               \
     DEFECT(REGISTERED_ONCE) | DEFECT(PREFERRED_NOT_IN_ISR) | DEFECT(REASSIGNMENT_DROPPED))

/* 0.8.2 has no METADATA_SKIPPED: it sends no metadata after a failure that could be skipped. */
#define DEFECTS_0_8_2                                                                              \
    (CONTROLLER_DEFECTS_OLD | DEFECT(STUCK_BATCH) | DEFECT(ISR_OUTSIDE_REPLICAS) |                 \
     DEFECT(UNCLEAN_CONSIDERS_UNASSIGNED) | DEFECT(HELD_UP_UNLED) | DEFECT(INELIGIBLE_KEPT) |      \
     DEFECT(COMPLETED_UNLED) | BROKER_DEFECTS_OLD | DEFECT(EQUAL_EPOCH_ACCEPTED))
#define DEFECTS_0_9                                                                                \
    ((DEFECTS_0_8_2 & ~DEFECT(EQUAL_EPOCH_ACCEPTED)) | DEFECT(METADATA_SKIPPED) |                  \
     DEFECT(MISSED_EPOCHS))

struct version_row {
    const char *name;
    uint32_t rules;
    uint64_t defects;
};

static const struct version_row versions[SM_VERSION_END] = {
    [SM_VERSION_2_8] = {.name = "2.8", .rules = RULES_2_8, .defects = DEFECTS_2_8},
    [SM_VERSION_2_8_FIXED] = {.name = "2.8-fixed", .rules = RULES_2_8, .defects = 0},
    [SM_VERSION_0_9] = {.name = "0.9", .rules = RULES_0_9, .defects = DEFECTS_0_9},
    [SM_VERSION_0_8_2] = {.name = "0.8.2", .rules = RULES_0_8_2, .defects = DEFECTS_0_8_2},
};

struct rule_row {
    const char *name, *text;
};

static const struct rule_row rule_rows[SM_RULE_END] = {
#define X(id, rule, versions, sentence) [SM_RULE_##id] = {.name = rule, .text = sentence},
    SM_RULE_MAP(X)
#undef X
};

struct sm_profile sm_profile_of(enum sm_version version)
{
    assert(version > SM_VERSION_NONE);
    assert(version < SM_VERSION_END);
    return (struct sm_profile){
        .version = version, .rules = versions[version].rules, .defects = versions[version].defects};
}

enum sm_version sm_version_named(const char *name)
{
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++)
        if (strcmp(versions[version].name, name) == 0)
            return (enum sm_version)version;
    return SM_VERSION_NONE;
}

const char *sm_version_name(enum sm_version version)
{
    assert(version > SM_VERSION_NONE);
    assert(version < SM_VERSION_END);
    return versions[version].name;
}

const char *sm_rule_name(enum sm_rule rule)
{
    assert(rule < SM_RULE_END);
    return rule_rows[rule].name;
}

const char *sm_rule_text(enum sm_rule rule)
{
    assert(rule < SM_RULE_END);
    return rule_rows[rule].text;
}
