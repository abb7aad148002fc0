package training

import (
	"errors"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// otherRuns returns made-up runs for which all sentences about other losses hold.
func otherRuns() []vision.Outcome {
	list := concat(runs("cosine", 50, 80, 80.1, 80.2), runs("cosine-rlr", 60, 85, 85.1, 85.2),
		runs("ul-etf", 50, 80, 81, 82))
	for _, loss := range []string{"ce", "mse", "hinge"} {
		list = append(list, concat(runs(loss, 50, 80, 80.1, 80.2), runs(loss+"-etf", 50, 80.3, 80.35, 80.4))...)
		for _, o := range runs(loss, 50, 80.3, 80.4, 80.5) {
			list = append(list, withEFR(o, 1e-5))
		}
	}
	return list
}

// TestOtherLosses checks that the sentences hold for runs that are made for them, and that each fails under its
// control.
func TestOtherLosses(t *testing.T) {
	lower := func(points float64, when func(o vision.Outcome) bool) func(o *vision.Outcome) {
		return func(o *vision.Outcome) {
			if when(*o) {
				o.Records[len(o.Records)-1].ValidationAccuracy -= points / 100
			}
		}
	}
	for id, change := range map[string]func(o *vision.Outcome){
		"": func(*vision.Outcome) {},
		anchoredOthers.ID: lower(3, func(o vision.Outcome) bool {
			return strings.HasSuffix(o.Settings.Method, "-etf")
		}),
		efrOthers.ID: lower(3, func(o vision.Outcome) bool { return o.Settings.Head.FeatureRegularization > 0 }),
		rlrOthersSooner.ID: func(o *vision.Outcome) {
			if o.Settings.Method == "cosine" {
				o.Records[0].ValidationAccuracy += 0.2
			}
		},
		goodStart.ID: func(o *vision.Outcome) {
			if o.Settings.Method == "ul-etf" && o.Settings.Seed == 1 {
				o.Diverged = &vision.Diverged{Step: 9}
			}
		},
		rlrOthersBetter.ID: lower(10, func(o vision.Outcome) bool { return o.Settings.Method == "cosine-rlr" }),
	} {
		list := otherRuns()
		for i := range list {
			change(&list[i])
		}
		fig, err := otherLosses(list)
		if err != nil {
			t.Fatal(err)
		}
		if len(fig.Claims) != 9 || len(fig.Table.Rows) != 12 {
			t.Errorf("%d claims and %d rows", len(fig.Claims), len(fig.Table.Rows))
		}
		for _, c := range fig.Claims {
			want := result.Holds
			if c.ID == id {
				want = result.Fails
			}
			if c.Verdict != want {
				t.Errorf("control of %q: %s (%s)", id, c.Claim, c.Verdict)
			}
		}
	}
	if whole := Whole(otherRuns()); len(whole) != 6 {
		t.Errorf("%d runs are of the paper's figures, should be the 6 of CE", len(whole))
	}
	if _, err := otherLosses(runs("ce", 50, 80, 81, 82)); !errors.Is(err, ErrNoRuns) {
		t.Errorf("no other losses: error %v", err)
	}
}
