#include "agent/inputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

#define CHUNK_BYTES 4096

static void write_binary(FILE *file, uint64_t size_bytes, struct chirr_random *random)
{
    uint32_t chunk[CHUNK_BYTES / sizeof(uint32_t)];
    while (size_bytes > 0 && !ferror(file)) {
        for (size_t i = 0; i < sizeof chunk / sizeof *chunk; i++) {
            chunk[i] = chirr_random_u32(random);
        }
        size_t bytes = size_bytes < sizeof chunk ? (size_t)size_bytes : sizeof chunk;
        fwrite(chunk, 1, bytes, file);
        size_bytes -= bytes;
    }
}

/* One to four syllables, so that lines repeat often enough for `sort` and a compressor to have
 * something to find. */
static size_t make_word(char word[16], struct chirr_random *random)
{
    static const char consonants[] = "bdfgklmnprstvz";
    static const char vowels[] = "aeiou";
    size_t length = 0;
    uint32_t dice = chirr_random_u32(random);
    for (uint32_t syllables = dice % 4 + 1; syllables > 0; syllables--) {
        dice = chirr_random_u32(random);
        word[length++] = consonants[dice % (sizeof consonants - 1)];
        word[length++] = vowels[(dice >> 8) % (sizeof vowels - 1)];
        if ((dice >> 16) % 4 == 0) {
            word[length++] = consonants[(dice >> 18) % (sizeof consonants - 1)];
        }
    }
    word[length++] = '\n';
    return length;
}

static void write_lines(FILE *file, uint64_t size_bytes, struct chirr_random *random)
{
    for (uint64_t written = 0; written < size_bytes && !ferror(file);) {
        char word[16];
        written += fwrite(word, 1, make_word(word, random), file);
    }
}

/* Loops and branches that an optimiser has to think about; every constant differs. */
static int write_function(FILE *file, uint32_t index, struct chirr_random *random)
{
    uint32_t a = chirr_random_u32(random) % 1000 + 3;
    uint32_t b = chirr_random_u32(random) % 100 + 2;
    uint32_t c = chirr_random_u32(random) % 10 + 1;
    uint32_t d = chirr_random_u32(random);
    return fprintf(file,
                   "unsigned work_%" PRIu32 "(unsigned *values, unsigned count)\n"
                   "{\n"
                   "    unsigned sum = %" PRIu32 "u;\n"
                   "    for (unsigned i = 0; i < count; i++) {\n"
                   "        values[i] = values[i] * %" PRIu32 "u + (sum >> %" PRIu32 ");\n"
                   "        if (values[i] %% %" PRIu32 "u == %" PRIu32 "u)\n"
                   "            sum ^= values[i] << %" PRIu32 ";\n"
                   "        else\n"
                   "            sum += values[(i + %" PRIu32 "u) %% count];\n"
                   "    }\n"
                   "    return sum;\n"
                   "}\n\n",
                   index, d, a, c, b, b / 2, c % 7, a);
}

static void write_source(FILE *file, uint64_t size_bytes, struct chirr_random *random)
{
    uint64_t written = 0;
    for (uint32_t index = 0; written < size_bytes && !ferror(file); index++) {
        int bytes = write_function(file, index, random);
        written += bytes > 0 ? (uint64_t)bytes : 0;
    }
}

enum chirr_err chirr_input_write(const struct chirr_input *input, const char *path,
                                 uint64_t *written_bytes, struct chirr_error *error)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", path,
                               strerror(errno));
    }
    struct chirr_random random;
    chirr_random_init(&random, input->seed, input->stream);
    switch (input->kind) {
    case CHIRR_INPUT_NONE:
        break;
    case CHIRR_INPUT_BINARY:
        write_binary(file, input->size_bytes, &random);
        break;
    case CHIRR_INPUT_LINES:
        write_lines(file, input->size_bytes, &random);
        break;
    case CHIRR_INPUT_SOURCE:
        write_source(file, input->size_bytes, &random);
        break;
    }
    long end = ftell(file);
    bool failed = ferror(file) != 0 || end < 0;
    failed |= fclose(file) != 0;
    if (failed) {
        int reason = errno;
        unlink(path);
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", path,
                               strerror(reason));
    }
    *written_bytes = (uint64_t)end;
    return CHIRR_OK;
}
