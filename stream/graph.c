/*
 * Building the graph: each function checks what it can see, adds a node, and returns its stream.
 *
 * After a mistake a stream is "none": a valid handle whose type is NULL. What is built on it is
 * accepted silently, so that one mistake is one line.
 */
#include "stream/graph.h"

#include <stdio.h>
#include <stdlib.h>

static st_stream *stream_new(st_env *env, const st_type *type)
{
    st_stream *s = must_calloc(1, sizeof *s);
    s->env = env;
    s->type = type;
    s->next = env->streams;
    env->streams = s;
    return s;
}

static st_stream *none(st_env *env)
{
    if (env->none == NULL) {
        env->none = stream_new(env, NULL);
    }
    return env->none;
}

static bool is_none(const st_stream *s)
{
    return s->type == NULL;
}

static struct edge *edge_copy(const struct edge *edge)
{
    struct edge *copy = must_calloc(1, sizeof *copy);
    *copy = *edge;
    copy->next = NULL;
    return copy;
}

static void append_edges(struct edge **list, const struct edge *more, uint32_t input)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    for (; more != NULL; more = more->next) {
        *list = edge_copy(more);
        (*list)->input = input;
        list = &(*list)->next;
    }
}

static st_stream *stream_copy(const st_stream *s)
{
    st_stream *copy = stream_new(s->env, s->type);
    st_stream *next = copy->next;
    *copy = *s;
    copy->next = next;
    copy->edges = NULL;
    append_edges(&copy->edges, s->edges, 0);
    return copy;
}

/* --------------------------------------------------------------------------------------- Nodes */

/* ST_STATES is an array of the block it stands in. */
static const st_state *const *copy_states(const st_state *const *states)
{
    size_t count = 0;
    while (states != NULL && states[count] != NULL) {
        count++;
    }
    const st_state **copy = count > 0 ? must_calloc(count + 1, sizeof *copy) : NULL;
    for (size_t s = 0; s < count; s++) {
        copy[s] = states[s];
    }
    return copy;
}

/* Given, or the operator's place in the graph. */
static char *uid_of(const struct node *node)
{
    char place[16];
    snprintf(place, sizeof place, "%u", node->index);
    return must_strdup(node->options.uid != NULL ? node->options.uid : place);
}

static struct node *node_new(st_env *env, enum node_kind kind, const char *name,
                             const st_options *options)
{
    if (env->node_count == env->node_capacity) {
        env->nodes =
            must_grow(env->nodes, sizeof *env->nodes, env->node_count, &env->node_capacity, 16);
    }
    struct node *node = must_calloc(1, sizeof *node);
    node->index = env->node_count;
    node->kind = kind;
    node->options = *options;
    node->options.states = copy_states(options->states);
    node->options.operator_states = copy_states(options->operator_states);
    node->uid = uid_of(node);
    node->name = options->name != NULL ? options->name : name;
    env->nodes[env->node_count++] = node;
    return node;
}

bool node_input_is_broadcast(const struct node *node, uint32_t input)
{
    bool any = false;
    for (const struct edge *e = node->inputs; e != NULL; e = e->next) {
        if (e->input == input && e->partitioning != ST_PART_BROADCAST) {
            return false;
        }
        any |= e->input == input;
    }
    return any;
}

/* A node that reads `s`, connected or not. */
static struct node *node_on(st_stream *s, enum node_kind kind, const char *name,
                            const st_options *options)
{
    struct node *node = node_new(s->env, kind, name, options);
    append_edges(&node->inputs, s->edges, 0);
    node->in = s->type;
    node->keyed = s->keyed;
    node->key = s->key;
    if (s->second != NULL) {
        append_edges(&node->inputs, s->second->edges, 1);
        node->in2 = s->second->type;
        node->key2 = s->second->keyed ? s->second->key : (st_key_spec){0};
    }
    node->windows = s->windows;
    node->event_time = s->event_time;
    check_options(s->env, node);
    return node;
}

static st_stream *stream_of(st_env *env, struct node *node, const st_type *type)
{
    st_stream *s = stream_new(env, type);
    node->out = type;
    s->edges = must_calloc(1, sizeof *s->edges);
    s->edges->from = node->index;
    s->event_time = node->event_time;
    return s;
}

