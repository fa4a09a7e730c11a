/* proc: how busy this machine is. */
#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sense_parts.h"

#define INTERVAL_MS 1000
#define SECTOR_BYTES 512.0 /* in diskstats always, whatever the device */
#define MEGABYTE 1e6
#define NAME_BYTES_MAX 64

const char *chirr_proc_component_name(enum chirr_proc_component component)
{
    static const char *const names[CHIRR_PROC_WIDTH] = {
        "cpu", "load", "memory", "swap", "disk_read", "disk_write", "net_in", "net_out"};
    return (unsigned)component < CHIRR_PROC_WIDTH ? names[component] : "unknown";
}

enum chirr_err chirr_sense_proc_open(struct chirr_source *source, struct chirr_error *error)
{
    struct chirr_sense_proc *proc = &source->proc;
    bool given = source->config.from[0] != '\0';
    snprintf(proc->root, sizeof proc->root, "%s", given ? source->config.from : "/proc");
    uint32_t interval_ms = source->config.interval_ms;
    proc->interval_us = chirr_time_from_ms(interval_ms == 0 ? INTERVAL_MS : interval_ms);
    proc->text = malloc(CHIRR_SENSE_PROC_BYTES);
    return proc->text != NULL ? CHIRR_OK
                              : chirr_error_set(error, CHIRR_ERR_NOMEM, "sense %s: out of memory",
                                                source->config.name);
}

void chirr_sense_proc_close(struct chirr_source *source)
{
    free(source->proc.text);
}

/* The file's beginning as text; "" when it cannot be read. */
static const char *load(struct chirr_sense_proc *proc, const char *name)
{
    char path[CHIRR_SOURCE_BYTES_MAX + NAME_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s", proc->root, name);
    size_t bytes = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    while (fd >= 0 && bytes < CHIRR_SENSE_PROC_BYTES - 1) {
        ssize_t got = read(fd, proc->text + bytes, CHIRR_SENSE_PROC_BYTES - 1 - bytes);
        if (got <= 0) {
            break;
        }
        bytes += (size_t)got;
    }
    if (fd >= 0) {
        close(fd);
    }
    proc->text[bytes] = '\0';
    return proc->text;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

/* ---- Totals since boot ----------------------------------------------------------------------- */

/* "cpu  user nice system idle iowait irq softirq steal …"; guest time is in user already. */
static unsigned read_cpu(struct chirr_sense_proc *proc, struct chirr_proc_totals *totals)
{
    const char *text = load(proc, "stat");
    double t[8] = {0};
    unsigned cpu_count = 0;
    if (sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4],
               &t[5], &t[6], &t[7]) >= 4) {
        double idle = t[3] + t[4];
        totals->cpu_busy = t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
        totals->cpu_total = totals->cpu_busy + idle;
    }
    for (; *text != '\0'; text = next_line(text)) {
        cpu_count += strncmp(text, "cpu", 3) == 0 && isdigit((unsigned char)text[3]);
    }
    return cpu_count;
}

/* "sda1" of "sda", "nvme0n1p2" of "nvme0n1"; a disk stands before its partitions. */
static bool is_partition_of(const char *name, const char *disk)
{
    size_t bytes = strlen(disk);
    if (bytes == 0 || strncmp(name, disk, bytes) != 0 || name[bytes] == '\0') {
        return false;
    }
    const char *rest = name + bytes;
    rest += isdigit((unsigned char)disk[bytes - 1]) && *rest == 'p';
    return *rest != '\0' && rest[strspn(rest, "0123456789")] == '\0';
}

