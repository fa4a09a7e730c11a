#include "tests/support/allocations.h"

#include <stddef.h>

static long count;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t elements, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t elements, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    count++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t elements, size_t bytes)
{
    count++;
    return __real_calloc(elements, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    count++;
    return __real_realloc(memory, bytes);
}

long allocations_count(void)
{
    return count;
}
