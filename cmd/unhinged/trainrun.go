package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// run does all runs, one after the other, or as many at a time as there are jobs.
func (o trainOptions) run(ctx context.Context, changed func(flag string) bool, out, terminal io.Writer) error {
	c, err := o.settings(changed)
	if err != nil {
		return err
	}
	trainings, err := o.trainings(c)
	if err != nil {
		return err
	}
	data, err := o.data(c)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = o.folder(c, data)
	}
	task, tasks, err := parseShare("task", o.task)
	if err != nil {
		return err
	}
	if o.list {
		return listRuns(trainings, tasks, o.out, out)
	}
	if o.jobs < 1 {
		return fmt.Errorf("--jobs %d: there must be at least 1", o.jobs)
	}
	if o.jobs > 1 {
		return runJobs(ctx, o.jobs, o.out, out, terminal)
	}
	backend, note, err := backends.Open(o.backend)
	if err != nil {
		return err
	}
	if note != "" {
		fmt.Fprintln(terminal, note)
	}
	o.announce(data, trainings, out, terminal)
	for i := range trainings {
		trainings[i].Provenance = result.Provenance{Command: command(), Commit: build.Commit()}
		// the 20 records of ul are a default, and an epoch may have fewer steps
		if o.config == "" && !changed("records") {
			trainings[i].RecordsPerEpoch = min(trainings[i].RecordsPerEpoch, data.Train.Len()/c.Batch)
		}
	}
	session := trainSession{folder: o.out, task: task, tasks: tasks, backend: backend, data: data, out: out,
		terminal: terminal}
	if o.tune {
		return session.tune(ctx, trainings)
	}
	return session.train(ctx, trainings)
}

// trainings returns the runs of the configuration, or only those with the seeds of --seed.
func (o trainOptions) trainings(c vision.Config) ([]vision.Training, error) {
	for _, seed := range o.seed {
		if seed < 1 || seed > c.Seeds {
			return nil, fmt.Errorf("--seed %d: there are seeds 1 to %d; --seeds says how many", seed, c.Seeds)
		}
	}
	if o.seed == nil {
		return c.Trainings(), nil
	}
	return slices.DeleteFunc(c.Trainings(), func(t vision.Training) bool {
		return !slices.Contains(o.seed, int(t.Seed))
	}), nil
}

// announce prints what the runs are trained on, and a note if the network has too few features for an ETF.
func (o trainOptions) announce(data *datasets.Dataset, trainings []vision.Training, out, terminal io.Writer) {
	fmt.Fprintf(out, "%s: %d training and %d test images of %d×%d from %s; results in %s\n",
		data.Name, data.Train.Len(), data.Test.Len(), data.Train.Height, data.Train.Width, data.Folder, o.out)
	if data.Imbalance != (datasets.Imbalance{}) {
		fmt.Fprintf(out, "%s: training images of each class %d\n", data.Imbalance,
			data.Train.ClassCounts(len(data.Classes)))
	}
	for _, t := range trainings[:min(1, len(trainings))] { // all have the same network
		if p, classes := t.Model.Dimension, len(data.Classes); p > 0 && p < classes-1 {
			fmt.Fprintf(terminal, "note: the %d features of %s hold no simplex ETF of %d classes (p ≥ C−1 is needed); "+
				"anchored prototypes are the best spread found instead\n", p, t.Model.Name, classes)
		}
	}
}

// data opens the data set and returns the part of it that the configuration names. With --tune, some training images
// replace the test images.
func (o trainOptions) data(c vision.Config) (data *datasets.Dataset, err error) {
	if c.Size > 0 {
		data, err = openImages(c.Dataset, c.Size)
	} else {
		data, err = openDataset(c.Dataset)
	}
	if err == nil && o.tune {
		data, err = vision.TuneSplit(data)
	}
	if err != nil {
		return nil, err
	}
	return c.Subset(data)
}

