/*
 * Lines of log4j into entries.
 *
 *     [2021-05-01 10:00:00,123] INFO [Controller id=1] Registering handlers
 * (kafka.controller.KafkaController)
 *     `------- date ---------´ level `---------------- text -------------´  `---------- logger
 * ---------´
 *
 * Read besides Kafka's own pattern: dates without brackets, with `T`, with a zone, milliseconds
 * since 1970; a thread before the level or behind the logger; "logger - text", "[logger] (thread)
 * text"; what docker-compose puts before a line ("kafka1 | "). A line that begins with no date
 * belongs to the entry before it, as a stack trace does.
 *
 * A zone is either named on every line or on none, over all files; else nobody could say how they
 * lie to each other, and the import is refused unless it is told (--zone). Time that falls by 20
 * minutes or more is a clock that was set, or files glued together: the rest of the file is moved
 * on, and that is said.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/import_state.h"

enum { DOCKER_NAME_MAX = 64, KIND_LINES = 200, BRACKETS_MAX = 4 };
#define JUMP_US INT64_C(1200000000)

void sim_import_note(struct sim_importer *im, uint32_t input, uint32_t line, const char *format,
                     ...)
{
    struct sim_import_report *r = im->report;
    if (r->note_count++ >= SIM_IMPORT_NOTES_MAX)
        return;
    char *note = r->notes[r->note_count - 1];
    size_t room = sizeof(r->notes[0]);
    int size = line > 0 ? snprintf(note, room, "%.200s:%" PRIu32 ": ", im->inputs[input].name, line)
                        : snprintf(note, room, "%.200s: ", im->inputs[input].name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note + size, room - (size_t)size, format, arguments);
    va_end(arguments);
}

bool sim_import_refuse(struct sim_importer *im, uint32_t input, uint32_t line, const char *format,
                       ...)
{
    int size = line > 0
                   ? snprintf(im->error, im->error_capacity, "%.200s:%" PRIu32 ": ",
                              im->inputs[input].name, line)
                   : snprintf(im->error, im->error_capacity, "%.200s: ", im->inputs[input].name);
    va_list arguments;
    va_start(arguments, format);
    if ((size_t)size < im->error_capacity)
        vsnprintf(im->error + size, im->error_capacity - (size_t)size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- dates ---- */

int64_t sim_import_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

/* Reads exactly `digits` digits; false where they are not there. */
static bool take_digits(const char **at, const char *end, int digits, int64_t *value)
{
    *value = 0;
    if (end - *at < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9')
            return false;
        *value = *value * 10 + ((*at)[i] - '0');
    }
    *at += digits;
    return true;
}

