#include "client_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/messages.h"

#define KMS ((int64_t)1000)
enum { CLIENTS = 8, NODES = DESK_NODES + 1, KSCRATCH = 16 << 20 };

struct way {
    uint32_t life;
    int64_t there_us, back_us; /* when the last message arrives */
};

struct machine_client {
    struct kl_client *c;
    int64_t due_us;
    struct way way[NODES];
    uint32_t requests[128];
};

/* A request: on its way there, with the node, on its way back. */
struct trip {
    enum { THERE = 1, AT_NODE, BACK, BROKEN } state;
    int client, node;
    uint32_t life;
    uint64_t correlation, call, serial;
    int16_t api, version;
    bool expects;
    int64_t at_us;
    void *bytes;
    size_t size;
};

struct kdesk {
    struct desk *d;
    int64_t now;
    uint64_t chance, serial, tags;
    struct machine_client m[CLIENTS];
    int clients;
    struct trip *trip;
    size_t trips, trip_room;
    struct delivery *delivery;
    size_t deliveries;
    struct reading *reading;
    size_t readings;
    struct ending *ending;
    size_t endings;
    struct said *said;
    size_t saids;
    int lose[128];
    bool swallow[128][NODES], at_once;
    struct {
        int client;
        bool yes;
    } rebalanced[64];
    int rebalances;
    void (*look)(void *context, int client, int16_t api, void *m);
    void *context;
    void (*asked)(void *context, int client, int node, int16_t api, const void *m);
    void *asked_context;
    uint8_t *scratch;
    char text[65536];
};

struct at_client {
    struct kdesk *k;
    int client;
};

uint64_t kdesk_chance(struct kdesk *k, uint64_t n)
{
    k->chance ^= k->chance << 13;
    k->chance ^= k->chance >> 7;
    k->chance ^= k->chance << 17;
    return k->chance % n;
}

static int64_t delay(struct kdesk *k)
{
    return k->chance == 0 ? KMS : (int64_t)kdesk_chance(k, 20000);
}

/* A new zeroed element at the end of an array. */
#define APPEND(array, count)                                                                       \
    ((count) % 64 == 0 ? (void)((array) = realloc((array), ((count) + 64) * sizeof *(array)))      \
                       : (void)0,                                                                  \
     memset(&(array)[count], 0, sizeof *(array)), &(array)[(count)++])

/* ---- what a client says ---- */

static void on_request(struct kdesk *k, int client, const struct kl_output *o)
{
    struct machine_client *m = &k->m[client];
    struct way *way = &m->way[o->broker_id];
    int64_t at = k->now + delay(k);

    m->requests[o->api]++;
    if (k->asked != NULL)
        k->asked(k->asked_context, client, o->broker_id, (int16_t)o->api, o->message);
    way->there_us = at > way->there_us ? at : way->there_us;
    void *bytes = aligned_alloc(8, (o->size + 15) & ~(size_t)7);
    memcpy(bytes, o->message, o->size);
    struct trip trip = {.state = THERE,
                        .client = client,
                        .node = o->broker_id,
                        .life = way->life,
                        .correlation = o->correlation,
                        .serial = ++k->serial,
                        .api = (int16_t)o->api,
                        .version = (int16_t)o->version,
                        .expects = o->expects != 0,
                        .at_us = way->there_us,
                        .bytes = bytes,
                        .size = o->size};
    if (k->trips == k->trip_room) {
        k->trip_room = k->trip_room == 0 ? 64 : 2 * k->trip_room;
        k->trip = realloc(k->trip, k->trip_room * sizeof *k->trip);
    }
    k->trip[k->trips++] = trip;
}

static void on_said(struct kdesk *k, int client, const struct kl_output *o)
{
    struct said *s = APPEND(k->said, k->saids);
    s->client = client;
    s->kind = o->kind;
    s->what = (int32_t)o->what;
    s->error = o->error;
    s->fatal = o->fatal;
    s->partition = o->partition;
    s->broker = o->broker_id;
    s->value = o->value_of;
    s->offset = o->offset;
    s->at_us = k->now;
    s->count = o->count;
    for (uint32_t i = 0; i < o->count && i < 16; i++) {
        snprintf(s->offsets[i].topic, sizeof s->offsets[i].topic, "%s", o->offsets[i].topic);
        s->offsets[i].partition = o->offsets[i].partition;
    }
}

