#!/usr/bin/env python3
"""Builds the site, static and offline, into a folder: the explorer, every figure and table, the claim ledger, errata, notebooks, the packages'
documentation.

    .lab/site-venv/bin/python scripts/site.py [--sample] [FOLDER]      (default: site; `make site` sets the Python up)

--sample builds every kind of page, but few of each kind and into .lab/site-sample: a quick test of the site.
"""
import argparse
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

import explorer
from sphinx.cmd.build import main as sphinx

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / ".lab/site"
LIMIT = 30_000_000  # bytes of the whole site
SCENES = {"02": "unconstrained", "03": "regularised", "04": "anchored", "05": "spherical", "10": "theorem8", "16": "unequal"}
TEXTS = {"performance": "docs/performance.md", "reliability": "docs/reliability.md", "architecture": "docs/architecture.md",
         "scale": "docs/scale.md", "errata": "ERRATA.md", "changelog": "CHANGELOG.md"}


SAMPLE = ["fig1", "table1", "table3", "01", "02", "16", "17", "plots", "unhinged/dynamics"]  # figures, notebooks that link to each other, packages
sample = False


def wanted(name):
    return not sample or name in SAMPLE


def unhinged(*args):
    return subprocess.run(["go", "run", "./cmd/unhinged", *args], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def page(name, text):
    path = WORK / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def scene(name, up=""):
    return f'```{{raw}} html\n<iframe class="scene" title="Explorer" loading="lazy" src="{up}explorer/index.html#{name}"></iframe>\n```\n'


def table(columns, rows, kind=""):
    cell = lambda tag, text: f"<{tag}>{html.escape(text)}</{tag}>"
    lines = ["<tr>" + "".join(cell("th", c) for c in columns) + "</tr>"]
    lines += ["<tr>" + "".join(cell("td", c) for c in row) + "</tr>" for row in rows]
    return '```{raw} html\n<div class="wide">' + f'<table class="{kind}">' + "\n".join(lines) + "</table></div>\n```\n"


def curves_table(figure):
    """The numbers of a table that is drawn as curves: a row a panel, a column a curve, with its values in order."""
    def values(panel, curve):
        shown = curve["series"].get(panel["y"], []) if curve["name"] in (panel.get("curves") or [curve["name"]]) else []
        return " → ".join("–" if v is None else f"{v:.4g}" for v in shown)
    curves = figure["curves"]
    rows = [[p["title"], *(values(p, c) for c in curves)] for p in figure["panels"]]
    order = figure["panels"][0].get("xlabel", "")
    return table(["measure", *(c["name"] for c in curves)], rows, "numbers") + (f"Values are in the order of: {order}.\n" if order else "")


def figures():
    """A page a figure, table and study, and one that lists them."""
    made = WORK / "made"
    unhinged("figures", *(["fig1"] if sample else []), "--out", str(made))
    listed = [line.split(None, 1) for line in unhinged("figures", "--list").splitlines()]
    recorded = [i for i, rest in listed if "needs recorded runs" in rest or i == "table1"]
    for i in filter(wanted, recorded):  # one without runs is passed over
        subprocess.run(["go", "run", "./cmd/unhinged", "figures", i, "--out", str(made)], cwd=ROOT, capture_output=True)
    unhinged("figures", "errata", "--out", str(made))
    for name in ("theorem8", "drift"):
        for kind in ("json", "svg"):
            shutil.copy(ROOT / f"results/networks/{name}.{kind}", made)
    index = ["# Figures, tables and studies\n", "Published and our own numbers side by side, and a verdict on each sentence.\n"]
    pages = []
    for i, rest in listed:
        source = made / f"{i}.json"
        title, rest = rest.removeprefix("section").strip().split(None, 1)[1].split("; ", 1)
        if not source.exists():
            index.append(f"- **{title}**: {rest}")
            continue
        figure = json.loads(source.read_text())
        text = [f"# {figure['title']}\n"]
        if i.startswith("table") and "table" not in figure:
            text.append(curves_table(figure))
        if t := figure.get("table"):
            text += [table(t["columns"], t["rows"], "numbers"), t.get("note", "") + "\n"]
        if settings := {k: v for k, v in figure["settings"].items() if v not in ("", None)}:
            shown = [[k if len(k) > 1 else f"({k})" if i.startswith("table") else k, v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)]
                     for k, v in settings.items()]
            text += ["**Settings**\n", table(["name", "value"], shown)]
        if (made / f"{i}.svg").exists():
            shutil.copy(made / f"{i}.svg", WORK / "extra" / f"{i}.svg")
            text.append(f'```{{raw}} html\n<figure class="picture"><a href="../{i}.svg"><img src="../{i}.svg" alt="{html.escape(figure["title"])}"></a></figure>\n```\n')
        if (claims := figure.get("claims")) and i != "errata":  # whose table has them
            text.append("## Sentences\n")
            text.append(table(["verdict", "sentence", "measured", "erratum"],
                              [[c["verdict"], c["claim"], "" if c["measured"] is None else f"{c['measured']:.4g}", c.get("erratum", "")] for c in claims]))
        text.append(f"`unhinged figures {i}` makes this page's content.\n")
        page(f"figures/{i}", "\n".join(text))
        index.append(f"- [{title}](figures/{i}.md)")
        pages.append(f"figures/{i}")
    page("figures", "\n".join(index) + "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n")


