/*
 * Nodes of the connectors: what their authors say, checked.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "stream/op_collect.h"
#include "stream/op_files.h"
#include "stream/sources.h"

#define RETRY_DELAY_MS  500
#define FOLDER_NAME_MAX 900
/* Source: Flink DefaultRollingPolicy. */
#define PART_SIZE     (INT64_C(128) << 20)
#define ROLLOVER_MS   60000
#define INACTIVITY_MS 60000

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

/* The new source, and the stream of it; NULL after a mistake. */
static struct node *read_folder(st_env *env, const char *path, enum st_watch watch,
                                int64_t interval_ms, const st_type *type, const st_options *o,
                                st_stream **s)
{
    struct node *node;
    const char *wrong = path == NULL || path[0] == '\0' ? "a folder needs a path"
                        : watch != ST_PROCESS_ONCE && watch != ST_PROCESS_CONTINUOUSLY
                            ? "a folder is read ST_PROCESS_ONCE or ST_PROCESS_CONTINUOUSLY"
                        : watch == ST_PROCESS_CONTINUOUSLY && interval_ms < 1
                            ? "a folder is looked at each 1 ms at the most often"
                            : NULL;
    if (wrong != NULL) {
        env_mistake(env, o->file, o->line, "%s", wrong);
        *s = graph_none(env);
        return NULL;
    }
    *s = graph_source(env, NODE_FOLDER, "folder", type, o, &node);
    node->path = must_strdup(path);
    node->watch = watch;
    node->watch_interval_ms = interval_ms;
    return node;
}

st_stream *st_read_folder_at(st_env *env, const char *path, enum st_watch watch,
                             int64_t interval_ms, const st_options *o)
{
    st_stream *s;
    (void)read_folder(env, path, watch, interval_ms, &st_type_st_str, o, &s);
    return s;
}

st_stream *st_read_whole_files_at(st_env *env, const char *path, enum st_watch watch,
                                  int64_t interval_ms, const st_options *o)
{
    st_stream *s;
    struct node *node = read_folder(env, path, watch, interval_ms, &st_type_st_file, o, &s);
    if (node != NULL) {
        node->whole_files = true;
    }
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

/* Of the limits none is given, or all are. */
static void complete_limits(st_options *o)
{
    if (rolls_by_limits(o)) {
        o->max_part_size = o->max_part_size != 0 ? o->max_part_size : PART_SIZE;
        o->rollover_ms = o->rollover_ms != 0 ? o->rollover_ms : ROLLOVER_MS;
        o->inactivity_ms = o->inactivity_ms != 0 ? o->inactivity_ms : INACTIVITY_MS;
    }
}

void st_write_files_at(st_stream *s, const char *folder, const st_options *o)
{
    st_options own = *o;
    own.self_size = files_self_size;
    complete_limits(&own);
    const char *wrong = folder == NULL || folder[0] == '\0' || strlen(folder) > FOLDER_NAME_MAX
                            ? "files need a folder, whose name has at most 900 bytes"
                        : o->max_part_size < 0 || o->rollover_ms < 0 || o->inactivity_ms < 0
                            ? "the limits of a file are not negative"
                            : NULL;
    if (wrong != NULL) {
        env_mistake(s->env, o->file, o->line, "%s", wrong);
        return;
    }
    struct node *node = graph_two_phase(s, NODE_FILES, &files_two_phase, "files", &own);
    if (node != NULL) {
        node->path = must_strdup(folder);
        node->long_transactions = &files_long_transactions;
        if (getrandom(&node->owner, sizeof node->owner, 0) != sizeof node->owner) {
            abort(); /* it does not fail for so few bytes */
        }
    }
}
