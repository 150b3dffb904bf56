"""Judges of consensus itself: new primaries, proofs of lies, what a block costs in messages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from consensus.messages import Proposal, Signed
from consensus.votes import Commit, Prepare, PrePrepare
from node.canonical import DecodeError
from node.consortium import Network
from node.topics import Topics
from node.wire import decode_frame, decode_packet
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, counted, judged, names
from scenarios.model.scenario import EvidenceKept, Messages, ViewChanges
from scenarios.processes.capture import read_capture

# A packet is a MessagePack array whose first element is its kind; only these two carry votes.
_SIGNED, _PROPOSAL = 1, 2


def view_changes(evidence: Evidence, wanted: ViewChanges) -> Judgement:
    """So many views after the first were installed by an honest voter, by what its journal keeps."""
    kept, more = evidence.kept, "privity logs --ev pbft.new_view"
    views = sorted(view for view in kept.views if view > 0)
    shown = f" ({' '.join(map(str, views))})" if views else ""
    detail = f"{counted(len(views), 'new view')}{shown}, expected {_bounds(wanted.least, wanted.most)}"
    if wanted.most is not None and len(views) > wanted.most:
        return judged(wanted, "broken", detail, more)
    if kept.unreadable:  # There may be more of them, and what is enough may not be.
        enough = wanted.most is None and wanted.least is not None and len(views) >= wanted.least
        if not enough:
            return judged(wanted, "unconfirmed", f"{detail}; {_unreadable(kept.unreadable)}", more)
    if not set(evidence.honest) & set(evidence.voters):
        return judged(wanted, "unconfirmed", "no voter is honest", more)
    if wanted.least is not None and len(views) < wanted.least:
        return judged(wanted, "broken", detail, more)
    return judged(wanted, "holds", detail)


def _bounds(least: int | None, most: int | None) -> str:
    words = [f"at least {least}"] if least is not None else []
    words += [f"at most {most}"] if most is not None else []
    return " and ".join(words)


def _unreadable(nodes: list[str]) -> str:
    return f"the journal of {names(nodes)} cannot be read"


def evidence_kept(evidence: Evidence, wanted: EvidenceKept) -> Judgement:
    """Honest nodes keep proofs of this many different lies, and of none against an honest node."""
    more = "privity logs --ev 'evidence.*'"
    honest = set(evidence.honest)
    proofs = evidence.kept.proofs
    if slandered := sorted({accused for _, accused in proofs} & honest):
        detail = f"{names(slandered)} accused, which no fault made lie: a proof against an honest node"
        return judged(wanted, "broken", detail, more)
    when = ""
    if wanted.during is not None:
        record = evidence.fault(wanted.during)
        if record is None or record.began_ms is None:
            return judged(wanted, "unconfirmed", f"{wanted.during} never began", more)
        # A proof is complete when its second half arrives, which may have been under way.
        until = record.ended_ms if record.ended_ms is not None else evidence.until_ms
        told = {
            (each.kind, each.accused)
            for each in evidence.course.accusations
            if record.began_ms <= each.t_ms <= until + evidence.grace_ms
        }
        proofs, when = proofs & told, f" while {wanted.during} lasted"
    found = sorted(proof for proof in proofs if not wanted.of or proof[1] in wanted.of)
    shown = ": " + ", ".join(f"{kind} of {accused}" for kind, accused in found) if found else ""
    detail = f"{counted(len(found), 'proof')}{when}{shown}, expected at least {wanted.least}"
    if len(found) >= wanted.least:
        return judged(wanted, "holds", detail)
    if evidence.kept.unreadable:
        return judged(wanted, "unconfirmed", f"{detail}; {_unreadable(evidence.kept.unreadable)}", more)
    if not honest & set(evidence.voters):
        return judged(wanted, "unconfirmed", "no voter is honest", more)
    return judged(wanted, "broken", detail, more)


def messages(evidence: Evidence, wanted: Messages) -> Judgement:
    """No block took more than so many times n² messages of the three phases, repeated ones included."""
    more = "privity logs --ev 'pbft.*'"
    n = evidence.network.n
    heights = {height for chain in evidence.honest_chains for height in chain.blocks}
    if not heights:
        return judged(wanted, "unconfirmed", "no block was committed", more)
    counts = _count(evidence.folder.capture, evidence.network)
    worst = max(heights, key=lambda height: (counts[height], -height))
    most = counts[worst]
    average = sum(counts[height] for height in heights) / len(heights)
    detail = (
        f"at most {most / n**2:.2f} n² (block {worst}: {most}), on average {average / n**2:.2f} n², limit "
        f"{wanted.most} n²; pre-prepare, prepare, commit, a broadcast as n - 1; block votes not counted"
    )
    if most > wanted.most * n**2:
        return judged(wanted, "broken", detail, f"{more} --block {worst}")
    if not evidence.recorded:
        return judged(wanted, "unconfirmed", "the recorder missed a part of what the broker carried", more)
    return judged(wanted, "holds", detail)


def _count(capture: Path, network: Network) -> Counter[int]:
    """By height, the messages of the three phases between voters that the recorder heard."""
    counts: Counter[int] = Counter()
    if not capture.exists():
        return counts
    topics = Topics(network.id)
    weights = {topics.inbox_of(voter): 1 for voter in range(network.n)}
    weights |= {topics.broadcast(voter): network.n - 1 for voter in range(network.n)}
    for captured in read_capture(capture):
        if (weight := weights.get(captured.topic, 0)) == 0:
            continue
        try:
            packets = decode_frame(captured.payload).packets
        except DecodeError:
            continue  # Anybody may publish anything.
        for data in packets:
            if (height := _height_of(data)) is not None:
                counts[height] += weight
    return counts


def _height_of(data: bytes) -> int | None:
    """The height that a vote or a proposal is about; None for all other packets."""
    if len(data) < 2 or data[1] not in (_SIGNED, _PROPOSAL):
        return None
    try:
        packet = decode_packet(data)
    except DecodeError:
        return None
    if isinstance(packet, Proposal):
        return packet.pre_prepare.sequence
    if isinstance(packet, Signed) and isinstance(packet.message, PrePrepare | Prepare | Commit):
        return packet.message.sequence
    return None
