/* A training of a model on files: which byte comes when, and how far it has come.
 *
 * The texts, recordings and pictures follow each other in the order given, pass after pass, each
 * without its end where a part is held out. They are all called texts here, and their bytes are
 * those that a sense takes (agent/media.h). A position counts the bytes of that sequence. It is
 * what the model has sensed since the training began, so the checkpoint itself says where to go on,
 * and no crash can part the two. What a checkpoint cannot say lies beside it, in MODEL.train: the
 * texts by digest, so that none is exchanged unnoticed, and for the last few checkpoints the bits
 * that they had cost.
 *
 * Owns its copies of paths; opens a text whenever it reads one; of recordings and pictures it keeps
 * the one that was read last, decoded. Not thread-safe. */
#ifndef CHIRR_AGENT_TRAINING_H
#define CHIRR_AGENT_TRAINING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/media.h"
#include "base/error.h"

#define CHIRR_TRAINING_TEXTS_MAX 4096
#define CHIRR_TRAINING_POINTS 4 /* the two files of a checkpoint, and one being written */

struct chirr_training_text {
    char *path;
    struct chirr_media media;
    uint32_t sense; /* that reads it; the caller's */
    uint64_t bytes;
    uint64_t learned_bytes; /* in a pass, of pictures whole rows; the rest is held out */
    uint64_t digest;
};

/* How things stood when the model had sensed so much. */
struct chirr_training_point {
    uint64_t sensed;
    uint64_t bytes; /* that `bits` are the sum over */
    double bits;
};

struct chirr_training {
    uint64_t begin;             /* what the model had sensed before */
    uint64_t end;               /* the position to reach: told to people, may be set anew */
    uint32_t held_out_permille; /* 0…999 */
    size_t text_count;
    struct chirr_training_text *texts;
    struct {
        size_t text; /* whose it is */
        uint8_t *bytes;
    } decoded;
    struct chirr_training_point points[CHIRR_TRAINING_POINTS]; /* ascending; unused ones first */
};

/* What kind each text is. CHIRR_ERR_IO; CHIRR_ERR_RANGE: too many; CHIRR_ERR_NOMEM. With words. */
CHIRR_NODISCARD enum chirr_err chirr_training_init(struct chirr_training *training,
                                                   char *const *paths, size_t count,
                                                   struct chirr_error *error);
/* Reads every text, as its `media` says, which the caller may have changed: none may be empty.
 * CHIRR_ERR_IO, CHIRR_ERR_NOMEM. With words. */
CHIRR_NODISCARD enum chirr_err chirr_training_examine(struct chirr_training *training,
                                                      uint32_t held_out_permille,
                                                      struct chirr_error *error);
/* Takes a zeroed one, and one whose `init` failed. */
void chirr_training_finish(struct chirr_training *training);

/* Whether both go through the same bytes, wherever the files lie. */
bool chirr_training_equal(const struct chirr_training *a, const struct chirr_training *b);

uint64_t chirr_training_pass_bytes(const struct chirr_training *training);

struct chirr_training_place {
    size_t text;
    uint64_t offset; /* in it */
    uint64_t left;   /* to learn of it from there on, at least 1 */
};
struct chirr_training_place chirr_training_find_place(const struct chirr_training *training,
                                                      uint64_t position);

/* Fills `buffer` with `count` bytes of a text, at most those that are left. CHIRR_ERR_IO: it cannot
 * be read, or has become shorter; CHIRR_ERR_NOMEM. */
CHIRR_NODISCARD enum chirr_err chirr_training_read(struct chirr_training *training,
                                                   const struct chirr_training_place *place,
                                                   uint8_t *buffer, size_t count,
                                                   struct chirr_error *error);

/* Marks a checkpoint to come: of the points, the oldest goes. */
void chirr_training_mark(struct chirr_training *training, const struct chirr_training_point *point);
/* The point of a model that has sensed so much; zeros but for `sensed` when none is known. */
struct chirr_training_point chirr_training_find(const struct chirr_training *training,
                                                uint64_t sensed);

/* As JSON, under a temporary name, synced and renamed. */
CHIRR_NODISCARD enum chirr_err chirr_training_save(const struct chirr_training *training,
                                                   const char *path, struct chirr_error *error);
/* CHIRR_ERR_NOTFOUND: no file. CHIRR_ERR_MALFORMED: not what a save writes. The texts themselves
 * are not looked at. */
CHIRR_NODISCARD enum chirr_err chirr_training_load(struct chirr_training *training,
                                                   const char *path, struct chirr_error *error);

#endif
