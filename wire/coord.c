/*
 * Building and reading of coordination records.
 *
 *   | header | op | path NUL data pad | op | path NUL data pad | ...        all 8-byte aligned
 *
 * A builder only ever appends, and remembers in `overflow` that something did not fit, so that a
 * caller checks once, at the end. The reading side trusts no length: each step is checked against
 * the size that the record states, and a walk over a malformed record ends early instead of
 * leaving it. wire_zk_request_valid says beforehand whether a walk would reach the end.
 *
 * Source: Apache ZooKeeper 3.8, zookeeper.jute (which fields there are); the layout is ours.
 */
#include "wire/coord.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct wire_zk_stat) == 72, "no padding");
_Static_assert(sizeof(struct wire_zk_op) == 16, "no padding");
_Static_assert(sizeof(struct wire_zk_request) == 16, "no padding");
_Static_assert(sizeof(struct wire_zk_result) == 96, "no padding");
_Static_assert(sizeof(struct wire_zk_reply) == 24, "no padding");

/* ---- names ---- */

const char *wire_zk_err_name(int32_t err)
{
    switch ((enum wire_zk_err)err) {
    case WIRE_ZK_OK:
        return "OK";
    case WIRE_ZK_RUNTIME_INCONSISTENCY:
        return "RUNTIMEINCONSISTENCY";
    case WIRE_ZK_CONNECTION_LOSS:
        return "CONNECTIONLOSS";
    case WIRE_ZK_MARSHALLING:
        return "MARSHALLINGERROR";
    case WIRE_ZK_UNIMPLEMENTED:
        return "UNIMPLEMENTED";
    case WIRE_ZK_BAD_ARGUMENTS:
        return "BADARGUMENTS";
    case WIRE_ZK_NO_NODE:
        return "NONODE";
    case WIRE_ZK_BAD_VERSION:
        return "BADVERSION";
    case WIRE_ZK_NO_CHILDREN_FOR_EPHEMERALS:
        return "NOCHILDRENFOREPHEMERALS";
    case WIRE_ZK_NODE_EXISTS:
        return "NODEEXISTS";
    case WIRE_ZK_NOT_EMPTY:
        return "NOTEMPTY";
    case WIRE_ZK_SESSION_EXPIRED:
        return "SESSIONEXPIRED";
    case WIRE_ZK_INVALID_ACL:
        return "INVALIDACL";
    case WIRE_ZK_SESSION_MOVED:
        return "SESSIONMOVED";
    }
    return "UNKNOWN";
}

const char *wire_zk_opcode_name(enum wire_zk_opcode op)
{
    static const char *const names[WIRE_ZK_OPCODE_END] = {
        [WIRE_ZK_NOP] = "nop",
        [WIRE_ZK_CREATE] = "create",
        [WIRE_ZK_DELETE] = "delete",
        [WIRE_ZK_EXISTS] = "exists",
        [WIRE_ZK_GET_DATA] = "getData",
        [WIRE_ZK_SET_DATA] = "setData",
        [WIRE_ZK_GET_CHILDREN] = "getChildren",
        [WIRE_ZK_CHECK] = "check",
        [WIRE_ZK_SYNC] = "sync",
    };
    return (unsigned)op < WIRE_ZK_OPCODE_END ? names[op] : "unknown";
}

const char *wire_zk_event_name(enum wire_zk_event_type type)
{
    switch (type) {
    case WIRE_ZK_EVENT_NONE:
        return "None";
    case WIRE_ZK_EVENT_CREATED:
        return "NodeCreated";
    case WIRE_ZK_EVENT_DELETED:
        return "NodeDeleted";
    case WIRE_ZK_EVENT_CHANGED:
        return "NodeDataChanged";
    case WIRE_ZK_EVENT_CHILD:
        return "NodeChildrenChanged";
    }
    return "unknown";
}

/* ---- building ----
   Both records begin with their own size; while one is built that field is the number of bytes
   written so far, so the builder needs no further state. */

