/*
 * Reading dumps of znodes, and putting them in order.
 *
 * Both readers only collect nodes; `finish` sorts them, adds parents that are missing, and invents
 * the czxids that are. A shell transcript has no marks between the data of one znode and the next
 * but the stat that follows each: everything between two stats is data, and belongs to the path of
 * that turn in the listing (or to the command, where the shell has echoed it).
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/dump.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/memory.h"
#include "statemachine/znode.h"

struct owned_dump {
    struct sim_dump dump; /* first: what callers see */
    struct sim_memory memory;
};

struct loader {
    struct owned_dump *owned;
    struct sim_diagnostics *d;
    bool has_czxid; /* of the node being read */
};

static struct sim_place line_place(uint32_t line)
{
    return (struct sim_place){.line = line, .column = 1};
}

/* ---- collecting ---- */

static bool is_path(const char *path)
{
    const size_t size = strlen(path);
    if (path[0] != '/' || size >= SM_PATH_MAX || (size > 1 && path[size - 1] == '/')) {
        return false;
    }
    return strstr(path, "//") == NULL;
}

/* The root is there anyway; /zookeeper is ZooKeeper's own. */
static bool is_left_out(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, "/zookeeper") == 0 ||
           strncmp(path, "/zookeeper/", 11) == 0;
}

static struct sim_dump_node *add_node(struct loader *l, const char *path, uint32_t line)
{
    struct sim_dump *dump = &l->owned->dump;
    dump->nodes =
        sim_memory_grow(&l->owned->memory, dump->nodes, sizeof(*dump->nodes), dump->count);
    struct sim_dump_node *node = &dump->nodes[dump->count++];
    *node = (struct sim_dump_node){.path = sim_memory_copy(&l->owned->memory, path, strlen(path)),
                                   .line = line,
                                   .czxid_invented = true};
    return node;
}

static void set_data(struct loader *l, struct sim_dump_node *node, const char *data, size_t size)
{
    node->data = (uint8_t *)sim_memory_copy(&l->owned->memory, data, size);
    node->data_size = (uint32_t)size;
    node->stat.data_length = (int32_t)size;
}

/* ---- JSON lines ---- */

static bool wrong(struct loader *l, uint32_t line, const char *what)
{
    return sim_error(l->d, line_place(line), "%s", what);
}

static const struct stat_field {
    const char *name, *shell;
    size_t offset;
    bool wide;
} stat_fields[] = {
#define F(name, shell, field, wide)                                                                \
    {                                                                                              \
        name, shell, offsetof(struct wire_zk_stat, field), wide                                    \
    }
    F("czxid", "cZxid", czxid, true),
    F("ctime", "ctime", ctime, true),
    F("mzxid", "mZxid", mzxid, true),
    F("mtime", "mtime", mtime, true),
    F("pzxid", "pZxid", pzxid, true),
    F("cversion", "cversion", cversion, false),
    F("version", "dataVersion", version, false),
    F("aversion", "aclVersion", aversion, false),
    F("ephemeralOwner", "ephemeralOwner", ephemeral_owner, true),
    F("dataLength", "dataLength", data_length, false),
    F("numChildren", "numChildren", num_children, false),
#undef F
};
enum { STAT_FIELDS = sizeof(stat_fields) / sizeof(stat_fields[0]) };

static bool store_stat(struct wire_zk_stat *stat, const struct stat_field *field, int64_t value)
{
    char *at = (char *)stat + field->offset;
    if (value < 0 || (!field->wide && value > INT32_MAX)) {
        return false;
    }
    if (field->wide) {
        *(int64_t *)(void *)at = value;
    } else {
        *(int32_t *)(void *)at = (int32_t)value;
    }
    return true;
}

