/* Eager and lazy neighbours, what was seen, and what is missed. */
#include "swarm/tree.h"

#include <string.h>

#include "base/ring.h"

#define NEIGHBOURS_MAX 64
#define SOURCES_MAX 3   /* who announced a missing statement, the first few */
#define ROUNDS_MAX 4    /* each of them is asked so often */
#define FRESH_MAX 256   /* announcements that wait to be made */
#define REPEATS_MAX 256 /* announcements that wait to be made again */
/* Loss is a share in 1/65,536, of about the last 16 statements. More than one in eight missing is
 * more than a tree has to mend while its agents come and go. */
#define LOSS_ALL 65536
#define LOSS_SPAN 16
#define LOSSY (LOSS_ALL / 8)
#define EMPTY 0 /* no statement digests to it */

struct neighbour {
    chirr_agent_id agent;
    bool eager;
    bool moved;          /* a LISTEN is due */
    uint32_t duplicates; /* pushes in a row that brought nothing first */
};

/* A statement that was announced but not pushed yet. */
struct missing {
    struct chirr_digest_entry statement;
    chirr_agent_id sources[SOURCES_MAX];
    uint32_t source_count;
    uint32_t asked;       /* sources asked so far */
    chirr_time_us ask_at; /* the next, or nobody any more */
};

/* A statement that waits to be announced, or to be announced again. */
struct announcement {
    struct chirr_digest_entry statement;
    chirr_time_us at;
};

struct chirr_tree {
    struct chirr_tree_config config;
    bool mesh;
    struct neighbour neighbours[NEIGHBOURS_MAX]; /* ascending by id */
    uint32_t neighbour_count;
    uint32_t moved_count;

    uint64_t *seen;            /* [2 * seen_max], open addressing */
    struct chirr_ring history; /* of uint64_t, the oldest is forgotten first */

    struct missing *missing; /* [missing_max], in order of arrival */
    uint32_t missing_count;
    struct chirr_digest_entry asked[CHIRR_HAVE_ENTRIES_MAX]; /* borrowed by a SEND */
    chirr_time_us now;                                       /* of the newest input */

    struct chirr_ring fresh;   /* of struct announcement, in order of time */
    struct chirr_ring repeats; /* of struct announcement, in order of time */
    uint32_t loss;             /* share of what was said lately that was missed, of LOSS_ALL */
    struct chirr_digest_entry announced[CHIRR_HAVE_ENTRIES_MAX]; /* borrowed by a PUBLISH */
    uint32_t announced_count;
    uint32_t eager_from; /* from there on to be published to the eager, if not announced_count */
    struct chirr_message message;
    struct chirr_tree_counters counters;
};

struct chirr_tree_config chirr_tree_config_default(void)
{
    return (struct chirr_tree_config){
        .neighbours_max = NEIGHBOURS_MAX,
        .seen_max = 2048,
        .missing_max = 256,
        .prune_after = 3,
        .have_delay_ms = 60,
        .have_repeat_ms = 50,
        .graft_delay_ms = 10,
        .graft_retry_ms = 60,
    };
}

enum chirr_err chirr_tree_config_validate(const struct chirr_tree_config *config,
                                          struct chirr_error *error)
{
    if (config->neighbours_max == 0 || config->neighbours_max > NEIGHBOURS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "neighbours_max is %u, must be 1…%d",
                               config->neighbours_max, NEIGHBOURS_MAX);
    }
    if (config->seen_max < 64 || config->seen_max > 65536 ||
        (config->seen_max & (config->seen_max - 1)) != 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "seen_max is %u, must be a power of two, 64…65,536",
                               config->seen_max);
    }
    if (config->missing_max == 0 || config->missing_max > 1024) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "missing_max is %u, must be 1…1,024",
                               config->missing_max);
    }
    if (config->prune_after == 0 || config->graft_retry_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "prune_after and graft_retry_ms must be at least 1");
    }
    return CHIRR_OK;
}

