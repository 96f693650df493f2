/*
 * The environment: configuration under Flink's names, and the list of mistakes.
 */
#include "stream/files.h"
#include "stream/kept.h"
#include "stream/graph.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

void *must_have(void *memory)
{
    if (memory == NULL) {
        fputs("kcsim stream: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *must_calloc(size_t count, size_t size)
{
    return must_have(calloc(count, size));
}

void *must_grow(void *list, size_t size, uint32_t count, uint32_t *capacity, uint32_t more)
{
    *capacity = *capacity * 2 + more;
    void *larger = must_calloc(*capacity, size);
    if (count > 0) {
        memcpy(larger, list, count * size);
    }
    free(list);
    return larger;
}

void *calloc_apart(size_t size)
{
    size = (size + 63) / 64 * 64;
    return memset(must_have(aligned_alloc(64, size)), 0, size);
}

int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t ticks_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *must_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_calloc(1, size), text, size);
}

st_env *st_env_new(void)
{
    st_env *env = must_calloc(1, sizeof *env);
    env->parallelism_default = 1;
    env->max_parallelism = MAX_PARALLELISM_DEFAULT;
    env->watermark_interval_ms = 200;
    env->buffer_timeout_ms = 100;
    env->chaining = true;
    env->filters_labels = true;
    env->retention.most = 1;
    env->checkpoints_at_once = 1;
    env->restart = restart_default();
    env->checkpoint_timeout_ms = 600000;
    env->rocksdb_memory = (int64_t)128 << 20;
    return env;
}

static void free_edges(struct edge *edge)
{
    while (edge != NULL) {
        struct edge *next = edge->next;
        free(edge);
        edge = next;
    }
}

void st_env_free(st_env *env)
{
    if (env == NULL) {
        return;
    }
    for (uint32_t n = 0; n < env->node_count; n++) {
        union {
            const void *read;
            void *owned;
        } path = {.read = env->nodes[n]->path}, states = {.read = env->nodes[n]->options.states},
          lists = {.read = env->nodes[n]->options.operator_states};
        free_edges(env->nodes[n]->inputs);
        connector_free(env->nodes[n]);
        free(path.owned);
        free(states.owned);
        free(lists.owned);
        free(env->nodes[n]->uid);
        free(env->nodes[n]);
    }
    while (env->streams != NULL) {
        st_stream *next = env->streams->next;
        free_edges(env->streams->edges);
        free(env->streams);
        env->streams = next;
    }
    free(env->nodes);
    kept_free(env->kept);
    free(env->checkpoint_dir);
    free(env->savepoint_dir);
    free(env->restore_path);
    free(env->rocksdb_dir);
    free(env->name);
    free(env->errors);
    free(env);
}

static void add_error_line(st_env *env, const char *line)
{
    size_t had = env->errors != NULL ? strlen(env->errors) : 0, more = strlen(line);
    char *all = must_calloc(1, had + more + 2);
    if (had > 0) {
        memcpy(all, env->errors, had);
    }
    memcpy(all + had, line, more);
    all[had + more] = '\n';
    free(env->errors);
    env->errors = all;
}

void env_mistake(st_env *env, const char *file, int line, const char *format, ...)
{
    char text[1024];
    int at = file != NULL ? snprintf(text, sizeof text, "%s:%d: error: ", file, line) : 0;
    va_list arguments;
    va_start(arguments, format);
    if (at >= 0 && (size_t)at < sizeof text) {
        vsnprintf(text + at, sizeof text - (size_t)at, format, arguments);
    }
    va_end(arguments);
    add_error_line(env, text);
}

const char *st_env_error(const st_env *env)
{
    return env->errors != NULL ? env->errors : "";
}

void st_env_set_parallelism(st_env *env, uint32_t parallelism)
{
    env->parallelism = parallelism;
}

void st_env_listen(st_env *env)
{
    env->listens = true;
}

int st_env_signal(const st_env *env)
{
    return env->signal;
}

bool env_prints(const st_env *env)
{
    for (uint32_t n = 0; n < env->node_count; n++) {
        if (env->nodes[n]->kind == NODE_PRINT && env->nodes[n]->path == NULL) {
            return true;
        }
    }
    return false;
}

void st_env_show_progress(st_env *env)
{
    env->shows_progress = true;
}

void st_env_run_in_steps(st_env *env)
{
    env->in_steps = true;
}

/* ------------------------------------------------------------------------------- Configuration */
/* Values of a few words, true and false, and units may be in large or small letters. Source: Flink
 * ConfigurationUtils. */

static bool read_count(const char *value, int64_t max, int64_t *number)
{
    int64_t read;
    if (!st_parse_int64(st_str_of(value), &read) || read < 1 || read > max) {
        return false;
    }
    *number = read;
    return true;
}

struct unit {
    const char *name;
    int64_t size;
};

static bool is_of_unit(const char *text, const struct unit *unit)
{
    size_t size = strlen(unit->name);
    return strncasecmp(text, unit->name, size) == 0 &&
           text[size + strspn(text + size, " ")] == '\0';
}

/* A whole number from 0 and a unit of the table, which ends with a row without a name; around both
 * may be spaces. Letters may be large or small. */
static bool read_quantity(const char *value, const struct unit *units, int64_t *quantity)
{
    char *end;
    value += strspn(value, " ");
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || errno != 0) {
        return false;
    }
    end += strspn(end, " ");
    while (units->name != NULL && !is_of_unit(end, units)) {
        units++;
    }
    if (units->name == NULL || number > INT64_MAX / units->size) {
        return false;
    }
    *quantity = number * units->size;
    return true;
}

