#include "model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zookeeper/server.h"

enum { SCRATCH = 1 << 16, LOST_MAX = 64 };

/* An output that a broken connection lost. */
struct lost {
    uint32_t kind, watches;
    char path[256];
};

struct model {
    struct kz_server *server;
    size_t size;
    struct history *histories; /* NULL: nobody listens */
    enum model_wrong wrong;
    struct naming naming;
    char prefix[64];
    int64_t ids[SESSIONS];
    uint64_t passwords[SESSIONS];
    int64_t seen[SESSIONS]; /* zxid of the last reply that was heard */
    uint32_t conns[SESSIONS], last_conn;
    int number;     /* of the request being answered */
    bool mute;      /* root-making and the like */
    int events;     /* for MODEL_DROPS_EVENTS */
    int hear;       /* lines that VICTIM still hears; -1: all */
    int connecting; /* session that is being connected */
    bool reconnecting;
    struct lost lost[LOST_MAX];
    int lost_count;
    char held[512]; /* MODEL_EVENT_AFTER_REPLY */
    uint64_t scratch[SCRATCH / 8], request[SCRATCH / 8];
};

static const struct kz_limits limits = {
    .nodes = 1000, .bytes = 1 << 18, .watches = 500, .sessions = 8, .history = 0};

/* ---- outputs to lines ---- */

static int session_of(const struct model *m, const struct kz_output *o)
{
    for (int i = 0; i < SESSIONS; i++)
        if (o->conn != 0 && m->conns[i] == o->conn)
            return i;
    return -1;
}

static const char *stat_text(struct model *m, const struct wire_zk_stat *stat, char *to)
{
    struct wire_zk_stat s = *stat;
    if (m->wrong == MODEL_FORGETS_CVERSION)
        s.cversion = 0;
    return name_stat(&m->naming, &s, to);
}

static void add_result(struct model *m, struct history *h, const struct wire_zk_result_view *v)
{
    char text[256], bytes[32], joined[4096] = "";
    const struct wire_zk_result *r = v->result;
    const char *name = wire_zk_opcode_name((enum wire_zk_opcode)r->opcode);
    const char *err = wire_zk_err_name(r->err), *stat = stat_text(m, &r->stat, text);
    const void *data = r->has_data ? v->data : NULL;
    if (r->err != WIRE_ZK_OK || r->opcode == WIRE_ZK_DELETE || r->opcode == WIRE_ZK_SYNC)
        history_add(h, "#%d %s %s", m->number, name, err);
    else if (r->opcode == WIRE_ZK_CREATE)
        history_add(h, "#%d %s %s %s %s", m->number, name, err, name_path(&m->naming, v->path),
                    stat);
    else if (r->opcode == WIRE_ZK_GET_DATA)
        history_add(h, "#%d %s %s %s %s", m->number, name, err,
                    name_data(data, (int32_t)r->data_size, bytes), stat);
    else if (r->opcode == WIRE_ZK_GET_CHILDREN) {
        for (const char *n = NULL; (n = wire_zk_name_next(v, n)) != NULL;)
            strcat(strcat(joined, " "), n);
        history_add(h, "#%d %s %s%s %s", m->number, name, err, joined, stat);
    } else
        history_add(h, "#%d %s %s %s", m->number, name, err, stat);
}

/* A read inside a multi: data with its stat, names without. */
static void add_read(struct model *m, struct history *h, const struct wire_zk_result_view *v, int i)
{
    char head[64], text[256], bytes[32], joined[4096] = "";
    const struct wire_zk_result *r = v->result;
    snprintf(head, sizeof head, "#%d.%d %s %s", m->number, i,
             wire_zk_opcode_name((enum wire_zk_opcode)r->opcode), wire_zk_err_name(r->err));
    if (r->err != WIRE_ZK_OK) {
        history_add(h, "%s", head);
    } else if (r->opcode == WIRE_ZK_GET_DATA) {
        history_add(h, "%s %s %s", head,
                    name_data(r->has_data ? v->data : NULL, (int32_t)r->data_size, bytes),
                    stat_text(m, &r->stat, text));
    } else {
        for (const char *n = NULL; (n = wire_zk_name_next(v, n)) != NULL;)
            strcat(strcat(joined, " "), n);
        history_add(h, "%s%s", head, joined);
    }
}

