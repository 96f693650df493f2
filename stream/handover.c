/*
 * Handing on by call: what a task sends by key to a subtask that its own thread runs.
 *
 *     slot 0:  source 0 ──call──► sum 0          half of the records at parallelism 2, a third at
 *                   ╲  ╱ rings                   3 …; they are copied once, into a batch, and
 *                   ╱  ╲                         neither packed nor published nor waited for
 *     slot 1:  source 1 ──call──► sum 1
 *
 * The channel between the two has a ring as all others have, and the ring comes first: a call is
 * made only while nothing is in it, so nothing overtakes anything. Barriers and the end always go
 * through the ring, where alignment finds them; until they have been read, so does all that is
 * behind them. A receiver that is being aligned, that is being run, that reads its inputs in turn,
 * or that has no room for what it puts out, is not called: its ring fills up, and that is
 * back-pressure as ever.
 *
 * A call runs the receiver within a step of the sender. A sender whose receiver waits for room is
 * held up with it, and is no more to be run than that (task->in_step). Why this ends: of all tasks
 * that wait, the one farthest downstream waits for one farther downstream, which is not held up in
 * a call, for then a task still farther downstream would wait (see slot.c).
 */
#include "stream/task.h"

bool handover_is_open(const struct writer *w)
{
    struct task *receiver = w->receivers[w->own];
    const struct channel *channel = &receiver->channels[w->own_channel];
    return receiver->is_open && !receiver->in_step && !receiver->in_turn && !channel->blocked &&
           !channel->ended && ring_is_clear(w->rings[w->own]) && task_has_room(receiver);
}

/* Either of the two, in the receiver's name. */
static void call(struct writer *w, const struct batch *batch, const struct mark *mark)
{
    struct task *receiver = w->receivers[w->own];
    struct channel *channel = &receiver->channels[w->own_channel];
    receiver->in_step = true;
    task_show_state(w->task, TASK_FULL);
    task_show_state(receiver, TASK_BUSY);
    receiver->escape = w->task->escape;
    if (batch != NULL) {
        op_batch(receiver->ops[0], channel->input, batch);
    } else {
        task_take_mark(receiver, channel, mark);
    }
    task_end_step(receiver);
    receiver->in_step = false;
    task_show_state(receiver, TASK_IDLE);
    task_show_state(w->task, TASK_BUSY);
}

void handover_batch(struct writer *w, const struct batch *batch)
{
    call(w, batch, NULL);
}

void handover_mark(struct writer *w, enum mark_kind kind, int64_t value)
{
    call(w, NULL, &(struct mark){kind, 0, value});
}
