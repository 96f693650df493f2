/*
 * The control socket, see control.h.
 */
#include "stream/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "stream/metrics.h"
#include "stream/monitor.h"
#include "stream/prom_http.h"
#include "stream/signals.h"
#include "stream/status.h"
#include "stream/task.h"

#define CLIENT_TIMEOUT_S 5
#define CLIENTS_MAX      64
#define QUESTIONS_MAX    16 /* that wait, so that there is room for who cancels or only looks */

struct control {
    const char *job_name;
    struct metrics_of labels;
    int64_t task_slots; /* that are configured, 0: none are */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int listener, ends; /* ends: an eventfd, readable when the thread is to end */
    pthread_t thread;
    struct client *clients; /* that are being served; of the thread */
    int64_t began_ms;
    struct monitor *monitor;
    struct prom_http *http;  /* NULL: none */
    struct signals *signals; /* NULL: they are not ours */
    bool shows_progress, on_terminal;
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* a question is answered, the job cancelled */
    struct job *job;        /* NULL: none runs just now */
    enum question asked;
    bool is_taken, is_answered, ok;
    int waiting; /* questions, with that which is asked */
    char target[CONTROL_LINE], answer[CONTROL_LINE];
    bool is_cancelled, ended_cancelled; /* somebody wants it; the last attempt has ended so */
    char ending[CONTROL_LINE];          /* how that has ended */
    int64_t completed, duration_ms;     /* the last checkpoint */
    struct checkpoint_size size;
    int64_t completed_count, failed_count, attach_count;
    int64_t since_ms;    /* the job runs, or waits to begin again */
    int64_t restored_ms; /* it began with a checkpoint; -1: never */
};

