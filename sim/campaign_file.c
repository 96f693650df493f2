/*
 * Results files: what a campaign has done so far, line by line.
 *
 *     {"schema":"kcsim.campaign/1","kcsim":"…","build":"…",…,"sum":"…"}
 *     {"file":0,"seed":17,"exit":3,"digest":"…",…,"sum":"…"}
 *     {"file":0,"seed":3,"exit":0,…                              <- torn: no newline, or a wrong
 * sum
 *
 * `sum` is XXH3-64 over the bytes of the line before `,"sum"`. Order is that of finishing. A line
 * whose sum is wrong is passed over and its seed counts as not played: playing it again costs less
 * than believing it. The exception is the header: without a whole one nothing in the file means
 * anything, and it is refused.
 *
 * Invariant: reading what was written, settled and written again gives the same bytes, whatever the
 * order and the number of files it came from.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/allocate.h"
#include "sim/campaign.h"

static const char sum_key[] = ",\"sum\":\"";
enum { SUM_TAIL = sizeof(sum_key) - 1 + 16 + 2 }; /* ,"sum":"0123456789abcdef"} */

/* ---- writing ---- */

/* One line, in memory until it is whole: it must reach the file in one write. */
struct line {
    char *bytes;
    size_t size;
    FILE *out;
};

static void line_begin(struct line *line)
{
    *line = (struct line){0};
    line->out = open_memstream(&line->bytes, &line->size);
    if (line->out == NULL)
        abort();
}

static void line_end(struct line *line, FILE *out)
{
    if (fflush(line->out) != 0)
        abort();
    uint64_t sum = XXH3_64bits(line->bytes, line->size);
    fprintf(line->out, "%s%016" PRIx64 "\"}\n", sum_key, sum);
    if (fclose(line->out) != 0)
        abort();
    fwrite(line->bytes, 1, line->size, out);
    free(line->bytes);
}

static void write_text(FILE *out, const char *key, const char *text)
{
    json_t *string = json_string(text);
    if (string == NULL)
        string = json_string("(not UTF-8)");
    char *bytes = string == NULL ? NULL : json_dumps(string, JSON_ENCODE_ANY);
    if (bytes == NULL)
        abort();
    fprintf(out, "%s%s", key, bytes);
    free(bytes);
    json_decref(string);
}

void sim_campaign_write_header(const struct sim_campaign *c, FILE *out)
{
    struct line line;
    line_begin(&line);
    fprintf(line.out, "{\"schema\":\"" SIM_CAMPAIGN_SCHEMA "\"");
    write_text(line.out, ",\"kcsim\":", c->version);
    fprintf(line.out,
            ",\"build\":\"%016" PRIx64 "\",\"until_us\":%" PRId64 ",\"swarm\":%" PRId32
            "%s,\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"scenarios\":[",
            c->build, c->until_us, c->swarm, c->wire ? ",\"wire\":1" : "", c->first_seed, c->last_seed);
    for (uint32_t i = 0; i < c->file_count; i++) {
        write_text(line.out, i == 0 ? "{\"name\":" : ",{\"name\":", c->files[i].name);
        fprintf(line.out, ",\"digest\":\"%016" PRIx64 "\"}", c->files[i].digest);
    }
    fputs("],\"seen\":[", line.out);
    for (uint32_t i = 0; i < c->seen_count; i++)
        write_text(line.out, i == 0 ? "" : ",", c->seen[i]);
    fputc(']', line.out);
    line_end(&line, out);
}

void sim_campaign_write_outcome(const struct sim_campaign *c, const struct sim_played *o, FILE *out)
{
    struct line line;
    const char *comma = "";
    line_begin(&line);
    fprintf(line.out,
            "{\"file\":%" PRIu32 ",\"seed\":%" PRIu64 ",\"exit\":%" PRId32
            ",\"digest\":\"%016" PRIx64 "\",\"records\":%" PRIu64 ",\"end_us\":%" PRId64,
            o->file, o->seed, o->exit, o->digest, o->records, o->end_us);
    if (o->what[0] != '\0')
        write_text(line.out, ",\"what\":", o->what);
    if (o->detail[0] != '\0')
        write_text(line.out, ",\"detail\":", o->detail);
    if (o->defect[0] != '\0')
        write_text(line.out, ",\"defect\":", o->defect);
    fputs(",\"seen\":[", line.out);
    for (uint32_t i = 0; i < c->seen_count; i++)
        if (o->seen[i] > 0) {
            fprintf(line.out, "%s[%" PRIu32 ",%" PRIu32 "]", comma, i, o->seen[i]);
            comma = ",";
        }
    fputc(']', line.out);
    line_end(&line, out);
}

