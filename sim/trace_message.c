/*
 * Faults, messages to and from brokers, calls, timers, marks, checks, meta: as records.
 */
#include "sim/trace_store.h"

#include <inttypes.h>
#include <string.h>

/* ---- the frame of a run ---- */

/* A seed beyond the integers of a trace is text. */
static void add_seed(struct sim_trace *trace, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, seed);
    if (seed <= INT64_MAX)
        sim_trace_int(trace, SIM_F_SEED, (int64_t)seed);
    else
        sim_trace_text(trace, SIM_F_SEED, text);
}

bool sim_trace_meta_begin(struct sim_trace *trace, uint64_t seed, const char *profile)
{
    if (!sim_trace_begin(trace, SIM_K_META, 0, SIM_LANE_WORLD, 0, 0))
        return false;
    sim_trace_text(trace, SIM_F_SCHEMA, SIM_TRACE_SCHEMA);
    add_seed(trace, seed);
    if (profile != NULL)
        sim_trace_text(trace, SIM_F_PROFILE, profile);
    return true;
}

/* Ids of nodes; clients by their lane. */
static void add_hit(struct sim_trace *trace, const struct sim_fault_note *note)
{
    sim_trace_list_begin(trace, SIM_F_HIT);
    for (size_t i = 0; i < note->hit_count; i++) {
        if (sim_id_is_client(note->hit[i]))
            sim_trace_lane(trace, SIM_F_NONE, sim_client_lane(note->hit[i]));
        else
            sim_trace_int(trace, SIM_F_NONE, note->hit[i]);
    }
    sim_trace_list_end(trace);
}

bool sim_trace_fault_begin(struct sim_trace *trace, int64_t t, uint64_t by,
                           const struct sim_fault_note *note)
{
    if (!sim_trace_begin(trace, SIM_K_FAULT, t, SIM_LANE_WORLD, by, 0))
        return false;
    sim_trace_text(trace, SIM_F_VERB, note->verb);
    if (note->target != NULL)
        sim_trace_text(trace, SIM_F_TARGET, note->target);
    add_hit(trace, note);
    if (note->label != NULL)
        sim_trace_text(trace, SIM_F_LABEL, note->label);
    if (note->until_us >= 0)
        sim_trace_int(trace, SIM_F_UNTIL, note->until_us);
    if (note->step > 0)
        sim_trace_int(trace, SIM_F_STEP, note->step);
    return true;
}

uint64_t sim_trace_mark(struct sim_trace *trace, int64_t t, uint64_t by, const char *label,
                        const char *text)
{
    if (!sim_trace_begin(trace, SIM_K_MARK, t, SIM_LANE_WORLD, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_LABEL, label);
    if (text != NULL)
        sim_trace_text(trace, SIM_F_TEXT, text);
    return sim_trace_end(trace);
}

uint64_t sim_trace_check(struct sim_trace *trace, int64_t t, uint64_t by, const char *name, bool ok,
                         const char *defect, const uint64_t *refs, size_t ref_count)
{
    if (!sim_trace_begin(trace, SIM_K_CHECK, t, SIM_LANE_WORLD, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_NAME, name);
    sim_trace_int(trace, SIM_F_OK, ok);
    if (defect != NULL)
        sim_trace_text(trace, SIM_F_DEFECT, defect);
    sim_trace_refs_begin(trace);
    for (size_t i = 0; i < ref_count; i++)
        sim_trace_ref(trace, refs[i]);
    sim_trace_refs_end(trace);
    return sim_trace_end(trace);
}

uint64_t sim_trace_timer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                         uint64_t mute, const char *what, const char *name, uint64_t id,
                         int64_t due_us)
{
    if (!sim_trace_begin(trace, SIM_K_TIMER, t, at, by, mute))
        return by;
    sim_trace_text(trace, SIM_F_WHAT, what);
    if (name != NULL)
        sim_trace_text(trace, SIM_F_NAME, name);
    sim_trace_int(trace, SIM_F_ID, (int64_t)id);
    if (due_us >= 0)
        sim_trace_int(trace, SIM_F_DUE, due_us);
    return sim_trace_end(trace);
}

uint64_t sim_trace_drop(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by, uint64_t mute,
                        uint64_t m, const char *why)
{
    if (!sim_trace_begin(trace, SIM_K_DROP, t, at, by, mute))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)m);
    sim_trace_text(trace, SIM_F_WHY, why);
    return sim_trace_end(trace);
}