/* Those that only map onto others would be counted twice; RAM is no disk. */
static bool is_virtual(const char *name)
{
    static const char *const prefixes[] = {"loop", "ram", "zram", "dm-", "md"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* "major minor name reads merged sectors_read ms writes merged sectors_written …" */
static void read_disks(struct chirr_sense_proc *proc, struct chirr_proc_totals *totals)
{
    char disk[NAME_BYTES_MAX] = "", name[NAME_BYTES_MAX];
    for (const char *line = load(proc, "diskstats"); *line != '\0'; line = next_line(line)) {
        double sectors_read, sectors_written;
        if (sscanf(line, "%*u %*u %63s %*u %*u %lf %*u %*u %*u %lf", name, &sectors_read,
                   &sectors_written) != 3) {
            continue;
        }
        if (isnan(totals->disk_read)) {
            totals->disk_read = totals->disk_write = 0;
        }
        if (is_virtual(name) || is_partition_of(name, disk)) {
            continue;
        }
        memcpy(disk, name, sizeof disk);
        totals->disk_read += sectors_read * SECTOR_BYTES;
        totals->disk_write += sectors_written * SECTOR_BYTES;
    }
}

/* "name: bytes packets errs drop fifo frame compressed multicast | bytes …" */
static void read_net(struct chirr_sense_proc *proc, struct chirr_proc_totals *totals)
{
    char name[NAME_BYTES_MAX];
    for (const char *line = load(proc, "net/dev"); *line != '\0'; line = next_line(line)) {
        double in, out;
        if (sscanf(line, " %63[^: ]: %lf %*u %*u %*u %*u %*u %*u %*u %lf", name, &in, &out) != 3) {
            continue;
        }
        if (isnan(totals->net_in)) {
            totals->net_in = totals->net_out = 0;
        }
        bool loopback = strcmp(name, "lo") == 0;
        totals->net_in += loopback ? 0 : in;
        totals->net_out += loopback ? 0 : out;
    }
}

/* ---- Components ------------------------------------------------------------------------------ */

static double read_load(struct chirr_sense_proc *proc, unsigned cpu_count)
{
    double load_average;
    bool known = sscanf(load(proc, "loadavg"), "%lf", &load_average) == 1 && cpu_count > 0;
    return known ? log1p(load_average / cpu_count) : NAN;
}

static double meminfo(const char *text, const char *key)
{
    double kilobytes;
    const char *at = strstr(text, key);
    return at != NULL && sscanf(at + strlen(key), " %lf", &kilobytes) == 1 ? kilobytes : NAN;
}

static void read_memory(struct chirr_sense_proc *proc, float *values)
{
    const char *text = load(proc, "meminfo");
    double swap = meminfo(text, "SwapTotal:");
    values[CHIRR_PROC_MEMORY] =
        (float)(1 - meminfo(text, "MemAvailable:") / meminfo(text, "MemTotal:"));
    values[CHIRR_PROC_SWAP] =
        swap > 0 ? (float)(1 - meminfo(text, "SwapFree:") / swap) : (float)swap;
}

/* NaN for the first vector, and where a counter went backwards: a device was taken away. */
static float rate(double total, double last, double seconds)
{
    double bytes = total - last;
    return bytes >= 0 && seconds > 0 ? (float)log1p(bytes / MEGABYTE / seconds) : NAN;
}

static void read_vector(struct chirr_sense_proc *proc, chirr_time_us now, float *values)
{
    struct chirr_proc_totals totals = {NAN, NAN, NAN, NAN, NAN, NAN};
    struct chirr_proc_totals last = proc->begun ? proc->last : totals;
    double seconds = (double)(now - proc->read_at) / (double)CHIRR_US_PER_S;
    unsigned cpu_count = read_cpu(proc, &totals);
    read_disks(proc, &totals);
    read_net(proc, &totals);
    double ticks = totals.cpu_total - last.cpu_total;
    double busy = (totals.cpu_busy - last.cpu_busy) / ticks;
    values[CHIRR_PROC_CPU] = ticks > 0 ? (float)(busy < 0 ? 0 : busy > 1 ? 1 : busy) : NAN;
    values[CHIRR_PROC_LOAD] = (float)read_load(proc, cpu_count);
    read_memory(proc, values);
    values[CHIRR_PROC_DISK_READ] = rate(totals.disk_read, last.disk_read, seconds);
    values[CHIRR_PROC_DISK_WRITE] = rate(totals.disk_write, last.disk_write, seconds);
    values[CHIRR_PROC_NET_IN] = rate(totals.net_in, last.net_in, seconds);
    values[CHIRR_PROC_NET_OUT] = rate(totals.net_out, last.net_out, seconds);
    proc->last = totals;
    proc->read_at = now;
    proc->begun = true;
}

void chirr_sense_proc_read(struct chirr_source *source, chirr_time_us now, float *values,
                           size_t *count)
{
    struct chirr_sense_proc *proc = &source->proc;
    if (proc->begun && now < proc->next_at) {
        return;
    }
    read_vector(proc, now, values);
    proc->next_at = now + proc->interval_us;
    *count = CHIRR_PROC_WIDTH;
    for (int i = 0; i < CHIRR_PROC_WIDTH; i++) {
        source->counters.missing += isnan(values[i]);
    }
}
