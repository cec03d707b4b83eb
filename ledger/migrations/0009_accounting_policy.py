"""What the journal starts with: currencies, kinds of account, and the chart and templates of the taxi fleet.

The taxi policy is installed as the service that installs packs would: drafts first, then approved by the system.
"""

import json
from pathlib import Path

from django.db import migrations
from django.utils import timezone

# ISO-4217 codes in use, by the decimals of their amounts. Funds, metals and test codes are not money.
BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP"
    " CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR"
    " JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN"
    " NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP"
    " SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
KINDS = (
    # Clients' accounts never fall below zero; the house's own may.
    ("USER", "User", 0, 1_000_000),
    ("MERCHANT", "Merchant", 0, 1_000_000),
    ("INTERNAL", "Internal", None, None),
)
# Which entries a control account takes; any other is refused by the database.
CONTROL_ORIGINS = {
    "1200": ["POSTING"],
    "1300": ["POSTING", "LOAN"],
    "2100": ["POSTING", "DEPOSIT"],
    "2300": ["POSTING", "TRIP"],
    "2500": ["POSTING", "DTR"],
}


def install(apps, schema_editor):
    models = {name: apps.get_model("ledger", name) for name in (
        "Currency", "AccountKind", "Account", "TemplatePolicy", "JournalTemplate", "JournalTemplateMatch",
        "JournalTemplateLine", "JournalTemplateControl", "ProductAccountMap",
    )}
    models["Currency"].objects.bulk_create(
        models["Currency"](code=code, name=code, exponent=exponent)
        for exponent, codes in BY_EXPONENT.items()
        for code in codes.split()
    )
    models["AccountKind"].objects.bulk_create(
        models["AccountKind"](code=code, name=name, overdraft_limit=overdraft, transfer_limit=limit)
        for code, name, overdraft, limit in KINDS
    )
    models["TemplatePolicy"].objects.create(pk=1, version=1)
    system = apps.get_model("common", "User").objects.get(username="system")
    pack = json.loads((Path(__file__).parent / "data" / "0009_taxi.json").read_text())
    accounts = {}
    for row in pack["accounts"]:
        accounts[row["code"]] = models["Account"].objects.create(
            code=row["code"], name=row["name"], type=row["type"], currency_id="USD", fund=row.get("fund", ""),
            parent=accounts.get(row.get("parent")), control_origins=CONTROL_ORIGINS.get(row["code"], []),
        )
    for row in pack["templates"]:
        install_template(models, accounts, row, system)
    for row in pack["overrides"]:
        models["ProductAccountMap"].objects.create(
            **{**row, "account": accounts[row["account"]], "to_account": accounts[row["to_account"]]}
        )


def install_template(models, accounts, row, system):
    template = models["JournalTemplate"].objects.create(
        code=row["code"], version=row["version"], pack="taxi", description=row["description"],
        effective_from=row["effective_from"], effective_to=row.get("effective_to"), created_by=system,
    )
    for match in row["matches"]:
        models["JournalTemplateMatch"].objects.create(template=template, **match)
    for line in row["lines"]:
        models["JournalTemplateLine"].objects.create(
            template=template, **{**line, "account": accounts[line["account"]]}
        )
    control = row.get("control") or {}
    adjust = control.get("adjust_account")
    models["JournalTemplateControl"].objects.create(
        template=template, **{**control, "adjust_account": accounts[adjust] if adjust else None}
    )
    template.status, template.approved_by, template.approved_at = "ACTIVE", system, timezone.now()
    template.save()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_journal_rules"), ("common", "0002_system_user")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
