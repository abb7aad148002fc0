package datasets

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
)

// check compares a decoded data set with what is known of it.
func (s source) check(d *Dataset) error {
	for _, part := range []struct {
		name   string
		images Images
		want   int
	}{{"training", d.Train, s.train}, {"test", d.Test, s.test}} {
		for i, label := range part.images.Labels {
			if int(label) >= len(d.Classes) {
				return fmt.Errorf("%s image %d has label %d; labels go from 0 to %d", part.name, i, label, len(d.Classes)-1)
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
				return fmt.Errorf("%d %s images of class %d (%s); %s has %d of each class", count, part.name, c, d.Classes[c], s.name, part.want/len(d.Classes))
			}
		}
	}
	if s.mean == nil {
		return nil
	}
	got := d.Train.Normalisation()
	for c := range s.mean {
		// Published with four digits.
		if !(math.Abs(got.Mean[c]-s.mean[c]) < 1e-4 && math.Abs(got.Std[c]-s.std[c]) < 1e-4) {
			return fmt.Errorf("the training images have channel means %.4f and standard deviations %.4f; %s has %.4f and %.4f", got.Mean, got.Std, s.name, s.mean, s.std)
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

// checkSum compares content with a published checksum: an MD5, SHA-1 or SHA-256, told apart by their length. Nothing is
// compared with "".
func checkSum(content []byte, want string) error {
	var name, got string
	switch len(want) {
	case 0:
		return nil
	case 2 * md5.Size:
		sum := md5.Sum(content)
		name, got = "MD5", hex.EncodeToString(sum[:])
	case 2 * sha1.Size:
		sum := sha1.Sum(content)
		name, got = "SHA-1", hex.EncodeToString(sum[:])
	case 2 * sha256.Size:
		sum := sha256.Sum256(content)
		name, got = "SHA-256", hex.EncodeToString(sum[:])
	}
	if got != want {
		return fmt.Errorf("%s of the (uncompressed) content is %s, published is %s", name, got, want)
	}
	return nil
}
