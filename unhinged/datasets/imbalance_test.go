package datasets

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// balancedImages are n one-pixel images of each class, whose pixel is their number modulo 256, in a random order.
func balancedImages(n, classes int) Images {
	im := Images{Height: 1, Width: 1, Channels: 1}
	for i := range n * classes {
		im.Labels = append(im.Labels, uint8(i%classes))
		im.Pixels = append(im.Pixels, uint8(i/classes))
	}
	return im
}

// TestLongTailedCIFAR10 has the numbers published for long-tailed CIFAR-10 at ratio 100: Cao et al., "Learning Imbalanced
// Datasets with Label-Distribution-Aware Margin Loss" (github.com/kaidic/LDAM-DRW), 12,406 images in all.
func TestLongTailedCIFAR10(t *testing.T) {
	im, err := balancedImages(5000, 10).LongTailed(10, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if counts := im.ClassCounts(10); !slices.Equal(counts, []int{5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50}) || im.Len() != 12406 {
		t.Errorf("%d images: %v", im.Len(), counts)
	}
	im, err = balancedImages(5000, 10).Stepped(10, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if counts := im.ClassCounts(10); !slices.Equal(counts, []int{5000, 5000, 5000, 5000, 5000, 50, 50, 50, 50, 50}) {
		t.Errorf("step: %v", counts)
	}
}

func TestImbalance(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for range 100 {
		n, classes, seed := 20+random.IntN(200), 1+random.IntN(12), random.Uint64()
		rho := 1 + 10*random.Float64()
		im := balancedImages(n, classes)
		for name, draw := range map[string]func(int, float64, uint64) (Images, error){"long-tailed": im.LongTailed, "step": im.Stepped} {
			out, err := draw(classes, rho, seed)
			if err != nil {
				t.Fatal(err)
			}
			for c, count := range out.ClassCounts(classes) {
				exact := float64(n)
				switch {
				case name == "long-tailed" && c > 0:
					exact *= math.Pow(rho, -float64(c)/float64(classes-1))
				case name == "step" && c >= (classes+1)/2:
					exact /= rho
				}
				if math.Abs(float64(count)-(exact-0.5)) > 0.5+1e-9 {
					t.Errorf("%s, n %d, ρ %g: %d of class %d of %d; should be ⌊%g⌋", name, n, rho, count, c, classes, exact)
				}
			}
			// It is a subset in the same order: a class's pixels, which count its images, grow.
			for c := range classes {
				last := -1
				for i, label := range out.Labels {
					if int(label) == c {
						if int(out.Pixels[i]) <= last {
							t.Fatalf("%s: image %d after %d", name, out.Pixels[i], last)
						}
						last = int(out.Pixels[i])
					}
				}
			}
			again, _ := draw(classes, rho, seed)
			other, _ := draw(classes, rho, seed+1)
			if !sameImages(out, again) {
				t.Errorf("%s: the same seed draws other images", name)
			}
			if classes > 1 && rho > 2 && bytes.Equal(out.Pixels, other.Pixels) {
				t.Errorf("%s: another seed draws the same images", name)
			}
		}
		if whole, err := im.LongTailed(classes, 1, seed); err != nil || !sameImages(whole, im) {
			t.Errorf("at ρ = 1 not everything is kept, or error %v", err)
		}
	}
}

func TestImbalanceRefuses(t *testing.T) {
	im := balancedImages(10, 4)
	for _, rho := range []float64{0.5, math.NaN(), math.Inf(1)} {
		_, err := im.LongTailed(4, rho, 1)
		wantError(t, err, "it must be at least 1, and finite")
	}
	_, err := im.LongTailed(4, 11, 1)
	wantError(t, err, "class 3 would keep none of its 10 images at imbalance ratio 11")
	_, err = im.Stepped(3, 2, 1)
	wantError(t, err, "image 3 has label 3; there are 3 classes")
	_, err = im.Stepped(5, 2, 1)
	wantError(t, err, "class 0 would keep none of its 10 images")
}
