"""The accounting of the desk: cash out of the drawer, credit paid back, opening balances.

As the templates of 0009: drafts first, then approved by the system. They are more specific than those in force, which
stay; nothing was booked by them before.
"""

import json
from pathlib import Path

from django.db import migrations
from django.utils import timezone


def install(apps, schema_editor):
    models = {name: apps.get_model("ledger", name) for name in (
        "Account", "JournalTemplate", "JournalTemplateMatch", "JournalTemplateLine", "JournalTemplateControl",
    )}
    system = apps.get_model("common", "User").objects.get(username="system")
    content = json.loads((Path(__file__).parent / "data" / "0022_desk.json").read_text())
    accounts = {account.code: account for account in models["Account"].objects.all()}
    for row in content["templates"]:
        template = models["JournalTemplate"].objects.create(
            code=row["code"], version=row["version"], pack="taxi", description=row["description"],
            effective_from=row["effective_from"], created_by=system,
        )
        for match in row["matches"]:
            models["JournalTemplateMatch"].objects.create(template=template, **match)
        for line in row["lines"]:
            models["JournalTemplateLine"].objects.create(
                template=template, **{**line, "account": accounts[line["account"]]}
            )
        models["JournalTemplateControl"].objects.create(template=template, **row["control"])
        template.status, template.approved_by, template.approved_at = "ACTIVE", system, timezone.now()
        template.save()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0021_desk")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
