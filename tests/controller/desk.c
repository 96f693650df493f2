#include "desk.h"

#include "controller/state.h"

#include <assert.h>
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BROKERS = 64,
    HELD_MAX = 256,
    SENT = 1024,
    TEXT = 1 << 20,
    CONN_OUTSIDE = 9,
    CONN_BROKER = 10,
    PEERS = 2
};

/* A controller process; its connection to ZooKeeper is its place + 1. */
struct peer {
    struct kc_controller *c;
    bool alive;
    bool expired; /* its session is gone and it has not begun to resign: requests are refused */
    bool waits;   /* … and a new one is yet to be made */
    int64_t balance_due;       /* -1: not armed */
    uint32_t asked, in_flight; /* ZooKeeper requests: delivered, and not answered yet */
};

struct held {
    uint64_t correlation;
    int32_t broker, api;
    int who;
    struct wire_batch *batch; /* owned */
};

struct desk {
    struct peer peer[PEERS];
    struct kz_server *z;
    uint8_t *scratch;
    size_t scratch_size;
    int64_t now;
    uint32_t xid;
    int64_t session[BROKERS + CONN_BROKER]; /* by connection */
    uint64_t password[BROKERS + CONN_BROKER];
    /* messages in flight, in order */
    struct message {
        enum kind { ZK_REQUEST, BROKER_REQUEST, ZK_REPLY, ZK_EVENT, SESSION, TIMER } kind;
        int who; /* which controller */
        void *bytes;
        struct held request;
        uint32_t type;
    } * queue;
    size_t head, count, capacity;
    struct behaviour {
        int32_t error, partition_error;
        char partition[64];
        bool held;
        int breaks; /* so many more requests break the connection */
    } behaviour[BROKERS][8];
    struct held held[HELD_MAX];
    size_t held_count;
    char write_path[512];
    int write_nth;
    void (*write_act)(struct desk *);
    char *story, *log, *out;
    size_t story_size, log_size;
    char sent[BROKERS][SENT]; /* names of requests that reached a broker since it was last asked */
    int refused, grown;
    uint64_t call_id;
    long replies, expire_at; /* of ZooKeeper to controllers, and at which the session expires */
    long requests, lose_at;  /* to ZooKeeper, and of which the first answer is lost */
    long kill_at;            /* … of the first controller, at which it dies */
    bool kill_served;
    int largest_group;
    char refusals[4096];
};

static void say(struct desk *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct desk *d, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    d->story_size += (size_t)vsnprintf(d->story + d->story_size, TEXT - d->story_size, format, a);
    va_end(a);
    ck_assert_uint_lt(d->story_size, TEXT - 4096);
}

static struct message *push(struct desk *d, enum kind kind, int who)
{
    if (d->count == d->capacity) {
        d->capacity = d->capacity ? d->capacity * 2 : 256;
        d->queue = realloc(d->queue, d->capacity * sizeof *d->queue);
    }
    struct message *m = &d->queue[d->count++];
    *m = (struct message){.kind = kind, .who = who};
    return m;
}

static void *copy(const void *bytes, size_t size)
{
    void *out = aligned_alloc(8, (size + 7) & ~(size_t)7);
    memcpy(out, bytes, size);
    return out;
}

/* ---- server ---- */

static void from_server(void *context, const struct kz_output *o)
{
    struct desk *d = context;

    switch ((enum kz_output_kind)o->kind) {
    case KZ_OUT_CONNECTED:
        d->session[o->conn] = o->session;
        d->password[o->conn] = o->password;
        break;
    case KZ_OUT_REPLY:
        if (o->conn <= PEERS) {
            push(d, ZK_REPLY, (int)o->conn - 1)->bytes = copy(o->reply, o->reply->size);
        }
        break;
    case KZ_OUT_EVENT:
        if (o->conn <= PEERS) {
            struct message *m = push(d, ZK_EVENT, (int)o->conn - 1);
            m->type = o->type;
            m->bytes = copy(o->path, strlen(o->path) + 1);
        }
        break;
    case KZ_OUT_NONE:
    case KZ_OUT_CLOSED:
    case KZ_OUT_EXPIRED:
    case KZ_OUT_APPLIED:
        break;
    }
}

static void server(struct desk *d, const struct kz_input *in)
{
    for (;;) {
        struct kz_outputs out = {.put = from_server,
                                 .context = d,
                                 .scratch = d->scratch,
                                 .scratch_size = d->scratch_size};
        if (kz_server_step(d->z, d->now, in, &out) == SM_ERR_OK) {
            return;
        }
        if (strcmp(out.short_of, "scratch") == 0) {
            free(d->scratch);
            d->scratch_size *= 2;
            d->scratch = aligned_alloc(8, d->scratch_size);
            continue;
        }
        struct kz_limits l = *kz_server_limits(d->z);
        l.nodes *= 2, l.bytes *= 2, l.watches *= 2, l.sessions *= 2;
        struct kz_server *grown = aligned_alloc(8, kz_server_size(&l));
        kz_server_grow(d->z, grown, &l);
        free(d->z);
        d->z = grown;
    }
}

static void connect(struct desk *d, uint32_t conn)
{
    server(d, &(struct kz_input){.kind = KZ_IN_CONNECT, .conn = conn, .timeout_us = 20000000});
}

static uint32_t conn_of(int who)
{
    return (uint32_t)who + 1;
}

