package tiles_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// Each point lies on a circle, and its class is the parity of its quadrant; 90 points are for training and 30 are
// unseen. Their kernels are computed in tiles, and Theorem 8 is solved on them.
func Example() {
	random := rand.New(rand.NewPCG(1, 2))
	quadrants := func(n int) (*tensors.Tensor, []int) {
		var x []float64
		var labels []int
		for i := range n {
			quadrant := i % 4
			sin, cos := math.Sincos(math.Pi / 2 * (float64(quadrant) + random.Float64()))
			x, labels = append(x, cos, sin), append(labels, quadrant%2)
		}
		return tensors.FromFlatDataAndDimensions(x, n, 2), labels
	}
	x, labels := quadrants(90)
	unseen, unseenLabels := quadrants(30)

	network := must.M1(ntk.Parse("dense:512,w=1.5,b=1 relu dense:512,w=1.5,b=1 relu dense:2"))
	backend, _ := must.M2(backends.Open("go"))
	infinite := network.Infinite(backend)
	folder := must.M1(os.MkdirTemp("", "kernels"))
	defer os.RemoveAll(folder)
	among, between := filepath.Join(folder, "train"), filepath.Join(folder, "train-test")

	kernel := tiles.Kernel{Arrays: []string{tiles.NTK}, DType: tiles.Float64, Rows: 90, Cols: 90, Symmetric: true,
		Tile: 40, Labels: labels,
		Identity: tiles.Identity(network, x, nil)}
	store := must.M1(tiles.Create(among, kernel))
	must.M(tiles.Compute(context.Background(), store, tiles.Infinite[float64](infinite, x, nil, tiles.NTK),
		tiles.Options{}))

	kernel.Cols, kernel.Symmetric, kernel.ColsLabels = 30, false, unseenLabels
	kernel.Identity = tiles.Identity(network, x, unseen)
	store = must.M1(tiles.Create(between, kernel))
	must.M(tiles.Compute(context.Background(), store, tiles.Infinite[float64](infinite, x, unseen, tiles.NTK),
		tiles.Options{}))

	// In another program, later:
	read := func(folder string) (*tiles.Store, *tiles.Array) {
		store := must.M1(tiles.Open(folder))
		return store, must.M1(store.Array(tiles.NTK))
	}
	store, theta := read(among)
	crossed, thetaTest := read(between)
	fmt.Println(theta.Shape, "in tiles of", theta.Tile)
	spectrum := must.M1(theta.Spectrum(context.Background(), tiles.SpectrumOptions{}))
	fmt.Println("positive semi-definite:", spectrum.PositiveSemiDefinite())

	trained := must.M1(ntk.Unhinged{Gamma: 1}.Train(must.M1(theta.Tensor()), must.M1(store.Labels())))
	must.M(trained.Test(must.M1(thetaTest.Tensor()), must.M1(crossed.ColsLabels())))
	fmt.Printf("accuracy on unseen points: %.2f\n", must.M1(trained.Limit()).Test.Accuracy)
	// Output:
	// [90 90] in tiles of [30 30]
	// positive semi-definite: true
	// accuracy on unseen points: 0.83
}
