package vision

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// TestRecordIsBruteForce trains a small network on classes of unequal sizes and evaluates it on the images once more.
// It compares the last record with the definitions, written as loops over images and pairs of classes.
func TestRecordIsBruteForce(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(320, 77)
	const probe = 150 // it is not a multiple of the batch of 32
	for _, name := range []string{"ce", "pal-efr", "fnpal"} {
		training := small(name)
		training.Epochs, training.Probe, training.Folder = 2, probe, t.TempDir()
		records, err := training.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		evaluate := bruteEvaluate(t, backend, training, data)
		train, test := evaluate(data.Train.First(probe)), evaluate(data.Test)
		for what, x := range bruteRecord(t, training, records[len(records)-1], train, test) {
			// Features are float32, and their rounding depends on the batch.
			if got, want := x[0], x[1]; math.IsNaN(got) != math.IsNaN(want) ||
				math.Abs(got-want) > 1e-5*max(math.Abs(want), 0.1) {
				t.Errorf("%s: %s is %.9g, by brute force %.9g", name, what, got, want)
			}
		}
	}
}

// bruteRecord returns each measure of the record with the same measure by its definition.
func bruteRecord(t *testing.T, training Training, record Record, train, test bruteOutputs) map[string][2]float64 {
	w := train.w
	m := momentsOf(t, train.h, train.labels, len(w))
	means, prototypes := bruteNC2(m.v), bruteNC2(w)
	duality, dualityCosine := bruteDuality(w, m.v)
	wantWM, wantPrototypes := bruteDistances(train)
	if training.Method.Name == "fnpal" {
		wantWM = math.NaN()
	} else {
		wantPrototypes = math.NaN()
	}
	featureNorm2, normMean, normSD := bruteNorms(train, m.n, training.Batch)
	trainRight, trainNearest := bruteShares(train, m.mu)
	testRight, testNearest := bruteShares(test, m.mu)
	var lengths, angles []float64
	for c := range w {
		lengths = append(lengths, floats.Norm(w[c], 2))
		for d := range c {
			angles = append(angles, 180/math.Pi*math.Acos(max(-1, bruteCosine(w[c], w[d]))))
		}
	}
	col := record.Collapse
	return map[string][2]float64{
		"NC1":                              {float64(record.WithinClass), m.trace / float64(len(w))},
		"NC1, quotient":                    {float64(col.Quotient), mat.Trace(m.within) / mat.Trace(m.between)},
		"NC1, CDNV":                        {float64(col.CDNV), m.cdnv},
		"NC2 of means, norms":              {float64(col.Means.NormSpread), means[0]},
		"NC2 of means, angles":             {float64(col.Means.AngleSpread), means[1]},
		"NC2 of means, angles' distance":   {float64(col.Means.AngleDistance), means[2]},
		"NC2 of means, ETF":                {float64(col.Means.ETFDistance), means[3]},
		"NC2 of prototypes, norms":         {float64(col.Prototypes.NormSpread), prototypes[0]},
		"NC2 of prototypes, angles":        {float64(col.Prototypes.AngleSpread), prototypes[1]},
		"NC2 of prototypes, ang. dist.":    {float64(col.Prototypes.AngleDistance), prototypes[2]},
		"NC2 of prototypes, ETF":           {float64(col.Prototypes.ETFDistance), prototypes[3]},
		"NC3":                              {float64(col.Duality), duality},
		"NC3, Gram":                        {float64(col.DualityGram), bruteGramDistance(w, m.v)},
		"NC3, cosine":                      {float64(col.DualityCosine), dualityCosine},
		"NC4 in training":                  {float64(col.TrainAgreement), trainNearest},
		"NC4 in test":                      {float64(col.TestAgreement), testNearest},
		"accuracy in training":             {col.TrainAccuracy, trainRight},
		"validation accuracy":              {record.ValidationAccuracy, testRight},
		"distance from WM":                 {float64(col.DistanceWM), wantWM},
		"distance from prototypes":         {float64(col.DistancePrototypes), wantPrototypes},
		"‖H‖² of a batch":                  {record.FeatureNorm2, featureNorm2},
		"mean ‖h‖":                         {col.FeatureNormMean, normMean},
		"deviation of ‖h‖":                 {col.FeatureNormSD, normSD},
		"largest ‖w‖":                      {record.PrototypeMax, floats.Max(lengths)},
		"smallest ‖w‖":                     {record.PrototypeMin, floats.Min(lengths)},
		"smallest angle of prototypes":     {float64(record.PrototypeAngle), floats.Min(angles)},
		"mean angle of prototypes":         {float64(col.MeanAngle), stat.Mean(angles, nil)},
		"largest angle between prototypes": {float64(col.LargestAngle), floats.Max(angles)},
	}
}

