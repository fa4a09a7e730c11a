/* Inside the store: the file, its statements and batches. Not installed.
 *
 * store_file.c opens and checks; store.c saves and loads through the prepared statements. SQLite's
 * result codes stay below `chirr_store_failure`, which turns one into an error with words. */
#ifndef CHIRR_AGENT_STORE_FILE_H
#define CHIRR_AGENT_STORE_FILE_H

#include <sqlite3.h>

#include "agent/store.h"
#include "proto/codec.h"

#define CHIRR_STATEMENT_MAP(X)                                                                     \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(GET_META, "SELECT value FROM meta WHERE name = ?1")                                          \
    X(SET_META, "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)")                         \
    X(FIND, "SELECT ended FROM record WHERE kind = ?1 AND key = ?2")                               \
    X(SAVE, "INSERT OR REPLACE INTO record(kind, key, sequence, ended, body)"                      \
            " VALUES(?1, ?2, ?3, ?4, ?5)")                                                         \
    X(NEXT, "SELECT kind, key, body FROM record WHERE (kind, key) > (?1, ?2)"                      \
            " ORDER BY kind, key LIMIT 1")                                                         \
    X(FIRST_OF_KIND, "SELECT kind, key, body FROM record WHERE kind > ?1"                          \
                     " ORDER BY kind, key LIMIT 1")                                                \
    X(FORGET_TASKS, "DELETE FROM record WHERE (kind, key) IN (SELECT kind, key FROM record"        \
                    " WHERE ended ORDER BY sequence LIMIT ?1)")                                    \
    X(SAVE_OUTCOME,                                                                                \
      "INSERT OR IGNORE INTO outcome(task, epoch, kind, size_bytes, owner, ended,"                 \
      " code, duration_us, predicted_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")              \
    X(FORGET_OUTCOMES, "DELETE FROM outcome WHERE id IN (SELECT id FROM outcome ORDER BY id"       \
                       " LIMIT ?1)")                                                               \
    X(COUNT, "SELECT count(*), ifnull(sum(ended), 0), ifnull(max(sequence), 0),"                   \
             " (SELECT count(*) FROM outcome) FROM record")

enum chirr_store_statement {
#define CHIRR_STATEMENT_ENUM(name, text) CHIRR_STATEMENT_##name,
    CHIRR_STATEMENT_MAP(CHIRR_STATEMENT_ENUM)
#undef CHIRR_STATEMENT_ENUM
        CHIRR_STATEMENT_COUNT_OF,
};

struct chirr_store {
    sqlite3 *database;
    sqlite3_stmt *statements[CHIRR_STATEMENT_COUNT_OF];
    struct chirr_store_config config;
    char *path;
    bool in_batch;
    bool batch_failed; /* a save in it failed: commit must not pretend */
    int64_t sequence;  /* of the last record saved */
    struct chirr_store_counters counters;
    uint8_t body[CHIRR_CODEC_RECORD_BYTES_MAX];
};

/* CHIRR_ERR_BUSY, _MALFORMED, _NOMEM or _IO; names the path and what to do. */
enum chirr_err chirr_store_failure(const struct chirr_store *store, int code, const char *doing,
                                   struct chirr_error *error);

/* Opens, checks and prepares; after a failure only close may follow. */
CHIRR_NODISCARD enum chirr_err chirr_store_open_file(struct chirr_store *store,
                                                     struct chirr_error *error);
void chirr_store_close_file(struct chirr_store *store);

/* A statement without bindings. */
sqlite3_stmt *chirr_store_statement(struct chirr_store *store,
                                    enum chirr_store_statement statement);
/* Runs one that gives no rows, and resets it: a pending one would hold up the commit. */
int chirr_store_run(struct chirr_store *store, enum chirr_store_statement statement);
/* Counts again what the file really holds. */
int chirr_store_recount(struct chirr_store *store);
/* Applies ended_tasks_max and outcomes_max. */
int chirr_store_forget_excess(struct chirr_store *store);

#endif
