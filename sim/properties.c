/*
 * Kafka's configuration keys, and how a value is read.
 *
 * Keys that begin with kcsim. are this program's own: how it works, never what it does.
 * Modelled keys come first in each table, then those that Kafka 2.8 knows and this simulator does
 * not use, in the order of Kafka's own source.
 */
#include "sim/properties.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/replicas.h"
#include "broker/settings.h"
#include "controller/controller.h"

/* name, type, field, least, most */
#define MODELLED(X)                                                                                \
    X("zookeeper.session.timeout.ms", MS, session_timeout_us, 1, 86400000)                         \
    X("zookeeper.connection.timeout.ms", MS, connection_timeout_us, 1, 86400000)                   \
    X("zookeeper.max.in.flight.requests", INT, zk_in_flight, 1, 1000)                              \
    X("leader.imbalance.check.interval.seconds", SECONDS, leader_imbalance_check_us, 1, 31536000)  \
    X("leader.imbalance.per.broker.percentage", INT, leader_imbalance_percentage, 0, 100)          \
    X("controlled.shutdown.retry.backoff.ms", MS, controlled_shutdown_retry_us, 0, 86400000)       \
    X("controlled.shutdown.max.retries", INT, controlled_shutdown_retries, 1, 1000)                \
    X("controlled.shutdown.enable", BOOL, controlled_shutdown, 0, 1)                               \
    X("controller.socket.timeout.ms", MS, socket_timeout_us, 1, 86400000)                          \
    X("replica.lag.time.max.ms", MS, replica_lag_us, 1, 86400000)                                  \
    X("replica.fetch.wait.max.ms", MS, replica_fetch_wait_us, 0, 86400000)                         \
    X("replica.fetch.backoff.ms", MS, replica_fetch_backoff_us, 0, 86400000)                       \
    X("replica.socket.timeout.ms", MS, replica_socket_timeout_us, 1, 86400000)                     \
    X("replica.high.watermark.checkpoint.interval.ms", MS, hw_checkpoint_us, 1, 86400000)          \
    X("num.replica.fetchers", INT, replica_fetchers, 1, 32)                                        \
    X("log.flush.interval.messages", INT, flush_messages, 1, 2147483647)                           \
    X("log.retention.ms", LONG, logs.retention_ms, -1, INT64_MAX)                                  \
    X("log.retention.minutes", LONG, logs.retention_minutes, -1, 2147483647)                       \
    X("log.retention.hours", LONG, logs.retention_hours, -1, 2147483647)                           \
    X("log.retention.bytes", LONG, logs.retention_bytes, -1, INT64_MAX)                            \
    X("log.retention.check.interval.ms", MS, logs.retention_check_us, 1, 86400000)                 \
    X("log.segment.bytes", LONG, logs.segment_bytes, 14, 2147483647)                               \
    X("log.roll.ms", LONG, logs.roll_ms, 1, INT64_MAX)                                             \
    X("log.roll.hours", LONG, logs.roll_hours, 1, 2147483647)                                      \
    X("log.cleanup.policy", CLEANUP, logs.cleanup, 0, 0)                                           \
    X("log.message.timestamp.type", STAMP, logs.log_append_time, 0, 0)                             \
    X("log.message.timestamp.difference.max.ms", LONG, logs.timestamp_difference_ms, 0, INT64_MAX) \
    X("log.dirs", NAMES, log_dirs, 1, KB_DIRS_MAX)                                                 \
    X("compression.type", CODEC, compression, 0, 0)                                                \
    X("num.partitions", INT, num_partitions, 1, 100000)                                            \
    X("default.replication.factor", INT, default_replication_factor, 1, 32)                        \
    X("min.insync.replicas", INT, min_insync_replicas, 1, 32)                                      \
    X("unclean.leader.election.enable", BOOL, unclean_leader_election, 0, 1)                       \
    X("delete.topic.enable", BOOL, delete_topic, 0, 1)                                             \
    X("auto.leader.rebalance.enable", BOOL, auto_leader_rebalance, 0, 1)                           \
    X("offsets.topic.num.partitions", INT, coordinators.offsets_partitions, 1, 10000)              \
    X("offsets.topic.replication.factor", INT, coordinators.offsets_replicas, 1, 32)               \
    X("transaction.state.log.num.partitions", INT, coordinators.txns_partitions, 1, 10000)         \
    X("transaction.state.log.replication.factor", INT, coordinators.txns_replicas, 1, 32)          \
    X("transaction.state.log.min.isr", INT, coordinators.txns_min_isr, 1, 32)                      \
    X("group.initial.rebalance.delay.ms", INT, coordinators.initial_rebalance_ms, 0, 86400000)     \
    X("group.min.session.timeout.ms", INT, coordinators.min_session_ms, 1, 86400000)               \
    X("group.max.session.timeout.ms", INT, coordinators.max_session_ms, 1, 86400000)               \
    X("transaction.max.timeout.ms", INT, coordinators.txn_max_ms, 1, 86400000)                     \
    X("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT,                          \
      coordinators.txn_cleanup_ms, 1, 86400000)                                                    \
    X("transactional.id.expiration.ms", INT, coordinators.txn_expiration_ms, 1, 2147483647)        \
    X("transaction.remove.expired.transaction.cleanup.interval.ms", INT,                           \
      coordinators.txn_expiration_check_ms, 1, 2147483647)                                         \
    X("kcsim.zookeeper.write.group", INT, zk_write_group, 1, KC_GROUP_MAX)                         \
    X("kcsim.zookeeper.read.group", INT, zk_read_group, 1, KC_GROUP_MAX)

#define REAL(X)                                                                                    \
    X("zookeeper.connect")                                                                         \
    X("zookeeper.sync.time.ms")                                                                    \
    X("zookeeper.set.acl")                                                                         \
    X("zookeeper.ssl.client.enable")                                                               \
    X("zookeeper.clientCnxnSocket")                                                                \
    X("zookeeper.ssl.keystore.location")                                                           \
    X("zookeeper.ssl.keystore.password")                                                           \
    X("zookeeper.ssl.keystore.type")                                                               \
    X("zookeeper.ssl.truststore.location")                                                         \
    X("zookeeper.ssl.truststore.password")                                                         \
    X("zookeeper.ssl.truststore.type")                                                             \
    X("zookeeper.ssl.protocol")                                                                    \
    X("zookeeper.ssl.enabled.protocols")                                                           \
    X("zookeeper.ssl.cipher.suites")                                                               \
    X("zookeeper.ssl.endpoint.identification.algorithm")                                           \
    X("zookeeper.ssl.crl.enable")                                                                  \
    X("zookeeper.ssl.ocsp.enable")                                                                 \
    X("broker.id.generation.enable")                                                               \
    X("reserved.broker.max.id")                                                                    \
    X("broker.id")                                                                                 \
    X("message.max.bytes")                                                                         \
    X("num.network.threads")                                                                       \
    X("num.io.threads")                                                                            \
    X("num.replica.alter.log.dirs.threads")                                                        \
    X("background.threads")                                                                        \
    X("queued.max.requests")                                                                       \
    X("queued.max.request.bytes")                                                                  \
    X("request.timeout.ms")                                                                        \
    X("connection.setup.timeout.ms")                                                               \
    X("connection.setup.timeout.max.ms")                                                           \
    X("process.roles")                                                                             \
    X("initial.broker.registration.timeout.ms")                                                    \
    X("broker.heartbeat.interval.ms")                                                              \
    X("broker.session.timeout.ms")                                                                 \
    X("node.id")                                                                                   \
    X("metadata.log.dir")                                                                          \
    X("controller.listener.names")                                                                 \
    X("sasl.mechanism.controller.protocol")                                                        \
    X("controller.quorum.voters")                                                                  \
    X("controller.quorum.election.timeout.ms")                                                     \
    X("controller.quorum.fetch.timeout.ms")                                                        \
    X("controller.quorum.election.backoff.max.ms")                                                 \
    X("controller.quorum.linger.ms")                                                               \
    X("controller.quorum.request.timeout.ms")                                                      \
    X("controller.quorum.retry.backoff.ms")                                                        \
    X("metadata.log.segment.ms")                                                                   \
    X("authorizer.class.name")                                                                     \
    X("port")                                                                                      \
    X("host.name")                                                                                 \
    X("listeners")                                                                                 \
    X("advertised.host.name")                                                                      \
    X("advertised.port")                                                                           \
    X("advertised.listeners")                                                                      \
    X("listener.security.protocol.map")                                                            \
    X("control.plane.listener.name")                                                               \
    X("socket.send.buffer.bytes")                                                                  \
    X("socket.receive.buffer.bytes")                                                               \
    X("socket.request.max.bytes")                                                                  \
    X("max.connections.per.ip")                                                                    \
    X("max.connections.per.ip.overrides")                                                          \
    X("max.connections")                                                                           \
    X("max.connection.creation.rate")                                                              \
    X("connections.max.idle.ms")                                                                   \
    X("connection.failed.authentication.delay.ms")                                                 \
    X("broker.rack")                                                                               \
    X("log.dir")                                                                                   \
    X("log.roll.jitter.ms")                                                                        \
    X("log.roll.jitter.hours")                                                                     \
    X("log.cleaner.threads")                                                                       \
    X("log.cleaner.io.max.bytes.per.second")                                                       \
    X("log.cleaner.dedupe.buffer.size")                                                            \
    X("log.cleaner.io.buffer.size")                                                                \
    X("log.cleaner.io.buffer.load.factor")                                                         \
    X("log.cleaner.backoff.ms")                                                                    \
    X("log.cleaner.min.cleanable.ratio")                                                           \
    X("log.cleaner.enable")                                                                        \
    X("log.cleaner.delete.retention.ms")                                                           \
    X("log.cleaner.min.compaction.lag.ms")                                                         \
    X("log.cleaner.max.compaction.lag.ms")                                                         \
    X("log.index.size.max.bytes")                                                                  \
    X("log.index.interval.bytes")                                                                  \
    X("log.segment.delete.delay.ms")                                                               \
    X("log.flush.scheduler.interval.ms")                                                           \
    X("log.flush.interval.ms")                                                                     \
    X("log.flush.offset.checkpoint.interval.ms")                                                   \
    X("log.flush.start.offset.checkpoint.interval.ms")                                             \
    X("log.preallocate")                                                                           \
    X("num.recovery.threads.per.data.dir")                                                         \
    X("auto.create.topics.enable")                                                                 \
    X("log.message.format.version")                                                                \
    X("create.topic.policy.class.name")                                                            \
    X("alter.config.policy.class.name")                                                            \
    X("log.message.downconversion.enable")                                                         \
    X("replica.socket.receive.buffer.bytes")                                                       \
    X("replica.fetch.max.bytes")                                                                   \
    X("replica.fetch.min.bytes")                                                                   \
    X("replica.fetch.response.max.bytes")                                                          \
    X("fetch.purgatory.purge.interval.requests")                                                   \
    X("producer.purgatory.purge.interval.requests")                                                \
    X("delete.records.purgatory.purge.interval.requests")                                          \
    X("security.inter.broker.protocol")                                                            \
    X("inter.broker.protocol.version")                                                             \
    X("inter.broker.listener.name")                                                                \
    X("replica.selector.class")                                                                    \
    X("group.max.size")                                                                            \
    X("offset.metadata.max.bytes")                                                                 \
    X("offsets.load.buffer.size")                                                                  \
    X("offsets.topic.segment.bytes")                                                               \
    X("offsets.topic.compression.codec")                                                           \
    X("offsets.retention.minutes")                                                                 \
    X("offsets.retention.check.interval.ms")                                                       \
    X("offsets.commit.timeout.ms")                                                                 \
    X("offsets.commit.required.acks")                                                              \
    X("transaction.state.log.load.buffer.size")                                                    \
    X("transaction.state.log.segment.bytes")                                                       \
    X("max.incremental.fetch.session.cache.slots")                                                 \
    X("fetch.max.bytes")                                                                           \
    X("quota.producer.default")                                                                    \
    X("quota.consumer.default")                                                                    \
    X("quota.window.num")                                                                          \
    X("replication.quota.window.num")                                                              \
    X("alter.log.dirs.replication.quota.window.num")                                               \
    X("controller.quota.window.num")                                                               \
    X("quota.window.size.seconds")                                                                 \
    X("replication.quota.window.size.seconds")                                                     \
    X("alter.log.dirs.replication.quota.window.size.seconds")                                      \
    X("controller.quota.window.size.seconds")                                                      \
    X("client.quota.callback.class")                                                               \
    X("metric.reporters")                                                                          \
    X("metrics.num.samples")                                                                       \
    X("metrics.sample.window.ms")                                                                  \
    X("metrics.recording.level")                                                                   \
    X("kafka.metrics.reporters")                                                                   \
    X("kafka.metrics.polling.interval.secs")                                                       \
    X("principal.builder.class")                                                                   \
    X("connections.max.reauth.ms")                                                                 \
    X("ssl.protocol")                                                                              \
    X("ssl.provider")                                                                              \
    X("ssl.enabled.protocols")                                                                     \
    X("ssl.keystore.type")                                                                         \
    X("ssl.keystore.location")                                                                     \
    X("ssl.keystore.password")                                                                     \
    X("ssl.key.password")                                                                          \
    X("ssl.keystore.key")                                                                          \
    X("ssl.keystore.certificate.chain")                                                            \
    X("ssl.truststore.type")                                                                       \
    X("ssl.truststore.location")                                                                   \
    X("ssl.truststore.password")                                                                   \
    X("ssl.truststore.certificates")                                                               \
    X("ssl.keymanager.algorithm")                                                                  \
    X("ssl.trustmanager.algorithm")                                                                \
    X("ssl.endpoint.identification.algorithm")                                                     \
    X("ssl.secure.random.implementation")                                                          \
    X("ssl.client.auth")                                                                           \
    X("ssl.cipher.suites")                                                                         \
    X("ssl.principal.mapping.rules")                                                               \
    X("ssl.engine.factory.class")                                                                  \
    X("sasl.mechanism.inter.broker.protocol")                                                      \
    X("sasl.jaas.config")                                                                          \
    X("sasl.enabled.mechanisms")                                                                   \
    X("sasl.server.callback.handler.class")                                                        \
    X("sasl.client.callback.handler.class")                                                        \
    X("sasl.login.class")                                                                          \
    X("sasl.login.callback.handler.class")                                                         \
    X("sasl.kerberos.service.name")                                                                \
    X("sasl.kerberos.kinit.cmd")                                                                   \
    X("sasl.kerberos.ticket.renew.window.factor")                                                  \
    X("sasl.kerberos.ticket.renew.jitter")                                                         \
    X("sasl.kerberos.min.time.before.relogin")                                                     \
    X("sasl.kerberos.principal.to.local.rules")                                                    \
    X("sasl.login.refresh.window.factor")                                                          \
    X("sasl.login.refresh.window.jitter")                                                          \
    X("sasl.login.refresh.min.period.seconds")                                                     \
    X("sasl.login.refresh.buffer.seconds")                                                         \
    X("security.providers")                                                                        \
    X("delegation.token.master.key")                                                               \
    X("delegation.token.secret.key")                                                               \
    X("delegation.token.max.lifetime.ms")                                                          \
    X("delegation.token.expiry.time.ms")                                                           \
    X("delegation.token.expiry.check.interval.ms")                                                 \
    X("password.encoder.secret")                                                                   \
    X("password.encoder.old.secret")                                                               \
    X("password.encoder.keyfactory.algorithm")                                                     \
    X("password.encoder.cipher.algorithm")                                                         \
    X("password.encoder.key.length")                                                               \
    X("password.encoder.iterations")                                                               \
    X("raft.request.timeout.ms")                                                                   \
    X("follower.replication.throttled.rate")                                                       \
    X("leader.replication.throttled.rate")                                                         \
    X("replica.alter.log.dirs.io.max.bytes.per.second")

/* Topic configuration: the controller's, the ISR's and the log's business. */
#define TOPIC_MODELLED(X)                                                                          \
    X("unclean.leader.election.enable", BOOL, 0, 1)                                                \
    X("min.insync.replicas", INT, 1, 32)                                                           \
    X("compression.type", CODEC, 0, 0)                                                             \
    X("retention.ms", LONG, -1, INT64_MAX)                                                         \
    X("retention.bytes", LONG, INT64_MIN, INT64_MAX)                                               \
    X("segment.bytes", LONG, 14, 2147483647)                                                       \
    X("segment.ms", LONG, 1, INT64_MAX)                                                            \
    X("cleanup.policy", CLEANUP, 0, 0)                                                             \
    X("message.timestamp.type", STAMP, 0, 0)                                                       \
    X("message.timestamp.difference.max.ms", LONG, 0, INT64_MAX)

#define TOPIC_REAL(X)                                                                              \
    X("segment.jitter.ms")                                                                         \
    X("segment.index.bytes")                                                                       \
    X("flush.messages")                                                                            \
    X("flush.ms")                                                                                  \
    X("max.message.bytes")                                                                         \
    X("index.interval.bytes")                                                                      \
    X("delete.retention.ms")                                                                       \
    X("min.compaction.lag.ms")                                                                     \
    X("max.compaction.lag.ms")                                                                     \
    X("file.delete.delay.ms")                                                                      \
    X("min.cleanable.dirty.ratio")                                                                 \
    X("preallocate")                                                                               \
    X("message.format.version")                                                                    \
    X("message.downconversion.enable")                                                             \
    X("leader.replication.throttled.replicas")                                                     \
    X("follower.replication.throttled.replicas")

const struct sim_property_row sim_broker_properties[] = {
#define X(name, type, field, least, most)                                                          \
    {name, SIM_P_##type, offsetof(struct sim_settings, field), least, most},
    MODELLED(X)
#undef X
#define X(name) {name, SIM_P_IGNORED, 0, 0, 0},
        REAL(X)
#undef X
            {NULL, SIM_P_IGNORED, 0, 0, 0},
};

const struct sim_property_row sim_topic_properties[] = {
#define X(name, type, least, most) {name, SIM_P_##type, 0, least, most},
    TOPIC_MODELLED(X)
#undef X
#define X(name) {name, SIM_P_IGNORED, 0, 0, 0},
        TOPIC_REAL(X)
#undef X
            {NULL, SIM_P_IGNORED, 0, 0, 0},
};

#define NAME_OF(name, ...) name,
const char *const sim_broker_property_names[] = {MODELLED(NAME_OF) REAL(NAME_OF) NULL};
const char *const sim_topic_property_names[] = {TOPIC_MODELLED(NAME_OF) TOPIC_REAL(NAME_OF) NULL};

/* ---- defaults ---- */

struct sim_settings sim_settings_default(enum sm_version version)
{
    const bool old = version == SM_VERSION_0_9 || version == SM_VERSION_0_8_2;
    return (struct sim_settings){
        .session_timeout_us = old ? 6000000 : 18000000,
        .leader_imbalance_check_us = 300000000,
        .controlled_shutdown_retry_us = 5000000,
        .socket_timeout_us = 30000000,
        .replica_lag_us = old ? 10000000 : 30000000,
        .replica_fetch_wait_us = 500000,
        .replica_fetch_backoff_us = 1000000,
        .replica_socket_timeout_us = 30000000,
        .hw_checkpoint_us = 5000000,
        .replica_fetchers = 1,
        .log_dirs = 1,
        .controlled_shutdown_retries = 3,
        .leader_imbalance_percentage = 10,
        .num_partitions = 1,
        .default_replication_factor = 1,
        .coordinators = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
        .logs = {.retention_hours = 168,
                 .roll_hours = 168,
                 .retention_bytes = -1,
                 .retention_check_us = 300000000,
                 .timestamp_difference_ms = INT64_MAX,
                 .segment_bytes = 1 << 30,
                 .cleanup = KB_CLEANUP_DELETE},
        .min_insync_replicas = 1,
        .zk_in_flight = 10,
        .zk_write_group = 1,
        .zk_read_group = 1,
        .unclean_leader_election = old,
        .delete_topic = !old,
        .auto_leader_rebalance = true,
        .controlled_shutdown = true,
    };
}

/* ---- values ---- */

static const struct sim_property_row *find(const struct sim_property_row *rows, const char *name)
{
    for (; rows->name != NULL; rows++) {
        if (strcmp(rows->name, name) == 0) {
            return rows;
        }
    }
    return NULL;
}

/* Names between commas: how many there are. */
static int64_t count_names(const char *text)
{
    int64_t count = 0;
    for (bool inside = false; *text != '\0'; text++) {
        bool is_name = *text != ',' && *text != ' ';
        count += is_name && !inside;
        inside = is_name || (inside && *text == ' ');
    }
    return count;
}

/* One of a setting's own words, or more of them between commas. */
static bool read_word(const struct sim_property_row *row, const char *value, struct sim_place place,
                      struct sim_diagnostics *d, int64_t *out)
{
    const struct kb_setting *setting = strncmp(row->name, "log.", 4) == 0
                                           ? kb_broker_setting(row->name)
                                           : kb_topic_setting(row->name);
    char text[64], message[KB_TEXT_MAX];
    if (!kb_setting_parse(setting, value, text, sizeof text, message) || text[0] == '\0') {
        return sim_error(d, place, "%s is one of %s, not '%s'", row->name, setting->valid, value);
    }
    *out = row->type == SIM_P_CLEANUP ? kb_cleanup_of(text) : strcmp(text, "LogAppendTime") == 0;
    return true;
}

static bool read_value(const struct sim_property_row *row, const char *value,
                       struct sim_place place, struct sim_diagnostics *d, int64_t *out)
{
    if (row->type == SIM_P_BOOL) {
        *out = strcmp(value, "true") == 0;
        if (*out == 0 && strcmp(value, "false") != 0) {
            return sim_error(d, place, "%s is true or false, not '%s'", row->name, value);
        }
        return true;
    }
    if (row->type == SIM_P_CODEC) {
        *out = kb_compression_of(value);
        return *out != KB_COMPRESSION_UNSET ||
               sim_error(d, place, "%s is one of %s, not '%s'", row->name,
                         kb_topic_setting(row->name)->valid, value);
    }
    if (row->type == SIM_P_CLEANUP || row->type == SIM_P_STAMP) {
        return read_word(row, value, place, d, out);
    }
    if (row->type == SIM_P_NAMES) {
        *out = count_names(value);
        return (*out >= row->least && *out <= row->most) ||
               sim_error(d, place, "%s has %lld to %lld names", row->name, row->least, row->most);
    }
    char *end;
    errno = 0;
    *out = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0) {
        sim_error(d, place, "%s is a whole number%s, not '%s'", row->name,
                  row->type == SIM_P_MS        ? " of milliseconds"
                  : row->type == SIM_P_SECONDS ? " of seconds"
                                               : "",
                  value);
        sim_note(d, "Kafka's properties carry their unit in the name: write 6000 for 6 s");
        return false;
    }
    if (*out < row->least || *out > row->most) {
        return sim_error(d, place, "%s is %s; it may be %lld to %lld", row->name, value, row->least,
                         row->most);
    }
    return true;
}

bool sim_settings_set(struct sim_settings *settings, const char *name, struct sim_place name_place,
                      const char *value, struct sim_place value_place, struct sim_diagnostics *d)
{
    const struct sim_property_row *row = find(sim_broker_properties, name);
    int64_t number = 0;
    if (row == NULL) {
        sim_error(d, name_place, "Kafka has no broker property '%s'", name);
        sim_suggest(d, name, sim_broker_property_names);
        sim_note(d, "see: kcsim explain properties");
        return false;
    }
    if (row->type == SIM_P_IGNORED) {
        sim_warning(d, name_place, "%s is not modelled; it has no effect here", name);
        return true;
    }
    if (!read_value(row, value, value_place, d, &number)) {
        return false;
    }
    char *field = (char *)settings + row->offset;
    switch (row->type) {
    case SIM_P_BOOL:
        *(bool *)field = number != 0;
        break;
    case SIM_P_NAMES:
    case SIM_P_CODEC:
    case SIM_P_CLEANUP:
    case SIM_P_STAMP:
    case SIM_P_INT:
        *(int32_t *)(void *)field = (int32_t)number;
        break;
    case SIM_P_LONG:
        *(int64_t *)(void *)field = number;
        break;
    case SIM_P_MS:
        *(int64_t *)(void *)field = number * 1000;
        break;
    case SIM_P_SECONDS:
        *(int64_t *)(void *)field = number * 1000000;
        break;
    case SIM_P_IGNORED:
        break;
    }
    return true;
}

bool sim_topic_config_check(const char *name, struct sim_place name_place, const char *value,
                            struct sim_place value_place, struct sim_diagnostics *d)
{
    const struct sim_property_row *row = find(sim_topic_properties, name);
    int64_t number;
    if (row == NULL) {
        sim_error(d, name_place, "Kafka has no topic configuration '%s'", name);
        sim_suggest(d, name, sim_topic_property_names);
        sim_note(d, "see: kcsim explain properties");
        return false;
    }
    return row->type == SIM_P_IGNORED || read_value(row, value, value_place, d, &number);
}

/* ---- .properties ---- */

enum { LINE_MAX_SIZE = 4096 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

/* One logical line: a key up to '=', ':' or a blank, and the value behind it. Differs: a line that
   is continued with a backslash is refused, Kafka's own files have none. */
static bool read_line(const char *line, size_t size, uint32_t number, struct sim_diagnostics *d,
                      bool (*entry)(void *, const char *, struct sim_place, const char *,
                                    struct sim_place),
                      void *context)
{
    char text[LINE_MAX_SIZE + 1];
    size_t at = 0;
    while (size > 0 && is_blank(line[size - 1])) {
        size--;
    }
    while (at < size && is_blank(line[at])) {
        at++;
    }
    if (at == size || line[at] == '#' || line[at] == '!') {
        return true;
    }
    const struct sim_place place = {.line = number, .column = (uint32_t)at + 1};
    if (size > LINE_MAX_SIZE) {
        return sim_error(d, place, "a line of %zu bytes; at most %d", size, LINE_MAX_SIZE);
    }
    if (line[size - 1] == '\\') {
        return sim_error(d, place, "continued lines (\\ at the end) are not supported");
    }
    memcpy(text, line, size);
    text[size] = '\0';
    size_t key_end = at;
    while (key_end < size && !is_blank(text[key_end]) && text[key_end] != '=' &&
           text[key_end] != ':') {
        key_end++;
    }
    size_t value = key_end;
    bool separated = false;
    while (value < size && (is_blank(text[value]) || (!separated && strchr("=:", text[value])))) {
        separated = separated || !is_blank(text[value]);
        value++;
    }
    if (value == key_end) {
        return sim_error(d, place, "'key=value' is missing its '='");
    }
    text[key_end] = '\0';
    struct sim_place key_place = place, value_place = place;
    key_place.length = (uint32_t)(key_end - at);
    value_place.column = (uint32_t)value + 1;
    value_place.length = (uint32_t)(size - value);
    return entry(context, text + at, key_place, text + value, value_place);
}

bool sim_properties_read(const char *text, size_t size, struct sim_diagnostics *d,
                         bool (*entry)(void *, const char *, struct sim_place, const char *,
                                       struct sim_place),
                         void *context)
{
    const char *end = text + size;
    uint32_t number = 1;
    bool good = true;
    for (const char *line = text; line < end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const size_t length = (size_t)((newline == NULL ? end : newline) - line);
        if (memchr(line, '\0', length) != NULL) {
            return sim_error(d, (struct sim_place){.line = number, .column = 1},
                             "a NUL character; is this a text file?");
        }
        good = read_line(line, length, number, d, entry, context) && good;
        line += length + 1;
    }
    return good;
}
