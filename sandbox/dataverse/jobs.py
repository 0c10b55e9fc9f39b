"""System jobs of webhooks and queues: what survives a restart, and their public side as rows of asyncoperation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.dataverse.rules import reference
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Store

_TABLE = """
CREATE TABLE IF NOT EXISTS _job (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, step_id TEXT NOT NULL, endpoint_id TEXT NOT NULL,
  auto_delete INTEGER NOT NULL, message TEXT NOT NULL, table_name TEXT NOT NULL, row_id TEXT NOT NULL,
  correlation_id TEXT NOT NULL, body BLOB NOT NULL, oversize INTEGER NOT NULL, copies INTEGER NOT NULL,
  due REAL NOT NULL, held INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT);
CREATE INDEX IF NOT EXISTS _job_ready ON _job (state, seq);
"""
READY, SUCCEEDED, FAILED, LOST = "ready", "succeeded", "failed", "lost"
_EXECUTE_WEBHOOK = 1
_UNEXPECTED = -2147220970


@dataclass(frozen=True)
class Job:
    """One call to be made, or one message to be sent.

    `due`: seconds since the epoch; `held`: may go once a later job has gone.
    """

    id: str
    step_id: str
    endpoint_id: str
    auto_delete: bool
    message: str
    table: str
    row_id: str
    correlation_id: str
    body: bytes
    oversize: bool
    copies: int = 1
    due: float = 0.0
    held: bool = False
    state: str = READY
    attempts: int = 0


class Jobs:
    """The queue in SQLite. A job leaves READY only when its call has ended, so a crash loses none."""

    def __init__(self, store: Store, asyncoperation: Table) -> None:
        self._store = store
        self._asyncoperation = asyncoperation
        store.db.executescript(_TABLE)

    def add(self, job: Job, step_name: str, created_on: str, created_by: str) -> None:
        """Queue the job; one that is lost on purpose leaves no public row."""
        columns = vars(job) | {"table_name": job.table}
        del columns["table"]
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self._store.db.execute(f"INSERT INTO _job ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
        if job.state != LOST:
            self._announce(job, step_name, created_on, created_by)

    def _announce(self, job: Job, step_name: str, created_on: str, created_by: str) -> None:
        row = {
            "asyncoperationid": job.id,
            "name": step_name,
            "operationtype": _EXECUTE_WEBHOOK,
            "messagename": job.message,
            "primaryentitytype": job.table,
            "correlationid": job.correlation_id,
            "retrycount": 0,
            "statecode": 0,
            "statuscode": 0,
            "createdon": created_on,
            "modifiedon": created_on,
            "versionnumber": self._store.next_version(),
            **reference("createdby", "systemuser", created_by),
            **reference("modifiedby", "systemuser", created_by),
            **reference("owningextensionid", "sdkmessageprocessingstep", job.step_id),
        }
        self._store.insert(self._asyncoperation, row)

    def ready(self, now: float, limit: int) -> list[Job]:
        """The oldest jobs that may be sent now."""
        sql = f"""SELECT * FROM _job WHERE state = '{READY}' AND (due <= ? OR (held AND seq < (
                    SELECT max(seq) FROM _job WHERE state IN ('{SUCCEEDED}', '{FAILED}')))) ORDER BY seq LIMIT ?"""  # noqa: S608
        return [_job(dict(row)) for row in self._store.db.execute(sql, (now, limit))]

    def waiting(self) -> int:
        """How many jobs are not sent yet."""
        return int(self._store.db.execute("SELECT count(*) FROM _job WHERE state = ?", (READY,)).fetchone()[0])

    def postpone(self, job: Job, attempts: int, due: float, modified_on: str) -> None:
        """The job waits: it is due again at that time."""
        waiting = {
            "statecode": 1,
            "statuscode": 10,
            "retrycount": attempts,
            "modifiedon": modified_on,
            "versionnumber": self._store.next_version(),
        }
        with self._store.transaction():
            self._store.db.execute("UPDATE _job SET attempts = ?, due = ? WHERE id = ?", (attempts, due, job.id))
            self._store.update(self._asyncoperation, job.id, waiting)

    def finish(self, job: Job, attempts: int, error: str | None, completed_on: str) -> None:
        """Close the job: a success may delete its public row, a failure is kept there with its reason."""
        state = SUCCEEDED if error is None else FAILED
        sql = "UPDATE _job SET state = ?, attempts = ?, error = ? WHERE id = ?"
        with self._store.transaction():
            self._store.db.execute(sql, (state, attempts, error, job.id))
            if error is None and job.auto_delete:
                self._store.delete(self._asyncoperation, job.id, completed_on)
            else:
                self._store.update(self._asyncoperation, job.id, self._outcome(error, attempts, completed_on))

    def _outcome(self, error: str | None, attempts: int, completed_on: str) -> dict[str, Any]:
        return {
            "statecode": 3,
            "statuscode": 30 if error is None else 31,
            "friendlymessage": error,
            "message": error,
            "errorcode": None if error is None else _UNEXPECTED,
            "retrycount": attempts - 1,
            "completedon": completed_on,
            "modifiedon": completed_on,
            "versionnumber": self._store.next_version(),
        }

    def listing(self) -> list[dict[str, Any]]:
        """Every job in order, without its body."""
        columns = (
            "seq, id, step_id, message, table_name AS 'table', row_id, state, attempts, error, length(body) AS bytes"
        )
        return [dict(row) for row in self._store.db.execute(f"SELECT {columns} FROM _job ORDER BY seq")]  # noqa: S608

    def clear(self) -> None:
        self._store.db.execute("DELETE FROM _job")


def _job(row: dict[str, Any]) -> Job:
    return Job(
        id=row["id"],
        step_id=row["step_id"],
        endpoint_id=row["endpoint_id"],
        auto_delete=bool(row["auto_delete"]),
        message=row["message"],
        table=row["table_name"],
        row_id=row["row_id"],
        correlation_id=row["correlation_id"],
        body=row["body"],
        oversize=bool(row["oversize"]),
        copies=row["copies"],
        due=row["due"],
        held=bool(row["held"]),
        state=row["state"],
        attempts=row["attempts"],
    )
