#include "desk.h"

#include <assert.h>
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BROKERS = 64, TEXT = 1 << 20, CONN_CONTROLLER = 1, CONN_OUTSIDE = 2, CONN_BROKER = 10 };

struct held {
    uint64_t correlation;
    int32_t broker, api;
    struct wire_batch *batch;
};

struct desk {
    struct kc_controller *c;
    struct kz_server *z;
    uint8_t *scratch;
    size_t scratch_size;
    int64_t now;
    uint32_t xid;
    int64_t session[BROKERS + CONN_BROKER]; /* by connection */
    uint64_t password[BROKERS + CONN_BROKER];
    /* messages in flight, in order */
    struct message {
        int kind; /* 0 zk request, 1 broker request, 2 zk reply, 3 zk event */
        void *bytes;
        struct held request;
        uint32_t type;
    } * queue;
    size_t head, count, capacity;
    struct wire_batch *batch; /* the last one completed */
    struct behaviour {
        int32_t error, partition_error;
        char partition[64];
        bool held;
    } behaviour[BROKERS][8];
    struct held held[256];
    size_t held_count;
    char write_path[512];
    int write_nth;
    void (*write_act)(struct desk *);
    char *story, *log, *out;
    size_t story_size, log_size;
    int refused;
    bool expired;
    struct wire_call *answer;
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

static struct message *push(struct desk *d)
{
    if (d->count == d->capacity) {
        d->capacity = d->capacity ? d->capacity * 2 : 256;
        d->queue = realloc(d->queue, d->capacity * sizeof *d->queue);
    }
    struct message *m = &d->queue[d->count++];
    memset(m, 0, sizeof *m);
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
        if (o->conn == CONN_CONTROLLER) {
            struct message *m = push(d);
            m->kind = 2;
            m->bytes = copy(o->reply, o->reply->size);
        }
        break;
    case KZ_OUT_EVENT:
        if (o->conn == CONN_CONTROLLER) {
            struct message *m = push(d);
            m->kind = 3;
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
    char path[SM_PATH_MAX], data[4096], config[SM_PATH_MAX];
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

static void say_batch(struct desk *d, const struct wire_batch *b)
{
    struct wire_record_view v = {0};
    const struct wire_broker *w = NULL;
    const char *separator = "";

    while (wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v)) {
        struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
        struct sm_list replicas = sm_list_of(v.replicas, v.record->replica_count);
        struct sm_list adding = sm_list_of(v.adding, v.record->adding_count);
        struct sm_list removing = sm_list_of(v.removing, v.record->removing_count);
        say(d, "LeaderAndIsr -> ");
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
            say(d, "%s%d", metadata ? "," : "UpdateMetadata -> ", w->id);
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
        say(d, "StopReplica -> ");
        brokers_with(d, b, v.to);
        bool any = false;
        for (uint32_t i = 0; i < b->set_words; i++) {
            any = any || v.flag[i] != 0;
        }
        say(d, ": %s-%d epoch=%d%s\n", v.topic, v.record->partition, v.record->leader_epoch,
            any ? " delete" : "");
    }
}

static uint64_t from_controller(void *context, const struct kc_output *o)
{
    struct desk *d = context;
    struct message *m;

    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_ZK:
        m = push(d);
        m->kind = 0;
        m->bytes = copy(o->request, o->request->size);
        break;
    case KC_OUT_BATCH:
        d->batch = copy(o->batch, o->batch->size); /* leaked on purpose: tests fork */
        say_batch(d, o->batch);
        break;
    case KC_OUT_SEND:
        m = push(d);
        m->kind = 1;
        m->request =
            (struct held){o->correlation, o->broker_id, o->api, copy(o->batch, o->batch->size)};
        break;
    case KC_OUT_REPLY:
        say(d, "answer %s error=%d", wire_api_name(o->api), o->call->error);
        for (struct wire_call_view v = {0}; wire_call_next(o->call, &v);) {
            say(d, " %s-%d=%d", v.topic, v.item->partition, v.item->error);
        }
        say(d, "\n");
        break;
    case KC_OUT_MOVE:
        d->refused += !o->ok;
        break;
    case KC_OUT_LOG:
        d->log_size += (size_t)snprintf(d->log + d->log_size, TEXT - d->log_size, "%s\n", o->text);
        ck_assert_uint_lt(d->log_size, TEXT - 4096);
        break;
    case KC_OUT_EXPIRE_STARTED:
        d->expired = true;
        break;
    case KC_OUT_FATAL:
        say(d, "fatal\n");
        break;
    case KC_OUT_NONE:
    case KC_OUT_CLOSE:
    case KC_OUT_TIMER:
    case KC_OUT_QUEUE:
    case KC_OUT_FLOW:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
        break;
    }
    return 0;
}

static void grow(struct desk *d, const char *name)
{
    struct kc_limits l = *kc_controller_limits(d->c);
    const struct {
        const char *name;
        uint32_t *field;
    } all[] = {{"brokers", &l.brokers},         {"topics", &l.topics},
               {"partitions", &l.partitions},   {"replicas", &l.replicas},
               {"topic_name", &l.topic_name},   {"events", &l.events},
               {"event_bytes", &l.event_bytes}, {"scratch_bytes", &l.scratch_bytes},
               {"batch_bytes", &l.batch_bytes}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, name) == 0) {
            *all[i].field *= 2;
            struct kc_controller *grown = aligned_alloc(8, (kc_controller_size(&l) + 7) & ~7ul);
            kc_controller_grow(d->c, grown, &l);
            free(d->c);
            d->c = grown;
            return;
        }
    }
    ck_abort_msg("unknown limit %s", name);
}

