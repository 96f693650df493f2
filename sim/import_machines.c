/*
 * What a controller's lines say: events, moves, states of partitions, brokers, topics, who
 * controls.
 *
 * A line that states a new state of a partition means: there was an election (decide), a znode was
 * written (zap), the machine moved (move). The last is stated; the first two are inferred. At INFO
 * a controller does not tell of every move: where one begins at another state than the last one
 * ended in, the move between is inferred.
 *
 * Source: Kafka KafkaController, ZkPartitionStateMachine, ZkReplicaStateMachine.
 */
#include "sim/import_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"
#include "statemachine/znode.h"

static void copy_word(char *out, size_t capacity, struct sim_span s)
{
    size_t size = s.size < capacity - 1 ? s.size : capacity - 1;
    memcpy(out, s.at, size);
    out[size] = '\0';
}

static sim_lane lane_of(const struct sim_entry *e)
{
    return SIM_LANE_CONTROLLER(e->node);
}

static struct sm_list list_of(const struct sim_ids *ids)
{
    size_t count = ids->count < SM_REPLICAS_MAX ? ids->count : SM_REPLICAS_MAX;
    return sm_list_of(ids->id, (int32_t)count);
}

static uint64_t cause_of(struct sim_story *s, const struct sim_entry *e)
{
    return sim_story_node(s, e->node)->cause;
}

/* ---- events ---- */

/* What may have set the event off. */
static uint64_t trigger_of(struct sim_story *s, const struct sim_entry *e, const char *event)
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
    return strcmp(event, "Startup") == 0 ? cause_of(s, e) : 0;
}

static bool goes_on(const struct sim_told *node, const char *event)
{
    static const char reassignment[] = "PartitionReassignment";
    return node->event != NULL && strncmp(event, reassignment, sizeof(reassignment) - 1) == 0 &&
           strncmp(node->event, reassignment, sizeof(reassignment) - 1) == 0;
}

static void begin_event(struct sim_story *s, const struct sim_entry *e, const char *event,
                        const char *rule, uint64_t by)
{
    struct sim_told *node = sim_story_node(s, e->node);
    if (goes_on(node, event))
        return;
    if (!sim_story_tell(s, SIM_K_QUEUE, lane_of(e), by))
        return;
    sim_trace_text(s->trace, SIM_F_WHAT, "start");
    sim_trace_text(s->trace, SIM_F_NAME, event);
    node->cause = sim_trace_end(s->trace);
    node->event = event;
    node->rule = rule;
}

/* ---- states of partitions ---- */

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

static void set_ra(struct sim_story *s, int32_t node, const struct sim_tp *tp,
                   const struct sm_assignment *ra)
{
    sim_trace_set_begin(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".ra.%s-%" PRId32, node,
                                                tp->topic, tp->partition));
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_ids(s->trace, SIM_F_REPLICAS, ra->replicas.id, (size_t)ra->replicas.count);
    sim_trace_ids(s->trace, SIM_F_ADDING, ra->adding.id, (size_t)ra->adding.count);
    sim_trace_ids(s->trace, SIM_F_REMOVING, ra->removing.id, (size_t)ra->removing.count);
    sim_trace_object_end(s->trace);
    sim_trace_set_end(s->trace);
}

static void add_candidate(struct sim_story *s, const struct sim_partition_told *p,
                          const struct sim_told *node, int32_t id, int32_t leader, bool *passed)
{
    bool live = false;
    for (size_t i = 0; i < node->live.count; i++)
        live = live || node->live.id[i] == id;
    bool insync = p->has_li && sm_list_has(&p->li.isr, id);
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_int(s->trace, SIM_F_ID, id);
    sim_trace_int(s->trace, SIM_F_LIVE, live);
    sim_trace_int(s->trace, SIM_F_INSYNC, insync);
    sim_trace_text(s->trace, SIM_F_VERDICT,
                   id == leader ? "chosen"
                   : !live      ? "not alive"
                   : !insync    ? "not in sync"
                   : *passed    ? "later in the order"
                                : "passed over");
    sim_trace_object_end(s->trace);
    *passed = *passed || id == leader;
}

