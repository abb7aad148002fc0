package datasets

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// element writes one element of a MAT file, padded to 8 bytes.
func element(kind uint32, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, kind)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
	out = append(out, data...)
	return append(out, make([]byte, (8-len(data)%8)%8)...)
}

// matFile writes arrays of unsigned bytes, by name.
func matFile(compress bool, names string, arrays ...matArray) []byte {
	out := append(bytes.Repeat([]byte(" "), 124), 0, 1, 'I', 'M')
	for i, a := range arrays {
		var dimensions []byte
		for _, size := range a.dimensions {
			dimensions = binary.LittleEndian.AppendUint32(dimensions, uint32(size))
		}
		array := element(miMATRIX, slices.Concat(element(miUINT32, []byte{9, 0, 0, 0, 0, 0, 0, 0}),
			element(miINT32, dimensions), element(miINT8, []byte(names[i:i+1])), element(miUINT8, a.values)))
		if compress {
			var zipped bytes.Buffer
			z := zlib.NewWriter(&zipped)
			z.Write(array)
			z.Close()
			array = binary.LittleEndian.AppendUint32(nil, miCOMPRESSED)
			array = append(binary.LittleEndian.AppendUint32(array, uint32(zipped.Len())), zipped.Bytes()...)
		}
		out = append(out, array...)
	}
	return out
}

