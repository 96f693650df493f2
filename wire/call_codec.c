/*
 * Calls and messages: two forms in memory of the same things.
 *
 *     call      item t-0, item t-1, item u-0                    one flat list
 *     message   topics: t {0, 1}, u {0}                         as on the wire
 *
 * Towards a call each partition appends an item. Towards a message the items are walked twice,
 * first to count the topics and each topic's partitions. An error's text is put into a message once
 * for neighbours that share it, so the message stays linear in the call.
 *
 * Source: wire/call_codec.h.
 */
#include "wire/call_codec.h"

#include <string.h>

#include "wire/schema.h"

/* ---- message -> call ---- */

struct to_call {
    struct wire_call_builder b;
    const void *message;
    size_t size; /* that is needed */
    bool refused;
};

static bool take_list(const void *message, struct wire_array a, struct sm_list *out)
{
    memset(out, 0, sizeof *out);
    if (a.count > SM_REPLICAS_MAX)
        return false;
    if (a.count > 0)
        *out = sm_list_of(WIRE_ITEMS(message, a, int32_t), a.count);
    return true;
}

static void add_item(struct to_call *t, struct wire_string topic, int32_t partition, int32_t error,
                     bool cancel, const struct sm_assignment *a)
{
    const char *text = wire_text(t->message, topic);
    if (text == NULL || strlen(text) != (size_t)topic.size) {
        t->refused = true;
        return;
    }
    size_t ids = a == NULL ? 0 : (size_t)(a->replicas.count + a->adding.count + a->removing.count);
    size_t size = sizeof(struct wire_call_item) + ids * 4 + (size_t)topic.size + 1;
    t->size += (size + 7) & ~(size_t)7;
    wire_call_add(&t->b, text, partition, error, cancel, a);
}

static void add_numbers(struct to_call *t, struct wire_string topic, struct wire_array partitions)
{
    const int32_t *p = WIRE_ITEMS(t->message, partitions, int32_t);
    for (int32_t i = 0; i < partitions.count; i++)
        add_item(t, topic, p[i], 0, false, NULL);
}

