// Package parallel runs independent tasks on all processors.
package parallel

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Try calls task(0) … task(n−1). After a call has returned an error, no further calls begin. Try waits for the running
// calls and returns the error of the lowest index.
func Try(n int, task func(i int) error) error {
	var group errgroup.Group // without a context, whose code would make the explorer's program larger
	group.SetLimit(runtime.GOMAXPROCS(0))
	errs := make([]error, n)
	var failed atomic.Bool
	for i := 0; i < n && !failed.Load(); i++ {
		group.Go(func() error {
			if errs[i] = task(i); errs[i] != nil {
				failed.Store(true)
			}
			return errs[i]
		})
	}
	if group.Wait() == nil {
		return nil
	}
	for _, err := range errs { // the group's error is the first one in time
		if err != nil {
			return err
		}
	}
	return nil
}

// For calls task(0) … task(n−1).
func For(n int, task func(i int)) { Workers(n, func() func(int) { return task }) }

// Workers calls tasks 0 … n−1 as For does. worker is called once for each processor, where it can allocate memory, and
// returns the function that is called there for one task after the other.
func Workers(n int, worker func() func(i int)) {
	var next atomic.Int64
	_ = Try(min(n, runtime.GOMAXPROCS(0)), func(int) error { // never fails
		task := worker()
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			task(i)
		}
		return nil
	})
}
