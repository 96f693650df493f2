/*
 * What the seed does to a cluster: a plan of steps, written before the run begins.
 *
 *     random: {faults: {kill: 2, reassign: 1}}  ──┐
 *     seed ──► one generator per class ───────────┴──► steps, behind those of the scenario
 *                    │                                        │
 *                    └── swarm: classes that are off          └──► played as any others
 * (world_steps.c)
 *
 * A drawn fault is a step, so that what it does, how it ends, how it is recorded and whom a role
 * means are written once. Half of them act at a drawn time, half at a moment of the protocol:
 * before or after the n-th record of a drawn kind, or with the reply lost. Uniform chaos finds
 * little; what breaks clusters sits between two steps of a protocol.
 *
 * Every class draws from a generator of its own, so that a class that is off changes nothing in
 * what the others draw. All ends by `until`: a `for` is cut there, and whoever was taken down is
 * started then, and again when even a session that had just begun is over, since a broker that
 * comes back before its session has expired cannot register and leaves.
 *
 * The steps live in a copy of the scenario that the world owns; the scenario itself is not touched.
 *
 * Source of swarm: Groce et al., "Swarm Testing" (ISSTA 2012).
 */
#include <assert.h>

#include "sim/memory.h"
#include "sim/world_state.h"

enum { STEPS_PER_FAULT = 4, CREATED_MAX = 1000 };

struct sim_plan {
    struct sim_scenario scenario; /* the given one, with more steps */
    struct sim_memory memory;
};

struct drawer {
    struct sim_plan *plan;
    const struct sim_scenario *s; /* the given one */
    struct sim_random_state random;
    uint32_t capacity;
    uint32_t created; /* topics so far */
};

/* ---- small draws ---- */

static uint64_t below(struct drawer *d, uint64_t n)
{
    return sim_random_below(&d->random, n);
}

static bool one_in(struct drawer *d, uint64_t n)
{
    return below(d, n) == 0;
}

/* Any order of magnitude is as likely as another: most / 2^0 … most / 2^11. */
static int64_t short_or_long(struct drawer *d, int64_t most_us)
{
    uint64_t shift = below(d, 12);
    uint64_t most = (uint64_t)most_us >> shift;
    return 1000 + (int64_t)below(d, most + 1);
}

static int64_t session_us(const struct drawer *d)
{
    return d->s->settings.session_timeout_us;
}

static int32_t some_id(struct drawer *d)
{
    return d->s->nodes[below(d, d->s->node_count)].id;
}

static const struct sim_topic *some_topic(struct drawer *d)
{
    return &d->s->topics[below(d, d->s->topic_count)];
}

/* ---- targets ---- */

static struct sim_target ids_target(struct drawer *d, const int32_t *ids, uint32_t count)
{
    struct sim_memory *m = &d->plan->memory;
    struct sim_target t = {.kind = SIM_TARGET_IDS, .id_count = count};
    t.ids = sim_memory_take(m, (count + 1) * sizeof(*t.ids));
    memcpy(t.ids, ids, count * sizeof(*ids));
    t.text = sim_memory_format(m, "%d", ids[0]);
    for (uint32_t i = 1; i < count; i++)
        t.text = sim_memory_format(m, "%s, %d", t.text, ids[i]);
    return t;
}

static struct sim_target named_target(struct drawer *d, enum sim_target_kind kind, const char *text)
{
    return (struct sim_target){.kind = kind,
                               .text = sim_memory_copy(&d->plan->memory, text, strlen(text))};
}

static struct sim_target role_target(struct drawer *d, enum sim_target_kind kind, const char *role)
{
    const struct sim_topic *topic = some_topic(d);
    int32_t partition = (int32_t)below(d, (uint64_t)topic->partition_count);
    return (struct sim_target){
        .kind = kind,
        .topic = topic->name,
        .partition = partition,
        .text = sim_memory_format(&d->plan->memory, "%s of %s-%d", role, topic->name, partition)};
}

