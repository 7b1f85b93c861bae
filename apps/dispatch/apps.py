from django.apps import AppConfig


class DispatchConfig(AppConfig):
    name = "apps.dispatch"

    def ready(self) -> None:
        from apps.dispatch.engagement import note_engagement
        from apps.inbox.engagement import on_engagement

        on_engagement(note_engagement)
