/*
 * The step: whom an input concerns, and which flow serves it. What flows share is in slots.c.
 *
 * Room is made before anything is done: at the head of a step the most that the input can need of
 * heap and scratch is computed, and where that is not there, the step ends with LIMIT. So no flow
 * ever finds itself short in the middle, and every failure to allocate further down is a mistake of
 * ours.
 *
 * What follows from an input between replicas and coordinators is worked off behind it
 * (broker/coordinators.h); where that ends with LIMIT, the input itself is not taken twice.
 */
#include "broker/broker.h"

#include <assert.h>
#include <string.h>

#include "broker/coordinators.h"

/* ---- which flow serves an API ---- */

struct service {
    int16_t api;
    bool takes_slot;
    kb_begin *begin;
    kb_advance *advance;
    kb_room_of *room;
    kb_answered *answered;
};

static const struct service services[] = {
    {WIRE_API_PRODUCE, false, kb_begin_produce, NULL, kb_room_mirror, NULL},
    {WIRE_API_FETCH, false, kb_begin_fetch, NULL, kb_room_mirror, NULL},
    {WIRE_API_LIST_OFFSETS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_METADATA, true, kb_begin_metadata, kb_advance_metadata, kb_room_metadata, NULL},
    {WIRE_API_CONTROLLED_SHUTDOWN, true, kb_begin_controlled_shutdown, NULL, kb_room_small,
     kb_answered_controlled_shutdown},
    {WIRE_API_OFFSET_COMMIT, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_OFFSET_FETCH, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_FIND_COORDINATOR, true, kb_begin_find_coordinator, kb_advance_find_coordinator,
     kb_room_find_coordinator, NULL},
    {WIRE_API_JOIN_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_HEARTBEAT, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_LEAVE_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SYNC_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_LIST_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SASL_HANDSHAKE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_API_VERSIONS, false, kb_begin_api_versions, NULL, kb_room_small, NULL},
    {WIRE_API_CREATE_TOPICS, true, kb_begin_create_topics, kb_advance_create_topics,
     kb_room_create_topics, NULL},
    {WIRE_API_DELETE_TOPICS, true, kb_begin_delete_topics, kb_advance_delete_topics,
     kb_room_delete_topics, NULL},
    {WIRE_API_DELETE_RECORDS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_INIT_PRODUCER_ID, true, kb_begin_init_producer_id, kb_advance_init_producer_id,
     kb_room_small, NULL},
    {WIRE_API_OFFSET_FOR_LEADER_EPOCH, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_ADD_PARTITIONS_TO_TXN, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_ADD_OFFSETS_TO_TXN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_END_TXN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_WRITE_TXN_MARKERS, true, kb_begin_write_markers, NULL, kb_room_write_markers, NULL},
    {WIRE_API_TXN_OFFSET_COMMIT, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_CREATE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DELETE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CONFIGS, true, kb_begin_describe_configs, kb_advance_describe_configs,
     kb_room_describe_configs, NULL},
    {WIRE_API_ALTER_CONFIGS, true, kb_begin_alter_configs, kb_advance_alter_configs,
     kb_room_alter_configs, NULL},
    {WIRE_API_ALTER_REPLICA_LOG_DIRS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_LOG_DIRS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SASL_AUTHENTICATE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_CREATE_PARTITIONS, true, kb_begin_create_partitions, kb_advance_create_partitions,
     kb_room_create_partitions, NULL},
    {WIRE_API_CREATE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_RENEW_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_EXPIRE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DELETE_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ELECT_LEADERS, true, kb_begin_elect_leaders, kb_advance_elect_leaders,
     kb_room_elect_leaders, kb_answered_elect_leaders},
    {WIRE_API_INCREMENTAL_ALTER_CONFIGS, true, kb_begin_incremental_alter_configs,
     kb_advance_alter_configs, kb_room_alter_configs, NULL},
    {WIRE_API_ALTER_PARTITION_REASSIGNMENTS, true, kb_begin_alter_reassignments,
     kb_advance_reassignments, kb_room_alter_reassignments, kb_answered_alter_reassignments},
    {WIRE_API_LIST_PARTITION_REASSIGNMENTS, true, kb_begin_list_reassignments, NULL,
     kb_room_list_reassignments, kb_answered_list_reassignments},
    {WIRE_API_OFFSET_DELETE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CLIENT_QUOTAS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_CLIENT_QUOTAS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_USER_SCRAM_CREDENTIALS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_USER_SCRAM_CREDENTIALS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_ISR, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_UPDATE_FEATURES, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CLUSTER, true, kb_begin_describe_cluster, kb_advance_by_id, kb_room_metadata,
     NULL},
    {WIRE_API_DESCRIBE_PRODUCERS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
};

static const struct service *service_of(int32_t api)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (services[i].api == api)
            return &services[i];
    return NULL;
}

