/*
 * A ZooKeeper server in a JVM of its own, with its data in a temporary folder.
 */
#define _GNU_SOURCE
#include "server.h"

#include <arpa/inet.h>
#include <assert.h>
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

static pid_t server_pid;
static char class_path[4096];
static char folder[] = "/tmp/kcsim-zookeeper-XXXXXX";

static const char *const jars[] = {
    "zookeeper",    "zookeeper-jute", "slf4j-api",       "slf4j-nop",   "netty-handler",
    "netty-common", "netty-buffer",   "netty-transport", "netty-codec", "netty-resolver",
    "snappy-java",  "metrics-core",   "commons-io",      "commons-cli", "netty-all",
};

/* Writes the class path of what is installed; false where the server itself is missing. */
static bool find_class_path(char *to, size_t size)
{
    size_t used = 0;
    const char *home = getenv("KC_JARS") != NULL ? getenv("KC_JARS") : "/usr/share/java";
    for (size_t i = 0; i < sizeof jars / sizeof jars[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.jar", home, jars[i]);
        if (access(path, R_OK) != 0) {
            if (i < 3)
                return false;
            continue;
        }
        used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ":" : "", path);
        assert(used < size);
    }
    return true;
}

/* A port that nobody has now, below those that the kernel hands out: of those, one might be given
   to a client that tries to reach it, which then talks to itself. */
static int free_port(void)
{
    for (int tries = 0, port; tries < 1000; tries++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        port = 12000 + (int)((now.tv_nsec / 64 + getpid() * 31 + tries * 7) % 19000);
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    printf("no free port\n");
    exit(1);
}

static void write_config(int port)
{
    char path[256];
    snprintf(path, sizeof path, "%s/zoo.cfg", folder);
    FILE *f = fopen(path, "w");
    assert(f != NULL);
    fprintf(f,
            "tickTime=100\ndataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\n"
            "maxClientCnxns=0\nmaxSessionTimeout=60000\nadmin.enableServer=false\n"
            "preAllocSize=1024\n",
            folder, port);
    fclose(f);
}

static void run_server(void)
{
    char config[256], log[256];
    snprintf(config, sizeof config, "%s/zoo.cfg", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_CREAT | O_WRONLY, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execlp("java", "java", "-Xmx512m", "-XX:+UseSerialGC", "-Dzookeeper.forceSync=no",
           "-Dzookeeper.snapCount=1000000", "-Djava.net.preferIPv4Stack=true", "-cp", class_path,
           "org.apache.zookeeper.server.ZooKeeperServerMain", config, (char *)NULL);
    _exit(127);
}

/* Whether a ZooKeeper server says so itself ("srvr" is allowed to all). */
static bool answers(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[10] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
               send(fd, "srvr", 4, MSG_NOSIGNAL) == 4 && recv(fd, text, 9, MSG_WAITALL) == 9 &&
               strcmp(text, "Zookeeper") == 0;
    close(fd);
    return yes;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Waits for the port, or for the process to end. */
static bool await_server(int port)
{
    for (int i = 0; i < 600; i++) {
        if (waitpid(server_pid, NULL, WNOHANG) == server_pid) {
            server_pid = 0;
            return false;
        }
        if (answers(port))
            return true;
        pause_ms(100);
    }
    return false;
}

static void stop_process(void)
{
    if (server_pid > 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
    }
    server_pid = 0;
}

int real_start(void)
{
    if (!find_class_path(class_path, sizeof class_path) ||
        system("java -version >/dev/null 2>&1") != 0) {
        printf("skipped: no JVM, or no ZooKeeper in /usr/share/java (Debian: zookeeper)\n");
        return 0;
    }
    if (mkdtemp(folder) == NULL)
        abort();
    atexit(real_stop);
    for (int tries = 0; tries < 3; tries++) {
        int port = free_port();
        write_config(port);
        server_pid = fork();
        if (server_pid == 0)
            run_server();
        if (await_server(port))
            return port;
        stop_process();
    }
    printf("ZooKeeper does not start, see %s/log\n", folder);
    exit(1);
}

void real_stop(void)
{
    if (server_pid <= 0)
        return;
    stop_process();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        printf("left behind: %s\n", folder);
}

void real_kill(void)
{
    stop_process();
}

bool real_start_again(int port)
{
    assert(server_pid == 0);
    server_pid = fork();
    if (server_pid == 0)
        run_server();
    return await_server(port);
}

void real_pause(bool pause)
{
    kill(server_pid, pause ? SIGSTOP : SIGCONT);
}