static void note_headers(struct reading *r, const struct wire_log_record *record)
{
    struct wire_log_header h;
    size_t at = 0, used = 0;
    while (wire_log_header_next(record, &at, &h) && used < sizeof r->headers)
        used += (size_t)snprintf(r->headers + used, sizeof r->headers - used, "%s%.*s=%.*s",
                                 used == 0 ? "" : " ", (int)h.key_size, (const char *)h.key,
                                 h.value == NULL ? 1 : (int)h.value_size,
                                 h.value == NULL ? "~" : (const char *)h.value);
}

static void on_record(struct kdesk *k, int client, const struct kl_output *o)
{
    struct reading *r = APPEND(k->reading, k->readings);
    r->client = client;
    r->partition = o->partition;
    r->offset = o->offset;
    r->leader_epoch = o->leader_epoch;
    snprintf(r->topic, sizeof r->topic, "%s", o->topic);
    snprintf(r->value, sizeof r->value, "%.*s", (int)o->value_size, (const char *)o->value);
    note_headers(r, o->record);
}

static void on_delivered(struct kdesk *k, int client, const struct kl_output *o)
{
    struct delivery *v = APPEND(k->delivery, k->deliveries);
    v->tag = o->tag;
    v->client = client;
    v->partition = o->partition;
    v->error = o->error;
    v->offset = o->offset;
    v->at_us = k->now;
    v->persisted = (enum kl_persisted)o->persisted;
    snprintf(v->topic, sizeof v->topic, "%s", o->topic);
}

static void drop_trips(struct kdesk *k, int client, int node)
{
    for (size_t i = 0; i < k->trips; i++)
        if (k->trip[i].client == client && k->trip[i].node == node)
            k->trip[i].life = UINT32_MAX;
    k->m[client].way[node].life++;
}

static void client_put(void *context, const struct kl_output *o)
{
    struct at_client *at = context;
    struct kdesk *k = at->k;
    switch ((enum kl_output_kind)o->kind) {
    case KL_OUT_REQUEST:
        on_request(k, at->client, o);
        return;
    case KL_OUT_HANG_UP:
        drop_trips(k, at->client, o->broker_id);
        return;
    case KL_OUT_TIMER:
        k->m[at->client].due_us = o->due_us;
        return;
    case KL_OUT_DELIVERED:
        on_delivered(k, at->client, o);
        return;
    case KL_OUT_DONE: {
        struct ending *e = APPEND(k->ending, k->endings);
        *e = (struct ending){.client = at->client,
                             .error = o->error,
                             .tag = o->tag,
                             .command = (enum kl_input_kind)o->command,
                             .remedy = (enum kl_remedy)o->remedy};
        return;
    }
    case KL_OUT_RECORD:
        on_record(k, at->client, o);
        return;
    case KL_OUT_ASSIGN:
    case KL_OUT_REVOKE:
        if (k->at_once)
            k->rebalanced[k->rebalances++].client = at->client;
        on_said(k, at->client, o);
        return;
    case KL_OUT_ERROR:
    case KL_OUT_FACT:
        on_said(k, at->client, o);
        return;
    case KL_OUT_NONE:
        return;
    }
}

/* ---- steps ---- */

static void grow(struct kdesk *k, int client, const char *short_of)
{
    struct machine_client *m = &k->m[client];
    struct kl_limits limits = kl_limits_above(kl_client_limits(m->c), short_of);
    struct kl_client *larger = aligned_alloc(8, kl_client_size(&limits));
    uint64_t digest = kl_client_digest(m->c, k->now);
    kl_client_grow(m->c, larger, &limits);
    ck_assert_uint_eq(kl_client_digest(larger, k->now), digest);
    free(m->c);
    m->c = larger;
}

static void step(struct kdesk *k, int client, struct kl_input in)
{
    struct at_client at = {k, client};
    struct kl_outputs out = {
        .put = client_put, .context = &at, .scratch = k->scratch, .scratch_size = KSCRATCH};
    do {
        while (kl_client_step(k->m[client].c, k->now, &in, &out) != SM_ERR_OK) {
            ck_assert_str_ne(out.short_of, "scratch");
            grow(k, client, out.short_of);
        }
        kl_client_check(k->m[client].c);
        in = (struct kl_input){.kind = KL_IN_MORE};
    } while (out.more);
    while (k->rebalances > 0) {
        int who = k->rebalanced[--k->rebalances].client;
        step(k, who, (struct kl_input){.kind = KL_IN_REBALANCED, .tag = ++k->tags});
    }
}

