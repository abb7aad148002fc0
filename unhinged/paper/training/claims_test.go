package training

import (
	"math"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// runs returns made-up runs of a method, one seed for each last accuracy in percent. The accuracy in the epoch before
// differs from the last.
func runs(method string, early float64, last ...float64) []vision.Outcome {
	var list []vision.Outcome
	for i, a := range last {
		list = append(list, outcome(method, uint64(i+1), early/100+1e-4*float64(i), a/100))
	}
	return list
}

func concat(lists ...[]vision.Outcome) (all []vision.Outcome) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// claimOn returns the only claim whose text contains part.
func claimOn(t *testing.T, outcomes []vision.Outcome, part string) *result.Claim {
	t.Helper()
	var found *result.Claim
	for _, c := range Claims(outcomes) {
		if strings.Contains(c.Claim, part) {
			if found != nil {
				t.Fatalf("two claims with %q: %q and %q", part, found.Claim, c.Claim)
			}
			found = &c
		}
	}
	return found
}

func TestClaimsFollowTheNumbers(t *testing.T) {
	ce := runs("ce", 60, 90, 90.1, 90.2)
	norms := func(list []vision.Outcome, first, last float64) []vision.Outcome {
		for i, o := range list {
			o.Records[0].FeatureNorm2, o.Records[1].FeatureNorm2 = first*(1+0.01*float64(i)), last*(1+0.02*float64(i))
		}
		return list
	}
	distances := func(list []vision.Outcome, first float64) []vision.Outcome {
		for i, o := range list {
			o.Records[0].Collapse = &vision.Collapse{DistanceWM: result.Number(first + 0.001*float64(i))}
		}
		return list
	}
	pal := func() []vision.Outcome { return runs("pal", 50, 90, 90.1, 90.2) }
	efr := func(last ...float64) []vision.Outcome {
		list := runs("pal-efr", 50, last...)
		for i := range list {
			list[i] = withEFR(list[i], 5e-6)
		}
		return list
	}
	for _, c := range []struct {
		name     string
		outcomes []vision.Outcome
		part     string
		want     result.Verdict
	}{
		{"as good", concat(ce, runs("fnpal", 50, 90, 90.1, 90.2)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Holds},
		{"better", concat(ce, runs("fnpal", 50, 95, 95.1, 95.2)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Holds},
		{"a point worse", concat(ce, runs("fnpal", 50, 89, 89.1, 89.2)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Fails},
		{"the paper's PAL on CIFAR-100", concat(ce, runs("fnpal", 50, 88, 88.09, 88.18)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Fails},
		{"at the bound", concat(ce, runs("fnpal", 50, 89.5, 89.6, 89.7)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Undecided},
		{"worse", concat(ce, runs("fnpal", 50, 80, 80.1, 80.2)), "comparable to CE or better: accuracy of UL (FNPAL) −",
			result.Fails},
		{"of too large a spread", concat(ce, runs("fnpal", 50, 80, 85, 90)),
			"comparable to CE or better: accuracy of UL (FNPAL) −", result.Undecided},
		{"a single seed", concat(ce[:1], runs("fnpal", 50, 80)), "comparable to CE or better: accuracy of UL (FNPAL) −",
			result.Undecided},

		{"slower", concat(ce, runs("fnpal", 50, 90, 90.1, 90.2)), "slows training down", result.Holds},
		{"faster", concat(ce, runs("fnpal", 70, 90, 90.1, 90.2)), "slows training down", result.Fails},
		{"RLR faster", concat(runs("fnpal-rlr", 60, 90, 91), runs("fnpal", 50, 90, 90.1, 90.2)), "RLR accelerates",
			result.Holds},
		{"RLR slower", concat(runs("fnpal-rlr", 40, 90, 91), runs("fnpal", 50, 90, 90.1, 90.2)), "RLR accelerates",
			result.Fails},
		{"RLR ends higher", concat(runs("fnpal-rlr", 60, 95, 95.1, 95.2), runs("fnpal", 50, 90, 90.1, 90.2)),
			"RLR brings FNPAL nearer", result.Holds},
		{"RLR ends lower", concat(runs("fnpal-rlr", 60, 85, 85.1, 85.2), runs("fnpal", 50, 90, 90.1, 90.2)),
			"RLR brings FNPAL nearer", result.Fails},

		{"grows", norms(pal(), 1e3, 1e6), "the feature norm of UL (PAL) grows", result.Holds},
		{"falls", norms(pal(), 1e6, 1e3), "the feature norm of UL (PAL) grows", result.Fails},
		{"EFR limits", concat(norms(pal(), 1e3, 1e8), norms(efr(90, 90.1, 90.2), 1e3, 1e6)), "EFR limits the growth",
			result.Holds},
		{"EFR does not", concat(norms(pal(), 1e3, 1e6), norms(efr(90, 90.1, 90.2), 1e3, 1e8)), "EFR limits the growth",
			result.Fails},
		{"no difference", concat(norms(pal(), 1e3, 1e6), norms(efr(90, 90.1, 90.2), 1e3, 1e6)), "EFR limits the growth",
			result.Undecided},
		{"better by EFR", concat(pal(), efr(95, 95.1, 95.2)), "improve generalisation", result.Holds},
		{"worse by EFR", concat(pal(), efr(85, 85.1, 85.2)), "improve generalisation", result.Fails},
		{"closer by EFR", concat(distances(pal(), 0.9), distances(efr(90, 90, 90), 0.3)), "convergence to WM",
			result.Holds},
		{"farther by EFR", concat(distances(pal(), 0.3), distances(efr(90, 90, 90), 0.9)), "convergence to WM",
			result.Fails},

		{"plain UL stays", runs("ul", 50, 90), "limits the norms", result.Fails},
	} {
		claim := claimOn(t, c.outcomes, c.part)
		if claim == nil {
			t.Errorf("%s: %q is not judged", c.name, c.part)
		} else if claim.Verdict != c.want {
			t.Errorf("%s: %s, should be %s: %+v", c.name, claim.Verdict, c.want, claim)
		}
	}
	for _, part := range []string{"RLR", "EFR", "slows", "convergence to WM"} {
		if claim := claimOn(t, ce, part); claim != nil {
			t.Errorf("judged without runs: %+v", claim)
		}
	}
}

// By hand, the limit's ‖H‖² for 10 classes is (1.1̄/(2·5e-6·256))²·256 = 4.82e7.
func TestLimitOfTheorem6(t *testing.T) {
	for norm, want := range map[float64]result.Verdict{1e7: result.Holds, 4.6e7: result.Holds, 5e7: result.Fails,
		1e9: result.Fails} {
		list := runs("pal-efr", 50, 90, 90, 90)
		for i := range list {
			list[i] = withEFR(list[i], 5e-6)
			r := &list[i].Records[1]
			r.PrototypeMax, r.PrototypeAngle, r.FeatureNorm2 = 1, result.Number(math.Acos(-1./9)*180/math.Pi),
				norm*(1+1e-3*float64(i))
		}
		if claim := claimOn(t, list, "within the theorem's limit"); claim == nil || claim.Verdict != want {
			t.Errorf("‖H‖² = %g: %+v, should be %s", norm, claim, want)
		}
	}
}

// A claim that holds in a single test may not hold when many tests are corrected for their number.
func TestClaimsAreCorrectedForTheirNumber(t *testing.T) {
	few := concat(runs("ce", 50, 90, 90.1, 90.2), runs("pal", 50, 89.95, 90.15, 90.35))
	const part = "comparable to CE or better: accuracy of UL (PAL) −"
	alone := claimOn(t, few, part)
	among := claimOn(t, concat(few, runs("fnpal", 50, 85, 90, 95), runs("fnpal-rlr", 50.5, 84, 90, 95)), part)
	if alone.Verdict != result.Holds || among.Verdict != result.Undecided {
		t.Errorf("%s alone and %s among others, should be holds and undecided:\n%+v\n%+v", alone.Verdict, among.Verdict,
			*alone, *among)
	}
	if alone.Measured != among.Measured || alone.Tolerance != among.Tolerance {
		t.Errorf("the difference or its interval changed: %+v, %+v", *alone, *among)
	}
}

func TestClaimsOfEverySetup(t *testing.T) {
	here := concat(runs("ce", 50, 90, 90.1, 90.2), runs("pal", 50, 90, 90.1, 90.2))
	there := concat(runs("ce", 50, 90, 90.1, 90.2), runs("pal", 50, 50, 50.1, 50.2))
	for i := range there {
		there[i].Settings.Dataset, there[i].Settings.Model = "there", "net"
	}
	if c := claimOn(t, concat(here, there), "there, net, 2 epochs: 4.1"); c == nil || c.Verdict != result.Fails {
		t.Errorf("there: %+v, should fail", c)
	}
	if c := claimOn(t, here, "4.1"); c.Verdict != result.Holds {
		t.Errorf("here: %+v, should hold", c)
	}
}

// The text must have the paper's own differences, 95.29 − 95.34, 74.43 − 76.44 and 80.84 − 81.08 for PAL, and the
// training accuracy of CE if it was measured.
func TestPaperIsQuoted(t *testing.T) {
	outcomes := concat(runs("ce", 50, 90, 90.02), runs("pal", 50, 90, 90.02))
	const paper = "; the paper: −0.05 on cifar-10, −2.01 on cifar-100, −0.24 on imagenet-100)"
	if claim := claimOn(t, outcomes, "comparable to CE"); !strings.HasSuffix(claim.Claim, paper) ||
		strings.Contains(claim.Claim, "CE ends") {
		t.Errorf("%q should end with %q and have nothing of training accuracy", claim.Claim, paper)
	}
	outcomes[0].Records[1].Collapse, outcomes[1].Records[1].Collapse = &vision.Collapse{TrainAccuracy: 0.6},
		&vision.Collapse{TrainAccuracy: 0.7}
	if claim := claimOn(t, outcomes, "comparable to CE"); !strings.HasSuffix(claim.Claim,
		"; CE ends with 65.0 % of the training images measured right"+paper) {
		t.Errorf("%q", claim.Claim)
	}
}

// With the same limit, 4.82e7, PAL's features are a factor of ten below it or above.
func TestNoteOnWhereFeaturesEndWithoutEFR(t *testing.T) {
	for norm, want := range map[float64]string{4.82e6: "that of UL (PAL) ends 1 below it",
		4.82e8: "that of UL (PAL) ends 1 above it"} {
		list := concat(runs("pal", 50, 90, 90), runs("pal-efr", 50, 90, 90))
		for i := range list {
			r := &list[i].Records[1]
			r.PrototypeMax, r.PrototypeAngle, r.FeatureNorm2 = 1, result.Number(math.Acos(-1./9)*180/math.Pi), norm
			if list[i].Settings.Method == "pal-efr" {
				list[i] = withEFR(list[i], 5e-6)
			}
		}
		if claim := claimOn(t, list, "within the theorem's limit"); claim == nil || !strings.Contains(claim.Claim,
			want) {
			t.Errorf("‖H‖² = %g: %+v, should say %q", norm, claim, want)
		}
	}
}

// TestEquivalence checks the three possible answers, and that a single seed gives no answer.
func TestEquivalence(t *testing.T) {
	ce := []float64{90, 90.1, 90.2}
	for _, c := range []struct {
		own  []float64
		want string
	}{
		{[]float64{90, 90.1, 90.2}, "equivalent within ±0.5 points"},
		{[]float64{90.2, 90.3, 90.1}, "equivalent within ±0.5 points"},
		{[]float64{92, 92.1, 92.2}, "better by more than 0.5 points"},
		{[]float64{90.5, 90.6, 90.7}, "is not shown"},
		{[]float64{89.5, 89.6, 89.7}, "is not shown"},
		{[]float64{89, 90, 91.4}, "is not shown"},
		{[]float64{90}, ""},
	} {
		if got := equivalence(welch(c.own, ce)); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: %q, should say %q", c.own, got, c.want)
		}
	}
	// If all values are equal, they have no spread, and the sign of the difference to the margin decides.
	if p := welch([]float64{90, 90}, []float64{90.4, 90.4}).below(-margin); p != 0 {
		t.Errorf("−0.4 is above −0.5 with p = %g", p)
	}
	if p := welch([]float64{90, 90}, []float64{90.6, 90.6}).below(-margin); p != 1 {
		t.Errorf("−0.6 is above −0.5 with p = %g", p)
	}
}

// TestPaperIsJudgedByTheSameMargin: in the last epochs of figure 2, PAL is below CE by 0.05, 2.01 and 0.24 points,
// FNPAL by 0.73, 1.72 and −0.14 points, and FNPAL with RLR by 0.60, 2.99 and 0.56 points.
func TestPaperIsJudgedByTheSameMargin(t *testing.T) {
	claims := publishedClaims()
	for i, want := range []float64{2, 1, 0} {
		if c := claims[i]; float64(c.Measured) != want || c.Expected != 3 || c.Verdict != result.Fails {
			t.Errorf("%+v, should be %g of 3 data sets", c, want)
		}
	}
}
