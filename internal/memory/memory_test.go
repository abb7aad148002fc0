package memory

import (
	"runtime"
	"testing"
)

func TestFree(t *testing.T) {
	free, known := Free()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says it")
	}
	if !known || !(free > 1<<20) || free > 1<<50 {
		t.Errorf("%g bytes are free, known %v", free, known)
	}
}

func TestPeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says it")
	}
	before := Peak()
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = byte(i)
	}
	if after := Peak(); before <= 0 || after < 64<<20 || after < before {
		t.Errorf("the peak is %d before and %d after a block of 64 MiB", before, after)
	}
	runtime.KeepAlive(block)
}

func TestBytes(t *testing.T) {
	for n, want := range map[float64]string{0: "0 bytes", 1000: "1e+03 bytes", 1024: "1 KiB",
		1.5 * (1 << 30): "1.5 GiB", 1e30: "8.67e+11 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%g is written %q, should be %q", n, got, want)
		}
	}
}
