/*
 * Log lines that list many things: brokers, topics, partitions, states.
 *
 * Kafka prints Scala collections; where their order is that of a hash map, ours is ascending, and
 * the comparison with recorded logs sorts such lists. A line that grows beyond KC_LINE_BYTES is
 * cut. Nothing is walked where nobody wants the line.
 *
 * Old versions know fewer of these lines; Scala 2.10 prints every set as Set(…), every map as
 * Map(…), and a partition as [topic,partition].
 *
 * Source: the info, debug and trace calls of KafkaController and TopicDeletionManager, at 2.8.2.
 */
#include "controller/line.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- lines ---- */

void kc_line_add(struct kc_line *l, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(l->text + l->at, sizeof l->text - l->at, format, arguments);
    va_end(arguments);
    l->at += n < 0 ? 0 : (size_t)n;
    if (l->at >= sizeof l->text) {
        l->at = sizeof l->text - 1;
        memcpy(l->text + l->at - 3, "...", 3);
    }
}

bool kc_line_is_full(const struct kc_line *l)
{
    return l->at == sizeof l->text - 1;
}

void kc_line_separate(struct kc_line *l, size_t start, const char *separator)
{
    if (l->at > start) {
        kc_line_add(l, "%s", separator);
    }
}

void kc_line_ids(struct kc_line *l, const int32_t *ids, uint32_t count, const char *separator)
{
    for (uint32_t i = 0; i < count; i++) {
        kc_line_add(l, "%s%d", i > 0 ? separator : "", ids[i]);
    }
}

void kc_line_brokers(const struct kc_controller *c, struct kc_line *l, const char *separator,
                     uint32_t mask, uint32_t want)
{
    uint32_t n = 0;
    size_t start = l->at;

    for (uint32_t b = kc_broker_next(c, &n, mask, want); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, mask, want)) {
        kc_line_separate(l, start, separator);
        kc_line_add(l, "%d", kc_broker(c, b)->id);
    }
}

void kc_line_node(struct kc_line *l, const struct sm_broker *b)
{
    bool known = b->endpoint_count > 0;

    kc_line_add(l, "%s:%d (id: %d rack: %s)", known ? b->endpoint[0].host : "",
                known ? b->endpoint[0].port : -1, b->id, b->rack[0] != '\0' ? b->rack : "null");
}

static void add_row(const struct kc_controller *c, struct kc_line *l, uint32_t row)
{
    kc_line_add(l, kc_is_old(c) ? "[%s,%d]" : "%s-%d", kc_row_topic(c, row),
                kc_row_at(c, row)->partition);
}

static void add_rows(const struct kc_controller *c, struct kc_line *l, enum kc_set set,
                     const char *separator)
{
    size_t start = l->at;

    for (uint32_t row = kc_set_next(c, set, 0); row != KC_NO_ROW && !kc_line_is_full(l);
         row = kc_set_next(c, set, row + 1)) {
        kc_line_separate(l, start, separator);
        add_row(c, l, row);
    }
}

static void add_topics(const struct kc_controller *c, struct kc_line *l, uint32_t flag,
                       const char *separator)
{
    size_t start = l->at;

    for (uint32_t t = 0; t < c->topic_count && !kc_line_is_full(l); t++) {
        if ((kc_topic(c, t)->flags & flag) != 0) {
            kc_line_separate(l, start, separator);
            kc_line_add(l, "%s", kc_topic_name(kc_topic(c, t)));
        }
    }
}

static bool wanted(const struct kc_controller *c)
{
    return kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE);
}

/* ---- brokers ---- */

void kc_log_epochs(struct kc_controller *c, const char *what)
{
    struct kc_line l;
    uint32_t n = 0;

    if (!wanted(c) || kc_is_old(c)) {
        return;
    }
    kc_line_begin(&l);
    for (uint32_t b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        kc_line_separate(&l, 0, ", ");
        kc_line_add(&l, "%d -> %lld", kc_broker(c, b)->id, (long long)kc_broker(c, b)->epoch);
    }
    kc_log(c, KC_INFO, "[Controller id=%d] %s: HashMap(%s)", c->config.broker.id, what, l.text);
}

