/*
 * kcsim play FILE: a scenario as a live page, to be broken by hand.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/live_page.h"
#include "cli/live_run.h"

struct arguments {
    const char *file;
    bool has_seed;
    uint64_t seed;
    uint16_t port;
};

enum { PASS_US = 40000 }; /* virtual time goes on in pieces of so much real time */

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pass_the_time(struct cli_live_page *page)
{
    int64_t last_us = now_us();
    while (!cli_is_interrupted()) {
        nanosleep(&(struct timespec){.tv_nsec = PASS_US * 1000L}, NULL);
        int64_t t = now_us();
        cli_live_page_pass(page, t - last_us);
        last_us = now_us();
    }
}

static int serve(const struct arguments *a, struct cli_live_run *run)
{
    struct cli_live_page *page = cli_live_page_open(run, a->port);
    if (page == NULL) {
        cli_error("cannot listen on 127.0.0.1:%u: %s", (unsigned)a->port, strerror(errno));
        return SIM_EXIT_SOFTWARE;
    }
    printf("http://127.0.0.1:%u/\n", (unsigned)cli_live_page_port(page));
    fflush(stdout);
    fputs("kcsim: open this page in a browser; ^C ends it\n", stderr);
    pass_the_time(page);
    cli_live_page_close(page);
    return SIM_EXIT_MET;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    struct sim_diagnostics d;
    cli_parse(command, argc, argv, &a);
    sim_diagnostics_init(&d);
    struct cli_live_run *run = cli_live_run_new(a.file, a.has_seed, a.seed, &d);
    sim_diagnostics_print(&d, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&d);
    if (run == NULL)
        return SIM_EXIT_DATA;
    cli_catch_interrupt();
    int code = serve(&a, run);
    cli_live_run_free(run);
    return code;
}

static void parse_port(const char *arg, uint16_t *port, struct argp_state *state)
{
    char *end;
    unsigned long value = strtoul(arg, &end, 10);
    if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || value > UINT16_MAX)
        argp_error(state, "'%s' is no port: 0 to 65535 are", arg);
    *port = (uint16_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        cli_seed_parse(arg, &a->has_seed, &a->seed, state);
        return 0;
    case 'p':
        parse_port(arg, &a->port, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->file == NULL)
            argp_error(state, "which scenario?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "seed", .key = 's', .arg = "N", .doc = "in place of the scenario's"},
    {.name = "port", .key = 'p', .arg = "PORT", .doc = "of 127.0.0.1; any that is free otherwise"},
    {0},
};

const struct cli_command cli_play_command = {
    .name = "play",
    .group = "Run",
    .line = "a live page: break the cluster by clicking",
    .arguments = "FILE",
    .examples = "kcsim play scenarios/basics/g05-a-leader-dies.yaml\n"
                "kcsim play my.yaml --port 8080 --seed 7\n",
    .about = "What is done on the page is kept as a scenario: 'Save' gives the file, and\n"
             "kcsim run plays it again to the byte. The page is for this machine only.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
