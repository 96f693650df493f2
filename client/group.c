/*
 * Being a member of a consumer group.
 *
 *     init ──JoinGroup──► asked ──► (leads: metadata) ──► sync ──SyncGroup──► assign call ──►
 * steady ▲                    │ another id, generation, coordinator                  ▲            │
 *      │                    └──► again, a second later                  REBALANCED │            │
 *      └──── unassign call ◄── heartbeat says: a rebalance; or: lost ◄──────────────────────────┘
 *
 * The application is asked before partitions begin (KL_OUT_ASSIGN) and before they end
 * (KL_OUT_REVOKE), and what follows waits for its REBALANCED. Eager assignors give up everything
 * before each rejoin; the cooperative one joins with what it has, gives up only what went to
 * others, and then joins again. Heartbeats go on all the while; without an answer for
 * session.timeout.ms the member takes itself for dead: what it had is lost, and not committed.
 *
 * Differs: max.poll.interval.ms counts from the first POLL, so a program that never says POLL is
 * never too slow.
 *
 * Source: rdkafka_cgrp.c: rd_kafka_cgrp_join, rd_kafka_cgrp_handle_JoinGroup,
 * rd_kafka_cgrp_handle_SyncGroup, rd_kafka_cgrp_handle_heartbeat_error,
 * rd_kafka_cgrp_session_timeout_check, rd_kafka_cgrp_max_poll_interval_check_tmr_cb,
 * rd_kafka_cgrp_revoke_all_rejoin, rd_kafka_cgrp_handle_assignment_cooperative,
 * rd_kafka_cgrp_leave.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

enum { JOIN = 5, SYNC = 3, HEARTBEAT = 3, LEAVE = 1, AGAIN_MS = 1000, PLACES = 64 };

static bool is_cooperative(const struct kl_client *c)
{
    return c->config.assignor == KL_COOPERATIVE_STICKY;
}

static void set_join(struct kl_turn *t, enum kl_join join)
{
    enum kl_group_state before = kl_client_group_state(t->c);

    t->c->group.join = (uint32_t)join;
    if (kl_client_group_state(t->c) != before) {
        kl_fact(t, KL_FACT_GROUP, 0,
                (struct kl_output){.value_of = (int32_t)kl_client_group_state(t->c),
                                   .offset = t->c->group.generation});
    }
}

static void set_member(struct kl_client *c, const char *id)
{
    memset(c->group.member_id, 0, KL_TEXT);
    if (id != NULL && strlen(id) < KL_TEXT) {
        memcpy(c->group.member_id, id, strlen(id));
    }
}

/* ---- assign, revoke ---- */

enum which { ALL, ADDED, REMOVED };

static bool is_in(const struct kl_partition *p, enum which which)
{
    return which == ALL     ? p->assigned != 0
           : which == ADDED ? p->target && !p->assigned
                            : p->assigned && !p->target;
}

static uint32_t count_in(const struct kl_client *c, enum which which)
{
    uint32_t n = 0;

    for (uint32_t i = 1; i <= c->partition_count; i++) {
        n += is_in(kl_partition_at(c, i), which);
    }
    return n;
}

/* Tells the application of the partitions, as an array in scratch. */
static void put_partitions(struct kl_turn *t, enum kl_output_kind kind, enum which which,
                           int32_t error)
{
    struct kl_offset *offsets = t->out->scratch;
    uint32_t n = 0;

    for (uint32_t topic = 1; topic <= t->c->topic_count; topic++) {
        for (uint32_t i = kl_topic_at(t->c, topic)->partitions; i != 0;
             i = kl_partition_at(t->c, i)->next) {
            const struct kl_partition *p = kl_partition_at(t->c, i);
            if (is_in(p, which)) {
                offsets[n++] = (struct kl_offset){.topic = kl_partition_topic(t->c, p),
                                                  .partition = p->number,
                                                  .leader_epoch = -1,
                                                  .offset = KL_OFFSET_STORED};
            }
        }
    }
    kl_put(t, &(struct kl_output){
                  .kind = kind, .error = error, .offsets = offsets, .count = n, .partition = -1});
}

/* Eager: all is given up, then joined again. Without partitions at once. */
static void revoke_all(struct kl_turn *t, int32_t lost)
{
    struct kl_group *g = &t->c->group;

    g->lost = lost != 0;
    g->rejoin = 1;
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        kl_partition_at(t->c, i)->target = 0;
        kl_partition_at(t->c, i)->fetching = 0;
        kl_partition_at(t->c, i)->paused |= kl_partition_at(t->c, i)->assigned;
    }
    if (count_in(t->c, ALL) == 0) {
        set_join(t, KL_JOIN_INIT);
        return;
    }
    set_join(t, KL_JOIN_UNASSIGN_CALL);
    put_partitions(t, KL_OUT_REVOKE, ALL, lost);
}

