package studies

import "github.com/unhinged-lab/lab/unhinged/result"

// The sentences of the studies.
var (
	slopes = result.Sentence{ID: "slope", Kind: result.Evidence,
		Control: "with every error multiplied by the root of the width, the slope is another, and this fails; with " +
			"fewer than three networks or one width it is withdrawn"}
	asPrinted = result.Sentence{ID: "theorem-8-as-printed", Kind: result.Evidence,
		Control: "with an error of the network's own kernel above 0.1, the corrected theorem does not hold either, " +
			"and this fails"}
	linearised = result.Sentence{ID: "linearised", Kind: result.Implementation,
		Control: "with a closed form for another learning rate, the features differ, and this fails"}
	widerIsNearer = result.Sentence{ID: "wider-is-nearer", Kind: result.Evidence,
		Control: "with the two widths exchanged, the ratio is above 1, and this fails; with one width it is withdrawn"}
)

// Sentences returns the sentences that the studies judge.
func Sentences() []result.Sentence {
	return []result.Sentence{slopes, asPrinted, linearised, widerIsNearer}
}
