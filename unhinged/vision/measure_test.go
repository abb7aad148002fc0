package vision

import (
	"context"
	"math"
	"path/filepath"
	"testing"

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
	const probe, classes = 150, 3 // 150 is not a multiple of the batch of 32
	for _, name := range []string{"ce", "pal-efr", "fnpal"} {
		training := small(name)
		training.Epochs, training.Probe, training.Folder = 2, probe, t.TempDir()
		records, err := training.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		record := records[len(records)-1]

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
			head.Classes = classes
			return head.Predictions(scope.In("head"), features)
		})
		evaluate := func(images datasets.Images) (predicted []int, raw, seen, w [][]float64) {
			var mean, variance float64
			for _, v := range data.Train.Pixels {
				mean += float64(v) / float64(len(data.Train.Pixels))
			}
			for _, v := range data.Train.Pixels {
				variance += math.Pow(float64(v)-mean, 2) / float64(len(data.Train.Pixels))
			}
			inputs := make([]float32, len(images.Pixels))
			for i, v := range images.Pixels {
				inputs[i] = float32((float64(v) - mean) / math.Sqrt(variance))
			}
			out := network.MustCall(tensors.FromFlatDataAndDimensions(inputs, images.Len(), 4, 4, 1))
			logits := rows(out[0])
			raw, w = rows(out[1]), rows(out[2])
			for i, h := range raw {
				predicted = append(predicted, floats.MaxIdx(logits[i]))
				h = append([]float64(nil), h...)
				if training.Method.Head.NormalizeFeatures {
					floats.Scale(1/floats.Norm(h, 2), h)
				}
				seen = append(seen, h)
			}
			return
		}
		images := data.Train.First(probe)
		predicted, raw, h, w := evaluate(images)
		p := len(h[0])

		// These are the class means, their mean, and both covariances, where each class counts 1/C.
		var n [classes]float64
		var mu, v [classes][]float64
		global := make([]float64, p)
		for c := range classes {
			mu[c] = make([]float64, p)
			for i, label := range images.Labels {
				if int(label) == c {
					n[c]++
					floats.Add(mu[c], h[i])
				}
			}
			floats.Scale(1/n[c], mu[c])
			floats.AddScaled(global, 1./classes, mu[c])
		}
		if n[0] == n[1] && n[1] == n[2] {
			t.Fatal("classes of equal sizes do not tell the ways of weighting apart")
		}
		within, between := mat.NewSymDense(p, nil), mat.NewSymDense(p, nil)
		var spread [classes]float64 // E[‖h − μ_c‖² | c]
		for i, label := range images.Labels {
			d := floats.SubTo(make([]float64, p), h[i], mu[label])
			within.SymRankOne(within, 1/(classes*n[label]), mat.NewVecDense(p, d))
			spread[label] += floats.Dot(d, d) / n[label]
		}
		for c := range classes {
			v[c] = floats.SubTo(make([]float64, p), mu[c], global)
			between.SymRankOne(between, 1./classes, mat.NewVecDense(p, v[c]))
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(between, true) {
			t.Fatal("no eigenvalues")
		}
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		trace := 0.0
		for k, value := range eigen.Values(nil) {
			if value > 1e-9*mat.Trace(between) {
				u := vectors.ColView(k)
				trace += mat.Inner(u, within, u) / value
			}
		}
		cdnv := 0.0
		for c := range classes {
			for d := range classes {
				if c != d {
					cdnv += (spread[c] + spread[d]) / 2 / math.Pow(floats.Distance(mu[c], mu[d], 2),
						2) / (classes * (classes - 1))
				}
			}
		}

		// These are NC2 of C vectors, and the distance of their Gram matrix from the ETF's.
		cosine := func(a, b []float64) float64 { return floats.Dot(a, b) / floats.Norm(a, 2) / floats.Norm(b, 2) }
		gramDistance := func(a, b [][]float64) float64 {
			var norm2, d2 float64
			for _, x := range a {
				for _, y := range b {
					norm2 += math.Pow(floats.Dot(x, y), 2)
				}
			}
			for i, x := range a {
				for j, y := range b {
					etf := -1. / classes
					if i == j {
						etf++
					}
					d2 += math.Pow(floats.Dot(x, y)/math.Sqrt(norm2)-etf/math.Sqrt(classes-1), 2)
				}
			}
			return math.Sqrt(d2)
		}
		nc2 := func(v [][]float64) [4]float64 {
			var norms, cosines, deviations []float64
			for i, x := range v {
				norms = append(norms, floats.Norm(x, 2))
				for j, y := range v {
					if i != j {
						cosines = append(cosines, cosine(x, y))
						deviations = append(deviations, math.Abs(cosine(x, y)+1./(classes-1)))
					}
				}
			}
			return [4]float64{stat.PopStdDev(norms, nil) / stat.Mean(norms, nil), stat.PopStdDev(cosines, nil),
				stat.Mean(deviations, nil), gramDistance(v, v)}
		}
		means, prototypes := nc2(v[:]), nc2(w)

		var normW, normV, duality, dualityCosine float64
		for c := range classes {
			normW, normV = math.Hypot(normW, floats.Norm(w[c], 2)), math.Hypot(normV, floats.Norm(v[c], 2))
			dualityCosine += cosine(w[c], v[c]) / classes
		}
		for c := range classes {
			for j := range p {
				duality += math.Pow(w[c][j]/normW-v[c][j]/normV, 2)
			}
		}

		// These are ‖Ĥ − V̂‖_F of Theorem 6, where V = WM and an image has the column (1+γ)e_y − γ1 of M, and the error
		// (20) of Theorem 7.
		var normH, normVM, distanceWM, distancePrototypes float64
		direction := func(label uint8) []float64 {
			const gamma = 1. / (classes - 1)
			x := make([]float64, p)
			for c := range classes {
				floats.AddScaled(x, -gamma, w[c])
			}
			floats.AddScaled(x, 1+gamma, w[label])
			return x
		}
		for i, label := range images.Labels {
			normH, normVM = math.Hypot(normH, floats.Norm(h[i], 2)), math.Hypot(normVM, floats.Norm(direction(label),
				2))
		}
		for i, label := range images.Labels {
			x := direction(label)
			for j := range p {
				distanceWM += math.Pow(h[i][j]/normH-x[j]/normVM, 2)
				distancePrototypes += math.Pow(h[i][j]/floats.Norm(h[i], 2)-w[label][j]/floats.Norm(w[label], 2),
					2) / probe
			}
		}

		// These are norms before any normalisation.
		var featureNorm2, normMean, normVariance float64
		for i, label := range images.Labels {
			if i < training.Batch {
				featureNorm2 += floats.Dot(raw[i], raw[i])
			}
			normMean += floats.Norm(raw[i], 2) / (classes * n[label])
		}
		for i, label := range images.Labels {
			normVariance += math.Pow(floats.Norm(raw[i], 2)-normMean, 2) / (classes * n[label])
		}
		share := func(predicted []int, h [][]float64, labels []uint8) (right, nearest float64) {
			for i := range h {
				best := 0
				for c := range classes {
					if floats.Distance(h[i], mu[c], 2) < floats.Distance(h[i], mu[best], 2) {
						best = c
					}
				}
				if predicted[i] == int(labels[i]) {
					right += 1 / float64(len(h))
				}
				if predicted[i] == best {
					nearest += 1 / float64(len(h))
				}
			}
			return
		}
		trainRight, trainNearest := share(predicted, h, images.Labels)
		testPredicted, _, testSeen, _ := evaluate(data.Test)
		testRight, testNearest := share(testPredicted, testSeen, data.Test.Labels)
		var lengths, angles []float64
		for c := range classes {
			lengths = append(lengths, floats.Norm(w[c], 2))
			for d := range c {
				angles = append(angles, 180/math.Pi*math.Acos(max(-1, cosine(w[c], w[d]))))
			}
		}

		col := record.Collapse
		undefined := math.NaN()
		wantWM, wantPrototypes := math.Sqrt(distanceWM), undefined
		if name == "fnpal" {
			wantWM, wantPrototypes = undefined, math.Sqrt(distancePrototypes)
		}
		for what, x := range map[string][2]float64{
			"NC1":                              {float64(record.WithinClass), trace / classes},
			"NC1, quotient":                    {float64(col.Quotient), mat.Trace(within) / mat.Trace(between)},
			"NC1, CDNV":                        {float64(col.CDNV), cdnv},
			"NC2 of means, norms":              {float64(col.Means.NormSpread), means[0]},
			"NC2 of means, angles":             {float64(col.Means.AngleSpread), means[1]},
			"NC2 of means, angles' distance":   {float64(col.Means.AngleDistance), means[2]},
			"NC2 of means, ETF":                {float64(col.Means.ETFDistance), means[3]},
			"NC2 of prototypes, norms":         {float64(col.Prototypes.NormSpread), prototypes[0]},
			"NC2 of prototypes, angles":        {float64(col.Prototypes.AngleSpread), prototypes[1]},
			"NC2 of prototypes, ang. dist.":    {float64(col.Prototypes.AngleDistance), prototypes[2]},
			"NC2 of prototypes, ETF":           {float64(col.Prototypes.ETFDistance), prototypes[3]},
			"NC3":                              {float64(col.Duality), math.Sqrt(duality)},
			"NC3, Gram":                        {float64(col.DualityGram), gramDistance(w, v[:])},
			"NC3, cosine":                      {float64(col.DualityCosine), dualityCosine},
			"NC4 in training":                  {float64(col.TrainAgreement), trainNearest},
			"NC4 in test":                      {float64(col.TestAgreement), testNearest},
			"accuracy in training":             {col.TrainAccuracy, trainRight},
			"validation accuracy":              {record.ValidationAccuracy, testRight},
			"distance from WM":                 {float64(col.DistanceWM), wantWM},
			"distance from prototypes":         {float64(col.DistancePrototypes), wantPrototypes},
			"‖H‖² of a batch":                  {record.FeatureNorm2, featureNorm2},
			"mean ‖h‖":                         {col.FeatureNormMean, normMean},
			"deviation of ‖h‖":                 {col.FeatureNormSD, math.Sqrt(normVariance)},
			"largest ‖w‖":                      {record.PrototypeMax, floats.Max(lengths)},
			"smallest ‖w‖":                     {record.PrototypeMin, floats.Min(lengths)},
			"smallest angle of prototypes":     {float64(record.PrototypeAngle), floats.Min(angles)},
			"mean angle of prototypes":         {float64(col.MeanAngle), stat.Mean(angles, nil)},
			"largest angle between prototypes": {float64(col.LargestAngle), floats.Max(angles)},
		} {
			// Features are float32, and their rounding depends on the batch.
			if got, want := x[0], x[1]; math.IsNaN(got) != math.IsNaN(want) ||
				math.Abs(got-want) > 1e-5*max(math.Abs(want), 0.1) {
				t.Errorf("%s: %s is %.9g, by brute force %.9g", name, what, got, want)
			}
		}
	}
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
