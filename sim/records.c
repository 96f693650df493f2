/*
 * How large packed records are is not told by their bytes, so the room doubles until they fit. No
 * leader stores what unpacks to more than its scratch (broker/records.c), which bounds this, too.
 */
#include "sim/records.h"

#include "sim/allocate.h"

enum { FIRST = 16 * 1024, MOST = 64 * 1024 * 1024 };

static enum sm_err unpack(struct sim_records *r, const uint8_t **records, size_t *size)
{
    enum sm_err err = SM_ERR_LIMIT;
    for (size_t room = FIRST; err == SM_ERR_LIMIT && room <= MOST; room *= 2) {
        r->unpacked = sim_realloc(r->unpacked, room);
        err = wire_record_batch_records(&r->head, r->unpacked, room, records, size);
    }
    return err;
}

bool sim_records_open(const struct sim_world *w, const struct kb_batch *batch,
                      struct sim_records *r)
{
    size_t size;
    const uint8_t *bytes = w->payloads.bytes_of(w->payloads.context, batch->payload, &size);
    *r = (struct sim_records){.unpacked = NULL};
    if (bytes == NULL || wire_record_batch_read(bytes, size, &r->head) != SM_ERR_OK)
        return false;
    const uint8_t *records = r->head.records;
    size = r->head.records_size;
    if (r->head.codec != WIRE_CODEC_NONE && unpack(r, &records, &size) != SM_ERR_OK) {
        sim_records_close(r);
        return false;
    }
    wire_log_walk_begin(&r->walk, &r->head, records, size);
    return true;
}

void sim_records_close(struct sim_records *r)
{
    sim_free(r->unpacked);
    r->unpacked = NULL;
}
