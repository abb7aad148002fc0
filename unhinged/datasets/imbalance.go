package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// LongTailed draws an imbalanced subset. Class c of C keeps ⌊n·ρ^(−c/(C−1))⌋ images, where n is the number of images of
// the smallest class and ρ ≥ 1 the ratio of the first class to the last (Cao et al., 2019: CIFAR-10 at ρ = 100 keeps
// 5000, 2997, 1796, …, 50). The seed decides which images are kept, and they keep their order. The method is for
// training images; test sets stay balanced.
func (im Images) LongTailed(classes int, rho float64, seed uint64) (Images, error) {
	return im.thin(classes, rho, seed, func(n, c int) float64 {
		if c == 0 {
			return float64(n)
		}
		return float64(n) * math.Pow(rho, -float64(c)/float64(classes-1))
	})
}

// Stepped draws an imbalanced subset. Each class of the first half keeps n images, and each class of the second half
// ⌊n/ρ⌋, where n is the number of images of the smallest class and ρ ≥ 1. If the number of classes is odd, the middle
// one keeps n. The seed decides which images are kept, and they keep their order.
func (im Images) Stepped(classes int, rho float64, seed uint64) (Images, error) {
	return im.thin(classes, rho, seed, func(n, c int) float64 {
		if 2*c < classes {
			return float64(n)
		}
		return float64(n) / rho
	})
}

// thin keeps ⌊count(n, c)⌋ images of class c.
func (im Images) thin(classes int, rho float64, seed uint64, count func(n, c int) float64) (Images, error) {
	if !(rho >= 1) || math.IsInf(rho, 1) {
		return Images{}, fmt.Errorf("imbalance ratio %g; it must be at least 1, and finite", rho)
	}
	members := make([][]int, classes)
	for i, label := range im.Labels {
		if int(label) >= classes {
			return Images{}, fmt.Errorf("image %d has label %d; there are %d classes", i, label, classes)
		}
		members[label] = append(members[label], i)
	}
	n := im.Len()
	for _, images := range members {
		n = min(n, len(images))
	}
	keep := make([]bool, im.Len())
	for c, images := range members {
		// A number that rounding has put slightly below a whole number, such as 49.999…, counts as the whole number.
		k := int(count(n, c) * (1 + 1e-12))
		if k < 1 {
			return Images{}, fmt.Errorf("class %d would keep none of its %d images at imbalance ratio %g", c,
				len(images), rho)
		}
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		rng.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
		for _, i := range images[:k] {
			keep[i] = true
		}
	}
	var kept []int
	for i := range keep {
		if keep[i] {
			kept = append(kept, i)
		}
	}
	return im.pick(kept), nil
}