/* ---- the network ---- */

static bool is_cut(const struct kdesk *k, const struct trip *t)
{
    return t->life != k->m[t->client].way[t->node].life;
}

static void forget(struct kdesk *k, size_t i)
{
    free(k->trip[i].bytes);
    k->trip[i].bytes = NULL;
    memmove(&k->trip[i], &k->trip[i + 1], (--k->trips - i) * sizeof *k->trip);
}

static void cut(struct kdesk *k, int client, int node, uint64_t correlation)
{
    drop_trips(k, client, node);
    step(k, client,
         (struct kl_input){.kind = KL_IN_FAILED, .broker_id = node, .correlation = correlation});
}

void kdesk_break(struct kdesk *k, int client, int node)
{
    cut(k, client, node, 0);
}

static void arrive(struct kdesk *k, struct trip *t)
{
    if (k->swallow[t->api][t->node]) {
        t->state = AT_NODE;
        t->call = 0;
        return;
    }
    if (!desk_is_alive(k->d, t->node) || !kn_node_takes_requests(desk_node(k->d, t->node))) {
        t->state = BROKEN;
        return;
    }
    struct wire_flat f = {.bytes = t->bytes, .capacity = t->size, .used = t->size};
    t->call = desk_send(k->d, t->node, &f, t->api, t->version);
    t->state = t->expects ? AT_NODE : BACK;
    t->at_us = INT64_MAX;
}

/* Answers that have come go on their way back. */
static void collect(struct kdesk *k)
{
    for (size_t i = 0; i < k->trips; i++) {
        struct trip *t = &k->trip[i];
        if (t->state != AT_NODE || t->call == 0)
            continue;
        if (desk_closed(k->d, t->call)) {
            t->state = BROKEN;
            t->at_us = k->now;
        } else if (desk_response(k->d, t->call) != NULL) {
            struct way *way = &k->m[t->client].way[t->node];
            int64_t at = k->now + delay(k);
            way->back_us = at > way->back_us ? at : way->back_us;
            t->at_us = way->back_us;
            t->state = BACK;
        }
    }
}

static void bring_back(struct kdesk *k, size_t i)
{
    struct trip t = k->trip[i];
    if (!t.expects) {
        if (desk_closed(k->d, t.call))
            cut(k, t.client, t.node, 0);
        return;
    }
    if (k->lose[t.api] > 0) {
        k->lose[t.api]--;
        cut(k, t.client, t.node, t.correlation);
        return;
    }
    size_t size = desk_response_size(k->d, t.call);
    void *message = aligned_alloc(8, (size + 15) & ~(size_t)7);
    memcpy(message, desk_response(k->d, t.call), size);
    if (k->look != NULL)
        k->look(k->context, t.client, t.api, message);
    step(k, t.client,
         (struct kl_input){.kind = KL_IN_RESPONSE,
                           .broker_id = t.node,
                           .correlation = t.correlation,
                           .api = t.api,
                           .version = t.version,
                           .message = message,
                           .size = size});
    free(message);
}

static bool one_trip(struct kdesk *k)
{
    size_t best = SIZE_MAX;
    collect(k);
    for (size_t i = 0; i < k->trips; i++) {
        struct trip *t = &k->trip[i];
        if (is_cut(k, t)) {
            forget(k, i);
            return true;
        }
        bool due = t->state == BROKEN || (t->state != AT_NODE && t->at_us <= k->now) ||
                   (t->state == BACK && !t->expects);
        if (due && (best == SIZE_MAX || t->at_us < k->trip[best].at_us))
            best = i;
    }
    if (best == SIZE_MAX)
        return false;
    struct trip *t = &k->trip[best];
    if (t->state == THERE) {
        arrive(k, t);
    } else if (t->state == BROKEN) {
        cut(k, t->client, t->node, t->correlation);
    } else {
        bring_back(k, best);
        k->trip[best].life = UINT32_MAX;
    }
    return true;
}

static bool one_timer(struct kdesk *k)
{
    for (int i = 0; i < k->clients; i++) {
        if (k->m[i].due_us >= 0 && k->m[i].due_us <= k->now) {
            k->m[i].due_us = -1;
            step(k, i, (struct kl_input){.kind = KL_IN_TIMER, .timer = 1});
            return true;
        }
    }
    return false;
}

