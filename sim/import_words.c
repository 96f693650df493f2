/*
 * Reading a line: whose it is, and which wording of the table (import_wordings.c) it fits.
 *
 *     "[Controller id=1 epoch=4] ", "Controller 1 epoch 4 ", "[Broker id=2] ", …   then the wording
 */
#include <stdio.h>
#include <string.h>

#include "sim/import_state.h"

/* ---- whose line it is ---- */

static const struct whose {
    const char *before, *behind; /* the id stands between; behind is looked for from there */
    bool is_controller;
} prefixes[] = {
    {"[Controller id=", "] ", true},
    {"[Broker id=", "] ", false},
    {"[Controller ", "]: ", true},
    {"Controller ", " ",
     true}, /* "Controller 1 epoch 4 changed …": only with its epoch, see below */
    {"Broker ", " ", false},
    {"[ReplicaStateMachine controllerId=", "] ", true},
    {"[PartitionStateMachine controllerId=", "] ", true},
    {"[RequestSendThread controllerId=", "] ", true},
    {"[ControllerEventThread controllerId=", "] ", true},
    {"[Channel manager on controller ", "]: ", true},
    {"[Topic Deletion Manager ", "] ", true},
    {"[Topic Deletion Manager ", "], ", true},
    {"[Replica state machine on controller ", "]: ", true},
    {"[Partition state machine on Controller ", "]: ", true},
    {"[BrokerChangeListener on Controller ", "]: ", true},
    {"[TopicChangeListener on Controller ", "]: ", true},
    {"[AddPartitionsListener on ", "]: ", true},
    {"[PartitionModificationsListener on Controller ", "]: ", true},
    {"[PartitionModificationsListener on ", "]: ", true},
    {"[DeleteTopicsListener on Controller ", "]: ", true},
    {"[DeleteTopicsListener on ", "]: ", true},
    {"[PartitionsReassignedListener on Controller ", "]: ", true},
    {"[PartitionsReassignedListener on ", "]: ", true},
    {"[PreferredReplicaElectionListener on Controller ", "]: ", true},
    {"[PreferredReplicaElectionListener on ", "]: ", true},
    {"[IsrChangeNotificationListener on Controller ", "]: ", true},
    {"[LogDirEventNotificationListener on Controller ", "]: ", true},
    {"[ReassignedPartitionsIsrChangeListener on controller ", "]: ", true},
    {"[SessionExpirationListener on ", "], ", true},
    {"[Controller-", "-send-thread], ", true},
    {"[Controller-", "-send-thread]: ", true},
    {"[controller-event-thread-", "]: ", true},
    {"[delete-topics-thread-", "], ", true},
    {"[OfflinePartitionLeaderSelector]: ", NULL, true},
    {"[ReassignedPartitionLeaderSelector]: ", NULL, true},
    {"[PreferredReplicaPartitionLeaderSelector]: ", NULL, true},
    {"[ControlledShutdownLeaderSelector]: ", NULL, true},
    {"[NoOpLeaderSelector]: ", NULL, true},
    {"[controller-event-thread]: ", NULL, true},
    {"[KafkaServer id=", "", false},
    {"[Kafka Server ", "", false},
    {"[ReplicaManager broker=", "", false},
    {"[ReplicaFetcher replicaId=", "", false},
    {"[ReplicaFetcherManager on broker ", "", false},
};

static bool take_id(const char **at, const char *end, int32_t *id)
{
    const char *p = *at;
    int64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9' && value < INT32_MAX; p++)
        value = value * 10 + (*p - '0');
    if (p == *at || value > INT32_MAX)
        return false;
    *id = (int32_t)value;
    *at = p;
    return true;
}

/* " epoch=4" or " epoch 4" */
static void take_epoch(const char **at, const char *end, int32_t *epoch)
{
    const char *p = *at;
    if ((size_t)(end - p) > 7 && (memcmp(p, " epoch=", 7) == 0 || memcmp(p, " epoch ", 7) == 0)) {
        p += 7;
        if (take_id(&p, end, epoch))
            *at = p;
    }
}

/* Returns what follows the prefix; all of it where the row has none behind. False: does not fit. */
static bool take_whose(const struct whose *w, struct sim_span text, struct sim_entry *e,
                       struct sim_span *body)
{
    if (!sim_span_begins(text, w->before))
        return false;
    const char *at = text.at + strlen(w->before), *end = text.at + text.size;
    int32_t id = -1, epoch = -1;
    if (w->behind != NULL) {
        if (!take_id(&at, end, &id))
            return false;
        take_epoch(&at, end, &epoch);
        if (strcmp(w->before, "Controller ") == 0 && epoch < 0)
            return false;
        if (*w->behind == '\0') {
            at = text.at; /* the wording has it too */
        } else {
            const char *behind =
                sim_span_find((struct sim_span){at, (size_t)(end - at)}, w->behind);
            bool exact = w->behind[0] == ' ' || w->behind[0] == ']';
            if (behind == NULL || (exact && behind != at))
                return false;
            at = behind + strlen(w->behind);
        }
    }
    e->node = id;
    e->ce = epoch;
    e->is_controller = w->is_controller;
    *body = (struct sim_span){at, (size_t)(end - at)};
    return true;
}

