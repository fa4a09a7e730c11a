/* The life of a run: RUNNING is stated, and stands; START; the executor's answer; DONE or RELEASED
 * is stated, and stands. Or its record is overtaken by a greater statement: STOP, and the
 * executor's answer. A run keeps its slot until that answer. */
#include "swarm/auction_state.h"

#include <errno.h>

/* A task that could not be started is tried in this many epochs, elsewhere if there is an
 * elsewhere; then the command is wrong everywhere. */
#define START_TRIES_MAX 3

bool chirr_auction_result_is_no_slot(const struct chirr_task_result *result)
{
    return result->end == CHIRR_TASK_END_NOT_STARTED && result->code == EBUSY;
}

struct auction_run *chirr_auction_run_find(const struct chirr_auction *auction, chirr_task_id id)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        if (auction->runs[i].state != AUCTION_RUN_FREE && auction->runs[i].task == id) {
            return &auction->runs[i];
        }
    }
    return NULL;
}

uint32_t chirr_auction_run_busy(const struct chirr_auction *auction)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < auction->run_count; i++) {
        enum auction_run_state state = auction->runs[i].state;
        busy += state != AUCTION_RUN_FREE && state != AUCTION_RUN_ENDED;
    }
    return busy;
}

static void set_state(struct auction_run *run, enum auction_run_state state)
{
    static const bool allowed[AUCTION_RUN_STATES][AUCTION_RUN_STATES] = {
        [AUCTION_RUN_FREE] = {[AUCTION_RUN_WANTED] = true},
        [AUCTION_RUN_WANTED] =
            {[AUCTION_RUN_FREE] = true, [AUCTION_RUN_STARTED] = true, [AUCTION_RUN_ENDED] = true},
        [AUCTION_RUN_STARTED] = {[AUCTION_RUN_ENDED] = true, [AUCTION_RUN_LOST] = true},
        [AUCTION_RUN_ENDED] = {[AUCTION_RUN_FREE] = true},
        [AUCTION_RUN_LOST] = {[AUCTION_RUN_FREE] = true, [AUCTION_RUN_STOPPING] = true},
        [AUCTION_RUN_STOPPING] = {[AUCTION_RUN_FREE] = true},
    };
    CHIRR_ASSERT(allowed[run->state][state]);
    run->state = state;
    run->offered = false;
}

bool chirr_auction_run_want(struct chirr_auction *auction, const struct auction_entry *entry)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        struct auction_run *run = &auction->runs[i];
        if (run->state == AUCTION_RUN_FREE) {
            set_state(run, AUCTION_RUN_WANTED);
            run->task = entry->id;
            run->epoch = entry->epoch;
            run->predicted_us = entry->priced ? entry->duration_us : 0;
            run->expected_us = entry->cost_us;
            run->limit_us = chirr_time_from_ms(entry->time_limit_ms);
            return true;
        }
    }
    return false;
}

/* Is the store's record of its task this very run? */
static bool stands(const struct chirr_auction *auction, const struct auction_run *run,
                   const struct chirr_task *task)
{
    return task != NULL && task->phase == CHIRR_TASK_RUNNING && task->epoch == run->epoch &&
           task->owner == auction->config.self && task->owner_incarnation == auction->incarnation;
}

/* A run follows its record: a greater statement than its own ends it. */
void chirr_auction_run_reconcile(struct chirr_auction *auction, struct auction_run *run,
                                 const struct chirr_task *task)
{
    bool mine = stands(auction, run, task);
    switch (run->state) {
    case AUCTION_RUN_WANTED:
        if (!mine &&
            (task == NULL || task->phase != CHIRR_TASK_OPEN || task->epoch != run->epoch)) {
            set_state(run, AUCTION_RUN_FREE);
        }
        break;
    case AUCTION_RUN_STARTED:
        if (!mine) {
            set_state(run, AUCTION_RUN_LOST);
        }
        break;
    case AUCTION_RUN_ENDED:
        /* A result outlives the loss of its run: DONE dominates whatever came in between. */
        if (task == NULL || task->phase == CHIRR_TASK_DONE ||
            (run->result.end == CHIRR_TASK_END_NOT_STARTED && !mine)) {
            set_state(run, AUCTION_RUN_FREE);
        }
        break;
    case AUCTION_RUN_LOST:
    case AUCTION_RUN_STOPPING:
    case AUCTION_RUN_FREE:
    case AUCTION_RUN_STATES:
        break;
    }
}

