package training

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// The reference is SGD itself, with enough steps for the larger root to dominate.
func TestGrowthIsThatOfSGD(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	for range 50 {
		s := vision.SGD{LearningRate: 0.01 + random.Float64(), Momentum: 0.95 * random.Float64(),
			WeightDecay: 0.1 * random.Float64()}
		omega := s.WeightDecay + 0.02 + random.Float64()
		x, v, log := 1.0, 0.0, 0.0
		step := func() {
			v = s.Momentum*v - omega*x + s.WeightDecay*x
			x -= s.LearningRate * v
			log += math.Log(x)
			v, x = v/x, 1
		}
		for range 2000 {
			step()
		}
		log = 0
		step()
		if growth := s.Growth(7, omega); math.Abs(growth-log) > 1e-9 {
			t.Fatalf("%+v, ω = %g: growth %g a step, SGD's is %g", s, omega, growth, log)
		}
		if back := s.Omega(7, log); math.Abs(back-omega) > 1e-6*omega {
			t.Fatalf("%+v: ω of its growth is %g and not %g", s, back, omega)
		}
		if grown := s.Growth(0, 0.9*s.WeightDecay); grown >= 0 {
			t.Fatalf("%+v: a weight decay above ω lets norms grow by %g", s, grown)
		}
	}
	if decayed := (vision.SGD{LearningRate: 1, Momentum: 0.81, WeightDecay: 0.5}).Growth(0,
		0); math.Abs(decayed-math.Log(0.9)) > 1e-12 {
		t.Errorf("oscillations shrink by %g a step, should by √μ = 0.9", math.Exp(decayed))
	}
}

// Free features under the same descent follow the closed form of Theorem 4.
func TestFreeFeaturesGrowAsTheorem2(t *testing.T) {
	for _, c := range []struct{ classes, n int }{{2, 3}, {3, 8}, {10, 5}} {
		s := vision.SGD{LearningRate: 0.3, Momentum: 0.9, WeightDecay: 1e-3}
		flow, err := dynamics.Regularized{Gamma: 1 / float64(c.classes-1), Lambda1: s.WeightDecay,
			Lambda2: s.WeightDecay,
			Rates:   dynamics.Constant(s.LearningRate, s.LearningRate)}.From(dynamics.Gaussian(7, c.classes, c.n, 1))
		if err != nil {
			t.Fatal(err)
		}
		descent, err := flow.Descent(s.Momentum)
		if err != nil {
			t.Fatal(err)
		}
		before, err := descent.At(2000)
		if err != nil {
			t.Fatal(err)
		}
		after, err := descent.At(2100)
		if err != nil {
			t.Fatal(err)
		}
		want, got := (after.LogNormW()-before.LogNormW())/100, s.Growth(0, FreeOmega(c.classes, c.classes*c.n))
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("C = %d, N = %d: growth %g, the closed form's is %g", c.classes, c.n, got, want)
		}
	}
}

