/*
 * The loop: take the earliest event, let it act, work the outbox off. Making and freeing, looking
 * in.
 */
#include "sim/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/client_report.h"
#include "sim/world_state.h"
#include "statemachine/znode.h"

struct sim_world_options sim_world_options_default(void)
{
    return (struct sim_world_options){
        .seed = 1,
        .delays = {.zookeeper_us = 500, .network_us = 500, .answer_us = 500},
        .tick_us = 2000000,
        .notes = KC_NOTE_ALL & ~(uint32_t)KC_NOTE_LOG_TRACE,
    };
}

void sim_world_fail(struct sim_world *w, const char *format, ...)
{
    va_list args;
    if (w->error[0] != '\0')
        return; /* the first one counts */
    va_start(args, format);
    vsnprintf(w->error, sizeof(w->error), format, args);
    va_end(args);
}

const char *sim_world_error(const struct sim_world *w)
{
    return w->error[0] == '\0' ? NULL : w->error;
}

/* ---- making ---- */

static void put_persistent_paths(struct sim_world *w)
{
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        sim_zk_put(w, sm_persistent_paths[i], NULL, 0, NULL);
}

struct sim_world *sim_world_new(const struct sim_world_options *options)
{
    struct sim_heap *heap = options->copies ? sim_heap_new() : NULL;
    struct sim_heap *was __attribute__((cleanup(sim_heap_leave))) = sim_heap_enter(heap);
    (void)was;
    struct sim_world *w = sim_alloc(sizeof(*w));
    assert(!options->copies || options->trace == NULL);
    w->heap = heap;
    w->options = *options;
    w->trace = options->trace;
    if (w->trace == NULL)
        w->trace = w->own_trace =
            sim_trace_new(&(struct sim_trace_options){.mode = options->own_trace});
    if (!w->trace->on)
        w->options.notes = 0;
    sim_random_seed(&w->random, options->seed);
    sim_zk_init(w);
    if (options->wire)
        w->wire = sim_wire_new();
    if (options->checks != SIM_CHECKS_OFF) {
        w->checks = sim_checks_new(w, options->checks);
        w->options.notes |= SIM_CHECKS_NOTES;
    }
    put_persistent_paths(w);
    return w;
}

void sim_world_free(struct sim_world *w)
{
    if (w == NULL)
        return;
    if (w->heap != NULL) { /* nothing of it is anywhere else */
        sim_heap_free(w->heap);
        return;
    }
    sim_trace_listen(w->trace, NULL, NULL);
    sim_checks_free(w->checks);
    w->checks = NULL;
    sim_network_free(w);
    for (uint32_t i = 0; i < w->process_count; i++)
        sim_process_empty_inbox(w, w->processes[i]), sim_full_forget(w, w->processes[i]);
    sim_clients_free(w);
    sim_network_free_batches(w);
    for (uint32_t i = 0; i < w->process_count; i++)
        sim_process_free(w->processes[i]);
    sim_network_free_pool(w);
    sim_zk_free(w);
    sim_steps_free(w);
    sim_random_free(w);
    while (w->calls != NULL) {
        struct sim_call *c = w->calls;
        w->calls = c->next;
        sim_free(c->call);
        sim_free(c);
    }
    sim_trace_free(w->own_trace);
    sim_wire_free(w->wire);
    sim_free(w->processes);
    sim_free(w->by_id);
    sim_keeper_free(w->keeper);
    sim_free(w->broker_scratch);
    sim_free(w->builder);
    sim_free(w->operator_reply);
    sim_free(w);
}

/* ---- processes by id ---- */