static void outside(struct desk *d, uint32_t conn, int n, const struct wire_zk_op *ops,
                    const char *const *paths, const char *const *data)
{
    static _Alignas(8) uint8_t bytes[1 << 18];
    struct wire_zk_builder b;

    wire_zk_begin(&b, bytes, sizeof bytes, ++d->xid, n > 1);
    for (int i = 0; i < n; i++) {
        struct wire_zk_op op = ops[i];
        op.has_data = data[i] != NULL;
        op.data_size = data[i] == NULL ? 0 : (uint32_t)strlen(data[i]);
        wire_zk_add(&b, op, paths[i], data[i]);
    }
    server(d, &(struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn, .request = wire_zk_end(&b)});
}

static void one(struct desk *d, uint32_t conn, uint8_t opcode, uint8_t flags, const char *path,
                const char *data)
{
    outside(d, conn, 1, &(struct wire_zk_op){.opcode = opcode, .flags = flags, .version = -1},
            &path, &data);
}

void desk_create(struct desk *d, const char *path, const char *data)
{
    one(d, CONN_OUTSIDE, WIRE_ZK_CREATE, 0, path, data);
}

void desk_set(struct desk *d, const char *path, const char *data)
{
    one(d, CONN_OUTSIDE, WIRE_ZK_SET_DATA, 0, path, data);
}

void desk_delete(struct desk *d, const char *path)
{
    one(d, CONN_OUTSIDE, WIRE_ZK_DELETE, 0, path, NULL);
}

/* ---- brokers ---- */

static void registration(int32_t id, char *out)
{
    struct sm_broker b = {.id = id, .endpoint_count = 1};
    b.endpoint[0] = (struct sm_endpoint){"PLAINTEXT", "PLAINTEXT", "127.0.0.1", 9092 + id};
    size_t n = sm_znode_encode_broker(out, 1000, &b, 0);
    out[n] = '\0';
}

static void enlist(struct desk *d, int32_t id, bool again)
{
    char path[SM_PATH_MAX], data[1024];
    struct wire_zk_op ops[3] = {{.opcode = WIRE_ZK_DELETE, .version = -1},
                                {.opcode = WIRE_ZK_CREATE, .flags = WIRE_ZK_EPHEMERAL},
                                {.opcode = WIRE_ZK_SET_DATA, .version = 0}};
    sm_path_broker(path, id);
    registration(id, data);
    const char *paths[3] = {path, path, path};
    const char *texts[3] = {NULL, NULL, data};
    int skip = again ? 0 : 1;
    outside(d, CONN_BROKER + (uint32_t)id, 3 - skip, ops + skip, paths + skip, texts + skip);
}

void desk_broker(struct desk *d, int32_t id)
{
    connect(d, CONN_BROKER + (uint32_t)id);
    enlist(d, id, false);
}

void desk_bounce(struct desk *d, int32_t id)
{
    enlist(d, id, true);
}

void desk_kill(struct desk *d, int32_t id)
{
    server(d, &(struct kz_input){.kind = KZ_IN_CLOSE, .conn = CONN_BROKER + (uint32_t)id});
}

void desk_kill_both(struct desk *d, int32_t a, int32_t b)
{
    char one_path[SM_PATH_MAX], other_path[SM_PATH_MAX];
    struct wire_zk_op ops[2] = {{.opcode = WIRE_ZK_DELETE, .version = -1},
                                {.opcode = WIRE_ZK_DELETE, .version = -1}};
    sm_path_broker(one_path, a);
    sm_path_broker(other_path, b);
    const char *paths[2] = {one_path, other_path};
    const char *data[2] = {NULL, NULL};
    outside(d, CONN_OUTSIDE, 2, ops, paths, data);
    desk_kill(d, a);
    desk_kill(d, b);
}

/* ---- topics ---- */

static struct sm_list ids(const char *text)
{
    struct sm_list l = {0};
    while (*text != '\0') {
        char *end;
        sm_list_append(&l, (int32_t)strtol(text, &end, 10));
        text = *end == ',' ? end + 1 : end;
        if (*end != ',') {
            break;
        }
    }
    return l;
}

void desk_topic(struct desk *d, const char *topic, const char *assignment)
{
    static char data[1 << 15];
    char path[SM_PATH_MAX], config[SM_PATH_MAX];
    struct sm_topic_writer w;

    sm_topic_writer_begin(&w, data, sizeof data);
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        for (const char *at = assignment; at != NULL; at = strchr(at, ';')) {
            at += *at == ';';
            struct sm_list l = ids(strchr(at, ':') + 1);
            struct sm_assignment a = sm_assignment_of(&l);
            sm_topic_writer_partition(&w, atoi(at), &a);
        }
    }
    data[sm_topic_writer_end(&w, NULL)] = '\0';
    sm_path_topic(path, topic);
    sm_path_config_topic(config, topic);
    desk_create(d, config, "{\"version\":1,\"config\":{}}");
    desk_create(d, path, data);
    desk_set(d, path, data);
}

void desk_isr(struct desk *d, const char *topic, int32_t partition, const char *isr, bool notify)
{
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX], note[512];
    struct sm_leader_and_isr li;
    const char *now;

    sm_path_partition_state(path, topic, partition);
    now = desk_znode(d, path);
    ck_assert_int_eq(sm_znode_decode_state(now, strlen(now), 0, &li), SM_ERR_OK);
    li.isr = ids(isr);
    data[sm_znode_encode_state(data, &li)] = '\0';
    desk_set(d, path, data);
    snprintf(note, sizeof note,
             "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":%d}]}", topic,
             partition);
    if (notify) {
        one(d, CONN_OUTSIDE, WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL,
            "/isr_change_notification/isr_change_", note);
    }
}