// bruteOutputs are the outputs of a network for images.
type bruteOutputs struct {
	labels    []uint8
	predicted []int
	raw, h    [][]float64 // features before and after the head's normalisation
	w         [][]float64 // prototypes
}

// bruteEvaluate returns a function that evaluates the checkpoint of the training on images.
func bruteEvaluate(t *testing.T, backend compute.Backend, training Training,
	data *datasets.Dataset) func(images datasets.Images) bruteOutputs {
	saved, err := loadCheckpoint(filepath.Join(training.Folder, CheckpointFile))
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	store.SetLoader(saved)
	network := model.MustNewExec(backend, store, func(scope *model.Scope, images *Node) []*Node {
		scope.Store().SetTraining(images.Graph(), false)
		features := training.Model.Features(scope.In("model"), images, training.Method.LastReLU)
		head := training.Method.Head
		head.Classes = len(data.Classes)
		return head.Predictions(scope.In("head"), features)
	})
	var mean, variance float64
	for _, v := range data.Train.Pixels {
		mean += float64(v) / float64(len(data.Train.Pixels))
	}
	for _, v := range data.Train.Pixels {
		variance += math.Pow(float64(v)-mean, 2) / float64(len(data.Train.Pixels))
	}
	return func(images datasets.Images) bruteOutputs {
		inputs := make([]float32, len(images.Pixels))
		for i, v := range images.Pixels {
			inputs[i] = float32((float64(v) - mean) / math.Sqrt(variance))
		}
		out := network.MustCall(tensors.FromFlatDataAndDimensions(inputs, images.Len(), 4, 4, 1))
		logits := rows(out[0])
		e := bruteOutputs{labels: images.Labels, raw: rows(out[1]), w: rows(out[2])}
		for i, h := range e.raw {
			e.predicted = append(e.predicted, floats.MaxIdx(logits[i]))
			h = append([]float64(nil), h...)
			if training.Method.Head.NormalizeFeatures {
				floats.Scale(1/floats.Norm(h, 2), h)
			}
			e.h = append(e.h, h)
		}
		return e
	}
}

// bruteMoments are the moments of features, where each class counts 1/C.
type bruteMoments struct {
	n               []float64   // sizes of the classes
	mu, v           [][]float64 // class means, and class means minus their mean
	within, between *mat.SymDense
	trace           float64 // tr(Σ_W Σ_B⁺)
	cdnv            float64
}

