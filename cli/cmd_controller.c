/*
 * kcsim controller: the controller of a real cluster.
 *
 * Options of the command line stand over those of the properties file, whose names are Kafka's.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "live/logs.h"
#include "live/process.h"
#include "sim/moment.h"
#include "sim/zkshell.h"

struct arguments {
    struct live_options options;
    const char *zookeeper, *properties;
    struct live_address listen, advertised;
    int64_t session_timeout_us;          /* 0: not given */
    int32_t id;                          /* -1: not given */
    char overrides[LIVE_PROPERTIES_MAX]; /* KEY=VALUE, a line each */
};

enum {
    OPT_ID = 256,
    OPT_ADVERTISED,
    OPT_SESSION_TIMEOUT,
    OPT_TRACE,
    OPT_LOG_DIR,
    OPT_LOG_LEVEL,
    OPT_METRICS,
    OPT_OVERRIDE,
};

static bool read_properties(struct arguments *a)
{
    struct live_settings *s = &a->options.settings;
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    bool good = a->properties == NULL || live_settings_read(s, a->properties, &d);
    good = live_settings_read_text(s, "--override", a->overrides, strlen(a->overrides), &d) && good;
    sim_diagnostics_print(&d, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&d);
    return good;
}

static void add_override(struct arguments *a, const char *text, struct argp_state *state)
{
    size_t used = strlen(a->overrides);
    if (strchr(text, '=') == NULL || strchr(text, '\n') != NULL)
        argp_error(state, "--override: '%s' is no KEY=VALUE", text);
    if (used + strlen(text) + 2 > sizeof a->overrides)
        argp_error(state, "--override: more than %d bytes", LIVE_PROPERTIES_MAX);
    snprintf(a->overrides + used, sizeof a->overrides - used, "%s\n", text);
}

/* The command line over the file. */
static bool merge(struct arguments *a)
{
    struct live_settings *s = &a->options.settings;
    if (a->id >= 0 && s->id >= 0 && a->id != s->id) {
        cli_error("--id %d, but broker.id is %d in %s", a->id, s->id, a->properties);
        return false;
    }
    if (a->zookeeper != NULL)
        snprintf(s->zookeeper, sizeof s->zookeeper, "%s", a->zookeeper);
    if (a->id >= 0)
        s->id = a->id;
    if (a->listen.port >= 0)
        s->listen = a->listen;
    if (a->advertised.port >= 0)
        s->advertised = a->advertised;
    if (a->session_timeout_us > 0)
        s->kafka.session_timeout_us = a->session_timeout_us;
    if (s->listen.port < 0)
        s->listen = (struct live_address){"127.0.0.1", 9092};
    return true;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {
        .options = {.settings = live_settings_default(), .log_level = KC_INFO},
        .listen = {.port = -1},
        .advertised = {.port = -1},
        .id = -1,
    };
    cli_parse(command, argc, argv, &a);
    if (!read_properties(&a))
        return SIM_EXIT_DATA;
    if (!merge(&a))
        return SIM_EXIT_USAGE;
    if (a.options.settings.zookeeper[0] == '\0' || a.options.settings.id < 0) {
        cli_error("controller takes --zookeeper HOST:PORT and --id N");
        return SIM_EXIT_USAGE;
    }
    return live_process_run(&a.options);
}

