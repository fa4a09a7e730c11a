/* The edge at which figures are printed; benchmarks see bench.h alone. */
#ifndef CHIRR_TESTS_BENCH_REPORT_H
#define CHIRR_TESTS_BENCH_REPORT_H

#include "tests/bench/bench.h"

/* The titles of the table's columns; nothing with --json. */
void chirr_bench_report_header(const struct chirr_bench_context *context);

#endif
