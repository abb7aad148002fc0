package errata

import (
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Claims returns two claims for each of Demonstrations, or for the named ones, such as "E5": one about the printed form
// and one about the right form. The measured value is the distance of the form from brute force.
func Claims(ids ...string) ([]result.Claim, error) {
	demonstrations, err := Demonstrations(ids...)
	if err != nil {
		return nil, err
	}
	var claims []result.Claim
	for _, d := range demonstrations {
		claims = append(claims, d.claims()...)
	}
	return claims, nil
}

// claims returns the claims about the printed form and the right form.
func (d Demonstration) claims() []result.Claim {
	right := result.Check(d.ID+" right: "+d.Right, d.RightError, 0, d.Tolerance)
	right.ID, right.Control = "erratum-right", "the printed form put in its place fails"
	printed := result.Check(d.ID+" printed: "+d.Printed, d.PrintedError, 0, d.Tolerance).CorrectedBy(d.ID,
		right.Verdict == result.Holds)
	printed.ID = "erratum-printed"
	printed.Control = "with the right form's error as large as the printed form's, nothing corrects it, and this fails"
	return []result.Claim{printed, right}
}
