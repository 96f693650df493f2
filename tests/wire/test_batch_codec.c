/*
 * Batches straight to bytes and back, held against a second way: the same request put together
 * naively as a flat message, and written by the table-driven codec (which recorded bytes of Kafka
 * vouch for).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "recorded.h"
#include "wire/batch_codec.h"
#include "wire/codec.h"
#include "wire/schema.h"

enum { ROOM = 1 << 20 };

static const struct {
    enum wire_record_kind kind;
    enum wire_api api;
    int16_t newest;
} kinds[] = {{WIRE_RECORD_LEADER_AND_ISR, WIRE_API_LEADER_AND_ISR, 4},
             {WIRE_RECORD_UPDATE_METADATA, WIRE_API_UPDATE_METADATA, 6},
             {WIRE_RECORD_STOP_REPLICA, WIRE_API_STOP_REPLICA, 3}};

/* ---- the naive way ---- */

/* The records of a request, in the order of topics by first appearance. */
struct chosen {
    struct wire_record_view v[512];
    int32_t count;
};

static bool flag_of(const struct wire_batch_request *q, const struct wire_record_view *v)
{
    return (v->flag[q->index / 64] >> q->index % 64 & 1) != 0;
}

static bool is_named(const struct wire_batch_request *q, const struct wire_record_view *v)
{
    return q->kind != WIRE_RECORD_STOP_REPLICA || q->version >= 3 || flag_of(q, v) == q->deletes;
}

static struct chosen choose(const struct wire_batch_request *q, bool grouped)
{
    struct chosen all = {0}, out = {0};
    struct wire_record_view v = {0};
    while (wire_batch_next_for(q->batch, q->kind, q->index, &v))
        if (is_named(q, &v))
            all.v[all.count++] = v;
    if (!grouped)
        return all;
    for (int32_t i = 0; i < all.count; i++) {
        bool seen = false;
        for (int32_t k = 0; k < i; k++)
            seen = seen || strcmp(all.v[k].topic, all.v[i].topic) == 0;
        for (int32_t k = i; k < all.count && !seen; k++)
            if (strcmp(all.v[k].topic, all.v[i].topic) == 0)
                out.v[out.count++] = all.v[k];
    }
    return out;
}

static int32_t same_topic(const struct chosen *c, int32_t from)
{
    int32_t n = 0;
    while (from + n < c->count && strcmp(c->v[from + n].topic, c->v[from].topic) == 0)
        n++;
    return n;
}

static int32_t count_topics(const struct chosen *c)
{
    int32_t n = 0;
    for (int32_t i = 0; i < c->count; i += same_topic(c, i))
        n++;
    return n;
}

#define AT(f, array, type, i) ((type *)wire_flat_at(f, (array).at) + (i))

typedef struct wire_leader_and_isr_request_partition_state lai_partition;
typedef struct wire_update_metadata_request_partition_state um_partition;

static struct wire_array lai_partitions(struct wire_flat *f, const struct wire_batch_request *q,
                                        const struct chosen *c, int32_t from, int32_t count,
                                        bool named)
{
    struct wire_array a = wire_flat_array(f, count, sizeof(lai_partition));
    for (int32_t i = 0; i < a.count; i++) {
        const struct wire_record_view *v = &c->v[from + i];
        lai_partition p;
        wire_defaults_of(&wire_layout_leader_and_isr_request_partition_state, &p);
        if (named)
            p.topic_name = wire_flat_string(f, v->topic);
        p.partition_index = v->record->partition;
        p.controller_epoch = v->record->controller_epoch;
        p.leader = v->record->leader;
        p.leader_epoch = v->record->leader_epoch;
        p.zk_version = v->record->zk_version;
        p.isr = wire_flat_ids(f, v->isr, v->record->isr_count);
        p.replicas = wire_flat_ids(f, v->replicas, v->record->replica_count);
        if (q->version >= 3) {
            p.adding_replicas = wire_flat_ids(f, v->adding, v->record->adding_count);
            p.removing_replicas = wire_flat_ids(f, v->removing, v->record->removing_count);
        }
        if (q->version >= 1)
            p.is_new = flag_of(q, v);
        *AT(f, a, lai_partition, i) = p;
    }
    return a;
}

