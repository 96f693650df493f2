/*
 * What the terminal shows between two stops: a few lines of story, and a table of the cluster.
 *
 * Each record has a rank. As many ranks are told as fit into the lines that there are, the
 * weightiest first; a fault, a session that ends and a new controller are never left out for lesser
 * things.
 *
 *     3  faults, sessions that end, operators, a new controller
 *     2  elections, leaders and ISRs as written, refusals, logs that are cut
 *     1  who begins to lead or to follow, how far a deletion is, failed acknowledgements
 *     0  all else
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/lesson.h"
#include "sim/narrate.h"
#include "sim/why.h"
#include "sim/znodes.h"
#include "statemachine/znode.h"

enum { WIDTH = 80, RANKS = 4, ROWS_MAX = 12, SENTENCE = 600 };

/* ---- wrapped text ---- */

/* Columns of `size` bytes of UTF-8. */
static unsigned columns(const char *text, size_t size)
{
    unsigned count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((uint8_t)text[i] & 0xc0) != 0x80;
    return count;
}

/* Prints words from column `column` on; lines after the first begin at `indent`. Ends the line. */
static void print_words(FILE *out, const char *text, unsigned column, unsigned indent)
{
    bool first = true;
    while (*text != '\0') {
        const size_t size = strcspn(text, " ");
        const unsigned width = columns(text, size);
        if (!first && column + 1 + width > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, size, out);
        column += width;
        text += size;
        text += strspn(text, " ");
        first = false;
    }
    fputc('\n', out);
}

void sim_lesson_print_text(FILE *out, const char *text, unsigned indent)
{
    while (*text != '\0') {
        const size_t size = strcspn(text, "\n");
        const unsigned deeper = indent + (unsigned)strspn(text, " ");
        char *line = strndup(text + (deeper - indent), size - (deeper - indent));
        if (line == NULL)
            abort();
        if (size > 0)
            fprintf(out, "%*s", (int)deeper, "");
        print_words(out, line, deeper, deeper);
        free(line);
        text += size + strspn(text + size, "\n");
        if (*text != '\0') /* the next paragraph */
            fputc('\n', out);
    }
}

/* ---- the story ---- */

static bool is_what(const struct sim_record *r, const char *what)
{
    const char *text = sim_record_text(r, SIM_F_WHAT);
    return text != NULL && strcmp(text, what) == 0;
}

/* Somebody wanted to write, and somebody else had been faster. */
static bool is_refused_write(const struct sim_record *r)
{
    const char *op = sim_record_text(r, SIM_F_OP), *code = sim_record_text(r, SIM_F_CODE);
    return op != NULL && strcmp(op, "multi") == 0 && code != NULL &&
           (strcmp(code, "NODEEXISTS") == 0 || strcmp(code, "BADVERSION") == 0);
}

/* The node that becomes active with this record, -1 none. */
static int32_t new_controller(const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    const char *key;
    while (sim_record_next_set(r, &walk, &key, &value))
        if (strncmp(key, "role.", 5) == 0 && value.type == SIM_V_TEXT &&
            strcmp(value.text, "active") == 0)
            return (int32_t)atoi(key + 5);
    return -1;
}

/* A node whose create of /controller came second. */
static bool is_late_candidate(const struct sim_record *r, int32_t *node)
{
    const char *path = sim_record_text(r, SIM_F_PATH), *code = sim_record_text(r, SIM_F_CODE),
               *from = sim_record_text(r, SIM_F_FRM);
    if (r->kind != SIM_K_ZAP || path == NULL || code == NULL || from == NULL ||
        strcmp(path, SM_PATH_CONTROLLER) != 0 || strcmp(code, "NODEEXISTS") != 0)
        return false;
    *node = sim_lane_id(sim_lane_named(from));
    return true;
}

/* Walks the state znodes that the record wrote. */
static bool next_state(const struct sim_record *r, struct sim_walk *walk, char *topic,
                       int32_t *partition, struct sm_leader_and_isr *state)
{
    struct sim_value value, data;
    const char *key;
    while (sim_record_next_set(r, walk, &key, &value))
        if (strncmp(key, "zn:", 3) == 0 && strlen(key) <= SM_PATH_MAX &&
            sm_path_is_partition_state(key + 3, topic, partition) &&
            sim_object_get(&value, SIM_F_DATA, &data) && data.type == SIM_V_TEXT &&
            sm_znode_decode_state(data.text, data.size, 0, state) == SM_ERR_OK)
            return true;
    return false;
}

static bool writes_state(const struct sim_record *r)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    struct sm_leader_and_isr state;
    struct sim_walk walk = {0};
    return next_state(r, &walk, topic, &partition, &state);
}

static unsigned rank_of_replica(const struct sim_record *r)
{
    static const char *const told[] = {"leader",  "follower", "deleted",
                                       "stopped", "offline",  "isr-failed"};
    for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (is_what(r, told[i]))
            return 1;
    return 0;
}

