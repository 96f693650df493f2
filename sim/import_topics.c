/*
 * Topics: which replicas are assigned, topics that come and go.
 *
 * Lines tell of one partition each, the znode is one per topic: its partitions are gathered while
 * lines are about the same topic, and the znode is written when they turn to something else
 * (flush). Where transactions are there, they tell of znodes and nothing is gathered.
 *
 * Source: Kafka KafkaController.processTopicChange, TopicDeletionManager.
 */
#include "sim/import_machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

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

void sim_import_flush_topic(struct sim_story *s)
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
        sim_import_znode(s, path, json, size, -1, SIM_LANE_CONTROLLER(s->dirty_node),
                         sim_import_node(s, s->dirty_node)->cause);
    free(json);
}

/* The assignment of one partition; the topic's znode is written when lines turn to something else.
 */
static void take_ra(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                    const struct sm_assignment *ra)
{
    struct sim_partition_told *p = sim_import_partition(s, e->node, tp);
    p->ra = *ra;
    p->has_ra = true;
    set_ra(s, e->node, tp, ra);
    if (sim_import_has_txns(s))
        return;
    struct sim_topic_told *t = topic_of(s, tp->topic);
    struct sim_topic_part *part = part_of(t, tp->partition);
    if (memcmp(&part->ra, ra, sizeof(*ra)) == 0)
        return;
    part->ra = *ra;
    s->dirty_topic = (uint32_t)(t - s->topics) + 1;
    s->dirty_node = e->node;
}

void sim_import_assignment(struct sim_span text, struct sm_assignment *ra)
{
    struct sim_state_text state;
    struct sim_ids ids;
    *ra = (struct sm_assignment){0};
    sim_span_state(text, &state);
    if (state.has_replicas) {
        ra->replicas = sim_import_list(&state.replicas);
        ra->adding = sim_import_list(&state.adding);
        ra->removing = sim_import_list(&state.removing);
        return;
    }
    sim_span_ids(text, &ids);
    ra->replicas = sim_import_list(&ids);
}

void sim_import_tell_assigned(struct sim_story *s, const struct sim_entry *e,
                              const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sm_assignment ra;
    struct sim_span text = SIM_HOLE(h, 's').size > 0 ? SIM_HOLE(h, 's') : SIM_HOLE(h, 'i');
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp))
        return;
    sim_import_assignment(text, &ra);
    if (s->dirty_topic != 0 && strcmp(s->topics[s->dirty_topic - 1].name, tp.topic) != 0)
        sim_import_flush_topic(s);
    if (!sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e)))
        return;
    take_ra(s, e, &tp, &ra);
    sim_trace_end(s->trace);
}

/* ---- topics that come and go ---- */

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
            sim_import_copy(topic, sizeof(topic), (struct sim_span){at, size});
            snprintf(key, sizeof(key), "t %s", topic);
            sm_path_topic(path, topic);
            if (gone)
                sim_import_znode(story, path, NULL, 0, -1, 0, 0);
            else
                sim_import_need(story, key);
        }
        at += size;
        while (at < end && (*at == ',' || *at == ' '))
            at++;
    }
    (void)e;
}

void sim_import_tell_topics(struct sim_story *s, const struct sim_entry *e,
                            const struct sim_holes *h)
{
    struct sim_span pairs = SIM_HOLE(h, 's'), value;
    struct sim_tp tp;
    int32_t replica;
    bool open = false;
    each_topic(SIM_HOLE(h, 'i'), s, e, false);
    each_topic(SIM_HOLE(h, 'x'), s, e, true);
    sim_import_begin_event(s, e, sim_import_event(e), NULL,
                           sim_import_trigger(s, e, "TopicChange"));
    while (sim_span_next_pair(&pairs, &tp, &replica, &value)) {
        struct sm_assignment ra;
        if (s->dirty_topic != 0 && strcmp(s->topics[s->dirty_topic - 1].name, tp.topic) != 0) {
            if (open)
                sim_trace_end(s->trace);
            open = false;
            sim_import_flush_topic(s);
        }
        if (!open)
            open = sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e));
        sim_import_assignment(value, &ra);
        if (open)
            take_ra(s, e, &tp, &ra);
    }
    if (open)
        sim_trace_end(s->trace);
    sim_import_flush_topic(s);
}

void sim_import_tell_topic_gone(struct sim_story *s, const struct sim_holes *h)
{
    char topic[SM_TOPIC_NAME_MAX + 1], path[SM_PATH_MAX];
    struct sim_span name = SIM_HOLE(h, 'x');
    if (!sm_topic_name_is_legal(name.at, name.size) || sim_import_has_txns(s))
        return;
    sim_import_copy(topic, sizeof(topic), name);
    struct sim_topic_told *t = topic_of(s, topic);
    for (size_t i = 0; i < t->count; i++) {
        sm_path_partition_state(path, topic, t->parts[i].partition);
        sim_import_znode(s, path, NULL, 0, -1, 0, s->deletions_changed);
    }
    t->count = 0;
    sm_path_topic(path, topic);
    sim_import_znode(s, path, NULL, 0, -1, 0, s->deletions_changed);
}
