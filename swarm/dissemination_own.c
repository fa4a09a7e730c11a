/* Speaking as self: lives, versions, and what an earlier life said. */
#include <string.h>

#include "swarm/dissemination_state.h"

/* A statement that is dominated already consumes no version: nobody will ever miss it. */
static enum chirr_err speak(struct chirr_dissemination *d, struct chirr_record *record)
{
    record->author = d->config.self;
    record->stamp = (struct chirr_stamp){d->own.incarnation, d->own.version + 1};
    memset(record->signature, 0, sizeof record->signature);
    enum chirr_join how;
    enum chirr_err err = chirr_dissemination_join(d, record, &how);
    if (err != CHIRR_OK) {
        return err;
    }
    if (how != CHIRR_JOIN_CHANGED) {
        return CHIRR_ERR_STALE;
    }
    d->own = record->stamp;
    const struct chirr_digest_entry statement = {d->config.self, d->own};
    chirr_records_cover(d->store, statement);
    chirr_tree_see(d->tree, &statement);
    d->push_due = true;
    return CHIRR_OK;
}

/* Makes every own statement of an earlier life once more, in this one. Each gets the newest stamp,
 * so the oldest held is the next to do, until it is of this life. */
static void restate(struct chirr_dissemination *d)
{
    for (;;) {
        struct chirr_stamp oldest = chirr_records_span(d->store, d->config.self).oldest;
        struct chirr_record record;
        if (oldest.incarnation == 0 || oldest.incarnation >= d->life ||
            chirr_records_since(d->store, d->config.self, (struct chirr_stamp){0, 0}, &record, 1) !=
                1 ||
            speak(d, &record) != CHIRR_OK) {
            return;
        }
        d->counters.restated++;
    }
}

static void begin_life(struct chirr_dissemination *d, uint64_t incarnation)
{
    d->life = incarnation;
    d->own = (struct chirr_stamp){incarnation, 0};
}

enum chirr_err chirr_dissemination_state(struct chirr_dissemination *d, struct chirr_record *record,
                                         uint64_t incarnation, chirr_time_us now)
{
    d->now = now;
    if (d->life == 0 && incarnation <= d->own.incarnation) {
        return CHIRR_ERR_STALE;
    }
    if (d->life == 0) {
        begin_life(d, incarnation);
    } else if (incarnation > d->own.incarnation) {
        d->own = (struct chirr_stamp){incarnation, 0};
    }
    enum chirr_err err = speak(d, record);
    restate(d);
    return err;
}

/* Others know claims that this life never made: they are void. */
static enum chirr_err withdraw_claims(struct chirr_dissemination *d)
{
    if (chirr_records_claims(d->store, d->config.self) != NULL) {
        return CHIRR_OK;
    }
    struct chirr_record none;
    memset(&none, 0, sizeof none);
    none.kind = CHIRR_RECORD_CLAIMS;
    return speak(d, &none);
}

/* A record of this agent's own, from disk or from others. One beyond all that it said means that it
 * had a greater incarnation before (its clock was set back): a new life begins above that, and
 * everything is said again. */
enum chirr_err chirr_dissemination_hear_own(struct chirr_dissemination *d,
                                            const struct chirr_record *record)
{
    if (record->stamp.incarnation == UINT64_MAX) {
        d->counters.refused++;
        return CHIRR_ERR_RANGE;
    }
    bool beyond = chirr_stamp_compare(record->stamp, d->own) > 0;
    enum chirr_err err = CHIRR_OK;
    enum chirr_join how;
    if (record->kind == CHIRR_RECORD_TASK) {
        err = chirr_dissemination_join(d, record, &how);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    if (beyond && d->life == 0) {
        d->own = record->stamp;
    } else if (beyond) {
        begin_life(d, record->stamp.incarnation + 1);
    }
    if (d->life == 0) {
        return CHIRR_OK;
    }
    restate(d);
    bool void_claims = record->kind == CHIRR_RECORD_CLAIMS && record->stamp.incarnation < d->life;
    return void_claims ? withdraw_claims(d) : CHIRR_OK;
}

enum chirr_err chirr_dissemination_restore(struct chirr_dissemination *d,
                                           const struct chirr_record *record)
{
    enum chirr_join how;
    return record->author == d->config.self ? chirr_dissemination_hear_own(d, record)
                                            : chirr_dissemination_join(d, record, &how);
}
