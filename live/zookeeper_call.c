/*
 * Requests to calls of the C client, completions to replies.
 *
 *   single   zoo_acreate2, adelete, aset, awexists, awget, awget_children2, async
 *   multi    zoo_amulti; results, stats and the paths that were made lie in the block
 *   bulk     zoo_awget, zoo_awget_children2 for each; the last completion joins the parts
 *
 * What a completion is given is borrowed until it returns, so everything is copied there, into the
 * flat form that the node reads.
 */
#define _GNU_SOURCE
#include "live/zookeeper_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "live/zookeeper_servers.h"

enum { DATA_ROOM = 384, SUFFIX_ROOM = 16, ACL_BYTES = 4 + 4 + 4 + 5 + 4 + 6 };

/* One read of a bulk read; its result is kept until the last one is here. */
struct live_zk_part {
    struct live_zk_call *call;
    struct wire_zk_result result;
    uint8_t *data;
};

/* ---- memory ---- */

static size_t round_up(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void *take(uint8_t **at, size_t size)
{
    void *here = *at;
    *at += round_up(size);
    return here;
}

static size_t reply_room(const struct wire_zk_request *request)
{
    size_t size = sizeof(struct wire_zk_reply);
    struct wire_zk_op_view v = {0};
    while (wire_zk_op_next(request, &v)) {
        size += sizeof(struct wire_zk_result) + 8;
        if (v.op->opcode == WIRE_ZK_CREATE || v.op->opcode == WIRE_ZK_SYNC)
            size += v.op->path_size + SUFFIX_ROOM;
        else if (v.op->opcode == WIRE_ZK_GET_DATA && !request->multi)
            size += DATA_ROOM;
    }
    return (size + 7) & ~(size_t)7;
}

static size_t path_room(const struct wire_zk_request *request)
{
    size_t size = 0;
    struct wire_zk_op_view v = {0};
    while (wire_zk_op_next(request, &v))
        size += v.op->opcode == WIRE_ZK_CREATE ? v.op->path_size + SUFFIX_ROOM : 0u;
    return size;
}

static bool is_read(const struct wire_zk_op *op)
{
    return op->opcode == WIRE_ZK_GET_DATA || op->opcode == WIRE_ZK_GET_CHILDREN;
}

bool live_zk_is_bulk_read(const struct wire_zk_request *request)
{
    struct wire_zk_op_view v = {0};
    if (!request->multi || request->count == 0)
        return false;
    while (wire_zk_op_next(request, &v))
        if (!is_read(v.op))
            return false;
    return true;
}

struct live_zk_call *live_zk_call_new(const struct wire_zk_request *request)
{
    bool is_bulk = live_zk_is_bulk_read(request);
    size_t count = request->multi ? request->count : 0, room = reply_room(request);
    size_t size = round_up(sizeof(struct live_zk_call)) + round_up(request->size) + round_up(room);
    assert(wire_zk_request_valid(request, request->size));
    if (is_bulk)
        size += round_up(count * sizeof(struct live_zk_part));
    else
        size += round_up(count * sizeof(zoo_op_t)) + round_up(count * sizeof(zoo_op_result_t)) +
                round_up(count * sizeof(struct Stat)) + round_up(path_room(request));
    uint8_t *at = malloc(size);
    if (at == NULL)
        abort();
    struct live_zk_call *call = take(&at, sizeof *call);
    *call = (struct live_zk_call){.is_bulk = is_bulk, .room_size = (uint32_t)room};
    call->item.kind = LIVE_ZK_ITEM_CALL;
    void *record = take(&at, request->size);
    memcpy(record, request, request->size);
    call->request = record;
    if (is_bulk) {
        call->parts = take(&at, count * sizeof(struct live_zk_part));
    } else {
        call->ops = take(&at, count * sizeof(zoo_op_t));
        call->results = take(&at, count * sizeof(zoo_op_result_t));
        call->stats = take(&at, count * sizeof(struct Stat));
    }
    call->room = take(&at, room);
    if (!is_bulk && count > 0) { /* the paths that a multi makes lie at the end */
        char *path = (char *)at;
        struct wire_zk_op_view v = {0};
        for (uint32_t i = 0; wire_zk_op_next(request, &v); i++) {
            call->ops[i].create_op.buf = path;
            path += v.op->opcode == WIRE_ZK_CREATE ? v.op->path_size + SUFFIX_ROOM : 0u;
        }
    }
    return call;
}

uint32_t live_zk_call_weight(const struct live_zk_call *call)
{
    return call->is_bulk ? call->request->count : 1u;
}

static bool has_own_reply(const struct live_zk_call *call)
{
    return call->reply != NULL && (uint8_t *)call->reply != call->room;
}

void live_zk_call_free(struct live_zk_call *call)
{
    if (has_own_reply(call))
        free(call->reply);
    for (uint32_t i = 0; call->is_bulk && call->parts_due != 0 && i < call->request->count; i++)
        free(call->parts[i].data);
    free(call);
}

/* ---- what will not be sent ---- */

/* Bytes on the wire: the header of a multi is there for a single request too, which does not
   matter. Source: zookeeper.jute. */
static size_t wire_size(const struct wire_zk_request *request, size_t chroot_size)
{
    size_t size = 8 + 9;
    struct wire_zk_op_view v = {0};
    while (wire_zk_op_next(request, &v))
        size += 9 + 4 + chroot_size + v.op->path_size + 4 + v.op->data_size + 4 + ACL_BYTES;
    return size;
}

static bool goes_into_multi(const struct wire_zk_op *op)
{
    return op->opcode == WIRE_ZK_CREATE || op->opcode == WIRE_ZK_DELETE ||
           op->opcode == WIRE_ZK_SET_DATA || op->opcode == WIRE_ZK_CHECK;
}

/* Whether this kind of request is one at all, wherever its paths lead. */
static enum wire_zk_err check_opcode(const struct live_zk_call *call, const struct wire_zk_op *op)
{
    if (call->request->multi)
        return call->is_bulk || goes_into_multi(op) ? WIRE_ZK_OK : WIRE_ZK_MARSHALLING;
    return op->opcode == WIRE_ZK_CHECK || op->opcode == WIRE_ZK_NOP ||
                   op->opcode >= WIRE_ZK_OPCODE_END
               ? WIRE_ZK_UNIMPLEMENTED
               : WIRE_ZK_OK;
}

enum wire_zk_err live_zk_call_check(const struct live_zk_call *call, size_t chroot_size,
                                    size_t bytes_max)
{
    const struct wire_zk_request *request = call->request;
    struct wire_zk_op_view v = {0}, w = {0};
    if (wire_size(request, chroot_size) > bytes_max)
        return WIRE_ZK_MARSHALLING;
    while (wire_zk_op_next(request, &v)) {
        enum wire_zk_err err = check_opcode(call, v.op);
        if (err != WIRE_ZK_OK)
            return err;
    }
    while (wire_zk_op_next(request, &w)) {
        bool sequential = w.op->opcode == WIRE_ZK_CREATE && (w.op->flags & WIRE_ZK_SEQUENTIAL) != 0;
        if (!live_zk_path_valid(w.path, sequential))
            return WIRE_ZK_BAD_ARGUMENTS;
    }
    return WIRE_ZK_OK;
}

/* ---- making the reply ---- */

static struct wire_zk_builder begin_reply(struct live_zk_call *call, size_t size)
{
    struct wire_zk_builder b;
    const struct wire_zk_request *request = call->request;
    assert(call->reply == NULL);
    size = (size + 7) & ~(size_t)7;
    void *to = size <= call->room_size ? call->room : malloc(size);
    if (to == NULL)
        abort();
    call->reply = to;
    wire_zk_reply_begin(&b, to, size, request->xid, request->multi, 0);
    return b;
}

static void end_reply(struct live_zk_call *call, struct wire_zk_builder *b, int32_t err)
{
    const struct wire_zk_reply *reply = wire_zk_reply_end(b, err);
    assert(reply != NULL);
    call->has_reply = true;
}

/* The reply of a single operation. */
static void put_single(struct live_zk_call *call, struct wire_zk_result result, const char *path,
                       const void *data)
{
    struct wire_zk_op_view v = {0};
    wire_zk_op_next(call->request, &v);
    result.opcode = v.op->opcode;
    size_t size = sizeof(struct wire_zk_reply) + sizeof result + result.data_size + 8 + 1 +
                  (path == NULL ? 0 : strlen(path));
    struct wire_zk_builder b = begin_reply(call, size + 8);
    wire_zk_reply_add(&b, result, path, data);
    end_reply(call, &b, result.err);
}

void live_zk_call_refuse(struct live_zk_call *call, enum wire_zk_err err)
{
    if (!call->request->multi) {
        put_single(call, (struct wire_zk_result){.err = err}, NULL, NULL);
        return;
    }
    struct wire_zk_builder b = begin_reply(call, sizeof(struct wire_zk_reply));
    end_reply(call, &b, err);
}

void live_zk_call_answer(struct live_zk_call *call, struct wire_zk_reply *reply)
{
    if (has_own_reply(call))
        free(call->reply);
    call->reply = reply;
    call->has_reply = true;
}

static void see_zxid(struct live_zk_call *call, const struct Stat *stat)
{
    if (stat->mzxid > call->zxid)
        call->zxid = stat->mzxid;
    if (stat->pzxid > call->zxid)
        call->zxid = stat->pzxid;
}

static struct wire_zk_stat stat_of(struct live_zk_call *call, const struct Stat *stat)
{
    see_zxid(call, stat);
    return (struct wire_zk_stat){.czxid = stat->czxid,
                                 .mzxid = stat->mzxid,
                                 .pzxid = stat->pzxid,
                                 .ctime = stat->ctime,
                                 .mtime = stat->mtime,
                                 .ephemeral_owner = stat->ephemeralOwner,
                                 .version = stat->version,
                                 .cversion = stat->cversion,
                                 .aversion = stat->aversion,
                                 .data_length = stat->dataLength,
                                 .num_children = stat->numChildren};
}

/* ---- completions: threads of the C client ---- */

/* What the client made up itself: the outcome is unknown, and the node hears of it as the end of
   the connection. */
static bool is_from_server(int rc)
{
    return rc != ZCONNECTIONLOSS && rc != ZCLOSING && rc != ZOPERATIONTIMEOUT &&
           rc != ZSESSIONEXPIRED && rc != ZAUTHFAILED && rc != ZINVALIDSTATE &&
           rc != ZRUNTIMEINCONSISTENCY;
}

static struct live_zk_call *call_of(const void *data)
{
    return (struct live_zk_call *)(uintptr_t)data;
}

static void finish(struct live_zk_call *call)
{
    call->ended_ns = uv_hrtime();
    live_zk_call_finished(call);
}

static void on_created(int rc, const char *value, const struct Stat *stat, const void *data)
{
    struct live_zk_call *call = call_of(data);
    struct wire_zk_result result = {.err = rc};
    if (rc == ZOK)
        result.stat = stat_of(call, stat);
    if (is_from_server(rc))
        put_single(call, result, rc == ZOK ? value : NULL, NULL);
    finish(call);
}

static void on_void(int rc, const void *data)
{
    struct live_zk_call *call = call_of(data);
    if (is_from_server(rc))
        put_single(call, (struct wire_zk_result){.err = rc}, NULL, NULL);
    finish(call);
}

static void on_synced(int rc, const char *value, const void *data)
{
    struct live_zk_call *call = call_of(data);
    struct wire_zk_op_view v = {0};
    (void)value; /* with the chroot, in some versions */
    wire_zk_op_next(call->request, &v);
    if (is_from_server(rc))
        put_single(call, (struct wire_zk_result){.err = rc}, rc == ZOK ? v.path : NULL, NULL);
    finish(call);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    struct live_zk_call *call = call_of(data);
    struct wire_zk_result result = {.err = rc};
    if (rc == ZOK)
        result.stat = stat_of(call, stat);
    if (is_from_server(rc))
        put_single(call, result, NULL, NULL);
    finish(call);
}

static struct wire_zk_result data_result(struct live_zk_call *call, int rc, int size,
                                         const struct Stat *stat)
{
    struct wire_zk_result result = {.opcode = WIRE_ZK_GET_DATA, .err = rc};
    if (rc == ZOK) {
        result.stat = stat_of(call, stat);
        result.has_data = size >= 0;
        result.data_size = size > 0 ? (uint32_t)size : 0;
    }
    return result;
}

static void on_data(int rc, const char *value, int size, const struct Stat *stat, const void *data)
{
    struct live_zk_call *call = call_of(data);
    if (is_from_server(rc))
        put_single(call, data_result(call, rc, size, stat), NULL, value);
    finish(call);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in ascending order, each with its NUL; the server has them in that of a hash set. The
   vector is the client's, which only frees it afterwards. */
static uint8_t *join_names(const struct String_vector *names, uint32_t *size)
{
    size_t used = 0;
    for (int32_t i = 0; i < names->count; i++)
        used += strlen(names->data[i]) + 1;
    uint8_t *joined = malloc(used + 1), *at = joined;
    if (joined == NULL)
        abort();
    if (names->count > 0)
        qsort(names->data, (size_t)names->count, sizeof names->data[0], by_text);
    for (int32_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->data[i]) + 1;
        memcpy(at, names->data[i], length);
        at += length;
    }
    *size = (uint32_t)used;
    return joined;
}

static void on_children(int rc, const struct String_vector *names, const struct Stat *stat,
                        const void *data)
{
    struct live_zk_call *call = call_of(data);
    struct wire_zk_result result = {.err = rc};
    uint8_t *joined = NULL;
    if (rc == ZOK) {
        result.stat = stat_of(call, stat);
        result.name_count = (uint32_t)names->count;
        joined = join_names(names, &result.data_size);
    }
    if (is_from_server(rc))
        put_single(call, result, NULL, joined);
    free(joined);
    finish(call);
}

/* A multi that the server refused as a whole has no results; one that failed has a code each. */
static void put_multi(struct live_zk_call *call, int rc)
{
    struct wire_zk_builder b = begin_reply(call, call->room_size);
    struct wire_zk_op_view v = {0};
    for (uint32_t i = 0; wire_zk_op_next(call->request, &v); i++) {
        const zoo_op_result_t *r = &call->results[i];
        struct wire_zk_result result = {.opcode = v.op->opcode, .err = r->err};
        const char *path = NULL;
        if (rc == ZOK && v.op->opcode == WIRE_ZK_SET_DATA)
            result.stat = stat_of(call, &call->stats[i]);
        else if (rc == ZOK && v.op->opcode == WIRE_ZK_CREATE)
            path = r->value;
        wire_zk_reply_add(&b, result, path, NULL);
    }
    end_reply(call, &b, rc);
}

static void on_multi(int rc, const void *data)
{
    struct live_zk_call *call = call_of(data);
    if (is_from_server(rc))
        put_multi(call, rc);
    finish(call);
}

/* ---- bulk reads as single ones ---- */

static void join_parts(struct live_zk_call *call)
{
    size_t size = sizeof(struct wire_zk_reply);
    uint32_t count = call->request->count;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_from_server(call->parts[i].result.err))
            return;
        size += sizeof(struct wire_zk_result) + call->parts[i].result.data_size + 8;
    }
    struct wire_zk_builder b = begin_reply(call, size);
    for (uint32_t i = 0; i < count; i++)
        wire_zk_reply_add(&b, call->parts[i].result, NULL, call->parts[i].data);
    end_reply(call, &b, WIRE_ZK_OK);
}

