/*
 * Children of i are 4i+1 … 4i+4. A hole moves instead of pairs being swapped.
 */
#include "sim/event_queue.h"

#include "sim/allocate.h"

static bool comes_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->t_us != b->t_us ? a->t_us < b->t_us : a->number < b->number;
}

static inline void say_what_lives(const struct sim_event_queue *q)
{
    sim_live(q->events, &(struct sim_span){.size = q->count * sizeof(*q->events)}, 1);
}

void sim_event_push(struct sim_event_queue *q, struct sim_event event)
{
    if (q->count == q->capacity) {
        q->capacity = q->capacity == 0 ? 256 : q->capacity * 2;
        q->events = sim_realloc(q->events, q->capacity * sizeof(*q->events));
    }
    event.number = ++q->pushed;
    size_t hole = q->count++;
    while (hole > 0 && comes_before(&event, &q->events[(hole - 1) / 4])) {
        q->events[hole] = q->events[(hole - 1) / 4];
        hole = (hole - 1) / 4;
    }
    q->events[hole] = event;
    say_what_lives(q);
}

static size_t earliest_child(const struct sim_event_queue *q, size_t parent)
{
    size_t first = parent * 4 + 1, last = first + 4 < q->count ? first + 4 : q->count, best = first;
    for (size_t i = first + 1; i < last; i++)
        if (comes_before(&q->events[i], &q->events[best]))
            best = i;
    return best;
}

bool sim_event_pop(struct sim_event_queue *q, struct sim_event *event)
{
    if (q->count == 0)
        return false;
    *event = q->events[0];
    struct sim_event last = q->events[--q->count];
    size_t hole = 0;
    while (hole * 4 + 1 < q->count) {
        size_t child = earliest_child(q, hole);
        if (!comes_before(&q->events[child], &last))
            break;
        q->events[hole] = q->events[child];
        hole = child;
    }
    q->events[hole] = last;
    say_what_lives(q);
    return true;
}

void sim_event_queue_free(struct sim_event_queue *q)
{
    sim_free(q->events);
    *q = (struct sim_event_queue){0};
}
