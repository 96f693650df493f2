/*
 * The server. A connection has a thread of its own (libmicrohttpd's), so that one that waits for
 * news may simply wait.
 *
 * Invariant: everything of the run is touched under `lock`. `news` counts changes of the state;
 * whoever waits for events waits until it is another than the one last told.
 */
#include "cli/live_page.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/live_reply.h"
#include "cli/live_trace.h"
#include "ui/packed.h"
#include "ui/page.h"

enum { CONNECTIONS_MAX = 64, BODY_MAX = 64 * 1024, ALIVE_SECONDS = 10, SPEED_MAX = 100000 };

struct cli_live_page {
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct cli_live_run *run;
    struct cli_live_trace *trace;
    int64_t opened_ms; /* since 1970: tells one server from the next at the same address */
    uint64_t news, told_records;
    int64_t told_us;
    double speed; /* virtual seconds a real one */
    bool playing, closing;
};

/* ---- the state ---- */

static json_t *state_of(const struct cli_live_page *p)
{
    const char *stuck = cli_live_run_stuck(p->run);
    json_t *acts = json_array();
    for (unsigned i = 0; i < cli_live_run_acts(p->run); i++)
        json_array_append_new(acts, json_string(cli_live_run_act_text(p->run, i)));
    return json_pack("{sI sI sI sI sI sb sf sb ss* sI so}", "run", (json_int_t)p->opened_ms, "news",
                     (json_int_t)p->news, "records",
                     (json_int_t)sim_trace_count(cli_live_run_trace(p->run)), "version",
                     (json_int_t)cli_live_trace_version(p->trace), "now",
                     (json_int_t)cli_live_run_now(p->run), "playing", p->playing, "speed", p->speed,
                     "over", cli_live_run_is_over(p->run), "stuck", stuck, "seed",
                     (json_int_t)cli_live_run_seed(p->run), "acts", acts);
}

static char *state_text(const struct cli_live_page *p)
{
    json_t *state = state_of(p);
    char *text = json_dumps(state, JSON_COMPACT);
    if (text == NULL)
        abort();
    json_decref(state);
    return text;
}

/* Under the lock: tells whoever waits. */
static void tell(struct cli_live_page *p)
{
    p->news++;
    p->told_records = sim_trace_count(cli_live_run_trace(p->run));
    p->told_us = cli_live_run_now(p->run);
    pthread_cond_broadcast(&p->changed);
}

/* ---- answers ---- */

static struct cli_live_reply page_reply(const struct cli_live_page *p)
{
    struct cli_live_reply r = {.status = MHD_HTTP_OK, .type = "text/html; charset=utf-8"};
    char begins[64];
    snprintf(begins, sizeof(begins), "%" PRId64 " %" PRIu64, p->opened_ms,
             cli_live_trace_version(p->trace));
    FILE *out = cli_live_reply_write(&r);
    ui_page_write(
        out, cli_live_run_trace(p->run),
        &(struct ui_page_options){.live = begins, .packing = cli_live_trace_packing(p->trace)});
    fclose(out);
    return r;
}

static struct cli_live_reply bytes_reply(struct ui_bytes bytes)
{
    return (struct cli_live_reply){.status = MHD_HTTP_OK,
                                   .type = "application/octet-stream",
                                   .text = (char *)bytes.at,
                                   .size = bytes.size};
}

static struct cli_live_reply trace_reply(const struct cli_live_page *p)
{
    struct ui_bytes packed = {0};
    ui_packed_write(cli_live_run_trace(p->run), NULL, &packed);
    return bytes_reply(packed);
}

static const char *query(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    return value != NULL ? value : "";
}

static struct cli_live_reply growth_reply(const struct cli_live_page *p,
                                          struct MHD_Connection *connection)
{
    struct ui_bytes packed = {0};
    const struct cli_live_has has = {.version = query(connection, "version"),
                                     .records = query(connection, "records"),
                                     .strings = query(connection, "strings")};
    const char *wrong = cli_live_trace_since(p->trace, cli_live_run_trace(p->run), &has, &packed);
    return wrong == NULL ? bytes_reply(packed)
                         : cli_live_reply_refusal(MHD_HTTP_BAD_REQUEST, wrong);
}

static struct cli_live_reply ndjson_reply(const struct cli_live_page *p)
{
    struct cli_live_reply r = {.status = MHD_HTTP_OK, .type = "application/x-ndjson"};
    FILE *out = cli_live_reply_write(&r);
    sim_trace_write(cli_live_run_trace(p->run), out);
    fclose(out);
    return r;
}

static struct cli_live_reply scenario_reply(const struct cli_live_page *p)
{
    return cli_live_reply_text("application/yaml; charset=utf-8",
                               strdup(cli_live_run_scenario(p->run)));
}

/* ---- events ---- */

/* A page that watches. */
struct watcher {
    struct cli_live_page *page;
    uint64_t told; /* news that it knows */
    char *text;    /* what is being sent */
    size_t size, at;
};

