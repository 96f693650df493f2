/*
 * Watches: who is told of what, once, and in which order.
 *
 *   path table: hash -> watched path --data--> watch, watch, ...    data and exists watches
 *                                    --child-> watch, ...           both by ascending session id
 *   session --watch-> watch, watch, ...                             all of one session
 *
 *   create P   P: NodeCreated to data watches       then parent: NodeChildrenChanged
 *   setData P  P: NodeDataChanged to data watches
 *   delete P   P: NodeDeleted to data watches, then to child watches of those sessions that had no
 *              data watch (one event a session)     then parent: NodeChildrenChanged
 *
 * A watch belongs to a session. In ZooKeeper it belongs to a connection and the client arms it anew
 * after a reconnect (setWatches), at which the server tells at once what was missed. Here it stays,
 * silent while there is no connection, and is judged by the same rule when there is one again: the
 * client cannot tell the two apart. The order among missed events is ours (data, exists, child
 * watches; each by path): the real client sends them in the order of its hash table.
 *
 * Source: DataTree.createNode/deleteNode/setData/setWatches, WatchManager.triggerWatch,
 * ClientCnxn and zookeeper.c (send_set_watches, collectWatchers).
 */
#include "zookeeper/block.h"

#include <assert.h>

static struct kz_slot *paths_of(const struct kz_server *s)
{
    return (struct kz_slot *)(void *)kz_at(s, s->paths);
}

/* ---- watched paths ---- */

uint32_t kz_watched_find(const struct kz_server *s, const char *path, size_t size)
{
    const struct kz_slot *table = paths_of(s);
    uint32_t slots = kz_table_slots(s->limits.watches), hash = kz_path_hash(path, size);
    for (uint32_t i = kz_table_home(slots, hash); table[i].item != 0;
         i = i + 1 == slots ? 0 : i + 1) {
        const struct kz_watched *w = kz_watched(s, table[i].item);
        if (table[i].hash == hash && w->path_size == size &&
            memcmp(kz_blob(s, w->path), path, size) == 0)
            return table[i].item;
    }
    return 0;
}

static uint32_t watched_new(struct kz_server *s, const char *path, size_t size)
{
    uint32_t i = s->watched_free;
    if (i != 0)
        s->watched_free = kz_watched(s, i)->next;
    else
        i = ++s->watched_high;
    assert(i <= s->limits.watches);
    struct kz_watched *w = kz_watched(s, i);
    *w = (struct kz_watched){.hash = kz_path_hash(path, size), .path_size = (uint32_t)size};
    w->path = kz_blob_new(s, KZ_BLOB_WATCHED_PATH, i, (uint32_t)size);
    memcpy(kz_blob(s, w->path), path, size);
    kz_table_add(paths_of(s), kz_table_slots(s->limits.watches), w->hash, i);
    return i;
}

static void watched_free(struct kz_server *s, uint32_t i)
{
    struct kz_watched *w = kz_watched(s, i);
    kz_table_remove(paths_of(s), kz_table_slots(s->limits.watches), w->hash, i);
    kz_blob_free(s, w->path);
    *w = (struct kz_watched){.next = s->watched_free};
    s->watched_free = i;
}

static uint32_t *list_of(struct kz_watched *w, uint32_t kind)
{
    return kind == KZ_WATCH_CHILD ? &w->child : &w->data;
}

/* ---- arming and removing ---- */

/* The watch of `session` in the list that `kind` belongs to, 0 where none. */
static uint32_t find(const struct kz_server *s, uint32_t session, uint32_t watched, uint32_t kind)
{
    if (watched == 0)
        return 0;
    uint32_t i = *list_of(kz_watched(s, watched), kind);
    while (i != 0 && kz_watch(s, i)->session != session)
        i = kz_watch(s, i)->next;
    return i;
}

const char *kz_watch_short_of(const struct kz_server *s, uint32_t session, const char *path,
                              uint32_t kind)
{
    size_t size = strlen(path);
    uint32_t watched = kz_watched_find(s, path, size);
    if (find(s, session, watched, kind) != 0)
        return NULL;
    if (s->watch_count == s->limits.watches)
        return "watches";
    return watched == 0 && !kz_arena_has(s, kz_blob_cost(size)) ? "bytes" : NULL;
}

