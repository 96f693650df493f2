/*
 * The sessions of equal_to_real, made of the adapter instead of bare calls of the C client: so the
 * same random sequences, with the same cuts and expiries, compare what a node is told over a real
 * server with what the embedded one says.
 *
 * All sessions share one loop, which runs while somebody waits. With KC_CHROOT in the environment
 * they live below a chroot, which nothing that is told may show (not with expiries: the order in
 * which ephemerals go depends on whole paths). What a lost connection leaves without an answer is
 * written down as CONNECTIONLOSS here; the adapter does not say it. Multis of reads, which
 * equal_to_real sends over a connection of its own, go over two more adapters in turn: one reads in
 * bulk, the other one by one.
 */
#define _GNU_SOURCE
#include "../zookeeper/equal/raw.h"
#include "../zookeeper/equal/real.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/zookeeper.h"

enum { REQUEST_MAX = 1 << 14, OUTSTANDING_MAX = 256, WAIT_MS = 20000 };
#define CHROOT "/chroot-of/this-test"

struct waiting {
    int number;
    bool multi;
    enum wire_zk_opcode opcode;
};

struct real_session {
    struct live_zookeeper *z;
    struct history *history;
    const struct naming *naming;
    struct waiting waiting[OUTSTANDING_MAX]; /* oldest first */
    int outstanding, answered, losses, awaited_losses;
    bool connected, expired, was_connected, freed;
    int64_t session, timeout_us;
    uint64_t password;
    struct wire_zk_result probed; /* of the last reply that is in no history */
    uint64_t request[REQUEST_MAX / 8];
};

static uv_loop_t *the_loop(void)
{
    return uv_default_loop();
}

static void note(struct real_session *r, const char *line)
{
    if (r->history != NULL)
        history_add(r->history, "%s", line);
}

/* ---- what is told ---- */

static void add_single(struct real_session *r, int number, const struct wire_zk_result_view *v)
{
    char text[256], bytes[32], joined[4096] = "";
    const struct wire_zk_result *result = v->result;
    const char *name = wire_zk_opcode_name((enum wire_zk_opcode)result->opcode);
    const char *err = wire_zk_err_name(result->err);
    const char *stat = name_stat(r->naming, &result->stat, text);
    const void *data = result->has_data ? v->data : NULL;
    struct history *h = r->history;
    if (result->err != WIRE_ZK_OK || result->opcode == WIRE_ZK_DELETE ||
        result->opcode == WIRE_ZK_SYNC)
        history_add(h, "#%d %s %s", number, name, err);
    else if (result->opcode == WIRE_ZK_CREATE)
        history_add(h, "#%d %s %s %s %s", number, name, err, name_path(r->naming, v->path), stat);
    else if (result->opcode == WIRE_ZK_GET_DATA)
        history_add(h, "#%d %s %s %s %s", number, name, err,
                    name_data(data, (int32_t)result->data_size, bytes), stat);
    else if (result->opcode == WIRE_ZK_GET_CHILDREN) {
        for (const char *n = NULL; (n = wire_zk_name_next(v, n)) != NULL;)
            strcat(strcat(joined, " "), n);
        history_add(h, "#%d %s %s%s %s", number, name, err, joined, stat);
    } else
        history_add(h, "#%d %s %s %s", number, name, err, stat);
}

/* A read inside a multi: data with its stat, names without. */
static void add_read(struct real_session *r, int number, const struct wire_zk_result_view *v, int i)
{
    char head[64], text[256], bytes[32], joined[4096] = "";
    const struct wire_zk_result *result = v->result;
    snprintf(head, sizeof head, "#%d.%d %s %s", number, i,
             wire_zk_opcode_name((enum wire_zk_opcode)result->opcode),
             wire_zk_err_name(result->err));
    if (result->err != WIRE_ZK_OK) {
        history_add(r->history, "%s", head);
    } else if (result->opcode == WIRE_ZK_GET_DATA) {
        history_add(r->history, "%s %s %s", head,
                    name_data(result->has_data ? v->data : NULL, (int32_t)result->data_size, bytes),
                    name_stat(r->naming, &result->stat, text));
    } else {
        for (const char *n = NULL; (n = wire_zk_name_next(v, n)) != NULL;)
            strcat(strcat(joined, " "), n);
        history_add(r->history, "%s%s", head, joined);
    }
}

