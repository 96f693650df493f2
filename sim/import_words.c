/*
 * What Kafka writes: every line of controller.log and state-change.log, 0.8.2 to 3.x, as one table.
 *
 *     whose:   "[Controller id=1 epoch=4] ", "Controller 1 epoch 4 ", "[Broker id=2] ", …
 *     wording: "Changed state of replica {r} for partition {p} from {f} to {t}"
 *
 * A hole {x} takes what stands between the literals around it, the shortest that fits; the last
 * takes the rest. Letters have types: b c e g h k l m n r v are whole numbers, p a partition, f and
 * t one word; all others are text. The first wording that fits counts, so the more particular ones
 * stand first. The first letter fits in both cases: until 1.0 state-change.log had "Controller 1
 * epoch 4 changed …".
 *
 * 2.8's wordings are those that kcsim writes itself (controller/, the texts of kc_log and
 * kc_state_log); tests/import/test_round_trip reads what it writes in every scenario and wants no
 * line unknown.
 *
 * Source: the log calls of kafka.controller and of state.change.logger in Kafka 0.8.2.2, 0.9.0.1,
 * 0.10.2.2, 0.11.0.2, 1.0.2, 1.1.1, 2.0.1, 2.4.1, 2.6.3, 2.8.2, 3.2.3, 3.5.2, 3.8.0.
 */
#include <stdio.h>
#include <string.h>

#include "sim/import_state.h"

struct wording {
    enum sim_word word;
    const char *text;
    const char *event; /* what the controller begins: the event of 2.8 */
    const char *rule;  /* of elections below it */
};

#define OFFLINE_RULE   "OfflinePartitionLeaderElectionStrategy"
#define REASSIGN_RULE  "ReassignPartitionLeaderElectionStrategy"
#define PREFERRED_RULE "PreferredReplicaPartitionLeaderElectionStrategy"
#define SHUTDOWN_RULE  "ControlledShutdownPartitionLeaderElectionStrategy"

