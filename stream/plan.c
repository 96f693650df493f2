/*
 * From the graph to tasks: parallelism, chains, rings; and the graph as text, DOT and JSON.
 *
 * A node runs in the task of the node it reads if it reads just that one, both have the same
 * parallelism, nobody forbids it, and no record has to change its subtask: the edge is a forward
 * one, or both sides are one subtask (by key from one to one is no exchange, which saves the ring).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/function_state.h"
#include "stream/sources.h"
#include "stream/status.h"
#include "stream/task.h"

/* Precedence: operator, environment, client, system. Timestamps are assigned where the records come
 * from: dealt out in turn, they would be more out of order than their source has them.
 * Source: Flink DataStream.assignTimestampsAndWatermarks. */
static uint32_t parallelism_of(const st_env *env, const struct node *node)
{
    if (node->kind == NODE_TIMESTAMPS) {
        return env->nodes[node->inputs->from]->parallelism;
    }
    if (!node_is_parallel(node)) {
        return 1;
    }
    return node->options.parallelism != 0 ? node->options.parallelism
           : env->parallelism != 0        ? env->parallelism
           : env->parallelism_client != 0 ? env->parallelism_client
                                          : env->parallelism_default;
}

static bool may_chain(const st_env *env, const struct node *node)
{
    const struct edge *edge = node->inputs;
    if (edge == NULL || edge->next != NULL || !env->chaining) {
        return false;
    }
    const struct node *from = env->nodes[edge->from];
    if (strcmp(from->group, node->group) != 0 || from->parallelism != node->parallelism ||
        node->options.chaining != ST_CHAIN_ALWAYS || from->options.chaining == ST_CHAIN_NEVER) {
        return false;
    }
    return edge->partitioning == ST_PART_FORWARD ||
           (node->parallelism == 1 &&
            (edge->partitioning == ST_PART_HASH || edge->partitioning == ST_PART_GLOBAL));
}

/* Source: Flink StreamGraphGenerator.determineSlotSharingGroup. */
static const char *group_of(const st_env *env, const struct node *node)
{
    if (node->options.slot_sharing_group != NULL) {
        return node->options.slot_sharing_group;
    }
    const char *group = NULL;
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        const char *other = env->nodes[e->from]->group;
        if (group != NULL && strcmp(group, other) != 0) {
            return "default";
        }
        group = other;
    }
    return group != NULL ? group : "default";
}

/* The greatest parallelism before a node in its slot sharing group. */
static uint32_t greatest_before(const st_env *env, uint32_t node)
{
    uint32_t most = 0;
    for (uint32_t n = 0; n < node; n++) {
        bool shares = strcmp(env->nodes[n]->group, env->nodes[node]->group) == 0;
        most = shares && env->nodes[n]->parallelism > most ? env->nodes[n]->parallelism : most;
    }
    return most;
}

uint32_t plan_slots(const st_env *env)
{
    uint32_t slots = 0;
    for (uint32_t n = 0; n < env->node_count; n++) {
        uint32_t before = greatest_before(env, n), takes = env->nodes[n]->parallelism;
        slots += takes > before ? takes - before : 0;
    }
    return slots;
}

void plan_nodes(st_env *env)
{
    for (uint32_t n = 0; n < env->node_count; n++) {
        struct node *node = env->nodes[n];
        node->parallelism = parallelism_of(env, node);
        if (node->parallelism > env->max_parallelism && node->keyed) {
            env_mistake(env, node->options.file, node->options.line,
                        "parallelism %u of %s is above the %u key groups; "
                        "set pipeline.max-parallelism",
                        node->parallelism, node->name, env->max_parallelism);
        }
        for (struct edge *e = node->inputs; e != NULL; e = e->next) {
            bool same = env->nodes[e->from]->parallelism == node->parallelism;
            if (e->partitioning == ST_PART_FORWARD && !same) {
                env_mistake(env, node->options.file, node->options.line,
                            "st_forward from parallelism %u to %u",
                            env->nodes[e->from]->parallelism, node->parallelism);
            }
            if (e->partitioning == ST_PART_DEFAULT) {
                e->partitioning = same ? ST_PART_FORWARD : ST_PART_REBALANCE;
            }
        }
        node->group = group_of(env, node);
        node->chained = may_chain(env, node);
        for (uint32_t before = 0; before < n; before++) {
            if (strcmp(env->nodes[before]->uid, node->uid) == 0) {
                env_mistake(env, node->options.file, node->options.line,
                            "uid %s is that of another operator already (%s:%d)", node->uid,
                            env->nodes[before]->options.file, env->nodes[before]->options.line);
            }
        }
    }
}

