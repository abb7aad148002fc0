package vision

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/unhinged-lab/lab/internal/lease"
)

// ErrElsewhere is the error of a run that another process, or another part of this process, is training.
var ErrElsewhere = errors.New("another process is training this run")

// claimName is the file in a run's folder, with a number added, by which the process that trains there claims the run.
const claimName = ".claim"

// claimFolder claims a folder for this run. The claim needs no locks of the file system. It expires a minute after the
// process was lost, and at once if the process was of this machine.
func claimFolder(folder string) (*lease.Lease, error) {
	claim, err := lease.Take(filepath.Join(folder, claimName))
	return claim, elsewhere(err)
}

// Elsewhere returns ErrElsewhere if another process has claimed the run, and nil if Run could claim it now.
func (t Training) Elsewhere() error {
	return elsewhere(lease.Check(filepath.Join(t.Folder, claimName)))
}

// claimed returns ErrElsewhere if another process may have taken over the run. It is called before every write.
func (r *run) claimed() error {
	if r.claim == nil {
		return nil
	}
	return elsewhere(r.claim.Held())
}

// elsewhere converts an error of a lease to ErrElsewhere, if it is about another process.
func elsewhere(err error) error {
	if errors.Is(err, lease.ErrTaken) || errors.Is(err, lease.ErrLost) {
		return fmt.Errorf("%w: %w", ErrElsewhere, err)
	}
	return err
}
