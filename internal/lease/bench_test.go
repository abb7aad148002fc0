package lease

import (
	"path/filepath"
	"testing"
)

// BenchmarkLease takes a lease, asks for it before a write, and removes it: what a claim costs a worker for each tile.
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
