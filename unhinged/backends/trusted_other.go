//go:build !unix

package backends

// trusted returns true, because the owner of a file is not known on this system.
func trusted(string) bool { return true }
