/*
 * The scenario acts: steps by time, by label and by pattern; on whom, and how it is undone. What
 * verbs do is in world_steps_net.c and world_steps_admin.c. Steps that the seed has drawn
 * (world_random.c) are steps like others.
 *
 *     SIM_E_STEP (at, every, after) ─┐
 *     FIRE (a record has matched)   ─┴─► sim_step_fire ──► resolve target ──► record ──► verb
 *                                                                                └──► for:
 * SIM_E_UNDO
 *
 * Roles are resolved at the moment of the fault, and what they meant is recorded (`hit`).
 */

#include "sim/pattern.h"
#include "sim/world_steps.h"

/* ---- verbs ---- */

static void quorum(struct sim_world *w, bool on, uint64_t record)
{
    w->quorum_lost = !on;
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_QUORUM, .on = on}, record, 0, 0, 0);
}

static void expire(struct sim_world *w, struct sim_process *p, bool leaves, uint64_t record)
{
    int64_t session = p->last_conn == NULL ? 0 : p->last_conn->session;
    if (session == 0)
        return;
    sim_zk_blame(w, session, record, record);
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_EXPIRE, .session = session, .on = leaves},
                  record, record, 0, sim_process_lane(p));
}

static void fail_next(struct sim_process *p, const struct sim_step *s, uint64_t record)
{
    p->fail_next = true;
    p->fail_applied = s->applied;
    p->fail_record = record;
}

/* Verbs that act on each process of the target. */
static void act_on(struct sim_world *w, const struct sim_step *s, int32_t id, struct sim_undo *u)
{
    struct sim_process *p = sim_find(w, id);
    uint64_t record = u->record;
    if (s->verb == SIM_VERB_CLOCK_SKEW) {
        sim_clock_skew(w, p, s->offset_us, s->rate_ppm);
        return;
    }
    if (p->client != NULL) {
        sim_client_fault(w, id, s->verb, record);
        return;
    }
    switch (s->verb) {
    case SIM_VERB_KILL:
        p->loses_unflushed = p->is_full && s->lose_unflushed;
        sim_world_kill(w, id, SIM_SESSION_EXPIRES, record);
        return;
    case SIM_VERB_RESTART:
        sim_step_restart(w, s, id, record);
        return;
    case SIM_VERB_BOUNCE:
        sim_world_bounce(w, id, record);
        return;
    case SIM_VERB_SHUTDOWN:
        sim_step_shutdown(w, s, id, record);
        return;
    case SIM_VERB_STOP:
        sim_world_stop(w, id, record);
        return;
    case SIM_VERB_PAUSE:
        sim_world_pause(w, id, record);
        return;
    case SIM_VERB_RESUME:
        sim_world_resume(w, id, record);
        return;
    case SIM_VERB_ANSWER:
        sim_step_tell(w, s, id, u);
        return;
    case SIM_VERB_FAIL_LOG_DIR:
        sim_step_fail_log_dir(w, s, id, u);
        return;
    case SIM_VERB_EXPIRE:
        expire(w, p, s->leave_ephemerals, record);
        return;
    case SIM_VERB_DISCONNECT:
        if (p->conn != NULL)
            sim_zk_break(w, p->conn, record);
        return;
    case SIM_VERB_DELAY:
        p->zk_delay_us += s->delay_us;
        return;
    case SIM_VERB_FAIL:
        fail_next(p, s, record);
        return;
    case SIM_VERB_BLOCK:
    case SIM_VERB_UNBLOCK:
        sim_process_block(w, p, s->verb == SIM_VERB_BLOCK, record);
        return;
    case SIM_VERB_NONE:
    case SIM_VERB_CLOCK_SKEW:
    case SIM_VERB_PARTITION:
    case SIM_VERB_DEGRADE:
    case SIM_VERB_HOLD:
    case SIM_VERB_RELEASE:
    case SIM_VERB_DROP:
    case SIM_VERB_LOSE_QUORUM:
    case SIM_VERB_CREATE_TOPIC:
    case SIM_VERB_ADD_PARTITIONS:
    case SIM_VERB_DELETE_TOPIC:
    case SIM_VERB_ALTER_CONFIG:
    case SIM_VERB_ELECT_LEADERS:
    case SIM_VERB_REASSIGN:
    case SIM_VERB_CANCEL_REASSIGNMENT:
    case SIM_VERB_MOVE_CONTROLLER:
    case SIM_VERB_SET_ISR:
    case SIM_VERB_ZNODE:
    case SIM_VERB_END:
        return;
    }
}

