/*
 * The life of a process: opening all its parts, signals, and the end.
 *
 * The end is one function for all reasons: it closes every handle; the loop returns when the last
 * one is closed. It begins at a turn of its own, never inside a callback of the parts that it
 * frees.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "live/blocks.h"
#include "live/process_state.h"
#include "sim/allocate.h"

enum { FLUSH_MS = 1000, STOP_MS = 10000, TOLD_AFTER_MS = 2000, LOOK_MS = 250 };

static void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("kcsim: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- ZooKeeper ---- */

/* Another's /controller has gone. */
static bool is_call_to_election(const struct live_process *p, const struct live_zk_input *in)
{
    return in->kind == LIVE_ZK_EVENT && in->event_type == WIRE_ZK_EVENT_DELETED &&
           strcmp(in->path, SM_PATH_CONTROLLER) == 0 &&
           !kc_controller_is_active(p->node.controller);
}

void live_from_zookeeper(struct live_process *p, const struct live_zk_input *in)
{
    struct kn_input to = {.session = in->session,
                          .password = in->password,
                          .timeout_us = in->timeout_us,
                          .event_type = in->event_type,
                          .path = in->path,
                          .reply = in->reply};
    if (is_call_to_election(p, in))
        live_hold(p, p->options.settings.election_delay_us);
    switch (in->kind) {
    case LIVE_ZK_NONE:
    case LIVE_ZK_CLOSED:
        return;
    case LIVE_ZK_CONNECTED:
        to.kind = KN_IN_CONNECTED;
        p->is_connected = p->is_connected || in->session != 0;
        break;
    case LIVE_ZK_DISCONNECTED:
        to.kind = KN_IN_DISCONNECTED;
        live_trace_zk_lost(p->trace);
        break;
    case LIVE_ZK_REPLY:
        to.kind = KN_IN_ZK_REPLY;
        to.record = live_trace_zk_reply(p->trace, live_now(p), in->reply);
        live_metrics_zk_reply(p->metrics, in->latency_us);
        break;
    case LIVE_ZK_EVENT:
        to.kind = KN_IN_ZK_EVENT;
        to.record = live_trace_event(p->trace, live_now(p), in->event_type, in->path);
        break;
    case LIVE_ZK_PONG:
        to.kind = KN_IN_PONG;
        break;
    }
    live_take(p, &to);
}

static void on_zookeeper(void *context, const struct live_zk_input *in)
{
    struct live_process *p = context;
    struct live_prepare *r = &p->prepare;
    if (p->is_ending)
        return;
    if (!r->is_done && !r->is_running && in->kind == LIVE_ZK_CONNECTED && in->session != 0) {
        p->is_connected = true;
        live_prepare_begin(p, in);
    } else if (r->is_running && in->kind == LIVE_ZK_REPLY) {
        live_prepare_reply(p, in->reply);
    } else {
        if (in->kind == LIVE_ZK_DISCONNECTED)
            r->is_running = false; /* begins again with the next connection */
        live_from_zookeeper(p, in);
    }
}

static void on_zookeeper_line(void *context, enum live_zk_level level, const char *text)
{
    static const enum kc_level levels[] = {[LIVE_ZK_ERROR] = KC_ERROR,
                                           [LIVE_ZK_WARN] = KC_WARN,
                                           [LIVE_ZK_INFO] = KC_INFO,
                                           [LIVE_ZK_DEBUG] = KC_DEBUG};
    struct live_process *p = context;
    live_log(p->logs, levels[level], "ZooKeeper client: %s", text);
}

/* ---- the end ---- */

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_zookeeper_gone(void *context)
{
    struct live_process *p = context;
    p->zookeeper = NULL;
    uv_walk(&p->loop, close_handle, NULL);
}

static void on_out_of_patience(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    live_logs_flush(p->logs);
    live_trace_flush(p->trace);
    _exit(p->exit_code != 0 ? p->exit_code : LIVE_EXIT_FAILED);
}