/* The election behind a state that a line tells of. */
static uint64_t infer_election(struct sim_story *s, const struct sim_entry *e,
                               const struct sim_tp *tp, const struct sm_leader_and_isr *next,
                               const char *rule)
{
    struct sim_told *node = sim_story_node(s, e->node);
    const struct sim_partition_told *p = sim_story_partition(s, e->node, tp);
    bool passed = false, unclean = p->has_li && !sm_list_has(&p->li.isr, next->leader);
    if (!sim_story_infer(s, SIM_K_DECIDE, lane_of(e), node->cause, 0))
        return node->cause;
    sim_trace_text(s->trace, SIM_F_RULE, rule);
    sim_trace_partition(s->trace, SIM_F_PARTITION, tp->topic, tp->partition);
    if (p->has_li)
        sim_trace_int(s->trace, SIM_F_LEADER, p->li.leader);
    if (p->has_ra) {
        sim_trace_list_begin(s->trace, SIM_F_CANDIDATES);
        for (int32_t i = 0; i < p->ra.replicas.count; i++)
            add_candidate(s, p, node, p->ra.replicas.id[i], next->leader, &passed);
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
static bool new_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                   const struct sim_state_text *text, struct sm_leader_and_isr *li)
{
    const struct sim_partition_told *p = sim_story_partition(s, e->node, tp);
    int32_t ce = sim_story_node(s, e->node)->ce;
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
        li->isr = list_of(&text->isr);
    li->controller_epoch = text->controller_epoch != INT32_MIN ? text->controller_epoch
                           : e->ce >= 0                        ? e->ce
                           : ce >= 0                           ? ce
                                                               : 0;
    return true;
}

static void infer_state_znode(struct sim_story *s, const struct sim_entry *e,
                              const struct sim_tp *tp, const struct sm_leader_and_isr *li,
                              uint64_t by)
{
    char path[SM_PATH_MAX], json[SM_STATE_BYTES_MAX], key[320];
    snprintf(key, sizeof(key), "s %s-%" PRId32 " %" PRId32 " %" PRId32, tp->topic, tp->partition,
             li->leader_epoch, li->leader);
    if (sim_story_need(s, key))
        return;
    sm_path_partition_state(path, tp->topic, tp->partition);
    size_t size = sm_znode_encode_state(json, li);
    sim_story_znode(s, path, json, size, li->zk_version, lane_of(e), by);
}

/* Takes the state in: znode, then what the controller believes. Facts go on the record that is
 * open. */
static void learn_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                     const struct sm_leader_and_isr *li)
{
    struct sim_partition_told *p = sim_story_partition(s, e->node, tp);
    p->li = *li;
    p->has_li = true;
    set_li(s, e->node, tp, li);
}

static void tell_li(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
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
    if (!new_li(s, e, &tp, &text, &li))
        return;
    infer_state_znode(s, e, &tp, &li, cause_of(s, e));
    if (sim_story_tell(s, SIM_K_LEARN, lane_of(e), cause_of(s, e))) {
        learn_li(s, e, &tp, &li);
        sim_trace_end(s->trace);
    }
}

void sim_story_sent_state(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                          struct sim_span state)
{
    struct sim_state_text text;
    struct sm_leader_and_isr li;
    const struct sim_partition_told *p = sim_story_partition(s, e->node, tp);
    sim_span_state(state, &text);
    if (text.leader_epoch == INT32_MIN || !text.has_isr ||
        (p->has_li && p->li.leader_epoch >= text.leader_epoch) || !new_li(s, e, tp, &text, &li))
        return;
    infer_state_znode(s, e, tp, &li, cause_of(s, e));
    if (sim_story_infer(s, SIM_K_LEARN, lane_of(e), cause_of(s, e), 0)) {
        learn_li(s, e, tp, &li);
        sim_trace_end(s->trace);
    }
}

/* ---- assignments ---- */

static struct sim_topic_told *topic_of(struct sim_story *s, const char *name)
{
    uint32_t before = s->topic_names.count,
             id = sim_keys_intern(&s->topic_names, name, strlen(name));
    s->topics = sim_grow(s->topics, &s->topic_capacity, (size_t)id + 1, sizeof(*s->topics));
    if (id == before) {
        s->topics[id] = (struct sim_topic_told){0};
        snprintf(s->topics[id].name, sizeof(s->topics[id].name), "%s", name);
    }
    return &s->topics[id];
}

/* Ascending by partition; lines mostly come so. */
static struct sim_topic_part *part_of(struct sim_topic_told *t, int32_t partition)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->parts[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < t->count && t->parts[low].partition == partition)
        return &t->parts[low];
    t->parts = sim_grow(t->parts, &t->capacity, t->count + 1, sizeof(*t->parts));
    memmove(&t->parts[low + 1], &t->parts[low], (t->count - low) * sizeof(*t->parts));
    t->parts[low] = (struct sim_topic_part){.partition = partition};
    t->count++;
    return &t->parts[low];
}

