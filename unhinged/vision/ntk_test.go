package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/ntk"
)

// exchange gives the variables under /ours random values (but weights keep theirs), and copies them to their
// counterparts under /theirs. It returns their number. scopes are those of TestSameAsNTK.
func exchange(t *testing.T, rng *rand.Rand, store *model.Store, scopes map[string][2]string) int {
	t.Helper()
	variables := 0
	for scope, counterparts := range scopes {
		from := store.Scope("/ours/" + scope)
		for i, names := range [][]string{{"weights"}, {"scale", "shift", "mean", "variance"}} {
			to := store.Scope("/theirs/" + counterparts[i])
			for _, name := range names {
				v := from.GetVariable(name)
				value := v.MustValue()
				if name != "weights" { // positive, as a variance must be, and different from the defaults
					random := make([]float64, value.Shape().Size())
					for i := range random {
						random[i] = 0.5 + rng.Float64()
					}
					value = tensors.FromFlatDataAndDimensions(random, value.Shape().Dimensions...)
					if err := v.SetValue(value); err != nil {
						t.Fatal(err)
					}
				}
				clone, err := value.Clone()
				if err != nil {
					t.Fatal(err)
				}
				to.VariableWithValue(name, clone)
				variables++
			}
		}
	}
	return variables
}

// TestSameAsNTK checks that package ntk computes a network of this package from its variables, after mapping the scopes
// of one package to those of the other. The outputs in training and in evaluation must be equal, and so must the
// running averages after training.
func TestSameAsNTK(t *testing.T) {
	const batch, size, channels, width = 5, 4, 3, 4
	linear := func() ntk.Layer { return ntk.Dense(width) }
	filter := func() ntk.Layer { return ntk.Conv(width, 3).Same() }
	networks := map[string]struct {
		ours   Model
		theirs ntk.Network
		scopes map[string][2]string // from ours to ntk's, linear and batch normalisation
	}{
		"mlp": {
			MLP(width, width),
			ntk.Serial(ntk.Flatten, linear(), ntk.BatchNorm, ntk.ReLU, linear(), ntk.BatchNorm, ntk.ReLU),
			map[string][2]string{"layer0": {"layer1", "layer2"}, "layer1": {"layer4", "layer5"}},
		},
		"resnet": {
			resNet("one", width, 3, basicBlock, 1),
			ntk.Serial(filter(), ntk.BatchNorm, ntk.ReLU, ntk.Residual(ntk.Identity,
				ntk.Serial(filter(), ntk.BatchNorm, ntk.ReLU, filter(), ntk.BatchNorm)), ntk.ReLU,
				ntk.GlobalAveragePool),
			map[string][2]string{
				"stem":                {"layer0", "layer1"},
				"stage1-block1/conv1": {"layer3/branch1/layer0", "layer3/branch1/layer1"},
				"stage1-block1/conv2": {"layer3/branch1/layer3", "layer3/branch1/layer4"},
			},
		},
	}
	rng := rand.New(rand.NewPCG(12, 0))
	values := make([]float64, batch*size*size*channels)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		images := tensors.FromFlatDataAndDimensions(values, batch, size, size, channels)
		for name, network := range networks {
			store := model.NewStore()
			call := func(training bool, features func(*model.Scope, *Node) *Node) *tensors.Tensor {
				return model.MustCallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
					scope.Store().SetTraining(x.Graph(), training)
					return features(scope, x)
				}, images)
			}
			ours := func(scope *model.Scope, x *Node) *Node { return network.ours.Features(scope.In("ours"), x, true) }
			theirs := func(scope *model.Scope, x *Node) *Node {
				return network.theirs.Model(scope.In("theirs"), ntk.StandardParameterization, x)
			}
			call(false, ours) // this makes the variables
			variables := exchange(t, rng, store, network.scopes)
			same := func(what string, a, b *tensors.Tensor) {
				t.Helper()
				if d, ok := distance(a, b); !ok || math.IsNaN(d) || d > 1e-12 {
					t.Errorf("%s, %s: they differ by %g, or in their shapes %s and %s", name, what, d, a.Shape(),
						b.Shape())
				}
			}
			for step, training := range []bool{false, true, true, false} {
				same(fmt.Sprintf("step %d, training %v", step, training), call(training, ours), call(training, theirs))
			}
			for scope, counterparts := range network.scopes {
				for _, name := range []string{"mean", "variance"} {
					same(scope+"'s running "+name, store.Scope("/ours/"+scope).GetVariable(name).MustValue(),
						store.Scope("/theirs/"+counterparts[1]).GetVariable(name).MustValue())
				}
			}
			if all := store.NumVariables(); all != 2*variables {
				t.Errorf("%s: %d variables, %d of them were exchanged", name, all, 2*variables)
			}
		}
	})
}
