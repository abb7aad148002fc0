#!/usr/bin/env python3
"""nblint.py NOTEBOOK...: lists the notebooks that do not use the project's kernel, or that were saved without outputs or with a failure."""
import pathlib
import sys

import nbformat

for path in map(pathlib.Path, sys.argv[1:]):
    if not path.exists():  # no notebook at all: the shell's pattern itself
        continue
    nb = nbformat.read(path, 4)
    cells = [c for c in nb.cells if c.cell_type == "code"]
    if nb.metadata.get("kernelspec", {}).get("name") != "unhinged":
        print(f'{path}: its kernel is not "unhinged"')
    if cells and not any(c.outputs for c in cells):
        print(f"{path}: no outputs: make notebooks-save")
    for number, cell in enumerate(cells, 1):
        text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
        if any(o.output_type == "error" for o in cell.outputs) or "exit status" in text or "panic:" in text:
            print(f"{path}: code cell {number} failed in its saved output")