// folder returns the folder of the results if --out is not given.
func (o trainOptions) folder(c vision.Config, data *datasets.Dataset) string {
	name := data.Name
	if o.config != "" {
		name = strings.TrimSuffix(filepath.Base(o.config), ".json")
	}
	if o.imbalance != "" {
		name += fmt.Sprintf("-%s-%g", c.Imbalance.Kind, c.Imbalance.Ratio)
	}
	if o.known != "" {
		name += "-known-" + strings.ReplaceAll(o.known, ",", "-")
	}
	if o.tune {
		name += "-tune"
	}
	return filepath.Join("training", name)
}

// trainSession has the data that all runs of one command share.
type trainSession struct {
	folder        string
	task, tasks   int // the share of the runs that it begins with: every tasks-th, from the task-th on
	backend       compute.Backend
	data          *datasets.Dataset
	out, terminal io.Writer

	runs, elsewhere int // all runs so far, and those of them that another process has under way
}

// nothing reports whether other processes train all runs, so that there may be nothing to draw.
func (s *trainSession) nothing() bool { return s.elsewhere == s.runs }

// train does all runs, and then draws the figures of the finished ones. It is an error if runs diverged.
func (s *trainSession) train(ctx context.Context, trainings []vision.Training) error {
	diverged, err := s.all(ctx, trainings)
	if err != nil || s.nothing() {
		return err
	}
	if err := drawTraining(s.folder, s.out); err != nil {
		return err
	}
	if diverged > 0 {
		return fmt.Errorf("runs that diverged: %d", diverged)
	}
	return nil
}

// unfinished divides the runs that are not finished into those of its own share and the others. It also returns the
// names of the finished runs and the number of these that diverged. Before any run is trained, it reports damaged runs
// and runs with other settings.
func (s *trainSession) unfinished(trainings []vision.Training) (own, others []vision.Training, finished []string,
	diverged int, err error) {
	for i, t := range trainings {
		t.Folder = filepath.Join(s.folder, t.Name())
		done, err := t.Finished(s.backend, s.data)
		switch {
		case err != nil:
			return nil, nil, nil, diverged, fmt.Errorf("%s: %w", t.Name(), err)
		case done == nil && i%s.tasks == s.task-1:
			own = append(own, t)
			continue
		case done == nil:
			others = append(others, t)
			continue
		case done.Diverged != nil && !strings.HasPrefix(t.Method.Name, "ul"):
			diverged++
		}
		finished = append(finished, t.Name())
	}
	return own, others, finished, diverged, nil
}

// all trains what is not finished yet, and returns the number of runs that diverged. It begins with its own share, then
// takes runs of the other shares that nobody has claimed. If another process has claimed a run of its own share, all
// waits until that process has finished it or was lost.
func (s *trainSession) all(ctx context.Context, trainings []vision.Training) (diverged int, err error) {
	s.runs += len(trainings)
	own, others, finished, diverged, err := s.unfinished(trainings)
	if err != nil {
		return diverged, err
	}
	if finished != nil {
		fmt.Fprintf(s.out, "finished before, %d of %d runs: %s\n", len(finished), len(trainings),
			strings.Join(finished, ", "))
	}
	count := len(finished)
	one := func(t vision.Training) error {
		count++
		failed, err := s.one(ctx, t, fmt.Sprintf("%d/%d", count, len(trainings)))
		if failed {
			diverged++
		}
		if errors.Is(err, vision.ErrElsewhere) {
			count--
		}
		return err
	}
	var claimed []vision.Training
	for i, t := range append(own, others...) {
		switch err := one(t); {
		case errors.Is(err, vision.ErrElsewhere):
			fmt.Fprintf(s.out, "%s: %v\n", t.Name(), err)
			if i < len(own) && s.tasks > 1 {
				claimed = append(claimed, t)
			} else {
				s.elsewhere++
			}
		case err != nil:
			return diverged, err
		}
	}
	for _, t := range claimed {
		if err := whenFree(ctx, t, one); err != nil {
			return diverged, err
		}
	}
	return diverged, nil
}

