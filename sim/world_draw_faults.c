/*
 * Faults: what happens to processes, the network, ZooKeeper, disks, clocks and clients.
 *
 * How long a fault lasts is drawn by order of magnitude, up to twice the session timeout: half of
 * what a cluster survives is decided by whether somebody is back before his session is over.
 */
#include "sim/world_draw.h"

/* ---- processes ---- */

/* Most stay away until their session is over: who is back before cannot register, and leaves. */
static struct sim_step *draw_down(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_step(d, verb);
    int64_t session = sim_draw_session_us(d);
    bool is_soon = verb != SIM_VERB_KILL || sim_draw_one_in(d, 6);
    int64_t for_us = sim_draw_duration(d, 2 * session);
    step->for_us = is_soon ? for_us : session + session / 2 + for_us / 2;
    step->target = sim_draw_node(d);
    sim_draw_start_at_end(d, sim_draw_last(d));
    return step;
}

void sim_draw_down(struct sim_drawer *d, enum sim_verb verb)
{
    draw_down(d, verb);
}

void sim_draw_lost_machine(struct sim_drawer *d, enum sim_verb verb)
{
    draw_down(d, verb)->lose_unflushed = true;
}

void sim_draw_on_node(struct sim_drawer *d, enum sim_verb verb)
{
    sim_draw_step(d, verb)->target = sim_draw_node(d);
}

void sim_draw_bounce(struct sim_drawer *d, enum sim_verb verb)
{
    sim_draw_on_node(d, verb);
    sim_draw_start_at_end(
        d, sim_draw_last(d)); /* cut off from ZooKeeper it cannot take its registration back */
}

static struct sim_step *draw_while(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_step(d, verb);
    step->for_us = sim_draw_duration(d, 2 * sim_draw_session_us(d));
    step->target = sim_draw_node(d);
    return step;
}

void sim_draw_while(struct sim_drawer *d, enum sim_verb verb)
{
    draw_while(d, verb);
}

/* Mostly a little wrong, as clocks are; now and then twice as fast, half as fast. */
void sim_draw_skew(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = draw_while(d, verb);
    int64_t offset = sim_draw_duration(d, 3600000000);
    step->offset_us = sim_draw_one_in(d, 2) ? offset : -offset;
    int32_t ppm = 1 + (int32_t)sim_draw_below(d, sim_draw_one_in(d, 2) ? 20000 : 500000);
    step->rate_ppm = sim_draw_one_in(d, 2) ? 1000000 + 2 * ppm : 1000000 - ppm;
}

void sim_draw_fail_log_dir(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = draw_while(d, verb);
    if (d->s->topic_count > 0 && sim_draw_one_in(d, 2)) {
        const struct sim_topic *topic = sim_draw_topic(d);
        sim_draw_arg(d, step, topic->name, sim_draw_partition_of(d, topic));
    }
    sim_draw_start_at_end(d, sim_draw_last(d)); /* without any disk that works it has ended */
}

/* A client is killed, or one of the others. */
void sim_draw_client(struct sim_drawer *d, enum sim_verb verb)
{
    const enum sim_verb verbs[] = {verb, SIM_VERB_BOUNCE, SIM_VERB_PAUSE};
    if (d->s->client_count == 0)
        return;
    const struct sim_client_spec *c = &d->s->clients[sim_draw_below(d, d->s->client_count)];
    int32_t id = sim_client_id(c->kind == SIM_CLIENT_CONSUMES, c->number);
    struct sim_step *step =
        sim_draw_step(d, verbs[sim_draw_below(d, sizeof(verbs) / sizeof(verbs[0]))]);
    step->target = sim_draw_ids(d, &id, 1);
    step->target.text = c->name;
    if (step->verb != SIM_VERB_BOUNCE)
        step->for_us = sim_draw_duration(d, 2 * sim_draw_session_us(d));
    sim_draw_start_at_end(d, sim_draw_last(d));
}

/* ---- the network ---- */

/* From the controller to a node; from a node to the controller; between two brokers, or from a
   leader to all; everything to a node. */
static struct sim_channel some_channel(struct sim_drawer *d)
{
    static const enum wire_api told[] = {WIRE_API_NONE, WIRE_API_NONE, WIRE_API_LEADER_AND_ISR,
                                         WIRE_API_UPDATE_METADATA, WIRE_API_STOP_REPLICA};
    static const enum wire_api asked[] = {WIRE_API_NONE, WIRE_API_NONE, WIRE_API_FETCH,
                                          WIRE_API_OFFSET_FOR_LEADER_EPOCH};
    struct sim_channel c = {.api = WIRE_API_NONE};
    uint64_t which = sim_draw_below(d, 8);
    int32_t one = sim_draw_id(d);
    int32_t other = sim_draw_id(d);
    c.to = sim_draw_ids(d, &one, 1);
    if (which < 3) {
        c.api = told[sim_draw_below(d, sizeof(told) / sizeof(told[0]))];
        c.from = sim_draw_named(d, SIM_TARGET_CONTROLLER, "controller");
    } else if (which < 4) {
        c.from = c.to;
        c.to = sim_draw_named(d, SIM_TARGET_CONTROLLER, "controller");
    } else if (which < 6 && other != one) {
        c.api = asked[sim_draw_below(d, sizeof(asked) / sizeof(asked[0]))];
        c.from = sim_draw_ids(d, &other, 1);
    } else if (which < 7 && d->s->topic_count > 0) {
        c.from = sim_draw_role(d, SIM_TARGET_LEADER, "leader");
        c.to = (struct sim_target){.kind = SIM_TARGET_NONE};
    }
    return c;
}

