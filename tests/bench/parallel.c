#include "tests/bench/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

struct queue {
    const struct chirr_bench_work *work;
    atomic_size_t next;
};

static void *run_jobs(void *context)
{
    struct queue *queue = context;
    const struct chirr_bench_work *work = queue->work;
    for (size_t i; (i = atomic_fetch_add(&queue->next, 1)) < work->job_count;) {
        work->run((char *)work->jobs + i * work->job_bytes);
    }
    return NULL;
}

void chirr_bench_run_all(const struct chirr_bench_work *work)
{
    struct queue queue = {.work = work};
    pthread_t second;
    bool two = pthread_create(&second, NULL, run_jobs, &queue) == 0;
    run_jobs(&queue);
    if (two) {
        pthread_join(second, NULL);
    }
}