static bool leads(const struct chosen *c, int32_t id)
{
    for (int32_t i = 0; i < c->count; i++)
        if (c->v[i].record->leader == id)
            return true;
    return false;
}

static struct wire_array live_leaders(struct wire_flat *f, const struct wire_batch_request *q,
                                      const struct chosen *c)
{
    int32_t count = 0;
    for (const struct wire_broker *b = NULL; (b = wire_batch_next_broker(q->batch, b)) != NULL;)
        count += leads(c, b->id);
    struct wire_array a =
        wire_flat_array(f, count, sizeof(struct wire_leader_and_isr_request_live_leader));
    int32_t i = 0;
    for (const struct wire_broker *b = NULL; (b = wire_batch_next_broker(q->batch, b)) != NULL;) {
        struct sm_broker broker;
        if (!leads(c, b->id))
            continue;
        wire_broker_decode(b, &broker);
        int32_t e = broker.endpoint_count > 1 ? 1 : 0;
        struct wire_string host = wire_flat_string(f, broker.endpoint[e].host);
        *AT(f, a, struct wire_leader_and_isr_request_live_leader, i++) =
            (struct wire_leader_and_isr_request_live_leader){b->id, host, broker.endpoint[e].port};
    }
    return a;
}

static void naive_lai(struct wire_flat *f, struct wire_leader_and_isr_request *m,
                      const struct wire_batch_request *q)
{
    struct chosen c = choose(q, q->version >= 2);
    if (q->version < 2) {
        m->ungrouped_partition_states = lai_partitions(f, q, &c, 0, c.count, true);
    } else {
        m->topic_states = wire_flat_array(f, count_topics(&c),
                                          sizeof(struct wire_leader_and_isr_request_topic_state));
        for (int32_t i = 0, t = 0; i < c.count; i += same_topic(&c, i), t++) {
            struct wire_leader_and_isr_request_topic_state topic = {
                .topic_name = wire_flat_string(f, c.v[i].topic)};
            topic.partition_states = lai_partitions(f, q, &c, i, same_topic(&c, i), false);
            *AT(f, m->topic_states, struct wire_leader_and_isr_request_topic_state, t) = topic;
        }
    }
    m->live_leaders = live_leaders(f, q, &c);
}

static struct wire_array um_partitions(struct wire_flat *f, const struct wire_batch_request *q,
                                       const struct chosen *c, int32_t from, int32_t count,
                                       bool named)
{
    struct wire_array a = wire_flat_array(f, count, sizeof(um_partition));
    for (int32_t i = 0; i < a.count; i++) {
        const struct wire_record_view *v = &c->v[from + i];
        um_partition p;
        wire_defaults_of(&wire_layout_update_metadata_request_partition_state, &p);
        if (named)
            p.topic_name = wire_flat_string(f, v->topic);
        p.partition_index = v->record->partition;
        p.controller_epoch = v->record->controller_epoch;
        p.leader = v->record->leader;
        p.leader_epoch = v->record->leader_epoch;
        p.zk_version = v->record->zk_version;
        p.isr = wire_flat_ids(f, v->isr, v->record->isr_count);
        p.replicas = wire_flat_ids(f, v->replicas, v->record->replica_count);
        if (q->version >= 4)
            p.offline_replicas = wire_flat_ids(f, v->offline, v->record->offline_count);
        *AT(f, a, um_partition, i) = p;
    }
    return a;
}

static int16_t protocol_id(const char *name)
{
    return (int16_t)(strcmp(name, "PLAINTEXT") == 0        ? 0
                     : strcmp(name, "SSL") == 0            ? 1
                     : strcmp(name, "SASL_PLAINTEXT") == 0 ? 2
                                                           : 3);
}

