"""The disclosure register: who showed or asked for what, to whom, and the reason given. It is public."""

from __future__ import annotations

from node.chain.act import Act
from node.chain.deeds import (
    Challenge,
    Consent,
    Disclosure,
    Open,
    Purge,
    PurgeReceipt,
    Release,
    Request,
    Revocation,
)
from node.chain.reading import Ordered
from node.chain.round_deeds import RoundDeed
from node.disclosure.breach_reading import breaches_of
from node.erasing.purge_reading import purges_of
from node.run_reading import Found
from node.verbs.show_rounds import deed_words, round_id
from scenarios.report.elements import Html, Row, bullets, join, paragraphs, table
from scenarios.report.material import Material
from scenarios.report.shortening import left_out, shortened
from scenarios.why.receipts import receipts_of_run

_HEADS = ["record", "block", "at", "who", "did", "of tx", "to whom", "reason given", "answers"]


def register(material: Material) -> Html:
    """A row for each act on the ledger, in chain order."""
    every = list(material.reading.highest().acts())
    # Receipts stand in a list of their own, by what was erased.
    shown, hidden = shortened([each for each in every if not isinstance(each[1].deed, PurgeReceipt)])
    parts = [
        paragraphs(
            "What stands on every ledger, signed by who did it: a record says what its author says. "
            "Whether it is true is for the matrix, which opened what was shown."
        ),
        table(
            "Disclosures, requests and consents, by block",
            _HEADS,
            [_row(material, ordered, act) for ordered, act in shown],
        ),
    ]
    if breaches := breaches_of(material.reading):
        what = (
            "Proved breaches of owners' rules, each checked anew from the ledger and what its readers keep:"
        )
        parts.append(paragraphs(what))
        parts.append(bullets(each.line(_name(material, each.tx)) for each in breaches))
    if purged := purges_of(material.reading):
        some, rest = shortened(purged)
        what = "Purge receipts: what was to be erased, since when, and who signed that it did:"
        parts.append(paragraphs(what))
        parts.append(bullets(f"{_name(material, each.tx)}: {each.line()}" for each in some))
        shown_ids = {each.tx for each in some}
        if owed := receipts_of_run(material.reading, shown_ids):
            parts.append(paragraphs("Receipts that are missing, and what keeps each:"))
            parts.append(bullets(f"{_name(material, tx)}: {each.text}" for tx, each in owed))
        if note := left_out(rest, "payloads", f"privity show tx NAME --run {material.folder.number}"):
            parts.append(paragraphs(note))
    if note := left_out(hidden, "records", f"privity show tx NAME --run {material.folder.number}"):
        parts.append(paragraphs(note))
    return join(parts)


def _row(material: Material, ordered: Ordered, act: Act) -> Row:
    deed = act.deed
    if isinstance(deed, RoundDeed):
        about = _name(material, round_id(ordered, deed))
        cells = [act.sender, deed_words(deed), about, "everybody", "–", "–"]
        name = _name(material, ordered.id)
        return Row(name, [ordered.height, _time(material, ordered.height), *cells])
    if isinstance(deed, Open | Release | Challenge):
        return _of_a_seal(material, ordered, act.sender, deed)
    if isinstance(deed, Disclosure):
        did = "showed the whole" if deed.whole else f"showed {deed.fields} of the fields"
        whom, answers = ", ".join(deed.receivers), deed.answers
    elif isinstance(deed, Consent):
        lasts = f", until block {deed.until}" if deed.until else ""
        did, whom, answers = f"agreed that readers show it{lasts}", _whom(deed.to, deed.hidden), None
    elif isinstance(deed, Revocation):
        did, whom, answers = "withdrew it", _whom(deed.of, deed.hidden), None
    elif isinstance(deed, Purge):
        did, whom, answers = "had every node erase it", "everybody", None
    else:
        assert isinstance(deed, Request)
        did, whom, answers = "asked to be shown it", deed.of, None
    return Row(
        _name(material, ordered.id),
        [
            ordered.height,
            _time(material, ordered.height),
            act.sender,
            did,
            _name(material, deed.tx),
            whom,
            deed.reason,
            "–" if answers is None else _name(material, answers),
        ],
    )


def _whom(named: tuple[str, ...], hidden: tuple[bytes, ...]) -> str:
    return ", ".join(named) or f"{len(hidden)}, whom its readers alone recognise"


def _of_a_seal(material: Material, ordered: Ordered, author: str, deed: Open | Release | Challenge) -> Row:
    """A request to open, a share, or a challenge, and whether it counts."""
    seals = material.reading.highest().seals
    refused, about, whom = "", "–", "–"
    if isinstance(deed, Open):
        request = seals.request(ordered.id)
        did, refused = f"asked to open {deed.seal}", "" if request is None else request.refused
    elif isinstance(deed, Challenge):
        did, about, whom = "said that a share is missing or unreadable", _name(material, deed.tx), deed.of
    else:
        state, about = seals.of(deed.tx), _name(material, deed.tx)
        did = "released its share" if deed.wraps else "said that its share is unreadable"
        if state is not None:
            whom = ", ".join(state.seal.then_to)
            refused = next((each.refused for each in state.releases if each.act == ordered.id), "")
    did += f" (no effect: {refused})" if refused else ""
    cells = [author, did, about, whom, "–", "–"]
    return Row(_name(material, ordered.id), [ordered.height, _time(material, ordered.height), *cells])


def _name(material: Material, identifier: bytes) -> str:
    return Found(identifier, material.reading.label(identifier)).name


def _time(material: Material, height: int) -> str:
    block = material.reading.highest().block(height)
    if block is None:
        return "–"
    return f"{(block.header.time_ms - material.reading.network.created_ms) / 1000:.3f}s"
