#include "agent/activation.h"

#include <stddef.h>
#include <string.h>

static size_t place(const struct chirr_activation *a, uint32_t sense, uint32_t layer)
{
    return ((size_t)sense * a->layers + layer) * a->partitions;
}

/* A layer's averages begin at zero, so while a sense is young they add up to less than the number
 * that answer at a time; their proportions are right from the first chunk on. */
static bool read_layer(const struct chirr_model *model, uint32_t sense, uint32_t layer,
                       uint16_t *permille)
{
    const struct chirr_model_config *config = chirr_model_configuration(model);
    uint32_t hosted = (uint32_t)__builtin_popcountll(config->hosted);
    double answering = config->active > 0 && config->active < hosted ? config->active : hosted;
    double sum = 0;
    for (uint32_t p = 0; p < config->partitions; p++) {
        sum += (double)chirr_model_activation(model, sense, layer, p);
    }
    for (uint32_t p = 0; p < config->partitions && sum > 0; p++) {
        double share = (double)chirr_model_activation(model, sense, layer, p) * answering / sum;
        permille[p] = (uint16_t)(1000 * (share < 1 ? share : 1) + 0.5);
    }
    return sum > 0;
}

void chirr_activation_read(const struct chirr_model *model, struct chirr_activation *out)
{
    const struct chirr_model_config *config = chirr_model_configuration(model);
    out->layers = config->layers;
    out->partitions = config->partitions;
    out->active = config->active;
    out->sense_count = config->sense_count;
    out->hosted = config->hosted;
    out->sense_count = 0;
    for (uint32_t sense = 0; sense < config->sense_count; sense++) {
        if (config->senses[sense].kind == CHIRR_SENSE_OUTCOME) {
            continue;
        }
        struct chirr_activation_sense *s = &out->senses[out->sense_count];
        memcpy(s->name, config->senses[sense].name, sizeof s->name);
        s->known = true;
        for (uint32_t layer = 0; layer < config->layers; layer++) {
            size_t at = place(out, out->sense_count, layer);
            s->known = read_layer(model, sense, layer, out->permille + at) && s->known;
        }
        out->sense_count++;
    }
}

size_t chirr_activation_bytes(const struct chirr_activation *a)
{
    return offsetof(struct chirr_activation, permille) +
           place(a, a->sense_count, 0) * sizeof a->permille[0];
}

/* ---- As JSON ------------------------------------------------------------------------------- */

static bool is_hosted(const struct chirr_activation *a, uint32_t partition)
{
    return (a->hosted >> partition & 1) != 0;
}

static json_t *shares_json(const struct chirr_activation *a, uint32_t sense)
{
    if (!a->senses[sense].known) {
        return json_null();
    }
    json_t *shares = json_array();
    for (uint32_t p = 0; p < a->partitions; p++) {
        if (!is_hosted(a, p)) {
            continue;
        }
        json_t *share = json_array();
        for (uint32_t layer = 0; layer < a->layers; layer++) {
            json_array_append_new(share, json_real(a->permille[place(a, sense, layer) + p] / 1e3));
        }
        json_array_append_new(shares, json_pack("{s:i, s:o}", "partition", (int)p, "share", share));
    }
    return shares;
}

json_t *chirr_activation_json(const struct chirr_activation *a)
{
    json_t *hosted = json_array();
    for (uint32_t p = 0; p < a->partitions; p++) {
        if (is_hosted(a, p)) {
            json_array_append_new(hosted, json_integer((json_int_t)p));
        }
    }
    json_t *senses = json_array();
    for (uint32_t sense = 0; sense < a->sense_count; sense++) {
        const struct chirr_activation_sense *s = &a->senses[sense];
        json_array_append_new(
            senses, json_pack("{s:s, s:o}", "name", s->name, "shares", shares_json(a, sense)));
    }
    return json_pack("{s:i, s:i, s:i, s:o, s:o}", "partitions", (int)a->partitions, "active",
                     (int)a->active, "layers", (int)a->layers, "hosted", hosted, "senses", senses);
}
