"""The 256 node numbers, and the counter of the order-number strategy `sequence`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0002_business_now")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO core_idlease (node_id, holder, high_water_ms)"
            " SELECT node_id, '', 0 FROM generate_series(0, 255) AS node_id",
            "DELETE FROM core_idlease",
        ),
        migrations.RunSQL(
            "CREATE SEQUENCE core_order_number_seq START 100001",
            "DROP SEQUENCE core_order_number_seq",
        ),
    ]
