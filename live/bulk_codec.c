/*
 * A cursor over bytes does all reading: it stops at the first thing that does not fit, gives zeros
 * from then on, and is asked at the end. An answer is read twice: once for its size, once into the
 * record.
 */
#define _GNU_SOURCE
#include "live/bulk_codec.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 16, MULTI_HEADER_SIZE = 9, STAT_SIZE = 68 };
enum { OP_GET_DATA = 4, OP_GET_CHILDREN = 8, OP_ERROR = -1 };

/* ---- writing ---- */

struct writer {
    uint8_t *at;
};

static void put_bytes(struct writer *w, const void *bytes, size_t size)
{
    memcpy(w->at, bytes, size);
    w->at += size;
}

static void put_int(struct writer *w, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    put_bytes(w, &big, 4);
}

static void put_long(struct writer *w, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    put_bytes(w, &big, 8);
}

static void put_bool(struct writer *w, bool value)
{
    *w->at++ = value;
}

void live_bulk_put_connect(uint8_t to[LIVE_BULK_CONNECT_SIZE], const struct live_bulk_session *s,
                           int64_t zxid_seen)
{
    struct writer w = {to};
    put_int(&w, LIVE_BULK_CONNECT_SIZE - 4);
    put_int(&w, 0); /* protocol version */
    put_long(&w, zxid_seen);
    put_int(&w, s->timeout_ms);
    put_long(&w, s->session);
    put_int(&w, LIVE_BULK_PASSWORD_SIZE);
    put_bytes(&w, s->password, LIVE_BULK_PASSWORD_SIZE);
    put_bool(&w, false); /* no read-only server */
    assert(w.at == to + LIVE_BULK_CONNECT_SIZE);
}

/* The chroot itself is "/" below it. */
static void put_path(struct writer *w, const char *chroot, size_t chroot_size, const char *path,
                     size_t size)
{
    if (chroot_size > 0 && size == 1)
        size = 0;
    put_int(w, (int32_t)(chroot_size + size));
    put_bytes(w, chroot, chroot_size);
    put_bytes(w, path, size);
}

size_t live_bulk_put_small(uint8_t *to, int32_t xid, int32_t opcode, const char *chroot)
{
    struct writer w = {to + 4};
    put_int(&w, xid);
    put_int(&w, opcode);
    if (opcode == LIVE_BULK_OP_SYNC)
        put_path(&w, chroot, strlen(chroot), "/", 1);
    size_t size = (size_t)(w.at - to);
    w.at = to;
    put_int(&w, (int32_t)(size - 4));
    return size;
}

static void put_multi_header(struct writer *w, int32_t opcode, bool done)
{
    put_int(w, opcode);
    put_bool(w, done);
    put_int(w, -1);
}

static size_t path_size(const struct wire_zk_op_view *v, size_t chroot_size)
{
    return chroot_size + (chroot_size > 0 && v->op->path_size == 1 ? 0 : v->op->path_size);
}

size_t live_bulk_read_size(const struct wire_zk_request *request, size_t chroot_size)
{
    size_t size = 4 + 8 + MULTI_HEADER_SIZE;
    struct wire_zk_op_view v = {0};
    while (wire_zk_op_next(request, &v))
        size += MULTI_HEADER_SIZE + 4 + path_size(&v, chroot_size) + 1;
    return size;
}

void live_bulk_put_read(uint8_t *to, size_t size, int32_t xid,
                        const struct wire_zk_request *request, const char *chroot)
{
    struct writer w = {to};
    struct wire_zk_op_view v = {0};
    size_t chroot_size = strlen(chroot);
    put_int(&w, (int32_t)(size - 4));
    put_int(&w, xid);
    put_int(&w, LIVE_BULK_OP_MULTI_READ);
    while (wire_zk_op_next(request, &v)) {
        put_multi_header(&w, v.op->opcode == WIRE_ZK_GET_DATA ? OP_GET_DATA : OP_GET_CHILDREN,
                         false);
        put_path(&w, chroot, chroot_size, v.path, v.op->path_size);
        put_bool(&w, false); /* no watch */
    }
    put_multi_header(&w, -1, true);
    assert(w.at == to + size);
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

/* Returns the place of the next `size` bytes, NULL where there are not as many. */
static const uint8_t *get_bytes(struct reader *r, size_t size)
{
    const uint8_t *here = r->at;
    if (r->failed || size > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    r->at += size;
    return here;
}

static int32_t get_int(struct reader *r)
{
    uint32_t big = 0;
    const uint8_t *p = get_bytes(r, 4);
    if (p != NULL)
        memcpy(&big, p, 4);
    return (int32_t)be32toh(big);
}

static int64_t get_long(struct reader *r)
{
    uint64_t big = 0;
    const uint8_t *p = get_bytes(r, 8);
    if (p != NULL)
        memcpy(&big, p, 8);
    return (int64_t)be64toh(big);
}

static bool get_bool(struct reader *r)
{
    const uint8_t *p = get_bytes(r, 1);
    return p != NULL && *p != 0;
}

/* A string or buffer: its length, -1 for null, and its bytes. */
static const uint8_t *get_buffer(struct reader *r, int32_t *size)
{
    *size = get_int(r);
    if (*size < -1)
        r->failed = true;
    return get_bytes(r, *size < 0 ? 0 : (size_t)*size);
}

static struct wire_zk_stat get_stat(struct reader *r)
{
    struct wire_zk_stat s = {0};
    s.czxid = get_long(r);
    s.mzxid = get_long(r);
    s.ctime = get_long(r);
    s.mtime = get_long(r);
    s.version = get_int(r);
    s.cversion = get_int(r);
    s.aversion = get_int(r);
    s.ephemeral_owner = get_long(r);
    s.data_length = get_int(r);
    s.num_children = get_int(r);
    s.pzxid = get_long(r);
    return s;
}

bool live_bulk_get_connect(const uint8_t *bytes, size_t size, struct live_bulk_session *s)
{
    struct reader r = {bytes, bytes + size, false};
    int32_t password_size;
    get_int(&r);
    s->timeout_ms = get_int(&r);
    s->session = get_long(&r);
    const uint8_t *password = get_buffer(&r, &password_size);
    if (r.failed || password_size != LIVE_BULK_PASSWORD_SIZE)
        return false;
    memcpy(s->password, password, LIVE_BULK_PASSWORD_SIZE);
    return true; /* a byte "read-only" may follow */
}

bool live_bulk_get_header(const uint8_t *bytes, size_t size, struct live_bulk_header *h)
{
    struct reader r = {bytes, bytes + size, false};
    h->xid = get_int(&r);
    h->zxid = get_long(&r);
    h->err = get_int(&r);
    return !r.failed;
}

/* ---- the answer to a multiRead ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names lie in `names`, each with its NUL; brings them into ascending order. Two names that are
   equal, or one with a NUL inside, cannot come from a server; they do no harm. */
static void sort_names(uint8_t *names, size_t size, uint32_t count)
{
    char *copy = malloc(size + 1);
    const char **order = malloc((count + 1) * sizeof *order);
    if (copy == NULL || order == NULL)
        abort();
    memcpy(copy, names, size);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = copy + at;
        at += strlen(copy + at) + 1;
    }
    qsort(order, count, sizeof *order, by_text);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(order[i]) + 1;
        memcpy(names, order[i], length);
        names += length;
    }
    free(order);
    free(copy);
}