static struct wire_array endpoints(struct wire_flat *f, const struct wire_batch_request *q,
                                   const struct sm_broker *b)
{
    struct wire_array a =
        wire_flat_array(f, b->endpoint_count, sizeof(struct wire_update_metadata_request_endpoint));
    for (int32_t i = 0; i < a.count; i++) {
        struct wire_update_metadata_request_endpoint e = {
            .port = b->endpoint[i].port,
            .host = wire_flat_string(f, b->endpoint[i].host),
            .security_protocol = protocol_id(b->endpoint[i].protocol)};
        if (q->version >= 3)
            e.listener = wire_flat_string(f, b->endpoint[i].listener);
        *AT(f, a, struct wire_update_metadata_request_endpoint, i) = e;
    }
    return a;
}

static struct wire_array live_brokers(struct wire_flat *f, const struct wire_batch_request *q)
{
    struct wire_array a = wire_flat_array(f, (int32_t)q->batch->broker_count,
                                          sizeof(struct wire_update_metadata_request_live_broker));
    int32_t i = 0;
    for (const struct wire_broker *b = NULL; (b = wire_batch_next_broker(q->batch, b)) != NULL;
         i++) {
        struct sm_broker broker;
        struct wire_update_metadata_request_live_broker out = {.id = b->id};
        wire_broker_decode(b, &broker);
        if (q->version == 0) {
            out.v0_host = wire_flat_string(f, broker.endpoint[0].host);
            out.v0_port = broker.endpoint[0].port;
        } else {
            out.endpoints = endpoints(f, q, &broker);
        }
        if (q->version >= 2)
            out.rack = wire_flat_string(f, broker.rack[0] == '\0' ? NULL : broker.rack);
        *AT(f, a, struct wire_update_metadata_request_live_broker, i) = out;
    }
    return a;
}

static void naive_um(struct wire_flat *f, struct wire_update_metadata_request *m,
                     const struct wire_batch_request *q)
{
    struct chosen c = choose(q, q->version >= 5);
    if (q->version < 5) {
        m->ungrouped_partition_states = um_partitions(f, q, &c, 0, c.count, true);
    } else {
        m->topic_states = wire_flat_array(f, count_topics(&c),
                                          sizeof(struct wire_update_metadata_request_topic_state));
        for (int32_t i = 0, t = 0; i < c.count; i += same_topic(&c, i), t++) {
            struct wire_update_metadata_request_topic_state topic = {
                .topic_name = wire_flat_string(f, c.v[i].topic)};
            topic.partition_states = um_partitions(f, q, &c, i, same_topic(&c, i), false);
            *AT(f, m->topic_states, struct wire_update_metadata_request_topic_state, t) = topic;
        }
    }
    m->live_brokers = live_brokers(f, q);
}

static void naive_sr(struct wire_flat *f, struct wire_stop_replica_request *m,
                     const struct wire_batch_request *q)
{
    struct chosen c = choose(q, q->version >= 1);
    m->delete_partitions = q->version < 3 && q->deletes;
    if (q->version == 0) {
        m->ungrouped_partitions = wire_flat_array(
            f, c.count, sizeof(struct wire_stop_replica_request_ungrouped_partition));
        for (int32_t i = 0; i < c.count; i++) {
            struct wire_string topic = wire_flat_string(f, c.v[i].topic);
            *AT(f, m->ungrouped_partitions, struct wire_stop_replica_request_ungrouped_partition,
                i) = (struct wire_stop_replica_request_ungrouped_partition){
                topic, c.v[i].record->partition};
        }
        return;
    }
    struct wire_array topics =
        wire_flat_array(f, count_topics(&c), sizeof(struct wire_stop_replica_request_topic));
    for (int32_t i = 0, t = 0; i < c.count; i += same_topic(&c, i), t++) {
        int32_t n = same_topic(&c, i);
        struct wire_stop_replica_request_topic topic = {.name = wire_flat_string(f, c.v[i].topic)};
        size_t size = q->version < 3 ? sizeof(int32_t)
                                     : sizeof(struct wire_stop_replica_request_partition_state);
        topic.partition_indexes = wire_flat_array(f, n, size);
        for (int32_t k = 0; k < n; k++) {
            const struct wire_record_view *v = &c.v[i + k];
            if (q->version < 3)
                *AT(f, topic.partition_indexes, int32_t, k) = v->record->partition;
            else
                *AT(f, topic.partition_indexes, struct wire_stop_replica_request_partition_state,
                    k) = (struct wire_stop_replica_request_partition_state){
                    v->record->partition, v->record->leader_epoch, flag_of(q, v)};
        }
        *AT(f, topics, struct wire_stop_replica_request_topic, t) = topic;
    }
    if (q->version < 3)
        m->topics = topics;
    else
        m->topic_states = topics; /* {name, array}, both */
}

