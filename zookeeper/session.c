/*
 * Sessions: made, found again, kept alive, expired.
 *
 *   CONNECT 0 -> new id, password --request, heartbeat--> expiry moves on --silence--> TICK ends it
 *        CONNECT id, password ----> the older connection is closed, this one takes over
 *
 * Expiry times are rounded up to the tick, as ExpiryQueue does, and a session may live up to one
 * tick longer than its timeout. Ending a session removes its ephemerals in one change. The order of
 * these removals, and so of the events about them, is that of a java.util.HashSet of the paths:
 * ZooKeeper iterates over a clone of one, and a client can see it.
 *
 * While there is no quorum nobody is connected and nobody expires; when there is one again, every
 * session has its whole timeout from then, and zxids begin a new epoch (the high 32 bits).
 *
 * Source: SessionTrackerImpl, ExpiryQueue, ZooKeeperServer.processConnectRequest/reopenSession,
 * PrepRequestProcessor (closeSession), DataTree.killSession, java.util.HashMap (JDK 8 to 18).
 */
#include "zookeeper/block.h"

#include <assert.h>

/* ---- lookup ---- */

static struct kz_slot *conns_of(const struct kz_server *s)
{
    return (struct kz_slot *)(void *)kz_at(s, s->conns);
}

static uint32_t conn_hash(uint32_t conn)
{
    return conn * 0x9e3779b1u;
}

uint32_t kz_session_of_conn(const struct kz_server *s, uint32_t conn)
{
    const struct kz_slot *table = conns_of(s);
    uint32_t slots = kz_table_slots(s->limits.sessions), hash = conn_hash(conn);
    for (uint32_t i = kz_table_home(slots, hash); table[i].item != 0;
         i = i + 1 == slots ? 0 : i + 1)
        if (table[i].hash == hash)
            return table[i].item; /* the hash is a bijection */
    return 0;
}

uint32_t kz_session_find(const struct kz_server *s, int64_t id)
{
    uint32_t i = s->session_last;
    while (i != 0 && kz_session(s, i)->id > id)
        i = kz_session(s, i)->prev;
    return i != 0 && kz_session(s, i)->id == id ? i : 0;
}

/* ---- time ---- */

static void find_next_expiry(struct kz_server *s)
{
    s->next_expiry = INT64_MAX;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->expires < s->next_expiry)
            s->next_expiry = kz_session(s, i)->expires;
}

void kz_session_touch(struct kz_server *s, uint32_t session, int64_t now_us)
{
    struct kz_session *of = kz_session(s, session);
    int64_t old = of->expires;
    int64_t expires = ((now_us + of->timeout_us) / s->tick_us + 1) * s->tick_us;
    if (expires == old)
        return;
    of->expires = expires;
    if (expires < s->next_expiry)
        s->next_expiry = expires;
    else if (old == s->next_expiry)
        find_next_expiry(s);
}

int64_t kz_server_next_tick(const struct kz_server *s)
{
    return s->quorum_lost ? INT64_MAX : s->next_expiry;
}

/* ---- making and freeing ---- */

static uint32_t session_new(struct kz_server *s)
{
    uint32_t i = s->session_free;
    if (i != 0)
        s->session_free = kz_session(s, i)->next;
    else
        i = ++s->session_high;
    s->session_count++;
    int64_t id = ++s->last_session;
    *kz_session(s, i) = (struct kz_session){
        .id = id,
        .password = kz_hash_bytes(0x452821e638d01377ull, &id, sizeof id),
        .expires = INT64_MAX,
        .prev = s->session_last,
    };
    *(s->session_last != 0 ? &kz_session(s, s->session_last)->next : &s->session_first) = i;
    s->session_last = i;
    return i;
}

static void session_free(struct kz_server *s, uint32_t i)
{
    struct kz_session *of = kz_session(s, i);
    int64_t expires = of->expires;
    *(of->prev != 0 ? &kz_session(s, of->prev)->next : &s->session_first) = of->next;
    *(of->next != 0 ? &kz_session(s, of->next)->prev : &s->session_last) = of->prev;
    *of = (struct kz_session){.next = s->session_free};
    s->session_free = i;
    s->session_count--;
    if (expires == s->next_expiry)
        find_next_expiry(s);
}

