/*
 * What operators, tools and (here) leaders do: znodes, as Kafka's own tools write them, and calls
 * to the controller.
 *
 * Znodes change at once, by a session that is opened for it: whoever stands outside has its own
 * clock. A call travels, and is asked again for as long as there is no controller, the connection
 * breaks, or the answer is NOT_CONTROLLER, as Kafka's AdminClient does, until its time is over.
 * What was asked for may be done all the same, and be answered to nobody.
 *
 * Source: kafka.zk.AdminZkClient, kafka.admin.PreferredReplicaLeaderElectionCommand,
 * ReassignPartitionsCommand; Partition.shrinkIsr, ReplicaManager.maybePropagateIsrChanges.
 */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>

#include "sim/world_state.h"

/* As an admin client's: request.timeout.ms, default.api.timeout.ms. */
enum { CALL_AGAIN_US = 100000, CALL_TIMEOUT_US = 30000000, CALL_GIVE_UP_US = 60000000 };

void *sim_builder(struct sim_world *w, size_t size)
{
    if (size > w->builder_size) {
        w->builder_size = size * 2;
        w->builder = sim_realloc(w->builder, w->builder_size);
    }
    return w->builder;
}

/* ---- requests ---- */

const struct wire_zk_reply *sim_world_operate(struct sim_world *w,
                                              const struct wire_zk_request *request, uint64_t by)
{
    SIM_IN(w);
    assert(request != NULL);
    uint64_t m = sim_trace_zreq(w->trace, w->now_us, SIM_LANE_OPERATOR, by, request);
    sim_zk_operate(w, request, by, m);
    return w->operator_reply;
}

/* A request under construction: operations appended to a buffer that grows between them. */
struct batch {
    struct wire_zk_builder b;
    void *bytes;
};

static size_t op_size(const char *path, size_t size)
{
    return sizeof(struct wire_zk_op) + strlen(path) + 1 + size + 16;
}

static void begin(struct sim_world *w, struct batch *r, size_t capacity, bool multi)
{
    r->bytes = sim_realloc(NULL, capacity + sizeof(struct wire_zk_request) + 16);
    wire_zk_begin(&r->b, r->bytes, capacity + sizeof(struct wire_zk_request) + 16,
                  ++w->operator_xid, multi);
}

static void add(struct batch *r, enum wire_zk_opcode opcode, uint32_t flags, int32_t version,
                const char *path, const void *data, size_t size)
{
    wire_zk_add(&r->b,
                (struct wire_zk_op){.opcode = (uint8_t)opcode,
                                    .flags = (uint8_t)flags,
                                    .has_data = data != NULL,
                                    .version = version,
                                    .path_size = (uint32_t)strlen(path),
                                    .data_size = (uint32_t)size},
                path, data);
}

static int32_t apply(struct sim_world *w, struct batch *r, uint64_t by)
{
    const struct wire_zk_reply *reply = sim_world_operate(w, wire_zk_end(&r->b), by);
    sim_free(r->bytes);
    return reply == NULL ? WIRE_ZK_CONNECTION_LOSS : reply->err;
}

static int32_t single(struct sim_world *w, enum wire_zk_opcode opcode, uint32_t flags,
                      int32_t version, const char *path, const void *data, size_t size, uint64_t by)
{
    struct batch r;
    begin(w, &r, op_size(path, size), false);
    add(&r, opcode, flags, version, path, data, size);
    return apply(w, &r, by);
}

int32_t sim_world_znode_create(struct sim_world *w, const char *path, const void *data, size_t size,
                               uint32_t flags, uint64_t by)
{
    SIM_IN(w);
    return single(w, WIRE_ZK_CREATE, flags, 0, path, data, size, by);
}

int32_t sim_world_znode_set(struct sim_world *w, const char *path, const void *data, size_t size,
                            int32_t version, uint64_t by)
{
    SIM_IN(w);
    return single(w, WIRE_ZK_SET_DATA, 0, version, path, data, size, by);
}

int32_t sim_world_znode_delete(struct sim_world *w, const char *path, int32_t version, uint64_t by)
{
    SIM_IN(w);
    return single(w, WIRE_ZK_DELETE, 0, version, path, NULL, 0, by);
}

