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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "stream/metrics.h"
#include "stream/task.h"

#define CLIENT_TIMEOUT_S 5

struct control {
    const char *job_name;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int listener, ending; /* ending: an eventfd, readable when the thread is to end */
    pthread_t thread;
    time_t began;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t answered;
    struct job *job; /* NULL: none runs just now */
    enum question asked;
    bool is_taken, is_answered, ok;
    char target[CONTROL_LINE], answer[CONTROL_LINE];
    int64_t completed, duration_ms; /* the last checkpoint */
    int64_t completed_count, failed_count, attach_count;
};

bool control_folder(char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat of;
    int length = runtime != NULL && runtime[0] == '/'
                     ? snprintf(path, size, "%s/kcsim", runtime)
                     : snprintf(path, size, "/tmp/kcsim-%u", (unsigned)getuid());
    if (length < 0 || (size_t)length >= size || (mkdir(path, 0700) != 0 && errno != EEXIST)) {
        return false;
    }
    return lstat(path, &of) == 0 && S_ISDIR(of.st_mode) && of.st_uid == getuid() &&
           (of.st_mode & 077) == 0;
}

/* ----------------------------------------------------------------------------------- Questions */

void control_attach(struct control *c, struct job *job)
{
    pthread_mutex_lock(&c->lock);
    c->job = job;
    c->attach_count++;
    pthread_mutex_unlock(&c->lock);
}

static void answer(struct control *c, bool ok, const char *text)
{
    if (c->asked != ASK_NOTHING && !c->is_answered) {
        c->ok = ok;
        c->is_answered = true;
        snprintf(c->answer, sizeof c->answer, "%s", text);
        pthread_cond_broadcast(&c->answered);
    }
}

void control_answer(struct control *c, bool ok, const char *text)
{
    pthread_mutex_lock(&c->lock);
    answer(c, ok, text);
    pthread_mutex_unlock(&c->lock);
}