static bool read_stat(struct loader *l, const json_t *stat, uint32_t line,
                      struct sim_dump_node *node)
{
    const json_t *owner = json_object_get(stat, "ephemeralOwner");
    for (unsigned i = 0; i < STAT_FIELDS; i++) {
        const json_t *value = json_object_get(stat, stat_fields[i].name);
        /* an owner is a session id, of which the highest bit may be set */
        const int64_t number = value == owner && owner != NULL
                                   ? json_integer_value(value) & INT64_MAX
                                   : json_integer_value(value);
        if (value != NULL &&
            (!json_is_integer(value) || !store_stat(&node->stat, &stat_fields[i], number))) {
            return sim_error(l->d, line_place(line), "%s is a whole number", stat_fields[i].name);
        }
    }
    node->czxid_invented = json_object_get(stat, "czxid") == NULL || node->stat.czxid == 0;
    node->ephemeral = node->stat.ephemeral_owner != 0;
    return true;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

static bool read_base64(struct loader *l, const char *text, size_t size, uint32_t line,
                        struct sim_dump_node *node)
{
    char *out = sim_memory_take(&l->owned->memory, size / 4 * 3 + 4);
    size_t bytes = 0;
    uint32_t bits = 0, held = 0;
    while (size > 0 && text[size - 1] == '=') {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        const int digit = base64_digit(text[i]);
        if (digit < 0) {
            return wrong(l, line, "data is no base64");
        }
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[bytes++] = (char)(bits >> held & 0xff);
        }
    }
    set_data(l, node, out, bytes);
    return true;
}

static bool read_json_data(struct loader *l, const json_t *object, uint32_t line,
                           struct sim_dump_node *node)
{
    const json_t *data = json_object_get(object, "data");
    if (data == NULL || json_is_null(data)) {
        return true;
    }
    if (json_is_string(data)) {
        const char *text = json_string_value(data);
        const size_t size = json_string_length(data);
        int32_t id;
        if (json_is_true(json_object_get(object, "base64"))) {
            return read_base64(l, text, size, line, node);
        }
        if (strcmp(text, "registration") == 0 && sm_path_is_broker(node->path, &id)) {
            return true; /* recordings leave registrations out */
        }
        set_data(l, node, text, size);
        return true;
    }
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) {
        return wrong(l, line, "data cannot be written as JSON");
    }
    set_data(l, node, text, strlen(text));
    free(text);
    return true;
}

static bool read_json_node(struct loader *l, const json_t *object, uint32_t line)
{
    const char *path = json_string_value(json_object_get(object, "path"));
    const json_t *stat = json_object_get(object, "stat");
    if (!json_is_object(object) || path == NULL) {
        wrong(l, line, "a line is one znode: {\"path\": …, \"data\": …, \"stat\": {…}}");
        return false;
    }
    if (!is_path(path)) {
        return sim_error(l->d, line_place(line), "'%s' is no path of a znode", path);
    }
    if (stat != NULL && !json_is_object(stat)) {
        return wrong(l, line, "stat is an object of numbers");
    }
    if (is_left_out(path)) {
        return true;
    }
    struct sim_dump_node *node = add_node(l, path, line);
    if (!read_stat(l, stat != NULL ? stat : object, line, node)) {
        return false;
    }
    if (json_is_true(json_object_get(object, "ephemeral"))) {
        node->ephemeral = true;
        node->stat.ephemeral_owner =
            node->stat.ephemeral_owner == 0 ? 1 : node->stat.ephemeral_owner;
    }
    return read_json_data(l, object, line, node);
}

static bool read_json_lines(struct loader *l, const char *text, size_t size)
{
    const char *end = text + size;
    uint32_t line = 1;
    bool good = true;
    for (const char *at = text; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t length = (size_t)((newline == NULL ? end : newline) - at);
        json_error_t error;
        if (length > 0 && !(length == 1 && *at == '\r')) {
            json_t *object = json_loadb(at, length, JSON_REJECT_DUPLICATES, &error);
            if (object == NULL) {
                good = sim_error(
                    l->d,
                    (struct sim_place){.line = line,
                                       .column = error.column > 0 ? (uint32_t)error.column : 1},
                    "no JSON: %s", error.text);
            } else {
                good = read_json_node(l, object, line) && good;
                json_decref(object);
            }
            if (!good && l->d->errors >= SIM_ERRORS_MAX) {
                return false;
            }
        }
        at += length + 1;
    }
    return good;
}

