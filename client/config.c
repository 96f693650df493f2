/*
 * Defaults and names. The defaults are those of librdkafka 2.0's properties.
 *
 * Source: rdkafka_conf.c (rd_kafka_properties), rdkafka.h (rd_kafka_resp_err_t).
 */
#include "client/state.h"

#include <string.h>

struct kl_limits kl_limits_default(void)
{
    return (struct kl_limits){.brokers = 8,
                              .topics = 4,
                              .partitions = 16,
                              .records = 256,
                              .bytes = 32768,
                              .requests = 16,
                              .commands = 16};
}

static uint32_t more(uint32_t n)
{
    return n < 4 ? 8 : n * 2;
}

struct kl_limits kl_limits_above(const struct kl_limits *limits, const char *field)
{
    struct kl_limits l = *limits;
    const struct {
        const char *name;
        uint32_t *value;
    } fields[] = {
        {"brokers", &l.brokers},   {"topics", &l.topics}, {"partitions", &l.partitions},
        {"records", &l.records},   {"bytes", &l.bytes},   {"requests", &l.requests},
        {"commands", &l.commands},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, field) == 0) {
            *fields[i].value = more(*fields[i].value);
        }
    }
    return l;
}

struct kl_config kl_config_default(enum kl_kind kind)
{
    return (struct kl_config){.kind = kind,
                              .client_id = "rdkafka",
                              .socket_timeout_ms = 60000,
                              .retry_backoff_ms = 100,
                              .reconnect_backoff_ms = 100,
                              .reconnect_backoff_max_ms = 10000,
                              .topic_metadata_refresh_interval_ms = 300000,
                              .topic_metadata_refresh_fast_interval_ms = 250,
                              .acks = -1,
                              .linger_ms = 5,
                              .batch_size = 1000000,
                              .batch_num_messages = 10000,
                              .compression_type = WIRE_CODEC_NONE,
                              .message_timeout_ms = 300000,
                              .request_timeout_ms = 30000,
                              .retries = INT32_MAX,
                              .max_in_flight = 1000000,
                              .transaction_timeout_ms = 60000,
                              .isolation = KL_READ_COMMITTED,
                              .auto_offset_reset = KL_RESET_LATEST,
                              .fetch_wait_max_ms = 500,
                              .fetch_min_bytes = 1,
                              .fetch_max_bytes = 52428800,
                              .partition_fetch_bytes = 1048576,
                              .fetch_error_backoff_ms = 500,
                              .assignor = KL_RANGE,
                              .session_timeout_ms = 45000,
                              .heartbeat_interval_ms = 3000,
                              .max_poll_interval_ms = 300000,
                              .enable_auto_commit = 1,
                              .auto_commit_interval_ms = 5000};
}

const char *kl_fact_name(enum kl_fact fact)
{
    switch (fact) {
    case KL_FACT_METADATA:
        return "metadata";
    case KL_FACT_RETRY:
        return "retry";
    case KL_FACT_PRODUCER_ID:
        return "producer-id";
    case KL_FACT_POSITION:
        return "position";
    case KL_FACT_TRANSACTION:
        return "transaction";
    case KL_FACT_GROUP:
        return "group";
    case KL_FACT_COORDINATOR:
        return "coordinator";
    case KL_FACT_TRUNCATED:
        return "truncated";
    }
    return "?";
}

const char *kl_txn_state_name(enum kl_txn_state state)
{
    switch (state) {
    case KL_TXN_NONE:
        return "none";
    case KL_TXN_READY:
        return "ready";
    case KL_TXN_OPEN:
        return "open";
    case KL_TXN_COMMITTING:
        return "committing";
    case KL_TXN_ABORTING:
        return "aborting";
    case KL_TXN_ABORTABLE:
        return "abortable";
    case KL_TXN_FATAL:
        return "fatal";
    }
    return "?";
}

const char *kl_group_state_name(enum kl_group_state state)
{
    switch (state) {
    case KL_GROUP_NONE:
        return "none";
    case KL_GROUP_JOINING:
        return "joining";
    case KL_GROUP_SYNCING:
        return "syncing";
    case KL_GROUP_STABLE:
        return "stable";
    }
    return "?";
}
