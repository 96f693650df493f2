/*
 * Numbers as tables: a row a gauge, a row a state of the controller. Text is made by the loop,
 * copied by the server's thread.
 */
#define _GNU_SOURCE
#include "live/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/process_state.h"
#include "sim/allocate.h"

enum { STATES = 18, BUCKETS = 128 };

/* Buckets of times in µs: four to a doubling. */
struct times {
    uint64_t bucket[BUCKETS];
    uint64_t count, sum_us;
};

struct live_metrics {
    int32_t id;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    char *text; /* under the lock */
    size_t size;
    struct times of_state[STATES], queue, zookeeper;
    int64_t event_since_us;
    int32_t event_state;
};

/* ---- times ---- */

static int bucket_of(int64_t us)
{
    if (us < 4)
        return us < 0 ? 0 : (int)us;
    int log2 = 63 - __builtin_clzll((unsigned long long)us);
    int at = (log2 - 1) * 4 + (int)(us >> (log2 - 2) & 3);
    return at < BUCKETS ? at : BUCKETS - 1;
}

/* The least time above a bucket, µs. */
static double bucket_end(int at)
{
    if (at < 4)
        return at + 1;
    int log2 = at / 4 + 1;
    return (double)((uint64_t)(4 + at % 4 + 1) << (log2 - 2));
}

static void add_time(struct times *t, int64_t us)
{
    t->bucket[bucket_of(us)]++;
    t->count++;
    t->sum_us += us > 0 ? (uint64_t)us : 0;
}

static double quantile_ms(const struct times *t, double q)
{
    uint64_t seen = 0, wanted = (uint64_t)(q * (double)t->count + 0.5);
    for (int i = 0; i < BUCKETS; i++) {
        seen += t->bucket[i];
        if (seen > 0 && seen >= wanted)
            return bucket_end(i) / 1000;
    }
    return 0;
}

void live_metrics_event(struct live_metrics *m, int64_t now_us, const struct kc_output *o)
{
    if (m == NULL)
        return;
    if (o->what == KC_QUEUE_START) {
        add_time(&m->queue, o->waited_us);
        m->event_since_us = now_us;
        m->event_state = o->value;
    } else if (o->what == KC_QUEUE_DONE && m->event_state > 0 && m->event_state < STATES) {
        add_time(&m->of_state[m->event_state], now_us - m->event_since_us);
        m->event_state = 0;
    }
}

void live_metrics_zk_reply(struct live_metrics *m, int64_t latency_us)
{
    if (m != NULL)
        add_time(&m->zookeeper, latency_us);
}

/* ---- text ---- */

#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        name, help, offsetof(struct kc_metrics, field)                                             \
    }
static const struct {
    const char *name, *help;
    size_t offset; /* of an int32 in struct kc_metrics */
} gauges[] = {
    GAUGE(active_controller_count, "activecontrollercount", "1 where this is the controller"),
    GAUGE(offline_partitions_count, "offlinepartitionscount", "partitions without a live leader"),
    GAUGE(preferred_replica_imbalance_count, "preferredreplicaimbalancecount",
          "partitions whose leader is not the preferred replica"),
    GAUGE(controller_state, "controllerstate", "ControllerState of the event in work, 0 idle"),
    GAUGE(global_topic_count, "globaltopiccount", "topics"),
    GAUGE(global_partition_count, "globalpartitioncount", "partitions"),
    GAUGE(topics_to_delete_count, "topicstodeletecount", "topics that are to be deleted"),
    GAUGE(replicas_to_delete_count, "replicastodeletecount", "replicas that are to be deleted"),
    GAUGE(topics_ineligible_to_delete_count, "topicsineligibletodeletecount",
          "topics whose deletion waits"),
    GAUGE(replicas_ineligible_to_delete_count, "replicasineligibletodeletecount",
          "replicas whose deletion waits"),
    GAUGE(active_broker_count, "activebrokercount", "brokers that are alive"),
};

