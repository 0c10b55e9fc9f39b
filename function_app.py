"""The function app: every trigger, one module each, registered on one app."""

import azure.functions as func

from functions import (
    bulk_page,
    change_sweep,
    contact_delete,
    contact_upsert,
    custom_entity_sync,
    dataverse_inbox,
    dataverse_webhook,
    event_egress,
    journal_seal,
    ledger_checks,
    optout_deadlines,
    optout_file,
    optout_poll,
    optout_writeback,
    timeline_activity,
)

app = func.FunctionApp()
for module in (
    dataverse_webhook,
    dataverse_inbox,
    change_sweep,
    contact_upsert,
    contact_delete,
    custom_entity_sync,
    optout_writeback,
    timeline_activity,
    bulk_page,
    optout_file,
    optout_poll,
    optout_deadlines,
    event_egress,
    ledger_checks,
    journal_seal,
):
    app.register_functions(module.bp)
