"""A value of a CloudWatch metric."""

from aerokeep.model.wire import Wire


class Datum(Wire):
    """One value of one metric; seconds where the name ends so, else a count."""

    name: str
    value: float
    dimensions: dict[str, str]
