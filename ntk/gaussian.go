package ntk

import (
	"fmt"
	"strings"
)

// provenance says where the numbers of a register come from. Only if they are gaussian, they are in the limit of
// infinite width a Gaussian process, identical for all channels and independent between them. Only then does a
// nonlinearity have the kernel E[φ(u)φ(v)], (u, v) ~ N(0, K). The outputs of a dense layer or a convolution are
// gaussian for any input, because each is a sum over many channels with weights of its own.
type provenance int

const (
	gaussian  provenance = iota // a linear function of the outputs of dense layers and convolutions
	given                       // a linear function of the network's input
	nonlinear                   // the outputs of a nonlinearity
	pooled                      // means of finitely many outputs of a nonlinearity
	// positions side by side: Gaussian, but the variance differs between the entries of a vector
	flattened
	summed // a sum with a part that is not Gaussian
)

// obstacles has for each provenance but gaussian a description and what to write instead.
var obstacles = [...]struct{ what, instead string }{
	given: {"the network's input itself", "put a Dense or Conv before it, or apply it to the inputs beforehand"},
	nonlinear: {"the output of another nonlinearity",
		"put a Dense or Conv between the two, or write both as one nonlinearity"},
	pooled: {"a mean of finitely many outputs of a nonlinearity", "put a Dense or Conv after the pooling"},
	flattened: {"a flattened image, whose entries have different variances",
		"put it before Flatten, which makes the same network"},
	summed: {"a sum in which a branch ends with a nonlinearity, pooling or Flatten and has no weights after it",
		"end the branch with a Dense or Conv, as in Residual(Identity, Serial(ReLU, Dense(n)))"},
}

// provenanceOf returns the provenance of an operation's output, given its input registers.
func (p *program) provenanceOf(o operation, in []register) provenance {
	switch o.(type) {
	case *affine:
		return gaussian
	case activation:
		return nonlinear
	}
	first := p.provenances[in[0]]
	switch o.(type) {
	case pool:
		if first == nonlinear {
			return pooled
		}
		return first
	case mean:
		if first == gaussian {
			return flattened
		}
		return first
	}
	if len(in) == 1 {
		return first
	}
	for _, r := range in {
		if p.provenances[r] != gaussian {
			return summed
		}
	}
	return gaussian
}

// checkGaussian returns an error if the input of a nonlinearity is not Gaussian in the limit.
func (p *program) checkGaussian(a activation, in register) error {
	provenance := p.provenances[in]
	if provenance == gaussian {
		return nil
	}
	return fmt.Errorf("ntk: %s at %s has no infinite-width kernel: its input is %s, which is not Gaussian in the "+
		"limit: %s; or use Network.Empirical",
		describe(a), p.place(), obstacles[provenance].what, obstacles[provenance].instead)
}

// checkSum returns an error if the branches of a sum are correlated, or as wide as the input.
func (p *program) checkSum(outputs []register, before []int) error {
	correlated, inputs := 0, 0
	for i, out := range outputs {
		if !p.freshSince(out, before[i]) {
			correlated++
		}
		if p.provenances[out] == given {
			inputs++
		}
	}
	switch {
	case len(outputs) == 1:
		return nil
	case correlated > 1:
		return fmt.Errorf("ntk: %d branches of the Residual at %s do not end with a Dense or Conv of their own: they "+
			"are correlated, and their sum has another kernel than the sum of theirs", correlated, p.place())
	case inputs > 0:
		return fmt.Errorf("ntk: the Residual at %s adds the network's input to a layer, which then is as wide as the "+
			"input and not infinitely wide: put a Dense or Conv before it", p.place())
	}
	return nil
}

// place returns the place in the network of the layer that is being compiled: the scope of its variables.
func (p *program) place() string { return strings.Join(p.path, "/") }

// at compiles a part of the network under its scope's name.
func (p *program) at(scope string, part Layer, in register) (register, error) {
	p.path = append(p.path, scope)
	defer func() { p.path = p.path[:len(p.path)-1] }()
	return part.infinite(p, in)
}
