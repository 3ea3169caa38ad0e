"""Run what a frozen filesystem can block in a thread of its own, so that the event loop goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def aside(act: Callable[[], T]) -> T:
    """Wait for ``act`` without holding the loop.

    A pool would be exhausted by a few blocked calls, and its threads are joined at exit: each call gets its own.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # the result is there when the error is not

    def work() -> None:
        try:
            result, error = act(), None
        except OSError as caught:
            result, error = None, caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name="aside", daemon=True).start()
    return await future
