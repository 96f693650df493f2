/*
 * How long a controller takes on a real ZooKeeper, seen from outside: ours or Apache Kafka's.
 *
 *     attached --zookeeper HOST:PORT --partitions N [--brokers 5] [--label NAME] -- COMMAND…
 *
 * COMMAND is the controller. It runs with BENCH_ZOOKEEPER, BENCH_ID, BENCH_PORT and BENCH_DIR in
 * its environment (bench/controllers/ has one script each), and must run until SIGTERM.
 *
 * The cluster: brokers that only listen (fleet.h), topics of 100 partitions, replication factor 3,
 * every partition led and in sync, written before the controller starts. Then, one after the other:
 *
 *   start     the controller's process begins          every broker has heard of every partition
 *   failover  /controller is deleted (twice)           … and of every partition that it hosts
 *   create    a topic of 1,000 partitions is written   every replica of it has been told
 *   failure   broker 1's session ends                  all that it led or followed has been told
 *   return    broker 1 registers again                 it has heard of every partition that it
 * hosts
 *
 * Each is timed from its cause to the last request that arrives before two seconds of silence. A
 * line of numbers each: label, operation, partitions, seconds, CPU seconds of the controller, its
 * peak MiB, requests, bytes.
 */
#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include "bench/fleet.h"

enum { REPLICAS = 3, PER_TOPIC = 100, CREATED = 1000, ID = 0, GROUP = 64 };

struct options {
    const char *zookeeper, *label;
    int64_t partitions;
    int32_t brokers;
    char **command;
};

struct bench {
    struct options options;
    zhandle_t *zk;
    struct fleet *fleet;
    pid_t controller;
    int64_t hosted[FLEET_MAX + 1]; /* partitions by broker, the created topic included once it is */
    int64_t partitions;
};

static void fail(const char *what)
{
    fprintf(stderr, "attached: %s\n", what);
    exit(70);
}