static unsigned rank(const struct sim_record *r)
{
    const bool refused = sim_record_int(r, SIM_F_OK, 1) == 0;
    const bool benign = sim_record_int(r, SIM_F_BENIGN, 0) != 0;
    const char *seen = sim_record_text(r, SIM_F_SEEN);
    if (r->kind == SIM_K_FAULT || r->kind == SIM_K_ZNODE || new_controller(r) >= 0)
        return 3;
    if (r->kind == SIM_K_SESSION)
        return seen != NULL && strcmp(seen, "server") == 0 &&
                       (is_what(r, "expired") || is_what(r, "closed"))
                   ? 3
                   : 0;
    if (r->kind == SIM_K_DECIDE || r->kind == SIM_K_TRUNCATE || r->kind == SIM_K_CHECK)
        return 2;
    if (r->kind == SIM_K_ZAP && (refused ? !benign && is_refused_write(r) : writes_state(r)))
        return 2;
    if ((r->kind == SIM_K_MOVE || r->kind == SIM_K_RECV) && refused && !benign)
        return 2;
    if (r->kind == SIM_K_REPLICA)
        return rank_of_replica(r);
    const char *to = r->kind == SIM_K_MOVE ? sim_record_text(r, SIM_F_TO) : NULL;
    const bool deletes = to != NULL && strncmp(to, "ReplicaDeletion", 15) == 0 &&
                         sim_record_int(r, SIM_F_DIRECT, 0) == 0;
    return deletes || (r->kind == SIM_K_ACK && refused);
}

static unsigned print_line(FILE *out, const struct sim_record *r, const char *sentence,
                           const struct sim_lesson_colors *c)
{
    fprintf(out, "%s%10.3fs%s  ", c->dim, (double)r->t / 1e6, c->off);
    print_words(out, sentence, 13, 13);
    return 1;
}

static void list_text(const struct sm_list *list, char *out, size_t capacity)
{
    size_t size = (size_t)snprintf(out, capacity, "%s", list->count == 0 ? "none" : "");
    for (int32_t i = 0; i < list->count && size + 16 < capacity; i++)
        size += (size_t)snprintf(out + size, capacity - size, "%s%" PRId32, i > 0 ? "," : "",
                                 list->id[i]);
}

/* One line, or one for each state that it wrote. */
static unsigned print_record(FILE *out, const struct sim_record *r,
                             const struct sim_lesson_colors *c)
{
    char text[SENTENCE], topic[SM_TOPIC_NAME_MAX + 1], isr[200];
    int32_t partition;
    struct sm_leader_and_isr state;
    struct sim_walk walk = {0};
    unsigned lines = 0;
    int32_t late = -1;
    while (next_state(r, &walk, topic, &partition, &state)) {
        list_text(&state.isr, isr, sizeof(isr));
        if (state.leader == SM_NO_LEADER)
            snprintf(text, sizeof(text),
                     "Written to ZooKeeper: %.200s-%" PRId32 " has no leader, ISR %s", topic,
                     partition, isr);
        else
            snprintf(text, sizeof(text),
                     "Written to ZooKeeper: %.200s-%" PRId32 " has leader %" PRId32 ", ISR %s",
                     topic, partition, state.leader, isr);
        lines += print_line(out, r, text, c);
    }
    if (lines > 0)
        return lines;
    const int32_t node = new_controller(r);
    if (node >= 0)
        snprintf(text, sizeof(text), "Node %" PRId32 " is the controller now", node);
    else if (is_late_candidate(r, &late))
        snprintf(text, sizeof(text),
                 "Node %" PRId32 " wants to be the controller, too: /controller is there already "
                 "(NODEEXISTS)",
                 late);
    else
        sim_narrate(r, text, sizeof(text));
    return print_line(out, r, text, c);
}

void sim_lesson_print_story(FILE *out, const struct sim_trace *trace, uint64_t from, uint64_t to,
                            unsigned lines, const struct sim_lesson_colors *c)
{
    uint64_t counts[RANKS] = {0};
    struct sim_record r;
    for (uint64_t n = from + 1; n <= to && sim_trace_get(trace, n, &r); n++)
        counts[rank(&r)]++;
    uint64_t sum = counts[3], left = to - from;
    unsigned least = 3;
    while (least > 1 && sum + counts[least - 1] <= lines)
        sum += counts[--least];
    unsigned printed = 0;
    for (uint64_t n = from + 1; n <= to && printed < lines && sim_trace_get(trace, n, &r); n++) {
        if (rank(&r) < least)
            continue;
        printed += print_record(out, &r, c);
        left--;
    }
    if (left > 0)
        fprintf(out, "%s%11s  (%" PRIu64 " %s of the protocol%s)%s\n", c->dim, "", left,
                left == 1 ? "step" : "steps", printed > 0 ? " more" : "", c->off);
}

/* ---- the table ---- */

static bool is_active(const struct sim_fact *fact)
{
    return fact->value.type == SIM_V_TEXT && strcmp(fact->value.text, "active") == 0;
}

