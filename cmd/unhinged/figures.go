package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/paper"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func figuresCommand() *cobra.Command {
	var o paper.Options
	var out, features, labels, prototypes, biases string
	cmd := &cobra.Command{
		Use:   "figures [" + strings.Join(paper.IDs(), " ") + "]",
		Short: "Reproduce the paper's numerical figures, each sentence about them judged (all of them without arguments)",
		Long: "For each figure writes ID.json (settings, curves, claims, provenance) and ID.svg, and one index.html that shows all of them, offline.\n" +
			"Without flags the settings are the paper's. Figures 5 to 8 are run with both readings of γ (erratum E24).\n\n" +
			"By name there are two more, on networks: theorem8 (networks of growing width beside the closed form) and drift (whether their tangent\n" +
			"kernels stay what they were, on Fashion-MNIST). They take --widths, --networks, --seed, and theorem8 also --gamma and --eta.",
		Example: "  unhinged figures\n  unhinged figures fig1 --C 20 --gamma 0.01,0.05,0.2\n" +
			"  unhinged figures fig7 --features H.npy --labels y.npy --prototypes W.npy\n" +
			"  unhinged figures theorem8 --widths 64,128,256,512,1024,2048,4096,8192 --networks 10",
		RunE: func(cmd *cobra.Command, ids []string) error {
			for _, name := range []string{"p", "C", "N", "steps", "networks"} {
				if f := cmd.Flags().Lookup(name); f.Changed && (f.Value.String() == "0" || strings.HasPrefix(f.Value.String(), "-")) {
					return fmt.Errorf("--%s %s: must be positive", name, f.Value)
				}
			}
			given := 0
			for _, path := range []string{features, labels, prototypes} {
				if path != "" {
					given++
				}
			}
			switch {
			case given == 3:
				for _, name := range []string{"p", "C", "N", "seed"} {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--%s has no meaning beside --features: the sizes are those of the files", name)
					}
				}
				state, err := dynamics.FromFiles(features, labels, prototypes, biases)
				if err != nil {
					return err
				}
				o.State = state
			case given > 0 || biases != "":
				return fmt.Errorf("--features, --labels and --prototypes go together (--biases may be left out)")
			}
			if len(ids) == 0 {
				ids = paper.IDs()
			}
			isFigure := func(id string) bool { return slices.Contains(paper.IDs(), id) }
			isStudy := func(id string) bool { return !isFigure(id) }
			for _, flags := range []struct {
				names string
				used  func(id string) bool
			}{{"p C N steps features", isFigure}, {"widths networks", isStudy}} {
				for _, name := range strings.Fields(flags.names) {
					if cmd.Flags().Changed(name) && !slices.ContainsFunc(ids, flags.used) {
						return fmt.Errorf("--%s has no meaning for %s", name, strings.Join(ids, ", "))
					}
				}
			}
			o.Command = command()
			return writeFigures(cmd.ErrOrStderr(), out, ids, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.P, "p", 512, "feature dimension")
	f.IntVar(&o.C, "C", 100, "number of classes")
	f.IntVar(&o.N, "N", 10, "samples per class")
	f.IntVar(&o.Steps, "steps", 50_000, "gradient-descent steps")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the initial state")
	f.Float64SliceVar(&o.Gammas, "gamma", nil, "weight γ of the non-target logits, 0 included (left out: the paper's values); several for fig1 and fig5")
	f.Float64SliceVar(&o.Lambdas, "lambda", nil, "ℓ2 regularisation λ: fig4, fig7, fig15")
	f.Float64SliceVar(&o.Etas, "eta", nil, "learning rate; several for fig6 and fig9")
	f.Float64SliceVar(&o.Ratios, "s", nil, "ratios s = η1/η2: fig8")
	f.IntSliceVar(&o.Widths, "widths", nil, "widths of the networks: theorem8, drift")
	f.IntVar(&o.Networks, "networks", 0, "networks of the widest: theorem8, drift (default 5)")
	f.StringVar(&features, "features", "", "your own features, .npy [samples, p]")
	f.StringVar(&labels, "labels", "", "their labels, .npy integers from 0 [samples]")
	f.StringVar(&prototypes, "prototypes", "", "the last layer's weights, .npy [C, p]")
	f.StringVar(&biases, "biases", "", "the last layer's biases, .npy [C]")
	f.StringVar(&out, "out", "figures", "folder to write to")
	return cmd
}

// writeFigures runs the figures one after the other; what is finished is on disk whatever happens later.
func writeFigures(progress io.Writer, out string, ids []string, o paper.Options) error {
	var figures []result.Figure
	for _, id := range ids { // unknown names are refused before the first one runs
		if _, err := paper.Lookup(id); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, id := range ids {
		experiment, err := paper.Lookup(id)
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "%-6s", id)
		o.Progress = func() { fmt.Fprint(progress, ".") }
		figure, err := experiment.Run(o)
		if err != nil {
			fmt.Fprintln(progress)
			return err
		}
		data, err := json.Marshal(figure)
		if err != nil {
			return err
		}
		svg, err := plots.SVG(*figure)
		if err != nil {
			return err
		}
		if err := files.WriteBytes(filepath.Join(out, id+".json"), data); err != nil {
			return err
		}
		if err := files.WriteBytes(filepath.Join(out, id+".svg"), svg); err != nil {
			return err
		}
		figures = append(figures, *figure)
		fmt.Fprintf(progress, " %.2f s; %s\n", figure.Provenance.Duration, result.Tally(figure.Claims))
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