/* Rule rebalance: eager members give up, cooperative ones join with what they have. */
static void rejoin(struct kl_turn *t)
{
    if (t->c->group.join == KL_JOIN_UNASSIGN_CALL || t->c->group.join == KL_JOIN_ASSIGN_CALL) {
        t->c->group.rejoin = 1;
    } else if (is_cooperative(t->c)) {
        set_join(t, KL_JOIN_INIT);
    } else {
        revoke_all(t, 0);
    }
}

static void lose(struct kl_turn *t, int32_t error)
{
    t->c->group.heartbeat_us = t->c->group.session_us = KL_NEVER;
    if (t->c->group.join == KL_JOIN_UNASSIGN_CALL) {
        t->c->group.lost = t->c->group.rejoin = 1;
    } else if (t->c->group.join == KL_JOIN_ASSIGN_CALL) {
        t->c->group.rejoin = t->c->group.lost = 1;
    } else {
        revoke_all(t, error);
    }
}

/* Rule group-errors. */
void kl_group_error(struct kl_turn *t, int32_t error)
{
    struct kl_group *g = &t->c->group;

    switch (error) {
    case WIRE_ERROR_NOT_COORDINATOR:
    case WIRE_ERROR_COORDINATOR_NOT_AVAILABLE:
        kl_coordinator_lost(t, 0);
        return;
    case KL_ERR_TRANSPORT:
    case KL_ERR_TIMED_OUT:
        t->c->coordinator[0].wanted = 1;
        return;
    case WIRE_ERROR_REBALANCE_IN_PROGRESS:
        rejoin(t);
        return;
    case WIRE_ERROR_ILLEGAL_GENERATION:
        g->generation = -1;
        lose(t, error);
        return;
    case WIRE_ERROR_UNKNOWN_MEMBER_ID:
        set_member(t->c, "");
        g->generation = -1;
        lose(t, error);
        return;
    case WIRE_ERROR_FENCED_INSTANCE_ID:
        t->c->pid.fatal_error = error;
        kl_error(t, error, true, 0, "fenced by another member with this group.instance.id");
        lose(t, error);
        return;
    default:
        return;
    }
}

/* Puts the new assignment before the application. */
static void take_assignment(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    g->lost = g->rejoin = 0;
    if (is_cooperative(t->c) && count_in(t->c, REMOVED) > 0) {
        g->rejoin = 1; /* what is given up is for others, in the next generation */
        for (uint32_t i = 1; i <= t->c->partition_count; i++) {
            struct kl_partition *p = kl_partition_at(t->c, i);
            p->fetching = is_in(p, REMOVED) ? 0 : p->fetching;
            p->paused |= is_in(p, REMOVED);
        }
        set_join(t, KL_JOIN_UNASSIGN_CALL);
        put_partitions(t, KL_OUT_REVOKE, REMOVED, 0);
        return;
    }
    set_join(t, KL_JOIN_ASSIGN_CALL);
    put_partitions(t, KL_OUT_ASSIGN, ADDED, 0);
}

/* ---- requests ---- */

static void ask_join(struct kl_turn *t, uint32_t broker)
{
    static const char *const names[] = {"range", "roundrobin", "cooperative-sticky"};
    struct kl_client *c = t->c;
    size_t half = t->out->scratch_size / 2 & ~(size_t)7;
    uint8_t *bytes = (uint8_t *)t->out->scratch + half;
    struct kl_bytes to = {bytes, (uint8_t *)t->out->scratch + t->out->scratch_size, false};
    struct wire_flat f;
    struct wire_join_group_request *q = kl_begin(t, &f, WIRE_API_JOIN_GROUP);

    kl_write_subscription(c, &to, is_cooperative(c));
    q->group_id = wire_flat_string(&f, c->group_id);
    q->session_timeout_ms = c->config.session_timeout_ms;
    q->rebalance_timeout_ms = c->config.max_poll_interval_ms;
    q->member_id = wire_flat_string(&f, c->group.member_id);
    if (c->has_instance) {
        q->group_instance_id = wire_flat_string(&f, c->instance_id);
    }
    q->protocol_type = wire_flat_string(&f, "consumer");
    struct wire_join_group_request_protocol *p =
        kl_items(&f, &q->protocols, 1, &wire_layout_join_group_request_protocol);
    p->name = wire_flat_string(&f, names[c->config.assignor]);
    p->metadata = wire_flat_bytes(&f, bytes, (size_t)(to.at - bytes));
    uint32_t row =
        kl_send(t, broker, &f, WIRE_API_JOIN_GROUP, JOIN, c->config.max_poll_interval_ms + 3000);
    c->group.asked = kl_request_at(c, row)->correlation;
    set_join(t, KL_JOIN_ASKED);
}

