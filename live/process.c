/*
 * The loop and the node: inputs in, outputs out, time and memory between.
 *
 * Invariant: while the node has more to do about one input (`has_more`), every other input waits in
 * the list; an input that comes from inside a step waits too.
 */
#define _GNU_SOURCE
#include "live/process_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "live/blocks.h"
#include "sim/allocate.h"

enum { BUDGET_US = 4000, STEPS_BETWEEN_LOOKS = 16, TIMERS_MAX = 1 << 20 };

int64_t live_now(const struct live_process *p)
{
    return p->start_us + (int64_t)((uv_hrtime() - p->start_hrtime) / 1000);
}

/* ---- timers ---- */

static void on_clock(uv_timer_t *clock);

static void set_clock(struct live_process *p, int64_t due_us)
{
    int64_t after = due_us - live_now(p);
    p->clock_us = due_us;
    uv_update_time(&p->loop);
    uv_timer_start(&p->clock, on_clock, after <= 0 ? 0 : (uint64_t)(after + 999) / 1000, 0);
}

/* By number: the session's and the broker part's, which are the largest, come first; a controller's
   are small. */
static struct live_timer *timer_of(struct live_process *p, uint32_t timer)
{
    uint32_t at = timer + 2u; /* KN_TIMER_BROKER wraps round to 0 */
    assert(at < TIMERS_MAX);
    if (at >= p->timer_count) {
        p->timers = sim_realloc(p->timers, (at + 1u) * sizeof *p->timers);
        for (uint32_t i = p->timer_count; i <= at; i++)
            p->timers[i] = (struct live_timer){.due_us = -1};
        p->timer_count = at + 1u;
    }
    return &p->timers[at];
}

void live_arm(struct live_process *p, uint32_t timer, int64_t due_us, uint64_t record)
{
    *timer_of(p, timer) = (struct live_timer){due_us, record};
    if (due_us >= 0 && (p->clock_us < 0 || due_us < p->clock_us))
        set_clock(p, due_us);
}

static void fire(struct live_process *p, uint32_t at, int64_t now_us)
{
    struct live_timer t = p->timers[at];
    uint32_t timer = at - 2u;
    uint64_t record = t.record;
    p->timers[at].due_us = -1;
    if (timer < KN_TIMER_BROKER)
        record = live_trace_timer(p->trace, now_us, timer, t.record, t.due_us);
    live_take(p, &(struct kn_input){.kind = KN_IN_TIMER, .timer = timer, .record = record});
}

static void on_clock(uv_timer_t *clock)
{
    struct live_process *p = clock->data;
    int64_t now = live_now(p), next = -1;
    p->clock_us = -1;
    for (uint32_t i = 0; i < p->timer_count; i++)
        if (p->timers[i].due_us >= 0 && p->timers[i].due_us <= now)
            fire(p, i, now);
    for (uint32_t i = 0; i < p->timer_count; i++)
        if (p->timers[i].due_us >= 0 && (next < 0 || p->timers[i].due_us < next))
            next = p->timers[i].due_us;
    if (next >= 0 && (p->clock_us < 0 || next < p->clock_us))
        set_clock(p, next);
}

/* ---- outputs ---- */

static void say_fatal(struct live_process *p, const char *text)
{
    live_logs_flush(p->logs);
    fprintf(stderr, "kcsim: controller %d cannot start: %s\n", p->id, text);
    if (strstr(text, "NODEEXISTS") != NULL)
        fprintf(stderr, "kcsim: is another process registered as /brokers/ids/%d?\n", p->id);
    p->exit_code = LIVE_EXIT_FAILED;
}