static struct sim_span trimmed(struct sim_span s)
{
    while (s.size > 0 && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static struct sim_span body_of(struct sim_entry *e)
{
    struct sim_span body = e->text;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (take_whose(&prefixes[i], e->text, e, &body))
            break;
    return body;
}

/* ---- holes ---- */

static bool fits_hole(char letter, struct sim_span s)
{
    int64_t number;
    struct sim_tp tp;
    if (strchr("bceghklmnrv", letter) != NULL)
        return sim_span_int(s, &number);
    if (letter == 'p')
        return sim_span_partition(s, &tp);
    if (letter == 'f' || letter == 't')
        return s.size > 0 && memchr(s.at, ' ', s.size) == NULL;
    return true;
}

static bool same_letter(char a, char b, bool first)
{
    if (a == b)
        return true;
    return first && (a ^ b) == 0x20 && ((a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

/* Whether the literal stands at `at`. */
static bool is_literal(const char *at, const char *end, const char *literal, size_t size,
                       bool first)
{
    if ((size_t)(end - at) < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!same_letter(at[i], literal[i], first && i == 0))
            return false;
    return true;
}

static bool fits(const char *pattern, struct sim_span s, struct sim_holes *holes)
{
    const char *at = s.at, *end = s.at + s.size;
    bool first = true;
    while (*pattern != '\0') {
        char letter = '\0';
        if (*pattern == '{') {
            letter = pattern[1];
            pattern += 3;
        }
        size_t size = strcspn(pattern, "{");
        const char *found = at;
        if (letter == '\0' && !is_literal(at, end, pattern, size, first))
            return false;
        if (letter != '\0' && size == 0)
            found = end;
        while (letter != '\0' && size > 0) {
            struct sim_span hole = {at, (size_t)(found - at)};
            if (is_literal(found, end, pattern, size, false) && fits_hole(letter, hole) &&
                (pattern[size] != '\0' || found + size == end))
                break;
            if (found == end)
                return false;
            found++;
        }
        if (letter != '\0') {
            struct sim_span hole = {at, (size_t)(found - at)};
            if (!fits_hole(letter, hole))
                return false;
            SIM_HOLE(holes, letter) = hole;
        }
        at = found + size;
        pattern += size;
        first = false;
    }
    return at == end;
}

/* Some lines end with a blank behind their text, others with one before an empty list. */
static bool fits_body(const char *pattern, struct sim_span body, struct sim_holes *holes)
{
    return fits(pattern, body, holes) || fits(pattern, trimmed(body), holes);
}

/* Loggers of which every line should be known. */
static bool is_read(const struct sim_entry *e)
{
    if (e->logger.size == 0)
        return e->is_controller || e->node >= 0;
    return sim_span_begins(e->logger, "kafka.controller.") ||
           sim_span_is(e->logger, "state.change.logger");
}

void sim_import_read(struct sim_entry *e)
{
    struct sim_span body = body_of(e);
    bool starting = sim_span_begins(e->logger, "kafka.server.KafkaServer") &&
                    sim_span_is(trimmed(body), "starting");
    bool boots = (sim_span_begins(e->logger, "kafka.utils.Log4jController") &&
                  sim_span_begins(body, "Registered kafka:type=kafka.Log4jController")) ||
                 (sim_span_is(e->logger, "kafka.utils.VerifiableProperties") &&
                  sim_span_is(trimmed(body), "Verifying properties"));
    if (starting || boots) {
        e->word = WORD_STARTING;
        e->row = 0;
        return;
    }
    bool read = is_read(e);
    bool server = !read && (sim_span_begins(e->logger, "kafka.server.") ||
                            sim_span_begins(e->logger, "kafka.zk.") ||
                            sim_span_begins(e->logger, "kafka.cluster.") || e->logger.size == 0 ||
                            sim_span_begins(e->logger, "org.apache.zookeeper."));
    for (size_t i = 0; (read || server) && i < sim_wording_count; i++) {
        struct sim_holes holes;
        if (server && sim_wordings[i].word < WORD_STARTING)
            continue;
        if (fits_body(sim_wordings[i].text, body, &holes)) {
            e->word = (uint16_t)sim_wordings[i].word;
            e->row = (uint32_t)i;
            return;
        }
    }
    e->word = read ? WORD_UNKNOWN : WORD_OTHER;
}

void sim_import_holes(const struct sim_entry *e, struct sim_holes *holes)
{
    struct sim_entry copy = *e;
    struct sim_span body = body_of(&copy);
    memset(holes, 0, sizeof(*holes));
    if (e->word != WORD_UNKNOWN && e->word != WORD_OTHER)
        fits_body(sim_wordings[e->row].text, body, holes);
}

const char *sim_import_event(const struct sim_entry *e)
{
    return e->word == WORD_UNKNOWN || e->word == WORD_OTHER ? NULL : sim_wordings[e->row].event;
}

const char *sim_import_rule(const struct sim_entry *e)
{
    return e->word == WORD_UNKNOWN || e->word == WORD_OTHER ? NULL : sim_wordings[e->row].rule;
}
