/*
 * ZooKeeper's transactions into entries: as its tools print them, and as the server wrote them.
 *
 *     11/22/26, 6:59:52 AM UTC session 0x1000… cxid 0x3 zxid 0x5 create
 * /brokers,,[31,s{'world,'anyone}
 *     ],false,2
 *
 * The tools (LogFormatter up to 3.6, TxnLogToolkit from 3.5) print dates as the Java of that
 * machine likes them, to the second: an entry has a range, [t, latest]. What a line has behind zxid
 * may go on on the next lines, for values hold any bytes. The server's own file has milliseconds:
 *
 *     "ZKLG" | version i32 | database i64 | {crc i64, size i32, header, record, 'B'}…, zeros
 *     header = session i64, cxid i32, zxid i64, time i64, type i32
 */
#include <inttypes.h>
#include <string.h>

#include "sim/import_state.h"

enum { RAW_HEAD = 16, TXN_HEAD = 32 };
#define SECOND_US INT64_C(1000000)

/* ---- dates as Java prints them ---- */

static const struct {
    const char *name;
    int32_t zone_s;
} zones[] = {
    {"UTC", 0},         {"GMT", 0},         {"Z", 0},           {"WET", 0},
    {"BST", 3600},      {"WEST", 3600},     {"CET", 3600},      {"MEZ", 3600},
    {"CEST", 7200},     {"MESZ", 7200},     {"EET", 7200},      {"EEST", 10800},
    {"MSK", 10800},     {"IST", 19800},     {"SGT", 28800},     {"HKT", 28800},
    {"JST", 32400},     {"KST", 32400},     {"AEST", 36000},    {"AEDT", 39600},
    {"NZST", 43200},    {"NZDT", 46800},    {"EST", -5 * 3600}, {"EDT", -4 * 3600},
    {"CST", -6 * 3600}, {"CDT", -5 * 3600}, {"MST", -7 * 3600}, {"MDT", -6 * 3600},
    {"PST", -8 * 3600}, {"PDT", -7 * 3600},
};

/* The whole numbers of a date, with the sign behind each. */
struct numbers {
    int64_t value[8];
    char behind[8];
    int count;
    const char *rest;
};

static void take_numbers(const char *at, const char *end, struct numbers *n)
{
    n->count = 0;
    while (at < end && n->count < 6) {
        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        int64_t v = 0;
        for (int i = 0; at < end && *at >= '0' && *at <= '9' && i < 9; i++)
            v = v * 10 + (*at++ - '0');
        n->value[n->count] = v;
        n->behind[n->count++] = at < end ? *at : '\0';
    }
    n->rest = at;
}

/* +1 PM, 0 AM, -1 neither */
static int half_of_day(struct sim_span rest)
{
    if (sim_span_find(rest, "PM") != NULL)
        return 1;
    return sim_span_find(rest, "AM") != NULL ? 0 : -1;
}

static bool order_date(const struct numbers *n, int half, int64_t *year, int64_t *month,
                       int64_t *day)
{
    const int64_t *v = n->value;
    if (v[0] > 31) { /* 2026-11-22 */
        *year = v[0], *month = v[1], *day = v[2];
    } else if (n->behind[0] == '.' || (n->behind[0] == '/' && half < 0)) { /* 22.11.26, 22/11/26 */
        *day = v[0], *month = v[1], *year = v[2];
    } else {
        *month = v[0], *day = v[1], *year = v[2];
    }
    *year += *year < 100 ? 2000 : 0;
    return *month >= 1 && *month <= 12 && *day >= 1 && *day <= 31 && *year <= 9999;
}

/* The last word of the date: a zone's name, or UTC+02:00. False where there is none that is known.
 */
static bool zone_of(struct sim_span rest, int32_t *zone_s)
{
    while (rest.size > 0 && rest.at[rest.size - 1] == ' ')
        rest.size--;
    size_t begin = rest.size;
    while (begin > 0 && rest.at[begin - 1] != ' ')
        begin--;
    struct sim_span word = {rest.at + begin, rest.size - begin};
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
        if (sim_span_is(word, zones[i].name)) {
            *zone_s = zones[i].zone_s;
            return true;
        }
    const char *sign = word.size > 0 ? memchr(word.at, '+', word.size) : NULL;
    if (sign == NULL && word.size > 0)
        sign = memchr(word.at, '-', word.size);
    struct numbers n;
    if (sign == NULL)
        return false;
    take_numbers(sign, word.at + word.size, &n);
    if (n.count == 0)
        return false;
    int64_t h = n.value[0] > 99 ? n.value[0] / 100 : n.value[0];
    int64_t m = n.value[0] > 99 ? n.value[0] % 100 : n.count > 1 ? n.value[1] : 0;
    *zone_s = (int32_t)((*sign == '-' ? -1 : 1) * ((h % 19) * 3600 + (m % 60) * 60));
    return true;
}