void chirr_auction_run_leave(struct chirr_auction *auction)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        struct auction_run *run = &auction->runs[i];
        if (run->state != AUCTION_RUN_WANTED) {
            continue;
        }
        const struct chirr_record *record = chirr_records_task(auction->records, run->task);
        if (record != NULL && stands(auction, run, &record->task)) {
            run->result =
                (struct chirr_task_result){.end = CHIRR_TASK_END_NOT_STARTED, .code = EBUSY};
            set_state(run, AUCTION_RUN_ENDED);
        } else {
            set_state(run, AUCTION_RUN_FREE);
        }
    }
}

enum chirr_err chirr_auction_run_end(struct chirr_auction *auction, chirr_task_id task,
                                     uint32_t epoch, const struct chirr_task_result *result)
{
    struct auction_run *run = chirr_auction_run_find(auction, task);
    if (run == NULL || run->epoch != epoch) {
        return CHIRR_ERR_NOTFOUND;
    }
    if (run->state == AUCTION_RUN_LOST || run->state == AUCTION_RUN_STOPPING) {
        set_state(run, AUCTION_RUN_FREE);
        auction->think_us = auction->now;
        return CHIRR_ERR_NOTFOUND;
    }
    if (run->state != AUCTION_RUN_STARTED) {
        return CHIRR_ERR_NOTFOUND;
    }
    run->result = *result;
    run->result.predicted_us = run->predicted_us;
    set_state(run, AUCTION_RUN_ENDED);
    auction->think_us = auction->now; /* what waits for the slot has settled long ago */
    return CHIRR_OK;
}

static void output_task(struct chirr_output *output, enum chirr_output_kind kind,
                        const struct chirr_task *task)
{
    *output = (struct chirr_output){.kind = kind, .task = task};
}

/* The record may be of another epoch by now, or gone: STOP names the run. */
static void output_stop(struct chirr_auction *auction, struct auction_run *run,
                        struct chirr_output *output)
{
    const struct chirr_record *record = chirr_records_task(auction->records, run->task);
    auction->handed = record != NULL ? record->task : (struct chirr_task){0};
    auction->handed.id = run->task;
    auction->handed.epoch = run->epoch;
    set_state(run, AUCTION_RUN_STOPPING);
    output_task(output, CHIRR_OUTPUT_STOP, &auction->handed);
}

bool chirr_auction_run_poll(struct chirr_auction *auction, struct chirr_output *output)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        if (auction->runs[i].state == AUCTION_RUN_LOST) {
            output_stop(auction, &auction->runs[i], output);
            return true;
        }
    }
    for (uint32_t i = 0; i < auction->run_count; i++) {
        struct auction_run *run = &auction->runs[i];
        if (run->state != AUCTION_RUN_WANTED) {
            continue;
        }
        const struct chirr_record *record = chirr_records_task(auction->records, run->task);
        if (record != NULL && stands(auction, run, &record->task)) {
            set_state(run, AUCTION_RUN_STARTED);
            run->started_us = auction->now;
            output_task(output, CHIRR_OUTPUT_START, &record->task);
            return true;
        }
    }
    return false;
}

static void state_run(const struct chirr_auction *auction, const struct auction_run *run,
                      const struct chirr_task *task, struct chirr_record *record)
{
    enum chirr_task_phase phase = CHIRR_TASK_RUNNING;
    if (run->state == AUCTION_RUN_ENDED) {
        bool retry =
            chirr_auction_result_is_no_slot(&run->result) ||
            (run->result.end == CHIRR_TASK_END_NOT_STARTED && run->epoch + 1 < START_TRIES_MAX);
        phase = retry ? CHIRR_TASK_RELEASED : CHIRR_TASK_DONE;
    }
    *record = (struct chirr_record){.kind = CHIRR_RECORD_TASK, .task = *task};
    record->task.phase = phase;
    record->task.epoch = run->epoch;
    record->task.owner = auction->config.self;
    record->task.owner_incarnation = auction->incarnation;
    record->task.result = phase == CHIRR_TASK_DONE ? run->result : (struct chirr_task_result){0};
}

bool chirr_auction_run_statement(struct chirr_auction *auction, struct chirr_record *record)
{
    for (uint32_t i = 0; i < auction->run_count; i++) {
        struct auction_run *run = &auction->runs[i];
        bool due = run->state == AUCTION_RUN_WANTED || run->state == AUCTION_RUN_ENDED;
        if (!due || run->offered) {
            continue;
        }
        const struct chirr_record *known = chirr_records_task(auction->records, run->task);
        chirr_auction_run_reconcile(auction, run, known != NULL ? &known->task : NULL);
        bool standing =
            known != NULL && run->state == AUCTION_RUN_WANTED && stands(auction, run, &known->task);
        if (run->state == AUCTION_RUN_FREE || standing) {
            continue;
        }
        run->offered = true;
        state_run(auction, run, &known->task, record);
        return true;
    }
    return false;
}