/* ---- transcripts ---- */

struct transcript {
    struct loader *l;
    char **listed; /* paths of the listing, in its order */
    uint32_t *listed_line;
    uint32_t listed_count, next; /* next: whose data comes */
    bool listing;
    char *commanded;             /* path of an echoed `get`, or NULL */
    const char *data, *data_end; /* lines collected since the last stat */
    uint32_t data_line;
    struct sim_dump_node *open; /* whose stat is being read */
    unsigned stat_seen;
    bool good;
};

static bool starts_with(const char *line, size_t size, const char *prefix)
{
    const size_t length = strlen(prefix);
    return size >= length && memcmp(line, prefix, length) == 0;
}

static bool is_noise(const char *line, size_t size)
{
    static const char *const noise[] = {"WATCHER::", "WatchedEvent ", "Connecting to ",
                                        "Welcome to ", "JLine support"};
    for (unsigned i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
        if (starts_with(line, size, noise[i])) {
            return true;
        }
    }
    return false;
}

/* Days since 1970-01-01 of a date (proleptic Gregorian). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    const int64_t era = year / 400, of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "Sat Nov 21 14:56:15 UTC 2026": ms, or -1. The zone is taken for UTC; seconds are all there is.
 */
static int64_t shell_time(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char weekday[8], month[8], zone[16];
    int day, hour, minute, second, year;
    if (sscanf(text, "%7s %7s %d %d:%d:%d %15s %d", weekday, month, &day, &hour, &minute, &second,
               zone, &year) != 8 ||
        strlen(month) != 3) {
        return -1;
    }
    const char *at = strstr(months, month);
    if (at == NULL || (at - months) % 3 != 0 || year < 1970 || year > 9999) {
        return -1;
    }
    const int64_t days = days_of(year, (at - months) / 3 + 1, day);
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

static bool stat_line(struct transcript *t, const char *line, size_t size, uint32_t number)
{
    char text[128];
    if (size >= sizeof(text)) {
        return false;
    }
    memcpy(text, line, size);
    text[size] = '\0';
    const struct stat_field *field = &stat_fields[t->stat_seen];
    const size_t name = strlen(field->shell);
    if (strncmp(text, field->shell, name) != 0 || strncmp(text + name, " = ", 3) != 0) {
        return false;
    }
    const char *value = text + name + 3;
    char *end = NULL;
    int64_t parsed = 0;
    if (strcmp(field->name, "ctime") == 0 || strcmp(field->name, "mtime") == 0) {
        parsed = shell_time(value);
        parsed = parsed < 0 ? 0 : parsed;
    } else {
        errno = 0;
        parsed = (int64_t)(strtoull(value, &end, 0) & INT64_MAX);
        if (end == value || *end != '\0' || errno != 0) {
            return sim_error(t->l->d, line_place(number), "%s is a number, not '%s'", field->shell,
                             value);
        }
    }
    if (t->open != NULL && strcmp(field->name, "dataLength") != 0 &&
        !store_stat(&t->open->stat, field, parsed)) {
        return sim_error(t->l->d, line_place(number), "%s is out of range", field->shell);
    }
    t->stat_seen++;
    return true;
}

/* The data before a stat is that of the node whose turn it is. */
static void begin_node(struct transcript *t, uint32_t number)
{
    const char *path = t->commanded != NULL        ? t->commanded
                       : t->next < t->listed_count ? t->listed[t->next++]
                                                   : NULL;
    t->stat_seen = 0;
    t->open = NULL;
    if (path == NULL) {
        t->good = sim_error(t->l->d, line_place(number), "a stat of no znode: the listing has %u",
                            t->listed_count);
        return;
    }
    if (is_left_out(path)) {
        return;
    }
    const char *data = t->data;
    size_t size = data == NULL ? 0 : (size_t)(t->data_end - data);
    t->open = add_node(t->l, path, t->data == NULL ? number : t->data_line);
    t->open->czxid_invented = false;
    if (!(size == 4 && memcmp(data, "null", 4) == 0)) {
        set_data(t->l, t->open, size == 0 ? "" : data, size);
    }
}

static void end_node(struct transcript *t)
{
    if (t->open != NULL) {
        t->open->ephemeral = t->open->stat.ephemeral_owner != 0;
        t->open->czxid_invented = t->open->stat.czxid == 0;
    }
    t->open = NULL;
    t->commanded = NULL;
    t->data = NULL;
    t->stat_seen = STAT_FIELDS;
}

static void add_listed(struct transcript *t, const char *line, size_t size, uint32_t number)
{
    struct sim_memory *memory = &t->l->owned->memory;
    char *path = sim_memory_copy(memory, line, size);
    if (!is_path(path)) {
        t->good = sim_error(t->l->d, line_place(number), "'%s' is no path of a znode", path);
    }
    t->listed = sim_memory_grow(memory, t->listed, sizeof(*t->listed), t->listed_count);
    t->listed[t->listed_count++] = path;
}

/* Returns what stands behind a shell prompt "[zk: host:port(CONNECTED) 3] ", NULL where there is
 * none. */
static const char *behind_prompt(const char *line, size_t size, size_t *left)
{
    if (!starts_with(line, size, "[zk: ")) {
        return NULL;
    }
    const char *close = memchr(line, ']', size);
    if (close == NULL) {
        return NULL;
    }
    close += 1 + (close + 1 < line + size && close[1] == ' ');
    *left = (size_t)(line + size - close);
    return close;
}

static void take_command(struct transcript *t, const char *line, size_t size, uint32_t number)
{
    t->listing = false;
    t->data = NULL;
    if (starts_with(line, size, "get -s ")) {
        t->commanded = sim_memory_copy(&t->l->owned->memory, line + 7, size - 7);
        if (!is_path(t->commanded)) {
            t->good =
                sim_error(t->l->d, line_place(number), "'%s' is no path of a znode", t->commanded);
            t->commanded = NULL;
        }
    } else if (starts_with(line, size, "ls -R")) {
        t->listing = true;
    }
}

/* The next line of a stat that has begun; the first that is none ends it with an error. */
static void take_stat(struct transcript *t, const char *line, size_t size, uint32_t number)
{
    const uint32_t errors = t->l->d->errors;
    if (!stat_line(t, line, size, number)) {
        if (t->l->d->errors == errors) {
            sim_error(t->l->d, line_place(number), "here stands '%s = …' of a stat",
                      stat_fields[t->stat_seen].shell);
        }
        t->good = false;
        end_node(t);
    } else if (t->stat_seen == STAT_FIELDS) {
        end_node(t);
    }
}

static void take_line(struct transcript *t, const char *line, size_t size, uint32_t number)
{
    size_t left;
    const char *command = behind_prompt(line, size, &left);
    if (t->stat_seen < STAT_FIELDS) {
        take_stat(t, line, size, number);
    } else if (command != NULL) {
        take_command(t, command, left, number);
    } else if (t->listing && size > 0 && line[0] == '/') {
        add_listed(t, line, size, number);
    } else if (starts_with(line, size, "cZxid = ")) {
        begin_node(t, number);
        take_stat(t, line, size, number);
    } else if (starts_with(line, size, "Node does not exist: ")) {
        t->next += t->commanded == NULL && t->next < t->listed_count; /* gone meanwhile */
        t->commanded = NULL;
        t->data = NULL;
    } else if (!is_noise(line, size) && (t->listed_count > 0 || t->commanded != NULL)) {
        t->listing = false;
        if (t->data == NULL) {
            t->data = line;
            t->data_line = number;
        }
        t->data_end = line + size;
    }
}

static bool read_transcript(struct loader *l, const char *text, size_t size)
{
    struct transcript t = {.l = l, .listing = true, .stat_seen = STAT_FIELDS, .good = true};
    const char *end = text + size;
    uint32_t number = 1;
    for (const char *at = text; at < end && (t.good || l->d->errors < SIM_ERRORS_MAX); number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline == NULL ? end : newline) - at);
        if (memchr(at, '\0', length) != NULL) {
            return wrong(l, number, "a NUL character; is this a text file?");
        }
        const size_t whole = length;
        length -= length > 0 && at[length - 1] == '\r';
        take_line(&t, at, length, number);
        at += whole + 1;
    }
    if (t.good && t.stat_seen < STAT_FIELDS) {
        return wrong(l, number - 1, "the transcript ends inside a stat");
    }
    if (t.good && t.listed_count == 0 && l->owned->dump.count == 0) {
        sim_error(l->d, line_place(1),
                  "neither a dump (JSON lines) nor a transcript of zookeeper-shell");
        sim_note(l->d, "a transcript is what zookeeper-shell prints for 'ls -R /', then 'get -s "
                       "PATH' for each path");
        return false;
    }
    if (t.good && t.next < t.listed_count && t.next > 0) {
        return sim_error(l->d, line_place(number - 1),
                         "the transcript ends before %s: %u of %u znodes", t.listed[t.next], t.next,
                         t.listed_count);
    }
    if (t.good && t.listed_count > 0 && t.next == 0 && l->owned->dump.count == 0) {
        return sim_error(l->d, line_place(number - 1),
                         "a listing, but no data: 'get -s PATH' for each path is missing");
    }
    return t.good;
}

