"""The queue that Celery's default broker runs on, as plain SQL of the `pgmq` package."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from pgmq.install import get_embedded_install_sql


def install(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(get_embedded_install_sql(), params=None)


class Migration(migrations.Migration):
    dependencies = [("core", "0003_fill_id_leases")]

    operations = [
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.RunSQL(migrations.RunSQL.noop, "DROP SCHEMA pgmq CASCADE"),
    ]