static void add_multi(struct real_session *r, int number, const struct wire_zk_reply *reply)
{
    char text[256];
    struct wire_zk_result_view v = {0};
    history_add(r->history, "#%d multi %s", number, wire_zk_err_name(reply->err));
    for (int i = 0; wire_zk_result_next(reply, &v); i++) {
        if (v.result->opcode == WIRE_ZK_GET_DATA || v.result->opcode == WIRE_ZK_GET_CHILDREN) {
            add_read(r, number, &v, i);
            continue;
        }
        bool made = reply->err == WIRE_ZK_OK && v.result->opcode == WIRE_ZK_CREATE;
        bool set = reply->err == WIRE_ZK_OK && v.result->opcode == WIRE_ZK_SET_DATA;
        history_add(r->history, "#%d.%d %s %s %s%s", number, i,
                    wire_zk_opcode_name((enum wire_zk_opcode)v.result->opcode),
                    wire_zk_err_name(v.result->err), made ? name_path(r->naming, v.path) : "",
                    set ? name_stat(r->naming, &v.result->stat, text) : "");
    }
}

static void on_reply(struct real_session *r, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    assert(r->outstanding > 0);
    assert(wire_zk_reply_valid(reply, reply->size));
    struct waiting w = r->waiting[0];
    memmove(&r->waiting[0], &r->waiting[1], (size_t)--r->outstanding * sizeof w);
    assert(reply->xid == (uint32_t)w.number);
    assert(reply->multi == w.multi);
    r->answered++;
    bool has_result = wire_zk_result_next(reply, &v);
    r->probed = has_result ? *v.result : (struct wire_zk_result){.err = reply->err};
    if (w.number == 0xffff || r->history == NULL)
        return;
    if (reply->multi)
        add_multi(r, w.number, reply);
    else
        add_single(r, w.number, &v);
}

static void on_disconnected(struct real_session *r)
{
    r->losses++;
    r->connected = false;
    for (int i = 0; i < r->outstanding; i++)
        if (r->history != NULL)
            history_add(r->history, "#%d %s CONNECTIONLOSS", r->waiting[i].number,
                        r->waiting[i].multi ? "multi" : wire_zk_opcode_name(r->waiting[i].opcode));
    r->outstanding = 0;
    live_zookeeper_connect(r->z, r->session, r->password, r->timeout_us);
}

static void on_connected(struct real_session *r, const struct live_zk_input *in)
{
    if (in->session == 0) {
        note(r, "expired");
        r->expired = true;
        return;
    }
    if (r->was_connected)
        note(r, "reconnected");
    assert(!r->was_connected || r->session == in->session);
    r->connected = r->was_connected = true;
    r->session = in->session;
    r->password = in->password;
}

static void on_input(void *context, const struct live_zk_input *in)
{
    struct real_session *r = context;
    switch (in->kind) {
    case LIVE_ZK_CONNECTED:
        on_connected(r, in);
        return;
    case LIVE_ZK_DISCONNECTED:
        on_disconnected(r);
        return;
    case LIVE_ZK_REPLY:
        on_reply(r, in->reply);
        return;
    case LIVE_ZK_EVENT:
        if (r->history != NULL &&
            strncmp(in->path, r->naming->prefix, strlen(r->naming->prefix)) == 0)
            history_add(r->history, "event %s %s",
                        wire_zk_event_name((enum wire_zk_event_type)in->event_type),
                        name_path(r->naming, in->path));
        return;
    case LIVE_ZK_NONE:
    case LIVE_ZK_PONG:
    case LIVE_ZK_CLOSED:
        return;
    }
}

