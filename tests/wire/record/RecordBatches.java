/*
 * Writes record batches as Apache Kafka 2.8.2 writes them, into recorded/batches.txt:
 *
 *     batch HEX
 *     head BASE-OFFSET LEADER-EPOCH CODEC TIMESTAMP-TYPE TRANSACTIONAL CONTROL LAST-OFFSET MAX-TIMESTAMP
 *          PRODUCER-ID PRODUCER-EPOCH BASE-SEQUENCE COUNT          (one line)
 *     record OFFSET TIMESTAMP KEY VALUE HEADER-COUNT { KEY VALUE } …     texts in hex, "-" empty, "null"
 *
 * With a file as its second argument it reads batches that others wrote, one in hex a line, checks them
 * as a broker does, and prints the same lines: so our batches are judged by Kafka (record.sh).
 */
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;

public class RecordBatches {
    static final long T = 1700000000000L;

    static byte[] b(String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }

    static String hex(ByteBuffer in) {
        if (in == null)
            return "null";
        StringBuilder out = new StringBuilder();
        for (ByteBuffer i = in.duplicate(); i.hasRemaining();)
            out.append(String.format("%02x", i.get()));
        return out.length() == 0 ? "-" : out.toString();
    }

    static void print(PrintWriter out, ByteBuffer bytes) {
        out.print("batch " + hex(bytes) + "\n");
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes).batches()) {
            batch.ensureValid();
            out.print(String.format("head %d %d %s %d %d %d %d %d %d %d %d %d\n", batch.baseOffset(),
                batch.partitionLeaderEpoch(), batch.compressionType().name,
                batch.timestampType() == TimestampType.LOG_APPEND_TIME ? 1 : 0, batch.isTransactional() ? 1 : 0,
                batch.isControlBatch() ? 1 : 0, batch.lastOffset(), batch.maxTimestamp(), batch.producerId(),
                batch.producerEpoch(), batch.baseSequence(), batch.countOrNull()));
            for (org.apache.kafka.common.record.Record r : batch) {
                StringBuilder line = new StringBuilder(String.format("record %d %d %s %s %d", r.offset(),
                    r.timestamp(), hex(r.key()), hex(r.value()), r.headers().length));
                for (Header h : r.headers())
                    line.append(" " + hex(ByteBuffer.wrap(b(h.key()))) + " "
                        + hex(h.value() == null ? null : ByteBuffer.wrap(h.value())));
                out.print(line + "\n");
            }
        }
    }

    static MemoryRecordsBuilder builder(CompressionType codec, TimestampType type, long base, long producer,
                                        boolean transactional) {
        return new MemoryRecordsBuilder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2, codec, type, base,
            T + 99, producer, (short) (producer < 0 ? -1 : 4), producer < 0 ? -1 : 17, transactional, false, 5, 1 << 20);
    }

    static void fill(MemoryRecordsBuilder m, int count) {
        for (int i = 0; i < count; i++) {
            Header[] headers = i % 3 == 0 ? new Header[0]
                : i % 3 == 1 ? new Header[] {new RecordHeader("h", b("v" + i))}
                             : new Header[] {new RecordHeader("", null), new RecordHeader("trace", b(""))};
            String key = i % 4 == 0 ? null : "key-" + i % 5, value = i % 7 == 6 ? null : "value ".repeat(i % 40) + i;
            m.append(T + (i % 2 == 0 ? i * 10 : -i), b(key), b(value), headers);
        }
    }

    static ByteBuffer bytesOf(MemoryRecordsBuilder m) {
        return m.build().buffer();
    }

    static void write(PrintWriter out) {
        for (CompressionType codec : CompressionType.values())
            for (int count : new int[] {1, 3, 60}) {
                boolean producer = count == 3;
                MemoryRecordsBuilder m = builder(codec, TimestampType.CREATE_TIME, count == 60 ? 1000 : 0,
                    producer ? 9000 : -1, producer);
                fill(m, count);
                print(out, bytesOf(m));
            }
        MemoryRecordsBuilder stamped = builder(CompressionType.NONE, TimestampType.LOG_APPEND_TIME, 7, -1, false);
        fill(stamped, 4);
        print(out, bytesOf(stamped));
        for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT})
            print(out, MemoryRecords.withEndTransactionMarker(0L, T, -1, 9000L, (short) 4,
                new EndTransactionMarker(type, 12)).buffer());
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 1) {
            PrintWriter out = new PrintWriter(System.out);
            for (String line : Files.readAllLines(Paths.get(args[1]))) {
                ByteBuffer bytes = ByteBuffer.allocate(line.length() / 2);
                for (int i = 0; i + 1 < line.length(); i += 2)
                    bytes.put((byte) Integer.parseInt(line.substring(i, i + 2), 16));
                bytes.flip();
                print(out, bytes);
            }
            out.flush();
            return;
        }
        try (PrintWriter out = new PrintWriter(args[0] + "/batches.txt", "UTF-8")) {
            write(out);
        }
    }
}
