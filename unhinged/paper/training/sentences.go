package training

import "github.com/unhinged-lab/lab/unhinged/result"

// sentence is what the claims on all runs have in common. Its text is a format for the names of the methods.
type sentence struct {
	id, text string
	// control is the negative control: a change of the runs under which the claim fails. TestEveryClaimHasANegativeControl makes
	// each of them.
	control string
}

// of makes a claim one of this sentence.
func (s sentence) of(c result.Claim) result.Claim {
	c.ID, c.Control = s.id, s.control
	return c
}

// The sentences of section 4 and of figures 2, 12 to 14 and 19.
var (
	comparable = sentence{"comparable-to-ce",
		"4.1, figure 2: the unhinged loss is comparable to CE or better: accuracy of %s − that of %s",
		"with CE's last accuracy three points higher, this fails"}
	paperComparable = sentence{"comparable-to-ce-in-the-paper",
		"4.1, the paper's own figure 2: %s ends at most %g points below CE on each of %d data sets: data sets on which it does",
		"with the margin of 2.99 points that the paper's own largest loss is within, it would hold"}
	normsGrow = sentence{"feature-norms-grow",
		"figures 12 and 13(d): the feature norm of %s grows: log₁₀ ‖H‖² at the end − at the first record",
		"with the first and the last record exchanged, this fails"}
	limitsNorms = sentence{"efr-limits-norms",
		"4.2, figures 3, 12 and 13: EFR limits the growth of feature norms: log₁₀ ‖H‖² of %s − that of %s",
		"with the features of the runs without EFR a hundredth as long, this fails"}
	generalises = sentence{"efr-generalises",
		"4.2: EFR can even improve generalisation: accuracy of %s − that of %s",
		"with the runs without EFR three points better, this fails"}
	withinLimit = sentence{"efr-within-theorem-6",
		"4.2, Theorem 6: the features of %s end within the theorem's limit: log₁₀ of the limit's ‖H‖² − that of the features",
		"with features a hundred times as long, this fails"}
	sooner = sentence{"efr-converges-sooner",
		"4.2, Theorem 6: EFR speeds up the convergence to WM: early ‖Ĥ − V̂‖, V = WM, of %s − that of %s",
		"with the runs without EFR nearer to WM, this fails"}
	slower = sentence{"normalisation-slows",
		"4.3, figure 2: feature normalisation slows training down: early accuracy of %s − that of %s",
		"with FNPAL 20 points ahead in the first half, this fails"}
	accelerates = sentence{"rlr-accelerates",
		"4.3, figure 2: RLR accelerates it: early accuracy of %s − that of %s",
		"with FNPAL without RLR 20 points ahead in the first half, this fails"}
	nearer = sentence{"rlr-nearer-to-ce",
		"4.3: RLR brings FNPAL nearer to CE: accuracy of %s − that of %s",
		"with the last accuracy under RLR five points lower, this fails"}

	blowsUp = sentence{"plain-ul-blows-up",
		"figure 19: without anchored prototypes neither weight decay nor batch normalisation limits the norms: runs of plain UL that blow up",
		"with a run that comes to its end, this fails"}
	largeRatio = sentence{"plain-ul-ratio",
		"figure 19(c): max‖w‖/min‖w‖ is very large, at least the paper's smallest: mean log₁₀ over the second half of the run",
		"with prototypes of equal norms, this fails"}
	smallAngle = sentence{"plain-ul-angle",
		"figure 19(e): the smallest angle between prototypes is very small, below the paper's largest: degrees that the last record's is below it",
		"with prototypes 60 degrees apart, this fails"}
)

// What theory says of the runs, which is in no sentence of section 4.
var (
	nearerToWM = sentence{"theorem-6-nearer-to-wm",
		"Theorem 6: features of %s come nearer to WM: the distance at the first record − at the last",
		"with the first and the last record exchanged, this fails"}
	nearerToPrototypes = sentence{"theorem-7-nearer-to-prototypes",
		"Theorem 7: features of %s come nearer to their prototypes: the distance at the first record − at the last",
		"with the first and the last record exchanged, this fails"}
	nearerToETF = sentence{"etf-means-nearer",
		"an ETF of prototypes brings the class means nearer to one than CE's: their distance to it at the end, %s − %s",
		"with CE's class means at a tenth of their distance, this fails"}
	growAlike = sentence{"theorem-2-grow-alike",
		"Theorem 2: features and prototypes grow alike, so that the loss does twice as fast: growth of −loss over that of max‖w‖",
		"with a loss that grows as fast as the prototypes, this fails"}
	withinBound = sentence{"growth-within-bound",
		"the norms grow no faster than the last normalisation lets them: what it allows − the growth of ln max‖w‖ a step",
		"with norms that grow ten times as fast, this fails"}
	fasterThanFree = sentence{"growth-beyond-free",
		"they grow faster than free features would (Theorem 2, those of a batch): growth of ln max‖w‖ a step − theirs",
		"with norms that do not grow, this fails"}
	weakDecay = sentence{"decay-too-weak",
		"figure 19: weight decay is too weak to limit the growth: log₁₀ of what would (Corollary 5) over that of the training",
		"with prototypes whose norms fall by 10⁻⁵ a step, this fails"}
)
