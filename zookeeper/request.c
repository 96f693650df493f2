/*
 * Requests: reads, single writes and multis.
 *
 *   reads: one result each, also in a multi of them, where each may fail alone
 *
 *   limits of the whole request --short--> LIMIT, nothing has changed
 *        | enough
 *   apply op 1, op 2, ... each with an undo record --one fails--> undo all, in reverse
 *        | all done
 *   publish op 1, op 2, ...: history, APPLIED, events         then the reply
 *
 * A write is a multi of one. Later operations of a multi see the earlier ones, since they are
 * applied; nobody is told before all of them stand. A refused write uses up a zxid, as in
 * ZooKeeper, where it passes through the log as an error.
 *
 * The checks of an operation come in the order of PrepRequestProcessor, so that of two reasons to
 * refuse the same one is given. Paths are judged as the server judges them (clients refuse a bad
 * path before they send it): a create with a bad name below an existing parent is BADARGUMENTS,
 * below a missing one NONODE; a read of a bad path is NONODE.
 *
 * Source: PrepRequestProcessor.pRequest2Txn, FinalRequestProcessor, DataTree.processTxn.
 */
#include "zookeeper/block.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- publishing ---- */

void kz_change_publish(struct kz_server *s, struct kz_outputs *out, const struct kz_change *c)
{
    if (c->past != NULL)
        kz_history_add(s, c->past);
    struct kz_output applied = {.kind = KZ_OUT_APPLIED,
                                .conn = kz_session(s, c->session)->conn,
                                .session = kz_session(s, c->session)->id,
                                .zxid = c->zxid,
                                .type = c->opcode,
                                .data_size = c->data_size,
                                .path = c->path,
                                .data = c->data,
                                .stat = c->stat};
    out->put(out->context, &applied);
    kz_watch_fire(s, out, c->opcode, c->path, c->path_size, c->zxid, 0);
}

static enum sm_err put_reply_armed(struct kz_server *s, struct kz_outputs *out, uint32_t session,
                                   const struct wire_zk_reply *reply, const char *path,
                                   uint32_t watches)
{
    struct kz_session *of = kz_session(s, session);
    if (of->seen < reply->zxid)
        of->seen = reply->zxid;
    struct kz_output output = {.kind = KZ_OUT_REPLY,
                               .conn = of->conn,
                               .session = of->id,
                               .zxid = reply->zxid,
                               .path = path,
                               .reply = reply,
                               .watches = watches};
    out->put(out->context, &output);
    return SM_ERR_OK;
}

static enum sm_err put_reply(struct kz_server *s, struct kz_outputs *out, uint32_t session,
                             const struct wire_zk_reply *reply)
{
    return put_reply_armed(s, out, session, reply, NULL, 0);
}

/* ---- one write, applied ---- */

struct undo {
    struct wire_zk_stat before; /* DELETE: of the node */
    int64_t parent_pzxid;
    int64_t mzxid, mtime; /* SET_DATA: of the node, before */
    int32_t version;
    uint32_t opcode;
    uint32_t node;
    uint32_t data, data_size, has_data; /* SET_DATA: before; still a blob */
    uint32_t path;                      /* blob for history, 0 where none is kept */
    uint32_t unused;
};

/* A request being applied. */
struct work {
    struct kz_server *s;
    uint32_t session;
    int64_t zxid, now_ms;
    char path[KZ_PATH_MAX]; /* CREATE: what was made */
};

static void keep_path(struct kz_server *s, struct undo *u, const char *path, size_t size)
{
    if (s->limits.history == 0)
        return;
    u->path = kz_blob_new(s, KZ_BLOB_PAST_PATH, 0, (uint32_t)size);
    memcpy(kz_blob(s, u->path), path, size);
}

/* Finds the path of the node to be made, its suffix included, and its parent. */
static int32_t name_created(struct work *w, const struct wire_zk_op_view *v, uint32_t *parent)
{
    size_t size = v->op->path_size;
    if (memchr(v->path, '/', size) == NULL || size + 12 > KZ_PATH_MAX)
        return WIRE_ZK_BAD_ARGUMENTS;
    *parent = kz_tree_find(w->s, v->path, kz_path_parent(v->path, size));
    if (*parent == 0)
        return WIRE_ZK_NO_NODE;
    memcpy(w->path, v->path, size + 1);
    if (v->op->flags & WIRE_ZK_SEQUENTIAL)
        snprintf(w->path + size, KZ_PATH_MAX - size, "%010" PRId32,
                 kz_node(w->s, *parent)->creations);
    size_t name_at = kz_path_parent(v->path, size) + 1, whole = strlen(w->path);
    return whole == 1 || kz_name_valid(w->path + name_at, whole - name_at) ? WIRE_ZK_OK
                                                                           : WIRE_ZK_BAD_ARGUMENTS;
}

