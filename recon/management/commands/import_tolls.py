"""`import_tolls FILE`: load them, charge what is certain, and say how every row ended, to the cent."""

from recon.agency_command import AgencyImportCommand
from recon.services.agency.importing import import_tolls


class Command(AgencyImportCommand):
    help = (
        "Import tolls from an E-ZPass statement (CSV). Rows known before are ignored; what is not certain waits for a "
        "person."
    )
    load = staticmethod(import_tolls)
