/*
 * What leaves the controller: outputs, and the lines of Kafka's controller.log and
 * state-change.log.
 *
 * Log texts are Kafka's, word for word: operators grep for them. Level names and streams follow
 * log4j's configuration of a broker (kafka.controller, state.change.logger).
 */
#include "controller/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t kc_emit(struct kc_controller *c, struct kc_output *out)
{
    assert(c->step != NULL);
    if (out->by == 0) {
        out->by = c->cause;
    }
    return c->step->out->put(c->step->out->context, out);
}

bool kc_notes(const struct kc_controller *c, uint32_t which)
{
    return (c->config.notes & which) != 0;
}

bool kc_is_old(const struct kc_controller *c)
{
    return !sm_rule_on(&c->config.profile, SM_RULE_BATCHED_CHANGES);
}

bool kc_logs_old(const struct kc_controller *c)
{
    return kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE) && kc_is_old(c);
}

/* How the classes called themselves before 1.1: the beginning of a line is replaced. Returns the
   new length. */
static int rename_class(const struct kc_controller *c, char *text, int length, size_t capacity)
{
    static const struct {
        const char *now, *now_end, *then, *then_end;
    } names[] = {
        {"[Controller id=", "] ", "[Controller ", "]: "},
        {"[ReplicaStateMachine controllerId=", "] ", "[Replica state machine on controller ",
         "]: "},
        {"[PartitionStateMachine controllerId=", "] ", "[Partition state machine on Controller ",
         "]: "},
    };
    char now[64], then[64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int id = c->config.broker.id;
        int cut = snprintf(now, sizeof now, "%s%d%s", names[i].now, id, names[i].now_end);
        int put = snprintf(then, sizeof then, "%s%d%s", names[i].then, id, names[i].then_end);
        if (strncmp(text, now, (size_t)cut) == 0 && (size_t)(length - cut + put) < capacity) {
            memmove(text + put, text + cut, (size_t)(length - cut) + 1);
            memcpy(text, then, (size_t)put);
            length += put - cut;
            memset(text + length, 0, put < cut ? (size_t)(cut - put) : 1);
            break;
        }
    }
    return length;
}

static void emit_log(struct kc_controller *c, enum kc_level level, enum kc_stream stream,
                     size_t prefix, const char *format, va_list arguments)
{
    char *text = kc_at(c, c->at.text);
    int length = vsnprintf(text + prefix, KC_TEXT_MAX - prefix, format, arguments);

    if (length >= (int)(KC_TEXT_MAX - prefix)) {
        memcpy(text + KC_TEXT_MAX - 4, "...", 4);
    } else if (stream == KC_CONTROLLER_LOG && kc_is_old(c)) {
        length = rename_class(c, text, length, KC_TEXT_MAX);
    }
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_LOG,
                                   .level = (uint8_t)level,
                                   .stream = (uint8_t)stream,
                                   .text = text});
    memset(text, 0,
           prefix + (length < (int)(KC_TEXT_MAX - prefix) ? (size_t)length : KC_TEXT_MAX - prefix));
}

static bool is_logged(const struct kc_controller *c, enum kc_level level)
{
    return kc_notes(c, level >= KC_INFO ? KC_NOTE_LOG | KC_NOTE_LOG_TRACE : KC_NOTE_LOG_TRACE);
}

void kc_log(struct kc_controller *c, enum kc_level level, const char *format, ...)
{
    va_list arguments;

    if (!is_logged(c, level)) {
        return;
    }
    va_start(arguments, format);
    emit_log(c, level, KC_CONTROLLER_LOG, 0, format, arguments);
    va_end(arguments);
}

void kc_log_new(struct kc_controller *c, enum kc_level level, const char *format, ...)
{
    va_list arguments;

    if (!is_logged(c, level) || kc_is_old(c)) {
        return;
    }
    va_start(arguments, format);
    emit_log(c, level, KC_CONTROLLER_LOG, 0, format, arguments);
    va_end(arguments);
}

void kc_log_old(struct kc_controller *c, enum kc_level level, const char *format, ...)
{
    va_list arguments;

    if (!is_logged(c, level) || !kc_is_old(c)) {
        return;
    }
    va_start(arguments, format);
    emit_log(c, level, KC_CONTROLLER_LOG, 0, format, arguments);
    va_end(arguments);
}

void kc_state_log_old(struct kc_controller *c, enum kc_level level, const char *format, ...)
{
    va_list arguments;

    if (!is_logged(c, level) || !kc_is_old(c)) {
        return;
    }
    int prefix = snprintf(kc_at(c, c->at.text), 64, "Controller %d epoch %d ", c->config.broker.id,
                          c->epoch);
    va_start(arguments, format);
    emit_log(c, level, KC_STATE_CHANGE_LOG, (size_t)prefix, format, arguments);
    va_end(arguments);
}

void kc_state_log(struct kc_controller *c, enum kc_level level, const char *format, ...)
{
    va_list arguments;

    if (!is_logged(c, level) || kc_is_old(c)) {
        return;
    }
    int prefix = snprintf(kc_at(c, c->at.text), 64, "[Controller id=%d epoch=%d] ",
                          c->config.broker.id, c->epoch);
    va_start(arguments, format);
    emit_log(c, level, KC_STATE_CHANGE_LOG, (size_t)prefix, format, arguments);
    va_end(arguments);
}

char *kc_text_list(char *out, size_t size, const struct sm_list *l, const char *separator)
{
    size_t at = 0;

    out[0] = '\0';
    for (int32_t i = 0; i < l->count && at < size; i++) {
        at += (size_t)snprintf(out + at, size - at, "%s%d", i > 0 ? separator : "", l->id[i]);
    }
    return out;
}

void kc_text_leadership(char *out, size_t size, const struct sm_leader_and_isr *li)
{
    char isr[SM_REPLICAS_MAX * 13];

    snprintf(out, size, "LeaderAndIsr(leader=%d, leaderEpoch=%d, isr=List(%s), zkVersion=%d)",
             li->leader, li->leader_epoch, kc_text_list(isr, sizeof isr, &li->isr, ", "),
             li->zk_version);
}

void kc_text_assignment(char *out, size_t size, const struct sm_assignment *a)
{
    char replicas[SM_REPLICAS_MAX * 13], adding[SM_REPLICAS_MAX * 13],
        removing[SM_REPLICAS_MAX * 13];

    snprintf(out, size, "ReplicaAssignment(replicas=%s, addingReplicas=%s, removingReplicas=%s)",
             kc_text_list(replicas, sizeof replicas, &a->replicas, ","),
             kc_text_list(adding, sizeof adding, &a->adding, ","),
             kc_text_list(removing, sizeof removing, &a->removing, ","));
}

void kc_text_brokers(struct kc_controller *c, char *out, size_t size, const char *separator,
                     uint32_t mask, uint32_t want)
{
    uint32_t n = 0;
    size_t at = 0;

    out[0] = '\0';
    for (uint32_t b = kc_broker_next(c, &n, mask, want); b != KC_NO_ROW && at < size;
         b = kc_broker_next(c, &n, mask, want)) {
        at += (size_t)snprintf(out + at, size - at, "%s%d", at > 0 ? separator : "",
                               kc_broker(c, b)->id);
    }
}

void kc_text_row(const struct kc_controller *c, uint32_t row, char *out, size_t size)
{
    snprintf(out, size, kc_is_old(c) ? "[%s,%d]" : "%s-%d", kc_row_topic(c, row),
             kc_row_at(c, row)->partition);
}
