/*
 * Trace Event JSON. A process of the viewer is a node (ZooKeeper is one, too), its threads are the
 * lanes of that node.
 *
 *     controller event start … done   a slice
 *     send ──► recv                   an arrow between two slices of 1 µs
 *     queue put, start, clear         a counter: events that wait
 *     everything else                 an instant
 *
 * Virtual time is the viewer's time, in µs. A slice that never ended ends with the trace.
 */
#include "sim/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uthash.h>

#include "sim/allocate.h"
#include "sim/narrate.h"

/* A lane, and the event that it has in work. */
struct lane {
    UT_hash_handle hh;
    sim_lane lane;
    int64_t t;
    uint64_t n; /* record of its start, 0: none is in work */
    char name[64];
};

struct chrome {
    FILE *out;
    const struct sim_trace *trace;
    const char *separator;
    struct lane *lanes; /* a table, in the order in which they appeared */
};

/* Processes of the viewer: node id + 10; what belongs to no node comes first. */
static int32_t process_of(sim_lane lane)
{
    const char letter = sim_lane_letter(lane);
    if (letter == 'c' || letter == 'b')
        return sim_lane_id(lane) + 10;
    return letter == 'w' ? 1 : letter == 'o' ? 2 : letter == 'z' ? 3 : 4;
}

/* Threads: within a node the controller stands above the broker; clients one below the other. */
static int64_t thread_of(sim_lane lane)
{
    const char letter = sim_lane_letter(lane);
    if (process_of(lane) != 4)
        return letter == 'b' ? 2 : 1;
    return (int64_t)letter << 32 | (uint32_t)sim_lane_id(lane);
}

static void print_text(FILE *out, const char *text)
{
    json_t *string = json_string(text);
    if (string == NULL || json_dumpf(string, out, JSON_ENCODE_ANY) != 0)
        fputs("\"\"", out);
    json_decref(string);
}

static void begin(struct chrome *c, const char *phase, sim_lane lane, int64_t t)
{
    fprintf(c->out, "%s{\"ph\":\"%s\",\"pid\":%" PRId32 ",\"tid\":%" PRId64 ",\"ts\":%" PRId64,
            c->separator, phase, process_of(lane), thread_of(lane), t);
    c->separator = ",\n";
}

static void print_name(struct chrome *c, const char *name)
{
    fputs(",\"name\":", c->out);
    print_text(c->out, name);
}

static void print_meta(struct chrome *c, const char *what, sim_lane lane, const char *name)
{
    begin(c, "M", lane, 0);
    fprintf(c->out, ",\"name\":\"%s\",\"args\":{\"name\":", what);
    print_text(c->out, name);
    fputs("}}", c->out);
}

static void print_names(struct chrome *c, sim_lane lane)
{
    static const char *const shared[] = {[1] = "scenario", "operators", "ZooKeeper", "clients"};
    char node[32], text[SIM_LANE_TEXT];
    const int32_t process = process_of(lane);
    const char letter = sim_lane_letter(lane);
    snprintf(node, sizeof(node), "node %" PRId32, sim_lane_id(lane));
    print_meta(c, "process_name", lane, process >= 10 ? node : shared[process]);
    print_meta(c, "thread_name", lane,
               letter == 'c'   ? "controller"
               : letter == 'b' ? "broker"
                               : sim_lane_text(text, lane));
}

/* Finds a lane; one that was not there yet is introduced to the viewer. */
static struct lane *lane_of(struct chrome *c, sim_lane id)
{
    struct lane *lane;
    HASH_FIND(hh, c->lanes, &id, sizeof(id), lane);
    if (lane != NULL)
        return lane;
    lane = sim_alloc(sizeof(*lane));
    lane->lane = id;
    HASH_ADD(hh, c->lanes, lane, sizeof(lane->lane), lane);
    print_names(c, id);
    return lane;
}

static void print_arguments(struct chrome *c, const struct sim_record *r)
{
    fprintf(c->out, ",\"args\":{\"n\":%" PRIu64, r->n);
    if (r->by != 0)
        fprintf(c->out, ",\"by\":%" PRIu64, r->by);
    if (r->mute != 0)
        fprintf(c->out, ",\"mute\":%" PRIu64, r->mute);
    char sentence[1024];
    sim_narrate(r, sentence, sizeof(sentence));
    fputs(",\"sentence\":", c->out);
    print_text(c->out, sentence);
    fputs("}}", c->out);
}

