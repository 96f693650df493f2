/*
 * Questions to running stream jobs, see stream_ask.h and stream/control.h.
 */
#include "cli/stream_ask.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "stream/arguments.h"
#include "stream/control.h"
#include "stream/files.h"
#include "stream/status.h"

#define FOLDER_SIZE 80

struct request {
    const char *word;   /* what the job is asked */
    const char *job;    /* process or name; NULL: the only one */
    const char *target; /* folder of a savepoint, or NULL */
    bool json;
    bool running, scheduled; /* list: none of both means both */
};

/* Sends a line to a socket; returns a descriptor to read the answer from, -1: nobody listens. */
static int open_and_ask(const char *path, const char *line)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = strlen(path) < sizeof address.sun_path ? socket(AF_UNIX, SOCK_STREAM, 0) : -1;
    if (fd < 0) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)(void *)&address, sizeof address) != 0) {
        if (errno == ECONNREFUSED) {
            (void)unlink(path); /* of a process that was killed */
        }
        close(fd);
        return -1;
    }
    (void)send(fd, line, strlen(line), MSG_NOSIGNAL); /* if it fails there is no answer */
    return fd;
}

/* Reads the first line of the answer; false if nobody listens there. */
static bool exchange(const char *path, const char *line, char answer[CONTROL_LINE])
{
    size_t size = 0;
    ssize_t got = 0;
    int fd = open_and_ask(path, line);
    if (fd < 0) {
        return false;
    }
    while (size < CONTROL_LINE - 1 &&
           (got = recv(fd, answer + size, CONTROL_LINE - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    close(fd);
    answer[size] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return size > 0;
}

/* Does the answer to "status" ("ok PID NAME, …") tell of this job? */
static bool is_job(const char *status, const char *job)
{
    const char *pid = status + 3, *name = strchr(pid, ' ');
    size_t size = strlen(job);
    return name != NULL && ((strncmp(pid, job, size) == 0 && pid[size] == ' ') ||
                            (strncmp(name + 1, job, size) == 0 && name[1 + size] == ','));
}

/* Prints all lines of the answer behind the first, each behind `indent`. */
static bool print_answer(const char *path, const char *question, const char *indent)
{
    int fd = open_and_ask(path, question);
    FILE *from = fd >= 0 ? fdopen(fd, "r") : NULL;
    char *line = NULL;
    size_t size = 0, count = 0;
    for (; from != NULL && getline(&line, &size, from) > 0; count++) {
        if (count > 0) {
            printf("%s%s", indent, line);
        }
    }
    free(line);
    if (from != NULL) {
        fclose(from);
    } else if (fd >= 0) {
        close(fd);
    }
    return count > 0;
}

/* Is this one of the jobs that are meant? Source: Flink CliFrontend.listJobs; a job that ended has
 * no process any more, so all are those that run and those that are made ready. */
static bool fits(const struct request *request, const char *status)
{
    bool created = strstr(status, ", " STATUS_CREATED " for ") != NULL;
    return (request->job == NULL || is_job(status, request->job)) &&
           (request->running == request->scheduled || request->scheduled == created);
}

/* Goes through the jobs: prints those that fit, if `each` is given, and stores the socket of the
 * last one. Returns how many fit. */
static int find_jobs(const struct request *request,
                     void (*each)(int number, const char *path, const char *line), char *path,
                     size_t path_size)
{
    char folder[FOLDER_SIZE], status[CONTROL_LINE], one[FOLDER_SIZE + 256];
    DIR *dir = control_folder(folder, sizeof folder) ? opendir(folder) : NULL;
    int count = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(one, sizeof one, "%s/%s", folder, entry->d_name);
        if (strncmp(entry->d_name, "stream-", 7) == 0 && exchange(one, "status\n", status) &&
            strncmp(status, "ok ", 3) == 0 && fits(request, status)) {
            snprintf(path, path_size, "%s", one);
            if (each != NULL) {
                each(count, one, status + 3);
            }
            count++;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static void print_line(int number, const char *path, const char *line)
{
    (void)number, (void)path;
    puts(line);
}

static void print_object(int number, const char *path, const char *line)
{
    (void)line;
    fputs(number > 0 ? ",\n" : "\n", stdout);
    (void)print_answer(path, "status json\n", "  ");
}

/* The jobs that run; as JSON an object that has them under "jobs". */
static int list_jobs(const struct request *request)
{
    char path[FOLDER_SIZE + 256];
    if (request->json) {
        fputs("{\"jobs\": [", stdout);
    }
    int count = find_jobs(request, request->json ? print_object : print_line, path, sizeof path);
    if (request->json) {
        puts("]}");
    } else if (count == 0) {
        fputs("no stream job runs\n", stderr);
    }
    return SIM_EXIT_MET;
}

/* A folder as the job sees it, whose working directory may be another. */
static bool absolute(const char *target, char *path, size_t size)
{
    char here[CONTROL_LINE];
    if (target == NULL || target[0] == '/') {
        return snprintf(path, size, "%s", target != NULL ? target : "") < (int)size;
    }
    return getcwd(here, sizeof here) != NULL &&
           snprintf(path, size, "%s/%s", here, target) < (int)size;
}

/* What is only read: the answer has many lines. NULL: the word is none of these. */
static const char *question_of(const struct request *request)
{
    return strcmp(request->word, "metrics") == 0  ? "metrics\n"
           : strcmp(request->word, "status") != 0 ? NULL
           : request->json                        ? "status json\n"
                                                  : "status text\n";
}

static int send_request(const struct request *request)
{
    char path[FOLDER_SIZE + 256], target[CONTROL_LINE], line[CONTROL_LINE], answer[CONTROL_LINE];
    int count = find_jobs(request, NULL, path, sizeof path);
    if (count != 1) {
        cli_error(count == 0 ? "stream %s: no such job runs; kcsim stream list shows them"
                             : "stream %s: more than one job; name its process, see kcsim stream "
                               "list",
                  request->word);
        return SIM_EXIT_USAGE;
    }
    if (question_of(request) != NULL) {
        return print_answer(path, question_of(request), "") ? SIM_EXIT_MET : SIM_EXIT_FAILED;
    }
    const char *folder = request->target;
    if (folder != NULL && (folder = files_path_of(folder)) == NULL) {
        cli_error("stream %s: a folder is a path, or file:// and an absolute one: %s",
                  request->word, request->target);
        return SIM_EXIT_USAGE;
    }
    if (!absolute(folder, target, sizeof target) || strchr(target, '\n') != NULL ||
        snprintf(line, sizeof line, "%s %s\n", request->word, target) >= (int)sizeof line) {
        cli_error("stream %s: the folder's name is too long", request->word);
        return SIM_EXIT_USAGE;
    }
    if (!exchange(path, line, answer)) {
        cli_error("stream %s: the job went away", request->word);
        return SIM_EXIT_FAILED;
    }
    if (strncmp(answer, "ok ", 3) != 0) {
        cli_error("stream %s: %s", request->word, answer + (strncmp(answer, "error ", 6) ? 0 : 6));
        return SIM_EXIT_FAILED;
    }
    puts(answer + 3);
    return SIM_EXIT_MET;
}

/* The value of the flag at argv[*i], which is joined to it or the next word, where *i goes then.
 * NULL with a message said. */
static const char *value_at(int argc, char **argv, int *i, const char *joined)
{
    const char *value = joined == NULL && *i + 1 < argc ? argv[++*i] : joined;
    if (value == NULL) {
        cli_error("stream %s: %s: a value is expected", argv[0], argv[*i]);
    }
    return value;
}

/* False with a message said. */
static bool read_form(const char *word, const char *form, struct request *request)
{
    request->json = form != NULL && strcmp(form, "json") == 0;
    bool known = request->json || (form != NULL && strcmp(form, "text") == 0);
    if (form != NULL && !known) {
        cli_error("stream %s: no format '%s'; there are: text, json", word, form);
    }
    return known;
}

/* Takes a flag that says which jobs to list; false if it is none. */
static bool take_which(const char *word, struct request *request)
{
    bool all = strcmp(word, "-a") == 0 || strcmp(word, "--all") == 0;
    bool running = all || strcmp(word, "-r") == 0 || strcmp(word, "--running") == 0;
    bool scheduled = all || strcmp(word, "-s") == 0 || strcmp(word, "--scheduled") == 0;
    request->running |= running;
    request->scheduled |= scheduled;
    return running || scheduled;
}

/* The words behind the command; false with a message said. Source: Flink CliFrontendParser. */
static bool read_request(int argc, char **argv, struct request *request)
{
    *request = (struct request){.word = argv[0]};
    bool stop = strcmp(argv[0], "stop") == 0, savepoint = strcmp(argv[0], "savepoint") == 0;
    bool list = strcmp(argv[0], "list") == 0;
    bool shows = list || strcmp(argv[0], "status") == 0;
    for (int i = 1; i < argc; i++) {
        const char *joined;
        if (stop && (strcmp(argv[i], "-d") == 0 || strcmp(argv[i], "--drain") == 0)) {
            request->word = "drain";
        } else if (stop && arguments_is(argv[i], "-p", "--savepointPath", &joined)) {
            request->target = value_at(argc, argv, &i, joined);
            if (request->target == NULL) {
                return false;
            }
        } else if (shows && arguments_is(argv[i], NULL, "--format", &joined)) {
            if (!read_form(argv[0], value_at(argc, argv, &i, joined), request)) {
                return false;
            }
        } else if (list && take_which(argv[i], request)) {
            continue;
        } else if (argv[i][0] != '-' && request->job == NULL) {
            request->job = argv[i];
        } else if (argv[i][0] != '-' && savepoint && request->target == NULL) {
            request->target = argv[i];
        } else {
            cli_error("stream %s: '%s' is not expected", argv[0], argv[i]);
            return false;
        }
    }
    if (request->target != NULL && request->target[0] == '\0') {
        cli_error("stream %s: the folder has no name", argv[0]);
        return false;
    }
    return true;
}

int stream_ask(int argc, char **argv)
{
    struct request request;
    char folder[FOLDER_SIZE];
    if (!read_request(argc, argv, &request)) {
        return SIM_EXIT_USAGE;
    }
    if (!control_folder(folder, sizeof folder)) {
        cli_error("stream %s: no sockets of jobs in %s: %s; see XDG_RUNTIME_DIR", argv[0], folder,
                  strerror(errno));
        return SIM_EXIT_FAILED;
    }
    return strcmp(argv[0], "list") == 0 ? list_jobs(&request) : send_request(&request);
}
