package datasets

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	classes := []string{"a", "b", "c"}
	train := balancedImages(20, 3)
	good := &Dataset{Classes: classes, Train: train, Test: balancedImages(5, 3)}
	norm := train.Normalisation()
	known := source{name: "known", train: 60, test: 15, balanced: true, mean: norm.Mean, std: norm.Std}
	if err := known.check(good); err != nil {
		t.Fatal(err)
	}
	for message, change := range map[string]func(s *source, d *Dataset){
		"test image 3 has label 3; labels go from 0 to 2": func(s *source,
			d *Dataset) {
			d.Test.Labels[3] = 3
		},
		"60 training images; known has 61": func(s *source,
			d *Dataset) {
			s.train = 61
		},
		"14 test images; known has 15": func(s *source,
			d *Dataset) {
			d.Test = d.Test.First(14)
		},
		"21 training images of class 0 (a); known has 20 of each class": func(s *source,
			d *Dataset) {
			d.Train.Labels[1] = 0
		},
		"the training images have channel means [0.0373] and standard dev": func(s *source,
			d *Dataset) {
			s.std = []float64{norm.Std[0] + 2e-4}
		},
		"[0.0226]; known has [0.0371] and [0.0226]": func(s *source,
			d *Dataset) {
			s.mean = []float64{norm.Mean[0] - 2e-4}
		},
	} {
		s, d := known, *good
		d.Train.Labels, d.Test.Labels = slices.Clone(d.Train.Labels), slices.Clone(d.Test.Labels)
		change(&s, &d)
		wantError(t, s.check(&d), message)
	}
}