static const struct wording wordings[] = {
    /* ---- moves ---- */
    {.word = WORD_PARTITION_NEW,
     .text = "Changed partition {p} state from {f} to {t} with assigned replicas {i}"},
    {.word = WORD_PARTITION_ONLINE, .text = "Changed partition {p} from {f} to {t} with state {s}"},
    {.word = WORD_PARTITION_ONLINE,
     .text = "Changed partition {p} from {f} to {t} with leader {l}"},
    {.word = WORD_PARTITION_MOVE, .text = "Changed partition {p} state from {f} to {t}"},
    {.word = WORD_REPLICA_MOVE,
     .text = "Changed state of replica {r} for partition {p} from {f} to {t}"},
    {.word = WORD_PARTITION_REFUSED,
     .text = "Controller {c} epoch {e} failed to change state for partition {p} from {f} to {t}"},
    {.word = WORD_PARTITION_REFUSED,
     .text = "Failed to change state for partition {p} from {f} to {t}"},
    {.word = WORD_PARTITION_REFUSED,
     .text = "Initiated state change for partition {p} from {f} to {t} failed"},
    {.word = WORD_REPLICA_REFUSED,
     .text = "Controller {c} epoch {e} initiated state change of replica {r} for partition {p} "
             "from {f} "
             "to {t} failed"},
    {.word = WORD_REPLICA_REFUSED,
     .text = "Initiated state change of replica {r} for partition {p} from {f} to {t} failed"},

    /* ---- what is written to state znodes ---- */
    {.word = WORD_ISR_WITHOUT,
     .text =
         "Partition {p} state changed to {s} after removing replica {r} from the ISR as part of "
         "transition to {t}"},
    {.word = WORD_LEADER_AND_ISR, .text = "New leader and ISR for partition {p} is {s}"},
    {.word = WORD_EPOCH_UP, .text = "Updated leader epoch for partition {p} to {g}, zkVersion={v}"},
    {.word = WORD_EPOCH_UP,
     .text = "Updated leader epoch for partition {p} to {g}, partitionEpoch={v}"},
    {.word = WORD_EPOCH_UP, .text = "Updated leader epoch for partition {p} to {g}"},
    {.word = WORD_LEADER_AND_ISR,
     .text = "ISR for partition {p} updated to [{i}] and zkVersion updated to [{v}]"},
    {.word = WORD_LEADER_AND_ISR, .text = "ISR for partition {p} updated to {s}."},
    {.word = WORD_LEADER_AND_ISR,
     .text = "Sent LeaderAndIsr request {s} with new replica assignment {i} to leader {l} for "
             "partition "
             "being reassigned {p}"},
    {.word = WORD_LEADER_AND_ISR,
     .text = "Sent LeaderAndIsr request {s} with new assigned replica list {i} to leader {l} for "
             "partition being reassigned {p}"},

    /* ---- requests, at the controller ---- */
    {.word = WORD_SEND_LEADER_AND_ISR,
     .text = "Sending LeaderAndIsr request to broker {b} with {n} become-leader and {m} "
             "become-follower "
             "partitions"},
    {.word = WORD_SEND_LEADER_AND_ISR_ONE,
     .text = "Sending {w} LeaderAndIsr request {s} with correlationId {k} to broker {b} for "
             "partition {p}"},
    {.word = WORD_SEND_LEADER_AND_ISR_ONE,
     .text = "Sending {w} LeaderAndIsr request {s} to broker {b} for partition {p}"},
    {.word = WORD_SEND_METADATA,
     .text = "Sending UpdateMetadata request to brokers {i} for {n} partitions"},
    {.word = WORD_SEND_METADATA_ONE,
     .text = "Sending UpdateMetadata request {s} with correlationId {k} to broker {b} for "
             "partition {p}"},
    {.word = WORD_SEND_METADATA_ONE,
     .text = "Sending UpdateMetadata request {s} to broker {b} for partition {p}"},
    {.word = WORD_SEND_METADATA_ONE,
     .text = "Sending UpdateMetadata request {s} to brokers {i} for partition {p}"},
    {.word = WORD_SEND_STOP, .text = "Sending StopReplica request for {n} replicas to broker {b}"},
    {.word = WORD_SEND_STOP,
     .text = "Sending StopReplica request (delete = {w}) for {n} replicas to broker {b}"},
    {.word = WORD_SEND_STOP_ONE,
     .text = "Sending StopReplica request {s} to broker {b} for partition {p}"},
    {.word = WORD_NOTE,
     .text = "The stop replica request (delete = {w}) sent to broker {b} is {x}"},
    {.word = WORD_RESPONSE,
     .text = "Received response {s} for request {w} with correlation id {k} sent to broker {x}"},
    {.word = WORD_RESPONSE, .text = "Received response {s} for a request sent to broker {x}"},
    {.word = WORD_NOTE, .text = "Received error {w} in {x}"},
    {.word = WORD_NOTE, .text = "Received error in LeaderAndIsr response {x}"},
    {.word = WORD_NOTE, .text = "Mark replicas {x} on broker {b} as offline"},
    {.word = WORD_NOTE, .text = "Failed to send LeaderAndIsr request with new {x}"},

    /* ---- requests, at a broker ---- */
    {.word = WORD_RECV_LEADER_AND_ISR,
     .text =
         "Handling LeaderAndIsr request correlationId {k} from controller {c} for {n} partitions"},
    {.word = WORD_RECV_LEADER_AND_ISR_ONE,
     .text =
         "Received LeaderAndIsr request {s} correlation id {k} from controller {c} epoch {e} for "
         "partition {p}"},
    {.word = WORD_RECV_LEADER_AND_ISR_ONE,
     .text = "Received LeaderAndIsr request {s} correlation id {k} from controller {c} epoch {e}"},
    {.word = WORD_DONE_LEADER_AND_ISR,
     .text = "Finished LeaderAndIsr request in {x}ms correlationId {k} from controller {c} for {n} "
             "partitions"},
    {.word = WORD_RECV_METADATA,
     .text = "Add {n} partitions and deleted {m} partitions from metadata cache in response to "
             "UpdateMetadata request sent by controller {c} epoch {e} with correlation id {k}"},
    {.word = WORD_RECV_METADATA_ONE,
     .text =
         "Cached leader info {s} for partition {p} in response to UpdateMetadata request sent by "
         "controller {c} epoch {e} with correlation id {k}"},
    {.word = WORD_RECV_METADATA_GONE,
     .text =
         "Deleted partition {p} from metadata cache in response to UpdateMetadata request sent by "
         "controller {c} epoch {e} with correlation id {k}"},
    {.word = WORD_RECV_STOP,
     .text =
         "Handling StopReplica request correlationId {k} from controller {c} for {n} partitions"},
    {.word = WORD_RECV_STOP_ONE,
     .text =
         "Received StopReplica request {s} correlation id {k} from controller {c} epoch {e} for "
         "partition {p}"},
    {.word = WORD_RECV_STOP_ONE, .text = "Handling stop replica (delete={w}) for partition {p}"},
    {.word = WORD_NOTE, .text = "Finished handling stop replica (delete={w}) for partition {p}"},
    {.word = WORD_NOTE,
     .text =
         "Ignoring stop replica (delete={w}) for partition {p} as replica doesn't exist on broker"},
    {.word = WORD_LEADS,
     .text =
         "Leader {p} starts at leader epoch {g} from offset {o} with high watermark {h} ISR {i} "
         "addingReplicas {y} removingReplicas {z}. Previous leader epoch was {x}"},
    {.word = WORD_LEADS,
     .text = "Leader {p} with topic id {w} starts at leader epoch {g} from offset {o} with high "
             "watermark {h} ISR {i} addingReplicas {y} removingReplicas {z}. Previous leader {x}"},
    {.word = WORD_FOLLOWS,
     .text = "Follower {p} starts at leader epoch {g} from offset {o} with high watermark {h}. "
             "Previous "
             "leader epoch was {x}"},
    {.word = WORD_FOLLOWS,
     .text =
         "Follower {p} starts at leader epoch {g} from offset {o} with high watermark {h}. Current "
         "leader is {l}. Previous leader {x}"},
    {.word = WORD_STALE,
     .text =
         "Ignoring {w} request from controller {c} with correlation id {k} since its controller "
         "epoch {e} is old. Latest known controller epoch is {x}"},
    {.word = WORD_STALE,
     .text = "Received stop replica request from an old controller epoch {e}. Latest known {x}"},
    {.word = WORD_STALE,
     .text =
         "Received update metadata request with correlation id {k} from an old controller {c} with "
         "epoch {e}. Latest known controller epoch is {x}"},
    {.word = WORD_STALE_ONE,
     .text =
         "Ignoring {x} request from controller {c} with correlation id {k} epoch {e} for partition "
         "{p} since its associated leader epoch {g} {y}"},
    {.word = WORD_STALE_ONE,
     .text = "Ignoring {x} request (delete={w}) from controller {c} with correlation id {k} epoch "
             "{e} for "
             "partition {p} since its associated leader epoch {g} {y}"},
    {.word = WORD_NOTE, .text = "Ignoring {w} request{x}"},
    {.word = WORD_NOTE,
     .text = "Handling LeaderAndIsr request correlationId {k} from controller {c} epoch "
             "{e} starting the {w} transition for partition {x}"},
    {.word = WORD_NOTE,
     .text = "Completed LeaderAndIsr request correlationId {k} from controller {c} "
             "epoch {e} for the {w} transition for partition {x}"},
    {.word = WORD_NOTE, .text = "Stopped fetchers as part of {x}"},
    {.word = WORD_NOTE, .text = "Started fetcher to new leader as part of become-follower {x}"},
    {.word = WORD_NOTE,
     .text = "Truncated logs and checkpointed recovery boundaries for partition {x}"},
    {.word = WORD_NOTE, .text = "Skipped the {w} state change {x}"},
    {.word = WORD_NOTE, .text = "Skipped the adding-fetcher step of the {x}"},
    {.word = WORD_NOTE,
     .text = "Received LeaderAndIsrRequest with correlation id {k} from controller {c} "
             "epoch {e} for partition {x}"},
    {.word = WORD_NOTE, .text = "Error while processing LeaderAndIsr request {x}"},
    {.word = WORD_NOTE, .text = "A ZooKeeper client exception has occurred{x}"},
    {.word = WORD_NOTE, .text = "Topic Id in memory: {x}"},
    {.word = WORD_NOTE, .text = "Updating {n} partition(s) with correct topic IDs{x}"},

    /* ---- who controls ---- */
    {.word = WORD_ELECTED,
     .event = "Reelect",
     .text = "{b} successfully elected as the controller. Epoch incremented to {e} and epoch zk "
             "version "
             "is now {v}"},
    {.word = WORD_ELECTED,
     .event = "Reelect",
     .text = "{b} successfully elected as the controller"},
    {.word = WORD_ELECTED, .text = "Controller {b} incremented epoch to {e}"},
    {.word = WORD_ELECTED, .text = "Incremented epoch to {e}"},
    {.word = WORD_ELECTED, .text = "Epoch incremented to {e}"},
    {.word = WORD_EVENT, .event = "Startup", .text = "Controller starting up"},
    {.word = WORD_EVENT,
     .event = "Reelect",
     .text = "Broker {b} starting become controller state transition"},
    {.word = WORD_EVENT, .event = "Reelect", .text = "Starting become controller state transition"},
    {.word = WORD_NOTE, .text = "Initialized controller epoch to {e} and zk version {v}"},
    {.word = WORD_NOTE, .text = "Ready to serve as the new controller with epoch {e}"},
    {.word = WORD_NOTE,
     .text = "Broker {b} is ready to serve as the new controller with epoch {e}"},
    {.word = WORD_NOT_ELECTED,
     .text = "Broker {b} has been elected as the controller, so stopping the election process."},
    {.word = WORD_NOT_ELECTED,
     .text = "Broker {b} was elected as controller instead of broker {c}"},
    {.word = WORD_NOTE, .text = "A controller has been elected but just resigned{x}"},
    {.word = WORD_EVENT, .event = "ControllerChange", .text = "Resigning"},
    {.word = WORD_EVENT,
     .event = "ControllerChange",
     .text = "Controller resigning, broker id {b}"},
    {.word = WORD_RESIGNED, .text = "Resigned"},
    {.word = WORD_RESIGNED, .text = "Broker {b} resigned as the controller"},
    {.word = WORD_MOVED, .text = "Controller moved to another broker when {x}"},
    {.word = WORD_NOTE,
     .text = "Controller has already moved when trying to trigger controller {x}"},
    {.word = WORD_NOTE, .text = "Forcing the controller to resign"},
    {.word = WORD_NOTE, .text = "Error while electing or becoming controller on broker {x}"},
    {.word = WORD_NOTE, .text = "Error while incrementing controller epoch"},
    {.word = WORD_NOTE, .text = "Incrementing controller epoch in ZooKeeper"},
    {.word = WORD_NOTE, .text = "Reading controller epoch from ZooKeeper"},
    {.word = WORD_NOTE, .text = "Controller startup complete"},
    {.word = WORD_NOTE, .text = "Controller shutdown complete"},
    {.word = WORD_NOTE, .text = "Controller shutting down"},
    {.word = WORD_NOTE, .text = "Controller has been shut down, aborting startup{x}"},
    {.word = WORD_EVENT,
     .event = "Expire",
     .text = "ZK expired; shut down all controller components and try to re-elect"},
    {.word = WORD_NOTE, .text = "ZK expired, but the current controller id {x}"},

    /* ---- what a new controller does ---- */
    {.word = WORD_NOTE, .text = "Registering handlers"},
    {.word = WORD_NOTE, .text = "Registering IsrChangeNotificationListener"},
    {.word = WORD_NOTE, .text = "Registering logDirEventNotificationListener"},
    {.word = WORD_NOTE, .text = "De-registering {x}"},
    {.word = WORD_NOTE, .text = "Deleting log dir event notifications"},
    {.word = WORD_NOTE, .text = "Deleting isr change notifications"},
    {.word = WORD_NOTE, .text = "Initializing controller context"},
    {.word = WORD_EPOCHS, .text = "Initialized broker epochs cache: {s}"},
    {.word = WORD_EPOCHS, .text = "Updated broker epochs cache: {s}"},
    {.word = WORD_LIVE, .text = "Currently active brokers in the cluster: {i}"},
    {.word = WORD_SHUTTING, .text = "Currently shutting brokers in the cluster: {i}"},
    {.word = WORD_NOTE, .text = "Current list of topics in the cluster: {x}"},
    {.word = WORD_NOTE, .text = "Fetching topic deletions in progress"},
    {.word = WORD_NOTE, .text = "List of topics to be deleted: {x}"},
    {.word = WORD_NOTE, .text = "List of topics ineligible for deletion: {x}"},
    {.word = WORD_NOTE, .text = "Initializing topic deletion manager"},
    {.word = WORD_NOTE, .text = "Initializing manager with initial deletions: {x}"},
    {.word = WORD_NOTE, .text = "Sending update metadata request"},
    {.word = WORD_NOTE, .text = "Initializing replica state"},
    {.word = WORD_NOTE, .text = "Triggering online replica state changes"},
    {.word = WORD_NOTE, .text = "Triggering offline replica state changes"},
    {.word = WORD_REPLICAS_FOUND,
     .text = "Started replica state machine with initial state -> {s}"},
    {.word = WORD_NOTE, .text = "Initializing partition state"},
    {.word = WORD_NOTE, .text = "Triggering online partition state changes"},
    {.word = WORD_PARTITIONS_FOUND,
     .text = "Started partition state machine with initial state -> {s}"},
    {.word = WORD_NOTE, .text = "Stopped replica state machine"},
    {.word = WORD_NOTE, .text = "Stopped partition state machine"},
    {.word = WORD_NOTE, .text = "Partitions {w} preferred replica election: {x}"},
    {.word = WORD_NOTE, .text = "Partitions that completed preferred replica election: {x}"},
    {.word = WORD_NOTE, .text = "Skipping preferred replica election for partitions {x}"},
    {.word = WORD_NOTE, .text = "Resuming preferred replica election for partitions: {x}"},
    {.word = WORD_NOTE, .text = "Starting the controller scheduler"},
    {.word = WORD_NOTE, .text = "Starting the partition rebalance scheduler"},
    {.word = WORD_NOTE, .text = "Starting the token expiry check scheduler"},
    {.word = WORD_NOTE, .text = "Creating FeatureZNode at path: {x}"},
    {.word = WORD_NOTE, .text = "Updating FeatureZNode at path: {x}"},
    {.word = WORD_NOTE, .text = "FeatureZNode at path: {x}"},
    {.word = WORD_NOTE, .text = "Processing of feature updates: {x}"},

    /* ---- brokers ---- */
    {.word = WORD_BROKERS,
     .event = "BrokerChange",
     .rule = OFFLINE_RULE,
     .text = "Newly added brokers: {i}, deleted brokers: {x}, bounced brokers: {y}, all live "
             "brokers: {z}"},
    {.word = WORD_BROKERS,
     .event = "BrokerChange",
     .rule = OFFLINE_RULE,
     .text = "Newly added brokers: {i}, deleted brokers: {x}, all live brokers: {z}"},
    {.word = WORD_NOTE, .text = "Broker change listener fired for path {x}"},
    {.word = WORD_NOTE, .text = "New broker startup callback for {x}"},
    {.word = WORD_NOTE, .text = "Broker failure callback for {x}"},
    {.word = WORD_NOTE, .text = "Removed {x} from list of shutting down brokers."},
    {.word = WORD_NOTE, .text = "Removed {x} from list of shutting down brokers"},
    {.word = WORD_EVENT, .event = "BrokerModifications", .text = "Updated broker metadata: {x}"},
    {.word = WORD_EVENT, .event = "BrokerModifications", .text = "Updated broker: {x}"},
    {.word = WORD_NOTE, .text = "Broker info update callback for {x}"},
    {.word = WORD_NOTE, .text = "Register BrokerModifications handler for {x}"},
    {.word = WORD_NOTE, .text = "Unregister BrokerModifications handler for {x}"},
    {.word = WORD_NOTE, .text = "Ignoring registration of {x}"},
    {.word = WORD_NOTE, .text = "Controller {c} trying to connect to broker {x}"},
    {.word = WORD_CHANNEL,
     .text = "Controller {c} connected to {x} for sending state change requests"},
    {.word = WORD_NOTE, .text = "Controller {c}'s connection to broker {x}"},
    {.word = WORD_NOTE, .text = "Controller {c} fails to send a request to broker {x}"},
    {.word = WORD_NOTE, .text = "Controller {c} epoch {e} fails to send request {x}"},
    {.word = WORD_NOTE, .text = "Fails to send request {x}"},
    {.word = WORD_NOTE, .text = "Not sending request {x}"},
    {.word = WORD_NOTE, .text = "Error while removing broker by the controller"},
    {.word = WORD_NOTE, .text = "Haven't been able to send {x}"},
    {.word = WORD_NOTE, .text = "Error while handling broker changes"},
    {.word = WORD_EVENT,
     .event = "LogDirEventNotification",
     .rule = OFFLINE_RULE,
     .text = "Handling log directory failure for brokers {x}"},
    {.word = WORD_CONTROLLED_SHUTDOWN,
     .event = "ControlledShutdown",
     .rule = SHUTDOWN_RULE,
     .text = "Shutting down broker {b}"},
    {.word = WORD_SHUTTING, .text = "All shutting down brokers: {i}"},
    {.word = WORD_NOTE, .text = "Live brokers: {x}"},
    {.word = WORD_NOTE, .text = "All leaders = {x}"},
    {.word = WORD_NOTE,
     .text = "Received controlled shutdown request from an old broker epoch {x}"},

    /* ---- topics ---- */
    {.word = WORD_TOPICS,
     .event = "TopicChange",
     .text = "New topics: [{i}], deleted topics: [{x}], new partition replica assignment [{s}]"},
    {.word = WORD_NOTE, .text = "Topic change listener fired for path {x}"},
    {.word = WORD_NOTE, .text = "New topic creation callback for {x}"},
    {.word = WORD_NOTE, .text = "New partition creation callback for {x}"},
    {.word = WORD_NOTE, .text = "Error while handling new topic"},
    {.word = WORD_EVENT,
     .event = "PartitionModifications",
     .text = "New partitions to be added {x}"},
    {.word = WORD_NOTE, .text = "Add Partition triggered {x}"},
    {.word = WORD_NOTE, .text = "Partition modification triggered {x}"},
    {.word = WORD_NOTE, .text = "Error while handling add partitions for data path {x}"},
    {.word = WORD_NOTE, .text = "Restoring the partition replica assignment for topic {x}"},
    {.word = WORD_NOTE, .text = "Skipping adding partitions {x}"},
    {.word = WORD_NOTE, .text = "Ignoring partition change during topic deletion{x}"},
    {.word = WORD_EVENT,
     .event = "TopicDeletion",
     .text = "Starting topic deletion for topics {x}"},
    {.word = WORD_NOTE, .text = "Delete topics listener fired for topics {x}"},
    {.word = WORD_NOTE, .text = "Ignoring request to delete non-existing topics {x}"},
    {.word = WORD_NOTE, .text = "Removing {x} since delete topic is disabled"},
    {.word = WORD_NOTE, .text = "Handling deletion for topics {x}"},
    {.word = WORD_TOPIC_GONE, .text = "Deletion of topic {x} successfully completed"},
    {.word = WORD_NOTE, .text = "Deletion of topic {x} (re)started"},
    {.word = WORD_NOTE, .text = "Deletion for replicas {x}"},
    {.word = WORD_NOTE, .text = "Deletion started for replicas {x}"},
    {.word = WORD_NOTE, .text = "Deletion failed for replicas {x}"},
    {.word = WORD_NOTE, .text = "Deletion successfully completed for replicas {x}"},
    {.word = WORD_NOTE, .text = "Halted deletion of topics {x}"},
    {.word = WORD_NOTE, .text = "Retrying deletion of topic{x}"},
    {.word = WORD_NOTE, .text = "Retrying delete topic for topic {x}"},
    {.word = WORD_NOTE, .text = "Not retrying deletion of topic {x}"},
    {.word = WORD_NOTE, .text = "Dead Replicas ({x}) found for topic {y}"},
    {.word = WORD_NOTE, .text = "Delete topic callback invoked {x}"},
    {.word = WORD_NOTE, .text = "Topic deletion callback for {x}"},
    {.word = WORD_NOTE, .text = "Partition deletion callback for {x}"},
    {.word = WORD_NOTE, .text = "Waiting for signal to start or continue topic deletion"},
    {.word = WORD_NOTE, .text = "Some replicas {x} for topics scheduled for deletion {y}"},
    {.word = WORD_NOTE, .text = "Are all replicas for topic {x}"},

    /* ---- reassignment ---- */
    {.word = WORD_ASSIGNED,
     .event = "PartitionReassignment",
     .rule = REASSIGN_RULE,
     .text = "Successfully updated assignment of partition {p} to {s}"},
    {.word = WORD_ASSIGNED,
     .text = "Updated assigned replicas for partition {p} being reassigned to {i}"},
    {.word = WORD_EVENT,
     .event = "PartitionReassignment",
     .rule = REASSIGN_RULE,
     .text = "Handling reassignment of partition {x}"},
    {.word = WORD_EVENT,
     .event = "PartitionReassignmentIsrChange",
     .rule = REASSIGN_RULE,
     .text =
         "Target replicas {x} have all caught up with the leader for reassigning partition {p}"},
    {.word = WORD_EVENT,
     .event = "PartitionReassignmentIsrChange",
     .rule = REASSIGN_RULE,
     .text = "{n}/{m} replicas have caught up with the leader for partition {x}"},
    {.word = WORD_EVENT,
     .event = "PartitionReassignment",
     .rule = REASSIGN_RULE,
     .text = "Leader {l} for partition {x} being reassigned, is{y}"},
    {.word = WORD_NOTE, .text = "Updating assignment of partition {x}"},
    {.word = WORD_NOTE,
     .text = "Removing partitions {x} from the list of reassigned partitions in zookeeper"},
    {.word = WORD_NOTE, .text = "Removing partition {x}"},
    {.word = WORD_NOTE,
     .text = "Removed partition {x} from the list of reassigned partitions in zookeeper"},
    {.word = WORD_NOTE, .text = "No more partitions need to be reassigned. {x}"},
    {.word = WORD_NOTE, .text = "Skipping reassignment of {x}"},
    {.word = WORD_NOTE, .text = "Error completing reassignment of partition {x}"},
    {.word = WORD_NOTE, .text = "Failed completing reassignment of partition {x}"},
    {.word = WORD_NOTE, .text = "Failed reassignment through zk {x}"},
    {.word = WORD_NOTE, .text = "Failed to update assignment for {x}"},
    {.word = WORD_NOTE, .text = "New replicas {x} for partition {y} being reassigned{z}"},
    {.word = WORD_NOTE, .text = "Waiting for new replicas {x}"},
    {.word = WORD_NOTE, .text = "Partitions being reassigned: {x}"},
    {.word = WORD_NOTE, .text = "Partitions already reassigned: {x}"},
    {.word = WORD_NOTE, .text = "Resuming reassignment of partitions: {x}"},
    {.word = WORD_NOTE, .text = "Reassigned partitions isr change listener fired for path {x}"},
    {.word = WORD_NOTE, .text = "Partitions reassigned listener fired for path {x}"},
    {.word = WORD_NOTE, .text = "Error handling reassignment of partition {x}"},
    {.word = WORD_NOTE, .text = "Error while handling partition reassignment"},
    {.word = WORD_NOTE, .text = "Ignoring request to reassign partition {x}"},
    {.word = WORD_NOTE, .text = "Partition {p} to be reassigned is already assigned {x}"},
    {.word = WORD_NOTE, .text = "Updated path {x} for replica assignment"},
    {.word = WORD_NOTE, .text = "Adding replica ({x}) that is not part of the assignment {y}"},

    /* ---- elections ---- */
    {.word = WORD_ELECTION,
     .event = "ReplicaLeaderElection",
     .text = "Starting replica leader election ({w}) for partitions {i} triggered by {x}"},
    {.word = WORD_ELECTION,
     .event = "ReplicaLeaderElection",
     .rule = PREFERRED_RULE,
     .text = "Starting preferred replica leader election for partitions {i}"},
    {.word = WORD_NOTE, .text = "Partition {p} completed preferred replica leader election. {x}"},
    {.word = WORD_NOTE,
     .text = "Partition {p} failed to complete preferred replica leader election{x}"},
    {.word = WORD_NOTE, .text = "Error completing {x} leader election{y}"},
    {.word = WORD_NOTE, .text = "Skipping replica leader election {x}"},
    {.word = WORD_NOTE, .text = "Waiting for any successful result for election type {x}"},
    {.word = WORD_NOTE, .text = "Retrying leader election with strategy {x}"},
    {.word = WORD_EVENT,
     .event = "AutoPreferredReplicaLeaderElection",
     .rule = PREFERRED_RULE,
     .text = "Processing automatic preferred replica leader election"},
    {.word = WORD_NOTE, .text = "Checking need to trigger {x}"},
    {.word = WORD_NOTE, .text = "Leader imbalance ratio for broker {x}"},
    {.word = WORD_NOTE, .text = "Topics not in preferred replica {x}"},
    {.word = WORD_NOTE, .text = "Preferred replicas by broker {x}"},
    {.word = WORD_NOTE, .text = "Preferred replica election listener fired for path {x}"},
    {.word = WORD_NOTE,
     .text = "These partitions are already undergoing preferred replica election: {x}"},
    {.word = WORD_EVENT,
     .event = "UncleanLeaderElectionEnable",
     .rule = OFFLINE_RULE,
     .text = "Unclean leader election has been enabled by default"},
    {.word = WORD_EVENT,
     .event = "TopicUncleanLeaderElectionEnable",
     .rule = OFFLINE_RULE,
     .text = "Unclean leader election has been enabled for topic {x}"},
    {.word = WORD_NOTE, .text = "Started leader election for partition {x}"},
    {.word = WORD_NOTE, .text = "Elected leader {l} for Offline partition {x}"},
    {.word = WORD_NOTE, .text = "After leader election, leader cache {x}"},
    {.word = WORD_NOTE, .text = "No broker in ISR is alive for {x}"},
    {.word = WORD_NOTE, .text = "Some broker in ISR is alive for {x}"},
    {.word = WORD_NOTE, .text = "Selected new leader and ISR {x} for offline partition {y}"},
    {.word = WORD_NOTE,
     .text = "Current leader {l} for partition {x} is not the preferred replica{y}"},
    {.word = WORD_NOTE, .text = "Partition {p} : current leader = {l}, new leader = {x}"},
    {.word = WORD_NOTE, .text = "Live assigned replicas for partition {x}"},
    {.word = WORD_NOTE, .text = "Initializing leader and isr for partition {x}"},
    {.word = WORD_NOTE, .text = "I should never have been asked to perform leader election{x}"},
    {.word = WORD_NOTE, .text = "Encountered error while electing leader for partition {x}"},
    {.word = WORD_NOTE, .text = "Encountered error while changing partition {x}"},
    {.word = WORD_NOTE, .text = "Error while moving some {x}"},
    {.word = WORD_NOTE, .text = "Invoking state change to {t} for {x}"},
    {.word = WORD_NOTE, .text = "Controller failed to elect leader for partition {x}"},
    {.word = WORD_NOTE, .text = "Controller failed to remove replica {x}"},
    {.word = WORD_NOTE, .text = "Removing replica {r} from ISR {x}"},
    {.word = WORD_NOTE, .text = "Cannot remove replica {x}"},
    {.word = WORD_NOTE, .text = "Retaining last ISR {x}"},
    {.word = WORD_NOTE, .text = "Updating leader epoch for partition {x}"},
    {.word = WORD_NOTE, .text = "Leader not yet assigned for partition {x}"},

    /* ---- ISRs ---- */
    {.word = WORD_NOTE, .text = "Sending MetadataRequest to Brokers:{x}"},
    {.word = WORD_NOTE, .text = "ISR change notification listener fired"},
    {.word = WORD_NOTE, .text = "[IsrChangeNotificationListener] Fired!!!"},
    {.word = WORD_NOTE, .text = "Updating ISRs for partitions: {x}"},
    {.word = WORD_NOTE, .text = "Failed to update ISR {x}"},
    {.word = WORD_NOTE, .text = "Ignoring AlterIsr due to {x}"},
    {.word = WORD_NOTE, .text = "Ignoring AlterPartition due to {x}"},
    {.word = WORD_NOTE, .text = "Ignoring AllocateProducerIds due to {x}"},
    {.word = WORD_NOTE, .text = "Rejecting AlterPartition {x}"},
    {.word = WORD_NOTE, .text = "Error when processing {x}"},
    {.word = WORD_NOTE, .text = "Error while invoking listener for processed event {x}"},
    {.word = WORD_NOTE, .text = "Error processing event {x}"},
    {.word = WORD_NOTE, .text = "Uncaught error processing event {x}"},
    {.word = WORD_NOTE, .text = "Received a ShutdownEventThread event{x}"},
    {.word = WORD_NOTE, .text = "Received event: {x}"},
    {.word = WORD_NOTE, .text = "Invalid topic and partition JSON{x}"},
    {.word = WORD_NOTE, .text = "Failed to parse the controller info as json{x}"},

    /* ---- threads ---- */
    {.word = WORD_STARTED, .text = "[KafkaServer id={b}] started"},
    {.word = WORD_STARTED, .text = "[Kafka Server {b}], started"},
    {.word = WORD_STOPPED, .text = "[KafkaServer id={b}] shut down completed"},
    {.word = WORD_STOPPED, .text = "[Kafka Server {b}], shut down completed"},
    {.word = WORD_STARTING, .text = "[Kafka Server {b}], starting"},
    {.word = WORD_NOTE, .text = "Starting"},
    {.word = WORD_NOTE, .text = "Shutting down"},
    {.word = WORD_NOTE, .text = "Stopped"},
    {.word = WORD_NOTE, .text = "Shutdown completed"},
    {.word = WORD_NOTE, .text = "Shutdown complete"},
    {.word = WORD_NOTE, .text = "Shutdown"},
    {.word = WORD_NOTE, .text = "shutdownInitiated latch count reached zero. Shutdown called."},
    {.word = WORD_NOTE, .text = "Error due to{x}"},

    /* ---- server.log ---- */
    {.word = WORD_SESSION,
     .text =
         "Session establishment complete on server {x}, sessionid = {q}, negotiated timeout = {n}"},
    {.word = WORD_SESSION,
     .text = "Session establishment complete on server {x}, session id = {q}, negotiated timeout = "
             "{n}"},
    {.word = WORD_SESSION_EXPIRED,
     .text = "Unable to reconnect to ZooKeeper service, session {q} has expired{x}"},
    {.word = WORD_REGISTERING, .text = "Creating /brokers/ids/{b} (is it secure? {w})"},
    {.word = WORD_REGISTERED, .text = "Stat of the created znode at /brokers/ids/{b} is: {s}"},
    {.word = WORD_ISR_UPDATED,
     .text = "[Partition {p} broker={b}] ISR updated to {i} and version updated to [{v}]"},
    {.word = WORD_ISR_UPDATED,
     .text = "[Partition {p} broker={b}] ISR updated to {i} and version updated to {v}"},
    {.word = WORD_TRUNCATES,
     .text = "[ReplicaFetcher replicaId={b}, leaderId={l}, fetcherId={n}] Truncating partition {p} "
             "to {x}"},
};

