/* A network of this process's own, whose only interface, the loopback, it may take down: how a
 * benchmark cuts every link of a fleet without touching the machine's network.
 *
 * Linux: network namespaces, with a user namespace where the process may not make one otherwise.
 * There is no way back, so `enter` is for a process that was forked for it. */
#ifndef CHIRR_TESTS_BENCH_ISOLATION_H
#define CHIRR_TESTS_BENCH_ISOLATION_H

#include <stdbool.h>

#include "base/error.h"

/* From now on this process and its children have a loopback of their own, which is up.
 * CHIRR_ERR_STATE: the system does not permit it. */
CHIRR_NODISCARD enum chirr_err chirr_bench_isolation_enter(struct chirr_error *error);
/* Only after `enter`. */
CHIRR_NODISCARD enum chirr_err chirr_bench_isolation_set(bool up, struct chirr_error *error);

#endif
