/*
 * The group coordinator in its broker: requests, events and time into its inputs, its outputs into
 * answers, batches, loads and timers.
 *
 * What it cannot know is told here: whether a partition exists (the metadata cache), what tells a
 * new member id from all others (drawn from the node's seed), what the clock says.
 *
 * Source: Kafka KafkaApis.handleOffsetCommitRequest, handleTxnOffsetCommitRequest,
 * handleOffsetDeleteRequest (the metadata cache is asked there), handleJoinGroupRequest;
 * GroupCoordinator.apply (its settings). Differs: how many partitions __consumer_offsets has is the
 * node's setting here; Kafka asks ZooKeeper first, once, at its start.
 */
#include <stdio.h>
#include <string.h>

#include "broker/by_topic.h"
#include "broker/coordinators.h"

struct kb_groups *kb_groups_of(const struct kb_broker *b)
{
    return (struct kb_groups *)(void *)kb_region(b, b->groups_at);
}

struct kb_groups_config kb_groups_config_of(const struct kb_broker *b)
{
    struct kb_groups_config c = kb_groups_config_default();
    c.offsets_retention_ms = kb_property_int(b, "offsets.retention.minutes") * 60 * 1000;
    c.retention_check_us = kb_property_int(b, "offsets.retention.check.interval.ms") * 1000;
    c.min_session_ms = (int32_t)kb_property_int(b, "group.min.session.timeout.ms");
    c.max_session_ms = (int32_t)kb_property_int(b, "group.max.session.timeout.ms");
    c.max_size = (int32_t)kb_property_int(b, "group.max.size");
    c.initial_delay_ms = (int32_t)kb_property_int(b, "group.initial.rebalance.delay.ms");
    c.max_metadata = (int32_t)kb_property_int(b, "offset.metadata.max.bytes");
    return c;
}

/* ---- what it says ---- */

static void put_append(struct kb_turn *t, const struct kb_groups_output *o)
{
    kb_coordinator_append(
        t, KB_COORDINATOR_GROUPS,
        &(struct kb_coordinator_append){
            .append_id = o->append_id,
            .timeout_us = kb_property_int(t->b, "offsets.commit.timeout.ms") * 1000,
            .timestamp_ms = o->timestamp_ms,
            .producer_id = o->producer_id,
            .producer_epoch = o->producer_epoch,
            .base_sequence = o->base_sequence,
            .acks =
                o->acks == 0 ? 0 : (int16_t)kb_property_int(t->b, "offsets.commit.required.acks"),
            .partition = o->partition,
            .count = o->count,
            .records = o->records,
            .transactional = o->producer_id >= 0});
}

static void put_one(void *context, const struct kb_groups_output *o)
{
    struct kb_turn *t = context;
    switch ((enum kb_groups_output_kind)o->kind) {
    case KB_GROUPS_OUT_ANSWER:
        kb_data_call_answer(t, o->call_id, o->message, o->size);
        return;
    case KB_GROUPS_OUT_APPEND:
        put_append(t, o);
        return;
    case KB_GROUPS_OUT_LOAD:
        kb_coordinator_load(t, KB_COORDINATOR_GROUPS, o->partition);
        return;
    case KB_GROUPS_OUT_TIMER:
        kb_coordinator_arm(t, KB_COORDINATOR_GROUPS, o->due_us);
        return;
    }
}

/* ---- what it is told ---- */

/* Which limit is short, told from those of others. */
static const char *of_groups(const char *short_of)
{
    static const char *const names[] = {"groups.groups",   "groups.members",   "groups.offsets",
                                        "groups.appends",  "groups.name",      "groups.topic_name",
                                        "groups.metadata", "groups.protocols", "groups.assignment",
                                        "groups.request",  "groups.scratch"};
    return kb_coordinator_limit(names, sizeof names / sizeof names[0], short_of);
}

static enum sm_err step(struct kb_turn *t, struct kb_groups_input in)
{
    struct kb_groups *g = kb_groups_of(t->b);
    size_t before = t->scratch_used;
    struct kb_groups_outputs out = {
        .put = put_one,
        .context = t,
        .scratch = kb_turn_room(t, kb_groups_scratch_size(kb_groups_limits(g)))};
    in.wall_ms = kb_wall_ms(t);
    enum sm_err err = kb_groups_step(g, t->now_us, &in, &out);
    if (err == SM_ERR_LIMIT)
        t->out->short_of = of_groups(out.short_of);
    t->scratch_used = before;
    return err;
}

static enum sm_err start(struct kb_turn *t)
{
    return step(t, (struct kb_groups_input){.kind = KB_GROUPS_START});
}

static enum sm_err on_timer(struct kb_turn *t)
{
    return step(t, (struct kb_groups_input){.kind = KB_GROUPS_TIMER});
}

static enum sm_err load(struct kb_turn *t, int32_t partition, const struct kb_log_batch *batch)
{
    return step(t,
                (struct kb_groups_input){
                    .kind = KB_GROUPS_LOAD, .partition = partition, .batches = batch, .count = 1});
}

static enum sm_err hear(struct kb_turn *t, const struct kb_event *e)
{
    static const uint32_t kinds[] = {
        [KB_EVENT_ELECTED] = KB_GROUPS_ELECTED,   [KB_EVENT_RESIGNED] = KB_GROUPS_RESIGNED,
        [KB_EVENT_APPENDED] = KB_GROUPS_APPENDED, [KB_EVENT_MARKER] = KB_GROUPS_MARKER,
        [KB_EVENT_LOADED] = KB_GROUPS_LOADED,
    };
    return step(t, (struct kb_groups_input){.kind = kinds[e->kind],
                                            .partition = e->partition,
                                            .epoch = e->epoch,
                                            .error = e->error,
                                            .append_id = e->append_id,
                                            .offset = e->offset,
                                            .producer_id = e->producer_id,
                                            .commit = e->commit});
}

