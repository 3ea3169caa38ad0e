"""Put the word by which hosts let go of their write stop at once, without waiting for Run Command."""

from aerokeep.aws.vault import Runs
from aerokeep.model.plan import Window
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.step import logger

WORD = "let-go"


class Word(Wire):
    """What hosts look for while they hold writes back."""

    token: str
    """Of the write stop that may end."""


def where_the_word_will_be(request: RunRef, runs: Runs) -> str:
    """The address that hosts look at."""
    return runs.presigned_read(request, request.of_try(WORD))


def let_go(request: RunRef, window: Window, runs: Runs) -> None:
    """Put the word; where that fails hosts are told through SSM, or let go at T1, so it is no failure of the run."""
    try:
        runs.write(request, request.of_try(WORD), Word(token=window.token))
    except Exception:  # noqa: BLE001 - whatever it was, it must not hide what the step itself has to say
        logger.warning("the word to let go could not be put", exc_info=True)
