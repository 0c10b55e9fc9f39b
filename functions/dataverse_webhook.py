"""Dataverse announces a change; the answer is 2xx only once its hints are durable, 503 if they could not be kept."""

import logging

import azure.functions as func

from shared.app import get_app

bp = func.Blueprint()


@bp.route(route="dataverse", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def dataverse_webhook(req: func.HttpRequest) -> func.HttpResponse:
    try:
        webhook = get_app().webhook
    except ValueError as error:  # settings or mapping: 503 makes Dataverse try again, 500 would lose the change
        logging.getLogger("bridge").error("not configured: %s", error)  # noqa: TRY400 - the text names every fault
        return func.HttpResponse('{"error": "not configured"}', status_code=503, mimetype="application/json")
    answer = await webhook.answer(req.headers.get("x-bridge-key"), req.get_body())
    return func.HttpResponse(answer.body, status_code=answer.status, mimetype="application/json")