static int32_t apply_create(struct work *w, const struct wire_zk_op_view *v,
                            struct wire_zk_result *result, struct undo *u)
{
    struct kz_server *s = w->s;
    uint32_t parent;
    int32_t err = name_created(w, v, &parent);
    if (err != WIRE_ZK_OK)
        return err;
    size_t size = strlen(w->path);
    if (kz_tree_find(s, w->path, size) != 0)
        return WIRE_ZK_NODE_EXISTS;
    if (kz_node(s, parent)->owner != 0)
        return WIRE_ZK_NO_CHILDREN_FOR_EPHEMERALS;
    u->node = kz_tree_add(s, parent, w->path, size);
    u->parent_pzxid = kz_node(s, parent)->pzxid;
    struct kz_node *n = kz_node(s, u->node);
    n->czxid = n->mzxid = n->pzxid = w->zxid;
    n->ctime = n->mtime = w->now_ms;
    kz_tree_set_data(s, u->node, v->data, v->op->data_size, v->op->has_data != 0);
    if (v->op->flags & WIRE_ZK_EPHEMERAL)
        kz_tree_own(s, u->node, w->session);
    struct kz_node *p = kz_node(s, parent);
    p->creations = (int32_t)((uint32_t)p->creations + 1);
    p->pzxid = w->zxid;
    keep_path(s, u, w->path, size);
    kz_tree_stat(n, &result->stat);
    return WIRE_ZK_OK;
}

static int32_t apply_delete(struct work *w, const struct wire_zk_op_view *v, struct undo *u)
{
    struct kz_server *s = w->s;
    size_t size = v->op->path_size;
    if (memchr(v->path, '/', size) == NULL || size == 1)
        return WIRE_ZK_BAD_ARGUMENTS;
    uint32_t node = kz_tree_find(s, v->path, size);
    if (node == 0)
        return WIRE_ZK_NO_NODE;
    struct kz_node *n = kz_node(s, node), *parent = kz_node(s, n->parent);
    if (v->op->version != WIRE_ZK_ANY_VERSION && v->op->version != n->version)
        return WIRE_ZK_BAD_VERSION;
    if (n->num_children != 0)
        return WIRE_ZK_NOT_EMPTY;
    kz_tree_stat(n, &u->before);
    u->node = node;
    u->parent_pzxid = parent->pzxid;
    kz_tree_unlink(s, node);
    parent->pzxid = w->zxid;
    keep_path(s, u, v->path, size);
    return WIRE_ZK_OK;
}

/* The node that setData and check are about. */
static int32_t find_versioned(struct work *w, const struct wire_zk_op_view *v, uint32_t *node)
{
    *node = v->op->path_size == 0 ? 0 : kz_tree_find(w->s, v->path, v->op->path_size);
    if (*node == 0) /* what is in the tree has a good path */
        return kz_path_valid(v->path, v->op->path_size) ? WIRE_ZK_NO_NODE : WIRE_ZK_BAD_ARGUMENTS;
    if (v->op->version != WIRE_ZK_ANY_VERSION && v->op->version != kz_node(w->s, *node)->version)
        return WIRE_ZK_BAD_VERSION;
    return WIRE_ZK_OK;
}

static int32_t apply_set(struct work *w, const struct wire_zk_op_view *v,
                         struct wire_zk_result *result, struct undo *u)
{
    uint32_t node;
    int32_t err = find_versioned(w, v, &node);
    if (err != WIRE_ZK_OK)
        return err;
    struct kz_node *n = kz_node(w->s, node);
    u->node = node;
    u->mzxid = n->mzxid;
    u->mtime = n->mtime;
    u->version = n->version;
    u->data = n->data;
    u->data_size = n->data_size;
    u->has_data = n->has_data;
    kz_tree_set_data(w->s, node, v->data, v->op->data_size, v->op->has_data != 0);
    n->mzxid = w->zxid;
    n->mtime = w->now_ms;
    n->version = (int32_t)((uint32_t)n->version + 1);
    keep_path(w->s, u, v->path, v->op->path_size);
    kz_tree_stat(n, &result->stat);
    return WIRE_ZK_OK;
}

