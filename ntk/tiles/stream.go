package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/parallel"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Stream sums a kernel over the classes of its rows' examples, tile by tile: S = onehot·κ, C×cols. A tile is computed,
// or read, added to the sums in float64, and thrown away, so that the memory is that of the sums and of a tile. The
// sums are all that Theorem 8 needs ([dynamics.ClassSums]), for any γ.
type Stream[T float32 | float64] struct {
	Tile    Func[T] // computes a tile; the kernel is the first of its matrices, without outputs of its own
	Labels  []int   // class of each row's example, 0 … Classes−1
	Classes int
	// Cols is the number of examples of the columns. 0 means that they are those of the rows: then the kernel is
	// symmetric, and each tile beside the diagonal serves twice.
	Cols int
	Side int // number of examples along the sides of a tile
	// Checkpoint is the file in which the sums are saved every ten seconds and at the end; "" saves nothing. If the
	// file exists, Sum goes on from it with the same results, to the last bit.
	Checkpoint string
	// Identity has everything that the numbers depend on and that is not in the fields above. It is an error if that of
	// the checkpoint is another one.
	Identity map[string]string
	Progress func(done, all int) // called at the beginning and after each tile, unless it is nil
}

// checkpointTitle is the first line of a checkpoint's file.
const checkpointTitle = "unhinged-lab sums of a kernel 1"

// saveEvery is the time between two checkpoints.
const saveEvery = 10 * time.Second

// streamState is the content of a checkpoint.
type streamState struct {
	Identity map[string]string
	Done     int // tiles
	Largest  float64
	Sums     []float64 // C×cols
}

// Sum returns the sums over all tiles. Largest is the largest entry of the diagonal, and 0 if the columns have examples
// of their own. If the context is cancelled, Sum saves the sums so far and returns an error; the same call then goes
// on.
func (s Stream[T]) Sum(ctx context.Context) (dynamics.ClassSums, error) {
	var none dynamics.ClassSums
	if err := s.check(); err != nil {
		return none, err
	}
	state, err := s.load()
	if err != nil {
		return none, err
	}
	tiles := s.tiles()
	report := func() {
		if s.Progress != nil {
			s.Progress(state.Done, len(tiles))
		}
	}
	report()
	saved := time.Now()
	first := state.Done
	matrices, end := s.ahead(tiles[state.Done:])
	defer end()
	for _, tile := range tiles[state.Done:] {
		if err := ctx.Err(); err != nil {
			return none, errors.Join(fmt.Errorf("%w with %d of %d tiles summed", err, state.Done, len(tiles)),
				s.save(state))
		}
		if err := s.add(state, tile[0], tile[1], <-matrices); err != nil {
			return none, err
		}
		state.Done++
		if time.Since(saved) > saveEvery && state.Done < len(tiles) {
			if err := s.save(state); err != nil {
				return none, err
			}
			saved = time.Now()
		}
		report()
	}
	if state.Done > first {
		if err := s.save(state); err != nil {
			return none, err
		}
	}
	return dynamics.ClassSums{Train: mat.NewDense(s.Classes, s.cols(), state.Sums), Largest: state.Largest}, nil
}

func (s Stream[T]) check() error {
	if len(s.Labels) == 0 || s.Classes < 1 || s.Cols < 0 || s.Side < 1 {
		return fmt.Errorf("tiles: a stream of %d rows of %d classes, %d columns, in tiles of %d: want at least 1, "+
			"1, 0, 1", len(s.Labels), s.Classes, s.Cols, s.Side)
	}
	for i, y := range s.Labels {
		if y < 0 || y >= s.Classes {
			return fmt.Errorf("tiles: label %d of example %d: want 0 to %d", y, i, s.Classes-1)
		}
	}
	return nil
}

func (s Stream[T]) symmetric() bool { return s.Cols == 0 }

func (s Stream[T]) cols() int {
	if s.symmetric() {
		return len(s.Labels)
	}
	return s.Cols
}

// tiles lists the tiles in the order in which they are summed. Of a symmetric kernel they are those on and above the
// diagonal.
func (s Stream[T]) tiles() (list [][2]Range) {
	n, m := len(s.Labels), s.cols()
	for i := 0; i < n; i += s.Side {
		j := 0
		if s.symmetric() {
			j = i
		}
		for ; j < m; j += s.Side {
			list = append(list, [2]Range{{i, min(i+s.Side, n)}, {j, min(j+s.Side, m)}})
		}
	}
	return list
}

// computedTile is what Tile returned.
type computedTile[T float32 | float64] struct {
	matrices [][]T
	err      error
}

