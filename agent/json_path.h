/* Paths in JSON, which is UTF-8, as not every name of a file is. Not installed. */
#ifndef CHIRR_AGENT_JSON_PATH_H
#define CHIRR_AGENT_JSON_PATH_H

#include <jansson.h>

/* A path as a text: each byte that is no UTF-8 becomes \xHH. For people and logs; where a path has
 * to be told from another one, that is no way to do it. A new reference; NULL: out of memory. */
json_t *chirr_json_path(const char *path);

#endif
