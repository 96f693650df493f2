/*
 * The flags that every job understands, taken out of a command line; the rest is the job's own.
 *
 *     job --input f -p 2 -D state.x=y   ──►   job --input f        and the env knows the others
 *
 * Source: Flink CliFrontendParser.
 */
#include "stream/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"

/* Of one flag: which key of the configuration it sets. */
struct flag {
    const char *small, *large; /* small: NULL if it has no such form */
    const char *key;           /* NULL: the value is KEY=VALUE; "": parallelism of the client */
    const char *fixed;         /* the value, where the flag takes none */
    void (*call)(st_env *env); /* what it does, if it sets no key */
};

static const struct flag flags[] = {
    {.small = "-D", .large = "--define"},
    {.small = "-p", .large = "--parallelism", .key = ""},
    {.small = "-s", .large = "--fromSavepoint", .key = "execution.savepoint.path"},
    {.small = "-n",
     .large = "--allowNonRestoredState",
     .key = "execution.savepoint.ignore-unclaimed-state",
     .fixed = "true"},
    {.large = "--steps", .fixed = "", .call = st_env_run_in_steps},
    {.large = "--progress", .fixed = "", .call = st_env_show_progress},
};

static enum st_err define(st_env *env, const char *text)
{
    char key[256];
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof key) {
        env_mistake(env, NULL, 0, "-D %s: KEY=VALUE is expected", text);
        return ST_ERR_CONFIG;
    }
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = '\0';
    return st_env_set(env, key, equals + 1);
}

static enum st_err apply(st_env *env, const struct flag *flag, const char *value)
{
    int64_t number;
    if (flag->call != NULL) {
        flag->call(env);
        return ST_OK;
    }
    if (flag->key == NULL) {
        return define(env, value);
    }
    if (*flag->key != '\0') {
        return st_env_set(env, flag->key, value);
    }
    if (!st_parse_int64(st_str_of(value), &number) || number < 1 || number > 32768) {
        env_mistake(env, NULL, 0, "-p %s: a number from 1 to 32768 is expected", value);
        return ST_ERR_CONFIG;
    }
    env->parallelism_client = (uint32_t)number;
    return ST_OK;
}

bool arguments_is(const char *word, const char *small, const char *large, const char **value)
{
    size_t size = strlen(large);
    bool is_large = strncmp(word, large, size) == 0 && (word[size] == '\0' || word[size] == '=');
    bool is_small = !is_large && small != NULL && strncmp(word, small, 2) == 0;
    const char *joined = is_large ? word + size : word + (is_small ? 2 : 0);
    *value = *joined != '\0' ? joined + (*joined == '=') : NULL;
    return is_large || is_small;
}

/* The flag that `word` is, or NULL; *value: what is joined to it, or NULL. */
static const struct flag *flag_of(const char *word, const char **value)
{
    for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
        if (arguments_is(word, flags[f].small, flags[f].large, value) &&
            (flags[f].fixed == NULL || *value == NULL)) {
            return &flags[f];
        }
    }
    return NULL;
}

int arguments_width(const char *word)
{
    const char *value;
    const struct flag *flag = flag_of(word, &value);
    return flag == NULL ? 0 : flag->fixed == NULL && value == NULL ? 2 : 1;
}

enum st_err st_env_take_arguments(st_env *env, int *argc, char **argv)
{
    enum st_err err = ST_OK;
    int kept = 1, i = 1;
    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value;
        const struct flag *flag = flag_of(argv[i], &value);
        if (flag == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        const char *name = argv[i];
        value = flag->fixed != NULL ? flag->fixed : value;
        value = value == NULL && i + 1 < *argc ? argv[++i] : value;
        enum st_err one = ST_ERR_CONFIG;
        if (value != NULL) {
            one = apply(env, flag, value);
        } else {
            env_mistake(env, NULL, 0, "%s: a value is expected", name);
        }
        err = err == ST_OK ? one : err;
    }
    for (i += i < *argc; i < *argc; i++) {
        argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return err;
}
