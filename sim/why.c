/*
 * Walking causes. What a target means, its value, the chain, and how it is printed.
 */
#define _POSIX_C_SOURCE 200809L /* fmemopen */

#include "sim/why.h"

#include <inttypes.h>
#include <string.h>

#include "sim/moment.h"
#include "sim/narrate.h"
#include "sim/znodes.h"
#include "statemachine/znode.h"

/* ---- targets ---- */

/* Splits "orders-0"; topics may hold dashes, so the last one counts. */
static bool split_partition(const char *text, char *topic, int32_t *partition)
{
    const char *dash = strrchr(text, '-');
    if (dash == NULL || dash == text || (size_t)(dash - text) > SM_TOPIC_NAME_MAX ||
        dash[1] == '\0' || strlen(dash + 1) > 9)
        return false;
    *partition = 0;
    for (const char *at = dash + 1; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return false;
        *partition = *partition * 10 + (*at - '0');
    }
    memcpy(topic, text, (size_t)(dash - text));
    topic[dash - text] = '\0';
    return true;
}

/* The controller that was active at record n, or the one that was last; -1 none ever. */
static int32_t active_controller(const struct sim_facts *facts, uint64_t n)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    int32_t active = -1, any = -1;
    uint64_t newest = 0, last = 0;
    for (size_t i = sim_facts_find(facts, "role."); i < sim_facts_count(facts); i++) {
        const char *key = sim_facts_key(facts, i);
        int id;
        if (sscanf(key, "role.%d", &id) != 1)
            break;
        struct sim_fact past = {0};
        while (sim_facts_before(facts, key, n, &past))
            if (past.value.type == SIM_V_TEXT && strcmp(past.value.text, "active") == 0) {
                if (past.n >= last) {
                    last = past.n;
                    any = id;
                }
                break;
            }
    }
    while (sim_facts_next(facts, "role.", n, &walk, &fact))
        if (fact.value.type == SIM_V_TEXT && strcmp(fact.value.text, "active") == 0 &&
            fact.n >= newest) {
            newest = fact.n;
            sscanf(fact.key, "role.%d", &active);
        }
    return active >= 0 ? active : any;
}

static bool refuse(char *error, size_t capacity, const char *what, const char *text)
{
    snprintf(error, capacity, "%s: \"%.200s\"", what, text);
    return false;
}

static bool target_partition(const struct sim_facts *facts, const char *text, uint64_t n,
                             struct sim_effect *t, char *error, size_t capacity)
{
    char topic[SM_TOPIC_NAME_MAX + 1], path[SM_PATH_MAX];
    const char *name = strstr(text, " of ") + 4;
    int32_t partition, controller = active_controller(facts, n);
    int replica = -1, used = 0;
    if (sscanf(text, "state of replica %d of %n", &replica, &used) == 1 && used > 0)
        name = text + used;
    if (!split_partition(name, topic, &partition))
        return refuse(error, capacity, "not a partition (TOPIC-NUMBER)", name);
    if (strncmp(text, "state ", 6) == 0 && controller < 0)
        return refuse(error, capacity, "no controller was active yet, so there are no states",
                      text);
    sm_path_partition_state(path, topic, partition);
    if (strncmp(text, "state ", 6) != 0)
        snprintf(t->key, sizeof(t->key), "zn:%s", path);
    else if (replica >= 0)
        snprintf(t->key, sizeof(t->key), "rs.%" PRId32 ".%.250s-%" PRId32 ".%d", controller, topic,
                 partition, replica);
    else
        snprintf(t->key, sizeof(t->key), "ps.%" PRId32 ".%.250s-%" PRId32, controller, topic,
                 partition);
    t->aspect = strncmp(text, "leader ", 7) == 0 ? SIM_ASPECT_LEADER
                : strncmp(text, "isr ", 4) == 0  ? SIM_ASPECT_ISR
                                                 : SIM_ASPECT_FACT;
    return true;
}

bool sim_why_target(const struct sim_facts *facts, const char *text, uint64_t n,
                    struct sim_effect *t, char *error, size_t capacity)
{
    *t = (struct sim_effect){.aspect = SIM_ASPECT_FACT};
    if (strlen(text) >= sizeof(t->text) - 8)
        return refuse(error, capacity, "too long", text);
    snprintf(t->text, sizeof(t->text), "%s", text);
    bool of = strncmp(text, "leader of ", 10) == 0 || strncmp(text, "isr of ", 7) == 0 ||
              strncmp(text, "state of ", 9) == 0;
    if (of && !target_partition(facts, text, n, t, error, capacity))
        return false;
    if (strcmp(text, "controller") == 0) {
        t->aspect = SIM_ASPECT_CONTROLLER;
        snprintf(t->key, sizeof(t->key), "zn:%s", SM_PATH_CONTROLLER);
    } else if (!of) {
        snprintf(t->key, sizeof(t->key), "%s", text);
    }
    struct sim_fact fact;
    if (sim_facts_get(facts, t->key, UINT64_MAX, &fact))
        return true;
    if (of || t->aspect == SIM_ASPECT_CONTROLLER)
        return refuse(error, capacity, "the trace never says anything about this", text);
    return refuse(
        error, capacity,
        "neither a target (leader of T-P, isr of T-P, state of T-P, state of replica B of "
        "T-P, controller) nor a fact of this trace",
        text);
}

