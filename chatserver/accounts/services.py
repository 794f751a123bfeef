"""The verbs that change accounts. Where two could race, the rows of a conditional update decide."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext

from chatserver.accounts.models import SCOPES, ApiToken, Invitation, Scope, SetupCode, User
from chatserver.accounts.names import clean_name
from chatserver.accounts.secrets import digest, new_code, new_token
from chatserver.accounts.signals import announce

INVITATION_KEPT = timedelta(days=14)
MOST_TOKENS = 100  # of one person; enough for every device and script, and a bound on what a loop can store


class CodeSpent(Exception):
    """The code of a link is unknown, used, expired or replaced. One class for all, so that nobody can probe."""


def create_user(
    *, username: str, password: str, email: str = "", is_staff: bool = False, is_superuser: bool = False
) -> User:
    """A new account. Raises ValidationError with messages by field: ``username``, ``email``, ``password``."""
    user = User(
        username=clean_name(username), email=email.strip().lower(), is_staff=is_staff or is_superuser, is_active=True
    )
    user.is_superuser = is_superuser
    errors: dict[str, Any] = {}
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors["password"] = error.messages
    user.set_password(password)
    try:
        user.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        errors |= error.message_dict
    if User.objects.filter(username__iexact=user.username).exists():
        errors.setdefault("username", [gettext("This name is already taken.")])
    try:
        with transaction.atomic():
            if user.email and not take_email(user.email):
                errors.setdefault("email", [gettext("Another account has this e-mail address.")])
            if errors:
                raise ValidationError(errors)
            user.save(force_insert=True)
    except IntegrityError:  # somebody else took the name since full_clean looked
        raise ValidationError({"username": [gettext("This name is already taken.")]}) from None
    return user


def take_email(email: str) -> bool:
    """Whether no account has the address. Until the transaction ends no other one is told so of the same address."""
    if connection.vendor == "postgresql":  # on SQLite a transaction has all of it to itself
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"email {email.lower()}"])
    known = User.objects.filter(email__iexact=email).exists()
    return not known and not EmailAddress.objects.filter(email__iexact=email).exists()


def create_token(
    *,
    user: User,
    name: str = "",
    scopes: Iterable[Scope] | None = None,
    expires_at: datetime | None = None,
    asking: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """The row and the token's text, which cannot be had again. Raises ValidationError with messages by field.

    Without scopes it has all, without a time it does not end; but what another token asks for has at most the scopes
    and the time of that one, or a leaked token could make itself a stronger one.
    """
    if scopes is None:
        scopes = SCOPES if asking is None else [scope for scope in SCOPES if scope in asking.scopes]
    if asking is not None and expires_at is None:
        expires_at = asking.expires_at
    wanted = set(scopes)
    chosen = [scope for scope in SCOPES if scope in wanted]
    if not chosen or len(chosen) != len(wanted):
        raise ValidationError({"scopes": [f"Choose one or more of: {', '.join(SCOPES)}."]})
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": ["This time has already passed."]})
    if asking is not None and not wanted <= set(asking.scopes):
        raise ValidationError({"scopes": ["A token gives no scope that it does not have."]})
    end = None if asking is None else asking.expires_at
    if end is not None and expires_at is not None and expires_at > end:
        raise ValidationError({"expires_at": ["A token makes none that outlives it."]})
    if user.api_tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        raise ValidationError({"name": [f"There are {MOST_TOKENS} tokens already. Revoke some of them first."]})
    parts = new_token()
    token = ApiToken(
        user=user,
        name=clean_name(name),
        prefix=parts.prefix,
        digest=digest(parts.text),
        scopes=chosen,
        expires_at=expires_at,
    )
    token.full_clean()
    token.save(force_insert=True)
    return token, parts.text


def revoke_token(token: ApiToken) -> bool:
    """Make the token worthless from now on; connections it opened end. False where it was revoked before."""
    with transaction.atomic():
        changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        if changed:
            announce(user_id=token.user_id, token_id=token.pk)
    token.refresh_from_db(fields=["revoked_at"])
    return changed == 1


def create_invitation(
    *, created_by: User | None, note: str = "", expires_at: datetime | None = None
) -> tuple[Invitation, str]:
    """The row and the code for ``/accounts/signup/?invitation=CODE``, which cannot be had again."""
    code = new_code()
    invitation = Invitation.objects.create(
        digest=digest(code),
        created_by=created_by,
        note=clean_name(note),
        expires_at=expires_at or timezone.now() + INVITATION_KEPT,
    )
    return invitation, code


def is_open_invitation(code: str) -> bool:
    return Invitation.objects.filter(digest=digest(code), used_at=None, expires_at__gt=timezone.now()).exists()


def redeem_invitation(*, code: str, user: User) -> None:
    """Spend the invitation on ``user``. Raises CodeSpent; call it in the transaction that makes the user."""
    now = timezone.now()
    fresh = Invitation.objects.filter(digest=digest(code), used_at=None, expires_at__gt=now)
    if fresh.update(used_at=now, used_by=user) != 1:
        raise CodeSpent


def replace_setup_code() -> str | None:
    """A fresh code for the first administrator, replacing any other; None once there is one."""
    code = new_code()
    with transaction.atomic():
        SetupCode.objects.update_or_create(
            pk=1, defaults={"digest": digest(code), "created_at": timezone.now(), "used_at": None}
        )
        # Asked after the row is locked, so that a redemption in progress is either seen here or sees the new code.
        if has_administrator():
            transaction.set_rollback(True)
            return None
    return code


def is_open_setup_code(code: str) -> bool:
    return SetupCode.objects.filter(digest=digest(code), used_at=None).exists() and not has_administrator()


def redeem_setup_code(*, code: str, username: str, password: str, email: str = "") -> User:
    """Make the first administrator. Raises CodeSpent or ValidationError; of two at once, one wins."""
    with transaction.atomic():
        spent = SetupCode.objects.filter(digest=digest(code), used_at=None).update(used_at=timezone.now())
        if spent != 1 or has_administrator():
            raise CodeSpent
        return create_user(username=username, password=password, email=email, is_superuser=True)


def has_administrator() -> bool:
    return User.objects.filter(is_superuser=True).exists()
