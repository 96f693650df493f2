/*
 * Records made from their numbers. All subtasks claim numbers of one dealer, see dealer.h: that of
 * subtask 0.
 *
 * A sequence's numbers are not dealt out: subtask i begins with the i-th of as many equal parts as
 * there are subtasks, so that few numbers are work for all of them. Source: Flink
 * NumberSequenceSource, NumberSequenceIterator.split.
 */
#include <stdlib.h>

#include "stream/dealer.h"
#include "stream/sources.h"
#include "stream/task.h"

/* Numbers claimed at a time: enough for claims to cost nothing, and no more than some part of what
 * is left, so that all subtasks come to their ends together. */
#define CLAIM_BATCHES_MAX 8
#define CLAIM_PART        8 /* of what each would get */

struct generator {
    struct op op;
    struct dealer *dealer; /* that of subtask 0 */
    struct dealer own;     /* for others: no more than its count */
    struct hand hand;
    uint32_t dealt; /* while it is restored */
    bool is_restored;
    uint64_t made;
    int64_t began_ms;
};

static struct generator *generator_of(struct op *op)
{
    return (struct generator *)(void *)op;
}

static bool is_first(const struct generator *g)
{
    return g->dealer == &g->own;
}

/* Subtask 0 of the same source. */
static struct generator *first_of(struct op *op)
{
    struct task **tasks = op->task->job->tasks;
    while ((*tasks)->vertex != op->task->vertex || (*tasks)->subtask != 0) {
        tasks++;
    }
    return generator_of((*tasks)->ops[0]);
}

static void generator_open(struct op *op)
{
    struct generator *g = generator_of(op);
    g->began_ms = job_now(op->task->job);
    g->own.count = op->node->in_splits ? 0 : op->node->count;
    g->dealer = &first_of(op)->own;
}

/* Part i of `parts`; the first ones have one number more. */
static struct range split(struct range all, uint64_t i, uint64_t parts)
{
    uint64_t size = (all.to - all.from) / parts, larger = (all.to - all.from) % parts;
    uint64_t from = all.from + i * size + (i < larger ? i : larger);
    return (struct range){from, from + size + (i < larger ? 1 : 0)};
}

static void generator_ready(struct op *op)
{
    struct generator *g = generator_of(op);
    struct range all = {op->node->first, op->node->count};
    struct range own = split(all, op->ctx.subtask, op->ctx.parallelism);
    if (op->node->in_splits && !g->is_restored && own.from < own.to) {
        hand_begin(&g->hand, own);
    }
}

static void generator_close(struct op *op)
{
    struct generator *g = generator_of(op);
    dealer_free(&g->own);
    hand_free(&g->hand);
}

static void generator_snapshot(struct op *op, struct bytes *to)
{
    const struct generator *g = generator_of(op);
    hand_write(&g->hand, is_first(g) ? &g->own : NULL, to);
}

/* What is begun stays with its subtask; at another parallelism it is dealt in turn. */
static void generator_restore(struct op *op, struct section *section)
{
    struct generator *g = generator_of(op);
    uint32_t subtask = op->ctx.subtask, parallelism = op->ctx.parallelism;
    if (section->parallelism == parallelism) {
        parallelism = section->subtask == subtask ? 1 : 0;
        subtask = 0;
    }
    hand_read(&g->hand, is_first(g) ? &g->own : NULL, &section->state,
              op->node->in_splits ? UINT64_MAX : op->node->count, subtask, parallelism, &g->dealt);
    g->is_restored = true;
}

/* How many records are due by now, at the rate that is asked for. If none, it is woken when one is.
 */
static uint64_t due(struct generator *g)
{
    uint64_t rate = g->op.node->options.rate_per_s;
    if (rate == 0) {
        return g->op.task->pace;
    }
    uint64_t in_a_second = (uint64_t)g->op.ctx.parallelism * 1000; /* a record each / rate ms */
    int64_t since = job_now(g->op.task->job) - g->began_ms;
    uint64_t all = (uint64_t)(since > 0 ? since : 0) * rate / in_a_second + 1;
    if (all > g->made) {
        uint64_t more = all - g->made;
        return more < g->op.task->pace ? more : g->op.task->pace;
    }
    g->op.wakeup_ms = g->began_ms + (int64_t)((g->made * in_a_second + rate - 1) / rate);
    return 0;
}

static uint64_t claim_size(const struct generator *g, uint64_t next)
{
    uint64_t left = g->dealer->count > next ? g->dealer->count - next : 0;
    uint64_t batches = left / BATCH_SIZE / CLAIM_PART / g->op.ctx.parallelism;
    batches = batches < CLAIM_BATCHES_MAX ? batches : CLAIM_BATCHES_MAX;
    return (batches > 1 ? batches : 1) * BATCH_SIZE;
}

/* Claims what it is to put out next. With a rate, what is due: so time goes on evenly. */
static bool claim(struct generator *g, uint64_t may)
{
    struct coordinator *c = g->op.task->job->coordinator;
    uint64_t next = dealer_next(g->dealer);
    if (c == NULL || coordinator_next(c, g->op.task->barrier) == 0) {
        hand_know(&g->hand, next);
    }
    return hand_claim(&g->hand, g->dealer,
                      g->op.node->options.rate_per_s != 0 ? may : claim_size(g, next));
}

static bool is_at_end(const struct generator *g)
{
    return g->hand.begun.count == 0 && dealer_next(g->dealer) >= g->dealer->count;
}

static enum st_poll generator_poll(struct op *op)
{
    struct generator *g = generator_of(op);
    bool had_ended = op->watermark == ST_TIME_MAX; /* before it was restored: stays so */
    if (had_ended || is_at_end(g)) {
        return ST_END;
    }
    uint64_t may = due(g);
    if (may == 0) {
        return ST_IDLE;
    }
    if (g->hand.begun.count == 0 && !claim(g, may)) {
        return ST_END;
    }
    struct range *first = hand_first(&g->hand);
    uint64_t left = first->to - first->from;
    uint32_t count = (uint32_t)(left < may ? left : may);
    struct output *output = op_output(op);
    op->node->fn->call.generator(&op->ctx, first->from, output->out.records, count);
    first->from += count;
    g->made += count;
    hand_put_out(&g->hand, first);
    output_push(output, &(struct batch){output->out.records, NULL, count});
    return ST_MORE;
}

const struct op_class op_generator = {
    .size = sizeof(struct generator),
    .open = generator_open,
    .ready = generator_ready,
    .close = generator_close,
    .snapshot = generator_snapshot,
    .restore = generator_restore,
    .all_sections = true,
    .poll = generator_poll,
    .wake = source_wake,
};

/* ----------------------------------------------------------------------------------- Sequences */

uint64_t sequence_place(int64_t number)
{
    return (uint64_t)number + (uint64_t)INT64_MAX;
}

static void numbers_at(st_context *ctx, uint64_t first, void *out, uint32_t count)
{
    int64_t *numbers = out;
    (void)ctx;
    for (uint32_t k = 0; k < count; k++) {
        numbers[k] = (int64_t)(first + k - (uint64_t)INT64_MAX);
    }
}

const st_function sequence_function = {.name = "sequence",
                                       .out = &st_type_int64_t,
                                       .kind = ST_FN_GENERATOR,
                                       .call.generator = numbers_at};