static size_t naive(const struct wire_batch_request *q, enum wire_api api, void *room)
{
    struct wire_flat f;
    const struct wire_broker *me = NULL;
    while ((me = wire_batch_next_broker(q->batch, me)) != NULL && me->index != q->index)
        ;
    void *head = wire_flat_begin(&f, room, ROOM, wire_head_size(WIRE_REQUEST, (int16_t)api));
    wire_defaults(WIRE_REQUEST, (int16_t)api, head);
    if (api == WIRE_API_LEADER_AND_ISR) {
        struct wire_leader_and_isr_request *m = head;
        m->controller_id = q->batch->controller_id;
        m->controller_epoch = q->batch->controller_epoch;
        m->broker_epoch = q->version >= 2 ? me->epoch : -1;
        naive_lai(&f, m, q);
    } else if (api == WIRE_API_UPDATE_METADATA) {
        struct wire_update_metadata_request *m = head;
        m->controller_id = q->batch->controller_id;
        m->controller_epoch = q->batch->controller_epoch;
        m->broker_epoch = q->version >= 5 ? me->epoch : -1;
        naive_um(&f, m, q);
    } else {
        struct wire_stop_replica_request *m = head;
        m->controller_id = q->batch->controller_id;
        m->controller_epoch = q->batch->controller_epoch;
        m->broker_epoch = q->version >= 1 ? me->epoch : -1;
        naive_sr(&f, m, q);
    }
    return wire_flat_end(&f);
}

/* ---- every request out of a batch ---- */

typedef void (*request_fn)(const struct wire_batch_request *q, enum wire_api api);

static void each_request(const struct wire_batch *b, request_fn visit)
{
    for (size_t k = 0; k < 3; k++)
        for (int16_t version = 0; version <= kinds[k].newest; version++)
            for (const struct wire_broker *to = NULL;
                 (to = wire_batch_next_broker(b, to)) != NULL;) {
                struct wire_batch_request q = {.batch = b,
                                               .kind = kinds[k].kind,
                                               .index = to->index,
                                               .version = version,
                                               .deletes = draw(2) == 0,
                                               .listener = "L1"};
                visit(&q, kinds[k].api);
            }
}

static void over_random_batches(int rounds, request_fn visit)
{
    for (int round = 0; round < rounds; round++) {
        draw_seed((uint64_t)round + 1);
        struct wire_batch *b = draw_batch(draw(120));
        each_request(b, visit);
        free(b);
    }
}

/* Encodes into exactly enough heap. */
static uint8_t *encode(const struct wire_batch_request *q, size_t *size, size_t *epoch_at)
{
    void *scratch = malloc(wire_batch_scratch_size(q->batch));
    size_t used;
    ck_assert_int_eq(wire_batch_encode(q, scratch, NULL, 0, size, NULL), SM_ERR_LIMIT);
    uint8_t *bytes = malloc(*size);
    ck_assert_int_eq(wire_batch_encode(q, scratch, bytes, *size, &used, epoch_at), SM_ERR_OK);
    ck_assert_uint_eq(used, *size);
    free(scratch);
    return bytes;
}

