"""Settings of all Jupyter programs: HTML that is exported, by JupyterLab and by `jupyter nbconvert`, has its formulas as MathML, which browsers draw
without a script and without a network, and folds the code that JupyterLab folds (templates/unhinged)."""
import pathlib
import sys

from nbconvert.filters.markdown_mistune import IPythonRenderer

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
import mathml  # noqa: E402

IPythonRenderer.inline_math = lambda self, body: mathml.convert(body)


def displayed(formula):
    """A formula on a line of its own, with its number, if it has one, at the right."""
    math, number = mathml.displayed(formula, '<span style="float:right">(%s)</span>')
    return number + math


IPythonRenderer.block_math = IPythonRenderer.multiline_math = lambda self, body: displayed(body.strip("$ \n"))
IPythonRenderer.latex_environment = lambda self, name, body: displayed(rf"\begin{{{name}}}{body}\end{{{name}}}")
c = get_config()  # noqa: F821 (Jupyter defines it)
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = "data:text/javascript,"  # no script from a network
c.HTMLExporter.extra_template_basedirs = [str(HERE / "templates")]
c.HTMLExporter.template_name = "unhinged"
