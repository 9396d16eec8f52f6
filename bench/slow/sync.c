/* Preloaded into PostgreSQL: a disk whose fdatasync, which WAL is written with, takes SYNC_US longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

int fdatasync(int fd)
{
	static int (*next)(int);
	static struct timespec delay;
	if (!next) {
		long us = atol(getenv("SYNC_US"));
		delay.tv_sec = us / 1000000;
		delay.tv_nsec = us % 1000000 * 1000;
		prctl(PR_SET_TIMERSLACK, 1000);
		next = dlsym(RTLD_NEXT, "fdatasync");
	}
	nanosleep(&delay, NULL);
	return next(fd);
}
