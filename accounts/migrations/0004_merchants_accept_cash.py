from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_merchants_answer_in_working_hours")]

    operations = [
        migrations.AddField(
            model_name="merchant",
            name="accepts_cash",
            field=models.BooleanField(
                db_default=False, default=False, verbose_name="may be paid at the door"
            ),
        )
    ]