static void insert(struct kz_server *s, uint32_t watched, uint32_t i)
{
    struct kz_watch *w = kz_watch(s, i);
    uint32_t *head = list_of(kz_watched(s, watched), w->kind), prev = 0, next = *head;
    while (next != 0 &&
           kz_session(s, kz_watch(s, next)->session)->id < kz_session(s, w->session)->id) {
        prev = next;
        next = kz_watch(s, next)->next;
    }
    w->prev = prev;
    w->next = next;
    *(prev != 0 ? &kz_watch(s, prev)->next : head) = i;
    if (next != 0)
        kz_watch(s, next)->prev = i;
    struct kz_session *session = kz_session(s, w->session);
    w->session_next = session->watch;
    if (session->watch != 0)
        kz_watch(s, session->watch)->session_prev = i;
    session->watch = i;
}

bool kz_watch_arm(struct kz_server *s, uint32_t session, const char *path, uint32_t kind)
{
    size_t size = strlen(path);
    uint32_t watched = kz_watched_find(s, path, size), i = find(s, session, watched, kind);
    if (i != 0) {
        kz_watch(s, i)->kind = kind;
        return false;
    }
    if (watched == 0) {
        kz_arena_reserve(s, kz_blob_cost(size));
        watched = watched_new(s, path, size);
    }
    i = s->watch_free;
    if (i != 0)
        s->watch_free = kz_watch(s, i)->next;
    else
        i = ++s->watch_high;
    s->watch_count++;
    assert(s->watch_count <= s->limits.watches);
    *kz_watch(s, i) = (struct kz_watch){.session = session, .watched = watched, .kind = kind};
    insert(s, watched, i);
    return true;
}

static void remove_watch(struct kz_server *s, uint32_t i)
{
    struct kz_watch *w = kz_watch(s, i);
    struct kz_watched *at = kz_watched(s, w->watched);
    *(w->prev != 0 ? &kz_watch(s, w->prev)->next : list_of(at, w->kind)) = w->next;
    if (w->next != 0)
        kz_watch(s, w->next)->prev = w->prev;
    *(w->session_prev != 0 ? &kz_watch(s, w->session_prev)->session_next
                           : &kz_session(s, w->session)->watch) = w->session_next;
    if (w->session_next != 0)
        kz_watch(s, w->session_next)->session_prev = w->session_prev;
    if (at->data == 0 && at->child == 0)
        watched_free(s, w->watched);
    *w = (struct kz_watch){.next = s->watch_free};
    s->watch_free = i;
    s->watch_count--;
}

void kz_watch_disarm(struct kz_server *s, uint32_t session, const char *path, uint32_t kind)
{
    uint32_t i = find(s, session, kz_watched_find(s, path, strlen(path)), kind);
    if (i != 0)
        remove_watch(s, i);
}

void kz_watch_drop_all(struct kz_server *s, uint32_t session)
{
    while (kz_session(s, session)->watch != 0)
        remove_watch(s, kz_session(s, session)->watch);
}

/* ---- firing ---- */

/* What is being told: fixed while one trigger runs. */
struct trigger {
    struct kz_outputs *out;
    const char *path; /* NUL-terminated, not in the block */
    int64_t zxid;
    uint32_t only;
};

static void put_event(struct kz_server *s, const struct trigger *t, uint32_t session,
                      enum wire_zk_event_type type, uint32_t watches)
{
    struct kz_session *to = kz_session(s, session);
    if (to->seen < t->zxid)
        to->seen = t->zxid;
    struct kz_output output = {.kind = KZ_OUT_EVENT,
                               .conn = to->conn,
                               .session = to->id,
                               .zxid = t->zxid,
                               .type = type,
                               .path = t->path,
                               .watches = watches};
    t->out->put(t->out->context, &output);
}

static bool concerns(const struct kz_server *s, const struct trigger *t, uint32_t watch)
{
    uint32_t session = kz_watch(s, watch)->session;
    if (t->only != 0)
        return session == t->only;
    return kz_session(s, session)->conn != 0 && !kz_session(s, session)->lagging;
}