static const struct {
    int32_t state;
    const char *name, *help;
} states[] = {
    {1, "controllerchange", "becoming controller"},
    {2, "leaderelection", "broker changes, elections among them"},
    {3, "topicchange", "topic changes"},
    {4, "topicdeletion", "topic deletions"},
    {5, "partitionreassignment", "partition reassignments"},
    {6, "autoleaderbalance", "automatic leader balancing"},
    {7, "manualleaderbalance", "elections on demand"},
    {8, "controlledshutdown", "controlled shutdowns"},
    {9, "isrchange", "ISR change notifications"},
    {10, "leaderandisrresponsereceived", "answers to LeaderAndIsr"},
    {11, "logdirchange", "log directory failures"},
    {12, "controllershutdown", "shutting down"},
    {13, "uncleanleaderelectionenable", "unclean elections enabled for all"},
    {14, "topicuncleanleaderelectionenable", "unclean elections enabled for a topic"},
    {15, "listpartitionreassignment", "listing reassignments"},
};

static void say(FILE *out, const char *name, const char *type, const char *help, int64_t value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name, help, name, type, name,
            value);
}

static void say_times(FILE *out, const char *name, const char *help, const struct times *t)
{
    static const double quantiles[] = {0.5, 0.75, 0.95, 0.98, 0.99, 0.999};
    fprintf(out, "# HELP %s %s, milliseconds\n# TYPE %s summary\n", name, help, name);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        fprintf(out, "%s{quantile=\"%g\"} %g\n", name, quantiles[i], quantile_ms(t, quantiles[i]));
    fprintf(out, "%s_sum %g\n%s_count %" PRIu64 "\n", name, (double)t->sum_us / 1000, name,
            t->count);
}

static void say_controller(FILE *out, const struct live_metrics *m, const struct live_process *p)
{
    char name[128];
    struct kc_metrics k = kc_controller_metrics(p->node.controller);
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        int32_t value;
        memcpy(&value, (const char *)&k + gauges[i].offset, sizeof value);
        snprintf(name, sizeof name, "kafka_controller_kafkacontroller_%s", gauges[i].name);
        say(out, name, "gauge", gauges[i].help, value);
    }
    say(out, "kafka_controller_controllereventmanager_eventqueuesize", "gauge", "events waiting",
        k.event_queue_size);
    say_times(out, "kafka_controller_controllereventmanager_eventqueuetimems",
              "time that events waited", &m->queue);
    say(out, "kafka_controller_controllerstats_uncleanleaderelections_total", "counter",
        "unclean elections", k.unclean_leader_elections);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        snprintf(name, sizeof name, "kafka_controller_controllerstats_%srateandtimems",
                 states[i].name);
        say_times(out, name, states[i].help, &m->of_state[states[i].state]);
    }
}

static void say_senders(FILE *out, const struct live_process *p)
{
    static const char name[] = "kafka_controller_controllerchannelmanager_queuesize";
    const struct kc_controller *c = p->node.controller;
    uint32_t waiting = 0;
    int64_t total = 0;
    fprintf(out, "# HELP %s requests that wait for a broker\n# TYPE %s gauge\n", name, name);
    for (int32_t id = kc_sender_next(c, -1, &waiting); id >= 0;
         id = kc_sender_next(c, id, &waiting)) {
        fprintf(out, "%s{broker_id=\"%d\"} %u\n", name, id, waiting);
        total += waiting;
    }
    say(out, "kafka_controller_controllerchannelmanager_totalqueuesize", "gauge",
        "requests that wait for brokers", total);
}

