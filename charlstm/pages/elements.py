"""HTML as elements, so that a text can never become markup: the standard library writes them."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """An element with children, texts among them; ``class_`` stands for the attribute class.

    >>> html([element("p", "a < b, ", element("em", "or not"), class_="note")])
    '<p class="note">a &lt; b, <em>or not</em></p>'
    """
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    made = Element(tag, names)
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + child
        else:
            last.tail = (last.tail or "") + child
    return made


def table(rows: Iterable[tuple[str, Child]]) -> Element:
    """A table of names and values."""
    made = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in rows
    ]
    return element("table", element("tbody", *made))


def columns(name: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Element:
    """A table with a header; all columns but the first have numbers. A narrow page scrolls it."""

    def row(tag: str, cells: tuple[str, ...]) -> Element:
        first, *others = cells
        scope = {"scope": "col"} if tag == "th" else {}
        numbers = (element(tag, cell, class_="number", **scope) for cell in others)
        return element("tr", element("th", first, scope="col" if scope else "row"), *numbers)

    head = element("thead", row("th", header))
    made = element("table", head, element("tbody", *(row("td", cells) for cells in rows)))
    return element("div", made, class_="wide", role="region", tabindex="0", aria_label=name)


def html(elements: Iterable[Element]) -> str:
    """The elements as HTML, in ASCII: other characters are numbers."""
    return "\n".join(tostring(one, "us-ascii", method="html").decode() for one in elements)
