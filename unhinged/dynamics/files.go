//go:build !js

package dynamics

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/npy"
)

// FromFiles is FromSamples on .npy files (float32 or float64; labels of any integer type). An empty biasesPath means
// zero biases.
func FromFiles(featuresPath, labelsPath, prototypesPath, biasesPath string) (*State, error) {
	features, err := npy.ReadMatrix(featuresPath)
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	labels, err := npy.ReadIntegers(labelsPath)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	prototypes, err := npy.ReadMatrix(prototypesPath)
	if err != nil {
		return nil, fmt.Errorf("prototypes: %w", err)
	}
	var biases []float64
	if biasesPath != "" {
		if biases, err = npy.ReadVector(biasesPath); err != nil {
			return nil, fmt.Errorf("biases: %w", err)
		}
	}
	return FromSamples(features, labels, prototypes, biases)
}
