/*
 * Records of a live process. Requests to ZooKeeper are kept, oldest first, until their reply: only
 * with both can be said which znode became what.
 */
#define _GNU_SOURCE
#include "live/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/allocate.h"
#include "sim/trace.h"
#include "wire/codec.h"

enum { BUFFER_BYTES = 1 << 20 };
#define RECORDS_MAX (UINT32_MAX - 1000000u)

struct sent {
    struct sent *next;
    uint64_t m;
    uint8_t request[]; /* struct wire_zk_request */
};

struct live_trace {
    struct sim_trace *trace;
    FILE *out; /* NULL: off */
    int32_t id;
    int64_t start_us;
    int64_t session;
    int64_t last_us;
    struct sent *first, *last;
    bool is_full;
};

static void write_record(void *context, const struct sim_record *record)
{
    struct live_trace *t = context;
    sim_record_print(t->out, record);
}

/* Time since the start; never falls. */
static int64_t since_start(struct live_trace *t, int64_t now_us)
{
    if (now_us - t->start_us > t->last_us)
        t->last_us = now_us - t->start_us;
    if (t->trace->on && sim_trace_count(t->trace) > RECORDS_MAX) {
        sim_trace_mark(t->trace, t->last_us, 0, "full", "a trace holds no more records");
        sim_trace_finish(t->trace, t->last_us, "cut");
        t->trace->on = false;
        t->is_full = true;
    }
    return t->last_us;
}

static sim_lane lane_of(const struct live_trace *t)
{
    return SIM_LANE_CONTROLLER(t->id);
}

/* ---- opening and closing ---- */

static void write_meta(struct live_trace *t, const char *title)
{
    if (sim_trace_meta_begin(t->trace, 0, "2.8")) {
        sim_trace_text(t->trace, SIM_F_TITLE, title);
        sim_trace_int(t->trace, SIM_F_WALL, t->start_us / 1000);
        sim_trace_end(t->trace);
    }
}

struct live_trace *live_trace_open(const char *file, int32_t id, const char *title,
                                   int64_t start_us)
{
    struct sim_trace_options options = {.mode = file == NULL ? SIM_TRACE_OFF : SIM_TRACE_DIGEST,
                                        .without_metadata = true};
    FILE *out = file == NULL ? NULL : fopen(file, "w");
    if (file != NULL && out == NULL)
        return NULL;
    struct live_trace *t = sim_alloc(sizeof *t);
    t->trace = sim_trace_new(&options);
    t->out = out;
    t->id = id;
    t->start_us = start_us;
    if (out != NULL) {
        setvbuf(out, NULL, _IOFBF, BUFFER_BYTES);
        sim_trace_listen(t->trace, write_record, t);
        write_meta(t, title);
        fflush(out);
    }
    return t;
}

bool live_trace_close(struct live_trace *t, int64_t now_us, const char *verdict)
{
    bool good = true;
    if (t == NULL)
        return true;
    live_trace_zk_lost(t);
    if (t->out != NULL) {
        if (t->trace->on)
            sim_trace_finish(t->trace, since_start(t, now_us), verdict);
        good = !ferror(t->out);
        good = fclose(t->out) == 0 && good;
    }
    sim_trace_free(t->trace);
    free(t);
    return good;
}

void live_trace_flush(struct live_trace *t)
{
    if (t->out != NULL)
        fflush(t->out);
}

bool live_trace_is_on(const struct live_trace *t)
{
    return t->trace->on;
}

/* ---- this process ---- */

uint64_t live_trace_start(struct live_trace *t, int64_t now_us)
{
    if (!sim_trace_begin(t->trace, SIM_K_GIVEN, since_start(t, now_us), SIM_LANE_WORLD, 0, 0))
        return 0;
    sim_trace_set_node(t->trace, t->id, "up", 1);
    return sim_trace_end(t->trace);
}