bool kb_broker_serves(int16_t api)
{
    return service_of(api) != NULL || api == WIRE_API_LEADER_AND_ISR ||
           api == WIRE_API_STOP_REPLICA || api == WIRE_API_UPDATE_METADATA;
}

/* ---- room ---- */

enum { REPLY_ROOM = 48 * 1024 }; /* what one reply may add to a response, beside its own bytes */

static bool lacks_scratch(struct kb_turn *t, size_t need)
{
    if (t->out->scratch_size >= need)
        return false;
    t->out->short_of = "scratch";
    t->out->scratch_needed = need;
    return true;
}

static bool lacks_heap(struct kb_turn *t, size_t need)
{
    if (t->b->limits.request_bytes - t->b->heap_used >= need)
        return false;
    t->out->short_of = "request_bytes";
    return true;
}

static bool lacks_room_for_request(struct kb_turn *t)
{
    const struct service *s = service_of(t->in->api);
    if (s == NULL)
        return lacks_scratch(t, KB_SCRATCH_MIN);
    struct kb_room room = s->room(t->b, t->in);
    if (lacks_scratch(t, KB_SCRATCH_MIN + room.scratch + room.response + room.work))
        return true;
    return s->takes_slot &&
           lacks_heap(t, kb_up8(t->in->size) + kb_up8(room.work) + kb_up8(room.response));
}

static struct kb_slot *slot_of_xid(const struct kb_broker *b, uint32_t xid)
{
    struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].xid == xid)
            return &s[i];
    return NULL;
}

struct kb_slot *kb_slot_of_order(const struct kb_broker *b, uint64_t order)
{
    struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].order == order)
            return &s[i];
    return NULL;
}

/* Widens the response of `s` where less than `need` bytes are left in it. */
static bool lacks_room_in(struct kb_turn *t, struct kb_slot *s, size_t need)
{
    if (s->area[KB_AREA_RESPONSE].size - s->response_used >= need)
        return false;
    if (lacks_heap(t, kb_up8(need)))
        return true;
    kb_area_widen(t->b, s, KB_AREA_RESPONSE, need);
    return false;
}

/* What slots that are answered out of the cache, but later, will need of scratch. */
static size_t late_scratch(const struct kb_broker *b)
{
    const struct kb_slot *s = kb_slots(b);
    size_t most = 0;
    for (uint32_t i = 0; b->waiting > 0 && i < b->limits.requests; i++) {
        if (s[i].phase == KB_PHASE_FREE ||
            (s[i].api != WIRE_API_METADATA && s[i].api != WIRE_API_DESCRIBE_CLUSTER))
            continue;
        struct kb_broker_input in = {
            .api = s[i].api, .version = s[i].version, .message = kb_request_of(b, &s[i])};
        struct kb_room room = kb_room_metadata(b, &in);
        most = room.scratch > most ? room.scratch : most;
    }
    return most;
}

static bool lacks_room_for_reply(struct kb_turn *t)
{
    struct kb_slot *s = slot_of_xid(t->b, t->in->reply->xid);
    size_t size = t->in->reply->size;
    if (lacks_scratch(t, KB_SCRATCH_MIN + 4 * size + late_scratch(t->b)))
        return true;
    return s != NULL && lacks_room_in(t, s, REPLY_ROOM + 4 * size);
}

static bool lacks_room_for_answer(struct kb_turn *t)
{
    struct kb_slot *s = kb_slot_of_order(t->b, t->in->call_id);
    size_t need = KB_SCRATCH_MIN + 512 * (size_t)t->in->call->count + 4 * (size_t)t->in->call->size;
    if (s != NULL)
        need += 16 * (size_t)s->area[KB_AREA_REQUEST].size;
    return lacks_scratch(t, need) || (s != NULL && lacks_room_in(t, s, need - KB_SCRATCH_MIN));
}

