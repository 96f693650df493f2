/*
 * Log lines that list many things: brokers, topics, partitions, the requests of a batch.
 *
 * Kafka prints Scala collections; where their order is that of a hash map, ours is ascending, and
 * the comparison with recorded logs sorts such lists.
 *
 * Source: the info, debug and trace calls of KafkaController, ControllerChannelManager,
 * TopicDeletionManager, at 2.8.2.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 8192 };

struct line {
    char text[LINE_MAX_BYTES];
    size_t at;
};

static bool wanted(const struct kc_controller *c)
{
    return kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE);
}

static void add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(l->text + l->at, sizeof l->text - l->at, format, arguments);
    va_end(arguments);
    l->at += n < 0 ? 0 : (size_t)n;
    if (l->at >= sizeof l->text) {
        l->at = sizeof l->text - 1;
    }
}

/* Scala 2.13 prints a set of up to four as Set(…), a larger one as HashSet(…). */
static void add_set(struct kc_controller *c, struct line *l, uint32_t mask, uint32_t want)
{
    uint32_t n = 0;
    const char *separator = "";

    add(l, "%s(", kc_broker_count_with(c, mask, want) > 4 ? "HashSet" : "Set");
    for (uint32_t b = kc_broker_next(c, &n, mask, want); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, mask, want)) {
        add(l, "%s%d", separator, kc_broker(c, b)->id);
        separator = ", ";
    }
    add(l, ")");
}

void kc_log_epochs(struct kc_controller *c, const char *what)
{
    struct line l = {.at = 0};
    uint32_t n = 0;
    const char *separator = "";

    if (!wanted(c)) {
        return;
    }
    add(&l, "HashMap(");
    for (uint32_t b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); b != KC_NO_ROW;
         b = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        add(&l, "%s%d -> %lld", separator, kc_broker(c, b)->id, (long long)kc_broker(c, b)->epoch);
        separator = ", ";
    }
    kc_log(c, KC_INFO, "[Controller id=%d] %s: %s)", c->config.broker.id, what, l.text);
}

static void add_topics(struct kc_controller *c, struct line *l, uint32_t flag,
                       const char *separator)
{
    const char *between = "";

    for (uint32_t t = 0; t < c->topic_count; t++) {
        if ((kc_topic(c, t)->flags & flag) != 0) {
            add(l, "%s%s", between, kc_topic_name(kc_topic(c, t)));
            between = separator;
        }
    }
}

void kc_log_members(struct kc_controller *c)
{
    struct line live = {.at = 0}, shutting = {.at = 0}, topics = {.at = 0};

    if (!wanted(c)) {
        return;
    }
    add_set(c, &live, KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN, KC_BROKER_LIVE);
    add_set(c, &shutting, KC_BROKER_SHUTTING_DOWN, KC_BROKER_SHUTTING_DOWN);
    add_topics(c, &topics, KC_TOPIC_EXISTS, ", ");
    kc_log(c, KC_INFO, "[Controller id=%d] Currently active brokers in the cluster: %s",
           c->config.broker.id, live.text);
    kc_log(c, KC_INFO, "[Controller id=%d] Currently shutting brokers in the cluster: Hash%s",
           c->config.broker.id, shutting.text);
    kc_log(c, KC_INFO, "[Controller id=%d] Current list of topics in the cluster: HashSet(%s)",
           c->config.broker.id, topics.text);
}

void kc_log_deletions(struct kc_controller *c)
{
    struct line asked = {.at = 0};
    const char *name = NULL;

    if (!wanted(c)) {
        return;
    }
    while ((name = kc_name_next(c, name)) != NULL) {
        add(&asked, "%s%s", asked.at > 0 ? "," : "", name);
    }
    kc_log(c, KC_INFO, "[Controller id=%d] List of topics to be deleted: %s", c->config.broker.id,
           asked.text);
    kc_log(c, KC_INFO, "[Controller id=%d] Initializing topic deletion manager",
           c->config.broker.id);
}

void kc_log_started(struct kc_controller *c)
{
    kc_log(c, KC_DEBUG, "[ReplicaStateMachine controllerId=%d] Started replica state machine",
           c->config.broker.id);
}