// Features g⊙x̂ + β are a network whose tangent kernel by (g, β) does not change, so that Theorem 8 gives their growth.
// The feature with the smallest share of its variance within the classes dominates, and its rate is NetworkOmega.
func TestNormalisedFeaturesGrowAsTheorem8(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	for range 5 {
		classes, each, p := 2+random.IntN(4), 2+random.IntN(3), 2+random.IntN(3)
		n := classes * each
		hat, labels := mat.NewDense(n, p, nil), make([]int, n)
		smallest := math.Inf(1)
		for j := range p {
			column := make([]float64, n)
			centres := make([]float64, classes)
			for c := range centres {
				centres[c] = random.NormFloat64()
			}
			for i := range column {
				labels[i] = i / each
				column[i] = centres[labels[i]] + random.NormFloat64()
			}
			mean, deviation := stat.PopMeanStdDev(column, nil)
			between := 0.0
			for i := range column {
				column[i] = (column[i] - mean) / deviation
			}
			for c := range classes {
				m := stat.Mean(column[c*each:(c+1)*each], nil)
				between += m * m / float64(classes)
			}
			smallest = min(smallest, (1-between)/between)
			hat.SetCol(j, column)
		}
		kernel := mat.NewDense(p*n, p*n, nil) // in blocks of p
		for i := range n {
			for k := range n {
				for j := range p {
					kernel.Set(i*p+j, k*p+j, hat.At(i, j)*hat.At(k, j)+1)
				}
			}
		}
		state, err := dynamics.FromSamples(hat, labels, mat.DenseCopyOf(dynamics.Gaussian(p, classes, 1, 2).W.T()), nil)
		if err != nil {
			t.Fatal(err)
		}
		flow, err := dynamics.Invariant{Gamma: 1 / float64(classes-1), Rates: dynamics.Constant(1, 1),
			Kernel: dynamics.Kernel{Full: kernel}}.From(state)
		if err != nil {
			t.Fatal(err)
		}
		want, err := NetworkOmega("mlp-7-8", classes, smallest)
		if err != nil {
			t.Fatal(err)
		}
		if got := flow.Threshold(); math.Abs(got-want) > 1e-9 {
			t.Errorf("C = %d, N = %d, p = %d: Theorem 8 has λ* = %g, NetworkOmega is %g", classes, each, p, got, want)
		}
	}
	if _, err := NetworkOmega("vgg-16", 10, 0); err == nil {
		t.Error("a bound for an unknown network")
	}
}

// Only the scales and shifts of the last normalisations make features larger, in proportion. k of them bound how large
// features can be.
func TestLastNormalisations(t *testing.T) {
	isLast := func(kind, scope string) bool {
		end := path.Base(scope)
		switch kind {
		case "mlp":
			return end == "layer0"
		case "resnet8", "resnet14", "resnet20":
			return end == "stem" || end == "conv2"
		case "resnet50":
			return strings.Contains(scope, "stage4") && (end == "conv3" || end == "shortcut")
		}
		return strings.Contains(scope, "stage4") && (end == "conv2" || end == "shortcut")
	}
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for kind, k := range lastNormalisations {
		network, err := vision.ModelNamed(kind + "-2")
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(8, 1))
		const n, size = 8, 8
		images := make([]float64, n*size*size)
		for i := range images {
			images[i] = random.NormFloat64()
		}
		store := model.NewStore()
		exec := model.MustNewExec(backend, store, func(scope *model.Scope, images *Node) *Node {
			scope.Store().SetTraining(images.Graph(), true)
			return network.Features(scope, images, true)
		})
		input := tensors.FromFlatDataAndDimensions(images, n, size, size, 1)
		features := func() []float64 { return tensors.MustCopyFlatData[float64](exec.MustCall1(input)) }
		features() // this makes the variables
		each := func(change func(last bool, values []float64)) {
			for v := range store.IterVariables() {
				if v.Name() != "scale" && v.Name() != "shift" {
					continue
				}
				values := tensors.MustCopyFlatData[float64](v.MustValue())
				change(isLast(kind, v.Scope()), values)
				if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		found, norm2 := 0, 0.0
		each(func(last bool, values []float64) {
			for i := range values {
				values[i] += random.NormFloat64()
			}
			if last {
				found++
				norm2 += floats.Dot(values, values)
			}
		})
		if found != 2*k {
			t.Errorf("%s: %d scales and shifts, should be 2·%d", kind, found, k)
		}
		before := features()
		if mean2 := floats.Dot(before, before) / n; mean2 > float64(k)*norm2 {
			t.Errorf("%s: E‖h‖² is %g, more than k‖θ‖² = %g", kind, mean2, float64(k)*norm2)
		}
		each(func(last bool, values []float64) {
			if last {
				floats.Scale(1000, values)
			}
		})
		after := features()
		floats.Scale(1000, before)
		// The tolerance is for the ε of the normalisations in between.
		if !floats.EqualApprox(before, after, 1e-2*floats.Norm(before, math.Inf(1))) {
			t.Errorf("%s: features %.4g, should be %.4g", kind, after, before)
		}
	}
}

// On real steps of SGD, a network that ends in a normalisation without a ReLU must grow as NC1 predicts.
func TestNC1SaysHowFastNormsGrow(t *testing.T) {
	data := blobs.Data(3200, 64)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		root := t.TempDir()
		training := vision.Training{
			Method: vision.Method{Name: "ul", Criterion: unhinged.Loss{}, Head: unhinged.Head{UseBias: true}},
			Model:  vision.MLP(16, 8),
			Epochs: 6, Batch: 64, LearningRate: 0.1, Momentum: 0.9, WeightDecay: 5e-4, Seed: 1, RecordsPerEpoch: 10,
			Folder: filepath.Join(root, "run"),
		}
		var diverged *vision.Diverged
		if _, err := training.Run(context.Background(), backend, data); !errors.As(err, &diverged) {
			t.Fatalf("plain UL ended with %v, it should blow up", err)
		}
		outcomes, err := vision.ReadOutcomes(root)
		if err != nil {
			t.Fatal(err)
		}
		fig, err := Growth(outcomes, 3)
		if err != nil {
			t.Fatal(err)
		}
		shares := fig.Curves[0].Series["share"]
		half := shares[len(shares)/2:]
		if share := stat.Mean(half, nil); len(half) < 5 || math.Abs(share-1) > 0.05 {
			t.Errorf("it grows by %.3f of what NC1 says, over %d records", share, len(half))
		}
		for _, c := range fig.Claims {
			if c.Verdict == result.Fails {
				t.Errorf("fails: %s", c.Claim)
			}
		}
	})
}

