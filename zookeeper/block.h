/*
 * Inside of the server's block. Only files of this folder include this.
 *
 *   struct kz_server | nodes | node table | watches | watched paths | path table
 *                    | sessions | connection table | history | arena
 *
 * Everything is an index into its section (0 is nobody), or an offset into the arena, so that the
 * block may be copied as bytes. Free items of a section are zero but for the link to the next free
 * one. The two tables and the connection table are open addressing with linear probing and
 * backward shift on removal; they answer lookups and are never iterated.
 *
 * The arena is a log: a blob is appended, and a blob given back is only marked dead. When the end
 * is reached the live blobs are slid together. One eighth more than `limits.bytes` is set aside, so
 * a slide always gains at least that, and costs O(1) for each byte appended. Every blob's head
 * names the one field that refers to it, which is how a slide finds what to correct.
 */
#ifndef ZOOKEEPER_BLOCK_H
#define ZOOKEEPER_BLOCK_H

#include "zookeeper/server.h"

#include <string.h>

/* ---- sections ---- */

struct kz_slot {
    uint32_t hash;
    uint32_t item; /* 0: empty */
};

enum { KZ_NAME_INLINE = 16, KZ_ROOT = 1 };

/* One znode; the first half is what a lookup touches. */
struct kz_node {
    uint32_t hash;        /* of the whole path */
    uint32_t parent;      /* 0: the root, or a free slot */
    uint32_t left, right; /* treap of the siblings: ordered by name, heap by mixed hash */
    uint32_t prev, next;  /* the same siblings as a list, in order of name */
    uint32_t child;       /* root of the children's treap */
    uint32_t data;        /* arena, 0 where null or empty */
    uint32_t data_size;
    uint16_t name_size;
    uint8_t has_data;
    uint8_t unused;
    union {
        char name[KZ_NAME_INLINE]; /* where it fits */
        uint32_t name_at;          /* arena, otherwise */
    };
    uint32_t ephemeral_prev, ephemeral_next; /* of the owner, in order of creation */

    int64_t czxid, mzxid, pzxid;
    int64_t ctime, mtime; /* ms */
    int64_t owner;
    int32_t version;
    int32_t creations; /* children ever made: the next sequential suffix */
    int32_t aversion;
    uint32_t num_children;
};
_Static_assert(sizeof(struct kz_node) == 128, "two cache lines, no padding");

struct kz_watch {
    uint32_t session;
    uint32_t watched;
    uint32_t prev, next;                 /* on the path, ascending session ids */
    uint32_t session_prev, session_next; /* of the session, newest first */
    uint32_t kind;                       /* one bit of enum kz_watch_kind */
    uint32_t unused;
};
_Static_assert(sizeof(struct kz_watch) == 32, "no padding");

/* A path that somebody watches, whether or not there is a node. */
struct kz_watched {
    uint32_t hash;
    uint32_t path; /* arena */
    uint32_t path_size;
    uint32_t data;  /* first of the data and exists watches */
    uint32_t child; /* first of the child watches */
    uint32_t next;  /* of the free list */
};
_Static_assert(sizeof(struct kz_watched) == 24, "no padding");

struct kz_session {
    int64_t id; /* 0: a free slot */
    uint64_t password;
    int64_t timeout_us;
    int64_t expires; /* µs, a multiple of the tick */
    int64_t seen;    /* last zxid whose effect the connection was shown */
    int64_t view;    /* where lagging: reads are answered as of this */
    uint32_t conn;   /* 0: not connected */
    uint32_t lagging;
    uint32_t prev, next; /* ascending ids; next is also the free list's */
    uint32_t ephemeral_first, ephemeral_last;
    uint32_t watch; /* first of its watches */
    uint32_t unused;
};
_Static_assert(sizeof(struct kz_session) == 80, "no padding");

/* One change and what it replaced: enough to see the tree as it was before. */
struct kz_past {
    int64_t zxid;
    int64_t parent_pzxid;                             /* CREATE, DELETE: of the parent, before */
    int64_t czxid, mzxid, pzxid, ctime, mtime, owner; /* DELETE: all; SET_DATA: mzxid, mtime */
    int32_t version, creations, aversion;
    uint32_t opcode;
    uint32_t hash, path, path_size; /* path in the arena */
    uint32_t data, data_size, has_data;
};
_Static_assert(sizeof(struct kz_past) == 104, "no padding");

