package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/paper"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// figureOptions are the flags of `unhinged figures`.
type figureOptions struct {
	paper.Options
	features, labels, prototypes, biases string
	list, all                            bool
	out                                  string
}

func figuresCommand() *cobra.Command {
	var o figureOptions
	c := &cobra.Command{
		Use:   "figures [ID …]",
		Short: "Make the paper's figures, tables and studies, and judge each sentence about them",
		Long: `Make figures, tables and studies of the paper. The command writes ID.json (settings, curves, claims,
provenance) and ID.svg for each figure, ID.md for each table, and one index.html that shows all of them without a
network. Without an ID it makes every figure that needs only this program. With --all it also makes those that are
drawn from recorded runs, and the studies on networks. --list prints all items with what they need. With IDs it prints
for each of them the function that makes it, what it needs, and the verdicts on the paper's sentences about it.

Without flags the settings are those of the paper. Figures 5 to 8 are run for both readings of γ (erratum E24).`,
		Example: "  unhinged figures\n" +
			"  unhinged figures --list\n" +
			"  unhinged figures --list fig13\n" +
			"  unhinged figures fig1 --C 20 --gamma 0.01,0.05,0.2\n" +
			"  unhinged figures fig7 --features H.npy --labels y.npy --prototypes W.npy\n" +
			"  unhinged figures fig2 --runs training/cifar-10\n" +
			"  unhinged figures theorem8 --widths 64,128,256,512,1024,2048,4096,8192 --networks 10",
		RunE: func(c *cobra.Command, ids []string) error {
			if o.list {
				return listItems(c.OutOrStdout(), o.Runs, ids)
			}
			if err := o.read(c.Flags()); err != nil {
				return err
			}
			items, err := o.items(ids)
			if err != nil {
				return err
			}
			if err := meaningful(c.Flags(), items); err != nil {
				return err
			}
			o.Command = command()
			return writeFigures(c.ErrOrStderr(), o.out, items, o.Options)
		},
	}
	o.addTo(c.Flags())
	return c
}

// addTo adds the flags.
func (o *figureOptions) addTo(f *pflag.FlagSet) {
	f.IntVar(&o.P, "p", 0, "feature dimension (default 512)")
	f.IntVar(&o.C, "C", 0, "number of classes (default 100)")
	f.IntVar(&o.N, "N", 0, "samples per class (default 10)")
	f.IntVar(&o.Steps, "steps", 0, "gradient-descent steps (default 50000)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the initial state")
	f.Float64SliceVar(&o.Gammas, "gamma", nil,
		"weight γ of the non-target logits, 0 included (left out: the paper's values, or with --features "+
			"values around 2/(C−2)); several for fig1 and fig5")
	f.Float64SliceVar(&o.Lambdas, "lambda", nil, "ℓ2 regularisation λ: fig4, fig7, fig15")
	f.Float64SliceVar(&o.Etas, "eta", nil, "learning rate; several for fig6 and fig9")
	f.Float64SliceVar(&o.Ratios, "s", nil, "ratios s = η1/η2: fig8")
	f.IntSliceVar(&o.Widths, "widths", nil, "widths of the networks: theorem8, drift, lazy")
	f.IntVar(&o.Networks, "networks", 0, "number of networks of the largest width: theorem8, drift (default 5)")
	f.IntVar(&o.Images, "images", 0, "number of training images: lazy (default 1000)")
	f.StringVar(&o.features, "features", "", "your own features, .npy [samples, p]")
	f.StringVar(&o.labels, "labels", "", "their labels, .npy integers from 0 [samples]")
	f.StringVar(&o.prototypes, "prototypes", "", "the last layer's weights, .npy [C, p]")
	f.StringVar(&o.biases, "biases", "", "the last layer's biases, .npy [C]")
	f.StringVar(&o.Title, "title", "", "title of the figures of your features (default: the name of their file)")
	f.StringVar(&o.Runs, "runs", "",
		"folder of recorded runs, or a pattern of such folders (default: the checkout's results/training/*)")
	f.BoolVar(&o.list, "list", false, "list all figures, tables and studies, or describe those with the given IDs")
	f.BoolVar(&o.all, "all", false, "make all that can be made")
	f.StringVar(&o.out, "out", "figures", "folder to write to")
}

// read checks the flags and reads the user's own features.
func (o *figureOptions) read(flags *pflag.FlagSet) error {
	for _, name := range []string{"p", "C", "N", "steps", "networks", "images"} {
		if f := flags.Lookup(name); f.Changed && (f.Value.String() == "0" || strings.HasPrefix(f.Value.String(), "-")) {
			return fmt.Errorf("--%s %s: must be positive", name, f.Value)
		}
	}
	given := 0
	for _, path := range []string{o.features, o.labels, o.prototypes} {
		if path != "" {
			given++
		}
	}
	switch {
	case given == 0 && o.biases == "" && o.Title == "":
		return nil
	case given < 3:
		return fmt.Errorf("--features, --labels and --prototypes go together (--biases and --title may be left out)")
	}
	for _, name := range []string{"p", "C", "N", "seed"} {
		if flags.Changed(name) {
			return fmt.Errorf("--%s cannot be used with --features: the sizes are those of the files", name)
		}
	}
	o.Title = cmp.Or(o.Title, filepath.Base(o.features))
	var err error
	o.State, err = dynamics.FromFiles(o.features, o.labels, o.prototypes, o.biases)
	return err
}

