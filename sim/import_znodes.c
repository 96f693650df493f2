/*
 * ZooKeeper's side: transactions into `zap` and `session` records with the tree's facts; and znodes
 * that no transaction tells of, but that lines make likely.
 *
 * Versions are counted: a created znode has 0, each setData one more; of a znode that was there
 * before the first transaction the version is not known, and counting begins at 1. A session is a
 * node's when it registers /brokers/ids/N or says so in /controller. pzxid, cversion and ACLs are
 * not kept.
 */
#include "sim/import_story.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

enum { KEY_MAX = 400 };
#define AHEAD_US INT64_C(2000000) /* how far before its time a transaction may be asked for */

/* ---- the tree ---- */

static struct sim_znode_told *znode_of(struct sim_story *s, const char *path)
{
    uint32_t before = s->paths.count, id = sim_keys_intern(&s->paths, path, strlen(path));
    s->znodes = sim_grow(s->znodes, &s->znode_capacity, (size_t)id + 1, sizeof(*s->znodes));
    if (id == before)
        s->znodes[id] = (struct sim_znode_told){0};
    return &s->znodes[id];
}

static void set_fact(struct sim_story *s, const char *path, const char *data, size_t size)
{
    const struct sim_znode_told *z = znode_of(s, path);
    struct wire_zk_stat stat = {.czxid = z->czxid,
                                .mzxid = z->mzxid,
                                .pzxid = z->czxid,
                                .ctime = z->ctime,
                                .mtime = z->mtime,
                                .ephemeral_owner = z->owner,
                                .version = z->version};
    sim_trace_set_znode(s->trace, path, data, size, z->exists ? &stat : NULL);
}

static void note_change(struct sim_story *s, const char *path, uint64_t n, bool gone)
{
    if (strncmp(path, SM_PATH_BROKER_IDS "/", sizeof(SM_PATH_BROKER_IDS)) == 0)
        s->brokers_changed = n;
    else if (strncmp(path, SM_PATH_DELETE_TOPICS "/", sizeof(SM_PATH_DELETE_TOPICS)) == 0 && !gone)
        s->deletions_changed = n;
    else if (strncmp(path, SM_PATH_TOPICS "/", sizeof(SM_PATH_TOPICS)) == 0 &&
             strchr(path + sizeof(SM_PATH_TOPICS), '/') == NULL)
        s->topics_changed = n;
    else if (strcmp(path, SM_PATH_REASSIGN) == 0 && !gone)
        s->reassign_changed = n;
    else if (strcmp(path, SM_PATH_PREFERRED) == 0 && !gone)
        s->preferred_changed = n;
    else if (strcmp(path, SM_PATH_CONTROLLER) == 0)
        s->controller_changed = n;
}

/* ---- sessions ---- */

static struct sim_session_told *session_of(struct sim_story *s, int64_t id)
{
    for (size_t i = s->session_count; i > 0; i--)
        if (s->sessions[i - 1].id == id)
            return &s->sessions[i - 1];
    s->sessions =
        sim_grow(s->sessions, &s->session_capacity, s->session_count + 1, sizeof(*s->sessions));
    s->sessions[s->session_count] = (struct sim_session_told){.id = id, .node = -1};
    return &s->sessions[s->session_count++];
}

static int32_t number_in(const char *data, size_t size, const char *name)
{
    struct sim_span s = {data, size};
    const char *at = data == NULL ? NULL : sim_span_find(s, name);
    int64_t value;
    if (at == NULL)
        return -1;
    at += strlen(name);
    size_t digits = 0;
    while (at + digits < data + size && at[digits] >= '0' && at[digits] <= '9')
        digits++;
    return sim_span_int((struct sim_span){at, digits}, &value) && value <= INT32_MAX
               ? (int32_t)value
               : -1;
}

/* Whose session it is, where the operation says so; -1. */
static int32_t node_of_op(const struct sim_txn_op *op)
{
    int32_t id;
    if (op->type == SIM_TXN_CREATE && sm_path_is_broker(op->path, &id))
        return id;
    if (op->type == SIM_TXN_CREATE && strcmp(op->path, SM_PATH_CONTROLLER) == 0)
        return number_in(op->data, op->size, "\"brokerid\":");
    return -1;
}

