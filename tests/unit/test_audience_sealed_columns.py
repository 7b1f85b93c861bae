"""Every column of cipher text is known to the rotation of keys."""

from django.apps import apps
from django.db.models import BinaryField

from apps.core import sealed


def test_every_sealed_column_is_registered() -> None:
    columns = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, BinaryField) and field.name.startswith("sealed")
    }
    assert {(column.model, column.column) for column in sealed.registered()} == columns
    assert ("ledger.Notification", "sealed") in columns
