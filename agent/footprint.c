/* Memory given back. */
#include "agent/footprint.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define RANGES_MAX 512
#define LARGE_BYTES (64 * 1024)

void chirr_footprint_begin(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

struct range {
    uintptr_t begin, end;
    bool clean; /* file-backed, never writable, and no page of it was ever written */
};

/* A mapping's head in smaps: "55d1-55d2 r-xp 00000000 fe:00 1234   /usr/lib/…". */
static bool parse_head(const char *line, struct range *range)
{
    unsigned long begin;
    unsigned long end;
    unsigned long inode;
    char access[5];
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &begin, &end, access, &inode) != 4) {
        return false;
    }
    *range = (struct range){begin, end,
                            inode != 0 && access[0] == 'r' && access[1] == '-' && access[3] == 'p'};
    return true;
}

/* What was relocated and then made read-only has pages of its own, which must not go: "Anonymous:"
 * tells of them. */
static size_t find_clean(struct range ranges[RANGES_MAX])
{
    char line[512];
    size_t count = 0;
    struct range head = {0};
    struct range next;
    FILE *maps = fopen("/proc/self/smaps", "re");
    if (maps == NULL) {
        return 0;
    }
    while (count < RANGES_MAX && fgets(line, sizeof line, maps) != NULL) {
        unsigned long anonymous;
        if (parse_head(line, &next)) {
            head = next;
        } else if (sscanf(line, "Anonymous: %lu", &anonymous) == 1 && head.clean &&
                   anonymous == 0) {
            ranges[count++] = head;
        }
    }
    fclose(maps);
    return count;
}

void chirr_footprint_trim(void)
{
    static struct range ranges[RANGES_MAX];
    malloc_trim(0);
    size_t count = find_clean(ranges);
    for (size_t i = 0; i < count; i++) {
        /* In vain, at worst. */
        (void)madvise((void *)ranges[i].begin, ranges[i].end - ranges[i].begin, MADV_DONTNEED);
    }
}

void chirr_footprint_tend(struct chirr_footprint *footprint, chirr_time_us now)
{
    static const uint32_t at_s[] = {4, 12, 30, 120};
    if (footprint->trims < sizeof at_s / sizeof at_s[0] &&
        now >= footprint->began_us + at_s[footprint->trims] * CHIRR_US_PER_S) {
        chirr_footprint_trim();
        footprint->trims++;
    }
}
