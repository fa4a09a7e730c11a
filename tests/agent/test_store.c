#include "agent/store.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/directory.h"
#include "tests/support/generate.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];
static char path[DIRECTORY_PATH_BYTES_MAX + 16];
static struct chirr_random random_stream;
static struct chirr_identity author;
static struct chirr_error error;

static void setup(void)
{
    directory_create(directory);
    snprintf(path, sizeof path, "%s/store.db", directory);
    chirr_random_init(&random_stream, 20240612, 0);
    author = generate_identity(&random_stream);
}

static void teardown(void)
{
    directory_remove(directory);
}

TestSuite(store, .init = setup, .fini = teardown);

static struct chirr_store_config config(void)
{
    struct chirr_store_config config = chirr_store_config_default();
    config.path = path;
    return config;
}

static struct chirr_store *open_store(void)
{
    struct chirr_store_config wanted = config();
    struct chirr_store *store = chirr_store_create(&wanted, &error);
    cr_assert_not_null(store, "%s", error.text);
    return store;
}

static void refused(enum chirr_err code, const char *words)
{
    struct chirr_store_config wanted = config();
    cr_assert_null(chirr_store_create(&wanted, &error));
    cr_assert_eq(error.code, code, "%s", error.text);
    cr_assert_not_null(strstr(error.text, path), "%s", error.text);
    cr_assert_not_null(strstr(error.text, words), "%s", error.text);
}

static void save(struct chirr_store *store, const struct chirr_record *record)
{
    cr_assert_eq(chirr_store_save_record(store, record, &error), CHIRR_OK, "%s", error.text);
}

/* A task by `author`, signed, in the given phase. */
static struct chirr_record task_in(enum chirr_task_phase phase)
{
    struct chirr_record record;
    generate_record(&random_stream, &author, CHIRR_RECORD_TASK, &record);
    generate_task(&random_stream, author.id, phase, &record.task);
    cr_assert_eq(chirr_record_sign(&record, &author), CHIRR_OK);
    return record;
}

/* Reads everything; returns how many, and whether `wanted` (or NULL) was among them. */
static size_t count_records(struct chirr_store *store, const struct chirr_record *wanted,
                            bool *found)
{
    struct chirr_store_cursor cursor = {0};
    struct chirr_record record;
    size_t count = 0;
    enum chirr_err err;
    while ((err = chirr_store_next_record(store, &cursor, &record, &error)) == CHIRR_OK) {
        count++;
        if (wanted != NULL && memcmp(wanted, &record, sizeof record) == 0) {
            *found = true;
        }
    }
    cr_assert_eq(err, CHIRR_ERR_NOTFOUND);
    return count;
}

Test(store, gives_back_every_record_as_it_was_saved)
{
    struct chirr_record records[60];
    struct chirr_store *store = open_store();
    for (size_t i = 0; i < 60; i++) {
        struct chirr_identity other = generate_identity(&random_stream);
        generate_record(&random_stream, &other, 0, &records[i]);
        save(store, &records[i]);
    }
    chirr_store_destroy(store);
    store = open_store();
    for (size_t i = 0; i < 60; i++) {
        bool found = false;
        cr_assert_eq(count_records(store, &records[i], &found), 60);
        cr_assert(found, "record %zu", i);
    }
    cr_assert_eq(chirr_store_count(store)->records, 60);
    chirr_store_destroy(store);
}

Test(store, keeps_the_newest_record_of_a_register_and_of_a_task)
{
    struct chirr_store *store = open_store();
    struct chirr_record last = {0};
    for (int i = 0; i < 5; i++) {
        generate_record(&random_stream, &author, CHIRR_RECORD_CARD, &last);
        save(store, &last);
    }
    struct chirr_record task = task_in(CHIRR_TASK_OPEN);
    save(store, &task);
    task.task.phase = CHIRR_TASK_CANCELLED;
    save(store, &task);
    bool found_card = false, found_task = false;
    cr_assert_eq(count_records(store, &last, &found_card), 2);
    count_records(store, &task, &found_task);
    cr_assert(found_card && found_task);
    cr_assert_eq(chirr_store_count(store)->ended_tasks, 1);
    chirr_store_destroy(store);
}

Test(store, never_gives_an_incarnation_twice)
{
    uint64_t last = 0, incarnation = 0;
    for (int life = 0; life < 5; life++) {
        struct chirr_store *store = open_store();
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(chirr_store_next_incarnation(store, 0, &incarnation, &error), CHIRR_OK);
            cr_assert(incarnation > last);
            cr_assert(life + i == 0 || incarnation - last >= CHIRR_STORE_INCARNATION_BLOCK);
            last = incarnation;
        }
        chirr_store_destroy(store);
    }
    struct chirr_store *store = open_store();
    uint64_t floor = last + 10 * CHIRR_STORE_INCARNATION_BLOCK;
    cr_assert_eq(chirr_store_next_incarnation(store, floor, &incarnation, &error), CHIRR_OK);
    cr_assert_eq(incarnation, floor);
    cr_assert_eq(chirr_store_next_incarnation(store, UINT64_MAX, &incarnation, &error),
                 CHIRR_ERR_RANGE);
    cr_assert_eq(chirr_store_begin(store, &error), CHIRR_OK);
    cr_assert_eq(chirr_store_next_incarnation(store, 0, &incarnation, &error), CHIRR_ERR_STATE);
    chirr_store_destroy(store);
}

