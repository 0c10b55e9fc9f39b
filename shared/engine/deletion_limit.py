"""The hourly limit of deletions, of all processes together."""

from __future__ import annotations

from shared.domain.change import Hint, Lane
from shared.domain.mapping import Mapping
from shared.errors import Halt, Reason, Retry
from shared.ports import Ports


async def take(ports: Ports, mapping: Mapping, hint: Hint) -> None:
    """Count one more deletion. Raises Halt or Retry where the hour's are used up.

    Only the deletion lane halts: a deletion met in another lane must not hold back upserts.
    """
    if await ports.deletions.take(mapping.table, mapping.deletes_per_hour):
        return
    if hint.lane is Lane.CONTACT_DELETE:
        raise Halt(Reason.DELETE_LIMIT)
    raise Retry(Reason.DELETE_LIMIT, after_s=600 * ports.random.uniform(1, 2))
