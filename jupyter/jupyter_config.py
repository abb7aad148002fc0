"""Settings of all Jupyter programs: HTML that is exported, by JupyterLab and by `jupyter nbconvert`, has its formulas as MathML, which browsers draw
without a script and without a network."""
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer

IPythonRenderer.inline_math = lambda self, body: convert(body)
IPythonRenderer.block_math = IPythonRenderer.multiline_math = lambda self, body: convert(body.strip("$ \n"), display="block")
IPythonRenderer.latex_environment = lambda self, name, body: convert(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")
c = get_config()  # noqa: F821 (Jupyter defines it)
c.HTMLExporter.mathjax_url = c.HTMLExporter.require_js_url = "data:text/javascript,"  # no script from a network
