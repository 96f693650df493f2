/*
 * What a controller says, as records. One function per kind of output; the names of fields are
 * those of docs/trace.md.
 */
#include "sim/trace_store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static sim_lane lane_of(int32_t node)
{
    return SIM_LANE_CONTROLLER(node);
}

/* ---- batches and sends ---- */

static void note_batch(struct sim_trace_store *s, sim_lane lane, uint64_t id, uint64_t n)
{
    s->batches = sim_grow(s->batches, &s->batch_capacity, s->batch_count + 1, sizeof(*s->batches));
    s->batches[s->batch_count++] = (struct sim_batch_note){.lane = lane, .id = id, .n = n};
}

/* The latest record of batch `id`: ids begin again with every life of a controller. */
static uint64_t find_batch(const struct sim_trace_store *s, sim_lane lane, uint64_t id)
{
    for (size_t i = s->batch_count; i > 0; i--)
        if (s->batches[i - 1].lane == lane && s->batches[i - 1].id == id)
            return s->batches[i - 1].n;
    return 0;
}

/* Fills broker_of[index] for every bit that a set of the batch may have. */
static void index_brokers(struct sim_trace_store *s, const struct wire_batch *batch)
{
    size_t bits = (size_t)batch->set_words * 64;
    s->broker_of = sim_grow(s->broker_of, &s->broker_of_capacity, bits, sizeof(*s->broker_of));
    for (size_t i = 0; i < bits; i++)
        s->broker_of[i] = -1;
    const struct wire_broker *b = NULL;
    while ((b = wire_batch_next_broker(batch, b)) != NULL)
        if (b->index < bits)
            s->broker_of[b->index] = b->id;
}

static void add_broker_set(struct sim_trace *trace, enum sim_field field, const uint64_t *set,
                           uint32_t words)
{
    const struct sim_trace_store *s = trace->store;
    sim_trace_list_begin(trace, field);
    for (uint32_t w = 0; w < words; w++)
        for (uint64_t left = set[w]; left != 0; left &= left - 1) {
            int32_t id = s->broker_of[w * 64 + (uint32_t)__builtin_ctzll(left)];
            if (id >= 0)
                sim_trace_int(trace, SIM_F_NONE, id);
        }
    sim_trace_list_end(trace);
}

static bool is_empty(const uint64_t *set, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        if (set[w] != 0)
            return false;
    return true;
}

static void add_record(struct sim_trace *trace, const struct wire_batch *batch,
                       const struct wire_record_view *v)
{
    const struct wire_record *r = v->record;
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_partition(trace, SIM_F_PARTITION, v->topic, r->partition);
    if (r->kind != WIRE_RECORD_STOP_REPLICA) {
        sim_trace_int(trace, SIM_F_CE, r->controller_epoch);
        sim_trace_int(trace, SIM_F_LEADER, r->leader);
    }
    sim_trace_int(trace, SIM_F_EPOCH, r->leader_epoch);
    if (r->kind != WIRE_RECORD_STOP_REPLICA) {
        sim_trace_ids(trace, SIM_F_ISR, v->isr, r->isr_count);
        sim_trace_int(trace, SIM_F_ZKVERSION, r->zk_version);
        sim_trace_ids(trace, SIM_F_REPLICAS, v->replicas, r->replica_count);
    }
    if (r->adding_count > 0)
        sim_trace_ids(trace, SIM_F_ADDING, v->adding, r->adding_count);
    if (r->removing_count > 0)
        sim_trace_ids(trace, SIM_F_REMOVING, v->removing, r->removing_count);
    if (r->offline_count > 0)
        sim_trace_ids(trace, SIM_F_OFFLINE, v->offline, r->offline_count);
    if (v->to != NULL)
        add_broker_set(trace, SIM_F_TO, v->to, batch->set_words);
    if (v->flag != NULL && !is_empty(v->flag, batch->set_words))
        add_broker_set(trace, r->kind == WIRE_RECORD_STOP_REPLICA ? SIM_F_DELETE : SIM_F_NEW,
                       v->flag, batch->set_words);
    sim_trace_object_end(trace);
}

