package vision

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Settings are all that a run's numbers depend on, but for the images themselves, of which they have the data set's name, the
// number and the size. A run goes on only from a checkpoint of equal settings.
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

	// Of augmentation, of batches in parts and on several devices, of numbers other than float32, and of the probe; zero in runs that had no such thing. A probe of 0 was 10 batches.
	Shift        int    `json:"shift,omitempty"`
	Flip         bool   `json:"flip,omitempty"`
	MicroBatches int    `json:"micro_batches,omitempty"`
	Devices      int    `json:"devices,omitempty"`
	Precision    string `json:"precision,omitempty"`
	Probe        int    `json:"probe,omitempty"`

	Size int `json:"size,omitempty"` // height of the images, but of data sets that datasets.Open knows
}

// settings leaves out what is as if it had not been said, so that older runs are still of equal settings.
func (t Training) settings(backend compute.Backend, data *datasets.Dataset) Settings {
	s := Settings{Method: t.Method.Name, Head: t.Method.Head, Model: t.Model.Name, Dataset: data.Name, Images: data.Train.Len(), Backend: backends.Name(backend),
		Epochs: t.Epochs, Batch: t.Batch, LearningRate: t.LearningRate, Momentum: t.Momentum, WeightDecay: t.WeightDecay, Seed: t.Seed,
		RecordsPerEpoch: t.RecordsPerEpoch, Shift: t.Augmentation.Shift, Flip: t.Augmentation.Flip}
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

// Outcome is a finished run as its folder keeps it.
type Outcome struct {
	Settings   Settings          `json:"settings"`
	Diverged   *Diverged         `json:"diverged,omitempty"` // why it stopped early
	Provenance result.Provenance `json:"provenance"`
	Records    []Record          `json:"-"` // they are in LogFile
}

// Finished is what a run has left in its folder, in this process or another, at its end; nil before that. It needs no
// checkpoint. An outcome of other settings is an error.
func (t Training) Finished(backend compute.Backend, data *datasets.Dataset) (*Outcome, error) {
	t, err := t.complete(data)
	if err != nil || t.Folder == "" {
		return nil, err
	}
	path := filepath.Join(t.Folder, OutcomeFile)
	o, err := readOutcome(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if now := t.settings(backend, data); o.Settings != now {
		return nil, otherSettings(path, o.Settings, now)
	}
	return &o, nil
}

func otherSettings(path string, saved, now Settings) error {
	return fmt.Errorf("%s is of a run with other settings: %s. Choose another folder, or remove it to start again", path, difference(saved, now))
}

func (r *run) writeOutcome() error {
	if r.Folder == "" {
		return nil
	}
	path := filepath.Join(r.Folder, OutcomeFile)
	o := Outcome{Settings: r.settings, Diverged: r.diverged, Provenance: r.Provenance}
	o.Provenance.Seed, o.Provenance.Backend, o.Provenance.Go = r.Seed, r.settings.Backend, runtime.Version()
	o.Provenance.Started, o.Provenance.Duration = r.began.UTC().Truncate(time.Second), (r.earlier + time.Since(r.here)).Seconds()
	return writeAtomically(path, func(out io.Writer) error {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(o)
	})
}

// ReadOutcomes reads the finished runs in the subfolders of folder, by method in the order of Methods, then by seed. The
// folder may be a pattern, such as results/training/*, for those of several; of runs with equal settings, which are one run
// done again, it leaves the one that began last.
func ReadOutcomes(folder string) ([]Outcome, error) {
	var paths []string
	info, err := os.Stat(folder)
	if err == nil && info.IsDir() { // and no pattern, whatever is in its name
		paths, err = fs.Glob(os.DirFS(folder), "*/"+OutcomeFile)
		for i := range paths {
			paths[i] = filepath.Join(folder, paths[i])
		}
	} else {
		paths, err = filepath.Glob(filepath.Join(folder, "*", OutcomeFile))
	}
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no subfolder with a finished run (%s); `unhinged train --out %s` makes them", folder, OutcomeFile, folder)
	}
	var outcomes []Outcome
	place := map[Settings]int{}
	for _, path := range paths {
		o, err := readOutcome(path)
		if err != nil {
			return nil, err
		}
		i, again := place[o.Settings]
		if !again {
			place[o.Settings] = len(outcomes)
			outcomes = append(outcomes, o)
		} else if o.Provenance.Started.After(outcomes[i].Provenance.Started) {
			outcomes[i] = o
		}
	}
	slices.SortStableFunc(outcomes, func(a, b Outcome) int {
		if d := rank(a.Settings.Method) - rank(b.Settings.Method); d != 0 {
			return d
		}
		return int(a.Settings.Seed) - int(b.Settings.Seed)
	})
	return outcomes, nil
}

// readOutcome reads an outcome and the log beside it.
func readOutcome(path string) (o Outcome, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(content, &o); err != nil {
		return o, fmt.Errorf("%s: %w", path, err)
	}
	o.Records, err = readLog(filepath.Join(filepath.Dir(path), LogFile))
	return o, err
}

func rank(method string) int {
	return slices.IndexFunc(Methods(), func(m Method) bool { return m.Name == method })
}

func readLog(path string) ([]Record, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var records []Record
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			return records, lines.Err()
		}
		var record Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, len(records)+1, err)
		}
		records = append(records, record)
	}
}
