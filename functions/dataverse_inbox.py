"""Dataverse announces a change through its own Service Bus endpoint."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="dataverse-inbox", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def dataverse_inbox(message: func.ServiceBusMessage) -> None:
    await get_app().inbox.take(unwrap(Lane.INBOX, message))