static void on_end(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    uv_idle_stop(&p->work);
    uv_timer_stop(&p->clock);
    uv_timer_stop(&p->second);
    uv_timer_start(&p->patience, on_out_of_patience, STOP_MS, 0);
    live_channels_free(p->channels);
    live_listener_free(p->listener);
    p->channels = NULL;
    p->listener = NULL;
    if (p->zookeeper != NULL)
        live_zookeeper_free(p->zookeeper, on_zookeeper_gone, p);
    else
        on_zookeeper_gone(p);
}

void live_end(struct live_process *p, int exit_code)
{
    if (p->is_ending)
        return;
    p->is_ending = true;
    p->exit_code = exit_code;
    uv_timer_start(&p->end, on_end, 0, 0);
}

/* ---- signals ---- */

static void on_stop_takes_long(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    live_log(p->logs, KC_WARN, "the controller has not resigned within %d ms; closing", STOP_MS);
    live_end(p, p->exit_code);
}

static void stop(struct live_process *p, int signal)
{
    if (p->is_stopping) {
        live_logs_flush(p->logs);
        live_trace_flush(p->trace);
        _exit(LIVE_EXIT_INTERRUPTED);
    }
    p->is_stopping = true;
    p->signal = signal;
    p->exit_code = signal == SIGINT ? LIVE_EXIT_INTERRUPTED : LIVE_EXIT_STOPPED;
    live_log(p->logs, KC_INFO, "%s: shutting down", strsignal(signal));
    uv_timer_start(&p->patience, on_stop_takes_long, STOP_MS, 0);
    live_take(p, &(struct kn_input){.kind = KN_IN_STOP});
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct live_process *p = handle->data;
    if (signal == SIGUSR1)
        live_logs_reopen(p->logs);
    else if (signal != SIGHUP)
        stop(p, signal);
}

static void catch_signals(struct live_process *p)
{
    static const int wanted[LIVE_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < LIVE_SIGNALS; i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, wanted[i]);
    }
}

/* ---- what happens by the clock ---- */

static void on_flush(uv_prepare_t *handle)
{
    struct live_process *p = handle->data;
    live_logs_flush(p->logs);
    if (p->listener != NULL && live_is_free(p))
        live_listener_offer(p->listener);
}

static void on_second(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    live_trace_flush(p->trace);
    live_metrics_take(p->metrics, p);
}

/* Until there is a session: says once that nobody answers, and gives up in the end. */
static void on_look(uv_timer_t *timer)
{
    struct live_process *p = timer->data;
    const struct live_settings *s = &p->options.settings;
    int64_t timeout_us = s->kafka.connection_timeout_us > 0 ? s->kafka.connection_timeout_us
                                                            : s->kafka.session_timeout_us;
    int64_t waited_us = live_now(p) - p->start_us;
    if (p->is_connected || p->is_stopping) {
        if (!p->is_stopping)
            uv_timer_stop(timer);
        return;
    }
    if (waited_us >= timeout_us) {
        say_error("ZooKeeper %s: timed out after %lld ms waiting for a connection "
                  "(zookeeper.connection.timeout.ms)",
                  s->zookeeper, (long long)(timeout_us / 1000));
        live_end(p, LIVE_EXIT_FAILED);
    } else if (!p->has_told_waiting && waited_us >= TOLD_AFTER_MS * 1000) {
        p->has_told_waiting = true;
        say_error("ZooKeeper %s does not answer; trying for %lld s in all", s->zookeeper,
                  (long long)(timeout_us / 1000000));
    }
}

static void init_timer(struct live_process *p, uv_timer_t *timer)
{
    uv_timer_init(&p->loop, timer);
    timer->data = p;
}

