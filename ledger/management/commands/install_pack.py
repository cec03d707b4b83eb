"""`install_pack NAME`: the accounts and journal templates of a pack; what is there already stays as it is."""

from typing import Any

from django.core.management.base import CommandParser

from batconnect.common import audit
from batconnect.common.commands import ReportingCommand
from ledger.services.packs import install_pack

TOLD = (
    ("accounts", "accounts added"),
    ("templates", "templates in force"),
    ("drafts", "newer versions, as drafts to approve"),
    ("overrides", "overrides added"),
)


class Command(ReportingCommand):
    help = "Install a pack of accounts and journal templates. A second run changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the pack, e.g. takaful")
        super().add_arguments(parser)

    def report(self, **options: Any) -> dict[str, Any]:
        result = install_pack(name=options["name"], actor=audit.system_user())
        return {
            "pack": result.pack,
            "changed": result.changed,
            **{key: getattr(result, key) for key, _ in TOLD},
        }

    def describe(self, result: dict[str, Any]) -> None:
        if not result["changed"]:
            self.stdout.write(f"Pack {result['pack']} is installed already; nothing was changed.")
            return
        self.stdout.write(f"Pack {result['pack']} is installed.")
        for key, label in TOLD:
            if result[key]:
                self.stdout.write(f"{label}: {', '.join(result[key])}")
