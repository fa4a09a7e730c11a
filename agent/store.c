/* The durable store of one agent: batches, incarnations, records, outcomes. */
#include "agent/store.h"

#include <stdlib.h>
#include <string.h>

#include "agent/store_file.h"
#include "proto/codec.h"

struct chirr_store_config chirr_store_config_default(void)
{
    return (struct chirr_store_config){
        .records_max = 65536, .ended_tasks_max = 1024, .outcomes_max = 16384};
}

struct chirr_store *chirr_store_create(const struct chirr_store_config *config,
                                       struct chirr_error *error)
{
    if (config->path == NULL || config->records_max == 0 || config->ended_tasks_max == 0 ||
        config->outcomes_max == 0) {
        chirr_error_set(error, CHIRR_ERR_INVALID, "store: a path and limits above 0 are needed");
        return NULL;
    }
    struct chirr_store *store = calloc(1, sizeof *store);
    if (store != NULL) {
        store->config = *config;
        store->config.path = NULL;
        store->path = strdup(config->path);
    }
    if (store == NULL || store->path == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", config->path);
        chirr_store_destroy(store);
        return NULL;
    }
    if (chirr_store_open_file(store, error) != CHIRR_OK) {
        chirr_store_destroy(store);
        return NULL;
    }
    return store;
}

void chirr_store_destroy(struct chirr_store *store)
{
    if (store == NULL) {
        return;
    }
    chirr_store_close_file(store);
    free(store->path);
    free(store);
}

static int run_plain(struct chirr_store *store, enum chirr_store_statement statement)
{
    chirr_store_statement(store, statement);
    return chirr_store_run(store, statement);
}

/* ---- Batches --------------------------------------------------------------------------------- */

enum chirr_err chirr_store_begin(struct chirr_store *store, struct chirr_error *error)
{
    if (store->in_batch) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "%s: a batch is open", store->path);
    }
    int code = run_plain(store, CHIRR_STATEMENT_BEGIN);
    if (code != SQLITE_OK) {
        return chirr_store_failure(store, code, "beginning a batch", error);
    }
    store->in_batch = true;
    store->batch_failed = false;
    return CHIRR_OK;
}

void chirr_store_rollback(struct chirr_store *store)
{
    if (!store->in_batch) {
        return;
    }
    store->in_batch = false;
    /* Some failures have rolled back already. */
    if (!sqlite3_get_autocommit(store->database)) {
        (void)run_plain(store, CHIRR_STATEMENT_ROLLBACK);
    }
    (void)chirr_store_recount(store);
}

enum chirr_err chirr_store_commit(struct chirr_store *store, struct chirr_error *error)
{
    if (!store->in_batch) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "%s: no batch is open", store->path);
    }
    if (store->batch_failed) {
        chirr_store_rollback(store);
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: a save in this batch had failed",
                               store->path);
    }
    int code = run_plain(store, CHIRR_STATEMENT_COMMIT);
    if (code != SQLITE_OK) {
        enum chirr_err err = chirr_store_failure(store, code, "committing", error);
        chirr_store_rollback(store);
        return err;
    }
    store->in_batch = false;
    return CHIRR_OK;
}

/* A save is a batch of its own where none is open. */
static enum chirr_err enter(struct chirr_store *store, bool *own_batch, struct chirr_error *error)
{
    *own_batch = !store->in_batch;
    return *own_batch ? chirr_store_begin(store, error) : CHIRR_OK;
}

static enum chirr_err leave(struct chirr_store *store, bool own_batch, int code,
                            struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    if (code != SQLITE_OK) {
        err = chirr_store_failure(store, code, "saving", error);
        store->batch_failed = true;
    }
    if (!own_batch) {
        return err;
    }
    if (err != CHIRR_OK) {
        chirr_store_rollback(store);
        return err;
    }
    return chirr_store_commit(store, error);
}

/* ---- Incarnations ---------------------------------------------------------------------------- */