/* ---- reading ---- */

static bool explain(char *why, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool explain(char *why, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, size, format, arguments);
    va_end(arguments);
    return false;
}

/* Returns the object in a line of `size` bytes without its newline, or NULL. */
static json_t *parse_line(const char *bytes, size_t size)
{
    char tail[SUM_TAIL + 1];
    if (size < SUM_TAIL)
        return NULL;
    snprintf(tail, sizeof(tail), "%s%016" PRIx64 "\"}", sum_key,
             (uint64_t)XXH3_64bits(bytes, size - SUM_TAIL));
    if (memcmp(bytes + size - SUM_TAIL, tail, SUM_TAIL) != 0)
        return NULL;
    return json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
}

static bool get_int(const json_t *object, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static bool get_hex(const json_t *object, const char *key, uint64_t *out)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *end;
    if (text == NULL || strlen(text) != 16)
        return false;
    *out = strtoull(text, &end, 16);
    return *end == '\0';
}

/* An absent text is the empty one. */
static bool get_text(const json_t *object, const char *key, char *out, size_t capacity)
{
    const json_t *value = json_object_get(object, key);
    const char *text = value == NULL ? "" : json_string_value(value);
    if (text == NULL || strlen(text) >= capacity)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool get_files(const json_t *object, struct sim_campaign *c)
{
    const json_t *list = json_object_get(object, "scenarios");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > SIM_CAMPAIGN_FILES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *file = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(file, "name"));
        uint64_t digest;
        if (name == NULL || !get_hex(file, "digest", &digest))
            return false;
        sim_campaign_add_file(c, name, "", 0);
        c->files[i].digest = digest;
    }
    return true;
}

static bool get_seen_names(const json_t *object, struct sim_campaign *c)
{
    const json_t *list = json_object_get(object, "seen");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > SIM_SEEN_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL || sim_campaign_add_seen(c, name) != i)
            return false;
    }
    return true;
}

static bool get_campaign(const json_t *object, struct sim_campaign *c)
{
    int64_t swarm, first, last;
    char schema[32];
    if (!get_text(object, "schema", schema, sizeof(schema)) ||
        strcmp(schema, SIM_CAMPAIGN_SCHEMA) != 0)
        return false;
    if (!get_text(object, "kcsim", c->version, sizeof(c->version)) ||
        !get_hex(object, "build", &c->build) || !get_int(object, "until_us", &c->until_us) ||
        !get_int(object, "swarm", &swarm) || !get_int(object, "first", &first) ||
        !get_int(object, "last", &last))
        return false;
    if (swarm < -1 || swarm > 1 || first < 0 || last < first)
        return false;
    c->swarm = (int32_t)swarm;
    c->wire = json_integer_value(json_object_get(object, "wire")) == 1;
    c->first_seed = (uint64_t)first;
    c->last_seed = (uint64_t)last;
    return get_files(object, c) && get_seen_names(object, c);
}

static bool get_seen(const json_t *object, uint32_t seen_count, struct sim_played *o)
{
    const json_t *list = json_object_get(object, "seen");
    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        json_int_t which = json_integer_value(json_array_get(pair, 0));
        json_int_t times = json_integer_value(json_array_get(pair, 1));
        if (json_array_size(pair) != 2 || which < 0 || which >= seen_count || times < 1 ||
            times > UINT32_MAX)
            return false;
        o->seen[which] = (uint32_t)times;
    }
    return true;
}

static bool get_outcome(const json_t *object, const struct sim_campaign *c, struct sim_played *o)
{
    int64_t file, seed, exit_code, records;
    *o = (struct sim_played){0};
    if (!get_int(object, "file", &file) || !get_int(object, "seed", &seed) ||
        !get_int(object, "exit", &exit_code) || !get_hex(object, "digest", &o->digest) ||
        !get_int(object, "records", &records) || !get_int(object, "end_us", &o->end_us))
        return false;
    if (file < 0 || file >= c->file_count || seed < 0 || exit_code < 0 || exit_code > 255)
        return false;
    o->file = (uint32_t)file;
    o->seed = (uint64_t)seed;
    o->exit = (int32_t)exit_code;
    o->records = (uint64_t)records;
    return get_text(object, "what", o->what, sizeof(o->what)) &&
           get_text(object, "detail", o->detail, sizeof(o->detail)) &&
           get_text(object, "defect", o->defect, sizeof(o->defect)) &&
           get_seen(object, c->seen_count, o);
}

static void keep_outcome(struct sim_results *r, const struct sim_played *o)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity * 2 + 64;
        r->outcomes = sim_realloc(r->outcomes, r->capacity * sizeof(*r->outcomes));
    }
    r->outcomes[r->count++] = *o;
}

