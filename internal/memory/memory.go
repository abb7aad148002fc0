// Package memory tells how much memory is free, so that a task that does not fit is refused before it allocates memory.
package memory

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Free returns the memory that is available to new work, in bytes: the number that Linux calls available, or less if a
// control group (a container, a batch job) allows less. known is false on other systems.
func Free() (bytes float64, known bool) {
	content, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line) // "MemAvailable:   24219204 kB"
		if len(fields) == 3 && fields[0] == "MemAvailable:" {
			if kilobytes, err := strconv.ParseFloat(fields[1], 64); err == nil {
				return min(1024*kilobytes, groupFree()), true
			}
		}
	}
	return 0, false
}

// Peak returns the largest resident memory of this process so far, in bytes, and 0 where the system does not say it as
// Linux does.
func Peak() int64 {
	content, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line) // "VmHWM:   24204 kB"
		if len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil {
				return 1024 * kilobytes
			}
		}
	}
	return 0
}

// most is the largest number of bytes that the matrices of a figure, or a network, may take, even if more memory is
// free.
const most = 4 << 30

// Fits returns an error if bytes is more than 4 GiB, or more than the free memory. what names the data in the plural,
// for the error.
func Fits(what string, bytes float64) error {
	if bytes > most {
		return fmt.Errorf("%s take %s: at most %s are allowed", what, Bytes(bytes), Bytes(most))
	}
	if free, known := Free(); known && bytes > free {
		return fmt.Errorf("%s take %s: only %s are free", what, Bytes(bytes), Bytes(free))
	}
	return nil
}

// groupFree returns the free memory of the process's control group (version 2, as containers mount it), or +Inf if it
// has no limit.
func groupFree() float64 {
	read := func(name string) float64 {
		content, err := os.ReadFile("/sys/fs/cgroup/" + name)
		if err != nil {
			return math.NaN()
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(string(content)), 64) // "max" is an error
		if err != nil {
			return math.NaN()
		}
		return value
	}
	if left := read("memory.max") - read("memory.current"); !math.IsNaN(left) {
		return max(left, 0)
	}
	return math.Inf(1)
}

// Bytes writes a number of bytes for people, such as "1.5 GiB".
func Bytes(n float64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%.3g %s", n, units[i])
}
