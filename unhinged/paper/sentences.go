package paper

import "github.com/unhinged-lab/lab/unhinged/result"

// sentence is what claims of all settings have in common.
type sentence struct {
	id   string
	kind result.Kind
	// control is the negative control: a change of the run, or of the measured series, under which the claim fails or is
	// withdrawn. TestNegativeControls makes each of them.
	control string
}

// The sentences of the figures.
var (
	aligns = sentence{"aligned-accuracy", result.Evidence,
		"run at a γ beyond 2/(C−2) what is said to be within, the accuracy ends at chance, and this fails"}
	approaches = sentence{"exponential-approach", result.Implementation,
		"run at half the γ that is said, the distance falls at another rate, and this fails"}
	grows = sentence{"growth-of-z", result.Implementation,
		"run at half the λ and half the γ that are said, ‖Z‖ has another exponent, and this fails"}
	fastest = sentence{"fastest-gamma", result.Evidence,
		"with γ = 0.0105 in the list, at the paper's sizes, this fails; with one γ in range it is withdrawn"}
	orthogonal = sentence{"orthogonal-beyond", result.Evidence,
		"run at a γ within 2/(C−2) what is said to be beyond, the distance falls to 0, and this fails"}
	bursts = sentence{"accuracy-bursts", result.Evidence,
		"with an accuracy of 0.2 after step 35,000, it is neither what is plotted nor chance, and this fails"}
	convergesToP = sentence{"w-converges-to-p", result.Evidence,
		"run at 0.9λ* what is said to be λ*, W grows away from P, and this fails"}
	stalls = sentence{"w-stalls", result.Evidence,
		"run at 0.9λ* what is said to be λ*, W neither stalls nor converges, and this fails"}
	sameRatio = sentence{"norm-ratio-same", result.Implementation,
		"run with another γ for each λ, the curves differ, and this fails"}
	chance = sentence{"chance-beyond", result.Evidence,
		"run at a γ within 2/(C−2) what is said to be beyond, the accuracy ends at 1, and this fails"}
	plotted = sentence{"as-plotted", result.Evidence,
		"run at γ = 1/(C−1) in place of 1/(2(C−1)), no reading of the caption gives the plotted value, and this fails"}
	etaOrder = sentence{"larger-eta-faster", result.Evidence,
		"run at the learning rates in the reverse order, the distance rises from one to the next, and this fails"}
	sameForLambda = sentence{"convergence-same-for-lambda", result.Implementation,
		"run with another γ for each λ, the curves differ, and this fails"}
	ratioOrder = sentence{"larger-s-faster", result.Evidence,
		"run at the ratios in the reverse order, the distance rises from one to the next, and this fails"}
	featuresGrow = sentence{"h-non-decreasing", result.Implementation,
		"with the series of ‖H‖ reversed in time, this fails"}
	bounded = sentence{"h-bounded", result.Implementation,
		"with the last ‖H‖ multiplied by 5, this fails"}
	fallsExponentially = sentence{"error-exponential", result.Evidence,
		"with an error that stays at 10⁻³, this fails; in a run too short for an error of 0.01 it is withdrawn"}
	rescaledFaster = sentence{"rescaled-faster", result.Evidence,
		"from features of norm below 1, where RLR lowers the learning rate, this fails"}
	anchoredApproach = sentence{"anchored-approach", result.Implementation,
		"run at half the λ that is said, the distance falls at another rate, and this fails"}
	lambdaOrder = sentence{"larger-lambda-faster", result.Evidence,
		"run at the values of λ in the reverse order, the error rises from one to the next, and this fails"}
	squared = sentence{"norm-squared", result.Evidence,
		"with ‖H‖ multiplied by 2, neither it nor its square starts where the plotted curve does, and this fails"}
	notSquared = sentence{"norm-not-squared", result.Evidence, "with ‖H‖ multiplied by 2, this fails"}
)

// The sentences of the studies.
var (
	slopes = sentence{"slope", result.Evidence,
		"with every error multiplied by the root of the width, the slope is another, and this fails; with fewer than " +
			"three networks or one width it is withdrawn"}
	asPrinted = sentence{"theorem-8-as-printed", result.Evidence,
		"with an error of the network's own kernel above 0.1, the corrected theorem does not hold either, and this fails"}
	linearised = sentence{"linearised", result.Implementation,
		"with a closed form for another learning rate, the features differ, and this fails"}
)

// sentences are all of them.
var sentences = []sentence{
	aligns, approaches, grows, fastest, orthogonal, bursts, convergesToP, stalls, sameRatio, chance, plotted, etaOrder,
	sameForLambda, ratioOrder,
	featuresGrow, bounded, fallsExponentially, rescaledFaster, anchoredApproach, lambdaOrder, squared, notSquared,
	slopes, asPrinted, linearised,
}
