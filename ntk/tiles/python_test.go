package tiles

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// standard reads a kernel with Python's standard library, by the description of the format.
const standard = `
import json, os, struct
def read(folder):
    meta = json.load(open(os.path.join(folder, ".zarray")))
    assert meta["zarr_format"] == 2 and meta["order"] == "C" and meta["compressor"] is None and meta["filters"] is None
    shape, chunks = meta["shape"] + [1, 1], meta["chunks"] + [1, 1]
    (n, m, c, _), (r, s, _, _) = shape[:4], chunks[:4]
    chunk = {}
    for i in range(-(-n // r)):
        for j in range(-(-m // s)):
            name = "%d.%d" % (i, j) + ".0.0" * (len(meta["shape"]) == 4)
            content = open(os.path.join(folder, name), "rb").read()
            chunk[i, j] = struct.unpack("<%d%s" % (r * s * c * c, {"<f4": "f", "<f8": "d"}[meta["dtype"]]), content)
    return [chunk[i // r, j // s][((i % r * s + j % s) * c + a) * c + b]
            for i in range(n) for j in range(m) for a in range(c) for b in range(c)]
`

// documented is the reader from the package's documentation.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "//\timport json")
	code, _, end := strings.Cut(code, "    return out\n")
	if !found || !end {
		t.Fatal("doc.go has no reader from \"import json\" to \"return out\"")
	}
	return strings.ReplaceAll("import json"+code+"    return out\n", "\n//\t", "\n")
}

// findPython returns a Python, one with NumPy if there is one, and which of the modules numpy and zarr it has. Without
// any Python it returns "".
func findPython() (python string, modules map[string]bool) {
	modules = map[string]bool{}
	for _, candidate := range []string{filepath.Join("..", "..", ".lab", "venv", "bin", "python"), "python3"} {
		if exec.Command(candidate, "-c", "import json").Run() != nil {
			continue
		}
		if python == "" {
			python = candidate
		}
		if exec.Command(candidate, "-c", "import numpy").Run() == nil {
			python, modules["numpy"] = candidate, true
			modules["zarr"] = exec.Command(candidate, "-c", "import zarr").Run() == nil
			break
		}
	}
	return python, modules
}

// Python must read what was written: with its standard library, with the documented reader if NumPy is installed, and
// with Zarr if it is installed.
func TestPython(t *testing.T) {
	python, modules := findPython()
	if python == "" {
		t.Skip("no python3")
	}
	for name, reader := range map[string]string{
		"standard library": standard,
		"numpy": documented(t) +
			"documented = read\ndef read(folder): return documented(folder).ravel().tolist()\n",
		"zarr": "import os, zarr\ndef read(folder): return zarr.open(os.path.dirname(folder), " +
			"mode='r')[os.path.basename(folder)][:].ravel().tolist()\n",
	} {
		t.Run(name, func(t *testing.T) {
			if name != "standard library" && !modules[name] {
				t.Skipf("%s has no %s", python, name)
			}
			for _, k := range []Kernel{
				{Rows: 7, Cols: 5, Tile: 3, DType: Float32},
				{Rows: 6, Cols: 6, Tile: 4, Symmetric: true, DType: Float64, Labels: []int{5, 4, 3, 2, 1, 0}},
				{Rows: 3, Cols: 5, Tile: 2, Outputs: 3, DType: Float32},
				{Rows: 1, Cols: 1, Tile: 2, DType: Float64},
			} {
				k.Arrays = []string{"k", "l"}
				var s *Store
				if k.DType == Float32 {
					s, _ = kernelOf[float32](t, k)
				} else {
					s, _ = kernelOf[float64](t, k)
				}
				script := reader + "import sys\nfor v in read(sys.argv[1]): print(repr(v))\n"
				out, err := exec.Command(python, "-c", script, filepath.Join(s.Dir, "l")).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				c := max(1, k.Outputs)
				lines := strings.Fields(string(out))
				if len(lines) != k.Rows*k.Cols*c*c {
					t.Fatalf("%d numbers, want %d", len(lines), k.Rows*k.Cols*c*c)
				}
				for e, line := range lines {
					v, err := strconv.ParseFloat(line, 64)
					want := entry(1, e/c/c/k.Cols, e/c/c%k.Cols, e/c%c, e%c, k.Symmetric)
					if err != nil || v != want {
						t.Fatalf("number %d is %s, want %g", e, line, want)
					}
				}
				if name == "zarr" && k.Labels != nil {
					labels, err := exec.Command(python, "-c",
						"import sys, zarr; print(zarr.open(sys.argv[1], mode='r')['labels'][:].tolist())",
						s.Dir).CombinedOutput()
					if want := strings.ReplaceAll(fmt.Sprint(k.Labels), " ", ", "); err != nil ||
						strings.TrimSpace(string(labels)) != want {
						t.Errorf("labels %s, want %s, %v", labels, want, err)
					}
				}
			}
		})
	}
}
