/* A preload shim that records what a process does to the files under RECORD_PREFIX, in order.

   Records go to the file RECORD_TO: kind (1 byte), length of the name (2), offset (8), length of
   the data (4), the name, the data. Kinds: W write, T truncate to offset, S sync, U unlink,
   A acknowledged (a write to a file whose name ends in ".acks"). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[1024][256];
static int out = -1;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, name)

static void put(char kind, const char *name, uint64_t offset, const void *data, uint32_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    unsigned char head[15];
    uint16_t size = strlen(name);
    head[0] = kind;
    memcpy(head + 1, &size, 2);
    memcpy(head + 3, &offset, 8);
    memcpy(head + 11, &length, 4);
    pthread_mutex_lock(&lock);
    if (out < 0) {
        REAL(int, "open", const char *, int, ...);
        out = real(getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    if (real(out, head, 15) < 0 || real(out, name, size) < 0) abort();
    if (length && real(out, data, length) < 0) abort();
    pthread_mutex_unlock(&lock);
}

static const char *known(int fd) {
    return fd >= 0 && fd < 1024 && names[fd][0] ? names[fd] : 0;
}

static int opened(int fd, const char *path) {
    const char *prefix = getenv("RECORD_PREFIX");
    if (fd >= 0 && fd < 1024) {
        names[fd][0] = 0;
        if (prefix && !strncmp(path, prefix, strlen(prefix)) && !strstr(path, "-shm"))
            strncpy(names[fd], path, 255);
    }
    return fd;
}

#define OPENER(function) \
    int function(const char *path, int flags, ...) { \
        REAL(int, #function, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, int) : 0; \
        va_end(rest); \
        return opened(real(path, flags, mode), path); \
    }
OPENER(open)
OPENER(open64)

static void wrote(int fd, const void *data, ssize_t length, off64_t offset) {
    const char *name = known(fd);
    if (!name || length <= 0) return;
    const char *end = strrchr(name, '.');
    put(end && !strcmp(end, ".acks") ? 'A' : 'W', name, offset, data, length);
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    off64_t at = known(fd) ? lseek64(fd, 0, SEEK_CUR) : 0;
    ssize_t done = real(fd, data, length);
    wrote(fd, data, done, at);
    return done;
}

#define WRITER(function, offset_type) \
    ssize_t function(int fd, const void *data, size_t length, offset_type offset) { \
        REAL(ssize_t, #function, int, const void *, size_t, offset_type); \
        ssize_t done = real(fd, data, length, offset); \
        wrote(fd, data, done, offset); \
        return done; \
    }
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)

#define SYNCER(function) \
    int function(int fd) { \
        REAL(int, #function, int); \
        int done = real(fd); \
        if (known(fd) && !done) put('S', known(fd), 0, 0, 0); \
        return done; \
    }
SYNCER(fsync)
SYNCER(fdatasync)

#define TRUNCATER(function, offset_type) \
    int function(int fd, offset_type size) { \
        REAL(int, #function, int, offset_type); \
        int done = real(fd, size); \
        if (known(fd) && !done) put('T', known(fd), size, 0, 0); \
        return done; \
    }
TRUNCATER(ftruncate, off_t)
TRUNCATER(ftruncate64, off64_t)

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    const char *prefix = getenv("RECORD_PREFIX");
    int done = real(path);
    if (!done && prefix && !strncmp(path, prefix, strlen(prefix)) && !strstr(path, "-shm"))
        put('U', path, 0, 0, 0);
    return done;
}

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < 1024) names[fd][0] = 0;
    return real(fd);
}
