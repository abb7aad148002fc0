package npy_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"gonum.org/v1/gonum/mat"
)

// Features and labels are written to files that NumPy reads, and are read back. The shape can be read without the data.
func Example() {
	folder := must.M1(os.MkdirTemp("", "npy"))
	defer os.RemoveAll(folder)
	features, labels := filepath.Join(folder, "features.npy"), filepath.Join(folder, "labels.npy")

	must.M(npy.WriteMatrix(features, mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})))
	must.M(npy.WriteIntegers(labels, []int{0, 1}))

	fmt.Println("shape", must.M1(npy.ReadShape(features)))
	fmt.Println(mat.Formatted(must.M1(npy.ReadMatrix(features))))
	fmt.Println("labels", must.M1(npy.ReadIntegers(labels)))
	// Output:
	// shape [2 3]
	// ⎡1  2  3⎤
	// ⎣4  5  6⎦
	// labels [0 1]
}
