"""The privacy matrix as text: many transactions as a table, one as a page, and both as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from node.cells import BY_SYMBOL, REASONS, cell_text
from node.text import clean, plain
from scenarios.knowledge.metadata import Metadata, possible_readers
from scenarios.knowledge.opening import Since
from scenarios.knowledge.rows import (
    AGGREGATE,
    CIPHERTEXT,
    COMMITMENT,
    COULD,
    NOTHING,
    OPENER,
    READS,
    UNSEALED,
    WHOLE,
    WILL_READ,
    Cell,
    Matrix,
    Row,
)
from scenarios.model.prediction import BROKER

GAP = "   "
LABEL_WIDTH = 11


def table_lines(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], width: int = 0
) -> list[str]:
    """A matrix with its head and a rule: names flush left, cells in the middle of their columns.

    Columns that do not fit into `width` follow below, under the names once more; 0 is as wide as need be.
    """
    first = max([len("tx"), *(len(name) for name, _ in rows)]) + len(GAP)
    lines: list[str] = []
    for part in _parts(columns, rows, width - first if width else 0):
        lines += [""] if lines else []
        chosen = [(name, [cells[index] for index in part]) for name, cells in rows]
        lines += _one_table([columns[index] for index in part], chosen)
    return lines


def _parts(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], room: int) -> list[list[int]]:
    """Which columns stand beside each other."""
    parts: list[list[int]] = [[]]
    used = 0
    for index, column in enumerate(columns):
        width = max([len(column), *(len(cells[index]) for _, cells in rows)])
        if room and parts[-1] and used + len(GAP) + width > room:
            parts.append([])
        used = used + len(GAP) + width if parts[-1] else width
        parts[-1].append(index)
    return parts


def _one_table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    first = max([len("tx"), *(len(name) for name, _ in rows)]) + len(GAP)
    widths = [
        max([len(column), *(len(cells[index]) for _, cells in rows)]) for index, column in enumerate(columns)
    ]
    titles = GAP.join(f"{column:<{width}}" for column, width in zip(columns, widths, strict=True))
    head = f"{'tx':<{first}}{titles}"
    lines = [head.rstrip(), "─" * len(head.rstrip())]
    for name, cells in rows:
        middle = GAP.join(f"{cell:^{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{name:<{first}}{middle}".rstrip())
    return lines


def matrix_lines(
    matrix: Matrix, *, fields: bool = False, ascii_only: bool = False, width: int = 0
) -> list[str]:
    """All rows as a table, what the symbols mean, and the notes; with `fields` a row for each field too.

    In a `width` of so many characters, if it is not 0.
    """
    if not matrix.rows:
        return ["no private transactions yet"]
    rows = [
        (
            clean(row.name) if name == WHOLE else f"  {clean(name)}",
            [cells[column].text(ascii_only=ascii_only) for column in matrix.columns],
        )
        for row in matrix.rows
        for name, cells in row.lines(fields=fields)
    ]
    when = "" if matrix.at.is_end else f" at {matrix.at}"
    lines = [f"run {matrix.run}{when}"] if when else []
    lines += table_lines(matrix.columns, rows, width)
    lines.append(_legend(matrix, ascii_only))
    lines += notes_lines(matrix)
    return [plain(line, ascii_only=ascii_only) for line in lines]


def notes_lines(matrix: Matrix) -> list[str]:
    """What the cells cannot say."""
    return [f"! {clean(note)}" for note in dict.fromkeys(matrix.notes)]


def transaction_lines(
    matrix: Matrix, metadata: Metadata | None, *, on_chain: bool, ascii_only: bool = False
) -> list[str]:
    """The one row of a matrix as a page: content, metadata, and what can be inferred."""
    (row,) = matrix.rows
    when = "" if matrix.at.is_end else f" at {matrix.at}"
    groups = _groups(row)
    names = [" ".join(columns) for _, columns, _ in groups]
    width = max([20, *map(len, names)])
    lines = [f"{clean(row.name):<{LABEL_WIDTH - 1}} content{when}"]
    for (cell, _, since), shown in zip(groups, names, strict=True):
        text = cell.text(ascii_only=ascii_only)
        why = _why(cell, since, shown, on_chain, row.unsealed_by)
        lines.append(f"  {text:<4} {shown:<{width}}  {why}")
    if metadata is not None and metadata.size:
        lines.append(f"{'metadata':<{LABEL_WIDTH}}{_metadata_sentence(metadata, matrix.columns)}")
        inferred = inference_of(metadata, len(matrix.columns) - 1)
        heads = ("inference", *[""] * len(inferred))
        lines += [f"{head:<{LABEL_WIDTH}}{line}" for head, line in zip(heads, inferred, strict=False)]
    lines += notes_lines(matrix)
    return [plain(line.rstrip(), ascii_only=ascii_only) for line in lines]


METADATA = ("metadata", "sender", "recipients", "time", "size")
BROKER_SEES = (
    f"{BROKER} also sees when each packet passed, its size, and from which connection it came;",
    "topics and client ids are opaque tokens",
)
BROKER_SEES_OFF_CHAIN = (
    f"{BROKER} also sees to which inboxes a ciphertext goes, which answer, and who fetches it:",
    "how many readers there are, and by the token of its inbox each of them;",
    "after a purge, a sealed receipt goes from each holder to its sender's inbox and a short answer back,",
    "and never on the ledger",
)


def metadata_rows(found: Sequence[Metadata], matrix: Matrix) -> list[tuple[str, ...]]:
    """For each transaction its name, and who learns what METADATA says."""

    def who(columns: Sequence[str]) -> str:
        return _who(columns, matrix.columns)

    return [
        (
            clean(each.name),
            who(each.sender),
            who(each.recipients_known_to),
            who(each.time),
            f"{who(each.size)}: {each.size_bytes} B padded, {each.slots} key slots",
        )
        for each in found
    ]


def metadata_lines(
    found: Sequence[Metadata], matrix: Matrix, *, on_chain: bool, ascii_only: bool = False
) -> list[str]:
    """Who learns sender, recipients, time and size of each transaction."""
    if not found:
        return []
    rows = metadata_rows(found, matrix)
    widths = [max(len(row[i]) for row in (METADATA, *rows)) for i in range(len(METADATA))]
    lines = ["", *(_padded(row, widths) for row in (METADATA, *rows))]
    lines.insert(2, "─" * max(map(len, lines)))
    lines += BROKER_SEES if on_chain else (*BROKER_SEES, *BROKER_SEES_OFF_CHAIN)
    return [plain(line, ascii_only=ascii_only) for line in lines]


def csv_text(matrix: Matrix, *, fields: bool = False, ascii_only: bool = False) -> str:
    """The cells as CSV (RFC 4180, lines end with a newline), with `fields` those of each field too."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["tx", "field", *matrix.columns])
    for row in matrix.rows:
        for name, cells in row.lines(fields=fields):
            shown = [cells[column].text(ascii_only=ascii_only) for column in matrix.columns]
            writer.writerow([clean(row.name), plain(clean(name), ascii_only=ascii_only), *shown])
    return out.getvalue()


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _legend(matrix: Matrix, ascii_only: bool) -> str:
    """The words for the symbols and letters that occur."""
    cells = [cell for row in matrix.rows for cell in row.cells.values()]
    symbols, reasons = {cell.symbol for cell in cells}, {cell.reason for cell in cells if cell.part is None}
    words = [
        f"{cell_text(symbol, ascii_only=ascii_only)} {BY_SYMBOL[symbol].meaning}"
        for symbol in BY_SYMBOL
        if symbol in symbols
    ]
    words += [f"{reason} {REASONS[reason]}" for reason in REASONS if reason in reasons]
    if any(cell.part is not None for cell in cells):
        words.append("1/2 so many of the fields")
    return "   ".join(words)