size_t chirr_tree_bytes(const struct chirr_tree_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_tree)) +
           chirr_arena_round(2 * (size_t)config->seen_max * sizeof(uint64_t)) +
           chirr_ring_bytes(config->seen_max, sizeof(uint64_t)) +
           chirr_ring_bytes(FRESH_MAX, sizeof(struct announcement)) +
           chirr_ring_bytes(REPEATS_MAX, sizeof(struct announcement)) +
           chirr_arena_round(config->missing_max * sizeof(struct missing));
}

struct chirr_tree *chirr_tree_create(struct chirr_arena *arena,
                                     const struct chirr_tree_config *config)
{
    CHIRR_ASSERT(chirr_tree_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_tree *tree = chirr_arena_take(arena, 1, sizeof *tree);
    if (tree == NULL) {
        return NULL;
    }
    tree->config = *config;
    tree->seen = chirr_arena_take(arena, 2 * (size_t)config->seen_max, sizeof *tree->seen);
    enum chirr_err err = chirr_ring_init(&tree->history, arena, config->seen_max, sizeof(uint64_t));
    if (err == CHIRR_OK) {
        err = chirr_ring_init(&tree->repeats, arena, REPEATS_MAX, sizeof(struct announcement));
    }
    if (err == CHIRR_OK) {
        err = chirr_ring_init(&tree->fresh, arena, FRESH_MAX, sizeof(struct announcement));
    }
    tree->missing = chirr_arena_take(arena, config->missing_max, sizeof *tree->missing);
    return tree->seen == NULL || tree->missing == NULL || err != CHIRR_OK ? NULL : tree;
}

/* ---- What was seen ------------------------------------------------------------------------- */

static uint64_t fingerprint(const struct chirr_digest_entry *statement)
{
    uint64_t hash = statement->author;
    const uint64_t words[] = {statement->stamp.incarnation, statement->stamp.version};
    for (int i = 0; i < 2; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash == EMPTY ? 1 : hash;
}

static uint32_t slot_of(const struct chirr_tree *tree, uint64_t print)
{
    uint32_t mask = 2 * tree->config.seen_max - 1;
    uint32_t at = (uint32_t)(print >> 32) & mask;
    while (tree->seen[at] != EMPTY && tree->seen[at] != print) {
        at = (at + 1) & mask;
    }
    return at;
}

/* Closes the gap that the one at `hole` leaves in its run (Knuth, volume 3, algorithm 6.4R). */
static void forget(struct chirr_tree *tree, uint32_t hole)
{
    uint32_t mask = 2 * tree->config.seen_max - 1;
    tree->seen[hole] = EMPTY;
    for (uint32_t at = (hole + 1) & mask; tree->seen[at] != EMPTY; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)(tree->seen[at] >> 32) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            tree->seen[hole] = tree->seen[at];
            tree->seen[at] = EMPTY;
            hole = at;
        }
    }
}

static bool was_seen(const struct chirr_tree *tree, const struct chirr_digest_entry *statement)
{
    return tree->seen[slot_of(tree, fingerprint(statement))] != EMPTY;
}

static bool same_statement(const struct chirr_digest_entry *a, const struct chirr_digest_entry *b)
{
    return a->author == b->author && chirr_stamp_compare(a->stamp, b->stamp) == 0;
}

static void drop_missing(struct chirr_tree *tree, uint32_t index)
{
    tree->missing_count--;
    memmove(&tree->missing[index], &tree->missing[index + 1],
            (tree->missing_count - index) * sizeof *tree->missing);
}

static struct missing *find_missing(struct chirr_tree *tree,
                                    const struct chirr_digest_entry *statement)
{
    for (uint32_t i = 0; i < tree->missing_count; i++) {
        if (same_statement(&tree->missing[i].statement, statement)) {
            return &tree->missing[i];
        }
    }
    return NULL;
}

bool chirr_tree_see(struct chirr_tree *tree, const struct chirr_digest_entry *statement)
{
    uint64_t print = fingerprint(statement);
    if (tree->seen[slot_of(tree, print)] != EMPTY) {
        return false;
    }
    if (tree->history.count == tree->history.capacity) {
        uint64_t oldest;
        chirr_ring_pop(&tree->history, &oldest);
        forget(tree, slot_of(tree, oldest));
    }
    chirr_ring_push(&tree->history, &print);
    tree->seen[slot_of(tree, print)] = print;
    tree->loss -= tree->loss / LOSS_SPAN;
    struct missing *missing = find_missing(tree, statement);
    if (missing != NULL && missing->asked > 0) {
        chirr_tree_lost(tree);
    }
    if (missing != NULL) {
        drop_missing(tree, (uint32_t)(missing - tree->missing));
    }
    return true;
}