static void add_multi(struct model *m, struct history *h, const struct wire_zk_reply *reply)
{
    char text[256];
    struct wire_zk_result_view v = {0};
    history_add(h, "#%d multi %s", m->number, wire_zk_err_name(reply->err));
    for (int i = 0; wire_zk_result_next(reply, &v); i++) {
        if (v.result->opcode == WIRE_ZK_GET_DATA || v.result->opcode == WIRE_ZK_GET_CHILDREN) {
            add_read(m, h, &v, i);
            continue;
        }
        bool made = reply->err == WIRE_ZK_OK && v.result->opcode == WIRE_ZK_CREATE;
        bool set = reply->err == WIRE_ZK_OK && v.result->opcode == WIRE_ZK_SET_DATA;
        history_add(h, "#%d.%d %s %s %s%s", m->number, i,
                    wire_zk_opcode_name((enum wire_zk_opcode)v.result->opcode),
                    wire_zk_err_name(v.result->err), made ? name_path(&m->naming, v.path) : "",
                    set ? stat_text(m, &v.result->stat, text) : "");
    }
}

static void add_reply(struct model *m, struct history *h, int session, const struct kz_output *o)
{
    m->seen[session] = o->zxid;
    if (o->reply->multi) {
        add_multi(m, h, o->reply);
    } else {
        struct wire_zk_result_view v = {0};
        assert(wire_zk_result_next(o->reply, &v));
        add_result(m, h, &v);
    }
    if (m->held[0] != 0)
        history_add(h, "%s", m->held);
    m->held[0] = 0;
}

static void add_event(struct model *m, struct history *h, const struct kz_output *o)
{
    if (m->wrong == MODEL_DROPS_EVENTS && ++m->events % 5 == 0)
        return;
    const char *type = wire_zk_event_name((enum wire_zk_event_type)o->type);
    if (m->wrong == MODEL_EVENT_AFTER_REPLY && m->held[0] == 0)
        snprintf(m->held, sizeof m->held, "event %s %s", type, name_path(&m->naming, o->path));
    else
        history_add(h, "event %s %s", type, name_path(&m->naming, o->path));
}

/* Whether the connection broke before this output; then it is remembered. */
static bool is_lost(struct model *m, int session, const struct kz_output *o)
{
    if (session != VICTIM || m->hear < 0)
        return false;
    if (m->hear > 0) {
        m->hear--;
        return false;
    }
    assert(m->lost_count < LOST_MAX);
    struct lost *l = &m->lost[m->lost_count++];
    *l = (struct lost){.kind = o->kind, .watches = o->watches};
    if (o->path != NULL)
        snprintf(l->path, sizeof l->path, "%s", o->path);
    return true;
}

static void on_connected(struct model *m, const struct kz_output *o)
{
    int i = m->connecting;
    if (o->session == 0) {
        m->conns[i] = 0;
        if (m->histories != NULL)
            history_add(&m->histories[i], "expired");
        return;
    }
    m->ids[i] = m->naming.sessions[i] = o->session;
    m->passwords[i] = o->password;
    if (m->reconnecting && m->histories != NULL)
        history_add(&m->histories[i], "reconnected");
}

static void on_output(void *context, const struct kz_output *o)
{
    struct model *m = context;
    if (o->kind == KZ_OUT_CONNECTED)
        on_connected(m, o);
    int session = session_of(m, o);
    if (session < 0 || (o->kind != KZ_OUT_REPLY && o->kind != KZ_OUT_EVENT) || m->mute)
        return;
    if (is_lost(m, session, o) || m->histories == NULL)
        return;
    if (o->kind == KZ_OUT_REPLY)
        add_reply(m, &m->histories[session], session, o);
    else
        add_event(m, &m->histories[session], o);
}

/* ---- inputs ---- */

static void step(struct model *m, struct kz_input in)
{
    struct kz_outputs out = {
        .put = on_output, .context = m, .scratch = m->scratch, .scratch_size = sizeof m->scratch};
    enum sm_err err = kz_server_step(m->server, 1000, &in, &out);
    if (err != SM_ERR_OK) {
        printf("our server: limit %s\n", out.short_of);
        abort();
    }
}

static void connect_session(struct model *m, int i)
{
    m->connecting = i;
    m->reconnecting = m->ids[i] != 0;
    m->conns[i] = ++m->last_conn;
    step(m, (struct kz_input){.kind = KZ_IN_CONNECT,
                              .conn = m->conns[i],
                              .session = m->ids[i],
                              .password = m->passwords[i],
                              .zxid = m->seen[i],
                              .timeout_us = 1000000});
}

static struct model *allocate(void)
{
    struct model *m = calloc(1, sizeof *m);
    m->size = kz_server_size(&limits);
    m->server = malloc(m->size);
    return m;
}

struct model *model_new(enum model_wrong wrong, struct history histories[SESSIONS])
{
    struct model *m = allocate();
    m->histories = histories;
    m->wrong = wrong;
    m->hear = -1;
    return m;
}

void model_free(struct model *m)
{
    free(m->server);
    free(m);
}

struct model *model_copy(const struct model *m)
{
    struct model *copy = allocate();
    struct kz_server *server = copy->server;
    *copy = *m;
    copy->server = server;
    memcpy(server, m->server, m->size);
    copy->naming.prefix = copy->prefix;
    copy->histories = NULL;
    copy->hear = -1;
    return copy;
}

