"""Formulas: a prime stays at what it stands at, and lines that are aligned lose their signs "&"."""
import unittest
import xml.etree.ElementTree as xml

import mathml


def tree(formula):
    """A formula's elements by name, with their texts."""
    def of(node):
        name = node.tag.rpartition("}")[2]
        return (name, node.text) if len(node) == 0 else (name, *map(of, node))
    return of(xml.fromstring(mathml.convert(formula)))


def texts(formula):
    return "".join(xml.fromstring(mathml.convert(formula)).itertext())


class Formulas(unittest.TestCase):
    def test_primes(self):
        for formula, also in (("H'", "mrow"), ("H'^2", "msup"), ("H'_c", "msub"), ("H_c'", "msub"), ("H'^2_c", "msubsup")):
            names = str(tree(formula))
            self.assertIn("('mrow', ('mi', 'H'), ('mo', '′'))", names, formula)
            self.assertIn(f"'{also}'", names, formula)
            self.assertEqual(names.count("′"), 1, formula)
        self.assertIn("msup", str(tree("H^2")))
        self.assertNotIn("′", texts("H^2"))

    def test_double_primes(self):
        self.assertEqual(texts("H''").count("″") + texts("H''").count("′"), 1, texts("H''"))

    def test_numbers(self):
        math, number = mathml.displayed(r"H' = W M \tag{5}", "<b>(%s)</b>")
        self.assertEqual(number, "<b>(5)</b>")
        self.assertEqual(math, mathml.convert("H' = W M ", display="block"))
        self.assertEqual(mathml.displayed("H", "<b>(%s)</b>")[1], "")

    def test_aligned(self):
        formula = r"\begin{aligned} H' &= W M \\ W' &= H M^\top \end{aligned}"
        self.assertNotIn("&", texts(formula))
        self.assertIn("mtable", str(tree(formula)))


if __name__ == "__main__":
    unittest.main()
