/*
 * librdkafka's configuration keys, and how a value is read.
 *
 * Modelled keys come first, then those that librdkafka 2.0 knows and this simulator does not use,
 * in the order of its own list. Keys that stand twice there (as an alias, or for a topic) are rows
 * of their own.
 */
#include "sim/client_properties.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const sim_isolation_words[] = {"read_uncommitted", "read_committed", NULL};
const char *const sim_reset_words[] = {"earliest", "latest",  "none", /* Kafka's */
                                       "smallest", "largest", "error", "beginning", "end", NULL};
const char *const sim_assignor_words[] = {"range", "roundrobin", "cooperative-sticky", NULL};
enum { RESETS = 3 }; /* kinds; further words mean the same, in this order */

/* name, for whom, type, field, least, most */
#define NUMBERS(X)                                                                                 \
    X("max.in.flight.requests.per.connection", ANY, INT, max_in_flight, 1, 1000000)                \
    X("max.in.flight", ANY, INT, max_in_flight, 1, 1000000)                                        \
    X("topic.metadata.refresh.interval.ms", ANY, MS, topic_metadata_refresh_interval_ms, -1,       \
      3600000)                                                                                     \
    X("topic.metadata.refresh.fast.interval.ms", ANY, MS, topic_metadata_refresh_fast_interval_ms, \
      1, 60000)                                                                                    \
    X("socket.timeout.ms", ANY, MS, socket_timeout_ms, 10, 300000)                                 \
    X("reconnect.backoff.ms", ANY, MS, reconnect_backoff_ms, 0, 3600000)                           \
    X("reconnect.backoff.max.ms", ANY, MS, reconnect_backoff_max_ms, 0, 3600000)                   \
    X("transaction.timeout.ms", PRODUCER, MS, transaction_timeout_ms, 1000, INT32_MAX)             \
    X("enable.idempotence", PRODUCER, BOOL, enable_idempotence, 0, 1)                              \
    X("linger.ms", PRODUCER, MS, linger_ms, 0, 900000)                                             \
    X("queue.buffering.max.ms", PRODUCER, MS, linger_ms, 0, 900000)                                \
    X("retries", PRODUCER, INT, retries, 0, INT32_MAX)                                             \
    X("message.send.max.retries", PRODUCER, INT, retries, 0, INT32_MAX)                            \
    X("retry.backoff.ms", PRODUCER, MS, retry_backoff_ms, 1, 300000)                               \
    X("batch.num.messages", PRODUCER, INT, batch_num_messages, 1, 1000000)                         \
    X("batch.size", PRODUCER, INT, batch_size, 1, INT32_MAX)                                       \
    X("acks", PRODUCER, ACKS, acks, -1, 1000)                                                      \
    X("request.required.acks", PRODUCER, ACKS, acks, -1, 1000)                                     \
    X("request.timeout.ms", PRODUCER, MS, request_timeout_ms, 1, 900000)                           \
    X("message.timeout.ms", PRODUCER, MS, message_timeout_ms, 0, INT32_MAX)                        \
    X("delivery.timeout.ms", PRODUCER, MS, message_timeout_ms, 0, INT32_MAX)                       \
    X("session.timeout.ms", CONSUMER, MS, session_timeout_ms, 1, 3600000)                          \
    X("heartbeat.interval.ms", CONSUMER, MS, heartbeat_interval_ms, 1, 3600000)                    \
    X("max.poll.interval.ms", CONSUMER, MS, max_poll_interval_ms, 1, 86400000)                     \
    X("enable.auto.commit", CONSUMER, BOOL, enable_auto_commit, 0, 1)                              \
    X("auto.commit.enable", CONSUMER, BOOL, enable_auto_commit, 0, 1)                              \
    X("auto.commit.interval.ms", CONSUMER, MS, auto_commit_interval_ms, 0, 86400000)               \
    X("fetch.wait.max.ms", CONSUMER, MS, fetch_wait_max_ms, 0, 300000)                             \
    X("fetch.message.max.bytes", CONSUMER, INT, partition_fetch_bytes, 1, 1000000000)              \
    X("max.partition.fetch.bytes", CONSUMER, INT, partition_fetch_bytes, 1, 1000000000)            \
    X("fetch.max.bytes", CONSUMER, INT, fetch_max_bytes, 0, 2147483135)                            \
    X("fetch.error.backoff.ms", CONSUMER, MS, fetch_error_backoff_ms, 0, 300000)                   \
    X("fetch.min.bytes", CONSUMER, INT, fetch_min_bytes, 1, 100000000)

