/*
 * A line of a controller is handed to who tells of its kind; and the events that its one thread
 * takes up.
 *
 *     line ──► word ──► event (here) ──► what it caused: states, moves, topics, brokers
 *
 * An event ends where the next begins, and all that lies between has it as its cause. What set the
 * event off is the last change of the znodes that such an event is about. An operator's call leaves
 * no line but the event's own: there the call is told as the event's cause, as inferred where not
 * even the event names it.
 *
 * Source: Kafka KafkaController.
 */
#include "sim/import_machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What may have set the event off. */
uint64_t sim_import_trigger(struct sim_story *s, const struct sim_entry *e, const char *event)
{
    if (strcmp(event, "BrokerChange") == 0)
        return s->brokers_changed;
    if (strcmp(event, "TopicChange") == 0 || strcmp(event, "PartitionModifications") == 0)
        return s->topics_changed;
    if (strcmp(event, "TopicDeletion") == 0)
        return s->deletions_changed;
    if (strcmp(event, "Reelect") == 0 || strcmp(event, "ControllerChange") == 0)
        return s->controller_changed;
    if (strcmp(event, "PartitionReassignment") == 0)
        return s->reassign_changed;
    if (strcmp(event, "ReplicaLeaderElection") == 0)
        return s->preferred_changed;
    return strcmp(event, "Startup") == 0 ? sim_import_cause(s, e) : 0;
}

static bool goes_on(const struct sim_told *node, const char *event)
{
    static const char reassignment[] = "PartitionReassignment";
    return node->event != NULL && strncmp(event, reassignment, sizeof(reassignment) - 1) == 0 &&
           strncmp(node->event, reassignment, sizeof(reassignment) - 1) == 0;
}

void sim_import_begin_event(struct sim_story *s, const struct sim_entry *e, const char *event,
                            const char *rule, uint64_t by)
{
    struct sim_told *node = sim_import_node(s, e->node);
    if (goes_on(node, event))
        return;
    if (!sim_import_tell(s, SIM_K_QUEUE, sim_import_lane(e), by))
        return;
    sim_trace_text(s->trace, SIM_F_WHAT, "start");
    sim_trace_text(s->trace, SIM_F_NAME, event);
    node->cause = sim_trace_end(s->trace);
    node->event = event;
    node->rule = rule;
}

/* What an operator, or a broker that wants to end, asked for. */
static uint64_t tell_asked(struct sim_story *s, const char *verb, int32_t node, bool inferred)
{
    char target[16];
    if (!(inferred ? sim_import_infer(s, SIM_K_FAULT, SIM_LANE_WORLD, 0, 0)
                   : sim_import_tell(s, SIM_K_FAULT, SIM_LANE_WORLD, 0)))
        return 0;
    sim_trace_text(s->trace, SIM_F_VERB, verb);
    if (node >= 0) {
        snprintf(target, sizeof(target), "%" PRId32, node);
        sim_trace_text(s->trace, SIM_F_TARGET, target);
        sim_trace_ids(s->trace, SIM_F_HIT, &node, 1);
    } else {
        sim_trace_ids(s->trace, SIM_F_HIT, NULL, 0);
    }
    return sim_trace_end(s->trace);
}

static void tell_election(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    const char *rule = sim_import_rule(e);
    if (sim_span_is(SIM_HOLE(h, 'w'), "PREFERRED"))
        rule = "PreferredReplicaPartitionLeaderElectionStrategy";
    if (sim_span_is(SIM_HOLE(h, 'w'), "UNCLEAN"))
        rule = "OfflinePartitionLeaderElectionStrategy";
    struct sim_told *node = sim_import_node(s, e->node);
    uint64_t by = s->preferred_changed;
    if (sim_span_begins(SIM_HOLE(h, 'x'), "AutoTriggered"))
        by = node->cause;
    else if (sim_span_begins(SIM_HOLE(h, 'x'), "AdminClientTriggered"))
        by = tell_asked(s, "elect-leaders", -1, false);
    else if (node->event != NULL && strcmp(node->event, "Reelect") == 0)
        by = node->cause; /* a new controller takes up what was asked for */
    sim_import_begin_event(s, e, sim_import_event(e), rule, by);
}

static void tell_shutdown(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    int32_t broker = (int32_t)sim_span_number(SIM_HOLE(h, 'b'), -1);
    uint64_t by = broker >= 0 ? tell_asked(s, "shutdown", broker, false) : 0;
    sim_import_begin_event(s, e, sim_import_event(e), sim_import_rule(e), by);
}

/* Through the znode, or through a call, which no line tells of; a new controller takes up what it
 * finds. */
