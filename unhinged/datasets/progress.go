package datasets

import (
	"io"
	"sync"

	"github.com/unhinged-lab/lab/internal/regular"
)

// Progress, if it is not nil, is told how many bytes of how many have been decoded while Open, OpenFolder,
// OpenImageFolder, Verify and Get read a data set: of its files, or of the pixels made from a folder of images. It is
// called when decoding begins and again and again until done is total, which comes once, at the end, be it in an error.
// Of what was decoded earlier it is told nothing. Set it before any of them is called.
var Progress func(what string, done, total int64)

// counter tells Progress of the bytes that are written to it, by any number of goroutines.
type counter struct {
	what  string
	total int64
	mutex sync.Mutex
	done  int64
}

func newCounter(name string, total int64) *counter {
	c := &counter{what: "decoding " + name, total: total}
	c.Write(nil)
	return c
}

func (c *counter) Write(content []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	// All that is read is not all that is to be done.
	if c.done += int64(len(content)); Progress != nil && c.done < c.total {
		Progress(c.what, c.done, c.total)
	}
	return len(content), nil
}

func (c *counter) end() {
	if Progress != nil {
		Progress(c.what, c.total, c.total)
	}
}

// readFile is os.ReadFile that writes what it reads to progress, too.
func readFile(path string, progress io.Writer) ([]byte, error) {
	in, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.TeeReader(in, progress))
}
