/*
 * The merge: entries of all files in the order of time, each told as records.
 *
 *     earliest head of the files ──► transactions that are over ──► deaths that are due ──► the
 * line's records ──► the line itself as `log`
 *
 * At one time ZooKeeper comes first, then controllers, then brokers, for that is how causes flow.
 * Whether a process died is seen from its own files: they break off, and then it starts again, or a
 * controller finds it gone. That record stands at the last line before.
 */
#include "sim/import_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/logs.h"

enum { LOG_TEXT_MAX = 16384 };
#define SAME_START_US INT64_C(90000000) /* what a broker takes to start, at most */
#define BOOT_US       INT64_C(2000000)

int64_t sim_story_now(const struct sim_story *s)
{
    return s->t - s->first;
}

struct sim_told *sim_story_node(struct sim_story *s, int32_t id)
{
    for (size_t i = 0; i < s->node_count; i++)
        if (s->nodes[i].id == id)
            return &s->nodes[i];
    s->nodes = sim_grow(s->nodes, &s->node_capacity, s->node_count + 1, sizeof(*s->nodes));
    s->nodes[s->node_count] = (struct sim_told){.id = id, .ce = -1};
    return &s->nodes[s->node_count++];
}

bool sim_story_tell(struct sim_story *s, enum sim_kind kind, sim_lane at, uint64_t by)
{
    return sim_trace_begin(s->trace, kind, sim_story_now(s), at, by, 0);
}

bool sim_story_infer(struct sim_story *s, enum sim_kind kind, sim_lane at, uint64_t by,
                     uint64_t mute)
{
    if (!sim_trace_begin(s->trace, kind, sim_story_now(s), at, by, mute))
        return false;
    sim_trace_int(s->trace, SIM_F_INFERRED, 1);
    s->im->report->inferred++;
    return true;
}

struct sim_partition_told *sim_story_partition(struct sim_story *s, int32_t node,
                                               const struct sim_tp *tp)
{
    char key[320];
    int size =
        snprintf(key, sizeof(key), "%" PRId32 " %s-%" PRId32, node, tp->topic, tp->partition);
    uint32_t before = s->tps.count, id = sim_keys_intern(&s->tps, key, (size_t)size);
    s->partitions =
        sim_grow(s->partitions, &s->partition_capacity, (size_t)id + 1, sizeof(*s->partitions));
    if (id == before)
        s->partitions[id] = (struct sim_partition_told){0};
    return &s->partitions[id];
}

/* ---- life and death ---- */

static void note_death(struct sim_told *node, int64_t t, const char *verb)
{
    node->deaths =
        sim_grow(node->deaths, &node->death_capacity, node->death_count + 1, sizeof(*node->deaths));
    node->deaths[node->death_count++] = (struct sim_death){.t = t, .verb = verb};
}

static bool is_start(const struct sim_entry *e)
{
    return e->word == WORD_STARTING ||
           (e->word == WORD_NOTE &&
            sim_span_begins(e->text, "[ControllerEventThread controllerId=") &&
            sim_span_find(e->text, "] Starting") != NULL) ||
           (e->word == WORD_EVENT && sim_import_event(e) != NULL &&
            strcmp(sim_import_event(e), "Startup") == 0);
}

/* What one node's lines say of its life, in the order of time. */
struct life {
    int64_t last, start;
    bool any, by_server, stopped, silent;
};

/* Where server.log is there, the line that follows in controller.log tells of the same start. */
static void live_on(struct sim_told *node, struct life *l, const struct sim_entry *e)
{
    l->silent = false;
    if (is_start(e)) {
        /* the first lines of a process come before "starting" */
        bool boots = sim_span_begins(e->logger, "kafka.utils.") && e->t - l->start > BOOT_US;
        bool same = l->by_server && !l->stopped && !boots && e->t - l->start < SAME_START_US;
        if (!same && l->any && !l->stopped)
            note_death(node, l->last, "kill");
        l->stopped = false;
        l->by_server = e->word == WORD_STARTING || same;
        if (!same)
            l->start = e->t;
    }
    if (e->word == WORD_STOPPED)
        l->stopped = true;
    l->last = e->t;
    l->any = true;
}

