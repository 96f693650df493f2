/*
 * Sources that wait for the world, and sockets at both ends of a job. The other side of each socket
 * is a thread of the test that does what its script says; nothing here depends on how fast anybody
 * is: who waits, waits for what the other has done.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "folder.h"
#include "once.h"
#include "position.h"
#include "stream/stream.h"

/* ------------------------------------------------------------------------------ The other side */

struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    struct once_numbers got; /* lines that were numbers */
    int connections;
};

static struct server *server;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        abort();
    }
}

/* A script for the other side, or NULL: nobody listens at the port. */
static void serve(void *(*script)(void *))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server = calloc(1, sizeof *server);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(server->listener, (struct sockaddr *)&address, size) == 0, "bind");
    must(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0, "name");
    server->port = ntohs(address.sin_port);
    if (script != NULL) {
        must(listen(server->listener, 16) == 0, "listen");
        must(pthread_create(&server->thread, NULL, script, NULL) == 0, "thread");
    }
}

static void serve_no_more(bool with_thread)
{
    if (with_thread) {
        pthread_join(server->thread, NULL);
    }
    close(server->listener);
    once_free(&server->got);
    free(server);
}

static int take_connection(void)
{
    int fd = accept(server->listener, NULL, NULL);
    must(fd >= 0, "accept");
    server->connections++;
    return fd;
}

static void say(int fd, const char *text)
{
    must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "send");
}

/* The next line as a number, byte by byte; -1: the connection has ended. */
static int64_t hear(int fd)
{
    int64_t number = 0;
    for (char c; recv(fd, &c, 1, 0) == 1; number = number * 10 + (c - '0')) {
        if (c == '\n') {
            once_add(&server->got, number);
            return number;
        }
    }
    return -1;
}

/* Without the other side's having read all: its bytes are thrown away, and it is told so. */
static void break_off(int fd)
{
    struct linger linger = {.l_onoff = 1};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0, "linger");
    close(fd);
}

/* ------------------------------------------------------------------------------------- Sources */

static char story[1024];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int arrived, completed;

static void note(int *what)
{
    pthread_mutex_lock(&lock);
    ++*what;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void await(const int *what, int at_least)
{
    pthread_mutex_lock(&lock);
    while (*what < at_least) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

ST_SINK(tell, st_str)
{
    size_t had = strlen(story);
    snprintf(story + had, sizeof story - had, "%.*s,", (int)in->size, in->data);
    note(&arrived);
}

static enum st_err read_socket(st_socket socket, char *error)
{
    st_env *env = st_env_new();
    st_sink(st_read_socket(env, socket), tell);
    story[0] = '\0';
    enum st_err err = st_execute(env, "socket");
    snprintf(error, 256, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

static void *send_three(void *arg)
{
    int fd = take_connection();
    say(fd, "one\r\ntw");
    say(fd, "o||2\nlast");
    close(fd);
    return arg;
}

START_TEST(lines_until_the_other_side_closes)
{
    static const char *const delimiters[] = {NULL, "||"};
    static const char *const expected[] = {"one,two||2,last,", "one\r\ntwo,2\nlast,"};
    char error[256];
    serve(send_three);
    st_socket socket = ST_SOCKET("127.0.0.1", server->port, .delimiter = delimiters[_i]);
    ck_assert_msg(read_socket(socket, error) == ST_OK, "%s", error);
    ck_assert_str_eq(story, expected[_i]);
    serve_no_more(true);
}
END_TEST

/* What is left of a line is continued by the next connection; one without data is an attempt. */
static void *close_often(void *arg)
{
    static const char *const texts[] = {"a\nb", "c\nd\n", "e", ""};
    for (int i = 0; i < 4; i++) {
        int fd = take_connection();
        say(fd, texts[i]);
        close(fd);
    }
    return arg;
}

START_TEST(it_connects_again)
{
    char error[256];
    serve(close_often);
    st_socket socket = ST_SOCKET("localhost", server->port, .retries = 1, .retry_delay_ms = 1);
    ck_assert_msg(read_socket(socket, error) == ST_OK, "%s", error);
    ck_assert_str_eq(story, "a,bc,d,e,");
    ck_assert_int_eq(server->connections, 4);
    serve_no_more(true);
}
END_TEST

START_TEST(to_be_refused_is_a_failure_in_the_end)
{
    char error[256];
    serve(NULL);
    st_socket socket = ST_SOCKET("127.0.0.1", server->port, .retries = 2, .retry_delay_ms = 1);
    ck_assert_int_eq(read_socket(socket, error), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(error, "Connection refused, at attempt 3"));
    serve_no_more(false);
}
END_TEST

START_TEST(a_socket_is_checked)
{
    st_env *env = st_env_new();
    st_discard(st_read_socket(env, ST_SOCKET("", 1)));
    st_discard(st_read_socket(env, ST_SOCKET("a", 0)));
    st_discard(st_read_socket(env, ST_SOCKET("a", 1, .delimiter = "")));
    ck_assert_int_eq(st_execute(env, "wrong"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "needs a host"));
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "needs a port"));
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "delimiter"));
    st_env_free(env);
}
END_TEST

