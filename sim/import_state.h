/*
 * What the parts of an import share. Internal to sim/import*.c.
 *
 * An entry is a line of a log with what follows it (a stack trace), or one transaction. Entries of
 * one source keep its order; sources are merged by the time of their heads.
 */
#ifndef SIM_IMPORT_STATE_H
#define SIM_IMPORT_STATE_H

#include "sim/import.h"
#include "sim/keys.h"

/* Bytes of an input; aliases it. */
struct sim_span {
    const char *at;
    size_t size;
};
#define SIM_SPAN(text) ((struct sim_span){(text), sizeof(text) - 1})

/* ---- entries ---- */

struct sim_entry {
    int64_t t;      /* µs since 1970, as the file has it; later on the clock of the reference */
    int64_t latest; /* transactions: t is only known to lie in [t, latest] */
    uint32_t input, line;
    struct sim_span text, logger; /* without date and level; logger empty where there is none */
    struct sim_span level;
    struct sim_span more; /* lines that follow without a date of their own */
    int32_t node;         /* whose line; -1 unknown */
    uint16_t word;        /* enum sim_word; WORD_UNKNOWN, WORD_OTHER */
    bool is_controller;
    int32_t ce;   /* of the prefix "[Controller id=1 epoch=4]"; -1 none */
    uint32_t row; /* of the wording: index into the table */
};

struct sim_entries {
    struct sim_entry *at;
    size_t count, capacity;
    uint32_t clock; /* index into report->clocks */
    bool is_zookeeper;
    size_t next; /* of the merge */
};

struct sim_importer {
    const struct sim_import_input *inputs;
    const struct sim_import_options *options;
    struct sim_import_report *report;
    struct sim_entries *sources; /* one per input that had entries */
    size_t source_count, source_capacity;
    bool zone_seen, no_zone_seen;
    uint32_t zone_input, zone_line;
    char *error;
    size_t error_capacity;
};