static uint8_t room[ROOM] __attribute__((aligned(8)));
static uint8_t other[ROOM] __attribute__((aligned(8)));

static void is_what_the_naive_way_writes(const struct wire_batch_request *q, enum wire_api api)
{
    size_t size, epoch_at, used;
    uint8_t *bytes = encode(q, &size, &epoch_at);
    ck_assert_uint_gt(naive(q, api, room), 0);
    ck_assert_int_eq(
        wire_encode(WIRE_REQUEST, (int16_t)api, q->version, room, other, sizeof other, &used),
        SM_ERR_OK);
    ck_assert_msg(used == size && memcmp(bytes, other, size) == 0, "%s %d", wire_api_name(api),
                  q->version);
    /* A patched epoch is that of the message. */
    wire_batch_patch_epoch(bytes, epoch_at, 77);
    ck_assert_int_eq(wire_decode(WIRE_REQUEST, (int16_t)api, q->version, bytes, size, other,
                                 sizeof other, &used),
                     SM_ERR_OK);
    int64_t epoch = api == WIRE_API_LEADER_AND_ISR
                        ? ((struct wire_leader_and_isr_request *)(void *)other)->broker_epoch
                    : api == WIRE_API_UPDATE_METADATA
                        ? ((struct wire_update_metadata_request *)(void *)other)->broker_epoch
                        : ((struct wire_stop_replica_request *)(void *)other)->broker_epoch;
    ck_assert_int_eq(epoch, epoch_at == 0 ? -1 : 77);
    free(bytes);
}

START_TEST(a_batch_is_written_as_the_naive_way_writes_it)
{
    over_random_batches(150, is_what_the_naive_way_writes);
}
END_TEST

static int32_t id_of(const struct wire_batch *b, uint32_t index)
{
    const struct wire_broker *e = NULL;
    while ((e = wire_batch_next_broker(b, e)) != NULL)
        if (e->index == index)
            return e->id;
    return -1;
}

static void comes_back(const struct wire_batch_request *q, enum wire_api api)
{
    size_t size, epoch_at, used, again_size;
    uint8_t *bytes = encode(q, &size, &epoch_at);
    int32_t id = id_of(q->batch, q->index);
    ck_assert_int_eq(wire_batch_decode(api, q->version, id, bytes, size, NULL, 0, &used),
                     SM_ERR_LIMIT);
    struct wire_batch *b = malloc(used);
    ck_assert_int_eq(wire_batch_decode(api, q->version, id, bytes, size, b, used, &used),
                     SM_ERR_OK);
    ck_assert_uint_eq(b->size, used);
    ck_assert(wire_batch_is_for(b, q->kind, 0));
    ck_assert(!wire_batch_is_for(b, q->kind, 1));
    ck_assert_int_eq(b->controller_epoch, q->batch->controller_epoch);
    ck_assert_uint_eq(b->count[q->kind - 1], wire_batch_partition_count(q));
    struct wire_batch_request q2 = *q;
    q2.batch = b;
    q2.index = 0;
    uint8_t *again = encode(&q2, &again_size, &epoch_at);
    ck_assert_msg(again_size == size && memcmp(again, bytes, size) == 0, "%s %d",
                  wire_api_name(api), q->version);
    free(again);
    free(b);
    free(bytes);
}

START_TEST(bytes_become_a_batch_that_is_written_alike)
{
    over_random_batches(150, comes_back);
}
END_TEST

