#include "sim/disk.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"

#define RECORDS 40

static struct chirr_arena arena;
static struct chirr_sim_disk disk;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_sim_disk_bytes(RECORDS)), CHIRR_OK);
    cr_assert_eq(chirr_sim_disk_init(&disk, &arena, RECORDS), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(disk, .init = setup, .fini = teardown);

Test(disk, keeps_the_last_record_of_each_subject)
{
    for (uint64_t version = 1; version <= 3; version++) {
        for (uint32_t nonce = 0; nonce < RECORDS - 1; nonce++) {
            struct chirr_record task = sample_task(1, nonce);
            task = sample_stamped(&task, 1, 1, version);
            cr_assert_eq(chirr_sim_disk_write(&disk, &task), CHIRR_OK);
        }
    }
    struct chirr_record card = sample_card(2);
    card = sample_stamped(&card, 2, 1, 9);
    cr_assert_eq(chirr_sim_disk_write(&disk, &card), CHIRR_OK);
    for (uint32_t nonce = 0; nonce < RECORDS - 1; nonce++) {
        chirr_task_id id = sample_task(1, nonce).task.id;
        const struct chirr_record *found = chirr_sim_disk_find(&disk, CHIRR_RECORD_TASK, id);
        cr_assert_not_null(found);
        cr_assert_eq(found->task.id, id);
        cr_assert_eq(found->stamp.version, 3);
    }
    cr_assert_not_null(chirr_sim_disk_find(&disk, CHIRR_RECORD_CARD, sample_agent(2)));
    cr_assert_null(chirr_sim_disk_find(&disk, CHIRR_RECORD_CLAIMS, sample_agent(2)));
    cr_assert_eq(disk.count, RECORDS);
}

Test(disk, says_when_it_is_full_and_still_takes_what_it_knows)
{
    for (uint32_t nonce = 0; nonce < RECORDS; nonce++) {
        struct chirr_record task = sample_task(1, nonce);
        cr_assert_eq(chirr_sim_disk_write(&disk, &task), CHIRR_OK);
    }
    struct chirr_record other = sample_task(1, RECORDS);
    struct chirr_record known = sample_task(1, 0);
    cr_assert_eq(chirr_sim_disk_write(&disk, &other), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_sim_disk_write(&disk, &known), CHIRR_OK);
}

Test(disk, an_erased_disk_knows_nothing)
{
    struct chirr_record task = sample_task(1, 0);
    cr_assert_eq(chirr_sim_disk_write(&disk, &task), CHIRR_OK);
    chirr_sim_disk_erase(&disk);
    cr_assert_null(chirr_sim_disk_find(&disk, CHIRR_RECORD_TASK, task.task.id));
    cr_assert_eq(disk.count, 0);
}
