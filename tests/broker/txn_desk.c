/*
 * A desk for the transaction coordinator; see txn_desk.h.
 */
#include "tests/broker/txn_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *copy(const void *from, size_t size)
{
    void *to = malloc(size + 1);
    ck_assert(to != NULL);
    if (size != 0) {
        memcpy(to, from, size);
    }
    return to;
}

static void *widen(void *from, size_t size)
{
    void *to = realloc(from, size);
    ck_assert(to != NULL);
    return to;
}

/* ---- the log ---- */

static struct desk_batch keep_batch(const struct kb_txns_output *o)
{
    struct kb_log_record *records = calloc(o->count + 1, sizeof *records);

    ck_assert(records != NULL);
    for (uint32_t i = 0; i < o->count; i++) {
        const struct kb_log_record *r = &o->records[i];
        records[i] = *r;
        records[i].key = copy(r->key, (size_t)r->key_size);
        records[i].value = r->value_size < 0 ? NULL : copy(r->value, (size_t)r->value_size);
    }
    return (struct desk_batch){.partition = o->partition,
                               .batch = {.producer_id = -1, .count = o->count, .records = records}};
}

static void free_batch(struct desk_batch *b)
{
    for (uint32_t i = 0; i < b->batch.count; i++) {
        free((void *)(uintptr_t)b->batch.records[i].key);
        free((void *)(uintptr_t)b->batch.records[i].value);
    }
    free((void *)(uintptr_t)b->batch.records);
}

static void log_batch(struct desk *d, struct desk_batch b)
{
    b.batch.base_offset = d->log_count;
    d->log = widen(d->log, sizeof *d->log * (d->log_count + 1));
    d->log[d->log_count++] = b;
}

static void on_output(void *context, const struct kb_txns_output *o)
{
    struct desk *d = context;

    switch ((enum kb_txns_output_kind)o->kind) {
    case KB_TXNS_OUT_ANSWER:
        ck_assert(desk_answer(d, o->call_id) == NULL);
        d->answers = widen(d->answers, sizeof *d->answers * (d->answer_count + 1));
        d->answers[d->answer_count++] = (struct desk_answer){.call = o->call_id,
                                                             .api = o->api,
                                                             .version = o->version,
                                                             .message = copy(o->message, o->size)};
        break;
    case KB_TXNS_OUT_APPEND:
        d->held = widen(d->held, sizeof *d->held * (d->held_count + 1));
        d->held[d->held_count++] = (struct desk_append){
            .id = o->append_id, .timeout_ms = o->timeout_ms, .batch = keep_batch(o)};
        break;
    case KB_TXNS_OUT_MARKERS:
        for (uint32_t i = 0; i < d->sent_count; i++) {
            ck_assert_int_ne(d->sent[i].broker, o->broker_id); /* one at a time */
        }
        d->sent = widen(d->sent, sizeof *d->sent * (d->sent_count + 1));
        d->sent[d->sent_count++] = (struct desk_request){.correlation = o->correlation,
                                                         .broker = o->broker_id,
                                                         .message = copy(o->message, o->size)};
        break;
    case KB_TXNS_OUT_LOAD:
        break;
    case KB_TXNS_OUT_TIMER:
        d->timer_us = o->due_us;
        break;
    }
}

static int32_t leader_of(void *context, const char *topic, int32_t partition)
{
    const struct desk *d = context;
    bool is_a = strcmp(topic, "a") == 0;
    return is_a ? d->leader[partition % DESK_LEADERS] : d->leader[0];
}

/* ---- steps ---- */

static void grow(struct desk *d, const char *field)
{
    struct kb_txns_limits l = kb_txns_limits_above(kb_txns_limits(d->x), field);
    struct kb_txns *to = malloc(kb_txns_size(&l));

    ck_assert(to != NULL);
    kb_txns_grow(d->x, to, &l);
    kb_txns_check(to);
    free(d->x);
    free(d->scratch);
    d->x = to;
    d->scratch = malloc(kb_txns_scratch_size(&l));
    ck_assert(d->scratch != NULL);
}