def _groups(row: Row) -> list[tuple[Cell, list[str], list[Since]]]:
    """Columns with the same cell together; the broker always by itself, for it has its own reasons."""
    groups: dict[tuple[Cell, bool], tuple[list[str], list[Since]]] = {}
    for column, cell in row.cells.items():
        columns, since = groups.setdefault((cell._replace(since=None), column == BROKER), ([], []))
        columns.append(column)
        since += [cell.since] if cell.since else []
    order = list(BY_SYMBOL)
    return [
        (cell, columns, since)
        for (cell, _), (columns, since) in sorted(
            groups.items(),
            key=lambda item: (order.index(item[0][0].symbol), item[0][1], item[0][0].text() != f"{READS} S"),
        )
    ]


def _why(cell: Cell, since: Sequence[Since], columns: str, on_chain: bool, openers: Sequence[str]) -> str:
    if columns == BROKER:
        return {
            CIPHERTEXT: f"carried the ciphertext and the wrapped keys{_at(since)}",
            NOTHING: "carried nothing of it by then",
        }.get(cell.symbol, BY_SYMBOL[cell.symbol].meaning)
    if cell.symbol == COULD:
        part = ", some of the fields" if cell.part else ""
        return f"{BY_SYMBOL[COULD].meaning}{part}{_at(since)}"
    if cell.reason == UNSEALED and openers:
        by = f" by {', '.join(openers)}"
        if not since:
            return f"unsealed{by}"
        first = min(since)
        return f"unsealed in block {first.height}{by}, at {first.t_ms / 1000:.1f}s"
    if cell.reason in (OPENER, WILL_READ):
        return f"{BY_SYMBOL[cell.symbol].meaning}; {REASONS[cell.reason]}{_at(since)}"
    if cell.symbol == AGGREGATE:
        return f"{BY_SYMBOL[AGGREGATE].meaning}{_at(since)}"
    if cell.symbol == READS:
        how = REASONS.get(cell.reason, BY_SYMBOL[READS].meaning)
        return f"{how}, some of the fields{_at(since)}" if cell.part else f"{how}{_at(since)}"
    if cell.symbol == CIPHERTEXT and on_chain:
        return f"ciphertext, no key: it lies on every ledger{_at(since)}"
    if cell.symbol in (CIPHERTEXT, COMMITMENT):
        return f"{BY_SYMBOL[cell.symbol].meaning}{_at(since)}"
    return "nothing: not ordered there yet"


