/*
 * Moves of the two state machines, per controller.
 *
 *        last line:  A ──► B             B ──► C   inferred: no line told of it
 *        this line:                      C ──► D   or refused, or no leader was found
 *
 * At INFO a controller does not tell of every move: where one begins at another state than the last
 * one ended in, the move between is inferred. A new reign begins anew, with what it finds. A legal
 * move that was not made because nobody could lead is an election without a result, not a refusal.
 *
 * Source: Kafka ZkPartitionStateMachine, ZkReplicaStateMachine.
 */
#include "sim/import_machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

static uint8_t *replica_of(struct sim_story *s, int32_t node, const struct sim_tp *tp,
                           int32_t replica)
{
    char key[340];
    int size = snprintf(key, sizeof(key), "%" PRId32 " %s-%" PRId32 " %" PRId32, node, tp->topic,
                        tp->partition, replica);
    uint32_t before = s->replicas.count, id = sim_keys_intern(&s->replicas, key, (size_t)size);
    s->replica_states = sim_grow(s->replica_states, &s->replica_capacity, (size_t)id + 1, 1);
    if (id == before)
        s->replica_states[id] = 0;
    return &s->replica_states[id];
}

struct moving {
    struct sim_tp tp;
    int32_t replica; /* -1: the partition */
    char from[32], to[32];
    bool ok, direct, inferred;
    const char *why;
    const struct sm_leader_and_isr *li; /* learnt with it; NULL none */
};

static uint8_t state_number(const struct moving *m, const char *name)
{
    return m->replica >= 0 ? (uint8_t)sm_replica_state_named(name)
                           : (uint8_t)sm_partition_state_named(name);
}

static bool is_nonexistent(const char *name)
{
    return strncmp(name, "NonExistent", 11) == 0;
}

static uint8_t *state_of(struct sim_story *s, int32_t node, const struct moving *m)
{
    return m->replica >= 0 ? replica_of(s, node, &m->tp, m->replica)
                           : &sim_import_partition(s, node, &m->tp)->state;
}

static void record_move(struct sim_story *s, const struct sim_entry *e, const struct moving *m,
                        uint64_t by)
{
    if (!(m->inferred ? sim_import_infer(s, SIM_K_MOVE, sim_import_lane(e), by, 0)
                      : sim_import_tell(s, SIM_K_MOVE, sim_import_lane(e), by)))
        return;
    sim_trace_text(s->trace, SIM_F_MACHINE, m->replica >= 0 ? "replica" : "partition");
    sim_trace_partition(s->trace, SIM_F_PARTITION, m->tp.topic, m->tp.partition);
    if (m->replica >= 0)
        sim_trace_int(s->trace, SIM_F_REPLICA, m->replica);
    sim_trace_text(s->trace, SIM_F_FROM, m->from);
    sim_trace_text(s->trace, SIM_F_TO, m->to);
    if (m->direct)
        sim_trace_int(s->trace, SIM_F_DIRECT, 1);
    sim_trace_int(s->trace, SIM_F_OK, m->ok);
    if (m->why != NULL)
        sim_trace_text(s->trace, SIM_F_WHY, m->why);
    if (m->ok) {
        const char *key = m->replica >= 0
                              ? sim_trace_key(s->trace, "rs.%" PRId32 ".%s-%" PRId32 ".%" PRId32,
                                              e->node, m->tp.topic, m->tp.partition, m->replica)
                              : sim_trace_key(s->trace, "ps.%" PRId32 ".%s-%" PRId32, e->node,
                                              m->tp.topic, m->tp.partition);
        if (is_nonexistent(m->to))
            sim_trace_set_null(s->trace, key);
        else
            sim_trace_set_text(s->trace, key, m->to);
        *state_of(s, e->node, m) = is_nonexistent(m->to) ? 0 : state_number(m, m->to);
        if (m->li != NULL)
            sim_import_learn_li(s, e, &m->tp, m->li);
    }
    sim_trace_end(s->trace);
}

/* The move that no line told of, from where the last one ended to where this one begins. */
static void infer_gap(struct sim_story *s, const struct sim_entry *e, const struct moving *m,
                      uint64_t by)
{
    uint8_t known = *state_of(s, e->node, m), from = state_number(m, m->from);
    if (known == 0 || known == from || is_nonexistent(m->from))
        return;
    struct moving gap = *m;
    gap.inferred = gap.ok = true;
    gap.direct = false;
    gap.why = NULL;
    gap.li = NULL;
    snprintf(gap.to, sizeof(gap.to), "%s", m->from);
    snprintf(gap.from, sizeof(gap.from), "%s",
             m->replica >= 0 ? sm_replica_state_name((enum sm_replica_state)known)
                             : sm_partition_state_name((enum sm_partition_state)known));
    record_move(s, e, &gap, by);
}

/* The first line of what follows a refusal: its exception. */
static void exception_of(const struct sim_entry *e, char *out, size_t capacity)
{
    struct sim_span more = e->more;
    const char *newline = more.size > 0 ? memchr(more.at, '\n', more.size) : NULL;
    if (newline != NULL)
        more.size = (size_t)(newline - more.at);
    sim_import_copy(out, capacity, more);
}

/* A legal move that was not made because nobody could lead: an election, not a refusal of the
 * machine. */
