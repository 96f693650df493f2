/*
 * Bulk work: select, ask, answer, over a window of ZooKeeper requests. The loop of nearly every
 * flow, once.
 *
 *     select ──► waits to be asked ──► request in flight ──► answered ──► done
 *                  ▲   (in order)      one slot, or a group     │
 *                  └──────── the next question, or the same again
 *
 * A slot is one item (a partition, a name) with the place that it has reached. What waits is asked
 * in the order in which it began to wait, `window` requests at a time. With groups configured,
 * neighbours that may share a request do: reads share a multi of reads, fenced writes one multi
 * behind one check of the epoch. Nothing is held back for the sake of a larger group.
 *
 * Invariant: a slot in use is in exactly one chain, and groups of one are what Kafka sends, byte
 * for byte. Exception to the order: members of a refused group wait again, behind what waits
 * already.
 *
 * Differs: Kafka sends each operation in a request of its own. A multi of writes is all or nothing,
 * so a refused one is taken apart and each of its writes made alone, with its own versions; so is
 * one that was applied and whose reply was lost: sent again it is refused by its own doing, and
 * each write then finds its earlier self as it would have without groups.
 *
 * Source: KafkaZkClient.retryRequestsUntilConnected, ZooKeeperClient.handleRequests.
 */
#include "controller/state.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* ---- slots: free ones form a chain, and so do those that wait to be asked ---- */

/* Slots of a bulk that has ended leave no trace, so that a block at rest does not tell in which
   order they were used. */
static void forget_slots(struct kc_controller *c)
{
    while (c->slot_free != 0) {
        struct kc_slot *s = kc_slot(c, c->slot_free - 1);
        c->slot_free = s->next;
        s->next = 0;
    }
    c->slot_high = 0;
}

/* The client library of old versions asks one thing after the other. */
static uint32_t window_of(const struct kc_controller *c)
{
    return kc_is_old(c) ? 1 : c->limits.window;
}

static uint32_t take_slot(struct kc_controller *c)
{
    uint32_t i = c->slot_free;

    if (i != 0) {
        c->slot_free = kc_slot(c, i - 1)->next;
        kc_slot(c, i - 1)->next = 0;
    } else if (c->slot_high < (kc_is_old(c) ? 1 : c->limits.slots)) {
        i = ++c->slot_high;
    } else {
        return KC_NO_ROW;
    }
    c->slot_used++;
    return i - 1;
}

static void give_slot(struct kc_controller *c, uint32_t i)
{
    struct kc_slot *s = kc_slot(c, i);

    memset(s, 0, sizeof *s);
    s->next = c->slot_free;
    c->slot_free = i + 1;
    if (--c->slot_used == 0) {
        forget_slots(c);
    }
}

/* The cause travels with the slot: by the time it is asked, others may have been answered. */
static void wait_to_ask(struct kc_controller *c, uint32_t i)
{
    kc_slot(c, i)->next = 0;
    kc_slot(c, i)->cause = c->cause;
    if (c->wait_last != 0) {
        kc_slot(c, c->wait_last - 1)->next = i + 1;
    } else {
        c->wait_first = i + 1;
    }
    c->wait_last = i + 1;
}

static uint32_t stop_waiting(struct kc_controller *c)
{
    uint32_t i = c->wait_first - 1;

    c->wait_first = kc_slot(c, i)->next;
    if (c->wait_first == 0) {
        c->wait_last = 0;
    }
    kc_slot(c, i)->next = 0;
    return i;
}

/* Takes the first slot out of the chain of a request; *first is 0 at its end. */
static uint32_t next_of_chain(struct kc_controller *c, uint32_t *first)
{
    uint32_t i = *first - 1;

    *first = kc_slot(c, i)->next;
    kc_slot(c, i)->next = 0;
    return i;
}

static void give_chain(struct kc_controller *c, uint32_t first)
{
    while (first != 0) {
        give_slot(c, next_of_chain(c, &first));
    }
}

/* ---- asking: one request for one slot, or for a group of them ---- */

/* Data that was built in the room behind the scratch is cleared once it is sent. */
static void clear_room(struct kc_controller *c, const struct kc_ask *ask)
{
    const uint8_t *room = kc_scratch(c) + c->scratch_used;
    const uint8_t *end = kc_scratch(c) + c->limits.scratch_bytes;
    const uint8_t *data = ask->data;

    if (data >= room && data < end) {
        memset(kc_scratch(c) + (data - kc_scratch(c)), 0, ask->data_size);
    }
}

