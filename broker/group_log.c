/*
 * The log of groups, read (what stands in it: broker/group_store.c); who owns which partition.
 *
 * A record that is none of ours, or does not hold together, is passed over (Kafka gives up loading
 * the partition). While a partition is loaded its groups are marked and nobody sees them; a group
 * that was here before stays as it is, whatever the log says of it.
 *
 * Source: GroupMetadataManager.doLoadGroupsAndOffsets, removeGroupsAndOffsets, readMessageKey,
 * readOffsetMessageValue, readGroupMessageValue, maybeUpdateCoordinatorEpoch;
 * GroupCoordinator.onGroupLoaded, onGroupUnloaded.
 */
#include "broker/group_state.h"
#include "broker/replicas.h"

/* ---- in ---- */

struct text { /* of a record: not NUL-terminated */
    const char *at;
    int32_t size; /* -1: null */
};

static struct text take_text(struct wire_reader *r)
{
    struct text t = {.size = wire_take_length(r, 2)};
    t.at = t.size < 0 ? NULL : (const char *)wire_take(r, (size_t)t.size);
    r->bad = r->bad || (t.size > 0 && memchr(t.at, 0, (size_t)t.size) != NULL);
    return t;
}

static struct text take_bytes(struct wire_reader *r)
{
    struct text t = {.size = wire_take_length(r, 4)};
    t.at = t.size < 0 ? NULL : (const char *)wire_take(r, (size_t)t.size);
    return t;
}

static void keep_text(char *to, struct text t, size_t room)
{
    memset(to, 0, room);
    if (t.size > 0) {
        assert((size_t)t.size < room);
        memcpy(to, t.at, (size_t)t.size);
    }
}

struct key {
    int16_t version;
    struct text group, topic;
    int32_t partition;
};

static bool read_key(const struct kb_log_record *record, struct key *key)
{
    struct wire_reader r = wire_reader_of(record->key, (size_t)record->key_size, false);

    *key = (struct key){.version = wire_take_int16(&r)};
    if (key->version < 0 || key->version > 2) {
        return false;
    }
    key->group = take_text(&r);
    if (key->version < 2) {
        key->topic = take_text(&r);
        key->partition = wire_take_int32(&r);
        r.bad = r.bad || key->topic.size < 0;
    }
    return !r.bad && key->group.size >= 0;
}

struct offset_value {
    int64_t offset, commit_ms, expire_ms;
    int32_t leader_epoch;
    struct text metadata;
};

static bool read_offset(const struct kb_log_record *record, struct offset_value *v)
{
    struct wire_reader r = wire_reader_of(record->value, (size_t)record->value_size, false);
    int16_t version = wire_take_int16(&r);

    *v = (struct offset_value){.offset = wire_take_int64(&r), .expire_ms = -1, .leader_epoch = -1};
    if (version == 3) {
        v->leader_epoch = wire_take_int32(&r);
    }
    v->metadata = take_text(&r);
    v->commit_ms = wire_take_int64(&r);
    if (version == 1) {
        v->expire_ms = wire_take_int64(&r);
    }
    return !r.bad && version >= 0 && version <= 3;
}

struct member_value {
    struct text id, instance, client, host, subscription, assignment;
    int32_t rebalance_ms, session_ms;
};
struct group_value {
    struct text type, protocol, leader;
    int32_t generation, members;
    int64_t state_ms;
    int16_t version;
    struct wire_reader rest; /* the members */
};

static bool read_member(struct group_value *v, struct member_value *m)
{
    struct wire_reader *r = &v->rest;

    m->id = take_text(r);
    m->instance = v->version >= 3 ? take_text(r) : (struct text){NULL, -1};
    m->client = take_text(r);
    m->host = take_text(r);
    m->rebalance_ms = v->version >= 1 ? wire_take_int32(r) : 0;
    m->session_ms = wire_take_int32(r);
    m->rebalance_ms = v->version >= 1 ? m->rebalance_ms : m->session_ms;
    m->subscription = take_bytes(r);
    m->assignment = take_bytes(r);
    return !r->bad && m->id.size >= 0;
}

