"""Outputs that changed are found, and those that differ within what outputs.py states are not."""
import random
import unittest

import nbformat.v4 as v4

import outputs


def book(*cells):
    """A notebook whose cells have these outputs, each a list of pairs of a kind and a text; tags are a dictionary after them."""
    made = []
    for shown, tags in cells:
        cell = v4.new_code_cell("", metadata={"tags": tags})
        cell.outputs = [v4.new_output("stream", name=kind, text=text) if kind == "stdout" else v4.new_output("display_data", {kind: text})
                        for kind, text in shown]
        made.append(cell)
    return v4.new_notebook(cells=made)


def differs(old, new, kind="stdout", tags=()):
    return outputs.compare(book(([(kind, old)], list(tags))), book(([(kind, new)], list(tags))))


class Outputs(unittest.TestCase):
    def same(self, *args, **kw):
        self.assertEqual(differs(*args, **kw), [])

    def other(self, *args, **kw):
        self.assertEqual(len(differs(*args, **kw)), 1, args)

    def test_numbers(self):
        self.same("loss 1.234, 5 of 7\n", "loss 1.234, 5 of 7")
        self.same("loss 1.234", "loss 1.235")
        self.other("loss 1.234", "loss 1.236")
        self.other("loss 1.234", "gain 1.234")
        self.other("loss 1.234", "loss −1.234")
        self.other("5 of 7", "5 of 8")
        self.other("12,345 steps", "12,347 steps")
        self.same("off by 3.1e-16", "off by 0.0e+00")
        self.other("off by 3.1e-07", "off by 0.0e+00")
        self.same("measured 2.63×10⁻¹⁴", "measured 1.1×10⁻¹⁵")
        self.other("measured 2.63×10⁻⁴", "measured 2.66×10⁻⁴")
        self.other("1 2 3", "1 2")
        self.same("true   12.0", "true 12.0")  # columns move with the length of a number
        self.other("every inequality holds: true", "every inequality holds: false")

    def test_random_numbers(self):
        """Of a number with d digits, a change by one unit of the last is not found, and one by two units is."""
        rng = random.Random(1)
        for _ in range(500):
            digits = rng.randrange(1, 6)
            x, unit = rng.uniform(-1000, 1000), 10.0 ** -digits
            write = lambda v: f"x = {v:.{digits}f} and so on"
            if (x > 0) != (x - 2 * unit > 0):  # −0 and 0
                continue
            exact = float(f"{x:.{digits}f}")
            self.same(write(exact), write(exact - unit))
            self.other(write(exact), write(exact - 2 * unit))

    def test_pictures(self):
        svg = '<svg width="100pt"><title>Loss</title><path d="M{},20L30,40"/><text x="1" y="2">{}</text></svg>'
        kind = "image/svg+xml"
        self.same(svg.format("10.1", "CE"), svg.format("10.3", "CE"), kind=kind)
        self.other(svg.format("10.1", "CE"), svg.format("10.4", "CE"), kind=kind)
        self.other(svg.format("10.1", "CE"), svg.format("10.1", "UL"), kind=kind)
        self.other(svg.format("10.1", "0.1"), svg.format("10.1", "0.3"), kind=kind)
        self.same(svg.format("10.1", "CE"), svg.format("70.4", "CE"), kind=kind, tags=["rounding"])
        self.same(svg.format("10.1", "CE"), svg.format("70.4", "CE"), kind=kind, tags=["varies=0.05"])
        self.other(svg.format("10.1", "CE"), svg.format("10.1", "UL"), kind=kind, tags=["rounding"])
        self.other(svg.format("10.1", "CE"), svg.format("10.1", "UL"), kind=kind, tags=["varies=0.05"])

    def test_tags(self):
        self.other("in 0.51 s", "in 0.76 s")
        self.same("in 0.51 s", "in 12.76 s", tags=["timed"])
        self.other("4 of 5 hold, in 0.51 s", "3 of 5 hold, in 0.51 s", tags=["timed"])
        self.other("52 steps", "76 steps", tags=["timed"])
        self.same("accuracy 0.912", "accuracy 0.901", tags=["varies=0.05"])
        self.other("accuracy 0.912", "accuracy 0.801", tags=["varies=0.05"])
        self.other("CE is better: 0.912", "UL is better: 0.912", tags=["varies=0.05"])
        self.same("off by 3.1e-11", "off by 9.9e-11", tags=["rounding"])
        self.other("off by 3.1e-11", "on by 3.1e-11", tags=["rounding"])

    def test_what_is_shown(self):
        table = ("text/html", "<table>✓ holds</table>")
        self.assertEqual(outputs.compare(book(([table], [])), book(([table], []))), [])
        self.assertTrue(outputs.compare(book(([table], [])), book(([], []))))
        self.assertTrue(outputs.compare(book(([], [])), book(([table], []))))
        self.other(table[1], table[1].replace("✓ holds", "✗ fails"), kind="text/html")

    def test_without_data(self):
        self.same("85 % right", "fashion-mnist is not here\nNOTHING IS TRAINED in this cell.")
        cells = lambda first, second: book(([("stdout", first)], []), ([("stdout", second)], []))
        self.assertEqual(outputs.compare(cells("fashion-mnist", "85 % right"), cells("ten clouds (made up)", "31 % right")), [])
        self.assertEqual(len(outputs.compare(cells("fashion-mnist", "85 % right"), cells("NOTHING IS TRAINED", "31 % right"))), 1)


if __name__ == "__main__":
    unittest.main()
