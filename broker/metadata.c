/*
 * What clients ask to find their way: Metadata, DescribeCluster, FindCoordinator, ApiVersions.
 *
 * An answer about all topics is made in one walk through the cache into one message. Lists are in
 * it once each: a list's words are copied when the first partition that has it is reached, and
 * later ones name the same place (an entry's place in the cache -> its place in the message).
 *
 * A topic that is asked for and missing may have to be made first (auto.create.topics.enable; the
 * two internal topics); then the request waits in a slot. So does one that comes before the
 * cluster's id is known.
 *
 * Source: Kafka KafkaApis.handleTopicMetadataRequest, handleDescribeCluster,
 * handleFindCoordinatorRequest, handleApiVersionsRequest, ZkMetadataCache.getTopicMetadata.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "broker/groups.h"
#include "broker/state.h"

enum {
    CLUSTER_OPERATIONS = 8096, /* bits of AclOperation that a cluster, and a topic, has */
    TOPIC_OPERATIONS = 3576,
    NO_OPERATIONS = INT32_MIN,
};

/* ---- the walk ---- */

struct walk {
    struct kb_turn *t;
    struct kb_cache *c;
    struct wire_flat f;
    const char *listener;
    int32_t version;
    uint32_t *placed; /* by reference into the cache's lists: where the ids are in the message */
    int32_t operations;
};

static struct wire_array list(struct walk *w, uint32_t reference, bool only_alive)
{
    uint32_t count;
    const int32_t *ids = kb_cache_list(w->c, reference, &count);
    if (count == 0)
        return (struct wire_array){0};
    if (only_alive) { /* version 0 */
        int32_t alive[256], n = 0;
        for (uint32_t i = 0; i < count; i++) {
            const struct kb_live *l = kb_cache_live_id(w->c, ids[i]);
            if (l != NULL && kb_live_endpoint(l, w->listener) != NULL)
                alive[n++] = ids[i];
        }
        return n == 0 ? (struct wire_array){0} : wire_flat_ids(&w->f, alive, n);
    }
    if (w->placed == NULL)
        return wire_flat_ids(&w->f, ids, (int32_t)count);
    if (w->placed[reference] == 0)
        w->placed[reference] = wire_flat_ids(&w->f, ids, (int32_t)count).at;
    return (struct wire_array){w->placed[reference], (int32_t)count};
}

static void put_partition(struct walk *w, struct wire_metadata_response_partition *out,
                          int32_t number, const struct kb_partition *p)
{
    const struct kb_live *leader = kb_cache_live_id(w->c, p->leader);
    bool reachable = leader != NULL && kb_live_endpoint(leader, w->listener) != NULL;
    bool only_alive = w->version == 0;
    uint32_t replicas, isr;
    kb_cache_list(w->c, p->replicas, &replicas);
    kb_cache_list(w->c, p->isr, &isr);
    out->partition_index = number;
    out->leader_epoch = w->version >= 7 ? p->leader_epoch : -1;
    out->leader_id = reachable ? p->leader : -1;
    out->replica_nodes = list(w, p->replicas, only_alive);
    out->isr_nodes = list(w, p->isr, only_alive);
    if (w->version >= 5)
        out->offline_replicas = list(w, p->offline, false);
    if (leader == NULL)
        out->error_code = WIRE_ERROR_LEADER_NOT_AVAILABLE;
    else if (!reachable)
        out->error_code =
            w->version >= 6 ? WIRE_ERROR_LISTENER_NOT_FOUND : WIRE_ERROR_LEADER_NOT_AVAILABLE;
    else if ((uint32_t)out->replica_nodes.count < replicas || (uint32_t)out->isr_nodes.count < isr)
        out->error_code = WIRE_ERROR_REPLICA_NOT_AVAILABLE;
}

