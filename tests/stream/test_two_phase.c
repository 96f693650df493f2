/*
 * The sink that commits in two phases, killed (SIGKILL) between every two of its steps.
 *
 *     step 1 ─ step 2 ─ … ─ step n ╳ killed before it       what is restored is killed before its
 *                       recovery: step 1 ─ … ─ step m ╳     own step m, and a third one runs to
 *                       recovery: ─────────────────► end    the end: each number is there once
 *
 * A step is a call of the sink's functions or a change of the disk: what the runtime's code calls
 * to make, write, sync, rename and remove files is counted here before it is done (the linker's
 * --wrap). So "every two steps" is that by construction: between begin, write, pre-commit, the
 * parts of the snapshot, its rename, the commit and the next checkpoint that forgets. The job runs
 * in steps on virtual time: a run is the same each time.
 *
 * Three sinks: the files that come with us, rolled at each checkpoint or by their limits; one of a
 * user's own, a journal in which a transaction is lines "B id", "W id number", "P id", "C id", "A
 * id", each appended by one write; and that of examples/ledger.c, with the job that it is in.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "once.h"
#include "stream/checkpoint.h"
#include "stream/files.h"
#include "stream/stream.h"

#define NUMBERS      36
#define STEPS_MAX    2000
#define RECOVERY_MAX 14 /* how many steps of the recovery are tried; all of it, and some behind */

/* --------------------------------------------------------------------------------------- Steps */

struct steps {
    int64_t kill_before; /* the step that is not done any more; 0: none */
    int64_t count;
    int64_t recovered_commits, recovered_aborts;
    int64_t runs_anew; /* of one folder: that had no checkpoint to go on with */
    char names[STEPS_MAX][40];
};
static struct steps *steps; /* shared with the job's process */
static bool counting;       /* in the job's process */

/* In the job's process: what libcheck says goes through calls that are counted. */
static void must(bool holds, const char *what)
{
    if (!holds) {
        counting = false;
        fprintf(stderr, "%s\n", what);
        _exit(3);
    }
}

static void step(const char *name, const char *detail)
{
    if (!counting) {
        return;
    }
    must(steps->count < STEPS_MAX - 1, "too many steps");
    snprintf(steps->names[steps->count++], sizeof steps->names[0], "%s %s", name, detail);
    if (steps->count == steps->kill_before) {
        kill(getpid(), SIGKILL);
    }
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* What the runtime calls, counted. Sync does nothing more: a kill leaves the system's memory. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    if ((flags & O_CREAT) != 0) {
        step("make", base(path));
    }
    return __real_open(path, flags, 0644);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    step("write", "");
    return __real_write(fd, data, size);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    step("sync", "");
    return 0;
}

int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
    step("truncate", "");
    return __real_ftruncate(fd, size);
}

int __real_truncate(const char *path, off_t size);
int __wrap_truncate(const char *path, off_t size);
int __wrap_truncate(const char *path, off_t size)
{
    step("truncate", base(path));
    return __real_truncate(path, size);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    step("rename", base(to));
    return __real_rename(from, to);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    step("unlink", base(path));
    return __real_unlink(path);
}

int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
    step("rmdir", base(path));
    return __real_rmdir(path);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (mode[0] == 'w') {
        step("make", base(path));
    }
    return __real_fopen(path, mode);
}

size_t __real_fwrite(const void *data, size_t size, size_t count, FILE *file);
size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *file);
size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *file)
{
    step("fwrite", "");
    return __real_fwrite(data, size, count, file);
}

int __real_fflush(FILE *file);
int __wrap_fflush(FILE *file);
int __wrap_fflush(FILE *file)
{
    step("flush", "");
    return __real_fflush(file);
}

/* ---------------------------------------------------------------------- A sink of a user's own */

typedef struct {
    int64_t id;
    st_str name; /* text in a transaction is kept by the runtime */
} journal_txn;
ST_TYPE(journal_txn, id, name);

struct journal {
    int fd;
    int64_t next;
};

static const char *journal_path;