void sim_story_flush_topic(struct sim_story *s)
{
    if (s->dirty_topic == 0)
        return;
    const struct sim_topic_told *t = &s->topics[s->dirty_topic - 1];
    char path[SM_PATH_MAX], *json = NULL;
    size_t capacity = 0;
    struct sm_topic_writer w;
    s->dirty_topic = 0;
    json = sim_grow(json, &capacity, 256 + t->count * 3 * 400, 1);
    sm_topic_writer_begin(&w, json, capacity);
    for (int32_t section = 0; section < 3; section++) {
        if (section > 0)
            sm_topic_writer_section(&w, section);
        for (size_t i = 0; i < t->count; i++)
            sm_topic_writer_partition(&w, t->parts[i].partition, &t->parts[i].ra);
    }
    size_t size = sm_topic_writer_end(&w, NULL);
    sm_path_topic(path, t->name);
    if (size > 0)
        sim_story_znode(s, path, json, size, -1, SIM_LANE_CONTROLLER(s->dirty_node),
                        sim_story_node(s, s->dirty_node)->cause);
    free(json);
}

/* The assignment of one partition; the topic's znode is written when lines turn to something else.
 */
static void take_ra(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                    const struct sm_assignment *ra)
{
    struct sim_partition_told *p = sim_story_partition(s, e->node, tp);
    p->ra = *ra;
    p->has_ra = true;
    set_ra(s, e->node, tp, ra);
    if (sim_story_has_txns(s))
        return;
    struct sim_topic_told *t = topic_of(s, tp->topic);
    struct sim_topic_part *part = part_of(t, tp->partition);
    if (memcmp(&part->ra, ra, sizeof(*ra)) == 0)
        return;
    part->ra = *ra;
    s->dirty_topic = (uint32_t)(t - s->topics) + 1;
    s->dirty_node = e->node;
}

static void assignment_of(struct sim_span text, struct sm_assignment *ra)
{
    struct sim_state_text state;
    struct sim_ids ids;
    *ra = (struct sm_assignment){0};
    sim_span_state(text, &state);
    if (state.has_replicas) {
        ra->replicas = list_of(&state.replicas);
        ra->adding = list_of(&state.adding);
        ra->removing = list_of(&state.removing);
        return;
    }
    sim_span_ids(text, &ids);
    ra->replicas = list_of(&ids);
}

static void tell_assigned(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sm_assignment ra;
    struct sim_span text = SIM_HOLE(h, 's').size > 0 ? SIM_HOLE(h, 's') : SIM_HOLE(h, 'i');
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp))
        return;
    assignment_of(text, &ra);
    if (s->dirty_topic != 0 && strcmp(s->topics[s->dirty_topic - 1].name, tp.topic) != 0)
        sim_story_flush_topic(s);
    if (!sim_story_tell(s, SIM_K_LEARN, lane_of(e), cause_of(s, e)))
        return;
    take_ra(s, e, &tp, &ra);
    sim_trace_end(s->trace);
}

/* ---- topics ---- */

/* Topic names in "Set(orders, gone)". */
static void each_topic(struct sim_span s, struct sim_story *story, const struct sim_entry *e,
                       bool gone)
{
    const char *open = s.size > 0 ? memchr(s.at, '(', s.size) : NULL;
    if (open == NULL)
        return;
    const char *at = open + 1, *end = s.at + s.size;
    while (at < end && *at != ')') {
        size_t size = 0;
        while (at + size < end && at[size] != ',' && at[size] != ')')
            size++;
        char topic[SM_TOPIC_NAME_MAX + 1], key[SM_TOPIC_NAME_MAX + 8], path[SM_PATH_MAX];
        if (sm_topic_name_is_legal(at, size)) {
            copy_word(topic, sizeof(topic), (struct sim_span){at, size});
            snprintf(key, sizeof(key), "t %s", topic);
            sm_path_topic(path, topic);
            if (gone)
                sim_story_znode(story, path, NULL, 0, -1, 0, 0);
            else
                sim_story_need(story, key);
        }
        at += size;
        while (at < end && (*at == ',' || *at == ' '))
            at++;
    }
    (void)e;
}