/* ---- values ---- */

static void list_text(const struct sm_list *list, char *out, size_t capacity)
{
    size_t size = 0;
    snprintf(out, capacity, "none");
    for (int32_t i = 0; i < list->count && size < capacity; i++)
        size += (size_t)snprintf(out + size, capacity - size, "%s%" PRId32, i > 0 ? "," : "",
                                 list->id[i]);
}

static void fact_text(const struct sim_value *v, char *out, size_t capacity)
{
    if (v->type == SIM_V_TEXT) {
        snprintf(out, capacity, "%s", v->text);
        return;
    }
    FILE *memory = fmemopen(out, capacity, "w");
    if (memory == NULL)
        return;
    sim_value_print(memory, v);
    fclose(memory);
    out[capacity - 1] = '\0';
}

/* The aspect of one value of the fact; "gone" where it is null, "unreadable" where it is malformed.
 */
static void aspect_text(enum sim_aspect aspect, const struct sim_value *v, char *out,
                        size_t capacity)
{
    struct sim_value data;
    struct sm_leader_and_isr li;
    int32_t broker;
    snprintf(out, capacity, "gone");
    if (v->type == SIM_V_NULL)
        return;
    if (aspect == SIM_ASPECT_FACT) {
        fact_text(v, out, capacity);
        return;
    }
    snprintf(out, capacity, "unreadable");
    if (!sim_object_get(v, SIM_F_DATA, &data) || data.type != SIM_V_TEXT)
        return;
    if (aspect == SIM_ASPECT_CONTROLLER) {
        if (sm_znode_decode_controller(data.text, data.size, &broker) == SM_ERR_OK)
            snprintf(out, capacity, "%" PRId32, broker);
        return;
    }
    if (sm_znode_decode_state(data.text, data.size, 0, &li) != SM_ERR_OK)
        return;
    if (aspect == SIM_ASPECT_ISR)
        list_text(&li.isr, out, capacity);
    else if (li.leader == SM_NO_LEADER)
        snprintf(out, capacity, "none");
    else
        snprintf(out, capacity, "%" PRId32, li.leader);
}

bool sim_why_value(const struct sim_facts *facts, const struct sim_effect *t, uint64_t n,
                   char *value, size_t capacity, uint64_t *setter)
{
    struct sim_fact fact = {0};
    char older[1024], newest[1024];
    if (!sim_facts_before(facts, t->key, n, &fact))
        return false;
    aspect_text(t->aspect, &fact.value, newest, sizeof(newest));
    *setter = fact.n;
    while (sim_facts_before(facts, t->key, n, &fact)) {
        aspect_text(t->aspect, &fact.value, older, sizeof(older));
        if (strcmp(older, newest) != 0)
            break;
        *setter = fact.n;
    }
    snprintf(value, capacity, "%s", newest);
    return true;
}

/* ---- the chain ---- */

uint64_t sim_why_next(const struct sim_record *record)
{
    return record->mute != 0 ? record->mute : record->by;
}

/* Records that pass a cause on without deciding anything. */
static bool is_carrier(const struct sim_record *r)
{
    struct sim_value v;
    switch (r->kind) {
    case SIM_K_ZREQ:
    case SIM_K_LEARN:
    case SIM_K_LOG:
    case SIM_K_BATCH:
        return true;
    case SIM_K_ZREP:
        return sim_record_int(r, SIM_F_OK, 1) != 0;
    case SIM_K_ZAP: /* a read */
        return sim_record_int(r, SIM_F_OK, 1) != 0 && !sim_record_get(r, SIM_F_ZXID, &v);
    case SIM_K_TIMER: {
        const char *what = sim_record_text(r, SIM_F_WHAT);
        return what != NULL && strcmp(what, "arm") == 0;
    }
    case SIM_K_NONE:
    case SIM_K_META:
    case SIM_K_GIVEN:
    case SIM_K_FAULT:
    case SIM_K_SEND:
    case SIM_K_RECV:
    case SIM_K_DROP:
    case SIM_K_WATCH:
    case SIM_K_NOTIFY:
    case SIM_K_SESSION:
    case SIM_K_ZNODE:
    case SIM_K_QUEUE:
    case SIM_K_FLOW:
    case SIM_K_DECIDE:
    case SIM_K_MOVE:
    case SIM_K_REPLICA:
    case SIM_K_APPEND:
    case SIM_K_TRUNCATE:
    case SIM_K_HW:
    case SIM_K_WAIT:
    case SIM_K_CLOSE:
    case SIM_K_ACK:
    case SIM_K_READ:
    case SIM_K_TXN:
    case SIM_K_GROUP:
    case SIM_K_CLIENT:
    case SIM_K_CHECK:
    case SIM_K_MARK:
    case SIM_K_FINISH:
    case SIM_K_END:
        break;
    }
    return false;
}

