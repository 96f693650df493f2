/*
 * Where the coordinators are: of the group, of the transaction.
 *
 * Asked of any broker when somebody needs one; again after 500 ms where that fails. A coordinator
 * that answers NOT_COORDINATOR, or that cannot be reached, is forgotten by who heard that.
 *
 * Source: rdkafka_txnmgr.c: rd_kafka_txn_coord_query, rd_kafka_txn_handle_FindCoordinator;
 * rdkafka_cgrp.c: rd_kafka_cgrp_coord_query, rd_kafka_cgrp_handle_FindCoordinator.
 */
#include "client/state.h"

enum { VERSION = 2, AGAIN_MS = 500 };

uint32_t kl_coordinator_ready(struct kl_turn *t, int which)
{
    struct kl_coordinator *of = &t->c->coordinator[which];
    uint32_t row = of->broker < 0 ? 0 : kl_broker_find(t->c, of->broker);

    if (row == 0) {
        t->more |= !of->wanted && of->asked == 0; /* asked for in the next step */
        of->wanted |= of->asked == 0;
        return 0;
    }
    bool ready = kl_broker_ready(t, row);
    if (!ready && kl_broker_at(t->c, row)->link == KL_LINK_DOWN && !of->wanted) {
        of->wanted = 1; /* rule coordinator-down: it may have moved */
        of->after_us = t->now + AGAIN_MS * KL_MS;
    }
    return ready ? row : 0;
}

static void set(struct kl_turn *t, int which, int32_t broker)
{
    struct kl_coordinator *of = &t->c->coordinator[which];

    if (of->broker != broker) {
        of->broker = broker;
        kl_fact(t, KL_FACT_COORDINATOR, 0,
                (struct kl_output){.broker_id = broker, .value_of = which});
    }
}

void kl_coordinator_lost(struct kl_turn *t, int which)
{
    set(t, which, -1);
    t->c->coordinator[which].wanted = 1;
}

static void ask(struct kl_turn *t, int which, uint32_t broker)
{
    struct wire_flat f;
    struct wire_find_coordinator_request *q = kl_begin(t, &f, WIRE_API_FIND_COORDINATOR);

    q->key = wire_flat_string(&f, which == 0 ? t->c->group_id : t->c->transactional_id);
    q->key_type = (int8_t)which;
    uint32_t row = kl_send(t, broker, &f, WIRE_API_FIND_COORDINATOR, VERSION, -1);
    t->c->coordinator[which].asked = kl_request_at(t->c, row)->correlation;
    t->c->coordinator[which].wanted = 0;
}

void kl_serve_coordinator(struct kl_turn *t)
{
    for (int i = 0; i < 2; i++) {
        struct kl_coordinator *of = &t->c->coordinator[i];
        if (!of->wanted || of->asked != 0) {
            continue;
        }
        if (of->after_us > t->now) {
            kl_due(t, of->after_us);
            continue;
        }
        uint32_t broker = kl_broker_any(t);
        if (broker != 0 && kl_may_send(t)) {
            ask(t, i, broker);
        }
    }
}

void kl_on_find_coordinator(struct kl_turn *t, struct kl_request *q, int32_t error,
                            const struct wire_find_coordinator_response *r)
{
    int which = t->c->coordinator[1].asked == q->correlation;
    struct kl_coordinator *of = &t->c->coordinator[which];

    of->asked = 0;
    error = error != 0 ? error : r->error_code;
    of->error = error;
    if (error == 0) {
        kl_broker_add(t->c, r->node_id);
        set(t, which, r->node_id);
        return;
    }
    if (which == 1 && (error == WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
                       error == WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED)) {
        kl_transaction_fatal(t, error, "the transaction coordinator cannot be asked for");
        return;
    }
    of->wanted = 1;
    of->after_us = t->now + AGAIN_MS * KL_MS;
}