static void ask_sync(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_sync_group_request *q = kl_begin(t, &f, WIRE_API_SYNC_GROUP);

    q->group_id = wire_flat_string(&f, c->group_id);
    q->generation_id = c->group.generation;
    q->member_id = wire_flat_string(&f, c->group.member_id);
    if (c->has_instance) {
        q->group_instance_id = wire_flat_string(&f, c->instance_id);
    }
    if (c->group.members != 0) {
        kl_assign(t, &f, q);
        kl_blob_free(c, c->group.members);
        c->group.members = 0;
    } else {
        q->assignments = wire_flat_array(&f, 0, 8);
    }
    uint32_t row = kl_send(t, broker, &f, WIRE_API_SYNC_GROUP, SYNC, -1);
    c->group.asked = kl_request_at(c, row)->correlation;
    set_join(t, KL_JOIN_SYNC);
}

static void ask_heartbeat(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_heartbeat_request *q = kl_begin(t, &f, WIRE_API_HEARTBEAT);

    q->group_id = wire_flat_string(&f, c->group_id);
    q->generation_id = c->group.generation;
    q->member_id = wire_flat_string(&f, c->group.member_id);
    if (c->has_instance) {
        q->group_instance_id = wire_flat_string(&f, c->instance_id);
    }
    uint32_t row =
        kl_send(t, broker, &f, WIRE_API_HEARTBEAT, HEARTBEAT, c->config.session_timeout_ms);
    c->group.heartbeat = kl_request_at(c, row)->correlation;
    c->group.heartbeat_us = t->now + c->config.heartbeat_interval_ms * KL_MS;
}

/* Rule static-member: a static member leaves only by its session. */
static void ask_leave(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_leave_group_request *q = kl_begin(t, &f, WIRE_API_LEAVE_GROUP);

    q->group_id = wire_flat_string(&f, c->group_id);
    q->member_id = wire_flat_string(&f, c->group.member_id);
    kl_send(t, broker, &f, WIRE_API_LEAVE_GROUP, LEAVE, -1);
}

void kl_group_leave(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;
    int32_t id = t->c->coordinator[0].broker;
    uint32_t broker = id < 0 ? 0 : kl_broker_find(t->c, id);

    if (g->member_id[0] != 0 && !t->c->has_instance && broker != 0 && kl_broker_ready(t, broker) &&
        kl_may_send(t)) {
        ask_leave(t, broker);
    }
    set_member(t->c, "");
    g->generation = -1;
    g->asked = g->heartbeat = 0;
    g->heartbeat_us = g->session_us = KL_NEVER;
    g->subscribed = 0;
    if (g->members != 0) {
        kl_blob_free(t->c, g->members);
        g->members = 0;
    }
    set_join(t, KL_JOIN_INIT);
}

/* ---- duties ---- */

/* Whether what was asked about the topics has been answered. */
static bool topics_are_known(const struct kl_client *c, bool of_group)
{
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        const struct kl_topic *topic = kl_topic_at(c, i);
        bool used = of_group ? topic->needed : topic->subscribed;
        if (used && topic->wanted) {
            return false;
        }
    }
    return c->metadata == 0;
}

static void serve_join(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    if (g->join != KL_JOIN_INIT || g->committing != 0 || kl_is_fatal(t->c)) {
        return;
    }
    if (g->after_us > t->now) {
        kl_due(t, g->after_us);
        return;
    }
    uint32_t broker = kl_coordinator_ready(t, 0);
    if (broker != 0 && topics_are_known(t->c, false) && kl_may_send(t)) {
        ask_join(t, broker);
    }
}

static void serve_sync(struct kl_turn *t)
{
    if (t->c->group.join != KL_JOIN_METADATA || !topics_are_known(t->c, true)) {
        return;
    }
    uint32_t broker = kl_coordinator_ready(t, 0);
    if (broker != 0 && kl_may_send(t)) {
        ask_sync(t, broker);
    }
}

