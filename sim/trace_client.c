/*
 * Records of clients: see trace_client.h. Keys of facts carry the lane's number: p.1.acked,
 * u.1.pos.orders-0.
 */
#include "sim/trace_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/client_state.h"
#include "wire/errors.h"
#include "wire/flat.h"
#include "wire/record_batch.h"
#include "wire/schema.h"

const char *sim_client_error_name(int32_t error)
{
    static const struct {
        int32_t error;
        const char *name;
    } own[] = {
        {KL_ERR_MSG_TIMED_OUT, "_MSG_TIMED_OUT"},
        {KL_ERR_TRANSPORT, "_TRANSPORT"},
        {KL_ERR_TIMED_OUT, "_TIMED_OUT"},
        {KL_ERR_UNKNOWN_PARTITION, "_UNKNOWN_PARTITION"},
        {KL_ERR_UNKNOWN_TOPIC, "_UNKNOWN_TOPIC"},
        {KL_ERR_PURGED_QUEUE, "_PURGE_QUEUE"},
        {KL_ERR_PURGED_INFLIGHT, "_PURGE_INFLIGHT"},
        {KL_ERR_STATE, "_STATE"},
        {KL_ERR_FATAL, "_FATAL"},
        {KL_ERR_FENCED, "_FENCED"},
        {KL_ERR_MAX_POLL_EXCEEDED, "_MAX_POLL_EXCEEDED"},
        {KL_ERR_AUTO_OFFSET_RESET, "_AUTO_OFFSET_RESET"},
        {KL_ERR_LOG_TRUNCATION, "_LOG_TRUNCATION"},
    };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i].error == error)
            return own[i].name;
    return error < 0 ? "_UNKNOWN" : wire_error_name(error);
}

bool sim_trace_client_tells(enum wire_api api)
{
    return api != WIRE_API_FETCH && api != WIRE_API_HEARTBEAT;
}

/* "p1#3", or "p1#3..p1#7" */
static void add_values(struct sim_trace *trace, char lane, int32_t number, int64_t from, int64_t to)
{
    char text[2 * SIM_VALUE_TEXT + 2];
    if (from <= 0)
        return;
    if (from == to)
        snprintf(text, sizeof(text), "%c%" PRId32 "#%" PRId64, lane, number, from);
    else
        snprintf(text, sizeof(text), "%c%" PRId32 "#%" PRId64 "..%" PRId64, lane, number, from, to);
    sim_trace_text(trace, SIM_F_VALUE, text);
}

/* ---- what is in a Produce request ---- */

struct values {
    int64_t count, from, to;
};

/* Numbers at the end of "p1#17"; 0 where the value is none of a producer here. */
static int64_t number_of(const struct wire_log_record *r)
{
    int64_t number = 0;
    const uint8_t *hash = r->value == NULL ? NULL : memchr(r->value, '#', (size_t)r->value_size);
    const uint8_t *end = r->value + (r->value == NULL ? 0 : r->value_size);
    for (const uint8_t *at = hash; at != NULL && ++at < end && *at >= '0' && *at <= '9';)
        number = number * 10 + (*at - '0');
    return number;
}

static struct values values_in(const uint8_t *bytes, size_t size)
{
    struct values v = {0};
    struct wire_record_batch head;
    while (wire_record_batch_read(bytes, size, &head) == SM_ERR_OK) {
        struct wire_log_walk walk;
        struct wire_log_record record;
        wire_log_walk_begin(&walk, &head, head.records, head.records_size);
        while (head.codec == WIRE_CODEC_NONE && wire_log_record_next(&walk, &record) == SM_ERR_OK) {
            v.to = number_of(&record);
            v.from = v.count == 0 ? v.to : v.from;
            v.count++;
        }
        bytes += head.size;
        size -= head.size;
    }
    return v;
}