/* Does the function take what the stream has, and is it of one of the kinds (bits)? */
static bool fits(st_stream *s, const st_function *fn, uint32_t kinds, const char *what,
                 const st_options *o)
{
    if (is_none(s)) {
        return false;
    }
    if ((kinds >> fn->kind & 1) == 0) {
        env_mistake(s->env, o->file, o->line, "%s is not a function that %s takes (%s:%d)",
                    fn->name, what, fn->file, fn->line);
        return false;
    }
    if (!type_equal(s->type, fn->in)) {
        env_mistake(s->env, o->file, o->line, "%s takes records of type %s, the stream has %s",
                    fn->name, fn->in->name, s->type->name);
        return false;
    }
    return true;
}

static bool is_plain(st_stream *s, const char *what, const st_options *o)
{
    if (is_none(s)) {
        return false;
    }
    if (s->second != NULL) {
        env_mistake(s->env, o->file, o->line,
                    "%s needs one stream; of connected ones only st_co_… functions read", what);
        return false;
    }
    if (s->windows.kind != ST_WINDOW_NONE) {
        env_mistake(s->env, o->file, o->line,
                    "%s cannot read windows; put st_aggregate, st_reduce, st_sum … or "
                    "st_process_window between",
                    what);
        return false;
    }
    return true;
}

/* Does the type name a field there? A struct may have more members than its type has fields. */
static bool has_field(st_env *env, const st_type *type, uint16_t offset, const st_options *o)
{
    if (type_field_at(type, offset) != NULL) {
        return true;
    }
    char names[512] = "";
    for (uint32_t f = 0, at = 0; f < type->field_count && at < sizeof names; f++) {
        at += (uint32_t)snprintf(names + at, sizeof names - at, "%s%s", f > 0 ? ", " : "",
                                 type->fields[f].name);
    }
    env_mistake(env, o->file, o->line, "type %s has no field at byte %u: ST_TYPE names %s",
                type->name, offset, names);
    return false;
}

static bool is_of_one_env(const st_stream *a, const st_stream *b, const char *what,
                          const st_options *o)
{
    const char *wrong = "%s is of streams of one env, not of two";
    if (a->env != b->env) { /* told by whichever is executed */
        env_mistake(a->env, o->file, o->line, wrong, what);
        env_mistake(b->env, o->file, o->line, wrong, what);
    }
    return a->env == b->env;
}

/* Do all of its records go that way? Those of a union may go several. */
static bool goes_by(const st_stream *s, enum st_partitioning partitioning)
{
    const struct edge *e = s->edges;
    while (e != NULL && e->partitioning == partitioning) {
        e = e->next;
    }
    return e == NULL;
}

/* ------------------------------------------------------------------------------------- Sources */

st_stream *st_from_source_at(st_env *env, const st_function *fn, const st_options *o)
{
    if (fn->kind != ST_FN_SOURCE) {
        env_mistake(env, o->file, o->line, "%s is not a source: define it by ST_SOURCE", fn->name);
        return none(env);
    }
    struct node *node;
    st_stream *s = graph_source(env, NODE_SOURCE, fn->name, fn->out, o, &node);
    node->fn = fn;
    return s;
}

st_stream *st_generate_at(st_env *env, const st_function *fn, uint64_t count, const st_options *o)
{
    if (fn->kind != ST_FN_GENERATOR) {
        env_mistake(env, o->file, o->line, "%s is not a generator: define it by ST_GENERATOR",
                    fn->name);
        return none(env);
    }
    struct node *node;
    st_stream *s = graph_source(env, NODE_GENERATOR, fn->name, fn->out, o, &node);
    node->fn = fn;
    node->count = count;
    return s;
}

st_stream *st_from_array_at(st_env *env, const st_type *type, const void *array, uint32_t count,
                            const st_options *o)
{
    struct node *node;
    st_stream *s = graph_source(env, NODE_ARRAY, "array", type, o, &node);
    node->array = array;
    node->count = count;
    return s;
}

st_stream *st_read_text_at(st_env *env, const char *path, const st_options *o)
{
    if (path == NULL) {
        env_mistake(env, o->file, o->line, "st_read_text needs a path");
        return none(env);
    }
    struct node *node;
    st_stream *s = graph_source(env, NODE_TEXT_FILE, "text file", &st_type_st_str, o, &node);
    node->path = must_strdup(path);
    return s;
}

st_stream *graph_source(st_env *env, enum node_kind kind, const char *name, const st_type *type,
                        const st_options *options, struct node **node)
{
    *node = node_new(env, kind, name, options);
    check_options(env, *node);
    return stream_of(env, *node, type);
}