// items returns the items with these ids. Without ids it returns those that need nothing, or with --all all that can be
// made.
func (o figureOptions) items(ids []string) ([]paper.Item, error) {
	var items []paper.Item
	for _, id := range ids { // an unknown id is an error before the first item runs
		item, err := paper.Lookup(id)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if len(ids) > 0 {
		return items, nil
	}
	for _, item := range paper.Items() {
		if o.all || item.Needs == paper.Nothing && item.Kind == paper.Figure {
			items = append(items, item)
		}
	}
	return items, nil
}

// meaningful returns an error if a flag is set that none of the items uses.
func meaningful(flags *pflag.FlagSet, items []paper.Item) error {
	numerical := func(i paper.Item) bool { return i.Kind == paper.Figure && i.Needs == paper.Nothing }
	study := func(i paper.Item) bool { return i.ID == "theorem8" || i.ID == "drift" }
	lazy := func(i paper.Item) bool { return i.ID == "lazy" }
	recorded := func(i paper.Item) bool { return i.Needs == paper.Runs }
	for _, group := range []struct {
		names string
		used  func(paper.Item) bool
	}{
		{"p C N steps features lambda s", numerical}, {"networks", study}, {"images", lazy}, {"runs", recorded},
		{"widths", func(i paper.Item) bool { return study(i) || lazy(i) }},
		{"gamma eta", func(i paper.Item) bool { return numerical(i) || study(i) }},
		{"seed", func(i paper.Item) bool { return numerical(i) || study(i) || lazy(i) }},
	} {
		for _, name := range strings.Fields(group.names) {
			if flags.Changed(name) && !slices.ContainsFunc(items, group.used) {
				var ids []string
				for _, i := range items {
					ids = append(ids, i.ID)
				}
				return fmt.Errorf("--%s is not used by %s", name, strings.Join(ids, ", "))
			}
		}
	}
	return nil
}

// writeFigures makes the items one after the other. Each one is written to disk when it is finished. If there are
// several items, one whose runs are missing is skipped with a message.
func writeFigures(progress io.Writer, out string, items []paper.Item, o paper.Options) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var figures []result.Figure
	for _, item := range items {
		o := o
		if item.Needs == paper.Runs {
			o = paper.Options{Runs: o.Runs, Command: o.Command}
		} else {
			o.Runs = ""
		}
		fmt.Fprintf(progress, "%-6s", item.ID)
		o.Progress = func(int, int) { fmt.Fprint(progress, ".") }
		began := time.Now()
		figure, err := item.Run(o)
		if errors.Is(err, training.ErrNoRuns) && len(items) > 1 {
			fmt.Fprintf(progress, "  skipped: %s\n", advice(err.Error()))
			continue
		}
		if err != nil {
			fmt.Fprintln(progress)
			return err
		}
		if err := writeFigure(out, *figure); err != nil {
			return err
		}
		figures = append(figures, *figure)
		fmt.Fprintf(progress, " %.2f s; %s\n", time.Since(began).Seconds(), result.Tally(figure.Claims))
		if needs, found := figure.Settings["needs"]; found {
			fmt.Fprintf(progress, "       needs: %s\n", advice(fmt.Sprint(needs)))
		}
		for _, c := range figure.Claims {
			if c.Verdict == result.Fails {
				fmt.Fprintf(progress, "       fails: %s\n", c.Claim)
			}
		}
	}
	page, err := plots.HTML(figures)
	if err != nil {
		return err
	}
	index := filepath.Join(out, "index.html")
	if err := files.WriteBytes(index, page); err != nil {
		return err
	}
	fmt.Fprintln(progress, "see", index)
	return nil
}

// writeFigure writes a figure as JSON and as a picture.
func writeFigure(folder string, figure result.Figure) error {
	data, err := json.Marshal(figure)
	if err != nil {
		return err
	}
	if err := files.WriteBytes(filepath.Join(folder, figure.ID+".json"), data); err != nil {
		return err
	}
	if figure.Table != nil {
		text := []byte(figure.Table.Markdown())
		if err := files.WriteBytes(filepath.Join(folder, figure.ID+".md"), text); err != nil {
			return err
		}
	}
	if len(figure.Panels) == 0 && figure.Table != nil {
		return nil // there is nothing to draw
	}
	picture, err := plots.SVG(figure)
	if err != nil {
		return err
	}
	return files.WriteBytes(filepath.Join(folder, figure.ID+".svg"), picture)
}
