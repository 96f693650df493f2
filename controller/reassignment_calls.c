/*
 * AlterPartitionReassignments and ListPartitionReassignments, as the AdminClient asks for them.
 *
 *     validate every item ─► take them out of the znode ─► reassign, one after the other ─► answer
 *       its error, or pending                                its error, or none
 *
 * A call is judged whole before anything is done, so that a bad item has its error while the
 * others go on. To cancel is to reassign to the original replicas; 2.8-fixed refuses it where none
 * of these is in sync and alive. Results lie in the scratch, one for each item, and the answer is
 * written from them in the order of the call.
 *
 * Source: Kafka KafkaController.processApiPartitionReassignment, validateReplicas,
 * processListPartitionReassignments (KIP-455).
 */
#include "controller/reassignment_parts.h"

#include <assert.h>

/* ---- ApiPartitionReassignment ---- */

static int32_t *results_of(struct kc_controller *c, const struct kc_frame *f)
{
    return (int32_t *)(void *)(kc_scratch(c) + f->arg);
}

enum { RESULT_PENDING = INT16_MIN };

static const struct wire_call *call_of(const struct kc_controller *c)
{
    return kc_event_bytes(c, &c->event);
}

/* Source: KafkaController.validateReplicas. */
static int32_t validate(struct kc_controller *c, const struct sm_assignment *current,
                        const struct sm_list *replicas)
{
    struct sm_assignment next;

    if (replicas->count == 0 || sm_list_has_duplicates(replicas)) {
        return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < replicas->count; i++) {
        if (replicas->id[i] < 0) {
            return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    if (sm_assignment_reassign_to(current, replicas, &next) != SM_ERR_OK) {
        return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < next.adding.count; i++) {
        uint32_t broker = kc_broker_find(c, next.adding.id[i]);
        if (broker == KC_NO_ROW || (kc_broker(c, broker)->flags &
                                    (KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN)) != KC_BROKER_LIVE) {
            return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    return RESULT_PENDING;
}

static struct sm_list replicas_of(const struct wire_call_view *v)
{
    return sm_list_of(v->replicas, v->item->replica_count);
}

static int32_t judge_item(struct kc_controller *c, const struct wire_call_view *v)
{
    uint32_t row = kc_row_named(c, v->topic, v->item->partition);
    struct sm_assignment none = {0};
    struct sm_assignment a = row == KC_NO_ROW ? none : kc_row_assignment(c, row);
    struct sm_list target = v->item->cancel ? sm_assignment_origin(&a) : replicas_of(v);

    if (v->item->cancel && !sm_assignment_is_being_reassigned(&a)) {
        return WIRE_ERROR_NO_REASSIGNMENT_IN_PROGRESS;
    }
    int32_t result = v->item->cancel ? RESULT_PENDING : validate(c, &a, &target);
    return result == RESULT_PENDING && row != KC_NO_ROW && kc_loses_only_copy(c, row, &target)
               ? WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT
               : result;
}

static void answer_call(struct kc_controller *c, int32_t error, const int32_t *results)
{
    const struct wire_call *call = call_of(c);
    struct wire_call head = {.api = call->api, .error = error};
    struct wire_call_builder b;
    struct wire_call_view v = {0};
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t i = 0; results != NULL && wire_call_next(call, &v); i++) {
        wire_call_add(&b, v.topic, v.item->partition, results[i], false, NULL);
    }
    const struct wire_call *answer = wire_call_end(&b);
    assert(answer != NULL);
    kc_reply(c, answer);
}

static enum kc_next call_begin(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_call *call = call_of(c);
    struct wire_call_view v = {0};

    if (!kc_is_active(c)) {
        answer_call(c, WIRE_ERROR_NOT_CONTROLLER, NULL);
        return KC_RETURN;
    }
    uint32_t at = (c->scratch_used + 7) & ~7u;
    c->scratch_used = at + 4 * call->count;
    f->arg = at;
    kc_set_clear(c, KC_SET_RESUMED);
    for (uint32_t i = 0; wire_call_next(call, &v); i++) {
        results_of(c, f)[i] = judge_item(c, &v);
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        if (results_of(c, f)[i] == RESULT_PENDING && row != KC_NO_ROW) {
            kc_set_add(c, KC_SET_RESUMED, row);
        }
    }
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, KC_NO_ROW)->arg2 = REMOVE_SUPERSEDED;
    return KC_NEXT;
}

static int32_t result_code(uint8_t result)
{
    return result == KC_RESULT_OK ? WIRE_ERROR_NONE : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
}

static bool start_item(struct kc_controller *c, const struct wire_call_view *v, int32_t *result)
{
    uint32_t row = kc_row_named(c, v->topic, v->item->partition);

    if (*result != RESULT_PENDING) {
        return false;
    }
    if (!kc_is_reassignable(c, row)) {
        *result = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        return false;
    }
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_list target = v->item->cancel ? sm_assignment_origin(&a) : replicas_of(v);
    if (sm_assignment_reassign_to(&a, &target, &c->goal) != SM_ERR_OK) {
        *result = WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        return false;
    }
    c->last_row = row;
    kc_call(c, KC_FLOW_REASSIGN_GUARDED, row);
    return true;
}

/* Frame: arg the results, arg2 the item, cursor its place in the call; phase 1: one is in work. */
static enum kc_next call_items(struct kc_controller *c, struct kc_frame *f)
{
    struct wire_call_view v = {.next = f->cursor};

    if (f->phase == 1) {
        results_of(c, f)[f->arg2++] = result_code(kc_row_at(c, c->last_row)->result);
        f->phase = 0;
    }
    while (wire_call_next(call_of(c), &v)) {
        f->cursor = v.next;
        if (start_item(c, &v, &results_of(c, f)[f->arg2])) {
            f->phase = 1;
            return KC_STAY;
        }
        f->arg2++;
    }
    return KC_NEXT;
}

static enum kc_next call_end(struct kc_controller *c, struct kc_frame *f)
{
    answer_call(c, WIRE_ERROR_NONE, results_of(c, f));
    return KC_NEXT;
}

static const struct kc_row call_rows[] = {
    {.name = "validate", .run = call_begin},
    {.name = "reassign", .run = call_items},
    {.name = "answer", .run = call_end},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_CALL = {.name = "ApiPartitionReassignment",
                                                  .rows = call_rows};

/* ---- ListPartitionReassignments ---- */

static void list_one(struct kc_controller *c, struct wire_call_builder *b, uint32_t row)
{
    struct sm_assignment a = kc_row_assignment(c, row);

    if (sm_assignment_is_being_reassigned(&a)) {
        wire_call_add(b, kc_row_topic(c, row), kc_row_at(c, row)->partition, 0, false, &a);
    }
}

static enum kc_next list(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_call *call = call_of(c);
    struct wire_call head = {.api = call->api};
    struct wire_call_builder b;
    struct wire_call_view v = {0};
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    (void)f;
    if (!kc_is_active(c)) {
        answer_call(c, WIRE_ERROR_NOT_CONTROLLER, NULL);
        return KC_NEXT;
    }
    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, 0); call->all && row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        list_one(c, &b, row);
    }
    while (!call->all && wire_call_next(call, &v)) {
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        if (row != KC_NO_ROW) {
            list_one(c, &b, row);
        }
    }
    const struct wire_call *answer = wire_call_end(&b);
    if (answer == NULL) {
        answer_call(c, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    } else {
        kc_reply(c, answer);
    }
    return KC_NEXT;
}

static const struct kc_row list_rows[] = {{.name = "list", .run = list}, {0}};
const struct kc_flow_def kc_flow_LIST_REASSIGNMENTS = {.name = "ListPartitionReassignments",
                                                       .rows = list_rows};
