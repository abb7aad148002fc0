package tiles

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/regular"
)

// Kernel describes the kernel of a folder.
type Kernel struct {
	// names of the matrices that a tile consists of, such as "nngp", "ntk"
	Arrays    []string `json:"arrays"`
	DType     string   `json:"dtype"`             // Float32 or Float64
	Rows      int      `json:"rows"`              // N1
	Cols      int      `json:"cols"`              // N2
	Outputs   int      `json:"outputs,omitempty"` // C of a full kernel [N1, N2, C, C]; 0: the arrays are [N1, N2]
	Symmetric bool     `json:"symmetric"`         // K[i, j, a, b] = K[j, i, b, a], half of the tiles are computed
	// the largest number of examples along the sides of a tile; 0 lets Prepare choose
	Tile       int   `json:"tile"`
	Labels     []int `json:"-"` // of the rows' examples, if they are known
	ColsLabels []int `json:"-"` // of the columns' examples
	// Identity has everything that the numbers depend on and that is not in the fields above: the network and the
	// examples. A folder with another Identity is refused. See the function of this name.
	Identity map[string]string `json:"identity"`
	// About has other information, such as the command.
	About map[string]string `json:"about,omitempty"`
}

// Store is a kernel's folder.
type Store struct {
	Dir    string
	Kernel Kernel // as in the folder, without the labels
	arrays map[string]metadata

	index   string   // the content of the index of checksums
	checked sync.Map // paths of the chunks that were compared with their checksums
}

// Names of the files that Zarr prescribes.
const (
	groupFile      = ".zgroup"
	attributesFile = ".zattrs"
	arrayFile      = ".zarray"
	labelsArray    = "labels"
	colsLabels     = "labels2"
)

// Create creates the folder, or opens an existing one. If an existing folder has another kernel or other labels, the
// error says what differs. The size of tiles and About may differ; those of the folder are kept. Tiles have equal
// sizes: 5,000 examples in tiles of at most 4,096 become two tiles of 2,500. Several processes may create the same
// folder at the same time.
func Create(dir string, k Kernel) (*Store, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	dir = filepath.Clean(dir)
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved // if dir is a link, its target is created, and the link is kept
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(entries) == 0 {
		if err := create(dir, k); err != nil {
			if entries, _ := os.ReadDir(dir); len(entries) == 0 { // otherwise another process was faster
				return nil, err
			}
		}
	}
	s, err := Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another folder", err)
	}
	differences := s.Kernel.differences(k)
	labels, err1 := s.integers(labelsArray, s.Kernel.Rows)
	colsLabels, err2 := s.integers(colsLabels, s.Kernel.Cols)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if !slices.Equal(labels, k.Labels) || !slices.Equal(colsLabels, k.ColsLabels) {
		differences = append(differences, "the examples there have other labels")
	}
	if len(differences) > 0 {
		return nil, fmt.Errorf("%s holds another kernel: %s; choose another folder, or remove this one", dir,
			strings.Join(differences, "; "))
	}
	return s, nil
}

// check returns an error if the fields of the kernel are not valid.
func (k Kernel) check() error {
	switch {
	case len(k.Arrays) == 0:
		return errors.New("tiles: a kernel without arrays")
	case k.DType != Float32 && k.DType != Float64:
		return fmt.Errorf("tiles: dtype %q: want %s or %s", k.DType, Float32, Float64)
	case k.Rows < 1 || k.Cols < 1 || k.Outputs < 0 || k.Tile < 1:
		return fmt.Errorf("tiles: a kernel of %d×%d examples, %d outputs, in tiles of %d: want at least 1, 1, 0, 1",
			k.Rows, k.Cols, k.Outputs, k.Tile)
	case k.Symmetric && k.Rows != k.Cols:
		return fmt.Errorf("tiles: a symmetric kernel of %d×%d examples", k.Rows, k.Cols)
	case k.Labels != nil && len(k.Labels) != k.Rows || k.ColsLabels != nil && len(k.ColsLabels) != k.Cols:
		return fmt.Errorf("tiles: %d and %d labels for a kernel of %d×%d examples", len(k.Labels), len(k.ColsLabels),
			k.Rows, k.Cols)
	}
	for i, name := range k.Arrays {
		if !plain(name) || name == labelsArray || name == colsLabels || slices.Contains(k.Arrays[:i], name) {
			return fmt.Errorf("tiles: array name %q: want different names of letters, digits, - and _", name)
		}
	}
	m, err := k.parseable()
	if err != nil {
		return err
	}
	if rows, cols := m.grid(); rows > mostTiles/cols {
		least := int(math.Ceil(math.Sqrt(float64(k.Rows) * float64(k.Cols) / mostTiles)))
		return fmt.Errorf("tiles: a kernel of %d×%d examples in tiles of %d has %d×%d of them, each a file: want "+
			"tiles of about %d examples, with more memory if it takes that",
			k.Rows, k.Cols, k.Tile, rows, cols, least)
	}
	return nil
}

// mostTiles is the largest number of files of an array.
const mostTiles = 1 << 20

