/*
 * Goal: what `kcsim import --zookeeper` reads from a running ZooKeeper is what is there.
 * Method: fill a real server with the znodes of a recorded cluster, ephemerals too, import it, and
 *         compare with the recording; then write the scenario and read it back.
 *
 * Exits 77 where this machine has no ZooKeeper server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zookeeper/zookeeper.h>

#include "live/import.h"
#include "sim/diagnostics.h"
#include "sim/dump.h"
#include "../zookeeper/equal/real.h"

static int failures;

static void check(bool good, const char *what, const char *path)
{
    if (!good) {
        printf("import_running: %s: %s\n", what, path);
        failures++;
    }
}

/* Names that a server has of its own. */
static bool is_servers_own(const char *path)
{
    return strncmp(path, "/zookeeper", 10) == 0;
}

/* Whose data an import leaves behind. */
static bool is_secret(const char *path)
{
    return strncmp(path, "/config/users/", 14) == 0 || strncmp(path, "/delegation_token/", 18) == 0;
}

static void fill(zhandle_t *zk, const struct sim_dump *dump)
{
    for (uint32_t i = 0; i < dump->count; i++) {
        const struct sim_dump_node *n = &dump->nodes[i];
        if (is_servers_own(n->path)) {
            continue;
        }
        int rc =
            zoo_create(zk, n->path, (const char *)n->data, n->data == NULL ? -1 : (int)n->data_size,
                       &ZOO_OPEN_ACL_UNSAFE, n->ephemeral ? ZOO_EPHEMERAL : 0, NULL, 0);
        check(rc == ZOK, zerror(rc), n->path);
    }
    int rc = zoo_create(zk, "/config/users/alice", "secret", 6, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    check(rc == ZOK, zerror(rc), "/config/users/alice");
}

static void compare(const struct sim_dump *recorded, const struct sim_dump *imported)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < recorded->count; i++) {
        const struct sim_dump_node *a = &recorded->nodes[i];
        const struct sim_dump_node *b = sim_dump_find(imported, a->path);
        if (is_servers_own(a->path)) {
            continue;
        }
        seen++;
        check(b != NULL, "not imported", a->path);
        if (b == NULL || is_secret(a->path)) {
            continue;
        }
        check((a->data == NULL) == (b->data == NULL), "null or not", a->path);
        check(a->data_size == b->data_size &&
                  (a->data_size == 0 || memcmp(a->data, b->data, a->data_size) == 0),
              "other data", a->path);
        check(a->ephemeral == b->ephemeral, "ephemeral or not", a->path);
        check(b->stat.czxid > 0 && !b->czxid_invented, "no czxid", a->path);
    }
    check(seen > 100, "too few znodes compared", recorded->file);
    check(imported->controller == recorded->controller, "another controller", "/controller");
    const struct sim_dump_node *alice = sim_dump_find(imported, "/config/users/alice");
    check(alice != NULL && alice->data == NULL, "a credential came along", "/config/users/alice");
}

/* A dump written as znodes.jsonl and read again is the same. */
static void write_and_read(const struct sim_dump *imported, struct sim_diagnostics *d)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    sim_dump_write(imported, out);
    fclose(out);
    struct sim_dump *again = sim_dump_parse("written", text, size, d);
    check(again != NULL && again->count == imported->count, "not read back", "znodes.jsonl");
    for (uint32_t i = 0; again != NULL && i < again->count; i++) {
        check(strcmp(again->nodes[i].path, imported->nodes[i].path) == 0, "another path",
              imported->nodes[i].path);
        check(memcmp(&again->nodes[i].stat, &imported->nodes[i].stat,
                     sizeof again->nodes[i].stat) == 0,
              "another stat", imported->nodes[i].path);
    }
    sim_dump_free(again);
    free(text);
}

static zhandle_t *open_client(const char *hosts)
{
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zk = zookeeper_init(hosts, NULL, 10000, NULL, NULL, 0);
    for (int i = 0; zk != NULL && zoo_state(zk) != ZOO_CONNECTED_STATE && i < 1000; i++) {
        struct timespec t = {.tv_nsec = 10000000};
        nanosleep(&t, NULL);
    }
    return zk;
}

int main(void)
{
    char hosts[32];
    struct sim_diagnostics d;
    int port = real_start();

    if (port == 0) {
        return 77;
    }
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    sim_diagnostics_init(&d);
    struct sim_dump *recorded =
        sim_dump_load(KC_SOURCE_DIR "/scenarios/real/dumps/healthy.znodes.jsonl", &d);
    zhandle_t *zk = open_client(hosts);
    check(recorded != NULL && zk != NULL, "nothing to start from", hosts);
    if (failures == 0) {
        fill(zk, recorded);
        struct sim_dump *imported = live_import(hosts, 10000, &d);
        check(imported != NULL, "no import", hosts);
        if (imported != NULL) {
            compare(recorded, imported);
            write_and_read(imported, &d);
        }
        sim_dump_free(imported);
        zookeeper_close(zk);
    }
    check(live_import("127.0.0.1:1", 500, &d) == NULL, "an import from nowhere", "127.0.0.1:1");
    sim_diagnostics_print(&d, stdout, false);
    sim_dump_free(recorded);
    sim_diagnostics_free(&d);
    real_stop();
    printf("import_running: %s\n", failures == 0 ? "equal" : "differs");
    return failures == 0 ? 0 : 1;
}
