/*
 * Looking at a server from outside, and putting nodes into it: set-up, traces, dumps, tests.
 *
 * The digest walks what clients can see, in the order of names and ids, so that neither slots nor
 * capacities nor the order of past changes enter it. kz_server_check walks everything else.
 */
#include "zookeeper/block.h"

#include <assert.h>

/* ---- reading ---- */

int64_t kz_server_zxid(const struct kz_server *s)
{
    return s->zxid;
}

bool kz_server_get(const struct kz_server *s, const char *path, struct wire_zk_stat *stat,
                   const uint8_t **data, uint32_t *data_size, bool *has_data)
{
    uint32_t node = kz_tree_find(s, path, strlen(path));
    if (node == 0 || path[0] != '/')
        return false;
    const struct kz_node *n = kz_node(s, node);
    if (stat != NULL)
        kz_tree_stat(n, stat);
    if (data != NULL)
        *data = kz_node_data(s, n);
    if (data_size != NULL)
        *data_size = n->data_size;
    if (has_data != NULL)
        *has_data = n->has_data != 0;
    return true;
}

/* ---- walking ---- */

static const char *write_path(const struct kz_server *s, uint32_t node, char *buffer,
                              size_t capacity)
{
    char path[KZ_PATH_MAX];
    size_t size = kz_tree_path(s, node, path);
    assert(size < capacity);
    memcpy(buffer, path, size + 1);
    return buffer;
}

/* The next node after path[0..size) that is not below it; the path need not exist any more. */
static uint32_t next_beside(const struct kz_server *s, const char *path, size_t size)
{
    while (size > 1) {
        size_t up = kz_path_parent(path, size);
        uint32_t parent = kz_tree_find(s, path, up), next = 0;
        if (parent != 0)
            next = kz_tree_child_after(s, parent, path + up + 1, size - up - 1);
        if (next != 0)
            return next;
        size = up;
    }
    return 0;
}

const char *kz_server_next_path(const struct kz_server *s, const char *previous, char *buffer,
                                size_t capacity)
{
    if (previous == NULL)
        return write_path(s, KZ_ROOT, buffer, capacity);
    size_t size = strlen(previous);
    uint32_t node = kz_tree_find(s, previous, size);
    uint32_t next = node == 0 ? 0 : kz_tree_first_child(s, node);
    if (next == 0 && node > KZ_ROOT)
        next = kz_node(s, node)->next;
    if (next == 0)
        next = next_beside(s, previous, size);
    return next == 0 ? NULL : write_path(s, next, buffer, capacity);
}

const char *kz_server_next_child(const struct kz_server *s, const char *parent,
                                 const char *previous, char *buffer, size_t capacity)
{
    uint32_t node = kz_tree_find(s, parent, strlen(parent)), next;
    if (node == 0)
        return NULL;
    if (previous == NULL) {
        next = kz_tree_first_child(s, node);
    } else {
        const char *name = strrchr(previous, '/') + 1;
        next = kz_tree_child_after(s, node, name, strlen(name));
    }
    return next == 0 ? NULL : write_path(s, next, buffer, capacity);
}

/* ---- putting ---- */

/* What is missing of path[0..size): how many nodes, and their names in the arena. */
static void count_missing(const struct kz_server *s, const char *path, size_t size, uint64_t *nodes,
                          uint64_t *bytes)
{
    while (size > 1 && kz_tree_find(s, path, size) == 0) {
        size_t up = kz_path_parent(path, size);
        *nodes += 1;
        *bytes += kz_tree_cost(size - up - 1, 0);
        size = up;
    }
}

const char *kz_server_put_short_of(const struct kz_server *s, const char *path, uint32_t size)
{
    uint64_t nodes = 0, bytes = kz_tree_cost(0, size);
    count_missing(s, path, strlen(path), &nodes, &bytes);
    return nodes > s->limits.nodes - s->node_count ? "nodes"
           : !kz_arena_has(s, bytes)               ? "bytes"
                                                   : NULL;
}

/* A parent has had at least as many creations as it has children. */
static uint32_t add_child(struct kz_server *s, uint32_t parent, const char *path, size_t size,
                          int64_t zxid)
{
    uint32_t node = kz_tree_add(s, parent, path, size);
    struct kz_node *p = kz_node(s, parent), *n = kz_node(s, node);
    if ((uint32_t)p->creations < p->num_children)
        p->creations = (int32_t)p->num_children;
    if (p->pzxid < zxid)
        p->pzxid = zxid;
    n->czxid = n->mzxid = n->pzxid = zxid;
    return node;
}