static int32_t apply(struct work *w, const struct wire_zk_op_view *v, struct wire_zk_result *result,
                     struct undo *u)
{
    uint32_t node;
    *u = (struct undo){.opcode = v->op->opcode};
    switch ((enum wire_zk_opcode)v->op->opcode) {
    case WIRE_ZK_CREATE:
        return apply_create(w, v, result, u);
    case WIRE_ZK_DELETE:
        return apply_delete(w, v, u);
    case WIRE_ZK_SET_DATA:
        return apply_set(w, v, result, u);
    case WIRE_ZK_CHECK:
        return find_versioned(w, v, &node);
    case WIRE_ZK_NOP:
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return WIRE_ZK_MARSHALLING;
}

/* ---- taking it back ---- */

static void undo_create(struct kz_server *s, const struct undo *u)
{
    struct kz_node *parent = kz_node(s, kz_node(s, u->node)->parent);
    kz_tree_unlink(s, u->node);
    kz_tree_free(s, u->node);
    parent->creations = (int32_t)((uint32_t)parent->creations - 1);
    parent->pzxid = u->parent_pzxid;
}

static void undo_delete(struct kz_server *s, const struct undo *u)
{
    kz_tree_relink(s, u->node);
    kz_node(s, kz_node(s, u->node)->parent)->pzxid = u->parent_pzxid;
}

static void undo_set(struct kz_server *s, const struct undo *u)
{
    struct kz_node *n = kz_node(s, u->node);
    if (n->data != 0)
        kz_blob_free(s, n->data);
    n->data = u->data;
    n->data_size = u->data_size;
    n->has_data = u->has_data != 0;
    n->mzxid = u->mzxid;
    n->mtime = u->mtime;
    n->version = u->version;
}

static void take_back(struct kz_server *s, const struct undo *u)
{
    if (u->path != 0)
        kz_blob_free(s, u->path);
    if (u->opcode == WIRE_ZK_CREATE)
        undo_create(s, u);
    else if (u->opcode == WIRE_ZK_DELETE)
        undo_delete(s, u);
    else if (u->opcode == WIRE_ZK_SET_DATA)
        undo_set(s, u);
}

/* ---- making it stand ---- */

/* The history record of an applied operation; takes over the old data. */
static void make_past(struct kz_server *s, const struct undo *u, int64_t zxid, const char *path,
                      size_t size, struct kz_past *past)
{
    struct kz_node *n = kz_node(s, u->node);
    *past = (struct kz_past){.zxid = zxid, .parent_pzxid = u->parent_pzxid, .opcode = u->opcode};
    if (u->opcode == WIRE_ZK_DELETE) {
        kz_past_of_delete(s, u->node, zxid, u->parent_pzxid, past);
        n->data = 0;
    } else if (u->opcode == WIRE_ZK_SET_DATA) {
        past->mzxid = u->mzxid;
        past->mtime = u->mtime;
        past->version = u->version;
        past->data = u->data;
        past->data_size = u->data_size;
        past->has_data = u->has_data;
    }
    past->hash = kz_path_hash(path, size);
    past->path = u->path;
    past->path_size = (uint32_t)size;
}

static void publish(struct work *w, const struct undo *u, const struct wire_zk_op_view *v,
                    const struct wire_zk_result_view *r, struct kz_outputs *out)
{
    struct kz_server *s = w->s;
    if (u->opcode == WIRE_ZK_CHECK)
        return;
    bool created = u->opcode == WIRE_ZK_CREATE, deleted = u->opcode == WIRE_ZK_DELETE;
    struct kz_change change = {
        .opcode = (enum wire_zk_opcode)u->opcode,
        .session = w->session,
        .zxid = w->zxid,
        .path = created ? r->path : v->path,
        .path_size = created ? r->result->path_size : v->op->path_size,
        .stat = deleted ? &u->before : &r->result->stat,
        .data = !deleted && v->op->has_data ? v->data : NULL,
        .data_size = deleted ? 0 : v->op->data_size,
    };
    struct kz_past past;
    if (s->limits.history != 0) {
        make_past(s, u, w->zxid, change.path, change.path_size, &past);
        change.past = &past;
    } else if (u->opcode == WIRE_ZK_SET_DATA && u->data != 0) {
        kz_blob_free(s, u->data);
    }
    if (deleted)
        kz_tree_free(s, u->node);
    kz_change_publish(s, out, &change);
}

/* ---- a whole write ---- */

/* What a write needs at most, whatever its outcome. */
struct need {
    uint64_t nodes, bytes, records, scratch;
};

static void add_need(const struct kz_server *s, const struct wire_zk_op_view *v, struct need *need)
{
    size_t size = v->op->path_size + 12; /* a suffix has at most 11 characters */
    bool creates = v->op->opcode == WIRE_ZK_CREATE;
    need->nodes += creates;
    need->records += v->op->opcode != WIRE_ZK_CHECK;
    need->bytes += kz_history_cost(s, size);
    if (creates)
        need->bytes +=
            kz_tree_cost(size - kz_path_parent(v->path, v->op->path_size) - 1, v->op->data_size);
    else if (v->op->opcode == WIRE_ZK_SET_DATA)
        need->bytes += kz_blob_cost(v->op->data_size);
    need->scratch += sizeof(struct wire_zk_result) + size + 8;
}

static enum sm_err check_need(const struct kz_server *s, const struct need *need, uint32_t session,
                              const struct kz_outputs *out, const char **name)
{
    *name = need->scratch > out->scratch_size               ? "scratch"
            : need->nodes > s->limits.nodes - s->node_count ? "nodes"
            : !kz_arena_has(s, need->bytes)                 ? "bytes"
            : !kz_history_has(s, need->records, session)    ? "history"
                                                            : NULL;
    return *name == NULL ? SM_ERR_OK : SM_ERR_LIMIT;
}

/* The results of a refused request: OK before the operation that failed, its code at it, and
   RUNTIMEINCONSISTENCY after it. */
static const struct wire_zk_reply *refuse(const struct wire_zk_request *request,
                                          struct kz_outputs *out, int64_t zxid, uint32_t failed,
                                          int32_t err)
{
    struct wire_zk_builder b;
    struct wire_zk_op_view v = {0};
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, request->multi, zxid);
    for (uint32_t i = 0; wire_zk_op_next(request, &v); i++) {
        struct wire_zk_result result = {
            .opcode = v.op->opcode,
            .err = i < failed    ? WIRE_ZK_OK
                   : i == failed ? err
                                 : WIRE_ZK_RUNTIME_INCONSISTENCY,
        };
        wire_zk_reply_add(&b, result, NULL, NULL);
    }
    return wire_zk_reply_end(&b, err);
}

