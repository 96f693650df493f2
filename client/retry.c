/*
 * What an error of a request asks for, as a table: retry, refresh the metadata first (which implies
 * a retry), or give up; and whether the records may be in the log nevertheless.
 *
 * Source: rdkafka_request.c: rd_kafka_err_action, and the list in rd_kafka_handle_Produce_error.
 */
#include "client/state.h"

struct rule {
    int32_t error;
    uint32_t actions;
};

static const struct rule general[] = {
    {WIRE_ERROR_LEADER_NOT_AVAILABLE, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_BROKER_NOT_AVAILABLE, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_REPLICA_NOT_AVAILABLE, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_COORDINATOR_NOT_AVAILABLE, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_NOT_COORDINATOR, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_KAFKA_STORAGE_ERROR, KL_ACT_REFRESH | KL_ACT_RETRY | KL_ACT_NOT_PERSISTED},
    {KL_ERR_TRANSPORT, KL_ACT_RETRY | KL_ACT_POSSIBLY},
    {KL_ERR_TIMED_OUT, KL_ACT_RETRY | KL_ACT_POSSIBLY},
    {WIRE_ERROR_REQUEST_TIMED_OUT, KL_ACT_RETRY | KL_ACT_POSSIBLY},
    {WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, KL_ACT_RETRY | KL_ACT_POSSIBLY},
    {WIRE_ERROR_NOT_ENOUGH_REPLICAS, KL_ACT_RETRY | KL_ACT_NOT_PERSISTED},
    {KL_ERR_TIMED_OUT_QUEUE, KL_ACT_RETRY | KL_ACT_NOT_PERSISTED},
    {KL_ERR_PURGED_INFLIGHT, KL_ACT_PERMANENT | KL_ACT_POSSIBLY},
    {WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS, KL_ACT_RETRY},
};

/* Before the general ones. */
static const struct rule produce[] = {
    {KL_ERR_TRANSPORT, KL_ACT_REFRESH | KL_ACT_POSSIBLY},
    {WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, KL_ACT_REFRESH | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED, KL_ACT_PERMANENT | KL_ACT_NOT_PERSISTED},
    {KL_ERR_MSG_TIMED_OUT, KL_ACT_PERMANENT | KL_ACT_POSSIBLY},
    {WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER, KL_ACT_PERMANENT | KL_ACT_POSSIBLY},
    {WIRE_ERROR_DUPLICATE_SEQUENCE_NUMBER, KL_ACT_PERMANENT | KL_ACT_POSSIBLY},
    {WIRE_ERROR_UNKNOWN_PRODUCER_ID, KL_ACT_PERMANENT | KL_ACT_NOT_PERSISTED},
    {WIRE_ERROR_INVALID_PRODUCER_EPOCH, KL_ACT_PERMANENT | KL_ACT_NOT_PERSISTED},
    {KL_ERR_RETRY, KL_ACT_RETRY},
};

static uint32_t look_up(const struct rule *rules, size_t count, int32_t error)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].error == error) {
            return rules[i].actions;
        }
    }
    return 0;
}

uint32_t kl_action(int32_t error)
{
    uint32_t actions = look_up(general, sizeof general / sizeof *general, error);

    if (error == 0) {
        return 0;
    }
    return actions != 0 ? actions : KL_ACT_PERMANENT | KL_ACT_NOT_PERSISTED;
}

uint32_t kl_produce_action(int32_t error)
{
    uint32_t actions = look_up(produce, sizeof produce / sizeof *produce, error);

    return actions != 0 ? actions : kl_action(error);
}