/* Waits for news, or until it is time to say that the connection lives; false: the page closes. */
static bool wait_for_news(struct cli_live_page *p, uint64_t told)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ALIVE_SECONDS;
    while (!p->closing && p->news == told)
        if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
            break;
    return !p->closing;
}

static bool fill(struct watcher *w)
{
    struct cli_live_page *p = w->page;
    pthread_mutex_lock(&p->lock);
    bool lives = wait_for_news(p, w->told);
    bool has_news = p->news != w->told;
    w->told = p->news;
    char *state = lives && has_news ? state_text(p) : NULL;
    pthread_mutex_unlock(&p->lock);
    free(w->text);
    w->text = NULL;
    w->at = 0;
    int size = !lives          ? 0
               : state != NULL ? asprintf(&w->text, "data: %s\n\n", state)
                               : asprintf(&w->text, ": alive\n\n");
    free(state);
    if (size < 0)
        abort();
    w->size = (size_t)size;
    return lives;
}

static ssize_t read_events(void *context, uint64_t position, char *buffer, size_t capacity)
{
    struct watcher *w = context;
    (void)position;
    if (w->at == w->size && !fill(w))
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t left = w->size - w->at, size = left < capacity ? left : capacity;
    memcpy(buffer, w->text + w->at, size);
    w->at += size;
    return (ssize_t)size;
}

static void end_events(void *context)
{
    struct watcher *w = context;
    free(w->text);
    free(w);
}

static enum MHD_Result give_events(struct cli_live_page *p, struct MHD_Connection *connection)
{
    struct watcher *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return MHD_NO;
    w->page = p;
    w->told = UINT64_MAX;
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_events, w, end_events);
    if (r == NULL) {
        free(w);
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return queued;
}

/* ---- what the page asks for ---- */

/* Does one thing; NULL, or why not (written to `error`). */
static const char *act(struct cli_live_page *p, const json_t *asked, char error[CLI_LIVE_ERROR])
{
    const char *what = json_string_value(json_object_get(asked, "do"));
    const char *step = json_string_value(json_object_get(asked, "step"));
    double value = json_number_value(json_object_get(asked, "value"));
    if (what == NULL)
        return "\"do\" is missing";
    if (strcmp(what, "play") == 0) {
        p->playing = true;
    } else if (strcmp(what, "pause") == 0) {
        p->playing = false;
    } else if (strcmp(what, "step") == 0) {
        p->playing = false;
        cli_live_run_step(p->run);
    } else if (strcmp(what, "undo") == 0) {
        p->playing = false;
        if (!cli_live_run_undo(p->run))
            return "nothing was done that could be undone";
        cli_live_trace_branch(p->trace, cli_live_run_kept(p->run));
    } else if (strcmp(what, "speed") == 0) {
        if (!(value > 0 && value <= SPEED_MAX))
            return "a speed is above 0 and at most 100000 virtual seconds a second";
        p->speed = value;
    } else if (strcmp(what, "act") == 0) {
        if (step == NULL)
            return "\"step\" is missing";
        if (!cli_live_run_act(p->run, step, error))
            return error;
        cli_live_trace_branch(p->trace, cli_live_run_kept(p->run));
    } else {
        return "\"do\" is play, pause, step, undo, speed or act";
    }
    return NULL;
}

static struct cli_live_reply do_what_is_asked(struct cli_live_page *p, const char *body,
                                              size_t size)
{
    char error[CLI_LIVE_ERROR];
    json_error_t where;
    json_t *asked = json_loadb(body, size, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(asked)) {
        json_decref(asked);
        return cli_live_reply_refusal(MHD_HTTP_BAD_REQUEST, "what is asked must be a JSON object");
    }
    const char *wrong = act(p, asked, error);
    tell(p);
    struct cli_live_reply r = wrong != NULL
                                  ? cli_live_reply_refusal(MHD_HTTP_OK, wrong)
                                  : cli_live_reply_text("application/json", state_text(p));
    json_decref(asked);
    return r;
}

/* ---- requests ---- */

/* The body of a POST, as it comes. */
struct request {
    char *body;
    size_t size;
    bool too_long;
};

static bool names_us(const struct cli_live_page *p, const char *authority)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    char expected[64];
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snprintf(expected, sizeof(expected), "%s:%u", hosts[i], (unsigned)p->port);
        if (strcmp(authority, expected) == 0)
            return true;
    }
    return false;
}

/* Is the request meant for us, and from a page of ours? */
static bool is_ours(const struct cli_live_page *p, struct MHD_Connection *connection)
{
    static const char scheme[] = "http://";
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    const char *origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin");
    if (host == NULL || !names_us(p, host))
        return false;
    return origin == NULL || (strncmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
                              names_us(p, origin + sizeof(scheme) - 1));
}