/* The seeds asked for are those of all files together. */
static void widen(struct sim_campaign *c, const struct sim_campaign *by)
{
    if (by->first_seed < c->first_seed)
        c->first_seed = by->first_seed;
    if (by->last_seed > c->last_seed)
        c->last_seed = by->last_seed;
}

static bool take_header(struct sim_results *r, const char *name, json_t *object, char *why,
                        size_t why_size)
{
    struct sim_campaign c = {0};
    if (object == NULL || !get_campaign(object, &c)) {
        sim_campaign_free(&c);
        return explain(why, why_size, "%s: no results of a campaign (its first line is no header)",
                       name);
    }
    const char *differs = r->has_campaign ? sim_campaign_differ(&r->campaign, &c) : NULL;
    if (differs != NULL) {
        explain(why, why_size, "%s does not belong to the others: %s", name, differs);
        sim_campaign_free(&c);
        return false;
    }
    if (r->has_campaign) {
        widen(&r->campaign, &c);
        sim_campaign_free(&c);
    } else {
        r->campaign = c;
        r->has_campaign = true;
    }
    return true;
}

/* A line behind the first: an outcome, or a header of somebody who went on with more seeds. */
static bool take_line(struct sim_results *r, const char *name, const char *bytes, size_t size,
                      char *why, size_t why_size)
{
    struct sim_played o;
    bool good = true;
    json_t *object = parse_line(bytes, size);
    if (object != NULL && json_object_get(object, "schema") != NULL)
        good = take_header(r, name, object, why, why_size);
    else if (object != NULL && get_outcome(object, &r->campaign, &o))
        keep_outcome(r, &o);
    else
        r->torn++;
    json_decref(object);
    return good;
}

bool sim_results_read(struct sim_results *r, const char *name, size_t *whole, char *why,
                      size_t why_size)
{
    FILE *in = fopen(name, "r");
    char *bytes = NULL;
    size_t capacity = 0, at = 0;
    ssize_t size;
    bool good = in != NULL, has_header = false;
    if (!good)
        return explain(why, why_size, "%s: %s", name, strerror(errno));
    while (good && (size = getline(&bytes, &capacity, in)) > 0) {
        bool is_whole = bytes[size - 1] == '\n';
        if (!has_header) {
            json_t *object = is_whole ? parse_line(bytes, (size_t)size - 1) : NULL;
            good = has_header = take_header(r, name, object, why, why_size);
            json_decref(object);
        } else {
            good = take_line(r, name, bytes, (size_t)size - (is_whole ? 1 : 0), why, why_size);
        }
        at += is_whole ? (size_t)size : 0;
    }
    if (good && ferror(in))
        good = explain(why, why_size, "%s: %s", name, strerror(errno));
    if (good && !has_header)
        good = explain(why, why_size, "%s: empty", name);
    if (whole != NULL)
        *whole = at;
    free(bytes);
    fclose(in);
    return good;
}

static bool same_run(const struct sim_played *a, const struct sim_played *b)
{
    return a->file == b->file && a->seed == b->seed;
}

/* Of one seed, results that say more come first: what ended before what was stopped. */
static int by_seed(const void *x, const void *y)
{
    const struct sim_played *a = x, *b = y;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->seed != b->seed)
        return a->seed < b->seed ? -1 : 1;
    if (sim_played_is_stopped(a) != sim_played_is_stopped(b))
        return sim_played_is_stopped(a) ? 1 : -1;
    return strcmp(a->detail, b->detail);
}

bool sim_results_settle(struct sim_results *r, char *why, size_t why_size)
{
    size_t kept = 0;
    if (r->count > 0)
        qsort(r->outcomes, r->count, sizeof(*r->outcomes), by_seed);
    for (size_t i = 0; i < r->count; i++) {
        const struct sim_played *o = &r->outcomes[i];
        if (kept == 0 || !same_run(&r->outcomes[kept - 1], o)) {
            r->outcomes[kept++] = *o;
            continue;
        }
        if (!sim_played_is_stopped(o) &&
            memcmp(&r->outcomes[kept - 1], o, sizeof(*o)) != 0)
            return explain(why, why_size,
                           "seed %" PRIu64 " of %s has two different results: the files are not of "
                           "one campaign, or a run is not determined by its seed",
                           o->seed, r->campaign.files[o->file].name);
        r->duplicates++;
    }
    r->count = kept;
    return true;
}

void sim_results_free(struct sim_results *r)
{
    if (r->has_campaign)
        sim_campaign_free(&r->campaign);
    free(r->outcomes);
    *r = (struct sim_results){0};
}
