/*
 * The codecs of record batches, each by its library.
 *
 *     gzip    RFC 1952
 *     snappy  \x82SNAPPY\0 | version 1 | compatible 1 | { size i32 | block } …   as snappy-java
 * frames it; or one block and no frame, as librdkafka sends it lz4     its frame format; zstd
 * likewise
 *
 * Packed bytes come from outside. Nothing is written past the capacity that the caller gives, so
 * what unpacks to a thousand times its size ends at that capacity.
 *
 * Source: Kafka CompressionType, KafkaLZ4BlockOutputStream; snappy-java SnappyOutputStream.
 */
#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "wire/bytes.h"
#include "wire/record_batch.h"

/* ---- gzip ---- */

enum { GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8 };

static enum sm_err unpack_gzip(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                               size_t *used)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
                  .avail_in = (unsigned)size,
                  .next_out = out,
                  .avail_out = (unsigned)capacity};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return SM_ERR_LIMIT;
    int result = inflate(&z, Z_FINISH);
    *used = z.total_out;
    bool whole = result == Z_STREAM_END && z.avail_in == 0;
    bool full = result == Z_BUF_ERROR && z.avail_out == 0;
    inflateEnd(&z);
    return whole ? SM_ERR_OK : full ? SM_ERR_LIMIT : SM_ERR_SYNTAX;
}

static enum sm_err pack_gzip(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                             size_t *used)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
                  .avail_in = (unsigned)size,
                  .next_out = out,
                  .avail_out = (unsigned)capacity};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return SM_ERR_LIMIT;
    int result = deflate(&z, Z_FINISH);
    *used = z.total_out;
    deflateEnd(&z);
    return result == Z_STREAM_END ? SM_ERR_OK : SM_ERR_LIMIT;
}

/* ---- snappy ---- */

enum { SNAPPY_BLOCK = 32 * 1024 };
static const uint8_t snappy_frame[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                         0,    0,   0,   1,   0,   0,   0,   1};

static enum sm_err unpack_block(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                                size_t *used)
{
    size_t length;
    if (snappy_uncompressed_length((const char *)bytes, size, &length) != SNAPPY_OK)
        return SM_ERR_SYNTAX;
    if (length >
        capacity - *used) /* which may be a lie: a block is never unpacked past the capacity */
        return snappy_validate_compressed_buffer((const char *)bytes, size) == SNAPPY_OK
                   ? SM_ERR_LIMIT
                   : SM_ERR_SYNTAX;
    length = capacity - *used;
    if (snappy_uncompress((const char *)bytes, size, (char *)out + *used, &length) != SNAPPY_OK)
        return SM_ERR_SYNTAX;
    *used += length;
    return SM_ERR_OK;
}

static enum sm_err unpack_snappy(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                                 size_t *used)
{
    struct wire_reader r = wire_reader_of(bytes, size, false);
    if (size < sizeof snappy_frame || memcmp(bytes, snappy_frame, 8) != 0)
        return unpack_block(bytes, size, out, capacity, used);
    wire_take(&r, sizeof snappy_frame);
    while (r.at != r.end) {
        int32_t block = wire_take_int32(&r);
        const uint8_t *from = block < 0 ? NULL : wire_take(&r, (size_t)block);
        if (from == NULL)
            return SM_ERR_SYNTAX;
        enum sm_err err = unpack_block(from, (size_t)block, out, capacity, used);
        if (err != SM_ERR_OK)
            return err;
    }
    return SM_ERR_OK;
}

