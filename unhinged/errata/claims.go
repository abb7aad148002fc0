package errata

import (
	"github.com/unhinged-lab/lab/unhinged/result"
)

var (
	rightForm   = result.Sentence{ID: "erratum-right", Control: "the printed form put in its place fails"}
	printedForm = result.Sentence{ID: "erratum-printed", Control: "with the right form's error as large as the " +
		"printed form's, nothing corrects it, and this fails"}
)

// Sentences returns the sentences that Claims are about: those of the printed forms, and those of the right ones.
func Sentences() []result.Sentence { return []result.Sentence{printedForm, rightForm} }

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
	right := rightForm.Of(result.Check(d.ID+" right: "+d.Right, d.RightError, 0, d.Tolerance))
	return []result.Claim{printedForm.Of(result.Check(d.ID+" printed: "+d.Printed, d.PrintedError, 0, d.Tolerance).
		CorrectedBy(d.ID, right.Verdict == result.Holds)), right}
}
