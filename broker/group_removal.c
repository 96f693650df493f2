/*
 * Offsets and groups that go: expired, deleted by name, or the last offset of a group without
 * members.
 *
 *     mark what goes (log_offset -2) ──► tombstones, the group's own where nothing is left ──► gone
 *
 * The tombstones are not waited for: what is gone here and in no log comes back with the next load,
 * and goes again.
 *
 * Source: GroupCoordinator.handleDeleteGroups, handleDeleteOffsets; GroupMetadataManager
 * .cleanupGroupMetadata; GroupMetadata.removeExpiredOffsets, removeOffsets; KIP-211, KIP-496.
 */
#include "broker/group_state.h"
#include "wire/messages.h"

/* Writes tombstones for the marked offsets (log_offset -2), and the group's own where it is done
   with: no members, no offsets. `all`: all offsets are meant. */
static void sweep(const struct kb_gstep *s, uint32_t group, bool dead)
{
    struct kb_groups *g = s->g;
    struct kb_group *p = kb_group(g, group);
    struct kb_records records = kb_records_begin(s);
    const char *name = kb_group_text(g, p, KB_ID);

    for (uint32_t row = p->first_offset, next; row != 0; row = next) {
        const struct kb_offset *o = kb_offset(g, row);
        next = o->row.next;
        if (o->log_offset == -2) {
            if (o->kind == KB_O_COMMITTED) {
                kb_record_offset(&records, name, kb_offset_topic(o), o->partition, NULL, NULL);
            }
            kb_offset_drop(g, row);
        }
    }
    dead = dead || (p->state == KB_GROUP_EMPTY && p->first_offset == 0);
    if (dead && p->generation > 0) {
        kb_record_group_end(&records, name);
    }
    if (records.count != 0) {
        kb_records_put(s, &records, p->partition, 0, -1, -1, -1, 0);
    }
    if (dead) {
        kb_group_drop(g, group);
    }
}

static void mark(struct kb_groups *g, uint32_t group, const char *topic, int32_t partition)
{
    for (uint32_t row = kb_group(g, group)->first_offset; row != 0;
         row = kb_offset(g, row)->row.next) {
        struct kb_offset *o = kb_offset(g, row);
        if (topic == NULL ||
            (o->partition == partition && strcmp(kb_offset_topic(o), topic) == 0)) {
            o->log_offset = -2;
        }
    }
}

static bool is_expired(const struct kb_gstep *s, const struct kb_group *p,
                       const struct kb_offset *o)
{
    int64_t base =
        p->state == KB_GROUP_EMPTY && p->has_type && p->state_ms != -1 ? p->state_ms : o->commit_ms;
    return o->expire_ms != -1 ? s->wall_ms >= o->expire_ms
                              : s->wall_ms - base >= s->g->config.offsets_retention_ms;
}

static void mark_expired(const struct kb_gstep *s, uint32_t group)
{
    struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    bool consumer = p->has_type && strcmp(kb_group_text(g, p, KB_TYPE), "consumer") == 0;
    bool stable = p->state == KB_GROUP_STABLE && consumer;

    if (p->has_type && p->state != KB_GROUP_EMPTY && !stable) {
        return;
    }
    for (uint32_t row = p->first_offset; row != 0; row = kb_offset(g, row)->row.next) {
        struct kb_offset *o = kb_offset(g, row);
        if (o->kind == KB_O_COMMITTED && is_expired(s, p, o) &&
            kb_offset_find(g, group, KB_O_STAGED, -1, kb_offset_topic(o), o->partition) == 0 &&
            !(stable && kb_group_reads(g, group, kb_offset_topic(o)))) {
            o->log_offset = -2;
        }
    }
}

void kb_offsets_cleanup(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;

    for (uint32_t row = 1; row <= g->tables[KB_T_GROUP].high; row++) {
        if (kb_group(g, row)->row.used && !kb_group(g, row)->loading) {
            mark_expired(s, row);
            sweep(s, row, false);
        }
    }
}

