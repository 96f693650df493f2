/*
 * The table, and its interpreter.
 *
 * Invariant: every kind has a last row without conditions, so every record has a sentence; a test
 * walks the table and checks it, and that a template names fields of its kind only.
 */
#include "sim/narrate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/narrate_znode.h"
#include "wire/errors.h"

struct condition {
    enum sim_field field; /* SIM_F_NONE: no condition */
    const char *text;     /* "*" present, "-" absent, else equal (numbers in decimal) */
};

struct row {
    enum sim_kind kind;
    struct condition when[2];
    const char *say;
};

#define IF(field, text)                                                                            \
    {                                                                                              \
        SIM_F_##field, text                                                                        \
    }

/* Verbs by which a scenario asks for something or undoes a fault; all others are faults. */
#define ASKED_BY(verb, step, who)                                                                  \
    {                                                                                              \
        SIM_K_FAULT, {IF(VERB, verb), step},                                                       \
            who ": {verb}[ {target}][ (that is {hit!target})][, called {label}]"                   \
    }
#define ASKED(verb) ASKED_BY(verb, {0}, "The scenario")
/* What a log shows to have been asked for; no scenario has asked. */
#define ASKED_SOMEWHERE(verb)                                                                      \
    ASKED_BY(verb, IF(STEP, "*"), "The scenario"), ASKED_BY(verb, {0}, "Asked for")