Test(store, forgets_a_batch_that_was_not_committed)
{
    struct chirr_store *store = open_store();
    struct chirr_record record = task_in(CHIRR_TASK_OPEN), kept = task_in(CHIRR_TASK_DONE);
    cr_assert_eq(chirr_store_begin(store, &error), CHIRR_OK);
    save(store, &kept);
    cr_assert_eq(chirr_store_commit(store, &error), CHIRR_OK);
    cr_assert_eq(chirr_store_begin(store, &error), CHIRR_OK);
    cr_assert_eq(chirr_store_begin(store, &error), CHIRR_ERR_STATE);
    save(store, &record);
    chirr_store_rollback(store);
    cr_assert_eq(chirr_store_commit(store, &error), CHIRR_ERR_STATE);
    cr_assert_eq(chirr_store_count(store)->records, 1);
    bool found = false;
    cr_assert_eq(count_records(store, &kept, &found), 1);
    cr_assert(found);
    chirr_store_destroy(store);
}

Test(store, forgets_the_oldest_ended_tasks_and_outcomes_first)
{
    struct chirr_store_config wanted = config();
    wanted.ended_tasks_max = 4;
    wanted.outcomes_max = 3;
    struct chirr_store *store = chirr_store_create(&wanted, &error);
    cr_assert_not_null(store, "%s", error.text);
    struct chirr_record open_task = task_in(CHIRR_TASK_OPEN), done = {0};
    save(store, &open_task);
    for (int i = 0; i < 10; i++) {
        done = task_in(CHIRR_TASK_DONE);
        save(store, &done);
        cr_assert_eq(chirr_store_save_outcome(store, &done.task, &error), CHIRR_OK);
        cr_assert_eq(chirr_store_save_outcome(store, &done.task, &error), CHIRR_OK);
    }
    bool found_open = false, found_done = false;
    cr_assert_eq(count_records(store, &open_task, &found_open), 5);
    count_records(store, &done, &found_done);
    cr_assert(found_open && found_done);
    cr_assert_eq(chirr_store_count(store)->forgotten_tasks, 6);
    cr_assert_eq(chirr_store_count(store)->outcomes, 3, "once for a task and epoch");
    cr_assert_eq(chirr_store_count(store)->forgotten_outcomes, 7);
    cr_assert_eq(chirr_store_save_outcome(store, &open_task.task, &error), CHIRR_ERR_STATE);
    chirr_store_destroy(store);
}

Test(store, refuses_and_counts_records_beyond_its_limit)
{
    struct chirr_store_config wanted = config();
    wanted.records_max = 2;
    struct chirr_store *store = chirr_store_create(&wanted, &error);
    cr_assert_not_null(store, "%s", error.text);
    struct chirr_record tasks[3] = {task_in(CHIRR_TASK_OPEN), task_in(CHIRR_TASK_OPEN),
                                    task_in(CHIRR_TASK_OPEN)};
    cr_assert_eq(chirr_store_begin(store, &error), CHIRR_OK);
    save(store, &tasks[0]);
    save(store, &tasks[1]);
    cr_assert_eq(chirr_store_save_record(store, &tasks[2], &error), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_store_commit(store, &error), CHIRR_OK, "a refusal spoils no batch");
    cr_assert_eq(chirr_store_count(store)->refused_full, 1);
    save(store, &tasks[0]);
    tasks[0].task.phase = CHIRR_TASK_CANCELLED;
    save(store, &tasks[0]);
    save(store, &tasks[2]);
    chirr_store_destroy(store);
}

Test(store, refuses_a_file_that_is_no_store_and_leaves_it_alone)
{
    char noise[8192];
    generate_bytes(&random_stream, noise, sizeof noise);
    directory_write(directory, "store.db", noise, sizeof noise);
    refused(CHIRR_ERR_MALFORMED, "move the file away");
    char after[sizeof noise];
    FILE *file = fopen(path, "r");
    cr_assert_eq(fread(after, 1, sizeof after, file), sizeof after);
    fclose(file);
    cr_assert_arr_eq(after, noise, sizeof noise);
}