static void one_step(struct desk *d, struct kb_txns_input in)
{
    in.wall_ms = 1600000000000 + d->now_us / 1000;
    in.producer_id = d->no_id ? -1 : d->next_id;
    for (;;) {
        struct kb_txns_outputs out = {
            .put = on_output, .leader_of = leader_of, .context = d, .scratch = d->scratch};
        size_t size = kb_txns_size(kb_txns_limits(d->x));
        void *before = copy(d->x, size);
        enum sm_err err = kb_txns_step(d->x, d->now_us, &in, &out);
        if (err != SM_ERR_OK) {
            ck_assert_int_eq(err, SM_ERR_LIMIT);
            ck_assert_mem_eq(before, d->x, size);
        }
        free(before);
        d->next_id += out.took_id;
        d->starved = err != SM_ERR_OK && strcmp(out.short_of, "producer_id") == 0;
        if (err == SM_ERR_OK || d->starved) {
            break;
        }
        grow(d, out.short_of);
    }
    kb_txns_check(d->x);
}

void desk_end_append(struct desk *d, int32_t error, bool lost)
{
    ck_assert_uint_gt(d->held_count, 0);
    struct desk_append a = d->held[0];
    memmove(d->held, d->held + 1, sizeof *d->held * --d->held_count);
    if (lost) {
        free_batch(&a.batch);
    } else {
        log_batch(d, a.batch);
    }
    one_step(d,
             (struct kb_txns_input){.kind = KB_TXNS_APPENDED, .append_id = a.id, .error = error});
}

static size_t answer_markers(const struct desk_request *q, int32_t error, void *bytes, size_t room)
{
    const struct wire_write_txn_markers_request *r = q->message;
    const struct wire_write_txn_markers_request_marker *m =
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_request_marker);
    struct wire_flat f;
    struct wire_write_txn_markers_response *out = wire_flat_begin(&f, bytes, room, sizeof *out);

    out->markers = wire_flat_array(&f, r->markers.count,
                                   sizeof(struct wire_write_txn_markers_response_marker));
    for (int32_t i = 0; i < r->markers.count; i++) {
        struct wire_write_txn_markers_response_marker *to = wire_flat_at(&f, out->markers.at);
        const struct wire_write_txn_markers_request_topic *topics =
            WIRE_ITEMS(r, m[i].topics, struct wire_write_txn_markers_request_topic);
        to[i].producer_id = m[i].producer_id;
        to[i].topics = wire_flat_array(&f, m[i].topics.count,
                                       sizeof(struct wire_write_txn_markers_response_topic));
        struct wire_write_txn_markers_response_topic *t = wire_flat_at(&f, to[i].topics.at);
        for (int32_t n = 0; n < m[i].topics.count; n++) {
            const int32_t *ids = WIRE_ITEMS(r, topics[n].partition_indexes, int32_t);
            t[n].name = wire_flat_string(&f, wire_text(r, topics[n].name));
            t[n].partitions =
                wire_flat_array(&f, topics[n].partition_indexes.count,
                                sizeof(struct wire_write_txn_markers_response_partition));
            struct wire_write_txn_markers_response_partition *p =
                wire_flat_at(&f, t[n].partitions.at);
            for (int32_t k = 0; k < t[n].partitions.count; k++) {
                p[k].partition_index = ids[k];
                p[k].error_code = (int16_t)error;
            }
        }
    }
    return wire_flat_end(&f);
}

void desk_end_markers(struct desk *d, int32_t error)
{
    _Alignas(8) static uint8_t bytes[1 << 16];
    ck_assert_uint_gt(d->sent_count, 0);
    struct desk_request q = d->sent[0];
    struct kb_txns_input in = {.kind = KB_TXNS_SEND_FAILED, .correlation = q.correlation};

    memmove(d->sent, d->sent + 1, sizeof *d->sent * --d->sent_count);
    if (error >= 0) {
        in.message_size = (uint32_t)answer_markers(&q, error, bytes, sizeof bytes);
        ck_assert_uint_gt(in.message_size, 0);
        in.kind = KB_TXNS_ANSWERED;
        in.message = bytes;
    }
    free(q.message);
    one_step(d, in);
}

void desk_step(struct desk *d, struct kb_txns_input in)
{
    one_step(d, in);
    for (;;) {
        if (!d->hold && d->held_count != 0) {
            desk_end_append(d, d->error, d->error != 0);
        } else if (!d->hold_markers && d->sent_count != 0) {
            desk_end_markers(d, d->marker_error);
        } else {
            break;
        }
    }
}