/* The heads of all sources in the order of time; NULL at the end. */
static struct sim_entry *next_entry(struct sim_importer *im)
{
    struct sim_entries *best = NULL;
    struct sim_entry *entry = NULL;
    for (size_t i = 0; i < im->source_count; i++) {
        struct sim_entries *source = &im->sources[i];
        if (source->is_zookeeper || source->next == source->count)
            continue;
        struct sim_entry *e = &source->at[source->next];
        if (best == NULL || e->t < entry->t ||
            (e->t == entry->t && e->is_controller > entry->is_controller)) {
            best = source;
            entry = e;
        }
    }
    if (best != NULL)
        best->next++;
    return entry;
}

static void rewind_sources(struct sim_importer *im)
{
    for (size_t i = 0; i < im->source_count; i++)
        im->sources[i].next = 0;
}

/* Nodes that a controller found gone, and of which no line comes any more. */
static void find_silent(struct sim_story *s, const struct sim_entry *e, struct life *lives)
{
    struct sim_holes h;
    struct sim_ids gone;
    if (e->word != WORD_BROKERS)
        return;
    sim_import_holes(e, &h);
    sim_span_ids(SIM_HOLE(&h, 'x'), &gone);
    for (size_t i = 0; i < gone.count; i++)
        for (size_t k = 0; k < s->node_count; k++)
            if (s->nodes[k].id == gone.id[i] && lives[k].any && !lives[k].stopped)
                lives[k].silent = true; /* unless a line comes */
}

static void find_deaths(struct sim_story *s)
{
    struct sim_entry *e;
    rewind_sources(s->im);
    while ((e = next_entry(s->im)) != NULL)
        if (e->node >= 0)
            sim_story_node(s, e->node)->seen = true;
    struct life *lives = NULL;
    size_t capacity = 0;
    lives = sim_grow(lives, &capacity, s->node_count + 1, sizeof(*lives));
    memset(lives, 0, (s->node_count + 1) * sizeof(*lives));
    rewind_sources(s->im);
    while ((e = next_entry(s->im)) != NULL) {
        find_silent(s, e, lives);
        if (e->node < 0 || e->word == WORD_UNKNOWN)
            continue;
        struct sim_told *node = sim_story_node(s, e->node);
        live_on(node, &lives[node - s->nodes], e);
    }
    for (size_t i = 0; i < s->node_count; i++)
        if (lives[i].silent)
            note_death(&s->nodes[i], lives[i].last, "silent");
    free(lives);
    rewind_sources(s->im);
}

/* A fault: something befell the node. Returns its record. */
static uint64_t tell_fault(struct sim_story *s, struct sim_told *node, const char *verb,
                           const char *state, bool inferred, uint64_t by)
{
    sim_lane at = SIM_LANE_WORLD;
    if (!(inferred ? sim_story_infer(s, SIM_K_FAULT, at, by, 0)
                   : sim_story_tell(s, SIM_K_FAULT, at, by)))
        return 0;
    sim_trace_text(s->trace, SIM_F_VERB, verb);
    sim_trace_ids(s->trace, SIM_F_HIT, &node->id, 1);
    sim_trace_set_node(s->trace, node->id, state, node->incarnation);
    return sim_trace_end(s->trace);
}

static void forget(struct sim_told *node)
{
    node->up = false;
    node->cause = 0;
    node->event = node->rule = NULL;
    node->request_count = node->request_first = 0;
    node->group.open = false;
    node->at.record = 0;
}

static void tell_deaths(struct sim_story *s, int64_t until)
{
    for (size_t i = 0; i < s->node_count; i++) {
        struct sim_told *node = &s->nodes[i];
        for (size_t k = 0; k < node->death_count; k++) {
            if (node->deaths[k].told || node->deaths[k].t >= until)
                continue;
            node->deaths[k].told = true;
            uint64_t n = tell_fault(s, node, node->deaths[k].verb, "down", true, 0);
            node = &s->nodes[i];
            forget(node);
            node->down = n;
            node->expired = 0;
        }
    }
}

