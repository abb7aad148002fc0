package vision

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// patterns returns a data set of two classes of side×side images in three colours, which are bright in the upper or in
// the lower half, with noise.
func patterns(side int) *datasets.Dataset {
	r := rand.New(rand.NewPCG(5, 6))
	images := func(n int) datasets.Images {
		im := datasets.Images{Height: side, Width: side, Channels: 3}
		for i := range n {
			label := uint8(i % 2)
			im.Labels = append(im.Labels, label)
			for row := range side {
				level := 80.0
				if (row < side/2) == (label == 0) {
					level = 160
				}
				for range 3 * side {
					im.Pixels = append(im.Pixels, uint8(max(0, min(255, level+20*r.NormFloat64()))))
				}
			}
		}
		return im
	}
	return &datasets.Dataset{Name: "patterns", Classes: []string{"above", "below"}, Train: images(64), Test: images(32)}
}

// TestSpeedLearns checks that a speed network learns images of the smallest size that it accepts, that it ends with the
// same result if it is interrupted and resumed, and that it refuses smaller images.
func TestSpeedLearns(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		network, err := ModelNamed("speed-4-8-8")
		if err != nil {
			t.Fatal(err)
		}
		training := small("pal")
		training.Model, training.Batch, training.Epochs, training.LearningRate = network, 16, 6, 0.05
		data := patterns(network.Smallest)
		whole, err := training.Run(t.Context(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		if end := whole[len(whole)-1]; end.ValidationAccuracy < 0.9 {
			t.Errorf("validation accuracy %v", end.ValidationAccuracy)
		}
		training.Folder = t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		stopped := training
		stopped.Report = func(p Progress) {
			if p.Epoch == 3 {
				stop()
			}
		}
		if _, err := stopped.Run(ctx, backend, data); err == nil {
			t.Fatal("the run was not stopped")
		}
		resumed, err := training.Run(t.Context(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		last, want := resumed[len(resumed)-1], whole[len(whole)-1]
		if last.TrainLoss != want.TrainLoss || last.FeatureNorm2 != want.FeatureNorm2 {
			t.Errorf("resumed: loss %v, ‖H‖² %v; at once: %v, %v", last.TrainLoss, last.FeatureNorm2, want.TrainLoss,
				want.FeatureNorm2)
		}
		training.Folder = ""
		if _, err := training.Run(t.Context(), backend, patterns(network.Smallest-1)); err == nil ||
			!strings.Contains(err.Error(), "images of 8×8 are too small for the network speed-4-8-8") {
			t.Errorf("error %v", err)
		}
	})
}
