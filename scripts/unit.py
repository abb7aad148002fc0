"""unit.py [FOLDER]: runs the *_test.py of a folder (default: scripts) and ends with "N passed, N failed, N skipped"."""
import pathlib
import sys
import unittest

folder = sys.argv[1] if len(sys.argv) > 1 else str(pathlib.Path(__file__).parent)
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.discover(folder, "*_test.py"))
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
sys.exit(failed > 0)
