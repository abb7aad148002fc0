package datasets

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// small returns the content of the four files of a data set of 5 + 2 images of 2×3, in the order of idxNames.
func small(t *testing.T) (contents [4][]byte) {
	t.Helper()
	for i, f := range []struct {
		sizes  []int
		values []uint8
	}{
		{[]int{5, 2, 3}, []uint8("abcdefghijklmnopqrstuvwxyz1234")},
		{[]int{5}, []uint8{0, 2, 1, 2, 0}},
		{[]int{2, 2, 3}, []uint8("ABCDEFGHIJKL")},
		{[]int{2}, []uint8{1, 1}},
	} {
		var out bytes.Buffer
		if err := WriteIDX(&out, f.sizes, f.values); err != nil {
			t.Fatal(err)
		}
		contents[i] = out.Bytes()
	}
	return contents
}

func zip(content []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(content)
	z.Close()
	return out.Bytes()
}

func write(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, message string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v; it should be one line that says %q", err, message)
	}
}

func TestOpenFolder(t *testing.T) {
	folder := t.TempDir()
	contents := small(t)
	for i, name := range idxNames {
		if i%2 == 0 {
			write(t, folder, name+".gz", zip(contents[i]))
		} else {
			write(t, folder, name, contents[i])
		}
	}
	d, err := OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 5 || d.Test.Len() != 2 || d.Train.Height != 2 || d.Train.Width != 3 || len(d.Classes) != 3 {
		t.Errorf("read as %d + %d images of %d×%d in %d classes", d.Train.Len(), d.Test.Len(), d.Train.Height,
			d.Train.Width, len(d.Classes))
	}
	if first := d.Train.First(2); string(first.Pixels) != "abcdefghijkl" || first.Len() != 2 {
		t.Errorf("the first two images are %q with %d labels", first.Pixels, first.Len())
	}
	if all := d.Train.First(99); all.Len() != 5 {
		t.Errorf("First(99) of 5 images has %d", all.Len())
	}
}

func TestOpenFolderRefuses(t *testing.T) {
	labels := func(values ...uint8) []byte {
		var out bytes.Buffer
		WriteIDX(&out, []int{len(values)}, values)
		return out.Bytes()
	}
	other := small(t)
	for name, c := range map[string]struct {
		file    int
		content []byte
		message string
	}{
		"a label too few":        {1, labels(0, 1, 2, 0), "5 images and train-labels-idx1-ubyte has 4 labels"},
		"a label never trained":  {3, labels(1, 3), "test image 1 has label 3; labels go from 0 to 2"},
		"labels where images go": {0, other[1], "1 dimensions, where 3 were expected"},
		"images of another size": {2, append([]byte("\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x02"),
			"ABCDEFGHIJKL"...), "training images are 2×3 and test images 3×2"},
		"no images": {0, []byte("\x00\x00\x08\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x03"),
			"0 images and train-labels"},
		"labels from 1": {1, labels(1, 2, 3, 1, 2),
			"the labels go up to 3, but no training image has label 0; number the classes 0, 1, … without gaps"},
		"a gap in the labels": {1, labels(0, 1, 4, 1, 0), "no training image has label 2, 3"},
		"one label": {1, labels(0, 0, 0, 0, 0),
			"all images have one label; a classifier needs at least 2 classes"},
		"a missing file": {2, nil, "has neither t10k-images-idx3-ubyte nor"},
	} {
		folder := t.TempDir()
		contents := small(t)
		contents[c.file] = c.content
		for i, name := range idxNames {
			if contents[i] != nil {
				write(t, folder, name, contents[i])
			}
		}
		_, err := OpenFolder(folder)
		t.Run(name, func(t *testing.T) {
			wantError(t, err, c.message)
			if strings.Contains(err.Error(), "data get") {
				t.Errorf("what is the user's own cannot be got again: %v", err)
			}
		})
	}
}

