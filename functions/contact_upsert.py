"""A contact that may have changed is brought into line with its profile."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="contact-upsert", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def contact_upsert(message: func.ServiceBusMessage) -> None:
    await get_app().engine.record(unwrap(Lane.CONTACT_UPSERT, message))
