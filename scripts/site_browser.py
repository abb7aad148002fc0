#!/usr/bin/env python3
"""Opens pages of the site in headless Chromium: none is too wide, axe finds nothing serious, the ledger can be searched, table 3 has both numbers.

    .lab/venv/bin/python scripts/site_browser.py [FOLDER]      (default: site)

Leaves screenshots in .lab/browser. Closes with "N passed, N failed, N skipped".
"""
import pathlib
import re
import sys

import browser

PAGES = ["index", "explorer", "figures/table3", "claims", "notebooks/02-unconstrained"]
SHOWN = "return [...document.querySelectorAll('.claims tbody tr')].filter(r => r.offsetParent).map(r => r.textContent)"


def check(page, address):
    for name in PAGES:
        for width in (1400, 800, 390):
            page.window(width, 900)
            page.call("POST", "/url", {"url": f"{address}/{name}.html"})
            wide = page.js("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name}, {width} pixels: the page is {wide} pixels too wide"
            found = page.axe()
            assert not found, f"axe, {name}, {width} pixels: {found}"
            page.screenshot(f"site-{pathlib.Path(name).name}-{width}.png")
    print(f"axe finds nothing serious on {len(PAGES)} pages, 1400, 800 and 390 pixels wide")

    page.call("POST", "/url", {"url": f"{address}/claims.html"})
    every = page.js(SHOWN)
    page.js("""const form = document.querySelector('.claims-filter');
        form.words.value = 'etf'; form.verdict.value = 'corrected'; form.dispatchEvent(new Event('input', {bubbles: true}))""")
    found = page.js(SHOWN)
    assert 0 < len(found) < len(every) and all("etf" in row.lower() and "corrected" in row for row in found), f"of {len(every)} claims the search shows {found}"
    page.call("POST", "/url", {"url": f"{address}/figures/table3.html"})
    text = page.js("return document.body.innerText")
    assert "Paper: " in text and "Ours " in text, "table 3 lacks the paper's numbers or our own"
    named = set(re.findall(r"Ours (\([a-z]\))", text))
    explained = page.js("return [...document.querySelectorAll('td:first-child')].map(t => t.textContent)")
    assert named and named <= set(explained), f"of {sorted(named)}, these are explained: {explained}"


if not browser.left_out():
    browser.check_pages("site", pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else browser.ROOT / "site").resolve(), check)
