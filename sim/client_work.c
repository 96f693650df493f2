/*
 * What the application above a client does: gives records at a rate, ends transactions, takes up
 * partitions, reads, stops.
 *
 *   producer       WORKS ──all given──► FLUSHES ──► IDLE
 *   transactional  INITS ─► BEGINS ─► WORKS ─due─► ENDS ─► BEGINS …   a fatal error: IDLE
 *   consumer       WORKS ──until──► CLOSES ──► CLOSED (the process ends)
 *   transform      a consumer and a transactional producer: client_transform.c
 *
 * An application cannot call its client from within an output; so what it wants next is noted
 * (`command`) and given when the step is over. At most one command is open at a time beside
 * records, and that is enough: every phase waits for one thing.
 *
 * Differs: it polls as often as it must and handles a record in no time; it gives records without
 * limit, where librdkafka's queue would be full (queue.buffering.max.messages).
 */
#include <assert.h>
#include <stdio.h>

#include "sim/client_state.h"
#include "sim/trace_client.h"

enum { ASK_AGAIN_US = 100000 }; /* for partitions of a topic that is not there yet */

static bool is_transactional(const struct sim_client *c)
{
    return c->spec->config.transactional_id != NULL;
}

static void wake(struct sim_world *w, struct sim_client *c, int64_t t_us)
{
    sim_push(w, t_us,
             (struct sim_event){
                 .kind = SIM_E_CLIENT_WORK, .process = c->index, .a = ++c->work_generation});
}

/* ---- producers: when the next record is given ---- */

static bool has_more(const struct sim_world *w, const struct sim_client *c)
{
    return (int64_t)c->counts.sent < c->spec->count && w->now_us < c->spec->until_us;
}

static int64_t next_record_us(const struct sim_client *c)
{
    const struct sim_client_spec *s = c->spec;
    int64_t whole = c->rate_given / s->rate_count, rest = c->rate_given % s->rate_count;
    int64_t each = s->rate_us / s->rate_count, more = s->rate_us % s->rate_count;
    return c->rate_from_us + whole * s->rate_us + rest * each + rest * more / s->rate_count;
}

static void wake_for_next(struct sim_world *w, struct sim_client *c)
{
    int64_t t = next_record_us(c);
    if (t > c->spec->until_us)
        t = c->spec->until_us;
    if (is_transactional(c) && t > c->txn_due_us)
        t = c->txn_due_us;
    wake(w, c, t);
}

static void begin_rate(struct sim_world *w, struct sim_client *c)
{
    c->rate_from_us = w->now_us;
    c->rate_given = 0;
}

/* ---- transactions ---- */

static void begin_transaction(struct sim_world *w, struct sim_client *c)
{
    if (c->txn_count == c->txn_capacity) {
        c->txn_capacity = c->txn_capacity * 2 + 16;
        c->txns = sim_realloc(c->txns, c->txn_capacity * sizeof(*c->txns));
    }
    c->txns[c->txn_count++] = SIM_TXN_OPEN;
    c->txn_due_us = w->now_us + c->spec->commit_us;
    c->phase = SIM_CLIENT_WORKS;
    if (c->spec->transforms) {
        wake(w, c, w->now_us);
        return;
    }
    if (c->txn_count == 1)
        begin_rate(w, c);
    wake_for_next(w, c);
}

static void end_transaction(struct sim_client *c)
{
    int32_t every = c->spec->abort_every;
    c->aborts = c->aborts || (every > 0 && c->txn_count % (uint64_t)every == 0);
    if (c->spec->transforms && !c->aborts) {
        c->phase = SIM_CLIENT_OFFSETS;
        c->command = KL_IN_SEND_OFFSETS;
        return;
    }
    c->phase = SIM_CLIENT_ENDS;
    c->command = c->aborts ? KL_IN_ABORT : KL_IN_COMMIT;
}

