/*
 * CreatePartitions: per topic, is it to be deleted? ─► read /brokers/topics/T ─► checks ─► replicas
 * for what is new ─► set the znode; then wait until each partition has a leader in the cache.
 *
 * New partitions go on where the first ended: the start is the place of partition 0's first replica
 * among the brokers, so nothing is drawn by chance.
 *
 * The write is under the version that was read: a controller that changes the same znode for a
 * reassignment meanwhile is not overwritten.
 *
 * Source: Kafka KafkaApis.handleCreatePartitionsRequest, ZkAdminManager.createPartitions,
 * AdminZkClient.createNewPartitionsAssignment. Differs: Kafka writes without a version. It knows
 * from the controller's memory which topics are to be deleted; here it is read from ZooKeeper.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/assign.h"
#include "broker/state.h"
#include "statemachine/text.h"

typedef struct wire_create_partitions_request_topic asked_topic;
typedef struct wire_create_partitions_request_assignment asked_list;
typedef struct wire_create_partitions_response_result result;

struct item {
    const struct wire_create_partitions_request *q;
    const asked_topic *topic;
    const char *name;
    result *out;
    struct wire_flat f;
};

static result *results(struct kb_broker *b, const struct kb_slot *s)
{
    struct wire_create_partitions_response *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    return (result *)(void *)((uint8_t *)head + head->results.at);
}

static struct item item_of(struct kb_broker *b, struct kb_slot *s)
{
    struct item i = {.q = kb_request_of(b, s)};
    i.topic = &WIRE_ITEMS(i.q, i.q->topics, asked_topic)[s->item];
    i.name = (const char *)i.q + i.topic->name.at;
    i.out = &results(b, s)[s->item];
    kb_response_open(b, s, &i.f);
    return i;
}

static void end_item(struct kb_slot *s, struct item *i, int32_t error, const char *message)
{
    kb_say(&i->f, &i->out->error_code, &i->out->error_message, error, message);
    kb_response_close(s, &i->f);
    s->item++;
    s->phase = KB_PHASE_ITEM;
}

/* ---- the new lists ---- */

struct topic {
    int32_t count;        /* of partitions that there are */
    struct sm_list first; /* replicas of partition 0 */
    bool has_zero, reassigned;
};

static struct topic read_topic(const struct kb_reply *r, enum sm_err *err)
{
    struct sm_topic_reader reader;
    struct sm_assignment a;
    struct topic out = {0};
    int32_t partition;
    *err = sm_topic_open(&reader, (const char *)r->data, r->size);
    while (*err == SM_ERR_OK && sm_topic_next(&reader, &partition, &a)) {
        out.count++;
        out.reassigned |= sm_assignment_is_being_reassigned(&a);
        if (partition == 0) {
            out.first = a.replicas;
            out.has_zero = true;
        }
    }
    return out;
}

static const asked_list *list_at(const struct item *i, int32_t place)
{
    return &WIRE_ITEMS(i->q, i->topic->assignments, asked_list)[place];
}

static void join(struct sm_text *x, const int32_t *ids, int32_t count)
{
    for (int32_t k = 0; k < count; k++) {
        sm_text_string(x, k > 0 ? ", " : "");
        sm_text_int(x, ids[k]);
    }
}

static bool names_unknown(const struct kb_turn *t, const struct item *i, struct sm_text *x)
{
    const struct kb_cache *c = kb_broker_cache(t->b);
    struct sm_list told = {0};
    SM_TEXT(x, "Unknown broker(s) in replica assignment: ");
    for (int32_t k = 0; k < i->topic->assignments.count; k++) {
        const asked_list *l = list_at(i, k);
        for (int32_t j = 0; j < l->broker_ids.count; j++) {
            int32_t id = WIRE_ITEMS(i->q, l->broker_ids, int32_t)[j];
            if (kb_cache_live_id(c, id) != NULL || sm_list_has(&told, id))
                continue;
            sm_text_string(x, told.count > 0 ? ", " : "");
            sm_text_int(x, id);
            if (!sm_list_append(&told, id))
                return true;
        }
    }
    SM_TEXT(x, ".");
    return told.count > 0;
}