enum { WORDINGS = sizeof(wordings) / sizeof(wordings[0]) };

size_t sim_import_word_count(void)
{
    return WORDINGS;
}

const char *sim_import_wording(size_t row)
{
    return wordings[row].text;
}

/* ---- whose line it is ---- */

static const struct whose {
    const char *before, *behind; /* the id stands between; behind is looked for from there */
    bool is_controller;
} prefixes[] = {
    {"[Controller id=", "] ", true},
    {"[Broker id=", "] ", false},
    {"[Controller ", "]: ", true},
    {"Controller ", " ",
     true}, /* "Controller 1 epoch 4 changed …": only with its epoch, see below */
    {"Broker ", " ", false},
    {"[ReplicaStateMachine controllerId=", "] ", true},
    {"[PartitionStateMachine controllerId=", "] ", true},
    {"[RequestSendThread controllerId=", "] ", true},
    {"[ControllerEventThread controllerId=", "] ", true},
    {"[Channel manager on controller ", "]: ", true},
    {"[Topic Deletion Manager ", "] ", true},
    {"[Topic Deletion Manager ", "], ", true},
    {"[Replica state machine on controller ", "]: ", true},
    {"[Partition state machine on Controller ", "]: ", true},
    {"[BrokerChangeListener on Controller ", "]: ", true},
    {"[TopicChangeListener on Controller ", "]: ", true},
    {"[AddPartitionsListener on ", "]: ", true},
    {"[PartitionModificationsListener on Controller ", "]: ", true},
    {"[PartitionModificationsListener on ", "]: ", true},
    {"[DeleteTopicsListener on Controller ", "]: ", true},
    {"[DeleteTopicsListener on ", "]: ", true},
    {"[PartitionsReassignedListener on Controller ", "]: ", true},
    {"[PartitionsReassignedListener on ", "]: ", true},
    {"[PreferredReplicaElectionListener on Controller ", "]: ", true},
    {"[PreferredReplicaElectionListener on ", "]: ", true},
    {"[IsrChangeNotificationListener on Controller ", "]: ", true},
    {"[LogDirEventNotificationListener on Controller ", "]: ", true},
    {"[ReassignedPartitionsIsrChangeListener on controller ", "]: ", true},
    {"[SessionExpirationListener on ", "], ", true},
    {"[Controller-", "-send-thread], ", true},
    {"[Controller-", "-send-thread]: ", true},
    {"[controller-event-thread-", "]: ", true},
    {"[delete-topics-thread-", "], ", true},
    {"[OfflinePartitionLeaderSelector]: ", NULL, true},
    {"[ReassignedPartitionLeaderSelector]: ", NULL, true},
    {"[PreferredReplicaPartitionLeaderSelector]: ", NULL, true},
    {"[ControlledShutdownLeaderSelector]: ", NULL, true},
    {"[NoOpLeaderSelector]: ", NULL, true},
    {"[controller-event-thread]: ", NULL, true},
    {"[KafkaServer id=", "", false},
    {"[Kafka Server ", "", false},
    {"[ReplicaManager broker=", "", false},
    {"[ReplicaFetcher replicaId=", "", false},
    {"[ReplicaFetcherManager on broker ", "", false},
};