/* ---- connections ---- */

static void put_closed(struct kz_outputs *out, uint32_t conn, int64_t session)
{
    struct kz_output output = {.kind = KZ_OUT_CLOSED, .conn = conn, .session = session};
    out->put(out->context, &output);
}

static void attach(struct kz_server *s, uint32_t session, uint32_t conn)
{
    kz_session(s, session)->conn = conn;
    kz_table_add(conns_of(s), kz_table_slots(s->limits.sessions), conn_hash(conn), session);
}

void kz_session_detach(struct kz_server *s, uint32_t session)
{
    struct kz_session *of = kz_session(s, session);
    if (of->conn == 0)
        return;
    kz_table_remove(conns_of(s), kz_table_slots(s->limits.sessions), conn_hash(of->conn), session);
    of->conn = 0;
    of->lagging = 0;
    of->view = 0;
}

static int64_t negotiate(const struct kz_server *s, int64_t timeout_us)
{
    int64_t least = 2 * s->tick_us, most = 20 * s->tick_us;
    return timeout_us < least ? least : timeout_us > most ? most : timeout_us;
}

static void put_connected(const struct kz_server *s, struct kz_outputs *out, uint32_t session)
{
    const struct kz_session *of = kz_session(s, session);
    struct kz_output output = {.kind = KZ_OUT_CONNECTED,
                               .conn = of->conn,
                               .session = of->id,
                               .password = of->password,
                               .timeout_us = of->timeout_us};
    out->put(out->context, &output);
}

static void connect_new(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                        struct kz_outputs *out)
{
    uint32_t session = session_new(s);
    s->zxid++; /* making a session is a change of its own */
    kz_session(s, session)->timeout_us = negotiate(s, in->timeout_us);
    kz_session(s, session)->seen = s->zxid;
    attach(s, session, in->conn);
    kz_session_touch(s, session, now_us);
    put_connected(s, out, session);
}

/* The older connection goes before the password is looked at: so does ZooKeeper. */
static void connect_again(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                          struct kz_outputs *out)
{
    uint32_t session = kz_session_find(s, in->session);
    struct kz_session *of = kz_session(s, session);
    if (session != 0 && of->conn != 0) {
        uint32_t old = of->conn;
        kz_session_detach(s, session);
        put_closed(out, old, of->id);
    }
    if (session == 0 || of->password != in->password) {
        struct kz_output refused = {.kind = KZ_OUT_CONNECTED, .conn = in->conn};
        out->put(out->context, &refused);
        put_closed(out, in->conn, 0);
        return;
    }
    of->timeout_us = negotiate(s, in->timeout_us);
    of->seen = s->zxid;
    attach(s, session, in->conn);
    kz_session_touch(s, session, now_us);
    put_connected(s, out, session);
    kz_watch_catch_up(s, out, session, in->zxid);
}

enum sm_err kz_session_connect(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                               struct kz_outputs *out)
{
    assert(in->conn != 0);
    bool serves = !s->quorum_lost && in->zxid <= s->zxid;
    if (serves && in->session == 0 && s->session_count == s->limits.sessions)
        return kz_limit(out, "sessions");
    uint32_t before = kz_session_of_conn(s, in->conn);
    if (before != 0)
        kz_session_detach(s, before);
    if (!serves)
        put_closed(out, in->conn, 0); /* "client must try another server" */
    else if (in->session == 0)
        connect_new(s, now_us, in, out);
    else
        connect_again(s, now_us, in, out);
    return SM_ERR_OK;
}

/* ---- the order in which ephemerals go ---- */

static uint32_t *ephemeral_link(struct kz_server *s, uint32_t node)
{
    return &kz_node(s, node)->ephemeral_next;
}

/* Buckets of the set itself, which began with 16 and doubled at three quarters. */
static uint32_t set_buckets(uint32_t count)
{
    uint32_t buckets = 16;
    while (count > buckets / 4 * 3)
        buckets *= 2;
    return buckets;
}