/* Applies operations until one fails; returns its code and its number in *failed. */
static int32_t apply_all(struct work *w, const struct wire_zk_request *request, struct undo *undo,
                         struct wire_zk_builder *b, uint32_t *failed)
{
    struct wire_zk_op_view v = {0};
    for (*failed = 0; wire_zk_op_next(request, &v); ++*failed) {
        struct wire_zk_result result = {.opcode = v.op->opcode};
        int32_t err = apply(w, &v, &result, &undo[*failed]);
        if (err != WIRE_ZK_OK)
            return err;
        wire_zk_reply_add(b, result, v.op->opcode == WIRE_ZK_CREATE ? w->path : NULL, NULL);
    }
    return WIRE_ZK_OK;
}

static void publish_all(struct work *w, const struct wire_zk_request *request,
                        const struct undo *undo, const struct wire_zk_reply *reply,
                        struct kz_outputs *out)
{
    struct wire_zk_op_view v = {0};
    struct wire_zk_result_view r = {0};
    for (uint32_t i = 0; wire_zk_op_next(request, &v) && wire_zk_result_next(reply, &r); i++)
        publish(w, &undo[i], &v, &r, out);
}

/* A write is seen by its writer at once: a lagging one first catches up with what came before. */
static bool catch_up_writer(struct kz_server *s, uint32_t session, struct kz_outputs *out)
{
    struct kz_session *of = kz_session(s, session);
    bool lagging = of->lagging != 0;
    if (lagging)
        kz_history_advance(s, out, session, s->zxid);
    of->lagging = 0;
    return lagging;
}