static void add_produce(struct sim_trace *trace, sim_lane at, const struct wire_produce_request *q)
{
    const struct wire_produce_request_topic_data *topics =
        WIRE_ITEMS(q, q->topic_data, struct wire_produce_request_topic_data);
    sim_trace_list_begin(trace, SIM_F_BODY);
    for (int32_t i = 0; i < q->topic_data.count; i++) {
        const struct wire_produce_request_partition_data *parts =
            WIRE_ITEMS(q, topics[i].partition_data, struct wire_produce_request_partition_data);
        for (int32_t j = 0; j < topics[i].partition_data.count; j++) {
            struct values v = parts[j].records.size <= 0 ? (struct values){0}
                                                         : values_in(wire_data(q, parts[j].records),
                                                                     (size_t)parts[j].records.size);
            sim_trace_object_begin(trace, SIM_F_NONE);
            sim_trace_partition(trace, SIM_F_PARTITION, wire_text(q, topics[i].name),
                                parts[j].index);
            sim_trace_int(trace, SIM_F_COUNT, v.count);
            add_values(trace, 'p', sim_lane_id(at), v.from, v.to);
            sim_trace_object_end(trace);
        }
    }
    sim_trace_list_end(trace);
}

/* ---- messages ---- */

uint64_t sim_trace_client_send(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               sim_lane to, enum wire_api api, const void *message)
{
    if (!sim_trace_client_tells(api) || !sim_trace_begin(trace, SIM_K_SEND, t, at, by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)sim_trace_open_number(trace));
    sim_trace_lane(trace, SIM_F_TO, to);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    if (api == WIRE_API_PRODUCE)
        add_produce(trace, at, message);
    return sim_trace_end(trace);
}

uint64_t sim_trace_client_recv(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               uint64_t m, sim_lane from, enum wire_api api, uint64_t re)
{
    if (!sim_trace_client_tells(api) || !sim_trace_begin(trace, SIM_K_RECV, t, at, by, 0))
        return by;
    sim_trace_int(trace, SIM_F_M, (int64_t)m);
    sim_trace_lane(trace, SIM_F_FRM, from);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    if (re != 0) {
        sim_trace_int(trace, SIM_F_RE, (int64_t)re);
        sim_trace_int(trace, SIM_F_ERROR, 0); /* what it brings, the records behind it tell */
    }
    return sim_trace_end(trace);
}

/* The first error in it, 0 none; of an API that is not looked into, 0. */
static int32_t error_in(enum wire_api api, const void *message)
{
    const struct wire_produce_response *r = message;
    if (api == WIRE_API_INIT_PRODUCER_ID)
        return ((const struct wire_init_producer_id_response *)message)->error_code;
    if (api == WIRE_API_FIND_COORDINATOR)
        return ((const struct wire_find_coordinator_response *)message)->error_code;
    if (api == WIRE_API_END_TXN)
        return ((const struct wire_end_txn_response *)message)->error_code;
    if (api == WIRE_API_JOIN_GROUP)
        return ((const struct wire_join_group_response *)message)->error_code;
    if (api == WIRE_API_SYNC_GROUP)
        return ((const struct wire_sync_group_response *)message)->error_code;
    if (api != WIRE_API_PRODUCE)
        return 0;
    const struct wire_produce_response_response *topics =
        WIRE_ITEMS(r, r->responses, struct wire_produce_response_response);
    for (int32_t i = 0; i < r->responses.count; i++) {
        const struct wire_produce_response_partition_response *p = WIRE_ITEMS(
            r, topics[i].partition_responses, struct wire_produce_response_partition_response);
        for (int32_t j = 0; j < topics[i].partition_responses.count; j++)
            if (p[j].error_code != 0)
                return p[j].error_code;
    }
    return 0;
}

uint64_t sim_trace_client_answer(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                                 uint64_t re, sim_lane to, enum wire_api api, const void *message,
                                 uint64_t *m)
{
    *m = 0;
    if (!sim_trace_client_tells(api) || !sim_trace_begin(trace, SIM_K_SEND, t, at, by, 0))
        return by;
    *m = sim_trace_open_number(trace);
    sim_trace_int(trace, SIM_F_M, (int64_t)*m);
    sim_trace_lane(trace, SIM_F_TO, to);
    sim_trace_text(trace, SIM_F_API, wire_api_name(api));
    sim_trace_int(trace, SIM_F_RE, (int64_t)re);
    int32_t error = error_in(api, message);
    sim_trace_int(trace, SIM_F_ERROR, error);
    if (error != 0)
        sim_trace_text(trace, SIM_F_CODE, wire_error_name(error));
    return sim_trace_end(trace);
}

