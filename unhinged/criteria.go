package unhinged

// Criteria returns the losses by name, with their default constants.
func Criteria() map[string]Criterion {
	return map[string]Criterion{
		"unhinged":    Loss{},
		"hinge":       Hinge{},
		"multibinary": MultiBinary{},
		"ce":          CrossEntropy{},
		"mse":         SquaredError{},
	}
}
