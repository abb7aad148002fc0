package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/metrics"
	"github.com/unhinged-lab/lab/unhinged/npy"
)

func measureCollapse() *cobra.Command {
	var features, labels, prototypes string
	var to outputFiles
	c := &cobra.Command{
		Use:   "collapse",
		Short: "Measure neural collapse of features and prototypes, NC1 to NC4",
		Long: `Measure neural collapse of features and prototypes, NC1 to NC4. Every class has the same weight.

The keys of --json are nc1_trace, nc1_quotient, cdnv, nc2_norm_spread, nc2_angle_spread, nc2_angle_distance and
nc2_etf_distance, and with --prototypes also nc3_distance, nc3_mean_cosine, nc4 and accuracy. --plot draws the cosines
between the centred class means; in a simplex ETF all of them are −1/(C−1).`,
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
			values, moments, err := collapse(h, y, w)
			if err != nil {
				return err
			}
			return to.report(c.OutOrStdout(), values, func() ([]byte, error) { return meansPicture(moments) })
		},
	}
	f := c.Flags()
	f.StringVar(&features, "features", "", "features [n, p], .npy")
	f.StringVar(&labels, "labels", "", "classes [n], .npy")
	f.StringVar(&prototypes, "prototypes", "", "prototypes [C, p], .npy: NC3, NC4 and the accuracy need them")
	return to.flags(c, "features", "labels")
}

// momentsOf returns the moments of the features h, in which every class has the same weight. h is as it was read from a
// file, without gaps between its rows. w may be nil.
func momentsOf(h *mat.Dense, y []int, w *mat.Dense) (*metrics.Moments, error) {
	if h.IsEmpty() || len(y) == 0 {
		return nil, fmt.Errorf("there are no features or no labels")
	}
	_, p := h.Dims()
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
	return moments, metrics.Add(moments, h.RawMatrix().Data, y)
}

// collapse measures NC1 and NC2 and, if w is not nil, NC3 and NC4.
func collapse(h *mat.Dense, y []int, w *mat.Dense) ([]measured, *metrics.Moments, error) {
	moments, err := momentsOf(h, y, w)
	if err != nil {
		return nil, nil, err
	}
	nc1, err := moments.NC1()
	if err != nil {
		return nil, nil, err
	}
	nc2 := moments.NC2()
	values := []measured{
		{"nc1_trace", nc1.Trace, "tr(Σ_W Σ_B⁺)/C: 0 when features have collapsed to their class means", nil},
		{"nc1_quotient", nc1.Quotient, "tr Σ_W / tr Σ_B", nil},
		{"cdnv", nc1.CDNV, "class-distance normalised variance", nil},
		{"nc2_norm_spread", nc2.NormSpread, "class means: standard deviation of the norms over their mean", nil},
		{"nc2_angle_spread", nc2.AngleSpread, "class means: standard deviation of the cosines", nil},
		{"nc2_angle_distance", nc2.AngleDistance, "class means: mean |cosine + 1/(C−1)|", nil},
		{"nc2_etf_distance", nc2.ETFDistance, "class means: distance of their Gram matrix from a simplex ETF's", nil},
	}
	if w == nil {
		return values, moments, nil
	}
	more, err := prototypeValues(moments, h, y, w)
	return append(values, more...), moments, err
}

// prototypeValues measures NC3, NC4 and the accuracy of the prototypes.
func prototypeValues(moments *metrics.Moments, h *mat.Dense, y []int, w *mat.Dense) ([]measured, error) {
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
	predictions, right := make([]int, len(y)), 0
	for i := range predictions {
		predictions[i] = floats.MaxIdx(logits.RawRowView(i))
		if predictions[i] == y[i] {
			right++
		}
	}
	if err := metrics.AddDecisions(rule, h.RawMatrix().Data, y, predictions); err != nil {
		return nil, err
	}
	return []measured{
		{"nc3_distance", nc3.Distance, "‖W/‖W‖ − M/‖M‖‖: 0 when prototypes are the centred class means", nil},
		{"nc3_mean_cosine", nc3.MeanCosine, "mean cosine of a prototype and its class mean", nil},
		{"nc4", rule.Agreement(metrics.SampleWeighted), "share of samples that the nearest class mean decides alike",
			nil},
		{"accuracy", float64(right) / float64(len(y)), "share of samples whose class has the largest logit, no bias",
			nil},
	}, nil
}

// meansPicture draws the cosines between the class means, centred at their mean.
func meansPicture(moments *metrics.Moments) ([]byte, error) {
	var present []int
	for c, count := range moments.Counts() {
		if count > 0 {
			present = append(present, c)
		}
	}
	means := moments.Means()
	_, p := means.Dims()
	centre := make([]float64, p)
	for _, c := range present {
		floats.AddScaled(centre, 1/float64(len(present)), means.RawRowView(c))
	}
	unit := mat.NewDense(len(present), p, nil)
	for i, c := range present {
		row := floats.SubTo(unit.RawRowView(i), means.RawRowView(c), centre)
		if norm := floats.Norm(row, 2); norm > 0 {
			floats.Scale(1/norm, row)
		}
	}
	var cosines mat.Dense
	cosines.Mul(unit, unit.T())
	return plots.HeatMap("Cosines between the centred class means", "class", "class", "cosine", &cosines, 1)
}
