package datasets_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// A training resumes its input at the position that its checkpoint recorded.
func ExampleBatches() {
	images := datasets.Images{Height: 1, Width: 2, Channels: 1, Pixels: []uint8{0, 255, 255, 0, 0, 255},
		Labels: []uint8{0, 1, 0}}
	batches := datasets.Batches{
		Images: images, Size: 1, Seed: 1,
		Augmentation:  datasets.Augmentation{Flip: true},
		Normalisation: images.Normalisation(),
	}
	for batch := range batches.From(4, 2) {
		if batch.Epoch == 6 {
			break
		}
		fmt.Println(batch.Epoch, batch.Step, len(batch.Pixels), len(batch.Labels))
	}
	// Output:
	// 4 2 2 1
	// 5 0 2 1
	// 5 1 2 1
	// 5 2 2 1
}

// Ten classes of 500 images are made long-tailed at ratio 100.
func ExampleImages_LongTailed() {
	images := datasets.Images{Height: 1, Width: 1, Channels: 1}
	for i := range 5000 {
		images.Pixels, images.Labels = append(images.Pixels, uint8(i)), append(images.Labels, uint8(i%10))
	}
	subset, err := images.LongTailed(10, 100, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(subset.Len(), subset.ClassCounts(10))
	// Output: 1236 [500 299 179 107 64 38 23 13 8 5]
}