/* ---- topics ---- */

char *sim_topic_znode(const int32_t *partitions, const struct sm_list *replicas, uint32_t count,
                      size_t *size)
{
    size_t capacity = 256 + (size_t)count * (32 + SM_REPLICAS_MAX * 11);
    char *bytes = sim_realloc(NULL, capacity);
    struct sm_topic_writer writer;
    sm_topic_writer_begin(&writer, bytes, capacity);
    for (int32_t section = 0; section < 3; section++) {
        if (section > 0)
            sm_topic_writer_section(&writer, section);
        for (uint32_t i = 0; i < count; i++) {
            struct sm_assignment a = sm_assignment_of(&replicas[i]);
            sm_topic_writer_partition(&writer, partitions[i], &a);
        }
    }
    *size = sm_topic_writer_end(&writer, NULL);
    assert(*size > 0);
    return bytes;
}

static void text_add(char **text, size_t *size, const char *more)
{
    size_t n = strlen(more);
    *text = sim_realloc(*text, *size + n + 1);
    memcpy(*text + *size, more, n + 1);
    *size += n;
}

static void text_add_json(char **text, size_t *size, const char *string)
{
    char one[8];
    text_add(text, size, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            snprintf(one, sizeof(one), "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            snprintf(one, sizeof(one), "\\u%04x", (unsigned)(unsigned char)*c);
        else
            snprintf(one, sizeof(one), "%c", *c);
        text_add(text, size, one);
    }
    text_add(text, size, "\"");
}

char *sim_config_znode(const struct sim_config_entry *config, uint32_t count, size_t *size)
{
    char *text = NULL;
    bool is_first = true;
    *size = 0;
    text_add(&text, size, "{\"version\":1,\"config\":{");
    for (uint32_t i = 0; i < count; i++) {
        if (config[i].value == NULL)
            continue;
        text_add(&text, size, is_first ? "" : ",");
        text_add_json(&text, size, config[i].key);
        text_add(&text, size, ":");
        text_add_json(&text, size, config[i].value);
        is_first = false;
    }
    text_add(&text, size, "}}");
    return text;
}

static void add_states(struct batch *r, const struct sim_new_topic *t)
{
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    sm_path_topic_partitions(path, t->name);
    add(r, WIRE_ZK_CREATE, 0, 0, path, NULL, 0);
    for (uint32_t i = 0; i < t->count; i++) {
        struct sm_leader_and_isr li = {
            .leader = t->replicas[i].id[0], .controller_epoch = 1, .isr = t->replicas[i]};
        size_t size = sm_znode_encode_state(data, &li);
        sm_path_partition(path, t->name, t->partitions[i]);
        add(r, WIRE_ZK_CREATE, 0, 0, path, NULL, 0);
        sm_path_partition_state(path, t->name, t->partitions[i]);
        add(r, WIRE_ZK_CREATE, 0, 0, path, data, size);
    }
}

int32_t sim_world_create_topic(struct sim_world *w, const struct sim_new_topic *t, uint64_t by)
{
    SIM_IN(w);
    char path[SM_PATH_MAX];
    size_t size;
    char *config = sim_config_znode(t->config, t->config_count, &size);
    sm_path_config_topic(path, t->name);
    int32_t err = sim_world_znode_create(w, path, config, size, 0, by);
    sim_free(config);
    if (err != WIRE_ZK_OK && err != WIRE_ZK_NODE_EXISTS)
        return err;
    char *topic = sim_topic_znode(t->partitions, t->replicas, t->count, &size);
    size_t states =
        t->with_states ? (size_t)t->count * (2 * op_size("", SM_PATH_MAX) + SM_STATE_BYTES_MAX) : 0;
    struct batch r;
    sm_path_topic(path, t->name);
    begin(w, &r, op_size(path, size) + op_size("", SM_PATH_MAX) + states, t->with_states);
    add(&r, WIRE_ZK_CREATE, 0, 0, path, topic, size);
    if (t->with_states)
        add_states(&r, t);
    err = apply(w, &r, by);
    sim_free(topic);
    return err;
}

/* The partitions of a topic znode, in the order of the text; owned. */
struct partitions {
    int32_t *numbers;
    struct sm_list *replicas;
    uint32_t count;
};

static void partitions_put(struct partitions *all, int32_t number, const struct sm_list *replicas)
{
    uint32_t at = all->count;
    while (at > 0 && all->numbers[at - 1] >= number)
        at--;
    if (at == all->count || all->numbers[at] != number) {
        all->numbers = sim_realloc(all->numbers, (all->count + 1) * sizeof(*all->numbers));
        all->replicas = sim_realloc(all->replicas, (all->count + 1) * sizeof(*all->replicas));
        memmove(&all->numbers[at + 1], &all->numbers[at],
                (all->count - at) * sizeof(*all->numbers));
        memmove(&all->replicas[at + 1], &all->replicas[at],
                (all->count - at) * sizeof(*all->replicas));
        all->count++;
    }
    all->numbers[at] = number;
    all->replicas[at] = *replicas;
}

int32_t sim_world_add_partitions(struct sim_world *w, const struct sim_new_topic *more, uint64_t by)
{
    SIM_IN(w);
    struct partitions all = {0};
    struct sm_topic_reader reader;
    struct sm_assignment assignment;
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t data_size;
    size_t size;
    int32_t partition;
    bool has_data;
    char path[SM_PATH_MAX];
    sm_path_topic(path, more->name);
    if (!kz_server_get(w->zk, path, &stat, &data, &data_size, &has_data))
        return WIRE_ZK_NO_NODE;
    if (sm_topic_open(&reader, (const char *)data, data_size) != SM_ERR_OK)
        return WIRE_ZK_MARSHALLING;
    for (uint32_t i = 0; i < more->count; i++)
        partitions_put(&all, more->partitions[i], &more->replicas[i]);
    bool moves = false;
    while (sm_topic_next(&reader, &partition, &assignment)) {
        partitions_put(&all, partition, &assignment.replicas);
        moves |= more->by_request && sm_assignment_is_being_reassigned(&assignment);
    }
    int32_t err = WIRE_ZK_BAD_ARGUMENTS;
    if (!moves) {
        char *topic = sim_topic_znode(all.numbers, all.replicas, all.count, &size);
        err = sim_world_znode_set(w, path, topic, size, stat.version, by);
        sim_free(topic);
    }
    sim_free(all.numbers);
    sim_free(all.replicas);
    return err;
}

int32_t sim_world_delete_topics(struct sim_world *w, char *const *names, uint32_t count,
                                uint64_t by)
{
    SIM_IN(w);
    char path[SM_PATH_MAX];
    struct batch r;
    begin(w, &r, count * op_size("", SM_PATH_MAX), true);
    for (uint32_t i = 0; i < count; i++) {
        sm_path_delete_topic(path, names[i]);
        add(&r, WIRE_ZK_CREATE, 0, 0, path, NULL, 0);
    }
    return apply(w, &r, by);
}

/* ---- configuration ---- */

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : sim_copy(text, strlen(text) + 1);
}

