package vision

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/configs"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

const someConfig = `{
  "dataset": "cifar-10",
  "model": "resnet8-16",
  "epochs": 3,
  "batch": 64,
  "micro_batches": 4,
  "devices": 2,
  "augmentation": {"shift": 4, "flip": true},
  "learning_rate": 0.2,
  "momentum": 0,
  "weight_decay": 5e-4,
  "seeds": 2,
  "methods": [{"name": "pal", "efr": 1e-3}, {"name": "ul", "records_per_epoch": 7}, {"name": "pal-efr", "efr": 2e-6}, {"name": "pal-efr", "efr": 5e-6}]
}`

func TestConfigSaysWhatIsTrained(t *testing.T) {
	c, err := ParseConfig("some.json", []byte(someConfig))
	if err != nil {
		t.Fatal(err)
	}
	trainings := c.Trainings()
	if len(trainings) != 8 {
		t.Fatalf("%d trainings of four methods and two seeds", len(trainings))
	}
	for i, want := range []struct {
		method  string
		seed    uint64
		efr     float64
		records int
		name    string
	}{{"pal", 1, 1e-3, 0, "pal-efr0.001-seed1"}, {"ul", 1, 0, 7, "ul-seed1"}, {"pal-efr", 1, 2e-6, 0,
		"pal-efr2e-06-seed1"}, {"pal-efr", 1, 5e-6, 0, "pal-efr-seed1"},
		{"pal", 2, 1e-3, 0, "pal-efr0.001-seed2"}, {"ul", 2, 0, 7, "ul-seed2"}, {"pal-efr", 2, 2e-6, 0,
			"pal-efr2e-06-seed2"}, {"pal-efr", 2, 5e-6, 0, "pal-efr-seed2"}} {
		got := trainings[i]
		if got.Method.Name != want.method || got.Seed != want.seed ||
			got.Method.Head.FeatureRegularization != want.efr || got.RecordsPerEpoch != want.records ||
			got.Name() != want.name {
			t.Errorf("training %d is %+v, should be of %+v", i, got, want)
		}
		if got.Model.Name != "resnet8-16" || got.Epochs != 3 || got.Batch != 64 || got.MicroBatches != 4 ||
			got.Devices != 2 || got.LearningRate != 0.2 || got.Momentum != 0 || got.WeightDecay != 5e-4 ||
			got.Augmentation != (datasets.Augmentation{Shift: 4, Flip: true}) {
			t.Errorf("training %d is %+v", i, got)
		}
	}
}

func TestImpossibleConfigsAreRefused(t *testing.T) {
	for change, message := range map[[2]string]string{
		{`"epochs"`, `"epoch"`}:                               `line 4: unknown key "epoch"`,
		{`"shift"`, `"shfit"`}:                                `unknown key "shfit"`,
		{`"efr"`, `"λ"`}:                                      `unknown key "λ"`,
		{"  \"momentum\": 0,\n", ""}:                          `"momentum" is missing`,
		{`"epochs": 3`, `"epochs": 3.5`}:                      `line 4: "epochs" is a number 3.5; it must be of Go's type int`,
		{`"epochs": 3`, `"epochs": 0`}:                        `"epochs" is 0; it must be from 1 to 1e6`,
		{`"epochs": 3,`, `"epochs": 3`}:                       `line 5: invalid character`,
		{`"batch": 64`, `"batch": 1`}:                         `"batch" is 1`,
		{`"micro_batches": 4`, `"micro_batches": 5`}:          `"micro_batches" is 5; it must be a number of equal parts`,
		{`"micro_batches": 4`, `"micro_batches": 64`}:         `"micro_batches" is 64`,
		{`"devices": 2`, `"devices": -2`}:                     `"devices" is -2`,
		{`"devices": 2`, `"devices": 3`}:                      `"devices" is 3; it must be a number of devices that share`,
		{`"shift": 4`, `"shift": -1`}:                         `"augmentation.shift" is -1`,
		{`"learning_rate": 0.2`, `"learning_rate": 0`}:        `"learning_rate" is 0; it must be > 0`,
		{`"momentum": 0`, `"momentum": 1`}:                    `"momentum" is 1; it must be in [0, 1)`,
		{`"weight_decay": 5e-4`, `"weight_decay": -5e-4`}:     `"weight_decay" is -0.0005`,
		{`"seeds": 2`, `"seeds": 0`}:                          `"seeds" is 0`,
		{`"seeds": 2`, `"seeds": 2, "probe": -1`}:             `"probe" is -1`,
		{`"seeds": 2`, `"seeds": 2, "images": -1`}:            `"images" is -1`,
		{`"seeds": 2`, `"seeds": 2, "size": -1`}:              `"size" is -1`,
		{`"name": "pal"`, `"name": "palm"`}:                   `"methods": no method is called "palm"`,
		{`"name": "pal", "efr": 1e-3`, `"name": "ul"`}:        `"methods": ul is there twice`,
		{`"efr": 2e-6`, `"efr": 1e-3`}:                        `"methods": pal-efr0.001 is there twice`,
		{`"efr": 2e-6`, `"efr": 5e-6`}:                        `"methods": pal-efr is there twice`,
		{`"efr": 1e-3`, `"efr": -1e-3`}:                       `"methods": pal: "efr" is -0.001`,
		{`"records_per_epoch": 7`, `"records_per_epoch": -7`}: `ul: "records_per_epoch" is -7`,
		{someConfig[strings.Index(someConfig, "[{") : strings.Index(someConfig, "}]")+2], `[]`}: `"methods" is 0; it must be more than none`,
		{`resnet8-16`, `resnet9-16`}:           `"model": no network is called "resnet9-16"; there are mlp-`,
		{`resnet8-16`, `resnet8`}:              `a width of at least 1`,
		{`resnet8-16`, `resnet8-16-16`}:        `no network is called`,
		{`resnet8-16`, `mlp-16-0`}:             `a width of at least 1`,
		{"}]\n}", "}]\n} {}"}:                  `there is more after the end`,
		{"}]\n}", "}]\n"}:                      `the JSON ends too early`,
		{`"seeds": `, `"seeds": 1, "Seeds": `}: `the key "Seeds" is there twice`,
	} {
		broken := strings.Replace(someConfig, change[0], change[1], 1)
		if broken == someConfig {
			t.Fatalf("%q is not there", change[0])
		}
		_, err := ParseConfig("some.json", []byte(broken))
		if err == nil || !strings.HasPrefix(err.Error(), "some.json: ") || !strings.Contains(err.Error(), message) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q in place of %q: error %v, should be one line that says %s", change[1], change[0], err, message)
		}
	}
}

