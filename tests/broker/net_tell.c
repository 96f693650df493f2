/*
 * Whom the brokers of the desk hear: ZooKeeper, the controller that does what the test says,
 * clients.
 */
#include "tests/broker/net_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ZooKeeper ---- */

static void zk_put(void *context, const struct kz_output *o)
{
    struct net *n = context;
    if (o->kind == KZ_OUT_REPLY && n->zk_to > 0) {
        struct event e = {.kind = EV_ANSWER, .to = n->zk_to, .from = 0};
        e.life = n->m[n->zk_to].life;
        e.owned[0] = net_copy(o->reply, o->reply->size);
        e.in = (struct kb_input){.kind = KB_IN_ZK_REPLY, .reply = e.owned[0]};
        net_post(n, &e);
    }
}

void net_zk_step(struct net *n, const struct kz_input *in)
{
    struct kz_outputs out = {
        .put = zk_put, .context = n, .scratch = n->zk_scratch, .scratch_size = n->zk_scratch_size};
    while (kz_server_step(n->z, n->now, in, &out) == SM_ERR_LIMIT) {
        struct kz_limits l = *kz_server_limits(n->z);
        l.nodes *= 2, l.bytes *= 2;
        struct kz_server *grown = aligned_alloc(8, kz_server_size(&l));
        kz_server_grow(n->z, grown, &l);
        free(n->z);
        n->z = grown;
    }
}

/* The controller's own connection is NET_BROKERS + 1: nobody hears its replies. */
void net_zk_set(struct net *n, const char *path, const void *data, size_t size)
{
    static _Alignas(8) uint8_t bytes[4096];
    struct wire_zk_builder b;
    struct wire_zk_stat stat;
    n->zk_to = 0;
    if (!kz_server_get(n->z, path, &stat, NULL, NULL, NULL)) {
        ck_assert_int_eq(kz_server_put(n->z, path, data, (uint32_t)size, NULL), SM_ERR_OK);
        return;
    }
    wire_zk_begin(&b, bytes, sizeof bytes, 1, false);
    wire_zk_add(&b,
                (struct wire_zk_op){.opcode = WIRE_ZK_SET_DATA,
                                    .version = WIRE_ZK_ANY_VERSION,
                                    .data_size = (uint32_t)size},
                path, data);
    net_zk_step(n, &(struct kz_input){
                       .kind = KZ_IN_REQUEST, .conn = NET_BROKERS + 1, .request = wire_zk_end(&b)});
}

bool net_zk_state(const struct net *n, const char *topic, int32_t partition,
                  struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    struct wire_zk_stat stat;
    sm_path_partition_state(path, topic, partition);
    if (!kz_server_get(n->z, path, &stat, &data, &size, &has_data)) {
        return false;
    }
    ck_assert_int_eq(sm_znode_decode_state((const char *)data, size, stat.version, li), SM_ERR_OK);
    return true;
}

void net_deliver_zk(struct net *n, const struct event *e)
{
    const struct wire_zk_request *request = e->owned[0];
    struct wire_zk_op_view v = {0};
    bool write = wire_zk_op_next(request, &v) && v.op->opcode == WIRE_ZK_SET_DATA;
    struct kz_input in = {.kind = KZ_IN_REQUEST, .conn = (uint32_t)e->from, .request = request};
    if (n->lose_isr_reply && write) {
        n->lose_isr_reply = false;
        n->zk_to = 0;
        net_zk_step(n, &in);
    }
    n->zk_to = n->m[e->from].life == e->from_life && n->m[e->from].alive ? e->from : 0;
    net_zk_step(n, &in);
    n->zk_to = 0;
}

/* ---- batches of the controller ---- */

