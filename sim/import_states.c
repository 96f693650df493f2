/*
 * States of partitions, as a controller's lines have them: leader, ISR, epochs, version.
 *
 * A line that states a new one means: there was an election (decide), a znode was written (zap),
 * the controller knows it (move or learn). The last is stated; the first two are inferred. What a
 * line leaves out is as it was before; of a partition of which nothing is known yet, a state
 * without leader or ISR says too little and is not told.
 *
 * Source: Kafka ZkPartitionStateMachine.doElectLeaderForPartitions,
 * KafkaController.updateLeaderEpoch.
 */
#include "sim/import_machines.h"

#include <inttypes.h>
#include <stdio.h>

#include "statemachine/znode.h"

static void set_li(struct sim_story *s, int32_t node, const struct sim_tp *tp,
                   const struct sm_leader_and_isr *li)
{
    sim_trace_set_begin(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".li.%s-%" PRId32, node,
                                                tp->topic, tp->partition));
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_int(s->trace, SIM_F_LEADER, li->leader);
    sim_trace_int(s->trace, SIM_F_EPOCH, li->leader_epoch);
    sim_trace_ids(s->trace, SIM_F_ISR, li->isr.id, (size_t)li->isr.count);
    sim_trace_int(s->trace, SIM_F_ZKVERSION, li->zk_version);
    sim_trace_int(s->trace, SIM_F_CE, li->controller_epoch);
    sim_trace_object_end(s->trace);
    sim_trace_set_end(s->trace);
}

static void add_candidate(struct sim_story *s, const struct sim_partition_told *p,
                          const struct sim_told *node, int32_t id,
                          const struct sm_leader_and_isr *next, bool *passed)
{
    bool live = false;
    for (size_t i = 0; i < node->live.count; i++)
        live = live || node->live.id[i] == id;
    bool insync = p->has_li && (sm_list_has(&p->li.isr, id) ||
                                (next->isr.count > 1 && sm_list_has(&next->isr, id)));
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_int(s->trace, SIM_F_ID, id);
    sim_trace_int(s->trace, SIM_F_LIVE, live);
    sim_trace_int(s->trace, SIM_F_INSYNC, insync);
    sim_trace_text(s->trace, SIM_F_VERDICT,
                   id == next->leader ? "chosen"
                   : !live            ? "not alive"
                   : !insync          ? "not in sync"
                   : *passed          ? "later in the order"
                                      : "passed over");
    sim_trace_object_end(s->trace);
    *passed = *passed || id == next->leader;
}

/* The election behind a state that a line tells of. */
uint64_t sim_import_infer_election(struct sim_story *s, const struct sim_entry *e,
                                   const struct sim_tp *tp, const struct sm_leader_and_isr *next,
                                   const char *rule)
{
    struct sim_told *node = sim_import_node(s, e->node);
    const struct sim_partition_told *p = sim_import_partition(s, e->node, tp);
    bool passed = false;
    /* Only such an election makes its leader the whole ISR without its having been in it. */
    bool unclean = p->has_li && next->isr.count == 1 && !sm_list_has(&p->li.isr, next->leader) &&
                   strcmp(rule, "OfflinePartitionLeaderElectionStrategy") == 0;
    if (!sim_import_infer(s, SIM_K_DECIDE, sim_import_lane(e), node->cause, 0))
        return node->cause;
    sim_trace_text(s->trace, SIM_F_RULE, rule);
    sim_trace_partition(s->trace, SIM_F_PARTITION, tp->topic, tp->partition);
    if (p->has_li)
        sim_trace_int(s->trace, SIM_F_LEADER, p->li.leader);
    if (p->has_ra) {
        sim_trace_list_begin(s->trace, SIM_F_CANDIDATES);
        for (int32_t i = 0; i < p->ra.replicas.count; i++)
            add_candidate(s, p, node, p->ra.replicas.id[i], next, &passed);
        sim_trace_list_end(s->trace);
    }
    sim_trace_text(s->trace, SIM_F_VERDICT, unclean ? "elected-unclean" : "elected");
    sim_trace_int(s->trace, SIM_F_CHOSEN, next->leader);
    sim_trace_ids(s->trace, SIM_F_ISR, next->isr.id, (size_t)next->isr.count);
    sim_trace_int(s->trace, SIM_F_EPOCH, next->leader_epoch);
    sim_trace_int(s->trace, SIM_F_UNCLEAN, unclean);
    sim_trace_int(s->trace, SIM_F_OK, 1);
    sim_trace_refs_begin(s->trace);
    sim_trace_ref(
        s->trace,
        sim_trace_last_setter(
            s->trace, sim_trace_key(s->trace, "zn:/brokers/topics/%s/partitions/%" PRId32 "/state",
                                    tp->topic, tp->partition)));
    sim_trace_ref(
        s->trace,
        sim_trace_last_setter(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".live", e->node)));
    sim_trace_refs_end(s->trace);
    return sim_trace_end(s->trace);
}