uint64_t live_trace_controller(struct live_trace *t, int64_t now_us, const struct kc_output *o)
{
    if (!t->trace->on)
        return o->by;
    struct kc_output relative = *o;
    if (o->kind == KC_OUT_TIMER && o->due_us >= 0)
        relative.due_us -= t->start_us;
    return sim_trace_controller(t->trace, since_start(t, now_us), t->id, &relative);
}

uint64_t live_trace_session(struct live_trace *t, int64_t now_us, const struct kn_output *o)
{
    t->session = o->session;
    return sim_trace_session_client(t->trace, since_start(t, now_us), t->id, o->by, 0,
                                    kn_session_what_name((enum kn_session_what)o->what), o->session,
                                    o->timeout_us);
}

uint64_t live_trace_timer(struct live_trace *t, int64_t now_us, uint32_t timer, uint64_t armed,
                          int64_t due_us)
{
    return sim_trace_timer(t->trace, since_start(t, now_us), lane_of(t), armed, 0, "fire",
                           "controller", timer, due_us - t->start_us);
}

uint64_t live_trace_event(struct live_trace *t, int64_t now_us, uint32_t type, const char *path)
{
    int64_t at = since_start(t, now_us);
    uint64_t by = 0;
    if (sim_trace_begin(t->trace, SIM_K_ZNODE, at, SIM_LANE_ZK, 0, 0)) {
        sim_trace_text(t->trace, SIM_F_PATH, path);
        sim_trace_text(t->trace, SIM_F_WHAT, wire_zk_event_name((enum wire_zk_event_type)type));
        by = sim_trace_end(t->trace);
    }
    return sim_trace_notify(t->trace, at, lane_of(t), by, type, path);
}

/* ---- brokers and callers ---- */

uint64_t live_trace_answer(struct live_trace *t, int64_t now_us, int32_t broker_id, int32_t api,
                           uint64_t send, const struct wire_answer *answer)
{
    return sim_trace_recv_answer(t->trace, since_start(t, now_us), lane_of(t), send, send, send,
                                 SIM_LANE_BROKER(broker_id), (enum wire_api)api, answer);
}

uint64_t live_trace_send_failed(struct live_trace *t, int64_t now_us, uint64_t send,
                                const char *why)
{
    return sim_trace_drop(t->trace, since_start(t, now_us), lane_of(t), send, 0, send, why);
}

uint64_t live_trace_request(struct live_trace *t, int64_t now_us, int16_t api)
{
    const struct wire_api_info *info = wire_api_info(api);
    if (!sim_trace_begin(t->trace, SIM_K_RECV, since_start(t, now_us), SIM_LANE_BROKER(t->id), 0,
                         0))
        return 0;
    sim_trace_lane(t->trace, SIM_F_FRM, SIM_LANE_OPERATOR);
    sim_trace_text(t->trace, SIM_F_API, info == NULL ? "unknown" : info->name);
    return sim_trace_end(t->trace);
}

/* ---- ZooKeeper ---- */

void live_trace_zk_sent(struct live_trace *t, int64_t now_us, const struct kn_output *o)
{
    if (!t->trace->on)
        return;
    bool is_recorded = o->record != 0 && !o->again && !o->is_broker;
    uint64_t by = o->record != 0 ? o->record : o->by;
    struct sent *sent = sim_realloc(NULL, sizeof *sent + o->request->size);
    sent->next = NULL;
    sent->m = is_recorded
                  ? o->record
                  : sim_trace_zreq(t->trace, since_start(t, now_us), lane_of(t), by, o->request);
    memcpy(sent->request, o->request, o->request->size);
    if (t->first == NULL)
        t->first = sent;
    else
        t->last->next = sent;
    t->last = sent;
}

static struct sent *take_oldest(struct live_trace *t)
{
    struct sent *sent = t->first;
    if (sent != NULL)
        t->first = sent->next;
    if (t->first == NULL)
        t->last = NULL;
    return sent;
}

void live_trace_zk_lost(struct live_trace *t)
{
    for (struct sent *s = take_oldest(t); s != NULL; s = take_oldest(t))
        free(s);
}

