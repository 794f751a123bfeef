from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.models import ModelServer
from conversations.services.model_servers import seal_anew


class Command(BaseCommand):
    help = "Seal every key of a model server with the first secret of ENCRYPTION_KEY, so that the older ones can go."

    def handle(self, *args: Any, **options: Any) -> None:
        done, lost = seal_anew(ModelServer.objects.order_by("name"))
        self.stdout.write(f"Keys sealed anew: {done}.")
        if lost:
            raise CommandError(f"These keys do not open with any part of ENCRYPTION_KEY: {', '.join(lost)}.")
