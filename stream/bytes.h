/*
 * Bytes of a snapshot: written into a buffer that grows, read with every bound checked.
 *
 * Numbers are little-endian. A record is its struct as it lies in memory, with the views' pointers
 * zero, and then the bytes of its text in the order of the fields; what fields there are, and
 * where, is written beside (type_describe), so that a reader knows whether it may take the struct
 * as it is.
 */
#ifndef STREAM_BYTES_H
#define STREAM_BYTES_H

#include "stream/record.h"

struct frozen;

/* Files that belong to a snapshot besides its bytes: all of a folder, which is removed when the
 * snapshot is. In the checkpoint their names begin with the prefix. */
struct attached {
    struct attached *next;
    char *folder, *prefix;
};

/* Rows of a frozen table belong here, see frozen.h. */
struct hole {
    size_t at;
    size_t sizes[2]; /* where sizes are that count what is in the hole */
    size_t filled;   /* bytes, once materialised */
    struct frozen *frozen;
};

struct bytes {
    char *data; /* owned */
    size_t size, capacity;
    struct hole *holes; /* [hole_count] in order; owned */
    uint32_t hole_count;
    struct attached *attached; /* owned */
    bool canonical;            /* to be whole by itself, readable by each backend */
};

/* What is left to read. After the first read that went too far everything reads as zero. */
struct reader {
    const char *at, *end;
    bool bad;
};

void bytes_put(struct bytes *b, const void *data, size_t size);
void bytes_u32(struct bytes *b, uint32_t value);
void bytes_i64(struct bytes *b, int64_t value);
/* So that of two numbers the lesser is less byte by byte, as databases order keys; 8 bytes. */
void bytes_ordered_i64(struct bytes *b, int64_t value);
/* A length and the text. */
void bytes_text(struct bytes *b, const char *text);
void bytes_record(struct bytes *b, const struct layout *layout, const void *record);
/* Releases what its holes refer to, and removes what is attached. */
void bytes_free(struct bytes *b);
/* The files in `folder`, from now on the snapshot's. */
void bytes_attach(struct bytes *b, const char *folder, const char *prefix);
/* Removes them; the list is taken out of where it was. */
void attached_free(struct attached *list);
/* Leaves a hole here for the rows of a frozen table. */
void bytes_hole(struct bytes *b, struct frozen *frozen);
/* Where a number will be known later: bytes_set_i64 writes it. */
size_t bytes_reserve_i64(struct bytes *b);
void bytes_set_i64(struct bytes *b, size_t at, int64_t value);
size_t bytes_reserve_u32(struct bytes *b);
void bytes_set_u32(struct bytes *b, size_t at, uint32_t value);

uint32_t read_u32(struct reader *r);
int64_t read_i64(struct reader *r);
/* A view; aliases what is read. */
st_str read_text(struct reader *r);
/* `size` bytes, aliased; NULL if there are not so many. */
const char *read_bytes(struct reader *r, size_t size);
/* A record whose views alias what is read. Returns false, and the record is zero bytes, if it is
 * bad. */
bool read_record(struct reader *r, const struct layout *layout, void *record);

/* A type in words, "event{key str 0 16,value i64 16 8}", with its size: equal words, equal structs.
 */
void bytes_type(struct bytes *b, const st_type *type);
/* Reads such words and compares them; false if they are others. *words is what was read. */
bool read_type(struct reader *r, const st_type *type, st_str *words);
/* Reads such words of a type that nobody has any more, to read its records and leave them. Returns
 * false, and `r` is bad, if they are no type's. */
bool read_layout(struct reader *r, struct layout *layout);

#endif