static uint32_t place_by_id(const struct sim_world *w, int32_t id)
{
    uint32_t low = 0, high = w->process_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (w->by_id[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sim_process *sim_find(const struct sim_world *w, int32_t id)
{
    if (sim_id_is_client(id))
        return sim_client_shell(w, id);
    uint32_t at = place_by_id(w, id);
    return at < w->process_count && w->by_id[at]->id == id ? w->by_id[at] : NULL;
}

bool sim_world_has(const struct sim_world *w, int32_t id)
{
    return sim_find(w, id) != NULL;
}

void sim_world_add(struct sim_world *w, const struct sim_process_options *o)
{
    SIM_IN(w);
    struct sim_process *p = sim_alloc(sizeof(*p));
    uint32_t at = place_by_id(w, o->id);
    assert(o->id >= 0);
    assert(!sim_world_has(w, o->id));
    p->id = o->id;
    p->index = w->process_count;
    p->is_full = o->full && o->role != SIM_NODE_CONTROLLER && o->registers;
    p->has_node = o->role != SIM_NODE_BROKER || p->is_full;
    p->never_elected = o->role == SIM_NODE_BROKER;
    p->registers = !p->has_node || o->registers;
    p->profile = o->profile;
    p->settings = o->settings;
    snprintf(p->rack, sizeof(p->rack), "%s", o->rack == NULL ? "" : o->rack);
    w->processes = sim_realloc(w->processes, (w->process_count + 1) * sizeof(*w->processes));
    w->by_id = sim_realloc(w->by_id, (w->process_count + 1) * sizeof(*w->by_id));
    memmove(&w->by_id[at + 1], &w->by_id[at], (w->process_count - at) * sizeof(*w->by_id));
    w->processes[w->process_count++] = p;
    w->by_id[at] = p;
    SIM_CHECKED(w, sim_checks_process(w->checks, p->id, p->is_full));
}

void sim_world_configure(struct sim_world *w, int32_t id, const struct sim_settings *settings,
                         const char *rack)
{
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (settings != NULL)
        p->settings = *settings;
    if (rack != NULL)
        snprintf(p->rack, sizeof(p->rack), "%s", rack);
}

/* ---- the loop ---- */

/* Why there is no answer: the broker was told to hang, a rule holds the message, or the broker does
   not run. */
static uint64_t mute_of(const struct sim_world *w, const struct sim_pipe *c)
{
    const struct sim_message *held = c->request.held != NULL ? c->request.held : c->answer.held;
    for (uint32_t i = 0; held != NULL && i < w->rule_count; i++)
        if (w->rules[i].number == held->held_by)
            return w->rules[i].record;
    return c->mute != 0 ? c->mute : c->broker->life == SIM_PAUSED ? c->broker->life_record : 0;
}

static void on_deadline(struct sim_world *w, struct sim_pipe *c)
{
    c->deadline_set = false;
    if (!c->in_flight)
        return;
    if (w->now_us < c->deadline_us) {
        c->deadline_set = true;
        sim_push(w, c->deadline_us, (struct sim_event){.kind = SIM_E_DEADLINE, .p = c});
        return;
    }
    uint64_t record =
        sim_trace_timer(w->trace, w->now_us, sim_process_lane(c->controller), c->m, mute_of(w, c),
                        "fire", "request timeout", c->correlation, c->deadline_us);
    sim_pipe_break(w, c, true, record);
}

static void on_message(struct sim_world *w, struct sim_message *m)
{
    switch ((enum sim_message_kind)m->kind) {
    case SIM_M_ZK_CONNECT:
    case SIM_M_ZK_REQUEST:
    case SIM_M_ZK_PING:
    case SIM_M_ZK_CLOSE:
    case SIM_M_ZK_HANG_UP:
        sim_zk_arrive(w, m);
        return;
    case SIM_M_CALL_ANSWER:
        sim_call_answered(w, m);
        return;
    case SIM_M_ZK_CONNECTED:
    case SIM_M_ZK_REPLY:
    case SIM_M_ZK_EVENT:
    case SIM_M_ZK_PONG:
    case SIM_M_ZK_CLOSED:
    case SIM_M_REQUEST:
    case SIM_M_ANSWER:
    case SIM_M_BROKEN:
    case SIM_M_CALL:
        sim_process_deliver(w, m);
        return;
    case SIM_M_PEER_REQUEST:
    case SIM_M_PEER_RESPONSE:
    case SIM_M_PEER_BROKEN:
        sim_full_deliver(w, m);
        return;
    case SIM_M_CLIENT_REQUEST:
    case SIM_M_CLIENT_RESPONSE:
    case SIM_M_CLIENT_BROKEN:
        sim_client_deliver(w, m);
        return;
    }
}

static void act(struct sim_world *w, struct sim_event *e)
{
    switch ((enum sim_event_kind)e->kind) {
    case SIM_E_MESSAGE:
        on_message(w, e->p);
        return;
    case SIM_E_TIMER:
        sim_process_timer(w, w->processes[e->process], (uint32_t)e->a, (uint32_t)(e->b >> 32),
                          (uint32_t)e->b);
        return;
    case SIM_E_ZK_TICK:
        sim_zk_tick(w, e->a);
        return;
    case SIM_E_DEADLINE:
        on_deadline(w, e->p);
        return;
    case SIM_E_STALLED:
        if (w->processes[e->process]->incarnation == e->b)
            sim_stalled_go_on(w, w->processes[e->process]);
        return;
    case SIM_E_PEER:
        sim_peer_deadline(w, e->p);
        return;
    case SIM_E_HANDLE:
        sim_scripted_handle(w, e->p);
        return;
    case SIM_E_STEP:
        sim_step_due(w, (uint32_t)e->a, e->b);
        return;
    case SIM_E_UNDO:
        sim_step_undo(w, (uint32_t)e->a);
        return;
    case SIM_E_CALL:
        if (e->b == 0)
            sim_call_deliver(w, e->a);
        else
            sim_call_timeout(w, e->a, e->b);
        return;
    case SIM_E_HEAL:
        sim_heal_due(w, e->a);
        return;
    case SIM_E_LAG:
        sim_zk_catch_up(w, (int64_t)e->a);
        return;
    case SIM_E_CLIENT_START:
        sim_client_begin(w, e->process);
        return;
    case SIM_E_CLIENT_TIMER:
        sim_client_timer(w, e->process, e->a);
        return;
    case SIM_E_CLIENT_WORK:
        sim_client_work(w, e->process, e->a);
        return;
    case SIM_E_SHUTDOWN:
        sim_shutdown_again(w, w->processes[e->process], e->a);
        return;
    }
}

static bool instant_is_endless(struct sim_world *w)
{
    if (w->now_us != w->instant_us) {
        w->instant_us = w->now_us;
        w->steps_at_instant = 0;
    }
    return ++w->steps_at_instant > SIM_STEPS_PER_INSTANT_MAX;
}

bool sim_world_step(struct sim_world *w)
{
    SIM_IN(w);
    struct sim_event e;
    if (w->error[0] != '\0' || !sim_event_pop(&w->queue, &e))
        return false;
    assert(e.t_us >= w->now_us);
    w->now_us = e.t_us;
    w->counts.events++;
    act(w, &e);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
    SIM_CHECKED(w, sim_checks_event(w->checks));
    if (instant_is_endless(w))
        sim_world_fail(w,
                       "more than %u steps at %lld us of virtual time: something turns in circles",
                       SIM_STEPS_PER_INSTANT_MAX, (long long)w->now_us);
    return w->error[0] == '\0';
}

void sim_world_reseed(struct sim_world *w, uint64_t seed)
{
    sim_random_seed(&w->random, seed);
    w->options.delays.drawn = true;
}

int64_t sim_world_now(const struct sim_world *w)
{
    return w->now_us;
}

int64_t sim_world_next(const struct sim_world *w)
{
    return w->queue.count == 0 ? SIM_FOREVER : w->queue.events[0].t_us;
}

bool sim_world_run(struct sim_world *w, int64_t until_us)
{
    while (sim_world_next(w) <= until_us)
        if (!sim_world_step(w))
            return false;
    if (w->now_us < until_us)
        w->now_us = until_us;
    return w->error[0] == '\0';
}

bool sim_world_is_quiet(const struct sim_world *w)
{
    if (w->in_flight > 0 || w->ghosts > 0 || sim_calls_wait(w) || w->quorum_lost)
        return false;
    for (uint32_t i = 0; i < w->process_count; i++)
        if (!sim_process_is_quiet(w, w->processes[i]))
            return false;
    return sim_clients_are_quiet(w);
}

bool sim_world_is_over(struct sim_world *w)
{
    return w->timed_ahead == 0 && sim_world_is_quiet(w) && sim_followers_are_back(w);
}

/* ---- looking ---- */

const struct sim_trace *sim_world_trace(const struct sim_world *w)
{
    return w->trace;
}

const struct sim_check_result *sim_world_checked(const struct sim_world *w)
{
    return w->checks == NULL ? NULL : sim_checks_result(w->checks);
}

void sim_world_checks_end(struct sim_world *w)
{
    SIM_IN(w);
    SIM_CHECKED(w, sim_checks_end(w->checks, sim_world_is_quiet(w)));
}

const struct kz_server *sim_world_zookeeper(const struct sim_world *w)
{
    return w->zk;
}

const struct kc_controller *sim_world_controller(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    return p == NULL || p->life != SIM_UP || !p->has_node ? NULL : p->node.controller;
}

const struct kb_replicas *sim_world_replicas(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    return p == NULL ? NULL : p->replicas;
}

bool sim_world_is_up(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    return p != NULL && p->life != SIM_DOWN;
}

bool sim_world_is_registered(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    if (p == NULL || p->life == SIM_DOWN)
        return false;
    return p->has_node ? sim_world_broker_epoch(w, id) >= 0 : p->is_registered;
}

int32_t sim_world_named_controller(const struct sim_world *w)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    int32_t id = -1;
    if (!kz_server_get(w->zk, SM_PATH_CONTROLLER, &stat, &data, &size, &has_data) ||
        sm_znode_decode_controller((const char *)data, size, &id) != SM_ERR_OK)
        return -1;
    return id;
}

int32_t sim_world_active(const struct sim_world *w)
{
    int32_t id = sim_world_named_controller(w);
    const struct kc_controller *c = id < 0 ? NULL : sim_world_controller(w, id);
    return c != NULL && kc_controller_is_active(c) ? id : -1;
}

static const struct kc_controller *view_controller(void *context, int32_t node)
{
    return sim_world_controller(context, node);
}

static int32_t view_active(void *context)
{
    return sim_world_active(context);
}

static bool view_is_up(void *context, int32_t node)
{
    return sim_world_is_up(context, node);
}

struct sim_view sim_world_view(struct sim_world *w)
{
    return (struct sim_view){.context = w,
                             .zookeeper = w->zk,
                             .controller = view_controller,
                             .active = view_active,
                             .is_up = view_is_up,
                             .checked = sim_world_checked(w),
                             .client = sim_client_property,
                             .trace = w->trace};
}

struct sim_world_counts sim_world_counts(const struct sim_world *w)
{
    struct sim_world_counts counts = w->counts;
    counts.memory = w->zk_size;
    for (uint32_t i = 0; i < w->process_count; i++)
        if (w->processes[i]->has_node && w->processes[i]->life != SIM_DOWN)
            counts.memory +=
                kc_controller_size(kc_controller_limits(w->processes[i]->node.controller)) +
                kn_session_size(kn_session_limits_of(w->processes[i]->node.session));
    return counts;
}

uint32_t sim_world_registration(const struct sim_world *w, int32_t id, int64_t epoch)
{
    const struct sim_process *p = sim_find(w, id);
    for (uint32_t i = 0; p != NULL && i < p->epoch_count; i++)
        if (p->epochs[i] == epoch)
            return i + 1;
    return 0;
}

int64_t sim_world_last_epoch(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    return p == NULL || p->epoch_count == 0 ? -1 : p->epochs[p->epoch_count - 1];
}