/* Buckets of its clone: the power of two for count / 0.75 + 1. */
static uint32_t clone_buckets(uint32_t count)
{
    uint64_t wanted = (uint64_t)count * 4 / 3 + 1, buckets = 1;
    while (buckets < wanted)
        buckets *= 2;
    return (uint32_t)buckets;
}

static uint64_t java_order(const struct kz_server *s, uint32_t node)
{
    char path[KZ_PATH_MAX];
    size_t size = kz_tree_path(s, node, path);
    uint32_t hash = kz_path_java_hash(path, size);
    hash ^= hash >> 16;
    uint32_t count = s->sorting;
    return (uint64_t)(hash & (clone_buckets(count) - 1)) << 32 | (hash & (set_buckets(count) - 1));
}

static bool goes_before(const struct kz_server *s, uint32_t a, uint32_t b)
{
    return java_order(s, a) < java_order(s, b);
}

static void sort_ephemerals(struct kz_server *s, uint32_t session)
{
    struct kz_session *of = kz_session(s, session);
    for (uint32_t i = of->ephemeral_first; i != 0; i = kz_node(s, i)->ephemeral_next)
        s->sorting++;
    of->ephemeral_first = kz_list_sort(s, of->ephemeral_first, ephemeral_link, goes_before);
    s->sorting = 0;
    of->ephemeral_last = 0;
    for (uint32_t i = of->ephemeral_first; i != 0; i = kz_node(s, i)->ephemeral_next) {
        kz_node(s, i)->ephemeral_prev = of->ephemeral_last;
        of->ephemeral_last = i;
    }
}

/* ---- ending ---- */

/* What ending a session adds to history. */
static void add_need(const struct kz_server *s, uint32_t session, uint64_t *records,
                     uint64_t *bytes)
{
    char path[KZ_PATH_MAX];
    if (s->limits.history == 0)
        return;
    for (uint32_t i = kz_session(s, session)->ephemeral_first; i != 0;
         i = kz_node(s, i)->ephemeral_next) {
        *records += 1;
        *bytes += kz_history_cost(s, kz_tree_path(s, i, path));
    }
}

static enum sm_err check_need(const struct kz_server *s, uint64_t records, uint64_t bytes,
                              struct kz_outputs *out)
{
    if (!kz_history_has(s, records, 0))
        return kz_limit(out, "history");
    return kz_arena_has(s, bytes) ? SM_ERR_OK : kz_limit(out, "bytes");
}

static void remove_ephemeral(struct kz_server *s, uint32_t node, uint32_t session,
                             struct kz_outputs *out)
{
    char path[KZ_PATH_MAX];
    size_t size = kz_tree_path(s, node, path);
    struct kz_node *n = kz_node(s, node), *parent = kz_node(s, n->parent);
    struct wire_zk_stat stat;
    struct kz_past past;
    kz_tree_stat(n, &stat);
    kz_past_of_delete(s, node, s->zxid, parent->pzxid, &past);
    kz_tree_unlink(s, node);
    parent->pzxid = s->zxid;
    if (s->limits.history != 0) {
        past.hash = n->hash;
        past.path_size = (uint32_t)size;
        past.path = kz_blob_new(s, KZ_BLOB_PAST_PATH, 0, (uint32_t)size);
        memcpy(kz_blob(s, past.path), path, size);
        n->data = 0;
    }
    kz_tree_free(s, node);
    struct kz_change change = {.opcode = WIRE_ZK_DELETE,
                               .session = session,
                               .zxid = s->zxid,
                               .path = path,
                               .path_size = size,
                               .stat = &stat,
                               .past = s->limits.history != 0 ? &past : NULL};
    kz_change_publish(s, out, &change);
}

/* They keep the number of their owner, as those of a dump do. */
static void leave_ephemerals(struct kz_server *s, struct kz_session *of)
{
    for (uint32_t i = of->ephemeral_first, next; i != 0; i = next) {
        next = kz_node(s, i)->ephemeral_next;
        kz_node(s, i)->ephemeral_prev = kz_node(s, i)->ephemeral_next = 0;
    }
    of->ephemeral_first = of->ephemeral_last = 0;
}