static void tell_topics(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_span pairs = SIM_HOLE(h, 's'), value;
    struct sim_tp tp;
    int32_t replica;
    bool open = false;
    each_topic(SIM_HOLE(h, 'i'), s, e, false);
    each_topic(SIM_HOLE(h, 'x'), s, e, true);
    begin_event(s, e, sim_import_event(e), NULL, trigger_of(s, e, "TopicChange"));
    while (sim_span_next_pair(&pairs, &tp, &replica, &value)) {
        struct sm_assignment ra;
        if (s->dirty_topic != 0 && strcmp(s->topics[s->dirty_topic - 1].name, tp.topic) != 0) {
            if (open)
                sim_trace_end(s->trace);
            open = false;
            sim_story_flush_topic(s);
        }
        if (!open)
            open = sim_story_tell(s, SIM_K_LEARN, lane_of(e), cause_of(s, e));
        assignment_of(value, &ra);
        if (open)
            take_ra(s, e, &tp, &ra);
    }
    if (open)
        sim_trace_end(s->trace);
    sim_story_flush_topic(s);
}

static void tell_topic_gone(struct sim_story *s, const struct sim_holes *h)
{
    char topic[SM_TOPIC_NAME_MAX + 1], path[SM_PATH_MAX];
    struct sim_span name = SIM_HOLE(h, 'x');
    if (!sm_topic_name_is_legal(name.at, name.size) || sim_story_has_txns(s))
        return;
    copy_word(topic, sizeof(topic), name);
    struct sim_topic_told *t = topic_of(s, topic);
    for (size_t i = 0; i < t->count; i++) {
        sm_path_partition_state(path, topic, t->parts[i].partition);
        sim_story_znode(s, path, NULL, 0, -1, 0, s->deletions_changed);
    }
    t->count = 0;
    sm_path_topic(path, topic);
    sim_story_znode(s, path, NULL, 0, -1, 0, s->deletions_changed);
}

/* ---- moves ---- */

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
                           : &sim_story_partition(s, node, &m->tp)->state;
}

static void record_move(struct sim_story *s, const struct sim_entry *e, const struct moving *m,
                        uint64_t by)
{
    if (!(m->inferred ? sim_story_infer(s, SIM_K_MOVE, lane_of(e), by, 0)
                      : sim_story_tell(s, SIM_K_MOVE, lane_of(e), by)))
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
            learn_li(s, e, &m->tp, m->li);
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
    copy_word(out, capacity, more);
}

/* A legal move that was not made because nobody could lead: an election, not a refusal of the
 * machine. */
static bool tell_no_leader(struct sim_story *s, const struct sim_entry *e, const struct moving *m,
                           const char *why)
{
    static const char under[] = " under strategy ";
    char rule[80] = "OfflinePartitionLeaderElectionStrategy";
    const char *named = strstr(why, under), *known = sim_story_node(s, e->node)->rule;
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
    if (!sim_story_tell(s, SIM_K_DECIDE, lane_of(e), cause_of(s, e)))
        return true;
    sim_trace_text(s->trace, SIM_F_RULE, rule);
    sim_trace_partition(s->trace, SIM_F_PARTITION, m->tp.topic, m->tp.partition);
    sim_trace_text(s->trace, SIM_F_VERDICT, "none-eligible");
    sim_trace_int(s->trace, SIM_F_CHOSEN, SM_NO_LEADER);
    sim_trace_int(s->trace, SIM_F_OK, 0);
    sim_trace_end(s->trace);
    return true;
}

static void tell_move(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct moving m = {.replica = -1};
    struct sim_state_text text;
    struct sm_leader_and_isr li;
    char why[400];
    bool refused = e->word == WORD_PARTITION_REFUSED || e->word == WORD_REPLICA_REFUSED;
    uint64_t by = cause_of(s, e);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &m.tp))
        return;
    copy_word(m.from, sizeof(m.from), SIM_HOLE(h, 'f'));
    copy_word(m.to, sizeof(m.to), SIM_HOLE(h, 't'));
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
        const char *rule = sim_story_node(s, e->node)->rule;
        sim_span_state(SIM_HOLE(h, 's'), &text);
        if (SIM_HOLE(h, 'l').size > 0)
            text.leader = (int32_t)sim_span_number(SIM_HOLE(h, 'l'), INT32_MIN);
        if (strcmp(m.from, "OfflinePartition") == 0)
            rule = "OfflinePartitionLeaderElectionStrategy";
        if (new_li(s, e, &m.tp, &text, &li) && text.has_isr) {
            if (strcmp(m.from, "NewPartition") != 0 && rule != NULL)
                by = infer_election(s, e, &m.tp, &li, rule);
            infer_state_znode(s, e, &m.tp, &li, by);
            m.li = &li;
        }
    }
    record_move(s, e, &m, by);
}

