/*
 * Defects that Kafka has had, one row each: a switch, what it breaks, and which check sees it.
 *
 *     enumerator, JIRA or name, releases that have it,
 *     layer, ids in the catalogue, check that it breaks,
 *     what goes wrong
 *
 * A defect is switched where its repair stands: code asks sm_defect_on(profile, SM_DEFECT_…) and
 * with it on does what Kafka did before the repair, no more. Profile 2.8 has those on that 2.8.2
 * has, 2.8-fixed has none; the others are mistakes of earlier releases, kept so that one can see
 * what their repair is good for.
 *
 * "Releases" is first..last, inclusive; open at the end: still there. "-dev": repaired before the
 * release. The catalogue is that of the project: M1 to M24 (mutants), S1 to S12 (stories), C1 to C4
 * (curiosities of 2.8.2 that were seen first by its recordings). The check is a name of
 * `kcsim explain checks`. docs/defects.md is printed from here.
 */
#ifndef STATEMACHINE_DEFECT_H
#define STATEMACHINE_DEFECT_H

#include <stdbool.h>
#include <stdint.h>

#define SM_DEFECT_MAP(X)                                                                           \
    /* the controller's, of 2.8.2 */                                                               \
    X(STUCK_BATCH, "KAFKA-2300", "0.8.0..", CONTROLLER, "", "partitions-online",                   \
      "an error inside a state machine's call leaves its request batch dirty; every later call "   \
      "on that machine fails until the process restarts")                                          \
    X(METADATA_SKIPPED, "KAFKA-13225", "0.9.0..3.0", CONTROLLER, "S11", "metadata-catches-up",     \
      "UpdateMetadata about a dead broker is skipped while any partition has no live leader")      \
    X(ISR_OUTSIDE_REPLICAS, "KAFKA-9672", "0.8.0..2.8", CONTROLLER, "M10", "isr-within-replicas",  \
      "a completing reassignment leaves removed replicas in the ISR until they are stopped")       \
    X(IMBALANCE_NEGATIVE, "KAFKA-13572", "2.4..3.2.0", CONTROLLER, "", "machines-agree",           \
      "queueing a topic for deletion again subtracts its imbalance again")                         \
    X(POISON_PREFERRED, "kcsim-poison-preferred", "2.8", CONTROLLER, "C1", "no-livelock",          \
      "a preferred election naming a partition without leadership info spins the controller role") \
    X(CANCEL_DELETES_ONLY_COPY, "KAFKA-14424", "2.4..", CONTROLLER, "C2", "machines-agree",        \
      "cancelling or replacing a reassignment may stop and delete the only in-sync replica")       \
    X(UNCLEAN_CONSIDERS_UNASSIGNED, "kcsim-leaderless-though-unclean", "0.8.0..", CONTROLLER,      \
      "C3", "partitions-online",                                                                   \
      "an unclean election is not considered while an ISR member outside the assignment lives")    \
    X(DELETE_WHILE_REASSIGNING, "kcsim-delete-while-reassigning", "2.8", CONTROLLER, "C4",         \
      "deleted-topics-stay-deleted",                                                               \
      "a topic under reassignment is deleted at once and its reassignment strikes its namesake")   \
    X(GONE_UNNOTICED, "kcsim-gone-unnoticed", "0.11.0..", CONTROLLER, "", "one-active-controller", \
      "a broker that hears of a new controller and finds none does not stand for election: one "   \
      "that gives up at once leaves none")                                                         \
    X(OWN_STATE_REFUSED, "kcsim-own-state-refused", "0.8.0..", CONTROLLER, "",                     \
      "metadata-catches-up",                                                                       \
      "a partition whose creation is repeated after a lost reply is refused by its own success, "  \
      "and stays without a leader until the next failover")                                        \
    X(TOLD_TOO_EARLY, "kcsim-told-too-early", "0.10.0..", CONTROLLER, "", "deletions-finish",      \
      "brokers are told that a topic is gone while a reassignment still halts its deletion: "      \
      "nobody can fetch, and neither ends")                                                        \
    X(HELD_UP_UNLED, "kcsim-held-up-unled", "0.8.1..", CONTROLLER, "", "deletions-finish",         \
      "a topic whose deletion a reassignment holds up is led no more: its replicas that die stay " \
      "in the ISR, none is elected, and neither ends")                                             \
    X(INELIGIBLE_KEPT, "kcsim-ineligible-kept", "0.8.1..", CONTROLLER, "", "deletions-finish",     \
      "that the deletion of a topic is halted is remembered when it completes all the same: its "  \
      "namesake is not deleted until a broker of it returns")                                      \
    X(CANCEL_HALF_DONE, "kcsim-cancel-half-done", "2.4..", CONTROLLER, "", "isr-within-replicas",  \
      "a reassignment is cancelled in ZooKeeper before its replicas are stopped, and the leader "  \
      "may take one in meanwhile: a controller that dies between leaves them in the ISR")          \
    X(UNLED_UNWATCHED, "kcsim-unled-unwatched", "2.4..", CONTROLLER, "", "reassignments-finish",   \
      "a reassignment of a partition that has never had a leader does not learn of its first ISR") \
    X(FORMER_ANSWER, "kcsim-former-answer", "1.1..", CONTROLLER, "",                               \
      "deleted-topics-stay-deleted",                                                               \
      "what a broker answered before it registered anew, or to an earlier time of the "            \
      "controller, completes a deletion that has begun again since: it may have been given a new " \
      "log meanwhile")                                                                             \
    X(JOINED_UNSTARTED, "kcsim-joined-unstarted", "2.4..", CONTROLLER, "", "deletions-finish",     \
      "a replica that a replaced reassignment adds may be in sync before it is started: it never " \
      "goes Online, and is never deleted")                                                         \
    X(COMPLETED_UNLED, "kcsim-completed-unled", "0.8.1..", CONTROLLER, "", "machines-agree",       \
      "a reassignment completes though all of its target is shutting down: its leader is stopped " \
      "and nobody elected")                                                                        \
    X(STOPPED_UNLED, "kcsim-stopped-unled", "2.4..", CONTROLLER, "", "machines-agree",             \
      "a reassignment that is replaced stops the replica that leads, and nobody is elected: the "  \
      "partition stays without a leader, and its new replicas cannot catch up")                    \
    X(UNRESIGNED, "kcsim-unresigned", "1.0..", CONTROLLER, "", "",                                 \
      "a controller that gives up after an error, and finds that another one has been elected, "   \
      "does not resign: its timers, handlers and senders go on")                                   \
    X(REQUEST_DELETED_TWICE, "kcsim-request-deleted-twice", "0.8.1..", CONTROLLER, "",             \
      "reassignments-finish",                                                                      \
      "/admin/reassign_partitions is deleted once more when the reply was lost: what an operator " \
      "has asked for meanwhile is forgotten")                                                      \
    /* the controller's, repaired before 2.8.2 */                                                  \
    X(UNFENCED_WRITES, "KAFKA-6082", "0.8.0..2.0", CONTROLLER, "M1 S6",                            \
      "controller-writes-fenced",                                                                  \
      "writes do not check the controller's epoch: a deposed controller's are applied")            \
    X(STOP_TAKEN_FOR_DELETE, "KAFKA-9946", "2.6-dev", CONTROLLER, "M4",                            \
      "deleted-topics-stay-deleted",                                                               \
      "the answer to a StopReplica that deletes nothing is taken for a completed deletion")        \
    X(BUMP_NOT_KEPT, "KAFKA-9212", "0.8.0..2.3.1", CONTROLLER, "M6 S10", "changes-noticed",        \
      "the leader epoch that a reassignment raises is not remembered: UpdateMetadata tells the "   \
      "old one")                                                                                   \
    X(DEAD_NOT_OFFLINE, "KAFKA-3143", "0.8.0..2.2", CONTROLLER, "M7", "partitions-online",         \
      "a new controller does not move replicas on dead brokers Offline: they stay in the ISR, a "  \
      "dead leader stays the leader")                                                              \
    X(LEADERLESS_NOT_OFFLINE, "KAFKA-6650", "0.8.0..1.1", CONTROLLER, "M8", "deletions-finish",    \
      "a replica of a partition without leadership info does not go Offline: the deletion of its " \
      "topic never ends")                                                                          \
    X(METADATA_LAST, "KAFKA-4443", "0.8.0..0.10.1.0", CONTROLLER, "M9 S12", "isr-grows",           \
      "a new controller sends LeaderAndIsr before it tells who lives: a broker that does not "     \
      "know the leader starts no fetcher")                                                         \
    X(GROWS_IN_DELETION, "KAFKA-6612", "0.8.0..1.1", CONTROLLER, "M13",                            \
      "deleted-topics-stay-deleted",                                                               \
      "partitions added to a topic that is being deleted stay in its znode")                       \
    X(ZNODE_FROM_MEMORY, "KAFKA-6193", "0.8.0..1.0.0", CONTROLLER, "M14", "reassignments-finish",  \
      "the first reassignment to complete removes those from /admin/reassign_partitions that "     \
      "have not begun")                                                                            \
    X(REGISTERED_ONCE, "KAFKA-7165", "0.8.0..2.1", CONTROLLER, "M16",                              \
      "broker-epoch-is-registration",                                                              \
      "a registration that an earlier session of the broker left behind makes it give up")         \
    X(PREFERRED_NOT_IN_ISR, "KAFKA-9866", "0.8.0..2.5", CONTROLLER, "M17",                         \
      "preferred-leaders-return",                                                                  \
      "the rebalancer elects preferred replicas that are not in the ISR, in vain, each interval")  \
    X(REASSIGNMENT_DROPPED, "KAFKA-9089", "0.8.0..2.3", CONTROLLER, "M18", "reassignments-finish", \
      "a reassignment that meets an unexpected error is forgotten half-way")                       \
    X(LISTED_AT_WATCH, "KAFKA-5879", "0.11.0..1.0", CONTROLLER, "M5", "",                          \
      "ISR change notifications are listed when their watch fires, and not when the event is "     \
      "taken up: events that have waited read and delete znodes that are gone, and tell brokers "  \
      "change by change what one request could tell")                                              \
    X(CONTEXT_KEPT, "KAFKA-5310", "0.8.0..0.10.2", CONTROLLER, "S9",                               \
      "reassignment-keeps-replicas",                                                               \
      "a controller that resigns keeps its reassignments, and starts them again when it is "       \
      "elected again")                                                                             \
    /* the session's */                                                                            \
    X(SESSION_TRIED_ONCE, "KAFKA-5473", "0.9.0..1.0", SESSION, "M15", "isr-grows",                 \
      "a new session that cannot be established at once is never tried again: the broker runs on " \
      "unregistered")                                                                              \
    /* the brokers' */                                                                             \
    X(STRAY_REPLICA, "KAFKA-13972", "2.6..3.4.0", BROKER, "M11 S8", "reassignment-keeps-replicas", \
      "StopReplica at the partition's own leader epoch is refused: after a cancelled "             \
      "reassignment the added replica stays")                                                      \
    X(UNKNOWN_REPLICA_FETCH, "KAFKA-13837", "0.8.0..3.2", BROKER, "", "stale-requests-refused",    \
      "a fetch from a replica that is not assigned is answered empty and without error")           \
    X(OFFLINE_REPLICA_JOINS, "KAFKA-14140", "0.8.0..3.2", BROKER, "M12", "isr-within-replicas",    \
      "a late fetch of a replica whose broker is gone from the metadata takes it into the ISR")    \
    X(ISR_PENDING_FOR_EVER, "kcsim-isr-pending-for-ever", "2.7..", BROKER, "", "isr-grows",        \
      "an ISR write that ends with its session stays pending: its leader changes the ISR no more " \
      "until the epoch changes")                                                                   \
    X(MISSED_EPOCHS, "kcsim-missed-epochs", "0.9.0..", BROKER, "", "high-watermark-bounded",       \
      "a leader that has missed epochs in which others led goes on with what it knew of its "      \
      "followers: its high watermark counts records that they have truncated")                     \
    X(NEVER_TOLD, "kcsim-never-told", "0.8.0..3.2", BROKER, "", "leader-epochs-rise",              \
      "a broker whose session expires while a replica is taken from it is never told: it leads "   \
      "on, and its ISR write may meet the znode of a namesake")                                    \
    X(HW_TRUNCATION, "KAFKA-1211", "0.8.0..0.10.2", BROKER, "M21 S1", "acknowledged-records-kept", \
      "a follower truncates to its high watermark: committed records are lost (KIP-101)")          \
    X(EPOCH_ANSWER, "KAFKA-6361", "0.11.0..1.1", BROKER, "M22 S2", "logs-match",                   \
      "OffsetForLeaderEpoch answers the start of the next epoch only: logs diverge (KIP-279)")     \
    X(UNFENCED_FETCH, "KAFKA-7395", "0.8.0..2.0", BROKER, "M23", "logs-match",                     \
      "followers do not say which epoch they follow: a leader of another epoch answers (KIP-320)") \
    X(FENCED_BY_RECORD, "kcsim-kip-320-first-try", "2.1-dev", BROKER, "M24",                       \
      "acknowledged-records-kept",                                                                 \
      "followers truncate only when their last record is not the leader's, and are not asked "     \
      "which epoch they follow: one acknowledges what it then truncates")                          \
    X(JOINS_BELOW_EPOCH, "KAFKA-7128", "0.10.2..2.0.0", BROKER, "S3", "acknowledged-records-kept", \
      "a follower at the high watermark joins the ISR though below the leader's epoch")            \
    X(EPOCH_NOT_RECORDED, "KAFKA-7415", "0.11.0..2.0.0", BROKER, "S4", "high-watermark-bounded",   \
      "a new leader notes its epoch with the first append only: followers truncate too far")       \
    X(SAME_LEADER_SKIPPED, "KAFKA-7164", "0.8.0..2.0.0", BROKER, "", "logs-match",                 \
      "a follower that keeps its leader in a new epoch truncates nothing")                         \
    X(ISR_REPLY_LOST, "KAFKA-1382", "0.8.0..0.8.1", BROKER, "S5", "isr-grows",                     \
      "an ISR write whose reply is lost is taken for a failed one, for ever")                      \
    X(PARTITION_EPOCH_LOST, "KAFKA-12367", "2.8-dev", BROKER, "M19", "isr-grows",                  \
      "a leader does not take over the version of the partition's state: its ISR changes are "     \
      "refused for ever (KRaft brokers; here the znode's version)")                                \
    X(EQUAL_EPOCH_ACCEPTED, "KAFKA-2721", "0.8.0..0.8.2", BROKER, "", "stale-requests-refused",    \
      "LeaderAndIsr at the partition's own leader epoch is followed once more")                    \
    X(STOP_WITHOUT_EPOCH, "KAFKA-9539", "0.8.0..2.5", BROKER, "M3", "stale-requests-refused",      \
      "StopReplica is not compared with the leader epoch: a late one deletes a live replica")      \
    X(BOUNCE_INVISIBLE, "KAFKA-7235", "0.8.0..2.1", BROKER, "M2 S7", "metadata-catches-up",        \
      "brokers have no epoch: one follows requests that were meant for its previous life, and "    \
      "the controller does not see a broker that returns at once (KIP-380)")                       \
    X(IDLE_LEAVES_ISR, "KAFKA-7152", "0.9.0..2.0", BROKER, "", "isr-writes-conditional",           \
      "a replica at the leader's end leaves the ISR when its broker was slow to ask")              \
    X(STALE_EPOCH_ANSWER, "KAFKA-7786", "2.1.0", BROKER, "", "isr-grows",                          \
      "a late refusal of an older epoch's question stops the new epoch's fetching")                \
    X(FAILED_READ, "KAFKA-8400", "2.2..2.3", BROKER, "", "isr-writes-conditional",                 \
      "a follower's refused fetch makes the leader forget how far it was")                         \
    X(EPOCH_AT_END_KEPT, "KAFKA-10706", "0.11.0..2.6", BROKER, "", "isr-grows",                    \
      "truncating at the log's end keeps an epoch that starts there: truncation never ends")       \
    X(HW_NOT_CHECKPOINTED, "KAFKA-1647", "0.8.0..0.8.1", BROKER, "", "high-watermark-bounded",     \
      "a follower whose leader was away loses its high watermark at the next checkpoint")          \
    X(STOP_KEEPS_WAITERS, "KAFKA-9198", "0.8.0..2.3", BROKER, "", "no-deadlock",                   \
      "stopping a leader does not answer who waits on it")

enum sm_defect {
#define X(name, jira, versions, layer, ids, check, text) SM_DEFECT_##name,
    SM_DEFECT_MAP(X)
#undef X
        SM_DEFECT_END
};

/* Whose mistake it is: where the switch stands. */
enum sm_defect_layer { SM_LAYER_CONTROLLER, SM_LAYER_SESSION, SM_LAYER_BROKER };

/* Returns the defect named by its JIRA or name ("KAFKA-13225"), or SM_DEFECT_END. */
enum sm_defect sm_defect_named(const char *jira);

/* Return the JIRA (or name), the releases ("0.8.0..2.5"; open: still there) and the sentence of a
   defect; static. */
const char *sm_defect_jira(enum sm_defect defect);
const char *sm_defect_versions(enum sm_defect defect);
const char *sm_defect_text(enum sm_defect defect);

/* Return the name of its layer ("controller", "session", "broker"), its ids in the catalogue ("M1
   S6"; "" for none) and the check that sees it ("" for none: it breaks no promise, only an
   expectation); static. */
const char *sm_defect_layer(enum sm_defect defect);
const char *sm_defect_ids(enum sm_defect defect);
const char *sm_defect_check(enum sm_defect defect);

#endif
