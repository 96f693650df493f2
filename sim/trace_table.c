/*
 * The tables of kinds and fields, and which kind has which fields. docs/trace.md says the same in
 * words; tests/sim/test_trace_doc compares the two.
 */
#include "sim/trace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct word {
    const char *name, *text;
};

static const struct word kinds[SIM_K_END] = {
#define X(name, text, what) [SIM_K_##name] = {text, what},
    SIM_KIND_MAP(X)
#undef X
};

static const struct word fields[SIM_F_END] = {
#define X(name, text, what) [SIM_F_##name] = {text, what},
    SIM_FIELD_MAP(X)
#undef X
};

/* Zero ends a row. Every kind also has what a refusal says, and the facts. */
enum { FIELDS_MAX = 20 };
static const uint8_t common[] = {
    SIM_F_SET,  SIM_F_REFS, SIM_F_OK,     SIM_F_CODE,     SIM_F_RULE,
    SIM_F_HAVE, SIM_F_WANT, SIM_F_BENIGN, SIM_F_INFERRED,
};
static const uint8_t own[SIM_K_END][FIELDS_MAX] = {
    [SIM_K_META] = {SIM_F_SCHEMA, SIM_F_VERSION, SIM_F_SEED, SIM_F_FILE, SIM_F_SCENARIO,
                    SIM_F_FILES, SIM_F_TITLE, SIM_F_QUESTION, SIM_F_PROFILE, SIM_F_PROPS,
                    SIM_F_LANES, SIM_F_TOPICS, SIM_F_EXPECT, SIM_F_LESSON, SIM_F_CHOICES,
                    SIM_F_DIGEST, SIM_F_WALL},
    [SIM_K_GIVEN] = {SIM_F_GENERATE},
    [SIM_K_FAULT] = {SIM_F_VERB, SIM_F_TARGET, SIM_F_HIT, SIM_F_LABEL, SIM_F_UNTIL, SIM_F_STEP},
    [SIM_K_SEND] = {SIM_F_M, SIM_F_TO, SIM_F_API, SIM_F_RE, SIM_F_CORR, SIM_F_CE, SIM_F_BE,
                    SIM_F_BATCH, SIM_F_BODY, SIM_F_LEN, SIM_F_ERROR, SIM_F_CODES, SIM_F_ID,
                    SIM_F_TYPE},
    [SIM_K_RECV] = {SIM_F_M, SIM_F_FRM, SIM_F_API, SIM_F_RE, SIM_F_CE, SIM_F_ERROR, SIM_F_CODES,
                    SIM_F_BODY, SIM_F_ID, SIM_F_TYPE},
    [SIM_K_DROP] = {SIM_F_M, SIM_F_WHY},
    [SIM_K_ZREQ] = {SIM_F_M, SIM_F_OP, SIM_F_PATH, SIM_F_OPS, SIM_F_CHECK, SIM_F_LEN},
    [SIM_K_ZAP] = {SIM_F_M, SIM_F_FRM, SIM_F_OP, SIM_F_PATH, SIM_F_ZXID, SIM_F_RESULTS, SIM_F_ARM},
    [SIM_K_ZREP] = {SIM_F_M, SIM_F_OP, SIM_F_PATH, SIM_F_VALUE, SIM_F_COUNT, SIM_F_VERSION,
                    SIM_F_RESULTS},
    [SIM_K_WATCH] = {SIM_F_PATH, SIM_F_TYPE, SIM_F_EVENT, SIM_F_TO, SIM_F_SESSION},
    [SIM_K_NOTIFY] = {SIM_F_PATH, SIM_F_EVENT},
    [SIM_K_SESSION] = {SIM_F_ID, SIM_F_NODE, SIM_F_WHAT, SIM_F_TIMEOUT, SIM_F_ZXID, SIM_F_SEEN},
    [SIM_K_ZNODE] = {SIM_F_PATH, SIM_F_WHAT, SIM_F_WHO, SIM_F_OP, SIM_F_ZXID},
    [SIM_K_QUEUE] = {SIM_F_WHAT, SIM_F_NAME, SIM_F_ID, SIM_F_DEPTH, SIM_F_WAITED},
    [SIM_K_FLOW] = {SIM_F_NAME, SIM_F_ROW},
    [SIM_K_DECIDE] = {SIM_F_PARTITION, SIM_F_CANDIDATES, SIM_F_CHOSEN, SIM_F_LEADER, SIM_F_ISR,
                      SIM_F_EPOCH, SIM_F_UNCLEAN, SIM_F_VERDICT},
    [SIM_K_MOVE] = {SIM_F_MACHINE, SIM_F_PARTITION, SIM_F_REPLICA, SIM_F_FROM, SIM_F_TO,
                    SIM_F_DIRECT, SIM_F_WHY},
    [SIM_K_LEARN] = {SIM_F_WHAT},
    [SIM_K_REPLICA] = {SIM_F_WHAT, SIM_F_PARTITION, SIM_F_LEADER, SIM_F_EPOCH, SIM_F_ISR,
                       SIM_F_ZKVERSION, SIM_F_OFFSET, SIM_F_REPLICA, SIM_F_ID, SIM_F_WHY,
                       SIM_F_COUNT},
    [SIM_K_APPEND] = {SIM_F_PARTITION, SIM_F_BASE, SIM_F_COUNT, SIM_F_EPOCH, SIM_F_OFFSET,
                      SIM_F_BATCHES, SIM_F_CODEC},
    [SIM_K_TRUNCATE] = {SIM_F_PARTITION, SIM_F_OFFSET, SIM_F_LOST},
    [SIM_K_HW] = {SIM_F_PARTITION, SIM_F_OFFSET, SIM_F_LSO},
    [SIM_K_WAIT] = {SIM_F_WHAT, SIM_F_PARTITION, SIM_F_OFFSET, SIM_F_UNTIL},
    [SIM_K_BATCH] = {SIM_F_ID, SIM_F_CE, SIM_F_BROKERS, SIM_F_LEADER_AND_ISR, SIM_F_UPDATE_METADATA,
                     SIM_F_STOP_REPLICA},
    [SIM_K_CLOSE] = {SIM_F_TO},
    [SIM_K_ACK] = {SIM_F_PARTITION, SIM_F_OFFSET, SIM_F_COUNT, SIM_F_VALUE, SIM_F_WHAT},
    [SIM_K_READ] = {SIM_F_PARTITION, SIM_F_OFFSET, SIM_F_COUNT, SIM_F_VALUE},
    [SIM_K_TXN] = {SIM_F_WHAT},
    [SIM_K_GROUP] = {SIM_F_WHAT, SIM_F_EPOCH, SIM_F_BODY},
    [SIM_K_CLIENT] = {SIM_F_WHAT, SIM_F_NAME, SIM_F_PARTITION, SIM_F_LEADER, SIM_F_EPOCH, SIM_F_ID,
                      SIM_F_TYPE, SIM_F_OFFSET, SIM_F_TEXT, SIM_F_API},
    [SIM_K_TIMER] = {SIM_F_WHAT, SIM_F_NAME, SIM_F_ID, SIM_F_DUE},
    [SIM_K_LOG] = {SIM_F_LEVEL, SIM_F_STREAM, SIM_F_NAME, SIM_F_TEXT},
    [SIM_K_CHECK] = {SIM_F_NAME, SIM_F_DEFECT, SIM_F_PARTITION},
    [SIM_K_MARK] = {SIM_F_LABEL, SIM_F_TEXT, SIM_F_STEP},
    [SIM_K_FINISH] = {SIM_F_VERDICT, SIM_F_RECORDS, SIM_F_COUNTS, SIM_F_DIGEST, SIM_F_EXPECT},
};

