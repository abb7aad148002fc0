package training

import "github.com/unhinged-lab/lab/unhinged/result"

// The sentences of sections 4.2, C.3 and C.4 on calibration and on images out of distribution.
var (
	paperCalibrates = result.Sentence{ID: "efr-calibrates-in-the-paper",
		Text: "C.3, the paper's own figure %d: an appropriate λ has a higher accuracy and a lower ECE than λ = 0: " +
			"imbalance ratios of %d at which one does",
		Control: "with an ECE of 0 at λ = 0, this fails"}
	lessOverConfident = result.Sentence{ID: "efr-less-over-confident",
		Text: "4.2: EFR remedies over-confidence: mean confidence − accuracy of %s − that of %s, in points, paired " +
			"by seed",
		Control: "with the confidence under EFR ten points higher, this fails"}
	suitable = result.Sentence{ID: "efr-calibrates",
		Text: "C.3: an appropriate λ improves accuracy and ECE: the smaller gain of the best λ, in points, paired by " +
			"seed",
		Control: "with the accuracy under EFR ten points lower, this fails"}

	paperDetects = result.Sentence{ID: "efr-detects-in-the-paper",
		Text: "the paper's own table %d: EFR improves the detection of images out of distribution: numbers of %d " +
			"that are better than without",
		Control: "with AUROC of 0 under EFR, this fails"}
	paperAgrees = result.Sentence{ID: "metrics-agree-in-the-paper",
		Text: "the paper's own table %d: FPR95, AUROC and AUPR agree on which of two methods detects better: pairs " +
			"of %d with equal data set and score on which they do",
		Control: "with 100 − AUROC in the place of each AUPR, this fails"}
	detects = result.Sentence{ID: "efr-detects",
		Text: "4.2, table 3: EFR improves the detection of images out of distribution: mean AUROC of the paper's " +
			"three scores, %s − %s, %s (%s), in points, paired by seed",
		Control: "with the scores under EFR exchanged between the images in and out of distribution, this fails"}
	detectsByLambda = result.Sentence{ID: "efr-detects-by-lambda",
		Text: "C.4, table 6: EFR improves the detection of images out of distribution: mean AUROC of the paper's " +
			"three scores, %s − %s, %s (%s), in points, paired by seed",
		Control: "with the scores under EFR exchanged between the images in and out of distribution, this fails"}
	separates = result.Sentence{ID: "efr-separates",
		Text: "figures 3 and 16 to 18: EFR tells the distributions apart better by the %s: AUROC, %s − %s, %s (%s), " +
			"in points, paired by seed",
		Control: "with the scores under EFR exchanged between the images in and out of distribution, this fails"}
)
