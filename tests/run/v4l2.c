/* Cameras for Video4Linux2 that are made of files, for programs that this library is preloaded into.

The environment variable EDGECLS_FAKE_V4L2 names a folder; its dev/ stands in for /dev:

    dev/video0       is the camera 0: the text "WIDTH HEIGHT FPS". Removing the file unplugs the camera, a new file is a new
                     camera; who holds its flock uses it, and others find it busy.
    video0/YUYV.0    its first picture in this format, byte for byte; then YUYV.1 ..., and again from the first.
    video0/MJPG.0    the same for the other format. A camera has the formats that have a first picture.
    video0/silent    as long as it is there, no picture comes.

What a program opens is the reading end of a pipe: a byte in it is the number of a filled buffer. So select and poll are the
kernel's own, and only what names the device or asks it something is intercepted. What uvcvideo and videobuf2 do is imitated
as far as a program that streams by mmap can see it, with two differences: an unplugged camera polls as POLLIN | POLLHUP (the
kernel says POLLERR too), and it is noticed with its next picture. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The function that the program would have called without this library. */
#define REAL(name) ({ static typeof(name) *real; real ? real : (real = (typeof(name) *)dlsym(RTLD_NEXT, #name)); })

enum { MOST_FDS = 1024, MOST_BUFFERS = 32, NOT_STREAMING = 255 };
enum state { WITH_PROGRAM, QUEUED, DONE };

struct buffer {
    enum state state;
    unsigned turn; /* buffers are filled in the order in which they were queued */
    unsigned used, sequence;
    struct timeval at;
};

struct camera {
    pid_t pid;     /* a child that shares this memory or has a copy of it has not opened anything */
    int node;      /* dev/videoN, to see whether it was removed and to lock it */
    int feed;      /* the writing end of the pipe; closed when the camera is gone */
    int memory;    /* of all buffers, one after the other */
    char folder[PATH_MAX];
    unsigned width, height, fps, format;
    unsigned count, size; /* buffers, and the bytes of each as they lie in memory */
    struct buffer buffers[MOST_BUFFERS];
    unsigned turns;
    bool streaming;
    pthread_t thread;
    pthread_cond_t stop;
};

static struct camera *cameras[MOST_FDS]; /* by the file descriptor that the program has */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const unsigned formats[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_MJPEG};

static struct camera *camera_of(int fd)
{
    struct camera *camera = fd >= 0 && fd < MOST_FDS ? cameras[fd] : NULL;
    return camera && camera->pid == getpid() ? camera : NULL;
}

static int failed(int error)
{
    errno = error;
    return -1;
}

/* ---- pictures ---- */

static void picture_path(const struct camera *c, unsigned format, unsigned number, char path[PATH_MAX + 32])
{
    snprintf(path, PATH_MAX + 32, "%s/%.4s.%u", c->folder, (const char *)&format, number); /* a code is its four letters */
}

static bool has_format(const struct camera *c, unsigned format)
{
    char path[PATH_MAX + 32];
    picture_path(c, format, 0, path);
    return faccessat(AT_FDCWD, path, R_OK, 0) == 0;
}

static bool is_silent(const struct camera *c)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/silent", c->folder);
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static unsigned image_size(const struct camera *c)
{
    return c->width * c->height * 2; /* what YUYV takes, and what uvcvideo allows a JPEG */
}

/* Read the next picture into a buffer; after the last comes the first. */
static void fill(struct camera *c, unsigned index, unsigned *number)
{
    char path[PATH_MAX + 32];
    picture_path(c, c->format, *number, path);
    if (*number > 0 && faccessat(AT_FDCWD, path, R_OK, 0))
        picture_path(c, c->format, *number = 0, path);
    ++*number;
    int file = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    char *to = mmap(NULL, c->size, PROT_WRITE, MAP_SHARED, c->memory, (off_t)index * c->size);
    ssize_t got = file >= 0 && to != MAP_FAILED ? read(file, to, image_size(c)) : 0;
    c->buffers[index].used = got > 0 ? (unsigned)got : 0;
    if (to != MAP_FAILED)
        munmap(to, c->size);
    if (file >= 0)
        REAL(close)(file);
}

