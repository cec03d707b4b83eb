"""By which rule a source is matched: its model, with the windows and limits that the source sets itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from batconnect.common import audit
from batconnect.common.models import User
from batconnect.common.transactions import money_transaction

from ..matching.match import Learning, Result, learn_from, match
from ..matching.models import DefaultModel, Limits, Model, Windows, from_dict
from ..models import ReconJob, ReconMatch, ReconModel, ReconSource
from ..selectors.rows import Population, population
from ..sources import get_adapter
from .errors import ReconError

SIDE_COLUMNS = ("key", "amount", "currency", "occurred_at", "reference", "description", "group_key")


class NothingToReplay(ReconError):
    code, status = "recon.nothing_to_replay", 409
    message = "{source} was never reconciled, so there is no history to try a rule on."


class NotReplayed(ReconError):
    code, status = "recon.not_replayed", 409
    message = "Try {version} on the history of {source} first, and look at what would change."


def rule_of(source: ReconSource, model: ReconModel | None = None) -> Model:
    """The model that pairs are scored with; `model` in place of the source's own."""
    chosen = model or source.model
    base = from_dict(chosen.parameters) if chosen is not None else DefaultModel()
    first, last = get_adapter(source.adapter).window
    windows = _set(base.windows, {
        "earliest": first if source.earliest_seconds is None else source.earliest_seconds,
        "latest": last if source.latest_seconds is None else source.latest_seconds,
        "amount_share": source.amount_share,
    })  # fmt: skip
    limits = _set(base.limits, {
        "match": source.match_from, "suggest": source.suggest_from, "margin": source.margin,
    })  # fmt: skip
    return replace(base, windows=Windows(**windows), limits=Limits(**limits))


def match_population(rows: Population, model: Model) -> Result:
    """Both sides matched, as far as they are not decided by people."""
    free = [side.filter(~side["decided"]).select(SIDE_COLUMNS) for side in (rows.ledger, rows.external)]
    return match(free[0], free[1], model=model)


@money_transaction
def learn_model(*, source: ReconSource, actor: User) -> ReconModel:
    """Learn a model from all that the source's last job looked at, and keep it. It is used by nobody yet.

    Raises NothingToReplay, TooLittleToLearn.
    """
    rows = _history(source)
    base = rule_of(source)
    learned = learn_from(
        *[side.select(SIDE_COLUMNS) for side in rows],
        learning=Learning(windows=_learning_windows(source, base))
        if source.latest_seconds is not None
        else None,
    )
    facts = {"source": source.name, **learned.learned_from}
    model, made = ReconModel.objects.get_or_create(
        version=learned.version,
        defaults={"kind": "learned", "parameters": learned.to_dict(), "facts": facts, "created_by": actor},
    )
    if made:
        audit.record(
            actor=actor,
            action="recon.model_learned",
            subject=f"recon_source:{source.name}",
            after={"model": model.version, **facts},
        )
    return model


def replay(*, source: ReconSource, model: ReconModel | None) -> dict[str, Any]:
    """What a model would have made of the last job's rows, beside what people and the present rule made of them.

    Writes nothing. agrees, contradicts: pairs that people accepted or made by hand and the model pairs alike, or
    otherwise. rejected: pairs that people rejected and the model would match. Raises NothingToReplay.
    """
    ledger, external = _history(source)
    result = match(ledger.select(SIDE_COLUMNS), external.select(SIDE_COLUMNS), model=rule_of(source, model))
    pairs = dict(
        result.pairs.filter(result.pairs["end"] == "matched").select("external_key", "ledger_key").iter_rows()
    )
    before = rule_of(source)
    present = match(ledger.select(SIDE_COLUMNS), external.select(SIDE_COLUMNS), model=before)
    old = dict(
        present.pairs.filter(present.pairs["end"] == "matched")
        .select("external_key", "ledger_key")
        .iter_rows()
    )
    decided = _decided_pairs(source)
    return {
        "model": result.model.version,
        "present": before.version,
        "matched": len(pairs),
        "matched_now": len(old),
        "alike": sum(old.get(key) == partner for key, partner in pairs.items()),
        "agrees": sum(pairs.get(key) == partner for key, partner in decided["accepted"]),
        "contradicts": sum(pairs.get(key, partner) != partner for key, partner in decided["accepted"]),
        "rejected": sum(pairs.get(key) == partner for key, partner in decided["rejected"]),
    }


@money_transaction
def activate_model(
    *, source: ReconSource, model: ReconModel | None, replayed: Mapping[str, Any], actor: User
) -> None:
    """Have a source matched by another model from its next job on. `replayed`: what `replay` said of it.

    Raises NotReplayed where that was said of another model.
    """
    locked = ReconSource.objects.select_for_update().get(pk=source.pk)
    version = rule_of(locked, model).version if model is not None else DefaultModel().version
    if replayed.get("model") not in (version, rule_of(locked, model).version):
        raise NotReplayed(version=version, source=source.name)
    before = locked.model.version if locked.model else "default"
    locked.model = model
    locked.save(update_fields=["model"])
    audit.record(
        actor=actor,
        action="recon.model_activated",
        subject=f"recon_source:{source.name}",
        before={"model": before},
        after={"model": model.version if model else "default", **replayed},
    )


def _set(values: Any, given: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(given[name]) if given[name] is not None else getattr(values, name) for name in given}


def _learning_windows(source: ReconSource, base: Model) -> Windows:
    return base.windows


def _history(source: ReconSource) -> tuple[Any, Any]:
    last = (
        ReconJob.objects.filter(source=source, status=ReconJob.Status.COMPLETED)
        .order_by("-date", "-id")
        .first()
    )
    if last is None:
        raise NothingToReplay(source=source.name)
    rows = population(source, last.date)
    return rows.ledger, rows.external


def _decided_pairs(source: ReconSource) -> dict[str, list[tuple[str, str]]]:
    """Pairs that people made or rejected, as (outside key, ledger key); groups are left out."""
    found: dict[str, list[tuple[str, str]]] = {"accepted": [], "rejected": []}
    matches = ReconMatch.objects.filter(
        source=source, decided_by__isnull=False, status__in=["ACTIVE", "REJECTED"]
    )
    for one in matches.exclude(rule__in=["write_off", "taken_back"]).prefetch_related("rows__external_row"):
        outside = [row for row in one.rows.all() if row.external_row is not None]
        lines = [row for row in one.rows.all() if row.external_row is None]
        if len(outside) == len(lines) == 1:
            name = "rejected" if one.status == "REJECTED" else "accepted"
            line = lines[0]
            assert (
                outside[0].external_row is not None
                and line.line_id is not None
                and line.line_date is not None
            )
            found[name].append((outside[0].external_row.external_id, line_key(line.line_id, line.line_date)))
    return found


def line_key(line_id: int, line_date: Any) -> str:
    """What a journal line is called in logs: `JE-201903-17/2`."""
    return f"JE-{line_date:%Y%m}-{line_id // 100_000}/{line_id % 100_000}"
