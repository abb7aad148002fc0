package datasets

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func randomImages(n, height, width, channels, classes int, seed uint64) Images {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	im := Images{Height: height, Width: width, Channels: channels, Pixels: make([]uint8, n*height*width*channels),
		Labels: make([]uint8, n)}
	for i := range im.Pixels {
		im.Pixels[i] = uint8(random.Uint32())
	}
	for i := range im.Labels {
		im.Labels[i] = uint8(random.IntN(classes))
	}
	return im
}

func sameDataset(a, b *Dataset) bool {
	return a.Name == b.Name && a.Folder == b.Folder && strings.Join(a.Classes, "|") == strings.Join(b.Classes, "|") &&
		sameImages(a.Train, b.Train) && sameImages(a.Test, b.Test)
}

func TestDecodedOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 10 {
		height, width, channels := 1+random.IntN(9), 1+random.IntN(9), 1+2*random.IntN(2)
		d := &Dataset{Name: "random", Folder: "somewhere", Classes: []string{"a", "b"},
			Train: randomImages(1+random.IntN(50), height, width, channels, 2, 1), Test: randomImages(random.IntN(20),
				height, width, channels, 2, 2)}
		path := filepath.Join(t.TempDir(), "deeper", "random.images")
		times := 0
		open := func(source string) *Dataset {
			t.Helper()
			got, err := openCached(path, source, func() (*Dataset, error) { times++; return d, nil })
			if err != nil {
				t.Fatal(err)
			}
			if !sameDataset(got, d) {
				t.Error("other images than were decoded")
			}
			return got
		}
		want := func(n int) {
			t.Helper()
			if times != n {
				t.Errorf("decoded %d times, should be %d", times, n)
			}
		}
		open("source")
		first := open("source")
		want(1)
		// Changes that a program makes to its pixels are not kept.
		first.Train.Pixels[0]++
		open("source")
		want(1)
		open("other source")
		want(2)

		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, damaged := range [][]byte{nil, whole[:headerSize-1], whole[:headerSize], whole[:len(whole)-1],
			append(bytes.Clone(whole), 0)} {
			before := times
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			open("other source")
			want(before + 1)
		}
		for range 10 {
			before := times
			damaged := bytes.Clone(whole)
			damaged[headerSize+random.IntN(len(whole)-headerSize)] ^= 1 << random.IntN(8)
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			open("other source")
			want(before + 1)
		}
		wantFiles(t, filepath.Dir(path), "random.images", "random.images.lock")
	}
}

func TestDecodedAtTheSameTime(t *testing.T) {
	d := &Dataset{Name: "random", Train: randomImages(30, 5, 5, 3, 2, 1), Test: randomImages(10, 5, 5, 3, 2, 2)}
	path := filepath.Join(t.TempDir(), "random.images")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := openCached(path, "", func() (*Dataset, error) { return d, nil })
			if err != nil || !sameDataset(got, d) {
				t.Errorf("error %v, or other images", err)
			}
		})
	}
	all.Wait()
}

func TestDecodingFails(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("UNHINGED_DATA", folder)
	d := &Dataset{Name: "random", Train: randomImages(3, 5, 5, 3, 2, 1), Test: randomImages(1, 5, 5, 3, 2, 2)}
	_, err := openStreamed(cachePath("a"), "", func() (*Dataset, func(io.Writer) error, error) {
		return d, func(w io.Writer) error { w.Write(make([]byte, 75)); return io.ErrUnexpectedEOF }, nil
	})
	wantError(t, err, "unexpected EOF")
	wantFiles(t, filepath.Join(folder, "decoded"), "a.images.lock")
	_, err = openStreamed(cachePath("a"), "", func() (*Dataset, func(io.Writer) error, error) {
		return d, func(w io.Writer) error { w.Write(make([]byte, 75)); return nil }, nil // one image is missing
	})
	wantError(t, err, "just after it was written")

}

// wantFiles checks that the folder has exactly these files, sorted by name.
func wantFiles(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	if !slices.Equal(found, names) {
		t.Errorf("%s holds %v, should hold %v", folder, found, names)
	}
}