// plain reports whether a name is valid for a folder on every system.
func plain(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// parseable returns the metadata of each array, after parsing it as Open will do.
func (k Kernel) parseable() (metadata, error) {
	text, err := json.Marshal(k.metadata())
	if err != nil {
		return metadata{}, err
	}
	return parseMetadata(text)
}

func (k Kernel) metadata() metadata {
	side := func(n int) int { return ceilDiv(n, ceilDiv(n, k.Tile)) }
	shape, chunks := []int{k.Rows, k.Cols}, []int{side(k.Rows), side(k.Cols)}
	if k.Outputs > 0 {
		shape, chunks = append(shape, k.Outputs, k.Outputs), append(chunks, k.Outputs, k.Outputs)
	}
	return newMetadata(k.DType, shape, chunks)
}

// differences lists the differences of two kernels.
func (k Kernel) differences(now Kernel) []string {
	var list []string
	compare := func(what string, there, now any) {
		if t, n := fmt.Sprint(there), fmt.Sprint(now); t != n {
			list = append(list, fmt.Sprintf("%s is %s there and %s here", what, t, n))
		}
	}
	compare("arrays", k.Arrays, now.Arrays)
	compare("dtype", k.DType, now.DType)
	compare("size", fmt.Sprintf("%d×%d", k.Rows, k.Cols), fmt.Sprintf("%d×%d", now.Rows, now.Cols))
	compare("outputs", k.Outputs, now.Outputs)
	compare("symmetric", k.Symmetric, now.Symmetric)
	all := maps.Clone(k.Identity)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, now.Identity)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		compare(what, orNone(k.Identity[what]), orNone(now.Identity[what]))
	}
	return list
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// create builds the folder under another name and renames it, so that it appears with all its metadata, and only one
// process creates it.
func create(dir string, k Kernel) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	files.RemoveStale(parent, filepath.Base(dir))
	tmp, err := os.MkdirTemp(parent, files.Temporary(filepath.Base(dir)))
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	write := func(name string, value any) error {
		text, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tmp, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, name), append(text, '\n'), 0o644)
	}
	errs := []error{os.Mkdir(filepath.Join(tmp, sumsFolder), 0o755), write(groupFile, map[string]int{"zarr_format": 2}),
		write(attributesFile, k)}
	for _, name := range k.Arrays {
		errs = append(errs, write(filepath.Join(name, arrayFile), k.metadata()), os.Mkdir(filepath.Join(tmp, sumsFolder,
			name), 0o755))
	}
	for name, labels := range map[string][]int{labelsArray: k.Labels, colsLabels: k.ColsLabels} {
		if labels == nil {
			continue
		}
		wide := make([]int64, len(labels))
		for i, label := range labels {
			wide[i] = int64(label)
		}
		content, err := binary.Append(nil, binary.LittleEndian, wide)
		errs = append(errs, err, write(filepath.Join(name, arrayFile), newMetadata(int64s, []int{len(labels)},
			[]int{len(labels)})),
			os.WriteFile(filepath.Join(tmp, name, "0"), content, 0o644))
	}
	if err := errors.Join(append(errs, writeIndex(tmp, k.Arrays))...); err != nil {
		return err
	}
	os.Remove(dir) // an existing folder is empty
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("%w: name a folder that is not there yet", err)
	}
	return nil
}

// Open opens the folder of a kernel, which need not be complete. It is an error if one of its files other than the
// chunks has changed since it was written.
func Open(dir string) (*Store, error) {
	s := &Store{Dir: dir, arrays: map[string]metadata{}}
	index, err := regular.ReadFile(filepath.Join(dir, indexFile), largest)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(dir, attributesFile)); err != nil {
			return nil, fmt.Errorf("%s is not a kernel's folder: it has no %s", dir, attributesFile)
		}
		return nil,
			fmt.Errorf("%s has no %s: it was lost, or the kernel is from a version without checksums, which could "+
				"not tell damage; %s", dir, indexFile, allAnew)
	}
	if err != nil {
		return nil, err
	}
	s.index = string(index)
	text, err := s.readSmall(attributesFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a kernel's folder: it has no %s", dir, attributesFile)
	}
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s.Kernel); err != nil {
		return nil, fmt.Errorf("%s is not the description of a kernel: %w", filepath.Join(dir, attributesFile), err)
	}
	if err := s.Kernel.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, attributesFile), err)
	}
	if err := s.checkIndex(); err != nil {
		return nil, err
	}
	want, err := s.Kernel.parseable()
	if err != nil {
		return nil, err
	}
	for _, name := range s.Kernel.Arrays {
		if s.arrays[name], err = s.metadata(name); err != nil {
			return nil, err
		}
		if got := s.arrays[name]; got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) ||
			!slices.Equal(got.Chunks, want.Chunks) {
			return nil, fmt.Errorf("%s: %s has %s %v in chunks %v, %s says %s %v in %v", dir, name, got.DType,
				got.Shape, got.Chunks, attributesFile, want.DType, want.Shape, want.Chunks)
		}
	}
	return s, nil
}

func (s *Store) metadata(array string) (metadata, error) {
	text, err := s.readSmall(array + "/" + arrayFile)
	if err != nil {
		return metadata{}, err
	}
	m, err := parseMetadata(text)
	if err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(s.Dir, array, arrayFile), err)
	}
	return m, nil
}

// Labels returns the classes of the rows' examples, or nil if the folder has none.
func (s *Store) Labels() ([]int, error) { return s.integers(labelsArray, s.Kernel.Rows) }

// ColsLabels returns the classes of the columns' examples, or nil if the folder has none. For a symmetric kernel they
// are those of the rows.
func (s *Store) ColsLabels() ([]int, error) {
	if s.Kernel.Symmetric {
		return s.Labels()
	}
	return s.integers(colsLabels, s.Kernel.Cols)
}

func (s *Store) integers(name string, n int) ([]int, error) {
	m, err := s.metadata(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.Dir, name, "0")
	content, err := s.readSmall(name + "/0")
	if err != nil {
		return nil, err
	}
	if len(m.Shape) != 1 || m.DType != int64s || m.Shape[0] != n || m.Chunks[0] != n || len(content) != 8*n {
		return nil, fmt.Errorf("%s: %d bytes of %s %v: want %d labels", path, len(content), m.DType, m.Shape, n)
	}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = int(int64(binary.LittleEndian.Uint64(content[8*i:])))
	}
	return labels, nil
}