/* A znode has parents, though nobody told of them: they are set without data. */
static void tell_parents(struct live_trace *t, const char *path)
{
    static const struct wire_zk_stat unknown;
    char parent[SM_PATH_MAX + 1];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int size = (int)(slash - path);
        if ((size_t)size >= sizeof parent)
            return;
        snprintf(parent, sizeof parent, "%.*s", size, path);
        if (sim_trace_last_setter(t->trace, sim_trace_key(t->trace, "zn:%s", parent)) == 0)
            sim_trace_set_znode(t->trace, parent, NULL, 0, &unknown);
    }
}

/* What one operation made of a znode, or told of it. */
static void tell_znode(struct live_trace *t, struct sim_zk_step *step,
                       const struct wire_zk_op_view *op, const struct wire_zk_result_view *result,
                       int64_t zxid)
{
    struct kz_output o = {.kind = KZ_OUT_APPLIED,
                          .type = op->op->opcode,
                          .session = t->session,
                          .path = op->path,
                          .stat = &result->result->stat};
    switch ((enum wire_zk_opcode)op->op->opcode) {
    case WIRE_ZK_CREATE:
        if (result->path != NULL && result->result->path_size > 0)
            o.path = result->path;
        o.zxid = zxid;
        o.data = op->op->has_data ? op->data : NULL;
        o.data_size = op->op->data_size;
        break;
    case WIRE_ZK_SET_DATA:
        o.zxid = zxid;
        o.data = op->op->has_data ? op->data : NULL;
        o.data_size = op->op->data_size;
        break;
    case WIRE_ZK_DELETE:
        o.zxid = zxid;
        break;
    case WIRE_ZK_GET_DATA: /* seen, not changed: no zxid */
        o.data = result->result->has_data ? result->data : NULL;
        o.data_size = result->result->data_size;
        break;
    case WIRE_ZK_NOP:
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_CHILDREN:
    case WIRE_ZK_CHECK:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        return;
    }
    if (step->open && op->op->opcode != WIRE_ZK_DELETE)
        tell_parents(t, o.path);
    sim_zk_step_output(t->trace, step, &o);
}

static int32_t own_node(void *context, int64_t session)
{
    const struct live_trace *t = context;
    return session == t->session ? t->id : -1;
}

/* The zap that must have been, told by request and reply. */
static uint64_t tell_zap(struct live_trace *t, int64_t at, const struct sent *sent,
                         const struct wire_zk_reply *reply)
{
    const struct wire_zk_request *request = (const void *)sent->request;
    struct kz_input in = {.kind = KZ_IN_REQUEST, .session = t->session, .request = request};
    struct sim_zk_step step = {
        .by = sent->m, .m = sent->m, .from = lane_of(t), .node_of = own_node, .context = t};
    struct wire_zk_op_view op = {0};
    struct wire_zk_result_view result = {0};
    sim_zk_step_begin(t->trace, &step, at, &in);
    while (reply->err == WIRE_ZK_OK && wire_zk_op_next(request, &op) &&
           wire_zk_result_next(reply, &result))
        if (result.result->err == WIRE_ZK_OK)
            tell_znode(t, &step, &op, &result, reply->zxid);
    struct kz_output o = {.kind = KZ_OUT_REPLY, .session = t->session, .reply = reply};
    sim_zk_step_output(t->trace, &step, &o);
    return sim_zk_step_end(t->trace, &step);
}

uint64_t live_trace_zk_reply(struct live_trace *t, int64_t now_us,
                             const struct wire_zk_reply *reply)
{
    struct sent *sent = t->trace->on ? take_oldest(t) : NULL;
    if (sent == NULL)
        return 0;
    int64_t at = since_start(t, now_us);
    uint64_t zap = tell_zap(t, at, sent, reply);
    uint64_t n = sim_trace_zrep(t->trace, at, lane_of(t), zap, 0, sent->m, reply, 0);
    free(sent);
    return n;
}