// waitForOthers is the time between two checks of a run that another process trains.
const waitForOthers = time.Second

// whenFree waits until no other process has claimed the run, and then calls one.
func whenFree(ctx context.Context, t vision.Training, one func(vision.Training) error) error {
	err := vision.ErrElsewhere
	for errors.Is(err, vision.ErrElsewhere) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w while another process trains it", t.Name(), ctx.Err())
		case <-time.After(waitForOthers):
		}
		if err = t.Elsewhere(); err == nil {
			err = one(t)
		}
	}
	return err
}

// one trains a run. A run that diverges is not an error.
func (s *trainSession) one(ctx context.Context, t vision.Training, number string) (diverged bool, err error) {
	var overflow *vision.Diverged
	err = trainOne(ctx, t, number, s.backend, s.data, s.out, s.terminal)
	switch {
	case errors.As(err, &overflow):
		fmt.Fprintf(s.out, "%s: %v\n", t.Name(), overflow)
		return !strings.HasPrefix(t.Method.Name, "ul"), nil // ul is expected to diverge
	case errors.Is(err, vision.ErrElsewhere):
		return false, err
	case errors.Is(err, context.Canceled):
		return false, fmt.Errorf("%s: %w. Saved in %s: the same command goes on from there", t.Name(), err, t.Folder)
	case err != nil:
		return false, fmt.Errorf("%s: %w", t.Name(), err)
	}
	return false, nil
}