// smallSource is the small data set, published at the given mirrors.
func smallSource(t *testing.T, mirrors ...string) source {
	t.Helper()
	s := source{name: "small", classes: []string{"a", "b", "c"}, mirrors: mirrors,
		packages: func() []string { return []string{"some-package-manager install small"} }}
	var sums [4]string
	for i, content := range small(t) {
		sum := sha256.Sum256(zip(content))
		s.files = append(s.files, download{idxNames[i] + ".gz", hex.EncodeToString(sum[:])})
		inside := sha256.Sum256(content)
		sums[i] = hex.EncodeToString(inside[:])
	}
	s.forms = []form{idxForm(sums)}
	return s
}

// serve publishes the small data set under the name "small" for the duration of the test, and returns the server's
// address.
func serve(t *testing.T, handler func(contents map[string][]byte) http.Handler) string {
	t.Helper()
	t.Setenv("UNHINGED_DATA", t.TempDir())
	published := map[string][]byte{}
	for i, content := range small(t) {
		published["/"+idxNames[i]+".gz"] = zip(content)
	}
	server := httptest.NewServer(handler(published))
	t.Cleanup(server.Close)
	before := sources
	t.Cleanup(func() { sources = before })
	sources = append([]source{smallSource(t, server.URL+"/gone/", server.URL+"/")}, sources...)
	return server.URL
}

// fileServer serves these files and supports ranges.
func fileServer(contents map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := contents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(content))
	})
}

func TestGetDownloadsVerifiesAndCaches(t *testing.T) {
	requests := 0
	serve(t, func(contents map[string][]byte) http.Handler {
		inner := fileServer(contents)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests++; inner.ServeHTTP(w, r) })
	})
	if _, err := Open("small"); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v, should be ErrMissing", err)
	} else {
		wantError(t, err, "`unhinged data get small` or with `some-package-manager install small`")
	}
	last := map[string]int64{}
	folder, err := Get(context.Background(), "small", func(file string, done,
		total int64) {
		last[file] = total - done
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range last {
		if left != 0 {
			t.Errorf("progress ends %d bytes before the end of %s", left, name)
		}
	}
	if _, decoded := last["decoding small"]; !decoded || len(last) != 4+1 || folder != filepath.Join(Root(), "small") {
		t.Errorf("told of %v in %s", last, folder)
	}
	if d, err := Open("small"); err != nil || d.Train.Len() != 5 {
		t.Errorf("opened %v, error %v", d, err)
	}
	if List()[0].Folder != folder {
		t.Errorf("List finds it in %q", List()[0].Folder)
	}
	before := requests
	if _, err := Get(context.Background(), "small", nil); err != nil || requests != before {
		t.Errorf("a second Get made %d requests, error %v", requests-before, err)
	}

	// A damaged file is noticed and downloaded again.
	write(t, folder, idxNames[1], append(small(t)[1][:8], 2, 2, 2, 2, 2))
	_, err = Verify("small")
	wantError(t, err, "SHA-256")
	wantError(t, err, ". Get it again with `unhinged data get small`, or remove "+folder)
	if _, err := Get(context.Background(), "small", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify("small"); err != nil {
		t.Error(err)
	}
}

func TestGetResumes(t *testing.T) {
	var ranges []string
	cut := true
	serve(t, func(contents map[string][]byte) http.Handler {
		inner := fileServer(contents)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if content := contents[r.URL.Path]; content != nil && cut {
				cut = false
				w.Header().Set("Content-Length", "1000000") // then the connection breaks
				w.Write(content[:20])
				return
			}
			if contents[r.URL.Path] != nil {
				ranges = append(ranges, r.Header.Get("Range"))
			}
			inner.ServeHTTP(w, r)
		})
	})
	_, err := Get(context.Background(), "small", nil)
	wantError(t, err, "unexpected EOF")
	if _, err := Get(context.Background(), "small", nil); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 4 || ranges[0] != "bytes=20-" || ranges[1] != "" {
		t.Errorf("ranges asked for: %q", ranges)
	}
	if _, err := Verify("small"); err != nil {
		t.Error(err)
	}
}

