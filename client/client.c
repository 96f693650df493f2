/*
 * The step: an input, then every duty once.
 *
 * Source: rdkafka.c: rd_kafka_thread_main and the broker threads' loops, which serve whatever has
 * become possible; here in one order.
 */
#include "client/client.h"

#include <assert.h>

#include "client/state.h"

void kl_dispatch(struct kl_turn *t, struct kl_request *q, int32_t error, const void *message)
{
    if (q->command != 0 && kl_command_at(t->c, q->command)->kind == KL_IN_ADMIN) {
        kl_on_admin_response(t, q, error, message);
        return;
    }
    switch (q->api) {
    case WIRE_API_METADATA:
        kl_on_metadata(t, q, error, message);
        return;
    case WIRE_API_PRODUCE:
        kl_on_produce(t, q, error, message);
        return;
    case WIRE_API_FETCH:
        kl_on_fetch(t, q, error, message);
        return;
    case WIRE_API_LIST_OFFSETS:
        kl_on_list_offsets(t, q, error, message);
        return;
    case WIRE_API_INIT_PRODUCER_ID:
        kl_on_init_producer_id(t, q, error, message);
        return;
    case WIRE_API_FIND_COORDINATOR:
        kl_on_find_coordinator(t, q, error, message);
        return;
    case WIRE_API_ADD_PARTITIONS_TO_TXN:
        kl_on_add_partitions(t, q, error, message);
        return;
    case WIRE_API_ADD_OFFSETS_TO_TXN:
        kl_on_add_offsets(t, q, error, message);
        return;
    case WIRE_API_TXN_OFFSET_COMMIT:
        kl_on_txn_offset_commit(t, q, error, message);
        return;
    case WIRE_API_END_TXN:
        kl_on_end_txn(t, q, error, message);
        return;
    case WIRE_API_JOIN_GROUP:
        kl_on_join_group(t, q, error, message);
        return;
    case WIRE_API_SYNC_GROUP:
        kl_on_sync_group(t, q, error, message);
        return;
    case WIRE_API_HEARTBEAT:
        kl_on_heartbeat(t, q, error, message);
        return;
    case WIRE_API_OFFSET_COMMIT:
        kl_on_offset_commit(t, q, error, message);
        return;
    case WIRE_API_OFFSET_FETCH:
        kl_on_offset_fetch(t, q, error, message);
        return;
    default:
        return; /* LeaveGroup; ApiVersions of a connection that broke */
    }
}

/* ---- commands ---- */

static void on_start(struct kl_turn *t)
{
    struct kl_client *c = t->c;

    c->started = 1;
    c->metadata_brokers = 1;
    c->metadata_us = t->now + c->config.topic_metadata_refresh_interval_ms * KL_MS;
    if (kl_is_idempotent(c) && !c->is_transactional) {
        c->pid.state = KL_PID_REQUEST;
        c->pid.after_us = t->now;
    }
}

static void on_flush(struct kl_turn *t)
{
    uint32_t row = kl_command_new(t->c);

    *kl_command_at(t->c, row) =
        (struct kl_command){.kind = KL_IN_FLUSH, .tag = t->in->tag, .serial = t->c->serial};
    t->c->flushing++;
}

/* Gives up what is open: records fail as purged, commands end with STATE. */
void kl_on_close(struct kl_turn *t)
{
    struct kl_client *c = t->c;

    if (c->config.kind == KL_PRODUCER) {
        kl_purge(t, true);
    } else if (c->has_group && c->group.subscribed) {
        if (c->config.enable_auto_commit && kl_group_has_uncommitted(c)) {
            c->group.commit_positions = 1;
            kl_serve_group_offsets(t);
        }
        kl_group_leave(t);
    }
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        kl_partition_stop(t, i);
    }
    kl_call_forget(t);
    for (uint32_t i = 1; i <= c->commands_fresh; i++) {
        if (kl_command_at(c, i)->kind != 0) {
            kl_done(t, i, KL_ERR_STATE);
        }
    }
    c->closed = 1;
    kl_done_now(t, 0);
}

