/*
 * Offsets: committed, and those of transactions that are still open.
 *
 *     OffsetCommit     staged ──► appended ──► committed
 *     TxnOffsetCommit  of the transaction ──► appended ──► marker: committed, or dropped
 *
 * The later one in the log wins, whichever way it came. Until the append has ended an offset is
 * staged; one that is staged or of an open transaction makes the partition unstable (KIP-447).
 * Texts above the limit are refused, but (as in Kafka) stay staged if others of the same request
 * are written.
 *
 * Source: GroupCoordinator.doCommitOffsets, doTxnCommitOffsets, handleDeleteOffsets;
 * GroupMetadataManager.storeOffsets, getOffsets, cleanupGroupMetadata, handleTxnCompletion;
 * GroupMetadata.onOffsetCommitAppend, completePendingTxnOffsetCommit, removeExpiredOffsets;
 * KafkaApis.handleOffsetCommitRequest.
 */
#include "broker/group_state.h"
#include "wire/messages.h"

/* OffsetCommit and TxnOffsetCommit as one: a walk over the partitions of either. */
struct commit {
    int16_t api, version;
    const void *request;
    const uint8_t *unknown;
    int64_t wall_ms;
    int64_t producer_id;
};
struct item {
    int32_t topic_at, at, index; /* of the topic, in it, of all */
    int32_t partition, leader_epoch;
    int64_t offset, commit_ms, expire_ms;
    const char *topic, *metadata;
    size_t metadata_size;
    bool unknown;
};

static void read_plain(const struct commit *c, struct item *i,
                       const struct wire_offset_commit_request_partition *p)
{
    const struct wire_offset_commit_request *r = c->request;
    i->partition = p->partition_index;
    i->offset = p->committed_offset;
    i->leader_epoch = p->committed_leader_epoch;
    i->metadata = wire_text(r, p->committed_metadata);
    i->commit_ms = p->commit_timestamp == -1 ? c->wall_ms : p->commit_timestamp;
    i->expire_ms = r->retention_time_ms == -1 ? -1 : c->wall_ms + r->retention_time_ms;
}

static void read_txn(const struct commit *c, struct item *i,
                     const struct wire_txn_offset_commit_request_partition *p)
{
    i->partition = p->partition_index;
    i->offset = p->committed_offset;
    i->leader_epoch = p->committed_leader_epoch;
    i->metadata = wire_text(c->request, p->committed_metadata);
    i->commit_ms = c->wall_ms;
    i->expire_ms = -1;
}

/* Steps on: begin with topic_at 0, at -1, index -1. */
static bool next_item(const struct commit *c, struct item *i)
{
    bool plain = c->api == WIRE_API_OFFSET_COMMIT;
    const struct wire_offset_commit_request *r = c->request;
    const struct wire_txn_offset_commit_request *t = c->request;
    struct wire_array topics = plain ? r->topics : t->topics, partitions = {0, 0};

    for (i->at++; i->topic_at < topics.count; i->topic_at++, i->at = 0) {
        const struct wire_offset_commit_request_topic *a =
            WIRE_ITEMS(c->request, topics, struct wire_offset_commit_request_topic);
        const struct wire_txn_offset_commit_request_topic *b =
            WIRE_ITEMS(c->request, topics, struct wire_txn_offset_commit_request_topic);
        partitions = plain ? a[i->topic_at].partitions : b[i->topic_at].partitions;
        i->topic = wire_text(c->request, plain ? a[i->topic_at].name : b[i->topic_at].name);
        if (i->at < partitions.count) {
            break;
        }
    }
    if (i->topic_at >= topics.count) {
        return false;
    }
    if (plain) {
        read_plain(c, i,
                   WIRE_ITEMS(c->request, partitions, struct wire_offset_commit_request_partition) +
                       i->at);
    } else {
        read_txn(
            c, i,
            WIRE_ITEMS(c->request, partitions, struct wire_txn_offset_commit_request_partition) +
                i->at);
    }
    i->metadata = i->metadata == NULL ? "" : i->metadata;
    i->metadata_size = strlen(i->metadata);
    i->index++;
    i->unknown = c->unknown != NULL && c->unknown[i->index] != 0;
    return true;
}
#define FIRST_ITEM                                                                                 \
    (struct item)                                                                                  \
    {                                                                                              \
        .at = -1, .index = -1                                                                      \
    }

