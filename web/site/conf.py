"""Sphinx's settings of the site, whose pages scripts/site.py writes."""
import re
import xml.etree.ElementTree as xml

from docutils import nodes
from latex2mathml import converter

project = "Unhinged Lab"
author = "Unhinged Lab"
html_show_copyright = False
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "image/svg+xml", 0), ("html", "text/html", 1)]
html_theme = "furo"
html_title = "Unhinged Lab"
html_extra_path = ["extra"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
exclude_patterns = ["extra", "made", "static"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "misc.highlighting_failure"]
html_math_renderer = "mathml"


MATHML = "http://www.w3.org/1998/Math/MathML"
PRIMES = "′″‴⁗"
xml.register_namespace("", MATHML)
TAG = re.compile(r"\\tag\{(.*?)\}")  # the number of an equation


def convert(formula, display="inline"):
    """A formula as MathML. latex2mathml writes a prime as a superscript, but the sign is small and raised by itself: raised twice, nobody can
    read it. It becomes a part of what it stands at."""
    # latex2mathml does not know "aligned", and would show its "&".
    math = xml.fromstring(converter.convert(formula.replace("{aligned}", "{align*}"), display=display))
    name = lambda kind: f"{{{MATHML}}}{kind}"
    is_prime = lambda node: node.text and node.text in PRIMES
    for node in [*math.iter(name("msup")), *math.iter(name("msubsup"))]:
        above = node[-1]  # a prime, or a row of a prime and more
        prime = above if is_prime(above) else above[0] if len(above) and is_prime(above[0]) else None
        if prime is None:
            continue
        base = xml.Element(name("mrow"))
        base.append(node[0])
        xml.SubElement(base, name("mo"), lspace="0", rspace="0").text = prime.text
        node[0] = base
        if prime is not above:
            above.remove(prime)
            continue
        node.remove(above)
        node.tag = name("msub" if len(node) == 2 else "mrow")
    return xml.tostring(math, encoding="unicode")


def inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(self, node):
    formula, number = TAG.sub("", node.astext()), TAG.search(node.astext())
    shown = f"<span>({number[1]})</span>" if number else ""
    self.body.append(f'<div class="formula">{convert(formula, display="block")}{shown}</div>')
    raise nodes.SkipNode


def setup(app):
    """Formulas become MathML, which browsers draw without a script and without a network."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
