/*
 * CreateTopics, topic by topic:
 *
 *   in the cache? ─► replicas ─► name ─► exists? ─► names that collide? ─► lists, settings
 *     ─► set or create /config/topics/T ─► create /brokers/topics/T ─► next topic
 *   all tried ─► wait until each partition has a leader in the cache, or the deadline
 *
 * Each topic ends with its own error; one does not stop the next. The two znodes are not written
 * together: a node that dies between them leaves settings of a topic that does not exist, as
 * Kafka's does.
 *
 * The same flow makes topics that somebody only asked about (kb_auto_create): the request is then
 * made here, in the slot's work area, and nobody waits for leaders.
 *
 * Source: Kafka KafkaApis.handleCreateTopicsRequest, ZkAdminManager.createTopics,
 * AdminZkClient.validateTopicCreate and createTopicWithAssignment, DelayedCreatePartitions,
 * AutoTopicCreationManager. Differs: a topic whose znode ZooKeeper would not take for its size is
 * refused; Kafka loses its connection over it.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/create_topics.h"
#include "broker/state.h"
#include "statemachine/text.h"

typedef struct wire_create_topics_request_topic asked_topic;
typedef struct wire_create_topics_response_topic result;

static enum kb_area_kind request_area(const struct kb_slot *s)
{
    return s->api == WIRE_API_CREATE_TOPICS ? KB_AREA_REQUEST : KB_AREA_WORK;
}

static const struct wire_create_topics_request *request(const struct kb_broker *b,
                                                        const struct kb_slot *s)
{
    return kb_area_bytes(b, s, request_area(s));
}

static result *results(struct kb_broker *b, const struct kb_slot *s)
{
    struct wire_create_topics_response *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    return (result *)(void *)((uint8_t *)head + head->topics.at);
}

static struct kb_new_topic item_of(struct kb_broker *b, struct kb_slot *s)
{
    struct kb_new_topic i = {.q = request(b, s)};
    i.topic = &WIRE_ITEMS(i.q, i.q->topics, asked_topic)[s->item];
    i.name = (const char *)i.q + i.topic->name.at;
    i.out = &results(b, s)[s->item];
    kb_response_open(b, s, &i.f);
    return i;
}

void kb_new_topic_refuse(struct kb_slot *s, struct kb_new_topic *i, int32_t error,
                         const char *message)
{
    i->out->num_partitions = -1;
    i->out->replication_factor = -1;
    i->out->configs = (struct wire_array){0};
    kb_say(&i->f, &i->out->error_code, &i->out->error_message, error, message);
    kb_response_close(s, &i->f);
}

static bool is_automatic(const asked_topic *topic)
{
    return topic->assignments.count <= 0;
}

/* ---- settings ---- */

static struct kb_props settings_of(struct kb_turn *t, const struct kb_new_topic *i)
{
    const struct wire_create_topics_request_config *c =
        WIRE_ITEMS(i->q, i->topic->configs, struct wire_create_topics_request_config);
    size_t size = 16;
    for (int32_t k = 0; k < i->topic->configs.count; k++)
        size += (size_t)c[k].name.size + (size_t)(c[k].value.size < 0 ? 0 : c[k].value.size) + 2;
    struct kb_props p = kb_props_begin(kb_turn_scratch(t, size), size);
    for (int32_t k = 0; k < i->topic->configs.count; k++)
        if (c[k].value.size >= 0)
            kb_props_set(&p, wire_text(i->q, c[k].name), wire_text(i->q, c[k].value));
    assert(!p.overflow);
    return p;
}

static bool check_settings(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i,
                           const struct kb_props *p)
{
    char message[KB_TEXT_MAX];
    bool is_value;
    if (kb_topic_props_check(p, kb_turn_scratch(t, KB_VALUE_MAX), message, &is_value))
        return true;
    kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_CONFIG, message);
    return false;
}