/* {to, body} of one of the three kinds of requests; nothing where nobody gets one. */
static void add_request(struct sim_trace *trace, const struct wire_batch *batch,
                        enum sim_field field, enum wire_record_kind kind)
{
    uint32_t which = (uint32_t)kind - WIRE_RECORD_LEADER_AND_ISR;
    const uint64_t *sets = (const uint64_t *)(const void *)((const uint8_t *)batch + batch->sets);
    const uint64_t *to = sets + (size_t)which * batch->set_words;
    if (is_empty(to, batch->set_words))
        return;
    sim_trace_object_begin(trace, field);
    add_broker_set(trace, SIM_F_TO, to, batch->set_words);
    sim_trace_int(trace, SIM_F_COUNT, batch->count[which]);
    if (!trace->store->options.without_bodies) {
        sim_trace_list_begin(trace, SIM_F_BODY);
        struct wire_record_view v = {0};
        while (wire_batch_next(batch, kind, &v))
            add_record(trace, batch, &v);
        sim_trace_list_end(trace);
    }
    sim_trace_object_end(trace);
}

static uint64_t record_batch(struct sim_trace *trace, int64_t t, int32_t node,
                             const struct kc_output *o)
{
    const struct wire_batch *b = o->batch;
    if (!sim_trace_begin(trace, SIM_K_BATCH, t, lane_of(node), o->by, 0))
        return o->by;
    index_brokers(trace->store, b);
    sim_trace_int(trace, SIM_F_ID, (int64_t)b->id);
    sim_trace_int(trace, SIM_F_CE, b->controller_epoch);
    sim_trace_list_begin(trace, SIM_F_BROKERS);
    const struct wire_broker *broker = NULL;
    while ((broker = wire_batch_next_broker(b, broker)) != NULL) {
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_int(trace, SIM_F_ID, broker->id);
        sim_trace_int(trace, SIM_F_BE, broker->epoch);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
    add_request(trace, b, SIM_F_LEADER_AND_ISR, WIRE_RECORD_LEADER_AND_ISR);
    add_request(trace, b, SIM_F_UPDATE_METADATA, WIRE_RECORD_UPDATE_METADATA);
    add_request(trace, b, SIM_F_STOP_REPLICA, WIRE_RECORD_STOP_REPLICA);
    uint64_t n = sim_trace_end(trace);
    note_batch(trace->store, lane_of(node), b->id, n);
    return n;
}

static uint64_t record_send(struct sim_trace *trace, int64_t t, int32_t node,
                            const struct kc_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_SEND, t, lane_of(node), o->by, 0))
        return o->by;
    sim_trace_int(trace, SIM_F_M, (int64_t)sim_trace_open_number(trace));
    sim_trace_lane(trace, SIM_F_TO, SIM_LANE_BROKER(o->broker_id));
    sim_trace_text(trace, SIM_F_API, wire_api_name((enum wire_api)o->api));
    sim_trace_int(trace, SIM_F_CORR, (int64_t)o->correlation);
    if (o->batch != NULL) {
        sim_trace_int(trace, SIM_F_CE, o->batch->controller_epoch);
        const struct wire_broker *b = wire_batch_broker(o->batch, o->broker_id);
        if (b != NULL)
            sim_trace_int(trace, SIM_F_BE, b->epoch);
        sim_trace_int(trace, SIM_F_BATCH,
                      (int64_t)find_batch(trace->store, lane_of(node), o->batch->id));
    }
    return sim_trace_end(trace);
}

static uint64_t record_close(struct sim_trace *trace, int64_t t, int32_t node,
                             const struct kc_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_CLOSE, t, lane_of(node), o->by, 0))
        return o->by;
    sim_trace_lane(trace, SIM_F_TO, SIM_LANE_BROKER(o->broker_id));
    return sim_trace_end(trace);
}