void kc_log_offline_dirs(struct kc_controller *c, uint32_t broker)
{
    struct line l = {.at = 0};

    if (!wanted(c)) {
        return;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_GIVEN, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_GIVEN, row + 1)) {
        add(&l, "%s%s-%d", l.at > 0 ? "," : "", kc_row_topic(c, row), kc_row_at(c, row)->partition);
    }
    kc_state_log(c, KC_INFO, "Mark replicas %s on broker %d as offline", l.text,
                 kc_broker(c, broker)->id);
}

void kc_log_set(struct kc_controller *c, enum kc_level level, const char *before, enum kc_set set,
                const char *after)
{
    struct line l = {.at = 0};

    if (!wanted(c)) {
        return;
    }
    for (uint32_t row = kc_set_next(c, set, 0); row != KC_NO_ROW;
         row = kc_set_next(c, set, row + 1)) {
        add(&l, "%s%s-%d", l.at > 0 ? "," : "", kc_row_topic(c, row), kc_row_at(c, row)->partition);
    }
    kc_log(c, level, "[Controller id=%d] %s%s%s", c->config.broker.id, before, l.text, after);
}

void kc_log_pending_preferred(struct kc_controller *c)
{
    kc_log_set(c, KC_INFO, "Resuming preferred replica election for partitions: ", KC_SET_LISTED,
               "");
}

void kc_log_topic_change(struct kc_controller *c)
{
    struct line fresh = {.at = 0};

    if (!wanted(c)) {
        return;
    }
    add_topics(c, &fresh, KC_TOPIC_NEW, ", ");
    kc_log(c, KC_INFO, "[Controller id=%d] New topics: [Set(%s)]", c->config.broker.id, fresh.text);
}

void kc_log_topics(struct kc_controller *c, const char *before, uint32_t flag)
{
    struct line l = {.at = 0};

    if (wanted(c)) {
        add_topics(c, &l, flag, ",");
        kc_log(c, KC_INFO, "[Topic Deletion Manager %d] %s%s", c->config.broker.id, before, l.text);
    }
}

void kc_log_halted(struct kc_controller *c, uint32_t flag, const char *reason)
{
    struct line l = {.at = 0};

    if (wanted(c)) {
        add_topics(c, &l, flag, ",");
        kc_log(c, KC_INFO, "[Topic Deletion Manager %d] Halted deletion of topics %s due to %s",
               c->config.broker.id, l.text, reason);
    }
}

/* ---- the requests of a batch ---- */

static void log_leader_and_isr(struct kc_controller *c, const struct wire_batch *b, uint32_t broker)
{
    struct wire_record_view v = {0};
    int32_t id = kc_broker(c, broker)->id;
    uint32_t leaders = 0;
    uint32_t all = 0;

    while (wire_batch_next_for(b, WIRE_RECORD_LEADER_AND_ISR, broker, &v)) {
        leaders += v.record->leader == id;
        all++;
    }
    kc_state_log(c, KC_INFO,
                 "Sending LeaderAndIsr request to broker %d with %u become-leader and %u "
                 "become-follower partitions",
                 id, leaders, all - leaders);
}

static void log_update_metadata(struct kc_controller *c, const struct wire_batch *b)
{
    struct line l = {.at = 0};
    uint32_t n = 0;

    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        if (wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, i)) {
            add(&l, "%s%d", l.at > 0 ? ", " : "", kc_broker(c, i)->id);
        }
    }
    kc_state_log(c, KC_INFO,
                 "Sending UpdateMetadata request to brokers HashSet(%s) for %u partitions", l.text,
                 b->count[1]);
}

static void log_stop_replica(struct kc_controller *c, const struct wire_batch *b, uint32_t broker)
{
    struct wire_record_view v = {0};
    uint32_t all = 0;

    while (wire_batch_next_for(b, WIRE_RECORD_STOP_REPLICA, broker, &v)) {
        all++;
    }
    kc_state_log(c, KC_INFO, "Sending StopReplica request for %u replicas to broker %d", all,
                 kc_broker(c, broker)->id);
}

void kc_batch_log_sends(struct kc_controller *c, const struct wire_batch *b)
{
    uint32_t n = 0;

    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        if (wire_batch_is_for(b, WIRE_RECORD_LEADER_AND_ISR, i)) {
            log_leader_and_isr(c, b, i);
        }
    }
    log_update_metadata(c, b);
    n = 0;
    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        if (wire_batch_is_for(b, WIRE_RECORD_STOP_REPLICA, i)) {
            log_stop_replica(c, b, i);
        }
    }
}
