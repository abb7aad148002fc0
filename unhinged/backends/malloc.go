//go:build cgo && linux

package backends

// XLA on the CPU allocates its buffers in every run and frees them. glibc returns large blocks to the kernel at once,
// and the kernel maps and clears them again page by page: this takes a quarter of the processor time of a ResNet-8's
// step. With the settings below, blocks stay in one heap and are used again. glibc fixes the number of heaps when a
// second thread allocates memory, so the settings must be made before main. A program linked with -linkmode=internal
// does not run this constructor: for notebooks, GLIBC_TUNABLES makes the same settings.

/*
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void keepMemory(void) {
	mallopt(M_ARENA_MAX, 1);       // one heap; those of other threads hold no block of 64 MiB
	mallopt(M_MMAP_MAX, 0);        // no block has a mapping of its own
	mallopt(M_TRIM_THRESHOLD, -1); // free memory is not returned to the kernel
}
#endif
*/
import "C"