/* ---- the loop ---- */

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static bool wait_until(struct real_session *r, bool (*done)(const struct real_session *r))
{
    bool late = false;
    uv_timer_t *timer = malloc(sizeof *timer);
    uv_timer_init(the_loop(), timer);
    timer->data = &late;
    uv_timer_start(timer, on_time, WAIT_MS, 0);
    while (!done(r) && !late)
        uv_run(the_loop(), UV_RUN_ONCE);
    uv_close((uv_handle_t *)timer, on_timer_closed);
    return done(r);
}

static bool is_idle(const struct real_session *r)
{
    return r->outstanding == 0;
}

static bool is_settled(const struct real_session *r)
{
    return r->connected || r->expired;
}

static bool is_freed(const struct real_session *r)
{
    return r->freed;
}

static bool is_lost(const struct real_session *r)
{
    return r->losses >= r->awaited_losses || r->expired;
}

void real_wait(struct real_session *r)
{
    if (!wait_until(r, is_idle)) {
        printf("no answer from ZooKeeper within 20 s\n");
        exit(1);
    }
}

bool real_wait_lost(struct real_session *r, int losses)
{
    r->awaited_losses = losses;
    return wait_until(r, is_lost);
}

bool real_wait_connected(struct real_session *r)
{
    return wait_until(r, is_settled);
}

/* ---- sessions ---- */

static struct real_session *open_at(const char *servers, int timeout_ms, bool bulk)
{
    char error[256];
    struct real_session *r = calloc(1, sizeof *r);
    struct live_zookeeper_config config = {
        .servers = servers, .bulk = bulk, .take = on_input, .context = r};
    r->timeout_us = (int64_t)timeout_ms * 1000;
    r->z = live_zookeeper_new(the_loop(), &config, error, sizeof error);
    assert(r->z != NULL);
    live_zookeeper_connect(r->z, 0, 0, r->timeout_us);
    if (!real_wait_connected(r)) {
        printf("no connection to %s\n", servers);
        exit(1);
    }
    return r;
}

static void make_chroot(int port)
{
    static bool is_made;
    char servers[64], path[] = CHROOT;
    if (is_made)
        return;
    snprintf(servers, sizeof servers, "127.0.0.1:%d", port);
    struct real_session *r = open_at(servers, 10000, false);
    *strrchr(path, '/') = 0;
    real_create(r, path);
    real_create(r, CHROOT);
    real_close(r);
    is_made = true;
}

struct real_session *real_open(int port, int timeout_ms)
{
    char servers[128];
    bool below_chroot = getenv("KC_CHROOT") != NULL;
    if (below_chroot)
        make_chroot(port);
    snprintf(servers, sizeof servers, "127.0.0.1:%d%s", port, below_chroot ? CHROOT : "");
    return open_at(servers, timeout_ms, false);
}

static void on_freed(void *context)
{
    ((struct real_session *)context)->freed = true;
}

void real_close(struct real_session *r)
{
    live_zookeeper_free(r->z, on_freed, r);
    bool freed = wait_until(r, is_freed);
    assert(freed);
    free(r);
}

int64_t real_id(struct real_session *r)
{
    return r->session;
}

void real_listen(struct real_session *r, struct history *history, const struct naming *naming)
{
    assert(r->outstanding == 0);
    r->history = history;
    r->naming = naming;
    r->answered = r->losses = 0;
}

int real_answered(struct real_session *r)
{
    return r->answered;
}

bool real_expired(struct real_session *r)
{
    uv_run(the_loop(), UV_RUN_NOWAIT);
    return r->expired;
}

int real_losses(struct real_session *r)
{
    return r->losses;
}

/* ---- requests ---- */

static void add_waiting(struct real_session *r, int number, bool multi, enum wire_zk_opcode opcode)
{
    assert(r->outstanding < OUTSTANDING_MAX);
    r->waiting[r->outstanding++] =
        (struct waiting){.number = number, .multi = multi, .opcode = opcode};
}

