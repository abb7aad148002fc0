package datasets

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// child starts this test binary again as a process that runs only the task of the given name in TestChild, and returns
// its standard output. The process ends with the test at the latest.
func child(t *testing.T, task, argument string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), "DATASETS_CHILD="+task, "DATASETS_ARGUMENT="+argument)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c, bufio.NewReader(out)
}

// say sends a line to the parent.
func say(format string, arguments ...any) {
	fmt.Fprintf(os.Stdout, "child: "+format+"\n", arguments...)
}

// hear returns the next line of the child.
func hear(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("the child ended without a word: %v", err)
		}
		if said, ok := strings.CutPrefix(line, "child: "); ok {
			return strings.TrimSpace(said)
		}
	}
}

// processImages returns the images that children and parents decode.
func processImages() *Dataset {
	return &Dataset{Name: "random", Train: randomImages(200, 32, 32, 3, 2, 1), Test: randomImages(50, 32, 32, 3, 2, 2)}
}

// TestChild does nothing unless child started it.
func TestChild(t *testing.T) {
	argument := os.Getenv("DATASETS_ARGUMENT")
	switch os.Getenv("DATASETS_CHILD") {
	case "": // an ordinary run of the tests
	case "stop while decoding": // it stops after writing a part of the pixels
		d := processImages()
		_, err := openStreamed(argument, "", func() (*Dataset, func(io.Writer) error, error) {
			return d, func(w io.Writer) error {
				w.Write(make([]byte, 3<<20))
				say("decoding")
				select {}
			}, nil
		})
		t.Error(err)
	case "decode": // it decodes and reports the result
		d := processImages()
		got, err := openCached(argument, "", func() (*Dataset, error) { say("decoding"); return d, nil })
		if err != nil || !sameDataset(got, d) {
			say("error %v, or other images", err)
		} else {
			say("right")
		}
	case "get":
		sources = []source{smallSource(t, argument+"/")}
		_, err := Get(context.Background(), "small", nil)
		say("error %v", err)
	default:
		t.Error("no such task")
	}
}

func TestKilledWhileDecoding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "random.images")
	killed, out := child(t, "stop while decoding", path)
	if said := hear(t, out); said != "decoding" {
		t.Fatal(said)
	}
	if err := killed.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	killed.Wait()
	wantFiles(t, filepath.Dir(path), "random.images.lock", "random.images.part")
	d := processImages()
	got, err := openCached(path, "", func() (*Dataset, error) { return d, nil })
	if err != nil || !sameDataset(got, d) {
		t.Errorf("error %v, or other images", err)
	}
	wantFiles(t, filepath.Dir(path), "random.images", "random.images.lock")
}

func TestProcessesDecodeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "random.images")
	var outs []*bufio.Reader
	for range 6 {
		_, out := child(t, "decode", path)
		outs = append(outs, out)
	}
	decoded := 0
	for _, out := range outs {
		said := hear(t, out)
		if said == "decoding" {
			decoded++
			said = hear(t, out)
		}
		if said != "right" {
			t.Error(said)
		}
	}
	if decoded != 1 {
		t.Errorf("decoded by %d of 6 processes", decoded)
	}
	wantFiles(t, filepath.Dir(path), "random.images", "random.images.lock")
}

// TestKilledWhileDownloading: the server sends 20 bytes and then nothing until the process that asked for them has
// ended.
func TestKilledWhileDownloading(t *testing.T) {
	var ranges []string
	first := true
	sent := make(chan bool)
	server := serve(t, func(contents map[string][]byte) http.Handler {
		inner := fileServer(contents)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if content := contents[r.URL.Path]; content != nil && first {
				first = false
				w.Header().Set("Content-Length", fmt.Sprint(len(content)))
				w.Write(content[:20])
				w.(http.Flusher).Flush()
				sent <- true
				<-r.Context().Done()
				return
			}
			if contents[r.URL.Path] != nil {
				ranges = append(ranges, r.Header.Get("Range"))
			}
			inner.ServeHTTP(w, r)
		})
	})
	killed, _ := child(t, "get", server)
	<-sent
	part := filepath.Join(Root(), "small", idxNames[0]+".gz.part")
	// wait until the child has written the bytes that it received
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(part); err == nil && info.Size() == 20 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the child did not write what it got: %v, %v", info, err)
		}
	}
	// Another process waits until the download is free or until its context is cancelled.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Get(ctx, "small", nil); err == nil || ctx.Err() == nil {
		t.Errorf("it did not wait for the process that downloads: error %v", err)
	}
	if err := killed.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	killed.Wait()
	if _, err := Get(t.Context(), "small", nil); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 4 || ranges[0] != "bytes=20-" || ranges[1] != "" {
		t.Errorf("ranges asked for: %q", ranges)
	}
	if _, err := Verify("small"); err != nil {
		t.Error(err)
	}
}

// TestProcessesDownloadOnce checks that each of four files is requested only once.
func TestProcessesDownloadOnce(t *testing.T) {
	requests := make(chan string, 100)
	server := serve(t, func(contents map[string][]byte) http.Handler {
		inner := fileServer(contents)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests <- r.URL.Path
			inner.ServeHTTP(w, r)
		})
	})
	var outs []*bufio.Reader
	for range 4 {
		_, out := child(t, "get", server)
		outs = append(outs, out)
	}
	for _, out := range outs {
		if said := hear(t, out); said != "error <nil>" {
			t.Error(said)
		}
	}
	if len(requests) != 4 {
		t.Errorf("%d requests for 4 files", len(requests))
	}
}
