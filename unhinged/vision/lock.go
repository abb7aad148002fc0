package vision

import "errors"

// ErrElsewhere is the error of a run that is under way in another process, or in another part of this one.
var ErrElsewhere = errors.New("another process is training this run")
