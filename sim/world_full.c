/*
 * The full broker: a node whose broker part hosts logs. What a controller says goes to it as it
 * would to a scripted one; its fetchers talk to other full brokers.
 *
 *     LeaderAndIsr, … ──► channel ──► pending ──► broker part ──► sim_answer_send ──► channel
 *
 * Disks (struct kb_replicas) belong to the process, not to one life of it; the bytes of all batches
 * are with one keeper of the world, so that equal handles mean equal records between brokers.
 *
 * What brokers say to each other is in world_peers.c.
 */
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "broker/settings.h"
#include "sim/properties.h"
#include "sim/world_limits.h"
#include "sim/world_state.h"

/* ---- blocks ---- */

/* The first of several keys that is there; less than 0 is for ever. */
static int64_t first_ms(int64_t ms, int64_t other, int64_t other_ms)
{
    return ms != 0 ? ms : other < 0 ? -1 : other * other_ms;
}

/* Source: KafkaConfig.getLogRetentionTimeMillis, logRollTimeMillis. */
static struct kb_log_config log_config_of(const struct sim_log_settings *s)
{
    const int64_t minute = 60000, hour = 60 * minute;
    const int64_t by_minutes =
        s->retention_minutes != 0 ? first_ms(0, s->retention_minutes, minute) : 0;
    return (struct kb_log_config){
        .retention_ms =
            first_ms(s->retention_ms != 0 ? s->retention_ms : by_minutes, s->retention_hours, hour),
        .retention_bytes = s->retention_bytes,
        .segment_ms = first_ms(s->roll_ms, s->roll_hours, hour),
        .timestamp_difference_ms = s->timestamp_difference_ms,
        .segment_bytes = (int32_t)s->segment_bytes,
        .cleanup = s->cleanup,
        .log_append_time = s->log_append_time};
}

static struct kb_replicas *new_replicas(const struct sim_process *p)
{
    struct kb_limits limits = sim_first_replicas();
    const struct sim_settings *s = &p->settings;
    struct kb_config config = kb_config_default(p->profile, p->id);
    config.replica_lag_us = s->replica_lag_us;
    config.hw_checkpoint_us = s->hw_checkpoint_us;
    config.fetch_wait_us = s->replica_fetch_wait_us;
    config.fetch_backoff_us = s->replica_fetch_backoff_us;
    config.fetchers_per_leader = s->replica_fetchers;
    config.min_insync_replicas = s->min_insync_replicas;
    config.flush_messages = s->flush_messages;
    config.log_dirs = s->log_dirs;
    config.log = log_config_of(&s->logs);
    config.retention_check_us = s->logs.retention_check_us;
    if (s->coordinators.txn_expiration_ms > 0)
        config.producer_expiry_ms = s->coordinators.txn_expiration_ms;
    struct kb_replicas *r = sim_block(sim_realloc(NULL, kb_replicas_size(&limits)));
    kb_replicas_init(r, &limits, &config);
    return r;
}

/* Kafka's names again, for the broker part reads them itself. */
static void add_properties(struct kb_props *to, const struct sim_settings *settings)
{
    const size_t from = offsetof(struct sim_settings, coordinators),
                 end = from + sizeof(settings->coordinators);
    for (const struct sim_property_row *row = sim_broker_properties; row->name != NULL; row++) {
        char text[24];
        if (row->type != SIM_P_INT || row->offset < from || row->offset >= end)
            continue;
        const char *field = (const char *)settings + row->offset;
        const int32_t value = *(const int32_t *)(const void *)field;
        if (value < 0)
            continue;
        snprintf(text, sizeof(text), "%" PRId32, value);
        kb_props_set(to, row->name, text);
    }
    if (settings->compression != KB_COMPRESSION_UNSET)
        kb_props_set(to, "compression.type",
                     kb_compression_name((enum kb_compression)settings->compression));
}

void sim_full_disks(struct sim_world *w, struct sim_process *p)
{
    if (w->keeper == NULL) {
        w->keeper = sim_keeper_new();
        assert(w->keeper != NULL);
        w->payloads = sim_keeper_payloads(w->keeper);
    }
    if (p->replicas == NULL)
        p->replicas = new_replicas(p);
}

void sim_full_make(struct sim_world *w, struct sim_process *p)
{
    char properties[1024];
    struct kb_broker_limits limits = sim_first_broker();
    struct kb_broker_config config = {
        .broker = sim_registration_of(p), .has_data = 1, .seed = (uint64_t)p->id + 1};
    config.properties = kb_props_begin(properties, sizeof(properties));
    add_properties(&config.properties, &p->settings);
    assert(!config.properties.overflow);
    sim_full_disks(w, p);
    p->node.broker = sim_block(sim_realloc(NULL, kb_broker_size(&limits, &config)));
    kb_broker_init(p->node.broker, &limits, &config);
    p->node.replicas = p->replicas;
    p->node.payloads = &w->payloads;
    p->node.date_offset_us = p->clock.offset_us;
}

