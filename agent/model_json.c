#include "agent/model_json.h"

const char *chirr_model_json_kind(enum chirr_sense_kind kind)
{
    switch (kind) {
    case CHIRR_SENSE_BYTES:
        return "bytes";
    case CHIRR_SENSE_VECTOR:
        return "vector";
    case CHIRR_SENSE_OUTCOME:
        return "outcome";
    case CHIRR_SENSE_AUDIO:
        return "audio";
    case CHIRR_SENSE_IMAGE:
        return "image";
    }
    return "unknown";
}

json_t *chirr_model_json_shape(const struct chirr_model_config *c)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:i, s:i, s:i}", "width",
                     (int)c->width, "layers", (int)c->layers, "section_width",
                     (int)c->section_width, "mlp_width", (int)c->mlp_width, "rates", (int)c->rates,
                     "decay_min", (int)c->decay_min, "decay_max", (int)c->decay_max, "input_gate",
                     (int)c->input_gate, "gram_rows", (int)c->gram_rows, "partitions",
                     (int)c->partitions, "active", (int)c->active);
}

json_t *chirr_model_json_learning(const struct chirr_model_config *c)
{
    return json_pack("{s:i, s:f, s:i, s:i, s:b, s:I, s:f, s:f, s:b, s:i}", "chunk", (int)c->chunk,
                     "learning_rate", (double)c->learning_rate, "warmup_updates",
                     (int)c->warmup_updates, "settling_updates", (int)c->settling_updates, "drift",
                     (int)c->drift, "replay", (json_int_t)c->replay_bytes, "replay_share",
                     (double)c->replay_share, "trunk_rate", (double)c->trunk_rate, "narrow_reads",
                     (int)c->narrow_reads, "origins", (int)c->origins_max);
}

json_t *chirr_model_json_hosted(const struct chirr_model_config *c)
{
    json_t *hosted = json_array();
    for (uint32_t p = 0; p < c->partitions; p++) {
        if ((c->hosted >> p & 1) != 0) {
            json_array_append_new(hosted, json_integer((json_int_t)p));
        }
    }
    return hosted;
}

json_t *chirr_model_json_senses(const struct chirr_model_config *c)
{
    json_t *senses = json_array();
    for (uint32_t i = 0; i < c->sense_count; i++) {
        const struct chirr_model_sense *sense = &c->senses[i];
        json_array_append_new(senses, json_pack("{s:s, s:s, s:i, s:i, s:i}", "name", sense->name,
                                                "kind", chirr_model_json_kind(sense->kind), "width",
                                                (int)sense->width, "channels", (int)sense->channels,
                                                "chunk", (int)sense->chunk));
    }
    return senses;
}
