/*
 * Steps that act on messages: rules on channels, cuts between groups, answers of scripted brokers.
 *
 *     hold, drop, degrade, partition ─► struct sim_net_rule  \  numbers noted in the undo of the
 *     answer, fail-log-dir           ─► struct sim_answer_rule /  step, by which they are removed
 *
 * Invariant: a rule exists as long as the step that made it has not been undone or released.
 * Exception: what a broker that hosts logs does with a failed directory lasts until its next start.
 */
#include "sim/world_steps.h"

/* ---- rules on messages ---- */

static struct sim_net_rule new_rule(struct sim_world *w, enum sim_verb verb, uint64_t record)
{
    return (struct sim_net_rule){
        .number = ++w->rule_number, .verb = verb, .api = WIRE_API_NONE, .record = record};
}

static void undo_add_rule(struct sim_undo *u, uint32_t number)
{
    u->rules = sim_realloc(u->rules, (u->rule_count + 1) * sizeof(*u->rules));
    u->rules[u->rule_count++] = number;
}

void sim_step_add_channel(struct sim_world *w, const struct sim_step *s, struct sim_undo *u)
{
    struct sim_net_rule rule = new_rule(w, s->verb, u->record);
    struct sim_ids from = sim_target_resolve(w, &s->channel.from);
    struct sim_ids to = sim_target_resolve(w, &s->channel.to);
    rule.api = s->channel.api;
    rule.nth = s->channel.nth;
    rule.any_from = s->channel.from.kind == SIM_TARGET_NONE;
    rule.any_to = s->channel.to.kind == SIM_TARGET_NONE;
    rule.from = from.id;
    rule.from_count = from.count;
    rule.to = to.id;
    rule.to_count = to.count;
    rule.delay_us = s->delay_us;
    rule.jitter_us = s->jitter_us;
    rule.loss_percent = s->loss_percent;
    undo_add_rule(u, rule.number);
    sim_net_rule_add(w, rule);
}

static void add_cut(struct sim_world *w, const struct sim_ids *from, const struct sim_ids *to,
                    struct sim_undo *u)
{
    struct sim_net_rule rule = new_rule(w, SIM_VERB_HOLD, u->record);
    rule.from = sim_copy(from->id, from->count * sizeof(*from->id));
    rule.from_count = from->count;
    rule.to = sim_copy(to->id, to->count * sizeof(*to->id));
    rule.to_count = to->count;
    undo_add_rule(u, rule.number);
    sim_net_rule_add(w, rule);
}

static bool has_id(const struct sim_ids *ids, int32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return true;
    return false;
}

/* A session that is cut off from ZooKeeper expires because of this. */
static void blame_cut(struct sim_world *w, const struct sim_ids *a, const struct sim_ids *b,
                      uint64_t record)
{
    if (!has_id(b, SIM_ENSEMBLE))
        return;
    for (uint32_t i = 0; i < a->count; i++) {
        struct sim_process *p = sim_find(w, a->id[i]);
        if (p != NULL && p->conn != NULL)
            sim_zk_blame(w, p->conn->session, record, record);
    }
}

void sim_step_cut_groups(struct sim_world *w, const struct sim_step *s, struct sim_undo *u)
{
    struct sim_ids *groups = sim_alloc(s->group_count * sizeof(*groups));
    for (uint32_t i = 0; i < s->group_count; i++)
        groups[i] = sim_target_resolve(w, &s->groups[i]);
    for (uint32_t i = 0; i < s->group_count; i++)
        for (uint32_t j = 0; j < s->group_count; j++)
            if (i != j && (!s->oneway || i == 0)) {
                add_cut(w, &groups[i], &groups[j], u);
                blame_cut(w, &groups[i], &groups[j], u->record);
            }
    for (uint32_t i = 0; i < s->group_count; i++)
        sim_free(groups[i].id);
    sim_free(groups);
}

void sim_step_remove_rules(struct sim_world *w, const struct sim_undo *u)
{
    for (uint32_t i = 0; i < u->rule_count; i++)
        sim_net_rule_remove(w, u->rules[i]);
    sim_net_release_all(w);
}

