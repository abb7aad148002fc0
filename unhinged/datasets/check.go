package datasets

import (
	"fmt"
	"math"
	"strings"
)

// check compares a decoded data set with the published numbers.
func (s source) check(d *Dataset) error {
	if len(d.Classes) < 2 {
		return fmt.Errorf("all images have one label; a classifier needs at least 2 classes")
	}
	for _, part := range []struct {
		name   string
		images Images
		want   int
	}{{"training", d.Train, s.train}, {"test", d.Test, s.test}} {
		for i, label := range part.images.Labels {
			if int(label) >= len(d.Classes) {
				return fmt.Errorf("%s image %d has label %d; labels go from 0 to %d", part.name, i, label,
					len(d.Classes)-1)
			}
		}
		if part.want == 0 {
			continue
		}
		if part.images.Len() != part.want {
			return fmt.Errorf("%d %s images; %s has %d", part.images.Len(), part.name, s.name, part.want)
		}
		for c, count := range part.images.ClassCounts(len(d.Classes)) {
			if s.balanced && count*len(d.Classes) != part.want {
				return fmt.Errorf("%d %s images of class %d (%s); %s has %d of each class", count, part.name, c,
					d.Classes[c], s.name, part.want/len(d.Classes))
			}
		}
	}
	var empty []string
	for c, count := range d.Train.ClassCounts(len(d.Classes)) {
		if count == 0 && s.classes == nil { // the classes of a user's own data are the labels in it
			empty = append(empty, d.Classes[c])
		}
	}
	if empty != nil {
		return fmt.Errorf("the labels go up to %d, but no training image has label %s; number the classes 0, 1, … "+
			"without gaps",
			len(d.Classes)-1, strings.Join(empty, ", "))
	}
	if s.mean == nil {
		return nil
	}
	got := d.Train.Normalisation()
	for c := range s.mean {
		// Published with four digits.
		if !(math.Abs(got.Mean[c]-s.mean[c]) < 1e-4 && math.Abs(got.Std[c]-s.std[c]) < 1e-4) {
			return fmt.Errorf("the training images have channel means %.4f and standard deviations %.4f; %s has %.4f "+
				"and %.4f", got.Mean, got.Std, s.name, s.mean, s.std)
		}
	}
	return nil
}

// ClassCounts is the number of images of each class. Labels must be less than classes.
func (im Images) ClassCounts(classes int) []int {
	counts := make([]int, classes)
	for _, label := range im.Labels {
		counts[label]++
	}
	return counts
}

// checkSum compares content with a published SHA-256. Nothing is compared with "".
func checkSum(content []byte, want string) error {
	if got := sumOf(content); want != "" && got != want {
		return fmt.Errorf("SHA-256 of the (uncompressed) content is %s, published is %s", got, want)
	}
	return nil
}
