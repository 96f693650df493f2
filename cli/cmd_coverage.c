/*
 * kcsim coverage FILE|DIR…: which moves of the two state machines scenarios or traces show.
 *
 *     65 cells = 7 x 7 moves of a replica + 4 x 4 of a partition
 *
 * A cell counts the moves made, or refused where the table forbids them; the list below names the
 * legal ones that nothing shows, and for each that is shown the first file that does. Being put
 * into a state at start-up is no move.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/look.h"
#include "cli/play.h"
#include "sim/trace.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

enum { STATES_MAX = SM_REPLICA_STATE_END };

struct cell {
    uint64_t count;
    const char *first; /* file; borrowed */
};

struct machine {
    const char *name; /* as in the trace */
    const char *title;
    uint32_t end;                             /* states are 1 … end - 1 */
    struct cell cell[STATES_MAX][STATES_MAX]; /* [from][to] */
};

struct coverage {
    struct machine replica, partition;
    struct sm_profile profile;
};

static const char *state_name(const struct machine *m, uint32_t state)
{
    return m->end == SM_REPLICA_STATE_END ? sm_replica_state_name(state)
                                          : sm_partition_state_name(state);
}

static bool is_legal(const struct coverage *c, const struct machine *m, uint32_t from, uint32_t to)
{
    return m == &c->replica ? sm_replica_may_move(&c->profile, from, to)
                            : sm_partition_may_move(&c->profile, from, to);
}

static uint32_t state_named(const struct machine *m, const char *name)
{
    for (uint32_t s = 1; name != NULL && s < m->end; s++)
        if (strcmp(name, state_name(m, s)) == 0)
            return s;
    return 0;
}

static void count_move(struct coverage *c, const struct sim_record *record, const char *file)
{
    const char *name = sim_record_text(record, SIM_F_MACHINE);
    if (name == NULL || sim_record_int(record, SIM_F_DIRECT, 0) != 0)
        return;
    struct machine *m = strcmp(name, c->replica.name) == 0 ? &c->replica : &c->partition;
    uint32_t from = state_named(m, sim_record_text(record, SIM_F_FROM));
    uint32_t to = state_named(m, sim_record_text(record, SIM_F_TO));
    if (from == 0 || to == 0)
        return;
    if (m->cell[from][to].count++ == 0)
        m->cell[from][to].first = file;
}

static void count_trace(struct coverage *c, const struct sim_trace *trace, const char *file)
{
    struct sim_record record;
    for (uint64_t n = 1; sim_trace_get(trace, n, &record); n++)
        if (record.kind == SIM_K_MOVE)
            count_move(c, &record, file);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static enum sim_exit count_file(struct coverage *c, const char *file)
{
    if (ends_with(file, ".ndjson")) {
        struct sim_trace *trace = cli_trace_open(file);
        if (trace == NULL)
            return SIM_EXIT_DATA;
        count_trace(c, trace, file);
        sim_trace_free(trace);
        return SIM_EXIT_MET;
    }
    struct sim_diagnostics diagnostics;
    struct cli_play play;
    sim_diagnostics_init(&diagnostics);
    bool good = cli_play_file(&play, file, &(struct cli_play_options){0}, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&diagnostics);
    if (!good)
        return SIM_EXIT_DATA;
    count_trace(c, play.trace, file);
    enum sim_exit code = play.failed ? SIM_EXIT_SOFTWARE : SIM_EXIT_MET;
    cli_play_free(&play);
    return code;
}

/* ---- output ---- */

static uint32_t shown(const struct machine *m)
{
    uint32_t n = 0;
    for (uint32_t from = 1; from < m->end; from++)
        for (uint32_t to = 1; to < m->end; to++)
            n += m->cell[from][to].count > 0;
    return n;
}

/* Columns are numbered as the rows are; a dot is a legal move that nothing shows, a dash a
   forbidden one that nothing tried. */
static void print_matrix(const struct coverage *c, const struct machine *m)
{
    printf("%s: %u of %u moves\n\n%-30s", m->title, shown(m), (m->end - 1) * (m->end - 1),
           "  from \\ to");
    for (uint32_t to = 1; to < m->end; to++)
        printf("%8u", to);
    puts("");
    for (uint32_t from = 1; from < m->end; from++) {
        printf("%2u %-27s", from, state_name(m, from));
        for (uint32_t to = 1; to < m->end; to++) {
            const struct cell *cell = &m->cell[from][to];
            if (cell->count > 0)
                printf("%7llu%c", (unsigned long long)cell->count,
                       is_legal(c, m, from, to) ? ' ' : 'x');
            else
                printf("%7s ", is_legal(c, m, from, to) ? "." : "-");
        }
        puts("");
    }
    puts("");
}

static void print_list(const struct coverage *c, const struct machine *m)
{
    for (uint32_t from = 1; from < m->end; from++) {
        for (uint32_t to = 1; to < m->end; to++) {
            const struct cell *cell = &m->cell[from][to];
            bool legal = is_legal(c, m, from, to);
            if (cell->count == 0 && !legal)
                continue;
            printf("%-9s %s -> %s%s%s\n",
                   cell->count == 0 ? "not shown"
                   : legal          ? "shown"
                                    : "refused",
                   state_name(m, from), state_name(m, to), cell->count == 0 ? "" : "  ",
                   cell->count == 0 ? "" : cell->first);
        }
    }
}

struct arguments {
    bool list;
    char **names;
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    struct coverage c = {
        .replica = {.name = "replica", .title = "ReplicaStateMachine", .end = SM_REPLICA_STATE_END},
        .partition = {.name = "partition",
                      .title = "PartitionStateMachine",
                      .end = SM_PARTITION_STATE_END},
        .profile = sm_profile_of(SM_VERSION_2_8)};
    cli_parse(command, argc, argv, &a);
    char **files = cli_scenario_files(a.names);
    if (files == NULL)
        return SIM_EXIT_DATA;
    cli_catch_interrupt();
    enum sim_exit code = SIM_EXIT_MET;
    for (char **file = files; *file != NULL && !cli_is_interrupted(); file++)
        code = cli_worse(code, count_file(&c, *file));
    if (cli_is_interrupted())
        code = SIM_EXIT_INTERRUPTED;
    print_matrix(&c, &c.replica);
    print_matrix(&c, &c.partition);
    puts("number: moves made; x: refused; . legal, not shown; - forbidden, not tried");
    if (a.list) {
        puts("");
        print_list(&c, &c.replica);
        print_list(&c, &c.partition);
    }
    cli_scenario_files_free(files);
    return (int)code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    (void)arg;
    switch (key) {
    case 'l':
        a->list = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->names = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenarios or traces?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "list", .key = 'l', .doc = "name each move, and the first file that shows it"},
    {0},
};

const struct cli_command cli_coverage = {
    .name = "coverage",
    .group = "Run",
    .line = "which moves of the state machines scenarios show",
    .arguments = "FILE|DIR…",
    .examples = "kcsim coverage scenarios\nkcsim coverage out.ndjson --list\n",
    .options = options,
    .parse = parse,
    .run = run,
};
