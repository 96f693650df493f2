/*
 * The desk of net.h: one heap of events, everything copied on its way.
 */
#include "tests/broker/net_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *const interned[] = {"t", "u", "v", "__consumer_offsets"};

const char *net_intern(const char *topic)
{
    for (size_t i = 0; i < sizeof interned / sizeof *interned; i++) {
        if (strcmp(interned[i], topic) == 0) {
            return interned[i];
        }
    }
    ck_abort_msg("a topic that net.c does not know: %s", topic);
    return NULL;
}

static uint64_t draw(struct net *n)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return n->random;
}

void *net_copy(const void *bytes, size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    if (size != 0) {
        memcpy(p, bytes, size);
    }
    return p;
}

struct sm_list net_list_of(const char *text)
{
    struct sm_list list = {0};
    while (*text != '\0') {
        char *end;
        list.id[list.count++] = (int32_t)strtol(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return list;
}

/* ---- the heap ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void net_heap_push(struct net *n, const struct event *e)
{
    uint32_t at = n->heap_count++;
    if (n->heap_count > n->heap_max) {
        n->heap_max = n->heap_max == 0 ? 256 : n->heap_max * 2;
        n->heap = realloc(n->heap, n->heap_max * sizeof *n->heap);
    }
    while (at > 0 && before(e, &n->heap[(at - 1) / 2])) {
        n->heap[at] = n->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    n->heap[at] = *e;
}

static struct event heap_pop(struct net *n)
{
    struct event top = n->heap[0], last = n->heap[--n->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < n->heap_count && before(&n->heap[child + 1], &n->heap[child])) {
            child++;
        }
        if (child >= n->heap_count || !before(&n->heap[child], &last)) {
            break;
        }
        n->heap[at] = n->heap[child];
        at = child;
    }
    n->heap[at] = last;
    return top;
}

void net_event_free(struct event *e)
{
    for (int i = 0; i < 4; i++) {
        free(e->owned[i]);
    }
}

/* Keeps the order of each channel: from broker (0: the rest) to broker (0: ZooKeeper). */
void net_post(struct net *n, struct event *e)
{
    int64_t latency = n->random == 0 ? LATENCY_US : 200 + (int64_t)(draw(n) % 7800);
    int64_t *last = &n->m[e->to].channel[e->from < 0 ? NET_BROKERS + 1 : e->from];
    e->at = n->now + latency;
    e->at = e->at < *last ? *last : e->at;
    *last = e->at;
    e->seq = n->seq++;
    net_heap_push(n, e);
}

/* ---- delivering ---- */

static void fail_request(struct net *n, int from, uint32_t life, int to, uint64_t correlation)
{
    struct event e = {.kind = EV_ANSWER, .to = from, .from = to};
    e.life = life;
    e.in =
        (struct kb_input){.kind = KB_IN_SEND_FAILED, .broker_id = to, .correlation = correlation};
    net_post(n, &e);
}

static void deliver_request(struct net *n, struct event *e)
{
    if (!n->m[e->to].alive || n->m[e->to].cut[e->from]) {
        fail_request(n, e->from, e->from_life, e->to, e->in.correlation);
        return;
    }
    e->in.call_id = net_call_new(n, e->from, e->to, e->in.kind, e->in.correlation);
    n->calls[e->in.call_id].from_life = e->from_life;
    net_step(n, e->to, &e->in);
}

static void deliver(struct net *n, struct event *e)
{
    struct machine *m = &n->m[e->to];
    switch (e->kind) {
    case EV_REQUEST:
        deliver_request(n, e);
        break;
    case EV_ZK:
        net_deliver_zk(n, e);
        break;
    case EV_TIMER:
        if (m->alive && m->life == e->life && m->timer[e->in.timer] == e->at) {
            m->timer[e->in.timer] = -1;
            net_step(n, e->to, &(struct kb_input){.kind = KB_IN_TIMER, .timer = e->in.timer});
        }
        break;
    case EV_ANSWER:
        if (m->alive && m->life == e->life) {
            net_step(n, e->to, &e->in);
        }
        break;
    case EV_INPUT:
        if (m->held) {
            m->queue = realloc(m->queue, (m->queued + 1) * sizeof *m->queue);
            m->queue[m->queued++] = *e;
            memset(e->owned, 0, sizeof e->owned);
        } else {
            net_step(n, e->to, &e->in);
        }
        break;
    default:
        ck_abort();
    }
}

void net_run(struct net *n, int64_t for_us)
{
    int64_t until = n->now + for_us;
    while (n->heap_count > 0 && n->heap[0].at <= until) {
        struct event e = heap_pop(n);
        n->now = e.at > n->now ? e.at : n->now;
        n->events++;
        deliver(n, &e);
        net_event_free(&e);
        net_check(n);
    }
    n->now = until;
}

/* ---- processes ---- */

static int64_t keep_flushed(void *context, const char *topic, int32_t partition, int64_t flushed,
                            int64_t log_end)
{
    struct net *n = context;
    (void)topic, (void)partition;
    return n->random == 0 ? flushed
                          : flushed + (int64_t)(draw(n) % (uint64_t)(log_end - flushed + 1));
}

static void end_process(struct net *n, int broker, const struct kb_stop *how)
{
    struct machine *m = &n->m[broker];
    struct putting p = {n, broker};
    struct kb_outputs out = {.put = net_put, .context = &p};
    kb_replicas_stop(m->r, how, &out);
    kb_replicas_check(m->r);
    m->alive = false;
    m->life++;
    for (uint32_t i = 0; i < m->queued; i++) {
        net_event_free(&m->queue[i]);
    }
    m->queued = 0;
    m->held = false;
    memset(m->timer, 0xff, sizeof m->timer);
    for (uint64_t id = 1; id <= n->call_count; id++) {
        const struct call *call = &n->calls[id];
        if (call->to == broker && call->from != 0 && !call->result.done) {
            n->calls[id].result.done = true;
            fail_request(n, call->from, call->from_life, broker, call->correlation);
        }
    }
    for (int i = 0; i < n->part_count; i++) {
        n->part[i].hw_epoch[broker] = 0;
    }
}

void net_kill(struct net *n, int broker, bool lost)
{
    end_process(n, broker, &(struct kb_stop){.keep = lost ? keep_flushed : NULL, .context = n});
}

void net_begin_shutdown(struct net *n, int broker)
{
    net_step(n, broker, &(struct kb_input){.kind = KB_IN_SHUTTING_DOWN});
}

void net_shut_down(struct net *n, int broker)
{
    end_process(n, broker, &(struct kb_stop){.clean = true});
}

void net_start(struct net *n, int broker)
{
    struct machine *m = &n->m[broker];
    m->alive = true;
    m->broker_epoch = ++n->next_broker_epoch;
    m->stamp = -1;
    net_step(n, broker, &(struct kb_input){.kind = KB_IN_START});
    net_step(n, broker,
             &(struct kb_input){.kind = KB_IN_REGISTERED, .broker_epoch = m->broker_epoch});
}

bool net_is_alive(const struct net *n, int broker)
{
    return n->m[broker].alive;
}

void net_fail_dir(struct net *n, int broker, int32_t dir)
{
    net_step(n, broker, &(struct kb_input){.kind = KB_IN_DIR_FAILED, .value = dir});
    net_check(n);
}

void net_cut(struct net *n, int from, int to, bool cut)
{
    n->m[to].cut[from] = cut;
}

void net_lose_isr_reply(struct net *n)
{
    n->lose_isr_reply = true;
}

void net_jitter(struct net *n, uint64_t seed)
{
    n->random = seed * 2654435761u + 88172645463325252ull;
}

void net_check_acked(struct net *n, bool on)
{
    n->check_acked = on;
}

void net_expect_divergence(struct net *n)
{
    n->diverges = true;
}

/* ---- making ---- */

struct net *net_new_with(const struct kb_config *config, int count)
{
    struct net *n = calloc(1, sizeof *n);
    struct kz_limits zl = {.nodes = 256, .bytes = 1 << 16, .watches = 16, .sessions = 16};
    struct kb_limits l = {.topics = 1,
                          .partitions = 1,
                          .replicas = 2,
                          .topic_name = 20,
                          .batches = 4,
                          .epochs = 2,
                          .producers = 1,
                          .transactions = 1,
                          .waits = 2,
                          .operations = 2,
                          .fetchers = 1,
                          .sessions = 1,
                          .live = 1,
                          .scratch_bytes = 10000};
    n->count = count;
    n->acked = calloc(ACKED_MAX, sizeof *n->acked);
    n->controller_epoch = 1;
    n->check_acked = true;
    n->zk_scratch_size = 1 << 20;
    n->zk_scratch = aligned_alloc(8, n->zk_scratch_size);
    n->z = aligned_alloc(8, kz_server_size(&zl));
    kz_server_init(n->z, &zl, 3000000);
    (void)kz_server_put(n->z, SM_PATH_ISR_NOTIFICATION, NULL, 0, NULL);
    (void)kz_server_put(n->z, SM_PATH_LOG_DIR_EVENT, NULL, 0, NULL);
    for (int i = 1; i <= NET_BROKERS + 1; i++) {
        net_zk_step(n, &(struct kz_input){
                           .kind = KZ_IN_CONNECT, .conn = (uint32_t)i, .timeout_us = 20000000});
    }
    for (int i = 1; i <= count; i++) {
        struct machine *m = &n->m[i];
        m->config = *config;
        m->config.broker_id = i;
        memset(m->timer, 0xff, sizeof m->timer);
        m->r = aligned_alloc(8, kb_replicas_size(&l));
        kb_replicas_init(m->r, &l, &m->config);
        net_start(n, i);
    }
    net_metadata(n);
    net_run(n, 10000);
    return n;
}

struct net *net_new(enum sm_version version, int count)
{
    struct kb_config config = kb_config_default(sm_profile_of(version), 1);
    return net_new_with(&config, count);
}

struct kb_config *net_config(struct net *n, int broker)
{
    const struct kb_config *config = kb_replicas_config(n->m[broker].r);
    return (struct kb_config *)(uintptr_t)config;
}

void net_defect(struct net *n, enum sm_defect defect, bool on)
{
    for (int i = 1; i <= n->count; i++) {
        uint64_t *defects = &net_config(n, i)->profile.defects;
        *defects = on ? *defects | UINT64_C(1) << defect : *defects & ~(UINT64_C(1) << defect);
    }
}

void net_free(struct net *n)
{
    while (n->heap_count > 0) {
        struct event e = heap_pop(n);
        net_event_free(&e);
    }
    for (int i = 1; i <= n->count; i++) {
        for (uint32_t k = 0; k < n->m[i].queued; k++) {
            net_event_free(&n->m[i].queue[k]);
        }
        free(n->m[i].queue);
        free(n->m[i].r);
    }
    free(n->heap);
    free(n->calls);
    free(n->acked);
    free(n->z);
    free(n->zk_scratch);
    free(n);
}
