from django.db import migrations, models

# What was captured so far was captured whole.
FILL = """
    UPDATE payments_paymentshare share SET captured_minor = share.amount_minor
    FROM payments_payment payment
    WHERE payment.id = share.payment_id AND payment.status = 'captured'
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_capture_per_order")]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="paymentshare",
            name="payments_share_refund_bounds",
        ),
        migrations.AddConstraint(
            model_name="paymentshare",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("refunded_minor__gte", 0), ("refunded_minor__lte", models.F("captured_minor"))
                ),
                name="payments_share_refund_bounds",
            ),
        ),
    ]
