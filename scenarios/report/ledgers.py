"""Whether the nodes agree, block by block, and how consensus came to it."""

from __future__ import annotations

from scenarios.chains import Chain, behind, first_disagreement, holders_at
from scenarios.report.elements import Cell, Html, Row, join, paragraphs, table
from scenarios.report.material import Material
from scenarios.report.shortening import left_out, shortened

HEIGHTS = 30


def agreement(material: Material) -> Html:
    """Height by node, the hash of the block there. Heights at which nodes differ come first."""
    chains = material.chains
    top = max((chain.height for chain in chains), default=0)
    if not top:
        return paragraphs("No node has a block.")
    differing = [height for height in range(1, top + 1) if len(holders_at(chains, height)) > 1]
    alike = [height for height in range(1, top + 1) if height not in set(differing)]
    shown, hidden = shortened(alike, HEIGHTS)
    heads = ["height", *(chain.node for chain in chains), "result"]
    rows = [_differing(chains, height) for height in differing]
    rows += [_alike(chains, height) for height in shown]
    parts = [paragraphs(_sentence(material)), table("Hash of each block on each node", heads, rows)]
    if hidden:
        note = left_out(hidden, "heights", f"privity show block H --run {material.folder.number} --as NODE")
        parts.append(paragraphs(f"{note}. On each of these, all nodes that have a block have the same one."))
    return join(parts)


def _sentence(material: Material) -> str:
    chains = material.chains
    said, late = first_disagreement(chains), behind(chains)
    faulty = [name for name in material.names if name not in material.honest]
    words = (
        f"Nodes contradict each other: {said}."
        if said
        else "No two nodes hold different blocks at one height."
    )
    words += f" Below the highest: {', '.join(late)}." if late else ""
    return words + (f" Made faulty on purpose: {', '.join(faulty)}." if faulty else "")


def _differing(chains: list[Chain], height: int) -> Row:
    """The group of each node in letters, so that who holds what is told without comparing digits."""
    groups = {key: chr(ord("A") + place) for place, key in enumerate(sorted(holders_at(chains, height)))}
    cells = []
    for chain in chains:
        block = chain.blocks.get(height)
        if block is None:
            cells.append(Cell("–", "no block", "none"))
        else:
            letter = groups[block.hash, block.state_root]
            cells.append(Cell(block.hash.hex()[:8], f"group {letter}", "broken"))
    return Row(height, [*cells, Cell("✗", "differs", "broken")], kind="broken")


def _alike(chains: list[Chain], height: int) -> Row:
    cells = [
        Cell("–", "no block", "none") if block is None else Cell(block.hash.hex()[:8])
        for block in (chain.blocks.get(height) for chain in chains)
    ]
    lacking = sum(height not in chain.blocks for chain in chains)
    result = Cell("✓", f"same on {len(chains) - lacking}") if lacking else Cell("✓", "same", "holds")
    return Row(height, [*cells, result])


def consensus(material: Material) -> Html:
    """When each height was committed, by whom it was proposed and in which view; and the new views."""
    blocks = material.reading.highest().blocks
    if not blocks:
        return paragraphs("No block was committed.")
    network, committed = material.reading.network, material.course.committed
    rows = []
    for block in blocks:
        t_ms, proposed = committed.get(block.height), material.course.proposed.get(block.height)
        took = f"{t_ms - proposed} ms" if t_ms is not None and proposed is not None else "not known"
        previous = committed.get(block.height - 1)
        since = f"{t_ms - previous} ms" if t_ms is not None and previous is not None else "–"
        rows.append(
            Row(
                block.height,
                [
                    f"{t_ms / 1000:.3f}s" if t_ms is not None else "not known",
                    since,
                    took,
                    block.certificate.view,
                    network.names[block.header.proposer],
                    len(block.batch.requests),
                ],
            )
        )
    heads = [
        "height",
        "committed at",
        "after the one before",
        "proposal to commit",
        "view",
        "proposer",
        "txs",
    ]
    shown, hidden = shortened(rows, HEIGHTS)
    parts = [
        paragraphs(_views(material)),
        table("Height over time; committed when f + 1 honest voters had logged the block", heads, shown),
    ]
    if hidden:
        more = f"privity logs --run {material.folder.number} --ev block.commit"
        parts.append(paragraphs(left_out(hidden, "heights", more)))
    return join(parts)


def _views(material: Material) -> str:
    views = sorted(view for view in material.kept.views if view > 0)
    shown = ", ".join(map(str, views[:20])) + (f" and {len(views) - 20} more" if len(views) > 20 else "")
    said = f"View changes: {len(views)} new views ({shown})." if views else "View changes: none."
    unreadable = material.kept.unreadable
    return said + (f" The journal of {', '.join(unreadable)} could not be read." if unreadable else "")