static const char *session_key(struct sim_story *s, const struct sim_session_told *session)
{
    return session->node >= 0 ? sim_trace_key(s->trace, "sess.%" PRId32, session->node)
                              : sim_trace_key(s->trace, "sess.x%" PRIx64, (uint64_t)session->id);
}

static void set_session(struct sim_story *s, const struct sim_session_told *session,
                        const char *state)
{
    sim_trace_set_begin(s->trace, session_key(s, session));
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_text(s->trace, SIM_F_STATE, state);
    sim_trace_int(s->trace, SIM_F_ID, session->id);
    sim_trace_object_end(s->trace);
    sim_trace_set_end(s->trace);
}

static void session_fields(struct sim_story *s, const struct sim_session_told *session,
                           const char *what)
{
    sim_trace_text(s->trace, SIM_F_WHAT, what);
    sim_trace_int(s->trace, SIM_F_ID, session->id);
    if (session->node >= 0)
        sim_trace_int(s->trace, SIM_F_NODE, session->node);
    sim_trace_text(s->trace, SIM_F_SEEN, "server");
}

static void tell_opened(struct sim_story *s, const struct sim_txn *txn)
{
    struct sim_session_told *session = session_of(s, txn->session);
    if (!sim_import_tell(s, SIM_K_SESSION, SIM_LANE_ZK, 0))
        return;
    session->live = true;
    session_fields(s, session, "created");
    sim_trace_int(s->trace, SIM_F_TIMEOUT, txn->timeout_ms * 1000);
    sim_trace_int(s->trace, SIM_F_ZXID, txn->zxid);
    set_session(s, session, "live");
    session->record = sim_trace_end(s->trace);
}

/* The tools do not say whether a session was closed or expired; a node that is known to be down did
   not close it. */
static void tell_closed(struct sim_story *s, const struct sim_txn *txn)
{
    struct sim_session_told *session = session_of(s, txn->session);
    uint64_t down = session->node >= 0 ? sim_import_node(s, session->node)->down : 0;
    session = session_of(s, txn->session);
    bool expired = down != 0;
    if (!sim_trace_begin(s->trace, SIM_K_SESSION, sim_import_now(s), SIM_LANE_ZK, session->record,
                         down))
        return;
    session->live = false;
    session_fields(s, session, expired ? "expired" : "closed");
    sim_trace_int(s->trace, SIM_F_ZXID, txn->zxid);
    uint64_t n = sim_trace_open_number(s->trace);
    set_session(s, session, expired ? "expired" : "closed");
    for (uint32_t i = 0; i < session->paths.count; i++) {
        const char *path = sim_keys_name(&session->paths, i);
        struct sim_znode_told *z = znode_of(s, path);
        if (!z->exists || z->owner != session->id)
            continue;
        z->exists = false;
        set_fact(s, path, NULL, 0);
        note_change(s, path, n, true);
        if (strcmp(path, SM_PATH_CONTROLLER) == 0)
            s->controller = -1;
    }
    sim_keys_clear(&session->paths);
    sim_trace_end(s->trace);
    if (session->node >= 0)
        sim_import_node(s, session->node)->expired = n;
}

/* ---- operations ---- */

/* A leader changed the ISR: whoever knows its leadership reads that before it next decides. */
static void note_isr(struct sim_story *s, const struct sim_txn_op *op, int32_t version)
{
    struct sim_tp tp;
    struct sim_state_text state;
    if (!sm_path_is_partition_state(op->path, tp.topic, &tp.partition) || op->data == NULL)
        return;
    sim_span_state((struct sim_span){op->data, op->size}, &state);
    for (size_t i = 0; i < s->node_count && state.has_isr; i++) {
        struct sim_partition_told *p = sim_import_partition(s, s->nodes[i].id, &tp);
        if (!p->has_li || p->li.leader != state.leader || p->li.leader_epoch != state.leader_epoch)
            continue;
        const size_t count = state.isr.count < SM_REPLICAS_MAX ? state.isr.count : SM_REPLICAS_MAX;
        p->li.isr = sm_list_of(state.isr.id, (int32_t)count);
        p->li.zk_version = version;
    }
}

