"""`privity send`: submit a private transaction as a party."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from typing import Annotated, Any

import typer

from consensus.quorum import quorum
from node.duration import parse_duration_ms
from node.envelopes.object_write import check_name, writing
from node.envelopes.rule import FORBIDDEN, FREE, WITH_CONSENT, Redisclose
from node.envelopes.transaction import MAX_KEEP
from node.errors import CHECK_FAILED, WRONG_USAGE, PrivityError
from node.objects.private_state import APPLIED
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading, short_id
from node.seals.opening import find_seal
from node.seals.seal import Seal
from node.terminal import needs_ascii, quiet_pipe
from node.text import clean, plain
from node.verbs.completion import node_names, run_numbers, seal_names
from node.verbs.run_client import refuse_stopped
from node.verbs.send_input import public_words, read_fields
from node.verbs.sending import Order, Receipt, check_label, send
from node.verbs.show_object import outcome_of, short_outcome

SCHEMA = "privity.send/1"
RULE_WORDS: dict[str, str] = {
    FORBIDDEN: "its readers show it to nobody",
    WITH_CONSENT: "its readers show it only to whom you consent",
    FREE: "its readers may show it",
}
_WIDTH = 78
OUTCOME_S = 5.0


def send_command(
    sender: Annotated[
        str,
        typer.Option("--as", metavar="P", help="The party that sends.", autocompletion=node_names),
    ],
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P",
            help="A party that may read it; several: repeat, or a,b.",
            autocompletion=node_names,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="K=V", help="A field. Other users may see it in ps: --data - hides it."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="A map of fields, JSON or YAML, from a file or standard input."),
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="NAME", help="What to call it from now on.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=MAX_KEEP, help="After N blocks every node erases it; never by default."
        ),
    ] = None,
    object_: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="Write this private object of sender and readers."),
    ] = None,
    expects: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="The version that the object must have; 0, the default: it is new."
        ),
    ] = None,
    redisclose: Annotated[
        Redisclose,
        typer.Option(metavar="RULE", help="Readers show it on: forbidden, with-consent, free."),
    ] = FREE,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is ordered.")] = False,
    timeout: Annotated[str, typer.Option(metavar="30s", help="How long to wait.")] = "30s",
    seal: Annotated[
        str | None,
        typer.Option(
            metavar="S", help="In place of --to: read when this seal opens.", autocompletion=seal_names
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """Send a private transaction: sealed here, with the sender's own keys, and proved to be ordered."""
    if (seal is None) == (not to):
        raise PrivityError(
            "E-USAGE",
            "say who may read it: either --to or --seal",
            where="privity send",
            why="a seal says itself who reads it, and when",
            next="privity show seal S shows one",
            exit_code=WRONG_USAGE,
        )
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    reading.party(sender, "--as")
    names = [name.strip() for each in to or () for name in each.split(",")]
    readers = tuple(dict.fromkeys(reading.party(name, "--to") for name in names))
    if seal is not None and object_ is not None:
        raise PrivityError(
            "E-USAGE",
            "--object and --seal exclude each other",
            why="nobody could judge the write before the seal is opened, and later writes would wait for it",
            next="send it under the seal without --object, and write the object once it is open",
            exit_code=WRONG_USAGE,
        )
    if seal is not None:
        find_seal(reading.network, seal)
    fields = read_fields(settings or [], data, sys.stdin.buffer)
    if object_ is not None:
        check_name(object_, "--object")
        fields |= writing(object_, expects or 0)
    elif expects is not None:
        raise PrivityError(
            "E-USAGE", "--expects needs --object NAME beside it", where="--expects", exit_code=WRONG_USAGE
        )
    if identifier is not None:
        check_label(reading, identifier, public_words(fields))
    refuse_stopped(reading)
    whom = reading.network.with_mandatory(sender, readers)
    order = Order(sender, whom, fields, identifier or "", keep or 0, redisclose, seal or "")
    receipt = asyncio.run(send(reading, order, reading.keys(sender), wait=not no_wait, timeout_s=timeout_s))
    if not receipt.own_node_answered:
        print(f"! {sender}'s own node does not answer; the others were asked", file=sys.stderr)
    lines, document = receipt_lines(reading, receipt), receipt_document(reading, receipt)
    judged = None
    if object_ is not None and not no_wait:
        # What the sender's own node makes of it: it is of the audience, and needs no other's word.
        judged = outcome_of(reading.folder.node(sender), receipt.tx, OUTCOME_S)
        lines.append(_line("object", f"{clean(object_)}: {short_outcome(judged)}"))
        lines.append(_line("", f"next  privity show object {shlex.quote(object_)} --as {sender}"))
        document["object"] = None if judged is None else judged.outcome
        document["version"] = None if judged is None else judged.version
    spell = needs_ascii(sys.stdout, ascii_only)
    with quiet_pipe():
        if as_json:
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        else:
            print("\n".join(plain(line, ascii_only=spell) for line in lines))
    if judged is not None and judged.outcome != APPLIED:
        raise typer.Exit(CHECK_FAILED)