static uint32_t add_missing(struct kz_server *s, const char *path, size_t size, int64_t zxid)
{
    uint32_t node = KZ_ROOT;
    for (size_t end = 1; end <= size && size > 1; end++) {
        if (end < size && path[end] != '/')
            continue;
        uint32_t next = kz_tree_find(s, path, end);
        node = next != 0 ? next : add_child(s, node, path, end, zxid);
    }
    return node;
}

static int64_t greatest_zxid(const struct wire_zk_stat *stat)
{
    int64_t z = stat->czxid > stat->mzxid ? stat->czxid : stat->mzxid;
    return z > stat->pzxid ? z : stat->pzxid;
}

static void put_stat(struct kz_server *s, uint32_t node, const struct wire_zk_stat *stat)
{
    struct kz_node *n = kz_node(s, node);
    n->czxid = stat->czxid;
    n->mzxid = stat->mzxid;
    n->pzxid = stat->pzxid;
    n->ctime = stat->ctime;
    n->mtime = stat->mtime;
    n->version = stat->version;
    n->aversion = stat->aversion;
    n->creations = (int32_t)(((uint32_t)stat->cversion + (uint32_t)stat->num_children) / 2u);
    if ((uint32_t)n->creations < n->num_children)
        n->creations = (int32_t)n->num_children;
    uint32_t owner = kz_session_find(s, stat->ephemeral_owner);
    if (owner != 0)
        kz_tree_own(s, node, owner);
    n->owner = stat->ephemeral_owner;
    if (s->last_session < n->owner)
        s->last_session = n->owner; /* a new session must not inherit it */
}

/* The owner of an existing node may change only by leaving the old owner's list. */
static void take_from_owner(struct kz_server *s, uint32_t node)
{
    if (node == KZ_ROOT || kz_node(s, node)->owner == 0)
        return;
    kz_tree_unlink(s, node);
    kz_node(s, node)->owner = 0;
    kz_node(s, node)->ephemeral_prev = kz_node(s, node)->ephemeral_next = 0;
    kz_tree_relink(s, node);
}

static bool has_ephemeral_above(const struct kz_server *s, const char *path, size_t size)
{
    for (size = kz_path_parent(path, size); size > 0; size = kz_path_parent(path, size)) {
        uint32_t node = kz_tree_find(s, path, size);
        if (node != 0)
            return kz_node(s, node)->owner != 0;
    }
    return false;
}

enum sm_err kz_server_put(struct kz_server *s, const char *path, const void *data, uint32_t size,
                          const struct wire_zk_stat *stat)
{
    size_t path_size = strlen(path);
    if (!kz_path_valid(path, path_size))
        return SM_ERR_SYNTAX;
    uint32_t node = kz_tree_find(s, path, path_size);
    bool ephemeral = stat != NULL && stat->ephemeral_owner != 0;
    if (has_ephemeral_above(s, path, path_size) ||
        (ephemeral && node != 0 && (node == KZ_ROOT || kz_node(s, node)->num_children != 0)))
        return SM_ERR_ILLEGAL_STATE;
    if (data == NULL)
        size = 0;
    if (kz_server_put_short_of(s, path, size) != NULL)
        return SM_ERR_LIMIT;
    uint64_t nodes = 0, bytes = kz_tree_cost(0, size);
    count_missing(s, path, path_size, &nodes, &bytes);
    kz_arena_reserve(s, bytes);
    struct wire_zk_stat now = {.czxid = s->zxid + 1, .mzxid = s->zxid + 1, .pzxid = s->zxid + 1};
    if (stat == NULL)
        stat = &now;
    node = add_missing(s, path, path_size, stat->czxid);
    take_from_owner(s, node);
    if (kz_node(s, node)->data != 0)
        kz_blob_free(s, kz_node(s, node)->data);
    kz_tree_set_data(s, node, data, size, data != NULL);
    put_stat(s, node, stat);
    if (s->zxid < greatest_zxid(stat))
        s->zxid = greatest_zxid(stat);
    kz_history_clear(s);
    return SM_ERR_OK;
}

/* ---- digest ---- */

static uint64_t add_node(const struct kz_server *s, uint64_t h, uint32_t node)
{
    const struct kz_node *n = kz_node(s, node);
    struct wire_zk_stat stat;
    kz_tree_stat(n, &stat);
    stat.unused = n->has_data;
    h = kz_hash_bytes(h, kz_node_name(s, n), n->name_size);
    h = kz_hash_bytes(h, &stat, sizeof stat);
    return n->data_size == 0 ? h : kz_hash_bytes(h, kz_node_data(s, n), n->data_size);
}