static bool too_large(const struct kb_groups *g, const struct item *i)
{
    return i->metadata_size > (size_t)g->config.max_metadata;
}

/* Answers with `error` for all partitions but those that have their own. */
static void answer(const struct kb_gstep *s, uint64_t call, const struct commit *c, int32_t error,
                   bool sizes)
{
    struct wire_flat f;
    struct item i = FIRST_ITEM;
    void *head;
    struct wire_offset_commit_response_topic *topic = NULL;
    struct wire_offset_commit_response_partition *partition = NULL;
    const struct wire_offset_commit_request *r = c->request;
    const struct wire_txn_offset_commit_request *t = c->request;
    bool plain = c->api == WIRE_API_OFFSET_COMMIT;
    struct wire_array topics = plain ? r->topics : t->topics, list;
    int32_t done = 0;

    /* The two responses are alike field for field. */
    kb_flat_begin(s, &f, c->api, &head);
    list = wire_flat_array(&f, topics.count, sizeof *topic);
    if (plain) {
        ((struct wire_offset_commit_response *)head)->topics = list;
    } else {
        ((struct wire_txn_offset_commit_response *)head)->topics = list;
    }
    topic = wire_flat_at(&f, list.at);
    for (int32_t n = 0; n < list.count; n++) {
        const struct wire_offset_commit_request_topic *a =
            WIRE_ITEMS(c->request, topics, struct wire_offset_commit_request_topic);
        const struct wire_txn_offset_commit_request_topic *b =
            WIRE_ITEMS(c->request, topics, struct wire_txn_offset_commit_request_topic);
        topic[n].name = wire_flat_string(&f, wire_text(c->request, plain ? a[n].name : b[n].name));
        topic[n].partitions = wire_flat_array(
            &f, plain ? a[n].partitions.count : b[n].partitions.count, sizeof *partition);
    }
    while (next_item(c, &i)) {
        partition = wire_flat_at(&f, topic[i.topic_at].partitions.at);
        partition[i.at].partition_index = i.partition;
        partition[i.at].error_code =
            (int16_t)(i.unknown                      ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                      : sizes && too_large(s->g, &i) ? WIRE_ERROR_OFFSET_METADATA_TOO_LARGE
                                                     : error);
        done++;
    }
    kb_answer(s, call, c->api, c->version, &f);
}

static void fill(const struct kb_groups *g, struct kb_offset *o, const struct item *i)
{
    size_t size = i->metadata_size < g->limits.metadata ? i->metadata_size : g->limits.metadata - 1;

    o->offset = i->offset;
    o->leader_epoch = i->leader_epoch;
    o->commit_ms = i->commit_ms;
    o->expire_ms = i->expire_ms;
    o->log_offset = -1;
    o->metadata_size = (uint32_t)i->metadata_size;
    memset(kb_offset_metadata(g, o), 0, g->limits.metadata);
    memcpy(kb_offset_metadata(g, o), i->metadata, size);
}

static bool is_value(const struct kb_groups *g, const struct kb_offset *o, const struct item *i)
{
    return o->offset == i->offset && o->leader_epoch == i->leader_epoch &&
           o->commit_ms == i->commit_ms && o->expire_ms == i->expire_ms &&
           o->metadata_size == i->metadata_size &&
           strcmp(kb_offset_metadata(g, o), i->metadata) == 0;
}

/* ---- commit ---- */

static void stage(const struct kb_gstep *s, const struct commit *c, uint32_t group)
{
    struct kb_groups *g = s->g;
    enum kb_offset_kind kind = c->producer_id < 0 ? KB_O_STAGED : KB_O_TXN;
    struct item i = FIRST_ITEM;

    while (next_item(c, &i)) {
        if (!i.unknown) {
            uint32_t row = kb_offset_put(g, group, kind, c->producer_id, i.topic, i.partition);
            fill(g, kb_offset(g, row), &i);
        }
    }
}

