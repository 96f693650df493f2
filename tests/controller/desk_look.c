/*
 * What tests ask of a desk: its story, its log, znodes, what a broker was sent.
 */
#include "desk_parts.h"

#include "controller/state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking ---- */

struct kc_controller *desk_controller(struct desk *d)
{
    return d->peer[0].alive || d->peer[1].c == NULL ? d->peer[0].c : d->peer[1].c;
}

bool desk_first_is_dead(const struct desk *d)
{
    return !d->peer[0].alive;
}

bool desk_somebody_is_active(const struct desk *d)
{
    int active = 0;

    for (int who = 0; who < PEERS; who++) {
        active += d->peer[who].alive && kc_controller_is_active(d->peer[who].c);
    }
    return active == 1;
}

struct kz_server *desk_server(struct desk *d)
{
    return d->z;
}

const char *desk_story(struct desk *d)
{
    memcpy(d->out, d->story, d->story_size + 1);
    d->story[0] = d->log[0] = '\0';
    d->story_size = d->log_size = 0;
    return d->out;
}

/* Prints a story as lines of C, ready to paste. */
static void print_as_source(const char *text)
{
    fprintf(stderr, "             \"");
    for (; *text != '\0'; text++) {
        if (*text != '\n') {
            fputc(*text, stderr);
        } else {
            fprintf(stderr, text[1] == '\0' ? "\\n" : "\\n\"\n             \"");
        }
    }
    fprintf(stderr, "\"\n");
}

void desk_ck_story(struct desk *d, const char *file, int line, const char *expected)
{
    const char *actual = desk_story(d);

    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s:%d: the story is\n", file, line);
        print_as_source(actual);
        ck_abort_msg("%s:%d: another story", file, line);
    }
}

const char *desk_log(const struct desk *d)
{
    return d->log;
}

bool desk_logged(struct desk *d, const char *part)
{
    return strstr(d->log, part) != NULL;
}

const char *desk_znode(struct desk *d, const char *path)
{
    static char text[1 << 16];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has;

    if (!kz_server_get(d->z, path, &stat, &data, &size, &has)) {
        return "(none)";
    }
    if (has) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

const char *desk_sent(struct desk *d, int32_t broker)
{
    static char text[SENT];

    memcpy(text, d->sent[broker % BROKERS], SENT);
    d->sent[broker % BROKERS][0] = '\0';
    return text;
}

void desk_within(struct desk *d, void (*act)(struct kc_controller *, void *), void *argument)
{
    struct turn turn = {d, 0};
    struct kc_outputs out = {.put = desk_from_controller, .context = &turn};
    struct kc_step step = {.out = &out, .now_us = d->now};
    struct kc_controller *c = d->peer[0].c;

    c->step = &step;
    act(c, argument);
    kc_run(c);
    c->step = NULL;
    kc_controller_check(c);
    ck_assert(!out.more);
}

int desk_moves_refused(const struct desk *d)
{
    return d->refused;
}

const char *desk_refusals(const struct desk *d)
{
    return d->refusals;
}

int desk_grown(const struct desk *d)
{
    return d->grown;
}

char *desk_tree(struct desk *d)
{
    char *tree = malloc(TEXT);
    char path[KZ_PATH_MAX] = "";
    const char *next = kz_server_next_path(d->z, NULL, path, sizeof path);
    size_t size = 0;

    tree[0] = '\0';
    for (; next != NULL; next = kz_server_next_path(d->z, path, path, sizeof path)) {
        struct sm_leader_and_isr li;
        const char *data = desk_znode(d, path);
        size += (size_t)snprintf(tree + size, TEXT - size, "%s", path);
        if (strstr(path, "/state") != NULL &&
            sm_znode_decode_state(data, strlen(data), 0, &li) == SM_ERR_OK) {
            size += (size_t)snprintf(tree + size, TEXT - size, " leader=%d isr=%s", li.leader,
                                     desk_text_of(&li.isr));
        } else if (strncmp(path, "/brokers/topics/", 16) == 0 || strncmp(path, "/admin/", 7) == 0) {
            size += (size_t)snprintf(tree + size, TEXT - size, " %s", data);
        }
        size += (size_t)snprintf(tree + size, TEXT - size, "\n");
        ck_assert_uint_lt(size, TEXT - 65536);
    }
    return tree;
}

char *desk_tree_exact(struct desk *d)
{
    char *tree = malloc(TEXT);
    char path[KZ_PATH_MAX] = "";
    const char *next = kz_server_next_path(d->z, NULL, path, sizeof path);
    size_t size = 0;

    tree[0] = '\0';
    for (; next != NULL; next = kz_server_next_path(d->z, path, path, sizeof path)) {
        struct wire_zk_stat stat;
        const uint8_t *data;
        uint32_t data_size;
        bool has;
        kz_server_get(d->z, path, &stat, &data, &data_size, &has);
        size += (size_t)snprintf(
            tree + size, TEXT - size, "%s v%d c%d %.*s\n", path, stat.version, stat.cversion,
            has && strcmp(path, SM_PATH_CONTROLLER) != 0 ? (int)data_size : 0, (const char *)data);
        ck_assert_uint_lt(size, TEXT - 65536);
    }
    return tree;
}
