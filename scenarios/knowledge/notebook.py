"""The privacy matrix for notebooks: an HTML table that needs no style sheet, and a data frame."""

from __future__ import annotations

from dataclasses import fields
from html import escape
from typing import Any

from node.errors import PrivityError
from node.text import clean
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.view import matrix_lines


class ShownMatrix(Matrix):
    """A matrix that shows itself: as text, in a notebook, as a data frame."""

    @classmethod
    def of(cls, matrix: Matrix) -> ShownMatrix:
        """The same matrix."""
        return cls(*(getattr(matrix, each.name) for each in fields(matrix)))

    def __str__(self) -> str:
        return "\n".join(matrix_lines(self))

    def _repr_html_(self) -> str:
        return html_table(self)

    def to_pandas(self) -> Any:
        """The cells as a pandas data frame. Raises PrivityError E-PACKAGE without pandas."""
        return data_frame(self)


def html_table(matrix: Matrix) -> str:
    """One row for each transaction, one column for each party and the broker; headers for screen readers."""
    when = "" if matrix.at.is_end else f" at {matrix.at}"
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in matrix.columns)
    lines = [f"<table><caption>Who could read what{escape(when)}, run {escape(matrix.run)}</caption>"]
    lines.append(f'<thead><tr><th scope="col">tx</th>{head}</tr></thead><tbody>')
    for row in matrix.rows:
        cells = row.cells
        shown = "".join(f"<td>{escape(cells[column].text())}</td>" for column in matrix.columns)
        lines.append(f'<tr><th scope="row">{escape(clean(row.name))}</th>{shown}</tr>')
    return "".join([*lines, "</tbody></table>"])


def data_frame(matrix: Matrix) -> Any:
    """The cells as a pandas data frame: index tx, a column for each party. pandas is whoever asks' own."""
    try:
        import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise PrivityError(
            "E-PACKAGE", "pandas is not installed", why="only to_pandas needs it", next="pip install pandas"
        ) from None
    rows = [[cell.text() for cell in row.cells.values()] for row in matrix.rows]
    index = pandas.Index([row.name for row in matrix.rows], name="tx")
    return pandas.DataFrame(rows, index=index, columns=list(matrix.columns))
