"""Sphinx's settings of the site, whose pages scripts/site.py writes."""
import mathml  # scripts/mathml.py, beside scripts/site.py
from docutils import nodes

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


def inline(self, node):
    self.body.append(mathml.convert(node.astext()))
    raise nodes.SkipNode


def block(self, node):
    math, number = mathml.displayed(node.astext(), "<span>(%s)</span>")
    self.body.append(f'<div class="formula">{math}{number}</div>')
    raise nodes.SkipNode


def setup(app):
    """Formulas become MathML, which browsers draw without a script and without a network."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