static size_t batch_head(const struct net *n, uint8_t *bytes)
{
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    size_t at = sizeof *b;
    b->set_words = 1;
    b->sets = (uint32_t)at;
    at += 24;
    b->brokers = (uint32_t)at;
    for (int i = 1; i <= n->count; i++) {
        struct sm_broker broker = {.id = i, .endpoint_count = 1};
        struct wire_broker *entry = (struct wire_broker *)(void *)(bytes + at);
        if (!n->m[i].alive) {
            continue;
        }
        broker.endpoint[0] = (struct sm_endpoint){
            .listener = "PLAINTEXT", .protocol = "PLAINTEXT", .host = "localhost", .port = 9092};
        wire_broker_encode(entry, (uint32_t)i, n->m[i].broker_epoch, &broker);
        at += entry->size;
        b->broker_count++;
    }
    b->records = (uint32_t)at;
    b->controller_id = 1;
    b->controller_epoch = n->controller_epoch;
    return at;
}

/* One record for one broker, or none: only who is alive. */
static struct wire_batch *batch_for(struct net *n, int to, enum wire_record_kind kind,
                                    const struct partition *p, const struct sm_leader_and_isr *li,
                                    bool flag)
{
    static _Alignas(8) uint8_t bytes[8192];
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    memset(bytes, 0, sizeof bytes);
    size_t at = batch_head(n, bytes);
    b->id = ++n->batch_id;
    ((uint64_t *)(void *)(bytes + b->sets))[kind == WIRE_RECORD_LEADER_AND_ISR    ? 0
                                            : kind == WIRE_RECORD_UPDATE_METADATA ? 1
                                                                                  : 2] = 1ull << to;
    if (p != NULL) {
        struct wire_record *r = (struct wire_record *)(void *)(bytes + at);
        size_t here = at + sizeof *r;
        *r = (struct wire_record){.kind = (uint8_t)kind,
                                  .isr_count = (uint8_t)li->isr.count,
                                  .replica_count = (uint8_t)p->replicas.count,
                                  .topic_size = (uint16_t)(strlen(p->topic) + 1),
                                  .partition = p->partition,
                                  .controller_epoch = li->controller_epoch,
                                  .leader = li->leader,
                                  .leader_epoch = li->leader_epoch,
                                  .zk_version = li->zk_version};
        ((uint64_t *)(void *)(bytes + here))[0] = 1ull << to;
        ((uint64_t *)(void *)(bytes + here))[1] = flag ? 1ull << to : 0;
        here += 16;
        memcpy(bytes + here, li->isr.id, 4ull * (size_t)li->isr.count);
        here += 4ull * (size_t)li->isr.count;
        memcpy(bytes + here, p->replicas.id, 4ull * (size_t)p->replicas.count);
        here += 4ull * (size_t)p->replicas.count;
        strcpy((char *)bytes + here, p->topic);
        here += strlen(p->topic) + 1;
        r->size = (uint32_t)((here - at + 7) & ~(size_t)7);
        b->record_bytes = r->size;
        b->count[kind == WIRE_RECORD_LEADER_AND_ISR ? 0 : 2] = 1;
        at += r->size;
    }
    b->size = (uint32_t)at;
    return net_copy(b, b->size);
}

static uint64_t send_batch(struct net *n, int to, uint32_t kind, struct wire_batch *batch)
{
    struct event e = {.kind = EV_INPUT, .to = to, .from = -1};
    e.in = (struct kb_input){.kind = kind,
                             .call_id = net_call_new(n, 0, to, kind, 0),
                             .broker_epoch =
                                 n->m[to].stamp != -1 ? n->m[to].stamp : n->m[to].broker_epoch,
                             .batch = batch,
                             .broker_index = (uint32_t)to};
    e.owned[0] = batch;
    net_post(n, &e);
    return e.in.call_id;
}

uint64_t net_tell(struct net *n, int broker, const char *topic, int32_t partition, bool is_new)
{
    struct sm_leader_and_isr li;
    ck_assert(net_zk_state(n, topic, partition, &li));
    return send_batch(n, broker, KB_IN_LEADER_AND_ISR,
                      batch_for(n, broker, WIRE_RECORD_LEADER_AND_ISR,
                                net_part_of(n, topic, partition), &li, is_new));
}