static const struct row rows[] = {
    {SIM_K_META, {{0}}, "A run begins[: {title}][, Kafka {profile}], seed {seed}"},
    {SIM_K_GIVEN, {{0}}, "The cluster is as given at the start"},

    ASKED("restart"),
    ASKED("resume"),
    ASKED("release"),
    ASKED("unblock"),
    ASKED("create-topic"),
    ASKED("add-partitions"),
    ASKED("delete-topic"),
    ASKED("alter-config"),
    ASKED_SOMEWHERE("elect-leaders"),
    ASKED_SOMEWHERE("reassign"),
    ASKED("cancel-reassignment"),
    ASKED("move-controller"),
    ASKED_SOMEWHERE("shutdown"),
    ASKED("set-isr"),
    ASKED("znode"),
    {SIM_K_FAULT, {IF(VERB, "exit")}, "The process of node {hit} ends by itself"},
    {SIM_K_FAULT, {IF(VERB, "stop")}, "The process of node {hit} ends in order"},
    {SIM_K_FAULT, {IF(VERB, "start")}, "The process of node {hit} starts"},
    {SIM_K_FAULT, {IF(VERB, "silent")}, "Nothing more is heard of node {hit}"},
    {SIM_K_FAULT,
     {IF(VERB, "kill"), IF(INFERRED, "*")},
     "The process of node {hit} ends: its log breaks off"},
    {SIM_K_FAULT,
     {IF(TARGET, "*")},
     "Fault: {verb} {target}[ (that is {hit!target})][, called {label}]"},
    {SIM_K_FAULT, {{0}}, "Fault: {verb}[ {hit}][, called {label}]"},

    {SIM_K_SEND, {IF(RE, "*"), IF(ERROR, "0")}, "{at} answers {api}[ to {to}]"},
    {SIM_K_SEND, {IF(RE, "*")}, "{at} answers {api}[ to {to}] with error {error}"},
    {SIM_K_SEND, {IF(CE, "*")}, "{at} sends {api} to {to}, controller epoch {ce}"},
    {SIM_K_SEND, {IF(TO, "*")}, "{at} sends {api} to {to}"},
    {SIM_K_SEND, {{0}}, "{at} answers {api}[, error {error}]"},

    {SIM_K_RECV, {IF(RE, "*"), IF(ERROR, "0")}, "{at} has the answer to {api} from {frm}"},
    {SIM_K_RECV, {IF(RE, "*")}, "{at} has the answer to {api} from {frm}: error {error}"},
    {SIM_K_RECV,
     {IF(OK, "0")},
     "{at} refuses {api} from {frm}[, controller epoch {ce}]: error {error}"},
    {SIM_K_RECV, {IF(CE, "*")}, "{at} takes {api} from {frm}, controller epoch {ce}"},
    {SIM_K_RECV, {{0}}, "{at} takes {api}[ from {frm}]"},

    {SIM_K_DROP, {{0}}, "Message {m} is lost: {why}"},

    {SIM_K_ZREQ,
     {IF(OP, "multi")},
     "{at} asks ZooKeeper: multi on {path}[, if {check} has version {want}]"},
    {SIM_K_ZREQ, {IF(WANT, "*")}, "{at} asks ZooKeeper: {op} {path}, if its version is {want}"},
    {SIM_K_ZREQ, {{0}}, "{at} asks ZooKeeper: {op} {path}"},

    {SIM_K_ZAP, {IF(OK, "0")}, "ZooKeeper refuses {op}[ {path}][ of {frm}]: {code}"},
    {SIM_K_ZAP, {IF(SET, "*"), IF(ZXID, "*")}, "ZooKeeper {znodes}[, for {frm}], zxid {zxid}"},
    {SIM_K_ZAP, {IF(SET, "*"), IF(INFERRED, "*")}, "ZooKeeper {znodes}[, for {frm}]"},
    {SIM_K_ZAP, {{0}}, "ZooKeeper answers {op}[ {path}][ of {frm}][, {arm} watch armed]"},

    {SIM_K_ZREP, {IF(OK, "0")}, "{at} learns that {op}[ {path}] was refused: {code}"},
    {SIM_K_ZREP, {IF(COUNT, "*")}, "{at} has the reply to {op}: {count} names"},
    {SIM_K_ZREP, {IF(VERSION, "*")}, "{at} has the reply to {op}, version {version}"},
    {SIM_K_ZREP, {{0}}, "{at} has the reply[ to {op}]"},

    {SIM_K_WATCH,
     {IF(EVENT, "lost")},
     "The event on {path} never reached its client, the watch stands again"},
    {SIM_K_WATCH, {{0}}, "The watch[ of {to}] on {path} fires: {event}"},
    {SIM_K_NOTIFY, {{0}}, "{at} is told: {event} {path}"},

    {SIM_K_SESSION,
     {IF(SEEN, "server"), IF(WHAT, "expired")},
     "ZooKeeper lets the session[ of node {node}] expire, its ephemeral znodes go"},
    {SIM_K_SESSION,
     {IF(SEEN, "server"), IF(WHAT, "closed")},
     "ZooKeeper closes the session[ of node {node}], its ephemeral znodes go"},
    {SIM_K_SESSION,
     {IF(SEEN, "server"), IF(WHAT, "refused")},
     "ZooKeeper refuses a session[ of node {node}]: it has expired"},
    {SIM_K_SESSION, {IF(SEEN, "server")}, "ZooKeeper: session[ of node {node}] {what}"},
    {SIM_K_SESSION, {{0}}, "Node {node} sees its session {what}"},

    {SIM_K_ZNODE, {{0}}, "[{who}: ]{what} {path}"},

    {SIM_K_QUEUE, {IF(WHAT, "put")}, "{at} queues {name}[, {depth} waiting]"},
    {SIM_K_QUEUE,
     {IF(WHAT, "start"), IF(WAITED, "*")},
     "{at} begins {name}, which waited {waited} µs"},
    {SIM_K_QUEUE, {IF(WHAT, "start")}, "{at} begins {name}"},
    {SIM_K_QUEUE, {IF(WHAT, "done")}, "{at} is done with {name}"},
    {SIM_K_QUEUE, {IF(WHAT, "preempt")}, "{at} preempts {name}"},
    {SIM_K_QUEUE, {IF(WHAT, "clear")}, "{at} clears its queue[ for {name}]"},
    {SIM_K_QUEUE, {{0}}, "{at}: {what}[ {name}]"},

    {SIM_K_FLOW, {IF(ROW, "*")}, "{at}: {name}, step {row}"},
    {SIM_K_FLOW, {{0}}, "{at}: {name}"},

    {SIM_K_DECIDE,
     {IF(VERDICT, "elected")},
     "{at} elects {chosen} as leader of {partition}, ISR {isr} ({rule})"},
    {SIM_K_DECIDE,
     {IF(VERDICT, "elected-unclean")},
     "{at} elects {chosen}, which was not in sync, as leader of {partition} ({rule})"},
    {SIM_K_DECIDE,
     {IF(VERDICT, "not-needed")},
     "{at} leaves the leader of {partition} as it is ({rule})"},
    {SIM_K_DECIDE, {{0}}, "{at} finds no leader for {partition} ({rule})"},

    {SIM_K_MOVE,
     {IF(OK, "0"), IF(MACHINE, "replica")},
     "{at} refuses to move replica {replica} of {partition} from {from} to {to}[: {why}]"},
    {SIM_K_MOVE, {IF(OK, "0")}, "{at} refuses to move {partition} from {from} to {to}[: {why}]"},
    {SIM_K_MOVE,
     {IF(DIRECT, "*"), IF(MACHINE, "replica")},
     "{at} finds replica {replica} of {partition} as {to}"},
    {SIM_K_MOVE, {IF(DIRECT, "*")}, "{at} finds {partition} as {to}"},
    {SIM_K_MOVE,
     {IF(MACHINE, "replica")},
     "{at} moves replica {replica} of {partition} from {from} to {to}"},
    {SIM_K_MOVE, {{0}}, "{at} moves {partition} from {from} to {to}"},

    {SIM_K_LEARN, {{0}}, "{at} updates what it believes"},

    {SIM_K_REPLICA,
     {IF(WHAT, "leader")},
     "{at} leads {partition} in epoch {epoch}, from offset {offset} on, ISR {isr}"},
    {SIM_K_REPLICA,
     {IF(WHAT, "follower")},
     "{at} follows {leader} in {partition}, epoch {epoch}, its log ends at {offset}"},
    {SIM_K_REPLICA,
     {IF(WHAT, "no-leader")},
     "{at} makes a log for {partition}, whose leader is not alive, and waits"},
    {SIM_K_REPLICA, {IF(WHAT, "offline")}, "{at} has lost the log directory of {partition}"},
    {SIM_K_REPLICA, {IF(WHAT, "deleted")}, "{at} deletes its log of {partition}"},
    {SIM_K_REPLICA, {IF(WHAT, "stopped")}, "{at} stops its replica of {partition}"},
    {SIM_K_REPLICA,
     {IF(WHAT, "start"), IF(WHY, "age")},
     "{at} deletes what is too old in {partition}: its log begins at {offset} now"},
    {SIM_K_REPLICA,
     {IF(WHAT, "start"), IF(WHY, "size")},
     "{at} deletes what is too much in {partition}: its log begins at {offset} now"},
    {SIM_K_REPLICA, {IF(WHAT, "start")}, "{at}: the log of {partition} begins at {offset} now"},
    {SIM_K_REPLICA, {IF(WHAT, "rolled")}, "{at} begins a segment of {partition} at {offset}"},
    {SIM_K_REPLICA,
     {IF(WHAT, "forgotten")},
     "{at} forgets {count} producers of {partition}, idle for too long"},
    {SIM_K_REPLICA, {IF(WHAT, "failed")}, "{at} fetches {partition} no more"},
    {SIM_K_REPLICA,
     {IF(WHAT, "isr-pending")},
     "{at} wants {isr} as the ISR of {partition}, and counts whoever may be in it"},
    {SIM_K_REPLICA,
     {IF(WHAT, "isr")},
     "{at} has {isr} as the ISR of {partition}, version {zkversion}"},
    {SIM_K_REPLICA,
     {IF(WHAT, "isr-failed")},
     "{at} could not write the ISR of {partition}: it waits for a LeaderAndIsr"},
    {SIM_K_REPLICA, {IF(WHAT, "isr-notified")}, "{at} has told of the ISRs that it changed"},
    {SIM_K_REPLICA,
     {IF(WHAT, "unknown-replica")},
     "{at} refuses a fetch of {replica}, which is no replica of {partition}"},
    {SIM_K_REPLICA, {IF(WHAT, "dir-failed")}, "{at}: log directory {id} has failed"},
    {SIM_K_REPLICA, {{0}}, "{at}: {what}[ of {partition}]"},

    {SIM_K_APPEND,
     {{0}},
     "{at} appends {count} records to {partition} at {base}, epoch {epoch}: it ends at {offset}"},
    {SIM_K_TRUNCATE,
     {IF(LOST, "*")},
     "{at} cuts {partition} from {have} to {offset}: batches {lost} are gone"},
    {SIM_K_TRUNCATE, {{0}}, "{at} cuts {partition} from {have} to {offset}"},
    {SIM_K_HW,
     {IF(LSO, "*")},
     "{at}: {partition} is committed up to {offset}, and stable up to {lso}"},
    {SIM_K_HW, {{0}}, "{at}: {partition} is committed up to {offset}"},
    {SIM_K_WAIT,
     {{0}},
     "{at} keeps the answer to {what} back until {partition} is committed up to {offset}"},

    {SIM_K_BATCH, {{0}}, "{at} completes batch {id}, controller epoch {ce}"},
    {SIM_K_CLOSE, {{0}}, "{at} closes its channel to {to}"},

    {SIM_K_ACK,
     {IF(OK, "1"), IF(OFFSET, "*")},
     "{at}: {value} is acknowledged, {partition} offset {offset}"},
    {SIM_K_ACK, {IF(OK, "1")}, "{at}: {value} is taken as written in {partition}"},
    {SIM_K_ACK, {{0}}, "{at}: {value} has failed, {partition}: {code}[ ({what})]"},
    {SIM_K_READ, {IF(VALUE, "*")}, "{at} reads {value}, {partition} offset {offset}"},
    {SIM_K_READ, {{0}}, "{at} reads {count} records, {partition} offset {offset}"},
    {SIM_K_TXN, {IF(OK, "1")}, "{at}: {what} of its transaction is done"},
    {SIM_K_TXN, {IF(OK, "0")}, "{at}: {what} of its transaction fails: {code}"},
    {SIM_K_TXN, {{0}}, "{at}: its transaction is {what}[: {code}]"},
    {SIM_K_GROUP, {IF(BODY, "*")}, "{at} is {what} {body}[: {code}]"},
    {SIM_K_GROUP, {{0}}, "{at}: its group is {what}[, generation {epoch}][: {code}]"},
    {SIM_K_CLIENT, {IF(WHAT, "start")}, "{at} starts"},
    {SIM_K_CLIENT,
     {IF(WHAT, "metadata")},
     "{at} hears that broker {leader} leads {partition}, epoch {epoch}"},
    {SIM_K_CLIENT, {IF(WHAT, "retry")}, "{at} sends records of {partition} again[: {code}]"},
    {SIM_K_CLIENT, {IF(WHAT, "producer-id")}, "{at} is given producer id {id}, epoch {epoch}"},
    {SIM_K_CLIENT,
     {IF(WHAT, "coordinator")},
     "{at} hears that broker {leader} coordinates its {type}"},
    {SIM_K_CLIENT, {IF(WHAT, "truncated")}, "{at} finds {partition} truncated to offset {offset}"},
    {SIM_K_CLIENT, {IF(WHAT, "timed-out")}, "{at} waits no longer for the answer to its {api}"},
    {SIM_K_CLIENT, {{0}}, "{at}: {what}[, {partition}][: {code}][, {text}]"},

    {SIM_K_TIMER, {IF(WHAT, "arm")}, "{at} arms a timer[ {name}] for {due} µs"},
    {SIM_K_TIMER, {IF(WHAT, "fire")}, "{at}: timer[ {name}] fires"},
    {SIM_K_TIMER, {{0}}, "{at}: timer[ {name}] {what}"},

    {SIM_K_LOG, {{0}}, "{at} logs {level}: {text}"},

    {SIM_K_CHECK, {IF(OK, "1")}, "Check {name} holds"},
    {SIM_K_CHECK, {IF(DEFECT, "*")}, "Check {name} fails, as known from {defect}"},
    {SIM_K_CHECK, {{0}}, "Check {name} fails"},
    {SIM_K_MARK, {{0}}, "Mark {label}[: {text}]"},
    {SIM_K_FINISH, {{0}}, "The run ends: {verdict}[, {records} records][, digest {digest}]"},
};

