package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/internal/bootstrap"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/ood"
)

// oodScores are the scores that need no training features. Each row of the matrix has one score.
var oodScores = map[string]ood.Score{
	"msp":      ood.MSP,
	"energy":   func(z *mat.Dense) []float64 { return ood.Energy(z, 1) },
	"maxlogit": ood.MaxLogit,
	"norm":     ood.Norm,
}

// fittedScores are the scores that are fitted to training features.
var fittedScores = map[string]func(f *oodFit) (ood.Score, error){
	"mahalanobis": func(f *oodFit) (ood.Score, error) { return ood.Mahalanobis(f.features, f.classOf, f.classes) },
	"knn":         func(f *oodFit) (ood.Score, error) { return ood.KNN(f.features, ood.Neighbours(len(f.classOf))) },
	"neco":        func(f *oodFit) (ood.Score, error) { return ood.NECO(f.features, f.classes) },
	"vim":         (*oodFit).vim,
}

// oodFit has the training features that scores are fitted to.
type oodFit struct {
	train, labels, prototypes, biases string // files

	features *mat.Dense
	classOf  []int
	classes  int
}

// oodHelp is the help of `unhinged measure ood`.
const oodHelp = `Measure how well a score separates samples of the training distribution from other samples. A higher
score means in-distribution. The files contain scores [n] or, with --score, the data from which the command computes
the scores:

  msp, energy, maxlogit    logits [n, C]: largest softmax probability, ln Σ exp, largest logit
  norm                     features [n, p]: their Euclidean norm
  mahalanobis              features, with --train and --labels: distance to the nearest class mean, by the within-class
                           covariance
  knn                      the same inputs: distance to the ⌈m/1000⌉-th nearest of m training features, after all
                           features are scaled to unit length
  neco                     the same inputs: share of the norm in the first C principal directions
  vim                      the same inputs, --prototypes and --biases: energy minus the virtual logit, which is the part
                           of the features outside of the first C principal directions

The keys of --json are auroc, aupr_in, aupr_in_trapezoid, aupr_out, fpr95_in_positive, fpr95_out_positive and
base_rate (the share of in-distribution samples). AUPR is the average precision. "in" and "out" name the positive
class; the paper's tables use "in". All values except aupr_in_trapezoid and base_rate have intervals. --plot draws
histograms of the scores and the ROC curve.`

func measureOOD() *cobra.Command {
	var in, out, score string
	var fit oodFit
	var resamples int
	var to outputFiles
	c := &cobra.Command{
		Use:   "ood",
		Short: "Measure how well a score separates samples of the training distribution from others",
		Long:  oodHelp,
		Example: "  unhinged measure ood --in scores-test.npy --ood scores-svhn.npy\n" +
			"  unhinged measure ood --in logits-test.npy --ood logits-svhn.npy --score energy --plot energy.svg\n" +
			"  unhinged measure ood --in H-test.npy --ood H-svhn.npy --score vim --train H.npy --labels y.npy " +
			"--prototypes W.npy --biases b.npy",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			compared, err := fit.compare(score, in, out)
			if err != nil {
				return err
			}
			values, err := oodValues(compared, resamples)
			if err != nil {
				return err
			}
			return to.report(c.OutOrStdout(), values, func() ([]byte, error) {
				name := score
				if name == "" {
					name = "score"
				}
				figure, err := compared.Diagram(in+" and "+out, name)
				if err != nil {
					return nil, err
				}
				return plots.SVG(figure)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&in, "in", "", "in-distribution samples, .npy")
	f.StringVar(&out, "ood", "", "out-of-distribution samples, .npy")
	f.StringVar(&score, "score", "", "what the files hold logits or features for: "+scoreNames()+
		" (default: they hold scores)")
	f.StringVar(&fit.train, "train", "", "features [m, p] of training samples, .npy")
	f.StringVar(&fit.labels, "labels", "", "their classes [m], .npy")
	f.StringVar(&fit.prototypes, "prototypes", "", "prototypes [C, p], .npy: vim")
	f.StringVar(&fit.biases, "biases", "", "biases [C], .npy: vim (default: 0)")
	resamplesFlag(c, &resamples)
	return to.flags(c, "in", "ood")
}

// compare compares the scores of the samples in two files.
func (f *oodFit) compare(score, in, out string) (*ood.Comparison, error) {
	read, err := f.reader(score)
	if err != nil {
		return nil, err
	}
	inside, err := read(in)
	if err != nil {
		return nil, err
	}
	outside, err := read(out)
	if err != nil {
		return nil, err
	}
	return ood.Compare(inside, outside)
}

func scoreNames() string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(oodScores)), maps.Keys(fittedScores))
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// reader returns a function that reads a file and scores its rows.
func (f *oodFit) reader(score string) (func(path string) ([]float64, error), error) {
	of, plain := oodScores[score]
	fitted, needsTrain := fittedScores[score]
	switch {
	case score != "" && !plain && !needsTrain:
		return nil, fmt.Errorf("--score %s: there are %s", score, scoreNames())
	case needsTrain && (f.train == "" || f.labels == ""):
		return nil, fmt.Errorf("--score %s is fitted to training features: --train F.npy --labels y.npy", score)
	case !needsTrain && (f.train != "" || f.labels != ""):
		return nil, fmt.Errorf("--train and --labels have no meaning for %s", named(score))
	case score == "vim" && f.prototypes == "":
		return nil, fmt.Errorf("--score vim makes logits of the features: --prototypes W.npy [--biases b.npy]")
	case score != "vim" && (f.prototypes != "" || f.biases != ""):
		return nil, fmt.Errorf("--prototypes and --biases have no meaning for %s", named(score))
	case score == "":
		return npy.ReadVector, nil
	}
	if needsTrain {
		if err := f.read(); err != nil {
			return nil, err
		}
		var err error
		if of, err = fitted(f); err != nil {
			return nil, fmt.Errorf("%s and %s: %w", f.train, f.labels, err)
		}
	}
	return func(path string) ([]float64, error) {
		m, err := readRows(path)
		if err != nil {
			return nil, err
		}
		if _, p := m.Dims(); needsTrain && p != f.features.RawMatrix().Cols {
			return nil, fmt.Errorf("%s: the features have dimension %d and the training features %d: want the same",
				path, p, f.features.RawMatrix().Cols)
		}
		return of(m), nil
	}, nil
}

