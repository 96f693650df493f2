/*
 * Keyed state of functions that windows call, see function_state.h.
 */
#include "stream/function_state.h"
#include "stream/op_process.h"

struct op *function_state_new(const struct op *op)
{
    struct op *states = calloc_apart(op_process.size);
    states->class = &op_process;
    states->node = op->node;
    states->task = op->task;
    states->wakeup_ms = ST_TIME_MAX;
    states->ctx.subtask = op->ctx.subtask;
    states->ctx.parallelism = op->ctx.parallelism;
    return states;
}

void function_state_enter(struct op *op)
{
    struct process *p = process_of(op->states);
    struct key_reader reader = p->readers[0]; /* of a key that has been taken out */
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    bool is_new;
    memcpy(reader.from, reader.to, sizeof reader.to);
    if (rows_are_full(&p->rows)) {
        op_flush(op); /* what was put out may view rows */
    }
    if (p->rows.op != NULL) {
        rows_load(&p->rows, &reader, op->key, reader.layout.size, 1);
    }
    key_read(&reader, op->key, key);
    p->row = table_find_or_insert_key(&p->table, key, &is_new);
    p->op.key = table_row(&p->table, p->row);
}

void function_state_leave(struct op *op)
{
    struct process *p = process_of(op->states);
    p->op.key = NULL;
    if (row_is_empty(p)) {
        op_flush(op); /* likewise */
        table_remove(&p->table, p->row);
    }
}

void function_state_sweep(struct op *op, uint32_t count)
{
    struct process *p = process_of(op->states);
    if (p->has_ttl) {
        p->now_ms = job_now(op->task->job);
        keyed_state_sweep(p, count * SWEPT_FOR_A_RECORD);
    }
}