static void store(const struct kb_gstep *s, const struct commit *c, uint32_t group,
                  int16_t producer_epoch)
{
    struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    struct item i = FIRST_ITEM;
    bool any = false;

    while (next_item(c, &i)) {
        any = any || (!i.unknown && !too_large(g, &i));
    }
    if (!any) {
        answer(s, s->in->call_id, c, WIRE_ERROR_NONE, true);
        return;
    }
    struct kb_append *a = kb_append_add(s, KB_A_OFFSETS, group);
    stage(s, c, group);
    struct kb_records records = kb_records_begin(s);
    i = FIRST_ITEM;
    while (next_item(c, &i)) {
        if (!i.unknown && !too_large(g, &i)) {
            struct kb_offset value = {.offset = i.offset,
                                      .leader_epoch = i.leader_epoch,
                                      .commit_ms = i.commit_ms,
                                      .expire_ms = i.expire_ms};
            kb_record_offset(&records, kb_group_text(g, p, KB_ID), i.topic, i.partition, &value,
                             i.metadata);
        }
    }
    kb_records_put(s, &records, p->partition, a->id, c->producer_id, producer_epoch, 0, -1);
}

static struct commit commit_of(const struct kb_gstep *s, int64_t producer_id)
{
    return (struct commit){.api = s->in->api,
                           .version = s->in->version,
                           .request = s->in->request,
                           .unknown = s->in->unknown,
                           .wall_ms = s->wall_ms,
                           .producer_id = producer_id};
}

static int32_t commit_error(const struct kb_gstep *s, uint32_t group,
                            const struct wire_offset_commit_request *r)
{
    struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    const char *id = wire_text(r, r->member_id);
    uint32_t row = kb_member_find(g, group, id, false);

    if (kb_group_fenced(g, group, id, wire_text(r, r->group_instance_id))) {
        return WIRE_ERROR_FENCED_INSTANCE_ID;
    }
    if (r->generation_id < 0 && p->state == KB_GROUP_EMPTY) {
        return WIRE_ERROR_NONE;
    }
    if (row == 0) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    if (r->generation_id != p->generation) {
        return WIRE_ERROR_ILLEGAL_GENERATION;
    }
    if (p->state == KB_GROUP_COMPLETING) {
        return WIRE_ERROR_REBALANCE_IN_PROGRESS;
    }
    kb_session_restart(s, kb_member(g, row));
    kb_group_due(g, group);
    return WIRE_ERROR_NONE;
}

static bool any_known(const struct commit *c)
{
    struct item i = FIRST_ITEM;

    while (next_item(c, &i)) {
        if (!i.unknown) {
            return true;
        }
    }
    return false;
}

void kb_on_commit(const struct kb_gstep *s)
{
    const struct wire_offset_commit_request *r = s->in->request;
    const char *name = wire_text(r, r->group_id);
    struct commit c = commit_of(s, -1);
    uint32_t group = 0;

    if (!any_known(&c)) {
        answer(s, s->in->call_id, &c, WIRE_ERROR_NONE, false);
        return;
    }
    int32_t error = kb_group_refused(s->g, name, false);
    if (error == WIRE_ERROR_NONE) {
        group = kb_group_find(s->g, name);
        if (group == 0 && r->generation_id < 0) {
            group = kb_group_add(s->g, name, s->wall_ms);
        }
        error = group == 0 ? WIRE_ERROR_ILLEGAL_GENERATION : commit_error(s, group, r);
    }
    if (error != WIRE_ERROR_NONE) {
        answer(s, s->in->call_id, &c, error, false);
        return;
    }
    store(s, &c, group, -1);
}