static bool lacks_room(struct kb_turn *t)
{
    if (kb_hosts(t) && lacks_scratch(t, KB_SCRATCH_MIN + late_scratch(t->b) + kb_data_scratch(t)))
        return true;
    if (t->b->is_taken)
        return false;
    if (kb_coordinators_lack_room(t))
        return true;
    switch ((enum kb_broker_input_kind)t->in->kind) {
    case KB_BROKER_IN_REQUEST:
        return lacks_room_for_request(t);
    case KB_BROKER_IN_ZK_REPLY:
        return lacks_room_for_reply(t);
    case KB_BROKER_IN_CALL_ANSWER:
        return lacks_room_for_answer(t);
    case KB_BROKER_IN_NONE:
    case KB_BROKER_IN_SESSION_CREATED:
    case KB_BROKER_IN_SESSION_EXPIRED:
    case KB_BROKER_IN_REGISTERED:
    case KB_BROKER_IN_BATCH:
    case KB_BROKER_IN_DROP:
    case KB_BROKER_IN_TIMER:
    case KB_BROKER_IN_START:
    case KB_BROKER_IN_PEER_RESPONSE:
    case KB_BROKER_IN_SEND_FAILED:
    case KB_BROKER_IN_SHUTTING_DOWN:
    case KB_BROKER_IN_DIR_FAILED:
    case KB_BROKER_IN_TOPIC_CONFIG:
    case KB_BROKER_IN_BROKER_CONFIG:
        return lacks_scratch(t, KB_SCRATCH_MIN + late_scratch(t->b));
    }
    return false;
}

/* ---- inputs ---- */

static void advance(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    const struct service *service = service_of(s->api);
    assert(service != NULL);
    if (service->advance != NULL)
        service->advance(t, s, r);
}

void kb_wake(struct kb_turn *t, enum kb_phase phase)
{
    struct kb_slot *s = kb_slots(t->b);
    size_t before = t->scratch_used;
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase == phase) {
            advance(t, &s[i], NULL);
            t->scratch_used = before;
        }
}

/* Goes on with requests that place replicas, where it is known on which brokers. */
static void wake_placing(struct kb_turn *t)
{
    if (kb_candidates_known(t))
        kb_wake(t, KB_PHASE_BROKERS);
}

static enum sm_err on_reply(struct kb_turn *t)
{
    uint32_t xid = t->in->reply->xid;
    enum sm_err err = SM_ERR_OK;
    if (kb_data_on_reply(t, &err))
        return err;
    struct kb_reply r = kb_reply_of(t->in->reply);
    struct kb_slot *s = slot_of_xid(t->b, xid);
    if (s != NULL) {
        s->xid = 0;
        advance(t, s, &r);
        return err;
    }
    if (kb_candidates_on_reply(t, &r)) {
        if (r.err != WIRE_ZK_SESSION_EXPIRED) /* else who waits is woken by the next session */
            wake_placing(t);
        return err;
    }
    if (!kb_cluster_on_reply(t, &r, xid))
        kb_producer_ids_on_reply(t, &r, xid);
    return err;
}

static void put_answer(struct kb_turn *t, int32_t error, int32_t partition_error)
{
    struct wire_answer answer = {.error = error, .partition_error = partition_error};
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_BATCH_ANSWER,
                                                            .by = t->in->record,
                                                            .call_id = t->in->call_id,
                                                            .api = t->in->api,
                                                            .answer = &answer});
}

/* KafkaApis.isBrokerEpochStale: the request is for an earlier life of this broker. */
static bool is_stale(const struct kb_turn *t)
{
    const struct wire_broker *own = wire_batch_broker(t->in->batch, t->b->self.id);
    return own != NULL && own->epoch != -1 && own->epoch < t->b->epoch;
}

static enum sm_err update_metadata(struct kb_turn *t)
{
    const char *short_of = kb_cache_update(kb_cache_of(t->b), t->in->batch);
    if (short_of != NULL) {
        t->out->short_of = short_of;
        return SM_ERR_LIMIT;
    }
    put_answer(t, 0, 0);
    if (t->b->waiting > 0) {
        kb_wake(t, KB_PHASE_LEADERS);
        wake_placing(t);
    }
    if (kb_hosts(t))
        kb_coordinators_on_metadata(t);
    return SM_ERR_OK;
}

/* The replicas look at the epochs, and hear of the live brokers before the cache does: only what
   they do not refuse is for the cache. */
static enum sm_err on_batch_with_data(struct kb_turn *t)
{
    t->holds_answer = t->in->api == WIRE_API_UPDATE_METADATA;
    enum sm_err err = kb_data_on_batch(t);
    if (err != SM_ERR_OK)
        return err;
    t->b->controller_epoch = kb_controller_epoch(t->out->replicas);
    if (!t->holds_answer)
        return SM_ERR_OK;
    if (t->held_error == 0)
        return update_metadata(t);
    put_answer(t, t->held_error, 0);
    return SM_ERR_OK;
}

