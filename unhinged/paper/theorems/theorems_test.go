package theorems

import (
	"math"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestChecks checks that every theorem holds.
func TestChecks(t *testing.T) {
	for id := range checks {
		claim, err := Check(id)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.3g", id, claim.Measured)
		if claim.Verdict != result.Holds || claim.ID != id {
			t.Errorf("%+v", claim)
		}
	}
	if _, err := Check("theorem99"); err == nil {
		t.Error("a check that there is not")
	}
}

// TestChecksCanFail checks that a comparison of different things does not give 0.
func TestChecksCanFail(t *testing.T) {
	a, b := dynamics.Gaussian(3, 2, 2, 1), dynamics.Gaussian(3, 2, 2, 1)
	for _, change := range []func(){
		func() { b.H.Set(1, 1, b.H.At(1, 1)+1e-6) }, func() { b.W.Set(0, 1, b.W.At(0, 1)-1e-6) },
		func() { b.B[1] += 1e-6 },
	} {
		if apart(a, b) > 1e-6 {
			t.Fatal("they differ from the start")
		}
		change()
		if off := apart(a, b); math.Abs(off-1e-6) > 1e-9 {
			t.Errorf("a change of 1e-6 is measured as %g", off)
		}
		b = dynamics.Gaussian(3, 2, 2, 1)
	}
	// The wrong sign of γ violates the bound of the margin.
	if s := []float64{1, 0, -5}; -loss(s, 0, -0.5) >= s[0]-s[1] {
		t.Error("no violation is seen")
	}
}
