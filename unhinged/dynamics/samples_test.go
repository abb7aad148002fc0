package dynamics

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/npy"
	"gonum.org/v1/gonum/mat"
)

// randomSamples returns features, labels, prototypes and biases of unequal class sizes in random order.
func randomSamples(rng *rand.Rand) (features *mat.Dense, labels []int, prototypes *mat.Dense, biases []float64) {
	p, c := 1+rng.IntN(6), 2+rng.IntN(5)
	for y := range c {
		for range 1 + rng.IntN(4) {
			labels = append(labels, y)
		}
	}
	rng.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	biases = make([]float64, c)
	for i := range biases {
		biases[i] = rng.NormFloat64()
	}
	return normal(rng, len(labels), p), labels, normal(rng, c, p), biases
}

func TestFromSamplesIsClassMajorAndStable(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for range 50 {
		features, labels, prototypes, biases := randomSamples(rng)
		state, err := FromSamples(features, labels, prototypes, biases)
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(state.W, prototypes.T()) || !slices.Equal(state.B, biases) {
			t.Fatal("prototypes or biases changed")
		}
		byClass := state.Labels()
		for column, row := range state.Order {
			if labels[row] != byClass[column] {
				t.Fatalf("column %d is of class %d but its sample %d of class %d", column, byClass[column], row,
					labels[row])
			}
			if !mat.Equal(state.H.ColView(column), mat.NewVecDense(state.H.RawMatrix().Rows,
				features.RawRowView(row))) {
				t.Fatalf("column %d is not sample %d", column, row)
			}
			if column > 0 && byClass[column] == byClass[column-1] && state.Order[column-1] >= row {
				t.Fatal("samples of one class changed their order")
			}
		}
		if sorted := slices.Sorted(slices.Values(state.Order)); sorted[0] != 0 ||
			sorted[len(sorted)-1] != len(labels)-1 ||
			len(slices.Compact(sorted)) != len(labels) {
			t.Fatalf("order %v is no permutation", state.Order)
		}
	}
	features, labels, prototypes, _ := randomSamples(rng)
	state, err := FromSamples(features, labels, prototypes, nil)
	if err != nil || mat.Sum(mat.NewVecDense(len(state.B), state.B)) != 0 {
		t.Errorf("without biases: %v, %v", state.B, err)
	}
}

func TestFromSamplesRefuses(t *testing.T) {
	features := func() *mat.Dense { return mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6}) }
	prototypes := func() *mat.Dense { return mat.NewDense(2, 2, []float64{1, 2, 3, 4}) }
	nan := func(m *mat.Dense, v float64) *mat.Dense { m.Set(1, 0, v); return m }
	for _, test := range []struct {
		features   *mat.Dense
		labels     []int
		prototypes *mat.Dense
		biases     []float64
		want       string
	}{
		{nil, nil, prototypes(), nil, "no features"},
		{features(), []int{0, 1, 0}, nil, nil, "no prototypes"},
		{features(), []int{0, 1, 2}, prototypes(), nil, "label of sample 2 is 2: want 0 … 1"},
		{features(), []int{0, -1, 1}, prototypes(), nil, "label of sample 1 is -1: want 0 … 1"},
		{features(), []int{0, 0, 0}, prototypes(), nil, "class 1 has no samples"},
		{features(), []int{0, 1}, prototypes(), nil, "2 labels for 3 samples"},
		{features(), []int{0, 1, 0}, prototypes(), []float64{1}, "1 biases for 2 classes"},
		{features(), []int{0, 1, 0}, mat.NewDense(2, 3, nil), nil, "features have dimension 2 but prototypes 3"},
		{nan(features(), math.NaN()), []int{0, 1, 0}, prototypes(), nil, "features: sample 1, dimension 0 is NaN"},
		{features(), []int{0, 1, 0}, nan(prototypes(), math.Inf(-1)), nil, "prototypes: class 1, dimension 0 is -Inf"},
		{features(), []int{0, 1, 0}, prototypes(), []float64{0, math.NaN()}, "biases: element 1 is NaN"},
		{features(), []int{0, 0, 0}, mat.NewDense(1, 2, []float64{1, 2}), nil, "need at least 2"},
	} {
		if _, err := FromSamples(test.features, test.labels, test.prototypes, test.biases); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}

func TestFromFilesIsFromSamples(t *testing.T) {
	features, labels, prototypes, biases := randomSamples(rand.New(rand.NewPCG(4, 0)))
	dir := t.TempDir()
	f, l, w, b := filepath.Join(dir, "f.npy"), filepath.Join(dir, "l.npy"), filepath.Join(dir, "w.npy"),
		filepath.Join(dir, "b.npy")
	for _, err := range []error{npy.WriteMatrix(f, features), npy.WriteIntegers(l, labels), npy.WriteMatrix(w,
		prototypes), npy.WriteVector(b, biases)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want, err := FromSamples(features, labels, prototypes, biases)
	if err != nil {
		t.Fatal(err)
	}
	got, err := FromFiles(f, l, w, b)
	if err != nil || !mat.Equal(got.H, want.H) || !mat.Equal(got.W, want.W) || !slices.Equal(got.B, want.B) ||
		!slices.Equal(got.Counts, want.Counts) || !slices.Equal(got.Order, want.Order) {
		t.Errorf("files and samples differ: %v", err)
	}
	if got, err := FromFiles(f, l, w, ""); err != nil || got.B[0] != 0 {
		t.Errorf("without biases: %v", err)
	}
	for _, paths := range [][4]string{{l, l, w, b}, {f, f, w, b}, {f, l, b, b}, {f, l, w, f}, {"missing.npy", l, w,
		b}} {
		if _, err := FromFiles(paths[0], paths[1], paths[2], paths[3]); err == nil || !strings.Contains(err.Error(),
			".npy") {
			t.Errorf("%v: error %v, want one that names the file", paths, err)
		}
	}
}

func TestGaussianETF(t *testing.T) {
	const scale = 2.5
	state, err := GaussianETF(7, 5, 3, scale, 9)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Validate(); err != nil {
		t.Fatal(err)
	}
	if !mat.Equal(state.H, Gaussian(7, 5, 3, 9).H) {
		t.Error("H differs from Gaussian's")
	}
	var gram mat.Dense
	gram.Mul(state.W.T(), state.W)
	for i := range 5 {
		for j := range 5 {
			want := -scale * scale / 4
			if i == j {
				want = scale * scale
			}
			if math.Abs(gram.At(i, j)-want) > 1e-13 {
				t.Errorf("w_%dᵀw_%d = %v, want %v", i, j, gram.At(i, j), want)
			}
		}
	}
	for _, err := range []error{second(GaussianETF(3, 5, 3, 1, 9)), second(GaussianETF(7, 5, 0, 1, 9)),
		second(GaussianETF(7, 5, 3, 0, 9)),
		second(GaussianETF(7, 5, 3, math.NaN(), 9))} {
		if err == nil {
			t.Error("accepted sizes that do not fit")
		}
	}
}

func second[T any](_ T, err error) error { return err }