static bool take_id(const char **at, const char *end, int32_t *id)
{
    const char *p = *at;
    int64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9' && value < INT32_MAX; p++)
        value = value * 10 + (*p - '0');
    if (p == *at || value > INT32_MAX)
        return false;
    *id = (int32_t)value;
    *at = p;
    return true;
}

/* " epoch=4" or " epoch 4" */
static void take_epoch(const char **at, const char *end, int32_t *epoch)
{
    const char *p = *at;
    if ((size_t)(end - p) > 7 && (memcmp(p, " epoch=", 7) == 0 || memcmp(p, " epoch ", 7) == 0)) {
        p += 7;
        if (take_id(&p, end, epoch))
            *at = p;
    }
}

/* Returns what follows the prefix; all of it where the row has none behind. False: does not fit. */
static bool take_whose(const struct whose *w, struct sim_span text, struct sim_entry *e,
                       struct sim_span *body)
{
    if (!sim_span_begins(text, w->before))
        return false;
    const char *at = text.at + strlen(w->before), *end = text.at + text.size;
    int32_t id = -1, epoch = -1;
    if (w->behind != NULL) {
        if (!take_id(&at, end, &id))
            return false;
        take_epoch(&at, end, &epoch);
        if (strcmp(w->before, "Controller ") == 0 && epoch < 0)
            return false;
        if (*w->behind == '\0') {
            at = text.at; /* the wording has it too */
        } else {
            const char *behind =
                sim_span_find((struct sim_span){at, (size_t)(end - at)}, w->behind);
            bool exact = w->behind[0] == ' ' || w->behind[0] == ']';
            if (behind == NULL || (exact && behind != at))
                return false;
            at = behind + strlen(w->behind);
        }
    }
    e->node = id;
    e->ce = epoch;
    e->is_controller = w->is_controller;
    *body = (struct sim_span){at, (size_t)(end - at)};
    return true;
}

