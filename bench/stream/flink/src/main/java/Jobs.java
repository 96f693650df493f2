import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.streaming.api.functions.source.ParallelSourceFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.time.Time;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * The jobs of ../jobs.c on Apache Flink, in this process, at parallelism 1, on the same events (../event.h).
 *
 *     Jobs JOB EVENTS KEYS [reuse] [KEY=VALUE...]        JOB: a b c d f; reuse: objects are
 *
 * Prints what jobs.c prints. Before the run that counts comes one of a third of the events, so that the code is
 * compiled; wall and processor time (of the whole process) are from the source's first event to the sink's end.
 */
public class Jobs {
    static final int WORDS = 4096;
    static final int WORDS_A_LINE = 10;
    static final AtomicLong CHECK = new AtomicLong();
    static volatile double wallBegan;
    static volatile double cpuBegan;
    static volatile double wall;
    static volatile double cpu;

    static long splitmix64(long counter) {
        long z = (counter + 1) * 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** A POJO, so that Flink's own serialiser takes it. */
    public static class Event {
        public long key;
        public long value;
        public long time;

        public Event() {}

        Event(long index, long keys) {
            long z = splitmix64(index);
            key = (z >>> 32) * keys >>> 32;
            value = z & 1023;
            time = index / 1000 - (((z >>> 10) & 0x3FFFFF) * 1000 >>> 22);
        }
    }

    /** Numbers 0 to count - 1, as records. */
    abstract static class Numbers<T> implements ParallelSourceFunction<T> {
        final long count;
        volatile boolean ends;

        Numbers(long count) {
            this.count = count;
        }

        abstract T record(long index);

        @Override
        public void run(SourceContext<T> out) {
            cpuBegan = cpuSeconds();
            wallBegan = System.nanoTime() / 1e9;
            for (long i = 0; i < count && !ends; i++) {
                synchronized (out.getCheckpointLock()) {
                    out.collect(record(i));
                }
            }
        }

        @Override
        public void cancel() {
            ends = true;
        }
    }

    static class Events extends Numbers<Event> {
        final long keys;

        Events(long count, long keys) {
            super(count);
            this.keys = keys;
        }

        @Override
        Event record(long index) {
            return new Event(index, keys);
        }
    }

    static class Lines extends Numbers<String> {
        transient String[] words;

        Lines(long count) {
            super(count);
        }

        void makeWords() {
            words = new String[WORDS];
            for (int w = 0; w < WORDS; w++) {
                long z = splitmix64(w);
                StringBuilder word = new StringBuilder();
                for (int i = 0; i < 3 + Long.remainderUnsigned(z, 6); i++) {
                    word.append((char) ('a' + Long.remainderUnsigned(z >>> (8 + 5 * i), 26)));
                }
                words[w] = word.toString();
            }
        }

        @Override
        String record(long index) {
            if (words == null) {
                makeWords();
            }
            long z = splitmix64(index);
            long y = splitmix64(~index);
            StringBuilder line = new StringBuilder(90);
            for (int i = 0; i < WORDS_A_LINE; i++) {
                line.append(i > 0 ? " " : "");
                line.append(words[(int) ((i < 5 ? z : y) >>> (i % 5 * 12)) & (WORDS - 1)]);
            }
            return line.toString();
        }
    }

    interface Weight<T> extends java.io.Serializable {
        long of(T record);
    }

    /** Adds up what it sees. */
    static class Look<T> extends RichSinkFunction<T> {
        final Weight<T> weight;
        long sum;

        Look(Weight<T> weight) {
            this.weight = weight;
        }

        @Override
        public void invoke(T record, Context context) {
            sum += weight.of(record);
        }

        @Override
        public void close() {
            wall = System.nanoTime() / 1e9 - wallBegan;
            cpu = cpuSeconds() - cpuBegan;
            CHECK.addAndGet(sum);
            sum = 0;
        }
    }

    static class Count implements AggregateFunction<Event, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(Event event, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long a, Long b) {
            return a + b;
        }
    }

    static class WithWindow
            extends ProcessWindowFunction<Long, Tuple3<Long, Long, Long>, Long, TimeWindow> {
        @Override
        public void process(
                Long key, Context c, Iterable<Long> counts, Collector<Tuple3<Long, Long, Long>> out) {
            out.collect(Tuple3.of(key, c.window().getEnd(), counts.iterator().next()));
        }
    }

    static void windows(DataStream<Event> events, WindowAssigner<Object, TimeWindow> windows) {
        SingleOutputStreamOperator<Event> timed =
                events.assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Event>forBoundedOutOfOrderness(
                                        java.time.Duration.ofSeconds(1))
                                .withTimestampAssigner((e, t) -> e.time));
        timed.keyBy(e -> e.key, Types.LONG)
                .window(windows)
                .aggregate(new Count(), new WithWindow())
                .addSink(new Look<>(t -> t.f2 * t.f2 + t.f1));
    }

    static void build(StreamExecutionEnvironment env, char job, long count, long keys) {
        if (job == 'f') {
            FlatMapFunction<String, Tuple2<String, Long>> split =
                    (line, out) -> {
                        for (String word : line.split(" ")) {
                            out.collect(Tuple2.of(word, 1L));
                        }
                    };
            env.addSource(new Lines(count), Types.STRING)
                    .flatMap(split)
                    .returns(Types.TUPLE(Types.STRING, Types.LONG))
                    .keyBy(t -> t.f0, Types.STRING)
                    .sum(1)
                    .addSink(new Look<>(t -> t.f1));
            return;
        }
        DataStream<Event> events = env.addSource(new Events(count, keys), Types.POJO(Event.class));
        if (job == 'a') {
            events.map(
                            e -> {
                                e.value = e.value * 3 + 1;
                                return e;
                            })
                    .returns(Types.POJO(Event.class))
                    .filter(e -> (e.value & 1) == 0)
                    .addSink(new Look<>(e -> e.value));
        } else if (job == 'b') {
            events.keyBy(e -> e.key, Types.LONG).sum("value").addSink(new Look<>(e -> e.value));
        } else if (job == 'c') {
            windows(events, TumblingEventTimeWindows.of(Time.seconds(keys > 100000 ? 5 : 1)));
        } else {
            windows(events, SlidingEventTimeWindows.of(Time.seconds(10), Time.seconds(1)));
        }
    }

    static double cpuSeconds() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                        .getProcessCpuTime() / 1e9;
    }

    public static void main(String[] args) throws Exception {
        Configuration configuration = new Configuration();
        boolean reuse = false;
        for (int i = 3; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            reuse |= args[i].equals("reuse");
            if (pair.length == 2) {
                configuration.setString(pair[0], pair[1]);
            }
        }
        long count = Long.parseLong(args[1]);
        long keys = Long.parseLong(args[2]);
        for (long events : new long[] {count / 3, count}) {
            StreamExecutionEnvironment env =
                    StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
            env.getConfig().disableGenericTypes();
            if (reuse) {
                env.getConfig().enableObjectReuse();
            }
            CHECK.set(0);
            build(env, args[0].charAt(0), events, keys);
            env.execute("bench");
        }
        System.out.printf(
                "%s  job %s  keys %-8d  %8.2f M/s  %7.2f CPU ns/event  check %016x%n",
                reuse ? "reuse" : "flink", args[0], keys, count / wall / 1e6, cpu * 1e9 / count,
                CHECK.get());
        System.exit(0);
    }
}
