/*
 * Signals that cancel a job, see signals.h.
 */
#include "stream/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream/graph.h"

#define THE_END 0 /* in the pipe, where numbers of signals come */

static const int wanted[] = {SIGINT, SIGTERM};
#define WANTED (sizeof wanted / sizeof wanted[0])

struct signals {
    void (*cancel)(void *context);
    void *context;
    pthread_t thread;
    int came;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards that somebody has them */
static bool is_taken;
static int ends[2] = {-1, -1}; /* the pipe, made once */
static _Atomic int is_ours[WANTED];

static void to_default(size_t s)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigaction(wanted[s], &usual, NULL);
    is_ours[s] = 0;
}

static void put(int number)
{
    unsigned char byte = (unsigned char)number;
    while (write(ends[1], &byte, 1) < 0 && errno == EINTR) {
    }
}

/* The next signal ends the process. */
static void on_signal(int number)
{
    int err = errno;
    for (size_t s = 0; s < WANTED; s++) {
        if (is_ours[s] != 0) {
            to_default(s);
        }
    }
    put(number);
    errno = err;
}

static void *wait_main(void *arg)
{
    struct signals *s = arg;
    unsigned char byte = THE_END;
    while (read(ends[0], &byte, 1) == 1 ? byte != THE_END : errno == EINTR) {
        s->came = byte;
        s->cancel(s->context);
    }
    return NULL;
}

/* Those at which nothing but the usual was to happen. Returns whether there are any. */
static bool take_free_ones(void)
{
    struct sigaction was, ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    bool any = false;
    for (size_t s = 0; s < WANTED; s++) {
        if (sigaction(wanted[s], NULL, &was) == 0 && (was.sa_flags & SA_SIGINFO) == 0 &&
            was.sa_handler == SIG_DFL) {
            is_ours[s] = 1;
            any |= sigaction(wanted[s], &ours, NULL) == 0;
        }
    }
    return any;
}

static void give_back_all(void)
{
    for (size_t s = 0; s < WANTED; s++) {
        if (is_ours[s] != 0) {
            to_default(s);
        }
    }
}

struct signals *signals_take(void (*cancel)(void *context), void *context)
{
    struct signals *s = must_calloc(1, sizeof *s);
    *s = (struct signals){.cancel = cancel, .context = context};
    pthread_mutex_lock(&lock);
    bool has_pipe = ends[0] >= 0 || pipe2(ends, O_CLOEXEC) == 0;
    bool ok = !is_taken && has_pipe && pthread_create(&s->thread, NULL, wait_main, s) == 0;
    if (ok && !take_free_ones()) {
        put(THE_END);
        pthread_join(s->thread, NULL);
        ok = false;
    }
    is_taken |= ok;
    pthread_mutex_unlock(&lock);
    if (!ok) {
        free(s);
    }
    return ok ? s : NULL;
}

int signals_give_back(struct signals *s)
{
    if (s == NULL) {
        return 0;
    }
    give_back_all();
    put(THE_END);
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&lock);
    is_taken = false;
    pthread_mutex_unlock(&lock);
    int came = s->came;
    free(s);
    return came;
}
