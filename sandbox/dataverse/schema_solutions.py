"""The tables in which customisations are kept: publisher, solution and its components, forms, roles, privileges."""

from __future__ import annotations

from sandbox.dataverse.schema import Attribute, Kind, OnDelete, Table
from sandbox.dataverse.schema_columns import bookkeeping, choice, flag, lookup, memo, number, text, unique_id

PUBLISHER = Table(
    "publisher",
    "publishers",
    "publisherid",
    "friendlyname",
    (
        unique_id("publisherid"),
        text("uniquename", 256),
        text("friendlyname", 256),
        memo("description"),
        text("customizationprefix", 8),
        number("customizationoptionvalueprefix", 10_000, 99_999),
        *bookkeeping(),
    ),
    schema_name="Publisher",
    object_type_code=7101,
    user_owned=False,
)

SOLUTION = Table(
    "solution",
    "solutions",
    "solutionid",
    "friendlyname",
    (
        unique_id("solutionid"),
        text("uniquename", 65),
        text("friendlyname", 256),
        memo("description"),
        text("version", 256),
        flag("ismanaged"),
        lookup("publisherid", "publisher", collection="publisher_solution", on_delete=OnDelete.RESTRICT),
        *bookkeeping(),
    ),
    schema_name="Solution",
    object_type_code=7100,
    user_owned=False,
)

SOLUTION_COMPONENT = Table(
    "solutioncomponent",
    "solutioncomponents",
    "solutioncomponentid",
    "objectid",
    (
        unique_id("solutioncomponentid"),
        number("componenttype"),
        Attribute("objectid", Kind.UNIQUEIDENTIFIER),
        lookup("solutionid", "solution", collection="solution_solutioncomponent", on_delete=OnDelete.CASCADE),
        *bookkeeping(),
    ),
    schema_name="SolutionComponent",
    object_type_code=7103,
    user_owned=False,
)

SYSTEM_FORM = Table(
    "systemform",
    "systemforms",
    "formid",
    "name",
    (
        unique_id("formid"),
        text("name", 100),
        Attribute("objecttypecode", Kind.ENTITY_NAME),
        choice("type", "Dashboard", "AppointmentBook", "Main", "MiniCampaignBO", first=0),
        memo("formxml", 1_073_741_823),
        *bookkeeping(),
    ),
    schema_name="SystemForm",
    object_type_code=1030,
    user_owned=False,
)

ROLE = Table(
    "role",
    "roles",
    "roleid",
    "name",
    (
        unique_id("roleid"),
        text("name", 100),
        lookup("businessunitid", "businessunit", collection="business_unit_roles"),
        *bookkeeping(),
    ),
    schema_name="Role",
    object_type_code=1036,
    user_owned=False,
)

PRIVILEGE = Table(
    "privilege",
    "privileges",
    "privilegeid",
    "name",
    (unique_id("privilegeid"), text("name", 100), *bookkeeping()),
    schema_name="Privilege",
    object_type_code=1023,
    user_owned=False,
    managed=True,
)

SOLUTION_TABLES = (PUBLISHER, SOLUTION, SOLUTION_COMPONENT, SYSTEM_FORM, ROLE, PRIVILEGE)