static void tell_new(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sm_assignment ra;
    tell_move(s, e, h);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp))
        return;
    assignment_of(SIM_HOLE(h, 'i'), &ra);
    const struct sim_partition_told *p = sim_story_partition(s, e->node, &tp);
    if (p->has_ra && sm_list_equal(&p->ra.replicas, &ra.replicas))
        return;
    tell_assigned(s, e, h);
}

/* What a new controller put its machines at, which is no transition. */
static void tell_found(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_span pairs = SIM_HOLE(h, 's'), value;
    struct moving m = {.ok = true, .direct = true};
    bool replicas = e->word == WORD_REPLICAS_FOUND;
    while (sim_span_next_pair(&pairs, &m.tp, &m.replica, &value)) {
        while (value.size > 0 && value.at[value.size - 1] == ')')
            value.size--;
        copy_word(m.to, sizeof(m.to), value);
        snprintf(m.from, sizeof(m.from), replicas ? "NonExistentReplica" : "NonExistentPartition");
        uint8_t to = replicas == (m.replica >= 0) ? state_number(&m, m.to) : 0;
        if (to != 0 && *state_of(s, e->node, &m) != to)
            record_move(s, e, &m, cause_of(s, e));
    }
}

/* ---- brokers, and who controls ---- */

static void set_live(struct sim_story *s, const struct sim_entry *e, const char *what,
                     struct sim_span text)
{
    struct sim_ids ids;
    sim_span_ids(text, &ids);
    if (strcmp(what, "live") == 0)
        sim_story_node(s, e->node)->live = ids;
    if (!sim_story_tell(s, SIM_K_LEARN, lane_of(e), cause_of(s, e)))
        return;
    sim_trace_set_ids(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".%s", e->node, what),
                      ids.id, ids.count);
    sim_trace_end(s->trace);
}

/* Without transactions: its session must have ended, its znode gone. */
static void infer_gone(struct sim_story *s, int32_t id)
{
    char path[SM_PATH_MAX], key[32];
    snprintf(key, sizeof(key), "x %" PRId32, id);
    if (sim_story_need(s, key) || sim_story_has_txns(s))
        return;
    const struct sim_told *node = sim_story_node(s, id);
    uint64_t down = node->down, by = 0;
    if (sim_story_infer(s, SIM_K_SESSION, SIM_LANE_ZK, by, down)) {
        sim_trace_text(s->trace, SIM_F_WHAT, down != 0 ? "expired" : "closed");
        sim_trace_int(s->trace, SIM_F_NODE, id);
        sim_trace_text(s->trace, SIM_F_SEEN, "server");
        by = sim_trace_end(s->trace);
    }
    sm_path_broker(path, id);
    sim_story_znode(s, path, NULL, 0, -1, 0, by);
    if (s->controller == id) {
        s->controller = -1;
        sim_story_znode(s, SM_PATH_CONTROLLER, NULL, 0, -1, 0, by);
    }
    s->brokers_changed = by;
}

static void infer_registered(struct sim_story *s, int32_t id)
{
    char path[SM_PATH_MAX], key[32], json[200];
    snprintf(key, sizeof(key), "b %" PRId32, id);
    if (sim_story_need(s, key) || sim_story_has_txns(s))
        return;
    sm_path_broker(path, id);
    int size = snprintf(json, sizeof(json),
                        "{\"version\":4,\"host\":\"broker-%" PRId32
                        "\",\"port\":9092,\"jmx_port\":-1,\"timestamp\":\"%" PRId64
                        "\",\"endpoints\":[\"PLAINTEXT://broker-%" PRId32 ":9092\"]}",
                        id, s->t / 1000, id);
    sim_story_znode(s, path, json, (size_t)size, 0, SIM_LANE_BROKER(id),
                    sim_trace_last_setter(s->trace, sim_trace_key(s->trace, "node.%" PRId32, id)));
}

