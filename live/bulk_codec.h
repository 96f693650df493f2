/*
 * The records of ZooKeeper's protocol that a connection for bulk reads needs, as bytes.
 *
 *   frame = length (4 bytes, big end first), then that many bytes
 *
 *   ConnectRequest  ──►                    first frame of a connection
 *                   ◄──  ConnectResponse
 *   header, body    ──►                    header = xid, opcode
 *                   ◄──  header, body      header = xid, zxid, err; no body where err is not 0
 *
 *   multiRead = { MultiHeader(opcode, done = 0, -1), GetDataRequest or GetChildrenRequest }…,
 *               MultiHeader(-1, done = 1, -1); its answer likewise, ErrorResponse where one failed
 *
 * Readers are total: any bytes give a value or false. Written by hand, for the records that the C
 * client's library holds are read with an allocation for each string and buffer.
 *
 * Internal to live/. Thread: none, no state. Source: zookeeper.jute, BinaryInputArchive,
 * MultiOperationRecord, MultiResponse (3.6 and later).
 */
#ifndef LIVE_BULK_CODEC_H
#define LIVE_BULK_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/coord.h"

enum { LIVE_BULK_XID_PING = -2 };
enum {
    LIVE_BULK_OP_SYNC = 9,
    LIVE_BULK_OP_PING = 11,
    LIVE_BULK_OP_MULTI_READ = 22,
    LIVE_BULK_OP_CLOSE = -11
};
enum { LIVE_BULK_PASSWORD_SIZE = 16, LIVE_BULK_CONNECT_SIZE = 4 + 45 };

struct live_bulk_session {
    int64_t session; /* 0: a new one */
    int32_t timeout_ms;
    uint8_t password[LIVE_BULK_PASSWORD_SIZE];
};

/* Writes the first frame. */
void live_bulk_put_connect(uint8_t to[LIVE_BULK_CONNECT_SIZE], const struct live_bulk_session *s,
                           int64_t zxid_seen);
/* Reads the body of the answer: session 0 and timeout 0 where the session asked for is gone. */
bool live_bulk_get_connect(const uint8_t *bytes, size_t size, struct live_bulk_session *s);

/* Writes a frame without a body (ping, close), or of a sync of the chroot. Returns its size;
   `to` has room for LIVE_BULK_SMALL_MAX bytes. */
enum { LIVE_BULK_SMALL_MAX = 4 + 8 + 4 + 256 };
size_t live_bulk_put_small(uint8_t *to, int32_t xid, int32_t opcode, const char *chroot);

/* Size of the frame of a multiRead of `request` (live_zk_is_bulk_read) below `chroot`, and the
   frame itself, into room of that size. */
size_t live_bulk_read_size(const struct wire_zk_request *request, size_t chroot_size);
void live_bulk_put_read(uint8_t *to, size_t size, int32_t xid,
                        const struct wire_zk_request *request, const char *chroot);

struct live_bulk_header {
    int32_t xid;
    int32_t err;
    int64_t zxid;
};
/* Reads what every answer begins with; false where there is less. */
bool live_bulk_get_header(const uint8_t *bytes, size_t size, struct live_bulk_header *h);

/* Makes the reply to `request` of the frame `bytes`, header included, whose err is 0. Returns an
   owned record, names of children in ascending order; NULL where the bytes are no answer to it. */
struct wire_zk_reply *live_bulk_get_reply(const uint8_t *bytes, size_t size,
                                          const struct wire_zk_request *request);

#endif
