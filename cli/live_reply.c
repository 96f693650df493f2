/*
 * Answers, and the headers that all of them have.
 */
#include "cli/live_reply.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum MHD_Result cli_live_reply_send(struct MHD_Connection *connection, struct cli_live_reply reply)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(reply.size, reply.text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        free(reply.text);
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, reply.type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    enum MHD_Result queued = MHD_queue_response(connection, reply.status, r);
    MHD_destroy_response(r);
    return queued;
}

struct cli_live_reply cli_live_reply_text(const char *type, char *text)
{
    if (text == NULL)
        abort();
    return (struct cli_live_reply){
        .status = MHD_HTTP_OK, .type = type, .text = text, .size = strlen(text)};
}

struct cli_live_reply cli_live_reply_refusal(unsigned status, const char *why)
{
    json_t *error = json_pack("{ss}", "error", why);
    struct cli_live_reply r =
        cli_live_reply_text("application/json", json_dumps(error, JSON_COMPACT));
    json_decref(error);
    r.status = status;
    return r;
}

FILE *cli_live_reply_write(struct cli_live_reply *r)
{
    FILE *out = open_memstream(&r->text, &r->size);
    if (out == NULL)
        abort();
    return out;
}
