/* Removing what old runs left behind, a little at a time. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/run.h"

#define DEPTH_MAX 32 /* a descriptor each; what lies deeper stays */

static bool remove_below(int parent_fd, const char *name, unsigned *budget, int depth);

/* A directory, or a file: whichever it is, nothing is followed. */
static void remove_entry(int directory_fd, const char *name, unsigned *budget, int depth)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return;
    }
    --*budget;
    if (unlinkat(directory_fd, name, 0) != 0 && depth < DEPTH_MAX) {
        remove_below(directory_fd, name, budget, depth + 1);
    }
}

static bool remove_below(int parent_fd, const char *name, unsigned *budget, int depth)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        fchmod(fd, 0700); /* a job may have taken its own right to delete away */
        DIR *directory = fdopendir(fd);
        for (struct dirent *entry; directory != NULL && *budget > 0;) {
            entry = readdir(directory);
            if (entry == NULL) {
                break;
            }
            remove_entry(fd, entry->d_name, budget, depth);
        }
        if (directory != NULL) {
            closedir(directory);
        } else {
            close(fd);
        }
    }
    return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0;
}

bool chirr_run_remove_directory(int parent_fd, const char *name, unsigned *budget)
{
    return remove_below(parent_fd, name, budget, 0);
}