void desk_pass(struct desk *d, int64_t ms)
{
    int64_t until = d->now_us + ms * 1000;

    while (d->timer_us >= 0 && d->timer_us <= until) {
        d->now_us = d->timer_us;
        d->timer_us = -1;
        desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_TIMER});
    }
    d->now_us = until;
}

void desk_resign(struct desk *d, int32_t epoch)
{
    for (int32_t p = 0; p < DESK_PARTITIONS; p++) {
        desk_step(d,
                  (struct kb_txns_input){.kind = KB_TXNS_RESIGNED, .partition = p, .epoch = epoch});
    }
}

void desk_elect_begin(struct desk *d, int32_t partition, int32_t epoch)
{
    desk_step(
        d, (struct kb_txns_input){.kind = KB_TXNS_ELECTED, .partition = partition, .epoch = epoch});
}

void desk_elect_end(struct desk *d, int32_t partition)
{
    for (uint32_t i = 0; i < d->log_count; i++) {
        if (d->log[i].partition == partition) {
            desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_LOAD,
                                                .partition = partition,
                                                .batches = &d->log[i].batch,
                                                .count = 1});
        }
    }
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_LOADED, .partition = partition});
}

void desk_elect(struct desk *d, int32_t epoch)
{
    for (int32_t p = 0; p < DESK_PARTITIONS; p++) {
        desk_elect_begin(d, p, epoch);
        desk_elect_end(d, p);
    }
}

struct desk *desk_new(void)
{
    struct kb_txns_limits l = {.partitions = DESK_PARTITIONS,
                               .transactions = 1,
                               .topics = 1,
                               .parts = 1,
                               .appends = 1,
                               .brokers = 1,
                               .name = 2,
                               .topic_name = 1,
                               .request = 64};
    struct desk *d = calloc(1, sizeof *d);

    ck_assert(d != NULL);
    d->timer_us = -1;
    d->next_id = 1000;
    for (int i = 0; i < DESK_LEADERS; i++) {
        d->leader[i] = 1 + i % 2;
    }
    d->config = kb_txns_config_default();
    d->x = malloc(kb_txns_size(&l));
    d->scratch = malloc(kb_txns_scratch_size(&l));
    ck_assert(d->x != NULL && d->scratch != NULL);
    kb_txns_init(d->x, &l, &d->config);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_START});
    desk_elect(d, 0);
    return d;
}

void desk_free(struct desk *d)
{
    for (uint32_t i = 0; i < d->answer_count; i++) {
        free(d->answers[i].message);
    }
    for (uint32_t i = 0; i < d->log_count; i++) {
        free_batch(&d->log[i]);
    }
    for (uint32_t i = 0; i < d->held_count; i++) {
        free_batch(&d->held[i].batch);
    }
    for (uint32_t i = 0; i < d->sent_count; i++) {
        free(d->sent[i].message);
    }
    free(d->answers);
    free(d->log);
    free(d->held);
    free(d->sent);
    free(d->x);
    free(d->scratch);
    free(d);
}

/* ---- requests ---- */

const void *desk_answer(const struct desk *d, uint64_t call)
{
    for (uint32_t i = 0; i < d->answer_count; i++) {
        if (d->answers[i].call == call) {
            return d->answers[i].message;
        }
    }
    return NULL;
}

struct builder {
    _Alignas(8) uint8_t bytes[4096];
    struct wire_flat f;
};
#define BEGIN(b, type) wire_flat_begin(&(b)->f, (b)->bytes, sizeof(b)->bytes, sizeof(struct type))

static uint64_t request(struct desk *d, struct builder *b, int16_t api, int16_t version)
{
    size_t size = wire_flat_end(&b->f);

    ck_assert_uint_ne(size, 0);
    desk_step(d, (struct kb_txns_input){.kind = KB_TXNS_REQUEST,
                                        .call_id = ++d->call,
                                        .api = api,
                                        .version = version,
                                        .message = b->bytes,
                                        .message_size = (uint32_t)size});
    return d->call;
}

uint64_t desk_init(struct desk *d, const char *id, int32_t timeout_ms, int64_t producer_id,
                   int16_t epoch, int16_t version)
{
    struct builder b;
    struct wire_init_producer_id_request *r = BEGIN(&b, wire_init_producer_id_request);

    r->transactional_id = wire_flat_string(&b.f, id);
    r->transaction_timeout_ms = timeout_ms;
    r->producer_id = producer_id;
    r->producer_epoch = epoch;
    return request(d, &b, WIRE_API_INIT_PRODUCER_ID, version);
}

