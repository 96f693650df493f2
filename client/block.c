/*
 * The block: where its tables begin, and the lists of free rows.
 *
 *     head | brokers | topics | partitions | records | requests | commands | blobs | bytes
 *
 * A table's place is computed from the limits alone, so nothing in the block points into it, and
 * growing is copying table by table. Records, requests and commands come and go: a row that is
 * given back hangs in a list, a row that was never used is counted (`fresh`). A free row is zero
 * but for its link.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct kl_client) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_broker) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_topic) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_partition) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_record) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_request) % 8 == 0, "tables are aligned");
_Static_assert(sizeof(struct kl_command) % 8 == 0, "tables are aligned");

enum table { BROKERS, TOPICS, PARTITIONS, RECORDS, REQUESTS, COMMANDS, BLOBS, BYTES, TABLES };

static uint32_t blobs_max(const struct kl_limits *l)
{
    return l->records + l->commands + 8;
}

static size_t table_size(const struct kl_limits *l, enum table table)
{
    switch (table) {
    case BROKERS:
        return l->brokers * sizeof(struct kl_broker);
    case TOPICS:
        return l->topics * sizeof(struct kl_topic);
    case PARTITIONS:
        return l->partitions * sizeof(struct kl_partition);
    case RECORDS:
        return l->records * sizeof(struct kl_record);
    case REQUESTS:
        return l->requests * sizeof(struct kl_request);
    case COMMANDS:
        return l->commands * sizeof(struct kl_command);
    case BLOBS:
        return blobs_max(l) * sizeof(struct kl_blob);
    case BYTES:
        return ((size_t)l->bytes + 7) & ~(size_t)7;
    case TABLES:
        return 0;
    }
    return 0;
}

static size_t table_at(const struct kl_limits *l, enum table table)
{
    size_t at = sizeof(struct kl_client);

    for (enum table i = 0; i < table; i++) {
        at += table_size(l, i);
    }
    return at;
}

static void *row(const struct kl_client *c, enum table table, size_t size, uint32_t number)
{
    assert(number > 0);
    return (uint8_t *)(uintptr_t)c + table_at(&c->limits, table) + (number - 1) * size;
}

struct kl_broker *kl_broker_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->broker_count);
    return row(c, BROKERS, sizeof(struct kl_broker), number);
}

struct kl_topic *kl_topic_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->topic_count);
    return row(c, TOPICS, sizeof(struct kl_topic), number);
}

struct kl_partition *kl_partition_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->partition_count);
    return row(c, PARTITIONS, sizeof(struct kl_partition), number);
}

struct kl_record *kl_record_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->records_fresh);
    return row(c, RECORDS, sizeof(struct kl_record), number);
}

struct kl_request *kl_request_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->requests_fresh);
    return row(c, REQUESTS, sizeof(struct kl_request), number);
}

struct kl_command *kl_command_at(const struct kl_client *c, uint32_t number)
{
    assert(number <= c->commands_fresh);
    return row(c, COMMANDS, sizeof(struct kl_command), number);
}

struct kl_blob *kl_blob_row(const struct kl_client *c, uint32_t blob)
{
    return row(c, BLOBS, sizeof(struct kl_blob), blob);
}

uint8_t *kl_bytes(const struct kl_client *c)
{
    return (uint8_t *)(uintptr_t)c + table_at(&c->limits, BYTES);
}

/* ---- rows that come and go ---- */

uint32_t kl_record_new(struct kl_client *c)
{
    uint32_t number = c->records_free;

    c->records_used++;
    if (number == 0) {
        assert(c->records_fresh < c->limits.records);
        return ++c->records_fresh;
    }
    struct kl_record *r = kl_record_at(c, number);
    c->records_free = r->next;
    r->next = 0;
    return number;
}

void kl_record_free(struct kl_client *c, uint32_t number)
{
    struct kl_record *r = kl_record_at(c, number);

    memset(r, 0, sizeof *r);
    r->next = c->records_free;
    c->records_free = number;
    c->records_used--;
}

uint32_t kl_request_new(struct kl_client *c)
{
    uint32_t number = c->requests_free;

    c->requests_used++;
    if (number == 0) {
        assert(c->requests_fresh < c->limits.requests);
        return ++c->requests_fresh;
    }
    struct kl_request *q = kl_request_at(c, number);
    c->requests_free = q->next;
    q->next = 0;
    return number;
}

void kl_request_free(struct kl_client *c, uint32_t number)
{
    struct kl_request *q = kl_request_at(c, number);

    memset(q, 0, sizeof *q);
    q->next = c->requests_free;
    c->requests_free = number;
    c->requests_used--;
}

