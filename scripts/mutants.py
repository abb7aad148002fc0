#!/usr/bin/env python3
"""mutants.py [PART]: changes one line of the source at a time and requires that a test of its package fails.

A change that the tests let pass is one that they cannot see: they need another case. PART is a part of a file's path; without it
all changes are made. The source itself is not touched: `go test -overlay` is given the changed file in place of the real one.
Closes with "N passed, N failed, N skipped"; it takes some minutes, and is not part of CI.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

# File, a text that occurs in it once, and the text that replaces it.
MUTANTS = [
    ("unhinged/metrics/nc1.go", "max(1e-10*s[0], rounding)", "max(1e-3*s[0], rounding)"),
    ("unhinged/metrics/nc1.go", "max(1e-10*s[0], rounding)", "1e-20*s[0]"),
    ("unhinged/metrics/nc1.go", "float64(len(present)), Quotient", "float64(len(present)-1), Quotient"),
    ("unhinged/metrics/nc1.go", "(2 * distance * distance)", "(distance * distance)"),
    ("unhinged/metrics/nc2.go", "math.Abs(cosine + 1/float64(c-1))", "math.Abs(cosine + 1/float64(c))"),
    ("unhinged/metrics/nc2.go", "_, out.AngleSpread = stat.PopMeanStdDev", "_, out.AngleSpread = stat.MeanStdDev"),
    ("unhinged/metrics/nc4.go", "/ 2\n\t}\n\treturn n, nil", "\n\t}\n\treturn n, nil"),
    ("unhinged/metrics/moments.go", "factor := n / (n + k) * k", "factor := k"),
    ("unhinged/metrics/moments.go", "const width = 128", "const width = 129\n\tif len(x) > 0 { x = x[:len(x)-m.config.Dimension] }"),
    ("unhinged/metrics/distance.go", "floats.Scale(1+gamma, row)", "floats.Scale(1-gamma, row)"),

    ("unhinged/etf/spread.go", "const lastScale = 1 << 16", "const lastScale = 64"),
    ("unhinged/etf/spread.go", "[]float64{64, 1, 16}", "[]float64{16, 1, 4}"),
    ("unhinged/etf/spread.go", "[]float64{64, 1, 16}", "[]float64{64, 64, 64}"),
    ("unhinged/etf/spread.go", "range starts(p, c)", "range min(1, starts(p, c))"),
    ("unhinged/etf/spread.go", "largest < smallest", "largest < smallest || start > 0"),
    ("unhinged/etf/spread.go", "smallest <= bound(p, c)+1e-6", "smallest <= bound(p, c)+0.4"),
    ("unhinged/etf/spread.go", "PCG(seed, 0)", "PCG(1, 0)"),
    ("unhinged/etf/spread.go", "gj.AddScaledVec(gj, -mat.Dot(gj, mj), mj)", "gj.AddScaledVec(gj, 0, mj)"),
    ("unhinged/etf/simplex.go", "if p < c-1 {", "if p < c {"),

    ("unhinged/paper/numeric/linear.go", '"accuracy": t.Accuracy,', '"accuracy": ones(t.Accuracy),'),
    ("unhinged/paper/numeric/fig9.go", "if with[i] < without[i] {", "if true {"),
    ("unhinged/paper/numeric/fig9.go", "falls = math.Max(falls, (norm[i-1]-norm[i])/norm[i])", "falls = 0 * norm[i]"),
    ("unhinged/paper/numeric/fig9.go", "if log[i-1] < -2 && (log[i]", "if log[i-1] < -200 && (log[i]"),
    ("unhinged/paper/numeric/fig9.go", "math.Max(0, norm[len(norm)-1]/norm[0]-dynamics.GrowthBound)", "0 * norm[0]"),
    ("unhinged/paper/numeric/claims.go", "if after < before {", "if after != before {"),
    ("unhinged/paper/numeric/claims.go", "a.last(result.Log10(series)), b.last(result.Log10(series))", "a.last(series), b.last(series)"),
    ("unhinged/paper/numeric/claims.go", "r.claim(s, text, spread, 0, 1e-9)", "r.claim(s, text, spread, 0, 1e9)"),
    ("unhinged/paper/numeric/claims.go", "if off > furthest || math.IsNaN(off) {", "if off < furthest || furthest < 0 {"),
    ("unhinged/paper/numeric/claims.go", "m.tolerance = 1e-6 * math.Abs(m.expected)", "m.tolerance = math.Abs(m.expected)"),
    ("unhinged/paper/numeric/claims.go", "m.tolerance = 1e-6 * math.Abs(approach)", "m.tolerance = 1 + math.Abs(approach)"),
    ("unhinged/paper/numeric/claims.go", "if reason := outside(c); reason != \"\" {", "if false {\n\t\t\treason := \"\""),
    ("unhinged/paper/numeric/fig1.go", "if !r.inRange(c.gamma) {\n\t\t\tcontinue", "if c.gamma != r.balanced() {\n\t\t\tcontinue"),
    ("unhinged/paper/numeric/fig1.go", "d < smallest {", "d < smallest || c.gamma == r.balanced() {"),
    ("unhinged/paper/numeric/fig1.go", "math.Sqrt2, 1e-3)", "math.Sqrt2, 2)"),
    ("unhinged/paper/numeric/fig1.go", "late == 1/float64(r.c)", "late < 1"),
    ("unhinged/paper/numeric/fig4.go", "r.claim(convergesToP, text, gap, 0, 1e-9)", "r.claim(convergesToP, text, gap, 0, 1e9)"),
    ("unhinged/paper/numeric/fig4.go", '"E26", gap <= 1e-9', '"E26", true'),
    ("unhinged/paper/numeric/fig5to8.go", "math.Abs(halved-read) <= tolerance", "true"),
    ("unhinged/paper/numeric/fig15.go", "plain.Verdict == result.Holds", "true"),
    ("unhinged/paper/studies/theorem8.go", 'CorrectedBy("E7", own < small)', 'CorrectedBy("E7", true)'),
    ("unhinged/paper/studies/theorem8.go", "math.Min(3*standardError, half)", "1"),
    ("unhinged/paper/studies/theorem8.go", "off, 0, 1e-10)", "off, 0, 1)"),
    ("unhinged/paper/studies/kernels.go", "slope, -0.5, 3*sd)", "slope, -0.5, 1)"),
    ("unhinged/errata/claims.go", "right.Verdict == result.Holds", "true"),
]

# Functions that a changed line may need.
HELPERS = {"ones(": "\nfunc ones(s []float64) result.Series { return slices.Repeat(result.Series{1}, len(s)) }\n"}


def go_test(package, *flags):
    return subprocess.run(["go", "test", "-count=1", "-failfast", *flags, "./" + package], capture_output=True, text=True)


def main():
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    mutants = [m for m in MUTANTS if part in m[0]]
    passed = failed = 0
    for package in sorted({str(pathlib.Path(m[0]).parent) for m in mutants}):
        run = go_test(package)
        if run.returncode:
            print(f"FAIL {package} without any change\n{run.stdout}{run.stderr}")
            failed += 1
    if not failed:
        with tempfile.TemporaryDirectory() as folder:
            for path, old, new in mutants:
                what = f"{path}: {' '.join(old.split())} -> {' '.join(new.split())}"
                source = pathlib.Path(path).read_text()
                if source.count(old) != 1:
                    print(f"FAIL {what}: stands there {source.count(old)} times: bring the list up to date")
                    failed += 1
                    continue
                changed, overlay = pathlib.Path(folder, "changed.go"), pathlib.Path(folder, "overlay.json")
                source = source.replace(old, new)
                for helper, text in HELPERS.items():
                    if helper in new:
                        source = source.replace('import (\n', 'import (\n\t"slices"\n') + text
                changed.write_text(source)
                overlay.write_text(json.dumps({"Replace": {str(pathlib.Path(path).resolve()): str(changed)}}))
                run = go_test(str(pathlib.Path(path).parent), "-overlay", str(overlay))
                if "build failed" in run.stdout or "setup failed" in run.stdout:
                    print(f"FAIL {what}: does not build\n{run.stdout}{run.stderr}")
                elif run.returncode == 0:
                    print(f"FAIL {what}: all tests pass")
                else:
                    print(f"ok   {what}", flush=True)
                    passed += 1
                    continue
                failed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
