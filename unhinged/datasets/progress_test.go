package datasets

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// heard records the calls of a progress callback.
func heard() (*[][2]int64, Progress) {
	var all [][2]int64
	return &all, func(_ string, done, total int64) { all = append(all, [2]int64{done, total}) }
}

// wantProgress checks that progress starts at zero, never decreases, and reports all of the given number of bytes once,
// at the end.
func wantProgress(t *testing.T, told *[][2]int64, total int64) {
	t.Helper()
	all := *told
	if len(all) < 3 || all[0][0] != 0 || all[len(all)-1][0] != total {
		t.Fatalf("of %d bytes it was told %v", total, all)
	}
	for i, at := range all {
		if at[1] != total || i > 0 && at[0] < all[i-1][0] || i < len(all)-1 && at[0] >= total {
			t.Errorf("of %d bytes it was told %v", total, all)
		}
	}
	*told = nil
}

func TestProgressOfEveryForm(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	s := newTiny(4, 1, 10)
	forms := append(s.layout.forms(), s.layout.packaged(), idxForm([4]string{}), svhnForm("", ""))
	folder := t.TempDir()
	write(t, folder, s.layout.archive, s.archive(t))
	s.writePackage(t, folder)
	for i, b := range s.layout.batches {
		write(t, filepath.Join(folder, s.layout.folder), b.name, s.batches[i])
	}
	for i, content := range small(t) {
		write(t, folder, idxNames[i]+".gz", zip(content))
	}
	train, _ := digitsFile(7, true)
	test, _ := digitsFile(3, false)
	write(t, folder, "train_32x32.mat", train)
	write(t, folder, "test_32x32.mat", test)
	told, hear := heard()
	for i, f := range forms {
		if _, err := (source{name: "some", classes: digits}).decode(folder, f, hear); err != nil {
			t.Fatalf("form %d: %v", i, err)
		}
		wantProgress(t, told, f.size(folder))
	}
	// Progress is also completed if there is an error.
	write(t, folder, "train_32x32.mat", train[:len(train)/2])
	if _, err := (source{name: "some", classes: digits}).decode(folder, forms[4], hear); err == nil {
		t.Error("half a file was read")
	}
	if all := *told; len(all) != 2 || all[1][0] != all[1][1] {
		t.Errorf("in an error it was told %v", all)
	}
}

func TestProgressOfAnImageFolder(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(4, 4))
	for _, part := range []string{"train", "val"} {
		for _, class := range []string{"a", "b"} {
			write(t, filepath.Join(folder, part, class), "image.png", encodePNG(t, noise(random, 6, 5)))
		}
	}
	told, hear := heard()
	if _, err := OpenImageFolder(folder, 5, nil, hear); err != nil {
		t.Fatal(err)
	}
	wantProgress(t, told, 4*75)
	if _, err := OpenImageFolder(folder, 5, nil, hear); err != nil || len(*told) > 0 {
		t.Errorf("error %v; of what is decoded already it was told %v", err, *told)
	}
}

func TestReadFile(t *testing.T) {
	if _, err := readFile(filepath.Join(t.TempDir(), "none"), io.Discard); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}
