"""The takaful pack's benchmark batch: rows of its source file, as many as wanted, a million in a second.

80 % premiums, 30 % of them with a tanahud part, 20 % claims, three products, two channels, one month. Every
twentieth premium of INV01 is split to fractions of a cent, for its template's AUTO_ADJUST; every gross is whole cents.
"""

import calendar
from datetime import date
from decimal import Decimal

import polars as pl

SEED = 2026
MONTH = date(2019, 3, 1)
AMOUNT = pl.Decimal(20, 6)


def takaful_rows(rows: int, *, seed: int = SEED, month: date = MONTH, first: int = 1) -> pl.DataFrame:
    """So many rows, in the columns of the pack's source file; the same for the same seed.

    `first`: the number of the first row, which its id carries, so that files need not overlap. Made in cents, as
    integers.
    """
    number = pl.int_range(first, first + rows, dtype=pl.Int64)
    # Uncorrelated columns of whole numbers: hashes of the row's number.
    drawn = {
        name: number.hash(seed + n) % 10_000
        for n, name in enumerate(("kind", "product", "share", "other", "size"))
    }
    frame = pl.select(row=number, **drawn).cast(pl.Int64)
    claim = pl.col("kind") < 2_000
    total = 10_000 + pl.col("size") * 10
    tabarru = total * (pl.col("share") % 40 + 10) // 100
    tanahud = pl.when(pl.col("other") < 3_000).then(total // 10).otherwise(0)
    ujroh, admin = total * 7 // 100, pl.when(pl.col("other") % 2 == 0).then(total // 50).otherwise(0)
    days = calendar.monthrange(month.year, month.month)[1]
    frame = frame.with_columns(
        product_code=pl.when(pl.col("product") < 4_000)
        .then(pl.lit("LIFE01"))
        .when(pl.col("product") < 7_500)
        .then(pl.lit("FAM01"))
        .otherwise(pl.lit("INV01")),
        txn_type=pl.when(claim).then(pl.lit("CLAIM_PAID")).otherwise(pl.lit("PREMIUM_RECEIPT")),
        channel=pl.when(pl.col("share") % 3 == 0).then(pl.lit("INBRANCH")).otherwise(pl.lit("AGENCY")),
        bank_value_date=pl.lit(month).dt.offset_by(pl.format("{}d", pl.col("size") % days)),
        tabarru=tabarru,
        tanahud=pl.when(claim).then(0).otherwise(tanahud),
        ujroh=pl.when(claim).then(0).otherwise(ujroh),
        admin=admin,
        invest=pl.when(claim & (pl.col("share") % 2 == 0))
        .then(0)
        .otherwise(total - tabarru - tanahud - ujroh - admin),
    )
    parts = pl.col("tabarru") + pl.col("invest")
    gross = (
        pl.when(claim)
        .then(parts - pl.col("admin"))
        .otherwise(parts + pl.col("tanahud") + pl.col("ujroh") + pl.col("admin"))
    )
    # 0.004 from one part to another: the gross stays whole cents, and the rounded parts are a cent apart at most.
    split = (pl.col("product_code") == "INV01") & ~claim & (pl.col("kind") % 20 == 0)
    moved = pl.when(split).then(4_000).otherwise(0)
    millionths = {
        "gross_amount": gross * 10_000,
        "tabarru_amount": pl.col("tabarru") * 10_000 + moved,
        "tanahud_amount": pl.col("tanahud") * 10_000,
        "invest_amount": pl.col("invest") * 10_000 - 2 * moved,
        "ujroh_amount": pl.col("ujroh") * 10_000 + moved,
        "admin_amount": pl.col("admin") * 10_000,
    }
    unit = pl.lit(Decimal("0.000001"), dtype=AMOUNT)
    return frame.select(
        pl.format("T{}", pl.col("row").cast(pl.String).str.zfill(9)).alias("source_rowid"),
        "txn_type",
        "product_code",
        "channel",
        pl.lit("USD").alias("currency"),
        pl.format("P{}", pl.col("row") % 100_000).alias("policy_no"),
        "bank_value_date",
        pl.lit(month).alias("txn_month"),
        *(
            (value.cast(pl.Decimal(38, 0)) * unit).cast(AMOUNT).alias(name)
            for name, value in millionths.items()
        ),
    )