// TestOwnConfigs checks that the small and the paper's configurations have every method, and that "paper" has the
// settings of Appendix C.2 with its values of λ.
func TestOwnConfigs(t *testing.T) {
	paths, err := fs.Glob(configs.Files(), "*/*.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("configurations %v, error %v", paths, err)
	}
	cifar := "ce-seed1 pal-seed1 pal-efr-seed1 fnpal-seed1 fnpal-rlr-seed1 ul-seed1 ce-efr5e-06-seed1 " +
		"ce-efr1e-05-seed1 ce-efr5e-05-seed1 " +
		"pal-efr1e-05-seed1 pal-efr5e-05-seed1 fnpal-efr5e-06-seed1 fnpal-rlr-efr5e-06-seed1"
	published := map[string]struct {
		model  string
		epochs int
		runs   string
	}{
		"paper/cifar-10.json":  {"resnet18-64", 200, cifar},
		"paper/cifar-100.json": {"resnet34-64", 200, cifar},
		"paper/imagenet-100.json": {"resnet50-64", 100,
			"ce-seed1 pal-seed1 pal-efr1e-05-seed1 fnpal-seed1 fnpal-rlr-seed1 ul-seed1"},
	}
	for _, path := range paths {
		content, err := fs.ReadFile(configs.Files(), path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseConfig(path, content)
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.HasPrefix(path, "medium/") || strings.HasPrefix(path, "fast/") {
			continue // each of CE and PAL occurs once
		}
		if c.Seeds < 3 {
			t.Errorf("%s has %d seeds", path, c.Seeds)
		}
		var runs []string
		for _, training := range c.Trainings()[:len(c.Methods)] {
			runs = append(runs, training.Name())
		}
		for _, m := range c.Methods {
			if m.Name == "ul" && m.RecordsPerEpoch < 20 {
				t.Errorf("%s: plain UL may blow up within an epoch, and is measured %d times in one", path,
					m.RecordsPerEpoch)
			}
		}
		for _, m := range paperMethods() {
			if !slices.ContainsFunc(c.Methods, func(own ConfigMethod) bool { return own.Name == m.Name }) {
				t.Errorf("%s is without %s", path, m.Name)
			}
		}
		if strings.HasPrefix(path, "paper/") {
			want := published[path]
			if c.Model != want.model || c.Epochs != want.epochs || c.Batch != 256 || c.LearningRate != 0.1 ||
				c.Momentum != 0.9 || c.WeightDecay != 5e-4 ||
				c.Augmentation != (datasets.Augmentation{Shift: 4, Flip: true}) || c.Images != 0 ||
				c.MicroBatches != 0 || strings.Join(runs, " ") != want.runs {
				t.Errorf("%s: %+v with runs %v", path, c, runs)
			}
		}
	}
}

func TestModelNamedIsItsName(t *testing.T) {
	for _, m := range []Model{MLP(7), MLP(256, 64, 3), ResNet8(4), ResNet14(16), ResNet18(64), ResNet20(1), ResNet34(8),
		ResNet50(2)} {
		got, err := ModelNamed(m.Name)
		if err != nil || got.Name != m.Name {
			t.Errorf("%s gives %s, error %v", m.Name, got.Name, err)
		}
	}
	for _, name := range []string{"", "mlp", "mlp-", "mlp-8-", "resnet8--4", "mlp-8-x", "vgg16-4"} {
		if _, err := ModelNamed(name); err == nil {
			t.Errorf("%q is a network", name)
		}
	}
}
