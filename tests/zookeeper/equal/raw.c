/*
 * ZooKeeper's protocol, as much of it as a multi needs: numbers with the big end first, strings and
 * buffers behind their size, -1 for none.
 *
 *   connect ──►  ◄── session      then      size xid opcode (type done err record)… (-1 1 -1) ──►
 *                                     ◄── size xid zxid err (type done err record)… (-1 1 -1)
 *
 * Source: zookeeper.jute, MultiOperationRecord, MultiResponse.
 */
#define _GNU_SOURCE
#include "raw.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 1 << 20, TIMEOUT_MS = 60000, NAMES_MAX = 64 };
enum { TYPE_MULTI = 14, TYPE_MULTI_READ = 22, TYPE_ERROR = -1 };

struct raw {
    int fd;
    int32_t xid;
    size_t size, at; /* of the frame being written, or read */
    uint8_t frame[FRAME_MAX];
};

/* ---- writing ---- */

static void put_bytes(struct raw *r, const void *bytes, size_t size)
{
    assert(r->size + size <= FRAME_MAX);
    memcpy(r->frame + r->size, bytes, size);
    r->size += size;
}

static void put_int(struct raw *r, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    put_bytes(r, &big, sizeof big);
}

static void put_long(struct raw *r, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    put_bytes(r, &big, sizeof big);
}

static void put_bool(struct raw *r, bool value)
{
    put_bytes(r, &(uint8_t){value}, 1);
}

static void put_buffer(struct raw *r, const void *bytes, int32_t size)
{
    put_int(r, size);
    if (size > 0)
        put_bytes(r, bytes, (size_t)size);
}

static void begin(struct raw *r)
{
    r->size = 0;
    put_int(r, 0);
}

static void must(bool good, const char *what)
{
    if (!good) {
        printf("raw connection to ZooKeeper: %s\n", what);
        exit(1);
    }
}

static void send_frame(struct raw *r)
{
    uint32_t big = htobe32((uint32_t)r->size - 4);
    memcpy(r->frame, &big, sizeof big);
    for (size_t sent = 0; sent < r->size;) {
        ssize_t n = send(r->fd, r->frame + sent, r->size - sent, MSG_NOSIGNAL);
        must(n > 0, "cannot send");
        sent += (size_t)n;
    }
}

/* ---- reading ---- */

static void receive(struct raw *r, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = recv(r->fd, r->frame + got, size - got, 0);
        must(n > 0, "closed by the server, or silent");
        got += (size_t)n;
    }
    r->size = size;
    r->at = 0;
}

static const void *get_bytes(struct raw *r, size_t size)
{
    must(size <= r->size - r->at, "a frame ends early");
    r->at += size;
    return r->frame + r->at - size;
}

static int32_t get_int(struct raw *r)
{
    uint32_t big;
    memcpy(&big, get_bytes(r, sizeof big), sizeof big);
    return (int32_t)be32toh(big);
}

static int64_t get_long(struct raw *r)
{
    uint64_t big;
    memcpy(&big, get_bytes(r, sizeof big), sizeof big);
    return (int64_t)be64toh(big);
}

static void receive_frame(struct raw *r)
{
    receive(r, 4);
    int32_t size = get_int(r);
    must(size > 0 && size <= FRAME_MAX, "a frame of no size");
    receive(r, (size_t)size);
}

static struct wire_zk_stat get_stat(struct raw *r)
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

/* ---- the session ---- */

struct raw *raw_open(int port)
{
    static const uint8_t no_password[16];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct raw *r = calloc(1, sizeof *r);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(r->fd, (struct sockaddr *)&at, sizeof at) == 0, "refused");
    setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20},
               sizeof(struct timeval));
    begin(r);
    put_int(r, 0);  /* protocol */
    put_long(r, 0); /* last zxid seen */
    put_int(r, TIMEOUT_MS);
    put_long(r, 0); /* a new session */
    put_buffer(r, no_password, sizeof no_password);
    put_bool(r, false); /* no read-only server */
    send_frame(r);
    receive_frame(r);
    get_int(r);
    must(get_int(r) > 0, "no session");
    return r;
}

void raw_close(struct raw *r)
{
    close(r->fd);
    free(r);
}

/* ---- a multi ---- */

