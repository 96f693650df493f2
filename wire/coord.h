/*
 * The vocabulary of coordination: what a session asks of ZooKeeper, and what comes back.
 *
 * A request is one operation or a multi; a reply carries one result per operation. Both are flat
 * byte records (native byte order, 8-byte aligned), so that they are copied, queued, hashed and
 * kept without knowing what is inside; they hold no pointer. They never leave the process: on a
 * real ZooKeeper its C client speaks the wire protocol.
 *
 *   request  = struct wire_zk_request, then `count` x (struct wire_zk_op, path NUL, data)
 *   reply    = struct wire_zk_reply,   then `count` x (struct wire_zk_result, path NUL, data)
 *
 * Replies of one session arrive in the order of its requests (ZooKeeper's FIFO promise), and an
 * event of a watch arrives before any reply that shows the change it is about.
 *
 * Source: Apache ZooKeeper 3.8, zookeeper.jute, DataTree, PrepRequestProcessor,
 * FinalRequestProcessor.
 */
#ifndef WIRE_COORD_H
#define WIRE_COORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ZooKeeper's own codes (KeeperException.Code). */
enum wire_zk_err {
    WIRE_ZK_OK = 0,
    WIRE_ZK_RUNTIME_INCONSISTENCY = -2,
    WIRE_ZK_CONNECTION_LOSS = -4, /* outcome unknown; made by a client, never sent by a server */
    WIRE_ZK_MARSHALLING = -5,
    WIRE_ZK_UNIMPLEMENTED = -6,
    WIRE_ZK_BAD_ARGUMENTS = -8,
    WIRE_ZK_NO_NODE = -101,
    WIRE_ZK_BAD_VERSION = -103,
    WIRE_ZK_NO_CHILDREN_FOR_EPHEMERALS = -108,
    WIRE_ZK_NODE_EXISTS = -110,
    WIRE_ZK_NOT_EMPTY = -111,
    WIRE_ZK_SESSION_EXPIRED = -112,
    WIRE_ZK_INVALID_ACL = -114,
    WIRE_ZK_SESSION_MOVED = -118,
};

/* Returns the name in capitals without a prefix: "BADVERSION", "NODEEXISTS", "OK". Static. */
const char *wire_zk_err_name(int32_t err);

enum wire_zk_opcode {
    WIRE_ZK_NOP,
    WIRE_ZK_CREATE,
    WIRE_ZK_DELETE,
    WIRE_ZK_EXISTS,
    WIRE_ZK_GET_DATA,
    WIRE_ZK_SET_DATA,
    WIRE_ZK_GET_CHILDREN,
    WIRE_ZK_CHECK, /* in a multi only */
    WIRE_ZK_SYNC,
    WIRE_ZK_OPCODE_END
};
const char *wire_zk_opcode_name(enum wire_zk_opcode op); /* "create", "setData", … static */

enum { WIRE_ZK_EPHEMERAL = 1, WIRE_ZK_SEQUENTIAL = 2 }; /* create flags */
enum { WIRE_ZK_ANY_VERSION = -1 };

struct wire_zk_stat {
    int64_t czxid, mzxid, pzxid;
    int64_t ctime, mtime;    /* ms */
    int64_t ephemeral_owner; /* session id, 0 for none */
    int32_t version, cversion, aversion;
    int32_t data_length, num_children;
    int32_t unused;
};

struct wire_zk_op {
    uint8_t opcode;   /* enum wire_zk_opcode */
    uint8_t flags;    /* create flags */
    uint8_t watch;    /* EXISTS, GET_DATA: data watch; GET_CHILDREN: child watch */
    uint8_t has_data; /* CREATE, SET_DATA: 0 means a null payload (Kafka creates some), not an empty
                         one */
    int32_t version;  /* DELETE, SET_DATA, CHECK: expected data version or WIRE_ZK_ANY_VERSION */
    uint32_t path_size; /* without the NUL that follows the bytes */
    uint32_t data_size;
};

struct wire_zk_request {
    uint32_t size; /* of the whole record, a multiple of 8 */
    uint32_t xid;  /* the asker's own number, comes back in the reply */
    uint16_t count;
    uint8_t multi; /* 1: atomic; then count >= 0 */
    uint8_t unused[5];
};

