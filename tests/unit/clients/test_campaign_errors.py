"""Every error text of Campaign and its gateway, and what it means."""

from __future__ import annotations

import json

import pytest

from shared.clients.calls import Response
from shared.clients.campaign import wire
from shared.clients.campaign.wire_errors import is_duplicate, is_unknown_key, refused
from shared.errors import Halt, Park, Reason, Retry, Uncertain

ID = "1b2c3d4e-0000-4000-8000-000000000001"
GENERIC = "RST-360011 An error has occurred - please contact your administrator."
UNKNOWN_KEY = f"{GENERIC} Unable to find document with path 'Profile' from key '{ID}'."
DUPLICATE = (
    f"{GENERIC} A 'Profile' with the same key '{ID}' already exists. PGS-220000 PostgreSQL error: ERROR: duplicate key "
    'value violates unique constraint "x".'
)
OOPS = "Oops. Something went wrong. Check your URI and try again."


def text(status: int, body: str) -> Response:
    return Response(status, {}, body.encode())


def gateway(status: int, **document: object) -> Response:
    return Response(status, {}, json.dumps(document).encode())


PERMANENT = [
    (
        f"{GENERIC} The value 'Secretary' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' "
        "field.",
        Reason.REFUSED_VALUE,
        "status 500, RST-360011, field gender",
    ),
    (
        "'O5iR' attribute unknown (see definition of 'Profiles (nms:recipient)' schema). XTK-170036 Unable to parse "
        "expression '@id = @O5iR'.",
        Reason.REFUSED_VALUE,
        "status 500, XTK-170036",
    ),
    (
        f"{GENERIC} XTK-170041 The value of the '@firstName' field exceeds its length (30 characters).",
        Reason.REFUSED_VALUE,
        "status 500, RST-360011, XTK-170041, field firstName",
    ),
    ("'@Secretary' is not a valid constant", Reason.REFUSED_VALUE, "status 500"),
    ("The value is too long for '@city'", Reason.REFUSED_VALUE, "status 500, field location.city"),
    (
        f"{GENERIC} RST-360012 Inconsistent operation on resource 'profile' - Cannot update key 'Secretary' to 'S2'.",
        Reason.REFUSED_VALUE,
        "status 500, RST-360011, RST-360012",
    ),
    (
        "Cannot update the 'age' property that is read-only.",
        Reason.REFUSED_FIELD,
        "status 500, field age",
    ),
    (
        f"{GENERIC} 'cusHobby' property is not valid for the 'profile' resource.",
        Reason.REFUSED_FIELD,
        "status 500, RST-360011, field cusHobby",
    ),
    (
        "XTK-170049 Secretary@nowhere: the '@email' value is refused",
        Reason.REFUSED_EMAIL,
        "status 500, XTK-170049, field email",
    ),
]
SENT = ("gender", "firstName", "location.city", "age", "cusHobby", "email")


@pytest.mark.parametrize(("body", "reason", "detail"), PERMANENT, ids=lambda value: getattr(value, "name", None))
@pytest.mark.parametrize("as_json_string", [False, True])
def test_permanent_data_errors_are_parked_under_field_and_code_without_the_value(body, reason, detail, as_json_string):
    response = text(500, json.dumps(body) if as_json_string else body)
    outcome = refused(response, SENT, write=True)
    assert type(outcome) is Park
    assert (outcome.reason, outcome.detail) == (reason, detail)
    assert "Secretary" not in str(outcome)


def test_a_field_is_named_only_if_the_request_carried_it():
    body = "The value '@ann' is not valid for the 'x' enumeration of the '@gender' field."
    assert refused(text(500, body), ["gender"], write=True).detail == "status 500, field gender"
    assert refused(text(500, body), ["email"], write=True).detail == "status 500"