// ahead computes the tiles in order, one while the tile before it is added to the sums. end stops it and waits until it
// has stopped.
func (s Stream[T]) ahead(tiles [][2]Range) (out chan computedTile[T], end func()) {
	out = make(chan computedTile[T])
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for _, tile := range tiles {
			matrices, err := s.Tile(tile[0], tile[1])
			select {
			case out <- computedTile[T]{matrices, err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	})
	return out, func() {
		close(stop)
		work.Wait()
	}
}

// add adds a tile to the sums. Each of the sums has its additions in the same order on any number of processors.
func (s Stream[T]) add(state *streamState, rows, cols Range, tile computedTile[T]) error {
	what := fmt.Sprintf("tile of examples %v and %v", rows, cols)
	if tile.err != nil {
		return fmt.Errorf("%s: %w", what, tile.err)
	}
	if len(tile.matrices) == 0 || len(tile.matrices[0]) != rows.Len()*cols.Len() {
		return fmt.Errorf("tiles: the function returned no matrix of %d×%d for the %s", rows.Len(), cols.Len(), what)
	}
	k, width := tile.matrices[0], cols.Len()
	sums := mat.NewDense(s.Classes, s.cols(), state.Sums)
	const part = 256 // columns, whose sums fit into the cache
	parallel.For((width+part-1)/part, func(p int) {
		from, to := p*part, min((p+1)*part, width)
		for i := range rows.Len() {
			sum := sums.RawRowView(s.Labels[rows.From+i])[cols.From+from : cols.From+to]
			for j, v := range k[i*width+from : i*width+to] {
				sum[j] += float64(v)
			}
		}
	})
	switch {
	case !s.symmetric():
	case rows == cols:
		for i := range width {
			state.Largest = max(state.Largest, float64(k[i*width+i]))
		}
	default: // the transposed tile
		labels := s.Labels[cols.From:cols.To]
		parallel.For(rows.Len(), func(i int) {
			sum := make([]float64, s.Classes)
			for j, v := range k[i*width : (i+1)*width] {
				sum[labels[j]] += float64(v)
			}
			for c, v := range sum {
				sums.Set(c, rows.From+i, sums.At(c, rows.From+i)+v)
			}
		})
	}
	for c := range s.Classes { // a number that is not finite stays in its sum
		for _, r := range []Range{rows, cols} {
			if r == rows && !s.symmetric() {
				continue
			}
			if sum := floats.Sum(sums.RawRowView(c)[r.From:r.To]); math.IsNaN(sum) || math.IsInf(sum, 0) {
				return fmt.Errorf("%s: it has numbers that are not finite, or sums to them: "+
					"kernels must be finite", what)
			}
		}
	}
	return nil
}

// identity is the Identity, with what follows from the other fields.
func (s Stream[T]) identity() map[string]string {
	all := maps.Clone(s.Identity)
	if all == nil {
		all = map[string]string{}
	}
	sum := sha256.Sum256(fmt.Append(nil, s.Labels))
	all["labels"] = hex.EncodeToString(sum[:])
	all["size"] = fmt.Sprintf("%d×%d", len(s.Labels), s.Cols)
	all["classes"] = fmt.Sprint(s.Classes)
	all["tile"] = fmt.Sprint(s.Side)
	all["type"] = fmt.Sprintf("%T", T(0))
	return all
}

func (s Stream[T]) save(state *streamState) error {
	if s.Checkpoint == "" {
		return nil
	}
	return files.WriteSealed(s.Checkpoint, checkpointTitle, func(w io.Writer) error {
		return gob.NewEncoder(w).Encode(state)
	})
}

// load returns the state of the checkpoint, or that of the beginning if there is none.
func (s Stream[T]) load() (*streamState, error) {
	identity := s.identity()
	begin := &streamState{Identity: identity, Sums: make([]float64, s.Classes*s.cols())}
	if s.Checkpoint == "" {
		return begin, nil
	}
	saved, err := readCheckpoint(s.Checkpoint)
	if errors.Is(err, os.ErrNotExist) {
		return begin, nil
	}
	if err != nil {
		return nil, err
	}
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(identity)) {
		if saved.Identity[name] != identity[name] {
			differences = append(differences, fmt.Sprintf("%s is %s there and %s here", name,
				orNone(saved.Identity[name]), identity[name]))
		}
	}
	if len(differences) > 0 || len(saved.Identity) != len(identity) || len(saved.Sums) != len(begin.Sums) ||
		saved.Done < 0 || saved.Done > len(s.tiles()) {
		return nil, fmt.Errorf("%s holds the sums of another kernel: %s; choose another file, or remove this one",
			s.Checkpoint, strings.Join(differences, "; "))
	}
	return saved, nil
}

// CheckpointSide returns the size of the tiles of a [Stream] that was saved in the file, and 0 if there is no file.
func CheckpointSide(path string) (side int, err error) {
	saved, err := readCheckpoint(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(saved.Identity["tile"], &side); err != nil || side < 1 {
		return 0, fmt.Errorf("%s has tiles of %q: remove the file", path, saved.Identity["tile"])
	}
	return side, nil
}

func readCheckpoint(path string) (*streamState, error) {
	in, err := files.OpenSealed(path, checkpointTitle)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w; remove it, and the sums begin anew", err)
	}
	defer in.Close()
	saved := new(streamState)
	if err := gob.NewDecoder(in).Decode(saved); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it, and the sums begin anew", path, err)
	}
	return saved, nil
}

// StreamSide returns the side of tiles for a [Stream] of rows × cols examples that f can compute within the plan, up to
// 2,048 examples and about ten seconds a tile, as [Prepare] chooses it.
func StreamSide[T float32 | float64](f Func[T], p Plan, rows, cols int) (int, error) {
	p = p.matrices(Kernel{DType: Float32, Arrays: []string{NTK}})
	most, err := p.largest()
	if err != nil {
		return 0, err
	}
	side, err := quickSide(f, min(most, largestTile), rows, cols)
	if err != nil {
		return 0, err
	}
	return ceilDiv(rows, ceilDiv(rows, side)), nil // tiles of equal sizes: XLA compiles a program for each size
}

// Tiles returns the array's tiles, or parts of them, as a function for a [Stream].
func (a *Array) Tiles() Func[float64] {
	return func(rows, cols Range) ([][]float64, error) {
		block, err := a.Block(rows, cols)
		if err != nil {
			return nil, err
		}
		return [][]float64{block.RawMatrix().Data}, nil
	}
}