void kb_on_delete_groups(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    const struct wire_delete_groups_request *r = s->in->request;
    const struct wire_string *names = WIRE_ITEMS(r, r->groups_names, struct wire_string);
    int32_t count = r->groups_names.count;
    int16_t *errors =
        (int16_t *)(void *)((uint8_t *)s->out->scratch + kb_groups_scratch_size(&g->limits) -
                            ((g->limits.request + 7) & ~7u));
    struct wire_flat f;
    void *head;

    for (int32_t i = 0; i < count; i++) {
        const char *name = wire_text(r, names[i]);
        int32_t error = kb_group_refused(g, name, false);
        uint32_t group = error == WIRE_ERROR_NONE ? kb_group_find(g, name) : 0;
        if (error == WIRE_ERROR_NONE && group == 0) {
            error = WIRE_ERROR_GROUP_ID_NOT_FOUND;
        } else if (group != 0 && kb_group(g, group)->state != KB_GROUP_EMPTY) {
            error = WIRE_ERROR_NON_EMPTY_GROUP;
        } else if (group != 0) {
            mark(g, group, NULL, 0);
            sweep(s, group, true);
        }
        errors[i] = (int16_t)error;
    }
    kb_flat_begin(s, &f, WIRE_API_DELETE_GROUPS, &head);
    struct wire_delete_groups_response *out = head;
    out->results = wire_flat_array(&f, count, sizeof(struct wire_delete_groups_response_result));
    for (int32_t i = 0; i < out->results.count; i++) {
        struct wire_delete_groups_response_result *item = wire_flat_at(&f, out->results.at);
        item[i].group_id = wire_flat_string(&f, wire_text(r, names[i]));
        item[i].error_code = errors[i];
    }
    kb_answer(s, s->in->call_id, WIRE_API_DELETE_GROUPS, s->in->version, &f);
}

/* ---- OffsetDelete ---- */

static int32_t delete_one(const struct kb_gstep *s, uint32_t group, const char *topic,
                          int32_t partition, bool unknown)
{
    if (unknown) {
        return WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (kb_group(s->g, group)->state != KB_GROUP_EMPTY && kb_group_reads(s->g, group, topic)) {
        return WIRE_ERROR_GROUP_SUBSCRIBED_TO_TOPIC;
    }
    mark(s->g, group, topic, partition);
    return WIRE_ERROR_NONE;
}

static int32_t delete_error(const struct kb_groups *g, const char *name, uint32_t *group)
{
    int32_t error = kb_group_refused(g, name, true);

    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    *group = kb_group_find(g, name);
    if (*group == 0) {
        return WIRE_ERROR_GROUP_ID_NOT_FOUND;
    }
    const struct kb_group *p = kb_group(g, *group);
    bool consumer = p->has_type && strcmp(kb_group_text(g, p, KB_TYPE), "consumer") == 0;
    return p->state != KB_GROUP_EMPTY && !consumer ? WIRE_ERROR_NON_EMPTY_GROUP : WIRE_ERROR_NONE;
}

void kb_on_offset_delete(const struct kb_gstep *s)
{
    const struct wire_offset_delete_request *r = s->in->request;
    const struct wire_offset_delete_request_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_offset_delete_request_topic);
    uint32_t group = 0, index = 0;
    int32_t error = delete_error(s->g, wire_text(r, r->group_id), &group);
    struct wire_flat f;
    bool any = false;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_OFFSET_DELETE, &head);
    struct wire_offset_delete_response *out = head;
    out->error_code = (int16_t)error;
    if (error == WIRE_ERROR_NONE) {
        out->topics =
            wire_flat_array(&f, r->topics.count, sizeof(struct wire_offset_delete_response_topic));
    }
    for (int32_t n = 0; n < out->topics.count; n++) {
        struct wire_offset_delete_response_topic *topic = wire_flat_at(&f, out->topics.at);
        const struct wire_offset_delete_request_partition *asked =
            WIRE_ITEMS(r, topics[n].partitions, struct wire_offset_delete_request_partition);
        const char *name = wire_text(r, topics[n].name);
        topic[n].name = wire_flat_string(&f, name);
        topic[n].partitions = wire_flat_array(&f, topics[n].partitions.count,
                                              sizeof(struct wire_offset_delete_response_partition));
        for (int32_t i = 0; i < topic[n].partitions.count; i++, index++) {
            struct wire_offset_delete_response_partition *item =
                wire_flat_at(&f, topic[n].partitions.at);
            item[i].partition_index = asked[i].partition_index;
            item[i].error_code =
                (int16_t)delete_one(s, group, name, asked[i].partition_index,
                                    s->in->unknown != NULL && s->in->unknown[index] != 0);
            any = any || item[i].error_code == WIRE_ERROR_NONE;
        }
    }
    kb_answer(s, s->in->call_id, WIRE_API_OFFSET_DELETE, s->in->version, &f);
    if (any) {
        sweep(s, group, false); /* the records overwrite the answer, which is out */
    }
}
