package ntk

import (
	"math"
	"testing"
)

func TestHalfAngle(t *testing.T) {
	for i := range 1 << 16 {
		for _, y := range []float64{float64(i) / (1<<16 - 1), math.Exp(-float64(i) / 100)} {
			for _, x := range []float64{1, 1e-100, 3e100} {
				if got, want := halfAngle(y*x, x), math.Atan2(y*x, x); math.Abs(got-want) > 0x1p-52 || math.Abs(got-want) > 1e-14*want {
					t.Fatalf("halfAngle(%g, %g) = %.17g, want %.17g", y*x, x, got, want)
				}
			}
		}
	}
}
