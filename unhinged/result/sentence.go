package result

// Sentence is what the claims on all runs of one sentence of the paper have in common.
type Sentence struct {
	ID   string // of every such claim
	Kind Kind
	Text string // a format for what differs between the claims; empty where each claim has its own
	// Control is the negative control: a change of the run, or of the measured series, under which the claim fails or
	// is withdrawn. A test makes it.
	Control string
}

// Of makes a claim one of this sentence.
func (s Sentence) Of(c Claim) Claim {
	c.ID, c.Kind, c.Control = s.ID, s.Kind, s.Control
	return c
}