static void controller(struct desk *d, struct kc_input *in)
{
    for (;;) {
        struct kc_outputs out = {.put = from_controller, .context = d};
        if (kc_controller_step(d->c, d->now, in, &out) == SM_ERR_LIMIT) {
            grow(d, out.short_of);
            continue;
        }
        kc_controller_check(d->c);
        if (!out.more) {
            return;
        }
        in = &(struct kc_input){.kind = KC_IN_MORE};
    }
}

static void say_writes(struct desk *d, const struct wire_zk_request *r)
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
        if (v.op->opcode != WIRE_ZK_DELETE && strstr(v.path, "/state") != NULL &&
            sm_znode_decode_state((const char *)v.data, v.op->data_size, 0, &li) == SM_ERR_OK) {
            say(d, "%s %s leader=%d epoch=%d isr=%s\n", verb, v.path, li.leader, li.leader_epoch,
                text_of(&li.isr));
        } else if (strstr(v.path, "/brokers/ids") == NULL) {
            say(d, "%s %s\n", verb, v.path);
        }
    }
}

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
    controller(d, &(struct kc_input){.kind = KC_IN_ANSWER,
                                     .broker_id = r->broker,
                                     .correlation = r->correlation,
                                     .answer = &a});
}

static void deliver(struct desk *d, struct message *m)
{
    switch (m->kind) {
    case 0:
        say_writes(d, m->bytes);
        server(d, &(struct kz_input){
                      .kind = KZ_IN_REQUEST, .conn = CONN_CONTROLLER, .request = m->bytes});
        break;
    case 1:
        if (d->behaviour[m->request.broker % BROKERS][0].held) {
            d->held[d->held_count++] = m->request;
        } else {
            answer(d, &m->request);
        }
        break;
    case 2:
        controller(d, &(struct kc_input){.kind = KC_IN_ZK_REPLY, .reply = m->bytes});
        break;
    case 3:
        controller(
            d, &(struct kc_input){.kind = KC_IN_ZK_EVENT, .event_type = m->type, .path = m->bytes});
        break;
    }
    free(m->bytes);
}

void desk_run(struct desk *d)
{
    size_t steps = 0;

    while (d->head < d->count) {
        struct message m = d->queue[d->head++];
        d->now += 100;
        deliver(d, &m);
        ck_assert_msg(++steps < 2000000, "the desk does not come to rest");
    }
    d->head = d->count = 0;
}

