"""Campaign's e-mail events: from the journal into the timeline lane."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%EVENT_EGRESS_SCHEDULE%")
async def event_egress(timer: func.TimerRequest) -> None:
    await get_app().timers.event_egress()
