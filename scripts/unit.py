"""Runs scripts/*_test.py and ends with "N passed, N failed, N skipped"."""
import pathlib
import sys
import unittest

tests = unittest.defaultTestLoader.discover(str(pathlib.Path(__file__).parent), "*_test.py")
result = unittest.TextTestRunner().run(tests)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
sys.exit(failed > 0)