void kb_on_txn_commit(const struct kb_gstep *s)
{
    const struct wire_txn_offset_commit_request *r = s->in->request;
    const char *name = wire_text(r, r->group_id), *id = wire_text(r, r->member_id);
    struct commit c = commit_of(s, r->producer_id);
    uint32_t group = 0;
    int32_t error = !any_known(&c) ? WIRE_ERROR_NONE : kb_group_refused(s->g, name, true);

    if (error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS && s->in->version < 2) {
        error = WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
    }
    if (error != WIRE_ERROR_NONE || !any_known(&c)) {
        answer(s, s->in->call_id, &c, error, false);
        return;
    }
    group = kb_group_find(s->g, name);
    if (group == 0) {
        group = kb_group_add(s->g, name, s->wall_ms);
    }
    if (kb_group_fenced(s->g, group, id, wire_text(r, r->group_instance_id))) {
        error = WIRE_ERROR_FENCED_INSTANCE_ID;
    } else if (*id != 0 && kb_member_find(s->g, group, id, false) == 0) {
        error = WIRE_ERROR_UNKNOWN_MEMBER_ID;
    } else if (r->generation_id >= 0 && r->generation_id != kb_group(s->g, group)->generation) {
        error = WIRE_ERROR_ILLEGAL_GENERATION;
    }
    if (error != WIRE_ERROR_NONE) {
        answer(s, s->in->call_id, &c, error, false);
        return;
    }
    store(s, &c, group, r->producer_epoch);
}

static void commit_row(struct kb_groups *g, uint32_t group, const struct kb_offset *from,
                       int64_t log_offset)
{
    uint32_t old =
        kb_offset_find(g, group, KB_O_COMMITTED, -1, kb_offset_topic(from), from->partition);

    if (old != 0 && kb_offset(g, old)->log_offset >= log_offset) {
        return;
    }
    struct kb_offset *to = kb_offset(
        g, kb_offset_put(g, group, KB_O_COMMITTED, -1, kb_offset_topic(from), from->partition));
    kb_offset_copy_value(g, to, from);
    to->log_offset = log_offset;
}

static void item_appended(struct kb_groups *g, uint32_t group, const struct commit *c,
                          const struct item *i, bool ok, int64_t log_offset)
{
    bool txn = c->producer_id >= 0;
    uint32_t row = kb_offset_find(g, group, txn ? KB_O_TXN : KB_O_STAGED, c->producer_id, i->topic,
                                  i->partition);

    if (row == 0) {
        return;
    }
    struct kb_offset *o = kb_offset(g, row);
    bool same = is_value(g, o, i);
    if (txn) {
        if (!ok) {
            kb_offset_drop(g, row);
        } else if (same) {
            o->log_offset = log_offset;
        }
        return;
    }
    if (ok) { /* a later commit may be staged by now: what was written is what counts */
        struct kb_offset *to;
        uint32_t old = kb_offset_find(g, group, KB_O_COMMITTED, -1, i->topic, i->partition);
        if (old == 0 || kb_offset(g, old)->log_offset < log_offset) {
            to = kb_offset(g, kb_offset_put(g, group, KB_O_COMMITTED, -1, i->topic, i->partition));
            fill(g, to, i);
            to->log_offset = log_offset;
        }
    }
    if (same) {
        kb_offset_drop(g, row);
    }
}

void kb_offsets_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error,
                         int64_t offset)
{
    struct kb_groups *g = s->g;
    const uint8_t *request = kb_append_request(g, a);
    const struct wire_txn_offset_commit_request *t = (const void *)request;
    struct commit c = {.api = a->api,
                       .version = a->version,
                       .request = request,
                       .unknown = request + a->request_size,
                       .wall_ms = a->wall_ms,
                       .producer_id = a->api == WIRE_API_OFFSET_COMMIT ? -1 : t->producer_id};
    struct item i = FIRST_ITEM;

    if (a->group != 0) {
        while (next_item(&c, &i)) {
            if (!i.unknown && !too_large(g, &i)) {
                item_appended(g, a->group, &c, &i, error == WIRE_ERROR_NONE, offset);
            }
        }
    }
    answer(s, a->call_id, &c, error, true);
}

void kb_txn_ended(struct kb_groups *g, uint32_t group, int64_t producer_id, bool commit)
{
    uint32_t row = kb_group(g, group)->first_offset;

    while (row != 0) {
        uint32_t next = kb_offset(g, row)->row.next;
        const struct kb_offset *o = kb_offset(g, row);
        if (o->kind == KB_O_TXN && o->producer_id == producer_id) {
            if (commit && o->log_offset >= 0) {
                commit_row(g, group, o, o->log_offset);
                next = kb_offset(g, row)->row.next; /* one may have been added behind */
            }
            kb_offset_drop(g, row);
        }
        row = next;
    }
}
