// Package files writes files completely or not at all, and can seal them with a checksum that shows later damage.
package files

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/unhinged-lab/lab/internal/regular"
)

// Write calls write for a file with a temporary name, forces its content to the disk, and renames it to path. If the
// process is killed at any moment, path holds the old file or the whole new one. Several processes may write the same
// path at the same time.
func Write(path string, write func(io.Writer) error) error {
	temporary, err := Stage(path, write)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// WriteBytes calls Write with this content.
func WriteBytes(path string, content []byte) error {
	return Write(path, func(out io.Writer) error { _, err := out.Write(content); return err })
}

// Stage is Write without the renaming: it returns the temporary name, in the folder of path.
func Stage(path string, write func(io.Writer) error) (temporary string, err error) {
	out, err := os.CreateTemp(filepath.Dir(path), Temporary(filepath.Base(path)))
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	err = write(buffered)
	// CreateTemp makes files that only their owner can read.
	if err = errors.Join(err, buffered.Flush(), out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		os.Remove(out.Name())
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	return out.Name(), nil
}

// RemoveTemporary removes the temporary files that killed processes have left in a folder. No other process may write
// to the folder at the same time.
func RemoveTemporary(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, "*.tmp")) // if the folder cannot be listed, nothing is removed
	for _, path := range left {
		os.Remove(path)
	}
}

// ErrDamaged is the error of a sealed file whose content is not what was written.
var ErrDamaged = errors.New("the file is damaged: its checksum is not that of its content")

// ErrUnsealed is the error of a file that was not written by WriteSealed with this title.
var ErrUnsealed = errors.New("the file has no checksum of this version")

// WriteSealed writes a file, as Write does, that OpenSealed can check: the title and a newline, the content, and the
// SHA-256 of both. The title names the format and its version; it has no newline.
func WriteSealed(path, title string, write func(io.Writer) error) error {
	return Write(path, func(out io.Writer) error {
		sum := sha256.New()
		both := io.MultiWriter(out, sum)
		if _, err := io.WriteString(both, title+"\n"); err != nil {
			return err
		}
		if err := write(both); err != nil {
			return err
		}
		_, err := out.Write(sum.Sum(nil))
		return err
	})
}

// OpenSealed opens the content of a file that WriteSealed wrote with this title, after it has read the whole file and
// compared its checksum. The error is ErrUnsealed for a file of another format or version, ErrDamaged for a damaged
// file, and os.ErrNotExist if there is no file.
func OpenSealed(path, title string) (io.ReadCloser, error) {
	in, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := in.Stat()
	if err != nil {
		in.Close()
		return nil, err
	}
	content, size := int64(len(title))+1, info.Size()
	if err := check(in, title, size); err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	section := io.NewSectionReader(in, content, size-content-sha256.Size)
	return struct {
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(section, 1<<20), in}, nil
}

// check compares the title and the checksum of a sealed file of this size.
func check(in io.ReaderAt, title string, size int64) error {
	head := make([]byte, len(title)+1)
	end := size - sha256.Size
	if end < int64(len(head)) {
		return ErrDamaged
	}
	if _, err := in.ReadAt(head, 0); err != nil {
		return err
	}
	if string(head) != title+"\n" {
		return ErrUnsealed
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(in, 0, end)); err != nil {
		return err
	}
	seal := make([]byte, sha256.Size)
	if _, err := in.ReadAt(seal, end); err != nil {
		return err
	}
	if string(seal) != string(sum.Sum(nil)) {
		return ErrDamaged
	}
	return nil
}