static bool grow_scratch(struct sim_world *w, struct kn_node *n, size_t needed)
{
    sim_free(w->broker_scratch);
    w->broker_scratch_size = (needed + needed / 2 + 7) & ~(size_t)7;
    w->broker_scratch = sim_scratch(sim_realloc(NULL, w->broker_scratch_size));
    n->scratch = w->broker_scratch;
    n->scratch_size = w->broker_scratch_size;
    return true;
}

/* A limit that has grown grows at once to what any broker has needed: most need alike. */
static void grow_at_once(void *limits, const void *before, void *needed, size_t size)
{
    uint32_t *now = limits, *most = needed;
    const uint32_t *old = before;
    for (size_t i = 0; i < size / sizeof(*now); i++)
        if (now[i] != old[i])
            most[i] = now[i] = most[i] > now[i] ? most[i] : now[i];
}

bool sim_full_grow(struct sim_world *w, struct kn_node *n, enum kn_block block,
                   const char *short_of, size_t scratch_needed)
{
    if (block == KN_BLOCK_BROKER && strcmp(short_of, "scratch") == 0)
        return grow_scratch(w, n, scratch_needed);
    if (block == KN_BLOCK_BROKER) {
        struct kb_broker_limits limits =
            kb_broker_limits_above(kb_broker_limits(n->broker), short_of);
        grow_at_once(&limits, kb_broker_limits(n->broker), &w->brokers_needed, sizeof(limits));
        struct kb_broker *larger = sim_block(sim_alloc(kb_broker_grown_size(n->broker, &limits)));
        kb_broker_grow(n->broker, larger, &limits);
        sim_free(n->broker);
        n->broker = larger;
        return true;
    }
    struct kb_limits limits = kb_limits_above(kb_replicas_limits(n->replicas), short_of);
    grow_at_once(&limits, kb_replicas_limits(n->replicas), &w->replicas_needed, sizeof(limits));
    struct kb_replicas *larger = sim_block(sim_alloc(kb_replicas_size(&limits)));
    kb_replicas_grow(n->replicas, larger, &limits);
    sim_free(n->replicas);
    n->replicas = sim_find(w, n->id)->replicas = larger;
    return true;
}

/* Outside of a step of the node, as to say a configuration: only payloads are told. What else was
   put would be lost. */
static void refer_only(void *context, const struct kb_output *o)
{
    struct sim_world *w = context;
    assert(o->kind == KB_OUT_PAYLOAD);
    w->payloads.refer(w->payloads.context, o->payload, o->value);
}

/* ---- requests that wait for the broker part ---- */

void sim_full_pend(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    m->call_id = ++w->broker_calls;
    m->next = p->pending;
    p->pending = m;
}

struct sim_message *sim_full_take(struct sim_process *p, uint64_t call_id)
{
    struct sim_message **at = &p->pending, *m;
    while (*at != NULL && (*at)->call_id != call_id)
        at = &(*at)->next;
    m = *at;
    if (m != NULL)
        *at = m->next;
    return m;
}

void sim_full_step(struct sim_world *w, struct sim_process *p, struct kn_input in)
{
    sim_process_hear(w, p, in);
    sim_keeper_sweep(w->keeper);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
}

/* A request is refused as a whole, or its answer is not known yet: the codes stand in that. */
static uint64_t note_request(struct sim_world *w, const struct sim_process *p, enum wire_api api,
                             const struct wire_batch *batch, uint64_t by, uint64_t m, sim_lane from)
{
    const struct wire_broker *own = wire_batch_broker(batch, p->id);
    w->told++;
    struct wire_answer refused = {
        .error = kb_refusal(p->replicas, own == NULL ? -1 : own->epoch, batch->controller_epoch)};
    return sim_trace_recv_request(w->trace, w->now_us, p->id, by, m, from, api, batch,
                                  refused.error == 0 ? NULL : &refused, refused.error == 0);
}

static struct kb_topic_config topic_config_of(const struct sim_world *w, const char *topic)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_config_topic(path, topic);
    if (!kz_server_get(w->zk, path, &stat, &data, &size, &has_data) || !has_data)
        return (struct kb_topic_config){0};
    return kn_topic_config(data, size);
}

/* Before a log is made its topic's configuration is read. Differs: Kafka's handler asks ZooKeeper
   and waits; here the answer is there at once. */
