/* The configuration of a checkpoint, kept beside it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli_model.h"

#define PATH_BYTES_MAX 4096
#define LINE "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32

static enum chirr_err open_note(const char *path, const char *mode, FILE **file,
                                struct chirr_error *error)
{
    char note[PATH_BYTES_MAX];
    snprintf(note, sizeof note, "%s.shape", path);
    *file = fopen(note, mode);
    return *file != NULL
               ? CHIRR_OK
               : chirr_error_set(error, errno == ENOENT ? CHIRR_ERR_NOTFOUND : CHIRR_ERR_IO,
                                 "%.400s: %s", note, strerror(errno));
}

enum chirr_err chirr_cli_model_describe(const char *path, struct chirr_model_config *config,
                                        struct chirr_error *error)
{
    FILE *file;
    *config = chirr_model_config_default();
    config->origins_max = 0;
    enum chirr_err err = open_note(path, "r", &file, error);
    if (err != CHIRR_OK) {
        return err;
    }
    int got =
        fscanf(file, LINE " %" SCNu64 " %" SCNu32 " %a", &config->width, &config->layers,
               &config->section_width, &config->mlp_width, &config->rates, &config->partitions,
               &config->genesis_seed, &config->chunk, &config->learning_rate);
    fclose(file);
    config->hosted =
        config->partitions >= 64 ? UINT64_MAX : (UINT64_C(1) << config->partitions) - 1;
    return got == 9 ? chirr_model_config_validate(config, error)
                    : chirr_error_set(error, CHIRR_ERR_MALFORMED, "%.400s.shape: damaged", path);
}

enum chirr_err chirr_cli_model_note(const char *path, const struct chirr_model_config *config,
                                    struct chirr_error *error)
{
    FILE *file;
    enum chirr_err err = open_note(path, "w", &file, error);
    if (err == CHIRR_OK) {
        fprintf(file, "%u %u %u %u %u %u %llu %u %a\n", config->width, config->layers,
                config->section_width, config->mlp_width, config->rates, config->partitions,
                (unsigned long long)config->genesis_seed, config->chunk,
                (double)config->learning_rate);
        fclose(file);
    }
    return err;
}