static struct cli_live_reply get(const struct cli_live_page *p, struct MHD_Connection *connection,
                                 const char *url)
{
    static const struct {
        const char *url;
        struct cli_live_reply (*reply)(const struct cli_live_page *);
    } things[] = {{"/", page_reply},
                  {"/trace", trace_reply},
                  {"/trace.ndjson", ndjson_reply},
                  {"/scenario.yaml", scenario_reply}};
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        if (strcmp(url, things[i].url) == 0)
            return things[i].reply(p);
    if (strcmp(url, "/growth") == 0)
        return growth_reply(p, connection);
    return cli_live_reply_refusal(MHD_HTTP_NOT_FOUND, "there is no such page");
}

static enum MHD_Result take_body(struct request *r, const char *data, size_t *size)
{
    if (r->size + *size > BODY_MAX) {
        r->too_long = true;
    } else {
        r->body = realloc(r->body, r->size + *size + 1);
        if (r->body == NULL)
            abort();
        memcpy(r->body + r->size, data, *size);
        r->size += *size;
    }
    *size = 0;
    return MHD_YES;
}

static struct cli_live_reply post(struct cli_live_page *p, const struct request *r, const char *url)
{
    if (strcmp(url, "/do") != 0)
        return cli_live_reply_refusal(MHD_HTTP_NOT_FOUND, "there is no such page");
    if (r->too_long)
        return cli_live_reply_refusal(MHD_HTTP_CONTENT_TOO_LARGE, "more than 64 KiB are asked for");
    return do_what_is_asked(p, r->body != NULL ? r->body : "", r->size);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    struct cli_live_page *p = context;
    struct request *r = *state;
    (void)version;
    if (r == NULL) { /* the head of the request has come */
        *state = calloc(1, sizeof(*r));
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    if (*data_size > 0)
        return take_body(r, data, data_size);
    struct cli_live_reply reply;
    bool is_get = strcmp(method, "GET") == 0, wants_events = false;
    pthread_mutex_lock(&p->lock);
    if (!is_ours(p, connection))
        reply = cli_live_reply_refusal(MHD_HTTP_FORBIDDEN, "this server is for its own page only");
    else if (is_get && strcmp(url, "/events") == 0)
        wants_events = true;
    else if (is_get)
        reply = get(p, connection, url);
    else if (strcmp(method, "POST") == 0)
        reply = post(p, r, url);
    else
        reply =
            cli_live_reply_refusal(MHD_HTTP_METHOD_NOT_ALLOWED, "GET and POST are what there is");
    pthread_mutex_unlock(&p->lock);
    return wants_events ? give_events(p, connection) : cli_live_reply_send(connection, reply);
}

static void on_end(void *context, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why)
{
    struct request *r = *state;
    (void)context;
    (void)connection;
    (void)why;
    if (r != NULL)
        free(r->body);
    free(r);
    *state = NULL;
}

/* ---- life ---- */

static int64_t milliseconds_since_1970(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct cli_live_page *cli_live_page_open(struct cli_live_run *run, uint16_t port)
{
    struct cli_live_page *p = calloc(1, sizeof(*p));
    if (p == NULL)
        abort();
    p->run = run;
    p->trace = cli_live_trace_new();
    p->opened_ms = milliseconds_since_1970();
    p->speed = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sigset_t all, before;
    sigfillset(&all);
    pthread_mutex_lock(&p->lock); /* the first request waits until the port is known */
    pthread_sigmask(SIG_SETMASK, &all,
                    &before); /* signals are the caller's: see cli_catch_interrupt */
    p->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
                                 port, NULL, NULL, on_request, p, MHD_OPTION_SOCK_ADDR, &address,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->daemon != NULL)
        p->port = MHD_get_daemon_info(p->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    pthread_mutex_unlock(&p->lock);
    if (p->daemon == NULL) {
        int why = errno;
        cli_live_page_close(p);
        errno = why != 0 ? why : EADDRNOTAVAIL;
        return NULL;
    }
    return p;
}

uint16_t cli_live_page_port(const struct cli_live_page *p)
{
    return p->port;
}

void cli_live_page_pass(struct cli_live_page *p, int64_t elapsed_us)
{
    pthread_mutex_lock(&p->lock);
    if (p->playing) {
        double by = (double)elapsed_us * p->speed;
        cli_live_run_advance(p->run, cli_live_run_now(p->run) + (int64_t)by);
        if (cli_live_run_is_over(p->run) || cli_live_run_stuck(p->run) != NULL) {
            p->playing = false;
            tell(p);
        }
    }
    if (sim_trace_count(cli_live_run_trace(p->run)) != p->told_records ||
        cli_live_run_now(p->run) != p->told_us)
        tell(p);
    pthread_mutex_unlock(&p->lock);
}

void cli_live_page_close(struct cli_live_page *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (p->daemon != NULL)
        MHD_stop_daemon(p->daemon);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    cli_live_trace_free(p->trace);
    free(p);
}
