"""A table's description, read from answers of Dataverse's documented shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.clients.calls import Response
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.metadata import (
    CASTS,
    attributes_request,
    cast_request,
    read_details,
    read_table,
    table_request,
)
from shared.domain.conversion import ColumnType
from shared.domain.metadata import ColumnInfo
from shared.errors import Halt, Reason, Retry

CONFIG = DynamicsConfig("https://acme.crm4.dynamics.com", "https://login.test/t", "client", "secret")
TABLE = "https://acme.crm4.dynamics.com/api/data/v9.2/EntityDefinitions(LogicalName='contact')"


def answer(document: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(document).encode())


def attribute(name: str, kind: str, long_name: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "LogicalName": name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": long_name or f"{kind}Type"},
        "IsValidForRead": True,
        **more,
    }


def column(item: dict[str, Any], **details: Any) -> ColumnInfo:
    """The one column of a table that has only it."""
    more = [{item["LogicalName"]: details}] if details else []
    table = read_table(answer({"ChangeTrackingEnabled": True}), answer({"value": [item]}), more)
    return table.columns[item["LogicalName"]]


def test_requests_are_reads_of_the_documented_addresses():
    assert table_request(CONFIG, "contact").url == f"{TABLE}?$select=LogicalName,ChangeTrackingEnabled"
    assert attributes_request(CONFIG, "contact").url.startswith(f"{TABLE}/Attributes?$select=LogicalName,")
    picklists = cast_request(CONFIG, "contact", "PicklistAttributeMetadata").url
    assert picklists.startswith(f"{TABLE}/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=")
    assert "$expand=OptionSet($select=Options)" in picklists
    requests = [table_request(CONFIG, "contact"), *(cast_request(CONFIG, "contact", cast) for cast in CASTS)]
    assert {(one.method, one.repeatable) for one in requests} == {("GET", True)}


def test_a_table_name_cannot_leave_its_place_in_the_address():
    with pytest.raises(ValueError, match="logical name"):
        table_request(CONFIG, "contact')/Keys")


@pytest.mark.parametrize(
    ("kind", "long_name", "details", "expected"),
    [
        ("Boolean", None, {}, ColumnType.BOOLEAN),
        ("Integer", None, {}, ColumnType.INTEGER),
        ("BigInt", None, {}, ColumnType.BIGINT),
        ("Decimal", None, {}, ColumnType.DECIMAL),
        ("Double", None, {}, ColumnType.DOUBLE),
        ("Money", None, {}, ColumnType.MONEY),
        ("String", None, {"MaxLength": 50}, ColumnType.STRING),
        ("Memo", None, {}, ColumnType.MEMO),
        ("DateTime", None, {"DateTimeBehavior": {"Value": "UserLocal"}}, ColumnType.DATETIME),
        ("DateTime", None, {"DateTimeBehavior": {"Value": "DateOnly"}}, ColumnType.DATE),
        ("DateTime", None, {"DateTimeBehavior": {"Value": "TimeZoneIndependent"}}, ColumnType.DATETIME_INDEPENDENT),
        ("DateTime", None, {}, ColumnType.DATETIME),
        ("Picklist", None, {}, ColumnType.PICKLIST),
        ("State", None, {}, ColumnType.STATE),
        ("Status", None, {}, ColumnType.STATUS),
        ("Virtual", "MultiSelectPicklistType", {}, ColumnType.MULTI_SELECT),
        ("Virtual", "ImageType", {}, ColumnType.OTHER),
        ("Lookup", None, {}, ColumnType.LOOKUP),
        ("Customer", None, {}, ColumnType.CUSTOMER),
        ("Owner", None, {}, ColumnType.OWNER),
        ("Uniqueidentifier", None, {}, ColumnType.UNIQUEIDENTIFIER),
        ("EntityName", None, {}, ColumnType.OTHER),
    ],
)
def test_every_kind_of_column_has_its_type(kind, long_name, details, expected):
    assert column(attribute("one", kind, long_name), **details).type is expected


@pytest.mark.parametrize(
    ("item", "readable"),
    [
        (attribute("one", "String"), True),
        (attribute("one", "String", IsValidForRead=False), False),
        (attribute("one", "Virtual", "VirtualType"), False),
        (attribute("one", "PartyList"), False),
    ],
)
def test_what_no_row_shows_cannot_be_read(item, readable):
    assert column(item).readable is readable


def test_texts_have_a_length():
    assert column(attribute("one", "String"), MaxLength=50).max_length == 50


def label(text: str | None) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": "first"}], "UserLocalizedLabel": {"Label": text} if text else None}


def test_choices_have_codes_and_labels_in_the_users_language():
    options = {"Options": [{"Value": 1, "Label": label("Male")}, {"Value": 2, "Label": label(None)}]}
    assert column(attribute("one", "Picklist"), OptionSet=options).options == {1: "Male", 2: "first"}


def test_a_boolean_has_two_labels():
    options = {"TrueOption": {"Value": 1, "Label": label("Yes")}, "FalseOption": {"Value": 0, "Label": label("No")}}
    assert column(attribute("one", "Boolean"), OptionSet=options).options == {1: "Yes", 0: "No"}


@pytest.mark.parametrize("tracked", [True, False])
def test_change_tracking_is_the_tables(tracked):
    assert read_table(answer({"ChangeTrackingEnabled": tracked}), answer({"value": []}), []).change_tracking is tracked


def test_an_unknown_table_halts():
    gone = answer({"error": {"code": "0x80060888"}}, 404)
    with pytest.raises(Halt) as caught:
        read_table(gone, answer({"value": []}), [])
    assert caught.value.reason is Reason.DYNAMICS_MISCONFIGURED
    with pytest.raises(Halt):
        read_details(gone)


@pytest.mark.parametrize("document", [{}, {"value": "x"}, {"value": ["x"]}, {"value": [{"LogicalName": 7}]}])
def test_an_answer_of_another_shape_is_tried_again(document):
    with pytest.raises(Retry, match="not readable"):
        read_details(answer(document))
