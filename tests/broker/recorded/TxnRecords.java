/*
 * Prints what Apache Kafka 2.8.2 writes into __transaction_state in the life of a transactional id, by
 * its own TransactionMetadata and TransactionLog, and the control batches of a transaction's end. Made
 * txn-records-2.8.2.txt, which test_transaction_records compares with what we write. Not part of the
 * build. LIBS is a folder with kafka_2.13-2.8.2.jar and what it needs.
 *
 *     javac -cp 'LIBS/*' -d /tmp TxnRecords.java &&
 *         java -cp 'LIBS/*:/tmp' kafka.coordinator.transaction.TxnRecords > txn-records-2.8.2.txt
 *
 * A line is a name and hexadecimal digits: NAME.key, NAME.value, NAME.batch.
 */
package kafka.coordinator.transaction;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.*;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

public class TxnRecords {
    static final long NOW = 1600000003000L;

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

    /* As TransactionStateManager.appendTransactionToLog builds it; the move is then made. */
    static void move(String name, TransactionMetadata m, TxnTransitMetadata to) {
        byte[] k = TransactionLog$.MODULE$.keyToBytes("id");
        byte[] v = TransactionLog$.MODULE$.valueToBytes(to);
        print(name + ".key", k);
        print(name + ".value", v);
        print(name + ".batch", bytes(MemoryRecords.withRecords(CompressionType.NONE,
            new SimpleRecord(NOW, k, v)).buffer()));
        if (m != null)
            m.completeTransitionTo(to);
    }

    /* One: several come in the order of a hash map. */
    static scala.collection.immutable.Set<TopicPartition> partitions() {
        List<TopicPartition> list = new ArrayList<>();
        list.add(new TopicPartition("a", 1));
        return CollectionConverters.asScala(list).toSet();
    }

    static void marker(String name, ControlRecordType type) {
        /* as MemoryRecords.withEndTransactionMarker builds it, at a time of ours */
        print(name + ".batch", bytes(MemoryRecords.withEndTransactionMarker(0L, NOW,
            RecordBatch.NO_PARTITION_LEADER_EPOCH, 1000L, (short) 3, new EndTransactionMarker(type, 5))
            .buffer()));
    }

    public static void main(String[] args) {
        TransactionMetadata m = TransactionMetadata.apply("id", 1000L, (short) -1, 60000, NOW);
        move("empty", m, m.prepareIncrementProducerEpoch(60000, Option.empty(), NOW).toOption().get());
        move("ongoing", m, m.prepareAddPartitions(partitions(), NOW));
        move("prepare-commit", m, m.prepareAbortOrCommit(PrepareCommit$.MODULE$, NOW));
        move("complete-commit", m, m.prepareComplete(NOW));
        move("again", m, m.prepareAddPartitions(partitions(), NOW));
        move("prepare-abort", m, m.prepareAbortOrCommit(PrepareAbort$.MODULE$, NOW));
        move("complete-abort", m, m.prepareComplete(NOW));
        /* as TransactionStateManager.removeExpiredTransactionalIds builds it */
        MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(1024), CompressionType.NONE,
            TimestampType.CREATE_TIME, 0L, 1024);
        b.append(NOW, TransactionLog$.MODULE$.keyToBytes("id"), null, org.apache.kafka.common.record.Record.EMPTY_HEADERS);
        print("tombstone.batch", bytes(b.build().buffer()));
        marker("commit", ControlRecordType.COMMIT);
        marker("abort", ControlRecordType.ABORT);
    }
}