static bool take(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

/* "Z", "+02:00", "+0200", "+02", " UTC", " +0200" */
static bool take_zone(const char **at, const char *end, int32_t *zone_s)
{
    const char *p = *at;
    int64_t hours, minutes = 0;
    *zone_s = 0;
    if (take(&p, end, 'Z')) {
        *at = p;
        return true;
    }
    take(&p, end, ' ');
    if (end - p >= 3 && (strncmp(p, "UTC", 3) == 0 || strncmp(p, "GMT", 3) == 0)) {
        *at = p + 3;
        return true;
    }
    if (p == end || (*p != '+' && *p != '-'))
        return false;
    const int32_t sign = *p++ == '-' ? -1 : 1;
    if (!take_digits(&p, end, 2, &hours))
        return false;
    const char *rest = p;
    take(&rest, end, ':');
    if (take_digits(&rest, end, 2, &minutes))
        p = rest;
    if (hours > 18 || minutes > 59)
        return false;
    *zone_s = sign * (int32_t)(hours * 3600 + minutes * 60);
    *at = p;
    return true;
}

static size_t take_epoch(const char *text, const char *end, int64_t *t)
{
    const char *at = text;
    int64_t ms;
    if (!take_digits(&at, end, 13, &ms) || (at < end && *at >= '0' && *at <= '9'))
        return 0;
    *t = ms * 1000;
    return 13;
}

static bool take_fraction(const char **at, const char *end, int64_t *us)
{
    *us = 0;
    if (*at == end || (**at != ',' && **at != '.'))
        return false;
    const char *p = *at + 1;
    int64_t unit = 100000;
    for (; p < end && *p >= '0' && *p <= '9' && p - *at <= 9; p++, unit /= 10)
        *us += (*p - '0') * unit;
    if (p == *at + 1)
        return false;
    *at = p;
    return true;
}

size_t sim_import_date(const char *text, size_t size, int64_t *t, bool *has_zone, int32_t *zone_s)
{
    const char *at = text, *end = text + size;
    int64_t year, month, day, hour, minute, second, us = 0;
    *has_zone = false;
    *zone_s = 0;
    size_t epoch = take_epoch(text, end, t);
    if (epoch > 0) {
        *has_zone = true;
        return epoch;
    }
    if (!take_digits(&at, end, 4, &year) || !take(&at, end, '-') ||
        !take_digits(&at, end, 2, &month) || !take(&at, end, '-') ||
        !take_digits(&at, end, 2, &day) || !(take(&at, end, ' ') || take(&at, end, 'T')) ||
        !take_digits(&at, end, 2, &hour) || !take(&at, end, ':') ||
        !take_digits(&at, end, 2, &minute) || !take(&at, end, ':') ||
        !take_digits(&at, end, 2, &second))
        return 0;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return 0;
    take_fraction(&at, end, &us);
    *has_zone = take_zone(&at, end, zone_s);
    *t = (((sim_import_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000000 +
         us;
    return (size_t)(at - text);
}

/* ---- one line ---- */

struct line {
    int64_t t;
    bool has_zone;
    int32_t zone_s;
    struct sim_span level, text, logger;
};

static void skip_blanks(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        ++*at;
}

static bool take_level(const char **at, const char *end, struct sim_span *level)
{
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        size_t size = strlen(levels[i]);
        if ((size_t)(end - *at) > size && memcmp(*at, levels[i], size) == 0 &&
            ((*at)[size] == ' ' || (*at)[size] == ']' || (*at)[size] == '\t')) {
            *level = (struct sim_span){*at, size};
            *at += size + ((*at)[size] == ']');
            return true;
        }
    }
    return false;
}

/* Skips "[thread]", "[myid:1] -" before the level. */
static bool find_level(const char **at, const char *end, struct sim_span *level)
{
    for (int i = 0; i < BRACKETS_MAX; i++) {
        skip_blanks(at, end);
        if (take_level(at, end, level))
            return true;
        if (*at < end && **at == '-') {
            ++*at;
        } else if (*at < end && **at == '[') {
            if ((size_t)(end - *at) > 1 && strchr("TDIWEF", (*at)[1]) != NULL) {
                const char *inside = *at + 1;
                if (take_level(&inside, end, level)) {
                    *at = inside;
                    return true;
                }
            }
            const char *close = memchr(*at, ']', (size_t)(end - *at));
            if (close == NULL)
                return false;
            *at = close + 1;
        } else {
            return false;
        }
    }
    return false;
}

static bool is_logger(struct sim_span s)
{
    bool dot = false;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.at[i];
        if (c == '.')
            dot = true;
        else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '$' || c == '-'))
            return false;
    }
    return dot && s.size > 2;
}

/* "text (logger)", "text (logger) [thread]" */
static bool cut_logger_behind(struct line *l)
{
    struct sim_span s = l->text;
    if (s.size > 2 && s.at[s.size - 1] == ']') {
        size_t open = s.size - 1;
        while (open > 0 && s.at[open] != '[')
            open--;
        if (open > 2 && s.at[open - 1] == ' ' && s.at[open - 2] == ')')
            s.size = open - 1;
    }
    if (s.size < 4 || s.at[s.size - 1] != ')')
        return false;
    size_t open = s.size - 1;
    while (open > 0 && s.at[open] != '(')
        open--;
    struct sim_span logger = {s.at + open + 1, s.size - open - 2};
    if (open == 0 || s.at[open - 1] != ' ' || !is_logger(logger))
        return false;
    l->logger = logger;
    l->text.size = open - 1;
    return true;
}