int32_t desk_inited(const struct desk *d, uint64_t call, struct desk_producer *to)
{
    const struct wire_init_producer_id_response *r = desk_answer(d, call);

    ck_assert_ptr_nonnull(r);
    if (to != NULL) {
        to->producer_id = r->producer_id;
        to->epoch = r->producer_epoch;
    }
    return r->error_code;
}

uint64_t desk_add(struct desk *d, const struct desk_producer *p, const char *topic,
                  const int32_t *partitions, int16_t version)
{
    struct builder b;
    struct wire_add_partitions_to_txn_request *r = BEGIN(&b, wire_add_partitions_to_txn_request);
    int32_t count = 0;

    while (partitions[count] >= 0) {
        count++;
    }
    r->transactional_id = wire_flat_string(&b.f, p->id);
    r->producer_id = p->producer_id;
    r->producer_epoch = p->epoch;
    r->topics = wire_flat_array(&b.f, 1, sizeof(struct wire_add_partitions_to_txn_request_topic));
    struct wire_add_partitions_to_txn_request_topic *t = wire_flat_at(&b.f, r->topics.at);
    t->name = wire_flat_string(&b.f, topic);
    t->partitions = wire_flat_ids(&b.f, partitions, count);
    return request(d, &b, WIRE_API_ADD_PARTITIONS_TO_TXN, version);
}

int32_t desk_added(const struct desk *d, uint64_t call)
{
    const struct wire_add_partitions_to_txn_response *r = desk_answer(d, call);
    int32_t error = -2;

    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(r->results.count, 1);
    const struct wire_add_partitions_to_txn_response_topic_result *t =
        WIRE_ITEMS(r, r->results, struct wire_add_partitions_to_txn_response_topic_result);
    for (int32_t i = 0; i < t->results.count; i++) {
        int32_t one = WIRE_ITEMS(r, t->results,
                                 struct wire_add_partitions_to_txn_response_partition_result)[i]
                          .error_code;
        ck_assert(error == -2 || error == one);
        error = one;
    }
    return error;
}

uint64_t desk_add_offsets(struct desk *d, const struct desk_producer *p, const char *group,
                          int16_t version)
{
    struct builder b;
    struct wire_add_offsets_to_txn_request *r = BEGIN(&b, wire_add_offsets_to_txn_request);

    r->transactional_id = wire_flat_string(&b.f, p->id);
    r->producer_id = p->producer_id;
    r->producer_epoch = p->epoch;
    r->group_id = wire_flat_string(&b.f, group);
    return request(d, &b, WIRE_API_ADD_OFFSETS_TO_TXN, version);
}

uint64_t desk_end(struct desk *d, const struct desk_producer *p, bool commit, int16_t version)
{
    struct builder b;
    struct wire_end_txn_request *r = BEGIN(&b, wire_end_txn_request);

    r->transactional_id = wire_flat_string(&b.f, p->id);
    r->producer_id = p->producer_id;
    r->producer_epoch = p->epoch;
    r->committed = commit;
    return request(d, &b, WIRE_API_END_TXN, version);
}

int32_t desk_error(const struct desk *d, uint64_t call)
{
    for (uint32_t i = 0; i < d->answer_count; i++) {
        const struct desk_answer *a = &d->answers[i];
        if (a->call == call) {
            return a->api == WIRE_API_END_TXN
                       ? ((const struct wire_end_txn_response *)a->message)->error_code
                       : ((const struct wire_add_offsets_to_txn_response *)a->message)->error_code;
        }
    }
    ck_abort_msg("no answer");
    return 0;
}

bool desk_see(const struct desk *d, const char *id, struct kb_txn_view *view)
{
    for (uint32_t at = 0; kb_txns_next(d->x, &at, view);) {
        if (strcmp(view->id, id) == 0) {
            return true;
        }
    }
    return false;
}

const char *desk_state(const struct desk *d, const char *id)
{
    static char text[64];
    struct kb_txn_view v;

    if (!desk_see(d, id, &v)) {
        return "none";
    }
    snprintf(text, sizeof text, "%s%s%s", kb_txn_state_name((enum kb_txn_state)v.state),
             v.pending < 0 ? "" : ">",
             v.pending < 0 ? "" : kb_txn_state_name((enum kb_txn_state)v.pending));
    return text;
}
