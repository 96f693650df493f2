/*
 * Records to subtasks by key, see route.h.
 */
#include "stream/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_WIDE 1
#define WIDE     __attribute__((target("avx2,popcnt")))
#else
#define HAS_WIDE 0
#endif

void router_init(struct router *r, const st_key_spec *spec, uint32_t ring_count,
                 uint32_t max_parallelism)
{
    *r = (struct router){.reader = key_reader_of(spec),
                         .ring_count = ring_count,
                         .max_parallelism = max_parallelism};
    if ((max_parallelism & (max_parallelism - 1)) == 0) {
        r->group_mask = max_parallelism - 1;
        r->group_shift = (uint32_t)__builtin_ctz(max_parallelism);
    }
    r->owner = must_calloc(max_parallelism, sizeof *r->owner);
    for (uint32_t g = 0; g < max_parallelism; g++) {
        r->owner[g] = (uint16_t)st_key_group_owner(g, ring_count, max_parallelism);
    }
    for (uint32_t set = 0; set < 256; set++) {
        uint32_t at = 0;
        for (uint32_t bit = 0; bit < 8; bit++) {
            r->bits[set] |= (set >> bit & 1) != 0 ? (uint64_t)bit << 8 * at++ : 0;
        }
    }
#if HAS_WIDE
    r->wide =
        r->group_mask != 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    r->wider = r->wide && wider_is_usable();
#endif
}

void router_free(struct router *r)
{
    free(r->owner);
    r->owner = NULL;
}

/* --------------------------------------------------------------------------------------- Codes */

static bool is_number(const struct key_reader *reader)
{
    return reader->count == 1 && (reader->kind[0] == ST_KIND_I64 || reader->kind[0] == ST_KIND_U64);
}

static bool is_text(const struct key_reader *reader)
{
    return reader->count == 1 && reader->kind[0] == ST_KIND_STR;
}

static void codes_of_numbers(const char *key, uint32_t stride, uint32_t count, uint32_t *codes)
{
    for (uint32_t k = 0; k < count; k++, key += stride) {
        uint64_t number;
        memcpy(&number, key, 8);
        codes[k] = (uint32_t)(number ^ number >> 32);
    }
}

static void codes_of_texts(const char *key, uint32_t stride, uint32_t count, uint32_t *codes)
{
    for (uint32_t k = 0; k < count; k++, key += stride) {
        st_str text;
        memcpy(&text, key, sizeof text);
        uint64_t word = text.size <= 8 ? text_word_loosely(text.data, text.size) : UINT64_MAX;
        codes[k] = (word & UINT64_C(0x8080808080808080)) == 0
                       ? java_hash_of_word(word)
                       : (uint32_t)java_hash_of_long_text(text.data, text.size);
    }
}

static void codes_of_any(const struct key_reader *reader, const char *record, uint32_t stride,
                         uint32_t count, uint32_t *codes)
{
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    for (uint32_t k = 0; k < count; k++, record += stride) {
        key_read(reader, record, key);
        codes[k] = (uint32_t)key_java_hash(reader, key);
    }
}

static void codes_of(const struct key_reader *reader, const char *records, uint32_t stride,
                     uint32_t count, uint32_t *codes)
{
    if (is_number(reader)) {
        codes_of_numbers(records + reader->from[0], stride, count, codes);
    } else if (is_text(reader)) {
        codes_of_texts(records + reader->from[0], stride, count, codes);
    } else {
        codes_of_any(reader, records, stride, count, codes);
    }
}

/* --------------------------------------------------------------------------------- Eight at once
 */

#if HAS_WIDE

WIDE static inline __m256i rotated(__m256i h, int by)
{
    return _mm256_or_si256(_mm256_slli_epi32(h, by), _mm256_srli_epi32(h, 32 - by));
}

WIDE static inline __m256i mixed(__m256i h, int by, uint32_t factor)
{
    return _mm256_mullo_epi32(_mm256_xor_si256(h, _mm256_srli_epi32(h, by)),
                              _mm256_set1_epi32((int)factor));
}