static void config_put(struct sim_config_entry **all, uint32_t *count, const char *key,
                       const char *value)
{
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp((*all)[i].key, key) == 0) {
            sim_free((*all)[i].value);
            (*all)[i].value = copy_text(value);
            return;
        }
    *all = sim_realloc(*all, (*count + 1) * sizeof(**all));
    (*all)[(*count)++] =
        (struct sim_config_entry){.key = copy_text(key), .value = copy_text(value)};
}

static void config_read(struct sim_config_entry **all, uint32_t *count, const char *data,
                        size_t size)
{
    json_t *root = json_loadb(data, size, 0, NULL), *value;
    const char *key;
    json_object_foreach(json_object_get(root, "config"), key, value) if (json_is_string(value))
        config_put(all, count, key, json_string_value(value));
    json_decref(root);
}

/* Returns `config` over what the topic has now; owned, the texts too. */
static struct sim_config_entry *merged(const struct sim_world *w, const char *path,
                                       const struct sim_config_entry *config, uint32_t *count)
{
    struct sim_config_entry *all = NULL;
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size, all_count = 0;
    bool has_data;
    if (kz_server_get(w->zk, path, &stat, &data, &size, &has_data) && has_data)
        config_read(&all, &all_count, (const char *)data, size);
    for (uint32_t i = 0; i < *count; i++)
        config_put(&all, &all_count, config[i].key, config[i].value);
    *count = all_count;
    return all;
}