struct kz_server {
    uint64_t size; /* of the block */
    struct kz_limits limits;
    uint32_t quorum_lost;
    uint64_t nodes, table, watches, watched, paths, sessions, conns, history, arena; /* offsets */
    int64_t tick_us;
    int64_t zxid;
    int64_t last_session;
    int64_t next_expiry; /* least of all sessions, INT64_MAX */
    int64_t floor;       /* history reaches back to the state as of this zxid */
    uint64_t arena_end;  /* bytes appended, dead ones included */
    uint64_t arena_live;
    uint32_t node_count, node_high, node_free;
    uint32_t watch_count, watch_high, watch_free;
    uint32_t watched_high, watched_free;
    uint32_t session_count, session_high, session_free;
    uint32_t session_first, session_last;
    uint32_t history_first, history_count;
    uint32_t sorting; /* while a session's ephemerals are put in order: how many; else 0 */
};

/* ---- block.c ---- */

static inline uint8_t *kz_at(const struct kz_server *s, uint64_t offset)
{
    return (uint8_t *)(uintptr_t)s + offset; /* the one place that drops const */
}
static inline struct kz_node *kz_node(const struct kz_server *s, uint32_t i)
{
    return (struct kz_node *)(void *)kz_at(s, s->nodes) + i;
}
static inline struct kz_watch *kz_watch(const struct kz_server *s, uint32_t i)
{
    return (struct kz_watch *)(void *)kz_at(s, s->watches) + i;
}
static inline struct kz_watched *kz_watched(const struct kz_server *s, uint32_t i)
{
    return (struct kz_watched *)(void *)kz_at(s, s->watched) + i;
}
static inline struct kz_session *kz_session(const struct kz_server *s, uint32_t i)
{
    return (struct kz_session *)(void *)kz_at(s, s->sessions) + i;
}
/* The i-th oldest record of history. */
static inline struct kz_past *kz_past(const struct kz_server *s, uint32_t i)
{
    return (struct kz_past *)(void *)kz_at(s, s->history) +
           ((uint64_t)s->history_first + i) % s->limits.history;
}

/* Slots of a table for `items` items. */
static inline uint32_t kz_table_slots(uint32_t items)
{
    return items + items / 2 + 2;
}
static inline uint32_t kz_table_home(uint32_t slots, uint32_t hash)
{
    return (uint32_t)(((uint64_t)hash * slots) >> 32);
}
void kz_table_add(struct kz_slot *table, uint32_t slots, uint32_t hash, uint32_t item);
void kz_table_remove(struct kz_slot *table, uint32_t slots, uint32_t hash, uint32_t item);

/* Whom a blob belongs to: which field of which item refers to it. */
enum kz_blob_kind {
    KZ_BLOB_DEAD,
    KZ_BLOB_NAME,
    KZ_BLOB_DATA,
    KZ_BLOB_WATCHED_PATH,
    KZ_BLOB_PAST_PATH,
    KZ_BLOB_PAST_DATA,
};

/* Bytes of the arena that a blob of `size` takes. */
static inline uint64_t kz_blob_cost(uint64_t size)
{
    return 8 + ((size + 7) & ~(uint64_t)7);
}
static inline uint8_t *kz_blob(const struct kz_server *s, uint32_t blob)
{
    return kz_at(s, s->arena + (uint64_t)blob * 8);
}
/* Whether `cost` more bytes may be appended. */
bool kz_arena_has(const struct kz_server *s, uint64_t cost);
/* Makes them contiguous; afterwards kz_blob_new does not move anything until `cost` is used up. */
void kz_arena_reserve(struct kz_server *s, uint64_t cost);
uint32_t kz_blob_new(struct kz_server *s, enum kz_blob_kind kind, uint32_t item, uint32_t size);
void kz_blob_own(struct kz_server *s, uint32_t blob, enum kz_blob_kind kind, uint32_t item);
void kz_blob_free(struct kz_server *s, uint32_t blob);
/* Physical slot number of the i-th oldest record, as blobs of history are owned by slot. */
uint32_t kz_past_slot(const struct kz_server *s, uint32_t i);