// TestGetStartsAnewWhatWasWrong: an earlier call left bytes that differ from those of the published file.
func TestGetStartsAnewWhatWasWrong(t *testing.T) {
	for name, left := range map[string]string{"half": "not the file's first bytes", "more than all": strings.Repeat("x",
		1000)} {
		t.Run(name, func(t *testing.T) {
			var ranges []string
			serve(t, func(contents map[string][]byte) http.Handler {
				inner := fileServer(contents)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if contents[r.URL.Path] != nil {
						ranges = append(ranges, r.Header.Get("Range"))
					}
					inner.ServeHTTP(w, r)
				})
			})
			write(t, filepath.Join(Root(), "small"), idxNames[0]+".gz.part", []byte(left))
			if _, err := Get(t.Context(), "small", nil); err != nil {
				t.Fatal(err)
			}
			if len(ranges) != 5 || ranges[0] != fmt.Sprintf("bytes=%d-", len(left)) || ranges[1] != "" {
				t.Errorf("ranges asked for: %q", ranges)
			}
		})
	}
}

// TestGetFromServersWithoutRanges uses a server that sends the whole file again, and a server that compresses the
// compressed file once more.
func TestGetFromServersWithoutRanges(t *testing.T) {
	serve(t, func(contents map[string][]byte) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			content := contents[r.URL.Path]
			if content == nil {
				http.NotFound(w, r)
				return
			}
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip") // some servers send this for a .gz file
			}
			w.Write(content)
		})
	})
	write(t, filepath.Join(Root(), "small"), idxNames[0]+".gz.part", []byte("longer than nothing"))
	if _, err := Get(t.Context(), "small", nil); err != nil {
		t.Error(err)
	}
}

func TestGetGivesUpOnASilentServer(t *testing.T) {
	before := stall
	stall = 500 * time.Millisecond // a busy machine causes pauses that are shorter than this
	defer func() { stall = before }()
	serve(t, func(contents map[string][]byte) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if content := contents[r.URL.Path]; content != nil {
				w.Write(content[:20])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})
	})
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "the server sent nothing for 500ms")
	wantError(t, err, "20 bytes of it have come: get it again to go on from there")
}

// TestGetIsPatientWithASlowServer: the server sends a few bytes at a time, and the download takes longer in total than
// the longest pause that is allowed.
func TestGetIsPatientWithASlowServer(t *testing.T) {
	before, rate := stall, slowest
	stall, slowest = time.Second, 5
	defer func() { stall, slowest = before, rate }()
	serve(t, func(contents map[string][]byte) http.Handler {
		inner := fileServer(contents)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			content := contents[r.URL.Path]
			if r.URL.Path != "/"+idxNames[0]+".gz" {
				inner.ServeHTTP(w, r)
				return
			}
			for chunk := range slices.Chunk(content, (len(content)+15)/16) {
				w.Write(chunk)
				w.(http.Flusher).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		})
	})
	if _, err := Get(t.Context(), "small", nil); err != nil {
		t.Error(err)
	}
}

// TestGetGivesUpOnADrippingServer: a server that sends a byte only now and then makes no useful progress.
func TestGetGivesUpOnADrippingServer(t *testing.T) {
	before := stall
	stall = 500 * time.Millisecond
	defer func() { stall = before }()
	serve(t, func(contents map[string][]byte) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range contents[r.URL.Path] {
				if r.Context().Err() != nil {
					return
				}
				w.Write(contents[r.URL.Path][i : i+1])
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		})
	})
	start := time.Now()
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "the server sent only ")
	wantError(t, err, "bytes in 500ms")
	if strings.Contains(err.Error(), "is there a network") {
		t.Errorf("a server that answers was reached: %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestUnreachable checks that a missing network is reported only if no connection was made.
func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&url.Error{Err: &net.OpError{Op: "dial", Err: &net.DNSError{}}}, true},
		{&url.Error{Err: &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}}, true},
		{&url.Error{Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}, false},
		{&url.Error{Err: errors.New("tls: failed to verify certificate")}, false},
		{errors.New("the server answered \"404 Not Found\""), false},
	} {
		if got := unreachable(fmt.Errorf("somewhere: %w", c.err)); got != c.want {
			t.Errorf("%v: %v, should be %v", c.err, got, c.want)
		}
	}
}