/* name, for whom, type, field, words, key of the client that says it */
#define WORDS(X)                                                                                   \
    X("client.id", ANY, TEXT, client_id, NULL, NULL)                                               \
    X("transactional.id", PRODUCER, TEXT, transactional_id, NULL, "transactional-id")              \
    X("group.id", CONSUMER, TEXT, group_id, NULL, "group")                                         \
    X("group.instance.id", CONSUMER, TEXT, group_instance_id, NULL, "static")                      \
    X("isolation.level", CONSUMER, WORD, isolation, sim_isolation_words, NULL)                     \
    X("auto.offset.reset", CONSUMER, WORD, auto_offset_reset, sim_reset_words, NULL)               \
    X("partition.assignment.strategy", CONSUMER, WORD, assignor, sim_assignor_words, NULL)

#define REAL(X)                                                                                    \
    X("builtin.features", ANY)                                                                     \
    X("metadata.broker.list", ANY)                                                                 \
    X("bootstrap.servers", ANY)                                                                    \
    X("message.max.bytes", ANY)                                                                    \
    X("message.copy.max.bytes", ANY)                                                               \
    X("receive.message.max.bytes", ANY)                                                            \
    X("metadata.max.age.ms", ANY)                                                                  \
    X("topic.metadata.refresh.fast.cnt", ANY)                                                      \
    X("topic.metadata.refresh.sparse", ANY)                                                        \
    X("topic.metadata.propagation.max.ms", ANY)                                                    \
    X("topic.blacklist", ANY)                                                                      \
    X("debug", ANY)                                                                                \
    X("socket.blocking.max.ms", ANY)                                                               \
    X("socket.send.buffer.bytes", ANY)                                                             \
    X("socket.receive.buffer.bytes", ANY)                                                          \
    X("socket.keepalive.enable", ANY)                                                              \
    X("socket.nagle.disable", ANY)                                                                 \
    X("socket.max.fails", ANY)                                                                     \
    X("broker.address.ttl", ANY)                                                                   \
    X("broker.address.family", ANY)                                                                \
    X("socket.connection.setup.timeout.ms", ANY)                                                   \
    X("connections.max.idle.ms", ANY)                                                              \
    X("reconnect.backoff.jitter.ms", ANY)                                                          \
    X("statistics.interval.ms", ANY)                                                               \
    X("log_level", ANY)                                                                            \
    X("log.queue", ANY)                                                                            \
    X("log.thread.name", ANY)                                                                      \
    X("enable.random.seed", ANY)                                                                   \
    X("log.connection.close", ANY)                                                                 \
    X("internal.termination.signal", ANY)                                                          \
    X("api.version.request", ANY)                                                                  \
    X("api.version.request.timeout.ms", ANY)                                                       \
    X("api.version.fallback.ms", ANY)                                                              \
    X("broker.version.fallback", ANY)                                                              \
    X("allow.auto.create.topics", ANY)                                                             \
    X("security.protocol", ANY)                                                                    \
    X("ssl.cipher.suites", ANY)                                                                    \
    X("ssl.curves.list", ANY)                                                                      \
    X("ssl.sigalgs.list", ANY)                                                                     \
    X("ssl.key.location", ANY)                                                                     \
    X("ssl.key.password", ANY)                                                                     \
    X("ssl.key.pem", ANY)                                                                          \
    X("ssl_key", ANY)                                                                              \
    X("ssl.certificate.location", ANY)                                                             \
    X("ssl.certificate.pem", ANY)                                                                  \
    X("ssl_certificate", ANY)                                                                      \
    X("ssl.ca.location", ANY)                                                                      \
    X("ssl.ca.pem", ANY)                                                                           \
    X("ssl_ca", ANY)                                                                               \
    X("ssl.ca.certificate.stores", ANY)                                                            \
    X("ssl.crl.location", ANY)                                                                     \
    X("ssl.keystore.location", ANY)                                                                \
    X("ssl.keystore.password", ANY)                                                                \
    X("ssl.providers", ANY)                                                                        \
    X("ssl.engine.location", ANY)                                                                  \
    X("ssl.engine.id", ANY)                                                                        \
    X("ssl_engine_callback_data", ANY)                                                             \
    X("enable.ssl.certificate.verification", ANY)                                                  \
    X("ssl.endpoint.identification.algorithm", ANY)                                                \
    X("sasl.mechanisms", ANY)                                                                      \
    X("sasl.mechanism", ANY)                                                                       \
    X("sasl.kerberos.service.name", ANY)                                                           \
    X("sasl.kerberos.principal", ANY)                                                              \
    X("sasl.kerberos.kinit.cmd", ANY)                                                              \
    X("sasl.kerberos.keytab", ANY)                                                                 \
    X("sasl.kerberos.min.time.before.relogin", ANY)                                                \
    X("sasl.username", ANY)                                                                        \
    X("sasl.password", ANY)                                                                        \
    X("sasl.oauthbearer.config", ANY)                                                              \
    X("enable.sasl.oauthbearer.unsecure.jwt", ANY)                                                 \
    X("sasl.oauthbearer.method", ANY)                                                              \
    X("sasl.oauthbearer.client.id", ANY)                                                           \
    X("sasl.oauthbearer.client.secret", ANY)                                                       \
    X("sasl.oauthbearer.scope", ANY)                                                               \
    X("sasl.oauthbearer.extensions", ANY)                                                          \
    X("sasl.oauthbearer.token.endpoint.url", ANY)                                                  \
    X("plugin.library.paths", ANY)                                                                 \
    X("group.protocol.type", CONSUMER)                                                             \
    X("coordinator.query.interval.ms", CONSUMER)                                                   \
    X("enable.auto.offset.store", CONSUMER)                                                        \
    X("queued.min.messages", CONSUMER)                                                             \
    X("queued.max.messages.kbytes", CONSUMER)                                                      \
    X("offset.store.method", CONSUMER)                                                             \
    X("enable.partition.eof", CONSUMER)                                                            \
    X("check.crcs", CONSUMER)                                                                      \
    X("client.rack", ANY)                                                                          \
    X("enable.gapless.guarantee", PRODUCER)                                                        \
    X("queue.buffering.max.messages", PRODUCER)                                                    \
    X("queue.buffering.max.kbytes", PRODUCER)                                                      \
    X("queue.buffering.backpressure.threshold", PRODUCER)                                          \
    X("compression.codec", PRODUCER)                                                               \
    X("compression.type", PRODUCER)                                                                \
    X("delivery.report.only.error", PRODUCER)                                                      \
    X("sticky.partitioning.linger.ms", PRODUCER)                                                   \
    X("queuing.strategy", PRODUCER)                                                                \
    X("produce.offset.report", PRODUCER)                                                           \
    X("partitioner", PRODUCER)                                                                     \
    X("msg_order_cmp", PRODUCER)                                                                   \
    X("compression.level", PRODUCER)                                                               \
    X("offset.store.path", CONSUMER)                                                               \
    X("offset.store.sync.interval.ms", CONSUMER)                                                   \
    X("consume.callback.max.messages", CONSUMER)