static int load_incarnation(struct chirr_store *store, uint64_t *next)
{
    sqlite3_stmt *get = chirr_store_statement(store, CHIRR_STATEMENT_GET_META);
    sqlite3_bind_text(get, 1, "incarnation", -1, SQLITE_STATIC);
    int code = sqlite3_step(get);
    *next = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(get, 0) : 1;
    sqlite3_reset(get);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

enum chirr_err chirr_store_next_incarnation(struct chirr_store *store, uint64_t floor,
                                            uint64_t *incarnation, struct chirr_error *error)
{
    if (store->in_batch) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "%s: a batch is open", store->path);
    }
    uint64_t next;
    int code = load_incarnation(store, &next);
    if (code != SQLITE_OK) {
        return chirr_store_failure(store, code, "reading the incarnation", error);
    }
    next = next < floor ? floor : next;
    if (next > (uint64_t)INT64_MAX - CHIRR_STORE_INCARNATION_BLOCK) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%s: incarnation %llu leaves no room",
                               store->path, (unsigned long long)next);
    }
    sqlite3_stmt *set = chirr_store_statement(store, CHIRR_STATEMENT_SET_META);
    sqlite3_bind_text(set, 1, "incarnation", -1, SQLITE_STATIC);
    sqlite3_bind_int64(set, 2, (int64_t)(next + CHIRR_STORE_INCARNATION_BLOCK));
    code = chirr_store_run(store, CHIRR_STATEMENT_SET_META);
    if (code != SQLITE_OK) {
        return chirr_store_failure(store, code, "reserving incarnations", error);
    }
    *incarnation = next;
    return CHIRR_OK;
}

/* ---- Records --------------------------------------------------------------------------------- */

static int64_t bits_of(uint64_t id)
{
    int64_t bits;
    memcpy(&bits, &id, sizeof bits);
    return bits;
}

static uint64_t key_of(const struct chirr_record *record)
{
    return record->kind == CHIRR_RECORD_TASK ? record->task.id : record->author;
}

static bool has_ended(const struct chirr_record *record)
{
    return record->kind == CHIRR_RECORD_TASK &&
           (record->task.phase == CHIRR_TASK_DONE || record->task.phase == CHIRR_TASK_CANCELLED);
}

static int find(struct chirr_store *store, const struct chirr_record *record, bool *known,
                bool *ended)
{
    sqlite3_stmt *statement = chirr_store_statement(store, CHIRR_STATEMENT_FIND);
    sqlite3_bind_int64(statement, 1, record->kind);
    sqlite3_bind_int64(statement, 2, bits_of(key_of(record)));
    int code = sqlite3_step(statement);
    *known = code == SQLITE_ROW;
    *ended = *known && sqlite3_column_int(statement, 0) != 0;
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int save(struct chirr_store *store, const struct chirr_record *record, size_t body_bytes)
{
    sqlite3_stmt *statement = chirr_store_statement(store, CHIRR_STATEMENT_SAVE);
    sqlite3_bind_int64(statement, 1, record->kind);
    sqlite3_bind_int64(statement, 2, bits_of(key_of(record)));
    sqlite3_bind_int64(statement, 3, store->sequence + 1);
    sqlite3_bind_int(statement, 4, has_ended(record));
    sqlite3_bind_blob(statement, 5, store->body, (int)body_bytes, SQLITE_STATIC);
    int code = chirr_store_run(store, CHIRR_STATEMENT_SAVE);
    if (code == SQLITE_OK) {
        store->sequence++;
        store->counters.saved++;
    }
    return code;
}

/* CHIRR_ERR_FULL leaves a batch as it was: the caller may go on with it. */
static enum chirr_err replace(struct chirr_store *store, const struct chirr_record *record,
                              size_t body_bytes, int *code)
{
    struct chirr_store_counters *counters = &store->counters;
    bool known, ended;
    *code = find(store, record, &known, &ended);
    if (*code != SQLITE_OK) {
        return CHIRR_OK;
    }
    bool takes_room = !has_ended(record) && (!known || ended);
    if (takes_room && counters->records - counters->ended_tasks >= store->config.records_max) {
        counters->refused_full++;
        return CHIRR_ERR_FULL;
    }
    *code = save(store, record, body_bytes);
    if (*code == SQLITE_OK) {
        counters->records += !known;
        counters->ended_tasks += has_ended(record);
        counters->ended_tasks -= ended;
        *code = chirr_store_forget_excess(store);
    }
    return CHIRR_OK;
}

enum chirr_err chirr_store_save_record(struct chirr_store *store, const struct chirr_record *record,
                                       struct chirr_error *error)
{
    size_t body_bytes = 0;
    enum chirr_err err =
        chirr_codec_encode_record(record, store->body, sizeof store->body, &body_bytes);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "%s: a record cannot be encoded: %s", store->path,
                               chirr_err_text(err));
    }
    bool own_batch;
    err = enter(store, &own_batch, error);
    if (err != CHIRR_OK) {
        return err;
    }
    int code;
    enum chirr_err refused = replace(store, record, body_bytes, &code);
    if (refused != CHIRR_OK) {
        if (own_batch) {
            chirr_store_rollback(store);
        }
        return chirr_error_set(error, refused, "%s: %u records are stored already", store->path,
                               store->config.records_max);
    }
    return leave(store, own_batch, code, error);
}

