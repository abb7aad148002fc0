package studies

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Convergence measures how near the tangent kernel Θ of networks of finite width is, at initialisation, to the kernel
// Θ_∞ of infinite width: ‖Θ − Θ_∞‖/‖Θ_∞‖ (Frobenius), where Θ is the mean over the outputs. Its entries are averages
// over m units, so by the central limit theorem the error falls as m^(−1/2) (Jacot et al. 2018).
type Convergence struct {
	X       *tensors.Tensor
	Network func(width int) ntk.Network // the network of a given width
	Widths  []int                       // m; 32, 64, …, 1024
	Seeds   int                         // networks of the largest width, up to four times as many of smaller ones; 5
	Seed    uint64
}

// Run draws the networks and compares their kernels. The figure has one curve, with the mean error of each width and
// its standard deviation (series error, error_sd, log2_width), and one claim, on the exponent.
func (s Convergence) Run(ctx context.Context, backend compute.Backend) (*result.Figure, error) {
	started := time.Now()
	if len(s.Widths) == 0 {
		s.Widths = []int{32, 64, 128, 256, 512, 1024}
	}
	if s.Seeds == 0 {
		s.Seeds = 5
	}
	curve := result.Curve{Name: "networks", Params: map[string]float64{}, Series: map[string]result.Series{}}
	var widths, logs []float64 // of each network
	networks := 0
	for _, m := range s.Widths {
		errors, err := s.errors(ctx, backend, m)
		if err != nil {
			return nil, fmt.Errorf("convergence: width %d: %w", m, err)
		}
		networks += len(errors)
		mean, sd := stat.MeanStdDev(errors, nil)
		for name, v := range map[string]float64{"step": float64(m), "log2_width": math.Log2(float64(m)), "error": mean,
			"error_sd": sd} {
			curve.Series[name] = append(curve.Series[name], v)
		}
		for _, e := range errors {
			widths, logs = append(widths, float64(m)), append(logs, math.Log(e))
		}
	}
	f := &result.Figure{ID: "convergence", Title: "The tangent kernel by width", Curves: []result.Curve{curve},
		Settings: map[string]any{"network": s.Network(s.Widths[0]).String(), "widths": s.Widths, "networks": networks,
			"seed": s.Seed},
		Panels: []result.Panel{{Title: "Error of the tangent kernel", Y: "error", YLabel: "‖Θ − Θ_∞‖ / ‖Θ_∞‖",
			X: "log2_width", XLabel: "log₂ width", Log: true}},
		Provenance: provenance(s.Seed, backend, s.X.DType(), started)}
	f.Claims = kernelClaims(widths, logs)
	return f, nil
}

// kernelClaims compares the slope of the kernel's error with theory. There is no claim if there are too few networks.
func kernelClaims(widths, logs []float64) []result.Claim {
	slope, sd := Slope(widths, logs)
	if math.IsNaN(sd) {
		return nil
	}
	return []result.Claim{slopes.Of(result.Check("The error of the kernel falls as width^(−1/2) (slope over all "+
		"networks, ± three standard errors)", slope, -0.5, 3*sd))}
}

// errors returns the error of each network of one width. The networks share their compiled programs.
func (s Convergence) errors(ctx context.Context, backend compute.Backend, width int) ([]float64, error) {
	network := s.Network(width)
	infinite, err := network.Infinite(backend).Kernels(s.X, nil)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	defer store.Finalize()
	empirical := network.Empirical(backend, store.RootScope(), ntk.NTKParameterization)
	if _, err := empirical.TraceMean(s.X, nil); err != nil { // creates the parameters, which are drawn below
		return nil, err
	}
	var out []float64
	for seed := range s.Seeds * max(1, min(4, s.Widths[len(s.Widths)-1]/width)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := redraw(store, s.Seed, width, seed); err != nil {
			return nil, err
		}
		k, err := empirical.TraceMean(s.X, nil)
		if err != nil {
			return nil, err
		}
		e, err := ntk.Drift(infinite.NTK, k)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