static void tell_reassignment(struct sim_story *s, const struct sim_entry *e)
{
    const struct sim_told *node = sim_import_node(s, e->node);
    uint64_t by = s->reassign_changed;
    if (goes_on(node, sim_import_event(e)))
        return;
    if (node->event != NULL && strcmp(node->event, "Reelect") == 0)
        by = node->cause;
    else if (by == 0)
        by = tell_asked(s, "reassign", -1, true);
    s->reassign_changed = 0;
    sim_import_begin_event(s, e, sim_import_event(e), sim_import_rule(e), by);
}

void sim_import_controller(struct sim_story *s, const struct sim_entry *e,
                           const struct sim_holes *h)
{
    if (s->dirty_topic != 0 && e->word != WORD_ASSIGNED && e->word != WORD_PARTITION_NEW)
        sim_import_flush_topic(s);
    switch ((enum sim_word)e->word) {
    case WORD_PARTITION_NEW:
        sim_import_tell_new(s, e, h);
        return;
    case WORD_PARTITION_ONLINE:
    case WORD_PARTITION_MOVE:
    case WORD_REPLICA_MOVE:
    case WORD_PARTITION_REFUSED:
    case WORD_REPLICA_REFUSED:
        sim_import_tell_move(s, e, h);
        return;
    case WORD_ISR_WITHOUT:
    case WORD_LEADER_AND_ISR:
    case WORD_EPOCH_UP:
        sim_import_tell_li(s, e, h);
        return;
    case WORD_ELECTED:
        sim_import_tell_elected(s, e, h);
        return;
    case WORD_NOT_ELECTED:
        sim_import_tell_standby(s, e, sim_span_number(SIM_HOLE(h, 'b'), -1));
        return;
    case WORD_RESIGNED:
        sim_import_tell_standby(s, e, -1);
        return;
    case WORD_BROKERS:
        sim_import_tell_brokers(s, e, h);
        return;
    case WORD_LIVE:
        sim_import_tell_live(s, e, h);
        return;
    case WORD_SHUTTING:
        sim_import_set_live(s, e, "shutting", SIM_HOLE(h, 'i'));
        return;
    case WORD_TOPICS:
        sim_import_tell_topics(s, e, h);
        return;
    case WORD_TOPIC_GONE:
        sim_import_tell_topic_gone(s, h);
        return;
    case WORD_ASSIGNED:
        if (sim_import_event(e) != NULL)
            tell_reassignment(s, e);
        sim_import_tell_assigned(s, e, h);
        return;
    case WORD_ELECTION:
        tell_election(s, e, h);
        return;
    case WORD_CONTROLLED_SHUTDOWN:
        tell_shutdown(s, e, h);
        return;
    case WORD_REPLICAS_FOUND:
    case WORD_PARTITIONS_FOUND:
        sim_import_tell_found(s, e, h);
        return;
    case WORD_EVENT:
        if (sim_import_event(e) != NULL)
            sim_import_begin_event(s, e, sim_import_event(e), sim_import_rule(e),
                                   sim_import_trigger(s, e, sim_import_event(e)));
        return;
    case WORD_UNKNOWN:
    case WORD_OTHER:
    case WORD_NOTE:
    case WORD_SEND_LEADER_AND_ISR:
    case WORD_SEND_LEADER_AND_ISR_ONE:
    case WORD_SEND_METADATA:
    case WORD_SEND_METADATA_ONE:
    case WORD_SEND_STOP:
    case WORD_SEND_STOP_ONE:
    case WORD_RESPONSE:
    case WORD_RECV_LEADER_AND_ISR:
    case WORD_RECV_LEADER_AND_ISR_ONE:
    case WORD_RECV_METADATA:
    case WORD_RECV_METADATA_ONE:
    case WORD_RECV_METADATA_GONE:
    case WORD_RECV_STOP:
    case WORD_RECV_STOP_ONE:
    case WORD_DONE_LEADER_AND_ISR:
    case WORD_LEADS:
    case WORD_FOLLOWS:
    case WORD_STALE:
    case WORD_STALE_ONE:
    case WORD_MOVED:
    case WORD_EPOCHS:
    case WORD_CHANNEL:
    case WORD_STARTING:
    case WORD_STARTED:
    case WORD_STOPPED:
    case WORD_SESSION:
    case WORD_SESSION_EXPIRED:
    case WORD_REGISTERING:
    case WORD_REGISTERED:
    case WORD_ISR_UPDATED:
    case WORD_TRUNCATES:
    case WORD_END:
        return;
    }
}
