/*
 * The block of the transaction coordinator: laid out, made, grown by copy.
 *
 * Hash heads have a count that the limits say, so chains are linked anew where the block grows;
 * everything else is copied as it is, for rows keep their numbers.
 *
 * Source: none.
 */
#include <stddef.h>

#include "broker/txn_state.h"

struct kb_txns_limits kb_txns_limits_default(void)
{
    return (struct kb_txns_limits){.partitions = 50,
                                   .transactions = 8,
                                   .topics = 8,
                                   .parts = 16,
                                   .appends = 8,
                                   .brokers = 4,
                                   .name = 64,
                                   .topic_name = 64,
                                   .request = 256};
}

struct kb_txns_limits kb_txns_limits_above(const struct kb_txns_limits *limits,
                                           const char *short_of)
{
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {
#define FIELD(name) {#name, offsetof(struct kb_txns_limits, name)}
        FIELD(transactions), FIELD(topics), FIELD(parts),      FIELD(appends),
        FIELD(brokers),      FIELD(name),   FIELD(topic_name), FIELD(request),
#undef FIELD
    };
    struct kb_txns_limits above = *limits;
    const char *dot = strchr(short_of, '.');

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].name, dot == NULL ? short_of : dot + 1) == 0) {
            uint32_t *field = (uint32_t *)(void *)((uint8_t *)&above + fields[i].at);
            *field *= 2;
            return above;
        }
    }
    assert(false); /* no such limit */
    return above;
}

struct kb_txns_config kb_txns_config_default(void)
{
    return (struct kb_txns_config){.expiration_ms = 7ll * 24 * 3600 * 1000,
                                   .abort_check_us = 10ll * 1000 * 1000,
                                   .expire_check_us = 3600ll * 1000 * 1000,
                                   .request_timeout_us = 30ll * 1000 * 1000,
                                   .retry_us = 50ll * 1000,
                                   .max_timeout_ms = 15 * 60 * 1000,
                                   .group_partitions = 50};
}

const char *kb_txn_state_name(enum kb_txn_state state)
{
    static const char *const names[KB_TXN_STATES] = {
        [KB_TXN_EMPTY] = "Empty",
        [KB_TXN_ONGOING] = "Ongoing",
        [KB_TXN_PREPARE_COMMIT] = "PrepareCommit",
        [KB_TXN_PREPARE_ABORT] = "PrepareAbort",
        [KB_TXN_COMPLETE_COMMIT] = "CompleteCommit",
        [KB_TXN_COMPLETE_ABORT] = "CompleteAbort",
        [KB_TXN_DEAD] = "Dead",
        [KB_TXN_PREPARE_EPOCH_FENCE] = "PrepareEpochFence",
    };
    return names[state];
}

/* ---- layout ---- */

static size_t up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t lay_out(struct kb_txns *x, const struct kb_txns_limits *l)
{
    const size_t strides[KB_X_END] = {
        [KB_X_TXN] = sizeof(struct kb_tx) + l->name,
        [KB_X_TOPIC] = sizeof(struct kb_tx_topic) + l->topic_name,
        [KB_X_PART] = sizeof(struct kb_tx_part),
        [KB_X_BROKER] = sizeof(struct kb_tx_broker),
        [KB_X_APPEND] = sizeof(struct kb_tx_append) + l->request,
    };
    const uint32_t counts[KB_X_END] = {l->transactions, l->topics, l->parts, l->brokers,
                                       l->appends};
    const uint32_t heads[KB_H_END] = {[KB_H_ID] = l->transactions,
                                      [KB_H_PRODUCER] = l->transactions,
                                      [KB_H_TOPIC] = l->topics,
                                      [KB_H_PART] = l->parts,
                                      [KB_H_BROKER] = l->brokers};
    size_t at = up8(sizeof *x);

    x->limits = *l;
    x->partitions_at = at;
    at += up8(sizeof(struct kb_tx_owned) * l->partitions);
    for (int h = 0; h < KB_H_END; h++) {
        x->heads[h] = (struct kb_tx_heads){.at = at, .count = heads[h]};
        at += up8(sizeof(uint32_t) * heads[h]);
    }
    for (int t = 0; t < KB_X_END; t++) {
        x->tables[t].at = at;
        x->tables[t].stride = (uint32_t)up8(strides[t]);
        x->tables[t].capacity = counts[t];
        at += up8(strides[t]) * counts[t];
    }
    return at;
}

size_t kb_txns_size(const struct kb_txns_limits *limits)
{
    struct kb_txns x = {0};
    return lay_out(&x, limits);
}

/* The most of: a record of a transaction, tombstones of all, a request of markers (each may stand
   alone), an answer to a request. */
size_t kb_txns_scratch_size(const struct kb_txns_limits *l)
{
    size_t record =
        (size_t)l->name + (size_t)l->topics * (l->topic_name + 8) + (size_t)l->parts * 4 + 128;
    size_t tombstones =
        (size_t)l->transactions * (l->name + sizeof(struct kb_log_record) + 16) + 128;
    size_t markers = (size_t)l->parts * ((size_t)l->topic_name + 128) + 256;
    size_t answer = (size_t)l->request * 8 + 512;
    size_t loaded = (size_t)l->name + l->topic_name + 64;

    return up8(record + tombstones + markers + answer + loaded);
}

void kb_txns_init(struct kb_txns *x, const struct kb_txns_limits *limits,
                  const struct kb_txns_config *config)
{
    memset(x, 0, kb_txns_size(limits));
    lay_out(x, limits);
    x->config = *config;
    x->armed_us = x->abort_us = x->expire_us = x->retry_us = -1;
    for (uint32_t i = 0; i < limits->partitions; i++) {
        kb_tx_owned(x, (int32_t)i)->epoch = -1;
    }
}

const struct kb_txns_limits *kb_txns_limits(const struct kb_txns *x)
{
    return &x->limits;
}

/* ---- growing ---- */

static void copy_rows(const struct kb_txns *from, struct kb_txns *to)
{
    for (uint32_t t = 0; t < KB_X_END; t++) {
        to->tables[t].high = from->tables[t].high;
        to->tables[t].free = from->tables[t].free;
        for (uint32_t row = 1; row <= from->tables[t].high; row++) {
            memcpy(kb_tx_row(to, t, row), kb_tx_row(from, t, row), from->tables[t].stride);
        }
    }
}

void kb_txns_grow(const struct kb_txns *from, struct kb_txns *to,
                  const struct kb_txns_limits *limits)
{
    assert(limits->partitions == from->limits.partitions);
    kb_txns_init(to, limits, &from->config);
    to->serial = from->serial;
    to->armed_us = from->armed_us;
    to->started_us = from->started_us;
    to->abort_us = from->abort_us;
    to->expire_us = from->expire_us;
    to->retry_us = from->retry_us;
    to->homeless = from->homeless;
    to->again = from->again;
    to->txns = from->txns;
    to->ongoing = from->ongoing;
    to->completes_again = from->completes_again;
    to->active = from->active;
    memcpy(kb_tx_owned(to, 0), kb_tx_owned(from, 0),
           sizeof(struct kb_tx_owned) * limits->partitions);
    copy_rows(from, to);
    kb_tx_rehash(to);
}
