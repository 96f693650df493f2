/*
 * /admin/reassign_partitions: what operators wrote there before there was a call for it.
 *
 *     ZkPartitionReassignment        exists? ─► read ─► reassign one by one ─► remove what failed
 *     maybeRemoveFromZkReassignment  exists? ─► read ─► write the rest; delete if nothing is left
 *
 * The znode is a list of wishes; a partition leaves it when its reassignment is complete, failed,
 * was superseded by a call or went with its topic (enum remove_mode). Nothing remembers who is in
 * it: each removal reads it again. Deleting it queues the event once more, whose existence check
 * arms the watch for the next list. At failover the same flow resumes what the last controller had
 * begun.
 *
 * Source: Kafka KafkaController.processZkPartitionReassignment, maybeRemoveFromZkReassignment,
 * maybeTriggerPartitionReassignment.
 */
#include "controller/line.h"
#include "controller/reassignment_parts.h"

/* ---- maybeTriggerPartitionReassignment: one partition; what it throws is its result ---- */

static enum kc_next guarded(struct kc_controller *c, struct kc_frame *f)
{
    kc_call(c, KC_FLOW_REASSIGN, f->arg);
    return KC_NEXT;
}

/* Set afterwards: elections on the way use the same field. */
static enum kc_next succeeded(struct kc_controller *c, struct kc_frame *f)
{
    kc_row_at(c, f->arg)->result = KC_RESULT_OK;
    return KC_NEXT;
}

static enum kc_catch guard(struct kc_controller *c, struct kc_frame *f)
{
    if (c->error == SM_ERR_CONTROLLER_MOVED) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] Failed completing reassignment of partition %s-%d because "
               "controller has moved to another broker",
               c->config.broker.id, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition);
        return KC_RETHROW;
    }
    kc_log(c, KC_ERROR, "[Controller id=%d] Error completing reassignment of partition %s-%d\n%s",
           c->config.broker.id, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition,
           kc_error_text(c));
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    kc_row_at(c, f->arg)->result = KC_RESULT_ERROR;
    if (kc_defect(c, SM_DEFECT_REASSIGNMENT_DROPPED)) { /* a later event would take it up again */
        kc_row_at(c, f->arg)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
        kc_set_remove(c, KC_SET_REASSIGNING, f->arg);
    }
    return KC_SWALLOW;
}

static const struct kc_row guarded_rows[] = {
    {.name = "reassign", .run = guarded}, {.name = "succeeded", .run = succeeded}, {0}};
const struct kc_flow_def kc_flow_REASSIGN_GUARDED = {
    .name = "maybeTriggerPartitionReassignment", .rows = guarded_rows, .on_error = guard};

/* ---- maybeRemoveFromZkReassignment ---- */

static bool ask_exists(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_EXISTS, SM_PATH_REASSIGN);
    ask->watch = (c->handlers & KC_HANDLER_REASSIGN) != 0;
    return true;
}

static enum kc_slot_next answer_exists(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    (void)f, (void)s, (void)r;
    c->reply_found = err == WIRE_ZK_OK;
    return err == WIRE_ZK_OK || err == WIRE_ZK_NO_NODE ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk znode_exists = {
    .select = kc_select_once, .ask = ask_exists, .answer = answer_exists};

static bool select_found(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    return c->reply_found && kc_select_once(c, f, s);
}

static bool ask_znode(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_REASSIGN);
    ask->watch = (c->handlers & KC_HANDLER_REASSIGN) != 0;
    return true;
}

