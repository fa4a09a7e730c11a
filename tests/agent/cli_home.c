#include "tests/agent/cli_home.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char home[DIRECTORY_PATH_BYTES_MAX];
char runtime[DIRECTORY_PATH_BYTES_MAX + 32];
struct run run;

void cli_home_enter(void)
{
    directory_create(home);
    cr_assert_eq(chdir(home), 0);
    setenv("HOME", home, 1);
    setenv("XDG_RUNTIME_DIR", home, 1);
    unsetenv("XDG_STATE_HOME");
    snprintf(runtime, sizeof runtime, "%s/chirr/hill", home);
}

void cli_home_leave(void)
{
    cr_assert_eq(chdir("/"), 0);
    directory_remove(home);
}
