/* What operators say, as the process obeys it and as its control socket is asked about it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/process.h"
#include "agent/trust.h"

/* ---- Obeying --------------------------------------------------------------------------------- */

static const char *name_of(const struct chirr_agent *agent, chirr_agent_id id)
{
    const struct chirr_record *card = chirr_records_card(chirr_node_records(agent->node), id);
    return card == NULL ? "" : card->card.name;
}

/* Agents of a fleet share a keyring file; whoever writes it last has heard at least as much of it
 * as it says, and the store keeps the registers, so a failure costs nothing but this file. */
static void write_keyring(struct chirr_agent *agent)
{
    struct chirr_error why;
    if (agent->config.keyring[0] != '\0' &&
        chirr_trust_apply_file(agent->config.keyring, chirr_node_records(agent->node), &why) !=
            CHIRR_OK) {
        agent->counters.keyring_failures++;
        chirr_log_warning(agent->log, "the keyring file does not say what operators said: %s",
                          why.text);
    }
}

void chirr_process_trust(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_trust_effect effect;
    chirr_trust_apply(agent->keyring, chirr_node_records(agent->node), agent->identity.public_key,
                      &effect);
    for (uint32_t i = 0; i < effect.gone_count; i++) {
        chirr_agent_id id = effect.gone[i];
        chirr_log_warning(agent->log,
                          "%s (%016" PRIx64 ") is no longer trusted: an operator "
                          "removed it",
                          name_of(agent, id), id);
        chirr_transport_cut(agent->transport, id);
        chirr_node_forget(agent->node, id, now);
    }
    for (uint32_t i = 0; i < effect.retired_count; i++) {
        chirr_log_info(agent->log, "%s (%016" PRIx64 ") has lost a key",
                       name_of(agent, effect.retired[i]), effect.retired[i]);
        chirr_transport_cut(agent->transport, effect.retired[i]);
    }
    if (effect.self_removed && !agent->removed) {
        chirr_log_warning(agent->log, "an operator removed this agent's own key: the others cut it "
                                      "off");
    }
    agent->removed = effect.self_removed;
    agent->counters.trust_refused += effect.refused;
    if (effect.added + effect.removed > 0) {
        chirr_log_info(agent->log, "operators: %u keys added, %u removed", effect.added,
                       effect.removed);
    }
    write_keyring(agent);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static json_t *keys_of(const struct chirr_keyring_entry *entry)
{
    json_t *keys = json_array();
    for (uint32_t k = 0; k < entry->key_count; k++) {
        char key[CHIRR_KEY_TEXT_BYTES];
        chirr_key_format(entry->keys[k].public_key, key);
        json_array_append_new(keys, json_string(key));
    }
    return keys;
}

static json_t *list_holders(const struct chirr_agent *agent)
{
    json_t *holders = json_array();
    for (size_t i = 0; i < chirr_keyring_count(agent->keyring); i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(agent->keyring, i);
        const char *name = entry->name[0] != '\0' ? entry->name : name_of(agent, entry->id);
        json_array_append_new(
            holders, json_pack("{s:o, s:s, s:b, s:o}", "id", chirr_process_id(entry->id), "name",
                               name, "operator", (int)entry->is_operator, "keys", keys_of(entry)));
    }
    return holders;
}

/* Of the operators, by id: what they said last. */
static json_t *list_registers(const struct chirr_agent *agent)
{
    json_t *registers = json_object();
    for (size_t i = 0; i < chirr_keyring_count(agent->keyring); i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(agent->keyring, i);
        const struct chirr_record *record =
            chirr_records_trust(chirr_node_records(agent->node), entry->id);
        char id[17];
        char text[CHIRR_TRUST_TEXT_BYTES_MAX];
        if (record != NULL && entry->is_operator &&
            chirr_trust_record_format(record, text) == CHIRR_OK) {
            snprintf(id, sizeof id, "%016" PRIx64, entry->id);
            json_object_set_new(registers, id, json_string(text));
        }
    }
    return registers;
}

static json_t *take_record(struct chirr_agent *agent, const char *text, chirr_time_us now)
{
    struct chirr_record record;
    if (text == NULL || chirr_trust_record_parse(text, &record) != CHIRR_OK) {
        return chirr_control_failure(CHIRR_ERR_MALFORMED,
                                     "record: expected a signed record of kind trust, as "
                                     "hexadecimal digits");
    }
    enum chirr_err err = chirr_keyring_verify_record(agent->keyring, &record);
    if (err == CHIRR_ERR_UNTRUSTED) {
        return chirr_control_failure(err, "this key is no operator's on the keyring here");
    }
    if (err == CHIRR_OK) {
        err = chirr_node_learn(agent->node, &record, now);
    }
    if (err != CHIRR_OK) {
        return chirr_control_failure(err, chirr_err_text(err));
    }
    chirr_process_drain(agent, now);
    const struct chirr_record *held =
        chirr_records_trust(chirr_node_records(agent->node), record.author);
    return held != NULL && chirr_stamp_compare(held->stamp, record.stamp) == 0
               ? json_pack("{s:b}", "ok", 1)
               : chirr_control_failure(CHIRR_ERR_STALE, "this operator has said more since");
}

json_t *chirr_process_ask_trust(struct chirr_agent *agent, const json_t *request, chirr_time_us now)
{
    const json_t *record = json_object_get(request, "record");
    if (record != NULL) {
        return take_record(agent, json_string_value(record), now);
    }
    return json_pack("{s:b, s:s, s:b, s:o, s:o}", "ok", 1, "keyring", agent->config.keyring,
                     "removed", (int)agent->removed, "holders", list_holders(agent), "registers",
                     list_registers(agent));
}