/* --------------------------------------------------------------------------------------- Tasks */

/* The tasks of a vertex (a chain) are a row of the job's array. */
struct vertex {
    uint32_t first_task, parallelism, op_count;
    const char *group;
};

struct planner {
    st_env *env;
    struct job *job;
    uint32_t *vertex_of; /* [node] */
    uint32_t *op_of;     /* [node] place in its chain */
    struct vertex *vertices;
};

static struct task *task_of(const struct planner *p, uint32_t node, uint32_t subtask)
{
    return p->job->tasks[p->vertices[p->vertex_of[node]].first_task + subtask];
}

static struct op *op_of(const struct planner *p, uint32_t node, uint32_t subtask)
{
    return task_of(p, node, subtask)->ops[p->op_of[node]];
}

static void assign_vertices(struct planner *p)
{
    uint32_t vertices = 0, tasks = 0;
    for (uint32_t n = 0; n < p->env->node_count; n++) {
        const struct node *node = p->env->nodes[n];
        if (node->chained) {
            p->vertex_of[n] = p->vertex_of[node->inputs->from];
        } else {
            p->vertex_of[n] = vertices;
            p->vertices[vertices++] = (struct vertex){tasks, node->parallelism, 0, node->group};
            tasks += node->parallelism;
        }
        p->op_of[n] = p->vertices[p->vertex_of[n]].op_count++;
    }
    p->job->task_count = tasks;
    p->job->tasks = must_calloc(tasks, sizeof(struct task *));
    for (uint32_t v = 0; v < vertices; v++) {
        for (uint32_t s = 0; s < p->vertices[v].parallelism; s++) {
            struct task *task = calloc_apart(sizeof *task);
            task->job = p->job;
            task->vertex = v;
            task->subtask = s;
            task->op_count = p->vertices[v].op_count;
            task->ops = must_calloc(task->op_count, sizeof(struct op *));
            task->watermark = ST_TIME_MIN;
            task->valves[0].watermark = task->valves[1].watermark = ST_TIME_MIN;
            p->job->tasks[p->vertices[v].first_task + s] = task;
        }
    }
}

static struct slot *slot_of(struct job *job, const char *group, uint32_t index)
{
    for (uint32_t s = 0; s < job->slot_count; s++) {
        if (job->slots[s]->index == index && strcmp(job->slots[s]->group, group) == 0) {
            return job->slots[s];
        }
    }
    struct slot *slot = calloc_apart(sizeof *slot);
    slot->job = job;
    slot->group = group;
    slot->index = index;
    slot->tasks = must_calloc(job->task_count, sizeof(struct task *));
    pthread_mutex_init(&slot->lock, NULL);
    pthread_cond_init(&slot->wake, NULL);
    return job->slots[job->slot_count++] = slot;
}

static void assign_slots(struct planner *p)
{
    struct job *job = p->job;
    job->slots = must_calloc(job->task_count, sizeof(struct slot *));
    for (uint32_t t = 0; t < job->task_count; t++) {
        struct task *task = job->tasks[t];
        struct slot *slot = slot_of(job, p->vertices[task->vertex].group, task->subtask);
        task->slot = slot;
        slot->tasks[slot->task_count++] = task;
    }
}

static void output_init(struct output *output, struct op *op, const st_tag *tag,
                        const st_type *type)
{
    output->op = op;
    output->tag = tag;
    if (type != NULL) {
        output->out.record_size = type->size;
        output->out.capacity = BATCH_SIZE;
        output->out.timed = true;
        output->out.records = calloc_apart((size_t)BATCH_SIZE * type->size);
        output->out.times = calloc_apart(BATCH_SIZE * sizeof(int64_t));
        output->out.time = ST_TIME_MIN;
    }
}

