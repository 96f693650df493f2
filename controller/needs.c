/*
 * What room an input takes, asked before anything is changed.
 *
 * A block has fixed tables. A step that found a table full half-way would have to undo; so each
 * step first asks whether what it may do fits, and where not says which limit is too small. The
 * caller grows the block and gives the same input again. Bounds are generous, never exact: a step
 * touches at most KC_WORK_PER_STEP partitions, and what a reply brings can be counted in its bytes.
 */
#include "controller/state.h"

#include "statemachine/json.h"

#include <stdlib.h>
#include <string.h>

/* Most bytes that one partition adds to an open batch: LeaderAndIsr, UpdateMetadata, StopReplica.
 */
static uint64_t record_max(const struct kc_controller *c)
{
    uint64_t one = sizeof(struct wire_record) + 16ull * c->at.broker_words +
                   20ull * c->limits.replicas + c->limits.topic_name + 16;
    return 3 * one;
}

static uint64_t batch_head_max(const struct kc_controller *c)
{
    return sizeof(struct wire_batch) + 24ull * c->at.broker_words +
           (uint64_t)c->broker_count * (sizeof(struct wire_broker) + SM_RACK_MAX +
                                        SM_ENDPOINTS_MAX * (sizeof(struct sm_endpoint) + 8ull));
}

/* Old versions make a batch of each StopReplica of the open one when it is sent. */
static uint64_t split_max(const struct kc_controller *c)
{
    uint64_t head = sizeof(struct wire_batch) + 24ull * c->at.broker_words +
                    sizeof(struct wire_broker) + SM_RACK_MAX + 16 +
                    SM_ENDPOINTS_MAX * (sizeof(struct sm_endpoint) + 8ull);
    uint64_t open = 0;

    if (!kc_is_old(c)) {
        return 0;
    }
    if (kc_batch_is_open(c)) {
        open = kc_batch_at(c, c->batch_open)->count[2];
    }
    return (open + KC_WORK_PER_STEP) * (head + record_max(c) / 3);
}

/* Half of the arena stays free, so that moving the live bytes down is rare. */
static bool batches_fit(struct kc_controller *c)
{
    kc_arena_tidy(c, &c->batches);
    uint64_t live = c->batches.tail - c->batches.head;
    uint64_t need = KC_WORK_PER_STEP * record_max(c) + 4 * batch_head_max(c) + 4096 + split_max(c);

    return (live + need) * 2 <= c->batches.capacity || kc_arena_room(c, &c->batches, need * 4);
}

static uint32_t bytes_of(const struct kc_input *in)
{
    switch ((enum kc_input_kind)in->kind) {
    case KC_IN_ZK_EVENT:
    case KC_IN_UNCLEAN_ENABLED:
        return in->path == NULL ? 0 : (uint32_t)strlen(in->path) + 1;
    case KC_IN_ANSWER:
        return in->answer->count * (uint32_t)sizeof(struct wire_answer_item);
    case KC_IN_CALL:
        return in->call->size;
    case KC_IN_NONE:
    case KC_IN_START:
    case KC_IN_MORE:
    case KC_IN_ZK_REPLY:
    case KC_IN_SESSION_EXPIRED:
    case KC_IN_SESSION_CREATED:
    case KC_IN_SEND_FAILED:
    case KC_IN_TIMER:
    case KC_IN_SHUTDOWN:
    case KC_IN_BLOCK:
        break;
    }
    return 0;
}

/* KAFKA-5879: a list travels with its event, and is copied to the scratch when its turn comes. */
static uint32_t listed_by(const struct kc_controller *c, const struct kc_input *in)
{
    struct wire_zk_result_view v = {0};

    if (in->kind != KC_IN_ZK_REPLY || !kc_isr_is_listing(c, in->reply)) {
        return 0;
    }
    return wire_zk_result_next(in->reply, &v) ? v.result->data_size : 0;
}