/* CHIRR_ERR_MALFORMED: what stands there is not what its key says, or no record at all. */
static enum chirr_err read_row(sqlite3_stmt *row, struct chirr_store_cursor *cursor,
                               struct chirr_record *record)
{
    int64_t key = sqlite3_column_int64(row, 1);
    cursor->kind = (uint32_t)sqlite3_column_int64(row, 0);
    memcpy(&cursor->key, &key, sizeof cursor->key);
    const void *body = sqlite3_column_blob(row, 2);
    int bytes = sqlite3_column_bytes(row, 2);
    if (body == NULL || bytes <= 0 || (size_t)bytes > CHIRR_CODEC_RECORD_BYTES_MAX ||
        chirr_codec_decode_record(body, (size_t)bytes, record) != CHIRR_OK) {
        return CHIRR_ERR_MALFORMED;
    }
    bool belongs = record->kind == cursor->kind && key_of(record) == cursor->key;
    return belongs ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}

enum chirr_err chirr_store_next_record(struct chirr_store *store, struct chirr_store_cursor *cursor,
                                       struct chirr_record *record, struct chirr_error *error)
{
    for (;;) {
        enum chirr_store_statement which =
            cursor->kind == 0 ? CHIRR_STATEMENT_FIRST_OF_KIND : CHIRR_STATEMENT_NEXT;
        sqlite3_stmt *next = chirr_store_statement(store, which);
        sqlite3_bind_int64(next, 1, cursor->kind);
        if (which == CHIRR_STATEMENT_NEXT) {
            sqlite3_bind_int64(next, 2, bits_of(cursor->key));
        }
        int code = sqlite3_step(next);
        enum chirr_err err = CHIRR_ERR_NOTFOUND;
        if (code == SQLITE_ROW) {
            err = read_row(next, cursor, record);
        } else if (code != SQLITE_DONE) {
            err = chirr_store_failure(store, code, "reading records", error);
        }
        sqlite3_reset(next);
        if (code != SQLITE_ROW || err == CHIRR_OK) {
            return err;
        }
        store->counters.undecodable++;
    }
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static int insert_outcome(struct chirr_store *store, const struct chirr_task *task)
{
    sqlite3_stmt *statement = chirr_store_statement(store, CHIRR_STATEMENT_SAVE_OUTCOME);
    sqlite3_bind_int64(statement, 1, bits_of(task->id));
    sqlite3_bind_int64(statement, 2, task->epoch);
    sqlite3_bind_text(statement, 3, task->spec.kind, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, bits_of(task->spec.size_bytes));
    sqlite3_bind_int64(statement, 5, bits_of(task->owner));
    sqlite3_bind_text(statement, 6, chirr_task_end_name(task->result.end), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 7, task->result.code);
    sqlite3_bind_int64(statement, 8, bits_of(task->result.duration_us));
    sqlite3_bind_int64(statement, 9, bits_of(task->result.predicted_us));
    return chirr_store_run(store, CHIRR_STATEMENT_SAVE_OUTCOME);
}

enum chirr_err chirr_store_save_outcome(struct chirr_store *store, const struct chirr_task *task,
                                        struct chirr_error *error)
{
    if (task->phase != CHIRR_TASK_DONE) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "%s: the task has no outcome", store->path);
    }
    bool own_batch;
    enum chirr_err err = enter(store, &own_batch, error);
    if (err != CHIRR_OK) {
        return err;
    }
    int code = insert_outcome(store, task);
    if (code == SQLITE_OK && sqlite3_changes(store->database) > 0) {
        store->counters.outcomes++;
        store->counters.saved++;
        code = chirr_store_forget_excess(store);
    }
    return leave(store, own_batch, code, error);
}

const struct chirr_store_counters *chirr_store_count(const struct chirr_store *store)
{
    return &store->counters;
}