/* Sorts a list from `head`, linked through *link(s, item), by `before`; stable. Returns the new
   head. Links of the other direction are the caller's to mend. */
uint32_t kz_list_sort(struct kz_server *s, uint32_t head,
                      uint32_t *(*link)(struct kz_server *s, uint32_t item),
                      bool (*before)(const struct kz_server *s, uint32_t a, uint32_t b));

/* ---- path.c ---- */

uint64_t kz_hash_bytes(uint64_t seed, const void *bytes, size_t size);
uint32_t kz_path_hash(const char *path, size_t size);
/* Whether ZooKeeper's PathUtils accepts `path` (and it is shorter than KZ_PATH_MAX). */
bool kz_path_valid(const char *path, size_t size);
bool kz_name_valid(const char *name, size_t size);
/* Size of the parent's path within `path`: up to the last slash, 0 for a child of the root. */
size_t kz_path_parent(const char *path, size_t size);
/* Java's String.hashCode of the path. */
uint32_t kz_path_java_hash(const char *path, size_t size);

/* ---- tree.c ---- */

/* Order of names as byte strings: < 0, 0, > 0. */
int kz_compare_names(const char *a, size_t a_size, const char *b, size_t b_size);

const char *kz_node_name(const struct kz_server *s, const struct kz_node *n);
const uint8_t *kz_node_data(const struct kz_server *s, const struct kz_node *n);
/* The node at path[0..size), 0 where none; "" is the root as "/" is. */
uint32_t kz_tree_find(const struct kz_server *s, const char *path, size_t size);
/* Writes the path with its NUL, returns its size. */
size_t kz_tree_path(const struct kz_server *s, uint32_t node, char buffer[KZ_PATH_MAX]);
/* First child in order of name, 0 where none. */
uint32_t kz_tree_first_child(const struct kz_server *s, uint32_t node);
/* The child of `parent` with the least name above `name`, 0 where none. */
uint32_t kz_tree_child_after(const struct kz_server *s, uint32_t parent, const char *name,
                             size_t size);
/* Arena bytes that a new node of this name and data takes. */
uint64_t kz_tree_cost(size_t name_size, uint32_t data_size);
/* A new node under `parent` (no stat yet, not in its owner's list). */
uint32_t kz_tree_add(struct kz_server *s, uint32_t parent, const char *path, size_t size);
/* Takes a node out of table, siblings and owner's list; it keeps its contents. */
void kz_tree_unlink(struct kz_server *s, uint32_t node);
/* Puts an unlinked node back. */
void kz_tree_relink(struct kz_server *s, uint32_t node);
/* Frees an unlinked node, its name, and its data where it still has any. */
void kz_tree_free(struct kz_server *s, uint32_t node);
/* Gives the node new data; the old blob is left to the caller. */
void kz_tree_set_data(struct kz_server *s, uint32_t node, const void *data, uint32_t size,
                      bool has_data);
void kz_tree_stat(const struct kz_node *n, struct wire_zk_stat *stat);
void kz_tree_own(struct kz_server *s, uint32_t node, uint32_t session);

/* ---- watch.c ---- */

/* Whether one more watch of `session` on the path needs a slot that is not there: NULL or the name
   of the limit. */
const char *kz_watch_short_of(const struct kz_server *s, uint32_t session, const char *path,
                              uint32_t kind);
/* Returns false where it was armed already. */
bool kz_watch_arm(struct kz_server *s, uint32_t session, const char *path, uint32_t kind);
void kz_watch_disarm(struct kz_server *s, uint32_t session, const char *path, uint32_t kind);
/* Fires what `opcode` on `path` triggers, in ZooKeeper's order. only 0: for every connected session
   that does not lag; otherwise for that one. */
void kz_watch_fire(struct kz_server *s, struct kz_outputs *out, enum wire_zk_opcode opcode,
                   const char *path, size_t size, int64_t zxid, uint32_t only);