void desk_state(struct desk *d, const char *topic, int32_t partition, int32_t leader, int32_t epoch,
                const char *isr, int32_t version)
{
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    struct sm_leader_and_isr li = {
        .leader = leader, .leader_epoch = epoch, .controller_epoch = 1, .isr = ids(isr)};

    data[sm_znode_encode_state(data, &li)] = '\0';
    sm_path_topic_partitions(path, topic);
    desk_create(d, path, NULL);
    sm_path_partition(path, topic, partition);
    desk_create(d, path, NULL);
    sm_path_partition_state(path, topic, partition);
    desk_create(d, path, data);
    for (int32_t i = 0; i < version; i++) {
        desk_set(d, path, data);
    }
}

void desk_reassign(struct desk *d, const char *topic, int32_t partition, const char *replicas)
{
    char data[1024];

    snprintf(data, sizeof data,
             "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":%d,"
             "\"replicas\":[%s]}]}",
             topic, partition, replicas);
    desk_create(d, SM_PATH_REASSIGN, data);
}

/* ---- calls ---- */

static void call_one(struct desk *d, struct wire_call head, const char *topic, int32_t partition,
                     const char *replicas)
{
    _Alignas(8) uint8_t bytes[1024];
    struct wire_call_builder b;
    struct sm_list list = ids(replicas == NULL ? "" : replicas);
    struct sm_assignment a = {.replicas = list};
    bool cancel = head.api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS && replicas == NULL;

    head.all = topic == NULL && head.api != WIRE_API_CONTROLLED_SHUTDOWN;
    wire_call_begin(&b, bytes, sizeof bytes, &head);
    if (topic != NULL) {
        wire_call_add(&b, topic, partition, 0, cancel, replicas == NULL ? NULL : &a);
    }
    desk_call(d, wire_call_end(&b));
}

void desk_call_elect(struct desk *d, const char *topic, int32_t partition, bool unclean)
{
    call_one(d, (struct wire_call){.api = WIRE_API_ELECT_LEADERS, .election_type = unclean}, topic,
             partition, NULL);
}

void desk_call_reassign(struct desk *d, const char *topic, int32_t partition, const char *replicas)
{
    call_one(d, (struct wire_call){.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS}, topic, partition,
             replicas);
}

void desk_call_cancel(struct desk *d, const char *topic, int32_t partition)
{
    desk_call_reassign(d, topic, partition, NULL);
}

void desk_call_list(struct desk *d, const char *topic, int32_t partition)
{
    call_one(d, (struct wire_call){.api = WIRE_API_LIST_PARTITION_REASSIGNMENTS}, topic, partition,
             NULL);
}

void desk_call_shutdown(struct desk *d, int32_t broker, int64_t broker_epoch)
{
    call_one(d,
             (struct wire_call){.api = WIRE_API_CONTROLLED_SHUTDOWN,
                                .broker_id = broker,
                                .broker_epoch = broker_epoch},
             NULL, 0, NULL);
}

/* ---- the controller's outputs as a story ---- */

static const char *text_of(const struct sm_list *l)
{
    static char out[4][256];
    static int turn;
    char *text = out[turn++ % 4];
    int at = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < l->count; i++) {
        at += sprintf(text + at, "%s%d", i ? "," : "", l->id[i]);
    }
    return text;
}

static void brokers_with(struct desk *d, const struct wire_batch *b, const uint64_t *set)
{
    const struct wire_broker *w = NULL;
    const char *separator = "";
    while ((w = wire_batch_next_broker(b, w)) != NULL) {
        if (set[w->index / 64] >> w->index % 64 & 1) {
            say(d, "%s%d", separator, w->id);
            separator = ",";
        }
    }
}

static const char *prefix_of(int who)
{
    return who == 0 ? "" : "[2] ";
}

static void say_batch(struct desk *d, int who, const struct wire_batch *b)
{
    struct wire_record_view v = {0};
    const struct wire_broker *w = NULL;
    const char *separator = "";

    while (wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v)) {
        struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
        struct sm_list replicas = sm_list_of(v.replicas, v.record->replica_count);
        struct sm_list adding = sm_list_of(v.adding, v.record->adding_count);
        struct sm_list removing = sm_list_of(v.removing, v.record->removing_count);
        say(d, "%sLeaderAndIsr -> ", prefix_of(who));
        brokers_with(d, b, v.to);
        say(d, ": %s-%d leader=%d epoch=%d isr=%s v%d replicas=%s", v.topic, v.record->partition,
            v.record->leader, v.record->leader_epoch, text_of(&isr), v.record->zk_version,
            text_of(&replicas));
        if (adding.count > 0) {
            say(d, " +%s", text_of(&adding));
        }
        if (removing.count > 0) {
            say(d, " -%s", text_of(&removing));
        }
        bool any = false;
        for (uint32_t i = 0; i < b->set_words; i++) {
            any = any || v.flag[i] != 0;
        }
        if (any) {
            say(d, " [new ");
            brokers_with(d, b, v.flag);
            say(d, "]");
        }
        say(d, "\n");
    }
    bool metadata = false;
    while ((w = wire_batch_next_broker(b, w)) != NULL) {
        if (wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, w->index)) {
            say(d, "%s%s%d", metadata ? "" : prefix_of(who), metadata ? "," : "UpdateMetadata -> ",
                w->id);
            metadata = true;
        }
    }
    if (metadata) {
        say(d, ": live ");
        w = NULL;
        while ((w = wire_batch_next_broker(b, w)) != NULL) {
            say(d, "%s%d", separator, w->id);
            separator = ",";
        }
        memset(&v, 0, sizeof v);
        while (wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v)) {
            struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
            struct sm_list offline = sm_list_of(v.offline, v.record->offline_count);
            say(d, "; %s-%d leader=%d epoch=%d isr=%s", v.topic, v.record->partition,
                v.record->leader, v.record->leader_epoch, text_of(&isr));
            if (offline.count > 0) {
                say(d, " offline=%s", text_of(&offline));
            }
        }
        say(d, "\n");
    }
    memset(&v, 0, sizeof v);
    while (wire_batch_next(b, WIRE_RECORD_STOP_REPLICA, &v)) {
        say(d, "%sStopReplica -> ", prefix_of(who));
        brokers_with(d, b, v.to);
        bool any = false;
        for (uint32_t i = 0; i < b->set_words; i++) {
            any = any || v.flag[i] != 0;
        }
        say(d, ": %s-%d epoch=%d%s\n", v.topic, v.record->partition, v.record->leader_epoch,
            any ? " delete" : "");
    }
}

