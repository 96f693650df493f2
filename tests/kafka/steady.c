/*
 * A steady producer or consumer over librdkafka, whose records are numbers.
 *
 *     steady produce SERVERS TOPIC PARTITIONS RATE LOG    one line "number partition offset" for
 * each record that was acknowledged steady consume SERVERS TOPIC GROUP LOG              one line
 * "partition offset number" for each record that was read
 *
 * The producer is idempotent with acks=all and never gives a record up; number n goes to partition
 * n % PARTITIONS, so that numbers of one partition must be found in order. SIGTERM ends both: the
 * producer then waits for what is under way and exits with 0 only if every record was acknowledged.
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t ending;
static FILE *out;
static long long refused;

static void on_signal(int number)
{
    (void)number;
    ending = 1;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "steady: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        fail(key, why);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err) {
        refused++;
        fprintf(stderr, "refused %.*s: %s\n", (int)m->len, (char *)m->payload,
                rd_kafka_err2str(m->err));
        return;
    }
    fprintf(out, "%.*s %d %lld\n", (int)m->len, (char *)m->payload, (int)m->partition,
            (long long)m->offset);
}

/* A fatal error is one that idempotence cannot survive: the round must know. */
static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    (void)opaque;
    fprintf(stderr, "error %s: %s\n", rd_kafka_err2name((rd_kafka_resp_err_t)err), reason);
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        char why[256];
        rd_kafka_fatal_error(rk, why, sizeof why);
        fail("fatal", why);
    }
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[256];
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (rk == NULL)
        fail("client", why);
    return rk;
}

static int produce(const char *topic, int partitions, int rate, rd_kafka_conf_t *conf)
{
    set(conf, "enable.idempotence", "true");
    set(conf, "acks", "all");
    /* Until 2.3.0 librdkafka takes a request for persisted whose broker died, and gives up when a
       new leader that has not begun refuses it and then hears the one sent behind it (#4438). */
    set(conf, "max.in.flight", "1");
    set(conf, "message.timeout.ms", "0");
    set(conf, "linger.ms", "20");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf);
    for (long long number = 0; !ending; number++) {
        char text[32];
        int size = snprintf(text, sizeof text, "%lld", number);
        rd_kafka_resp_err_t err;
        do {
            err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
                                    RD_KAFKA_V_PARTITION((int32_t)(number % partitions)),
                                    RD_KAFKA_V_VALUE(text, (size_t)size),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
            rd_kafka_poll(rk, err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 100 : 0);
        } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && !ending);
        if (err && err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            fail("produce", rd_kafka_err2str(err));
        struct timespec pause = {.tv_nsec = 1000000000L / rate};
        nanosleep(&pause, NULL);
        if (number % 10 == 0)
            fflush(out);
    }
    rd_kafka_flush(rk, 120 * 1000);
    int left = rd_kafka_outq_len(rk);
    fflush(out);
    fprintf(stderr, "ended: %lld refused, %d not acknowledged\n", refused, left);
    rd_kafka_destroy(rk);
    return refused > 0 || left > 0;
}

static int consume(const char *topic, const char *group, rd_kafka_conf_t *conf)
{
    set(conf, "group.id", group);
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "session.timeout.ms", "10000");
    set(conf, "topic.metadata.refresh.interval.ms", "5000");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    while (!ending) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 200);
        if (m == NULL) {
            fflush(out);
            continue;
        }
        if (m->err)
            fprintf(stderr, "error %s\n", rd_kafka_message_errstr(m));
        else
            fprintf(out, "%d %lld %.*s\n", (int)m->partition, (long long)m->offset, (int)m->len,
                    (char *)m->payload);
        rd_kafka_message_destroy(m);
    }
    fflush(out);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

int main(int argc, char **argv)
{
    bool produces = argc == 7 && strcmp(argv[1], "produce") == 0;
    bool consumes = argc == 6 && strcmp(argv[1], "consume") == 0;
    if (!produces && !consumes) {
        fprintf(stderr, "usage: steady produce SERVERS TOPIC PARTITIONS RATE LOG\n"
                        "       steady consume SERVERS TOPIC GROUP LOG\n");
        return 64;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    out = fopen(argv[argc - 1], "w");
    if (out == NULL)
        fail(argv[argc - 1], "cannot be written");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[2]);
    int code = produces ? produce(argv[3], atoi(argv[4]), atoi(argv[5]), conf)
                        : consume(argv[3], argv[4], conf);
    fclose(out);
    return code;
}
