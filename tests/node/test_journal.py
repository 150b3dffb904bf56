"""The journal: what a node remembers survives every kind of end, and damage is never taken for the past."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from consensus.certificates import PreparedCertificate
from consensus.messages import Proposal
from consensus.output import PreparedRecord, ProposalRecord, VoteRecord
from consensus.votes import Batch, Prepare, PrePrepare
from node.chain.journal import HEAD_BYTES, MAGIC, Journal, JournalRecord
from node.envelopes.keys import SigningKey
from node.errors import CATALOGUE, PrivityError
from tests.node.small_consortium import seeded

NETWORK = sha256(b"journal").digest()
KEY = SigningKey.generate(seeded("journal"))


def vote(sequence: int) -> VoteRecord:
    message = Prepare(0, 0, sequence, sha256(b"%d" % sequence).digest(), 1)
    return VoteRecord(message, KEY.sign(b"%d" % sequence))


def proposal(sequence: int, requests: int = 1) -> ProposalRecord:
    batch = Batch(sequence, 0, 5, (sha256(b"request").digest(),) * requests)
    return ProposalRecord(
        Proposal(PrePrepare(0, 0, sequence, batch.digest(), 0), KEY.sign(batch.digest()), batch)
    )


RECORDS: list[JournalRecord] = [proposal(1), vote(1), proposal(2), vote(2)]


def read_back(path: Path, network: bytes = NETWORK) -> list[JournalRecord]:
    with closing(Journal(path, network)) as journal:
        return [record for _, record in journal.replay()]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A journal with RECORDS in it."""
    path = tmp_path / "journal"
    with closing(Journal(path, NETWORK)) as journal:
        list(journal.replay())
        for record in RECORDS:
            journal.append(record)
        journal.sync()
    yield path


def ends(path: Path) -> list[int]:
    """Where each record ends, the header of the file being the first."""
    with closing(Journal(path, NETWORK)) as journal:
        offsets = [offset for offset, _ in journal.replay()]
        return [*offsets, journal.end]


def test_what_was_appended_is_replayed_in_order(written: Path) -> None:
    """A journal gives back what was put into it, in the same order."""
    assert read_back(written) == RECORDS


def test_an_offset_leads_back_to_its_record(written: Path) -> None:
    """`append` and `replay` give the same offsets, and `read` finds the record there."""
    with closing(Journal(written, NETWORK)) as journal:
        found = list(journal.replay())
        at = journal.append(vote(3))
        assert [journal.read(offset) for offset, _ in found] == RECORDS
        assert journal.read(at) == vote(3)


def test_appending_goes_on_after_a_replay(written: Path) -> None:
    """What is appended after a restart follows what was there before."""
    with closing(Journal(written, NETWORK)) as journal:
        list(journal.replay())
        journal.append(vote(3))
    assert read_back(written) == [*RECORDS, vote(3)]


def test_a_record_cut_short_at_the_end_is_forgotten_at_every_length(written: Path) -> None:
    """Cut at any length, the journal gives the whole records before the cut and can be appended to (R21)."""
    data, borders = written.read_bytes(), ends(written)
    for length in range(len(data)):
        written.write_bytes(data[:length])
        whole = sum(length >= border for border in borders[1:])
        with closing(Journal(written, NETWORK)) as journal:
            assert [record for _, record in journal.replay()] == RECORDS[:whole], length
            assert journal.is_new == (length < borders[0])
            journal.append(vote(9))
        assert read_back(written) == [*RECORDS[:whole], vote(9)], length


def test_a_flipped_bit_is_damage_wherever_it_is(written: Path) -> None:
    """One wrong bit anywhere in whole records makes the journal refuse, and none is ever cut off (R21)."""
    data = written.read_bytes()
    for place in range(len(data)):
        flipped = data[place] ^ (1 << place % 8)
        written.write_bytes(data[:place] + bytes([flipped]) + data[place + 1 :])
        with pytest.raises(PrivityError) as refused:
            read_back(written)
        assert refused.value.code == "E-JOURNAL"
        assert len(written.read_bytes()) == len(data)


def test_a_flipped_byte_in_an_unfinished_record_is_never_believed(written: Path) -> None:
    """In a record that was cut short a wrong byte leads to a cut or to a refusal, never to a record."""
    borders = ends(written)
    data = written.read_bytes()[:-5]
    for place in range(borders[-2], len(data)):
        written.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            assert read_back(written) == RECORDS[:-1]
        except PrivityError as error:
            assert error.code == "E-JOURNAL"
            assert place < borders[-2] + HEAD_BYTES


