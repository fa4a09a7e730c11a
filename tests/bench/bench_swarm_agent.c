/* swarm.agent: what one agent of a large swarm takes of its machine, without a model.
 *
 * Resident memory counts pages that agents share (libraries, this executable) in each of them, as
 * `ps` does; `pss_mib` divides those by their number. Of both and of file descriptors the worst
 * agent is the figure, the median a field. The guard that every agent keeps for its jobs is not in
 * it; its own share is `guard_pss_mib`. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench_swarm.h"
#include "tests/bench/fleet.h"
#include "tests/bench/measure.h"

#define REST_MS 20000 /* connections that only joining needed are closed by then */
#define KIB_PER_MIB 1024.0

/* "Pss:  1234 kB" in /proc/PID/smaps_rollup. */
static bool read_kib(pid_t pid, const char *key, double *kib)
{
    char path[64];
    char line[256];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = strlen(key);
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, key, length) == 0 && line[length] == ':' &&
                sscanf(line + length + 1, "%lf", kib) == 1;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool count_files(pid_t pid, double *count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    *count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        *count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return true;
}

/* The guard is the agent's only child. */
static double guard_pss_kib(pid_t pid)
{
    char path[64];
    int child = 0;
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &child) == 1 && child > 0) {
            read_kib(child, "Pss", &kib);
        }
        fclose(file);
    }
    return kib;
}

struct usage {
    double rss_kib[CHIRR_BENCH_FLEET_AGENTS_MAX];
    double pss_kib[CHIRR_BENCH_FLEET_AGENTS_MAX];
    double files[CHIRR_BENCH_FLEET_AGENTS_MAX];
    double guard_kib[CHIRR_BENCH_FLEET_AGENTS_MAX];
};

static enum chirr_err read_usage(const struct chirr_bench_fleet *fleet, struct usage *usage,
                                 struct chirr_error *error)
{
    for (uint32_t i = 0; i < chirr_bench_fleet_count(fleet); i++) {
        pid_t pid = chirr_bench_fleet_pid(fleet, i);
        if (!read_kib(pid, "Rss", &usage->rss_kib[i]) ||
            !read_kib(pid, "Pss", &usage->pss_kib[i]) || !count_files(pid, &usage->files[i])) {
            return chirr_error_set(error, CHIRR_ERR_IO,
                                   "/proc/%d tells neither memory nor files: is it Linux's?",
                                   (int)pid);
        }
        usage->guard_kib[i] = guard_pss_kib(pid);
    }
    return CHIRR_OK;
}

/* The median sorts. */
static double worst_of(const double *values, uint32_t count)
{
    double worst = 0;
    for (uint32_t i = 0; i < count; i++) {
        worst = values[i] > worst ? values[i] : worst;
    }
    return worst;
}

static void report(struct chirr_bench_context *context, struct usage *usage, uint32_t count)
{
    struct chirr_bench_result result = {
        .metric = "rss_mib",
        .value = worst_of(usage->rss_kib, count) / KIB_PER_MIB,
        .unit = "MiB",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 8,
        .fields = json_pack("{s:i, s:f, s:f, s:f}", "agents", (int)count, "median_mib",
                            chirr_bench_median(usage->rss_kib, count) / KIB_PER_MIB, "pss_mib",
                            worst_of(usage->pss_kib, count) / KIB_PER_MIB, "guard_pss_mib",
                            worst_of(usage->guard_kib, count) / KIB_PER_MIB),
    };
    chirr_bench_report(context, &result);
    result = (struct chirr_bench_result){
        .metric = "fds",
        .value = worst_of(usage->files, count),
        .unit = "fds",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = 64,
        .fields = json_pack("{s:i, s:f}", "agents", (int)count, "median",
                            chirr_bench_median(usage->files, count)),
    };
    chirr_bench_report(context, &result);
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    static struct usage usage;
    struct chirr_bench_fleet *fleet;
    enum chirr_err err =
        chirr_bench_fleet_gather(chirr_bench_swarm_agents(context), REST_MS, &fleet, error);
    if (err == CHIRR_OK) {
        err = read_usage(fleet, &usage, error);
    }
    if (err == CHIRR_OK) {
        report(context, &usage, chirr_bench_fleet_count(fleet));
    }
    chirr_bench_fleet_destroy(fleet);
    return err;
}

const struct chirr_bench chirr_bench_swarm_agent = {
    "swarm.agent", "memory and file descriptors of one agent among many", run, false};