/* ---- text that grows up to a limit ---- */

struct sentence {
    char *out;
    size_t capacity, size;
};

static void add(struct sentence *s, const char *bytes, size_t size)
{
    size_t room = s->capacity > s->size ? s->capacity - s->size - 1 : 0;
    size_t take = size < room ? size : room;
    memcpy(s->out + s->size, bytes, take);
    s->size += take;
    s->out[s->size] = '\0';
}

__attribute__((format(printf, 2, 3))) static void add_format(struct sentence *s, const char *format,
                                                             ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add(s, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* ---- values in words ---- */

static void add_lane(struct sentence *s, sim_lane lane)
{
    switch (sim_lane_letter(lane)) {
    case 'z':
        add_format(s, "ZooKeeper");
        break;
    case 'w':
        add_format(s, "the scenario");
        break;
    case 'o':
        add_format(s, "the operator");
        break;
    case 'c':
        add_format(s, "controller %" PRId32, sim_lane_id(lane));
        break;
    case 'b':
        add_format(s, "broker %" PRId32, sim_lane_id(lane));
        break;
    case 'p':
        add_format(s, "producer %" PRId32, sim_lane_id(lane));
        break;
    case 'u':
        add_format(s, "consumer %" PRId32, sim_lane_id(lane));
        break;
    default:
        add_format(s, "?");
        break;
    }
}

static void add_value(struct sentence *s, const struct sim_value *v);

static void add_list(struct sentence *s, const struct sim_value *v)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    for (bool first = true; sim_list_next(v, &walk, &item); first = false) {
        if (!first)
            add(s, ",", 1);
        add_value(s, &item);
    }
}

static void add_value(struct sentence *s, const struct sim_value *v)
{
    switch ((enum sim_value_type)v->type) {
    case SIM_V_NULL:
        add(s, "nothing", 7);
        break;
    case SIM_V_INT:
        add_format(s, "%" PRId64, v->number);
        break;
    case SIM_V_TEXT:
        add(s, v->text, strlen(v->text));
        break;
    case SIM_V_LIST:
        add_list(s, v);
        break;
    case SIM_V_OBJECT:
        add(s, "{…}", strlen("{…}"));
        break;
    }
}

/* "STALE_CONTROLLER_EPOCH (11)"; a code that Kafka does not have is a number. */
static void add_error(struct sentence *s, int64_t code)
{
    const bool fits = code != 0 && code >= INT16_MIN && code <= INT16_MAX;
    const char *name = fits ? wire_error_name((int32_t)code) : "ERROR";
    if (strcmp(name, "ERROR") != 0)
        add_format(s, "%s (%" PRId64 ")", name, code);
    else
        add_format(s, "%" PRId64, code);
}

/* Lanes of messages are in words; a `to` that is no lane is a state of a machine. */
static void add_field(struct sentence *s, const struct sim_record *r, enum sim_field field,
                      const struct sim_value *v)
{
    bool may_be_lane = field == SIM_F_FRM || (field == SIM_F_TO && r->kind != SIM_K_MOVE);
    sim_lane lane = may_be_lane && v->type == SIM_V_TEXT ? sim_lane_named(v->text) : 0;
    if (lane != 0)
        add_lane(s, lane);
    else if (field == SIM_F_ERROR && v->type == SIM_V_INT)
        add_error(s, v->number);
    else
        add_value(s, v);
}

/* ---- templates ---- */

static bool holds(const struct condition *c, const struct sim_record *r)
{
    struct sim_value v;
    if (c->field == SIM_F_NONE)
        return true;
    bool present = sim_record_get(r, c->field, &v);
    if (strcmp(c->text, "*") == 0)
        return present;
    if (strcmp(c->text, "-") == 0 || !present)
        return !present && strcmp(c->text, "-") == 0;
    if (v.type == SIM_V_INT) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRId64, v.number);
        return strcmp(number, c->text) == 0;
    }
    return v.type == SIM_V_TEXT && strcmp(v.text, c->text) == 0;
}

