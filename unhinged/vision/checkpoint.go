package vision

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// checkpoint is everything a run needs to go on as if it had not stopped: what it was set to, what it has recorded, and
// every variable of the model and of the optimizer, the step counter among them. The order of the data follows from the
// seed and the step.
//
// gomlx's own checkpoint package writes two files in place, so that a run killed meanwhile leaves a checkpoint that
// cannot be loaded: here it is one file, renamed when complete.
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
	First    *Glance
	Last     Glance
	Diverged *Diverged
	Began    time.Time
	Spent    time.Duration
	Paths    []string // of the variables, whose tensors follow
}

var _ model.Loader = (*checkpoint)(nil)

// LoadVariable gives a store each variable when the model first asks for it, so that a resumed run builds its graphs in
// the same order as a fresh one.
func (c *checkpoint) LoadVariable(_ *model.Store, path string) (*tensors.Tensor, bool) {
	value, found := c.variables[path]
	delete(c.variables, path)
	return value, found
}

// DeleteVariable forgets a variable not yet asked for.
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
	return writeAtomically(path, func(out io.Writer) error {
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

// loadCheckpoint reads a checkpoint; it returns nil if there is none.
func loadCheckpoint(path string) (*checkpoint, error) {
	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	c := &checkpoint{variables: map[string]*tensors.Tensor{}}
	decoder := gob.NewDecoder(bufio.NewReader(in))
	if err := decoder.Decode(&c.header); err != nil {
		return nil, fmt.Errorf("%s is no checkpoint of this version: %w; remove it to start again", path, err)
	}
	for _, name := range c.Paths {
		value, err := tensors.GobDeserialize(decoder)
		if err != nil {
			return nil, fmt.Errorf("%s: variable %s: %w; remove the file to start again", path, name, err)
		}
		c.variables[name] = value
	}
	return c, nil
}

// writeAtomically writes a file under another name, makes sure that it is on the disk, and renames it: whenever the
// process ends, the path holds the old file or the new one.
func writeAtomically(path string, write func(io.Writer) error) error {
	out, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	err = write(buffered)
	if err = errors.Join(err, buffered.Flush(), out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(path+".tmp", path)
}
