/*
 * kcsim explain NAME: what a word of kcsim means, printed from the tables that decide it.
 *
 * NAME is a topic (a row below), or one word of a table: an event of the trace, a verb of a step, a
 * defect. Only the topics that explain the shape of a scenario (targets, expectations, times) are
 * text of their own; docs/scenarios.md has the whole grammar.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/defects.h"
#include "sim/client_properties.h"
#include "sim/grammar.h"
#include "sim/pattern.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "statemachine/explain.h"
#include "statemachine/profile.h"

struct arguments {
    const char *name;
    bool svg, format_given;
    enum sm_version version;
};

struct topic {
    const char *name, *line;
    void (*print)(const struct arguments *a);
    const char *text; /* where print is NULL */
};

static void put(void *ctx, const char *bytes, size_t size)
{
    fwrite(bytes, 1, size, ctx);
}

static void print_machine(const struct arguments *a)
{
    struct sm_profile profile = sm_profile_of(a->version);
    struct sm_sink sink = {.put = put, .ctx = stdout};
    enum sm_machine machine = sm_machine_named(a->name);
    if (a->svg)
        sm_explain_svg(machine, &profile, &sink);
    else
        sm_explain_markdown(machine, &profile, &sink);
}

static void print_defects(const struct arguments *a)
{
    struct sm_profile profile = sm_profile_of(a->version);
    if (a->format_given)
        cli_print_defects_markdown();
    else
        cli_print_defects(&profile);
}

static void print_versions(const struct arguments *a)
{
    (void)a;
    puts("kafka: VERSION in a scenario. Rules that each version follows:\n");
    printf("%-36s", "");
    for (enum sm_version v = SM_VERSION_NONE + 1; v < SM_VERSION_END; v++)
        printf(" %9s", sm_version_name(v));
    puts("");
    for (enum sm_rule rule = 0; rule < SM_RULE_END; rule++) {
        printf("%-36s", sm_rule_name(rule));
        for (enum sm_version v = SM_VERSION_NONE + 1; v < SM_VERSION_END; v++) {
            struct sm_profile profile = sm_profile_of(v);
            printf(" %9s", sm_rule_on(&profile, rule) ? "yes" : "-");
        }
        puts("");
    }
    puts("\nkcsim explain defects --kafka VERSION lists its defects.");
}

static void print_checks(const struct arguments *a)
{
    if (a->format_given) {
        sim_checks_document(stdout);
        return;
    }
    puts("Checks, made after every event of a run. {always: NAME} expects one to hold, {never: "
         "NAME}\n"
         "to be violated. Those with a V are about liveness, and need `heal` (kcsim explain "
         "heal).\n");
    for (int i = 0; i < SIM_CHECK_END; i++)
        printf("  %-3s %-29s %s\n", sim_check_number((enum sim_check)i),
               sim_check_name((enum sim_check)i), sim_check_text((enum sim_check)i));
    puts("\nWhat is seen in some runs, and should be in each campaign: {sometimes: NAME}\n");
    for (int i = 0; i < SIM_SOMETIMES_END; i++)
        printf("  %-33s %s\n", sim_sometimes_name((enum sim_sometimes)i),
               sim_sometimes_text((enum sim_sometimes)i));
}

static void print_schema(const struct arguments *a)
{
    (void)a;
    sim_schema_print(stdout);
}

static void print_keys(enum sim_shape shape)
{
    for (const struct sim_key *k = sim_keys; k->name != NULL; k++)
        if (k->shape == shape)
            printf("  %-20s %s%s\n", k->name, k->text,
                   k->later ? " (not modelled yet)" : "");
}

static void print_file(const struct arguments *a)
{
    (void)a;
    puts("Keys of a scenario file:\n");
    print_keys(SIM_SHAPE_FILE);
    puts("\nkcsim explain NAME lists the keys of:\n");
    for (enum sim_shape s = SIM_SHAPE_FILE + 1; s < SIM_SHAPE_END; s++)
        printf("  %-20s %s\n", sim_shape_name(s), sim_shape_text(s));
}

