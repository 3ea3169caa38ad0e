"""The fields of an order, taken one by one, each checked; what nobody takes is a field that nobody knows."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from aerokeep_node.refusal import RefusalError

if TYPE_CHECKING:
    import re

LARGEST = 1 << 62


def invalid(detail: str) -> RefusalError:
    """Give the refusal of an order that nobody can carry out."""
    return RefusalError("spec_invalid", detail)


class Fields:
    """One object of the order; what nobody takes is a field that nobody knows."""

    def __init__(self, name: str, entry: object) -> None:
        if not isinstance(entry, dict):
            raise invalid(f"{name}: an object is expected")
        self._name = name
        self._left: Dict[str, Any] = dict(entry)

    def take(self, field: str) -> Any:  # noqa: ANN401 - anything can stand in JSON
        """Take a field, whatever it is."""
        if field not in self._left:
            raise invalid(f"{self._name}: {field} is missing")
        return self._left.pop(field)

    def text(self, field: str, pattern: "re.Pattern[str]") -> str:
        """Take a text of a form."""
        value = self.take(field)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise invalid(f"{self._name}: {field} is not of the form {pattern.pattern}")
        return value

    def optional_text(self, field: str, pattern: "re.Pattern[str]") -> Optional[str]:
        """Take a text of a form, or null."""
        if self._left.get(field, "") is None:
            return self._left.pop(field)  # type: ignore[no-any-return] # it is None
        return self.text(field, pattern)

    def texts(self, field: str, pattern: "re.Pattern[str]") -> Tuple[str, ...]:
        """Take a list of texts of a form."""
        values = self.list(field)
        if not all(isinstance(value, str) and pattern.fullmatch(value) for value in values):
            raise invalid(f"{self._name}: {field} is not a list of the form {pattern.pattern}")
        return tuple(values)

    def choice(self, field: str, choices: Tuple[str, ...]) -> str:
        """Take one of several words."""
        value = self.take(field)
        if value not in choices:
            raise invalid(f"{self._name}: {field} is none of {choices}")
        return str(value)

    def number(self, field: str) -> float:
        """Take a number."""
        value = self.take(field)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise invalid(f"{self._name}: {field} is no number")
        return value

    def optional_number(self, field: str) -> Optional[float]:
        """Take a number, or null."""
        if self._left.get(field, 0) is None:
            del self._left[field]
            return None
        return self.number(field)

    def integer(self, field: str, least: int = 0, most: int = LARGEST) -> int:
        """Take a whole number within bounds."""
        value = self.number(field)
        if not isinstance(value, int) or not least <= value <= most:
            raise invalid(f"{self._name}: {field} is no whole number from {least} to {most}")
        return value

    def optional_integer(self, field: str, least: int = 0, most: int = LARGEST) -> Optional[int]:
        """Take a whole number within bounds, or null."""
        if self._left.get(field, 0) is None:
            del self._left[field]
            return None
        return self.integer(field, least, most)

    def flag(self, field: str) -> bool:
        """Take true or false."""
        value = self.take(field)
        if not isinstance(value, bool):
            raise invalid(f"{self._name}: {field} is neither true nor false")
        return value

    def list(self, field: str) -> List[Any]:
        """Take a list."""
        value = self.take(field)
        if not isinstance(value, list):
            raise invalid(f"{self._name}: {field} is no list")
        return value

    def end(self) -> None:
        """Refuse what was left over."""
        if self._left:
            raise invalid(f"{self._name}: unknown: {sorted(self._left)}")
