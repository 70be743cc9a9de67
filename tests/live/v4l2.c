/* A camera at /dev/video0 in user space, for programs that are started with this library in LD_PRELOAD.
 *
 * EDGECLS_FAKE_CAMERA names a folder: `format` ("YUYV 320 240 20": pixel format, width, height, frames a second) and the
 * frames `0`, `1`, `2` ..., which are sent in turn for ever. Files in it do things to the camera while they are there:
 * `unplugged` (it is gone), `silent` (it sends nothing), `busy` (somebody else has it).
 *
 * The device is a timerfd: it becomes readable when a frame is due, so select and poll work without help. Only open, ioctl
 * and mmap are answered here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BUFFERS = 32, MOST_FRAMES = 256, OFFSET_STEP = 1 << 24 };
static const char DEVICE[] = "/dev/video0";

static int device = -1;
static struct { uint32_t pixels, width, height, fps, size; } format;
static struct { void *data; size_t size; } frames[MOST_FRAMES];
static unsigned frame_count, sequence;
static void *buffers[MOST_BUFFERS];
static unsigned buffer_count, queue[MOST_BUFFERS], queued;
static int64_t queued_at_ns[MOST_BUFFERS]; /* by the buffer's index */

static const char *in_folder(const char *name)
{
    static __thread char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("EDGECLS_FAKE_CAMERA"), name);
    return path;
}

static int is(const char *state) { return access(in_folder(state), F_OK) == 0; }

static int fail(int error)
{
    errno = error;
    return -1;
}

static void load(void)
{
    char code[5] = "", name[16];
    FILE *file = fopen(in_folder("format"), "r");
    if (!file || fscanf(file, "%4s %u %u %u", code, &format.width, &format.height, &format.fps) != 4)
        abort();
    fclose(file);
    format.pixels = v4l2_fourcc(code[0], code[1], code[2], code[3]);
    format.size = format.width * format.height * 2;
    for (frame_count = 0; frame_count < MOST_FRAMES; frame_count++) {
        snprintf(name, sizeof name, "%u", frame_count);
        if (!(file = fopen(in_folder(name), "rb")))
            return;
        free(frames[frame_count].data);
        frames[frame_count].data = malloc(format.size);
        frames[frame_count].size = fread(frames[frame_count].data, 1, format.size, file);
        fclose(file);
    }
}

static void pace(unsigned fps)
{
    long wait_ns = fps ? 1000000000L / fps : 0;
    struct itimerspec every = {{0, wait_ns}, {0, wait_ns}};
    timerfd_settime(device, 0, &every, NULL);
}

static int open_device(void)
{
    if (is("unplugged"))
        return fail(ENOENT);
    load();
    buffer_count = queued = 0;
    return device = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

#define OPEN(name)                                                                                        \
    int name(const char *path, int flags, ...)                                                            \
    {                                                                                                     \
        va_list rest;                                                                                     \
        va_start(rest, flags);                                                                            \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                           \
        va_end(rest);                                                                                     \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);   \
        return strcmp(path, DEVICE) ? real(path, flags, mode) : open_device();                            \
    }
OPEN(open)
OPEN(open64)

int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }

static void describe(struct v4l2_format *asked)
{
    asked->fmt.pix.width = format.width;
    asked->fmt.pix.height = format.height;
    asked->fmt.pix.pixelformat = format.pixels; /* a driver answers with what it has, not with an error */
    asked->fmt.pix.field = V4L2_FIELD_NONE;
    asked->fmt.pix.bytesperline = format.pixels == V4L2_PIX_FMT_YUYV ? format.width * 2 : 0;
    asked->fmt.pix.sizeimage = format.size;
}

static int64_t nanoseconds(struct timespec at) { return at.tv_sec * 1000000000LL + at.tv_nsec; }

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return nanoseconds(now);
}

/* Whether a buffer was there when the frame that is due began to come: a camera takes the whole time between two frames to
 * send one, and a driver drops what it has no buffer for. */