// TestNowhereToKeepWhatIsDecoded checks that CIFAR and similar data sets are opened although the decoded images cannot
// be stored. A folder of images may be larger than the memory; there, the error says what to do.
func TestNowhereToKeepWhatIsDecoded(t *testing.T) {
	d := &Dataset{Name: "random", Train: randomImages(3, 5, 5, 3, 2, 1), Test: randomImages(1, 5, 5, 3, 2, 2)}
	for name, spoil := range map[string]func(t *testing.T, root string){
		"a file is where the folder should be": func(t *testing.T, root string) { write(t, root, "decoded", nil) },
		"the folder is read-only": func(t *testing.T, root string) {
			if err := os.Mkdir(filepath.Join(root, "decoded"), 0o555); err != nil {
				t.Fatal(err)
			}
			if f, err := os.Create(filepath.Join(root, "decoded", "probe")); err == nil {
				f.Close()
				t.Skip("this user may write everywhere")
			}
		},
		"the disk is full": func(t *testing.T, root string) {
			if _, err := os.Stat("/dev/full"); err != nil {
				t.Skip("there is no /dev/full, which says that the disk is full")
			}
			if err := errors.Join(os.Mkdir(filepath.Join(root, "decoded"), 0o755), os.Symlink("/dev/full",
				filepath.Join(root, "decoded", "a.images.part"))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("UNHINGED_DATA", t.TempDir())
			spoil(t, Root())
			_, err := openStreamed(cachePath("a"), "", func() (*Dataset, func(io.Writer) error, error) {
				return d, func(w io.Writer) error { _, err := w.Write(make([]byte, 2<<20)); return err }, nil
			})
			wantError(t, err, "set UNHINGED_DATA to a folder where files can be written and there is room")
			spoilAgain := filepath.Join(Root(), "decoded", "a.images.part")
			if name == "the disk is full" { // the failed write has removed its file
				if err := os.Symlink("/dev/full", spoilAgain); err != nil {
					t.Error(err)
				}
			}
			got, err := openCached(cachePath("a"), "", func() (*Dataset, error) { return d, nil })
			if err != nil || !sameDataset(got, d) {
				t.Errorf("error %v, or other images", err)
			}
			_, err = openCached(cachePath("a"), "", func() (*Dataset, error) { return nil, io.ErrUnexpectedEOF })
			wantError(t, err, "unexpected EOF")
		})
	}
}

func TestFingerprint(t *testing.T) {
	folder := t.TempDir()
	f := form{files: []string{"a", "b"}, zipped: true}
	write(t, folder, "a", []byte("1"))
	write(t, folder, "b.gz", []byte("2"))
	seen := map[string]bool{f.fingerprint(folder): true}
	if !seen[f.fingerprint(folder)] {
		t.Error("it changes by itself")
	}
	for _, content := range []string{"22", "33"} { // first the size differs, then only the time
		write(t, folder, "b.gz", []byte(content))
		if content == "33" {
			info, err := os.Stat(filepath.Join(folder, "b.gz"))
			if err != nil {
				t.Fatal(err)
			}
			later := info.ModTime().Add(1e9)
			if err := os.Chtimes(filepath.Join(folder, "b.gz"), later, later); err != nil {
				t.Fatal(err)
			}
		}
		if sum := f.fingerprint(folder); seen[sum] {
			t.Errorf("it does not change when a file becomes %q", content)
		} else {
			seen[sum] = true
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte(`{"Height":2,"Width":3,"Channels":1,"Train":4,"Test":1}`), int64(headerSize+35))
	f.Add([]byte(`{"Height":32768,"Width":32768,"Channels":4,"Train":9223372036854775807,"Test":9223372036854775807}`), int64(headerSize+1))
	f.Fuzz(func(t *testing.T, content []byte, size int64) {
		if _, err := parseHeader(content, size); err == nil {
			t.Errorf("%q accepted without its checksum", content)
		}
		if len(content) > headerSize-headerSum {
			return
		}
		content = append(content, bytes.Repeat([]byte(" "), headerSize-headerSum-len(content))...)
		if h, err := parseHeader(append([]byte(sumOf(content)+"\n"), content...), size); err == nil {
			if each := int64(h.Height*h.Width*h.Channels + 1); each < 2 ||
				int64(h.Train+h.Test)*each != size-headerSize || h.Train < 0 || h.Test < 0 {
				t.Errorf("%+v accepted for a file of %d bytes", h, size)
			}
		}
	})
}

// TestDamagedHeaderIsRefused checks that a change of any bit in the header of a decoded data set is noticed.
func TestDamagedHeaderIsRefused(t *testing.T) {
	d := &Dataset{Name: "random", Folder: "somewhere", Classes: []string{"cat", "dog"},
		Train: randomImages(20, 3, 3, 1, 2, 1), Test: randomImages(10, 3, 3, 1, 2, 2)}
	path := filepath.Join(t.TempDir(), "random.images")
	decode := func() (*Dataset, error) { return d, nil }
	if _, err := openCached(path, "source", decode); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	json := bytes.IndexByte(whole, '{')
	end := bytes.LastIndexByte(whole[:headerSize], '}')
	for bit := range 8 * (end + 10) { // the checksum, the JSON, and some of the spaces after it
		if bit/8 >= json || bit%3 == 0 {
			changed := bytes.Clone(whole)
			changed[bit/8] ^= 1 << (bit % 8)
			if _, err := parseHeader(changed[:headerSize], int64(len(whole))); err == nil {
				t.Fatalf("bit %d of byte %d is changed: %q", bit%8, bit/8, changed[:end+1])
			}
		}
	}
	// A refused file is decoded again.
	changed := bytes.Replace(whole, []byte("cat"), []byte("cow"), 1)
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := openCached(path, "source", decode); err != nil || !sameDataset(got, d) {
		t.Errorf("%v, error %v", got, err)
	}
}
