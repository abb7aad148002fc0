package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/internal/regular"
)

// Checksums are in a folder of their own, whose files have the format of sha256sum. The index has a line for each small
// file of the store. Besides it there is a file for each chunk. This file also has the checksum of the index, so that a
// chunk of another store is not accepted:
//
//	.sums/index     SHA-256  .zattrs …
//	.sums/ntk/0.0   SHA-256  ntk/0.0
//	                SHA-256  .sums/index
//
// A chunk's checksum is written before the chunk is renamed to its final name. A killed process may therefore leave a
// checksum without a chunk, but never a chunk without a checksum, and workers need no common file.
const (
	sumsFolder = ".sums"
	indexFile  = sumsFolder + "/index"
)

// largest is the largest size in bytes of files that are read into memory as a whole. A file of another program may be
// larger.
const largest = 1 << 30

// Remedies for damage.
const (
	again   = "remove it and compute the kernel again into this folder, which computes what is missing"
	allAnew = "remove the folder and compute the kernel anew"
)

// damage is the error of a file that has changed since it was written.
type damage struct {
	path, remedy string
	what         error
}

func (d damage) Error() string { return fmt.Sprintf("%s is damaged: %v; %s", d.path, d.what, d.remedy) }
func (d damage) Unwrap() error { return d.what }

// sumLine returns a line in the format of sha256sum.
func sumLine(sum []byte, name string) string { return hex.EncodeToString(sum) + "  " + name + "\n" }

// indexed returns the names of the files for which the index has lines if they exist.
func indexed(arrays []string) []string {
	names := []string{attributesFile, groupFile}
	for _, array := range slices.Concat(arrays, []string{labelsArray, colsLabels}) {
		names = append(names, array+"/"+arrayFile)
	}
	return append(names, labelsArray+"/0", colsLabels+"/0")
}

// writeIndex writes the index of a folder, after all other small files.
func writeIndex(dir string, arrays []string) error {
	text := ""
	for _, name := range indexed(arrays) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		text += sumLine(sum[:], name)
	}
	return os.WriteFile(filepath.Join(dir, indexFile), []byte(text), 0o644)
}

// readSmall reads a file that has a line in the index, and compares it with its checksum.
func (s *Store) readSmall(name string) ([]byte, error) {
	content, err := regular.ReadFile(filepath.Join(s.Dir, name), largest)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	if !strings.Contains("\n"+s.index, "\n"+sumLine(sum[:], name)) {
		return nil, damage{filepath.Join(s.Dir, name), allAnew, fmt.Errorf("its SHA-256 is not that in %s", indexFile)}
	}
	return content, nil
}

// checkIndex compares the index with all small files.
func (s *Store) checkIndex() error {
	lines := 0
	for _, name := range indexed(s.Kernel.Arrays) {
		_, err := s.readSmall(name)
		switch listed := strings.Contains(s.index, "  "+name+"\n"); {
		case err == nil:
			lines++
		case errors.Is(err, os.ErrNotExist) && listed:
			return fmt.Errorf("%s is missing: %s", filepath.Join(s.Dir, name), allAnew)
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
	}
	if strings.Count(s.index, "\n") != lines || !strings.HasSuffix(s.index, "\n") {
		return damage{filepath.Join(s.Dir, indexFile), allAnew, errors.New("it has other lines than it should")}
	}
	return nil
}

// chunkSum returns the content of a chunk's checksum file.
func (s *Store) chunkSum(sum []byte, array, chunk string) string {
	index := sha256.Sum256([]byte(s.index))
	return sumLine(sum, array+"/"+chunk) + sumLine(index[:], indexFile)
}

// paths returns the paths of a chunk and of its checksum.
func (s *Store) paths(array string, i, j int) (chunk, sum string) {
	name := s.arrays[array].chunkName(i, j)
	return filepath.Join(s.Dir, array, name), filepath.Join(s.Dir, sumsFolder, array, name)
}

// errNoSum is the error of a chunk without a checksum.
var errNoSum = errors.New("it has no checksum")

// check reads a chunk, if it exists, and compares it with its checksum. A chunk that was found to be right is not read
// again.
func (s *Store) check(array string, i, j int) (there bool, err error) {
	chunk, sum := s.paths(array, i, j)
	if _, known := s.checked.Load(chunk); known {
		return true, nil
	}
	info, err := os.Stat(chunk)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	damaged := func(what error) (bool, error) { return true, damage{chunk, again, what} }
	want, err := regular.ReadFile(sum, 1<<12)
	switch m := s.arrays[array]; {
	case errors.Is(err, os.ErrNotExist):
		return damaged(errNoSum)
	case err != nil:
		return damaged(err)
	case info.Mode().IsRegular() && info.Size() != m.chunkBytes():
		return damaged(fmt.Errorf("it has %d bytes, not %d", info.Size(), m.chunkBytes()))
	}
	got, err := sumOf(chunk)
	if err != nil {
		return damaged(err)
	}
	if string(want) != s.chunkSum(got, array, filepath.Base(chunk)) {
		return damaged(fmt.Errorf("it is not what %s is the SHA-256 of", sum))
	}
	s.checked.Store(chunk, true)
	return true, nil
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) ([]byte, error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return hash.Sum(nil), nil
}

// Verify reads every chunk of the array that is on disk and compares it with its checksum. The error lists the damaged
// chunks. (Methods that read the array check the chunks that they need.)
func (a *Array) Verify(ctx context.Context) error {
	var found []error
	rows, cols := a.meta.grid()
	for i := range rows {
		for j := range cols {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := a.store.check(a.Name, i, j); err != nil {
				found = append(found, err)
			}
		}
	}
	return several(found)
}

// several returns the first of some errors, with the files of the other errors.
func several(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	var paths []string
	for _, err := range errs[1:min(len(errs), 11)] {
		var d damage
		if !errors.As(err, &d) {
			return err
		}
		paths = append(paths, d.path)
	}
	if more := len(errs) - 1 - len(paths); more > 0 {
		paths = append(paths, fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("%w; the same of %s", errs[0], strings.Join(paths, ", "))
}
