"""nblint.py finds long cells that are not folded, notebooks without an answer, and outputs of failures."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import nbformat
import nbformat.v4 as v4

LONG = "\n".join(f"// line {i}" for i in range(26))


def lint(*cells, kernel="unhinged"):
    nb = v4.new_notebook(cells=list(cells), metadata={"kernelspec": {"name": kernel, "display_name": kernel}})
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "n.ipynb"
        nbformat.write(nb, path)
        script = pathlib.Path(__file__).with_name("nblint.py")
        return subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=True).stdout


def cell(source="", metadata=None, text="Answer: a sentence of prose\n", name="stdout"):
    made = v4.new_code_cell(source, metadata=metadata or {})
    if text:
        made.outputs = [v4.new_output("stream", name=name, text=text)]
    return made


class Lint(unittest.TestCase):
    answer = v4.new_markdown_cell("## Answer"), cell()

    def test_sound(self):
        folded = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
        self.assertEqual(lint(cell(LONG, folded), cell(LONG, {"tags": ["formula"]}), *self.answer), "")

    def test_faults(self):
        self.assertIn("its kernel", lint(*self.answer, kernel="python3"))
        self.assertIn("no outputs", lint(cell(text="")))
        self.assertIn("fold it", lint(cell(LONG), *self.answer))
        self.assertIn("fold it", lint(cell(LONG, {"jupyter": {"source_hidden": True}}), *self.answer))
        self.assertIn("## Answer", lint(cell()))
        self.assertIn("## Answer", lint(self.answer[0], cell(text="")))
        self.assertIn("failed in its saved output", lint(*self.answer, cell(text="exit status 1", name="stderr")))

    def test_table_before_answer(self):
        table = cell(text="")
        table.outputs = [v4.new_output("display_data", {"text/html": "<table></table>"}), v4.new_output("stream", name="stdout", text="Answer: a sentence of prose")]
        self.assertIn("## Answer", lint(self.answer[0], table))


if __name__ == "__main__":
    unittest.main()