static const struct row *find_row(const struct sim_record *r)
{
    size_t i = 0;
    for (; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kind == r->kind && holds(&rows[i].when[0], r) && holds(&rows[i].when[1], r))
            break;
    assert(i < sizeof(rows) / sizeof(rows[0])); /* every kind has a row without conditions */
    return &rows[i];
}

static void fill(struct sentence *s, const struct sim_record *r, const char *say);

/* Copies the name between braces at `at` and returns what follows it. */
static const char *read_name(const char *at, char *name, size_t capacity)
{
    const char *end = strchr(at, '}');
    assert(end != NULL && (size_t)(end - at) < capacity);
    memcpy(name, at, (size_t)(end - at));
    name[end - at] = '\0';
    return end + 1;
}

static bool put_named(struct sentence *s, const struct sim_record *r, const char *name)
{
    struct sim_value v;
    enum sim_field field = sim_field_named(name);
    if (!sim_record_get(r, field, &v) || (v.type == SIM_V_LIST && v.size == 0))
        return false;
    add_field(s, r, field, &v);
    return true;
}

/* "hit!target": the one, unless the other has the same words. */
static bool put_unless(struct sentence *s, const struct sim_record *r, char *name, char *other)
{
    char first[64], second[64];
    struct sentence one = {.out = first, .capacity = sizeof(first)},
                    two = {.out = second, .capacity = sizeof(second)};
    *other++ = '\0';
    if (put_named(&one, r, name) && put_named(&two, r, other) && strcmp(first, second) == 0)
        return false;
    return put_named(s, r, name);
}

