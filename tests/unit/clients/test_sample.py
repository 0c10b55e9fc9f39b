"""Some rows without knowing their ids, and their number."""

from __future__ import annotations

import pytest

from shared.clients.calls import Response
from shared.clients.dynamics.config import DynamicsConfig
from shared.clients.dynamics.sample import COUNTED_AT_MOST, Total, read_total, sample_request, total_request
from shared.clients.dynamics.wire import CONTACTS as CONTACTS_TABLE
from shared.errors import Halt, Retry

CONFIG = DynamicsConfig("https://acme.crm4.dynamics.com", "https://login.test/t", "client", "secret")
CONTACTS = "https://acme.crm4.dynamics.com/api/data/v9.2/contacts"


def test_the_rows_that_changed_last():
    request = sample_request(CONFIG, CONTACTS_TABLE, ["firstname", "_parentcustomerid_value"], 20)
    properties = "firstname,_parentcustomerid_value,contactid,modifiedon,_modifiedby_value"
    assert request.url == f"{CONTACTS}?$select={properties}&$orderby=modifiedon%20desc&$top=20"
    assert "include-annotations" in request.headers["Prefer"]
    assert (request.method, request.repeatable) == ("GET", True)


def test_a_number_comes_bare_and_ends_at_a_limit():
    assert total_request(CONFIG, CONTACTS_TABLE).url == f"{CONTACTS}/$count"
    assert read_total(Response(200, body=b"\xef\xbb\xbf17")) == Total(17, at_least=False)
    assert read_total(Response(200, body=str(COUNTED_AT_MOST).encode())) == Total(COUNTED_AT_MOST, at_least=True)


def test_other_answers_are_named():
    with pytest.raises(Retry, match="not a number"):
        read_total(Response(200, body=b"<html>"))
    with pytest.raises(Halt):
        read_total(Response(403))