/* ZooKeeper mode's three: stale epochs first, then what a node without data can do with them. */
static enum sm_err on_batch(struct kb_turn *t)
{
    struct kb_broker *b = t->b;
    if (kb_hosts(t))
        return on_batch_with_data(t);
    if (is_stale(t)) {
        put_answer(t, WIRE_ERROR_STALE_BROKER_EPOCH, 0);
        return SM_ERR_OK;
    }
    if (t->in->batch->controller_epoch < b->controller_epoch) {
        put_answer(t, WIRE_ERROR_STALE_CONTROLLER_EPOCH, 0);
        return SM_ERR_OK;
    }
    b->controller_epoch = t->in->batch->controller_epoch;
    if (t->in->api == WIRE_API_UPDATE_METADATA)
        return update_metadata(t);
    put_answer(t, 0, t->in->api == WIRE_API_LEADER_AND_ISR ? WIRE_ERROR_KAFKA_STORAGE_ERROR : 0);
    return SM_ERR_OK;
}

static enum sm_err on_request(struct kb_turn *t)
{
    const struct service *s = service_of(t->in->api);
    if (!kb_broker_has_room(t->b))
        return SM_ERR_ILLEGAL_STATE;
    if (kb_hosts(t) && kb_data_serves(t->in->api))
        return kb_data_on_request(t);
    if (kb_hosts(t) && kb_coordinators_serve(t->in->api, t->in->version))
        return kb_coordinators_request(t);
    if (s == NULL) /* not served, not advertised: Kafka closes the connection */
        kb_put_response(t, t->in->record, t->in->call_id, t->in->api, t->in->version, NULL, 0);
    else
        s->begin(t);
    return SM_ERR_OK;
}

static void on_drop(struct kb_turn *t)
{
    struct kb_slot *s = kb_slots(t->b);
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].call_id == t->in->call_id)
            s[i].call_id = 0;
    kb_data_drop(t);
}

static void on_call_answer(struct kb_turn *t)
{
    struct kb_slot *s = kb_slot_of_order(t->b, t->in->call_id);
    if (s == NULL || s->phase != KB_PHASE_CALL)
        return;
    const struct service *service = service_of(s->api);
    assert(service->answered != NULL);
    service->answered(t, s, t->in->call);
}

static void on_timer(struct kb_turn *t)
{
    struct kb_slot *s = kb_slots(t->b);
    t->b->timer_us = -1;
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase == KB_PHASE_LEADERS && s[i].deadline_us <= t->now_us)
            advance(t, &s[i], NULL);
}

/* Arms the timer for the earliest deadline, where that is another. */
static void arm(struct kb_turn *t)
{
    const struct kb_slot *s = kb_slots(t->b);
    int64_t due = -1;
    if (t->b->waiting > 0)
        for (uint32_t i = 0; i < t->b->limits.requests; i++)
            if (s[i].phase == KB_PHASE_LEADERS && (due < 0 || s[i].deadline_us < due))
                due = s[i].deadline_us;
    if (due == t->b->timer_us)
        return;
    t->b->timer_us = due;
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_TIMER,
                                                            .by = t->in->record,
                                                            .due_us = due});
}

/* What is for the replicas alone. */
static enum sm_err give(struct kb_turn *t, struct kb_input in)
{
    return kb_hosts(t) ? kb_data_step(t, &in) : SM_ERR_OK;
}