static void print_clients(const struct arguments *a)
{
    (void)a;
    puts("Rows of `clients`: - {produce: orders, rate: 100/s}, - {consume: orders, group: g1},\n- "
         "{transform: in -> out, group: g, transactional-id: tx}.\n");
    print_keys(SIM_SHAPE_CLIENT);
    puts("\nExpected of one: {end: {client: p1, is: {acked: 100}}}; kcsim explain is-client lists\n"
         "what there is. kcsim explain client-properties: librdkafka's properties.");
}

static void print_client_properties(const struct arguments *a)
{
    static const char *const owners[] = {
        [SIM_CP_ANY] = "any", [SIM_CP_PRODUCER] = "producer", [SIM_CP_CONSUMER] = "consumer"};
    (void)a;
    puts("properties of a client, in librdkafka's names. Those that have an effect:\n");
    for (const struct sim_client_property *p = sim_client_properties; p->name != NULL; p++)
        if (p->type != SIM_CP_IGNORED && p->instead == NULL)
            printf("  %-42s %s\n", p->name, owners[p->owner]);
    puts("\nKnown, without effect here (a warning):\n");
    for (const struct sim_client_property *p = sim_client_properties; p->name != NULL; p++)
        if (p->type == SIM_CP_IGNORED)
            printf("  %-42s %s\n", p->name, owners[p->owner]);
}

static void print_faults(const struct arguments *a)
{
    (void)a;
    puts("Verbs of a step. Each takes a target (kcsim explain targets) or arguments of its own\n"
         "(docs/scenarios.md), and where it makes sense `for: TIME`, after which it is undone.\n");
    for (enum sim_verb v = SIM_VERB_NONE + 1; v < SIM_VERB_END; v++)
        printf("  %-20s %s\n", sim_verb_name(v), sim_verb_text(v));
}

static void print_event(enum sim_kind kind)
{
    printf("%s: %s\n\nfields:\n", sim_kind_name(kind), sim_kind_text(kind));
    for (enum sim_field f = SIM_F_NONE + 1; f < SIM_F_END; f++)
        if (sim_kind_has(kind, f))
            printf("  %-14s %s\n", sim_field_name(f), sim_field_text(f));
}

static void print_events(const struct arguments *a)
{
    (void)a;
    puts("Kinds of trace records; {event: KIND, FIELD: VALUE…} is a pattern that waits for one.\n"
         "kcsim explain KIND lists its fields.\n");
    for (enum sim_kind k = SIM_K_NONE + 1; k < SIM_K_END; k++)
        printf("  %-10s %s\n", sim_kind_name(k), sim_kind_text(k));
    puts("\nShort forms in patterns:\n");
    const char *name, *what;
    for (unsigned i = 0; (name = sim_event_name(i)) != NULL; i++)
        if (sim_event_named(name, &what) != SIM_K_NONE && what != NULL)
            printf("  %-24s %s with what: %s\n", name, sim_kind_name(sim_event_named(name, NULL)),
                   what);
}

static const char targets[] =
    "Whom a step hits. Roles are resolved at the moment the step fires, and told in the story.\n"
    "\n"
    "  3, [1, 3]           nodes by id\n"
    "  all                 every node\n"
    "  any                 one living node, drawn by the seed\n"
    "  minority            the smaller half of the living nodes, drawn by the seed\n"
    "  controller          the node that /controller names\n"
    "  leader of T-P       by the state znode of partition P of topic T\n"
    "  isr of T-P          the in-sync replicas\n"
    "  followers of T-P    the in-sync replicas but the leader\n"
    "  group coordinator of G, transaction coordinator of X\n"
    "                      who leads the partition in which G or X lies\n"
    "  p1, u2, a name      clients: kill, restart, bounce, shutdown, stop, pause, resume; and as\n"
    "                      an end of partition, degrade, hold, drop\n"
    "  *LABEL              whom the step with `as: LABEL` hit\n";

