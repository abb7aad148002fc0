package dynamics_test

import (
	"github.com/unhinged-lab/lab/internal/brute"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

func init() { dynamics.WholeFlow, dynamics.WholeLoss = brute.Flow, brute.Loss }
