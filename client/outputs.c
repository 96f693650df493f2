/*
 * What a step says: the common forms of outputs.
 */
#include "client/state.h"

void kl_due(struct kl_turn *t, int64_t at_us)
{
    if (at_us < t->due) {
        t->due = at_us;
    }
}

void kl_put(struct kl_turn *t, const struct kl_output *o)
{
    t->out->put(t->out->context, o);
}

bool kl_is_fatal(const struct kl_client *c)
{
    return c->pid.fatal_error != 0;
}

void kl_fact(struct kl_turn *t, enum kl_fact what, uint32_t partition, struct kl_output o)
{
    o.kind = KL_OUT_FACT;
    o.what = (uint32_t)what;
    o.partition = -1;
    if (partition != 0) {
        const struct kl_partition *p = kl_partition_at(t->c, partition);
        o.topic = kl_partition_topic(t->c, p);
        o.partition = p->number;
    }
    kl_put(t, &o);
}

void kl_error(struct kl_turn *t, int32_t error, bool fatal, uint32_t partition, const char *text)
{
    struct kl_output o = {
        .kind = KL_OUT_ERROR, .error = error, .fatal = fatal, .partition = -1, .text = text};

    if (partition != 0) {
        const struct kl_partition *p = kl_partition_at(t->c, partition);
        o.topic = kl_partition_topic(t->c, p);
        o.partition = p->number;
        o.offset = p->position;
    }
    kl_put(t, &o);
}

void kl_done(struct kl_turn *t, uint32_t command, int32_t error)
{
    struct kl_command *m = kl_command_at(t->c, command);
    struct kl_output o = {.kind = KL_OUT_DONE, .tag = m->tag, .command = m->kind, .error = error};

    if (m->kind == KL_IN_FLUSH) {
        t->c->flushing--;
    }
    kl_put(t, &o);
    kl_command_free(t->c, command);
}

void kl_done_now(struct kl_turn *t, int32_t error)
{
    kl_put(t, &(struct kl_output){
                  .kind = KL_OUT_DONE, .tag = t->in->tag, .command = t->in->kind, .error = error});
}
