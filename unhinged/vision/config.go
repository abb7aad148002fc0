package vision

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/internal/strictjson"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// Config is the content of a configuration file in JSON: one data set and network, and the methods, which are all
// trained in the same way.
type Config struct {
	Dataset string `json:"dataset"` // a name for datasets.Open, or a folder
	// > 0: the data set is a folder of images, made size × size
	Size int `json:"size,omitempty"`
	// > 0: train on this number of images only, drawn by Images.Evenly
	Images int `json:"images,omitempty"`
	// the training images are an imbalanced subset
	Imbalance datasets.Imbalance `json:"imbalance,omitzero"`
	// only these classes are trained and tested, such as "0,1,8,9"; the others are out of distribution
	Known        datasets.Known        `json:"known,omitempty"`
	Model        string                `json:"model"` // a name for ModelNamed
	Epochs       int                   `json:"epochs"`
	Batch        int                   `json:"batch"`
	MicroBatches int                   `json:"micro_batches,omitempty"`
	Devices      int                   `json:"devices,omitempty"`   // Training.Devices
	Precision    string                `json:"precision,omitempty"` // Training.Precision
	Augmentation datasets.Augmentation `json:"augmentation"`
	LearningRate float64               `json:"learning_rate"`
	Schedule     Schedule              `json:"schedule,omitempty"` // Training.Schedule
	Momentum     float64               `json:"momentum"`
	Nesterov     bool                  `json:"nesterov,omitempty"`
	WeightDecay  float64               `json:"weight_decay"`
	ShiftRate    float64               `json:"shift_rate,omitempty"` // SGD.ShiftRate
	Mirror       bool                  `json:"mirror,omitempty"`     // Training.Mirror
	Probe        int                   `json:"probe,omitempty"`      // Training.Probe
	Seeds        int                   `json:"seeds"`                // runs of each method, with seeds 1, 2, …
	Methods      []ConfigMethod        `json:"methods"`
}

// ConfigMethod is one of Methods with the settings of its own runs. A method may occur several times, with different λ.
type ConfigMethod struct {
	Name            string   `json:"name"`
	EFR             *float64 `json:"efr,omitempty"`               // λ in place of the method's own
	RecordsPerEpoch int      `json:"records_per_epoch,omitempty"` // 0 is 1
	LogitScale      float64  `json:"logit_scale,omitempty"`       // Head.LogitScale in place of the method's own
	// LearningRate and WeightDecay were chosen for the method (`unhinged train --tune`), in place of the
	// configuration's; 0 is none.
	LearningRate float64 `json:"learning_rate,omitempty"`
	WeightDecay  float64 `json:"weight_decay,omitempty"`
}

// maxSeeds bounds the runs of a method.
const maxSeeds = 10_000

// required are the keys that every file must have.
var required = []string{"dataset", "model", "epochs", "batch", "augmentation", "learning_rate", "momentum",
	"weight_decay", "seeds", "methods"}

