/* Writes the seed corpora of fuzz_frame, fuzz_codec and fuzz_beacon: short inputs of each kind, at
 * each entrance. make_corpus DIRECTORY      (which holds frame/, codec/ and beacon/) */
#include <stdio.h>
#include <string.h>

#include "agent/beacon.h"
#include "base/wire.h"
#include "proto/frame.h"
#include "tests/support/generate.h"

#define INPUT_BYTES_MAX 1500
#define INPUTS_OF_A_KIND 2

static struct chirr_random random_stream;
static struct chirr_identity identity;
static struct chirr_arena arena;
static uint8_t out[CHIRR_FRAME_BYTES_MAX];

/* In the folder of the target that has this entrance. */
static void write_input(const char *directory, char entrance, const char *name, size_t bytes)
{
    char path[512];
    const char *target = entrance == 'f' || entrance == 'e'   ? "frame"
                         : entrance >= '0' && entrance <= '2' ? "beacon"
                                                              : "codec";
    snprintf(path, sizeof path, "%s/%s/%c-%s", directory, target, entrance, name);
    for (char *at = path + strlen(directory); *at != '\0'; at++) {
        *at = *at == ' ' ? '-' : *at;
    }
    FILE *file = fopen(path, "wb");
    CHIRR_ASSERT(file != NULL);
    fputc(entrance, file);
    fwrite(out, 1, bytes, file);
    fclose(file);
}

static void write_message(const char *directory, enum chirr_message_kind kind, int number)
{
    struct chirr_message message;
    size_t bytes;
    char name[64];
    snprintf(name, sizeof name, "%s-%d", chirr_message_kind_name(kind), number);
    do {
        generate_message(&random_stream, &arena, &identity, kind, &message);
    } while (chirr_codec_message_bytes(&message) > INPUT_BYTES_MAX);
    CHIRR_ASSERT(chirr_codec_encode_message(&message, out, sizeof out, &bytes) == CHIRR_OK);
    write_input(directory, 'm', name, bytes);
    CHIRR_ASSERT(chirr_frame_seal(&message, &identity, false, out, sizeof out, &bytes) == CHIRR_OK);
    write_input(directory, 'f', name, bytes);
    CHIRR_ASSERT(chirr_frame_seal(&message, &identity, true, out, sizeof out, &bytes) == CHIRR_OK);
    write_input(directory, 'e', name, bytes);
}

static void write_record(const char *directory, enum chirr_record_kind kind, int number)
{
    static const char *const names[] = {"card", "claims", "task", "trust"};
    struct chirr_record record;
    size_t bytes;
    char name[64];
    snprintf(name, sizeof name, "%s-%d", names[kind - CHIRR_RECORD_CARD], number);
    do {
        generate_record(&random_stream, &identity, kind, &record);
        CHIRR_ASSERT(chirr_codec_encode_record(&record, out, sizeof out, &bytes) == CHIRR_OK);
    } while (bytes > INPUT_BYTES_MAX);
    write_input(directory, 'r', name, bytes);
}

/* A frame that is good but for its version: one earlier, one later. */
static void write_versions(const char *directory)
{
    struct chirr_message message;
    size_t bytes;
    generate_message(&random_stream, &arena, &identity, CHIRR_MESSAGE_PING, &message);
    CHIRR_ASSERT(chirr_frame_seal(&message, &identity, true, out, sizeof out, &bytes) == CHIRR_OK);
    chirr_wire_put_u16(out + 4, CHIRR_WIRE_VERSION - 1);
    write_input(directory, 'f', "earlier version", bytes);
    chirr_wire_put_u16(out + 4, CHIRR_WIRE_VERSION + 1);
    write_input(directory, 'f', "later version", bytes);
}

static void write_beacon(const char *directory, int number)
{
    struct chirr_record card;
    size_t bytes;
    char name[64];
    snprintf(name, sizeof name, "card-%d", number);
    generate_record(&random_stream, &identity, CHIRR_RECORD_CARD, &card);
    CHIRR_ASSERT(chirr_beacon_encode(chirr_beacon_swarm("meadow"), &card, out, &bytes) == CHIRR_OK);
    write_input(directory, '0', name, bytes);
    memmove(out, out + CHIRR_BEACON_HEADER_BYTES, bytes - CHIRR_BEACON_HEADER_BYTES);
    write_input(directory, '1', name, bytes - CHIRR_BEACON_HEADER_BYTES);
}

/* What fuzz_beacon does to its own: nothing, a byte more, a byte less, a bit of the version. */
static void write_beacon_edits(const char *directory)
{
    static const struct {
        const char *name;
        uint8_t edit[5];
    } edits[] = {{"unchanged", {2, 0}},
                 {"longer", {4, 0}},
                 {"shorter", {5, 0}},
                 {"version", {2, 1, 4, 0, 1}}};
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        memcpy(out, edits[i].edit, sizeof edits[i].edit);
        write_input(directory, '2', edits[i].name, sizeof edits[i].edit);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus DIRECTORY\n");
        return 2;
    }
    chirr_random_init(&random_stream, 1, 0);
    identity = generate_identity(&random_stream);
    CHIRR_ASSERT(chirr_arena_init(&arena, GENERATE_ARENA_BYTES) == CHIRR_OK);
    for (int number = 1; number <= INPUTS_OF_A_KIND; number++) {
        for (int kind = CHIRR_MESSAGE_PING; kind < CHIRR_MESSAGE_KINDS; kind++) {
            write_message(argv[1], kind, number);
        }
        for (int kind = CHIRR_RECORD_CARD; kind <= CHIRR_RECORD_TRUST; kind++) {
            write_record(argv[1], kind, number);
        }
    }
    write_versions(argv[1]);
    for (int number = 1; number <= INPUTS_OF_A_KIND; number++) {
        write_beacon(argv[1], number);
    }
    write_beacon_edits(argv[1]);
    chirr_arena_finish(&arena);
    return 0;
}
