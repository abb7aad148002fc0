package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/internal/bootstrap"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func measureCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "measure",
		Short: "Measure collapse, calibration and out-of-distribution scores of .npy files",
		Long: `Measure a classifier by its features, logits or scores, from any framework. The inputs are NumPy's .npy
files of float16, float32 or float64, and labels that are integers from 0 to C−1. The commands print a table. --json
FILE also writes the values, with the keys that the help of each command lists, and --plot FILE.svg draws them. A
value that is not defined is printed as "–" and is null in JSON. Intervals, in brackets, are 95 % bootstrap intervals;
in JSON, the bounds of KEY are KEY_low and KEY_high.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(measureCollapse(), measureCalibration(), measureOOD())
	return c
}

// measured is a value with its name in JSON and its description in the table.
type measured struct {
	key      string
	value    float64
	meaning  string
	interval *bootstrap.Interval // nil if there is none
}

// withIntervals gives the values their intervals, by their keys.
func withIntervals(values []measured, intervals map[string]bootstrap.Interval) {
	for k, v := range values {
		if i, found := intervals[v.key]; found {
			values[k].interval = &i
		}
	}
}

// outputFiles are the files that a measuring command writes in addition to its table. An empty name stands for no file.
type outputFiles struct{ json, plot string }

// flags adds --json and --plot, and requires the flags with these names.
func (o *outputFiles) flags(c *cobra.Command, required ...string) *cobra.Command {
	c.Flags().StringVar(&o.json, "json", "", "also write the values to this file")
	c.Flags().StringVar(&o.plot, "plot", "", "also draw them into this file, .svg")
	for _, name := range required {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return c
}

// report prints the values as a table, and writes the files.
func (o outputFiles) report(out io.Writer, values []measured, picture func() ([]byte, error)) error {
	object := map[string]result.Number{}
	for _, v := range values {
		object[v.key] = result.Number(v.value)
		if v.interval != nil {
			object[v.key+"_low"] = result.Number(v.interval.Low)
			object[v.key+"_high"] = result.Number(v.interval.High)
		}
	}
	if o.json != "" {
		content, err := json.MarshalIndent(object, "", "  ")
		if err != nil {
			return err
		}
		if err := files.WriteBytes(filepath.Clean(o.json), append(content, '\n')); err != nil {
			return err
		}
	}
	if o.plot != "" {
		svg, err := picture()
		if err != nil {
			return err
		}
		if err := files.WriteBytes(filepath.Clean(o.plot), svg); err != nil {
			return err
		}
	}
	for _, v := range values {
		number, err := json.Marshal(object[v.key])
		if err != nil {
			return err
		}
		text, interval := "–", ""
		if string(number) != "null" {
			text = fmt.Sprintf("%.6g", v.value)
		}
		if v.interval != nil {
			interval = fmt.Sprintf("[%.4g, %.4g]", v.interval.Low, v.interval.High)
		}
		fmt.Fprintf(out, "%-20s %12s   %-18s %s\n", v.key, text, interval, v.meaning)
	}
	return nil
}

// resamplesFlag adds --resamples.
func resamplesFlag(c *cobra.Command, resamples *int) {
	c.Flags().IntVar(resamples, "resamples", 1000, "bootstrap resamples of the intervals; 0 for no intervals")
}

// bootstrapSeed is the seed of the resamples, so that the same files have the same intervals.
const bootstrapSeed = 1