// listRuns prints for each run to whose share it belongs, and whether it is finished.
func listRuns(trainings []vision.Training, tasks int, folder string, out io.Writer) error {
	for i, t := range trainings {
		state := "not finished"
		_, err := os.Stat(filepath.Join(folder, t.Name(), vision.OutcomeFile))
		switch {
		case err == nil:
			state = "finished"
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
		fmt.Fprintf(out, "%d of %d  %s  %s\n", i%tasks+1, tasks, t.Name(), state)
	}
	return nil
}

// tune tries the rates of the grid and then, at the best rate of each method, the decays. It reports the best ones.
func (s *trainSession) tune(ctx context.Context, trainings []vision.Training) error {
	if _, err := s.all(ctx, vision.TuningRates(trainings)); err != nil || s.nothing() {
		return err
	}
	if s.elsewhere > 0 {
		fmt.Fprintln(s.out, "another process has not finished its rates; the same command tries the decays after that")
		return nil
	}
	outcomes, err := vision.ReadOutcomes(s.folder)
	if err != nil {
		return err
	}
	if _, err := s.all(ctx, vision.TuningDecays(trainings, vision.Tuned(outcomes))); err != nil {
		return err
	}
	return reportTuning(s.folder, s.out)
}

// reportTuning prints what was tried, with the best for each method, and writes it to tune.json.
func reportTuning(folder string, out io.Writer) error {
	outcomes, err := vision.ReadOutcomes(folder)
	if err != nil {
		return err
	}
	tried := vision.Tuned(outcomes)
	for _, t := range tried {
		mark := ""
		if t.Chosen {
			mark = "  <- chosen"
		}
		fmt.Fprintf(out, "%-14s learning rate %-8.4g weight decay %-8.3g %6.2f %%%s\n", t.Method, t.LearningRate,
			t.WeightDecay, t.Accuracy, mark)
	}
	content, err := json.MarshalIndent(tried, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteBytes(filepath.Join(folder, "tune.json"), append(content, '\n'))
}

// drawTraining writes the figures of all finished runs in the folder, as JSON and SVG, and prints the verdicts on their
// claims.
func drawTraining(folder string, out io.Writer) error {
	outcomes, err := vision.ReadOutcomes(folder)
	if err != nil {
		return err
	}
	said := map[string]bool{} // figures share claims
	whole := training.Whole(outcomes)
	var draws []func() (result.Figure, error)
	if slices.ContainsFunc(outcomes, func(o vision.Outcome) bool { return o.Settings.Imbalance.Kind != "" }) {
		draws = append(draws, func() (result.Figure, error) { return training.Imbalance(2)(outcomes) },
			func() (result.Figure, error) { return training.Imbalance(4)(outcomes) })
	}
	for _, draw := range []func([]vision.Outcome) (result.Figure, error){training.Figure2, training.Figure12,
		training.Figure14, training.BlowUp, training.NeuralCollapse} {
		draws = append(draws, func() (result.Figure, error) { return draw(whole) })
	}
	for _, draw := range draws {
		figure, err := draw()
		if errors.Is(err, training.ErrNoRuns) {
			continue
		}
		if err != nil {
			return err
		}
		if err := writeFigure(folder, figure); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: see %s\n", figure.Title, filepath.Join(folder, figure.ID+".svg"))
		for _, c := range figure.Claims {
			if said[c.Claim] {
				continue
			}
			said[c.Claim] = true
			spread := ""
			if t := float64(c.Tolerance); !math.IsNaN(t) { // one seed has none
				spread = fmt.Sprintf(" ± %.3g", t)
			}
			fmt.Fprintf(out, "  %-9s  %s: %.3g%s\n", c.Verdict, c.Claim, float64(c.Measured), spread)
		}
	}
	return nil
}

// trainOne trains one run and shows its progress. It prints a line for each record. On a terminal it also updates a
// line with the current step; otherwise it prints such a line once a minute. number is the place of the run among all
// runs.
func trainOne(ctx context.Context, t vision.Training, number string, backend compute.Backend, data *datasets.Dataset,
	out, terminal io.Writer) error {
	live := isTerminal(terminal)
	before, after, pause := "", "\n", time.Minute
	if live { // cut off at its right edge: the next line could not clear one that goes on below
		before, after, pause = "\r\033[K\033[?7l", "\033[?7h", 100*time.Millisecond
	}
	var shown time.Time
	show := func(line string) {
		shown = time.Now()
		fmt.Fprint(terminal, before, number, " ", t.Name(), line, after)
	}
	clear := func() {
		if live {
			fmt.Fprint(terminal, "\r\033[K")
		}
	}
	show(": building the network")
	t.Report = func(p vision.Progress) {
		pace := ""
		if p.ImagesPerSecond > 0 { // it is not known at the first step
			pace = fmt.Sprintf(", %.0f images/s, %v left", p.ImagesPerSecond, p.Left.Round(time.Second))
		}
		if r := p.Record; r != nil {
			clear()
			fmt.Fprintf(out,
				"%s, epoch %.3g of %d: train loss %.4g, validation accuracy %.2f %%, ‖H‖² %.4g, within-class %.3g, "+
					"‖w‖ %.3g to %.3g; run %s%s\n",
				t.Name(), r.Epoch, p.Epochs, r.TrainLoss, 100*r.ValidationAccuracy, r.FeatureNorm2,
				float64(r.WithinClass), r.PrototypeMin, r.PrototypeMax, number, pace)
			if !live { // the record shows enough for now
				shown = time.Now()
			}
		}
		if time.Since(shown) > pause {
			show(fmt.Sprintf(" %s epoch %d of %d%s, step %d of %d: loss %.4g, ‖H‖ %.4g", bar(p.Step, p.Steps), p.Epoch,
				p.Epochs, pace, p.Step, p.Steps, p.Loss, p.FeatureNorm))
		}
	}
	_, err := t.Run(ctx, backend, data)
	clear()
	return err
}

// bar is a progress bar of 20 characters.
func bar(done, all int64) string {
	full := int(20 * done / all)
	return strings.Repeat("█", full) + strings.Repeat("░", 20-full)
}