static bool scratch_fits(const struct kc_controller *c, const struct kc_input *in)
{
    uint64_t znode = 256 + (uint64_t)c->largest_topic * (48 + 36ull * c->limits.replicas);
    uint64_t reply = in->kind == KC_IN_ZK_REPLY ? in->reply->size : 0;
    uint64_t calls = c->event.call_id != 0 ? 4ull * c->event.bytes_size : 0;
    /* an answer may name every partition */
    uint64_t answer = c->event.call_id != 0 || in->kind == KC_IN_CALL
                          ? (uint64_t)c->partition_high *
                                (sizeof(struct wire_call_item) + c->limits.topic_name + 16)
                          : 0;

    return c->scratch_used + reply * 3 + znode * 2 + calls + answer + c->listing_most + 16384 <=
           c->limits.scratch_bytes;
}

/* ---- what replies bring ---- */

/* A dead broker is named by each of its partitions: it is counted once. */
static void need_broker(struct kc_needed *needed, int32_t id)
{
    enum { ROOM = sizeof needed->unknown / sizeof needed->unknown[0] };

    for (uint32_t i = 0; i < needed->unknown_count; i++) {
        if (needed->unknown[i] == id) {
            return;
        }
    }
    if (needed->unknown_count < ROOM) {
        needed->unknown[needed->unknown_count++] = id;
    }
    needed->limits.brokers++;
}

static void need_ids(const struct kc_controller *c, const struct sm_list *list,
                     struct kc_needed *needed)
{
    uint32_t count = (uint32_t)list->count;

    needed->limits.replicas = count > needed->limits.replicas ? count : needed->limits.replicas;
    for (int32_t i = 0; i < list->count; i++) {
        if (kc_broker_find(c, list->id[i]) == KC_NO_ROW) {
            need_broker(needed, list->id[i]);
        }
    }
}

static void need_name(struct kc_needed *needed, const char *name)
{
    uint32_t size = (uint32_t)strlen(name) + 1;

    needed->limits.topic_name = size > needed->limits.topic_name ? size : needed->limits.topic_name;
}

void kc_needs_topic_names(const struct kc_controller *c, const struct wire_zk_result_view *r,
                          struct kc_needed *needed)
{
    const char *name = NULL;

    while ((name = wire_zk_name_next(r, name)) != NULL) {
        needed->limits.topics += kc_topic_find(c, name) == KC_NO_ROW;
        need_name(needed, name);
    }
}

void kc_needs_broker_names(const struct kc_controller *c, const struct wire_zk_result_view *r,
                           struct kc_needed *needed)
{
    const char *name = NULL;

    while ((name = wire_zk_name_next(r, name)) != NULL) {
        needed->limits.brokers += kc_broker_find(c, (int32_t)strtol(name, NULL, 10)) == KC_NO_ROW;
    }
}

/* Every list in the text counts as a partition's; those of replicas being added or removed do, too.
   False where one is not plainly written. */
static bool need_lists(const struct kc_controller *c, const struct wire_zk_result_view *r,
                       struct kc_needed *needed)
{
    const char *at = (const char *)r->data;
    const char *end = at + r->result->data_size;
    struct sm_list ids;

    while ((at = memchr(at, '[', (size_t)(end - at))) != NULL) {
        if (!sm_json_plain_list(&at, end, &ids)) {
            return false;
        }
        needed->limits.partitions++;
        need_ids(c, &ids, needed);
    }
    return true;
}

static void need_topic(const struct kc_controller *c, const struct wire_zk_result_view *r,
                       struct kc_needed *needed)
{
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t partition;

    if (sm_topic_open(&reader, (const char *)r->data, r->result->data_size) != SM_ERR_OK) {
        return;
    }
    while (sm_topic_next(&reader, &partition, &a)) {
        needed->limits.partitions++;
        need_ids(c, &a.replicas, needed);
        need_ids(c, &a.adding, needed);
        need_ids(c, &a.removing, needed);
    }
}

void kc_needs_topic_znode(const struct kc_controller *c, const struct wire_zk_result_view *r,
                          struct kc_needed *needed)
{
    struct kc_needed before = *needed;

    if (!need_lists(c, r, needed)) {
        *needed = before;
        need_topic(c, r, needed);
    }
}

