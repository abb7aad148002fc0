"""HTML exported from a notebook shows its formulas without a network, Go as Go, and folds what the notebook folds."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent


def export(notebook):
    env = os.environ | {"JUPYTER_CONFIG_PATH": str(ROOT / "jupyter")}
    done = subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(notebook)], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Export(unittest.TestCase):
    def test_notebooks(self):
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))[::5]:
            html = export(path)
            nb = nbformat.read(path, 4)
            prose = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
            displayed = len(re.findall(r"\$\$.+?\$\$", prose, re.S))
            inline = len(re.findall(r"\$[^$]+\$", re.sub(r"\$\$.+?\$\$", "", prose, flags=re.S)))
            self.assertEqual((html.count('display="block"'), html.count("<math")), (displayed, displayed + inline), path)
            self.assertFalse(re.findall(r'<(?:script|link)[^>]*(?:src|href)="https?:[^"]*', html), path)
            self.assertIn("hl-go", html)
            folded = sum(c.cell_type == "code" and bool(c.metadata.get("jupyter", {}).get("source_hidden")) for c in nb.cells)
            self.assertEqual(html.count("<details><summary>Code</summary>"), folded, path)
            self.assertRegex(html, r'<span class="k\w*">(func|for|if|import|return)</span>')


if __name__ == "__main__":
    unittest.main()
