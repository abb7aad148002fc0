package paper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// runRecorded draws an item from recorded runs.
func runRecorded(id string, draw func(runs string) (result.Figure, error)) func(Options) (*result.Figure, error) {
	return func(o Options) (*result.Figure, error) {
		if err := takesRunsOnly(o); err != nil {
			return nil, err
		}
		runs := o.Runs
		if runs == "" {
			var err error
			if runs, err = RecordedRuns(); err != nil {
				return nil, err
			}
		}
		f, err := draw(runs)
		if errors.Is(err, training.ErrNoRuns) {
			item, lookup := Lookup(id)
			if lookup != nil {
				return nil, lookup
			}
			return nil, fmt.Errorf("%w in %s; `%s` makes them", err, runs, item.Command)
		}
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(1, 1)
		}
		return &f, nil
	}
}

// runBesidePublished draws an item that shows the paper's numbers, and beside them those of recorded runs where there
// are some. Settings["needs"] says what is missing, and Run adds the command that makes it.
func runBesidePublished(draw func([]vision.Outcome) (result.Figure, error)) func(Options) (*result.Figure, error) {
	return func(o Options) (*result.Figure, error) {
		if err := takesRunsOnly(o); err != nil {
			return nil, err
		}
		runs, err := o.Runs, error(nil)
		if runs == "" {
			runs, err = RecordedRuns()
		}
		var outcomes []vision.Outcome
		if err == nil {
			outcomes, err = vision.ReadOutcomes(runs)
		}
		if err != nil && !errors.Is(err, training.ErrNoRuns) {
			return nil, err
		}
		f, err := draw(outcomes)
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(1, 1)
		}
		return &f, nil
	}
}

// takesRunsOnly refuses options that change what is in a recorded run.
func takesRunsOnly(o Options) error {
	if o.P != 0 || o.C != 0 || o.N != 0 || o.Steps != 0 || o.State != nil || o.Widths != nil || o.Networks != 0 ||
		o.Images != 0 || o.Gammas != nil || o.Lambdas != nil || o.Etas != nil || o.Ratios != nil {
		return errors.New("it is drawn from recorded runs, whose settings cannot be changed here; " +
			"`unhinged train` makes others")
	}
	return nil
}

// RecordedRuns returns the pattern of the runs that are recorded in the checkout of this module around the working
// directory.
func RecordedRuns() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; folder = filepath.Dir(folder) {
		if build.IsCheckout(folder) {
			return filepath.Join(folder, "results", "training", "*"), nil
		}
		if folder == filepath.Dir(folder) {
			return "",
				fmt.Errorf("%w here, outside of a checkout of the lab; --runs DIR names a folder with some",
					training.ErrNoRuns)
		}
	}
}
