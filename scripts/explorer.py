#!/usr/bin/env python3
"""Builds the explorer, a page with the theory compiled to WebAssembly, into a folder.

    scripts/explorer.py [FOLDER]      (default: site/explorer)

The page needs no server: index.html can be opened as a file.
"""
import base64
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What takes the time is compiled as usual, and all else to be small. Bounds are checked in the project's own packages only:
# the same code runs natively, with all checks, in its tests.
FLAGS = ["all=-l -B", "gonum.org/v1/gonum/blas/gonum=-B", "gonum.org/v1/gonum/internal/asm/f64=-B", "gonum.org/v1/gonum/floats=-B",
         "github.com/unhinged-lab/lab/...="]
LIMIT = 1_200_000  # bytes, packed, of all that the page loads


def build(folder):
    """Writes the page into the folder, and returns how many bytes it loads when all is packed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        wasm = pathlib.Path(work) / "explorer.wasm"
        subprocess.run(["go", "build", "-trimpath", *(f"-gcflags={f}" for f in FLAGS), "-ldflags=-s -w", "-o", wasm, "./web/wasm"],
                       cwd=ROOT, env=os.environ | {"GOOS": "js", "GOARCH": "wasm", "CGO_ENABLED": "0"}, check=True)
        packed = gzip.compress(wasm.read_bytes(), 9, mtime=0)
    (folder / "explorer.wasm.gz").write_bytes(packed)
    (folder / "explorer.wasm.js").write_text(f'window.unhingedWasm = "{base64.b64encode(packed).decode()}";\n')
    goroot = subprocess.run(["go", "env", "GOROOT"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(f"{goroot}/lib/wasm/wasm_exec.js", folder)
    for path in (ROOT / "web/static").iterdir():
        shutil.copy(path, folder)
    loaded = ["index.html", "explorer.css", "explorer.js", "uPlot.iife.min.js", "uPlot.min.css", "wasm_exec.js"]
    return len(packed) + sum(len(gzip.compress((folder / name).read_bytes(), 9)) for name in loaded)


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site/explorer")
    size = build(where)
    print(f"{where / 'index.html'}: {size / 1e6:.2f} MB packed")
    if size > LIMIT:
        sys.exit(f"the page loads more than {LIMIT / 1e6} MB")
