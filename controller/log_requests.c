/*
 * Log lines about the requests of a batch and about their answers, in state-change.log.
 *
 *   send:    per broker and partition (TRACE), then per request (INFO): LeaderAndIsr,
 *            UpdateMetadata (once for all its brokers), StopReplica
 *   answer:  as the sender's thread prints it (TRACE)
 *
 * A correlation id counts the requests of one sender, from 0; the controller's own correlations
 * count over all senders, so the number that is printed is a note of the sender.
 *
 * Old versions have no summaries, and a correlation id counts the batches of a controller.
 *
 * Source: AbstractControllerBrokerRequestBatch.sendRequestsToBrokers, RequestSendThread.doWork of
 * ControllerChannelManager; toString of the generated request and response classes, at 2.8.2.
 */
#include "controller/line.h"

/* ---- sending ---- */

static bool flag_of(const uint64_t *set, uint32_t broker)
{
    return (set[broker / 64] >> broker % 64 & 1) != 0;
}

static void add_list(struct kc_line *l, const char *name, const int32_t *ids, uint32_t count)
{
    kc_line_add(l, "%s=[", name);
    kc_line_ids(l, ids, count, ", ");
    kc_line_add(l, "], ");
}

static void log_leadership(struct kc_controller *c, const struct wire_record_view *v,
                           uint32_t broker)
{
    const struct wire_record *r = v->record;
    int32_t id = kc_broker(c, broker)->id;
    struct kc_line l;

    kc_line_begin(&l);
    kc_line_add(&l,
                "become-%s LeaderAndIsr request LeaderAndIsrPartitionState(topicName='%s', "
                "partitionIndex=%d, controllerEpoch=%d, leader=%d, leaderEpoch=%d, ",
                r->leader == id ? "leader" : "follower", v->topic, r->partition,
                r->controller_epoch, r->leader, r->leader_epoch);
    add_list(&l, "isr", v->isr, r->isr_count);
    kc_line_add(&l, "zkVersion=%d, ", r->zk_version);
    add_list(&l, "replicas", v->replicas, r->replica_count);
    add_list(&l, "addingReplicas", v->adding, r->adding_count);
    add_list(&l, "removingReplicas", v->removing, r->removing_count);
    kc_line_add(&l, "isNew=%s) to broker %d for partition %s-%d",
                flag_of(v->flag, broker) ? "true" : "false", id, v->topic, r->partition);
    kc_state_log(c, KC_TRACE, "Sending %s", l.text);
}

static void log_leader_and_isr(struct kc_controller *c, const struct wire_batch *b, uint32_t broker)
{
    struct wire_record_view v = {0};
    int32_t id = kc_broker(c, broker)->id;
    uint32_t leaders = 0;
    uint32_t all = 0;

    while (wire_batch_next_for(b, WIRE_RECORD_LEADER_AND_ISR, broker, &v)) {
        leaders += v.record->leader == id;
        all++;
        if (kc_notes(c, KC_NOTE_LOG_TRACE)) {
            log_leadership(c, &v, broker);
        }
    }
    kc_state_log(c, KC_INFO,
                 "Sending LeaderAndIsr request to broker %d with %u become-leader and %u "
                 "become-follower partitions",
                 id, leaders, all - leaders);
}

static void log_update_metadata(struct kc_controller *c, const struct wire_batch *b)
{
    struct kc_line l;
    uint32_t n = 0;

    kc_line_begin(&l);
    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        if (wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, i)) {
            kc_line_separate(&l, 0, ", ");
            kc_line_add(&l, "%d", kc_broker(c, i)->id);
        }
    }
    kc_state_log(c, KC_INFO,
                 "Sending UpdateMetadata request to brokers HashSet(%s) for %u partitions", l.text,
                 b->count[1]);
}

static void log_stop_replica(struct kc_controller *c, const struct wire_batch *b, uint32_t broker)
{
    struct wire_record_view v = {0};
    int32_t id = kc_broker(c, broker)->id;
    uint32_t all = 0;

    while (wire_batch_next_for(b, WIRE_RECORD_STOP_REPLICA, broker, &v)) {
        all++;
        kc_state_log(c, KC_TRACE,
                     "Sending StopReplica request StopReplicaPartitionState(partitionIndex=%d, "
                     "leaderEpoch=%d, deletePartition=%s) to broker %d for partition %s-%d",
                     v.record->partition, v.record->leader_epoch,
                     flag_of(v.flag, broker) ? "true" : "false", id, v.topic, v.record->partition);
    }
    kc_state_log(c, KC_INFO, "Sending StopReplica request for %u replicas to broker %d", all, id);
}

/* ---- sending, before 1.1 ---- */

