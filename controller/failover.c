/*
 * Becoming the controller: read everything, tell everybody, pick up what was left half-way.
 *
 *    1  /feature                        9  UpdateMetadata: who lives (before any LeaderAndIsr)
 *    2  handlers                       10  replica machine: the living Online, the dead Offline
 *    3  arm admin znodes               11  partition machine: elect for what has no live leader
 *    4  drop log-dir notifications     12  reassignments
 *    5  drop ISR notifications         13  topic deletion
 *    6  brokers, topics, states        14  preferred elections asked for by znode
 *    7  deletions asked for            15  rebalance timer
 *    8  topic deletion manager
 *
 * Here is the order, and what is done with what was read; the reading itself is in reading.c, for
 * ordinary events read the same, and in failover_preferred.c for step 14.
 *
 * Dropping the ISR notifications before reading the states loses nothing: the states say it all.
 * Who lives goes first, for a broker that gets LeaderAndIsr naming a leader it has never heard of
 * creates the log and starts no fetcher (KAFKA-4443). The replica machine comes before the
 * partition machine, so that a partition whose leader has died gets two epochs here and one in an
 * ordinary broker failure. Before 0.10.2 the metadata went last (SM_RULE_METADATA_FIRST off).
 *
 * Source: Kafka KafkaController.onControllerFailover, initializeControllerContext.
 */
#include "controller/state.h"

/* ---- 1: /feature ---- */

static bool select_feature(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    return kc_is_current(c) && kc_select_once(c, f, s);
}

enum { FEATURE_READ, FEATURE_CREATE, FEATURE_SET };

static bool ask_feature(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                        struct kc_ask *ask)
{
    (void)c, (void)f;
    if (s->stage == FEATURE_READ) {
        kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_FEATURE);
        return true;
    }
    kc_ask_write(ask, s->stage == FEATURE_CREATE ? WIRE_ZK_CREATE : WIRE_ZK_SET_DATA,
                 SM_PATH_FEATURE, ask->small,
                 (uint32_t)sm_znode_encode_feature(ask->small, KC_SMALL_MAX, 0),
                 WIRE_ZK_ANY_VERSION);
    ask->fenced = 0;
    return true;
}

static enum kc_slot_next answer_feature(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r)
{
    int32_t status = 0;

    (void)f;
    if (s->stage != FEATURE_READ) {
        return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
    }
    if (err == WIRE_ZK_NO_NODE) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] Creating FeatureZNode at path: /feature with contents: "
               "FeatureZNode(Disabled,Features{})",
               c->config.broker.id);
        s->stage = FEATURE_CREATE;
        return KC_SLOT_ASK;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_znode_decode_feature((const char *)r->data, r->result->data_size, &status) !=
            SM_ERR_OK ||
        status != 0) {
        s->stage = FEATURE_SET;
        return KC_SLOT_ASK;
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk set_up_feature = {
    .select = select_feature, .ask = ask_feature, .answer = answer_feature};

/* ---- 2, 3: handlers and admin znodes ---- */

static enum kc_next register_handlers(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_new(c, KC_INFO, "[Controller id=%d] Registering handlers", c->config.broker.id);
    c->handlers |= KC_HANDLER_BROKERS | KC_HANDLER_TOPICS | KC_HANDLER_DELETIONS |
                   KC_HANDLER_PREFERRED | KC_HANDLER_REASSIGN;
    c->handlers |= kc_is_current(c) ? KC_HANDLER_LOG_DIRS : 0u;
    c->handlers |= sm_rule_on(&c->config.profile, SM_RULE_ISR_NOTIFICATION) ? KC_HANDLER_ISR : 0u;
    return KC_NEXT;
}

static bool select_admin(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)c;
    s->item = f->cursor;
    return f->cursor++ < 2;
}

static bool ask_admin(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)c, (void)f;
    kc_ask_path(ask, WIRE_ZK_EXISTS, s->item == 0 ? SM_PATH_PREFERRED : SM_PATH_REASSIGN);
    ask->watch = 1;
    return true;
}

static const struct kc_bulk arm_admin = {
    .select = select_admin, .ask = ask_admin, .answer = kc_answer_deleted};

enum { NOTIFICATION_ROWS = 5 }; /* from here to the last of "delete ISR changes" */

/* Old versions leave notifications alone; 0.8.2 has none. */
static enum kc_next say_log_dirs(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_is_current(c)) {
        f->row += NOTIFICATION_ROWS;
        return KC_NEXT;
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Deleting log dir event notifications",
           c->config.broker.id);
    return KC_NEXT;
}