static void fire_list(struct kz_server *s, const struct trigger *t, uint32_t first,
                      enum wire_zk_event_type type)
{
    for (uint32_t i = first, next; i != 0; i = next) {
        struct kz_watch w = *kz_watch(s, i);
        next = w.next;
        if (!concerns(s, t, i))
            continue;
        remove_watch(s, i);
        put_event(s, t, w.session, type, w.kind);
    }
}

/* A removal tells a session once: where it has both kinds of watch, the child watch goes silently
   with the data watch. The watched path itself goes with its last watch; its slot is zero then. */
static void fire_removed(struct kz_server *s, const struct trigger *t, uint32_t watched)
{
    for (uint32_t i = kz_watched(s, watched)->data, next; i != 0; i = next) {
        struct kz_watch w = *kz_watch(s, i);
        next = w.next;
        if (!concerns(s, t, i))
            continue;
        uint32_t twin = find(s, w.session, watched, KZ_WATCH_CHILD);
        uint32_t kinds = w.kind | (twin != 0 ? (uint32_t)KZ_WATCH_CHILD : 0u);
        if (twin != 0)
            remove_watch(s, twin);
        remove_watch(s, i);
        put_event(s, t, w.session, WIRE_ZK_EVENT_DELETED, kinds);
    }
    fire_list(s, t, kz_watched(s, watched)->child, WIRE_ZK_EVENT_DELETED);
}

static void fire_path(struct kz_server *s, struct trigger t, const char *path, size_t size,
                      enum wire_zk_event_type type)
{
    uint32_t watched = s->watch_count == 0 ? 0 : kz_watched_find(s, path, size);
    if (watched == 0)
        return;
    char copy[KZ_PATH_MAX];
    memcpy(copy, path, size);
    copy[size] = 0;
    t.path = copy;
    switch (type) {
    case WIRE_ZK_EVENT_DELETED:
        fire_removed(s, &t, watched);
        return;
    case WIRE_ZK_EVENT_CREATED:
    case WIRE_ZK_EVENT_CHANGED:
        fire_list(s, &t, kz_watched(s, watched)->data, type);
        return;
    case WIRE_ZK_EVENT_CHILD:
        fire_list(s, &t, kz_watched(s, watched)->child, type);
        return;
    case WIRE_ZK_EVENT_NONE:
        return;
    }
}

static void fire_parent(struct kz_server *s, struct trigger t, const char *path, size_t size)
{
    size_t parent = kz_path_parent(path, size);
    fire_path(s, t, path, parent == 0 ? 1 : parent, WIRE_ZK_EVENT_CHILD);
}

void kz_watch_fire(struct kz_server *s, struct kz_outputs *out, enum wire_zk_opcode opcode,
                   const char *path, size_t size, int64_t zxid, uint32_t only)
{
    struct trigger t = {.out = out, .zxid = zxid, .only = only};
    switch (opcode) {
    case WIRE_ZK_CREATE:
        fire_path(s, t, path, size, WIRE_ZK_EVENT_CREATED);
        fire_parent(s, t, path, size);
        return;
    case WIRE_ZK_DELETE:
        fire_path(s, t, path, size, WIRE_ZK_EVENT_DELETED);
        fire_parent(s, t, path, size);
        return;
    case WIRE_ZK_SET_DATA:
        fire_path(s, t, path, size, WIRE_ZK_EVENT_CHANGED);
        return;
    case WIRE_ZK_NOP:
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
    case WIRE_ZK_CHECK:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        return;
    }
}

/* ---- after a reconnect ---- */

