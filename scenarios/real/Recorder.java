// Helper of record.sh: what the recording needs from Kafka's own client
// libraries, one subcommand a call. Compiled into the work folder, never kept.
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.charset.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.regex.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.Stat;

public class Recorder {
  public static void main(String[] a) throws Exception {
    switch (a[0]) {
      case "ports": ports(Integer.parseInt(a[1])); break;
      case "dump": dump(zk(a[1]), a[2]); break;
      case "get": System.out.println(new String(zk(a[1]).getData(a[2], false, null), "UTF-8")); break;
      case "wait": await(zk(a[1]), Arrays.asList(a).subList(2, a.length)); break;
      case "create": create(a[1], a[2], Arrays.asList(a).subList(3, a.length)); break;
      case "delete": try (Admin d = admin(a[1])) { d.deleteTopics(List.of(a[2])).all().get(); } break;
      case "reassign": reassign(a[1], Arrays.asList(a).subList(2, a.length)); break;
      case "elect": elect(a[1], Arrays.asList(a).subList(2, a.length)); break;
      case "produce": produce(a[1], Integer.parseInt(a[2]), a[3].equals("-") ? null : a[3], Arrays.asList(a).subList(4, a.length)); break;
      case "consume": consume(a[1], a[2], Arrays.asList(a).subList(3, a.length)); break;
      default: throw new IllegalArgumentException(a[0]);
    }
    System.exit(0);
  }

  static void ports(int n) throws IOException {
    List<ServerSocket> held = new ArrayList<>();
    for (int i = 0; i < n; i++) held.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
    for (ServerSocket s : held) { System.out.println(s.getLocalPort()); s.close(); }
  }

  // ---- ZooKeeper ----

  static ZooKeeper zk(String at) throws Exception {
    for (int i = 0; ; i++) {
      ZooKeeper z = new ZooKeeper(at, 10000, e -> {});
      for (int k = 0; k < 30 && z.getState() != ZooKeeper.States.CONNECTED; k++) Thread.sleep(100);
      if (z.getState() == ZooKeeper.States.CONNECTED) return z;
      z.close();
      if (i == 10) throw new IOException("no ZooKeeper at " + at);
    }
  }

  static List<String> paths(ZooKeeper z) throws Exception {
    List<String> out = new ArrayList<>();
    Deque<String> todo = new ArrayDeque<>(List.of("/"));
    while (!todo.isEmpty()) {
      String p = todo.pop();
      out.add(p);
      for (String c : z.getChildren(p, false)) todo.push(p.equals("/") ? "/" + c : p + "/" + c);
    }
    Collections.sort(out);
    return out;
  }

