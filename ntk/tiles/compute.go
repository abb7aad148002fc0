package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/lease"
)

// Func computes the tile of the examples rows × cols. It returns one matrix for each of the kernel's arrays, in C
// order, [rows.Len(), cols.Len()] or [rows.Len(), cols.Len(), C, C]. Tiles on the diagonal of a symmetric kernel have
// equal ranges.
type Func[T float32 | float64] func(rows, cols Range) ([][]T, error)

// Options of [Compute]. With the zero value it computes all missing tiles and reports no progress.
type Options struct {
	// The number of this worker, 1 … Workers; 0, 0 for a single worker. It begins with its own share of the tiles.
	Worker, Workers int
	// Progress, if set, is called at the beginning and after each tile with the number of tiles that are done, of all
	// those of this worker's share and those that it has taken from the shares of others.
	Progress func(done, all int)
}

// Compute computes the missing tiles of this worker's share, those t with t mod Workers = Worker−1, and then the
// missing tiles of the other shares that no other process has claimed. It returns when its own share is complete: if
// another process has claimed a tile of it, Compute waits until the tile is there or the claim has expired.
//
// Before, it reads the existing tiles: it is an error if one is damaged. If the context is cancelled, Compute finishes
// the current tile and returns; the same call then continues. If a tile has numbers that are not finite, it is an
// error, and this tile is not written.
func Compute[T float32 | float64](ctx context.Context, s *Store, f Func[T], o Options) error {
	var zero T
	if binary.Size(zero) != itemSize(s.Kernel.DType) {
		return fmt.Errorf("tiles: a function of %T for a kernel of dtype %s", zero, s.Kernel.DType)
	}
	if o.Worker == 0 && o.Workers == 0 {
		o.Worker, o.Workers = 1, 1
	}
	if o.Worker < 1 || o.Worker > o.Workers {
		return fmt.Errorf("tiles: worker %d of %d: want 1 to the number of workers", o.Worker, o.Workers)
	}
	var own, others [][2]int
	for t, tile := range s.tiles() {
		if t%o.Workers == o.Worker-1 {
			own = append(own, tile)
		} else {
			others = append(others, tile)
		}
	}
	w := worker[T]{store: s, tile: f, report: o.Progress, all: len(own)}
	missing, err := s.missing(ctx, own, &w.done)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, claimsFolder), 0o755); err != nil {
		return err
	}
	files.RemoveStale(filepath.Join(s.Dir, claimsFolder), "")
	s.removeClaims()
	for _, name := range s.Kernel.Arrays {
		files.RemoveStale(filepath.Join(s.Dir, name), "")
		files.RemoveStale(filepath.Join(s.Dir, sumsFolder, name), "")
	}
	if o.Progress != nil {
		o.Progress(w.done, w.all)
	}
	claimed, err := w.compute(ctx, missing)
	if err != nil {
		return err
	}
	from := len(others) * (o.Worker - 1) / o.Workers // workers begin at different tiles
	if err := w.steal(ctx, s.unlisted(slices.Concat(others[from:], others[:from]))); err != nil {
		return err
	}
	for len(claimed) > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(waitForOthers):
		}
		if claimed, err = w.compute(ctx, claimed); err != nil {
			return err
		}
	}
	return nil
}

// worker computes tiles in one call of Compute.
type worker[T float32 | float64] struct {
	store     *Store
	tile      Func[T]
	report    func(done, all int)
	done, all int // tiles
}

// compute computes the tiles that are missing and not claimed, and returns the claimed ones.
func (w *worker[T]) compute(ctx context.Context, tiles [][2]int) (claimed [][2]int, err error) {
	for _, tile := range tiles {
		switch err := w.one(ctx, tile); {
		case errors.Is(err, lease.ErrTaken):
			claimed = append(claimed, tile)
		case err != nil:
			return nil, err
		}
	}
	return claimed, nil
}

// steal does those tiles of other shares that are missing and not claimed.
func (w *worker[T]) steal(ctx context.Context, tiles [][2]int) error {
	inRow := 0
	for _, tile := range tiles {
		if w.store.done(tile) {
			continue
		}
		w.all++
		err := w.one(ctx, tile)
		if err == nil {
			inRow = 0
			continue
		}
		w.all--
		if !errors.Is(err, lease.ErrTaken) {
			return err
		}
		if inRow++; inRow == enoughClaimed {
			return nil
		}
	}
	return nil
}

// one computes a tile, unless it is there, and reports the progress. It is lease.ErrTaken if it is claimed.
func (w *worker[T]) one(ctx context.Context, tile [2]int) error {
	if err := w.store.interrupted(ctx, w.done, w.all); err != nil {
		return err
	}
	if err := claimTile(w.store, w.tile, tile); err != nil {
		return err
	}
	w.done++
	if w.report != nil {
		w.report(w.done, w.all)
	}
	return nil
}

// claimsFolder has the claims of the processes that compute tiles at this moment.
const claimsFolder = ".claims"