static bool read_group(const struct kb_log_record *record, struct group_value *v)
{
    struct wire_reader r = wire_reader_of(record->value, (size_t)record->value_size, false);
    struct member_value m;

    *v = (struct group_value){.version = wire_take_int16(&r), .state_ms = -1};
    v->type = take_text(&r);
    v->generation = wire_take_int32(&r);
    v->protocol = take_text(&r);
    v->leader = take_text(&r);
    if (v->version >= 2) {
        v->state_ms = wire_take_int64(&r);
    }
    v->members = wire_take_length(&r, 4);
    v->rest = r;
    struct group_value all = *v;
    for (int32_t i = 0; i < v->members; i++) {
        if (!read_member(&all, &m)) {
            return false;
        }
    }
    return !all.rest.bad && v->version >= 0 && v->version <= 3;
}

/* The group that a record is about, made where `make`; 0 where none is, or one from before. */
static uint32_t loaded_group(const struct kb_gstep *s, struct text name, bool make)
{
    char *id = s->out->scratch;
    keep_text(id, name, s->g->limits.name);
    uint32_t group = kb_group_find(s->g, id);

    if (group == 0 && make &&
        kb_coordinator_partition(id, s->g->limits.partitions) == s->in->partition) {
        group = kb_group_add(s->g, id, s->wall_ms);
        kb_group(s->g, group)->loading = 1;
    }
    return group != 0 && kb_group(s->g, group)->loading ? group : 0;
}

static void load_offset(const struct kb_gstep *s, const struct kb_log_batch *b,
                        const struct kb_log_record *record, const struct key *key)
{
    struct kb_groups *g = s->g;
    bool txn = (b->flags & KB_TRANSACTIONAL) != 0;
    enum kb_offset_kind kind = txn ? KB_O_TXN : KB_O_COMMITTED;
    int64_t producer_id = txn ? b->producer_id : -1;
    struct offset_value v;
    uint32_t group = loaded_group(s, key->group, record->value_size >= 0);
    char *topic = s->out->scratch;

    keep_text(topic, key->topic, g->limits.topic_name);
    if (group == 0) {
        return;
    }
    if (record->value_size < 0) {
        uint32_t old = kb_offset_find(g, group, kind, producer_id, topic, key->partition);
        if (old != 0) {
            kb_offset_drop(g, old);
        }
    } else if (read_offset(record, &v)) {
        uint32_t row = kb_offset_put(g, group, kind, producer_id, topic, key->partition);
        struct kb_offset *o = kb_offset(g, row);
        o->offset = v.offset;
        o->leader_epoch = v.leader_epoch;
        o->commit_ms = v.commit_ms;
        o->expire_ms = v.expire_ms;
        o->log_offset = b->base_offset;
        o->metadata_size = v.metadata.size < 0 ? 0 : (uint32_t)v.metadata.size;
        keep_text(kb_offset_metadata(g, o), v.metadata, g->limits.metadata);
    }
}

static void load_member(struct kb_groups *g, uint32_t group, const struct group_value *v,
                        const struct member_value *from, char *scratch)
{
    keep_text(scratch, from->id, g->limits.name);
    uint32_t row = kb_member_add(g, group, scratch, false);
    struct kb_member *m = kb_member(g, row);
    uint32_t sizes[2] = {v->protocol.size < 0 ? 0 : (uint32_t)v->protocol.size,
                         from->subscription.size < 0 ? 0 : (uint32_t)from->subscription.size};
    uint8_t *to = kb_protocols(g, m);

    m->has_instance = from->instance.size >= 0;
    keep_text(kb_member_text(g, m, KB_INSTANCE), from->instance, g->limits.name);
    keep_text(kb_member_text(g, m, KB_CLIENT), from->client, g->limits.name);
    keep_text(kb_member_text(g, m, KB_HOST), from->host, g->limits.name);
    m->session_ms = from->session_ms;
    m->rebalance_ms = from->rebalance_ms;
    m->protocol_count = 1;
    m->protocols_size = 9 + sizes[0] + sizes[1];
    memcpy(to, sizes, sizeof sizes);
    memcpy(to + 8, v->protocol.at == NULL ? "" : v->protocol.at, sizes[0]);
    memcpy(to + 9 + sizes[0], sizes[1] == 0 ? "" : from->subscription.at, sizes[1]);
    m->assignment_size = from->assignment.size < 0 ? 0 : (uint32_t)from->assignment.size;
    memcpy(kb_assignment(g, m), m->assignment_size == 0 ? "" : from->assignment.at,
           m->assignment_size);
    if (v->leader.size == from->id.size &&
        memcmp(v->leader.at, from->id.at, (size_t)from->id.size) == 0) {
        kb_group(g, group)->leader = row;
    }
}

