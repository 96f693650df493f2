/*
 * The beginning of a task, with what a checkpoint has of it, and its end.
 */
#include "stream/function_state.h"
#include "stream/metrics.h"
#include "stream/task.h"
#include "stream/valves.h"

/* Another subtask's, while each still has its own. */
static bool is_of_another(const struct section *section, const struct op *op)
{
    return section->parallelism == op->ctx.parallelism && section->subtask != op->ctx.subtask;
}

/* How far the operator was when the checkpoint was taken; at another parallelism, the least of its
 * subtasks. */
static int64_t watermark_in(const struct checkpoint *from, const struct op *op)
{
    st_str uid = st_str_of(op->node->uid);
    int64_t least = ST_TIME_MAX;
    bool any = false;
    for (uint32_t s = 0; s < from->section_count; s++) {
        const struct section *section = &from->sections[s];
        if (st_str_equal(section->uid, uid) && !is_of_another(section, op)) {
            least = section->watermark < least ? section->watermark : least;
            any = true;
        }
    }
    return any ? least : ST_TIME_MIN;
}

/* A channel begins at the beginning of time, as Flink's does after a restore, unless its sender was
 * at the end of time: that is not told again by a task that knew it. */
static void restore_channels(struct task *task, const struct checkpoint *from)
{
    for (uint32_t c = 0; c < task->channel_count; c++) {
        if (watermark_in(from, task->channels[c].from) == ST_TIME_MAX) {
            task->channels[c].watermark = ST_TIME_MAX;
            valve_raise(task, task->channels[c].input);
        }
    }
}

/* As write_op wrote it. */
static void read_section(struct op *op, struct section *section)
{
    op->class->restore(op, section);
    if (op->states != NULL) {
        op->states->class->restore(op->states, section);
    } else if (op->node->kind == NODE_WINDOW && section->state.at < section->state.end) {
        restore_without(op, section, "state of its function");
    }
}

/* What the subtasks of this operator had when the checkpoint was taken. */
static void restore_op(struct op *op, const struct checkpoint *from)
{
    st_str uid = st_str_of(op->node->uid);
    uint32_t dealt = 0;
    op->watermark = watermark_in(from, op);
    op->input_watermark = op->class->own_watermarks ? ST_TIME_MIN : op->watermark;
    for (uint32_t s = 0; s < from->section_count; s++) {
        struct section section = from->sections[s];
        if (!st_str_equal(section.uid, uid)) {
            continue;
        }
        int64_t size = read_i64(&section.state);
        const char *state = size >= 0 ? read_bytes(&section.state, (size_t)size) : NULL;
        struct reader lists = section.state;
        if (state == NULL) {
            restore_fail(op, "its section is damaged");
        }
        section.state = (struct reader){state, state + size, false};
        if (size > 0 && op->class->restore == NULL) {
            restore_without(op, &section, "state of another kind of operator");
        }
        if (op->class->restore != NULL &&
            (op->class->all_sections || !is_of_another(&section, op))) {
            read_section(op, &section);
        }
        operator_state_read(op, &section, &lists, &dealt);
        if (section.state.bad || lists.bad) {
            restore_fail(op, "its section is damaged");
        }
    }
}

/* Of the operator, and then of what the states of its function lie in. */
#define CALL_EACH(op, what)                                                                        \
    for (struct op *each = (op); each != NULL; each = each->states) {                              \
        if (each->class->what != NULL) {                                                           \
            each->class->what(each);                                                               \
        }                                                                                          \
    }

bool task_open(struct task *task)
{
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return false;
    }
    if (task->job->restored != NULL) {
        restore_channels(task, task->job->restored);
    }
    for (uint32_t o = task->op_count; o-- > 0;) {
        struct op *op = task->ops[o];
        op->is_open = true;
        operator_state_open(op);
        CALL_EACH(op, open)
        if (task->job->restored != NULL) {
            restore_op(op, task->job->restored);
        }
        if (op->node->options.initialize_state != NULL) {
            op->node->options.initialize_state(&op->ctx);
        }
        if (op->node->options.open != NULL) {
            op->node->options.open(&op->ctx);
        }
        CALL_EACH(op, ready)
    }
    task->watermark = task->ops[0]->watermark;
    task->is_open = true;
    metrics_show(task);
    return true;
}

static void close_function(struct op *op)
{
    if (op->node->options.close != NULL) {
        op->node->options.close(&op->ctx);
    }
}

static void close_own(struct op *op)
{
    CALL_EACH(op, close)
    operator_state_close(op);
}

/* A close that fails leaves what others have to close to them. */
static void close_part(struct op *op, void (*part)(struct op *op))
{
    op->task->escape = &op->task->failure;
    if (setjmp(op->task->failure) == 0) {
        part(op);
    }
}

void task_close(struct task *task)
{
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->is_open) {
            op->is_open = false;
            close_part(op, close_function);
            close_part(op, close_own);
        }
    }
}
