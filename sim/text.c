/* Words spelt from syllables, sentences from hashed rules. */
#include "sim/text.h"

#include <string.h>

#define CANDIDATES 4
#define SHARED_GROUP UINT32_MAX

/* What a rule is about; keeps spelling and choice apart. */
enum rule {
    RULE_SPELLING = 1,
    RULE_CHOICE,
};

static void hash_rule(const struct chirr_sim_text_config *config, const uint32_t counter[4],
                      uint32_t out[4])
{
    const uint32_t key[2] = {(uint32_t)config->seed, (uint32_t)(config->seed >> 32)};
    chirr_philox(counter, key, out);
}

/* The vocabulary is shared: two or three syllables and a blank. */
static void spell(struct chirr_sim_text *text, uint32_t word)
{
    static const char consonants[] = "bdfgklmnprstvz";
    static const char vowels[] = "aeiou";
    uint32_t hash[4];
    hash_rule(&text->config, (const uint32_t[4]){word, 0, 0, RULE_SPELLING}, hash);
    uint32_t syllables = 2 + hash[3] % 2;
    uint32_t at = 0;
    for (uint32_t i = 0; i < syllables; i++) {
        text->word[at++] = consonants[hash[i] % (sizeof consonants - 1)];
        text->word[at++] = vowels[(hash[i] >> 16) % (sizeof vowels - 1)];
    }
    text->word[at++] = ' ';
    text->word_bytes = at;
    text->word_used = 0;
}

/* Candidates come with 1/2, 1/4, 1/8, 1/8: the text has a few bits a word, and structure. */
static uint32_t choose(struct chirr_sim_text *text, struct chirr_random *random)
{
    const struct chirr_sim_text_config *config = &text->config;
    bool shared = chirr_random_below(random, 1000) < config->shared_permille;
    uint32_t group = shared ? SHARED_GROUP : config->group;
    uint32_t luck = (uint32_t)chirr_random_below(random, 8);
    uint32_t candidate = luck < 4 ? 0 : luck < 6 ? 1 : luck - 4;
    uint32_t hash[4];
    hash_rule(config, (const uint32_t[4]){text->previous[0], text->previous[1], group, RULE_CHOICE},
              hash);
    return hash[candidate % CANDIDATES] % config->words;
}

static void next_word(struct chirr_sim_text *text, struct chirr_random *random)
{
    uint32_t word = choose(text, random);
    text->previous[0] = text->previous[1];
    text->previous[1] = word;
    spell(text, word);
}

void chirr_sim_text_init(struct chirr_sim_text *text, const struct chirr_sim_text_config *config)
{
    memset(text, 0, sizeof *text);
    text->config = *config;
}

void chirr_sim_text_read(struct chirr_sim_text *text, struct chirr_random *random, uint8_t *out,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text->word_used == text->word_bytes) {
            next_word(text, random);
        }
        out[i] = (uint8_t)text->word[text->word_used++];
    }
}
