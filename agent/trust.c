#include "agent/trust.h"

#include <sodium.h>
#include <string.h>

/* ---- Carrying out ---------------------------------------------------------------------------- */

struct pass {
    struct chirr_keyring *keyring;
    const uint8_t *self_key;
    struct chirr_trust_effect *effect;
    uint32_t register_count;
    const struct chirr_trust *registers[CHIRR_TRUST_OPERATORS_MAX];
    chirr_agent_id lost_by[CHIRR_TRUST_REMOVED_MAX]; /* [effect->removed]: whose key went */
};

/* Whoever is an operator before anything changes: two that remove each other are both gone, on
 * every agent that hears both at once. */
static void collect(struct pass *pass, const struct chirr_record_store *records)
{
    for (uint32_t i = 0; i < chirr_records_author_count(records); i++) {
        chirr_agent_id author = chirr_records_author_at(records, i);
        const struct chirr_record *record = chirr_records_trust(records, author);
        const struct chirr_keyring_entry *entry = chirr_keyring_find(pass->keyring, author);
        bool counts = record != NULL && entry != NULL && entry->is_operator;
        if (counts && pass->register_count < CHIRR_TRUST_OPERATORS_MAX) {
            pass->registers[pass->register_count++] = &record->trust;
        }
    }
}

/* The last that an operator said of a key; NULL: nothing. */
static const struct chirr_trust_change *last_word(const struct chirr_trust *trust,
                                                  const uint8_t public_key[CHIRR_KEY_BYTES])
{
    for (uint32_t i = trust->count; i-- > 0;) {
        if (memcmp(trust->changes[i].public_key, public_key, CHIRR_KEY_BYTES) == 0) {
            return &trust->changes[i];
        }
    }
    return NULL;
}

static bool is_removed(const struct pass *pass, const uint8_t public_key[CHIRR_KEY_BYTES])
{
    for (uint32_t i = 0; i < pass->register_count; i++) {
        const struct chirr_trust_change *word = last_word(pass->registers[i], public_key);
        if (word != NULL && word->removed) {
            return true;
        }
    }
    return false;
}

static void take_away(struct pass *pass, const struct chirr_trust_change *change)
{
    struct chirr_trust_effect *effect = pass->effect;
    const struct chirr_keyring_entry *entry =
        chirr_keyring_find_key(pass->keyring, change->public_key);
    chirr_agent_id holder = entry == NULL ? 0 : entry->id;
    if (pass->self_key != NULL &&
        memcmp(change->public_key, pass->self_key, CHIRR_KEY_BYTES) == 0) {
        effect->self_removed = true;
        return;
    }
    if (chirr_keyring_remove_key(pass->keyring, change->public_key) != CHIRR_OK) {
        return; /* it was not there */
    }
    pass->lost_by[effect->removed++] = holder;
}

/* Each holder once: it may have lost two keys. */
static bool is_first_loss(const struct pass *pass, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (pass->lost_by[i] == pass->lost_by[index]) {
            return false;
        }
    }
    return true;
}

static void sort_out(struct pass *pass)
{
    struct chirr_trust_effect *effect = pass->effect;
    for (uint32_t i = 0; i < effect->removed; i++) {
        chirr_agent_id holder = pass->lost_by[i];
        if (!is_first_loss(pass, i)) {
            continue;
        }
        if (chirr_keyring_find(pass->keyring, holder) != NULL) {
            effect->retired[effect->retired_count++] = holder;
        } else {
            effect->gone[effect->gone_count++] = holder;
        }
    }
}

static void add(struct pass *pass, const struct chirr_trust_change *change)
{
    struct chirr_keyring_addition addition = {.holder = change->holder};
    memcpy(addition.public_key, change->public_key, sizeof addition.public_key);
    if (chirr_keyring_find_key(pass->keyring, change->public_key) != NULL) {
        return;
    }
    if (chirr_keyring_add_key(pass->keyring, &addition) == CHIRR_OK) {
        pass->effect->added++;
    } else {
        pass->effect->refused++;
    }
}