func TestGrowthFigure(t *testing.T) {
	outcomes := []vision.Outcome{outcome("ce", 1, 0.5), blown(1, 8, 3), blown(2, 8, 3.02), blown(3, 8, 2.98),
		blown(4, 1, 3)}
	for i := range outcomes[1].Records {
		outcomes[1].Records[i].Collapse = &vision.Collapse{Quotient: 0.5}
	}
	outcomes[1].Records[3].Collapse.Quotient = result.Number(math.NaN())
	fig, err := Growth(outcomes, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Curves) != 6 || len(fig.Panels) != 3 {
		t.Fatalf("%d curves in %d panels", len(fig.Curves), len(fig.Panels))
	}
	first := fig.Curves[0].Series
	if got := first["growth"][1]; math.Abs(got-math.Log(3)/10) > 1e-12 {
		t.Errorf("growth %g a step, should be ln 3 in 10", got)
	}
	if !math.IsNaN(first["growth"][0]) || !math.IsNaN(first["share"][3]) || math.IsNaN(first["share"][4]) {
		t.Errorf("growth %v, share %v: NaN where there is nothing before, and where NC1 is not defined",
			first["growth"], first["share"])
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	verdicts := map[result.Verdict]int{}
	for _, c := range fig.Claims {
		verdicts[c.Verdict]++
	}
	if verdicts[result.Holds] != 4 {
		t.Errorf("claims %+v", fig.Claims)
	}
	for k := range 3 { // faster than any network can grow
		for i := range outcomes[k+1].Records {
			outcomes[k+1].Records[i].PrototypeMax = math.Exp((10 + 0.1*float64(k)) * float64(i))
		}
	}
	fig, err = Growth(outcomes, 10)
	if err != nil {
		t.Fatal(err)
	}
	if fig.Claims[0].Verdict != result.Fails || fig.Claims[1].Verdict != result.Fails ||
		fig.Claims[2].Verdict != result.Holds {
		t.Errorf("claims %+v", fig.Claims)
	}
	if _, err := Growth(outcomes[:1], 10); !errors.Is(err, ErrNoRuns) {
		t.Errorf("a figure without curves: error %v", err)
	}
	outcomes[1].Settings.Model = "vgg-16"
	if _, err := Growth(outcomes[:2], 10); err == nil {
		t.Error("a bound for an unknown network")
	}
	for _, draw := range []func() (result.Figure, error){func() (result.Figure, error) { return Growth(outcomes, 10) },
		func() (result.Figure, error) { return BlowUp(outcomes) }} {
		if _, err := draw(); err == nil || !strings.Contains(err.Error(), "2 setups") {
			t.Errorf("two setups in one figure: error %v", err)
		}
	}
}
