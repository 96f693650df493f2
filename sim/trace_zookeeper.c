/*
 * What passes between clients and ZooKeeper, as records.
 *
 * One step of the server is one record, whatever it changes: a request is a `zap`, an expiry or a
 * close a `session`. The record stays open through the step, because the server may tell a watch
 * between two changes of one multi; the `watch` records nest in it and stand behind it.
 */
#include "sim/trace_store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- requests and replies at the client ---- */

static bool is_conditional(const struct wire_zk_op *op)
{
    return (op->opcode == WIRE_ZK_DELETE || op->opcode == WIRE_ZK_SET_DATA ||
            op->opcode == WIRE_ZK_CHECK) &&
           op->version != WIRE_ZK_ANY_VERSION;
}

static void add_op(struct sim_trace *trace, const struct wire_zk_op_view *v)
{
    sim_trace_text(trace, SIM_F_OP, wire_zk_opcode_name((enum wire_zk_opcode)v->op->opcode));
    sim_trace_text(trace, SIM_F_PATH, v->path);
    if (is_conditional(v->op))
        sim_trace_int(trace, SIM_F_WANT, v->op->version);
    if (v->op->has_data)
        sim_trace_int(trace, SIM_F_LEN, v->op->data_size);
}

static void add_multi(struct sim_trace *trace, const struct wire_zk_request *request)
{
    struct wire_zk_op_view v = {0};
    sim_trace_text(trace, SIM_F_OP, "multi");
    sim_trace_list_begin(trace, SIM_F_OPS);
    while (wire_zk_op_next(request, &v)) {
        sim_trace_object_begin(trace, SIM_F_NONE);
        add_op(trace, &v);
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
    /* The fence, and what the multi is about: the first path that it writes. */
    v = (struct wire_zk_op_view){0};
    bool check = false, path = false;
    while (wire_zk_op_next(request, &v)) {
        if (v.op->opcode == WIRE_ZK_CHECK && !check) {
            check = true;
            sim_trace_text(trace, SIM_F_CHECK, v.path);
            sim_trace_int(trace, SIM_F_WANT, v.op->version);
        } else if (v.op->opcode != WIRE_ZK_CHECK && !path) {
            path = true;
            sim_trace_text(trace, SIM_F_PATH, v.path);
        }
    }
}

uint64_t sim_trace_zreq(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                        const struct wire_zk_request *request)
{
    if (!sim_trace_begin(trace, SIM_K_ZREQ, t, at, by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)sim_trace_open_number(trace));
    struct wire_zk_op_view v = {0};
    if (request->multi)
        add_multi(trace, request);
    else if (wire_zk_op_next(request, &v))
        add_op(trace, &v);
    return sim_trace_end(trace);
}

static void add_results(struct sim_trace *trace, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    sim_trace_list_begin(trace, SIM_F_RESULTS);
    while (wire_zk_result_next(reply, &v))
        sim_trace_text(trace, SIM_F_NONE, wire_zk_err_name(v.result->err));
    sim_trace_list_end(trace);
}

/* What a single operation gave: data and version, or how many children. */
static void add_result(struct sim_trace *trace, const struct wire_zk_result_view *v)
{
    sim_trace_text(trace, SIM_F_OP, wire_zk_opcode_name((enum wire_zk_opcode)v->result->opcode));
    if (v->result->opcode == WIRE_ZK_CREATE && v->path != NULL && v->result->path_size > 0)
        sim_trace_text(trace, SIM_F_PATH, v->path);
    if (v->result->err != WIRE_ZK_OK)
        return;
    if (v->result->opcode == WIRE_ZK_GET_CHILDREN) {
        sim_trace_int(trace, SIM_F_COUNT, v->result->name_count);
        return;
    }
    if (v->result->opcode == WIRE_ZK_GET_DATA && v->result->has_data)
        sim_trace_bytes(trace, SIM_F_VALUE, v->data, v->result->data_size);
    if (v->result->opcode == WIRE_ZK_GET_DATA || v->result->opcode == WIRE_ZK_SET_DATA)
        sim_trace_int(trace, SIM_F_VERSION, v->result->stat.version);
}

uint64_t sim_trace_zrep(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by, uint64_t mute,
                        uint64_t m, const struct wire_zk_reply *reply, int32_t code)
{
    if (!sim_trace_begin(trace, SIM_K_ZREP, t, at, by, mute))
        return by;
    int32_t err = code != WIRE_ZK_OK || reply == NULL ? code : reply->err;
    sim_trace_int(trace, SIM_F_M, (int64_t)m);
    struct wire_zk_result_view v = {0};
    if (reply != NULL && reply->multi) {
        sim_trace_text(trace, SIM_F_OP, "multi");
        if (err != WIRE_ZK_OK)
            add_results(trace, reply);
    } else if (reply != NULL && wire_zk_result_next(reply, &v)) {
        add_result(trace, &v);
    }
    sim_trace_int(trace, SIM_F_OK, err == WIRE_ZK_OK);
    if (err != WIRE_ZK_OK)
        sim_trace_text(trace, SIM_F_CODE, wire_zk_err_name(err));
    return sim_trace_end(trace);
}

uint64_t sim_trace_notify(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                          uint32_t type, const char *path)
{
    if (!sim_trace_begin(trace, SIM_K_NOTIFY, t, at, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_PATH, path);
    sim_trace_text(trace, SIM_F_EVENT, wire_zk_event_name((enum wire_zk_event_type)type));
    return sim_trace_end(trace);
}

/* ---- sessions ---- */

static void add_session(struct sim_trace *trace, const char *what, int64_t session, int32_t node,
                        const char *seen)
{
    sim_trace_text(trace, SIM_F_WHAT, what);
    sim_trace_int(trace, SIM_F_ID, session);
    if (node >= 0)
        sim_trace_int(trace, SIM_F_NODE, node);
    sim_trace_text(trace, SIM_F_SEEN, seen);
}

static const char *session_state(const char *what)
{
    if (strcmp(what, "created") == 0 || strcmp(what, "connected") == 0)
        return "live";
    return what;
}

static void set_session(struct sim_trace *trace, const char *key, const char *what, int64_t session)
{
    sim_trace_set_begin(trace, key);
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_text(trace, SIM_F_STATE, session_state(what));
    sim_trace_int(trace, SIM_F_ID, session);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

uint64_t sim_trace_session_client(struct sim_trace *trace, int64_t t, int32_t node, uint64_t by,
                                  uint64_t mute, const char *what, int64_t session,
                                  int64_t timeout_us)
{
    /* What a client's own clock makes it do has no cause of its own: it waited on its session, and
       where the process stood still meanwhile, that is why nothing came. */
    if (trace->on && by == 0) {
        by = sim_trace_last_setter(trace, sim_trace_key(trace, "sess.%" PRId32 ".client", node));
        if (mute == 0 && strcmp(what, "disconnected") == 0)
            mute = sim_trace_pause_of(trace, node);
    }
    if (!sim_trace_begin(trace, SIM_K_SESSION, t, SIM_LANE_BROKER(node), by, mute))
        return by;
    add_session(trace, what, session, node, "client");
    if (timeout_us > 0)
        sim_trace_int(trace, SIM_F_TIMEOUT, timeout_us);
    set_session(trace, sim_trace_key(trace, "sess.%" PRId32 ".client", node), what, session);
    return sim_trace_end(trace);
}

/* ---- a step of the server ---- */

/* A new session belongs to whoever asks for it: the world does not know its number yet. */
static int32_t node_of(const struct sim_zk_step *z, int64_t session)
{
    int32_t node = z->node_of != NULL && session != 0 ? z->node_of(z->context, session) : -1;
    char letter = sim_lane_letter(z->from);
    if (node < 0 && z->input->kind == KZ_IN_CONNECT && (letter == 'b' || letter == 'c'))
        return sim_lane_id(z->from);
    return node;
}

static const char *session_key(struct sim_trace *trace, const struct sim_zk_step *z,
                               int64_t session)
{
    int32_t node = node_of(z, session);
    if (node >= 0)
        return sim_trace_key(trace, "sess.%" PRId32, node);
    return sim_trace_key(trace, "sess.x%" PRIx64, (uint64_t)session);
}

static const char *watch_key(struct sim_trace *trace, const struct sim_zk_step *z, int64_t session,
                             const char *path, const char *type)
{
    int32_t node = node_of(z, session);
    if (node >= 0)
        return sim_trace_key(trace, "watch.%" PRId32 ".%s.%s", node, path, type);
    return sim_trace_key(trace, "watch.x%" PRIx64 ".%s.%s", (uint64_t)session, path, type);
}

/* The session of a request is known by its connection alone, so z->session is set by the first
   output that names one; the asker's lane serves till then. */
static int64_t session_of(const struct sim_zk_step *z, const struct kz_output *o)
{
    return o->session != 0 ? o->session : z->session;
}

static void open_zap(struct sim_trace *trace, struct sim_zk_step *z)
{
    const struct wire_zk_request *request = z->input->request;
    z->open = sim_trace_begin(trace, SIM_K_ZAP, z->t, SIM_LANE_ZK, z->by, z->mute);
    if (!z->open)
        return;
    z->record = sim_trace_open_number(trace);
    sim_trace_int(trace, SIM_F_M, (int64_t)z->m);
    if (z->from != 0)
        sim_trace_lane(trace, SIM_F_FRM, z->from);
    struct wire_zk_op_view v = {0};
    const char *path = NULL, *op = request->multi ? "multi" : NULL;
    while (path == NULL && wire_zk_op_next(request, &v)) {
        if (op == NULL)
            op = wire_zk_opcode_name((enum wire_zk_opcode)v.op->opcode);
        if (!request->multi || v.op->opcode != WIRE_ZK_CHECK)
            path = v.path;
    }
    if (op != NULL)
        sim_trace_text(trace, SIM_F_OP, op);
    if (path != NULL)
        sim_trace_text(trace, SIM_F_PATH, path);
}

static void open_session(struct sim_trace *trace, struct sim_zk_step *z, const char *what,
                         int64_t session)
{
    uint64_t by = z->by, mute = z->mute;
    if (z->cause_of != NULL && z->input->kind == KZ_IN_TICK)
        z->cause_of(z->context, session, &by, &mute);
    z->session = session;
    z->open = sim_trace_begin(trace, SIM_K_SESSION, z->t, SIM_LANE_ZK, by, mute);
    if (!z->open)
        return;
    z->record = sim_trace_open_number(trace);
    add_session(trace, what, session, node_of(z, session), "server");
    set_session(trace, session_key(trace, z, session), what, session);
}

/* An event that its client never saw: the watches stand again. */
static void record_lost_event(struct sim_trace *trace, struct sim_zk_step *z)
{
    const struct kz_input *in = z->input;
    if (!sim_trace_begin(trace, SIM_K_WATCH, z->t, SIM_LANE_ZK, z->by, z->mute))
        return;
    sim_trace_text(trace, SIM_F_PATH, in->path);
    sim_trace_text(trace, SIM_F_EVENT, "lost");
    sim_trace_int(trace, SIM_F_SESSION, in->session);
    if ((in->on & (KZ_WATCH_DATA | KZ_WATCH_EXISTS)) != 0)
        sim_trace_set_int(trace, watch_key(trace, z, in->session, in->path, "data"), 1);
    if ((in->on & KZ_WATCH_CHILD) != 0)
        sim_trace_set_int(trace, watch_key(trace, z, in->session, in->path, "child"), 1);
    z->record = sim_trace_end(trace);
}

void sim_zk_step_begin(struct sim_trace *trace, struct sim_zk_step *z, int64_t t,
                       const struct kz_input *input)
{
    z->t = t;
    z->input = input;
    z->record = z->by;
    z->session = input->session;
    z->open = z->has_reply = z->applied = false;
    z->zxid = 0;
    if (input->kind == KZ_IN_REQUEST)
        open_zap(trace, z);
    if (input->kind == KZ_IN_LOST_EVENT)
        record_lost_event(trace, z);
}

/* A `zap` that was not answered by an error has been applied; its zxid is that of the changes. */
static void close_step(struct sim_trace *trace, struct sim_zk_step *z)
{
    if (!z->open)
        return;
    if (z->zxid != 0)
        sim_trace_int(trace, SIM_F_ZXID, z->zxid);
    if (z->input->kind == KZ_IN_REQUEST && !z->has_reply)
        sim_trace_int(trace, SIM_F_OK, z->applied);
    sim_trace_end(trace);
    z->open = false;
}

static void set_watch(struct sim_trace *trace, struct sim_zk_step *z, int64_t session,
                      const struct wire_zk_op_view *op, int32_t err)
{
    bool child = op->op->opcode == WIRE_ZK_GET_CHILDREN;
    bool exists = op->op->opcode == WIRE_ZK_EXISTS;
    if (!op->op->watch || (err != WIRE_ZK_OK && !(exists && err == WIRE_ZK_NO_NODE)))
        return;
    sim_trace_text(trace, SIM_F_ARM, child ? "child" : exists ? "exists" : "data");
    sim_trace_set_int(trace, watch_key(trace, z, session, op->path, child ? "child" : "data"), 1);
}

static void add_reply(struct sim_trace *trace, struct sim_zk_step *z, const struct kz_output *o)
{
    const struct wire_zk_reply *reply = o->reply;
    z->has_reply = true;
    sim_trace_int(trace, SIM_F_OK, reply->err == WIRE_ZK_OK);
    if (reply->err != WIRE_ZK_OK)
        sim_trace_text(trace, SIM_F_CODE, wire_zk_err_name(reply->err));
    if (reply->multi)
        add_results(trace, reply);
    struct wire_zk_op_view op = {0};
    if (!reply->multi && wire_zk_op_next(z->input->request, &op))
        set_watch(trace, z, session_of(z, o), &op, reply->err);
}

static uint64_t record_watch(struct sim_trace *trace, struct sim_zk_step *z,
                             const struct kz_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_WATCH, z->t, SIM_LANE_ZK, z->record, 0))
        return z->record;
    int64_t session = o->session;
    int32_t node = node_of(z, session);
    bool child = o->type == WIRE_ZK_EVENT_CHILD;
    sim_trace_text(trace, SIM_F_PATH, o->path);
    sim_trace_text(trace, SIM_F_TYPE, child ? "child" : "data");
    sim_trace_text(trace, SIM_F_EVENT, wire_zk_event_name((enum wire_zk_event_type)o->type));
    if (node >= 0)
        sim_trace_lane(trace, SIM_F_TO, SIM_LANE_CONTROLLER(node));
    sim_trace_int(trace, SIM_F_SESSION, session);
    static const struct {
        uint32_t fired;
        const char *type;
    } kinds[] = {{KZ_WATCH_DATA | KZ_WATCH_EXISTS, "data"}, {KZ_WATCH_CHILD, "child"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if ((o->watches & kinds[i].fired) != 0)
            sim_trace_set_null(trace, watch_key(trace, z, session, o->path, kinds[i].type));
    return sim_trace_end(trace);
}

static void apply(struct sim_trace *trace, struct sim_zk_step *z, const struct kz_output *o)
{
    bool gone = o->type == WIRE_ZK_DELETE;
    if (z->input->kind != KZ_IN_REQUEST &&
        (!z->open || (o->session != 0 && o->session != z->session))) {
        close_step(trace, z);
        open_session(trace, z, z->input->kind == KZ_IN_CLOSE ? "closed" : "expired",
                     session_of(z, o));
    }
    if (!z->open)
        return;
    z->applied = true;
    z->zxid = o->zxid;
    sim_trace_set_znode(trace, o->path, o->data, o->data_size, gone ? NULL : o->stat);
}

static void expire(struct sim_trace *trace, struct sim_zk_step *z, const struct kz_output *o)
{
    if (z->open && z->session == o->session)
        return;
    close_step(trace, z);
    open_session(trace, z, z->input->kind == KZ_IN_CLOSE ? "closed" : "expired", o->session);
}

/* A client that connects again by itself, when a delay is over, does so because of what it last saw
   of its session. */
static uint64_t cause_of_connect(struct sim_trace *trace, const struct sim_zk_step *z)
{
    int32_t node = node_of(z, z->session);
    if (z->by != 0 || node < 0)
        return z->by;
    return sim_trace_last_setter(trace, sim_trace_key(trace, "sess.%" PRId32 ".client", node));
}

static void connect(struct sim_trace *trace, struct sim_zk_step *z, const struct kz_output *o)
{
    bool refused = o->session == 0;
    const char *what = refused ? "refused" : z->input->session == 0 ? "created" : "connected";
    close_step(trace, z);
    z->session = refused ? z->input->session : o->session;
    z->open = sim_trace_begin(trace, SIM_K_SESSION, z->t, SIM_LANE_ZK, cause_of_connect(trace, z),
                              z->mute);
    if (!z->open)
        return;
    z->record = sim_trace_open_number(trace);
    add_session(trace, what, z->session, node_of(z, z->session), "server");
    sim_trace_int(trace, SIM_F_TIMEOUT, o->timeout_us);
    if (!refused)
        set_session(trace, session_key(trace, z, z->session), what, z->session);
}

uint64_t sim_zk_step_output(struct sim_trace *trace, struct sim_zk_step *z,
                            const struct kz_output *o)
{
    if (!trace->on)
        return z->by;
    switch ((enum kz_output_kind)o->kind) {
    case KZ_OUT_NONE:
    case KZ_OUT_CLOSED:
        break;
    case KZ_OUT_CONNECTED:
        connect(trace, z, o);
        break;
    case KZ_OUT_REPLY:
        if (z->open && z->input->kind == KZ_IN_REQUEST && !z->has_reply)
            add_reply(trace, z, o);
        break;
    case KZ_OUT_EVENT:
        return record_watch(trace, z, o);
    case KZ_OUT_EXPIRED:
        expire(trace, z, o);
        break;
    case KZ_OUT_APPLIED:
        apply(trace, z, o);
        break;
    }
    return z->record;
}

uint64_t sim_zk_step_end(struct sim_trace *trace, struct sim_zk_step *z)
{
    close_step(trace, z);
    return z->record;
}