/* As Flink writes it: "200ms", "1 s", "2min"; a bare number is milliseconds, and what is less than
 * one is left out. Source: Flink TimeUtils. */
static bool read_duration(const char *value, int64_t *ms)
{
    const int64_t micro = 1000, milli = 1000000, second = 1000 * milli;
    const int64_t minute = 60 * second, hour = 60 * minute, day = 24 * hour;
    const struct unit units[] = {{"", milli},
                                 {"ns", 1},
                                 {"nano", 1},
                                 {"nanos", 1},
                                 {"nanosecond", 1},
                                 {"nanoseconds", 1},
                                 {"µs", micro},
                                 {"micro", micro},
                                 {"micros", micro},
                                 {"microsecond", micro},
                                 {"microseconds", micro},
                                 {"ms", milli},
                                 {"milli", milli},
                                 {"millis", milli},
                                 {"millisecond", milli},
                                 {"milliseconds", milli},
                                 {"s", second},
                                 {"sec", second},
                                 {"secs", second},
                                 {"second", second},
                                 {"seconds", second},
                                 {"m", minute},
                                 {"min", minute},
                                 {"minute", minute},
                                 {"minutes", minute},
                                 {"h", hour},
                                 {"hour", hour},
                                 {"hours", hour},
                                 {"d", day},
                                 {"day", day},
                                 {"days", day},
                                 {NULL, 0}};
    int64_t ns;
    bool ok = read_quantity(value, units, &ns);
    *ms = ok ? ns / milli : *ms;
    return ok;
}

static bool read_duration_above_0(const char *value, int64_t *ms)
{
    int64_t read;
    bool ok = read_duration(value, &read) && read > 0;
    *ms = ok ? read : *ms;
    return ok;
}

/* A number from 0 to `max`. */
static bool read_factor(const char *value, double max, double *factor)
{
    char *end;
    double read = strtod(value, &end);
    bool ok = end != value && *end == '\0' && read >= 0.0 && read <= max;
    *factor = ok ? read : *factor;
    return ok;
}

/* A size as Flink writes it: "64mb", "1 g"; a bare number is bytes. Source: Flink MemorySize. */
static bool read_memory(const char *value, int64_t *bytes)
{
    const int64_t k = 1 << 10, m = 1 << 20, g = 1 << 30, t = (int64_t)1 << 40;
    const struct unit units[] = {
        {"", 1},  {"b", 1},  {"bytes", 1},     {"k", k}, {"kb", k}, {"kibibytes", k},
        {"m", m}, {"mb", m}, {"mebibytes", m}, {"g", g}, {"gb", g}, {"gibibytes", g},
        {"t", t}, {"tb", t}, {"tebibytes", t}, {NULL, 0}};
    int64_t read;
    bool ok = read_quantity(value, units, &read) && read > 0;
    *bytes = ok ? read : *bytes;
    return ok;
}

static bool read_truth(const char *value, bool *truth)
{
    *truth = strcasecmp(value, "true") == 0;
    return *truth || strcasecmp(value, "false") == 0;
}

static bool set_parallelism_default(st_env *env, const char *value)
{
    int64_t number = 0;
    bool ok = read_count(value, 32768, &number);
    env->parallelism_default = ok ? (uint32_t)number : env->parallelism_default;
    return ok;
}

static bool set_max_parallelism(st_env *env, const char *value)
{
    int64_t number = 0;
    bool ok = read_count(value, 32768, &number);
    env->max_parallelism = ok ? (uint32_t)number : env->max_parallelism;
    return ok;
}

