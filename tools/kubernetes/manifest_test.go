// Package kubernetes checks the manifests of `unhinged submit kubernetes` against the types of Kubernetes' own API. It
// is a module of its own, so that the lab does not depend on these.
package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func manifest(t *testing.T, args ...string) []byte {
	t.Helper()
	submit := exec.Command("go", append([]string{"run", "./cmd/unhinged", "submit", "kubernetes", "--print", "--image",
		"lab:1", "--tasks", "5"}, args...)...)
	submit.Dir = filepath.Join("..", "..")
	text, err := submit.Output()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestManifests decodes both manifests, with and without a GPU. A field that Kubernetes does not know is an error.
func TestManifests(t *testing.T) {
	for flag, args := range map[string][]string{
		"--task":   {"--", "train", "--method", "ce: {x}", "--out", "r"},
		"--worker": {"--gpus", "1", "--", "kernel", "compute", "--network", "flatten dense:1", "--out", "k"},
	} {
		text := manifest(t, args...)
		var job batch.Job
		if err := yaml.UnmarshalStrict(text, &job); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		spec, pod := job.Spec, job.Spec.Template.Spec
		if job.Kind != "Job" || job.APIVersion != "batch/v1" || *spec.CompletionMode != batch.IndexedCompletion ||
			*spec.Completions != 5 || *spec.BackoffLimitPerIndex < 1 || pod.RestartPolicy != core.RestartPolicyNever {
			t.Errorf("job %+v", spec)
		}
		if !*pod.SecurityContext.RunAsNonRoot || len(pod.Containers) != 1 {
			t.Fatalf("pod %+v", pod)
		}
		c := pod.Containers[0]
		if !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation ||
			c.Resources.Requests.Cpu().Value() != 2 || c.Resources.Limits.Memory().Value() != 4e9 {
			t.Errorf("container %+v", c)
		}
		gpus := c.Resources.Limits["nvidia.com/gpu"]
		if want := map[string]int64{"--task": 0, "--worker": 1}[flag]; gpus.Value() != want {
			t.Errorf("%s: %d GPUs", flag, gpus.Value())
		}
		// the words after the arguments of the shell are the command, unchanged
		words := c.Command[4:]
		for i, want := range append([]string{"unhinged"}, args[len(args)-len(words)+1:]...) {
			if words[i] != want {
				t.Errorf("word %d of the command is %q, want %q", i, words[i], want)
			}
		}
		if !bytes.Contains([]byte(c.Command[2]), []byte(flag+` "$$((JOB_COMPLETION_INDEX + 1))/5"`)) {
			t.Errorf("the shell runs %s", c.Command[2])
		}
		client(t, text)
	}
}

// client decodes the manifest with kubectl if it is installed; no cluster is needed.
func client(t *testing.T, text []byte) {
	t.Helper()
	path, err := exec.LookPath("kubectl")
	if err != nil {
		t.Log("kubectl is not installed: only the types of the API were compared")
		return
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "job.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	kubectl := exec.Command(path, "set", "image", "--local", "--filename", file, "unhinged=lab:2", "--output", "json")
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(folder, "none")) // there is no cluster
	out, err := kubectl.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"lab:2"`)) {
		t.Errorf("kubectl: %v\n%s", err, out)
	}
}