/* A vector of names; their bytes with a NUL each go to `to` (NULL: only counted). */
static void get_names(struct reader *r, struct wire_zk_result *result, uint8_t *to)
{
    int32_t count = get_int(r);
    uint8_t *at = to;
    for (int32_t i = 0; i < count && !r->failed; i++) {
        int32_t size;
        const uint8_t *name = get_buffer(r, &size);
        if (r->failed || size < 0 || memchr(name, 0, (size_t)size) != NULL) {
            r->failed = true;
            return;
        }
        if (to != NULL) {
            memcpy(at, name, (size_t)size);
            at[size] = 0;
            at += size + 1;
        }
        result->data_size += (uint32_t)size + 1;
        result->name_count++;
    }
    if (to != NULL && !r->failed)
        sort_names(to, result->data_size, result->name_count);
}

/* One result; for GET_CHILDREN the reader is left at the vector's begin again, so that its bytes
   can be read when there is room for them. */
static struct wire_zk_result get_result(struct reader *r, uint8_t opcode, const uint8_t **data)
{
    struct wire_zk_result result = {.opcode = opcode};
    int32_t type = get_int(r), size;
    bool done = get_bool(r);
    get_int(r); /* the code again */
    *data = NULL;
    if (done) {
        r->failed = true;
    } else if (type == OP_ERROR) {
        result.err = get_int(r);
        r->failed = r->failed || result.err == 0;
    } else if (type == OP_GET_DATA && opcode == WIRE_ZK_GET_DATA) {
        *data = get_buffer(r, &size);
        result.has_data = size >= 0;
        result.data_size = size > 0 ? (uint32_t)size : 0;
        result.stat = get_stat(r);
    } else if (type == OP_GET_CHILDREN && opcode == WIRE_ZK_GET_CHILDREN) {
        *data = r->at;
        get_names(r, &result, NULL);
    } else {
        r->failed = true;
    }
    return result;
}

static bool at_end(struct reader *r)
{
    get_int(r);
    bool done = get_bool(r);
    get_int(r);
    return !r->failed && done && r->at == r->end;
}

static size_t measure(struct reader r, const struct wire_zk_request *request)
{
    size_t size = sizeof(struct wire_zk_reply);
    struct wire_zk_op_view v = {0};
    const uint8_t *data;
    while (wire_zk_op_next(request, &v) && !r.failed) {
        struct wire_zk_result result = get_result(&r, v.op->opcode, &data);
        size += (sizeof result + result.data_size + 7) & ~(size_t)7;
        size += 8; /* an empty path has a NUL */
    }
    return at_end(&r) && size <= UINT32_MAX ? size : 0;
}

static void add_result(struct wire_zk_builder *b, struct wire_zk_result result, const uint8_t *data,
                       const uint8_t *end)
{
    if (result.opcode == WIRE_ZK_GET_DATA || result.err != WIRE_ZK_OK) {
        wire_zk_reply_add(b, result, NULL, data);
        return;
    }
    struct reader names = {data, end, false};
    uint8_t *to = wire_zk_reply_add_space(b, result, NULL);
    struct wire_zk_result again = {0};
    if (to != NULL)
        get_names(&names, &again, to);
}

struct wire_zk_reply *live_bulk_get_reply(const uint8_t *bytes, size_t size,
                                          const struct wire_zk_request *request)
{
    struct live_bulk_header header;
    if (!live_bulk_get_header(bytes, size, &header))
        return NULL;
    struct reader r = {bytes + HEADER_SIZE, bytes + size, false};
    size_t room = measure(r, request);
    void *to = room == 0 ? NULL : malloc(room);
    if (to == NULL)
        return NULL;
    struct wire_zk_builder b;
    struct wire_zk_op_view v = {0};
    const uint8_t *data;
    wire_zk_reply_begin(&b, to, room, request->xid, true, header.zxid);
    while (wire_zk_op_next(request, &v)) {
        struct wire_zk_result result = get_result(&r, v.op->opcode, &data);
        add_result(&b, result, data, r.end);
    }
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, WIRE_ZK_OK);
    assert(reply == to);
    return to;
}