struct node *graph_sink(st_stream *s, enum node_kind kind, const char *name,
                        const st_options *options)
{
    return is_plain(s, name, options) ? node_on(s, kind, name, options) : NULL;
}

st_stream *graph_none(st_env *env)
{
    return none(env);
}

/* ----------------------------------------------------------------------------------- Operators */

st_stream *st_map_at(st_stream *s, const st_function *fn, const st_options *o)
{
    const uint32_t kinds = 1u << ST_FN_MAP | 1u << ST_FN_FILTER | 1u << ST_FN_FLAT_MAP;
    if (!is_plain(s, fn->name, o) || !fits(s, fn, kinds, "this operator", o)) {
        return none(s->env);
    }
    enum node_kind kind = fn->kind == ST_FN_MAP      ? NODE_MAP
                          : fn->kind == ST_FN_FILTER ? NODE_FILTER
                                                     : NODE_FLAT_MAP;
    struct node *node = node_on(s, kind, fn->name, o);
    node->fn = fn;
    return stream_of(s->env, node, fn->out);
}

static bool same_keys(const st_stream *a, const st_stream *b)
{
    struct key_reader x = key_reader_of(&a->key), y = key_reader_of(&b->key);
    bool same = x.count == y.count;
    for (uint32_t f = 0; same && f < x.count; f++) {
        same = x.kind[f] == y.kind[f] && x.size[f] == y.size[f];
    }
    return same;
}

st_stream *st_connect_at(st_stream *a, st_stream *b, const st_options *o)
{
    if (!is_plain(a, "st_connect", o) || !is_plain(b, "st_connect", o) ||
        !is_of_one_env(a, b, "st_connect", o)) {
        return none(a->env);
    }
    st_stream *both = stream_copy(a);
    both->second = b;
    if (a->keyed != b->keyed && !(a->keyed && goes_by(b, ST_PART_BROADCAST))) {
        env_mistake(
            a->env, o->file, o->line,
            "of two connected streams both are keyed or none of them, or the first is keyed "
            "and the second st_broadcast");
        return none(a->env);
    }
    if (a->keyed && b->keyed && !same_keys(a, b)) {
        env_mistake(a->env, o->file, o->line, "the keys of two connected streams have one type");
        return none(a->env);
    }
    both->event_time = a->event_time && b->event_time;
    return both;
}

st_stream *st_co_process_at(st_stream *s, const st_function *fn1, const st_function *fn2,
                            const st_options *o)
{
    const uint32_t kinds = 1u << ST_FN_MAP | 1u << ST_FN_FLAT_MAP;
    if (is_none(s)) {
        return none(s->env);
    }
    if (s->second == NULL) {
        env_mistake(s->env, o->file, o->line,
                    "two functions need two streams: put st_connect before");
        return none(s->env);
    }
    if (!fits(s, fn1, kinds, "this operator", o) ||
        !fits(s->second, fn2, kinds, "this operator", o)) {
        return none(s->env);
    }
    if (!type_equal(fn1->out, fn2->out)) {
        env_mistake(s->env, o->file, o->line, "%s puts out %s, but %s puts out %s", fn1->name,
                    fn1->out->name, fn2->name, fn2->out->name);
        return none(s->env);
    }
    struct node *node = node_on(s, NODE_FLAT_MAP, fn1->name, o);
    node->fn = fn1;
    node->fn2 = fn2;
    return stream_of(s->env, node, fn1->out);
}

st_stream *st_union_at(st_stream *a, st_stream *b, const st_options *o)
{
    if (!is_plain(a, "st_union", o) || !is_plain(b, "st_union", o) ||
        !is_of_one_env(a, b, "st_union", o)) {
        return none(a->env);
    }
    if (!type_equal(a->type, b->type)) {
        env_mistake(a->env, o->file, o->line, "a union is of one type, not of %s and %s",
                    a->type->name, b->type->name);
        return none(a->env);
    }
    st_stream *both = stream_copy(a);
    append_edges(&both->edges, b->edges, 0);
    both->keyed = false;
    both->event_time = a->event_time && b->event_time;
    return both;
}

st_stream *st_side_output_at(st_stream *s, const st_tag *tag, const st_options *o)
{
    if (is_none(s)) {
        return none(s->env);
    }
    if (s->edges->next != NULL || s->edges->tag != NULL) {
        env_mistake(s->env, o->file, o->line,
                    "side output %s: ask the stream of the operator itself", tag->name);
        return none(s->env);
    }
    st_stream *side = stream_new(s->env, tag->type);
    side->edges = edge_copy(s->edges);
    side->edges->tag = tag;
    side->edges->partitioning = ST_PART_DEFAULT;
    side->event_time = s->event_time;
    return side;
}