  static String text(byte[] b) {
    try {
      return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(b)).toString();
    } catch (CharacterCodingException e) { return null; }
  }

  static String quote(String s) {
    StringBuilder b = new StringBuilder("\"");
    for (char c : s.toCharArray()) {
      if (c == '"' || c == '\\') b.append('\\').append(c);
      else if (c < 0x20) b.append(String.format("\\u%04x", (int) c));
      else b.append(c);
    }
    return b.append('"').toString();
  }

  static void dump(ZooKeeper z, String file) throws Exception {
    try (PrintStream o = new PrintStream(file, "UTF-8")) {
      for (String p : paths(z)) {
        Stat s = new Stat();
        byte[] d = z.getData(p, false, s);
        String t = d == null ? null : text(d), data;
        if (d == null) data = "\"data\":null";
        else if (t != null) data = "\"data\":" + quote(t);
        else data = "\"data\":" + quote(Base64.getEncoder().encodeToString(d)) + ",\"base64\":true";
        o.printf("{\"path\":%s,%s,\"stat\":{\"czxid\":%d,\"mzxid\":%d,\"pzxid\":%d,\"ctime\":%d,\"mtime\":%d,\"version\":%d,"
            + "\"cversion\":%d,\"aversion\":%d,\"ephemeralOwner\":%d,\"dataLength\":%d,\"numChildren\":%d}}%n",
            quote(p), data, s.getCzxid(), s.getMzxid(), s.getPzxid(), s.getCtime(), s.getMtime(), s.getVersion(), s.getCversion(),
            s.getAversion(), s.getEphemeralOwner(), s.getDataLength(), s.getNumChildren());
      }
    }
  }

  // wait ZK exists PATH | gone PATH | full | without BROKER, for at most two minutes
  static void await(ZooKeeper z, List<String> cond) throws Exception {
    long end = System.currentTimeMillis() + 120000;
    while (!holds(z, cond)) {
      if (System.currentTimeMillis() > end) throw new IOException("never came: " + cond);
      Thread.sleep(200);
    }
  }

  static boolean holds(ZooKeeper z, List<String> c) throws Exception {
    try {
      switch (c.get(0)) {
        case "exists": return z.exists(c.get(1), false) != null;
        case "gone": return z.exists(c.get(1), false) == null;
        case "full": // every partition's ISR is as large as its assignment
          for (String t : z.getChildren("/brokers/topics", false)) {
            Matcher m = Pattern.compile("\"(\\d+)\":\\[([0-9,]+)\\]").matcher(
                new String(z.getData("/brokers/topics/" + t, false, null), "UTF-8").replaceFirst(",\"adding_replicas\".*", ""));
            while (m.find())
              if (isr(z, t, m.group(1)).size() != m.group(2).split(",").length) return false;
          }
          return true;
        case "without": // no ISR of more than one member names the broker
          for (String t : z.getChildren("/brokers/topics", false))
            for (String p : z.getChildren("/brokers/topics/" + t + "/partitions", false)) {
              List<String> i = isr(z, t, p);
              if (i.size() > 1 && i.contains(c.get(1))) return false;
            }
          return true;
        default: throw new IllegalArgumentException(c.get(0));
      }
    } catch (KeeperException.NoNodeException e) { return false; }
  }

  static List<String> isr(ZooKeeper z, String t, String p) throws Exception {
    String s = new String(z.getData("/brokers/topics/" + t + "/partitions/" + p + "/state", false, null), "UTF-8");
    Matcher m = Pattern.compile("\"isr\":\\[([0-9,]*)\\]").matcher(s);
    m.find();
    return Arrays.asList(m.group(1).split(","));
  }

  // ---- Kafka ----

  static Admin admin(String at) { return Admin.create(Map.of("bootstrap.servers", at, "request.timeout.ms", "20000")); }

  static List<Integer> ids(String s) {
    List<Integer> o = new ArrayList<>();
    for (String x : s.split(",")) o.add(Integer.parseInt(x));
    return o;
  }

  // create AT NAME 0:1,2;1:2,3 key=value...
  static void create(String at, String name, List<String> rest) throws Exception {
    Map<Integer, List<Integer>> m = new HashMap<>();
    Map<String, String> conf = new HashMap<>();
    for (String f : rest.get(0).split(";")) m.put(Integer.parseInt(f.split(":")[0]), ids(f.split(":")[1]));
    for (String kv : rest.subList(1, rest.size())) conf.put(kv.split("=")[0], kv.split("=")[1]);
    try (Admin d = admin(at)) { d.createTopics(List.of(new NewTopic(name, m).configs(conf))).all().get(); }
  }

  // reassign AT topic:0=1,2 topic:1=cancel
  static void reassign(String at, List<String> rest) throws Exception {
    Map<TopicPartition, Optional<NewPartitionReassignment>> m = new HashMap<>();
    for (String f : rest) {
      String[] k = f.split("="), t = k[0].split(":");
      m.put(new TopicPartition(t[0], Integer.parseInt(t[1])),
          k[1].equals("cancel") ? Optional.empty() : Optional.of(new NewPartitionReassignment(ids(k[1]))));
    }
    try (Admin d = admin(at)) { d.alterPartitionReassignments(m).all().get(); }
  }

  static void elect(String at, List<String> rest) throws Exception {
    Set<TopicPartition> s = new HashSet<>();
    for (String f : rest) s.add(new TopicPartition(f.split(":")[0], Integer.parseInt(f.split(":")[1])));
    try (Admin d = admin(at)) { System.out.println(d.electLeaders(ElectionType.PREFERRED, s).partitions().get()); }
  }

  static void produce(String at, int n, String txn, List<String> topics) throws Exception {
    Map<String, Object> c = new HashMap<>(Map.of("bootstrap.servers", at, "acks", "all", "delivery.timeout.ms", "40000", "request.timeout.ms", "10000"));
    if (txn != null) c.put("transactional.id", txn);
    try (Producer<String, String> p = new KafkaProducer<>(c, new StringSerializer(), new StringSerializer())) {
      if (txn != null) { p.initTransactions(); p.beginTransaction(); }
      for (String t : topics) for (int i = 0; i < n; i++) p.send(new ProducerRecord<>(t, "key" + i, "value " + i));
      p.flush();
      if (txn != null) p.commitTransaction();
    }
  }

  static void consume(String at, String group, List<String> topics) throws Exception {
    try (Consumer<String, String> c = new KafkaConsumer<>(Map.of("bootstrap.servers", at, "group.id", group, "auto.offset.reset", "earliest"),
        new StringDeserializer(), new StringDeserializer())) {
      c.subscribe(topics);
      int seen = 0;
      for (int i = 0; i < 20 && seen == 0; i++) seen += c.poll(Duration.ofSeconds(1)).count();
      c.commitSync();
    }
  }
}
