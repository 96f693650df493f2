/*
 * Import from a running ZooKeeper: the tree is written as JSON lines into memory, and read back by
 * the one reader of dumps.
 *
 * Paths that are still to be read wait in a list, so that depth costs no stack.
 */
#define _GNU_SOURCE
#include "live/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { NODE_BYTES_MAX = 1 << 20 }; /* jute.maxbuffer of a server */

struct reader {
    zhandle_t *zk;
    struct sim_diagnostics *d;
    FILE *out;
    char **waiting;
    size_t waiting_count, waiting_capacity;
    char *bytes;
};

static void push(struct reader *r, const char *parent, const char *name)
{
    if (r->waiting_count == r->waiting_capacity) {
        r->waiting_capacity = r->waiting_capacity == 0 ? 256 : 2 * r->waiting_capacity;
        r->waiting = realloc(r->waiting, r->waiting_capacity * sizeof(*r->waiting));
        if (r->waiting == NULL) {
            abort();
        }
    }
    char *path = NULL;
    if (asprintf(&path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0) {
        abort();
    }
    r->waiting[r->waiting_count++] = path;
}

static bool is_secret(const char *path)
{
    return strncmp(path, "/config/users", 13) == 0 || strncmp(path, "/delegation_token", 17) == 0;
}

/* One line of the dump that is being made. */
static void write_node(struct reader *r, char *path, int size, const struct Stat *stat)
{
    bool has_data = size >= 0 && !is_secret(path);
    struct sim_dump_node node = {
        .path = path,
        .data = has_data ? (uint8_t *)r->bytes : NULL,
        .data_size = has_data ? (uint32_t)size : 0,
        .stat = {.czxid = stat->czxid,
                 .mzxid = stat->mzxid,
                 .pzxid = stat->pzxid,
                 .ctime = stat->ctime,
                 .mtime = stat->mtime,
                 .version = stat->version,
                 .cversion = stat->cversion,
                 .aversion = stat->aversion,
                 .ephemeral_owner = stat->ephemeralOwner,
                 .num_children = stat->numChildren},
    };
    sim_dump_write(&(struct sim_dump){.nodes = &node, .count = 1}, r->out);
}

static bool failed(struct reader *r, const char *path, int rc)
{
    return sim_error(r->d, (struct sim_place){0}, "%s: %s", path, zerror(rc));
}

static bool read_node(struct reader *r, char *path)
{
    struct String_vector children;
    struct Stat stat;
    int size = NODE_BYTES_MAX;
    int rc = zoo_get_children(r->zk, path, 0, &children);
    if (rc == ZNONODE) {
        return true; /* gone meanwhile */
    }
    if (rc != ZOK) {
        return failed(r, path, rc);
    }
    for (int i = 0; i < children.count; i++) {
        if (strcmp(path, "/") != 0 || strcmp(children.data[i], "zookeeper") != 0) {
            push(r, path, children.data[i]);
        }
    }
    deallocate_String_vector(&children);
    rc = zoo_get(r->zk, path, 0, r->bytes, &size, &stat);
    if (rc == ZNONODE) {
        return true;
    }
    if (rc != ZOK) {
        return failed(r, path, rc);
    }
    if (strcmp(path, "/") != 0) {
        write_node(r, path, size, &stat);
    }
    return true;
}

static bool read_tree(struct reader *r)
{
    bool good = true;
    push(r, "/", "");
    r->waiting[0][1] = '\0';
    while (r->waiting_count > 0) {
        char *path = r->waiting[--r->waiting_count];
        good = good && read_node(r, path);
        free(path);
    }
    return good;
}

static zhandle_t *connect_to(const char *hosts, int timeout_ms, struct sim_diagnostics *d)
{
    zoo_set_debug_level((ZooLogLevel)0); /* errors are ours to tell */
    zhandle_t *zk = zookeeper_init(hosts, NULL, timeout_ms, NULL, NULL, ZOO_READONLY);
    if (zk == NULL) {
        sim_error(d, (struct sim_place){0}, "no ZooKeeper at %s: %s", hosts, strerror(errno));
        return NULL;
    }
    for (int waited = 0; waited < timeout_ms; waited += 10) {
        if (zoo_state(zk) == ZOO_CONNECTED_STATE || zoo_state(zk) == ZOO_READONLY_STATE) {
            return zk;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    sim_error(d, (struct sim_place){0}, "no ZooKeeper answers at %s within %d ms", hosts,
              timeout_ms);
    zookeeper_close(zk);
    return NULL;
}

struct sim_dump *live_import(const char *hosts, int timeout_ms, struct sim_diagnostics *d)
{
    char *text = NULL;
    size_t size = 0;
    sim_diagnostics_source(d, hosts, NULL, 0);
    zhandle_t *zk = connect_to(hosts, timeout_ms, d);
    if (zk == NULL) {
        return NULL;
    }
    struct reader r = {
        .zk = zk, .d = d, .out = open_memstream(&text, &size), .bytes = malloc(NODE_BYTES_MAX)};
    if (r.out == NULL || r.bytes == NULL) {
        abort();
    }
    const bool good = read_tree(&r);
    zookeeper_close(zk);
    fclose(r.out);
    struct sim_dump *dump = good ? sim_dump_parse(hosts, text, size, d) : NULL;
    free(text);
    free(r.waiting);
    free(r.bytes);
    return dump;
}