static void print_line(FILE *out, const struct sim_record *r, const char *lead)
{
    char sentence[800], time[SIM_TIME_TEXT];
    sim_narrate(r, sentence, sizeof(sentence));
    fprintf(out, "%s%12s  #%-6" PRIu64 " %s\n", lead, sim_time_text(time, r->t), r->n, sentence);
}

static const char *yes_no(const struct sim_value *candidate, enum sim_field field)
{
    struct sim_value v;
    return sim_object_get(candidate, field, &v) && v.type == SIM_V_INT && v.number != 0 ? "yes"
                                                                                        : "no";
}

static void print_candidates(FILE *out, const struct sim_record *r)
{
    struct sim_value list, one, id, verdict;
    struct sim_walk walk = {0};
    if (!sim_record_get(r, SIM_F_CANDIDATES, &list))
        return;
    fprintf(out, "%24scandidate  alive  in sync  verdict\n", "");
    while (sim_list_next(&list, &walk, &one)) {
        bool has_id = sim_object_get(&one, SIM_F_ID, &id) && id.type == SIM_V_INT;
        bool has_verdict =
            sim_object_get(&one, SIM_F_VERDICT, &verdict) && verdict.type == SIM_V_TEXT;
        fprintf(out, "%24s%-9" PRId64 "  %-5s  %-7s  %s\n", "", has_id ? id.number : -1,
                yes_no(&one, SIM_F_LIVE), yes_no(&one, SIM_F_INSYNC),
                has_verdict ? verdict.text : "");
    }
}

static void print_refs(FILE *out, const struct sim_trace *trace, const struct sim_record *r)
{
    struct sim_value list, n;
    struct sim_walk walk = {0};
    struct sim_record ref;
    if (!sim_record_get(r, SIM_F_REFS, &list))
        return;
    for (bool first = true; sim_list_next(&list, &walk, &n);) {
        if (n.type != SIM_V_INT || n.number <= 0 || (uint64_t)n.number >= r->n ||
            !sim_trace_get(trace, (uint64_t)n.number, &ref))
            continue;
        if (first)
            fprintf(out, "%24susing what these records had set:\n", "");
        print_line(out, &ref, "          ");
        first = false;
    }
}

static bool is_live(const struct sim_trace *trace)
{
    struct sim_record meta;
    struct sim_value wall;
    return sim_trace_get(trace, 1, &meta) && sim_record_get(&meta, SIM_F_WALL, &wall);
}

static bool is_imported(const struct sim_trace *trace)
{
    struct sim_record meta;
    return sim_trace_get(trace, 1, &meta) && sim_record_int(&meta, SIM_F_INFERRED, 0) != 0;
}

static void print_end(FILE *out, const struct sim_trace *trace, const struct sim_record *last)
{
    if (last->kind == SIM_K_GIVEN)
        fputs("It was so from the start.\n", out);
    else if (last->kind != SIM_K_FAULT && is_imported(trace))
        fputs("The logs tell of no cause before that.\n", out);
    else if (is_live(trace) && !is_imported(trace))
        fputs("It came from outside; the trace of a live process knows no more.\n", out);
    else if (last->kind != SIM_K_FAULT)
        fputs("Nothing before it: the scenario itself.\n", out);
}

uint64_t sim_why_print(FILE *out, const struct sim_trace *trace, uint64_t n,
                       const struct sim_why_options *options)
{
    struct sim_record r;
    uint64_t last = 0, first = n;
    while (n != 0 && sim_trace_get(trace, n, &r)) {
        bool is_end = sim_why_next(&r) == 0 || r.kind == SIM_K_FAULT;
        if (options->all || n == first || is_end || !is_carrier(&r)) {
            print_line(out, &r, "");
            if (r.mute != 0)
                fprintf(out, "%24sbecause nothing came any more, since:\n", "");
        }
        if (r.kind == SIM_K_DECIDE) {
            print_candidates(out, &r);
            if (options->refs)
                print_refs(out, trace, &r);
        }
        last = n;
        n = is_end ? 0 : sim_why_next(&r);
    }
    if (last != 0 && sim_trace_get(trace, last, &r))
        print_end(out, trace, &r);
    return last;
}