/* Who /controller names, and who else believes to be the controller. */
static void print_controller(FILE *out, const struct sim_facts *facts, uint64_t n,
                             const struct sim_lesson_colors *c)
{
    struct sim_znode znode;
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    int32_t named = -1;
    if (sim_znode_get(facts, "/controller", n, &znode) && znode.data != NULL)
        sm_znode_decode_controller(znode.data, znode.size, &named);
    if (named >= 0)
        fprintf(out, "  /controller: %sbroker %" PRId32 "%s", c->bold, named, c->off);
    else
        fprintf(out, "  /controller: %snobody%s", c->bold, c->off);
    if (sim_znode_get(facts, "/controller_epoch", n, &znode) && znode.data != NULL)
        fprintf(out, ", epoch %.*s", (int)znode.size, znode.data);
    while (sim_facts_next(facts, "role.", n, &walk, &fact))
        if (is_active(&fact) && atoi(fact.key + 5) != named)
            fprintf(out, "; %sbroker %d still believes to be it%s", c->bad, atoi(fact.key + 5),
                    c->off);
    fputc('\n', out);
}

static void print_nodes(FILE *out, const struct sim_facts *facts, uint64_t n,
                        const struct sim_lesson_colors *c)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    struct sim_value state;
    bool first = true;
    fputs("  brokers:", out);
    while (sim_facts_next(facts, "node.", n, &walk, &fact)) {
        if (fact.key[5] < '0' || fact.key[5] > '9' ||
            !sim_object_get(&fact.value, SIM_F_STATE, &state) || state.type != SIM_V_TEXT)
            continue;
        const bool up = strcmp(state.text, "up") == 0;
        fprintf(out, "%s %s%s %s%s", first ? "" : ",", up ? "" : c->bad, fact.key + 5, state.text,
                up ? "" : c->off);
        first = false;
    }
    fputc('\n', out);
}

/* Where the logs of the brokers end: "1:50 2:49", "" where all are empty. */
static void logs_text(const struct sim_facts *facts, uint64_t n, const char *tp, char *out,
                      size_t capacity)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    char suffix[SM_TOPIC_NAME_MAX + 32];
    size_t size = 0;
    bool any = false;
    const size_t length = (size_t)snprintf(suffix, sizeof(suffix), ".%s.leo", tp);
    out[0] = '\0';
    while (sim_facts_next(facts, "b.", n, &walk, &fact) && size + 32 < capacity) {
        const size_t key = strlen(fact.key);
        if (key < length || strcmp(fact.key + key - length, suffix) != 0 ||
            fact.value.type != SIM_V_INT)
            continue;
        any = any || fact.value.number > 0;
        size += (size_t)snprintf(out + size, capacity - size, "%s%d:%" PRId64, size > 0 ? " " : "",
                                 atoi(fact.key + 2), fact.value.number);
    }
    if (!any)
        out[0] = '\0';
}

/* One partition; the heading before the first. */
static void print_partition(FILE *out, const struct sim_facts *facts, uint64_t n, const char *topic,
                            int32_t partition, bool first, const struct sim_lesson_colors *c)
{
    struct sm_leader_and_isr state;
    char tp[SM_TOPIC_NAME_MAX + 16], isr[200], logs[200], leader[16] = "none";
    if (!sim_znode_leadership(facts, topic, partition, n, &state))
        return;
    snprintf(tp, sizeof(tp), "%.249s-%" PRId32, topic, partition);
    list_text(&state.isr, isr, sizeof(isr));
    logs_text(facts, n, tp, logs, sizeof(logs));
    if (state.leader != SM_NO_LEADER)
        snprintf(leader, sizeof(leader), "%" PRId32, state.leader);
    if (first)
        fprintf(out, "  %s%-14s %-7s %-10s %-6s%s%s\n", c->dim, "partition", "leader", "ISR",
                "epoch", logs[0] != '\0' ? " logs end at (broker:offset)" : "", c->off);
    fprintf(out, "  %-14s %s%-7s%s %-10s %-6" PRId32 "%s%s\n", tp,
            state.leader == SM_NO_LEADER ? c->bad : "", leader,
            state.leader == SM_NO_LEADER ? c->off : "", isr, state.leader_epoch,
            logs[0] != '\0' ? " " : "", logs);
}

void sim_lesson_print_table(FILE *out, const struct sim_facts *facts, uint64_t n,
                            const struct sim_lesson_colors *c)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    unsigned rows = 0;
    print_controller(out, facts, n, c);
    print_nodes(out, facts, n, c);
    while (sim_facts_next(facts, "zn:/brokers/topics/", n, &walk, &fact)) {
        char topic[SM_TOPIC_NAME_MAX + 1];
        int32_t partition;
        if (strlen(fact.key) > SM_PATH_MAX ||
            !sm_path_is_partition_state(fact.key + 3, topic, &partition))
            continue;
        if (rows++ < ROWS_MAX)
            print_partition(out, facts, n, topic, partition, rows == 1, c);
    }
    if (rows > ROWS_MAX)
        fprintf(out, "  and %u partitions more\n", rows - ROWS_MAX);
}