static enum sm_err write_with(struct work *w, const struct wire_zk_request *request,
                              struct undo *undo, size_t reply_size, struct kz_outputs *out)
{
    struct kz_server *s = w->s;
    struct wire_zk_builder b;
    uint32_t failed;
    wire_zk_reply_begin(&b, out->scratch, reply_size, request->xid, request->multi, w->zxid);
    int32_t err = apply_all(w, request, undo, &b, &failed);
    bool lagging = catch_up_writer(s, w->session, out);
    const struct wire_zk_reply *reply;
    s->zxid = w->zxid;
    if (err == WIRE_ZK_OK) {
        reply = wire_zk_reply_end(&b, WIRE_ZK_OK);
        assert(reply != NULL);
        publish_all(w, request, undo, reply, out);
    } else {
        for (uint32_t i = failed; i > 0; i--)
            take_back(s, &undo[i - 1]);
        reply = refuse(request, out, w->zxid, failed, err);
        assert(reply != NULL);
    }
    if (lagging) {
        kz_session(s, w->session)->lagging = 1;
        kz_session(s, w->session)->view = w->zxid;
    }
    return put_reply(s, out, w->session, reply);
}

static enum sm_err write_request(struct kz_server *s, int64_t now_us, uint32_t session,
                                 const struct wire_zk_request *request, struct kz_outputs *out)
{
    struct need need = {.scratch = sizeof(struct wire_zk_reply)};
    struct wire_zk_op_view v = {0};
    while (wire_zk_op_next(request, &v))
        add_need(s, &v, &need);
    size_t undo_size = request->count > 1 ? request->count * sizeof(struct undo) : 0;
    need.scratch += undo_size + 8;
    if (check_need(s, &need, session, out, &out->short_of) != SM_ERR_OK)
        return SM_ERR_LIMIT;
    kz_arena_reserve(s, need.bytes);
    struct work w = {.s = s, .session = session, .zxid = s->zxid + 1, .now_ms = now_us / 1000};
    struct undo one;
    size_t reply_size = (out->scratch_size - undo_size) & ~(size_t)7;
    struct undo *undo =
        undo_size == 0 ? &one : (struct undo *)(void *)((uint8_t *)out->scratch + reply_size);
    return write_with(&w, request, undo, reply_size, out);
}

/* ---- reads ---- */

/* Moves through the names that a listing shows, in ascending order: those of present children and,
   for a lagging reader, of children removed since its view. */
struct listing {
    const struct kz_server *s;
    const char *path;
    int64_t view;
    uint32_t child; /* next present one */
};

/* The least name above `after` (NULL: the least) of a child removed since the view. */
static const char *next_lost(const struct listing *l, const char *after, size_t after_size,
                             size_t *size)
{
    const char *least = NULL;
    for (uint32_t i = l->s->history_count; i > 0; i--) {
        const struct kz_past *past = kz_past(l->s, i - 1);
        if (past->zxid <= l->view)
            break;
        const char *name = kz_past_lost_child(l->s, past, l->path, strlen(l->path), l->view);
        if (name == NULL)
            continue;
        size_t n = past->path_size - (size_t)(name - (const char *)kz_blob(l->s, past->path));
        if (after != NULL && kz_compare_names(name, n, after, after_size) <= 0)
            continue;
        if (least == NULL || kz_compare_names(name, n, least, *size) < 0) {
            least = name;
            *size = n;
        }
    }
    return least;
}

/* Calls `take` for each name in order. */
static void list_children(struct listing l, void (*take)(void *context, const char *, size_t),
                          void *context)
{
    size_t lost_size = 0;
    const char *lost = next_lost(&l, NULL, 0, &lost_size);
    while (l.child != 0 || lost != NULL) {
        const struct kz_node *n = kz_node(l.s, l.child);
        if (l.child != 0 && n->czxid > l.view) {
            l.child = n->next; /* not there yet */
            continue;
        }
        if (l.child != 0 && (lost == NULL || kz_compare_names(kz_node_name(l.s, n), n->name_size,
                                                              lost, lost_size) < 0)) {
            take(context, kz_node_name(l.s, n), n->name_size);
            l.child = n->next;
        } else {
            take(context, lost, lost_size);
            lost = next_lost(&l, lost, lost_size, &lost_size);
        }
    }
}

static void add_size(void *context, const char *name, size_t size)
{
    (void)name;
    *(uint64_t *)context += size + 1;
}

static void add_name(void *context, const char *name, size_t size)
{
    uint8_t **at = context;
    memcpy(*at, name, size);
    (*at)[size] = 0;
    *at += size + 1;
}