static const char expectations[] =
    "What must come true. Each line of `expect` is one of\n"
    "\n"
    "  always: SUBJECT, is: {…}      at every moment\n"
    "  always: CHECK                 it holds (so it must anyway); never: CHECK, it is violated\n"
    "  never: {event: …}             no record matches; `after: {event: …}` counts from there on\n"
    "  sometimes: {event: …}         at least one record matches\n"
    "  by: TIME, SUBJECT, is: {…}    true at TIME\n"
    "  at: TIME, SUBJECT, is: {…}    true at TIME\n"
    "  end: SUBJECT, is: {…}         true when the run ends\n"
    "\n"
    "SUBJECT: partition: T-P | replica: T-P on B | controller: N | broker: N | topic: T |\n"
    "znode: PATH | metric: NAME | all, any, count of partitions or replicas. Which properties "
    "each\n"
    "has is in docs/scenarios.md.\n"
    "\n"
    "A moment without an active controller says nothing about states in its machines: `always`\n"
    "passes it over, `at` and `by` fail there. What the run was too short to tell is undecided.\n";

static const char exit_codes[] =
    "  0    all expectations are met (a known defect may explain a broken one: it is named)\n"
    "  1    an expectation failed; diff: the traces differ; stream: the job failed\n"
    "  2    undecided: a step's event never came, or a time was not reached\n"
    "  3    an invariant is violated, and no known defect explains it\n"
    "  64   the command line is wrong; stream: or the graph of the job\n"
    "  65   an input file is wrong; the message has file, line and column\n"
    "  69   (the launcher) a package is missing and could not be installed\n"
    "  70   a bug of kcsim, or its build failed\n"
    "  130  interrupted; what was recorded until then is kept; stream: cancelled\n";

static const char times[] = "Times carry a unit: 250us, 18ms, 6s, 1.5s, 2m, 1h. Rates too: 100/s. "
                            "A run ends at `until: TIME`,\n"
                            "or with `until: quiet` (the default) when nothing is left to happen: "
                            "no message under way, no\n"
                            "event queued, no flow running, no timer armed but periodic ones and "
                            "retries to dead brokers.\n";

static const struct topic topics[] = {
    {"ReplicaStateMachine", "states of a replica, as a grid or a picture", print_machine, NULL},
    {"PartitionStateMachine", "states of a partition, as a grid or a picture", print_machine, NULL},
    {"versions", "which rules each Kafka version follows", print_versions, NULL},
    {"defects", "known defects of Kafka, as switches", print_defects, NULL},
    {"scenario", "keys of a scenario file", print_file, NULL},
    {"schema", "JSON Schema of scenario files, for editors", print_schema, NULL},
    {"faults", "verbs of a step: kill, restart, expire, …", print_faults, NULL},
    {"clients", "producers and consumers", print_clients, NULL},
    {"client-properties", "librdkafka's properties that clients know", print_client_properties,
     NULL},
    {"targets", "whom a step hits", NULL, targets},
    {"events", "kinds of trace records, for `when` and `never`", print_events, NULL},
    {"expectations", "what `expect` can say", NULL, expectations},
    {"checks", "what must hold in every run", print_checks, NULL},
    {"times", "units, and when a run ends", NULL, times},
    {"exit-codes", "what kcsim returns to the shell", NULL, exit_codes},
};

static void print_topics(void)
{
    puts("kcsim explain NAME, where NAME is one of\n");
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        printf("  %-22s %s\n", topics[i].name, topics[i].line);
    puts("\nor a verb of a step (kill), a part of a file (step), a kind of record (decide),\n"
         "a defect (KAFKA-14424), a check (logs-match).");
}

/* One word of a table. False where no table has it. */
static bool print_word(const struct arguments *a)
{
    enum sm_defect defect = sm_defect_named(a->name);
    if (defect != SM_DEFECT_END) {
        struct sm_profile profile = sm_profile_of(a->version);
        cli_print_defect(&profile, defect);
        return true;
    }
    for (enum sim_verb v = SIM_VERB_NONE + 1; v < SIM_VERB_END; v++) {
        if (strcmp(a->name, sim_verb_name(v)) == 0) {
            printf("%s (a verb of a step): %s\n", a->name, sim_verb_text(v));
            return true;
        }
    }
    for (enum sim_shape s = 0; s < SIM_SHAPE_END; s++) {
        if (strcmp(a->name, sim_shape_name(s)) == 0) {
            printf("%s (part of a scenario file): %s\n\nkeys:\n", a->name, sim_shape_text(s));
            print_keys(s);
            return true;
        }
    }
    enum sim_check check = sim_check_named(a->name);
    if (check != SIM_CHECK_END) {
        printf("%s (check %s): %s\n\nsource: %s\n", sim_check_name(check), sim_check_number(check),
               sim_check_text(check), sim_check_source(check));
        return true;
    }
    enum sim_kind kind = sim_kind_named(a->name);
    if (kind != SIM_K_NONE)
        print_event(kind);
    return kind != SIM_K_NONE;
}

