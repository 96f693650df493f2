/*
 * Sources that wait for the world, without holding up their slot.
 *
 *     source, idle ──► source_await(fd) ──► poller: a thread of the job that sleeps in epoll
 *       ▲                                      │ readable
 *       └──── slot wakes, polls it again ◄─────┘ task->woken, task_wake
 *
 * A source never blocks: it says when it wants to be asked again (a time, a descriptor, a call of
 * st_wake by another thread) and returns ST_IDLE; the slot runs its other tasks, takes part in
 * checkpoints, and sleeps if there is nothing to do. `woken` is set before the slot is woken and
 * looked at by the slot before it sleeps, so no waking is lost. A waking without need is harmless.
 *
 * The thread is begun by the first source that asks. In steps there is none: there all sources are
 * polled each turn.
 */
#include "stream/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct poller {
    int epoll, stop; /* descriptors; `stop`, readable, ends the thread */
    pthread_t thread;
};

static void *poller_main(void *arg)
{
    const struct poller *poller = arg;
    for (;;) {
        struct epoll_event events[16];
        int count = epoll_wait(poller->epoll, events, 16, -1);
        if (count < 0 && errno != EINTR) {
            return NULL;
        }
        for (int e = 0; e < count; e++) {
            struct task *task = events[e].data.ptr;
            if (task == NULL) {
                return NULL;
            }
            atomic_store(&task->woken, 1);
            task_wake(task);
        }
    }
}

static void poller_close(struct poller *poller)
{
    if (poller->epoll >= 0) {
        close(poller->epoll);
    }
    if (poller->stop >= 0) {
        close(poller->stop);
    }
    free(poller);
}

/* NULL with errno set: the system has no more of something. */
static struct poller *poller_new(void)
{
    struct poller *poller = must_calloc(1, sizeof *poller);
    struct epoll_event stop = {.events = EPOLLIN};
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    poller->stop = eventfd(0, EFD_CLOEXEC);
    if (poller->epoll < 0 || poller->stop < 0 ||
        epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->stop, &stop) != 0) {
        poller_close(poller);
        return NULL;
    }
    int err = pthread_create(&poller->thread, NULL, poller_main, poller);
    if (err != 0) {
        poller_close(poller);
        errno = err;
        return NULL;
    }
    return poller;
}

void poller_free(struct poller *poller)
{
    if (poller != NULL) {
        const uint64_t one = 1;
        if (write(poller->stop, &one, sizeof one) == (ssize_t)sizeof one) {
            pthread_join(poller->thread, NULL);
        }
        poller_close(poller);
    }
}

/* That of the job, made if need be. */
static struct poller *poller_of(struct op *op)
{
    struct job *job = op->task->job;
    pthread_mutex_lock(&job->lock);
    if (job->poller == NULL) {
        job->poller = poller_new();
    }
    struct poller *poller = job->poller;
    pthread_mutex_unlock(&job->lock);
    if (poller == NULL) {
        task_fail(op->task, "cannot wait for descriptors: %s", strerror(errno));
    }
    return poller;
}

void source_await(struct op *op, int fd, bool writable)
{
    if (op->task->job->in_steps) {
        return;
    }
    struct poller *poller = poller_of(op);
    struct epoll_event event = {.events = (writable ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
                                .data.ptr = op->task};
    if (epoll_ctl(poller->epoll, EPOLL_CTL_MOD, fd, &event) != 0 &&
        (errno != ENOENT || epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) != 0)) {
        task_fail(op->task, "cannot wait for descriptor %d: %s", fd, strerror(errno));
    }
}

bool source_woken(struct op *op)
{
    struct task *task = op->task;
    return task->job->in_steps || (atomic_load_explicit(&task->woken, memory_order_relaxed) != 0 &&
                                   atomic_exchange(&task->woken, 0) != 0);
}

void source_wake(struct op *op, int64_t now_ms)
{
    (void)op, (void)now_ms;
}

/* ------------------------------------------------------------------------- Sources of the user's
 */

static enum st_poll source_poll(struct op *op)
{
    (void)source_woken(op);
    op->outputs[0].out.time = ST_TIME_MIN;
    op->poll_ms = 0;
    return op->node->fn->call.source(&op->ctx, &op->outputs[0].out);
}

void st_poll_at(st_context *ctx, int64_t time_ms)
{
    ((struct op *)(void *)ctx)->poll_ms = time_ms;
}

void st_poll_fd(st_context *ctx, int fd)
{
    struct op *op = (struct op *)(void *)ctx;
    source_await(op, fd, false);
    if (op->poll_ms == 0 && !op->task->job->in_steps) {
        op->poll_ms = ST_TIME_MAX;
    }
}

st_waker *st_waker_of(st_context *ctx)
{
    return (st_waker *)(void *)((struct op *)(void *)ctx)->task;
}

void st_wake(st_waker *waker)
{
    struct task *task = (struct task *)(void *)waker;
    atomic_store(&task->woken, 1);
    task_wake(task);
}

const struct op_class op_source = {.size = sizeof(struct op), .poll = source_poll};
