package vision

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/files"
)

// checkpoint has everything that a run needs to be resumed as if it had not stopped: its settings, its records, and
// every variable of the model and of the optimizer, including the step counter. The order of the data follows from the
// seed and the step.
//
// gomlx's own checkpoint package writes two files in place, so that a run that is killed meanwhile leaves a checkpoint
// that cannot be loaded. Here it is one file with a checksum, which is renamed when it is complete.
type checkpoint struct {
	header
	variables map[string]*tensors.Tensor
}

type header struct {
	Settings Settings
	Step     int64
	Records  []Record
	LossSum  float64
	LossN    int64
	First    *StepSummary
	Last     StepSummary
	Diverged *Diverged
	Began    time.Time
	Spent    time.Duration
	Paths    []string // of the variables, whose tensors follow
}

// checkpointTitle is the first line of a checkpoint; it changes with the format.
const checkpointTitle = "unhinged-lab checkpoint 2"

var _ model.Loader = (*checkpoint)(nil)

// LoadVariable gives a store each variable when the model first asks for it, so that a resumed run builds its graphs in
// the same order as a fresh one.
func (c *checkpoint) LoadVariable(_ *model.Store, path string) (*tensors.Tensor, bool) {
	value, found := c.variables[path]
	delete(c.variables, path)
	return value, found
}

// DeleteVariable removes a variable that the model has not asked for.
func (c *checkpoint) DeleteVariable(_ *model.Store, path string) error {
	delete(c.variables, path)
	return nil
}

// saveCheckpoint writes h and the store's variables; a nil store writes none.
func saveCheckpoint(path string, h header, store *model.Store) error {
	var values []*tensors.Tensor
	if store != nil {
		for v := range store.IterVariables() {
			value, err := v.Value()
			if err != nil {
				return err
			}
			h.Paths = append(h.Paths, v.Path())
			values = append(values, value)
		}
	}
	return files.WriteSealed(path, checkpointTitle, func(out io.Writer) error {
		encoder := gob.NewEncoder(out)
		if err := encoder.Encode(h); err != nil {
			return err
		}
		for _, value := range values {
			if err := value.GobSerialize(encoder); err != nil {
				return err
			}
		}
		return nil
	})
}

// loadCheckpoint reads a checkpoint after its checksum was compared; it returns nil if there is none.
func loadCheckpoint(path string) (*checkpoint, error) {
	in, err := files.OpenSealed(path, checkpointTitle)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case errors.Is(err, files.ErrUnsealed):
		return nil,
			fmt.Errorf("%w: an earlier version wrote this checkpoint, without a checksum, so that damage would not "+
				"be seen, "+
				"or its first bytes are damaged. Remove it to start the run again", err)
	case errors.Is(err, files.ErrDamaged):
		return nil, fmt.Errorf("%w. Remove it to start the run again", err)
	case err != nil:
		return nil, err
	}
	defer in.Close()
	c := &checkpoint{variables: map[string]*tensors.Tensor{}}
	decoder := gob.NewDecoder(in)
	if err := decoder.Decode(&c.header); err != nil {
		return nil, fmt.Errorf("%s is no checkpoint of this version: %w. Remove it to start the run again", path, err)
	}
	for _, name := range c.Paths {
		value, err := tensors.GobDeserialize(decoder)
		if err != nil {
			return nil, fmt.Errorf("%s: variable %s: %w. Remove the file to start the run again", path, name, err)
		}
		c.variables[name] = value
	}
	return c, nil
}
