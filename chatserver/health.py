"""Whether this process lives, and whether it can do its work. Open to everybody, so they say no more than that."""

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from streaming.wiring import engine


@require_safe
async def livez(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"})


@require_safe
async def readyz(request: HttpRequest) -> HttpResponse:
    """200 where new work is taken; 503 while the database is away or the process drains.

    Without Redis everything goes on, a second later here and there: that is 200, and ``degraded``.
    """
    checks = {"database": await sync_to_async(_database_answers)(), "accepting": not engine().supervisor.draining}
    if not all(checks.values()):
        return JsonResponse({"status": "not ready", **checks}, status=503)
    redis = engine().doorbell.works
    if redis is None:
        return JsonResponse({"status": "ready", **checks})
    return JsonResponse({"status": "ready" if redis else "degraded", **checks, "redis": redis})


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:  # whatever it is, the answer is no; the log of the database has the reason
        return False
    return True
