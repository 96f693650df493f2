/*
 * A rebalance: who must join, how long is waited for them, what ends it; and all that time does.
 *
 *     prepare ──► all have joined, or the time is over ──► generation + 1 ──► who must sync
 *        ▲            (the first one after Empty: always a delay)                  │
 *        └──────────────────── some did not within the rebalance timeout ◄─────────┘
 *
 * A member's session runs from the last thing heard of it, and stands still while a call of it is
 * parked; a new member whose first call is parked has five minutes. A timer that fires while its
 * member is parked is gone, as in Kafka: the next answer starts it anew.
 *
 * `due_us` of a group is the earliest of its timers; the one timer of the module may be armed for
 * earlier than the earliest group, never for later.
 *
 * Source: GroupCoordinator.prepareRebalance, onCompleteJoin, tryCompleteJoin, onExpirePendingSync,
 * onExpireHeartbeat, completeAndScheduleNextExpiration, removeMemberAndUpdateGroup; DelayedJoin,
 * InitialDelayedJoin, DelayedSync; GroupMetadata.initNextGeneration, maybeElectNewJoinedLeader.
 */
#include "broker/group_state.h"

void kb_group_go(const struct kb_gstep *s, uint32_t group, enum kb_group_state state)
{
    static const uint32_t from[] = {
        [KB_GROUP_EMPTY] = 1u << KB_GROUP_PREPARING,
        [KB_GROUP_PREPARING] =
            1u << KB_GROUP_STABLE | 1u << KB_GROUP_COMPLETING | 1u << KB_GROUP_EMPTY,
        [KB_GROUP_COMPLETING] = 1u << KB_GROUP_PREPARING,
        [KB_GROUP_STABLE] = 1u << KB_GROUP_COMPLETING,
        [KB_GROUP_DEAD] = 31,
    };
    struct kb_group *p = kb_group(s->g, group);

    assert(from[state] >> p->state & 1u);
    p->state = (uint8_t)state;
    p->state_ms = s->wall_ms;
}

/* ---- sessions ---- */

void kb_expire_in(const struct kb_gstep *s, struct kb_member *m, int64_t us)
{
    bool parked = !m->is_new && (m->joins || m->syncs);
    m->expire_us = parked ? -1 : s->now_us + us;
}

void kb_session_restart(const struct kb_gstep *s, struct kb_member *m)
{
    kb_expire_in(s, m, (int64_t)m->session_ms * 1000);
}

void kb_group_due(struct kb_groups *g, uint32_t group)
{
    const struct kb_group *p = kb_group(g, group);
    int64_t due = p->join_due_us;

    if (p->sync_due_us >= 0 && (due < 0 || p->sync_due_us < due)) {
        due = p->sync_due_us;
    }
    for (uint32_t row = p->first_member; row != 0; row = kb_member(g, row)->row.next) {
        int64_t mine = kb_member(g, row)->expire_us;
        due = mine >= 0 && (due < 0 || mine < due) ? mine : due;
    }
    kb_group_schedule(g, group, due);
}

/* ---- joining ---- */

static int64_t rebalance_timeout_ms(const struct kb_groups *g, uint32_t group)
{
    int64_t most = 0;

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        int64_t mine = kb_member(g, row)->rebalance_ms;
        most = mine > most ? mine : most;
    }
    return most;
}

static void clear_owed_syncs(struct kb_groups *g, uint32_t group)
{
    kb_group(g, group)->sync_due_us = -1;
    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        kb_member(g, row)->owes_sync = 0;
    }
}