/* Keeps the text: c->kept, c->kept_size; what does not parse counts as empty. */
static enum kc_slot_next answer_znode(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    struct sm_partitions_reader reader;

    (void)f, (void)s;
    c->kept = c->kept_size = 0;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    c->read_version = r->result->stat.version;
    if (sm_partitions_open(&reader, (const char *)r->data, r->result->data_size) == SM_ERR_OK) {
        c->kept = kc_keep_bytes(c, r->data, r->result->data_size);
        c->kept_size = r->result->data_size;
    } else {
        kc_log_unreadable(c, SM_PATH_REASSIGN);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_znode = {.select = select_found,
                                          .ask = ask_znode,
                                          .answer = answer_znode,
                                          .needs = kc_needs_reassign_znode};

static bool open_kept(struct kc_controller *c, struct sm_partitions_reader *r)
{
    return c->kept_size > 0 &&
           sm_partitions_open(r, (const char *)kc_scratch(c) + c->kept, c->kept_size) == SM_ERR_OK;
}

/* With KAFKA-6193 the znode is written from memory: who has not begun is not in it. */
static bool is_not_begun(const struct kc_controller *c, uint32_t row)
{
    return kc_defect(c, SM_DEFECT_ZNODE_FROM_MEMORY) &&
           (row == KC_NO_ROW || !kc_set_has(c, KC_SET_REASSIGNING, row));
}

static bool is_removed(struct kc_controller *c, const struct kc_frame *f,
                       const struct sm_partition_item *item)
{
    uint32_t row = kc_row_named(c, item->topic, item->partition);

    if (is_not_begun(c, row)) {
        return true;
    }
    switch ((enum remove_mode)f->arg2) {
    case REMOVE_COMPLETED: {
        struct sm_list replicas = kc_row_replicas(c, f->arg);
        return row == f->arg && sm_list_equal(&item->replicas, &replicas);
    }
    case REMOVE_FAILED:
        return row == KC_NO_ROW || kc_set_has(c, KC_SET_LISTED, row);
    case REMOVE_SUPERSEDED:
        return row != KC_NO_ROW && kc_set_has(c, KC_SET_RESUMED, row);
    case REMOVE_DELETED:
        return row != KC_NO_ROW && kc_row_at(c, row)->topic - 1 == f->arg;
    }
    return false;
}

/* Writes what stays into the room behind the kept text; 0 where nothing does. */
static size_t encode_rest(struct kc_controller *c, const struct kc_frame *f, char *out,
                          size_t capacity)
{
    struct sm_partitions_reader reader;
    struct sm_partitions_writer w;
    struct sm_partition_item item;

    if (!open_kept(c, &reader)) {
        return 0;
    }
    sm_partitions_writer_begin(&w, out, capacity);
    while (sm_partitions_next(&reader, &item)) {
        if (!is_removed(c, f, &item)) {
            sm_partitions_writer_item(&w, item.topic, item.partition, &item.replicas);
        }
    }
    return w.count == 0 ? 0 : sm_partitions_writer_end(&w);
}

/* Scala prints the map by the number of its entries, the replicas as a Buffer of the JSON. */
static void log_removed(struct kc_controller *c, const struct kc_frame *f)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;
    struct kc_line l;
    uint32_t count = 0;

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_line_begin(&l);
    for (bool more = open_kept(c, &reader); more && sm_partitions_next(&reader, &item);) {
        if (is_removed(c, f, &item)) {
            kc_line_add(&l, "%s%s-%d -> Buffer(", count++ > 0 ? ", " : "", item.topic,
                        item.partition);
            kc_line_ids(&l, item.replicas.id, (uint32_t)item.replicas.count, ", ");
            kc_line_add(&l, ")");
        }
    }
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Removing partitions %s(%s) from the list of reassigned partitions in "
        "zookeeper",
        c->config.broker.id, count > 4 ? "HashMap" : "Map", l.text);
}

enum { REST_FIRST, REST_CREATE, REST_DELETE }; /* slot.stage */

/* A delete whose reply is lost is sent again, and Kafka's names no version: it then deletes what an
   operator has created meanwhile. So the znode is first written once more as it is. From then on it
   has a version that no new one has, and a delete of that version cannot strike another. Where the
   write is refused it has been applied before: nobody else writes there while the znode exists. */
static bool deletes_once(const struct kc_controller *c)
{
    return !kc_defect(c, SM_DEFECT_REQUEST_DELETED_TWICE) && c->kept_size > 0;
}