static void tell_start(struct sim_story *s, struct sim_told *node)
{
    if (node->up)
        return;
    node->incarnation++;
    node->up = true;
    node->cause = tell_fault(s, node, "start", "up", false, node->down);
    node->down = 0;
}

static void tell_stop(struct sim_story *s, struct sim_told *node)
{
    uint64_t n = tell_fault(s, node, "exit", "down", false, 0);
    forget(node);
    node->down = n;
    node->expired = 0;
}

static void tell_session(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_span id = SIM_HOLE(h, 'q');
    uint64_t session = 0;
    for (size_t i = sim_span_begins(id, "0x") ? 2 : 0; i < id.size; i++) {
        char c = id.at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            break;
        session = session << 4 | (uint64_t)digit;
    }
    bool expired = e->word == WORD_SESSION_EXPIRED;
    sim_trace_session_client(s->trace, sim_story_now(s), e->node, 0, 0,
                             expired ? "expired" : "connected", (int64_t)session,
                             expired ? 0 : sim_span_number(SIM_HOLE(h, 'n'), 0) * 1000);
}

/* ---- lines ---- */

static const char *stream_of(const struct sim_entry *e)
{
    if (e->node < 0 && e->logger.size == 0)
        return "server";
    if (sim_span_is(e->logger, "state.change.logger"))
        return "state-change";
    if (sim_span_begins(e->logger, "kafka.controller."))
        return "controller";
    if (e->logger.size > 0 || e->word == WORD_OTHER)
        return "server";
    return e->ce >= 0 || !e->is_controller ? "state-change" : "controller";
}

static void tell_log(struct sim_story *s, const struct sim_entry *e, uint64_t by)
{
    sim_lane at = e->node < 0        ? SIM_LANE_WORLD
                  : e->is_controller ? SIM_LANE_CONTROLLER(e->node)
                                     : SIM_LANE_BROKER(e->node);
    char level[8];
    if (!sim_story_tell(s, SIM_K_LOG, at, by))
        return;
    snprintf(level, sizeof(level), "%.*s", (int)(e->level.size < 7 ? e->level.size : 7),
             e->level.size > 0 ? e->level.at : "INFO");
    sim_trace_text(s->trace, SIM_F_LEVEL,
                   e->level.size == 0            ? "INFO"
                   : strcmp(level, "FATAL") == 0 ? "ERROR"
                                                 : level);
    sim_trace_text(s->trace, SIM_F_STREAM, stream_of(e));
    if (e->logger.size > 0 && e->logger.size < 200) { /* where the text does not tell it */
        char logger[200], text[200];
        snprintf(logger, sizeof(logger), "%.*s", (int)e->logger.size, e->logger.at);
        snprintf(text, sizeof(text), "%.*s", (int)(e->text.size < 199 ? e->text.size : 199),
                 e->text.at);
        if (strcmp(logger, sim_log_logger_of(stream_of(e), text)) != 0)
            sim_trace_text(s->trace, SIM_F_NAME, logger);
    }
    const char *end = e->more.at != NULL ? e->more.at + e->more.size : NULL;
    if (end == NULL) {
        size_t size = e->text.size < LOG_TEXT_MAX ? e->text.size : LOG_TEXT_MAX;
        sim_trace_bytes(s->trace, SIM_F_TEXT, e->text.at, size);
    } else { /* the first line without its logger, then what follows */
        char text[LOG_TEXT_MAX];
        int first = (int)(e->text.size < LOG_TEXT_MAX / 2 ? e->text.size : LOG_TEXT_MAX / 2);
        size_t rest = e->more.size < LOG_TEXT_MAX / 2 - 2 ? e->more.size : LOG_TEXT_MAX / 2 - 2;
        memcpy(text, e->text.at, (size_t)first);
        text[first] = '\n';
        memcpy(text + first + 1, e->more.at, rest);
        sim_trace_bytes(s->trace, SIM_F_TEXT, text, (size_t)first + 1 + rest);
    }
    sim_trace_end(s->trace);
}

