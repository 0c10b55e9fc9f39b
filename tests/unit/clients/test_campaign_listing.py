"""Lists of profiles on the wire, and walks that turn in a circle."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.calls import Response
from shared.clients.campaign.listing import Trail, profiles_request, read_count, read_profiles
from shared.errors import Halt, Reason, Retry
from tests.unit.clients.test_campaign_wire import CONFIG


def answer(document: object, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(document).encode())


def test_the_first_page_forces_pagination_and_the_others_are_followed():
    first = profiles_request(CONFIG, 50)
    assert first.url == f"{CONFIG.url}/profileAndServicesExt/profile?_lineCount=50&_forcePagination=true"
    assert (first.method, first.repeatable) == ("GET", True)
    following = f"{CONFIG.url}/profileAndServicesExt/profile?_lineStart=@x"
    page, url = read_profiles(answer({"content": [], "next": {"href": following}}), CONFIG)
    assert (page, url) == ([], following)
    assert profiles_request(CONFIG, 50, url).url == following


@pytest.mark.parametrize(("shown", "external_id"), [("abc", "abc"), ("", ""), (None, ""), (4711, "4711")])
def test_a_profile_comes_with_its_external_id(shown: object, external_id: str):
    row = {"PKey": "@p", "externalId": shown, "location": {"city": "Bern"}, "blackListEmail": True}
    page, url = read_profiles(answer({"content": [row]}), CONFIG)
    assert url is None
    ((found, profile),) = page
    assert (found, profile.handle, profile.fields["location.city"]) == (external_id, "@p", "Bern")
    assert profile.opted_out["blackListEmail"].value is True


@pytest.mark.parametrize("document", [[], {}, {"content": [1]}, {"content": [{"externalId": "no key"}]}])
def test_a_page_that_is_not_readable_is_asked_for_again(document: object):
    with pytest.raises(Retry):
        read_profiles(answer(document), CONFIG)


def test_a_next_page_elsewhere_is_not_followed():
    with pytest.raises(Halt) as caught:
        read_profiles(answer({"content": [], "next": {"href": "https://elsewhere.test/profile"}}), CONFIG)
    assert caught.value.reason is Reason.CAMPAIGN_MISCONFIGURED


@pytest.mark.parametrize(("document", "count"), [({"count": 26}, 26), ({"count": "26"}, None), ({}, None)])
def test_a_count(document: object, count: int | None):
    assert read_count(answer(document)) == count


def test_a_refused_count_is_an_outcome():
    with pytest.raises(Halt):
        read_count(answer({"error_code": "403023"}, 403))


def walk(addresses: Iterable[str]) -> list[str]:
    trail = Trail("profiles")
    return [trail.step(address) for address in addresses]


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_circle_is_noticed_wherever_it_begins(straight: int, circle: int):
    steps = range(4 * (straight + circle) + 4)
    with pytest.raises(Retry, match="already read"):
        walk(str(step if step < straight else straight + (step - straight) % circle) for step in steps)


@given(st.integers(0, 500))
def test_a_straight_walk_is_never_stopped(length: int):
    assert walk(map(str, range(length))) == [str(step) for step in range(length)]
