from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0009_count_handing_over")]

    operations = [
        migrations.AlterField(
            model_name="outboxintervention",
            name="action",
            field=models.CharField(
                choices=[("retry", "Retry"), ("skip", "Skip"), ("replay", "Replay")], max_length=6
            ),
        )
    ]