/* What became of znodes; where the record does not say, what was asked for. */
static bool put_znodes(struct sentence *s, const struct sim_record *r)
{
    char words[1 << 14];
    if (sim_narrate_znodes(r, words, sizeof(words)) == 0)
        fill(s, r, "applies {op}[ {path}]");
    else
        add(s, words, strlen(words));
    return true;
}

/* Puts one field; false where the record has none. */
static bool put_field(struct sentence *s, const struct sim_record *r, char *name)
{
    char *other = strchr(name, '!');
    if (strcmp(name, "at") == 0) {
        add_lane(s, r->at);
        return true;
    }
    if (strcmp(name, "znodes") == 0)
        return put_znodes(s, r);
    return other != NULL ? put_unless(s, r, name, other) : put_named(s, r, name);
}

/* A field that is absent outside of brackets is a dash. */
static void fill(struct sentence *s, const struct sim_record *r, const char *say)
{
    char name[32];
    size_t mark = 0;
    bool inside = false, complete = true;
    for (const char *at = say; *at != '\0';) {
        if (*at == '{') {
            at = read_name(at + 1, name, sizeof(name));
            bool put = put_field(s, r, name);
            complete = complete && put;
            if (!put && !inside)
                add(s, "-", 1);
            continue;
        }
        if (*at == '[') {
            mark = s->size;
            inside = complete = true;
        } else if (*at == ']') {
            s->size = complete ? s->size : mark;
            s->out[s->size] = '\0';
            inside = false;
        } else {
            add(s, at, 1);
        }
        at++;
    }
}