static void load_group(const struct kb_gstep *s, const struct kb_log_record *record,
                       const struct key *key)
{
    struct kb_groups *g = s->g;
    struct group_value v = {.generation = 0};
    bool alive = record->value_size >= 0;
    uint32_t group = loaded_group(s, key->group, alive);
    struct member_value m;

    if (group == 0 || (alive && !read_group(record, &v))) {
        return;
    }
    struct kb_group *p = kb_group(g, group);
    while (p->first_member != 0) {
        kb_member_drop(g, p->first_member);
    }
    p->from_log = alive;
    p->generation = v.generation;
    p->state_ms = alive ? v.state_ms : s->wall_ms;
    p->has_type = alive && v.type.size > 0;
    p->has_protocol = alive && v.protocol.size >= 0;
    keep_text(kb_group_text(g, p, KB_TYPE), alive ? v.type : (struct text){NULL, -1},
              g->limits.name);
    keep_text(kb_group_text(g, p, KB_PROTOCOL), alive ? v.protocol : (struct text){NULL, -1},
              g->limits.name);
    for (int32_t i = 0; alive && i < v.members && read_member(&v, &m); i++) {
        load_member(g, group, &v, &m, s->out->scratch);
    }
    p->state = p->members != 0 ? KB_GROUP_STABLE : KB_GROUP_EMPTY;
}

static void load_marker(const struct kb_gstep *s, const struct kb_log_batch *b)
{
    struct kb_groups *g = s->g;
    uint32_t row = kb_owned(g, s->in->partition)->first_group;

    for (; row != 0; row = kb_group(g, row)->next_here) {
        if (kb_group(g, row)->loading) {
            kb_txn_ended(g, row, b->producer_id, (b->flags & KB_COMMIT) != 0);
        }
    }
}

void kb_on_load(const struct kb_gstep *s)
{
    if (!kb_owned(s->g, s->in->partition)->loading) {
        return;
    }
    for (uint32_t n = 0; n < s->in->count; n++) {
        const struct kb_log_batch *b = &s->in->batches[n];
        if ((b->flags & KB_CONTROL) != 0) {
            load_marker(s, b);
            continue;
        }
        for (uint32_t i = 0; i < b->count; i++) {
            struct key key;
            if (!read_key(&b->records[i], &key)) {
                continue;
            }
            if (key.version < 2) {
                load_offset(s, b, &b->records[i], &key);
            } else {
                load_group(s, &b->records[i], &key);
            }
        }
    }
}

static const char *text_short(const struct kb_groups *g, const struct text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i].size >= (int32_t)g->limits.name) {
            return "name";
        }
    }
    return NULL;
}

static const char *group_short(const struct kb_groups *g, const struct kb_log_record *record,
                               uint32_t *members)
{
    struct group_value v;
    struct member_value m;

    if (record->value_size < 0 || !read_group(record, &v)) {
        return NULL;
    }
    const char *most = text_short(g, (const struct text[]){v.type, v.protocol}, 2);
    for (int32_t i = 0; i < v.members && most == NULL && read_member(&v, &m); i++) {
        int64_t protocols = 9 + (int64_t)v.protocol.size + (int64_t)m.subscription.size;
        most = text_short(g, (const struct text[]){m.id, m.instance, m.client, m.host}, 4);
        most = protocols > g->limits.protocols ? "protocols" : most;
        most = m.assignment.size > (int32_t)g->limits.assignment ? "assignment" : most;
        ++*members;
    }
    return most;
}

