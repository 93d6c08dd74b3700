"""The business clock in SQL, and the grace that the audit views leave."""

from django.db import migrations

BUSINESS_NOW = """
    CREATE FUNCTION business_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
        SELECT clock_timestamp()
            + coalesce((SELECT "offset" FROM core_businessclock WHERE id = 1), interval '0')
    $$
"""
AUDIT_GRACE = """
    CREATE FUNCTION audit_grace() RETURNS interval LANGUAGE sql STABLE AS $$
        SELECT make_interval(secs => coalesce(
            nullif(current_setting('quayside.grace_seconds', true), '')::double precision, 60))
    $$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_create_kernel_tables")]

    operations = [
        migrations.RunSQL(BUSINESS_NOW, "DROP FUNCTION business_now()"),
        migrations.RunSQL(AUDIT_GRACE, "DROP FUNCTION audit_grace()"),
        migrations.RunSQL(
            "INSERT INTO core_businessclock (id, \"offset\") VALUES (1, interval '0')",
            "DELETE FROM core_businessclock",
        ),
    ]
