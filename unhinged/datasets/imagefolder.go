package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // ImageNet's format
	_ "image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/internal/parallel"
	"github.com/unhinged-lab/lab/internal/regular"
	"golang.org/x/image/draw"
	"golang.org/x/sync/semaphore"
)

// OpenImageFolder reads JPEG and PNG files in subfolders train/CLASS and val/CLASS (or test/CLASS) of folder, as
// ImageNet and its subsets are laid out; classes are numbered in the order of their names. The images come in a random
// order, always the same, so that the first ones are of all classes, as they are in other data sets. Every image is
// made size × size: its short side is scaled to size, then its middle is cut out. Transparent pixels are blended with
// black, and a photograph's orientation in its EXIF data is not applied: turn such images before. Files whose names
// begin with a dot are passed over; any other file that is not an image is an error. Images are decoded once, into a
// file under Root() that is mapped into memory from then on, as long as no name, size or time of a file changes.
func OpenImageFolder(folder string, size int, progress ...Progress) (*Dataset, error) {
	if size < 1 || size > 1<<12 {
		return nil, fmt.Errorf("images of %d×%d; the side must be from 1 to %d", size, size, 1<<12)
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	test := filepath.Join(folder, "val")
	if _, err := os.Stat(test); err != nil {
		test = filepath.Join(folder, "test")
	}
	d := &Dataset{Name: filepath.Base(folder), Folder: folder}
	hash := sha256.New()
	fmt.Fprintln(hash, cacheVersion, size)
	var files []string
	for _, part := range []struct {
		folder string
		images *Images
	}{{filepath.Join(folder, "train"), &d.Train}, {test, &d.Test}} {
		classes, paths, labels, err := listImages(part.folder, hash)
		if err != nil {
			return nil, err
		}
		if d.Classes == nil {
			d.Classes = classes
		}
		if !slices.Equal(d.Classes, classes) {
			return nil, fmt.Errorf("%s has classes %s, and the training images %s; they must agree", part.folder,
				strings.Join(classes, ", "), strings.Join(d.Classes, ", "))
		}
		rand.New(rand.NewPCG(0, 0)).Shuffle(len(paths), func(i, j int) {
			paths[i], paths[j] = paths[j], paths[i]
			labels[i], labels[j] = labels[j], labels[i]
		})
		files = append(files, paths...)
		*part.images = Images{Height: size, Width: size, Channels: 3, Labels: labels}
	}
	place := sha256.Sum256([]byte(folder))
	path := cachePath(fmt.Sprintf("%s-%d-%x", d.Name, size, place[:4]))
	return openStreamed(path, hex.EncodeToString(hash.Sum(nil)), func() (*Dataset, func(io.Writer) error, error) {
		return d, func(w io.Writer) error {
			counter := newCounter(progress, d.Name, int64(len(files)*d.Train.Size()))
			defer counter.end()
			return decodeImages(io.MultiWriter(w, counter), files, size)
		}, nil
	})
}

// listImages lists the images in the class folders of folder. It writes their names, sizes and times to fingerprint, so
// that the fingerprint changes if an image does.
func listImages(folder string, fingerprint io.Writer) (classes, paths []string, labels []uint8, err error) {
	entries, err := os.ReadDir(folder) // in the order of their names
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: there should be train/CLASS/IMAGE and val/CLASS/IMAGE (or test/)", err)
	}
	for _, class := range entries {
		if strings.HasPrefix(class.Name(), ".") {
			continue
		}
		images, err := os.ReadDir(filepath.Join(folder, class.Name()))
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%w: there should be nothing but folders of classes in %s", err, folder)
		}
		if len(classes) == 256 {
			return nil, nil, nil, fmt.Errorf("%s has more than 256 folders of classes; labels are bytes", folder)
		}
		before := len(paths)
		for _, entry := range images {
			if strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			path := filepath.Join(folder, class.Name(), entry.Name())
			info, err := os.Stat(path) // not entry.Info(), which does not follow links
			if err != nil {
				return nil, nil, nil, err
			}
			if !info.Mode().IsRegular() {
				return nil, nil, nil,
					fmt.Errorf("%s is not a file; there should be nothing but images in the folder of a class", path)
			}
			fmt.Fprintf(fingerprint, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			paths, labels = append(paths, path), append(labels, uint8(len(classes)))
		}
		if len(paths) == before {
			return nil, nil, nil, fmt.Errorf("%s has no images", filepath.Join(folder, class.Name()))
		}
		classes = append(classes, class.Name())
	}
	if len(classes) < 2 {
		return nil, nil, nil, fmt.Errorf("%s has %d folders of classes; a classifier needs at least 2", folder,
			len(classes))
	}
	return classes, paths, labels, nil
}

// decodeImages writes the images in order, decoding them on all processors.
func decodeImages(w io.Writer, files []string, size int) error {
	for chunk := range slices.Chunk(files, 16*runtime.GOMAXPROCS(0)) {
		decoded := make([][]uint8, len(chunk))
		err := parallel.Try(len(chunk), func(i int) (err error) {
			decoded[i], err = decodeImage(chunk[i], size)
			return err
		})
		if err != nil {
			return err
		}
		for _, pixels := range decoded {
			if _, err := w.Write(pixels); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxDecoded bounds an image in memory when it is decoded, and decodeBudget all that are decoded at the same time: a
// file of two megabytes can have a gigabyte of pixels, and a damaged header may promise terabytes.
const maxDecoded, decodeBudget = 1 << 29, 1 << 30

var decoding = semaphore.NewWeighted(decodeBudget)

// decodeImage reads one image as size·size·3 values.
func decodeImage(path string, size int) ([]uint8, error) {
	in, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	config, _, err := image.DecodeConfig(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it should be a JPEG or PNG image; replace or remove it", path, err)
	}
	each := int64(4) // bytes of a pixel
	switch config.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		each = 8
	}
	if int64(config.Width) > maxDecoded/each/max(int64(config.Height), 1) {
		return nil,
			fmt.Errorf("%s: an image of %d×%d pixels takes more than %d MiB when it is decoded; make it smaller",
				path, config.Width, config.Height, maxDecoded>>20)
	}
	bytes := each * int64(config.Width) * int64(config.Height)
	if err := decoding.Acquire(context.Background(), bytes); err != nil {
		return nil, err
	}
	defer decoding.Release(bytes)
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it should be a JPEG or PNG image; replace or remove it", path, err)
	}
	bounds := picture.Bounds()
	side := min(bounds.Dx(), bounds.Dy())
	if side == 0 {
		return nil, fmt.Errorf("%s: an image of %v pixels", path, bounds.Size())
	}
	// The middle square of the original is scaled at once.
	middle := image.Rect(0, 0, side, side).Add(bounds.Min).Add(image.Pt((bounds.Dx()-side)/2, (bounds.Dy()-side)/2))
	square := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.BiLinear.Scale(square, square.Bounds(), picture, middle, draw.Src, nil)
	pixels := make([]uint8, 0, 3*size*size)
	for i := 0; i < len(square.Pix); i += 4 {
		pixels = append(pixels, square.Pix[i:i+3]...)
	}
	return pixels, nil
}