/* ---- order, parents, czxids ---- */

static int compare_nodes(const void *a, const void *b)
{
    const struct sim_dump_node *x = a, *y = b;
    const int order = strcmp(x->path, y->path);
    return order != 0 ? order : x->line < y->line ? -1 : x->line > y->line;
}

static bool has_path(const struct sim_dump *dump, uint32_t sorted, const char *path)
{
    const struct sim_dump_node key = {.path = (char *)(uintptr_t)path};
    uint32_t low = 0, high = sorted;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = strcmp(dump->nodes[middle].path, key.path);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

static void add_parents(struct loader *l)
{
    struct sim_dump *dump = &l->owned->dump;
    const uint32_t count = dump->count;
    char path[SM_PATH_MAX], last[SM_PATH_MAX] = "";
    for (uint32_t i = 0; i < count; i++) {
        const size_t size = strlen(dump->nodes[i].path);
        assert(size < sizeof(path));
        memcpy(path, dump->nodes[i].path, size + 1);
        for (char *slash = strrchr(path, '/'); slash != path; slash = strrchr(path, '/')) {
            *slash = '\0';
            if (strcmp(path, last) == 0 || has_path(dump, count, path)) {
                break;
            }
            add_node(l, path, dump->nodes[i].line);
        }
        memcpy(last, dump->nodes[i].path, size + 1);
        char *slash = strrchr(last, '/');
        *slash = '\0';
    }
}

/* Nodes are sorted and may hold added parents twice: those collapse, others are errors. */
static bool drop_doubles(struct loader *l, uint32_t given)
{
    struct sim_dump *dump = &l->owned->dump;
    uint32_t kept = 0;
    bool good = true;
    for (uint32_t i = 0; i < dump->count; i++) {
        if (kept > 0 && strcmp(dump->nodes[kept - 1].path, dump->nodes[i].path) == 0) {
            if (given == dump->count) {
                good = sim_error(l->d, line_place(dump->nodes[i].line), "%s stands twice",
                                 dump->nodes[i].path);
            }
            continue;
        }
        dump->nodes[kept++] = dump->nodes[i];
    }
    dump->count = kept;
    return good;
}

static void sort_nodes(struct sim_dump *dump)
{
    if (dump->count > 1) {
        qsort(dump->nodes, dump->count, sizeof(*dump->nodes), compare_nodes);
    }
}

static void invent_czxids(struct sim_dump *dump)
{
    int64_t last = 0;
    for (uint32_t i = 0; i < dump->count; i++) {
        const struct wire_zk_stat *stat = &dump->nodes[i].stat;
        last = stat->czxid > last ? stat->czxid : last;
        last = stat->mzxid > last ? stat->mzxid : last;
        last = stat->pzxid > last ? stat->pzxid : last;
    }
    for (uint32_t i = 0; i < dump->count; i++) {
        struct wire_zk_stat *stat = &dump->nodes[i].stat;
        if (dump->nodes[i].czxid_invented && last < INT64_MAX) {
            stat->czxid = ++last;
            stat->mzxid = stat->mzxid == 0 ? stat->czxid : stat->mzxid;
            stat->pzxid = stat->pzxid == 0 ? stat->czxid : stat->pzxid;
            dump->invented++;
        }
    }
}

/* ---- znodes that a controller reads ---- */

static enum sm_err read_topic(const struct sim_dump_node *n)
{
    struct sm_topic_reader reader;
    return sm_topic_open(&reader, (const char *)n->data, n->data_size);
}

static enum sm_err read_state(const struct sim_dump_node *n)
{
    struct sm_leader_and_isr li;
    return sm_znode_decode_state((const char *)n->data, n->data_size, 0, &li);
}

static enum sm_err read_broker(const struct sim_dump_node *n)
{
    struct sm_broker broker;
    /* the harness leaves the contents of registrations out */
    return n->data_size == 12 && memcmp(n->data, "registration", 12) == 0
               ? SM_ERR_OK
               : sm_znode_decode_broker((const char *)n->data, n->data_size, 0, &broker);
}

static enum sm_err read_partitions(const struct sim_dump_node *n)
{
    struct sm_partitions_reader reader;
    return sm_partitions_open(&reader, (const char *)n->data, n->data_size);
}

static enum sm_err read_controller(const struct sim_dump_node *n)
{
    int32_t id;
    return sm_znode_decode_controller((const char *)n->data, n->data_size, &id);
}

static enum sm_err read_epoch(const struct sim_dump_node *n)
{
    int32_t epoch;
    return sm_znode_decode_epoch((const char *)n->data, n->data_size, &epoch);
}

/* Gives what kind of znode stands at `path` and how it is read; NULL for the others. */
static const char *kind_of(const char *path, enum sm_err (**read)(const struct sim_dump_node *))
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t number;
    if (sm_path_is_topic(path, topic)) {
        *read = read_topic;
        return "a topic";
    }
    if (sm_path_is_partition_state(path, topic, &number)) {
        *read = read_state;
        return "a partition's state";
    }
    if (sm_path_is_broker(path, &number)) {
        *read = read_broker;
        return "a broker's registration";
    }
    if (strcmp(path, SM_PATH_REASSIGN) == 0 || strcmp(path, SM_PATH_PREFERRED) == 0) {
        *read = read_partitions;
        return "a list of partitions";
    }
    if (strcmp(path, SM_PATH_CONTROLLER) == 0) {
        *read = read_controller;
        return "the controller";
    }
    if (strcmp(path, SM_PATH_CONTROLLER_EPOCH) == 0) {
        *read = read_epoch;
        return "the controller epoch";
    }
    return NULL;
}

