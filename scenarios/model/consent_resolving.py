"""What the steps before a consent or a revocation must have done for it to be possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.envelopes.disclosure import RECEIVERS_LIMIT
from node.envelopes.rule import FORBIDDEN
from scenarios.model.complaints import Complaints
from scenarios.model.consents import OwnersWord
from scenarios.model.payloads import telling_words
from scenarios.model.plan import PlannedSend
from scenarios.model.source import Path
from scenarios.model.starts import comes_before


def check_consents(
    steps: Mapping[int, OwnersWord], sends: Sequence[PlannedSend], complaints: Complaints
) -> None:
    """Complain about words of owners that cannot be: `steps` by place in the file, `sends` as drawn."""
    by_id = {send.id: send for send in sends}
    for index, step in steps.items():
        place: Path = ("steps", index)
        send = by_id.get(step.tx)
        what = "consent" if step.agreed else "revocation"
        whom = (*place, "to" if step.agreed else "of")
        if send is None:
            complaints.at((*place, "tx"), "E-TX", "one transaction is needed here, like traffic-0001")
            continue
        if comes_before(send, step) is False:
            complaints.at((*place, "tx"), "E-VALUE", f"{step.tx} is not sent before this {what}")
        if step.owner != send.sender:
            message = f"{step.owner} did not send {step.tx}; {send.sender} did, and alone has a say in it"
            complaints.at((*place, "as"), "E-NOT-PARTY", message)
        if not step.parties:
            complaints.at(whom, "E-VALUE", "there is nobody else that it could be about")
        if len(step.parties) > RECEIVERS_LIMIT:
            message = f"{len(step.parties)} parties; at most {RECEIVERS_LIMIT} are possible"
            complaints.at(whom, "E-LIMIT", message)
        if step.agreed and send.redisclose == FORBIDDEN:
            message = f"no reader may show {step.tx} to anybody (redisclose: forbidden); its sender can"
            complaints.at((*place, "tx"), "E-CONSENT", message)
        if any(word in step.reason for word in telling_words(send.fields)):
            message = "this reason holds a value of the payload, and everybody can read it"
            complaints.at((*place, "reason"), "E-PRIVATE", message)
