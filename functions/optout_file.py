"""Campaign's daily opt-out export: rows that disagree with Dynamics become hints."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%OPTOUT_FILE_SCHEDULE%")
async def optout_file(timer: func.TimerRequest) -> None:
    await get_app().timers.optout_file()
