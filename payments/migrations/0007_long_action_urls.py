from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_reconcile_with_channels")]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="action_url",
            field=models.CharField(blank=True, max_length=5000),
        )
    ]