static void put_request(struct model *m, int session, const struct plan_step *s)
{
    struct wire_zk_builder b;
    wire_zk_begin(&b, m->request, sizeof m->request, (uint32_t)m->number, s->multi);
    for (int i = 0; i < s->count; i++) {
        const struct plan_op *op = &s->ops[i];
        char path[512];
        snprintf(path, sizeof path, "%s%s", m->prefix, op->path);
        struct wire_zk_op record = {.opcode = (uint8_t)op->opcode,
                                    .flags = op->flags,
                                    .watch = op->watch,
                                    .version = op->version,
                                    .data_size = op->size < 0 ? 0 : (uint32_t)op->size};
        wire_zk_add(&b, record, path, op->size < 0 ? NULL : op->data);
    }
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    step(m,
         (struct kz_input){.kind = KZ_IN_REQUEST, .conn = m->conns[session], .request = request});
}

void model_begin(struct model *m, const char *prefix)
{
    kz_server_init(m->server, &limits, 100000);
    memset(m->ids, 0, sizeof m->ids);
    memset(m->seen, 0, sizeof m->seen);
    snprintf(m->prefix, sizeof m->prefix, "%s", prefix);
    m->naming = (struct naming){.prefix = m->prefix};
    m->held[0] = 0;
    for (int i = 0; i < SESSIONS; i++)
        connect_session(m, i);
    struct plan_step root = {.count = 1, .ops = {{.opcode = WIRE_ZK_CREATE, .size = -1}}};
    m->mute = true;
    put_request(m, 0, &root);
    m->mute = false;
    m->naming.base = kz_server_zxid(m->server);
}

/* The root's stats shift where a refused write is made to use no zxid. */
void model_send(struct model *m, const struct plan_step *s, int number)
{
    m->number = number;
    int64_t before = kz_server_zxid(m->server);
    put_request(m, s->session, s);
    bool wrote = kz_server_zxid(m->server) != before;
    if (m->wrong == MODEL_SPARES_ZXIDS && wrote && m->histories != NULL) {
        const struct history *h = &m->histories[s->session];
        if (h->count > 0 && strstr(h->lines[h->count - 1], "NO") != NULL)
            m->naming.base++;
    }
}

int64_t model_probe(struct model *m)
{
    struct wire_zk_stat stat;
    struct plan_step set = {
        .count = 1,
        .ops = {{.opcode = WIRE_ZK_SET_DATA, .version = WIRE_ZK_ANY_VERSION, .size = -1}}};
    /* Its own reply is not in the history; the events that it fires are. */
    put_request(m, 0, &set);
    if (m->histories != NULL)
        free(m->histories[0].lines[--m->histories[0].count]);
    kz_server_get(m->server, m->prefix, &stat, NULL, NULL, NULL);
    return stat.mzxid - m->naming.base;
}

void model_expire(struct model *m, int session)
{
    m->conns[session] = 0; /* what it is still told gets lost */
    step(m, (struct kz_input){.kind = KZ_IN_EXPIRE, .session = m->ids[session]});
    connect_session(m, session);
}

void model_cut(struct model *m, const struct plan_step *steps, int first, int count, int done,
               int heard, int answered)
{
    m->hear = heard;
    m->lost_count = 0;
    for (int i = 0; i < done; i++)
        model_send(m, &steps[i], first + i);
    m->hear = -1;
    for (int i = answered; i < count && m->histories != NULL; i++)
        history_add(&m->histories[VICTIM], "#%d %s CONNECTIONLOSS", first + i,
                    steps[i].multi ? "multi" : wire_zk_opcode_name(steps[i].ops[0].opcode));
    step(m, (struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = m->conns[VICTIM]});
    m->conns[VICTIM] = 0;
    while (m->lost_count > 0 && m->wrong != MODEL_FORGETS_LOSSES) {
        const struct lost *l = &m->lost[--m->lost_count];
        step(m, (struct kz_input){.kind =
                                      l->kind == KZ_OUT_EVENT ? KZ_IN_LOST_EVENT : KZ_IN_LOST_REPLY,
                                  .session = m->ids[VICTIM],
                                  .path = l->path,
                                  .on = l->watches});
    }
}

void model_reconnect(struct model *m, int session)
{
    connect_session(m, session);
}

const char *model_next(struct model *m, const char *previous, char *buffer)
{
    char from[512];
    if (previous == NULL) {
        snprintf(buffer, 512, "%s", m->prefix);
        return buffer + strlen(m->prefix);
    }
    snprintf(from, sizeof from, "%s%s", m->prefix, previous);
    const char *next = kz_server_next_path(m->server, from, buffer, 512);
    return next == NULL ? NULL : next + strlen(m->prefix);
}
