"""People of the stories about tolls and tickets."""

DECIDES = (
    "recon.view_agencyitem",
    "recon.view_agencyfile",
    "recon.decide_agencyitem",
    "recon.import_agencyfile",
)
SUMMONSES = ("cases.view_case", "cases.process_case", "recon.add_agencyitem", "recon.view_agencyitem")