static int caught(unsigned index)
{
    struct itimerspec left;
    timerfd_gettime(device, &left);
    int64_t ended_ns = now_ns() + nanoseconds(left.it_value) - nanoseconds(left.it_interval);
    return queued_at_ns[index] <= ended_ns - nanoseconds(left.it_interval);
}

static int give_frame(struct v4l2_buffer *buffer)
{
    uint64_t due;
    struct timespec now;
    if (is("silent"))
        pace(0);
    if (read(device, &due, sizeof due) != sizeof due || is("silent") || !queued || !caught(queue[0]))
        return fail(EAGAIN);
    unsigned index = queue[0], frame = sequence % frame_count;
    memmove(queue, queue + 1, --queued * sizeof *queue);
    memcpy(buffers[index], frames[frame].data, frames[frame].size);
    clock_gettime(CLOCK_MONOTONIC, &now);
    buffer->index = index;
    buffer->bytesused = frames[frame].size;
    buffer->length = format.size;
    buffer->field = V4L2_FIELD_NONE;
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    buffer->sequence = sequence++;
    return 0;
}

static int answer(unsigned long request, void *about)
{
    if (is("unplugged"))
        return fail(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *can = about;
        memset(can, 0, sizeof *can);
        strcpy((char *)can->driver, "fake");
        strcpy((char *)can->card, "A camera for tests");
        can->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        can->capabilities = can->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_G_INPUT:
        *(int *)about = 0;
        return 0;
    case VIDIOC_S_INPUT:
        return *(int *)about ? fail(EINVAL) : 0;
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *input = about;
        if (input->index)
            return fail(EINVAL);
        memset(input, 0, sizeof *input);
        input->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *known = about;
        if (known->index)
            return fail(EINVAL);
        known->pixelformat = format.pixels;
        return 0;
    }
    case VIDIOC_S_FMT:
        if (is("busy"))
            return fail(EBUSY);
        describe(about);
        return 0;
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
        describe(about);
        return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *parameters = about;
        parameters->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        parameters->parm.capture.timeperframe = (struct v4l2_fract){1, format.fps};
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *asked = about;
        if (is("busy"))
            return fail(EBUSY);
        if (asked->count > MOST_BUFFERS)
            asked->count = MOST_BUFFERS;
        buffer_count = asked->count;
        queued = 0;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = about;
        if (buffer->index >= buffer_count)
            return fail(EINVAL);
        buffer->length = format.size;
        buffer->m.offset = buffer->index * OFFSET_STEP;
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *buffer = about;
        if (buffer->index >= buffer_count || queued == buffer_count)
            return fail(EINVAL);
        queue[queued++] = buffer->index;
        queued_at_ns[buffer->index] = now_ns();
        return 0;
    }
    case VIDIOC_DQBUF:
        return give_frame(about);
    case VIDIOC_STREAMON:
        pace(format.fps);
        return 0;
    case VIDIOC_STREAMOFF:
        pace(0);
        queued = 0;
        return 0;
    default:
        return fail(ENOTTY); /* no controls, no standards */
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *about = va_arg(rest, void *);
    va_end(rest);
    if (fd >= 0 && fd == device)
        return answer(request, about);
    int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, about);
}

int close(int fd)
{
    if (fd >= 0 && fd == device)
        device = -1;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    return real(fd);
}

void *mmap64(void *near, size_t length, int protection, int flags, int fd, off64_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off64_t) =
        (void *(*)(void *, size_t, int, int, int, off64_t))dlsym(RTLD_NEXT, "mmap64");
    if (fd < 0 || fd != device)
        return real(near, length, protection, flags, fd, offset);
    protection |= PROT_WRITE; /* the camera writes where the program only reads */
    return buffers[offset / OFFSET_STEP] = real(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *mmap(void *near, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap64(near, length, protection, flags, fd, offset);
}
