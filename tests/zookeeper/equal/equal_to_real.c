/*
 * The proof of equality: random sequences against a real ZooKeeper server and against ours.
 *
 *   plan --> real server --C client--> three histories --.
 *        `-> our server ------------> three histories ---`--> equal, line for line?
 *
 * Both run step by step, side by side. Compared are results, stats (zxids relative to the
 * sequence's root, exactly; times not), watch events, and the order of all that within each
 * session. At the end every node is read and every list of children. After a cut the real server
 * says how many of the requests in flight it took: a probe shows how many zxids went by. A session
 * that the machine's load made expire, or lose its connection, spoils a sequence; such a one is run
 * again.
 *
 *   equal_to_real [sequences [seed [show | faults]]]      KC_DEEP=1: 20,000
 */
#define _GNU_SOURCE
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"
#include "plan.h"
#include "proxy.h"
#include "raw.h"
#include "real.h"

enum outcome { EQUAL, DIFFERENT, SPOILT };

static struct {
    int port;
    struct real_session *sessions[SESSIONS]; /* the third is of plain sequences only */
    struct raw *raw;
    int sequences; /* run so far, for names */
    bool show, faults;
    long requests, events, cuts, lost, expiries, spoilt;
} world;

/* One sequence while it runs. */
struct race {
    const struct plan *plan;
    char prefix[32];
    struct real_session *real[SESSIONS];
    struct proxy *proxy; /* in front of the third session, NULL in a plain sequence */
    struct naming naming;
    struct history theirs[SESSIONS], ours[SESSIONS];
    struct model *model;
    bool victim_gone;
    int expected_losses;
    const char *problem; /* NULL: none so far */
};

/* ---- steps ---- */

/* Sends steps [from, to), each group of one session at once. */
static void run_requests(struct race *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        const struct plan_step *step = &r->plan->steps[i];
        real_send(r->real[step->session], step, i);
        model_send(r->model, step, i);
        if (i + 1 == to || r->plan->steps[i + 1].kind != STEP_REQUEST ||
            r->plan->steps[i + 1].session != step->session)
            real_wait(r->real[step->session]);
    }
}