static uint64_t record_timer(struct sim_trace *trace, int64_t t, int32_t node,
                             const struct kc_output *o)
{
    bool arm = o->due_us >= 0;
    return sim_trace_timer(trace, t, lane_of(node), o->by, 0, arm ? "arm" : "cancel", o->name,
                           o->timer, arm ? o->due_us : -1);
}

/* ---- the queue, flows, machines ---- */

static const char *queue_what(uint8_t what)
{
    static const char *const names[] = {
        [KC_QUEUE_PUT] = "put",         [KC_QUEUE_START] = "start", [KC_QUEUE_DONE] = "done",
        [KC_QUEUE_PREEMPT] = "preempt", [KC_QUEUE_CLEAR] = "clear",
    };
    assert(what < sizeof(names) / sizeof(names[0]));
    return names[what];
}

static uint64_t record_queue(struct sim_trace *trace, int64_t t, int32_t node,
                             const struct kc_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_QUEUE, t, lane_of(node), o->by, 0))
        return o->by;
    sim_trace_text(trace, SIM_F_WHAT, queue_what(o->what));
    if (o->name != NULL)
        sim_trace_text(trace, SIM_F_NAME, o->name);
    sim_trace_int(trace, SIM_F_ID, o->event_id);
    sim_trace_int(trace, SIM_F_DEPTH, o->depth);
    if (o->waited_us != 0)
        sim_trace_int(trace, SIM_F_WAITED, o->waited_us);
    return sim_trace_end(trace);
}

static uint64_t record_flow(struct sim_trace *trace, int64_t t, int32_t node,
                            const struct kc_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_FLOW, t, lane_of(node), o->by, 0))
        return o->by;
    if (o->name != NULL)
        sim_trace_text(trace, SIM_F_NAME, o->name);
    if (o->row != NULL)
        sim_trace_text(trace, SIM_F_ROW, o->row);
    return sim_trace_end(trace);
}

static const char *state_name(uint8_t machine, uint8_t state)
{
    if (machine == KC_MACHINE_REPLICA)
        return sm_replica_state_name((enum sm_replica_state)state);
    return sm_partition_state_name((enum sm_partition_state)state);
}

static const char *state_key(struct sim_trace *trace, int32_t node, const struct kc_output *o)
{
    if (o->machine == KC_MACHINE_REPLICA)
        return sim_trace_key(trace, "rs.%" PRId32 ".%s-%" PRId32 ".%" PRId32, node, o->topic,
                             o->partition, o->broker_id);
    return sim_trace_key(trace, "ps.%" PRId32 ".%s-%" PRId32, node, o->topic, o->partition);
}

static bool is_nonexistent(const struct kc_output *o)
{
    return o->machine == KC_MACHINE_REPLICA ? o->to == SM_REPLICA_NONEXISTENT
                                            : o->to == SM_PARTITION_NONEXISTENT;
}

static uint64_t record_move(struct sim_trace *trace, int64_t t, int32_t node,
                            const struct kc_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_MOVE, t, lane_of(node), o->by, 0))
        return o->by;
    bool replica = o->machine == KC_MACHINE_REPLICA;
    sim_trace_text(trace, SIM_F_MACHINE, replica ? "replica" : "partition");
    sim_trace_partition(trace, SIM_F_PARTITION, o->topic, o->partition);
    if (replica)
        sim_trace_int(trace, SIM_F_REPLICA, o->broker_id);
    sim_trace_text(trace, SIM_F_FROM, state_name(o->machine, o->from));
    sim_trace_text(trace, SIM_F_TO, state_name(o->machine, o->to));
    if (o->direct)
        sim_trace_int(trace, SIM_F_DIRECT, 1);
    sim_trace_int(trace, SIM_F_OK, o->ok != 0);
    if (o->text != NULL)
        sim_trace_text(trace, SIM_F_WHY, o->text);
    if (o->ok && is_nonexistent(o))
        sim_trace_set_null(trace, state_key(trace, node, o));
    else if (o->ok)
        sim_trace_set_text(trace, state_key(trace, node, o), state_name(o->machine, o->to));
    return sim_trace_end(trace);
}

