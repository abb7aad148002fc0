"""Broken notebooks must fail nbcheck, sound ones pass and save: .lab/venv/bin/python -m unittest discover -s scripts -p '*_test.py'"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import nbformat.v4 as v4
import nbformat

NBCHECK = pathlib.Path(__file__).with_name("nbcheck.py")


def notebook(path, *cells):
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(c) for c in cells]), path)
    return path


def nbcheck(*args):
    done = subprocess.run([sys.executable, NBCHECK, *map(str, args)], capture_output=True, text=True)
    return done.returncode, done.stdout


class NotebookCheck(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="nb check ")  # with spaces, as a user's folder may have
        self.addCleanup(tmp.cleanup)
        self.path = pathlib.Path(tmp.name) / "notebook.ipynb"

    def assertFails(self, expect, *cells):
        code, out = nbcheck("--timeout", "60", "--save", notebook(self.path, *cells))
        self.assertEqual(code, 1, out)
        self.assertIn(f"code cell {len(cells)}: ", out)
        self.assertIn(expect, out)
        self.assertIn("0 passed, 1 failed", out)
        self.assertFalse(any(c.outputs for c in nbformat.read(self.path, 4).cells), "a failed notebook was saved")

    def test_panic(self):
        self.assertFails("broken on purpose", '%%\nfmt.Println("first")', '%%\npanic("broken on purpose")')

    def test_exit_status(self):
        self.assertFails("exit status 3", "%%\nos.Exit(3)")

    def test_compile_error(self):
        self.assertFails("undefined: missing", "%%\nfmt.Println(missing)")

    def test_failing_test(self):
        self.assertFails("two is not one", '%test\nfunc TestNumbers(t *testing.T) { t.Error("two is not one") }')

    def test_signal(self):
        self.assertFails("signal: killed", "%%\nmust.M(syscall.Kill(os.Getpid(), syscall.SIGKILL))")

    def test_timeout(self):
        code, out = nbcheck("--timeout", "5", notebook(self.path, "%%\nfor { time.Sleep(time.Second) }"))
        self.assertEqual(code, 1, out)
        self.assertIn("code cell 1: still running after 5 s", out)

    def test_one_of_two_fails(self):
        sound = notebook(self.path.with_name("sound.ipynb"), '%%\nfmt.Println("sound")')
        code, out = nbcheck(notebook(self.path, "%%\nos.Exit(1)"), sound)
        self.assertEqual(code, 1, out)
        self.assertIn("1 passed, 1 failed", out)

    def test_saves(self):
        svg = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
        notebook(self.path,
                 'import "github.com/janpfeifer/gonb/gonbui"\n%%\nfmt.Fprintln(os.Stderr, "exit status 1 is only said")\n'
                 f'fmt.Println("sound")\ngonbui.DisplaySVG(`{svg}`)\ngonbui.Sync()',
                 'import "github.com/janpfeifer/gonb/gonbui/dom"\n%%\ndom.CreateTransientDiv()\ngonbui.Sync()')
        code, out = nbcheck("--save", self.path)
        self.assertEqual(code, 0, out)
        first = self.path.read_text()
        shown, widget = nbformat.reads(first, 4).cells
        self.assertIn("sound\n", "".join(o.get("text", "") for o in shown.outputs))
        self.assertTrue(any(svg in o.get("data", {}).get("text/html", "") for o in shown.outputs), shown.outputs)
        self.assertEqual(widget.outputs, [])
        code, out = nbcheck("--save", self.path)
        self.assertEqual(code, 0, out)
        self.assertEqual(self.path.read_text(), first, "a second run changes the saved notebook")

    def test_fresh(self):
        notebook(self.path, '%%\nfmt.Println("loss", 1.25)')
        self.assertEqual(nbcheck("--save", self.path)[0], 0)
        code, out = nbcheck("--fresh", self.path)
        self.assertEqual(code, 0, out)
        saved = self.path.read_text()
        self.assertIn("loss 1.25", saved)
        self.path.write_text(saved.replace("loss 1.25", "loss 1.35"))
        code, out = nbcheck("--fresh", self.path)
        self.assertEqual(code, 1, out)
        self.assertIn("code cell 1, stdout: committed 1.35, now 1.25", out)
        self.assertIn("loss 1.35", self.path.read_text(), "--fresh wrote the notebook")

    def test_refuses_large_outputs(self):
        code, out = nbcheck("--save", notebook(self.path, '%%\nfmt.Println(strings.Repeat("x", 1_100_000))'))
        self.assertEqual(code, 1, out)
        self.assertIn("more than 1000000: not saved", out)


if __name__ == "__main__":
    unittest.main()