static bool is_fenced(const struct kc_controller *c, const struct kc_ask *ask)
{
    return ask->fenced && sm_rule_on(&c->config.profile, SM_RULE_FENCED_WRITES) &&
           !kc_defect(c, SM_DEFECT_UNFENCED_WRITES);
}

static void add_fence(struct kc_controller *c, const struct kc_ask *ask, struct wire_zk_builder *b)
{
    int32_t version = ask->has_fence ? ask->fence_version : c->epoch_zk_version;

    wire_zk_add(b, (struct wire_zk_op){.opcode = WIRE_ZK_CHECK, .version = version},
                SM_PATH_CONTROLLER_EPOCH, NULL);
}

static void add_operation(const struct kc_ask *ask, struct wire_zk_builder *b)
{
    wire_zk_add(b,
                (struct wire_zk_op){.opcode = ask->opcode,
                                    .flags = ask->flags,
                                    .watch = ask->watch,
                                    .has_data = ask->has_data,
                                    .version = ask->version,
                                    .data_size = ask->data_size},
                ask->path, ask->data);
}

static void put_request(struct kc_controller *c, struct wire_zk_builder *b, struct kc_op op)
{
    const struct wire_zk_request *request = wire_zk_end(b);

    assert(request != NULL);
    assert(c->op_count < c->limits.window);
    *kc_op(c, (c->op_head + c->op_count++) % c->limits.window) = op;
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_ZK, .request = request});
    memset(b->bytes, 0, request->size);
}

/* Fills `ask` for the slot's stage; false where its bulk has nothing to ask, and the item is done.
 */
static bool fill_ask(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                     uint32_t i, struct kc_ask *ask)
{
    memset(ask, 0, offsetof(struct kc_ask, path));
    ask->version = WIRE_ZK_ANY_VERSION;
    return bulk->ask(c, f, kc_slot(c, i), ask);
}

static void ask_alone(struct kc_controller *c, const struct kc_ask *ask, uint32_t i)
{
    uint8_t *bytes = kc_at(c, c->at.text); /* long znodes do not fit: built in the scratch's rest */
    size_t capacity = KC_TEXT_MAX;
    struct wire_zk_builder b;

    if (ask->data_size + 1024 > KC_TEXT_MAX) { /* behind its data, which stands in the room */
        uint32_t used = ((c->scratch_used + 7) & ~7u) + ((ask->data_size + 7) & ~7u);
        bytes = kc_scratch(c) + used;
        capacity = c->limits.scratch_bytes - used;
    }
    bool fenced = is_fenced(c, ask);
    uint32_t xid = c->xid++;
    wire_zk_begin(&b, bytes, capacity, xid, fenced || ask->second != 0);
    if (fenced) {
        add_fence(c, ask, &b);
    }
    add_operation(ask, &b);
    if (ask->second != 0) {
        wire_zk_add(&b,
                    (struct wire_zk_op){.opcode = ask->second,
                                        .has_data = 1,
                                        .version = ask->second_version,
                                        .data_size = ask->second_size},
                    ask->second_path, ask->second_data);
    }
    put_request(c, &b, (struct kc_op){.xid = xid, .first = i + 1, .count = 1, .fenced = fenced});
    clear_room(c, ask);
}

/* Which requests may share one: reads without a watch, and fenced writes of one small znode. */
enum share { ALONE, SHARES_READ, SHARES_WRITE };

static enum share share_of(const struct kc_controller *c, const struct kc_slot *s,
                           const struct kc_ask *ask)
{
    bool is_small = ask->data == NULL || ask->data == ask->small;

    if (s->alone || kc_is_old(c)) {
        return ALONE;
    }
    if (ask->opcode == WIRE_ZK_GET_DATA && !ask->watch && !ask->fenced && ask->second == 0) {
        return SHARES_READ;
    }
    return is_fenced(c, ask) && !ask->has_fence && ask->second == 0 && is_small ? SHARES_WRITE
                                                                                : ALONE;
}

static uint32_t group_of(const struct kc_controller *c, enum share share)
{
    switch (share) {
    case ALONE:
        return 1;
    case SHARES_READ:
        return c->config.read_group;
    case SHARES_WRITE:
        return c->config.write_group;
    }
    return 1;
}

static bool fits(const struct kc_controller *c, const struct wire_zk_builder *b,
                 const struct kc_ask *ask)
{
    const struct wire_zk_request *so_far = (const struct wire_zk_request *)(const void *)b->bytes;

    return so_far->size + sizeof(struct wire_zk_op) + strlen(ask->path) + ask->data_size + 16 <=
           c->at.group_bytes;
}

