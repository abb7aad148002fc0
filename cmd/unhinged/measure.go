package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/metrics"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/ood"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func measureCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "measure",
		Short: "Measure collapse, calibration and out-of-distribution scores of .npy files",
		Long: `Measure what features, logits and scores from any framework say of a classifier: NumPy's .npy files of
float32 or float64, with labels of integers 0 … C−1. Values that are not defined are "–", and null in JSON.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(measureCollapse(), measureCalibration(), measureOOD())
	return c
}

// measured is a value by the name that it has in JSON, with what it is for the table.
type measured struct {
	key     string
	value   float64
	meaning string
}

// report prints the values as a table, and writes them as one JSON object to a file unless its name is empty.
func report(out io.Writer, file string, values []measured) error {
	object := map[string]result.Number{}
	for _, v := range values {
		object[v.key] = result.Number(v.value)
	}
	if file != "" {
		content, err := json.MarshalIndent(object, "", "  ")
		if err != nil {
			return err
		}
		if err := files.WriteBytes(filepath.Clean(file), append(content, '\n')); err != nil {
			return err
		}
	}
	for _, v := range values {
		number, err := json.Marshal(object[v.key])
		if err != nil {
			return err
		}
		text := "–"
		if string(number) != "null" {
			text = fmt.Sprintf("%.6g", v.value)
		}
		fmt.Fprintf(out, "%-20s %12s   %s\n", v.key, text, v.meaning)
	}
	return nil
}

// jsonFlag adds --json, and requires the flags with these names.
func jsonFlag(c *cobra.Command, file *string, required ...string) *cobra.Command {
	c.Flags().StringVar(file, "json", "", "also write the values to this file")
	for _, name := range required {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return c
}

func measureCalibration() *cobra.Command {
	var logits, labels, file string
	var binning calibration.Binning
	c := &cobra.Command{
		Use:     "calibration",
		Short:   "Measure whether a classifier's confidence is its accuracy",
		Example: "  unhinged measure calibration --logits Z.npy --labels y.npy --json calibration.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			z, err := npy.ReadMatrix(logits)
			if err != nil {
				return err
			}
			y, err := npy.ReadIntegers(labels)
			if err != nil {
				return err
			}
			p, err := calibration.New(z, y)
			if err != nil {
				return fmt.Errorf("%s and %s: %w", logits, labels, err)
			}
			bins, err := binning.Of(p.Confidences())
			if err != nil {
				return err
			}
			classwise, err := p.ClasswiseECE(binning)
			if err != nil {
				return err
			}
			return report(c.OutOrStdout(), file, []measured{
				{"accuracy", p.Accuracy(), "share of samples whose class has the largest logit"},
				{"ece", calibration.ECE(bins), fmt.Sprintf("expected calibration error, %d bins", len(bins))},
				{"mce", calibration.MCE(bins), "largest gap of a bin"},
				{"rmsce", calibration.RMSCE(bins), "root mean square of the gaps"},
				{"ece_classwise", classwise, "mean over classes of the ECE of each one's probability"},
				{"nll", p.NLL(), "mean of −ln(probability of the sample's class)"},
				{"brier", p.Brier(), "mean of Σ_c (probability − [class is c])², 0 to 2"},
			})
		},
	}
	f := c.Flags()
	f.StringVar(&logits, "logits", "", "logits [n, C], .npy")
	f.StringVar(&labels, "labels", "", "classes [n], .npy")
	f.IntVar(&binning.Bins, "bins", 15, "number of bins")
	f.BoolVar(&binning.EqualMass, "equal-mass", false, "bins of equal numbers of samples, in place of equal width")
	return jsonFlag(c, &file, "logits", "labels")
}

// oodScores are the scores that measure ood makes of a matrix, a row each.
var oodScores = map[string]func(*mat.Dense) []float64{
	"msp":      ood.MSP,
	"energy":   func(z *mat.Dense) []float64 { return ood.Energy(z, 1) },
	"maxlogit": ood.MaxLogit,
	"norm":     ood.Norm,
}

func measureOOD() *cobra.Command {
	var in, out, score, file string
	c := &cobra.Command{
		Use:   "ood",
		Short: "Measure how well scores tell samples of the training distribution from others",
		Long: `Measure how well scores tell samples of the training distribution from others. A higher score means
