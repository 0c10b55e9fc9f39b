"""What a decision orders settles the matter: decided again after it was done, nothing more is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import Contact, Flag, Profile
from shared.domain.effects import CreateProfile, UpdateProfile, WriteFlags, WriteOptOuts
from shared.domain.ledger import Absent, LedgerRow, Present, Unknown
from shared.domain.recollection import Recollection
from shared.flows import contact as contact_flow
from shared.flows import optout
from shared.flows.contact import Seen, Sight, Situation
from tests.unit.examples import KEY, MAPPING, NOW, contact, hint

VALUES = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.booleans())
CONTACTS = st.builds(
    lambda first, town, no_mail, no_phone: contact(first=first, town=town, no_mail=no_mail, no_phone=no_phone),
    VALUES,
    VALUES,
    st.none() | st.booleans(),
    st.none() | st.booleans(),
)
FLAGS = st.builds(Flag, st.booleans(), st.integers(-5, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)))
PROFILES = st.builds(
    lambda first, city, mail, phone: Profile(
        "@1", {"firstName": first, "location.city": city}, {"blackListEmail": mail, "blackListPhone": phone}
    ),
    VALUES,
    VALUES,
    FLAGS,
    FLAGS,
)
LEDGERS = st.sampled_from(
    [
        LedgerRow(KEY),
        *(LedgerRow(KEY, state, etag="1") for state in (Unknown(), Absent(), Present("other"))),
        LedgerRow(KEY, Absent(), witness=True, flags=frozenset({"blackListEmail"}), etag="1"),
    ]
)


@given(CONTACTS, LEDGERS, st.none() | PROFILES, st.integers(1, 2), st.booleans())
def test_a_contact(row: Contact, ledger: LedgerRow, there: Profile | None, delivery: int, created: bool) -> None:
    """However the ledger and Campaign stand."""
    desired = MAPPING.desired(row)
    s = Situation(replace(hint(), created=created), delivery, ledger, desired, NOW)
    seen: Seen = Sight.UNSEEN
    for _ in range(5):
        effects = contact_flow.decide(s, desired, seen)
        if not effects:
            break
        (effect,) = effects
        if isinstance(effect, CreateProfile):
            there = there or Profile("@2", effect.fields)
        elif isinstance(effect, UpdateProfile) and there is not None:
            there = replace(there, fields={**there.fields, **effect.fields})
        seen = there or Sight.MISSING
    assert contact_flow.decide(s, desired, seen) == []
    assert there is not None
    assert not desired.differs_from(there)


@given(CONTACTS, PROFILES)
def test_opt_outs(row: Contact, profile: Profile) -> None:
    """Also after our own write has moved the row's time."""
    for effect in optout.decide(optout.Sides(MAPPING, row, profile, Recollection(KEY))).effects:
        if isinstance(effect, WriteOptOuts):
            row = replace(row, columns={**row.columns, **effect.columns}, modified_on=NOW + timedelta(seconds=9))
        elif isinstance(effect, WriteFlags):
            written = dict.fromkeys(effect.attributes, Flag(True, NOW + timedelta(seconds=9)))
            profile = replace(profile, opted_out={**profile.opted_out, **written})
    assert optout.decide(optout.Sides(MAPPING, row, profile, Recollection(KEY))).effects == ()
