"""Dataverse's announcements are read as they really look, and refused with the place where they do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.dynamics.context import LARGEST_BYTES, MalformedError, parse
from shared.domain.change import RecordKey, RowChange, RowEvent
from tests.unit import contexts
from tests.unit.contexts import CONTACT, USER, choice, entity, execution_context, pairs, reference, wire

KEY = RecordKey("contact", CONTACT)


def refusal(body: bytes) -> str:
    with pytest.raises(MalformedError) as refused:
        parse(body)
    assert not [value for value in contexts.CANARIES if value in str(refused.value)]
    return str(refused.value)


def with_target(target: object, message: str = "Update") -> bytes:
    return wire(execution_context(message, InputParameters=pairs(Target=target)))


def test_a_creation_submits_every_column_that_was_filled() -> None:
    event = parse(contexts.CREATED)
    assert event is not None
    assert (event.record, event.change, event.by) == (KEY, RowChange.CREATE, USER)
    assert event.columns is not None
    assert {"firstname", "fax", "acme_interests", "parentcustomerid", "donotbulkemail"} <= event.columns


def test_an_update_submits_what_changed_also_when_it_was_cleared() -> None:
    """The images, and the call that the update came from, name other columns: they are not asked."""
    columns = frozenset({"donotbulkemail", "telephone1", "contactid", "modifiedon", "modifiedby"})
    stored_at = datetime(2025, 1, 3, 3, 4, 5, tzinfo=UTC)
    assert parse(contexts.UPDATED) == RowEvent(KEY, RowChange.UPDATE, columns, USER, stored_at)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/Date(1735873445999)/", datetime(2025, 1, 3, 3, 4, 5, tzinfo=UTC)),
        ("/Date(1735873445000-0700)/", datetime(2025, 1, 3, 3, 4, 5, tzinfo=UTC)),
        ("/Date(-1000)/", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("/Date(99999999999999)/", None),
        ("2025-01-03T03:04:05Z", None),
        (None, None),
        (7, None),
    ],
)
def test_when_dynamics_stored_the_change(written: object, read: datetime | None) -> None:
    """The digits are UTC already, whatever the offset says; what cannot be read is not known."""
    attributes = [{"key": "modifiedon", "value": written}]
    body = {
        "PrimaryEntityName": "contact",
        "PrimaryEntityId": KEY.id,
        "MessageName": "Update",
        "InputParameters": [{"key": "Target", "value": {"Attributes": attributes}}],
    }
    event = parse(json.dumps(body).encode())
    assert event is not None
    assert event.changed_at == read


def test_a_deletion_names_the_row_and_no_column() -> None:
    assert parse(contexts.DELETED) == RowEvent(KEY, RowChange.DELETE, frozenset(), USER)


def test_an_announcement_that_was_cut_for_its_size_says_no_columns() -> None:
    assert parse(contexts.OVERSIZED) == RowEvent(KEY, RowChange.UPDATE, None, USER)


def test_parameters_that_are_null_say_no_columns() -> None:
    assert parse(wire(execution_context("Update", InputParameters=None))) == RowEvent(KEY, RowChange.UPDATE, None, USER)


def test_pretty_printed_json_reads_the_same() -> None:
    pretty = json.dumps(json.loads(contexts.UPDATED), indent=1).encode()
    assert parse(pretty) == parse(contexts.UPDATED)


@pytest.mark.parametrize("name", ["InitiatingUserAgent", "InitiatingUserAzureActiveDirectoryObjectId", "UserId"])
def test_what_older_environments_do_not_send_is_not_needed(name: str) -> None:
    context = json.loads(contexts.UPDATED)
    del context[name]
    assert parse(wire(context)) == parse(contexts.UPDATED)


@pytest.mark.parametrize("by", [None, "", ...])
def test_who_started_it_may_be_unsaid(by: object) -> None:
    context = json.loads(contexts.DELETED) | {"InitiatingUserId": by}
    said = {key: value for key, value in context.items() if value is not ...}
    event = parse(wire(said))
    assert event is not None
    assert event.by is None


def test_ids_are_lower_case_inside() -> None:
    """`order` on a RecordKey, table keys and message ids compare texts."""
    context = json.loads(contexts.DELETED) | {"PrimaryEntityId": CONTACT.upper(), "InitiatingUserId": USER.upper()}
    assert parse(wire(context)) == parse(contexts.DELETED)


@pytest.mark.parametrize("message", ["Assign", "SetState", "SetStateDynamicEntity", "Merge", "Retrieve", "create", ""])
def test_other_messages_are_none_of_ours(message: str) -> None:
    parameters = pairs(EntityMoniker=reference("contact", CONTACT), State=choice(1), Status=choice(2))
    assert parse(wire(execution_context(message, InputParameters=parameters))) is None


def test_other_tables_are_read_like_contacts() -> None:
    event = parse(wire(execution_context("Delete", PrimaryEntityName="acme_visit", InputParameters=None)))
    assert event == RowEvent(RecordKey("acme_visit", CONTACT), RowChange.DELETE, None, USER)


def test_an_entity_without_its_type_mark_is_an_entity_all_the_same() -> None:
    event = parse(with_target(entity(pairs(firstname="Ada"), typed=False)))
    assert event is not None
    assert event.columns == frozenset({"firstname"})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param(b"", "body: not JSON", id="empty"),
        pytest.param(b"<Entity/>", "body: not JSON", id="XML"),
        pytest.param(contexts.CREATED[:-1], "body: not JSON", id="cut"),
        pytest.param(b"\xff\xfe\x00", "body: not JSON", id="no text"),
        pytest.param(b"[]", "body: not a JSON object", id="list"),
        pytest.param(b"null", "body: not a JSON object", id="null"),
        pytest.param(b'{"a":' * 200_000, "body: nested too deeply", id="deep"),
        pytest.param(b"[" * 200_000 + b"]" * 200_000, "body: nested too deeply", id="deep and closed"),
        pytest.param(b" " * (LARGEST_BYTES + 1), "body: larger than 1,000,000 bytes", id="large"),
        pytest.param(b"{}", "PrimaryEntityName: ", id="nothing in it"),
    ],
)
def test_a_body_that_is_no_context_is_refused(body: bytes, place: str) -> None:
    assert place in refusal(body)


def test_the_largest_body_is_still_read() -> None:
    assert parse(contexts.DELETED.ljust(LARGEST_BYTES)) == parse(contexts.DELETED)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"PrimaryEntityName": None}, "PrimaryEntityName: "),
        ({"PrimaryEntityName": "Contact"}, "PrimaryEntityName: "),
        ({"PrimaryEntityName": "contact' or 1 eq 1"}, "PrimaryEntityName: "),
        ({"PrimaryEntityName": ["contact"]}, "PrimaryEntityName: "),
        ({"MessageName": None}, "MessageName: "),
        ({"MessageName": ["Update"]}, "MessageName: "),
        ({"PrimaryEntityId": None}, "PrimaryEntityId: "),
        ({"PrimaryEntityId": "Ada"}, "PrimaryEntityId: "),
        ({"PrimaryEntityId": CONTACT + "\n"}, "PrimaryEntityId: "),
        ({"PrimaryEntityId": {"__type": "Guid:#System", "__value": CONTACT}}, "PrimaryEntityId: "),
        ({"InitiatingUserId": "Ada"}, "InitiatingUserId: "),
        ({"InitiatingUserId": 7}, "InitiatingUserId: "),
        ({"InputParameters": {"Target": {}}}, "InputParameters: "),
        ({"InputParameters": "Target"}, "InputParameters: "),
        ({"InputParameters": []}, "InputParameters.Target: "),
        ({"InputParameters": ["Target"]}, "InputParameters: "),
        ({"InputParameters": [{"value": 1}]}, "InputParameters: "),
        ({"InputParameters": [{"key": 1, "value": 1}]}, "InputParameters: "),
        ({"InputParameters": [{"key": "Target"}]}, "InputParameters.Target: "),
        ({"InputParameters": pairs(Target="Ada")}, "InputParameters.Target: "),
        ({"InputParameters": pairs(Target={"Attributes": {"firstname": "Ada"}})}, "Target.Attributes: "),
        ({"InputParameters": pairs(Target={"Attributes": [{"firstname": "Ada"}]})}, "Target.Attributes: "),
    ],
    ids=str,
)
def test_a_value_of_a_wrong_kind_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    assert place in refusal(wire(execution_context("Update", **changes)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["key", "value", "Attributes", "Target"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_whatever_the_parameters_hold_is_read_or_refused(parameters: object) -> None:
    body = json.dumps(execution_context("Update", InputParameters=parameters)).encode()
    try:
        event = parse(body)
    except MalformedError:
        return
    assert event is not None
    assert event.record == KEY