static enum kc_next say_isr(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log(c, KC_INFO, "[Controller id=%d] Deleting isr change notifications", c->config.broker.id);
    return KC_NEXT;
}

static enum kc_next say_context(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_new(c, KC_INFO, "[Controller id=%d] Initializing controller context",
               c->config.broker.id);
    return KC_NEXT;
}

/* ---- 6: brokers, topics, states; their bulks are in reading.c ---- */

static enum kc_next set_live_brokers(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        bool live = (b->flags & KC_BROKER_READ) != 0;
        b->flags &= ~(uint32_t)(KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN);
        b->flags |= live ? KC_BROKER_LIVE : 0u;
        b->known = b->read;
        b->epoch = b->read_epoch;
    }
    kc_note_live(c);
    kc_log_epochs(c, "Initialized broker epochs cache");
    return KC_NEXT;
}

/* All is read again. What is still there was not forgotten on resignation, or there was none: who finds
   on an error that /controller has moved gives up without (KafkaController.triggerControllerMove).
   With the defect nobody reads anew which partitions are reassigned (KAFKA-5310). */
static enum kc_next before_topics(struct kc_controller *c, struct kc_frame *f)
{
    f->arg2 = 1;
    kc_set_clear(c, KC_SET_LISTED);
    if (kc_defect(c, SM_DEFECT_CONTEXT_KEPT)) {
        kc_keep_reassignments(c, &f->arg, &f->value);
    }
    kc_forget_topics(c);
    return KC_NEXT;
}

static enum kc_next group_live(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        b->flags &= ~(uint32_t)KC_BROKER_GROUP;
        b->flags |= (b->flags & KC_BROKER_LIVE) != 0 ? KC_BROKER_GROUP : 0u;
    }
    kc_log_broker_handlers(c, "Register", "Set", KC_BROKER_GROUP);
    return KC_NEXT;
}

static enum kc_next open_channels(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t n = 0;

    (void)f;
    for (uint32_t b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        kc_channel_open(c, b);
    }
    kc_log_members(c);
    return KC_NEXT;
}

/* ---- 7, 8: deletions ---- */

static enum kc_next say_deletions(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_new(c, KC_INFO, "[Controller id=%d] Fetching topic deletions in progress",
               c->config.broker.id);
    return KC_NEXT;
}

/* Topics asked for that do not exist are queued too: their deletion completes at once. */
static enum kc_next init_deletions(struct kc_controller *c, struct kc_frame *f)
{
    const char *name = NULL;

    (void)f;
    kc_log_deletions(c);
    while (kc_delete_topic_enabled(c) && (name = kc_name_next(c, name)) != NULL) {
        uint32_t topic = kc_topic_intern(c, name);
        kc_queue_topic_deletion(c, topic);
        uint32_t held = kc_topic_has_reassignment(c, topic) ? KC_TOPIC_HELD : 0;
        if (held != 0 || kc_topic_has_offline_replica(c, topic)) {
            kc_mark_topic(c, topic, KC_TOPIC_INELIGIBLE | held, true);
        }
    }
    if (kc_delete_topic_enabled(c)) {
        c->scratch_names_size = 0; /* nothing to drop in the next row */
    } else {
        kc_log(c, KC_INFO,
               "[Topic Deletion Manager %d] Removing Set() since delete topic is disabled",
               c->config.broker.id);
    }
    return KC_NEXT;
}

/* ---- 9: who lives ---- */

static bool metadata_comes_first(const struct kc_controller *c)
{
    return sm_rule_on(&c->config.profile, SM_RULE_METADATA_FIRST) &&
           !kc_defect(c, SM_DEFECT_METADATA_LAST);
}

static enum kc_next tell_who_lives(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!metadata_comes_first(c)) {
        return KC_NEXT;
    }
    kc_log_new(c, KC_INFO, "[Controller id=%d] Sending update metadata request",
               c->config.broker.id);
    kc_send_live_brokers(c);
    return KC_NEXT;
}

/* UpdateMetadata about every partition to every live broker: what "no partitions" meant before
 * 0.10. */
static enum kc_next tell_all(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_batch_is_open(c)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
        kc_batch_update_metadata(c, KC_NO_ROW);
    }
    while (f->cursor < c->partition_high) {
        uint32_t row = f->cursor++;
        if (kc_row_is_assigned(c, row) && kc_has_leadership(c, row)) {
            kc_batch_partition_metadata(c, row);
            if (kc_worked(c)) {
                return KC_YIELD;
            }
        }
    }
    kc_batch_send(c);
    return KC_NEXT;
}