/* Verbs that act on the cluster, the network or ZooKeeper. */
static void act_on_all(struct sim_world *w, const struct sim_step *s, struct sim_undo *u)
{
    uint64_t record = u->record;
    switch (s->verb) {
    case SIM_VERB_PARTITION:
        sim_step_cut_groups(w, s, u);
        return;
    case SIM_VERB_DEGRADE:
    case SIM_VERB_HOLD:
    case SIM_VERB_DROP:
        sim_step_add_channel(w, s, u);
        return;
    case SIM_VERB_RELEASE:
        sim_step_release(w, s);
        return;
    case SIM_VERB_LOSE_QUORUM:
        quorum(w, false, record);
        return;
    case SIM_VERB_CREATE_TOPIC:
    case SIM_VERB_ADD_PARTITIONS:
        sim_step_make_partitions(w, s, record);
        return;
    case SIM_VERB_DELETE_TOPIC:
        sim_world_delete_topics(w, s->topics, s->topic_count, record);
        return;
    case SIM_VERB_ALTER_CONFIG:
        sim_world_alter_config(w, s->topics[0], s->config, s->config_count, true, record);
        return;
    case SIM_VERB_ELECT_LEADERS:
        sim_step_elect(w, s, record);
        return;
    case SIM_VERB_REASSIGN:
    case SIM_VERB_CANCEL_REASSIGNMENT:
        sim_step_reassign(w, s, record);
        return;
    case SIM_VERB_MOVE_CONTROLLER:
        sim_world_znode_delete(w, SM_PATH_CONTROLLER, WIRE_ZK_ANY_VERSION, record);
        return;
    case SIM_VERB_SET_ISR:
        sim_world_set_isr(w, s->partitions, s->partition_arg_count, s->notify, record);
        return;
    case SIM_VERB_ZNODE:
        sim_step_znode(w, s, record);
        return;
    case SIM_VERB_NONE:
    case SIM_VERB_KILL:
    case SIM_VERB_RESTART:
    case SIM_VERB_BOUNCE:
    case SIM_VERB_SHUTDOWN:
    case SIM_VERB_STOP:
    case SIM_VERB_PAUSE:
    case SIM_VERB_RESUME:
    case SIM_VERB_ANSWER:
    case SIM_VERB_FAIL_LOG_DIR:
    case SIM_VERB_EXPIRE:
    case SIM_VERB_DISCONNECT:
    case SIM_VERB_DELAY:
    case SIM_VERB_FAIL:
    case SIM_VERB_BLOCK:
    case SIM_VERB_UNBLOCK:
    case SIM_VERB_CLOCK_SKEW:
    case SIM_VERB_END:
        return;
    }
}

/* ---- recording ---- */

static const char *state_after(const struct sim_process *p, enum sim_verb verb)
{
    switch (verb) {
    case SIM_VERB_KILL:
    case SIM_VERB_STOP:
        return p->life == SIM_DOWN ? NULL : "down";
    case SIM_VERB_RESTART:
        return p->life == SIM_DOWN ? "up" : NULL;
    case SIM_VERB_BOUNCE:
        return p->life == SIM_DOWN ? NULL : "up";
    case SIM_VERB_PAUSE:
        return p->life == SIM_UP ? "paused" : NULL;
    case SIM_VERB_RESUME:
        return p->life == SIM_PAUSED ? "up" : NULL;
    case SIM_VERB_BLOCK:
        return p->life == SIM_DOWN ? NULL : "blocked";
    case SIM_VERB_UNBLOCK:
        return p->life == SIM_DOWN ? NULL : "up";
    default: /* the others change no process */
        return NULL;
    }
}

uint64_t sim_step_record(struct sim_world *w, const struct sim_fault_note *note, enum sim_verb verb,
                         uint64_t by)
{
    if (!sim_trace_fault_begin(w->trace, w->now_us, by, note))
        return by;
    for (size_t i = 0; i < note->hit_count; i++) {
        struct sim_process *p = sim_find(w, note->hit[i]);
        const char *state = p == NULL ? NULL : state_after(p, verb);
        bool starts = verb == SIM_VERB_RESTART || verb == SIM_VERB_BOUNCE;
        if (state != NULL && verb == SIM_VERB_BOUNCE) /* what it had in memory is gone */
            sim_trace_set_node(w->trace, p->id, "down", (int32_t)p->incarnation);
        if (state != NULL)
            sim_trace_set_node(w->trace, p->id, state, (int32_t)(p->incarnation + starts));
    }
    return sim_trace_end(w->trace);
}

static void keep_hit(struct sim_step_state *state, const struct sim_ids *ids)
{
    sim_free(state->hit);
    state->hit = sim_copy(ids->id, ids->count * sizeof(*ids->id));
    state->hit_count = ids->count;
}

/* ---- firing ---- */

static void push_timed(struct sim_world *w, int64_t t_us, struct sim_event event)
{
    w->timed_ahead++;
    sim_push(w, t_us, event);
}

