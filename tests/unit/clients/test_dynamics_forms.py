"""A main form gets the columns that it does not show yet; a form that cannot have them is told, not spoilt."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from shared.clients.dynamics.wire_table_documents import ColumnShape, missing_on_form, with_columns

TITLE, LINK = ColumnShape("new_title", "Title"), ColumnShape("new_link", "Link", url=True)
FORM = "<form><section><rows><row><cell><control datafieldname='new_title'/></cell></row></rows></section></form>"


def test_only_what_is_not_shown_is_added_and_the_rest_stays() -> None:
    assert missing_on_form(FORM, [TITLE, LINK]) == [LINK]
    whole = with_columns(FORM, "new_visit", [LINK])
    assert missing_on_form(whole, [TITLE, LINK]) == []
    assert len(list(ElementTree.fromstring(whole).iter("row"))) == 2


def test_adding_again_makes_the_same_cell() -> None:
    assert with_columns(FORM, "new_visit", [LINK]) == with_columns(FORM, "new_visit", [LINK])


@pytest.mark.parametrize("form", ["<form/>", "<form><section/></form>"])
def test_a_form_without_a_section_has_no_place_for_them(form: str) -> None:
    with pytest.raises(ValueError, match="no section"):
        with_columns(form, "new_visit", [LINK])


def test_a_form_that_is_cut_off_is_not_readable() -> None:
    with pytest.raises(ValueError, match="not readable"):
        missing_on_form("<form><section>", [TITLE])