static void finish_part(struct live_zk_call *call)
{
    if (atomic_fetch_sub(&call->parts_due, 1) > 1)
        return;
    join_parts(call);
    for (uint32_t i = 0; i < call->request->count; i++)
        free(call->parts[i].data);
    finish(call);
}

static void on_part_data(int rc, const char *value, int size, const struct Stat *stat,
                         const void *data)
{
    struct live_zk_part *part = (struct live_zk_part *)(uintptr_t)data;
    part->result = data_result(part->call, rc, size, stat);
    if (part->result.data_size > 0) {
        part->data = malloc(part->result.data_size);
        if (part->data == NULL)
            abort();
        memcpy(part->data, value, part->result.data_size);
    }
    finish_part(part->call);
}

static void on_part_children(int rc, const struct String_vector *names, const struct Stat *stat,
                             const void *data)
{
    struct live_zk_part *part = (struct live_zk_part *)(uintptr_t)data;
    part->result = (struct wire_zk_result){.opcode = WIRE_ZK_GET_CHILDREN, .err = rc};
    if (rc == ZOK) {
        see_zxid(part->call, stat); /* the stat itself is not part of a multiRead's answer */
        part->result.name_count = (uint32_t)names->count;
        part->data = join_names(names, &part->result.data_size);
    }
    finish_part(part->call);
}