/* ---- Neighbours ---------------------------------------------------------------------------- */

static struct neighbour *find_neighbour(const struct chirr_tree *tree, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < tree->neighbour_count; i++) {
        if (tree->neighbours[i].agent == agent) {
            return (struct neighbour *)&tree->neighbours[i];
        }
    }
    return NULL;
}

static void move(struct chirr_tree *tree, struct neighbour *neighbour, bool eager)
{
    neighbour->duplicates = 0;
    if (neighbour->eager == eager) {
        return;
    }
    neighbour->eager = eager;
    /* Back before anybody was told: nothing to tell. */
    tree->moved_count += neighbour->moved ? -1U : 1U;
    neighbour->moved = !neighbour->moved;
}

void chirr_tree_set_neighbours(struct chirr_tree *tree, const chirr_agent_id *agents,
                               uint32_t count, bool mesh)
{
    struct neighbour next[NEIGHBOURS_MAX];
    count = count < tree->config.neighbours_max ? count : tree->config.neighbours_max;
    tree->moved_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct neighbour *known = find_neighbour(tree, agents[i]);
        next[i] = known != NULL ? *known : (struct neighbour){.agent = agents[i], .eager = true};
        tree->moved_count += next[i].moved;
    }
    memcpy(tree->neighbours, next, count * sizeof next[0]);
    tree->neighbour_count = count;
    tree->mesh = mesh;
    if (mesh) {
        tree->counters.dropped += tree->repeats.count + tree->fresh.count;
        tree->repeats.count = 0;
        tree->fresh.count = 0;
    }
    for (uint32_t i = 0; mesh && i < count; i++) {
        move(tree, &tree->neighbours[i], true);
    }
}

static uint32_t eager_count(const struct chirr_tree *tree)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tree->neighbour_count; i++) {
        count += tree->neighbours[i].eager;
    }
    return count;
}

void chirr_tree_pushed(struct chirr_tree *tree, chirr_agent_id from, bool first)
{
    struct neighbour *neighbour = find_neighbour(tree, from);
    if (neighbour == NULL || tree->mesh) {
        return;
    }
    neighbour->duplicates = first ? 0 : neighbour->duplicates + 1;
    if (neighbour->eager && neighbour->duplicates >= tree->config.prune_after &&
        eager_count(tree) > 1) {
        move(tree, neighbour, false);
        tree->counters.prunes++;
    }
}

bool chirr_tree_is_eager(const struct chirr_tree *tree, chirr_agent_id neighbour)
{
    const struct neighbour *found = find_neighbour(tree, neighbour);
    return found != NULL && found->eager;
}

/* ---- Announcements ------------------------------------------------------------------------- */

void chirr_tree_announce(struct chirr_tree *tree, const struct chirr_digest_entry *statement,
                         chirr_time_us now)
{
    tree->now = now;
    if (tree->mesh) {
        return;
    }
    const struct announcement fresh = {*statement,
                                       now + chirr_time_from_ms(tree->config.have_delay_ms)};
    tree->counters.dropped += !chirr_ring_push(&tree->fresh, &fresh);
}

/* When the first of them is due; a message full of them goes at once. */
static chirr_time_us announced_at(const struct chirr_tree *tree)
{
    if (tree->fresh.count == 0) {
        return CHIRR_TIME_NEVER;
    }
    const struct announcement *first = chirr_ring_at(&tree->fresh, 0);
    return tree->fresh.count < CHIRR_HAVE_ENTRIES_MAX ? first->at : tree->now;
}

static void add_source(struct missing *missing, chirr_agent_id from)
{
    for (uint32_t i = 0; i < missing->source_count; i++) {
        if (missing->sources[i] == from) {
            return;
        }
    }
    if (missing->source_count < SOURCES_MAX) {
        missing->sources[missing->source_count++] = from;
    }
}