const char *kb_load_short(const struct kb_groups *g, const struct kb_groups_input *in)
{
    uint32_t groups = 0, members = 0, offsets = 0;
    const char *most = NULL;

    for (uint32_t n = 0; n < in->count && most == NULL; n++) {
        const struct kb_log_batch *b = &in->batches[n];
        for (uint32_t i = 0; (b->flags & KB_CONTROL) == 0 && i < b->count && most == NULL; i++) {
            struct key key;
            struct offset_value v;
            if (!read_key(&b->records[i], &key)) {
                continue;
            }
            groups++;
            most = text_short(g, &key.group, 1);
            if (key.version == 2) {
                most = most != NULL ? most : group_short(g, &b->records[i], &members);
                continue;
            }
            offsets++;
            most = key.topic.size >= (int32_t)g->limits.topic_name ? "topic_name" : most;
            if (b->records[i].value_size >= 0 && read_offset(&b->records[i], &v) &&
                v.metadata.size >= (int32_t)g->limits.metadata) {
                most = "metadata";
            }
        }
    }
    return most != NULL                             ? most
           : groups > kb_rows_left(g, KB_T_GROUP)   ? "groups"
           : members > kb_rows_left(g, KB_T_MEMBER) ? "members"
           : offsets > kb_rows_left(g, KB_T_OFFSET) ? "offsets"
                                                    : NULL;
}

/* ---- ownership ---- */

static bool update_epoch(struct kb_owned *o, int32_t epoch)
{
    if (epoch > o->epoch) {
        o->epoch = epoch;
    }
    return epoch == -1 || epoch == o->epoch;
}

void kb_on_elected(const struct kb_gstep *s)
{
    struct kb_owned *o = kb_owned(s->g, s->in->partition);

    if (!update_epoch(o, s->in->epoch) || o->loading) {
        return;
    }
    o->loading = 1;
    s->out->put(s->out->context, &(struct kb_groups_output){.kind = KB_GROUPS_OUT_LOAD,
                                                            .partition = s->in->partition,
                                                            .epoch = s->in->epoch});
}

void kb_on_loaded(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    struct kb_owned *o = kb_owned(g, s->in->partition);

    if (!o->loading) {
        return;
    }
    o->loading = 0;
    o->owned = 1;
    for (uint32_t row = o->first_group, next; row != 0; row = next) {
        struct kb_group *p = kb_group(g, row);
        next = p->next_here;
        if (!p->loading) {
            continue;
        }
        p->loading = 0;
        if (!p->from_log && p->first_offset == 0) {
            kb_group_drop(g, row);
            continue;
        }
        if (p->members > (uint32_t)g->config.max_size) {
            kb_rebalance(s, row);
        }
        for (uint32_t m = 0; (m = kb_member_after(g, row, m)) != 0;) {
            kb_session_restart(s, kb_member(g, m));
        }
        kb_group_due(g, row);
    }
}

void kb_on_resigned(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    struct kb_owned *o = kb_owned(g, s->in->partition);

    if (!update_epoch(o, s->in->epoch)) {
        return;
    }
    o->owned = o->loading = 0;
    for (uint32_t row = o->first_group, next; row != 0; row = next) {
        const struct kb_group *p = kb_group(g, row);
        next = p->next_here;
        bool joining = p->state == KB_GROUP_PREPARING;
        for (uint32_t m = 0; (m = kb_member_after(g, row, m)) != 0;) {
            if (joining) {
                kb_member_end_join(s, kb_member(g, m), WIRE_ERROR_NOT_COORDINATOR);
            } else {
                kb_member_end_sync(s, kb_member(g, m), WIRE_ERROR_NOT_COORDINATOR);
            }
        }
        kb_group_drop(g, row);
    }
}