static void put_topic(struct walk *w, struct wire_metadata_response_topic *out, uint32_t topic)
{
    uint32_t size, count = kb_cache_partition_count(w->c, topic);
    const char *name = kb_cache_topic_name(w->c, topic, &size);
    out->name = wire_flat_string_of(&w->f, name, size);
    out->is_internal = kb_topic_is_internal(name);
    out->topic_authorized_operations = w->operations;
    struct wire_metadata_response_partition *p =
        kb_items(&w->f, &out->partitions, (int32_t)count, &wire_layout_metadata_response_partition);
    int32_t number = -1;
    for (int32_t i = 0; i < out->partitions.count; i++) {
        number = kb_cache_next_partition(w->c, topic, number + 1);
        put_partition(w, &p[i], number, kb_cache_partition(w->c, topic, number));
    }
}

static uint32_t reachable_brokers(struct walk *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < kb_cache_live_count(w->c); i++)
        n += kb_live_endpoint(kb_cache_live(w->c, i), w->listener) != NULL;
    return n;
}

static struct wire_string rack_of(struct walk *w, const struct kb_live *l)
{
    return l->broker.rack[0] == '\0' ? WIRE_NULL_STRING : wire_flat_string(&w->f, l->broker.rack);
}

static void put_brokers(struct walk *w, struct wire_array *array)
{
    struct wire_metadata_response_broker *b = kb_items(&w->f, array, (int32_t)reachable_brokers(w),
                                                       &wire_layout_metadata_response_broker);
    for (uint32_t i = 0, n = 0; i < kb_cache_live_count(w->c); i++) {
        const struct kb_live *l = kb_cache_live(w->c, i);
        const struct sm_endpoint *e = kb_live_endpoint(l, w->listener);
        if (e == NULL || (int32_t)n >= array->count)
            continue;
        b[n].node_id = l->broker.id;
        b[n].host = wire_flat_string(&w->f, e->host);
        b[n].port = e->port;
        b[n++].rack = rack_of(w, l);
    }
}

/* The listener that a request came over; the node's own first one where nothing was said. */
static const char *listener_of(struct kb_turn *t, const char *said)
{
    if (said != NULL && said[0] != '\0')
        return said;
    return t->b->self.endpoint_count > 0 ? t->b->self.endpoint[0].listener : NULL;
}

/* ---- Metadata ---- */

/* Only where it is said: Kafka's default, true, surprises people. */
static bool creates_topics(const struct kb_broker *b)
{
    struct kb_props own = kb_properties(b);
    return kb_props_get(&own, "auto.create.topics.enable") != NULL &&
           kb_property_is_true(b, "auto.create.topics.enable");
}

struct asked {
    const void *message;
    const struct wire_metadata_request_topic *topic;
    int32_t count;
    bool all, faulty;
};

static struct asked asked_of(const void *message, int32_t version)
{
    const struct wire_metadata_request *q = message;
    struct asked a = {.message = message, .count = q->topics.count};
    a.all = q->topics.count < 0 || (version == 0 && q->topics.count == 0);
    a.topic = WIRE_ITEMS(q, q->topics, struct wire_metadata_request_topic);
    for (int32_t i = 0; i < a.count; i++) {
        static const struct wire_uuid none;
        a.faulty |=
            a.topic[i].name.size < 0 || memcmp(&a.topic[i].topic_id, &none, sizeof none) != 0;
    }
    return a;
}