static void apply(struct sim_story *s, const struct sim_txn *txn, const struct sim_txn_op *op,
                  int64_t ms)
{
    struct sim_znode_told *z = znode_of(s, op->path);
    if (op->type == SIM_TXN_CREATE) {
        *z = (struct sim_znode_told){.exists = true,
                                     .real = true,
                                     .czxid = txn->zxid,
                                     .mzxid = txn->zxid,
                                     .ctime = ms,
                                     .mtime = ms,
                                     .owner = op->ephemeral ? txn->session : 0};
        if (op->ephemeral) {
            struct sim_session_told *session = session_of(s, txn->session);
            sim_keys_intern(&session->paths, op->path, strlen(op->path));
        }
    } else if (op->type == SIM_TXN_SET) {
        z->version = z->exists ? z->version + 1 : 1;
        z->exists = z->real = true;
        z->mzxid = txn->zxid;
        z->mtime = ms;
        note_isr(s, op, z->version);
    } else {
        z->exists = false;
        z->real = true;
    }
    set_fact(s, op->path, op->type == SIM_TXN_DELETE ? NULL : op->data, op->size);
    note_change(s, op->path, sim_trace_open_number(s->trace), op->type == SIM_TXN_DELETE);
    if (strcmp(op->path, SM_PATH_CONTROLLER) == 0)
        s->controller =
            op->type == SIM_TXN_DELETE ? -1 : number_in(op->data, op->size, "\"brokerid\":");
}

static const char *main_path(const struct sim_txn *txn, const char **check)
{
    const char *path = NULL;
    for (size_t i = 0; i < txn->count; i++) {
        if (txn->ops[i].type == SIM_TXN_CHECK)
            *check = txn->ops[i].path;
        else if (path == NULL)
            path = txn->ops[i].path;
    }
    return path;
}

static void add_results(struct sim_story *s, const struct sim_txn *txn)
{
    sim_trace_list_begin(s->trace, SIM_F_RESULTS);
    for (size_t i = 0; i < txn->count; i++)
        sim_trace_text(s->trace, SIM_F_NONE, "OK");
    sim_trace_list_end(s->trace);
}

static const char *error_text(int32_t code)
{
    return wire_zk_err_name(code);
}

/* Who asked, and what made it: a controller's write has the event that the controller is at. */
static sim_lane asker(struct sim_story *s, const struct sim_txn *txn, const char *check,
                      uint64_t *by)
{
    int32_t node = session_of(s, txn->session)->node;
    *by = 0;
    if (node < 0)
        return 0;
    struct sim_told *told = sim_import_node(s, node);
    const char *ignored = NULL, *path = main_path(txn, &ignored);
    bool fenced = check != NULL && strcmp(check, SM_PATH_CONTROLLER_EPOCH) == 0;
    bool contends = path != NULL &&
                    strncmp(path, SM_PATH_CONTROLLER, sizeof(SM_PATH_CONTROLLER) - 1) == 0 &&
                    s->controller < 0;
    if (contends) /* it was told that /controller is gone */
        *by = s->controller_changed != 0 ? s->controller_changed : told->cause;
    else if (fenced || s->controller == node)
        *by = told->cause;
    if (contends)
        return SIM_LANE_BROKER(node);
    return fenced ? SIM_LANE_CONTROLLER(node) : SIM_LANE_BROKER(node);
}

/* Brokers create what is there already, and look for what is not; a controller deletes requests
   that nobody made. What was asked for is not in the log. */
static bool is_everyday(const struct sim_txn *txn)
{
    const bool single = strcmp(txn->name, "error") == 0;
    return txn->error == WIRE_ZK_NO_NODE || (single && txn->error == WIRE_ZK_NODE_EXISTS);
}