/* Adds to a group whose first member is asked already what waits behind it and may share: as many
   as follow directly. Returns how many the group has. */
static uint32_t fill_group(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                           enum share share, uint32_t first, struct wire_zk_builder *b)
{
    uint64_t row = c->row_record[c->depth - 1];
    uint32_t last = first;
    uint32_t count = 1;
    struct kc_ask ask;

    while (count < group_of(c, share) && c->wait_first != 0) {
        uint32_t i = c->wait_first - 1;
        if (!fill_ask(c, f, bulk, i, &ask)) {
            give_slot(c, stop_waiting(c));
            continue;
        }
        if (share_of(c, kc_slot(c, i), &ask) != share || !fits(c, b, &ask)) {
            clear_room(c, &ask);
            break; /* its turn comes again */
        }
        add_operation(&ask, b);
        stop_waiting(c);
        kc_slot(c, last)->next = i + 1;
        if (kc_slot(c, i)->cause != c->cause && row != 0) {
            c->cause = row; /* of all of them */
        }
        last = i;
        count++;
    }
    return count;
}

/* Asks the slot whose question `ask` is, and with it those behind it that may share its request.
   False where there are none. */
static bool ask_together(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                         enum share share, uint32_t i, const struct kc_ask *ask)
{
    struct wire_zk_builder b;
    uint32_t count = 1;

    if (group_of(c, share) == 1 || c->wait_first == 0) {
        return false;
    }
    wire_zk_begin(&b, kc_at(c, c->at.group), c->at.group_bytes, c->xid, true);
    if (share == SHARES_WRITE) {
        add_fence(c, ask, &b);
    }
    if (fits(c, &b, ask)) {
        add_operation(ask, &b);
        count = fill_group(c, f, bulk, share, i, &b);
    }
    if (count == 1) {
        memset(b.bytes, 0, wire_zk_end(&b)->size);
        return false;
    }
    put_request(
        c, &b,
        (struct kc_op){
            .xid = c->xid++, .first = i + 1, .count = count, .fenced = share == SHARES_WRITE});
    return true;
}

/* Asks the slot that has waited longest, and with it those that may share its request. */
static void ask_next(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk)
{
    uint32_t i = stop_waiting(c);
    struct kc_ask ask;

    c->cause = kc_slot(c, i)->cause;
    if (!fill_ask(c, f, bulk, i, &ask)) {
        give_slot(c, i);
    } else if (!ask_together(c, f, bulk, share_of(c, kc_slot(c, i), &ask), i, &ask)) {
        ask_alone(c, &ask, i);
    }
}

static void ask_waiting(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk)
{
    uint64_t cause = c->cause;

    while (c->wait_first != 0 && c->op_count < window_of(c) && c->error == SM_ERR_OK) {
        ask_next(c, f, bulk);
    }
    c->cause = cause;
}

/* ---- answers ---- */

/* Gives ZooKeeper's verdict on the operation inside its fence; sets the error where the fence
   itself refused. Source: KafkaZkClient.retryRequestsUntilConnected,
   unwrapResponseWithControllerEpochCheck. */
static bool pass_fence(struct kc_controller *c, const struct wire_zk_reply *reply,
                       struct wire_zk_result_view *v)
{
    wire_zk_result_next(reply, v);
    if (v->result->err == WIRE_ZK_BAD_VERSION) {
        kc_throw(c, SM_ERR_CONTROLLER_MOVED,
                 "org.apache.kafka.common.errors.ControllerMovedException: Controller epoch "
                 "zkVersion check fails. Expected zkVersion = %d",
                 c->epoch_zk_version);
        return false;
    }
    if (v->result->err != WIRE_ZK_OK) {
        kc_slot_throw(c, v->result->err);
        return false;
    }
    return true;
}

static void settle(struct kc_controller *c, uint32_t i, enum kc_slot_next next)
{
    switch (next) {
    case KC_SLOT_DONE:
    case KC_SLOT_FAIL:
        give_slot(c, i);
        break;
    case KC_SLOT_ASK:
        wait_to_ask(c, i);
        break;
    }
    c->step->work++;
}

