/*
 * What the group coordinator writes: groups and offsets as records.
 *
 *     key 1 | group | topic | partition       value 3 | offset | leader epoch | text | time
 *                                             value 1 | offset | text | time | expires (old
 * clients) key 2 | group                           value 3 | type | generation | protocol | leader
 * | since | members …
 *
 * Numbers are big-endian, strings have a 16-bit length (-1: null), bytes and arrays a 32-bit one.
 * Records are built in the scratch of the step and put as one append; a request that waits for its
 * end is kept as a row.
 *
 * Source: GroupMetadataManager.storeGroup, storeOffsets, offsetCommitKey, offsetCommitValue,
 * groupMetadataKey, groupMetadataValue; OffsetCommitValue.json, GroupMetadataValue.json.
 */
#include "broker/group_state.h"

enum { APPEND_ROW_BITS = 24 }; /* an append's number tells its row */

uint32_t kb_append_find(const struct kb_groups *g, uint64_t id)
{
    uint32_t row = (uint32_t)(id & ((1u << APPEND_ROW_BITS) - 1));

    if (row == 0 || row > g->tables[KB_T_APPEND].high) {
        return 0;
    }
    const struct kb_append *a = kb_grow(g, KB_T_APPEND, row);
    return a->row.used && a->id == id ? row : 0;
}

struct kb_append *kb_append_add(const struct kb_gstep *s, enum kb_append_kind kind, uint32_t group)
{
    struct kb_groups *g = s->g;
    uint32_t row = kb_row_take(g, KB_T_APPEND);
    struct kb_append *a = kb_grow(g, KB_T_APPEND, row);
    uint8_t *request = kb_append_request(g, a);
    uint32_t size = s->in->request_size;

    a->id = ++g->serial << APPEND_ROW_BITS | row;
    a->call_id = s->in->call_id;
    a->group = group;
    a->group_serial = kb_group(g, group)->serial;
    a->generation = kb_group(g, group)->generation;
    a->kind = kind;
    a->api = s->in->api;
    a->version = s->in->version;
    a->wall_ms = s->wall_ms;
    a->request_size = size;
    memcpy(request, s->in->request, size);
    if (kind == KB_A_OFFSETS && s->in->unknown != NULL) { /* no more partitions than bytes */
        memcpy(request + size, s->in->unknown, kb_commit_count(s->in->api, s->in->request));
    }
    return a;
}

struct kb_records kb_records_begin(const struct kb_gstep *s)
{
    size_t list = sizeof(struct kb_log_record) * (s->g->limits.offsets + 2);

    return (struct kb_records){
        .list = s->out->scratch,
        .w = {.bytes = (uint8_t *)s->out->scratch + list,
              .capacity = kb_groups_scratch_size(&s->g->limits) - list},
    };
}

static void put_text(struct wire_writer *w, const char *text)
{
    if (text == NULL) {
        wire_put_int16(w, -1);
    } else {
        wire_put_string(w, text, strlen(text));
    }
}

static void put_bytes(struct wire_writer *w, const void *bytes, size_t size)
{
    wire_put_int32(w, (int32_t)size);
    wire_put(w, bytes, size);
}

/* The record from `start` on, its value from `value` on. */
static void close_record(struct kb_records *r, size_t start, size_t value, bool tombstone)
{
    assert(r->w.used <= r->w.capacity);
    r->list[r->count++] = (struct kb_log_record){
        .key = r->w.bytes + start,
        .key_size = (int32_t)(value - start),
        .value = tombstone ? NULL : r->w.bytes + value,
        .value_size = tombstone ? -1 : (int32_t)(r->w.used - value),
    };
}

void kb_record_offset(struct kb_records *r, const char *group, const char *topic, int32_t partition,
                      const struct kb_offset *value, const char *metadata)
{
    struct wire_writer *w = &r->w;
    size_t start = w->used, middle;

    wire_put_int16(w, 1);
    put_text(w, group);
    put_text(w, topic);
    wire_put_int32(w, partition);
    middle = w->used;
    if (value != NULL) {
        bool expires = value->expire_ms != -1;
        wire_put_int16(w, expires ? 1 : 3);
        wire_put_int64(w, value->offset);
        if (!expires) {
            wire_put_int32(w, value->leader_epoch);
        }
        put_text(w, metadata);
        wire_put_int64(w, value->commit_ms);
        if (expires) {
            wire_put_int64(w, value->expire_ms);
        }
    }
    close_record(r, start, middle, value == NULL);
}