/* Any prefix is refused, and so are damaged bytes, or they are sound; nothing else happens. */
static void survives_damage(const struct wire_batch_request *q, enum wire_api api)
{
    size_t size, epoch_at, used;
    uint8_t *bytes = encode(q, &size, &epoch_at);
    for (size_t cut = 0; cut < size; cut += 1 + draw(7)) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        ck_assert_int_eq(wire_batch_decode(api, q->version, 1, part, cut, room, sizeof room, &used),
                         SM_ERR_SYNTAX);
        free(part);
    }
    for (int i = 0; i < 20; i++) {
        uint8_t *damaged = malloc(size);
        memcpy(damaged, bytes, size);
        for (uint32_t n = 1 + draw(3); n > 0; n--)
            damaged[draw((uint32_t)size)] = (uint8_t)draw_bits();
        enum sm_err err =
            wire_batch_decode(api, q->version, 1, damaged, size, room, sizeof room, &used);
        ck_assert(err == SM_ERR_OK || err == SM_ERR_SYNTAX || err == SM_ERR_RANGE);
        if (err == SM_ERR_OK) {
            struct wire_batch_request q2 = *q;
            q2.batch = (const struct wire_batch *)(const void *)room;
            q2.index = 0;
            void *scratch = malloc(wire_batch_scratch_size(q2.batch));
            ck_assert_int_ne(wire_batch_encode(&q2, scratch, other, ROOM, &used, NULL),
                             SM_ERR_SYNTAX);
            free(scratch);
        }
        free(damaged);
    }
    free(bytes);
}

START_TEST(damaged_bytes_do_no_harm)
{
    over_random_batches(25, survives_damage);
}
END_TEST

START_TEST(requests_that_kafka_wrote_become_batches)
{
    struct recorded_file *f = recorded_open();
    struct recorded r;
    int sound = 0;
    while (recorded_next(f, &r)) {
        size_t used;
        if (r.direction == WIRE_REQUEST &&
            wire_batch_decode((enum wire_api)r.api, r.version, 1, r.bytes, r.size, room,
                              sizeof room, &used) == SM_ERR_OK)
            sound++;
    }
    recorded_close(f);
    ck_assert_int_gt(sound, 30);
}
END_TEST

/* ---- answers ---- */

static void answers_come_back(const struct wire_batch_request *q, enum wire_api api)
{
    struct wire_answer_item said[128];
    struct wire_answer_item *heard = malloc(sizeof said);
    struct wire_answer a = {.items = said}, out;
    struct wire_record_view v = {0};
    (void)api;
    bool splits = q->kind == WIRE_RECORD_STOP_REPLICA && q->version < 3;
    while (q->kind != WIRE_RECORD_UPDATE_METADATA &&
           wire_batch_next_for(q->batch, q->kind, q->index, &v))
        if (draw(3) == 0 && (!splits || flag_of(q, &v) == q->deletes))
            said[a.count++] = (struct wire_answer_item){v.offset, 1 + (int32_t)draw(90)};
    uint8_t *bytes = malloc(ROOM);
    void *scratch = malloc(wire_batch_scratch_size(q->batch));
    size_t size;
    ck_assert_int_eq(wire_answer_encode(q, &a, bytes, ROOM, &size), SM_ERR_OK);
    bytes = realloc(bytes, size);
    ck_assert_int_eq(wire_answer_decode(q, bytes, size, scratch, heard, 128, &out), SM_ERR_OK);
    ck_assert_int_eq(out.error, 0);
    ck_assert_uint_eq(out.count, a.count);
    ck_assert(a.count == 0 || memcmp(said, heard, a.count * sizeof said[0]) == 0);
    if (a.count > 0)
        ck_assert_int_eq(wire_answer_decode(q, bytes, size, scratch, heard, 0, &out), SM_ERR_LIMIT);
    ck_assert_uint_eq(out.count, a.count);
    for (size_t cut = 0; cut < size; cut += 1 + draw(9))
        ck_assert_int_eq(wire_answer_decode(q, bytes, cut, scratch, heard, 128, &out),
                         SM_ERR_SYNTAX);
    for (int i = 0; i < 10; i++) {
        uint8_t *damaged = malloc(size);
        memcpy(damaged, bytes, size);
        for (uint32_t n = 1 + draw(3); n > 0; n--)
            damaged[draw((uint32_t)size)] = (uint8_t)draw_bits();
        enum sm_err err = wire_answer_decode(q, damaged, size, scratch, heard, 128, &out);
        ck_assert(err == SM_ERR_OK || err == SM_ERR_SYNTAX);
        free(damaged);
    }
    a.error = WIRE_ERROR_STALE_BROKER_EPOCH;
    ck_assert_int_eq(wire_answer_encode(q, &a, NULL, 0, &size), SM_ERR_LIMIT);
    bytes = realloc(bytes, size);
    ck_assert_int_eq(wire_answer_encode(q, &a, bytes, size, &size), SM_ERR_OK);
    ck_assert_int_eq(wire_answer_decode(q, bytes, size, scratch, heard, 128, &out), SM_ERR_OK);
    ck_assert_int_eq(out.error, WIRE_ERROR_STALE_BROKER_EPOCH);
    free(scratch);
    free(bytes);
    free(heard);
}