/* ---- requests ---- */

/* Version 0 keeps offsets in ZooKeeper: not here. */
static bool serves(int32_t api, int32_t version)
{
    switch (api) {
    case WIRE_API_OFFSET_COMMIT:
    case WIRE_API_OFFSET_FETCH:
        return version > 0;
    case WIRE_API_JOIN_GROUP:
    case WIRE_API_SYNC_GROUP:
    case WIRE_API_HEARTBEAT:
    case WIRE_API_LEAVE_GROUP:
    case WIRE_API_DESCRIBE_GROUPS:
    case WIRE_API_LIST_GROUPS:
    case WIRE_API_DELETE_GROUPS:
    case WIRE_API_OFFSET_DELETE:
    case WIRE_API_TXN_OFFSET_COMMIT:
        return true;
    }
    return false;
}

static void judge(struct kb_turn *t, const void *message, struct wire_string topic,
                  const void *partition, void *item)
{
    int32_t number; /* the first field of all three */
    memcpy(&number, partition, sizeof number);
    *(uint8_t *)item = kb_data_unknown(t, message, topic, number) != 0;
}

/* A byte for each partition that the request names: 1 where the metadata do not have it. */
static const uint8_t *unknown_of(struct kb_turn *t)
{
    uint32_t count;
    const void *q = t->in->message;
    const struct kb_shape commit =
        KB_SHAPE(offset_commit_request, topic, name, partitions, partition);
    const struct kb_shape in_transaction =
        KB_SHAPE(txn_offset_commit_request, topic, name, partitions, partition);
    const struct kb_shape deletion =
        KB_SHAPE(offset_delete_request, topic, name, partitions, partition);
    _Static_assert(offsetof(struct wire_offset_commit_request_partition, partition_index) == 0 &&
                       offsetof(struct wire_txn_offset_commit_request_partition, partition_index) ==
                           0 &&
                       offsetof(struct wire_offset_delete_request_partition, partition_index) == 0,
                   "judge reads the number of a partition where it begins");
    switch (t->in->api) {
    case WIRE_API_OFFSET_COMMIT:
        return kb_topics_read(t, q, ((const struct wire_offset_commit_request *)q)->topics, &commit,
                              1, judge, &count);
    case WIRE_API_TXN_OFFSET_COMMIT:
        return kb_topics_read(t, q, ((const struct wire_txn_offset_commit_request *)q)->topics,
                              &in_transaction, 1, judge, &count);
    case WIRE_API_OFFSET_DELETE:
        return kb_topics_read(t, q, ((const struct wire_offset_delete_request *)q)->topics,
                              &deletion, 1, judge, &count);
    }
    return NULL;
}

/* As java.util.UUID.randomUUID writes it. */
static void draw_uuid(struct kb_broker *b, char out[40])
{
    uint32_t v[4];
    for (int i = 0; i < 4; i++)
        v[i] = kb_draw(b, UINT32_MAX);
    snprintf(out, 40, "%08x-%04x-4%03x-%04x-%04x%08x", v[0], v[1] >> 16, v[1] & 0xfff,
             0x8000 | (v[2] >> 16 & 0x3fff), v[2] & 0xffff, v[3]);
}

static enum sm_err on_request(struct kb_turn *t)
{
    char uuid[40] = "";
    uint64_t random = t->b->random;
    struct kb_groups_input in = {
        .kind = KB_GROUPS_REQUEST,
        .api = (int16_t)t->in->api,
        .version = (int16_t)t->in->version,
        .request = t->in->message,
        .request_size = (uint32_t)t->in->size,
        .unknown = unknown_of(t),
        .client_id = t->in->client_id == NULL ? "" : t->in->client_id,
        .client_host = t->in->client_host == NULL ? "" : t->in->client_host,
        .uuid = uuid,
        .call_id = kb_data_call_open(t),
    };
    if (in.call_id == 0)
        return SM_ERR_LIMIT;
    if (t->in->api == WIRE_API_JOIN_GROUP)
        draw_uuid(t->b, uuid);
    enum sm_err err = step(t, in);
    if (err != SM_ERR_OK) {
        kb_data_call_cancel(t, in.call_id);
        t->b->random = random;
    }
    return err;
}

static uint32_t partitions(const struct kb_broker *b)
{
    return b->limits.groups.partitions;
}

/* ---- room ---- */

/* A step writes a group at most three times (it expires, ends, is swept), and each of its members
   may be the one that ends a rebalance. */
static uint32_t most(const struct kb_broker *b)
{
    const struct kb_groups_limits *l = kb_groups_limits(kb_groups_of(b));
    return 3 * l->groups + l->members + 8;
}

/* The state's own, the bytes of `unknown`, and a batch of what it asks to append. */
static size_t scratch(const struct kb_broker *b)
{
    const struct kb_groups_limits *l = kb_groups_limits(kb_groups_of(b));
    return 3 * kb_groups_scratch_size(l) + 64 * (size_t)(l->offsets + 2);
}

const struct kb_coordinator_row kb_groups_row = {
    .topic = "__consumer_offsets",
    .partitions = partitions,
    .serves = serves,
    .start = start,
    .request = on_request,
    .hear = hear,
    .load = load,
    .timer = on_timer,
    .most = most,
    .scratch = scratch,
};