/* Kafka reads a topic that it cannot parse as one without partitions, and says nothing. A dump that
   holds such a znode is damaged, or beyond a limit of ours: that is said. */
static bool check_known(struct loader *l)
{
    bool good = true;
    for (uint32_t i = 0; i < l->owned->dump.count; i++) {
        const struct sim_dump_node *n = &l->owned->dump.nodes[i];
        enum sm_err (*read)(const struct sim_dump_node *) = NULL;
        const char *kind = n->data == NULL ? NULL : kind_of(n->path, &read);
        enum sm_err err = kind == NULL ? SM_ERR_OK : read(n);
        if (err == SM_ERR_LIMIT) {
            good = sim_error(l->d, line_place(n->line),
                             "%s: %s with a list of more than %d replicas (SM_REPLICAS_MAX)",
                             n->path, kind, SM_REPLICAS_MAX);
        } else if (err != SM_ERR_OK) {
            good = sim_error(l->d, line_place(n->line), "%s cannot be read as %s: %s", n->path,
                             kind, sm_err_text(err));
        }
    }
    return good;
}

static bool finish(struct loader *l)
{
    struct sim_dump *dump = &l->owned->dump;
    sort_nodes(dump);
    if (!drop_doubles(l, dump->count)) {
        return false;
    }
    const uint32_t given = dump->count;
    add_parents(l);
    sort_nodes(dump);
    drop_doubles(l, given == dump->count ? given : 0);
    invent_czxids(dump);
    const struct sim_dump_node *controller = sim_dump_find(dump, SM_PATH_CONTROLLER);
    dump->controller = -1;
    if (!check_known(l)) {
        return false;
    }
    if (controller != NULL && controller->data != NULL) {
        sm_znode_decode_controller((const char *)controller->data, controller->data_size,
                                   &dump->controller);
    }
    return true;
}

