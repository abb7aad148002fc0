package ntk

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a network written as its layers with spaces between them, each a name and, after a colon, its numbers and
// options with commas between them:
//
//	dense:512,w=1.5,b=0.1                     Dense(512).Std(1.5, 0.1)
//	conv:64,3,stride=2,same,w=1.5,b=0.1       Conv(64, 3).Stride(2).Same().Std(1.5, 0.1)
//	avgpool:2  gap  flatten  identity         AveragePool(2)  GlobalAveragePool  Flatten  Identity
//	maxpool:2  batchnorm                      MaxPool(2)  BatchNorm
//	relu  abs  erf  gelu  sin                 the nonlinearities
//	leakyrelu:0.1  abrelu:-1,2                LeakyReLU(0.1)  ABReLU(-1, 2)
//	residual[ identity | relu conv:64,3,same ]  Residual(Identity, Serial(ReLU, Conv(64, 3).Same()))
//	[ relu dense:512 ]                        Serial(ReLU, Dense(512)) as one layer
//
// Options follow the numbers, in any order, and may be left out. Their defaults are 1 for w (σ_w) and stride, and 0 for
// b (σ_b). A [Function] cannot be written in this way.
//
//	ntk.Parse("conv:64,3,same relu gap dense:10")
func Parse(text string) (Network, error) {
	s := &scanner{tokens: tokens(text)}
	network, err := s.network(0)
	switch {
	case err != nil:
	case len(s.tokens) > 0:
		err = fmt.Errorf("%q has no [ before it", s.tokens[0])
	case len(network.layers) == 0:
		err = fmt.Errorf(`it has no layers: want a network such as "dense:512 relu dense:10"`)
	}
	if err != nil {
		return Network{}, fmt.Errorf("ntk: network %.200q: %w", text, err)
	}
	return network, nil
}

// String writes the network as [Parse] reads it. A [Function] appears as "function", which Parse refuses.
func (n Network) String() string {
	words := make([]string, len(n.layers))
	for i, layer := range n.layers {
		words[i] = describe(layer)
	}
	return strings.Join(words, " ")
}

func describe(layer Layer) string {
	switch l := layer.(type) {
	case DenseLayer:
		return fmt.Sprintf("dense:%d%s", l.width, stds(l.wStd, l.bStd))
	case ConvLayer:
		options := ""
		if l.filter.stride != 1 {
			options = fmt.Sprintf(",stride=%d", l.filter.stride)
		}
		if l.filter.same {
			options += ",same"
		}
		return fmt.Sprintf("conv:%d,%d%s%s", l.channels, l.filter.size, options, stds(l.wStd, l.bStd))
	case averagePool:
		return fmt.Sprintf("avgpool:%d", l.window)
	case maxPool:
		return fmt.Sprintf("maxpool:%d", l.window)
	case batchNorm:
		return "batchnorm"
	case globalAveragePool:
		return "gap"
	case flatten:
		return "flatten"
	case identity:
		return "identity"
	case activation:
		if l.name != "" {
			return l.name
		}
	case residual:
		branches := make([]string, len(l.branches))
		for i, branch := range l.branches {
			branches[i] = describe(branch)
			// for a network of one layer, the brackets distinguish it from the layer itself
			if n, ok := branch.(Network); ok && len(n.layers) > 1 {
				branches[i] = n.String()
			}
		}
		return "residual[ " + strings.Join(branches, " | ") + " ]"
	case Network:
		return "[ " + l.String() + " ]"
	}
	return "function"
}

