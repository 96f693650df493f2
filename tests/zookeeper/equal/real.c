#define _GNU_SOURCE
#include "real.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

/* ---- sessions ---- */

struct real_session {
    zhandle_t *zh;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct history *history;
    const struct naming *naming;
    int outstanding, answered, losses, awaited_losses;
    bool connected, expired, was_connected;
};

static void on_session(struct real_session *r, int state)
{
    if (state == ZOO_CONNECTED_STATE) {
        if (r->was_connected && r->history != NULL)
            history_add(r->history, "reconnected");
        r->connected = r->was_connected = true;
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
        if (r->history != NULL && !r->expired)
            history_add(r->history, "expired");
        r->expired = true;
    } else {
        r->losses += r->connected;
        r->connected = false;
    }
    pthread_cond_broadcast(&r->changed);
}

static const char *event_name(int type)
{
    return wire_zk_event_name(type == ZOO_CREATED_EVENT   ? WIRE_ZK_EVENT_CREATED
                              : type == ZOO_DELETED_EVENT ? WIRE_ZK_EVENT_DELETED
                              : type == ZOO_CHANGED_EVENT ? WIRE_ZK_EVENT_CHANGED
                              : type == ZOO_CHILD_EVENT   ? WIRE_ZK_EVENT_CHILD
                                                          : WIRE_ZK_EVENT_NONE);
}

static void on_watch(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct real_session *r = context;
    (void)zh;
    pthread_mutex_lock(&r->lock);
    if (type == ZOO_SESSION_EVENT)
        on_session(r, state);
    else if (r->history != NULL && strncmp(path, r->naming->prefix, strlen(r->naming->prefix)) == 0)
        history_add(r->history, "event %s %s", event_name(type), name_path(r->naming, path));
    pthread_mutex_unlock(&r->lock);
}

struct real_session *real_open(int port, int timeout_ms)
{
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    struct real_session *r = calloc(1, sizeof *r);
    zoo_set_debug_level(0);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->zh = zookeeper_init(host, on_watch, timeout_ms, NULL, r, 0);
    assert(r->zh != NULL);
    if (!real_wait_connected(r)) {
        printf("no connection to 127.0.0.1:%d\n", port);
        exit(1);
    }
    return r;
}

void real_close(struct real_session *r)
{
    zookeeper_close(r->zh);
    free(r);
}

int64_t real_id(struct real_session *r)
{
    return zoo_client_id(r->zh)->client_id;
}

void real_listen(struct real_session *r, struct history *history, const struct naming *naming)
{
    pthread_mutex_lock(&r->lock);
    assert(r->outstanding == 0);
    r->history = history;
    r->naming = naming;
    r->answered = r->losses = 0;
    pthread_mutex_unlock(&r->lock);
}

static bool wait_until(struct real_session *r, bool (*done)(const struct real_session *r))
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&r->lock);
    while (!done(r))
        if (pthread_cond_timedwait(&r->changed, &r->lock, &end) == ETIMEDOUT)
            break;
    bool is_done = done(r);
    pthread_mutex_unlock(&r->lock);
    return is_done;
}

static bool is_idle(const struct real_session *r)
{
    return r->outstanding == 0;
}

static bool is_settled(const struct real_session *r)
{
    return r->connected || r->expired;
}

void real_wait(struct real_session *r)
{
    if (!wait_until(r, is_idle)) {
        printf("no answer from ZooKeeper within 20 s\n");
        exit(1);
    }
}

