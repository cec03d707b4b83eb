"""`import_violations FILE`: load them, charge what is certain, and say how every row ended, to the cent."""

from recon.agency_command import AgencyImportCommand
from recon.services.agency.importing import import_violations


class Command(AgencyImportCommand):
    help = "Import parking violations (CSV). Rows known before are ignored; what is not certain waits for a person."
    load = staticmethod(import_violations)