static void tell_ops(struct sim_story *s, const struct sim_txn *txn, int64_t ms)
{
    const char *check = NULL, *path = main_path(txn, &check);
    uint64_t by;
    for (size_t i = 0; i < txn->count; i++)
        if (node_of_op(&txn->ops[i]) >= 0) {
            int32_t node = node_of_op(&txn->ops[i]);
            session_of(s, txn->session)->node = node;
            sim_import_node(s, node)->seen = true;
        }
    sim_lane from = asker(s, txn, check, &by);
    if (!sim_import_tell(s, SIM_K_ZAP, SIM_LANE_ZK, by))
        return;
    if (from != 0)
        sim_trace_lane(s->trace, SIM_F_FRM, from);
    sim_trace_text(s->trace, SIM_F_OP, txn->name);
    if (path != NULL)
        sim_trace_bytes(s->trace, SIM_F_PATH, path, strlen(path));
    sim_trace_int(s->trace, SIM_F_OK, txn->error == 0);
    if (txn->error != 0)
        sim_trace_text(s->trace, SIM_F_CODE, error_text(txn->error));
    if (is_everyday(txn))
        sim_trace_int(s->trace, SIM_F_BENIGN, 1);
    if (txn->error == 0)
        add_results(s, txn);
    sim_trace_int(s->trace, SIM_F_ZXID, txn->zxid);
    for (size_t i = 0; txn->error == 0 && i < txn->count; i++)
        if (txn->ops[i].type <= SIM_TXN_SET)
            apply(s, txn, &txn->ops[i], ms);
    sim_trace_end(s->trace);
}

static void tell_unreadable(struct sim_story *s, const struct sim_zk_entry *z)
{
    sim_import_unknown(s->im, z->e->input, z->e->line);
    if (!sim_import_tell(s, SIM_K_LOG, SIM_LANE_ZK, 0))
        return;
    sim_trace_text(s->trace, SIM_F_LEVEL, "INFO");
    sim_trace_text(s->trace, SIM_F_STREAM, "zookeeper");
    sim_trace_bytes(s->trace, SIM_F_TEXT, z->e->text.at,
                    z->e->text.size < 4096 ? z->e->text.size : 4096);
    sim_trace_end(s->trace);
}

/* At the time that is now: within its range, but never before what was told. */
static void tell_txn(struct sim_story *s, const struct sim_zk_entry *z)
{
    if (z->e->word == WORD_UNKNOWN || (sim_txn_decode(z->e, z->raw, &s->txn), !s->txn.readable)) {
        tell_unreadable(s, z);
        return;
    }
    if (strcmp(s->txn.name, "createSession") == 0)
        tell_opened(s, &s->txn);
    else if (strcmp(s->txn.name, "closeSession") == 0)
        tell_closed(s, &s->txn);
    else if (s->txn.count > 0 || strcmp(s->txn.name, "error") == 0 ||
             strcmp(s->txn.name, "multi") == 0)
        tell_ops(s, &s->txn, z->e->t / 1000);
}

/* ---- what lines may wait for ---- */

static void add_demand(struct sim_story *s, size_t txn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_demand(struct sim_story *s, size_t txn, const char *format, ...)
{
    char key[KEY_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key, sizeof(key), format, arguments);
    va_end(arguments);
    s->demand = sim_grow(s->demand, &s->demand_capacity, s->demand_count + 1, sizeof(*s->demand));
    s->demand[s->demand_count++] =
        (struct sim_demand){.key = sim_keys_intern(&s->demands, key, strlen(key)), .txn = txn};
}

/* A line waits for the write that a controller made, which is the first with that leader and epoch:
   those behind it are the leader's own, of the ISR. */
static void demand_state(struct sim_story *s, size_t txn, const struct sim_txn_op *op,
                         const char *topic, int32_t partition)
{
    struct sim_state_text state;
    struct sim_znode_told *z = znode_of(s, op->path);
    sim_span_state((struct sim_span){op->data, op->data != NULL ? op->size : 0}, &state);
    if (op->type == SIM_TXN_SET && z->demanded && z->demanded_epoch == state.leader_epoch &&
        z->demanded_leader == state.leader)
        return;
    z->demanded = true;
    z->demanded_epoch = state.leader_epoch;
    z->demanded_leader = state.leader;
    add_demand(s, txn, "s %s-%" PRId32 " %" PRId32 " %" PRId32, topic, partition,
               state.leader_epoch, state.leader);
}

static void demand_op(struct sim_story *s, size_t txn, const struct sim_txn_op *op)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition, broker;
    if (op->type != SIM_TXN_CREATE && op->type != SIM_TXN_SET)
        return;
    if (sm_path_is_partition_state(op->path, topic, &partition)) {
        demand_state(s, txn, op, topic, partition);
    } else if (op->type == SIM_TXN_CREATE && sm_path_is_broker(op->path, &broker)) {
        add_demand(s, txn, "b %" PRId32, broker);
    } else if (op->type == SIM_TXN_CREATE && sm_path_is_topic(op->path, topic)) {
        add_demand(s, txn, "t %s", topic);
    } else if (strcmp(op->path, SM_PATH_CONTROLLER_EPOCH) == 0 && op->data != NULL &&
               op->size < 12) {
        add_demand(s, txn, "e %.*s", (int)op->size, op->data);
    }
}