/* "logger - text", "logger: text", "[logger] (thread) text" */
static void cut_logger_before(struct line *l)
{
    struct sim_span s = l->text;
    bool bracket = s.size > 0 && s.at[0] == '[';
    size_t size = bracket;
    while (size < s.size && s.at[size] != ' ' && s.at[size] != ']')
        size++;
    struct sim_span logger = {s.at + bracket, size - bracket};
    if (!bracket && logger.size > 0 && logger.at[logger.size - 1] == ':')
        logger.size--;
    if (!is_logger(logger))
        return;
    const char *at = s.at + size + bracket, *end = s.at + s.size;
    if (at > end)
        return;
    skip_blanks(&at, end);
    if (bracket && at < end && *at == '(') {
        const char *close = memchr(at, ')', (size_t)(end - at));
        at = close != NULL ? close + 1 : at;
    } else if (bracket) {
        return;
    }
    if (at < end && *at == '-')
        at++;
    skip_blanks(&at, end);
    l->logger = logger;
    l->text = (struct sim_span){at, (size_t)(end - at)};
}

/* False where the line begins no entry. */
static bool parse_line(struct sim_span s, struct line *l)
{
    const char *at = s.at, *end = s.at + s.size;
    *l = (struct line){0};
    for (size_t i = 0; s.size > 3 && i < DOCKER_NAME_MAX && i + 3 < s.size; i++)
        if (memcmp(s.at + i, " | ", 3) == 0) {
            at = s.at + i + 3;
            break;
        }
    for (int attempt = 0; attempt < 2; attempt++, at = s.at) {
        const char *p = at;
        take(&p, end, '[');
        size_t size = sim_import_date(p, (size_t)(end - p), &l->t, &l->has_zone, &l->zone_s);
        if (size == 0)
            continue;
        p += size;
        take(&p, end, ']');
        if (!find_level(&p, end, &l->level))
            continue;
        skip_blanks(&p, end);
        l->text = (struct sim_span){p, (size_t)(end - p)};
        if (!cut_logger_behind(l))
            cut_logger_before(l);
        return true;
    }
    return false;
}

/* ---- files ---- */

/* The next line of s, without its end; false at the end of the text. */
static bool next_line(struct sim_span *s, struct sim_span *line)
{
    if (s->size == 0)
        return false;
    const char *newline = memchr(s->at, '\n', s->size);
    line->at = s->at;
    line->size = newline != NULL ? (size_t)(newline - s->at) : s->size;
    size_t used = newline != NULL ? line->size + 1 : line->size;
    s->at += used;
    s->size -= used;
    while (line->size > 0 && (line->at[line->size - 1] == '\r'))
        line->size--;
    return true;
}

enum sim_import_kind sim_import_kind_of(const char *bytes, size_t size)
{
    struct sim_span s = {bytes, size}, text;
    struct line parsed;
    if (size >= 2 && (uint8_t)bytes[0] == 0x1f && (uint8_t)bytes[1] == 0x8b)
        return SIM_IMPORT_GZIP;
    if (size >= 4 && memcmp(bytes, "ZKLG", 4) == 0)
        return SIM_IMPORT_RAW;
    enum sim_import_kind kind = SIM_IMPORT_OTHER;
    for (int i = 0; i < KIND_LINES && next_line(&s, &text); i++) {
        if (sim_span_begins(text, "ZooKeeper Transactional Log File") ||
            (sim_span_find(text, " session 0x") != NULL &&
             sim_span_find(text, " cxid 0x") != NULL && sim_span_find(text, " zxid 0x") != NULL))
            return SIM_IMPORT_TRANSACTIONS;
        if (sim_span_begins(text, "cZxid = ") || sim_span_begins(text, "WATCHER::"))
            return SIM_IMPORT_OTHER; /* a transcript, which may hold lines of log4j too */
        if (parse_line(text, &parsed))
            kind = SIM_IMPORT_LOG;
    }
    return kind;
}

