/*
 * Keyed rows in a RocksDB database, see rocks_rows.h.
 */
#include "stream/rocks_rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUP_SIZE    2 /* bytes of the key group before a key, the high one first */
#define TIME_SIZE     8 /* of a time before that */
#define FOLDER_PREFIX "kcsim-rocksdb"
#define ROWS_MIN      16
#define ROW_OVERHEAD  64 /* bytes: of a record in lists and maps, besides itself */

_Noreturn static void fail(struct rocks_rows *rows, const char *why)
{
    task_fail(rows->op->task, "%s: %s", rows->op->node->name, why);
}

/* ---------------------------------------------------------------------------- Opening, closing */

/* Operators whose rows are in databases: those of a slot share its memory. */
static uint32_t count_sharers(const st_env *env)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < env->node_count; n++) {
        const struct node *node = env->nodes[n];
        bool folds = node->kind == NODE_FOLD || node->kind == NODE_WINDOW;
        bool has_states = node->options.states != NULL || node->options.on_timer != NULL;
        count += node->keyed ? (folds ? 1 : 0) + (has_states ? 1 : 0) : 0;
    }
    return count > 0 ? count : 1;
}

bool rows_are_stored(const struct op *op)
{
    return op->node->keyed && op->task->job->env->backend == BACKEND_ROCKSDB;
}

static size_t memory_of(const struct rocks_rows *rows)
{
    const st_env *env = rows->op->task->job->env;
    return (size_t)env->rocksdb_memory / count_sharers(env);
}

void rows_open(struct rocks_rows *rows, struct op *op, struct table *table,
               const struct key_reader *reader, const struct row_codec *codec, bool varies)
{
    char why[FILES_WHY];
    const char *parent = op->task->job->env->rocksdb_dir;
    const char *temporary = getenv("TMPDIR");
    *rows = (struct rocks_rows){.op = op,
                                .codec = codec,
                                .table = table,
                                .reader = reader,
                                .varies = varies,
                                .lock = -1,
                                .now_ms = ST_TIME_MIN};
    due_init(rows->due);
    if (parent == NULL) {
        parent = temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp";
    }
    if (!files_make_own_folder(parent, FOLDER_PREFIX, rows->folder, &rows->lock, why)) {
        fail(rows, why);
    }
    size_t half = memory_of(rows) / 2, rows_max = half / (table->row_size + 2 * sizeof(uint32_t));
    rows->held_max = half;
    rows->rows_max = rows_max > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)rows_max;
    rows->rows_max = rows->rows_max < ROWS_MIN ? ROWS_MIN : rows->rows_max;
    table_mark_rows(table);
}