struct turn { /* whose outputs are being taken */
    struct desk *d;
    int who;
};

static void say_answer(struct desk *d, const struct wire_call *call)
{
    say(d, "answer %s error=%s", wire_api_name(call->api), wire_error_name(call->error));
    for (struct wire_call_view v = {0}; wire_call_next(call, &v);) {
        struct sm_list replicas = sm_list_of(v.replicas, v.item->replica_count);
        struct sm_list adding = sm_list_of(v.adding, v.item->adding_count);
        struct sm_list removing = sm_list_of(v.removing, v.item->removing_count);
        say(d, " %s-%d=%s", v.topic, v.item->partition, wire_error_name(v.item->error));
        if (replicas.count > 0) {
            say(d, "(%s", text_of(&replicas));
            say(d, " +%s -%s)", text_of(&adding), text_of(&removing));
        }
    }
    say(d, "\n");
}

static void keep_refusal(struct desk *d, const struct kc_output *o)
{
    size_t at = strlen(d->refusals);
    const char *from = o->machine == KC_MACHINE_PARTITION ? sm_partition_state_name(o->from)
                                                          : sm_replica_state_name(o->from);
    const char *to = o->machine == KC_MACHINE_PARTITION ? sm_partition_state_name(o->to)
                                                        : sm_replica_state_name(o->to);

    d->refused++;
    if (o->machine == KC_MACHINE_PARTITION) {
        snprintf(d->refusals + at, sizeof d->refusals - at, "%s-%d %s -> %s\n", o->topic,
                 o->partition, from, to);
    } else {
        snprintf(d->refusals + at, sizeof d->refusals - at, "%s-%d on %d %s -> %s\n", o->topic,
                 o->partition, o->broker_id, from, to);
    }
}

/* No two writes of one fence are about the same znode, and the window is kept. */
static void take_request(struct desk *d, int who, const struct wire_zk_request *r)
{
    bool is_fenced = false;
    int operations = 0;

    for (struct wire_zk_op_view v = {0}; wire_zk_op_next(r, &v);) {
        struct wire_zk_op_view other = v;
        is_fenced = is_fenced || v.op->opcode == WIRE_ZK_CHECK;
        operations += v.op->opcode != WIRE_ZK_CHECK;
        while (is_fenced && wire_zk_op_next(r, &other)) {
            ck_assert_str_ne(v.path, other.path);
        }
    }
    d->largest_group = operations > d->largest_group ? operations : d->largest_group;
    d->peer[who].in_flight++;
    ck_assert_uint_le(d->peer[who].in_flight, kc_controller_limits(d->peer[who].c)->window);
    push(d, ZK_REQUEST, who)->bytes = copy(r, r->size);
}

static uint64_t from_controller(void *context, const struct kc_output *o)
{
    struct desk *d = ((struct turn *)context)->d;
    int who = ((struct turn *)context)->who;

    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_ZK:
        take_request(d, who, o->request);
        break;
    case KC_OUT_BATCH:
        say_batch(d, who, o->batch);
        break;
    case KC_OUT_SEND:
        push(d, BROKER_REQUEST, who)->request = (struct held){o->correlation, o->broker_id, o->api,
                                                              who, copy(o->batch, o->batch->size)};
        break;
    case KC_OUT_REPLY:
        say_answer(d, o->call);
        break;
    case KC_OUT_MOVE:
        if (!o->ok) {
            keep_refusal(d, o);
        }
        break;
    case KC_OUT_LOG:
        if (d->log_size > TEXT - 65536) { /* keep the newer half */
            memmove(d->log, d->log + d->log_size / 2, d->log_size - d->log_size / 2 + 1);
            d->log_size -= d->log_size / 2;
        }
        d->log_size += (size_t)snprintf(d->log + d->log_size, TEXT - d->log_size, "%s\n", o->text);
        break;
    case KC_OUT_EXPIRE_STARTED:
        d->peer[who].expired = false;
        d->peer[who].waits = true;
        push(d, SESSION, who);
        break;
    case KC_OUT_FATAL:
        say(d, "fatal\n");
        break;
    case KC_OUT_TIMER:
        if (o->timer == DESK_TIMER_BALANCE) {
            d->peer[who].balance_due = o->due_us;
        } else if (o->due_us >= 0) { /* a sender's pause: over at once */
            push(d, TIMER, who)->type = o->timer;
        }
        break;
    case KC_OUT_NONE:
    case KC_OUT_CLOSE:
    case KC_OUT_QUEUE:
    case KC_OUT_FLOW:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
        break;
    }
    return 0;
}