/* Tells, from version 5 on, what the topic has been made of. */
static void put_settings(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i,
                         const struct kb_props *p)
{
    uint32_t count;
    char *parsed = kb_turn_scratch(t, KB_VALUE_MAX);
    const struct kb_setting *settings = kb_topic_settings(&count);
    if (s->version < 5 || s->api != WIRE_API_CREATE_TOPICS)
        return;
    struct wire_create_topics_response_config *c = kb_items(
        &i->f, &i->out->configs, (int32_t)count, &wire_layout_create_topics_response_config);
    for (int32_t k = 0; k < i->out->configs.count; k++) {
        struct kb_entry e = kb_topic_entry(t->b, &settings[k], p, parsed);
        c[k].name = wire_flat_string(&i->f, e.name);
        c[k].value = wire_flat_string(&i->f, e.value);
        c[k].config_source = e.source;
        c[k].is_sensitive = e.sensitive;
        c[k].read_only = e.read_only;
    }
}

/* ---- the flow ---- */

static void first_checks(struct kb_turn *t, struct kb_slot *s);

static void next_item(struct kb_turn *t, struct kb_slot *s)
{
    s->item++;
    s->phase = KB_PHASE_ITEM;
    (void)t;
}

static bool null_settings(struct kb_slot *s, struct kb_new_topic *i)
{
    char text[KB_TEXT_MAX];
    struct sm_text x = sm_text_begin(text, sizeof text - 1);
    const struct wire_create_topics_request_config *c =
        WIRE_ITEMS(i->q, i->topic->configs, struct wire_create_topics_request_config);
    int32_t nulls = 0;
    SM_TEXT(&x, "Null value not supported for topic configs : ");
    for (int32_t k = 0; k < i->topic->configs.count; k++)
        if (c[k].value.size < 0) {
            sm_text_string(&x, nulls++ > 0 ? "," : "");
            sm_text_string(&x, wire_text(i->q, c[k].name));
        }
    text[x.size] = '\0';
    if (nulls > 0)
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REQUEST, text);
    return nulls > 0;
}

static void say_exists(struct kb_slot *s, struct kb_new_topic *i)
{
    char text[KB_TEXT_MAX];
    snprintf(text, sizeof text, "Topic '%s' already exists.", i->name);
    kb_new_topic_refuse(s, i, WIRE_ERROR_TOPIC_ALREADY_EXISTS, text);
}

/* What the request and the cache alone decide; then ZooKeeper is asked. */
static void first_checks(struct kb_turn *t, struct kb_slot *s)
{
    struct kb_new_topic i = item_of(t->b, s);
    struct kb_assign a;
    char text[KB_TEXT_MAX], path[SM_PATH_MAX];
    size_t size = (size_t)i.topic->name.size;
    bool numbers = i.topic->num_partitions != -1 || i.topic->replication_factor != -1;
    if (i.out->error_code != 0) { /* named twice */
        next_item(t, s);
    } else if (kb_cache_topic(kb_cache_of(t->b), i.name, size) != KB_NO_TOPIC) {
        say_exists(s, &i);
        next_item(t, s);
    } else if (null_settings(s, &i)) {
        next_item(t, s);
    } else if (numbers && !is_automatic(i.topic)) {
        kb_new_topic_refuse(
            s, &i, WIRE_ERROR_INVALID_REQUEST,
            "Both numPartitions or replicationFactor and replicasAssignments were set. Both "
            "cannot be used at the same time.");
        next_item(t, s);
    } else if (is_automatic(i.topic) && !kb_new_topic_assign(t, s, &i, &a, true)) {
        next_item(t, s);
    } else if (kb_topic_name_fault(i.name, size, text) != NULL) {
        kb_new_topic_refuse(s, &i, WIRE_ERROR_INVALID_TOPIC_EXCEPTION, text);
        next_item(t, s);
    } else {
        sm_path_topic(path, i.name);
        kb_slot_ask(t, s, KB_PHASE_EXISTS, &(struct kb_zk){.opcode = WIRE_ZK_EXISTS, .path = path});
    }
}

