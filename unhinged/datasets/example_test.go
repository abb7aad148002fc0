package datasets_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// A training's input, from where a checkpoint left it.
func ExampleBatches() {
	images := datasets.Images{Height: 1, Width: 2, Channels: 1, Pixels: []uint8{0, 255, 255, 0, 0, 255}, Labels: []uint8{0, 1, 0}}
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