func named(score string) string {
	if score == "" {
		return "scores"
	}
	return "--score " + score
}

// readRows reads a matrix that is not empty.
func readRows(path string) (*mat.Dense, error) {
	m, err := npy.ReadMatrix(path)
	if err == nil && m.IsEmpty() {
		err = fmt.Errorf("%s is empty", path)
	}
	return m, err
}

// read reads the training features and their classes.
func (f *oodFit) read() (err error) {
	if f.features, err = readRows(f.train); err != nil {
		return err
	}
	if f.classOf, err = npy.ReadIntegers(f.labels); err != nil {
		return err
	}
	if rows, _ := f.features.Dims(); len(f.classOf) != rows {
		return fmt.Errorf("%s has %d labels and %s %d rows: want as many", f.labels, len(f.classOf), f.train, rows)
	}
	f.classes = slices.Max(f.classOf) + 1
	return nil
}

// vim fits the score to the training features and their logits, prototypes times features + biases.
func (f *oodFit) vim() (ood.Score, error) {
	w, err := readRows(f.prototypes)
	if err != nil {
		return nil, err
	}
	classes, p := w.Dims()
	if _, of := f.features.Dims(); of != p {
		return nil, fmt.Errorf("the prototypes have dimension %d and the features %d: want the same", p, of)
	}
	biases := make([]float64, classes)
	if f.biases != "" {
		if biases, err = npy.ReadVector(f.biases); err != nil {
			return nil, err
		}
	}
	origin, err := ood.LogitOrigin(w, biases)
	if err != nil {
		return nil, err
	}
	logits := func(features *mat.Dense) *mat.Dense {
		var z mat.Dense
		z.Mul(features, w.T())
		z.Apply(func(_, c int, v float64) float64 { return v + biases[c] }, &z)
		return &z
	}
	vim, err := ood.NewViM(f.features, logits(f.features), origin, classes)
	if err != nil {
		return nil, err
	}
	return func(features *mat.Dense) []float64 { return vim.Score(features, logits(features)) }, nil
}

// oodValues returns the measures, with intervals unless resamples is 0.
func oodValues(c *ood.Comparison, resamples int) ([]measured, error) {
	m := c.Measures()
	values := []measured{
		{"auroc", m.AUROC, "an in-distribution sample scores higher; ties count one half", nil},
		{"aupr_in", m.AUPRIn, "average precision, in-distribution positive (the paper's)", nil},
		{"aupr_in_trapezoid", m.AUPRInTrapezoid, "the same by trapezoids", nil},
		{"aupr_out", m.AUPROut, "average precision, out-of-distribution positive", nil},
		{"fpr95_in_positive", m.FPR95InPositive,
			"false positives at 95 % true ones, in-distribution positive (the paper's)", nil},
		{"fpr95_out_positive", m.FPR95OutPositive, "the same, out-of-distribution positive", nil},
		{"base_rate", c.BaseRate(), "share of in-distribution samples: aupr_in of random scores", nil},
	}
	if resamples != 0 {
		i, err := c.Intervals(resamples, bootstrapSeed)
		if err != nil {
			return nil, err
		}
		withIntervals(values, map[string]bootstrap.Interval{"auroc": i.AUROC, "aupr_in": i.AUPRIn,
			"aupr_out": i.AUPROut, "fpr95_in_positive": i.FPR95InPositive, "fpr95_out_positive": i.FPR95OutPositive})
	}
	return values, nil
}
