/*
 * What the options of an operator may be. Some are for all: names, chaining, .open, operator state.
 * The others are of use to some operators only, and a mistake where they would be passed over.
 */
#include "stream/graph.h"

enum {
    STATES = 1,
    ON_TIMER = 2,
    END = 4,
    PARALLEL = 8,
    MERGE = 16,
    RATE = 32,
    COLLECTED = 64,
    ROLLING = 128
};

static const struct {
    uint32_t option;
    const char *name, *whose;
} options[] = {
    {STATES, ".states",
     "keyed state is for st_map, st_filter, st_process and their kin, st_sink, and the functions "
     "of "
     "keyed windows, st_process_window and st_aggregate"},
    {ON_TIMER, ".on_timer", "timers are for st_map, st_filter, st_process and their kin"},
    {END, ".end",
     "it is for ST_FLAT_MAP and ST_PROCESS; ST_MAP and ST_FILTER with state or timers"},
    {PARALLEL, ".parallelism above 1", "it is one subtask"},
    {MERGE, ".merge", "it is for folds of windows"},
    {RATE, ".rate_per_s", "it is for st_generate and st_from_sequence"},
    {COLLECTED, ".collected_max", "it is for st_collect"},
    {ROLLING, ".max_part_size, .rollover_ms or .inactivity_ms", "they are for st_write_files"},
};

static bool has_state(const struct node *node)
{
    return node->options.states != NULL || node->options.on_timer != NULL;
}

static uint32_t taken(const struct node *node)
{
    switch (node->kind) {
    case NODE_ARRAY:
    case NODE_TEXT_FILE:
    case NODE_SOCKET:
    case NODE_FOLDER:
    case NODE_PRINT:
        return 0;
    case NODE_COLLECT:
        return COLLECTED;
    case NODE_FILES:
        return PARALLEL | ROLLING;
    case NODE_GENERATOR:
        return PARALLEL | RATE;
    case NODE_MAP: /* with state it is run as a process function is */
    case NODE_FILTER:
        return STATES | ON_TIMER | PARALLEL | (has_state(node) ? END : 0);
    case NODE_FLAT_MAP:
        return STATES | ON_TIMER | PARALLEL | END;
    case NODE_SINK:
        return STATES | PARALLEL;
    case NODE_WINDOW: /* without a key all records together */
        return MERGE | (node->keyed ? PARALLEL | STATES : 0);
    case NODE_SOURCE:
    case NODE_TIMESTAMPS:
    case NODE_FOLD:
    case NODE_DISCARD:
    case NODE_TWO_PHASE:
    case NODE_SOCKET_SINK:
    case NODE_KIND_END:
        break;
    }
    return PARALLEL;
}

bool node_is_parallel(const struct node *node)
{
    return (taken(node) & PARALLEL) != 0;
}

bool rolls_by_limits(const st_options *o)
{
    return o->max_part_size != 0 || o->rollover_ms != 0 || o->inactivity_ms != 0;
}

static uint32_t given(const st_options *o)
{
    return (o->states != NULL ? STATES : 0) | (o->on_timer != NULL ? ON_TIMER : 0) |
           (o->end != NULL ? END : 0) | (o->parallelism > 1 ? PARALLEL : 0) |
           (o->merge != NULL ? MERGE : 0) | (o->rate_per_s != 0 ? RATE : 0) |
           (o->collected_max != 0 ? COLLECTED : 0) | (rolls_by_limits(o) ? ROLLING : 0);
}

/* The name of the first of the states that stands in the list again, or NULL. A checkpoint knows
 * them by their names. */
static const char *given_twice(const st_state *const *states)
{
    for (; states != NULL && *states != NULL; states++) {
        for (const st_state *const *more = states + 1; *more != NULL; more++) {
            if (strcmp((*states)->name, (*more)->name) == 0) {
                return (*states)->name;
            }
        }
    }
    return NULL;
}

/* The same of two lists, whose names are apart: which state is in both? */
static const char *given_to_both(const st_state *const *a, const st_state *const *b)
{
    for (; a != NULL && *a != NULL; a++) {
        for (const st_state *const *other = b; other != NULL && *other != NULL; other++) {
            if (*a == *other) {
                return (*a)->name;
            }
        }
    }
    return NULL;
}

/* A list is the only kind of state that may be of a key and of a subtask. */
static const st_state *of_kinds(const st_state *const *states, uint32_t kinds)
{
    while (states != NULL && *states != NULL && (kinds >> (*states)->kind & 1) == 0) {
        states++;
    }
    return states != NULL ? *states : NULL;
}