// TestGetSaysWhereToWrite checks that the error about a full disk does not blame a mirror.
func TestGetSaysWhereToWrite(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full, which says that the disk is full")
	}
	serve(t, fileServer)
	part := filepath.Join(Root(), "small", idxNames[0]+".gz.part")
	if err := errors.Join(os.Mkdir(filepath.Dir(part), 0o755), os.Symlink("/dev/full", part)); err != nil {
		t.Fatal(err)
	}
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "no space left on device: data sets are kept under "+Root()+"; set UNHINGED_DATA")
	if strings.Contains(err.Error(), "mirror") {
		t.Errorf("it blames a mirror: %v", err)
	}
	t.Setenv("UNHINGED_DATA", "/dev/full")
	_, err = Get(t.Context(), "small", nil)
	wantError(t, err, "set UNHINGED_DATA to a folder where files can be written")
}

// TestGetKeepsPlainFilesUntilItHasBetterOnes: three of the four files exist uncompressed, and at first nothing can be
// downloaded.
func TestGetKeepsPlainFilesUntilItHasBetterOnes(t *testing.T) {
	serve(t, fileServer)
	folder := filepath.Join(Root(), "small")
	contents := small(t)
	for i, content := range contents[:3] {
		write(t, folder, idxNames[i], content)
	}
	there := sources[0].mirrors
	sources[0].mirrors = there[:1] // this mirror has no files
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "404 Not Found")
	for _, name := range idxNames[:3] {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	write(t, folder, idxNames[3], contents[1]) // labels of other images
	_, err = Get(t.Context(), "small", nil)
	wantError(t, err, "(what is here is damaged: "+folder)
	sources[0].mirrors = there
	if _, err := Get(t.Context(), "small", nil); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, folder, ".lock", idxNames[2]+".gz", idxNames[3]+".gz", idxNames[0]+".gz", idxNames[1]+".gz")
}

// TestIncompleteFolder checks that a folder that lost a file is an error, although there is a complete folder
// elsewhere. A folder with an unfinished download is skipped.
func TestIncompleteFolder(t *testing.T) {
	serve(t, fileServer)
	contents := small(t)
	first, whole := filepath.Join(Root(), "small"), t.TempDir()
	sources[0].folders = func() []string { return []string{whole} }
	for lost, name := range idxNames {
		for i, other := range idxNames {
			write(t, whole, other, contents[i])
			write(t, first, other+".gz", zip(contents[i]))
		}
		if d, err := Open("small"); err != nil || d.Folder != first {
			t.Fatalf("opened %v, error %v", d, err)
		}
		if err := os.Remove(filepath.Join(first, name+".gz")); err != nil {
			t.Fatal(err)
		}
		_, opened := Open("small")
		_, verified := Verify("small")
		for _, err := range []error{opened, verified, List()[0].Err} {
			wantError(t, err, first+" is incomplete: it lacks "+name+". Get it again with `unhinged data get small`, or remove "+first)
			if errors.Is(err, ErrMissing) {
				t.Errorf("%v is ErrMissing", err)
			}
		}
		there := sources[0].mirrors
		sources[0].mirrors = there[:1] // this mirror has no files
		_, err := Get(t.Context(), "small", nil)
		wantError(t, err, "(what is here is damaged: small: "+first+" is incomplete")
		sources[0].mirrors = there
		if _, opened = Open("small"); opened == nil {
			t.Error("after a download that brought nothing it is passed over")
		}
		if lost%2 == 0 { // both remedies are tested
			_, err = Get(t.Context(), "small", nil)
		} else {
			err = os.RemoveAll(first)
		}
		if _, opened = Open("small"); opened != nil || err != nil {
			t.Errorf("errors %v, %v", err, opened)
		}
	}

	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	write(t, first, idxNames[0]+".gz", zip(contents[0]))
	write(t, first, idxNames[1]+".gz.part", zip(contents[1])[:9])
	if d, err := Open("small"); err != nil || d.Folder != whole {
		t.Errorf("with a download not done: opened %v, error %v", d, err)
	}
	if err := os.RemoveAll(whole); err != nil {
		t.Fatal(err)
	}
	_, err := Open("small")
	wantError(t, err, first+" (which lacks "+strings.Join(idxNames[1:], ", ")+")")
	if !errors.Is(err, ErrMissing) || !errors.Is(List()[0].Err, ErrMissing) {
		t.Errorf("a download not done: error %v, should be ErrMissing", err)
	}
	if folder, err := Get(t.Context(), "small", nil); err != nil || folder != first {
		t.Errorf("got in %s, error %v", folder, err)
	}
}

