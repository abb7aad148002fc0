#!/usr/bin/env python3
"""Runs notebooks on the project's kernel and checks every cell.

    .lab/venv/bin/python scripts/nbcheck.py [--save] [--timeout SECONDS] NOTEBOOK...

GoNB answers "ok" for a cell whose program panics, exits non-zero or fails its tests: it only writes
"exit status N" (or "signal: ...") as the last line on stderr, and nbclient and nbconvert pass such a
notebook. Here such a cell fails, as one that does not compile does. --save writes the outputs back,
without what a browser or the next run would change.
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIED = re.compile(r"^(exit status \d+|signal: .+)$")
LIMIT = 1_000_000  # bytes of a saved notebook


def streams(cell, *names):
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name in names)


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


def clean(nb):
    """Removes outputs that only a live page uses (scripts and empty containers of widgets), and joins each stream into one output."""
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        kept = []
        for out in cell.outputs:
            if out.output_type == "stream":
                if any(k.get("name") == out.name for k in kept):
                    continue
                lines = streams(cell, out.name).split("\n")
                out.text = "\n".join(line.rpartition("\r")[2] for line in lines)
            if "data" in out:
                out.data.pop("application/javascript", None)
                if not re.sub(r"<(div|span)\b[^>]*>\s*</\1>", "", out.data.get("text/html", "")).strip():
                    out.data.pop("text/html", None)
                if not out.data:
                    continue
            kept.append(out)
        # Printed text and displayed outputs come through different channels, in either order: printed text is put first.
        cell.outputs = sorted(kept, key=lambda out: ["stdout", "stderr", None].index(out.get("name")))


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
    args.add_argument("--save", action="store_true", help="write the outputs back into the notebooks that pass")
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
        failed += bool(why)
        print(f"{'FAIL' if why else 'ok  '} {path} ({time.monotonic() - start:.1f} s) {why or ''}", flush=True)
    print(f"{len(args.notebooks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
