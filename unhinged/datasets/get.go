package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/unhinged-lab/lab/internal/regular"
)

// maxDownload bounds a file; the largest one known has 182 MB (SVHN's training set).
const maxDownload = 256 << 20

// If a server sends fewer than slowest bytes a second, on average over the time stall, the download ends with an error.
// (At this rate the largest known file takes three days.) The bytes that have arrived are kept.
var (
	stall   = time.Minute
	slowest = 700.
)

// Get downloads the named data set into Root() from its official host or a mirror, unless a verified copy is on this
// machine already, and returns the folder it lies in. An interrupted download goes on where it stopped; every file is
// checked before it gets its name. If a server sends almost nothing for a minute, the download ends with an error.
// While one process downloads a data set, others wait for it. progress, if it is not nil, is called during the
// downloads and the decoding.
func Get(ctx context.Context, name string, progress Progress) (folder string, err error) {
	s, err := sourceNamed(name)
	if err != nil {
		return "", err
	}
	folder, f, damaged := s.find()
	if damaged == nil {
		if _, damaged = s.decode(folder, f, progress); damaged == nil {
			return folder, nil
		}
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	folder = filepath.Join(Root(), s.name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", whereToWrite(err)
	}
	lock := flock.New(filepath.Join(folder, ".lock"), flock.SetPermissions(0o644))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", whereToWrite(err)
	}
	defer lock.Unlock()
	for _, f := range s.files {
		if checkFile(filepath.Join(folder, f.name), f.sha256) != nil {
			if err := s.download(ctx, folder, f, progress); err != nil {
				if !errors.Is(damaged, ErrMissing) {
					err = fmt.Errorf("%w (what is here is damaged: %w)", err, damaged)
				}
				return "", err
			}
		}
		// A plain file would hide the compressed one.
		if plain, ok := strings.CutSuffix(f.name, ".gz"); ok {
			if err := os.Remove(filepath.Join(folder, plain)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
		}
	}
	if _, err := s.decode(folder, s.forms[0], progress); err != nil {
		return "", err
	}
	return folder, nil
}

// unreachable reports whether an error means that there was no connection, for example without a network: the host's
// name is not known, or nothing answers at its address. A server that answers wrongly, or stops in the middle, was
// reached.
func unreachable(err error) bool {
	var name *net.DNSError
	var connection *net.OpError
	return errors.As(err, &name) || errors.As(err, &connection) && (connection.Op == "dial" ||
		connection.Op == "proxyconnect")
}

// whereToWrite adds the remedy to an error about a file under Root().
func whereToWrite(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return fmt.Errorf("%w: data sets are kept under %s; set UNHINGED_DATA to a folder where files can be written "+
			"and there is room", err, Root())
	}
	return err
}

// download brings one file from the first mirror that has it.
func (s source) download(ctx context.Context, folder string, f download, progress Progress) error {
	part := filepath.Join(folder, f.name+".part")
	var failures []error
	for _, mirror := range s.mirrors {
		from := mirror + f.name
		for {
			resumed, err := fetch(ctx, from, part, func(done, total int64) { progress(f.name, done, total) })
			if err == nil {
				if err = checkFile(part, f.sha256); err == nil {
					return os.Rename(part, filepath.Join(folder, f.name))
				}
				os.Remove(part) // a wrong file cannot be resumed
				if resumed {
					continue // try again from the start, because the first part may have been wrong
				}
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w; get it again to go on from there", from, ctx.Err())
			}
			if file := new(fs.PathError); errors.As(err, &file) {
				return whereToWrite(err) // another mirror would not help
			}
			failures = append(failures, fmt.Errorf("%s: %w", from, err))
			break
		}
	}
	what := "no mirror gave " + f.name
	if !slices.ContainsFunc(failures, func(err error) bool { return !unreachable(err) }) {
		what += ", and none could be reached: is there a network here?"
	}
	remedy := fmt.Sprintf("Bring it from there by other means, into %s", folder)
	if s.packages != nil {
		remedy = fmt.Sprintf("The same images can be had with `%s`", strings.Join(s.packages(), "` or with `"))
	}
	if info, err := os.Stat(part); err == nil && info.Size() > 0 {
		remedy = fmt.Sprintf("%d bytes of it have come: get it again to go on from there. %s", info.Size(), remedy)
	}
	return fmt.Errorf("%s (%s). %s", what, strings.ReplaceAll(errors.Join(failures...).Error(), "\n", "; "), remedy)
}

// tooSlow returns the error that says how few bytes came in the time stall.
func tooSlow(received int64) error {
	if received == 0 {
		return fmt.Errorf("the server sent nothing for %v", stall)
	}
	return fmt.Errorf("the server sent only %d bytes in %v", received, stall)
}

// fetch downloads url to the file part. It resumes where an earlier call stopped if the server allows this.
func fetch(ctx context.Context, url, part string, progress func(done, total int64)) (resumed bool, err error) {
	out, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return false, err
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var received atomic.Int64
	watch := time.AfterFunc(stall, func() { cancel(tooSlow(received.Load())) })
	defer watch.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept-Encoding", "identity") // or a .gz file may come unpacked
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	watch.Reset(stall)
	if response.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return have > 0, nil // nothing is left to fetch: the checksum decides
	}
	if resumed, err = continues(response, out, have); err != nil {
		return false, err
	}
	if !resumed {
		have = 0
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	if total > maxDownload {
		return false, fmt.Errorf("the server announces %d bytes; no file is larger than %d", total, maxDownload)
	}
	err = copyBody(out, io.LimitReader(response.Body, maxDownload-have), func(n int64) {
		if float64(received.Add(n)) >= slowest*stall.Seconds() { // the next interval begins
			received.Store(0)
			watch.Reset(stall)
		}
	}, func(n int64) {
		have += n
		progress(have, total)
	})
	if err != nil {
		return false, err
	}
	return resumed, out.Close()
}

// continues reports whether the response continues the file after its first have bytes. If the response has the whole
// file, continues empties out.
func continues(response *http.Response, out *os.File, have int64) (bool, error) {
	switch {
	case response.StatusCode == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"),
		fmt.Sprintf("bytes %d-", have)):
		return true, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("the server answered %q", response.Status)
	case have > 0:
		if err := out.Truncate(0); err != nil {
			return false, err
		}
		_, err := out.Seek(0, io.SeekStart)
		return false, err
	}
	return false, nil
}

// copyBody copies the body to out. It calls read after each read, and written after the same bytes were written.
func copyBody(out io.Writer, body io.Reader, read, written func(n int64)) error {
	buffer := make([]byte, 1<<16)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			read(int64(n))
			if _, err := out.Write(buffer[:n]); err != nil {
				return err
			}
			written(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// checkFile compares the content of a file with a published SHA-256.
func checkFile(path, want string) error {
	in, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, in); err != nil {
		return err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want {
		return fmt.Errorf("SHA-256 of the download is %s, published is %s", sum, want)
	}
	return nil
}