static enum sm_err take(struct kb_turn *t)
{
    enum sm_err err = SM_ERR_OK;
    switch ((enum kb_broker_input_kind)t->in->kind) {
    case KB_BROKER_IN_NONE:
        break;
    case KB_BROKER_IN_SESSION_CREATED:
        t->b->has_session = 1;
        kb_cluster_begin(t);
        if (t->b->waiting > 0)
            wake_placing(t);
        break;
    case KB_BROKER_IN_SESSION_EXPIRED:
        t->b->has_session = 0;
        break;
    case KB_BROKER_IN_REGISTERED:
        t->b->epoch = t->in->epoch;
        return give(t, (struct kb_input){.kind = KB_IN_REGISTERED, .broker_epoch = t->in->epoch});
    case KB_BROKER_IN_REQUEST:
        return on_request(t);
    case KB_BROKER_IN_BATCH:
        return on_batch(t);
    case KB_BROKER_IN_DROP:
        on_drop(t);
        break;
    case KB_BROKER_IN_ZK_REPLY:
        return on_reply(t);
    case KB_BROKER_IN_TIMER:
        if (t->in->timer >= KB_BROKER_TIMER_REPLICAS)
            return give(t, (struct kb_input){.kind = KB_IN_TIMER,
                                             .timer = t->in->timer - KB_BROKER_TIMER_REPLICAS});
        if (t->in->timer > 0)
            return kb_hosts(t) ? kb_coordinators_timer(t) : SM_ERR_OK;
        on_timer(t);
        break;
    case KB_BROKER_IN_SHUTTING_DOWN:
        return give(t, (struct kb_input){.kind = KB_IN_SHUTTING_DOWN});
    case KB_BROKER_IN_DIR_FAILED:
        return give(t, (struct kb_input){.kind = KB_IN_DIR_FAILED, .value = t->in->value});
    case KB_BROKER_IN_TOPIC_CONFIG:
        return give(t, (struct kb_input){.kind = KB_IN_TOPIC_CONFIG,
                                         .value = 1,
                                         .topic = t->in->topic,
                                         .request = t->in->config});
    case KB_BROKER_IN_BROKER_CONFIG:
        kb_dynamic_changed(t, t->in->topic);
        break;
    case KB_BROKER_IN_START:
        if (!kb_hosts(t))
            break;
        err = kb_coordinators_start(t);
        return err == SM_ERR_OK ? give(t, (struct kb_input){.kind = KB_IN_START}) : err;
    case KB_BROKER_IN_PEER_RESPONSE:
        if (kb_hosts(t) && kb_txns_asked(t->in->correlation))
            return kb_txns_on_peer(t);
        return kb_hosts(t) ? kb_data_on_peer_response(t) : SM_ERR_OK;
    case KB_BROKER_IN_SEND_FAILED:
        if (kb_hosts(t) && kb_txns_asked(t->in->correlation))
            return kb_txns_on_peer(t);
        return give(t, (struct kb_input){.kind = KB_IN_SEND_FAILED,
                                         .broker_id = t->in->broker_id,
                                         .correlation = t->in->correlation});
    case KB_BROKER_IN_CALL_ANSWER:
        on_call_answer(t);
        break;
    }
    return SM_ERR_OK;
}

enum sm_err kb_broker_step(struct kb_broker *b, int64_t now_us, const struct kb_broker_input *in,
                           struct kb_broker_outputs *out)
{
    struct kb_turn t = {.b = b, .now_us = now_us, .in = in, .out = out};
    out->short_of = NULL;
    out->scratch_needed = 0;
    if (lacks_room(&t))
        return SM_ERR_LIMIT;
    enum sm_err err = b->is_taken ? SM_ERR_OK : take(&t);
    if (err != SM_ERR_OK)
        return err;
    t.asked = NULL;
    t.holds_answer = false;
    err = kb_hosts(&t) ? kb_coordinators_run(&t) : SM_ERR_OK;
    b->is_taken = err != SM_ERR_OK;
    if (err == SM_ERR_OK)
        arm(&t);
    return err;
}

bool kb_broker_is_quiet(const struct kb_broker *b)
{
    return b->waiting == 0 && b->cluster_xid == 0 && b->dynamic_xid[0] == 0 &&
           b->dynamic_xid[1] == 0 && b->ids.xid == 0 && kb_coordinators_are_quiet(b);
}

const char *kb_broker_cluster_id(const struct kb_broker *b)
{
    return b->cluster_id;
}

void kb_broker_check(const struct kb_broker *b)
{
    const struct kb_slot *s = kb_slots(b);
    uint32_t used = 0, bytes = 0;
    for (uint32_t i = 0; i < b->limits.requests; i++) {
        used += s[i].phase != KB_PHASE_FREE;
        for (int kind = 0; kind < KB_AREAS; kind++) {
            bytes += s[i].area[kind].size;
            assert(s[i].area[kind].at + s[i].area[kind].size <= b->heap_used);
        }
        assert(s[i].response_used <= s[i].area[KB_AREA_RESPONSE].size);
    }
    assert(used == b->waiting);
    assert(bytes == b->heap_used);
    assert(b->data_call_count <= b->limits.data_calls);
    kb_cache_check(kb_cache_of(b));
    if (b->has_data) {
        kb_groups_check(kb_groups_of(b));
        kb_txns_check(kb_txns_of(b));
    }
}
