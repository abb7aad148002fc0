package parallel

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestOnce checks that every task is done once, and that each worker does its tasks one after the other.
func TestOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 1000} {
		calls := make([]atomic.Int32, n)
		check := func(what string) {
			t.Helper()
			for i := range calls {
				if got := calls[i].Swap(0); got != 1 {
					t.Errorf("%s, task %d of %d is called %d times", what, i, n, got)
				}
			}
		}
		For(n, func(i int) { calls[i].Add(1) })
		check("For")
		if err := Try(n, func(i int) error { calls[i].Add(1); return nil }); err != nil {
			t.Error(err)
		}
		check("Try")
		var total atomic.Int64
		Workers(n, func() func(int) {
			mine := 0 // the race detector reports if two workers share it
			return func(i int) {
				mine++
				calls[i].Add(1)
				total.Add(1)
			}
		})
		check("Workers")
		if int(total.Load()) != n {
			t.Errorf("%d tasks of %d", total.Load(), n)
		}
	}
}

// TestLowestError checks that among several errors the one with the lowest index is returned, whichever happened first,
// and that later tasks are not started.
func TestLowestError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // at least two tasks run at a time
	for lowest := range 20 {
		var begun atomic.Int32
		other := make(chan struct{})
		err := Try(10_000, func(i int) error {
			begun.Add(1)
			switch {
			case i == lowest:
				<-other // the error of the next task happens first
				return fmt.Errorf("task %d", i)
			case i == lowest+1:
				close(other)
				return errors.New("a later task")
			}
			return nil
		})
		if err == nil || err.Error() != fmt.Sprintf("task %d", lowest) {
			t.Errorf("error %v, should be that of task %d", err, lowest)
		}
		if begun.Load() > 9000 {
			t.Errorf("%d tasks began after task %d failed", begun.Load(), lowest)
		}
	}
}
