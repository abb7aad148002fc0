package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals are those after which long work saves what it has and ends: Ctrl-C, what a batch system or container
// sends before it kills, and the terminal's end, unless nohup has it ignored.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