bool control_folder(char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat of;
    int length = runtime != NULL && runtime[0] == '/'
                     ? snprintf(path, size, "%s/kcsim", runtime)
                     : snprintf(path, size, "/tmp/kcsim-%u", (unsigned)getuid());
    if (length < 0 || (size_t)length >= size) {
        errno = ENAMETOOLONG;
        return false;
    }
    if ((mkdir(path, 0700) != 0 && errno != EEXIST) || lstat(path, &of) != 0) {
        return false;
    }
    errno = EPERM;
    return S_ISDIR(of.st_mode) && of.st_uid == getuid() && (of.st_mode & 077) == 0;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ----------------------------------------------------------------------------------- Questions */

/* With the lock held. */
static void stop_job(struct control *c)
{
    if (c->job != NULL && c->is_cancelled) {
        job_note_failure(c->job, ST_ERR_CANCELLED, "cancelled");
        job_cancel(c->job);
    }
}

static void cancel(void *context)
{
    struct control *c = context;
    pthread_mutex_lock(&c->lock);
    c->is_cancelled = true;
    stop_job(c);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

bool control_is_cancelled(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    bool is_cancelled = c->is_cancelled;
    pthread_mutex_unlock(&c->lock);
    return is_cancelled;
}

void control_await_restart(struct control *c, int64_t delay_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ms = until.tv_nsec / 1000000 + delay_ms;
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec = (long)(ms % 1000) * 1000000;
    pthread_mutex_lock(&c->lock);
    while (!c->is_cancelled && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&c->lock);
}

void control_attach(struct control *c, struct job *job)
{
    pthread_mutex_lock(&c->lock);
    c->job = job;
    c->attach_count++;
    c->since_ms = wall_ms();
    c->restored_ms = job->restored != NULL ? c->since_ms : c->restored_ms;
    monitor_attach(c->monitor, job);
    stop_job(c);
    pthread_mutex_unlock(&c->lock);
}

static void answer(struct control *c, bool ok, const char *text)
{
    if (c->asked != ASK_NOTHING && !c->is_answered) {
        c->ok = ok;
        c->is_answered = true;
        snprintf(c->answer, sizeof c->answer, "%s", text);
        pthread_cond_broadcast(&c->changed);
    }
}

void control_answer(struct control *c, bool ok, const char *text)
{
    pthread_mutex_lock(&c->lock);
    answer(c, ok, text);
    pthread_mutex_unlock(&c->lock);
}

void control_detach(struct control *c, bool is_cancelled, bool is_done, const char *text)
{
    pthread_mutex_lock(&c->lock);
    c->job = NULL;
    c->since_ms = wall_ms();
    monitor_detach(c->monitor);
    c->ended_cancelled = is_cancelled;
    snprintf(c->ending, sizeof c->ending, "%s", text);
    answer(c, is_done, text);
    c->is_taken = true; /* or the next attempt finds it */
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

enum question control_next(struct control *c, char target[CONTROL_LINE])
{
    pthread_mutex_lock(&c->lock);
    enum question asked = c->is_taken ? ASK_NOTHING : c->asked;
    c->is_taken = true;
    memcpy(target, c->target, CONTROL_LINE);
    pthread_mutex_unlock(&c->lock);
    return asked;
}

void control_completed(struct control *c, int64_t id, int64_t duration_ms,
                       struct checkpoint_size size)
{
    pthread_mutex_lock(&c->lock);
    c->size = size;
    c->completed = id;
    c->duration_ms = duration_ms;
    c->completed_count++;
    pthread_mutex_unlock(&c->lock);
}

void control_failed(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->failed_count++;
    pthread_mutex_unlock(&c->lock);
}

/* Wakes the coordinator. With the lock held. */
static void show_question(struct control *c)
{
    pthread_mutex_lock(&c->job->lock);
    c->job->changes++;
    pthread_cond_broadcast(&c->job->changed);
    pthread_mutex_unlock(&c->job->lock);
}

/* Puts a question to the job and waits for the answer; before, for those of others. */
static void ask(struct control *c, enum question question, const char *target, FILE *to)
{
    pthread_mutex_lock(&c->lock);
    if (c->waiting == QUESTIONS_MAX) {
        fprintf(to, "error %d questions wait for their answers\n", QUESTIONS_MAX);
        pthread_mutex_unlock(&c->lock);
        return;
    }
    c->waiting++;
    while (c->asked != ASK_NOTHING) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    if (c->job != NULL) {
        c->asked = question;
        c->is_taken = c->is_answered = false;
        snprintf(c->target, sizeof c->target, "%s", target);
        show_question(c);
        while (!c->is_answered) {
            pthread_cond_wait(&c->changed, &c->lock);
        }
        fprintf(to, "%s %s\n", c->ok ? "ok" : "error", c->answer);
        c->asked = ASK_NOTHING;
        pthread_cond_broadcast(&c->changed);
    } else {
        fprintf(to, "error %s\n", c->is_cancelled ? "cancelled" : "the job does not run just now");
    }
    c->waiting--;
    pthread_mutex_unlock(&c->lock);
}

/* Cancels the job and waits for its end. */
static void ask_to_cancel(struct control *c, FILE *to)
{
    cancel(c);
    pthread_mutex_lock(&c->lock);
    bool waits_to_begin_again = c->job == NULL;
    while (c->job != NULL) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    if (waits_to_begin_again) {
        fputs("ok cancelled\n", to);
    } else {
        fprintf(to, "%s %s\n", c->ended_cancelled ? "ok" : "error", c->ending);
    }
    pthread_mutex_unlock(&c->lock);
}

static int64_t restarts_of(const struct control *c)
{
    return c->attach_count > 0 ? c->attach_count - 1 : 0;
}

/* With the lock held. */
static struct status status_of(const struct control *c)
{
    return (struct status){
        .name = c->job_name,
        .id = c->labels.job_id,
        .job = c->job,
        .has_run = c->attach_count > 0,
        .monitor = c->monitor,
        .began_ms = c->began_ms,
        .now_ms = wall_ms(),
        .restarts = restarts_of(c),
        .is_cancelled = c->is_cancelled,
        .completed = c->completed,
        .duration_ms = c->duration_ms,
        .completed_count = c->completed_count,
        .failed_count = c->failed_count,
        .port = c->http != NULL ? prom_http_port(c->http) : 0,
    };
}

/* Writes the status in one of its forms. */
static void tell(struct control *c, void (*write)(const struct status *s, FILE *to), FILE *to)
{
    pthread_mutex_lock(&c->lock);
    struct status status = status_of(c);
    write(&status, to);
    pthread_mutex_unlock(&c->lock);
}

/* With the lock held. Source: Flink UpTimeGauge, DownTimeGauge, CheckpointStatsTracker. */
static struct job_figures figures_of(const struct control *c)
{
    bool runs = c->job != NULL, ever = c->completed_count > 0;
    double since_ms = (double)(wall_ms() - c->since_ms);
    uint32_t pending = runs ? coordinator_pending(c->job->coordinator) : 0;
    double slots_used = runs ? c->job->slot_count : 0;
    return (struct job_figures){
        .running_jobs = runs ? 1 : 0,
        .slots_total = c->task_slots > 0 ? (double)c->task_slots : slots_used,
        .slots_available = c->task_slots > 0 ? (double)c->task_slots - slots_used : 0,
        .running_ms = runs ? since_ms : 0,
        .restarting_ms = runs || c->attach_count == 0 ? 0 : since_ms,
        .restarts = (double)restarts_of(c),
        .checkpoints = (double)(c->completed_count + c->failed_count + pending),
        .in_progress = pending,
        .completed = (double)c->completed_count,
        .failed = (double)c->failed_count,
        .last_id = ever ? (double)c->completed : -1,
        .last_duration_ms = ever ? (double)c->duration_ms : -1,
        .last_size = ever ? (double)c->size.written : -1,
        .last_full_size = ever ? (double)c->size.full : -1,
        .restored_ms = (double)c->restored_ms,
    };
}

static void tell_metrics(void *context, FILE *to)
{
    struct control *c = context;
    pthread_mutex_lock(&c->lock);
    struct job_figures figures = figures_of(c);
    c->labels.attempt = restarts_of(c);
    metrics_write(&c->labels, &figures, c->job, c->monitor, to);
    pthread_mutex_unlock(&c->lock);
}

/* On a terminal one line that is written over, else a line a time. It is written with no lock held:
 * a terminal that is stopped stops nothing else. */
static void show_progress(void *context)
{
    struct control *c = context;
    char *line = NULL;
    size_t size = 0;
    struct winsize window = {0};
    FILE *to = open_memstream(&line, &size);
    if (to == NULL) {
        return;
    }
    tell(c, status_write_progress, to);
    fclose(to);
    if (c->on_terminal) {
        int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1
                          ? window.ws_col - 1
                          : 79;
        fprintf(stderr, "\r\033[K%.*s", columns, line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    free(line);
}

static void serve(struct control *c, const char *line, FILE *to)
{
    static const struct {
        const char *word;
        enum question question;
    } words[] = {{"checkpoint", ASK_CHECKPOINT},
                 {"savepoint", ASK_SAVEPOINT},
                 {"stop", ASK_STOP},
                 {"drain", ASK_DRAIN}};
    static const struct {
        const char *line, *head;
        void (*write)(const struct status *s, FILE *to);
    } forms[] = {{"status", "ok ", status_write_line},
                 {"status text", "ok status\n", status_write_text},
                 {"status json", "ok status\n", status_write_json}};
    size_t word = strcspn(line, " ");
    if (strcmp(line, "metrics") == 0) {
        fputs("ok metrics\n", to);
        tell_metrics(c, to);
        return;
    }
    if (word == strlen("cancel") && strncmp(line, "cancel", word) == 0) {
        ask_to_cancel(c, to);
        return;
    }
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        if (strcmp(forms[f].line, line) == 0) {
            fputs(forms[f].head, to);
            tell(c, forms[f].write, to);
            return;
        }
    }
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        if (strlen(words[w].word) == word && strncmp(line, words[w].word, word) == 0) {
            ask(c, words[w].question, line[word] == ' ' ? line + word + 1 : "", to);
            return;
        }
    }
    fputs("error no such question\n", to);
}

/* ---------------------------------------------------------------------------------- The socket */

/* One who asks: each is served by a thread of its own, for an answer may take as long as a
 * savepoint.
 */
struct client {
    struct control *control;
    int fd;
    pthread_t thread;
    _Atomic int is_served;
    struct client *next;
};

/* Reads a line, without its end; false if none comes. */
static bool read_line(int fd, char line[CONTROL_LINE])
{
    size_t size = 0;
    while (size < CONTROL_LINE && (size == 0 || line[size - 1] != '\n')) {
        ssize_t got = recv(fd, line + size, CONTROL_LINE - size, 0);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
    }
    bool whole = line[size - 1] == '\n' && memchr(line, '\0', size) == NULL;
    line[size - 1] = '\0';
    return whole;
}

static void *client_main(void *arg)
{
    struct client *client = arg;
    char line[CONTROL_LINE], *reply = NULL;
    size_t reply_size = 0;
    FILE *to = read_line(client->fd, line) ? open_memstream(&reply, &reply_size) : NULL;
    if (to != NULL) {
        serve(client->control, line, to);
        fclose(to);
        (void)send(client->fd, reply, reply_size, MSG_NOSIGNAL); /* one that has gone: its loss */
        free(reply);
    }
    (void)shutdown(client->fd, SHUT_RDWR);
    client->is_served = 1;
    return NULL;
}

/* Takes leave of clients: of those that are served, or of all, for which it waits. */
static void end_clients(struct control *c, bool all)
{
    for (struct client **at = &c->clients, *client; (client = *at) != NULL;) {
        if (!all && client->is_served == 0) {
            at = &client->next;
            continue;
        }
        (void)shutdown(client->fd, SHUT_RD); /* it waits for no question any longer */
        pthread_join(client->thread, NULL);
        *at = client->next;
        close(client->fd);
        free(client);
    }
}

static void begin_client(struct control *c, int fd)
{
    uint32_t count = 0;
    for (const struct client *client = c->clients; client != NULL; client = client->next) {
        count++;
    }
    struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    struct client *client = must_calloc(1, sizeof *client);
    *client = (struct client){.control = c, .fd = fd, .next = c->clients};
    if (count < CLIENTS_MAX && pthread_create(&client->thread, NULL, client_main, client) == 0) {
        c->clients = client;
        return;
    }
    static const char refusal[] = "error too many ask at a time\n";
    (void)send(fd, refusal, sizeof refusal - 1, MSG_NOSIGNAL);
    close(fd);
    free(client);
}

static void *listen_main(void *arg)
{
    struct control *c = arg;
    struct pollfd on[2] = {{.fd = c->listener, .events = POLLIN},
                           {.fd = c->ends, .events = POLLIN}};
    while (poll(on, 2, -1) >= 0 || errno == EINTR) {
        if (on[1].revents != 0) {
            break;
        }
        int fd = on[0].revents != 0 ? accept4(c->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        end_clients(c, false);
        if (fd >= 0) {
            begin_client(c, fd);
        }
    }
    end_clients(c, true);
    return NULL;
}

/* It listens before it has its name: one who asks takes a socket that refuses for a dead job's, and
 * removes it. */
static int open_listener(struct control *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[80];
    bool is_safe = control_folder(folder, sizeof folder);
    int length = snprintf(c->path, sizeof c->path, "%s/stream-%ld.sock", folder, (long)getpid());
    if (!is_safe || length < 0 || (size_t)length >= sizeof c->path) {
        return -1;
    }
    length = snprintf(address.sun_path, sizeof address.sun_path, "%s/.new-%ld.sock", folder,
                      (long)getpid());
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return -1;
    }
    (void)unlink(address.sun_path); /* of a dead process with our number */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (fchmod(fd, 0600) != 0 ||
                    bind(fd, (struct sockaddr *)(void *)&address, sizeof address) != 0 ||
                    chmod(address.sun_path, 0600) != 0 || listen(fd, 8) != 0 ||
                    rename(address.sun_path, c->path) != 0)) {
        (void)unlink(address.sun_path);
        close(fd);
        return -1;
    }
    return fd;
}

static void control_close(struct control *c)
{
    if (c->listener >= 0) {
        close(c->listener);
        (void)unlink(c->path);
    }
    if (c->ends >= 0) {
        close(c->ends);
    }
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

/* The threads that look and serve, behind that of the socket. */
static bool begin_telling(struct control *c, const struct st_env *env, char *why)
{
    c->monitor = monitor_new(c->shows_progress ? show_progress : NULL, c);
    if (c->monitor == NULL) {
        snprintf(why, 256, "no thread to look at the job with");
        return false;
    }
    if (env->serves_metrics) {
        c->http = prom_http_open(env->prom_first, env->prom_last, tell_metrics, c, why);
    }
    return !env->serves_metrics || c->http != NULL;
}

struct control *control_new(const struct st_env *env, const char *job_name, char *why)
{
    struct control *c = must_calloc(1, sizeof *c);
    pthread_condattr_t monotonic;
    c->job_name = job_name;
    c->task_slots = env->task_slots;
    c->labels = metrics_of(job_name, env->filters_labels);
    c->began_ms = c->since_ms = wall_ms();
    c->restored_ms = -1;
    c->shows_progress = env->shows_progress;
    c->on_terminal = isatty(STDERR_FILENO) == 1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    c->listener = open_listener(c);
    c->ends = c->listener >= 0 ? eventfd(0, EFD_CLOEXEC) : -1;
    if (c->ends < 0) {
        snprintf(why, 256,
                 "no control socket %s: %s (its folder is to be yours alone, 0700; see "
                 "XDG_RUNTIME_DIR)",
                 c->path, strerror(errno));
    } else if (begin_telling(c, env, why)) {
        if (pthread_create(&c->thread, NULL, listen_main, c) == 0) {
            c->signals = signals_take(cancel, c);
            return c;
        }
        snprintf(why, 256, "no thread for the control socket");
    }
    prom_http_close(c->http);
    monitor_free(c->monitor);
    control_close(c);
    return NULL;
}

int control_free(struct control *c)
{
    if (c == NULL) {
        return 0;
    }
    int signal = signals_give_back(c->signals);
    uint64_t one = 1;
    if (write(c->ends, &one, sizeof one) != (ssize_t)sizeof one) {
        abort(); /* an eventfd takes a 1 */
    }
    pthread_join(c->thread, NULL);
    prom_http_close(c->http);
    monitor_free(c->monitor);
    if (c->shows_progress && c->on_terminal) {
        fputs("\r\033[K", stderr);
    }
    control_close(c);
    return signal;
}