/* clang-format off */
const struct sim_client_property sim_client_properties[] = {
#define X(name, owner, type, field, least, most)                                                   \
    {name, SIM_CP_##type, SIM_CP_##owner, offsetof(struct kl_config, field), least, most, NULL, NULL},
    NUMBERS(X)
#undef X
#define X(name, owner, type, field, words, instead)                                                \
    {name, SIM_CP_##type, SIM_CP_##owner, offsetof(struct kl_config, field), 0, 0, words, instead},
    WORDS(X)
#undef X
#define X(name, owner) {name, SIM_CP_IGNORED, SIM_CP_##owner, 0, 0, 0, NULL, NULL},
    REAL(X)
#undef X
    {NULL, SIM_CP_IGNORED, SIM_CP_ANY, 0, 0, 0, NULL, NULL},
};

#define NAME_OF(name, ...) name,
const char *const sim_client_property_names[] = {NUMBERS(NAME_OF) WORDS(NAME_OF) REAL(NAME_OF) NULL};
/* clang-format on */

/* ---- values ---- */

enum kl_reset sim_reset_of_word(uint32_t index)
{
    return (enum kl_reset)(index < 2 * RESETS ? index % RESETS : index - 2 * RESETS);
}

static bool read_number(const struct sim_client_property *row, const char *value,
                        struct sim_place place, struct sim_diagnostics *d, int32_t *out)
{
    char *end;
    errno = 0;
    int64_t number = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0) {
        sim_error(d, place, "%s is a whole number%s, not '%s'", row->name,
                  row->type == SIM_CP_MS ? " of milliseconds" : "", value);
        if (row->type == SIM_CP_MS) {
            sim_note(d, "properties carry their unit in the name: write 6000 for 6 s");
        }
        return false;
    }
    if (number < row->least || number > row->most) {
        return sim_error(d, place, "%s is %s; it may be %" PRId64 " to %" PRId64, row->name, value,
                         row->least, row->most);
    }
    *out = (int32_t)number;
    return true;
}

/* 0, 1, -1 or all. Differs: librdkafka passes other numbers on, which brokers refuse since 0.9. */
static bool read_acks(const char *value, struct sim_place place, struct sim_diagnostics *d,
                      int32_t *out)
{
    static const struct {
        const char *word;
        int32_t acks;
    } words[] = {{"0", 0}, {"1", 1}, {"-1", -1}, {"all", -1}};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, value) == 0) {
            *out = words[i].acks;
            return true;
        }
    }
    return sim_error(d, place, "acks is 0, 1 or all (-1), not '%s'", value);
}

