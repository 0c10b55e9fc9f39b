"""The journal sealed day by day, and proved: no line changed, no chain missing or cut, no seal missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from shared.ports import SealedDay
from shared.stores.journal_archive import BlobArchive, StoredChain
from shared.stores.journal_line import UnreadableLineError, decode, hash_of
from shared.stores.journal_seal import Seal, SealedChain
from shared.stores.journal_seal import decode as decode_seal
from shared.stores.journal_seal import encode as encode_seal

# A day is sealed when no work that began in it can still be writing, and no clock is so wrong.
SEALED_AFTER = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Proof:
    """What was looked at, and what is wrong with it: ids and places, in words. `seal`: the hash of the newest seal."""

    chains: int = 0
    entries: int = 0
    sealed_days: int = 0
    seal: str = ""
    faults: list[str] = field(default_factory=list)


class ChainCheck:
    """Follows one chain line by line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries = 0
        self.head = ""

    def take(self, line: bytes) -> str | None:
        """What is wrong with the next line, if anything."""
        self.entries += 1
        previous, self.head = self.head, hash_of(line)
        place = f"{self.name}:{self.entries}"
        try:
            link = decode(line)
        except UnreadableLineError as error:
            return f"{place}: unreadable ({error})"
        if link.chain != self.name:
            return f"{place}: it belongs to another chain"
        if link.number != self.entries:
            return f"{place}: it is number {link.number}"
        if link.previous != previous:
            return f"{place}: the line before is not the one it was written after"
        return None


class BlobSeals:
    """Implements `shared.ports.JournalSeals`."""

    def __init__(self, archive: BlobArchive) -> None:
        self._archive = archive

    def seal(self, now: datetime) -> AsyncIterator[SealedDay]:
        """Raises Retry, Uncertain."""
        return seal_days(self._archive, now)


async def seal_days(archive: BlobArchive, now: datetime) -> AsyncIterator[SealedDay]:
    """Every day that is over and has no seal, from the first one of the journal on. Raises Retry, Uncertain.

    A day with faults is sealed as it is: what follows must not lie open because of it.
    """
    last = await archive.last_seal()
    day = last[0] + DAY if last else await _first_day(archive)
    previous = hash_of(last[1]) if last else ""
    while day is not None and day < (now - SEALED_AFTER).date():
        chains, faults = await _sealed(archive, day)
        content = encode_seal(Seal(day, previous, chains))
        if not await archive.store_seal(day, content):
            return  # another process is at it
        previous = hash_of(content)
        yield SealedDay(day, previous, sum(chain.entries for chain in chains), tuple(faults))
        day += DAY


async def prove(archive: BlobArchive, now: datetime, anchor: str | None = None) -> Proof:
    """The whole journal. `anchor`: a seal's hash noted elsewhere, which must be among the seals. Raises Retry."""
    proof, seals = Proof(), _Seals()
    async for name, content in archive.seals():
        proof.faults += [f"{name}: {fault}" for fault in seals.take(content)]
    proof.sealed_days, proof.seal = len(seals.hashes), seals.newest
    if anchor is not None and anchor not in seals.hashes:
        proof.faults.append(f"no seal has the hash {anchor}: seals were removed or written anew")
    missing = set(seals.chains)
    async for chain in archive.chains():
        check = ChainCheck(chain.name)
        proof.faults += [fault async for fault in _followed(archive, chain, check)]
        proof.faults += [f"{chain.name}: {fault}" for fault in seals.faults_of(chain, check, now)]
        proof.chains += 1
        proof.entries += check.entries
        missing.discard(chain.name)
    proof.faults += [f"{name}: the chain is missing" for name in sorted(missing)]
    return proof


class _Seals:
    """The chain of seals as far as it was followed, and what they say of the entries' chains."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.chains: dict[str, SealedChain] = {}
        self._last: Seal | None = None

    @property
    def newest(self) -> str:
        return self.hashes[-1] if self.hashes else ""

    def take(self, content: bytes) -> Iterator[str]:
        """The next seal, and what is wrong with it."""
        before, last = self.newest, self._last
        self.hashes.append(hash_of(content))
        try:
            seal = self._last = decode_seal(content)
        except UnreadableLineError as error:
            yield str(error)
            return
        self.chains.update((chain.name, chain) for chain in seal.chains)
        if seal.previous != before:
            yield "the seal before is missing, or is not the one it was written after"
        if last is not None and seal.day != last.day + DAY:
            yield f"the seals of the days after {last.day} are missing"

    def faults_of(self, chain: StoredChain, check: ChainCheck, now: datetime) -> Iterator[str]:
        """What the chain's seal says otherwise; a day that is long over must have one."""
        sealed = self.chains.get(chain.name)
        if sealed is not None:
            if (chain.size, check.entries, check.head) != (sealed.size, sealed.entries, sealed.head):
                yield f"not as it was sealed: {sealed.entries} entries then, {check.entries} now"
        elif self._last is not None and chain.day <= self._last.day:
            yield "not in its day's seal"
        elif chain.day < (now - SEALED_AFTER - DAY).date():
            yield "its day has no seal: the timer journal_seal did not run, or seals were removed"


async def stored_lines(archive: BlobArchive, since: date | None, until: date | None) -> AsyncIterator[bytes]:
    """Every line of the days from `since` to `until`, both included, exactly as stored, day by day. Raises Retry."""
    async for chain in archive.chains():
        if (since is None or chain.day >= since) and (until is None or chain.day <= until):
            async for line in archive.lines(chain):
                yield line


async def _first_day(archive: BlobArchive) -> date | None:
    async for chain in archive.chains():
        return chain.day
    return None


async def _sealed(archive: BlobArchive, day: date) -> tuple[tuple[SealedChain, ...], list[str]]:
    chains: list[SealedChain] = []
    faults: list[str] = []
    async for chain in archive.chains(day):
        check = ChainCheck(chain.name)
        faults += [fault async for fault in _followed(archive, chain, check)]
        chains.append(SealedChain(chain.name, chain.size, check.entries, check.head))
    return tuple(chains), faults


async def _followed(archive: BlobArchive, chain: StoredChain, check: ChainCheck) -> AsyncIterator[str]:
    async for line in archive.lines(chain):
        fault = check.take(line)
        if fault is not None:
            yield fault
