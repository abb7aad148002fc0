package paper

import (
	"strings"

	"github.com/unhinged-lab/lab/unhinged/errata"
	"github.com/unhinged-lab/lab/unhinged/paper/numeric"
	"github.com/unhinged-lab/lab/unhinged/paper/studies"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// Items lists all figures and tables in the paper's order, then the studies.
func Items() []Item {
	var items []Item
	numerical := func(id, section string) {
		for _, e := range numeric.Figures() {
			if e.ID == id {
				items = append(items, Item{ID: id, Title: e.Title, Kind: Figure, Section: section, Needs: Nothing,
					Code:      "unhinged/paper/numeric.figure" + strings.TrimPrefix(id, "fig"),
					Sentences: e.Sentences(), run: runNumeric(id)})
			}
		}
	}
	recorded := func(id, title string, kind Kind, section, config, code string,
		draw func(string) (result.Figure, error)) {
		items = append(items, Item{ID: id, Title: title, Kind: kind, Section: section, Needs: Runs,
			Code: "unhinged/paper/training." + code, Sentences: training.Sentences(id),
			Command: "unhinged train --config " + config, run: runRecorded(id, draw)})
	}
	beside := func(id, title string, kind Kind, section, command, code string,
		draw func([]vision.Outcome) (result.Figure, error)) {
		items = append(items, Item{ID: id, Title: title, Kind: kind, Section: section, Needs: Runs,
			Code: "unhinged/paper/training." + code, Sentences: training.Sentences(id), Command: command,
			run: runBesidePublished(draw)})
	}
	const balanced, longTailed = "unhinged train --config fast/cifar-10", " --imbalance long-tailed:100"

	items = append(items, Item{ID: "table1", Title: "Table 1: analyses of neural collapse compared", Kind: Table,
		Section: "1", Needs: Nothing, Code: "unhinged/paper.table1", run: table1})
	numerical("fig1", "3.1")
	recorded("fig2", "Figure 2: validation accuracy of the loss functions", Figure, "4.1", "small/cifar-10",
		"Figure2", training.All)
	const imbalanced = "unhinged train --config fast/cifar-10-imbalanced --imbalance "
	beside("table2", "Table 2: accuracy under long-tailed imbalance, with EFR", Table, "4.2",
		imbalanced+"long-tailed:100", "Imbalance", training.Imbalance(2))
	beside("table3", "Table 3: out-of-distribution detection", Table, "4.2", balanced, "Detection",
		training.Detection(3))
	beside("fig3", "Figure 3: scores in and out of distribution, without and with EFR", Figure, "4.2", balanced,
		"ScoreHistograms", training.ScoreHistograms("fig3", 3, "feature-norm", "energy", "feature-norm"))
	numerical("fig4", "C.1")
	numerical("fig5", "C.1")
	numerical("fig6", "C.1")
	numerical("fig7", "C.1")
	numerical("fig8", "C.1")
	numerical("fig9", "C.1")
	beside("fig10", "Figure 10: calibration under long-tailed imbalance, CIFAR-10", Figure, "C.3",
		balanced+longTailed, "Calibration", training.Calibration(10))
	beside("fig11", "Figure 11: calibration under long-tailed imbalance, CIFAR-100", Figure, "C.3",
		"unhinged train --config paper/cifar-100"+longTailed, "Calibration", training.Calibration(11))
	recorded("fig12", "Figure 12: feature norm, loss and accuracy under EFR, CIFAR-10", Figure, "C.2", "small/cifar-10",
		"Figure12", training.On("cifar-10", "fig12", training.Figure12))
	recorded("fig13", "Figure 13: feature norm, loss and accuracy under EFR, CIFAR-100", Figure, "C.2",
		"paper/cifar-100", "Figure12", training.On("cifar-100", "fig13", training.Figure12))
	recorded("fig14", "Figure 14: loss, feature norm and accuracy, ImageNet-100", Figure, "C.2", "paper/imagenet-100",
		"Figure14", training.On("imagenet-100", "fig14", training.Figure14))
	beside("table4", "Table 4: accuracy of CE under imbalance, CIFAR-10", Table, "C.3", imbalanced+"step:100",
		"Imbalance", training.Imbalance(4))
	beside("table5", "Table 5: accuracy of CE under imbalance, CIFAR-100", Table, "C.3",
		"unhinged train --config paper/cifar-100"+longTailed,
		"Imbalance", training.Imbalance(5))
	beside("table6", "Table 6: out-of-distribution detection with several λ", Table, "C.4", balanced,
		"Detection", training.Detection(6))
	numerical("fig15", "C.1")
	for _, f := range []struct{ id, title, score string }{
		{"fig16", "Figure 16: softmax scores in and out of distribution", "softmax"},
		{"fig17", "Figure 17: energy scores in and out of distribution", "energy"},
		{"fig18", "Figure 18: feature norms in and out of distribution", "feature-norm"},
	} {
		beside(f.id, f.title, Figure, "C.4", balanced, "ScoreHistograms",
			training.ScoreHistograms(f.id, 6, f.score, f.score))
	}
	recorded("fig19", "Figure 19: plain UL blows up", Figure, "4.1", "small/cifar-10 --method ul",
		"BlowUp", training.On("cifar-10", "fig19", training.BlowUp))

	items = append(items,
		Item{ID: "theorem8", Title: "Theorem 8: networks of growing width beside the closed form", Kind: Study,
			Section: "3.5", Needs: Nothing, Code: "unhinged/paper/studies.RunTheorem8",
			Sentences: studies.Sentences(), run: runStudy(studies.RunTheorem8)},
		Item{ID: "drift", Title: "Does the tangent kernel stay invariant? (Fashion-MNIST)", Kind: Study, Section: "3.5",
			Needs:   Data,
			Command: "unhinged data get fashion-mnist", Sentences: studies.Sentences(),
			Code: "unhinged/paper/studies.RunDrift", run: runStudy(studies.RunDrift)},
		Item{ID: "lazy", Title: "Where networks leave Theorem 8 (CIFAR-10)", Kind: Study, Section: "3.5", Needs: Data,
			Command: "unhinged data get cifar-10", Sentences: studies.Sentences(),
			Code: "unhinged/paper/studies.RunLazy", run: runStudy(studies.RunLazy)},
		Item{ID: "errata", Title: "Errata: the printed and the right form beside brute force", Kind: Study,
			Section: "all", Needs: Nothing, Sentences: errata.Sentences(),
			Code: "unhinged/paper.demonstrations", run: demonstrations})
	recorded("otherlosses", "Other losses with the paper's heads, with EFR and with RLR", Study, "4.3",
		"fast/fashion-mnist-losses", "OtherLosses", training.OtherLosses)
	recorded("neural-collapse", "Neural collapse by epoch: all measures are 0 where it is complete", Study, "3",
		"small/cifar-10",
		"NeuralCollapse", training.On("cifar-10", "neural-collapse", training.NeuralCollapse))
	return items
}
