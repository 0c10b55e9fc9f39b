"""A row of a custom table that may have changed, or is gone, is brought into line with its custom resource."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="custom-entity", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def custom_entity_sync(message: func.ServiceBusMessage) -> None:
    await get_app().engine.record(unwrap(Lane.CUSTOM_ENTITY, message))
