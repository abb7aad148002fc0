package vision_test

import (
	"context"
	"fmt"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// A small network learns three patterns by PAL, the unhinged loss with anchored prototypes.
func ExampleTraining() {
	backend, _ := must.M2(backends.Open("go"))
	defer backend.Finalize()
	training := vision.Training{
		Method: must.M1(vision.MethodNamed("pal")), Model: vision.MLP(16, 8),
		Epochs: 6, Batch: 32, LearningRate: 0.1, Momentum: 0.9, WeightDecay: 5e-4, Seed: 1,
	}
	records := must.M1(training.Run(context.Background(), backend, blobs.Data(320, 100)))
	last := records[len(records)-1]
	fmt.Printf("%s: %g epochs, prototypes at %.0f degrees\n", training.Name(), last.Epoch, float64(last.PrototypeAngle))
	fmt.Println("most test images are classified rightly:", last.ValidationAccuracy > 0.9)
	// Output:
	// pal-seed1: 6 epochs, prototypes at 120 degrees
	// most test images are classified rightly: true
}

// In a training of 1,000 steps, the rate falls from η to 0 along half a cosine.
func ExampleSGD_Rate() {
	sgd := vision.SGD{LearningRate: 0.1, Momentum: 0.9, Steps: 1000}
	for _, step := range []int64{0, 500, 1000} {
		fmt.Printf("step %d: %.3f\n", step, sgd.Rate(step))
	}
	// Output:
	// step 0: 0.100
	// step 500: 0.050
	// step 1000: 0.000
}