static void doze(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

/* ---- the cluster in ZooKeeper ---- */

static int32_t replica_of(const struct bench *b, int64_t topic, int32_t partition, int32_t i)
{
    return (int32_t)((topic + partition + i) % b->options.brokers) + 1;
}

struct text {
    char *at;
    size_t used, capacity;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    t->used += (size_t)vsnprintf(t->at + t->used, t->capacity - t->used, format, arguments);
    va_end(arguments);
    assert(t->used < t->capacity);
}

static void say_replicas(const struct bench *b, struct text *t, int64_t topic, int32_t partition)
{
    say(t, "[");
    for (int32_t i = 0; i < REPLICAS; i++)
        say(t, "%s%d", i > 0 ? "," : "", replica_of(b, topic, partition, i));
    say(t, "]");
}

static void topic_znode(const struct bench *b, struct text *t, int64_t topic, int32_t count)
{
    t->used = 0;
    say(t, "{\"version\":3,\"partitions\":{");
    for (int32_t p = 0; p < count; p++) {
        say(t, "%s\"%d\":", p > 0 ? "," : "", p);
        say_replicas(b, t, topic, p);
    }
    say(t, "},\"adding_replicas\":{},\"removing_replicas\":{}}");
}

enum { SEED_OPS = 3 + 2 * PER_TOPIC, PATH = 128 };

struct seed {
    zoo_op_t op[SEED_OPS];
    zoo_op_result_t result[SEED_OPS];
    char path[SEED_OPS][PATH];
    char state[PER_TOPIC][PATH];
    char topic[8192];
};

static void add(struct seed *s, int i, const char *data, int size)
{
    zoo_create_op_init(&s->op[i], s->path[i], data, size, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
}

static void seed_topic(struct bench *b, struct seed *s, int64_t topic, int32_t count)
{
    static const char config[] = "{\"version\":1,\"config\":{}}";
    struct text znode = {.at = s->topic, .capacity = sizeof s->topic};
    int n = 3;

    topic_znode(b, &znode, topic, count);
    snprintf(s->path[0], PATH, "/config/topics/bench-%05" PRId64, topic);
    snprintf(s->path[1], PATH, "/brokers/topics/bench-%05" PRId64, topic);
    snprintf(s->path[2], PATH, "/brokers/topics/bench-%05" PRId64 "/partitions", topic);
    add(s, 0, config, sizeof config - 1);
    add(s, 1, s->topic, (int)znode.used);
    add(s, 2, NULL, -1);
    for (int32_t p = 0; p < count; p++) {
        struct text state = {.at = s->state[p], .capacity = PATH};
        say(&state,
            "{\"controller_epoch\":1,\"leader\":%d,\"version\":1,\"leader_epoch\":0,\"isr\":",
            replica_of(b, topic, p, 0));
        say_replicas(b, &state, topic, p);
        say(&state, "}");
        snprintf(s->path[n], PATH, "%.60s/%d", s->path[2], p);
        add(s, n++, NULL, -1);
        snprintf(s->path[n], PATH, "%.60s/%d/state", s->path[2], p);
        add(s, n++, s->state[p], (int)state.used);
        for (int32_t i = 0; i < REPLICAS; i++)
            b->hosted[replica_of(b, topic, p, i)]++;
    }
    if (zoo_multi(b->zk, n, s->op, s->result) != ZOK)
        fail("could not write the topics");
}

static void make_path(struct bench *b, const char *path)
{
    int err = zoo_create(b->zk, path, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (err != ZOK && err != ZNODEEXISTS)
        fail("could not write to ZooKeeper");
}

static void seed(struct bench *b)
{
    static const char *const paths[] = {"/brokers",
                                        "/brokers/ids",
                                        "/brokers/topics",
                                        "/brokers/seqid",
                                        "/config",
                                        "/config/topics",
                                        "/config/changes",
                                        "/config/brokers",
                                        "/config/clients",
                                        "/config/users",
                                        "/admin",
                                        "/admin/delete_topics",
                                        "/isr_change_notification",
                                        "/log_dir_event_notification",
                                        "/latest_producer_id_block",
                                        "/consumers"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        make_path(b, paths[i]);
    struct seed *s = calloc(1, sizeof *s);
    assert(s != NULL);
    for (int64_t left = b->options.partitions, topic = 0; left > 0; topic++, left -= PER_TOPIC)
        seed_topic(b, s, topic, left < PER_TOPIC ? (int32_t)left : PER_TOPIC);
    free(s);
    b->partitions = b->options.partitions;
}

static void create_topic(struct bench *b)
{
    static const char config[] = "{\"version\":1,\"config\":{}}";
    struct text znode = {.at = malloc(1 << 16), .capacity = 1 << 16};
    assert(znode.at != NULL);
    topic_znode(b, &znode, 0, CREATED);
    if (zoo_create(b->zk, "/config/topics/created", config, sizeof config - 1, &ZOO_OPEN_ACL_UNSAFE,
                   0, NULL, 0) != ZOK ||
        zoo_create(b->zk, "/brokers/topics/created", znode.at, (int)znode.used,
                   &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) != ZOK)
        fail("could not create the topic");
    free(znode.at);
    for (int32_t p = 0; p < CREATED; p++)
        for (int32_t i = 0; i < REPLICAS; i++)
            b->hosted[replica_of(b, 0, p, i)]++;
    b->partitions += CREATED;
}

/* ---- the controller's process ---- */

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        fail("no free port");
    close(fd);
    return ntohs(a.sin_port);
}

static void start_controller(struct bench *b)
{
    char port[16];
    snprintf(port, sizeof port, "%d", free_port());
    b->controller = fork();
    if (b->controller < 0)
        fail("cannot fork");
    if (b->controller > 0)
        return;
    setpgid(0, 0);
    if (close_range(3, ~0U, 0) != 0) /* the brokers' sockets are not the controller's */
        _exit(70);
    setenv("BENCH_ZOOKEEPER", b->options.zookeeper, 1);
    setenv("BENCH_ID", "0", 1);
    setenv("BENCH_PORT", port, 1);
    execvp(b->options.command[0], b->options.command);
    fprintf(stderr, "attached: %s: %s\n", b->options.command[0], strerror(errno));
    _exit(69);
}

static void stop_controller(struct bench *b)
{
    kill(-b->controller, SIGTERM);
    for (int i = 0; i < 100 && waitpid(b->controller, NULL, WNOHANG) == 0; i++)
        doze(0.1);
    kill(-b->controller, SIGKILL);
}

static double cpu_of(pid_t pid)
{
    char path[64], line[1024];
    unsigned long long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        fail("the controller's process has ended");
    fclose(f);
    const char *behind_name = strrchr(line, ')');
    if (behind_name == NULL ||
        sscanf(behind_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
               &system) != 2)
        fail("cannot read /proc");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long peak_mib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib / 1024;
}

/* ---- measuring ---- */

struct heard {
    int64_t requests, bytes;
    double last;
};

static struct heard heard(struct bench *b)
{
    struct heard h = {0};
    for (int32_t id = 1; id <= b->options.brokers; id++) {
        struct fleet_count c = fleet_count_of(b->fleet, id);
        h.requests += c.requests;
        h.bytes += c.bytes;
        h.last = c.last > h.last ? c.last : h.last;
    }
    return h;
}

/* Every broker knows every partition, and was told of those that it hosts. */
static bool all_told(struct bench *b)
{
    for (int32_t id = 1; id <= b->options.brokers; id++) {
        struct fleet_count c = fleet_count_of(b->fleet, id);
        if (c.update_metadata < b->partitions || c.leader_and_isr < b->hosted[id])
            return false;
    }
    return true;
}

static bool created_told(struct bench *b)
{
    int64_t told = 0;
    for (int32_t id = 1; id <= b->options.brokers; id++) {
        struct fleet_count c = fleet_count_of(b->fleet, id);
        if (c.update_metadata < CREATED)
            return false;
        told += c.leader_and_isr;
    }
    return told >= (int64_t)CREATED * REPLICAS;
}

/* Broker 1 is gone: the other replicas of what it hosted have been told. */
static bool failure_told(struct bench *b)
{
    int64_t told = 0;
    for (int32_t id = 2; id <= b->options.brokers; id++)
        told += fleet_count_of(b->fleet, id).leader_and_isr;
    return told >= b->hosted[1] * (REPLICAS - 1);
}

static bool return_told(struct bench *b)
{
    return fleet_count_of(b->fleet, 1).leader_and_isr >= b->hosted[1];
}

static void delete_controller(struct bench *b)
{
    if (zoo_delete(b->zk, "/controller", -1) != ZOK)
        fail("could not delete /controller");
}

static void kill_broker(struct bench *b)
{
    fleet_kill(b->fleet, 1);
}

static void return_broker(struct bench *b)
{
    fleet_start(b->fleet, 1);
}

static void measure(struct bench *b, const char *name, void (*cause)(struct bench *),
                    bool (*is_told)(struct bench *))
{
    enum { PATIENCE_S = 600, SILENCE_S = 2 };
    fleet_reset(b->fleet);
    double cpu = b->controller > 0 ? cpu_of(b->controller) : 0;
    double began = fleet_now();
    cause(b);
    while (!is_told(b) || fleet_now() - heard(b).last < SILENCE_S) {
        if (fleet_now() - began > PATIENCE_S)
            fail("the brokers were not told in ten minutes");
        doze(0.02);
    }
    struct heard h = heard(b);
    printf("%s %s %" PRId64 " %.3f %.2f %ld %" PRId64 " %" PRId64 "\n", b->options.label, name,
           b->options.partitions, h.last - began, cpu_of(b->controller) - cpu,
           peak_mib(b->controller), h.requests, h.bytes);
    fflush(stdout);
}

static void run(struct bench *b)
{
    seed(b);
    for (int32_t id = 1; id <= b->options.brokers; id++)
        fleet_start(b->fleet, id);
    measure(b, "start", start_controller, all_told);
    measure(b, "failover", delete_controller, all_told);
    measure(b, "failover", delete_controller, all_told);
    measure(b, "create", create_topic, created_told);
    measure(b, "failure", kill_broker, failure_told);
    measure(b, "return", return_broker, return_told);
    stop_controller(b);
}

/* ---- options ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'z':
        o->zookeeper = arg;
        return 0;
    case 'n':
        o->partitions = strtoll(arg, NULL, 10);
        return 0;
    case 'b':
        o->brokers = (int32_t)strtol(arg, NULL, 10);
        return 0;
    case 'l':
        o->label = arg;
        return 0;
    case ARGP_KEY_ARGS:
        o->command = state->argv + state->next;
        return 0;
    case ARGP_KEY_END:
        if (o->zookeeper == NULL || o->command == NULL || o->partitions < 1 ||
            o->brokers < REPLICAS || o->brokers > FLEET_MAX)
            argp_error(state, "--zookeeper, --partitions and a command are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"zookeeper", 'z', "HOST:PORT", 0, "an empty ZooKeeper", 0},
        {"partitions", 'n', "N", 0, "in topics of 100", 0},
        {"brokers", 'b', "N", 0, "that only listen (5)", 0},
        {"label", 'l', "NAME", 0, "first column of the output", 0},
        {0}};
    static const struct argp argp = {.options = table,
                                     .parser = parse,
                                     .args_doc = "-- COMMAND...",
                                     .doc = "Times a controller on a real ZooKeeper."};
    struct bench b = {.options = {.label = "controller", .brokers = 5}};

    argp_parse(&argp, argc, argv, 0, NULL, &b.options);
    signal(SIGPIPE, SIG_IGN);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    b.zk = zookeeper_init(b.options.zookeeper, NULL, 30000, NULL, NULL, 0);
    if (b.zk == NULL)
        fail("cannot use this ZooKeeper");
    for (int i = 0; i < 300 && zoo_state(b.zk) != ZOO_CONNECTED_STATE; i++)
        doze(0.1);
    if (zoo_state(b.zk) != ZOO_CONNECTED_STATE)
        fail("ZooKeeper does not answer");
    b.fleet = fleet_new(b.options.zookeeper, b.options.brokers);
    run(&b);
    fleet_free(b.fleet);
    zookeeper_close(b.zk);
    return 0;
}
