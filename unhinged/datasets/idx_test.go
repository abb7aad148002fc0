package datasets

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestReadIDXIsTheInverseOfWriteIDX(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sizes := make([]int, 1+random.IntN(4))
		total := 1
		for i := range sizes {
			sizes[i] = random.IntN(7) // 0 is included
			total *= sizes[i]
		}
		values := make([]uint8, total)
		for i := range values {
			values[i] = uint8(random.Uint32())
		}
		var plain, zipped bytes.Buffer
		if err := WriteIDX(&plain, sizes, values); err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(&zipped)
		z.Write(plain.Bytes())
		z.Close()
		for _, in := range []io.Reader{&plain, &zipped} {
			gotSizes, gotValues, err := ReadIDX(in)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(gotSizes, sizes) || !bytes.Equal(gotValues, values) {
				t.Fatalf("sizes %v came back as %v, or other values", sizes, gotSizes)
			}
		}
	}
}

func TestReadIDXRefuses(t *testing.T) {
	good := "\x00\x00\x08\x01\x00\x00\x00\x02ab"
	for name, c := range map[string]struct{ content, message string }{
		"nothing":           {"", "within the 4-byte magic"},
		"PNG":               {"\x89PNG\r\n\x1a\n", "not 0x000008NN"},
		"float32 values":    {"\x00\x00\x0d\x01\x00\x00\x00\x00", "not 0x000008NN"},
		"no dimension":      {"\x00\x00\x08\x00", "0 dimensions"},
		"many dimensions":   {"\x00\x00\x08\xff", "255 dimensions"},
		"header cut":        {good[:6], "within its header"},
		"values cut":        {good[:9], "1 values where the header's [2] needs 2"},
		"trailing":          {good + "c", "more than the 2 values"},
		"4 GiB":             {"\x00\x00\x08\x01\xff\xff\xff\xff", "more than 1073741824 bytes"},
		"overflowing int64": {"\x00\x00\x08\x03" + strings.Repeat("\xff", 12), "more than 1073741824 bytes"},
		"gzip cut":          {"\x1f\x8b\x08", "gzip header"},
	} {
		if _, _, err := ReadIDX(strings.NewReader(c.content)); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, should say %q", name, err, c.message)
		}
	}
}

func TestReadIDXChecksTheGzipChecksum(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("\x00\x00\x08\x01\x00\x00\x00\x02ab"))
	z.Close()
	broken := zipped.Bytes()
	broken[len(broken)-8] ^= 1 // a bit of the CRC-32
	if _, _, err := ReadIDX(bytes.NewReader(broken)); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("error %v, should be gzip's checksum error", err)
	}
}

func TestReadIDXAllocatesForContentNotForPromises(t *testing.T) {
	promise := "\x00\x00\x08\x01\x3f\xff\xff\xff" + "ten values" // the header announces 1 GiB − 1
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := ReadIDX(strings.NewReader(promise)); err == nil {
		t.Fatal("a truncated file was read")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of %d bytes", grown, len(promise))
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x01\x00\x00\x00\x02ab"))
	f.Add([]byte("\x00\x00\x08\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x02abcd"))
	f.Add([]byte("\x00\x00\x08\x04" + strings.Repeat("\xff", 16)))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sizes, values, err := ReadIDX(bytes.NewReader(content))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		var again bytes.Buffer
		if err := WriteIDX(&again, sizes, values); err != nil {
			t.Fatalf("accepted, but not an IDX file: %v", err)
		}
		if !bytes.HasPrefix(content, []byte{0x1f, 0x8b}) && !bytes.Equal(again.Bytes(), content) {
			t.Errorf("%q was read, but is written as %q", content, again.Bytes())
		}
	})
}