void kc_needs_state_znode(const struct kc_controller *c, const struct wire_zk_result_view *r,
                          struct kc_needed *needed)
{
    struct sm_leader_and_isr li;

    if (sm_znode_decode_state((const char *)r->data, r->result->data_size, 0, &li) == SM_ERR_OK) {
        need_ids(c, &li.isr, needed);
    }
}

static void need_target(const struct kc_controller *c, const struct sm_list *target,
                        struct kc_needed *needed)
{
    uint32_t count = (uint32_t)target->count;

    need_ids(c, target, needed);
    needed->target = count > needed->target ? count : needed->target;
}

void kc_needs_reassign_znode(const struct kc_controller *c, const struct wire_zk_result_view *r,
                             struct kc_needed *needed)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;

    if (sm_partitions_open(&reader, (const char *)r->data, r->result->data_size) != SM_ERR_OK) {
        return;
    }
    while (sm_partitions_next(&reader, &item)) {
        need_target(c, &item.replicas, needed);
    }
}

static void need_call(const struct kc_controller *c, const struct wire_call *call,
                      struct kc_needed *needed)
{
    struct wire_call_view v = {0};

    while (wire_call_next(call, &v)) {
        uint32_t count =
            v.item->replica_count > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : v.item->replica_count;
        struct sm_list target = sm_list_of(v.replicas, (int32_t)count);
        need_target(c, &target, needed);
    }
}

/* What the reply's bulk says that its answer takes. */
static void need_reply(const struct kc_controller *c, const struct kc_input *in,
                       struct kc_needed *needed)
{
    struct wire_zk_result_view v = {0};

    if (c->depth == 0 || c->op_count == 0 || kc_isr_is_listing(c, in->reply)) {
        return;
    }
    const struct kc_bulk *bulk = kc_bulk_of(c);
    if (bulk == NULL || bulk->needs == NULL) {
        return;
    }
    while (wire_zk_result_next(in->reply, &v)) {
        if (v.result->err == WIRE_ZK_OK && v.result->data_size > 0) {
            bulk->needs(c, &v, needed);
        }
    }
}

static uint32_t free_topics(const struct kc_controller *c)
{
    return c->limits.topics -
           c->topic_count; /* freed rows come on top; a bound need not count them */
}

/* While a partition moves it has the replicas of before and those of after. What a reassignment
   will find when its turn comes is not known yet: another that waits may be done by then. */
static bool replicas_fit(struct kc_controller *c, const struct kc_needed *needed)
{
    uint32_t row = needed->limits.replicas, target = needed->target;

    row = row > c->largest_row ? row : c->largest_row;
    target = target > c->largest_target ? target : c->largest_target;
    uint32_t both = row + target > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : row + target;
    if ((both > row ? both : row) > c->limits.replicas) {
        return false;
    }
    c->largest_row = row;
    c->largest_target = target;
    return true;
}

const char *kc_short_of(struct kc_controller *c, const struct kc_input *in)
{
    struct kc_needed needed = {.unknown_count = 0};

    if (in->kind == KC_IN_ZK_REPLY) {
        need_reply(c, in, &needed);
    } else if (in->kind == KC_IN_CALL) {
        need_call(c, in->call, &needed);
    }
    if (c->broker_count + needed.limits.brokers > c->limits.brokers) {
        return "brokers";
    }
    if (!replicas_fit(c, &needed)) {
        return "replicas";
    }
    if (needed.limits.topic_name > c->limits.topic_name) {
        return "topic_name";
    }
    if (needed.limits.topics > free_topics(c)) {
        return "topics";
    }
    if (needed.limits.partitions > c->limits.partitions - c->partition_high) {
        return "partitions";
    }
    if (c->event_count + KC_EVENTS_RESERVED > c->limits.events) {
        return "events";
    }
    kc_arena_tidy(c, &c->event_arena);
    if (!kc_arena_room(c, &c->event_arena, bytes_of(in) + listed_by(c, in) + 1024)) {
        return "event_bytes";
    }
    if (!scratch_fits(c, in)) {
        return "scratch_bytes";
    }
    return batches_fit(c) ? NULL : "batch_bytes";
}