void kb_rebalance(const struct kb_gstep *s, uint32_t group)
{
    struct kb_group *p = kb_group(s->g, group);
    int64_t timeout = rebalance_timeout_ms(s->g, group);

    if (p->state == KB_GROUP_COMPLETING) {
        kb_propagate(s, group, WIRE_ERROR_REBALANCE_IN_PROGRESS);
    }
    clear_owed_syncs(s->g, group);
    p->initial = p->state == KB_GROUP_EMPTY;
    if (p->initial) {
        p->delay_ms = s->g->config.initial_delay_ms;
        p->remaining_ms = timeout > p->delay_ms ? timeout - p->delay_ms : 0;
    }
    kb_group_go(s, group, KB_GROUP_PREPARING);
    p->join_due_us = s->now_us + (p->initial ? p->delay_ms : timeout) * 1000;
    kb_join_check(s, group);
}

void kb_rebalance_maybe(const struct kb_gstep *s, uint32_t group)
{
    int state = kb_group(s->g, group)->state;

    if (state != KB_GROUP_PREPARING && state != KB_GROUP_DEAD) {
        kb_rebalance(s, group);
    }
}

static void drop_absent(struct kb_groups *g, uint32_t group)
{
    uint32_t row = kb_member_after(g, group, 0);

    while (row != 0) {
        uint32_t next = kb_member_after(g, group, row);
        const struct kb_member *m = kb_member(g, row);
        if (!m->joins && !m->has_instance) {
            kb_member_drop(g, row);
        }
        row = next;
    }
}

/* A leader that has not come is replaced by one that has. False: there is none. */
static bool elect(struct kb_groups *g, uint32_t group)
{
    struct kb_group *p = kb_group(g, group);

    if (p->leader == 0) {
        return false;
    }
    if (kb_member(g, p->leader)->joins) {
        return true;
    }
    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        if (kb_member(g, row)->joins) {
            p->leader = row;
            return true;
        }
    }
    return false;
}

static void tell_joined(const struct kb_gstep *s, uint32_t group)
{
    struct kb_groups *g = s->g;
    struct kb_group *p = kb_group(g, group);

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        struct kb_member *m = kb_member(g, row);
        if (m->joins) {
            m->joins = 0;
            kb_join_tell(s, m->join_call, m->join_version, group, kb_member_text(g, m, KB_ID), NULL,
                         p->leader == row, WIRE_ERROR_NONE);
            m->join_call = 0;
        }
        kb_session_restart(s, m);
        m->is_new = 0;
        m->owes_sync = 1;
    }
    p->sync_due_us = s->now_us + rebalance_timeout_ms(g, group) * 1000;
}

static void next_generation(const struct kb_gstep *s, uint32_t group)
{
    struct kb_group *p = kb_group(s->g, group);

    p->generation++;
    p->has_protocol = p->members != 0;
    memset(kb_group_text(s->g, p, KB_PROTOCOL), 0, s->g->limits.name);
    if (p->members == 0) {
        kb_group_go(s, group, KB_GROUP_EMPTY);
        kb_group_store(s, group, NULL, 0);
        return;
    }
    strcpy(kb_group_text(s->g, p, KB_PROTOCOL), kb_group_select(s->g, group));
    kb_group_go(s, group, KB_GROUP_COMPLETING);
    tell_joined(s, group);
}

static void complete_join(const struct kb_gstep *s, uint32_t group)
{
    struct kb_group *p = kb_group(s->g, group);

    p->join_due_us = -1;
    drop_absent(s->g, group);
    if (!elect(s->g, group) && p->members != 0) {
        p->initial = 0;
        p->join_due_us = s->now_us + rebalance_timeout_ms(s->g, group) * 1000;
        return;
    }
    next_generation(s, group);
}

void kb_join_check(const struct kb_gstep *s, uint32_t group)
{
    struct kb_group *p = kb_group(s->g, group);

    if (p->state == KB_GROUP_PREPARING && p->join_due_us >= 0 && !p->initial && p->pending == 0 &&
        kb_group_waiting(s->g, group) == p->members) {
        complete_join(s, group);
    }
}

