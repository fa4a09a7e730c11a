#include "agent/json_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the character that begins here; 0: none does. Jansson knows which are UTF-8. */
static size_t character_bytes(const char *at)
{
    size_t left = strnlen(at, 4);
    for (size_t bytes = 1; bytes <= left; bytes++) {
        json_t *text = json_stringn(at, bytes);
        json_decref(text);
        if (text != NULL) {
            return bytes;
        }
    }
    return 0;
}

json_t *chirr_json_path(const char *path)
{
    json_t *whole = json_string(path);
    char *shown = whole == NULL ? malloc(4 * strlen(path) + 1) : NULL;
    if (shown == NULL) {
        return whole;
    }
    char *out = shown;
    while (*path != '\0') {
        size_t bytes = character_bytes(path);
        if (bytes > 0) {
            memcpy(out, path, bytes);
            out += bytes;
            path += bytes;
        } else {
            out += sprintf(out, "\\x%02X", (unsigned char)*path++);
        }
    }
    *out = '\0';
    whole = json_string(shown);
    free(shown);
    return whole;
}
