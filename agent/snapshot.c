#include "agent/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The number at a path such as "knowledge.bytes_in"; NaN where there is none. */
static double number_at(const json_t *object, const char *path)
{
    char key[64];
    for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(path, '.')) {
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        object = json_object_get(object, key);
        path = dot + 1;
    }
    const json_t *value = json_object_get(object, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static uint64_t count_at(const json_t *object, const char *path)
{
    double value = number_at(object, path);
    return value > 0 ? (uint64_t)value : 0;
}

static uint32_t alive_members(const json_t *members)
{
    uint32_t alive = 0;
    size_t index;
    json_t *member;
    json_array_foreach(members, index, member)
    {
        const char *status = json_string_value(json_object_get(member, "status"));
        alive += status != NULL && strcmp(status, "alive") == 0;
    }
    return alive;
}

static void add_drop(struct chirr_drops *drops, const char *reason, uint64_t count)
{
    for (uint32_t i = 0; i < drops->count; i++) {
        if (strcmp(drops->reasons[i].reason, reason) == 0) {
            drops->reasons[i].count += count;
            return;
        }
    }
    if (drops->count == CHIRR_SNAPSHOT_DROPS_MAX - 1) {
        reason = "other";
    }
    if (drops->count == CHIRR_SNAPSHOT_DROPS_MAX) {
        drops->reasons[drops->count - 1].count += count;
        return;
    }
    struct chirr_drop_count *added = &drops->reasons[drops->count++];
    snprintf(added->reason, sizeof added->reason, "%s", reason);
    added->count = count;
}

static void parse_drops(const json_t *drops, struct chirr_drops *out)
{
    const char *reason;
    json_t *count;
    /* The macro takes a json_t * and does not change it. */
    json_object_foreach((json_t *)drops, reason, count)
    {
        if (json_is_integer(count) && json_integer_value(count) > 0) {
            add_drop(out, reason, (uint64_t)json_integer_value(count));
        }
    }
}

static void parse_totals(const json_t *status, struct chirr_snapshot_totals *totals)
{
    totals->knowledge_bytes_in = count_at(status, "knowledge.bytes_in");
    totals->knowledge_bytes_out = count_at(status, "knowledge.bytes_out");
    totals->deltas_applied = count_at(status, "knowledge.deltas_applied");
    totals->deltas_out = count_at(status, "knowledge.deltas_out");
    totals->tasks_done = count_at(status, "tasks.done_here");
    totals->tasks_failed = count_at(status, "tasks.failed_here");
    totals->wire_records = count_at(status, "wire.received.records");
    totals->wire_knowledge = count_at(status, "wire.received.knowledge");
    totals->wire_membership = count_at(status, "wire.received.membership");
    totals->bytes_learned = count_at(status, "model.bytes_learned");
    parse_drops(json_object_get(status, "drops"), &totals->drops);
}

void chirr_snapshot_parse(const json_t *status, struct chirr_snapshot *snapshot)
{
    *snapshot = (struct chirr_snapshot){0};
    snapshot->model = json_is_object(json_object_get(status, "model"));
    const char *id = json_string_value(json_object_get(json_object_get(status, "agent"), "id"));
    snprintf(snapshot->id, sizeof snapshot->id, "%s", id != NULL ? id : "");
    snapshot->running = (uint32_t)count_at(status, "tasks.running");
    snapshot->members_alive = alive_members(json_object_get(status, "members"));
    snapshot->bits_start = number_at(status, "model.bits_start");
    snapshot->bits_now = number_at(status, "model.bits_now");
    snapshot->bits_alone = number_at(status, "model.bits_alone");
    snapshot->surprise = number_at(status, "model.surprise");
    snapshot->predicted_s_last = number_at(status, "tasks.predicted_s_last");
    snapshot->real_s_last = number_at(status, "tasks.real_s_last");
    snapshot->loop_lag_ms_max = number_at(status, "loop.lag_ms_max");
    parse_totals(status, &snapshot->totals);
}

void chirr_snapshot_add_life(struct chirr_snapshot_totals *sum,
                             const struct chirr_snapshot_totals *life)
{
    sum->knowledge_bytes_in += life->knowledge_bytes_in;
    sum->knowledge_bytes_out += life->knowledge_bytes_out;
    sum->deltas_applied += life->deltas_applied;
    sum->deltas_out += life->deltas_out;
    sum->tasks_done += life->tasks_done;
    sum->tasks_failed += life->tasks_failed;
    sum->wire_records += life->wire_records;
    sum->wire_knowledge += life->wire_knowledge;
    sum->wire_membership += life->wire_membership;
    sum->bytes_learned += life->bytes_learned;
    for (uint32_t i = 0; i < life->drops.count; i++) {
        add_drop(&sum->drops, life->drops.reasons[i].reason, life->drops.reasons[i].count);
    }
}
