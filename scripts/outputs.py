"""The outputs of a notebook's cells: what is kept of them, and whether those of a new run are the committed ones.

Words and whole numbers must be the same. Numbers with a decimal point or an exponent may differ by one unit of their last digit, and those below
1e-12 count as zero. The same holds for the texts in an SVG; its coordinates may differ by 0.2 points. The tags of a cell allow more:

    timed      numbers before a unit of time or of memory are not compared
    rounding   the cell shows rounding errors, which differ among processors: numbers are not compared, and of pictures only the words
    varies=R   the cell trains a network: numbers may differ by the share R of their size, and of pictures only the words are compared

A cell that says that its data set is not on this machine is not compared; nor are those after one that made up data in its place.
"""
import re

NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
MEASURE = re.compile(r"\d+(?:\.\d+)?(?= (?:ms|s|seconds?|minutes?|hours?|MiB|GiB|MB|GB)\b)")
POWER = re.compile(r"×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
TEXT = re.compile(r"<(?:text|title)\b[^>]*>([^<]*)<")
MISSING = "NOTHING IS"  # how a cell says that it does nothing, because its data set is missing
MADE_UP = "made up"  # how a cell says that it made up data, which later cells use, in place of a missing data set


def streams(cell, *names):
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name in names)


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


def contents(cell):
    """The cell's outputs as pairs of their kind and their text, in order; printed text and each form of an output by itself."""
    found = []
    for out in cell.outputs:
        if out.output_type == "stream":
            found.append((out.name, out.text.rstrip()))
        for kind, text in sorted(out.get("data", {}).items()):
            found.append((kind, (text if isinstance(text, str) else "".join(text)).rstrip()))
    return found


def split(text):
    """The words between the numbers of a text, and the numbers as they are written."""
    text = POWER.sub(lambda m: "e" + m[1].translate(DIGITS), text)
    return NUMBER.split(text), NUMBER.findall(text)


def unit(number):
    """One unit of the last digit that is written; 0 for a whole number, which is a count, and for 0e+00, which has no last digit."""
    mantissa, _, exponent = number.partition("e")
    if number.isdigit() or number[1:].isdigit() or exponent and not value(number):
        return 0.0
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def value(number):
    return float(number.replace("−", "-"))


def near(old, new, share, allowed):
    old, new = old.replace(",", ""), new.replace(",", "")
    a, b = value(old), value(new)
    allowed = max(allowed, unit(old), unit(new), share * max(abs(a), abs(b)))
    return abs(a - b) <= allowed * (1 + 1e-6)


def apart(old, new, share=0.0, allowed=1e-12, numbers=True):
    """Where two texts differ, or None."""
    (old_words, old_numbers), (new_words, new_numbers) = split(old), split(new)
    plain = lambda words: [" ".join(w.split()) for w in words]  # columns move with the length of numbers
    if plain(old_words) != plain(new_words):
        line = next(((a, b) for a, b in zip(old.split("\n"), new.split("\n")) if plain(split(a)[0]) != plain(split(b)[0])), (old, new))
        return f"committed {line[0][:200]!r}, now {line[1][:200]!r}"
    for a, b in zip(old_numbers, new_numbers, strict=True):
        if numbers and not near(a, b, share, allowed):
            return f"committed {a}, now {b}"
    return None


def difference(kind, old, new, tags):
    """How two texts of one kind differ, in a few words, or None."""
    share = next((float(t.partition("=")[2]) for t in tags if t.startswith("varies=")), 0.0)
    numbers = "rounding" not in tags
    if kind == "image/svg+xml":
        texts, now = "\n".join(TEXT.findall(old)), "\n".join(TEXT.findall(new))
        if share or not numbers:  # the labels of ticks have no words, and may be others
            texts, now = ("\n".join(t for t in both.split("\n") if re.search(r"[^\W\d]", t)) for both in (texts, now))
            return apart(texts, now, share, numbers=numbers)
        return apart(texts, now) or apart(TEXT.sub("", old), TEXT.sub("", new), allowed=0.2)
    if "timed" in tags:
        old, new = MEASURE.sub("…", old), MEASURE.sub("…", new)
    return apart(old, new, share, numbers=numbers)


def compare(old, new):
    """The differences between the outputs of a committed notebook and those of a new run, as lines of text."""
    found, number = [], 0
    for a, b in zip(old.cells, new.cells, strict=True):
        if a.cell_type != "code":
            continue
        number += 1
        says = lambda words: words in streams(b, "stdout") and words not in streams(a, "stdout")
        if says(MADE_UP):
            break
        if says(MISSING):
            continue
        before, after = contents(a), contents(b)
        if [k for k, _ in before] != [k for k, _ in after]:
            found.append(f"code cell {number}: committed outputs {[k for k, _ in before]}, now {[k for k, _ in after]}")
            continue
        tags = a.metadata.get("tags", [])
        for (kind, text), (_, now) in zip(before, after):
            if why := difference(kind, text, now, tags):
                found.append(f"code cell {number}, {kind}: {why}")
                break
    return found
