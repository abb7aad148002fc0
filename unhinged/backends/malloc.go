//go:build cgo && linux

package backends

// XLA on the CPU takes the memory for its buffers anew with every run and gives it back. glibc hands large pieces back
// to the kernel at once, which maps and clears them again page by page: a quarter of the processor time of a ResNet-8's
// step. Kept in one heap, they are used again. How many heaps there may be is settled when a second thread asks for
// memory, so before main. A program linked with -linkmode=internal is without the constructor: GLIBC_TUNABLES say it
// for notebooks.

/*
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void keepMemory(void) {
	mallopt(M_ARENA_MAX, 1);       // other threads' heaps hold no piece of 64 MiB
	mallopt(M_MMAP_MAX, 0);        // no piece is mapped for itself
	mallopt(M_TRIM_THRESHOLD, -1); // nothing free goes back
}
#endif
*/
import "C"