/* What DataTree.setWatches tells of this watch to a client that has seen `zxid`. */
static enum wire_zk_event_type judge(const struct kz_server *s, uint32_t i, int64_t zxid)
{
    const struct kz_watch *w = kz_watch(s, i);
    const struct kz_watched *at = kz_watched(s, w->watched);
    uint32_t node = kz_tree_find(s, (const char *)kz_blob(s, at->path), at->path_size);
    const struct kz_node *n = kz_node(s, node); /* slot 0 is zero */
    switch ((enum kz_watch_kind)w->kind) {
    case KZ_WATCH_DATA:
        return node == 0         ? WIRE_ZK_EVENT_DELETED
               : n->mzxid > zxid ? WIRE_ZK_EVENT_CHANGED
                                 : WIRE_ZK_EVENT_NONE;
    case KZ_WATCH_EXISTS:
        return node != 0 ? WIRE_ZK_EVENT_CREATED : WIRE_ZK_EVENT_NONE;
    case KZ_WATCH_CHILD:
        return node == 0         ? WIRE_ZK_EVENT_DELETED
               : n->pzxid > zxid ? WIRE_ZK_EVENT_CHILD
                                 : WIRE_ZK_EVENT_NONE;
    }
    return WIRE_ZK_EVENT_NONE;
}

/* Tells what `i` has missed, if anything; returns the next watch of the session. The server would
   say NodeDeleted for the data and for the child watch of one path, but the client gives up both at
   the first, and so the second reaches nobody. */
static uint32_t catch_up_one(struct kz_server *s, struct kz_outputs *out, uint32_t i, int64_t zxid)
{
    struct kz_watch w = *kz_watch(s, i);
    enum wire_zk_event_type type = judge(s, i, zxid);
    if (type == WIRE_ZK_EVENT_NONE)
        return w.session_next;
    const struct kz_watched *at = kz_watched(s, w.watched);
    char path[KZ_PATH_MAX];
    memcpy(path, kz_blob(s, at->path), at->path_size);
    path[at->path_size] = 0;
    uint32_t kinds = w.kind;
    uint32_t twin = type == WIRE_ZK_EVENT_DELETED && w.kind != KZ_WATCH_CHILD
                        ? find(s, w.session, w.watched, KZ_WATCH_CHILD)
                        : 0;
    if (twin != 0) {
        remove_watch(s, twin);
        kinds |= KZ_WATCH_CHILD;
    }
    uint32_t next = kz_watch(s, i)->session_next;
    remove_watch(s, i);
    struct trigger t = {.out = out, .path = path, .zxid = s->zxid, .only = w.session};
    put_event(s, &t, w.session, type, kinds);
    return next;
}

static uint32_t *session_link(struct kz_server *s, uint32_t i)
{
    return &kz_watch(s, i)->session_next;
}

static bool judged_before(const struct kz_server *s, uint32_t a, uint32_t b)
{
    const struct kz_watch *x = kz_watch(s, a), *y = kz_watch(s, b);
    if (x->kind != y->kind)
        return x->kind < y->kind;
    const struct kz_watched *p = kz_watched(s, x->watched), *q = kz_watched(s, y->watched);
    int c = memcmp(kz_blob(s, p->path), kz_blob(s, q->path),
                   p->path_size < q->path_size ? p->path_size : q->path_size);
    return c != 0 ? c < 0 : p->path_size < q->path_size;
}

void kz_watch_catch_up(struct kz_server *s, struct kz_outputs *out, uint32_t session, int64_t zxid)
{
    struct kz_session *of = kz_session(s, session);
    of->watch = kz_list_sort(s, of->watch, session_link, judged_before);
    for (uint32_t i = of->watch, prev = 0; i != 0; prev = i, i = kz_watch(s, i)->session_next)
        kz_watch(s, i)->session_prev = prev;
    for (uint32_t i = of->watch; i != 0;)
        i = catch_up_one(s, out, i, zxid);
}

void kz_watch_judge_path(struct kz_server *s, struct kz_outputs *out, uint32_t session,
                         const char *path, uint32_t kinds, int64_t zxid)
{
    static const uint32_t lists[2] = {KZ_WATCH_DATA | KZ_WATCH_EXISTS, KZ_WATCH_CHILD};
    for (int l = 0; l < 2; l++) {
        uint32_t watched = kz_watched_find(s, path, strlen(path));
        uint32_t i = (kinds & lists[l]) == 0 ? 0 : find(s, session, watched, kinds & lists[l]);
        if (i != 0)
            catch_up_one(s, out, i, zxid);
    }
}
