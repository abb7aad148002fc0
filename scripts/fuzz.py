#!/usr/bin/env python3
"""fuzz.py [SECONDS]: runs every fuzz target for SECONDS seconds (default 3), and ends with "N passed, N failed, N skipped".

Minimising is kept short: with Go's default of a minute, a target with large inputs does a handful of executions in a minute.
A failing input is left by go in the package's testdata/fuzz; it is a test from then on.
"""
import pathlib
import re
import subprocess
import sys

seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
root = pathlib.Path(__file__).resolve().parent.parent
passed = failed = 0
for file in sorted(root.glob("**/*_test.go")):
    if ".lab" in file.parts:
        continue
    for target in re.findall(r"^func (Fuzz\w+)\(", file.read_text(), re.M):
        package = "./" + str(file.parent.relative_to(root))
        run = subprocess.run(
            ["go", "test", "-run", "^$", "-fuzz", f"^{target}$", "-fuzztime", f"{seconds}s", "-fuzzminimizetime", "20x", package],
            cwd=root, capture_output=True, text=True)
        executions = re.findall(r"execs: (\d+)", run.stdout)
        if run.returncode:
            failed += 1
            print(f"FAIL {package} {target}\n{run.stdout}{run.stderr}", flush=True)
        else:
            passed += 1
            print(f"ok   {package} {target}: {executions[-1] if executions else 0} executions", flush=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)
