package paper

import (
	"slices"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Errata returns, for each demonstrated erratum (all of dynamics.Errata, or those named, such as "E5"), a claim for the printed form and
// one for the right form: measured is how far the form is from brute force.
func Errata(ids ...string) ([]result.Claim, error) {
	demonstrations, err := dynamics.Errata()
	if err != nil {
		return nil, err
	}
	var claims []result.Claim
	for _, d := range demonstrations {
		if len(ids) == 0 || slices.Contains(ids, d.ID) {
			claims = append(claims, erratum(d)...)
		}
	}
	return claims, nil
}

// erratum judges the two forms of one demonstration.
func erratum(d dynamics.Demonstration) []result.Claim {
	right := result.Check(d.ID+" right: "+d.Right, d.RightError, 0, d.Tolerance)
	printed := result.Check(d.ID+" printed: "+d.Printed, d.PrintedError, 0, d.Tolerance)
	return []result.Claim{erratumPrinted.of(printed.CorrectedBy(d.ID, right.Verdict == result.Holds)),
		erratumRight.of(right)}
}
