package studies

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestDrift uses Gaussian classes and networks with a smooth nonlinearity. Under every loss the kernels must drift as
// 1/m, and there must be no drift before the first step.
func TestDrift(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	d := Drift{Examples: gaussianClasses(5, 0, 6), Probe: 6, Activation: ntk.Erf, Exponent: -1, Widths: []int{128, 256,
		512}, Seeds: 4, Hidden: 1, Steps: 4, Seed: 2,
		Progress: func(done, all int) {
			if calls++; done != calls || all != 3*4*4 {
				t.Errorf("progress %d of %d", done, all)
			}
		}}
	f, err := d.Run(context.Background(), backend)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f s", f.Provenance.Duration)
	if calls != 3*4*4 || len(f.Claims) != 2*len(driftLosses) {
		t.Errorf("%d trainings, %d claims", calls, len(f.Claims))
	}
	for _, c := range f.Claims {
		if c.Verdict != result.Holds || c.Tolerance > 0.5 {
			t.Errorf("%s: %s: measured %.4g, expected %.4g ± %.2g", c.Verdict, c.Claim, c.Measured, c.Expected,
				c.Tolerance)
		}
	}
	for _, c := range f.Curves {
		for name, s := range c.Series {
			if slices.ContainsFunc(s, math.IsNaN) || len(s) != len(c.Series["step"]) {
				t.Errorf("%s: series %s is %v", c.Name, name, s)
			}
		}
		if drift := c.Series["drift"]; drift != nil && (drift[0] != 0 || c.Series["moved"][0] != 0 ||
			!(drift[len(drift)-1] > 0)) {
			t.Errorf("%s: drift %v, moved %v", c.Name, drift, c.Series["moved"])
		}
	}
}

func TestDriftAt(t *testing.T) {
	r := driftRun{drift: []float64{0, 1, 5}, moved: []float64{0, 2, 4}}
	for distance, want := range map[float64]float64{0: 0, 1: 0.5, 2: 1, 3: 3, 4: 5} {
		if got := r.at(distance); got != want {
			t.Errorf("at distance %g: %g, want %g", distance, got, want)
		}
	}
	if !math.IsNaN(r.at(5)) {
		t.Error("a distance that was never reached")
	}
}

// TestPixels checks that the first images of each class are taken, in the order of the classes, that the mean of the
// training images is subtracted, and that each image has mean square 1.
func TestPixels(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	images := func(labels ...uint8) datasets.Images {
		im := datasets.Images{Height: 2, Width: 3, Labels: labels}
		for range 6 * len(labels) {
			im.Pixels = append(im.Pixels, uint8(random.IntN(256)))
		}
		return im
	}
	data := &datasets.Dataset{Classes: []string{"a", "b"}, Train: images(1, 1, 0, 1, 0), Test: images(0, 1)}
	train, test, err := Pixels(data, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(train.Labels, []int{0, 0, 1, 1}) || !slices.Equal(test.Labels, []int{0, 1}) {
		t.Errorf("labels %v, %v", train.Labels, test.Labels)
	}
	picked := []int{2, 4, 0, 1}
	mean := make([]float64, 6)
	for _, i := range picked {
		for j := range mean {
			mean[j] += float64(data.Train.Pixels[6*i+j]) / 4
		}
	}
	check := func(e ntk.Examples, of datasets.Images, picked []int) {
		x := numbers.Of(e.X)
		for row, i := range picked {
			norm := 0.0
			for j := range mean {
				v := float64(of.Pixels[6*i+j]) - mean[j]
				norm += v * v / 6
			}
			for j := range mean {
				want := (float64(of.Pixels[6*i+j]) - mean[j]) / math.Sqrt(norm)
				if got := x[6*row+j]; math.Abs(got-want) > 1e-5 {
					t.Errorf("image %d, pixel %d: %g, want %g", i, j, got, want)
				}
			}
		}
	}
	check(train, data.Train, picked)
	check(test, data.Test, []int{0, 1})
	if _, _, err := Pixels(data, 3, 1); err == nil || !strings.Contains(err.Error(),
		"2 images of class 0, but 3 are asked for") {
		t.Errorf("error %v", err)
	}
}