// TestSeveralInOneFolder checks that files of one form or of one data set do not count as a part of another.
func TestSeveralInOneFolder(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	t.Chdir(t.TempDir()) // data sets are also looked for in node_modules of the working directory
	folder := filepath.Join(Root(), "cifar-10")
	for _, name := range []string{cifar100Layout.archive, "train_32x32.mat", "test_32x32.mat", idxNames[0], "val.png",
		"cifar-10-batches-py"} {
		write(t, folder, name, nil)
	}
	if _, err := Open("cifar-10"); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v, should be ErrMissing", err)
	}
	_, err := Open("cifar-10")
	wantError(t, err, "which has the Python version, cifar-10-batches-py; the binary version is wanted")
	write(t, filepath.Join(folder, cifar10Layout.folder), "test_batch.bin", nil)
	_, err = Open("cifar-10")
	wantError(t, err, folder+" is incomplete: it lacks cifar-10-batches-bin/data_batch_1.bin, ")
	write(t, folder, cifar10Layout.archive, nil) // the archive, part of which has been unpacked
	if where := List()[2]; where.Name != "cifar-10" || where.Folder != folder || where.Err != nil {
		t.Errorf("found in %+v", where)
	}
}

func TestGetRefusesWhatIsNotThePublishedFile(t *testing.T) {
	serve(t, func(contents map[string][]byte) http.Handler {
		contents["/"+idxNames[2]+".gz"] = zip([]byte("something else"))
		return fileServer(contents)
	})
	_, err := Get(context.Background(), "small", nil)
	wantError(t, err, "SHA-256 of the download is")
	wantError(t, err, "`some-package-manager install small`")
	if left, _ := filepath.Glob(filepath.Join(Root(), "small", "*.part")); len(left) != 0 {
		t.Errorf("a wrong download was left: %v", left)
	}
}

