package tiles

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Number types of arrays, as Zarr and NumPy write them: little-endian.
const (
	Float32 = "<f4"
	Float64 = "<f8"
	int64s  = "<i8"
)

// metadata is the content of an array's .zarray.
type metadata struct {
	Format     int    `json:"zarr_format"`
	Shape      []int  `json:"shape"`
	Chunks     []int  `json:"chunks"`
	DType      string `json:"dtype"`
	Compressor any    `json:"compressor"`
	Fill       any    `json:"fill_value"`
	Order      string `json:"order"`
	Filters    any    `json:"filters"`
	Separator  string `json:"dimension_separator,omitempty"`
}

func newMetadata(dtype string, shape, chunks []int) metadata {
	m := metadata{Format: 2, Shape: shape, Chunks: chunks, DType: dtype, Fill: "NaN", Order: "C"}
	if dtype == int64s {
		m.Fill = 0
	}
	return m
}

// parseMetadata parses a .zarray as this package writes it.
func parseMetadata(text []byte) (metadata, error) {
	var m metadata
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("not JSON of a Zarr array: %w", err)
	}
	switch {
	case m.Format != 2:
		return m, fmt.Errorf("zarr_format is %d: want 2", m.Format)
	case itemSize(m.DType) == 0:
		return m, fmt.Errorf("dtype is %q: want %s, %s or, of labels, %s", m.DType, Float32, Float64, int64s)
	case m.Compressor != nil || m.Filters != nil:
		return m, fmt.Errorf("chunks are compressed or filtered: want compressor and filters null")
	case m.Order != "C":
		return m, fmt.Errorf("order is %q: want C", m.Order)
	case m.Separator != "" && m.Separator != ".":
		return m, fmt.Errorf("dimension_separator is %q: want a dot", m.Separator)
	case len(m.Shape) != len(m.Chunks) || !slices.Contains([]int{1, 2, 4}, len(m.Shape)):
		return m, fmt.Errorf("shape %v and chunks %v: want 1, 2 or 4 numbers in both", m.Shape, m.Chunks)
	case len(m.Shape) == 4 && (m.Shape[2] != m.Shape[3] || m.Chunks[2] != m.Shape[2] || m.Chunks[3] != m.Shape[2]):
		return m, fmt.Errorf("shape %v and chunks %v: want [N1, N2, C, C] chunked over the first two", m.Shape,
			m.Chunks)
	}
	entries, bytes := 1, itemSize(m.DType)
	for i, n := range m.Shape {
		c := m.Chunks[i]
		if n < 1 || c < 1 || c > n || entries > math.MaxInt/8/n || bytes > math.MaxInt/c {
			return m,
				fmt.Errorf("shape %v and chunks %v: want 1 ≤ chunk ≤ size, and a number of entries that can be counted",
					m.Shape, m.Chunks)
		}
		entries *= n
		bytes *= c
	}
	return m, nil
}

// itemSize returns the number of bytes of a number, or 0 for an unknown type.
func itemSize(dtype string) int {
	switch dtype {
	case Float32:
		return 4
	case Float64, int64s:
		return 8
	}
	return 0
}

// chunkBytes returns the size of each chunk's file.
func (m metadata) chunkBytes() int64 {
	size := int64(itemSize(m.DType))
	for _, c := range m.Chunks {
		size *= int64(c)
	}
	return size
}

// outputs returns C for [N1, N2, C, C] and 1 for [N1, N2].
func (m metadata) outputs() int {
	if len(m.Shape) == 4 {
		return m.Shape[2]
	}
	return 1
}

// grid returns the numbers of chunks along the rows and the columns.
func (m metadata) grid() (rows, cols int) {
	return ceilDiv(m.Shape[0], m.Chunks[0]), ceilDiv(m.Shape[1], m.Chunks[1])
}

// ceilDiv returns ⌈a/b⌉ for a, b ≥ 1, without overflow.
func ceilDiv(a, b int) int { return (a-1)/b + 1 }

// chunkName returns the name of chunk (i, j).
func (m metadata) chunkName(i, j int) string {
	if len(m.Shape) == 4 {
		return fmt.Sprintf("%d.%d.0.0", i, j)
	}
	return fmt.Sprintf("%d.%d", i, j)
}

// examples returns the rows and columns of chunk (i, j) that are examples and not padding.
func (m metadata) examples(i, j int) (rows, cols Range) {
	part := func(axis, k int) Range {
		return Range{k * m.Chunks[axis], min((k+1)*m.Chunks[axis], m.Shape[axis])}
	}
	return part(0, i), part(1, j)
}

// Range is the range of examples From ≤ i < To.
type Range struct{ From, To int }

// Len returns the number of examples.
func (r Range) Len() int { return r.To - r.From }

func (r Range) String() string { return fmt.Sprintf("%d…%d", r.From, r.To-1) }
