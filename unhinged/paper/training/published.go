package training

// publishedIn lists the paper's data sets by their names in datasets.Open, and how the paper trained on them (Appendix
// C.2).
var publishedIn = []struct{ dataset, as string }{
	{"cifar-10", "ResNet-18, 200 epochs"},
	{"cifar-100", "ResNet-34, 200 epochs"},
	{"imagenet-100", "ResNet-50, 100 epochs"},
}

// published are the last validation accuracies, in percent, read off the curves of figures 2 and 12 to 14.
var published = []struct {
	dataset, family string
	efr, accuracy   float64
}{
	{"cifar-10", "ce", 0, 95.34}, {"cifar-10", "ce", 5e-6, 95.24}, {"cifar-10", "ce", 1e-5, 95.26}, {"cifar-10", "ce",
		5e-5, 95.25},
	{"cifar-10", "pal", 0, 95.29}, {"cifar-10", "pal", 5e-6, 95.08}, {"cifar-10", "pal", 1e-5, 94.90},
	{"cifar-10", "pal", 5e-5, 95.02},
	{"cifar-10", "fnpal", 0, 94.61}, {"cifar-10", "fnpal", 5e-6, 94.67}, {"cifar-10", "fnpal-rlr", 0, 94.74},
	{"cifar-10", "fnpal-rlr", 5e-6, 94.18},
	{"cifar-100", "ce", 0, 76.44}, {"cifar-100", "ce", 5e-6, 76.60}, {"cifar-100", "ce", 1e-5, 76.80},
	{"cifar-100", "ce", 5e-5, 77.00},
	{"cifar-100", "pal", 0, 74.43}, {"cifar-100", "pal", 5e-6, 75.11}, {"cifar-100", "pal", 1e-5, 75.47},
	{"cifar-100", "pal", 5e-5, 76.03},
	{"cifar-100", "fnpal", 0, 74.72}, {"cifar-100", "fnpal", 5e-6, 74.94}, {"cifar-100", "fnpal-rlr", 0, 73.45},
	{"cifar-100", "fnpal-rlr", 5e-6, 74.75},
	{"imagenet-100", "ce", 0, 81.08}, {"imagenet-100", "pal", 0, 80.84}, {"imagenet-100", "pal", 1e-5, 82.28},
	{"imagenet-100", "fnpal", 0, 81.22}, {"imagenet-100", "fnpal-rlr", 0, 80.52},
}

// published returns the paper's number for the variant.
func (v variant) published(dataset string) (accuracy float64, ok bool) {
	for _, p := range published {
		if p.dataset == dataset && p.family == v.family() && p.efr == v.efr {
			return p.accuracy, true
		}
	}
	return 0, false
}
