/*
 * steady.c's twin over Kafka's own Java client: the same arguments, the same logs, the same promises.
 *
 *     Steady produce SERVERS TOPIC PARTITIONS RATE LOG
 *     Steady consume SERVERS TOPIC GROUP LOG
 */
import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Steady {
    private static volatile boolean ending;

    public static void main(String[] args) throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ending = true;
            try {
                never.await();
            } catch (InterruptedException ignored) {
                Thread.currentThread().interrupt();
            }
        }));
        int code = 1;
        try (PrintWriter log = new PrintWriter(args[args.length - 1])) {
            if (args[0].equals("produce")) {
                code = produce(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]), log);
            } else {
                code = consume(args[1], args[2], args[3], log);
            }
        } catch (Throwable why) {
            why.printStackTrace();
        }
        System.err.println(code == 0 ? "ended well" : "ended badly");
        Runtime.getRuntime().halt(code);        // the hook still waits: without it the status would be 143
    }

    private static int produce(String servers, String topic, int partitions, int rate, PrintWriter log)
            throws Exception {
        AtomicLong refused = new AtomicLong();
        Map<String, Object> settings = Map.of("bootstrap.servers", servers, "enable.idempotence", true,
            "acks", "all", "delivery.timeout.ms", Integer.MAX_VALUE, "linger.ms", 20,
            "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class);
        KafkaProducer<String, String> producer = new KafkaProducer<>(settings);
        for (long n = 0; !ending; n++) {
            String text = Long.toString(n);
            producer.send(new ProducerRecord<>(topic, (int) (n % partitions), null, text), (where, why) -> {
                if (why != null) {
                    refused.incrementAndGet();
                    System.err.println("refused " + text + ": " + why);
                } else {
                    log.println(text + " " + where.partition() + " " + where.offset());
                }
            });
            if (n % 10 == 0) {
                log.flush();
            }
            Thread.sleep(1000 / rate);
        }
        producer.flush();
        producer.close(Duration.ofSeconds(60));
        return refused.get() == 0 ? 0 : 1;
    }

    private static int consume(String servers, String topic, String group, PrintWriter log) {
        Map<String, Object> settings = Map.of("bootstrap.servers", servers, "group.id", group,
            "auto.offset.reset", "earliest", "session.timeout.ms", 10000,
            "key.deserializer", StringDeserializer.class, "value.deserializer", StringDeserializer.class);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(topic));
            while (!ending) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                    log.println(r.partition() + " " + r.offset() + " " + r.value());
                }
                log.flush();
            }
        }
        return 0;
    }
}