func stds(w, b float64) string {
	text := ""
	if w != 1 {
		text = ",w=" + number(w)
	}
	if b != 0 {
		text += ",b=" + number(b)
	}
	return text
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// abReLUName returns the shortest name of ABReLU(a, b).
func abReLUName(a, b float64) string {
	switch {
	case a == 0 && b == 1:
		return "relu"
	case a == -1 && b == 1:
		return "abs"
	case b == 1:
		return "leakyrelu:" + number(a)
	}
	return "abrelu:" + number(a) + "," + number(b)
}

// tokens returns the words of the text; each [, ] and | is a token.
func tokens(text string) []string {
	for _, bracket := range []string{"[", "]", "|"} {
		text = strings.ReplaceAll(text, bracket, " "+bracket+" ")
	}
	return strings.Fields(text)
}

// maxDepth is the largest depth of nested brackets.
const maxDepth = 100

// scanner holds the unread tokens of a network's text.
type scanner struct{ tokens []string }

func (s *scanner) next() string {
	if len(s.tokens) == 0 {
		return ""
	}
	return s.tokens[0]
}

func (s *scanner) take(token string) bool {
	if s.next() != token {
		return false
	}
	s.tokens = s.tokens[1:]
	return true
}

// network reads layers up to ], | or the end.
func (s *scanner) network(depth int) (Network, error) {
	var n Network
	if depth > maxDepth {
		return n, fmt.Errorf("brackets nest deeper than %d", maxDepth)
	}
	for {
		switch token := s.next(); token {
		case "", "]", "|":
			return n, nil
		case "[":
			s.take("[")
			inner, err := s.network(depth + 1)
			if err != nil {
				return n, err
			}
			if !s.take("]") {
				return n, fmt.Errorf("a [ has no ]")
			}
			n.layers = append(n.layers, inner)
		case "residual":
			s.take("residual")
			layer, err := s.residual(depth)
			if err != nil {
				return n, err
			}
			n.layers = append(n.layers, layer)
		default:
			s.take(token)
			layer, err := parseLayer(token)
			if err != nil {
				return n, err
			}
			n.layers = append(n.layers, layer)
		}
	}
}

// residual reads [ branch | branch … ].
func (s *scanner) residual(depth int) (Layer, error) {
	if !s.take("[") {
		return nil, fmt.Errorf("residual wants its branches in brackets: residual[ identity | relu dense:10 ]")
	}
	var branches []Layer
	for {
		branch, err := s.network(depth + 1)
		switch {
		case err != nil:
			return nil, err
		case len(branch.layers) == 0:
			return nil, fmt.Errorf("a branch of a residual is empty: write identity")
		case len(branch.layers) == 1:
			branches = append(branches, branch.layers[0])
		default:
			branches = append(branches, branch)
		}
		if s.take("]") {
			return residual{branches}, nil
		}
		if !s.take("|") {
			return nil, fmt.Errorf("a residual's [ has no ]")
		}
	}
}

// parseLayer reads name or name:number,…,option=number,….
func parseLayer(token string) (Layer, error) {
	name, text, colon := strings.Cut(token, ":")
	a := arguments{layer: token}
	if colon {
		a.words = strings.Split(text, ",")
	}
	var layer Layer
	switch name {
	case "dense":
		layer = Dense(a.count("width")).Std(a.option("w", 1), a.option("b", 0))
	case "conv":
		c := Conv(a.count("number of channels"), a.count("size")).Std(a.option("w", 1), a.option("b", 0))
		stride := a.option("stride", 1)
		if stride < 1 || stride > math.MaxInt32 || stride != math.Trunc(stride) {
			a.fail("the stride must be a whole number from 1 on")
		}
		c.filter.stride = int(stride)
		c.filter.same = a.flag("same")
		layer = c
	case "avgpool":
		layer = AveragePool(a.count("window"))
	case "maxpool":
		layer = MaxPool(a.count("window"))
	case "batchnorm":
		layer = BatchNorm
	case "gap":
		layer = GlobalAveragePool
	case "flatten":
		layer = Flatten
	case "identity":
		layer = Identity
	case "relu":
		layer = ReLU
	case "abs":
		layer = Abs
	case "erf":
		layer = Erf
	case "gelu":
		layer = GELU
	case "sin":
		layer = Sin
	case "leakyrelu":
		layer = LeakyReLU(a.number("slope"))
	case "abrelu":
		layer = ABReLU(a.number("slope below 0"), a.number("slope above 0"))
	default:
		return nil,
			fmt.Errorf("no layer is called %q; there are dense, conv, avgpool, maxpool, gap, batchnorm, flatten, "+
				"identity, relu, abs, erf, gelu, sin, leakyrelu, abrelu, residual[ … | … ]", name)
	}
	if len(a.words) > 0 {
		a.fail("unknown or repeated argument %q", a.words[0])
	}
	return layer, a.err
}

// arguments holds the unread words after a layer's colon, and the first error.
type arguments struct {
	layer string
	words []string
	err   error
}

func (a *arguments) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("%s: %s", a.layer, fmt.Sprintf(format, args...))
	}
}

// number reads the next word.
func (a *arguments) number(what string) float64 {
	if len(a.words) == 0 {
		a.fail("the %s is missing", what)
		return 0
	}
	word := a.words[0]
	a.words = a.words[1:]
	return a.parse(what, word)
}

func (a *arguments) parse(what, word string) float64 {
	v, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		a.fail("the %s is %q: want a finite number", what, word)
	}
	return v
}

// count reads the next word, a whole number from 1 on.
func (a *arguments) count(what string) int {
	if len(a.words) == 0 {
		a.fail("the %s is missing", what)
		return 1
	}
	n, err := strconv.ParseInt(a.words[0], 10, 32)
	if err != nil || n < 1 {
		a.fail("the %s is %q: want a whole number from 1 on", what, a.words[0])
	}
	a.words = a.words[1:]
	return int(n)
}

// option reads name=number at any place among the words.
func (a *arguments) option(name string, missing float64) float64 {
	i := slices.IndexFunc(a.words, func(word string) bool { return strings.HasPrefix(word, name+"=") })
	if i < 0 {
		return missing
	}
	word := a.words[i][len(name)+1:]
	a.words = slices.Delete(a.words, i, i+1)
	return a.parse(name, word)
}

func (a *arguments) flag(name string) bool {
	i := slices.Index(a.words, name)
	if i >= 0 {
		a.words = slices.Delete(a.words, i, i+1)
	}
	return i >= 0
}
