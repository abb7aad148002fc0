package result

// Sentence is a sentence of the paper: the common part of the claims about it for all runs.
type Sentence struct {
	ID   string // of every such claim
	Kind Kind
	Text string // a format string, if the claims differ in numbers or names only; empty if each claim has its own text
	// Control is the negative control: a change of the run, or of the measured series, under which the claim fails or
	// is withdrawn. A test applies it.
	Control string
}

// Of marks a claim as one about this sentence.
func (s Sentence) Of(c Claim) Claim {
	c.ID, c.Kind, c.Control = s.ID, s.Kind, s.Control
	return c
}
