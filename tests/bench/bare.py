"""The least that an accepting service can do: a plain Django view that reads JSON and inserts one row. Settings and URLs in one.

NOTIFIER_BENCH_BARE=1 leaves out all middleware; otherwise it is that of a new Django project.
"""

import json
import os

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from notifier import settings as ours

globals().update({name: getattr(ours, name) for name in dir(ours) if name.isupper()})
ROOT_URLCONF = "tests.bench.bare"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = (
    []
    if os.environ.get("NOTIFIER_BENCH_BARE") == "1"
    else [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
)

TABLE = "CREATE TABLE IF NOT EXISTS bench_bare (id bigserial PRIMARY KEY, body jsonb, at timestamptz DEFAULT now())"


@csrf_exempt
def accept(request: HttpRequest) -> HttpResponse:
    body = json.loads(request.body)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_bare (body) VALUES (%s) RETURNING id", [json.dumps(body)])
        (row_id,) = cursor.fetchone()
    answer = JsonResponse({"id": row_id}, status=202)
    answer["Content-Length"] = str(len(answer.content))
    return answer


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("accept", accept), path("healthz", healthz)]
