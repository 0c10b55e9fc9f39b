"""The journal of e-mail events: pages in, facts out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.calls import Response
from shared.clients.campaign.wire_events import page_request, read_page
from shared.domain.event_log import EventShape
from shared.domain.fact import EmailEvent, Fact
from shared.errors import Halt, Reason, Retry
from shared.ports import EventPage
from tests.unit.clients.test_campaign_wire import CONFIG, ID

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHAPE = EventShape(ignored=frozenset({"unsubscribe"}))
NEXT = '<https://events.example.test/journal?since=abc%3A1&limit=5>; rel="next"'


def event(**changes: object) -> dict[str, object]:
    document: dict[str, object] = {
        "id": "e-1",
        "type": "click",
        "occurredAt": "2026-02-28T23:59:58.500Z",
        "profile": {"externalId": ID.upper()},
        "campaign": {"name": "Spring"},
        "delivery": {"name": "DM190"},
        "url": "https://www.example.com/offer",
        "mirrorPageUrl": "https://mirror.example.com/m/1",
    }
    return {name: value for name, value in (document | changes).items() if value is not ...}


def page(*events: object, **headers: str) -> Response:
    items = [{"position": f"p{number}", "event": one} for number, one in enumerate(events)]
    body = json.dumps({"events": items, "_page": {"last": "last:1", "count": len(items)}}).encode()
    return Response(200, {"link": NEXT, **headers}, body)


def read(*events: object) -> EventPage:
    return read_page(page(*events), SHAPE, NOW)


def test_the_request_names_the_organisation_and_puts_the_position_back_as_it_was():
    request = page_request(CONFIG, "abc%3A1", 5)
    assert request.url == f"{CONFIG.events_url}?limit=5&since=abc%3A1"
    assert {"x-ims-org-id": "A1@AdobeOrg", "X-Api-Key": "api-key"}.items() <= request.headers.items()
    assert page_request(CONFIG, None, 5).url == f"{CONFIG.events_url}?limit=5"


def test_a_click_becomes_a_fact():
    assert read(event()).facts == (
        Fact(
            id="e-1",
            event=EmailEvent.CLICK,
            contact_id=ID,
            campaign="Spring",
            delivery="DM190",
            at=datetime(2026, 2, 28, 23, 59, 58, 500_000, UTC),
            tracking_url="https://www.example.com/offer",
            mirror_page_url="https://mirror.example.com/m/1",
        ),
    )


@pytest.mark.parametrize("kind", ["send", "open"])
def test_only_a_click_has_a_tracking_url(kind):
    (fact,) = read(event(type=kind)).facts
    assert (fact.event, fact.tracking_url) == (EmailEvent(kind), None)


@pytest.mark.parametrize(
    "skipped",
    [
        {"type": "unsubscribe"},
        {"type": "bounce", "bounceType": "soft"},
        {"profile": {"externalId": ""}},
        {"profile": {"externalId": None}},
        {"profile": {"externalId": "CRM-7"}},
    ],
)
def test_what_the_timeline_does_not_show_is_skipped(skipped):
    result = read(event(**skipped))
    assert (result.facts, result.unreadable, result.skipped) == ((), (), 1)


def test_a_hard_bounce_is_shown():
    assert read(event(type="bounce", bounceType="hard")).facts[0].event is EmailEvent.BOUNCE


@pytest.mark.parametrize("without", [{"mirrorPageUrl": ...}, {"mirrorPageUrl": ""}, {"mirrorPageUrl": None}])
def test_the_mirror_page_may_be_missing(without):
    assert read(event(**without)).facts[0].mirror_page_url is None


@pytest.mark.parametrize("campaign", ["", None])
def test_a_delivery_may_stand_alone(campaign):
    assert read(event(campaign={"name": campaign})).facts[0].campaign == ""


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        None,
        7,
        ["id"],
        {},
        event(id=...),
        event(id=""),
        event(id=17),
        event(id="x" * 301),
        event(type=...),
        event(type=""),
        event(type="of a kind that nobody configured"),
        event(profile=...),
        event(profile="ann"),
        event(profile={}),
        event(campaign={}),
        event(delivery={"name": ""}),
        event(occurredAt="yesterday"),
        event(occurredAt=1519000000),
        event(url=7),
        event(type="bounce", bounceType=...),
    ],
)
def test_an_event_of_another_shape_is_reported_by_position_and_stops_nothing(broken):
    result = read(event(), broken, event(id="e-2"))
    assert [fact.id for fact in result.facts] == ["e-1", "e-2"]
    assert [(bad.position, result.skipped) for bad in result.unreadable] == [("p1", 0)]


def test_items_that_are_not_even_items():
    body = json.dumps({"events": [7, {"position": "p"}, None]}).encode()
    result = read_page(Response(200, {"link": NEXT}, body), SHAPE, NOW)
    assert [bad.position for bad in result.unreadable] == ["?", "p", "?"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (event(profile={}), "profile.externalId is missing"),
        (event(type="subscribe@example.org"), "type is none of the words configured"),
        (event(id="x" * 301), "id is not a short text"),
        (event(delivery={"name": ""}), "delivery.name is empty"),
        (event(occurredAt="canary@example.org"), "occurredAt is not a time"),
        (event(occurredAt="0001-01-01T00:00:00+14:00"), "occurredAt is not a time"),
        (event(url=["canary@example.org"]), "url is not a text"),
    ],
)
def test_what_is_wrong_with_an_event_is_told_by_its_path_without_a_value(broken, problem):
    assert [bad.problem for bad in read(broken).unreadable] == [problem]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(event())), inner, max_size=9),
    max_leaves=12,
)


@given(JSON)
def test_no_event_whatever_it_holds_raises(anything):
    result = read(anything)
    assert len(result.facts) + len(result.unreadable) <= 1


def test_another_payload_is_a_matter_of_configuration():
    shape = EventShape(
        id="body.eventId",
        type="body.kind",
        at="body.time",
        contact="body.crm",
        campaign="body.c",
        delivery="body.d",
        kinds={"TRACK_OPEN": EmailEvent.OPEN},
    )
    body = {"eventId": "9", "kind": "TRACK_OPEN", "time": "2026-01-01 10:00:00.000Z", "crm": ID, "c": "C", "d": "D"}
    (fact,) = read_page(page({"body": body}), shape, NOW).facts
    assert (fact.id, fact.event, fact.at) == ("9", EmailEvent.OPEN, datetime(2026, 1, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("link", "position"),
    [
        (NEXT, "abc%3A1"),
        ('</journal?since=abc%3A1>; rel="next"', "abc%3A1"),
        ('</journal?limit=5&since=a+b%2Fc>; rel=next; title="x"', "a+b%2Fc"),
        ('</j?count=1>; rel="count", </j?since=n1>; rel="next", </j?latest=true>; rel="latest"', "n1"),
        ('</journal>; rel="events"', "last%3A1"),
        ("", "last%3A1"),
    ],
)
def test_the_position_is_the_next_links_or_the_pages_last(link, position):
    assert read_page(page(event(), link=link), SHAPE, NOW).position == position


def test_a_page_that_does_not_say_where_to_go_on_is_not_read_for_ever():
    with pytest.raises(Retry):
        read_page(Response(200, {}, b'{"events": []}'), SHAPE, NOW)


def test_the_end_says_when_to_look_again():
    result = read_page(Response(204, {"retry-after": "10"}), SHAPE, NOW)
    assert (result.facts, result.position, result.wait_s) == ((), None, 10)
    assert read_page(Response(204), SHAPE, NOW).wait_s == 0


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (500, Retry, Reason.CAMPAIGN_UNREACHABLE),
        (403, Halt, Reason.CAMPAIGN_CREDENTIALS),
        (404, Halt, Reason.CAMPAIGN_MISCONFIGURED),
        (400, Halt, Reason.CAMPAIGN_MISCONFIGURED),
    ],
)
def test_refusals(status, kind, reason):
    with pytest.raises(kind) as caught:
        read_page(Response(status), SHAPE, NOW)
    assert caught.value.reason is reason
