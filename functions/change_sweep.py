"""What changed in Dynamics, by its own account: what an announcement missed becomes a hint."""

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="%CHANGE_SWEEP_SCHEDULE%")
async def change_sweep(timer: func.TimerRequest) -> None:
    await get_app().sweep.run()