static void start_clocks(struct live_process *p)
{
    init_timer(p, &p->clock);
    init_timer(p, &p->second);
    init_timer(p, &p->patience);
    init_timer(p, &p->end);
    init_timer(p, &p->hold);
    p->clock_us = -1;
    uv_idle_init(&p->loop, &p->work);
    uv_prepare_init(&p->loop, &p->flush);
    p->work.data = p->flush.data = p;
    uv_prepare_start(&p->flush, on_flush);
    uv_timer_start(&p->second, on_second, FLUSH_MS, FLUSH_MS);
    uv_timer_start(&p->patience, on_look, LOOK_MS, LOOK_MS);
}

/* ---- opening ---- */

static bool open_files(struct live_process *p)
{
    const struct live_options *o = &p->options;
    const char *failed = NULL;
    char title[160];
    snprintf(title, sizeof title, "Controller %d, live", p->id);
    p->logs = live_logs_open(o->log_folder, o->log_level, &failed);
    if (p->logs == NULL) {
        say_error("%s cannot be opened: %s", failed, strerror(errno));
        return false;
    }
    p->trace = live_trace_open(o->trace, p->id, title, p->start_us);
    if (p->trace == NULL)
        say_error("%s cannot be written: %s", o->trace, strerror(errno));
    return p->trace != NULL;
}

/* Clients may take half of the files that the process may open: brokers, ZooKeeper and logs must
   never go without. */
static int32_t connections_max(int32_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur / 2 < (rlim_t)wanted ? (int32_t)(files.rlim_cur / 2) : wanted;
}

static bool open_listener(struct live_process *p)
{
    const struct live_settings *s = &p->options.settings;
    struct live_listener_config config = {
        .address = s->listen,
        .request_max_bytes = s->request_max_bytes,
        .idle_us = s->idle_us,
        .connections_max = connections_max(s->connections_max),
        .request = live_serve_request,
        .gone = live_serve_gone,
        .context = p,
    };
    int error = 0;
    p->listener = live_listener_new(&p->loop, &config, &error);
    if (p->listener == NULL)
        say_error("cannot listen on %s:%d: %s; --listen HOST:PORT chooses another", s->listen.host,
                  s->listen.port, uv_strerror(error));
    return p->listener != NULL;
}

/* What brokers and clients are told: advertised.listeners, or the listener with its real port. */
static void choose_advertised(struct live_process *p)
{
    const struct live_settings *s = &p->options.settings;
    bool is_wildcard = strcmp(s->listen.host, "0.0.0.0") == 0 || strcmp(s->listen.host, "::") == 0;
    p->advertised = s->advertised.port >= 0 ? s->advertised : s->listen;
    if (s->advertised.port < 0) {
        p->advertised.port = live_listener_port(p->listener);
        if (is_wildcard && gethostname(p->advertised.host, sizeof p->advertised.host - 1) != 0)
            snprintf(p->advertised.host, sizeof p->advertised.host, "localhost");
    }
}

static bool open_zookeeper(struct live_process *p)
{
    char error[256];
    struct live_zookeeper_config config = {
        .servers = p->options.settings.zookeeper,
        .bulk = 1,
        .log_level = p->options.log_level <= KC_DEBUG ? LIVE_ZK_INFO : LIVE_ZK_WARN,
        .take = on_zookeeper,
        .log = on_zookeeper_line,
        .context = p,
    };
    p->zookeeper = live_zookeeper_new(&p->loop, &config, error, sizeof error);
    if (p->zookeeper == NULL)
        say_error("--zookeeper %s: %s", p->options.settings.zookeeper, error);
    return p->zookeeper != NULL;
}

/* The command line, too, is part of the properties that clients may ask for. */
static void say_properties(struct live_process *p)
{
    struct live_settings *s = &p->options.settings;
    struct kb_props props = live_settings_props(s);
    char text[LIVE_CONNECT_MAX];
    snprintf(text, sizeof text, "%d", p->id);
    kb_props_set(&props, "broker.id", text);
    kb_props_set(&props, "zookeeper.connect", s->zookeeper);
    snprintf(text, sizeof text, "PLAINTEXT://%s:%d", s->listen.host,
             live_listener_port(p->listener));
    kb_props_set(&props, "listeners", text);
    snprintf(text, sizeof text, "PLAINTEXT://%s:%d", p->advertised.host, p->advertised.port);
    kb_props_set(&props, "advertised.listeners", text);
    snprintf(text, sizeof text, "%lld", (long long)(s->kafka.session_timeout_us / 1000));
    kb_props_set(&props, "zookeeper.session.timeout.ms", text);
    live_settings_keep(s, &props);
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = uv_hrtime();
    return seed;
}

