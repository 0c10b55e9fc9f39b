"""Opt-outs that changed in Campaign since the last look become hints, where they disagree with Dynamics."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%OPTOUT_POLL_SCHEDULE%")
async def optout_poll(timer: func.TimerRequest) -> None:
    await get_app().optout_timers.poll()