uint64_t net_metadata_to(struct net *n, int broker)
{
    return send_batch(n, broker, KB_IN_UPDATE_METADATA,
                      batch_for(n, broker, WIRE_RECORD_UPDATE_METADATA, NULL, NULL, false));
}

void net_metadata(struct net *n)
{
    for (int i = 1; i <= n->count; i++) {
        if (n->m[i].alive) {
            net_metadata_to(n, i);
        }
    }
}

uint64_t net_stop_replica(struct net *n, int broker, const char *topic, int32_t partition,
                          int32_t epoch, bool delete)
{
    struct sm_leader_and_isr li = {.leader = -1, .leader_epoch = epoch};
    return send_batch(n, broker, KB_IN_STOP_REPLICA,
                      batch_for(n, broker, WIRE_RECORD_STOP_REPLICA,
                                net_part_of(n, topic, partition), &li, delete));
}

void net_assign(struct net *n, const char *topic, int32_t partition, const char *replicas)
{
    struct partition *p = net_part_of(n, topic, partition);
    if (p == NULL) {
        ck_assert_int_lt(n->part_count, PARTITIONS_MAX);
        p = &n->part[n->part_count++];
        snprintf(p->topic, sizeof p->topic, "%s", topic);
        p->partition = partition;
    }
    p->replicas = net_list_of(replicas);
}

void net_decide(struct net *n, const char *topic, int32_t partition, int32_t leader,
                const char *isr)
{
    struct sm_leader_and_isr li = {.leader_epoch = -1};
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    size_t size;
    (void)net_zk_state(n, topic, partition, &li);
    li.leader = leader;
    li.leader_epoch++;
    li.controller_epoch = n->controller_epoch;
    li.isr = isr == NULL ? li.isr : net_list_of(isr);
    sm_path_partition_state(path, topic, partition);
    size = sm_znode_encode_state(data, &li);
    net_zk_set(n, path, data, size);
}

static void tell_all(struct net *n, const char *topic, int32_t partition, bool is_new)
{
    const struct partition *p = net_part_of(n, topic, partition);
    for (int i = 0; i < p->replicas.count; i++) {
        if (n->m[p->replicas.id[i]].alive) {
            net_tell(n, p->replicas.id[i], topic, partition, is_new);
        }
    }
}

void net_elect(struct net *n, const char *topic, int32_t partition, int32_t leader, const char *isr)
{
    net_decide(n, topic, partition, leader, isr);
    tell_all(n, topic, partition, false);
    net_metadata(n);
}

void net_topic(struct net *n, const char *topic, int32_t partition, const char *replicas)
{
    net_assign(n, topic, partition, replicas);
    net_decide(n, topic, partition, net_part_of(n, topic, partition)->replicas.id[0], replicas);
    tell_all(n, topic, partition, true);
    net_run(n, 20000);
}

int32_t net_controller_epoch(struct net *n, int32_t epoch)
{
    int32_t old = n->controller_epoch;
    n->controller_epoch = epoch;
    return old;
}

void net_stamp(struct net *n, int broker, int64_t broker_epoch)
{
    n->m[broker].stamp = broker_epoch;
}

void net_hold(struct net *n, int broker, bool held)
{
    struct machine *m = &n->m[broker];
    m->held = held;
    if (held) {
        return;
    }
    for (uint32_t i = 0; i < m->queued; i++) {
        net_step(n, broker, &m->queue[i].in);
        net_event_free(&m->queue[i]);
        net_check(n);
    }
    m->queued = 0;
}

/* ---- clients ---- */

static uint64_t client_call(struct net *n, int broker, const char *topic, int32_t partition,
                            struct kb_input in)
{
    in.call_id = net_call_new(n, 0, broker, in.kind, 0);
    snprintf(n->calls[in.call_id].topic, sizeof n->calls[0].topic, "%s", topic);
    n->calls[in.call_id].partition = partition;
    if (n->m[broker].alive) {
        uint64_t id = in.call_id;
        const struct kb_produce *p = in.kind == KB_IN_PRODUCE ? in.request : NULL;
        n->calls[id].payload = p != NULL && p->acks == -1 ? p->items[0].batches[0].payload : 0;
        net_step(n, broker, &in);
        net_check(n);
    }
    return in.call_id;
}