func TestGetStopsWithItsContext(t *testing.T) {
	serve(t, fileServer)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Get(ctx, "small", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// serveCIFAR publishes a small CIFAR under the name "small", in a folder of the server to which the handler can refuse
// access.
func serveCIFAR(t *testing.T, handler func(http.Handler) http.Handler) tiny {
	t.Helper()
	t.Setenv("UNHINGED_DATA", t.TempDir())
	s := newTiny(2, 2, 100)
	archive := s.archive(t)
	server := httptest.NewServer(handler(fileServer(map[string][]byte{"/" + s.layout.archive: archive})))
	t.Cleanup(server.Close)
	sum := sha256.Sum256(archive)
	before := sources
	t.Cleanup(func() { sources = before })
	sources = []source{{
		name: "small", classes: cifar100Classes, train: 4, test: 2,
		files: []download{{s.layout.archive, hex.EncodeToString(sum[:])}}, mirrors: []string{server.URL + "/"},
		forms: append(s.layout.forms(), s.layout.packaged()), cached: true,
	}}
	return s
}

// unchanged is a handler of serveCIFAR that serves the files as they are.
func unchanged(inner http.Handler) http.Handler { return inner }

// TestArchiveIsResumed checks that a broken download is kept, does not count as a data set, and is resumed.
func TestArchiveIsResumed(t *testing.T) {
	calls := 0
	s := serveCIFAR(t, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				w = &cutWriter{ResponseWriter: w, left: 5000}
			}
			inner.ServeHTTP(w, r)
		})
	})
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "unexpected EOF")
	wantError(t, err, "Bring it from there by other means, into "+filepath.Join(Root(), "small"))
	part := filepath.Join(Root(), "small", s.layout.archive+".part")
	if info, err := os.Stat(part); err != nil || info.Size() != 5000 {
		t.Errorf("of the broken download %v is left, error %v", info, err)
	}
	if _, err := Open("small"); !errors.Is(err, ErrMissing) {
		t.Errorf("half an archive: error %v, should be ErrMissing", err)
	}
	folder, err := Get(t.Context(), "small", nil)
	if err != nil || calls != 2 {
		t.Fatalf("%d calls, error %v", calls, err)
	}
	for range 2 {
		d, err := Open("small")
		if err != nil || !sameImages(d.Train, s.train) || !sameImages(d.Test, s.test) || len(d.Classes) != 100 ||
			d.Folder != folder {
			t.Fatalf("error %v, or other images", err)
		}
	}
}

// TestArchiveIsDecodedOnce checks that the decoded images are used as long as their source is unchanged, that a damaged
// source is an error, and that Verify reads the source and notices wrong decoded images.
func TestArchiveIsDecodedOnce(t *testing.T) {
	calls := 0
	s := serveCIFAR(t, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			inner.ServeHTTP(w, r)
		})
	})
	folder, err := Get(t.Context(), "small", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open("small"); err != nil {
		t.Fatal(err)
	}
	decoded, err := os.Stat(cachePath("small"))
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(folder, s.layout.archive)
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, s.layout.archive, whole[:len(whole)/2])
	_, err = Open("small")
	wantError(t, err, archive)
	wantError(t, err, ". Get it again with `unhinged data get small`, or remove "+folder)
	_, err = Verify("small")
	wantError(t, err, archive)
	if _, err := Get(t.Context(), "small", nil); err != nil || calls != 2 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	if d, err := Verify("small"); err != nil || !sameImages(d.Train, s.train) {
		t.Errorf("error %v, or other images", err)
	}
	if again, err := os.Stat(cachePath("small")); err != nil || again.Size() != decoded.Size() {
		t.Errorf("decoded anew: %v, error %v", again, err)
	}

	wrong := &Dataset{Name: "small", Classes: cifar100Classes, Train: s.test, Test: s.train}
	fingerprint := s.layout.forms()[0].fingerprint(folder)
	if err := os.Remove(cachePath("small")); err != nil {
		t.Fatal(err)
	}
	if _, err := openCached(cachePath("small"), fingerprint, func() (*Dataset, error) {
		return wrong, nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err = Verify("small")
	wantError(t, err, "does not hold the images that are in "+folder+": remove it")
}

// TestIncompletePackage checks that the error names the missing part of a package.
func TestIncompletePackage(t *testing.T) {
	s := serveCIFAR(t, unchanged)
	folder, err := Get(t.Context(), "small", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, s.layout.archive)); err != nil {
		t.Fatal(err)
	}
	s.writePackage(t, folder)
	if err := os.Remove(filepath.Join(folder, "test_batch.png")); err != nil {
		t.Fatal(err)
	}
	_, err = Open("small")
	wantError(t, err, folder+" is incomplete: it lacks test_batch.png. Get it again with `unhinged data get small`, "+
		"or remove "+folder)
}