/* A new state of a partition, as a line has it; what it lacks is as before. False: nothing is
 * known. */
bool sim_import_new_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                       const struct sim_state_text *text, struct sm_leader_and_isr *li)
{
    const struct sim_partition_told *p = sim_import_partition(s, e->node, tp);
    int32_t ce = sim_import_node(s, e->node)->ce;
    if (!p->has_li && (text->leader == INT32_MIN || !text->has_isr))
        return false;
    *li = p->li;
    li->zk_version = p->has_li ? p->li.zk_version + 1 : -1;
    if (text->leader != INT32_MIN)
        li->leader = text->leader;
    if (text->leader_epoch != INT32_MIN)
        li->leader_epoch = text->leader_epoch;
    if (text->zk_version != INT32_MIN)
        li->zk_version = text->zk_version;
    if (text->has_isr)
        li->isr = sim_import_list(&text->isr);
    li->controller_epoch = text->controller_epoch != INT32_MIN ? text->controller_epoch
                           : e->ce >= 0                        ? e->ce
                           : ce >= 0                           ? ce
                                                               : 0;
    return true;
}

void sim_import_infer_state(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                            const struct sm_leader_and_isr *li, uint64_t by)
{
    char path[SM_PATH_MAX], json[SM_STATE_BYTES_MAX], key[320];
    snprintf(key, sizeof(key), "s %s-%" PRId32 " %" PRId32 " %" PRId32, tp->topic, tp->partition,
             li->leader_epoch, li->leader);
    if (sim_import_need(s, key))
        return;
    sm_path_partition_state(path, tp->topic, tp->partition);
    size_t size = sm_znode_encode_state(json, li);
    sim_import_znode(s, path, json, size, li->zk_version, sim_import_lane(e), by);
}

/* Takes the state in: znode, then what the controller believes. Facts go on the record that is
 * open. */
void sim_import_learn_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                         const struct sm_leader_and_isr *li)
{
    struct sim_partition_told *p = sim_import_partition(s, e->node, tp);
    p->li = *li;
    p->has_li = true;
    set_li(s, e->node, tp, li);
}

void sim_import_tell_li(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sim_state_text text;
    struct sm_leader_and_isr li;
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp))
        return;
    sim_span_state(SIM_HOLE(h, 's'), &text);
    if (e->word == WORD_EPOCH_UP)
        text.leader_epoch = (int32_t)sim_span_number(SIM_HOLE(h, 'g'), INT32_MIN);
    if (SIM_HOLE(h, 'v').size > 0)
        text.zk_version = (int32_t)sim_span_number(SIM_HOLE(h, 'v'), INT32_MIN);
    if (SIM_HOLE(h, 's').size == 0 && SIM_HOLE(h, 'i').size > 0 && SIM_HOLE(h, 'v').size > 0) {
        sim_span_ids(SIM_HOLE(h, 'i'), &text.isr);
        text.has_isr = true;
    }
    if (!sim_import_new_li(s, e, &tp, &text, &li))
        return;
    sim_import_infer_state(s, e, &tp, &li, sim_import_cause(s, e));
    if (sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e))) {
        sim_import_learn_li(s, e, &tp, &li);
        sim_trace_end(s->trace);
    }
}

void sim_import_sent_state(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                           struct sim_span state)
{
    struct sim_state_text text;
    struct sm_leader_and_isr li;
    const struct sim_partition_told *p = sim_import_partition(s, e->node, tp);
    sim_span_state(state, &text);
    if (text.leader_epoch == INT32_MIN || !text.has_isr ||
        (p->has_li && p->li.leader_epoch >= text.leader_epoch) ||
        !sim_import_new_li(s, e, tp, &text, &li))
        return;
    sim_import_infer_state(s, e, tp, &li, sim_import_cause(s, e));
    if (sim_import_infer(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e), 0)) {
        sim_import_learn_li(s, e, tp, &li);
        sim_trace_end(s->trace);
    }
}
