#include "agent/up_options.h"

#include <stdlib.h>
#include <string.h>

const char chirr_up_usage[] =
    "usage: chirr up FLEET.yaml [--for TIME] [--summary FILE] [--chaos] [--json]\n"
    "                [--state DIR] [--keep]\n"
    "\n"
    "Starts every agent of a fleet on this machine, feeds it the fleet's workload, shows how it\n"
    "goes, and sums up at the end what was learned, done and sent.\n"
    "\n"
    "  --for TIME      ends after so long (60s, 2m, 1h); else at Ctrl-C\n"
    "  --summary FILE  writes the summary as JSON, too\n"
    "  --chaos         kills one agent with kill -9 a third of the way through, at work if it can\n"
    "  --json          prints the summary as JSON alone\n"
    "  --state DIR     keeps identities, knowledge and logs there, not where the fleet says\n"
    "  --keep          leaves the workload's generated files where they are\n";

#define YEAR_S (365.0 * 24 * 3600)

enum chirr_err chirr_up_duration_parse(const char *text, chirr_time_us *duration)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
    char *unit = NULL;
    double value = strtod(text, &unit);
    if (unit == text) {
        return CHIRR_ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double seconds = value * units[i].seconds;
        if (strcmp(unit, units[i].name) == 0 && seconds >= 1e-3 && seconds <= YEAR_S) {
            *duration = (chirr_time_us)(seconds * 1e6);
            return CHIRR_OK;
        }
    }
    return CHIRR_ERR_INVALID;
}

/* The value of an option: "--for=60s", or the argument after "--for"; NULL when there is none. */
static const char *value_of(int count, char **arguments, int *at, const char *equals)
{
    if (equals != NULL) {
        return equals + 1;
    }
    return *at + 1 < count ? arguments[++*at] : NULL;
}

static enum chirr_err take_value(struct chirr_up_options *options, const char *name,
                                 const char *value, struct chirr_error *error)
{
    if (value == NULL || value[0] == '\0') {
        return chirr_error_set(error, CHIRR_ERR_INVALID, "%s: expected a value after it", name);
    }
    if (strcmp(name, "--summary") == 0) {
        options->summary_path = value;
    } else if (strcmp(name, "--state") == 0) {
        options->state_dir = value;
    } else if (chirr_up_duration_parse(value, &options->for_us) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_INVALID,
                               "--for %s: expected a time such as 60s, 2m or 1h", value);
    }
    return CHIRR_OK;
}

static bool take_flag(struct chirr_up_options *options, const char *argument)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--chaos", &options->chaos},
                 {"--json", &options->json},
                 {"--keep", &options->keep},
                 {"--help", &options->help},
                 {"-h", &options->help}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(argument, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    return false;
}

static const char *valued_option(const char *argument)
{
    static const char *const names[] = {"--for", "--summary", "--state"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t bytes = strlen(names[i]);
        if (strncmp(argument, names[i], bytes) == 0 &&
            (argument[bytes] == '\0' || argument[bytes] == '=')) {
            return names[i];
        }
    }
    return NULL;
}

enum chirr_err chirr_up_options_parse(int count, char **arguments, struct chirr_up_options *options,
                                      struct chirr_error *error)
{
    *options = (struct chirr_up_options){.for_us = CHIRR_TIME_NEVER};
    enum chirr_err err = CHIRR_OK;
    for (int i = 1; i < count && err == CHIRR_OK; i++) {
        const char *argument = arguments[i];
        const char *name = valued_option(argument);
        if (name != NULL) {
            err = take_value(options, name, value_of(count, arguments, &i, strchr(argument, '=')),
                             error);
        } else if (take_flag(options, argument)) {
            continue;
        } else if (argument[0] == '-') {
            err = chirr_error_set(error, CHIRR_ERR_INVALID, "%s: no such option", argument);
        } else if (options->fleet_path != NULL) {
            err = chirr_error_set(error, CHIRR_ERR_INVALID, "%s: one fleet at a time", argument);
        } else {
            options->fleet_path = argument;
        }
    }
    if (err == CHIRR_OK && options->fleet_path == NULL && !options->help) {
        return chirr_error_set(error, CHIRR_ERR_INVALID, "expected the file of a fleet");
    }
    return err;
}
