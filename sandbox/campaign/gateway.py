"""What stands before Campaign: access tokens, API keys, tenants, and errors in the gateway's form."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sandbox.campaign.config import ApiClient, CampaignConfig
from sandbox.campaign.store import Database
from sandbox.campaign.times import Clock

_OOPS = "Oops. Something went wrong. Check your URI and try again."


class Refusal(Exception):
    """The gateway turns a request away with a status and a JSON object."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = dict(body)


def refusal(status: int) -> Refusal:
    """Return the gateway's usual refusal with a status; 403 is the one for a key that is not provisioned."""
    known = {
        401: {"error_code": "401013", "message": "Oauth token is not valid"},
        403: {"error_code": "403023", "message": "Profile is not valid"},
        429: {"error_code": "429050", "message": "Too many requests"},
        503: {"error_code": "503001", "message": "Service temporarily unavailable"},
    }
    return Refusal(status, known.get(status, {"code": status, "message": _OOPS}))


def _ims(status: int, error: str, text: str) -> Refusal:
    return Refusal(status, {"error": error, "error_description": text})


class Gateway:
    """Issues tokens and admits requests."""

    def __init__(self, database: Database, config: CampaignConfig, now: Clock) -> None:
        self._database, self._config, self._now = database, config, now
        self._clients = {client.client_id: client for client in config.clients}
        self._met_tenants: set[str] = set()

    def issue(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer a token request (`client_credentials`); the lifetime is in seconds. Raises Refusal."""
        if form.get("grant_type") != "client_credentials":
            raise _ims(400, "unsupported_grant_type", "only client_credentials is offered")
        client = self._clients.get(form.get("client_id", ""))
        if client is None or not secrets.compare_digest(client.client_secret, form.get("client_secret", "")):
            raise _ims(401, "invalid_client", "invalid client_id or client_secret parameter")
        if not form.get("scope"):
            raise _ims(400, "invalid_scope", "the scope parameter is missing")
        token = secrets.token_urlsafe(48)
        lifetime = self._config.token_lifetime_s
        self._database.execute("DELETE FROM token WHERE expires <= ?", self._now().timestamp())
        expires = self._now().timestamp() + lifetime
        self._database.execute("INSERT INTO token VALUES (?, ?, ?)", token, client.client_id, expires)
        return {"access_token": token, "token_type": "bearer", "expires_in": lifetime}

    def revoke_tokens(self) -> int:
        """Make every token invalid at once; return how many there were."""
        return self._database.execute("DELETE FROM token").rowcount

    def admit(self, headers: Mapping[str, str]) -> ApiClient:
        """Return the client behind a request's token and API key. Raises Refusal.

        A token of one client with the API key of another is refused like a wrong key (assumed).
        """
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        sql = "SELECT client_id FROM token WHERE token = ? AND expires > ?"
        row = self._database.execute(sql, token, self._now().timestamp()).fetchone()
        if scheme.lower() != "bearer" or row is None:
            raise refusal(401)
        client = self._clients.get(headers.get("X-Api-Key", ""))
        if client is None or client.client_id != row[0]:
            raise Refusal(403, {"error_code": "403000", "message": "Api Key is invalid"})
        if not client.provisioned:
            raise refusal(403)
        return client

    def check_tenant(self, org: str) -> None:
        """Raise Refusal for an unknown tenant: 400 at the first meeting (cold), 500 from then on (warm)."""
        if org == self._config.org:
            return
        status = 500 if org in self._met_tenants else 400
        self._met_tenants.add(org)
        raise refusal(status)

    def check_organisation(self, headers: Mapping[str, str]) -> None:
        """Raise Refusal unless a journal request names the organisation."""
        if headers.get("x-ims-org-id") != self._config.ims_org:
            raise Refusal(403, {"error_code": "403023", "message": "x-ims-org-id does not match"})
