package datasets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/unhinged-lab/lab/internal/regular"
)

// A decoded data set lies in one file: a header, then the pixels of the training images, those of the test images, the
// labels of the training images, and those of the test images, a byte each. The header is the SHA-256 of its rest, in
// hexadecimal, a newline, and JSON that is filled up with spaces.
const (
	headerSize = 1 << 16
	headerSum  = 2*sha256.Size + 1 // the bytes before the JSON
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cacheHeader describes a decoded data set.
type cacheHeader struct {
	Source                  string // fingerprint of the files it was decoded from
	CRC32C                  uint32 // of everything after the header; against damage, not against malice
	Name, Folder            string
	Classes                 []string
	Height, Width, Channels int
	Train, Test             int
}

// cachePath is the file of a decoded data set.
func cachePath(name string) string { return filepath.Join(Root(), "decoded", name+".images") }

// openCached maps the decoded data set at path into memory. If there is no such file, or if it is damaged or was
// decoded from files with another fingerprint ("" if there is no fingerprint), the data set is decoded now. If no file
// can be written, or if there is no room, the decoded data set stays in memory.
func openCached(path, source string, decode func() (*Dataset, error)) (*Dataset, error) {
	var decoded *Dataset
	var failed error
	d, err := openStreamed(path, source, func() (*Dataset, func(io.Writer) error, error) {
		if decoded, failed = decode(); failed != nil {
			return nil, nil, failed
		}
		return decoded, func(w io.Writer) error {
			for _, pixels := range [][]uint8{decoded.Train.Pixels, decoded.Test.Pixels} {
				if _, err := w.Write(pixels); err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
	switch {
	case err == nil || failed != nil:
		return d, err
	case decoded != nil:
		return decoded, nil
	}
	return decode()
}

// openStreamed is openCached for pixels that may not fit into memory. They are decoded while they are written, training
// images before test images; decode returns everything else. If several processes open the data set, one decodes and
// the others wait.
func openStreamed(path, source string, decode func() (*Dataset, func(io.Writer) error, error)) (*Dataset, error) {
	if d, err := readCache(path, source); err == nil {
		return d, nil // for any error the remedy is the same: decode again
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, whereToWrite(err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o644))
	if err := lock.Lock(); err != nil {
		return nil, whereToWrite(err)
	}
	defer lock.Unlock()
	if d, err := readCache(path, source); err == nil {
		return d, nil // another process was faster
	}
	d, pixels, err := decode()
	if err != nil {
		return nil, err
	}
	if err := writeCache(path, source, d, pixels); err != nil {
		if file := new(fs.PathError); errors.As(err, &file) && file.Path == path+".part" {
			err = whereToWrite(err)
		}
		return nil, err
	}
	if d, err = readCache(path, source); err != nil {
		return nil, fmt.Errorf("%s: %w, just after it was written", path, err)
	}
	return d, nil
}

// writeCache writes the file under another name and renames it, so that no reader sees half of it. It does not use
// internal/files, because the header, which is written last, has the checksum of the rest. The caller must hold the
// lock: a file that a killed process left is overwritten.
func writeCache(path, source string, d *Dataset, pixels func(io.Writer) error) (err error) {
	out, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	if _, err = out.Seek(headerSize, io.SeekStart); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	buffered := bufio.NewWriterSize(io.MultiWriter(out, sum), 1<<20)
	if err = pixels(buffered); err != nil {
		return err
	}
	for _, labels := range [][]uint8{d.Train.Labels, d.Test.Labels} {
		if _, err = buffered.Write(labels); err != nil {
			return err
		}
	}
	if err = buffered.Flush(); err != nil {
		return err
	}
	header, err := json.Marshal(cacheHeader{
		Source: source, CRC32C: sum.Sum32(), Name: d.Name, Folder: d.Folder, Classes: d.Classes,
		Height: d.Train.Height, Width: d.Train.Width, Channels: d.Train.Channels, Train: d.Train.Len(),
		Test: d.Test.Len(),
	})
	if err != nil {
		return err
	}
	const room = headerSize - headerSum
	if len(header) > room {
		return fmt.Errorf("the names of %d classes take more than %d bytes", len(d.Classes), room)
	}
	header = append(header, bytes.Repeat([]byte(" "), room-len(header))...)
	if _, err = out.WriteAt(append([]byte(sumOf(header)+"\n"), header...), 0); err != nil {
		return err
	}
	if err = out.Sync(); err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// readCache maps a decoded data set into memory. It is an error if the file is damaged or was decoded from another
// source.
func readCache(path, source string) (*Dataset, error) {
	in, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	first := make([]byte, headerSize)
	if _, err := io.ReadFull(in, first); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(first, info.Size())
	if err != nil {
		return nil, err
	}
	if h.Source != source {
		return nil, errors.New("decoded from other files")
	}
	content, err := mapFile(in, info.Size())
	if err != nil {
		return nil, err
	}
	content = content[headerSize:]
	if crc32.Checksum(content, castagnoli) != h.CRC32C {
		return nil, errors.New("the content's checksum is not that of its header")
	}
	take := func(n int) []uint8 {
		part := content[:n:n]
		content = content[n:]
		return part
	}
	d := &Dataset{Name: h.Name, Folder: h.Folder, Classes: h.Classes, content: new(contentSum),
		Train: Images{Height: h.Height, Width: h.Width, Channels: h.Channels}}
	d.Test = d.Train
	size := d.Train.Size()
	d.Train.Pixels, d.Test.Pixels = take(h.Train*size), take(h.Test*size)
	d.Train.Labels, d.Test.Labels = take(h.Train), take(h.Test)
	return d, nil
}

// sumOf is the SHA-256 of content in hexadecimal.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// parseHeader decodes the header of a file of that many bytes.
func parseHeader(content []byte, fileSize int64) (cacheHeader, error) {
	var h cacheHeader
	if len(content) != headerSize || string(content[:headerSum]) != sumOf(content[headerSum:])+"\n" {
		return h, errors.New("the header's checksum is not that of its content")
	}
	if err := json.Unmarshal(content[headerSum:], &h); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	const most = 1 << 15 // of a side, so that the products below do not overflow
	if h.Height < 1 || h.Width < 1 || h.Channels < 1 || h.Height > most || h.Width > most || h.Channels > 4 ||
		h.Train < 0 || h.Test < 0 {
		return h, fmt.Errorf("header: %d + %d images of %d×%d×%d", h.Train, h.Test, h.Height, h.Width, h.Channels)
	}
	each := int64(h.Height)*int64(h.Width)*int64(h.Channels) + 1
	body := fileSize - headerSize
	if n := body / each; body%each != 0 || int64(h.Train) > n || int64(h.Test) != n-int64(h.Train) {
		return h, fmt.Errorf("%d bytes for %d + %d images of %d×%d×%d", body, h.Train, h.Test, h.Height, h.Width,
			h.Channels)
	}
	return h, nil
}