struct kb_room kb_room_metadata(const struct kb_broker *b, const struct kb_broker_input *in)
{
    struct kb_cache_totals totals = kb_cache_totals(kb_cache_of(b));
    size_t response = 4096 + kb_cache_live_count(kb_cache_of(b)) * 512;
    size_t names = 0;
    int32_t count = 0;
    if (in->api == WIRE_API_METADATA) {
        struct asked a = asked_of(in->message, in->version);
        count = a.count < 0 ? 0 : a.count;
        for (int32_t i = 0; i < count; i++)
            names += (size_t)(a.topic[i].name.size < 0 ? 0 : a.topic[i].name.size) + 8;
        response += (size_t)totals.partitions * sizeof(struct wire_metadata_response_partition) +
                    (size_t)totals.topics * (sizeof(struct wire_metadata_response_topic) + 32) +
                    totals.name_bytes + (size_t)totals.list_words * 8 +
                    (size_t)kb_cache_limits_of(kb_cache_of(b))->words * 4 +
                    (size_t)count * (sizeof(struct wire_metadata_response_topic) + 64) + names;
        if (in->version == 0)
            response += (size_t)totals.partitions * 3 * 256;
    }
    struct kb_room room = {.scratch = response + (size_t)count * 64};
    if (count > 0 && creates_topics(b)) {
        struct kb_room more = kb_room_auto_create((uint32_t)count, names);
        room.work = more.work;
        room.response = more.response;
        room.scratch += more.scratch;
    }
    return room;
}

static struct walk walk_of(struct kb_turn *t, const char *listener, int32_t version)
{
    return (struct walk){.t = t,
                         .c = kb_cache_of(t->b),
                         .listener = listener_of(t, listener),
                         .version = version,
                         .operations = NO_OPERATIONS};
}

/* A topic that is not there: the error that its creation ended with, else what its name deserves.
 */