// enoughClaimed is the number of tiles in a row that others have claimed after which a worker stops to look for tiles
// of other shares: all that are left are being computed. With many workers, more would only be work for the file
// system.
const enoughClaimed = 16

// waitForOthers is the time between two looks at tiles that another process computes.
const waitForOthers = time.Second / 2

// claimTile computes a tile unless it is there, which is not an error, or claimed by another process, which is
// lease.ErrTaken.
func claimTile[T float32 | float64](s *Store, f Func[T], tile [2]int) error {
	if s.done(tile) {
		return nil
	}
	claim, err := lease.Take(filepath.Join(s.Dir, claimsFolder, fmt.Sprintf("%d.%d", tile[0], tile[1])))
	if err != nil {
		return err
	}
	if !s.done(tile) { // another process may have computed it before the claim
		if err := computeTile(s, f, tile, claim); errors.Is(err, lease.ErrLost) {
			claim.Release()
			return lease.ErrTaken // as if it had never been this process's
		} else if err != nil {
			claim.Release()
			return err
		}
	}
	claim.Finish()
	return nil
}

// removeClaims removes the claims of finished tiles if nobody holds them. They are left by processes that were killed
// after they had written a tile and before they removed their claim.
func (s *Store) removeClaims() {
	claims, _ := os.ReadDir(filepath.Join(s.Dir, claimsFolder))
	for _, c := range claims {
		var tile [2]int
		var generation int
		if _, err := fmt.Sscanf(c.Name(), "%d.%d.%d", &tile[0], &tile[1], &generation); err != nil || !s.done(tile) {
			continue
		}
		path := filepath.Join(s.Dir, claimsFolder, c.Name())
		if lease.Check(strings.TrimSuffix(path, filepath.Ext(path))) == nil {
			os.Remove(path)
		}
	}
}

// missing returns the tiles that have to be computed, after checking those that exist, which it counts.
func (s *Store) missing(ctx context.Context, tiles [][2]int, there *int) (missing [][2]int, err error) {
	var damaged []error
	for _, tile := range tiles {
		if err := s.interrupted(ctx, *there, len(tiles)); err != nil {
			return nil, err
		}
		switch done, err := s.checkTile(tile); {
		case err != nil:
			damaged = append(damaged, err)
		case done:
			*there++
		default:
			missing = append(missing, tile)
		}
	}
	return missing, several(damaged)
}

// unlisted returns the tiles some of whose chunks or checksums are not in the folders' listings. On a shared file
// system to list a folder costs less than to ask for each of its files.
func (s *Store) unlisted(tiles [][2]int) (list [][2]int) {
	there := map[string]bool{}
	for _, name := range s.Kernel.Arrays {
		for _, folder := range []string{filepath.Join(s.Dir, name), filepath.Join(s.Dir, sumsFolder, name)} {
			entries, _ := os.ReadDir(folder) // what cannot be listed is looked at one by one
			for _, entry := range entries {
				there[filepath.Join(folder, entry.Name())] = true
			}
		}
	}
	for _, tile := range tiles {
		if slices.ContainsFunc(s.chunks(tile), func(c chunk) bool {
			chunk, sum := s.paths(c.array, c.i, c.j)
			return !there[chunk] || !there[sum]
		}) {
			list = append(list, tile)
		}
	}
	return list
}

// interrupted returns an error if the context has ended.
func (s *Store) interrupted(ctx context.Context, done, all int) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w with %d of %d tiles done", s.Dir, err, done, all)
	}
	return nil
}

// tiles lists the tiles to compute, in the order by which they are divided among workers.
func (s *Store) tiles() [][2]int {
	var list [][2]int
	rows, cols := s.arrays[s.Kernel.Arrays[0]].grid()
	for i := range rows {
		for j := range cols {
			if !s.Kernel.Symmetric || i <= j {
				list = append(list, [2]int{i, j})
			}
		}
	}
	return list
}

// Tile is a tile of a kernel, the unit of work.
type Tile struct {
	Name       string // that of its chunk
	Rows, Cols Range
	Done       bool
}

// List lists the tiles in the order by which they are divided among workers: with n workers, every n-th is one's share.
func (s *Store) List() (list []Tile) {
	m := s.arrays[s.Kernel.Arrays[0]]
	for _, tile := range s.tiles() {
		rows, cols := m.examples(tile[0], tile[1])
		list = append(list, Tile{m.chunkName(tile[0], tile[1]), rows, cols, s.done(tile)})
	}
	return list
}

// chunks lists the chunks that a tile is written to, by array and place.
func (s *Store) chunks(tile [2]int) (list []chunk) {
	for _, name := range s.Kernel.Arrays {
		list = append(list, chunk{name, tile[0], tile[1]})
		if s.Kernel.Symmetric && tile[0] != tile[1] {
			list = append(list, chunk{name, tile[1], tile[0]})
		}
	}
	return list
}

