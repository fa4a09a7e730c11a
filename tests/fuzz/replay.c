/* Runs a fuzz target over files, so that a corpus is a test where there is no fuzzer:
 *      replay FILE… */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define INPUT_BYTES_MAX ((size_t)1 << 20)

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        uint8_t *data = malloc(INPUT_BYTES_MAX);
        if (file == NULL || data == NULL) {
            perror(argv[i]);
            return 1;
        }
        /* Exactly as large as the input, so that a sanitizer sees one byte too far. */
        size_t bytes = fread(data, 1, INPUT_BYTES_MAX, file);
        uint8_t *exact = realloc(data, bytes + (bytes == 0));
        fclose(file);
        LLVMFuzzerTestOneInput(exact, bytes);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