static void on_command(struct kl_turn *t)
{
    switch ((enum kl_input_kind)t->in->kind) {
    case KL_IN_NONE:
    case KL_IN_MORE:
    case KL_IN_RESPONSE:
    case KL_IN_FAILED:
    case KL_IN_TIMER:
    case KL_IN_START:
        return;
    case KL_IN_SEND:
        kl_on_send(t);
        return;
    case KL_IN_FLUSH:
        on_flush(t);
        return;
    case KL_IN_INIT_TRANSACTIONS:
    case KL_IN_BEGIN:
    case KL_IN_SEND_OFFSETS:
    case KL_IN_COMMIT:
    case KL_IN_ABORT:
        kl_on_transaction(t);
        return;
    case KL_IN_ASSIGN:
        kl_on_assign(t);
        return;
    case KL_IN_PAUSE:
        kl_on_pause(t, true);
        return;
    case KL_IN_RESUME:
        kl_on_pause(t, false);
        return;
    case KL_IN_SUBSCRIBE:
        kl_on_subscribe(t);
        return;
    case KL_IN_REBALANCED:
        kl_on_rebalanced(t);
        return;
    case KL_IN_COMMIT_OFFSETS:
        kl_on_commit_offsets(t);
        return;
    case KL_IN_POLL:
        kl_on_poll(t);
        return;
    case KL_IN_ADMIN:
        kl_on_admin(t);
        return;
    case KL_IN_CLOSE:
        kl_on_close(t);
        return;
    }
}

/* ---- the step ---- */

static void on_input(struct kl_turn *t)
{
    if (t->in->kind == KL_IN_START) {
        on_start(t);
    } else if (t->in->kind == KL_IN_RESPONSE) {
        kl_on_response(t);
    } else if (t->in->kind == KL_IN_FAILED) {
        kl_on_failed(t);
    } else if (t->in->kind == KL_IN_TIMER) {
        t->c->armed_us = KL_NEVER;
    } else if (t->c->closed && t->in->kind > KL_IN_MORE && t->in->kind != KL_IN_SEND) {
        kl_done_now(t, KL_ERR_STATE);
    } else {
        on_command(t);
    }
}

static void serve(struct kl_turn *t)
{
    if (!t->c->started || t->c->closed) {
        return;
    }
    kl_serve_timeouts(t);
    kl_serve_expiry(t);
    kl_serve_metadata(t);
    kl_serve_coordinator(t);
    kl_serve_producer_id(t);
    kl_serve_transaction(t);
    kl_serve_produce(t);
    kl_serve_flush(t);
    kl_serve_group(t);
    kl_serve_group_offsets(t);
    kl_serve_offsets(t);
    kl_serve_fetch(t);
    kl_serve_admin(t);
}

static void arm(struct kl_turn *t)
{
    int64_t due = t->due;

    if (due != KL_NEVER && due <= t->now) {
        due = t->now + KL_MS; /* something could not be done now: soon again */
    }
    if (due != t->c->armed_us) {
        t->c->armed_us = due;
        kl_put(t, &(struct kl_output){
                      .kind = KL_OUT_TIMER, .timer = 1, .due_us = due == KL_NEVER ? -1 : due});
    }
}

enum sm_err kl_client_step(struct kl_client *c, int64_t now_us, const struct kl_input *in,
                           struct kl_outputs *out)
{
    struct kl_turn t = {.c = c, .now = now_us, .in = in, .out = out, .due = KL_NEVER};

    out->more = false;
    out->short_of = kl_room(c, in);
    out->scratch_needed = kl_scratch_needed(c, in);
    if (out->short_of == NULL && out->scratch_size < out->scratch_needed) {
        out->short_of = "scratch";
    }
    if (out->short_of != NULL) {
        return SM_ERR_LIMIT;
    }
    on_input(&t);
    serve(&t);
    arm(&t);
    out->more = t.more;
    return SM_ERR_OK;
}
