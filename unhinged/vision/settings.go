package vision

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// Settings are everything that the numbers of a run depend on. A run is resumed only from a checkpoint with equal
// settings.
type Settings struct {
	Method          string        `json:"method"`
	Head            unhinged.Head `json:"head"`
	Model           string        `json:"model"`
	Dataset         string        `json:"dataset"`
	Images          int           `json:"images"` // of the training set
	Backend         string        `json:"backend"`
	Epochs          int           `json:"epochs"`
	Batch           int           `json:"batch"`
	LearningRate    float64       `json:"learning_rate"`
	Momentum        float64       `json:"momentum"`
	WeightDecay     float64       `json:"weight_decay"`
	Seed            uint64        `json:"seed"`
	RecordsPerEpoch int           `json:"records_per_epoch"`

	// Data is Dataset.Content, the checksum of all images and labels. Runs of the first version do not have it.
	Data string `json:"data,omitempty"`

	// These are zero if a run does not augment, does not split its batches, has one device, or computes in float32. A
	// Probe of 0 stands for ten batches.
	Shift        int    `json:"shift,omitempty"`
	Flip         bool   `json:"flip,omitempty"`
	MicroBatches int    `json:"micro_batches,omitempty"`
	Devices      int    `json:"devices,omitempty"`
	Precision    string `json:"precision,omitempty"`
	Probe        int    `json:"probe,omitempty"`

	// These are zero if a run trains in the paper's way.
	Alternate bool     `json:"alternate,omitempty"` // Augmentation's
	Reflect   bool     `json:"reflect,omitempty"`
	Schedule  Schedule `json:"schedule,omitempty"`
	Nesterov  bool     `json:"nesterov,omitempty"`
	ShiftRate float64  `json:"shift_rate,omitempty"`
	Mirror    bool     `json:"mirror,omitempty"`
	Tuned     bool     `json:"tuned,omitempty"`

	// These are zero if a run trains on all published images.
	Imbalance datasets.Imbalance `json:"imbalance,omitzero"`
	Known     datasets.Known     `json:"known,omitempty"`

	Size int `json:"size,omitempty"` // height of the images of a folder, which are made that size
}

// settings returns the settings of the training. Default values are left out, so that runs of older versions have equal
// settings.
func (t Training) settings(backend compute.Backend, data *datasets.Dataset) Settings {
	s := Settings{
		Method: t.Method.Name, Head: t.Method.Head, Model: t.Model.Name,
		Dataset: data.Name, Images: data.Train.Len(), Data: data.Content(), Backend: backends.Name(backend),
		Epochs: t.Epochs, Batch: t.Batch, LearningRate: t.LearningRate, Momentum: t.Momentum,
		WeightDecay: t.WeightDecay,
		Seed:        t.Seed, RecordsPerEpoch: t.RecordsPerEpoch, Shift: t.Augmentation.Shift, Flip: t.Augmentation.Flip,
		Alternate: t.Augmentation.Alternate, Reflect: t.Augmentation.Reflect,
		Nesterov: t.Nesterov, ShiftRate: t.ShiftRate, Mirror: t.Mirror, Tuned: t.Tuned,
		Imbalance: data.Imbalance, Known: data.Known,
	}
	if t.Schedule != Cosine {
		s.Schedule = t.Schedule
	}
	if t.MicroBatches > 1 {
		s.MicroBatches = t.MicroBatches
	}
	if t.Devices > 1 {
		s.Devices = t.Devices
	}
	if t.Precision != single {
		s.Precision = t.Precision
	}
	if t.Probe != min(10*t.Batch, data.Train.Len()) {
		s.Probe = t.Probe
	}
	if !slices.Contains(datasets.Names(), data.Name) { // a folder's images are made any size
		s.Size = data.Train.Height
	}
	return s
}

// SGD returns the optimizer of a run with these settings.
func (s Settings) SGD() SGD {
	return SGD{LearningRate: s.LearningRate, Schedule: s.Schedule, Momentum: s.Momentum, Nesterov: s.Nesterov,
		WeightDecay: s.WeightDecay, ShiftRate: s.ShiftRate, Steps: int64(s.Epochs) * int64(s.Images/s.Batch)}
}

// difference lists the fields in which two settings differ.
func difference(saved, now Settings) string {
	var list []string
	a, b := reflect.ValueOf(saved), reflect.ValueOf(now)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); x != y {
			list = append(list, fmt.Sprintf("%s was %v and is now %v", a.Type().Field(i).Name, x, y))
		}
	}
	return strings.Join(list, ", ")
}
