/*
 * Whom and when: see world_draw.h.
 *
 * A time is drawn evenly, or a little behind a busy time. A moment is the n-th record of a kind
 * beside which a fault is worth more than elsewhere, small n more often than large: before or after
 * it, or with the reply lost; another drawn fault is such a moment, too.
 */
#include "sim/world_draw.h"

#include <assert.h>

/* ---- small draws ---- */

uint64_t sim_draw_below(struct sim_drawer *d, uint64_t n)
{
    return sim_random_below(&d->random, n);
}

bool sim_draw_one_in(struct sim_drawer *d, uint64_t n)
{
    return sim_draw_below(d, n) == 0;
}

/* Any order of magnitude is as likely as another: most / 2^0 … most / 2^11. */
int64_t sim_draw_duration(struct sim_drawer *d, int64_t most_us)
{
    uint64_t shift = sim_draw_below(d, 12);
    uint64_t most = (uint64_t)most_us >> shift;
    return 1000 + (int64_t)sim_draw_below(d, most + 1);
}

int64_t sim_draw_session_us(const struct sim_drawer *d)
{
    return d->s->settings.session_timeout_us;
}

char *sim_draw_text(struct sim_drawer *d, const char *text)
{
    return sim_memory_copy(&d->plan->memory, text, strlen(text));
}

/* ---- whom ---- */

int32_t sim_draw_id(struct sim_drawer *d)
{
    return d->s->nodes[sim_draw_below(d, d->s->node_count)].id;
}

const struct sim_topic *sim_draw_topic(struct sim_drawer *d)
{
    return &d->s->topics[sim_draw_below(d, d->s->topic_count)];
}

struct sim_target sim_draw_ids(struct sim_drawer *d, const int32_t *ids, uint32_t count)
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

int32_t sim_draw_partition_of(struct sim_drawer *d, const struct sim_topic *topic)
{
    return (int32_t)sim_draw_below(d, (uint64_t)topic->partition_count);
}

struct sim_target sim_draw_named(struct sim_drawer *d, enum sim_target_kind kind, const char *text)
{
    return (struct sim_target){.kind = kind, .text = sim_draw_text(d, text)};
}

struct sim_target sim_draw_role(struct sim_drawer *d, enum sim_target_kind kind, const char *role)
{
    const struct sim_topic *topic = sim_draw_topic(d);
    int32_t partition = sim_draw_partition_of(d, topic);
    return (struct sim_target){
        .kind = kind,
        .topic = topic->name,
        .partition = partition,
        .text = sim_memory_format(&d->plan->memory, "%s of %s-%d", role, topic->name, partition)};
}

struct sim_target sim_draw_node(struct sim_drawer *d)
{
    uint64_t which = sim_draw_below(d, 16);
    if (which < 4)
        return sim_draw_named(d, SIM_TARGET_CONTROLLER, "controller");
    if (which < 8 && d->s->topic_count > 0)
        return sim_draw_role(d, SIM_TARGET_LEADER, "leader");
    if (which < 9 && d->s->topic_count > 0)
        return sim_draw_role(d, SIM_TARGET_FOLLOWERS, "followers");
    if (which < 10 && d->s->topic_count > 0)
        return sim_draw_role(d, SIM_TARGET_ISR, "isr");
    if (which < 13)
        return sim_draw_named(d, SIM_TARGET_ANY, "any");
    int32_t id = sim_draw_id(d);
    return sim_draw_ids(d, &id, 1);
}

/* ---- when ---- */

/* Records beside which a fault is worth more than elsewhere. */
struct moment {
    const char *kind, *field, *text;
};

static const struct moment moments[] = {
    {"zreq", "op", "multi"},
    {"zreq", "op", "setData"}, /* a leader's ISR write */
    {"zreq", "op", "create"},
    {"zreq", "op", "delete"},
    {"zreq", "path", "/controller"},
    {"zreq", "path", "/brokers/ids"},
    {"zreq", "path", "/brokers/topics/*/state"},
    {"zreq", "path", "/admin/*"},
    {"send", "api", "LeaderAndIsr"},
    {"send", "api", "UpdateMetadata"},
    {"send", "api", "StopReplica"},
    {"recv", "api", "LeaderAndIsr"},
    {"recv", "api", "StopReplica"},
    {"queue", "what", "start"},
    {"queue", "what", "put"},
    {"session", "what", "expired"},
    {"notify", NULL, NULL},
    {"notify", "path", "/controller"},
    {"decide", NULL, NULL},
    {"flow", NULL, NULL},
    {"move", NULL, NULL},
    {"move", "to", "ReplicaDeletion*"},
    {"truncate", NULL, NULL},
    {"fault", NULL, NULL},
    {"fault", NULL, NULL},
    {"fault", NULL, NULL},
};