/* Those who matter more often than by their number: the controller, the leader of a partition. */
static struct sim_target some_node(struct drawer *d)
{
    uint64_t which = below(d, 8);
    if (which < 2)
        return named_target(d, SIM_TARGET_CONTROLLER, "controller");
    if (which < 4 && d->s->topic_count > 0)
        return role_target(d, SIM_TARGET_LEADER, "leader");
    if (which < 5 && d->s->topic_count > 0)
        return role_target(d, SIM_TARGET_FOLLOWERS, "followers");
    if (which < 7)
        return named_target(d, SIM_TARGET_ANY, "any");
    int32_t id = some_id(d);
    return ids_target(d, &id, 1);
}

/* ---- when ---- */

/* Records beside which a fault is worth more than elsewhere. */
struct moment {
    const char *kind, *field, *text;
};

static const struct moment moments[] = {
    {"zreq", "op", "multi"},
    {"zreq", "op", "setData"},
    {"zreq", "op", "create"},
    {"zreq", "path", "/controller"},
    {"zreq", "path", "/brokers/ids"},
    {"send", "api", "LeaderAndIsr"},
    {"send", "api", "UpdateMetadata"},
    {"send", "api", "StopReplica"},
    {"recv", "api", "LeaderAndIsr"},
    {"recv", "api", "StopReplica"},
    {"queue", "what", "start"},
    {"queue", "what", "put"},
    {"session", "what", "expired"},
    {"notify", NULL, NULL},
    {"decide", NULL, NULL},
    {"flow", NULL, NULL},
    {"move", NULL, NULL},
};

static struct sim_pattern some_moment(struct drawer *d)
{
    const struct moment *m = &moments[below(d, sizeof(moments) / sizeof(moments[0]))];
    struct sim_pattern p = {0};
    enum sim_kind kind = sim_event_named(m->kind, NULL);
    assert(kind != SIM_K_NONE);
    p.kind = sim_kind_name(kind);
    p.nth = 1 + (uint32_t)below(d, (uint64_t)1 << below(d, 7));
    uint64_t side = below(d, 5);
    p.side = side < 2 ? SIM_SIDE_BEFORE : SIM_SIDE_AFTER;
    if (side == 4 && kind == SIM_K_ZREQ)
        p.side = SIM_SIDE_APPLIED_REPLY_LOST;
    if (m->field == NULL)
        return p;
    p.conditions = sim_memory_take(&d->plan->memory, sizeof(*p.conditions));
    p.condition_count = 1;
    p.conditions->field = sim_event_field(kind, m->field);
    p.conditions->text = sim_memory_copy(&d->plan->memory, m->text, strlen(m->text));
    assert(p.conditions->field != NULL);
    return p;
}

static int64_t some_time(struct drawer *d)
{
    const struct sim_random *r = &d->s->random;
    return r->from_us + (int64_t)below(d, (uint64_t)(r->until_us - r->from_us));
}

/* ---- steps ---- */

/* Returns the next step of the plan, empty; its address lives until the next call. */
static struct sim_step *next_step(struct drawer *d, enum sim_verb verb)
{
    struct sim_scenario *s = &d->plan->scenario;
    assert(s->step_count < d->capacity);
    struct sim_step *step = &s->steps[s->step_count++];
    *step = (struct sim_step){.verb = verb,
                              .is_drawn = true,
                              .until_us = d->s->random.until_us,
                              .version = WIRE_ZK_ANY_VERSION};
    return step;
}

/* The same at a time, or at a moment. */
static struct sim_step *draw_step(struct drawer *d, enum sim_verb verb)
{
    struct sim_step *step = next_step(d, verb);
    bool at_a_time = one_in(d, 2);
    if (at_a_time) {
        step->when = SIM_WHEN_AT;
        step->at_us = some_time(d);
    } else {
        step->when = SIM_WHEN_PATTERN;
        step->pattern = some_moment(d);
        step->at_us = some_time(d);
        if (one_in(d, 2))
            step->at_us = d->s->random.from_us;
    }
    return step;
}

