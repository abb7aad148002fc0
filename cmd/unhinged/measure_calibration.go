package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/internal/bootstrap"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/calibration"
	"github.com/unhinged-lab/lab/unhinged/npy"
)

func measureCalibration() *cobra.Command {
	var logits, labels, heldOut, heldOutLabels string
	var binning calibration.Binning
	var resamples int
	var to outputFiles
	c := &cobra.Command{
		Use:   "calibration",
		Short: "Measure whether a classifier's confidence is its accuracy",
		Long: `Measure whether a classifier's confidence, which is the largest probability of its softmax, equals its
accuracy.

The keys of --json are accuracy, confidence, ece, ece_debiased, ece_adaptive, ece_classwise, mce, rmsce, nll, bins
(the number of bins), brier (the sum over the classes) and its parts brier_reliability, brier_resolution,
brier_uncertainty and brier_within (brier = reliability − resolution + uncertainty + within). With --held-out, the
command fits a temperature on the held-out samples. The keys are then also temperature, and ece_scaled, nll_scaled and
brier_scaled, which are for the logits divided by the temperature. accuracy, ece, ece_debiased, nll and brier have
intervals. The interval of ece contains the upward bias of the ECE twice. --plot draws the reliability diagram and the
histogram of the confidence.`,
		Example: "  unhinged measure calibration --logits Z.npy --labels y.npy --json calibration.json --plot " +
			"calibration.svg\n" +
			"  unhinged measure calibration --logits Z.npy --labels y.npy --held-out V.npy --held-out-labels v.npy",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := readPredictions(logits, labels)
			if err != nil {
				return err
			}
			bins, err := binning.Of(p.Confidences())
			if err != nil {
				return err
			}
			values, err := calibrationValues(p, binning, bins, resamples)
			if err != nil {
				return err
			}
			if heldOut != "" {
				scaled, err := scaledValues(p, binning, heldOut, heldOutLabels)
				if err != nil {
					return err
				}
				values = append(values, scaled...)
			}
			return to.report(c.OutOrStdout(), values, func() ([]byte, error) {
				return plots.SVG(calibration.Diagram("Calibration of "+logits, bins))
			})
		},
	}
	f := c.Flags()
	f.StringVar(&logits, "logits", "", "logits [n, C], .npy")
	f.StringVar(&labels, "labels", "", "classes [n], .npy")
	f.StringVar(&heldOut, "held-out", "", "logits [m, C] of other samples, which a temperature is fitted on, .npy")
	f.StringVar(&heldOutLabels, "held-out-labels", "", "their classes [m], .npy")
	f.IntVar(&binning.Bins, "bins", 15, "number of bins")
	f.BoolVar(&binning.EqualMass, "equal-mass", false, "bins of equal numbers of samples, in place of equal width")
	resamplesFlag(c, &resamples)
	c.MarkFlagsRequiredTogether("held-out", "held-out-labels")
	return to.flags(c, "logits", "labels")
}

// readPredictions reads logits and labels.
func readPredictions(logits, labels string) (*calibration.Predictions, error) {
	z, err := npy.ReadMatrix(logits)
	if err != nil {
		return nil, err
	}
	y, err := npy.ReadIntegers(labels)
	if err != nil {
		return nil, err
	}
	p, err := calibration.New(z, y)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", logits, labels, err)
	}
	return p, nil
}

// calibrationValues returns the measures, with intervals unless resamples is 0.
func calibrationValues(p *calibration.Predictions, binning calibration.Binning, bins []calibration.Bin,
	resamples int) ([]measured, error) {
	classwise, err := p.ClasswiseECE(binning)
	if err != nil {
		return nil, err
	}
	parts, err := p.BrierParts(binning)
	if err != nil {
		return nil, err
	}
	values := []measured{
		{"accuracy", p.Accuracy(), "share of samples whose class has the largest logit", nil},
		{"confidence", calibration.MeanConfidence(bins), "mean confidence; over-confident if it is above the accuracy",
			nil},
		{"ece", calibration.ECE(bins), "expected calibration error", nil},
		{"ece_debiased", calibration.DebiasedECE(bins), "the same less its estimated bias (Kumar et al. 2019)", nil},
		{"ece_classwise", classwise, "mean over classes of the ECE of each one's probability", nil},
		{"mce", calibration.MCE(bins), "largest gap of a bin", nil},
		{"rmsce", calibration.RMSCE(bins), "root mean square of the gaps", nil},
		{"nll", p.NLL(), "mean of −ln(probability of the sample's class)", nil},
		{"brier", p.Brier(), "mean of Σ_c (probability − [class is c])², 0 to 2", nil},
		{"brier_reliability", parts.Reliability, "its part that calibration would remove", nil},
		{"brier_resolution", parts.Resolution, "how far the bins' shares of classes differ; it is subtracted", nil},
		{"brier_uncertainty", parts.Uncertainty, "of predicting the shares of the classes", nil},
		{"brier_within", parts.Within, "from probabilities that differ in a bin", nil},
		{"bins", float64(len(bins)), "number of bins", nil},
	}
	adaptive, err := calibration.Binning{Bins: len(bins), EqualMass: true}.Of(p.Confidences())
	if err == nil { // there are as many samples as bins
		values = append(values, measured{"ece_adaptive", calibration.ECE(adaptive), "ECE with bins of equal mass", nil})
	}
	if resamples != 0 {
		i, err := p.Intervals(binning, resamples, bootstrapSeed)
		if err != nil {
			return nil, err
		}
		withIntervals(values, map[string]bootstrap.Interval{"accuracy": i.Accuracy, "ece": i.ECE,
			"ece_debiased": i.DebiasedECE, "nll": i.NLL, "brier": i.Brier})
	}
	return values, nil
}

// scaledValues fits a temperature on held-out samples and measures the other samples with it.
func scaledValues(p *calibration.Predictions, binning calibration.Binning, logits, labels string) ([]measured, error) {
	others, err := readPredictions(logits, labels)
	if err != nil {
		return nil, err
	}
	temperature, err := others.Temperature()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", logits, err)
	}
	scaled, err := p.Scaled(temperature)
	if err != nil {
		return nil, err
	}
	bins, err := binning.Of(scaled.Confidences())
	if err != nil {
		return nil, err
	}
	return []measured{
		{"temperature", temperature, "fitted on the held-out samples by their NLL", nil},
		{"ece_scaled", calibration.ECE(bins), "ECE of the logits divided by it", nil},
		{"nll_scaled", scaled.NLL(), "their NLL", nil},
		{"brier_scaled", scaled.Brier(), "their Brier score", nil},
	}, nil
}
