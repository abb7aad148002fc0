package training

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/vision"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged"
)

// Setups splits outcomes into groups that can be compared. A setup has one data set, network and way of training. Only
// methods, λ of EFR and seeds differ in it, and also rates and weight decays if every method has its own.
func Setups(outcomes []vision.Outcome) [][]vision.Outcome {
	var list [][]vision.Outcome
	place := map[vision.Settings]int{}
	for _, o := range outcomes {
		key := setupOf(o.Settings)
		i, found := place[key]
		if !found {
			i = len(list)
			place[key] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], o)
	}
	return list
}

// Compared returns the setups for comparisons between methods. A setup where every method has its own rate and decay,
// and that has no CE, also gets the runs of CE that are like it in everything else, unless these have several rates or
// decays: a configuration's own rate and decay are those of CE. Outcomes that are such a setup are one.
func Compared(outcomes []vision.Outcome) [][]vision.Outcome {
	setups := Setups(outcomes)
	list := slices.Clone(setups)
	for i, setup := range setups {
		if setup[0].Settings.Tuned && !slices.ContainsFunc(setup, isCE) {
			list[i] = slices.Concat(setup, untunedCE(setups, setupOf(setup[0].Settings)))
		}
		if len(list[i]) == len(outcomes) {
			return list[i : i+1]
		}
	}
	return list
}

func isCE(o vision.Outcome) bool { return o.Settings.Method == "ce" }

// untunedCE returns the runs of CE in the only setup that is like the tuned one but for rate and decay.
func untunedCE(setups [][]vision.Outcome, tuned vision.Settings) (runs []vision.Outcome) {
	for _, setup := range setups {
		key := setupOf(setup[0].Settings)
		if key.Tuned = true; setupOf(key) != tuned || !slices.ContainsFunc(setup, isCE) {
			continue
		}
		if runs != nil {
			return nil
		}
		runs = slices.DeleteFunc(slices.Clone(setup), func(o vision.Outcome) bool { return !isCE(o) })
	}
	return runs
}

// setupOf returns the settings that are the same in a setup.
func setupOf(s vision.Settings) vision.Settings {
	s.Method, s.Head, s.Seed, s.RecordsPerEpoch, s.Probe = "", unhinged.Head{}, 0, 0, 0
	s.Backend, s.Devices = "", 0 // in the results by rounding only
	if s.Tuned {
		s.LearningRate, s.WeightDecay, s.ShiftRate = 0, 0, 0 // each method has its own
	}
	return s
}

// Whole leaves out the runs that the sentences of sections 4.1 to 4.3 on accuracies and norms are not about: runs on
// some of the classes, runs with classes of unequal sizes, and methods that are not in figures 2, 12 to 14 and 19.
func Whole(outcomes []vision.Outcome) []vision.Outcome {
	return slices.DeleteFunc(balanced(outcomes), func(o vision.Outcome) bool {
		return !slices.Contains([]string{"ce", "pal", "pal-efr", "fnpal", "fnpal-rlr", "ul"}, o.Settings.Method)
	})
}

// balanced leaves out runs on a part of the classes and with classes of unequal sizes.
func balanced(outcomes []vision.Outcome) []vision.Outcome {
	return slices.DeleteFunc(slices.Clone(outcomes), func(o vision.Outcome) bool {
		return o.Settings.Known != "" || o.Settings.Imbalance != (datasets.Imbalance{})
	})
}

// setupTitle names the setup of settings.
func setupTitle(s vision.Settings) string {
	return fmt.Sprintf("%s, %s, %d epochs", s.Dataset, s.Model, s.Epochs) + conditions(s)
}

// dataTitle names a data set, and what is special about a setup's classes and rates.
func dataTitle(s vision.Settings) string { return s.Dataset + conditions(s) }

// conditions is the end of a setup's title: the imbalance, the known classes, and whether each method has its own rate
// and decay.
func conditions(s vision.Settings) string {
	var text string
	if s.Imbalance != (datasets.Imbalance{}) {
		text += ", " + s.Imbalance.String()
	}
	if s.Known != "" {
		text += ", classes " + string(s.Known) + " known"
	}
	if s.Tuned {
		text += ", each method at its own rate"
	}
	return text
}

// borrowed reports whether the variant's runs are those of another setup, with which Compared compares this one.
func (v variant) borrowed(setup vision.Settings) bool {
	return len(v.runs) > 0 && v.runs[0].Settings.Tuned != setup.Tuned
}

// variant is a method with one λ of EFR, and its runs of one setup, which differ in their seeds.
type variant struct {
	method   vision.Method
	efr      float64
	runs     []vision.Outcome // that came to their end
	diverged int              // runs that did not
}

// variants lists the variants of a setup in the order of Methods, then by λ.
func variants(outcomes []vision.Outcome) []variant {
	var list []variant
	for _, m := range vision.Methods() {
		var own []variant
		for _, o := range outcomes {
			if o.Settings.Method != m.Name {
				continue
			}
			efr := o.Settings.Head.FeatureRegularization
			i := slices.IndexFunc(own, func(v variant) bool { return v.efr == efr })
			if i < 0 {
				i = len(own)
				own = append(own, variant{method: m, efr: efr})
			}
			switch {
			case o.Diverged != nil:
				own[i].diverged++
			case len(o.Records) > 0:
				own[i].runs = append(own[i].runs, o)
			}
		}
		slices.SortFunc(own, func(a, b variant) int { return cmp.Compare(a.efr, b.efr) })
		list = append(list, own...)
	}
	return list
}

// name returns the name of the variant in a legend.
func (v variant) name() string {
	if v.efr == 0 {
		return v.method.Title
	}
	return fmt.Sprintf("%s, λ = %g", v.method.Title, v.efr)
}

// family returns the name of the variant's method without EFR.
func (v variant) family() string {
	if v.method.Name == "pal-efr" {
		return "pal"
	}
	return v.method.Name
}

// of returns a number of each run.
func (v variant) of(number func(vision.Outcome) float64) []float64 {
	var values []float64
	for _, o := range v.runs {
		values = append(values, number(o))
	}
	return values
}

// find returns the variant of this family and λ. It has no runs if there is no such variant.
func find(list []variant, family string, efr float64) variant {
	for _, v := range list {
		if v.family() == family && v.efr == efr {
			return v
		}
	}
	return variant{}
}

// Final is the mean and the standard deviation, over seeds, of a method's last validation accuracy in percent.
type Final struct {
	Method   vision.Method
	EFR      float64 // λ
	Seeds    int
	Mean, SD float64 // SD is NaN for a single seed
}

// Finals lists them in the order of Methods, then by λ, without the runs that diverged. The outcomes are of one setup.
func Finals(outcomes []vision.Outcome) []Final {
	var list []Final
	for _, v := range variants(outcomes) {
		if len(v.runs) > 0 {
			mean, sd := stat.MeanStdDev(v.of(lastAccuracy), nil)
			list = append(list, Final{Method: v.method, EFR: v.efr, Seeds: len(v.runs), Mean: mean, SD: sd})
		}
	}
	return list
}

func last(o vision.Outcome) vision.Record { return o.Records[len(o.Records)-1] }

func lastAccuracy(o vision.Outcome) float64 { return 100 * last(o).ValidationAccuracy }