static void serve_heartbeat(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    if (g->join == KL_JOIN_STEADY && g->session_us <= t->now) { /* rule session-timeout */
        set_member(t->c, "");
        g->generation = -1;
        lose(t, KL_ERR_TIMED_OUT);
        return;
    }
    if (g->join == KL_JOIN_STEADY) /* one that joins is not at home, and waits as long as it takes */
        kl_due(t, g->session_us);
    if (g->heartbeat_us == KL_NEVER || g->heartbeat != 0 || g->join < KL_JOIN_UNASSIGN_CALL) {
        return;
    }
    if (g->heartbeat_us > t->now) {
        kl_due(t, g->heartbeat_us);
        return;
    }
    uint32_t broker = kl_coordinator_ready(t, 0);
    if (broker != 0 && kl_may_send(t)) {
        ask_heartbeat(t, broker);
    }
}

/* Rule max-poll: an application that does not poll is taken out of the group. */
static void serve_poll(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    if (g->poll_us > t->now) {
        kl_due(t, g->poll_us);
        return;
    }
    g->poll_us = KL_NEVER;
    kl_error(t, KL_ERR_MAX_POLL_EXCEEDED, false, 0, "max.poll.interval.ms exceeded");
    kl_group_leave(t);
    g->subscribed = 1;
    lose(t, KL_ERR_MAX_POLL_EXCEEDED);
    g->after_us = KL_NEVER; /* until it polls */
}

void kl_serve_group(struct kl_turn *t)
{
    if (!t->c->has_group || !t->c->group.subscribed) {
        return;
    }
    serve_poll(t);
    serve_heartbeat(t);
    serve_join(t);
    serve_sync(t);
}

/* ---- answers ---- */

static void need_topic(void *context, const char *name)
{
    struct kl_turn *t = context;
    uint32_t row = kl_topic_add(t, name);

    if (row != 0) {
        kl_topic_at(t->c, row)->needed = 1;
        kl_topic_at(t->c, row)->wanted = 1; /* the assignor looks at fresh metadata */
    }
}

static void lead(struct kl_turn *t, const struct wire_join_group_response *r)
{
    const struct wire_join_group_response_member *members =
        WIRE_ITEMS(r, r->members, struct wire_join_group_response_member);

    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        kl_topic_at(t->c, i)->needed = 0;
    }
    for (int32_t i = 0; i < r->members.count; i++) {
        kl_read_subscription(wire_data(r, members[i].metadata), members[i].metadata.size,
                             need_topic, NULL, t);
    }
    if (t->c->group.members != 0) {
        kl_blob_free(t->c, t->c->group.members);
    }
    t->c->group.members = kl_blob_new(t->c, r, t->in->size);
}

/* Rule join-errors. */
static void join_failed(struct kl_turn *t, int32_t error, const char *member_id)
{
    struct kl_group *g = &t->c->group;

    g->after_us = t->now + AGAIN_MS * KL_MS;
    set_join(t, KL_JOIN_INIT);
    if (error == WIRE_ERROR_MEMBER_ID_REQUIRED) {
        set_member(t->c, member_id);
        g->after_us = t->now;
    } else if (error == WIRE_ERROR_UNKNOWN_MEMBER_ID) {
        set_member(t->c, "");
    } else if (error == WIRE_ERROR_ILLEGAL_GENERATION) {
        g->generation = -1;
    } else if (error == WIRE_ERROR_FENCED_INSTANCE_ID || kl_action(error) & KL_ACT_REFRESH ||
               error == KL_ERR_TRANSPORT) {
        kl_group_error(t, error);
    } else if (kl_action(error) & KL_ACT_PERMANENT && error != WIRE_ERROR_REBALANCE_IN_PROGRESS) {
        kl_error(t, error, false, 0, "JoinGroup failed");
    }
}

void kl_on_join_group(struct kl_turn *t, struct kl_request *q, int32_t error,
                      const struct wire_join_group_response *r)
{
    struct kl_group *g = &t->c->group;

    if (g->asked != q->correlation || g->join != KL_JOIN_ASKED) {
        return;
    }
    g->asked = 0;
    if (error != 0 || r->error_code != 0) {
        join_failed(t, error != 0 ? error : r->error_code,
                    error != 0 ? NULL : wire_text(r, r->member_id));
        return;
    }
    set_member(t->c, wire_text(r, r->member_id));
    g->generation = r->generation_id;
    g->after_us = t->now + AGAIN_MS * KL_MS; /* joins are a second apart */
    g->session_us = t->now + t->c->config.session_timeout_ms * KL_MS;
    g->heartbeat_us = t->now + t->c->config.heartbeat_interval_ms * KL_MS;
    if (strcmp(wire_text(r, r->leader), t->c->group.member_id) == 0) {
        lead(t, r);
    }
    set_join(t, KL_JOIN_METADATA);
}