void desk_start(struct desk *d)
{
    connect(d, CONN_CONTROLLER);
    controller(d, &(struct kc_input){.kind = KC_IN_START, .session = d->session[CONN_CONTROLLER]});
}

void desk_expire(struct desk *d)
{
    server(d, &(struct kz_input){.kind = KZ_IN_EXPIRE, .session = d->session[CONN_CONTROLLER]});
    controller(d, &(struct kc_input){.kind = KC_IN_SESSION_EXPIRED});
    connect(d, CONN_CONTROLLER);
    controller(d, &(struct kc_input){.kind = KC_IN_SESSION_CREATED,
                                     .session = d->session[CONN_CONTROLLER]});
}

void desk_call(struct desk *d, const struct wire_call *call)
{
    static uint64_t id;

    controller(d, &(struct kc_input){.kind = KC_IN_CALL, .call_id = ++id, .call = call});
}

void desk_timer(struct desk *d, uint32_t timer)
{
    controller(d, &(struct kc_input){.kind = KC_IN_TIMER, .timer = timer});
}

void desk_unclean(struct desk *d, const char *topic)
{
    controller(d, &(struct kc_input){.kind = KC_IN_UNCLEAN_ENABLED, .path = topic});
}

void desk_answer(struct desk *d, int32_t broker, int32_t api, int32_t error,
                 int32_t partition_error, const char *partition)
{
    struct behaviour *b = &d->behaviour[broker % BROKERS][api % 8];

    b->error = error;
    b->partition_error = partition_error;
    snprintf(b->partition, sizeof b->partition, "%s", partition == NULL ? "" : partition);
}

void desk_hold(struct desk *d, int32_t broker, bool on)
{
    d->behaviour[broker % BROKERS][0].held = on;
    size_t kept = 0;
    for (size_t i = 0; i < d->held_count; i++) {
        if (!on && d->held[i].broker == broker) {
            answer(d, &d->held[i]);
        } else {
            d->held[kept++] = d->held[i];
        }
    }
    d->held_count = kept;
}

void desk_before_write(struct desk *d, const char *path, int nth, void (*act)(struct desk *))
{
    snprintf(d->write_path, sizeof d->write_path, "%s", path);
    d->write_nth = nth;
    d->write_act = act;
}

struct kc_controller *desk_controller(struct desk *d)
{
    return d->c;
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
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

int desk_moves_refused(const struct desk *d)
{
    return d->refused;
}

struct desk *desk_new_with(const struct kc_config *config)
{
    struct desk *d = calloc(1, sizeof *d);
    struct kc_limits l = kc_limits_default();
    struct kz_limits z = {.nodes = 4096, .bytes = 1 << 20, .watches = 1024, .sessions = 128};

    d->scratch_size = 1 << 16;
    d->scratch = aligned_alloc(8, d->scratch_size);
    d->story = calloc(1, TEXT);
    d->log = calloc(1, TEXT);
    d->out = calloc(1, TEXT);
    d->z = aligned_alloc(8, (kz_server_size(&z) + 7) & ~7ul);
    kz_server_init(d->z, &z, 1000000);
    d->c = aligned_alloc(8, (kc_controller_size(&l) + 7) & ~7ul);
    kc_controller_init(d->c, &l, config);
    connect(d, CONN_OUTSIDE);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++) {
        desk_create(d, sm_persistent_paths[i], NULL);
    }
    return d;
}

struct desk *desk_new(enum sm_version version)
{
    struct kc_config config = kc_config_default(sm_profile_of(version), 100);

    config.register_broker = 0;
    config.auto_leader_rebalance = 0;
    config.delete_topic = 1;
    return desk_new_with(&config);
}

void desk_free(struct desk *d)
{
    for (size_t i = d->head; i < d->count; i++) {
        free(d->queue[i].bytes);
    }
    free(d->queue);
    free(d->scratch);
    free(d->story);
    free(d->log);
    free(d->out);
    free(d->z);
    free(d->c);
    free(d);
}
