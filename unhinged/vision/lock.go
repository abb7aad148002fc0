package vision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrElsewhere is the error of a run that is under way in another process, or in another part of this one.
var ErrElsewhere = errors.New("another process is training this run")

// lockName is the file in a run's folder whose lock the process holds that trains there.
const lockName = ".lock"

// lockFolder keeps a folder for this run until unlock, which removes the lock's file. Where the process is killed, the
// system frees the lock; the file stays, and the next run takes it over.
func lockFolder(folder string) (unlock func(), err error) {
	path := filepath.Join(folder, lockName)
	for {
		lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
		locked, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("the folder %s cannot be locked, and another process could train the same run: %w; "+
				"choose a folder where files can be written and locked", folder, err)
		}
		if !locked {
			return nil, ErrElsewhere
		}
		unlock = func() {
			os.Remove(path) // first: while it is locked nobody else removes it
			lock.Close()
		}
		held, errHeld := lock.Stat()
		there, errThere := os.Stat(path)
		if errHeld == nil && errThere == nil && os.SameFile(held, there) {
			return unlock, nil
		}
		lock.Close() // the file was removed by the run that held it, after this one had opened it
	}
}