static size_t align8(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static uint32_t *written(struct wire_zk_builder *b)
{
    return (uint32_t *)(void *)b->bytes;
}

static void begin(struct wire_zk_builder *b, void *bytes, size_t capacity, const void *header,
                  size_t header_size)
{
    assert(((uintptr_t)bytes & 7) == 0);
    *b = (struct wire_zk_builder){.bytes = bytes, .capacity = capacity};
    if (capacity < header_size) {
        b->overflow = true;
        return;
    }
    memcpy(bytes, header, header_size);
}

/* Reserves `size` bytes (rounded up to 8, the padding zeroed) at the end; NULL where full. */
static uint8_t *append(struct wire_zk_builder *b, size_t size)
{
    if (b->overflow)
        return NULL;
    size_t used = *written(b);
    if (size > b->capacity || align8(size) > b->capacity - used ||
        align8(size) > UINT32_MAX - used) {
        b->overflow = true;
        return NULL;
    }
    uint8_t *at = b->bytes + used;
    if (size != 0)
        memset(at + align8(size) - 8, 0, 8);
    *written(b) = (uint32_t)(used + align8(size));
    return at;
}

/* Appends a head of fixed size and a path with its NUL, and leaves `data_size` bytes after them;
   returns where those are, NULL where full. */
static uint8_t *append_item(struct wire_zk_builder *b, const void *head, size_t head_size,
                            const char *path, size_t path_size, size_t data_size)
{
    uint8_t *at = append(b, head_size + path_size + 1 + data_size);
    if (at == NULL)
        return NULL;
    memcpy(at, head, head_size);
    at += head_size;
    if (path_size != 0)
        memcpy(at, path, path_size);
    at[path_size] = 0;
    return at + path_size + 1;
}

void wire_zk_begin(struct wire_zk_builder *b, void *bytes, size_t capacity, uint32_t xid,
                   bool multi)
{
    struct wire_zk_request head = {.size = sizeof head, .xid = xid, .multi = multi};
    begin(b, bytes, capacity, &head, sizeof head);
}

void wire_zk_add(struct wire_zk_builder *b, struct wire_zk_op op, const char *path,
                 const void *data)
{
    struct wire_zk_request *r = (struct wire_zk_request *)(void *)b->bytes;
    if (b->overflow || r->count == UINT16_MAX) {
        b->overflow = true;
        return;
    }
    size_t path_size = strlen(path);
    if (path_size > UINT32_MAX / 2) {
        b->overflow = true;
        return;
    }
    op.path_size = (uint32_t)path_size;
    op.has_data = data != NULL;
    if (data == NULL)
        op.data_size = 0;
    uint8_t *at = append_item(b, &op, sizeof op, path, path_size, op.data_size);
    if (at == NULL)
        return;
    r->count++;
    if (op.data_size != 0)
        memcpy(at, data, op.data_size);
}

const struct wire_zk_request *wire_zk_end(struct wire_zk_builder *b)
{
    return b->overflow ? NULL : (const struct wire_zk_request *)(const void *)b->bytes;
}

void wire_zk_reply_begin(struct wire_zk_builder *b, void *bytes, size_t capacity, uint32_t xid,
                         bool multi, int64_t zxid)
{
    struct wire_zk_reply head = {.size = sizeof head, .xid = xid, .zxid = zxid, .multi = multi};
    begin(b, bytes, capacity, &head, sizeof head);
}

uint8_t *wire_zk_reply_add_space(struct wire_zk_builder *b, struct wire_zk_result result,
                                 const char *path)
{
    struct wire_zk_reply *r = (struct wire_zk_reply *)(void *)b->bytes;
    if (b->overflow || r->count == UINT16_MAX) {
        b->overflow = true;
        return NULL;
    }
    result.path_size = path == NULL ? 0 : (uint32_t)strlen(path);
    uint8_t *at = append_item(b, &result, sizeof result, path, result.path_size, result.data_size);
    r->count = (uint16_t)(r->count + (at != NULL));
    return at;
}

void wire_zk_reply_add(struct wire_zk_builder *b, struct wire_zk_result result, const char *path,
                       const void *data)
{
    if (data == NULL)
        result.data_size = 0;
    uint8_t *at = wire_zk_reply_add_space(b, result, path);
    if (at != NULL && result.data_size != 0)
        memcpy(at, data, result.data_size);
}

const struct wire_zk_reply *wire_zk_reply_end(struct wire_zk_builder *b, int32_t err)
{
    if (b->overflow)
        return NULL;
    struct wire_zk_reply *r = (struct wire_zk_reply *)(void *)b->bytes;
    r->err = err;
    return r;
}

/* ---- reading ---- */

/* Size of the item at `at` (head, path NUL, data, padding), or 0 where it leaves the record or its
   path is not one NUL-terminated string. */
static size_t item_size(const uint8_t *record, size_t record_size, size_t at, size_t head_size,
                        uint32_t path_size, uint32_t data_size)
{
    size_t size = align8(head_size + (size_t)path_size + 1 + data_size);
    if (size > record_size - at)
        return 0;
    const uint8_t *path = record + at + head_size;
    return memchr(path, 0, (size_t)path_size + 1) == path + path_size ? size : 0;
}

bool wire_zk_op_next(const struct wire_zk_request *r, struct wire_zk_op_view *v)
{
    const uint8_t *record = (const uint8_t *)r;
    size_t at = v->next == 0 ? sizeof *r : v->next;
    if (at > r->size || r->size - at < sizeof(struct wire_zk_op))
        return false;
    const struct wire_zk_op *op = (const struct wire_zk_op *)(const void *)(record + at);
    size_t size = item_size(record, r->size, at, sizeof *op, op->path_size, op->data_size);
    if (size == 0)
        return false;
    v->op = op;
    v->path = (const char *)(op + 1);
    v->data = (const uint8_t *)v->path + op->path_size + 1;
    v->next = at + size;
    return true;
}

bool wire_zk_result_next(const struct wire_zk_reply *r, struct wire_zk_result_view *v)
{
    const uint8_t *record = (const uint8_t *)r;
    size_t at = v->next == 0 ? sizeof *r : v->next;
    if (at > r->size || r->size - at < sizeof(struct wire_zk_result))
        return false;
    const struct wire_zk_result *result =
        (const struct wire_zk_result *)(const void *)(record + at);
    size_t size =
        item_size(record, r->size, at, sizeof *result, result->path_size, result->data_size);
    if (size == 0)
        return false;
    v->result = result;
    v->path = (const char *)(result + 1);
    v->data = (const uint8_t *)v->path + result->path_size + 1;
    v->next = at + size;
    return true;
}

bool wire_zk_request_valid(const struct wire_zk_request *r, size_t size)
{
    if (size < sizeof *r || r->size > size || r->size < sizeof *r || (r->size & 7) != 0)
        return false;
    struct wire_zk_op_view v = {0};
    uint32_t count = 0;
    while (wire_zk_op_next(r, &v))
        count++;
    size_t end = v.next == 0 ? sizeof *r : v.next;
    return count == r->count && end == r->size && (r->multi || count == 1);
}

bool wire_zk_reply_valid(const struct wire_zk_reply *r, size_t size)
{
    if (size < sizeof *r || r->size > size || r->size < sizeof *r || (r->size & 7) != 0)
        return false;
    struct wire_zk_result_view v = {0};
    uint32_t count = 0;
    while (wire_zk_result_next(r, &v))
        count++;
    size_t end = v.next == 0 ? sizeof *r : v.next;
    return count == r->count && end == r->size;
}

const char *wire_zk_name_next(const struct wire_zk_result_view *v, const char *previous)
{
    const char *end = (const char *)v->data + v->result->data_size;
    const char *name = previous == NULL ? (const char *)v->data : previous + strlen(previous) + 1;
    if (name >= end || memchr(name, 0, (size_t)(end - name)) == NULL)
        return NULL;
    return name;
}
