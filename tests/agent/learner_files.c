#include "tests/agent/learner_files.h"

#include <stdio.h>
#include <string.h>

char directory[DIRECTORY_PATH_BYTES_MAX];
char log_lines[4096];

void learner_files_create(void)
{
    directory_create(directory);
}

void learner_files_remove(void)
{
    directory_remove(directory);
}

static void write_log(void *context, enum chirr_log_level level, const char *line)
{
    size_t used = strlen(log_lines);
    snprintf(log_lines + used, sizeof log_lines - used, "%s\n", line);
}

const struct chirr_log log_sink = {CHIRR_LOG_WARNING, write_log, NULL};

void make_small(struct chirr_model_config *model)
{
    model->width = 16;
    model->layers = 1;
    model->rates = 2;
    model->partitions = 4;
    model->section_width = 32;
    model->mlp_width = 16;
    model->hosted = 0xF;
    model->origins_max = 4;
    model->sense_count = 1;
    model->senses[0] = (struct chirr_model_sense){.name = "text", .kind = CHIRR_SENSE_BYTES};
}
