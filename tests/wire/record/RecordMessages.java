/*
 * Writes messages as Apache Kafka 2.8.2 writes them: the source of tests/wire/recorded/.
 *
 * For every API of a broker in ZooKeeper mode, both directions and every version, Kafka's own generated
 * class is filled, serialised and read back, and printed with its own JSON converter:
 *
 *     request 3 HEX JSON
 *
 * Which fields a version has, and which of them may be null, comes from the generated schemas, so
 * nothing about a message is written here either. Four variants of each: empty (null where it may
 * be, no elements), full (every field off its default, tagged ones too, one element in each array),
 * and varied twice (drawn, from a fixed seed: up to two elements, extremes, texts that are not
 * ASCII).
 *
 * headers.txt has the headers of every API and version, errors.txt the error codes:
 *
 *     request CreateTopics 5 HEX 19 CORRELATION-ID "CLIENT-ID"
 *     3 UNKNOWN_TOPIC_OR_PARTITION 1 text…
 *
 * A double is printed as the bits it has, for readers without doubles. Not part of the build;
 * record.sh runs it.
 */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.*;
import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.*;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.requests.*;

public class RecordMessages {
    enum Variant { EMPTY, FULL, VARIED, OTHERWISE }

    static final String[] TEXTS = {"", "orders", "t-1", "a\"b\\c", "日本", "naïve\n", "😀", "x".repeat(130)};
    static final long[] NUMBERS = {0, 1, -1, 2, 127, -128, 32767, -32768, Integer.MAX_VALUE, Integer.MIN_VALUE,
                                   Long.MAX_VALUE, Long.MIN_VALUE, 1700000000000L, 300};
    static Random random;
    static Variant variant;
    static int counter; /* makes the values of FULL differ from each other */

    // ---- values ----

    static boolean isVaried() {
        return variant.compareTo(Variant.VARIED) >= 0;
    }

    static long number(int bits) {
        long n = variant == Variant.FULL ? ++counter : NUMBERS[random.nextInt(NUMBERS.length)];
        return bits == 64 ? n : n << 64 - bits >> 64 - bits;
    }

    static String text() {
        return variant == Variant.FULL ? "s" + ++counter : TEXTS[random.nextInt(TEXTS.length)];
    }

    static byte[] bytes() {
        byte[] out = new byte[variant == Variant.FULL ? 1 + ++counter % 3 : random.nextInt(20)];
        for (int i = 0; i < out.length; i++)
            out[i] = (byte) (variant == Variant.FULL ? counter + i : random.nextInt());
        return out;
    }

