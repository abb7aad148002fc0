package datasets

import (
	"io"
	"sync"

	"github.com/unhinged-lab/lab/internal/regular"
)

// Progress is told how many bytes of how many are done of what, such as "decoding cifar-10" or the name of a file that
// is downloaded (there total is −1 if it is not known). Of a data set that is decoded it is told the bytes of its
// files, or of the pixels made from a folder of images: when decoding begins and again and again until done is total,
// which comes once, at the end, be it in an error. Of what was decoded earlier it is told nothing. Its calls do not
// overlap.
type Progress func(what string, done, total int64)

// counter calls a Progress with the number of bytes that are written to it, by any number of goroutines.
type counter struct {
	progress []Progress
	what     string
	total    int64
	mutex    sync.Mutex
	done     int64
}

func newCounter(progress []Progress, name string, total int64) *counter {
	c := &counter{progress: progress, what: "decoding " + name, total: total}
	c.Write(nil)
	return c
}

func (c *counter) tell(done int64) {
	for _, progress := range c.progress {
		if progress != nil {
			progress(c.what, done, c.total)
		}
	}
}

func (c *counter) Write(content []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.done += int64(len(content)); c.done < c.total { // reading is only a part of the work
		c.tell(c.done)
	}
	return len(content), nil
}

func (c *counter) end() { c.tell(c.total) }

// readFile is os.ReadFile, and also writes the content to progress.
func readFile(path string, progress io.Writer) ([]byte, error) {
	in, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.TeeReader(in, progress))
}
