#include "plan.h"

#include <stdio.h>
#include <string.h>

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static int below(uint64_t *state, int n)
{
    return (int)(draw(state) % (uint64_t)n);
}

/* Drawn mostly from the first few, so that the sessions meet. */
static const char *const places[] = {
    "/a",
    "/a/a",
    "/b",
    "/a/b",
    "/b/x",
    "/a/s-0000000002",
    "",
    "/e",
    "/a/e",
    "/a/a/a",
    "/b/s-0000000001",
    "/b/s-0000000000",
    "/a/s-0000000003",
    "/b/y",
    "/a/one-name-longer-than-sixteen-bytes",
    "/a/s-0000000001",
};
enum { PLACES = sizeof places / sizeof places[0] };

static const char *draw_place(uint64_t *s)
{
    static const int widths[] = {3, 4, 5, 7, PLACES};
    return places[below(s, widths[below(s, 5)])];
}

static const enum wire_zk_opcode single[] = {
    WIRE_ZK_CREATE,   WIRE_ZK_CREATE,       WIRE_ZK_CREATE, WIRE_ZK_DELETE, WIRE_ZK_DELETE,
    WIRE_ZK_SET_DATA, WIRE_ZK_SET_DATA,     WIRE_ZK_EXISTS, WIRE_ZK_EXISTS, WIRE_ZK_GET_DATA,
    WIRE_ZK_GET_DATA, WIRE_ZK_GET_CHILDREN, WIRE_ZK_CREATE, WIRE_ZK_SYNC,   WIRE_ZK_GET_CHILDREN,
};
static const enum wire_zk_opcode in_multi[] = {
    WIRE_ZK_CREATE, WIRE_ZK_CREATE, WIRE_ZK_DELETE, WIRE_ZK_SET_DATA, WIRE_ZK_CHECK,
};

static void draw_data(uint64_t *s, struct plan_op *op)
{
    static const int sizes[] = {-1, 0, 1, 7, 8, 20, 40};
    op->size = below(s, 20) == 0 ? DATA_SIZE : sizes[below(s, 7)];
    for (int i = 0; i < op->size; i++)
        op->data[i] = (char)('a' + below(s, 26));
}

static void draw_op(uint64_t *s, struct plan_op *op, bool multi)
{
    *op = (struct plan_op){.size = -1, .version = WIRE_ZK_ANY_VERSION};
    op->opcode = multi ? in_multi[below(s, 5)] : single[below(s, 15)];
    /* The root of the sequence may be watched and changed, but not deleted or made. */
    bool spares_root = op->opcode == WIRE_ZK_CREATE || op->opcode == WIRE_ZK_DELETE;
    do
        strcpy(op->path, draw_place(s));
    while (spares_root && op->path[0] == 0);
    if (op->opcode == WIRE_ZK_CREATE) {
        static const uint8_t flags[] = {0, 0, 0, WIRE_ZK_EPHEMERAL, WIRE_ZK_SEQUENTIAL, 3};
        op->flags = flags[below(s, 6)];
        if (op->flags & WIRE_ZK_SEQUENTIAL)
            strcpy(op->path, below(s, 2) ? "/a/s-" : below(s, 4) ? "/b/s-" : "/b/");
    }
    if (op->opcode == WIRE_ZK_CREATE || op->opcode == WIRE_ZK_SET_DATA)
        draw_data(s, op);
    if (op->opcode == WIRE_ZK_DELETE || op->opcode == WIRE_ZK_SET_DATA ||
        op->opcode == WIRE_ZK_CHECK)
        op->version = below(s, 3) ? WIRE_ZK_ANY_VERSION : below(s, 3);
    op->watch = below(s, 5) != 0;
}

static struct plan_step *add_request(struct plan *p, uint64_t *s, int session)
{
    struct plan_step *step = &p->steps[p->count++];
    *step = (struct plan_step){.kind = STEP_REQUEST, .session = session, .count = 1};
    step->multi = below(s, 5) == 0;
    if (step->multi)
        step->count = 1 + below(s, OPS_MAX);
    for (int i = 0; i < step->count; i++)
        draw_op(s, &step->ops[i], step->multi);
    return step;
}

/* A multi of reads; seldom one with something else in it, which is refused. */
static void add_raw(struct plan *p, uint64_t *s)
{
    struct plan_step *step = add_request(p, s, 0);
    step->kind = STEP_RAW;
    step->multi = true;
    step->count = 1 + below(s, OPS_MAX);
    bool mixes = below(s, 4) == 0;
    for (int i = 0; i < step->count; i++) {
        bool reads = !mixes || below(s, 2) == 0;
        do
            draw_op(s, &step->ops[i], !reads);
        while (reads && step->ops[i].opcode != WIRE_ZK_GET_DATA &&
               step->ops[i].opcode != WIRE_ZK_GET_CHILDREN);
    }
    if (mixes && step->count == 1)
        step->ops[0].opcode = WIRE_ZK_EXISTS; /* no multi may hold one */
    if (mixes && step->count > 1) {           /* whatever was drawn, they differ */
        step->ops[0].opcode = below(s, 2) ? WIRE_ZK_GET_DATA : WIRE_ZK_CHECK;
        step->ops[1].opcode =
            step->ops[0].opcode == WIRE_ZK_CHECK ? WIRE_ZK_GET_CHILDREN : WIRE_ZK_DELETE;
        if (step->ops[1].path[0] == 0)
            strcpy(step->ops[1].path, "/a");
    }
}

