"""Lists: filters, order, columns, expansion, counting, paging; and the filter language against a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.dataverse.errors import ApiError
from sandbox.dataverse.odata_filter import parse_filter
from sandbox.dataverse.odata_sql import compile_filter
from sandbox.dataverse.schema_events import default_schema
from sandbox.dataverse.store import Store
from tests.contract.dataverse.conftest import Client

PEOPLE = [
    {"firstname": "Ada", "emailaddress1": "ada@example.org", "numberofchildren": 2, "birthdate": "1985-11-01"},
    {"firstname": "Bob", "emailaddress1": "BOB@example.org", "donotemail": True, "creditlimit": 99.5},
    {"firstname": "Cy", "jobtitle": "50% _real_ 'chef'", "gendercode": 1, "numberofchildren": 0},
]


@pytest.fixture
async def people(admin: Client) -> Client:
    account = await admin.create("accounts", {"name": "Acme", "accountid": "c1d2e3f4-5566-ef11-840a-6045bd0e2d88"})
    for person in PEOPLE:
        await admin.create("contacts", person)
    await admin.post("contacts", {"firstname": "Di", "parentcustomerid_account@odata.bind": f"/accounts({account})"})
    return admin


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("emailaddress1 eq 'bob@EXAMPLE.org'", "Bob"),
        ("emailaddress1 ne 'ada@example.org'", "Bob Cy Di"),
        ("emailaddress1 eq null", "Cy Di"),
        ("not (emailaddress1 ne null)", "Cy Di"),
        ("numberofchildren lt 2 or donotemail eq true", "Bob Cy"),
        ("firstname eq 'Ada' or firstname eq 'Bob' and donotemail eq false", "Ada"),
        ("(firstname eq 'Ada' or firstname eq 'Bob') and donotemail eq true", "Bob"),
        ("creditlimit gt 99.4 and creditlimit le 99.5", "Bob"),
        ("contains(jobtitle,'50% _REAL')", "Cy"),
        ("startswith(firstname,'a') or endswith(firstname,'I')", "Ada Di"),
        ("contains(jobtitle,'''chef''')", "Cy"),
        ("birthdate eq 1985-11-01", "Ada"),
        ("modifiedon ge 2025-01-02T03:04:05Z", "Ada Bob Cy Di"),
        ("modifiedon ge 2025-01-02T03:04:05.5Z", ""),
        ("modifiedon lt 2025-01-02T04:04:06%2B01:00", "Ada Bob Cy Di"),
        ("_parentcustomerid_value eq c1d2e3f4-5566-ef11-840a-6045bd0e2d88", "Di"),
        ("parentcustomerid_account/name eq 'acme'", "Di"),
        ("Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=['ada','cy'])", "Ada Cy"),
        ("Microsoft.Dynamics.CRM.In(PropertyName='gendercode',PropertyValues=[\"1\"])", "Cy"),
    ],
)
async def test_filter(people: Client, text: str, names: str):
    assert await people.names(f"$filter={text}&$orderby=firstname") == names.split()


async def test_in_on_primary_ids(people: Client):
    rows = (await people.get("contacts?$select=contactid&$orderby=firstname&$top=2")).json["value"]
    listed = ",".join(f"'{row['contactid']}'" for row in rows)
    text = f"Microsoft.Dynamics.CRM.In(PropertyName='contactid',PropertyValues=[{listed}])"
    assert await people.names(f"$filter={text}&$orderby=firstname") == ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("shoesize eq 4", 400),
        ("parentcustomerid eq null", 400),
        ("firstname eq 4", 400),
        ("donotemail eq 1", 400),
        ("numberofchildren eq 1.5", 400),
        ("firstname eq 'Ada", 400),
        ("(firstname eq 'Ada'", 400),
        ("firstname eq 'Ada' firstname", 400),
        ("contains(numberofchildren,'1')", 400),
        ("numberofchildren eq 99999999999999999999", 400),
        ("numberofchildren eq 007", 400),
        ('firstname eq "\\x"', 400),
        ("modifiedon gt 0001-01-01T00:00:00Z", 400),
        ("firstname in ('Ada')", 501),
        ("tolower(firstname) eq 'ada'", 501),
        ("firstname eq lastname", 501),
        ("Microsoft.Dynamics.CRM.LastXDays(PropertyName='modifiedon',PropertyValue=7)", 501),
        ("contact_customer_contacts/any(o:o/firstname eq 'x')", 501),
        (" or ".join(["numberofchildren eq 1"] * 501), 400),
        ("(" * 99 + "numberofchildren eq 1" + ")" * 99, 400),
    ],
)
async def test_wrong_and_unoffered_filters(admin: Client, text: str, status: int):
    assert (await admin.get(f"contacts?$filter={text}")).status == status


async def test_encoded_option_names_and_plus_for_space(people: Client):
    assert await people.names("%24select=firstname&%24filter=firstname+eq+'Bob'") == ["Bob"]


async def test_select_shows_only_what_was_chosen(people: Client):
    answer = (await people.get("contacts?$select=firstname,_ownerid_value&$filter=firstname eq 'Ada'")).json
    assert answer["@odata.context"].endswith("$metadata#contacts(firstname,_ownerid_value)")
    assert answer["value"][0].keys() == {"@odata.etag", "contactid", "firstname", "_ownerid_value"}
    refused = await people.get("contacts?$select=shoesize")
    assert "'shoesize' on type 'Microsoft.Dynamics.CRM.contact'" in refused.message


async def test_orderby_top_and_count(people: Client):
    assert await people.names("$orderby=numberofchildren desc,firstname&$top=3") == ["Ada", "Cy", "Bob"]
    answer = (await people.get("contacts?$count=true&$top=1&$filter=emailaddress1 eq null")).json
    assert (answer["@odata.count"], len(answer["value"])) == (2, 1)
    assert "@odata.nextLink" not in answer
    assert (await people.get("contacts/$count?$filter=donotemail eq true")).text == "1"


async def test_expand_a_single_row(people: Client):
    query = "$select=firstname&$expand=parentcustomerid_account($select=name),ownerid&$orderby=firstname desc&$top=2"
    first, second = (await people.get(f"contacts?{query}")).json["value"]
    assert first["parentcustomerid_account"]["name"] == "Acme"
    assert first["ownerid"]["fullname"] == "Avery Admin"
    assert second["parentcustomerid_account"] is None
    assert (await people.get("contacts?$expand=ParentCustomerId_account")).status == 400
    assert (await people.get("contacts?$expand=ownerid($filter=x eq 1)")).status == 501


async def test_rows_behind_a_collection(people: Client):
    account = "accounts(c1d2e3f4-5566-ef11-840a-6045bd0e2d88)"
    rows = (await people.get(f"{account}/contact_customer_accounts?$select=firstname")).json["value"]
    assert [row["firstname"] for row in rows] == ["Di"]
    contact = rows[0]["contactid"]
    assert (await people.get(f"contacts({contact})/parentcustomerid_account?$select=name")).json["name"] == "Acme"


@pytest.mark.parametrize("order", ["", "&$orderby=numberofchildren", "&$orderby=jobtitle desc,numberofchildren desc"])
async def test_pages_hold_every_row_once(admin: Client, order: str):
    rows = [{"firstname": str(n), "numberofchildren": n % 3 or None, "jobtitle": "ab"[n % 2]} for n in range(25)]
    targets = [{**row, "@odata.type": "Microsoft.Dynamics.CRM.contact"} for row in rows]
    await admin.post("contacts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets})
    whole = await admin.names(f"$select=firstname{order}")
    seen, url = [], f"contacts?$select=firstname{order}"
    while url:
        page = (await admin.get(url, Prefer="odata.maxpagesize=7")).json
        assert len(page["value"]) <= 7
        seen += [row["firstname"] for row in page["value"]]
        url = page.get("@odata.nextLink", "")
    assert seen == whole
    assert len(set(seen)) == 25


async def test_pages_come_in_the_order_of_sql_server(admin: Client):
    """Of two identifiers the last group decides, then the fourth; in the first three the last byte counts most."""
    zero = "00000000-0000-0000-0000-000000000000"
    in_order = [
        *(zero[:at] + "01" + zero[at + 2 :] for at in (0, 2, 4, 6, 9, 11, 14, 16, 21, 19, 34, 32, 30, 28, 26, 24)),
        "ffffffff-ffff-ffff-ffff-020000000000",
    ]
    for row_id in reversed(in_order):
        await admin.create("contacts", {"contactid": row_id})
    seen, url = [], "contacts?$select=contactid"
    while url:
        page = (await admin.get(url, Prefer="odata.maxpagesize=3")).json
        seen += [row["contactid"] for row in page["value"]]
        url = page.get("@odata.nextLink", "")
    assert seen == in_order


async def test_a_page_does_not_shift_when_earlier_rows_go(admin: Client):
    for n in range(4):
        await admin.create("contacts", {"firstname": str(n)})
    page = (await admin.get("contacts?$orderby=firstname", Prefer="odata.maxpagesize=2")).json
    await admin.delete(f"contacts({page['value'][0]['contactid']})")
    rest = (await admin.get(page["@odata.nextLink"], Prefer="odata.maxpagesize=2")).json
    assert [row["firstname"] for row in rest["value"]] == ["2", "3"]


async def test_a_cookie_of_another_query_is_refused(admin: Client):
    assert (await admin.get("contacts?$skiptoken=xyz")).code == "0x80041103"


# The reference: what each condition means for one row, written without looking at SQL.

SCHEMA = default_schema()
CONTACT = SCHEMA.tables["contact"]
WORDS = st.text(alphabet="aAbB%_'\\ ", min_size=1, max_size=4)
TEXTS = st.none() | WORDS
STORE = Store(SCHEMA, None)
ROWS = st.lists(st.tuples(TEXTS, st.none() | st.integers(-2, 2), st.none() | st.booleans()), max_size=6)
ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a is not None and b is not None and a > b,
    "ge": lambda a, b: a is not None and b is not None and a >= b,
    "lt": lambda a, b: a is not None and b is not None and a < b,
    "le": lambda a, b: a is not None and b is not None and a <= b,
}
FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": str.__contains__,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


Predicate = Callable[[Sequence[Any]], bool]
Case = tuple[str, Predicate]


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@st.composite
def conditions(draw: st.DrawFn) -> Case:
    """A condition as text and as a Python predicate over (nickname, children, blocked)."""
    kind = draw(st.sampled_from(["text", "number", "flag", "null", "function"]))
    operator = draw(st.sampled_from(sorted(ORDER)))
    if kind == "text":
        value = draw(WORDS)
        return f"nickname {operator} {quoted(value)}", lambda row: ORDER[operator](lower(row[0]), lower(value))
    if kind == "number":
        number = draw(st.integers(-2, 2))
        return f"numberofchildren {operator} {number}", lambda row: ORDER[operator](row[1], number)
    if kind == "flag":
        wanted, operator = draw(st.booleans()), draw(st.sampled_from(["eq", "ne"]))
        return f"creditonhold {operator} {str(wanted).lower()}", lambda row: ORDER[operator](row[2], wanted)
    if kind == "null":
        operator = draw(st.sampled_from(["eq", "ne"]))
        return f"nickname {operator} null", lambda row: ORDER[operator](row[0], None)
    name, part = draw(st.sampled_from(sorted(FUNCTIONS))), draw(st.text(alphabet="aB%_'\\", max_size=2))
    return (
        f"{name}(nickname,{quoted(part)})",
        lambda row: row[0] is not None and FUNCTIONS[name](row[0].lower(), part.lower()),
    )


def combined(inner):
    def both(pair):
        (a, f), (b, g) = pair
        return f"({a}) and {b}", lambda row: f(row) and g(row)

    def either(pair):
        (a, f), (b, g) = pair
        return f"({a} or {b})", lambda row: f(row) or g(row)

    def negated(one):
        return f"not ({one[0]})", lambda row: not one[1](row)

    return st.one_of(st.tuples(inner, inner).map(both), st.tuples(inner, inner).map(either), inner.map(negated))


def bare_and_or(parts):
    """`a and b or c` without parentheses: and binds tighter."""
    (a, f), (b, g), (c, h) = parts
    return f"{a} and {b} or {c}", lambda row: (f(row) and g(row)) or h(row)


FILTERS = st.recursive(conditions(), combined, max_leaves=8) | st.tuples(*[conditions()] * 3).map(bare_and_or)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, filter_=FILTERS)
def test_filters_mean_what_the_reference_means(rows, filter_):
    text, predicate = filter_
    condition = compile_filter(parse_filter(text), CONTACT, SCHEMA)
    for at, (nickname, children, blocked) in enumerate(rows):
        values = {"nickname": nickname, "numberofchildren": children, "creditonhold": blocked}
        STORE.insert(CONTACT, {"contactid": str(at), **values})
    found = STORE.select(CONTACT, condition.sql, condition.parameters, "t.contactid", 100)
    STORE.clear()
    assert [int(row["contactid"]) for row in found] == [at for at, row in enumerate(rows) if predicate(row)], text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab eq'()/,\"and or not12-:TZ[]", max_size=30))
def test_any_text_parses_or_is_refused_politely(text):
    try:
        parse_filter(text)
        status = 400
    except ApiError as error:
        status = error.status
    assert status in (400, 501)
