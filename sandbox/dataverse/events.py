"""What a write tells the event pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.dataverse.operation import Operation
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import Row


@dataclass(frozen=True)
class Event:
    """One row written by one message: Create has no `before`, Delete no `after`.

    `submitted`: columns as the caller sent them; `changed`: also those that the platform added.
    """

    message: str
    table: Table
    row_id: str
    before: Row | None
    after: Row | None
    submitted: Row
    changed: Row
    operation: Operation


Publish = Callable[[Event], None]
