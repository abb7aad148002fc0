package datasets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxDownload bounds a compressed file; the largest one known is 26 MB.
const maxDownload = 256 << 20

// client gives up on a server that does not answer; the transfer itself ends with the context.
var client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: 30 * time.Second}}

// Get downloads the named data set into Root() from its official host or a mirror, unless a verified copy is on this
// machine already, and returns the folder it lies in. An interrupted download goes on where it stopped; every file is
// checked before it gets its name. progress (may be nil) is told the bytes had and the bytes expected (−1: unknown).
func Get(ctx context.Context, name string, progress func(file string, done, total int64)) (folder string, err error) {
	s, err := sourceNamed(name)
	if err != nil {
		return "", err
	}
	if folder := s.find(); folder != "" {
		if _, err := open(folder, s); err == nil {
			return folder, nil
		}
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	folder = filepath.Join(Root(), s.name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	for _, f := range s.files {
		if _, _, err := read(folder, f, dimensionsOf(f)); err == nil {
			continue
		}
		// A plain file that failed its check would hide the compressed one that comes now.
		if err := os.Remove(filepath.Join(folder, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err := s.download(ctx, folder, f, progress); err != nil {
			return "", fmt.Errorf("%w. The same files can be had with `%s`", err, strings.Join(s.packages(), "` or with `"))
		}
	}
	if _, err := open(folder, s); err != nil {
		return "", err
	}
	return folder, nil
}

func dimensionsOf(f file) int {
	if strings.Contains(f.name, "idx3") {
		return 3
	}
	return 1
}

// download brings one compressed file from the first mirror that has it.
func (s source) download(ctx context.Context, folder string, f file, progress func(string, int64, int64)) error {
	var failures []error
	for _, mirror := range s.mirrors {
		url := mirror + f.name + ".gz"
		part := filepath.Join(folder, f.name+".gz.part")
		err := fetch(ctx, url, part, func(done, total int64) { progress(f.name+".gz", done, total) })
		if err == nil {
			if err = checkMD5(part, f.md5); err == nil {
				return os.Rename(part, filepath.Join(folder, f.name+".gz"))
			}
			os.Remove(part) // what is wrong cannot be continued
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w; get it again to go on from there", url, ctx.Err())
		}
		failures = append(failures, fmt.Errorf("%s: %w", url, err))
	}
	return fmt.Errorf("no mirror gave %s.gz: %s", f.name, strings.ReplaceAll(errors.Join(failures...).Error(), "\n", "; "))
}

// fetch downloads url to the file part, going on where an earlier call stopped if the server allows it.
func fetch(ctx context.Context, url, part string, progress func(done, total int64)) error {
	out, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return nil // nothing is left to fetch: the checksum decides
	case response.StatusCode == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case response.StatusCode == http.StatusOK: // the whole file, whatever was asked
		have = 0
		if err := out.Truncate(0); err != nil {
			return err
		}
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the server answered %q", response.Status)
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	if total > maxDownload {
		return fmt.Errorf("the server announces %d bytes; no file is larger than %d", total, maxDownload)
	}
	body := io.LimitReader(response.Body, maxDownload-have)
	for {
		n, err := io.CopyN(out, body, 1<<18)
		have += n
		progress(have, total)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return out.Close()
}

func checkMD5(path, want string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := md5.New()
	if _, err := io.Copy(hash, in); err != nil {
		return err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want {
		return fmt.Errorf("MD5 of the download is %s, published is %s", sum, want)
	}
	return nil
}
