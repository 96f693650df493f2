/*
 * SIGINT and SIGTERM to a program whose job listens: the first cancels the job in order, a second
 * ends the process; what the program has said of a signal itself holds. Cancelled, too, is a job
 * that waits to begin again.
 *
 * The job is run by a process of its own, which says by its exit code how st_execute has ended.
 */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "stream/stream.h"

#define HANDLED 7 /* exit code: the program's own handler has run */

typedef struct {
    int64_t number;
} transaction;
ST_TYPE(transaction, number);

ST_SOURCE(endless, int64_t)
{
    st_emit(out, &((int64_t){1}));
    st_poll_at(ctx, st_now(ctx) + 1);
    return ST_IDLE;
}

ST_SINK(stuck, int64_t)
{
    fputs("stuck\n", stdout);
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static int gate[2]; /* a pipe; what is read from it lets a record through */

ST_SINK(gated, int64_t)
{
    char one;
    if (read(gate[0], &one, 1) < 0) {
        st_fail(ctx, "no gate");
    }
}

ST_SINK(failing, int64_t)
{
    st_fail(ctx, "as it has to");
}

static _Atomic int own_count;

static void on_own(int number)
{
    (void)number;
    own_count++;
}

ST_SOURCE(until_own, int64_t)
{
    st_poll_at(ctx, st_now(ctx) + 1);
    return own_count > 0 ? ST_END : ST_IDLE;
}

/* A sink that says which of its transactions it gives up. */
static void begin(st_context *ctx, void *txn)
{
    (void)ctx, (void)txn;
}

static void take(st_context *ctx, void *txn, const void *records, uint32_t count)
{
    (void)ctx, (void)records;
    ((transaction *)txn)->number += count;
}

static void nothing(st_context *ctx, void *txn)
{
    (void)ctx, (void)txn;
}

static void commit(st_context *ctx, const void *txn)
{
    (void)ctx, (void)txn;
    fputs("committed\n", stdout);
}

static void give_up(st_context *ctx, const void *txn)
{
    (void)ctx, (void)txn;
    fputs("aborted\n", stdout);
}

static const st_two_phase telling = {.in = &st_type_int64_t,
                                     .transaction = &st_type_transaction,
                                     .begin = begin,
                                     .write = take,
                                     .pre_commit = nothing,
                                     .commit = commit,
                                     .abort = give_up};

/* -------------------------------------------------------------------------------- The processes */

static char folder[FOLDER_SIZE];

/* Its exit code: 0, 128 + the signal, or 1. */
static int ended(st_env *env, enum st_err err)
{
    int code = err == ST_OK                                         ? 0
               : err == ST_ERR_CANCELLED && st_env_signal(env) != 0 ? 128 + st_env_signal(env)
                                                                    : 1;
    st_env_free(env);
    return code;
}

static int run_two_phase(void)
{
    st_env *env = st_env_new();
    st_env_listen(env);
    st_two_phase_sink(st_from_source(env, endless), telling);
    int code = ended(env, st_execute(env, "two phases"));
    struct sigaction behind;
    sigaction(SIGTERM, NULL, &behind);
    return behind.sa_handler == SIG_DFL ? code : 1;
}

static int run_stuck(void)
{
    st_env *env = st_env_new();
    st_env_listen(env);
    st_sink(st_from_source(env, endless), stuck);
    return ended(env, st_execute(env, "stuck"));
}

static int run_gated(void)
{
    close(gate[1]);
    st_env *env = st_env_new();
    st_env_listen(env);
    st_sink(st_from_source(env, endless), gated);
    return ended(env, st_execute(env, "gated"));
}

static int run_with_handler(void)
{
    struct sigaction own = {.sa_handler = on_own}, behind;
    sigaction(SIGTERM, &own, NULL);
    st_env *env = st_env_new();
    st_env_listen(env);
    st_discard(st_from_source(env, until_own));
    int code = ended(env, st_execute(env, "own handler"));
    sigaction(SIGTERM, NULL, &behind);
    return code == 0 && behind.sa_handler == on_own ? HANDLED : 1;
}

static int run_ignoring(void)
{
    signal(SIGINT, SIG_IGN);
    return run_two_phase();
}

static int run_failing(void)
{
    st_env *env = st_env_new();
    st_env_listen(env);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "1h");
    st_sink(st_from_source(env, endless), failing);
    return ended(env, st_execute(env, "failing"));
}

/* Begins a process; returns when its job can be asked. What it prints is in FOLDER/out. */
static pid_t start(int (*run)(void))
{
    char path[FOLDER_SIZE + 64];
    folder_make(folder);
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    fflush(NULL);
    pid_t job = fork();
    ck_assert_int_ge(job, 0);
    if (job == 0) {
        signal(SIGINT, SIG_DFL); /* libcheck handles them */
        signal(SIGTERM, SIG_DFL);
        snprintf(path, sizeof path, "%s/out", folder);
        if (freopen(path, "w", stdout) == NULL) {
            _exit(1);
        }
        int code = run();
        fflush(stdout);
        _exit(code);
    }
    snprintf(path, sizeof path, "%s/kcsim/stream-%ld.sock", folder, (long)job);
    while (access(path, F_OK) != 0) {
        usleep(10000);
    }
    return job;
}

/* Does the process catch the signal? (A line of /proc/PID/status has the mask.) */
static bool catches(pid_t job, int number)
{
    char path[64], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)job);
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        (void)sscanf(line, "SigCgt: %llx", &mask);
    }
    if (status != NULL) {
        fclose(status);
    }
    return ((mask >> (number - 1)) & 1) != 0;
}