static uint32_t *limit_named(struct kc_limits *l, const char *name)
{
    const struct {
        const char *name;
        uint32_t *field;
    } all[] = {{"brokers", &l->brokers},         {"topics", &l->topics},
               {"partitions", &l->partitions},   {"replicas", &l->replicas},
               {"topic_name", &l->topic_name},   {"events", &l->events},
               {"event_bytes", &l->event_bytes}, {"scratch_bytes", &l->scratch_bytes},
               {"batch_bytes", &l->batch_bytes}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].field;
        }
    }
    ck_abort_msg("unknown limit %s", name);
}

static void *block_of(const struct kc_limits *l)
{
    return calloc(1, kc_controller_size(l));
}

static void grow(struct desk *d, int who, const char *name)
{
    struct kc_limits l = *kc_controller_limits(d->peer[who].c);
    uint32_t *field = limit_named(&l, name);

    if (field == &l.replicas) {
        *field = *field * 2 > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : *field * 2;
    } else {
        *field *= 2;
    }
    struct kc_controller *grown = block_of(&l);
    uint64_t before = kc_controller_digest(d->peer[who].c);
    kc_controller_grow(d->peer[who].c, grown, &l);
    free(d->peer[who].c);
    d->peer[who].c = grown;
    ck_assert_uint_eq(kc_controller_digest(grown), before);
    d->grown++;
}

static void controller(struct desk *d, int who, struct kc_input *in)
{
    struct turn turn = {d, who};
    struct kc_input more = {.kind = KC_IN_MORE};

    if (!d->peer[who].alive) {
        return;
    }
    for (;;) {
        struct kc_outputs out = {.put = from_controller, .context = &turn};
        if (kc_controller_step(d->peer[who].c, d->now, in, &out) == SM_ERR_LIMIT) {
            grow(d, who, out.short_of);
            continue;
        }
        kc_controller_check(d->peer[who].c);
        if (!out.more) {
            return;
        }
        in = &more;
    }
}

static void say_writes(struct desk *d, int who, const struct wire_zk_request *r)
{
    for (struct wire_zk_op_view v = {0}; wire_zk_op_next(r, &v);) {
        struct sm_leader_and_isr li;
        const char *verb = v.op->opcode == WIRE_ZK_CREATE     ? "create"
                           : v.op->opcode == WIRE_ZK_SET_DATA ? "set"
                           : v.op->opcode == WIRE_ZK_DELETE   ? "delete"
                                                              : NULL;
        if (verb == NULL) {
            continue;
        }
        if (d->write_act != NULL && strcmp(d->write_path, v.path) == 0 && --d->write_nth == 0) {
            void (*act)(struct desk *) = d->write_act;
            d->write_act = NULL;
            act(d);
        }
        if (strncmp(v.path, "/brokers/ids", 12) == 0) {
            continue;
        }
        say(d, "%s%s %s", prefix_of(who), verb, v.path);
        if (v.op->opcode != WIRE_ZK_DELETE && strstr(v.path, "/state") != NULL &&
            sm_znode_decode_state((const char *)v.data, v.op->data_size, 0, &li) == SM_ERR_OK) {
            say(d, " leader=%d epoch=%d isr=%s", li.leader, li.leader_epoch, text_of(&li.isr));
        }
        say(d, "\n");
    }
}

/* ---- answers of brokers ---- */

static void answer(struct desk *d, const struct held *r)
{
    struct wire_answer_item items[64];
    struct wire_answer a = {.items = items};
    const struct behaviour *b = &d->behaviour[r->broker % BROKERS][r->api % 8];
    const struct wire_broker *w = wire_batch_broker(r->batch, r->broker);
    struct wire_record_view v = {0};
    enum wire_record_kind kind =
        r->api == WIRE_API_LEADER_AND_ISR ? WIRE_RECORD_LEADER_AND_ISR : WIRE_RECORD_STOP_REPLICA;
    a.error = b->error;
    while (b->partition_error != 0 && wire_batch_next_for(r->batch, kind, w->index, &v)) {
        char name[300];
        snprintf(name, sizeof name, "%s-%d", v.topic, v.record->partition);
        if (b->partition[0] == '\0' || strcmp(b->partition, name) == 0) {
            items[a.count++] = (struct wire_answer_item){v.offset, b->partition_error};
        }
    }
    controller(d, r->who,
               &(struct kc_input){.kind = KC_IN_ANSWER,
                                  .broker_id = r->broker,
                                  .correlation = r->correlation,
                                  .answer = &a});
}

static void to_broker(struct desk *d, const struct held *r)
{
    struct behaviour *b = &d->behaviour[r->broker % BROKERS][0];
    size_t at = strlen(d->sent[r->broker % BROKERS]);

    snprintf(d->sent[r->broker % BROKERS] + at, SENT - at, "%s%s", at > 0 ? " " : "",
             wire_api_name(r->api));

    if (b->held) {
        ck_assert_uint_lt(d->held_count, HELD_MAX);
        d->held[d->held_count++] = *r;
        return;
    }
    if (b->breaks > 0) {
        b->breaks--;
        say(d, "%s -> %d: connection broke\n", wire_api_name(r->api), r->broker);
        controller(d, r->who,
                   &(struct kc_input){.kind = KC_IN_SEND_FAILED,
                                      .broker_id = r->broker,
                                      .correlation = r->correlation});
    } else {
        answer(d, r);
    }
    free(r->batch);
}