static bool repeats(const int32_t *ids, int32_t count)
{
    for (int32_t a = 0; a < count; a++)
        for (int32_t b = 0; b < a; b++)
            if (ids[a] == ids[b])
                return true;
    return false;
}

/* AdminZkClient.validateReplicaAssignment for one list; false, and why in *x. */
static bool check_list(const struct kb_turn *t, const struct item *i, int32_t place,
                       int32_t partition, struct sm_text *x)
{
    const asked_list *l = list_at(i, place);
    const int32_t *ids = WIRE_ITEMS(i->q, l->broker_ids, int32_t);
    int32_t count = l->broker_ids.count;
    if (count <= 0) {
        SM_TEXT(x, "Cannot have replication factor of 0 for partition id ");
        sm_text_int(x, partition);
        SM_TEXT(x, ".");
        return false;
    }
    if (count <= SM_REPLICAS_MAX && repeats(ids, count)) {
        SM_TEXT(x, "Duplicate brokers not allowed in replica assignment: ");
        join(x, ids, count);
        SM_TEXT(x, " for partition id ");
        sm_text_int(x, partition);
        SM_TEXT(x, ".");
        return false;
    }
    for (int32_t k = 0; k < count; k++)
        if (kb_is_without_data(t->b, ids[k])) {
            SM_TEXT(x, "Replicas cannot be placed on node ");
            sm_text_int(x, ids[k]);
            SM_TEXT(x, ", which is a controller without data.");
            return false;
        }
    return true;
}

static bool check_factors(const struct item *i, const struct topic *have, struct sm_text *x)
{
    int32_t bad = 0;
    for (int pass = 0; pass < 2; pass++) {
        int32_t n = 0;
        for (int32_t k = 0; k < i->topic->assignments.count; k++) {
            int32_t count = list_at(i, k)->broker_ids.count;
            if (count == have->first.count)
                continue;
            if (bad++ == 0) {
                SM_TEXT(x, "Inconsistent replication factor between partitions, partition 0 has ");
                sm_text_int(x, have->first.count);
                SM_TEXT(x, " while partitions [");
            }
            sm_text_string(x, n++ > 0 ? ", " : "");
            sm_text_int(x, pass == 0 ? have->count + k : count);
        }
        if (bad > 0)
            sm_text_string(x, pass == 0 ? "] have replication factors [" : "], respectively.");
    }
    return bad == 0;
}

static bool check_lists(struct kb_turn *t, struct kb_slot *s, struct item *i,
                        const struct topic *have)
{
    char text[KB_TEXT_MAX];
    struct sm_text x = sm_text_begin(text, sizeof text - 1);
    int32_t more = i->topic->count - have->count, given = i->topic->assignments.count;
    bool good = !names_unknown(t, i, &x);
    if (good && given != more) {
        snprintf(text, sizeof text,
                 "Increasing the number of partitions by %" PRId32 " but %" PRId32
                 " assignments provided.",
                 more, given);
        x.size = strlen(text);
        good = false;
    }
    if (good)
        x.size = 0;
    for (int32_t k = 0; k < given && good; k++)
        good = check_list(t, i, k, have->count + k, &x);
    good = good && check_factors(i, have, &x);
    text[x.size] = '\0';
    if (!good)
        end_item(s, i, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT, text);
    return good;
}