static void put_missing(struct walk *w, struct wire_metadata_response_topic *out,
                        const struct asked *a, int32_t i, int32_t created_error)
{
    char message[KB_TEXT_MAX];
    struct wire_string n = a->topic[i].name;
    const char *name = (const char *)a->message + n.at;
    out->name = wire_flat_string_of(&w->f, name, (size_t)n.size);
    out->is_internal = kb_topic_is_internal(name);
    out->topic_authorized_operations = w->operations;
    if (kb_topic_name_fault(name, (size_t)n.size, message) != NULL)
        out->error_code = WIRE_ERROR_INVALID_TOPIC_EXCEPTION;
    else
        out->error_code =
            (int16_t)(created_error != 0 ? created_error : WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}

static void put_all(struct walk *w, struct wire_array *array)
{
    int32_t n = 0;
    struct wire_metadata_response_topic *out = kb_items(
        &w->f, array, (int32_t)kb_cache_totals(w->c).topics, &wire_layout_metadata_response_topic);
    for (uint32_t at = KB_NO_TOPIC; (at = kb_cache_next_topic(w->c, at)) != KB_NO_TOPIC;)
        if (n < array->count)
            put_topic(w, &out[n++], at);
}

/* Kafka makes a set of the names: each is answered once. `s`: the slot whose creations are done. */
static void put_asked(struct walk *w, struct wire_array *array, const struct asked *a,
                      struct kb_slot *s)
{
    int32_t n = 0, different = 0;
    uint32_t missing = 0;
    uint32_t *first = a->count <= 0 ? NULL
                                    : kb_first_of(w->t, a->message, &a->topic[0].name,
                                                  sizeof a->topic[0], (uint32_t)a->count);
    for (int32_t i = 0; i < a->count; i++)
        different += first[i] == (uint32_t)i;
    struct wire_metadata_response_topic *out =
        kb_items(&w->f, array, different, &wire_layout_metadata_response_topic);
    for (int32_t i = 0; i < a->count && n < array->count; i++) {
        char message[KB_TEXT_MAX];
        const char *name = (const char *)a->message + a->topic[i].name.at;
        size_t size = (size_t)a->topic[i].name.size;
        uint32_t topic = kb_cache_topic(w->c, name, size);
        bool tried = s != NULL && first[i] == (uint32_t)i &&
                     kb_topic_name_fault(name, size, message) == NULL && s->value > missing &&
                     kb_auto_create_is(w->t->b, s, missing, name, size);
        if (first[i] != (uint32_t)i)
            continue;
        int32_t error = tried ? kb_auto_create_error(w->t->b, s, missing++) : 0;
        if (topic != KB_NO_TOPIC)
            put_topic(w, &out[n++], topic);
        else
            put_missing(w, &out[n++], a, i, error);
    }
}

/* Answers a request, out of a slot (s) or at once. */
static void answer_metadata(struct kb_turn *t, const void *message, int32_t version,
                            const char *listener, struct kb_slot *s)
{
    const struct wire_metadata_request *q = message;
    struct walk w = walk_of(t, listener, version);
    struct asked a = asked_of(message, version);
    const struct kb_cache_limits *l = kb_cache_limits_of(w.c);
    if (a.all)
        w.placed = kb_turn_scratch(t, (size_t)l->words * 4);
    /* what kb_first_of needs lies before the message, which takes the rest */
    uint32_t spare = a.count > 0 ? (uint32_t)a.count : 0;
    size_t keep = t->scratch_used;
    struct kb_broker_outputs *out = t->out;
    size_t whole = out->scratch_size;
    size_t table = ((size_t)spare * 64 + 256) & ~(size_t)7;
    out->scratch_size = (whole & ~(size_t)7) - table;
    struct wire_metadata_response *head = kb_answer_begin(t, &w.f, WIRE_API_METADATA, sizeof *head);
    out->scratch_size = whole;
    if (version >= 8 && version <= 10 && q->include_cluster_authorized_operations)
        head->cluster_authorized_operations = CLUSTER_OPERATIONS;
    if (version >= 8 && q->include_topic_authorized_operations)
        w.operations = TOPIC_OPERATIONS;
    put_brokers(&w, &head->brokers);
    head->cluster_id = wire_flat_string(&w.f, t->b->cluster_id);
    head->controller_id = kb_cache_controller(w.c);
    if (a.all)
        put_all(&w, &head->topics);
    else
        put_asked(&w, &head->topics, &a, s);
    if (s == NULL)
        kb_answer_send(t, &w.f);
    else
        kb_slot_answer(t, s, &w.f);
    t->scratch_used = keep;
}

/* A null name, or a topic id: each topic gets the error, and nothing else is said. */
static void answer_faulty(struct kb_turn *t, const struct asked *a)
{
    struct wire_flat f;
    struct wire_metadata_response *head = kb_answer_begin(t, &f, WIRE_API_METADATA, sizeof *head);
    struct wire_metadata_response_topic *bad =
        kb_items(&f, &head->topics, a->count, &wire_layout_metadata_response_topic);
    for (int32_t i = 0; i < head->topics.count; i++) {
        const char *name = wire_text(a->message, a->topic[i].name);
        bad[i].error_code = WIRE_ERROR_INVALID_REQUEST;
        bad[i].name = wire_flat_string(&f, name == NULL ? "" : name);
    }
    kb_answer_send(t, &f);
}

/* Names that are missing, legal and each once, in scratch. */
static uint32_t creatable(struct kb_turn *t, const struct asked *a, const char ***names)
{
    char message[KB_TEXT_MAX];
    uint32_t n = 0;
    uint32_t *first =
        kb_first_of(t, a->message, &a->topic[0].name, sizeof a->topic[0], (uint32_t)a->count);
    *names = kb_turn_scratch(t, (size_t)a->count * sizeof **names);
    for (int32_t i = 0; i < a->count; i++) {
        const char *name = (const char *)a->message + a->topic[i].name.at;
        size_t size = (size_t)a->topic[i].name.size;
        if (first[i] == (uint32_t)i &&
            kb_cache_topic(kb_cache_of(t->b), name, size) == KB_NO_TOPIC &&
            kb_topic_name_fault(name, size, message) == NULL)
            (*names)[n++] = name;
    }
    return n;
}

void kb_begin_metadata(struct kb_turn *t)
{
    const struct wire_metadata_request *q = t->in->message;
    struct asked a = asked_of(q, t->in->version);
    bool may_create = !a.all && a.count > 0 && q->allow_auto_topic_creation && creates_topics(t->b);
    const char **names;
    if (a.faulty) {
        answer_faulty(t, &a);
        return;
    }
    if (t->b->cluster_id[0] == '\0') {
        kb_slot_take(t, 0, 0)->phase = KB_PHASE_CLUSTER_ID;
        return;
    }
    uint32_t missing = may_create ? creatable(t, &a, &names) : 0;
    if (missing == 0) {
        t->scratch_used = 0;
        answer_metadata(t, q, t->in->version, t->in->listener, NULL);
        return;
    }
    struct kb_room room = kb_room_metadata(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    kb_auto_create(t, s, names, missing);
}

void kb_advance_metadata(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    if (s->phase == KB_PHASE_CLUSTER_ID || kb_auto_create_step(t, s, r))
        answer_metadata(t, kb_request_of(t->b, s), s->version, s->listener, s);
}

/* ---- DescribeCluster ---- */

static void answer_cluster(struct kb_turn *t, const void *message, const char *listener,
                           struct kb_slot *s)
{
    const struct wire_describe_cluster_request *q = message;
    struct walk w = walk_of(t, listener, 0);
    struct wire_describe_cluster_response *head =
        kb_answer_begin(t, &w.f, WIRE_API_DESCRIBE_CLUSTER, sizeof *head);
    head->cluster_id = wire_flat_string(&w.f, t->b->cluster_id);
    head->controller_id = kb_cache_controller(w.c);
    if (q->include_cluster_authorized_operations)
        head->cluster_authorized_operations = CLUSTER_OPERATIONS;
    struct wire_describe_cluster_response_broker *b =
        kb_items(&w.f, &head->brokers, (int32_t)reachable_brokers(&w),
                 &wire_layout_describe_cluster_response_broker);
    for (uint32_t i = 0, n = 0; i < kb_cache_live_count(w.c); i++) {
        const struct kb_live *l = kb_cache_live(w.c, i);
        const struct sm_endpoint *e = kb_live_endpoint(l, w.listener);
        if (e == NULL || (int32_t)n >= head->brokers.count)
            continue;
        b[n].broker_id = l->broker.id;
        b[n].host = wire_flat_string(&w.f, e->host);
        b[n].port = e->port;
        b[n++].rack = rack_of(&w, l);
    }
    if (s == NULL)
        kb_answer_send(t, &w.f);
    else
        kb_slot_answer(t, s, &w.f);
}

void kb_begin_describe_cluster(struct kb_turn *t)
{
    if (t->b->cluster_id[0] == '\0')
        kb_slot_take(t, 0, 0)->phase = KB_PHASE_CLUSTER_ID;
    else
        answer_cluster(t, t->in->message, t->in->listener, NULL);
}

void kb_advance_by_id(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    (void)r;
    answer_cluster(t, kb_request_of(t->b, s), s->listener, s);
}

/* ---- FindCoordinator ----

   The partition is one of those that the topic has, whatever `*.num.partitions` says here: that
   counts where the topic is made. Source: KafkaApis.handleFindCoordinatorRequest,
   GroupMetadataManager.getGroupMetadataTopicPartitionCount. Differs: Kafka counts once, when the
   broker starts. */

enum { KEY_GROUP, KEY_TRANSACTION };

struct kb_room kb_room_find_coordinator(const struct kb_broker *b, const struct kb_broker_input *in)
{
    (void)b;
    (void)in;
    return kb_room_auto_create(1, 32);
}

static void answer_coordinator(struct kb_turn *t, struct kb_slot *s, int32_t error,
                               const struct kb_live *node, const struct sm_endpoint *e)
{
    struct wire_flat f;
    struct wire_find_coordinator_response *head =
        kb_answer_begin(t, &f, WIRE_API_FIND_COORDINATOR, sizeof *head);
    head->error_code = (int16_t)error;
    head->error_message = wire_flat_string(&f, error == 0 ? "NONE" : wire_error_text(error));
    head->node_id = e == NULL ? -1 : node->broker.id;
    head->host = wire_flat_string(&f, e == NULL ? "" : e->host);
    head->port = e == NULL ? -1 : e->port;
    if (s == NULL)
        kb_answer_send(t, &f);
    else
        kb_slot_answer(t, s, &f);
}

void kb_begin_find_coordinator(struct kb_turn *t)
{
    const struct wire_find_coordinator_request *q = t->in->message;
    struct kb_cache *c = kb_cache_of(t->b);
    bool of_group = q->key_type == KEY_GROUP;
    const char *name = of_group ? "__consumer_offsets" : "__transaction_state";
    if (q->key_type != KEY_GROUP && q->key_type != KEY_TRANSACTION) {
        answer_coordinator(t, NULL, WIRE_ERROR_INVALID_REQUEST, NULL, NULL);
        return;
    }
    uint32_t topic = kb_cache_topic(c, name, strlen(name));
    if (topic == KB_NO_TOPIC) {
        struct kb_room room = kb_room_auto_create(1, 32);
        struct kb_slot *s = kb_slot_take(t, room.work, room.response);
        kb_auto_create(t, s, &name, 1);
        return;
    }
    uint32_t count = kb_cache_partition_count(c, topic);
    int32_t number = kb_coordinator_partition(wire_text(q, q->key), count);
    const struct kb_partition *p = kb_cache_partition(c, topic, number);
    const struct kb_live *l = p == NULL ? NULL : kb_cache_live_id(c, p->leader);
    const struct sm_endpoint *e =
        l == NULL ? NULL : kb_live_endpoint(l, listener_of(t, t->in->listener));
    answer_coordinator(t, NULL, e == NULL ? WIRE_ERROR_COORDINATOR_NOT_AVAILABLE : 0, l, e);
}

void kb_advance_find_coordinator(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    if (kb_auto_create_step(t, s, r))
        answer_coordinator(t, s, WIRE_ERROR_COORDINATOR_NOT_AVAILABLE, NULL, NULL);
}

/* ---- ApiVersions ---- */

static bool is_good_software_name(const char *text, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        char c = text[i];
        bool inner = c == '-' || c == '.';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !(inner && i > 0 && i < size - 1))
            return false;
    }
    return size > 0;
}

