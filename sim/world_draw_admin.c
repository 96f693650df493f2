/*
 * What administrators do, wisely or not: topics made, grown, moved and deleted, leaders elected,
 * settings changed, the controller sent away.
 *
 * Operations come in pairs more often than alone, as people work: what was created is moved or
 * deleted again, a reassignment is cancelled, a deleted topic created anew. Replicas are put where
 * the seed says, whether that broker lives or not.
 */
#include "sim/world_draw.h"

#include <stdio.h>

static void name_topic(struct sim_drawer *d, struct sim_step *step, const char *name)
{
    char **all = sim_memory_take(&d->plan->memory, (step->topic_count + 1) * sizeof(*all));
    for (uint32_t i = 0; i < step->topic_count; i++)
        all[i] = step->topics[i];
    all[step->topic_count++] = sim_draw_text(d, name);
    step->topics = all;
}

static int32_t some_factor(struct sim_drawer *d)
{
    return 1 + (int32_t)sim_draw_below(d, d->s->node_count < 3 ? d->s->node_count : 3);
}

/* `want` different brokers, in any order. */
static void some_replicas(struct sim_drawer *d, int32_t want, struct sm_list *out)
{
    int32_t left = (int32_t)d->s->node_count;
    int32_t *ids = sim_memory_take(&d->plan->memory, (size_t)left * sizeof(*ids));
    want = want < 1 ? 1 : want > left ? left : want > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : want;
    for (int32_t i = 0; i < left; i++)
        ids[i] = d->s->nodes[i].id;
    for (out->count = 0; out->count < want;) {
        uint64_t which = sim_draw_below(d, (uint64_t)left);
        out->id[out->count++] = ids[which];
        ids[which] = ids[--left];
    }
}

static struct sim_partition_arg *replicas_arg(struct sim_drawer *d, struct sim_step *step,
                                              const char *topic, int32_t partition)
{
    struct sim_partition_arg *arg = sim_draw_arg(d, step, topic, partition);
    arg->has_replicas = true;
    return arg;
}

/* Partitions from `first` on, up to `total` of them: where Kafka puts them, or on brokers that are
   named. */
static void place_partitions(struct sim_drawer *d, struct sim_step *step, const char *topic,
                             int32_t first, int32_t total)
{
    int32_t factor = some_factor(d);
    if (sim_draw_one_in(d, 2)) {
        step->partition_count = total;
        step->replication_factor = factor;
        return;
    }
    for (int32_t i = first; i < total; i++)
        some_replicas(d, factor, &replicas_arg(d, step, topic, i)->replicas);
}

void sim_draw_move_controller(struct sim_drawer *d, enum sim_verb verb)
{
    sim_draw_step(d, verb);
    if (sim_draw_one_in(d, 3)) {
        int64_t later = sim_draw_duration(d, sim_draw_session_us(d) / 8);
        sim_draw_follow(d, verb, later);
    }
}

/* What is done with a topic that has just been made. */
static void follow_topic(struct sim_drawer *d, const char *name, int32_t partitions)
{
    int64_t later = sim_draw_duration(d, sim_draw_session_us(d));
    uint64_t which = sim_draw_below(d, 8);
    if (which < 3) {
        struct sim_step *step = sim_draw_follow(d, SIM_VERB_ELECT_LEADERS, later);
        sim_draw_arg(d, step, name, 0);
        step->via = which < 2 ? SIM_VIA_ZNODE : SIM_VIA_DEFAULT;
    } else if (which < 5) {
        struct sim_step *step = sim_draw_follow(d, SIM_VERB_REASSIGN, later);
        int32_t factor = some_factor(d);
        some_replicas(d, factor, &replicas_arg(d, step, name, 0)->replicas);
    } else if (which < 6) {
        name_topic(d, sim_draw_follow(d, SIM_VERB_DELETE_TOPIC, later), name);
    } else if (which < 7) {
        struct sim_step *step = sim_draw_follow(d, SIM_VERB_ADD_PARTITIONS, later);
        name_topic(d, step, name);
        place_partitions(d, step, name, partitions, partitions + 1);
    }
}