in-distribution. The files hold scores [n] or, with --score, [n, C] logits (msp, energy, maxlogit) or features (norm).`,
		Example: "  unhinged measure ood --in scores-test.npy --ood scores-svhn.npy\n" +
			"  unhinged measure ood --in logits-test.npy --ood logits-svhn.npy --score energy",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			read := npy.ReadVector
			if score != "" {
				of, known := oodScores[score]
				if !known {
					return fmt.Errorf("--score %s: there are msp, energy, maxlogit and norm", score)
				}
				read = func(path string) ([]float64, error) {
					m, err := npy.ReadMatrix(path)
					if err != nil {
						return nil, err
					}
					if m.IsEmpty() {
						return nil, fmt.Errorf("%s is empty", path)
					}
					return of(m), nil
				}
			}
			inside, err := read(in)
			if err != nil {
				return err
			}
			outside, err := read(out)
			if err != nil {
				return err
			}
			compared, err := ood.Compare(inside, outside)
			if err != nil {
				return err
			}
			return reportOOD(c.OutOrStdout(), file, compared)
		},
	}
	f := c.Flags()
	f.StringVar(&in, "in", "", "in-distribution samples, .npy")
	f.StringVar(&out, "ood", "", "out-of-distribution samples, .npy")
	f.StringVar(&score, "score", "",
		"msp, energy, maxlogit or norm: the files hold logits or features (default: scores)")
	return jsonFlag(c, &file, "in", "ood")
}

func reportOOD(out io.Writer, file string, c *ood.Comparison) error {
	inAverage, inTrapezoid := c.AUPR(ood.In)
	outAverage, _ := c.AUPR(ood.Out)
	inRate, err := c.FPR(0.95, ood.In)
	if err != nil {
		return err
	}
	outRate, err := c.FPR(0.95, ood.Out)
	if err != nil {
		return err
	}
	return report(out, file, []measured{
		{"auroc", c.AUROC(), "an in-distribution sample scores higher; ties count one half"},
		{"aupr_in", inAverage, "average precision, in-distribution positive (the paper's)"},
		{"aupr_in_trapezoid", inTrapezoid, "the same by trapezoids"},
		{"aupr_out", outAverage, "average precision, out-of-distribution positive"},
		{"fpr95_in_positive", inRate, "false positives at 95 % true ones, in-distribution positive (the paper's)"},
		{"fpr95_out_positive", outRate, "the same, out-of-distribution positive"},
		{"base_rate", c.BaseRate(), "share of in-distribution samples: aupr_in of random scores"},
	})
}

func measureCollapse() *cobra.Command {
	var features, labels, prototypes, file string
	c := &cobra.Command{
		Use:     "collapse",
		Short:   "Measure neural collapse of features and prototypes, NC1 to NC4",
		Example: "  unhinged measure collapse --features H.npy --labels y.npy --prototypes W.npy",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := npy.ReadMatrix(features)
			if err != nil {
				return err
			}
			y, err := npy.ReadIntegers(labels)
			if err != nil {
				return err
			}
			var w *mat.Dense
			if prototypes != "" {
				if w, err = npy.ReadMatrix(prototypes); err != nil {
					return err
				}
			}
			values, err := collapse(h, y, w)
			if err != nil {
				return err
			}
			return report(c.OutOrStdout(), file, values)
		},
	}
	f := c.Flags()
	f.StringVar(&features, "features", "", "features [n, p], .npy")
	f.StringVar(&labels, "labels", "", "classes [n], .npy")
	f.StringVar(&prototypes, "prototypes", "", "prototypes [C, p], .npy: NC3, NC4 and the accuracy need them")
	return jsonFlag(c, &file, "features", "labels")
}

// collapse measures NC1 to NC4, every class counting alike; w may be nil.
func collapse(h *mat.Dense, y []int, w *mat.Dense) ([]measured, error) {
	if h.IsEmpty() || len(y) == 0 {
		return nil, fmt.Errorf("there are no features or no labels")
	}
	n, p := h.Dims()
	classes := slices.Max(y) + 1
	if w != nil {
		rows, columns := w.Dims()
		if columns != p {
			return nil, fmt.Errorf("prototypes have dimension %d and features %d: want the same", columns, p)
		}
		classes = rows
	}
	sizes := make([]int, max(classes, 1))
	for i, c := range y {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("the label of sample %d is %d: want 0 … %d", i, c, classes-1)
		}
		sizes[c]++
	}
	moments, err := metrics.New(metrics.Config{
		Classes: classes, Dimension: p, Within: metrics.ClassBalanced, Between: metrics.ClassBalanced, Sizes: sizes,
	})
	if err != nil {
		return nil, err
	}
	flat := mat.DenseCopyOf(h).RawMatrix().Data
	if err := metrics.Add(moments, flat, y); err != nil {
		return nil, err
	}
	nc1, err := moments.NC1()
	if err != nil {
		return nil, err
	}
	nc2 := moments.NC2()
	values := []measured{
		{"nc1_trace", nc1.Trace, "tr(Σ_W Σ_B⁺)/C: 0 when features have collapsed to their class means"},
		{"nc1_quotient", nc1.Quotient, "tr Σ_W / tr Σ_B"},
		{"cdnv", nc1.CDNV, "class-distance normalised variance"},
		{"nc2_norm_spread", nc2.NormSpread, "class means: standard deviation of the norms over their mean"},
		{"nc2_angle_spread", nc2.AngleSpread, "class means: standard deviation of the cosines"},
		{"nc2_angle_distance", nc2.AngleDistance, "class means: mean |cosine + 1/(C−1)|"},
		{"nc2_etf_distance", nc2.ETFDistance, "class means: distance of their Gram matrix from a simplex ETF's"},
	}
	if w == nil {
		return values, nil
	}
	nc3, err := moments.NC3(w)
	if err != nil {
		return nil, err
	}
	rule, err := moments.NearestCentre()
	if err != nil {
		return nil, err
	}
	var logits mat.Dense
	logits.Mul(h, w.T())
	predictions, right := make([]int, n), 0
	for i := range predictions {
		predictions[i] = floats.MaxIdx(logits.RawRowView(i))
		if predictions[i] == y[i] {
			right++
		}
	}
	if err := metrics.AddDecisions(rule, flat, y, predictions); err != nil {
		return nil, err
	}
	return append(values,
		measured{"nc3_distance", nc3.Distance, "‖W/‖W‖ − M/‖M‖‖: 0 when prototypes are the centred class means"},
		measured{"nc3_mean_cosine", nc3.MeanCosine, "mean cosine of a prototype and its class mean"},
		measured{"nc4", rule.Agreement(metrics.SampleWeighted),
			"share of samples that the nearest class mean decides alike"},
		measured{"accuracy", float64(right) / float64(n),
			"share of samples whose class has the largest logit, no bias"},
	), nil
}