int32_t sim_world_alter_config(struct sim_world *w, const char *topic,
                               const struct sim_config_entry *config, uint32_t count, bool merge,
                               uint64_t by)
{
    SIM_IN(w);
    char path[SM_PATH_MAX], note[SM_TOPIC_NAME_MAX + 64];
    size_t size;
    struct sim_config_entry *all = NULL;
    sm_path_config_topic(path, topic);
    if (merge)
        all = merged(w, path, config, &count);
    char *data = sim_config_znode(merge ? all : config, count, &size);
    int32_t err = sim_world_znode_set(w, path, data, size, WIRE_ZK_ANY_VERSION, by);
    if (err == WIRE_ZK_NO_NODE)
        err = sim_world_znode_create(w, path, data, size, 0, by);
    sim_free(data);
    for (uint32_t i = 0; merge && i < count; i++) {
        sim_free(all[i].key);
        sim_free(all[i].value);
    }
    sim_free(all);
    if (err != WIRE_ZK_OK)
        return err;
    snprintf(note, sizeof(note), "{\"entity_path\":\"topics/%s\",\"version\":2}", topic);
    return sim_world_znode_create(w, SM_PATH_CONFIG_CHANGES "/config_change_", note, strlen(note),
                                  WIRE_ZK_SEQUENTIAL, by);
}

/* ---- elections, reassignments, ISRs by znode ---- */

static char *partitions_znode(const struct sim_partition_arg *partitions, uint32_t count,
                              bool with_replicas, size_t *size)
{
    size_t capacity = 64 + (size_t)count * (SM_TOPIC_NAME_MAX + 64 + SM_REPLICAS_MAX * 11);
    char *bytes = sim_realloc(NULL, capacity);
    struct sm_partitions_writer writer;
    sm_partitions_writer_begin(&writer, bytes, capacity);
    for (uint32_t i = 0; i < count; i++)
        sm_partitions_writer_item(&writer, partitions[i].topic, partitions[i].partition,
                                  with_replicas ? &partitions[i].replicas : NULL);
    *size = sm_partitions_writer_end(&writer);
    assert(*size > 0);
    return bytes;
}

static int32_t create_partitions(struct sim_world *w, const char *path, uint32_t flags,
                                 const struct sim_partition_arg *partitions, uint32_t count,
                                 bool with_replicas, uint64_t by)
{
    size_t size;
    char *data = partitions_znode(partitions, count, with_replicas, &size);
    int32_t err = sim_world_znode_create(w, path, data, size, flags, by);
    sim_free(data);
    return err;
}

int32_t sim_world_elect_by_znode(struct sim_world *w, const struct sim_partition_arg *partitions,
                                 uint32_t count, uint64_t by)
{
    SIM_IN(w);
    return create_partitions(w, SM_PATH_PREFERRED, 0, partitions, count, false, by);
}

int32_t sim_world_reassign_by_znode(struct sim_world *w, const struct sim_partition_arg *partitions,
                                    uint32_t count, uint64_t by)
{
    SIM_IN(w);
    return create_partitions(w, SM_PATH_REASSIGN, 0, partitions, count, true, by);
}

static int32_t write_isr(struct sim_world *w, const struct sim_partition_arg *p, uint64_t by)
{
    char path[SM_PATH_MAX], state[SM_STATE_BYTES_MAX];
    struct sm_leader_and_isr li;
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_partition_state(path, p->topic, p->partition);
    if (!kz_server_get(w->zk, path, &stat, &data, &size, &has_data))
        return WIRE_ZK_NO_NODE;
    if (sm_znode_decode_state((const char *)data, size, stat.version, &li) != SM_ERR_OK)
        return WIRE_ZK_MARSHALLING;
    li.isr = p->replicas;
    size_t state_size = sm_znode_encode_state(state, &li);
    return sim_world_znode_set(w, path, state, state_size, stat.version, by);
}