/* --------------------------------------------------------------------- Who waits holds up nobody
 */

#define MANY 3000

static void note_completed(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx, (void)checkpoint_id;
    note(&completed);
}

ST_GENERATOR(number, int64_t)
{
    *out = (int64_t)index;
}

ST_MAP(to_text, int64_t, st_str)
{
    *out = st_format(ctx, "%" PRId64, *in);
}

ST_SINK(count_line, st_str)
{
    note(&arrived);
}

/* Sends nothing before all of the other source has gone through and checkpoints are complete. */
static void *wait_for_the_others(void *arg)
{
    int fd = take_connection();
    await(&arrived, MANY);
    await(&completed, 2);
    say(fd, "one\n");
    await(&arrived, MANY + 1);
    say(fd, "two\n");
    close(fd);
    return arg;
}

START_TEST(a_source_that_waits_holds_up_nobody)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    serve(wait_for_the_others);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "5ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_stream *numbers = st_map(st_generate(env, number, MANY), to_text);
    st_stream *lines = st_read_socket(env, ST_SOCKET("127.0.0.1", server->port));
    st_sink(st_union(numbers, lines), count_line, .parallelism = 1,
            .notify_checkpoint_complete = note_completed);
    ck_assert_msg(st_execute(env, "waits") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(arrived, MANY + 2);
    st_env_free(env);
    serve_no_more(true);
    folder_remove(folder);
}
END_TEST

/* A source of one's own: another thread puts numbers, and wakes it; it says that it wants to be
 * asked never but then. */
struct queue {
    st_waker *_Atomic waker;
    _Atomic int64_t put;
};
static struct queue queue;
static pthread_t putter;

static void open_queue(st_context *ctx)
{
    atomic_store(&queue.waker, st_waker_of(ctx));
}

/* The waker is valid no longer. */
static void close_queue(st_context *ctx)
{
    (void)ctx;
    pthread_join(putter, NULL);
}

ST_SOURCE(take_from_queue, int64_t)
{
    int64_t *taken = ctx->self;
    for (int64_t put = atomic_load(&queue.put); *taken < put; ++*taken) {
        st_emit(out, taken);
    }
    st_poll_at(ctx, ST_TIME_MAX);
    return *taken < 100 ? ST_IDLE : ST_END;
}

ST_SINK(count_number, int64_t)
{
    note(&arrived);
}

static void *put_into_queue(void *arg)
{
    while (atomic_load(&queue.waker) == NULL) {
        sched_yield();
    }
    for (int i = 1; i <= 100; i++) {
        atomic_fetch_add(&queue.put, 1);
        st_wake(atomic_load(&queue.waker));
        if (i < 100) {
            await(&arrived, i); /* so it sleeps each time, or is about to */
        }
    }
    return arg;
}

