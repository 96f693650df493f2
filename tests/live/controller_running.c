/*
 * Goal: `kcsim controller` is the controller of a real ZooKeeper's cluster, from election to stop.
 * Method: a real server, two tiny brokers, the program as a process of its own; what it leaves in
 *         ZooKeeper and says to the brokers is looked at; it is killed, started again, stopped; its
 *         trace is read by the commands that read traces.
 *
 *     controller_running PROGRAM [PROMTOOL]
 *
 * Exits 77 where this machine has no ZooKeeper server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

#include "../zookeeper/equal/server.h"
#include "fake_broker.h"

static const char *program;
static char hosts[32], folder[] = "/tmp/kcsim-controller-XXXXXX";
static zhandle_t *zk;
static int failures;

static void check(bool good, const char *what)
{
    if (!good) {
        printf("controller_running: not so: %s\n", what);
        failures++;
    }
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- ZooKeeper ---- */

static bool read_znode(const char *path, char *data, int capacity)
{
    int size = capacity - 1;
    if (zoo_get(zk, path, 0, data, &size, NULL) != ZOK)
        return false;
    data[size < 0 ? 0 : size] = '\0';
    return true;
}

static bool holds(const char *path, const char *part)
{
    char data[4096];
    return read_znode(path, data, sizeof data) && strstr(data, part) != NULL;
}

static bool await(const char *path, const char *part, long ms)
{
    for (long i = 0; i < ms / 10 && !holds(path, part); i++)
        pause_ms(10);
    return holds(path, part);
}

static bool await_gone(const char *path, long ms)
{
    for (long i = 0; i < ms / 10 && zoo_exists(zk, path, 0, NULL) != ZNONODE; i++)
        pause_ms(10);
    return zoo_exists(zk, path, 0, NULL) == ZNONODE;
}