def linked(text):
    """Escaped text in which figures and notebooks link to their pages, and errata to theirs."""
    def notebook(found):
        there = [p.stem for p in (ROOT / "notebooks").glob(f"{found[1]}-*.ipynb") if wanted(found[1])]
        return f'<a href="notebooks/{there[0]}.html">{found[0]}</a>' if there else found[0]

    def figure(found):
        return f'<a href="figures/{found[1]}.html">{found[0]}</a>' if (WORK / f"figures/{found[1]}.md").exists() else found[0]
    text = re.sub(r"unhinged figures ([a-z0-9-]+)", figure, html.escape(text))
    text = re.sub(r"notebook (\d\d)", notebook, text)
    text = re.sub(r"\bE\d+\b", r'<a href="errata.html#\g<0>">\g<0></a>', text)
    return text.replace("ERRATA.md", '<a href="errata.html">ERRATA.md</a>')


def claims():
    path = WORK / "claims.json"
    (WORK / "made/counts.txt").write_text(unhinged("claims", "--json", str(path)).strip().splitlines()[-1])
    path.write_text(path.read_text().replace(f"{ROOT}/", ""))  # folders are named from the checkout
    entries = json.loads(path.read_text())
    shutil.copy(path, WORK / "extra/claims.json")
    option = lambda key: "".join(f"<option>{html.escape(v)}</option>" for v in dict.fromkeys(e[key] for e in entries))
    rows = "".join(f'<tr data-section="{e["section"]}" data-verdict="{e["verdict"]}"><td>{e["section"]}</td><td>{html.escape(e["claim"])}</td>'
                   f'<td>{e["verdict"]}</td><td>{linked(e.get("erratum") or "")}</td><td>{linked(e.get("evidence") or "")}</td></tr>\n' for e in entries)
    page("claims", f"""# The claim ledger

Every checkable sentence of the paper, with its check. 

```{{raw}} html
<p><a href="claims.json">The same as JSON</a></p>
<form class="claims-filter"><label>Words <input name="words" type="search"></label>
<label>Section <select name="section"><option value="">all</option>{option("section")}</select></label>
<label>Verdict <select name="verdict"><option value="">all</option>{option("verdict")}</select></label><output></output></form>
<div class="wide"><table class="claims"><thead><tr><th>section</th><th>claim</th><th>verdict</th><th>erratum</th><th>evidence</th></tr></thead>
<tbody>{rows}</tbody></table></div>
```
""")