static void make_node(struct live_process *p)
{
    const struct live_options *o = &p->options;
    const char *listener = o->settings.inter_broker_listener;
    struct sm_broker b = {.id = p->id, .endpoint_count = 1};
    uint32_t notes = KC_NOTE_LOG | (o->log_level == KC_TRACE ? KC_NOTE_LOG_TRACE : 0u);
    if (live_trace_is_on(p->trace))
        notes |= KC_NOTE_ALL;
    if (o->metrics != NULL)
        notes |= KC_NOTE_QUEUE;
    snprintf(b.endpoint[0].listener, sizeof b.endpoint[0].listener, "%s", listener);
    snprintf(b.endpoint[0].protocol, sizeof b.endpoint[0].protocol, "PLAINTEXT");
    memcpy(b.endpoint[0].host, p->advertised.host, sizeof b.endpoint[0].host);
    b.endpoint[0].port = p->advertised.port;
    memcpy(b.rack, o->settings.rack, sizeof b.rack);
    b.without_data = 1;
    say_properties(p);
    live_blocks_make(&p->node, &p->options.settings, &b, notes, random_seed());
}

static void say_hello(const struct live_process *p)
{
    printf("kcsim controller %d listens on %s:%d, ZooKeeper %s, pid %ld\n", p->id,
           p->options.settings.listen.host, live_listener_port(p->listener),
           p->options.settings.zookeeper, (long)getpid());
    fflush(stdout);
}

static bool open_all(struct live_process *p)
{
    if (!open_files(p) || !open_listener(p))
        return false;
    p->serve = live_serve_new(p);
    choose_advertised(p);
    live_brokers_open(p);
    p->metrics = live_metrics_open(p->options.metrics, p->id);
    if (p->metrics == NULL && p->options.metrics != NULL) {
        say_error("cannot serve metrics on %s: %s", p->options.metrics, strerror(errno));
        return false;
    }
    return open_zookeeper(p);
}

static void start(struct live_process *p)
{
    make_node(p);
    say_hello(p);
    p->start_record = live_trace_start(p->trace, live_now(p));
    live_take(p, &(struct kn_input){.kind = KN_IN_START, .record = p->start_record});
}

static bool close_all(struct live_process *p)
{
    while (p->first != NULL) {
        struct live_waiting *w = p->first;
        p->first = w->next;
        free(w);
    }
    live_body_release(p->shared.body);
    live_metrics_close(p->metrics);
    live_serve_free(p->serve);
    bool good = live_trace_close(p->trace, live_now(p), p->exit_code == 0 ? "stopped" : "ended");
    live_logs_free(p->logs);
    live_blocks_free(&p->node);
    free(p->timers);
    return good;
}

int live_process_run(const struct live_options *options)
{
    struct timespec wall;
    struct live_process *p = sim_alloc(sizeof *p);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024); /* blocks that were outgrown go back at once */
    clock_gettime(CLOCK_REALTIME, &wall);
    p->options = *options;
    p->id = options->settings.id;
    p->start_hrtime = uv_hrtime();
    p->start_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
    p->exit_code = LIVE_EXIT_FAILED;
    uv_loop_init(&p->loop);
    start_clocks(p);
    catch_signals(p);
    if (open_all(p))
        start(p);
    else
        live_end(p, LIVE_EXIT_FAILED);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    int code = p->exit_code;
    uv_loop_close(&p->loop);
    if (!close_all(p)) {
        say_error("%s could not be written whole", options->trace);
        code = code == 0 ? LIVE_EXIT_SOFTWARE : code;
    }
    free(p);
    return code;
}
