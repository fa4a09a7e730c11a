/* The store's file: opening, checking, statements. */
#include "agent/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x63687272 /* "chrr" */
#define SCHEMA_VERSION 1
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* Ids are unsigned and stored as the signed number of the same bits: printf('%016x', task). */
static const char schema[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE record(kind INTEGER NOT NULL, key INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    " ended INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE INDEX record_ended ON record(sequence) WHERE ended;"
    "CREATE TABLE outcome(id INTEGER PRIMARY KEY, task INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " kind TEXT NOT NULL, size_bytes INTEGER NOT NULL, owner INTEGER NOT NULL,"
    " ended TEXT NOT NULL, code INTEGER NOT NULL, duration_us INTEGER NOT NULL,"
    " predicted_us INTEGER NOT NULL, UNIQUE(task, epoch));"
    "PRAGMA application_id = " TEXT(APPLICATION_ID) ";"
                                                    "PRAGMA user_version = " TEXT(
                                                        SCHEMA_VERSION) ";";

static const char *const statement_texts[CHIRR_STATEMENT_COUNT_OF] = {
#define STATEMENT_TEXT(name, text) text,
    CHIRR_STATEMENT_MAP(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

/* ---- Errors ---------------------------------------------------------------------------------- */

enum chirr_err chirr_store_failure(const struct chirr_store *store, int code, const char *doing,
                                   struct chirr_error *error)
{
    const char *path = store->path;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return chirr_error_set(error, CHIRR_ERR_BUSY,
                               "%s: in use by another process; is this agent running already?",
                               path);
    case SQLITE_NOTADB:
        return chirr_error_set(error, CHIRR_ERR_MALFORMED,
                               "%s: not a chirr store; move the file away to start afresh", path);
    case SQLITE_CORRUPT:
        return chirr_error_set(error, CHIRR_ERR_MALFORMED,
                               "%s: damaged (%s); restore a copy, or move it away to start afresh",
                               path, sqlite3_errmsg(store->database));
    case SQLITE_NOMEM:
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory while %s", path, doing);
    case SQLITE_FULL:
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: disk full while %s; make room", path,
                               doing);
    default:
        return chirr_error_set(error, CHIRR_ERR_IO,
                               "%s: %s while %s; check the disk and the permissions", path,
                               sqlite3_errmsg(store->database), doing);
    }
}

/* ---- Statements ------------------------------------------------------------------------------ */

sqlite3_stmt *chirr_store_statement(struct chirr_store *store, enum chirr_store_statement statement)
{
    sqlite3_reset(store->statements[statement]);
    sqlite3_clear_bindings(store->statements[statement]);
    return store->statements[statement];
}

/* Runs a statement that gives no rows. Reset at once: a pending one would hold up the commit. */
int chirr_store_run(struct chirr_store *store, enum chirr_store_statement statement)
{
    int code = sqlite3_step(store->statements[statement]);
    sqlite3_reset(store->statements[statement]);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

static int run_limit(struct chirr_store *store, enum chirr_store_statement statement,
                     uint64_t limit)
{
    sqlite3_bind_int64(chirr_store_statement(store, statement), 1, (int64_t)limit);
    return chirr_store_run(store, statement);
}

/* What the file really holds: after opening and after a rollback. */
int chirr_store_recount(struct chirr_store *store)
{
    sqlite3_stmt *count = chirr_store_statement(store, CHIRR_STATEMENT_COUNT);
    int code = sqlite3_step(count);
    if (code == SQLITE_ROW) {
        store->counters.records = (uint64_t)sqlite3_column_int64(count, 0);
        store->counters.ended_tasks = (uint64_t)sqlite3_column_int64(count, 1);
        store->sequence = sqlite3_column_int64(count, 2);
        store->counters.outcomes = (uint64_t)sqlite3_column_int64(count, 3);
        code = SQLITE_OK;
    }
    sqlite3_reset(count);
    return code;
}

int chirr_store_forget_excess(struct chirr_store *store)
{
    struct chirr_store_counters *counters = &store->counters;
    if (counters->ended_tasks > store->config.ended_tasks_max) {
        uint64_t excess = counters->ended_tasks - store->config.ended_tasks_max;
        int code = run_limit(store, CHIRR_STATEMENT_FORGET_TASKS, excess);
        if (code != SQLITE_OK) {
            return code;
        }
        counters->ended_tasks -= excess;
        counters->records -= excess;
        counters->forgotten_tasks += excess;
    }
    if (counters->outcomes > store->config.outcomes_max) {
        uint64_t excess = counters->outcomes - store->config.outcomes_max;
        int code = run_limit(store, CHIRR_STATEMENT_FORGET_OUTCOMES, excess);
        if (code != SQLITE_OK) {
            return code;
        }
        counters->outcomes -= excess;
        counters->forgotten_outcomes += excess;
    }
    return SQLITE_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int query_number(struct chirr_store *store, const char *text, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->database, text, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

/* "ok" is the only answer of a whole file. */
static int check_pages(struct chirr_store *store, bool *whole)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->database, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        const char *answer = (const char *)sqlite3_column_text(statement, 0);
        *whole = answer != NULL && strcmp(answer, "ok") == 0;
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

/* Only reads. An empty file is a store to be. */
static enum chirr_err inspect(struct chirr_store *store, bool *is_new, struct chirr_error *error)
{
    int64_t application = 0, version = 0, tables = 0;
    bool whole = false;
    int code = query_number(store, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) {
        code = query_number(store, "PRAGMA user_version", &version);
    }
    if (code == SQLITE_OK) {
        code = query_number(store, "SELECT count(*) FROM sqlite_master", &tables);
    }
    if (code == SQLITE_OK) {
        code = check_pages(store, &whole);
    }
    if (code != SQLITE_OK) {
        return chirr_store_failure(store, code, "opening", error);
    }
    if (!whole) {
        return chirr_store_failure(store, SQLITE_CORRUPT, "opening", error);
    }
    *is_new = tables == 0 && version == 0;
    if (!*is_new && application != APPLICATION_ID) {
        return chirr_store_failure(store, SQLITE_NOTADB, "opening", error);
    }
    if (!*is_new && version != SCHEMA_VERSION) {
        return chirr_error_set(error, CHIRR_ERR_VERSION,
                               "%s: has schema version %lld, this chirr knows %d; use the chirr "
                               "that made it, or a newer one",
                               store->path, (long long)version, SCHEMA_VERSION);
    }
    return CHIRR_OK;
}

static enum chirr_err execute(struct chirr_store *store, const char *text,
                              struct chirr_error *error)
{
    int code = sqlite3_exec(store->database, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? CHIRR_OK : chirr_store_failure(store, code, "preparing", error);
}

static enum chirr_err prepare(struct chirr_store *store, bool is_new, struct chirr_error *error)
{
    enum chirr_err err = execute(store,
                                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                 "PRAGMA journal_size_limit = 4194304; BEGIN IMMEDIATE;",
                                 error);
    if (err == CHIRR_OK && is_new) {
        err = execute(store, schema, error);
    }
    if (err == CHIRR_OK) {
        err = execute(store, "COMMIT", error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < CHIRR_STATEMENT_COUNT_OF; i++) {
        code = sqlite3_prepare_v3(store->database, statement_texts[i], -1,
                                  SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
    }
    if (code == SQLITE_OK) {
        code = chirr_store_recount(store);
    }
    if (code == SQLITE_OK) {
        code = chirr_store_forget_excess(store);
    }
    return code == SQLITE_OK ? CHIRR_OK : chirr_store_failure(store, code, "preparing", error);
}

/* SQLite would make the file readable for everybody; its companions take over its mode. */
static enum chirr_err make_private_file(const char *path, struct chirr_error *error)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        return CHIRR_OK;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO,
                               "%s: cannot make it: %s; the state directory must exist and be "
                               "writable",
                               path, strerror(errno));
    }
    close(fd);
    return CHIRR_OK;
}

enum chirr_err chirr_store_open_file(struct chirr_store *store, struct chirr_error *error)
{
    enum chirr_err err = make_private_file(store->path, error);
    if (err != CHIRR_OK) {
        return err;
    }
    int code = sqlite3_open_v2(store->path, &store->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        return chirr_store_failure(store, code, "opening", error);
    }
    /* Until the file is known to be sound, closing must not write into it. */
    sqlite3_db_config(store->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    err = execute(store, "PRAGMA locking_mode = EXCLUSIVE", error);
    bool is_new = false;
    if (err == CHIRR_OK) {
        err = inspect(store, &is_new, error);
    }
    if (err == CHIRR_OK) {
        err = prepare(store, is_new, error);
    }
    if (err == CHIRR_OK) {
        sqlite3_db_config(store->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    return err;
}

void chirr_store_close_file(struct chirr_store *store)
{
    for (int i = 0; i < CHIRR_STATEMENT_COUNT_OF; i++) {
        sqlite3_finalize(store->statements[i]);
    }
    sqlite3_close(store->database);
}
