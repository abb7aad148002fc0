package result

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Verdict of a claim.
type Verdict string

const (
	Holds      Verdict = "holds"       // as printed
	Fails      Verdict = "fails"       // as printed, and no correction is known to hold either
	Corrected  Verdict = "corrected"   // fails as printed; the named erratum's form holds
	Undecided  Verdict = "undecided"   // what was measured is too uncertain to tell
	NotClaimed Verdict = "not claimed" // the sentence is about other settings; Reason says what is different here
)

// Kind says what a claim is about.
type Kind string

const (
	// Evidence is the kind of claims about the plotted run: another run could have another result.
	Evidence Kind = ""
	// Implementation is the kind of claims that are true for every run by a theorem: they check that the code is right.
	Implementation Kind = "implementation"
)

// Claim is one sentence of the paper, checked.
type Claim struct {
	ID        string  `json:"id,omitempty"` // of the sentence, the same for all settings
	Kind      Kind    `json:"kind,omitempty"`
	Claim     string  `json:"claim"`
	Measured  Number  `json:"measured"`
	Expected  Number  `json:"expected"`
	Tolerance Number  `json:"tolerance"`
	Verdict   Verdict `json:"verdict"`
	Erratum   string  `json:"erratum,omitempty"` // the number in ERRATA.md, such as "E24"
	Reason    string  `json:"reason,omitempty"`  // why it is not claimed
	// Control is the negative control: a change of the run, or of the measured series, under which the claim fails or
	// is withdrawn.
	Control string `json:"control,omitempty"`
}

// Check judges a claim: it holds if measured is within tolerance of expected, and fails otherwise.
func Check(claim string, measured, expected, tolerance float64) Claim {
	verdict := Holds
	if !(math.Abs(measured-expected) <= tolerance) {
		verdict = Fails
	}
	return Claim{Claim: claim, Measured: Number(measured), Expected: Number(expected), Tolerance: Number(tolerance),
		Verdict: verdict}
}

// Withdrawn returns a claim that is not made at the settings of a run, with the reason.
func Withdrawn(claim, reason string) Claim {
	none := Number(math.NaN())
	return Claim{Claim: claim, Measured: none, Expected: none, Tolerance: none, Verdict: NotClaimed, Reason: reason}
}

// CorrectedBy sets the erratum of a claim that fails as printed. holds says whether the form of the erratum was found
// to hold.
func (c Claim) CorrectedBy(erratum string, holds bool) Claim {
	if c.Verdict == Fails {
		c.Erratum = erratum
		if holds {
			c.Verdict = Corrected
		}
	}
	return c
}

// ByKind splits claims into evidence about the run and checks of the implementation.
func ByKind(claims []Claim) (evidence, implementation []Claim) {
	for _, c := range claims {
		if c.Kind == Implementation {
			implementation = append(implementation, c)
		} else {
			evidence = append(evidence, c)
		}
	}
	return evidence, implementation
}

// Tally counts verdicts, with checks of the implementation counted separately: "5 hold, 1 corrected (E27); checks of
// the implementation: 3 hold".
func Tally(claims []Claim) string {
	evidence, implementation := ByKind(claims)
	if len(implementation) == 0 {
		return count(evidence)
	}
	return count(evidence) + "; checks of the implementation: " + count(implementation)
}

// count counts verdicts and names the errata.
func count(claims []Claim) string {
	if len(claims) == 0 {
		return "no claims"
	}
	number := map[Verdict]int{}
	var errata []string
	for _, c := range claims {
		number[c.Verdict]++
		if c.Verdict == Corrected && !slices.Contains(errata, c.Erratum) {
			errata = append(errata, c.Erratum)
		}
	}
	var parts []string
	for _, v := range []struct {
		verdict  Verdict
		one, all string
	}{{Holds, "holds", "hold"}, {Corrected, "corrected", "corrected"}, {Fails, "fails", "fail"},
		{Undecided, "undecided",
			"undecided"},
		{NotClaimed, "not claimed", "not claimed"}} {
		word := v.all
		switch n := number[v.verdict]; n {
		case 0:
			continue
		case 1:
			word = v.one
		}
		part := fmt.Sprintf("%d %s", number[v.verdict], word)
		if v.verdict == Corrected {
			part += " (" + strings.Join(errata, ", ") + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
