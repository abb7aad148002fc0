//go:build !unix

package backends

// trusted says yes: here files have no owner that could be asked for.
func trusted(string) bool { return true }