static void tell_entry(struct sim_story *s, struct sim_entry *e)
{
    struct sim_holes h;
    sim_import_holes(e, &h);
    if (e->node >= 0) {
        struct sim_told *node = sim_story_node(s, e->node);
        if (is_start(e))
            tell_start(s, node);
        if (e->is_controller && sim_span_is(e->logger, "state.change.logger") == false)
            sim_story_end_group(s, node);
    }
    if (e->node >= 0 && e->word != WORD_UNKNOWN && e->word != WORD_OTHER) {
        sim_story_message(s, e, &h);
        sim_story_controller(s, e, &h);
        if (e->word == WORD_SESSION || e->word == WORD_SESSION_EXPIRED)
            tell_session(s, e, &h);
        if (e->word == WORD_STOPPED)
            tell_stop(s, sim_story_node(s, e->node));
    }
    tell_log(s, e, e->node >= 0 && e->is_controller ? sim_story_node(s, e->node)->cause : 0);
}

/* ---- the whole ---- */

static void begin_trace(struct sim_story *s)
{
    if (!sim_trace_meta_begin(s->trace, 0, NULL))
        return;
    sim_trace_text(s->trace, SIM_F_TITLE, "Imported from logs");
    sim_trace_int(s->trace, SIM_F_WALL, s->first / 1000);
    sim_trace_int(s->trace, SIM_F_INFERRED, 1);
    sim_trace_end(s->trace);
}

static int64_t first_time(const struct sim_story *s)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < s->im->source_count; i++)
        if (s->im->sources[i].count > 0 && s->im->sources[i].at[0].t < first)
            first = s->im->sources[i].at[0].t;
    for (size_t i = 0; i < s->txn_count && i < 1; i++)
        first = s->txns[i].e->t < first ? s->txns[i].e->t : first;
    return first == INT64_MAX ? 0 : first / 1000 * 1000;
}

static void clear(struct sim_story *s)
{
    for (size_t i = 0; i < s->node_count; i++) {
        free(s->nodes[i].requests);
        free(s->nodes[i].group.parts);
        free(s->nodes[i].deaths);
    }
    for (size_t i = 0; i < s->session_count; i++)
        sim_keys_clear(&s->sessions[i].paths);
    free(s->nodes);
    free(s->sessions);
    sim_keys_clear(&s->tps);
    free(s->partitions);
    for (uint32_t i = 0; i < s->topic_names.count; i++)
        free(s->topics[i].parts);
    free(s->topics);
    sim_keys_clear(&s->topic_names);
    sim_keys_clear(&s->replicas);
    free(s->replica_states);
    free(s->txns);
    sim_keys_clear(&s->demands);
    free(s->demand);
    free(s->demand_at);
    sim_keys_clear(&s->paths);
    free(s->znodes);
    sim_txn_clear(&s->txn);
}

struct sim_trace *sim_import_story(struct sim_importer *im)
{
    struct sim_trace_options options = {.mode = SIM_TRACE_KEEP};
    struct sim_story s = {.im = im, .trace = sim_trace_new(&options), .controller = -1};
    struct sim_entry *e;
    sim_story_open_txns(&s);
    s.first = s.t = first_time(&s);
    im->report->wall_ms = s.first / 1000;
    begin_trace(&s);
    find_deaths(&s);
    while ((e = next_entry(im)) != NULL) {
        int64_t t = e->t > s.t ? e->t : s.t;
        sim_story_txns_until(&s, t);
        s.t = t > s.t ? t : s.t;
        tell_deaths(&s, s.t);
        tell_entry(&s, e);
    }
    for (size_t i = 0; i < s.node_count; i++)
        sim_story_end_group(&s, &s.nodes[i]);
    tell_deaths(&s, INT64_MAX);
    sim_story_txns_until(&s, INT64_MAX);
    sim_trace_finish(s.trace, sim_story_now(&s), "imported");
    im->report->records = sim_trace_count(s.trace);
    clear(&s);
    return s.trace;
}