st_stream *st_partition_at(st_stream *s, enum st_partitioning partitioning, const st_options *o)
{
    if (!is_plain(s, "a partitioning", o)) {
        return none(s->env);
    }
    st_stream *copy = stream_copy(s);
    copy->keyed = false;
    for (struct edge *e = copy->edges; e != NULL; e = e->next) {
        e->partitioning = partitioning;
    }
    return copy;
}

st_stream *st_key_by_at(st_stream *s, st_key_spec key, const st_options *o)
{
    if (!is_plain(s, "st_key_by", o)) {
        return none(s->env);
    }
    if (!type_equal(s->type, key.type)) {
        env_mistake(s->env, o->file, o->line, "the key is of %s, the stream has %s", key.type->name,
                    s->type->name);
        return none(s->env);
    }
    if (key.count < 1 || key.count > ST_KEY_FIELDS_MAX) {
        env_mistake(s->env, o->file, o->line, "a key has 1 to %d fields", ST_KEY_FIELDS_MAX);
        return none(s->env);
    }
    for (uint32_t f = 0; f < key.count; f++) {
        if (!has_field(s->env, key.type, key.offset[f], o)) {
            return none(s->env);
        }
    }
    st_stream *keyed = st_partition_at(s, ST_PART_HASH, o);
    keyed->keyed = true;
    keyed->key = key;
    for (struct edge *e = keyed->edges; e != NULL; e = e->next) {
        e->key = key;
    }
    return keyed;
}

/* --------------------------------------------------------------------- Folds, time and windows */

static st_stream *fold_on(st_stream *s, const char *name, const st_options *o, struct node **node)
{
    if (is_none(s)) {
        return NULL;
    }
    if (s->second != NULL || (!s->keyed && s->windows.kind == ST_WINDOW_NONE)) {
        env_mistake(s->env, o->file, o->line, "%s needs a key or windows: put st_key_by before",
                    name);
        return NULL;
    }
    enum node_kind kind = s->windows.kind == ST_WINDOW_NONE ? NODE_FOLD : NODE_WINDOW;
    if (kind == NODE_WINDOW && o->states != NULL) {
        env_mistake(s->env, o->file, o->line,
                    "%s does not take .states: it is not called when a window fires; say "
                    "st_aggregate or st_process_window",
                    name);
        return NULL;
    }
    *node = node_on(s, kind, name, o);
    return stream_of(s->env, *node, s->type);
}

/* Does .merge, if it is given, make one of two? */
static bool merges(st_env *env, const st_options *o, const st_type *type)
{
    bool wrong =
        o->merge != NULL && (o->merge->kind != ST_FN_FOLD || !type_equal(o->merge->in, type) ||
                             !type_equal(o->merge->out, type));
    if (wrong) {
        env_mistake(env, o->file, o->line, "%s is not an ST_FOLD of %s into %s", o->merge->name,
                    type->name, type->name);
    }
    return !wrong;
}

st_stream *st_builtin_at(st_stream *s, enum st_builtin builtin, st_field_ref field,
                         const st_options *o)
{
    static const char *const names[] = {[ST_SUM] = "sum",
                                        [ST_MIN] = "min",
                                        [ST_MAX] = "max",
                                        [ST_MIN_BY] = "min by",
                                        [ST_MAX_BY] = "max by"};
    struct node *node;
    if (is_none(s)) {
        return none(s->env);
    }
    if (!type_equal(s->type, field.type)) {
        env_mistake(s->env, o->file, o->line, "the field is of %s, the stream has %s",
                    field.type->name, s->type->name);
        return none(s->env);
    }
    if (!has_field(s->env, s->type, field.offset, o) || !merges(s->env, o, s->type)) {
        return none(s->env);
    }
    st_stream *result = fold_on(s, names[builtin], o, &node);
    if (result == NULL) {
        return none(s->env);
    }
    const st_field *f = type_field_at(s->type, field.offset);
    bool by_order = builtin == ST_MIN_BY || builtin == ST_MAX_BY;
    if (f->kind == ST_KIND_BOOL ||
        (!by_order && (f->kind == ST_KIND_STR || f->kind == ST_KIND_CHARS))) {
        env_mistake(s->env, o->file, o->line, "%s of %s.%s: the field is not a number",
                    names[builtin], s->type->name, f->name);
    }
    node->builtin = builtin;
    node->field = field;
    return result;
}

