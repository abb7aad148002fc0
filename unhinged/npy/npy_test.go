package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"
)

// file builds a .npy file byte by byte from the description of the format: \x93NUMPY, two bytes of version, the length
// of the header in 2 bytes (version 1) or 4, the dictionary, spaces up to a multiple of 64 with a final newline, data.
func file(major byte, dict string, order binary.ByteOrder, data any) []byte {
	out := []byte{0x93, 'N', 'U', 'M', 'P', 'Y', major, 0}
	start := 10
	if major > 1 {
		start = 12
	}
	for (start+len(dict)+1)%64 != 0 {
		dict += " "
	}
	dict += "\n"
	if major == 1 {
		out = append(out, byte(len(dict)), byte(len(dict)>>8))
	} else {
		out = append(out, byte(len(dict)), byte(len(dict)>>8), byte(len(dict)>>16), byte(len(dict)>>24))
	}
	buf := bytes.NewBuffer(append(out, dict...))
	if err := binary.Write(buf, order, data); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func dict(descr, fortran, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, fortran, shape)
}

func TestMatrixInEveryLayout(t *testing.T) {
	want := mat.NewDense(2, 3, []float64{1, -2, 3.5, math.Inf(1), 0.25, -1e-30})
	byRows := want.RawMatrix().Data
	byColumns := mat.DenseCopyOf(want.T()).RawMatrix().Data
	narrow := func(v []float64) []float32 {
		out := make([]float32, len(v))
		for i := range v {
			out[i] = float32(v[i])
		}
		return out
	}
	for _, major := range []byte{1, 2, 3} {
		for _, fortran := range []bool{false, true} {
			values, order := byRows, "False"
			if fortran {
				values, order = byColumns, "True"
			}
			for descr, content := range map[string][]byte{
				"<f8": file(major, dict("<f8", order, "(2, 3)"), binary.LittleEndian, values),
				">f8": file(major, dict(">f8", order, "(2, 3)"), binary.BigEndian, values),
				"<f4": file(major, dict("<f4", order, "(2, 3)"), binary.LittleEndian, narrow(values)),
				">f4": file(major, dict(">f4", order, "(2, 3)"), binary.BigEndian, narrow(values)),
			} {
				got, err := readMatrix(bytes.NewReader(content), int64(len(content)))
				if err != nil {
					t.Fatalf("version %d, %s, fortran %v: %v", major, descr, fortran, err)
				}
				for i := range 2 {
					for j := range 3 {
						expect := want.At(i, j)
						if descr[2] == '4' {
							expect = float64(float32(expect))
						}
						if got.At(i, j) != expect {
							t.Errorf("version %d, %s, fortran %v: element (%d,%d) is %v, want %v", major, descr,
								fortran, i, j, got.At(i, j), expect)
						}
					}
				}
			}
		}
	}
}

// Element (i, j, k) of a 2×3×4 array is 100i + 10j + k, in either order and for each type.
func TestArrayInEveryLayout(t *testing.T) {
	var byRows, byColumns []uint8
	for i := range 2 {
		for j := range 3 {
			for k := range 4 {
				byRows = append(byRows, uint8(100*i+10*j+k))
			}
		}
	}
	for k := range 4 {
		for j := range 3 {
			for i := range 2 {
				byColumns = append(byColumns, uint8(100*i+10*j+k))
			}
		}
	}
	for order, values := range map[string][]uint8{"False": byRows, "True": byColumns} {
		wide, double := make([]float32, 24), make([]float64, 24)
		for i, v := range values {
			wide[i], double[i] = float32(v), float64(v)
		}
		for descr, content := range map[string][]byte{
			"|u1": file(1, dict("|u1", order, "(2, 3, 4)"), binary.LittleEndian, values),
			"<f4": file(1, dict("<f4", order, "(2, 3, 4)"), binary.LittleEndian, wide),
			">f8": file(1, dict(">f8", order, "(2, 3, 4)"), binary.BigEndian, double),
		} {
			shape, got, err := readArray[float32](bytes.NewReader(content), int64(len(content)))
			if err != nil || fmt.Sprint(shape) != "[2 3 4]" {
				t.Fatalf("%s, fortran %s: shape %v, error %v", descr, order, shape, err)
			}
			for i, v := range got {
				if v != float32(byRows[i]) {
					t.Errorf("%s, fortran %s: value %d is %g, want %d", descr, order, i, v, byRows[i])
				}
			}
		}
	}
	content := file(1, dict("<i8", "False", "(1,)"), binary.LittleEndian, []int64{1})
	if _, _, err := readArray[float64](bytes.NewReader(content), int64(len(content))); err == nil ||
		!strings.Contains(err.Error(), "save as float16, float32, float64 or uint8") {
		t.Errorf("integers: %v", err)
	}
}