// TestCompressedArchive checks that only IDX files may be compressed.
func TestCompressedArchive(t *testing.T) {
	s := serveCIFAR(t, unchanged)
	folder, err := Get(t.Context(), "small", nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(folder, s.layout.archive))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	write(t, folder, s.layout.archive+".gz", zip(whole))
	if _, err = Open("small"); !errors.Is(err, ErrMissing) {
		t.Errorf("an archive in an archive: error %v, should be ErrMissing", err)
	}
}

// cutWriter breaks the connection after a number of bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(content []byte) (int, error) {
	n := min(c.left, len(content))
	c.left -= n
	if n > 0 {
		if _, err := c.ResponseWriter.Write(content[:n]); err != nil {
			return 0, err
		}
	}
	if c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func TestGetWithoutNetwork(t *testing.T) {
	serveCIFAR(t, func(inner http.Handler) http.Handler { return inner })
	server := httptest.NewServer(nil)
	server.Close()
	sources[0].mirrors = []string{server.URL + "/"} // nobody listens at this address any more
	_, err := Get(t.Context(), "small", nil)
	wantError(t, err, "no mirror gave tiny.tar.gz, and none could be reached: is there a network here?")
	if _, err := Verify("small"); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v, should be ErrMissing", err)
	}
}

func TestUnknownName(t *testing.T) {
	_, err := Open("cifar")
	wantError(t, err, "there are mnist, fashion-mnist")
}

// TestMeanOfStandardDeviations checks the remark in Normalisation's comment: the numbers that much code uses to
// normalise CIFAR-10 (github.com/kuangliu/pytorch-cifar, main.py) are the mean over the images of their own standard
// deviations, with n − 1.
func TestMeanOfStandardDeviations(t *testing.T) {
	d, err := Open("cifar-10")
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var mean [3]float64
	size := d.Train.Size()
	for i := range d.Train.Labels {
		one := d.Train
		one.Pixels, one.Labels = one.Pixels[i*size:(i+1)*size], one.Labels[i:i+1]
		for c, std := range one.Normalisation().Std {
			mean[c] += std * math.Sqrt(1024./1023) / float64(d.Train.Len())
		}
	}
	for c, want := range []float64{0.2023, 0.1994, 0.2010} {
		if math.Abs(mean[c]-want) > 0.5e-4 {
			t.Errorf("channel %d: %.5f, should be %.4f", c, mean[c], want)
		}
	}
}

// TestPublished reads the real data sets if they are on this machine.
func TestPublished(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			d, err := Open(name)
			if errors.Is(err, ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			// The page or the paper of the data set states the number of images and their size.
			want := map[string]struct{ train, test, side, channels, first int }{
				"mnist": {60000, 10000, 28, 1, 980}, "fashion-mnist": {60000, 10000, 28, 1, 1000},
				"cifar-10": {50000, 10000, 32, 3, 1000}, "cifar-100": {50000, 10000, 32, 3, 100}, "svhn": {73257, 26032,
					32, 3, 0},
			}[name]
			if d.Train.Len() != want.train || d.Test.Len() != want.test || d.Train.Height != want.side ||
				d.Train.Width != want.side || d.Train.Channels != want.channels {
				t.Errorf("%d + %d images of %d×%d×%d", d.Train.Len(), d.Test.Len(), d.Train.Height, d.Train.Width,
					d.Train.Channels)
			}
			if first := d.Test.ClassCounts(len(d.Classes))[0]; want.first > 0 && first != want.first {
				t.Errorf("%d test images of class 0, should be %d", first, want.first)
			}
		})
	}
}

// TestSpecialFilesAreRefused checks that a pipe in place of a file is an error, and that no call waits for it.
func TestSpecialFilesAreRefused(t *testing.T) {
	folder := t.TempDir()
	for i, content := range small(t) {
		write(t, folder, idxNames[i], content)
	}
	path := filepath.Join(folder, idxNames[1])
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	_, err := OpenFolder(folder)
	wantError(t, err, "has neither train-labels-idx1-ubyte nor") // a pipe does not count as such a file
}

