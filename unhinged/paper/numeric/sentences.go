package numeric

import (
	"github.com/unhinged-lab/lab/unhinged/result"
)

// The sentences of the figures.
var (
	aligns = result.Sentence{ID: "aligned-accuracy", Kind: result.Evidence,
		Control: "run at a γ beyond 2/(C−2) what is said to be within, the accuracy ends at chance, and this fails"}
	approaches = result.Sentence{ID: "exponential-approach", Kind: result.Implementation,
		Control: "run at half the γ that is said, the distance falls at another rate, and this fails"}
	grows = result.Sentence{ID: "growth-of-z", Kind: result.Implementation,
		Control: "run at half the λ and half the γ that are said, ‖Z‖ has another exponent, and this fails"}
	fastest = result.Sentence{ID: "fastest-gamma", Kind: result.Evidence,
		Control: "with γ = 0.0105 in the list, at the paper's sizes, this fails; with one γ in range it is withdrawn"}
	orthogonal = result.Sentence{ID: "orthogonal-beyond", Kind: result.Evidence,
		Control: "run at a γ within 2/(C−2) what is said to be beyond, the distance falls to 0, and this fails"}
	bursts = result.Sentence{ID: "accuracy-bursts", Kind: result.Evidence,
		Control: "with an accuracy of 0.2 after step 35,000, it is neither what is plotted nor chance, and this fails"}
	convergesToP = result.Sentence{ID: "w-converges-to-p", Kind: result.Evidence,
		Control: "run at 0.9λ* what is said to be λ*, W grows away from P, and this fails"}
	stalls = result.Sentence{ID: "w-stalls", Kind: result.Evidence,
		Control: "run at 0.9λ* what is said to be λ*, W neither stalls nor converges, and this fails"}
	sameRatio = result.Sentence{ID: "norm-ratio-same", Kind: result.Implementation,
		Control: "run with another γ for each λ, the curves differ, and this fails"}
	chance = result.Sentence{ID: "chance-beyond", Kind: result.Evidence,
		Control: "run at a γ within 2/(C−2) what is said to be beyond, the accuracy ends at 1, and this fails"}
	plotted = result.Sentence{ID: "as-plotted", Kind: result.Evidence,
		Control: "run at γ = 1/(C−1) in place of 1/(2(C−1)), no reading of the caption gives the plotted value, and " +
			"this fails"}
	etaOrder = result.Sentence{ID: "larger-eta-faster", Kind: result.Evidence,
		Control: "run at the learning rates in the reverse order, the distance rises from one to the next, and " +
			"this fails"}
	sameForLambda = result.Sentence{ID: "convergence-same-for-lambda", Kind: result.Implementation,
		Control: "run with another γ for each λ, the curves differ, and this fails"}
	ratioOrder = result.Sentence{ID: "larger-s-faster", Kind: result.Evidence,
		Control: "run at the ratios in the reverse order, the distance rises from one to the next, and this fails"}
	featuresGrow = result.Sentence{ID: "h-non-decreasing", Kind: result.Implementation,
		Control: "with the series of ‖H‖ reversed in time, this fails"}
	bounded = result.Sentence{ID: "h-bounded", Kind: result.Implementation,
		Control: "with the last ‖H‖ multiplied by 5, this fails"}
	fallsExponentially = result.Sentence{ID: "error-exponential", Kind: result.Evidence,
		Control: "with an error that stays at 10⁻³, this fails; in a run too short for an error of 0.01 it is " +
			"withdrawn"}
	rescaledFaster = result.Sentence{ID: "rescaled-faster", Kind: result.Evidence,
		Control: "from features of norm below 1, where RLR lowers the learning rate, this fails"}
	anchoredApproach = result.Sentence{ID: "anchored-approach", Kind: result.Implementation,
		Control: "run at half the λ that is said, the distance falls at another rate, and this fails"}
	lambdaOrder = result.Sentence{ID: "larger-lambda-faster", Kind: result.Evidence,
		Control: "run at the values of λ in the reverse order, the error rises from one to the next, and this fails"}
	squared = result.Sentence{ID: "norm-squared", Kind: result.Evidence,
		Control: "with ‖H‖ multiplied by 2, neither it nor its square starts where the plotted curve does, and " +
			"this fails"}
	notSquared = result.Sentence{ID: "norm-not-squared", Kind: result.Evidence,
		Control: "with ‖H‖ multiplied by 2, this fails"}
)

// sentences lists all of them.
var sentences = []result.Sentence{
	aligns, approaches, grows, fastest, orthogonal, bursts, convergesToP, stalls, sameRatio, chance, plotted, etaOrder,
	sameForLambda, ratioOrder,
	featuresGrow, bounded, fallsExponentially, rescaledFaster, anchoredApproach, lambdaOrder, squared, notSquared,
}

// The sentences that each figure judges.
var (
	fig1Judges  = []result.Sentence{aligns, approaches, grows, fastest, orthogonal, bursts}
	fig4Judges  = []result.Sentence{convergesToP, stalls, grows, sameRatio}
	fig5Judges  = []result.Sentence{aligns, approaches, grows, chance, plotted}
	fig6Judges  = []result.Sentence{approaches, etaOrder, plotted}
	fig7Judges  = []result.Sentence{approaches, grows, sameForLambda, plotted}
	fig8Judges  = []result.Sentence{approaches, ratioOrder, plotted}
	fig9Judges  = []result.Sentence{featuresGrow, bounded, fallsExponentially, rescaledFaster}
	fig15Judges = []result.Sentence{anchoredApproach, lambdaOrder, squared, notSquared}
)
