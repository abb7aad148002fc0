package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// runJobs starts this program several times with the arguments of this process and --jobs 1, and waits for all. The
// processes share the runs by claims in the folder. Each line that a job prints begins with the number of the job. When
// the context is cancelled, each job receives a signal to stop, as by SIGTERM, and saves its step.
func runJobs(ctx context.Context, jobs int, folder string, out, terminal io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d jobs share the runs; results in %s\n", jobs, folder)
	var mutex sync.Mutex // of out and terminal
	errs := make([]error, jobs)
	var wait sync.WaitGroup
	for i := range jobs {
		wait.Go(func() { errs[i] = runJob(ctx, program, i+1, folder, &mutex, out, terminal) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func runJob(ctx context.Context, program string, number int, folder string, mutex *sync.Mutex, out,
	terminal io.Writer) error {
	job := exec.CommandContext(ctx, program, append(os.Args[1:], "--jobs", "1", "--out", folder)...)
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C on a terminal reaches it once, from here
	job.Cancel = func() error { return job.Process.Signal(syscall.SIGTERM) }
	stdout, err := job.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := job.StderrPipe()
	if err != nil {
		return err
	}
	if err := job.Start(); err != nil {
		return err
	}
	var wait sync.WaitGroup
	forward := func(from io.Reader, to io.Writer) {
		for lines := bufio.NewScanner(from); lines.Scan(); {
			mutex.Lock()
			fmt.Fprintf(to, "[%d] %s\n", number, lines.Text())
			mutex.Unlock()
		}
	}
	wait.Go(func() { forward(stdout, out) })
	wait.Go(func() { forward(stderr, terminal) })
	wait.Wait() // before Wait, which closes the pipes
	if err := job.Wait(); err != nil {
		return fmt.Errorf("job %d: %w", number, err)
	}
	return nil
}
