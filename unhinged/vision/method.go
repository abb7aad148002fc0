package vision

import (
	"fmt"
	"strings"

	"github.com/unhinged-lab/lab/unhinged"
)

// Method is a way of training a classifier: a loss and a head, and whether the network keeps its last ReLU.
type Method struct {
	Name      string // for the command line and for files
	Title     string // as in the paper's legends
	Criterion unhinged.Criterion
	Head      unhinged.Head // its Classes and Seed are set from the data and the training
	LastReLU  bool
}

// Methods are those of figures 2 and 12 to 14, and plain UL, whose prototypes are trained and whose norms blow up
// (figure 19). λ of EFR is figure 2(b)'s (erratum E28).
func Methods() []Method {
	anchored := unhinged.Head{Prototypes: unhinged.ETF}
	regularised := anchored
	regularised.FeatureRegularization = 5e-6
	normalised := anchored
	normalised.NormalizeFeatures = true
	rescaled := normalised
	rescaled.RescaleRate = true
	return []Method{
		{Name: "ce", Title: "CE", Criterion: unhinged.CrossEntropy{}, Head: unhinged.Head{UseBias: true},
			LastReLU: true},
		{Name: "pal", Title: "UL (PAL)", Criterion: unhinged.Loss{}, Head: anchored},
		{Name: "pal-efr", Title: "UL* (PAL + EFR)", Criterion: unhinged.Loss{}, Head: regularised},
		{Name: "fnpal", Title: "UL (FNPAL)", Criterion: unhinged.Loss{}, Head: normalised},
		{Name: "fnpal-rlr", Title: "UL (FNPAL) + RLR", Criterion: unhinged.Loss{}, Head: rescaled},
		{Name: "ul", Title: "UL (trainable prototypes)", Criterion: unhinged.Loss{}, Head: unhinged.Head{UseBias: true},
			LastReLU: true},
	}
}

// MethodNamed finds one of Methods.
func MethodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("no method is called %q; there are %s", name, strings.Join(names, ", "))
}

// variant is the method's name, with "-efr" and λ behind it if λ is not the method's own: ce-efr5e-06, pal-efr1e-05.
func (m Method) variant() string {
	if own, err := MethodNamed(m.Name); err != nil || own.Head.FeatureRegularization == m.Head.FeatureRegularization {
		return m.Name
	}
	return fmt.Sprintf("%s-efr%g", strings.TrimSuffix(m.Name, "-efr"), m.Head.FeatureRegularization)
}