/* The output of an operator for a tag, made if it is the first time. */
static struct output *output_for(struct op *op, const st_tag *tag)
{
    for (uint32_t o = 0; o < op->output_count; o++) {
        if (op->outputs[o].tag == tag) {
            return &op->outputs[o];
        }
    }
    struct output *outputs = calloc_apart((op->output_count + 1) * sizeof *outputs);
    memcpy(outputs, op->outputs, op->output_count * sizeof *outputs);
    free(op->outputs);
    op->outputs = outputs;
    output_init(&outputs[op->output_count], op, tag, tag->type);
    return &outputs[op->output_count++];
}

static void make_op(const struct planner *p, const struct node *node, uint32_t subtask)
{
    const struct op_class *class = op_class_of(node);
    struct op *op = calloc_apart(class->size);
    op->class = class;
    op->node = node;
    op->task = task_of(p, node->index, subtask);
    op->watermark = op->input_watermark = ST_TIME_MIN;
    op->wakeup_ms = ST_TIME_MAX;
    op->ctx.subtask = subtask;
    op->ctx.parallelism = node->parallelism;
    op->ctx.arg = node->options.arg;
    if (node->options.self_size > 0) {
        op->ctx.self = calloc_apart(node->options.self_size);
    }
    op->states =
        node->kind == NODE_WINDOW && node->options.states != NULL ? function_state_new(op) : NULL;
    op->outputs = calloc_apart(sizeof *op->outputs);
    op->output_count = 1;
    output_init(&op->outputs[0], op, NULL, node->out);
    op->task->ops[p->op_of[node->index]] = op;
}

static void add_target(struct output *output, struct target target)
{
    struct target *targets = must_calloc(output->target_count + 1, sizeof *targets);
    if (output->target_count > 0) {
        memcpy(targets, output->targets, output->target_count * sizeof *targets);
    }
    free(output->targets);
    output->targets = targets;
    targets[output->target_count++] = target;
}

static void add_channel(struct task *task, struct ring *ring, const struct op *from, uint32_t input)
{
    struct channel *channels = calloc_apart((task->channel_count + 1) * sizeof *channels);
    if (task->channel_count > 0) {
        memcpy(channels, task->channels, task->channel_count * sizeof *channels);
    }
    free(task->channels);
    task->channels = channels;
    channels[task->channel_count++] = (struct channel){.ring = ring,
                                                       .sender = from->task,
                                                       .from = from,
                                                       .input = input,
                                                       .watermark = ST_TIME_MIN,
                                                       .aligned = true};
    task->next_channel = task->channel_count - 1;
}

/* Into the circle of those that others fill. */
static void add_into(struct slot *slot, struct ring *ring)
{
    ring->next_into = slot->into != NULL ? slot->into->next_into : ring;
    if (slot->into != NULL) {
        slot->into->next_into = ring;
    }
    slot->into = ring;
}

static struct ring *make_ring(struct job *job, const st_type *type, size_t round_size,
                              bool is_one_of_many)
{
    if (job->ring_count == job->ring_capacity) {
        job->rings =
            must_grow(job->rings, sizeof *job->rings, job->ring_count, &job->ring_capacity, 8);
    }
    struct ring *ring = calloc_apart(sizeof *ring);
    ring_init(ring, type, round_size, is_one_of_many);
    return job->rings[job->ring_count++] = ring;
}

/* Does subtask `from` of `m` send to subtask `to` of `n` on this edge? */
static bool is_connected(enum st_partitioning partitioning, uint32_t from, uint32_t m, uint32_t to,
                         uint32_t n)
{
    if (partitioning == ST_PART_FORWARD) {
        return from == to;
    }
    if (partitioning == ST_PART_RESCALE) {
        return m <= n ? to * m / n == from : to * m / n <= from && from < (to + 1) * m / n;
    }
    return true;
}

/* May records of this edge that stay on a thread be handed on by call? Not where tasks are asked to
 * be apart, and not to one that reads two inputs in an order of its own. */
static bool may_hand_over(const st_env *env, const struct node *node, const struct edge *edge)
{
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        if (e->input != 0) {
            return false;
        }
    }
    return edge->partitioning == ST_PART_HASH && env->chaining &&
           node->options.chaining == ST_CHAIN_ALWAYS &&
           env->nodes[edge->from]->options.chaining != ST_CHAIN_NEVER;
}

