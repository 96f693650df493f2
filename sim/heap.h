/*
 * The memory of a world that can be copied: one piece of address space, so that a copy of it at the
 * same place is the world as it was, pointers and all (sim/image.h).
 *
 *     base ┌──────────────────────────────┬─ ─ ─ ─┬──────────┬─────────┬──────────┬─ ─ ─
 *          │ small things, by size class  │ never │ server   │ session │ client   │ never
 *          │ (messages, links, processes) │ used  │ (region) │ (told)  │ (scratch)│ used
 *          └──────────────────────────────┴─ ─ ─ ─┴──────────┴─────────┴──────────┴─ ─ ─
 *
 * What has more than SIM_HEAP_SMALL bytes is a region of its own, and a region may be *told*:
 * whoever writes into it says so (sim_heap_touch), so that it need not be looked at while nobody
 * does. Looking is hashing, chunk by chunk: a chunk whose hash is another one gets a new stamp, and
 * a copy takes the chunks whose stamps it does not have. Scratch lives for one step, and is never
 * copied.
 *
 * Every byte that is handed out is zero, also after an older state was put back: what a step leaves
 * uninitialised is the same each time.
 *
 * Ownership: the heap has all of it; sim_heap_free gives all back at once. Where there is no
 * address space or memory left the program abort()s, as sim/allocate.h does. Thread: one per heap.
 */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_HEAP_SMALL = 4096, SIM_HEAP_CLASSES = 96 };

/* Address space of one heap, and how much of it is for what is small; bytes. */
#define SIM_HEAP_SPACE       ((size_t)8 << 30)
#define SIM_HEAP_SMALL_SPACE ((size_t)1 << 30)

enum sim_region_kind {
    SIM_REGION_FREE,
    SIM_REGION_PLAIN,   /* may have changed at any time */
    SIM_REGION_TOLD,    /* changes are told by sim_heap_touch */
    SIM_REGION_SCRATCH, /* what is in it between two steps means nothing */
};

struct sim_span {
    uint64_t at, size; /* offset and bytes */
};
enum { SIM_SPANS_MAX = 3 };

struct sim_region {
    uint64_t at;   /* offset from the base */
    uint64_t room; /* bytes that the place has, a power of two */
    uint64_t size; /* bytes in use */
    uint32_t kind; /* enum sim_region_kind */
    uint32_t next; /* FREE: of the same room, + 1 */
    struct sim_span
        live[SIM_SPANS_MAX]; /* what means something; from `at`, ascending, size 0: none */
};

/* What is where: as much a part of the state as the bytes. Flat. */
struct sim_heap_layout {
    uint64_t small_end; /* offset: behind it nothing small was ever handed out */
    uint64_t region_end;
    uint64_t free_small[SIM_HEAP_CLASSES]; /* offset of the first free chunk of a class, 0 none */
    uint32_t free_region[48];              /* by log2 of the room: region + 1, 0 none */
    uint32_t region_count;
    uint32_t unused;
};

/* What was found in SIM_CHUNK bytes when the heap was last looked at. */
enum { SIM_CHUNK = 2048 };
struct sim_chunk {
    uint64_t stamp; /* never the same for two contents, 0 none */
    uint64_t digest;
    uint64_t size; /* bytes of it that are live, 0: nothing known */
};

/* One piece of live memory, and how it looked then: all that is small, or one span of a region. */
struct sim_area {
    struct sim_chunk *chunk;
    uint64_t size;   /* bytes that the chunks tell of */
    uint64_t room;   /* bytes that there are chunks for */
    uint64_t stamp;  /* changes with any chunk */
    uint64_t digest; /* of all of it */
};
/* Areas: 0 is what is small, this the first of those of region i. */
#define SIM_AREA_OF(i) (1u + SIM_SPANS_MAX * (i))

struct sim_heap {
    uint8_t *base;
    struct sim_heap_layout layout;
    struct sim_region *region; /* [layout.region_count] */
    uint64_t *stamp;           /* [region] TOLD: changes when it is touched */
    uint64_t *seen;            /* [region]: its stamp when it was last looked at, 0: not yet */
    struct sim_area *area;     /* [SIM_AREA_OF(region)] */
    uint32_t capacity;         /* regions that these have room for */
    bool may_have_changed;     /* since the heap was last looked at */
    uint64_t last_stamp;
    uint64_t serial; /* of this heap among all of the program */
};

struct sim_heap *sim_heap_new(void);    /* returns owned */
void sim_heap_free(struct sim_heap *h); /* NULL is fine */

/* As realloc: old NULL makes a new piece, of zero bytes; 16-aligned. */
void *sim_heap_resize(struct sim_heap *h, void *old, size_t size);
void sim_heap_give(struct sim_heap *h, void *p); /* frees */
static inline bool sim_heap_has(const struct sim_heap *h, const void *p)
{
    return (uintptr_t)p - (uintptr_t)h->base < SIM_HEAP_SPACE;
}

/* Says what `p`, which this heap handed out, is. What is small stays plain, whatever is said. */
void sim_heap_mark(struct sim_heap *h, void *p, enum sim_region_kind kind);
/* Of `p`, `size` bytes at its beginning (which is aligned to 16) mean something, and the others are
   zero or written before they are read; or so many spans, offsets from p. What is small is live as
   a whole. */
void sim_heap_live(struct sim_heap *h, void *p, const struct sim_span *span, uint32_t count);
/* The content of a told region is about to change. */
void sim_heap_touch(struct sim_heap *h, void *p);

/* Looks at all that may have changed: then the chunks tell what is there. */
void sim_heap_look(struct sim_heap *h);
/* Where area `a` lies, and its bytes in use; 0: it has none. */
uint64_t sim_heap_area(const struct sim_heap *h, uint32_t a, uint8_t **at);
/* Makes chunks for `size` bytes. */
void sim_area_room(struct sim_area *a, uint64_t size);
/* Its chunks have been set: its digest and size are. */
void sim_area_changed(struct sim_heap *h, struct sim_area *a, uint64_t size);
/* Returns a hash of what is in use (scratch is not). Equal: see sim_world_digest. */
uint64_t sim_heap_digest(struct sim_heap *h);
/* Returns whether every told region that nobody touched is as it was when it was last looked at.
   For tests. */
bool sim_heap_is_told(const struct sim_heap *h);

/* The heap of the world that acts now; NULL: there is none, or its memory is malloc's. */
extern _Thread_local struct sim_heap *sim_heap_now;
static inline struct sim_heap *sim_heap_enter(struct sim_heap *h)
{
    struct sim_heap *was = sim_heap_now;
    sim_heap_now = h;
    if (h != NULL)
        h->may_have_changed = true;
    return was;
}
static inline void sim_heap_leave(struct sim_heap **was)
{
    sim_heap_now = *was;
}

#endif