/* Fires what `session`, just connected, has missed since `zxid`. */
void kz_watch_catch_up(struct kz_server *s, struct kz_outputs *out, uint32_t session, int64_t zxid);
/* Looks at the session's watches of `kinds` on one path as kz_watch_catch_up does. */
void kz_watch_judge_path(struct kz_server *s, struct kz_outputs *out, uint32_t session,
                         const char *path, uint32_t kinds, int64_t zxid);
void kz_watch_drop_all(struct kz_server *s, uint32_t session);
uint32_t kz_watched_find(const struct kz_server *s, const char *path, size_t size);

/* ---- history.c ---- */

/* A node as a connection sees it. */
struct kz_seen {
    bool exists;
    bool has_data;
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t data_size;
};
/* The node at `path` as of `view`; fills `seen`. */
void kz_history_see(const struct kz_server *s, const char *path, int64_t view,
                    struct kz_seen *seen);
/* Whether `count` more records would push out one that a lagging session other than `except` needs.
 */
bool kz_history_has(const struct kz_server *s, uint64_t count, uint32_t except);
/* Appends a record (the oldest gives way); path and data blobs become the record's. */
void kz_history_add(struct kz_server *s, const struct kz_past *past);
void kz_history_clear(struct kz_server *s);
/* Moves the session's view up to `zxid`, firing what it had not seen yet. */
void kz_history_advance(struct kz_server *s, struct kz_outputs *out, uint32_t session,
                        int64_t zxid);
/* Whether `past` removed a child of parent[0..size) that was there at `view`; its name. */
const char *kz_past_lost_child(const struct kz_server *s, const struct kz_past *past,
                               const char *parent, size_t size, int64_t view);

/* ---- session.c ---- */

uint32_t kz_session_of_conn(const struct kz_server *s, uint32_t conn);
uint32_t kz_session_find(const struct kz_server *s, int64_t id);
void kz_session_touch(struct kz_server *s, uint32_t session, int64_t now_us);
void kz_session_detach(struct kz_server *s, uint32_t session);
enum sm_err kz_session_connect(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                               struct kz_outputs *out);
/* How a session ends: by its client; by the server; by the server, which forgets its ephemerals. */
enum kz_session_end { KZ_END_CLOSED, KZ_END_EXPIRED, KZ_END_LEFT };

/* Ends one session: its ephemerals go in one change, or stay. */
enum sm_err kz_session_end(struct kz_server *s, uint32_t session, enum kz_session_end how,
                           struct kz_outputs *out);
enum sm_err kz_session_tick(struct kz_server *s, int64_t now_us, struct kz_outputs *out);
void kz_session_quorum(struct kz_server *s, int64_t now_us, bool on, struct kz_outputs *out);
enum sm_err kz_session_lag(struct kz_server *s, uint32_t session, int64_t zxid,
                           struct kz_outputs *out);

/* ---- request.c ---- */

/* Does what the request of a session asks, and puts the reply and the events of watches. Errors: LIMIT,
   as kz_server_step. */
enum sm_err kz_request(struct kz_server *s, int64_t now_us, uint32_t session,
                       const struct wire_zk_request *request, struct kz_outputs *out);

/* What is done: to be told, kept in history, and to fire watches. */
struct kz_change {
    enum wire_zk_opcode opcode;
    uint32_t session; /* whose doing, 0: none any more */
    int64_t zxid;
    const char *path;
    size_t path_size;
    const struct wire_zk_stat *stat;
    const uint8_t *data;
    uint32_t data_size;
    const struct kz_past *past; /* NULL where no history is kept */
};
void kz_change_publish(struct kz_server *s, struct kz_outputs *out, const struct kz_change *c);
/* Arena bytes for the record of a change of a path of this size. */
uint64_t kz_history_cost(const struct kz_server *s, size_t path_size);
/* The blobless part of the record of the removal of `node`, whose data passes to the record. */
void kz_past_of_delete(const struct kz_server *s, uint32_t node, int64_t zxid, int64_t parent_pzxid,
                       struct kz_past *past);

static inline enum sm_err kz_limit(struct kz_outputs *out, const char *name)
{
    out->short_of = name;
    return SM_ERR_LIMIT;
}

#endif