static bool tell_no_leader(struct sim_story *s, const struct sim_entry *e, const struct moving *m,
                           const char *why)
{
    static const char under[] = " under strategy ";
    char rule[80] = "OfflinePartitionLeaderElectionStrategy";
    const char *named = strstr(why, under), *known = sim_import_node(s, e->node)->rule;
    if (e->word != WORD_PARTITION_REFUSED || strcmp(m->to, "OnlinePartition") != 0 ||
        is_nonexistent(m->from))
        return false;
    if (strcmp(m->from, "NewPartition") == 0)
        return true; /* nobody to begin with: no election was held */
    if (named != NULL)
        snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(named + sizeof(under) - 1, "("),
                 named + sizeof(under) - 1);
    else if (known != NULL)
        snprintf(rule, sizeof(rule), "%s", known);
    if (!sim_import_tell(s, SIM_K_DECIDE, sim_import_lane(e), sim_import_cause(s, e)))
        return true;
    sim_trace_text(s->trace, SIM_F_RULE, rule);
    sim_trace_partition(s->trace, SIM_F_PARTITION, m->tp.topic, m->tp.partition);
    sim_trace_text(s->trace, SIM_F_VERDICT, "none-eligible");
    sim_trace_int(s->trace, SIM_F_CHOSEN, SM_NO_LEADER);
    sim_trace_int(s->trace, SIM_F_OK, 0);
    sim_trace_end(s->trace);
    return true;
}

void sim_import_tell_move(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct moving m = {.replica = -1};
    struct sim_state_text text;
    struct sm_leader_and_isr li;
    char why[400];
    bool refused = e->word == WORD_PARTITION_REFUSED || e->word == WORD_REPLICA_REFUSED;
    uint64_t by = sim_import_cause(s, e);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &m.tp))
        return;
    sim_import_copy(m.from, sizeof(m.from), SIM_HOLE(h, 'f'));
    sim_import_copy(m.to, sizeof(m.to), SIM_HOLE(h, 't'));
    if (e->word == WORD_REPLICA_MOVE || e->word == WORD_REPLICA_REFUSED)
        m.replica = (int32_t)sim_span_number(SIM_HOLE(h, 'r'), -1);
    if (state_number(&m, m.to) == 0 || state_number(&m, m.from) == 0 ||
        (m.replica < 0 && SIM_HOLE(h, 'r').size > 0))
        return; /* no state of Kafka's */
    m.ok = !refused;
    infer_gap(s, e, &m, by);
    if (refused) {
        exception_of(e, why, sizeof(why));
        m.why = why;
        if (tell_no_leader(s, e, &m, why))
            return;
    }
    if (e->word == WORD_PARTITION_ONLINE) {
        const char *rule = sim_import_node(s, e->node)->rule;
        sim_span_state(SIM_HOLE(h, 's'), &text);
        if (SIM_HOLE(h, 'l').size > 0)
            text.leader = (int32_t)sim_span_number(SIM_HOLE(h, 'l'), INT32_MIN);
        if (strcmp(m.from, "OfflinePartition") == 0)
            rule = "OfflinePartitionLeaderElectionStrategy";
        if (sim_import_new_li(s, e, &m.tp, &text, &li) && text.has_isr) {
            if (strcmp(m.from, "NewPartition") != 0 && rule != NULL)
                by = sim_import_infer_election(s, e, &m.tp, &li, rule);
            sim_import_infer_state(s, e, &m.tp, &li, by);
            m.li = &li;
        }
    }
    record_move(s, e, &m, by);
}

void sim_import_tell_new(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sm_assignment ra;
    sim_import_tell_move(s, e, h);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp))
        return;
    sim_import_assignment(SIM_HOLE(h, 'i'), &ra);
    const struct sim_partition_told *p = sim_import_partition(s, e->node, &tp);
    if (p->has_ra && sm_list_equal(&p->ra.replicas, &ra.replicas))
        return;
    sim_import_tell_assigned(s, e, h);
}

/* What a new controller put its machines at, which is no transition. */
void sim_import_tell_found(struct sim_story *s, const struct sim_entry *e,
                           const struct sim_holes *h)
{
    struct sim_span pairs = SIM_HOLE(h, 's'), value;
    struct moving m = {.ok = true, .direct = true};
    bool replicas = e->word == WORD_REPLICAS_FOUND;
    while (sim_span_next_pair(&pairs, &m.tp, &m.replica, &value)) {
        while (value.size > 0 && value.at[value.size - 1] == ')')
            value.size--;
        sim_import_copy(m.to, sizeof(m.to), value);
        snprintf(m.from, sizeof(m.from), replicas ? "NonExistentReplica" : "NonExistentPartition");
        uint8_t to = replicas == (m.replica >= 0) ? state_number(&m, m.to) : 0;
        if (to != 0 && *state_of(s, e->node, &m) != to)
            record_move(s, e, &m, sim_import_cause(s, e));
    }
}

static bool is_of_node(const char *key, int32_t node)
{
    char *end;
    return strtol(key, &end, 10) == node && *end == ' ';
}

/* A new reign: its machines begin anew. */
void sim_import_forget_machines(struct sim_story *s, int32_t node)
{
    for (uint32_t i = 0; i < s->tps.count; i++)
        if (is_of_node(sim_keys_name(&s->tps, i), node))
            s->partitions[i].state = 0;
    for (uint32_t i = 0; i < s->replicas.count; i++)
        if (is_of_node(sim_keys_name(&s->replicas, i), node))
            s->replica_states[i] = 0;
}