/* Of the brokers with `flag`; Scala prints the key set of a map as Set, a sequence as List. */
void kc_log_broker_handlers(struct kc_controller *c, const char *verb, const char *collection,
                            uint32_t flag)
{
    struct kc_line l;

    if (!kc_notes(c, KC_NOTE_LOG_TRACE) || kc_is_old(c)) {
        return;
    }
    kc_line_begin(&l);
    kc_line_brokers(c, &l, ", ", flag, flag);
    kc_log(c, KC_DEBUG, "[Controller id=%d] %s BrokerModifications handler for %s(%s)",
           c->config.broker.id, verb, collection, l.text);
}

/* Scala 2.13 prints an immutable set of up to four as Set(…), a larger or mutable one as
   HashSet(…). */
void kc_log_members(struct kc_controller *c)
{
    uint32_t mask = KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN;
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    kc_line_brokers(c, &l, ", ", mask, KC_BROKER_LIVE);
    kc_log(c, KC_INFO, "[Controller id=%d] Currently active brokers in the cluster: %s(%s)",
           c->config.broker.id,
           kc_broker_count_with(c, mask, KC_BROKER_LIVE) > 4 && !kc_is_old(c) ? "HashSet" : "Set",
           l.text);
    kc_line_begin(&l);
    kc_line_brokers(c, &l, ", ", KC_BROKER_SHUTTING_DOWN, KC_BROKER_SHUTTING_DOWN);
    kc_log(c, KC_INFO, "[Controller id=%d] Currently shutting brokers in the cluster: %s(%s)",
           c->config.broker.id, kc_is_old(c) ? "Set" : "HashSet", l.text);
    kc_line_begin(&l);
    add_topics(c, &l, KC_TOPIC_EXISTS, ", ");
    kc_log(c, KC_INFO, "[Controller id=%d] Current list of topics in the cluster: %s(%s)",
           c->config.broker.id, kc_is_old(c) ? "Set" : "HashSet", l.text);
}

/* ---- topic deletion ---- */

static uint32_t add_names(const struct kc_controller *c, struct kc_line *l, const char *separator)
{
    const char *name = NULL;
    uint32_t count = 0;

    while ((name = kc_name_next(c, name)) != NULL && !kc_line_is_full(l)) {
        kc_line_add(l, "%s%s", count++ > 0 ? separator : "", name);
    }
    return count;
}

static void add_ineligible(struct kc_controller *c, struct kc_line *l, const char *separator)
{
    size_t start = l->at;

    for (uint32_t t = 0; t < c->topic_count && !kc_line_is_full(l); t++) {
        if ((kc_topic(c, t)->flags & KC_TOPIC_EXISTS) != 0 &&
            (kc_topic_has_offline_replica(c, t) || kc_topic_has_reassignment(c, t))) {
            kc_line_separate(l, start, separator);
            kc_line_add(l, "%s", kc_topic_name(kc_topic(c, t)));
        }
    }
}

