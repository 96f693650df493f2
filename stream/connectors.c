/*
 * Nodes of the connectors: what their authors say, checked.
 */
#include <stdlib.h>

#include "stream/op_collect.h"
#include "stream/sources.h"

#define RETRY_DELAY_MS 500

/* What is wrong with a socket, or NULL. */
static const char *socket_wrong(const st_socket *socket)
{
    return socket->host == NULL || socket->host[0] == '\0' ? "a socket needs a host"
           : socket->port == 0                             ? "a socket needs a port, 1 to 65535"
           : socket->delimiter != NULL && socket->delimiter[0] == '\0'
               ? "the delimiter of lines is not empty"
           : socket->retry_delay_ms < 0 ? "the delay of retries is not negative"
                                        : NULL;
}

static bool check_socket(st_env *env, const st_socket *socket, const st_options *o)
{
    const char *wrong = socket_wrong(socket);
    if (wrong != NULL) {
        env_mistake(env, o->file, o->line, "%s", wrong);
    }
    return wrong == NULL;
}

static const st_socket *copy_of(const st_socket *socket)
{
    st_socket *copy = must_calloc(1, sizeof *copy);
    *copy = *socket;
    copy->host = must_strdup(socket->host);
    copy->retry_delay_ms = socket->retry_delay_ms > 0 ? socket->retry_delay_ms : RETRY_DELAY_MS;
    copy->delimiter = must_strdup(socket->delimiter != NULL ? socket->delimiter : "\n");
    return copy;
}

void connector_free(struct node *node)
{
    if (node->socket != NULL) {
        union {
            const void *read;
            void *owned;
        } socket = {.read = node->socket}, host = {.read = node->socket->host},
          delimiter = {.read = node->socket->delimiter};
        free(host.owned);
        free(delimiter.owned);
        free(socket.owned);
        node->socket = NULL;
    }
    collection_free(node->collection);
}

st_stream *st_read_socket_at(st_env *env, st_socket socket, const st_options *o)
{
    struct node *node;
    if (!check_socket(env, &socket, o)) {
        return graph_none(env);
    }
    st_stream *s = graph_source(env, NODE_SOCKET, "socket", &st_type_st_str, o, &node);
    node->socket = copy_of(&socket);
    return s;
}

void st_write_socket_at(st_stream *s, st_socket socket, const st_options *o)
{
    struct node *node = graph_sink(s, NODE_SOCKET_SINK, "socket sink", o);
    if (node != NULL && check_socket(s->env, &socket, o)) {
        node->socket = copy_of(&socket);
    }
}

st_stream *st_read_folder_at(st_env *env, const char *path, enum st_watch watch,
                             int64_t interval_ms, const st_options *o)
{
    struct node *node;
    const char *wrong = path == NULL || path[0] == '\0' ? "st_read_folder needs a path"
                        : watch != ST_PROCESS_ONCE && watch != ST_PROCESS_CONTINUOUSLY
                            ? "a folder is read ST_PROCESS_ONCE or ST_PROCESS_CONTINUOUSLY"
                        : watch == ST_PROCESS_CONTINUOUSLY && interval_ms < 1
                            ? "a folder is looked at each 1 ms at the most often"
                            : NULL;
    if (wrong != NULL) {
        env_mistake(env, o->file, o->line, "%s", wrong);
        return graph_none(env);
    }
    st_stream *s = graph_source(env, NODE_FOLDER, "folder", &st_type_st_str, o, &node);
    node->path = must_strdup(path);
    node->watch = watch;
    node->watch_interval_ms = interval_ms;
    return s;
}

st_stream *st_from_sequence_at(st_env *env, int64_t from, int64_t to, const st_options *o)
{
    struct node *node;
    const char *wrong = from > to ? "a sequence goes up: its last number is not below its first"
                        : from == INT64_MIN ? "a sequence begins above INT64_MIN"
                                            : NULL;
    if (wrong != NULL) {
        env_mistake(env, o->file, o->line, "%s", wrong);
        return graph_none(env);
    }
    st_stream *s = graph_source(env, NODE_GENERATOR, "sequence", &st_type_int64_t, o, &node);
    node->fn = &sequence_function;
    node->first = sequence_place(from);
    node->count = sequence_place(to) + 1;
    node->in_splits = true;
    return s;
}

st_collection *st_collect_at(st_stream *s, const st_options *o)
{
    struct node *node = graph_sink(s, NODE_COLLECT, "collect", o);
    if (node == NULL) {
        return NULL;
    }
    node->collection = collection_new(s->type, o->collected_max);
    return node->collection;
}