/* ---- the whole ---- */

struct sim_dump *sim_dump_parse(const char *file, const char *text, size_t size,
                                struct sim_diagnostics *d)
{
    struct owned_dump *owned = calloc(1, sizeof(*owned));
    if (owned == NULL) {
        abort();
    }
    struct loader l = {.owned = owned, .d = d};
    const uint32_t errors = d->errors;
    owned->dump.file = sim_memory_copy(&owned->memory, file, strlen(file));
    sim_diagnostics_source(d, owned->dump.file, text, size);
    size_t first = 0;
    while (first < size && (text[first] == ' ' || text[first] == '\n' || text[first] == '\r' ||
                            text[first] == '\t')) {
        first++;
    }
    owned->dump.form = first < size && text[first] == '{' ? SIM_DUMP_JSONL : SIM_DUMP_TRANSCRIPT;
    const bool read = size == first ? sim_error(d, (struct sim_place){0}, "the dump is empty")
                      : owned->dump.form == SIM_DUMP_JSONL ? read_json_lines(&l, text, size)
                                                           : read_transcript(&l, text, size);
    const bool good = read && d->errors == errors && finish(&l);
    sim_diagnostics_source(d, "", NULL, 0);
    if (!good) {
        sim_dump_free(&owned->dump);
        return NULL;
    }
    return &owned->dump;
}