static void edit(const char *text)
{
    sqlite3 *database;
    cr_assert_eq(sqlite3_open(path, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(database));
    sqlite3_close(database);
}

Test(store, refuses_a_database_of_somebody_else)
{
    edit("CREATE TABLE recipes(name TEXT)");
    refused(CHIRR_ERR_MALFORMED, "not a chirr store");
}

Test(store, refuses_a_newer_schema)
{
    chirr_store_destroy(open_store());
    edit("PRAGMA user_version = 2");
    refused(CHIRR_ERR_VERSION, "newer");
}

Test(store, refuses_a_damaged_file)
{
    struct chirr_store *store = open_store();
    for (int i = 0; i < 200; i++) {
        struct chirr_record record = task_in(CHIRR_TASK_OPEN);
        save(store, &record);
    }
    chirr_store_destroy(store);
    FILE *file = fopen(path, "r+");
    char noise[4096 * 8];
    generate_bytes(&random_stream, noise, sizeof noise);
    cr_assert_eq(fseek(file, 4096, SEEK_SET), 0);
    cr_assert_eq(fwrite(noise, 1, sizeof noise, file), sizeof noise);
    fclose(file);
    refused(CHIRR_ERR_MALFORMED, "damaged");
}

Test(store, passes_over_records_that_rotted)
{
    struct chirr_store *store = open_store();
    for (int i = 0; i < 3; i++) {
        struct chirr_record record = task_in(CHIRR_TASK_OPEN);
        save(store, &record);
    }
    chirr_store_destroy(store);
    edit("UPDATE record SET body = x'00ff00' WHERE sequence = 2");
    store = open_store();
    cr_assert_eq(count_records(store, NULL, NULL), 2);
    cr_assert_eq(chirr_store_count(store)->undecodable, 1);
    chirr_store_destroy(store);
}

Test(store, is_private_to_its_owner)
{
    struct chirr_store *store = open_store();
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    chirr_store_destroy(store);
}

Test(store, names_a_directory_that_is_not_there)
{
    snprintf(path, sizeof path, "%s/no/store.db", directory);
    refused(CHIRR_ERR_IO, "state directory");
}

static pid_t fork_holder(int ready)
{
    pid_t child = fork();
    if (child == 0) {
        struct chirr_store_config wanted = config();
        struct chirr_store *store = chirr_store_create(&wanted, NULL);
        char answer = store != NULL ? 'y' : 'n';
        if (write(ready, &answer, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    return child;
}

Test(store, belongs_to_one_process_and_is_free_when_that_was_killed, .timeout = 30)
{
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork_holder(ready[1]);
    char answer = 'n';
    cr_assert_eq(read(ready[0], &answer, 1), 1);
    cr_assert_eq(answer, 'y');
    refused(CHIRR_ERR_BUSY, "running already");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    chirr_store_destroy(open_store());
    close(ready[0]);
    close(ready[1]);
}

/* Saves for ever, alone and in batches of three, and tells of a task once its save returned. */
_Noreturn static void save_for_ever(int report)
{
    struct chirr_store_config wanted = config();
    struct chirr_store *store = chirr_store_create(&wanted, NULL);
    for (int i = 0; store != NULL; i++) {
        bool batch = i % 2 == 1;
        chirr_task_id ids[3];
        size_t count = batch ? 3 : 1;
        enum chirr_err err = batch ? chirr_store_begin(store, NULL) : CHIRR_OK;
        for (size_t k = 0; err == CHIRR_OK && k < count; k++) {
            struct chirr_record record = task_in(CHIRR_TASK_OPEN);
            ids[k] = record.task.id;
            err = chirr_store_save_record(store, &record, NULL);
        }
        if (err == CHIRR_OK && batch) {
            err = chirr_store_commit(store, NULL);
        }
        if (err != CHIRR_OK || write(report, ids, count * sizeof *ids) < 0) {
            break;
        }
    }
    _exit(1);
}

static bool holds(struct chirr_store *store, chirr_task_id id)
{
    struct chirr_store_cursor cursor = {.kind = CHIRR_RECORD_TASK, .key = id - 1};
    struct chirr_record record;
    return chirr_store_next_record(store, &cursor, &record, &error) == CHIRR_OK &&
           record.task.id == id;
}

#define REPORTS_MAX 100000

/* Kills at a random moment after some reports; returns how many there were in the end. */
static size_t run_until_killed(chirr_task_id *reported)
{
    size_t wanted = 1 + chirr_random_below(&random_stream, 15), count = 0;
    unsigned delay_us = (unsigned)chirr_random_below(&random_stream, 10000);
    int report[2];
    cr_assert_eq(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        save_for_ever(report[1]);
    }
    close(report[1]);
    while (count < REPORTS_MAX &&
           read(report[0], &reported[count], sizeof *reported) == (ssize_t)sizeof *reported) {
        count++;
        if (count == wanted) {
            usleep(delay_us);
            kill(child, SIGKILL);
        }
    }
    waitpid(child, NULL, 0);
    close(report[0]);
    return count;
}

Test(store, holds_whatever_was_reported_saved_before_a_kill, .timeout = 120)
{
    chirr_task_id *reported = calloc(REPORTS_MAX, sizeof *reported);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        chirr_random_init(&random_stream, seed, 1);
        size_t count = run_until_killed(reported);
        cr_assert(count > 0, "seed %llu: nothing was saved", (unsigned long long)seed);
        struct chirr_store *store = open_store();
        for (size_t i = 0; i < count; i++) {
            cr_assert(holds(store, reported[i]), "seed %llu lost %016llx", (unsigned long long)seed,
                      (unsigned long long)reported[i]);
        }
        chirr_store_destroy(store);
    }
    free(reported);
}
