// Package blobs makes a small data set for tests.
package blobs

import (
	"math/rand/v2"

	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// Data returns a data set of 3 classes of 4×4 images. Each class has a pattern, to which noise is added.
func Data(train, test int) *datasets.Dataset {
	rng := rand.New(rand.NewPCG(11, 4))
	patterns := [3][16]float64{}
	for c := range patterns {
		for i := range patterns[c] {
			patterns[c][i] = 60 + 130*rng.Float64()
		}
	}
	images := func(n int) datasets.Images {
		im := datasets.Images{Height: 4, Width: 4, Channels: 1}
		for range n {
			label := rng.IntN(3)
			im.Labels = append(im.Labels, uint8(label))
			for _, v := range patterns[label] {
				im.Pixels = append(im.Pixels, uint8(max(0, min(255, v+25*rng.NormFloat64()))))
			}
		}
		return im
	}
	return &datasets.Dataset{Name: "blobs", Classes: []string{"a", "b", "c"}, Train: images(train), Test: images(test)}
}
