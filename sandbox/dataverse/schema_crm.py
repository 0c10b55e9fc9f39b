"""The tables of people: contact with its customer's own columns, account, user, organisation, and a custom table."""

from __future__ import annotations

from dataclasses import replace

from sandbox.dataverse.schema import Attribute, Key, Kind, OnDelete, Option, Table, Target, read_only
from sandbox.dataverse.schema_columns import (
    ALLOW,
    YES_NO,
    active_inactive,
    bookkeeping,
    choice,
    currency,
    day,
    flag,
    lookup,
    memo,
    moment,
    money,
    number,
    ownership,
    text,
    unique_id,
)

_SENDS = (Option(1, "Do Not Send"), Option(0, "Send"))
_INVERSE = (Option(1, "Allow"), Option(0, "Do Not Allow"))
_INTERESTS = ("Travel", "Sport", "Music", "Food", "Technology")


def _address(number_: int) -> tuple[Attribute, ...]:
    prefix = f"address{number_}_"
    return (
        text(f"{prefix}line1", 250),
        text(f"{prefix}line2", 250),
        text(f"{prefix}line3", 250),
        text(f"{prefix}city", 80),
        text(f"{prefix}stateorprovince", 50),
        text(f"{prefix}postalcode", 20),
        text(f"{prefix}country", 80),
    )


def _opt_outs() -> tuple[Attribute, ...]:
    """The contact's consent columns: true means opted out, except followemail, which is the other way round."""
    return (
        flag("donotemail", ALLOW),
        flag("donotbulkemail", ALLOW),
        flag("donotphone", ALLOW),
        flag("donotfax", ALLOW),
        flag("donotpostalmail", ALLOW),
        flag("donotbulkpostalmail", YES_NO),
        flag("donotsendmm", _SENDS),
        flag("followemail", _INVERSE, default=True),
        flag("msdyn_gdproptout"),
        flag("msdyn_disablewebtracking"),
    )


def _person() -> tuple[Attribute, ...]:
    return (
        text("firstname", 50, "First Name"),
        text("middlename", 50),
        text("lastname", 50, "Last Name"),
        read_only(text("fullname", 160, "Full Name")),
        read_only(text("yomifullname", 450)),
        text("salutation", 100),
        text("nickname", 100),
        text("jobtitle", 100),
        text("department", 100),
        *(text(f"emailaddress{n}", 100, f"Email Address {n}") for n in (1, 2, 3)),
        *(text(f"telephone{n}", 50) for n in (1, 2)),
        text("mobilephone", 50),
        text("fax", 50),
        text("websiteurl", 200),
        memo("description"),
        day("birthdate", "Birthday"),
        choice("gendercode", "Male", "Female"),
        choice("familystatuscode", "Single", "Married", "Divorced", "Widowed"),
        number("numberofchildren", 0, 1_000_000_000),
        choice("preferredcontactmethodcode", "Any", "Email", "Phone", "Fax", "Mail", default=1),
        text("externaluseridentifier", 50),
    )


def _parent_customer() -> Attribute:
    account = Target("account", "parentcustomerid_account", "contact_customer_accounts", OnDelete.CASCADE)
    contact = Target("contact", "parentcustomerid_contact", "contact_customer_contacts", OnDelete.CASCADE)
    return Attribute("parentcustomerid", Kind.CUSTOMER, "Company Name", targets=(account, contact))


def _acme_columns() -> tuple[Attribute, ...]:
    """Columns that a customer added: one of each type that the standard columns lack."""
    options = tuple(Option(100000000 + offset, label) for offset, label in enumerate(_INTERESTS))
    return (
        Attribute("acme_interests", Kind.MULTISELECT, "Interests", "acme_Interests", options=options),
        Attribute("acme_score", Kind.DECIMAL, "Score", "acme_Score", precision=1, minimum=0, maximum=1000),
        Attribute("acme_ratio", Kind.DOUBLE, "Ratio", "acme_Ratio", precision=5),
        Attribute("acme_points", Kind.BIGINT, "Points", "acme_Points"),
        replace(text("acme_customernumber", 40, "Customer Number"), schema_name="acme_CustomerNumber"),
    )


