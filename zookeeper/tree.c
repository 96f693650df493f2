/*
 * The tree of znodes.
 *
 *   table:  hash of a whole path -> node        a lookup is one probe, then names are compared
 *                                               upwards to the root, so that it is exact
 *   node --child--> treap of its children       insert, remove, "next name above": O(log n)
 *                   prev/next in order of name  a listing is a walk
 *
 * A treap's priority is the mixed hash of the node's path, so its shape follows from the names
 * alone and not from the order in which they came. A name of up to 16 bytes lies in the node.
 *
 * A node may be *unlinked* (neither in table nor among siblings) while a multi may still fail; its
 * slot and blobs stay until it is freed or put back.
 */
#include "zookeeper/block.h"

#include <assert.h>

static struct kz_slot *table_of(const struct kz_server *s)
{
    return (struct kz_slot *)(void *)kz_at(s, s->table);
}

const char *kz_node_name(const struct kz_server *s, const struct kz_node *n)
{
    return n->name_size <= KZ_NAME_INLINE ? n->name : (const char *)kz_blob(s, n->name_at);
}

const uint8_t *kz_node_data(const struct kz_server *s, const struct kz_node *n)
{
    static const uint8_t empty;
    return !n->has_data ? NULL : n->data == 0 ? &empty : kz_blob(s, n->data);
}

/* ---- lookup ---- */

static bool is_at(const struct kz_server *s, uint32_t node, const char *path, size_t size)
{
    while (node != KZ_ROOT) {
        const struct kz_node *n = kz_node(s, node);
        if (size <= n->name_size)
            return false;
        size -= n->name_size;
        if (path[size - 1] != '/' || memcmp(path + size, kz_node_name(s, n), n->name_size) != 0)
            return false;
        size--;
        node = n->parent;
    }
    return size == 0;
}

uint32_t kz_tree_find(const struct kz_server *s, const char *path, size_t size)
{
    if (size == 0 || (size == 1 && path[0] == '/'))
        return KZ_ROOT;
    const struct kz_slot *table = table_of(s);
    uint32_t slots = kz_table_slots(s->limits.nodes), hash = kz_path_hash(path, size);
    for (uint32_t i = kz_table_home(slots, hash); table[i].item != 0;
         i = i + 1 == slots ? 0 : i + 1)
        if (table[i].hash == hash && is_at(s, table[i].item, path, size))
            return table[i].item;
    return 0;
}

size_t kz_tree_path(const struct kz_server *s, uint32_t node, char buffer[KZ_PATH_MAX])
{
    size_t size = 0;
    for (uint32_t n = node; n != KZ_ROOT; n = kz_node(s, n)->parent)
        size += 1u + kz_node(s, n)->name_size;
    if (size == 0)
        buffer[size++] = '/';
    assert(size < KZ_PATH_MAX);
    buffer[size] = 0;
    size_t at = size;
    for (uint32_t n = node; n != KZ_ROOT; n = kz_node(s, n)->parent) {
        at -= kz_node(s, n)->name_size;
        memcpy(buffer + at, kz_node_name(s, kz_node(s, n)), kz_node(s, n)->name_size);
        buffer[--at] = '/';
    }
    return size;
}

/* ---- siblings ---- */

int kz_compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int c = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return c != 0 ? c : (a_size > b_size) - (a_size < b_size);
}

static bool name_before(const struct kz_server *s, const struct kz_node *a, const struct kz_node *b)
{
    return kz_compare_names(kz_node_name(s, a), a->name_size, kz_node_name(s, b), b->name_size) < 0;
}

/* Whether `a` belongs above `b` in the heap. */
static bool is_above(const struct kz_server *s, uint32_t a, uint32_t b)
{
    const struct kz_node *x = kz_node(s, a), *y = kz_node(s, b);
    uint32_t p = x->hash * 0x85ebca6bu, q = y->hash * 0x85ebca6bu;
    p ^= p >> 15;
    q ^= q >> 15;
    return p != q ? p > q : name_before(s, x, y);
}

