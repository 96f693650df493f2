/*
 * Brokers come and go.
 *
 *   BrokerChange ─► list, read ─► new, bounced, dead (by id and by czxid, KAFKA-7235)
 *        new      ─► start-up
 *        bounced  ─► failure, then start-up
 *        dead     ─► failure
 *
 *   failure: partitions without a live leader go Offline ─► elect ─► replicas go Offline (leave
 * ISRs) ─► deletions of theirs fail ─► the others are told who lives
 *
 * Electing before shrinking saves an epoch: a clean election takes the dead out of the ISR in the
 * same write. The other order would write leader -1 first and show it to everybody.
 *
 * What brokers answer and tell of themselves is in broker_events.c.
 *
 * Source: Kafka KafkaController.processBrokerChange, onBrokerStartup, onBrokerFailure,
 * onReplicasBecomeOffline.
 */
#include "controller/broker_parts.h"

/* Makes the brokers with `flag` the group that the next flow is about; returns whether there is
 * one. */
bool kc_make_group(struct kc_controller *c, uint32_t flag)
{
    bool any = false;

    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        b->flags &= ~(uint32_t)KC_BROKER_GROUP;
        if ((b->flags & flag) != 0) {
            b->flags |= KC_BROKER_GROUP;
            any = true;
        }
    }
    return any;
}

const char *kc_group_text(struct kc_controller *c, char *out, size_t size)
{
    kc_text_brokers(c, out, size, ",", KC_BROKER_GROUP, KC_BROKER_GROUP);
    return out;
}

bool kc_replica_of_group(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)row, (void)arg;
    return kc_broker_is(c, broker, KC_BROKER_GROUP);
}

/* ---- BrokerChange ---- */

static uint32_t change_of(const struct kc_controller *c, const struct kc_broker *b)
{
    bool was = (b->flags & KC_BROKER_LIVE) != 0;
    bool is = (b->flags & KC_BROKER_READ) != 0;

    if (was && is) {
        bool epochs = sm_rule_on(&c->config.profile, SM_RULE_BROKER_EPOCHS) &&
                      !kc_defect(c, SM_DEFECT_BOUNCE_INVISIBLE);
        return epochs && b->read_epoch > b->epoch ? KC_BROKER_BOUNCED : 0;
    }
    return is ? KC_BROKER_NEW : was ? KC_BROKER_DEAD : 0;
}

static void log_change(struct kc_controller *c)
{
    char added[1024], deleted[1024], bounced[1024], live[2048];

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_text_brokers(c, added, sizeof added, ",", KC_BROKER_NEW, KC_BROKER_NEW);
    kc_text_brokers(c, deleted, sizeof deleted, ",", KC_BROKER_DEAD, KC_BROKER_DEAD);
    kc_text_brokers(c, bounced, sizeof bounced, ",", KC_BROKER_BOUNCED, KC_BROKER_BOUNCED);
    kc_text_brokers(c, live, sizeof live, ",", KC_BROKER_READ, KC_BROKER_READ);
    if (!sm_rule_on(&c->config.profile, SM_RULE_BROKER_EPOCHS)) {
        kc_log(c, KC_INFO,
               "[BrokerChangeListener on Controller %d]: Broker change listener fired for path "
               "/brokers/ids with children %s",
               c->config.broker.id, live);
        kc_log(c, KC_INFO,
               "[BrokerChangeListener on Controller %d]: Newly added brokers: %s, deleted brokers: "
               "%s, all live brokers: %s",
               c->config.broker.id, added, deleted, live);
        return;
    }
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Newly added brokers: %s, deleted brokers: %s, bounced brokers: %s, all "
        "live brokers: %s",
        c->config.broker.id, added, deleted, bounced, live);
}

