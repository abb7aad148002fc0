// Package nbdeps keeps in go.mod (and go.sum) the modules that notebooks import directly.
package nbdeps

import (
	_ "github.com/gomlx/compute"
	_ "github.com/gomlx/gomlx/ml/layers"
	_ "github.com/gomlx/gomlx/ml/train"
	_ "github.com/gomlx/gomlx/ml/train/optimizer"
	_ "github.com/janpfeifer/gonb/cache"
	_ "github.com/janpfeifer/gonb/gonbui/widgets"
	_ "github.com/janpfeifer/must"
	_ "github.com/spf13/cobra"
	_ "github.com/unhinged-lab/lab/unhinged/backends"
	_ "gonum.org/v1/gonum/mat"
	_ "gonum.org/v1/plot"
)