static bool ask_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);
    size_t size = encode_rest(c, f, out, capacity / 2);

    if (s->stage == REST_DELETE) {
        kc_ask_write(ask, WIRE_ZK_DELETE, SM_PATH_REASSIGN, NULL, 0, c->read_version + 1);
        return true;
    }
    s->item = size == 0;
    if (s->stage == REST_FIRST) {
        log_removed(c, f);
    }
    if (size == 0) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] No more partitions need to be reassigned. Deleting zk path "
               "/admin/reassign_partitions",
               c->config.broker.id);
        if (deletes_once(c)) {
            kc_ask_write(ask, WIRE_ZK_SET_DATA, SM_PATH_REASSIGN,
                         (const char *)kc_scratch(c) + c->kept, c->kept_size, c->read_version);
        } else {
            kc_ask_write(ask, WIRE_ZK_DELETE, SM_PATH_REASSIGN, NULL, 0, WIRE_ZK_ANY_VERSION);
        }
    } else {
        kc_ask_write(ask, s->stage == REST_FIRST ? WIRE_ZK_SET_DATA : WIRE_ZK_CREATE,
                     SM_PATH_REASSIGN, out, (uint32_t)size, WIRE_ZK_ANY_VERSION);
    }
    return true;
}

static enum kc_slot_next answer_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                     int32_t err, const struct wire_zk_result_view *r)
{
    bool refused = err == WIRE_ZK_BAD_VERSION && deletes_once(c);

    (void)f, (void)r;
    if (s->item) {
        if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE && !refused) {
            return kc_slot_throw(c, err);
        }
        if (s->stage == REST_FIRST && err != WIRE_ZK_NO_NODE && deletes_once(c)) {
            s->stage = REST_DELETE;
            return KC_SLOT_ASK;
        }
        kc_put(c,
               KC_EVENT_ZK_PARTITION_REASSIGNMENT); /* its existence check arms the watch again */
        return KC_SLOT_DONE;
    }
    if (err == WIRE_ZK_NO_NODE && s->stage == REST_FIRST) {
        s->stage = REST_CREATE;
        return KC_SLOT_ASK;
    }
    return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk write_rest = {
    .select = select_found, .ask = ask_rest, .answer = answer_rest};

static const struct kc_row remove_rows[] = {
    {.name = "does the znode exist?", .bulk = &znode_exists},
    {.name = "read the znode", .bulk = &read_znode},
    {.name = "write the rest", .bulk = &write_rest},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_REMOVE = {.name = "maybeRemoveFromZkReassignment",
                                                    .rows = remove_rows};

/* A broker that returns lets a deletion go on though a reassignment has halted it; what is left of
   the reassignment then goes with its topic. Kafka 2.8.2 leaves it (delete while reassigning). */
void kc_forget_reassignments(struct kc_controller *c, uint32_t topic)
{
    if (kc_defect(c, SM_DEFECT_DELETE_WHILE_REASSIGNING) || !kc_topic_has_reassignment(c, topic)) {
        return;
    }
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        kc_row_at(c, row)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
        kc_set_remove(c, KC_SET_REASSIGNING, row);
    }
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, topic)->arg2 = REMOVE_DELETED;
}

/* ---- ZkPartitionReassignment: arg 1 at failover ---- */

static enum kc_next znode_begin(struct kc_controller *c, struct kc_frame *f)
{
    if (!c->reply_found) {
        return KC_RETURN;
    }
    /* kept over the flows that this one calls, which keep texts of their own */
    f->arg2 = c->kept;
    f->value = (int32_t)c->kept_size;
    kc_set_clear(c, KC_SET_LISTED);
    return KC_NEXT;
}

bool kc_is_reassignable(struct kc_controller *c, uint32_t row)
{
    if (row == KC_NO_ROW || kc_row_at(c, row)->replica_count == 0) {
        return false;
    }
    if (kc_is_queued(c, row)) {
        kc_log(
            c, KC_INFO,
            "[Controller id=%d] Skipping reassignment of %s-%d since the topic is currently being "
            "deleted",
            c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition);
        return false;
    }
    return true;
}

bool kc_loses_isr(struct kc_controller *c, uint32_t row, const struct sm_list *goal,
                  const struct sm_list *isr)
{
    struct sm_list replicas = kc_row_replicas(c, row);
    struct sm_list unneeded = sm_list_minus(&replicas, goal);
    struct sm_list lost = sm_list_intersect(&unneeded, isr);
    bool loses = lost.count > 0 && !kc_defect(c, SM_DEFECT_CANCEL_DELETES_ONLY_COPY);

    for (int32_t i = 0; i < isr->count; i++) {
        loses = loses && !(sm_list_has(goal, isr->id[i]) && kc_is_online_id(c, row, isr->id[i]));
    }
    return loses;
}