static int64_t next_event(const struct kdesk *k, int64_t end)
{
    for (size_t i = 0; i < k->trips; i++) {
        const struct trip *t = &k->trip[i];
        if (t->state == AT_NODE && t->call != 0)
            end = end < k->now + KMS ? end : k->now + KMS;
        else if (t->state != AT_NODE && t->at_us < end)
            end = t->at_us;
    }
    for (int i = 0; i < k->clients; i++)
        if (k->m[i].due_us >= 0 && k->m[i].due_us < end)
            end = k->m[i].due_us;
    return end;
}

void kdesk_run(struct kdesk *k, int64_t for_us)
{
    int64_t end = k->now + for_us;
    for (;;) {
        while (one_trip(k) || one_timer(k))
            ;
        if (k->now >= end)
            return;
        int64_t at = next_event(k, end);
        at = at > k->now ? at : k->now + 1;
        desk_run(k->d, at - k->now);
        k->now = at;
    }
}

/* ---- the cluster ---- */

struct kdesk *kdesk_new(int nodes, uint64_t seed)
{
    struct kdesk *k = calloc(1, sizeof *k);
    k->d = desk_new(nodes);
    k->chance = seed;
    k->scratch = aligned_alloc(8, KSCRATCH);
    kdesk_run(k, 1000 * KMS);
    return k;
}

void kdesk_free(struct kdesk *k)
{
    for (int i = 0; i < k->clients; i++)
        free(k->m[i].c);
    for (size_t i = 0; i < k->trips; i++)
        free(k->trip[i].bytes);
    desk_free(k->d);
    free(k->trip);
    free(k->delivery);
    free(k->reading);
    free(k->ending);
    free(k->said);
    free(k->scratch);
    free(k);
}

struct desk *kdesk_nodes(struct kdesk *k)
{
    return k->d;
}

int64_t kdesk_now(const struct kdesk *k)
{
    return k->now;
}

void kdesk_kill(struct kdesk *k, int node)
{
    desk_kill(k->d, node);
    for (int i = 0; i < k->clients; i++)
        cut(k, i, node, 0);
}

void kdesk_start(struct kdesk *k, int node)
{
    desk_start(k->d, node);
}

void kdesk_topic(struct kdesk *k, const char *name, int count, int first, int replicas,
                 const char *min_isr)
{
    struct wire_flat w;
    struct wire_create_topics_request *q = desk_begin(k->d, &w, WIRE_API_CREATE_TOPICS);
    q->timeout_ms = 10000;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_topic));
    struct wire_create_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, name);
    t->num_partitions = t->replication_factor = -1;
    t->assignments =
        wire_flat_array(&w, count, sizeof(struct wire_create_topics_request_assignment));
    struct wire_create_topics_request_assignment *a = wire_flat_at(&w, t->assignments.at);
    for (int p = 0; p < count; p++) {
        int32_t ids[DESK_NODES];
        for (int i = 0; i < replicas; i++)
            ids[i] = (first - 1 + p + i) % 3 + 1;
        a[p].partition_index = p;
        a[p].broker_ids = wire_flat_ids(&w, ids, replicas);
    }
    t->configs = wire_flat_array(&w, min_isr == NULL ? 0 : 1,
                                 sizeof(struct wire_create_topics_request_config));
    if (min_isr != NULL) {
        struct wire_create_topics_request_config *c = wire_flat_at(&w, t->configs.at);
        c->name = wire_flat_string(&w, "min.insync.replicas");
        c->value = wire_flat_string(&w, min_isr);
    }
    uint64_t call = desk_send(k->d, 1, &w, WIRE_API_CREATE_TOPICS, 4);
    kdesk_run(k, 1000 * KMS);
    const struct wire_create_topics_response *r = desk_response(k->d, call);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(WIRE_ITEMS(r, r->topics, struct wire_create_topics_response_topic)->error_code,
                     0);
}

/* ---- clients ---- */

int kdesk_client(struct kdesk *k, const struct kl_config *config)
{
    static const int32_t all[] = {1, 2, 3};
    struct kl_limits limits = {.brokers = 3,
                               .topics = 1,
                               .partitions = 1,
                               .records = 1,
                               .bytes = 8,
                               .requests = 1,
                               .commands = 1};
    struct kl_config c = *config;
    int i = k->clients++;
    c.bootstrap = all;
    c.bootstrap_count = 3;
    c.seed = (uint64_t)i + 1;
    k->m[i].c = aligned_alloc(8, kl_client_size(&limits));
    k->m[i].due_us = -1;
    kl_client_init(k->m[i].c, &limits, &c);
    step(k, i, (struct kl_input){.kind = KL_IN_START});
    return i;
}

