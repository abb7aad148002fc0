// Package studies makes experiments on networks that are in no figure of the paper: the paper has only a formula for
// networks with an invariant kernel. Their sentences are judged as those of the figures are.
package studies

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Options change a study's settings. The zero value gives the defaults of the study.
type Options struct {
	Widths   []int    // of the networks
	Networks int      // number of networks of the largest width; 0 is 5
	Images   int      // Lazy's number of training images, a fifth as many for the test; 0 is 1000
	Gamma    *float64 // Theorem8's γ; nil is 1/(C−1)
	Rate     float64  // Theorem8's η; 0 is 0.1
	Seed     uint64
	Command  string              // for the provenance
	Progress func(done, all int) // called after each twentieth of the work
}

// RunTheorem8 runs the study theorem8 on the pure-Go backend: for one hidden layer, XLA takes longer to compile than Go
// to compute.
func RunTheorem8(o Options) (*result.Figure, error) {
	return o.on("go", func(backend compute.Backend, progress func(done, all int)) (*result.Figure, error) {
		study := Theorem8{Widths: o.Widths, Seeds: o.Networks, Gamma: o.Gamma, Rate: o.Rate, Seed: o.Seed,
			Progress: progress}
		return study.Run(context.Background(), backend)
	})
}

// RunDrift runs the study drift with 20 images of each class of Fashion-MNIST, on the machine's best backend.
func RunDrift(o Options) (*result.Figure, error) {
	if o.Gamma != nil || o.Rate != 0 {
		return nil, fmt.Errorf("drift does not use γ or η: its losses have their own")
	}
	data, err := datasets.Open("fashion-mnist")
	if err != nil {
		return nil, err
	}
	train, _, err := Pixels(data, 20, 0)
	if err != nil {
		return nil, err
	}
	return o.on("", func(backend compute.Backend, progress func(done, all int)) (*result.Figure, error) {
		study := Drift{Examples: train, Widths: o.Widths, Seeds: o.Networks, Seed: o.Seed, Progress: progress}
		return study.Run(context.Background(), backend)
	})
}

// RunLazy runs the study lazy with images of CIFAR-10, on the machine's best backend.
func RunLazy(o Options) (*result.Figure, error) {
	if o.Gamma != nil || o.Rate != 0 || o.Networks != 0 {
		return nil, fmt.Errorf("lazy does not use γ, η or a number of networks: it has γ = 1/(C−1), a rate of its " +
			"own, and one network of each width")
	}
	data, err := datasets.Open("cifar-10")
	if err != nil {
		return nil, err
	}
	if o.Images == 0 {
		o.Images = 1000
	}
	classes := len(data.Classes)
	if o.Images < 5*classes || o.Images > data.Train.Len() {
		return nil, fmt.Errorf("%d training images: want %d to %d", o.Images, 5*classes, data.Train.Len())
	}
	train, test, err := Pixels(data, o.Images/classes, o.Images/(5*classes))
	if err != nil {
		return nil, err
	}
	return o.on("", func(backend compute.Backend, progress func(done, all int)) (*result.Figure, error) {
		return Lazy{Train: train, Test: test, Widths: o.Widths, Seed: o.Seed, Progress: progress}.Run(
			context.Background(), backend)
	})
}

// provenance returns where a study's numbers come from. The command is added later.
func provenance(seed uint64, backend compute.Backend, dtype dtypes.DType, started time.Time) result.Provenance {
	return result.Provenance{Seed: seed, Commit: build.Commit(),
		Backend: backends.Name(backend) + ", " + dtype.String(), Go: runtime.Version(), Started: started.UTC(),
		Duration: time.Since(started).Seconds()}
}

// perceptron returns a network with hidden layers of a width, whose weights have the standard deviation std and whose
// biases have 0.1.
func perceptron(hidden, width int, std float64, activation ntk.Layer, outputs int) ntk.Network {
	var layers []ntk.Layer
	for range hidden {
		layers = append(layers, ntk.Dense(width).Std(std, 0.1), activation)
	}
	return ntk.Serial(append(layers, ntk.Dense(outputs))...)
}

// on runs a study on the backend of this configuration.
func (o Options) on(config string, run func(compute.Backend, func(done, all int)) (*result.Figure,
	error)) (*result.Figure, error) {
	backend, _, err := backends.Open(config)
	if err != nil {
		return nil, err
	}
	defer backend.Finalize()
	f, err := run(backend, func(done, all int) {
		if o.Progress != nil && done*20/all > (done-1)*20/all {
			o.Progress(done, all)
		}
	})
	if err != nil {
		return nil, err
	}
	f.Provenance.Command = o.Command
	return f, nil
}
