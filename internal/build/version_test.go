package build

import (
	"os"
	"strings"
	"testing"
)

func TestVersionIsTheSameEverywhere(t *testing.T) {
	for file, line := range map[string]string{
		"../../CHANGELOG.md": "## " + Version + "\n",
		"../../CITATION.cff": "\nversion: " + Version + "\n",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), line) {
			t.Errorf("%s has no line %q", file, strings.TrimSpace(line))
		}
	}
}