static void journal_line(st_context *ctx, const char *format, char what, int64_t id, int64_t number)
{
    struct journal *journal = ctx->self;
    char line[64];
    int size = snprintf(line, sizeof line, format, what, id, number);
    must(__real_write(journal->fd, line, (size_t)size) == size, "the journal refuses");
}

static void journal_begin(st_context *ctx, void *txn)
{
    struct journal *journal = ctx->self;
    if (journal->fd == 0) {
        journal->fd = __real_open(journal_path, O_RDWR | O_CREAT | O_APPEND, 0644);
        must(journal->fd >= 0, "no journal");
        journal->next = getpid() * INT64_C(1000); /* no other process has its ids */
    }
    int64_t id = journal->next++ * 10 + ctx->subtask;
    *(journal_txn *)txn = (journal_txn){id, st_format(ctx, "txn %" PRId64, id)};
    step("begin", "");
    journal_line(ctx, "%c %" PRId64 "\n", 'B', id, 0);
    step("begun", "");
}

static void journal_write(st_context *ctx, void *txn, const void *records, uint32_t count)
{
    const int64_t *numbers = records;
    for (uint32_t k = 0; k < count; k++) {
        step("write", "");
        journal_line(ctx, "%c %" PRId64 " %" PRId64 "\n", 'W', ((journal_txn *)txn)->id,
                     numbers[k]);
    }
}

static void journal_pre_commit(st_context *ctx, void *txn)
{
    step("pre-commit", "");
    journal_line(ctx, "%c %" PRId64 "\n", 'P', ((const journal_txn *)txn)->id, 0);
    step("pre-committed", "");
}

static void journal_end(st_context *ctx, char what, const void *txn, const char *name)
{
    const journal_txn *one = txn;
    struct journal *journal = ctx->self;
    char expected[32];
    snprintf(expected, sizeof expected, "txn %" PRId64, one->id);
    must(st_str_equal(one->name, st_str_of(expected)), "its text is another");
    if (journal->fd == 0) { /* recovery comes before the first begin */
        journal->fd = __real_open(journal_path, O_RDWR | O_CREAT | O_APPEND, 0644);
        journal->next = getpid() * INT64_C(1000);
    }
    step(name, "");
    journal_line(ctx, "%c %" PRId64 "\n", what, one->id, 0);
    step(name, "done");
}

static void journal_commit(st_context *ctx, const void *txn)
{
    journal_end(ctx, 'C', txn, "commit");
}

static void journal_abort(st_context *ctx, const void *txn)
{
    journal_end(ctx, 'A', txn, "abort");
}

static void journal_recover_and_commit(st_context *ctx, const void *txn)
{
    steps->recovered_commits++;
    journal_end(ctx, 'C', txn, "recover and commit");
}

static void journal_recover_and_abort(st_context *ctx, const void *txn)
{
    steps->recovered_aborts++;
    journal_end(ctx, 'A', txn, "recover and abort");
}

static const st_two_phase journal_sink = {
    .in = &st_type_int64_t,
    .transaction = &st_type_journal_txn,
    .begin = journal_begin,
    .write = journal_write,
    .pre_commit = journal_pre_commit,
    .commit = journal_commit,
    .abort = journal_abort,
    .recover_and_commit = journal_recover_and_commit,
    .recover_and_abort = journal_recover_and_abort,
};

static void journal_close(st_context *ctx)
{
    const struct journal *journal = ctx->self;
    if (journal->fd != 0) {
        close(journal->fd);
    }
}

/* What a transaction has been through, in the order of the journal. */
struct seen {
    int64_t id;
    int64_t numbers[NUMBERS];
    int count;
    bool begun, pre_committed, committed, aborted;
};
static struct seen seen[512];
static int seen_count;

static struct seen *seen_of(int64_t id)
{
    int i = 0;
    while (i < seen_count && seen[i].id != id) {
        i++;
    }
    ck_assert_int_lt(i, 512);
    if (i == seen_count) {
        seen[seen_count++] = (struct seen){.id = id};
    }
    return &seen[i];
}