    static MemoryRecords records() {
        if (isVaried() && random.nextBoolean())
            return MemoryRecords.EMPTY;
        return MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 5L, CompressionType.NONE,
            new SimpleRecord(1700000000000L, "k".getBytes(StandardCharsets.UTF_8), text().getBytes(StandardCharsets.UTF_8)));
    }

    static boolean isNull(Type type) {
        return type.isNullable()
            && (variant == Variant.EMPTY || isVaried() && random.nextInt(4) == 0);
    }

    /* A value of `type` for a setter that takes `java`. */
    static Object value(Type type, java.lang.reflect.Type java) throws Exception {
        if (isNull(type))
            return null;
        if (type.arrayElementType().isPresent())
            return array(type.arrayElementType().get(), java);
        if (type instanceof Schema) {
            Object out = ((Class<?>) java).getConstructor().newInstance();
            fill(out, (Schema) type);
            return out;
        }
        if (java == boolean.class) return variant == Variant.FULL || isVaried() && random.nextBoolean();
        boolean zero = variant == Variant.EMPTY;
        if (java == byte.class) return zero ? (byte) 0 : (byte) number(8);
        if (java == short.class) return zero ? (short) 0 : (short) number(16);
        if (java == int.class) return zero ? 0 : (int) number(32);
        if (java == long.class) return zero ? 0L : number(64);
        if (java == double.class) return zero ? 0.0 : number(32) / 8.0;
        if (java == Uuid.class) return zero ? Uuid.ZERO_UUID : new Uuid(number(64), number(64));
        if (java == String.class) return zero ? "" : text();
        if (java == byte[].class) return zero ? new byte[0] : bytes();
        if (java == ByteBuffer.class) return ByteBuffer.wrap(zero ? new byte[0] : bytes());
        if (java == BaseRecords.class) return zero ? MemoryRecords.EMPTY : records();
        throw new IllegalStateException("no value for " + type + " as " + java);
    }

    @SuppressWarnings("unchecked")
    static Object array(Type element, java.lang.reflect.Type java) throws Exception {
        Collection<Object> out;
        java.lang.reflect.Type of;
        if (java instanceof ParameterizedType) {
            out = new ArrayList<>();
            of = ((ParameterizedType) java).getActualTypeArguments()[0];
        } else { // a collection with map keys
            Class<?> c = (Class<?>) java;
            out = (Collection<Object>) c.getConstructor(int.class).newInstance(4);
            of = ((ParameterizedType) c.getGenericSuperclass()).getActualTypeArguments()[0];
        }
        if (of == Integer.class) of = int.class;
        if (of == Long.class) of = long.class;
        int count = variant == Variant.EMPTY ? 0 : variant == Variant.FULL ? 1 : random.nextInt(3);
        for (int i = 0; i < count; i++)
            out.add(value(element, of));
        return out;
    }

    // ---- messages ----

    static void set(Object message, String snake, Type type) throws Exception {
        StringBuilder name = new StringBuilder("set");
        for (String word : snake.split("_"))
            name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        for (Method m : message.getClass().getMethods())
            if (m.getName().equals(name.toString()) && m.getParameterCount() == 1) {
                m.invoke(message, value(type, m.getGenericParameterTypes()[0]));
                return;
            }
        throw new IllegalStateException(message.getClass() + " has no " + name);
    }

    @SuppressWarnings("unchecked")
    static void fill(Object message, Schema schema) throws Exception {
        for (BoundField b : schema.fields()) {
            if (!(b.def.type instanceof TaggedFields)) {
                set(message, b.def.name, b.def.type);
                continue;
            }
            java.lang.reflect.Field f = TaggedFields.class.getDeclaredField("fields");
            f.setAccessible(true);
            for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> e
                 : ((Map<Integer, org.apache.kafka.common.protocol.types.Field>) f.get(b.def.type)).entrySet())
                if (variant == Variant.FULL || isVaried() && random.nextBoolean())
                    set(message, e.getValue().name, e.getValue().type);
        }
    }

    static JsonNode withoutDoubles(JsonNode node) {
        if (node.isDouble())
            return new TextNode(String.format("0x%016x", Double.doubleToRawLongBits(node.doubleValue())));
        if (node.isObject()) {
            ObjectNode out = new ObjectNode(JsonNodeFactory.instance);
            node.fields().forEachRemaining(e -> out.set(e.getKey(), withoutDoubles(e.getValue())));
            return out;
        }
        if (node.isArray()) {
            ArrayNode out = new ArrayNode(JsonNodeFactory.instance);
            node.forEach(e -> out.add(withoutDoubles(e)));
            return out;
        }
        return node;
    }

    static ByteBuffer bytesOf(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        out.flip();
        return out;
    }

    static String hex(ByteBuffer b) {
        StringBuilder out = new StringBuilder();
        for (int i = b.position(); i < b.limit(); i++)
            out.append(String.format("%02x", b.get(i)));
        return out.length() == 0 ? "-" : out.toString();
    }

    static void record(PrintWriter out, ApiKeys api, boolean request, short version) throws Exception {
        ApiMessageType type = api.messageType;
        Set<String> seen = new HashSet<>();
        for (Variant v : Variant.values()) {
            variant = v;
            counter = 0;
            random = new Random(10000L * api.id + 100 * version + 10 * v.ordinal() + (request ? 1 : 0));
            ApiMessage message = request ? type.newRequest() : type.newResponse();
            fill(message, (request ? type.requestSchemas() : type.responseSchemas())[version]);
            ByteBuffer bytes = bytesOf(message, version);
            ApiMessage again = request ? type.newRequest() : type.newResponse();
            again.read(new ByteBufferAccessor(bytes.duplicate()), version);
            Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
            JsonNode json = (JsonNode) converter.getMethod("write", message.getClass(), short.class, boolean.class)
                .invoke(null, again, version, false);
            String line = (request ? "request " : "response ") + version + " " + hex(bytes) + " " + withoutDoubles(json);
            if (seen.add(line))
                out.print(line + "\n");
        }
    }

    static void recordHeaders(PrintWriter out, ApiKeys api) {
        for (short version : api.allVersions()) {
            String client = version % 3 == 0 ? null : version % 3 == 1 ? "kcsim" : "";
            RequestHeader request = new RequestHeader(api, version, client, 1000 + version);
            out.print(String.format("request %s %d %s %d %d %s\n", api.name, version,
                hex(bytesOf(request.data(), request.headerVersion())), api.id, 1000 + version,
                client == null ? "null" : '"' + client + '"'));
            ResponseHeader response = new ResponseHeader(2000 + version, api.responseHeaderVersion(version));
            out.print(String.format("response %s %d %s %d %d -\n", api.name, version,
                hex(bytesOf(response.data(), response.headerVersion())), api.id, 2000 + version));
        }
    }

    public static void main(String[] args) throws Exception {
        String folder = args[0];
        try (PrintWriter headers = new PrintWriter(folder + "/headers.txt", "UTF-8")) {
            for (ApiKeys api : ApiKeys.apisForListener(ApiMessageType.ListenerType.ZK_BROKER)) {
                recordHeaders(headers, api);
                try (PrintWriter out = new PrintWriter(folder + "/" + api.name + ".txt", "UTF-8")) {
                    for (boolean request : new boolean[] {true, false})
                        for (short version : api.allVersions())
                            record(out, api, request, version);
                }
            }
        }
        try (PrintWriter errors = new PrintWriter(folder + "/errors.txt", "UTF-8")) {
            for (Errors e : Errors.values())
                errors.print(e.code() + " " + e.name() + " " + (e.exception() instanceof RetriableException ? 1 : 0)
                    + " " + (e.exception() == null ? "" : e.exception().getMessage()) + "\n");
        }
    }
}
