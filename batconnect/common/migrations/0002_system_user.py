"""The user every scheduled task acts as. It cannot log in."""

from django.contrib.auth.hashers import make_password
from django.db import migrations


def create(apps, schema_editor):
    apps.get_model("common", "User").objects.get_or_create(
        username="system",
        defaults={"password": make_password(None), "is_active": False, "first_name": "BAT Connect"},
    )


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
