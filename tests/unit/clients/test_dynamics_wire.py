"""Contacts on the wire: addresses out, rows in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.clients.calls import Response
from shared.clients.dynamics import wire
from shared.clients.dynamics.config import DynamicsConfig
from shared.domain.contact import Contact
from shared.errors import Halt, Park, Reason, Retry, Uncertain

CONFIG = DynamicsConfig(
    url="https://org.example.test",
    authority="https://login.example.test/tenant",
    client_id="client",
    client_secret="s3cret",
)
A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
LABEL = "@OData.Community.Display.V1.FormattedValue"


def answer(status: int, document: object = None) -> Response:
    return Response(status, {}, b"" if document is None else json.dumps(document).encode())


def error(status: int, code: str) -> Response:
    return answer(status, {"error": {"code": code, "message": "The value 'Ann' is wrong"}})


def test_a_read_asks_for_the_mapped_columns_of_many_rows_at_once():
    request = wire.rows_request(
        CONFIG, wire.CONTACTS, ("firstname", "_parentcustomerid_value", "modifiedon"), [A.upper(), B]
    )
    parts = urlsplit(request.url)
    assert parts.path == "/api/data/v9.2/contacts"
    assert parse_qs(parts.query) == {
        "$select": ["firstname,_parentcustomerid_value,modifiedon,contactid,_modifiedby_value"],
        "$filter": [f"Microsoft.Dynamics.CRM.In(PropertyName='contactid',PropertyValues=['{A}','{B}'])"],
    }
    assert request.headers["Prefer"] == 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    assert request.repeatable


@pytest.mark.parametrize("text", ["", "1", "x') or 1 eq 1", f"{A}'"])
def test_only_a_guid_goes_into_an_address(text):
    with pytest.raises(ValueError, match="not a GUID"):
        wire.rows_request(CONFIG, wire.CONTACTS, (), [text])
    with pytest.raises(ValueError, match="not a GUID"):
        wire.opt_outs_request(CONFIG, text, {}, 'W/"1"')


@pytest.mark.parametrize(("columns", "least", "most"), [(3, 200, 200), (800, 101, 199), (1050, 2, 99), (2000, 1, 1)])
def test_an_address_stays_within_what_dataverse_takes(columns, least, most):
    names = [f"new_somecolumnofacustomer{number:04}" for number in range(columns)]
    ids = wire.ids_per_read(CONFIG, wire.CONTACTS, names)
    assert least <= ids <= most
    if ids > 1:
        assert len(wire.rows_request(CONFIG, wire.CONTACTS, names, [A] * ids).url) <= 32 * 1024


def row(**changes: object) -> dict[str, object]:
    return {
        "@odata.etag": 'W/"468026"',
        "contactid": A.upper(),
        "modifiedon": "2026-02-03T04:05:06Z",
        "firstname": "Ann",
        "gendercode": 2,
        f"gendercode{LABEL}": "Female",
        "creditlimit": 10.5,
        "donotemail": True,
        f"donotemail{LABEL}": "Do Not Allow",
        "_parentcustomerid_value": B,
        "birthdate": "1980-10-24",
        "fax": None,
        "somethingelse": "not asked for",
        **changes,
    }


COLUMNS = ("birthdate", "creditlimit", "donotemail", "fax", "firstname", "gendercode", "_parentcustomerid_value")


def test_a_row_becomes_a_contact_with_plain_values_and_their_labels():
    assert wire.read_rows(answer(200, {"value": [row()]}), wire.CONTACTS, COLUMNS) == {
        A: Contact(
            id=A,
            version='W/"468026"',
            modified_on=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
            columns={
                "birthdate": "1980-10-24",
                "creditlimit": 10.5,
                "donotemail": True,
                "fax": None,
                "firstname": "Ann",
                "gendercode": 2,
                "_parentcustomerid_value": B,
            },
            labels={"donotemail": "Do Not Allow", "gendercode": "Female"},
        )
    }


def test_no_rows_are_no_contacts():
    assert wire.read_rows(answer(200, {"value": []}), wire.CONTACTS, COLUMNS) == {}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"value": None},
        {"value": [], "@odata.nextLink": "https://org.example.test/next"},
        {"value": ["Ann"]},
        {"value": [row(modifiedon="Ann")]},
        {"value": [row(firstname={"Ann": 1})]},
        {"value": [row(contactid=None)]},
    ],
)
def test_an_answer_that_is_not_whole_never_reads_as_a_missing_contact(document):
    with pytest.raises(Retry) as caught:
        wire.read_rows(answer(200, document), wire.CONTACTS, COLUMNS)
    assert caught.value.reason is Reason.DYNAMICS_UNREACHABLE
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "kind", "reason", "detail"),
    [
        (error(400, "0x80060888"), Halt, Reason.DYNAMICS_MISCONFIGURED, "status 400 0x80060888"),
        (error(404, "0x80060888"), Halt, Reason.DYNAMICS_MISCONFIGURED, "status 404 0x80060888"),
        (error(403, "0x80040220"), Halt, Reason.DYNAMICS_CREDENTIALS, "status 403 0x80040220"),
        (error(500, "0x80044150"), Retry, Reason.DYNAMICS_UNREACHABLE, "status 500 0x80044150"),
        (error(504, "Ann"), Retry, Reason.DYNAMICS_UNREACHABLE, "status 504"),
        (Response(302, {"location": "https://login.example.test"}), Halt, Reason.DYNAMICS_MISCONFIGURED, "status 302"),
    ],
)
def test_refused_reads(response, kind, reason, detail):
    for read in (lambda r: wire.read_rows(r, wire.CONTACTS, COLUMNS), wire.read_whoami):
        with pytest.raises(kind) as caught:
            read(response)
        assert (type(caught.value), caught.value.reason, caught.value.detail) == (kind, reason, detail)


def test_opt_outs_are_written_against_a_version_and_tagged():
    request = wire.opt_outs_request(CONFIG, A, {"donotemail": True}, 'W/"7"')
    assert (request.method, request.url) == ("PATCH", f"{CONFIG.base}/contacts({A})?tag=campaign-bridge")
    assert request.headers["If-Match"] == 'W/"7"'
    assert json.loads(request.body or b"") == {"donotemail": True}
    assert not request.repeatable


@pytest.mark.parametrize(("status", "written"), [(204, True), (200, True), (412, False), (404, False)])
def test_opt_outs_written_or_not(status, written):
    assert wire.read_opt_outs_written(answer(status)) is written


@pytest.mark.parametrize(
    ("response", "kind", "reason"),
    [
        (error(400, "0x80048d19"), Park, Reason.DYNAMICS_REFUSED),
        (error(403, "0x80040220"), Halt, Reason.DYNAMICS_CREDENTIALS),
        (error(500, ""), Uncertain, Reason.OUTCOME_UNKNOWN),
        (error(504, ""), Uncertain, Reason.OUTCOME_UNKNOWN),
        (error(501, ""), Park, Reason.DYNAMICS_REFUSED),
        (answer(302), Halt, Reason.DYNAMICS_MISCONFIGURED),
    ],
)
def test_refused_writes(response, kind, reason):
    with pytest.raises(kind) as caught:
        wire.read_opt_outs_written(response)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert "Ann" not in str(caught.value)


def test_whoami():
    assert wire.whoami_request(CONFIG).url == "https://org.example.test/api/data/v9.2/WhoAmI"
    assert wire.read_whoami(answer(200, {"UserId": A.upper()})) == A
    with pytest.raises(Retry):
        wire.read_whoami(answer(200, {}))


def test_a_lookup_is_asked_for_under_the_web_apis_name_and_given_under_its_own():
    names = wire.properties(("firstname", "parentcustomerid"), {"parentcustomerid"})
    assert names == {"firstname": "firstname", "_parentcustomerid_value": "parentcustomerid"}
    read = {"firstname": "Ada", "_parentcustomerid_value": "5b6f4a1c-77d2-ef11-8ee9-000d3a4b5c6d"}
    labels = {"_parentcustomerid_value": "Contoso"}
    contact = wire.by_column(Contact("id", "1", datetime(2026, 1, 1, tzinfo=UTC), read, labels), names)
    assert contact.columns == {"firstname": "Ada", "parentcustomerid": read["_parentcustomerid_value"]}
    assert contact.labels == {"parentcustomerid": "Contoso"}


VEHICLES = wire.TableName("new_vehicles", "new_vehicleid")


def test_what_a_custom_table_is_called_is_asked_by_its_logical_name():
    request = wire.table_name_request(CONFIG, "new_vehicle")
    assert urlsplit(request.url).path == "/api/data/v9.2/EntityDefinitions(LogicalName='new_vehicle')"
    assert parse_qs(urlsplit(request.url).query) == {"$select": ["EntitySetName,PrimaryIdAttribute"]}
    assert request.repeatable
    named = answer(200, {"EntitySetName": "new_vehicles", "PrimaryIdAttribute": "new_vehicleid"})
    assert wire.read_table_name(named) == VEHICLES


@pytest.mark.parametrize("name", ["", "new_vehicle')/Keys('x", "new vehicle", "véhicule", "1st"])
def test_a_table_name_cannot_leave_its_place(name):
    with pytest.raises(ValueError, match="logical name"):
        wire.table_name_request(CONFIG, name)


@pytest.mark.parametrize("document", [{}, {"EntitySetName": "x"}, {"EntitySetName": 1, "PrimaryIdAttribute": "y"}])
def test_a_table_whose_name_is_not_told_is_asked_again(document):
    with pytest.raises(Retry, match="not readable"):
        wire.read_table_name(answer(200, document))


def test_a_table_that_dataverse_does_not_know_halts():
    with pytest.raises(Halt):
        wire.read_table_name(error(404, "0x80060888"))


def test_rows_of_a_custom_table_are_asked_for_and_read_under_its_own_names():
    request = wire.rows_request(CONFIG, VEHICLES, ("new_vin",), [A.upper(), B])
    assert parse_qs(urlsplit(request.url).query) == {
        "$select": ["new_vin,new_vehicleid,modifiedon,_modifiedby_value"],
        "$filter": [f"Microsoft.Dynamics.CRM.In(PropertyName='new_vehicleid',PropertyValues=['{A}','{B}'])"],
    }
    assert (request.kind, urlsplit(request.url).path) == ("new_vehicles", "/api/data/v9.2/new_vehicles")
    row = {"@odata.etag": 'W/"1"', "new_vehicleid": A.upper(), "modifiedon": "2026-02-03T04:05:06Z", "new_vin": "V1"}
    (read,) = wire.read_rows(answer(200, {"value": [row]}), VEHICLES, ("new_vin",)).values()
    assert (read.id, read.columns) == (A, {"new_vin": "V1"})
    with pytest.raises(Retry, match="new_vehicles"):
        wire.read_rows(answer(200, {"value": [{**row, "new_vehicleid": None}]}), VEHICLES, ("new_vin",))
