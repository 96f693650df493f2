/*
 * Looking at a running job, see monitor.h.
 */
#include "stream/monitor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stream/metrics.h"
#include "stream/task.h"

#define LOOK_MS   10
#define SECONDS   5
#define KEPT      (SECONDS + 1) /* rates are differences to what was before */
#define SECOND_MS 1000
#define SECOND_NS 1000000000L
#define LOOK_NS   (LOOK_MS * 1000000L)

/* What a second saw, and the counters at its end. */
struct second {
    int64_t end_ms;
    uint32_t looks;
    uint32_t *busy, *full;   /* [task_count] looks */
    uint64_t *in, *out;      /* [op_count] records since the job began */
    struct traffic *traffic; /* [task_count] likewise */
};

struct monitor {
    void (*each_second)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool ends;
    struct job *job; /* NULL: none runs just now */
    uint32_t task_count, op_count;
    struct second seconds[KEPT]; /* a ring; the one at `at` is not over yet */
    uint32_t at, over_count;     /* over_count: seconds that are, at most SECONDS */
};

static int64_t now_ms(void)
{
    return monotonic_ns() / 1000000;
}

/* ------------------------------------------------------------------------------------- Looking */

static void look(struct monitor *m)
{
    struct second *s = &m->seconds[m->at];
    s->looks++;
    for (uint32_t t = 0; t < m->task_count; t++) {
        switch (
            (enum task_state)atomic_load_explicit(&m->job->tasks[t]->state, memory_order_relaxed)) {
        case TASK_IDLE:
            break;
        case TASK_BUSY:
            s->busy[t]++;
            break;
        case TASK_FULL:
            s->full[t]++;
            break;
        }
    }
}

static void note_counters(const struct monitor *m, struct second *s)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < m->task_count; t++) {
        const struct task *task = m->job->tasks[t];
        s->traffic[t] = metrics_traffic(task);
        for (uint32_t o = 0; o < task->op_count; o++, n++) {
            s->in[n] = atomic_load_explicit(&task->ops[o]->shown_in, memory_order_relaxed);
            s->out[n] = atomic_load_explicit(&task->ops[o]->shown_out, memory_order_relaxed);
        }
    }
    s->end_ms = now_ms();
}

static void begin_second(struct monitor *m)
{
    struct second *s = &m->seconds[m->at];
    s->looks = 0;
    memset(s->busy, 0, m->task_count * sizeof *s->busy);
    memset(s->full, 0, m->task_count * sizeof *s->full);
}

/* Ends the second at hand, if it is over. Returns whether it was. */
static bool end_second(struct monitor *m)
{
    const struct second *last = &m->seconds[(m->at + KEPT - 1) % KEPT];
    if (now_ms() - last->end_ms < SECOND_MS) {
        return false;
    }
    note_counters(m, &m->seconds[m->at]);
    m->over_count = m->over_count < SECONDS ? m->over_count + 1 : SECONDS;
    m->at = (m->at + 1) % KEPT;
    begin_second(m);
    return true;
}

static void *monitor_main(void *arg)
{
    struct monitor *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->ends) {
        bool over = false;
        if (m->job != NULL) {
            look(m);
            over = end_second(m);
        }
        if (over && m->each_second != NULL) {
            pthread_mutex_unlock(&m->lock);
            m->each_second(m->context);
            pthread_mutex_lock(&m->lock);
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= SECOND_NS) {
            until.tv_nsec -= SECOND_NS;
            until.tv_sec++;
        }
        while (!m->ends && pthread_cond_timedwait(&m->wake, &m->lock, &until) == 0) {
        }
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* --------------------------------------------------------------------------- Begin and the end */

static void free_seconds(struct monitor *m)
{
    for (uint32_t s = 0; s < KEPT; s++) {
        free(m->seconds[s].busy);
        free(m->seconds[s].full);
        free(m->seconds[s].in);
        free(m->seconds[s].out);
        free(m->seconds[s].traffic);
        m->seconds[s] = (struct second){0};
    }
}

struct monitor *monitor_new(void (*each_second)(void *context), void *context)
{
    struct monitor *m = must_calloc(1, sizeof *m);
    pthread_condattr_t monotonic;
    m->each_second = each_second;
    m->context = context;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&m->thread, NULL, monitor_main, m) != 0) {
        pthread_cond_destroy(&m->wake);
        pthread_mutex_destroy(&m->lock);
        free(m);
        return NULL;
    }
    return m;
}

