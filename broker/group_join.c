/*
 * JoinGroup: who may come, as whom, and whether that starts a rebalance.
 *
 *     no id ─┬─ instance known ──► takes that member's place (Stable, same protocol: no rebalance,
 *            │                     the new id is written first)
 *            ├─ from version 4, no instance ──► an id, and: come again with it (KIP-394)
 *            └─ else ──► a member
 *     an id ─┬─ given out before ──► a member
 *            └─ a member's ──► parked, told again, or a rebalance, as the state says
 *
 * Source: GroupCoordinator.handleJoinGroup, doUnknownJoinGroup, doJoinGroup, addMemberAndRebalance,
 * updateStaticMemberAndRebalance; GroupMetadata.replaceGroupInstance, generateMemberId; KIP-345.
 */
#include "broker/group_state.h"
#include "wire/messages.h"

typedef struct wire_join_group_request join_request;

static void refuse(const struct kb_gstep *s, const char *member, int32_t error)
{
    kb_join_refuse(s, s->in->call_id, s->in->version, member, error);
}

static void park(const struct kb_gstep *s, struct kb_member *m)
{
    m->joins = 1;
    m->join_call = s->in->call_id;
    m->join_version = s->in->version;
}

static const char *instance_of(const join_request *r)
{
    return wire_text(r, r->group_instance_id);
}

static void describe(const struct kb_gstep *s, struct kb_member *m, const join_request *r)
{
    const char *instance = instance_of(r);

    strcpy(kb_member_text(s->g, m, KB_CLIENT), s->in->client_id);
    strcpy(kb_member_text(s->g, m, KB_HOST), s->in->client_host);
    if (instance != NULL) {
        m->has_instance = 1;
        strcpy(kb_member_text(s->g, m, KB_INSTANCE), instance);
    }
    m->session_ms = r->session_timeout_ms;
    m->rebalance_ms = s->in->version == 0 ? r->session_timeout_ms : r->rebalance_timeout_ms;
}

static void add_member(const struct kb_gstep *s, uint32_t group, const char *id,
                       const join_request *r)
{
    struct kb_groups *g = s->g;
    struct kb_group *p = kb_group(g, group);
    uint32_t pending = kb_member_find(g, group, id, true);

    if (pending != 0) {
        kb_member_drop(g, pending);
    }
    if (p->members == 0) {
        memset(kb_group_text(g, p, KB_TYPE), 0, g->limits.name);
        strcpy(kb_group_text(g, p, KB_TYPE), wire_text(r, r->protocol_type));
        p->has_type = 1;
    }
    if (p->state == KB_GROUP_PREPARING && p->generation == 0) {
        p->new_member_added = 1;
    }
    struct kb_member *m = kb_member(g, kb_member_add(g, group, id, false));
    describe(s, m, r);
    kb_member_set_protocols(g, m, r);
    m->is_new = 1;
    park(s, m);
    kb_expire_in(s, m, g->config.new_member_us);
    kb_rebalance_maybe(s, group);
}

/* ---- a static member that has come back ---- */

static void rename_member(const struct kb_gstep *s, struct kb_member *m, const char *id)
{
    kb_member_end_join(s, m, WIRE_ERROR_FENCED_INSTANCE_ID);
    kb_member_end_sync(s, m, WIRE_ERROR_FENCED_INSTANCE_ID);
    memset(kb_member_text(s->g, m, KB_ID), 0, s->g->limits.name);
    strcpy(kb_member_text(s->g, m, KB_ID), id);
}

