package npy

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomArrays returns a random matrix with an infinite element, and arrays of every kind with its numbers and labels.
func randomArrays(t *testing.T) (*mat.Dense, map[string]Array) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 0))
	m := mat.NewDense(7, 3, nil)
	for i := range 7 {
		for j := range 3 {
			m.Set(i, j, 100*random.NormFloat64())
		}
	}
	m.Set(0, 0, math.Inf(-1))
	half, err := Half(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, map[string]Array{"half": half, "single": Single(m), "labels": Bytes([]uint8{0, 3, 255})}
}

// TestArchive checks that an archive returns its arrays, up to the precision of each, and that equal arrays give equal
// files.
func TestArchive(t *testing.T) {
	m, arrays := randomArrays(t)
	content, err := PackArchive(arrays)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := PackArchive(arrays); err != nil || !bytes.Equal(content, again) {
		t.Errorf("equal arrays gave different files (%v)", err)
	}
	a, err := UnpackArchive(content)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Names(), []string{"half", "labels", "single"}) {
		t.Errorf("names %v", a.Names())
	}
	if labels, err := a.Integers("labels"); err != nil || !slices.Equal(labels, []int{0, 3, 255}) {
		t.Errorf("labels %v, %v", labels, err)
	}
	for name, precision := range map[string]float64{"half": 0x1p-11, "single": 0x1p-24} {
		got, err := a.Matrix(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 7 {
			for j := range 3 {
				want := m.At(i, j)
				if got.At(i, j) != want && !(math.Abs(got.At(i, j)-want) <= precision*math.Abs(want)) {
					t.Errorf("%s(%d, %d) = %g, want %g", name, i, j, got.At(i, j), want)
				}
			}
		}
	}
	if _, err := a.Matrix("none"); err == nil || !strings.Contains(err.Error(), "half, labels, single") {
		t.Errorf("error %v does not list the arrays", err)
	}
	m.Set(1, 1, 1e5)
	if _, err := Half(m); err == nil {
		t.Error("float16 takes 1e5")
	}
}

// TestDamagedArchive checks that a change of any byte is an error or changes no array. (Some fields of the archive have
// no meaning for its arrays.)
func TestDamagedArchive(t *testing.T) {
	_, arrays := randomArrays(t)
	content, err := PackArchive(arrays)
	if err != nil {
		t.Fatal(err)
	}
	a, err := UnpackArchive(content)
	if err != nil {
		t.Fatal(err)
	}
	for at := range content {
		content[at] ^= 1
		if damaged, err := UnpackArchive(content); err == nil {
			for name := range arrays {
				if bytes.Equal(damaged.files[name], a.files[name]) {
					continue
				}
				if damaged.files[name] != nil {
					t.Errorf("byte %d is damaged and array %s is another", at, name)
				}
			}
		}
		content[at] ^= 1
	}
}

func FuzzArchive(f *testing.F) {
	content, err := PackArchive(map[string]Array{"a": Bytes([]uint8{1, 2})})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(_ *testing.T, content []byte) {
		a, err := UnpackArchive(content)
		if err != nil {
			return
		}
		for _, name := range a.Names() {
			_, _ = a.Matrix(name)
			_, _ = a.Integers(name)
		}
	})
}
