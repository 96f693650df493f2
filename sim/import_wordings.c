/*
 * What Kafka writes: every line of controller.log and state-change.log, 0.8.2 to 3.x, as one table.
 *
 *     "Changed state of replica {r} for partition {p} from {f} to {t}"
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
#include "sim/import_state.h"

/* Known, and nothing that a trace would hold. */
#define NOTE(words)                                                                                \
    {                                                                                              \
        .word = WORD_NOTE, .text = words                                                           \
    }

#define OFFLINE_RULE   "OfflinePartitionLeaderElectionStrategy"
#define REASSIGN_RULE  "ReassignPartitionLeaderElectionStrategy"
#define PREFERRED_RULE "PreferredReplicaPartitionLeaderElectionStrategy"
#define SHUTDOWN_RULE  "ControlledShutdownPartitionLeaderElectionStrategy"

const struct sim_wording sim_wordings[] = {
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
    NOTE("The stop replica request (delete = {w}) sent to broker {b} is {x}"),
    {.word = WORD_RESPONSE,
     .text = "Received response {s} for request {w} with correlation id {k} sent to broker {x}"},
    {.word = WORD_RESPONSE, .text = "Received response {s} for a request sent to broker {x}"},
    NOTE("Received error {w} in {x}"),
    NOTE("Received error in LeaderAndIsr response {x}"),
    NOTE("Mark replicas {x} on broker {b} as offline"),
    NOTE("Failed to send LeaderAndIsr request with new {x}"),

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
    NOTE("Finished handling stop replica (delete={w}) for partition {p}"),
    NOTE("Ignoring stop replica (delete={w}) for partition {p} as replica doesn't exist on broker"),
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
    NOTE("Ignoring {w} request{x}"),
    NOTE("Handling LeaderAndIsr request correlationId {k} from controller {c} epoch {e} starting "
         "the {w} transition for partition {x}"),
    NOTE("Completed LeaderAndIsr request correlationId {k} from controller {c} epoch {e} for the "
         "{w} transition for partition {x}"),
    NOTE("Stopped fetchers as part of {x}"),
    NOTE("Started fetcher to new leader as part of become-follower {x}"),
    NOTE("Truncated logs and checkpointed recovery boundaries for partition {x}"),
    NOTE("Skipped the {w} state change {x}"),
    NOTE("Skipped the adding-fetcher step of the {x}"),
    NOTE("Received LeaderAndIsrRequest with correlation id {k} from controller {c} epoch {e} for "
         "partition {x}"),
    NOTE("Error while processing LeaderAndIsr request {x}"),
    NOTE("A ZooKeeper client exception has occurred{x}"),
    NOTE("Topic Id in memory: {x}"),
    NOTE("Updating {n} partition(s) with correct topic IDs{x}"),

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
    NOTE("Initialized controller epoch to {e} and zk version {v}"),
    NOTE("Ready to serve as the new controller with epoch {e}"),
    NOTE("Broker {b} is ready to serve as the new controller with epoch {e}"),
    {.word = WORD_NOT_ELECTED,
     .text = "Broker {b} has been elected as the controller, so stopping the election process."},
    {.word = WORD_NOT_ELECTED,
     .text = "Broker {b} was elected as controller instead of broker {c}"},
    {.word = WORD_NOT_ELECTED, .text = "Broker {b} was elected as leader instead of broker {c}"},
    NOTE("A controller has been elected but just resigned{x}"),
    {.word = WORD_EVENT, .event = "ControllerChange", .text = "Resigning"},
    {.word = WORD_EVENT,
     .event = "ControllerChange",
     .text = "Controller resigning, broker id {b}"},
    {.word = WORD_RESIGNED, .text = "Resigned"},
    {.word = WORD_RESIGNED, .text = "Broker {b} resigned as the controller"},
    {.word = WORD_MOVED, .text = "Controller moved to another broker when {x}"},
    NOTE("Controller has already moved when trying to trigger controller {x}"),
    NOTE("Forcing the controller to resign"),
    NOTE("Error while electing or becoming controller on broker {x}"),
    NOTE("Error while incrementing controller epoch"),
    NOTE("Incrementing controller epoch in ZooKeeper"),
    NOTE("Reading controller epoch from ZooKeeper"),
    NOTE("Controller startup complete"),
    NOTE("Controller shutdown complete"),
    NOTE("Controller shutting down"),
    NOTE("Controller has been shut down, aborting startup{x}"),
    {.word = WORD_EVENT,
     .event = "Expire",
     .text = "ZK expired; shut down all controller components and try to re-elect"},
    NOTE("ZK expired, but the current controller id {x}"),

    /* ---- what a new controller does ---- */
    NOTE("Registering handlers"),
    NOTE("Registering IsrChangeNotificationListener"),
    NOTE("Registering logDirEventNotificationListener"),
    NOTE("De-registering {x}"),
    NOTE("Deleting log dir event notifications"),
    NOTE("Deleting isr change notifications"),
    NOTE("Initializing controller context"),
    {.word = WORD_EPOCHS, .text = "Initialized broker epochs cache: {s}"},
    {.word = WORD_EPOCHS, .text = "Updated broker epochs cache: {s}"},
    {.word = WORD_LIVE, .text = "Currently active brokers in the cluster: {i}"},
    {.word = WORD_SHUTTING, .text = "Currently shutting brokers in the cluster: {i}"},
    NOTE("Current list of topics in the cluster: {x}"),
    NOTE("Fetching topic deletions in progress"),
    NOTE("List of topics to be deleted: {x}"),
    NOTE("List of topics ineligible for deletion: {x}"),
    NOTE("Initializing topic deletion manager"),
    NOTE("Initializing manager with initial deletions: {x}"),
    NOTE("Sending update metadata request"),
    NOTE("Initializing replica state"),
    NOTE("Triggering online replica state changes"),
    NOTE("Triggering offline replica state changes"),
    {.word = WORD_REPLICAS_FOUND,
     .text = "Started replica state machine with initial state -> {s}"},
    NOTE("Initializing partition state"),
    NOTE("Triggering online partition state changes"),
    {.word = WORD_PARTITIONS_FOUND,
     .text = "Started partition state machine with initial state -> {s}"},
    NOTE("Stopped replica state machine"),
    NOTE("Stopped partition state machine"),
    NOTE("Partitions {w} preferred replica election: {x}"),
    NOTE("Partitions that completed preferred replica election: {x}"),
    NOTE("Skipping preferred replica election for partitions {x}"),
    NOTE("Resuming preferred replica election for partitions: {x}"),
    NOTE("Starting the controller scheduler"),
    NOTE("Starting the partition rebalance scheduler"),
    NOTE("Starting the token expiry check scheduler"),
    NOTE("Creating FeatureZNode at path: {x}"),
    NOTE("Updating FeatureZNode at path: {x}"),
    NOTE("FeatureZNode at path: {x}"),
    NOTE("Processing of feature updates: {x}"),

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
    NOTE("Broker change listener fired for path {x}"),
    NOTE("New broker startup callback for {x}"),
    NOTE("Broker failure callback for {x}"),
    NOTE("Removed {x} from list of shutting down brokers."),
    NOTE("Removed {x} from list of shutting down brokers"),
    {.word = WORD_EVENT, .event = "BrokerModifications", .text = "Updated broker metadata: {x}"},
    {.word = WORD_EVENT, .event = "BrokerModifications", .text = "Updated broker: {x}"},
    NOTE("Broker info update callback for {x}"),
    NOTE("Register BrokerModifications handler for {x}"),
    NOTE("Unregister BrokerModifications handler for {x}"),
    NOTE("Ignoring registration of {x}"),
    NOTE("Controller {c} trying to connect to broker {x}"),
    {.word = WORD_CHANNEL,
     .text = "Controller {c} connected to {x} for sending state change requests"},
    NOTE("Controller {c}'s connection to broker {x}"),
    NOTE("Controller {c} fails to send a request to broker {x}"),
    NOTE("Controller {c} epoch {e} fails to send request {x}"),
    NOTE("Fails to send request {x}"),
    NOTE("Not sending request {x}"),
    NOTE("Error while removing broker by the controller"),
    NOTE("Haven't been able to send {x}"),
    NOTE("Error while handling broker changes"),
    {.word = WORD_EVENT,
     .event = "LogDirEventNotification",
     .rule = OFFLINE_RULE,
     .text = "Handling log directory failure for brokers {x}"},
    {.word = WORD_CONTROLLED_SHUTDOWN,
     .event = "ControlledShutdown",
     .rule = SHUTDOWN_RULE,
     .text = "Shutting down broker {b}"},
    {.word = WORD_SHUTTING, .text = "All shutting down brokers: {i}"},
    NOTE("Live brokers: {x}"),
    NOTE("All leaders = {x}"),
    NOTE("Received controlled shutdown request from an old broker epoch {x}"),

    /* ---- topics ---- */
    {.word = WORD_TOPICS,
     .event = "TopicChange",
     .text = "New topics: [{i}], deleted topics: [{x}], new partition replica assignment [{s}]"},
    NOTE("Topic change listener fired for path {x}"),
    NOTE("New topic creation callback for {x}"),
    NOTE("New partition creation callback for {x}"),
    NOTE("Error while handling new topic"),
    {.word = WORD_EVENT,
     .event = "PartitionModifications",
     .text = "New partitions to be added {x}"},
    NOTE("Add Partition triggered {x}"),
    NOTE("Partition modification triggered {x}"),
    NOTE("Error while handling add partitions for data path {x}"),
    NOTE("Restoring the partition replica assignment for topic {x}"),
    NOTE("Skipping adding partitions {x}"),
    NOTE("Ignoring partition change during topic deletion{x}"),
    {.word = WORD_EVENT,
     .event = "TopicDeletion",
     .text = "Starting topic deletion for topics {x}"},
    NOTE("Delete topics listener fired for topics {x}"),
    NOTE("Ignoring request to delete non-existing topics {x}"),
    NOTE("Removing {x} since delete topic is disabled"),
    NOTE("Handling deletion for topics {x}"),
    {.word = WORD_TOPIC_GONE, .text = "Deletion of topic {x} successfully completed"},
    NOTE("Deletion of topic {x} (re)started"),
    NOTE("Deletion for replicas {x}"),
    NOTE("Deletion started for replicas {x}"),
    NOTE("Deletion failed for replicas {x}"),
    NOTE("Deletion successfully completed for replicas {x}"),
    NOTE("Halted deletion of topics {x}"),
    NOTE("Retrying deletion of topic{x}"),
    NOTE("Retrying delete topic for topic {x}"),
    NOTE("Not retrying deletion of topic {x}"),
    NOTE("Dead Replicas ({x}) found for topic {y}"),
    NOTE("Delete topic callback invoked {x}"),
    NOTE("Topic deletion callback for {x}"),
    NOTE("Partition deletion callback for {x}"),
    NOTE("Waiting for signal to start or continue topic deletion"),
    NOTE("Some replicas {x} for topics scheduled for deletion {y}"),
    NOTE("Are all replicas for topic {x}"),

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
    NOTE("Updating assignment of partition {x}"),
    NOTE("Removing partitions {x} from the list of reassigned partitions in zookeeper"),
    NOTE("Removing partition {x}"),
    NOTE("Removed partition {x} from the list of reassigned partitions in zookeeper"),
    NOTE("No more partitions need to be reassigned. {x}"),
    NOTE("Skipping reassignment of {x}"),
    NOTE("Error completing reassignment of partition {x}"),
    NOTE("Failed completing reassignment of partition {x}"),
    NOTE("Failed reassignment through zk {x}"),
    NOTE("Failed to update assignment for {x}"),
    NOTE("New replicas {x} for partition {y} being reassigned{z}"),
    NOTE("Waiting for new replicas {x}"),
    NOTE("Partitions being reassigned: {x}"),
    NOTE("Partitions already reassigned: {x}"),
    NOTE("Resuming reassignment of partitions: {x}"),
    NOTE("Reassigned partitions isr change listener fired for path {x}"),
    NOTE("Partitions reassigned listener fired for path {x}"),
    NOTE("Error handling reassignment of partition {x}"),
    NOTE("Error while handling partition reassignment"),
    NOTE("Ignoring request to reassign partition {x}"),
    NOTE("Partition {p} to be reassigned is already assigned {x}"),
    NOTE("Updated path {x} for replica assignment"),
    NOTE("Adding replica ({x}) that is not part of the assignment {y}"),

    /* ---- elections ---- */
    {.word = WORD_ELECTION,
     .event = "ReplicaLeaderElection",
     .text = "Starting replica leader election ({w}) for partitions {i} triggered by {x}"},
    {.word = WORD_ELECTION,
     .event = "ReplicaLeaderElection",
     .rule = PREFERRED_RULE,
     .text = "Starting preferred replica leader election for partitions {i}"},
    NOTE("Partition {p} completed preferred replica leader election. {x}"),
    NOTE("Partition {p} failed to complete preferred replica leader election{x}"),
    NOTE("Error completing {x} leader election{y}"),
    NOTE("Skipping replica leader election {x}"),
    NOTE("Waiting for any successful result for election type {x}"),
    NOTE("Retrying leader election with strategy {x}"),
    {.word = WORD_EVENT,
     .event = "AutoPreferredReplicaLeaderElection",
     .rule = PREFERRED_RULE,
     .text = "Processing automatic preferred replica leader election"},
    NOTE("Checking need to trigger {x}"),
    NOTE("Leader imbalance ratio for broker {x}"),
    NOTE("Topics not in preferred replica {x}"),
    NOTE("Preferred replicas by broker {x}"),
    NOTE("Preferred replica election listener fired for path {x}"),
    NOTE("These partitions are already undergoing preferred replica election: {x}"),
    {.word = WORD_EVENT,
     .event = "UncleanLeaderElectionEnable",
     .rule = OFFLINE_RULE,
     .text = "Unclean leader election has been enabled by default"},
    {.word = WORD_EVENT,
     .event = "TopicUncleanLeaderElectionEnable",
     .rule = OFFLINE_RULE,
     .text = "Unclean leader election has been enabled for topic {x}"},
    NOTE("Started leader election for partition {x}"),
    NOTE("Elected leader {l} for Offline partition {x}"),
    NOTE("After leader election, leader cache {x}"),
    NOTE("No broker in ISR is alive for {x}"),
    NOTE("Some broker in ISR is alive for {x}"),
    NOTE("Selected new leader and ISR {x} for offline partition {y}"),
    NOTE("Current leader {l} for partition {x} is not the preferred replica{y}"),
    NOTE("Partition {p} : current leader = {l}, new leader = {x}"),
    NOTE("Live assigned replicas for partition {x}"),
    NOTE("Initializing leader and isr for partition {x}"),
    NOTE("I should never have been asked to perform leader election{x}"),
    NOTE("Encountered error while electing leader for partition {x}"),
    NOTE("Encountered error while changing partition {x}"),
    NOTE("Error while moving some {x}"),
    NOTE("Invoking state change to {t} for {x}"),
    NOTE("Controller failed to elect leader for partition {x}"),
    NOTE("Controller failed to remove replica {x}"),
    NOTE("Removing replica {r} from ISR {x}"),
    NOTE("Cannot remove replica {x}"),
    NOTE("Retaining last ISR {x}"),
    NOTE("Updating leader epoch for partition {x}"),
    NOTE("Leader not yet assigned for partition {x}"),

    /* ---- ISRs ---- */
    NOTE("Sending MetadataRequest to Brokers:{x}"),
    NOTE("ISR change notification listener fired"),
    NOTE("[IsrChangeNotificationListener] Fired!!!"),
    NOTE("Updating ISRs for partitions: {x}"),
    NOTE("Failed to update ISR {x}"),
    NOTE("Ignoring AlterIsr due to {x}"),
    NOTE("Ignoring AlterPartition due to {x}"),
    NOTE("Ignoring AllocateProducerIds due to {x}"),
    NOTE("Rejecting AlterPartition {x}"),
    NOTE("Error when processing {x}"),
    NOTE("Error while invoking listener for processed event {x}"),
    NOTE("Error processing event {x}"),
    NOTE("Uncaught error processing event {x}"),
    NOTE("Received a ShutdownEventThread event{x}"),
    NOTE("Received event: {x}"),
    NOTE("Invalid topic and partition JSON{x}"),
    NOTE("Failed to parse the controller info as json{x}"),

    /* ---- threads ---- */
    {.word = WORD_STARTED, .text = "[KafkaServer id={b}] started"},
    {.word = WORD_STARTED, .text = "[Kafka Server {b}], started"},
    {.word = WORD_STOPPED, .text = "[KafkaServer id={b}] shut down completed"},
    {.word = WORD_STOPPED, .text = "[Kafka Server {b}], shut down completed"},
    {.word = WORD_STARTING, .text = "[Kafka Server {b}], starting"},
    NOTE("Starting"),
    NOTE("Shutting down"),
    NOTE("Stopped"),
    NOTE("Shutdown completed"),
    NOTE("Shutdown complete"),
    NOTE("Shutdown"),
    NOTE("shutdownInitiated latch count reached zero. Shutdown called."),
    NOTE("Error due to{x}"),
    NOTE("[KafkaServer id={b}] Fatal error during KafkaServer {x}"),

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

const size_t sim_wording_count = sizeof(sim_wordings) / sizeof(sim_wordings[0]);