static bool set_watermark_interval(st_env *env, const char *value)
{
    return read_duration(value, &env->watermark_interval_ms);
}

static bool set_buffer_timeout(st_env *env, const char *value)
{
    return read_duration(value, &env->buffer_timeout_ms);
}

static bool set_chaining(st_env *env, const char *value)
{
    return read_truth(value, &env->chaining);
}

static bool set_interval(st_env *env, const char *value)
{
    return read_duration(value, &env->checkpoint_interval_ms);
}

static bool set_pause(st_env *env, const char *value)
{
    return read_duration(value, &env->checkpoint_pause_ms);
}

static bool set_at_once(st_env *env, const char *value)
{
    int64_t number = 0;
    bool ok = read_count(value, 1000, &number);
    env->checkpoints_at_once = ok ? (uint32_t)number : env->checkpoints_at_once;
    return ok;
}

static bool set_storage(st_env *env, const char *value)
{
    env->storage_in_memory = strcasecmp(value, "jobmanager") == 0;
    return env->storage_in_memory || strcasecmp(value, "filesystem") == 0;
}

/* Takes a path, or the URI of a file. */
static bool set_path(char **path, const char *value)
{
    const char *plain = files_path_of(value);
    free(*path);
    *path = plain != NULL ? must_strdup(plain) : NULL;
    return plain != NULL && *plain != '\0';
}

static bool set_dir(st_env *env, const char *value)
{
    return set_path(&env->checkpoint_dir, value);
}

static bool set_savepoint_dir(st_env *env, const char *value)
{
    return set_path(&env->savepoint_dir, value);
}

static bool set_restore(st_env *env, const char *value)
{
    return set_path(&env->restore_path, value);
}

static bool set_mode(st_env *env, const char *value)
{
    env->at_least_once = strcasecmp(value, "AT_LEAST_ONCE") == 0;
    return env->at_least_once || strcasecmp(value, "EXACTLY_ONCE") == 0;
}

static bool set_ignore(st_env *env, const char *value)
{
    return read_truth(value, &env->allow_non_restored);
}

static bool set_retained(st_env *env, const char *value)
{
    int64_t number = 0;
    bool ok = read_count(value, 1000000, &number);
    env->retention.most = ok ? (uint32_t)number : env->retention.most;
    return ok;
}

static bool set_externalized(st_env *env, const char *value)
{
    static const char *const names[] = {
        [RETENTION_RETAIN_ON_CANCELLATION] = "RETAIN_ON_CANCELLATION",
        [RETENTION_DELETE_ON_CANCELLATION] = "DELETE_ON_CANCELLATION",
        [RETENTION_NO_EXTERNALIZED] = "NO_EXTERNALIZED_CHECKPOINTS"};
    for (int p = RETENTION_RETAIN_ON_CANCELLATION; p <= RETENTION_NO_EXTERNALIZED; p++) {
        if (strcasecmp(value, names[p]) == 0) {
            env->retention.policy = (enum retention_policy)p;
            return true;
        }
    }
    return false;
}

static bool set_restart(st_env *env, const char *value)
{
    static const struct {
        const char *name;
        enum restart_kind kind;
    } names[] = {{"none", RESTART_NONE},
                 {"off", RESTART_NONE},
                 {"disable", RESTART_NONE},
                 {"fixed-delay", RESTART_FIXED},
                 {"fixeddelay", RESTART_FIXED},
                 {"failure-rate", RESTART_RATE},
                 {"failurerate", RESTART_RATE},
                 {"exponential-delay", RESTART_EXPONENTIAL},
                 {"exponentialdelay", RESTART_EXPONENTIAL}};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        if (strcasecmp(value, names[n].name) == 0) {
            env->restart.kind = names[n].kind;
            return true;
        }
    }
    return false;
}

static bool set_attempts(st_env *env, const char *value)
{
    return read_count(value, UINT32_MAX, &env->restart.attempts);
}

static bool set_delay(st_env *env, const char *value)
{
    return read_duration(value, &env->restart.delay_ms);
}

static bool set_rate_failures(st_env *env, const char *value)
{
    return read_count(value, RESTART_FAILURES_MAX, &env->restart.rate_failures);
}

static bool set_rate_interval(st_env *env, const char *value)
{
    return read_duration_above_0(value, &env->restart.rate_interval_ms);
}

static bool set_rate_delay(st_env *env, const char *value)
{
    return read_duration(value, &env->restart.rate_delay_ms);
}