static bool date_of(struct sim_importer *im, uint32_t input, uint32_t line, struct sim_span s,
                    int64_t *t)
{
    struct numbers n;
    int64_t year, month, day;
    int32_t zone = 0;
    take_numbers(s.at, s.at + s.size, &n);
    struct sim_span rest = {n.rest, (size_t)(s.at + s.size - n.rest)};
    int half = half_of_day(rest);
    if (n.count < 6 || !order_date(&n, half, &year, &month, &day) || n.value[3] > 23 ||
        n.value[4] > 59 || n.value[5] > 60)
        return false;
    int64_t hour = half >= 0 ? n.value[3] % 12 + half * 12 : n.value[3];
    if (!zone_of(rest, &zone)) {
        zone = im->options->zone_s;
        if (!im->options->has_zone && im->report->transactions == 0)
            sim_import_note(
                im, input, line,
                "this date names no zone that is known; taken as UTC (--zone says otherwise)");
    }
    *t = (((sim_import_days(year, month, day) * 24 + hour) * 60 + n.value[4]) * 60 + n.value[5] -
          zone) *
         SECOND_US;
    return true;
}

/* ---- what the tools print ---- */

static bool is_header(struct sim_span s, const char **session)
{
    *session = sim_span_find(s, " session 0x");
    return *session != NULL && *session > s.at && *session - s.at < 80 &&
           sim_span_find(s, " cxid 0x") != NULL && sim_span_find(s, " zxid 0x") != NULL;
}

static bool next_text(struct sim_span *s, struct sim_span *line)
{
    if (s->size == 0)
        return false;
    const char *newline = memchr(s->at, '\n', s->size);
    line->at = s->at;
    line->size = newline != NULL ? (size_t)(newline - s->at) : s->size;
    size_t used = line->size + (newline != NULL);
    s->at += used;
    s->size -= used;
    return true;
}

static bool is_frame(struct sim_span s)
{
    return s.size == 0 || sim_span_begins(s, "ZooKeeper Transactional Log File") ||
           sim_span_begins(s, "EOF reached after");
}

bool sim_import_transactions(struct sim_importer *im, uint32_t input, struct sim_entries *out)
{
    struct sim_span s = {im->inputs[input].bytes, im->inputs[input].size}, text;
    uint32_t line = 0;
    int64_t last = INT64_MIN;
    while (next_text(&s, &text)) {
        const char *session;
        int64_t t;
        line++;
        if (!is_header(text, &session)) {
            if (out->count > 0 && out->at[out->count - 1].word == WORD_NOTE &&
                !sim_span_begins(text, "EOF reached after")) {
                struct sim_span *whole = &out->at[out->count - 1].text; /* a value goes on */
                whole->size = (size_t)(text.at + text.size - whole->at);
            } else if (!is_frame(text)) {
                sim_import_orphan(im, input, line, text, out);
            }
            continue;
        }
        if (!date_of(im, input, line, (struct sim_span){text.at, (size_t)(session - text.at)},
                     &t)) {
            sim_import_orphan(im, input, line, text, out);
            continue;
        }
        im->report->lines++;
        t = t < last ? last : t;
        last = t;
        struct sim_entry e = {.t = t,
                              .latest = t + SECOND_US - 1,
                              .input = input,
                              .line = line,
                              .node = -1,
                              .ce = -1,
                              .word = WORD_NOTE,
                              .text = {session + 1, (size_t)(text.at + text.size - session - 1)}};
        sim_import_push(out, &e);
        im->report->transactions++;
    }
    return true;
}

/* ---- what the server wrote ---- */

static int64_t big_endian(const char *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | (uint8_t)at[i];
    return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

bool sim_import_raw(struct sim_importer *im, uint32_t input, struct sim_entries *out)
{
    const char *bytes = im->inputs[input].bytes;
    size_t size = im->inputs[input].size, at = RAW_HEAD;
    int64_t last = INT64_MIN;
    if (size < RAW_HEAD)
        return sim_import_refuse(im, input, 0,
                                 "a transaction log of ZooKeeper that ends in its head");
    for (uint32_t number = 1; at + 12 <= size; number++) {
        int64_t length = big_endian(bytes + at + 8, 4);
        if (length == 0)
            break; /* room that the server took ahead */
        if (length < TXN_HEAD || (uint64_t)length > size - at - 12) {
            sim_import_note(im, input, 0,
                            "transaction %" PRIu32 " is cut off or damaged: the rest is left out",
                            number);
            break;
        }
        const char *txn = bytes + at + 12;
        int64_t ms = big_endian(txn + 20, 8);
        int64_t t = ms >= 0 && ms < INT64_C(253402300800000) ? ms * 1000 : last;
        t = t < last ? last : t;
        last = t;
        struct sim_entry e = {.t = t,
                              .latest = t,
                              .input = input,
                              .line = number,
                              .node = -1,
                              .ce = -1,
                              .word = WORD_NOTE,
                              .text = {txn, (size_t)length}};
        sim_import_push(out, &e);
        im->report->lines++;
        im->report->transactions++;
        at += 12 + (size_t)length + 1;
    }
    return true;
}