static void tell_brokers(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_ids added, gone, bounced;
    sim_span_ids(SIM_HOLE(h, 'i'), &added);
    sim_span_ids(SIM_HOLE(h, 'x'), &gone);
    sim_span_ids(SIM_HOLE(h, 'y'), &bounced);
    for (size_t i = 0; i < gone.count; i++)
        infer_gone(s, gone.id[i]);
    for (size_t i = 0; i < bounced.count; i++)
        infer_registered(s, bounced.id[i]);
    for (size_t i = 0; i < added.count; i++)
        infer_registered(s, added.id[i]);
    begin_event(s, e, sim_import_event(e), sim_import_rule(e), s->brokers_changed);
    set_live(s, e, "live", SIM_HOLE(h, 'z'));
}

static void tell_live(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_ids ids;
    sim_span_ids(SIM_HOLE(h, 'i'), &ids);
    for (size_t i = 0; i < ids.count; i++)
        infer_registered(s, ids.id[i]);
    set_live(s, e, "live", SIM_HOLE(h, 'i'));
}

static bool is_of_node(const char *key, int32_t node)
{
    char *end;
    return strtol(key, &end, 10) == node && *end == ' ';
}

/* A new reign: its machines begin anew. */
static void forget_machines(struct sim_story *s, int32_t node)
{
    for (uint32_t i = 0; i < s->tps.count; i++)
        if (is_of_node(sim_keys_name(&s->tps, i), node))
            s->partitions[i].state = 0;
    for (uint32_t i = 0; i < s->replicas.count; i++)
        if (is_of_node(sim_keys_name(&s->replicas, i), node))
            s->replica_states[i] = 0;
}

static void tell_elected(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    char key[32], json[120], epoch[16];
    int32_t ce = (int32_t)sim_span_number(SIM_HOLE(h, 'e'), -1);
    int32_t version = (int32_t)sim_span_number(SIM_HOLE(h, 'v'), -1);
    snprintf(key, sizeof(key), "e %" PRId32, ce);
    bool stated = ce >= 0 && sim_story_need(s, key);
    struct sim_told *node = sim_story_node(s, e->node);
    if (!stated && !sim_story_has_txns(s)) {
        int size =
            snprintf(json, sizeof(json),
                     "{\"version\":1,\"brokerid\":%" PRId32 ",\"timestamp\":\"%" PRId64 "\"}",
                     e->node, s->t / 1000);
        if (s->controller >= 0 && s->controller != e->node &&
            sim_story_node(s, s->controller)->down != 0)
            infer_gone(s, s->controller);
        else if (s->controller != e->node)
            sim_story_znode(s, SM_PATH_CONTROLLER, NULL, 0, -1, 0, 0);
        node = sim_story_node(s, e->node);
        sim_story_znode(s, SM_PATH_CONTROLLER, json, (size_t)size, 0, SIM_LANE_BROKER(e->node),
                        s->controller_changed != 0 ? s->controller_changed : node->cause);
        s->controller = e->node;
        if (ce >= 0) {
            size = snprintf(epoch, sizeof(epoch), "%" PRId32, ce);
            sim_story_znode(s, SM_PATH_CONTROLLER_EPOCH, epoch, (size_t)size, version,
                            SIM_LANE_BROKER(e->node), node->cause);
        }
    }
    if (sim_import_event(e) != NULL)
        begin_event(s, e, sim_import_event(e), "OfflinePartitionLeaderElectionStrategy",
                    s->controller_changed);
    node = sim_story_node(s, e->node);
    if (ce >= 0)
        node->ce = ce;
    forget_machines(s, e->node);
    if (!sim_story_tell(s, SIM_K_LEARN, lane_of(e), node->cause))
        return;
    if (ce >= 0)
        sim_trace_set_int(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".epoch", e->node), ce);
    if (version >= 0)
        sim_trace_set_int(
            s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".epochZkVersion", e->node), version);
    sim_trace_set_int(s->trace, sim_trace_key(s->trace, "bel.%" PRId32 ".ctl", e->node), e->node);
    sim_trace_set_text(s->trace, sim_trace_key(s->trace, "role.%" PRId32, e->node), "active");
    sim_trace_end(s->trace);
}

static void tell_standby(struct sim_story *s, const struct sim_entry *e, int64_t controller)
{
    if (!sim_story_tell(s, SIM_K_LEARN, lane_of(e), cause_of(s, e)))
        return;
    sim_trace_set_text(s->trace, sim_trace_key(s->trace, "role.%" PRId32, e->node), "standby");
    if (controller >= 0)
        sim_trace_set_int(s->trace, sim_trace_key(s->trace, "bel.%" PRId32 ".ctl", e->node),
                          controller);
    sim_trace_end(s->trace);
}