static enum kc_slot_next judge(struct kc_controller *c, struct kc_frame *f,
                               const struct kc_bulk *bulk, struct kc_slot *s, bool fenced,
                               const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    int32_t err = reply->err;

    if (reply->count == 0) { /* no result at all: the session is gone */
        return bulk->answer(c, f, s, err, NULL);
    }
    if (fenced) {
        if (!pass_fence(c, reply, &v)) {
            return KC_SLOT_FAIL;
        }
        wire_zk_result_next(reply, &v);
        err = v.result->err;
    } else if (reply->multi) { /* two operations: the code of the whole, the result of the second */
        wire_zk_result_next(reply, &v);
        wire_zk_result_next(reply, &v);
    } else {
        wire_zk_result_next(reply, &v);
        err = v.result->err;
    }
    return bulk->answer(c, f, s, err, &v);
}

static bool is_refused(const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};

    while (wire_zk_result_next(reply, &v)) {
        if (v.result->err != WIRE_ZK_OK) {
            return true;
        }
    }
    return false;
}

/* A refused group has changed nothing, and says of most of its members nothing: each is asked again
   by itself, in order, so that what follows is what would have followed without groups. */
static void ask_each_alone(struct kc_controller *c, uint32_t first)
{
    uint64_t cause = c->cause;

    while (first != 0) {
        uint32_t i = next_of_chain(c, &first);
        kc_slot(c, i)->alone = 1;
        c->cause = kc_slot(c, i)->cause;
        wait_to_ask(c, i);
    }
    c->cause = cause;
}

static void judge_group(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                        struct kc_op op, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    uint64_t cause = c->cause;
    uint32_t first = op.first;

    if (reply->count != 0) {
        assert(reply->count == op.count + op.fenced);
        if (op.fenced && !pass_fence(c, reply, &v)) {
            give_chain(c, first);
            return;
        }
        if (op.fenced && is_refused(reply)) {
            ask_each_alone(c, first);
            return;
        }
    }
    while (first != 0 && c->error == SM_ERR_OK) {
        bool has_result = reply->count != 0 && wire_zk_result_next(reply, &v);
        uint32_t i = next_of_chain(c, &first);
        c->cause = cause;
        settle(c, i,
               bulk->answer(c, f, kc_slot(c, i), has_result ? v.result->err : reply->err,
                            has_result ? &v : NULL));
    }
    give_chain(c, first);
    c->cause = cause;
}

static void take_reply(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                       const struct wire_zk_reply *reply)
{
    struct kc_op op = *kc_op(c, c->op_head);

    assert(c->op_count > 0);
    assert(op.xid == reply->xid);
    *kc_op(c, c->op_head) = (struct kc_op){0};
    c->op_head = (c->op_head + 1) % c->limits.window;
    c->op_count--;
    if (c->error != SM_ERR_OK) { /* only waiting for the rest */
        give_chain(c, op.first);
    } else if (op.count == 1) {
        settle(c, op.first - 1, judge(c, f, bulk, kc_slot(c, op.first - 1), op.fenced != 0, reply));
    } else {
        judge_group(c, f, bulk, op, reply);
    }
    if (c->error != SM_ERR_OK) { /* what was not asked yet never is */
        give_chain(c, c->wait_first);
        c->wait_first = c->wait_last = 0;
    }
}

/* ---- the loop ---- */

/* The cause of what is asked anew, while replies to others come in. */
static void blame_row(struct kc_controller *c)
{
    uint64_t record = c->row_record[c->depth - 1];

    c->cause = record != 0 ? record : c->cause;
}

static void select_more(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk)
{
    while (f->phase == 0) {
        uint32_t i = take_slot(c);
        if (i == KC_NO_ROW) {
            return;
        }
        if (!bulk->select(c, f, kc_slot(c, i))) {
            give_slot(c, i);
            f->phase = 1; /* all selected */
            return;
        }
        wait_to_ask(c, i);
        c->step->work++;
    }
}

/* Nothing is held back: what waits is asked as soon as the window lets it, in groups as large as
   what waits together allows. */
enum kc_next kc_run_bulk(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk)
{
    const struct kc_input *in = c->step->in;

    if (in != NULL && in->kind == KC_IN_ZK_REPLY) {
        c->step->in = NULL;
        take_reply(c, f, bulk, in->reply);
    }
    blame_row(c);
    do {
        if (c->error == SM_ERR_OK) {
            select_more(c, f, bulk);
            ask_waiting(c, f, bulk);
        }
        if (c->op_count > 0) {
            return KC_WAIT;
        }
        if (c->error != SM_ERR_OK) {
            return KC_THROW;
        }
        if (c->step->work >= KC_WORK_PER_STEP && f->phase == 0) {
            return KC_YIELD;
        }
    } while (f->phase == 0 || c->wait_first != 0);
    return KC_NEXT;
}
