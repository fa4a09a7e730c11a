/* Shares and maps of activation as people see them. Not installed. */
#ifndef CHIRR_AGENT_CLI_ACTIVATION_H
#define CHIRR_AGENT_CLI_ACTIVATION_H

#include "agent/cli.h"

/* "▒▒   38%": heat that needs no colours, full from the share `full` on, and the figure. */
void chirr_cli_cell_share(char cell[CHIRR_CLI_CELL_BYTES_MAX], double share, double full);

/* The share at which a cell is full: twice an even one; 1 where all `hosted` answer (`active` 0).
 */
double chirr_cli_share_full(double active, double hosted);

/* What chirr_activation_json says of `title`: a line, and where there is a selector a table of
 * partition by sense, means over the layers. Members that are missing count as empty. */
void chirr_cli_print_activation(const char *title, const json_t *activation);

#endif