/* The connection, where there is one, still hears of its own ephemerals before it is closed. */
static void end(struct kz_server *s, uint32_t session, enum kz_session_end how,
                struct kz_outputs *out)
{
    struct kz_session *of = kz_session(s, session);
    if (of->lagging)
        kz_history_advance(s, out, session, s->zxid);
    of->lagging = 0;
    s->zxid++;
    if (how != KZ_END_CLOSED) {
        struct kz_output note = {.kind = KZ_OUT_EXPIRED,
                                 .conn = of->conn,
                                 .session = of->id,
                                 .zxid = s->zxid,
                                 .type = how == KZ_END_LEFT};
        out->put(out->context, &note);
    }
    if (how == KZ_END_LEFT)
        leave_ephemerals(s, of);
    sort_ephemerals(s, session);
    while (of->ephemeral_first != 0)
        remove_ephemeral(s, of->ephemeral_first, session, out);
    kz_watch_drop_all(s, session);
    uint32_t conn = of->conn;
    int64_t id = of->id;
    kz_session_detach(s, session);
    session_free(s, session);
    if (conn != 0)
        put_closed(out, conn, id);
}

enum sm_err kz_session_end(struct kz_server *s, uint32_t session, enum kz_session_end how,
                           struct kz_outputs *out)
{
    uint64_t records = 0, bytes = 0;
    add_need(s, session, &records, &bytes);
    enum sm_err err = check_need(s, records, bytes, out);
    if (err != SM_ERR_OK)
        return err;
    kz_arena_reserve(s, bytes);
    end(s, session, how, out);
    return SM_ERR_OK;
}

/* The session that is due first; of those due at one time that with the least id. */
static uint32_t first_due(const struct kz_server *s, int64_t now_us)
{
    uint32_t due = 0;
    if (s->next_expiry > now_us)
        return 0;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->expires <= now_us &&
            (due == 0 || kz_session(s, i)->expires < kz_session(s, due)->expires))
            due = i;
    return due;
}

enum sm_err kz_session_tick(struct kz_server *s, int64_t now_us, struct kz_outputs *out)
{
    uint64_t records = 0, bytes = 0;
    if (s->quorum_lost || s->next_expiry > now_us)
        return SM_ERR_OK;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->expires <= now_us)
            add_need(s, i, &records, &bytes);
    enum sm_err err = check_need(s, records, bytes, out);
    if (err != SM_ERR_OK)
        return err;
    kz_arena_reserve(s, bytes);
    for (uint32_t i; (i = first_due(s, now_us)) != 0;)
        end(s, i, KZ_END_EXPIRED, out);
    return SM_ERR_OK;
}

/* ---- quorum ---- */

static void lose_quorum(struct kz_server *s, struct kz_outputs *out)
{
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next) {
        uint32_t conn = kz_session(s, i)->conn;
        if (conn == 0)
            continue;
        kz_session_detach(s, i);
        put_closed(out, conn, kz_session(s, i)->id);
    }
}

void kz_session_quorum(struct kz_server *s, int64_t now_us, bool on, struct kz_outputs *out)
{
    if (on == !s->quorum_lost)
        return;
    s->quorum_lost = !on;
    if (!on) {
        lose_quorum(s, out);
        return;
    }
    s->zxid = ((s->zxid >> 32) + 1) << 32;
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        kz_session_touch(s, i, now_us);
}

/* ---- lag ---- */

enum sm_err kz_session_lag(struct kz_server *s, uint32_t session, int64_t zxid,
                           struct kz_outputs *out)
{
    struct kz_session *of = kz_session(s, session);
    if (s->limits.history == 0)
        return SM_ERR_OK;
    if (!of->lagging) {
        of->view = of->seen > s->floor ? of->seen : s->floor;
        of->lagging = 1;
    }
    kz_history_advance(s, out, session, zxid == 0 || zxid > s->zxid ? s->zxid : zxid);
    if (zxid == 0) {
        of->lagging = 0;
        of->view = 0;
    }
    return SM_ERR_OK;
}
