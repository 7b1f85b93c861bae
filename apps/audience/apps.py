from django.apps import AppConfig

from apps.core import sealed


class AudienceConfig(AppConfig):
    name = "apps.audience"

    def ready(self) -> None:
        sealed.register("audience.Endpoint", "sealed")
