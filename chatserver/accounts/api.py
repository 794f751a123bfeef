"""``/api/v1/me``, ``/api/v1/tokens`` and ``/api/v1/sessions``."""

from typing import Any
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatserver.accounts.browsers import end_others, sessions_of
from chatserver.accounts.models import SCOPES, ApiToken, User
from chatserver.accounts.permissions import MayManage, SignedIn, access_session, access_token, own_tokens
from chatserver.accounts.principal import Principal, principal_of
from chatserver.accounts.services import create_token, revoke_token


class MeSerializer(serializers.Serializer[User]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.CharField()
    staff = serializers.BooleanField(source="is_staff")
    limits = serializers.SerializerMethodField()

    def get_limits(self, user: User) -> dict[str, int]:
        return {
            "streams": settings.MAX_STREAMS,
            "subscriptions": settings.MAX_SUBSCRIPTIONS,
            "frame_bytes": settings.MAX_FRAME,
            "body_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            "attachment_bytes": settings.MAX_ATTACHMENT,
            "attachments_bytes": settings.ATTACHMENTS_QUOTA,
        }


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]


class NewTokenSerializer(serializers.Serializer[ApiToken]):
    name = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), required=False, default=None, max_length=10
    )
    expires_at = serializers.DateTimeField(required=False, default=None, allow_null=True)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError({"non_field_errors": ["Send one JSON object."]})
        if unknown := sorted(set(map(str, data)) - set(self.fields)):
            raise serializers.ValidationError({name: ["Unknown."] for name in unknown}, code="unknown_field")
        return super().to_internal_value(data)


class CreatedTokenSerializer(TokenSerializer):
    token = serializers.CharField(help_text="The token itself, in this answer only.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class TokenListSerializer(serializers.Serializer[Any]):
    results = TokenSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class SessionSerializer(serializers.ModelSerializer[UserSession]):
    """Never its key, which would let its reader in."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = UserSession
        fields = ["id", "created_at", "ip", "user_agent", "current"]

    def get_current(self, session: UserSession) -> bool:
        return bool(session.session_key == self.context["key"])


class Me(APIView):
    metadata_class = None
    permission_classes = [SignedIn]

    def get(self, request: Request) -> Response:
        return Response(MeSerializer(User.objects.get(pk=_principal(request).user_id)).data)


class Tokens(APIView):
    metadata_class = None
    permission_classes = [SignedIn, MayManage]

    def get(self, request: Request) -> Response:
        mine = own_tokens(_principal(request)).filter(revoked_at=None)
        return Response({"results": TokenSerializer(mine, many=True).data, "next": None})

    def post(self, request: Request) -> Response:
        body = NewTokenSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        principal = _principal(request)
        try:
            token, text = create_token(
                user=User.objects.get(pk=principal.user_id),
                asking=None if principal.token_id is None else own_tokens(principal).get(pk=principal.token_id),
                **body.validated_data,
            )
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from None
        return Response({**TokenSerializer(token).data, "token": text}, status=status.HTTP_201_CREATED)


class TokenDetail(APIView):
    metadata_class = None
    permission_classes = [SignedIn, MayManage]

    def delete(self, request: Request, token_id: UUID) -> Response:
        revoke_token(access_token(_principal(request), token_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Sessions(APIView):
    """The person's own, beside those of programs, which have tokens."""

    metadata_class = None
    permission_classes = [SignedIn, MayManage]

    def get(self, request: Request) -> Response:
        principal = _principal(request)
        rows = sessions_of(principal.user_id)
        told = SessionSerializer(rows, many=True, context={"key": principal.session_key}).data
        return Response({"results": told, "next": None})

    def delete(self, request: Request) -> Response:
        """All but the one that asks."""
        principal = _principal(request)
        end_others(principal.user_id, but=principal.session_key)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionDetail(APIView):
    metadata_class = None
    permission_classes = [SignedIn, MayManage]

    def delete(self, request: Request, session_id: str) -> Response:
        access_session(_principal(request), session_id).end()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _principal(request: Request) -> Principal:
    principal = principal_of(request._request)
    assert principal is not None, "the permission classes have let nobody in"
    return principal


api_urlpatterns = [
    path("me", Me.as_view(), name="me"),
    path("tokens", Tokens.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>", TokenDetail.as_view(), name="token"),
    path("sessions", Sessions.as_view(), name="sessions"),
    path("sessions/<str:session_id>", SessionDetail.as_view(), name="session"),
]
