"""A credit that is given and the toll it goes to name each other. The rule is in `sql/0006_credits_name_their_toll.sql`."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models


SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [
        ('recon', '0005_tolls_and_tickets'),
    ]

    operations = [
        migrations.AddField(
            model_name='agencydecision',
            name='counterpart',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='counterparts', to='recon.agencyitem'),
        ),
        migrations.RunSQL(
            (SQL / "0006_credits_name_their_toll.sql").read_text(),
            (SQL / "0006_credits_name_their_toll.reverse.sql").read_text(),
        ),
    ]
