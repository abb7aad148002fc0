#!/usr/bin/env python3
"""fuzz.py [SECONDS]: runs every fuzz target for SECONDS seconds (default 3), and ends with "N passed, N failed, N skipped".

Minimising is kept short: with Go's default of a minute, a target with large inputs does a handful of executions in a minute.
A failing input is left by go in the package's testdata/fuzz; it is a test from then on. A run that fails with "context
deadline exceeded" and without a failing input lost a race of Go's own at the end of -fuzztime (golang/go#75804, mended in
Go 1.27): such a target runs again, at most three times in all.
"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent


def raced(output: str) -> bool:
    """Whether the output of a failed run says nothing else than that Go missed its own deadline."""
    return re.findall(r"^--- FAIL: .*\n((?: .*\n)*)", output, re.M) == ["    context deadline exceeded\n"]


def fuzz(package: str, target: str, seconds: int) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["go", "test", "-run", "^$", "-fuzz", f"^{target}$", "-fuzztime", f"{seconds}s", "-fuzzminimizetime", "20x", package],
        cwd=root, capture_output=True, text=True)


def main(seconds: int) -> int:
    passed = failed = 0
    for file in sorted(root.glob("**/*_test.go")):
        if ".lab" in file.parts:
            continue
        for target in re.findall(r"^func (Fuzz\w+)\(", file.read_text(), re.M):
            package = "./" + str(file.parent.relative_to(root))
            run = fuzz(package, target, seconds)
            for _ in range(2):
                if run.returncode and raced(run.stdout):
                    print(f"     {package} {target}: Go missed its own deadline (golang/go#75804), once more", flush=True)
                    run = fuzz(package, target, seconds)
            executions = re.findall(r"execs: (\d+)", run.stdout)
            if run.returncode:
                failed += 1
                print(f"FAIL {package} {target}\n{run.stdout}{run.stderr}", flush=True)
            else:
                passed += 1
                print(f"ok   {package} {target}: {executions[-1] if executions else 0} executions", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3) > 0)
