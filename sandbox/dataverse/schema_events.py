"""The tables in which webhooks are registered and their jobs are kept: endpoint, message, filter, step, image, job."""

from __future__ import annotations

from dataclasses import replace

from sandbox.dataverse.schema import Attribute, Kind, OnDelete, Option, Schema, Table, Target, read_only
from sandbox.dataverse.schema_activities import ACTIVITIES, EMAIL_ACTIVITIES
from sandbox.dataverse.schema_columns import (
    bookkeeping,
    choice,
    flag,
    lookup,
    memo,
    moment,
    number,
    state,
    status,
    text,
    unique_id,
)
from sandbox.dataverse.schema_crm import PEOPLE
from sandbox.dataverse.schema_solutions import SOLUTION_TABLES
from sandbox.dataverse.schema_vehicles import VEHICLES

_CONTRACTS = ("OneWay", "Queue", "Rest", "TwoWay", "Topic", "Queue (Persistent)", "Event Hub", "Webhook", "Event Grid")
_AUTH_TYPES = ("ACS", "SAS Key", "SAS Token", "Webhook Key", "Http Header", "Http Query String", "Connection String")

SERVICE_ENDPOINT = Table(
    "serviceendpoint",
    "serviceendpoints",
    "serviceendpointid",
    "name",
    (
        unique_id("serviceendpointid"),
        text("name", 256),
        text("description", 100),
        text("url", 2000),
        choice("contract", *_CONTRACTS),
        choice("authtype", *_AUTH_TYPES),
        replace(text("authvalue", 2048), readable=False),
        read_only(flag("isauthvalueset")),
        choice("messageformat", "Binary XML", "Json", "Text XML"),
        choice("userclaim", "None", "UserId", "UserInfo", default=1),
        text("namespaceaddress", 160),
        text("path", 160),
        text("saskeyname", 256),
        replace(text("saskey", 256), readable=False),
        *bookkeeping(),
    ),
    schema_name="ServiceEndpoint",
    object_type_code=4618,
    user_owned=False,
)

SDK_MESSAGE = Table(
    "sdkmessage",
    "sdkmessages",
    "sdkmessageid",
    "name",
    (unique_id("sdkmessageid"), text("name", 256), *bookkeeping()),
    schema_name="SdkMessage",
    object_type_code=4606,
    user_owned=False,
    managed=True,
)

SDK_MESSAGE_FILTER = Table(
    "sdkmessagefilter",
    "sdkmessagefilters",
    "sdkmessagefilterid",
    "name",
    (
        unique_id("sdkmessagefilterid"),
        text("name", 256),
        Attribute("primaryobjecttypecode", Kind.ENTITY_NAME),
        flag("iscustomprocessingstepallowed", default=True),
        lookup("sdkmessageid", "sdkmessage", collection="sdkmessageid_sdkmessagefilter"),
        *bookkeeping(),
    ),
    schema_name="SdkMessageFilter",
    object_type_code=4607,
    user_owned=False,
    managed=True,
)


def _event_handler() -> Attribute:
    endpoint = Target(
        "serviceendpoint",
        "eventhandler_serviceendpoint",
        "serviceendpoint_sdkmessageprocessingstep",
        OnDelete.CASCADE,
    )
    return Attribute("eventhandler", Kind.LOOKUP, targets=(endpoint,))


STEP = Table(
    "sdkmessageprocessingstep",
    "sdkmessageprocessingsteps",
    "sdkmessageprocessingstepid",
    "name",
    (
        unique_id("sdkmessageprocessingstepid"),
        text("name", 256),
        text("description", 256),
        memo("configuration", 1_073_741_823),
        memo("filteringattributes", 100_000),
        number("rank", default=1),
        Attribute(
            "stage",
            Kind.PICKLIST,
            options=(Option(10, "Pre-validation"), Option(20, "Pre-operation"), Option(40, "Post-operation")),
        ),
        choice("mode", "Synchronous", "Asynchronous", first=0),
        choice("supporteddeployment", "Server Only", "Offline Only", "Both", first=0, default=0),
        flag("asyncautodelete"),
        _event_handler(),
        lookup("sdkmessageid", "sdkmessage", collection="sdkmessageid_sdkmessageprocessingstep"),
        lookup("sdkmessagefilterid", "sdkmessagefilter", collection="sdkmessagefilterid_sdkmessageprocessingstep"),
        state("Enabled", "Disabled"),
        status(Option(1, "Enabled", 0), Option(2, "Disabled", 1)),
        *bookkeeping(),
    ),
    schema_name="SdkMessageProcessingStep",
    object_type_code=4608,
    user_owned=False,
)

STEP_IMAGE = Table(
    "sdkmessageprocessingstepimage",
    "sdkmessageprocessingstepimages",
    "sdkmessageprocessingstepimageid",
    "name",
    (
        unique_id("sdkmessageprocessingstepimageid"),
        text("name", 256),
        text("entityalias", 256),
        text("messagepropertyname", 256),
        memo("attributes", 100_000),
        choice("imagetype", "PreImage", "PostImage", "Both", first=0),
        lookup(
            "sdkmessageprocessingstepid",
            "sdkmessageprocessingstep",
            collection="sdkmessageprocessingstepid_sdkmessageprocessingstepimage",
            on_delete=OnDelete.CASCADE,
        ),
        *bookkeeping(),
    ),
    schema_name="SdkMessageProcessingStepImage",
    object_type_code=4615,
    user_owned=False,
)

ASYNC_OPERATION = Table(
    "asyncoperation",
    "asyncoperations",
    "asyncoperationid",
    "name",
    (
        unique_id("asyncoperationid"),
        text("name", 256),
        number("operationtype"),
        text("messagename", 160),
        Attribute("primaryentitytype", Kind.ENTITY_NAME),
        text("correlationid", 36),
        number("errorcode"),
        memo("friendlymessage", 1_073_741_823),
        memo("message", 1_073_741_823),
        number("retrycount"),
        moment("startedon"),
        moment("completedon"),
        lookup("owningextensionid", "sdkmessageprocessingstep"),
        state("Ready", "Suspended", "Locked", "Completed"),
        status(
            Option(0, "Waiting For Resources", 0),
            Option(10, "Waiting", 1),
            Option(20, "In Progress", 2),
            Option(21, "Pausing", 2),
            Option(22, "Canceling", 2),
            Option(30, "Succeeded", 3),
            Option(31, "Failed", 3),
            Option(32, "Canceled", 3),
        ),
        *bookkeeping(),
    ),
    schema_name="AsyncOperation",
    object_type_code=4700,
    user_owned=False,
    managed=True,
)

EVENT_TABLES = (SERVICE_ENDPOINT, SDK_MESSAGE, SDK_MESSAGE_FILTER, STEP, STEP_IMAGE, ASYNC_OPERATION)


def default_schema(more: tuple[Table, ...] = (), *, email_activities: bool = True) -> Schema:
    """Every table of the stand-in, those of Adobe's solution if wanted, and the caller's own."""
    activities = (*ACTIVITIES, *(EMAIL_ACTIVITIES if email_activities else ()))
    return Schema((*PEOPLE, *VEHICLES, *activities, *EVENT_TABLES, *SOLUTION_TABLES, *more))