void monitor_free(struct monitor *m)
{
    if (m == NULL) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    m->ends = true;
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    free_seconds(m);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void monitor_attach(struct monitor *m, struct job *job)
{
    pthread_mutex_lock(&m->lock);
    free_seconds(m);
    m->job = job;
    m->task_count = job->task_count;
    m->op_count = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        m->op_count += job->tasks[t]->op_count;
    }
    for (uint32_t s = 0; s < KEPT; s++) {
        m->seconds[s] = (struct second){
            .busy = must_calloc(m->task_count, sizeof(uint32_t)),
            .full = must_calloc(m->task_count, sizeof(uint32_t)),
            .in = must_calloc(m->op_count, sizeof(uint64_t)),
            .out = must_calloc(m->op_count, sizeof(uint64_t)),
            .traffic = must_calloc(m->task_count, sizeof(struct traffic)),
        };
    }
    note_counters(m, &m->seconds[0]);
    m->at = 1;
    m->over_count = 0;
    pthread_mutex_unlock(&m->lock);
}

void monitor_detach(struct monitor *m)
{
    pthread_mutex_lock(&m->lock);
    m->job = NULL;
    m->over_count = 0;
    pthread_mutex_unlock(&m->lock);
}

/* ------------------------------------------------------------------------------------- Answers */

struct task_times monitor_task(struct monitor *m, uint32_t task)
{
    uint64_t looks = 0, busy = 0, full = 0;
    struct task_times times = {0};
    pthread_mutex_lock(&m->lock);
    for (uint32_t back = 1; m->job != NULL && back <= m->over_count; back++) {
        const struct second *s = &m->seconds[(m->at + KEPT - back) % KEPT];
        looks += s->looks;
        busy += s->busy[task];
        full += s->full[task];
    }
    if (looks > 0) {
        times.busy_ms = (uint32_t)(busy * SECOND_MS / looks);
        times.full_ms = (uint32_t)(full * SECOND_MS / looks);
        times.idle_ms = SECOND_MS - times.busy_ms - times.full_ms;
    }
    times.full_now = m->job != NULL && atomic_load_explicit(&m->job->tasks[task]->state,
                                                            memory_order_relaxed) == TASK_FULL;
    pthread_mutex_unlock(&m->lock);
    return times;
}

/* What lies between two seconds' ends, with the lock held; seconds 0: nothing is known yet. */
struct span {
    const struct second *oldest, *newest;
    double seconds;
};

static struct span last_seconds(const struct monitor *m)
{
    struct span span = {.newest = &m->seconds[(m->at + KEPT - 1) % KEPT],
                        .oldest = &m->seconds[(m->at + KEPT - 1 - m->over_count) % KEPT]};
    span.seconds = m->job != NULL && m->over_count > 0
                       ? (double)(span.newest->end_ms - span.oldest->end_ms) / SECOND_MS
                       : 0;
    return span;
}

struct op_rates monitor_op(struct monitor *m, uint32_t op)
{
    struct op_rates rates = {0};
    pthread_mutex_lock(&m->lock);
    struct span last = last_seconds(m);
    if (last.seconds > 0) {
        rates.in = (double)(last.newest->in[op] - last.oldest->in[op]) / last.seconds;
        rates.out = (double)(last.newest->out[op] - last.oldest->out[op]) / last.seconds;
    }
    pthread_mutex_unlock(&m->lock);
    return rates;
}

struct task_rates monitor_traffic(struct monitor *m, uint32_t task)
{
    struct task_rates rates = {0};
    pthread_mutex_lock(&m->lock);
    struct span last = last_seconds(m);
    if (last.seconds > 0) {
        const struct traffic *old = &last.oldest->traffic[task], *new = &last.newest->traffic[task];
        rates.bytes_in = (double)(new->bytes_in - old->bytes_in) / last.seconds;
        rates.bytes_out = (double)(new->bytes_out - old->bytes_out) / last.seconds;
        rates.packets_out = (double)(new->packets_out - old->packets_out) / last.seconds;
    }
    pthread_mutex_unlock(&m->lock);
    return rates;
}