/* ---- elections ---- */

/* Why a candidate was passed over, in the words of the strategy; the first that fits wins. */
static const char *candidate_verdict(const struct sm_election_input *in,
                                     const struct sm_election *e, int32_t id, bool elected)
{
    bool shutdown = in->strategy == SM_STRATEGY_CONTROLLED_SHUTDOWN;
    const struct sm_list *alive = shutdown ? in->online_or_shutting_down : in->online;
    if (elected && e->next.leader == id)
        return e->verdict == SM_ELECTED_UNCLEAN ? "chosen, not in sync" : "chosen";
    if (alive == NULL || !sm_list_has(alive, id))
        return "not alive";
    if (shutdown && in->shutting_down != NULL && sm_list_has(in->shutting_down, id))
        return "shutting down";
    if (!sm_list_has(&in->current->isr, id))
        return "not in sync";
    return elected ? "later in the order" : "not considered";
}

static void add_candidates(struct sim_trace *trace, const struct sm_election_input *in,
                           const struct sm_election *e, bool elected)
{
    struct sm_list candidates = in->strategy == SM_STRATEGY_REASSIGN
                                    ? sm_assignment_target(in->assignment)
                                    : in->assignment->replicas;
    if (in->strategy == SM_STRATEGY_PREFERRED && candidates.count > 1)
        candidates.count = 1;
    sim_trace_list_begin(trace, SIM_F_CANDIDATES);
    for (int32_t i = 0; i < candidates.count; i++) {
        int32_t id = candidates.id[i];
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_int(trace, SIM_F_ID, id);
        sim_trace_int(trace, SIM_F_LIVE, in->online != NULL && sm_list_has(in->online, id));
        sim_trace_int(trace, SIM_F_INSYNC, sm_list_has(&in->current->isr, id));
        sim_trace_text(trace, SIM_F_VERDICT, candidate_verdict(in, e, id, elected));
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
}

static const char *election_verdict(enum sm_election_verdict verdict)
{
    switch (verdict) {
    case SM_ELECTED:
        return "elected";
    case SM_ELECTED_UNCLEAN:
        return "elected-unclean";
    case SM_NOT_ELECTED:
        return "none-eligible";
    case SM_ELECTION_NOT_NEEDED:
        return "not-needed";
    }
    return "";
}

/* The facts that an election reads: assignment, state znode, who lives. */
static void add_election_refs(struct sim_trace *trace, int32_t node, const struct kc_output *o)
{
    static const char *const sets[] = {"live", "shutting"};
    sim_trace_refs_begin(trace);
    sim_trace_ref(
        trace, sim_trace_last_setter(trace, sim_trace_key(trace, "ctx.%" PRId32 ".ra.%s-%" PRId32,
                                                          node, o->topic, o->partition)));
    sim_trace_ref(
        trace, sim_trace_last_setter(
                   trace, sim_trace_key(trace, "zn:/brokers/topics/%s/partitions/%" PRId32 "/state",
                                        o->topic, o->partition)));
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        sim_trace_ref(trace, sim_trace_last_setter(
                                 trace, sim_trace_key(trace, "ctx.%" PRId32 ".%s", node, sets[i])));
    sim_trace_refs_end(trace);
}

static uint64_t record_decide(struct sim_trace *trace, int64_t t, int32_t node,
                              const struct kc_output *o)
{
    const struct sm_election *e = o->elected;
    const struct sm_election_input *in = o->election;
    if (!sim_trace_begin(trace, SIM_K_DECIDE, t, lane_of(node), o->by, 0))
        return o->by;
    bool elected = e->verdict == SM_ELECTED || e->verdict == SM_ELECTED_UNCLEAN;
    sim_trace_text(trace, SIM_F_RULE,
                   sm_strategy_name(in != NULL ? in->strategy : (enum sm_strategy)o->strategy));
    sim_trace_partition(trace, SIM_F_PARTITION, o->topic, o->partition);
    if (in != NULL) {
        sim_trace_int(trace, SIM_F_LEADER, in->current->leader);
        add_candidates(trace, in, e, elected);
    }
    sim_trace_text(trace, SIM_F_VERDICT, election_verdict(e->verdict));
    sim_trace_int(trace, SIM_F_CHOSEN, elected ? e->next.leader : SM_NO_LEADER);
    if (elected) {
        sim_trace_ids(trace, SIM_F_ISR, e->next.isr.id, (size_t)e->next.isr.count);
        sim_trace_int(trace, SIM_F_EPOCH, e->next.leader_epoch);
        sim_trace_int(trace, SIM_F_UNCLEAN, e->verdict == SM_ELECTED_UNCLEAN);
    }
    sim_trace_int(trace, SIM_F_OK, e->verdict != SM_NOT_ELECTED);
    add_election_refs(trace, node, o);
    return sim_trace_end(trace);
}

/* ---- what it believes ---- */

static void set_leadership(struct sim_trace *trace, const char *key,
                           const struct sm_leader_and_isr *li)
{
    if (li == NULL) {
        sim_trace_set_null(trace, key);
        return;
    }
    sim_trace_set_begin(trace, key);
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_int(trace, SIM_F_LEADER, li->leader);
    sim_trace_int(trace, SIM_F_EPOCH, li->leader_epoch);
    sim_trace_ids(trace, SIM_F_ISR, li->isr.id, (size_t)li->isr.count);
    sim_trace_int(trace, SIM_F_ZKVERSION, li->zk_version);
    sim_trace_int(trace, SIM_F_CE, li->controller_epoch);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

static void set_assignment(struct sim_trace *trace, const char *key, const struct sm_assignment *a)
{
    if (a == NULL) {
        sim_trace_set_null(trace, key);
        return;
    }
    sim_trace_set_begin(trace, key);
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_ids(trace, SIM_F_REPLICAS, a->replicas.id, (size_t)a->replicas.count);
    sim_trace_ids(trace, SIM_F_ADDING, a->adding.id, (size_t)a->adding.count);
    sim_trace_ids(trace, SIM_F_REMOVING, a->removing.id, (size_t)a->removing.count);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

static void set_brokers(struct sim_trace *trace, const char *key, const struct kc_output *o)
{
    if (o->ids != NULL || o->list == NULL)
        sim_trace_set_ids(trace, key, o->ids, o->id_count);
    else
        sim_trace_set_ids(trace, key, o->list->id, (size_t)o->list->count);
}

static void set_int_or_null(struct sim_trace *trace, const char *key, int32_t value)
{
    if (value != 0)
        sim_trace_set_int(trace, key, value);
    else
        sim_trace_set_null(trace, key);
}

static void set_belief(struct sim_trace *trace, int32_t node, const struct kc_output *o)
{
    switch ((enum kc_fact)o->fact) {
    case KC_FACT_ROLE:
        sim_trace_set_text(trace, sim_trace_key(trace, "role.%" PRId32, node),
                           o->value != 0 ? "active" : "standby");
        break;
    case KC_FACT_CONTROLLER:
        sim_trace_set_int(trace, sim_trace_key(trace, "bel.%" PRId32 ".ctl", node), o->value);
        break;
    case KC_FACT_EPOCH:
        sim_trace_set_int(trace, sim_trace_key(trace, "ctx.%" PRId32 ".epoch", node), o->value);
        sim_trace_set_int(trace, sim_trace_key(trace, "ctx.%" PRId32 ".epochZkVersion", node),
                          o->value2);
        break;
    case KC_FACT_LIVE:
        set_brokers(trace, sim_trace_key(trace, "ctx.%" PRId32 ".live", node), o);
        break;
    case KC_FACT_SHUTTING_DOWN:
        set_brokers(trace, sim_trace_key(trace, "ctx.%" PRId32 ".shutting", node), o);
        break;
    case KC_FACT_LEADERSHIP:
        set_leadership(
            trace,
            sim_trace_key(trace, "ctx.%" PRId32 ".li.%s-%" PRId32, node, o->topic, o->partition),
            o->li);
        break;
    case KC_FACT_ASSIGNMENT:
        set_assignment(
            trace,
            sim_trace_key(trace, "ctx.%" PRId32 ".ra.%s-%" PRId32, node, o->topic, o->partition),
            o->assignment);
        break;
    case KC_FACT_DELETING:
        set_int_or_null(trace, sim_trace_key(trace, "ctx.%" PRId32 ".deleting.%s", node, o->topic),
                        o->value);
        break;
    case KC_FACT_OFFLINE_DIR:
        set_int_or_null(trace,
                        sim_trace_key(trace, "ctx.%" PRId32 ".offdirs.%s-%" PRId32 ".%" PRId32,
                                      node, o->topic, o->partition, o->broker_id),
                        o->value);
        break;
    }
}

static uint64_t record_fact(struct sim_trace *trace, int64_t t, int32_t node,
                            const struct kc_output *o)
{
    if (!sim_trace_learn(trace, t, lane_of(node), o->by))
        return o->by;
    set_belief(trace, node, o);
    return sim_trace_open_number(trace);
}

static uint64_t record_log(struct sim_trace *trace, int64_t t, int32_t node,
                           const struct kc_output *o)
{
    static const char *const levels[] = {
        [KC_TRACE] = "TRACE", [KC_DEBUG] = "DEBUG", [KC_INFO] = "INFO",
        [KC_WARN] = "WARN",   [KC_ERROR] = "ERROR",
    };
    if (!sim_trace_begin(trace, SIM_K_LOG, t, lane_of(node), o->by, 0))
        return o->by;
    assert(o->level < sizeof(levels) / sizeof(levels[0]));
    sim_trace_text(trace, SIM_F_LEVEL, levels[o->level]);
    sim_trace_text(trace, SIM_F_STREAM,
                   o->stream == KC_STATE_CHANGE_LOG ? "state-change" : "controller");
    sim_trace_text(trace, SIM_F_TEXT, o->text);
    return sim_trace_end(trace);
}

uint64_t sim_trace_controller(struct sim_trace *trace, int64_t t, int32_t node,
                              const struct kc_output *o)
{
    if (!trace->on)
        return o->by;
    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_NONE:
    case KC_OUT_EXPIRE_STARTED: /* the session's records tell it */
    case KC_OUT_FATAL:          /* the log tells why, the world what becomes of the process */
        return o->by;
    case KC_OUT_ZK:
        return sim_trace_zreq(trace, t, lane_of(node), o->by, o->request);
    case KC_OUT_BATCH:
        return record_batch(trace, t, node, o);
    case KC_OUT_SEND:
        return record_send(trace, t, node, o);
    case KC_OUT_CLOSE:
        return record_close(trace, t, node, o);
    case KC_OUT_REPLY:
        return sim_trace_call(trace, SIM_K_SEND, t, lane_of(node), o->by, 0, 0, o->call);
    case KC_OUT_TIMER:
        return record_timer(trace, t, node, o);
    case KC_OUT_QUEUE:
        return record_queue(trace, t, node, o);
    case KC_OUT_FLOW:
        return record_flow(trace, t, node, o);
    case KC_OUT_MOVE:
        return record_move(trace, t, node, o);
    case KC_OUT_DECIDE:
        return record_decide(trace, t, node, o);
    case KC_OUT_FACT:
        return record_fact(trace, t, node, o);
    case KC_OUT_LOG:
        return record_log(trace, t, node, o);
    }
    return o->by;
}