def notebooks():
    names = []
    (WORK / "notebooks").mkdir()
    for path in sorted(p for p in (ROOT / "notebooks").glob("*.ipynb") if wanted(p.name[:2])):
        book = json.loads(path.read_text())
        if name := SCENES.get(path.name[:2]):
            live = "## Live\n\nThe same theory, computed in this page.\n\n" + scene(name, "../")
            book["cells"].append({"cell_type": "markdown", "metadata": {}, "source": live, **({"id": "live"} if book["nbformat_minor"] > 4 else {})})
        for cell in book["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = "".join(cell["source"]).replace("../ERRATA.md", "../errata.md")
        book["metadata"].setdefault("language_info", {"name": "go"})["pygments_lexer"] = "go"
        (WORK / "notebooks" / path.name).write_text(json.dumps(book))
        names.append(f"notebooks/{path.stem}")
    page("notebooks", "# Notebooks\n\nWith their outputs. `make lab` opens them in JupyterLab, where their sliders move.\n\n```{toctree}\n:maxdepth: 1\n\n" +
         "\n".join(names) + "\n```\n")


def symbols(text):
    """What go doc prints of a package, with a heading for each section and each symbol, so that all of them can be linked."""
    named = {"CONSTANTS": "Constants", "VARIABLES": "Variables", "FUNCTIONS": "Functions", "TYPES": "Types"}
    blocks = [[None, []]]
    for line in text.splitlines():
        if line in named:
            blocks += [["## " + named[line], []]]
        elif len(blocks) > 1 and (found := re.match(r"(?:func|type|const|var) (?:\(\w* ?\*?(\w+)[^)]*\) )?(\w*)", line)):
            blocks += [["### " + ".".join(filter(None, found.groups())), [line]]]
        else:
            blocks[-1][1].append(line)
    pages = []
    for heading, lines in blocks:
        body = "\n".join(lines).strip("\n")
        if heading == "### ":  # a group, which has the name of its first member
            heading += re.search(r"^\t(\w+)", body, re.M)[1]
        pages += ([heading] if heading else []) + ([f"````text\n{body}\n````"] if body else [])
    return "\n\n".join(pages) + "\n"


def packages():
    listed = subprocess.run(["go", "list", "./..."], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    names = []
    for package in listed:
        short = package.split("/lab/")[-1]
        if "internal" in short or short.startswith(("cmd", "tools", "web")) or package == short or not wanted(short):
            continue
        text = subprocess.run(["go", "doc", "-all", package], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        page(f"api/{short.replace('/', '-')}", f"# {short}\n\n`import \"{package}\"`\n\n{symbols(text)}")
        names.append(f"api/{short.replace('/', '-')}")
    page("api", "# Go packages\n\n```{toctree}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n")


def front():
    counts = (WORK / "made/counts.txt").read_text()
    made = []
    for name, path in TEXTS.items():
        if (ROOT / path).exists():
            text = (ROOT / path).read_text()
            # Files of the checkout have no page here.
            text = re.sub(r"\[([^\]]+)\]\((?!https?:|#)[^)]*\)", r"\1", text)
            if name == "errata":
                text = re.sub(r"^\| (E\d+) \|", r'| <span id="\1"></span>\1 |', text, flags=re.M)
                text += "\n[Each erratum that a computation can show, beside brute force](figures/errata.md).\n"
            page(name, text)
            made.append(name)
    alone = '<p><a href="explorer/index.html">The explorer on a page of its own</a>, where it has the width of the window.</p>'
    page("explorer", f"# Explorer\n\n```{{raw}} html\n{alone}\n```\n\n" + scene("unconstrained"))
    page("index", f"""# Unhinged Lab

The theory and the experiments of *On the Dynamics Under the Unhinged Loss and Beyond* (JMLR 24, 23-0771): a Go library, a command, and notebooks that run.
The loss is linear in the logits, so that gradient flow of the last layer can be solved exactly. Every theorem is checked against brute force, every [figure and
table](figures.md) is made by a command, and every sentence has [a verdict](claims.md). The [notebooks](notebooks.md) run in JupyterLab, the [errata](errata.md)
are demonstrated, and the [explorer](explorer.md) needs nothing but this page.

{counts}

{scene("unconstrained")}

```{{toctree}}
:hidden:

explorer
figures
claims
notebooks
api
{chr(10).join(made)}
```
""")


def dead_links(site):
    """Links to files that are not there, and to places that their pages do not have."""
    pages = {path: path.read_text(errors="replace") for path in site.rglob("*.html")}
    places = {path: {html.unescape(i) for i in re.findall(r' id="([^"]*)"', text)} for path, text in pages.items()}
    dead = []
    for path, text in pages.items():
        for link, place in re.findall(r'(?:href|src)="([^"#?]*)[^"#]*(?:#([^"]*))?"', text):
            if re.match(r"[a-z]+:|//", link) or link.endswith("explorer/index.html") and (path.parent / link).exists():
                continue  # the explorer's places are its states
            to = (path.parent / html.unescape(link)).resolve() if link else path
            at = urllib.parse.unquote(html.unescape(place))
            if not to.exists() or at and to in places and at not in places[to]:
                dead.append(f"{path.relative_to(site)} -> {link}{'#' + place if place else ''}")
    return sorted(set(dead))


def main():
    global sample
    args = argparse.ArgumentParser(description="Builds the site.")
    args.add_argument("folder", nargs="?", type=pathlib.Path, metavar="FOLDER")
    args.add_argument("--sample", action="store_true", help="few pages of every kind: a quick test")
    args = args.parse_args()
    sample = args.sample
    site = (args.folder or ROOT / (".lab/site-sample" if sample else "site")).resolve()
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "extra").mkdir(parents=True)
    shutil.copytree(ROOT / "web/site", WORK / "static", ignore=shutil.ignore_patterns("*.py"))
    shutil.copy(ROOT / "web/site/conf.py", WORK)
    for step in (figures, claims, notebooks, packages, front):
        print(f"site: {step.__name__}", file=sys.stderr)
        step()
    explorer.build(WORK / "extra/explorer")
    built = WORK / "made/html"  # MyST-NB also writes a folder beside it
    if code := sphinx(["-q", "-W", "--keep-going", "-d", str(WORK / "made/doctrees"), str(WORK), str(built)]):
        sys.exit(code)
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(built, site)
    table3 = (site / "figures/table3.html").read_text()
    assert "<td>Paper: " in table3 and "<td>Ours " in table3, "the page of table 3 does not have the paper's numbers and our own"
    size = sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    dead = dead_links(site)
    print(f"{site / 'index.html'}: {size / 1e6:.1f} MB, {len(dead)} dead links")
    if dead or size > LIMIT:
        sys.exit("\n".join(dead) or f"the site is larger than {LIMIT / 1e6} MB")


main()