static struct sim_span trimmed(struct sim_span s)
{
    while (s.size > 0 && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static struct sim_span body_of(struct sim_entry *e)
{
    struct sim_span body = e->text;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (take_whose(&prefixes[i], e->text, e, &body))
            break;
    return body;
}

/* ---- holes ---- */

static bool fits_hole(char letter, struct sim_span s)
{
    int64_t number;
    struct sim_tp tp;
    if (strchr("bceghklmnrv", letter) != NULL)
        return sim_span_int(s, &number);
    if (letter == 'p')
        return sim_span_partition(s, &tp);
    if (letter == 'f' || letter == 't')
        return s.size > 0 && memchr(s.at, ' ', s.size) == NULL;
    return true;
}

static bool same_letter(char a, char b, bool first)
{
    if (a == b)
        return true;
    return first && (a ^ b) == 0x20 && ((a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

/* Whether the literal stands at `at`. */
static bool is_literal(const char *at, const char *end, const char *literal, size_t size,
                       bool first)
{
    if ((size_t)(end - at) < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!same_letter(at[i], literal[i], first && i == 0))
            return false;
    return true;
}

static bool fits(const char *pattern, struct sim_span s, struct sim_holes *holes)
{
    const char *at = s.at, *end = s.at + s.size;
    bool first = true;
    while (*pattern != '\0') {
        char letter = '\0';
        if (*pattern == '{') {
            letter = pattern[1];
            pattern += 3;
        }
        size_t size = strcspn(pattern, "{");
        const char *found = at;
        if (letter == '\0' && !is_literal(at, end, pattern, size, first))
            return false;
        if (letter != '\0' && size == 0)
            found = end;
        while (letter != '\0' && size > 0) {
            struct sim_span hole = {at, (size_t)(found - at)};
            if (is_literal(found, end, pattern, size, false) && fits_hole(letter, hole) &&
                (pattern[size] != '\0' || found + size == end))
                break;
            if (found == end)
                return false;
            found++;
        }
        if (letter != '\0') {
            struct sim_span hole = {at, (size_t)(found - at)};
            if (!fits_hole(letter, hole))
                return false;
            SIM_HOLE(holes, letter) = hole;
        }
        at = found + size;
        pattern += size;
        first = false;
    }
    return at == end;
}

/* Some lines end with a blank behind their text, others with one before an empty list. */
static bool fits_body(const char *pattern, struct sim_span body, struct sim_holes *holes)
{
    return fits(pattern, body, holes) || fits(pattern, trimmed(body), holes);
}

/* Loggers of which every line should be known. */
static bool is_read(const struct sim_entry *e)
{
    if (e->logger.size == 0)
        return e->is_controller || e->node >= 0;
    return sim_span_begins(e->logger, "kafka.controller.") ||
           sim_span_is(e->logger, "state.change.logger");
}

void sim_import_read(struct sim_entry *e)
{
    struct sim_span body = body_of(e);
    if (sim_span_begins(e->logger, "kafka.server.KafkaServer") &&
        sim_span_is(trimmed(body), "starting")) {
        e->word = WORD_STARTING;
        e->row = 0;
        return;
    }
    bool read = is_read(e);
    bool server = !read && (sim_span_begins(e->logger, "kafka.server.") ||
                            sim_span_begins(e->logger, "kafka.zk.") ||
                            sim_span_begins(e->logger, "kafka.cluster.") || e->logger.size == 0 ||
                            sim_span_begins(e->logger, "org.apache.zookeeper."));
    for (size_t i = 0; (read || server) && i < WORDINGS; i++) {
        struct sim_holes holes;
        if (server && wordings[i].word < WORD_STARTING)
            continue;
        if (fits_body(wordings[i].text, body, &holes)) {
            e->word = (uint16_t)wordings[i].word;
            e->row = (uint32_t)i;
            return;
        }
    }
    e->word = read ? WORD_UNKNOWN : WORD_OTHER;
}

void sim_import_holes(const struct sim_entry *e, struct sim_holes *holes)
{
    struct sim_entry copy = *e;
    struct sim_span body = body_of(&copy);
    memset(holes, 0, sizeof(*holes));
    if (e->word != WORD_UNKNOWN && e->word != WORD_OTHER)
        fits_body(wordings[e->row].text, body, holes);
}

const char *sim_import_event(const struct sim_entry *e)
{
    return e->word == WORD_UNKNOWN || e->word == WORD_OTHER ? NULL : wordings[e->row].event;
}

const char *sim_import_rule(const struct sim_entry *e)
{
    return e->word == WORD_UNKNOWN || e->word == WORD_OTHER ? NULL : wordings[e->row].rule;
}