/* ---- what a broker learns from a request ---- */

static const char *broker_key(struct sim_trace *trace, int32_t id, const struct wire_record_view *v,
                              const char *what)
{
    return sim_trace_key(trace, "b.%" PRId32 ".%s-%" PRId32 ".%s", id, v->topic,
                         v->record->partition, what);
}

static void set_leadership(struct sim_trace *trace, int32_t id, const struct wire_record_view *v)
{
    const struct wire_record *r = v->record;
    sim_trace_set_int(trace, broker_key(trace, id, v, "leader"), r->leader);
    sim_trace_set_int(trace, broker_key(trace, id, v, "epoch"), r->leader_epoch);
    sim_trace_set_ids(trace, broker_key(trace, id, v, "isr"), v->isr, r->isr_count);
}

static void set_metadata(struct sim_trace *trace, int32_t id, const struct wire_record_view *v)
{
    const struct wire_record *r = v->record;
    const char *key =
        sim_trace_key(trace, "b.%" PRId32 ".md.%s-%" PRId32, id, v->topic, r->partition);
    if (r->leader == SM_LEADER_DURING_DELETE) {
        sim_trace_set_null(trace, key);
        return;
    }
    sim_trace_set_begin(trace, key);
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_int(trace, SIM_F_LEADER, r->leader);
    sim_trace_int(trace, SIM_F_EPOCH, r->leader_epoch);
    sim_trace_ids(trace, SIM_F_ISR, v->isr, r->isr_count);
    sim_trace_ids(trace, SIM_F_REPLICAS, v->replicas, r->replica_count);
    sim_trace_ids(trace, SIM_F_OFFLINE, v->offline, r->offline_count);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

static void set_stopped(struct sim_trace *trace, int32_t id, const struct wire_record_view *v)
{
    static const char *const facts[] = {"leader", "epoch", "isr"};
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const char *key = broker_key(trace, id, v, facts[i]);
        if (sim_trace_last_setter(trace, key) != 0)
            sim_trace_set_null(trace, key);
    }
}

static void set_of_api(struct sim_trace *trace, int32_t id, enum wire_api api,
                       const struct wire_batch *batch, uint32_t index)
{
    enum wire_record_kind kind = api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
                                 : api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                                                   : WIRE_RECORD_STOP_REPLICA;
    if (kind == WIRE_RECORD_UPDATE_METADATA && trace->store->options.without_metadata)
        return;
    struct wire_record_view v = {0};
    while (wire_batch_next_for(batch, kind, index, &v)) {
        if (kind == WIRE_RECORD_LEADER_AND_ISR)
            set_leadership(trace, id, &v);
        else if (kind == WIRE_RECORD_UPDATE_METADATA)
            set_metadata(trace, id, &v);
        else
            set_stopped(trace, id, &v);
    }
}

/* ---- requests and answers ---- */

static void add_answer(struct sim_trace *trace, const struct wire_batch *batch,
                       const struct wire_answer *answer)
{
    sim_trace_int(trace, SIM_F_ERROR, answer->error != 0 ? answer->error : answer->partition_error);
    if (answer->count == 0 || batch == NULL)
        return;
    sim_trace_list_begin(trace, SIM_F_CODES);
    uint32_t item = 0;
    struct wire_record_view v = {0};
    while (item < answer->count && wire_batch_next(batch, WIRE_RECORD_DEAD, &v)) {
        if (v.offset != answer->items[item].record)
            continue;
        sim_trace_list_begin(trace, SIM_F_NONE);
        sim_trace_partition(trace, SIM_F_NONE, v.topic, v.record->partition);
        sim_trace_int(trace, SIM_F_NONE, answer->items[item++].error);
        sim_trace_list_end(trace);
    }
    sim_trace_list_end(trace);
}

