/*
 * Worker processes, their pipes, and what happens when one dies.
 *
 * Each worker has two pipes: blocks go down, outcomes come up, one by one, in the order of the
 * block. So the parent always knows which seed a worker is at: the first of its block that has not
 * come. When a worker dies, that seed gets the outcome, and the rest of the block goes to the next
 * worker. A worker writes its complaints (an assertion, a sanitizer's report) to a file in memory
 * that the parent holds as well, so that the reason survives it.
 *
 * A run that hangs may do so inside one step, where nobody looks at a flag: a worker over its limit
 * is killed by its own timer, SIGPROF, which nothing else sends.
 */
#include "cli/campaign_pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/allocate.h"

enum { TICK_MS = 200, COMPLAINT_MAX = 4096 };

struct worker {
    pid_t pid; /* 0: none */
    int down, up, complaints;
    struct cli_block block; /* being played: [0, done) have come */
    uint32_t done;
    uint8_t bytes[sizeof(struct sim_played)]; /* of the next outcome, as far as it has come */
    size_t size;
};

struct run {
    const struct cli_pool *pool;
    struct worker *workers;
    struct cli_block *left; /* [left_count] what dead workers had not begun */
    uint32_t left_count;
    bool no_more;
};

/* ---- in a worker ---- */

static bool read_all(int fd, void *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, (uint8_t *)out + at, size - at);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        at += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t put = write(fd, (const uint8_t *)bytes + at, size - at);
        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* Ends this process with SIGPROF when it has used that much more processor time, 0: never. */
