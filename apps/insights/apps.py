from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "apps.insights"

    def ready(self) -> None:
        from apps.audience.forgetting import on_forget
        from apps.insights import activity

        activity.register_fields()
        on_forget(activity.forget_person)