static void connect_edge(const struct planner *p, const struct node *node, const struct edge *edge)
{
    uint32_t m = p->env->nodes[edge->from]->parallelism, n = node->parallelism;
    for (uint32_t from = 0; from < m; from++) {
        struct op *sender = op_of(p, edge->from, from);
        struct output *output = output_for(sender, edge->tag);
        const st_type *type = edge->tag != NULL ? edge->tag->type : p->env->nodes[edge->from]->out;
        if (node->chained) {
            add_target(output,
                       (struct target){.op = op_of(p, node->index, from), .input = edge->input});
            continue;
        }
        uint32_t count = 0;
        for (uint32_t to = 0; to < n; to++) {
            count += is_connected(edge->partitioning, from, m, to, n);
        }
        struct writer *writer = writer_new(sender->task, edge, count);
        const uint32_t others = count > 1 ? count - 1 : 1;
        const bool many = (uint64_t)m * count > RINGS_FEW;
        bool by_call = may_hand_over(p->env, node, edge);
        count = 0;
        for (uint32_t to = 0; to < n; to++) {
            if (is_connected(edge->partitioning, from, m, to, n)) {
                struct task *receiver = task_of(p, node->index, to);
                size_t size = receiver->slot == sender->task->slot ? 0 : RING_ROUND_SIZE / others;
                writer->rings[count] = make_ring(p->job, type, size, many);
                writer->receivers[count] = receiver;
                add_channel(receiver, writer->rings[count], sender, edge->input);
                if (receiver->slot != sender->task->slot) {
                    add_into(receiver->slot, writer->rings[count]);
                }
                if (by_call && receiver->slot == sender->task->slot) {
                    writer_set_own(writer, count, receiver->channel_count - 1);
                }
                count++;
            }
        }
        struct task *task = sender->task;
        struct writer **writers = must_calloc(task->writer_count + 1, sizeof(struct writer *));
        if (task->writer_count > 0) {
            memcpy(writers, task->writers, task->writer_count * sizeof(struct writer *));
        }
        free(task->writers);
        task->writers = writers;
        writers[task->writer_count++] = writer;
        add_target(output, (struct target){.writer = writer});
    }
}

struct job *job_new(st_env *env)
{
    struct planner p = {.env = env, .job = must_calloc(1, sizeof(struct job))};
    uint32_t nodes = env->node_count > 0 ? env->node_count : 1;
    p.job->env = env;
    p.job->in_steps = env->in_steps;
    p.job->clock.is_virtual = env->in_steps;
    pthread_mutex_init(&p.job->lock, NULL);
    pthread_cond_init(&p.job->changed, NULL);
    p.vertex_of = must_calloc(nodes, sizeof *p.vertex_of);
    p.op_of = must_calloc(nodes, sizeof *p.op_of);
    p.vertices = must_calloc(nodes, sizeof *p.vertices);
    assign_vertices(&p);
    assign_slots(&p);
    for (uint32_t n = 0; n < env->node_count; n++) {
        for (uint32_t s = 0; s < env->nodes[n]->parallelism; s++) {
            make_op(&p, env->nodes[n], s);
        }
        for (const struct edge *e = env->nodes[n]->inputs; e != NULL; e = e->next) {
            connect_edge(&p, env->nodes[n], e);
        }
    }
    free(p.vertex_of);
    free(p.op_of);
    free(p.vertices);
    return p.job;
}

static void op_free(struct op *op)
{
    for (uint32_t o = 0; o < op->output_count; o++) {
        free(op->outputs[o].out.records);
        free(op->outputs[o].out.times);
        free(op->outputs[o].targets);
    }
    free(op->outputs);
    free(op->states);
    free(op->ctx.self);
    free(op);
}

static void task_free(struct task *task)
{
    for (uint32_t o = 0; o < task->op_count; o++) {
        op_free(task->ops[o]);
    }
    for (uint32_t w = 0; w < task->writer_count; w++) {
        writer_free(task->writers[w]);
    }
    frozen_free_all(&task->frozen);
    memory_pool_free(&task->memory);
    arena_free(&task->arena);
    free(task->writers);
    free(task->channels);
    free(task->ops);
    free(task);
}