static void add_leadership(struct kc_line *l, const struct wire_record_view *v)
{
    kc_line_add(l, "(Leader:%d,ISR:", v->record->leader);
    kc_line_ids(l, v->isr, v->record->isr_count, ",");
    kc_line_add(l, ",LeaderEpoch:%d,ControllerEpoch:%d)", v->record->leader_epoch,
                v->record->controller_epoch);
}

/* Only 0.8.2 says which correlation id. */
static void add_correlation(const struct kc_controller *c, struct kc_line *l,
                            const struct wire_batch *b)
{
    if (!sm_rule_on(&c->config.profile, SM_RULE_METADATA_ON_FAILURE)) {
        kc_line_add(l, " with correlationId %llu", (unsigned long long)b->id - 1);
    }
}

static void log_old_leader_and_isr(struct kc_controller *c, const struct wire_batch *b,
                                   uint32_t broker)
{
    struct wire_record_view v = {0};
    int32_t id = kc_broker(c, broker)->id;
    struct kc_line l;

    while (wire_batch_next_for(b, WIRE_RECORD_LEADER_AND_ISR, broker, &v)) {
        kc_line_begin(&l);
        kc_line_add(&l, "become-%s LeaderAndIsr request ",
                    v.record->leader == id ? "leader" : "follower");
        add_leadership(&l, &v);
        add_correlation(c, &l, b);
        kc_state_log_old(c, KC_TRACE, "sending %s to broker %d for partition [%s,%d]", l.text, id,
                         v.topic, v.record->partition);
    }
}

static void log_old_metadata(struct kc_controller *c, const struct wire_batch *b, uint32_t broker)
{
    struct wire_record_view v = {0};
    struct kc_line l;

    while (wire_batch_next_for(b, WIRE_RECORD_UPDATE_METADATA, broker, &v)) {
        kc_line_begin(&l);
        add_leadership(&l, &v);
        add_correlation(c, &l, b);
        kc_state_log_old(c, KC_TRACE,
                         "sending UpdateMetadata request %s to broker %d for partition [%s,%d]",
                         l.text, kc_broker(c, broker)->id, v.topic, v.record->partition);
    }
}

static void log_old_stop(struct kc_controller *c, const struct wire_batch *b, uint32_t broker,
                         bool with_delete)
{
    struct wire_record_view v = {0};
    struct kc_line l;

    kc_line_begin(&l);
    while (!kc_line_is_full(&l) && wire_batch_next_for(b, WIRE_RECORD_STOP_REPLICA, broker, &v)) {
        if (flag_of(v.flag, broker) == with_delete) {
            kc_line_separate(&l, 0, ",");
            kc_line_add(&l, "[Topic=%s,Partition=%d,Replica=%d]", v.topic, v.record->partition,
                        kc_broker(c, broker)->id);
        }
    }
    kc_log_old(c, KC_DEBUG, "The stop replica request (delete = %s) sent to broker %d is %s",
               with_delete ? "true" : "false", kc_broker(c, broker)->id, l.text);
}

static void log_old_sends(struct kc_controller *c, const struct wire_batch *b)
{
    static const enum wire_record_kind kinds[] = {
        WIRE_RECORD_LEADER_AND_ISR, WIRE_RECORD_UPDATE_METADATA, WIRE_RECORD_STOP_REPLICA};

    for (size_t k = 0; k < 3 && kc_notes(c, KC_NOTE_LOG_TRACE); k++) {
        uint32_t n = 0;
        for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
             i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
            if (!wire_batch_is_for(b, kinds[k], i)) {
                continue;
            }
            if (kinds[k] == WIRE_RECORD_LEADER_AND_ISR) {
                log_old_leader_and_isr(c, b, i);
            } else if (kinds[k] == WIRE_RECORD_UPDATE_METADATA) {
                log_old_metadata(c, b, i);
            } else {
                log_old_stop(c, b, i, true);
                log_old_stop(c, b, i, false);
            }
        }
    }
}

