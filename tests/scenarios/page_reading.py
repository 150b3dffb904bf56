"""A report as a reader meets it: its tables by caption, its text, its tags; with a parser of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "br"}


@dataclass
class Cell:
    """A cell: its sign, what else it says, and its attributes."""

    sign: str = ""
    words: str = ""
    text: str = ""
    head: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Table:
    """A table: its caption, and its rows, the row of heads first."""

    caption: str = ""
    rows: list[list[Cell]] = field(default_factory=list)

    @property
    def signs(self) -> list[list[str]]:
        """What stands in the cells, without the words below the signs."""
        return [[cell.sign or cell.text for cell in row] for row in self.rows]


class Page(HTMLParser):
    """`tags` are all opening tags with their attributes. Every element must be closed in its turn."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: list[Table] = []
        self.text = ""
        self._open: list[tuple[str, str]] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def table(self, caption: str) -> Table:
        """The one table whose caption begins so."""
        (found,) = [each for each in self.tables if each.caption.startswith(caption)]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self._open.append((tag, attributes.get("class", "")))
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append(Cell(head=tag == "th", attributes=attributes))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self._open]
        if "style" in inside:
            return
        self.text += data
        if "caption" in inside:
            self.tables[-1].caption += data
        elif "td" in inside or "th" in inside:
            cell = self.tables[-1].rows[-1][-1]
            cell.text += data
            if ("span", "sign") in self._open:
                cell.sign += data
            elif ("span", "words") in self._open:
                cell.words += data
