/* The learner on a thread of its own, between two bounded mailboxes.
 *
 * The thread owns the model and the senses: it reads what is sensed, learns, answers what the node
 * asks, and saves checkpoints. The event loop posts requests and takes replies; neither ever waits
 * for the other, so learning cannot delay the network: what does not fit a mailbox is refused and
 * counted. Requests go before sensing. The thread runs at a lower priority and keeps to its share
 * of one CPU by sleeping. */
#ifndef CHIRR_AGENT_LEARNER_THREAD_H
#define CHIRR_AGENT_LEARNER_THREAD_H

#include "agent/activation.h"
#include "agent/config.h"
#include "agent/sense.h"
#include "base/log.h"
#include "model/checkpoint.h"

#define CHIRR_EVALUATE_BYTES_MAX (256 * 1024)

struct chirr_learner_thread_status {
    struct chirr_learner_status learner;
    struct chirr_source_counters senses; /* summed over all */
    enum chirr_checkpoint_origin checkpoint_origin;
    uint64_t checkpoints_saved, checkpoints_failed;
    chirr_time_us checkpoint_at; /* last saved or loaded; 0: never */
};

/* What the thread tells: an answer, or from time to time how it stands. */
struct chirr_learner_report {
    enum {
        CHIRR_LEARNER_REPORT_REPLY = 1,
        CHIRR_LEARNER_REPORT_STATUS,
        CHIRR_LEARNER_REPORT_FAILURE, /* of an evaluation: `failure` */
        CHIRR_LEARNER_REPORT_ACTIVATION,
    } kind;
    union {
        struct chirr_learner_reply reply;
        struct chirr_learner_thread_status status;
        struct {
            uint64_t tag;
            enum chirr_err code;
            char text[256];
        } failure;
        struct {
            uint64_t tag;
            struct chirr_activation of; /* up to chirr_activation_bytes */
        } activation;
    };
};

struct chirr_learner_thread;

/* Makes model and senses and loads the checkpoints in STATE_DIR where there are any
 * (learner_checkpoint.h); one that cannot be read is told to the log and the one before is taken.
 * The thread runs when this returns. NULL and words in `error` on failure. `log` is borrowed and
 * must stand concurrent writes. */
struct chirr_learner_thread *chirr_learner_thread_create(const struct chirr_agent_config *config,
                                                         const struct chirr_log *log,
                                                         struct chirr_error *error);
/* Ends the thread after what it is doing, saves a last checkpoint. */
void chirr_learner_thread_destroy(struct chirr_learner_thread *thread);

/* Loop side. Copies everything that `request` borrows; false, and counted, when the mailbox is
 * full. Texts to evaluate go by `_evaluate`. */
bool chirr_learner_thread_post(struct chirr_learner_thread *thread,
                               const struct chirr_learner_request *request);
/* Evaluates the first `bytes_max` bytes of a file on the first byte sense; the answer is a REPLY or
 * a FAILURE with this tag. CHIRR_ERR_FULL: the mailbox. CHIRR_ERR_RANGE: path or size. */
CHIRR_NODISCARD enum chirr_err chirr_learner_thread_evaluate(struct chirr_learner_thread *thread,
                                                             const char *path, uint32_t bytes_max,
                                                             uint64_t tag);
/* Which partitions answer which sense: the answer is an ACTIVATION with this tag.
 * CHIRR_ERR_FULL: the mailbox. */
CHIRR_NODISCARD enum chirr_err chirr_learner_thread_explain(struct chirr_learner_thread *thread,
                                                            uint64_t tag);
bool chirr_learner_thread_take(struct chirr_learner_thread *thread,
                               struct chirr_learner_report *report);
int chirr_learner_thread_fd(const struct chirr_learner_thread *thread); /* readable: take */

/* Bytes of memory that model, control and activations take; parameters of one model. */
size_t chirr_learner_thread_bytes(const struct chirr_learner_thread *thread);

struct chirr_learner_thread_counters {
    uint64_t requests_refused; /* the thread was too far behind */
    uint64_t reports_refused;  /* the loop was */
};
void chirr_learner_thread_count(const struct chirr_learner_thread *thread,
                                struct chirr_learner_thread_counters *out);

#endif
