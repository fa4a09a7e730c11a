/* One overlay under the hands of a test: it is sample_agent(0), and every card is in its records.
 */
#ifndef CHIRR_TESTS_SWARM_OVERLAY_BENCH_H
#define CHIRR_TESTS_SWARM_OVERLAY_BENCH_H

#include "swarm/overlay.h"

#define BENCH_AGENTS 96

struct bench {
    struct chirr_arena arena;
    struct chirr_arena record_arena;
    struct chirr_record_store *records;
    struct chirr_overlay *overlay;
    chirr_time_us now;
};

struct chirr_overlay_config bench_config(void);
void bench_begin(struct bench *bench, const struct chirr_overlay_config *config);
void bench_end(struct bench *bench);

/* Hands over the card of the agent at `index`. */
enum chirr_err bench_card(struct bench *bench, uint32_t index);
/* Lets time pass; what was put out meanwhile is dropped. */
void bench_pass(struct bench *bench, chirr_time_us for_us);
/* The same among others that live: neighbours repeat that they are, and whoever else is asked to be
 * one answers `answer` (0: nothing). How often somebody was asked; `asked` (NULL: not told) counts
 * for each of them. */
uint32_t bench_live(struct bench *bench, chirr_time_us for_us, enum chirr_view_verb answer,
                    uint32_t asked[BENCH_AGENTS]);
/* Ticks at this instant. */
void bench_tick(struct bench *bench);
void bench_drop_outputs(struct bench *bench);

/* A message from the agent at `from`, who also is its origin; cards of `cards[count]`. */
struct said {
    enum chirr_view_verb verb;
    uint32_t from;
    uint32_t origin; /* of a walk */
    uint32_t hops;
    bool urgent;
    uint32_t count;
    uint32_t cards[CHIRR_VIEW_CARDS_MAX];
};
enum chirr_err bench_say(struct bench *bench, const struct said *said);
/* JOIN, NEIGHBOUR, ACCEPT, REFUSE or DISCONNECT, with the sender's card in a JOIN. */
enum chirr_err bench_hear(struct bench *bench, enum chirr_view_verb verb, uint32_t from);
/* Makes the agent at `index` a neighbour, by a request of its own. */
void bench_befriend(struct bench *bench, uint32_t index);

/* Looks through all that is put out for a SEND of `verb` to the agent at `to` (UINT32_MAX: to
 * anybody); the outputs are gone then. How many there were; the last in `*view`, if not NULL, whose
 * cards live until the next input. */
uint32_t bench_count_sent(struct bench *bench, enum chirr_view_verb verb, uint32_t to,
                          struct chirr_view_message *view);
/* The next output must be this. */
void bench_expect_connect(struct bench *bench, uint32_t to, enum chirr_link kind);
void bench_expect_disconnect(struct bench *bench, uint32_t to);
void bench_expect_nothing(struct bench *bench);

/* Next to bench's own agent on the circle of ids, among those at 1…`count`. */
uint32_t bench_after(uint32_t count);
uint32_t bench_before(uint32_t count);
bool bench_is_neighbour(const struct bench *bench, uint32_t index);
uint32_t bench_neighbour_count(const struct bench *bench);

#endif
