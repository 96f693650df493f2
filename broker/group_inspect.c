/*
 * Looking into the group coordinator: views, a digest, and the check of every invariant.
 *
 * The digest adds up a hash for each thing that a log keeps, so that neither rows nor the order of
 * offsets count; members count in their order.
 *
 * Source: none.
 */
#include "broker/group_state.h"

bool kb_groups_next(const struct kb_groups *g, uint32_t *at, struct kb_group_view *view)
{
    while (++*at <= g->tables[KB_T_GROUP].high) {
        const struct kb_group *p = kb_group(g, *at);
        if (!p->row.used || p->loading) {
            continue;
        }
        *view = (struct kb_group_view){
            .id = kb_group_text(g, p, KB_ID),
            .protocol_type = p->has_type ? kb_group_text(g, p, KB_TYPE) : NULL,
            .protocol = p->has_protocol ? kb_group_text(g, p, KB_PROTOCOL) : NULL,
            .leader = p->leader == 0 ? NULL : kb_member_text(g, kb_member(g, p->leader), KB_ID),
            .state = p->state,
            .generation = p->generation,
            .members = p->members,
            .pending = p->pending,
            .waiting = kb_group_waiting(g, *at)};
        return true;
    }
    return false;
}

bool kb_member_next(const struct kb_groups *g, uint32_t group, uint32_t *at,
                    struct kb_member_view *view)
{
    *at = kb_member_after(g, group, *at);
    if (*at == 0) {
        return false;
    }
    const struct kb_member *m = kb_member(g, *at);
    *view = (struct kb_member_view){.id = kb_member_text(g, m, KB_ID),
                                    .instance =
                                        m->has_instance ? kb_member_text(g, m, KB_INSTANCE) : NULL,
                                    .assignment = kb_assignment(g, m),
                                    .assignment_size = m->assignment_size,
                                    .waits = (uint32_t)(m->joins | m->syncs << 1)};
    return true;
}

bool kb_offset_next(const struct kb_groups *g, uint32_t group, uint32_t *at,
                    struct kb_offset_view *view)
{
    do {
        *at = *at == 0 ? kb_group(g, group)->first_offset : kb_offset(g, *at)->row.next;
    } while (*at != 0 && kb_offset(g, *at)->kind == KB_O_STAGED);
    if (*at == 0) {
        return false;
    }
    const struct kb_offset *o = kb_offset(g, *at);
    *view = (struct kb_offset_view){.topic = kb_offset_topic(o),
                                    .metadata = kb_offset_metadata(g, o),
                                    .offset = o->offset,
                                    .producer_id = o->producer_id,
                                    .partition = o->partition,
                                    .leader_epoch = o->leader_epoch};
    return true;
}