st_stream *st_reduce_at(st_stream *s, const st_function *fn, const st_options *o)
{
    struct node *node;
    if (!fits(s, fn, 1u << ST_FN_FOLD, "st_reduce", o)) {
        return none(s->env);
    }
    if (!type_equal(fn->in, fn->out)) {
        env_mistake(s->env, o->file, o->line, "%s is not a reduction: it folds %s into %s",
                    fn->name, fn->in->name, fn->out->name);
        return none(s->env);
    }
    if (!merges(s->env, o, fn->out)) {
        return none(s->env);
    }
    st_stream *result = fold_on(s, fn->name, o, &node);
    if (result == NULL) {
        return none(s->env);
    }
    node->fn = fn;
    return result;
}

st_stream *st_assign_timestamps_at(st_stream *s, const st_function *fn, st_watermarks watermarks,
                                   const st_options *o)
{
    if (!is_plain(s, fn->name, o) ||
        !fits(s, fn, 1u << ST_FN_TIMESTAMP, "st_assign_timestamps", o)) {
        return none(s->env);
    }
    if (watermarks.bound_ms < 0 || watermarks.idle_ms < 0) {
        env_mistake(s->env, o->file, o->line, "a bound or idle time is not negative");
    }
    if (watermarks.generator != NULL && watermarks.generator->self_size > GENERATOR_SELF_MAX) {
        env_mistake(s->env, o->file, o->line, "a watermark generator has at most %d bytes",
                    GENERATOR_SELF_MAX);
        return none(s->env);
    }
    struct node *node = node_on(s, NODE_TIMESTAMPS, fn->name, o);
    node->fn = fn;
    node->watermarks = watermarks;
    node->event_time = true;
    return stream_of(s->env, node, s->type);
}

st_stream *st_assign_ingestion_time_at(st_stream *s, const st_options *o)
{
    if (!is_plain(s, "st_assign_ingestion_time", o)) {
        return none(s->env);
    }
    struct node *node = node_on(s, NODE_TIMESTAMPS, "ingestion time", o);
    node->event_time = true;
    return stream_of(s->env, node, s->type);
}

/* Some 36 million years: what is added up of several sizes is a time still. */
#define WINDOW_MS_MAX (INT64_C(1) << 60)

/* What is wrong with the windows, or NULL. */
static const char *windows_wrong(const st_stream *s, const st_windows *w)
{
    bool sliding = w->kind == ST_WINDOW_SLIDING, triggers = w->trigger.functions != NULL;
    if (triggers && w->trigger.argument < 1 && w->trigger.functions != &st_event_time_trigger &&
        w->trigger.functions != &st_processing_time_trigger) {
        return "the count or interval of a trigger is above 0";
    }
    switch (w->kind) {
    case ST_WINDOW_TUMBLING:
    case ST_WINDOW_SLIDING:
        if (w->size_ms <= 0 || (sliding && w->slide_ms <= 0)) {
            return "the size of a window (and its slide) is above 0 ms";
        }
        if (w->size_ms > WINDOW_MS_MAX || w->slide_ms > WINDOW_MS_MAX) {
            return "the size of a window (and its slide) is at most 2^60 ms";
        }
        if (llabs((long long)w->offset_ms) >= (sliding ? w->slide_ms : w->size_ms)) {
            return "the offset of windows is smaller than their size (slide)";
        }
        break;
    case ST_WINDOW_SESSION:
        if (w->gap_ms <= 0) {
            return "the gap between sessions is above 0 ms";
        }
        if (triggers && w->trigger.functions->on_merge == NULL) {
            return "sessions merge, and so must their trigger: its functions need .on_merge";
        }
        break;
    case ST_WINDOW_COUNT:
        return w->count == 0 ? "a count window has at least one element"
               : triggers    ? "count windows have a trigger of their own: say ST_GLOBAL"
                             : NULL;
    case ST_WINDOW_GLOBAL:
        return triggers ? NULL : "a global window never ends: give it a trigger";
    case ST_WINDOW_NONE:
    case ST_WINDOW_END:
        return "st_window needs ST_TUMBLING, ST_SLIDING, ST_SESSION, ST_COUNT_WINDOW or "
               "ST_GLOBAL";
    }
    if (w->lateness_ms < 0) {
        return "the allowed lateness is not negative";
    }
    if (!w->processing_time && !s->event_time) {
        return "windows of event time need timestamps: put st_assign_timestamps before, or say "
               ".processing_time = true";
    }
    return NULL;
}