/* Of eight codes: murmur_of, a key group, and its ring. */
WIDE static inline __m256i rings_of(const struct router *r, __m256i h)
{
    h = _mm256_mullo_epi32(h, _mm256_set1_epi32((int)0xcc9e2d51u));
    h = _mm256_mullo_epi32(rotated(h, 15), _mm256_set1_epi32((int)0x1b873593u));
    h = rotated(h, 13);
    h = _mm256_add_epi32(h, _mm256_slli_epi32(h, 2));
    h = _mm256_add_epi32(h, _mm256_set1_epi32((int)0xe6546b64u));
    h = _mm256_xor_si256(h, _mm256_set1_epi32(4));
    h = mixed(h, 16, 0x85ebca6bu);
    h = mixed(h, 13, 0xc2b2ae35u);
    h = _mm256_abs_epi32(_mm256_xor_si256(h, _mm256_srli_epi32(h, 16)));
    h = _mm256_and_si256(h, _mm256_set1_epi32((int)r->group_mask));
    h = _mm256_mullo_epi32(h, _mm256_set1_epi32((int)r->ring_count));
    return _mm256_srl_epi32(h, _mm_cvtsi32_si128((int)r->group_shift));
}

/* From codes to rings in place, from record `from` on. Behind the last: no ring. */
WIDE static void wide_rings(const struct router *r, uint32_t from, uint32_t count, uint32_t *codes)
{
    for (uint32_t k = from; k < count; k += 8) {
        __m256i *at = (__m256i *)(void *)(codes + k);
        _mm256_storeu_si256(at, rings_of(r, _mm256_loadu_si256(at)));
    }
    for (uint32_t k = count; k < count + 16; k += 8) {
        _mm256_storeu_si256((__m256i *)(void *)(codes + k), _mm256_set1_epi32(-1));
    }
}

/* Four numbers, `stride` bytes apart. */
WIDE static inline __m256i four_numbers(const char *key, size_t stride)
{
    __m128d low = _mm_setzero_pd(), high = low;
    low = _mm_loadh_pd(_mm_loadl_pd(low, (const void *)key), (const void *)(key + stride));
    key += 2 * stride;
    high = _mm_loadh_pd(_mm_loadl_pd(high, (const void *)key), (const void *)(key + stride));
    return _mm256_set_m128i(_mm_castpd_si128(high), _mm_castpd_si128(low));
}

/* codes_of_numbers and wide_rings in one, of as many eights as there are; returns of how many. */
WIDE static uint32_t wide_rings_of_numbers(const struct router *r, const char *key, size_t stride,
                                           uint32_t count, uint32_t *rings)
{
    uint32_t k = 0;
    for (; k + 8 <= count; k += 8, key += 8 * stride) {
        __m256i low = four_numbers(key, stride), high = four_numbers(key + 4 * stride, stride);
        low = _mm256_xor_si256(low, _mm256_srli_epi64(low, 32));
        high = _mm256_xor_si256(high, _mm256_srli_epi64(high, 32));
        __m256 codes = _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88);
        __m256i in_order = _mm256_permute4x64_epi64(_mm256_castps_si256(codes), 0xD8);
        _mm256_storeu_si256((__m256i *)(void *)(rings + k), rings_of(r, in_order));
    }
    return k;
}

WIDE static uint32_t wide_pick(const struct router *r, const uint32_t *rings, uint32_t count,
                               uint32_t ring, uint16_t *picks)
{
    const __m256i wanted = _mm256_set1_epi32((int)ring);
    uint32_t picked = 0;
    for (uint32_t k = 0; k < count; k += 8) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)(rings + k));
        __m256i same = _mm256_cmpeq_epi32(eight, wanted);
        uint32_t set = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(same));
        __m128i numbers = _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)r->bits[set]));
        numbers = _mm_add_epi16(numbers, _mm_set1_epi16((short)k));
        _mm_storeu_si128((__m128i *)(void *)(picks + picked), numbers);
        picked += (uint32_t)__builtin_popcount(set);
    }
    return picked;
}

WIDE static inline void copy_32(char *to, const char *records, uint32_t pick)
{
    const void *from = records + (size_t)pick * 24;
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_loadu_si256(from));
}

/* Records of 24 bytes as if they had 32: what is written too much is the place of the next. The
 * last is copied as it is. */
WIDE static void wide_gather_24(char *to, const char *records, const uint16_t *picks,
                                uint32_t count)
{
    uint32_t k = 0;
    for (; k + 4 < count; k += 4, to += 4 * 24) {
        copy_32(to, records, picks[k]);
        copy_32(to + 24, records, picks[k + 1]);
        copy_32(to + 48, records, picks[k + 2]);
        copy_32(to + 72, records, picks[k + 3]);
    }
    for (; k < count; k++, to += 24) {
        memcpy(to, records + (size_t)picks[k] * 24, 24);
    }
}