/* On a broker that has just died: no leader can be elected, and the partition has no state. */
static void draw_unled(struct sim_drawer *d, const char *name)
{
    int64_t session = sim_draw_session_us(d);
    int32_t id = sim_draw_id(d);
    struct sim_step *kill = sim_draw_step(d, SIM_VERB_KILL);
    int64_t more = sim_draw_duration(d, 3 * session);
    kill->target = sim_draw_ids(d, &id, 1);
    kill->for_us = 2 * session + more;
    uint32_t killed = sim_draw_last(d);
    int64_t later = session + sim_draw_duration(d, session / 2);
    struct sim_step *step = sim_draw_follow(d, SIM_VERB_CREATE_TOPIC, later);
    name_topic(d, step, name);
    replicas_arg(d, step, name, 0)->replicas = (struct sm_list){.count = 1, .id = {id}};
    follow_topic(d, name, 1);
    sim_draw_start_at_end(d, killed);
}

void sim_draw_create(struct sim_drawer *d, enum sim_verb verb)
{
    char name[32];
    int32_t partitions = 1 + (int32_t)sim_draw_below(d, 3);
    snprintf(name, sizeof(name), "drawn-%u", ++d->created);
    if (sim_draw_one_in(d, 4)) {
        draw_unled(d, name);
        return;
    }
    struct sim_step *step = sim_draw_step(d, verb);
    name_topic(d, step, name);
    place_partitions(d, step, name, 0, partitions);
    follow_topic(d, name, partitions);
}

void sim_draw_grow(struct sim_drawer *d, enum sim_verb verb)
{
    const struct sim_topic *topic = sim_draw_topic(d);
    int32_t more = 1 + (int32_t)sim_draw_below(d, 2);
    struct sim_step *step = sim_draw_step(d, verb);
    name_topic(d, step, topic->name);
    place_partitions(d, step, topic->name, topic->partition_count, topic->partition_count + more);
}

void sim_draw_delete(struct sim_drawer *d, enum sim_verb verb)
{
    const struct sim_topic *topic = sim_draw_topic(d);
    const struct sim_topic *other = sim_draw_topic(d);
    struct sim_step *step = sim_draw_step(d, verb);
    name_topic(d, step, topic->name);
    if (other != topic && sim_draw_one_in(d, 4))
        name_topic(d, step, other->name);
    uint64_t then = sim_draw_below(d, 8);
    int64_t later = sim_draw_duration(d, sim_draw_session_us(d));
    if (then < 3) { /* a tool that writes the topic's znode does not look whether it is deleted */
        step = sim_draw_follow(d, SIM_VERB_ADD_PARTITIONS, later);
        name_topic(d, step, topic->name);
        place_partitions(d, step, topic->name, topic->partition_count, topic->partition_count + 1);
        later = sim_draw_duration(d, sim_draw_session_us(d));
    }
    if (then < 2 || then == 7)
        return;
    step = sim_draw_follow(d, SIM_VERB_CREATE_TOPIC, later);
    name_topic(d, step, topic->name);
    place_partitions(d, step, topic->name, 0, topic->partition_count);
}

/* The same replicas, another one first; with `least` 0 perhaps the same. */
static void rotate(struct sim_drawer *d, const struct sm_list *now, int32_t least,
                   struct sm_list *out)
{
    int32_t by = least + (int32_t)sim_draw_below(d, (uint64_t)(now->count - least));
    out->count = now->count;
    for (int32_t i = 0; i < now->count; i++)
        out->id[i] = now->id[(i + by) % now->count];
}

/* Any brokers, mostly as many as there were; or the same in another order. */
static void add_move(struct sim_drawer *d, struct sim_step *step, const struct sim_topic *topic,
                     int32_t partition)
{
    struct sm_list now = {0};
    sim_topic_replicas(d->s, topic, partition, &now);
    struct sm_list *out = &replicas_arg(d, step, topic->name, partition)->replicas;
    if (now.count > 1 && sim_draw_one_in(d, 4)) {
        rotate(d, &now, 1, out);
        return;
    }
    int32_t more = sim_draw_one_in(d, 4) ? 1 - (int32_t)sim_draw_below(d, 3) : 0;
    some_replicas(d, now.count + more, out);
}

/* One partition, or all of the topic. */
static const struct sim_topic *draw_moves(struct sim_drawer *d, struct sim_step *step,
                                          int32_t *first, int32_t *count)
{
    const struct sim_topic *topic = sim_draw_topic(d);
    bool all = sim_draw_one_in(d, 3);
    *first = all ? 0 : sim_draw_partition_of(d, topic);
    *count = all ? topic->partition_count : 1;
    for (int32_t i = 0; i < *count; i++)
        add_move(d, step, topic, *first + i);
    return topic;
}

