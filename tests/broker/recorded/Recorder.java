/*
 * Puts requests to one broker of Apache Kafka 2.8.2 and writes down what it answers.
 *
 *     java -cp "$KCSIM_KAFKA_LIBS/*" Recorder.java PORT OUT
 *
 * The cluster is fresh and has brokers 0, 1 and 2; the requests go to broker 0, which is the
 * controller and hosts no replica, since every topic that is made names its replicas. One request
 * is a block of lines in OUT:
 *
 *     # what it is
 *     API VERSION
 *     > body of the request, in hexadecimal
 *     < body of the response, or "close": the broker closed the connection
 *
 * Bodies stand without their headers. The requests are those of the test beside: it reads them back
 * from OUT, so that there is one list of them, this one.
 */
import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.*;

public class Recorder {
    static Socket socket;
    static PrintStream file;
    static int port, correlation;

    static void connect() throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(60000);
    }

    static byte[] bytes(Message m, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer b = ByteBuffer.allocate(m.size(cache, version));
        m.write(new ByteBufferAccessor(b), cache, version);
        return b.array();
    }

    static String hex(byte[] bytes, int from) {
        StringBuilder s = new StringBuilder();
        for (int i = from; i < bytes.length; i++)
            s.append(String.format("%02x", bytes[i]));
        return s.toString();
    }

    static void ask(String name, int version, ApiMessage request) throws Exception {
        short v = (short) version;
        ApiKeys api = ApiKeys.forId(request.apiKey());
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(api.id)
            .setRequestApiVersion(v).setCorrelationId(++correlation).setClientId("recorder");
        byte[] head = bytes(header, api.requestHeaderVersion(v)), body;
        try {
            body = bytes(request, v);
        } catch (RuntimeException cannot) {
            System.err.println("not put: " + name + ", version " + version + ": " + cannot.getMessage());
            return;
        }
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(head.length + body.length);
        out.write(head);
        out.write(body);
        out.flush();
        String said = "close";
        try {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readInt()];
            in.readFully(answer);
            said = hex(answer, api.responseHeaderVersion(v) == 0 ? 4 : 5);
        } catch (EOFException closed) {
            connect();
        }
        file.printf("# %s%n%d %d%n> %s%n< %s%n%n", name, api.id, version, hex(body, 0), said);
        file.flush();
    }

    /* ---- topics ---- */

    static CreateTopicsRequestData.CreatableTopic topic(String name, int partitions, int factor) {
        return new CreateTopicsRequestData.CreatableTopic().setName(name).setNumPartitions(partitions)
            .setReplicationFactor((short) factor);
    }

    static CreateTopicsRequestData.CreatableTopic listed(String name, Object... lists) {
        CreateTopicsRequestData.CreatableTopic t = topic(name, -1, -1);
        for (int i = 0; i < lists.length; i += 2)
            t.assignments().add(new CreateTopicsRequestData.CreatableReplicaAssignment()
                .setPartitionIndex((Integer) lists[i]).setBrokerIds(ids((String) lists[i + 1])));
        return t;
    }

    static List<Integer> ids(String text) {
        List<Integer> ids = new ArrayList<>();
        for (String id : text.split(","))
            if (!id.isEmpty())
                ids.add(Integer.parseInt(id));
        return ids;
    }

    static CreateTopicsRequestData.CreatableTopic with(CreateTopicsRequestData.CreatableTopic t,
                                                       String key, String value) {
        t.configs().add(new CreateTopicsRequestData.CreateableTopicConfig().setName(key).setValue(value));
        return t;
    }

    static void create(String name, int version, boolean validate,
                       CreateTopicsRequestData.CreatableTopic... topics) throws Exception {
        CreateTopicsRequestData q = new CreateTopicsRequestData().setTimeoutMs(30000).setValidateOnly(validate);
        for (CreateTopicsRequestData.CreatableTopic t : topics)
            q.topics().mustAdd(t);
        ask("create: " + name, version, q);
    }

    static void createTopics() throws Exception {
        create("two lists", 5, false, listed("t", 0, "1,2", 1, "2,1"));
        create("with settings", 5, false, with(with(listed("c", 0, "1"), "retention.ms", "5"),
            "cleanup.policy", "compact"));
        create("to be deleted", 5, false, listed("gone", 0, "1"));
        for (int version = 0; version <= 6; version++)
            create("there already", version, false, listed("t", 0, "1"));
        String longName = String.join("", Collections.nCopies(250, "n"));
        for (String bad : new String[] {"", ".", "..", "a b", "a/b", "ä", longName, "__consumer offsets"})
            create("a bad name", 5, false, topic(bad, 1, 1));
        create("a name that collides", 5, false, listed("a.b", 0, "1"));
        create("a name that collides with it", 5, false, listed("a_b", 0, "1"));
        for (int factor : new int[] {4, 0, -2, 32767})
            create("replication factor " + factor, 5, false, topic("x", 1, factor));
        for (int count : new int[] {0, -2})
            create("partitions " + count, 5, false, topic("x", count, 1));
        create("all by default, validated", 5, true, topic("x", -1, -1));
        create("all by default in a version without defaults", 3, true, topic("x", -1, -1));
        create("partitions by default in a version without", 2, true, topic("x", -1, 1));
        create("numbers and lists", 5, false, listed("x", 0, "1").setNumPartitions(1).setReplicationFactor((short) 1));
        create("a number and lists", 5, false, listed("x", 0, "1").setNumPartitions(2));
        create("a factor and lists", 5, false, listed("x", 0, "1").setReplicationFactor((short) 2));
        create("an empty list", 5, false, listed("x", 0, ""));
        create("an empty list among others", 5, false, listed("x", 0, "1", 1, ""));
        create("a broker twice", 5, false, listed("x", 0, "1,1"));
        create("lists of different length", 5, false, listed("x", 0, "1,2", 1, "1"));
        create("an unknown broker", 5, false, listed("x", 0, "9"));
        create("a negative broker", 5, false, listed("x", 0, "-1"));
        create("a gap", 5, false, listed("x", 0, "1", 2, "1"));
        create("not from 0", 5, false, listed("x", 1, "1"));
        create("a negative partition", 5, false, listed("x", -1, "1"));
        create("a partition twice", 5, false, listed("x", 0, "1", 0, "2"));
        for (boolean validate : new boolean[] {true, false}) {
            create("an unknown setting", 5, validate, with(listed("x", 0, "1"), "no.such", "1"));
            create("a setting of null", 5, validate, with(listed("x", 0, "1"), "retention.ms", null));
        }
        for (String[] s : SETTINGS)
            create("the setting " + s[0] + "=" + s[1], 5, true, with(listed("x", 0, "1"), s[0], s[1]));
        create("a segment smaller than an index", 5, true, with(with(listed("x", 0, "1"),
            "segment.bytes", "14"), "min.compaction.lag.ms", "9").setNumPartitions(-1));
        create("lags that exclude each other", 5, true, with(with(listed("x", 0, "1"),
            "min.compaction.lag.ms", "9"), "max.compaction.lag.ms", "5"));
        create("twice", 5, false, listed("x", 0, "1"), listed("x", 0, "2"), listed("y", 0, "9"));
        create("validated with lists", 6, true, listed("x", 0, "1,2"));
        create("no topic", 5, false);
    }

    static final String[][] SETTINGS = {
        {"segment.bytes", "13"}, {"segment.bytes", "abc"}, {"segment.bytes", "2147483648"},
        {"segment.bytes", ""}, {"segment.bytes", " 14 "}, {"retention.ms", "-2"}, {"retention.ms", "-1"},
        {"retention.ms", "9223372036854775808"}, {"cleanup.policy", "none"}, {"cleanup.policy", ""},
        {"cleanup.policy", "compact,delete"}, {"cleanup.policy", "compact, delete"},
        {"cleanup.policy", "compact,none"}, {"min.insync.replicas", "0"}, {"min.insync.replicas", "1.5"},
        {"compression.type", "zip"}, {"compression.type", "GZIP"}, {"unclean.leader.election.enable", "yes"},
        {"unclean.leader.election.enable", "TRUE"}, {"unclean.leader.election.enable", ""},
        {"min.cleanable.dirty.ratio", "1.1"}, {"min.cleanable.dirty.ratio", "-0.5"},
        {"min.cleanable.dirty.ratio", "half"}, {"min.cleanable.dirty.ratio", "1e-1"},
        {"message.timestamp.type", "now"}, {"message.format.version", "9.9"},
        {"message.format.version", "2.8"}, {"message.format.version", "0.10"},
        {"leader.replication.throttled.replicas", "*"}, {"leader.replication.throttled.replicas", "0:1,1:2"},
        {"leader.replication.throttled.replicas", "0-1"}, {"leader.replication.throttled.replicas", ""},
        {"flush.messages", "0"}, {"index.interval.bytes", "-1"}, {"max.message.bytes", "-1"},
        {"preallocate", "1"}, {"file.delete.delay.ms", "-1"}, {"segment.ms", "0"},
        {"segment.jitter.ms", "-1"}, {"segment.index.bytes", "3"}, {"message.downconversion.enable", "x"},
        {"min.compaction.lag.ms", "-1"}, {"max.compaction.lag.ms", "0"}, {"delete.retention.ms", "-1"},
        {"message.timestamp.difference.max.ms", "-1"}, {"retention.bytes", "x"},
    };

    static void delete(String name, int version, String... names) throws Exception {
        DeleteTopicsRequestData q = new DeleteTopicsRequestData().setTimeoutMs(30000);
        if (version < 6)
            q.setTopicNames(Arrays.asList(names));
        else
            for (String n : names)
                q.topics().add(new DeleteTopicsRequestData.DeleteTopicState().setName(n));
        ask("delete: " + name, version, q);
    }

    static void deleteTopics() throws Exception {
        for (int version = 1; version <= 6; version++)
            delete("not there", version, "nobody");
        delete("a bad name", 5, "a b");
        delete("one and another", 5, "nobody", "gone");
        delete("none", 5);
        ask("delete: by id", 6, new DeleteTopicsRequestData().setTimeoutMs(1000).setTopics(
            Collections.singletonList(new DeleteTopicsRequestData.DeleteTopicState().setName(null)
                .setTopicId(new Uuid(1, 2)))));
        ask("delete: by name and id", 6, new DeleteTopicsRequestData().setTimeoutMs(1000).setTopics(
            Collections.singletonList(new DeleteTopicsRequestData.DeleteTopicState().setName("t")
                .setTopicId(new Uuid(1, 2)))));
        delete("twice", 5, "nobody", "nobody");
    }

    static void grow(String name, int version, boolean validate, String topic, int count, String... lists)
            throws Exception {
        CreatePartitionsRequestData.CreatePartitionsTopic t =
            new CreatePartitionsRequestData.CreatePartitionsTopic().setName(topic).setCount(count)
                .setAssignments(null);
        if (lists.length > 0) {
            List<CreatePartitionsRequestData.CreatePartitionsAssignment> all = new ArrayList<>();
            for (String list : lists)
                if (!list.equals("none"))
                    all.add(new CreatePartitionsRequestData.CreatePartitionsAssignment().setBrokerIds(ids(list)));
            t.setAssignments(all);
        }
        CreatePartitionsRequestData q = new CreatePartitionsRequestData().setTimeoutMs(30000).setValidateOnly(validate);
        q.topics().mustAdd(t);
        ask("grow: " + name, version, q);
    }

    static void createPartitions() throws Exception {
        for (int version = 0; version <= 3; version++)
            grow("not there", version, false, "nobody", 3);
        grow("the same number", 3, false, "t", 2);
        grow("fewer", 3, false, "t", 1);
        grow("none", 3, false, "t", 0);
        grow("a negative number", 3, false, "t", -1);
        grow("too many lists", 3, false, "t", 3, "1,2", "2,1");
        grow("too few lists", 3, false, "t", 4, "1,2");
        grow("no list", 3, false, "t", 3, "none");
        grow("an unknown broker", 3, false, "t", 3, "1,9");
        grow("a broker twice", 3, false, "t", 3, "1,1");
        grow("an empty list", 3, false, "t", 3, "");
        grow("fewer replicas", 3, false, "t", 3, "1");
        grow("lists of different length", 3, false, "t", 4, "1,2", "1");
        grow("validated", 3, true, "t", 3, "1,2");
        grow("a negative broker", 3, false, "t", 3, "1,-1");
        grow("grown", 3, false, "c", 2, "2");
        CreatePartitionsRequestData q = new CreatePartitionsRequestData().setTimeoutMs(1000);
        q.topics().mustAdd(new CreatePartitionsRequestData.CreatePartitionsTopic().setName("t").setCount(5).setAssignments(null));
        q.topics().mustAdd(new CreatePartitionsRequestData.CreatePartitionsTopic().setName("t").setCount(6).setAssignments(null));
        ask("grow: twice", 3, q);
    }

    /* ---- settings ---- */

    static void describe(String name, int version, int type, String resource, boolean synonyms, String... keys)
            throws Exception {
        ask("describe: " + name, version, new DescribeConfigsRequestData().setIncludeSynonyms(synonyms)
            .setResources(Collections.singletonList(new DescribeConfigsRequestData.DescribeConfigsResource()
                .setResourceType((byte) type).setResourceName(resource)
                .setConfigurationKeys(keys.length == 0 ? null : Arrays.asList(keys)))));
    }

    static void describeConfigs() throws Exception {
        for (int version = 0; version <= 4; version++) {
            describe("a topic", version, 2, "t", version > 0);
            describe("a topic with settings", version, 2, "c", version > 0);
            describe("the broker", version, 4, "0", version > 0);
        }
        describe("without synonyms", 4, 2, "c", false);
        describe("one key", 4, 2, "c", true, "retention.ms");
        describe("an unknown key", 4, 2, "c", true, "no.such");
        describe("no key", 4, 2, "c", true, "");
        describe("a topic that is not there", 4, 2, "nobody", true);
        describe("a bad name", 4, 2, "a b", true);
        describe("no name", 4, 2, "", true);
        describe("another broker", 4, 4, "1", true);
        describe("no broker", 4, 4, "9", true);
        describe("what is no broker", 4, 4, "x", true);
        describe("a negative broker", 4, 4, "-1", true);
        describe("the default of brokers", 4, 4, "", true);
        describe("an unknown type", 4, 3, "x", true);
        describe("loggers of another broker", 4, 8, "1", true);
        describe("loggers of what is no broker", 4, 8, "x", true);
        describe("loggers of the default", 4, 8, "", true);
    }

    static void incremental(String name, int version, int type, String resource, boolean validate, Object... ops)
            throws Exception {
        IncrementalAlterConfigsRequestData.AlterConfigsResource r =
            new IncrementalAlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) type)
                .setResourceName(resource);
        for (int i = 0; i < ops.length; i += 3)
            r.configs().mustAdd(new IncrementalAlterConfigsRequestData.AlterableConfig().setName((String) ops[i])
                .setConfigOperation(((Integer) ops[i + 1]).byteValue()).setValue((String) ops[i + 2]));
        IncrementalAlterConfigsRequestData q = new IncrementalAlterConfigsRequestData().setValidateOnly(validate);
        q.resources().mustAdd(r);
        ask("incremental: " + name, version, q);
    }

    static void alter(String name, int version, int type, String resource, boolean validate, String... pairs)
            throws Exception {
        AlterConfigsRequestData.AlterConfigsResource r =
            new AlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) type).setResourceName(resource);
        for (int i = 0; i < pairs.length; i += 2)
            r.configs().mustAdd(new AlterConfigsRequestData.AlterableConfig().setName(pairs[i]).setValue(pairs[i + 1]));
        AlterConfigsRequestData q = new AlterConfigsRequestData().setValidateOnly(validate);
        q.resources().mustAdd(r);
        ask("alter: " + name, version, q);
    }

    static void alterConfigs() throws Exception {
        for (int version = 0; version <= 1; version++) {
            incremental("a topic that is not there", version, 2, "nobody", false, "flush.ms", 0, "1");
            alter("a topic that is not there", version, 2, "nobody", false, "flush.ms", "1");
        }
        incremental("an unknown key", 1, 2, "t", false, "no.such", 0, "1");
        incremental("an unknown key removed", 1, 2, "t", true, "no.such", 1, null);
        incremental("an unknown key appended to", 1, 2, "t", false, "no.such", 2, "1");
        incremental("a bad value", 1, 2, "t", false, "flush.ms", 0, "x");
        incremental("no value", 1, 2, "t", false, "flush.ms", 0, null);
        incremental("no value, twice", 1, 2, "t", false, "flush.ms", 0, null, "retention.ms", 0, null);
        incremental("append to a number", 1, 2, "t", false, "flush.ms", 2, "1");
        incremental("subtract from a number", 1, 2, "t", false, "flush.ms", 3, "1");
        incremental("append null", 1, 2, "t", false, "cleanup.policy", 2, null);
        incremental("a key twice", 1, 2, "t", false, "flush.ms", 0, "1", "flush.ms", 0, "2");
        incremental("an unknown operation", 1, 2, "t", false, "flush.ms", 7, "1");
        incremental("a bad name", 1, 2, "a b", false, "flush.ms", 0, "1");
        incremental("no name", 1, 2, "", false, "flush.ms", 0, "1");
        incremental("what cannot be appended", 1, 2, "t", false, "cleanup.policy", 2, "none");
        incremental("nothing", 1, 2, "t", true);
        incremental("an unknown type", 1, 3, "t", false, "flush.ms", 0, "1");
        incremental("a read-only setting of the broker", 1, 4, "0", false, "zookeeper.connect", 0, "a:1");
        incremental("an unknown setting of the broker", 1, 4, "0", true, "no.such", 0, "a");
        incremental("a bad setting of the broker", 1, 4, "0", false, "log.cleaner.threads", 0, "x");
        incremental("too many threads", 1, 4, "0", false, "num.io.threads", 0, "7");
        incremental("too few threads", 1, 4, "0", false, "num.io.threads", 0, "1");
        incremental("no threads", 1, 4, "0", false, "num.io.threads", 0, "0");
        incremental("a setting of one broker for all", 1, 4, "", false, "listeners", 0, "PLAINTEXT://:1");
        incremental("another broker", 1, 4, "1", false, "log.cleaner.threads", 0, "2");
        incremental("no broker", 1, 4, "9", false, "log.cleaner.threads", 0, "2");
        incremental("what is no broker", 1, 4, "x", false, "log.cleaner.threads", 0, "2");
        incremental("loggers of another", 1, 8, "1", false, "root", 0, "INFO");
        incremental("loggers of what is no broker", 1, 8, "x", false, "root", 0, "INFO");
        incremental("an unknown level", 1, 8, "0", false, "kafka.server.KafkaApis", 0, "LOUD");
        incremental("an unknown logger", 1, 8, "0", false, "no.such.logger", 0, "INFO");
        alter("an unknown key", 1, 2, "t", false, "no.such", "1");
        alter("a bad value", 1, 2, "t", false, "flush.ms", "-1");
        alter("no value", 1, 2, "t", false, "flush.ms", null);
        alter("validated", 1, 2, "t", true, "flush.ms", "1");
        alter("a read-only setting of the broker", 1, 4, "0", false, "zookeeper.connect", "a:1");
        alter("another broker", 1, 4, "1", false, "log.cleaner.threads", "2");
        alter("loggers", 1, 8, "0", false, "root", "INFO");
        alter("an unknown type", 1, 3, "t", false, "flush.ms", "1");
        incremental("a topic", 1, 2, "t", false, "flush.ms", 0, "1", "cleanup.policy", 2, "compact");
        describe("a topic that was altered", 4, 2, "t", true, "flush.ms", "cleanup.policy");
        incremental("a broker", 1, 4, "0", false, "log.flush.interval.ms", 0, "77");
        incremental("all brokers", 1, 4, "", false, "log.flush.interval.ms", 0, "88");
        Thread.sleep(3000); // the broker hears of its own settings through ZooKeeper
        describe("settings of brokers in a topic", 4, 2, "c", true, "flush.ms");
        describe("the broker that was altered", 4, 4, "0", true, "log.flush.interval.ms");
        describe("all brokers that were altered", 4, 4, "", true);
    }

    /* ---- the controller ---- */

    static void elect(String name, int version, int type, String topic, Integer... partitions) throws Exception {
        ElectLeadersRequestData q = new ElectLeadersRequestData().setElectionType((byte) type).setTimeoutMs(1000);
        if (topic == null)
            q.setTopicPartitions(null);
        else
            q.topicPartitions().add(new ElectLeadersRequestData.TopicPartitions().setTopic(topic)
                .setPartitionId(Arrays.asList(partitions)));
        ask("elect: " + name, version, q);
    }

    static void reassign(String name, String topic, int partition, String replicas) throws Exception {
        ask("reassign: " + name, 0, new AlterPartitionReassignmentsRequestData().setTimeoutMs(1000).setTopics(
            Collections.singletonList(new AlterPartitionReassignmentsRequestData.ReassignableTopic().setName(topic)
                .setPartitions(Collections.singletonList(
                    new AlterPartitionReassignmentsRequestData.ReassignablePartition().setPartitionIndex(partition)
                        .setReplicas(replicas == null ? null : ids(replicas)))))));
    }

    static void controller() throws Exception {
        for (int version = 0; version <= 2; version++) {
            elect("not needed", version, 0, "t", 0);
            elect("not there", version, 0, "nobody", 0);
            elect("no such partition", version, 0, "t", 7);
            elect("all", version, 0, null);
        }
        elect("unclean, not needed", 2, 1, "t", 0);
        elect("unclean, not there", 2, 1, "nobody", 0);
        elect("unclean, all", 2, 1, null);
        reassign("not there", "nobody", 0, "1");
        reassign("no such partition", "t", 7, "1");
        reassign("nothing to cancel", "t", 0, null);
        reassign("no replica", "t", 0, "");
        reassign("a broker twice", "t", 0, "1,1");
        reassign("a negative broker", "t", 0, "-1");
        reassign("an unknown broker", "t", 0, "1,9");
        reassign("what it is already", "t", 0, "1,2");
        ask("reassignments: none", 0, new ListPartitionReassignmentsRequestData().setTopics(null));
        ask("reassignments: none of a topic", 0, new ListPartitionReassignmentsRequestData().setTopics(
            Collections.singletonList(new ListPartitionReassignmentsRequestData.ListPartitionReassignmentsTopics()
                .setName("nobody").setPartitionIndexes(Arrays.asList(0, 1)))));
    }

    /* ---- the rest ---- */

    static void metadata(String name, int version, String... names) throws Exception {
        MetadataRequestData q = new MetadataRequestData().setAllowAutoTopicCreation(version < 4);
        if (names.length == 0)
            q.setTopics(null);
        for (String n : names)
            q.topics().add(new MetadataRequestData.MetadataRequestTopic().setName(n));
        ask("metadata: " + name, version, q);
    }

    static void cluster() throws Exception {
        for (int version = 1; version <= 11; version++) {
            metadata("all", version);
            metadata("not there", version, "nobody");
            metadata("a bad name", version, "a b");
        }
        metadata("no name", 9, "");
        metadata("twice", 9, "t", "t");
        ask("metadata: none", 9, new MetadataRequestData());
        ask("metadata: allowed operations", 9, new MetadataRequestData().setIncludeClusterAuthorizedOperations(true)
            .setIncludeTopicAuthorizedOperations(true).setTopics(Collections.singletonList(
                new MetadataRequestData.MetadataRequestTopic().setName("t"))));
        ask("cluster", 0, new DescribeClusterRequestData());
        ask("cluster: allowed operations", 0, new DescribeClusterRequestData().setIncludeClusterAuthorizedOperations(true));
        for (int version = 0; version <= 3; version++)
            ask("versions", version, new ApiVersionsRequestData().setClientSoftwareName("a").setClientSoftwareVersion("1"));
        ask("versions: a bad name", 3, new ApiVersionsRequestData().setClientSoftwareName("-").setClientSoftwareVersion("1"));
        for (int version = 1; version <= 3; version++)
            ask("coordinator: no such type", version, new FindCoordinatorRequestData().setKey("g").setKeyType((byte) 7));
    }

    static void acls() throws Exception {
        ask("acls: describe", 2, new DescribeAclsRequestData().setResourceTypeFilter((byte) 2).setPatternTypeFilter((byte) 3)
            .setOperation((byte) 2).setPermissionType((byte) 3));
        ask("acls: create", 2, new CreateAclsRequestData().setCreations(Collections.singletonList(
            new CreateAclsRequestData.AclCreation().setResourceType((byte) 2).setResourceName("t").setResourcePatternType((byte) 3)
                .setPrincipal("User:a").setHost("*").setOperation((byte) 3).setPermissionType((byte) 3))));
        ask("acls: delete", 2, new DeleteAclsRequestData().setFilters(Collections.singletonList(
            new DeleteAclsRequestData.DeleteAclsFilter().setResourceTypeFilter((byte) 2).setPatternTypeFilter((byte) 3)
                .setOperation((byte) 2).setPermissionType((byte) 3))));
        ask("quotas: none", 0, new DescribeClientQuotasRequestData().setComponents(Collections.singletonList(
            new DescribeClientQuotasRequestData.ComponentData().setEntityType("user").setMatchType((byte) 2))));
        ask("quotas: an unknown entity", 0, new DescribeClientQuotasRequestData().setComponents(Collections.singletonList(
            new DescribeClientQuotasRequestData.ComponentData().setEntityType("x").setMatchType((byte) 2))));
        ask("quotas: an unknown entity altered", 0, new AlterClientQuotasRequestData().setEntries(Collections.singletonList(
            new AlterClientQuotasRequestData.EntryData().setEntity(Collections.singletonList(
                new AlterClientQuotasRequestData.EntityData().setEntityType("x").setEntityName("y"))))));
        ask("scram: nobody", 0, new DescribeUserScramCredentialsRequestData().setUsers(Collections.singletonList(
            new DescribeUserScramCredentialsRequestData.UserName().setName("nobody"))));
        ask("scram: all", 0, new DescribeUserScramCredentialsRequestData().setUsers(null));
        ask("scram: delete nobody's", 0, new AlterUserScramCredentialsRequestData().setDeletions(Collections.singletonList(
            new AlterUserScramCredentialsRequestData.ScramCredentialDeletion().setName("nobody").setMechanism((byte) 1))));
        ask("tokens: create", 2, new CreateDelegationTokenRequestData().setMaxLifetimeMs(1));
        ask("tokens: renew", 2, new RenewDelegationTokenRequestData().setHmac(new byte[] {1}).setRenewPeriodMs(1));
        ask("tokens: expire", 2, new ExpireDelegationTokenRequestData().setHmac(new byte[] {1}).setExpiryTimePeriodMs(1));
        ask("tokens: describe", 2, new DescribeDelegationTokenRequestData().setOwners(null));
        ask("sasl: handshake", 1, new SaslHandshakeRequestData().setMechanism("PLAIN"));
        ask("sasl: authenticate", 2, new SaslAuthenticateRequestData().setAuthBytes(new byte[] {1}));
        ask("features: update", 0, new UpdateFeaturesRequestData().setTimeoutMs(1000));
    }

    static void producers() throws Exception {
        ask("producer: empty transactional id", 4, new InitProducerIdRequestData().setTransactionalId("").setTransactionTimeoutMs(1000));
        ask("producer: id", 4, new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(1000));
        ask("producer: epoch without id", 4, new InitProducerIdRequestData().setTransactionalId("x")
            .setTransactionTimeoutMs(1000).setProducerEpoch((short) 1));
        for (String topic : new String[] {"t", "nobody"})
            for (int partition : new int[] {0, 7}) {
                String what = topic + "-" + partition;
                ask("offsets: " + what, 5, new ListOffsetsRequestData().setReplicaId(-1).setTopics(Collections.singletonList(
                    new ListOffsetsRequestData.ListOffsetsTopic().setName(topic).setPartitions(Collections.singletonList(
                        new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(partition).setTimestamp(-1))))));
                for (int version : new int[] {4, 11, 12})
                    ask("fetch: " + what, version, new FetchRequestData().setMaxWaitMs(10).setMinBytes(1).setMaxBytes(1000).setTopics(
                        Collections.singletonList(new FetchRequestData.FetchTopic().setTopic(topic).setPartitions(
                            Collections.singletonList(new FetchRequestData.FetchPartition().setPartition(partition)
                                .setPartitionMaxBytes(1000))))).setSessionEpoch(-1));
                ask("leader epoch: " + what, 3, epochs(topic, partition));
                ask("delete records: " + what, 2, new DeleteRecordsRequestData().setTimeoutMs(1000).setTopics(Collections.singletonList(
                    new DeleteRecordsRequestData.DeleteRecordsTopic().setName(topic).setPartitions(Collections.singletonList(
                        new DeleteRecordsRequestData.DeleteRecordsPartition().setPartitionIndex(partition).setOffset(0))))));
                ask("producers: " + what, 0, new DescribeProducersRequestData().setTopics(Collections.singletonList(
                    new DescribeProducersRequestData.TopicRequest().setName(topic).setPartitionIndexes(
                        Collections.singletonList(partition)))));
            }
    }

    static OffsetForLeaderEpochRequestData epochs(String topic, int partition) {
        OffsetForLeaderEpochRequestData q = new OffsetForLeaderEpochRequestData().setReplicaId(-2);
        q.topics().mustAdd(new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic(topic).setPartitions(
            Collections.singletonList(new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition()
                .setPartition(partition).setLeaderEpoch(0))));
        return q;
    }

    static void produce(String topic, int partition) throws Exception {
        for (int version : new int[] {3, 8, 9})
            for (short acks : new short[] {1, -1, 2})
                ask("produce: " + topic + "-" + partition + ", acks " + acks, version, produced(topic, partition, acks));
    }

    static ProduceRequestData produced(String topic, int partition, short acks) {
        ProduceRequestData q = new ProduceRequestData().setTransactionalId(null).setAcks(acks).setTimeoutMs(1000);
        q.topicData().add(new ProduceRequestData.TopicProduceData().setName(topic).setPartitionData(
            Collections.singletonList(new ProduceRequestData.PartitionProduceData().setIndex(partition).setRecords(
                MemoryRecords.withRecords(CompressionType.NONE, new SimpleRecord(1L, "k".getBytes(), "v".getBytes()))))));
        return q;
    }

    /* Nobody's coordinator: no partition of __consumer_offsets exists. */
    static void coordinated() throws Exception {
        for (String group : new String[] {"g", ""}) {
            String of = group.isEmpty() ? ", no name" : "";
            ask("groups: join" + of, 7, new JoinGroupRequestData().setGroupId(group).setMemberId("").setSessionTimeoutMs(10000)
                .setRebalanceTimeoutMs(10000).setProtocolType("consumer"));
            ask("groups: beat" + of, 4, new HeartbeatRequestData().setGroupId(group).setMemberId("m"));
            ask("groups: describe" + of, 5, new DescribeGroupsRequestData().setGroups(Collections.singletonList(group)));
            ask("groups: delete" + of, 2, new DeleteGroupsRequestData().setGroupsNames(Collections.singletonList(group)));
            for (String topic : new String[] {"t", "nobody"}) {
                ask("groups: commit " + topic + of, 8, new OffsetCommitRequestData().setGroupId(group).setTopics(Collections.singletonList(
                    new OffsetCommitRequestData.OffsetCommitRequestTopic().setName(topic).setPartitions(Collections.singletonList(
                        new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(0))))));
                ask("groups: delete offsets " + topic + of, 0, offsetDelete(group, topic));
            }
            ask("groups: offsets" + of, 7, new OffsetFetchRequestData().setGroupId(group).setTopics(Collections.singletonList(
                new OffsetFetchRequestData.OffsetFetchRequestTopic().setName("t").setPartitionIndexes(Collections.singletonList(0)))));
            ask("groups: all offsets" + of, 7, new OffsetFetchRequestData().setGroupId(group).setTopics(null));
            ask("transactions: end" + of, 3, new EndTxnRequestData().setTransactionalId(group));
            ask("transactions: offsets" + of, 3, new AddOffsetsToTxnRequestData().setTransactionalId(group).setGroupId("g"));
        }
        for (String topic : new String[] {"t", "nobody"}) {
            AddPartitionsToTxnRequestData q = new AddPartitionsToTxnRequestData().setTransactionalId("x");
            q.topics().mustAdd(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName(topic)
                .setPartitions(Collections.singletonList(0)));
            ask("transactions: add " + topic, 3, q);
            ask("transactions: commit " + topic, 3, new TxnOffsetCommitRequestData().setTransactionalId("x").setGroupId("g").setTopics(
                Collections.singletonList(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic().setName(topic).setPartitions(
                    Collections.singletonList(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(0))))));
        }
        ask("features: one", 0, features());
        ask("shutdown: not there", 3, new ControlledShutdownRequestData().setBrokerId(9).setBrokerEpoch(-1));
        ask("shutdown: an earlier life", 3, new ControlledShutdownRequestData().setBrokerId(2).setBrokerEpoch(1));
    }

    static UpdateFeaturesRequestData features() {
        UpdateFeaturesRequestData q = new UpdateFeaturesRequestData().setTimeoutMs(1000);
        q.featureUpdates().mustAdd(new UpdateFeaturesRequestData.FeatureUpdateKey().setFeature("f").setMaxVersionLevel((short) 1));
        return q;
    }

    static OffsetDeleteRequestData offsetDelete(String group, String topic) {
        OffsetDeleteRequestData q = new OffsetDeleteRequestData().setGroupId(group);
        q.topics().mustAdd(new OffsetDeleteRequestData.OffsetDeleteRequestTopic().setName(topic).setPartitions(
            Collections.singletonList(new OffsetDeleteRequestData.OffsetDeleteRequestPartition().setPartitionIndex(0))));
        return q;
    }

    static void groups() throws Exception {
        ask("groups: list", 4, new ListGroupsRequestData());
        ask("groups: describe", 5, new DescribeGroupsRequestData().setGroups(Collections.singletonList("g")));
        ask("groups: delete", 2, new DeleteGroupsRequestData().setGroupsNames(Collections.singletonList("g")));
        ask("groups: heartbeat", 4, new HeartbeatRequestData().setGroupId("g").setMemberId("m"));
        ask("groups: leave", 4, new LeaveGroupRequestData().setGroupId("g"));
        ask("groups: sync", 5, new SyncGroupRequestData().setGroupId("g").setMemberId("m"));
        ask("transactions: end", 3, new EndTxnRequestData().setTransactionalId("x"));
    }

    public static void main(String[] arguments) throws Exception {
        port = Integer.parseInt(arguments[0]);
        connect();
        file = new PrintStream(arguments[1]);
        createTopics();
        cluster();
        createPartitions();
        describeConfigs();
        alterConfigs();
        controller();
        acls();
        producers();
        groups();
        for (String topic : new String[] {"t", "nobody"})
            for (int partition : new int[] {0, 7})
                produce(topic, partition);
        coordinated();
        deleteTopics();
        file.close();
    }
}
