from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Upper

from chatserver.ids import new_id


class User(AbstractUser):
    """A person with an account. Inactive users are nobody, on every transport."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta(AbstractUser.Meta):
        # No constraint on e-mail addresses: sign-up keeps an address only where it is free (services.take_email), and
        # allauth's table makes the verified ones unique. But whoever verifies an address gets it, and allauth writes it
        # here at that moment: with a constraint anyone could keep the owner of an address from it by typing it first.
        # Upper, because that is what Django's iexact asks for, so that these indexes also serve look-ups.
        constraints = [
            models.UniqueConstraint(
                Upper("username"), name="user_name_any_case", violation_error_message="This name is already taken."
            )
        ]
        indexes = [models.Index(Upper("email"), name="user_email_any_case")]
