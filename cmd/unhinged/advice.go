package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// advice returns a message that may name commands, such as "`unhinged train` makes them". Where unhinged is not on
// PATH, it adds how this program was started.
func advice(message string) string {
	if !strings.Contains(message, "`unhinged ") {
		return message
	}
	if _, err := exec.LookPath("unhinged"); err == nil {
		return message
	}
	started := os.Args[0]
	if strings.Contains(started, "go-build") { // the temporary folder of go run
		started = "go run ./cmd/unhinged"
	}
	return fmt.Sprintf("%s (unhinged is not on PATH here: write %s in its place)", message, started)
}
