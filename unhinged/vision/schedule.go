package vision

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Schedule names the course of the learning rate over the steps t = 0, 1, …, T−1 of a training, as a share of its
// highest value.
type Schedule string

const (
	// Cosine falls from 1 to 0, (1 + cos(πt/T))/2: PyTorch's CosineAnnealingLR, stepped with every batch. It is the
	// paper's, and the zero value "" is the same.
	Cosine Schedule = "cosine"
	// Triangle rises in a line from 0.2 to 1 over the first 23 % of the steps, then falls in a line to 0.07 at T (arXiv
	// 2404.00498).
	Triangle Schedule = "triangle"
)

// Of Triangle: the shares of the highest rate at the start and at the end, and the share of the steps before the peak.
const triangleStart, triangleEnd, trianglePeak = 0.2, 0.07, 0.23

func (s Schedule) check() error {
	switch s {
	case "", Cosine, Triangle:
		return nil
	}
	return fmt.Errorf("there is no schedule %q; there are %s and %s", string(s), Cosine, Triangle)
}

// rate returns η_t, where t is the number of steps done before.
func (s SGD) rate(t *Node) *Node {
	switch {
	case s.Steps == 0:
		return Const(t.Graph(), s.LearningRate)
	case s.Schedule == Triangle:
		peak := math.Floor(trianglePeak * float64(s.Steps))
		rising := AddScalar(MulScalar(t, (1-triangleStart)/max(peak, 1)), triangleStart)
		fall := (1 - triangleEnd) / (float64(s.Steps) - peak)
		falling := AddScalar(MulScalar(t, -fall), 1+fall*peak)
		return MulScalar(Where(LessThan(t, Scalar(t.Graph(), t.DType(), peak)), rising, falling), s.LearningRate)
	}
	cosine := Cos(MulScalar(t, math.Pi/float64(s.Steps)))
	return MulScalar(OnePlus(cosine), s.LearningRate/2)
}

// Rate returns η_t, the learning rate of the step after t steps.
func (s SGD) Rate(t int64) float64 {
	switch {
	case s.Steps == 0:
		return s.LearningRate
	case s.Schedule == Triangle:
		peak := math.Floor(trianglePeak * float64(s.Steps))
		if at := float64(t); at < peak {
			return s.LearningRate * (triangleStart + (1-triangleStart)*at/peak)
		}
		return s.LearningRate * (1 - (1-triangleEnd)*(float64(t)-peak)/(float64(s.Steps)-peak))
	}
	return s.LearningRate * (1 + math.Cos(math.Pi*float64(t)/float64(s.Steps))) / 2
}