/* ---- the controller's events ---- */

static void end_event(struct chrome *c, struct lane *e, int64_t t)
{
    struct sim_record r;
    if (e->n == 0 || !sim_trace_get(c->trace, e->n, &r))
        return;
    e->n = 0;
    begin(c, "X", e->lane, e->t);
    fprintf(c->out, ",\"cat\":\"event\",\"dur\":%" PRId64, t - e->t > 0 ? t - e->t : 1);
    print_name(c, e->name);
    print_arguments(c, &r);
}

static void queue(struct chrome *c, struct lane *e, const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT), *name = sim_record_text(r, SIM_F_NAME);
    if (what == NULL)
        return;
    if (strcmp(what, "start") == 0) {
        end_event(c, e, r->t);
        e->t = r->t;
        e->n = r->n;
        snprintf(e->name, sizeof(e->name), "%s", name == NULL ? "event" : name);
    } else if (strcmp(what, "done") == 0 || strcmp(what, "clear") == 0) {
        end_event(c, e, r->t);
    }
    struct sim_value depth;
    if (!sim_record_get(r, SIM_F_DEPTH, &depth))
        return;
    begin(c, "C", r->at, r->t);
    fprintf(c->out, ",\"name\":\"events that wait\",\"args\":{\"depth\":%" PRId64 "}}",
            depth.number);
}

/* ---- messages ---- */

static void message(struct chrome *c, const struct sim_record *r)
{
    const char *api = sim_record_text(r, SIM_F_API);
    const bool is_send = r->kind == SIM_K_SEND;
    struct sim_record sent;
    char name[96];
    struct sim_value re;
    snprintf(name, sizeof(name), "%s%s", api == NULL ? "message" : api,
             sim_record_get(r, SIM_F_RE, &re) ? " answer" : "");
    begin(c, "X", r->at, r->t);
    fputs(",\"cat\":\"message\",\"dur\":1", c->out);
    print_name(c, name);
    print_arguments(c, r);
    if (!is_send &&
        (r->by == 0 || !sim_trace_get(c->trace, r->by, &sent) || sent.kind != SIM_K_SEND))
        return;
    begin(c, is_send ? "s" : "f", r->at, r->t);
    fprintf(c->out, ",\"cat\":\"message\",\"id\":%" PRIu64 "%s", is_send ? r->n : r->by,
            is_send ? "" : ",\"bp\":\"e\"");
    print_name(c, name);
    fputc('}', c->out);
}

static void instant(struct chrome *c, const struct sim_record *r)
{
    char name[160];
    sim_narrate(r, name, sizeof(name));
    begin(c, "i", r->at, r->t);
    fprintf(c->out, ",\"cat\":\"%s\",\"s\":\"%s\"", sim_kind_name(r->kind),
            r->kind == SIM_K_FAULT ? "g" : "t");
    print_name(c, name);
    print_arguments(c, r);
}

static void put(struct chrome *c, const struct sim_record *r)
{
    if (r->kind == SIM_K_META || r->kind == SIM_K_GIVEN || r->kind == SIM_K_FINISH ||
        r->kind == SIM_K_LOG)
        return;
    struct lane *lane = lane_of(c, r->at);
    if (r->kind == SIM_K_QUEUE)
        queue(c, lane, r);
    else if (r->kind == SIM_K_SEND || r->kind == SIM_K_RECV)
        message(c, r);
    else
        instant(c, r);
}

void sim_export_chrome(FILE *out, const struct sim_trace *trace)
{
    struct chrome c = {.out = out, .trace = trace, .separator = ""};
    struct sim_record r = {0};
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", out);
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++)
        put(&c, &r);
    struct lane *lane, *next;
    HASH_ITER(hh, c.lanes, lane, next)
    {
        end_event(&c, lane, r.t);
        HASH_DELETE(hh, c.lanes, lane);
        free(lane);
    }
    fputs("\n]}\n", out);
}