/* Children by name, each list closed by the number of its parent's children (in its stat). */
static uint64_t add_tree(const struct kz_server *s, uint64_t h)
{
    uint32_t node = KZ_ROOT;
    while (node != 0) {
        h = add_node(s, h, node);
        uint32_t next = kz_tree_first_child(s, node);
        while (next == 0 && node != KZ_ROOT) {
            next = kz_node(s, node)->next;
            node = kz_node(s, node)->parent;
        }
        node = next;
    }
    return h;
}

/* Watches of one session have no order: their hashes are added up. */
static uint64_t watches_of(const struct kz_server *s, uint32_t session)
{
    uint64_t sum = 0;
    for (uint32_t i = kz_session(s, session)->watch; i != 0; i = kz_watch(s, i)->session_next) {
        const struct kz_watched *w = kz_watched(s, kz_watch(s, i)->watched);
        sum += kz_hash_bytes(kz_watch(s, i)->kind, kz_blob(s, w->path), w->path_size);
    }
    return sum;
}

static uint64_t add_session(const struct kz_server *s, uint64_t h, uint32_t session)
{
    const struct kz_session *of = kz_session(s, session);
    uint64_t words[] = {
        (uint64_t)of->id, of->password, (uint64_t)of->timeout_us, (uint64_t)of->expires,
        of->conn,         of->lagging,  (uint64_t)of->view,       watches_of(s, session)};
    return kz_hash_bytes(h, words, sizeof words);
}

/* The part of history that some lagging session still reads. */
static uint64_t add_history(const struct kz_server *s, uint64_t h)
{
    int64_t view = INT64_MAX;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->lagging && kz_session(s, i)->view < view)
            view = kz_session(s, i)->view;
    for (uint32_t i = s->history_count; i > 0 && kz_past(s, i - 1)->zxid > view; i--) {
        struct kz_past past = *kz_past(s, i - 1);
        h = kz_hash_bytes(h, kz_blob(s, past.path), past.path_size);
        if (past.data_size != 0)
            h = kz_hash_bytes(h, kz_blob(s, past.data), past.data_size);
        past.path = past.data = 0;
        h = kz_hash_bytes(h, &past, sizeof past);
    }
    return h;
}

uint64_t kz_server_digest(const struct kz_server *s)
{
    uint64_t head[] = {(uint64_t)s->tick_us, (uint64_t)s->zxid, (uint64_t)s->last_session,
                       s->quorum_lost};
    uint64_t h = add_tree(s, kz_hash_bytes(0x13198a2e03707344ull, head, sizeof head));
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        h = add_session(s, h, i);
    return add_history(s, h);
}

/* ---- checking ---- */

static void check_siblings(const struct kz_server *s, uint32_t node)
{
    const struct kz_node *n = kz_node(s, node);
    uint32_t count = 0, prev = 0;
    for (uint32_t i = kz_tree_first_child(s, node); i != 0; i = kz_node(s, i)->next) {
        const struct kz_node *c = kz_node(s, i);
        assert(c->parent == node && c->prev == prev);
        if (prev != 0) {
            const struct kz_node *p = kz_node(s, prev);
            assert(kz_compare_names(kz_node_name(s, p), p->name_size, kz_node_name(s, c),
                                    c->name_size) < 0);
            assert(kz_tree_child_after(s, node, kz_node_name(s, p), p->name_size) == i);
        }
        prev = i;
        count++;
    }
    assert(count == n->num_children);
    assert(n->owner == 0 || count == 0);
    assert((uint32_t)n->creations >= n->num_children);
    assert(n->pzxid >= n->czxid && n->mzxid >= n->czxid);
}

static uint32_t check_tree(const struct kz_server *s)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= s->node_high; i++) {
        if (i != KZ_ROOT && kz_node(s, i)->parent == 0)
            continue;
        char path[KZ_PATH_MAX];
        size_t size = kz_tree_path(s, i, path);
        assert(kz_tree_find(s, path, size) == i);
        assert(kz_node(s, i)->hash == kz_path_hash(path, size));
        assert(kz_node(s, i)->czxid <= s->zxid && kz_node(s, i)->mzxid <= s->zxid);
        check_siblings(s, i);
        count++;
    }
    assert(count == s->node_count && count <= s->limits.nodes);
    return count;
}

static void check_free_nodes(const struct kz_server *s, uint32_t used)
{
    uint32_t count = 0;
    for (uint32_t i = s->node_free; i != 0; i = kz_node(s, i)->left) {
        struct kz_node blank = {.left = kz_node(s, i)->left};
        assert(memcmp(&blank, kz_node(s, i), sizeof blank) == 0);
        count++;
    }
    assert(used + count == s->node_high);
}

