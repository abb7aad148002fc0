package training

import "github.com/unhinged-lab/lab/unhinged/result"

// The sentences of section 4 and of figures 2, 12 to 14 and 19.
var (
	comparable = result.Sentence{ID: "comparable-to-ce",
		Text:    "4.1, figure 2: the unhinged loss is comparable to CE or better: accuracy of %s − that of %s",
		Control: "with CE's last accuracy three points higher, this fails"}
	paperComparable = result.Sentence{ID: "comparable-to-ce-in-the-paper",
		Text: "4.1, the paper's own figure 2: %s ends at most %g points below CE on each of %d data sets: data " +
			"sets on which it does",
		Control: "with the margin of 2.99 points that the paper's own largest loss is within, it would hold"}
	stable = result.Sentence{ID: "anchored-stable",
		Text:    "3.3: anchored prototypes mitigate the instability of training: runs with them that come to their end",
		Control: "with one run of PAL that diverges, this fails"}
	normsGrow = result.Sentence{ID: "feature-norms-grow",
		Text:    "figures 12 and 13(d): the feature norm of %s grows: log₁₀ ‖H‖² at the end − at the first record",
		Control: "with the first and the last record exchanged, this fails"}
	limitsNorms = result.Sentence{ID: "efr-limits-norms",
		Text:    "4.2, figures 3, 12 and 13: EFR limits the growth of feature norms: log₁₀ ‖H‖² of %s − that of %s",
		Control: "with the features of the runs without EFR a hundredth as long, this fails"}
	generalises = result.Sentence{ID: "efr-generalises",
		Text:    "4.2: EFR can even improve generalisation: accuracy of %s − that of %s",
		Control: "with the runs without EFR three points better, this fails"}
	withinLimit = result.Sentence{ID: "efr-within-theorem-6",
		Text: "4.2, Theorem 6: the features of %s end within the theorem's limit: log₁₀ of the limit's ‖H‖² − " +
			"that of the features",
		Control: "with features a hundred times as long, this fails"}
	sooner = result.Sentence{ID: "efr-converges-sooner",
		Text:    "4.2, Theorem 6: EFR speeds up the convergence to WM: early ‖Ĥ − V̂‖, V = WM, of %s − that of %s",
		Control: "with the runs without EFR nearer to WM, this fails"}
	slower = result.Sentence{ID: "normalisation-slows",
		Text:    "4.3, figure 2: feature normalisation slows training down: early accuracy of %s − that of %s",
		Control: "with FNPAL 20 points ahead in the first half, this fails"}
	accelerates = result.Sentence{ID: "rlr-accelerates",
		Text:    "4.3, figure 2: RLR accelerates it: early accuracy of %s − that of %s",
		Control: "with FNPAL without RLR 20 points ahead in the first half, this fails"}
	nearer = result.Sentence{ID: "rlr-nearer-to-ce",
		Text:    "4.3: RLR brings FNPAL nearer to CE: accuracy of %s − that of %s",
		Control: "with the last accuracy under RLR five points lower, this fails"}

	blowsUp = result.Sentence{ID: "plain-ul-blows-up",
		Text: "figure 19: without anchored prototypes neither weight decay nor batch normalisation limits the " +
			"norms: runs of plain UL that blow up",
		Control: "with a run that comes to its end, this fails"}
	largeRatio = result.Sentence{ID: "plain-ul-ratio",
		Text: "figure 19(c): max‖w‖/min‖w‖ is very large, at least the paper's smallest: mean log₁₀ over the " +
			"second half of the run",
		Control: "with prototypes of equal norms, this fails"}
	smallAngle = result.Sentence{ID: "plain-ul-angle",
		Text: "figure 19(e): the smallest angle between prototypes is very small, below the paper's largest: " +
			"degrees that the last record's is below it",
		Control: "with prototypes 60 degrees apart, this fails"}
)

// Statements of theory about the runs that are not in section 4.
var (
	nearerToWM = result.Sentence{ID: "theorem-6-nearer-to-wm",
		Text:    "Theorem 6: features of %s come nearer to WM: the distance at the first record − at the last",
		Control: "with the first and the last record exchanged, this fails"}
	nearerToPrototypes = result.Sentence{ID: "theorem-7-nearer-to-prototypes",
		Text: "Theorem 7: features of %s come nearer to their prototypes: the distance at the first record − at " +
			"the last",
		Control: "with the first and the last record exchanged, this fails"}
	nearerToETF = result.Sentence{ID: "etf-means-nearer",
		Text: "an ETF of prototypes brings the class means nearer to one than CE's: their distance to it at the " +
			"end, %s − %s",
		Control: "with CE's class means at a tenth of their distance, this fails"}
	growAlike = result.Sentence{ID: "theorem-2-grow-alike",
		Text: "Theorem 2: features and prototypes grow alike, so that the loss does twice as fast: growth of " +
			"−loss over that of max‖w‖",
		Control: "with a loss that grows as fast as the prototypes, this fails"}
	withinBound = result.Sentence{ID: "growth-within-bound",
		Text: "the norms grow no faster than the last normalisation lets them: what it allows − the growth of ln " +
			"max‖w‖ a step",
		Control: "with norms that grow ten times as fast, this fails"}
	fasterThanFree = result.Sentence{ID: "growth-beyond-free",
		Text: "they grow faster than free features would (Theorem 2, those of a batch): growth of ln max‖w‖ a " +
			"step − theirs",
		Control: "with norms that do not grow, this fails"}
	weakDecay = result.Sentence{ID: "decay-too-weak",
		Text: "figure 19: weight decay is too weak to limit the growth: log₁₀ of what would (Corollary 5) over " +
			"that of the training",
		Control: "with prototypes whose norms fall by 10⁻⁵ a step, this fails"}
)
