package tiles

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// randomStream returns a stream over a random kernel of small integers, whose sums are exact, and the sums by brute
// force. A class may have one example or none.
func randomStream[T float32 | float64](random *rand.Rand, symmetric bool) (s Stream[T], want []float64,
	largest float64) {
	n, m := 1+random.IntN(30), 1+random.IntN(30)
	s = Stream[T]{Classes: 1 + random.IntN(5), Side: 1 + random.IntN(12), Cols: m}
	if symmetric {
		s.Cols, m = 0, n
	}
	for range n {
		s.Labels = append(s.Labels, random.IntN(s.Classes))
	}
	k := make([]T, n*m)
	for i := range n {
		for j := range m {
			if k[i*m+j] = T(random.IntN(1000)); symmetric && j < i {
				k[i*m+j] = k[j*m+i]
			}
		}
	}
	want = make([]float64, s.Classes*m)
	for i, y := range s.Labels {
		for j := range m {
			want[y*m+j] += float64(k[i*m+j])
		}
		if symmetric {
			largest = math.Max(largest, float64(k[i*m+i]))
		}
	}
	s.Tile = func(rows, cols Range) ([][]T, error) {
		var tile []T
		for i := rows.From; i < rows.To; i++ {
			tile = append(tile, k[i*m+cols.From:i*m+cols.To]...)
		}
		return [][]T{tile}, nil
	}
	return s, want, largest
}

func sameSums[T float32 | float64](t *testing.T, s Stream[T], want []float64, largest float64) {
	t.Helper()
	got, err := s.Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Train.RawMatrix().Data, want) || got.Largest != largest {
		t.Errorf("%d rows, %d columns, %d classes, tiles of %d: sums %v, %g, want %v, %g", len(s.Labels), s.Cols,
			s.Classes, s.Side, got.Train.RawMatrix().Data, got.Largest, want, largest)
	}
}

// TestStream compares streams of random sizes with sums by brute force.
func TestStream(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 1))
	for i := range 200 {
		s32, want, largest := randomStream[float32](random, i%2 == 0)
		sameSums(t, s32, want, largest)
		s64, want, largest := randomStream[float64](random, i%2 == 0)
		sameSums(t, s64, want, largest)
	}
}

// TestStreamResumes interrupts a stream after each of its tiles. The numbers are chosen so that another order of the
// additions would change the result.
func TestStreamResumes(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 2))
	for i := range 20 {
		s, _, _ := randomStream[float64](random, i%2 == 0)
		s.Side = 4
		tile := s.Tile
		s.Tile = func(rows, cols Range) ([][]float64, error) {
			m, err := tile(rows, cols)
			for j := range m[0] {
				m[0][j] = math.Sqrt(m[0][j]) * 1.1
			}
			return m, err
		}
		whole, err := s.Sum(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Checkpoint, s.Identity = filepath.Join(t.TempDir(), "sums"), map[string]string{"network": "relu"}
		for done := range len(s.tiles()) {
			ctx, cancel := context.WithCancel(t.Context())
			s.Progress = func(now, _ int) {
				if now == done+1 {
					cancel()
				}
			}
			_, err := s.Sum(ctx)
			if last := done+1 == len(s.tiles()); last != (err == nil) || !last && !errors.Is(err, context.Canceled) {
				t.Fatalf("after tile %d of %d: error %v", done+1, len(s.tiles()), err)
			}
			cancel()
		}
		s.Tile, s.Progress = nil, nil // everything must already be computed
		got, err := s.Sum(t.Context())
		if err != nil || !slices.Equal(got.Train.RawMatrix().Data, whole.Train.RawMatrix().Data) ||
			got.Largest != whole.Largest {
			t.Fatalf("sums after interruptions differ, error %v", err)
		}
		if side, err := CheckpointSide(s.Checkpoint); side != 4 || err != nil {
			t.Errorf("tiles of %d in the checkpoint, error %v", side, err)
		}
		checkpointRefuses(t, s)
	}
}

// checkpointRefuses checks that the checkpoint of a stream is refused for another calculation, and after damage.
func checkpointRefuses(t *testing.T, s Stream[float64]) {
	t.Helper()
	for what, change := range map[string]func(s *Stream[float64]){
		"network is relu there and erf here": func(s *Stream[float64]) {
			s.Identity = map[string]string{"network": "erf"}
		},
		"labels is ": func(s *Stream[float64]) {
			s.Classes++
			s.Labels = slices.Repeat([]int{s.Classes - 1}, len(s.Labels))
		},
		"tile is 4 there and 5 here": func(s *Stream[float64]) { s.Side = 5 },
		"another kernel":             func(s *Stream[float64]) { s.Identity = nil },
	} {
		other := s
		change(&other)
		if _, err := other.Sum(t.Context()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v, want one with %q", err, what)
		}
	}
	content, err := os.ReadFile(s.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(s.Checkpoint, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sum(t.Context()); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged checkpoint: %v", err)
	}
}

func TestStreamRefuses(t *testing.T) {
	tile := func(v float32) Func[float32] {
		return func(rows, cols Range) ([][]float32, error) {
			m := make([]float32, rows.Len()*cols.Len())
			m[len(m)-1] = v
			return [][]float32{m}, nil
		}
	}
	for want, s := range map[string]Stream[float32]{
		"0 rows":               {Classes: 1, Side: 1},
		"label 2 of example 1": {Labels: []int{0, 2}, Classes: 2, Side: 1},
		"not finite":           {Labels: []int{0, 1}, Classes: 2, Side: 1, Tile: tile(float32(math.NaN()))},
		"must be finite":       {Labels: []int{0, 1}, Classes: 2, Side: 2, Cols: 3, Tile: tile(float32(math.Inf(1)))},
		"no matrix of 1×1": {Labels: []int{0}, Classes: 1, Side: 2, Tile: func(rows, cols Range) ([][]float32, error) {
			return nil, nil
		}},
	} {
		if _, err := s.Sum(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
