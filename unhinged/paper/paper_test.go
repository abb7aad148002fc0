package paper

import (
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestFigures runs every figure at the paper's sizes: every sentence about it must hold or be a known erratum.
func TestFigures(t *testing.T) {
	for _, e := range Figures {
		t.Run(e.ID, func(t *testing.T) {
			f, err := e.Run(Options{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.2f s", f.Provenance.Duration)
			if len(f.Claims) == 0 {
				t.Error("no claims")
			}
			for _, c := range f.Claims {
				if c.Verdict == result.Fails {
					t.Errorf("fails: %s: measured %.6g, expected %.6g ± %.2g", c.Claim, c.Measured, c.Expected, c.Tolerance)
				} else {
					t.Logf("%s %s: %s: measured %.6g, expected %.6g ± %.2g", c.Verdict, c.Erratum, c.Claim, c.Measured, c.Expected, c.Tolerance)
				}
			}
		})
	}
}