static uint64_t on_controller(struct live_process *p, const struct kc_output *o, bool is_internal)
{
    uint64_t record = live_trace_controller(p->trace, live_now(p), o);
    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_SEND:
        if (!is_internal)
            live_brokers_send(p, o, record);
        break;
    case KC_OUT_CLOSE:
        live_brokers_close(p, o->broker_id);
        break;
    case KC_OUT_LOG:
        live_logs_controller(p->logs, o);
        break;
    case KC_OUT_QUEUE:
        live_metrics_event(p->metrics, live_now(p), o);
        break;
    case KC_OUT_FATAL:
        say_fatal(p, o->text);
        break;
    case KC_OUT_NONE:
    case KC_OUT_ZK: /* comes as KN_OUT_ZK_SEND */
    case KC_OUT_BATCH:
    case KC_OUT_REPLY: /* goes to the broker part, inside the node */
    case KC_OUT_TIMER: /* comes as KN_OUT_TIMER */
    case KC_OUT_EXPIRE_STARTED:
    case KC_OUT_MOVE:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
    case KC_OUT_FLOW:
        break;
    }
    return record;
}

static uint64_t on_session(struct live_process *p, const struct kn_output *o)
{
    const char *what = kn_session_what_name((enum kn_session_what)o->what);
    live_log(p->logs, o->what == KN_DISCONNECTED || o->what == KN_EXPIRED ? KC_WARN : KC_INFO,
             "ZooKeeper session 0x%llx: %s", (unsigned long long)o->session, what);
    return live_trace_session(p->trace, live_now(p), o);
}

uint64_t live_put(void *context, const struct kn_output *o)
{
    struct live_process *p = context;
    switch ((enum kn_output_kind)o->kind) {
    case KN_OUT_NONE:
        break;
    case KN_OUT_CONTROLLER:
        return on_controller(p, o->controller, o->is_internal);
    case KN_OUT_ZK_CONNECT:
        live_zookeeper_connect(p->zookeeper, o->session, o->password, o->timeout_us);
        break;
    case KN_OUT_ZK_HANG_UP:
        live_trace_zk_lost(p->trace);
        live_zookeeper_hang_up(p->zookeeper);
        break;
    case KN_OUT_ZK_SEND:
        live_trace_zk_sent(p->trace, live_now(p), o);
        live_zookeeper_send(p->zookeeper, o->request);
        break;
    case KN_OUT_ZK_PING:
        live_zookeeper_ping(p->zookeeper);
        break;
    case KN_OUT_ZK_CLOSE:
        live_zookeeper_close(p->zookeeper);
        break;
    case KN_OUT_SESSION:
        return on_session(p, o);
    case KN_OUT_TIMER:
        live_arm(p, o->timer, o->due_us, o->record);
        break;
    case KN_OUT_RESPONSE:
        live_serve_response(p->serve, o->call_id, o->message);
        break;
    case KN_OUT_BATCH_ANSWER:
        live_serve_batch_answer(p->serve, o->call_id, o->answer);
        break;
    case KN_OUT_LOG:
        live_log(p->logs, KC_INFO, "%s", o->text);
        break;
    case KN_OUT_PEER_REQUEST: /* its broker part hosts nothing */
    case KN_OUT_REPLICA:
        break;
    case KN_OUT_STOPPED:
        p->has_stopped = true;
        break;
    }
    return 0;
}

/* ---- steps ---- */

static bool grow(void *context, struct kn_node *n, enum kn_block block, const char *short_of)
{
    struct live_process *p = context;
    if (live_block_grow(n, block, short_of, p->out.scratch_needed))
        return true;
    fflush(stdout);
    fprintf(stderr, "kcsim: limit '%s' of the %s is reached and may not grow further\n", short_of,
            block == KN_BLOCK_CONTROLLER ? "controller"
            : block == KN_BLOCK_BROKER   ? "broker part"
            : block == KN_BLOCK_ANSWER   ? "node"
                                         : "session");
    return false;
}

/* One step; returns whether the node wants another about the same input. */
static bool step(struct live_process *p, const struct kn_input *in)
{
    p->out = (struct kn_outputs){.put = live_put, .grow = grow, .context = p};
    p->in_step = true;
    enum sm_err err = kn_node_step(&p->node, live_now(p), in, &p->out);
    p->in_step = false;
    if (err != SM_ERR_OK) {
        live_end(p, LIVE_EXIT_SOFTWARE);
        return false;
    }
    if (p->has_stopped)
        live_end(p, p->exit_code);
    return p->out.more && !p->is_ending;
}