/* parts_due is touched by completions from the first read on, so it is set for all of them before;
   what was not taken is taken off again. */
static bool issue_parts(struct live_zk_call *call, zhandle_t *zh)
{
    struct wire_zk_op_view v = {0};
    uint32_t count = call->request->count, i;
    for (i = 0; i < count; i++)
        call->parts[i] = (struct live_zk_part){.call = call, .result.err = ZCONNECTIONLOSS};
    call->parts_due = count;
    for (i = 0; wire_zk_op_next(call->request, &v); i++) {
        int rc =
            v.op->opcode == WIRE_ZK_GET_DATA
                ? zoo_awget(zh, v.path, NULL, NULL, on_part_data, &call->parts[i])
                : zoo_awget_children2(zh, v.path, NULL, NULL, on_part_children, &call->parts[i]);
        if (rc != ZOK)
            break;
    }
    if (i == 0) {
        call->parts_due = 0;
        return false;
    }
    for (; i < count; i++) /* no session any more: nobody waits for the answer */
        finish_part(call);
    return true;
}

/* ---- issuing ---- */

static void prepare(zoo_op_t *to, const struct wire_zk_op_view *v, struct Stat *stat)
{
    const char *value = v->op->has_data ? (const char *)v->data : NULL;
    int size = v->op->has_data ? (int)v->op->data_size : -1;
    char *made = to->create_op.buf;
    switch ((enum wire_zk_opcode)v->op->opcode) {
    case WIRE_ZK_CREATE:
        zoo_create_op_init(to, v->path, value, size, &ZOO_OPEN_ACL_UNSAFE, v->op->flags, made,
                           (int)v->op->path_size + SUFFIX_ROOM);
        return;
    case WIRE_ZK_DELETE:
        zoo_delete_op_init(to, v->path, v->op->version);
        return;
    case WIRE_ZK_SET_DATA:
        zoo_set_op_init(to, v->path, value, size, v->op->version, stat);
        return;
    case WIRE_ZK_CHECK:
        zoo_check_op_init(to, v->path, v->op->version);
        return;
    case WIRE_ZK_NOP:
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    assert(false); /* live_zk_call_check */
}

static int issue_multi(struct live_zk_call *call, zhandle_t *zh)
{
    struct wire_zk_op_view v = {0};
    for (uint32_t i = 0; wire_zk_op_next(call->request, &v); i++) {
        call->stats[i] = (struct Stat){0};
        prepare(&call->ops[i], &v, &call->stats[i]);
    }
    return zoo_amulti(zh, call->request->count, call->ops, call->results, on_multi, call);
}

static int issue_single(struct live_zk_call *call, zhandle_t *zh, watcher_fn watcher)
{
    struct wire_zk_op_view v = {0};
    wire_zk_op_next(call->request, &v);
    const char *value = v.op->has_data ? (const char *)v.data : NULL;
    int size = v.op->has_data ? (int)v.op->data_size : -1;
    watcher_fn watch = v.op->watch ? watcher : NULL;
    void *context = call->item.handle;
    switch ((enum wire_zk_opcode)v.op->opcode) {
    case WIRE_ZK_CREATE:
        return zoo_acreate2(zh, v.path, value, size, &ZOO_OPEN_ACL_UNSAFE, v.op->flags, on_created,
                            call);
    case WIRE_ZK_DELETE:
        return zoo_adelete(zh, v.path, v.op->version, on_void, call);
    case WIRE_ZK_SET_DATA:
        return zoo_aset(zh, v.path, value, size, v.op->version, on_stat, call);
    case WIRE_ZK_EXISTS:
        return zoo_awexists(zh, v.path, watch, context, on_stat, call);
    case WIRE_ZK_GET_DATA:
        return zoo_awget(zh, v.path, watch, context, on_data, call);
    case WIRE_ZK_GET_CHILDREN:
        return zoo_awget_children2(zh, v.path, watch, context, on_children, call);
    case WIRE_ZK_SYNC:
        return zoo_async(zh, v.path, on_synced, call);
    case WIRE_ZK_NOP:
    case WIRE_ZK_CHECK:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return ZUNIMPLEMENTED;
}

bool live_zk_call_issue(struct live_zk_call *call, zhandle_t *zh, watcher_fn watcher)
{
    if (call->is_bulk)
        return issue_parts(call, zh);
    if (call->request->multi)
        return issue_multi(call, zh) == ZOK;
    return issue_single(call, zh, watcher) == ZOK;
}
