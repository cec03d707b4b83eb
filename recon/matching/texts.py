"""How much two descriptions have in common, counted in bits.

That two rows both say `PAYMENT` means little where every second row does; that both say `ABRAHAM LINC` means much,
although one of them was cut short. So what two texts share, their opening or their words, counts as many bits as
it is rare among all rows of both sides, and is multiplied by how alike the texts are (rapidfuzz, 0 to 1).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl
from rapidfuzz import fuzz

OPENINGS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25)  # lengths at which openings are compared
WORDS = 4  # of each text, its rarest
AT_ONCE = 250_000  # pairs of texts held as Python strings


@dataclass(frozen=True)
class Texts:
    """Every different text of both sides once; a text's number is its place in `frame`.

    said; opening_{n} UInt32, one number for all texts with the same first n characters, 0 where there are fewer;
    opening_bits_{n} Float32; word_{n} UInt32, its rarest words first, 0 where there are fewer; word_bits_{n}.
    """

    frame: pl.DataFrame


def vocabulary(first: pl.Series, second: pl.Series) -> tuple[Texts, pl.Series, pl.Series]:
    """Number the texts of two columns: what is known of each, and both columns as numbers (null: no text).

    Case, the form of letters and how many spaces there are make no difference.
    """
    both = pl.concat([first.alias("raw"), second.alias("raw")]).to_frame()
    said = (
        pl.col("raw").str.normalize("NFKC").str.to_uppercase().str.replace_all(r"\s+", " ").str.strip_chars()
    )
    known = (
        both.drop_nulls().group_by("raw").len("times").with_columns(said=said).filter(pl.col("said") != "")
    )
    frame = known.group_by("said").agg(pl.col("times").sum()).sort("said").with_row_index("text")
    number = known.join(frame, on="said").select("raw", "text")
    numbers = both.join(number, on="raw", how="left", maintain_order="left")["text"]
    total = max(int(frame["times"].sum()), 1)
    frame = _with_words(_with_openings(frame, total), total).drop("text", "times")
    return Texts(frame), numbers.head(len(first)), numbers.tail(len(second))


def ratio(texts: Texts, pairs: pl.DataFrame) -> pl.Series:
    """How alike texts `a` and `b` are as they stand: rapidfuzz's ratio, 0 to 1; null where one is missing."""
    return _once_each(pairs, lambda part: part.with_columns(likeness=_ratios(texts, part)))["likeness"]


def agreement(texts: Texts, pairs: pl.DataFrame) -> pl.DataFrame:
    """How well texts `a` and `b` (UInt32) agree: likeness Float64 (0 to 1) and bits Float64, null where one is missing.

    The likeness is that of the two texts cut to the shorter one's length; where they share words rather than an
    opening, that of their words in any order.
    """
    return _once_each(pairs, lambda part: _agreement(texts, part))


def _with_openings(frame: pl.DataFrame, total: int) -> pl.DataFrame:
    """`frame` is sorted by text, so texts with the same opening stand together."""
    length = pl.col("said").str.len_chars()
    for n in OPENINGS:
        name = f"opening_{n}"
        frame = frame.with_columns(
            pl.when(length >= n).then(pl.col("said").str.slice(0, n).rle_id() + 1).otherwise(0).alias(name)
        )
        bits = _bits(pl.col("times").sum().over(name), total)
        frame = frame.with_columns(bits.alias(f"opening_bits_{n}"))
    return frame


def _with_words(frame: pl.DataFrame, total: int) -> pl.DataFrame:
    words = frame.select("text", "times", word=pl.col("said").str.split(" ").list.unique()).explode("word")
    words = words.filter(pl.col("word") != "")
    known = words.group_by("word").agg(_bits(pl.col("times").sum(), total).alias("bits"))
    known = known.sort("bits", "word", descending=[True, False]).with_row_index("number", offset=1)
    # The lower the number, the rarer the word.
    ranked = words.join(known, on="word").select("text", "number", "bits").sort("text", "number")
    ranked = ranked.with_columns(place=pl.int_range(pl.len()).over("text")).filter(pl.col("place") < WORDS)
    for n in range(WORDS):
        nth = ranked.filter(pl.col("place") == n).select(
            "text", pl.col("number").alias(f"word_{n}"), pl.col("bits").alias(f"word_bits_{n}")
        )
        frame = frame.join(nth, on="text", how="left", maintain_order="left")
    return frame.with_columns(pl.col(f"word_{n}", f"word_bits_{n}").fill_null(0) for n in range(WORDS))


