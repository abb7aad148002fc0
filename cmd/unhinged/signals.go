package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals returns the signals at which a long task saves its results and ends: Ctrl-C, the signal that a batch
// system or container sends before it kills a process, and the hang-up of the terminal, unless nohup ignores it.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