struct sim_dump *sim_dump_load(const char *file, struct sim_diagnostics *d)
{
    FILE *in = fopen(file, "rb");
    char *text = NULL;
    size_t size = 0, room = 0;
    sim_diagnostics_source(d, file, NULL, 0);
    while (in != NULL && size <= SIM_DUMP_SIZE_MAX) {
        if (size == room) {
            room = room == 0 ? 65536 : 2 * room;
            text = realloc(text, room);
            if (text == NULL) {
                abort();
            }
        }
        const size_t got = fread(text + size, 1, room - size, in);
        if (got == 0) {
            break;
        }
        size += got;
    }
    struct sim_dump *dump = NULL;
    if (in == NULL || ferror(in)) {
        sim_error(d, (struct sim_place){0}, "cannot read: %s", strerror(errno));
    } else if (size > SIM_DUMP_SIZE_MAX) {
        sim_error(d, (struct sim_place){0}, "more than %zu bytes (SIM_DUMP_SIZE_MAX)",
                  SIM_DUMP_SIZE_MAX);
    } else {
        dump = sim_dump_parse(file, text, size, d);
    }
    if (in != NULL) {
        fclose(in);
    }
    free(text);
    return dump;
}

void sim_dump_free(struct sim_dump *dump)
{
    if (dump != NULL) {
        struct owned_dump *owned = (struct owned_dump *)(void *)dump;
        sim_memory_free(&owned->memory);
        free(owned);
    }
}

const struct sim_dump_node *sim_dump_find(const struct sim_dump *dump, const char *path)
{
    uint32_t low = 0, high = dump->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = strcmp(dump->nodes[middle].path, path);
        if (order == 0) {
            return &dump->nodes[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}
