"""The token endpoint: OAuth 2.0 client credentials as Entra ID answers them, and the check of the tokens it gave."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt

from sandbox.dataverse.config import ApplicationUser, DataverseConfig
from sandbox.dataverse.errors import ApiError

_ALGORITHM = "HS256"


class OAuthError(Exception):
    """A refusal: `status`, the OAuth error and a description that starts with an AADSTS code."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {
            "error": error,
            "error_description": f"AADSTS{code}: {description}",
            "error_codes": [code],
            "trace_id": str(uuid4()),
            "correlation_id": str(uuid4()),
        }


class Identity:
    """Issues and checks bearer tokens for one resource. The signing key is kept, so tokens survive a restart."""

    def __init__(self, config: DataverseConfig, origin: str, signing_key: str, now: Callable[[], datetime]) -> None:
        self._config = config
        self._origin = origin
        self._key = signing_key
        self._now = now
        self._clients = {user.client_id.lower(): user for user in config.users}

    @staticmethod
    def fresh_key() -> str:
        return secrets.token_hex(32)

    def configuration(self, tenant: str) -> dict[str, Any]:
        """The OpenID Connect discovery document."""
        base = f"{self._origin}/{tenant}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token request. Raises OAuthError."""
        if form.get("grant_type") != "client_credentials":
            raise OAuthError(400, "unsupported_grant_type", 70003, "Only the grant client_credentials is offered.")
        if "client_assertion" in form:
            raise OAuthError(501, "invalid_request", 50027, "The sandbox does not offer client assertions.")
        if tenant != self._config.tenant_id:
            raise OAuthError(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        user = self._client(form)
        self._require_scope(form.get("scope", ""))
        return {
            "token_type": "Bearer",
            "expires_in": self._config.token_lifetime_s,
            "ext_expires_in": self._config.token_lifetime_s,
            "access_token": self._sign(user),
        }

    def _client(self, form: Mapping[str, str]) -> ApplicationUser:
        user = self._clients.get(form.get("client_id", "").lower())
        if user is None:
            text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
            raise OAuthError(400, "unauthorized_client", 700016, text)
        if not hmac.compare_digest(user.secret.encode(), form.get("client_secret", "").encode()):
            text = f"Invalid client secret provided for app '{user.client_id}'."
            raise OAuthError(401, "invalid_client", 7000215, text)
        return user

    def _require_scope(self, scope: str) -> None:
        resource, _, rest = scope.rpartition("/")
        if rest != ".default":
            raise OAuthError(400, "invalid_scope", 70011, f"The provided value for scope '{scope}' is not valid.")
        if not self._is_own(resource):
            text = f"The resource principal named {resource} was not found in the tenant."
            raise OAuthError(400, "invalid_resource", 500011, text)

    def _is_own(self, resource: str) -> bool:
        """Both names of this machine mean this organisation."""
        own, asked = urlsplit(self._origin), urlsplit(resource.rstrip("/"))
        return asked.scheme == own.scheme and asked.port == own.port and asked.hostname in ("localhost", "127.0.0.1")

    def _sign(self, user: ApplicationUser) -> str:
        issued = self._now()
        claims = {
            "aud": self._origin,
            "iss": f"{self._origin}/{self._config.tenant_id}/v2.0",
            "iat": int(issued.timestamp()),
            "exp": int((issued + timedelta(seconds=self._config.token_lifetime_s)).timestamp()),
            "appid": user.client_id,
            "oid": user.user_id,
            "tid": self._config.tenant_id,
            "uti": secrets.token_urlsafe(8),
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def user(self, authorization: str) -> ApplicationUser:
        """The caller behind an Authorization header. Raises ApiError 401."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise self._unauthorized("0x80041d4b", "The request has no bearer token.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                [_ALGORITHM],
                audience=self._origin,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            raise self._unauthorized("0x80041d4b", "The token is not valid.") from None
        if claims["exp"] <= self._now().timestamp():
            raise self._unauthorized("0x80041d4b", "The token has expired.")
        user = self._clients.get(claims["appid"].lower())
        if user is None:
            raise self._unauthorized("0x80072560", "The user is not a member of the organization.")
        return user

    def _unauthorized(self, code: str, message: str) -> ApiError:
        where = f"{self._origin}/{self._config.tenant_id}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={where}, resource_id={self._origin}/"
        return ApiError(401, code, message, {"WWW-Authenticate": challenge})