static bool set_initial_backoff(st_env *env, const char *value)
{
    return read_duration_above_0(value, &env->restart.initial_ms);
}

static bool set_max_backoff(st_env *env, const char *value)
{
    return read_duration_above_0(value, &env->restart.max_ms);
}

static bool set_reset_backoff(st_env *env, const char *value)
{
    return read_duration_above_0(value, &env->restart.reset_after_ms);
}

static bool set_multiplier(st_env *env, const char *value)
{
    double factor;
    bool ok = read_factor(value, 1000.0, &factor) && factor > 1.0;
    env->restart.multiplier = ok ? factor : env->restart.multiplier;
    return ok;
}

static bool set_jitter(st_env *env, const char *value)
{
    return read_factor(value, 1.0, &env->restart.jitter);
}

static bool set_timeout(st_env *env, const char *value)
{
    return read_duration_above_0(value, &env->checkpoint_timeout_ms);
}

static bool set_tolerable(st_env *env, const char *value)
{
    int64_t number;
    bool ok = st_parse_int64(st_str_of(value), &number) && number >= 0 && number <= INT32_MAX;
    env->tolerable_failures = ok ? (uint32_t)number : env->tolerable_failures;
    return ok;
}

static bool set_backend(st_env *env, const char *value)
{
    env->backend = strcasecmp(value, "rocksdb") == 0 ? BACKEND_ROCKSDB : BACKEND_HASHMAP;
    return env->backend == BACKEND_ROCKSDB || strcasecmp(value, "hashmap") == 0;
}

static bool set_incremental(st_env *env, const char *value)
{
    return read_truth(value, &env->incremental);
}

static bool set_rocksdb_dir(st_env *env, const char *value)
{
    free(env->rocksdb_dir);
    env->rocksdb_dir = must_strdup(value);
    return *value != '\0';
}

static bool set_rocksdb_memory(st_env *env, const char *value)
{
    return read_memory(value, &env->rocksdb_memory);
}

/* A port or a range of them ("9250-9260"). */
static bool set_prom_port(st_env *env, const char *value)
{
    int64_t first, last;
    const char *dash = strchr(value, '-');
    st_str from = st_str_of(value), to = st_str_of(dash != NULL ? dash + 1 : value);
    from.size = dash != NULL ? (uint32_t)(dash - value) : from.size;
    if (!st_parse_int64(from, &first) || !st_parse_int64(to, &last) || first < 0 || last < first ||
        last > UINT16_MAX) {
        return false;
    }
    env->serves_metrics = true;
    env->prom_first = (uint16_t)first;
    env->prom_last = (uint16_t)last;
    return true;
}

static bool set_label_filter(st_env *env, const char *value)
{
    return read_truth(value, &env->filters_labels);
}

static bool set_name(st_env *env, const char *value)
{
    free(env->name);
    env->name = must_strdup(value);
    return *value != '\0';
}

static bool set_slots(st_env *env, const char *value)
{
    return read_count(value, UINT32_MAX, &env->task_slots);
}

static bool set_runtime_mode(st_env *env, const char *value)
{
    (void)env;
    return strcasecmp(value, "STREAMING") == 0;
}

static bool set_unaligned(st_env *env, const char *value)
{
    bool unaligned;
    (void)env;
    return read_truth(value, &unaligned) && !unaligned;
}

#define A_FOLDER "a folder: a path, or file:// and an absolute one"

