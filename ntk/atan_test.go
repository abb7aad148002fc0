package ntk

import (
	"math"
	"testing"
)

func TestAtan(t *testing.T) {
	for i := range 1 << 16 {
		for _, x := range []float64{float64(i) / (1<<16 - 1), math.Exp(-float64(i) / 100)} {
			if got, want := atan(x), math.Atan(x); math.Abs(got-want) > 3*0x1p-52*want {
				t.Fatalf("atan(%g) = %.17g, want %.17g", x, got, want)
			}
		}
	}
}

var sink float64

func BenchmarkAtan(b *testing.B) {
	for name, f := range map[string]func(float64) float64{"ntk": atan, "math": math.Atan} {
		b.Run(name, func(b *testing.B) {
			sum := 0.0
			for i := range b.N {
				sum += f(float64(i&1023) / 1024)
			}
			sink = sum
		})
	}
}