static void answer_children(struct kz_server *s, const struct wire_zk_op_view *v, int64_t view,
                            bool is_in_multi, struct wire_zk_result result,
                            struct wire_zk_builder *b)
{
    uint32_t node = kz_tree_find(s, v->path, v->op->path_size);
    struct listing l = {s, v->path, view, node == 0 ? 0 : kz_tree_first_child(s, node)};
    uint64_t size = 0;
    list_children(l, add_size, &size);
    if (size > b->capacity) {
        b->overflow = true;
        return;
    }
    result.data_size = (uint32_t)size;
    result.name_count = (uint32_t)result.stat.num_children;
    if (is_in_multi)
        memset(&result.stat, 0, sizeof result.stat);
    uint8_t *at = wire_zk_reply_add_space(b, result, NULL);
    if (at != NULL)
        list_children(l, add_name, &at);
}

/* Appends the result of a read as of `view`; returns its code, and which watch it arms in *kind. */
static int32_t answer(struct kz_server *s, const struct wire_zk_op_view *v, int64_t view,
                      bool is_in_multi, struct wire_zk_builder *b, uint32_t *kind)
{
    struct kz_seen seen;
    kz_history_see(s, v->path, view, &seen);
    int32_t err = seen.exists ? WIRE_ZK_OK : WIRE_ZK_NO_NODE;
    bool children = v->op->opcode == WIRE_ZK_GET_CHILDREN;
    struct wire_zk_result result = {.opcode = v->op->opcode, .err = err, .stat = seen.stat};
    bool arms = v->op->watch && (seen.exists || v->op->opcode == WIRE_ZK_EXISTS) &&
                (seen.exists || kz_path_valid(v->path, v->op->path_size));
    *kind = !arms ? 0 : children ? KZ_WATCH_CHILD : seen.exists ? KZ_WATCH_DATA : KZ_WATCH_EXISTS;
    if (children && seen.exists) {
        answer_children(s, v, view, is_in_multi, result, b);
    } else if (v->op->opcode == WIRE_ZK_GET_DATA && seen.exists) {
        result.has_data = seen.has_data;
        result.data_size = seen.data_size;
        wire_zk_reply_add(b, result, NULL, seen.data);
    } else {
        wire_zk_reply_add(b, result, NULL, NULL);
    }
    return err;
}

static enum sm_err read_request(struct kz_server *s, uint32_t session,
                                const struct wire_zk_request *request,
                                const struct wire_zk_op_view *v, struct kz_outputs *out)
{
    struct kz_session *of = kz_session(s, session);
    int64_t view = of->lagging ? of->view : INT64_MAX;
    struct wire_zk_builder b;
    uint32_t kind;
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, false,
                        of->lagging ? of->view : s->zxid);
    int32_t err = answer(s, v, view, false, &b, &kind);
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, err);
    if (reply == NULL)
        return kz_limit(out, "scratch");
    const char *short_of = kind == 0 ? NULL : kz_watch_short_of(s, session, v->path, kind);
    if (short_of != NULL)
        return kz_limit(out, short_of);
    bool armed = kind != 0 && kz_watch_arm(s, session, v->path, kind);
    return put_reply_armed(s, out, session, reply, armed ? v->path : NULL, armed ? kind : 0);
}

/* A multi of reads: each has a result of its own, and the whole never fails. As there, no watch is
   armed, and a listing comes without the stat of its node. */
static enum sm_err read_multi(struct kz_server *s, uint32_t session,
                              const struct wire_zk_request *request, struct kz_outputs *out)
{
    struct kz_session *of = kz_session(s, session);
    int64_t view = of->lagging ? of->view : INT64_MAX;
    struct wire_zk_op_view v = {0};
    struct wire_zk_builder b;
    uint32_t kind;
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, true,
                        of->lagging ? of->view : s->zxid);
    while (wire_zk_op_next(request, &v))
        answer(s, &v, view, true, &b, &kind);
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, WIRE_ZK_OK);
    return reply == NULL ? kz_limit(out, "scratch") : put_reply(s, out, session, reply);
}

/* ---- the rest ---- */

static enum sm_err sync_request(struct kz_server *s, uint32_t session,
                                const struct wire_zk_request *request,
                                const struct wire_zk_op_view *v, struct kz_outputs *out)
{
    struct wire_zk_builder b;
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, false, s->zxid);
    wire_zk_reply_add(&b, (struct wire_zk_result){.opcode = WIRE_ZK_SYNC}, v->path, NULL);
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, WIRE_ZK_OK);
    if (reply == NULL)
        return kz_limit(out, "scratch");
    if (kz_session(s, session)->lagging)
        kz_history_advance(s, out, session, s->zxid);
    return put_reply(s, out, session, reply);
}