static void store_renamed(const struct kb_gstep *s, uint32_t group, uint32_t row, const char *old)
{
    struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    const struct kb_member *m = kb_member(g, row);
    struct kb_append *a = kb_append_add(s, KB_A_STATIC, group);

    a->member = row;
    a->member_serial = m->serial;
    strcpy(kb_append_text(g, a, KB_OLD_ID), old);
    strcpy(kb_append_text(g, a, KB_NEW_ID), kb_member_text(g, m, KB_ID));
    const char *leader = p->leader == row ? old
                         : p->leader == 0 ? NULL
                                          : kb_member_text(g, kb_member(g, p->leader), KB_ID);
    a->has_leader = leader != NULL;
    if (leader != NULL) {
        strcpy(kb_append_text(g, a, KB_OLD_LEADER), leader);
    }
    kb_group_store(s, group, NULL, a->id);
}

static void replace_static(const struct kb_gstep *s, uint32_t group, uint32_t row, const char *id,
                           const join_request *r)
{
    struct kb_groups *g = s->g;
    struct kb_group *p = kb_group(g, group);
    struct kb_member *m = kb_member(g, row);
    char *old = s->out->scratch; /* answers overwrite it: kept behind them */

    old += kb_groups_scratch_size(&g->limits) - g->limits.name;
    strcpy(old, kb_member_text(g, m, KB_ID));
    rename_member(s, m, id);
    kb_session_restart(s, m);
    kb_member_set_protocols(g, m, r);
    park(s, m);
    switch ((enum kb_group_state)p->state) {
    case KB_GROUP_STABLE:
        if (p->has_protocol &&
            strcmp(kb_group_text(g, p, KB_PROTOCOL), kb_group_select(g, group)) == 0) {
            store_renamed(s, group, row, old);
        } else {
            kb_rebalance(s, group);
        }
        break;
    case KB_GROUP_COMPLETING:
        kb_rebalance(s, group);
        break;
    case KB_GROUP_PREPARING:
        break;
    case KB_GROUP_EMPTY:
    case KB_GROUP_DEAD:
        assert(false); /* a group without members has no static one */
        break;
    }
}

void kb_static_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error)
{
    struct kb_groups *g = s->g;
    const char *leader = a->has_leader ? kb_append_text(g, a, KB_OLD_LEADER) : "";
    const char *id = kb_append_text(g, a, KB_NEW_ID);
    struct kb_member *m = kb_member(g, a->member);

    if (!m->row.used || m->serial != a->member_serial || !m->joins) {
        return; /* gone, or answered by what came between */
    }
    uint64_t call = m->join_call;
    int16_t version = m->join_version;
    m->joins = 0;
    m->join_call = 0;
    if (error != WIRE_ERROR_NONE) {
        if (strcmp(kb_member_text(g, m, KB_ID), id) == 0) {
            rename_member(s, m, kb_append_text(g, a, KB_OLD_ID));
        }
        kb_session_restart(s, m);
        kb_join_tell(s, call, version, a->group, "", leader, false, error);
        return;
    }
    kb_join_tell(s, call, version, a->group, id, leader, false, WIRE_ERROR_NONE);
}

/* ---- the paths ---- */

