/*
 * The group's offsets: where partitions begin, and how far they have been read.
 *
 *     KL_FETCH_STORED ──OffsetFetch──► an offset: active; none: auto.offset.reset
 *     positions ──every auto.commit.interval.ms, and before partitions are given up──► OffsetCommit
 *
 * Positions are committed as they are when the request is made: everything that was handed to the
 * application counts as read. One commit of positions is under way at a time; commits with offsets
 * of their own stand beside it.
 *
 * Source: rdkafka_cgrp.c: rd_kafka_cgrp_offsets_commit, rd_kafka_cgrp_op_handle_OffsetCommit,
 * rd_kafka_cgrp_offset_commit_tmr_cb; rdkafka_assignment.c: rd_kafka_assignment_serve_pending,
 * rd_kafka_assignment_handle_OffsetFetch.
 */
#include "client/state.h"

#include <string.h>

enum { COMMIT = 7, FETCH = 7, AGAIN_MS = 500 };

static bool is_uncommitted(const struct kl_partition *p)
{
    return p->assigned && p->stored_offset >= 0 && p->stored_offset != p->committed_offset;
}

bool kl_group_has_uncommitted(const struct kl_client *c)
{
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        if (is_uncommitted(kl_partition_at(c, i))) {
            return true;
        }
    }
    return false;
}

/* ---- commits ---- */

static struct wire_offset_commit_request *begin_commit(struct kl_turn *t, struct wire_flat *f)
{
    const struct kl_client *c = t->c;
    struct wire_offset_commit_request *q = kl_begin(t, f, WIRE_API_OFFSET_COMMIT);
    bool member = c->group.subscribed != 0;

    q->group_id = wire_flat_string(f, c->group_id);
    q->generation_id = member ? c->group.generation : -1;
    q->member_id = wire_flat_string(f, member ? c->group.member_id : "");
    if (member && c->has_instance) {
        q->group_instance_id = wire_flat_string(f, c->instance_id);
    }
    return q;
}

static void write_one(struct kl_turn *t, struct wire_flat *f,
                      struct wire_offset_commit_request_topic *topic, const struct kl_partition *p,
                      int64_t offset, int32_t leader_epoch)
{
    topic->name = wire_flat_string(f, kl_partition_topic(t->c, p));
    struct wire_offset_commit_request_partition *to =
        kl_items(f, &topic->partitions, 1, &wire_layout_offset_commit_request_partition);
    to->partition_index = p->number;
    to->committed_offset = offset;
    to->committed_leader_epoch = leader_epoch;
    to->committed_metadata = wire_flat_string(f, "");
}

static void commit_positions(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_offset_commit_request *q = begin_commit(t, &f);
    int32_t count = 0, n = 0;

    for (uint32_t i = 1; i <= c->partition_count; i++) {
        count += is_uncommitted(kl_partition_at(c, i));
    }
    struct wire_offset_commit_request_topic *topics =
        kl_items(&f, &q->topics, count, &wire_layout_offset_commit_request_topic);
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(c, i);
        p->committing_offset = KL_OFFSET_NONE;
        if (is_uncommitted(p)) {
            p->committing_offset = p->stored_offset;
            write_one(t, &f, &topics[n++], p, p->stored_offset, -1);
        }
    }
    uint32_t row = kl_send(t, broker, &f, WIRE_API_OFFSET_COMMIT, COMMIT, -1);
    c->group.committing = kl_request_at(c, row)->correlation;
    c->group.commit_positions = 0;
}

static void commit_places(struct kl_turn *t, uint32_t row, uint32_t broker)
{
    struct kl_command *m = kl_command_at(t->c, row);
    const struct kl_place *places = kl_blob(t->c, m->blob);
    struct wire_flat f;
    struct wire_offset_commit_request *q = begin_commit(t, &f);
    struct wire_offset_commit_request_topic *topics =
        kl_items(&f, &q->topics, (int32_t)m->count, &wire_layout_offset_commit_request_topic);

    for (uint32_t i = 0; i < m->count; i++) {
        write_one(t, &f, &topics[i], kl_partition_at(t->c, places[i].partition), places[i].offset,
                  places[i].leader_epoch);
    }
    m->request = kl_send(t, broker, &f, WIRE_API_OFFSET_COMMIT, COMMIT, -1);
    kl_request_at(t->c, m->request)->command = row;
}