static int32_t read_id(const char *text, struct argp_state *state)
{
    char *end;
    long id = strtol(text, &end, 10);
    if (end == text || *end != '\0' || id < 0 || id > INT32_MAX)
        argp_error(state, "'%s' is no broker id", text);
    return (int32_t)id;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'z':
        a->zookeeper = arg;
        if (strlen(arg) >= LIVE_CONNECT_MAX)
            argp_error(state, "--zookeeper: more than %d bytes", LIVE_CONNECT_MAX - 1);
        return 0;
    case OPT_ID:
        a->id = read_id(arg, state);
        return 0;
    case 'l':
        if (!live_address_parse(arg, &a->listen))
            argp_error(state, "'%s' is no HOST:PORT", arg);
        return 0;
    case OPT_ADVERTISED:
        if (!live_address_parse(arg, &a->advertised) || a->advertised.port == 0)
            argp_error(state, "'%s' is no HOST:PORT", arg);
        return 0;
    case OPT_SESSION_TIMEOUT:
        if (!sim_time_parse(arg, &a->session_timeout_us) || a->session_timeout_us < 1000 ||
            a->session_timeout_us > INT64_C(3600000000))
            argp_error(state, "'%s' is no time from 1ms to 1h", arg);
        return 0;
    case 'p':
        a->properties = arg;
        return 0;
    case OPT_TRACE:
        a->options.trace = arg;
        return 0;
    case OPT_LOG_DIR:
        a->options.log_folder = arg;
        return 0;
    case OPT_LOG_LEVEL:
        if (!live_log_level(arg, &a->options.log_level))
            argp_error(state, "'%s' is none of TRACE, DEBUG, INFO, WARN, ERROR", arg);
        return 0;
    case OPT_OVERRIDE:
        add_override(a, arg, state);
        return 0;
    case OPT_METRICS: {
        struct live_address address;
        if (!live_address_parse(arg, &address))
            argp_error(state, "'%s' is no HOST:PORT", arg);
        a->options.metrics = arg;
        return 0;
    }
    case ARGP_KEY_ARG:
        argp_error(state, "no argument is expected, but '%s' is there", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "zookeeper", .key = 'z', .arg = "HOST:PORT", .doc = "ZooKeeper: HOST:PORT,…[/CHROOT]"},
    {.name = "id", .key = OPT_ID, .arg = "N", .doc = "broker id that it registers under"},
    {.name = "listen",
     .key = 'l',
     .arg = "HOST:PORT",
     .doc = "127.0.0.1:9092 where not given; 0: any"},
    {.name = "advertise",
     .key = OPT_ADVERTISED,
     .arg = "HOST:PORT",
     .doc = "what clients are told"},
    {.name = "session-timeout",
     .key = OPT_SESSION_TIMEOUT,
     .arg = "TIME",
     .doc = "18s where not given"},
    {.name = "properties", .key = 'p', .arg = "FILE", .doc = "a server.properties, Kafka's names"},
    {.name = "override",
     .key = OPT_OVERRIDE,
     .arg = "KEY=VALUE",
     .doc = "one property, over the file; may be repeated"},
    {.name = "trace",
     .key = OPT_TRACE,
     .arg = "FILE",
     .doc = "write what happens, for why, describe"},
    {.name = "log-dir",
     .key = OPT_LOG_DIR,
     .arg = "DIR",
     .doc = "controller.log and others go there"},
    {.name = "log-level", .key = OPT_LOG_LEVEL, .arg = "LEVEL", .doc = "INFO where not given"},
    {.name = "metrics",
     .key = OPT_METRICS,
     .arg = "HOST:PORT",
     .doc = "serve metrics for Prometheus"},
    {0},
};

const struct cli_command cli_controller = {
    .name = "controller",
    .group = "Run live",
    .line = "be the controller of a real cluster",
    .arguments = "",
    .examples = "kcsim controller --zookeeper 127.0.0.1:2181 --id 0\n"
                "kcsim controller -z zk1:2181,zk2:2181/kafka --id 100 --trace live.ndjson\n"
                "kcsim controller --id 0 --properties server.properties --log-dir /var/log/kcsim\n",
    .about =
        "Brokers of Kafka 2.4 to 2.8 in ZooKeeper mode, inter.broker.protocol.version 2.4 to 2.6.\n"
        "It holds no data: let it win /controller, and place no replicas on its id. SIGTERM lets\n"
        "it resign and closes its session; SIGUSR1 opens its log files anew.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