def receipt_lines(reading: RunReading, receipt: Receipt) -> list[str]:
    """What a user sees of a transaction that was sent."""
    order = receipt.order
    readers = [order.sender, *order.to]
    others = [name for name in reading.network.names if name not in readers]
    on_chain = reading.network.consortium.policy.payload == "on_chain"
    count = f"{len(order.to)} reader{'' if len(order.to) == 1 else 's'}"
    whom = f"for {count} ({', '.join(order.to)}) and yourself" if order.to else "for yourself only"
    under = reading.network.seals.get(order.seal)
    if under is not None:
        count = f"{under.threshold} of {len(under.openers)} openers ({', '.join(under.openers)})"
        whom = f"under {under.name}: {count} open it to {', '.join(under.then_to)}"
    lines = [_line("sealed", f"{whom}; padded to {receipt.size_bytes} B")]
    proof = receipt.proof
    if proof is None:
        lines.append(_line("ordered", "not waited for: the broker has it, and no proof was asked for"))
    else:
        need = quorum(reading.network.n)
        commit = (
            f"signed by {len(proof.certificate.signatures)} of {reading.network.n} voters (quorum {need})"
        )
        ordered = f"block {proof.header.height} · view {proof.certificate.view} · {commit}"
        lines.append(f"{_line('ordered', ordered):<{_WIDTH}} {receipt.took_ms} ms")
        executed = f"hash signed by {len(proof.block_certificate.signatures)} of {reading.network.n} voters"
        lines.append(_line("block", f"{short_id(proof.header.hash())}…  {executed} (quorum {need})"))
    holding = others if on_chain else []
    if under is not None:
        keepers = reading.network.keepers(under, order.sender)
        holding = [name for name in others if name in keepers or on_chain]
        others = [name for name in others if name not in holding]
        lines += _under_seal(reading, receipt, under)
    elif order.to and on_chain:
        verb = "opens" if len(order.to) == 1 else "open"
        lines.append(
            _line(
                "delivered",
                f"with the ledger, as ciphertext to every node; {', '.join(order.to)} {verb} it there"
                " once the block has come",
            )
        )
    elif order.to:
        signed = f"{', '.join(receipt.receipts)} signed for it before it was ordered"
        later = [name for name in order.to if name not in receipt.receipts]
        rest = f"; {', '.join(later)} may still lack it" if later else ""
        lines.append(_line("delivered", f"to its readers' nodes alone: {signed}{rest}"))
    if order.keep:
        blocks = "1 block" if order.keep == 1 else f"{order.keep} blocks"
        lines.append(_line("kept", f"for {blocks} after its own; then every node erases it"))
    if order.redisclose != FREE:
        lines.append(_line("rule", RULE_WORDS[order.redisclose]))
    rest = f"         ciphertext, no key   {', '.join([*holding, 'broker'])}"
    rest += f"         commitment only   {', '.join(others)}" if others and not on_chain else ""
    lines.append(_line("content", f"{', '.join(readers)}{rest}"))
    hidden = "   hidden: recipients" if under is None else " Who will read it is in the policy."
    lines.append(_line("metadata", f"everyone: sender, time, padded size.{hidden}"))
    reader = order.to[0] if order.to else order.sender
    digits = f"{short_id(receipt.tx)}…"
    lines.append(_line("tx", f"{digits}          next  privity show tx {receipt.name} --as {reader}"))
    return lines


def _under_seal(reading: RunReading, receipt: Receipt, seal: Seal) -> list[str]:
    proof, lines = receipt.proof, []
    if receipt.receipts:
        lines.append(_line("delivered", f"ciphertext to {', '.join(receipt.receipts)}, signed for; no key"))
    if proof is not None and seal.is_open(
        proof.header.height, proof.header.time_ms - reading.network.created_ms
    ):
        text = f"refused: {seal.name} was open at {seal.opens}   E-SEAL-LATE"
        lines.append(_line("late", text))
    return lines


def receipt_document(reading: RunReading, receipt: Receipt) -> dict[str, Any]:
    """The same as a document of schema `privity.send/1`."""
    proof, names = receipt.proof, reading.network.names
    order = receipt.order
    ordered: dict[str, Any] | None = None
    if proof is not None:
        ordered = {
            "height": proof.header.height,
            "view": proof.certificate.view,
            "block": proof.header.hash().hex(),
            "quorum": quorum(reading.network.n),
            "voters": reading.network.n,
            "commit_signers": [names[replica] for replica, _ in proof.certificate.signatures],
            "block_signers": [names[replica] for replica, _ in proof.block_certificate.signatures],
            "took_ms": receipt.took_ms,
        }
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "tx": receipt.tx.hex(),
        "id": order.label or None,
        "as": order.sender,
        "to": list(order.to),
        "size_bytes": receipt.size_bytes,
        "slots": receipt.slots,
        "keep": order.keep or None,
        "redisclose": order.redisclose,
        "seal": order.seal or None,
        "ordered": ordered,
    }


def _line(word: str, text: str) -> str:
    return f"{word:<11}{text}"


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("send")(send_command)
