"""Every command refuses in one voice: a sentence and exit code 1, or, with `--json`, one object that says so."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError

from batconnect.common.commands import worker_count

OURS = {name for name, app in get_commands().items() if app in ("ledger", "leases", "recon")}
REFUSED = [
    ("import_trips", "{missing}"),
    ("import_trips", "{folder}"),
    ("import_trips", "{picture}"),
    (
        "import_fleet",
        "--medallions {missing} --drivers {missing} --lease-from 2019-02-24 --weekly-fee 150.00",
    ),
    (
        "import_fleet",
        "--medallions {picture} --drivers {picture} --lease-from 2019-02-24 --weekly-fee 150.00",
    ),
    ("import_fleet", "--medallions {missing} --drivers {missing} --lease-from today --weekly-fee 150.00"),
    ("import_fleet", "--medallions {missing} --drivers {missing} --lease-from 2019-02-24 --weekly-fee much"),
    ("import_opening_balances", "{missing} --control-total 1.00"),
    ("import_opening_balances", "{folder} --control-total 1.00"),
    ("import_opening_balances", "{picture} --control-total 1.00"),
    ("import_opening_balances", "{missing} --control-total lots"),
    ("import_tolls", "{missing}"),
    ("import_tolls", "{folder}"),
    ("import_tolls", "{picture}"),
    ("import_violations", "{missing}"),
    ("import_violations", "{picture}"),
    ("run_recon", "--source nobody --date 2019-03-01"),
    ("run_recon", "--source nobody --date 2019-03-01 --file-path {missing}"),
    ("run_recon", "--source nobody --date 2019-03-01 --file-path {folder}"),
    ("fetch_curb", "--from 2019-03-01 --to 2019-03-02"),
    ("run_week", "--week 2019-03-04"),
    ("run_week", "--week 2119-03-05"),
    ("export_dtrs", "--week 2019-03-03 --out {folder}"),
    ("export_journal", "--format hledger --from 2019-03-02 --to 2019-03-01 --output {file}"),
    ("export_journal", "--format hledger --output {missing}/x"),
    ("replay_account", "nothing"),
    ("replay_account", "x --driver"),
    ("rebuild_projections", "--account nothing"),
    ("verify_ledger", "--seals --head-file {missing}"),
    ("verify_ledger", "--seals --head-file {picture}"),
    ("verify_ledger", "--expect nothing"),
    ("post_batch", "--pack nothing --month 2019-03"),
    ("post_batch", "--pack taxi --file {missing}"),
    ("post_batch", "--pack taxi --file {folder}"),
    ("post_batch", "--pack taxi --file {picture}"),
    ("post_batch", "--resume 999999"),
    ("post_batch", "--reverse 999999 --reason because-it-was-wrong"),
    ("install_pack", "nothing"),
    ("archive_month", "--ledger --month 2019-03"),
    ("restore_month", "--source --month 2019-03"),
]
# These have nothing to be wrong about, or are told of elsewhere.
NEVER_REFUSED = {
    "demo",
    "process_expired_deposit_holds",
    "reseal_bank_details",
    "rotate_partitions",
    "seal_ledger",
}


def test_every_command_of_ours_is_asked_here():
    assert {name for name, _ in REFUSED} | NEVER_REFUSED == OURS


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "arguments"), REFUSED)
def test_what_cannot_be_done_is_said_in_a_sentence_and_as_one_object(
    name: str, arguments: str, tmp_path: Path
):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)))
    places = {
        "missing": tmp_path / "not there",
        "folder": tmp_path,
        "picture": picture,
        "file": tmp_path / "out",
    }
    given = [part.format(**places) for part in arguments.split()]
    code, out, errors = run(name, *given)
    assert code == 1 and not out.strip(), out
    assert len(errors) > 20 and "Traceback" not in errors
    code, out, errors = run(name, *given, "--json")
    told = json.loads(out)
    assert code == 1 and set(told) == {"error", "message"}


@pytest.mark.django_db
def test_a_journal_on_standard_output_is_no_object():
    code, out, _ = run("export_journal", "--format", "hledger", "--json")
    assert code == 1 and "say --output FILE" in json.loads(out)["message"]


def run(name: str, *arguments: str) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command(name, *arguments, stdout=out, stderr=errors, no_color=True)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), errors.getvalue()
    except CommandError as error:  # manage.py prints it and ends with 1
        return 1, out.getvalue(), str(error)
    return 0, out.getvalue(), errors.getvalue()


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "1.5", "9" * 5000, "٣"])
def test_a_count_of_workers_is_one_that_a_machine_could_have(text: str):
    with pytest.raises(Exception, match="is not a number of workers from 1 to 64"):
        worker_count(text)