static bool check_zone(struct sim_importer *im, uint32_t input, uint32_t line, const struct line *l)
{
    if (im->options->has_zone)
        return true;
    bool clash = l->has_zone ? im->no_zone_seen : im->zone_seen;
    if (clash)
        return sim_import_refuse(im, input, line,
                                 "this time names %s time zone, but that of %.150s:%" PRIu32
                                 " names %s; say with --zone "
                                 "what is meant where none is named (--zone UTC, --zone +02:00)",
                                 l->has_zone ? "a" : "no", im->inputs[im->zone_input].name,
                                 im->zone_line, l->has_zone ? "none" : "one");
    if (!im->zone_seen && !im->no_zone_seen) {
        im->zone_input = input;
        im->zone_line = line;
    }
    if (l->has_zone)
        im->zone_seen = true;
    else
        im->no_zone_seen = true;
    return true;
}

struct reader {
    struct sim_importer *im;
    uint32_t input, line;
    int64_t last_t, moved_us;
    bool any;
};

static int64_t time_of(struct reader *r, const struct line *l)
{
    int32_t zone = l->has_zone ? l->zone_s : r->im->options->zone_s;
    int64_t t = l->t - (int64_t)zone * 1000000 + r->moved_us;
    if (r->any && t < r->last_t - JUMP_US) {
        int64_t by = r->last_t - t;
        sim_import_note(r->im, r->input, r->line,
                        "time goes back by %" PRId64
                        " minutes here; what follows is moved on by as much",
                        by / 60000000);
        r->moved_us += by;
        t += by;
    }
    if (r->any && t < r->last_t)
        t = r->last_t; /* threads that log at once are a few ms out of order; the file's order
                          counts */
    return t;
}

void sim_import_push(struct sim_entries *out, const struct sim_entry *e)
{
    out->at = sim_grow(out->at, &out->capacity, out->count + 1, sizeof(*out->at));
    out->at[out->count++] = *e;
}

void sim_import_unknown(struct sim_importer *im, uint32_t input, uint32_t line)
{
    struct sim_import_report *r = im->report;
    if (r->unknown < SIM_IMPORT_UNKNOWN_MAX) {
        r->unknown_at[r->unknown].input = input;
        r->unknown_at[r->unknown].line = line;
    }
    r->unknown++;
}

void sim_import_orphan(struct sim_importer *im, uint32_t input, uint32_t line, struct sim_span text,
                       struct sim_entries *out)
{
    im->report->lines++;
    sim_import_unknown(im, input, line);
    struct sim_entry e = {.t = INT64_MIN,
                          .latest = INT64_MIN,
                          .input = input,
                          .line = line,
                          .text = text,
                          .node = -1,
                          .ce = -1,
                          .word = WORD_UNKNOWN};
    sim_import_push(out, &e);
}

bool sim_import_lines(struct sim_importer *im, uint32_t input, struct sim_entries *out)
{
    struct sim_span s = {im->inputs[input].bytes, im->inputs[input].size}, text;
    struct reader r = {.im = im, .input = input};
    if (s.size >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0)
        s = (struct sim_span){s.at + 3, s.size - 3};
    while (next_line(&s, &text)) {
        struct line l;
        r.line++;
        if (!parse_line(text, &l)) {
            if (r.any) { /* belongs to the entry before */
                struct sim_entry *e = &out->at[out->count - 1];
                if (e->more.at == NULL)
                    e->more.at = text.at;
                e->more.size = (size_t)(text.at + text.size - e->more.at);
            } else if (text.size > 0) {
                sim_import_orphan(im, input, r.line, text, out);
            }
            continue;
        }
        if (!check_zone(im, input, r.line, &l))
            return false;
        struct sim_entry e = {.t = time_of(&r, &l),
                              .input = input,
                              .line = r.line,
                              .text = l.text,
                              .logger = l.logger,
                              .level = l.level,
                              .node = -1,
                              .ce = -1};
        r.last_t = e.t;
        r.any = true;
        e.latest = e.t;
        sim_import_read(&e);
        im->report->lines++;
        if (e.word == WORD_UNKNOWN)
            sim_import_unknown(im, input, r.line);
        if (e.word == WORD_OTHER)
            im->report->other++;
        sim_import_push(out, &e);
    }
    return true;
}