/* Another step some time after the last one. */
static struct sim_step *follow_step(struct drawer *d, enum sim_verb verb, int64_t later_us)
{
    uint32_t before = d->plan->scenario.step_count - 1;
    struct sim_step *step = next_step(d, verb);
    step->when = SIM_WHEN_AFTER;
    step->after = before;
    step->at_us = later_us;
    return step;
}

/* At the end, whom the last step took down is started. */
static void start_at_the_end(struct drawer *d)
{
    uint32_t taken_down = d->plan->scenario.step_count - 1;
    for (int64_t again = 0; again < 2; again++) {
        struct sim_step *step = next_step(d, SIM_VERB_RESTART);
        step->when = SIM_WHEN_AT;
        step->at_us = d->s->random.until_us + again * (session_us(d) + session_us(d) / 4);
        step->target = named_target(d, SIM_TARGET_LABEL, "whom a drawn fault took down");
        step->target.step = taken_down;
    }
}

/* Most stay away until their session is over: who is back before cannot register, and leaves. */
static void draw_down(struct drawer *d, enum sim_verb verb)
{
    struct sim_step *step = draw_step(d, verb);
    bool is_soon = verb != SIM_VERB_KILL || one_in(d, 6);
    int64_t for_us = short_or_long(d, 2 * session_us(d));
    step->for_us = is_soon ? for_us : session_us(d) + session_us(d) / 2 + for_us / 2;
    step->target = some_node(d);
    start_at_the_end(d);
}

static void draw_on_node(struct drawer *d, enum sim_verb verb)
{
    draw_step(d, verb)->target = some_node(d);
}

static void draw_while(struct drawer *d, enum sim_verb verb, int64_t most_us)
{
    struct sim_step *step = draw_step(d, verb);
    step->for_us = short_or_long(d, most_us);
    step->target = some_node(d);
    if (verb == SIM_VERB_DELAY)
        step->delay_us = short_or_long(d, session_us(d) / 2);
}

/* ---- the network ---- */

static struct sim_channel some_channel(struct drawer *d)
{
    static const enum wire_api apis[] = {WIRE_API_NONE, WIRE_API_NONE, WIRE_API_LEADER_AND_ISR,
                                         WIRE_API_UPDATE_METADATA, WIRE_API_STOP_REPLICA};
    struct sim_channel c = {.api = apis[below(d, sizeof(apis) / sizeof(apis[0]))]};
    bool from_controller = c.api != WIRE_API_NONE || one_in(d, 2);
    int32_t to = some_id(d);
    c.to = ids_target(d, &to, 1);
    if (from_controller)
        c.from = named_target(d, SIM_TARGET_CONTROLLER, "controller");
    return c;
}

static void draw_channel(struct drawer *d, enum sim_verb verb)
{
    struct sim_step *step = draw_step(d, verb);
    step->channel = some_channel(d);
    step->for_us = short_or_long(d, 2 * session_us(d));
    if (verb == SIM_VERB_DROP)
        step->channel.nth = 1 + (uint32_t)below(d, 8);
    if (verb != SIM_VERB_DEGRADE)
        return;
    step->delay_us = short_or_long(d, 500000);
    step->jitter_us = short_or_long(d, 500000);
    step->loss_percent = (int32_t)below(d, 21);
}