static void say_zookeeper(FILE *out, const struct live_metrics *m, const struct live_process *p)
{
    struct live_zookeeper_counters z = live_zookeeper_counters(p->zookeeper);
    const struct {
        const char *name, *help;
        uint64_t value;
    } all[] = {
        {"disconnects", "connections lost", z.disconnects},
        {"syncconnects", "connections made", z.sync_connects},
        {"expires", "sessions expired", z.expires},
        {"authfailures", "authentications failed", z.auth_failures},
        {"readonlyconnects", "connections to read-only servers", z.read_only_connects},
    };
    char name[128];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        snprintf(name, sizeof name, "kafka_server_sessionexpirelistener_zookeeper%s_total",
                 all[i].name);
        say(out, name, "counter", all[i].help, (int64_t)all[i].value);
    }
    say_times(out, "kafka_server_zookeeperclientmetrics_zookeeperrequestlatencyms",
              "time from a request to its reply", &m->zookeeper);
}

static int64_t resident_bytes(void)
{
    long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    if (in == NULL)
        return 0;
    if (fscanf(in, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(in);
    return pages * sysconf(_SC_PAGESIZE);
}

static void say_process(FILE *out, const struct live_process *p)
{
    say(out, "kafka_server_socketserver_connections", "gauge", "connections of clients",
        live_listener_connections(p->listener));
    say(out, "kcsim_channel_waiting_bytes", "gauge", "bytes that wait to be written to brokers",
        (int64_t)live_channels_waiting_bytes(p->channels));
    say(out, "process_resident_memory_bytes", "gauge", "resident memory", resident_bytes());
    say(out, "process_start_time_seconds", "gauge", "start, seconds since 1970",
        p->start_us / 1000000);
}

void live_metrics_take(struct live_metrics *m, const struct live_process *p)
{
    char *text = NULL;
    size_t size = 0;
    if (m == NULL || p->is_ending || p->node.controller == NULL)
        return;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return;
    say_controller(out, m, p);
    say_senders(out, p);
    say_zookeeper(out, m, p);
    say_process(out, p);
    if (fclose(out) != 0) {
        free(text);
        return;
    }
    pthread_mutex_lock(&m->lock);
    char *old = m->text;
    m->text = text;
    m->size = size;
    pthread_mutex_unlock(&m->lock);
    free(old);
}

/* ---- HTTP: everything below runs on the server's thread ---- */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             char *text, size_t size)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result queued = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    struct live_metrics *m = context;
    (void)version;
    (void)data;
    (void)data_size;
    (void)state;
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool is_known = strcmp(url, "/metrics") == 0 || strcmp(url, "/") == 0;
    if (!is_get || !is_known) {
        static const char lost[] = "metrics are at /metrics\n";
        return reply(connection, is_get ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED,
                     "text/plain", sim_copy(lost, sizeof lost - 1), sizeof lost - 1);
    }
    pthread_mutex_lock(&m->lock);
    size_t size = m->size;
    char *text = sim_copy(m->text, size);
    pthread_mutex_unlock(&m->lock);
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

/* ---- opening ---- */

static struct MHD_Daemon *serve(struct live_metrics *m, const struct live_address *address)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[16];
    snprintf(port, sizeof port, "%d", address->port);
    if (getaddrinfo(address->host, port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return NULL;
    }
    unsigned flags =
        MHD_USE_INTERNAL_POLLING_THREAD | (found->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, (uint16_t)address->port, NULL, NULL, on_request, m,
                         MHD_OPTION_SOCK_ADDR, found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, 64u,
                         MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_END);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return daemon;
}

struct live_metrics *live_metrics_open(const char *address, int32_t id)
{
    struct live_address at;
    if (address == NULL)
        return NULL;
    if (!live_address_parse(address, &at)) {
        errno = EINVAL;
        return NULL;
    }
    struct live_metrics *m = sim_alloc(sizeof *m);
    m->id = id;
    pthread_mutex_init(&m->lock, NULL);
    m->daemon = serve(m, &at);
    if (m->daemon != NULL)
        return m;
    int error = errno;
    pthread_mutex_destroy(&m->lock);
    free(m);
    errno = error;
    return NULL;
}

void live_metrics_close(struct live_metrics *m)
{
    if (m == NULL)
        return;
    MHD_stop_daemon(m->daemon);
    pthread_mutex_destroy(&m->lock);
    free(m->text);
    free(m);
}