static void join_over(const struct kb_gstep *s, uint32_t group)
{
    struct kb_group *p = kb_group(s->g, group);

    if (p->initial && p->new_member_added && p->remaining_ms != 0) {
        int64_t configured = s->g->config.initial_delay_ms;
        int64_t delay = configured < p->remaining_ms ? configured : p->remaining_ms;
        p->new_member_added = 0;
        p->remaining_ms = p->remaining_ms > p->delay_ms ? p->remaining_ms - p->delay_ms : 0;
        p->delay_ms = delay;
        p->join_due_us = s->now_us + delay * 1000;
        return;
    }
    complete_join(s, group);
}

/* ---- members that go ---- */

void kb_member_remove(const struct kb_gstep *s, uint32_t row)
{
    uint32_t group = kb_member(s->g, row)->group;

    kb_member_end_join(s, kb_member(s->g, row), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    kb_member_drop(s->g, row);
    switch ((enum kb_group_state)kb_group(s->g, group)->state) {
    case KB_GROUP_DEAD:
    case KB_GROUP_EMPTY:
        break;
    case KB_GROUP_STABLE:
    case KB_GROUP_COMPLETING:
        kb_rebalance(s, group);
        break;
    case KB_GROUP_PREPARING:
        kb_join_check(s, group);
        break;
    }
}

void kb_pending_remove(const struct kb_gstep *s, uint32_t row)
{
    uint32_t group = kb_member(s->g, row)->group;

    kb_member_drop(s->g, row);
    kb_join_check(s, group);
}

/* ---- the second half: who has synced ---- */

void kb_sync_arrived(const struct kb_gstep *s, uint32_t group, struct kb_member *m)
{
    struct kb_groups *g = s->g;

    m->owes_sync = 0;
    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        if (kb_member(g, row)->owes_sync) {
            return;
        }
    }
    kb_group(g, group)->sync_due_us = -1;
}

void kb_propagate(const struct kb_gstep *s, uint32_t group, int32_t error)
{
    struct kb_groups *g = s->g;

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        struct kb_member *m = kb_member(g, row);
        if (error != WIRE_ERROR_NONE) {
            memset(kb_assignment(g, m), 0, m->assignment_size);
            m->assignment_size = 0;
        }
        if (kb_member_end_sync(s, m, error)) {
            kb_session_restart(s, m);
        }
    }
}

static void sync_over(const struct kb_gstep *s, uint32_t group)
{
    struct kb_groups *g = s->g;
    bool any = false;

    kb_group(g, group)->sync_due_us = -1;
    uint32_t row = kb_member_after(g, group, 0);
    while (row != 0) {
        uint32_t next = kb_member_after(g, group, row);
        if (kb_member(g, row)->owes_sync) {
            kb_member_drop(g, row);
            any = true;
        }
        row = next;
    }
    if (any) {
        kb_rebalance(s, group);
    }
}

/* ---- time ---- */

static void expire_one(const struct kb_gstep *s, uint32_t group)
{
    struct kb_groups *g = s->g;
    struct kb_group *p = kb_group(g, group);

    for (uint32_t row = p->first_member; row != 0; row = kb_member(g, row)->row.next) {
        struct kb_member *m = kb_member(g, row);
        if (m->expire_us != p->due_us) {
            continue;
        }
        m->expire_us = -1;
        if (m->pending) {
            kb_pending_remove(s, row);
        } else if (m->is_new || (!m->joins && !m->syncs)) {
            kb_member_remove(s, row);
        }
        return;
    }
    if (p->sync_due_us == p->due_us) {
        sync_over(s, group);
    } else {
        join_over(s, group);
    }
}

void kb_groups_expire(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;

    if (g->cleanup_us >= 0 && g->cleanup_us <= s->now_us) {
        g->cleanup_us = s->now_us + g->config.retention_check_us;
        kb_offsets_cleanup(s);
    }
    for (;;) {
        uint32_t group = kb_group_earliest(g);
        if (group == 0 || kb_group(g, group)->due_us > s->now_us) {
            return;
        }
        expire_one(s, group);
        kb_group_due(g, group);
    }
}