func momentsOf(t *testing.T, h [][]float64, labels []uint8, classes int) bruteMoments {
	p := len(h[0])
	m := bruteMoments{n: make([]float64, classes), within: mat.NewSymDense(p, nil), between: mat.NewSymDense(p, nil)}
	global := make([]float64, p)
	for c := range classes {
		mu := make([]float64, p)
		for i, label := range labels {
			if int(label) == c {
				m.n[c]++
				floats.Add(mu, h[i])
			}
		}
		floats.Scale(1/m.n[c], mu)
		floats.AddScaled(global, 1/float64(classes), mu)
		m.mu = append(m.mu, mu)
	}
	if floats.Max(m.n) == floats.Min(m.n) {
		t.Fatal("with classes of equal sizes, the weightings do not differ")
	}
	spread := make([]float64, classes) // E[‖h − μ_c‖² | c]
	for i, label := range labels {
		d := floats.SubTo(make([]float64, p), h[i], m.mu[label])
		m.within.SymRankOne(m.within, 1/(float64(classes)*m.n[label]), mat.NewVecDense(p, d))
		spread[label] += floats.Dot(d, d) / m.n[label]
	}
	for c := range classes {
		m.v = append(m.v, floats.SubTo(make([]float64, p), m.mu[c], global))
		m.between.SymRankOne(m.between, 1/float64(classes), mat.NewVecDense(p, m.v[c]))
		for d := range classes {
			if c != d {
				m.cdnv += (spread[c] + spread[d]) / 2 / math.Pow(floats.Distance(m.mu[c], m.mu[d], 2), 2) /
					float64(classes*(classes-1))
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(m.between, true) {
		t.Fatal("no eigenvalues")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for k, value := range eigen.Values(nil) {
		if value > 1e-9*mat.Trace(m.between) {
			u := vectors.ColView(k)
			m.trace += mat.Inner(u, m.within, u) / value
		}
	}
	return m
}

func bruteCosine(a, b []float64) float64 {
	return floats.Dot(a, b) / floats.Norm(a, 2) / floats.Norm(b, 2)
}

// bruteGramDistance returns the distance of the matrix of inner products of a and b from an ETF's. Both are scaled to
// norm 1.
func bruteGramDistance(a, b [][]float64) float64 {
	classes := float64(len(a))
	var norm2, d2 float64
	for _, x := range a {
		for _, y := range b {
			norm2 += math.Pow(floats.Dot(x, y), 2)
		}
	}
	for i, x := range a {
		for j, y := range b {
			etf := -1 / classes
			if i == j {
				etf++
			}
			d2 += math.Pow(floats.Dot(x, y)/math.Sqrt(norm2)-etf/math.Sqrt(classes-1), 2)
		}
	}
	return math.Sqrt(d2)
}

// bruteNC2 returns the spread of norms, the spread of angles, the distance of angles and the distance from an ETF.
func bruteNC2(v [][]float64) [4]float64 {
	var norms, cosines, deviations []float64
	for i, x := range v {
		norms = append(norms, floats.Norm(x, 2))
		for j, y := range v {
			if i != j {
				cosines = append(cosines, bruteCosine(x, y))
				deviations = append(deviations, math.Abs(bruteCosine(x, y)+1/float64(len(v)-1)))
			}
		}
	}
	return [4]float64{stat.PopStdDev(norms, nil) / stat.Mean(norms, nil), stat.PopStdDev(cosines, nil),
		stat.Mean(deviations, nil), bruteGramDistance(v, v)}
}

// bruteDuality returns ‖W/‖W‖ − V/‖V‖‖ and the mean cosine of a prototype and its class mean.
func bruteDuality(w, v [][]float64) (distance, cosine float64) {
	var normW, normV float64
	for c := range w {
		normW, normV = math.Hypot(normW, floats.Norm(w[c], 2)), math.Hypot(normV, floats.Norm(v[c], 2))
		cosine += bruteCosine(w[c], v[c]) / float64(len(w))
	}
	for c := range w {
		for j := range w[c] {
			distance += math.Pow(w[c][j]/normW-v[c][j]/normV, 2)
		}
	}
	return math.Sqrt(distance), cosine
}

// bruteDistances returns ‖Ĥ − V̂‖_F of Theorem 6, where V = WM and an image has the column (1+γ)e_y − γ1 of M, and the
// error (20) of Theorem 7.
func bruteDistances(e bruteOutputs) (wm, prototypes float64) {
	gamma := 1 / float64(len(e.w)-1)
	direction := func(label uint8) []float64 {
		x := make([]float64, len(e.w[0]))
		for _, w := range e.w {
			floats.AddScaled(x, -gamma, w)
		}
		floats.AddScaled(x, 1+gamma, e.w[label])
		return x
	}
	var normH, normV float64
	for i, label := range e.labels {
		normH, normV = math.Hypot(normH, floats.Norm(e.h[i], 2)), math.Hypot(normV, floats.Norm(direction(label), 2))
	}
	for i, label := range e.labels {
		h, w, x := e.h[i], e.w[label], direction(label)
		for j := range x {
			wm += math.Pow(h[j]/normH-x[j]/normV, 2)
			prototypes += math.Pow(h[j]/floats.Norm(h, 2)-w[j]/floats.Norm(w, 2), 2) / float64(len(e.h))
		}
	}
	return math.Sqrt(wm), math.Sqrt(prototypes)
}

// bruteNorms returns ‖H‖² of the first batch, and the mean and the deviation of ‖h‖, where each class has the same
// weight. The features are those before the head's normalisation, and n has the sizes of the classes.
func bruteNorms(e bruteOutputs, n []float64, batch int) (norm2, mean, deviation float64) {
	weight := func(label uint8) float64 { return 1 / (float64(len(n)) * n[label]) }
	for i, label := range e.labels {
		if i < batch {
			norm2 += floats.Dot(e.raw[i], e.raw[i])
		}
		mean += floats.Norm(e.raw[i], 2) * weight(label)
	}
	for i, label := range e.labels {
		deviation += math.Pow(floats.Norm(e.raw[i], 2)-mean, 2) * weight(label)
	}
	return norm2, mean, math.Sqrt(deviation)
}

// bruteShares returns the share of images that are classified correctly, and the share that the nearest class mean
// classifies as the network does.
func bruteShares(e bruteOutputs, mu [][]float64) (right, nearest float64) {
	for i, h := range e.h {
		best := 0
		for c := range mu {
			if floats.Distance(h, mu[c], 2) < floats.Distance(h, mu[best], 2) {
				best = c
			}
		}
		if e.predicted[i] == int(e.labels[i]) {
			right += 1 / float64(len(e.h))
		}
		if e.predicted[i] == best {
			nearest += 1 / float64(len(e.h))
		}
	}
	return right, nearest
}

// rows returns the rows of a float32 matrix.
func rows(t *tensors.Tensor) [][]float64 {
	m := matrix(t)
	var list [][]float64
	for i := range m.RawMatrix().Rows {
		list = append(list, m.RawRowView(i))
	}
	return list
}
