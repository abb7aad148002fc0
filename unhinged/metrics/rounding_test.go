package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestFarFromTheOrigin adds an offset of 2^10 to 2^30 to features with standard deviation 1, gathers them in parts and
// merges these. The result must be that of two passes near the origin, up to the rounding of the class means, which is
// 2^-53 of the offset. (The mean of squares minus the squared mean would have an error relative to the squared offset,
// which is larger than the variance at 2^30.)
func TestFarFromTheOrigin(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		if slices.Max(s.counts()) == 1 {
			return // these are exact zeros
		}
		n, p := s.h.Dims()
		// this makes the shift exact
		s.h.Apply(func(_, _ int, v float64) float64 { return math.Round(v*1024) / 1024 }, s.h)
		w := normal(random, s.c, p, 1, 0)
		for _, between := range weightings {
			want := s.nc1(ClassBalanced, between)
			var means, prototypes []mat.Vector
			for class, mean := range s.centred(between) {
				if s.counts()[class] > 0 {
					means, prototypes = append(means, mean), append(prototypes, w.RowView(class))
				}
			}
			want2, want3 := defineNC2(means), defineNC3(prototypes, means)
			for _, exponent := range []int{10, 20, 30} {
				offset := math.Ldexp(1, exponent)
				moved := mat.NewDense(n, p, nil)
				moved.Apply(func(i, k int, _ float64) float64 { return s.h.At(i, k) + offset*float64(1-2*(k%2)) },
					moved)
				config := Config{Classes: s.c, Dimension: p, Within: ClassBalanced, Between: between, Sizes: s.counts()}
				var parts [3]*Moments
				from := 0
				for k := range parts {
					parts[k], _ = New(config)
					to := from + random.IntN(n-from+1)
					if k == len(parts)-1 {
						to = n
					}
					if err := Add(parts[k], moved.RawMatrix().Data[from*p:to*p], s.labels[from:to]); err != nil {
						t.Fatal(err)
					}
					from = to
				}
				if err := errors.Join(parts[1].Merge(parts[2]), parts[0].Merge(parts[1])); err != nil {
					t.Fatal(err)
				}
				tolerance := 1e-9 + 32*0x1p-53*offset
				nc1, err := parts[0].NC1()
				if err != nil || !nearNC1(nc1, want, tolerance) {
					t.Errorf("offset 2^%d, between %d: %+v, %v, near the origin %+v", exponent, between, nc1, err, want)
				}
				if nc2 := parts[0].NC2(); !nearNC2(nc2, want2, tolerance) {
					t.Errorf("offset 2^%d, between %d: %+v, near the origin %+v", exponent, between, nc2, want2)
				}
				if nc3, err := parts[0].NC3(w); err != nil || !nearNC3(nc3, want3, tolerance) {
					t.Errorf("offset 2^%d, between %d: %+v, %v, near the origin %+v", exponent, between, nc3, err,
						want3)
				}
			}
		}
	})
}
