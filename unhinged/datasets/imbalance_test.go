package datasets

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// balancedImages returns n one-pixel images of each class in a mixed order. The pixel is the number of the image within
// its class, modulo 256.
func balancedImages(n, classes int) Images {
	im := Images{Height: 1, Width: 1, Channels: 1}
	for i := range n * classes {
		im.Labels = append(im.Labels, uint8(i%classes))
		im.Pixels = append(im.Pixels, uint8(i/classes))
	}
	return im
}

// TestPublishedImbalance compares with the numbers of images, for each class or in total, that get_img_num_per_cls in
// imbalance_cifar.py gives (github.com/kaidic/LDAM-DRW: Cao et al., "Learning Imbalanced Datasets with
// Label-Distribution-Aware Margin Loss", 2019).
func TestPublishedImbalance(t *testing.T) {
	cifar10, cifar100 := balancedImages(5000, 10), balancedImages(500, 100)
	draw := func(im Images, classes int, step bool, rho float64) []int {
		t.Helper()
		thin := im.LongTailed
		if step {
			thin = im.Stepped
		}
		out, err := thin(classes, rho, 1)
		if err != nil {
			t.Fatal(err)
		}
		return out.ClassCounts(classes)
	}
	for rho, want := range map[float64][]int{
		10:  {5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500},
		50:  {5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100},
		100: {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50},
		200: {5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25},
	} {
		if counts := draw(cifar10, 10, false, rho); !slices.Equal(counts, want) {
			t.Errorf("ρ = %g: %v, should be %v", rho, counts, want)
		}
	}
	for rho, want := range map[float64]int{10: 19573, 20: 15907, 50: 12608, 100: 10847, 200: 9502} {
		total := 0
		for _, count := range draw(cifar100, 100, false, rho) {
			total += count
		}
		if total != want {
			t.Errorf("CIFAR-100, ρ = %g: %d images, should be %d", rho, total, want)
		}
	}
	if counts := draw(cifar10, 10, true, 100); !slices.Equal(counts, []int{5000, 5000, 5000, 5000, 5000, 50, 50, 50, 50,
		50}) {
		t.Errorf("step: %v", counts)
	}
}

func TestImbalance(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for range 100 {
		n, classes, seed := 20+random.IntN(200), 1+random.IntN(12), random.Uint64()
		rho := 1 + 10*random.Float64()
		im := balancedImages(n, classes)
		for name, draw := range map[string]func(int, float64, uint64) (Images, error){"long-tailed": im.LongTailed,
			"step": im.Stepped} {
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
					t.Errorf("%s, n %d, ρ %g: %d of class %d of %d; should be ⌊%g⌋", name, n, rho, count, c, classes,
						exact)
				}
			}
			// The result is a subset in the same order: within a class, the pixels, which number its images, increase.
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
