#!/usr/bin/env python3
"""Runs notebooks on the project's kernel and checks every cell.

    .lab/venv/bin/python scripts/nbcheck.py [--save | --fresh] [--timeout SECONDS] NOTEBOOK...

GoNB answers "ok" for a cell whose program panics, exits non-zero or fails its tests: it only writes
"exit status N" (or "signal: ...") as the last line on stderr, and nbclient and nbconvert pass such a
notebook. Here such a cell fails, as one that does not compile does. --save writes the outputs back,
without what a browser or the next run would change. --fresh compares them with the committed ones
instead, within the tolerances that scripts/outputs.py states.
"""
import argparse
import copy
import html
import os
import pathlib
import re
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from outputs import clean, compare, streams

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIED = re.compile(r"^(exit status \d+|signal: .+)$")
LIMIT = 1_000_000  # bytes of a saved notebook


def died(cell):
    """How the cell's program ended, if it failed."""
    last = streams(cell, "stderr").rstrip().rpartition("\n")[2]
    return last if DIED.match(last) else None


def error_text(cell, error):
    """The message of GoNB for a compile error: text with -raw_error, HTML otherwise."""
    shown = "".join(o.data.get("text/html", "") for o in cell.outputs if o.output_type in ("display_data", "execute_result"))
    shown = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", shown, flags=re.S)).strip()
    return "\n".join(filter(None, [streams(cell, "stdout", "stderr").strip(), shown, error.evalue]))


def run(path, timeout):
    """Runs the notebook; returns it and why it failed, or None."""
    nb = nbformat.read(path, 4)
    metadata = copy.deepcopy(nb.metadata)
    client = NotebookClient(nb, timeout=timeout, kernel_name="unhinged", record_timing=False,
                            resources={"metadata": {"path": str(path.parent)}})
    number = 0
    try:
        with client.setup_kernel():
            for index, cell in enumerate(nb.cells):
                if cell.cell_type != "code":
                    continue
                number += 1
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as e:
                    return nb, f"code cell {number}: {error_text(cell, e)}"
                if how := died(cell):
                    return nb, f"code cell {number}: {how}\n{streams(cell, 'stdout', 'stderr')[-3000:]}"
    except CellTimeoutError:
        return nb, f"code cell {number}: still running after {timeout} s"
    except (DeadKernelError, RuntimeError) as e:
        return nb, f"code cell {number}: {type(e).__name__}: {e}"
    nb.metadata = metadata
    return nb, None


def stale(nb, path):
    """Why the outputs of a run are not the committed ones, or None."""
    clean(nb)
    if found := compare(nbformat.read(path, 4), nb):
        return "\n    ".join(["its outputs are not the committed ones (make notebooks-save writes them):", *found])


def save(nb, path):
    """Writes the notebook back; returns the reason if it does not, or None."""
    clean(nb)
    text = nbformat.writes(nb) + "\n"
    if len(text.encode()) > LIMIT:
        return f"{len(text.encode())} bytes with its outputs, more than {LIMIT}: not saved"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def main():
    args = argparse.ArgumentParser(description="Runs notebooks on the project's kernel and checks every cell.")
    args.add_argument("notebooks", nargs="+", type=pathlib.Path, metavar="NOTEBOOK")
    how = args.add_mutually_exclusive_group()
    how.add_argument("--save", action="store_true", help="write the outputs back into the notebooks that pass")
    how.add_argument("--fresh", action="store_true", help="fail if the outputs are not the committed ones")
    args.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="for a cell (default %(default)s)")
    args = args.parse_args()

    os.environ["JUPYTER_PATH"] = str(ROOT / "jupyter")
    os.environ["UNHINGED_GONB_FLAGS"] = "-raw_error"
    failed = 0
    for path in args.notebooks:
        start = time.monotonic()
        nb, why = run(path, args.timeout)
        if not why and args.save:
            why = save(nb, path)
        if not why and args.fresh:
            why = stale(nb, path)
        failed += bool(why)
        print(f"{'FAIL' if why else 'ok  '} {path} ({time.monotonic() - start:.1f} s) {why or ''}", flush=True)
    print(f"{len(args.notebooks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