static void put(const char *path, const char *data)
{
    int rc = zoo_create(zk, path, data, data == NULL ? -1 : (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE,
                        0, NULL, 0);
    if (rc == ZNODEEXISTS && data != NULL)
        rc = zoo_set(zk, path, data, (int)strlen(data), -1);
    check(rc == ZOK || rc == ZNODEEXISTS, path);
}

static void open_client(void)
{
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zk = zookeeper_init(hosts, NULL, 10000, NULL, NULL, 0);
    for (int i = 0; zk != NULL && zoo_state(zk) != ZOO_CONNECTED_STATE && i < 1000; i++)
        pause_ms(10);
}

/* ---- the program ---- */

static char *in_folder(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

static pid_t start(const char *const *arguments, const char *output)
{
    char *path = in_folder(output);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        union {
            const char *const *given;
            char *const *taken; /* execv changes nothing */
        } a = {.given = arguments};
        execv(program, a.taken);
        _exit(127);
    }
    free(path);
    return pid;
}

static pid_t start_controller(const char *output, const char *trace, const char *metrics)
{
    char *file = in_folder(trace);
    const char *const arguments[] = {program,     "controller",  "--zookeeper",
                                     hosts,       "--id",        "0",
                                     "--listen",  "127.0.0.1:0", "--session-timeout",
                                     "2s",        "--trace",     file,
                                     "--metrics", metrics,       NULL};
    pid_t pid = start(arguments, output);
    free(file);
    return pid;
}

/* Waits for the end of a process; its exit status, or -1 after 20 s, when it is killed. */
static int await_end(pid_t pid)
{
    int status = 0;
    for (int i = 0; i < 2000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        pause_ms(10);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static bool output_holds(const char *output, const char *part)
{
    char *path = in_folder(output), *text = calloc(1, 1 << 22);
    FILE *in = fopen(path, "r");
    size_t size = in == NULL ? 0 : fread(text, 1, (1 << 22) - 1, in);
    if (in != NULL)
        fclose(in);
    bool yes = size > 0 && strstr(text, part) != NULL;
    free(path);
    free(text);
    return yes;
}

static void run_on_trace(const char *command, const char *trace, const char *argument,
                         const char *expected)
{
    char *file = in_folder(trace);
    const char *const arguments[] = {program, command, file, argument, NULL};
    int code = await_end(start(arguments, "tool.out"));
    if (code != 0 || !output_holds("tool.out", expected)) {
        printf("controller_running: kcsim %s %s %s: exit %d, or without '%s'\n", command, trace,
               argument == NULL ? "" : argument, code, expected);
        failures++;
    }
    free(file);
}

/* ---- metrics ---- */

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        abort();
    getsockname(fd, (struct sockaddr *)&at, &size);
    close(fd);
    return ntohs(at.sin_port);
}

/* GETs /metrics into FOLDER/metrics; false where nobody answers. */
static bool get_metrics(int port)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char text[1 << 20];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t size = 0;
    bool good = connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0;
    for (ssize_t got = 1; good && got > 0; size += got > 0 ? (size_t)got : 0)
        got = recv(fd, text + size, sizeof text - 1 - size, 0);
    close(fd);
    text[size] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    char *path = in_folder("metrics");
    FILE *out = body == NULL ? NULL : fopen(path, "w");
    if (out != NULL) {
        fputs(body + 4, out);
        fclose(out);
    }
    free(path);
    return out != NULL;
}

static void check_metrics(int port, const char *promtool)
{
    pause_ms(1500); /* they are made once a second */
    check(get_metrics(port), "metrics are served");
    check(output_holds("metrics", "\nkafka_controller_kafkacontroller_activecontrollercount 1\n"),
          "it is the active controller, say the metrics");
    check(output_holds("metrics", "\nkafka_controller_kafkacontroller_globalpartitioncount 2\n"),
          "two partitions, say the metrics");
    check(
        output_holds("metrics",
                     "\nkafka_controller_controllerchannelmanager_queuesize{broker_id=\"2\"} 0\n"),
        "nothing waits for broker 2, say the metrics");
    if (promtool == NULL || access(promtool, X_OK) != 0) {
        printf("controller_running: no promtool here, so the metrics are not checked by it\n");
        return;
    }
    char *command = NULL;
    if (asprintf(&command, "'%s' check metrics < '%s/metrics'", promtool, folder) < 0)
        abort();
    check(system(command) == 0, "promtool finds the metrics clean");
    free(command);
}

/* ---- clients ---- */

/* The port that the program says it listens on. */
static int port_of(const char *output)
{
    char *path = in_folder(output), line[256] = "";
    FILE *in = fopen(path, "r");
    if (in != NULL && fgets(line, sizeof line, in) == NULL)
        line[0] = '\0';
    if (in != NULL)
        fclose(in);
    free(path);
    const char *at = strstr(line, "listens on 127.0.0.1:");
    return at == NULL ? 0 : atoi(at + 21);
}

static int connect_to(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ApiVersions in `version`; the error code of the answer, -100 where there is none. */
static int ask_api_versions(int port, uint8_t version)
{
    uint8_t request[] = {0, 0, 0, 11, 0, 18, 0, version, 0, 0, 0, 9, 0, 1, 'x'}, answer[10] = {0};
    int fd = connect_to(port);
    if (fd < 0)
        return -100;
    bool good = send(fd, request, sizeof request, MSG_NOSIGNAL) == (ssize_t)sizeof request &&
                recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer;
    close(fd);
    return !good || answer[7] != 9 ? -100 : answer[8] << 8 | answer[9];
}

/* Frames that begin as requests do and go on as they like: every API in every version. */
static void make_noise(int port)
{
    uint32_t state = 12345;
    for (int api = -1; api < 70; api++)
        for (int version = 0; version < 14; version++) {
            uint8_t frame[128] = {
                0, 0, 0, 0, (uint8_t)(api >> 8), (uint8_t)api, 0, (uint8_t)version};
            size_t size = 12 + (size_t)((state >> 8) % 100);
            for (size_t i = 8; i < size; i++) {
                state = state * 1664525u + 1013904223u;
                frame[i] = state >> 30 == 0 ? (uint8_t)(state >> 16) : 0;
            }
            frame[3] = (uint8_t)(size - 4);
            int fd = connect_to(port);
            if (fd < 0)
                continue;
            if (send(fd, frame, size, MSG_NOSIGNAL) < 0)
                failures++;
            close(fd);
        }
}

static void check_clients(int port)
{
    check(ask_api_versions(port, 0) == 0, "ApiVersions is answered");
    check(ask_api_versions(port, 99) == 35, "ApiVersions in a version of the future is told so");
    make_noise(port);
    check(ask_api_versions(port, 2) == 0, "and still after much noise");
    if (system("command -v kcat > /dev/null") != 0) {
        printf("controller_running: no kcat here, so no client of others lists the cluster\n");
        return;
    }
    char *command = NULL;
    if (asprintf(&command, "timeout 20 kcat -L -b 127.0.0.1:%d > '%s/kcat' 2>&1", port, folder) < 0)
        abort();
    check(system(command) == 0, "kcat lists the cluster");
    check(output_holds("kcat", "topic \"t\" with 2 partitions"), "kcat sees the topic");
    check(output_holds("kcat", "partition 1, leader 2, replicas: 2,1"), "kcat sees the leader");
    check(output_holds("kcat", "(controller)"), "kcat sees the controller");
    free(command);
}

/* ---- the story ---- */

static void lead(struct fake_broker *const *brokers, const char *promtool)
{
    char metrics[32];
    int port = free_port();
    snprintf(metrics, sizeof metrics, "127.0.0.1:%d", port);
    pid_t pid = start_controller("first.out", "first.ndjson", metrics);
    check(await("/controller", "\"brokerid\":0,", 20000), "it is elected");
    check(await("/controller_epoch", "1", 5000), "epoch 1");
    check(await("/brokers/ids/0", "\"version\":4", 5000), "it is registered");
    check(await("/cluster/id", "\"version\":\"1\"", 5000), "there is a cluster id");
    check(fake_broker_await(brokers[0], 6, 1), "broker 1 is told who lives");
    put("/brokers/topics/t", "{\"partitions\":{\"0\":[1,2],\"1\":[2,1]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}");
    check(await("/brokers/topics/t/partitions/1/state", "\"leader\":2", 10000), "2 leads t-1");
    for (int i = 0; i < 2; i++) {
        check(fake_broker_await(brokers[i], 4, 1), "a broker gets LeaderAndIsr");
        check(fake_broker_await(brokers[i], 6, 2), "a broker gets UpdateMetadata");
    }
    check_clients(port_of("first.out"));
    check_metrics(port, promtool);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    check(output_holds("first.out", "kcsim controller 0 listens on 127.0.0.1:"), "its first line");
    check(await_gone("/controller", 20000), "the session of the killed one expires");
}

static void succeed(struct fake_broker *const *brokers)
{
    int heard = fake_broker_count(brokers[1], 4);
    pid_t pid = start_controller("second.out", "second.ndjson", "127.0.0.1:0");
    check(await("/controller", "\"brokerid\":0,", 20000), "it is elected again");
    check(await("/controller_epoch", "2", 5000), "epoch 2");
    check(fake_broker_await(brokers[1], 4, heard + 1), "it has taken over");
    fake_broker_stop(brokers[0]);
    check(await("/brokers/topics/t/partitions/0/state", "\"leader\":2", 10000), "2 leads t-0");
    const char *const arguments[] = {program, "controller", "--zookeeper", hosts, "--id",
                                     "0",     "--listen",   "127.0.0.1:0", NULL};
    check(await_end(start(arguments, "twin.out")) == 1, "another of the same id ends with 1");
    check(output_holds("twin.out", "is another process registered"), "and says why");
    kill(pid, SIGSTOP);
    check(await_gone("/controller", 20000), "the session of a frozen one expires");
    kill(pid, SIGCONT);
    check(await("/controller_epoch", "3", 20000), "it is elected with a new session");
    check(await("/brokers/ids/0", "\"version\":4", 5000), "and registered again");
    pause_ms(300);
    kill(pid, SIGTERM);
    check(await_gone("/controller", 1000), "a stopped one leaves /controller at once");
    check(await_end(pid) == 0, "it exits with 0");
    check(zoo_exists(zk, "/brokers/ids/0", 0, NULL) == ZNONODE, "its registration goes too");
}

static void look_back(void)
{
    run_on_trace("why", "first.ndjson", "leader of t-0", "TopicChange");
    run_on_trace("describe", "first.ndjson", NULL, "Topic: t");
    run_on_trace("why", "second.ndjson", "leader of t-0", "NodeChildrenChanged /brokers/ids");
    run_on_trace("describe", "second.ndjson", NULL, "Leader: 2");
    run_on_trace("logs", "second.ndjson", NULL, "(kafka.controller.KafkaController)");
}

static void stay_alone(void)
{
    const char *const arguments[] = {
        program,    "controller",  "--zookeeper",       "127.0.0.1:1", "--id", "0",
        "--listen", "127.0.0.1:0", "--session-timeout", "3s",          NULL};
    check(await_end(start(arguments, "alone.out")) == 1, "without ZooKeeper it ends with 1");
    check(output_holds("alone.out", "ZooKeeper 127.0.0.1:1: timed out"), "and says so");
}

static void remove_folder(void)
{
    char *command = NULL;
    if (failures == 0 && asprintf(&command, "rm -r '%s'", folder) >= 0 && system(command) != 0)
        printf("controller_running: %s stays\n", folder);
    if (failures > 0)
        printf("controller_running: see %s\n", folder);
    free(command);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? real_start() : 0;
    if (port == 0)
        return 77;
    program = argv[1];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    if (mkdtemp(folder) == NULL)
        return 1;
    open_client();
    put("/brokers", NULL);
    put("/brokers/ids", NULL);
    struct fake_broker *brokers[2] = {fake_broker_start(hosts, 1), fake_broker_start(hosts, 2)};
    lead(brokers, argc > 2 ? argv[2] : NULL);
    succeed(brokers);
    look_back();
    stay_alone();
    fake_broker_stop(brokers[1]);
    zookeeper_close(zk);
    real_stop();
    remove_folder();
    printf("controller_running: %s\n", failures == 0 ? "all as it should be" : "failed");
    return failures == 0 ? 0 : 1;
}