static void fail(struct kb_turn *t, struct kb_slot *s)
{
    struct kb_new_topic i = item_of(t->b, s);
    kb_new_topic_refuse(s, &i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    next_item(t, s);
}

static void write_settings(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase)
{
    struct kb_new_topic i = item_of(t->b, s);
    char path[SM_PATH_MAX];
    struct kb_props p = settings_of(t, &i);
    size_t capacity = p.size * 6 + 64;
    char *data = kb_turn_scratch(t, capacity);
    size_t size = kb_props_write_znode(&p, data, capacity);
    assert(size > 0);
    sm_path_config_topic(path, i.name);
    kb_slot_ask(
        t, s, phase,
        &(struct kb_zk){.opcode = phase == KB_PHASE_SET_CONFIG ? WIRE_ZK_SET_DATA : WIRE_ZK_CREATE,
                        .path = path,
                        .data = data,
                        .size = size});
}

/* The rest of the checks, once ZooKeeper has said that the name is free. */
static void last_checks(struct kb_turn *t, struct kb_slot *s)
{
    struct kb_new_topic i = item_of(t->b, s);
    struct kb_props p = settings_of(t, &i);
    int32_t count = kb_new_topic_partitions(t->b, i.topic);
    if ((!is_automatic(i.topic) && !kb_new_topic_check_lists(t, s, &i)) ||
        !check_settings(t, s, &i, &p)) {
        next_item(t, s);
        return;
    }
    put_settings(t, s, &i, &p);
    if (!is_automatic(i.topic))
        kb_new_topic_places(t, &i, &count);
    i.out->num_partitions = count;
    i.out->replication_factor = (int16_t)(is_automatic(i.topic) ? kb_new_topic_factor(t->b, i.topic)
                                                                : kb_new_topic_list(&i, 0).count);
    kb_response_close(s, &i.f);
    if (i.q->validate_only)
        next_item(t, s);
    else
        write_settings(t, s, KB_PHASE_SET_CONFIG);
}

static bool collides(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
            return false;
    return *a == *b;
}

static void check_names(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct kb_new_topic i = item_of(t->b, s);
    char text[KB_TEXT_MAX];
    struct sm_text x = sm_text_begin(text, sizeof text - 1);
    int32_t found = 0;
    sm_text_string(&x, "Topic '");
    sm_text_string(&x, i.name);
    sm_text_string(&x, "' collides with existing topics: ");
    for (const char *name = NULL; (name = wire_zk_name_next(&r->view, name)) != NULL;) {
        if (strcmp(name, i.name) == 0) {
            say_exists(s, &i);
            next_item(t, s);
            return;
        }
        if (collides(name, i.name)) {
            sm_text_string(&x, found++ > 0 ? ", " : "");
            sm_text_string(&x, name);
        }
    }
    text[x.size] = '\0';
    if (found == 0) {
        last_checks(t, s);
        return;
    }
    kb_new_topic_refuse(s, &i, WIRE_ERROR_INVALID_TOPIC_EXCEPTION, text);
    next_item(t, s);
}

static void on_exists(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct kb_new_topic i = item_of(t->b, s);
    if (r->err == WIRE_ZK_OK) {
        say_exists(s, &i);
        next_item(t, s);
    } else if (r->err != WIRE_ZK_NO_NODE) {
        fail(t, s);
    } else if (strpbrk(i.name, "._") != NULL) {
        kb_slot_ask(t, s, KB_PHASE_NAMES,
                    &(struct kb_zk){.opcode = WIRE_ZK_GET_CHILDREN, .path = SM_PATH_TOPICS});
    } else {
        last_checks(t, s);
    }
}

static void make_topic(struct kb_turn *t, struct kb_slot *s)
{
    struct kb_new_topic i = item_of(t->b, s);
    struct sm_topic_writer w;
    struct kb_assign a;
    char path[SM_PATH_MAX];
    int32_t count = i.out->num_partitions, *place = NULL;
    if (is_automatic(i.topic) && !kb_new_topic_assign(t, s, &i, &a, false)) {
        next_item(t, s); /* a broker has gone since */
        return;
    }
    if (!is_automatic(i.topic))
        place = kb_new_topic_places(t, &i, &count);
    char *data = kb_turn_scratch(t, KB_ZNODE_MAX + 1024);
    sm_topic_writer_begin(&w, data, KB_ZNODE_MAX + 1024);
    for (int32_t p = 0; p < count; p++) {
        struct sm_assignment one = {0};
        if (place == NULL) {
            one.replicas = kb_assign_next(&a);
        } else {
            struct kb_new_list m = kb_new_topic_list(&i, place[p] - 1);
            one.replicas = sm_list_of(m.ids, m.count);
        }
        sm_topic_writer_partition(&w, p, &one);
    }
    sm_topic_writer_section(&w, 1);
    sm_topic_writer_section(&w, 2);
    size_t size = sm_topic_writer_end(&w, NULL);
    assert(size > 0);
    sm_path_topic(path, i.name);
    kb_log(t, "Creating topic %s with %" PRId32 " partitions", i.name, count);
    kb_slot_ask(
        t, s, KB_PHASE_MAKE_TOPIC,
        &(struct kb_zk){.opcode = WIRE_ZK_CREATE, .path = path, .data = data, .size = size});
}

static void on_made(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct kb_new_topic i = item_of(t->b, s);
    if (r->err == WIRE_ZK_NODE_EXISTS)
        say_exists(s, &i);
    else if (r->err != WIRE_ZK_OK)
        kb_new_topic_refuse(s, &i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    next_item(t, s);
}

static void on_reply(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    switch ((enum kb_phase)s->phase) {
    case KB_PHASE_EXISTS:
        on_exists(t, s, r);
        break;
    case KB_PHASE_NAMES:
        if (r->err == WIRE_ZK_OK)
            check_names(t, s, r);
        else
            fail(t, s);
        break;
    case KB_PHASE_SET_CONFIG:
        if (r->err == WIRE_ZK_NO_NODE)
            write_settings(t, s, KB_PHASE_MAKE_CONFIG);
        else if (r->err == WIRE_ZK_OK)
            make_topic(t, s);
        else
            fail(t, s);
        break;
    case KB_PHASE_MAKE_CONFIG:
        if (r->err == WIRE_ZK_OK || r->err == WIRE_ZK_NODE_EXISTS)
            make_topic(t, s);
        else
            fail(t, s);
        break;
    case KB_PHASE_MAKE_TOPIC:
        on_made(t, s, r);
        break;
    case KB_PHASE_FREE:
    case KB_PHASE_BROKERS:
    case KB_PHASE_ITEM:
    case KB_PHASE_READ:
    case KB_PHASE_SET_TOPIC:
    case KB_PHASE_MAKE_DELETION:
    case KB_PHASE_NOTIFY:
    case KB_PHASE_READ_BROKER:
    case KB_PHASE_READ_DEFAULT:
    case KB_PHASE_CALL:
    case KB_PHASE_LEADERS:
    case KB_PHASE_PRODUCER_ID:
    case KB_PHASE_CLUSTER_ID:
    case KB_PHASE_MARKERS:
        assert(s->phase == KB_PHASE_EXISTS); /* a reply in a phase that asks nothing */
    }
}

/* Works items off until one asks ZooKeeper; true where none is left. */
static bool work(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    size_t before = t->scratch_used;
    if (s->phase == KB_PHASE_BROKERS) {
        if (!kb_candidates_known(t))
            return false;
        s->phase = KB_PHASE_ITEM;
    } else if (r != NULL) {
        on_reply(t, s, r);
    }
    while (s->phase == KB_PHASE_ITEM && (int32_t)s->item < request(t->b, s)->topics.count) {
        t->scratch_used = before;
        first_checks(t, s);
    }
    t->scratch_used = before;
    return s->phase == KB_PHASE_ITEM;
}

/* ---- waiting for leaders ---- */

static bool has_leader(const struct kb_broker *b, const struct kb_new_topic *i, int32_t partition)
{
    const struct kb_cache *c = kb_broker_cache(b);
    uint32_t topic = kb_cache_topic(c, i->name, (size_t)i->topic->name.size);
    const struct kb_partition *p = kb_cache_partition(c, topic, partition);
    return p != NULL && p->leader != -1;
}

/* Moves (item, at) to the first partition without a leader, from there on; true where there is
   none. */
static bool reach_end(struct kb_broker *b, struct kb_slot *s)
{
    int32_t count = request(b, s)->topics.count;
    for (; (int32_t)s->item < count; s->item++, s->at = 0) {
        struct kb_new_topic i = item_of(b, s);
        if (i.out->error_code != 0)
            continue;
        for (; (int32_t)s->at < i.out->num_partitions; s->at++)
            if (!has_leader(b, &i, (int32_t)s->at))
                return false;
    }
    return true;
}

static bool all_have_leaders(struct kb_broker *b, struct kb_slot *s)
{
    if (!reach_end(b, s))
        return false;
    s->item = s->at = 0; /* one looked at earlier may have lost its leader since */
    return reach_end(b, s);
}

static void time_out(struct kb_broker *b, struct kb_slot *s, bool at_once)
{
    int32_t count = request(b, s)->topics.count;
    for (s->item = 0; (int32_t)s->item < count; s->item++) {
        struct kb_new_topic i = item_of(b, s);
        bool missing = at_once;
        for (int32_t p = 0; p < i.out->num_partitions && !missing; p++)
            missing = !has_leader(b, &i, p);
        if (i.out->error_code == 0 && missing)
            kb_new_topic_refuse(s, &i, WIRE_ERROR_REQUEST_TIMED_OUT, NULL);
    }
}

static bool any_made(struct kb_broker *b, struct kb_slot *s)
{
    result *r = results(b, s);
    for (int32_t i = 0; i < request(b, s)->topics.count; i++)
        if (r[i].error_code == 0)
            return true;
    return false;
}

static void finish(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_create_topics_request *q = request(t->b, s);
    if (!q->validate_only && any_made(t->b, s)) {
        if (q->timeout_ms <= 0) {
            time_out(t->b, s, true);
        } else {
            s->phase = KB_PHASE_LEADERS;
            s->item = s->at = 0;
            if (!all_have_leaders(t->b, s) && t->now_us < s->deadline_us)
                return;
            time_out(t->b, s, false);
        }
    }
    kb_response_send(t, s);
}

void kb_advance_create_topics(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    if (s->phase != KB_PHASE_LEADERS) {
        if (work(t, s, r))
            finish(t, s);
        return;
    }
    if (!all_have_leaders(t->b, s)) {
        if (t->now_us < s->deadline_us)
            return;
        time_out(t->b, s, false);
    }
    kb_response_send(t, s);
}

/* ---- beginning ---- */

struct kb_room kb_room_create_topics(const struct kb_broker *b, const struct kb_broker_input *in)
{
    const struct wire_create_topics_request *q = in->message;
    size_t count = q->topics.count < 0 ? 0 : (size_t)q->topics.count;
    (void)b;
    return (struct kb_room){.response = 1024 + 4 * in->size + count * 8192,
                            .scratch = 16 * in->size + 2 * KB_VALUE_MAX + count * 64};
}

/* One result a topic; the same name twice is a mistake in each place. */
static void begin_results(struct kb_turn *t, struct kb_slot *s, int32_t error)
{
    struct wire_flat f;
    const struct wire_create_topics_request *q = request(t->b, s);
    int32_t count = q->topics.count < 0 ? 0 : q->topics.count;
    struct wire_create_topics_response *head = wire_flat_begin(
        &f, kb_area_bytes(t->b, s, KB_AREA_RESPONSE), s->area[KB_AREA_RESPONSE].size, sizeof *head);
    wire_defaults(WIRE_RESPONSE, WIRE_API_CREATE_TOPICS, head);
    result *r = kb_items(&f, &head->topics, count, &wire_layout_create_topics_response_topic);
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    uint32_t *first =
        count == 0 ? NULL : kb_first_of(t, q, &topic->name, sizeof *topic, (uint32_t)count);
    for (int32_t i = 0; i < head->topics.count; i++) {
        r[i].name =
            wire_flat_string_of(&f, wire_text(q, topic[i].name), (size_t)topic[i].name.size);
        r[i].error_code = (int16_t)error;
        if (error == 0)
            r[i].error_message = WIRE_NULL_STRING;
    }
    for (int32_t i = 0; error == 0 && i < head->topics.count; i++)
        if (first[i] != (uint32_t)i) {
            result *pair[2] = {&r[i], &r[first[i]]};
            for (int k = 0; k < 2; k++)
                kb_say(&f, &pair[k]->error_code, &pair[k]->error_message,
                       WIRE_ERROR_INVALID_REQUEST, "Found multiple entries for this topic.");
        }
    kb_response_close(s, &f);
}

void kb_begin_create_topics(struct kb_turn *t)
{
    const struct wire_create_topics_request *q = t->in->message;
    struct kb_room room = kb_room_create_topics(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, 0, room.response);
    if (!t->in->is_controller) {
        begin_results(t, s, WIRE_ERROR_NOT_CONTROLLER);
        kb_response_send(t, s);
        return;
    }
    begin_results(t, s, 0);
    s->deadline_us = kb_deadline(t, q->timeout_ms);
    s->phase = KB_PHASE_BROKERS;
    t->scratch_used = 0;
    kb_advance_create_topics(t, s, NULL);
}

/* ---- topics that somebody asked about ---- */

struct kb_room kb_room_auto_create(uint32_t names, size_t name_bytes)
{
    size_t work_size = 256 + names * (sizeof(asked_topic) + 3 * 64 + 256) + name_bytes;
    return (struct kb_room){.work = work_size,
                            .response = 1024 + names * 1024 + 2 * name_bytes,
                            .scratch = 16 * work_size + 2 * KB_VALUE_MAX};
}

static void add_setting(struct wire_flat *f, struct wire_create_topics_request_config *c,
                        const char *name, const char *value)
{
    c->name = wire_flat_string(f, name);
    c->value = wire_flat_string(f, value);
}

/* GroupCoordinator.offsetsTopicConfigs, TransactionStateManager.transactionTopicConfigs. */
static void ask_internal(const struct kb_broker *b, struct wire_flat *f, asked_topic *topic,
                         bool offsets)
{
    char segment[32], min_isr[32];
    struct wire_create_topics_request_config *c =
        kb_items(f, &topic->configs, offsets ? 3 : 5, &wire_layout_create_topics_request_config);
    const char *prefix = offsets ? "offsets.topic." : "transaction.state.log.";
    char name[64];
    snprintf(name, sizeof name, "%snum.partitions", prefix);
    topic->num_partitions = (int32_t)kb_property_int(b, name);
    snprintf(name, sizeof name, "%sreplication.factor", prefix);
    topic->replication_factor = (int16_t)kb_property_int(b, name);
    snprintf(name, sizeof name, "%ssegment.bytes", prefix);
    snprintf(segment, sizeof segment, "%" PRId64, kb_property_int(b, name));
    snprintf(min_isr, sizeof min_isr, "%" PRId64,
             kb_property_int(b, "transaction.state.log.min.isr"));
    add_setting(f, &c[0], "cleanup.policy", "compact");
    add_setting(f, &c[1], "segment.bytes", segment);
    add_setting(f, &c[2], "compression.type", offsets ? "producer" : "uncompressed");
    if (offsets)
        return;
    add_setting(f, &c[3], "unclean.leader.election.enable", "false");
    add_setting(f, &c[4], "min.insync.replicas", min_isr);
}

void kb_auto_create(struct kb_turn *t, struct kb_slot *s, const char *const *names, uint32_t count)
{
    struct wire_flat f;
    struct wire_create_topics_request *q = wire_flat_begin(&f, kb_area_bytes(t->b, s, KB_AREA_WORK),
                                                           s->area[KB_AREA_WORK].size, sizeof *q);
    asked_topic *topic =
        kb_items(&f, &q->topics, (int32_t)count, &wire_layout_create_topics_request_topic);
    for (uint32_t i = 0; i < count; i++) {
        topic[i].name = wire_flat_string(&f, names[i]);
        topic[i].num_partitions = -1;
        topic[i].replication_factor = -1;
        if (kb_topic_is_internal(names[i]))
            ask_internal(t->b, &f, &topic[i], strcmp(names[i], "__consumer_offsets") == 0);
    }
    assert(!f.overflow);
    s->value = count;
    begin_results(t, s, 0);
    s->phase = KB_PHASE_BROKERS;
    t->scratch_used = 0;
    const struct kb_reply *nothing = NULL;
    if (s->api == WIRE_API_METADATA)
        kb_advance_metadata(t, s, nothing);
    else
        kb_advance_find_coordinator(t, s, nothing);
}

bool kb_auto_create_step(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    return work(t, s, r);
}

bool kb_auto_create_is(const struct kb_broker *b, const struct kb_slot *s, uint32_t i,
                       const char *name, size_t size)
{
    const struct wire_create_topics_request *q = request(b, s);
    const asked_topic *topic = &WIRE_ITEMS(q, q->topics, asked_topic)[i];
    return (size_t)topic->name.size == size && memcmp(wire_text(q, topic->name), name, size) == 0;
}

/* Made, or made by another meanwhile: its leader is to come. */
int16_t kb_auto_create_error(const struct kb_broker *b, const struct kb_slot *s, uint32_t i)
{
    const struct wire_create_topics_response *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    int16_t error = WIRE_ITEMS(head, head->topics, result)[i].error_code;
    return error == 0 || error == WIRE_ERROR_TOPIC_ALREADY_EXISTS ? WIRE_ERROR_LEADER_NOT_AVAILABLE
                                                                  : error;
}
