"""E-mail events become activities in the contact's timeline."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="timeline", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def timeline_activity(message: func.ServiceBusMessage) -> None:
    await get_app().engine.timeline(unwrap(Lane.TIMELINE, message))