/* Goes on about the last input until nothing is left or the time is over. */
static void go_on(struct live_process *p, int64_t until_us)
{
    for (uint32_t n = 1; p->has_more; n++) {
        struct kn_input more = {.kind = KN_IN_MORE, .record = p->more_record};
        p->has_more = step(p, &more);
        if (n % STEPS_BETWEEN_LOOKS == 0 && live_now(p) > until_us)
            return;
    }
}

static void begin(struct live_process *p, const struct kn_input *in, int64_t until_us)
{
    p->more_record = in->record;
    p->has_more = step(p, in);
    go_on(p, until_us);
}

static void on_work(uv_idle_t *work)
{
    struct live_process *p = work->data;
    int64_t until = live_now(p) + BUDGET_US;
    go_on(p, until);
    while (!p->has_more && !p->is_held && !p->is_ending && p->first != NULL &&
           live_now(p) <= until) {
        struct live_waiting *w = p->first;
        p->first = w->next;
        if (p->first == NULL)
            p->last = NULL;
        begin(p, &w->in, until);
        free(w);
    }
    if (!p->has_more && (p->is_held || p->first == NULL)) {
        p->is_working = false;
        uv_idle_stop(&p->work);
    }
}

static void work_soon(struct live_process *p)
{
    bool may_work = p->has_more || (p->first != NULL && !p->is_held);
    if (!p->is_working && !p->is_ending && may_work) {
        p->is_working = true;
        uv_idle_start(&p->work, on_work);
    }
}

/* ---- inputs that wait ---- */

static size_t align8(size_t size)
{
    return (size + 7u) / 8u * 8u;
}

/* Copies `size` bytes to *at, which moves on. */
static const void *keep(uint8_t **at, const void *bytes, size_t size)
{
    void *copy = *at;
    if (bytes == NULL)
        return NULL;
    memcpy(copy, bytes, size);
    *at += align8(size);
    return copy;
}

/* Requests of clients are never here: they wait in their sockets (serve.c). */
static void wait_in_line(struct live_process *p, const struct kn_input *in)
{
    assert(in->message == NULL);
    assert(in->batch == NULL);
    size_t path = in->path == NULL ? 0 : strlen(in->path) + 1;
    size_t reply = in->reply == NULL ? 0 : in->reply->size;
    size_t call = in->call == NULL ? 0 : in->call->size;
    size_t items = in->answer == NULL ? 0 : in->answer->count * sizeof *in->answer->items;
    struct live_waiting *w =
        sim_realloc(NULL, sizeof *w + align8(path) + align8(reply) + align8(call) + align8(items));
    uint8_t *at = (uint8_t *)w->bytes;
    w->next = NULL;
    w->in = *in;
    w->in.path = keep(&at, in->path, path);
    w->in.reply = keep(&at, in->reply, reply);
    w->in.call = keep(&at, in->call, call);
    if (in->answer != NULL) {
        w->answer = *in->answer;
        w->answer.items = items == 0 ? NULL : keep(&at, in->answer->items, items);
        w->in.answer = &w->answer;
    }
    if (p->first == NULL)
        p->first = w;
    else
        p->last->next = w;
    p->last = w;
}

bool live_is_free(const struct live_process *p)
{
    return !p->in_step && !p->has_more && !p->is_held && p->first == NULL && !p->is_ending;
}

void live_take(struct live_process *p, const struct kn_input *in)
{
    if (p->is_ending)
        return;
    if (!live_is_free(p))
        wait_in_line(p, in);
    else
        begin(p, in, live_now(p) + BUDGET_US);
    work_soon(p);
}

static void on_held_long_enough(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    p->is_held = false;
    work_soon(p);
}

void live_hold(struct live_process *p, int64_t for_us)
{
    if (for_us <= 0)
        return;
    p->is_held = true;
    uv_timer_start(&p->hold, on_held_long_enough, (uint64_t)(for_us + 999) / 1000, 0);
}
