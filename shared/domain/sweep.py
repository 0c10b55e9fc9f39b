"""Where the sweep of one table stands, and what the next page makes of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """`BEGIN`: the table is read once for its first token, and nothing is hinted: the first load is a resync.

    `FOLLOW`: from token to token. `ROWS`, then `LEDGER`: the full compare after a token that was refused; first every
    row that Dynamics has, then every record that the ledger knows.
    """

    BEGIN = "begin"
    FOLLOW = "follow"
    ROWS = "rows"
    LEDGER = "ledger"


@dataclass(frozen=True)
class ChangePage:
    """Ids of one page of tracked changes. `next`: what to ask for afterwards; `last`: that is the next pass's token."""

    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    next: str
    last: bool


@dataclass(frozen=True)
class Position:
    """One table's. Everything that was read before it is durable as hints.

    `token`: what the next pass starts from, and `token_at` since when changes are new to it. `page`: the page to ask
    for in the pass under way, which began at `began_at`; None: its first. `etag` None: nothing is stored yet.
    """

    table: str
    phase: Phase = Phase.BEGIN
    page: str | None = None
    token: str | None = None
    token_at: datetime | None = None
    began_at: datetime | None = None
    etag: str | None = None

    @property
    def asks_for(self) -> str | None:
        """The page or token to read next; None: the table from its start."""
        return self.page or (self.token if self.phase is Phase.FOLLOW else None)

    @property
    def at_rest(self) -> bool:
        """Whether a pass has ended and the next one has not begun."""
        return self.phase is Phase.FOLLOW and self.page is None

    def passed(self, page: ChangePage, asked_at: datetime) -> Position:
        """After a page whose hints are durable. A token is of the moment at which its pass began, not ended."""
        began_at = asked_at if self.page is None or self.began_at is None else self.began_at
        if not page.last:
            return replace(self, page=page.next, began_at=began_at)
        after = Phase.LEDGER if self.phase is Phase.ROWS else Phase.FOLLOW
        return replace(self, phase=after, page=None, token=page.next, token_at=began_at, began_at=None)

    def passed_ledger(self, cursor: str | None) -> Position:
        """After a page of the ledger; `cursor` None: that was the last."""
        return replace(self, page=cursor, phase=Phase.FOLLOW if cursor is None else Phase.LEDGER)

    def refused(self) -> Position:
        """Dynamics does not take the page or token any more: from the pass's start, or if that was it, all anew.

        A first reading begins as a first reading again; a token that is too old has changes behind it that nobody can
        list, so everything is compared.
        """
        if self.page is not None:
            return replace(self, page=None)
        return replace(self, phase=Phase.ROWS, token=None, token_at=None, began_at=None)

    def age_s(self, now: datetime) -> float | None:
        """How long ago the token was of its moment; before there is one, how long ago its pass began. None: neither."""
        since = self.token_at or (self.began_at if self.phase is Phase.ROWS else None)
        return None if since is None else (now - since).total_seconds()