/* A new replica cannot fetch for a while: else a reassignment is over within milliseconds. */
static void slow_down(struct sim_drawer *d, const struct sim_step *moves)
{
    const struct sm_list *to = &moves->partitions[0].replicas;
    int32_t id = to->id[sim_draw_below(d, (uint64_t)to->count)];
    struct sim_step *hold = sim_draw_follow(d, SIM_VERB_HOLD, 0);
    hold->channel = (struct sim_channel){.from = sim_draw_ids(d, &id, 1), .api = WIRE_API_FETCH};
    hold->for_us = sim_draw_duration(d, 4 * sim_draw_session_us(d));
}

void sim_draw_reassign(struct sim_drawer *d, enum sim_verb verb)
{
    int32_t first, count;
    struct sim_step *step = sim_draw_step(d, verb);
    draw_moves(d, step, &first, &count);
    if (sim_draw_one_in(d, 3))
        step->via = SIM_VIA_ZNODE;
    if (sim_draw_one_in(d, 3))
        slow_down(d, step);
}

void sim_draw_reassign_and_cancel(struct sim_drawer *d, enum sim_verb verb)
{
    int32_t first, count;
    struct sim_step *step = sim_draw_step(d, SIM_VERB_REASSIGN);
    const struct sim_topic *topic = draw_moves(d, step, &first, &count);
    int64_t session = sim_draw_session_us(d);
    int64_t later = sim_draw_duration(d, sim_draw_one_in(d, 2) ? 4 * session : session / 4);
    if (sim_draw_one_in(d, 2))
        slow_down(d, step);
    step = sim_draw_follow(d, verb, later);
    for (int32_t i = 0; i < count; i++)
        sim_draw_arg(d, step, topic->name, first + i);
}

void sim_draw_elect(struct sim_drawer *d, enum sim_verb verb)
{
    const struct sim_topic *topic = sim_draw_topic(d);
    struct sim_step *step = sim_draw_step(d, verb);
    step->unclean = sim_draw_one_in(d, 4);
    step->all_partitions = sim_draw_one_in(d, 2);
    if (step->all_partitions)
        return;
    sim_draw_arg(d, step, topic->name, sim_draw_partition_of(d, topic));
    if (!step->unclean && sim_draw_one_in(d, 4))
        step->via = SIM_VIA_ZNODE;
}

/* The leader changes though nobody fails: the fastest way to many epochs. Often the next one has
   not fetched for a while, and lacks what was not acknowledged by all. */
void sim_draw_flip(struct sim_drawer *d, enum sim_verb verb)
{
    struct sm_list now = {0};
    struct sm_list next;
    const struct sim_topic *topic = sim_draw_topic(d);
    int32_t partition = sim_draw_partition_of(d, topic);
    int64_t half_us = sim_draw_session_us(d) / 2;
    struct sim_step *step;
    sim_topic_replicas(d->s, topic, partition, &now);
    rotate(d, &now, 0, &next);
    if (sim_draw_one_in(d, 2)) {
        step = sim_draw_timed(d, verb);
    } else {
        step = sim_draw_timed(d, SIM_VERB_HOLD);
        step->channel =
            (struct sim_channel){.from = sim_draw_ids(d, &next.id[0], 1), .api = WIRE_API_FETCH};
        step->for_us = half_us / 2 + (int64_t)sim_draw_below(d, (uint64_t)half_us);
        int64_t before_us = (int64_t)sim_draw_below(d, (uint64_t)half_us / 2);
        step = sim_draw_follow(d, verb, before_us);
    }
    replicas_arg(d, step, topic->name, partition)->replicas = next;
    int64_t later = 50000 + sim_draw_duration(d, half_us / 4);
    sim_draw_arg(d, sim_draw_follow(d, SIM_VERB_ELECT_LEADERS, later), topic->name, partition);
}

void sim_draw_config(struct sim_drawer *d, enum sim_verb verb)
{
    static const struct {
        char key[40], value[8];
    } changes[] = {{"min.insync.replicas", "1"},
                   {"min.insync.replicas", "2"},
                   {"unclean.leader.election.enable", "true"},
                   {"unclean.leader.election.enable", "false"}};
    struct sim_step *step = sim_draw_step(d, verb);
    name_topic(d, step, sim_draw_topic(d)->name);
    uint64_t which = sim_draw_below(d, sizeof(changes) / sizeof(changes[0]));
    step->config = sim_memory_take(&d->plan->memory, sizeof(*step->config));
    step->config_count = 1;
    step->config->key = sim_draw_text(d, changes[which].key);
    step->config->value = sim_draw_text(d, changes[which].value);
}