static void open_database(struct rocks_rows *rows)
{
    char why[ROCKS_WHY], path[FILES_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/db", rows->folder);
    rows->db = rocks_open(path, memory_of(rows) / 2, rows->expires, why);
    if (rows->db == NULL) {
        fail(rows, why);
    }
}

void rows_ready(struct rocks_rows *rows)
{
    if (rows->op != NULL && rows->db == NULL) {
        open_database(rows);
    }
}

/* ---------------------------------------------------------------------------------------- Keys */

static void put_group(struct bytes *to, uint32_t group)
{
    const unsigned char high_first[GROUP_SIZE] = {(unsigned char)(group >> 8),
                                                  (unsigned char)group};
    bytes_put(to, high_first, sizeof high_first);
}

/* Bytes before the key itself. */
static size_t head_size(const struct rocks_rows *rows)
{
    return GROUP_SIZE + (rows->behind_time != NULL ? TIME_SIZE : 0);
}

static uint32_t key_group_of(const struct rocks_rows *rows, const struct key_reader *reader,
                             const void *key)
{
    uint64_t rest[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    if (rows->behind_time != NULL) {
        key_read(rows->behind_time, key, rest);
        reader = rows->behind_time;
        key = rest;
    }
    return st_key_group(key_java_hash(reader, key), rows->op->task->job->env->max_parallelism);
}

/* The key group that a row's key begins with, behind its time; UINT32_MAX: it is damaged. */
static uint32_t group_in(const struct rocks_rows *rows, const char *key, size_t key_size)
{
    const size_t head = head_size(rows);
    const unsigned char *group = (const unsigned char *)key + head - GROUP_SIZE;
    return key_size > head ? (uint32_t)group[0] << 8 | group[1] : UINT32_MAX;
}

/* Equal keys, equal bytes: what is behind the end of text in a field of characters goes. */
static void put_key(struct rocks_rows *rows, const struct key_reader *reader, const void *record,
                    struct bytes *to)
{
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    key_read(reader, record, key);
    for (uint32_t f = 0; f < reader->count; f++) {
        if (reader->kind[f] == ST_KIND_CHARS) {
            char *at = (char *)(void *)key + reader->to[f];
            size_t length = strnlen(at, reader->size[f]);
            memset(at + length, 0, reader->size[f] - length);
        }
    }
    if (rows->behind_time != NULL) {
        int64_t time;
        memcpy(&time, key, sizeof time);
        bytes_ordered_i64(to, time);
    }
    put_group(to, key_group_of(rows, reader, key));
    bytes_record(to, &reader->layout, key);
}

/* How the key lies in a row of the table: at its places in a key, or in the record. */
static struct key_reader reader_of_rows(const struct rocks_rows *rows)
{
    struct key_reader reader = *rows->reader;
    for (uint32_t f = 0; f < reader.count && !rows->table->holds_record; f++) {
        reader.from[f] = reader.to[f];
    }
    return reader;
}

static bool group_is_own(const struct rocks_rows *rows, uint32_t group)
{
    const struct op *op = rows->op;
    uint32_t groups = op->task->job->env->max_parallelism;
    return group < groups &&
           st_key_group_owner(group, op->ctx.parallelism, groups) == op->ctx.subtask;
}

/* ------------------------------------------------------------------------------------- Writing */

/* The marks of a row that holds nothing, and that the database has not. */
#define ROW_GONE ROW_TOUCHED

/* Rows that go into the database: those of the operator, or of a view of it. */
struct writing {
    struct rocks_rows *rows; /* its database, and what does not change */
    struct op *op;           /* the operator or the view */
    const struct table *table;
    uint8_t *marks; /* of the table's rows: which were touched, and then what the database has */
    const struct due *due;
    struct bytes *over;
    struct bytes keys, value;
};

/* A row that was touched, with its key in w->keys. */
struct touched {
    uint64_t order; /* the key's first bytes, as the database orders them */
    size_t key_at, key_size;
    uint32_t row;
};

static int in_order(const void *a, const void *b)
{
    const struct touched *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_marked(uint8_t mark)
{
    return (mark & (ROW_LIVE | ROW_TOUCHED)) == (ROW_LIVE | ROW_TOUCHED);
}

/* In the database's order, about: written so, each row finds its place beside the one before it.
 * Owned by the caller. */
static struct touched *list_touched(struct writing *w, uint32_t *count)
{
    const struct table *t = w->table;
    const struct key_reader reader = reader_of_rows(w->rows);
    struct touched *list = must_calloc((size_t)t->row_end + 1, sizeof *list);
    *count = 0;
    for (uint32_t row = 0; row < t->row_end; row++) {
        unsigned char first[sizeof(uint64_t)] = {0};
        if (!is_marked(w->marks[row])) {
            continue;
        }
        struct touched *one = &list[(*count)++];
        one->row = row;
        one->key_at = w->keys.size;
        put_key(w->rows, &reader, table_row(t, row), &w->keys);
        one->key_size = w->keys.size - one->key_at;
        memcpy(first, w->keys.data + one->key_at,
               one->key_size < sizeof first ? one->key_size : sizeof first);
        for (uint32_t i = 0; i < sizeof first; i++) {
            one->order = one->order << 8 | first[i];
        }
    }
    if (*count > 1) {
        qsort(list, *count, sizeof *list, in_order);
    }
    return list;
}

/* Enters the first timers of a row. */
static bool store_due(struct writing *w, const struct touched *one, char *why)
{
    const struct row_codec *codec = w->rows->codec;
    const char *key = w->keys.data + one->key_at;
    bool ok = true;
    for (int kind = 0; kind < DUE_KINDS && codec->due != NULL && ok; kind++) {
        int64_t time = codec->due(w->op, one->row, (enum due_kind)kind);
        ok = time == ST_TIME_MAX || due_put(&w->due[kind], (enum due_kind)kind, time, key,
                                            one->key_size, w->rows->db, why);
    }
    return ok;
}

/* Brings what the database has of a row up to the row. */
static bool store_row(struct writing *w, const struct touched *one, char *why)
{
    struct rocks *db = w->rows->db;
    uint8_t *mark = &w->marks[one->row];
    const char *key = w->keys.data + one->key_at;
    bool stored = (*mark & ROW_STORED) != 0;
    if (!w->rows->codec->is_full(w->op, one->row)) {
        *mark = ROW_GONE;
        return !stored || rocks_delete(db, key, one->key_size, why);
    }
    w->value.size = 0;
    w->rows->codec->write(w->op, one->row, &w->value);
    *mark = ROW_LIVE | ROW_STORED;
    return rocks_put(db, key, one->key_size, w->value.data, w->value.size, why) &&
           store_due(w, one, why);
}

/* Rows of times that are over. */
static bool delete_times(struct writing *w, char *why)
{
    bool ok = true;
    for (size_t at = 0; at < w->over->size && ok; at += TIME_SIZE) {
        struct bytes ends = {0};
        int64_t time;
        memcpy(&time, w->over->data + at, sizeof time);
        bytes_ordered_i64(&ends, time);
        bytes_ordered_i64(&ends, time < ST_TIME_MAX ? time + 1 : time);
        ok = rocks_delete_range(w->rows->db, ends.data, TIME_SIZE, ends.data + TIME_SIZE, TIME_SIZE,
                                why);
        bytes_free(&ends);
    }
    w->over->size = 0;
    return ok;
}

/* All rows that were touched into the database. */
static bool store_rows(struct writing *w, char *why)
{
    uint32_t count;
    const struct row_codec *codec = w->rows->codec;
    struct touched *list = list_touched(w, &count);
    bool ok = due_delete_over(w->due, w->rows->db, why) && delete_times(w, why);
    if (codec->begin != NULL) {
        codec->begin(w->op);
    }
    for (uint32_t i = 0; i < count && ok; i++) {
        ok = store_row(w, &list[i], why);
    }
    if (codec->end != NULL) {
        codec->end(w->op);
    }
    free(list);
    bytes_free(&w->keys);
    bytes_free(&w->value);
    return ok && rocks_write(w->rows->db, why);
}

/* ----------------------------------------------------------------------------------- Snapshots */

/* The rows at a barrier, on their way into the database and into a snapshot. Whoever needs it first
 * completes it: the thread that writes the snapshot, or the task, which then does not wait for
 * others' barriers. */
struct rows_image {
    struct writing writing;    /* its marks are owned */
    struct due due[DUE_KINDS]; /* as they were */
    struct bytes over;
    char *folder;         /* that the snapshot wants the files in; owned; NULL: rows are walked */
    char *files;          /* where they are until it takes them; owned; NULL: it has */
    int64_t now_ms;       /* at the barrier; of rows that expire */
    bool settled;         /* the task's: the table's marks are told by ours */
    pthread_mutex_t lock; /* of what follows, until it is complete */
    bool is_complete, ok;
    char why[ROCKS_WHY];
    struct rocks_walk *walk;
    struct rows_image *next; /* of the same rows */
};

static bool complete(struct rows_image *image)
{
    struct rocks *db = image->writing.rows->db;
    if (!store_rows(&image->writing, image->why)) {
        return false;
    }
    if (image->folder != NULL) {
        return rocks_checkpoint(db, image->files, image->why);
    }
    image->walk = rocks_walk_begin(db);
    return true;
}

static bool image_complete(struct rows_image *image)
{
    pthread_mutex_lock(&image->lock);
    if (!image->is_complete) {
        image->ok = complete(image);
        image->is_complete = true;
    }
    pthread_mutex_unlock(&image->lock);
    return image->ok;
}

/* A value without the time at which it is over; false: it was over at the barrier. */
static bool take_time(const struct rows_image *image, const char **value, size_t *value_size)
{
    int64_t over_at;
    if (!image->writing.rows->expires || *value_size < sizeof over_at) {
        return true;
    }
    memcpy(&over_at, *value, sizeof over_at);
    *value += sizeof over_at;
    *value_size -= sizeof over_at;
    return over_at > image->now_ms;
}

/* The database's rows. */
static bool write_walked(struct rows_image *image, struct bytes *to, char *why)
{
    const char *key, *value, *row_key;
    size_t key_size, value_size, row_key_size;
    int64_t time;
    const struct rocks_rows *rows = image->writing.rows;
    const size_t head = head_size(rows);
    bool with_key = !image->writing.table->holds_record, has_due = rows->codec->due != NULL;
    int64_t count = 0;
    size_t count_at = bytes_reserve_i64(to);
    /* A last part is written into more than one checkpoint. */
    rocks_walk_seek(image->walk, "", 0);
    for (; rocks_walk_entry(image->walk, &key, &key_size, &value, &value_size) &&
           !(has_due && due_read(key, key_size, &time, &row_key, &row_key_size));
         rocks_walk_next(image->walk)) {
        if (!take_time(image, &value, &value_size)) {
            continue;
        }
        if (with_key) {
            bytes_put(to, key + head, key_size - head);
        }
        bytes_put(to, value, value_size);
        count++;
    }
    bytes_set_i64(to, count_at, count);
    return !rocks_walk_failed(image->walk, why);
}

bool rows_image_write(struct rows_image *image, struct bytes *to, char *why)
{
    if (!image_complete(image)) {
        memcpy(why, image->why, ROCKS_WHY);
        return false;
    }
    if (image->files != NULL) {
        if (rename(image->files, image->folder) != 0) {
            return files_fail(why, "cannot make", image->folder);
        }
        free(image->files);
        image->files = NULL;
    }
    return image->walk == NULL || write_walked(image, to, why);
}

/* Its rows are closed, or it goes itself. */
static void leave_rows(struct rows_image *image)
{
    struct rocks_rows *rows = image->writing.rows;
    if (rows != NULL) {
        struct rows_image **at = &rows->images;
        while (*at != image) {
            at = &(*at)->next;
        }
        *at = image->next;
    }
    if (image->walk != NULL) {
        rocks_walk_end(image->walk);
    }
    image->writing.rows = NULL;
    image->walk = NULL;
}

void rows_image_free(struct rows_image *image)
{
    leave_rows(image);
    if (image->files != NULL) {
        files_remove_tree(image->files);
    }
    due_free(image->due);
    bytes_free(&image->over);
    pthread_mutex_destroy(&image->lock);
    free(image->writing.marks);
    free(image->folder);
    free(image->files);
    free(image);
}

void rows_close(struct rocks_rows *rows)
{
    if (rows->op == NULL) {
        return;
    }
    while (rows->images != NULL) { /* the database goes before its folder */
        leave_rows(rows->images);
    }
    rows_walk_end(rows);
    rocks_close(rows->db);
    if (rows->lock >= 0) {
        files_remove_tree(rows->folder);
        close(rows->lock);
    }
    due_free(rows->due);
    bytes_free(&rows->over);
    bytes_free(&rows->key);
    bytes_free(&rows->due_keys);
    *rows = (struct rocks_rows){0};
}

static void drop_row(struct rocks_rows *rows, uint32_t row)
{
    if (rows->codec->drop != NULL) {
        rows->codec->drop(rows->op, row);
    }
    table_remove(rows->table, row);
}

/* What has become of a row that was on its way. One that nobody stored is touched as it was. */
static void settle_row(struct rocks_rows *rows, uint32_t row, uint8_t stored)
{
    uint8_t *mark = &rows->table->marks[row];
    *mark = (uint8_t)((*mark & (ROW_LIVE | ROW_TOUCHED)) | (stored & (ROW_STORED | ROW_TOUCHED)));
    if (stored == ROW_GONE && !rows->codec->is_full(rows->op, row)) {
        drop_row(rows, row);
    }
}

/* The table's marks are told by those of the rows at the barrier, which may not be complete: nobody
 * will need them then. */
static void settle(struct rocks_rows *rows, struct rows_image *image)
{
    const struct writing *w = &image->writing;
    if (image->settled) {
        return;
    }
    for (uint32_t row = 0; row < w->table->row_end; row++) {
        if ((rows->table->marks[row] & ROW_LEAVES) != 0) {
            settle_row(rows, row, w->marks[row]);
        }
    }
    if (!image->is_complete) {
        bytes_put(&rows->over, image->over.data, image->over.size);
    }
    rows->image = NULL;
    image->settled = true;
    if (image->is_complete && !image->ok) {
        memcpy(rows->why, image->why, ROCKS_WHY);
    }
}

void rows_pass_time(struct rocks_rows *rows, int64_t now_ms)
{
    rows->now_ms = now_ms;
    for (const struct rows_image *image = rows->images; image != NULL; image = image->next) {
        now_ms = image->now_ms < now_ms ? image->now_ms : now_ms;
    }
    if (rows->db != NULL) {
        rocks_pass_time(rows->db, now_ms);
    }
}

void rows_image_thaw(struct rows_image *image)
{
    struct rocks_rows *rows = image->writing.rows;
    rows->frozen--;
    settle(rows, image);
}

/* The database has the rows of the last barrier. */
static void await_image(struct rocks_rows *rows)
{
    if (rows->image != NULL) {
        (void)image_complete(rows->image);
        settle(rows, rows->image);
    }
    if (rows->why[0] != '\0') {
        fail(rows, rows->why);
    }
}

/* Rows that were touched leave for the database; until it is settled, none of them leaves the
 * table. */
static void mark_leaving(struct table *t)
{
    for (uint32_t row = 0; row < t->row_end; row++) {
        uint8_t mark = t->marks[row];
        t->marks[row] = is_marked(mark) ? (uint8_t)((mark & ~ROW_TOUCHED) | ROW_LEAVES) : mark;
    }
}

/* Where the files will be: folders beside the database, of which the snapshot's bytes own one. They
 * are there when the snapshot is written, so that a task which completes the image meanwhile does
 * not meet those who give the snapshot up. */
static void attach_files(struct rocks_rows *rows, struct rows_image *image, struct bytes *to)
{
    static _Atomic uint64_t number;
    const struct op *op = rows->op;
    uint32_t groups = op->task->job->env->max_parallelism, first = 0, o = 0;
    char prefix[64], path[FILES_PATH_MAX + 32];
    while (op->task->ops[o] != op && op->task->ops[o]->states != op) {
        o++;
    }
    snprintf(prefix, sizeof prefix, STORED_FILE "%u-%u-%u%s-", op->task->vertex, op->task->subtask,
             o, op->task->ops[o] != op ? "s" : "");
    while (first < groups && !group_is_own(rows, first)) {
        first++;
    }
    uint32_t end = first;
    while (end < groups && group_is_own(rows, end)) {
        end++;
    }
    bytes_i64(to, ROWS_IN_FILES);
    bytes_text(to, prefix);
    bytes_u32(to, first);
    bytes_u32(to, end);
    unsigned long long id = atomic_fetch_add(&number, 1);
    snprintf(path, sizeof path, "%s/files-%llu", rows->folder, id);
    bytes_attach(to, path, prefix);
    image->folder = must_strdup(path);
    snprintf(path, sizeof path, "%s/image-%llu", rows->folder, id);
    image->files = must_strdup(path);
}

/* The marks go with it: what is touched from now on is not of this barrier. */
static struct rows_image *image_of(struct rocks_rows *rows)
{
    struct table *t = rows->table;
    struct rows_image *image = must_calloc(1, sizeof *image);
    pthread_mutex_init(&image->lock, NULL);
    image->writing = (struct writing){.rows = rows,
                                      .op = rows->op,
                                      .table = t,
                                      .marks = must_calloc((size_t)t->row_end + 1, 1),
                                      .due = image->due,
                                      .over = &image->over};
    image->now_ms = rows->now_ms;
    image->over = rows->over;
    rows->over = (struct bytes){0};
    due_copy(image->due, rows->due);
    image->next = rows->images;
    rows->images = image;
    memcpy(image->writing.marks, t->marks, t->row_end);
    mark_leaving(t);
    rows->is_written = true;
    return image;
}

void rows_snapshot(struct rocks_rows *rows, struct bytes *to)
{
    struct op *op = rows->op;
    rows_ready(rows);
    frozen_thaw(&op->task->frozen); /* an image that was given up need not be completed */
    await_image(rows);
    struct rows_image *image = rows->image = image_of(rows);
    if (op->task->job->env->incremental && !to->canonical) {
        attach_files(rows, image, to);
    }
    struct frozen *f = view_freeze(op, op->class->size, NULL, &op->task->frozen, to);
    f->image = image;
    if (rows->frozen++ == 0) {
        image->writing.op = f->view;
        image->writing.table = rows->codec->freeze(op, f);
    } else { /* by an earlier checkpoint that is still written */
        await_image(rows);
    }
}

/* --------------------------------------------------------------------------------- Making room */

/* All rows that were touched into the database; those that hold nothing go. */
static void store_all(struct rocks_rows *rows)
{
    char why[ROCKS_WHY];
    struct table *t = rows->table;
    rows_ready(rows);
    await_image(rows);
    rows->is_written = true;
    struct writing w = {rows, rows->op, t, t->marks, rows->due, &rows->over, {0}, {0}};
    if (!store_rows(&w, why)) {
        fail(rows, why);
    }
    for (uint32_t row = 0; row < t->row_end; row++) {
        if (t->marks[row] == ROW_GONE) {
            drop_row(rows, row);
        }
    }
}

static void empty_table(struct rocks_rows *rows)
{
    const struct row_codec *codec = rows->codec;
    struct table *t = rows->table;
    store_all(rows);
    for (uint32_t row = 0; row < t->row_end && codec->drop != NULL; row++) {
        if ((t->marks[row] & ROW_LIVE) != 0) {
            codec->drop(rows->op, row);
        }
    }
    table_clear(t);
    if (codec->forget != NULL) {
        codec->forget(rows->op);
    }
    rows->have_left = true;
    rows->held = 0;
    if (codec->due != NULL) {
        due_look(rows->due, rows->db);
    }
}

bool rows_are_full(const struct rocks_rows *rows)
{
    return rows->op != NULL &&
           (rows->table->live >= rows->rows_max || rows->held >= rows->held_max);
}

void rows_make_room(struct rocks_rows *rows)
{
    if (rows_are_full(rows)) {
        empty_table(rows);
    }
}

/* ------------------------------------------------------------------------------ Rows of a time */

void rows_delete_time(struct rocks_rows *rows, int64_t time)
{
    if (rows->is_written) {
        bytes_put(&rows->over, &time, sizeof time);
    }
}

void rows_store(struct rocks_rows *rows)
{
    store_all(rows);
}

void rows_walk_begin(struct rocks_rows *rows)
{
    rows_walk_end(rows);
    rows->walk = rocks_walk_begin(rows->db);
}

void rows_walk_end(struct rocks_rows *rows)
{
    if (rows->walk != NULL) {
        rocks_walk_end(rows->walk);
        rows->walk = NULL;
    }
}

void rows_walk_seek(struct rocks_rows *rows, int64_t time, uint32_t group)
{
    rows->key.size = 0;
    bytes_ordered_i64(&rows->key, time);
    put_group(&rows->key, group);
    rocks_walk_seek(rows->walk, rows->key.data, rows->key.size);
}

bool rows_walk_entry(struct rocks_rows *rows, int64_t time, uint32_t group, uint32_t end,
                     struct reader *key, struct reader *value)
{
    const char *at, *behind;
    size_t size, behind_size;
    char why[ROCKS_WHY];
    if (!rocks_walk_entry(rows->walk, &at, &size, &behind, &behind_size)) {
        if (rocks_walk_failed(rows->walk, why)) {
            fail(rows, why);
        }
        return false;
    }
    rows->key.size = 0;
    bytes_ordered_i64(&rows->key, time);
    uint32_t its = group_in(rows, at, size);
    *key = (struct reader){at + head_size(rows), at + size, false};
    *value = (struct reader){behind, behind + behind_size, false};
    return its >= group && its < end && memcmp(at, rows->key.data, TIME_SIZE) == 0;
}

void rows_walk_next(struct rocks_rows *rows)
{
    rocks_walk_next(rows->walk);
}

/* ------------------------------------------------------------------------------------- Loading */

/* The value of a key into a row of its own, unless an earlier record has made one. */
static void take_value(struct rocks_rows *rows, const struct key_reader *reader, const void *record,
                       const char *value, size_t size)
{
    bool is_new;
    uint32_t row = table_find_or_insert(rows->table, reader, record, &is_new);
    if (is_new) {
        struct reader from = {value, value + size, false};
        rows->table->marks[row] = ROW_LIVE | ROW_STORED;
        rows->held += rows->varies ? size : 0;
        if (!rows->codec->read(rows->op, row, &from)) {
            fail(rows, "a row in the database is damaged");
        }
        rows->table->marks[row] = ROW_LIVE | ROW_STORED;
    }
}

_Static_assert(BATCH_SIZE <= ROCKS_MANY_MAX, "the keys of a batch are asked for at once");

/* Rows of keys that are not in the table. */
static void load(struct rocks_rows *rows, const struct key_reader *reader, const char *records,
                 uint32_t stride, uint32_t count)
{
    uint32_t missing[BATCH_SIZE];
    size_t sizes[ROCKS_MANY_MAX], value_sizes[ROCKS_MANY_MAX], ends[ROCKS_MANY_MAX];
    const char *keys[ROCKS_MANY_MAX];
    char *values[ROCKS_MANY_MAX], why[ROCKS_WHY];
    uint32_t some = table_missing_many(rows->table, reader, records, stride, count, missing);
    if (some == 0) {
        return;
    }
    rows->key.size = 0;
    for (uint32_t m = 0; m < some; m++) {
        put_key(rows, reader, records + (size_t)missing[m] * stride, &rows->key);
        ends[m] = rows->key.size;
    }
    for (uint32_t m = 0; m < some; m++) {
        size_t began = m > 0 ? ends[m - 1] : 0;
        keys[m] = rows->key.data + began;
        sizes[m] = ends[m] - began;
    }
    if (!rocks_get_many(rows->db, some, keys, sizes, values, value_sizes, why)) {
        fail(rows, why);
    }
    for (uint32_t m = 0; m < some; m++) {
        if (values[m] != NULL) {
            take_value(rows, reader, records + (size_t)missing[m] * stride, values[m],
                       value_sizes[m]);
            rocks_free(values[m]);
        }
    }
}

static void make_room_for_more(struct rocks_rows *rows)
{
    if (rows->why[0] != '\0') {
        fail(rows, rows->why);
    }
    rows_make_room(rows);
}

void rows_load(struct rocks_rows *rows, const struct key_reader *reader, const void *records,
               uint32_t stride, uint32_t count)
{
    make_room_for_more(rows);
    rows->held += rows->varies ? (size_t)count * (stride + ROW_OVERHEAD) : 0;
    if (rows->have_left) {
        load(rows, reader, records, stride, count);
    }
}

/* Rows by their keys as the database has them, behind each other in rows->due_keys. */
static void load_keys(struct rocks_rows *rows, const size_t *ends, uint32_t count)
{
    const struct layout *layout = &rows->reader->layout;
    const struct key_reader reader = reader_of_rows(rows);
    char *keys = arena_alloc(&rows->op->task->arena, (size_t)count * layout->size);
    for (uint32_t k = 0; k < count; k++) {
        struct reader from = {rows->due_keys.data + (k > 0 ? ends[k - 1] : 0) + head_size(rows),
                              rows->due_keys.data + ends[k], false};
        if (!read_record(&from, layout, keys + (size_t)k * layout->size)) {
            fail(rows, "a key in the database is damaged");
        }
    }
    load(rows, &reader, keys, layout->size, count);
}

bool rows_load_due(struct rocks_rows *rows, enum due_kind kind, int64_t until, int64_t *upto)
{
    size_t ends[BATCH_SIZE];
    struct due *due = &rows->due[kind];
    *upto = until;
    if (rows->op == NULL) {
        return false;
    }
    until = until < ST_TIME_MAX ? until : ST_TIME_MAX - 1; /* the former: there is none */
    if (due->next <= until) {
        make_room_for_more(rows);
        rows->due_keys.size = 0;
        uint32_t count = due_take(due, kind, until, BATCH_SIZE, rows->db, &rows->due_keys, ends);
        load_keys(rows, ends, count);
    }
    if (due->next <= until) {
        *upto = due->next < ST_TIME_MAX - 1 ? due->next : *upto; /* that stands for both */
        return true;
    }
    due_pass(due, kind, until);
    return false;
}

int64_t rows_next_timer(const struct rocks_rows *rows, enum due_kind kind, int64_t in_memory)
{
    bool is_stored = rows->op != NULL && rows->due[kind].next < in_memory;
    return is_stored ? rows->due[kind].next : in_memory;
}

/* ----------------------------------------------------------------------------------- Restoring */

bool rows_read_said(struct rows_said *said, struct reader *from)
{
    said->prefix = read_text(from);
    said->first_group = read_u32(from);
    said->end_group = read_u32(from);
    return !from->bad;
}

/* The files of a section under their own names in a new folder. RocksDB writes no SST file twice,
 * so these may be the checkpoint's own; the others are copied. */
static bool bring_files(struct rocks_rows *rows, st_str prefix, const char *folder, char *why)
{
    const struct checkpoint *from = rows->op->task->job->restored;
    bool ok = files_make_folders(folder, why);
    for (uint32_t f = 0; f < from->stored_count && ok; f++) {
        const char *name = from->stored[f], *own = name + prefix.size;
        char source[FILES_PATH_MAX], target[FILES_PATH_MAX];
        if (strncmp(name, prefix.data, prefix.size) != 0 || strchr(own, '/') != NULL) {
            continue;
        }
        if (snprintf(source, sizeof source, "%s/%s", from->path, name) >= (int)sizeof source ||
            snprintf(target, sizeof target, "%s/%s", folder, own) >= (int)sizeof target) {
            snprintf(why, FILES_WHY, "the name of %.100s is too long", name);
            return false;
        }
        size_t length = strlen(own);
        bool is_sst = length > 4 && strcmp(own + length - 4, ".sst") == 0;
        ok = is_sst ? files_link_or_copy(source, target, why) : files_copy(source, target, why);
    }
    return ok;
}

/* Rows of the files whose keys are this subtask's, and when they are due, put in as they are. */
static bool copy_rows(struct rocks_rows *rows, struct rocks_walk *walk, char *why)
{
    const char *key, *value, *row_key;
    size_t key_size, value_size, row_key_size;
    int64_t time;
    bool ok = true;
    for (; ok && rocks_walk_entry(walk, &key, &key_size, &value, &value_size);
         rocks_walk_next(walk)) {
        bool is_due =
            rows->codec->due != NULL && due_read(key, key_size, &time, &row_key, &row_key_size);
        uint32_t group =
            is_due ? group_in(rows, row_key, row_key_size) : group_in(rows, key, key_size);
        if (group_is_own(rows, group)) {
            ok = rocks_put(rows->db, key, key_size, value, value_size, why);
            rows->have_left = rows->is_written = true;
        }
    }
    return ok && rocks_write(rows->db, why) && !rocks_walk_failed(walk, why);
}

/* The same, each through the table. */
static bool read_rows(struct rocks_rows *rows, struct rocks_walk *walk, char *why,
                      bool (*read)(struct op *op, uint32_t row, struct reader *from))
{
    const char *key, *value, *row_key;
    size_t key_size, value_size, row_key_size;
    int64_t time;
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    for (; rocks_walk_entry(walk, &key, &key_size, &value, &value_size) &&
           !due_read(key, key_size, &time, &row_key, &row_key_size);
         rocks_walk_next(walk)) {
        bool is_new;
        struct reader keys = {key + head_size(rows), key + key_size, false};
        struct reader from = {value, value + value_size, false};
        if (key_size < head_size(rows) || !read_record(&keys, &rows->reader->layout, space)) {
            snprintf(why, ROCKS_WHY, "a key in the checkpoint is damaged");
            return false;
        }
        if (op_owns(rows->op, rows->reader, space)) {
            uint32_t row = table_find_or_insert_key(rows->table, space, &is_new);
            if (!read(rows->op, row, &from)) {
                snprintf(why, ROCKS_WHY, "a row in the checkpoint is damaged");
                return false;
            }
            rows->held += rows->varies ? value_size : 0;
            rows_make_room(rows);
        }
    }
    return !rocks_walk_failed(walk, why);
}

static bool read_files(struct rocks_rows *rows, const char *folder, bool same,
                       bool (*read)(struct op *op, uint32_t row, struct reader *from), char *why)
{
    struct rocks *db = rocks_open_to_read(folder, why);
    if (db == NULL) {
        return false;
    }
    struct rocks_walk *walk = rocks_walk_begin(db);
    rows_ready(rows);
    bool ok = same ? copy_rows(rows, walk, why) : read_rows(rows, walk, why, read);
    rocks_walk_end(walk);
    rocks_close(db);
    return ok;
}

void rows_restore(struct rocks_rows *rows, const struct rows_said *said, struct op *op, bool same,
                  bool (*read)(struct op *op, uint32_t row, struct reader *from))
{
    char why[FILES_WHY], folder[FILES_PATH_MAX + 32];
    bool all_own = true;
    if (rows->op == NULL) {
        restore_fail(op, "the checkpoint has its rows in files of RocksDB: set state.backend to "
                         "rocksdb, or begin with a savepoint, which both backends read");
    }
    for (uint32_t g = said->first_group; g < said->end_group && all_own; g++) {
        all_own = group_is_own(rows, g);
    }
    if (all_own && same && rows->db == NULL && rows->table->live == 0) {
        snprintf(folder, sizeof folder, "%s/db", rows->folder);
        if (!bring_files(rows, said->prefix, folder, why)) {
            restore_fail(rows->op, "%s", why);
        }
        open_database(rows); /* goes on with the files themselves */
        rows->have_left = rows->is_written = true;
        due_look(rows->due, rows->db);
        return;
    }
    snprintf(folder, sizeof folder, "%s/restored", rows->folder);
    bool ok =
        bring_files(rows, said->prefix, folder, why) && read_files(rows, folder, same, read, why);
    files_remove_tree(folder);
    if (!ok) {
        restore_fail(rows->op, "%s", why);
    }
    due_look(rows->due, rows->db);
}

void rows_restore_section(struct rocks_rows *rows, struct op *op, struct reader *from)
{
    struct rows_said said;
    if (rows_read_said(&said, from)) {
        rows_restore(rows, &said, op, true, NULL);
    }
}
