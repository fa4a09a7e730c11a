/* What the suites of the learner share: a directory for a test's files, a log that it can read, and
 * a model so small that thousands of steps take no time. */
#ifndef CHIRR_TESTS_AGENT_LEARNER_FILES_H
#define CHIRR_TESTS_AGENT_LEARNER_FILES_H

#include <criterion/criterion.h>

#include "base/log.h"
#include "model/model.h"
#include "tests/support/directory.h"

extern char directory[DIRECTORY_PATH_BYTES_MAX];
extern char log_lines[4096];
extern const struct chirr_log log_sink; /* fills log_lines */

/* Before and after each test. */
void learner_files_create(void);
void learner_files_remove(void);

/* D=16, one layer, 2 rates, 4 partitions, one sense "text". */
void make_small(struct chirr_model_config *model);

#endif
