"""Formulas as MathML, which browsers draw without a script and without a network: those of the site and of exported notebooks."""
import re
import xml.etree.ElementTree as xml

from latex2mathml import converter

MATHML = "http://www.w3.org/1998/Math/MathML"
PRIMES = "′″‴⁗"
xml.register_namespace("", MATHML)


def convert(formula, display="inline"):
    """A formula as MathML. latex2mathml writes a prime as a superscript, but the sign is small and raised by itself: raised twice, nobody can
    read it. It becomes a part of what it stands at."""
    # latex2mathml does not know "aligned", and would show its "&".
    math = xml.fromstring(converter.convert(formula.replace("{aligned}", "{align*}"), display=display))
    name = lambda kind: f"{{{MATHML}}}{kind}"
    is_prime = lambda node: node.text and node.text in PRIMES
    for node in [*math.iter(name("msup")), *math.iter(name("msubsup"))]:
        above = node[-1]  # a prime, or a row of a prime and more
        prime = above if is_prime(above) else above[0] if len(above) and is_prime(above[0]) else None
        if prime is None:
            continue
        base = xml.Element(name("mrow"))
        base.append(node[0])
        xml.SubElement(base, name("mo"), lspace="0", rspace="0").text = prime.text
        node[0] = base
        if prime is not above:
            above.remove(prime)
            continue
        node.remove(above)
        node.tag = name("msub" if len(node) == 2 else "mrow")
    return xml.tostring(math, encoding="unicode")


def displayed(formula, shown):
    """A formula on a line of its own, as MathML, and its number as a part of HTML: shown, with %s for the number, or nothing if it has none."""
    number = re.search(r"\\tag\{(.*?)\}", formula)
    return convert(re.sub(r"\\tag\{.*?\}", "", formula), display="block"), shown % number[1] if number else ""
