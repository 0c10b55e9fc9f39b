"""`$batch`, change sets, and the actions on many rows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.contract.dataverse.conftest import Answer, Client

SOME_ID = "a3c5e7f9-1122-ef11-840a-6045bd0e1c77"
TYPE = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}


def part(request: str, body: Any = None, content_id: str | None = None, headers: str = "") -> str:
    """One HTTP request as a part, `request` being its first line without the version."""
    mime = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    mime += f"Content-ID: {content_id}\r\n" if content_id else ""
    text = "" if body is None else json.dumps(body)
    return f"{mime}\r\n{request} HTTP/1.1\r\nContent-Type: application/json\r\n{headers}\r\n{text}\r\n"


def joined(mark: str, *parts: str) -> str:
    return "".join(f"--{mark}\r\n{text}" for text in parts) + f"--{mark}--\r\n"


def changeset(*parts: str) -> str:
    return f"Content-Type: multipart/mixed;boundary=cs\r\n\r\n{joined('cs', *parts)}"


async def send(client: Client, *parts: str, **headers: str) -> Answer:
    body = "\r\n" + joined("batch_1", *parts)  # some clients begin with an empty line
    return await client.post("$batch", body, Content_Type="multipart/mixed; boundary=batch_1", **headers)


def statuses(answer: Answer) -> list[int]:
    return [int(status) for status in re.findall(r"^HTTP/1\.1 (\d+)", answer.text, re.MULTILINE)]


async def test_operations_run_in_order_with_relative_and_absolute_urls(admin: Client):
    answer = await send(
        admin,
        part("POST contacts", {"firstname": "a", "contactid": SOME_ID}),
        part(f"GET /api/data/v9.2/contacts({SOME_ID})?$select=firstname"),
        part(f"PATCH {admin.url}/api/data/v9.2/contacts({SOME_ID})", {"firstname": "b"}, headers="If-Match: *\r\n"),
        part(f"DELETE contacts({SOME_ID})"),
    )
    assert (answer.status, statuses(answer)) == (200, [204, 200, 204, 204])
    assert re.match(r"multipart/mixed; boundary=batchresponse_", answer.headers["Content-Type"])
    assert answer.text.startswith("--batchresponse_")
    assert f"OData-EntityId: {admin.url}/api/data/v9.2/contacts({SOME_ID})\r\n" in answer.text
    assert '"firstname": "a"' in answer.text
    counts = (await admin.get("/_sandbox/counters")).json
    assert (counts["http"]["POST $batch"], counts["batches"], counts["batched"]) == (1, 1, 4)


async def test_the_first_error_ends_a_batch(admin: Client):
    parts = part("GET nothing"), part("POST contacts", {"firstname": "a"})
    answer = await send(admin, *parts)
    assert (answer.status, statuses(answer)) == (400, [404])
    answer = await send(admin, *parts, Prefer="odata.continue-on-error")
    assert (answer.status, statuses(answer)) == (200, [404, 204])


async def test_a_change_set_is_written_wholly_or_not_at_all(admin: Client):
    bad = changeset(part("POST contacts", {"firstname": "a"}, "1"), part("POST contacts", {"firstname": 1}, "2"))
    answer = await send(admin, bad, part("POST accounts", {"name": "x"}), Prefer="odata.continue-on-error")
    assert statuses(answer) == [400, 204]
    assert "changesetresponse_" not in answer.text
    assert "Content-ID: 2" in answer.text
    assert (await admin.get("contacts/$count")).text == "0"


async def test_content_ids_refer_to_earlier_rows(admin: Client):
    bind = "parentcustomerid_account@odata.bind"
    answer = await send(
        admin,
        changeset(
            part("POST accounts", {"name": "Acme"}, "7"),
            part("POST contacts", {"firstname": "a", bind: "$7"}, "8"),
            part("PATCH $8", {"lastname": "z"}, "9"),
        ),
    )
    assert statuses(answer) == [204, 204, 204]
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["7", "8", "9"]
    assert "--changesetresponse_" in answer.text
    row = (await admin.get("contacts?$expand=parentcustomerid_account")).json["value"][0]
    assert (row["fullname"], row["parentcustomerid_account"]["name"]) == ("a z", "Acme")


@pytest.mark.parametrize(
    "body",
    [
        "no boundary at all",
        "--batch_1\r\nContent-Type: text/plain\r\n\r\nx\r\n--batch_1--",
        "--batch_1\r\nContent-Type: application/http\r\n\r\nFETCH contacts HTTP/1.1\r\n\r\n--batch_1--"[:-4],
        joined("batch_1", *[part("GET WhoAmI")] * 1001),
    ],
)
async def test_malformed_and_too_large_batches(admin: Client, body: str):
    answer = await admin.post("$batch", body, Content_Type="multipart/mixed; boundary=batch_1")
    assert answer.status == 400
    assert answer.code


async def test_reads_and_unknown_references_in_change_sets(admin: Client):
    for request in ("GET contacts", "PATCH $3"):
        assert statuses(await send(admin, changeset(part(request, {}, "1")))) == [400]


async def test_tag_of_a_batched_write_and_nested_batches(admin: Client):
    assert statuses(await send(admin, part("POST contacts?tag=t", {"firstname": "a"}))) == [204]
    assert statuses(await send(admin, part("POST $batch", {}))) == [400]


async def multiple(client: Client, action: str, *targets: dict[str, Any]) -> Answer:
    body = {"Targets": [{**TYPE, **target} for target in targets]}
    return await client.post(f"contacts/Microsoft.Dynamics.CRM.{action}", body)


async def test_create_update_upsert_multiple(admin: Client):
    created = await multiple(admin, "CreateMultiple", {"firstname": "a"}, {"firstname": "b"})
    assert created.status == 200
    first, second = created.json["Ids"]
    assert (await admin.get(f"contacts({second})")).json["firstname"] == "b"
    updated = await multiple(
        admin, "UpdateMultiple", {"contactid": first, "jobtitle": "x"}, {"contactid": second, "jobtitle": "y"}
    )
    assert updated.status == 204
    by_key = {"@odata.id": "contacts(acme_customernumber='N1')", "firstname": "c"}
    assert (await multiple(admin, "UpsertMultiple", by_key, {"contactid": first, "jobtitle": "z"})).status == 204
    rows = (await admin.get("contacts?$select=firstname,jobtitle,acme_customernumber&$orderby=firstname")).json["value"]
    assert [(row["firstname"], row["jobtitle"], row["acme_customernumber"]) for row in rows] == [
        ("a", "z", None),
        ("b", "y", None),
        ("c", None, "N1"),
    ]


async def test_multiple_is_all_or_nothing(admin: Client):
    (first,) = (await multiple(admin, "CreateMultiple", {"firstname": "a"})).json["Ids"]
    answer = await multiple(
        admin, "UpdateMultiple", {"contactid": first, "firstname": "b"}, {"contactid": SOME_ID, "firstname": "c"}
    )
    assert (answer.status, answer.code) == (404, "0x80040217")
    assert (await admin.get(f"contacts({first})")).json["firstname"] == "a"


async def test_multiple_needs_targets_with_their_type(admin: Client):
    assert (await multiple(admin, "CreateMultiple")).status == 400
    untyped = await admin.post("contacts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [{"firstname": "a"}]})
    assert untyped.status == 400
    assert (await multiple(admin, "DeleteMultiple", {"contactid": SOME_ID})).status == 501