/* ---- acknowledged, read ---- */

static const char *client_key(struct sim_trace *trace, sim_lane at, const char *what)
{
    return sim_trace_key(trace, "%c.%" PRId32 ".%s", sim_lane_letter(at), sim_lane_id(at), what);
}

static void add_acked_facts(struct sim_trace *trace, const struct sim_client *c, sim_lane at)
{
    sim_trace_set_int(trace, client_key(trace, at, "acked"), (int64_t)c->counts.acked);
    sim_trace_set_int(trace, client_key(trace, at, "sent"), (int64_t)c->counts.sent);
    sim_trace_set_int(trace, client_key(trace, at, "failed"),
                      (int64_t)(c->counts.failed + c->counts.possibly));
}

static void add_outcome(struct sim_trace *trace, const struct sim_client_run *run)
{
    static const char *const words[] = {[KL_NOT_PERSISTED] = "not-persisted",
                                        [KL_POSSIBLY_PERSISTED] = "possibly-persisted",
                                        [KL_PERSISTED] = "persisted"};
    sim_trace_int(trace, SIM_F_OK, run->error == 0);
    if (run->error == 0)
        return;
    sim_trace_text(trace, SIM_F_CODE, sim_client_error_name(run->error));
    sim_trace_text(trace, SIM_F_WHAT, words[run->persisted]);
}

uint64_t sim_trace_client_run(struct sim_world *w, const struct sim_client *c, uint64_t by,
                              const struct sim_client_run *run)
{
    struct sim_trace *trace = w->trace;
    sim_lane at = sim_client_lane(c->shell.id);
    const char *topic = sim_client_topic(w, run->topic);
    enum sim_kind kind = run->is_read ? SIM_K_READ : SIM_K_ACK;
    if (!sim_trace_begin(trace, kind, w->now_us, at, by, 0))
        return by;
    sim_trace_partition(trace, SIM_F_PARTITION, topic, run->partition);
    if (run->first >= 0)
        sim_trace_int(trace, SIM_F_OFFSET, run->first);
    sim_trace_int(trace, SIM_F_COUNT, run->count);
    if (run->to.producer >= 0)
        add_values(trace, 'p', w->clients->client[run->to.producer]->spec->number, run->from.number,
                   run->to.number);
    if (run->is_read) {
        sim_trace_set_int(trace,
                          sim_trace_key(trace, "u.%" PRId32 ".pos.%s-%" PRId32, sim_lane_id(at),
                                        topic, run->partition),
                          run->first + run->count);
    } else {
        add_outcome(trace, run);
        add_acked_facts(trace, c, at);
    }
    return sim_trace_end(trace);
}

/* ---- what a client says of itself ---- */

uint64_t sim_trace_client_begins(struct sim_trace *trace, int64_t t, sim_lane at, const char *name)
{
    if (!sim_trace_begin(trace, SIM_K_CLIENT, t, at, 0, 0))
        return 0;
    sim_trace_text(trace, SIM_F_WHAT, "start");
    sim_trace_text(trace, SIM_F_NAME, name);
    sim_trace_set_client(trace, at, "up", 1);
    return sim_trace_end(trace);
}

static void add_error(struct sim_trace *trace, int32_t error)
{
    if (error != 0)
        sim_trace_text(trace, SIM_F_CODE, sim_client_error_name(error));
}

static void add_metadata(struct sim_trace *trace, sim_lane at, const struct kl_output *o)
{
    sim_trace_int(trace, SIM_F_LEADER, o->broker_id);
    sim_trace_int(trace, SIM_F_EPOCH, o->value_of);
    sim_trace_set_int(trace,
                      sim_trace_key(trace, "%c.%" PRId32 ".md.%s-%" PRId32, sim_lane_letter(at),
                                    sim_lane_id(at), o->topic, o->partition),
                      o->broker_id);
}