/* A transform whose producer can do no more ends: its consumer leaves the group. */
static void give_up(struct sim_world *w, struct sim_client *c, int32_t error)
{
    if (c->spec->transforms)
        wake(w, sim_transform_other(w, c), w->now_us);
    c->error = error;
    c->phase = SIM_CLIENT_IDLE;
    c->command = 0;
}

static void wait_for_input(struct sim_client *c)
{
    bool has = sim_transform_has_input(c);
    c->phase = has ? SIM_CLIENT_BEGINS : SIM_CLIENT_WAITS;
    c->command = has ? KL_IN_BEGIN : 0;
}

/* A transform's offsets are in its transaction, or they cannot be. */
static void offsets_added(struct sim_client *c, int32_t error)
{
    enum kl_txn_state state = kl_client_txn_state(c->kl);
    c->aborts = c->aborts || (error != 0 && state == KL_TXN_ABORTABLE);
    if (error != 0 && state != KL_TXN_ABORTABLE && !c->aborts) {
        c->command = KL_IN_SEND_OFFSETS;
        return;
    }
    c->phase = SIM_CLIENT_ENDS;
    c->command = c->aborts ? KL_IN_ABORT : KL_IN_COMMIT;
}

static void transaction_ended(struct sim_world *w, struct sim_client *c, int32_t error)
{
    enum kl_txn_state state = kl_client_txn_state(c->kl);
    uint8_t *end = &c->txns[c->txn_count - 1];
    if (error != 0 && state == KL_TXN_ABORTABLE) {
        c->aborts = true;
        c->command = KL_IN_ABORT;
        return;
    }
    if (error != 0 && state == KL_TXN_FATAL) {
        *end = SIM_TXN_UNKNOWN;
        give_up(w, c, error);
        return;
    }
    if (error != 0) { /* as an application does that is told to try again */
        c->command = c->aborts ? KL_IN_ABORT : KL_IN_COMMIT;
        return;
    }
    *end = c->aborts ? SIM_TXN_ABORTED : SIM_TXN_COMMITTED;
    c->counts.committed += !c->aborts;
    c->counts.aborted += c->aborts;
    if (c->spec->transforms)
        sim_transform_ended(c, !c->aborts);
    c->aborts = false;
    if (c->spec->transforms) {
        wait_for_input(c);
    } else if (has_more(w, c)) {
        c->phase = SIM_CLIENT_BEGINS;
        c->command = KL_IN_BEGIN;
    } else {
        c->phase = SIM_CLIENT_IDLE;
    }
}

enum sim_txn_end sim_client_txn_end(const struct sim_world *w, int32_t producer, uint64_t number)
{
    const struct sim_client *c = w->clients->client[producer];
    assert(number > 0);
    assert(number <= c->txn_count);
    return (enum sim_txn_end)c->txns[number - 1];
}

/* ---- consumers ---- */

static void add_assigned(struct sim_client *c, const char *topic, int32_t partition)
{
    bool from_end = c->spec->config.auto_offset_reset == KL_RESET_LATEST;
    c->assigned = sim_realloc(c->assigned, (c->assigned_count + 1) * sizeof(*c->assigned));
    c->assigned[c->assigned_count++] =
        (struct kl_offset){.topic = topic,
                           .partition = partition,
                           .leader_epoch = -1,
                           .offset = from_end ? KL_OFFSET_END : KL_OFFSET_BEGINNING};
}

/* False where a topic is not there yet. */
static bool choose_partitions(const struct sim_world *w, struct sim_client *c)
{
    c->assigned_count = 0;
    for (uint32_t i = 0; i < c->spec->assign_count; i++)
        add_assigned(c, c->spec->assign[i].topic, c->spec->assign[i].partition);
    for (uint32_t i = 0; c->spec->assign_count == 0 && i < c->spec->topic_count; i++) {
        int32_t count = (int32_t)sim_partitions_of(w, c->spec->topics[i]);
        if (count == 0)
            return false;
        for (int32_t p = 0; p < count; p++)
            add_assigned(c, c->spec->topics[i], p);
    }
    return true;
}