/* ---- digest ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    }
    return h;
}
static uint64_t mix_text(uint64_t h, const char *text)
{
    return mix(h, text, strlen(text) + 1);
}
static uint64_t mix_number(uint64_t h, int64_t n)
{
    return mix(h, &n, sizeof n);
}

static uint64_t member_digest(const struct kb_groups *g, const struct kb_group *p, uint64_t h,
                              const struct kb_member *m)
{
    struct kb_log_record metadata = {0};

    kb_member_metadata(g, m, kb_group_text(g, p, KB_PROTOCOL), &metadata);
    h = mix_text(h, kb_member_text(g, m, KB_ID));
    h = mix_text(h, kb_member_text(g, m, KB_INSTANCE));
    h = mix_text(h, kb_member_text(g, m, KB_CLIENT));
    h = mix_text(h, kb_member_text(g, m, KB_HOST));
    h = mix_number(mix_number(h, m->session_ms), m->rebalance_ms);
    h = mix(h, metadata.value, (size_t)metadata.value_size);
    return mix(h, kb_assignment(g, m), m->assignment_size);
}

static uint64_t offset_digest(const struct kb_groups *g, uint64_t h, const struct kb_offset *o)
{
    h = mix_number(h, o->kind);
    h = mix_number(mix_text(h, kb_offset_topic(o)), o->partition);
    h = mix_number(mix_number(h, o->offset), o->leader_epoch);
    h = mix_number(mix_number(h, o->commit_ms), o->expire_ms);
    h = mix_number(mix_number(h, o->log_offset), o->producer_id);
    return mix_text(h, kb_offset_metadata(g, o));
}

uint64_t kb_groups_digest(const struct kb_groups *g, int32_t partition)
{
    uint64_t sum = 0;

    for (uint32_t row = kb_owned(g, partition)->first_group; row != 0;
         row = kb_group(g, row)->next_here) {
        const struct kb_group *p = kb_group(g, row);
        if (p->loading) {
            continue;
        }
        uint64_t name = mix_text(14695981039346656037u, kb_group_text(g, p, KB_ID)), h = name;
        bool kept = p->state == KB_GROUP_STABLE || p->state == KB_GROUP_EMPTY;
        if (kept && p->generation > 0) {
            h = mix_number(mix_text(h, kb_group_text(g, p, KB_TYPE)), p->generation);
            h = mix_text(h, kb_group_text(g, p, KB_PROTOCOL));
            h = mix_text(h,
                         p->leader == 0 ? "" : kb_member_text(g, kb_member(g, p->leader), KB_ID));
            for (uint32_t m = 0; (m = kb_member_after(g, row, m)) != 0;) {
                h = member_digest(g, p, h, kb_member(g, m));
            }
            sum += h;
        }
        for (uint32_t o = p->first_offset; o != 0; o = kb_offset(g, o)->row.next) {
            const struct kb_offset *it = kb_offset(g, o);
            bool written = it->kind != KB_O_STAGED && it->log_offset >= 0;
            sum += written ? offset_digest(g, name, it) : 0;
        }
    }
    return sum;
}

/* ---- check ---- */

static void check_members(const struct kb_groups *g, uint32_t group)
{
    const struct kb_group *p = kb_group(g, group);
    uint32_t members = 0, pending = 0, last = 0;
    bool leader = p->leader == 0;

    for (uint32_t row = p->first_member; row != 0; row = kb_member(g, row)->row.next) {
        const struct kb_member *m = kb_member(g, row);
        assert(m->row.used);
        assert(m->group == group);
        assert(kb_member_find(g, group, kb_member_text(g, m, KB_ID), m->pending != 0) == row);
        assert(!m->has_instance ||
               kb_member_static(g, group, kb_member_text(g, m, KB_INSTANCE)) == row);
        assert(!m->syncs || p->state == KB_GROUP_COMPLETING);
        assert(!m->joins || p->state == KB_GROUP_PREPARING || p->state == KB_GROUP_STABLE);
        members += !m->pending;
        pending += m->pending;
        leader = leader || (p->leader == row && !m->pending);
        last = row;
    }
    assert(members == p->members);
    assert(pending == p->pending);
    assert(last == p->last_member);
    assert(leader);
    assert((p->leader != 0) == (p->members != 0));
}

void kb_groups_check(const struct kb_groups *g)
{
    uint32_t members = 0, offsets = 0;

    for (uint32_t row = 1; row <= g->tables[KB_T_GROUP].high; row++) {
        const struct kb_group *p = kb_group(g, row);
        if (!p->row.used) {
            continue;
        }
        assert(kb_group_find(g, kb_group_text(g, p, KB_ID)) == row);
        assert(p->loading ? kb_owned(g, p->partition)->loading
                          : kb_owned(g, p->partition)->owned || kb_owned(g, p->partition)->loading);
        check_members(g, row);
        assert(p->state != KB_GROUP_EMPTY || p->members == 0);
        assert((p->state != KB_GROUP_STABLE && p->state != KB_GROUP_COMPLETING) ||
               (p->members != 0 && p->has_protocol));
        assert((p->state == KB_GROUP_PREPARING) == (p->join_due_us >= 0));
        members += p->members + p->pending;
        for (uint32_t o = p->first_offset; o != 0; o = kb_offset(g, o)->row.next) {
            assert(kb_offset(g, o)->row.used);
            assert(kb_offset(g, o)->group == row);
            offsets++;
        }
    }
    kb_index_check(g);
    assert(members == g->limits.members - kb_rows_left(g, KB_T_MEMBER));
    assert(offsets == g->limits.offsets - kb_rows_left(g, KB_T_OFFSET));
}
