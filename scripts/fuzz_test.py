"""Only a run that failed for Go's own deadline, and for nothing else, is run again."""
import unittest

import fuzz

# What go test -fuzz printed when it lost the race, and what it prints for an input that fails.
RACED = """fuzz: elapsed: 3s, execs: 5193 (0/sec), new interesting: 1 (total: 30)
--- FAIL: FuzzPackageBatch (3.10s)
    context deadline exceeded
FAIL
exit status 1
FAIL	github.com/unhinged-lab/lab/unhinged/datasets	3.113s
"""
FAILED = """--- FAIL: FuzzRead (0.02s)
    --- FAIL: FuzzRead (0.00s)
        read_test.go:12: context deadline exceeded

    Failing input written to testdata/fuzz/FuzzRead/771e938e4458e983
    To re-run:
    go test -run=FuzzRead/771e938e4458e983
FAIL
"""


class Fuzz(unittest.TestCase):
    def test_raced(self):
        self.assertTrue(fuzz.raced(RACED))

    def test_failed(self):
        for output in (
                FAILED, RACED + FAILED, FAILED + RACED, "",
                RACED.replace("    context", "    fuzzing process hung or terminated unexpectedly: context"),
                RACED.replace("exceeded\n", "exceeded\n    Failing input written to testdata/fuzz/FuzzRead/771e938e4458e983\n")):
            self.assertFalse(fuzz.raced(output), output)


if __name__ == "__main__":
    unittest.main()