CLASSES = [
    (gateway(500, code=500, message=OOPS), Retry, Reason.CAMPAIGN_UNREACHABLE, Uncertain, Reason.OUTCOME_UNKNOWN),
    (gateway(502, code=502, message=OOPS), Retry, Reason.CAMPAIGN_UNREACHABLE, Uncertain, Reason.OUTCOME_UNKNOWN),
    (text(504, "<html>gateway</html>"), Retry, Reason.CAMPAIGN_UNREACHABLE, Uncertain, Reason.OUTCOME_UNKNOWN),
    (text(500, "something new"), Retry, Reason.CAMPAIGN_UNREACHABLE, Uncertain, Reason.OUTCOME_UNKNOWN),
    (text(500, GENERIC), Retry, Reason.CAMPAIGN_UNREACHABLE, Uncertain, Reason.OUTCOME_UNKNOWN),
    (gateway(403, error_code="403023"), Halt, Reason.CAMPAIGN_MISCONFIGURED, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    (gateway(403, error_code="403000"), Halt, Reason.CAMPAIGN_CREDENTIALS, Halt, Reason.CAMPAIGN_CREDENTIALS),
    (gateway(400, code=400, message=OOPS), Halt, Reason.CAMPAIGN_MISCONFIGURED, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    (text(400, ""), Halt, Reason.CAMPAIGN_MISCONFIGURED, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    (text(404, "no such page"), Halt, Reason.CAMPAIGN_MISCONFIGURED, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    (text(302, ""), Halt, Reason.CAMPAIGN_MISCONFIGURED, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    (text(400, "RST-360999 odd"), Park, Reason.CAMPAIGN_REFUSED, Park, Reason.CAMPAIGN_REFUSED),
    (text(413, ""), Park, Reason.CAMPAIGN_REFUSED, Park, Reason.CAMPAIGN_REFUSED),
    (text(501, "not offered"), Park, Reason.CAMPAIGN_REFUSED, Park, Reason.CAMPAIGN_REFUSED),
]


@pytest.mark.parametrize(("response", "read", "read_reason", "write", "write_reason"), CLASSES)
def test_everything_else_depends_on_status_and_on_whether_it_was_a_write(
    response, read, read_reason, write, write_reason
):
    for is_write, kind, reason in ((False, read, read_reason), (True, write, write_reason)):
        outcome = refused(response, write=is_write)
        assert (type(outcome), outcome.reason) == (kind, reason)
        assert "Oops" not in str(outcome)


def test_an_unknown_key_is_no_profile():
    assert wire.read_profile(text(404, UNKNOWN_KEY), ID) is None
    assert wire.read_updated(text(404, UNKNOWN_KEY), ()) is False
    assert is_unknown_key(text(404, json.dumps(UNKNOWN_KEY)))


@pytest.mark.parametrize("body", [f"{GENERIC} Error rc=-2003", GENERIC])
def test_a_404_without_a_document_to_find_is_an_address_that_leads_nowhere(body):
    assert not is_unknown_key(text(404, body))
    for read in (lambda r: wire.read_profile(r, ID), lambda r: wire.read_updated(r, ()), wire.read_list):
        with pytest.raises(Halt) as caught:
            read(text(404, json.dumps(body)))
        assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


def test_a_404_of_the_gateway_is_not_an_unknown_key():
    for read in (lambda r: wire.read_profile(r, ID), lambda r: wire.read_updated(r, ())):
        with pytest.raises(Halt):
            read(gateway(404, code=404, message="RST-360011"))


@pytest.mark.parametrize(
    "body", [DUPLICATE, json.dumps(DUPLICATE), "A 'Profile' with the same key 'x' already exists."]
)
def test_a_duplicate_key_means_that_it_is_there_already(body):
    assert wire.read_created(text(500, body), ()) is False
    wire.read_privacy_requested(text(500, body))


def test_a_duplicate_key_on_an_update_is_a_refused_value():
    with pytest.raises(Park) as caught:
        wire.read_updated(text(500, DUPLICATE), ["cusEmail"])
    assert caught.value.reason is Reason.REFUSED_VALUE
    assert ID not in str(caught.value)


def test_a_refused_value_that_quotes_a_duplicates_words_is_no_duplicate():
    body = "The value 'PGS-220000 already exists' is not valid for the 'x' enumeration of the '@gender' field."
    assert not is_duplicate(text(500, body))
    with pytest.raises(Park):
        wire.read_created(text(500, body), ["gender"])


def test_an_unknown_namespace_halts_the_deletions():
    with pytest.raises(Halt) as caught:
        wire.read_privacy_requested(text(404, f"{GENERIC} Unable to find document with path 'Namespace' from key 'x'."))
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


def test_an_unknown_regulation_is_parked():
    body = f"{GENERIC} The value 'gdbr' is not valid for the 'x:regulation' enumeration of the '@regulation' field."
    with pytest.raises(Park) as caught:
        wire.read_privacy_requested(text(500, body))
    assert caught.value.detail == "status 500, RST-360011, field regulation"


def test_an_unknown_key_inside_a_new_profile_is_not_a_missing_profile():
    with pytest.raises(Park) as caught:
        wire.read_created(text(404, f"{GENERIC} Unable to find document with path 'OrgUnit' from key 'x'."), ())
    assert caught.value.reason is Reason.CAMPAIGN_REFUSED
