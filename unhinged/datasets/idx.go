package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxIDX is the largest content ReadIDX accepts, in bytes: EMNIST's largest file (814,255 images of 28×28)
// fits, a corrupt header's 4 GiB × 4 GiB does not.
const maxIDX = 1 << 30

// ReadIDX reads one IDX file of unsigned bytes, plain or gzip-compressed (told apart by their first bytes), and
// returns its sizes and its values in row-major order: [n] for labels, [n, rows, columns] for images.
//
// The format is Y. LeCun's: two zero bytes, a type code (0x08, unsigned byte, is the only one read here), the number
// of dimensions, each dimension as a big-endian uint32, then the values. A header that promises more than 1 GiB, and a
// file that is shorter or longer than its header says, are refused; memory grows with what is really there.
func ReadIDX(r io.Reader) (sizes []int, values []uint8, err error) {
	in := bufio.NewReader(r)
	if start, _ := in.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("IDX: gzip header: %w", err)
		}
		in = bufio.NewReader(unzipped)
	}
	var magic [4]byte
	if _, err := io.ReadFull(in, magic[:]); err != nil {
		return nil, nil, fmt.Errorf("IDX: the file ends within the 4-byte magic number: %w", err)
	}
	if magic[0] != 0 || magic[1] != 0 || magic[2] != 0x08 {
		return nil, nil, fmt.Errorf("IDX: magic number %#08x is not 0x000008NN (unsigned bytes, NN dimensions)", magic)
	}
	if magic[3] < 1 || magic[3] > 4 {
		return nil, nil, fmt.Errorf("IDX: %d dimensions; 1 (labels) to 4 are readable", magic[3])
	}
	total := int64(1)
	for range magic[3] {
		var size uint32
		if err := binary.Read(in, binary.BigEndian, &size); err != nil {
			return nil, nil, fmt.Errorf("IDX: the file ends within its header of %d dimensions: %w", magic[3], err)
		}
		sizes = append(sizes, int(size))
		if size != 0 && total > maxIDX/int64(size) {
			return nil, nil, fmt.Errorf("IDX: the header's dimensions begin with %v, which is more than %d bytes",
				sizes, maxIDX)
		}
		total *= int64(size)
	}
	// A bytes.Buffer grows with the content, so that a short file with a large size in its header causes no large
	// allocation.
	var content bytes.Buffer
	n, err := io.CopyN(&content, in, total)
	if errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("IDX: %d values where the header's %v needs %d", n, sizes, total)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("IDX: after %d of %d values: %w", n, total, err)
	}
	// Reading to the end also checks the gzip checksum.
	switch _, err := in.ReadByte(); {
	case err == nil:
		return nil, nil, fmt.Errorf("IDX: more than the %d values of the header's %v", total, sizes)
	case !errors.Is(err, io.EOF):
		return nil, nil, fmt.Errorf("IDX: after the last value: %w", err)
	}
	return sizes, content.Bytes(), nil
}

// WriteIDX writes values of the given sizes as an IDX file of unsigned bytes, uncompressed.
func WriteIDX(w io.Writer, sizes []int, values []uint8) error {
	header := []byte{0, 0, 0x08, byte(len(sizes))}
	total := 1
	for _, size := range sizes {
		header = binary.BigEndian.AppendUint32(header, uint32(size))
		total *= size
	}
	if total != len(values) {
		return fmt.Errorf("IDX: %d values do not fill sizes %v", len(values), sizes)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(values)
	return err
}