// TestEvenly checks that every class has equally many images, as long as it has so many, and that the first ones are
// taken in their order.
func TestEvenly(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2))
	for range 100 {
		classes := 2 + random.IntN(4)
		im := randomImages(20+random.IntN(30), 1, 2, 1, classes, random.Uint64())
		if random.IntN(2) == 0 {
			slices.Sort(im.Labels) // sorted by class, as in some folders
		}
		have := im.ClassCounts(classes)
		n := classes + random.IntN(im.Len()-classes+1)
		out, err := im.Evenly(n, classes)
		if err != nil {
			t.Fatal(err)
		}
		counts := out.ClassCounts(classes)
		total, most := 0, slices.Max(counts)
		for c, count := range counts {
			total += count
			if count < most-1 && count < have[c] {
				t.Errorf("%d of the %d images of class %d, and %d of another: %v of %v", count, have[c], c, most,
					counts, have)
			}
		}
		if total != n || out.Len() != n {
			t.Errorf("%d images, should be %d", total, n)
		}
		next := make([]int, classes) // for each class, the position in im up to which its images were found
		for i, label := range out.Labels {
			from := next[label]
			for im.Labels[from] != label {
				from++
			}
			if !slices.Equal(out.Pixels[2*i:2*i+2], im.Pixels[2*from:2*from+2]) {
				t.Fatalf("image %d is not the next one of class %d", i, label)
			}
			next[label] = from + 1
		}
	}
	_, err := randomImages(20, 1, 1, 1, 3, 1).Evenly(21, 3)
	wantError(t, err, "no more than there are, 20")
	_, err = randomImages(20, 1, 1, 1, 3, 1).Evenly(2, 3)
	wantError(t, err, "at least one of each of the 3 classes")
}

// TestHoldOut checks that each image is in exactly one of the two parts, and that the held-out part has equally many
// images of every class.
func TestHoldOut(t *testing.T) {
	im := randomImages(200, 1, 2, 1, 4, 7)
	for i := range im.Len() { // makes all images different
		im.Pixels[2*i], im.Pixels[2*i+1] = uint8(i), 0
	}
	rest, held, err := im.HoldOut(40, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if counts := held.ClassCounts(4); slices.Max(counts) != 10 || slices.Min(counts) != 10 || rest.Len() != 160 {
		t.Errorf("%v of each class are held out, and %d are left", counts, rest.Len())
	}
	seen := map[uint8]uint8{}
	for _, part := range []Images{rest, held} {
		for i, label := range part.Labels {
			seen[part.Pixels[2*i]] = label
			if i > 0 && part.Pixels[2*i] < part.Pixels[2*i-2] {
				t.Error("the order has changed")
			}
		}
	}
	for i, label := range im.Labels {
		if got, found := seen[uint8(i)]; !found || got != label {
			t.Errorf("image %d is lost, or has another label", i)
		}
	}
	if _, again, _ := im.HoldOut(40, 4, 1); !sameImages(held, again) {
		t.Error("the same seed holds out others")
	}
	if _, other, _ := im.HoldOut(40, 4, 2); sameImages(held, other) {
		t.Error("another seed holds out the same")
	}
}

// TestSample checks that the sample of a sorted set has every class, and that the sample of a mixed set is its first
// images.
func TestSample(t *testing.T) {
	im := randomImages(60, 1, 1, 1, 3, 2)
	if got := im.Sample(20, 3); !sameImages(got, im.First(20)) {
		t.Error("of a mixed set others than the first images are taken")
	}
	slices.Sort(im.Labels)
	if got := im.Sample(9, 3); slices.Contains(got.ClassCounts(3), 0) || got.Len() != 9 {
		t.Errorf("of a sorted set it takes %v of each class", got.ClassCounts(3))
	}
	if got := im.Sample(2, 3); !sameImages(got, im.First(2)) {
		t.Error("of fewer than the classes others than the first images are taken")
	}
	if got := im.Sample(60, 3); got.Len() != 60 {
		t.Errorf("%d of all", got.Len())
	}
}
