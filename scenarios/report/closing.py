"""The end of a report: what the run does not show, what the symbols mean, and the scenario itself."""

from __future__ import annotations

from node.cells import HOLDINGS, REASONS
from node.envelopes.fields import path_text
from node.verbs.show_transaction import value_text
from scenarios.model.filled import masked
from scenarios.report.elements import Html, Row, bullets, element, join, lines, paragraphs, table
from scenarios.report.material import Content, Material
from scenarios.report.shortening import left_out, shortened

READABLE = 200  # Transactions whose content is shown.


def content(material: Material) -> Html:
    """What the audience reads, field by field."""
    assert material.audience is not None, "the public reads no content"
    who = material.audience
    if not material.content:
        return paragraphs(f"{who} reads no transaction of this run.")
    shown, hidden = shortened(material.content, READABLE)
    parts = [
        paragraphs(
            f"Opened with the key of {who}, from its own folder. That it was looked at stands in the log."
        )
    ]
    parts += [_fields(each) for each in shown]
    if hidden:
        more = f"privity show tx ID --run {material.folder.number} --as {who}"
        parts.append(paragraphs(left_out(hidden, "transactions", more)))
    return join(parts)


def _fields(each: Content) -> Html:
    rows = [Row(path_text(leaf.path), [value_text(leaf.value)]) for leaf in each.leaves]
    return table(f"{each.name}, from {each.sender}", ["field", "value"], rows)


def limits(material: Material) -> Html:
    """What nobody should conclude from this run."""
    run, policy = material.run, material.reading.network.consortium.policy
    virtual = run.get("transport") == "memory"
    said = [
        "What the ledger hides, this file tells: who reads what, the names of fields, and whom a hidden "
        "consent or revocation means. Hand it to those who may know that.",
        "All keys lie on one machine: this is a simulator. Who really holds a key elsewhere is not shown.",
        "That a party reads a content says nothing of what it does with it: it can always tell others.",
        "Traffic analysis: whoever watches the network sees who sends how much, and when. Sizes and numbers "
        "of readers are hidden only as far as the buckets go.",
        "The cryptography is assumed to be sound. X25519 will not outlive quantum computers, and a stolen "
        "wrapping key opens all that was ever sent to it.",
        "The broker is one machine that can stop the network, and may keep all that passed it for ever.",
    ]
    if policy.payload == "on_chain":
        said.append("Every node and the broker keep every ciphertext, so time will test the cryptography.")
    if virtual:
        said.append(
            "Time is virtual: delays, losses and the cost of signatures are a model. There is no broker; its "
            "column is what passed the simulated network."
        )
        if material.verdict is None or material.verdict.get("trace_hash"):
            said.append(
                "Keys and salts were drawn from the seed, so whoever knows the seed has them: not secret."
            )
        if run.get("options", {}).get("signatures") == "modelled":
            said.append("Signatures were modelled by a keyed hash: none was a real one.")
    else:
        said.append(
            "All clocks are one machine's clock. Clocks that differ, other than by a fault, are not shown."
        )
    said.append(
        "One run shows that something can happen, or did not this time. It proves nothing of other runs."
    )
    return bullets(said)


def glossary(material: Material) -> Html:
    """The cells of the matrix in words."""
    symbols = [Row(each.symbol, [each.letter, each.meaning]) for each in HOLDINGS]
    reasons = [Row(letter, [meaning]) for letter, meaning in REASONS.items()]
    words = [
        ("party", "an organisation with one node"),
        ("voter", "a party whose node takes part in consensus; the others follow the chain"),
        ("named party", "may read a transaction"),
        ("commitment", "a salted hash, on every ledger"),
        ("height", "the place of a block in the chain, from 1"),
        ("view", "a period with one primary, which proposes the blocks"),
        ("canary", "random bytes in each payload of a run, which must be found nowhere else"),
    ]
    return join(
        [
            table(
                "What a party or the broker holds", ["symbol", "letter without symbols", "meaning"], symbols
            ),
            table("Why a reader reads", ["letter", "meaning"], reasons),
            table("Words", ["word", "meaning"], [Row(word, [meaning]) for word, meaning in words]),
        ]
    )


def scenario(material: Material) -> Html:
    """The file with every default written out, and with what the audience may not read left out."""
    if material.scenario is None:
        return paragraphs("The run's folder does not hold its scenario.")
    shown = masked(material.scenario, lambda step: material.reads(step.transactions))
    about = (
        "Every default is written out. What stands below data: in the file is private, the names of fields "
        "too: only the types of values are shown, unless the audience reads every transaction of the step."
    )
    return join([paragraphs(about), element("div", lines(shown), class_="wide")])