/* Two groups of nodes, with ZooKeeper on one side, on none, or alone. */
static void draw_partition(struct drawer *d)
{
    struct sim_step *step = draw_step(d, SIM_VERB_PARTITION);
    int32_t *side[2];
    uint32_t count[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        side[i] = sim_memory_take(&d->plan->memory, (d->s->node_count + 1) * sizeof(int32_t));
    for (uint32_t i = 0; i < d->s->node_count; i++) {
        uint64_t which = below(d, 2);
        side[which][count[which]++] = d->s->nodes[i].id;
    }
    bool with_zookeeper = count[0] == 0 || count[1] == 0 || one_in(d, 3);
    if (with_zookeeper) {
        uint64_t which = count[0] == 0 ? 0 : 1;
        side[which][count[which]++] = SIM_ENSEMBLE;
    }
    step->groups = sim_memory_take(&d->plan->memory, 2 * sizeof(*step->groups));
    step->group_count = 2;
    for (int i = 0; i < 2; i++)
        step->groups[i] = ids_target(d, side[i], count[i]);
    step->oneway = one_in(d, 3);
    step->for_us = short_or_long(d, 2 * session_us(d));
}

/* ---- what an administrator does ---- */

static void add_arg(struct drawer *d, struct sim_step *step, const char *topic, int32_t partition)
{
    step->partitions = sim_memory_take(&d->plan->memory, sizeof(*step->partitions));
    step->partition_arg_count = 1;
    step->partitions->topic = sim_memory_copy(&d->plan->memory, topic, strlen(topic));
    step->partitions->partition = partition;
}

static void name_topic(struct drawer *d, struct sim_step *step, const char *name)
{
    step->topics = sim_memory_take(&d->plan->memory, sizeof(*step->topics));
    step->topics[0] = sim_memory_copy(&d->plan->memory, name, strlen(name));
    step->topic_count = 1;
}

static void size_topic(struct drawer *d, struct sim_step *step, int32_t partitions)
{
    step->partition_count = partitions;
    step->replication_factor = 1 + (int32_t)below(d, d->s->node_count < 3 ? d->s->node_count : 3);
}

static void draw_create(struct drawer *d)
{
    char name[32];
    struct sim_step *step = draw_step(d, SIM_VERB_CREATE_TOPIC);
    snprintf(name, sizeof(name), "drawn-%u", ++d->created);
    name_topic(d, step, name);
    size_topic(d, step, 1 + (int32_t)below(d, 3));
}

static void draw_grow(struct drawer *d)
{
    const struct sim_topic *topic = some_topic(d);
    struct sim_step *step = draw_step(d, SIM_VERB_ADD_PARTITIONS);
    name_topic(d, step, topic->name);
    size_topic(d, step, topic->partition_count + 1 + (int32_t)below(d, 2));
}

static void draw_delete(struct drawer *d)
{
    const struct sim_topic *topic = some_topic(d);
    name_topic(d, draw_step(d, SIM_VERB_DELETE_TOPIC), topic->name);
    if (one_in(d, 4))
        return;
    int64_t later = short_or_long(d, session_us(d));
    struct sim_step *again = follow_step(d, SIM_VERB_CREATE_TOPIC, later);
    name_topic(d, again, topic->name);
    size_topic(d, again, topic->partition_count);
}

/* Any brokers, in any order, mostly as many as there were. */
static void draw_replicas(struct drawer *d, const struct sim_topic *topic, int32_t partition,
                          struct sm_list *out)
{
    struct sm_list now = {0};
    sim_topic_replicas(d->s, topic, partition, &now);
    int32_t want = now.count + (one_in(d, 4) ? 1 - (int32_t)below(d, 3) : 0);
    int32_t left = (int32_t)d->s->node_count;
    int32_t *ids = sim_memory_take(&d->plan->memory, (size_t)left * sizeof(*ids));
    want = want < 1 ? 1 : want > left ? left : want > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : want;
    for (int32_t i = 0; i < left; i++)
        ids[i] = d->s->nodes[i].id;
    for (out->count = 0; out->count < want;) {
        uint64_t which = below(d, (uint64_t)left);
        out->id[out->count++] = ids[which];
        ids[which] = ids[--left];
    }
}

static void draw_reassign(struct drawer *d, bool and_cancel)
{
    const struct sim_topic *topic = some_topic(d);
    int32_t partition = (int32_t)below(d, (uint64_t)topic->partition_count);
    struct sim_step *step = draw_step(d, SIM_VERB_REASSIGN);
    add_arg(d, step, topic->name, partition);
    step->partitions->has_replicas = true;
    draw_replicas(d, topic, partition, &step->partitions->replicas);
    if (!and_cancel && one_in(d, 4))
        step->via = SIM_VIA_ZNODE;
    if (!and_cancel)
        return;
    int64_t later = short_or_long(d, session_us(d) / 4);
    add_arg(d, follow_step(d, SIM_VERB_CANCEL_REASSIGNMENT, later), topic->name, partition);
}

static void draw_elect(struct drawer *d)
{
    const struct sim_topic *topic = some_topic(d);
    struct sim_step *step = draw_step(d, SIM_VERB_ELECT_LEADERS);
    step->unclean = one_in(d, 4);
    step->all_partitions = one_in(d, 2);
    if (!step->all_partitions)
        add_arg(d, step, topic->name, (int32_t)below(d, (uint64_t)topic->partition_count));
}

static void draw_config(struct drawer *d)
{
    static const struct {
        char key[40], value[8];
    } changes[] = {{"min.insync.replicas", "1"},
                   {"min.insync.replicas", "2"},
                   {"unclean.leader.election.enable", "true"},
                   {"unclean.leader.election.enable", "false"}};
    struct sim_step *step = draw_step(d, SIM_VERB_ALTER_CONFIG);
    name_topic(d, step, some_topic(d)->name);
    uint64_t which = below(d, sizeof(changes) / sizeof(changes[0]));
    step->config = sim_memory_take(&d->plan->memory, sizeof(*step->config));
    step->config_count = 1;
    step->config->key =
        sim_memory_copy(&d->plan->memory, changes[which].key, strlen(changes[which].key));
    step->config->value =
        sim_memory_copy(&d->plan->memory, changes[which].value, strlen(changes[which].value));
}

/* ---- classes ---- */

static bool needs_topic(enum sim_chaos chaos)
{
    return chaos == SIM_CHAOS_ADD_PARTITIONS || chaos == SIM_CHAOS_DELETE_TOPIC ||
           chaos == SIM_CHAOS_REASSIGN || chaos == SIM_CHAOS_CANCEL_REASSIGNMENT ||
           chaos == SIM_CHAOS_ELECT_LEADERS || chaos == SIM_CHAOS_ALTER_CONFIG;
}

/* One fault of a class: at most STEPS_PER_FAULT steps. */
static void draw_one(struct drawer *d, enum sim_chaos chaos)
{
    switch (chaos) {
    case SIM_CHAOS_KILL:
        draw_down(d, SIM_VERB_KILL);
        return;
    case SIM_CHAOS_RESTART:
        draw_down(d, SIM_VERB_STOP);
        return;
    case SIM_CHAOS_BOUNCE:
        draw_on_node(d, SIM_VERB_BOUNCE);
        start_at_the_end(d); /* cut off from ZooKeeper it could not take its registration back */
        return;
    case SIM_CHAOS_SHUTDOWN:
        draw_down(d, SIM_VERB_SHUTDOWN);
        return;
    case SIM_CHAOS_EXPIRE:
        draw_on_node(d, SIM_VERB_EXPIRE);
        return;
    case SIM_CHAOS_PAUSE:
        draw_while(d, SIM_VERB_PAUSE, 2 * session_us(d));
        return;
    case SIM_CHAOS_DROP:
        draw_channel(d, SIM_VERB_DROP);
        return;
    case SIM_CHAOS_PARTITION:
        draw_partition(d);
        return;
    case SIM_CHAOS_DEGRADE:
        draw_channel(d, SIM_VERB_DEGRADE);
        return;
    case SIM_CHAOS_HOLD:
        draw_channel(d, SIM_VERB_HOLD);
        return;
    case SIM_CHAOS_DISCONNECT:
        draw_on_node(d, SIM_VERB_DISCONNECT);
        return;
    case SIM_CHAOS_LOSE_QUORUM:
        draw_step(d, SIM_VERB_LOSE_QUORUM)->for_us = short_or_long(d, session_us(d));
        return;
    case SIM_CHAOS_DELAY:
        draw_while(d, SIM_VERB_DELAY, 2 * session_us(d));
        return;
    case SIM_CHAOS_FAIL:
        draw_on_node(d, SIM_VERB_FAIL);
        d->plan->scenario.steps[d->plan->scenario.step_count - 1].applied = one_in(d, 2);
        return;
    case SIM_CHAOS_BLOCK:
        draw_while(d, SIM_VERB_BLOCK, 2 * session_us(d));
        return;
    case SIM_CHAOS_FAIL_LOG_DIR:
        draw_while(d, SIM_VERB_FAIL_LOG_DIR, 2 * session_us(d));
        start_at_the_end(d); /* without any disk that works it has ended */
        return;
    case SIM_CHAOS_MOVE_CONTROLLER:
        draw_step(d, SIM_VERB_MOVE_CONTROLLER);
        return;
    case SIM_CHAOS_CREATE_TOPIC:
        draw_create(d);
        return;
    case SIM_CHAOS_ADD_PARTITIONS:
        draw_grow(d);
        return;
    case SIM_CHAOS_DELETE_TOPIC:
        draw_delete(d);
        return;
    case SIM_CHAOS_REASSIGN:
        draw_reassign(d, false);
        return;
    case SIM_CHAOS_CANCEL_REASSIGNMENT:
        draw_reassign(d, true);
        return;
    case SIM_CHAOS_ELECT_LEADERS:
        draw_elect(d);
        return;
    case SIM_CHAOS_ALTER_CONFIG:
        draw_config(d);
        return;
    case SIM_CHAOS_END:
        return;
    }
}

uint64_t sim_chaos_off(const struct sim_random *random, uint64_t seed)
{
    uint64_t x = seed ^ UINT64_C(0x73776172);
    return random->swarm ? sim_random_mix(&x) : 0;
}

static void draw_class(struct drawer *d, enum sim_chaos chaos, uint64_t seed)
{
    uint64_t x = seed;
    uint64_t mixed = sim_random_mix(&x);
    sim_random_seed(&d->random, mixed + (uint64_t)chaos);
    if (needs_topic(chaos) && d->s->topic_count == 0)
        return;
    for (int32_t i = 0; i < d->s->random.count[chaos]; i++)
        draw_one(d, chaos);
}

static uint32_t steps_at_most(const struct sim_scenario *s)
{
    uint32_t faults = 0;
    for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++)
        faults += (uint32_t)s->random.count[c];
    return s->step_count + faults * STEPS_PER_FAULT;
}

const struct sim_scenario *sim_random_plan(struct sim_world *w, const struct sim_scenario *s)
{
    uint64_t off = sim_chaos_off(&s->random, w->options.seed);
    if (!s->random.is_on || s->node_count == 0)
        return s;
    struct sim_plan *plan = sim_alloc(sizeof(*plan));
    struct drawer d = {.plan = plan, .s = s, .capacity = steps_at_most(s)};
    plan->scenario = *s;
    plan->scenario.steps = sim_memory_take(&plan->memory, d.capacity * sizeof(*s->steps));
    if (s->step_count > 0)
        memcpy(plan->scenario.steps, s->steps, s->step_count * sizeof(*s->steps));
    for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++)
        if ((off >> c & 1) == 0)
            draw_class(&d, c, w->options.seed);
    w->plan = plan;
    return &plan->scenario;
}

void sim_random_free(struct sim_world *w)
{
    if (w->plan == NULL)
        return;
    sim_memory_free(&w->plan->memory);
    free(w->plan);
}
