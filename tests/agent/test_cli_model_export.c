/* `chirr model export`: files that others read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#include "tests/agent/cli_model.h"

TestSuite(cli_model_export, .init = cli_model_enter, .fini = cli_home_leave, .timeout = 120);

/* What the format says, read by its description alone. */
struct tensors {
    uint8_t *file;
    json_t *header;
    const uint8_t *data;
    size_t data_bytes;
};

static struct tensors read_safetensors(const char *path)
{
    struct tensors t = {0};
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    size_t bytes = (size_t)status.st_size;
    t.file = malloc(bytes);
    FILE *file = fopen(path, "rb");
    cr_assert_eq(fread(t.file, 1, bytes, file), bytes);
    fclose(file);
    uint64_t header = chirr_wire_get_u64(t.file);
    cr_assert_leq(8 + header, bytes);
    cr_expect_eq((8 + header) % 8, 0);
    t.header = json_loadb((const char *)t.file + 8, header, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(t.header);
    t.data = t.file + 8 + header;
    t.data_bytes = bytes - 8 - header;
    return t;
}

static void forget_tensors(struct tensors *t)
{
    json_decref(t->header);
    free(t->file);
}

static const uint8_t *find_tensor(const struct tensors *t, const char *name, size_t *count)
{
    const json_t *tensor = json_object_get(t->header, name);
    cr_assert_not_null(tensor, "%s", name);
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
    size_t end = (size_t)json_integer_value(json_array_get(offsets, 1));
    const json_t *shape = json_object_get(tensor, "shape");
    *count = 1;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        *count *= (size_t)json_integer_value(json_array_get(shape, i));
    }
    cr_expect_str_eq(json_string_value(json_object_get(tensor, "dtype")), "F32");
    cr_assert_eq(end - begin, 4 * *count, "%s", name);
    cr_assert_leq(end, t->data_bytes);
    return t->data + begin;
}

Test(cli_model_export, exports_every_parameter_as_safetensors)
{
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "m.safetensors", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    run_chirr(&run, "model", "info", "m.ckpt", "--json", NULL);
    json_t *info = json_loads(run.out, 0, NULL);
    struct tensors t = read_safetensors("m.safetensors");
    size_t sum = 0;
    const char *name;
    json_t *tensor;
    json_object_foreach(t.header, name, tensor)
    {
        size_t count = 0;
        if (strcmp(name, "__metadata__") != 0) {
            find_tensor(&t, name, &count);
        }
        sum += count;
    }
    cr_expect_eq(sum, (size_t)json_integer_value(json_object_get(info, "parameters")));
    cr_expect_eq(4 * sum, t.data_bytes, "nothing lies between or after them");
    const json_t *metadata = json_object_get(t.header, "__metadata__");
    cr_expect_str_eq(json_string_value(json_object_get(metadata, "lineage")),
                     json_string_value(json_object_get(info, "lineage")));
    json_t *shape = json_loads(json_string_value(json_object_get(metadata, "shape")), 0, NULL);
    cr_expect(json_equal(shape, json_object_get(info, "shape")));
    json_decref(shape);
    json_decref(info);
    forget_tensors(&t);
}

Test(cli_model_export, exports_the_same_numbers_as_csv)
{
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "m.safetensors", "--averaged", NULL);
    run_chirr(&run, "model", "export", "m.ckpt", "m.csv", "--averaged", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    struct tensors t = read_safetensors("m.safetensors");
    size_t count, at = 0;
    const uint8_t *head = find_tensor(&t, "head", &count);
    char line[256];
    FILE *csv = fopen("m.csv", "r");
    while (fgets(line, sizeof line, csv) != NULL) {
        if (strncmp(line, "head,", 5) != 0) {
            continue;
        }
        float expected = chirr_wire_get_f32(head + 4 * at++);
        float value = strtof(strrchr(line, ',') + 1, NULL);
        cr_assert_eq(memcmp(&value, &expected, sizeof value), 0, "%s", line);
    }
    fclose(csv);
    cr_expect_eq(at, count);
    forget_tensors(&t);
}

Test(cli_model_export, averaged_weights_are_not_the_live_ones)
{
    size_t count;
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "a.safetensors", "--averaged", NULL);
    run_chirr(&run, "model", "export", "m.ckpt", "l.safetensors", NULL);
    struct tensors a = read_safetensors("a.safetensors"), l = read_safetensors("l.safetensors");
    const uint8_t *averaged = find_tensor(&a, "layers.0.partition.3.history", &count);
    const uint8_t *live = find_tensor(&l, "layers.0.partition.3.history", &count);
    cr_expect_neq(memcmp(averaged, live, 4 * count), 0);
    forget_tensors(&a);
    forget_tensors(&l);
}

Test(cli_model_export, an_export_that_cannot_be_written_leaves_nothing)
{
    train("m.ckpt", "1000");
    run_chirr(&run, "model", "export", "m.ckpt", "none/m.safetensors", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_not_null(strstr(run.err, "none/m.safetensors: No such file"), "%s", run.err);
    cr_assert_eq(mkdir("taken", 0700), 0);
    run_chirr(&run, "model", "export", "m.ckpt", "taken", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_neq(access("taken.tmp", F_OK), 0);
}

Test(cli_model_export, never_replaces_a_checkpoint)
{
    struct result before = train("m.ckpt", "1000");
    train("other.tmp", "500");
    static const char *const outs[] = {"m.ckpt", "m.ckpt.previous", "./m.ckpt", "other"};
    for (size_t i = 0; i < sizeof outs / sizeof outs[0]; i++) {
        run_chirr(&run, "model", "export", "m.ckpt", outs[i], "--format", "csv", NULL);
        cr_expect_eq(run.code, 2, "%s", outs[i]);
        cr_expect_not_null(strstr(run.err, "is a checkpoint"), "%s", run.err);
    }
    struct result after = train("m.ckpt", "1000");
    expect_equal(&before, &after);
}

Test(cli_model_export, writes_through_what_is_no_file_of_its_own)
{
    struct stat status;
    train("m.ckpt", "1000");
    cr_assert_eq(symlink("/dev/null", "sink"), 0);
    run_chirr(&run, "model", "export", "m.ckpt", "sink", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_assert_eq(lstat("sink", &status), 0);
    cr_expect(S_ISLNK(status.st_mode), "the link is still one");
    run_chirr(&run, "model", "export", "m.ckpt", "/dev/stdout", "--format", "csv", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(strncmp(run.out, "tensor,row,column,value\n", 24), 0, "%.80s", run.out);
    cr_assert_eq(symlink("/dev/full", "full"), 0);
    run_chirr(&run, "model", "export", "m.ckpt", "full", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: full: No space left on device\n");
}
