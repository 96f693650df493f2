/*
 * Seeing the past: what a connection to a lagging server reads, and when its watches fire.
 *
 *        floor            view of a lagging session            now
 *          |  rec rec rec rec | rec rec rec rec rec rec rec rec |
 *                             <--- undone, newest first, for a read
 *                             replayed, oldest first, when the view moves up --->
 *
 * Each record holds what one change replaced. A read at `view` takes the node as it is and undoes
 * the records after `view` that touch it or add or remove a child of it. Watches of a lagging
 * session are left alone by changes, and are fired by replaying the records when its view passes
 * them; thus an event still comes before any reply that shows the change, and a watch armed on an
 * old state sees what came after.
 *
 * The ring holds `limits.history` records. The oldest gives way, unless a lagging session's view
 * lies before it: then the change is refused with LIMIT. A read costs O(records after the view).
 *
 * Source: ZooKeeper's consistency guarantees (zookeeperInternals, "Single System Image"): a server
 * applies changes in order, and so answers as of some moment that only moves forward.
 */
#include "zookeeper/block.h"

#include <assert.h>

uint64_t kz_history_cost(const struct kz_server *s, size_t path_size)
{
    return s->limits.history == 0 ? 0 : kz_blob_cost(path_size);
}

static const char *path_of(const struct kz_server *s, const struct kz_past *past)
{
    return (const char *)kz_blob(s, past->path);
}

/* Whether the record's path is a child of parent[0..size). */
static bool is_child_of(const struct kz_server *s, const struct kz_past *past, const char *parent,
                        size_t size)
{
    if (size == 1)
        size = 0; /* the root */
    return kz_path_parent(path_of(s, past), past->path_size) == size &&
           memcmp(path_of(s, past), parent, size) == 0;
}

