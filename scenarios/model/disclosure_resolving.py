"""What the steps before a disclosure or a request must have done for it to be possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.envelopes.disclosure import RECEIVERS_LIMIT, select_paths
from node.envelopes.fields import flatten
from node.errors import PrivityError
from scenarios.model.complaints import Complaints
from scenarios.model.disclosure_steps import LATEST_REQUEST
from scenarios.model.disclosures import Ask, Disclose, latest_request
from scenarios.model.payloads import telling_words
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario
from scenarios.model.seals import unsealed_to
from scenarios.model.source import Path
from scenarios.model.starts import comes_before
from scenarios.model.wording import listed, shown


def check_disclosures(
    scenario: Scenario,
    steps: Mapping[int, Disclose | Ask],
    sends: Sequence[PlannedSend],
    complaints: Complaints,
) -> None:
    """Complain about disclosures that cannot be: `steps` by place in the file, `sends` as drawn."""
    by_id = {send.id: send for send in sends}
    asked = [step for step in steps.values() if isinstance(step, Ask)]
    for index, step in steps.items():
        place: Path = ("steps", index)
        send = by_id.get(step.tx)
        if send is None:
            complaints.at((*place, "tx"), "E-TX", "one transaction is needed here, like traffic-0001")
            continue
        if comes_before(send, step) is False:
            what = "disclosure" if isinstance(step, Disclose) else "request"
            complaints.at((*place, "tx"), "E-VALUE", f"{step.tx} is not sent before this {what}")
        if any(word in step.reason for word in telling_words(send.fields)):
            message = "this reason holds a value of the payload, and everybody can read it"
            complaints.at((*place, "reason"), "E-PRIVATE", message)
        if isinstance(step, Disclose):
            _check_disclosure(scenario, step, send, asked, place, complaints)
        elif step.of == step.asker:
            complaints.at((*place, "of"), "E-VALUE", "nobody asks itself; name another party")


def _check_disclosure(
    scenario: Scenario,
    step: Disclose,
    send: PlannedSend,
    asked: Sequence[Ask],
    place: Path,
    complaints: Complaints,
) -> None:
    able = (send.sender, *send.readers, *unsealed_to(scenario, send, step.at_ms))
    if step.discloser not in able:
        message = f"{step.discloser} may not read {step.tx}, so it cannot show it; {listed(able, 'or')} can"
        complaints.at((*place, "as"), "E-NOT-PARTY", message)
    if not step.receivers:
        complaints.at((*place, "to"), "E-VALUE", "there is nobody else to show it to")
    if len(step.receivers) > RECEIVERS_LIMIT:
        message = f"{len(step.receivers)} receivers; at most {RECEIVERS_LIMIT} are possible"
        complaints.at((*place, "to"), "E-LIMIT", message)
    if step.fields is not None:
        try:
            select_paths([path for path, _ in flatten(send.fields)], step.fields)
        except PrivityError as error:
            complaints.at((*place, "fields"), error.code, f"{error.what}: {error.where}")
    if step.answers and latest_request(step, asked) is None:
        wanted = "no request" if step.answers == LATEST_REQUEST else f"{shown(step.answers)} is no request"
        message = f"{wanted} for {step.tx} by a receiver to {step.discloser} before this disclosure"
        complaints.at((*place, "answers"), "E-ID", message)