static void join_unknown(const struct kb_gstep *s, uint32_t group, const join_request *r)
{
    struct kb_groups *g = s->g;
    const char *instance = instance_of(r);
    uint32_t same = kb_member_static(g, group, instance);
    char *id = (char *)s->out->scratch + kb_groups_scratch_size(&g->limits) - 2 * g->limits.name;

    if (!kb_group_supports(g, group, r)) {
        refuse(s, "", WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    strcpy(id, instance != NULL ? instance : s->in->client_id);
    strcat(id, "-");
    strcat(id, s->in->uuid);
    if (same != 0) {
        replace_static(s, group, same, id, r);
    } else if (s->in->version >= 4 && instance == NULL) {
        struct kb_member *m = kb_member(g, kb_member_add(g, group, id, true));
        m->expire_us = s->now_us + (int64_t)r->session_timeout_ms * 1000;
        refuse(s, id, WIRE_ERROR_MEMBER_ID_REQUIRED);
    } else {
        add_member(s, group, id, r);
    }
}

static void join_again(const struct kb_gstep *s, uint32_t group, uint32_t row,
                       const join_request *r)
{
    struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    struct kb_member *m = kb_member(g, row);
    bool same = kb_member_matches(g, m, r), leads = p->leader == row;

    if (p->state == KB_GROUP_EMPTY) {
        refuse(s, kb_member_text(g, m, KB_ID), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    } else if (same &&
               (p->state == KB_GROUP_COMPLETING || (p->state == KB_GROUP_STABLE && !leads))) {
        kb_join_tell(s, s->in->call_id, s->in->version, group, kb_member_text(g, m, KB_ID), NULL,
                     leads, WIRE_ERROR_NONE);
    } else {
        kb_member_set_protocols(g, m, r);
        park(s, m);
        kb_rebalance_maybe(s, group);
    }
}

static void join_known(const struct kb_gstep *s, uint32_t group, const char *id,
                       const join_request *r)
{
    struct kb_groups *g = s->g;
    const char *instance = instance_of(r);
    uint32_t row = kb_member_find(g, group, id, false);

    if (!kb_group_supports(g, group, r)) {
        refuse(s, id, WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    } else if (row == 0 && kb_member_find(g, group, id, true) != 0) {
        if (instance != NULL) { /* Kafka throws; the client hears of an unknown error */
            refuse(s, id, WIRE_ERROR_UNKNOWN_SERVER_ERROR);
        } else {
            add_member(s, group, id, r);
        }
    } else if (kb_group_fenced(g, group, id, instance)) {
        refuse(s, id, WIRE_ERROR_FENCED_INSTANCE_ID);
    } else if (row == 0 || (instance != NULL && kb_member_static(g, group, instance) == 0)) {
        refuse(s, id, WIRE_ERROR_UNKNOWN_MEMBER_ID);
    } else {
        join_again(s, group, row, r);
    }
}

static bool accepts(const struct kb_groups *g, uint32_t group, const char *id)
{
    const struct kb_group *p = kb_group(g, group);
    uint32_t row = kb_member_find(g, group, id, false);
    uint32_t most = (uint32_t)g->config.max_size;

    switch ((enum kb_group_state)p->state) {
    case KB_GROUP_EMPTY:
    case KB_GROUP_DEAD:
        return true;
    case KB_GROUP_PREPARING:
        return (row != 0 && kb_member(g, row)->joins) || kb_group_waiting(g, group) < most;
    case KB_GROUP_COMPLETING:
    case KB_GROUP_STABLE:
        return row != 0 || p->members < most;
    }
    return true;
}

void kb_on_join(const struct kb_gstep *s)
{
    const join_request *r = s->in->request;
    const char *id = wire_text(r, r->member_id), *name = wire_text(r, r->group_id);
    int32_t error = kb_group_refused(s->g, name, true);

    if (error == WIRE_ERROR_NONE && (r->session_timeout_ms < s->g->config.min_session_ms ||
                                     r->session_timeout_ms > s->g->config.max_session_ms)) {
        error = WIRE_ERROR_INVALID_SESSION_TIMEOUT;
    }
    uint32_t group = error == WIRE_ERROR_NONE ? kb_group_find(s->g, name) : 0;
    if (error == WIRE_ERROR_NONE && group == 0 && *id != 0) {
        error = WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    if (error != WIRE_ERROR_NONE) {
        refuse(s, id, error);
        return;
    }
    if (group == 0) {
        group = kb_group_add(s->g, name, s->wall_ms);
    }
    if (!accepts(s->g, group, id)) {
        uint32_t row = kb_member_find(s->g, group, id, false);
        if (row != 0) {
            kb_member_drop(s->g, row);
        }
        refuse(s, "", WIRE_ERROR_GROUP_MAX_SIZE_REACHED);
    } else if (*id == 0) {
        join_unknown(s, group, r);
    } else {
        join_known(s, group, id, r);
    }
    kb_join_check(s, group);
    kb_group_due(s->g, group);
}