func TestIntegersOfEveryType(t *testing.T) {
	for _, test := range []struct {
		descr string
		order binary.ByteOrder
		data  any
		want  []int
	}{
		{"|i1", binary.LittleEndian, []int8{0, -1, 127}, []int{0, -1, 127}},
		{"|u1", binary.LittleEndian, []uint8{0, 9, 255}, []int{0, 9, 255}},
		{"<i2", binary.LittleEndian, []int16{0, -300, 300}, []int{0, -300, 300}},
		{">i2", binary.BigEndian, []int16{0, -300, 300}, []int{0, -300, 300}},
		{"<u2", binary.LittleEndian, []uint16{0, 65535}, []int{0, 65535}},
		{"<i4", binary.LittleEndian, []int32{0, -70000}, []int{0, -70000}},
		{">u4", binary.BigEndian, []uint32{0, math.MaxUint32}, []int{0, math.MaxUint32}},
		{"<i8", binary.LittleEndian, []int64{0, math.MinInt64}, []int{0, math.MinInt64}},
		{">i8", binary.BigEndian, []int64{7, math.MaxInt64}, []int{7, math.MaxInt64}},
		{"<u8", binary.LittleEndian, []uint64{3, math.MaxInt64}, []int{3, math.MaxInt64}},
	} {
		content := file(1, dict(test.descr, "False", fmt.Sprintf("(%d,)", len(test.want))), test.order, test.data)
		got, err := readIntegers(bytes.NewReader(content), int64(len(content)))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, %v: want %v", test.descr, got, err, test.want)
		}
	}
}