/* Before 0.10.2: all partitions, last. */
static enum kc_next tell_everything(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!metadata_comes_first(c)) {
        kc_call(c, KC_FLOW_TELL_ALL, 0);
    }
    return KC_NEXT;
}

/* ---- 10: replica machine ---- */

static enum kc_next init_replicas(struct kc_controller *c, struct kc_frame *f)
{
    if (f->cursor == 0) {
        kc_log_new(c, KC_INFO, "[ReplicaStateMachine controllerId=%d] Initializing replica state",
                   c->config.broker.id);
    }
    while (f->cursor < c->partition_high) {
        uint32_t row = f->cursor++;
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; kc_row_is_assigned(c, row) && i < p->replica_count; i++) {
            uint32_t broker = kc_replicas(c, p)[i];
            kc_put_replica_state(c, row, broker,
                                 kc_is_online(c, row, broker) ? SM_REPLICA_ONLINE
                                                              : SM_REPLICA_DELETION_INELIGIBLE,
                                 true);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

static bool is_online_replica(struct kc_controller *c, uint32_t row, uint32_t broker,
                              uint32_t online)
{
    return kc_is_online(c, row, broker) == (online != 0);
}

static enum kc_next replicas_online(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_new(c, KC_INFO,
               "[ReplicaStateMachine controllerId=%d] Triggering online replica state changes",
               c->config.broker.id);
    kc_replicas_select(c, is_online_replica, 1);
    kc_replicas_call(c, SM_REPLICA_ONLINE);
    return KC_NEXT;
}

/* Since KAFKA-3143: without it a dead broker's replicas stay ReplicaDeletionIneligible and in ISRs.
 */
static enum kc_next replicas_offline(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!sm_rule_on(&c->config.profile, SM_RULE_OFFLINE_AT_STARTUP) ||
        kc_defect(c, SM_DEFECT_DEAD_NOT_OFFLINE)) {
        return KC_NEXT;
    }
    kc_log(c, KC_INFO,
           "[ReplicaStateMachine controllerId=%d] Triggering offline replica state changes",
           c->config.broker.id);
    kc_replicas_select(c, is_online_replica, 0);
    kc_replicas_call(c, SM_REPLICA_OFFLINE);
    return KC_NEXT;
}

/* ---- 11: partition machine ---- */

static enum sm_partition_state initial_state(struct kc_controller *c, uint32_t row)
{
    if (!kc_has_leadership(c, row)) {
        return SM_PARTITION_NEW;
    }
    return kc_is_online_id(c, row, kc_row_at(c, row)->leader) ? SM_PARTITION_ONLINE
                                                              : SM_PARTITION_OFFLINE;
}

static enum kc_next init_partitions(struct kc_controller *c, struct kc_frame *f)
{
    if (f->cursor == 0) {
        kc_log_replica_states(c);
        kc_log_new(c, KC_INFO,
                   "[PartitionStateMachine controllerId=%d] Initializing partition state",
                   c->config.broker.id);
    }
    while (f->cursor < c->partition_high) {
        uint32_t row = f->cursor++;
        if (kc_row_is_assigned(c, row)) {
            kc_put_partition_state(c, row, initial_state(c, row), true);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

static enum kc_next elect_partitions(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_new(c, KC_INFO,
               "[PartitionStateMachine controllerId=%d] Triggering online partition state changes",
               c->config.broker.id);
    kc_call(c, KC_FLOW_TRIGGER_ONLINE, 0);
    return KC_NEXT;
}

/* ---- 12: reassignments ---- */

static enum kc_next resume_znode(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_partition_states(c);
    kc_log_new(c, KC_INFO, "[Controller id=%d] Ready to serve as the new controller with epoch %d",
               c->config.broker.id, c->epoch);
    kc_log_old(c, KC_INFO,
               "[Controller id=%d] Broker %d is ready to serve as the new controller with epoch %d",
               c->config.broker.id, c->config.broker.id, c->epoch);
    kc_set_clear(c, KC_SET_RESUMED);
    kc_call(c, KC_FLOW_REASSIGN_ZNODE, 1);
    return KC_NEXT;
}

static enum kc_next resume_others(struct kc_controller *c, struct kc_frame *f)
{
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        f->cursor = row + 1;
        if (!kc_set_has(c, KC_SET_RESUMED, row)) {
            struct sm_assignment a = kc_row_assignment(c, row);
            kc_reassign_call(c, row, &a);
            return KC_STAY;
        }
    }
    if (f->value > 0) { /* of the last term */
        struct kc_frame *kept = kc_call(c, KC_FLOW_REASSIGN_KEPT, 0);
        kept->arg2 = f->arg;
        kept->value = f->value;
    }
    return KC_NEXT;
}

/* Old versions start their deletion thread last. */
static enum kc_next try_deletion(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_delete_topic_enabled(c) && !kc_is_old(c)) {
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

static enum kc_next try_deletion_last(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_delete_topic_enabled(c) && kc_is_old(c)) {
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

/* ---- 14: preferred elections asked for by znode; failover_preferred.c reads them ---- */

static enum kc_next elect_preferred(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_election_call(c, 0, KC_TRIGGER_ZK);
    return KC_NEXT;
}

/* ---- 15 ---- */

static enum kc_next start_scheduler(struct kc_controller *c, struct kc_frame *f)
{
    enum { FIRST_RUN_US = 5000000 };

    (void)f;
    kc_log_new(c, KC_INFO, "[Controller id=%d] Starting the controller scheduler",
               c->config.broker.id);
    if (c->config.auto_leader_rebalance) {
        kc_log_old(c, KC_INFO, "[Controller id=%d] starting the partition rebalance scheduler",
                   c->config.broker.id);
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_TIMER,
                                       .timer = KC_TIMER_BALANCE,
                                       .due_us = c->step->now_us + FIRST_RUN_US});
    }
    return KC_NEXT;
}

static const struct kc_row tell_all_rows[] = {{.name = "tell everything", .run = tell_all}, {0}};
const struct kc_flow_def kc_flow_TELL_ALL = {.name = "sendUpdateMetadataRequest(all)",
                                             .rows = tell_all_rows};

static const struct kc_row rows[] = {
    {.name = "set up /feature", .bulk = &set_up_feature},
    {.name = "register handlers", .run = register_handlers},
    {.name = "arm admin znodes", .bulk = &arm_admin},
    {.name = "say: log dir events", .run = say_log_dirs},
    {.name = "list log dir events", .bulk = &kc_list_log_dir_events},
    {.name = "delete log dir events", .bulk = &kc_delete_log_dir_events},
    {.name = "say: ISR changes", .run = say_isr},
    {.name = "list ISR changes", .bulk = &kc_list_isr_changes},
    {.name = "delete ISR changes", .bulk = &kc_delete_isr_changes},
    {.name = "say: context", .run = say_context},
    {.name = "list brokers", .bulk = &kc_list_brokers},
    {.name = "read brokers", .bulk = &kc_read_brokers},
    {.name = "set live brokers", .run = set_live_brokers},
    {.name = "before topics", .run = before_topics},
    {.name = "list topics", .bulk = &kc_list_topics},
    {.name = "read topics", .bulk = &kc_read_topics},
    {.name = "live brokers", .run = group_live},
    {.name = "arm brokers", .bulk = &kc_arm_brokers},
    {.name = "read partition states", .bulk = &kc_read_leadership},
    {.name = "open channels", .run = open_channels},
    {.name = "say: deletions", .run = say_deletions},
    {.name = "list deletions", .bulk = &kc_list_deletions},
    {.name = "queue deletions", .run = init_deletions},
    {.name = "drop deletions", .bulk = &kc_delete_deletions},
    {.name = "tell who lives", .run = tell_who_lives},
    {.name = "replica states", .run = init_replicas},
    {.name = "live replicas go Online", .run = replicas_online},
    {.name = "dead replicas go Offline", .run = replicas_offline},
    {.name = "partition states", .run = init_partitions},
    {.name = "elect", .run = elect_partitions},
    {.name = "reassignments by znode", .run = resume_znode},
    {.name = "other reassignments", .run = resume_others},
    {.name = "topic deletion", .run = try_deletion},
    {.name = "read preferred elections", .bulk = &kc_read_preferred},
    {.name = "preferred elections", .run = elect_preferred},
    {.name = "tell everything", .run = tell_everything},
    {.name = "start the scheduler", .run = start_scheduler},
    {.name = "topic deletion, last", .run = try_deletion_last},
    {0},
};

const struct kc_flow_def kc_flow_FAILOVER = {.name = "onControllerFailover", .rows = rows};