START_TEST(answers_are_read_as_written)
{
    over_random_batches(150, answers_come_back);
}
END_TEST

/* A broker answers in an order of its own, and may name what it was not asked for. */
START_TEST(an_answer_in_any_order_finds_its_records)
{
    draw_seed(5);
    struct wire_batch *b = draw_batch(100);
    const struct wire_broker *to = wire_batch_next_broker(b, NULL);
    struct wire_batch_request q = {
        .batch = b, .kind = WIRE_RECORD_LEADER_AND_ISR, .index = to->index, .version = 4};
    struct wire_flat f;
    struct wire_leader_and_isr_response *m = wire_flat_begin(&f, room, ROOM, sizeof *m);
    struct wire_record_view v = {0}, named[128];
    int32_t count = 0;
    while (wire_batch_next_for(b, q.kind, q.index, &v))
        named[count++] = v;
    ck_assert_int_gt(count, 5);
    m->partition_errors =
        wire_flat_array(&f, count + 1, sizeof(struct wire_leader_and_isr_response_partition_error));
    for (int32_t i = 0; i <= count; i++) {
        const struct wire_record_view *r = &named[i == count ? 0 : count - 1 - i];
        struct wire_leader_and_isr_response_partition_error e = {
            wire_flat_string(&f, i == count ? "unknown" : r->topic),
            i == count ? 1 : r->record->partition, (int16_t)(i % 2)};
        *AT(&f, m->partition_errors, struct wire_leader_and_isr_response_partition_error, i) = e;
    }
    ck_assert_uint_gt(wire_flat_end(&f), 0);
    size_t size;
    struct wire_answer_item items[128];
    struct wire_answer out;
    ck_assert_int_eq(wire_encode(WIRE_RESPONSE, 4, 4, room, other, ROOM, &size), SM_ERR_OK);
    void *scratch = malloc(wire_batch_scratch_size(b));
    ck_assert_int_eq(wire_answer_decode(&q, other, size, scratch, items, 128, &out), SM_ERR_OK);
    ck_assert_uint_eq(out.count, (uint32_t)count / 2);
    for (uint32_t i = 0; i < out.count; i++) {
        ck_assert_uint_eq(items[i].record,
                          named[count - 2 - 2 * (count / 2 - 1 - (int32_t)i)].offset);
        ck_assert_int_eq(items[i].error, 1);
    }
    free(scratch);
    free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("batch codec");
    TCase *t = tcase_create("batch codec");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, a_batch_is_written_as_the_naive_way_writes_it);
    tcase_add_test(t, bytes_become_a_batch_that_is_written_alike);
    tcase_add_test(t, damaged_bytes_do_no_harm);
    tcase_add_test(t, requests_that_kafka_wrote_become_batches);
    tcase_add_test(t, answers_are_read_as_written);
    tcase_add_test(t, an_answer_in_any_order_finds_its_records);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
