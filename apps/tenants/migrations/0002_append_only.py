from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (Path(__file__).parent.parent / "append_only.sql").read_text(),
            """
            DROP TRIGGER tenants_audit_stays ON tenants_auditentry;
            DROP FUNCTION tenants_refuse_change();
            """,
        ),
    ]
