/*
 * Prints what Apache Kafka 2.8.2 writes into its znodes, and in which order Scala's immutable hash map
 * walks broker ids: the source of the literals in test_znode.c and test_lists.c. Not part of the
 * build. LIBS is a folder with kafka_2.13-2.8.2.jar and what it needs.
 *
 *     javac -cp 'LIBS/*' -d /tmp Encodings.java && java -cp 'LIBS/*:/tmp' Encodings
 */
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import kafka.api.LeaderAndIsr;
import kafka.cluster.Broker;
import kafka.cluster.EndPoint;
import kafka.controller.LeaderIsrAndControllerEpoch;
import kafka.controller.ReplicaAssignment;
import kafka.zk.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.feature.Features;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import scala.Option;
import scala.collection.JavaConverters;

public class Encodings {
    static scala.collection.immutable.List<Object> list(int... ids) {
        List<Object> out = new ArrayList<>();
        for (int id : ids)
            out.add(id);
        return JavaConverters.asScalaBuffer(out).toList();
    }

    static void print(byte[] bytes) {
        System.out.println(new String(bytes, java.nio.charset.StandardCharsets.UTF_8));
    }

    static void topic(int partitions, Option<Uuid> id) {
        Map<TopicPartition, ReplicaAssignment> map = new LinkedHashMap<>();
        for (int p = 0; p < partitions; p++)
            map.put(new TopicPartition("t", p),
                    new ReplicaAssignment(list(1, 2), p % 2 == 0 ? list(2) : list(), p == 0 ? list(1) : list()));
        print(TopicZNode.encode(id, JavaConverters.mapAsScalaMap(map)));
    }

    static EndPoint endpoint(String listener, SecurityProtocol protocol, String host, int port) {
        return new EndPoint(host, port, new ListenerName(listener), protocol);
    }

    static void broker(int version, List<EndPoint> endpoints, Option<String> rack) {
        Broker broker = new Broker(1, JavaConverters.asScalaBuffer(endpoints).toList(), rack,
                                   Features.emptySupportedFeatures());
        print(BrokerIdZNode.encode(new BrokerInfo(broker, version, -1)));
    }

    static void order(int... ids) {
        scala.collection.immutable.Map<Object, Object> map = scala.collection.immutable.HashMap$.MODULE$.empty();
        for (int id : ids)
            map = map.updated(id, 1);
        System.out.println(map.keysIterator().mkString(","));
    }

    public static void main(String[] args) {
        print(TopicPartitionStateZNode.encode(
            new LeaderIsrAndControllerEpoch(new LeaderAndIsr(1, 0, list(1, 2), 0), 1)));
        topic(3, Option.empty());
        topic(1, Option.apply(new Uuid(1, 2)));
        topic(12, Option.empty()); // from here on Kafka's maps no longer ascend; ours do
        print(ControllerZNode.encode(1, 123));
        print(LogDirEventNotificationSequenceZNode.encode(3));
        print(ConfigEntityChangeNotificationSequenceZNode.encode("topics/t"));
        print(FeatureZNode.encode(new FeatureZNode(new FeatureZNodeStatus.Disabled$(), Features.emptyFinalizedFeatures())));
        Set<TopicPartition> set = new LinkedHashSet<>();
        set.add(new TopicPartition("t", 1));
        set.add(new TopicPartition("u\"\u00e9/\u0001", 0));
        print(PreferredReplicaElectionZNode.encode(JavaConverters.asScalaSet(set).toSet()));
        List<EndPoint> endpoints = new ArrayList<>();
        endpoints.add(endpoint("PLAINTEXT", SecurityProtocol.PLAINTEXT, "host", 9092));
        endpoints.add(endpoint("CLIENT", SecurityProtocol.SASL_SSL, "::1", 9093));
        for (int version = 2; version <= 5; version++)
            broker(version, endpoints, Option.apply("r1"));
        endpoints.remove(0);
        broker(4, endpoints, Option.empty());
        order(1, 2, 3, 4, 5, 6);
        order(java.util.stream.IntStream.range(0, 40).toArray());
    }
}