def _bits(count: pl.Expr, total: int) -> pl.Expr:
    """How rare it is among `total` rows, in bits: half of them 1, one in a thousand 10."""
    return (total / count).log(2).cast(pl.Float32)


def _once_each(pairs: pl.DataFrame, judge: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """Judge every different pair of texts once, some at a time, and give each of `pairs` its own, in order."""
    both = pairs.select("a", "b")
    different = both.drop_nulls().unique().sort("a", "b")
    # An empty part first: it brings the columns where no pair has two texts.
    parts: Iterable[pl.DataFrame] = [different.clear(), *different.iter_slices(AT_ONCE)]
    judged = pl.concat([judge(part) for part in parts])
    return both.join(judged, on=["a", "b"], how="left", maintain_order="left").drop("a", "b")


def _agreement(texts: Texts, pairs: pl.DataFrame) -> pl.DataFrame:
    pairs = pairs.with_columns(opening=_shared_opening(texts, pairs), words=_shared_words(texts, pairs))
    by_words = pairs.filter(pl.col("words") > pl.col("opening"))
    by_opening = pairs.filter(pl.col("words") <= pl.col("opening"))
    return pl.concat(
        [
            by_opening.with_columns(likeness=_ratios(texts, by_opening, cut=True), bits=pl.col("opening")),
            by_words.with_columns(
                likeness=_ratios(texts, by_words, scorer=fuzz.token_set_ratio), bits=pl.col("words")
            ),
        ]
    ).select("a", "b", "likeness", pl.col("bits").cast(pl.Float64))


def _shared_opening(texts: Texts, pairs: pl.DataFrame) -> pl.Series:
    """Bits of the longest opening that both have."""
    shared = pl.repeat(0.0, pairs.height, dtype=pl.Float32, eager=True)
    for n in OPENINGS:
        openings = texts.frame[f"opening_{n}"]
        of_a = openings.gather(pairs["a"])
        same = (of_a == openings.gather(pairs["b"])) & (of_a > 0)
        shared = texts.frame[f"opening_bits_{n}"].gather(pairs["a"]).zip_with(same, shared)
    return shared


def _shared_words(texts: Texts, pairs: pl.DataFrame) -> pl.Series:
    """Bits of all words that both have, of the rarest of each."""
    of_b = [texts.frame[f"word_{n}"].gather(pairs["b"]) for n in range(WORDS)]
    shared = pl.repeat(0.0, pairs.height, dtype=pl.Float32, eager=True)
    for n in range(WORDS):
        word = texts.frame[f"word_{n}"].gather(pairs["a"])
        found = word == of_b[0]
        for other in of_b[1:]:
            found = found | (word == other)
        # A missing word has no bits, so that two missing ones add nothing.
        shared = shared + texts.frame[f"word_bits_{n}"].gather(pairs["a"]) * found.cast(pl.Float32)
    return shared


def _ratios(
    texts: Texts,
    pairs: pl.DataFrame,
    *,
    cut: bool = False,
    scorer: Callable[[str, str], float] = fuzz.ratio,
) -> pl.Series:
    said = pairs.select(a=texts.frame["said"].gather(pairs["a"]), b=texts.frame["said"].gather(pairs["b"]))
    if cut:
        shorter = pl.min_horizontal(pl.col("a", "b").str.len_chars())
        said = said.select(pl.col("a", "b").str.slice(0, shorter))
    return pl.Series(map(scorer, said["a"].to_list(), said["b"].to_list()), dtype=pl.Float64) / 100