static enum sm_err pack_snappy(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                               size_t *used)
{
    struct wire_writer w = {.bytes = out, .capacity = capacity};
    wire_put(&w, snappy_frame, sizeof snappy_frame);
    for (size_t at = 0; at < size; at += SNAPPY_BLOCK) {
        size_t part = size - at < SNAPPY_BLOCK ? size - at : SNAPPY_BLOCK;
        size_t packed = snappy_max_compressed_length(part);
        if (w.used + 4 + packed > capacity)
            return SM_ERR_LIMIT;
        if (snappy_compress((const char *)bytes + at, part, (char *)out + w.used + 4, &packed) !=
            SNAPPY_OK)
            return SM_ERR_LIMIT;
        wire_put_int32(&w, (int32_t)packed);
        wire_room(&w, packed);
    }
    *used = w.used;
    return w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

/* ---- lz4 ---- */

static enum sm_err unpack_lz4_with(LZ4F_dctx *context, const uint8_t *bytes, size_t size,
                                   uint8_t *out, size_t capacity, size_t *used)
{
    size_t at = 0, hint = 1;
    while (hint != 0) {
        size_t in = size - at, room = capacity - *used;
        hint = LZ4F_decompress(context, out + *used, &room, bytes + at, &in, NULL);
        if (LZ4F_isError(hint))
            return SM_ERR_SYNTAX;
        at += in;
        *used += room;
        if (hint != 0 && in == 0 && room == 0)
            return at < size ? SM_ERR_LIMIT : *used == capacity ? SM_ERR_LIMIT : SM_ERR_SYNTAX;
    }
    return at == size ? SM_ERR_OK : SM_ERR_SYNTAX;
}

static enum sm_err unpack_lz4(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                              size_t *used)
{
    LZ4F_dctx *context;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return SM_ERR_LIMIT;
    enum sm_err err = unpack_lz4_with(context, bytes, size, out, capacity, used);
    LZ4F_freeDecompressionContext(context);
    return err;
}

static enum sm_err pack_lz4(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                            size_t *used)
{
    /* Kafka's reader wants blocks that stand alone. */
    const LZ4F_preferences_t as_kafka = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    if (LZ4F_compressFrameBound(size, &as_kafka) > capacity)
        return SM_ERR_LIMIT;
    *used = LZ4F_compressFrame(out, capacity, bytes, size, &as_kafka);
    return LZ4F_isError(*used) ? SM_ERR_LIMIT : SM_ERR_OK;
}

/* ---- zstd ---- */

static enum sm_err unpack_zstd_with(ZSTD_DCtx *context, const uint8_t *bytes, size_t size,
                                    uint8_t *out, size_t capacity, size_t *used)
{
    ZSTD_inBuffer in = {bytes, size, 0};
    ZSTD_outBuffer to = {out, capacity, 0};
    for (;;) {
        size_t in_before = in.pos, out_before = to.pos;
        size_t left = ZSTD_decompressStream(context, &to, &in);
        *used = to.pos;
        if (ZSTD_isError(left))
            return SM_ERR_SYNTAX;
        if (left == 0 && in.pos == in.size)
            return SM_ERR_OK;
        if (in.pos == in_before && to.pos == out_before)
            return to.pos == capacity ? SM_ERR_LIMIT : SM_ERR_SYNTAX;
    }
}

static enum sm_err unpack_zstd(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                               size_t *used)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL)
        return SM_ERR_LIMIT;
    enum sm_err err = unpack_zstd_with(context, bytes, size, out, capacity, used);
    ZSTD_freeDCtx(context);
    return err;
}

static enum sm_err pack_zstd(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                             size_t *used)
{
    enum { LEVEL = 3 };
    *used = ZSTD_compress(out, capacity, bytes, size, LEVEL);
    return ZSTD_isError(*used) ? SM_ERR_LIMIT : SM_ERR_OK;
}

/* ---- by name ---- */

static enum sm_err copy(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                        size_t *used)
{
    *used = size;
    if (size > capacity)
        return SM_ERR_LIMIT;
    if (size > 0)
        memcpy(out, bytes, size);
    return SM_ERR_OK;
}

typedef enum sm_err (*codec_fn)(const uint8_t *bytes, size_t size, uint8_t *out, size_t capacity,
                                size_t *used);

static const struct {
    codec_fn unpack, pack;
} codecs[WIRE_CODEC_END] = {
    [WIRE_CODEC_NONE] = {copy, copy},
    [WIRE_CODEC_GZIP] = {unpack_gzip, pack_gzip},
    [WIRE_CODEC_SNAPPY] = {unpack_snappy, pack_snappy},
    [WIRE_CODEC_LZ4] = {unpack_lz4, pack_lz4},
    [WIRE_CODEC_ZSTD] = {unpack_zstd, pack_zstd},
};

enum sm_err wire_decompress(enum wire_codec codec, const uint8_t *bytes, size_t size, uint8_t *out,
                            size_t capacity, size_t *used)
{
    *used = 0;
    if ((unsigned)codec >= WIRE_CODEC_END || size > INT32_MAX)
        return SM_ERR_SYNTAX;
    return codecs[codec].unpack(bytes, size, out, capacity < UINT32_MAX ? capacity : UINT32_MAX,
                                used);
}

enum sm_err wire_compress(enum wire_codec codec, const uint8_t *bytes, size_t size, uint8_t *out,
                          size_t capacity, size_t *used)
{
    *used = 0;
    if ((unsigned)codec >= WIRE_CODEC_END || size > INT32_MAX)
        return SM_ERR_RANGE;
    return codecs[codec].pack(bytes, size, out, capacity < UINT32_MAX ? capacity : UINT32_MAX,
                              used);
}