static int32_t type_of(enum wire_zk_opcode opcode)
{
    switch (opcode) {
    case WIRE_ZK_CREATE:
        return 1;
    case WIRE_ZK_DELETE:
        return 2;
    case WIRE_ZK_EXISTS:
        return 3;
    case WIRE_ZK_GET_DATA:
        return 4;
    case WIRE_ZK_SET_DATA:
        return 5;
    case WIRE_ZK_GET_CHILDREN:
        return 8;
    case WIRE_ZK_CHECK:
        return 13;
    case WIRE_ZK_NOP:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return 0;
}

static bool is_read(enum wire_zk_opcode opcode)
{
    return opcode == WIRE_ZK_GET_DATA || opcode == WIRE_ZK_GET_CHILDREN || opcode == WIRE_ZK_EXISTS;
}

static void put_operation(struct raw *r, const struct plan_op *op, const struct naming *naming)
{
    char path[512];
    int size = snprintf(path, sizeof path, "%s%s", naming->prefix, op->path);
    put_int(r, type_of(op->opcode));
    put_bool(r, false);
    put_int(r, -1);
    put_buffer(r, path, size);
    if (is_read(op->opcode)) {
        put_bool(r, op->watch);
        return;
    }
    if (op->opcode == WIRE_ZK_CREATE || op->opcode == WIRE_ZK_SET_DATA)
        put_buffer(r, op->data, op->size);
    if (op->opcode != WIRE_ZK_CREATE) {
        put_int(r, op->version);
        return;
    }
    put_int(r, 1); /* one ACL: everybody, everything */
    put_int(r, 31);
    put_buffer(r, "world", 5);
    put_buffer(r, "anyone", 6);
    put_int(r, op->flags);
}

static void send_multi(struct raw *r, const struct plan_step *step, const struct naming *naming)
{
    begin(r);
    put_int(r, ++r->xid);
    put_int(r, is_read(step->ops[0].opcode) ? TYPE_MULTI_READ : TYPE_MULTI);
    for (int i = 0; i < step->count; i++)
        put_operation(r, &step->ops[i], naming);
    put_int(r, -1);
    put_bool(r, true);
    put_int(r, -1);
    send_frame(r);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_children(struct raw *r, struct history *h, const char *head)
{
    char *names[NAMES_MAX], joined[4096] = "";
    int32_t count = get_int(r);
    assert(count <= NAMES_MAX);
    for (int32_t i = 0; i < count; i++) {
        int32_t size = get_int(r);
        names[i] = strndup(get_bytes(r, (size_t)size), (size_t)size);
    }
    if (count > 0)
        qsort(names, (size_t)count, sizeof names[0], by_text);
    for (int32_t i = 0; i < count; i++) {
        strcat(strcat(joined, " "), names[i]);
        free(names[i]);
    }
    history_add(h, "%s%s", head, joined);
}

static void add_data(struct raw *r, struct history *h, const char *head,
                     const struct naming *naming)
{
    char text[256], bytes[32];
    int32_t size = get_int(r);
    const void *data = size < 0 ? NULL : get_bytes(r, (size_t)size);
    struct wire_zk_stat stat = get_stat(r);
    history_add(h, "%s %s %s", head, name_data(data, size < 0 ? 0 : size, bytes),
                name_stat(naming, &stat, text));
}

static void add_result(struct raw *r, struct history *h, const struct plan_op *op, int number,
                       int i, const struct naming *naming)
{
    char head[64];
    int32_t type = get_int(r);
    get_bytes(r, 1);
    int32_t err = get_int(r);
    if (type == TYPE_ERROR)
        must(get_int(r) == err, "two codes of one operation");
    snprintf(head, sizeof head, "#%d.%d %s %s", number, i, wire_zk_opcode_name(op->opcode),
             wire_zk_err_name(err));
    if (type == type_of(WIRE_ZK_GET_DATA))
        add_data(r, h, head, naming);
    else if (type == type_of(WIRE_ZK_GET_CHILDREN))
        add_children(r, h, head);
    else
        history_add(h, "%s", head);
}

void raw_multi(struct raw *r, const struct plan_step *step, int number, struct history *h,
               const struct naming *naming)
{
    send_multi(r, step, naming);
    receive_frame(r);
    if (get_int(r) != r->xid) {
        history_add(h, "#%d something else", number);
        return;
    }
    get_long(r);
    int32_t err = get_int(r);
    history_add(h, "#%d multi %s", number, wire_zk_err_name(err));
    for (int i = 0; err == WIRE_ZK_OK && i < step->count; i++)
        add_result(r, h, &step->ops[i], number, i, naming);
}
