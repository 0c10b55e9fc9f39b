"""dlt brings contacts of the Dataverse stand-in into Campaign's, by a destination of our own; run by bench.resync.

It does what one would write by hand: page after page is read, each row is posted, and one that is there already is
patched. dlt may work on twenty files of fifty rows at once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import requests

PAGE_ROWS, FILE_ROWS, WORKERS = 500, 50, 20
FIELDS = {
    "firstName": "firstname",
    "lastName": "lastname",
    "email": "emailaddress1",
    "phone": "telephone1",
    "birthDate": "birthdate",
}
Settings = dict[str, str]
_own = threading.local()


def _session() -> requests.Session:
    """Each thread keeps its connections."""
    if not hasattr(_own, "session"):
        _own.session = requests.Session()
    session: requests.Session = _own.session
    return session


def _token(url: str, form: dict[str, str]) -> str:
    answer = requests.post(url, data=form, timeout=30)
    answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token


def _contacts(settings: Settings, city: str) -> Iterator[list[dict[str, Any]]]:
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["DYNAMICS_CLIENT_ID"],
        "client_secret": settings["DYNAMICS_CLIENT_SECRET"],
        "scope": f"{settings['DYNAMICS_URL']}/.default",
    }
    token = _token(f"{settings['DYNAMICS_AUTHORITY']}/oauth2/v2.0/token", form)
    headers = {"Authorization": f"Bearer {token}", "Prefer": f"odata.maxpagesize={PAGE_ROWS}"}
    columns = ",".join(["contactid", *FIELDS.values()])
    query = f"$select={columns}&$filter=address1_city eq '{city}'"
    url = f"{settings['DYNAMICS_URL']}/api/data/v9.2/contacts?{query}"
    while url:
        answer = requests.get(url, headers=headers, timeout=30)
        answer.raise_for_status()
        page = answer.json()
        yield [{name: row.get(name) for name in ("contactid", *FIELDS.values())} for row in page["value"]]
        url = page.get("@odata.nextLink", "")


def _send(settings: Settings, headers: dict[str, str], row: dict[str, Any]) -> None:
    base = f"{settings['CAMPAIGN_URL']}/profileAndServicesExt/profile"
    document = {field: row[column] for field, column in FIELDS.items() if row.get(column) is not None}
    answer = _session().post(base, json={**document, "externalId": row["contactid"]}, headers=headers, timeout=30)
    if answer.status_code == 500:  # Campaign's word for a key that is taken
        answer = _session().patch(f"{base}/{row['contactid']}", json=document, headers=headers, timeout=30)
    answer.raise_for_status()


def main(file: str, city: str) -> None:
    """Prints how many rows were sent and how long it took, the pipeline's own steps included."""
    settings: Settings = json.loads(Path(file).read_text(encoding="utf-8"))
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["CAMPAIGN_CLIENT_ID"],
        "client_secret": settings["CAMPAIGN_CLIENT_SECRET"],
        "scope": settings.get("CAMPAIGN_SCOPES", "campaign_sdk"),
    }
    token = _token(settings["CAMPAIGN_TOKEN_URL"], form)
    headers = {"Authorization": f"Bearer {token}", "X-Api-Key": settings["CAMPAIGN_CLIENT_ID"]}
    sent: list[int] = []

    @dlt.destination(batch_size=FILE_ROWS, name="campaign")  # type: ignore[untyped-decorator, unused-ignore]
    def campaign(items: Any, table: Any) -> None:  # noqa: ANN401, ARG001 - as dlt calls it
        for row in items:
            _send(settings, headers, row)
        sent.append(len(items))

    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        pipeline = dlt.pipeline("bench", destination=campaign, pipelines_dir=folder)
        pipeline.run(_contacts(settings, city), table_name="contact").raise_on_failed_jobs()
        took = {"rows": sum(sent), "took_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    os.environ |= {
        "DATA_WRITER__FILE_MAX_ITEMS": str(FILE_ROWS),
        "DATA_WRITER__BUFFER_MAX_ITEMS": str(FILE_ROWS),
        "LOAD__WORKERS": str(WORKERS),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
    }
    main(sys.argv[1], sys.argv[2])
