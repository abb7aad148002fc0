package studies

import (
	"strings"
	"testing"
)

// TestStudies checks studies as the command runs them: theorem8 accepts a γ and an η.
func TestStudies(t *testing.T) {
	dots, gamma, zero := 0, 0.3, 0.
	f, err := RunTheorem8(Options{Widths: []int{4, 8}, Networks: 1, Gamma: &gamma, Rate: 0.01, Command: "c",
		Progress: func(int, int) { dots++ }})
	if err != nil {
		t.Fatal(err)
	}
	if f.ID != "theorem8" || f.Settings["gamma"] != 0.3 || f.Settings["eta"] != 0.01 || f.Provenance.Command != "c" ||
		!strings.HasPrefix(f.Provenance.Backend, "go") || dots == 0 {
		t.Errorf("%s, %v, %+v, %d dots", f.ID, f.Settings, f.Provenance, dots)
	}
	// A γ of 0 that is given means 0; without a γ, the default is 1/(C−1).
	for _, c := range []struct {
		given *float64
		want  float64
	}{{&zero, 0}, {nil, 0.5}} {
		f, err := RunTheorem8(Options{Widths: []int{4}, Networks: 1, Gamma: c.given})
		if err != nil || f.Settings["gamma"] != c.want {
			t.Errorf("γ given as %v: runs %v, want %v (%v)", c.given, f.Settings["gamma"], c.want, err)
		}
	}
	if _, err := RunDrift(Options{Gamma: &gamma}); err == nil {
		t.Error("γ for drift without an error")
	}
}