/* Answers with a code and no results. */
static enum sm_err refuse_whole(struct kz_server *s, uint32_t session,
                                const struct wire_zk_request *request, int32_t err,
                                struct kz_outputs *out)
{
    struct wire_zk_builder b;
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, request->multi,
                        kz_session(s, session)->lagging ? kz_session(s, session)->view : s->zxid);
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, err);
    return reply == NULL ? kz_limit(out, "scratch") : put_reply(s, out, session, reply);
}

/* What a multi holds: writes only, reads only, or what none may hold. */
enum multi { MULTI_WRITES, MULTI_READS, MULTI_MIXED };

static enum multi multi_of_op(uint8_t opcode)
{
    switch ((enum wire_zk_opcode)opcode) {
    case WIRE_ZK_CREATE:
    case WIRE_ZK_DELETE:
    case WIRE_ZK_SET_DATA:
    case WIRE_ZK_CHECK:
        return MULTI_WRITES;
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
        return MULTI_READS;
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_NOP:
    case WIRE_ZK_SYNC:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return MULTI_MIXED;
}

static enum multi multi_of(const struct wire_zk_request *request)
{
    struct wire_zk_op_view v = {0};
    enum multi all = MULTI_WRITES;
    for (bool first = true; wire_zk_op_next(request, &v); first = false) {
        enum multi one = multi_of_op(v.op->opcode);
        if (one == MULTI_MIXED || (!first && one != all))
            return MULTI_MIXED;
        all = one;
    }
    return all;
}

/* A multi that mixes reads and writes is refused. One that begins with a write was sent as one of
   writes: it has passed through the log before anybody looks inside. */
static enum sm_err refuse_mixed(struct kz_server *s, uint32_t session,
                                const struct wire_zk_request *request, struct kz_outputs *out)
{
    struct wire_zk_op_view v = {0};
    struct wire_zk_builder b;
    wire_zk_op_next(request, &v);
    if (multi_of_op(v.op->opcode) != MULTI_WRITES)
        return refuse_whole(s, session, request, WIRE_ZK_MARSHALLING, out);
    wire_zk_reply_begin(&b, out->scratch, out->scratch_size, request->xid, true, s->zxid + 1);
    const struct wire_zk_reply *reply = wire_zk_reply_end(&b, WIRE_ZK_MARSHALLING);
    if (reply == NULL)
        return kz_limit(out, "scratch");
    bool lagging = catch_up_writer(s, session, out);
    s->zxid++;
    if (lagging) {
        kz_session(s, session)->lagging = 1;
        kz_session(s, session)->view = s->zxid;
    }
    return put_reply(s, out, session, reply);
}

enum sm_err kz_request(struct kz_server *s, int64_t now_us, uint32_t session,
                       const struct wire_zk_request *request, struct kz_outputs *out)
{
    struct wire_zk_op_view v = {0};
    if (!wire_zk_request_valid(request, request->size))
        return refuse_whole(s, session, request, WIRE_ZK_MARSHALLING, out);
    if (request->multi)
        switch (multi_of(request)) {
        case MULTI_WRITES:
            return write_request(s, now_us, session, request, out);
        case MULTI_READS:
            return read_multi(s, session, request, out);
        case MULTI_MIXED:
            return refuse_mixed(s, session, request, out);
        }
    wire_zk_op_next(request, &v);
    switch ((enum wire_zk_opcode)v.op->opcode) {
    case WIRE_ZK_CREATE:
    case WIRE_ZK_DELETE:
    case WIRE_ZK_SET_DATA:
        return write_request(s, now_us, session, request, out);
    case WIRE_ZK_EXISTS:
    case WIRE_ZK_GET_DATA:
    case WIRE_ZK_GET_CHILDREN:
        return read_request(s, session, request, &v, out);
    case WIRE_ZK_SYNC:
        return sync_request(s, session, request, &v, out);
    case WIRE_ZK_NOP:
    case WIRE_ZK_CHECK:
    case WIRE_ZK_OPCODE_END:
        break;
    }
    return refuse_whole(s, session, request, WIRE_ZK_UNIMPLEMENTED, out);
}