int32_t sim_world_set_isr(struct sim_world *w, const struct sim_partition_arg *partitions,
                          uint32_t count, bool notify, uint64_t by)
{
    SIM_IN(w);
    for (uint32_t i = 0; i < count; i++) {
        int32_t err = write_isr(w, &partitions[i], by);
        if (err != WIRE_ZK_OK)
            return err;
    }
    if (!notify)
        return WIRE_ZK_OK;
    return create_partitions(w, SM_PATH_ISR_NOTIFICATION "/isr_change_", WIRE_ZK_SEQUENTIAL,
                             partitions, count, false, by);
}

int32_t sim_world_log_dir_event(struct sim_world *w, int32_t broker_id, uint64_t by)
{
    SIM_IN(w);
    char data[64];
    size_t size = sm_znode_encode_log_dir_event(data, sizeof(data), broker_id);
    return sim_world_znode_create(w, SM_PATH_LOG_DIR_EVENT "/log_dir_event_", data, size,
                                  WIRE_ZK_SEQUENTIAL, by);
}

int64_t sim_world_broker_epoch(const struct sim_world *w, int32_t id)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_broker(path, id);
    return kz_server_get(w->zk, path, &stat, &data, &size, &has_data) ? stat.czxid : -1;
}

/* ---- calls ---- */

uint64_t sim_world_call(struct sim_world *w, int32_t id, const struct wire_call *call, uint64_t by)
{
    SIM_IN(w);
    struct sim_call *c = sim_alloc(sizeof(*c));
    c->id = ++w->call_number;
    c->to = id;
    c->record = by;
    c->until_us = w->now_us + CALL_GIVE_UP_US;
    c->call = sim_copy(call, call->size);
    c->next = w->calls;
    w->calls = c;
    sim_push(w, w->now_us, (struct sim_event){.kind = SIM_E_CALL, .a = c->id});
    return c->id;
}

static struct sim_call **call_place(struct sim_world *w, uint64_t id)
{
    for (struct sim_call **place = &w->calls; *place != NULL; place = &(*place)->next)
        if ((*place)->id == id)
            return place;
    return NULL;
}

bool sim_calls_wait(const struct sim_world *w)
{
    for (const struct sim_call *c = w->calls; c != NULL; c = c->next)
        if (!c->is_given_up)
            return true;
    return false;
}

static void tell_asker(struct sim_world *w, const struct sim_call *c,
                       const struct wire_call *answer)
{
    sim_shutdown_answered(w, c->id, answer);
    if (w->options.hooks.answer != NULL)
        w->options.hooks.answer(w->options.hooks.context, c->id, answer);
}

static void finish_call(struct sim_world *w, struct sim_call **place,
                        const struct wire_call *answer)
{
    struct sim_call *c = *place;
    *place = c->next;
    if (!c->is_given_up)
        tell_asker(w, c, answer);
    sim_free(c->call);
    sim_free(c);
}

void sim_call_limit(struct sim_world *w, uint64_t id, int64_t timeout_us)
{
    (*call_place(w, id))->until_us = w->now_us + timeout_us;
}

void sim_call_asked_by(struct sim_world *w, uint64_t id, struct sim_process *asker)
{
    struct sim_call *c = *call_place(w, id);
    c->asker = asker;
    c->asker_incarnation = asker->incarnation;
}

/* A broker that asks for its own shutdown takes the question along when it dies; what is under way
   by then names the broker epoch of that life, and is refused. */