def test_damage_found_while_running_is_told_too(written: Path) -> None:
    """A record that changed on the disk after the start is refused when it is read."""
    with closing(Journal(written, NETWORK)) as journal:
        offsets = [offset for offset, _ in journal.replay()]
        data = bytearray(written.read_bytes())
        data[offsets[1] + HEAD_BYTES + 3] ^= 1
        written.write_bytes(data)
        with pytest.raises(PrivityError, match="E-JOURNAL"):
            journal.read(offsets[1])
        assert journal.read(offsets[2]) == RECORDS[2]


def test_another_networks_journal_is_refused(written: Path) -> None:
    """A journal belongs to one network: votes of another mean nothing here."""
    with pytest.raises(PrivityError, match="E-JOURNAL"):
        read_back(written, sha256(b"another").digest())


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    """What does not begin like a journal is neither read nor overwritten."""
    for content in (b"something", b"x" * 500, MAGIC[:-1] + b"?"):
        path = tmp_path / "journal"
        path.write_bytes(content)
        with pytest.raises(PrivityError, match="E-JOURNAL"):
            read_back(path)
        assert path.read_bytes() == content


def test_a_record_of_an_unknown_kind_is_damage(written: Path) -> None:
    """Bytes with good checksums that are no record of ours are refused: who wrote them?"""
    with closing(Journal(written, NETWORK)) as journal:
        list(journal.replay())
        journal.append(Batch(1, 0, 0, ()))  # type: ignore[arg-type]
    with pytest.raises(PrivityError, match="E-JOURNAL"):
        read_back(written)


def test_only_one_process_has_a_journal(written: Path) -> None:
    """A journal in use is refused to a second node, which could only contradict the first."""
    with closing(Journal(written, NETWORK)):
        with pytest.raises(PrivityError, match="another process") as refused:
            Journal(written, NETWORK)
        assert refused.value.code == "E-JOURNAL"
        with closing(Journal.open_read_only(written, NETWORK)) as reader:
            assert [record for _, record in reader.replay()] == RECORDS
    assert read_back(written) == RECORDS


def test_a_reader_beside_the_node_changes_nothing(written: Path) -> None:
    """A read-only journal stops at a record that is being written, and leaves the file as it is."""
    data = written.read_bytes()[:-3]
    written.write_bytes(data)
    with closing(Journal.open_read_only(written, NETWORK)) as reader:
        assert [record for _, record in reader.replay()] == RECORDS[:-1]
    assert written.read_bytes() == data


def test_only_what_was_appended_is_synced(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync makes all that was appended durable; with nothing appended it costs nothing."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with closing(Journal(written, NETWORK)) as journal:
        list(journal.replay())
        # What a process that died had written and not synced is made durable before anything is repeated.
        assert synced == [written.stat().st_size]
        synced.clear()
        journal.sync()
        assert synced == []
        journal.append(vote(3))
        journal.append(vote(4))
        assert synced == []
        journal.sync()
        journal.sync()
        assert synced == [journal.end]


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The file has mode 600 from its first moment."""
    path = tmp_path / "journal"
    read_back(path)
    assert path.stat().st_mode & 0o777 == 0o600


FULL_DISK = """
import resource, signal, sys
from contextlib import closing
from pathlib import Path
from node.chain.journal import Journal
from tests.node.test_journal import NETWORK, proposal, vote
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, room = Path(sys.argv[1]), int(sys.argv[2])
with closing(Journal(path, NETWORK)) as journal:
    list(journal.replay())
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.end + room, resource.RLIM_INFINITY))
    try:
        journal.append(proposal(3, requests=60))
    except OSError as error:
        print("refused", error.errno)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append(vote(4))
    journal.sync()
"""


@pytest.mark.parametrize("room", [0, HEAD_BYTES, 1800])
def test_half_a_record_does_not_stay_in_the_way(written: Path, room: int) -> None:
    """When the disk takes only a part of a record, that part goes, and the next record has its
    place (R21).
    """
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(written), str(room)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused")
    assert read_back(written) == [*RECORDS, vote(4)]


def test_the_refusals_can_be_explained() -> None:
    """The codes that a journal and a genesis file are refused with are in the catalogue."""
    assert {"E-JOURNAL", "E-GENESIS", "E-DISK"} <= set(CATALOGUE)


def test_a_prepared_record_comes_back_whole(tmp_path: Path) -> None:
    """The certificate of a prepared record is kept with each of its signatures."""
    digest = sha256(b"batch").digest()
    signatures = tuple((replica, KEY.sign(bytes([replica]))) for replica in (1, 2))
    record = PreparedRecord(PreparedCertificate(0, 0, 7, digest, 0, KEY.sign(digest), signatures))
    path = tmp_path / "journal"
    with closing(Journal(path, NETWORK)) as journal:
        list(journal.replay())
        journal.append(record)
    assert read_back(path) == [record]