static void add_fact(struct sim_trace *trace, sim_lane at, const struct kl_output *o)
{
    sim_trace_text(trace, SIM_F_WHAT, kl_fact_name((enum kl_fact)o->what));
    if (o->topic != NULL)
        sim_trace_partition(trace, SIM_F_PARTITION, o->topic, o->partition);
    if (o->what == KL_FACT_METADATA)
        add_metadata(trace, at, o);
    if (o->what == KL_FACT_PRODUCER_ID) {
        sim_trace_int(trace, SIM_F_ID, o->offset);
        sim_trace_int(trace, SIM_F_EPOCH, o->value_of);
    }
    if (o->what == KL_FACT_COORDINATOR) {
        sim_trace_int(trace, SIM_F_LEADER, o->broker_id);
        sim_trace_text(trace, SIM_F_TYPE, o->value_of == 0 ? "group" : "transaction");
    }
    if (o->what == KL_FACT_TRUNCATED)
        sim_trace_int(trace, SIM_F_OFFSET, o->offset);
    add_error(trace, o->error);
}

static uint64_t says_state(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                           const struct kl_output *o)
{
    bool is_txn = o->what == KL_FACT_TRANSACTION;
    const char *state = is_txn ? kl_txn_state_name((enum kl_txn_state)o->value_of)
                               : kl_group_state_name((enum kl_group_state)o->value_of);
    if (!sim_trace_begin(trace, is_txn ? SIM_K_TXN : SIM_K_GROUP, t, at, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_WHAT, state);
    if (!is_txn)
        sim_trace_int(trace, SIM_F_EPOCH, o->offset);
    add_error(trace, o->error);
    sim_trace_set_text(trace,
                       sim_trace_key(trace, "%s.%c%" PRId32, is_txn ? "txn" : "group",
                                     sim_lane_letter(at), sim_lane_id(at)),
                       state);
    return sim_trace_end(trace);
}

static uint64_t says_partitions(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                                const struct kl_output *o)
{
    if (!sim_trace_begin(trace, SIM_K_GROUP, t, at, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_WHAT,
                   o->kind == KL_OUT_ASSIGN ? "assigned"
                   : o->error != 0          ? "lost"
                                            : "revoked");
    sim_trace_list_begin(trace, SIM_F_BODY);
    for (uint32_t i = 0; i < o->count; i++)
        sim_trace_partition(trace, SIM_F_NONE, o->offsets[i].topic, o->offsets[i].partition);
    sim_trace_list_end(trace);
    add_error(trace, o->error);
    return sim_trace_end(trace);
}

static uint64_t says_end(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                         const struct kl_output *o)
{
    const char *what = o->command == KL_IN_COMMIT  ? "commit"
                       : o->command == KL_IN_ABORT ? "abort"
                                                   : "init";
    if (!sim_trace_begin(trace, SIM_K_TXN, t, at, by, 0))
        return by;
    sim_trace_text(trace, SIM_F_WHAT, what);
    sim_trace_int(trace, SIM_F_OK, o->error == 0);
    add_error(trace, o->error);
    return sim_trace_end(trace);
}

uint64_t sim_trace_client_says(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by,
                               const struct kl_output *o)
{
    if (!trace->on)
        return by;
    if (o->kind == KL_OUT_ASSIGN || o->kind == KL_OUT_REVOKE)
        return says_partitions(trace, t, at, by, o);
    if (o->kind == KL_OUT_DONE && (o->command == KL_IN_COMMIT || o->command == KL_IN_ABORT ||
                                   o->command == KL_IN_INIT_TRANSACTIONS))
        return says_end(trace, t, at, by, o);
    if (o->kind == KL_OUT_FACT && (o->what == KL_FACT_TRANSACTION || o->what == KL_FACT_GROUP))
        return says_state(trace, t, at, by, o);
    bool is_fact = o->kind == KL_OUT_FACT && o->what != KL_FACT_POSITION;
    if ((!is_fact && o->kind != KL_OUT_ERROR) ||
        !sim_trace_begin(trace, SIM_K_CLIENT, t, at, by, 0))
        return by;
    if (is_fact) {
        add_fact(trace, at, o);
    } else {
        sim_trace_text(trace, SIM_F_WHAT, o->fatal ? "fatal" : "error");
        add_error(trace, o->error);
        if (o->text != NULL)
            sim_trace_text(trace, SIM_F_TEXT, o->text);
    }
    return sim_trace_end(trace);
}
