package backends

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAvoidYNNConvolutions(t *testing.T) {
	const want = "--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
	own := "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_REDUCE"
	// The texts cross the boundaries of the blocks in which the file is read.
	known := strings.Repeat("x", 1<<20-10) + ynnFusions + strings.Repeat("y", 1<<20-50) +
		"LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
	for _, c := range []struct{ plugin, before, after string }{
		{known, "", want},
		{known, "--xla_dump_to=/nowhere", "--xla_dump_to=/nowhere " + want},
		{known, own, own},
		{"an old plugin", "", ""},
		{ynnFusions, "", ""},
	} {
		path := filepath.Join(t.TempDir(), "plugin.so")
		if err := os.WriteFile(path, []byte(c.plugin), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("XLA_FLAGS", c.before)
		if avoidYNNConvolutions(path); os.Getenv("XLA_FLAGS") != c.after {
			t.Errorf("$XLA_FLAGS was %q and is %q, should be %q", c.before, os.Getenv("XLA_FLAGS"), c.after)
		}
	}
	t.Setenv("XLA_FLAGS", "")
	if avoidYNNConvolutions("no such file"); os.Getenv("XLA_FLAGS") != "" {
		t.Error("a flag for no plugin")
	}
}