/* Nobody takes more places than are left, so that who makes statements up leaves room to others. */
static bool has_room(const struct chirr_tree *tree, chirr_agent_id from)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < tree->missing_count; i++) {
        taken += tree->missing[i].sources[0] == from;
    }
    return taken < tree->config.missing_max - tree->missing_count;
}

void chirr_tree_announced(struct chirr_tree *tree, chirr_agent_id from,
                          const struct chirr_have *have, chirr_time_us now)
{
    tree->now = now;
    if (find_neighbour(tree, from) == NULL) {
        tree->counters.strangers += have->count;
        return;
    }
    for (uint32_t i = 0; i < have->count; i++) {
        const struct chirr_digest_entry *statement = &have->entries[i];
        if (was_seen(tree, statement)) {
            continue;
        }
        struct missing *missing = find_missing(tree, statement);
        if (missing == NULL && !has_room(tree, from)) {
            tree->counters.dropped++;
            continue;
        }
        if (missing == NULL) {
            missing = &tree->missing[tree->missing_count++];
            *missing =
                (struct missing){.statement = *statement,
                                 .ask_at = now + chirr_time_from_ms(tree->config.graft_delay_ms)};
        }
        add_source(missing, from);
    }
}

void chirr_tree_lost(struct chirr_tree *tree)
{
    tree->loss += (LOSS_ALL - tree->loss) / LOSS_SPAN;
}

static bool was_any_seen(const struct chirr_tree *tree, const struct chirr_have *have)
{
    for (uint32_t i = 0; i < have->count; i++) {
        if (was_seen(tree, &have->entries[i])) {
            return true;
        }
    }
    return false;
}

/* The neighbours' losses count as many times less as there are neighbours. */
void chirr_tree_grafted(struct chirr_tree *tree, chirr_agent_id from, const struct chirr_have *have)
{
    struct neighbour *neighbour = find_neighbour(tree, from);
    if (neighbour == NULL || !was_any_seen(tree, have)) {
        return;
    }
    tree->loss += (LOSS_ALL - tree->loss) / (LOSS_SPAN * tree->neighbour_count);
    move(tree, neighbour, true);
}

/* ---- Time and output ----------------------------------------------------------------------- */

void chirr_tree_tick(struct chirr_tree *tree, chirr_time_us now)
{
    tree->now = now;
}

chirr_time_us chirr_tree_deadline(const struct chirr_tree *tree)
{
    chirr_time_us at = announced_at(tree);
    if (tree->repeats.count > 0) {
        at =
            chirr_time_min(at, ((const struct announcement *)chirr_ring_at(&tree->repeats, 0))->at);
    }
    for (uint32_t i = 0; i < tree->missing_count; i++) {
        at = chirr_time_min(at, tree->missing[i].ask_at);
    }
    return at;
}

static bool poll_listen(struct chirr_tree *tree, struct chirr_output *output)
{
    for (uint32_t i = 0; i < tree->neighbour_count && tree->moved_count > 0; i++) {
        struct neighbour *neighbour = &tree->neighbours[i];
        if (neighbour->moved) {
            neighbour->moved = false;
            tree->moved_count--;
            *output = (struct chirr_output){.kind = CHIRR_OUTPUT_LISTEN,
                                            .to = neighbour->agent,
                                            .topic = neighbour->eager ? CHIRR_TOPIC_EAGER
                                                                      : CHIRR_TOPIC_LAZY};
            return true;
        }
    }
    return false;
}

/* The next source of this one; 0 when nobody is left. */
static chirr_agent_id next_source(const struct missing *missing)
{
    return missing->asked < ROUNDS_MAX * missing->source_count
               ? missing->sources[missing->asked % missing->source_count]
               : 0;
}

/* Asks `from` for everything that is due and that it is the next source of (section 3.4). */
static uint32_t collect_due(struct chirr_tree *tree, chirr_agent_id from)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tree->missing_count && count < CHIRR_HAVE_ENTRIES_MAX; i++) {
        struct missing *missing = &tree->missing[i];
        if (missing->ask_at <= tree->now && next_source(missing) == from) {
            missing->asked++;
            missing->ask_at = tree->now + chirr_time_from_ms(tree->config.graft_retry_ms);
            tree->asked[count++] = missing->statement;
        }
    }
    return count;
}

