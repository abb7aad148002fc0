package dynamics

import "testing"

func TestErrata(t *testing.T) {
	errata, err := Errata()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range errata {
		t.Run(d.ID, func(t *testing.T) {
			t.Logf("printed %.3g, right %.3g, tolerance %.3g", d.PrintedError, d.RightError, d.Tolerance)
			if !(d.PrintedError > d.Tolerance && d.RightError <= d.Tolerance) {
				t.Errorf("printed form (%s) off by %v, corrected form (%s) by %v", d.Printed, d.PrintedError, d.Right, d.RightError)
			}
		})
	}
}
