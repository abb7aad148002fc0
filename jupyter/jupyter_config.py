"""Settings of all Jupyter programs: HTML that is exported, by JupyterLab and by `jupyter nbconvert`, has its formulas as MathML, which browsers draw
without a script and without a network, and folds the code that JupyterLab folds (templates/unhinged)."""
import pathlib
import re
import sys

from nbconvert.filters.markdown_mistune import IPythonRenderer

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
from mathml import convert  # noqa: E402

IPythonRenderer.inline_math = lambda self, body: convert(body)


def displayed(formula):
    """A formula on a line of its own, with its number, if it has one, at the right."""
    number = re.search(r"\\tag\{(.*?)\}", formula)
    shown = f'<span style="float:right">({number[1]})</span>' if number else ""
    return shown + convert(re.sub(r"\\tag\{.*?\}", "", formula), display="block")


IPythonRenderer.block_math = IPythonRenderer.multiline_math = lambda self, body: displayed(body.strip("$ \n"))
IPythonRenderer.latex_environment = lambda self, name, body: displayed(rf"\begin{{{name}}}{body}\end{{{name}}}")
c = get_config()  # noqa: F821 (Jupyter defines it)
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = "data:text/javascript,"  # no script from a network
c.HTMLExporter.extra_template_basedirs = [str(HERE / "templates")]
c.HTMLExporter.template_name = "unhinged"