/* An exists after which a session has got all events of what went before. */
static void flush_session(struct race *r, int session)
{
    struct plan_step step = {
        .session = session, .count = 1, .ops = {{.opcode = WIRE_ZK_EXISTS, .path = ""}}};
    real_send(r->real[session], &step, 900);
    model_send(r->model, &step, 900);
    real_wait(r->real[session]);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* How many of the requests in flight the server took: the model is tried with each number. */
static int count_taken(struct race *r, const struct plan_step *steps, int count, int answered,
                       int64_t probe)
{
    for (int done = answered; done <= count; done++) {
        struct model *copy = model_copy(r->model);
        model_cut(copy, steps, 0, count, done, 0, answered);
        int64_t ours = model_probe(copy);
        model_free(copy);
        if (ours == probe)
            return done;
    }
    return -1;
}

static void run_cut(struct race *r, int at)
{
    const struct plan_step *cut = &r->plan->steps[at], *steps = cut + 1;
    struct real_session *victim = r->real[VICTIM];
    flush_session(r, VICTIM);
    int lines = r->theirs[VICTIM].count, answers = real_answered(victim);
    proxy_block(r->proxy, cut->mode == CUT_REQUESTS, cut->mode == CUT_REPLIES);
    for (int i = 0; i < cut->in_flight; i++)
        real_send(victim, &steps[i], at + 1 + i);
    if (cut->mode != CUT_NOW)
        pause_ms(5);
    proxy_cut(r->proxy);
    r->expected_losses++;
    real_wait_lost(victim, r->expected_losses);
    real_wait(victim);
    int answered = real_answered(victim) - answers;
    int losses = cut->in_flight - answered;
    int heard = r->theirs[VICTIM].count - lines - losses;
    /* A multi's answer is several lines and one output. */
    for (int i = 0; i < answered; i++)
        heard -= steps[i].multi ? steps[i].count : 0;
    int64_t probe = real_probe(r->real[0], r->prefix) - r->naming.base;
    int done = count_taken(r, steps, cut->in_flight, answered, probe);
    if (done < 0) {
        r->problem = "no number of requests in flight explains the zxid";
        return;
    }
    model_cut(r->model, steps, at + 1, cut->in_flight, done, heard, answered);
    if (model_probe(r->model) != probe)
        r->problem = "zxid after the cut";
    run_requests(r, at + 1 + cut->in_flight, at + 1 + cut->in_flight + cut->away);
    proxy_open(r->proxy);
    if (!real_wait_connected(victim))
        r->problem = "the session does not come back";
    model_reconnect(r->model, VICTIM);
    flush_session(r, VICTIM);
    world.cuts++;
    world.lost += done - answered;
}

static void run_expiry(struct race *r)
{
    char marker[64];
    snprintf(marker, sizeof marker, "%s/v", r->prefix);
    flush_session(r, VICTIM);
    proxy_block(r->proxy, true, true);
    for (int i = 0; i < 1000 && real_exists(r->real[0], marker) == 1; i++)
        pause_ms(10);
    proxy_cut(r->proxy);
    proxy_open(r->proxy);
    r->expected_losses++;
    for (int i = 0; i < 500 && !real_expired(r->real[VICTIM]); i++)
        pause_ms(10);
    model_expire(r->model, VICTIM);
    r->victim_gone = true;
    world.expiries++;
}

/* Our side takes it from the first session, which is idle. */
static void run_raw(struct race *r, int at)
{
    const struct plan_step *step = &r->plan->steps[at];
    if (world.raw == NULL)
        return;
    flush_session(r, 0); /* what it was still to hear of comes before */
    raw_multi(world.raw, step, at, &r->theirs[0], &r->naming);
    model_send(r->model, step, at);
}

static void run_steps(struct race *r)
{
    for (int i = 0; i < r->plan->count && r->problem == NULL;) {
        const struct plan_step *step = &r->plan->steps[i];
        int end = i + 1;
        if (step->kind == STEP_CUT) {
            run_cut(r, i);
            end += step->in_flight + step->away;
        } else if (step->kind == STEP_RAW) {
            run_raw(r, i);
        } else if (step->kind == STEP_EXPIRE) {
            run_expiry(r);
        } else {
            while (end < r->plan->count && r->plan->steps[end].kind == STEP_REQUEST)
                end++;
            run_requests(r, i, end);
        }
        i = end;
    }
}

/* Reads all that is there, through the first session. */
static void read_everything(struct race *r)
{
    char buffer[512], path[PATH_SIZE];
    for (const char *p = model_next(r->model, NULL, buffer); p != NULL;) {
        static const enum wire_zk_opcode reads[] = {WIRE_ZK_GET_DATA, WIRE_ZK_GET_CHILDREN};
        assert(strlen(p) < sizeof path);
        strcpy(path, p);
        for (int k = 0; k < 2; k++) {
            struct plan_step step = {.count = 1, .ops = {{.opcode = reads[k]}}};
            strcpy(step.ops[0].path, path);
            real_send(r->real[0], &step, 901 + k);
            model_send(r->model, &step, 901 + k);
        }
        p = model_next(r->model, path, buffer);
    }
    real_wait(r->real[0]);
}

/* ---- one sequence ---- */

static void print_sequence(struct race *r)
{
    printf("seed %" PRIu64 ", fault %d%s%s\n", r->plan->seed, (int)r->plan->fault,
           r->problem ? ": " : "", r->problem ? r->problem : "");
    plan_print(r->plan);
    for (int i = 0; i < SESSIONS; i++) {
        struct history *a = &r->theirs[i], *b = &r->ours[i];
        if (history_equal(a, b)) {
            printf("  session %d, both:\n", i);
            history_print(a);
            continue;
        }
        int at = 0;
        while (at < a->count && at < b->count && strcmp(a->lines[at], b->lines[at]) == 0)
            at++;
        printf("  session %d, first difference in line %d\n    ZooKeeper: %s\n    ours:      %s\n",
               i, at, at < a->count ? a->lines[at] : "(end)",
               at < b->count ? b->lines[at] : "(end)");
        printf("  session %d, ZooKeeper:\n", i);
        history_print(a);
        printf("  session %d, ours:\n", i);
        history_print(b);
    }
    fflush(stdout);
}

static void open_victim(struct race *r)
{
    if (r->plan->fault == PLAN_PLAIN) {
        r->real[VICTIM] = world.sessions[VICTIM];
        return;
    }
    r->proxy = proxy_new(world.port);
    r->real[VICTIM] = real_open(proxy_port(r->proxy), r->plan->fault == PLAN_EXPIRE ? 500 : 10000);
}

static enum outcome judge(struct race *r, bool quiet)
{
    bool equal = r->problem == NULL;
    for (int i = 0; i < SESSIONS; i++) {
        int allowed = i == VICTIM ? r->expected_losses : 0;
        if (real_losses(r->real[i]) > allowed ||
            (real_expired(r->real[i]) && !(i == VICTIM && r->victim_gone)))
            return SPOILT;
        history_settle(&r->theirs[i]);
        history_settle(&r->ours[i]);
        equal = equal && history_equal(&r->theirs[i], &r->ours[i]);
        for (int k = 0; k < r->theirs[i].count; k++)
            world.events += r->theirs[i].lines[k][0] == 'e';
    }
    if (world.show || (!equal && !quiet))
        print_sequence(r);
    return equal ? EQUAL : DIFFERENT;
}

static enum outcome run_sequence(const struct plan *plan, enum model_wrong wrong)
{
    struct race r = {.plan = plan, .real = {world.sessions[0], world.sessions[1]}};
    open_victim(&r);
    snprintf(r.prefix, sizeof r.prefix, "/s%07d", ++world.sequences);
    r.naming = (struct naming){.prefix = r.prefix, .base = real_create(r.real[0], r.prefix)};
    for (int i = 0; i < SESSIONS; i++) {
        r.naming.sessions[i] = real_id(r.real[i]);
        real_listen(r.real[i], &r.theirs[i], &r.naming);
    }
    r.model = model_new(wrong, r.ours);
    model_begin(r.model, r.prefix);
    run_steps(&r);
    for (int i = 0; i < SESSIONS && r.problem == NULL; i++)
        if (i != VICTIM || !r.victim_gone)
            flush_session(&r, i);
    if (r.problem == NULL)
        read_everything(&r);
    enum outcome outcome = judge(&r, wrong != MODEL_RIGHT);
    world.requests += plan->count;
    for (int i = 0; i < SESSIONS; i++) {
        real_listen(r.real[i], NULL, NULL);
        history_clear(&r.theirs[i]);
        history_clear(&r.ours[i]);
    }
    model_free(r.model);
    if (r.proxy != NULL) {
        proxy_open(r.proxy);
        real_close(r.real[VICTIM]);
        proxy_free(r.proxy);
    }
    return outcome;
}

static bool run_until_clear(uint64_t seed, enum plan_fault fault, enum model_wrong wrong)
{
    static struct plan plan;
    plan_draw(&plan, seed, fault);
    for (int tries = 0; tries < 10; tries++) {
        enum outcome outcome = run_sequence(&plan, wrong);
        if (outcome != SPOILT)
            return outcome == EQUAL;
        world.spoilt++;
    }
    printf("seed %" PRIu64 ": the machine is too busy, ten tries were spoilt\n", seed);
    exit(1);
}

/* ---- the whole ---- */

/* The comparison must see each wrong variant of our server within a few sequences. */
static void notices_wrong_servers(uint64_t seed)
{
    enum { TRIES = 200 };
    for (int wrong = MODEL_RIGHT + 1; wrong < MODEL_WRONG_END; wrong++) {
        enum plan_fault fault = wrong == MODEL_FORGETS_LOSSES ? PLAN_CUT : PLAN_PLAIN;
        uint64_t n = 0;
        while (n < TRIES && run_until_clear(seed + n, fault, (enum model_wrong)wrong))
            n++;
        if (n == TRIES) {
            printf("wrong server %d is not noticed\n", wrong);
            exit(1);
        }
        printf("wrong server %d: noticed after %d sequences\n", wrong, (int)n + 1);
    }
}

static enum plan_fault fault_of(int i)
{
    if (world.faults)
        return (enum plan_fault)(1 + i % 2);
    return i % 80 == 40 ? PLAN_EXPIRE : i % 40 == 20 ? PLAN_CUT : PLAN_PLAIN;
}

int main(int count, char **arguments)
{
    const char *deep = getenv("KC_DEEP");
    int sequences = count > 1 ? atoi(arguments[1]) : deep != NULL && deep[0] == '1' ? 20000 : 2000;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    world.show = count > 3 && strcmp(arguments[3], "show") == 0;
    world.faults = count > 3 && strcmp(arguments[3], "faults") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    world.port = real_start();
    if (world.port == 0)
        return 77;
    for (int i = 0; i < SESSIONS; i++)
        world.sessions[i] = real_open(world.port, 30000);
    if (getenv("KC_CHROOT") == NULL) /* of sessions that live below one (tests/live) */
        world.raw = raw_open(world.port);
    bool equal = true;
    for (int i = 0; i < sequences && equal; i++)
        equal = run_until_clear(seed + (uint64_t)i, fault_of(i), MODEL_RIGHT);
    if (equal)
        notices_wrong_servers(seed);
    for (int i = 0; i < SESSIONS; i++)
        real_close(world.sessions[i]);
    if (world.raw != NULL)
        raw_close(world.raw);
    real_stop();
    printf("%d sequences from seed %" PRIu64 ": %s; %ld requests, %ld events, %ld cuts with %ld "
           "requests taken and their answers lost, %ld expiries, %ld run again\n",
           sequences, seed, equal ? "equal" : "DIFFERENT", world.requests, world.events, world.cuts,
           world.lost, world.expiries, world.spoilt);
    return equal ? 0 : 1;
}