struct wire_zk_result {
    uint8_t opcode;
    uint8_t has_data;
    uint8_t unused[2];
    int32_t err;
    uint32_t path_size; /* CREATE: the path made (sequential suffix included) */
    uint32_t data_size; /* GET_DATA: the data; GET_CHILDREN: names, each NUL-terminated */
    uint32_t name_count;
    uint32_t unused2;
    struct wire_zk_stat stat; /* of CREATE, EXISTS, GET_DATA, SET_DATA, GET_CHILDREN */
};

struct wire_zk_reply {
    uint32_t size;
    uint32_t xid;
    int64_t zxid; /* last zxid that the server had applied */
    int32_t err;  /* of the whole request: that of the failing operation of a multi */
    uint16_t count;
    uint8_t multi;
    uint8_t unused;
};

enum wire_zk_event_type {
    WIRE_ZK_EVENT_NONE,
    WIRE_ZK_EVENT_CREATED = 1,
    WIRE_ZK_EVENT_DELETED = 2,
    WIRE_ZK_EVENT_CHANGED = 3,
    WIRE_ZK_EVENT_CHILD = 4,
};
const char *wire_zk_event_name(enum wire_zk_event_type type); /* "NodeCreated", … static */

/* ---- building: append operations to a buffer that the caller owns ---- */

struct wire_zk_builder {
    uint8_t *bytes; /* 8-byte aligned */
    size_t capacity;
    bool overflow; /* set where something did not fit; the record is then unusable */
};

/* Begins a request in `bytes` (capacity bytes, 8-byte aligned). */
void wire_zk_begin(struct wire_zk_builder *b, void *bytes, size_t capacity, uint32_t xid,
                   bool multi);
/* Appends one operation. path_size and has_data are filled in here; data NULL: null payload,
   otherwise data_size bytes. */
void wire_zk_add(struct wire_zk_builder *b, struct wire_zk_op op, const char *path,
                 const void *data);
/* Returns the finished record, or NULL on overflow. Aliases the buffer. */
const struct wire_zk_request *wire_zk_end(struct wire_zk_builder *b);

/* Reply side, for a server: begin, one call per result, end. */
void wire_zk_reply_begin(struct wire_zk_builder *b, void *bytes, size_t capacity, uint32_t xid,
                         bool multi, int64_t zxid);
/* Appends a result; path (NULL: none) and data (data_size bytes) as its opcode wants. */
void wire_zk_reply_add(struct wire_zk_builder *b, struct wire_zk_result result, const char *path,
                       const void *data);
/* As wire_zk_reply_add, but leaves the data to the caller: returns the place of result.data_size
   bytes to fill in, or NULL on overflow. */
uint8_t *wire_zk_reply_add_space(struct wire_zk_builder *b, struct wire_zk_result result,
                                 const char *path);
const struct wire_zk_reply *wire_zk_reply_end(struct wire_zk_builder *b, int32_t err);

/* ---- reading ---- */

struct wire_zk_op_view {
    const struct wire_zk_op *op;
    const char *path; /* NUL-terminated, aliases the record */
    const uint8_t *data;
    size_t next; /* offset of the next one, internal */
};
/* Walks the operations: start with {0}; false at the end. */
bool wire_zk_op_next(const struct wire_zk_request *r, struct wire_zk_op_view *v);

struct wire_zk_result_view {
    const struct wire_zk_result *result;
    const char *path;
    const uint8_t *data;
    size_t next;
};
bool wire_zk_result_next(const struct wire_zk_reply *r, struct wire_zk_result_view *v);

/* Whether `r`, of which `size` bytes may be read, is well formed: every item lies inside, paths are
   NUL-terminated, the count is right, and one that is no multi holds exactly one operation. The
   walks above are safe on any record whose stated size may be read; they end early on a bad one. */
bool wire_zk_request_valid(const struct wire_zk_request *r, size_t size);
bool wire_zk_reply_valid(const struct wire_zk_reply *r, size_t size);

/* Walks the names of a GET_CHILDREN result: start with NULL; NULL at the end. */
const char *wire_zk_name_next(const struct wire_zk_result_view *v, const char *previous);

#endif
