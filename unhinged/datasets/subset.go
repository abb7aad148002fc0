package datasets

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The kinds of imbalance.
const (
	LongTailed = "long-tailed" // Images.LongTailed
	Step       = "step"        // Images.Stepped
)

// Imbalance says how many training images of each class a subset keeps. The zero value keeps all.
type Imbalance struct {
	Kind  string  `json:"kind"`           // LongTailed or Step
	Ratio float64 `json:"ratio"`          // ρ ≥ 1, the largest class to the smallest
	Seed  uint64  `json:"seed,omitempty"` // decides which images are kept; it is not the seed of a training
}

// Check returns an error that says what is wrong with the kind or the ratio.
func (i Imbalance) Check() error {
	switch {
	case i == Imbalance{}:
		return nil
	case i.Kind != LongTailed && i.Kind != Step:
		return fmt.Errorf("the kind of imbalance is %q; it must be %q or %q", i.Kind, LongTailed, Step)
	case !(i.Ratio >= 1 && i.Ratio <= 1e6):
		return fmt.Errorf("the imbalance ratio is %g; it must be from 1 to 1e6", i.Ratio)
	}
	return nil
}

// String names the imbalance: "long-tailed, ρ = 100", and "balanced" for the zero value.
func (i Imbalance) String() string {
	if i == (Imbalance{}) {
		return "balanced"
	}
	return fmt.Sprintf("%s, ρ = %g", i.Kind, i.Ratio)
}

// Imbalanced returns the data set with that subset of its training images. The test images stay balanced.
func (d *Dataset) Imbalanced(imbalance Imbalance) (*Dataset, error) {
	if err := imbalance.Check(); err != nil || imbalance == (Imbalance{}) {
		return d, err
	}
	out := d.copy()
	out.Imbalance = imbalance
	thin := d.Train.LongTailed
	if imbalance.Kind == Step {
		thin = d.Train.Stepped
	}
	var err error
	out.Train, err = thin(len(d.Classes), imbalance.Ratio, imbalance.Seed)
	return out, err
}

// copy returns a data set of the same images, without the checksum of Content.
func (d *Dataset) copy() *Dataset {
	return &Dataset{Name: d.Name, Classes: d.Classes, Folder: d.Folder, Train: d.Train, Test: d.Test,
		Imbalance: d.Imbalance, Known: d.Known, Unknown: d.Unknown}
}

// Known is a list of classes, ascending, such as "0,1,8,9". The empty string means all.
type Known string

// KnownClasses returns the list of these classes.
func KnownClasses(classes ...int) Known {
	slices.Sort(classes)
	var parts []string
	for _, c := range slices.Compact(classes) {
		parts = append(parts, strconv.Itoa(c))
	}
	return Known(strings.Join(parts, ","))
}

// Classes returns the list as numbers. An error is returned for a list that KnownClasses does not write.
func (k Known) Classes() ([]int, error) {
	if k == "" {
		return nil, nil
	}
	var classes []int
	for part := range strings.SplitSeq(string(k), ",") {
		c, err := strconv.Atoi(part)
		if err != nil || c < 0 || c > 255 {
			return nil, fmt.Errorf("the known classes are %q; they must be numbers from 0, such as \"0,1,8,9\"", k)
		}
		classes = append(classes, c)
	}
	if KnownClasses(slices.Clone(classes)...) != k || len(classes) < 2 {
		return nil, fmt.Errorf("the known classes are %q; they must be two at least, ascending, such as \"0,1,8,9\"", k)
	}
	return classes, nil
}

// OnlyKnown returns the data set of the known classes, which are numbered from 0 in their order. The test images of all
// other classes become its Unknown: they are out of distribution.
func (d *Dataset) OnlyKnown(known Known) (*Dataset, error) {
	classes, err := known.Classes()
	if err != nil || classes == nil {
		return d, err
	}
	if largest := classes[len(classes)-1]; largest >= len(d.Classes) {
		return nil, fmt.Errorf("%d is among the known classes; %s has the classes 0 to %d", largest, d.Name,
			len(d.Classes)-1)
	}
	out := d.copy()
	out.Known, out.Classes = known, nil
	for _, c := range classes {
		out.Classes = append(out.Classes, d.Classes[c])
	}
	out.Train, _ = d.Train.split(classes)
	out.Test, out.Unknown = d.Test.split(classes)
	return out, nil
}

// split divides the images into those of the classes, whose labels become their places in the list, and the others.
func (im Images) split(classes []int) (of, others Images) {
	var in, out []int
	for i, label := range im.Labels {
		if slices.Contains(classes, int(label)) {
			in = append(in, i)
		} else {
			out = append(out, i)
		}
	}
	of, others = im.pick(in), im.pick(out)
	for i, label := range of.Labels {
		of.Labels[i] = uint8(slices.Index(classes, int(label)))
	}
	return of, others
}