static void fire_followers(struct sim_world *w, uint32_t step)
{
    for (uint32_t i = 0; i < w->scenario->step_count; i++)
        if (w->scenario->steps[i].when == SIM_WHEN_AFTER && w->scenario->steps[i].after == step)
            push_timed(w, w->now_us + w->scenario->steps[i].at_us,
                       (struct sim_event){.kind = SIM_E_STEP, .a = i});
}

static struct sim_undo *undo_new(struct sim_world *w, uint32_t step)
{
    w->undos = sim_realloc(w->undos, (w->undo_count + 1) * sizeof(*w->undos));
    struct sim_undo *u = &w->undos[w->undo_count++];
    *u = (struct sim_undo){.step = step, .verb = w->scenario->steps[step].verb};
    return u;
}

/* A drawn step says nothing where it has nobody to act on; a drawn start means those who are down.
 */
static bool is_idle(const struct sim_world *w, const struct sim_step *s, struct sim_ids *ids)
{
    uint32_t kept = 0;
    if (!s->is_drawn || s->target.kind == SIM_TARGET_NONE)
        return false;
    for (uint32_t i = 0; i < ids->count; i++)
        if (s->verb != SIM_VERB_RESTART || sim_find(w, ids->id[i])->life == SIM_DOWN)
            ids->id[kept++] = ids->id[i];
    ids->count = kept;
    return kept == 0;
}

void sim_step_fire(struct sim_world *w, uint32_t step, uint64_t by)
{
    const struct sim_step *s = &w->scenario->steps[step];
    struct sim_step_state *state = &w->steps[step];
    if (w->is_healed)
        return;
    bool is_first = !state->fired, was_in_flush = w->in_flush;
    struct sim_ids ids = sim_target_resolve(w, &s->target);
    if (is_idle(w, s, &ids)) {
        sim_free(ids.id);
        return;
    }
    bool ends = s->for_us > 0 && s->for_us != SIM_FOREVER;
    int64_t end_us = ends ? w->now_us + s->for_us : -1;
    if (ends && s->is_drawn && end_us > s->until_us)
        end_us = s->until_us;
    struct sim_fault_note note = {.verb = sim_verb_name(s->verb),
                                  .target = s->target.text,
                                  .label = s->label,
                                  .hit = ids.id,
                                  .hit_count = ids.count,
                                  .until_us = end_us,
                                  .step = (int32_t)s->place.line};
    state->fired = true;
    state->fired_us = w->now_us;
    keep_hit(state, &ids);
    state->record = sim_step_record(w, &note, s->verb, by);
    uint32_t undo = w->undo_count;
    undo_new(w, step)->record = state->record;
    if (is_first)
        fire_followers(w, step);
    w->in_flush = true; /* no other step fires in the middle of this one */
    act_on_all(w, s, &w->undos[undo]);
    for (uint32_t i = 0; i < ids.count; i++)
        act_on(w, s, ids.id[i], &w->undos[undo]);
    w->in_flush = was_in_flush;
    w->undos[undo].hit = ids.id;
    w->undos[undo].hit_count = ids.count;
    if (ends)
        push_timed(w, end_us, (struct sim_event){.kind = SIM_E_UNDO, .a = undo});
}

void sim_step_due(struct sim_world *w, uint32_t step, uint64_t occurrence)
{
    const struct sim_step *s = &w->scenario->steps[step];
    w->timed_ahead--;
    if (s->when == SIM_WHEN_EVERY && w->now_us + s->every_us <= s->until_us)
        push_timed(w, w->now_us + s->every_us,
                   (struct sim_event){.kind = SIM_E_STEP, .a = step, .b = occurrence + 1});
    sim_step_fire(w, step, s->when == SIM_WHEN_AFTER ? w->steps[s->after].record : 0);
}

static enum sim_verb verb_of_undo(enum sim_verb verb)
{
    switch (verb) {
    case SIM_VERB_KILL:
    case SIM_VERB_STOP:
    case SIM_VERB_SHUTDOWN:
        return SIM_VERB_RESTART;
    case SIM_VERB_PAUSE:
        return SIM_VERB_RESUME;
    case SIM_VERB_BLOCK:
        return SIM_VERB_UNBLOCK;
    default: /* the end of a rule has no verb of its own */
        return SIM_VERB_RELEASE;
    }
}