/* Senders change before anything is said: nothing queued for an old incarnation reaches the new. */
static void change_channels(struct kc_controller *c)
{
    for (uint32_t n = 0; n < c->broker_count; n++) {
        uint32_t i = kc_broker_ordered(c, n);
        if (kc_broker_is(c, i, KC_BROKER_DEAD | KC_BROKER_BOUNCED)) {
            kc_channel_close(c, i);
        }
        if (kc_broker_is(c, i, KC_BROKER_NEW | KC_BROKER_BOUNCED)) {
            kc_channel_open(c, i);
        }
    }
}

/* Old versions take the whole new picture over before anything else happens. */
static void adopt_all(struct kc_controller *c)
{
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        bool live = (b->flags & KC_BROKER_READ) != 0;
        b->flags = (b->flags & ~(uint32_t)KC_BROKER_LIVE) | (live ? KC_BROKER_LIVE : 0u);
        if (live) {
            b->known = b->read;
            b->epoch = b->read_epoch;
        }
    }
    kc_note_live(c);
}

static enum kc_next classify(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        b->flags &= ~(uint32_t)(KC_BROKER_NEW | KC_BROKER_BOUNCED | KC_BROKER_DEAD);
        b->flags |= change_of(c, b);
    }
    log_change(c);
    if (!sm_rule_on(&c->config.profile, SM_RULE_BROKER_EPOCHS)) {
        adopt_all(c);
    }
    change_channels(c);
    return KC_NEXT;
}

static void set_live(struct kc_controller *c, uint32_t flag, bool live)
{
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        if ((b->flags & flag) == 0) {
            continue;
        }
        b->flags &= ~(uint32_t)KC_BROKER_LIVE;
        if (live) {
            b->flags |= KC_BROKER_LIVE;
            b->known = b->read;
            b->epoch = b->read_epoch;
        }
    }
    kc_note_live(c);
}

static enum kc_next start_new(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_make_group(c, KC_BROKER_NEW)) {
        set_live(c, KC_BROKER_NEW, true);
        kc_call(c, KC_FLOW_BROKER_STARTUP, 0);
    }
    return KC_NEXT;
}

static enum kc_next fail_bounced(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_make_group(c, KC_BROKER_BOUNCED)) {
        set_live(c, KC_BROKER_BOUNCED, false);
        kc_call(c, KC_FLOW_BROKER_FAILURE, 0);
    }
    return KC_NEXT;
}

static enum kc_next start_bounced(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_make_group(c, KC_BROKER_BOUNCED)) {
        set_live(c, KC_BROKER_BOUNCED, true);
        kc_call(c, KC_FLOW_BROKER_STARTUP, 0);
    }
    return KC_NEXT;
}

static enum kc_next fail_dead(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_make_group(c, KC_BROKER_DEAD)) {
        set_live(c, KC_BROKER_DEAD, false);
        kc_call(c, KC_FLOW_BROKER_FAILURE, 0);
    }
    return KC_NEXT;
}

static enum kc_next say_epochs(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_make_group(c, KC_BROKER_NEW | KC_BROKER_BOUNCED | KC_BROKER_DEAD)) {
        kc_log_epochs(c, "Updated broker epochs cache");
    }
    return KC_NEXT;
}

static const struct kc_row broker_change_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "list brokers", .bulk = &kc_list_brokers},
    {.name = "read brokers", .bulk = &kc_read_brokers},
    {.name = "new, bounced, dead", .run = classify},
    {.name = "new brokers", .run = start_new},
    {.name = "bounced brokers fail", .run = fail_bounced},
    {.name = "bounced brokers start", .run = start_bounced},
    {.name = "dead brokers", .run = fail_dead},
    {.name = "say epochs", .run = say_epochs},
    {0},
};
const struct kc_flow_def kc_flow_BROKER_CHANGE = {.name = "BrokerChange",
                                                  .rows = broker_change_rows};

/* ---- onBrokerStartup: of the group ---- */

static enum kc_next start_begin(struct kc_controller *c, struct kc_frame *f)
{
    char ids[1024];

