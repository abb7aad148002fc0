package paper

// The kinds of entries.
const theorem, evidence, wording = "theorem", "evidence", "wording"

// of is the source of claims of an item.
func of(item string, sentences ...string) source { return source{item: item, sentences: sentences} }

// ledger walks the paper from its first page to its last. Claims are told in the project's words.
func ledger() []ledgerLine {
	proved := func(id string) source { return source{theorem: id} }
	shown := func(id string) source { return source{erratum: id} }
	printed := func(id string) source { return source{printed: id} }
	needs := func(what string) source { return source{missing: what} }
	leave := func(why string) source { return source{unjudged: why} }
	const others = "it is about other papers, whose experiments are not in this project"
	const imbalance = "long-tailed and step-wise imbalanced trainings, which are not built yet"
	const scores = "scores of images out of distribution, which are not built yet"
	const calibration = "calibration of imbalanced trainings, which is not built yet"
	return []ledgerLine{
		{"table1-others", "1", 3, wording, "Earlier analyses of last-layer dynamics need extra simplifications; this one does not", leave(others)},
		{"soudry-rate", "1", 2, wording, "Updating a linear predictor alone converges as O(1/log t)", leave(others)},
		{"comparable-summary", "1", 4, evidence, "With auxiliary techniques the unhinged loss reaches the performance of CE", of("fig2", "comparable-to-ce")},
		{"comparable-published", "1", 4, evidence, "The paper's own accuracies are within 0.5 points of CE on each data set", of("fig2", "comparable-to-ce-in-the-paper")},
		{"no-neural-collapse", "1", 4, theorem, "The limit depends on the initial state and is no simplex ETF in general", shown("E23")},

		{"hinge-form", "2", 5, theorem, "At γ = 1/(C−1) the loss is the hinge loss without maximum and margin", shown("E20")},
		{"margin-bound", "2", 5, theorem, "At γ = 1/(C−1) the loss bounds the negative sample margin from below", proved("margin")},
		{"lemma1", "2", 5, theorem, "Lemma 1: with bounded norms the minimiser is neural collapse, and unique", shown("E13")},
		{"unbounded", "2", 6, theorem, "Without bounds, norms grow without end", of("fig1", "growth-of-z")},

		{"order-of-columns", "3.1", 6, theorem, "Labels are the columns of I_C⊗1ᵀ", shown("E1")},
		{"theorem2", "3.1", 7, theorem, "Theorem 2: closed form of the unconstrained flow in five eigenspaces, and of the biases", proved("theorem2")},
		{"theorem2-scalars", "3.1", 7, theorem, "The scalars of Theorem 2 depend on C, N, γ and the initial rates only", shown("E33")},
		{"corollary3", "3.1", 8, theorem, "Corollary 3: the direction of Z converges exponentially for 0 < γ < 2/(C−2)", of("fig1", "exponential-approach")},
		{"corollary3-biases", "3.1", 8, theorem, "For γ ≠ 1/(C−1) the ratio of the largest to the smallest bias tends to 1", shown("E10")},
		{"fig1-accuracy", "3.1", 9, evidence, "Figure 1(b): features align to their prototypes for γ < 2/(C−2)", of("fig1", "aligned-accuracy")},
		{"fig1-bursts", "3.1", 9, evidence, "Figure 1(b): bursts of accuracy late in the run for γ beyond 2/(C−2)", of("fig1", "accuracy-bursts")},
		{"fig1-fastest", "3.1", 9, evidence, "Figure 1(c): convergence is fastest at γ = 1/(C−1)", of("fig1", "fastest-gamma")},
		{"fig1-orthogonal", "3.1", 9, evidence, "Figure 1(c): for γ = 0.05 the state turns orthogonal to the limit, distance √2", of("fig1", "orthogonal-beyond")},
		{"fig1-growth", "3.1", 9, evidence, "Figure 1(d): ‖Z‖ grows exponentially, with the exponents given", of("fig1", "growth-of-z")},
		{"faster-than-log", "3.1", 10, evidence, "Convergence is much faster than O(1/log t)", proved("log-rate")},
		{"hundreds-of-epochs", "3.1", 10, wording, "The exponential rate may explain why networks need only hundreds or thousands of epochs",
			leave("an explanation that no run of the paper, or here, tests")},

		{"theorem4", "3.2", 11, theorem, "Theorem 4: closed form of the regularised flow", proved("theorem4")},
		{"theorem4-biases", "3.2", 11, theorem, "Theorem 4's ψ for the biases", shown("E2")},
		{"theorem4-typos", "3.2", 11, wording, "Theorem 4's list of projections and (57), (73)", shown("E31")},
		{"corollary5", "3.2", 11, theorem, "Corollary 5: the direction of Z converges for every λ", of("fig7", "exponential-approach")},
		{"corollary5-threshold", "3.2", 11, theorem, "Corollary 5: ‖Z‖ tends to 0 above λ*, to a limit at it, and grows below it", shown("E4")},
		{"self-duality", "3.2", 12, theorem, "Self-duality holds at λ*, for example; neural collapse needs C ≤ p − 1", shown("E23")},
		{"decay-limits", "3.2", 12, evidence, "Weight decay keeps norms from shrinking to 0 or growing without end", of("fig4", "growth-of-z", "w-converges-to-p")},
		{"implicit-fragile", "3.2", 12, evidence, "The implicit penalty of batch normalisation and weight decay is fragile under the unhinged loss",
			of("fig19", "plain-ul-blows-up")},
		{"minority-collapse", "3.2", 12, evidence, "EFR plays a role in mitigating minority collapse", needs("a study of unequal classes, which is not built yet")},

		{"theorem6", "3.3", 12, theorem, "Theorem 6: closed form with anchored prototypes, error O(e^{−λζ})", proved("theorem6")},
		{"theorem6-features", "3.3", 12, evidence, "Features align to λ⁻¹W M", of("fig15", "anchored-approach")},
		{"pal-stabilises", "3.3", 13, evidence, "PAL mitigates the instability of training with the unhinged loss", of("fig2", "anchored-stable")},

		{"theorem7", "3.4", 13, theorem, "Theorem 7: normalised features converge to their prototypes", proved("theorem7")},
		{"theorem7-step", "3.4", 13, theorem, "Theorem 7's step condition, with the norm to the first power", shown("E5")},
		{"theorem7-exponential", "3.4", 13, theorem, "Exponentially, if further ‖H‖ stays bounded", shown("E18")},
		{"theorem7-rate", "3.4", 14, theorem, "(93) gives the error the exponent μ", shown("E17")},
		{"opposite-stays", "3.4", 14, theorem, "A feature opposite to its prototype never moves", proved("lemma10")},

		{"theorem8", "3.5", 14, theorem, "Theorem 8: closed form under an invariant tangent kernel", shown("E6")},
		{"theorem8-kernel", "3.5", 14, theorem, "Theorem 8 takes the kernel as one p×p matrix", shown("E7")},
		{"theorem8-networks", "3.5", 14, evidence, "The dynamics of wide networks follow the theorem", of("theorem8", "slope", "linearised")},
		{"mse-nonlinear", "3.5", 15, theorem, "(25): the flow of MSE under the same kernel", shown("E11")},

		{"fig2-comparable", "4.1", 15, evidence, "PAL and FNPAL are comparable to CE or better", of("fig2", "comparable-to-ce")},
		{"fig2-published", "4.1", 16, evidence, "Figure 2 itself shows performance comparable to CE or better", of("fig2", "comparable-to-ce-in-the-paper")},
		{"fig2-curve", "4.1", 16, wording, "2(a) \"unhinged* (PAL)\" is PAL with EFR", printed("E28")},
		{"stars", "4.1", 16, wording, "\"*\" means EFR in figure 2", printed("E29")},
		{"footnote14", "4.1", 15, theorem, "Prototypes are found by minimising the log-softmax of footnote 14", shown("E22")},

		{"efr-norms", "4.2", 15, evidence, "EFR avoids excessive growth of feature norms", of("fig2", "efr-limits-norms")},
		{"efr-generalises", "4.2", 16, evidence, "EFR can even improve generalisation", of("fig2", "efr-generalises")},
		{"efr-faster", "4.2", 16, evidence, "EFR speeds up the convergence to W M, as figure 15 verifies", of("fig15", "larger-lambda-faster")},
		{"efr-faster-networks", "4.2", 16, evidence, "The same in networks", of("fig2", "efr-converges-sooner", "efr-within-theorem-6")},
		{"overconfidence", "4.2", 16, evidence, "EFR remedies over-confidence", needs(calibration)},
		{"table2-improves", "4.2", 17, evidence, "EFR improves long-tailed classification in most cases, and normal classification too", needs(imbalance)},
		{"table3-ood", "4.2", 17, evidence, "EFR improves the detection of images out of distribution", needs(scores)},
		{"fig3-norms", "4.2", 17, evidence, "Figure 3: feature norms tell images in and out of distribution apart better with EFR", needs(scores)},
		{"efl", "4.2", 18, wording, "Table 3 calls EFR \"EFL\"", printed("E12")},

		{"normalisation-slows", "4.3", 17, evidence, "Feature normalisation slows training down", of("fig2", "normalisation-slows")},
		{"norms-slow", "4.3", 17, wording, "because a growing feature norm divides the rate", printed("E37")},
		{"rlr-condition", "4.3", 18, theorem, "Theorem 7 stays true under RLR if η(0)(1+γ)/(CN) ≤ 1/‖w‖", shown("E16")},
		{"rlr-recurrence", "4.3", 18, theorem, "RLR takes the norm out of the update", proved("rlr-step")},
		{"rlr-accelerates", "4.3", 18, evidence, "RLR accelerates FNPAL in figure 2", of("fig2", "rlr-accelerates")},
		{"rlr-nearer", "4.3", 18, evidence, "RLR bridges the performance to that of CE", of("fig2", "rlr-nearer-to-ce")},
		{"rlr-others", "4.3", 15, evidence, "RLR may improve other methods with feature normalisation", needs("a study of other losses, which is not built yet")},

		{"bounds-ce", "A", 20, theorem, "The loss is bounded by the multi-binary CE and by CE", proved("bounds")},
		{"correct-below", "A", 20, theorem, "A loss below a threshold implies a correct decision, prototypes an ETF", shown("E9")},
		{"bound-dimensions", "A", 20, wording, "The bound by CE has (w_yᵀ + b_y)h", printed("E21")},
		{"wasserstein", "A", 20, wording, "The empirical loss resembles the Wasserstein loss of Arjovsky et al.",
			leave("a resemblance of form; the Lipschitz constraint that makes it a distance is absent, as the paper says itself")},

		{"lemma9", "B", 22, theorem, "Lemma 9: the five subspaces are orthogonal and span everything", proved("lemma9")},
		{"eigenvalues", "B", 25, theorem, "The five eigenvalues are distinct", shown("E19")},
		{"exponential-matrix", "B", 32, theorem, "(68), (69), (75): the entries of exp(S)", shown("E14")},
		{"coinciding", "B", 32, theorem, "The eigenvectors of (66)–(69) exist for every σ", shown("E32")},
		{"corollary5-rate", "B", 35, theorem, "The rate of Corollary 5 has C√N in its exponent", shown("E15")},
		{"lemma10", "B", 35, theorem, "Lemma 10: cosine and norm grow along (19)", proved("lemma10")},
		{"lemma11", "B", 37, theorem, "Lemma 11: the cosine tends to 1 from β(0) ≥ 0", of("fig9", "error-exponential")},
		{"theorem12", "B", 40, theorem, "Theorem 12: the vectorised form of Theorem 8", shown("E6")},
		{"lemmas13-17", "B", 42, theorem, "Lemmas 13 to 17: the projections onto the five subspaces", proved("lemma9")},

		{"fig4-growth", "C.1", 44, evidence, "Figure 4(a): ‖W‖ grows exponentially for λ < λ*", of("fig4", "growth-of-z")},
		{"fig4-p", "C.1", 44, evidence, "Figure 4(b): W converges to P at λ*", of("fig4", "w-converges-to-p")},
		{"fig4-stalls", "C.1", 44, evidence, "Figure 4(b): the distance stalls as plotted", of("fig4", "w-stalls")},
		{"fig4-same", "C.1", 44, evidence, "Figure 4(c): the difference of the norms is the same for every λ", of("fig4", "norm-ratio-same")},
		{"fig5-accuracy", "C.1", 45, evidence, "Figure 5(a): features align for γ < 2/(C−2)", of("fig5", "aligned-accuracy", "chance-beyond")},
		{"fig5-distance", "C.1", 45, evidence, "Figure 5(b,c): the distances fall at the rate of Corollary 5", of("fig5", "exponential-approach")},
		{"fig5-norms", "C.1", 45, evidence, "Figure 5(d,e): norms do not grow exponentially at λ*", of("fig5", "growth-of-z")},
		{"fig5-captions", "C.1", 45, evidence, "Figures 5 to 8 run γ = 1/(C−1)", of("fig5", "as-plotted")},
		{"fig6-order", "C.1", 46, evidence, "Figure 6: larger learning rates accelerate convergence", of("fig6", "larger-eta-faster", "exponential-approach")},
		{"fig7-same", "C.1", 47, evidence, "Figure 7: convergence is the same for every λ", of("fig7", "convergence-same-for-lambda")},
		{"fig7-growth", "C.1", 47, evidence, "Figure 7: norms grow exponentially for λ < λ*", of("fig7", "growth-of-z")},
		{"fig8-order", "C.1", 48, evidence, "Figure 8: a larger s converges faster", of("fig8", "larger-s-faster", "exponential-approach")},
		{"fig9-norm", "C.1", 49, evidence, "Figure 9: ‖H‖ does not decrease", of("fig9", "h-non-decreasing", "h-bounded")},
		{"fig9-error", "C.1", 49, evidence, "Figure 9: the error falls exponentially", of("fig9", "error-exponential")},
		{"fig9-rlr", "C.1", 49, evidence, "Figure 9: RLR converges faster", of("fig9", "rescaled-faster")},
		{"fig15-rate", "C.1", 54, evidence, "Figure 15: the error falls as O(e^{−ληt})", of("fig15", "anchored-approach")},
		{"fig15-order", "C.1", 54, evidence, "Figure 15: a larger λ accelerates convergence", of("fig15", "larger-lambda-faster")},
		{"fig15-squared", "C.1", 54, wording, "Figure 15(d) shows the squared norm", of("fig15", "norm-squared", "norm-not-squared")},
		{"float32", "C.1", 44, wording, "The plotted floors are those of the dynamics", shown("E26")},
		{"rounding", "C.1", 45, wording, "The late bursts of accuracy are of the dynamics", shown("E27")},

		{"fig12-norms", "C.2", 52, evidence, "Figure 12: feature norms grow, and EFR limits them, on CIFAR-10", of("fig12", "feature-norms-grow", "efr-limits-norms")},
		{"fig13-norms", "C.2", 53, evidence, "Figure 13: the same on CIFAR-100", of("fig13", "feature-norms-grow", "efr-limits-norms")},
		{"fig14-norms", "C.2", 53, evidence, "Figure 14: the same on ImageNet-100", of("fig14", "feature-norms-grow", "efr-limits-norms")},
		{"captions-decay", "C.2", 52, wording, "Figures 12 to 14 vary the weight decay", printed("E35")},
		{"fig14-loss", "C.2", 53, wording, "Figure 14's loss and norm are of batches of 256", printed("E36")},
		{"captions", "C.2", 47, wording, "Captions of figures 7, 10, 15, 18 and 19", printed("E30")},

		{"tables4-5", "C.3", 48, evidence, "Tables 4 and 5: EFR improves imbalanced learning in most cases", needs(imbalance)},
		{"fig10-calibration", "C.3", 50, evidence, "Figure 10: an appropriate λ improves accuracy and calibration, long-tailed", needs(calibration)},
		{"fig11-calibration", "C.3", 51, evidence, "Figure 11: the same, step-wise", needs(calibration)},
		{"table6-ood", "C.4", 56, evidence, "Table 6: EFR improves the detection of images out of distribution for several λ", needs(scores)},
		{"fig16", "C.4", 55, evidence, "Figures 16 to 18: EFR tells the distributions apart better", needs(scores)},

		{"fig19-norms", "4.1", 56, evidence, "Figure 19(b): weight decay does not limit the growth of norms", of("fig19", "plain-ul-blows-up")},
		{"fig19-ratio", "4.1", 56, evidence, "Figure 19(c): the ratio of prototype norms is very large", of("fig19", "plain-ul-ratio")},
		{"fig19-angle", "4.1", 56, evidence, "Figure 19(e): the smallest angle between prototypes is very small", of("fig19", "plain-ul-angle")},

		{"d1", "D.1", 49, evidence, "Initialising prototypes as an ETF, or scaled up, is a good start", needs("trainings from such prototypes, which are not recorded yet")},
		{"d2-example", "D.2", 57, theorem, "Example 1: a common shift of features and prototypes can change decisions", proved("example1")},
		{"d2-residual", "D.2", 57, evidence, "Learned features have such a shift", needs("trainings judged under both decision rules, which are not recorded yet")},
		{"d3", "D.3", 57, theorem, "(104): the adjusted prototype has the cosine −1+ε", shown("E8")},
	}
}
