"""Tokens for programs: a short-lived access token, and a refresh token that is used once and can be revoked.

A wrong password counts towards the same lock-out as the login page's (django-axes).
"""

from typing import Any, cast

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from batconnect.common.errors import BatConnectError
from batconnect.common.models import User

from .authentication import LONGEST_TOKEN
from .fields import TextField
from .views import SERVED_METHODS


class LockedOut(BatConnectError):
    code, status = "auth.locked_out", 429
    message = "Too many wrong passwords; wait a quarter of an hour, or ask an administrator."


class Credentials(serializers.Serializer[Any]):
    username = TextField(max_length=150)
    password = TextField(max_length=1000, trim_whitespace=False)


@extend_schema_serializer(component_name="RefreshToken")
class RefreshRequest(serializers.Serializer[Any]):
    refresh = TextField(max_length=LONGEST_TOKEN)


class TokenPair(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="For `Authorization: Bearer`, good for 10 minutes.")
    refresh = serializers.CharField(help_text="For one `/auth/token/refresh`, within 12 hours.")


class Revoked(serializers.Serializer[Any]):
    message = serializers.CharField()


class _TokenView(APIView):
    authentication_classes = []
    permission_classes = []  # anonymous: this is the login itself
    throttle_scope = "login"
    http_method_names = SERVED_METHODS

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'  # or DRF would answer 403 where it should be 401


class Obtain(_TokenView):
    @extend_schema(
        tags=["auth"], operation_id="token_obtain", request=Credentials, responses={200: TokenPair}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Log in with a staff user's name and password."""
        given = _read(Credentials, request)
        # DRF's request, not Django's: axes marks the lock-out on it, and the answer stays ours to write.
        user = authenticate(request=request, **given)
        if getattr(request, "axes_locked_out", False):
            raise LockedOut
        if not isinstance(user, User):
            raise AuthenticationFailed("No active user has this name and password.")
        user_logged_in.send(sender=User, request=request, user=user)
        return _pair(RefreshToken.for_user(user))


class Refresh(_TokenView):
    @extend_schema(
        tags=["auth"],
        operation_id="token_refresh",
        request=RefreshRequest,
        responses={200: TokenPair},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, once, for a new pair."""
        user = _spend(_read(RefreshRequest, request)["refresh"])
        return _pair(RefreshToken.for_user(user))


class Revoke(_TokenView):
    @extend_schema(
        tags=["auth"], operation_id="token_revoke", request=RefreshRequest, responses={200: Revoked}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """End a refresh token; access tokens made from it run out within 10 minutes."""
        _spend(_read(RefreshRequest, request)["refresh"])
        return Response({"message": "The token is revoked."})


def _spend(raw: str) -> User:
    """Use up a refresh token: of two that use it at once, one succeeds. Returns its user, still in good standing."""
    try:
        token = RefreshToken(raw)  # type: ignore[arg-type]
        # It gives a pair, whatever it is annotated with: the row, and whether we made it.
        first = cast(tuple[Any, bool], token.blacklist())[1]
    except TokenError:
        raise AuthenticationFailed("The refresh token is not one of ours, is over, or was used.") from None
    user = User.objects.filter(pk=token[api_settings.USER_ID_CLAIM], is_active=True).first()
    if not first or user is None:
        raise AuthenticationFailed("The refresh token is not one of ours, is over, or was used.")
    if token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise AuthenticationFailed("The password has changed; log in again.")
    return user


def _pair(refresh: RefreshToken) -> Response:
    return Response({"access": str(refresh.access_token), "refresh": str(refresh)})


def _read(serializer_class: type[serializers.Serializer[Any]], request: Request) -> Any:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