/* First record after `view`. */
static uint32_t first_after(const struct kz_server *s, int64_t view)
{
    uint32_t low = 0, high = s->history_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (kz_past(s, middle)->zxid > view)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- reading ---- */

static void see_now(const struct kz_server *s, const char *path, size_t size, struct kz_seen *seen,
                    int32_t *creations)
{
    uint32_t node = kz_tree_find(s, path, size);
    *seen = (struct kz_seen){.exists = node != 0};
    *creations = kz_node(s, node)->creations;
    if (node == 0)
        return;
    const struct kz_node *n = kz_node(s, node);
    kz_tree_stat(n, &seen->stat);
    seen->has_data = n->has_data;
    seen->data = kz_node_data(s, n);
    seen->data_size = n->data_size;
}

static void see_old_data(const struct kz_server *s, const struct kz_past *past,
                         struct kz_seen *seen)
{
    static const uint8_t empty;
    seen->has_data = past->has_data;
    seen->data = !past->has_data ? NULL : past->data == 0 ? &empty : kz_blob(s, past->data);
    seen->data_size = past->data_size;
    seen->stat.mzxid = past->mzxid;
    seen->stat.mtime = past->mtime;
    seen->stat.version = past->version;
}

static void undo_own(const struct kz_server *s, const struct kz_past *past, struct kz_seen *seen,
                     int32_t *creations)
{
    if (past->opcode == WIRE_ZK_CREATE) {
        *seen = (struct kz_seen){0};
        return;
    }
    see_old_data(s, past, seen);
    if (past->opcode == WIRE_ZK_SET_DATA)
        return;
    seen->exists = true;
    seen->stat.czxid = past->czxid;
    seen->stat.pzxid = past->pzxid;
    seen->stat.ctime = past->ctime;
    seen->stat.ephemeral_owner = past->owner;
    seen->stat.aversion = past->aversion;
    seen->stat.num_children = 0;
    *creations = past->creations;
}

static void undo_child(const struct kz_past *past, struct kz_seen *seen, int32_t *creations)
{
    bool created = past->opcode == WIRE_ZK_CREATE;
    *creations -= created;
    seen->stat.num_children += created ? -1 : 1;
    seen->stat.pzxid = past->parent_pzxid;
}

void kz_history_see(const struct kz_server *s, const char *path, int64_t view, struct kz_seen *seen)
{
    size_t size = strlen(path);
    int32_t creations;
    see_now(s, path, size, seen, &creations);
    if (s->history_count == 0 || kz_past(s, s->history_count - 1)->zxid <= view)
        return;
    uint32_t hash = kz_path_hash(path, size);
    for (uint32_t i = s->history_count; i > 0 && kz_past(s, i - 1)->zxid > view; i--) {
        const struct kz_past *past = kz_past(s, i - 1);
        if (past->hash == hash && past->path_size == size &&
            memcmp(path_of(s, past), path, size) == 0)
            undo_own(s, past, seen, &creations);
        else if (past->opcode != WIRE_ZK_SET_DATA && seen->exists &&
                 is_child_of(s, past, path, size))
            undo_child(past, seen, &creations);
    }
    seen->stat.data_length = (int32_t)seen->data_size;
    if (seen->exists)
        seen->stat.cversion =
            (int32_t)((uint32_t)creations * 2u - (uint32_t)seen->stat.num_children);
}

const char *kz_past_lost_child(const struct kz_server *s, const struct kz_past *past,
                               const char *parent, size_t size, int64_t view)
{
    if (past->opcode != WIRE_ZK_DELETE || past->zxid <= view || past->czxid > view ||
        !is_child_of(s, past, parent, size))
        return NULL;
    return path_of(s, past) + kz_path_parent(path_of(s, past), past->path_size) + 1;
}

/* ---- writing ---- */

bool kz_history_has(const struct kz_server *s, uint64_t count, uint32_t except)
{
    uint64_t capacity = s->limits.history;
    if (capacity == 0 || s->history_count + count <= capacity)
        return true;
    uint64_t lost = s->history_count + count - capacity;
    int64_t floor = lost > s->history_count ? INT64_MAX : kz_past(s, (uint32_t)lost - 1)->zxid;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (i != except && kz_session(s, i)->lagging && kz_session(s, i)->view < floor)
            return false;
    return true;
}

static void drop_oldest(struct kz_server *s)
{
    struct kz_past *past = kz_past(s, 0);
    s->floor = past->zxid;
    kz_blob_free(s, past->path);
    if (past->data != 0)
        kz_blob_free(s, past->data);
    memset(past, 0, sizeof *past);
    s->history_first = kz_past_slot(s, 1);
    s->history_count--;
}

void kz_history_add(struct kz_server *s, const struct kz_past *past)
{
    assert(s->limits.history != 0);
    if (s->history_count == s->limits.history)
        drop_oldest(s);
    uint32_t slot = kz_past_slot(s, s->history_count);
    *kz_past(s, s->history_count++) = *past;
    kz_blob_own(s, past->path, KZ_BLOB_PAST_PATH, slot);
    if (past->data != 0)
        kz_blob_own(s, past->data, KZ_BLOB_PAST_DATA, slot);
}

void kz_history_clear(struct kz_server *s)
{
    while (s->history_count != 0)
        drop_oldest(s);
    s->history_first = 0;
    s->floor = s->zxid;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->lagging)
            kz_session(s, i)->view = s->zxid;
}

void kz_past_of_delete(const struct kz_server *s, uint32_t node, int64_t zxid, int64_t parent_pzxid,
                       struct kz_past *past)
{
    const struct kz_node *n = kz_node(s, node);
    *past = (struct kz_past){
        .zxid = zxid,
        .parent_pzxid = parent_pzxid,
        .czxid = n->czxid,
        .mzxid = n->mzxid,
        .pzxid = n->pzxid,
        .ctime = n->ctime,
        .mtime = n->mtime,
        .owner = n->owner,
        .version = n->version,
        .creations = n->creations,
        .aversion = n->aversion,
        .opcode = WIRE_ZK_DELETE,
        .data = n->data,
        .data_size = n->data_size,
        .has_data = n->has_data,
    };
}

/* ---- moving a view ---- */

void kz_history_advance(struct kz_server *s, struct kz_outputs *out, uint32_t session, int64_t zxid)
{
    int64_t view = kz_session(s, session)->view;
    for (uint32_t i = first_after(s, view); i < s->history_count; i++) {
        const struct kz_past *past = kz_past(s, i);
        if (past->zxid > zxid)
            break;
        char path[KZ_PATH_MAX];
        memcpy(path, path_of(s, past), past->path_size);
        path[past->path_size] = 0;
        kz_watch_fire(s, out, (enum wire_zk_opcode)past->opcode, path, past->path_size, past->zxid,
                      session);
    }
    if (zxid > view)
        kz_session(s, session)->view = zxid;
}