static bool is_lost(const struct real_session *r)
{
    return r->losses >= r->awaited_losses || r->expired;
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

int real_answered(struct real_session *r)
{
    pthread_mutex_lock(&r->lock);
    int answered = r->answered;
    pthread_mutex_unlock(&r->lock);
    return answered;
}

bool real_expired(struct real_session *r)
{
    return r->expired;
}

int real_losses(struct real_session *r)
{
    pthread_mutex_lock(&r->lock);
    int losses = r->losses;
    pthread_mutex_unlock(&r->lock);
    return losses;
}

/* ---- requests ---- */

/* What a request needs until its completion. */
struct call {
    struct real_session *r;
    int number, count;
    enum wire_zk_opcode opcodes[OPS_MAX];
    zoo_op_t ops[OPS_MAX];
    zoo_op_result_t results[OPS_MAX];
    char paths[OPS_MAX][512], made[OPS_MAX][512];
    struct Stat stats[OPS_MAX];
};

static void finish(struct call *c, int rc)
{
    c->r->outstanding--;
    c->r->answered += rc != ZCONNECTIONLOSS && rc != ZSESSIONEXPIRED;
    pthread_cond_broadcast(&c->r->changed);
    pthread_mutex_unlock(&c->r->lock);
    free(c);
}

/* Begins a completion; finish() ends it. */
static struct call *begin(const void *data)
{
    struct call *c = (struct call *)(uintptr_t)data;
    pthread_mutex_lock(&c->r->lock);
    return c;
}

static const char *stat_text(struct call *c, const struct Stat *stat, char *to)
{
    struct wire_zk_stat s;
    if (stat == NULL)
        return "";
    s = (struct wire_zk_stat){.czxid = stat->czxid,
                              .mzxid = stat->mzxid,
                              .pzxid = stat->pzxid,
                              .ephemeral_owner = stat->ephemeralOwner,
                              .version = stat->version,
                              .cversion = stat->cversion,
                              .aversion = stat->aversion,
                              .data_length = stat->dataLength,
                              .num_children = stat->numChildren};
    return name_stat(c->r->naming, &s, to);
}

#define NAME(c, rc) (c)->number, wire_zk_opcode_name((c)->opcodes[0]), wire_zk_err_name(rc)

static void on_created(int rc, const char *value, const struct Stat *stat, const void *data)
{
    char text[256];
    struct call *c = begin(data);
    if (rc == ZOK)
        history_add(c->r->history, "#%d %s %s %s %s", NAME(c, rc), name_path(c->r->naming, value),
                    stat_text(c, stat, text));
    else
        history_add(c->r->history, "#%d %s %s", NAME(c, rc));
    finish(c, rc);
}

static void on_void(int rc, const void *data)
{
    struct call *c = begin(data);
    history_add(c->r->history, "#%d %s %s", NAME(c, rc));
    finish(c, rc);
}

static void on_string(int rc, const char *value, const void *data)
{
    (void)value;
    on_void(rc, data);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    char text[256];
    struct call *c = begin(data);
    if (rc == ZOK)
        history_add(c->r->history, "#%d %s %s %s", NAME(c, rc), stat_text(c, stat, text));
    else
        history_add(c->r->history, "#%d %s %s", NAME(c, rc));
    finish(c, rc);
}

static void on_data(int rc, const char *value, int size, const struct Stat *stat, const void *data)
{
    char text[256], bytes[32];
    struct call *c = begin(data);
    if (rc == ZOK)
        history_add(c->r->history, "#%d %s %s %s %s", NAME(c, rc),
                    name_data(size < 0        ? NULL
                              : value != NULL ? value
                                              : "",
                              size, bytes),
                    stat_text(c, stat, text));
    else
        history_add(c->r->history, "#%d %s %s", NAME(c, rc));
    finish(c, rc);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void on_children(int rc, const struct String_vector *names, const struct Stat *stat,
                        const void *data)
{
    char text[256], joined[4096] = "";
    struct call *c = begin(data);
    if (rc == ZOK) {
        qsort(names->data, (size_t)names->count, sizeof names->data[0], by_text);
        for (int i = 0; i < names->count; i++)
            strcat(strcat(joined, " "), names->data[i]);
        history_add(c->r->history, "#%d %s %s%s %s", NAME(c, rc), joined, stat_text(c, stat, text));
    } else {
        history_add(c->r->history, "#%d %s %s", NAME(c, rc));
    }
    finish(c, rc);
}

static void on_multi(int rc, const void *data)
{
    char text[256];
    struct call *c = begin(data);
    history_add(c->r->history, "#%d multi %s", c->number, wire_zk_err_name(rc));
    for (int i = 0; i < c->count && rc != ZCONNECTIONLOSS && rc != ZSESSIONEXPIRED; i++) {
        bool made = rc == ZOK && c->opcodes[i] == WIRE_ZK_CREATE;
        bool set = rc == ZOK && c->opcodes[i] == WIRE_ZK_SET_DATA;
        history_add(c->r->history, "#%d.%d %s %s %s%s", c->number, i,
                    wire_zk_opcode_name(c->opcodes[i]), wire_zk_err_name(c->results[i].err),
                    made ? name_path(c->r->naming, c->made[i]) : "",
                    set ? stat_text(c, &c->stats[i], text) : "");
    }
    finish(c, rc);
}

static void prepare(struct call *c, int i, const struct plan_op *op)
{
    char *path = c->paths[i];
    int mode = op->flags; /* ZOO_PERSISTENT, _EPHEMERAL, _SEQUENTIAL, both: the same bits */
    snprintf(path, sizeof c->paths[i], "%s%s", c->r->naming->prefix, op->path);
    c->opcodes[i] = op->opcode;
    const char *value = op->size < 0 ? NULL : op->data;
    switch (op->opcode) {
    case WIRE_ZK_CREATE:
        zoo_create_op_init(&c->ops[i], path, value, op->size, &ZOO_OPEN_ACL_UNSAFE, mode,
                           c->made[i], sizeof c->made[i]);
        return;
    case WIRE_ZK_DELETE:
        zoo_delete_op_init(&c->ops[i], path, op->version);
        return;
    case WIRE_ZK_SET_DATA:
        zoo_set_op_init(&c->ops[i], path, value, op->size, op->version, &c->stats[i]);
        return;
    case WIRE_ZK_CHECK:
        zoo_check_op_init(&c->ops[i], path, op->version);
        return;
    case WIRE_ZK_NOP:
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        return;
    }
}

static int send_single(struct call *c, const struct plan_op *op)
{
    zhandle_t *zh = c->r->zh;
    const char *path = c->paths[0], *value = op->size < 0 ? NULL : op->data;
    switch (op->opcode) {
    case WIRE_ZK_CREATE:
        return zoo_acreate2(zh, path, value, op->size, &ZOO_OPEN_ACL_UNSAFE, op->flags, on_created,
                            c);
    case WIRE_ZK_DELETE:
        return zoo_adelete(zh, path, op->version, on_void, c);
    case WIRE_ZK_SET_DATA:
        return zoo_aset(zh, path, value, op->size, op->version, on_stat, c);
    case WIRE_ZK_EXISTS:
        return zoo_aexists(zh, path, op->watch, on_stat, c);
    case WIRE_ZK_GET_DATA:
        return zoo_aget(zh, path, op->watch, on_data, c);
    case WIRE_ZK_GET_CHILDREN:
        return zoo_aget_children2(zh, path, op->watch, on_children, c);
    case WIRE_ZK_SYNC:
        return zoo_async(zh, path, on_string, c);
    case WIRE_ZK_NOP:
    case WIRE_ZK_CHECK:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return ZBADARGUMENTS;
}

void real_send(struct real_session *r, const struct plan_step *step, int number)
{
    struct call *c = calloc(1, sizeof *c);
    *c = (struct call){.r = r, .number = number, .count = step->count};
    for (int i = 0; i < step->count; i++)
        prepare(c, i, &step->ops[i]);
    pthread_mutex_lock(&r->lock);
    r->outstanding++;
    pthread_mutex_unlock(&r->lock);
    int rc = step->multi ? zoo_amulti(r->zh, c->count, c->ops, c->results, on_multi, c)
                         : send_single(c, &step->ops[0]);
    if (rc == ZOK)
        return;
    pthread_mutex_lock(&r->lock);
    if (step->multi)
        history_add(r->history, "#%d multi %s", number, wire_zk_err_name(rc));
    else
        history_add(r->history, "#%d %s %s", NAME(c, rc));
    finish(c, ZCONNECTIONLOSS);
}

/* ---- helpers ---- */

int64_t real_create(struct real_session *r, const char *path)
{
    struct Stat stat;
    char made[256];
    int rc = zoo_create2(r->zh, path, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made, &stat);
    return rc == ZOK ? stat.czxid : -1;
}

int64_t real_probe(struct real_session *r, const char *path)
{
    struct Stat stat;
    return zoo_set2(r->zh, path, NULL, -1, -1, &stat) == ZOK ? stat.mzxid : -1;
}

int real_exists(struct real_session *r, const char *path)
{
    int rc = zoo_exists(r->zh, path, 0, NULL);
    return rc == ZOK ? 1 : rc == ZNONODE ? 0 : -1;
}