static bool asker_is_gone(const struct sim_call *c)
{
    return c->asker != NULL &&
           (c->asker->life == SIM_DOWN || c->asker->incarnation != c->asker_incarnation);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void give_up(struct sim_world *w, struct sim_call **place)
{
    struct sim_call *c = *place;
    sim_trace_call_ends(w->trace, w->now_us, SIM_LANE_OPERATOR, c->sent != 0 ? c->sent : c->record,
                        (enum wire_api)c->call->api);
    tell_asker(w, c, NULL);
    c->is_given_up = true;
    if (c->tries == 0)
        finish_call(w, place, NULL);
}

static void ask_again(struct sim_world *w, struct sim_call **place)
{
    struct sim_call *c = *place;
    c->process = NULL;
    if (c->to >= 0 || asker_is_gone(c))
        finish_call(w, place, NULL);
    else if (w->now_us >= c->until_us)
        give_up(w, place);
    else
        sim_push(w, earlier(w->now_us + CALL_AGAIN_US, c->until_us),
                 (struct sim_event){.kind = SIM_E_CALL, .a = c->id});
}

/* Whoever resigns while it handles a call never answers it (KafkaController.process catches
   ControllerMovedException, and nobody runs the callback). */
void sim_call_timeout(struct sim_world *w, uint64_t id, uint64_t try)
{
    struct sim_call **place = call_place(w, id);
    if (place != NULL && !(*place)->is_given_up && (*place)->process != NULL &&
        (*place)->tries == try)
        ask_again(w, place);
}

void sim_call_deliver(struct sim_world *w, uint64_t id)
{
    struct sim_call **place = call_place(w, id);
    if (place == NULL || (*place)->is_given_up)
        return;
    struct sim_call *c = *place;
    if (asker_is_gone(c)) {
        finish_call(w, place, NULL);
        return;
    }
    if (w->now_us >= c->until_us) {
        give_up(w, place);
        return;
    }
    int32_t to = c->to >= 0 ? c->to : sim_world_named_controller(w);
    struct sim_process *p = sim_find(w, to);
    if (p == NULL || !p->has_node || p->life == SIM_DOWN || !kn_node_is_running(&p->node)) {
        ask_again(w, place);
        return;
    }
    struct sim_message *m = sim_message_new(w, SIM_M_CALL);
    m->process = c->process = p;
    m->incarnation = c->incarnation = p->incarnation;
    m->call_id = id;
    m->delay_us = w->options.delays.network_us;
    m->bytes = sim_copy(c->call, c->call->size);
    m->m = m->by = c->sent = sim_trace_call(w->trace, SIM_K_SEND, w->now_us, SIM_LANE_OPERATOR,
                                            c->record, 0, sim_process_lane(p), c->call);
    c->tries++;
    sim_push(w, earlier(w->now_us + CALL_TIMEOUT_US, c->until_us),
             (struct sim_event){.kind = SIM_E_CALL, .a = id, .b = c->tries});
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_message(w, NULL, m);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
}

void sim_call_taken_up(struct sim_world *w, const struct sim_message *m)
{
    struct sim_call **place = call_place(w, m->call_id);
    if (place != NULL)
        (*place)->lost_step = m->lost_step;
}

void sim_call_marks(struct sim_world *w, struct sim_message *answer)
{
    struct sim_call **place = call_place(w, answer->call_id);
    if (place == NULL)
        return;
    answer->lost_step = (*place)->lost_step;
    answer->re = (*place)->sent;
    (*place)->lost_step = 0;
}

void sim_call_answered(struct sim_world *w, struct sim_message *m)
{
    struct sim_call **place = call_place(w, m->call_id);
    const struct wire_call *answer = m->bytes;
    if (place != NULL && (*place)->is_given_up) {
        finish_call(w, place, answer);
    } else if (place != NULL) {
        sim_trace_call(w->trace, SIM_K_RECV, w->now_us, SIM_LANE_OPERATOR, m->by, m->m,
                       sim_process_lane(m->process), answer);
        if (answer->error == WIRE_ERROR_NOT_CONTROLLER && (*place)->to < 0)
            ask_again(w, place);
        else
            finish_call(w, place, answer);
        sim_outbox_fire(w, SIM_SIDE_BEFORE);
        sim_outbox_fire(w, SIM_SIDE_AFTER);
        sim_outbox_flush(w);
    }
    sim_message_free(w, m);
}

void sim_calls_lost(struct sim_world *w, const struct sim_process *p)
{
    for (struct sim_call **place = &w->calls; *place != NULL;) {
        struct sim_call *c = *place;
        if (c->process == p && !c->is_given_up)
            ask_again(w, place);
        if (*place == c)
            place = &c->next;
    }
}
