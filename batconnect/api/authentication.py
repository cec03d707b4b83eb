"""Bearer tokens on top of simplejwt, and their place in the OpenAPI document."""

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import Token

LONGEST_TOKEN = 1024  # ours have some 300 characters; longer ones are never worth decoding


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access token>`."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        if len(raw_token) > LONGEST_TOKEN:
            raise InvalidToken("The token is not one of ours.")
        return super().get_validated_token(raw_token)


class BearerScheme(SimpleJWTScheme):
    target_class = "batconnect.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> Any:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