static int unknown(const char *name)
{
    enum { TOPICS = sizeof topics / sizeof topics[0] };
    const char *words[TOPICS + SIM_VERB_END + SIM_SHAPE_END + SIM_K_END + SM_DEFECT_END +
                      SIM_CHECK_END + SIM_SOMETIMES_END + 1];
    size_t n = 0;
    for (size_t i = 0; i < TOPICS; i++)
        words[n++] = topics[i].name;
    for (enum sim_verb v = SIM_VERB_NONE + 1; v < SIM_VERB_END; v++)
        words[n++] = sim_verb_name(v);
    for (enum sim_shape shape = 0; shape < SIM_SHAPE_END; shape++)
        words[n++] = sim_shape_name(shape);
    for (enum sim_kind k = SIM_K_NONE + 1; k < SIM_K_END; k++)
        words[n++] = sim_kind_name(k);
    for (enum sm_defect d = 0; d < SM_DEFECT_END; d++)
        words[n++] = sm_defect_jira(d);
    sim_check_names(&words[n]);
    const char *nearest = sim_closest(name, words);
    if (nearest != NULL)
        cli_error("nothing is called '%s'; did you mean '%s'?", name, nearest);
    else
        cli_error("nothing is called '%s'; kcsim explain lists what there is", name);
    return SIM_EXIT_USAGE;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.version = SM_VERSION_2_8};
    cli_parse(command, argc, argv, &a);
    if (a.name == NULL) {
        print_topics();
        return SIM_EXIT_MET;
    }
    bool page = (strcmp(a.name, "defects") == 0 || strcmp(a.name, "checks") == 0) && !a.svg;
    if (a.format_given && sm_machine_named(a.name) == SM_MACHINE_NONE && !page) {
        cli_error("--format is for the two state machines, and markdown for defects and checks");
        return SIM_EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (strcmp(a.name, topics[i].name) != 0)
            continue;
        if (topics[i].print != NULL)
            topics[i].print(&a);
        else
            fputs(topics[i].text, stdout);
        return SIM_EXIT_MET;
    }
    return print_word(&a) ? SIM_EXIT_MET : unknown(a.name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'f':
        a->svg = strcmp(arg, "svg") == 0;
        a->format_given = true;
        if (!a->svg && strcmp(arg, "markdown") != 0)
            argp_error(state, "no format '%s'; there are: markdown, svg", arg);
        return 0;
    case 'k':
        a->version = sm_version_named(arg);
        if (a->version == SM_VERSION_NONE)
            argp_error(state, "no version '%s'; there are: 2.8, 2.8-fixed, 0.9, 0.8.2", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->name != NULL)
            argp_error(state, "one name at a time");
        a->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "of a state machine: markdown or svg; of defects and checks: markdown"},
    {.name = "kafka",
     .key = 'k',
     .arg = "VERSION",
     .doc = "2.8 (default), 2.8-fixed, 0.9 or 0.8.2"},
    {0},
};

const struct cli_command cli_explain = {
    .name = "explain",
    .group = "Understand",
    .line = "what a state machine, fault, event, defect is",
    .arguments = "[NAME]",
    .examples = "kcsim explain ReplicaStateMachine\n"
                "kcsim explain PartitionStateMachine --format svg > partition.svg\n"
                "kcsim explain KAFKA-14424\n"
                "kcsim explain targets\n",
    .options = options,
    .parse = parse,
    .run = run,
};