void kc_log_deletions(struct kc_controller *c)
{
    int32_t id = c->config.broker.id;
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    add_names(c, &l, ",");
    kc_log(c, KC_INFO, "[Controller id=%d] List of topics to be deleted: %s", id, l.text);
    kc_line_begin(&l);
    add_ineligible(c, &l, ",");
    kc_log(c, KC_INFO, "[Controller id=%d] List of topics ineligible for deletion: %s", id, l.text);
    if (kc_is_old(c)) {
        return;
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Initializing topic deletion manager", id);
    kc_line_begin(&l);
    kc_line_add(&l, "Set(");
    if (add_names(c, &l, ", ") > 4) {
        kc_line_begin(&l);
        kc_line_add(&l, "HashSet(");
        add_names(c, &l, ", ");
    }
    kc_line_add(&l, "), initial ineligible deletions: HashSet(");
    add_ineligible(c, &l, ", ");
    kc_log(c, KC_INFO,
           "[Topic Deletion Manager %d] Initializing manager with initial deletions: %s)", id,
           l.text);
}

void kc_log_topics(struct kc_controller *c, const char *before, uint32_t flag)
{
    struct kc_line l;

    if (wanted(c)) {
        kc_line_begin(&l);
        add_topics(c, &l, flag, ",");
        kc_log(c, KC_INFO, "[Topic Deletion Manager %d] %s%s", c->config.broker.id, before, l.text);
    }
}

void kc_log_halted(struct kc_controller *c, uint32_t flag, const char *reason)
{
    struct kc_line l;

    if (wanted(c)) {
        kc_line_begin(&l);
        add_topics(c, &l, flag, ",");
        kc_log(c, KC_INFO, "[Topic Deletion Manager %d] Halted deletion of topics %s due to %s",
               c->config.broker.id, l.text, reason);
    }
}

/* ---- state machines ---- */

/* Old versions say it at INFO. */
static bool wanted_at_start(const struct kc_controller *c)
{
    return kc_is_old(c) ? wanted(c) : kc_notes(c, KC_NOTE_LOG_TRACE);
}

static void add_replica_states(const struct kc_controller *c, struct kc_line *l, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    const struct kc_replica_entry *entries = kc_entries(c, p);

    for (uint32_t i = 0; i < p->entry_count; i++) {
        if (entries[i].broker == 0 || entries[i].state == SM_REPLICA_NONE) {
            continue;
        }
        kc_line_separate(l, 0, ", ");
        kc_line_add(l, "[Topic=%s,Partition=%d,Replica=%d] -> %s", kc_row_topic(c, row),
                    p->partition, kc_broker(c, entries[i].broker - 1u)->id,
                    sm_replica_state_name(entries[i].state));
    }
}

void kc_log_replica_states(struct kc_controller *c)
{
    struct kc_line l;

    if (!wanted_at_start(c)) {
        return;
    }
    kc_line_begin(&l);
    for (uint32_t row = 0; row < c->partition_high && !kc_line_is_full(&l); row++) {
        if (kc_row_at(c, row)->topic != 0) {
            add_replica_states(c, &l, row);
        }
    }
    kc_log(c, kc_is_old(c) ? KC_INFO : KC_DEBUG,
           "[ReplicaStateMachine controllerId=%d] Started replica state machine with initial state "
           "-> %s(%s)",
           c->config.broker.id, kc_is_old(c) ? "Map" : "HashMap", l.text);
}

void kc_log_partition_states(struct kc_controller *c)
{
    struct kc_line l;

    if (!wanted_at_start(c)) {
        return;
    }
    kc_line_begin(&l);
    for (uint32_t row = 0; row < c->partition_high && !kc_line_is_full(&l); row++) {
        const struct kc_partition *p = kc_row_at(c, row);
        if (p->topic != 0 && p->state != SM_PARTITION_NONE) {
            kc_line_separate(&l, 0, ", ");
            add_row(c, &l, row);
            kc_line_add(&l, " -> %s", sm_partition_state_name(p->state));
        }
    }
    kc_log(c, kc_is_old(c) ? KC_INFO : KC_DEBUG,
           "[PartitionStateMachine controllerId=%d] Started partition state machine with initial "
           "state -> %s(%s)",
           c->config.broker.id, kc_is_old(c) ? "Map" : "HashMap", l.text);
}

void kc_log_invoked_replicas(struct kc_controller *c)
{
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    for (uint32_t g = 0; g < c->call.group_count; g++) {
        uint32_t end = kc_work_start(c)[g + 1];
        for (uint32_t i = kc_work_start(c)[g]; i < end && !kc_line_is_full(&l); i++) {
            uint32_t row = kc_work_rows(c)[i];
            kc_line_separate(&l, 0, ",");
            kc_line_add(&l, "[Topic=%s,Partition=%d,Replica=%d]", kc_row_topic(c, row),
                        kc_row_at(c, row)->partition, kc_broker(c, kc_work_order(c)[g])->id);
        }
    }
    kc_log(c, KC_INFO,
           "[ReplicaStateMachine controllerId=%d] Invoking state change to %s for replicas %s",
           c->config.broker.id, sm_replica_state_name(c->call.target), l.text);
}

void kc_log_invoked_partitions(struct kc_controller *c)
{
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    add_rows(c, &l, KC_SET_WORK, ",");
    kc_log(c, KC_INFO,
           "[PartitionStateMachine controllerId=%d] Invoking state change to %s for partitions %s",
           c->config.broker.id, sm_partition_state_name(c->call.target), l.text);
}

/* ---- sets of partitions ---- */

void kc_log_offline_dirs(struct kc_controller *c, uint32_t broker)
{
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    add_rows(c, &l, KC_SET_GIVEN, ",");
    kc_state_log(c, KC_INFO, "Mark replicas %s on broker %d as offline", l.text,
                 kc_broker(c, broker)->id);
}

void kc_log_set(struct kc_controller *c, enum kc_level level, const char *before, enum kc_set set,
                const char *after)
{
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    kc_line_begin(&l);
    add_rows(c, &l, set, ",");
    kc_log(c, level, "[Controller id=%d] %s%s%s", c->config.broker.id, before, l.text, after);
}

/* Partitions whose ISR changed: KC_SET_LISTED. */
void kc_log_isr_changes(struct kc_controller *c)
{
    struct kc_line l;

    if (!kc_notes(c, KC_NOTE_LOG_TRACE) || kc_is_old(c)) {
        return;
    }
    kc_line_begin(&l);
    kc_line_brokers(c, &l, ", ", KC_BROKER_LIVE, KC_BROKER_LIVE);
    kc_line_add(&l, ") for TopicPartitions: ArrayBuffer(");
    add_rows(c, &l, KC_SET_LISTED, ", ");
    kc_log(c, KC_DEBUG, "[Controller id=%d] Sending MetadataRequest to Brokers: List(%s)",
           c->config.broker.id, l.text);
}

static uint32_t topics_with(const struct kc_controller *c, uint32_t mask, uint32_t want)
{
    uint32_t count = 0;

    for (uint32_t t = 0; t < c->topic_count; t++) {
        count += (kc_topic(c, t)->flags & mask) == want;
    }
    return count;
}

static void add_new_topic(struct kc_controller *c, struct kc_line *l, uint32_t topic)
{
    const struct kc_topic *t = kc_topic(c, topic);
    char text[SM_REPLICAS_MAX * 40];
    size_t start;

    kc_line_add(l, "TopicIdReplicaAssignment(%s,None,%sMap(", kc_topic_name(t),
                t->partition_count > 4 ? "Hash" : "");
    start = l->at;
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW);
         row != KC_NO_ROW && !kc_line_is_full(l); row = kc_row_next_of(c, topic, row)) {
        struct sm_assignment a = kc_row_assignment(c, row);
        kc_text_assignment(text, sizeof text, &a);
        kc_line_separate(l, start, ", ");
        add_row(c, l, row);
        kc_line_add(l, " -> %s", text);
    }
    kc_line_add(l, "))");
}