void control_detach(struct control *c, bool met, const char *why)
{
    pthread_mutex_lock(&c->lock);
    c->job = NULL;
    answer(c, met, why);
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

void control_completed(struct control *c, int64_t id, int64_t duration_ms)
{
    pthread_mutex_lock(&c->lock);
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

/* Puts a question to the job and waits for the answer. */
static void ask(struct control *c, enum question question, const char *target, FILE *to)
{
    pthread_mutex_lock(&c->lock);
    if (c->job == NULL) {
        fputs("error the job does not run just now\n", to);
        pthread_mutex_unlock(&c->lock);
        return;
    }
    c->asked = question;
    c->is_taken = c->is_answered = false;
    snprintf(c->target, sizeof c->target, "%s", target);
    pthread_mutex_lock(&c->job->lock);
    c->job->changes++;
    pthread_cond_broadcast(&c->job->changed);
    pthread_mutex_unlock(&c->job->lock);
    while (!c->is_answered) {
        pthread_cond_wait(&c->answered, &c->lock);
    }
    c->asked = ASK_NOTHING;
    fprintf(to, "%s %s\n", c->ok ? "ok" : "error", c->answer);
    pthread_mutex_unlock(&c->lock);
}

static void tell_status(struct control *c, FILE *to)
{
    pthread_mutex_lock(&c->lock);
    fprintf(to, "ok %ld %s, %s for %ld s, ", (long)getpid(), c->job_name,
            c->job != NULL ? "running" : "restarting", (long)(time(NULL) - c->began));
    if (c->completed > 0) {
        fprintf(to, "last checkpoint %lld\n", (long long)c->completed);
    } else {
        fputs("no checkpoint yet\n", to);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Source: Flink MetricNames, CheckpointStatsTracker. */
static void tell_metrics(struct control *c, FILE *to)
{
    pthread_mutex_lock(&c->lock);
    const struct {
        const char *name;
        long long value;
    } own[] = {{"uptime", (long long)(time(NULL) - c->began) * 1000},
               {"numRestarts", (long long)(c->attach_count > 0 ? c->attach_count - 1 : 0)},
               {"numberOfCompletedCheckpoints", (long long)c->completed_count},
               {"numberOfFailedCheckpoints", (long long)c->failed_count},
               {"lastCompletedCheckpointId", (long long)c->completed},
               {"lastCheckpointDuration", (long long)c->duration_ms}};
    fputs("ok metrics\n", to);
    for (size_t m = 0; m < sizeof own / sizeof own[0]; m++) {
        metrics_write_job(own[m].name, c->job_name, own[m].value, to);
    }
    if (c->job != NULL) {
        metrics_write(c->job, c->job_name, to);
    }
    pthread_mutex_unlock(&c->lock);
}

static void serve(struct control *c, const char *line, FILE *to)
{
    static const struct {
        const char *word;
        enum question question;
    } words[] = {
        {"checkpoint", ASK_CHECKPOINT}, {"savepoint", ASK_SAVEPOINT}, {"stop", ASK_STOP},
        {"drain", ASK_DRAIN},           {"cancel", ASK_CANCEL},       {"status", ASK_NOTHING}};
    size_t word = strcspn(line, " ");
    if (strcmp(line, "metrics") == 0) {
        tell_metrics(c, to);
        return;
    }
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        if (strlen(words[w].word) == word && strncmp(line, words[w].word, word) == 0) {
            if (words[w].question == ASK_NOTHING) {
                tell_status(c, to);
            } else {
                ask(c, words[w].question, line[word] == ' ' ? line + word + 1 : "", to);
            }
            return;
        }
    }
    fputs("error no such question\n", to);
}

/* ---------------------------------------------------------------------------------- The socket */

static void serve_client(struct control *c, int fd)
{
    char line[CONTROL_LINE], *reply = NULL;
    size_t size = 0, reply_size = 0;
    struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    while (size < sizeof line && (size == 0 || line[size - 1] != '\n')) {
        ssize_t got = recv(fd, line + size, sizeof line - size, 0);
        if (got <= 0) {
            return;
        }
        size += (size_t)got;
    }
    if (line[size - 1] != '\n' || memchr(line, '\0', size) != NULL) {
        return;
    }
    line[size - 1] = '\0';
    FILE *to = open_memstream(&reply, &reply_size);
    if (to != NULL) {
        serve(c, line, to);
        fclose(to);
        (void)send(fd, reply, reply_size, MSG_NOSIGNAL); /* a client that has gone: its loss */
        free(reply);
    }
}

static void *listen_main(void *arg)
{
    struct control *c = arg;
    struct pollfd on[2] = {{.fd = c->listener, .events = POLLIN},
                           {.fd = c->ending, .events = POLLIN}};
    while (poll(on, 2, -1) >= 0 || errno == EINTR) {
        if (on[1].revents != 0) {
            break;
        }
        int fd = on[0].revents != 0 ? accept4(c->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0) {
            serve_client(c, fd);
            close(fd);
        }
    }
    return NULL;
}

/* It listens before it has its name: one who asks takes a socket that refuses for a dead job's, and
 * removes it. */
static int open_listener(struct control *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[80];
    if (!control_folder(folder, sizeof folder)) {
        return -1;
    }
    int length = snprintf(c->path, sizeof c->path, "%s/stream-%ld.sock", folder, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof c->path) {
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

struct control *control_new(const char *job_name, char *why)
{
    struct control *c = must_calloc(1, sizeof *c);
    c->job_name = job_name;
    c->began = time(NULL);
    c->listener = open_listener(c);
    c->ending = c->listener >= 0 ? eventfd(0, EFD_CLOEXEC) : -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->answered, NULL);
    if (c->ending < 0 || pthread_create(&c->thread, NULL, listen_main, c) != 0) {
        snprintf(why, 256, "no control socket %.150s: %s", c->path, strerror(errno));
        if (c->listener >= 0) {
            close(c->listener);
            (void)unlink(c->path);
        }
        free(c);
        return NULL;
    }
    return c;
}

void control_free(struct control *c)
{
    if (c == NULL) {
        return;
    }
    uint64_t one = 1;
    if (write(c->ending, &one, sizeof one) != (ssize_t)sizeof one) {
        abort(); /* an eventfd takes a 1 */
    }
    pthread_join(c->thread, NULL);
    (void)unlink(c->path);
    close(c->listener);
    close(c->ending);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->answered);
    free(c);
}
