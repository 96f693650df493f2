/*
 * A sink of one's own that commits in two phases: numbers go into a ledger, one file that only
 * grows, each of them once, whenever the process dies.
 *
 *     kcsim stream run examples/ledger [--steps] [--output FILE] [--count N] [--die-at N]
 *
 *     begin         a transaction is a page, known by its number
 *     write         lines into a file of the page
 *     pre_commit    the file is whole and synced
 *     commit        its lines are appended to the ledger, and "= NUMBER" behind them; it is removed
 *     abort         it is removed
 *
 * The process may die within any of them. What a checkpoint has as pre-committed is committed by
 * whoever goes on with it, perhaps for the second time; so recover_and_commit looks what the ledger
 * ends with.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "examples/example.h"

#define PATH_SIZE 1024

typedef struct {
    int64_t number;
} ledger_page;
ST_TYPE(ledger_page, number);

struct ledger {
    FILE *page; /* that is written to; NULL: it has no line yet */
    int64_t next;
};

static const char *ledger_path;
static int64_t die_at;

static void page_path(const ledger_page *page, char *path)
{
    snprintf(path, PATH_SIZE, "%s.page-%" PRId64, ledger_path, page->number);
}

/* The last page that the ledger has. What is behind it, of a commit that was cut short, goes. */
static int64_t last_page(st_context *ctx)
{
    char line[64];
    long whole = 0;
    int64_t number, last = 0;
    FILE *ledger = fopen(ledger_path, "r");
    while (ledger != NULL && fgets(line, sizeof line, ledger) != NULL) {
        if (sscanf(line, "= %" SCNd64, &number) == 1 && strchr(line, '\n') != NULL) {
            whole = ftell(ledger);
            last = number;
        }
    }
    if (ledger != NULL) {
        fclose(ledger);
        if (truncate(ledger_path, whole) != 0) {
            st_fail(ctx, "%s: %s", ledger_path, strerror(errno));
        }
    }
    return last;
}

static void ledger_begin(st_context *ctx, void *txn)
{
    struct ledger *ledger = ctx->self;
    ledger->next = ledger->next == 0 ? last_page(ctx) + 1 : ledger->next;
    ((ledger_page *)txn)->number = ledger->next++;
}

static void ledger_write(st_context *ctx, void *txn, const void *records, uint32_t count)
{
    struct ledger *ledger = ctx->self;
    const int64_t *numbers = records;
    char path[PATH_SIZE];
    page_path(txn, path);
    if (ledger->page == NULL && (ledger->page = fopen(path, "w")) == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
    for (uint32_t k = 0; k < count; k++) {
        fprintf(ledger->page, "%" PRId64 "\n", numbers[k]);
    }
}

/* Written and on the disk, or the job fails. (To survive the machine's end as well, a sink syncs
 * the folder too.) */
static void save(st_context *ctx, FILE *file)
{
    bool saved = ferror(file) == 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !saved) {
        st_fail(ctx, "%s: %s", ledger_path, strerror(errno));
    }
}

static void ledger_pre_commit(st_context *ctx, void *txn ST_UNUSED)
{
    struct ledger *ledger = ctx->self;
    FILE *file = ledger->page;
    ledger->page = NULL;
    save(ctx, file);
}

static void ledger_commit(st_context *ctx, const void *txn)
{
    char path[PATH_SIZE], line[64];
    page_path(txn, path);
    FILE *from = fopen(path, "r"), *to = fopen(ledger_path, "a");
    if (from == NULL || to == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, from) != NULL) {
        fputs(line, to);
    }
    fflush(to);
    fprintf(to, "= %" PRId64 "\n", ((const ledger_page *)txn)->number);
    fclose(from);
    save(ctx, to);
    unlink(path);
}

static void ledger_recover_and_commit(st_context *ctx, const void *txn)
{
    char path[PATH_SIZE];
    page_path(txn, path);
    if (((const ledger_page *)txn)->number > last_page(ctx)) {
        ledger_commit(ctx, txn);
    }
    unlink(path);
}

static void ledger_abort(st_context *ctx, const void *txn)
{
    struct ledger *ledger = ctx->self;
    char path[PATH_SIZE];
    page_path(txn, path);
    if (ledger->page != NULL) {
        fclose(ledger->page);
        ledger->page = NULL;
    }
    unlink(path); /* it may never have been made */
}

static const st_two_phase ledger_sink = {
    .in = &st_type_int64_t,
    .transaction = &st_type_ledger_page,
    .begin = ledger_begin,
    .write = ledger_write,
    .pre_commit = ledger_pre_commit,
    .commit = ledger_commit,
    .abort = ledger_abort,
    .recover_and_commit = ledger_recover_and_commit,
};

/* The process ends on the spot, as if it had been killed. */
ST_FILTER(may_die, int64_t)
{
    if (*in == die_at) {
        _exit(9);
    }
    return true;
}

int st_job(st_env *env, int argc, char **argv)
{
    static char checkpoints[PATH_SIZE];
    int64_t count = strtoll(example_flag(argc, argv, "--count", "40"), NULL, 10);
    ledger_path = example_flag(argc, argv, "--output", "ledger");
    die_at = strtoll(example_flag(argc, argv, "--die-at", "-1"), NULL, 10);
    snprintf(checkpoints, sizeof checkpoints, "%s.checkpoints", ledger_path);
    st_env_set(env, "execution.checkpointing.interval", "7ms");
    st_env_set(env, "execution.checkpointing.dir", checkpoints);
    st_stream *numbers = st_from_sequence(env, 0, count - 1, .rate_per_s = 1000, .parallelism = 1);
    st_two_phase_sink(st_filter(numbers, may_die), ledger_sink, .uid = "ledger", .parallelism = 1,
                      .self_size = sizeof(struct ledger));
    return 0;
}