static void configure_topics(struct sim_world *w, struct sim_process *p, enum wire_api api,
                             const struct wire_batch *batch, uint32_t index)
{
    struct wire_record_view v = {0};
    char last[SM_TOPIC_NAME_MAX + 1] = "";
    while (api == WIRE_API_LEADER_AND_ISR &&
           wire_batch_next_for(batch, WIRE_RECORD_LEADER_AND_ISR, index, &v)) {
        struct kb_outputs out = {.put = refer_only, .context = w};
        struct kb_input in = {.kind = KB_IN_TOPIC_CONFIG, .topic = v.topic};
        if (strcmp(last, v.topic) == 0)
            continue;
        snprintf(last, sizeof(last), "%s", v.topic);
        const struct kb_topic_config config = topic_config_of(w, v.topic);
        in.request = &config;
        sim_touch(p->replicas);
        while (kb_replicas_step(p->replicas, sim_clock_now(w, p), &in, &out) == SM_ERR_LIMIT)
            sim_full_grow(w, &p->node, KN_BLOCK_REPLICAS, out.short_of, 0);
    }
}

uint64_t sim_full_own_request(struct sim_world *w, struct sim_process *p, const struct kc_output *o,
                              uint64_t by)
{
    configure_topics(w, p, (enum wire_api)o->api, o->batch, wire_batch_bit(o->batch, p->id));
    return note_request(w, p, (enum wire_api)o->api, o->batch, by, by, sim_process_lane(p));
}

static bool must_wait(const struct sim_process *p, const struct sim_message *m)
{
    const struct wire_batch *batch = m->batch->batch;
    return kn_node_must_wait(&p->node, m->api, batch, wire_batch_bit(batch, p->id));
}

/* Behind all that waits already. */
static void lock_out(struct sim_process *p, struct sim_message *m)
{
    struct sim_message **last = &p->locked;
    while (*last != NULL)
        last = &(*last)->next;
    m->next = NULL;
    *last = m;
}

void sim_full_unlock(struct sim_world *w, struct sim_process *p)
{
    if (p->locked == NULL || must_wait(p, p->locked))
        return;
    while (p->locked != NULL) { /* in order; the first that has to wait again keeps the others */
        struct sim_message *m = p->locked;
        p->locked = m->next;
        m->next = NULL;
        sim_push(w, w->now_us, (struct sim_event){.kind = SIM_E_HANDLE, .p = m});
    }
}

void sim_full_request(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    uint32_t index = wire_batch_bit(m->batch->batch, p->id);
    if (p->locked != NULL || must_wait(p, m)) {
        lock_out(p, m);
        return;
    }
    w->counts.requests++;
    m->by = note_request(w, p, m->api, m->batch->batch, m->by, m->m,
                         sim_process_lane(m->channel->controller));
    configure_topics(w, p, m->api, m->batch->batch, index);
    sim_full_pend(w, p, m);
    SIM_CHECKED(w, sim_checks_request(w->checks, p->id, m->api, m->batch->batch));
    sim_full_step(w, p,
                  (struct kn_input){.kind = KN_IN_BATCH_REQUEST,
                                    .record = m->by,
                                    .call_id = m->call_id,
                                    .api = m->api,
                                    .index = index,
                                    .batch = m->batch->batch});
}

static void answer_batch(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    struct sim_message *request = sim_full_take(p, o->call_id);
    if (request == NULL)
        return;
    request->answer = *o->answer;
    SIM_CHECKED(
        w, sim_checks_answered(w->checks, p->id, request->api, request->batch->batch, o->answer));
    sim_answer_send(w, request, request->by);
    sim_message_free(w, request);
}

void sim_full_output(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    if (o->kind == KN_OUT_PEER_REQUEST)
        sim_peer_request(w, p, o);
    else if (o->kind == KN_OUT_RESPONSE)
        sim_peer_response(w, p, o);
    else if (o->kind == KN_OUT_BATCH_ANSWER)
        answer_batch(w, p, o);
}

/* ---- clients ---- */

void sim_full_client_request(struct sim_world *w, struct sim_process *p, struct sim_message *m,
                             struct kn_input in)
{
    sim_full_pend(w, p, m);
    in.call_id = m->call_id;
    sim_full_step(w, p, in);
}

bool sim_full_forget_request(struct sim_process *p, struct sim_message *m)
{
    return sim_full_take(p, m->call_id) != NULL;
}

/* ---- notes ---- */

