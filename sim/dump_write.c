/* Writing a dump, and a scenario that starts from one: see dump.h. */
#include "sim/dump.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

/* Bytes that are no UTF-8 are written as base64. */
static json_t *encode(const struct sim_dump_node *node, bool *base64)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    *base64 = false;
    if (node->data == NULL) {
        return json_null();
    }
    json_t *text = json_stringn((const char *)node->data, node->data_size);
    if (text != NULL) {
        return text;
    }
    char *out = calloc(1, (size_t)node->data_size / 3 * 4 + 8), *at = out;
    if (out == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < node->data_size; i += 3) {
        const uint32_t left = node->data_size - i;
        const uint32_t bits = (uint32_t)node->data[i] << 16 |
                              (left > 1 ? (uint32_t)node->data[i + 1] << 8 : 0) |
                              (left > 2 ? node->data[i + 2] : 0u);
        *at++ = digits[bits >> 18 & 63];
        *at++ = digits[bits >> 12 & 63];
        *at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[bits & 63] : '=';
    }
    *base64 = true;
    text = json_string(out);
    free(out);
    return text;
}

void sim_dump_write(const struct sim_dump *dump, FILE *out)
{
    for (uint32_t i = 0; i < dump->count; i++) {
        const struct sim_dump_node *node = &dump->nodes[i];
        const struct wire_zk_stat *s = &node->stat;
        bool base64;
        json_t *object = json_object();
        json_object_set_new(object, "path", json_string(node->path));
        json_object_set_new(object, "data", encode(node, &base64));
        if (base64) {
            json_object_set_new(object, "base64", json_true());
        }
        json_object_set_new(object, "stat",
                            json_pack("{s:I,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:I,s:i,s:i}", "czxid",
                                      (json_int_t)s->czxid, "mzxid", (json_int_t)s->mzxid, "pzxid",
                                      (json_int_t)s->pzxid, "ctime", (json_int_t)s->ctime, "mtime",
                                      (json_int_t)s->mtime, "version", s->version, "cversion",
                                      s->cversion, "aversion", s->aversion, "ephemeralOwner",
                                      (json_int_t)s->ephemeral_owner, "dataLength",
                                      (int)node->data_size, "numChildren", s->num_children));
        json_dumpf(object, out, JSON_COMPACT);
        fputc('\n', out);
        json_decref(object);
    }
}

/* A name inside single quotes. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputc('\'', out);
        }
        fputc(*text, out);
    }
    fputc('\'', out);
}

void sim_dump_write_scenario(const struct sim_dump *dump, const char *znodes, FILE *out)
{
    uint32_t topics = 0, partitions = 0, brokers = 0;
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t id;
    for (uint32_t i = 0; i < dump->count; i++) {
        topics += sm_path_is_topic(dump->nodes[i].path, topic);
        partitions += sm_path_is_partition_state(dump->nodes[i].path, topic, &id);
        brokers += sm_path_is_broker(dump->nodes[i].path, &id);
    }
    fprintf(out, "# Made by kcsim import: %u znodes, %u brokers, %u topics, %u partitions.\n",
            dump->count, brokers, topics, partitions);
    if (dump->invented > 0) {
        fprintf(out, "# %u czxids were not in the dump and are invented, in the order of paths.\n",
                dump->invented);
    }
    fprintf(out,
            "# Nodes are those that are registered; those that only assignments name are down.\n");
    fprintf(out, "title: ");
    char title[512];
    snprintf(title, sizeof(title), "Starting from %s", dump->file);
    print_quoted(out, title);
    fprintf(out, "\ncluster:\n  from: ");
    print_quoted(out, znodes);
    fprintf(
        out,
        "\n# steps:\n#   - {at: 1s, kill: controller}\nexpect:\n  - {end: {controller: any}}\n");
}
