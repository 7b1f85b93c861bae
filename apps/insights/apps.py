from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "apps.insights"

    def ready(self) -> None:
        from apps.audience.forgetting import on_forget
        from apps.channels.reporting import on_norms
        from apps.insights import activity
        from apps.insights.silence import norms

        on_norms(norms)
        activity.register_fields()
        on_forget(activity.forget_person)
