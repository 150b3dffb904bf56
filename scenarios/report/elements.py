"""HTML, made element by element. A text is escaped unless an element was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from node.text import clean

_VOID = frozenset(("meta", "br"))


class Html(str):
    """Markup, which goes into a page as it is. Made by the functions below and by nobody else."""

    __slots__ = ()


Child = Html | str | int


def text(value: Child) -> Html:
    """A text as markup: escaped, without control and invisible characters. Markup stays as it is."""
    return value if isinstance(value, Html) else Html(escape(clean(str(value))))


def element(tag: str, *children: Child, **attributes: str | int) -> Html:
    """`<tag …>children</tag>`. `class_` gives the attribute class; attributes without a text are left out."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for name, value in attributes.items()
        if value != ""
    )
    if tag in _VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{''.join(map(text, children))}</{tag}>")


def join(parts: Iterable[Html]) -> Html:
    """One after the other, each on a line of its own."""
    return Html("\n".join(parts))


def lines(content: str) -> Html:
    """A text of several lines, as they stand. What could drive a terminal or turn the text is taken out."""
    return element("pre", Html("\n".join(text(line) for line in content.splitlines())), tabindex=0)


def paragraphs(*said: Child) -> Html:
    """A paragraph for each."""
    return join(element("p", each) for each in said)


def bullets(items: Iterable[Child]) -> Html:
    """A list without an order."""
    return element("ul", *(element("li", item) for item in items))


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: a sign, and below it what it means in words."""

    sign: Child
    words: Child = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, named by its head; `anchor` is what a link to it ends with."""

    head: Child
    cells: Sequence[Cell | Child]
    kind: str = ""
    anchor: str = ""


def table(caption: Child, heads: Sequence[str], rows: Sequence[Row]) -> Html:
    """A table whose first column names the rows. It scrolls sideways by itself, also with the keyboard."""
    head = element("tr", *(element("th", each, scope="col") for each in heads))
    body = [
        element(
            "tr",
            element("th", row.head, scope="row"),
            *map(_cell, row.cells),
            class_=row.kind,
            id_=row.anchor,
        )
        for row in rows
    ]
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", whole, class_="wide", tabindex=0)


def _cell(cell: Cell | Child) -> Html:
    if not isinstance(cell, Cell):
        return element("td", cell)
    sign = element("span", cell.sign, class_="sign")
    words = (Html(" "), element("span", cell.words, class_="words")) if cell.words else ()
    return element("td", sign, *words, class_=cell.kind)