static bool read_bool(const struct sim_client_property *row, const char *value,
                      struct sim_place place, struct sim_diagnostics *d, int32_t *out)
{
    *out = strcmp(value, "true") == 0;
    return *out != 0 || strcmp(value, "false") == 0 ||
           sim_error(d, place, "%s is true or false, not '%s'", row->name, value);
}

static bool read_word(const struct sim_client_property *row, const char *value,
                      struct sim_place place, struct sim_diagnostics *d, uint32_t *out)
{
    for (uint32_t i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], value) == 0) {
            *out = row->words == sim_reset_words ? sim_reset_of_word(i) : i;
            return true;
        }
    }
    sim_error(d, place, "unknown %s '%s'", row->name, value);
    sim_suggest(d, value, row->words);
    return false;
}

static const struct sim_client_property *find(const char *name)
{
    for (const struct sim_client_property *row = sim_client_properties; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Returns whether the property is there for this kind of client, and means something. */
static bool is_of_use(const struct sim_client_property *row, const struct kl_config *config,
                      struct sim_place place, struct sim_diagnostics *d)
{
    bool wrong = (row->owner == SIM_CP_PRODUCER && config->kind != KL_PRODUCER) ||
                 (row->owner == SIM_CP_CONSUMER && config->kind != KL_CONSUMER);
    if (wrong) {
        sim_warning(d, place, "%s is for %s; it has no effect on this client", row->name,
                    row->owner == SIM_CP_PRODUCER ? "producers" : "consumers");
    } else if (row->type == SIM_CP_IGNORED) {
        sim_warning(d, place, "%s is not modelled; it has no effect here", row->name);
    }
    return !wrong && row->type != SIM_CP_IGNORED;
}

bool sim_client_property_set(struct kl_config *config, const char *name,
                             struct sim_place name_place, const char *value,
                             struct sim_place value_place, struct sim_diagnostics *d)
{
    const struct sim_client_property *row = find(name);
    if (row == NULL) {
        sim_error(d, name_place, "librdkafka has no property '%s'", name);
        sim_suggest(d, name, sim_client_property_names);
        sim_note(d, "see: kcsim explain client-properties");
        return false;
    }
    if (row->instead != NULL) {
        return sim_error(d, name_place, "%s is said by the client's own key '%s'", name,
                         row->instead);
    }
    if (!is_of_use(row, config, name_place, d)) {
        return true;
    }
    void *field = (char *)config + row->offset;
    switch (row->type) {
    case SIM_CP_BOOL:
        return read_bool(row, value, value_place, d, field);
    case SIM_CP_INT:
    case SIM_CP_MS:
        return read_number(row, value, value_place, d, field);
    case SIM_CP_ACKS:
        return read_acks(value, value_place, d, field);
    case SIM_CP_WORD:
        return read_word(row, value, value_place, d, field);
    case SIM_CP_TEXT:
        *(const char **)field = value;
        return true;
    case SIM_CP_IGNORED:
        break;
    }
    assert(false);
    return false;
}