static int64_t poll_us(const struct sim_client *c)
{
    return (int64_t)c->spec->config.max_poll_interval_ms * 1000 / 3;
}

/* ---- the beginning and the end of a life ---- */

void sim_client_work_start(struct sim_world *w, struct sim_client *c)
{
    bool has_group = c->spec->config.group_id != NULL;
    c->error = 0;
    c->aborts = c->rebalances = false;
    c->command = 0;
    sim_transform_forget(c);
    if (is_transactional(c)) {
        c->phase = SIM_CLIENT_INITS;
        c->command = KL_IN_INIT_TRANSACTIONS;
    } else {
        c->phase = SIM_CLIENT_WORKS;
        c->command = has_group ? KL_IN_SUBSCRIBE : 0;
        begin_rate(w, c);
        wake(w, c, w->now_us);
    }
}

void sim_client_work_stop(struct sim_client *c)
{
    c->phase = SIM_CLIENT_IDLE;
    c->command = 0;
    c->work_generation++;
    sim_free(c->assigned);
    c->assigned = NULL;
    c->assigned_count = 0;
    if (c->txn_count > 0 && c->txns[c->txn_count - 1] == SIM_TXN_OPEN)
        c->txns[c->txn_count - 1] = SIM_TXN_UNKNOWN;
}

/* It stood still: the records of that time are not given afterwards. */
void sim_client_work_resume(struct sim_world *w, struct sim_client *c)
{
    if (c->phase != SIM_CLIENT_WORKS && c->phase != SIM_CLIENT_WAITS)
        return;
    begin_rate(w, c);
    wake(w, c, w->now_us);
}

void sim_client_work_close(struct sim_world *w, struct sim_client *c, uint64_t by)
{
    c->work_generation++;
    c->phase = SIM_CLIENT_CLOSES;
    sim_client_step(w, c, (struct kl_input){.kind = KL_IN_CLOSE}, by);
}

bool sim_client_work_is_over(const struct sim_world *w, const struct sim_client *c)
{
    if (c->shell.life == SIM_DOWN)
        return true;
    if (c->shell.life == SIM_PAUSED)
        return false;
    if (c->spec->kind == SIM_CLIENT_CONSUMES)
        return sim_client_book_has_caught_up(w, c);
    if (c->spec->transforms)
        return c->phase == SIM_CLIENT_IDLE ||
               (c->phase == SIM_CLIENT_WAITS && !sim_transform_has_input(c));
    bool has_end = c->spec->count != INT64_MAX || c->spec->until_us != SIM_FOREVER;
    return !has_end || c->phase == SIM_CLIENT_IDLE;
}

/* ---- what is due ---- */

static struct kl_input record_of(struct sim_world *w, struct sim_client *c,
                                 struct sim_client_texts *texts)
{
    const struct sim_client_spec *s = c->spec;
    int64_t number = (int64_t)c->counts.sent + 1;
    size_t size = sim_value_write(
        w, (struct sim_value_name){.number = number, .producer = (int32_t)c->index}, texts->name);
    const char *value = texts->name;
    if ((size_t)s->size > size) {
        w->clients->padding = sim_realloc(w->clients->padding, (size_t)s->size);
        memset(w->clients->padding, '.', (size_t)s->size);
        memcpy(w->clients->padding, texts->name, size);
        value = w->clients->padding;
        size = (size_t)s->size;
    }
    int key = s->keys == 0 ? -1
                           : snprintf(texts->key, sizeof(texts->key), "k%lld",
                                      (long long)((number - 1) % s->keys));
    return (struct kl_input){.kind = KL_IN_SEND,
                             .tag = (uint64_t)number,
                             .topic = s->topics[(number - 1) % s->topic_count],
                             .partition = s->partition,
                             .key = texts->key,
                             .key_size = key,
                             .value = value,
                             .value_size = (int32_t)size,
                             .timestamp_ms = sim_clock_date(w, &c->shell) / 1000};
}