/* All that goes before all that comes, which makes room: a holder has two keys at most. */
static void carry_out(struct pass *pass, bool removals)
{
    for (uint32_t i = 0; i < pass->register_count; i++) {
        const struct chirr_trust *trust = pass->registers[i];
        for (uint32_t j = 0; j < trust->count; j++) {
            const struct chirr_trust_change *change = &trust->changes[j];
            if (last_word(trust, change->public_key) != change ||
                is_removed(pass, change->public_key) != removals) {
                continue;
            }
            if (removals) {
                take_away(pass, change);
            } else {
                add(pass, change);
            }
        }
    }
}

void chirr_trust_apply(struct chirr_keyring *keyring, const struct chirr_record_store *records,
                       const uint8_t *self_key, struct chirr_trust_effect *effect)
{
    struct pass pass = {.keyring = keyring, .self_key = self_key, .effect = effect};
    memset(effect, 0, sizeof *effect);
    collect(&pass, records);
    carry_out(&pass, true);
    carry_out(&pass, false);
    sort_out(&pass);
}

static bool has_any_register(const struct chirr_record_store *records)
{
    for (uint32_t i = 0; i < chirr_records_author_count(records); i++) {
        if (chirr_records_trust(records, chirr_records_author_at(records, i)) != NULL) {
            return true;
        }
    }
    return false;
}

enum chirr_err chirr_trust_apply_file(const char *path, const struct chirr_record_store *records,
                                      struct chirr_error *error)
{
    if (!has_any_register(records)) {
        return CHIRR_OK; /* there is nothing that the file does not say */
    }
    struct chirr_keyring *keyring = chirr_keyring_create();
    if (keyring == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
    }
    enum chirr_err err = chirr_keyring_load(keyring, path, error);
    if (err == CHIRR_OK) {
        struct chirr_trust_effect effect;
        chirr_trust_apply(keyring, records, NULL, &effect);
        if (effect.added + effect.removed > 0) {
            err = chirr_keyring_save(keyring, path, error);
        }
    }
    chirr_keyring_destroy(keyring);
    return err;
}

/* ---- Stating --------------------------------------------------------------------------------- */

enum chirr_err chirr_trust_change(struct chirr_trust *trust,
                                  const struct chirr_trust_change *change)
{
    uint32_t kept = 0;
    struct chirr_trust changed = {0};
    for (uint32_t i = 0; i < trust->count; i++) {
        const struct chirr_trust_change *earlier = &trust->changes[i];
        if (memcmp(earlier->public_key, change->public_key, CHIRR_KEY_BYTES) != 0) {
            changed.changes[kept++] = *earlier;
        } else if (earlier->holder != change->holder) {
            return CHIRR_ERR_EXISTS;
        }
    }
    if (kept == CHIRR_TRUST_CHANGES_MAX) {
        return CHIRR_ERR_FULL;
    }
    changed.changes[kept] = *change;
    changed.count = kept + 1;
    *trust = changed;
    return CHIRR_OK;
}

enum chirr_err chirr_trust_record_format(const struct chirr_record *record,
                                         char text[CHIRR_TRUST_TEXT_BYTES_MAX])
{
    uint8_t body[CHIRR_CODEC_RECORD_BYTES_MAX];
    size_t bytes;
    enum chirr_err err = chirr_codec_encode_record(record, body, sizeof body, &bytes);
    if (err == CHIRR_OK) {
        sodium_bin2hex(text, CHIRR_TRUST_TEXT_BYTES_MAX, body, bytes);
    }
    return err;
}

enum chirr_err chirr_trust_record_parse(const char *text, struct chirr_record *record)
{
    uint8_t body[CHIRR_CODEC_RECORD_BYTES_MAX];
    size_t bytes;
    bool decoded = sodium_hex2bin(body, sizeof body, text, strlen(text), NULL, &bytes, NULL) == 0 &&
                   bytes * 2 == strlen(text) &&
                   chirr_codec_decode_record(body, bytes, record) == CHIRR_OK;
    return decoded && record->kind == CHIRR_RECORD_TRUST ? CHIRR_OK : CHIRR_ERR_MALFORMED;
}