uint64_t net_produce_batch(struct net *n, int broker, const char *topic, int32_t partition,
                           const struct kb_batch *batch, int32_t acks, int64_t timeout_us,
                           int32_t origin)
{
    struct kb_produce_item item = {
        .topic = topic, .partition = partition, .batches = batch, .batch_count = 1};
    struct kb_produce produce = {
        .timeout_us = timeout_us, .acks = acks, .origin = origin, .items = &item, .count = 1};
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_PRODUCE, .request = &produce});
}

uint64_t net_produce(struct net *n, int broker, const char *topic, int32_t partition,
                     uint64_t payload, int32_t acks)
{
    struct kb_batch batch = {.payload = payload,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1,
                             .size = 70,
                             .record_count = 1,
                             .first_timestamp = n->now / 1000,
                             .max_timestamp = n->now / 1000};
    return net_produce_batch(n, broker, topic, partition, &batch, acks, 10000000, KB_FROM_CLIENT);
}

static uint64_t fetch_call(struct net *n, int broker, const char *topic, int32_t partition,
                           struct kb_fetch fetch, int64_t offset, int32_t epoch)
{
    struct kb_fetch_item item = {.topic = topic,
                                 .partition = partition,
                                 .current_leader_epoch = epoch,
                                 .max_bytes = 1 << 20,
                                 .offset = offset,
                                 .log_start = 0};
    fetch.items = &item;
    fetch.count = 1;
    fetch.min_bytes = fetch.min_bytes == 0 ? 1 : fetch.min_bytes;
    fetch.max_bytes = 1 << 20;
    fetch.session_epoch = -1;
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_FETCH, .request = &fetch});
}

uint64_t net_fetch(struct net *n, int broker, const char *topic, int32_t partition, int64_t offset,
                   int64_t max_wait_us, bool committed)
{
    return fetch_call(n, broker, topic, partition,
                      (struct kb_fetch){.max_wait_us = max_wait_us,
                                        .replica_id = KB_CONSUMER,
                                        .committed = committed},
                      offset, -1);
}

uint64_t net_fetch_much(struct net *n, int broker, const char *topic, int32_t partition,
                        int64_t offset, int64_t max_wait_us, int32_t min_bytes)
{
    return fetch_call(n, broker, topic, partition,
                      (struct kb_fetch){.max_wait_us = max_wait_us,
                                        .replica_id = KB_CONSUMER,
                                        .min_bytes = min_bytes},
                      offset, -1);
}

void net_configure(struct net *n, int broker, const char *topic,
                   const struct kb_topic_config *config)
{
    struct kb_input in = {
        .kind = KB_IN_TOPIC_CONFIG, .value = 1, .topic = topic, .request = config};

    net_step(n, broker, &in);
}

uint64_t net_fetch_as(struct net *n, int broker, int32_t id, const char *topic, int32_t partition,
                      int64_t offset, int32_t epoch)
{
    return fetch_call(n, broker, topic, partition, (struct kb_fetch){.replica_id = id}, offset,
                      epoch);
}

uint64_t net_offsets(struct net *n, int broker, const char *topic, int32_t partition,
                     int64_t timestamp)
{
    struct kb_offsets_item item = {
        .topic = topic, .partition = partition, .current_leader_epoch = -1, .timestamp = timestamp};
    return client_call(
        n, broker, topic, partition,
        (struct kb_input){
            .kind = KB_IN_OFFSETS, .items = &item, .count = 1, .replica_id = KB_CONSUMER});
}

uint64_t net_delete_records(struct net *n, int broker, const char *topic, int32_t partition,
                            int64_t offset)
{
    struct kb_delete_records_item item = {.topic = topic, .partition = partition, .offset = offset};
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_DELETE_RECORDS, .items = &item, .count = 1});
}

const struct net_call *net_call_of(const struct net *n, uint64_t call)
{
    return &n->calls[call].result;
}
