"""Opt-outs that wait are held against the days that their regulation gives."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%OPTOUT_DEADLINES_SCHEDULE%")
async def optout_deadlines(timer: func.TimerRequest) -> None:
    await get_app().optout_timers.deadlines()