/* The fault behind an ISR that shrinks: nothing came from a member. */
static uint64_t mute_of(const struct sim_world *w, const struct sim_process *p,
                        const struct kb_output *note, const struct kb_partition_view *view)
{
    if (note->kind != KB_OUT_FACT || note->what != KB_FACT_ISR_PENDING)
        return 0;
    for (int32_t i = 0; i < view->isr.count; i++)
        if (!sm_list_has(note->list, view->isr.id[i]))
            return sim_peer_silencer(w, p->id, view->isr.id[i]);
    return 0;
}

uint64_t sim_full_note(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    const struct kb_output *note = o->replica;
    struct kb_partition_view view = {0};
    if (!w->trace->on || (note->kind != KB_OUT_HW && note->kind != KB_OUT_FACT))
        return o->by;
    if (note->topic != NULL)
        kb_partition(p->replicas, note->topic, note->partition, &view);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    uint64_t n = sim_trace_replica(w->trace, w->now_us, p->id, o->by, mute_of(w, p, note, &view),
                                   note, &view);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    return n;
}

/* A leader writes the ISR that it has proposed: the proposal is the cause. */
uint64_t sim_full_cause(struct sim_world *w, const struct sim_process *p,
                        const struct wire_zk_request *request, uint64_t by)
{
    struct wire_zk_op_view v = {0};
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    if (!wire_zk_op_next(request, &v) || v.op->opcode != WIRE_ZK_SET_DATA ||
        !sm_path_is_partition_state(v.path, topic, &partition))
        return by;
    uint64_t proposal = sim_trace_last_setter(
        w->trace,
        sim_trace_key(w->trace, "b.%" PRId32 ".%s-%" PRId32 ".pending", p->id, topic, partition));
    return proposal > by ? proposal : by;
}

/* ---- log directories ---- */

static void fail_dir(struct sim_world *w, struct sim_process *p, int32_t dir, uint64_t by)
{
    p->dir_failed = true;
    sim_process_step(w, p, (struct kn_input){.kind = KN_IN_DIR_FAILED, .value = dir, .record = by});
}

void sim_full_fail_dirs(struct sim_world *w, struct sim_process *p,
                        const struct sim_partition_arg *partitions, uint32_t count, uint64_t by)
{
    struct kb_partition_view view;
    uint32_t incarnation = p->incarnation;
    if (count == 0)
        fail_dir(w, p, 0, by);
    for (uint32_t i = 0; i < count && p->life == SIM_UP && p->incarnation == incarnation; i++)
        if (kb_partition(p->replicas, partitions[i].topic, partitions[i].partition, &view) &&
            view.has_log)
            fail_dir(w, p, view.dir, by);
}

/* ---- the end of a life ---- */

/* A machine is lost: what no disk had taken yet is gone. */
static int64_t keep_flushed(void *context, const char *topic, int32_t partition, int64_t flushed,
                            int64_t log_end)
{
    (void)context, (void)topic, (void)partition, (void)log_end;
    return flushed;
}

void sim_full_forget(struct sim_world *w, struct sim_process *p)
{
    while (p->locked != NULL) {
        struct sim_message *m = p->locked;
        p->locked = m->next;
        sim_message_free(w, m);
    }
    while (p->pending != NULL) {
        struct sim_message *m = p->pending;
        p->pending = m->next;
        sim_message_free(w, m);
    }
}

void sim_full_gone(struct sim_world *w, struct sim_process *p, bool clean)
{
    struct kb_outputs out = {.put = refer_only, .context = w};
    for (const struct sim_message *m = p->pending; m != NULL; m = m->next)
        if (m->peer != NULL)
            sim_full_lost(w, m);
    for (const struct sim_message *m = p->inbox; m != NULL; m = m->next)
        if (m->kind == SIM_M_PEER_REQUEST)
            sim_full_lost(w, m);
    sim_full_forget(w, p);
    sim_touch(p->replicas);
    kb_replicas_stop(
        p->replicas,
        &(struct kb_stop){.clean = clean, .keep = p->loses_unflushed ? keep_flushed : NULL}, &out);
    if (p->loses_unflushed)
        SIM_CHECKED(w, sim_checks_machine_lost(w->checks, p->id));
    p->loses_unflushed = false;
    sim_keeper_sweep(w->keeper);
}

void sim_full_repair(struct sim_process *p)
{
    sim_touch(p->replicas);
    kb_replicas_repair(p->replicas);
    p->dirs_repaired = p->dir_failed = false;
}

void sim_full_free(struct sim_process *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        if (p->peers[i] != NULL)
            sim_free(p->peers[i]->waits);
        sim_free(p->peers[i]);
    }
    sim_free(p->peers);
    sim_free(p->replicas);
    sim_free(p->broker_timers);
}
