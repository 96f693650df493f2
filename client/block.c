/*
 * The block: where its tables begin, and the lists of free rows.
 *
 *     head | brokers | topics | partitions | records | requests | commands | blobs | bytes
 *
 * A table's place follows from the limits alone and stands in the head as an offset, so nothing in
 * the block points into it, and growing is copying table by table. Records, requests and commands
 * come and go: a row that is given back hangs in a list, a row that was never used is counted
 * (`fresh`). A free row is zero but for its link.
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

static uint64_t take(uint64_t *at, uint64_t count, size_t size)
{
    uint64_t here = *at;

    *at += (count * size + 7) & ~(uint64_t)7;
    return here;
}

static struct kl_places places_of(const struct kl_limits *l)
{
    uint64_t at = sizeof(struct kl_client);
    struct kl_places p = {0};

    p.brokers = take(&at, l->brokers, sizeof(struct kl_broker));
    p.topics = take(&at, l->topics, sizeof(struct kl_topic));
    p.partitions = take(&at, l->partitions, sizeof(struct kl_partition));
    p.records = take(&at, l->records, sizeof(struct kl_record));
    p.requests = take(&at, l->requests, sizeof(struct kl_request));
    p.commands = take(&at, l->commands, sizeof(struct kl_command));
    p.blobs = take(&at, (uint64_t)l->records + l->commands + 8, sizeof(struct kl_blob));
    p.bytes = take(&at, l->bytes, 1);
    p.end = at;
    return p;
}

struct kl_blob *kl_blob_row(const struct kl_client *c, uint32_t blob)
{
    return kl_row(c, c->at.blobs, sizeof(struct kl_blob), blob);
}

uint8_t *kl_bytes(const struct kl_client *c)
{
    return (uint8_t *)(uintptr_t)c + c->at.bytes;
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
    return (size_t)places_of(limits).end;
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
    c->at = places_of(limits);
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

static void copy_table(const struct kl_client *from, uint64_t from_at, uint64_t from_end,
                       struct kl_client *to, uint64_t to_at, uint64_t to_end)
{
    assert(to_end - to_at >= from_end - from_at);
    memcpy((uint8_t *)to + to_at, (const uint8_t *)from + from_at, (size_t)(from_end - from_at));
}

void kl_client_grow(const struct kl_client *from, struct kl_client *to,
                    const struct kl_limits *limits)
{
    const struct kl_places *a = &from->at, b = places_of(limits);

    memset(to, 0, (size_t)b.end);
    memcpy(to, from, sizeof *to);
    to->limits = *limits;
    to->at = b;
    copy_table(from, a->brokers, a->topics, to, b.brokers, b.topics);
    copy_table(from, a->topics, a->partitions, to, b.topics, b.partitions);
    copy_table(from, a->partitions, a->records, to, b.partitions, b.records);
    copy_table(from, a->records, a->requests, to, b.records, b.requests);
    copy_table(from, a->requests, a->commands, to, b.requests, b.commands);
    copy_table(from, a->commands, a->blobs, to, b.commands, b.blobs);
    copy_table(from, a->blobs, a->bytes, to, b.blobs, b.bytes);
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