// TestReadMATOfSciPy reads a file that scipy.io.savemat of SciPy 1.17.1 wrote, from byte 124 on, for X = 0, 1, …, 23 in
// Fortran order, 2×3×2×2, and y = [[10], [3]], both uint8.
func TestReadMATOfSciPy(t *testing.T) {
	for name, content := range map[string]string{
		"plain":      "0001494d0e000000500000000600000008000000090000000000000005000000100000000200000003000000020000000200000001000100580000000200000018000000000102030405060708090a0b0c0d0e0f10111213141516170e0000003000000006000000080000000900000000000000050000000800000002000000010000000100010079000000020002000a030000",
		"compressed": "0001494d0f00000042000000789ce36360600800623620e600624e0608600562012066026266280dc28c401801654b8014323231b3b0b2b173707271f3f0f2f10b080a098b888a890300457e021c0f00000029000000789ce36360603000623620e600624e06086085f2998098118c19192ac17c26062e6606060018cb00f2",
	} {
		rest, err := hex.DecodeString(content)
		if err != nil {
			t.Fatal(err)
		}
		arrays, err := readMAT(append(make([]byte, 124), rest...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x, y := arrays["X"], arrays["y"]
		if !slices.Equal(x.dimensions, []int{2, 3, 2, 2}) || len(x.values) != 24 || x.values[0] != 0 ||
			x.values[23] != 23 ||
			!slices.Equal(y.dimensions, []int{2, 1}) || !slices.Equal(y.values, []uint8{10, 3}) {
			t.Errorf("%s: X %v, y %v", name, x, y)
		}
	}
	// The same y as float64, which savemat stores as float64.
	doubles,
		_ := hex.DecodeString("0001494d0e0000004000000006000000080000000600000000000000050000000800000002000000010000000100010079000000090000001000000000000000000024400000000000000840")
	_, err := readMAT(append(make([]byte, 124), doubles...))
	wantError(t, err, `the values of array "y" are of type 9; only 2 can be read here`)
}

// digitsFile returns SVHN with n random images as a file, and these images.
func digitsFile(n int, compress bool) ([]byte, Images) {
	random := rand.New(rand.NewPCG(uint64(n), 3))
	im := Images{Height: 32, Width: 32, Channels: 3, Pixels: make([]uint8, n*3072), Labels: make([]uint8, n)}
	x, y := make([]uint8, n*3072), make([]uint8, n)
	for i := range n {
		y[i] = uint8(1 + random.IntN(10))
		im.Labels[i] = y[i] % 10
		for row := range 32 {
			for column := range 32 {
				for channel := range 3 {
					v := uint8(random.Uint32())
					x[row+32*(column+32*(channel+3*i))] = v
					im.Pixels[((i*32+row)*32+column)*3+channel] = v
				}
			}
		}
	}
	return matFile(compress, "Xy", matArray{[]int{32, 32, 3, n}, x}, matArray{[]int{n, 1}, y}), im
}

func TestSVHN(t *testing.T) {
	folder := t.TempDir()
	train, wantTrain := digitsFile(7, true)
	test, wantTest := digitsFile(3, false)
	write(t, folder, "train_32x32.mat", train)
	write(t, folder, "test_32x32.mat", test)
	gotTrain, gotTest, err := svhnForm("", "").read(folder, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !sameImages(gotTrain, wantTrain) || !sameImages(gotTest, wantTest) {
		t.Error("other images than were written")
	}
	_, _, err = svhnForm("", strings.Repeat("0", 32)).read(folder, io.Discard)
	wantError(t, err, "test_32x32.mat: SHA-256 of the (uncompressed) content is ")
}

func TestSVHNRefuses(t *testing.T) {
	image := make([]uint8, 3072)
	x := matArray{[]int{32, 32, 3, 1}, image}
	for message, content := range map[string][]byte{
		"the header alone has 128":                   make([]byte, 100),
		"not those of a little-endian MATLAB 5 file": make([]byte, 200),
		"X has dimensions [32 32 3 1] and y []":      matFile(false, "X", x),
		"X has dimensions [] and y [1 1]":            matFile(true, "y", matArray{[]int{1, 1}, []uint8{1}}),
		"X has dimensions [32 32 3 1] and y [2 1]":   matFile(true, "Xy", x, matArray{[]int{2, 1}, []uint8{1, 1}}),
		"X has dimensions [3 32 32 1] and y [1 1]": matFile(true, "Xy", matArray{[]int{3, 32, 32, 1}, image},
			matArray{[]int{1, 1}, []uint8{1}}),
		"X has dimensions [32 32 3 0] and y [0 1]": matFile(true, "Xy", matArray{[]int{32, 32, 3, 0}, nil},
			matArray{[]int{0, 1}, nil}),
		"label 0 is 0; labels go from 1 to 10":        matFile(true, "Xy", x, matArray{[]int{1, 1}, []uint8{0}}),
		"label 0 is 11; labels go from 1 to 10":       matFile(true, "Xy", x, matArray{[]int{1, 1}, []uint8{11}}),
		`array "X" has 3072 values where its dimensi`: matFile(true, "X", matArray{[]int{32, 32, 3, 2}, image}),
		"is negative or more than":                    matFile(true, "X", matArray{[]int{32, -1}, nil}),
		"[65536] and then 65536, which is negative or": matFile(true, "X", matArray{[]int{1 << 16, 1 << 16, 1 << 16,
			1 << 16}, nil}),
	} {
		_, err := svhnImages(content)
		wantError(t, err, message)
	}
	for _, compress := range []bool{false, true} {
		whole, _ := digitsFile(2, compress)
		random := rand.New(rand.NewPCG(5, 5))
		for range 100 {
			if _, err := svhnImages(whole[:random.IntN(len(whole)-8)]); err == nil {
				t.Error("a truncated file was read")
			}
		}
	}
}

func TestReadMATAllocatesForContentNotForPromises(t *testing.T) {
	promise := append(append(bytes.Repeat([]byte(" "), 124), 0, 1, 'I', 'M'), 14, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 1, 2,
		3)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readMAT(promise)
	runtime.ReadMemStats(&after)
	wantError(t, err, "announces 2147483647 bytes and 3 are left")
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of %d bytes", grown, len(promise))
	}
}

func FuzzReadMAT(f *testing.F) {
	for _, compress := range []bool{false, true} {
		f.Add(matFile(compress, "Xy", matArray{[]int{2, 3}, []uint8("abcdef")}, matArray{[]int{1, 1}, []uint8("g")}))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		arrays, err := readMAT(content)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		for name, a := range arrays {
			total := 1
			for _, size := range a.dimensions {
				total *= size
			}
			if total != len(a.values) || len(a.dimensions) < 2 {
				t.Errorf("array %q of dimensions %v has %d values", name, a.dimensions, len(a.values))
			}
		}
	})
}

func FuzzSVHN(f *testing.F) {
	for _, compress := range []bool{false, true} {
		content, _ := digitsFile(1, compress)
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		im, err := svhnImages(content)
		if err != nil {
			return
		}
		if im.Len() < 1 || len(im.Pixels) != im.Len()*im.Size() || slices.Max(im.Labels) > 9 {
			t.Errorf("%d images with %d values and labels up to %d", im.Len(), len(im.Pixels), slices.Max(im.Labels))
		}
	})
}