/* A create that mostly succeeds, to have something to work on. */
static void add_create(struct plan *p, uint64_t *s, int session, const char *path, uint8_t flags)
{
    struct plan_step *step = add_request(p, s, session);
    step->multi = false;
    step->count = 1;
    step->ops[0] =
        (struct plan_op){.opcode = WIRE_ZK_CREATE, .flags = flags, .version = WIRE_ZK_ANY_VERSION};
    strcpy(step->ops[0].path, path);
    draw_data(s, &step->ops[0]);
}

/* What is there at first, and who watches it: each session a few places. */
static void add_beginning(struct plan *p, uint64_t *s)
{
    static const char *const made[] = {"/a", "/b", "/a/a", "/a/b", "/b/x"};
    static const enum wire_zk_opcode reads[] = {WIRE_ZK_EXISTS, WIRE_ZK_GET_DATA,
                                                WIRE_ZK_GET_CHILDREN};
    int count = below(s, 2) ? 5 : 3;
    for (int i = 0; i < count; i++)
        add_create(p, s, 0, made[i], i > 2 && below(s, 2) ? WIRE_ZK_EPHEMERAL : 0);
    for (int session = 0; session < SESSIONS; session++)
        for (int i = 0; i < 3; i++) {
            struct plan_step *step = add_request(p, s, session);
            step->multi = false;
            step->count = 1;
            draw_op(s, &step->ops[0], false);
            step->ops[0] = (struct plan_op){
                .opcode = reads[below(s, 3)], .watch = true, .version = WIRE_ZK_ANY_VERSION};
            strcpy(step->ops[0].path, draw_place(s));
        }
}

static void add_groups(struct plan *p, uint64_t *s, int sessions, int least)
{
    for (int end = p->count + least; p->count < end;) {
        int session = below(s, sessions);
        if (below(s, 4) == 0)
            add_raw(p, s);
        for (int n = 1 + below(s, 4); n > 0; n--)
            add_request(p, s, session);
    }
}

static void add_cut(struct plan *p, uint64_t *s)
{
    struct plan_step *cut = &p->steps[p->count++];
    *cut = (struct plan_step){.kind = STEP_CUT, .session = VICTIM};
    cut->mode = (enum cut_mode)below(s, 3);
    cut->in_flight = below(s, 5);
    for (int i = 0; i < cut->in_flight; i++)
        add_request(p, s, VICTIM);
    cut->away = below(s, 5);
    for (int i = 0; i < cut->away; i++)
        add_request(p, s, below(s, 2));
}

/* Ephemerals of the session that will expire, watched by another: the order in which they go can be
   seen. /v is how the harness sees that the session has gone. */
static void add_ephemerals(struct plan *p, uint64_t *s)
{
    add_create(p, s, VICTIM, "/v", WIRE_ZK_EPHEMERAL);
    for (int n = below(s, 18), i = 0; i < n; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, below(s, 2) ? "/t%d" : "/a/t%d", below(s, 1000));
        add_create(p, s, VICTIM, path, WIRE_ZK_EPHEMERAL);
        struct plan_step *watch = &p->steps[p->count++];
        *watch = (struct plan_step){.session = i % 2, .count = 1};
        watch->ops[0] = (struct plan_op){
            .opcode = WIRE_ZK_EXISTS, .watch = true, .version = WIRE_ZK_ANY_VERSION};
        strcpy(watch->ops[0].path, path);
    }
}

void plan_draw(struct plan *p, uint64_t seed, enum plan_fault fault)
{
    uint64_t s = seed * 3 + (uint64_t)fault;
    *p = (struct plan){.seed = seed, .fault = fault};
    add_beginning(p, &s);
    if (fault == PLAN_EXPIRE) {
        add_ephemerals(p, &s);
    }
    add_groups(p, &s, SESSIONS, fault == PLAN_PLAIN ? 20 : 8);
    if (fault == PLAN_CUT)
        add_cut(p, &s);
    if (fault == PLAN_EXPIRE)
        p->steps[p->count++] = (struct plan_step){.kind = STEP_EXPIRE, .session = VICTIM};
    if (fault != PLAN_PLAIN)
        add_groups(p, &s, fault == PLAN_EXPIRE ? 2 : SESSIONS, 8);
}

static void print_op(const struct plan_op *op)
{
    printf(" %s%s%s \"%s\"", wire_zk_opcode_name(op->opcode),
           op->flags & WIRE_ZK_EPHEMERAL ? " ephemeral" : "",
           op->flags & WIRE_ZK_SEQUENTIAL ? " sequential" : "", op->path);
    if (op->version != WIRE_ZK_ANY_VERSION)
        printf(" if version %d", op->version);
    if (op->opcode == WIRE_ZK_CREATE || op->opcode == WIRE_ZK_SET_DATA)
        printf(" %d bytes", op->size);
    if (op->watch && (op->opcode == WIRE_ZK_EXISTS || op->opcode == WIRE_ZK_GET_DATA ||
                      op->opcode == WIRE_ZK_GET_CHILDREN))
        printf(" watch");
}

void plan_print(const struct plan *p)
{
    static const char *const modes[] = {"now", "replies", "requests"};
    for (int i = 0; i < p->count; i++) {
        const struct plan_step *step = &p->steps[i];
        printf("  %2d session %d:", i, step->session);
        if (step->kind == STEP_CUT)
            printf(" CUT (%s), %d in flight, %d while away", modes[step->mode], step->in_flight,
                   step->away);
        if (step->kind == STEP_EXPIRE)
            printf(" EXPIRE");
        if (step->multi)
            printf(step->kind == STEP_RAW ? " raw multi" : " multi");
        for (int k = 0; k < step->count; k++)
            print_op(&step->ops[k]);
        printf("\n");
    }
}
