"""One page of a resync, or a row that its page could not settle."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="bulk", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def bulk_page(message: func.ServiceBusMessage) -> None:
    app = get_app()
    await app.engine.bulk(unwrap(Lane.BULK, message), app.pages.work)
