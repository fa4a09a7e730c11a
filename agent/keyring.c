/* The allow-list, sorted by holder. */
#include "agent/keyring.h"

#include <stdlib.h>
#include <string.h>

struct chirr_keyring {
    uint64_t revision;
    size_t count;
    struct chirr_keyring_entry entries[CHIRR_KEYRING_HOLDERS_MAX]; /* ascending by id */
};

struct chirr_keyring *chirr_keyring_create(void)
{
    return calloc(1, sizeof(struct chirr_keyring));
}

void chirr_keyring_destroy(struct chirr_keyring *keyring)
{
    free(keyring);
}

/* ---- Looking up ------------------------------------------------------------------------------ */

/* Where `id` is, or belongs. */
static size_t position(const struct chirr_keyring *keyring, chirr_agent_id id)
{
    size_t low = 0;
    size_t high = keyring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keyring->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct chirr_keyring_entry *entry_of(const struct chirr_keyring *keyring, chirr_agent_id id)
{
    size_t at = position(keyring, id);
    bool found = at < keyring->count && keyring->entries[at].id == id;
    return found ? (struct chirr_keyring_entry *)&keyring->entries[at] : NULL;
}

const struct chirr_keyring_entry *chirr_keyring_find(const struct chirr_keyring *keyring,
                                                     chirr_agent_id holder)
{
    return entry_of(keyring, holder);
}

/* What is worked out is remembered, so a keyring that is only looked at changes all the same. */
const uint8_t *chirr_keyring_curve_of(const struct chirr_keyring_key *key)
{
    struct chirr_keyring_key *proven = (struct chirr_keyring_key *)key;
    if (!key->is_proven) {
        proven->is_proven = true;
        if (chirr_curve_key_of(key->public_key, proven->curve_hint) != CHIRR_OK) {
            memset(proven->curve_hint, 0, sizeof proven->curve_hint);
        }
    }
    return key->curve_hint;
}

/* `by_hint`: only where the hint says so, which is then proven. */
static const struct chirr_keyring_entry *find_curve(const struct chirr_keyring *keyring,
                                                    const uint8_t curve_public[CHIRR_KEY_BYTES],
                                                    bool by_hint)
{
    for (size_t i = 0; i < keyring->count; i++) {
        const struct chirr_keyring_entry *entry = &keyring->entries[i];
        for (uint32_t k = 0; k < entry->key_count; k++) {
            const struct chirr_keyring_key *key = &entry->keys[k];
            if ((!by_hint || memcmp(key->curve_hint, curve_public, CHIRR_KEY_BYTES) == 0) &&
                memcmp(chirr_keyring_curve_of(key), curve_public, CHIRR_KEY_BYTES) == 0) {
                return entry;
            }
        }
    }
    return NULL;
}

/* Once a connection, so a scan will do. A stranger is one only after all hints are proven. */
const struct chirr_keyring_entry *
chirr_keyring_find_curve(const struct chirr_keyring *keyring,
                         const uint8_t curve_public[CHIRR_KEY_BYTES])
{
    static const uint8_t none[CHIRR_KEY_BYTES];
    if (memcmp(curve_public, none, sizeof none) == 0) {
        return NULL; /* of keys that are none */
    }
    const struct chirr_keyring_entry *entry = find_curve(keyring, curve_public, true);
    return entry != NULL ? entry : find_curve(keyring, curve_public, false);
}

const struct chirr_keyring_key *chirr_keyring_key_of(const struct chirr_keyring_entry *entry,
                                                     const uint8_t public_key[CHIRR_KEY_BYTES])
{
    for (uint32_t k = 0; k < entry->key_count; k++) {
        if (memcmp(entry->keys[k].public_key, public_key, CHIRR_KEY_BYTES) == 0) {
            return &entry->keys[k];
        }
    }
    return NULL;
}

const struct chirr_keyring_entry *chirr_keyring_find_key(const struct chirr_keyring *keyring,
                                                         const uint8_t public_key[CHIRR_KEY_BYTES])
{
    for (size_t i = 0; i < keyring->count; i++) {
        if (chirr_keyring_key_of(&keyring->entries[i], public_key) != NULL) {
            return &keyring->entries[i];
        }
    }
    return NULL;
}

size_t chirr_keyring_count(const struct chirr_keyring *keyring)
{
    return keyring->count;
}

const struct chirr_keyring_entry *chirr_keyring_at(const struct chirr_keyring *keyring,
                                                   size_t index)
{
    CHIRR_ASSERT(index < keyring->count);
    return &keyring->entries[index];
}

uint64_t chirr_keyring_revision(const struct chirr_keyring *keyring)
{
    return keyring->revision;
}

/* ---- Changing -------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < bytes; i++) {
        if (name[i] < ' ' || name[i] > '~') {
            return false;
        }
    }
    return bytes < CHIRR_NAME_BYTES_MAX;
}

/* An entry without keys. NULL: too many. */
static struct chirr_keyring_entry *insert(struct chirr_keyring *keyring, chirr_agent_id id)
{
    size_t at = position(keyring, id);
    struct chirr_keyring_entry *entry = &keyring->entries[at];
    if (keyring->count == CHIRR_KEYRING_HOLDERS_MAX) {
        return NULL;
    }
    memmove(entry + 1, entry, (keyring->count - at) * sizeof *entry);
    keyring->count++;
    *entry = (struct chirr_keyring_entry){.id = id};
    return entry;
}

static void erase(struct chirr_keyring *keyring, struct chirr_keyring_entry *entry)
{
    size_t behind = (size_t)(&keyring->entries[keyring->count] - (entry + 1));
    memmove(entry, entry + 1, behind * sizeof *entry);
    keyring->count--;
    keyring->revision++;
}

enum chirr_err chirr_keyring_add_key(struct chirr_keyring *keyring,
                                     const struct chirr_keyring_addition *addition)
{
    struct chirr_keyring_key key = {0};
    const char *name = addition->name == NULL ? "" : addition->name;
    chirr_agent_id holder =
        addition->holder != 0 ? addition->holder : chirr_agent_id_of(addition->public_key);
    if (!is_name(name)) {
        return CHIRR_ERR_RANGE;
    }
    memcpy(key.public_key, addition->public_key, sizeof key.public_key);
    if (addition->curve_hint != NULL) {
        memcpy(key.curve_hint, addition->curve_hint, sizeof key.curve_hint);
    } else if (chirr_curve_key_of(key.public_key, key.curve_hint) == CHIRR_OK) {
        key.is_proven = true;
    } else {
        return CHIRR_ERR_INVALID;
    }
    const struct chirr_keyring_entry *owner = chirr_keyring_find_key(keyring, addition->public_key);
    if (owner != NULL && owner->id != holder) {
        return CHIRR_ERR_EXISTS;
    }
    struct chirr_keyring_entry *entry = entry_of(keyring, holder);
    if (owner == NULL && entry != NULL && entry->key_count == CHIRR_HOLDER_KEYS_MAX) {
        return CHIRR_ERR_FULL;
    }
    entry = entry == NULL ? insert(keyring, holder) : entry;
    if (entry == NULL) {
        return CHIRR_ERR_FULL;
    }
    if (owner == NULL) {
        entry->keys[entry->key_count++] = key;
    }
    if (entry->name[0] == '\0') {
        strncpy(entry->name, name, sizeof entry->name - 1);
    }
    entry->is_operator = entry->is_operator || addition->is_operator;
    keyring->revision++;
    return CHIRR_OK;
}

enum chirr_err chirr_keyring_add(struct chirr_keyring *keyring,
                                 const uint8_t public_key[CHIRR_KEY_BYTES], const char *name)
{
    struct chirr_keyring_addition addition = {.name = name};
    memcpy(addition.public_key, public_key, sizeof addition.public_key);
    return chirr_keyring_add_key(keyring, &addition);
}

enum chirr_err chirr_keyring_remove_key(struct chirr_keyring *keyring,
                                        const uint8_t public_key[CHIRR_KEY_BYTES])
{
    const struct chirr_keyring_entry *found = chirr_keyring_find_key(keyring, public_key);
    if (found == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    struct chirr_keyring_entry *entry = entry_of(keyring, found->id);
    if (entry->key_count == 1) {
        erase(keyring, entry);
        return CHIRR_OK;
    }
    if (chirr_keyring_key_of(entry, public_key) == &entry->keys[0]) {
        entry->keys[0] = entry->keys[1];
    }
    entry->keys[1] = (struct chirr_keyring_key){0};
    entry->key_count = 1;
    keyring->revision++;
    return CHIRR_OK;
}

enum chirr_err chirr_keyring_remove(struct chirr_keyring *keyring, chirr_agent_id holder)
{
    struct chirr_keyring_entry *entry = entry_of(keyring, holder);
    if (entry == NULL) {
        return CHIRR_ERR_NOTFOUND;
    }
    erase(keyring, entry);
    return CHIRR_OK;
}

/* ---- Who signed ------------------------------------------------------------------------------ */

/* Newest first: that is the one in use. */
#define VERIFY(entry, verify, what)                                                                \
    do {                                                                                           \
        for (uint32_t k = (entry)->key_count; k-- > 0;) {                                          \
            if (verify(what, (entry)->keys[k].public_key) == CHIRR_OK) {                           \
                return CHIRR_OK;                                                                   \
            }                                                                                      \
        }                                                                                          \
        return CHIRR_ERR_SIGNATURE;                                                                \
    } while (0)

enum chirr_err chirr_keyring_verify_record(const struct chirr_keyring *keyring,
                                           const struct chirr_record *record)
{
    const struct chirr_keyring_entry *entry = entry_of(keyring, record->author);
    if (entry == NULL || (record->kind == CHIRR_RECORD_TRUST && !entry->is_operator)) {
        return CHIRR_ERR_UNTRUSTED;
    }
    VERIFY(entry, chirr_record_verify, record);
}

enum chirr_err chirr_keyring_verify_delta(const struct chirr_keyring *keyring,
                                          const struct chirr_delta_message *delta)
{
    const struct chirr_keyring_entry *entry = entry_of(keyring, delta->origin);
    if (entry == NULL) {
        return CHIRR_ERR_UNTRUSTED;
    }
    VERIFY(entry, chirr_delta_verify, delta);
}

enum chirr_err chirr_keyring_verify_envelope(const struct chirr_keyring *keyring,
                                             const struct chirr_envelope *envelope)
{
    const struct chirr_keyring_entry *entry = entry_of(keyring, envelope->from);
    if (entry == NULL) {
        return CHIRR_ERR_UNTRUSTED;
    }
    VERIFY(entry, chirr_envelope_verify, envelope);
}
