"""The function app: every trigger, one module each, registered on one app."""

import azure.functions as func

from functions import (
    contact_delete,
    contact_upsert,
    dataverse_webhook,
    event_egress,
    journal_seal,
    ledger_checks,
    optout_file,
    optout_writeback,
    timeline_activity,
)

app = func.FunctionApp()
for module in (
    dataverse_webhook,
    contact_upsert,
    contact_delete,
    optout_writeback,
    timeline_activity,
    optout_file,
    event_egress,
    ledger_checks,
    journal_seal,
):
    app.register_functions(module.bp)