def _at(since: Sequence[Since]) -> str:
    """', block 4 at 5.1s': when the first of them had it."""
    if not since:
        return ""
    first = min(since)
    block = f"block {first.height} at " if first.height is not None else ""
    return f", {block}{first.t_ms / 1000:.1f}s"


def _who(columns: Sequence[str], all_columns: Sequence[str]) -> str:
    if not columns:
        return "nobody"
    return "everyone" if set(columns) == set(all_columns) else " ".join(columns)


def _metadata_sentence(metadata: Metadata, columns: Sequence[str]) -> str:
    seen = _who(metadata.size, columns)
    known = _who(metadata.recipients_known_to, columns)
    return f"{seen}: sender, time, padded size {metadata.size_bytes} B.  {known}: recipients"


def inference_of(metadata: Metadata, parties: int) -> list[str]:
    """What the slots give away and the padding does not hide; nothing where they tell nothing."""
    if metadata.seal is not None:
        seal = metadata.seal
        return [
            f"everyone: who it is for, as the seal {seal.name} is public. {' '.join(seal.openers)} hold"
            f" shares of its key, {seal.threshold} of them have it together",
            f"and once they have opened it, {' '.join(seal.then_to)} read it",
        ]
    lines = []
    least, most = possible_readers(metadata.slots, parties - 1)
    if least or most < parties - 1:
        count = f"{least} to {most}" if least else f"at most {most}"
        lines.append(
            f"everyone: {count} of {parties - 1} other parties are readers ({metadata.slots} key slots)"
        )
    if metadata.recipients is not None and set(metadata.recipients) != set(metadata.recipients_known_to):
        late = [name for name in metadata.recipients if name not in metadata.recipients_known_to]
        if late:
            lines.append(f"the readers also know: a key is there for {' '.join(late)}")
    if metadata.recipients is None and metadata.recipients_known_to:
        lines.append("the readers see that a key slot is wrong, or made for a stranger")
    return lines