static bool is_served(const struct wire_api_info *api)
{
    return kb_broker_serves(api->key);
}

void kb_begin_api_versions(struct kb_turn *t)
{
    const struct wire_api_versions_request *q = t->in->message;
    struct wire_flat f;
    struct wire_api_versions_response *head =
        kb_answer_begin(t, &f, WIRE_API_API_VERSIONS, sizeof *head);
    int32_t count = 0, n = 0;
    bool valid =
        t->in->version < 3 || (is_good_software_name(wire_text(q, q->client_software_name),
                                                     q->client_software_name.size) &&
                               is_good_software_name(wire_text(q, q->client_software_version),
                                                     q->client_software_version.size));
    for (const struct wire_api_info *a = NULL; (a = wire_api_next(a)) != NULL;)
        count += is_served(a);
    head->error_code = valid ? 0 : WIRE_ERROR_INVALID_REQUEST;
    struct wire_api_versions_response_api_key *k = kb_items(
        &f, &head->api_keys, valid ? count : 0, &wire_layout_api_versions_response_api_key);
    for (const struct wire_api_info *a = NULL; (a = wire_api_next(a)) != NULL;)
        if (is_served(a) && n < head->api_keys.count) {
            k[n].api_key = a->key;
            k[n].min_version = a->min;
            k[n++].max_version = a->max;
        }
    kb_answer_send(t, &f);
}

struct kb_room kb_room_small(const struct kb_broker *b, const struct kb_broker_input *in)
{
    (void)b;
    return (struct kb_room){.work = 0, .response = 1024, .scratch = 8192 + in->size};
}