/* Without offsets: the positions; there may be none to commit. */
void kl_on_commit_offsets(struct kl_turn *t)
{
    const struct kl_input *in = t->in;

    if (!t->c->has_group || (in->count == 0 && !kl_group_has_uncommitted(t->c))) {
        kl_done_now(t, t->c->has_group ? KL_ERR_NO_OFFSET : KL_ERR_STATE);
        return;
    }
    uint32_t count = in->count;
    for (uint32_t i = 1; in->count == 0 && i <= t->c->partition_count; i++) {
        count += is_uncommitted(kl_partition_at(t->c, i));
    }
    uint32_t row = kl_command_new(t->c), n = 0;
    uint32_t blob = kl_blob_new(t->c, NULL, count * sizeof(struct kl_place));
    struct kl_place *places = kl_blob(t->c, blob);
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t topic = kl_topic_add(t, in->offsets[i].topic);
        places[n++] = (struct kl_place){kl_partition_add(t, topic, in->offsets[i].partition),
                                        in->offsets[i].leader_epoch, in->offsets[i].offset};
    }
    for (uint32_t i = 1; in->count == 0 && i <= t->c->partition_count; i++) {
        const struct kl_partition *p = kl_partition_at(t->c, i);
        if (is_uncommitted(p)) {
            places[n++] = (struct kl_place){i, -1, p->stored_offset};
        }
    }
    *kl_command_at(t->c, row) =
        (struct kl_command){.kind = KL_IN_COMMIT_OFFSETS, .tag = in->tag, .blob = blob, .count = n};
}

static int32_t commit_error(const struct wire_offset_commit_response *r)
{
    const struct wire_offset_commit_response_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_offset_commit_response_topic);

    for (int32_t i = 0; i < r->topics.count; i++) {
        const struct wire_offset_commit_response_partition *p =
            WIRE_ITEMS(r, topics[i].partitions, struct wire_offset_commit_response_partition);
        for (int32_t k = 0; k < topics[i].partitions.count; k++) {
            if (p[k].error_code != 0) {
                return p[k].error_code;
            }
        }
    }
    return 0;
}

static void on_positions(struct kl_turn *t, int32_t error)
{
    t->c->group.committing = 0;
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        if (error == 0 && p->committing_offset >= 0) {
            p->committed_offset = p->committing_offset;
        }
        p->committing_offset = KL_OFFSET_NONE;
    }
}

/* Rule commit-errors: without a coordinator it waits for one; a member that is none any more has
   lost its partitions. */
void kl_on_offset_commit(struct kl_turn *t, struct kl_request *q, int32_t error,
                         const struct wire_offset_commit_response *r)
{
    struct kl_command *m = q->command == 0 ? NULL : kl_command_at(t->c, q->command);

    error = error != 0 ? error : commit_error(r);
    if (t->c->group.committing == q->correlation) {
        on_positions(t, error);
    }
    bool again = kl_action(error) & (KL_ACT_REFRESH | KL_ACT_RETRY);
    if (m != NULL && again) {
        m->request = 0;
        m->after_us = t->now + AGAIN_MS * KL_MS;
    } else if (m != NULL) {
        const struct kl_place *places = kl_blob(t->c, m->blob);
        for (uint32_t i = 0; error == 0 && i < m->count; i++) {
            kl_partition_at(t->c, places[i].partition)->committed_offset = places[i].offset;
        }
        kl_done(t, q->command, error);
    }
    if (error != 0 && error != WIRE_ERROR_REBALANCE_IN_PROGRESS && t->c->group.subscribed) {
        kl_group_error(t, error);
    } else if (again) {
        kl_coordinator_lost(t, 0);
    }
}

/* ---- where to begin ---- */

static void ask_stored(struct kl_turn *t, uint32_t broker, int32_t count)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_offset_fetch_request *q = kl_begin(t, &f, WIRE_API_OFFSET_FETCH);
    int32_t n = 0;

    q->group_id = wire_flat_string(&f, c->group_id);
    q->require_stable = c->config.isolation == KL_READ_COMMITTED;
    struct wire_offset_fetch_request_topic *topics =
        kl_items(&f, &q->topics, count, &wire_layout_offset_fetch_request_topic);
    uint64_t correlation = c->correlations + 1;
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(c, i);
        if (p->fetch_state == KL_FETCH_STORED) {
            topics[n].name = wire_flat_string(&f, kl_partition_topic(c, p));
            topics[n++].partition_indexes = wire_flat_ids(&f, &p->number, 1);
            p->fetching = correlation;
        }
    }
    kl_send(t, broker, &f, WIRE_API_OFFSET_FETCH, FETCH, -1);
    c->group.fetching = correlation;
}