/* Notes a sentence about a line (0: the file as a whole). */
void sim_import_note(struct sim_importer *im, uint32_t input, uint32_t line, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
/* Writes the error; returns false. */
bool sim_import_refuse(struct sim_importer *im, uint32_t input, uint32_t line, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

/* Adds an entry; counts an unknown line; the entry of a line that has no time (t is INT64_MIN until
   all is read). */
void sim_import_push(struct sim_entries *out, const struct sim_entry *e);
void sim_import_unknown(struct sim_importer *im, uint32_t input, uint32_t line);
void sim_import_orphan(struct sim_importer *im, uint32_t input, uint32_t line, struct sim_span text,
                       struct sim_entries *out);
/* Reads one file into *out. False: refused. */
bool sim_import_lines(struct sim_importer *im, uint32_t input, struct sim_entries *out);
bool sim_import_transactions(struct sim_importer *im, uint32_t input, struct sim_entries *out);
bool sim_import_raw(struct sim_importer *im, uint32_t input, struct sim_entries *out);

/* Parses a date at `at` ("2021-05-01 10:00:00,123", "2021-05-01T10:00:00.123Z", "…+02:00", 13
   digits): µs since 1970 without the zone applied, and the zone in seconds. Returns the bytes it
   took, 0: none. */
size_t sim_import_date(const char *at, size_t size, int64_t *t, bool *has_zone, int32_t *zone_s);
/* Days since 1970 of a date, proleptic Gregorian. */
int64_t sim_import_days(int64_t year, int64_t month, int64_t day);

/* ---- words ---- */

enum sim_word {
    WORD_UNKNOWN,
    WORD_OTHER, /* a logger that is not read */
    WORD_NOTE,  /* known; says nothing that a trace would hold */
    WORD_EVENT, /* the controller begins something */
    WORD_PARTITION_NEW,
    WORD_PARTITION_ONLINE,
    WORD_PARTITION_MOVE,
    WORD_REPLICA_MOVE,
    WORD_PARTITION_REFUSED,
    WORD_REPLICA_REFUSED,
    WORD_ISR_WITHOUT,
    WORD_LEADER_AND_ISR, /* the controller wrote, or knows, this state of a partition */
    WORD_EPOCH_UP,
    WORD_SEND_LEADER_AND_ISR,
    WORD_SEND_LEADER_AND_ISR_ONE,
    WORD_SEND_METADATA,
    WORD_SEND_METADATA_ONE,
    WORD_SEND_STOP,
    WORD_SEND_STOP_ONE,
    WORD_RESPONSE,
    WORD_RECV_LEADER_AND_ISR,
    WORD_RECV_LEADER_AND_ISR_ONE,
    WORD_RECV_METADATA,
    WORD_RECV_METADATA_ONE,
    WORD_RECV_METADATA_GONE,
    WORD_RECV_STOP,
    WORD_RECV_STOP_ONE,
    WORD_DONE_LEADER_AND_ISR,
    WORD_LEADS,
    WORD_FOLLOWS,
    WORD_STALE,     /* a broker refuses a whole request: old controller epoch */
    WORD_STALE_ONE, /* … one partition of it */
    WORD_ELECTED,
    WORD_NOT_ELECTED,
    WORD_RESIGNED,
    WORD_MOVED,
    WORD_BROKERS,
    WORD_LIVE,
    WORD_SHUTTING,
    WORD_EPOCHS,
    WORD_TOPICS,
    WORD_TOPIC_GONE,
    WORD_ASSIGNED,
    WORD_ELECTION,
    WORD_CONTROLLED_SHUTDOWN,
    WORD_REPLICAS_FOUND,
    WORD_PARTITIONS_FOUND,
    WORD_CHANNEL,
    WORD_STARTING,
    WORD_STARTED,
    WORD_STOPPED,
    WORD_SESSION,
    WORD_SESSION_EXPIRED,
    WORD_REGISTERING,
    WORD_REGISTERED,
    WORD_ISR_UPDATED,
    WORD_TRUNCATES,
    WORD_END
};

/* What stood in the holes of a wording, by the letter of the hole. */
struct sim_holes {
    struct sim_span of[26];
};
#define SIM_HOLE(holes, letter) ((holes)->of[(letter) - 'a'])

/* Says whose line it is and what it means: fills node, is_controller, ce, word, row of *e. */
void sim_import_read(struct sim_entry *e);
/* The holes of an entry that has been read. */
void sim_import_holes(const struct sim_entry *e, struct sim_holes *holes);
/* Event name of the row ("BrokerChange"), NULL none; rule of the elections under it, NULL none. */
const char *sim_import_event(const struct sim_entry *e);
const char *sim_import_rule(const struct sim_entry *e);

/* A row of the table. */
struct sim_wording {
    enum sim_word word;
    const char *text;
    const char *event; /* what the controller begins: the event of 2.8 */
    const char *rule;  /* of elections below it */
};
extern const struct sim_wording sim_wordings[];
extern const size_t sim_wording_count;

/* ---- texts inside of holes ---- */

enum { SIM_IDS_MAX = 64 };
struct sim_ids {
    int32_t id[SIM_IDS_MAX];
    size_t count; /* those beyond SIM_IDS_MAX are left out */
};

struct sim_tp {
    char topic[250];
    int32_t partition;
};

/* A LeaderAndIsr in any of its notations. Absent numbers are INT32_MIN. */
struct sim_state_text {
    int32_t leader, leader_epoch, zk_version, controller_epoch;
    struct sim_ids isr, replicas, adding, removing;
    bool has_isr, has_replicas;
};

/* A whole number; false where it is none, or beyond int64. */
bool sim_span_int(struct sim_span s, int64_t *value);
int64_t sim_span_number(struct sim_span s, int64_t otherwise);
bool sim_span_is(struct sim_span s, const char *text);
bool sim_span_begins(struct sim_span s, const char *text);
/* Where `text` is in s, or NULL. */
const char *sim_span_find(struct sim_span s, const char *text);
/* All whole numbers in the text: "HashSet(1, 2)", "1,2", "[1,2]". */
void sim_span_ids(struct sim_span s, struct sim_ids *ids);
/* "orders-0" or "[orders,0]"; false where it is neither. */
bool sim_span_partition(struct sim_span s, struct sim_tp *tp);
void sim_span_state(struct sim_span s, struct sim_state_text *state);
/* The next partition in "orders-0 -> ReplicaAssignment(replicas=1,2, …), …" or "[orders,0] ->
   List(1, 2)": advances *s behind it. False at the end. value: what stands behind the arrow. */
bool sim_span_next_pair(struct sim_span *s, struct sim_tp *tp, int32_t *replica,
                        struct sim_span *value);

/* ---- clocks ---- */

/* Estimates how the clocks lie to each other, and puts all entries on that of the reference. */
void sim_import_clocks(struct sim_importer *im);

/* ---- transactions, decoded ---- */

enum sim_txn_type { SIM_TXN_CREATE, SIM_TXN_DELETE, SIM_TXN_SET, SIM_TXN_CHECK, SIM_TXN_OTHER };

struct sim_txn_op {
    enum sim_txn_type type;
    char path[1024];
    char *data; /* points into the decoder's room; NULL: null */
    size_t size;
    bool ephemeral;
};

enum { SIM_TXN_OPS_MAX = 64 };
struct sim_txn {
    int64_t session, zxid, timeout_ms;
    const char *name;       /* "multi", "create", "closeSession", … */
    int32_t error;          /* of an error transaction; 0 none */
    struct sim_txn_op *ops; /* SIM_TXN_OPS_MAX of them, owned by the decoder */
    size_t count;
    bool readable; /* false: nobody could make sense of it */
    struct sim_bytes_room {
        char *at;
        size_t size, capacity;
    } room;
};

/* Decodes an entry of a transaction; raw: as the server wrote it. *txn is reused (begin with {0}).
 */
void sim_txn_decode(const struct sim_entry *e, bool raw, struct sim_txn *txn);
void sim_txn_clear(struct sim_txn *txn);

/* ---- records ---- */

/* Makes the records of all entries, in the order of time. */
struct sim_trace *sim_import_story(struct sim_importer *im);

#endif