type chunk struct {
	array string
	i, j  int
}

// done reports whether all chunks of a tile exist.
func (s *Store) done(tile [2]int) bool {
	return !slices.ContainsFunc(s.chunks(tile), func(c chunk) bool { return !s.has(c.array, c.i, c.j) })
}

// checkTile reports whether all chunks of a tile exist, and compares them with their checksums. A chunk without a
// checksum counts as missing.
func (s *Store) checkTile(tile [2]int) (done bool, err error) {
	done = true
	for _, c := range s.chunks(tile) {
		there, err := s.check(c.array, c.i, c.j)
		if err != nil && !errors.Is(err, errNoSum) {
			return false, err
		}
		done = done && there && err == nil
	}
	return done, nil
}

// has reports whether a chunk and its checksum exist, without reading them.
func (s *Store) has(array string, i, j int) bool {
	chunk, sum := s.paths(array, i, j)
	_, err1 := os.Stat(chunk)
	_, err2 := os.Stat(sum)
	return err1 == nil && err2 == nil
}

// computeTile computes a tile, and writes it if the claim is still held.
func computeTile[T float32 | float64](s *Store, f Func[T], tile [2]int, claim *lease.Lease) error {
	i, j := tile[0], tile[1]
	m := s.arrays[s.Kernel.Arrays[0]] // all arrays have the same metadata
	rows, cols := m.examples(i, j)
	matrices, err := f(rows, cols)
	if err != nil {
		return fmt.Errorf("tile %s of examples %v and %v: %w", m.chunkName(i, j), rows, cols, err)
	}
	c := m.outputs()
	size := rows.Len() * cols.Len() * c * c
	if len(matrices) != len(s.Kernel.Arrays) {
		return fmt.Errorf("tiles: the function returned %d matrices for the arrays %v", len(matrices), s.Kernel.Arrays)
	}
	for k, name := range s.Kernel.Arrays {
		if len(matrices[k]) != size {
			return fmt.Errorf("tiles: the function returned %d numbers for %s, %d×%d examples and %d×%d outputs",
				len(matrices[k]), name, rows.Len(), cols.Len(), c, c)
		}
		for e, v := range matrices[k] {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("%s of examples %d and %d is %g: kernels must be finite; nothing of this tile "+
					"was written", name, rows.From+e/(c*c)/cols.Len(), cols.From+e/(c*c)%cols.Len(), v)
			}
		}
	}
	if err := claim.Held(); err != nil {
		return err
	}
	for k, name := range s.Kernel.Arrays {
		if s.Kernel.Symmetric && i != j {
			if err := writeChunk(s, name, j, i, cols, rows, transposed(matrices[k], rows.Len(), cols.Len(),
				c)); err != nil {
				return err
			}
		}
		if err := writeChunk(s, name, i, j, rows, cols, matrices[k]); err != nil {
			return err
		}
	}
	return nil
}

// transposed returns a matrix [rows, cols, c, c] as [cols, rows, c, c], with both pairs of axes exchanged.
func transposed[T float32 | float64](matrix []T, rows, cols, c int) []T {
	out := make([]T, len(matrix))
	for i := range rows {
		for j := range cols {
			from, to := matrix[(i*cols+j)*c*c:], out[(j*rows+i)*c*c:]
			for a := range c {
				for b := range c {
					to[b*c+a] = from[a*c+b]
				}
			}
		}
	}
	return out
}

// writeChunk writes a chunk of full size whose upper left part is the matrix [rows, cols, C, C]: first its checksum,
// then the chunk itself.
func writeChunk[T float32 | float64](s *Store, array string, i, j int, rows, cols Range, matrix []T) error {
	m := s.arrays[array]
	path, sumPath := s.paths(array, i, j)
	item := itemSize(m.DType)
	inner := m.outputs() * m.outputs()
	line := make([]byte, m.Chunks[1]*inner*item) // ends with zeros
	hash := sha256.New()
	file, err := files.Stage(path, func(w io.Writer) error {
		w = io.MultiWriter(w, hash)
		for r := range m.Chunks[0] {
			if r < rows.Len() {
				n := cols.Len() * inner
				if _, err := binary.Encode(line, binary.LittleEndian, matrix[r*n:(r+1)*n]); err != nil {
					return err
				}
			} else {
				clear(line)
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer os.Remove(file) // if there is an error
	sum, err := files.Stage(sumPath, func(w io.Writer) error {
		_, err := io.WriteString(w, s.chunkSum(hash.Sum(nil), array, filepath.Base(path)))
		return err
	})
	if err != nil {
		return err
	}
	defer os.Remove(sum)
	err1 := os.Rename(sum, sumPath)
	if err1 == nil {
		err = os.Rename(file, path)
	}
	err = errors.Join(err1, err)
	// Another process may have removed the file as stale, and written the chunk itself.
	if errors.Is(err, os.ErrNotExist) && s.has(array, i, j) {
		return nil
	}
	return err
}
