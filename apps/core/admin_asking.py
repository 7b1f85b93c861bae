"""One page between a button and what it does: says what will happen, asks what it needs, and changes nothing before a POST."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse


@dataclass(frozen=True, slots=True)
class Question:
    """`sentence`: what will happen. `back`: the address of the page it was asked from."""

    title: str
    sentence: str
    submit: str
    back: str
    is_dangerous: bool = False


def ask(
    request: HttpRequest, question: Question, *, model: type[Model], form: forms.Form | None = None
) -> TemplateResponse:
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "opts": model._meta,
        "media": form.media if form else "",
    }
    return TemplateResponse(request, "admin/question.html", context)
