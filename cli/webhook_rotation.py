"""The webhook's secret is exchanged while both are valid, so that no announcement is refused."""

from __future__ import annotations

import json

from cli.workbench import Workbench
from shared.clients.calls import NotSentError, Request, Sender, UnansweredError
from shared.clients.dynamics.provisioning import RowPart, State
from shared.clients.dynamics.wire_blueprint import KEY_HEADER
from shared.clients.dynamics.wire_provisioning import ProvisioningError
from shared.settings import Settings

LIVE = 2
_PROBE_S = 30.0
# A message that no step is registered for: the webhook admits it and does nothing.
_PROBE = {
    "MessageName": "Probe",
    "PrimaryEntityName": "contact",
    "PrimaryEntityId": "00000000-0000-0000-0000-000000000000",
}


async def rotate(bench: Workbench, endpoint: RowPart, settings: Settings, *, dry_run: bool = False) -> None:
    """Dataverse calls with the first secret from now on. Raises ProvisioningError, Outcome; then it does as before.

    `dry_run`: everything is asked and nothing written.
    """
    keys = settings.webhook_keys()
    if len(keys) != LIVE:
        raise ProvisioningError(
            f"WEBHOOK_SECRETS holds {len(keys)}, not {LIVE}: put a new one in front of the old one, "
            "separated by a comma, here and in the function app, and restart it"
        )
    for number, key in enumerate(keys, 1):
        status = await _probe(bench.http, str(settings.webhook_url), key)
        if status >= 300:
            raise ProvisioningError(
                f"the webhook answers {status} to secret {number} of {LIVE}: the function app must know both first"
            )
    if (await endpoint.look(bench.desk)).state is State.MISSING:
        raise ProvisioningError(f"{endpoint.title} is not there: run `bridge provision dynamics` first")
    if not dry_run:
        await endpoint.refresh(bench.desk)


async def _probe(http: Sender, url: str, key: str) -> int:
    headers = {KEY_HEADER: key, "Content-Type": "application/json"}
    request = Request("webhook", "probe", "POST", url, headers, json.dumps(_PROBE).encode(), repeatable=True)
    try:
        return (await http.send(request, _PROBE_S)).status
    except (NotSentError, UnansweredError) as error:
        raise ProvisioningError(f"WEBHOOK_URL does not answer: {error}") from None
