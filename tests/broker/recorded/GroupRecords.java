/*
 * Prints what Apache Kafka 2.8.2 writes into __consumer_offsets, by its own GroupMetadataManager: the
 * keys and values of records, and the batches around them. Made group-records-2.8.2.txt, which
 * test_group_records compares with what our coordinator writes. Not part of the build. LIBS is a folder
 * with kafka_2.13-2.8.2.jar and what it needs.
 *
 *     javac -cp 'LIBS/*' -d /tmp GroupRecords.java &&
 *         java -cp 'LIBS/*:/tmp' kafka.coordinator.group.GroupRecords > group-records-2.8.2.txt
 *
 * A line is a name and hexadecimal digits: NAME.key, NAME.value, NAME.batch.
 */
package kafka.coordinator.group;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import kafka.api.ApiVersion;
import kafka.common.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.*;
import scala.Option;
import scala.Tuple2;
import scala.collection.immutable.Map;
import scala.jdk.javaapi.CollectionConverters;

public class GroupRecords {
    static final long NOW = 1600000003000L; /* ms: when the group became stable, and was written */
    static final ApiVersion VERSION = ApiVersion.apply("2.6");

    static class FixedTime extends org.apache.kafka.common.utils.SystemTime {
        @Override
        public long milliseconds() {
            return NOW;
        }
    }

    static void print(String name, byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes)
            text.append(String.format("%02x", b));
        System.out.println(name + " " + text);
    }

    static byte[] bytes(ByteBuffer b) {
        byte[] out = new byte[b.remaining()];
        b.duplicate().get(out);
        return out;
    }

    static void offset(String name, OffsetAndMetadata value, long producer, short epoch) {
        byte[] k = GroupMetadataManager.offsetCommitKey("g", new TopicPartition("t", 7));
        byte[] v = GroupMetadataManager.offsetCommitValue(value, VERSION);
        boolean transactional = producer != RecordBatch.NO_PRODUCER_ID;
        /* as GroupMetadataManager.storeOffsets builds it */
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), (byte) 2,
            CompressionType.NONE, TimestampType.CREATE_TIME, 0L, NOW, producer, epoch, 0, transactional,
            RecordBatch.NO_PARTITION_LEADER_EPOCH);
        builder.append(new SimpleRecord(NOW, k, v));
        print(name + ".key", k);
        print(name + ".value", v);
        print(name + ".batch", bytes(builder.build().buffer()));
    }

    static MemberMetadata member(String id, Option<String> instance, String assignment) {
        List<Tuple2<String, byte[]>> protocols = new ArrayList<>();
        protocols.add(new Tuple2<>("range", new byte[10]));
        return new MemberMetadata(id, instance, "c", "/h", 60000, 10000, "consumer",
            CollectionConverters.asScala(protocols).toList(), assignment.getBytes());
    }

    static void group(String name, GroupMetadata g, Map<String, byte[]> assignment) {
        byte[] k = GroupMetadataManager.groupMetadataKey("g");
        byte[] v = GroupMetadataManager.groupMetadataValue(g, assignment, VERSION);
        /* as GroupMetadataManager.storeGroup builds it */
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), (byte) 2,
            CompressionType.NONE, TimestampType.CREATE_TIME, 0L);
        builder.append(NOW, k, v);
        print(name + ".key", k);
        print(name + ".value", v);
        print(name + ".batch", bytes(builder.build().buffer()));
        /* as cleanupGroupMetadata builds the tombstone */
        print(name + ".tombstone", bytes(MemoryRecords.withRecords((byte) 2, 0L, CompressionType.NONE,
            TimestampType.CREATE_TIME, new SimpleRecord(NOW, k, null)).buffer()));
    }

    public static void main(String[] args) {
        Optional<Integer> epoch = Optional.of(3);
        offset("commit", new OffsetAndMetadata(42, epoch, "text", NOW, Option.empty()), -1, (short) -1);
        offset("txn", new OffsetAndMetadata(42, Optional.empty(), "", NOW, Option.empty()), 9, (short) 0);
        offset("expires", new OffsetAndMetadata(42, epoch, "text", NOW, Option.apply(NOW + 5000)), -1,
            (short) -1);
        for (String instance : new String[] {null, "i"}) {
            GroupMetadata g = new GroupMetadata("g", Empty$.MODULE$, new FixedTime());
            String id = (instance == null ? "c" : instance) + "-00000001-0000-0000-0000-000000000000";
            g.add(member(id, Option.apply(instance), "all"), null);
            g.transitionTo(PreparingRebalance$.MODULE$);
            g.initNextGeneration();
            java.util.Map<String, byte[]> all = new java.util.HashMap<>();
            all.put(id, "all".getBytes());
            group(instance == null ? "dynamic" : "static", g,
                scala.collection.immutable.Map$.MODULE$.from(CollectionConverters.asScala(all)));
        }
    }
}
