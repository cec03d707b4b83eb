"""The programs that read our exports, as other people have them: they check a file and say what is on its accounts."""

import csv
import io
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

Balances = dict[str, Decimal]


def tool(name: str, how_to_get_it: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.fail(
            f"{name} is not installed, so nothing shows that it accepts our exports: {how_to_get_it}."
        )
    return found


def hledger(file: Path, *arguments: str) -> str:
    program = tool("hledger", "`make test` installs it where it may; else apt-get install hledger")
    return run(program, "-f", str(file), *arguments)


def bean_check(file: Path) -> str:
    return run(tool("bean-check", "pip install -r requirements-dev.txt"), "--no-cache", str(file))


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def check_with_hledger(file: Path) -> Balances:
    """Accept the file or fail; what hledger then finds on each account, those at zero included."""
    hledger(file, "check", "--strict")
    # With more decimals than dollars have, so that no difference is rounded away.
    fine = ("--flat", "--empty", "--no-total", "-c", "1000.000000 USD")
    rows = csv.DictReader(io.StringIO(hledger(file, "bal", "-O", "csv", *fine)))
    return {row["account"]: amount(row["balance"]) for row in rows}


def check_with_beancount(file: Path) -> Balances:
    """Accept the file or fail; what beancount then finds on each account it opened."""
    bean_check(file)
    script = (
        "import sys\n"
        "from beancount import loader\n"
        "from beancount.core import realization\n"
        "from beancount.core.data import Open\n"
        "entries, errors, _ = loader.load_file(sys.argv[1])\n"
        "assert not errors, errors\n"
        "root = realization.realize(entries)\n"
        "for entry in entries:\n"
        "    if isinstance(entry, Open):\n"
        "        held = realization.get(root, entry.account).balance\n"
        "        print(entry.account, *([f'{p.units.number} {p.units.currency}' for p in held] or ['0']))\n"
    )
    balances = {}
    for line in run(sys.executable, "-c", script, str(file)).splitlines():
        name, shown = line.split(" ", 1)
        balances[name] = amount(shown)
    return balances


def amount(shown: str) -> Decimal:
    found = re.fullmatch(r"(-?[\d.]+)( [A-Z]{3})?", shown.strip())
    assert found, f"more than one currency, or none: {shown!r}"
    return Decimal(found[1])