static void await_catching(pid_t job, int number, bool wanted)
{
    while (catches(job, number) != wanted) {
        usleep(10000);
    }
}

/* How the process has ended, as waitpid has it. */
static int await_end(pid_t job)
{
    int status;
    ck_assert_int_eq(waitpid(job, &status, 0), job);
    return status;
}

static bool has_printed(const char *text)
{
    char path[FOLDER_SIZE + 8], printed[64] = "";
    snprintf(path, sizeof path, "%s/out", folder);
    FILE *from = fopen(path, "r");
    ck_assert_ptr_nonnull(from);
    printed[fread(printed, 1, sizeof printed - 1, from)] = '\0';
    fclose(from);
    return strcmp(printed, text) == 0;
}

static bool socket_is_left(pid_t job)
{
    char path[FOLDER_SIZE + 64];
    snprintf(path, sizeof path, "%s/kcsim/stream-%ld.sock", folder, (long)job);
    return access(path, F_OK) == 0;
}

/* --------------------------------------------------------------------------------------- Tests */

START_TEST(the_first_signal_cancels_the_job_in_order)
{
    const int numbers[] = {SIGINT, SIGTERM};
    pid_t job = start(run_two_phase);
    await_catching(job, numbers[_i], true);
    kill(job, numbers[_i]);
    int status = await_end(job);
    ck_assert_msg(WIFEXITED(status), "it was ended by a signal");
    ck_assert_int_eq(WEXITSTATUS(status), 128 + numbers[_i]);
    ck_assert(has_printed("aborted\n"));
    ck_assert(!socket_is_left(job));
    folder_remove(folder);
}
END_TEST

START_TEST(a_second_signal_ends_the_process)
{
    pid_t job = start(run_stuck);
    await_catching(job, SIGTERM, true);
    while (!has_printed("stuck\n")) {
        usleep(10000);
    }
    kill(job, SIGTERM);
    await_catching(job, SIGTERM, false);
    ck_assert_int_eq(waitpid(job, &(int){0}, WNOHANG), 0);
    kill(job, SIGINT);
    int status = await_end(job);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGINT);
    folder_remove(folder);
}
END_TEST

START_TEST(a_handler_of_the_programs_own_stays)
{
    pid_t job = start(run_with_handler);
    await_catching(job, SIGINT, true); /* the one that is free */
    kill(job, SIGTERM);
    ck_assert_int_eq(WEXITSTATUS(await_end(job)), HANDLED);
    folder_remove(folder);
}
END_TEST

START_TEST(a_signal_that_is_ignored_stays_so)
{
    pid_t job = start(run_ignoring);
    await_catching(job, SIGTERM, true);
    ck_assert(!catches(job, SIGINT));
    kill(job, SIGINT);
    kill(job, SIGTERM);
    ck_assert_int_eq(WEXITSTATUS(await_end(job)), 128 + SIGTERM);
    folder_remove(folder);
}
END_TEST

START_TEST(a_job_that_waits_to_begin_again_is_cancelled)
{
    pid_t job = start(run_failing);
    await_catching(job, SIGTERM, true);
    usleep(200000); /* mostly it has failed by then; if not, it is cancelled before */
    kill(job, SIGTERM);
    ck_assert_int_eq(WEXITSTATUS(await_end(job)), 128 + SIGTERM);
    ck_assert(!socket_is_left(job));
    folder_remove(folder);
}
END_TEST

/* Puts a question to the job; what it answers is read from the returned descriptor. */
static int ask(pid_t job, const char *question)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/kcsim/stream-%ld.sock", folder,
             (long)job);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address),
                     0);
    ck_assert_int_eq(send(fd, question, strlen(question), 0), (ssize_t)strlen(question));
    return fd;
}

static void await_running(pid_t job)
{
    char answer[256];
    do {
        int asked = ask(job, "status\n");
        memset(answer, 0, sizeof answer);
        ck_assert_int_gt(read(asked, answer, sizeof answer - 1), 0);
        close(asked);
    } while (strstr(answer, ", running for ") == NULL);
}

START_TEST(a_savepoint_that_a_signal_overtakes_is_not_called_done)
{
    char question[FOLDER_SIZE + 16], answer[64] = "";
    ck_assert_int_eq(pipe(gate), 0);
    pid_t job = start(run_gated);
    close(gate[0]);
    await_running(job);
    snprintf(question, sizeof question, "savepoint %s\n", folder);
    int asked = ask(job, question);
    usleep(100000); /* mostly it has been taken up by then: it waits for the sink */
    kill(job, SIGTERM);
    await_catching(job, SIGTERM, false);
    usleep(100000);
    close(gate[1]);
    ck_assert_int_gt(read(asked, answer, sizeof answer - 1), 0);
    ck_assert_str_eq(answer, "error cancelled\n");
    close(asked);
    ck_assert_int_eq(WEXITSTATUS(await_end(job)), 128 + SIGTERM);
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *tc = tcase_create("signals");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, the_first_signal_cancels_the_job_in_order, 0, 2);
    tcase_add_test(tc, a_second_signal_ends_the_process);
    tcase_add_test(tc, a_handler_of_the_programs_own_stays);
    tcase_add_test(tc, a_signal_that_is_ignored_stays_so);
    tcase_add_test(tc, a_job_that_waits_to_begin_again_is_cancelled);
    tcase_add_test(tc, a_savepoint_that_a_signal_overtakes_is_not_called_done);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
