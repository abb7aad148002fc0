#!/usr/bin/env python3
"""nblint.py NOTEBOOK...: lists the notebooks that do not use the project's kernel, or that were saved without outputs or with a failure; that do
not end with an answer; and long cells that are not folded.

The answer is the first thing that the cell after the heading "## Answer" prints, before any table, and begins with "Answer". A cell of more than 25 lines is folded, in
JupyterLab and on the site, unless it is the formula of its notebook and has the tag "formula"."""
import pathlib
import re
import sys

import nbformat

LONG = 25  # lines
FOLDED = {"source_hidden": True}  # in JupyterLab; on the site the tag hide-input does it


def answer(nb):
    """The first line that the cell after the answer's heading prints, or None."""
    heading = next((i for i, c in enumerate(nb.cells) if c.cell_type == "markdown" and re.search(r"^## Answer\b", c.source, re.M)), len(nb.cells))
    cell = next((c for c in nb.cells[heading:] if c.cell_type == "code"), None)
    if cell and cell.outputs and cell.outputs[0].get("name") == "stdout":
        return cell.outputs[0].text.partition("\n")[0]


for path in map(pathlib.Path, sys.argv[1:]):
    if not path.exists():  # no notebook at all: the shell's pattern itself
        continue
    nb = nbformat.read(path, 4)
    cells = [c for c in nb.cells if c.cell_type == "code"]
    if nb.metadata.get("kernelspec", {}).get("name") != "unhinged":
        print(f'{path}: its kernel is not "unhinged"')
    if cells and not any(c.outputs for c in cells):
        print(f"{path}: no outputs: make notebooks-save")
    if not (answer(nb) or "").startswith("Answer"):
        print(f'{path}: after a heading "## Answer" no cell prints first a sentence that begins with "Answer"')
    for number, cell in enumerate(cells, 1):
        tags = cell.metadata.get("tags", [])
        if len(cell.source.split("\n")) > LONG and "formula" not in tags and not (cell.metadata.get("jupyter") == FOLDED and "hide-input" in tags):
            print(f'{path}: code cell {number} has more than {LONG} lines: fold it (metadata {{"jupyter": {{"source_hidden": true}}}}, tag "hide-input")')
        text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
        if any(o.output_type == "error" for o in cell.outputs) or "exit status" in text or "panic:" in text:
            print(f"{path}: code cell {number} failed in its saved output")
