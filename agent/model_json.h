/* A model's configuration as JSON: what `chirr model info` tells and an export carries along. Not
 * installed. New references. */
#ifndef CHIRR_AGENT_MODEL_JSON_H
#define CHIRR_AGENT_MODEL_JSON_H

#include <jansson.h>

#include "model/model.h"

/* "bytes", "vector", … */
const char *chirr_model_json_kind(enum chirr_sense_kind kind);

/* All that the lineage is made of but the seed, so that the weights can be run; names as in
 * docs/configuration.md. */
json_t *chirr_model_json_shape(const struct chirr_model_config *config);
/* How it learns. */
json_t *chirr_model_json_learning(const struct chirr_model_config *config);
/* [partition, …] */
json_t *chirr_model_json_hosted(const struct chirr_model_config *config);
/* [{"name", "kind", "width", "channels", "chunk"}, …] */
json_t *chirr_model_json_senses(const struct chirr_model_config *config);

#endif
