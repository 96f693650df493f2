/*
 * The scenario acts: steps by time, by label and by pattern; what each verb does and how it is
 * undone. Steps that the seed has drawn (world_random.c) are steps like others.
 *
 *     SIM_E_STEP (at, every, after) ─┐
 *     FIRE (a record has matched)   ─┴─► sim_step_fire ──► resolve target ──► record ──► verb
 *                                                                                └──► for:
 * SIM_E_UNDO
 *
 * Roles are resolved at the moment of the fault, and what they meant is recorded (`hit`).
 */
#include <assert.h>
#include <stdio.h>

#include "sim/pattern.h"
#include "sim/world_state.h"

static uint64_t record_fault(struct sim_world *w, const struct sim_fault_note *note,
                             enum sim_verb verb, uint64_t by);

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

static void add_channel_rule(struct sim_world *w, const struct sim_step *s, struct sim_undo *u)
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

static void cut_groups(struct sim_world *w, const struct sim_step *s, struct sim_undo *u)
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

static void remove_rules(struct sim_world *w, const struct sim_undo *u)
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

static void release(struct sim_world *w, const struct sim_step *s)
{
    for (uint32_t i = 0; i < w->undo_count; i++)
        if (!w->undos[i].done && w->undos[i].rule_count > 0 && is_released_by(w, &w->undos[i], s)) {
            w->undos[i].done = true;
            remove_rules(w, &w->undos[i]);
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

static void tell(struct sim_world *w, const struct sim_step *s, int32_t id, struct sim_undo *u)
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
static void fail_log_dir(struct sim_world *w, const struct sim_step *s, int32_t id,
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

/* ---- admin operations ---- */

static void registered_ids(const struct sim_world *w, struct sim_ids *ids)
{
    for (uint32_t i = 0; i < w->process_count; i++)
        if (sim_world_broker_epoch(w, w->by_id[i]->id) >= 0)
            sim_ids_add(ids, w->by_id[i]->id);
}

/* The partitions of a create-topic or add-partitions step: as given, or by Kafka's rule over the
   brokers that are registered now; none where none is (AdminUtils.assignReplicasToBrokers throws
   InvalidReplicationFactorException). */
static struct sim_new_topic new_topic(struct sim_world *w, const struct sim_step *s, uint32_t first,
                                      struct sm_list **lists, int32_t **numbers)
{
    struct sim_ids ids = {0};
    uint32_t count = s->partition_arg_count;
    bool is_given = count > 0;
    if (!is_given)
        count = s->partition_count > (int32_t)first ? (uint32_t)s->partition_count - first : 0;
    registered_ids(w, &ids);
    if (!is_given && ids.count == 0)
        count = 0;
    *lists = sim_alloc((count + 1) * sizeof(**lists));
    *numbers = sim_alloc((count + 1) * sizeof(**numbers));
    int32_t factor = s->replication_factor > 0 ? s->replication_factor
                                               : w->scenario->settings.default_replication_factor;
    if (factor > (int32_t)ids.count)
        factor = (int32_t)ids.count;
    for (uint32_t i = 0; i < count; i++) {
        (*numbers)[i] = is_given ? s->partitions[i].partition : (int32_t)(first + i);
        if (is_given)
            (*lists)[i] = s->partitions[i].replicas;
        else
            sim_assign_replicas(ids.id, ids.count, (*numbers)[i], factor, &(*lists)[i]);
    }
    sim_free(ids.id);
    return (struct sim_new_topic){.name = s->topics[0],
                                  .partitions = *numbers,
                                  .replicas = *lists,
                                  .count = count,
                                  .config = s->config,
                                  .config_count = s->config_count};
}

static void make_partitions(struct sim_world *w, const struct sim_step *s, uint64_t record)
{
    struct sm_list *lists;
    int32_t *numbers;
    bool creates = s->verb == SIM_VERB_CREATE_TOPIC;
    uint32_t first = creates ? 0 : sim_partitions_of(w, s->topics[0]);
    struct sim_new_topic topic = new_topic(w, s, first, &lists, &numbers);
    topic.by_request = true;
    if (creates && topic.count > 0)
        sim_world_create_topic(w, &topic, record);
    else if (topic.count > 0)
        sim_world_add_partitions(w, &topic, record);
    sim_free(lists);
    sim_free(numbers);
}

static void call_with_partitions(struct sim_world *w, const struct sim_step *s,
                                 struct wire_call head, bool cancel, uint64_t record)
{
    struct wire_call_builder b;
    size_t capacity =
        sizeof(head) + s->partition_arg_count * (sizeof(struct wire_call_item) + SM_TOPIC_NAME_MAX +
                                                 sizeof(int32_t) * SM_REPLICAS_MAX + 24);
    void *bytes = sim_realloc(NULL, capacity);
    wire_call_begin(&b, bytes, capacity, &head);
    for (uint32_t i = 0; i < s->partition_arg_count; i++) {
        struct sm_assignment a = sm_assignment_of(&s->partitions[i].replicas);
        wire_call_add(&b, s->partitions[i].topic, s->partitions[i].partition, 0, cancel,
                      head.api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS && !cancel ? &a : NULL);
    }
    uint64_t id = sim_world_call(w, -1, wire_call_end(&b), record);
    if (s->timeout_us > 0)
        sim_call_limit(w, id, s->timeout_us);
    sim_free(bytes);
}

static void elect(struct sim_world *w, const struct sim_step *s, uint64_t record)
{
    if (sim_step_is_by_znode(w->scenario, s)) {
        sim_world_elect_by_znode(w, s->partitions, s->partition_arg_count, record);
        return;
    }
    call_with_partitions(w, s,
                         (struct wire_call){.api = WIRE_API_ELECT_LEADERS,
                                            .all = s->all_partitions,
                                            .election_type = s->unclean},
                         false, record);
}

static void reassign(struct sim_world *w, const struct sim_step *s, uint64_t record)
{
    bool cancels = s->verb == SIM_VERB_CANCEL_REASSIGNMENT;
    if (!cancels && sim_step_is_by_znode(w->scenario, s)) {
        sim_world_reassign_by_znode(w, s->partitions, s->partition_arg_count, record);
        return;
    }
    call_with_partitions(
        w, s, (struct wire_call){.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS, .broker_id = -1},
        cancels, record);
}

/* Asks the controller; it leaves when it hears that nothing is led here any more, or after the
   retries. Whoever starts up and is not registered yet ends at once, and asks nobody
   (KafkaServer.shutdown throws, KafkaServerStartable halts). */
static void shutdown(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record)
{
    struct wire_call_builder b;
    _Alignas(8) uint8_t bytes[128];
    int64_t epoch = sim_world_broker_epoch(w, id);
    struct sim_process *p = sim_find(w, id);
    if (p->life != SIM_UP || (s->request_only && epoch < 0))
        return;
    if (!s->request_only && (!p->settings.controlled_shutdown || epoch < 0)) {
        sim_world_stop(w, id, record);
        return;
    }
    wire_call_begin(&b, bytes, sizeof(bytes),
                    &(struct wire_call){.api = WIRE_API_CONTROLLED_SHUTDOWN,
                                        .broker_id = id,
                                        .broker_epoch = s->stale_epoch ? epoch - 1 : epoch});
    uint64_t call = sim_world_call(w, -1, wire_call_end(&b), record);
    sim_call_asked_by(w, call, p);
    if (s->request_only)
        return;
    p->shutdown_call = call;
    p->shutdown_tries = 1;
    p->shutdown_record = record;
}

/* It leaves, allowed to or tired of asking. */
static void leave(struct sim_world *w, struct sim_process *p)
{
    struct sim_fault_note note = {
        .verb = sim_verb_name(SIM_VERB_STOP), .hit = &p->id, .hit_count = 1, .until_us = -1};
    uint64_t record = record_fault(w, &note, SIM_VERB_STOP, p->shutdown_record);
    sim_world_stop(w, p->id, record);
}

/* A drawn fault has to end: who has asked to leave and still waits is replaced. */
static void restart(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record)
{
    struct sim_process *p = sim_find(w, id);
    if (!s->is_drawn || p->life != SIM_UP || p->shutdown_tries == 0) {
        sim_world_start(w, id, record);
        return;
    }
    struct sim_fault_note note = {
        .verb = sim_verb_name(SIM_VERB_BOUNCE), .hit = &p->id, .hit_count = 1, .until_us = -1};
    uint64_t bounced = record_fault(w, &note, SIM_VERB_BOUNCE, record);
    sim_world_bounce(w, id, bounced);
}

void sim_process_failed(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    struct sim_fault_note note = {.verb = "exit", .hit = &p->id, .hit_count = 1, .until_us = -1};
    record_fault(w, &note, SIM_VERB_STOP, by);
}

void sim_shutdown_answered(struct sim_world *w, uint64_t call, const struct wire_call *answer)
{
    struct sim_process *p = NULL;
    for (uint32_t i = 0; i < w->process_count && p == NULL; i++)
        if (w->processes[i]->shutdown_call == call)
            p = w->processes[i];
    if (p == NULL)
        return;
    p->shutdown_call = 0;
    if (p->life == SIM_DOWN)
        return;
    bool may_leave = answer != NULL && answer->error == WIRE_ERROR_NONE && answer->count == 0;
    if (may_leave || p->shutdown_tries > (uint32_t)p->settings.controlled_shutdown_retries) {
        leave(w, p);
        return;
    }
    sim_push(w, sim_clock_after(w, p, p->settings.controlled_shutdown_retry_us),
             (struct sim_event){.kind = SIM_E_SHUTDOWN,
                                .process = p->index,
                                .a = p->incarnation,
                                .b = ++p->shutdown_tries});
    w->timed_ahead++;
}

void sim_shutdown_again(struct sim_world *w, struct sim_process *p, uint64_t incarnation)
{
    struct wire_call_builder b;
    _Alignas(8) uint8_t bytes[128];
    w->timed_ahead--;
    if (p->life == SIM_DOWN || p->incarnation != incarnation)
        return;
    wire_call_begin(&b, bytes, sizeof(bytes),
                    &(struct wire_call){.api = WIRE_API_CONTROLLED_SHUTDOWN,
                                        .broker_id = p->id,
                                        .broker_epoch = sim_world_broker_epoch(w, p->id)});
    p->shutdown_call = sim_world_call(w, -1, wire_call_end(&b), p->shutdown_record);
    sim_call_asked_by(w, p->shutdown_call, p);
}

static void znode(struct sim_world *w, const struct sim_step *s, uint64_t record)
{
    switch (s->act) {
    case SIM_ZNODE_SET:
        sim_world_znode_set(w, s->path, s->data, s->data_size, s->version, record);
        return;
    case SIM_ZNODE_CREATE:
        sim_world_znode_create(w, s->path, s->data, s->data_size, 0, record);
        return;
    case SIM_ZNODE_DELETE:
        sim_world_znode_delete(w, s->path, s->version, record);
        return;
    case SIM_ZNODE_NONE:
        return;
    }
}

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
        restart(w, s, id, record);
        return;
    case SIM_VERB_BOUNCE:
        sim_world_bounce(w, id, record);
        return;
    case SIM_VERB_SHUTDOWN:
        shutdown(w, s, id, record);
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
        tell(w, s, id, u);
        return;
    case SIM_VERB_FAIL_LOG_DIR:
        fail_log_dir(w, s, id, u);
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
        cut_groups(w, s, u);
        return;
    case SIM_VERB_DEGRADE:
    case SIM_VERB_HOLD:
    case SIM_VERB_DROP:
        add_channel_rule(w, s, u);
        return;
    case SIM_VERB_RELEASE:
        release(w, s);
        return;
    case SIM_VERB_LOSE_QUORUM:
        quorum(w, false, record);
        return;
    case SIM_VERB_CREATE_TOPIC:
    case SIM_VERB_ADD_PARTITIONS:
        make_partitions(w, s, record);
        return;
    case SIM_VERB_DELETE_TOPIC:
        sim_world_delete_topics(w, s->topics, s->topic_count, record);
        return;
    case SIM_VERB_ALTER_CONFIG:
        sim_world_alter_config(w, s->topics[0], s->config, s->config_count, true, record);
        return;
    case SIM_VERB_ELECT_LEADERS:
        elect(w, s, record);
        return;
    case SIM_VERB_REASSIGN:
    case SIM_VERB_CANCEL_REASSIGNMENT:
        reassign(w, s, record);
        return;
    case SIM_VERB_MOVE_CONTROLLER:
        sim_world_znode_delete(w, SM_PATH_CONTROLLER, WIRE_ZK_ANY_VERSION, record);
        return;
    case SIM_VERB_SET_ISR:
        sim_world_set_isr(w, s->partitions, s->partition_arg_count, s->notify, record);
        return;
    case SIM_VERB_ZNODE:
        znode(w, s, record);
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

static uint64_t record_fault(struct sim_world *w, const struct sim_fault_note *note,
                             enum sim_verb verb, uint64_t by)
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
    state->record = record_fault(w, &note, s->verb, by);
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
    uint64_t record = record_fault(w, &note, verb_of_undo(u->verb), u->record);
    struct sim_undo copy = *u;
    for (uint32_t i = 0; i < copy.hit_count; i++)
        undo_one(w, s, &copy, copy.hit[i], record);
    if (copy.verb == SIM_VERB_PARTITION || copy.verb == SIM_VERB_DEGRADE ||
        copy.verb == SIM_VERB_HOLD || copy.verb == SIM_VERB_DROP)
        remove_rules(w, &copy);
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