/* The order of the functions is that of their contract; returns the committed numbers. */
static struct once_numbers read_journal(void)
{
    struct once_numbers numbers = {0};
    FILE *file = __real_fopen(journal_path, "r");
    char what;
    int64_t id, number;
    seen_count = 0;
    while (file != NULL && fscanf(file, " %c %" SCNd64, &what, &id) == 2) {
        struct seen *one = seen_of(id);
        ck_assert_msg(one->begun || what == 'B', "%c before B", what);
        ck_assert_msg(!one->aborted || what == 'A', "%c of an aborted transaction", what);
        switch (what) {
        case 'B':
            one->begun = true;
            break;
        case 'W':
            ck_assert_int_eq(fscanf(file, "%" SCNd64, &number), 1);
            ck_assert_msg(!one->pre_committed, "written to behind its pre-commit");
            ck_assert_int_lt(one->count, NUMBERS);
            one->numbers[one->count++] = number;
            break;
        case 'P':
            one->pre_committed = true;
            break;
        case 'C':
            ck_assert_msg(one->pre_committed, "committed without a pre-commit");
            one->committed = true;
            break;
        case 'A':
            ck_assert_msg(!one->committed, "aborted behind its commit");
            one->aborted = true;
            break;
        default:
            ck_abort_msg("a torn journal");
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    for (int i = 0; i < seen_count; i++) {
        for (int k = 0; seen[i].committed && k < seen[i].count; k++) {
            once_add(&numbers, seen[i].numbers[k]);
        }
    }
    return numbers;
}

/* ------------------------------------------------------------------------------------- The job */

ST_LIST_STATE(position, int64_t);

struct source {
    int64_t next;      /* kept in the checkpoint */
    int64_t next_time; /* of this process's clock, which begins at 0 */
};

static void restore_position(st_context *ctx)
{
    uint32_t count;
    const int64_t *next = st_list_get(ctx, &position, &count);
    ((struct source *)ctx->self)->next = count > 0 ? *next : 0;
}

static void save_position(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    st_list_update(ctx, &position, &((struct source *)ctx->self)->next, 1);
    step("source", "snapshot");
}

static void note_complete(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx, (void)checkpoint_id;
    step("source", "complete");
}

/* Three numbers each 4 ms, so that a checkpoint each 10 ms has some. */
ST_SOURCE(numbers_by_the_clock, int64_t)
{
    struct source *self = ctx->self;
    for (int i = 0; i < 3 && self->next < NUMBERS && st_now(ctx) >= self->next_time; i++) {
        st_emit(out, &self->next);
        self->next++;
    }
    self->next_time += st_now(ctx) >= self->next_time ? 4 : 0;
    st_poll_at(ctx, self->next_time);
    return self->next < NUMBERS ? ST_IDLE : ST_END;
}

enum sink { SINK_FILES, SINK_ROLLED, SINK_JOURNAL, SINK_LEDGER };
static const char *const sink_names[] = {"files", "rolled files", "journal", "ledger"};

int st_job(st_env *env, int argc, char **argv); /* of examples/ledger.c */

static void build_ledger(st_env *env, const char *folder)
{
    static char output[128], count[16];
    snprintf(output, sizeof output, "%s/ledger", folder);
    snprintf(count, sizeof count, "%d", NUMBERS);
    char name[] = "ledger", output_flag[] = "--output", count_flag[] = "--count";
    char *argv[] = {name, output_flag, output, count_flag, count, NULL};
    must(st_job(env, 5, argv) == 0, "the ledger's job");
}

static void build_job(st_env *env, enum sink sink, const char *folder)
{
    static char out[128];
    snprintf(out, sizeof out, "%s/out", folder);
    st_stream *s = st_from_source(
        env, numbers_by_the_clock, .self_size = sizeof(struct source),
        .operator_states = ST_STATES(&position), .initialize_state = restore_position,
        .snapshot_state = save_position, .notify_checkpoint_complete = note_complete);
    s = st_rebalance(s);
    if (sink == SINK_FILES) {
        st_write_files(s, out, .parallelism = 2);
    } else if (sink == SINK_ROLLED) { /* over checkpoints, and twice between two of them */
        st_write_files(s, out, .parallelism = 2, .max_part_size = 8, .rollover_ms = 23);
    } else {
        st_two_phase_sink(s, journal_sink, .parallelism = 2, .self_size = sizeof(struct journal),
                          .close = journal_close);
    }
}

static int run_job(enum sink sink, const char *folder)
{
    char dir[128];
    snprintf(dir, sizeof dir, sink == SINK_LEDGER ? "%s/ledger.checkpoints" : "%s/ck", folder);
    counting = true;
    steps->count = 0;
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    st_env_set(env, "execution.checkpointing.dir", dir);
    if (checkpoint_newest(dir, CHECKPOINT) > 0) {
        st_env_set(env, "execution.savepoint.path", dir);
    } else {
        steps->runs_anew++;
    }
    if (sink == SINK_LEDGER) {
        build_ledger(env, folder);
    } else {
        build_job(env, sink, folder);
    }
    st_env_run_in_steps(env);
    enum st_err err = st_execute(env, "two phases");
    counting = false;
    if (err != ST_OK) {
        fputs(st_env_error(env), stderr);
    }
    st_env_free(env);
    return err == ST_OK ? 0 : 1;
}

/* Returns whether it was killed before its step. */
static bool run(enum sink sink, const char *folder, int64_t kill_before)
{
    steps->kill_before = kill_before;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        _exit(run_job(sink, folder));
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ck_assert_msg(killed || status == 0, "%s: status %d at step %" PRId64 " (%s)", sink_names[sink],
                  status, steps->count, steps->names[steps->count - 1]);
    return killed;
}

/* Pages 1, 2, 3 … each with its numbers before it. */
static void read_ledger(struct once_numbers *numbers, const char *folder)
{
    char path[128], line[64];
    int64_t number, page = 0;
    snprintf(path, sizeof path, "%s/ledger", folder);
    FILE *file = __real_fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "= %" SCNd64, &number) == 1) {
            ck_assert_int_eq(number, ++page);
        } else {
            ck_assert_int_eq(sscanf(line, "%" SCNd64, &number), 1);
            once_add(numbers, number);
        }
    }
    fclose(file);
    ck_assert_int_gt(page, 3);
}