#endif

/* ---------------------------------------------------------------------------------- One by one */

static void narrow_rings(const struct router *r, uint32_t count, uint32_t *codes)
{
    for (uint32_t k = 0; k < count; k++) {
        uint32_t h = murmur_of((int32_t)codes[k]);
        codes[k] = r->owner[r->group_mask != 0 ? h & r->group_mask : h % r->max_parallelism];
    }
}

static uint32_t narrow_pick(const uint32_t *rings, uint32_t count, uint32_t ring, uint16_t *picks)
{
    uint32_t picked = 0;
    for (uint32_t k = 0; k < count; k++) {
        picks[picked] = (uint16_t)k;
        picked += rings[k] == ring;
    }
    return picked;
}

void router_choose(const struct router *r, const void *records, uint32_t stride, uint32_t count,
                   uint32_t rings[PICKS_MAX])
{
    assert(count <= BATCH_SIZE);
#if HAS_WIDE
    if (r->wide) {
        const char *key = (const char *)records + r->reader.from[0];
        uint32_t done = 0, coded = 0; /* to rings, to codes */
        if (r->wider && is_number(&r->reader) && router_by_lines(stride, r->reader.from[0])) {
            coded = done = wider_rings_of_numbers_24(r, records, count, rings);
        } else if (is_number(&r->reader)) {
            coded = done = wide_rings_of_numbers(r, key, stride, count, rings);
        } else if (r->wider && is_text(&r->reader)) {
            coded = wider_codes_of_texts(records, stride, r->reader.from[0], count, rings);
        }
        codes_of(&r->reader, (const char *)records + (size_t)coded * stride, stride, count - coded,
                 rings + coded);
        wide_rings(r, done, count, rings);
        return;
    }
#endif
    codes_of(&r->reader, records, stride, count, rings);
    narrow_rings(r, count, rings);
}

uint32_t router_pick(const struct router *r, const uint32_t rings[PICKS_MAX], uint32_t count,
                     uint32_t ring, uint16_t picks[PICKS_MAX])
{
#if HAS_WIDE
    if (r->wider) {
        return wider_pick(rings, count, ring, picks);
    }
    if (r->wide) {
        return wide_pick(r, rings, count, ring, picks);
    }
#endif
    return narrow_pick(rings, count, ring, picks);
}

void router_pick_times(const struct router *r, const uint32_t rings[PICKS_MAX], uint32_t count,
                       uint32_t ring, const int64_t *times, const uint16_t *picks, uint32_t picked,
                       int64_t *to)
{
#if HAS_WIDE
    if (r->wider) {
        wider_pick_times(rings, count, ring, times, to);
        return;
    }
#endif
    (void)r;
    for (uint32_t k = 0; k < picked; k++) {
        to[k] = times[picks[k]];
    }
}

static inline __attribute__((always_inline)) void
gather_sized(char *to, const char *records, const uint16_t *picks, uint32_t count, uint32_t size)
{
    for (uint32_t k = 0; k < count; k++) {
        memcpy(to + (size_t)k * size, records + (size_t)picks[k] * size, size);
    }
}

void router_gather(const struct router *r, void *to, const void *records, uint32_t size,
                   const uint16_t *picks, uint32_t count)
{
#if HAS_WIDE
    if (r->wider && size == 24) {
        wider_gather_24(to, records, picks, count);
        return;
    }
    if (r->wide && size == 24) {
        wide_gather_24(to, records, picks, count);
        return;
    }
#endif
    (void)r;
    switch (size) { /* sizes that the compiler can see */
    case 8:
        gather_sized(to, records, picks, count, 8);
        break;
    case 16:
        gather_sized(to, records, picks, count, 16);
        break;
    case 24:
        gather_sized(to, records, picks, count, 24);
        break;
    case 32:
        gather_sized(to, records, picks, count, 32);
        break;
    default:
        gather_sized(to, records, picks, count, size);
        break;
    }
}

uint32_t router_stream(const struct router *r, void *to, const void *records, const uint16_t *picks,
                       uint32_t count)
{
    assert(r->wider);
#if HAS_WIDE
    return wider_stream_24(to, records, picks, count);
#else
    return 0;
#endif
}
