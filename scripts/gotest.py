#!/usr/bin/env python3
"""gotest.py ARGS...: runs `go test -json ARGS...`, shows the output of failures, and ends with "N passed, N failed, N skipped".

At least four packages are tested at a time: XLA's compiler, which takes most of the time, often uses one core only.
"""
import json
import os
import subprocess
import sys

count = {"pass": 0, "fail": 0, "skip": 0}
explained = set()  # packages that failed because a test did
output = {}  # output of each test that has not passed, and of each package
with subprocess.Popen(["go", "test", "-json", f"-p={max(4, os.cpu_count() or 1)}", *sys.argv[1:]], stdout=subprocess.PIPE, text=True) as go:
    for line in go.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="")
            continue
        action, package, test = event["Action"], event.get("Package", event.get("ImportPath")), event.get("Test")
        lines = output.setdefault((package, test), [])
        if action in ("output", "build-output"):
            lines.append(event["Output"])
        elif action == "build-fail" or action == "fail" or action == "skip" and test:
            print("".join(lines), end="", flush=True)
        if action in count and test:
            count[action] += 1
            if action == "fail":
                explained.add(package)
            del output[package, test]
        elif action == "pass":
            print(f"ok   {package} ({event['Elapsed']:.1f} s)", flush=True)
        elif action == "fail":
            count["fail"] += package not in explained  # the package does not build, or failed outside of a test
            print(f"FAIL {package}", flush=True)
if go.returncode and not count["fail"]:
    count["fail"] = 1  # the go command itself failed
print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
sys.exit(go.returncode)