uint64_t sim_trace_recv_request(struct sim_trace *trace, int64_t t, int32_t broker_id, uint64_t by,
                                uint64_t m, sim_lane from, enum wire_api api,
                                const struct wire_batch *batch, const struct wire_answer *answer,
                                bool accepted)
{
    if (!sim_trace_begin(trace, SIM_K_RECV, t, SIM_LANE_BROKER(broker_id), by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)m);
    sim_trace_lane(trace, SIM_F_FRM, from);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    sim_trace_int(trace, SIM_F_CE, batch->controller_epoch);
    sim_trace_int(trace, SIM_F_OK, accepted);
    if (answer != NULL)
        add_answer(trace, batch, answer);
    const struct wire_broker *me = wire_batch_broker(batch, broker_id);
    if (accepted && me != NULL) {
        sim_trace_set_int(trace, sim_trace_key(trace, "b.%" PRId32 ".ce", broker_id),
                          batch->controller_epoch);
        sim_trace_set_int(trace, sim_trace_key(trace, "b.%" PRId32 ".be", broker_id), me->epoch);
        if (answer != NULL || api == WIRE_API_UPDATE_METADATA)
            set_of_api(trace, broker_id, api, batch, me->index);
    }
    return sim_trace_end(trace);
}

uint64_t sim_trace_send_answer(struct sim_trace *trace, int64_t t, int32_t broker_id, uint64_t by,
                               uint64_t re, sim_lane to, enum wire_api api,
                               const struct wire_batch *batch, const struct wire_answer *answer)
{
    if (!sim_trace_begin(trace, SIM_K_SEND, t, SIM_LANE_BROKER(broker_id), by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)sim_trace_open_number(trace));
    sim_trace_lane(trace, SIM_F_TO, to);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    sim_trace_int(trace, SIM_F_RE, (int64_t)re);
    add_answer(trace, batch, answer);
    return sim_trace_end(trace);
}

uint64_t sim_trace_recv_answer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               uint64_t m, uint64_t re, sim_lane from, enum wire_api api,
                               const struct wire_answer *answer)
{
    if (!sim_trace_begin(trace, SIM_K_RECV, t, at, by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)m);
    sim_trace_lane(trace, SIM_F_FRM, from);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    sim_trace_int(trace, SIM_F_RE, (int64_t)re);
    add_answer(trace, NULL, answer);
    return sim_trace_end(trace);
}

/* ---- calls to the controller ---- */

static void add_call_item(struct sim_trace *trace, const struct wire_call_view *v)
{
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_partition(trace, SIM_F_PARTITION, v->topic, v->item->partition);
    if (v->item->error != 0)
        sim_trace_int(trace, SIM_F_ERROR, v->item->error);
    if (v->item->replica_count > 0)
        sim_trace_ids(trace, SIM_F_REPLICAS, v->replicas, v->item->replica_count);
    if (v->item->adding_count > 0)
        sim_trace_ids(trace, SIM_F_ADDING, v->adding, v->item->adding_count);
    if (v->item->removing_count > 0)
        sim_trace_ids(trace, SIM_F_REMOVING, v->removing, v->item->removing_count);
    sim_trace_object_end(trace);
}

uint64_t sim_trace_call_ends(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                             enum wire_api api)
{
    if (!sim_trace_begin(trace, SIM_K_CLIENT, t, at, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_WHAT, "timed-out");
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    return sim_trace_end(trace);
}

uint64_t sim_trace_call(struct sim_trace *trace, enum sim_kind kind, int64_t t, sim_lane at,
                        uint64_t by, uint64_t m, sim_lane peer, const struct wire_call *call)
{
    if (!sim_trace_begin(trace, kind, t, at, by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)(m != 0 ? m : sim_trace_open_number(trace)));
    if (peer != 0)
        sim_trace_lane(trace, kind == SIM_K_SEND ? SIM_F_TO : SIM_F_FRM, peer);
    sim_trace_text(trace, SIM_F_API, wire_api_name((enum wire_api)call->api));
    sim_trace_int(trace, SIM_F_ERROR, call->error);
    if (call->api == WIRE_API_CONTROLLED_SHUTDOWN)
        sim_trace_int(trace, SIM_F_ID, call->broker_id);
    if (call->api == WIRE_API_ELECT_LEADERS)
        sim_trace_text(trace, SIM_F_TYPE, call->election_type == 0 ? "PREFERRED" : "UNCLEAN");
    sim_trace_list_begin(trace, SIM_F_BODY);
    struct wire_call_view v = {0};
    while (wire_call_next(call, &v))
        add_call_item(trace, &v);
    sim_trace_list_end(trace);
    return sim_trace_end(trace);
}