bool kc_loses_only_copy(struct kc_controller *c, uint32_t row, const struct sm_list *target)
{
    struct sm_assignment next, a = kc_row_assignment(c, row);

    if (!kc_has_leadership(c, row) || sm_assignment_reassign_to(&a, target, &next) != SM_ERR_OK) {
        return false;
    }
    struct sm_leader_and_isr li = kc_row_leadership(c, row);
    return kc_loses_isr(c, row, &next.replicas, &li.isr);
}

/* The result of the previous partition is looked at when the row is run again. */
static void take_result(struct kc_controller *c, struct kc_frame *f)
{
    if (f->phase == 0) {
        return;
    }
    uint32_t row = c->last_row;
    kc_set_add(c, kc_row_at(c, row)->result == KC_RESULT_OK ? KC_SET_RESUMED : KC_SET_LISTED, row);
    f->flags |= kc_row_at(c, row)->result != KC_RESULT_OK;
    f->phase = 0;
}

static enum kc_next znode_items(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;

    c->kept = f->arg2;
    c->kept_size = (uint32_t)f->value;
    take_result(c, f);
    if (!open_kept(c, &reader)) {
        return KC_NEXT;
    }
    if (f->cursor > 0) {
        reader.at = f->cursor;
    }
    while (sm_partitions_next(&reader, &item)) {
        uint32_t row = kc_row_named(c, item.topic, item.partition);
        f->cursor = (uint32_t)reader.at;
        if (!kc_is_reassignable(c, row)) {
            f->flags |= 1;
            if (row != KC_NO_ROW) {
                kc_set_add(c, KC_SET_LISTED, row);
            }
            continue;
        }
        struct sm_assignment a = kc_row_assignment(c, row);
        if (kc_loses_only_copy(c, row, &item.replicas) ||
            sm_assignment_reassign_to(&a, &item.replicas, &c->goal) != SM_ERR_OK) {
            f->flags |= 1;
            kc_set_add(c, KC_SET_LISTED, row);
            continue;
        }
        c->last_row = row;
        f->phase = 1;
        kc_call(c, KC_FLOW_REASSIGN_GUARDED, row);
        return KC_STAY;
    }
    return KC_NEXT;
}

static enum kc_next znode_failed(struct kc_controller *c, struct kc_frame *f)
{
    if (f->flags != 0) {
        kc_log(c, KC_WARN, "[Controller id=%d] Failed reassignment through zk with errors",
               c->config.broker.id);
        kc_call(c, KC_FLOW_REASSIGN_REMOVE, KC_NO_ROW)->arg2 = REMOVE_FAILED;
    }
    return KC_NEXT;
}

static const struct kc_row znode_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "does the znode exist?", .bulk = &znode_exists},
    {.name = "read the znode", .bulk = &read_znode},
    {.name = "begin", .run = znode_begin},
    {.name = "reassign", .run = znode_items},
    {.name = "remove what failed", .run = znode_failed},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_ZNODE = {.name = "ZkPartitionReassignment",
                                                   .rows = znode_rows};

/* ---- what the last term was reassigning (KAFKA-5310) ---- */

void kc_keep_reassignments(struct kc_controller *c, uint32_t *at, int32_t *size)
{
    enum { ROOM = 8192, ITEM = 2048 }; /* of the room that every step may count on */
    struct sm_partitions_writer w;
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    *size = 0;
    sm_partitions_writer_begin(&w, out, capacity < ROOM ? capacity : ROOM);
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, 0);
         row != KC_NO_ROW && w.size + ITEM < w.capacity;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        struct sm_assignment a = kc_row_assignment(c, row);
        struct sm_list target = sm_assignment_target(&a);
        sm_partitions_writer_item(&w, kc_row_topic(c, row), kc_row_at(c, row)->partition, &target);
    }
    size_t written = sm_partitions_writer_end(&w);
    if (w.count > 0 && written > 0) {
        *at = (uint32_t)(out - (char *)kc_scratch(c));
        *size = (int32_t)written;
        c->scratch_used = *at + (uint32_t)written;
    }
}

static const struct kc_row kept_rows[] = {{.name = "reassign", .run = znode_items}, {0}};
const struct kc_flow_def kc_flow_REASSIGN_KEPT = {.name = "maybeTriggerPartitionReassignment",
                                                  .rows = kept_rows};