static void give_record(struct sim_world *w, struct sim_client *c)
{
    struct sim_client_texts texts;
    struct kl_input in = record_of(w, c, &texts);
    c->counts.sent++;
    c->counts.open++;
    c->rate_given++;
    wake_for_next(w, c);
    sim_client_step(w, c, in, c->shell.life_record);
}

static void producer_due(struct sim_world *w, struct sim_client *c)
{
    if (!has_more(w, c)) {
        if (is_transactional(c)) {
            end_transaction(c);
        } else {
            c->phase = SIM_CLIENT_FLUSHES;
            c->command = KL_IN_FLUSH;
        }
    } else if (is_transactional(c) && w->now_us >= c->txn_due_us) {
        end_transaction(c);
    } else if (next_record_us(c) <= w->now_us) {
        give_record(w, c);
        return;
    } else {
        wake_for_next(w, c);
        return;
    }
    sim_client_step_commands(w, c, c->shell.life_record);
}

/* An output for every input that is there, caused by the reading of it. */
static void give_outputs(struct sim_world *w, struct sim_client *c)
{
    while (c->shell.life == SIM_UP && c->phase == SIM_CLIENT_WORKS && sim_transform_has_input(c)) {
        struct sim_client_texts texts;
        struct sim_input input = sim_transform_next(c);
        struct kl_input in = record_of(w, c, &texts);
        c->counts.sent++;
        c->counts.open++;
        sim_client_step(w, c, in, w->clients->reads[input.read].record);
    }
}

static void transform_due(struct sim_world *w, struct sim_client *c)
{
    if (c->phase == SIM_CLIENT_WAITS && sim_transform_has_input(c)) {
        wait_for_input(c);
        sim_client_step_commands(w, c, w->clients->reads[c->inputs.input[0].read].record);
    } else if (c->phase == SIM_CLIENT_WORKS && (c->aborts || w->now_us >= c->txn_due_us)) {
        end_transaction(c);
        sim_client_step_commands(w, c, c->shell.life_record);
    } else if (c->phase == SIM_CLIENT_WORKS) {
        give_outputs(w, c);
        if (c->shell.life == SIM_UP && c->phase == SIM_CLIENT_WORKS)
            wake(w, c, c->aborts ? w->now_us : c->txn_due_us);
    }
}

void sim_client_work_transforms(struct sim_client_turn *t, struct sim_input input)
{
    struct sim_client *producer = sim_transform_other(t->w, t->c);
    sim_transform_take(producer, input);
    if (producer->phase == SIM_CLIENT_WAITS || producer->phase == SIM_CLIENT_WORKS)
        wake(t->w, producer, t->w->now_us);
}

static void consumer_due(struct sim_world *w, struct sim_client *c)
{
    bool has_group = c->spec->config.group_id != NULL;
    struct sim_client *other = sim_transform_other(w, c);
    if (w->now_us >= c->spec->until_us || (other != NULL && other->error != 0)) {
        sim_client_work_close(w, c, c->shell.life_record);
        return;
    }
    int64_t next = w->now_us + poll_us(c);
    if (has_group) {
        c->command = c->command == 0 ? KL_IN_POLL : c->command;
    } else if (c->assigned_count == 0) {
        if (choose_partitions(w, c))
            c->command = KL_IN_ASSIGN;
        else
            next = w->now_us + ASK_AGAIN_US;
    }
    wake(w, c, next < c->spec->until_us ? next : c->spec->until_us);
    sim_client_step_commands(w, c, c->shell.life_record);
}

void sim_client_work_due(struct sim_world *w, struct sim_client *c)
{
    if (c->shell.life == SIM_UP && c->spec->transforms && c->spec->kind == SIM_CLIENT_PRODUCES)
        transform_due(w, c);
    if (c->shell.life != SIM_UP || c->phase != SIM_CLIENT_WORKS ||
        (c->spec->transforms && c->spec->kind == SIM_CLIENT_PRODUCES))
        return;
    if (c->spec->kind == SIM_CLIENT_PRODUCES)
        producer_due(w, c);
    else
        consumer_due(w, c);
}