struct kl_client *kdesk_of(struct kdesk *k, int client)
{
    return k->m[client].c;
}

uint64_t kdesk_command(struct kdesk *k, int client, struct kl_input in)
{
    uint64_t tag = in.tag = ++k->tags;
    step(k, client, in);
    return tag;
}

uint64_t kdesk_send(struct kdesk *k, int client, const char *topic, int partition,
                    const char *value)
{
    return kdesk_command(k, client,
                         (struct kl_input){.kind = KL_IN_SEND,
                                           .topic = topic,
                                           .partition = partition,
                                           .key_size = -1,
                                           .value = value,
                                           .value_size = (int32_t)strlen(value),
                                           .timestamp_ms = k->now / 1000});
}

void kdesk_assign(struct kdesk *k, int client, const char *topic, int count, int64_t offset)
{
    struct kl_offset offsets[32];
    for (int i = 0; i < count; i++)
        offsets[i] = (struct kl_offset){
            .topic = topic, .partition = i, .leader_epoch = -1, .offset = offset};
    kdesk_command(
        k, client,
        (struct kl_input){.kind = KL_IN_ASSIGN, .offsets = offsets, .count = (uint32_t)count});
}

void kdesk_rebalance_at_once(struct kdesk *k, bool on)
{
    k->at_once = on;
}

void kdesk_lose(struct kdesk *k, int16_t api, int count)
{
    k->lose[api] = count;
}

void kdesk_swallow(struct kdesk *k, int16_t api, int node, bool on)
{
    k->swallow[api][node] = on;
}

void kdesk_on_response(struct kdesk *k,
                       void (*look)(void *context, int client, int16_t api, void *m), void *context)
{
    k->look = look;
    k->context = context;
}

void kdesk_on_request(struct kdesk *k,
                      void (*asked)(void *context, int client, int node, int16_t api,
                                    const void *m),
                      void *context)
{
    k->asked = asked;
    k->asked_context = context;
}

/* ---- what happened ---- */

const struct delivery *kdesk_delivery(const struct kdesk *k, int client, uint64_t tag)
{
    const struct delivery *found = NULL;
    for (size_t i = 0; i < k->deliveries; i++)
        if (k->delivery[i].tag == tag && k->delivery[i].client == client) {
            ck_assert_ptr_null(found); /* once */
            found = &k->delivery[i];
        }
    return found;
}

const struct ending *kdesk_ending(const struct kdesk *k, int client, uint64_t tag)
{
    const struct ending *found = NULL;
    for (size_t i = 0; i < k->endings; i++)
        if (k->ending[i].tag == tag && k->ending[i].client == client) {
            ck_assert_ptr_null(found);
            found = &k->ending[i];
        }
    return found;
}

const struct delivery *kdesk_deliveries(const struct kdesk *k, size_t *count)
{
    *count = k->deliveries;
    return k->delivery;
}

const struct reading *kdesk_readings(const struct kdesk *k, size_t *count)
{
    *count = k->readings;
    return k->reading;
}

const struct said *kdesk_said(const struct kdesk *k, size_t *count)
{
    *count = k->saids;
    return k->said;
}

size_t kdesk_count(const struct kdesk *k, int client, uint32_t kind, int32_t what)
{
    size_t count = 0;
    for (size_t i = 0; i < k->saids; i++)
        count += k->said[i].client == client && k->said[i].kind == kind &&
                 (kind != KL_OUT_FACT || k->said[i].what == what);
    return count;
}

uint32_t kdesk_requests(const struct kdesk *k, int client, int16_t api)
{
    return k->m[client].requests[api];
}

const char *kdesk_read(const struct kdesk *k, int client, const char *topic, int partition)
{
    char *text = ((struct kdesk *)(uintptr_t)k)->text;
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < k->readings; i++) {
        const struct reading *r = &k->reading[i];
        if (r->client == client && r->partition == partition && strcmp(r->topic, topic) == 0)
            n += (size_t)snprintf(text + n, sizeof k->text - n, "%s%s@%d", n == 0 ? "" : " ",
                                  r->value, (int)r->offset);
    }
    return text;
}
