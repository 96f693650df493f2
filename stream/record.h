/*
 * Records as bytes: where the text views of a type lie, copies that take their text along, keys
 * taken out of records, hashes.
 *
 * A record is copied in two parts: the struct by memcpy, then each view's bytes to memory that
 * lives as long as the copy, with the view set anew. A type without views costs the memcpy only.
 */
#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H

#include "stream/stream.h"

/* Where a type's views lie. */
struct layout {
    uint32_t size; /* bytes of the struct */
    uint32_t text_count;
    uint16_t text[ST_FIELDS_MAX]; /* [text_count] offsets of the st_str */
};

/* Sizes of what lies in rows are multiples of eight bytes. */
static inline uint32_t round_up_8(uint32_t size)
{
    return (size + 7) / 8 * 8;
}

#define READER_FIELDS_MAX (ST_KEY_FIELDS_MAX + 1) /* a key and the time of its window */

/* A key as a struct of its fields, in the order of the spec. */
struct key_reader {
    uint32_t count;
    enum st_kind kind[READER_FIELDS_MAX];
    uint16_t from[READER_FIELDS_MAX]; /* offset in the record */
    uint16_t to[READER_FIELDS_MAX];   /* offset in the key */
    uint16_t size[READER_FIELDS_MAX];
    struct layout layout; /* of the key */
    st_type type;         /* of the key, to write and read it by */
};

struct layout layout_of(const st_type *type);
/* The field at `offset`, or NULL; aliases `type`. */
const st_field *type_field_at(const st_type *type, uint16_t offset);
/* Same name, size and fields? Types of two translation units are two objects. */
bool type_equal(const st_type *a, const st_type *b);

/* Bytes of all text of a record. */
uint32_t record_text_size(const struct layout *layout, const void *record);
/* Moves the text of a copied record to `to`, which will be read at `read`. */
void record_move_text(const struct layout *layout, void *record, char *to, const char *read);
/* Gives a copied record text of its own, from malloc; false if there is no memory. */
bool record_own_text(const struct layout *layout, void *record);
/* Frees text that record_own_text made. */
void record_free_text(const struct layout *layout, void *record);

/* Writes a record as Flink prints a Tuple, or a single value; returns the length it would have, as
 * snprintf does. */
size_t record_print(const st_type *type, const void *record, char *to, size_t size);

/* The fields of `spec` must be fields of its type. */
struct key_reader key_reader_of(const st_key_spec *spec);
/* Takes the key out; views in it alias the record's. `key` has reader->layout.size bytes. */
void key_read(const struct key_reader *reader, const void *record, void *key);
bool key_equal(const struct key_reader *reader, const void *a, const void *b);
/* A hash for tables: any 32 bits. */
uint32_t key_table_hash(const struct key_reader *reader, const void *key);
/* Java's hashCode of a key that key_read took. */
int32_t key_java_hash(const struct key_reader *reader, const void *key);

/* String.hashCode, of text of any size; java_hash_of_text begins with what is short. */
int32_t java_hash_of_long_text(const char *data, size_t size);

/* Up to eight bytes as one word, the last byte in its highest place and zeros before the first. */
static inline uint64_t text_word(const char *data, size_t size)
{
    const unsigned char *s = (const unsigned char *)data;
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, s, 4);
        memcpy(&last, s + size - 4, 4);
        return (uint64_t)last << 32 | (uint64_t)first << (64 - 8 * size);
    }
    if (size == 0) {
        return 0;
    }
    return (uint64_t)s[size - 1] << 56 | (uint64_t)s[(size - 1) / 2] << (size > 1 ? 48 : 56) |
           (uint64_t)s[0] << (64 - 8 * size);
}

/* Of a short text the size is what a processor guesses wrong, so the common case reads eight bytes
 * whatever the size: those behind the text are of the same page, and are shifted out or written
 * over. The sanitizers are told to look away; they do see all other readers of text. */
typedef uint64_t __attribute__((may_alias, aligned(1))) loose_word;
#define READS_BEYOND __attribute__((no_sanitize("address", "thread"))) /* at most 7 bytes */

static inline bool may_read_8(const char *data)
{
    return ((uintptr_t)data & 4095) <= 4096 - 8 && data != NULL;
}

/* text_word, for size 0 … 8. */
READS_BEYOND static inline uint64_t text_word_loosely(const char *data, uint32_t size)
{
    if (size == 0 || !may_read_8(data)) {
        return text_word(data, size);
    }
    return *(const loose_word *)(const void *)data << (64 - 8 * size);
}

/* Copies text to where at least eight bytes have room. */
READS_BEYOND static inline void text_copy_loosely(char *to, const char *data, uint32_t size)
{
    if (size <= 8 && may_read_8(data)) {
        uint64_t word = *(const loose_word *)(const void *)data;
        memcpy(to, &word, 8);
    } else if (size > 0) {
        memcpy(to, data, size);
    }
}

/* The hash of such a word, all of whose bytes are ASCII: sums of neighbours, of pairs, of halves.
 * A zero byte in front counts nothing. */
static inline uint32_t java_hash_of_word(uint64_t word)
{
    const uint64_t bytes = UINT64_C(0x00FF00FF00FF00FF), pairs = UINT64_C(0x0000FFFF0000FFFF);
    word = (word & bytes) * 31 + (word >> 8 & bytes);
    word = (word & pairs) * (31 * 31) + (word >> 16 & pairs);
    return (uint32_t)word * (31u * 31 * 31 * 31) + (uint32_t)(word >> 32);
}

/* String.hashCode. */
static inline int32_t java_hash_of_text(const char *data, size_t size)
{
    uint64_t word = size <= 8 ? text_word(data, size) : UINT64_C(0x80);
    if ((word & UINT64_C(0x8080808080808080)) != 0) {
        return java_hash_of_long_text(data, size);
    }
    return (int32_t)java_hash_of_word(word);
}

static inline uint32_t hash_int64(uint64_t value)
{
    return (uint32_t)((value * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline uint32_t murmur_of(int32_t code)
{
    uint32_t h = (uint32_t)code * 0xcc9e2d51u;
    h = (h << 15) | (h >> 17);
    h *= 0x1b873593u;
    h = (h << 13) | (h >> 19);
    h = h * 5 + 0xe6546b64u;
    h ^= 4;
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    h ^= h >> 16;
    /* The absolute value, and 0 for the least of all, without a branch: half of them would be
     * taken. */
    uint32_t sign = h >> 31;
    return ((h ^ (0u - sign)) + sign) & 0x7FFFFFFFu;
}

/* memcpy whose common sizes the compiler can see. */
static inline void record_copy(void *to, const void *from, uint32_t size)
{
    switch (size) {
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    case 24:
        memcpy(to, from, 24);
        break;
    case 32:
        memcpy(to, from, 32);
        break;
    default:
        memcpy(to, from, size);
        break;
    }
}

#endif
