from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_merchants_are_paid_by_a_schedule")]

    operations = [
        migrations.AddField(
            model_name="merchant",
            name="accepts_cash",
            field=models.BooleanField(
                db_default=False, default=False, verbose_name="may be paid at the door"
            ),
        )
    ]