static size_t put_group_key(struct kb_records *r, const char *group)
{
    wire_put_int16(&r->w, 2);
    put_text(&r->w, group);
    return r->w.used;
}

void kb_record_group_end(struct kb_records *r, const char *group)
{
    size_t start = r->w.used;
    close_record(r, start, put_group_key(r, group), true);
}

static void put_assignment(struct wire_writer *w, const struct kb_groups *g,
                           const struct kb_member *m, const struct wire_sync_group_request *sync)
{
    const struct wire_sync_group_request_assignment *found = NULL, *items;

    if (sync == NULL) {
        put_bytes(w, kb_assignment(g, m), m->assignment_size);
        return;
    }
    items = WIRE_ITEMS(sync, sync->assignments, struct wire_sync_group_request_assignment);
    for (int32_t i = 0; i < sync->assignments.count; i++) {
        if (strcmp(wire_text(sync, items[i].member_id), kb_member_text(g, m, KB_ID)) == 0) {
            found = &items[i];
        }
    }
    if (found == NULL) {
        put_bytes(w, "", 0);
    } else {
        put_bytes(w, wire_data(sync, found->assignment), (size_t)found->assignment.size);
    }
}

static void put_member(struct wire_writer *w, const struct kb_groups *g, const struct kb_group *p,
                       const struct kb_member *m, const struct wire_sync_group_request *sync)
{
    struct kb_log_record metadata = {0};

    kb_member_metadata(g, m, kb_group_text(g, p, KB_PROTOCOL), &metadata);
    put_text(w, kb_member_text(g, m, KB_ID));
    put_text(w, m->has_instance ? kb_member_text(g, m, KB_INSTANCE) : NULL);
    put_text(w, kb_member_text(g, m, KB_CLIENT));
    put_text(w, kb_member_text(g, m, KB_HOST));
    wire_put_int32(w, m->rebalance_ms);
    wire_put_int32(w, m->session_ms);
    put_bytes(w, metadata.value, (size_t)metadata.value_size);
    put_assignment(w, g, m, sync);
}

void kb_group_store(const struct kb_gstep *s, uint32_t group,
                    const struct wire_sync_group_request *sync, uint64_t append_id)
{
    const struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    struct kb_records r = kb_records_begin(s);
    struct wire_writer *w = &r.w;
    size_t value = put_group_key(&r, kb_group_text(g, p, KB_ID));

    wire_put_int16(w, 3);
    put_text(w, p->has_type ? kb_group_text(g, p, KB_TYPE) : "");
    wire_put_int32(w, p->generation);
    put_text(w, p->has_protocol ? kb_group_text(g, p, KB_PROTOCOL) : NULL);
    put_text(w, p->leader == 0 ? NULL : kb_member_text(g, kb_member(g, p->leader), KB_ID));
    wire_put_int64(w, p->state_ms);
    wire_put_int32(w, (int32_t)p->members);
    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        put_member(w, g, p, kb_member(g, row), sync);
    }
    close_record(&r, 0, value, false);
    kb_records_put(s, &r, p->partition, append_id, -1, -1, -1, -1);
}

void kb_records_put(const struct kb_gstep *s, const struct kb_records *r, int32_t partition,
                    uint64_t append_id, int64_t producer_id, int16_t producer_epoch,
                    int32_t base_sequence, int16_t acks)
{
    s->out->put(s->out->context, &(struct kb_groups_output){.kind = KB_GROUPS_OUT_APPEND,
                                                            .append_id = append_id,
                                                            .partition = partition,
                                                            .records = r->list,
                                                            .count = r->count,
                                                            .timestamp_ms = s->wall_ms,
                                                            .producer_id = producer_id,
                                                            .producer_epoch = producer_epoch,
                                                            .base_sequence = base_sequence,
                                                            .acks = acks});
}
