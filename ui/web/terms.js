/**
 * Kafka's words, each with a gloss of one or two sentences and the place in Kafka where it is at home (class, KIP or
 * JIRA). In the order of the alphabet, which a test checks.
 */

/** @typedef {{word: string, gloss: string, home: string, also?: string[]}} Word also: other forms that mean it */

/** @type {Word[]} */
export const words = [
    {
        word: "acks",
        gloss: "How many replicas must have a record before the producer is told that it is written: 0 none, 1 the leader, all every member of the ISR.",
        home: "ProducerConfig.ACKS_CONFIG",
    },
    {
        word: "active controller",
        gloss: "The broker whose id stands in /controller. It alone may move partitions and replicas through their states.",
        home: "KafkaController",
    },
    {
        word: "AlterIsr",
        gloss: "From Kafka 2.7 on a leader may ask the controller to change an ISR; before, and in ZooKeeper mode at older protocol levels, it writes the state znode itself.",
        home: "KIP-497",
    },
    {
        word: "AR",
        gloss: "Assigned replicas: all brokers that should hold a partition, the preferred leader first.",
        home: "ReplicaAssignment",
        also: ["assigned replicas", "replicas"],
    },
    {
        word: "BADVERSION",
        gloss: "ZooKeeper refuses a write because the znode has another version than the writer read: somebody wrote in between.",
        home: "KeeperException.BadVersionException",
    },
    {
        word: "broker epoch",
        gloss: "A number that is new each time a broker registers (the czxid of its znode), so that a request meant for its former life can be told apart.",
        home: "KIP-380",
    },
    {
        word: "controlled shutdown",
        gloss: "A broker that is told to stop first asks the controller to move its leaders elsewhere, so that nobody has to wait for a session to expire.",
        home: "KafkaController.processControlledShutdown",
    },
    {
        word: "controller",
        gloss: "The broker that decides who leads each partition, and tells the others. All brokers run the code; /controller says whose turn it is.",
        home: "KafkaController",
    },
    {
        word: "controller context",
        gloss: "What a controller remembers of the cluster: live brokers, assignments, leaders, states. It acts on this memory, not on ZooKeeper itself.",
        home: "ControllerContext",
    },
    {
        word: "controller epoch",
        gloss: "Counts the controllers there have been. Brokers refuse requests with an older one, and writes check it, so that a deposed controller can do no harm.",
        home: "KafkaController, /controller_epoch",
    },
    {
        word: "controller event queue",
        gloss: "All that a controller reacts to waits in one queue and is worked off by one thread, one event at a time.",
        home: "ControllerEventManager",
    },
    { word: "czxid", gloss: "ZooKeeper's number of the transaction that created a znode.", home: "ZooKeeper Stat" },
    {
        word: "ephemeral znode",
        gloss: "A znode that belongs to a session and goes with it. /controller and /brokers/ids/N are ephemeral.",
        home: "ZooKeeper CreateMode",
    },
    {
        word: "expired session",
        gloss: "ZooKeeper heard nothing from a client for the whole timeout and gave up its session; its ephemeral znodes go in the same transaction.",
        home: "ZooKeeper SessionTracker",
    },
    {
        word: "fencing",
        gloss: "Refusing what a former holder of an office still sends: by an epoch in a request, or by the version of a znode in a write.",
        home: "KAFKA-6082, KIP-380",
    },
    {
        word: "follower",
        gloss: "A replica that copies the leader's log by fetching from it.",
        home: "ReplicaFetcherThread",
    },
    {
        word: "group coordinator",
        gloss: "The broker that keeps a consumer group together: who its members are, who reads what, how far they have come.",
        home: "GroupCoordinator",
    },
    {
        word: "high watermark",
        gloss: "Up to here every member of the ISR has the log. Consumers see nothing beyond it, and no record below it should ever be lost.",
        home: "Log.highWatermark",
        also: ["hw"],
    },
    {
        word: "idempotent producer",
        gloss: "A producer that numbers its records, so that a broker can tell a repetition from something new.",
        home: "KIP-98",
    },
    {
        word: "incarnation",
        gloss: "How often a process was started. A restarted one remembers nothing but its disk.",
        home: "kcsim",
    },
    {
        word: "ISR",
        gloss: "In-sync replicas: the leader and the followers that have kept up. Only they may become leader without loss.",
        home: "Partition.inSyncReplicaIds",
        also: ["in-sync replicas"],
    },
    {
        word: "last stable offset",
        gloss: "Up to here no transaction is open. Consumers with read_committed see nothing beyond it.",
        home: "Log.lastStableOffset",
        also: ["lso"],
    },
    {
        word: "leader",
        gloss: "The replica that producers write to and followers copy from. There is one for each partition and leader epoch.",
        home: "Partition",
    },
    {
        word: "leader epoch",
        gloss: "Counts the changes of leader and ISR of a partition by controllers. Logs remember where each began, so a returning replica knows where to cut.",
        home: "KIP-101, LeaderEpochFileCache",
    },
    {
        word: "LeaderAndIsr",
        gloss: "The controller tells a broker which replicas it leads, and which it follows from whom.",
        home: "LeaderAndIsrRequest",
    },
    {
        word: "live brokers",
        gloss: "Brokers that are registered under /brokers/ids, as the controller last read it.",
        home: "ControllerContext.liveBrokerIds",
    },
    {
        word: "log dir",
        gloss: "A disk, or a folder on it, with logs of partitions. When it fails, only its replicas go offline.",
        home: "KIP-112",
    },
    {
        word: "log end offset",
        gloss: "Where the next record will be written: the first offset a log does not have yet.",
        home: "Log.logEndOffset",
        also: ["leo"],
    },
    {
        word: "message",
        gloss: "A request or an answer on its way. It may be held up, or lost with the connection.",
        home: "NetworkClient",
    },
    {
        word: "metadata cache",
        gloss: "What a broker tells clients about who leads what. UpdateMetadata fills it; it may lag behind the broker's own state.",
        home: "MetadataCache",
    },
    {
        word: "min.insync.replicas",
        gloss: "With acks=all a leader refuses records while its ISR has fewer members than this.",
        home: "LogConfig.MinInSyncReplicasProp",
    },
    {
        word: "multi",
        gloss: "Several ZooKeeper operations that are applied together or not at all. Controllers put a check of their epoch into each.",
        home: "ZooKeeper multi",
    },
    {
        word: "NODEEXISTS",
        gloss: "ZooKeeper refuses to create a znode that is there already. For /controller it means: somebody else was faster.",
        home: "KeeperException.NodeExistsException",
    },
    {
        word: "NONODE",
        gloss: "ZooKeeper was asked for a znode that is not there.",
        home: "KeeperException.NoNodeException",
    },
    {
        word: "offline partition",
        gloss: "A partition whose leader is gone and for which no other could be elected: nobody can read or write it.",
        home: "OfflinePartition",
    },
    {
        word: "OfflinePartitionLeaderElectionStrategy",
        gloss: "Of the assigned replicas, in order, the first that is alive and in the ISR; with unclean elections allowed, else the first that is alive.",
        home: "Election.leaderForOffline",
    },
    {
        word: "partition",
        gloss: "A part of a topic with a log of its own, kept by several replicas.",
        home: "TopicPartition",
    },
    {
        word: "partition state machine",
        gloss: "New, Online, Offline, NonExistent: what the controller makes of each partition, and which moves are legal.",
        home: "PartitionStateMachine",
    },
    {
        word: "preferred leader",
        gloss: "The first of the assigned replicas. Leadership is moved back to it when it is in the ISR.",
        home: "Election.leaderForPreferredReplica",
    },
    {
        word: "producer id",
        gloss: "Number of an idempotent or transactional producer. Its epoch fences those that had the same transactional id before.",
        home: "KIP-98, ProducerStateManager",
    },
    {
        word: "purgatory",
        gloss: "Where a broker keeps requests that cannot be answered yet: a produce until the ISR has it, a fetch until there is enough.",
        home: "DelayedOperationPurgatory",
    },
    {
        word: "reassignment",
        gloss: "Moving a partition to other brokers: new replicas are added, copy, join the ISR; only then the old ones are removed.",
        home: "KIP-455",
    },
    {
        word: "rebalance",
        gloss: "The members of a consumer group agree anew who reads which partition. Not to be confused with the automatic election of preferred leaders.",
        home: "ConsumerCoordinator",
    },
    {
        word: "record",
        gloss: "In a log: a message of a producer, with its offset. In the trace: one thing that happened, with its number.",
        home: "docs/trace.md",
    },
    { word: "replica", gloss: "One broker's copy of a partition.", home: "Replica" },
    {
        word: "replica state machine",
        gloss: "What the controller makes of each replica, from New to NonExistent; deleting is half of it.",
        home: "ReplicaStateMachine",
    },
    {
        word: "ReplicaDeletionIneligible",
        gloss: "This replica of a topic to be deleted cannot be deleted now, because its broker is away or its deletion failed. The topic waits until it can.",
        home: "ReplicaDeletionIneligible, TopicDeletionManager",
    },
    {
        word: "resignation",
        gloss: "A controller that learns that it is none any more forgets its context and stops its machines.",
        home: "KafkaController.onControllerResignation",
    },
    {
        word: "session",
        gloss: "A client's standing with ZooKeeper. It outlives a connection, but not a silence longer than its timeout.",
        home: "ZooKeeper",
    },
    {
        word: "STALE_BROKER_EPOCH",
        gloss: "A broker refuses a request that was meant for its former life.",
        home: "Errors.STALE_BROKER_EPOCH",
    },
    {
        word: "STALE_CONTROLLER_EPOCH",
        gloss: "A broker refuses a request of a controller whose epoch is older than one it has heard of.",
        home: "Errors.STALE_CONTROLLER_EPOCH",
    },
    {
        word: "StopReplica",
        gloss: "The controller tells a broker to stop a replica, and perhaps to delete its log.",
        home: "StopReplicaRequest",
    },
    {
        word: "topic deletion",
        gloss: "Every replica is stopped and deleted before the topic's znodes go. One that cannot be reached holds up the whole topic.",
        home: "TopicDeletionManager",
    },
    {
        word: "transaction coordinator",
        gloss: "The broker that decides whether a transaction is committed or aborted and writes the markers that say so.",
        home: "TransactionCoordinator",
    },
    {
        word: "truncation",
        gloss: "A follower cuts its log to where it agrees with its leader. What was beyond is lost there, and lost altogether if nobody else had it.",
        home: "KIP-101, AbstractFetcherThread",
    },
    {
        word: "unclean election",
        gloss: "A leader is elected that was not in the ISR: the partition works again, and records that were acknowledged may be gone.",
        home: "unclean.leader.election.enable",
    },
    {
        word: "UpdateMetadata",
        gloss: "The controller tells brokers who leads what and who is alive, for them to tell clients.",
        home: "UpdateMetadataRequest",
    },
    {
        word: "version of a znode",
        gloss: "Counts the writes to it. A write that names another version than the current one is refused.",
        home: "ZooKeeper Stat",
        also: ["zkVersion"],
    },
    {
        word: "watch",
        gloss: "A client asks ZooKeeper to be told once of the next change of a znode. Until it asks again it is told nothing more.",
        home: "ZooKeeper Watcher",
    },
    {
        word: "zombie",
        gloss: "A process that still acts in an office it has lost, because it has not heard of its successor yet.",
        home: "KAFKA-6082",
    },
    {
        word: "znode",
        gloss: "A node in ZooKeeper's tree: data, a version, children, perhaps a session that owns it.",
        home: "ZooKeeper",
    },
    {
        word: "ZooKeeper",
        gloss: "The tree in which Kafka up to 3.x keeps its truth: who is alive, who controls, who leads. What is written there counts.",
        home: "KafkaZkClient",
    },
    {
        word: "zxid",
        gloss: "ZooKeeper's number of a transaction. All writes have one order, and this is it.",
        home: "ZooKeeper",
    },
];