void kc_batch_log_sends(struct kc_controller *c, const struct wire_batch *b)
{
    uint32_t n = 0;

    if (kc_is_old(c)) {
        log_old_sends(c, b);
        return;
    }

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

/* ---- answers ---- */

/* Items ascend by record; partitions that are not listed have the answer's common error. */
static int32_t error_of(const struct wire_answer *a, uint32_t *at, uint32_t record)
{
    while (*at < a->count && a->items[*at].record < record) {
        (*at)++;
    }
    return *at < a->count && a->items[*at].record == record ? a->items[*at].error
                                                            : a->partition_error;
}

static void add_partition_errors(struct kc_line *l, const struct wire_batch *batch,
                                 enum wire_record_kind kind, const char *type, uint32_t broker,
                                 const struct wire_answer *a)
{
    struct wire_record_view v = {0};
    uint32_t at = 0;

    kc_line_add(l, "partitionErrors=[");
    size_t start = l->at;
    while (a->error == WIRE_ERROR_NONE && !kc_line_is_full(l) &&
           wire_batch_next_for(batch, kind, broker, &v)) {
        kc_line_separate(l, start, ", ");
        kc_line_add(l, "%s(topicName='%s', partitionIndex=%d, errorCode=%d)", type, v.topic,
                    v.record->partition, error_of(a, &at, v.offset));
    }
    kc_line_add(l, "]");
}

static const char *add_answer(struct kc_line *l, const struct wire_batch *batch, int32_t api,
                              uint32_t broker, const struct wire_answer *a)
{
    switch (api) {
    case WIRE_API_LEADER_AND_ISR:
        kc_line_add(l, "LeaderAndIsrResponseData(errorCode=%d, ", a->error);
        add_partition_errors(l, batch, WIRE_RECORD_LEADER_AND_ISR, "LeaderAndIsrPartitionError",
                             broker, a);
        kc_line_add(l, ", topics=[])");
        return "LEADER_AND_ISR";
    case WIRE_API_STOP_REPLICA:
        kc_line_add(l, "StopReplicaResponseData(errorCode=%d, ", a->error);
        add_partition_errors(l, batch, WIRE_RECORD_STOP_REPLICA, "StopReplicaPartitionError",
                             broker, a);
        kc_line_add(l, ")");
        return "STOP_REPLICA";
    }
    kc_line_add(l, "UpdateMetadataResponseData(errorCode=%d)", a->error);
    return "UPDATE_METADATA";
}

/* Case classes of 0.8.2: correlation id, errors by partition, error. */
static void log_old_answer(struct kc_controller *c, uint32_t broker, int32_t api,
                           const struct wire_batch *batch, const struct wire_answer *a)
{
    const struct sm_broker *known = &kc_broker(c, broker)->known;
    bool metadata = api == WIRE_API_UPDATE_METADATA;
    bool stop = api == WIRE_API_STOP_REPLICA;
    struct wire_record_view v = {0};
    struct kc_line l;
    uint32_t at = 0;

    kc_line_begin(&l);
    kc_line_add(&l, "%s(%llu,%s",
                metadata ? "UpdateMetadataResponse"
                : stop   ? "StopReplicaResponse"
                         : "LeaderAndIsrResponse",
                (unsigned long long)batch->id - 1, metadata ? "" : "Map(");
    size_t start = l.at;
    while (!metadata && a->error == WIRE_ERROR_NONE && !kc_line_is_full(&l) &&
           wire_batch_next_for(batch, stop ? WIRE_RECORD_STOP_REPLICA : WIRE_RECORD_LEADER_AND_ISR,
                               broker, &v)) {
        kc_line_separate(&l, start, ", ");
        kc_line_add(&l, stop ? "[%s,%d] -> %d" : "(%s,%d) -> %d", v.topic, v.record->partition,
                    error_of(a, &at, v.offset));
    }
    kc_line_add(&l, "%s%d)", metadata ? "" : "),", a->error);
    kc_state_log_old(c, KC_TRACE,
                     "received response %s for a request sent to broker id:%d,host:%s,port:%d",
                     l.text, known->id, known->endpoint_count > 0 ? known->endpoint[0].host : "",
                     known->endpoint_count > 0 ? known->endpoint[0].port : -1);
}

void kc_log_answer(struct kc_controller *c, uint32_t broker, int32_t api,
                   const struct wire_batch *batch, const struct wire_answer *a)
{
    const struct kc_broker *b = kc_broker(c, broker);
    struct kc_line l;

    if (!kc_notes(c, KC_NOTE_LOG_TRACE)) {
        return;
    }
    if (kc_is_old(c)) {
        log_old_answer(c, broker, api, batch, a);
        return;
    }
    kc_line_begin(&l);
    const char *name = add_answer(&l, batch, api, broker, a);
    kc_line_add(&l, " for request %s with correlation id %u sent to broker ", name, b->sent - 1);
    kc_line_node(&l, &b->known);
    kc_state_log(c, KC_TRACE, "Received response %s", l.text);
}

/* ---- senders ---- */

void kc_log_connected(struct kc_controller *c, uint32_t broker)
{
    struct kc_line l;

    const struct sm_broker *b = &kc_broker(c, broker)->known;
    if (kc_is_old(c)) {
        kc_log_old(c, KC_INFO,
                   "[Controller-%d-to-broker-%d-send-thread], Controller %d connected to "
                   "id:%d,host:%s,port:%d for sending state change requests",
                   c->config.broker.id, b->id, c->config.broker.id, b->id,
                   b->endpoint_count > 0 ? b->endpoint[0].host : "",
                   b->endpoint_count > 0 ? b->endpoint[0].port : -1);
    } else if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        kc_line_begin(&l);
        kc_line_node(&l, b);
        kc_log(c, KC_INFO,
               "[RequestSendThread controllerId=%d] Controller %d connected to %s for sending "
               "state change requests",
               c->config.broker.id, c->config.broker.id, l.text);
    }
}
