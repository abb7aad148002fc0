package tiles

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/ntk"
)

// TestLargest checks that the largest tile fits into the budget and that the next larger one does not.
func TestLargest(t *testing.T) {
	for _, pair := range []int64{1, 24, 1000} {
		for _, example := range []int64{0, 8, 6272} {
			for _, budget := range []int64{100_000, 1 << 20, 1 << 30} {
				p := Plan{pair, example, 50_000, budget}
				side, err := p.largest()
				if err != nil || p.bytes(side) > budget || p.bytes(side+1) <= budget {
					t.Errorf("%+v: %d, %v", p, side, err)
				}
			}
		}
	}
	for _, budget := range []int64{-5, 0, 60, 116} {
		_, err := Plan{10, 3, 101, budget}.largest()
		if err == nil || !strings.Contains(err.Error(), "one pair of examples takes 117") {
			t.Errorf("budget %d: error %v", budget, err)
		}
	}
	if side, err := (Plan{10, 3, 101, 117}).largest(); side != 1 || err != nil {
		t.Errorf("just enough for one: %d, %v", side, err)
	}
}

// TestPrepare checks that tiles stay within the budget, which counts the examples and the matrices, and that the tile
// size of an existing folder or of the user is used, or refused with an error.
func TestPrepare(t *testing.T) {
	const n, features = 40, 3
	x := tensors.FromFlatDataAndDimensions(make([]float64, n*features), n, features)
	k := Kernel{Arrays: []string{"a", "b"}, DType: Float64, Rows: n, Cols: n, Symmetric: true}
	var calls atomic.Int64
	f := entries[float64](k, &calls)
	dir := filepath.Join(t.TempDir(), "kernel")
	// Memory is needed for three matrices, the transpose included, and for all examples, plus two copies of the
	// examples of a tile.
	need := func(side int64) int64 { return 7*side*side + 8*3*side*side + 8*features*2*side + 8*features*n + 5 }
	plan := func(side int64) Plan { return Plan{Pair: 7, Fixed: 5, Budget: need(side)}.Inputs(x, nil) }

	store, err := Prepare(dir, k, f, plan(10))
	if err != nil || store.Side() != 10 || store.Kernel.Tile != 10 {
		t.Fatalf("%+v, %v", store, err)
	}
	if store, err = Prepare(dir, k, f, plan(30)); err != nil || store.Side() != 10 {
		t.Errorf("with more memory the folder has tiles of %d, error %v", store.Side(), err)
	}
	short := plan(10)
	short.Budget--
	_, err = Prepare(dir, k, f, short)
	if want := fmt.Sprintf("have 10: it takes about %d bytes", need(10)); err == nil || !strings.Contains(err.Error(),
		want) {
		t.Errorf("a byte less: error %v, want %q", err, want)
	}
	k.Tile = 11
	if _, err := Prepare(dir, k, f, plan(30)); err == nil || !strings.Contains(err.Error(),
		"has tiles of 10 and not of 11") {
		t.Errorf("error %v", err)
	}
	if _, err := Prepare(dir+"2", k, f, plan(10)); err == nil || !strings.Contains(err.Error(),
		"with the requested size they have 11") {
		t.Errorf("error %v", err)
	}
	if store, err = Prepare(dir+"2", k, f, plan(11)); err != nil || store.Side() != 10 { // 40 examples, tiles ≤ 11
		t.Errorf("error %v", err)
	}
	k.Tile = 0
	if store, err = Prepare(dir+"3", k, f, plan(n)); err != nil || store.Side() != n {
		t.Errorf("room for all: %v", err)
	}
}

// TestIdentity checks that the identity differs whenever the kernel does.
func TestIdentity(t *testing.T) {
	tensor := func(dims ...int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6}, dims...)
	}
	one, two := ntk.Serial(ntk.Dense(5)), ntk.Serial(ntk.Dense(6))
	seen := map[string]int{}
	for i, identity := range []map[string]string{
		Identity(one, tensor(2, 3), nil), Identity(two, tensor(2, 3), nil), Identity(one, tensor(3, 2), nil),
		Identity(one, tensor(2, 3), tensor(2, 3)), Identity(one, tensor(2, 3), tensor(3, 2)),
		Identity(one, tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 7}, 2, 3), nil),
		Identity(one, tensors.FromFlatDataAndDimensions([]float64{1, 2, 3, 4, 5, 6}, 2, 3), nil),
	} {
		text := fmt.Sprint(identity)
		if other, found := seen[text]; found {
			t.Errorf("%d and %d are both %s", other, i, text)
		}
		seen[text] = i
	}
	first, second := Identity(one, tensor(2, 3), nil), Identity(one, tensor(2, 3), nil)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Error("two calls differ")
	}
}
