/* The wall clock of a sandbox node, preloaded into its processes: true time + offset + drift, from a small file that
   the data plane may change at any time. Monotonic clocks, sleeps, file times and statically linked programs stay true.

   Not libfaketime: 0.9.10 (Debian 12) answers EINVAL to absolute sleeps on a monotonic clock that is not to be faked
   (Python >= 3.11 sleeps so), leaves semaphores in /dev/shm that later processes abort on, and applies a drift from
   each process's own start. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define EPOCH_LIKE_S 500000000 /* an absolute time above this (16 years) is no uptime */

struct clock_file {
    volatile int64_t version; /* odd while it is being written */
    int64_t since_ns;
    int64_t offset_ns;
    double drift; /* seconds per second */
};

static const struct clock_file *file;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static int (*real_mutex_timedlock)(pthread_mutex_t *, const struct timespec *);

__attribute__((constructor)) static void open_clock(void)
{
    const char *path = getenv("AEROKEEP_CLOCK");
    int fd;
    void *mapped;

    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_nanosleep = dlsym(RTLD_NEXT, "clock_nanosleep");
    /* dlsym finds an ancient version of this one on x86-64 */
    real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (real_cond_timedwait == NULL)
        real_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    real_mutex_timedlock = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    if (path == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return;
    mapped = mmap(NULL, sizeof(struct clock_file), PROT_READ, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        file = mapped;
    close(fd);
}

static int64_t to_ns(const struct timespec *time)
{
    return time->tv_sec * SECOND_NS + time->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    struct timespec time = {ns / SECOND_NS, ns % SECOND_NS};

    if (time.tv_nsec < 0) {
        time.tv_nsec += SECOND_NS;
        time.tv_sec -= 1;
    }
    return time;
}

static int64_t offset_at(int64_t true_ns)
{
    int64_t version, offset;

    if (file == NULL)
        return 0;
    do {
        version = __atomic_load_n(&file->version, __ATOMIC_ACQUIRE);
        offset = file->offset_ns + (int64_t)((double)(true_ns - file->since_ns) * file->drift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) != 0 || version != file->version);
    return offset;
}

static int is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

/* An absolute time of the node's clock as one of the true clock. */
static struct timespec as_true(const struct timespec *until)
{
    return from_ns(to_ns(until) - offset_at(to_ns(until)));
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = real_gettime != NULL ? real_gettime(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && is_wall(clock))
        *now = from_ns(to_ns(now) + offset_at(to_ns(now)));
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;

    clock_gettime(CLOCK_REALTIME, &precise);
    if (now != NULL)
        *now = precise.tv_sec;
    return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
    struct timespec when;

    if (!is_wall(clock) || (flags & TIMER_ABSTIME) == 0)
        return real_nanosleep(clock, flags, until, left);
    when = as_true(until);
    return real_nanosleep(clock, flags, &when, left);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec when;

    if (until->tv_sec < EPOCH_LIKE_S) /* the condition counts on the monotonic clock */
        return real_cond_timedwait(cond, mutex, until);
    when = as_true(until);
    return real_cond_timedwait(cond, mutex, &when);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    struct timespec when = as_true(until);

    return real_sem_timedwait(semaphore, &when);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    struct timespec when = as_true(until);

    return real_mutex_timedlock(mutex, &when);
}