void sim_draw_channel(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_step(d, verb);
    step->channel = some_channel(d);
    step->for_us = sim_draw_duration(d, 2 * sim_draw_session_us(d));
    if (verb == SIM_VERB_DROP || (verb == SIM_VERB_HOLD && sim_draw_one_in(d, 3)))
        step->channel.nth = 1 + (uint32_t)sim_draw_below(d, 8);
    if (verb != SIM_VERB_DEGRADE)
        return;
    step->delay_us = sim_draw_duration(d, 500000);
    step->jitter_us = sim_draw_duration(d, 500000);
    step->loss_percent = (int32_t)sim_draw_below(d, 21);
}

/* A node that may host partitions; where none does, any. */
static int32_t some_broker(struct sim_drawer *d)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < d->s->node_count; i++)
        count += d->s->nodes[i].role != SIM_NODE_CONTROLLER;
    if (count == 0)
        return sim_draw_id(d);
    uint64_t left = sim_draw_below(d, count);
    uint32_t i = 0;
    for (;; i++)
        if (d->s->nodes[i].role != SIM_NODE_CONTROLLER && left-- == 0)
            return d->s->nodes[i].id;
}

/* For seconds, where most holds are short: who is not told of a leader goes on with the one before,
   and logs differ only while he does. */
void sim_draw_stall(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_timed(d, verb);
    int64_t session = sim_draw_session_us(d);
    int32_t to = some_broker(d);
    int32_t from = some_broker(d);
    step->channel = (struct sim_channel){.api = WIRE_API_NONE};
    step->channel.to = sim_draw_ids(d, &to, 1);
    if (from == to || sim_draw_one_in(d, 2))
        step->channel.from = sim_draw_named(d, SIM_TARGET_CONTROLLER, "controller");
    else
        step->channel.from = sim_draw_ids(d, &from, 1);
    step->for_us = session / 8 + (int64_t)sim_draw_below(d, (uint64_t)session);
}

/* One end each: a node and another, or a node and ZooKeeper. Returns true where it has drawn. */
static bool cut_two(struct sim_drawer *d, struct sim_step *step)
{
    int32_t one = sim_draw_id(d);
    int32_t other = sim_draw_one_in(d, 2) ? SIM_ENSEMBLE : sim_draw_id(d);
    if (one == other)
        return false;
    step->groups[0] = sim_draw_ids(d, &one, 1);
    step->groups[1] = sim_draw_ids(d, &other, 1);
    return true;
}

/* Two groups of nodes, with ZooKeeper on one side, on none, or alone. */
static void cut_all(struct sim_drawer *d, struct sim_step *step)
{
    int32_t *side[2];
    uint32_t count[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        side[i] = sim_memory_take(&d->plan->memory, (d->s->node_count + 1) * sizeof(int32_t));
    for (uint32_t i = 0; i < d->s->node_count; i++) {
        uint64_t which = sim_draw_below(d, 2);
        side[which][count[which]++] = d->s->nodes[i].id;
    }
    bool with_zookeeper = count[0] == 0 || count[1] == 0 || sim_draw_one_in(d, 3);
    if (with_zookeeper) {
        uint64_t which = count[0] == 0 ? 0 : 1;
        side[which][count[which]++] = SIM_ENSEMBLE;
    }
    for (int i = 0; i < 2; i++)
        step->groups[i] = sim_draw_ids(d, side[i], count[i]);
}

void sim_draw_partition(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_step(d, verb);
    step->groups = sim_memory_take(&d->plan->memory, 2 * sizeof(*step->groups));
    step->group_count = 2;
    if (!sim_draw_one_in(d, 2) || !cut_two(d, step))
        cut_all(d, step);
    step->oneway = sim_draw_one_in(d, 3);
    step->for_us = sim_draw_duration(d, 2 * sim_draw_session_us(d));
}

/* ---- ZooKeeper ---- */

void sim_draw_lost_quorum(struct sim_drawer *d, enum sim_verb verb)
{
    sim_draw_step(d, verb)->for_us = sim_draw_duration(d, sim_draw_session_us(d));
}

void sim_draw_delay(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = draw_while(d, verb);
    step->delay_us = sim_draw_duration(d, sim_draw_session_us(d) / 2);
}

void sim_draw_fail(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = sim_draw_step(d, verb);
    step->target = sim_draw_node(d);
    step->applied = sim_draw_one_in(d, 2);
}