/* Starts the automatic assignment of what is new. */
static bool assign(struct kb_turn *t, struct kb_slot *s, struct item *i, const struct topic *have,
                   struct kb_assign *a)
{
    char text[KB_TEXT_MAX];
    uint32_t count, start = 0;
    struct kb_candidate *c = kb_candidates(t, &count);
    while (start < count && c[start].id < have->first.id[0])
        start++;
    start = start == count ? 0 : start;
    switch (kb_assign_begin(a, c, count, i->topic->count - have->count, have->first.count,
                            have->count, start, start)) {
    case KB_ASSIGN_OK:
        return true;
    case KB_ASSIGN_TOO_FEW_BROKERS:
        snprintf(text, sizeof text,
                 "Replication factor: %" PRId32 " larger than available brokers: %" PRIu32 ".",
                 have->first.count, count);
        end_item(s, i, WIRE_ERROR_INVALID_REPLICATION_FACTOR, text);
        return false;
    case KB_ASSIGN_NO_REPLICAS:
        end_item(s, i, WIRE_ERROR_INVALID_REPLICATION_FACTOR,
                 "Replication factor must be larger than 0.");
        return false;
    case KB_ASSIGN_NO_PARTITIONS:
    case KB_ASSIGN_SOME_WITHOUT_RACK:
    case KB_ASSIGN_TOO_MANY_REPLICAS:
        break;
    }
    end_item(s, i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    return false;
}

/* ---- the flow ---- */

/* Writes what was read, and behind it what is new. */
static size_t encode(const struct item *i, const struct kb_reply *r, const struct topic *have,
                     struct kb_assign *a, char *out, size_t capacity)
{
    struct sm_topic_reader reader;
    struct sm_topic_writer w;
    struct sm_assignment one;
    int32_t partition;
    if (sm_topic_open(&reader, (const char *)r->data, r->size) != SM_ERR_OK)
        return 0;
    bool has_id = reader.has_topic_id;
    uint8_t id[16];
    memcpy(id, reader.topic_id, sizeof id);
    sm_topic_writer_begin(&w, out, capacity);
    while (sm_topic_next(&reader, &partition, &one))
        sm_topic_writer_partition(&w, partition, &one);
    for (int32_t p = have->count; p < i->topic->count; p++) {
        memset(&one, 0, sizeof one);
        if (i->topic->assignments.count < 0) {
            one.replicas = kb_assign_next(a);
        } else {
            const asked_list *l = list_at(i, p - have->count);
            one.replicas =
                sm_list_of(WIRE_ITEMS(i->q, l->broker_ids, int32_t), l->broker_ids.count);
        }
        sm_topic_writer_partition(&w, p, &one);
    }
    sm_topic_writer_section(&w, 1);
    sm_topic_writer_section(&w, 2);
    return sm_topic_writer_end(&w, has_id ? id : NULL);
}

/* Errors that the number of partitions alone decides. True where it may go on. */
static bool check_count(struct kb_slot *s, struct item *i, const struct topic *have)
{
    char text[KB_TEXT_MAX];
    if (have->reassigned) {
        snprintf(text, sizeof text, "A partition reassignment is in progress for the topic '%s'.",
                 i->name);
        end_item(s, i, WIRE_ERROR_REASSIGNMENT_IN_PROGRESS, text);
    } else if (have->count == 0) {
        snprintf(text, sizeof text, "The topic '%s' does not exist.", i->name);
        end_item(s, i, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, text);
    } else if (i->topic->count < have->count) {
        snprintf(text, sizeof text,
                 "Topic currently has %" PRId32 " partitions, which is higher than the requested "
                 "%" PRId32 ".",
                 have->count, i->topic->count);
        end_item(s, i, WIRE_ERROR_INVALID_PARTITIONS, text);
    } else if (i->topic->count == have->count && s->flag) {
        end_item(s, i, 0, NULL); /* our own write, whose answer was lost */
    } else if (i->topic->count == have->count) {
        snprintf(text, sizeof text, "Topic already has %" PRId32 " partitions.", have->count);
        end_item(s, i, WIRE_ERROR_INVALID_PARTITIONS, text);
    } else if (!have->has_zero) {
        end_item(s, i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    } else if ((int64_t)i->topic->count * 26 > KB_ZNODE_MAX) {
        end_item(s, i, WIRE_ERROR_INVALID_PARTITIONS,
                 "The topic would not fit into a znode (1 MB)");
    } else {
        return true;
    }
    return false;
}

static void on_topic(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct item i = item_of(t->b, s);
    struct kb_assign a;
    enum sm_err err = SM_ERR_OK;
    char path[SM_PATH_MAX];
    struct topic have = {0};
    if (r->err == WIRE_ZK_OK)
        have = read_topic(r, &err);
    if ((r->err != WIRE_ZK_OK && r->err != WIRE_ZK_NO_NODE) || err != SM_ERR_OK) {
        end_item(s, &i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
        return;
    }
    if (!check_count(s, &i, &have))
        return;
    if (i.topic->assignments.count >= 0 ? !check_lists(t, s, &i, &have)
                                        : !assign(t, s, &i, &have, &a))
        return;
    if (i.q->validate_only) {
        end_item(s, &i, 0, NULL);
        return;
    }
    char *data = kb_turn_scratch(t, KB_ZNODE_MAX);
    size_t size = encode(&i, r, &have, &a, data, KB_ZNODE_MAX);
    if (size == 0) {
        end_item(s, &i, WIRE_ERROR_INVALID_PARTITIONS,
                 "The topic would not fit into a znode (1 MB)");
        return;
    }
    sm_path_topic(path, i.name);
    s->flag = 1;
    kb_slot_ask(t, s, KB_PHASE_SET_TOPIC,
                &(struct kb_zk){.opcode = WIRE_ZK_SET_DATA,
                                .version = r->version + 1,
                                .path = path,
                                .data = data,
                                .size = size});
}

static void read_again(struct kb_turn *t, struct kb_slot *s)
{
    char path[SM_PATH_MAX];
    struct item i = item_of(t->b, s);
    sm_path_topic(path, i.name);
    kb_slot_ask(t, s, KB_PHASE_READ, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = path});
}

static void on_reply(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct item i = item_of(t->b, s);
    if (s->phase == KB_PHASE_EXISTS) { /* of /admin/delete_topics/T */
        if (r->err == WIRE_ZK_OK)
            end_item(s, &i, WIRE_ERROR_INVALID_TOPIC_EXCEPTION,
                     "The topic is queued for deletion.");
        else
            read_again(t, s);
    } else if (s->phase == KB_PHASE_READ) {
        on_topic(t, s, r);
    } else if (r->err == WIRE_ZK_BAD_VERSION) {
        read_again(t, s);
    } else {
        end_item(s, &i, r->err == WIRE_ZK_OK ? 0 : WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    }
}

static void begin_item(struct kb_turn *t, struct kb_slot *s)
{
    struct item i = item_of(t->b, s);
    char path[SM_PATH_MAX], text[KB_TEXT_MAX];
    if (i.out->error_code != 0) { /* named twice */
        s->item++;
        return;
    }
    if (!sm_topic_name_is_legal(i.name, (size_t)i.topic->name.size)) {
        snprintf(text, sizeof text, "The topic '%s' does not exist.", i.name);
        end_item(s, &i, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, text);
        return;
    }
    sm_path_delete_topic(path, i.name);
    s->flag = 0;
    kb_slot_ask(t, s, KB_PHASE_EXISTS, &(struct kb_zk){.opcode = WIRE_ZK_EXISTS, .path = path});
}

/* ---- waiting ---- */

static bool has_leader(const struct kb_broker *b, const struct item *i, int32_t partition)
{
    const struct kb_cache *c = kb_broker_cache(b);
    const struct kb_partition *p =
        kb_cache_partition(c, kb_cache_topic(c, i->name, (size_t)i->topic->name.size), partition);
    return p != NULL && p->leader != -1;
}

static bool reach_end(struct kb_broker *b, struct kb_slot *s)
{
    const struct wire_create_partitions_request *q = kb_request_of(b, s);
    for (; (int32_t)s->item < q->topics.count; s->item++, s->at = 0) {
        struct item i = item_of(b, s);
        for (; i.out->error_code == 0 && (int32_t)s->at < i.topic->count; s->at++)
            if (!has_leader(b, &i, (int32_t)s->at))
                return false;
    }
    s->item = s->at = 0;
    return true;
}

/* One result a name, for Kafka's come out of a map. Until here they stand beside the request's. */
static void send(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_create_partitions_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    struct wire_create_partitions_response *head = kb_area_bytes(t->b, s, KB_AREA_RESPONSE);
    result *r = results(t->b, s);
    int32_t n = 0;
    const uint32_t *first =
        head->results.count <= 0
            ? NULL
            : kb_first_of(t, q, &topic->name, sizeof *topic, (uint32_t)head->results.count);
    for (int32_t i = 0; i < head->results.count; i++)
        if (first[i] == (uint32_t)i)
            r[n++] = r[i];
    head->results.count = n;
    kb_response_send(t, s);
}

static void finish(struct kb_turn *t, struct kb_slot *s, bool at_once)
{
    const struct wire_create_partitions_request *q = kb_request_of(t->b, s);
    for (s->item = 0; !q->validate_only && (int32_t)s->item < q->topics.count; s->item++) {
        struct item i = item_of(t->b, s);
        bool missing = at_once;
        for (int32_t p = 0; i.out->error_code == 0 && p < i.topic->count && !missing; p++)
            missing = !has_leader(t->b, &i, p);
        if (i.out->error_code == 0 && missing)
            i.out->error_code = WIRE_ERROR_REQUEST_TIMED_OUT;
    }
    send(t, s);
}

static void wait_or_finish(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_create_partitions_request *q = kb_request_of(t->b, s);
    if (q->timeout_ms <= 0 || q->validate_only) {
        finish(t, s, true);
        return;
    }
    s->phase = KB_PHASE_LEADERS;
    s->item = s->at = 0;
    if ((reach_end(t->b, s) && reach_end(t->b, s)) || t->now_us >= s->deadline_us)
        finish(t, s, false);
}

void kb_advance_create_partitions(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    const struct wire_create_partitions_request *q = kb_request_of(t->b, s);
    size_t before = t->scratch_used;
    if (s->phase == KB_PHASE_LEADERS) {
        if ((reach_end(t->b, s) && reach_end(t->b, s)) || t->now_us >= s->deadline_us)
            finish(t, s, false);
        return;
    }
    if (s->phase == KB_PHASE_BROKERS) {
        if (!kb_candidates_known(t))
            return;
        s->phase = KB_PHASE_ITEM;
    } else if (r != NULL) {
        on_reply(t, s, r);
    }
    while (s->phase == KB_PHASE_ITEM && (int32_t)s->item < q->topics.count) {
        t->scratch_used = before;
        begin_item(t, s);
    }
    t->scratch_used = before;
    if (s->phase == KB_PHASE_ITEM)
        wait_or_finish(t, s);
}

struct kb_room kb_room_create_partitions(const struct kb_broker *b,
                                         const struct kb_broker_input *in)
{
    const struct wire_create_partitions_request *q = in->message;
    size_t count = q->topics.count < 0 ? 0 : (size_t)q->topics.count;
    (void)b;
    return (struct kb_room){.response = 512 + 2 * in->size + count * (KB_TEXT_MAX + 64),
                            .scratch = count * 64 + 4 * in->size};
}

void kb_begin_create_partitions(struct kb_turn *t)
{
    struct kb_room room = kb_room_create_partitions(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, 0, room.response);
    const struct wire_create_partitions_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    struct wire_flat f;
    struct wire_create_partitions_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    result *r = kb_items(&f, &head->results, q->topics.count < 0 ? 0 : q->topics.count,
                         &wire_layout_create_partitions_response_result);
    uint32_t *first = q->topics.count <= 0 ? NULL
                                           : kb_first_of(t, q, &topic->name, sizeof *topic,
                                                         (uint32_t)q->topics.count);
    for (int32_t i = 0; i < head->results.count; i++) {
        r[i].name =
            wire_flat_string_of(&f, wire_text(q, topic[i].name), (size_t)topic[i].name.size);
        if (!t->in->is_controller)
            r[i].error_code = WIRE_ERROR_NOT_CONTROLLER;
        else if (first[i] != (uint32_t)i)
            for (int k = 0; k < 2; k++) {
                result *one = k == 0 ? &r[i] : &r[first[i]];
                kb_say(&f, &one->error_code, &one->error_message, WIRE_ERROR_INVALID_REQUEST,
                       "Duplicate topic in request.");
            }
    }
    kb_response_close(s, &f);
    if (!t->in->is_controller) {
        send(t, s);
        return;
    }
    s->deadline_us = kb_deadline(t, q->timeout_ms);
    s->phase = KB_PHASE_BROKERS;
    t->scratch_used = 0;
    kb_advance_create_partitions(t, s, NULL);
}