static uint32_t check_session(const struct kz_server *s, uint32_t session)
{
    const struct kz_session *of = kz_session(s, session);
    uint32_t prev = 0, watches = 0;
    for (uint32_t i = of->ephemeral_first; i != 0; prev = i, i = kz_node(s, i)->ephemeral_next) {
        assert(kz_node(s, i)->owner == of->id);
        assert(kz_node(s, i)->ephemeral_prev == prev);
    }
    assert(of->ephemeral_last == prev);
    prev = 0;
    for (uint32_t i = of->watch; i != 0; prev = i, i = kz_watch(s, i)->session_next) {
        assert(kz_watch(s, i)->session == session && kz_watch(s, i)->session_prev == prev);
        watches++;
    }
    assert(of->expires % s->tick_us == 0 && of->expires >= s->next_expiry);
    assert(of->conn == 0 || kz_session_of_conn(s, of->conn) == session);
    assert(!of->lagging || (of->conn != 0 && of->view >= s->floor && of->view <= s->zxid));
    return watches;
}

static void check_sessions(const struct kz_server *s)
{
    uint32_t count = 0, watches = 0, prev = 0;
    int64_t least = INT64_MAX;
    for (uint32_t i = s->session_first; i != 0; prev = i, i = kz_session(s, i)->next) {
        assert(kz_session(s, i)->prev == prev);
        assert(prev == 0 || kz_session(s, prev)->id < kz_session(s, i)->id);
        assert(kz_session(s, i)->id <= s->last_session);
        watches += check_session(s, i);
        if (kz_session(s, i)->expires < least)
            least = kz_session(s, i)->expires;
        count++;
    }
    assert(prev == s->session_last && count == s->session_count);
    assert(watches == s->watch_count && least == s->next_expiry);
}

static uint32_t check_watch_list(const struct kz_server *s, uint32_t watched, uint32_t first,
                                 bool child)
{
    uint32_t count = 0;
    for (uint32_t i = first, prev = 0; i != 0; prev = i, i = kz_watch(s, i)->next) {
        const struct kz_watch *w = kz_watch(s, i);
        assert(w->watched == watched && w->prev == prev);
        assert((w->kind == KZ_WATCH_CHILD) == child);
        assert(prev == 0 ||
               kz_session(s, kz_watch(s, prev)->session)->id < kz_session(s, w->session)->id);
        count++;
    }
    return count;
}

static void check_watches(const struct kz_server *s)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= s->watched_high; i++) {
        const struct kz_watched *w = kz_watched(s, i);
        if (w->path == 0)
            continue;
        assert(kz_watched_find(s, (const char *)kz_blob(s, w->path), w->path_size) == i);
        assert(w->data != 0 || w->child != 0);
        count += check_watch_list(s, i, w->data, false);
        count += check_watch_list(s, i, w->child, true);
    }
    assert(count == s->watch_count);
}

static uint64_t cost_of(uint32_t blob, uint32_t size)
{
    return blob == 0 ? 0 : kz_blob_cost(size);
}

static void check_arena(const struct kz_server *s)
{
    uint64_t live = 0;
    for (uint32_t i = 1; i <= s->node_high; i++) {
        const struct kz_node *n = kz_node(s, i);
        live += cost_of(n->data, n->data_size);
        live += n->name_size > KZ_NAME_INLINE ? kz_blob_cost(n->name_size) : 0;
    }
    for (uint32_t i = 1; i <= s->watched_high; i++)
        live += cost_of(kz_watched(s, i)->path, kz_watched(s, i)->path_size);
    for (uint32_t i = 0; i < s->history_count; i++) {
        live += cost_of(kz_past(s, i)->path, kz_past(s, i)->path_size);
        live += cost_of(kz_past(s, i)->data, kz_past(s, i)->data_size);
    }
    assert(live == s->arena_live && live <= s->limits.bytes && live + 8 <= s->arena_end);
}

void kz_server_check(const struct kz_server *s)
{
    assert(s->size == kz_server_size(&s->limits));
    check_free_nodes(s, check_tree(s));
    check_sessions(s);
    check_watches(s);
    check_arena(s);
    assert(s->history_count <= s->limits.history);
    for (uint32_t i = 0; i < s->history_count; i++)
        assert(kz_past(s, i)->zxid > s->floor || i == 0 || kz_past(s, i)->zxid == s->floor);
    for (uint32_t i = 1; i < s->history_count; i++)
        assert(kz_past(s, i - 1)->zxid <= kz_past(s, i)->zxid);
}