static void target(void *context, const char *name, int32_t partition)
{
    struct kl_turn *t = context;
    uint32_t topic = kl_topic_add(t, name);

    if (topic != 0) {
        kl_partition_at(t->c, kl_partition_add(t, topic, partition))->target = 1;
    }
}

void kl_on_sync_group(struct kl_turn *t, struct kl_request *q, int32_t error,
                      const struct wire_sync_group_response *r)
{
    struct kl_group *g = &t->c->group;

    if (g->asked != q->correlation || g->join != KL_JOIN_SYNC) {
        return;
    }
    g->asked = 0;
    error = error != 0 ? error : r->error_code;
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        kl_partition_at(t->c, i)->target = 0;
    }
    if (error == 0 && r->assignment.size > 0 &&
        !kl_read_assignment(wire_data(r, r->assignment), r->assignment.size, target, t)) {
        error = WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL;
    }
    if (error != 0) {
        set_join(t, KL_JOIN_INIT);
        g->after_us = t->now + AGAIN_MS * KL_MS;
        if (error != WIRE_ERROR_REBALANCE_IN_PROGRESS) {
            kl_group_error(t, error);
        }
        return;
    }
    g->session_us = t->now + t->c->config.session_timeout_ms * KL_MS;
    take_assignment(t);
}

void kl_on_heartbeat(struct kl_turn *t, struct kl_request *q, int32_t error,
                     const struct wire_heartbeat_response *r)
{
    struct kl_group *g = &t->c->group;

    if (g->heartbeat != q->correlation) {
        return;
    }
    g->heartbeat = 0;
    error = error != 0 ? error : r->error_code;
    if (error == 0) {
        g->session_us = t->now + t->c->config.session_timeout_ms * KL_MS;
    } else if (g->join != KL_JOIN_ASKED && g->join != KL_JOIN_INIT) {
        kl_group_error(t, error);
    }
}

/* ---- commands ---- */

void kl_on_subscribe(struct kl_turn *t)
{
    struct kl_client *c = t->c;

    if (c->config.kind != KL_CONSUMER || !c->has_group) {
        kl_done_now(t, KL_ERR_STATE);
        return;
    }
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        kl_topic_at(c, i)->subscribed = 0;
    }
    for (uint32_t i = 0; i < t->in->topic_count; i++) {
        uint32_t topic = kl_topic_add(t, t->in->topics[i]);
        if (topic != 0) {
            kl_topic_at(c, topic)->subscribed = 1;
        }
    }
    kl_done_now(t, 0);
    if (t->in->topic_count == 0 && c->group.subscribed) {
        c->group.leaving = 1;
        revoke_all(t, 0);
        if (c->group.join == KL_JOIN_INIT) {
            c->group.leaving = 0;
            kl_group_leave(t);
        }
    } else if (t->in->topic_count > 0) {
        bool was = c->group.subscribed != 0;
        c->group.subscribed = 1;
        c->group.auto_commit_us = t->now + c->config.auto_commit_interval_ms * KL_MS;
        if (was) {
            rejoin(t);
        }
    }
}

/* The application has given up what it was asked to, or has taken what it was given. */
void kl_on_rebalanced(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;
    bool assign = g->join == KL_JOIN_ASSIGN_CALL;

    if (!assign && g->join != KL_JOIN_UNASSIGN_CALL) {
        kl_done_now(t, KL_ERR_STATE);
        return;
    }
    kl_done_now(t, 0);
    if (!assign && !g->lost && t->c->config.enable_auto_commit && kl_group_has_uncommitted(t->c)) {
        g->commit_positions = 1; /* rule commit-on-revoke: before the rejoin */
        kl_serve_group_offsets(t);
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        if (is_in(p, REMOVED)) {
            kl_partition_stop(t, i);
        } else if (assign && is_in(p, ADDED)) {
            kl_partition_start(t, i, KL_OFFSET_STORED);
        }
    }
    if (g->leaving) {
        g->leaving = 0;
        kl_group_leave(t);
    } else if (assign) {
        set_join(t, KL_JOIN_STEADY);
        if (g->rejoin) {
            g->rejoin = 0;
            rejoin(t);
        }
    } else {
        g->rejoin = 0;
        set_join(t, KL_JOIN_INIT);
    }
}

void kl_on_poll(struct kl_turn *t)
{
    struct kl_group *g = &t->c->group;

    g->poll_us = t->now + t->c->config.max_poll_interval_ms * KL_MS;
    g->after_us = g->after_us == KL_NEVER ? t->now : g->after_us;
    kl_done_now(t, 0);
}
