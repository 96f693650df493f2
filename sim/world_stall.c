/*
 * What reaches a process in the moment in which it begins to stand still.
 *
 *     record of the input ──► steps that wait for it: `pause` ──► the input waits ──► resume: taken
 *
 * A fault may act between the record of an input and the step that takes it. A process that is
 * killed there never takes it; one that is paused takes it when it goes on, as a thread does whose
 * process is stopped behind its read(2). It comes first then: whatever else came is behind it in
 * the inbox. Input and what it points to are copied, but for a batch, which its request keeps.
 */
#include <assert.h>
#include <string.h>

#include "sim/world_state.h"

struct sim_stalled {
    struct sim_stalled *next;
    struct kn_input in;
    struct wire_answer answer;
    void *copies[8];
    uint32_t copy_count;
};

static void *keep(struct sim_stalled *s, const void *bytes, size_t size)
{
    if (bytes == NULL)
        return NULL;
    assert(s->copy_count < sizeof(s->copies) / sizeof(s->copies[0]));
    void *copy = sim_copy(bytes, size);
    s->copies[s->copy_count++] = copy;
    return copy;
}

static const char *keep_text(struct sim_stalled *s, const char *text)
{
    return text == NULL ? NULL : keep(s, text, strlen(text) + 1);
}

void sim_stall(struct sim_process *p, const struct kn_input *in)
{
    struct sim_stalled *s = sim_alloc(sizeof(*s));
    struct sim_stalled **last = &p->stalled;
    s->in = *in;
    s->in.path = keep_text(s, in->path);
    s->in.listener = keep_text(s, in->listener);
    s->in.client = keep_text(s, in->client);
    s->in.client_id = keep_text(s, in->client_id);
    s->in.client_host = keep_text(s, in->client_host);
    s->in.message = keep(s, in->message, in->size);
    if (in->reply != NULL)
        s->in.reply = keep(s, in->reply, in->reply->size);
    if (in->call != NULL)
        s->in.call = keep(s, in->call, in->call->size);
    if (in->answer != NULL) {
        s->answer = *in->answer;
        if (in->answer->count > 0)
            s->answer.items =
                keep(s, in->answer->items, in->answer->count * sizeof(*in->answer->items));
        s->in.answer = &s->answer;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = s;
}

static struct sim_stalled *first(struct sim_process *p)
{
    struct sim_stalled *s = p->stalled;
    p->stalled = s->next;
    return s;
}

static void release(struct sim_stalled *s)
{
    for (uint32_t i = 0; i < s->copy_count; i++)
        sim_free(s->copies[i]);
    sim_free(s);
}

void sim_stalled_go_on(struct sim_world *w, struct sim_process *p)
{
    while (p->stalled != NULL && p->life == SIM_UP) {
        struct sim_stalled *s = first(p); /* the step may end the process, and its list */
        sim_process_step(w, p, s->in);
        release(s);
    }
}

void sim_stalled_free(struct sim_process *p)
{
    while (p->stalled != NULL)
        release(first(p));
}