static void undo_one(struct sim_world *w, const struct sim_step *s, const struct sim_undo *u,
                     int32_t id, uint64_t record)
{
    struct sim_process *p = sim_find(w, id);
    if (u->verb == SIM_VERB_CLOCK_SKEW) {
        sim_clock_mend(w, p);
        return;
    }
    if (p->client != NULL) {
        sim_client_fault(w, id, verb_of_undo(u->verb), record);
        return;
    }
    switch (u->verb) {
    case SIM_VERB_KILL:
    case SIM_VERB_STOP:
    case SIM_VERB_SHUTDOWN:
        sim_world_start(w, id, record);
        return;
    case SIM_VERB_PAUSE:
        sim_world_resume(w, id, record);
        return;
    case SIM_VERB_BLOCK:
        sim_process_block(w, p, false, record);
        return;
    case SIM_VERB_DELAY:
        p->zk_delay_us -= s->delay_us;
        return;
    case SIM_VERB_FAIL:
        p->fail_next = false;
        return;
    case SIM_VERB_ANSWER:
    case SIM_VERB_FAIL_LOG_DIR:
        p->dirs_repaired = p->dirs_repaired || u->verb == SIM_VERB_FAIL_LOG_DIR;
        for (uint32_t i = 0; i < u->rule_count; i++)
            sim_world_tell_off(w, id, u->rules[i]);
        return;
    default: /* nothing to undo for each process */
        return;
    }
}

void sim_step_undo(struct sim_world *w, uint32_t undo)
{
    struct sim_undo *u = &w->undos[undo];
    const struct sim_step *s = &w->scenario->steps[u->step];
    w->timed_ahead--;
    if (u->done)
        return;
    u->done = true;
    struct sim_fault_note note = {.verb = sim_verb_name(verb_of_undo(u->verb)),
                                  .target = s->target.text,
                                  .label = s->label,
                                  .hit = u->hit,
                                  .hit_count = u->hit_count,
                                  .until_us = -1,
                                  .step = (int32_t)s->place.line};
    uint64_t record = sim_step_record(w, &note, verb_of_undo(u->verb), u->record);
    struct sim_undo copy = *u;
    for (uint32_t i = 0; i < copy.hit_count; i++)
        undo_one(w, s, &copy, copy.hit[i], record);
    if (copy.verb == SIM_VERB_PARTITION || copy.verb == SIM_VERB_DEGRADE ||
        copy.verb == SIM_VERB_HOLD || copy.verb == SIM_VERB_DROP)
        sim_step_remove_rules(w, &copy);
    if (copy.verb == SIM_VERB_LOSE_QUORUM)
        quorum(w, true, record);
}

/* ---- patterns ---- */

void sim_steps_listen(void *context, const struct sim_record *record)
{
    struct sim_world *w = context;
    for (uint32_t i = 0; w->open_patterns > 0 && i < w->scenario->step_count; i++) {
        const struct sim_step *s = &w->scenario->steps[i];
        bool waits = s->when == SIM_WHEN_PATTERN && w->steps[i].matches < s->pattern.nth;
        bool in_time = !s->is_drawn || (record->t >= s->at_us && record->t < s->until_us);
        if (!waits || !in_time || strcmp(s->pattern.kind, sim_kind_name(record->kind)) != 0 ||
            (s->pattern.side == SIM_SIDE_BEFORE && record->kind == SIM_K_ZAP) ||
            !sim_pattern_match(&s->pattern, w->trace, record))
            continue;
        if (++w->steps[i].matches < s->pattern.nth)
            continue;
        w->open_patterns--;
        if (w->matched_count == w->matched_capacity) {
            w->matched_capacity = w->matched_capacity * 2 + 8;
            w->matched = sim_realloc(w->matched, w->matched_capacity * sizeof(*w->matched));
        }
        w->matched[w->matched_count].step = i;
        w->matched[w->matched_count++].record = record->n;
    }
}

uint32_t sim_world_never_fired(const struct sim_world *w)
{
    for (uint32_t i = 0; w->scenario != NULL && i < w->scenario->step_count; i++)
        if (!w->steps[i].fired && !w->scenario->steps[i].is_drawn &&
            w->scenario->steps[i].when != SIM_WHEN_AT &&
            w->scenario->steps[i].when != SIM_WHEN_EVERY)
            return i + 1;
    return 0;
}

/* ---- loading ---- */

void sim_steps_load(struct sim_world *w)
{
    const struct sim_scenario *s = w->scenario;
    w->steps = sim_alloc(s->step_count * sizeof(*w->steps));
    for (uint32_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].when == SIM_WHEN_AT || s->steps[i].when == SIM_WHEN_EVERY)
            push_timed(w, s->steps[i].at_us, (struct sim_event){.kind = SIM_E_STEP, .a = i});
        w->open_patterns += s->steps[i].when == SIM_WHEN_PATTERN;
    }
    if (w->open_patterns > 0)
        sim_trace_listen(w->trace, sim_steps_listen, w);
    sim_heal_load(w);
}

void sim_steps_free(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->undo_count; i++) {
        sim_free(w->undos[i].rules);
        sim_free(w->undos[i].hit);
    }
    for (uint32_t i = 0; w->scenario != NULL && i < w->scenario->step_count; i++)
        sim_free(w->steps[i].hit);
    sim_free(w->undos);
    sim_free(w->steps);
    sim_free(w->matched);
}