static void serve_stored(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;
    int32_t count = 0;

    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        count += kl_partition_at(t->c, i)->fetch_state == KL_FETCH_STORED;
    }
    if (count == 0 || g->fetching != 0) {
        return;
    }
    if (g->fetch_after_us > t->now) {
        kl_due(t, g->fetch_after_us);
        return;
    }
    uint32_t broker = kl_coordinator_ready(t, 0);
    if (broker != 0 && kl_may_send(t)) {
        ask_stored(t, broker, count);
    }
}

static void on_stored(struct kl_turn *t, uint32_t row, const struct kl_request *q,
                      const struct wire_offset_fetch_response_partition *from)
{
    struct kl_partition *p = kl_partition_at(t->c, row);

    if (p->fetch_state != KL_FETCH_STORED || p->fetching != q->correlation) {
        return;
    }
    p->fetching = 0;
    if (from->error_code != 0) { /* rule unstable-offset: asked again */
        t->c->group.fetch_after_us = t->now + AGAIN_MS * KL_MS;
    } else if (from->committed_offset >= 0) {
        p->committed_offset = from->committed_offset;
        kl_next_offset(t, row, from->committed_offset);
    } else {
        kl_offset_reset(t, row, KL_OFFSET_NONE, 0);
    }
}

void kl_on_offset_fetch(struct kl_turn *t, struct kl_request *q, int32_t error,
                        const struct wire_offset_fetch_response *r)
{
    t->c->group.fetching = 0;
    error = error != 0 ? error : r->error_code;
    if (error != 0) {
        t->c->group.fetch_after_us = t->now + AGAIN_MS * KL_MS;
        if (kl_action(error) & KL_ACT_REFRESH) {
            kl_coordinator_lost(t, 0);
        }
        return;
    }
    const struct wire_offset_fetch_response_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_offset_fetch_response_topic);
    for (int32_t i = 0; i < r->topics.count; i++) {
        const char *name = wire_text(r, topics[i].name);
        uint32_t topic = name == NULL ? 0 : kl_topic_find(t->c, name);
        const struct wire_offset_fetch_response_partition *p =
            WIRE_ITEMS(r, topics[i].partitions, struct wire_offset_fetch_response_partition);
        for (int32_t k = 0; topic != 0 && k < topics[i].partitions.count; k++) {
            uint32_t row = kl_partition_find(t->c, topic, p[k].partition_index);
            if (row != 0) {
                on_stored(t, row, q, &p[k]);
            }
        }
    }
}

/* ---- the duty ---- */

static void serve_commands(struct kl_turn *t)
{
    for (uint32_t i = 1; i <= t->c->commands_fresh; i++) {
        const struct kl_command *m = kl_command_at(t->c, i);
        if (m->kind != KL_IN_COMMIT_OFFSETS || m->request != 0) {
            continue;
        }
        if (m->after_us > t->now) {
            kl_due(t, m->after_us);
            continue;
        }
        uint32_t broker = kl_coordinator_ready(t, 0);
        if (broker != 0 && kl_may_send(t)) {
            commit_places(t, i, broker);
        }
    }
}

void kl_serve_group_offsets(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    if (!t->c->has_group) {
        return;
    }
    serve_stored(t);
    serve_commands(t);
    if (t->c->config.enable_auto_commit && g->auto_commit_us <= t->now) {
        g->auto_commit_us = t->now + t->c->config.auto_commit_interval_ms * KL_MS;
        g->commit_positions = g->join == KL_JOIN_STEADY || !g->subscribed;
    }
    kl_due(t, g->auto_commit_us);
    if (g->commit_positions && g->committing == 0 && kl_group_has_uncommitted(t->c)) {
        uint32_t broker = kl_coordinator_ready(t, 0);
        if (broker != 0 && kl_may_send(t)) {
            commit_positions(t, broker);
        }
    }
}