/* A rule goes that a step named by its label, or by the same channel, has made. */
static bool is_same_end(const struct sim_target *a, const struct sim_target *b)
{
    return a->kind == b->kind &&
           (a->text == NULL || b->text == NULL || strcmp(a->text, b->text) == 0);
}

static bool is_released_by(const struct sim_world *w, const struct sim_undo *u,
                           const struct sim_step *release)
{
    const struct sim_step *s = &w->scenario->steps[u->step];
    if (release->target.kind == SIM_TARGET_LABEL)
        return u->step == release->target.step;
    return s->verb == SIM_VERB_HOLD && s->channel.api == release->channel.api &&
           is_same_end(&s->channel.from, &release->channel.from) &&
           is_same_end(&s->channel.to, &release->channel.to);
}

void sim_step_release(struct sim_world *w, const struct sim_step *s)
{
    for (uint32_t i = 0; i < w->undo_count; i++)
        if (!w->undos[i].done && w->undos[i].rule_count > 0 && is_released_by(w, &w->undos[i], s)) {
            w->undos[i].done = true;
            sim_step_remove_rules(w, &w->undos[i]);
        }
}

/* ---- answers of scripted brokers ---- */

static void tell_one(struct sim_world *w, const struct sim_step *s, int32_t id,
                     struct sim_answer_rule rule, struct sim_undo *u)
{
    rule.api = s->api;
    rule.count = s->count;
    rule.record = u->record;
    undo_add_rule(u, sim_world_tell(w, id, &rule));
}

void sim_step_tell(struct sim_world *w, const struct sim_step *s, int32_t id, struct sim_undo *u)
{
    if (s->clear)
        sim_world_tell_off(w, id, 0);
    else if (s->drop)
        tell_one(w, s, id, (struct sim_answer_rule){.told = SIM_TOLD_DROP}, u);
    else if (s->hang)
        tell_one(w, s, id, (struct sim_answer_rule){.told = SIM_TOLD_HANG}, u);
    else if (s->error != 0)
        tell_one(w, s, id, (struct sim_answer_rule){.told = SIM_TOLD_ERROR, .error = s->error}, u);
    else if (s->partition_error != 0 && s->partition_arg_count == 0)
        tell_one(
            w, s, id,
            (struct sim_answer_rule){.told = SIM_TOLD_PARTITION_ERROR, .error = s->partition_error},
            u);
    else if (s->partition_error != 0)
        for (uint32_t i = 0; i < s->partition_arg_count; i++)
            tell_one(w, s, id,
                     (struct sim_answer_rule){.told = SIM_TOLD_PARTITION_ERROR,
                                              .error = s->partition_error,
                                              .topic = s->partitions[i].topic,
                                              .partition = s->partitions[i].partition},
                     u);
    else if (s->delay_us > 0)
        tell_one(w, s, id,
                 (struct sim_answer_rule){.told = SIM_TOLD_DELAY, .delay_us = s->delay_us}, u);
}

/* A failed log directory: a scripted broker says so, and answers LeaderAndIsr with
 * KAFKA_STORAGE_ERROR. */
void sim_step_fail_log_dir(struct sim_world *w, const struct sim_step *s, int32_t id,
                           struct sim_undo *u)
{
    struct sim_process *p = sim_find(w, id);
    if (p->is_full) {
        if (p->life == SIM_UP)
            sim_full_fail_dirs(w, p, s->partitions, s->partition_arg_count, u->record);
        return;
    }
    for (uint32_t i = 0; i < s->partition_arg_count; i++)
        undo_add_rule(
            u, sim_world_tell(w, id,
                              &(struct sim_answer_rule){.api = WIRE_API_LEADER_AND_ISR,
                                                        .told = SIM_TOLD_PARTITION_ERROR,
                                                        .error = WIRE_ERROR_KAFKA_STORAGE_ERROR,
                                                        .topic = s->partitions[i].topic,
                                                        .partition = s->partitions[i].partition}));
    if (s->partition_arg_count == 0)
        undo_add_rule(
            u, sim_world_tell(w, id,
                              &(struct sim_answer_rule){.api = WIRE_API_LEADER_AND_ISR,
                                                        .told = SIM_TOLD_PARTITION_ERROR,
                                                        .error = WIRE_ERROR_KAFKA_STORAGE_ERROR}));
    sim_world_log_dir_event(w, id, u->record);
}
