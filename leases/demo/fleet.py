"""The demo's fleet: forty drivers, their cabs, and how each of them works. All invented, and it looks it.

Surnames are streets of New York; no real medallion starts with 0, no real VIN has the letters of DEMO in it.
"""

import csv
import io
from dataclasses import dataclass

FLEET_NAME = "DEMO FLEET"
NAMES = (
    "Amina Bleecker", "Luis Mercer", "Olga Delancey", "Kwame Lafayette", "Ravi Houston", "Zoë Crosby",
    "Tomasz Ludlow", "Fatou Rivington", "Chen Mott", "Ines Spring", "Patrick Vandam", "Yusuf Greene",
    "Marta Wooster", "Andre Thompson", "Leila Sullivan", "Viktor Orchard", "Samira Hester", "João Broome",
    "Dmitri Grand", "Aisha Canal", "Hugo Pell", "Nadia Bayard", "Emeka Worth", "Sofía Duane", "Karim Reade",
    "Bianca Chambers", "Oleg Warren", "Grace Murray", "Tariq Barclay", "Nils Vesey", "Rosa Fulton",
    "Ivan Dey", "Maya Cortlandt", "Felix Rector", "Halima Carlisle", "Georgi Albany", "Pilar Thames",
    "Anton Cedar", "Ruth Pine", "Moses Wall",
)  # fmt: skip
VEHICLE_TYPES = ("HYB", "HYB", "WAV", "HYB", "BEV")
SHIFTS_A_WEEK = (5, 6, 5, 4, 6, 5, 3, 5, 6, 2)


@dataclass(frozen=True)
class Cab:
    """One driver with one cab. Times of day and the number of shifts are habits that hold all six weeks."""

    number: int
    name: str

    @property
    def tlc_license(self) -> str:
        return f"{9_900_000 + self.number}"

    @property
    def medallion(self) -> str:
        return f"0D{self.number:02}"

    @property
    def plate(self) -> str:
        return f"T{self.number:06}D"

    @property
    def vin(self) -> str:
        return f"DEMO{self.number:013}"

    @property
    def vehicle_type(self) -> str:
        return VEHICLE_TYPES[self.number % len(VEHICLE_TYPES)]

    @property
    def model_year(self) -> int:
        return 2021 + self.number % 5

    @property
    def drives_nights(self) -> bool:
        return self.number % 5 in (0, 2)

    @property
    def shifts_a_week(self) -> int:
        return SHIFTS_A_WEEK[self.number % len(SHIFTS_A_WEEK)]


CABS = tuple(Cab(number, name) for number, name in enumerate(NAMES, start=1))


def medallions_csv() -> str:
    """The medallions file, as `import_fleet` takes it."""
    header = ["medallion_no", "fleet", "medallion_type", "vehicle_type", "model_year", "plate", "vin"]
    rows = [
        [cab.medallion, FLEET_NAME, "MINIFLEET", cab.vehicle_type, cab.model_year, cab.plate, cab.vin]
        for cab in CABS
    ]
    return written(header, rows)


def drivers_csv() -> str:
    """The drivers file, as `import_fleet` takes it."""
    return written(
        ["tlc_license", "medallion_no", "name"], [[c.tlc_license, c.medallion, c.name] for c in CABS]
    )


def written(header: list[str], rows: list[list[object]] | list[list[str]]) -> str:
    """CSV text with plain line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