/* ---- what it hears ---- */

static void hears_done(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_client *c = t->c;
    switch (o->command) {
    case KL_IN_INIT_TRANSACTIONS:
        if (o->error == 0 && c->spec->transforms) {
            wait_for_input(c);
        } else if (o->error == 0) {
            c->phase = SIM_CLIENT_BEGINS;
            c->command = KL_IN_BEGIN;
        } else if (kl_client_txn_state(c->kl) == KL_TXN_FATAL) {
            give_up(t->w, c, o->error);
        } else {
            c->command = KL_IN_INIT_TRANSACTIONS;
        }
        return;
    case KL_IN_BEGIN:
        if (o->error != 0)
            give_up(t->w, c, o->error);
        else
            begin_transaction(t->w, c);
        return;
    case KL_IN_SEND_OFFSETS:
        if (kl_client_txn_state(c->kl) == KL_TXN_FATAL)
            give_up(t->w, c, o->error);
        else
            offsets_added(c, o->error);
        return;
    case KL_IN_COMMIT:
    case KL_IN_ABORT:
        transaction_ended(t->w, c, o->error);
        return;
    case KL_IN_FLUSH:
        if (c->phase == SIM_CLIENT_FLUSHES)
            c->phase = SIM_CLIENT_IDLE;
        return;
    case KL_IN_CLOSE:
        c->phase = SIM_CLIENT_CLOSED;
        return;
    default: /* the others end without consequence for the application */
        return;
    }
}

static void hears_rebalance(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_client *other = sim_transform_other(t->w, t->c);
    t->c->rebalances = true;
    if (other == NULL || o->kind != KL_OUT_REVOKE || !sim_transform_revoked(t->w, other, o) ||
        (other->phase != SIM_CLIENT_WORKS && other->phase != SIM_CLIENT_OFFSETS))
        return; /* of a commit that is on its way the coordinator decides */
    other->aborts = true;
    wake(t->w, other, t->w->now_us);
}

void sim_client_work_hears(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_client *c = t->c;
    if (o->kind == KL_OUT_DONE)
        hears_done(t, o);
    else if (o->kind == KL_OUT_ASSIGN || o->kind == KL_OUT_REVOKE)
        hears_rebalance(t, o);
    else if (o->kind == KL_OUT_ERROR && o->fatal && c->spec->kind == SIM_CLIENT_PRODUCES)
        give_up(t->w, c, o->error);
    if (o->kind == KL_OUT_FACT && o->what == KL_FACT_RETRY)
        c->counts.retries++;
    sim_trace_client_says(t->w->trace, t->w->now_us, sim_client_lane(c->shell.id), t->record, o);
}

bool sim_client_work_next(struct sim_world *w, struct sim_client *c, struct sim_client_command *out)
{
    if (c->rebalances) {
        c->rebalances = false;
        out->in = (struct kl_input){.kind = KL_IN_REBALANCED};
        return true;
    }
    if (c->command == 0)
        return false;
    out->in = (struct kl_input){.kind = c->command,
                                .tag = (uint64_t)c->command << 48,
                                .timeout_ms = c->spec->call_timeout_ms};
    if (c->command == KL_IN_SUBSCRIBE) {
        out->in.topics = (const char *const *)c->spec->topics;
        out->in.topic_count = c->spec->topic_count;
    } else if (c->command == KL_IN_SEND_OFFSETS) {
        struct sim_client *reader = sim_transform_other(w, c);
        out->in.group = reader->spec->config.group_id;
        out->in.count = sim_transform_offsets(w, c);
        out->in.offsets = c->assigned;
        out->member = reader->kl == NULL ? (struct kl_member){.id = "", .generation = -1}
                                         : kl_client_member(reader->kl);
        out->in.member = &out->member;
    } else if (c->command == KL_IN_ASSIGN) {
        out->in.offsets = c->assigned;
        out->in.count = c->assigned_count;
    }
    c->command = 0;
    return true;
}