START_TEST(another_thread_wakes_a_source)
{
    must(pthread_create(&putter, NULL, put_into_queue, NULL) == 0, "thread");
    st_env *env = st_env_new();
    st_stream *s = st_from_source(env, take_from_queue, .self_size = sizeof(int64_t),
                                  .parallelism = 1, .open = open_queue, .close = close_queue);
    st_sink(s, count_number);
    ck_assert_msg(st_execute(env, "queue") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(arrived, 100);
    st_env_free(env);
}
END_TEST

static int pipe_ends[2];

ST_SOURCE(read_pipe, int64_t)
{
    char bytes[64];
    ssize_t got = read(pipe_ends[0], bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; i++) {
        st_emit(out, &((int64_t){bytes[i]}));
    }
    st_poll_fd(ctx, pipe_ends[0]);
    return got == 0 ? ST_END : got < 0 ? ST_IDLE : ST_MORE;
}

static void *write_pipe(void *arg)
{
    for (int i = 1; i <= 50; i++) {
        must(write(pipe_ends[1], "x", 1) == 1, "write");
        await(&arrived, i);
    }
    close(pipe_ends[1]);
    return arg;
}

START_TEST(a_descriptor_wakes_a_source)
{
    pthread_t thread;
    must(pipe2(pipe_ends, O_NONBLOCK) == 0, "pipe");
    must(pthread_create(&thread, NULL, write_pipe, NULL) == 0, "thread");
    st_env *env = st_env_new();
    st_sink(st_from_source(env, read_pipe, .parallelism = 1), count_number);
    ck_assert_msg(st_execute(env, "pipe") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(arrived, 50);
    st_env_free(env);
    pthread_join(thread, NULL);
    close(pipe_ends[0]);
}
END_TEST

/* --------------------------------------------------------------------------------------- Sinks */

static void expect_all(int64_t expected, bool repeated)
{
    struct once once = once_count(&server->got, expected);
    ck_assert_msg(once.lost == 0 && once.foreign == 0 && (once.repeated > 0) == repeated,
                  "%d connections: %s", server->connections, once_tell(&once));
}

static void *hear_all(void *arg)
{
    int fd = take_connection();
    while (hear(fd) >= 0) {
    }
    close(fd);
    return arg;
}

START_TEST(lines_into_a_socket)
{
    serve(hear_all);
    st_env *env = st_env_new();
    st_write_socket(st_generate(env, number, MANY), ST_SOCKET("localhost", server->port));
    ck_assert_msg(st_execute(env, "sink") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    pthread_join(server->thread, NULL);
    expect_all(MANY, false);
    serve_no_more(false);
}
END_TEST

/* Reads what there is before it breaks off, which the source waits for: so TCP has told the sink
 * what has come, and what has not goes over the next connection. */
ST_SOURCE(two_halves, int64_t)
{
    int64_t *next = ctx->self;
    pthread_mutex_lock(&lock);
    int64_t until = completed > 0 ? 200 : 100;
    pthread_mutex_unlock(&lock);
    for (; *next < until; ++*next) {
        st_emit(out, next);
    }
    return *next < 200 ? ST_IDLE : ST_END;
}

static void *break_off_between(void *arg)
{
    int fd = take_connection();
    while (hear(fd) < 99) {
    }
    close(fd);
    note(&completed);
    return hear_all(arg);
}

START_TEST(a_sink_connects_again)
{
    serve(break_off_between);
    st_env *env = st_env_new();
    st_stream *s = st_from_source(env, two_halves, .self_size = sizeof(int64_t), .parallelism = 1);
    st_write_socket(s, ST_SOCKET("127.0.0.1", server->port, .retries = 3, .retry_delay_ms = 1));
    ck_assert_msg(st_execute(env, "sink") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    pthread_join(server->thread, NULL);
    struct once once = once_count(&server->got, 200);
    ck_assert_msg(once.lost == 0 && once.foreign == 0, "%s", once_tell(&once));
    ck_assert_int_eq(server->connections, 2);
    serve_no_more(false);
}
END_TEST

/* Answers some lines, and dies with others read and unread. */
static void *answer_and_die(void *arg)
{
    for (int round = 0; round < 5; round++) {
        int fd = take_connection();
        for (int i = 0; i < 100 + round; i++) {
            must(hear(fd) >= 0, "a line");
            if (i < 90) {
                say(fd, "+\n");
            }
        }
        break_off(fd);
    }
    int fd = take_connection();
    while (hear(fd) >= 0) {
        (void)send(fd, "+\n", 2, MSG_NOSIGNAL);
    }
    close(fd);
    return arg;
}

START_TEST(what_is_not_answered_is_sent_again)
{
    serve(answer_and_die);
    st_env *env = st_env_new();
    st_write_socket(
        st_generate(env, number, MANY),
        ST_SOCKET("127.0.0.1", server->port, .retries = 1, .retry_delay_ms = 1, .answered = true));
    ck_assert_msg(st_execute(env, "sink") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    pthread_join(server->thread, NULL);
    expect_all(MANY, true);
    ck_assert_int_eq(server->connections, 6);
    serve_no_more(false);
}
END_TEST

/* In each round the other side answers when the sink has looked last, and breaks off before the
 * sink sends again: so it is a send that meets the end, with answers still unread. */
#define ROUNDS     5
#define ROUND_SIZE 50

ST_SOURCE(a_round_at_a_time, int64_t)
{
    int64_t *next = ctx->self;
    int round = (int)(*next / ROUND_SIZE);
    if (round > 0) {
        note(&arrived);
        await(&completed, round);
    }
    for (int i = 0; i < ROUND_SIZE; i++) {
        st_emit(out, next);
        ++*next;
    }
    return round < ROUNDS ? ST_MORE : ST_END;
}

static void *answer_unseen_and_die(void *arg)
{
    for (int round = 1; round <= ROUNDS; round++) {
        int fd = take_connection();
        must(hear(fd) >= 0 && hear(fd) >= 0, "two lines");
        await(&arrived, round);
        say(fd, "+\n"); /* to the first */
        break_off(fd);
        note(&completed);
    }
    int fd = take_connection();
    while (hear(fd) >= 0) {
        (void)send(fd, "+\n", 2, MSG_NOSIGNAL);
    }
    close(fd);
    return arg;
}

START_TEST(answers_count_when_a_send_fails)
{
    serve(answer_unseen_and_die);
    st_env *env = st_env_new();
    st_stream *s =
        st_from_source(env, a_round_at_a_time, .self_size = sizeof(int64_t), .parallelism = 1);
    st_write_socket(s, ST_SOCKET("127.0.0.1", server->port, .retries = 1, .retry_delay_ms = 1,
                                 .answered = true));
    ck_assert_msg(st_execute(env, "sink") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    pthread_join(server->thread, NULL);
    expect_all((ROUNDS + 1) * ROUND_SIZE, true);
    ck_assert_int_eq(server->connections, ROUNDS + 1);
    serve_no_more(false);
}
END_TEST

static bool fails;

static void fail_when_complete(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    if (fails && *(int64_t *)ctx->self == 10) {
        st_fail(ctx, "as asked");
    }
}

/* Ten numbers, then nothing. */
ST_SOURCE(ten, int64_t)
{
    int64_t *next = ctx->self;
    for (; *next < 10; ++*next) {
        st_emit(out, next);
    }
    return fails ? ST_IDLE : ST_END;
}

static void *never_answer_then_do(void *arg)
{
    int fd = take_connection();
    while (hear(fd) >= 0) {
    }
    close(fd);
    ck_assert_uint_eq(server->got.count, 10);
    server->got.count = 0; /* as if it had died with them */
    fd = take_connection();
    while (hear(fd) >= 0) {
        say(fd, "+\n");
    }
    close(fd);
    return arg;
}

START_TEST(a_checkpoint_has_what_is_not_answered)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    serve(never_answer_then_do);
    for (int run = 0; run < 2; run++) {
        fails = run == 0;
        st_env *env = st_env_new();
        st_env_set(env, "execution.checkpointing.interval", "5ms");
        st_env_set(env, "execution.checkpointing.dir", folder);
        if (run > 0) {
            st_env_set(env, "execution.savepoint.path", folder);
        }
        st_stream *s = st_from_source(
            env, ten, .self_size = sizeof(int64_t), .parallelism = 1, .uid = "ten",
            .operator_states = ST_STATES(&position), .initialize_state = restore_position,
            .snapshot_state = save_position, .notify_checkpoint_complete = fail_when_complete);
        st_write_socket(s, ST_SOCKET("127.0.0.1", server->port, .answered = true), .uid = "sink",
                        .parallelism = run == 0 ? 1 : 2);
        enum st_err err = st_execute(env, "kept");
        ck_assert_msg(err == (run == 0 ? ST_ERR_FAILED : ST_OK), "%s", st_env_error(env));
        st_env_free(env);
    }
    pthread_join(server->thread, NULL);
    expect_all(10, false);
    serve_no_more(false);
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sockets");
    TCase *tc = tcase_create("sockets");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, lines_until_the_other_side_closes, 0, 2);
    tcase_add_test(tc, it_connects_again);
    tcase_add_test(tc, to_be_refused_is_a_failure_in_the_end);
    tcase_add_test(tc, a_socket_is_checked);
    tcase_add_test(tc, a_source_that_waits_holds_up_nobody);
    tcase_add_test(tc, another_thread_wakes_a_source);
    tcase_add_test(tc, a_descriptor_wakes_a_source);
    tcase_add_test(tc, lines_into_a_socket);
    tcase_add_test(tc, a_sink_connects_again);
    tcase_add_test(tc, what_is_not_answered_is_sent_again);
    tcase_add_test(tc, answers_count_when_a_send_fails);
    tcase_add_test(tc, a_checkpoint_has_what_is_not_answered);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
