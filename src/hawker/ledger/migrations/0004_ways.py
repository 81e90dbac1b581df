from pathlib import Path

from django.db import migrations, models
from django.db.models import F, Q

WAYS = (
    Q(kind="charge", credit_id=1, account_id__isnull=False, account_id=F("debit_id"))
    | Q(kind="refund", debit_id=1, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="delivery", debit_id=1, credit_id=2)
    | Q(kind="deposit", debit_id=3, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="correction", debit_id=4, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="correction", credit_id=4, account_id__isnull=False, account_id=F("debit_id"))
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_audited")]
    operations = [
        migrations.RemoveConstraint("transfer", "transfer_one_charge_per_reference"),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(condition=Q(kind__in=["refund", "delivery"]) | Q(part=0), name="transfer_parts"),
        ),
        migrations.AddConstraint("transfer", models.CheckConstraint(condition=WAYS, name="transfer_ways")),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
    ]
