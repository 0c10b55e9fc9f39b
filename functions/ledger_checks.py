"""The ledger's own clock: checks that are due, and privacy requests that have ended."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%LEDGER_CHECKS_SCHEDULE%")
async def ledger_checks(timer: func.TimerRequest) -> None:
    await get_app().timers.ledger_checks()