/* What an operator, or a broker that wants to end, asked for. */
static uint64_t tell_asked(struct sim_story *s, const char *verb, int32_t node, bool inferred)
{
    char target[16];
    if (!(inferred ? sim_story_infer(s, SIM_K_FAULT, SIM_LANE_WORLD, 0, 0)
                   : sim_story_tell(s, SIM_K_FAULT, SIM_LANE_WORLD, 0)))
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
    struct sim_told *node = sim_story_node(s, e->node);
    uint64_t by = s->preferred_changed;
    if (sim_span_begins(SIM_HOLE(h, 'x'), "AutoTriggered"))
        by = node->cause;
    else if (sim_span_begins(SIM_HOLE(h, 'x'), "AdminClientTriggered"))
        by = tell_asked(s, "elect-leaders", -1, false);
    else if (node->event != NULL && strcmp(node->event, "Reelect") == 0)
        by = node->cause; /* a new controller takes up what was asked for */
    begin_event(s, e, sim_import_event(e), rule, by);
}

static void tell_shutdown(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    int32_t broker = (int32_t)sim_span_number(SIM_HOLE(h, 'b'), -1);
    uint64_t by = broker >= 0 ? tell_asked(s, "shutdown", broker, false) : 0;
    begin_event(s, e, sim_import_event(e), sim_import_rule(e), by);
}

/* Through the znode, or through a call, which no line tells of; a new controller takes up what it
 * finds. */
static void tell_reassignment(struct sim_story *s, const struct sim_entry *e)
{
    const struct sim_told *node = sim_story_node(s, e->node);
    uint64_t by = s->reassign_changed;
    if (goes_on(node, sim_import_event(e)))
        return;
    if (node->event != NULL && strcmp(node->event, "Reelect") == 0)
        by = node->cause;
    else if (by == 0)
        by = tell_asked(s, "reassign", -1, true);
    s->reassign_changed = 0;
    begin_event(s, e, sim_import_event(e), sim_import_rule(e), by);
}

void sim_story_controller(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    if (s->dirty_topic != 0 && e->word != WORD_ASSIGNED && e->word != WORD_PARTITION_NEW)
        sim_story_flush_topic(s);
    switch ((enum sim_word)e->word) {
    case WORD_PARTITION_NEW:
        tell_new(s, e, h);
        return;
    case WORD_PARTITION_ONLINE:
    case WORD_PARTITION_MOVE:
    case WORD_REPLICA_MOVE:
    case WORD_PARTITION_REFUSED:
    case WORD_REPLICA_REFUSED:
        tell_move(s, e, h);
        return;
    case WORD_ISR_WITHOUT:
    case WORD_LEADER_AND_ISR:
    case WORD_EPOCH_UP:
        tell_li(s, e, h);
        return;
    case WORD_ELECTED:
        tell_elected(s, e, h);
        return;
    case WORD_NOT_ELECTED:
        tell_standby(s, e, sim_span_number(SIM_HOLE(h, 'b'), -1));
        return;
    case WORD_RESIGNED:
        tell_standby(s, e, -1);
        return;
    case WORD_BROKERS:
        tell_brokers(s, e, h);
        return;
    case WORD_LIVE:
        tell_live(s, e, h);
        return;
    case WORD_SHUTTING:
        set_live(s, e, "shutting", SIM_HOLE(h, 'i'));
        return;
    case WORD_TOPICS:
        tell_topics(s, e, h);
        return;
    case WORD_TOPIC_GONE:
        tell_topic_gone(s, h);
        return;
    case WORD_ASSIGNED:
        if (sim_import_event(e) != NULL)
            tell_reassignment(s, e);
        tell_assigned(s, e, h);
        return;
    case WORD_ELECTION:
        tell_election(s, e, h);
        return;
    case WORD_CONTROLLED_SHUTDOWN:
        tell_shutdown(s, e, h);
        return;
    case WORD_REPLICAS_FOUND:
    case WORD_PARTITIONS_FOUND:
        tell_found(s, e, h);
        return;
    case WORD_EVENT:
        if (sim_import_event(e) != NULL)
            begin_event(s, e, sim_import_event(e), sim_import_rule(e),
                        trigger_of(s, e, sim_import_event(e)));
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