/* ---- ZooKeeper as seen from a controller's session ---- */

static void *refused_reply(uint32_t xid, bool multi)
{
    void *bytes = aligned_alloc(8, 256);
    struct wire_zk_builder b;

    wire_zk_reply_begin(&b, bytes, 256, xid, multi, 0);
    ck_assert_ptr_nonnull(wire_zk_reply_end(&b, WIRE_ZK_SESSION_EXPIRED));
    return bytes;
}

static void ask_server(struct desk *d, const struct message *m)
{
    const struct wire_zk_request *r = m->bytes;

    if (d->peer[m->who].expired) {
        push(d, ZK_REPLY, m->who)->bytes = refused_reply(r->xid, r->multi);
        return;
    }
    if (m->who == 0 && ++d->peer[0].asked == d->kill_at) {
        if (d->kill_served) {
            say_writes(d, m->who, r);
            server(d, &(struct kz_input){
                          .kind = KZ_IN_REQUEST, .conn = conn_of(m->who), .request = r});
        }
        desk_kill_controller(d);
        return;
    }
    say_writes(d, m->who, r);
    if (++d->requests == d->lose_at) { /* the first answer is lost, the client asks again */
        size_t before = d->count;
        server(d, &(struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn_of(m->who), .request = r});
        for (size_t i = before; i < d->count; i++) {
            if (d->queue[i].kind == ZK_REPLY) {
                free(d->queue[i].bytes);
                memmove(&d->queue[i], &d->queue[i + 1], (--d->count - i) * sizeof *d->queue);
                break;
            }
        }
    }
    server(d, &(struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn_of(m->who), .request = r});
}

/* What was in flight comes back as refused; watches of the old session are gone. */
static void refuse_in_flight(struct desk *d, int who)
{
    size_t kept = d->head;

    for (size_t i = d->head; i < d->count; i++) {
        struct message m = d->queue[i];
        if (m.who == who && m.kind == ZK_EVENT) {
            free(m.bytes);
            continue;
        }
        if (m.who == who && m.kind == ZK_REPLY) {
            const struct wire_zk_reply *r = m.bytes;
            void *refused = refused_reply(r->xid, r->multi);
            free(m.bytes);
            m.bytes = refused;
        }
        d->queue[kept++] = m;
    }
    d->count = kept;
}

/* `leaves`: the server forgets to delete the ephemerals of the session (ZOOKEEPER-2985). */
static void expire(struct desk *d, int who, bool leaves)
{
    if (d->peer[who].expired || d->peer[who].waits) {
        return;
    }
    if (leaves) {
        server(d, &(struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = conn_of(who)});
    } else {
        server(d, &(struct kz_input){.kind = KZ_IN_EXPIRE, .session = d->session[conn_of(who)]});
    }
    refuse_in_flight(d, who);
    d->peer[who].expired = true;
    controller(d, who, &(struct kc_input){.kind = KC_IN_SESSION_EXPIRED});
}

static void new_session(struct desk *d, int who)
{
    d->peer[who].waits = false;
    connect(d, conn_of(who));
    controller(
        d, who,
        &(struct kc_input){.kind = KC_IN_SESSION_CREATED, .session = d->session[conn_of(who)]});
}

static void deliver(struct desk *d, struct message *m)
{
    switch (m->kind) {
    case ZK_REQUEST:
        ask_server(d, m);
        break;
    case BROKER_REQUEST:
        to_broker(d, &m->request);
        break;
    case ZK_REPLY:
        if (!d->peer[m->who].expired && ++d->replies == d->expire_at) {
            d->head--; /* this one, too, comes back as refused */
            expire(d, m->who, false);
            return;
        }
        d->peer[m->who].in_flight--;
        controller(d, m->who, &(struct kc_input){.kind = KC_IN_ZK_REPLY, .reply = m->bytes});
        break;
    case ZK_EVENT:
        controller(
            d, m->who,
            &(struct kc_input){.kind = KC_IN_ZK_EVENT, .event_type = m->type, .path = m->bytes});
        break;
    case SESSION:
        new_session(d, m->who);
        break;
    case TIMER:
        controller(d, m->who, &(struct kc_input){.kind = KC_IN_TIMER, .timer = m->type});
        break;
    }
    free(m->bytes);
}

bool desk_step(struct desk *d)
{
    if (d->head == d->count) {
        d->head = d->count = 0;
        return false;
    }
    struct message m = d->queue[d->head++];
    d->now += 100;
    deliver(d, &m);
    return true;
}

void desk_run(struct desk *d)
{
    size_t steps = 0;

    while (desk_step(d)) {
        ck_assert_msg(++steps < 2000000, "the desk does not come to rest");
    }
}

bool desk_run_until(struct desk *d, const char *part)
{
    size_t steps = 0;

    while (strstr(d->story, part) == NULL) {
        if (!desk_step(d)) {
            return false;
        }
        ck_assert_msg(++steps < 2000000, "the desk does not come to rest");
    }
    return true;
}

/* ---- the controller's life ---- */

static void start(struct desk *d, int who)
{
    d->peer[who].alive = true;
    connect(d, conn_of(who));
    controller(d, who,
               &(struct kc_input){.kind = KC_IN_START, .session = d->session[conn_of(who)]});
}

void desk_start(struct desk *d)
{
    start(d, 0);
}

void desk_second(struct desk *d, const struct kc_config *config)
{
    struct kc_limits l = kc_limits_default();

    kc_limits_in_flight(&l, l.window, config);
    d->peer[1].c = block_of(&l);
    kc_controller_init(d->peer[1].c, &l, config);
    start(d, 1);
}