st_stream *st_window_at(st_stream *s, st_windows windows, const st_options *o)
{
    if (!is_plain(s, "st_window", o)) {
        return none(s->env);
    }
    const char *wrong = windows_wrong(s, &windows);
    if (wrong == NULL && !s->keyed && !goes_by(s, ST_PART_GLOBAL)) {
        wrong = "st_window needs a key: put st_key_by before, or say st_window_all";
    }
    if (wrong == NULL && windows.late != NULL && !type_equal(windows.late->type, s->type)) {
        wrong = "late records have the type of the stream; that of the tag is another";
    }
    if (wrong != NULL) {
        env_mistake(s->env, o->file, o->line, "%s", wrong);
        return none(s->env);
    }
    st_stream *windowed = stream_copy(s);
    windowed->windows = windows;
    return windowed;
}

static bool is_windowed(st_stream *s, const char *what, const st_options *o)
{
    if (!is_none(s) && s->windows.kind == ST_WINDOW_NONE) {
        env_mistake(s->env, o->file, o->line, "%s needs windows: put st_window before", what);
        return false;
    }
    return !is_none(s);
}

st_stream *st_aggregate_at(st_stream *s, const st_function *add, const st_function *result,
                           const st_options *o)
{
    if (!is_windowed(s, add->name, o) || !fits(s, add, 1u << ST_FN_FOLD, "st_aggregate", o)) {
        return none(s->env);
    }
    if ((result->kind != ST_FN_MAP && result->kind != ST_FN_FLAT_MAP) ||
        !type_equal(add->out, result->in)) {
        env_mistake(s->env, o->file, o->line, "%s is not an ST_MAP or ST_FLAT_MAP of %s",
                    result->name, add->out->name);
        return none(s->env);
    }
    if (s->windows.kind == ST_WINDOW_SESSION && o->merge == NULL) {
        env_mistake(s->env, o->file, o->line, "sessions merge: st_aggregate needs .merge here");
        return none(s->env);
    }
    if (!merges(s->env, o, add->out)) {
        return none(s->env);
    }
    struct node *node = node_on(s, NODE_WINDOW, add->name, o);
    node->fn = add;
    node->fn2 = result;
    return stream_of(s->env, node, result->out);
}

st_stream *st_process_window_at(st_stream *s, const st_function *fn, const st_options *o)
{
    if (!is_windowed(s, fn->name, o) || !fits(s, fn, 1u << ST_FN_WINDOW, "st_process_window", o)) {
        return none(s->env);
    }
    if (o->merge != NULL) {
        env_mistake(s->env, o->file, o->line, "%s does not take .merge: its windows keep elements",
                    fn->name);
        return none(s->env);
    }
    struct node *node = node_on(s, NODE_WINDOW, fn->name, o);
    node->fn = fn;
    return stream_of(s->env, node, fn->out);
}

/* --------------------------------------------------------------------------------------- Sinks */

void st_sink_at(st_stream *s, const st_function *fn, const st_options *o)
{
    if (is_plain(s, fn->name, o) && fits(s, fn, 1u << ST_FN_SINK, "st_sink", o)) {
        node_on(s, NODE_SINK, fn->name, o)->fn = fn;
    }
}

void st_print_at(st_stream *s, const char *path, const st_options *o)
{
    if (is_plain(s, "st_print", o)) {
        struct node *node = node_on(s, NODE_PRINT, path != NULL ? "write text" : "print", o);
        node->path = path != NULL ? must_strdup(path) : NULL;
    }
}

struct node *graph_two_phase(st_stream *s, enum node_kind kind, const st_two_phase *spec,
                             const char *name, const st_options *o)
{
    if (!is_plain(s, name, o)) {
        return NULL;
    }
    if (spec->in != NULL && !type_equal(s->type, spec->in)) {
        env_mistake(s->env, o->file, o->line,
                    "the sink takes records of type %s, the stream has %s", spec->in->name,
                    s->type->name);
        return NULL;
    }
    struct node *node = node_on(s, kind, name, o);
    node->two_phase = spec;
    return node;
}

void st_two_phase_sink_at(st_stream *s, const st_two_phase *spec, const st_options *o)
{
    graph_two_phase(s, NODE_TWO_PHASE, spec, "two-phase sink", o);
}

void st_discard_at(st_stream *s, const st_options *o)
{
    if (is_plain(s, "st_discard", o)) {
        node_on(s, NODE_DISCARD, "discard", o);
    }
}
