package lease

import (
	"path/filepath"
	"testing"
)

// BenchmarkLease takes a lease, checks it before a write, and removes it. This is what a worker's claim costs for each
// tile.
func BenchmarkLease(b *testing.B) {
	name := filepath.Join(b.TempDir(), "work")
	for b.Loop() {
		l, err := Take(name)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Held(); err != nil {
			b.Fatal(err)
		}
		l.Finish()
	}
}