CONTACT = Table(
    "contact",
    "contacts",
    "contactid",
    "fullname",
    (
        unique_id("contactid"),
        *_person(),
        *_address(1),
        *_opt_outs(),
        money("creditlimit"),
        read_only(money("creditlimit_base")),
        *currency(),
        flag("creditonhold"),
        flag("participatesinworkflow"),
        read_only(flag("merged", (Option(1, "Merged"), Option(0, "Not Merged")))),
        read_only(lookup("masterid", "contact")),
        _parent_customer(),
        moment("lastusedincampaign"),
        *_acme_columns(),
        *active_inactive(),
        *ownership(),
        *bookkeeping(),
    ),
    schema_name="Contact",
    object_type_code=2,
    keys=(Key("acme_CustomerNumberKey", ("acme_customernumber",)),),
    change_tracking=True,
)

ACCOUNT = Table(
    "account",
    "accounts",
    "accountid",
    "name",
    (
        unique_id("accountid"),
        text("name", 160, "Account Name"),
        text("accountnumber", 20),
        text("emailaddress1", 100),
        text("telephone1", 50),
        text("websiteurl", 200),
        *_address(1),
        lookup("primarycontactid", "contact", collection="account_primary_contact"),
        *active_inactive(),
        *ownership(),
        *bookkeeping(),
    ),
    schema_name="Account",
    object_type_code=1,
    change_tracking=True,
)

SYSTEMUSER = Table(
    "systemuser",
    "systemusers",
    "systemuserid",
    "fullname",
    (
        unique_id("systemuserid"),
        text("fullname", 200),
        text("firstname", 64),
        text("lastname", 64),
        text("domainname", 1024),
        text("internalemailaddress", 100),
        Attribute("applicationid", Kind.UNIQUEIDENTIFIER),
        Attribute("azureactivedirectoryobjectid", Kind.UNIQUEIDENTIFIER),
        flag("isdisabled", (Option(1, "Disabled"), Option(0, "Enabled"))),
        lookup("businessunitid", "businessunit"),
        *bookkeeping(),
    ),
    schema_name="SystemUser",
    object_type_code=8,
    user_owned=False,
    managed=True,
)

BUSINESSUNIT = Table(
    "businessunit",
    "businessunits",
    "businessunitid",
    "name",
    (unique_id("businessunitid"), text("name", 160), *bookkeeping()),
    schema_name="BusinessUnit",
    object_type_code=10,
    user_owned=False,
    managed=True,
)

ORGANIZATION = Table(
    "organization",
    "organizations",
    "organizationid",
    "name",
    (
        unique_id("organizationid"),
        text("name", 160),
        number("expirechangetrackingindays", 0, 365, 7),
        number("languagecode", default=1033),
        *bookkeeping(),
    ),
    schema_name="Organization",
    object_type_code=1019,
    user_owned=False,
    managed=True,
)

CURRENCY = Table(
    "transactioncurrency",
    "transactioncurrencies",
    "transactioncurrencyid",
    "currencyname",
    (
        unique_id("transactioncurrencyid"),
        text("currencyname", 100),
        text("isocurrencycode", 5),
        text("currencysymbol", 10),
        Attribute("exchangerate", Kind.DECIMAL, precision=10, minimum=0),
        *active_inactive(),
        *bookkeeping(),
    ),
    schema_name="TransactionCurrency",
    object_type_code=9105,
    user_owned=False,
    managed=True,
)

LOYALTY_CARD = Table(
    "acme_loyaltycard",
    "acme_loyaltycards",
    "acme_loyaltycardid",
    "acme_name",
    (
        unique_id("acme_loyaltycardid"),
        text("acme_name", 100, "Name"),
        choice("acme_tier", "Bronze", "Silver", "Gold", first=100000000),
        number("acme_balance"),
        day("acme_issuedon", "Issued On"),
        flag("acme_blocked"),
        lookup("acme_contactid", "contact", "acme_ContactId", collection="acme_loyaltycard_contact"),
        *active_inactive(),
        *ownership(),
        *bookkeeping(),
    ),
    schema_name="acme_LoyaltyCard",
    object_type_code=10101,
    keys=(Key("acme_NameKey", ("acme_name",)),),
    is_custom=True,
    change_tracking=True,
)

PEOPLE = (CONTACT, ACCOUNT, SYSTEMUSER, BUSINESSUNIT, ORGANIZATION, CURRENCY, LOYALTY_CARD)