struct owner {
    int64_t session;
    int32_t node;
};

/* Looks at every transaction once, in the order of zxids. */
static void find_demands(struct sim_story *s)
{
    struct owner *owners = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < s->txn_count; i++) {
        if (s->txns[i].e->word == WORD_UNKNOWN)
            continue;
        sim_txn_decode(s->txns[i].e, s->txns[i].raw, &s->txn);
        for (size_t k = 0; k < s->txn.count; k++) {
            int32_t node = node_of_op(&s->txn.ops[k]);
            demand_op(s, i, &s->txn.ops[k]);
            if (node >= 0 && s->txn.error == 0) {
                owners = sim_grow(owners, &capacity, count + 1, sizeof(*owners));
                owners[count++] = (struct owner){s->txn.session, node};
            }
        }
        for (size_t k = count; strcmp(s->txn.name, "closeSession") == 0 && k > 0; k--)
            if (owners[k - 1].session == s->txn.session) {
                add_demand(s, i, "x %" PRId32, owners[k - 1].node);
                break;
            }
    }
    free(owners);
}

static int by_key(const void *a, const void *b)
{
    const struct sim_demand *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->txn < y->txn ? -1 : x->txn > y->txn;
}

static int by_zxid(const void *a, const void *b)
{
    const struct sim_zk_entry *x = a, *y = b;
    if (x->zxid != y->zxid)
        return x->zxid < y->zxid ? -1 : 1;
    if (x->e->input != y->e->input)
        return x->e->input < y->e->input ? -1 : 1;
    return x->e->line < y->e->line ? -1 : x->e->line > y->e->line;
}

static void collect(struct sim_story *s)
{
    for (size_t i = 0; i < s->im->source_count; i++) {
        struct sim_entries *source = &s->im->sources[i];
        if (!source->is_zookeeper)
            continue;
        int64_t last = 0;
        for (size_t k = 0; k < source->count; k++) {
            struct sim_entry *e = &source->at[k];
            const char *bytes = s->im->inputs[e->input].bytes;
            bool raw = sim_import_kind_of(bytes, s->im->inputs[e->input].size) == SIM_IMPORT_RAW;
            if (e->word != WORD_UNKNOWN) {
                sim_txn_decode(e, raw, &s->txn);
                last = s->txn.zxid;
            }
            s->txns = sim_grow(s->txns, &s->txn_capacity, s->txn_count + 1, sizeof(*s->txns));
            s->txns[s->txn_count++] = (struct sim_zk_entry){.e = e, .zxid = last, .raw = raw};
        }
    }
}

/* Several servers, or several tools, tell of one transaction: the first counts. Times do not fall.
 */
static void unite(struct sim_story *s)
{
    size_t kept = 0;
    int64_t t = INT64_MIN;
    for (size_t i = 0; i < s->txn_count; i++) {
        struct sim_zk_entry *z = &s->txns[i];
        if (kept > 0 && z->zxid == s->txns[kept - 1].zxid && z->zxid != 0 &&
            z->e->input != s->txns[kept - 1].e->input)
            continue;
        if (z->e->t < t)
            z->e->t = t;
        if (z->e->latest < z->e->t)
            z->e->latest = z->e->t;
        t = z->e->t;
        s->txns[kept++] = *z;
    }
    s->txn_count = kept;
}