    (void)f;
    kc_log(c, KC_INFO, "[Controller id=%d] New broker startup callback for %s", c->config.broker.id,
           kc_group_text(c, ids, sizeof ids));
    for (uint32_t i = 0; i < c->broker_count; i++) {
        if (kc_broker_is(c, i, KC_BROKER_GROUP)) {
            kc_clear_offline_dirs(c, i);
        }
    }
    return KC_NEXT;
}

static void address(struct kc_controller *c, uint32_t mask, uint32_t want)
{
    uint32_t n = 0;

    for (uint32_t b = kc_broker_next(c, &n, mask, want); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, mask, want)) {
        kc_batch_update_metadata_to(c, b);
    }
}

/* The brokers that were there learn of the new ones, and nothing else. */
static enum kc_next tell_existing(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (sm_rule_on(&c->config.profile, SM_RULE_METADATA_FIRST)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
        address(c, KC_BROKER_LIVE | KC_BROKER_GROUP, KC_BROKER_LIVE);
        kc_batch_send(c);
    }
    return KC_NEXT;
}

/* The new ones are told of all partitions first; in 0.9 everybody is, in 0.8.2 only the new ones.
 */
static enum kc_next tell_new(struct kc_controller *c, struct kc_frame *f)
{
    bool all = !sm_rule_on(&c->config.profile, SM_RULE_METADATA_FIRST) &&
               sm_rule_on(&c->config.profile, SM_RULE_METADATA_TO_ALL_ON_STARTUP);

    if (!kc_batch_is_open(c)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
        address(c, KC_BROKER_LIVE | (all ? 0u : KC_BROKER_GROUP),
                KC_BROKER_LIVE | (all ? 0u : KC_BROKER_GROUP));
    }
    while (f->cursor < c->partition_high) {
        uint32_t row = f->cursor++;
        if (kc_row_at(c, row)->topic != 0 && kc_has_leadership(c, row) &&
            !kc_is_given_up(c, row)) {
            kc_batch_partition_metadata(c, row);
            if (kc_worked(c)) {
                return KC_YIELD;
            }
        }
    }
    kc_batch_send(c);
    return KC_NEXT;
}

static enum kc_next start_replicas(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select(c, kc_replica_of_group, 0);
    kc_replicas_call(c, SM_REPLICA_ONLINE);
    return KC_NEXT;
}

static enum kc_next trigger_online(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_TRIGGER_ONLINE, 0);
    return KC_NEXT;
}

static bool targets_group(struct kc_controller *c, const struct sm_assignment *a)
{
    struct sm_list target = sm_assignment_target(a);

    for (int32_t i = 0; i < target.count; i++) {
        uint32_t broker = kc_broker_find(c, target.id[i]);
        if (broker != KC_NO_ROW && kc_broker_is(c, broker, KC_BROKER_GROUP)) {
            return true;
        }
    }
    return false;
}

static enum kc_next resume_reassignments(struct kc_controller *c, struct kc_frame *f)
{
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        struct sm_assignment a = kc_row_assignment(c, row);
        f->cursor = row + 1;
        if (targets_group(c, &a)) {
            kc_reassign_call(c, row, &a);
            return KC_STAY;
        }
    }
    return KC_NEXT;
}

static bool topic_on_group(struct kc_controller *c, uint32_t topic)
{
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (kc_broker_is(c, kc_replicas(c, p)[i], KC_BROKER_GROUP)) {
                return true;
            }
        }
    }
    return false;
}

/* Kafka lets a deletion go on that a reassignment has halted (delete while reassigning). */
static enum kc_next resume_deletions(struct kc_controller *c, struct kc_frame *f)
{
    bool late = kc_defect(c, SM_DEFECT_DELETE_WHILE_REASSIGNING);
    bool any = false;