static struct sim_pattern some_moment(struct sim_drawer *d)
{
    const struct moment *m = &moments[sim_draw_below(d, sizeof(moments) / sizeof(moments[0]))];
    struct sim_pattern p = {0};
    enum sim_kind kind = sim_event_named(m->kind, NULL);
    assert(kind != SIM_K_NONE);
    p.kind = sim_kind_name(kind);
    p.nth = 1 + (uint32_t)sim_draw_below(d, (uint64_t)1 << sim_draw_below(d, 7));
    uint64_t side = sim_draw_below(d, 5);
    p.side = side < 2 && kind != SIM_K_FAULT ? SIM_SIDE_BEFORE : SIM_SIDE_AFTER;
    if (side == 4 && kind == SIM_K_ZREQ)
        p.side = SIM_SIDE_APPLIED_REPLY_LOST;
    if (kind == SIM_K_FAULT)
        p.nth = 1 + p.nth / 4; /* there are few */
    if (m->field == NULL)
        return p;
    p.conditions = sim_memory_take(&d->plan->memory, sizeof(*p.conditions));
    p.condition_count = 1;
    p.conditions->field = sim_event_field(kind, m->field);
    p.conditions->text = sim_draw_text(d, m->text);
    p.conditions->is_glob = strchr(m->text, '*') != NULL;
    assert(p.conditions->field != NULL);
    return p;
}

int64_t sim_draw_time(struct sim_drawer *d)
{
    const struct sim_random *r = &d->s->random;
    return r->from_us + (int64_t)sim_draw_below(d, (uint64_t)(r->until_us - r->from_us));
}

static int64_t some_time(struct sim_drawer *d)
{
    const struct sim_random *r = &d->s->random;
    if (sim_draw_one_in(d, 2))
        return sim_draw_time(d);
    int64_t busy = d->busy_us[sim_draw_below(d, SIM_BUSY_TIMES)];
    int64_t at = busy + sim_draw_duration(d, sim_draw_session_us(d));
    return at < r->until_us ? at : busy;
}

/* ---- steps ---- */

static struct sim_step *next_step(struct sim_drawer *d, enum sim_verb verb)
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

struct sim_step *sim_draw_step(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = next_step(d, verb);
    bool at_a_time = sim_draw_one_in(d, 2);
    if (at_a_time) {
        step->when = SIM_WHEN_AT;
        step->at_us = some_time(d);
    } else {
        step->when = SIM_WHEN_PATTERN;
        step->pattern = some_moment(d);
        step->at_us = some_time(d);
        if (sim_draw_one_in(d, 2))
            step->at_us = d->s->random.from_us;
    }
    return step;
}

struct sim_step *sim_draw_timed(struct sim_drawer *d, enum sim_verb verb)
{
    struct sim_step *step = next_step(d, verb);
    step->when = SIM_WHEN_AT;
    step->at_us = sim_draw_time(d);
    return step;
}

uint32_t sim_draw_last(const struct sim_drawer *d)
{
    return d->plan->scenario.step_count - 1;
}

struct sim_step *sim_draw_follow(struct sim_drawer *d, enum sim_verb verb, int64_t later_us)
{
    uint32_t before = sim_draw_last(d);
    struct sim_step *step = next_step(d, verb);
    step->when = SIM_WHEN_AFTER;
    step->after = before;
    step->at_us = later_us;
    return step;
}

/* Twice, since a broker that is back before its old session has expired cannot register, and
   leaves. */
void sim_draw_start_at_end(struct sim_drawer *d, uint32_t taken_down)
{
    int64_t session = sim_draw_session_us(d);
    for (int64_t again = 0; again < 2; again++) {
        struct sim_step *step = next_step(d, SIM_VERB_RESTART);
        step->when = SIM_WHEN_AT;
        step->at_us = d->s->random.until_us + again * (session + session / 4);
        step->target = sim_draw_named(d, SIM_TARGET_LABEL, "whom a drawn fault took down");
        step->target.step = taken_down;
    }
}

struct sim_partition_arg *sim_draw_arg(struct sim_drawer *d, struct sim_step *step,
                                       const char *topic, int32_t partition)
{
    struct sim_partition_arg *all;
    uint32_t count = step->partition_arg_count;
    all = sim_memory_take(&d->plan->memory, (count + 1) * sizeof(*all));
    if (count > 0)
        memcpy(all, step->partitions, count * sizeof(*all));
    step->partitions = all;
    step->partition_arg_count = count + 1;
    all[count].topic = sim_draw_text(d, topic);
    all[count].partition = partition;
    return &all[count];
}
