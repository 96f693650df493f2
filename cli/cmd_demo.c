/*
 * kcsim demo: the scenario that shows most in least time, so that there is something to look at
 * before anything is written.
 *
 * It is looked for under the folder where one stands, then where kcsim was built, then where it was
 * installed.
 */
#include "cli/cli.h"

#include <unistd.h>

static const char *const places[] = {".", KCSIM_SOURCE_DIR, KCSIM_DATA_DIR};

static const char scenario[] = "scenarios/real/controller-fails-with-a-broker-down.yaml";

static int run(const struct cli_command *command, int argc, char **argv)
{
    cli_parse(command, argc, argv, NULL);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char file[4096];
        int size = i == 0 ? snprintf(file, sizeof file, "%s", scenario)
                          : snprintf(file, sizeof file, "%s/%s", places[i], scenario);
        if (size >= (int)sizeof file || access(file, R_OK) != 0)
            continue;
        printf("$ kcsim run %s\n\n", file);
        char name[] = "kcsim run";
        char *arguments[] = {name, file, NULL};
        return cli_run.run(&cli_run, 2, arguments);
    }
    cli_error("%s is not here; start kcsim in its source folder", scenario);
    return SIM_EXIT_DATA;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "demo takes no argument, but got '%s'", arg);
    return 0;
}

const struct cli_command cli_demo = {
    .name = "demo",
    .group = "Run",
    .line = "a real cluster loses its controller: the story",
    .arguments = "",
    .examples = "kcsim demo\n",
    .parse = parse,
    .run = run,
};