void desk_kill_controller(struct desk *d)
{
    d->peer[0].alive = false;
    server(d, &(struct kz_input){.kind = KZ_IN_CLOSE, .conn = conn_of(0)});
    for (size_t i = d->head; i < d->count; i++) {
        if (d->queue[i].who == 0 && d->queue[i].kind == ZK_REQUEST) {
            free(d->queue[i].bytes); /* never left the process */
            memmove(&d->queue[i], &d->queue[i + 1], (--d->count - i) * sizeof *d->queue);
            i--;
        }
    }
}

void desk_expire(struct desk *d)
{
    expire(d, 0, false);
}

void desk_expire_leaving(struct desk *d)
{
    expire(d, 0, true);
}

void desk_expire_at(struct desk *d, long n)
{
    d->expire_at = n == 0 ? 0 : d->replies + n;
}

void desk_lose_at(struct desk *d, long n)
{
    d->lose_at = n == 0 ? 0 : d->requests + n;
}

void desk_kill_at(struct desk *d, long n, bool served)
{
    d->kill_at = d->peer[0].asked + n;
    d->kill_served = served;
}

int desk_largest_group(const struct desk *d)
{
    return d->largest_group;
}

long desk_replies(const struct desk *d)
{
    return d->replies;
}

long desk_requests(const struct desk *d)
{
    return d->requests;
}

void desk_call(struct desk *d, const struct wire_call *call)
{
    controller(d, 0, &(struct kc_input){.kind = KC_IN_CALL, .call_id = ++d->call_id, .call = call});
}

void desk_timer(struct desk *d, uint32_t timer)
{
    controller(d, 0, &(struct kc_input){.kind = KC_IN_TIMER, .timer = timer});
}

int64_t desk_balance_due(const struct desk *d)
{
    return d->peer[0].balance_due < 0 ? -1 : d->peer[0].balance_due - d->now;
}

void desk_unclean(struct desk *d, const char *topic)
{
    controller(d, 0, &(struct kc_input){.kind = KC_IN_UNCLEAN_ENABLED, .path = topic});
}

void desk_shutdown(struct desk *d)
{
    controller(d, 0, &(struct kc_input){.kind = KC_IN_SHUTDOWN});
}

void desk_block(struct desk *d, bool on)
{
    controller(d, 0, &(struct kc_input){.kind = KC_IN_BLOCK, .on = on});
}

void desk_answer(struct desk *d, int32_t broker, int32_t api, int32_t error,
                 int32_t partition_error, const char *partition)
{
    struct behaviour *b = &d->behaviour[broker % BROKERS][api % 8];

    b->error = error;
    b->partition_error = partition_error;
    snprintf(b->partition, sizeof b->partition, "%s", partition == NULL ? "" : partition);
}

void desk_break(struct desk *d, int32_t broker, int times)
{
    d->behaviour[broker % BROKERS][0].breaks = times;
}

void desk_hold(struct desk *d, int32_t broker, bool on)
{
    size_t count = d->held_count;

    d->behaviour[broker % BROKERS][0].held = on;
    if (on) {
        return;
    }
    d->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct held r = d->held[i];
        if (r.broker != broker) {
            d->held[d->held_count++] = r;
            continue;
        }
        answer(d, &r);
        free(r.batch);
    }
}

void desk_before_write(struct desk *d, const char *path, int nth, void (*act)(struct desk *))
{
    snprintf(d->write_path, sizeof d->write_path, "%s", path);
    d->write_nth = nth;
    d->write_act = act;
}

/* ---- looking ---- */

struct kc_controller *desk_controller(struct desk *d)
{
    return d->peer[0].alive || d->peer[1].c == NULL ? d->peer[0].c : d->peer[1].c;
}

bool desk_first_is_dead(const struct desk *d)
{
    return !d->peer[0].alive;
}

bool desk_somebody_is_active(const struct desk *d)
{
    int active = 0;

    for (int who = 0; who < PEERS; who++) {
        active += d->peer[who].alive && kc_controller_is_active(d->peer[who].c);
    }
    return active == 1;
}

struct kz_server *desk_server(struct desk *d)
{
    return d->z;
}

const char *desk_story(struct desk *d)
{
    memcpy(d->out, d->story, d->story_size + 1);
    d->story[0] = d->log[0] = '\0';
    d->story_size = d->log_size = 0;
    return d->out;
}

/* Prints a story as lines of C, ready to paste. */
static void print_as_source(const char *text)
{
    fprintf(stderr, "             \"");
    for (; *text != '\0'; text++) {
        if (*text != '\n') {
            fputc(*text, stderr);
        } else {
            fprintf(stderr, text[1] == '\0' ? "\\n" : "\\n\"\n             \"");
        }
    }
    fprintf(stderr, "\"\n");
}

void desk_ck_story(struct desk *d, const char *file, int line, const char *expected)
{
    const char *actual = desk_story(d);

    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s:%d: the story is\n", file, line);
        print_as_source(actual);
        ck_abort_msg("%s:%d: another story", file, line);
    }
}

const char *desk_log(const struct desk *d)
{
    return d->log;
}

bool desk_logged(struct desk *d, const char *part)
{
    return strstr(d->log, part) != NULL;
}