/* ---- the life of a camera; all of this is called with the lock held ---- */

/* Whether the camera was unplugged. From then on it polls as ready, and stays so. */
static bool is_gone(struct camera *c)
{
    struct stat node;
    if (c->feed >= 0 && fstat(c->node, &node) == 0 && node.st_nlink == 0) {
        REAL(close)(c->feed);
        c->feed = -1;
        flock(c->node, LOCK_UN);
    }
    return c->feed < 0;
}

static void put(struct camera *c, unsigned char byte)
{
    if (c->feed >= 0 && write(c->feed, &byte, 1) != 1)
        abort(); /* a pipe holds more bytes than a camera has buffers */
}

/* A queue that does not stream polls as an error, which select reports as ready: here, as a byte that is no buffer. */
static void empty_pipe(int fd)
{
    unsigned char byte;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (read(fd, &byte, 1) == 1)
        ;
    fcntl(fd, F_SETFL, flags);
}

static int next_queued(const struct camera *c)
{
    int first = -1;
    for (unsigned i = 0; i < c->count; i++)
        if (c->buffers[i].state == QUEUED && (first < 0 || c->buffers[i].turn < c->buffers[first].turn))
            first = (int)i;
    return first;
}

/* The sensor. A picture takes the whole time until the next one, and needs a buffer from its beginning on: if none is queued
then, it is lost, and with a single buffer every second one is. */
static void *expose(void *of)
{
    struct camera *c = of;
    unsigned number = 0, sequence = 0;
    struct timespec end, now;
    clock_gettime(CLOCK_MONOTONIC, &end);
    pthread_mutex_lock(&lock);
    while (c->streaming) {
        int index = next_queued(c);
        do { /* a process that was stopped, or came late, has missed pictures */
            end.tv_nsec += 1000000000 / c->fps;
            if (end.tv_nsec >= 1000000000)
                end.tv_sec++, end.tv_nsec -= 1000000000;
            sequence++;
            clock_gettime(CLOCK_MONOTONIC, &now);
        } while (end.tv_sec < now.tv_sec || (end.tv_sec == now.tv_sec && end.tv_nsec <= now.tv_nsec));
        while (c->streaming && pthread_cond_timedwait(&c->stop, &lock, &end) != ETIMEDOUT)
            ;
        if (!c->streaming || is_gone(c))
            break;
        if (index < 0 || is_silent(c))
            continue;
        struct buffer *buffer = &c->buffers[index];
        fill(c, (unsigned)index, &number);
        buffer->state = DONE;
        buffer->sequence = sequence - 1;
        buffer->at = (struct timeval){end.tv_sec, end.tv_nsec / 1000};
        put(c, (unsigned char)index);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int start(struct camera *c, int fd)
{
    if (c->streaming)
        return 0;
    sigset_t all, before;
    sigfillset(&all);
    empty_pipe(fd);
    c->streaming = true;
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are for the program's threads */
    int error = pthread_create(&c->thread, NULL, expose, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        c->streaming = false;
        return failed(error);
    }
    return 0;
}

static void stop(struct camera *c, int fd)
{
    if (c->streaming) {
        c->streaming = false;
        pthread_cond_signal(&c->stop);
        pthread_mutex_unlock(&lock);
        pthread_join(c->thread, NULL);
        pthread_mutex_lock(&lock);
        empty_pipe(fd);
        put(c, NOT_STREAMING);
    }
    for (unsigned i = 0; i < c->count; i++)
        c->buffers[i].state = WITH_PROGRAM;
}

/* ---- what a program asks ---- */

static void capability(struct v4l2_capability *answer)
{
    memset(answer, 0, sizeof *answer);
    strcpy((char *)answer->driver, "fake");
    strcpy((char *)answer->card, "Fake camera");
    strcpy((char *)answer->bus_info, "platform:fake");
    answer->version = 6 << 16;
    answer->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    answer->capabilities = answer->device_caps | V4L2_CAP_DEVICE_CAPS;
}

/* Whatever is asked for, a driver answers with the nearest that it has. */
static int format(struct camera *c, struct v4l2_format *wanted, bool set, bool current)
{
    if (wanted->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
        return failed(EINVAL);
    unsigned code = !current && has_format(c, wanted->fmt.pix.pixelformat) ? wanted->fmt.pix.pixelformat : c->format;
    memset(&wanted->fmt.pix, 0, sizeof wanted->fmt.pix);
    wanted->fmt.pix.width = c->width;
    wanted->fmt.pix.height = c->height;
    wanted->fmt.pix.pixelformat = code;
    wanted->fmt.pix.field = V4L2_FIELD_NONE;
    wanted->fmt.pix.bytesperline = code == V4L2_PIX_FMT_YUYV ? c->width * 2 : 0; /* a JPEG has no lines */
    wanted->fmt.pix.sizeimage = image_size(c);
    wanted->fmt.pix.colorspace = V4L2_COLORSPACE_SRGB;
    if (set)
        c->format = code;
    return 0;
}

static int describe_format(const struct camera *c, struct v4l2_fmtdesc *answer)
{
    unsigned left = answer->index;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (has_format(c, formats[i]) && left-- == 0) {
            answer->pixelformat = formats[i];
            answer->flags = formats[i] == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
            snprintf((char *)answer->description, sizeof answer->description, "%.4s", (const char *)&formats[i]);
            return 0;
        }
    return failed(EINVAL);
}

static int frame_size(const struct camera *c, struct v4l2_frmsizeenum *answer)
{
    if (answer->index > 0 || !has_format(c, answer->pixel_format))
        return failed(EINVAL);
    answer->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    answer->discrete.width = c->width;
    answer->discrete.height = c->height;
    return 0;
}

static int frame_interval(const struct camera *c, struct v4l2_frmivalenum *answer)
{
    if (answer->index > 0 || !has_format(c, answer->pixel_format) || answer->width != c->width || answer->height != c->height)
        return failed(EINVAL);
    answer->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    answer->discrete = (struct v4l2_fract){1, c->fps};
    return 0;
}

static int rate(const struct camera *c, struct v4l2_streamparm *answer)
{
    if (answer->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
        return failed(EINVAL);
    memset(&answer->parm.capture, 0, sizeof answer->parm.capture);
    answer->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    answer->parm.capture.timeperframe = (struct v4l2_fract){1, c->fps};
    return 0;
}

static int request_buffers(struct camera *c, int fd, struct v4l2_requestbuffers *wanted)
{
    if (wanted->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || wanted->memory != V4L2_MEMORY_MMAP)
        return failed(EINVAL);
    if (c->streaming && wanted->count > 0)
        return failed(EBUSY);
    stop(c, fd); /* none is an implicit VIDIOC_STREAMOFF */
    unsigned page = (unsigned)sysconf(_SC_PAGESIZE);
    c->size = (image_size(c) + page - 1) / page * page;
    c->count = wanted->count = wanted->count < MOST_BUFFERS ? wanted->count : MOST_BUFFERS;
    if (c->memory >= 0)
        REAL(close)(c->memory); /* what is mapped of it stays */
    c->memory = memfd_create("fake camera", MFD_CLOEXEC);
    if (c->memory < 0 || ftruncate(c->memory, (off_t)c->count * c->size))
        return failed(ENOMEM);
    if (c->count == 0)
        flock(c->node, LOCK_UN);
    return 0;
}

static int describe_buffer(const struct camera *c, struct v4l2_buffer *answer, unsigned index)
{
    if (answer->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || answer->memory != V4L2_MEMORY_MMAP || index >= c->count)
        return failed(EINVAL);
    const struct buffer *buffer = &c->buffers[index];
    answer->index = index;
    answer->m.offset = index * c->size;
    answer->length = image_size(c);
    answer->bytesused = buffer->used;
    answer->sequence = buffer->sequence;
    answer->timestamp = buffer->at;
    answer->field = V4L2_FIELD_NONE;
    answer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    answer->flags |= buffer->state == QUEUED ? V4L2_BUF_FLAG_QUEUED : buffer->state == DONE ? V4L2_BUF_FLAG_DONE : 0;
    return 0;
}

static int queue(struct camera *c, struct v4l2_buffer *wanted)
{
    if (wanted->index >= c->count || c->buffers[wanted->index].state != WITH_PROGRAM)
        return failed(EINVAL);
    c->buffers[wanted->index].state = QUEUED;
    c->buffers[wanted->index].turn = c->turns++;
    return describe_buffer(c, wanted, wanted->index);
}

static int dequeue(struct camera *c, int fd, struct v4l2_buffer *answer)
{
    unsigned char index = NOT_STREAMING;
    if (!c->streaming)
        return failed(EINVAL);
    pthread_mutex_unlock(&lock);
    ssize_t got = read(fd, &index, 1); /* waits, unless it was opened with O_NONBLOCK */
    pthread_mutex_lock(&lock);
    if (got <= 0)
        return got < 0 ? -1 : failed(ENODEV);
    if (index >= c->count)
        return failed(EINVAL);
    c->buffers[index].state = WITH_PROGRAM;
    return describe_buffer(c, answer, index);
}

static int only_input(struct v4l2_input *answer)
{
    if (answer->index > 0)
        return failed(EINVAL);
    memset(answer, 0, sizeof *answer);
    strcpy((char *)answer->name, "Camera 1");
    answer->type = V4L2_INPUT_TYPE_CAMERA;
    return 0;
}

static int ask(struct camera *c, int fd, unsigned request, void *about)
{
    if (is_gone(c))
        return failed(ENODEV);
    switch (request) { /* who sets anything uses the camera, alone, until it is closed or lets its buffers go */
    case VIDIOC_S_FMT:
    case VIDIOC_S_PARM:
    case VIDIOC_REQBUFS:
        if (flock(c->node, LOCK_EX | LOCK_NB))
            return failed(EBUSY);
    }
    switch (request) {
    case VIDIOC_QUERYCAP: return capability(about), 0;
    case VIDIOC_ENUM_FMT: return describe_format(c, about);
    case VIDIOC_G_FMT: return format(c, about, false, true);
    case VIDIOC_TRY_FMT: return format(c, about, false, false);
    case VIDIOC_S_FMT: return c->count ? failed(EBUSY) : format(c, about, true, false);
    case VIDIOC_ENUM_FRAMESIZES: return frame_size(c, about);
    case VIDIOC_ENUM_FRAMEINTERVALS: return frame_interval(c, about);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: return rate(c, about);
    case VIDIOC_REQBUFS: return request_buffers(c, fd, about);
    case VIDIOC_QUERYBUF: return describe_buffer(c, about, ((struct v4l2_buffer *)about)->index);
    case VIDIOC_QBUF: return queue(c, about);
    case VIDIOC_DQBUF: return dequeue(c, fd, about);
    case VIDIOC_STREAMON: return c->count ? start(c, fd) : failed(EINVAL);
    case VIDIOC_STREAMOFF: return stop(c, fd), 0;
    case VIDIOC_ENUMINPUT: return only_input(about);
    case VIDIOC_G_INPUT: return *(int *)about = 0;
    case VIDIOC_S_INPUT: return *(int *)about ? failed(EINVAL) : 0;
    case VIDIOC_QUERYCTRL:
    case VIDIOC_G_CTRL:
    case VIDIOC_S_CTRL: return failed(EINVAL); /* it has no control */
    default: return failed(ENOTTY);
    }
}

/* ---- opening and closing ---- */

/* The place of /dev and of /dev/videoN in the folder; other paths are left alone. */
static const char *located(const char *path, char place[PATH_MAX])
{
    const char *root = getenv("EDGECLS_FAKE_V4L2");
    if (!root || !path || (strcmp(path, "/dev") && strncmp(path, "/dev/video", 10)))
        return path;
    return snprintf(place, PATH_MAX, "%s%s", root, path) < PATH_MAX ? place : path;
}

static int open_camera(const char *path, int flags)
{
    char place[PATH_MAX], text[64] = "";
    if (located(path, place) == path || !strcmp(path, "/dev"))
        return -2;
    int node = REAL(open)(place, (flags & O_ACCMODE) | O_CLOEXEC);
    if (node < 0)
        return -1;
    struct camera *c = calloc(1, sizeof *c);
    int ends[2] = {-1, -1};
    if (!c || pread(node, text, sizeof text - 1, 0) <= 0 || sscanf(text, "%u %u %u", &c->width, &c->height, &c->fps) != 3
        || c->fps < 2 || pipe2(ends, O_CLOEXEC) || ends[0] >= MOST_FDS) {
        free(c);
        REAL(close)(node);
        return failed(EIO);
    }
    fcntl(ends[0], F_SETFL, flags & O_NONBLOCK);
    fcntl(ends[0], F_SETFD, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
    c->pid = getpid();
    c->node = node;
    c->feed = ends[1];
    c->memory = -1;
    snprintf(c->folder, sizeof c->folder, "%s%s", getenv("EDGECLS_FAKE_V4L2"), path + strlen("/dev"));
    c->format = has_format(c, formats[0]) ? formats[0] : formats[1];
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->stop, &monotonic);
    put(c, NOT_STREAMING);
    cameras[ends[0]] = c;
    return ends[0];
}

static void close_camera(struct camera *c, int fd)
{
    pthread_mutex_lock(&lock);
    cameras[fd] = NULL;
    stop(c, fd);
    pthread_mutex_unlock(&lock);
    REAL(close)(c->node);
    if (c->feed >= 0)
        REAL(close)(c->feed);
    if (c->memory >= 0)
        REAL(close)(c->memory);
    pthread_cond_destroy(&c->stop);
    free(c);
}

/* ---- what is intercepted ---- */

static mode_t mode_of(int flags, va_list more)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPEN(name)                                                                 \
    int name(const char *path, int flags, ...)                                     \
    {                                                                              \
        va_list more;                                                              \
        va_start(more, flags);                                                     \
        mode_t mode = mode_of(flags, more);                                        \
        va_end(more);                                                              \
        int fd = open_camera(path, flags);                                         \
        return fd == -2 ? REAL(name)(path, flags, mode) : fd;                      \
    }
OPEN(open)
OPEN(open64)

/* What open is called in programs that are compiled with checks. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags) { return open64(path, flags); }

int close(int fd)
{
    struct camera *camera = camera_of(fd);
    if (camera)
        close_camera(camera, fd);
    return REAL(close)(fd);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list more;
    va_start(more, request);
    void *about = va_arg(more, void *);
    va_end(more);
    struct camera *camera = camera_of(fd);
    if (!camera)
        return REAL(ioctl)(fd, request, about);
    pthread_mutex_lock(&lock);
    int answer = ask(camera, fd, (unsigned)request, about);
    pthread_mutex_unlock(&lock);
    return answer;
}

#define MMAP(name, offset_t)                                                                                  \
    void *name(void *at, size_t length, int protection, int flags, int fd, offset_t offset)                   \
    {                                                                                                         \
        struct camera *camera = camera_of(fd);                                                                \
        if (camera && ((uint64_t)offset + length > (uint64_t)camera->count * camera->size))                   \
            return errno = EINVAL, MAP_FAILED;                                                                \
        return REAL(name)(at, length, protection, flags, camera ? camera->memory : fd, offset);               \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

DIR *opendir(const char *path)
{
    char place[PATH_MAX];
    return REAL(opendir)(located(path, place));
}

int access(const char *path, int mode)
{
    char place[PATH_MAX];
    return REAL(access)(located(path, place), mode);
}

int stat(const char *path, struct stat *answer)
{
    char place[PATH_MAX];
    return REAL(stat)(located(path, place), answer);
}

int stat64(const char *path, struct stat64 *answer)
{
    char place[PATH_MAX];
    return REAL(stat64)(located(path, place), answer);
}
