from django.apps import AppConfig

from apps.core import sealed


class AudienceConfig(AppConfig):
    name = "apps.audience"

    def ready(self) -> None:
        from apps.audience.segments import person_fields

        person_fields.register_all()
        sealed.register("audience.Endpoint", "sealed")
        sealed.register("audience.ImportChunk", "sealed")
        sealed.register("audience.ImportFault", "sealed")
