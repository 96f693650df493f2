/*
 * Which operator runs a node.
 */
#include <assert.h>

#include "stream/sources.h"

static const struct op_class *window_class(const struct node *node)
{
    if (node->windows.trigger.functions != NULL) {
        return &op_triggered;
    }
    switch (node->windows.kind) {
    case ST_WINDOW_TUMBLING:
    case ST_WINDOW_SLIDING:
        return &op_slices;
    case ST_WINDOW_SESSION:
        return &op_sessions;
    case ST_WINDOW_COUNT:
        return &op_counts;
    case ST_WINDOW_GLOBAL: /* has a trigger */
    case ST_WINDOW_NONE:
    case ST_WINDOW_END:
        break;
    }
    assert(0 && "a window node has windows");
    return NULL;
}

const struct op_class *op_class_of(const struct node *node)
{
    bool has_state =
        node->keyed && (node->options.states != NULL || node->options.on_timer != NULL);
    switch (node->kind) {
    case NODE_SOURCE:
        return &op_source;
    case NODE_GENERATOR:
        return &op_generator;
    case NODE_ARRAY:
        return &op_array;
    case NODE_TEXT_FILE:
        return &op_text_file;
    case NODE_SOCKET:
        return &op_socket;
    case NODE_FOLDER:
        return &op_folder;
    case NODE_SOCKET_SINK:
        return &op_socket_sink;
    case NODE_MAP:
        return has_state ? &op_process : &op_map;
    case NODE_FILTER:
        return has_state ? &op_process : &op_filter;
    case NODE_FLAT_MAP:
        return &op_process;
    case NODE_TIMESTAMPS:
        return &op_timestamps;
    case NODE_FOLD:
        return &op_fold;
    case NODE_WINDOW:
        return window_class(node);
    case NODE_SINK:
        return has_state ? &op_process : &op_sink;
    case NODE_PRINT:
        return &op_print;
    case NODE_COLLECT:
        return &op_collect;
    case NODE_DISCARD:
        return &op_discard;
    case NODE_TWO_PHASE:
    case NODE_FILES:
        return &op_two_phase;
    case NODE_KIND_END:
        break;
    }
    assert(0 && "a node has a known kind");
    return NULL;
}