// These headers are written as by other programs and by Python 2.
func TestHeaderSpellings(t *testing.T) {
	for _, text := range []string{
		"{'descr': '<f8', 'fortran_order': False, 'shape': (1L,), }",
		"{'shape': (1,), 'fortran_order': False, 'descr': '<f8'}",
		`{"descr":"<f8","fortran_order":False,"shape":(1,)}`,
		"{ 'descr' : '<f8' , 'fortran_order' : True , 'shape' : ( 1 , ) , }  ",
	} {
		content := file(1, text, binary.LittleEndian, []float64{42})
		if got, err := readVector(bytes.NewReader(content), int64(len(content))); err != nil || got[0] != 42 {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestErrorsSayWhatWouldBeRight(t *testing.T) {
	one := []float64{1}
	good := file(1, dict("<f8", "False", "(1, 1)"), binary.LittleEndian, one)
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "not a .npy file"},
		{"zip", []byte("PK\x03\x04 an .npz archive"), "numpy.save"},
		{"version", append([]byte("\x93NUMPY\x04\x00"), good[8:]...),
			"version 4.0 is not supported: want 1.0, 2.0 or 3.0"},
		{"cut header", good[:40], "header is cut short"},
		{"cut length", good[:9], "header is cut short"},
		{"long header", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "header of 4294967295 bytes: want at most"},
		{"cut data", good[:len(good)-1], "shape (1, 1) of dtype '<f8' needs more"},
		{"more data", append(append([]byte(nil), good...), 0), "1 bytes follow the data"},
		{"complex", file(1, dict("<c8", "False", "(1, 1)"), binary.LittleEndian, one),
			"dtype '<c8' is not supported: save as float16, float32 or float64"},
		{"integers", file(1, dict("<i8", "False", "(1, 1)"), binary.LittleEndian, one),
			"dtype '<i8' is not supported: save as float16, float32 or float64"},
		{"object", file(1, dict("|O", "False", "(1, 1)"), binary.LittleEndian, one), "dtype '|O' is not supported"},
		{"no byte order", file(1, dict("|f8", "False", "(1, 1)"), binary.LittleEndian, one),
			"dtype '|f8' is not supported"},
		{"no dtype", file(1, dict("", "False", "(1, 1)"), binary.LittleEndian, one), "dtype '' is not supported"},
		{"structured", file(1, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 1), }",
			binary.LittleEndian, one), "not structured"},
		{"vector", file(1, dict("<f8", "False", "(1,)"), binary.LittleEndian, one), "shape (1,): want 2 dimension(s)"},
		{"scalar", file(1, dict("<f8", "False", "()"), binary.LittleEndian, one), "shape (): want 2"},
		{"number for a shape", file(1, dict("<f8", "False", "(1)"), binary.LittleEndian, one), "shape must be a tuple"},
		{"negative", file(1, dict("<f8", "False", "(-1, 1)"), binary.LittleEndian, one), "shape must be a tuple"},
		{"no rows", file(1, dict("<f8", "False", "(0, 1)"), binary.LittleEndian, []float64{}), "shape (0, 1) is empty"},
		{"no columns", file(1, dict("<f8", "False", "(1, 0)"), binary.LittleEndian, []float64{}),
			"shape (1, 0) is empty"},
		{"huge", file(1, dict("<f8", "False", "(4294967296, 4294967296)"), binary.LittleEndian, one), "needs more"},
		{"overflow", file(1, dict("<f8", "False", "(99999999999999999999, 1)"), binary.LittleEndian, one),
			"shape must be a tuple"},
		{"order", file(1, dict("<f8", "false", "(1, 1)"), binary.LittleEndian, one),
			"fortran_order must be True or False"},
		{"missing", file(1, "{'descr': '<f8', 'shape': (1, 1)}", binary.LittleEndian, one), `key "fortran_order" is missing`},
		{"twice", file(1, "{'descr': '<f8', 'descr': '<f8'}", binary.LittleEndian, one), "appears twice"},
		{"unknown", file(1, "{'dtype': '<f8'}", binary.LittleEndian, one), `unknown key "dtype"`},
		{"after", file(1, dict("<f8", "False", "(1, 1)")+"+1", binary.LittleEndian, one), "after the dictionary"},
	} {
		_, err := readMatrix(bytes.NewReader(test.content), int64(len(test.content)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error of several lines: %v", test.name, err)
		}
	}
}

