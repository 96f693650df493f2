/*
 * What is outside of the controllers: the embedded server, brokers that register and vanish,
 * topics, and the calls of tools.
 */
#include "desk_parts.h"

#include "controller/state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            desk_push(d, ZK_REPLY, (int)o->conn - 1)->bytes = desk_copy(o->reply, o->reply->size);
        }
        break;
    case KZ_OUT_EVENT:
        if (o->conn <= PEERS) {
            struct message *m = desk_push(d, ZK_EVENT, (int)o->conn - 1);
            m->type = o->type;
            m->bytes = desk_copy(o->path, strlen(o->path) + 1);
        }
        break;
    case KZ_OUT_NONE:
    case KZ_OUT_CLOSED:
    case KZ_OUT_EXPIRED:
    case KZ_OUT_APPLIED:
        break;
    }
}

void desk_to_server(struct desk *d, const struct kz_input *in)
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

void desk_connect(struct desk *d, uint32_t conn)
{
    desk_to_server(d,
                   &(struct kz_input){.kind = KZ_IN_CONNECT, .conn = conn, .timeout_us = 20000000});
}

uint32_t desk_conn_of(int who)
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
    desk_to_server(
        d, &(struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn, .request = wire_zk_end(&b)});
}

void desk_write_one(struct desk *d, uint32_t conn, uint8_t opcode, uint8_t flags, const char *path,
                    const char *data)
{
    outside(d, conn, 1, &(struct wire_zk_op){.opcode = opcode, .flags = flags, .version = -1},
            &path, &data);
}

void desk_create(struct desk *d, const char *path, const char *data)
{
    desk_write_one(d, CONN_OUTSIDE, WIRE_ZK_CREATE, 0, path, data);
}

void desk_set(struct desk *d, const char *path, const char *data)
{
    desk_write_one(d, CONN_OUTSIDE, WIRE_ZK_SET_DATA, 0, path, data);
}

void desk_delete(struct desk *d, const char *path)
{
    desk_write_one(d, CONN_OUTSIDE, WIRE_ZK_DELETE, 0, path, NULL);
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
    desk_connect(d, CONN_BROKER + (uint32_t)id);
    enlist(d, id, false);
}

void desk_bounce(struct desk *d, int32_t id)
{
    enlist(d, id, true);
}

void desk_kill(struct desk *d, int32_t id)
{
    desk_to_server(d, &(struct kz_input){.kind = KZ_IN_CLOSE, .conn = CONN_BROKER + (uint32_t)id});
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

struct sm_list desk_ids(const char *text)
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
            struct sm_list l = desk_ids(strchr(at, ':') + 1);
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
    li.isr = desk_ids(isr);
    data[sm_znode_encode_state(data, &li)] = '\0';
    desk_set(d, path, data);
    snprintf(note, sizeof note,
             "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":%d}]}", topic,
             partition);
    if (notify) {
        desk_write_one(d, CONN_OUTSIDE, WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL,
                       "/isr_change_notification/isr_change_", note);
    }
}

void desk_state(struct desk *d, const char *topic, int32_t partition, int32_t leader, int32_t epoch,
                const char *isr, int32_t version)
{
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    struct sm_leader_and_isr li = {
        .leader = leader, .leader_epoch = epoch, .controller_epoch = 1, .isr = desk_ids(isr)};

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
    struct sm_list list = desk_ids(replicas == NULL ? "" : replicas);
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