void sim_import_open_txns(struct sim_story *s)
{
    collect(s);
    if (s->txn_count == 0)
        return;
    qsort(s->txns, s->txn_count, sizeof(*s->txns), by_zxid);
    unite(s);
    find_demands(s);
    if (s->demand_count > 0)
        qsort(s->demand, s->demand_count, sizeof(*s->demand), by_key);
    s->demand_at = sim_grow(s->demand_at, &s->demand_at_capacity, (size_t)s->demands.count + 1,
                            sizeof(*s->demand_at));
    for (size_t i = s->demand_count; i > 0; i--)
        s->demand_at[s->demand[i - 1].key] = i - 1;
}

void sim_import_txns_until(struct sim_story *s, int64_t t)
{
    while (s->txn_next < s->txn_count && s->txns[s->txn_next].e->latest < t) {
        const struct sim_zk_entry *z = &s->txns[s->txn_next++];
        if (z->e->t > s->t)
            s->t = z->e->t;
        tell_txn(s, z);
    }
}

bool sim_import_need(struct sim_story *s, const char *key)
{
    uint32_t id = sim_keys_find(&s->demands, key, strlen(key));
    if (id == SIM_NO_KEY)
        return false;
    size_t at = s->demand_at[id];
    while (at < s->demand_count && s->demand[at].key == id && s->demand[at].txn < s->txn_next)
        at++; /* told already */
    s->demand_at[id] = at;
    if (at == s->demand_count || s->demand[at].key != id ||
        s->txns[s->demand[at].txn].e->t > s->t + AHEAD_US)
        return false;
    while (s->txn_next <= s->demand[at].txn)
        tell_txn(s, &s->txns[s->txn_next++]);
    return true;
}

bool sim_import_has_txns(const struct sim_story *s)
{
    return s->txn_count > 0;
}

/* ---- znodes that lines make likely ---- */

/* A controller that names a state's epoch, and no version, may only have read what is there. */
static bool is_there_already(struct sim_znode_told *z, const char *path, const char *data,
                             size_t size, int32_t version)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    struct sim_state_text state;
    if (data == NULL || !sm_path_is_partition_state(path, topic, &partition))
        return false;
    sim_span_state((struct sim_span){data, size}, &state);
    if (version < 0 && z->exists && z->has_epoch && state.leader_epoch <= z->leader_epoch)
        return true;
    z->has_epoch = true;
    z->leader_epoch = state.leader_epoch;
    return false;
}

uint64_t sim_import_znode(struct sim_story *s, const char *path, const char *data, size_t size,
                          int32_t version, sim_lane from, uint64_t by)
{
    struct sim_znode_told *z = znode_of(s, path);
    bool known = data == NULL ? !z->exists : z->exists && version >= 0 && z->version >= version;
    if (known || (z->real && version < 0) || is_there_already(z, path, data, size, version))
        return 0;
    bool create = !z->exists;
    int64_t ms = s->t / 1000;
    z->exists = data != NULL;
    z->real = false;
    z->version = version >= 0 ? version : create ? 0 : z->version + 1;
    z->ctime = create ? ms : z->ctime;
    z->mtime = ms;
    if (!sim_import_infer(s, SIM_K_ZAP, SIM_LANE_ZK, by, 0))
        return 0;
    if (from != 0)
        sim_trace_lane(s->trace, SIM_F_FRM, from);
    sim_trace_text(s->trace, SIM_F_OP, data == NULL ? "delete" : create ? "create" : "setData");
    sim_trace_text(s->trace, SIM_F_PATH, path);
    sim_trace_int(s->trace, SIM_F_OK, 1);
    set_fact(s, path, data, size);
    note_change(s, path, sim_trace_open_number(s->trace), data == NULL);
    return sim_trace_end(s->trace);
}
