package errata

import (
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

func TestErrata(t *testing.T) {
	errata, err := Demonstrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range errata {
		t.Run(d.ID, func(t *testing.T) {
			t.Logf("printed %.3g, right %.3g, tolerance %.3g", d.PrintedError, d.RightError, d.Tolerance)
			if !(d.PrintedError > d.Tolerance && d.RightError <= d.Tolerance) {
				t.Errorf("printed form (%s) off by %v, corrected form (%s) by %v", d.Printed, d.PrintedError, d.Right,
					d.RightError)
			}
		})
	}
}

// TestClaims checks that every printed form is corrected and every corrected form holds. If the corrected form is given
// the error of the printed form, both must fail.
func TestClaims(t *testing.T) {
	claims, err := Claims()
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) < 40 {
		t.Errorf("%d claims", len(claims))
	}
	for i, c := range claims {
		if want := []result.Verdict{result.Corrected, result.Holds}[i%2]; c.Verdict != want {
			t.Errorf("%s: %s, want %s", c.Claim, c.Verdict, want)
		}
	}
	if some, err := Claims("E5", "E8"); err != nil || len(some) != 4 {
		t.Errorf("%d claims for two errata, %v", len(some), err)
	}
	demonstrations, err := Demonstrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range demonstrations {
		d.RightError = d.PrintedError
		for _, c := range d.claims() {
			if c.Verdict != result.Fails {
				t.Errorf("under its control, %s: %s", c.Claim, c.Verdict)
			}
		}
	}
}

// TestNamedDemonstrations checks that asking for a demonstration by its number returns exactly this demonstration.
func TestNamedDemonstrations(t *testing.T) {
	for _, erratum := range all {
		if d, err := Demonstrations(erratum.id); err != nil || len(d) != 1 || d[0].ID != erratum.id {
			t.Errorf("%s: %+v, error %v", erratum.id, d, err)
		}
	}
}
