/*
 * Stands in for the kernel's dma-heap, which gives libcamera and picamera2 their buffers: memory files instead.
 * Preloaded in the chroot in which the camera is tried; a board and the emulated machine have the real thing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int (*open_call)(const char *, int, mode_t);
typedef int (*openat_call)(int, const char *, int, mode_t);
typedef int (*ioctl_call)(int, unsigned long, void *);

static int is_heap(const char *path) { return path && !strncmp(path, "/dev/dma_heap/", 14); }

static int a_heap(void) { return memfd_create("dma-heap", MFD_CLOEXEC); }

static int a_buffer(struct dma_heap_allocation_data *asked)
{
	int fd = memfd_create("dma-buf", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, asked->len)) {
		close(fd);
		return -1;
	}
	asked->fd = fd;
	return fd < 0 ? -1 : 0;
}

#define MODE(last) ({ va_list list; va_start(list, last); mode_t mode = va_arg(list, mode_t); va_end(list); mode; })

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		return is_heap(path) ? a_heap() : ((open_call)dlsym(RTLD_NEXT, #name))(path, flags, MODE(flags)); \
	}
#define OPENAT(name) \
	int name(int folder, const char *path, int flags, ...) \
	{ \
		return is_heap(path) ? a_heap() : ((openat_call)dlsym(RTLD_NEXT, #name))(folder, path, flags, MODE(flags)); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (request == DMA_HEAP_IOCTL_ALLOC)
		return a_buffer(argument);
	if (_IOC_TYPE(request) == DMA_BUF_BASE) /* sync, name: nothing to do for a memory file */
		return 0;
	return ((ioctl_call)dlsym(RTLD_NEXT, "ioctl"))(fd, request, argument);
}