size_t sim_narrate(const struct sim_record *record, char *out, size_t capacity)
{
    struct sentence s = {.out = out, .capacity = capacity};
    assert(capacity > 8);
    out[0] = '\0';
    fill(&s, record, find_row(record)->say);
    if (record->kind != SIM_K_META && sim_record_int(record, SIM_F_INFERRED, 0) != 0)
        add(&s, " (inferred)", 11);
    if (s.size == capacity - 1) {
        size_t cut = capacity - 4;
        while (cut > 0 && ((uint8_t)out[cut] & 0xc0) == 0x80)
            cut--; /* no half characters */
        memcpy(out + cut, "...", 4);
        s.size = cut + 3;
    }
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
    return s.size;
}

/* ---- export ---- */

static void print_json(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void sim_narrate_print_table(FILE *out)
{
    size_t count = sizeof(rows) / sizeof(rows[0]);
    fputs("[\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " {\"k\":\"%s\",\"if\":[", sim_kind_name(rows[i].kind));
        for (int c = 0; c < 2 && rows[i].when[c].field != SIM_F_NONE; c++)
            fprintf(out, "%s[\"%s\",\"%s\"]", c > 0 ? "," : "",
                    sim_field_name(rows[i].when[c].field), rows[i].when[c].text);
        fputs("],\"say\":", out);
        print_json(out, rows[i].say);
        fprintf(out, "}%s\n", i + 1 < count ? "," : "");
    }
    fputs("]\n", out);
}

void sim_narrate_print_errors(FILE *out)
{
    const char *between = "";
    fputc('{', out);
#define X(name, code, retriable, text)                                                             \
    fprintf(out, "%s\"%d\":\"%s\"", between, code, #name);                                         \
    between = ",";
    WIRE_ERRORS_MAP(X)
#undef X
    fputs("}\n", out);
}