static void join_list(struct kz_server *s, uint32_t prev, uint32_t node, uint32_t next)
{
    kz_node(s, node)->prev = prev;
    kz_node(s, node)->next = next;
    if (prev != 0)
        kz_node(s, prev)->next = node;
    if (next != 0)
        kz_node(s, next)->prev = node;
}

static void add_sibling(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    uint32_t *link = &kz_node(s, n->parent)->child, prev = 0, next = 0;
    while (*link != 0 && is_above(s, *link, node)) {
        struct kz_node *m = kz_node(s, *link);
        bool before = name_before(s, m, n);
        *(before ? &prev : &next) = *link;
        link = before ? &m->right : &m->left;
    }
    /* Split what hangs here into names before and after ours. */
    uint32_t rest = *link, *left = &n->left, *right = &n->right;
    *link = node;
    while (rest != 0) {
        struct kz_node *m = kz_node(s, rest);
        if (name_before(s, m, n)) {
            *left = prev = rest;
            left = &m->right;
            rest = m->right;
        } else {
            *right = next = rest;
            right = &m->left;
            rest = m->left;
        }
    }
    *left = *right = 0;
    join_list(s, prev, node, next);
}

static void remove_sibling(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    uint32_t *link = &kz_node(s, n->parent)->child;
    while (*link != node) {
        struct kz_node *m = kz_node(s, *link);
        link = name_before(s, m, n) ? &m->right : &m->left;
    }
    uint32_t a = n->left, b = n->right;
    while (a != 0 && b != 0) {
        if (is_above(s, a, b)) {
            *link = a;
            link = &kz_node(s, a)->right;
            a = *link;
        } else {
            *link = b;
            link = &kz_node(s, b)->left;
            b = *link;
        }
    }
    *link = a != 0 ? a : b;
    if (n->prev != 0)
        kz_node(s, n->prev)->next = n->next;
    if (n->next != 0)
        kz_node(s, n->next)->prev = n->prev;
    n->left = n->right = n->prev = n->next = 0;
}

uint32_t kz_tree_first_child(const struct kz_server *s, uint32_t node)
{
    uint32_t i = kz_node(s, node)->child;
    while (i != 0 && kz_node(s, i)->left != 0)
        i = kz_node(s, i)->left;
    return i;
}

uint32_t kz_tree_child_after(const struct kz_server *s, uint32_t parent, const char *name,
                             size_t size)
{
    uint32_t after = 0;
    for (uint32_t i = kz_node(s, parent)->child; i != 0;) {
        const struct kz_node *n = kz_node(s, i);
        bool above = kz_compare_names(kz_node_name(s, n), n->name_size, name, size) > 0;
        if (above)
            after = i;
        i = above ? n->left : n->right;
    }
    return after;
}

/* ---- nodes ---- */

uint64_t kz_tree_cost(size_t name_size, uint32_t data_size)
{
    return (name_size > KZ_NAME_INLINE ? kz_blob_cost(name_size) : 0) +
           (data_size != 0 ? kz_blob_cost(data_size) : 0);
}

static uint32_t new_node(struct kz_server *s)
{
    uint32_t node = s->node_free;
    if (node != 0) {
        s->node_free = kz_node(s, node)->left;
        kz_node(s, node)->left = 0;
    } else {
        node = ++s->node_high;
    }
    s->node_count++;
    assert(s->node_count <= s->limits.nodes);
    return node;
}

uint32_t kz_tree_add(struct kz_server *s, uint32_t parent, const char *path, size_t size)
{
    size_t name_at = kz_path_parent(path, size) + 1, name_size = size - name_at;
    uint32_t node = new_node(s);
    struct kz_node *n = kz_node(s, node);
    n->hash = kz_path_hash(path, size);
    n->parent = parent;
    n->name_size = (uint16_t)name_size;
    if (name_size > KZ_NAME_INLINE) {
        n->name_at = kz_blob_new(s, KZ_BLOB_NAME, node, (uint32_t)name_size);
        memcpy(kz_blob(s, n->name_at), path + name_at, name_size);
    } else {
        memcpy(n->name, path + name_at, name_size);
    }
    kz_tree_relink(s, node);
    return node;
}

