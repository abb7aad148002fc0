package tiles

import (
	"fmt"
	"math"
	"os"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// Plan is the memory that a tile of n1×n2 examples takes, and the memory that it may take, in bytes:
//
//	Pair·n1·n2 + Example·(n1 + n2) + Fixed ≤ Budget
//
// The first three are those of the function that computes a tile ([ntk.Infinite.Memory], [ntk.Empirical.Memory]),
// without the matrices it returns.
type Plan struct{ Pair, Example, Fixed, Budget int64 }

// Inputs adds the examples x1, and x2 unless it is nil, to the plan: all of them are in memory, with a copy of the
// examples of a tile.
func (p Plan) Inputs(x1, x2 *tensors.Tensor) Plan {
	p.Fixed += x1.ByteSize()
	p.Example += x1.ByteSize() / int64(x1.Shape().Dimensions[0])
	if x2 != nil {
		p.Fixed += x2.ByteSize()
	}
	return p
}

// matrices adds the matrices of a tile, and the transpose of one of them.
func (p Plan) matrices(k Kernel) Plan {
	p.Pair += int64(itemSize(k.DType)) * int64(max(1, k.Outputs*k.Outputs)*(len(k.Arrays)+1))
	return p
}

// bytes returns the memory of a tile of side×side examples.
func (p Plan) bytes(side int) int64 {
	n := int64(side)
	return p.Pair*n*n + 2*p.Example*n + p.Fixed
}

// largest returns the largest number of examples along the sides of a tile within the budget.
func (p Plan) largest() (int, error) {
	free := float64(p.Budget - p.Fixed)
	pair, example := float64(p.Pair), float64(p.Example)
	side := (math.Sqrt(example*example+max(0, pair*free)) - example) / pair
	if side < 1 {
		return 0, fmt.Errorf("a memory budget of %d bytes is too small: one pair of examples takes %d", p.Budget,
			p.bytes(1))
	}
	return int(min(side, math.MaxInt32)), nil
}

// largestTile is the largest tile that Prepare chooses, for any memory: 16 MiB of float32.
const largestTile = 2048

// Prepare calls [Create] with tiles that f can compute within the plan. If k.Tile is 0, it takes the tile size of an
// existing folder. For a new folder it takes the largest tiles that fit, up to 2,048 examples, and that f, which it
// times, computes in about ten seconds: an interruption loses the tile that is being computed. It is an error if the
// tiles of k.Tile, or those of the folder, do not fit.
func Prepare[T float32 | float64](dir string, k Kernel, f Func[T], p Plan) (*Store, error) {
	p = p.matrices(k)
	most, err := p.largest()
	if err != nil {
		return nil, err
	}
	tooLarge := func(whose string, side int) error {
		return fmt.Errorf("a memory budget of %d bytes holds tiles of %d examples, %s have %d: it takes about %d bytes",
			p.Budget, most, whose, side, p.bytes(side))
	}
	all, asked := max(k.Rows, k.Cols), k.Tile
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		there, err := Open(dir)
		if err != nil {
			return nil, fmt.Errorf("%w; or choose another folder", err)
		}
		k.Tile = there.Kernel.Tile
	case asked == 0:
		if k.Tile, err = quickSide(f, min(most, largestTile), k.Rows, k.Cols); err != nil {
			return nil, err
		}
	default:
		if k.Tile = min(asked, all); k.Tile > most {
			return nil, tooLarge("with the requested size they", k.Tile)
		}
	}
	s, err := Create(dir, k)
	if err != nil {
		return nil, err
	}
	if asked > 0 && min(s.Kernel.Tile, all) != min(asked, all) {
		return nil, fmt.Errorf("%s has tiles of %d and not of %d: continue with its own size (0)", dir,
			s.Kernel.Tile, asked)
	}
	if side := s.Side(); side > most {
		return nil, tooLarge("those of "+dir, side)
	}
	return s, nil
}

// Side returns the number of examples along the longer side of the store's tiles.
func (s *Store) Side() int {
	chunks := s.arrays[s.Kernel.Arrays[0]].Chunks // all arrays are alike
	return max(chunks[0], chunks[1])
}

// quickTile is about the longest time for a tile, because an interruption loses the tile that is being computed.
const quickTile = 10 * time.Second

// quickSide returns the largest side, up to most, of tiles that do not take much longer than quickTile. It times small
// tiles.
func quickSide[T float32 | float64](f Func[T], most, rows, cols int) (int, error) {
	most = min(most, max(rows, cols))
	tile := func(side int) (Range, Range) { // not on the diagonal of a symmetric kernel, if there is room
		return Range{0, min(side, rows)}, Range{max(0, cols-side), cols}
	}
	for side := 1; side < most; side *= 8 {
		r, c := tile(side)
		var elapsed time.Duration
		for range 2 { // the first call includes compilation
			start := time.Now()
			if _, err := f(r, c); err != nil {
				return 0, err
			}
			if elapsed = time.Since(start); elapsed < quickTile/100 {
				break
			}
		}
		if elapsed >= quickTile/100 {
			pairs := float64(r.Len()) * float64(c.Len())
			return int(max(1, min(float64(most), math.Sqrt(pairs*float64(quickTile)/float64(elapsed))))), nil
		}
	}
	return most, nil
}
