"""As `batconnect.common.screens` writes them: Nov 1, 2026 and Nov 1, 2026, 16:41. Nothing else is changed."""

DATE_FORMAT = "M j, Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "M j, Y, H:i"
SHORT_DATE_FORMAT = "M j, Y"
SHORT_DATETIME_FORMAT = "M j, Y, H:i"