/* Walks `array` of the message as `type`, each element under the name `it`. */
#define EACH(t, array, type, it)                                                                   \
    for (const type *it = WIRE_ITEMS((t)->message, array, type),                                   \
                    *it##_end = it + ((array).count > 0 ? (array).count : 0);                      \
         it < it##_end; it++)

static void add_elections(struct to_call *t, const struct wire_elect_leaders_request *m)
{
    EACH(t, m->topic_partitions, struct wire_elect_leaders_request_topic_partition, topic)
    add_numbers(t, topic->topic, topic->partition_id);
}

static void add_reassignments(struct to_call *t,
                              const struct wire_alter_partition_reassignments_request *m)
{
    EACH(t, m->topics, struct wire_alter_partition_reassignments_request_topic, topic)
    {
        EACH(t, topic->partitions, struct wire_alter_partition_reassignments_request_partition, p)
        {
            struct sm_assignment a = {0};
            t->refused = !take_list(t->message, p->replicas, &a.replicas) || t->refused;
            add_item(t, topic->name, p->partition_index, 0, p->replicas.count < 0, &a);
        }
    }
}

static void add_listed(struct to_call *t, const struct wire_list_partition_reassignments_request *m)
{
    EACH(t, m->topics, struct wire_list_partition_reassignments_request_topic, topic)
    add_numbers(t, topic->name, topic->partition_indexes);
}

static void add_remaining(struct to_call *t, const struct wire_controlled_shutdown_response *m)
{
    EACH(t, m->remaining_partitions, struct wire_controlled_shutdown_response_remaining_partition,
         p)
    add_item(t, p->topic_name, p->partition_index, 0, false, NULL);
}

static void add_elected(struct to_call *t, const struct wire_elect_leaders_response *m)
{
    EACH(t, m->replica_election_results, struct wire_elect_leaders_response_replica_election_result,
         topic)
    {
        EACH(t, topic->partition_result, struct wire_elect_leaders_response_partition_result, p)
        add_item(t, topic->topic, p->partition_id, p->error_code, false, NULL);
    }
}

static void add_reassigned(struct to_call *t,
                           const struct wire_alter_partition_reassignments_response *m)
{
    EACH(t, m->responses, struct wire_alter_partition_reassignments_response_response, topic)
    {
        EACH(t, topic->partitions, struct wire_alter_partition_reassignments_response_partition, p)
        add_item(t, topic->name, p->partition_index, p->error_code, false, NULL);
    }
}

static void add_ongoing(struct to_call *t,
                        const struct wire_list_partition_reassignments_response *m)
{
    EACH(t, m->topics, struct wire_list_partition_reassignments_response_topic, topic)
    {
        EACH(t, topic->partitions, struct wire_list_partition_reassignments_response_partition, p)
        {
            struct sm_assignment a;
            bool fits = take_list(t->message, p->replicas, &a.replicas);
            fits = take_list(t->message, p->adding_replicas, &a.adding) && fits;
            fits = take_list(t->message, p->removing_replicas, &a.removing) && fits;
            t->refused = t->refused || !fits;
            if (fits)
                add_item(t, topic->name, p->partition_index, 0, false, &a);
        }
    }
}

/* Fills in the head of a call from the head of its message; false: not one of these APIs. */
static bool head_of(enum wire_direction direction, enum wire_api api, const void *message,
                    struct wire_call *out)
{
    bool is_request = direction == WIRE_REQUEST;
    *out = (struct wire_call){.api = api};
    if (is_request)
        out->broker_id = -1, out->broker_epoch = -1;
    if (api == WIRE_API_CONTROLLED_SHUTDOWN && is_request) {
        const struct wire_controlled_shutdown_request *m = message;
        out->broker_id = m->broker_id;
        out->broker_epoch = m->broker_epoch;
    } else if (api == WIRE_API_CONTROLLED_SHUTDOWN) {
        out->error = ((const struct wire_controlled_shutdown_response *)message)->error_code;
    } else if (api == WIRE_API_ELECT_LEADERS && is_request) {
        const struct wire_elect_leaders_request *m = message;
        out->election_type = (uint8_t)m->election_type;
        out->all = m->topic_partitions.count < 0;
    } else if (api == WIRE_API_ELECT_LEADERS) {
        out->error = ((const struct wire_elect_leaders_response *)message)->error_code;
    } else if (api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS) {
        if (!is_request)
            out->error =
                ((const struct wire_alter_partition_reassignments_response *)message)->error_code;
    } else if (api == WIRE_API_LIST_PARTITION_REASSIGNMENTS) {
        if (is_request)
            out->all =
                ((const struct wire_list_partition_reassignments_request *)message)->topics.count <
                0;
        else
            out->error =
                ((const struct wire_list_partition_reassignments_response *)message)->error_code;
    } else {
        return false;
    }
    return true;
}

static void add_request_items(struct to_call *t, enum wire_api api)
{
    if (api == WIRE_API_ELECT_LEADERS)
        add_elections(t, t->message);
    else if (api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS)
        add_reassignments(t, t->message);
    else if (api == WIRE_API_LIST_PARTITION_REASSIGNMENTS)
        add_listed(t, t->message);
}

static void add_answer_items(struct to_call *t, enum wire_api api)
{
    if (api == WIRE_API_CONTROLLED_SHUTDOWN)
        add_remaining(t, t->message);
    else if (api == WIRE_API_ELECT_LEADERS)
        add_elected(t, t->message);
    else if (api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS)
        add_reassigned(t, t->message);
    else
        add_ongoing(t, t->message);
}

enum sm_err wire_call_of_message(enum wire_direction direction, enum wire_api api,
                                 const void *message, void *call, size_t capacity, size_t *used)
{
    struct to_call t = {.message = message, .size = sizeof(struct wire_call)};
    struct wire_call head;
    *used = 0;
    if (!head_of(direction, api, message, &head))
        return SM_ERR_RANGE;
    wire_call_begin(&t.b, call, capacity, &head);
    if (direction == WIRE_REQUEST)
        add_request_items(&t, api);
    else
        add_answer_items(&t, api);
    if (t.refused || t.size > UINT32_MAX)
        return SM_ERR_RANGE;
    *used = t.size;
    return wire_call_end(&t.b) == NULL ? SM_ERR_LIMIT : SM_ERR_OK;
}

/* ---- call -> message ---- */

struct to_message {
    struct wire_flat f;
    const struct wire_call *call;
    const struct wire_call_extra *extra;
    enum wire_direction direction;
    int32_t text_code; /* of the text put last */
    struct wire_string text;
};

static bool is_left_out(const struct to_message *m, const struct wire_call_view *v)
{
    return m->direction == WIRE_RESPONSE && m->extra->asked_for_all &&
           m->call->api == WIRE_API_ELECT_LEADERS &&
           v->item->error == WIRE_ERROR_ELECTION_NOT_NEEDED;
}

static bool next_item(const struct to_message *m, struct wire_call_view *v)
{
    while (wire_call_next(m->call, v))
        if (!is_left_out(m, v))
            return true;
    return false;
}

static int32_t count_topics(const struct to_message *m)
{
    struct wire_call_view v = {0};
    const char *topic = NULL;
    int32_t count = 0;
    while (next_item(m, &v)) {
        count += topic == NULL || strcmp(topic, v.topic) != 0;
        topic = v.topic;
    }
    return count;
}

/* Items from `v` (the first) on that are of its topic. */
static int32_t count_partitions(const struct to_message *m, struct wire_call_view v)
{
    const char *topic = v.topic;
    int32_t count = 1;
    while (next_item(m, &v) && strcmp(topic, v.topic) == 0)
        count++;
    return count;
}

static struct wire_string error_text(struct to_message *m, int32_t error)
{
    if (error == WIRE_ERROR_NONE)
        return WIRE_NULL_STRING;
    if (m->text.size <= 0 || m->text_code != error) {
        m->text = wire_flat_string(&m->f, wire_error_text(error));
        m->text_code = error;
    }
    return m->text;
}

/* Writes one partition of an array at `array`, element `i`. */
typedef void (*put_fn)(struct to_message *m, struct wire_array array, int32_t i,
                       const struct wire_call_view *v);

static void put_number(struct to_message *m, struct wire_array array, int32_t i,
                       const struct wire_call_view *v)
{
    ((int32_t *)wire_flat_at(&m->f, array.at))[i] = v->item->partition;
}

/* The place of element `i` of an array of `type`. */
#define PLACE(m, array, type, i) ((type *)wire_flat_at(&(m)->f, (array).at) + (i))

static void put_reassignment(struct to_message *m, struct wire_array array, int32_t i,
                             const struct wire_call_view *v)
{
    struct wire_array replicas = v->item->cancel
                                     ? WIRE_NULL_ARRAY
                                     : wire_flat_ids(&m->f, v->replicas, v->item->replica_count);
    *PLACE(m, array, struct wire_alter_partition_reassignments_request_partition, i) =
        (struct wire_alter_partition_reassignments_request_partition){v->item->partition, replicas};
}

static void put_reassigned(struct to_message *m, struct wire_array array, int32_t i,
                           const struct wire_call_view *v)
{
    struct wire_string text = error_text(m, v->item->error);
    struct wire_alter_partition_reassignments_response_partition *p =
        PLACE(m, array, struct wire_alter_partition_reassignments_response_partition, i);
    p->partition_index = v->item->partition;
    p->error_code = (int16_t)v->item->error;
    p->error_message = text;
}

static void put_elected(struct to_message *m, struct wire_array array, int32_t i,
                        const struct wire_call_view *v)
{
    struct wire_string text = error_text(m, v->item->error);
    struct wire_elect_leaders_response_partition_result *p =
        PLACE(m, array, struct wire_elect_leaders_response_partition_result, i);
    p->partition_id = v->item->partition;
    p->error_code = (int16_t)v->item->error;
    p->error_message = text;
}

static void put_ongoing(struct to_message *m, struct wire_array array, int32_t i,
                        const struct wire_call_view *v)
{
    struct wire_array replicas = wire_flat_ids(&m->f, v->replicas, v->item->replica_count);
    struct wire_array adding = wire_flat_ids(&m->f, v->adding, v->item->adding_count);
    struct wire_array removing = wire_flat_ids(&m->f, v->removing, v->item->removing_count);
    *PLACE(m, array, struct wire_list_partition_reassignments_response_partition, i) =
        (struct wire_list_partition_reassignments_response_partition){v->item->partition, replicas,
                                                                      adding, removing};
}

/* Every topic in these messages is a name and an array of what `put` writes. */
struct topic {
    struct wire_string name;
    struct wire_array partitions;
};
#define IS_TOPIC(type, name_field, array_field)                                                    \
    _Static_assert(sizeof(struct type) == sizeof(struct topic) &&                                  \
                       offsetof(struct type, name_field) == offsetof(struct topic, name) &&        \
                       offsetof(struct type, array_field) == offsetof(struct topic, partitions),   \
                   "a topic: name, partitions")
IS_TOPIC(wire_elect_leaders_request_topic_partition, topic, partition_id);
IS_TOPIC(wire_alter_partition_reassignments_request_topic, name, partitions);
IS_TOPIC(wire_list_partition_reassignments_request_topic, name, partition_indexes);
IS_TOPIC(wire_elect_leaders_response_replica_election_result, topic, partition_result);
IS_TOPIC(wire_alter_partition_reassignments_response_response, name, partitions);
IS_TOPIC(wire_list_partition_reassignments_response_topic, name, partitions);

static struct wire_array put_topics(struct to_message *m, size_t partition_size, put_fn put)
{
    struct wire_array topics = wire_flat_array(&m->f, count_topics(m), sizeof(struct topic));
    struct wire_call_view v = {0};
    bool more = next_item(m, &v);
    for (int32_t i = 0; more && i < topics.count; i++) {
        struct topic topic = {.name = wire_flat_string(&m->f, v.topic)};
        topic.partitions = wire_flat_array(&m->f, count_partitions(m, v), partition_size);
        for (int32_t k = 0; k < topic.partitions.count; k++) {
            put(m, topic.partitions, k, &v);
            more = next_item(m, &v);
        }
        *PLACE(m, topics, struct topic, i) = topic;
    }
    return topics;
}

static struct wire_array put_remaining(struct to_message *m)
{
    struct wire_call_view v = {0};
    int32_t count = 0;
    while (next_item(m, &v))
        count++;
    struct wire_array array = wire_flat_array(
        &m->f, count, sizeof(struct wire_controlled_shutdown_response_remaining_partition));
    v = (struct wire_call_view){0};
    for (int32_t i = 0; i < array.count && next_item(m, &v); i++) {
        struct wire_string topic = wire_flat_string(&m->f, v.topic);
        *PLACE(m, array, struct wire_controlled_shutdown_response_remaining_partition, i) =
            (struct wire_controlled_shutdown_response_remaining_partition){topic,
                                                                           v.item->partition};
    }
    return array;
}

static void put_request(struct to_message *m, void *head)
{
    const struct wire_call *c = m->call;
    if (c->api == WIRE_API_CONTROLLED_SHUTDOWN) {
        struct wire_controlled_shutdown_request *out = head;
        out->broker_id = c->broker_id;
        out->broker_epoch = c->broker_epoch;
    } else if (c->api == WIRE_API_ELECT_LEADERS) {
        struct wire_elect_leaders_request *out = head;
        out->election_type = (int8_t)c->election_type;
        out->timeout_ms = m->extra->timeout_ms;
        out->topic_partitions =
            c->all ? WIRE_NULL_ARRAY : put_topics(m, sizeof(int32_t), put_number);
    } else if (c->api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS) {
        struct wire_alter_partition_reassignments_request *out = head;
        out->timeout_ms = m->extra->timeout_ms;
        out->topics =
            put_topics(m, sizeof(struct wire_alter_partition_reassignments_request_partition),
                       put_reassignment);
    } else {
        struct wire_list_partition_reassignments_request *out = head;
        out->timeout_ms = m->extra->timeout_ms;
        out->topics = c->all ? WIRE_NULL_ARRAY : put_topics(m, sizeof(int32_t), put_number);
    }
}

static void put_answer(struct to_message *m, void *head)
{
    const struct wire_call *c = m->call;
    int16_t error = (int16_t)c->error;
    if (c->api == WIRE_API_CONTROLLED_SHUTDOWN) {
        struct wire_controlled_shutdown_response *out = head;
        out->error_code = error;
        out->remaining_partitions = put_remaining(m);
    } else if (c->api == WIRE_API_ELECT_LEADERS) {
        struct wire_elect_leaders_response *out = head;
        out->error_code = error;
        out->replica_election_results =
            put_topics(m, sizeof(struct wire_elect_leaders_response_partition_result), put_elected);
    } else if (c->api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS) {
        struct wire_alter_partition_reassignments_response *out = head;
        out->error_code = error;
        out->error_message = error_text(m, error);
        out->responses =
            put_topics(m, sizeof(struct wire_alter_partition_reassignments_response_partition),
                       put_reassigned);
    } else {
        struct wire_list_partition_reassignments_response *out = head;
        out->error_code = error;
        out->error_message = error_text(m, error);
        out->topics = put_topics(
            m, sizeof(struct wire_list_partition_reassignments_response_partition), put_ongoing);
    }
}

static bool is_call(int32_t api)
{
    return api == WIRE_API_CONTROLLED_SHUTDOWN || api == WIRE_API_ELECT_LEADERS ||
           api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS ||
           api == WIRE_API_LIST_PARTITION_REASSIGNMENTS;
}

/* Room for the message of any call: an item needs at most a topic of its own, a partition, an
   error's text and alignment beyond what it has. */
static size_t enough_room(const struct wire_call *call)
{
    enum { BEYOND = 800 };
    return call->size + (size_t)call->count * BEYOND + BEYOND;
}

enum sm_err wire_call_to_message(enum wire_direction direction, const struct wire_call *call,
                                 const struct wire_call_extra *extra, void *message,
                                 size_t capacity, size_t *used)
{
    struct to_message m = {.call = call, .extra = extra, .direction = direction};
    *used = 0;
    if (!is_call(call->api))
        return SM_ERR_RANGE;
    int16_t api = (int16_t)call->api;
    void *head = wire_flat_begin(&m.f, message, capacity, wire_head_size(direction, api));
    wire_defaults(direction, api, head);
    if (direction == WIRE_REQUEST)
        put_request(&m, head);
    else
        put_answer(&m, head);
    *used = wire_flat_end(&m.f);
    if (*used > 0)
        return SM_ERR_OK;
    *used = enough_room(call);
    return SM_ERR_LIMIT;
}