/* The keys, sorted; where Flink has renamed one (1.17, 1.20), both. */
static const struct {
    const char *key;
    bool (*set)(st_env *env, const char *value);
    const char *what;
} keys[] = {
    {"execution.buffer-timeout", set_buffer_timeout, "a duration (100ms)"},
    {"execution.checkpointing.dir", set_dir, A_FOLDER},
    {"execution.checkpointing.externalized-checkpoint-retention", set_externalized,
     "RETAIN_ON_CANCELLATION, DELETE_ON_CANCELLATION or NO_EXTERNALIZED_CHECKPOINTS"},
    {"execution.checkpointing.interval", set_interval, "a duration (1s)"},
    {"execution.checkpointing.max-concurrent-checkpoints", set_at_once, "a number above 0"},
    {"execution.checkpointing.min-pause", set_pause, "a duration (0s)"},
    {"execution.checkpointing.mode", set_mode, "EXACTLY_ONCE or AT_LEAST_ONCE"},
    {"execution.checkpointing.num-retained", set_retained, "a number above 0"},
    {"execution.checkpointing.savepoint-dir", set_savepoint_dir, A_FOLDER},
    {"execution.checkpointing.storage", set_storage, "filesystem or jobmanager"},
    {"execution.checkpointing.timeout", set_timeout, "a duration above 0 (10min)"},
    {"execution.checkpointing.tolerable-failed-checkpoints", set_tolerable, "a number from 0"},
    {"execution.checkpointing.unaligned", set_unaligned,
     "false: checkpoints hold no records that are under way"},
    {"execution.runtime-mode", set_runtime_mode,
     "STREAMING: a bounded input is run as a stream, to its end"},
    {"execution.savepoint.ignore-unclaimed-state", set_ignore, "true or false"},
    {"execution.savepoint.path", set_restore, "a checkpoint, or the folder of several"},
    {"metrics.reporter.prom.filterLabelValueCharacters", set_label_filter, "true or false"},
    {"metrics.reporter.prom.port", set_prom_port,
     "a port or a range of them (9249, 9250-9260; 0: any)"},
    {"parallelism.default", set_parallelism_default, "a number from 1 to 32768"},
    {"pipeline.auto-watermark-interval", set_watermark_interval, "a duration (200ms)"},
    {"pipeline.max-parallelism", set_max_parallelism, "a number from 1 to 32768"},
    {"pipeline.name", set_name, "a name"},
    {"pipeline.operator-chaining", set_chaining, "true or false"},
    {"restart-strategy", set_restart, "none, fixed-delay, failure-rate or exponential-delay"},
    {"restart-strategy.exponential-delay.backoff-multiplier", set_multiplier,
     "a number above 1, to 1000 (2.0)"},
    {"restart-strategy.exponential-delay.initial-backoff", set_initial_backoff,
     "a duration above 0 (1s)"},
    {"restart-strategy.exponential-delay.jitter-factor", set_jitter, "a number from 0 to 1 (0.1)"},
    {"restart-strategy.exponential-delay.max-backoff", set_max_backoff,
     "a duration above 0 (5min)"},
    {"restart-strategy.exponential-delay.reset-backoff-threshold", set_reset_backoff,
     "a duration above 0 (1h)"},
    {"restart-strategy.failure-rate.delay", set_rate_delay, "a duration (1s)"},
    {"restart-strategy.failure-rate.failure-rate-interval", set_rate_interval,
     "a duration above 0 (1min)"},
    {"restart-strategy.failure-rate.max-failures-per-interval", set_rate_failures,
     "a number from 1 to 1000"},
    {"restart-strategy.fixed-delay.attempts", set_attempts, "a number above 0"},
    {"restart-strategy.fixed-delay.delay", set_delay, "a duration (1s)"},
    {"restart-strategy.type", set_restart, "none, fixed-delay, failure-rate or exponential-delay"},
    {"state.backend", set_backend, "hashmap or rocksdb"},
    {"state.backend.incremental", set_incremental, "true or false"},
    {"state.backend.rocksdb.localdir", set_rocksdb_dir, "a folder"},
    {"state.backend.rocksdb.memory.fixed-per-slot", set_rocksdb_memory, "a size (128mb)"},
    {"state.backend.type", set_backend, "hashmap or rocksdb"},
    {"state.checkpoint-storage", set_storage, "filesystem or jobmanager"},
    {"state.checkpoints.dir", set_dir, A_FOLDER},
    {"state.checkpoints.num-retained", set_retained, "a number above 0"},
    {"state.savepoints.dir", set_savepoint_dir, A_FOLDER},
    {"taskmanager.numberOfTaskSlots", set_slots, "a number above 0"},
};

/* Levenshtein's distance, of short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[128], width = strlen(b);
    if (width >= sizeof row / sizeof row[0]) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t change = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            size_t one = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < one ? change : one;
        }
    }
    return row[width];
}

enum st_err st_env_set(st_env *env, const char *key, const char *value)
{
    size_t best = SIZE_MAX, nearest = 0;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        if (strcmp(keys[k].key, key) == 0) {
            if (!keys[k].set(env, value)) {
                env_mistake(env, NULL, 0, "%s: \"%s\" is not %s", key, value, keys[k].what);
                return ST_ERR_CONFIG;
            }
            return ST_OK;
        }
        size_t d = distance(key, keys[k].key);
        nearest = d < best ? k : nearest;
        best = d < best ? d : best;
    }
    if (best <= 1 + strlen(key) / 3) {
        env_mistake(env, NULL, 0, "%s: no such key; did you mean %s?", key, keys[nearest].key);
    } else {
        env_mistake(env, NULL, 0, "%s: no such key", key);
    }
    return ST_ERR_CONFIG;
}
