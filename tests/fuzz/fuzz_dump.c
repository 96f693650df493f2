/*
 * Any bytes are a dump or at least one error; what is a dump can be written and read again.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_dump *dump = sim_dump_parse("fuzz", (const char *)bytes, size, &d);
    assert((dump == NULL) == (d.errors > 0));
    for (uint32_t i = 0; dump != NULL && i < dump->count; i++) {
        assert(i == 0 || strcmp(dump->nodes[i - 1].path, dump->nodes[i].path) < 0);
        assert(sim_dump_find(dump, dump->nodes[i].path) == &dump->nodes[i]);
    }
    sim_dump_free(dump);
    sim_diagnostics_free(&d);
    return 0;
}

const char *const fuzz_samples[] = {
    "{\"path\":\"/brokers/ids/"
    "2\",\"data\":\"{\\\"version\\\":4,\\\"host\\\":\\\"h\\\"}\",\"stat\":{\"czxid\":48,\"mzxid\":"
    "48,\"pzxid\":48,"
    "\"ctime\":1795272977315,\"mtime\":1795272977315,\"version\":1,\"cversion\":0,\"aversion\":0,"
    "\"ephemeralOwner\":72057712007446531,"
    "\"dataLength\":190,\"numChildren\":0}}\n{\"path\":\"/"
    "controller\",\"data\":\"{\\\"version\\\":1,\\\"brokerid\\\":2,\\\"timestamp\\\":\\\"1\\\"}\"}"
    "\n"
    "{\"path\":\"/a\",\"data\":\"aGVsbG8=\",\"base64\":true}\n{\"path\":\"/brokers/topics/"
    "t\",\"version\":0,\"data\":{\"partitions\":{\"0\":[1]}}}\n",
    "Connecting to localhost\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None "
    "path:null\n/\n/a\n/a/b\n\n"
    "cZxid = 0x0\nctime = Thu Jan 01 00:00:00 UTC 1970\nmZxid = 0x0\nmtime = Thu Jan 01 00:00:00 "
    "UTC 1970\npZxid = 0xcb\n"
    "cversion = 12\ndataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\ndataLength = "
    "0\nnumChildren = 12\nnull\n"
    "cZxid = 0x4\nctime = Sat Nov 21 14:56:15 UTC 2026\nmZxid = 0x4\nmtime = Sat Nov 21 14:56:15 "
    "UTC 2026\npZxid = 0x5\n"
    "cversion = 1\ndataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\ndataLength = "
    "0\nnumChildren = 1\n{\"x\":1}\n"
    "cZxid = 0x5\nctime = Sat Nov 21 14:56:15 UTC 2026\nmZxid = 0x5\nmtime = Sat Nov 21 14:56:15 "
    "UTC 2026\npZxid = 0x5\n"
    "cversion = 0\ndataVersion = 2\naclVersion = 0\nephemeralOwner = 0x100\ndataLength = "
    "7\nnumChildren = 0\n",
    "[zk: localhost:2181(CONNECTED) 0] ls -R /\n/\n/a\n[zk: localhost:2181(CONNECTED) 1] get -s "
    "/a\nhello\ncZxid = 0x4\n"
    "ctime = Sat Nov 21 14:56:15 UTC 2026\nmZxid = 0x4\nmtime = Sat Nov 21 14:56:15 UTC "
    "2026\npZxid = 0x5\n"
    "cversion = 1\ndataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\ndataLength = "
    "5\nnumChildren = 0\n",
    NULL,
};
