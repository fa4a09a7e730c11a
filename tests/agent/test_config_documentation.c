/* docs/configuration.md says what the tables of keys say. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_fields.h"
#include "tests/support/directory.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];

static void enter(void)
{
    directory_create(directory);
}

static void leave(void)
{
    directory_remove(directory);
}

TestSuite(config_documentation, .init = enter, .fini = leave);

static char *read_documentation(void)
{
    FILE *file = fopen(CHIRR_DOCUMENTATION, "r");
    cr_assert_not_null(file);
    char *text = calloc(1, 1 << 20);
    cr_assert_gt(fread(text, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    return text;
}

static void expect_documented(const struct chirr_yaml_field *fields, const char *text)
{
    for (const struct chirr_yaml_field *field = fields; field->type != 0; field++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", field->key != NULL ? field->key : "");
        cr_expect(field->key == NULL || strstr(text, quoted) != NULL, "no word about %s", quoted);
        if (field->fields != NULL) {
            expect_documented(field->fields, text);
        }
        if (field->element != NULL && field->element->fields != NULL) {
            expect_documented(field->element->fields, text);
        }
    }
}

Test(config_documentation, the_documentation_names_every_key)
{
    char *text = read_documentation();
    expect_documented(chirr_config_agent_fields, text);
    expect_documented(chirr_config_fleet_fields, text);
    free(text);
}

/* The third cell of a key's row in the section that begins with **`NAME`**, before any ';'. */
static void find_default(const char *text, const char *section, const char *key, char value[64])
{
    char mark[64];
    snprintf(mark, sizeof mark, "**`%s`**", section);
    const char *at = strstr(text, mark);
    cr_assert_not_null(at, "no section %s", mark);
    const char *end = strstr(at + strlen(mark), "\n**`");
    snprintf(mark, sizeof mark, "\n| `%s` | ", key);
    at = strstr(at, mark);
    cr_assert(at != NULL && (end == NULL || at < end), "no row for %s.%s", section, key);
    at = strstr(at + strlen(mark), " | ");
    cr_assert_not_null(at);
    at += strlen(" | ");
    snprintf(value, 64, "%.*s", (int)strcspn(at, " ;|\n"), at);
}

static void expect_defaults(const struct chirr_yaml_field *fields, const char *section,
                            const char *text)
{
    struct chirr_agent_config *config = malloc(2 * sizeof *config);
    config[0] = config[1] = chirr_agent_config_default();
    for (const struct chirr_yaml_field *field = fields; field->type != 0; field++) {
        char value[64];
        char line[128];
        struct chirr_error error = {0};
        find_default(text, section, field->key, value);
        int bytes = snprintf(line, sizeof line, "%s: %s\n", field->key, value);
        struct chirr_yaml *yaml = chirr_yaml_parse(section, line, (size_t)bytes, &error);
        cr_assert_not_null(yaml, "%s", error.text);
        cr_assert_eq(chirr_yaml_read(yaml, "", fields, &config[0], &error), CHIRR_OK, "%s",
                     error.text);
        chirr_yaml_destroy(yaml);
        cr_expect_arr_eq((char *)&config[0] + field->offset, (char *)&config[1] + field->offset,
                         field->bytes, "%s.%s: not %s in the code", section, field->key, value);
    }
    free(config);
}

Test(config_documentation, the_documentation_gives_the_defaults_of_the_code)
{
    char *text = read_documentation();
    expect_defaults(chirr_config_model_fields, "model", text);
    for (const struct chirr_yaml_field *field = chirr_config_common_fields; field->type != 0;
         field++) {
        if (field->type == CHIRR_YAML_MAPPING) {
            expect_defaults(field->fields, field->key, text);
        }
    }
    free(text);
}

/* The examples are what stands between ```yaml and ```, the fleet first. */
static const char *take_example(const char *text, int index)
{
    static const char fence[] = "```yaml\n";
    const char *start = text;
    for (int i = 0; i <= index; i++) {
        start = strstr(start, fence);
        cr_assert_not_null(start);
        start += sizeof fence - 1;
    }
    const char *end = strstr(start, "```");
    cr_assert_not_null(end);
    directory_write(directory, "f.yaml", start, (size_t)(end - start));
    return directory_file(directory, "f.yaml");
}

Test(config_documentation, the_examples_of_the_documentation_load)
{
    struct chirr_error error = {0};
    struct chirr_agent_config agent;
    struct chirr_fleet_config *f = malloc(sizeof *f);
    char *text = read_documentation();
    const char *path = take_example(text, 0);
    cr_expect_eq(chirr_fleet_config_load(path, f, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(f->agent_count, 4);
    for (int i = 1; i <= 2; i++) {
        path = take_example(text, i);
        cr_expect_eq(chirr_agent_config_load(path, &agent, &error), CHIRR_OK, "%s", error.text);
    }
    free(text);
    free(f);
}