static bool poll_graft(struct chirr_tree *tree, struct chirr_output *output)
{
    for (uint32_t i = 0; i < tree->missing_count;) {
        const struct missing *missing = &tree->missing[i];
        chirr_agent_id source = next_source(missing);
        struct neighbour *neighbour = find_neighbour(tree, source);
        if (missing->ask_at > tree->now) {
            i++;
            continue;
        }
        if (source == 0) {
            tree->counters.given_up++;
            drop_missing(tree, i);
            continue;
        }
        if (neighbour == NULL) { /* gone meanwhile */
            tree->missing[i].asked++;
            continue;
        }
        move(tree, neighbour, true);
        uint32_t count = collect_due(tree, source);
        tree->counters.grafts++;
        tree->counters.asked += count;
        tree->message = (struct chirr_message){.kind = CHIRR_MESSAGE_GRAFT,
                                               .have = {.count = count, .entries = tree->asked}};
        *output = (struct chirr_output){
            .kind = CHIRR_OUTPUT_SEND, .to = source, .message = &tree->message};
        return true;
    }
    return false;
}

static bool is_lossy(const struct chirr_tree *tree)
{
    return tree->loss > LOSSY;
}

/* Into tree->announced: what is new, and is made again later while there is loss. What is due soon
 * goes along. */
static uint32_t take_fresh(struct chirr_tree *tree)
{
    bool due = announced_at(tree) <= tree->now;
    bool full = tree->fresh.count >= CHIRR_HAVE_ENTRIES_MAX;
    chirr_time_us until_us = tree->now + chirr_time_from_ms(tree->config.have_delay_ms) / 4;
    uint32_t count = 0;
    while (due && tree->fresh.count > 0 && count < CHIRR_HAVE_ENTRIES_MAX) {
        const struct announcement *next = chirr_ring_at(&tree->fresh, 0);
        if (next->at > until_us && !full) {
            break;
        }
        struct announcement fresh;
        chirr_ring_pop(&tree->fresh, &fresh);
        tree->announced[count++] = fresh.statement;
        fresh.at = tree->now + chirr_time_from_ms(tree->config.have_repeat_ms);
        if (is_lossy(tree)) {
            tree->counters.dropped += !chirr_ring_push(&tree->repeats, &fresh);
        }
    }
    return count;
}

static bool publish_have(struct chirr_tree *tree, enum chirr_topic topic, uint32_t first,
                         struct chirr_output *output)
{
    uint32_t count = tree->announced_count - first;
    tree->message = (struct chirr_message){
        .kind = CHIRR_MESSAGE_HAVE, .have = {.count = count, .entries = &tree->announced[first]}};
    *output = (struct chirr_output){
        .kind = CHIRR_OUTPUT_PUBLISH, .topic = topic, .message = &tree->message};
    return true;
}

/* What is new goes to the lazy, what is repeated to all. */
static bool poll_have(struct chirr_tree *tree, struct chirr_output *output)
{
    uint32_t again = tree->eager_from;
    if (again < tree->announced_count) {
        tree->eager_from = tree->announced_count;
        return publish_have(tree, CHIRR_TOPIC_EAGER, again, output);
    }
    uint32_t count = take_fresh(tree);
    tree->eager_from = count;
    while (tree->repeats.count > 0 && count < CHIRR_HAVE_ENTRIES_MAX &&
           ((const struct announcement *)chirr_ring_at(&tree->repeats, 0))->at <= tree->now) {
        struct announcement repeat;
        chirr_ring_pop(&tree->repeats, &repeat);
        tree->announced[count++] = repeat.statement;
    }
    tree->announced_count = count;
    tree->counters.announced += count;
    return count > 0 && publish_have(tree, CHIRR_TOPIC_LAZY, 0, output);
}

bool chirr_tree_poll(struct chirr_tree *tree, struct chirr_output *output)
{
    return poll_graft(tree, output) || poll_listen(tree, output) || poll_have(tree, output);
}

const struct chirr_tree_counters *chirr_tree_count(const struct chirr_tree *tree)
{
    return &tree->counters;
}