void job_free(struct job *job)
{
    coordinator_free(job->coordinator);
    poller_free(job->poller);
    for (uint32_t t = 0; t < job->task_count; t++) {
        task_free(job->tasks[t]);
    }
    for (uint32_t s = 0; s < job->slot_count; s++) {
        slot_free(job->slots[s]);
    }
    for (uint32_t r = 0; r < job->ring_count; r++) {
        ring_free(job->rings[r]);
        free(job->rings[r]);
    }
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
    free(job->slots);
    free(job->rings);
    free(job->tasks);
    free(job);
}

/* ------------------------------------------------------------------------------------ Pictures */

static const char *const partitioning_names[ST_PART_END] = {
    [ST_PART_DEFAULT] = "DEFAULT", [ST_PART_FORWARD] = "FORWARD",
    [ST_PART_HASH] = "HASH",       [ST_PART_REBALANCE] = "REBALANCE",
    [ST_PART_RESCALE] = "RESCALE", [ST_PART_BROADCAST] = "BROADCAST",
    [ST_PART_SHUFFLE] = "SHUFFLE", [ST_PART_GLOBAL] = "GLOBAL",
};

static void print_text(FILE *to, const struct node *node)
{
    fprintf(to, "%u: %s, parallelism %u%s", node->index + 1, node->name, node->parallelism,
            node->chained ? ", chained" : "");
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        fprintf(to, "%s %u%s%s (%s)", e == node->inputs ? " <-" : ",", e->from + 1,
                e->tag != NULL ? " " : "", e->tag != NULL ? e->tag->name : "",
                partitioning_names[e->partitioning]);
    }
    fputc('\n', to);
}

/* Within the quotes of a label; of control characters DOT can escape only the end of a line. */
static void print_dot_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n') {
            fputc('\\', to);
        }
        fputc(*text == '\n' ? 'n' : *text, to);
    }
}

static void print_dot(FILE *to, const struct node *node)
{
    fprintf(to, "  n%u [label=\"", node->index + 1);
    print_dot_text(node->name, to);
    fprintf(to, "\", xlabel=\"%u\"];\n", node->parallelism);
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        fprintf(to, "  n%u -> n%u [label=\"", e->from + 1, node->index + 1);
        if (e->tag != NULL) {
            print_dot_text(e->tag->name, to);
            fputc(' ', to);
        }
        fprintf(to, "%s\"%s];\n", partitioning_names[e->partitioning],
                node->chained ? ", penwidth=3" : "");
    }
}

static void print_json(FILE *to, const struct node *node)
{
    fprintf(to, "%s\n  {\"id\": %u, \"name\": ", node->index > 0 ? "," : "", node->index + 1);
    status_write_quoted(node->name, to);
    fprintf(to, ", \"parallelism\": %u, \"chained\": %s, \"inputs\": [", node->parallelism,
            node->chained ? "true" : "false");
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        fprintf(to, "%s{\"id\": %u, \"ship_strategy\": \"%s\"", e == node->inputs ? "" : ", ",
                e->from + 1, partitioning_names[e->partitioning]);
        if (e->tag != NULL) {
            fputs(", \"side_output\": ", to);
            status_write_quoted(e->tag->name, to);
        }
        fputc('}', to);
    }
    fputs("]}", to);
}

char *st_env_plan(st_env *env, const char *format)
{
    static const struct {
        const char *format, *head, *tail;
        void (*print)(FILE *to, const struct node *node);
    } forms[] = {{"text", "", "", print_text},
                 {"dot", "digraph job {\n  rankdir=LR; node [shape=box];\n", "}\n", print_dot},
                 {"json", "{\"nodes\": [", "\n]}\n", print_json}};
    char *text = NULL;
    size_t size = 0, f = 0;
    while (f < 3 && strcmp(forms[f].format, format) != 0) {
        f++;
    }
    if (f == 3) {
        env_mistake(env, NULL, 0, "a plan is text, dot or json, not \"%s\"", format);
        return NULL;
    }
    if (env->errors == NULL) {
        plan_nodes(env);
    }
    FILE *to = env->errors == NULL ? open_memstream(&text, &size) : NULL;
    if (to == NULL) {
        return NULL;
    }
    fputs(forms[f].head, to);
    for (uint32_t n = 0; n < env->node_count; n++) {
        forms[f].print(to, env->nodes[n]);
    }
    fputs(forms[f].tail, to);
    fclose(to);
    return text;
}
