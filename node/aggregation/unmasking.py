"""What a member, or the coordinator, makes of the releases: the total, or who kept it from coming out.

Nobody is believed. A share counts when it meets its commitment, a seed or key when it meets its own: so all
who open enough releases get one total, whichever of them they can open, and a wrong one has an author.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest

from node.aggregation.boxes import KEY, SEED, Released, open_release, seed_commit, share_commit, total_salt
from node.aggregation.masks import pair_mask, public_half, self_mask, signed
from node.aggregation.rounds import Round
from node.aggregation.sharing import combine
from node.envelopes.wrapping import WrappingKey


@dataclass(slots=True, repr=False)
class Unmasked:
    """`total` is None as long as it cannot be told; `salt` is that of its hash. `liars` by name, with why."""

    total: int | None = None
    salt: bytes = b""
    liars: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Unmasked(secret)"


def unmask(at: Round, name: str, share_key: WrappingKey) -> Unmasked:
    """What one of the audience makes of all that is released so far."""
    found = Unmasked()
    place = at.audience.index(name)
    seed_shares: dict[str, dict[int, bytes]] = {each: {} for each in at.present}
    key_shares: dict[str, dict[int, bytes]] = {each: {} for each in at.absent}
    for releaser, deed in at.releases.items():
        opened = open_release(at.id, releaser, share_key, deed.wraps[place], deed.body)
        why = "released what cannot be opened" if opened is None else _wrong(at, releaser, opened)
        if opened is None or why:
            found.liars[releaser] = why
            continue
        index = at.members.index(releaser) + 1
        for wanted, given in ((seed_shares, opened.seeds), (key_shares, opened.keys)):
            for dealer, share in given:
                if len(wanted[dealer]) < at.needed:
                    wanted[dealer][index] = share
    if any(len(each) < at.needed for each in (*seed_shares.values(), *key_shares.values())):
        return found
    seeds = {dealer: combine(shares) for dealer, shares in seed_shares.items()}
    keys = {dealer: combine(shares) for dealer, shares in key_shares.items()}
    liars = [name for name in at.dealers if not _is_secret(at, name, seeds.get(name), keys.get(name))]
    found.liars |= dict.fromkeys(liars, "dealt shares that do not give what it committed to")
    if not liars:
        found.total, found.salt = _total(at, seeds, keys), total_salt(at.id, seeds)
    return found


def _wrong(at: Round, releaser: str, opened: Released) -> str:
    """Why this release counts for nothing, or nothing."""
    seeds, keys = [name for name, _ in opened.seeds], [name for name, _ in opened.keys]
    if seeds != sorted(set(seeds)) or keys != sorted(set(keys)):
        return "released a share twice"
    if not set(seeds) <= set(at.present) or not set(keys) <= set(at.absent):
        return "released shares that the present set forbids"
    place = at.members.index(releaser)
    for kind, given in ((SEED, opened.seeds), (KEY, opened.keys)):
        for dealer, share in given:
            wanted = at.deals[dealer].commits[place][kind == KEY]
            if not compare_digest(share_commit(at.id, dealer, releaser, kind, share), wanted):
                return "released a share that it was not dealt"
    return ""


def _is_secret(at: Round, dealer: str, seed: bytes | None, key: bytes | None) -> bool:
    if seed is not None:
        return compare_digest(seed_commit(at.id, dealer, seed), at.deals[dealer].seed)
    assert key is not None
    return compare_digest(public_half(key), at.joined[dealer].mask_key)


def _total(at: Round, seeds: dict[str, bytes], keys: dict[str, bytes]) -> int:
    """The sum of the masked values, less every mask that does not cancel."""
    total = sum(at.values[name].masked for name in at.present)
    total -= sum(self_mask(seed, at.id, name) for name, seed in seeds.items())
    for name, key in keys.items():
        for other in at.present:
            mask = pair_mask(key, at.joined[other].mask_key, at.id)
            total -= mask if other < name else -mask
    return signed(total)