uint32_t kl_command_new(struct kl_client *c)
{
    uint32_t number = c->commands_free;

    c->commands_used++;
    if (number == 0) {
        assert(c->commands_fresh < c->limits.commands);
        return ++c->commands_fresh;
    }
    struct kl_command *m = kl_command_at(c, number);
    c->commands_free = m->next;
    m->next = 0;
    return number;
}

void kl_command_free(struct kl_client *c, uint32_t number)
{
    struct kl_command *m = kl_command_at(c, number);

    if (m->blob != 0) {
        kl_blob_free(c, m->blob);
    }
    memset(m, 0, sizeof *m);
    m->next = c->commands_free;
    c->commands_free = number;
    c->commands_used--;
}

/* ---- the whole ---- */

size_t kl_client_size(const struct kl_limits *limits)
{
    return table_at(limits, TABLES);
}

const struct kl_limits *kl_client_limits(const struct kl_client *c)
{
    return &c->limits;
}

static void copy_text(char *to, const char *from)
{
    size_t size = from == NULL ? 0 : strlen(from);

    assert(size < KL_TEXT);
    if (size > 0) {
        memcpy(to, from, size);
    }
}

static void init_texts(struct kl_client *c, const struct kl_config *config)
{
    copy_text(c->client_id, config->client_id);
    copy_text(c->transactional_id, config->transactional_id);
    copy_text(c->group_id, config->group_id);
    copy_text(c->instance_id, config->group_instance_id);
    c->is_transactional = config->transactional_id != NULL;
    c->has_group = config->group_id != NULL;
    c->has_instance = config->group_instance_id != NULL;
    c->config.client_id = c->config.transactional_id = NULL;
    c->config.group_id = c->config.group_instance_id = NULL;
    c->config.bootstrap = NULL;
}

void kl_client_init(struct kl_client *c, const struct kl_limits *limits,
                    const struct kl_config *config)
{
    memset(c, 0, kl_client_size(limits));
    c->limits = *limits;
    c->config = *config;
    init_texts(c, config);
    if (c->is_transactional) {
        c->config.enable_idempotence = 1;
        if (c->config.message_timeout_ms > c->config.transaction_timeout_ms) {
            c->config.message_timeout_ms = c->config.transaction_timeout_ms;
        }
    }
    if (c->config.enable_idempotence) { /* rdkafka_conf.c: rd_kafka_conf_finalize */
        c->config.acks = -1;
        c->config.max_in_flight = c->config.max_in_flight < KL_IDEMPOTENT_IN_FLIGHT
                                      ? c->config.max_in_flight
                                      : KL_IDEMPOTENT_IN_FLIGHT;
    }
    c->chance[0] = config->seed ^ 0x9e3779b97f4a7c15u;
    c->chance[1] = config->seed * 0xbf58476d1ce4e5b9u + 1;
    c->armed_us = KL_NEVER;
    c->controller = -1;
    c->metadata_us = c->fast_us = c->scan_us = KL_NEVER;
    c->pid.producer_id = -1;
    c->pid.epoch = -1;
    c->coordinator[0].broker = c->coordinator[1].broker = -1;
    c->group.generation = -1;
    c->group.heartbeat_us = c->group.session_us = c->group.poll_us = c->group.auto_commit_us =
        KL_NEVER;
    assert(config->bootstrap_count <= limits->brokers);
    for (uint32_t i = 0; i < config->bootstrap_count; i++) {
        kl_broker_at(c, kl_broker_add(c, config->bootstrap[i]))->is_bootstrap = 1;
    }
}

void kl_client_grow(const struct kl_client *from, struct kl_client *to,
                    const struct kl_limits *limits)
{
    memset(to, 0, kl_client_size(limits));
    memcpy(to, from, sizeof *to);
    to->limits = *limits;
    for (enum table i = 0; i < BYTES; i++) {
        assert(table_size(limits, i) >= table_size(&from->limits, i));
        memcpy((uint8_t *)to + table_at(limits, i),
               (const uint8_t *)from + table_at(&from->limits, i), table_size(&from->limits, i));
    }
    kl_blobs_move(from, to);
}

/* ---- chance: xorshift128+ ---- */

uint64_t kl_random(struct kl_client *c)
{
    uint64_t a = c->chance[0], b = c->chance[1];

    c->chance[0] = b;
    a ^= a << 23;
    c->chance[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return c->chance[1] + b;
}

uint64_t kl_below(struct kl_client *c, uint64_t n)
{
    assert(n > 0);
    return (kl_random(c) >> 11) % n;
}