/* What is wrong with the fold of a value, or NULL. */
static const char *fold_wrong(const st_state *state)
{
    const st_function *fold = state->fold;
    if (fold == NULL) {
        return NULL;
    }
    if (fold->kind != ST_FN_FOLD || !type_equal(fold->out, state->type)) {
        return "its function is not an ST_FOLD into its type";
    }
    return state->begins_with_first && !type_equal(fold->in, fold->out)
               ? "its function is not an ST_REDUCE"
               : NULL;
}

/* The same of a map: the runtime finds its entries by {owner, key}. */
static const char *map_wrong(const st_state *state)
{
    if (state->key_type == NULL) {
        return NULL;
    }
    struct layout key = layout_of(state->key_type), value = layout_of(state->type);
    return state->key_type->field_count >= ST_KEY_FIELDS_MAX ? "its key has more than 3 fields"
           : key.text_count + value.text_count > ST_FIELDS_MAX
               ? "it has more than 16 fields of text"
           : key.size + value.size > ST_RECORD_SIZE_MAX ? "its entries are too large"
                                                        : NULL;
}

/* By itself, wherever it is given. */
static void check_state(st_env *env, const st_options *o, const st_state *state, bool of_a_key)
{
    const char *wrong = fold_wrong(state) != NULL ? fold_wrong(state) : map_wrong(state);
    if (wrong == NULL && state->ttl_ms < 0) {
        wrong = "its time to live is not negative";
    } else if (wrong == NULL && state->ttl_ms > 0 && !of_a_key) {
        wrong = "only keyed state has a time to live";
    } else if (wrong == NULL && state->ttl_on_read && state->ttl_ms == 0) {
        wrong = ".ttl_on_read needs .ttl_ms";
    }
    if (wrong != NULL) {
        env_mistake(env, o->file, o->line, "state %s: %s", state->name, wrong);
    }
}

static void check_each(st_env *env, const st_options *o, const st_state *const *states,
                       bool of_keys)
{
    for (; states != NULL && *states != NULL; states++) {
        check_state(env, o, *states, of_keys);
    }
}

static bool is_broadcast(const struct node *node)
{
    return node_input_is_broadcast(node, 0) || node_input_is_broadcast(node, 1);
}

static void check_states(st_env *env, const struct node *node)
{
    const st_options *o = &node->options;
    const st_state *of_key =
        of_kinds(o->operator_states, 1u << ST_STATE_VALUE_OF | 1u << ST_STATE_MAP_OF);
    const st_state *of_subtask =
        of_kinds(o->states, 1u << ST_STATE_UNION_OF | 1u << ST_STATE_BROADCAST_OF);
    const st_state *broadcast = of_kinds(o->operator_states, 1u << ST_STATE_BROADCAST_OF);
    check_each(env, o, o->states, true);
    check_each(env, o, o->operator_states, false);
    const char *twice = given_twice(o->states);
    twice = twice != NULL ? twice : given_twice(o->operator_states);
    twice = twice != NULL ? twice : given_to_both(o->states, o->operator_states);
    if (of_key != NULL) {
        env_mistake(env, o->file, o->line, "state %s is of a key: give it in .states",
                    of_key->name);
    }
    if (of_subtask != NULL) {
        env_mistake(env, o->file, o->line, "state %s is of a subtask: give it in .operator_states",
                    of_subtask->name);
    }
    if (twice != NULL) {
        env_mistake(env, o->file, o->line, "state %s is given twice", twice);
    }
    if (broadcast != NULL && !is_broadcast(node)) {
        env_mistake(env, o->file, o->line,
                    "state %s learns from a stream that all subtasks get: put st_broadcast before",
                    broadcast->name);
    }
}

/* Of those that may have them. */
static void check_key(st_env *env, const struct node *node)
{
    const st_options *o = &node->options;
    if (o->states != NULL) {
        env_mistake(env, o->file, o->line, "state %s needs a key: put st_key_by before",
                    o->states[0]->name);
    } else if ((taken(node) & ON_TIMER) != 0 && o->on_timer != NULL) {
        env_mistake(env, o->file, o->line, "timers need a key: put st_key_by before");
    }
}

void check_options(st_env *env, const struct node *node)
{
    const st_options *o = &node->options;
    uint32_t useless = given(o) & ~taken(node);
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        if ((useless & options[k].option) != 0) {
            env_mistake(env, o->file, o->line, "%s does not take %s: %s", node->name,
                        options[k].name, options[k].whose);
        }
    }
    check_states(env, node);
    if (!node->keyed && (taken(node) & STATES) != 0) {
        check_key(env, node);
    }
}