// TestErrorsOfIntegers checks the errors for files that hold no integers that fit.
func TestErrorsOfIntegers(t *testing.T) {
	one := []float64{1}
	for _, test := range []struct {
		content []byte
		want    string
	}{
		{file(1, dict("<f8", "False", "(1,)"), binary.LittleEndian, one),
			"dtype '<f8' is not supported: save as integers"},
		{file(1, dict("|b1", "False", "(8,)"), binary.LittleEndian, one),
			"dtype '|b1' is not supported: save as integers"},
		{file(1, dict("<u8", "False", "(1,)"), binary.LittleEndian, []uint64{math.MaxUint64}),
			"element 0 is larger than the largest integer"},
	} {
		if _, err := readIntegers(bytes.NewReader(test.content), int64(len(test.content))); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}

// TestErrorsOfFiles checks the errors for paths without a complete regular file. They begin with the path.
func TestErrorsOfFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "features.npy")
	if _, err := ReadMatrix(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadMatrix(t.TempDir()); err == nil || !strings.Contains(err.Error(),
		"is a folder: want a regular file") {
		t.Errorf("directory: %v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe.npy")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := ReadShape(path); err == nil || !strings.Contains(err.Error(), "want a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	good := file(1, dict("<f8", "False", "(1, 1)"), binary.LittleEndian, []float64{1})
	if err := os.WriteFile(path, good[:len(good)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMatrix(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("error without its file: %v", err)
	}
}

func TestWriteThenRead(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	path := filepath.Join(t.TempDir(), "a.npy")
	for range 30 {
		rows, cols := 1+rng.IntN(150), 1+rng.IntN(90) // the array crosses the boundary of the decoded chunks
		m := mat.NewDense(rows, cols, nil)
		v, labels := make([]float64, rows), make([]int, rows)
		for i := range rows {
			v[i], labels[i] = rng.NormFloat64(), rng.IntN(1000)-500
			for j := range cols {
				m.Set(i, j, rng.NormFloat64())
			}
		}
		for _, source := range []mat.Matrix{m, m.T()} {
			if err := WriteMatrix(path, source); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadMatrix(path); err != nil || !mat.Equal(got, source) {
				t.Fatalf("matrix %d×%d: %v", rows, cols, err)
			}
		}
		if err := WriteVector(path, v); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadVector(path); err != nil || fmt.Sprint(got) != fmt.Sprint(v) {
			t.Fatalf("vector of %d: %v", rows, err)
		}
		if err := WriteIntegers(path, labels); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadIntegers(path); err != nil || fmt.Sprint(got) != fmt.Sprint(labels) {
			t.Fatalf("integers: %v", err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("temporary files left behind: %v, %v", left, err)
	}
	if err := WriteVector(filepath.Join(path, "below", "a.npy"), nil); err == nil {
		t.Error("wrote below a file")
	}
}

// The written bytes must be those of numpy.save(numpy.arange(2.0)), whose header is padded to 128 bytes in total.
func TestWriterFollowsTheFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := WriteVector(path, []float64{0, 1}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := file(1, dict("<f8", "False", "(2,)"), binary.LittleEndian, []float64{0, 1})
	if !bytes.Equal(got, want) || len(got) != 128+16 {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// For any bytes, reading gives an error or an array that fits into them.
func FuzzRead(f *testing.F) {
	f.Add(file(1, dict("<f8", "False", "(1, 2)"), binary.LittleEndian, []float64{1, 2}))
	f.Add(file(2, dict(">f4", "True", "(2, 1)"), binary.BigEndian, []float32{1, 2}))
	f.Add(file(3, dict("<i4", "False", "(3,)"), binary.LittleEndian, []int32{1, 2, 3}))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f{"))
	f.Add(file(1, dict("<f8", "False", "(0, 9223372036854775807)"), binary.LittleEndian, []float64{}))
	f.Fuzz(func(t *testing.T, content []byte) {
		size := int64(len(content))
		if m, err := readMatrix(bytes.NewReader(content), size); err == nil {
			if rows, cols := m.Dims(); rows < 1 || cols < 1 || rows*cols*4 > len(content) {
				t.Errorf("%d×%d matrix from %d bytes", rows, cols, len(content))
			}
		}
		if v, err := readVector(bytes.NewReader(content), size); err == nil && (len(v) < 1 || len(v)*4 > len(content)) {
			t.Errorf("%d floats from %d bytes", len(v), len(content))
		}
		if shape, v, err := readArray[float64](bytes.NewReader(content), size); err == nil && len(v) > len(content) {
			t.Errorf("%d floats of shape %v from %d bytes", len(v), shape, len(content))
		}
		if v, err := readIntegers(bytes.NewReader(content), size); err == nil && (len(v) < 1 || len(v) > len(content)) {
			t.Errorf("%d integers from %d bytes", len(v), len(content))
		}
	})
}

// TestPipe checks that a pipe without a writer is refused at once.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.npy")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := ReadMatrix(path)
		refused <- err
	}()
	select {
	case err := <-refused:
		if err == nil || !strings.Contains(err.Error(), "regular file") {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still waiting for somebody to write to the pipe")
	}
}
