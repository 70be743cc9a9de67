/* A disk that fails on demand: loaded before the C library, it lets chosen calls on files below one folder fail.

   It sees what Python, SQLite and FFmpeg ask of the system alike. `disk_watch` names the folder; `disk_fail` says which of the
   following calls fails, how many after it do too, and with which error; `disk_calls` counts the calls since then. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 4096
static char folder[PATH_MAX];
static unsigned char ours[FDS];
static long calls, first, count;
static int error_number;

void disk_watch(const char *path) { strncpy(folder, path, sizeof folder - 1); }
void disk_fail(long at, long how_many, int number) { calls = 0; first = at; count = how_many; error_number = number; }
long disk_calls(void) { return calls; }

static int fails(void) {
    long call = ++calls;
    if (!first || call < first || call >= first + count) return 0;
    errno = error_number;
    return 1;
}
static int below(const char *path) { return folder[0] && path && !strncmp(path, folder, strlen(folder)); }
static int is_ours(int fd) { return fd >= 0 && fd < FDS && ours[fd]; }
static int opened(int fd) { if (fd >= 0 && fd < FDS) ours[fd] = 1; return fd; }

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define BY_PATH(result, name, path, parameters, arguments) \
    result name parameters { if (below(path) && fails()) return -1; return REAL(name) arguments; }
#define BY_FD(result, name, fd, parameters, arguments) \
    result name parameters { if (is_ours(fd) && fails()) return -1; return REAL(name) arguments; }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); int mode = flags & O_CREAT ? va_arg(list, int) : 0; va_end(list); \
        if (!below(path)) return REAL(name)(path, flags, mode); \
        if (fails()) return -1; \
        return opened(REAL(name)(path, flags, mode)); }
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); int mode = flags & O_CREAT ? va_arg(list, int) : 0; va_end(list); \
        if (!below(path)) return REAL(name)(at, path, flags, mode); \
        if (fails()) return -1; \
        return opened(REAL(name)(at, path, flags, mode)); }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
BY_FD(ssize_t, write, fd, (int fd, const void *data, size_t size), (fd, data, size))
BY_FD(ssize_t, pwrite, fd, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
BY_FD(ssize_t, pwrite64, fd, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
BY_FD(ssize_t, read, fd, (int fd, void *data, size_t size), (fd, data, size))
BY_FD(ssize_t, pread, fd, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
BY_FD(ssize_t, pread64, fd, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
BY_FD(int, ftruncate, fd, (int fd, off_t size), (fd, size))
BY_FD(int, ftruncate64, fd, (int fd, off64_t size), (fd, size))
BY_FD(int, fsync, fd, (int fd), (fd))
BY_FD(int, fdatasync, fd, (int fd), (fd))
BY_FD(int, flock, fd, (int fd, int how), (fd, how))
BY_FD(int, fchmod, fd, (int fd, mode_t mode), (fd, mode))
BY_FD(int, fstat, fd, (int fd, struct stat *found), (fd, found))
BY_FD(int, fstat64, fd, (int fd, struct stat64 *found), (fd, found))
BY_PATH(int, stat, path, (const char *path, struct stat *found), (path, found))
BY_PATH(int, stat64, path, (const char *path, struct stat64 *found), (path, found))
BY_PATH(int, lstat, path, (const char *path, struct stat *found), (path, found))
BY_PATH(int, lstat64, path, (const char *path, struct stat64 *found), (path, found))
BY_PATH(int, access, path, (const char *path, int how), (path, how))
BY_PATH(int, mkdir, path, (const char *path, mode_t mode), (path, mode))
BY_PATH(int, unlink, path, (const char *path), (path))
BY_PATH(int, rename, path, (const char *path, const char *to), (path, to))

int fstatat(int at, const char *path, struct stat *found, int flags) {
    if (below(path) && fails()) return -1;
    return REAL(fstatat)(at, path, found, flags);
}
int fstatat64(int at, const char *path, struct stat64 *found, int flags) {
    if (below(path) && fails()) return -1;
    return REAL(fstatat64)(at, path, found, flags);
}
int dup(int fd) {
    if (is_ours(fd) && fails()) return -1;
    int other = REAL(dup)(fd);
    return is_ours(fd) ? opened(other) : other;
}
int close(int fd) { /* Linux gives the descriptor back whatever it answers */
    int was = is_ours(fd), fail = was && fails();
    int number = errno;
    if (was) ours[fd] = 0;
    int done = REAL(close)(fd);
    if (!fail) return done;
    errno = number;
    return -1;
}
typedef struct __dirstream DIR;
DIR *opendir(const char *path) {
    if (below(path) && fails()) return NULL;
    return ((DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir"))(path);
}
