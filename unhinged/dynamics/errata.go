package dynamics

// Demonstration is one erratum of the paper, computed: how far the printed form and the corrected form are from brute
// force, and the tolerance within which a form counts as right.
type Demonstration struct {
	ID, Printed, Right       string
	PrintedError, RightError float64
	Tolerance                float64
}
