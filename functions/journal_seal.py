"""The opt-out journal's day that is over gets its seal."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%JOURNAL_SEAL_SCHEDULE%")
async def journal_seal(timer: func.TimerRequest) -> None:
    await get_app().timers.journal_seal()