static void arm(int64_t limit_us)
{
    const struct itimerval timer = {
        .it_value = {.tv_sec = limit_us / 1000000, .tv_usec = limit_us % 1000000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void work(const struct cli_pool *pool, int down, int up)
{
    struct cli_block block;
    while (read_all(down, &block, sizeof(block)))
        for (uint32_t i = 0; i < block.count; i++) {
            struct sim_played outcome = {.file = block.file, .seed = block.seeds[i]};
            lseek(STDERR_FILENO, 0, SEEK_SET);
            if (ftruncate(STDERR_FILENO, 0) != 0)
                _exit(0);
            arm(pool->limit_us);
            pool->play(pool->context, &outcome);
            arm(0);
            if (!write_all(up, &outcome, sizeof(outcome)))
                _exit(0);
        }
    _exit(0);
}

/* The pipes of the others must be closed here, or nobody would ever see their end. */
static void become_worker(const struct run *r, int down, int up, int complaints)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGPROF);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    signal(SIGPROF, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a thousand crashes are one class */
    for (uint32_t i = 0; i < r->pool->jobs; i++)
        if (r->workers[i].pid != 0) {
            close(r->workers[i].down);
            close(r->workers[i].up);
            close(r->workers[i].complaints);
        }
    dup2(complaints, STDERR_FILENO);
    work(r->pool, down, up);
}

/* ---- in the parent ---- */

static bool start(struct run *r, struct worker *w)
{
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    int complaints = memfd_create("kcsim campaign", 0);
    bool good = complaints >= 0 && pipe(down) == 0 && pipe(up) == 0;
    fflush(NULL);
    pid_t pid = good ? fork() : -1;
    if (pid == 0) {
        close(down[1]);
        close(up[0]);
        become_worker(r, down[0], up[1], complaints);
    }
    int error = errno;
    if (down[0] >= 0)
        close(down[0]);
    if (up[1] >= 0)
        close(up[1]);
    if (pid > 0)
        *w = (struct worker){.pid = pid, .down = down[1], .up = up[0], .complaints = complaints};
    errno = error;
    return pid > 0;
}

static bool take_block(struct run *r, struct cli_block *block)
{
    if (r->left_count > 0) {
        *block = r->left[--r->left_count];
        return true;
    }
    if (!r->no_more && !r->pool->next(r->pool->context, block))
        r->no_more = true;
    return !r->no_more;
}

/* Gives an idle worker its next block. A worker that has died meanwhile is found by its end. */
static void feed(struct run *r, struct worker *w)
{
    struct cli_block block;
    if (w->done < w->block.count || !take_block(r, &block))
        return;
    assert(block.count > 0);
    assert(block.count <= CLI_BLOCK_MAX);
    w->block = block;
    w->done = 0;
    write_all(w->down, &block, sizeof(block));
}

/* The line of what a dead worker wrote that says most: that of the assertion or the report. */
static void find_reason(const char *text, char *out, size_t capacity)
{
    static const char *const words[] = {"Assertion", "ERROR: ", "runtime error", "kcsim: "};
    const char *at = NULL;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && at == NULL; i++)
        at = strstr(text, words[i]);
    if (at == NULL)
        at = text;
    while (at > text && at[-1] != '\n')
        at--;
    size_t size = strcspn(at, "\n");
    snprintf(out, capacity, "%.*s", (int)size, at);
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

/* Nothing of it depends on how far the run came, which is the machine's doing. */
static void describe_stop(int64_t limit_us, struct sim_played *o)
{
    o->exit = SIM_EXIT_UNDECIDED;
    snprintf(o->what, sizeof(o->what), "stopped: more processor time than --run-limit");
    snprintf(o->detail, sizeof(o->detail), "given up after %g s of processor time",
             (double)limit_us / 1e6);
}

static void describe_crash(struct worker *w, int status, struct sim_played *o)
{
    char text[COMPLAINT_MAX + 1], reason[SIM_OUTCOME_TEXT - 40];
    ssize_t size = pread(w->complaints, text, COMPLAINT_MAX, 0);
    text[size < 0 ? 0 : size] = '\0';
    find_reason(text, reason, sizeof(reason));
    o->exit = SIM_EXIT_SOFTWARE;
    if (WIFSIGNALED(status))
        snprintf(o->what, sizeof(o->what), "crash (%s): %s", strsignal(WTERMSIG(status)), reason);
    else
        snprintf(o->what, sizeof(o->what), "crash (exit %d): %s", WEXITSTATUS(status), reason);
}

static void bury(struct worker *w, int *status)
{
    close(w->down);
    close(w->up);
    while (waitpid(w->pid, status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
}

/* A worker has ended though it had work: the seed it was at is to blame. */
static void worker_ended(struct run *r, struct worker *w)
{
    int status = 0;
    bury(w, &status);
    if (w->done < w->block.count) {
        struct sim_played o = {.file = w->block.file, .seed = w->block.seeds[w->done]};
        if (r->pool->limit_us > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
            describe_stop(r->pool->limit_us, &o);
        else
            describe_crash(w, status, &o);
        r->pool->done(r->pool->context, &o);
        struct cli_block rest = {.file = w->block.file};
        for (uint32_t i = w->done + 1; i < w->block.count; i++)
            rest.seeds[rest.count++] = w->block.seeds[i];
        if (rest.count > 0)
            r->left[r->left_count++] = rest;
    }
    close(w->complaints);
    *w = (struct worker){0};
}

/* Takes what has come up; false where the pipe is at its end. */
static bool collect(struct run *r, struct worker *w)
{
    ssize_t got = read(w->up, w->bytes + w->size, sizeof(w->bytes) - w->size);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    w->size += (size_t)got;
    if (w->size < sizeof(w->bytes))
        return true;
    struct sim_played o;
    memcpy(&o, w->bytes, sizeof(o));
    w->size = 0;
    w->done++;
    r->pool->done(r->pool->context, &o);
    return true;
}

/* Starts what may be used and gives everybody work. Returns how many are at work, -1: no process.
 */
static int put_to_work(struct run *r)
{
    int busy = 0;
    for (uint32_t i = 0; i < r->pool->jobs; i++) {
        struct worker *w = &r->workers[i];
        bool wants = r->left_count > 0 || !r->no_more;
        if (w->pid == 0 && wants && !start(r, w))
            return busy > 0 ? busy : -1;
        if (w->pid != 0)
            feed(r, w);
        busy += w->pid != 0 && w->done < w->block.count;
    }
    return busy;
}

static void wait_and_collect(struct run *r, struct pollfd *polls)
{
    for (uint32_t i = 0; i < r->pool->jobs; i++)
        polls[i] =
            (struct pollfd){.fd = r->workers[i].pid == 0 ? -1 : r->workers[i].up, .events = POLLIN};
    if (poll(polls, r->pool->jobs, TICK_MS) <= 0)
        return;
    for (uint32_t i = 0; i < r->pool->jobs; i++)
        if (polls[i].revents != 0 && !collect(r, &r->workers[i]))
            worker_ended(r, &r->workers[i]);
}

/* An idle worker ends when its pipe closes; one that plays is given up. */
static void end_all(struct run *r)
{
    int status;
    for (uint32_t i = 0; i < r->pool->jobs; i++) {
        struct worker *w = &r->workers[i];
        if (w->pid == 0)
            continue;
        if (w->done < w->block.count)
            kill(w->pid, SIGKILL);
        bury(w, &status);
        close(w->complaints);
    }
}

bool cli_pool_run(const struct cli_pool *pool)
{
    struct run r = {.pool = pool};
    bool good = true;
    void (*old)(int) = signal(SIGPIPE, SIG_IGN); /* a dead worker is found by its end */
    struct pollfd *polls = sim_alloc(pool->jobs * sizeof(*polls));
    r.workers = sim_alloc(pool->jobs * sizeof(*r.workers));
    r.left = sim_alloc((pool->jobs + 1) * sizeof(*r.left));
    while (!pool->tick(pool->context)) {
        int busy = put_to_work(&r);
        good = busy >= 0;
        if (busy <= 0)
            break;
        wait_and_collect(&r, polls);
    }
    int error = errno;
    end_all(&r);
    free(polls);
    free(r.workers);
    free(r.left);
    signal(SIGPIPE, old);
    errno = error;
    return good;
}
