"""Both sides' opt-outs of one contact are brought into line."""

import azure.functions as func

from functions.messages import unwrap
from shared.app import get_app
from shared.domain.change import Lane

bp = func.Blueprint()


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name="optout", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def optout_writeback(message: func.ServiceBusMessage) -> None:
    await get_app().engine.opt_out(unwrap(Lane.OPTOUT, message))
