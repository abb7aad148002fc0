package paper

import "github.com/unhinged-lab/lab/unhinged/result"

// table1 is the paper's comparison with other analyses of last-layer features and prototypes. Nothing in it can be
// computed; the ledger says which of its sentences are checked, and how.
func table1(Options) (*result.Figure, error) {
	return &result.Figure{Settings: map[string]any{}, Table: &result.Table{
		Columns: []string{"analysis", "what it gives", "simplifications beyond the model", "loss"},
		Rows: [][]string{
			{"Papyan et al. (2020)", "experiments, and the theory's formulation", "no", "CE"},
			{"Fang et al. (2021b)", "global optimum, regularised", "no", "CE"},
			{"Zhu et al. (2021)", "landscape, regularised", "no", "CE"},
			{"Ji et al. (2022)", "landscape, unconstrained", "no", "CE"},
			{"Tirer and Bruna (2022)", "global optimum of an extended model of free features", "no", "MSE"},
			{"Mixon et al. (2022)", "dynamics, unconstrained", "yes", "MSE"},
			{"Han et al. (2022)", "dynamics, regularised weights", "yes", "MSE"},
			{"Tirer et al. (2023)", "dynamics by perturbation, regularised", "yes", "MSE"},
			{"the paper", "dynamics and convergence: unconstrained, regularised, spherical; rates that vary in time", "no",
				"unhinged"},
		},
		Note: "As the paper has it; what it says of others is not checked here. Its own row is: `unhinged claims --section 3.1` " +
			"to 3.5. Errata E13 and E23 say where its conclusions need conditions.",
	}}, nil
}
