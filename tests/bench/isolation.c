/* Namespaces of Linux, and the loopback's flag. */
#include "tests/bench/isolation.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum chirr_err chirr_bench_isolation_enter(struct chirr_error *error)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return chirr_error_set(error, CHIRR_ERR_STATE,
                               "no network namespace: %s (it takes root, or a system that permits "
                               "user namespaces)",
                               strerror(errno));
    }
    return chirr_bench_isolation_set(true, error);
}

enum chirr_err chirr_bench_isolation_set(bool up, struct chirr_error *error)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    if (done) {
        int flags = up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
        request.ifr_flags = (short)flags;
        done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    }
    int reason = errno;
    if (fd >= 0) {
        close(fd);
    }
    return done ? CHIRR_OK
                : chirr_error_set(error, CHIRR_ERR_STATE, "the loopback cannot be taken %s: %s",
                                  up ? "up" : "down", strerror(reason));
}
