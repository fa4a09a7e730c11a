/* What the commands share: options, failures, tables. */
#include "agent/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

/* ---- Options ------------------------------------------------------------------------------- */

void chirr_cli_begin(void)
{
    optind = 0; /* glibc: start anew, whatever another command left behind */
    opterr = 0;
}

static int next_option(const struct chirr_cli_arguments *a, const char *letters)
{
    int option = getopt_long(a->argc, a->argv, letters, a->options, NULL);
    if (option == 'h') {
        fputs(a->help, stdout);
        return CHIRR_CLI_HELP;
    }
    if (option == ':') {
        chirr_cli_usage(a->command, "option %s needs a value", a->argv[optind - 1]);
        return CHIRR_CLI_BAD;
    }
    if (option == '?') {
        const char *given = a->argv[optind - 1];
        bool letter = optopt != 0 && strncmp(given, "--", 2) != 0;
        if (letter) {
            chirr_cli_usage(a->command, "unknown option -%c", optopt);
        } else {
            chirr_cli_usage(a->command, "unknown option %s", given);
        }
        return CHIRR_CLI_BAD;
    }
    return option == -1 ? CHIRR_CLI_END : option;
}

int chirr_cli_option(const struct chirr_cli_arguments *a)
{
    return next_option(a, "+:h");
}

int chirr_cli_option_anywhere(const struct chirr_cli_arguments *a)
{
    return next_option(a, ":h");
}

int chirr_cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "chirr %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, " (see chirr %s --help)\n", command);
    va_end(args);
    return CHIRR_EXIT_USAGE;
}

int chirr_cli_fail(const struct chirr_error *error)
{
    fprintf(stderr, "chirr: %s\n", error->text);
    switch (error->code) {
    case CHIRR_ERR_CONFIG:
    case CHIRR_ERR_RANGE:
    case CHIRR_ERR_INVALID:
        return CHIRR_EXIT_USAGE;
    case CHIRR_ERR_NOTFOUND:
        return CHIRR_EXIT_NOTFOUND;
    case CHIRR_ERR_TIMEOUT:
        return CHIRR_EXIT_TIMEOUT;
    default:
        return CHIRR_EXIT_FAILED;
    }
}

bool chirr_cli_integer(const struct chirr_cli_arguments *arguments, const char *option,
                       const struct chirr_cli_range *range, uint64_t *value)
{
    enum chirr_yaml_type type = (enum chirr_yaml_type)range->type;
    const char *what = type == CHIRR_YAML_DURATION ? "a duration (as in 250ms, 60s, 5m)"
                       : type == CHIRR_YAML_SIZE   ? "a size in bytes (as in 1500, 64K, 16M)"
                                                   : "a whole number";
    uint64_t parsed;
    if (chirr_yaml_parse_integer(type, optarg, &parsed) && parsed >= range->min &&
        parsed <= range->max) {
        *value = parsed;
        return true;
    }
    chirr_cli_usage(arguments->command, "%s: expected %s from %llu to %llu%s, got \"%s\"", option,
                    what, (unsigned long long)range->min, (unsigned long long)range->max,
                    type == CHIRR_YAML_DURATION ? " ms" : "", optarg);
    return false;
}

bool chirr_cli_number(const struct chirr_cli_arguments *arguments, const char *option, double min,
                      double max, double *value)
{
    char *end;
    double parsed = strtod(optarg, &end);
    if (end > optarg && *end == '\0' && parsed >= min && parsed <= max) {
        *value = parsed;
        return true;
    }
    chirr_cli_usage(arguments->command, "%s: expected a number from %g to %g, got \"%s\"", option,
                    min, max, optarg);
    return false;
}

void chirr_cli_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

/* ---- Tables -------------------------------------------------------------------------------- */

static size_t column_count(const struct chirr_cli_table *table)
{
    size_t count = 0;
    while (table->columns[count].title != NULL) {
        count++;
    }
    CHIRR_ASSERT(count <= CHIRR_CLI_COLUMNS_MAX);
    return count;
}

char (*chirr_cli_table_row(struct chirr_cli_table *table))[CHIRR_CLI_CELL_BYTES_MAX]
{
    size_t columns = column_count(table);
    if (table->row_count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 16 : 2 * table->capacity;
        void *grown = realloc(table->cells, capacity * columns * sizeof table->cells[0]);
        if (grown == NULL) {
            return NULL;
        }
        table->cells = grown;
        table->capacity = capacity;
    }
    char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = &table->cells[table->row_count++ * columns];
    memset(row, 0, columns * sizeof row[0]);
    return row;
}

/* Terminal columns of a UTF-8 text: bytes that do not continue a character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void print_cell(const char *text, int width, bool right, bool last)
{
    int padding = width - width_of(text);
    if (right) {
        printf("%*s%s", padding, "", text);
    } else {
        printf("%s%*s", text, last ? 0 : padding, "");
    }
    fputs(last ? "\n" : "  ", stdout);
}

void chirr_cli_table_print(const struct chirr_cli_table *table)
{
    size_t columns = column_count(table);
    int widths[CHIRR_CLI_COLUMNS_MAX];
    for (size_t c = 0; c < columns; c++) {
        widths[c] = width_of(table->columns[c].title);
        for (size_t r = 0; r < table->row_count; r++) {
            int width = width_of(table->cells[r * columns + c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t c = 0; c < columns; c++) {
        print_cell(table->columns[c].title, widths[c], table->columns[c].right, c + 1 == columns);
    }
    for (size_t r = 0; r < table->row_count; r++) {
        for (size_t c = 0; c < columns; c++) {
            print_cell(table->cells[r * columns + c], widths[c], table->columns[c].right,
                       c + 1 == columns);
        }
    }
}

void chirr_cli_table_finish(struct chirr_cli_table *table)
{
    free(table->cells);
    table->cells = NULL;
    table->row_count = table->capacity = 0;
}

void chirr_cli_cell_number(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *value, int decimals)
{
    if (!json_is_number(value) || !isfinite(json_number_value(value))) {
        strcpy(cell, "-");
    } else {
        snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "%.*f", decimals, json_number_value(value));
    }
}

void chirr_cli_cell_bytes(char cell[CHIRR_CLI_CELL_BYTES_MAX], const json_t *value)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    if (!json_is_number(value)) {
        strcpy(cell, "-");
        return;
    }
    double amount = json_number_value(value);
    size_t unit = 0;
    while (amount >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        amount /= 1024;
        unit++;
    }
    snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "%.*f%s", unit > 0 && amount < 10 ? 1 : 0, amount,
             units[unit]);
}

void chirr_cli_cell_text(char cell[CHIRR_CLI_CELL_BYTES_MAX], const char *text)
{
    static const char ellipsis[] = "…";
    size_t bytes = strlen(text);
    size_t room = CHIRR_CLI_CELL_BYTES_MAX - 1;
    bool cut = bytes > room;
    bytes = cut ? room - (sizeof ellipsis - 1) : bytes;
    while (cut && bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80) {
        bytes--;
    }
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        cell[i] = (char)(c < 0x20 || c == 0x7F ? ' ' : c);
    }
    strcpy(cell + bytes, cut ? ellipsis : "");
}
