package vision

import (
	"fmt"

	"github.com/unhinged-lab/lab/internal/memory"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// Size has the parameters and the memory of a network for images of one size. They are counted in float64, so that no
// width is too large.
type Size struct {
	Parameters  float64 // numbers that are trained
	Activations float64 // approximately the numbers that are kept for the gradient of an image
}

// layer adds a layer with these numbers of parameters and outputs.
func (s *Size) layer(parameters, outputs float64) {
	const kept = 3 // the output, normalised, and after the nonlinearity
	s.Parameters += parameters
	s.Activations += kept * outputs
}

// checkMemory refuses a training that takes more memory than is free: each parameter with its gradient, its velocity
// and the value that it starts from, the activations of the images that go through the network at a time, and the
// covariance of the features, [p, p] of float64, with the copies that NC1 is measured by.
func (t Training) checkMemory(data *datasets.Dataset) error {
	if t.Model.Size == nil {
		return nil
	}
	const number, copies = 4, 4 // bytes of a float32; of each parameter
	im := data.Train
	size := t.Model.Size(im.Height, im.Width, im.Channels)
	part := float64(t.Batch / t.MicroBatches)
	p := float64(t.Model.Dimension)
	need := number*(copies*size.Parameters+part*size.Activations) + 3*8*p*p
	free, known := memory.Free()
	if !known || need <= free {
		return nil
	}
	return fmt.Errorf("%s has %.3g parameters and %.0f features, and in batches of %.0f images of %d×%d it takes "+
		"about %s; %s are free. "+
		"Choose smaller widths, a smaller batch, or more micro-batches",
		t.Model.Name, size.Parameters, p, part, im.Height, im.Width, memory.Bytes(need), memory.Bytes(free))
}
