/*
 * kcsim coverage FILE|DIR…: which moves of the two state machines scenarios or traces show.
 *
 *     65 cells = 7 x 7 moves of a replica + 4 x 4 of a partition
 *
 * A cell counts the moves made, or refused where the table forbids them; the list below names the
 * legal ones that nothing shows, and for each that is shown the first file that does. Being put
 * into a state at start-up is no move.
 *
 * --new tells of each file what it is the first to show: coverage_first.h.
 *
 * --events counts pairs instead: in which controller event was a replica or partition met in which
 * state. What the controller had in work when a move was made or refused is the event of its lane
 * that began last.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/coverage_first.h"
#include "cli/look.h"
#include "cli/play.h"
#include "sim/trace.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

enum { STATES_MAX = SM_REPLICA_STATE_END, EVENTS_MAX = 64, LANES_MAX = 64 };

struct cell {
    uint64_t count;
    const char *first; /* file; borrowed */
};

struct machine {
    const char *name; /* as in the trace */
    const char *title;
    uint32_t end;                             /* states are 1 … end - 1 */
    struct cell cell[STATES_MAX][STATES_MAX]; /* [from][to] */
    struct cell met[STATES_MAX][EVENTS_MAX];  /* [state][event] */
};

struct coverage {
    struct machine replica, partition;
    struct sm_profile profile;
    char event[EVENTS_MAX][48]; /* names in the order in which they were seen */
    uint32_t event_count;
    /* What each controller has in work, while a trace is read; EVENTS_MAX: nothing. */
    uint32_t in_work[LANES_MAX];
    struct cli_firsts *firsts; /* NULL: nobody asks what is new */
    uint32_t files, showing;   /* files read, and those that show something new */
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

static void count_cell(struct cell *cell, const char *file)
{
    if (cell->count++ == 0)
        cell->first = file;
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
    count_cell(&m->cell[from][to], file);
    const uint32_t event = c->in_work[(uint32_t)sim_lane_id(record->at) % LANES_MAX];
    if (event < EVENTS_MAX)
        count_cell(&m->met[from][event], file);
}

/* Returns the number of an event's name; EVENTS_MAX where there is no room for more. */
static uint32_t event_named(struct coverage *c, const char *name)
{
    uint32_t i = 0;
    while (i < c->event_count && strcmp(c->event[i], name) != 0)
        i++;
    if (i == c->event_count && i < EVENTS_MAX)
        snprintf(c->event[c->event_count++], sizeof(c->event[0]), "%s", name);
    return i;
}

static void follow_queue(struct coverage *c, const struct sim_record *record)
{
    const char *what = sim_record_text(record, SIM_F_WHAT);
    const char *name = sim_record_text(record, SIM_F_NAME);
    uint32_t *in_work = &c->in_work[(uint32_t)sim_lane_id(record->at) % LANES_MAX];
    if (what != NULL && name != NULL && strcmp(what, "start") == 0)
        *in_work = event_named(c, name);
    else if (what != NULL && (strcmp(what, "done") == 0 || strcmp(what, "clear") == 0))
        *in_work = EVENTS_MAX;
}

static void count_trace(struct coverage *c, const struct sim_trace *trace, const char *file)
{
    struct sim_record record;
    for (uint32_t i = 0; i < LANES_MAX; i++)
        c->in_work[i] = EVENTS_MAX;
    for (uint64_t n = 1; sim_trace_get(trace, n, &record); n++) {
        if (record.kind == SIM_K_MOVE)
            count_move(c, &record, file);
        else if (record.kind == SIM_K_QUEUE)
            follow_queue(c, &record);
    }
}

/* ---- --new ---- */

/* Switches that differ from what the scenario's version has: how many are so for the first time. */
static uint32_t new_defects(struct coverage *c, const struct sim_scenario *s)
{
    const struct sm_profile usual = sm_profile_of(s->version);
    uint32_t count = 0;
    for (enum sm_defect d = 0; d < SM_DEFECT_END; d++) {
        char name[80];
        if (sm_defect_on(&usual, d) == sm_defect_on(&s->profile, d))
            continue;
        snprintf(name, sizeof(name), "defect %s %d", sm_defect_jira(d),
                 sm_defect_on(&s->profile, d));
        count += cli_firsts_name(c->firsts, name);
    }
    return count;
}

/* One line a file; scenario NULL: a trace. */
static void print_first(struct coverage *c, const struct sim_trace *trace,
                        const struct sim_scenario *scenario, const char *file)
{
    struct cli_first first = cli_firsts_trace(c->firsts, trace);
    if (scenario != NULL)
        first.defects = new_defects(c, scenario);
    c->files++;
    c->showing += first.moves + first.pairs + first.defects > 0;
    printf("%6u %6u %8u  %s\n", first.moves, first.pairs, first.defects, file);
}

/* ---- reading ---- */

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
        if (c->firsts != NULL)
            print_first(c, trace, NULL, file);
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
    if (c->firsts != NULL)
        print_first(c, play.trace, play.scenario, file);
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

/* One line a pair of state and event, in the order of states, then of first appearance. */
static void print_events(const struct coverage *c, const struct machine *m)
{
    uint32_t pairs = 0;
    for (uint32_t state = 1; state < m->end; state++)
        for (uint32_t event = 0; event < c->event_count; event++)
            pairs += m->met[state][event].count > 0;
    printf("%s: %u pairs of state and event\n\n", m->title, pairs);
    for (uint32_t state = 1; state < m->end; state++)
        for (uint32_t event = 0; event < c->event_count; event++)
            if (m->met[state][event].count > 0)
                printf("%-26s %-42s %6llu  %s\n", state_name(m, state), c->event[event],
                       (unsigned long long)m->met[state][event].count, m->met[state][event].first);
    puts("");
}

static void print_moves(const struct coverage *c, bool list)
{
    print_matrix(c, &c->replica);
    print_matrix(c, &c->partition);
    puts("number: moves made; x: refused; . legal, not shown; - forbidden, not tried");
    if (list) {
        puts("");
        print_list(c, &c->replica);
        print_list(c, &c->partition);
    }
}

struct arguments {
    bool list, events, news;
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
    if (a.news) {
        c.firsts = cli_firsts_new();
        puts(" moves  pairs  defects  first shown by");
    }
    cli_catch_interrupt();
    enum sim_exit code = SIM_EXIT_MET;
    for (char **file = files; *file != NULL && !cli_is_interrupted(); file++)
        code = cli_worse(code, count_file(&c, *file));
    if (cli_is_interrupted())
        code = SIM_EXIT_INTERRUPTED;
    if (a.news) {
        printf("%u of %u files show something that none before them shows\n", c.showing, c.files);
        cli_firsts_free(c.firsts);
    } else if (a.events) {
        print_events(&c, &c.replica);
        print_events(&c, &c.partition);
    } else {
        print_moves(&c, a.list);
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
    case 'e':
        a->events = true;
        return 0;
    case 'n':
        a->news = true;
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
    {.name = "events", .key = 'e', .doc = "pairs of state and controller event instead"},
    {.name = "new",
     .key = 'n',
     .doc = "of each file: moves, pairs of events that follow each other at one actor, and defects "
            "that none before it shows"},
    {0},
};

const struct cli_command cli_coverage = {
    .name = "coverage",
    .group = "Run",
    .line = "which moves of the state machines scenarios show",
    .arguments = "FILE|DIR…",
    .examples = "kcsim coverage scenarios\nkcsim coverage out.ndjson --list\n"
                "kcsim coverage scenarios --events\n"
                "kcsim coverage scenarios/basics mine.yaml --new\n",
    .options = options,
    .parse = parse,
    .run = run,
};