void real_send(struct real_session *r, const struct plan_step *step, int number)
{
    struct wire_zk_builder b;
    wire_zk_begin(&b, r->request, sizeof r->request, (uint32_t)number, step->multi);
    for (int i = 0; i < step->count; i++) {
        const struct plan_op *op = &step->ops[i];
        char path[512];
        snprintf(path, sizeof path, "%s%s", r->naming->prefix, op->path);
        struct wire_zk_op record = {.opcode = (uint8_t)op->opcode,
                                    .flags = op->flags,
                                    .watch = op->watch,
                                    .version = op->version,
                                    .data_size = op->size < 0 ? 0 : (uint32_t)op->size};
        wire_zk_add(&b, record, path, op->size < 0 ? NULL : op->data);
    }
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    add_waiting(r, number, step->multi, step->ops[0].opcode);
    live_zookeeper_send(r->z, request);
}

static struct wire_zk_result ask(struct real_session *r, struct wire_zk_op op, const char *path)
{
    struct wire_zk_builder b;
    wire_zk_begin(&b, r->request, sizeof r->request, 0xffff, false);
    wire_zk_add(&b, op, path, NULL);
    add_waiting(r, 0xffff, false, (enum wire_zk_opcode)op.opcode);
    live_zookeeper_send(r->z, wire_zk_end(&b));
    real_wait(r);
    return r->probed;
}

int64_t real_create(struct real_session *r, const char *path)
{
    struct wire_zk_result result = ask(r, (struct wire_zk_op){.opcode = WIRE_ZK_CREATE}, path);
    return result.err == WIRE_ZK_OK ? result.stat.czxid : -1;
}

int64_t real_probe(struct real_session *r, const char *path)
{
    struct wire_zk_op op = {.opcode = WIRE_ZK_SET_DATA, .version = WIRE_ZK_ANY_VERSION};
    struct wire_zk_result result = ask(r, op, path);
    return result.err == WIRE_ZK_OK ? result.stat.mzxid : -1;
}

int real_exists(struct real_session *r, const char *path)
{
    struct wire_zk_result result = ask(r, (struct wire_zk_op){.opcode = WIRE_ZK_EXISTS}, path);
    return result.err == WIRE_ZK_OK ? 1 : result.err == WIRE_ZK_NO_NODE ? 0 : -1;
}

/* ---- multis of reads ---- */

struct raw {
    struct real_session *ways[2];
};

struct raw *raw_open(int port)
{
    char servers[64];
    struct raw *raw = calloc(1, sizeof *raw);
    signal(SIGPIPE, SIG_IGN);
    snprintf(servers, sizeof servers, "127.0.0.1:%d", port);
    for (int i = 0; i < 2; i++)
        raw->ways[i] = open_at(servers, 30000, i == 1);
    /* The session for bulk reads uses a zxid up when it is made; that must be over. */
    struct plan_step root = {
        .multi = true, .count = 1, .ops = {{.opcode = WIRE_ZK_GET_DATA, .path = "/"}}};
    real_listen(raw->ways[1], NULL, &(struct naming){.prefix = ""});
    real_send(raw->ways[1], &root, 0);
    real_wait(raw->ways[1]);
    real_listen(raw->ways[1], NULL, NULL);
    return raw;
}

void raw_close(struct raw *r)
{
    struct live_zookeeper_counters counters = live_zookeeper_counters(r->ways[1]->z);
    printf("%llu bulk reads, %llu of them as single reads\n",
           (unsigned long long)counters.bulk_reads, (unsigned long long)counters.bulk_fallbacks);
    real_close(r->ways[0]);
    real_close(r->ways[1]);
    free(r);
}

/* The adapter refuses a mixture before it is sent. The server would refuse it after it has used a
   zxid up, where it begins with a write; another refused write stands in for that. */
void raw_multi(struct raw *r, const struct plan_step *step, int number, struct history *h,
               const struct naming *naming)
{
    struct real_session *way = r->ways[number % 2];
    enum wire_zk_opcode first = step->ops[0].opcode;
    bool begins_with_write =
        first != WIRE_ZK_GET_DATA && first != WIRE_ZK_GET_CHILDREN && first != WIRE_ZK_EXISTS;
    real_listen(way, h, naming);
    real_send(way, step, number);
    real_wait(way);
    if (begins_with_write)
        ask(way, (struct wire_zk_op){.opcode = WIRE_ZK_DELETE}, "/no/such/node");
    real_listen(way, NULL, NULL);
}
