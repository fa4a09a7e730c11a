/* A model's parameters in files that others read.
 *
 * safetensors (the format's description, version 0.4: 8 bytes of length, a JSON header, numbers):
 * names, shapes and little-endian f32; `__metadata__` holds the configuration, as JSON in texts.
 * CSV: a line for each number, `tensor,row,column,value`, with nine digits, which give back the
 * f32. A file is written under a temporary name, then renamed; a device, a pipe or a link as it
 * stands. */
#ifndef CHIRR_AGENT_EXPORT_H
#define CHIRR_AGENT_EXPORT_H

#include "model/tensors.h"

enum chirr_export_format {
    CHIRR_EXPORT_SAFETENSORS,
    CHIRR_EXPORT_CSV,
};

/* `bytes` is how many were written. CHIRR_ERR_IO, CHIRR_ERR_NOMEM: a file at `path` is as it was.
 */
CHIRR_NODISCARD enum chirr_err chirr_export_write(struct chirr_model *model, const char *path,
                                                  enum chirr_export_format format, bool averaged,
                                                  uint64_t *bytes, struct chirr_error *error);

#endif