const char *desk_znode(struct desk *d, const char *path)
{
    static char text[1 << 16];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has;

    if (!kz_server_get(d->z, path, &stat, &data, &size, &has)) {
        return "(none)";
    }
    if (has) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

const char *desk_sent(struct desk *d, int32_t broker)
{
    static char text[SENT];

    memcpy(text, d->sent[broker % BROKERS], SENT);
    d->sent[broker % BROKERS][0] = '\0';
    return text;
}

void desk_within(struct desk *d, void (*act)(struct kc_controller *, void *), void *argument)
{
    struct turn turn = {d, 0};
    struct kc_outputs out = {.put = from_controller, .context = &turn};
    struct kc_step step = {.out = &out, .now_us = d->now};
    struct kc_controller *c = d->peer[0].c;

    c->step = &step;
    act(c, argument);
    kc_run(c);
    c->step = NULL;
    kc_controller_check(c);
    ck_assert(!out.more);
}

int desk_moves_refused(const struct desk *d)
{
    return d->refused;
}

const char *desk_refusals(const struct desk *d)
{
    return d->refusals;
}

int desk_grown(const struct desk *d)
{
    return d->grown;
}

char *desk_tree(struct desk *d)
{
    char *tree = malloc(TEXT);
    char path[KZ_PATH_MAX] = "";
    const char *next = kz_server_next_path(d->z, NULL, path, sizeof path);
    size_t size = 0;

    tree[0] = '\0';
    for (; next != NULL; next = kz_server_next_path(d->z, path, path, sizeof path)) {
        struct sm_leader_and_isr li;
        const char *data = desk_znode(d, path);
        size += (size_t)snprintf(tree + size, TEXT - size, "%s", path);
        if (strstr(path, "/state") != NULL &&
            sm_znode_decode_state(data, strlen(data), 0, &li) == SM_ERR_OK) {
            size += (size_t)snprintf(tree + size, TEXT - size, " leader=%d isr=%s", li.leader,
                                     text_of(&li.isr));
        } else if (strncmp(path, "/brokers/topics/", 16) == 0 || strncmp(path, "/admin/", 7) == 0) {
            size += (size_t)snprintf(tree + size, TEXT - size, " %s", data);
        }
        size += (size_t)snprintf(tree + size, TEXT - size, "\n");
        ck_assert_uint_lt(size, TEXT - 65536);
    }
    return tree;
}

char *desk_tree_exact(struct desk *d)
{
    char *tree = malloc(TEXT);
    char path[KZ_PATH_MAX] = "";
    const char *next = kz_server_next_path(d->z, NULL, path, sizeof path);
    size_t size = 0;

    tree[0] = '\0';
    for (; next != NULL; next = kz_server_next_path(d->z, path, path, sizeof path)) {
        struct wire_zk_stat stat;
        const uint8_t *data;
        uint32_t data_size;
        bool has;
        kz_server_get(d->z, path, &stat, &data, &data_size, &has);
        size += (size_t)snprintf(
            tree + size, TEXT - size, "%s v%d c%d %.*s\n", path, stat.version, stat.cversion,
            has && strcmp(path, SM_PATH_CONTROLLER) != 0 ? (int)data_size : 0, (const char *)data);
        ck_assert_uint_lt(size, TEXT - 65536);
    }
    return tree;
}

/* ---- making and freeing ---- */

struct desk *desk_new_within(const struct kc_config *config, const struct kc_limits *limits)
{
    struct desk *d = calloc(1, sizeof *d);
    struct kz_limits z = {.nodes = 512, .bytes = 1 << 17, .watches = 256, .sessions = 80};

    d->scratch_size = 1 << 16;
    d->scratch = aligned_alloc(8, d->scratch_size);
    d->story = calloc(1, TEXT);
    d->log = calloc(1, TEXT);
    d->out = calloc(1, TEXT);
    d->z = aligned_alloc(8, (kz_server_size(&z) + 7) & ~7ul);
    kz_server_init(d->z, &z, 1000000);
    d->peer[0].c = block_of(limits);
    d->peer[0].alive = true;
    d->peer[0].balance_due = -1;
    kc_controller_init(d->peer[0].c, limits, config);
    connect(d, CONN_OUTSIDE);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++) {
        desk_create(d, sm_persistent_paths[i], NULL);
    }
    return d;
}

struct desk *desk_new_with(const struct kc_config *config)
{
    struct kc_limits l = kc_limits_default();

    kc_limits_in_flight(&l, l.window, config);
    return desk_new_within(config, &l);
}

struct kc_config desk_config(enum sm_version version, int32_t id)
{
    struct kc_config config = kc_config_default(sm_profile_of(version), id);

    config.register_broker = 0;
    config.auto_leader_rebalance = 0;
    config.delete_topic = 1;
    return config;
}

struct desk *desk_new(enum sm_version version)
{
    struct kc_config config = desk_config(version, 100);

    return desk_new_with(&config);
}

struct desk *desk_running(enum sm_version version, int32_t brokers)
{
    struct desk *d = desk_new(version);

    for (int32_t id = 1; id <= brokers; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_story(d);
    return d;
}

void desk_with_topic(struct desk *d, const char *topic, const char *assignment)
{
    desk_topic(d, topic, assignment);
    desk_run(d);
    desk_story(d);
}

int desk_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void desk_free(struct desk *d)
{
    for (size_t i = d->head; i < d->count; i++) {
        free(d->queue[i].bytes);
        free(d->queue[i].request.batch);
    }
    for (size_t i = 0; i < d->held_count; i++) {
        free(d->held[i].batch);
    }
    free(d->queue);
    free(d->scratch);
    free(d->story);
    free(d->log);
    free(d->out);
    free(d->z);
    free(d->peer[0].c);
    free(d->peer[1].c);
    free(d);
}