const char *sim_kind_name(enum sim_kind kind)
{
    assert(kind > SIM_K_NONE && kind < SIM_K_END);
    return kinds[kind].name;
}

const char *sim_kind_text(enum sim_kind kind)
{
    assert(kind > SIM_K_NONE && kind < SIM_K_END);
    return kinds[kind].text;
}

const char *sim_field_name(enum sim_field field)
{
    assert(field > SIM_F_NONE && field < SIM_F_END);
    return fields[field].name;
}

const char *sim_field_text(enum sim_field field)
{
    assert(field > SIM_F_NONE && field < SIM_F_END);
    return fields[field].text;
}

static int named(const struct word *words, int end, const char *name)
{
    for (int i = 1; i < end; i++)
        if (strcmp(words[i].name, name) == 0)
            return i;
    return 0;
}

enum sim_kind sim_kind_named(const char *name)
{
    return (enum sim_kind)named(kinds, SIM_K_END, name);
}

enum sim_field sim_field_named(const char *name)
{
    return (enum sim_field)named(fields, SIM_F_END, name);
}

bool sim_kind_has(enum sim_kind kind, enum sim_field field)
{
    for (size_t i = 0; i < sizeof(common); i++)
        if (common[i] == field)
            return true;
    for (int i = 0; i < FIELDS_MAX && own[kind][i] != 0; i++)
        if (own[kind][i] == field)
            return true;
    return false;
}

const char *sim_lane_text(char *out, sim_lane lane)
{
    char letter = sim_lane_letter(lane);
    if (lane == SIM_LANE_ZK)
        strcpy(out, "zk");
    else if (letter == 'w' || letter == 'o')
        snprintf(out, SIM_LANE_TEXT, "%c", letter);
    else
        snprintf(out, SIM_LANE_TEXT, "%c%" PRId32, letter, sim_lane_id(lane));
    return out;
}

sim_lane sim_lane_named(const char *text)
{
    if (strcmp(text, "zk") == 0)
        return SIM_LANE_ZK;
    if (strcmp(text, "w") == 0)
        return SIM_LANE_WORLD;
    if (strcmp(text, "o") == 0)
        return SIM_LANE_OPERATOR;
    if (*text == '\0' || strchr("cbpu", *text) == NULL || text[1] < '0' || text[1] > '9')
        return 0;
    char *end;
    unsigned long id = strtoul(text + 1, &end, 10);
    bool canonical = text[1] != '0' || text[2] == '\0';
    return *end == '\0' && id <= INT32_MAX && canonical ? SIM_LANE(*text, id) : 0;
}