/* ---- ephemerals of a session ----
   A node that leaves keeps its own links, so that one put back, last out first in, finds its old
   place. */

static void own_again(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    uint32_t owner = n->owner == 0 ? 0 : kz_session_find(s, n->owner);
    if (owner == 0)
        return;
    struct kz_session *session = kz_session(s, owner);
    *(n->ephemeral_prev ? &kz_node(s, n->ephemeral_prev)->ephemeral_next
                        : &session->ephemeral_first) = node;
    *(n->ephemeral_next ? &kz_node(s, n->ephemeral_next)->ephemeral_prev
                        : &session->ephemeral_last) = node;
}

static void disown(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    uint32_t owner = n->owner == 0 ? 0 : kz_session_find(s, n->owner);
    if (owner == 0)
        return;
    struct kz_session *session = kz_session(s, owner);
    *(n->ephemeral_prev ? &kz_node(s, n->ephemeral_prev)->ephemeral_next
                        : &session->ephemeral_first) = n->ephemeral_next;
    *(n->ephemeral_next ? &kz_node(s, n->ephemeral_next)->ephemeral_prev
                        : &session->ephemeral_last) = n->ephemeral_prev;
}

void kz_tree_own(struct kz_server *s, uint32_t node, uint32_t session)
{
    struct kz_node *n = kz_node(s, node);
    n->owner = kz_session(s, session)->id;
    n->ephemeral_prev = kz_session(s, session)->ephemeral_last;
    n->ephemeral_next = 0;
    own_again(s, node);
}

/* ---- in and out of the tree ---- */

void kz_tree_relink(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    kz_table_add(table_of(s), kz_table_slots(s->limits.nodes), n->hash, node);
    add_sibling(s, node);
    kz_node(s, n->parent)->num_children++;
    own_again(s, node);
}

void kz_tree_unlink(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    kz_table_remove(table_of(s), kz_table_slots(s->limits.nodes), n->hash, node);
    remove_sibling(s, node);
    kz_node(s, n->parent)->num_children--;
    disown(s, node);
}

void kz_tree_free(struct kz_server *s, uint32_t node)
{
    struct kz_node *n = kz_node(s, node);
    assert(node != KZ_ROOT && n->child == 0);
    if (n->data != 0)
        kz_blob_free(s, n->data);
    if (n->name_size > KZ_NAME_INLINE)
        kz_blob_free(s, n->name_at);
    memset(n, 0, sizeof *n);
    n->left = s->node_free;
    s->node_free = node;
    s->node_count--;
}

void kz_tree_set_data(struct kz_server *s, uint32_t node, const void *data, uint32_t size,
                      bool has_data)
{
    struct kz_node *n = kz_node(s, node);
    n->has_data = has_data;
    n->data_size = size;
    n->data = size == 0 ? 0 : kz_blob_new(s, KZ_BLOB_DATA, node, size);
    if (size != 0)
        memcpy(kz_blob(s, n->data), data, size);
}

/* The reported cversion counts removals too: each creation but those of present children has had
   one (DataNode.copyStat). */
void kz_tree_stat(const struct kz_node *n, struct wire_zk_stat *stat)
{
    *stat = (struct wire_zk_stat){
        .czxid = n->czxid,
        .mzxid = n->mzxid,
        .pzxid = n->pzxid,
        .ctime = n->ctime,
        .mtime = n->mtime,
        .ephemeral_owner = n->owner,
        .version = n->version,
        .cversion = (int32_t)((uint32_t)n->creations * 2u - n->num_children),
        .aversion = n->aversion,
        .data_length = (int32_t)n->data_size,
        .num_children = (int32_t)n->num_children,
    };
}
