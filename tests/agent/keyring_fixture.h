/* What suites of keyrings begin with, each for itself: an empty one, and a file that is not there
 * yet, in a directory that goes with it. */
#ifndef CHIRR_TESTS_AGENT_KEYRING_FIXTURE_H
#define CHIRR_TESTS_AGENT_KEYRING_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/keyring.h"
#include "tests/support/generate.h"

static char directory[] = "/tmp/chirr-keyring-XXXXXX";
static char path[64];
static struct chirr_keyring *keyring;
static struct chirr_random random_stream;
static struct chirr_error error;

static inline void setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    keyring = chirr_keyring_create();
    cr_assert_not_null(keyring);
    chirr_random_init(&random_stream, 3, 0);
}

static inline void teardown(void)
{
    chirr_keyring_destroy(keyring);
    unlink(path);
    rmdir(directory);
}

#endif
