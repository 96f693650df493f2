/*
 * Requests of tools, passed on to the controller as they are.
 *
 * Asked of the broker that the last metadata named as the controller; without one, or when another
 * answers NOT_CONTROLLER, after a look at the metadata; until the answer is another one or
 * socket.timeout.ms is over.
 *
 * Source: rdkafka_admin.c: rd_kafka_admin_worker, rd_kafka_admin_common_worker_destroy;
 * rdkafka_broker.c: rd_kafka_broker_controller_async.
 */
#include "client/state.h"

#include <string.h>

enum { AGAIN_MS = 100 };

void kl_on_admin(struct kl_turn *t)
{
    uint32_t row = kl_command_new(t->c);
    uint32_t blob = kl_blob_new(t->c, t->in->message, t->in->size);
    struct kl_command *m = kl_command_at(t->c, row);

    m->kind = KL_IN_ADMIN;
    m->tag = t->in->tag;
    m->api = t->in->api;
    m->version = t->in->version;
    m->blob = blob;
    m->expires_us = t->now + t->c->config.socket_timeout_ms * KL_MS;
}

static void send(struct kl_turn *t, uint32_t row, uint32_t broker)
{
    struct kl_command *m = kl_command_at(t->c, row);
    struct wire_flat f = {.bytes = kl_blob(t->c, m->blob), .capacity = kl_blob_size(t->c, m->blob)};

    f.used = f.capacity;
    m->request = kl_send(t, broker, &f, (int16_t)m->api, (int16_t)m->version,
                         (m->expires_us - t->now) / KL_MS);
    kl_request_at(t->c, m->request)->command = row;
}

static void serve(struct kl_turn *t, uint32_t row)
{
    struct kl_command *m = kl_command_at(t->c, row);
    uint32_t broker = t->c->controller < 0 ? 0 : kl_broker_find(t->c, t->c->controller);

    if (m->expires_us <= t->now) {
        kl_done(t, row, KL_ERR_TIMED_OUT);
        return;
    }
    kl_due(t, m->expires_us);
    if (m->after_us > t->now) {
        kl_due(t, m->after_us);
    } else if (broker != 0 && kl_broker_ready(t, broker) && kl_may_send(t)) {
        send(t, row, broker);
    } else if (broker == 0 || kl_broker_at(t->c, broker)->link == KL_LINK_DOWN) {
        t->c->metadata_brokers = 1;
        m->after_us = t->now + AGAIN_MS * KL_MS;
        kl_due(t, m->after_us);
    }
}

void kl_serve_admin(struct kl_turn *t)
{
    for (uint32_t i = 1; i <= t->c->commands_fresh; i++) {
        const struct kl_command *m = kl_command_at(t->c, i);
        if (m->kind == KL_IN_ADMIN && m->request == 0) {
            serve(t, i);
        }
    }
}

/* Most answers that only a controller gives say an error for each topic; the few that have one for
   all stand first. */
static bool says_not_controller(int32_t api, const void *message)
{
    int32_t error = 0;

    if (api == WIRE_API_CREATE_TOPICS) {
        const struct wire_create_topics_response *r = message;
        error =
            r->topics.count < 1
                ? 0
                : WIRE_ITEMS(r, r->topics, struct wire_create_topics_response_topic)->error_code;
    } else if (api == WIRE_API_DELETE_TOPICS) {
        const struct wire_delete_topics_response *r = message;
        error = r->responses.count < 1
                    ? 0
                    : WIRE_ITEMS(r, r->responses, struct wire_delete_topics_response_response)
                          ->error_code;
    } else if (api == WIRE_API_CREATE_PARTITIONS) {
        const struct wire_create_partitions_response *r = message;
        error = r->results.count < 1
                    ? 0
                    : WIRE_ITEMS(r, r->results, struct wire_create_partitions_response_result)
                          ->error_code;
    } else if (api == WIRE_API_ELECT_LEADERS) {
        const struct wire_elect_leaders_response *r = message;
        error = r->error_code;
    } else if (api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS) {
        const struct wire_alter_partition_reassignments_response *r = message;
        error = r->error_code;
    } else if (api == WIRE_API_LIST_PARTITION_REASSIGNMENTS) {
        const struct wire_list_partition_reassignments_response *r = message;
        error = r->error_code;
    }
    return error == WIRE_ERROR_NOT_CONTROLLER;
}

static void again(struct kl_turn *t, struct kl_command *m)
{
    t->c->metadata_brokers = 1;
    m->request = 0;
    m->after_us = t->now + AGAIN_MS * KL_MS;
}

/* Rule admin-not-controller. */
void kl_on_admin_response(struct kl_turn *t, struct kl_request *q, int32_t error,
                          const void *message)
{
    struct kl_command *m = kl_command_at(t->c, q->command);

    if (error == KL_ERR_TRANSPORT || (error == 0 && says_not_controller(m->api, message))) {
        t->c->controller = error == 0 ? -1 : t->c->controller;
        again(t, m);
        return;
    }
    kl_put(t, &(struct kl_output){.kind = KL_OUT_DONE,
                                  .tag = m->tag,
                                  .command = KL_IN_ADMIN,
                                  .error = error,
                                  .api = m->api,
                                  .version = m->version,
                                  .message = error == 0 ? message : NULL,
                                  .size = error == 0 ? t->in->size : 0});
    kl_command_free(t->c, q->command);
}
