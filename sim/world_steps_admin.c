/*
 * Steps of operators: topics, elections, reassignments, shutdowns, znodes.
 *
 * Each is what Kafka's tool of that name does (sim/world_operate.c): a znode is written at once, a
 * call travels to the controller. A controlled shutdown is both of a broker and of its operator:
 * the process asks, waits, asks again, and leaves.
 *
 * Source: Kafka KafkaServer.controlledShutdown, AdminUtils.assignReplicasToBrokers.
 */
#include "sim/world_steps.h"

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

void sim_step_make_partitions(struct sim_world *w, const struct sim_step *s, uint64_t record)
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

void sim_step_elect(struct sim_world *w, const struct sim_step *s, uint64_t record)
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

void sim_step_reassign(struct sim_world *w, const struct sim_step *s, uint64_t record)
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
void sim_step_shutdown(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record)
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
    uint64_t record = sim_step_record(w, &note, SIM_VERB_STOP, p->shutdown_record);
    sim_world_stop(w, p->id, record);
}

/* A drawn fault has to end: who has asked to leave and still waits is replaced. */
void sim_step_restart(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record)
{
    struct sim_process *p = sim_find(w, id);
    if (!s->is_drawn || p->life != SIM_UP || p->shutdown_tries == 0) {
        sim_world_start(w, id, record);
        return;
    }
    struct sim_fault_note note = {
        .verb = sim_verb_name(SIM_VERB_BOUNCE), .hit = &p->id, .hit_count = 1, .until_us = -1};
    uint64_t bounced = sim_step_record(w, &note, SIM_VERB_BOUNCE, record);
    sim_world_bounce(w, id, bounced);
}

void sim_process_failed(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    struct sim_fault_note note = {.verb = "exit", .hit = &p->id, .hit_count = 1, .until_us = -1};
    sim_step_record(w, &note, SIM_VERB_STOP, by);
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

void sim_step_znode(struct sim_world *w, const struct sim_step *s, uint64_t record)
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