static void check_once(enum sink sink, const char *folder, int64_t n, int64_t m, const char *where)
{
    char out[128];
    struct once_numbers numbers = {0};
    if (sink == SINK_FILES || sink == SINK_ROLLED) {
        snprintf(out, sizeof out, "%s/out", folder);
        once_add_folder(&numbers, out, "part-");
    } else if (sink == SINK_JOURNAL) {
        numbers = read_journal();
    } else {
        read_ledger(&numbers, folder);
    }
    struct once once = once_count(&numbers, NUMBERS);
    ck_assert_msg(once_exactly(&once),
                  "%s, killed before step %" PRId64 " (%s), then %" PRId64 ": %s", sink_names[sink],
                  n, where, m, once_tell(&once));
    once_free(&numbers);
}

/* What nobody will ask for is gone, if each run could know of it. */
static void check_nothing_is_hidden(enum sink sink, const char *folder, const char *where)
{
    char out[128];
    snprintf(out, sizeof out, "%s/out", folder);
    bool is_told = (sink == SINK_FILES || sink == SINK_ROLLED) && steps->runs_anew == 1;
    DIR *dir = is_told ? opendir(out) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        ck_assert_msg(strncmp(entry->d_name, ".part-", 6) != 0,
                      "%s was left by one that was killed at %s", entry->d_name, where);
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* Killed before step n, its recovery before step m. Returns whether there is a step n; *recovered:
 * whether the recovery has a step m. */
static bool round_of(enum sink sink, int64_t n, int64_t m, bool *recovered)
{
    char folder[FOLDER_SIZE], journal[64], where[96] = "";
    folder_make_in_memory(folder);
    snprintf(journal, sizeof journal, "%s/journal", folder);
    journal_path = journal;
    steps->runs_anew = 0;
    bool killed = run(sink, folder, n);
    *recovered = false;
    if (killed) {
        int64_t at = steps->count;
        snprintf(where, sizeof where, "%s | %s", at > 1 ? steps->names[at - 2] : "",
                 steps->names[at - 1]);
        *recovered = m > 0 && run(sink, folder, m);
        if (m == 0 || *recovered) {
            ck_assert(!run(sink, folder, 0));
        }
    }
    check_once(sink, folder, n, m, where);
    check_nothing_is_hidden(sink, folder, where);
    files_remove_tree(folder); /* without a process more each time */
    return killed;
}

/* A whole run has all the steps that are to be killed between, in this order. */
static void expect_in_order(const char *const *names)
{
    int64_t at = 0;
    for (; *names != NULL; names++) {
        while (at < steps->count && strncmp(steps->names[at], *names, strlen(*names)) != 0) {
            at++;
        }
        ck_assert_msg(at < steps->count, "there is no step %s", *names);
        at++;
    }
}

START_TEST(the_steps_are_those_of_two_phases)
{
    static const char *const journal[] = {"begin ",       "begun",         "source snapshot",
                                          "write",        "pre-commit ",   "pre-committed",
                                          "begin ",       "make task-0",   "make _metadata",
                                          "rename chk-",  "commit ",       "commit done",
                                          "write",        "pre-committed", "rename chk-",
                                          "unlink task-", "rmdir chk-",    NULL};
    static const char *const files[] = {"make .part-0-0.inprogress.",
                                        "fwrite",
                                        "flush",
                                        "sync",
                                        "rename .part-0-0.pending.",
                                        "sync",
                                        "make task-0",
                                        "rename chk-",
                                        "rename part-0-0",
                                        "make .part-0-1.",
                                        "sync",
                                        "rename chk-",
                                        "unlink",
                                        NULL};
    static const char *const rolled[] = {"make .part-0-0.inprogress.",
                                         "fwrite",
                                         "flush",
                                         "sync",
                                         "make task-0",
                                         "rename chk-",
                                         "flush",
                                         "sync",
                                         "rename .part-0-0.pending.",
                                         "make .part-0-1.inprogress.",
                                         "rename chk-",
                                         "rename part-0-0",
                                         NULL};
    bool recovered;
    ck_assert(!round_of(SINK_JOURNAL, 0, 0, &recovered));
    expect_in_order(journal);
    ck_assert(!round_of(SINK_FILES, 0, 0, &recovered));
    expect_in_order(files);
    ck_assert(!round_of(SINK_ROLLED, 0, 0, &recovered));
    expect_in_order(rolled);
}
END_TEST

START_TEST(killed_between_every_two_steps)
{
    bool recovered;
    int64_t n = 1;
    while (round_of((enum sink)_i, n, 0, &recovered)) {
        n++;
    }
    ck_assert_int_gt(n, 100);
}
END_TEST

/* The recovery as well: of what is committed again, and aborted again. */
START_TEST(killed_again_in_the_recovery)
{
    bool recovered;
    int64_t kills = 0;
    steps->recovered_commits = steps->recovered_aborts = 0;
    for (int64_t m = 1; m <= RECOVERY_MAX; m++) {
        for (int64_t n = 1 + m % 5; round_of((enum sink)_i, n, m, &recovered); n += 5) {
            kills += recovered ? 1 : 0;
        }
    }
    ck_assert_int_gt(kills, 100);
    if (_i == SINK_JOURNAL) {
        ck_assert_int_gt(steps->recovered_commits, 50);
        ck_assert_int_gt(steps->recovered_aborts, 50);
    }
}
END_TEST

int main(void)
{
    steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (steps == MAP_FAILED) {
        return 1;
    }
    Suite *suite = suite_create("two phases");
    TCase *tc = tcase_create("two phases");
    tcase_set_timeout(tc, 400);
    tcase_add_test(tc, the_steps_are_those_of_two_phases);
    tcase_add_loop_test(tc, killed_between_every_two_steps, SINK_FILES, SINK_LEDGER + 1);
    tcase_add_loop_test(tc, killed_again_in_the_recovery, SINK_FILES, SINK_LEDGER + 1);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