// ParseConfig reads a configuration file. Keys that are unknown or missing and values that are impossible are refused,
// with the file's name and the key.
func ParseConfig(name string, content []byte) (Config, error) {
	c, err := parseConfig(content)
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func parseConfig(content []byte) (c Config, err error) {
	if err := strictjson.Unmarshal(content, &c); err != nil {
		return c, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(content, &keys); err != nil {
		return c, err
	}
	for _, key := range required {
		if _, found := keys[key]; !found {
			return c, fmt.Errorf("%q is missing", key)
		}
	}
	return c, c.Check()
}

// Check returns an error if a value is impossible for every data set.
func (c Config) Check() error {
	if _, err := ModelNamed(c.Model); err != nil {
		return fmt.Errorf(`"model": %w`, err)
	}
	for _, value := range []struct {
		key   string
		value float64
		right bool
		must  string
	}{
		{"size", float64(c.Size), c.Size >= 0, "at least 0"},
		{"images", float64(c.Images), c.Images >= 0, "at least 0"},
		{"epochs", float64(c.Epochs), c.Epochs >= 1 && c.Epochs <= maxEpochs, "from 1 to 1e6"},
		{"batch", float64(c.Batch), c.Batch >= 2, "at least 2"},
		{"micro_batches", float64(c.MicroBatches), c.MicroBatches >= 0 && (c.MicroBatches < 2 ||
			c.Batch%c.MicroBatches == 0 && c.Batch/c.MicroBatches >= 2),
			"a number of equal parts of a batch, of at least 2 images"},
		{"devices", float64(c.Devices), c.Devices >= 0 && c.Batch/max(1, c.MicroBatches)%max(1, c.Devices) == 0,
			"a number of devices that share the images of a step, or of a part of one, equally"},
		{"augmentation.shift", float64(c.Augmentation.Shift), c.Augmentation.Shift >= 0, "at least 0"},
		{"learning_rate", c.LearningRate, c.LearningRate > 0 && c.LearningRate <= math.MaxFloat32,
			"> 0 and finite in float32"},
		{"momentum", c.Momentum, c.Momentum >= 0 && c.Momentum < 1, "in [0, 1)"},
		{"weight_decay", c.WeightDecay, c.WeightDecay >= 0 && c.WeightDecay <= math.MaxFloat32,
			"at least 0 and finite in float32"},
		{"shift_rate", c.ShiftRate, c.ShiftRate >= 0 && c.ShiftRate <= math.MaxFloat32,
			"at least 0 and finite in float32"},
		{"probe", float64(c.Probe), c.Probe >= 0, "at least 0"},
		{"seeds", float64(c.Seeds), c.Seeds >= 1 && c.Seeds <= maxSeeds, "from 1 to 10000"},
		{"methods", float64(len(c.Methods)), len(c.Methods) > 0, "more than none"},
	} {
		if !value.right {
			return fmt.Errorf("%q is %g; it must be %s", value.key, value.value, value.must)
		}
	}
	if err := checkPrecision(c.Precision); err != nil {
		return fmt.Errorf(`"precision": %w`, err)
	}
	if err := c.Schedule.check(); err != nil {
		return fmt.Errorf(`"schedule": %w`, err)
	}
	if err := c.Imbalance.Check(); err != nil {
		return fmt.Errorf(`"imbalance": %w`, err)
	}
	if _, err := c.Known.Classes(); err != nil {
		return fmt.Errorf(`"known": %w`, err)
	}
	var names []string
	for _, m := range c.Methods {
		name, err := m.Variant()
		if err != nil {
			return fmt.Errorf(`"methods": %w`, err)
		}
		if slices.Contains(names, name) {
			return fmt.Errorf(`"methods": %s is there twice`, name)
		}
		names = append(names, name)
	}
	return nil
}

// Subset returns the part of the data set that the configuration trains and tests on.
func (c Config) Subset(data *datasets.Dataset) (*datasets.Dataset, error) {
	data, err := data.OnlyKnown(c.Known)
	if err != nil {
		return nil, fmt.Errorf(`"known": %w`, err)
	}
	if c.Images > 0 {
		few := *data
		if few.Train, err = data.Train.Evenly(c.Images, len(data.Classes)); err != nil {
			return nil, fmt.Errorf(`"images": %w`, err)
		}
		data = &few
	}
	if data, err = data.Imbalanced(c.Imbalance); err != nil {
		return nil, fmt.Errorf(`"imbalance": %w`, err)
	}
	return data, nil
}

func (m ConfigMethod) method() (Method, error) {
	method, err := MethodNamed(m.Name)
	if err != nil {
		return method, err
	}
	if m.EFR != nil {
		if !(*m.EFR >= 0 && *m.EFR <= math.MaxFloat32) {
			return method, fmt.Errorf(`%s: "efr" is %g; it must be at least 0 and finite in float32`, m.Name, *m.EFR)
		}
		method.Head.FeatureRegularization = *m.EFR
	}
	for key, value := range map[string]float64{"logit_scale": m.LogitScale, "learning_rate": m.LearningRate,
		"weight_decay": m.WeightDecay} {
		if !(value >= 0 && value <= math.MaxFloat32) {
			return method, fmt.Errorf(`%s: %q is %g; it must be at least 0 and finite in float32`, m.Name, key, value)
		}
	}
	if m.LogitScale != 0 {
		method.Head.LogitScale = m.LogitScale
	}
	if m.RecordsPerEpoch < 0 {
		return method, fmt.Errorf(`%s: "records_per_epoch" is %d; it must be at least 0`, m.Name, m.RecordsPerEpoch)
	}
	return method, nil
}

// Variant returns the name of the runs without their seeds: see Training.Name.
func (m ConfigMethod) Variant() (string, error) {
	method, err := m.method()
	return method.variant(), err
}

// Trainings lists the runs. All methods of one seed come before those of the next seed, so that finished runs can be
// compared at any time. c must pass Check. The caller sets Folder, Provenance and Report.
func (c Config) Trainings() []Training {
	var list []Training
	for seed := range c.Seeds {
		for _, m := range c.Methods {
			method, err := m.method()
			if err != nil {
				panic(err)
			}
			model, err := ModelNamed(c.Model)
			if err != nil {
				panic(err)
			}
			t := Training{
				Method: method, Model: model, Epochs: c.Epochs, Batch: c.Batch, MicroBatches: c.MicroBatches,
				Devices:   c.Devices,
				Precision: c.Precision, Augmentation: c.Augmentation, LearningRate: c.LearningRate,
				Schedule: c.Schedule,
				Momentum: c.Momentum, Nesterov: c.Nesterov, WeightDecay: c.WeightDecay, ShiftRate: c.ShiftRate,
				Mirror: c.Mirror,
				Probe:  c.Probe, Seed: uint64(seed + 1), RecordsPerEpoch: m.RecordsPerEpoch,
			}
			if m.LearningRate != 0 {
				t.LearningRate, t.Tuned = m.LearningRate, true
			}
			if m.WeightDecay != 0 {
				t.WeightDecay, t.Tuned = m.WeightDecay, true
			}
			list = append(list, t)
		}
	}
	return list
}