    (void)f;
    for (uint32_t t = 0; t < c->topic_count; t++) {
        if ((kc_topic(c, t)->flags & KC_TOPIC_QUEUED) != 0 && topic_on_group(c, t) &&
            (late || !kc_topic_has_reassignment(c, t))) {
            kc_mark_topic(c, t, KC_TOPIC_INELIGIBLE | KC_TOPIC_HELD, false);
            any = true;
        }
    }
    if (any) {
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

static enum kc_next say_handlers(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_broker_handlers(c, "Register", "List", KC_BROKER_GROUP);
    return KC_NEXT;
}

static const struct kc_row startup_rows[] = {
    {.name = "begin", .run = start_begin},
    {.name = "tell the existing brokers", .run = tell_existing},
    {.name = "tell the new brokers", .run = tell_new},
    {.name = "replicas go Online", .run = start_replicas},
    {.name = "elect", .run = trigger_online},
    {.name = "resume reassignments", .run = resume_reassignments},
    {.name = "resume deletions", .run = resume_deletions},
    {.name = "say: handlers", .run = say_handlers},
    {.name = "arm brokers", .bulk = &kc_arm_brokers},
    {0},
};
const struct kc_flow_def kc_flow_BROKER_STARTUP = {.name = "onBrokerStartup", .rows = startup_rows};

/* ---- onBrokerFailure: of the group ---- */

static enum kc_next fail_begin(struct kc_controller *c, struct kc_frame *f)
{
    char ids[1024];

    (void)f;
    kc_log(c, KC_INFO, "[Controller id=%d] Broker failure callback for %s", c->config.broker.id,
           kc_group_text(c, ids, sizeof ids));
    kc_text_brokers(c, ids, sizeof ids, ",", KC_BROKER_GROUP | KC_BROKER_SHUTTING_DOWN,
                    KC_BROKER_GROUP | KC_BROKER_SHUTTING_DOWN);
    kc_log_old(c, KC_INFO,
               "[Controller id=%d] Removed ArrayBuffer(%s) from list of shutting down brokers.",
               c->config.broker.id, ids);
    if (ids[0] != '\0') {
        kc_log_new(c, KC_INFO, "[Controller id=%d] Removed %s from list of shutting down brokers.",
                   c->config.broker.id, ids);
    }
    for (uint32_t i = 0; i < c->broker_count; i++) {
        if (kc_broker_is(c, i, KC_BROKER_GROUP)) {
            kc_clear_offline_dirs(c, i);
            kc_broker(c, i)->flags &= ~(uint32_t)KC_BROKER_SHUTTING_DOWN;
        }
    }
    kc_call(c, KC_FLOW_REPLICAS_OFFLINE, 0);
    return KC_NEXT;
}

static enum kc_next fail_end(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_broker_handlers(c, "Unregister", "List", KC_BROKER_GROUP);
    for (uint32_t i = 0; i < c->broker_count; i++) {
        if (kc_broker_is(c, i, KC_BROKER_GROUP)) {
            kc_broker(c, i)->flags &= ~(uint32_t)KC_BROKER_MODIFICATIONS;
        }
    }
    return KC_NEXT;
}

static const struct kc_row failure_rows[] = {
    {.name = "begin", .run = fail_begin}, {.name = "forget handlers", .run = fail_end}, {0}};
const struct kc_flow_def kc_flow_BROKER_FAILURE = {.name = "onBrokerFailure", .rows = failure_rows};

/* ---- onReplicasBecomeOffline: arg 0 those on the group, 1 those of KC_SET_LISTED on broker
 * `value` ---- */

static bool became_offline(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    uint32_t of = arg >> 2; /* 0: the group, else broker + 1 */
    bool queued = (arg & 1) != 0;

    if (kc_is_given_up(c, row) != queued) {
        return false;
    }
    return of == 0 ? kc_broker_is(c, broker, KC_BROKER_GROUP) : broker == of - 1;
}

static uint32_t offline_arg(const struct kc_frame *f, bool queued)
{
    return (f->arg == 0 ? 0 : (uint32_t)(f->value + 1) << 2) | queued;
}

static void select_offline(struct kc_controller *c, const struct kc_frame *f, bool queued)
{
    if (f->arg == 0) {
        kc_replicas_select(c, became_offline, offline_arg(f, queued));
    } else {
        kc_replicas_select_in(c, KC_SET_GIVEN, became_offline, offline_arg(f, queued));
    }
}

/* Over the whole context, not only the newly offline: that is Kafka's rule, and KAFKA-13225's root.
 */
static bool lost_its_leader(struct kc_controller *c, uint32_t row)
{
    if (kc_row_at(c, row)->topic == 0 || !kc_has_leadership(c, row) || kc_is_given_up(c, row)) {
        return false;
    }
    int32_t leader = kc_row_at(c, row)->leader;
    if (sm_rule_on(&c->config.profile, SM_RULE_BATCHED_CHANGES)) {
        return leader < 0 || !kc_is_online_id(c, row, leader);
    }
    uint32_t broker = leader < 0 ? KC_NO_ROW : kc_broker_find(c, leader);
    return broker != KC_NO_ROW && kc_broker_is(c, broker, KC_BROKER_GROUP);
}

static enum kc_next partitions_offline(struct kc_controller *c, struct kc_frame *f)
{
    if (f->cursor == 0) {
        kc_set_clear(c, KC_SET_WORK);
    }
    while (f->cursor < c->partition_high) {
        uint32_t row = f->cursor++;
        if (lost_its_leader(c, row)) {
            kc_set_add(c, KC_SET_WORK, row);
            f->arg2 = 1;
        }
    }
    kc_partitions_call(c, SM_PARTITION_OFFLINE, SM_STRATEGY_NONE, false);
    return KC_NEXT;
}

static enum kc_next replicas_offline(struct kc_controller *c, struct kc_frame *f)
{
    select_offline(c, f, false);
    kc_replicas_call(c, SM_REPLICA_OFFLINE);
    return KC_NEXT;
}

void kc_mark_topics_of_work(struct kc_controller *c)
{
    uint32_t count = kc_work_start(c)[c->call.group_count];

    for (uint32_t i = 0; i < count; i++) {
        kc_topic(c, kc_row_at(c, kc_work_rows(c)[i])->topic - 1)->flags |= KC_TOPIC_MARKED;
    }
}

static enum kc_next deletions_fail(struct kc_controller *c, struct kc_frame *f)
{
    select_offline(c, f, true);
    if (!kc_replicas_are_none(c)) {
        kc_mark_topics_of_work(c);
        kc_call(c, KC_FLOW_FAIL_DELETION, 0);
    }
    return KC_NEXT;
}

static enum kc_next tell_survivors(struct kc_controller *c, struct kc_frame *f)
{
    const struct sm_profile *p = &c->config.profile;

    if (!sm_rule_on(p, SM_RULE_METADATA_ON_FAILURE) ||
        (f->arg2 != 0 && (sm_defect_on(p, SM_DEFECT_METADATA_SKIPPED) ||
                          !sm_rule_on(p, SM_RULE_BATCHED_CHANGES)))) {
        return KC_NEXT;
    }
    if (sm_rule_on(p, SM_RULE_EMPTY_METADATA_IS_NONE)) {
        kc_send_live_brokers(c);
    } else {
        kc_call(c, KC_FLOW_TELL_ALL, 0);
    }
    return KC_NEXT;
}

static const struct kc_row offline_rows[] = {
    {.name = "partitions without live leader go Offline", .run = partitions_offline},
    {.name = "elect", .run = trigger_online},
    {.name = "replicas go Offline", .run = replicas_offline},
    {.name = "deletions fail", .run = deletions_fail},
    {.name = "tell who lives", .run = tell_survivors},
    {0},
};
const struct kc_flow_def kc_flow_REPLICAS_OFFLINE = {.name = "onReplicasBecomeOffline",
                                                     .rows = offline_rows};
