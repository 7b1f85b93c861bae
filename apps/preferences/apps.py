from django.apps import AppConfig


class PreferencesConfig(AppConfig):
    name = "apps.preferences"

    def ready(self) -> None:
        from apps.audience.rehashing import on_rehash
        from apps.preferences import segment_fields
        from apps.preferences.services import rehash_suppressions

        on_rehash(rehash_suppressions)
        segment_fields.register_all()
