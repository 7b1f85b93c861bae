from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("preferences", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (Path(__file__).parent.parent / "append_only.sql").read_text(),
            """
            DROP TRIGGER preferences_consent_stays ON preferences_consentrecord;
            DROP FUNCTION preferences_refuse_change();
            """,
        ),
    ]