/* Before those that are gone are forgotten. */
void kc_log_topic_change(struct kc_controller *c)
{
    struct kc_line l;

    if (!wanted(c)) {
        return;
    }
    const char *kind = topics_with(c, KC_TOPIC_NEW, KC_TOPIC_NEW) > 4 ? "HashSet" : "Set";
    kc_line_begin(&l);
    kc_line_add(&l, "%s(", kind);
    add_topics(c, &l, KC_TOPIC_NEW, ", ");
    kc_line_add(&l, ")], deleted topics: [HashSet(");
    size_t start = l.at;
    for (uint32_t t = 0; t < c->topic_count && !kc_line_is_full(&l); t++) {
        uint32_t flags = kc_topic(c, t)->flags;
        if ((flags & (KC_TOPIC_EXISTS | KC_TOPIC_SEEN)) == KC_TOPIC_EXISTS) {
            kc_line_separate(&l, start, ", ");
            kc_line_add(&l, "%s", kc_topic_name(kc_topic(c, t)));
        }
    }
    kc_line_add(&l, ")], new partition replica assignment [%s(", kind);
    start = l.at;
    for (uint32_t t = 0; t < c->topic_count && !kc_line_is_full(&l); t++) {
        if ((kc_topic(c, t)->flags & KC_TOPIC_NEW) != 0) {
            kc_line_separate(&l, start, ", ");
            add_new_topic(c, &l, t);
        }
    }
    kc_log(c, KC_INFO, "[Controller id=%d] New topics: [%s)]", c->config.broker.id, l.text);
}

/* Ours: Kafka passes most of these over in silence. */
void kc_log_unreadable(struct kc_controller *c, const char *path)
{
    kc_log(c, KC_WARN,
           "[Controller id=%d] The znode %s cannot be parsed; it is left as it is and counts as "
           "absent",
           c->config.broker.id, path);
}
